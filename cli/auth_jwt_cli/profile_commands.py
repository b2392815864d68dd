"""`auth-jwt profile`: which SIP user a tag stands for."""

import json
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from auth_jwt.provisioning.changes import MISSING
from auth_jwt.provisioning.profiles import MAX_LISTED, MAX_PAGE, AttributeValue, ProfileRecord
from auth_jwt.provisioning.rendering import Json, profile_json, secret_json, tombstone_json
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.tombstones import KEPT_SECONDS
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.inputs import read_secret, text_of, without_line_end
from auth_jwt_cli.listing import Listed, show_list
from auth_jwt_cli.options import (
    Algorithms,
    Exact,
    Out,
    SecretFile,
    Tag,
    Yes,
    named_algorithms,
    reads_tables,
    writes_tables,
)
from auth_jwt_cli.output import Misused, Part, details, pluralize, render_cell
from auth_jwt_cli.sources import pair_of
from auth_jwt_cli.times import format_instant
from auth_jwt_cli.values import GeneratedValue

app = typer.Typer(help="Profiles: which SIP user a tag stands for.", no_args_is_help=True)

Username = Annotated[str, typer.Option("--username", help="The SIP username.", metavar="NAME")]
Domain = Annotated[str | None, typer.Option("--domain", help="Its SIP domain.", metavar="NAME")]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", metavar="NAME=TEXT", help="Another column of text; NAME:=VALUE for a number, true or false."
    ),
]
AttributeFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute-file",
        metavar="NAME=FILE",
        help="Another column, with its text read from a file (`-` is standard input), for confidential values.",
    ),
]


@app.command("add")
@writes_tables
def add(
    connection: Connection,
    tag: Tag,
    username: Username,
    domain: Domain = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Create it disabled: every login is denied.")] = False,
    attribute: Attributes = None,
    attribute_file: AttributeFiles = None,
    generate: Annotated[bool, typer.Option("--generate", help="Generate its first secret, an HMAC one.")] = False,
    secret_file: SecretFile = None,
    exact: Exact = False,
    algorithms: Algorithms = None,
    out: Out = None,
) -> None:
    """Add a profile and, if an option gives one, its first secret.

    Example: auth-jwt profile add alice-web --username alice --domain example.com --generate --out alice.secret
    """
    given = read_secret(secret_file, exact=exact, generate=generate, out=out, asks=False)
    names = named_algorithms(algorithms)
    if names is not None and given is None and not generate:
        raise Misused("--alg describes a secret: it goes with --generate or --secret-file")
    attributes = _attributes(attribute, attribute_file)
    with GeneratedValue(connection, out) as value:
        held = value.hold(connection.writing.secrets.generate(tag, algorithms=names)) if generate else given
        created = connection.writing.profiles.create(
            tag,
            username,
            domain=domain,
            disabled=disabled,
            attributes=attributes,
            secret=None if held is None else NewSecret(value=held, algorithms=names),
        )
    document: Json = {"profile": profile_json(created.profile)}
    if created.secret is not None:
        document["secret"] = {**secret_json(created.secret.secret), **value.members()}
    value.show(document, _describe(created.profile, connection))
    if disabled:
        connection.output.note(f"Nobody can log in with it until `auth-jwt profile enable {shlex.quote(tag)}`.")
    if created.secret is None:
        command = f"auth-jwt secret add {shlex.quote(tag)} --generate --out FILE"
        connection.output.note(
            f"Nobody can log in with it until it has a secret: `{command}`, or `--secret-file FILE`."
        )
    elif not disabled:
        connection.output.note("It works at once.")


@app.command("show")
@reads_tables
def show(connection: Connection, tag: Tag) -> None:
    """Show a profile.

    Example: auth-jwt profile show alice-web --json
    """
    profile = connection.reading.profiles.show(tag)
    connection.output.show(profile_json(profile), _describe(profile, connection))


@app.command("list")
@reads_tables
def list_(
    connection: Connection,
    after: Annotated[str | None, typer.Option("--after", metavar="TAG", help="Continue after this tag.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="The greatest number of profiles.", min=1)] = MAX_PAGE,
    all_: Annotated[bool, typer.Option("--all", help="List all profiles.")] = False,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="List those that were deleted and can be restored, the latest first.")
    ] = False,
) -> None:
    """List profiles, in the table's order. The first ones are shown at once.

    With --json, each line is a profile, as JSON. The list is whole if the exit code is 0. With --limit, standard error
    says if others may follow: --after continues after the tag of the last line.

    Example: auth-jwt profile list --limit 20
    """
    if deleted:
        _list_deleted(connection, limit=None if all_ else limit)
        return
    following = after
    left = None if all_ else limit

    def pages() -> Iterator[list[Listed]]:
        nonlocal following, left
        size = MAX_PAGE  # a small first page is there at once
        while left is None or left > 0:
            page = connection.reading.profiles.page(after=following, limit=size if left is None else min(size, left))
            yield [(profile_json(record), _cells(record)) for record in page.profiles]
            following, size = page.next, MAX_LISTED
            left = None if left is None else left - len(page.profiles)
            if following is None:
                break

    show_list(connection.output, ("TAG", "USERNAME", "DOMAIN", "STATE"), pages())
    if following is not None:
        connection.output.note(f"There may be more: --after {following!r}, or --all.")


@app.command("set")
@writes_tables
def set_(
    connection: Connection,
    tag: Tag,
    username: Annotated[str | None, typer.Option("--username", help="The SIP username.", metavar="NAME")] = None,
    domain: Domain = None,
    no_domain: Annotated[bool, typer.Option("--no-domain", help="Remove its SIP domain.")] = False,
    attribute: Attributes = None,
    attribute_file: AttributeFiles = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove-attribute", metavar="NAME", help="Remove a column.")
    ] = None,
) -> None:
    """Change the given columns of a profile, and leave the rest.

    Example: auth-jwt profile set alice-web --attribute tier=gold --attribute quota:=20
    """
    if domain is not None and no_domain:
        raise Misused("--domain and --no-domain contradict each other")
    attributes: dict[str, AttributeValue | None] = dict.fromkeys(remove or ())
    attributes |= _attributes(attribute, attribute_file)
    profile = connection.writing.profiles.change(
        tag, username=username, domain=MISSING if no_domain else domain, attributes=attributes
    )
    connection.output.show(profile_json(profile), _describe(profile, connection))
    connection.tell_when_it_works()


@app.command("disable")
@writes_tables
def disable(connection: Connection, tag: Tag) -> None:
    """Disable a profile: every login with it is denied.

    Example: auth-jwt profile disable alice-web
    """
    profile = connection.writing.profiles.disable(tag)
    connection.output.show(profile_json(profile), _describe(profile, connection))
    connection.tell_when_it_works()


@app.command("enable")
@writes_tables
def enable(connection: Connection, tag: Tag) -> None:
    """Enable a disabled profile.

    Example: auth-jwt profile enable alice-web
    """
    profile = connection.writing.profiles.enable(tag)
    connection.output.show(profile_json(profile), _describe(profile, connection))
    connection.tell_when_it_works()


@app.command("rename")
@writes_tables
def rename(
    connection: Connection,
    tag: Tag,
    new_tag: Annotated[str, typer.Argument(metavar="NEW-TAG", help="The new tag, for future tokens.")],
) -> None:
    """Give a profile and its secrets another tag. The issuer's tokens must then carry the new tag.

    All of it happens, or nothing. Secrets without a profile may join an existing profile of the new tag.

    Example: auth-jwt profile rename Alice-web alice-web
    """
    renamed = connection.writing.profiles.rename(tag, new_tag)
    moved = pluralize(len(renamed.secrets), "secret")
    document = {"tag": renamed.tag, "profile": renamed.has_profile, "secrets": list(renamed.secrets)}
    what = f"The profile and {moved}" if renamed.has_profile else moved
    connection.output.show(document, f"{what} of {render_cell(tag)} have the tag {render_cell(new_tag)} now.")
    connection.tell_when_it_works(at_once="The new tag")


@app.command("rm")
@writes_tables
def remove(
    connection: Connection,
    tag: Tag,
    forever: Annotated[
        bool,
        typer.Option("--forever", help="Keep nothing to restore it from, and erase what earlier deletions kept."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete a profile and all its secrets. For 30 days, `profile restore` brings them back.

    Nobody can log in with what is kept. --forever keeps nothing; of a deleted profile it erases what is kept.

    Example: auth-jwt profile rm alice-web
    """
    output = connection.output
    its = "secrets" if yes else pluralize(connection.reading.profiles.secret_count(tag), "secret")
    what = " for good, and what is kept of it" if forever else ""
    output.confirm(f"Delete the profile {tag!r} and its {its}{what}?", yes=yes)
    secrets = connection.writing.profiles.delete(tag, forever=forever)
    kept_until = None if forever else connection.writing.registry.now() + KEPT_SECONDS
    output.show(
        {"tag": tag, "secrets": secrets, "kept_until": kept_until},
        f"Deleted the profile and {pluralize(secrets, 'secret')}.",
    )
    if kept_until is not None:
        now = connection.reading.registry.clock()
        command = f"auth-jwt profile restore {shlex.quote(tag)}"
        output.note(f"`{command}` brings it back until {format_instant(kept_until, now)}.")
    connection.tell_when_it_works()


@app.command("restore")
@writes_tables
def restore(connection: Connection, tag: Tag) -> None:
    """Bring a deleted profile back with its secrets, as they were; of several with the tag, the one deleted last.

    Secrets that have ended stay ended, and revoked tokens stay revoked. `profile list --deleted` lists what can be
    restored.

    Example: auth-jwt profile restore alice-web
    """
    restored = connection.writing.profiles.restore(tag)
    back = pluralize(len(restored.secrets), "secret")
    document = {"tag": tag, "profile": restored.has_profile, "secrets": list(restored.secrets)}
    what = f"The profile and {back}" if restored.has_profile else back
    connection.output.show(document, f"{what} of {render_cell(tag)} are back.")
    connection.output.note("It works at once.")


def _list_deleted(connection: Connection, *, limit: int | None) -> None:
    now = connection.reading.registry.clock()
    found = connection.reading.profiles.deleted()
    listed = [
        (
            tombstone_json(each),
            (each.tag, each.secrets, format_instant(each.deleted_at, now), format_instant(each.kept_until, now),
             each.deleted_by),
        )
        for each in found[:limit]
    ]  # fmt: skip
    show_list(connection.output, ("TAG", "SECRETS", "DELETED", "KEPT UNTIL", "BY"), [listed])
    if limit is not None and len(found) > limit:
        connection.output.note(f"There are {len(found) - limit} more: --all, or a greater --limit.")


def _cells(record: ProfileRecord) -> tuple[object, ...]:
    return record.tag, record.sip_username, record.sip_domain, "disabled" if record.disabled else "enabled"


def _attributes(pairs: list[str] | None, files: list[str] | None) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    for pair in pairs or ():
        name, value = pair_of(pair)
        attributes[name.removesuffix(":")] = _literal(value) if name.endswith(":") else value
    for pair in files or ():
        name, path = pair_of(pair)
        attributes[name] = without_line_end(text_of(Path(path), f"the column {name!r}"))
    return attributes


def _literal(text: str) -> AttributeValue:
    try:
        value: object = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, bool | int | Decimal):
        raise Misused("NAME:=VALUE takes a number, true or false; text is NAME=TEXT")
    return value


def _describe(profile: ProfileRecord, connection: Connection) -> Part:
    now = connection.reading.registry.clock()
    pairs: dict[str, object] = {
        "tag": profile.tag,
        "username": profile.sip_username or "none: nobody can log in",
        "domain": profile.sip_domain,
        "state": "disabled" if profile.disabled else "enabled",
    }
    if profile.tokens_valid_after is not None:
        pairs["tokens valid after"] = format_instant(profile.tokens_valid_after, now)
    members = profile_json(profile)["attributes"]
    return details({**pairs, **members})

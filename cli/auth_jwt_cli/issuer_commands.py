"""`auth-jwt issuer`: identity providers whose published keys verify tokens."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auth_jwt.errors import Invalid, Rejected
from auth_jwt.provisioning.issuers import MAX_PAGE, IssuerRecord
from auth_jwt.provisioning.rendering import Json, issuer_json
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.inputs import token_text
from auth_jwt_cli.issuer_options import states_members
from auth_jwt_cli.listing import Listed, show_list
from auth_jwt_cli.options import TokenFile, Yes, reads_tables, writes_tables
from auth_jwt_cli.output import REFUSED, Misused, Part, details, pluralize, table
from auth_jwt_cli.presets import PRESETS, members_of
from auth_jwt_cli.times import format_duration, format_instant
from auth_jwt_cli.token_commands import (
    describe_explanation,
    exit_code_of,
    explanation_json,
    explanation_of,
    tell_of_memory,
)

if TYPE_CHECKING:
    from auth_jwt.fetching.lookup import Published
    from auth_jwt.refreshing.models import Refreshed

app = typer.Typer(help="Identity providers whose published keys verify tokens.", no_args_is_help=True)

Identifier = Annotated[
    str, typer.Argument(metavar="ISSUER", help="The issuer, exactly as tokens name it in `iss`: every slash counts.")
]
KeyName = Annotated[str, typer.Argument(metavar="KEY", help="Its `kid`, or its thumbprint: `issuer show` has both.")]
KeysUrl = Annotated[
    str | None,
    typer.Option("--keys-url", metavar="URL", help="The address of its keys, without a discovery document."),
]
TrustClaim = Annotated[
    bool,
    typer.Option("--users-cannot-change-claim", help="Confirm that users cannot change the claim that names them."),
]


@app.command("add")
@writes_tables
@states_members
def add(
    connection: Connection,
    identifier: Identifier,
    given: dict[str, Any],
    *,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help=f"Start from the settings for a provider: {', '.join(PRESETS)}."),
    ] = None,
    keys_url: KeysUrl = None,
    users_cannot_change_claim: TrustClaim = False,
    yes: Yes = False,
) -> None:
    """Add an issuer: look at what it publishes, ask for confirmation, write its rows, and fetch its keys.

    Example: auth-jwt issuer add https://login.example.com/realms/sip --preset keycloak --audience sip
    """
    members = _members_by(preset, given)
    found = _look_up(connection, identifier, keys_url)
    members |= {"keys_url": found.keys_url, **({} if keys_url is None else {"discovery": False})}
    connection.output.aside(details(_describe_found(found, members)))
    for trap in () if preset is None else PRESETS[preset].traps:
        connection.output.note(f"Note: {trap}")
    connection.reading.issuers.check(identifier, members, trusts_claim=users_cannot_change_claim)
    _warn_unless_set(connection, identifier)
    connection.output.confirm(f"Add the issuer {identifier!r}?", yes=yes)
    connection.writing.issuers.add(identifier, members, trusts_claim=users_cannot_change_claim)
    refreshed = connection.refresher.refresh(identifier)
    _show(connection, identifier)
    _tell_refreshed(connection, refreshed)
    if members.get("sip_domain") is not None:
        connection.output.note("`auth-jwt lint` finds profiles that had the SIP domain before.")


@app.command("show")
@reads_tables
def show(connection: Connection, identifier: Identifier) -> None:
    """Show an issuer: its configuration, how the fetches of its keys went, and its keys by their thumbprints.

    Example: auth-jwt issuer show https://login.example.com/realms/sip
    """
    _show(connection, identifier, reads_only=True)
    _warn_unless_set(connection, identifier)


@app.command("list")
@reads_tables
def list_(
    connection: Connection,
    after: Annotated[str | None, typer.Option("--after", metavar="ISSUER", help="Continue after this issuer.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="The greatest number of issuers.", min=1)] = MAX_PAGE,
    all_: Annotated[bool, typer.Option("--all", help="List all issuers.")] = False,
) -> None:
    """List issuers, sorted.

    Example: auth-jwt issuer list
    """
    following = after
    left = None if all_ else limit
    now = connection.reading.registry.clock()

    def pages() -> Iterator[list[Listed]]:
        nonlocal following, left
        while left is None or left > 0:
            size = MAX_PAGE if left is None else min(MAX_PAGE, left)
            page = connection.reading.issuers.page(after=following, limit=size)
            yield [(issuer_json(record), _cells(record, now)) for record in page.issuers]
            following = page.next
            left = None if left is None else left - len(page.issuers)
            if following is None:
                break

    show_list(connection.output, ("ISSUER", "KEYS", "KEYS FETCHED", "STATE"), pages())
    if following is not None:
        connection.output.note(f"There may be more: --after {following!r}, or --all.")


@app.command("set")
@writes_tables
@states_members
def set_(
    connection: Connection,
    identifier: Identifier,
    given: dict[str, Any],
    *,
    keys_url: KeysUrl = None,
    accept_moved: Annotated[
        bool, typer.Option("--accept-moved", help="Take the address of keys that the discovery document names now.")
    ] = False,
    discovery: Annotated[
        bool | None, typer.Option("--discovery/--no-discovery", help="Whether to watch its discovery document.")
    ] = None,
    default: Annotated[
        list[str] | None,
        typer.Option("--default", metavar="MEMBER", help="Give a member of the configuration its default."),
    ] = None,
    users_cannot_change_claim: TrustClaim = False,
    yes: Yes = False,
) -> None:
    """Change the given members of an issuer's configuration, and leave the rest.

    Another address of its keys is looked at first, and confirmed; then the keys are fetched from there.

    Example: auth-jwt issuer set https://login.example.com/realms/sip --audience sip --audience web
    """
    if keys_url is not None and accept_moved:
        raise Misused("--keys-url and --accept-moved are two addresses: one is enough")
    members = {**dict.fromkeys(default or ()), **given, **({} if discovery is None else {"discovery": discovery})}
    if accept_moved:
        status = connection.reading.issuers.show(identifier).status
        keys_url = None if status is None else status.moved_to
        if keys_url is None:
            raise Invalid("its discovery document names no other address of keys, as last read")
    if keys_url is not None:
        found = _look_up(connection, identifier, keys_url)
        connection.output.aside(details(_describe_found(found, members)))
        connection.output.confirm(f"Fetch the keys of {identifier!r} from {keys_url}?", yes=yes)
        members["keys_url"] = keys_url
    connection.writing.issuers.change(identifier, members, trusts_claim=users_cannot_change_claim)
    refreshed = None if keys_url is None else connection.refresher.refresh(identifier)
    _show(connection, identifier)
    if refreshed is not None:
        _tell_refreshed(connection, refreshed)
    connection.tell_when_it_works()


@app.command("refresh")
@writes_tables
def refresh(connection: Connection, identifier: Identifier) -> None:
    """Fetch the keys of an issuer now, whether that is due or not.

    Example: auth-jwt issuer refresh https://login.example.com/realms/sip
    """
    connection.reading.issuers.show(identifier)
    refreshed = connection.refresher.refresh(identifier)
    document = {"outcome": refreshed.outcome.value, **issuer_json(connection.reading.issuers.show(identifier))}
    connection.output.show(document, f"The keys are {_WORDS[refreshed.outcome.value]}.")
    _tell_refreshed(connection, refreshed)
    if refreshed.outcome.value not in _GOOD:
        raise typer.Exit(REFUSED)


@app.command("test")
@reads_tables
def try_out(
    connection: Connection,
    identifier: Identifier,
    token_file: TokenFile = None,
    from_user: Annotated[
        str | None, typer.Option("--from-user", metavar="NAME", help="The SIP user the request acts as.")
    ] = None,
    from_domain: Annotated[
        str | None, typer.Option("--from-domain", metavar="NAME", help="The SIP domain of that user.")
    ] = None,
) -> None:
    """Look at what an issuer publishes now and, with a token, explain step by step what would be decided about it.

    Nothing is written: the token is judged by the keys that were fetched last.

    Exit code 0: the keys can be fetched, and the token would be accepted; 1: one of the two is not so; 4: it
    cannot be decided.

    Example: auth-jwt issuer test https://login.example.com/realms/sip --token-file token.txt
    """
    record = connection.reading.issuers.show(identifier)
    _warn_unless_set(connection, identifier)
    token = None if token_file is None else token_text(token_file)
    looked, code = _try_fetch(connection, record)
    document: Json = {"issuer": identifier, "fetch": looked, "token": None}
    parts: list[Part] = [details(_rendered(looked))]
    if token is not None:
        now = connection.reading.registry.clock()
        explanation = explanation_of(token, connection, now, from_user=from_user, from_domain=from_domain)
        if explanation.issuer != identifier:
            connection.output.warn("the token names another issuer, or none that ISSUERS names")
            code = REFUSED
        document["token"] = explanation_json(explanation, with_claims=False)
        parts += ["", *describe_explanation(explanation, now, with_claims=False)]
        code = exit_code_of(explanation) or code
    connection.output.show(document, *parts)
    tell_of_memory(connection)
    if code:
        raise typer.Exit(code)


@app.command("disable")
@writes_tables
def disable(connection: Connection, identifier: Identifier) -> None:
    """Disable an issuer: every token of it is denied.

    Example: auth-jwt issuer disable https://login.example.com/realms/sip
    """
    connection.writing.issuers.disable(identifier)
    _show(connection, identifier)
    connection.tell_when_it_works()


@app.command("enable")
@writes_tables
def enable(connection: Connection, identifier: Identifier) -> None:
    """Enable a disabled issuer, and fetch its keys.

    Example: auth-jwt issuer enable https://login.example.com/realms/sip
    """
    connection.writing.issuers.enable(identifier)
    refreshed = connection.refresher.refresh(identifier)
    _show(connection, identifier)
    _tell_refreshed(connection, refreshed)
    connection.tell_when_it_works()


@app.command("block-key")
@writes_tables
def block_key(connection: Connection, identifier: Identifier, key: KeyName) -> None:
    """Block a key of an issuer: it verifies nothing, even if the issuer goes on publishing it.

    Example: auth-jwt issuer block-key https://login.example.com/realms/sip 2026-11
    """
    connection.writing.issuers.block_key(identifier, key)
    _show(connection, identifier)
    connection.tell_when_it_works()


@app.command("unblock-key")
@writes_tables
def unblock_key(connection: Connection, identifier: Identifier, key: KeyName) -> None:
    """Let a blocked key of an issuer verify again.

    Example: auth-jwt issuer unblock-key https://login.example.com/realms/sip 2026-11
    """
    connection.writing.issuers.unblock_key(identifier, key)
    _show(connection, identifier)
    connection.tell_when_it_works()


@app.command("rm")
@writes_tables
def remove(connection: Connection, identifier: Identifier, yes: Yes = False) -> None:
    """Delete an issuer: its configuration and its keys. The profiles of its users stay, and no token speaks for them.

    Example: auth-jwt issuer rm https://login.example.com/realms/sip
    """
    connection.output.confirm(f"Delete the issuer {identifier!r}?", yes=yes)
    connection.writing.issuers.remove(identifier)
    connection.output.show({"issuer": identifier}, "Deleted the issuer and its keys. The profiles of its users stay.")
    connection.tell_when_it_works()


_GOOD: Final = ("unchanged", "replaced")
_WORDS: Final[Mapping[str, str]] = {
    "unchanged": "as they were",
    "replaced": "written",
    "failed": "as they were: nothing usable was fetched",
    "overtaken": "as another refresh or an operator wrote them meanwhile",
    "disabled": "not fetched: the issuer is disabled",
    "gone": "gone: the issuer has no configuration",
    "not_set": "not fetched: ISSUERS does not name the issuer",
    "unusable": "not fetched: the rows of the issuer cannot be used",
}


def _members_by(preset: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the members that are *given*, with those of a preset. Claims that both require are required by both.

    Raises:
        Misused: there is no such preset, or it needs more.
    """
    if preset is None:
        return given
    if preset not in PRESETS:
        raise Misused(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    known = PRESETS[preset]
    named = given.get("client_ids") if "client_claim" in known.members else given.get("audiences")
    if not named:
        option = "--client-id" if "client_claim" in known.members else "--audience"
        raise Misused(f"with this preset, {option} is needed: {known.audience}")
    members = {**members_of(known, named), **given}
    if "required_claims" in given:
        members["required_claims"] = {**known.members.get("required_claims", {}), **given["required_claims"]}
    if "access_claims" in given:
        members["access_claims"] = [*known.members.get("access_claims", ()), *given["access_claims"]]
    return members


def _look_up(connection: Connection, identifier: str, keys_url: str | None) -> "Published":
    """Return what the issuer publishes.

    Raises:
        Rejected: nothing usable could be fetched.
    """
    from auth_jwt.fetching.errors import FetchFailed
    from auth_jwt.fetching.lookup import look_up

    try:
        return look_up(connection.fetcher, identifier, keys_url=keys_url)
    except FetchFailed as failure:
        raise Rejected(f"{failure} ({failure.kind})") from None


def _try_fetch(connection: Connection, record: IssuerRecord) -> tuple[Json, int]:
    """Return what the issuer publishes now, beside what was fetched last, and the exit code for it."""
    issuer = record.issuer
    try:
        found = _look_up(connection, record.identifier, None if issuer is None or issuer.discovers else issuer.keys_url)
    except Rejected as problem:
        return {"problem": str(problem)}, REFUSED
    published = {key.thumbprint for key in found.filtered.key_set.keys}
    return {
        "problem": None,
        "keys_address": found.keys_url,
        "moved": issuer is not None and found.keys_url != issuer.keys_url,
        "on_another_host": found.discovery is not None and found.discovery.is_elsewhere,
        "usable_keys": len(found.filtered.key_set.keys),
        "dropped_keys": dict(found.filtered.count_flaws()),
        "not_fetched_yet": len(published - {key.thumbprint for key in record.keys}),
        "published_no_more": len({key.thumbprint for key in record.keys} - published),
    }, 0


def _describe_found(found: "Published", members: Mapping[str, Any]) -> dict[str, object]:
    """Return, for people, what an issuer publishes, beside the configuration to be written."""
    discovery, keys = found.discovery, found.filtered
    dropped = ", ".join(f"{flaw}: {count}" for flaw, count in keys.count_flaws().items())
    where = " (on another host than the issuer)" if discovery is not None and discovery.is_elsewhere else ""
    shown: dict[str, object] = {
        "keys address": f"{found.keys_url}{where}",
        "usable keys": len(keys.key_set.keys),
        "dropped keys": dropped or "none",
    }
    if discovery is not None:
        shown["signs ID tokens by"] = ", ".join(discovery.algorithms) or "it does not say"
    return {**shown, **_rendered(members)}


def _rendered(members: Mapping[str, Any]) -> dict[str, str]:
    shown = {name.replace("_", " "): _text_of(value) for name, value in members.items() if name != "keys_url"}
    if members.get("longest_lifetime") is not None:
        shown["longest lifetime"] = format_duration(members["longest_lifetime"])
    return shown


def _text_of(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={member}" for name, member in value.items()) or "none"
    return "-" if value is None else str(value)


def _show(connection: Connection, identifier: str, *, reads_only: bool = False) -> None:
    provisioning = connection.reading if reads_only else connection.writing
    record = provisioning.issuers.show(identifier)
    now = provisioning.registry.clock()
    lifetime = connection.settings.keys_lifetime
    connection.output.show(issuer_json(record), *_describe(record, now, lifetime))


def _describe(record: IssuerRecord, now: float, lifetime: float) -> Iterator[Part]:
    document: Json = issuer_json(record)
    pairs: dict[str, object] = {"issuer": record.identifier, "id": record.id, "state": _state_of(record)}
    configuration = document["configuration"] or {}
    pairs["keys address"] = configuration.get("keys_url")
    pairs |= _rendered(configuration)
    status = record.status
    if status is not None:
        pairs["keys fetched"] = _fetches_of(record, now)
        if status.fetched_at is not None and now - status.fetched_at > lifetime:
            pairs["keys fetched"] = f"{pairs['keys fetched']}: too long ago, they verify nothing"
        pairs["next fetch"] = "now" if status.next_fetch_at is None else format_instant(status.next_fetch_at, now)
        if status.failures:
            pairs["failures"] = f"{status.failures} since then, the last one: {status.failure}"
        if status.moved_to is not None:
            pairs["moved to"] = f"{status.moved_to}: `issuer set --accept-moved` takes it"
    yield details(pairs)
    if record.keys:
        rows = [
            (key.kid, key.kind, ",".join(key.algorithms) or "none accepted", "blocked" if key.blocked else "in use",
             key.thumbprint)
            for key in record.keys
        ]  # fmt: skip
        yield ""
        yield table(("KID", "KIND", "ALGORITHMS", "STATE", "THUMBPRINT"), rows)


def _state_of(record: IssuerRecord) -> str:
    if record.problem is not None:
        return f"cannot be used: {record.problem}"
    if record.issuer is None:
        return "gone: only its line in the registry is there"
    return "disabled" if record.disabled else "enabled"


def _cells(record: IssuerRecord, now: float) -> tuple[object, ...]:
    return record.identifier, len(record.keys), _fetches_of(record, now), _state_of(record)


def _fetches_of(record: IssuerRecord, now: float) -> str:
    status = record.status
    return "never" if status is None or status.fetched_at is None else format_instant(status.fetched_at, now)


def _warn_unless_set(connection: Connection, identifier: str) -> None:
    """Warn when the setting ISSUERS does not name an issuer: then no token is judged by it."""
    patterns = connection.settings.issuer_patterns
    if patterns is None or not patterns.match(identifier):
        connection.output.warn(
            "ISSUERS does not name this issuer, so no token is judged by it, and its keys are not fetched: deploy with"
            " it in the setting"
        )


def _tell_refreshed(connection: Connection, refreshed: "Refreshed") -> None:
    """Tell on standard error what came of a refresh."""
    output, outcome = connection.output, refreshed.outcome.value
    if outcome in _GOOD:
        if refreshed.keys is not None:
            output.note(f"Fetched {pluralize(refreshed.keys, 'key')}. It works at once.")
    elif refreshed.problem is not None:
        output.warn(f"the keys were not fetched: {refreshed.problem}")
    else:
        output.warn(f"the keys are {_WORDS[outcome]}")
    if refreshed.discovery_problem is not None:
        output.warn(f"the discovery document was not read: {refreshed.discovery_problem}")
    if refreshed.dropped:
        dropped = ", ".join(f"{flaw}: {count}" for flaw, count in refreshed.dropped.items())
        output.note(f"Keys that can verify nothing were left out: {dropped}.")
    if refreshed.has_nothing_in_common:
        output.warn("the new keys share none with those of before")
    lifetime = connection.settings.keys_lifetime
    if outcome == "failed" and refreshed.status is not None and refreshed.status.fetched_at is not None:
        output.note(f"Those that were fetched before verify for {format_duration(lifetime)} from their fetch.")

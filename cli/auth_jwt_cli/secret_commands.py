"""`auth-jwt secret`: the keys of a tag, each with the window in which it may verify."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from auth_jwt.provisioning.changes import MISSING
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.rendering import rotated_json, secret_json
from auth_jwt.provisioning.secrets import OVERLAP_SECONDS, NewSecret
from auth_jwt.provisioning.windows import is_in_milliseconds, meant_seconds
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.inputs import given_secret
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
from auth_jwt_cli.output import Misused, details, table
from auth_jwt_cli.set_alg_command import set_alg
from auth_jwt_cli.times import parsed_duration, parsed_instant, shown_instant
from auth_jwt_cli.values import GeneratedValue

app = typer.Typer(help="Secrets: the keys of a tag. Their values are never shown.", no_args_is_help=True)
app.command("set-alg")(set_alg)

SecretId = Annotated[str, typer.Argument(metavar="ID", help="The secret's id.")]
NewId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Its id; without it, the next number. With it, a command can be repeated."),
]
Generate = Annotated[
    bool, typer.Option("--generate", help="Generate it, for HMAC: 64 random bytes, as RFC 7518 wants for HS512.")
]
KeyId = Annotated[str | None, typer.Option("--kid", help="Its key id.", metavar="KID")]
Start = Annotated[
    int | None,
    typer.Option("--start", parser=parsed_instant, metavar="TIME", help="First second of its window; without it, now."),
]
End = Annotated[
    int | None,
    typer.Option(
        "--end",
        parser=parsed_instant,
        metavar="TIME",
        help="First second after its window; without it, a year after the start.",
    ),
]
CloseAt = Annotated[
    int | None,
    typer.Option("--at", parser=parsed_instant, metavar="TIME", help="From when on it verifies nothing, if not now."),
]
Overlap = Annotated[
    int,
    typer.Option(
        "--overlap",
        parser=parsed_duration,
        metavar="DURATION",
        help="How long the old ones go on: at least as long as their tokens live.",
        show_default="1d",
    ),
]


@app.command("add")
@writes_tables
def add(
    connection: Connection,
    tag: Tag,
    generate: Generate = False,
    secret_file: SecretFile = None,
    exact: Exact = False,
    secret_id: NewId = None,
    start: Start = None,
    end: End = None,
    algorithms: Algorithms = None,
    kid: KeyId = None,
    out: Out = None,
) -> None:
    """Add a secret beside those there are: from a prompt, from --secret-file, or made by --generate.

    Example: auth-jwt secret add alice-web --secret-file issuer-public-key.pem --end 90d
    """
    given = given_secret(secret_file, exact=exact, generate=generate, out=out)
    names = named_algorithms(algorithms)
    with GeneratedValue(connection, out) as value:
        held = value.hold(connection.writing.secrets.generate(tag, algorithms=names)) if given is None else given
        secret = NewSecret(value=held, id=secret_id, start=start, end=end, algorithms=names, kid=kid)
        added = connection.writing.secrets.add(tag, secret)
    value.show({**secret_json(added.secret), **value.members()}, _described(added.secret, connection))
    is_future = added.secret.state is SecretState.FUTURE
    connection.output.note("It works from its start on." if is_future else "A new secret works at once.")


@app.command("list")
@reads_tables
def list_(connection: Connection, tag: Tag) -> None:
    """List the secrets of a tag, the newest window first.

    Example: auth-jwt secret list alice-web
    """
    secrets = connection.reading.secrets.list(tag)
    connection.output.show({"secrets": [secret_json(record) for record in secrets]}, _listed(secrets, connection))


@app.command("show")
@reads_tables
def show(connection: Connection, tag: Tag, secret_id: SecretId) -> None:
    """Show all of a secret but its value.

    Example: auth-jwt secret show alice-web 2
    """
    secret = connection.reading.secrets.show(tag, secret_id)
    connection.output.show(secret_json(secret), _described(secret, connection))


@app.command("close")
@writes_tables
def close(
    connection: Connection,
    tag: Tag,
    secret_id: SecretId,
    at: CloseAt = None,
    yes: Yes = False,
) -> None:
    """Let a secret verify nothing, from now or a later time on. One that ends earlier keeps its end.

    One whose end is missing or no number is not open: it is closed now, and a later time is refused.

    Example: auth-jwt secret close alice-web 1 --at +1h
    """
    there = {record.id: record for record in connection.reading.secrets.list(tag)}
    if [record.id for record in there.values() if record.state is SecretState.OPEN] == [secret_id]:
        connection.output.confirm(f"{secret_id!r} is the last open secret of {tag!r}. Close it?", yes=yes)
    secret = connection.writing.secrets.close(tag, secret_id, at=at)
    connection.output.show(secret_json(secret), _described(secret, connection))
    if at is not None and secret.end is not None and secret.end < at:
        connection.output.warn("it ends earlier than --at says, and that stays: closing never makes a window longer")
    before = there[secret_id].end if secret_id in there else None
    meant = meant_seconds(before) if is_in_milliseconds(before) else None
    if at is not None and meant is not None and meant < at:
        told = shown_instant(meant, connection.reading.registry.clock())
        connection.output.warn(f"its end was in milliseconds, and meant to be earlier than --at: {told}")
    connection.tell_when_it_works()


@app.command("set")
@writes_tables
def set_(
    connection: Connection,
    tag: Tag,
    secret_id: SecretId,
    start: Annotated[
        int | None, typer.Option("--start", parser=parsed_instant, metavar="TIME", help="First second of its window.")
    ] = None,
    end: Annotated[
        int | None,
        typer.Option("--end", parser=parsed_instant, metavar="TIME", help="First second after its window."),
    ] = None,
    mend: Annotated[
        bool,
        typer.Option(
            "--mend", help="Bounds in milliseconds, or in text of digits, become the seconds that were meant."
        ),
    ] = False,
    kid: KeyId = None,
    no_kid: Annotated[bool, typer.Option("--no-kid", help="Take its key id away.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what it would be.")] = False,
    yes: Yes = False,
) -> None:
    """Change the window or the key id of a secret, and leave the rest. What has ended is not opened again.

    Example: auth-jwt secret set alice-web 1 --end 90d

    Example: auth-jwt secret set alice-web 1 --mend
    """
    if kid is not None and no_kid:
        raise Misused("--kid and --no-kid contradict each other")
    wanted: Any = {"start": start, "end": end, "kid": MISSING if no_kid else kid, "mend": mend}
    planned = connection.reading.secrets.change(tag, secret_id, **wanted, dry_run=True)
    if dry_run:
        connection.output.show(secret_json(planned), _described(planned, connection))
        return
    open_ids = [record.id for record in connection.reading.secrets.list(tag) if record.state is SecretState.OPEN]
    if open_ids == [secret_id] and planned.state is not SecretState.OPEN:
        question = f"{secret_id!r} is the last open secret of {tag!r}, and would be {planned.state}. Change it?"
        connection.output.confirm(question, yes=yes)
    secret = connection.writing.secrets.change(tag, secret_id, **wanted)
    connection.output.show(secret_json(secret), _described(secret, connection))
    connection.tell_when_it_works(at_once="A window that opens")


@app.command("rotate")
@writes_tables
def rotate(
    connection: Connection,
    tag: Tag,
    generate: Generate = False,
    secret_file: SecretFile = None,
    exact: Exact = False,
    overlap: Overlap = OVERLAP_SECONDS,
    secret_id: NewId = None,
    end: End = None,
    algorithms: Algorithms = None,
    kid: KeyId = None,
    out: Out = None,
) -> None:
    """Open a new secret now, and let those that are open end after an overlap.

    Example: auth-jwt secret rotate alice-web --generate --overlap 2h --out alice.secret
    """
    given = given_secret(secret_file, exact=exact, generate=generate, out=out)
    names = named_algorithms(algorithms)
    with GeneratedValue(connection, out) as value:
        held = value.hold(connection.writing.secrets.generate(tag, algorithms=names)) if given is None else given
        secret = NewSecret(value=held, id=secret_id, end=end, algorithms=names, kid=kid)
        rotated = connection.writing.secrets.rotate(tag, secret, overlap_seconds=overlap)
    value.show({**rotated_json(rotated), **value.members()}, _listed((rotated.secret, *rotated.closing), connection))
    connection.tell_when_it_works(at_once="The new secret")


@app.command("rm")
@writes_tables
def remove(connection: Connection, tag: Tag, secret_id: SecretId) -> None:
    """Take away the row of a secret that is not open.

    Example: auth-jwt secret rm alice-web 1
    """
    connection.writing.secrets.remove(tag, secret_id)
    connection.output.show({"tag": tag, "id": secret_id}, "The row is gone.")


def _listed(secrets: Iterable[SecretRecord], connection: Connection) -> RenderableType:
    now = connection.reading.registry.clock()
    rows = [
        (
            record.id,
            record.state.value,
            record.kind,
            ",".join(record.algorithms),
            record.kid,
            shown_instant(record.start, now),
            shown_instant(record.end, now),
            str(record.unusable or "") or " ".join(key.fingerprint for key in record.keys),
        )
        for record in secrets
    ]
    return table(("ID", "STATE", "KIND", "ALGORITHMS", "KID", "START", "END", "FINGERPRINT"), rows)


def _described(secret: SecretRecord, connection: Connection) -> RenderableType:
    now = connection.reading.registry.clock()
    pairs = {
        "tag": secret.tag,
        "id": secret.id,
        "state": secret.state.value,
        "unusable because": None if secret.unusable is None else str(secret.unusable),
        "kind": secret.kind,
        "algorithms": ", ".join(secret.algorithms),
        "kid": secret.kid,
        "start": shown_instant(secret.start, now),
        "end": shown_instant(secret.end, now),
        "fingerprint": "\n".join(key.fingerprint for key in secret.keys),
    }
    return details({name: value for name, value in pairs.items() if value is not None and value != ""})

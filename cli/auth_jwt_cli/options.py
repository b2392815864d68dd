"""The options that commands share, each declared once."""

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from auth_jwt.errors import AuthJwtError, Fault
from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt_cli.connection import Connection, Where
from auth_jwt_cli.output import UNSHOWN, Misused, Muted, NotShown, Output, fail
from auth_jwt_cli.rehearsals import show_rehearsal
from auth_jwt_cli.tag_completion import complete_tag
from auth_jwt_cli.times import parse_duration

_TABLES: Final = "Which tables: the service's settings, by default from this environment"

_SHARED: Final[dict[str, tuple[Any, object]]] = {
    "context": (
        Annotated[
            str | None,
            typer.Option(
                "--context",
                help="A named context: see `auth-jwt context list`. [env var: AUTH_JWT_CONTEXT]",
                rich_help_panel=_TABLES, metavar="NAME",
            ),
        ],
        None,
    ),
    "function": (
        Annotated[
            str | None,
            typer.Option(
                "--function",
                help="Settings of this deployed Lambda function (name or ARN). [env var: AUTH_JWT_FUNCTION]",
                rich_help_panel=_TABLES, metavar="NAME",
            ),
        ],
        None,
    ),
    "env_file": (
        Annotated[
            Path | None,
            typer.Option(
                "--env-file",
                help="Settings in a file: KEY=VALUE lines, or JSON of a function's configuration. "
                "[env var: AUTH_JWT_ENV_FILE]",
                rich_help_panel=_TABLES, metavar="FILE",
            ),
        ],
        None,
    ),
    "given": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set", help="Override one setting: PROFILES_TABLE=users. May be repeated.",
                rich_help_panel=_TABLES, metavar="NAME=VALUE",
            ),
        ],
        None,
    ),
    "region": (
        Annotated[str | None, typer.Option("--region", help="AWS region.", rich_help_panel=_TABLES)],
        None,
    ),
    "aws_profile": (
        Annotated[
            str | None,
            typer.Option("--profile", help="Profile of the AWS configuration.", rich_help_panel=_TABLES),
        ],
        None,
    ),
}  # fmt: skip
_PLACE: Final = ("context", "region", "aws_profile")  # of the shared ones, those that say where a stack is


def _stack(text: str) -> dict[str, tuple[Any, object]]:
    return {"stack": (Annotated[str | None, typer.Option("--stack", help=text, metavar="NAME")], None)}


_AUDIT: Final[dict[str, tuple[Any, object]]] = {
    "audit_log": (
        Annotated[
            Path | None,
            typer.Option(
                "--audit-log",
                help="The audit file for this write; `-` is standard error. "
                "[default: $AUTH_JWT_AUDIT_LOG, or auth-jwt/audit.log in $XDG_STATE_HOME]",
                metavar="FILE",
            ),
        ],
        None,
    ),
}
_DRY_RUN: Final[dict[str, tuple[Any, object]]] = {
    "rehearses": (
        Annotated[
            bool,
            typer.Option(
                "--dry-run", help="Write nothing: make all checks, and say which rows and columns would be written."
            ),
        ],
        False,
    ),
}
_JSON: Final[dict[str, tuple[Any, object]]] = {
    "as_json": (
        Annotated[
            bool, typer.Option("--json", help="Write the result as JSON: one document, or of a list one object a line.")
        ],
        False,
    ),
}

_ESCAPED: Final = Annotated[
    bool,
    typer.Option(
        "--escaped",
        help="TAG and ID contain the escapes of JSON, such as `\\u0000` for a NUL, which no argument can hold.",
    ),
]
_ROWS: Final = ("tag", "secret_id")

Command = TypeVar("Command", bound=Callable[..., None])

Tag = Annotated[str, typer.Argument(metavar="TAG", help="The tag, as tokens carry it.", autocompletion=complete_tag)]
Overlap = Annotated[
    int,
    typer.Option(
        "--overlap",
        parser=parse_duration,
        metavar="DURATION",
        help="How long the old secrets keep verifying: at least as long as their tokens live. [default: 1d]",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the value to a new file (mode 0600) instead of showing it."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Read the secret from a file (`-` is standard input): HMAC text, PEM, JWK or JWKS. "
        "A line end at its end is not part of the secret.",
    ),
]
ReplacePublicKey = Annotated[
    bool,
    typer.Option(
        "--replace-public-key", help="Let an HMAC secret take the place of a public key, whose issuer is locked out."
    ),
]
Exact = Annotated[bool, typer.Option("--exact", help="Every byte of the file is part of the secret.")]
Algorithms = Annotated[
    str | None,
    typer.Option(
        "--alg",
        "--algorithms",
        metavar="LIST",
        help="The algorithms it may verify, such as `HS256`; without it, all that fit it. Needed for a text that could "
        "be something else than an HMAC secret.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="Read the token from a file (`-` is standard input)."),
]


def named_algorithms(text: str | None) -> tuple[str, ...] | None:
    """Return the algorithms that `--alg` names; None without the option."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


def reads_tables(command: Command) -> Command:
    """Give a *command* the options that select tables; they replace its parameter `connection`."""
    advising = _advise(_accept_escapes(command))
    return with_options(advising, "connection", {**_SHARED, **_JSON}, connection_of)


def reads_logs(command: Command) -> Command:
    """Give a *command* the options that select a stack and tables; they replace its parameter `connection`."""
    stack = _stack(
        "The deployed stack, for the logs of its functions. [env var: AUTH_JWT_STACK; default: the context's]"
    )
    return with_options(_advise(command), "connection", {**stack, **_SHARED, **_JSON}, connection_of)


def reads_stack(command: Command) -> Command:
    """Give a *command* the options that select a deployed stack; they replace its parameter `connection`."""
    stack = _stack("The name of the stack. [env var: AUTH_JWT_STACK; default: the context's, or auth-jwt]")
    options = {**stack, **{name: _SHARED[name] for name in _PLACE}, **_JSON}
    return with_options(_advise(command), "connection", options, connection_of)


def writes_tables(command: Command) -> Command:
    """Give a *command* the options that select tables and the audit file; they replace its parameter `connection`.

    It says first what it acts on. If the command fails or is interrupted, a warning tells what was written, or may
    have been. With `--dry-run` it only rehearses, unless it has such an option of its own.
    """
    reporting = _report_writes(_accept_escapes(command))
    options = {**_AUDIT, **_SHARED, **_JSON}
    if "dry_run" not in inspect.signature(command).parameters:
        reporting, options = _report_rehearsal(reporting), {**_DRY_RUN, **options}
    return with_options(_advise(_announce(reporting)), "connection", options, connection_of)


def writes_audit(command: Command) -> Command:
    """Give a *command* the options that select tables and the audit file; they replace its parameter `connection`.

    It is for one that writes a line of audit and no table: so there is nothing to rehearse, and no target to announce.
    """
    advising = _advise(_accept_escapes(command))
    return with_options(advising, "connection", {**_AUDIT, **_SHARED, **_JSON}, connection_of)


def writes_output(command: Command) -> Command:
    """Give a *command* the option `--json`; it replaces its parameter `output`."""
    return with_options(command, "output", _JSON, lambda as_json: Output(as_json=as_json))


def _announce(command: Command) -> Command:
    """Let a *command* say first what it acts on."""

    @functools.wraps(command)
    def run(*arguments: Any, connection: Connection, **values: Any) -> None:  # noqa: ANN401
        connection.announce()
        command(*arguments, connection=connection, **values)

    return run  # type: ignore[return-value]


def _advise(command: Command) -> Command:
    """Let a fault that ends a *command* say what to do next, with the names of its profile, region and account."""

    @functools.wraps(command)
    def run(*arguments: Any, connection: Connection, **values: Any) -> None:  # noqa: ANN401
        try:
            command(*arguments, connection=connection, **values)
        except Fault as fault:
            connection.advise(fault)
            raise

    return run  # type: ignore[return-value]


def _report_writes(command: Command) -> Command:
    """Let a *command* that fails after a write tell what was written."""

    @functools.wraps(command)
    def run(*arguments: Any, connection: Connection, **values: Any) -> None:  # noqa: ANN401
        try:
            command(*arguments, connection=connection, **values)
        except NotShown as problem:
            write = connection.last_write
            if write is None:
                raise
            reason = f"it could not be shown ({problem.reason})"
            fail(f"{_describe_write(write)}, but {reason}{_remedy(write, problem)}", UNSHOWN)
        except (AuthJwtError, KeyboardInterrupt):
            if connection.last_write is not None:
                connection.output.warn(_describe_write(connection.last_write))
            raise
        if not connection.is_audited:
            raise typer.Exit(UNSHOWN)

    return run  # type: ignore[return-value]


def _report_rehearsal(command: Command) -> Command:
    """Let a *command* that rehearses show what it would have written, in place of its result."""

    @functools.wraps(command)
    def run(*arguments: Any, connection: Connection, **values: Any) -> None:  # noqa: ANN401
        if not connection.rehearses:
            command(*arguments, connection=connection, **values)
            return
        output, connection.output = connection.output, Muted()
        ended: typer.Exit | None = None
        try:
            command(*arguments, connection=connection, **values)
        except typer.Exit as end:
            ended = end
        show_rehearsal(output, connection.rehearsal.changes)
        if ended is not None:
            raise ended

    return run  # type: ignore[return-value]


def _accept_escapes(command: Command) -> Command:
    """Give a *command* the option `--escaped`, if it names a row."""
    signature = inspect.signature(command)
    if "tag" not in signature.parameters:
        return command

    @functools.wraps(command)
    def run(*arguments: Any, escaped: bool, **values: Any) -> None:  # noqa: ANN401
        if escaped:
            values |= {name: _unescape(values[name]) for name in _ROWS if values.get(name) is not None}
        command(*arguments, **values)

    option = inspect.Parameter("escaped", inspect.Parameter.KEYWORD_ONLY, annotation=_ESCAPED, default=False)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def _unescape(text: str) -> str:
    try:
        value = json.loads(f'"{text}"', strict=False)
    except ValueError:
        value = None
    if not isinstance(value, str):
        raise Misused("with --escaped, TAG and ID are written like the content of a JSON string, without its quotes")
    return value


def _describe_write(write: AuditEntry) -> str:
    what = f"{write.action} of {write.tag!r}{'' if write.id is None else f', {write.id!r},'}"
    if write.outcome is WriteOutcome.UNKNOWN:
        return f"{what} may have been done, or not: check before you do it again"
    return f"{what} is done"


def _remedy(write: AuditEntry, problem: NotShown) -> str:
    if problem.lost is None:
        return ""
    close = "" if write.id is None else f", or close {write.id!r}"
    return f"; the {problem.lost} is lost: rotate again{close}"


def connection_of(
    as_json: bool,
    aws_profile: str | None,
    given: list[str] | None = None,
    rehearses: bool = False,
    **where: Any,  # noqa: ANN401
) -> Connection:
    """Return the connection that the options of a command select."""
    selected = Where(given=tuple(given or ()), profile=aws_profile, **where)
    return Connection(selected, Output(as_json=as_json), rehearses=rehearses)


def with_options(
    command: Command, name: str, options: dict[str, tuple[Any, object]], make: Callable[..., object]
) -> Command:
    """Replace the parameter *name* of a *command* by *options*; *make* makes its value from their values."""
    signature = inspect.signature(command)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != name]
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for option, (annotation, default) in options.items()
    ]

    @functools.wraps(command)
    def run(*arguments: Any, **values: Any) -> None:  # noqa: ANN401
        made = make(**{option: values.pop(option) for option in options})
        command(*arguments, **values, **{name: made})

    run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]

"""`auth-jwt audit`: who wrote what and when, by the command line, the admin API, rotation and refresh alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.log_options import LogGroup, Until
from auth_jwt_cli.options import reads_logs
from auth_jwt_cli.output import FAULT, Misused
from auth_jwt_cli.times import format_date, parse_since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auth_jwt_cli.logs.audit_trail import TrailEntry

_SINCE: Final = "7d"
_ROWS: Final = 500  # that are aligned together

AuditFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="An audit file instead of this machine's usual one (also `.gz`). May be repeated.",
    ),
]


@reads_logs
def audit(
    connection: Connection,
    since: Annotated[
        int,
        typer.Option("--since", parser=parse_since, metavar="TIME", help="Since when: `7d`, `2h`, or a time."),
    ] = _SINCE,  # type: ignore[assignment] # Typer parses the default, too
    until: Until = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Of this tag. May be repeated.")] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="TEXT", help="By whom: a part of the name or ARN.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="ACTION", help="What was done: `secret.rotate`, or `secret.*`.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="NAME", help="In this context, stack, account, region, function or table."),
    ] = None,
    file: AuditFile = None,
    log_group: LogGroup = None,
) -> None:
    """Show who wrote what and when: by this command line, the admin API, rotation and the refresh of keys alike.

    It reads this machine's audit file with its rotated files, and the logs of the stack that --stack names.
    Standard error says what was read and what was not. With --json, each line is one write.

    Exit code 0: everything that was asked was read; 4: something was not.

    Example: auth-jwt audit --since 7d --stack auth-jwt

    Example: auth-jwt audit --tag alice-web --action 'secret.*'
    """
    from auth_jwt_cli.listing import show_list
    from auth_jwt_cli.logs.audit_trail import TrailQuestion
    from auth_jwt_cli.logs.reading import read_trail

    if "" in (action, actor, where):
        raise Misused("--actor, --action or --where is empty; without it, all are shown")
    asked = TrailQuestion(since, until, tuple(tag) if tag else None, actor, action, where)
    entries, unread = read_trail(connection, asked, file, log_group)
    shown = [(entry.as_json(), _row(entry)) for entry in entries]
    pages = (shown[start : start + _ROWS] for start in range(0, len(shown), _ROWS))
    show_list(connection.output, ("TIME", "ACTION", "OUTCOME", "TAG", "ID", "ACTOR", "WHERE"), pages)
    if not entries and asked.tags:
        connection.output.note(f"No write that was read has the tag {' or '.join(map(repr, asked.tags))}.")
    if unread:
        raise typer.Exit(FAULT)


def _row(entry: "TrailEntry") -> tuple[object, ...]:
    return format_date(entry.at), entry.action, entry.outcome, entry.tag, entry.id, entry.actor, _place_of(entry.target)


def _place_of(target: "Mapping[str, Any]") -> str | None:
    """Return the shortest name of where a write went: a stand-in for DynamoDB has no account, but an endpoint."""
    tables = target.get("tables")
    names = (*(target.get(name) for name in ("context", "stack", "account", "endpoint")),)
    return next(
        (str(name) for name in names if name), ", ".join(map(str, tables)) if isinstance(tables, list) else None
    )

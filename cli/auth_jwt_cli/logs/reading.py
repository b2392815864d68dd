"""Reads what a command asks for: refusals from the logs of functions, and the audit trail from files and logs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auth_jwt.errors import Fault
from auth_jwt_cli.logs import audit_trail
from auth_jwt_cli.logs.audit_trail import TrailEntry, TrailQuestion
from auth_jwt_cli.logs.cloudwatch import CloudWatchLogs
from auth_jwt_cli.logs.groups import LogGroups, Unread, audit_groups, login_groups
from auth_jwt_cli.logs.lines import LogLine
from auth_jwt_cli.logs.refusals import (
    ReasonCount,
    RefusalQuestion,
    count_of,
    counts_query,
    deaths_query,
    in_order,
    newest_query,
    tags_query,
)
from auth_jwt_cli.output import Misused, message_of

if TYPE_CHECKING:
    from auth_jwt_cli.connection import Connection

MOST_TAGS: Final = 20
"""How many tags of a reason are named."""


def groups_to_read(connection: "Connection", named: list[str] | None) -> LogGroups:
    """Return the log groups to read: those that are *named*, those of the stack, or that of the chosen function.

    Raises:
        Misused: nothing says which.
        Fault: AWS does not say which.
    """
    found = LogGroups(tuple(named)) if named else login_groups(connection)
    if not found.names:
        raise Misused(
            "nothing says whose log to read: name the stack by --stack (or AUTH_JWT_STACK), the function by "
            "--function, a log group by --log-group, or a file by --log-file"
        )
    return found


def logs_of(connection: "Connection") -> CloudWatchLogs:
    """Return CloudWatch Logs in the account and region of the chosen tables."""
    return CloudWatchLogs(connection.aws, connection.region)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was found.

    Attributes:
        counts: how often, by reason.
        newest: the newest of them.
        tags: the tags that one reason hit most often, and how often; empty where no single reason was asked for.
    """

    counts: list[ReasonCount]
    newest: list[LogLine] = field(repr=False)
    tags: list[tuple[str, int]]


def read_refusals(logs: CloudWatchLogs, groups: LogGroups, asked: RefusalQuestion, newest: int) -> Refusals:
    """Count refusals by Logs Insights, and return the newest of them, too.

    Raises:
        Fault: Logs Insights cannot be used.
    """
    until = int(time.time()) + 1 if asked.until is None else asked.until

    def rows_of(query: str | None) -> list[dict[str, str]]:
        return [] if query is None else logs.query(groups.names, query, since=asked.since, until=until)

    counts = in_order(map(count_of, [*rows_of(counts_query(asked)), *rows_of(deaths_query(asked))]))
    if not counts or not newest:
        return Refusals(counts, [], [])
    tags = [(row["tag"], int(float(row["denials"]))) for row in rows_of(tags_query(asked, MOST_TAGS)) if "tag" in row]
    lines = logs.lines_of_query(groups.names, newest_query(asked, newest), since=asked.since, until=until)
    return Refusals(counts, [line for line in lines if asked.accepts(line)], tags)


def read_trail(
    connection: "Connection",
    asked: TrailQuestion,
    files: list[Path] | None,
    named: list[str] | None,
) -> tuple[list[TrailEntry], list[Unread]]:
    """Read the audit trail, tell what was read, and return what was asked for in the order of time.

    One source that cannot be read keeps nobody from the others.
    """
    found, unread = [], []
    for name, entries in _sources(connection, asked, files, named):
        if isinstance(entries, Unread):
            unread.append(entries)
            connection.output.warn(f"{name} was not read: {entries.why}")
            continue
        wanted = [entry for entry in entries if asked.accepts(entry)]
        connection.output.note(f"Read {name}: {len(wanted)} of {len(entries)} writes.")
        found += wanted
    return audit_trail.in_order(found), unread


def _sources(
    connection: "Connection",
    asked: TrailQuestion,
    files: list[Path] | None,
    named: list[str] | None,
) -> Iterator[tuple[str, list[TrailEntry] | Unread]]:
    """Yield each source with its writes, or with the reason why it could not be read."""
    for path in _files(connection, files):
        yield from _file_sources(path)
    groups, unread = _groups(connection, named)
    for each in unread:
        yield each.name, each
    for group in groups:
        try:
            lines = logs_of(connection).lines(group, audit_trail.PATTERN, since=asked.since, until=asked.until)
            yield group, list(audit_trail.entries_of_lines(lines, group))
        except Fault as fault:
            yield group, Unread(group, message_of(fault))


def _file_sources(path: Path) -> Iterator[tuple[str, list[TrailEntry] | Unread]]:
    try:
        entries, odd = audit_trail.entries_of_file(path)
    except Fault as fault:
        yield str(path), Unread(str(path), str(fault))
        return
    yield str(path), entries
    if odd:
        yield f"a part of {path}", Unread(str(path), f"{odd} of its lines are no lines of audit: look at them")


def _groups(connection: "Connection", named: list[str] | None) -> tuple[list[str], list[Unread]]:
    """Return the log groups to read, and what could not be asked for them."""
    groups, stack = list(named or ()), connection.where.stack
    if stack is None:
        if not groups:
            connection.output.note(
                "The logs of the admin API, rotation and refresh were not asked: name the stack by --stack "
                "(or AUTH_JWT_STACK)."
            )
        return groups, []
    try:
        own = audit_groups(connection)
    except Fault as fault:
        return groups, [Unread(f"the stack {stack}", message_of(fault))]
    if own.absent:
        connection.output.note(f"The stack has no {', no '.join(own.absent)}, so there is no log of that.")
    return [*groups, *own.names], []


def _files(connection: "Connection", files: list[Path] | None) -> list[Path]:
    """Return the audit files to read."""
    if files:
        return files
    usual = connection.audit_path
    if str(usual) == "-":
        connection.output.note("AUTH_JWT_AUDIT_LOG names standard error, so this machine keeps no audit file.")
        return []
    found = audit_trail.files_of(usual)
    if not found:
        connection.output.note(f"There is no audit file {usual}: nothing was written from here.")
    return found

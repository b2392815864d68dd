"""`auth-jwt refusals`: which tokens were denied, and which requests failed, since when, and what to do about it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.contexts import nearest
from auth_jwt_cli.log_options import LogFile, LogGroup, Until
from auth_jwt_cli.options import reads_logs
from auth_jwt_cli.output import FAULT, Misused, Part, details, table
from auth_jwt_cli.times import distance, format_instant, parse_since

if TYPE_CHECKING:
    from auth_jwt_cli.logs.lines import LogLine
    from auth_jwt_cli.logs.reading import Refusals
    from auth_jwt_cli.logs.refusals import RefusalQuestion

_PAUSE: Final = 2.0  # seconds between two looks of --tail
_SINCE: Final = "15m"

Since = Annotated[
    int,
    typer.Option(
        "--since", parser=parse_since, metavar="TIME", help="Since when: `15m`, `2h`, `7d`, or a time.",
    ),
]  # fmt: skip


@reads_logs
def refusals(
    connection: Connection,
    since: Since = _SINCE,  # type: ignore[assignment] # Typer parses the default, too
    until: Until = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="Of this SIP user: `alice` or `alice@example.org`.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Of this tag. May be repeated.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="REASON", help="For this reason only.")] = None,
    newest: Annotated[int, typer.Option("--newest", min=0, max=1000, help="How many of the newest to show.")] = 10,
    tail: Annotated[bool, typer.Option("--tail", help="Show each one as it comes, until Ctrl-C.")] = False,
    log_group: LogGroup = None,
    log_file: LogFile = None,
) -> None:
    """Show why tokens were denied and requests failed: reasons, counts, since when, and what to do about each.

    It reads the log of the function that --function names, or of both functions of the stack that --stack names. With
    --tail, --json writes JSON Lines.

    Exit code 0: everything that was asked was read; 4: something was not, and standard error says what.

    Example: auth-jwt refusals --since 15m --stack auth-jwt

    Example: auth-jwt refusals --user alice --since 2h

    Example: auth-jwt refusals --tail --reason bad_signature

    Example: auth-jwt refusals --log-file build/serve.log
    """
    from auth_jwt_cli.logs.refusals import RefusalQuestion

    if reason is not None:
        _check_reason(reason)
    if log_file is not None and (connection.asked.stack or log_group):
        raise Misused("--log-file is another log than that of --stack or --log-group: one is enough")
    if tail and until is not None:
        raise Misused("--tail has no end, so it does not go with --until")
    asked = RefusalQuestion(since, until, _tags(connection, user, tag), reason)
    if tail:
        _follow(connection, asked, log_file, log_group)
    elif log_file is not None:
        _show_file(connection, asked, log_file, newest)
    else:
        _show_cloudwatch(connection, asked, newest, log_group)


def _check_reason(reason: str) -> None:
    from auth_jwt.provisioning.advice import FOR_DENIALS, FOR_FAULTS

    known = [str(name) for name in (*FOR_DENIALS, *FOR_FAULTS)]
    if reason not in known:
        begins = [name for name in known if name.startswith(reason)]
        if begins and reason:
            meant = f". Did you mean {' or '.join(map(repr, begins))}?"
        else:
            meant = nearest(reason, known) or ": docs/operations.md lists them"
        raise Misused(f"there is no such reason of a denial or a fault{meant}")


def _tags(connection: Connection, user: str | None, tags: list[str] | None) -> tuple[str, ...] | None:
    """Return the tags that the options name; None for everybody's."""
    if user is None:
        return tuple(tags) if tags else None
    from auth_jwt_cli.people import at_stack, profiles_of

    found = profiles_of(at_stack(connection), user)
    return (*(profile.tag for profile in found), *(tags or ()))


def _show_cloudwatch(connection: Connection, asked: "RefusalQuestion", newest: int, named: list[str] | None) -> None:
    from auth_jwt_cli.logs.reading import groups_to_read, logs_of, read_refusals

    groups = groups_to_read(connection, named)
    logs = logs_of(connection)
    found = read_refusals(logs, groups, asked, newest)
    for unread in groups.unread:
        connection.output.warn(f"the log of {unread.name} was not read: {unread.why}")
    _show(connection, asked, list(groups.names), found, unread=[each.name for each in groups.unread])
    if logs.scanned_bytes:
        connection.output.note(f"Logs Insights scanned {logs.scanned_bytes / 1e6:,.1f} MB.")
    if groups.unread:
        raise typer.Exit(FAULT)


def _show_file(connection: Connection, asked: "RefusalQuestion", file: Path, newest: int) -> None:
    from auth_jwt_cli.logs.files import lines_of_file
    from auth_jwt_cli.logs.reading import MOST_TAGS, Refusals
    from auth_jwt_cli.logs.refusals import Tally, tags_query

    tally = Tally(newest)
    for line in lines_of_file(file):
        if asked.accepts(line):
            tally.add(line)
    tags = [] if tags_query(asked, MOST_TAGS) is None else tally.tags(MOST_TAGS)
    _show(connection, asked, [str(file)], Refusals(tally.counts(), tally.newest() if newest else [], tags))


def _show(
    connection: Connection,
    asked: "RefusalQuestion",
    sources: list[str],
    found: "Refusals",
    unread: list[str] | None = None,
) -> None:
    import time

    from auth_jwt_cli.logs.refusals import refusal_json

    document = {
        "since": asked.since,
        "until": asked.until,
        "sources": sources,
        "unread": unread or [],
        "counts": [count.as_json() for count in found.counts],
        "tags": [{"tag": tag, "times": times} for tag, times in found.tags],
        "newest": [refusal_json(line) for line in found.newest],
    }
    connection.output.show(document, *describe_refusals(found))
    if not found.counts:
        since = format_instant(asked.since, time.time())
        of_tags = f" of {' or '.join(map(repr, asked.tags))}" if asked.tags else ""
        connection.output.note(f"No refusals{of_tags} since {since} in {', '.join(sources)}.")


def describe_refusals(found: "Refusals") -> Iterator[Part]:
    """Yield refusals for people: counts, what to do about each reason, and the newest."""
    import time

    now, counts = time.time(), found.counts
    if not counts:
        return
    rows = [
        (each.outcome, each.reason, each.times, each.tags, _ago(each.first, now), _ago(each.last, now))
        for each in counts
    ]
    yield table(("OUTCOME", "REASON", "TIMES", "TAGS", "FIRST", "LAST"), rows)
    advice = {str(count.reason): f"{count.advice}" for count in counts if count.advice is not None}
    if advice:
        yield "\nWhat to do:"
        yield details(advice)
    if found.tags:
        yield "\nWhom it hits:"
        yield table(("TAG", "TIMES"), found.tags)
    if found.newest:
        yield "\nThe newest:"
        yield table(
            ("TIME", "REASON", "TAG", "CALL OR REQUEST"),
            [(_ago(line.at, now), line.text("reason"), line.text("tag"), _name_of(line)) for line in found.newest],
        )


def _ago(at: float | None, now: float) -> str:
    return "-" if at is None else distance(min(at - now, 0))


def _name_of(line: "LogLine") -> str | None:
    return line.text("call_id") or line.text("request_id")


# -- following --------------------------------------------------------------------------------------------------------


def _follow(connection: Connection, asked: "RefusalQuestion", file: Path | None, named: list[str] | None) -> None:
    """Show refusals as they come. Ctrl-C is the usual end, so it ends well."""
    from auth_jwt_cli.logs.refusals import Tally
    from auth_jwt_cli.output import pluralize

    tally = Tally(0)
    told: set[Any] = set()
    try:
        for line in _stream(connection, asked, file, named):
            if asked.accepts(line):
                tally.add(line)
                _show_line(connection, line, told)
    except KeyboardInterrupt:
        pass
    counts = tally.counts()
    summary = ", ".join(f"{count.reason} {count.times}" for count in counts) or "none"
    connection.output.note(f"{pluralize(sum(count.times for count in counts), 'refusal')}: {summary}.")


def _stream(
    connection: Connection, asked: "RefusalQuestion", file: Path | None, named: list[str] | None
) -> "Iterator[LogLine]":
    if file is not None:
        from auth_jwt_cli.logs.files import follow_file

        yield from follow_file(file)
        return
    from auth_jwt_cli.logs.reading import groups_to_read, logs_of
    from auth_jwt_cli.logs.refusals import filter_pattern

    groups = groups_to_read(connection, named)
    for unread in groups.unread:
        connection.output.warn(f"the log of {unread.name} is not followed: {unread.why}")
    connection.output.note(f"Following {', '.join(groups.names)}. Ctrl-C ends it.")
    yield from logs_of(connection).follow(
        groups.names,
        filter_pattern(asked),
        since=asked.since,
        pause=_PAUSE,
        tell=lambda failed: connection.output.warn(f"{failed}; it goes on"),
    )


def _show_line(connection: Connection, line: "LogLine", told: set[Any]) -> None:
    import time

    from auth_jwt.provisioning.advice import advice_about
    from auth_jwt_cli.logs.refusals import refusal_json
    from auth_jwt_cli.output import render_cell

    reason = line.text("reason")
    now = time.time()
    at = "-" if line.at is None else format_instant(line.at, now).partition(" (")[0]
    shown = (at, line.record["outcome"], reason, line.text("tag"), _name_of(line))
    connection.output.show(refusal_json(line), "  ".join(render_cell(cell) for cell in shown))
    advice = None if reason is None or reason in told else advice_about(reason)
    told.add(reason)
    if advice is not None and not connection.output.as_json:
        connection.output.note(f"{reason}: {advice}.")

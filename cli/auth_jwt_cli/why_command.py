"""`auth-jwt why`: why a SIP user is refused, by everything that can be read, and what to do next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.log_options import LogFile, LogGroup
from auth_jwt_cli.options import TokenFile, reads_logs
from auth_jwt_cli.output import FAULT, REFUSED, Misused, marked, message_of, prose
from auth_jwt_cli.times import parse_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from auth_jwt.provisioning.explanation import Explanation
    from auth_jwt.provisioning.profiles import ProfileRecord
    from auth_jwt_cli.diagnosis import KnownUser
    from auth_jwt_cli.logs.audit_trail import TrailEntry
    from auth_jwt_cli.logs.refusals import ReasonCount

_T = TypeVar("_T")

_SINCE: Final = "1h"
_AUDIT_DAYS: Final = 7


@reads_logs
def why(
    connection: Connection,
    user: Annotated[
        str | None,
        typer.Argument(metavar="USER", help="The SIP user: `alice`, `alice@example.org`, or either with `sip:`."),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="The tag, if you know it.")] = None,
    token_file: TokenFile = None,
    since: Annotated[
        int,
        typer.Option(
            "--since", parser=parse_since, metavar="TIME", help="Look at the log since then: `1h`, or a time."
        ),
    ] = _SINCE,  # type: ignore[assignment] # Typer parses the default, too
    log_group: LogGroup = None,
    log_file: LogFile = None,
) -> None:
    """Say why a SIP user is refused, by tables, log, audit and a token, and what to do next.

    It looks at profiles, secrets, revocations, the requests in the log, the writes in the audit, and with --token-file
    at a token of the user. It names what it may not read, and judges the rest.

    Exit code 0: nothing refuses the user; 1: something does, and the last line says what to do; 4: not all that was
    asked could be read.

    Example: auth-jwt why alice@example.org --stack auth-jwt

    Example: auth-jwt why alice --token-file token.txt --since 2h

    Example: auth-jwt why --tag alice-web
    """
    import time

    from auth_jwt_cli.diagnosis import KnownUser, conclude
    from auth_jwt_cli.people import at_stack

    if (user is None) == (tag is None):
        raise Misused("name the SIP user, or the tag by --tag")
    if token_file is not None and log_file is not None and str(token_file) == str(log_file) == "-":
        raise Misused("standard input is the token or the log, not both")
    tables = at_stack(connection)
    reading = tables.reading
    keeps_revocations = reading.registry.store.keeps_revocations
    profiles = _profiles(tables, user, tag)
    tags = tuple(profile.tag for profile in profiles)
    unread: list[str] = []
    known = KnownUser(
        name=user or tag or "",
        now=time.time(),
        since=since,
        profiles=profiles,
        secrets=_by_tag(tables, tags, "secrets", reading.secrets.list, unread),
        revoked=_by_tag(tables, tags, "revocations", reading.revocations.page, unread) if keeps_revocations else None,
        counts=_counts(connection, since, tags, log_group, log_file, unread),
        writes=_writes(connection, tags, unread),
        explanation=_explanation(tables, token_file),
    )
    _show(connection, known, unread)
    if unread:
        raise typer.Exit(FAULT)
    if conclude(known).is_refusal:
        raise typer.Exit(REFUSED)


def _profiles(connection: Connection, user: str | None, tag: str | None) -> "tuple[ProfileRecord, ...]":
    from auth_jwt_cli.people import profiles_of

    if user is not None:
        return tuple(profiles_of(connection, user))
    return (connection.reading.profiles.show(tag or ""),)


def _by_tag(
    connection: Connection, tags: tuple[str, ...], what: str, read: "Callable[[str], _T]", unread: list[str]
) -> "dict[str, _T | None]":
    """Return what *read* gives for each tag with rows of its own; None where it could not be read, which is told."""
    from auth_jwt.errors import Fault
    from auth_jwt.issuers.models import issuer_of_user

    found: dict[str, _T | None] = {}
    for tag in tags:
        if issuer_of_user(tag):
            continue
        try:
            found[tag] = read(tag)
        except Fault as fault:
            found[tag] = None
            if what not in unread:
                connection.advise(fault)
                connection.output.warn(f"the {what} were not read: {message_of(fault)}")
                unread.append(what)
    return found


def _counts(
    connection: Connection,
    since: int,
    tags: tuple[str, ...],
    named: list[str] | None,
    file: Path | None,
    unread: list[str],
) -> "tuple[ReasonCount, ...] | None":
    """Return how the user's requests ended; None if the log was not read, which is told."""
    from auth_jwt.errors import Fault
    from auth_jwt_cli.logs.files import lines_of_file
    from auth_jwt_cli.logs.reading import groups_to_read, logs_of, read_refusals
    from auth_jwt_cli.logs.refusals import RefusalQuestion, Tally

    asked = RefusalQuestion(since, tags=tags, outcomes=None)
    try:
        if file is not None:
            tally = Tally(0)
            for line in lines_of_file(file):
                if asked.accepts(line):
                    tally.add(line)
            return tuple(tally.counts())
        groups = groups_to_read(connection, named)
        counts = read_refusals(logs_of(connection), groups, asked, 0).counts
    except Misused as unnamed:
        connection.output.note(f"The log was not read: {unnamed}.")
        return None
    except Fault as fault:
        connection.output.warn(f"the log was not read: {message_of(fault)}")
        unread.append("log")
        return None
    for hidden in groups.unread:
        connection.output.warn(f"the log of {hidden.name} was not read: {hidden.why}")
        unread.append(hidden.name)
    return tuple(counts)


def _writes(connection: Connection, tags: tuple[str, ...], unread: list[str]) -> "tuple[TrailEntry, ...]":
    import time

    from auth_jwt_cli.logs.audit_trail import TrailQuestion
    from auth_jwt_cli.logs.reading import read_trail

    asked = TrailQuestion(int(time.time()) - _AUDIT_DAYS * 86400, tags=tags)
    found, hidden = read_trail(connection, asked, None, None)
    unread += [each.name for each in hidden]
    return tuple(found)


def _explanation(connection: Connection, token_file: Path | None) -> "Explanation | None":
    if token_file is None:
        return None
    from auth_jwt.provisioning.pasted import read_pasted
    from auth_jwt_cli.inputs import token_text
    from auth_jwt_cli.token_commands import explanation_of, tell_of_removed

    pasted = read_pasted(token_text(token_file))
    tell_of_removed(pasted, connection.output)
    return explanation_of(pasted.token, connection, connection.reading.registry.clock())


def _show(connection: Connection, known: "KnownUser", unread: list[str]) -> None:
    from auth_jwt_cli.diagnosis import conclude, lines_about
    from auth_jwt_cli.doctor_command import MARKS

    lines, conclusion = list(lines_about(known)), conclude(known)
    document = {
        "user": known.name,
        "tags": [profile.tag for profile in known.profiles],
        "lines": [
            {"verdict": line.verdict, "about": line.about, "text": line.text, "remedy": line.remedy} for line in lines
        ],
        "conclusion": conclusion.text,
        "next": conclusion.remedy,
        "unread": unread,
    }
    rows = [
        (MARKS[line.verdict], line.about, f"{line.text}. Next: {line.remedy}." if line.remedy else line.text)
        for line in lines
    ]
    connection.output.show(
        document, marked(rows), "", prose(f"{conclusion.text}."), prose(f"Next: {conclusion.remedy}.")
    )

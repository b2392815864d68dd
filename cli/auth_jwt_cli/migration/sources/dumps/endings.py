"""Checks that everything that a dump begins also ends. This shows whether the dump is complete."""

import re
from dataclasses import dataclass
from typing import Final

from auth_jwt_cli.migration.sources import Gap
from auth_jwt_cli.migration.sources.dumps.dialects import MYSQL, POSTGRESQL, SQLITE, Dialect, Session

_MOST_GAPS: Final = 20


class Gaps:
    """The parts that a dump lacks or may lack: the first few, and the number of all."""

    def __init__(self) -> None:
        self._found: list[Gap] = []
        self._more = 0

    def add(self, line: int, why: str) -> None:
        """Note one more gap."""
        if len(self._found) < _MOST_GAPS:
            self._found.append(Gap(why, f"line {line}"))
        else:
            self._more += 1

    def all(self) -> list[Gap]:
        """Return the first gaps, and one that counts the others."""
        return [*self._found, *([Gap(f"and {self._more} more of this kind")] if self._more else [])]


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program that writes dumps.

    Attributes:
        name: the program's name.
        head: the comment at the beginning of its dumps.
        dialects: the dialects that it writes.
        foot: the comment at the end of its dumps. None when there is none.
        last: the comment at the end, for people.
    """

    name: str
    head: re.Pattern[bytes]
    dialects: frozenset[Dialect]
    foot: re.Pattern[bytes] | None = None
    last: str = ""


_TOOLS: Final = (
    _Tool(
        "mysqldump",
        re.compile(rb"-- (?:MySQL|MariaDB) dump [0-9]"),
        MYSQL,
        re.compile(rb"-- Dump completed"),
        "-- Dump completed",
    ),
    _Tool(
        "mysqlpump",
        re.compile(rb"-- Dump created by MySQL pump utility"),
        MYSQL,
        re.compile(rb"-- Dump end time"),
        "-- Dump end time",
    ),
    _Tool(
        "pg_dump",
        re.compile(rb"-- PostgreSQL database dump\s*\Z"),
        POSTGRESQL,
        re.compile(rb"-- PostgreSQL database dump complete\s*\Z"),
        "-- PostgreSQL database dump complete",
    ),
    _Tool(
        "pg_dumpall",
        re.compile(rb"-- PostgreSQL database cluster dump\s*\Z"),
        POSTGRESQL,
        re.compile(rb"-- PostgreSQL database cluster dump complete\s*\Z"),
        "-- PostgreSQL database cluster dump complete",
    ),
    _Tool("phpMyAdmin", re.compile(rb"-- phpMyAdmin SQL Dump"), MYSQL),
    *(
        _Tool(
            "Adminer",
            re.compile(rb"-- Adminer [0-9]\S* %b .*dump" % name),
            dialects,
            re.compile(rb"-- [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"),
            "-- with the time",
        )
        for name, dialects in ((b"(?:MySQL|MariaDB)", MYSQL), (b"PostgreSQL", POSTGRESQL), (b"SQLite", SQLITE))
    ),
)
_FAILED: Final = re.compile(rb"/\*{2,} (?:CORRUPTION )?ERROR\b")  # `.dump` of sqlite3 writes this, and continues


@dataclass(frozen=True, slots=True)
class _Promise:
    """An expected end: the line of its beginning, and the words for both."""

    line: int
    begun: str
    end: str


class Endings:
    """Tracks what has begun and not ended yet.

    Args:
        session: learns the dialects from the comment at the beginning of a dump.
        gaps: collects whatever never ends.
    """

    def __init__(self, session: Session, gaps: Gaps) -> None:
        self._session = session
        self._gaps = gaps
        self._open: dict[str, _Promise] = {}

    def begin(self, key: str, line: int, begun: str, end: str) -> None:
        """Expect an *end* for what has *begun* in this line."""
        self._open[key] = _Promise(line, begun, end)

    def end(self, key: str) -> None:
        """Note the expected end."""
        self._open.pop(key, None)

    def comment(self, text: bytes, line: int) -> None:
        """Note whether a comment begins or ends a dump."""
        for tool in _TOOLS:
            if tool.head.match(text):
                self._begin_dump(tool, line)
            elif tool.foot is not None and tool.name in self._open and tool.foot.match(text):
                self.end(tool.name)
        if _FAILED.match(text):
            self._gaps.add(line, "the program that wrote the dump reports an error there")

    def close(self) -> None:
        """Add a gap for everything that has not ended."""
        for promise in self._open.values():
            self._gaps.add(promise.line, f"{promise.begun}, and {promise.end} is missing")
        self._open.clear()

    def _begin_dump(self, tool: _Tool, line: int) -> None:
        if self._session.given is None and self._session.dialects.isdisjoint(tool.dialects):
            raise self._session.mixed(f"the beginning of a dump by {tool.name}", line)
        if tool.name in self._open:
            self._gaps.add(line, f"a dump by {tool.name} begins there before the previous one has ended")
        self._session.narrow(tool.dialects, f"the first line of {tool.name}", line)
        if tool.foot is not None:
            self.begin(tool.name, line, f"a dump by {tool.name} begins there", f"its last line, `{tool.last}`,")

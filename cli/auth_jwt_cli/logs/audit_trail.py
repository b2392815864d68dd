"""The audit trail: lines of audit of the command line and of functions alike, in one order of time."""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Final

from auth_jwt.errors import Fault
from auth_jwt_cli.logs.lines import LogLine, read_line

PATTERN: Final = '{ $.audit = "*" }'
"""The pattern of FilterLogEvents for lines of audit."""

_NAMED: Final = ("audit", "outcome", "actor", "tag", "id", "at", "target")


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """A write of the past.

    Attributes:
        at: when, in UNIX seconds.
        action: the operation, such as `secret.rotate`.
        outcome: how it ended: `done`, or one that says that it may not have happened.
        actor: who.
        tag: whose rows.
        id: which row.
        target: where; empty for lines of releases that did not write it.
        details: what else the line says.
        source: the file or log group that holds it.
    """

    at: float
    action: str
    outcome: str
    actor: str
    tag: str
    id: str | None
    target: Mapping[str, Any]
    details: Mapping[str, Any] = field(repr=False)
    source: str = ""

    @classmethod
    def of_line(cls, line: LogLine, source: str) -> "TrailEntry | None":
        """Read a line of audit; None if the *line* is another."""
        record = line.record
        action, tag, at = record.get("audit"), record.get("tag"), record.get("at")
        if not isinstance(action, str) or not isinstance(tag, str) or not isinstance(at, int | float):
            return None
        target = record.get("target")
        return cls(
            at=float(at),
            action=action,
            outcome=str(record.get("outcome", "done")),
            actor=str(record.get("actor", "")),
            tag=tag,
            id=line.text("id"),
            target=target if isinstance(target, dict) else {},
            details={name: value for name, value in record.items() if name not in _NAMED},
            source=source,
        )

    @property
    def places(self) -> tuple[object, ...]:
        """All words that say where it was."""
        return tuple(
            place for value in self.target.values() for place in (value if isinstance(value, list) else [value])
        )

    def as_json(self) -> dict[str, Any]:
        """Return its members, those of the line and its source."""
        return {
            "at": self.at, "audit": self.action, "outcome": self.outcome, "actor": self.actor, "tag": self.tag,
            "id": self.id, "target": dict(self.target), "details": dict(self.details), "source": self.source,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrailQuestion:
    """Which writes are asked for.

    Attributes:
        since: the first UNIX second.
        until: the second after the last; None for no end.
        tags: to whose rows; None for everybody's.
        actor: a part of who wrote, in any case; None for everybody.
        action: which operation, with `*` for any text: `secret.*`; None for all.
        where: a context, stack, account, region, function or table that was written to; None for all.
    """

    since: int
    until: int | None = None
    tags: tuple[str, ...] | None = None
    actor: str | None = None
    action: str | None = None
    where: str | None = None

    def accepts(self, entry: TrailEntry) -> bool:
        """Tell whether an *entry* is such a write. One user of an issuer has a tag that begins with the issuer's."""
        return (
            self.since <= entry.at
            and (self.until is None or entry.at < self.until)
            and (self.tags is None or entry.tag in self.tags or entry.details.get("new_tag") in self.tags)
            and (self.actor is None or self.actor.lower() in entry.actor.lower())
            and (self.action is None or fnmatchcase(entry.action, self.action))
            and (self.where is None or self.where in entry.places)
        )


def in_order(entries: Iterable[TrailEntry]) -> list[TrailEntry]:
    """Return *entries* in the order of time, the oldest first."""
    return sorted(entries, key=lambda entry: entry.at)


def entries_of_lines(lines: Iterable[LogLine], source: str) -> Iterator[TrailEntry]:
    """Yield the writes that *lines* tell of."""
    for line in lines:
        entry = TrailEntry.of_line(line, source)
        if entry is not None:
            yield entry


def files_of(path: Path) -> list[Path]:
    """Return an audit file and its rotated files: `audit.log.1`, `audit.log-20261101.gz`."""
    older = [each for mark in (".", "-") for each in path.parent.glob(f"{path.name}{mark}*") if each.is_file()]
    return [*sorted(older), *([path] if path.is_file() else [])]


def entries_of_file(path: Path) -> tuple[list[TrailEntry], int]:
    """Return the writes that an audit file tells of, and how many of its lines cannot be read.

    Raises:
        Fault: the file cannot be read.
    """
    found, odd = [], 0
    try:
        with _open(path) as file:
            for text in file:
                line = read_line(text)
                entry = None if line is None else TrailEntry.of_line(line, str(path))
                if entry is not None:
                    found.append(entry)
                elif text.strip():
                    odd += 1
    except (OSError, EOFError, zlib.error) as error:
        raise Fault(f"the audit file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return found, odd


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")

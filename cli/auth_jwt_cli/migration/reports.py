"""Reports what became of rows: counts and examples for people and machines, and a file with every row of note.

Memory does not grow with the number of rows. Reports hold rules, tags, ids and names of columns, never the value of a
column.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.findings import RULES, Finding, Severity
from auth_jwt_cli.migration.progress import Progress
from auth_jwt_cli.migration.sources import Gap, SourceError, SourceReading
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from auth_jwt_cli.migration.writing import RowOutcome, Taken
from auth_jwt_cli.output import warn
from auth_jwt_cli.private_files import open_to_replace

EXAMPLES: Final = 10
"""How many rows of a kind are shown. The report file has all."""

_READ: Final = "read"
_TOLD_EVERY: Final = 100
_WRITES: Final = (RowOutcome.WRITTEN, RowOutcome.OVERWRITTEN, RowOutcome.UNKNOWN)


class ReportFile:
    """A file of JSON lines: one for each row of note, and a last one for the whole run.

    Args:
        path: the file's path. Only its owner may read it. None means that nothing is written.

    Raises:
        SourceError: the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            try:
                self._file = os.fdopen(open_to_replace(path, tell=warn), "w", encoding="utf-8")
            except OSError as error:
                raise SourceError(f"the report {path} cannot be written: {error.strerror}") from None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def line(self, members: Mapping[str, object]) -> None:
        """Write a line."""
        if self._file is not None:
            self._file.write(json.dumps(members) + "\n")


@dataclass(slots=True)
class FindingCounts:
    """Findings by rule: their number, and the first few as examples."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count one more *finding*."""
        self.counts[finding.rule.id] += 1
        shown = self.examples.setdefault(finding.rule.id, [])
        if len(shown) < EXAMPLES:
            shown.append(finding)

    def rules(self) -> list[str]:
        """Return the ids of the rules found, the worst first, then in the order of the documentation."""
        order = list(Severity)
        ids = list(RULES)
        return sorted(self.counts, key=lambda rule: (order.index(RULES[rule].severity), ids.index(rule)))

    def of(self, severity: Severity) -> int:
        """Return how many findings have this *severity*."""
        return sum(count for rule, count in self.counts.items() if RULES[rule].severity is severity)

    def as_json(self) -> dict[str, int]:
        """Return the counts by rule."""
        return {rule: self.counts[rule] for rule in self.rules()}


class ImportRecord:
    """Records what became of an import's rows. It is the import's `Recorder`.

    Args:
        report: the file for every row of note.
        progress: shows the progress.
        audit: gets an entry for each row written. None writes no audit.
        actor: who runs the import, for the audit.
        clock: UNIX seconds.
    """

    def __init__(
        self,
        report: ReportFile,
        progress: Progress,
        *,
        audit: Callable[[AuditEntry], None] | None,
        actor: str,
        clock: Callable[[], float],
    ) -> None:
        self._report = report
        self._progress = progress
        self._audit = audit
        self._actor = actor
        self._clock = clock
        self._fraction: float | None = None
        self._looked_at = 0
        self.counts: dict[Table, Counter[str]] = {}
        self.refusals = FindingCounts()
        self.flags = FindingCounts()
        self.different: list[Taken] = []
        self.kept = 0

    def looked_at(self, fraction: float | None) -> None:
        """See `Recorder`."""
        self._looked_at += 1
        if self._looked_at % _TOLD_EVERY == 1:
            self._progress.update(fraction, f"{self._looked_at} rows looked at")

    def read(self, table: Table, fraction: float | None) -> None:
        """See `Recorder`."""
        self._count(table, _READ)
        self._fraction = fraction
        if self.total(_READ) % _TOLD_EVERY == 1:
            self._show()

    def refused(self, finding: Finding) -> None:
        """See `Recorder`."""
        self._count(finding.table, RowOutcome.REFUSED)
        self.refusals.add(finding)
        self._report.line({"outcome": RowOutcome.REFUSED.value, **finding.as_json()})

    def flagged(self, finding: Finding) -> None:
        """See `Recorder`."""
        self.flags.add(finding)
        self._report.line({"outcome": "flagged", **finding.as_json()})

    def repeated(self, key: Key) -> None:
        """See `Recorder`."""
        self._count(key.table, RowOutcome.REPEATED)
        self._report.line({"outcome": RowOutcome.REPEATED.value, **_members(key)})

    def taken(self, row: Taken) -> None:
        """See `Recorder`."""
        self._count(row.key.table, row.outcome)
        self.kept += row.outcome is RowOutcome.OVERWRITTEN and bool(row.kept)
        if row.outcome is RowOutcome.DIFFERENT and len(self.different) < EXAMPLES:
            self.different.append(row)
        if row.outcome in (RowOutcome.DIFFERENT, RowOutcome.OVERWRITTEN, RowOutcome.UNKNOWN):
            differing = {"columns": list(row.columns)} if row.columns else {}
            self._report.line({"outcome": row.outcome.value, **_members(row.key), **differing})
        if self._audit is not None and row.outcome in _WRITES:
            self._audit(self._entry(row))
        self._show()

    @property
    def has_begun(self) -> bool:
        """Whether a row was read to be written."""
        return self.total(_READ) > 0

    @property
    def is_alike(self) -> bool:
        """Whether the table now holds every imported row as the source has it."""
        return not self.total(RowOutcome.DIFFERENT) and not self.kept

    def total(self, outcome: str) -> int:
        """Return how many rows of both tables have this *outcome*."""
        return sum(counts[outcome] for counts in self.counts.values())

    def _entry(self, row: Taken) -> AuditEntry:
        outcome = WriteOutcome.UNKNOWN if row.outcome is RowOutcome.UNKNOWN else WriteOutcome.DONE
        what = "profile" if row.key.table is Table.PROFILES else "secret"
        written = [name for name in row.columns if name not in row.kept]
        details = {"columns": written} if written else {}
        return AuditEntry(int(self._clock()), self._actor, f"{what}.import", row.key.tag, row.key.id, outcome, details)

    def _count(self, table: Table, what: str) -> None:
        self.counts.setdefault(table, Counter())[str(what)] += 1

    def _show(self) -> None:
        read, written = self.total(_READ), self.total(RowOutcome.WRITTEN) + self.total(RowOutcome.OVERWRITTEN)
        self._progress.update(self._fraction, f"{read} rows read, {written} written")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """The result of an import, for people and for machines.

    Attributes:
        record: what became of the rows.
        source: the name of the source.
        tables: the tables that were wanted.
        reading: how the source was read, if there are several ways.
        gaps: why rows of the source may be missing.
        dry_run: whether nothing was written on purpose.
        interrupted: whether somebody interrupted the import.
        problem: the error that ended the import, if any.
        stopped: whether gaps or secrets in doubt kept the import from starting.
        seconds: how long it took.
        pauses: how often it waited for the tables.
    """

    record: ImportRecord
    source: str
    tables: tuple[Table, ...]
    reading: SourceReading | None
    gaps: Sequence[Gap]
    dry_run: bool
    interrupted: bool
    problem: str | None
    stopped: bool
    seconds: float
    pauses: int

    @property
    def is_complete(self) -> bool:
        """Whether the tables hold every row of the source, or would hold it without the dry run."""
        ended = self.interrupted or self.problem is not None
        return not ended and not self.gaps and not self.record.total(RowOutcome.REFUSED) and self.record.is_alike

    @property
    def outcome(self) -> WriteOutcome:
        """The outcome of the whole import in the audit."""
        if self.stopped:
            return WriteOutcome.STOPPED
        return WriteOutcome.FAILED if self.interrupted or self.problem is not None else WriteOutcome.DONE

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return {
            "source": self.source,
            "reading": None if self.reading is None else self.reading.as_json(),
            "incomplete": [gap.as_json() for gap in self.gaps],
            "dry_run": self.dry_run,
            "complete": self.is_complete,
            "interrupted": self.interrupted,
            "problem": self.problem,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 1),
            "pauses": self.pauses,
            "tables": {table.value: self._counts(table) for table in self.record.counts},
            "refused": self.record.refusals.as_json(),
            "flagged": self.record.flags.as_json(),
        }

    def lines(self) -> Iterable[str]:
        """Give the summary as lines of text."""
        record = self.record
        yield from describe_reading(self.reading)
        for table in record.counts:
            counts = self._counts(table)
            parts = [f"{number} {self._word(what)}" for what, number in counts.items() if number or what == _READ]
            yield f"{table.value}: {', '.join(parts)}"
        yield from _describe_counts("Refused", record.refusals)
        if record.total(RowOutcome.DIFFERENT):
            yield ""
            yield f"Different in the table, and not changed: {record.total(RowOutcome.DIFFERENT)}"
            yield "  --overwrite writes the source's values, except those that would undo a closing or a revocation."
            for row in record.different:
                yield f"  {_place(row.key.table, row.key.tag, row.key.id)}: {', '.join(row.columns)}"
            yield from _more(record.total(RowOutcome.DIFFERENT), len(record.different))
        yield from _describe_counts("Imported, but check these", record.flags)
        yield from describe_gaps(self.gaps)
        yield ""
        yield self._last_line()

    def _last_line(self) -> str:
        took = f"{self.seconds:.1f} s" + (f", {self.pauses} pauses for the tables" if self.pauses else "")
        if self.interrupted:
            return f"Interrupted after {took}. Run the same command again: it continues where this one ended."
        if self.problem is not None:
            return f"Ended after {took}. What was written stays; run the same command again."
        if self.stopped and self.gaps:
            return (
                f"Stopped after {took}, and nothing was written: rows may be missing, see above. Make the export again,"
                " or import the rows that are there with --accept-incomplete."
            )
        if self.stopped:
            return (
                f"Stopped after {took}, and nothing was written: nobody can tell what the secrets above are."
                " If they are HMAC secrets, say --hmac. To leave them out, say --skip-in-doubt."
            )
        if self.dry_run:
            return f"A dry run: nothing was written. It took {took}."
        if self.is_complete:
            hold = "The tables hold" if len(self.tables) > 1 else f"The table of {self.tables[0].value} holds"
            return f"{hold} every row of {self.source}. It took {took}."
        if self.gaps:
            return f"Done, but rows of {self.source} may be missing, see above. It took {took}."
        return f"Done, but not all rows of {self.source} are in the tables. It took {took}."

    def _counts(self, table: Table) -> dict[str, int]:
        counts = self.record.counts[table]
        return {what: counts[what] for what in (_READ, *(str(outcome) for outcome in RowOutcome))}

    def _word(self, what: str) -> str:
        if self.dry_run and what in (RowOutcome.WRITTEN, RowOutcome.OVERWRITTEN):
            return f"would be {what}"
        return "perhaps written" if what == RowOutcome.UNKNOWN else what


def describe_findings(counts: FindingCounts) -> Iterable[str]:
    """Give findings as lines of text, grouped by rule, the worst first."""
    for rule in counts.rules():
        yield ""
        yield f"{RULES[rule].severity.value}  {rule}  ({counts.counts[rule]})"
        examples = counts.examples[rule]
        alike = len({finding.why for finding in examples}) == 1
        yield f"  {examples[0].why if alike else examples[0].general_why}"
        for finding in examples:
            place = _place(finding.table, finding.tag, finding.id, finding.place)
            yield f"  - {place}" if alike else f"  - {place}: {finding.why}"
        yield from _more(counts.counts[rule], len(examples))
        yield f"  Remedy: {examples[0].remedy}"


def describe_reading(reading: SourceReading | None) -> Iterable[str]:
    """Give how a source was read as lines of text."""
    if reading is not None:
        whose = "as SQL" if reading.dialect is None else f"as SQL of {Dialect(reading.dialect).label}"
        yield f"Read {whose}: {reading.because}."


def describe_gaps(gaps: Sequence[Gap]) -> Iterable[str]:
    """Give the reasons why rows may be missing as lines of text."""
    if gaps:
        yield ""
        yield "Possibly incomplete:"
        for gap in gaps:
            yield f"  - {gap}"


def _describe_counts(title: str, counts: FindingCounts) -> Iterable[str]:
    if counts.counts:
        yield ""
        yield f"{title}: {counts.counts.total()}"
        yield from describe_findings(counts)


def _more(count: int, shown: int) -> Iterable[str]:
    if count > shown:
        yield f"  ... and {count - shown} more (--report FILE has all)"


def _place(table: Table, tag: str | None, identifier: str | None, place: str | None = None) -> str:
    parts = [table.value]
    if tag is not None:
        parts.append(f"tag {tag!r}")
    if identifier is not None:
        parts.append(f"id {identifier!r}")
    return ", ".join(parts) + (f" ({place})" if place else "")


def _members(key: Key) -> dict[str, str]:
    members = {"table": key.table.value, "tag": key.tag}
    return members if key.id is None else {**members, "id": key.id}

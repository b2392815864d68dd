"""The spine of `auth-jwt import`: row, translated, judged, compared with what is there, written.

Rows go through in batches, a few at a time, and no more of them is held. Nothing is kept between runs: a row that is in
the table already is left as it is, so running again finishes what was interrupted. A batch is written on condition
that its rows are as they were read; where others were faster, they are read and compared again.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol

from auth_jwt.errors import AuthJwtError, Unreachable
from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import MAX_CHANGES, Key, Overtaken, Put, Table, Update
from auth_jwt_cli.migration.comparison import compared
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.ledger import Ledger, Seen
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.target import MAX_KEYS, MAX_WRITE_BYTES, Interrupted, Target
from auth_jwt_cli.migration.translation import MAX_ITEM_BYTES, TargetRow, Translation, Unstorable, size_of

DEFAULT_WORKERS: Final = 4
_ATTEMPTS: Final = 10
"""How often a batch is compared anew, where others write the same rows."""


class RowOutcome(StrEnum):
    """What became of a row."""

    WRITTEN = "written"
    OVERWRITTEN = "overwritten"
    UNCHANGED = "unchanged"  # it was there, just so
    DIFFERENT = "different"  # it was there, and was left alone
    REPEATED = "repeated"  # the source has it twice
    REFUSED = "refused"
    UNKNOWN = "unknown"  # the table did not answer: it may have been written


@dataclass(frozen=True, slots=True)
class Taken:
    """A row, and what became of it in the table.

    Attributes:
        key: which row.
        outcome: what became of it.
        columns: those in which the table and the source differed.
        kept: those of them in which they differ still, although the source's were to be taken: the table's close,
            disable or revoke more.
    """

    key: Key
    outcome: RowOutcome
    columns: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    """A row, how to write it, and what has become of it once that is done."""

    row: TargetRow
    change: Put | Update
    taken: Taken
    size: int


class Recorder(Protocol):
    """Is told what happens, in the thread that runs the import."""

    def looked_at(self, fraction: float | None) -> None:
        """A row was looked at before anything is written; the source is so far."""
        ...

    def read(self, table: Table, fraction: float | None) -> None:
        """A row was read; the source is so far."""
        ...

    def refused(self, finding: Finding) -> None:
        """A row cannot be taken along."""
        ...

    def flagged(self, finding: Finding) -> None:
        """There is something about a row, whatever became of it."""
        ...

    def repeated(self, key: Key) -> None:
        """A row came again, just the same."""
        ...

    def taken(self, row: Taken) -> None:
        """A row has got to the table, or was found there."""
        ...


@dataclass(slots=True)
class _Batch:
    """What became of some rows, and what ended it if anything did."""

    rows: list[Taken] = field(default_factory=list)
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import: from where, to where, how.

    Attributes:
        source: where rows come from.
        target: our tables.
        translation: makes our rows of the source's.
        examination: judges them.
        columns: what the columns are called here.
        recorder: is told what happens.
        overwrite: whether rows that differ are written over.
        dry_run: whether nothing is written.
        workers: how many batches are under way at once.
    """

    source: Source
    target: Target
    translation: Translation
    examination: Examination
    columns: Columns
    recorder: Recorder
    overwrite: bool = False
    dry_run: bool = False
    workers: int = DEFAULT_WORKERS

    def look(self, *, for_doubts: bool) -> Iterator[Finding]:
        """Read the whole source, so that it is known whether it has gaps.

        Give the secrets that may be something else than the HMAC secrets they would be taken for, if that is wanted.

        Raises:
            SourceError: the source cannot be read (on).
        """
        self.source.keep()
        with Ledger() as ledger:
            for source_row in self.source.rows():
                self.recorder.looked_at(self.source.fraction)
                try:
                    row = ledger.named(self.translation.of(source_row), self.columns)
                except Unstorable:
                    continue
                finding = self.examination.in_doubt(row) if for_doubts else None
                if finding is not None:
                    yield finding

    def run(self) -> None:
        """Take every row along that can be.

        Raises:
            SourceError: the source cannot be read (on).
            Unreachable: the tables did not answer, however often they were asked.
            Fault: asking them is of no use.
            KeyboardInterrupt: somebody wants to end; what was under way has ended.
        """
        with Ledger() as ledger, ThreadPoolExecutor(self.workers, "import") as pool:
            under_way: deque[Future[_Batch]] = deque()
            try:
                for batch in self._batches(ledger):
                    under_way.append(pool.submit(self._take, batch))
                    if len(under_way) >= 2 * self.workers:
                        self._record_first(under_way)
                while under_way:
                    self._record_first(under_way)
            except SourceError:
                self._end(under_way)
                raise
            except BaseException:
                self.target.end()
                self._end(under_way)
                raise
            for finding in self.examination.between(ledger):
                self.recorder.flagged(finding)

    def _batches(self, ledger: Ledger) -> Iterator[list[TargetRow]]:
        """Give the rows that are fit for a table, up to a hundred of one table at a time."""
        waiting: dict[Table, list[TargetRow]] = {}
        for row in self._fit_rows(ledger):
            rows = waiting.setdefault(row.key.table, [])
            rows.append(row)
            if len(rows) == MAX_KEYS:
                yield waiting.pop(row.key.table)
        yield from waiting.values()

    def _fit_rows(self, ledger: Ledger) -> Iterator[TargetRow]:
        for source_row in self.source.rows():
            self.recorder.read(source_row.table, self.source.fraction)
            try:
                row = ledger.named(self.translation.of(source_row), self.columns)
            except Unstorable as problem:
                self.recorder.refused(problem.finding)
                continue
            examined = self.examination.of(row)
            match ledger.note(row, examined.shared, is_open=examined.is_open):
                case Seen.SAME:
                    self.recorder.repeated(row.key)
                case Seen.OTHER:
                    rule = RULES["duplicate-key"]
                    self.recorder.refused(Finding(rule, row.key.table, row.key.tag, row.key.id, rule.why, row.place))
                case Seen.NEVER:
                    row = replace(row, stated=examined.stated)
                    bar = examined.bar or self._too_large(row)
                    for finding in examined.findings:
                        if finding is not bar:
                            self.recorder.flagged(finding)
                    if bar is None:
                        yield row
                    else:
                        self.recorder.refused(bar)

    def _too_large(self, row: TargetRow) -> Finding | None:
        """Say whether *row* has no room for what is stated of it."""
        if row.stated is None or size_of({**row.columns, self.columns.alg: row.stated}) <= MAX_ITEM_BYTES:
            return None
        rule = RULES["cannot-be-stored"]
        return Finding(
            rule, row.key.table, row.key.tag, row.key.id, "With its `alg` it has more than 400 kB.", row.place
        )

    def _take(self, rows: list[TargetRow]) -> _Batch:
        """Compare *rows* of one table with what is there, and write those that are to be written."""
        done = _Batch()
        try:
            waiting = rows
            for _ in range(_ATTEMPTS):
                waiting = self._settled(waiting, done)
                if not waiting:
                    return done
            raise Unreachable(f"other writes to {rows[0].key.table} kept getting in between; try again")
        except (AuthJwtError, Interrupted) as error:
            done.error = error
        return done

    def _settled(self, rows: list[TargetRow], done: _Batch) -> list[TargetRow]:
        """Settle what becomes of *rows*; return those that somebody changed between being read and being written."""
        table = rows[0].key.table
        existing = self.target.read(table, [row.key for row in rows])
        planned = [plan for row in rows if (plan := self._planned(row, existing.get(row.key), done)) is not None]
        overtaken: list[TargetRow] = []
        for chunk in _chunks(planned):
            try:
                self._write(table, chunk, done)
            except Overtaken:
                overtaken += [plan.row for plan in chunk]
        return overtaken

    def _planned(self, row: TargetRow, existing: Row | None, done: _Batch) -> _Planned | None:
        """Return how to write *row*; if it is not to be written, it is *done*."""
        comparison = compared(row, existing, self.columns)
        kept = comparison.kept if self.overwrite else ()
        if existing is None:
            taken = Taken(row.key, RowOutcome.WRITTEN)
        elif not comparison.columns:
            taken = Taken(row.key, RowOutcome.UNCHANGED)
        elif self.overwrite and comparison.change is not None:
            taken = Taken(row.key, RowOutcome.OVERWRITTEN, comparison.columns, kept)
        else:
            taken = Taken(row.key, RowOutcome.DIFFERENT, comparison.columns, kept)
        if comparison.change is not None and taken.outcome in (RowOutcome.WRITTEN, RowOutcome.OVERWRITTEN):
            return _Planned(row, comparison.change, taken, comparison.size)
        done.rows.append(taken)
        return None

    def _write(self, table: Table, chunk: list[_Planned], done: _Batch) -> None:
        if self.target.is_ended:
            raise Interrupted
        try:
            if not self.dry_run:
                self.target.write(table, [plan.change for plan in chunk])
        except (Unreachable, Interrupted):
            done.rows.extend(Taken(plan.row.key, RowOutcome.UNKNOWN) for plan in chunk)
            raise
        done.rows.extend(plan.taken for plan in chunk)

    def _record_first(self, under_way: deque[Future[_Batch]]) -> None:
        """Record the first batch of those *under_way*, once it is done; so what is told is in the source's order."""
        batch = under_way[0].result()  # if somebody interrupts this, the batch is still under way
        under_way.popleft()
        error = self._record(batch)
        if error is not None:
            raise error

    def _record(self, batch: _Batch) -> BaseException | None:
        for row in batch.rows:
            self.recorder.taken(row)
            if row.kept:
                rule = RULES["kept-closed"]
                why = f"The table's {', '.join(map(repr, row.kept))} lets fewer tokens through, and stays."
                self.recorder.flagged(Finding(rule, row.key.table, row.key.tag, row.key.id, why))
        return batch.error

    def _end(self, under_way: deque[Future[_Batch]]) -> None:
        """Wait for what is under way, and record it."""
        for future in under_way:
            self._record(future.result())


def _chunks(planned: list[_Planned]) -> Iterator[list[_Planned]]:
    """Give what is *planned* in parts that one transaction can hold."""
    chunk: list[_Planned] = []
    size = 0
    for plan in planned:
        if chunk and (len(chunk) == MAX_CHANGES or size + plan.size > MAX_WRITE_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(plan)
        size += plan.size
    if chunk:
        yield chunk

"""The spine of `auth-jwt import`: row, translated, judged, compared with what is there, written.

Rows go through in batches, a few at a time, and no more of them is held. Nothing is kept between runs: a row that is in
the table already is left as it is, so running again finishes what was interrupted.
"""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from auth_jwt.errors import AuthJwtError, Unreachable
from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.ledger import Ledger, Seen, differing
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.target import MAX_KEYS, MAX_WRITES, Interrupted, Target, merged
from auth_jwt_cli.migration.translation import TargetRow, Translation, Unstorable

DEFAULT_WORKERS: Final = 4


class Outcome(StrEnum):
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
        columns: those in which the table and the source differ.
    """

    key: Key
    outcome: Outcome
    columns: tuple[str, ...] = ()


class Recorder(Protocol):
    """Is told what happens, in the thread that runs the import."""

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

    def run(self) -> None:
        """Take every row along that can be.

        Raises:
            SourceError: the source cannot be read (on).
            Unreachable: the tables did not answer, however often they were asked.
            Fault: asking them is of no use.
            KeyboardInterrupt: somebody wants to end; what was under way has ended.
        """
        with Ledger() as ledger, ThreadPoolExecutor(self.workers, "import") as pool:
            under_way: set[Future[_Batch]] = set()
            try:
                for batch in self._batches(ledger):
                    under_way.add(pool.submit(self._take, batch))
                    if len(under_way) >= 2 * self.workers:
                        self._record_some(under_way)
                while under_way:
                    self._record_some(under_way)
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
            match ledger.note(row, examined.shared):
                case Seen.SAME:
                    self.recorder.repeated(row.key)
                case Seen.OTHER:
                    rule = RULES["duplicate-key"]
                    self.recorder.refused(Finding(rule, row.key.table, row.key.tag, row.key.id, rule.why, row.place))
                case Seen.NEVER:
                    bar = examined.bar
                    for finding in examined.findings:
                        if finding is not bar:
                            self.recorder.flagged(finding)
                    if bar is None:
                        yield row
                    else:
                        self.recorder.refused(bar)

    def _take(self, rows: list[TargetRow]) -> _Batch:
        """Compare *rows* of one table with what is there, and write those that are to be written."""
        done = _Batch()
        table = rows[0].key.table
        try:
            existing = self.target.read(table, [row.key for row in rows])
            changes: list[tuple[TargetRow, Taken]] = []
            for row in rows:
                taken = self._compared(row, existing.get(row.key))
                if taken.outcome in (Outcome.WRITTEN, Outcome.OVERWRITTEN):
                    changes.append((merged(row, existing.get(row.key, {})), taken))
                else:
                    done.rows.append(taken)
            for start in range(0, len(changes), MAX_WRITES):
                self._write(table, changes[start : start + MAX_WRITES], done)
        except (AuthJwtError, Interrupted) as error:
            done.error = error
        return done

    def _compared(self, row: TargetRow, existing: Row | None) -> Taken:
        if existing is None:
            return Taken(row.key, Outcome.WRITTEN)
        columns = tuple(differing(row.columns, existing))
        if not columns:
            return Taken(row.key, Outcome.UNCHANGED)
        return Taken(row.key, Outcome.OVERWRITTEN if self.overwrite else Outcome.DIFFERENT, columns)

    def _write(self, table: Table, changes: list[tuple[TargetRow, Taken]], done: _Batch) -> None:
        if self.target.is_ended:
            raise Interrupted
        try:
            if not self.dry_run:
                self.target.write(table, [row.columns for row, _ in changes])
        except (Unreachable, Interrupted):
            done.rows.extend(Taken(row.key, Outcome.UNKNOWN) for row, _ in changes)
            raise
        done.rows.extend(taken for _, taken in changes)

    def _record_some(self, under_way: set[Future[_Batch]]) -> None:
        """Record the batches that are done, once at least one is, and take them out of those *under_way*."""
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        under_way -= done
        errors = [error for future in done if (error := self._record(future.result())) is not None]
        if errors:
            raise errors[0]

    def _record(self, batch: _Batch) -> BaseException | None:
        for row in batch.rows:
            self.recorder.taken(row)
        return batch.error

    def _end(self, under_way: set[Future[_Batch]]) -> None:
        """Wait for what is under way, and record it."""
        for future in under_way:
            self._record(future.result())

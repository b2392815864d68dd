"""The spine of `auth-jwt import`: translates, checks, compares and writes every row.

A few batches of rows are in memory at a time. Nothing is kept between runs. A row that is already in the table stays as
it is, so a second run finishes what was interrupted. Each batch is written on condition that its rows have not changed
since they were read. If somebody else changed them first, they are read and compared again.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.ledger import Ledger, Seen
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.target import MAX_KEYS, Target
from auth_jwt_cli.migration.translation import MAX_ITEM_BYTES, TargetRow, Translation, Unstorable, size_of
from auth_jwt_cli.migration.writing import Batch, RowWriter, Taken

DEFAULT_WORKERS: Final = 4


class Recorder(Protocol):
    """Records what happens. Its methods are called in the thread that runs the import."""

    def looked_at(self, fraction: float | None) -> None:
        """A row was checked before anything is written. A *fraction* of the source has been read."""
        ...

    def read(self, table: Table, fraction: float | None) -> None:
        """A row was read to be written. A *fraction* of the source has been read."""
        ...

    def refused(self, finding: Finding) -> None:
        """A row cannot be imported."""
        ...

    def flagged(self, finding: Finding) -> None:
        """A row breaks a rule that does not bar it from the import."""
        ...

    def repeated(self, key: Key) -> None:
        """The same row came a second time."""
        ...

    def taken(self, row: Taken) -> None:
        """A row was written to the table, or the table had it already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import of a source into our tables.

    Attributes:
        source: gives the rows.
        target: our tables.
        translation: turns the source's rows into ours.
        examination: checks the rows.
        columns: the names of our columns.
        recorder: records what happens.
        overwrite: whether to overwrite rows that differ.
        dry_run: whether to write nothing.
        workers: how many batches run at once.
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
        """Read the whole source before anything is written. The source then knows its gaps.

        With *for_doubts*, give the secrets that look like HMAC but may be something else.

        Raises:
            SourceError: the source cannot be read to its end.
        """
        self.source.keep()
        with Ledger() as ledger:
            for source_row in self.source.rows():
                self.recorder.looked_at(self.source.fraction)
                try:
                    row = ledger.give_id(self.translation.of(source_row), self.columns)
                except Unstorable:
                    continue
                finding = self.examination.in_doubt(row) if for_doubts else None
                if finding is not None:
                    yield finding

    def run(self) -> None:
        """Import every row that our tables can hold.

        Raises:
            SourceError: the source cannot be read to its end.
            Unreachable: the tables answered none of the attempts.
            Fault: a request failed in a way that no retry mends.
            KeyboardInterrupt: somebody interrupted the import. The batches under way have ended.
        """
        writer = RowWriter(self.target, self.columns, overwrite=self.overwrite, dry_run=self.dry_run)
        with Ledger() as ledger, ThreadPoolExecutor(self.workers, "import") as pool:
            under_way: deque[Future[Batch]] = deque()
            try:
                for batch in self._batches(ledger):
                    under_way.append(pool.submit(writer.take, batch))
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
        """Give the rows that can be imported, up to a hundred of one table at a time."""
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
                row = ledger.give_id(self.translation.of(source_row), self.columns)
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
        """Return a finding if *row* is too large once its `alg` is added, None otherwise."""
        if row.stated is None or size_of({**row.columns, self.columns.alg: row.stated}) <= MAX_ITEM_BYTES:
            return None
        rule = RULES["cannot-be-stored"]
        return Finding(
            rule, row.key.table, row.key.tag, row.key.id, "With its `alg` it has more than 400 kB.", row.place
        )

    def _record_first(self, under_way: deque[Future[Batch]]) -> None:
        """Wait for the first batch of those *under_way*, and record it. Records so keep the source's order."""
        batch = under_way[0].result()  # if this is interrupted, the batch is still under way
        under_way.popleft()
        error = self._record(batch)
        if error is not None:
            raise error

    def _record(self, batch: Batch) -> BaseException | None:
        for row in batch.rows:
            self.recorder.taken(row)
            if row.kept:
                rule = RULES["kept-closed"]
                why = f"The table's {', '.join(map(repr, row.kept))} lets fewer tokens through, so it stays."
                self.recorder.flagged(Finding(rule, row.key.table, row.key.tag, row.key.id, why))
        return batch.error

    def _end(self, under_way: deque[Future[Batch]]) -> None:
        """Wait for the batches under way, and record them."""
        for future in under_way:
            self._record(future.result())

"""Writes rows into our tables: reads what is there, compares, and writes what differs, if it has not changed since.

If somebody else changed a row between the read and the write, it is read and compared again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from auth_jwt.errors import AuthJwtError, Unreachable
from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import MAX_CHANGES, Key, Overtaken, Put, Table, Update
from auth_jwt_cli.migration.comparison import compare_rows
from auth_jwt_cli.migration.target import MAX_WRITE_BYTES, Interrupted, Target
from auth_jwt_cli.migration.translation import TargetRow

_ATTEMPTS: Final = 10
"""How often a batch is compared while others write the same rows."""


class RowOutcome(StrEnum):
    """What became of a row."""

    WRITTEN = "written"
    OVERWRITTEN = "overwritten"
    UNCHANGED = "unchanged"  # the table had the same row
    DIFFERENT = "different"  # the table had another row, which stays
    REPEATED = "repeated"  # the source has the row twice
    REFUSED = "refused"
    UNKNOWN = "unknown"  # the table did not answer: the row may have been written


@dataclass(frozen=True, slots=True)
class Taken:
    """A row, and what became of it in the table.

    Attributes:
        key: the row's key.
        outcome: what became of the row.
        columns: the columns in which the table and the source differed.
        kept: the columns among them that --overwrite did not write, because the table's value closes, disables or
            revokes more.
    """

    key: Key
    outcome: RowOutcome
    columns: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Planned:
    """A row, how to write it, and its outcome once it is written."""

    row: TargetRow
    change: Put | Update
    taken: Taken
    size: int


@dataclass(slots=True)
class Batch:
    """The outcomes of some rows, and the error that ended the batch, if any."""

    rows: list[Taken] = field(default_factory=list)
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Writes rows, a batch at a time. Safe to use from several threads.

    Attributes:
        target: our tables.
        columns: the names of their columns.
        overwrite: whether to overwrite rows that differ.
        dry_run: whether to write nothing.
    """

    target: Target
    columns: Columns
    overwrite: bool = False
    dry_run: bool = False

    def take(self, rows: list[TargetRow]) -> Batch:
        """Compare *rows* of one table with the table, and write those that need it."""
        done = Batch()
        try:
            waiting = rows
            for _ in range(_ATTEMPTS):
                waiting = self._settle(waiting, done)
                if not waiting:
                    return done
            raise Unreachable(f"other writers kept changing the same rows of {rows[0].key.table}; try again")
        except (AuthJwtError, Interrupted) as error:
            done.error = error
        return done

    def _settle(self, rows: list[TargetRow], done: Batch) -> list[TargetRow]:
        """Read, compare and write *rows*. Return those that somebody else changed between the read and the write."""
        table = rows[0].key.table
        existing = self.target.read(table, [row.key for row in rows])
        planned = [plan for row in rows if (plan := self._plan(row, existing.get(row.key), done)) is not None]
        overtaken: list[TargetRow] = []
        for chunk in _chunks(planned):
            try:
                self._write(table, chunk, done)
            except Overtaken:
                overtaken += [plan.row for plan in chunk]
        return overtaken

    def _plan(self, row: TargetRow, existing: Row | None, done: Batch) -> _Planned | None:
        """Return how to write *row*. If there is nothing to write, add it to *done* and return None."""
        comparison = compare_rows(row, existing, self.columns)
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

    def _write(self, table: Table, chunk: list[_Planned], done: Batch) -> None:
        if self.target.is_ended:
            raise Interrupted
        try:
            if not self.dry_run:
                self.target.write(table, [plan.change for plan in chunk])
        except (Unreachable, Interrupted):
            done.rows.extend(Taken(plan.row.key, RowOutcome.UNKNOWN) for plan in chunk)
            raise
        done.rows.extend(plan.taken for plan in chunk)


def _chunks(planned: list[_Planned]) -> Iterator[list[_Planned]]:
    """Split what is *planned* into parts that fit into one transaction."""
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

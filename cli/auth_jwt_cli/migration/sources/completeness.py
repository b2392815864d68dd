"""Whether a source has all its rows: what each of them knows itself, and that no wanted table is empty."""

from collections import Counter
from collections.abc import Iterator, Sequence

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Gap, Source, SourceReading, SourceRow


class CheckedSource(Source):
    """Another source, whose rows are counted.

    Args:
        source: the other one.
        layout: which tables are wanted, and what they are called there.
    """

    def __init__(self, source: Source, layout: SourceLayout) -> None:
        self._source = source
        self._layout = layout
        self._counts: Counter[Table] | None = None

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._source.name

    @property
    def fraction(self) -> float | None:
        """See `Source`."""
        return self._source.fraction

    @property
    def reading(self) -> SourceReading | None:
        """See `Source`."""
        return self._source.reading

    @property
    def gaps(self) -> Sequence[Gap]:
        """See `Source`."""
        return (*self._source.gaps, *self._empty_tables())

    def keep(self) -> None:
        """See `Source`."""
        self._source.keep()

    def rows(self) -> Iterator[SourceRow]:
        """See `Source`."""
        self._counts = None
        counts = Counter[Table]()
        for row in self._source.rows():
            counts[row.table] += 1
            yield row
        self._counts = counts

    def _empty_tables(self) -> Iterator[Gap]:
        if self._counts is None:
            return
        for table in self._layout.tables:
            if not self._counts[table]:
                other = Table.SECRETS if table is Table.PROFILES else Table.PROFILES
                yield Gap(
                    f"there is no row of {self._layout.name_of(table)!r}: if the table is called otherwise, name it by"
                    f" --{table.value}-table; if it is not wanted, say --only {other.value}"
                )

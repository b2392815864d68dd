"""Tells whether a source may lack rows: by the gaps that the source itself finds, and by wanted tables without rows."""

from collections import Counter
from collections.abc import Iterator, Sequence

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Gap, Source, SourceReading, SourceRow


class CheckedSource(Source):
    """Counts the rows of another source, and adds a gap for each wanted table without rows.

    Args:
        source: the other source.
        layout: the wanted tables and their names.
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
                    f"there is no row of {self._layout.name_of(table)!r}: if the table has another name, give it with"
                    f" --{table.value}-table; if you do not want it, say --only {other.value}"
                )

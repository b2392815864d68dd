"""Dumps in the SQL of MySQL, MariaDB, PostgreSQL and SQLite, each read by its own rules, and dumps in XML."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Gap, Source, SourceReading, SourceRow
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect, Session
from auth_jwt_cli.migration.sources.dumps.statements import Statements
from auth_jwt_cli.migration.sources.files import ReadingProgress
from auth_jwt_cli.migration.sources.xml_dumps import rows_of_xml


class DumpSource(Source):
    """A dump, as a `Source`.

    Args:
        path: the file's path. `-` is standard input.
        layout: the names of tables and columns.
        dialect: the dialect of its SQL. None means to detect it.
        backslash_escapes: whether a backslash escapes in MySQL's texts, until the dump says otherwise.
    """

    def __init__(
        self,
        path: Path,
        layout: SourceLayout,
        dialect: Dialect | None = None,
        *,
        backslash_escapes: bool = True,
    ) -> None:
        self._path = path
        self._layout = layout
        self._dialect = dialect
        self._backslash_escapes = backslash_escapes
        self._progress = ReadingProgress()
        self._progress.expect(path)
        self._session: Session | None = None
        self._gaps: Sequence[Gap] = ()

    @property
    def name(self) -> str:
        """See `Source`."""
        return "the dump on standard input" if str(self._path) == "-" else f"the dump {self._path}"

    @property
    def fraction(self) -> float | None:
        """See `Source`."""
        return self._progress.fraction

    @property
    def reading(self) -> SourceReading | None:
        """See `Source`."""
        session = self._session
        if session is None:
            return None
        if session.given is not None:
            return SourceReading(session.given.value, "--dialect says so")
        if session.dialect is None:
            return SourceReading(None, "nothing in it tells the dialect, and all dialects read it alike")
        return SourceReading(session.dialect.value, "; ".join(session.signs))

    @property
    def gaps(self) -> Sequence[Gap]:
        """See `Source`."""
        return self._gaps

    def keep(self) -> None:
        """See `Source`."""
        self._progress.keep()

    def rows(self) -> Iterator[SourceRow]:
        """See `Source`."""
        self._gaps = ()
        self._session = Session(self._dialect, backslash_escapes=self._backslash_escapes)
        with self._progress.open(self._path) as file:
            if file.begins_with(b"<"):
                self._session = None
                yield from rows_of_xml(file, self._layout)
                return
            statements = Statements(file, self._layout, self._session)
            yield from statements.rows()
            self._gaps = statements.gaps.all()

"""PostgreSQL's COPY: gives a table's rows from lines of text."""

from collections.abc import Callable, Iterator
from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.dumps.columns import Columns
from auth_jwt_cli.migration.sources.dumps.dialects import POSTGRESQL, Session
from auth_jwt_cli.migration.sources.dumps.escapes import UnreadableValue
from auth_jwt_cli.migration.sources.dumps.inserts import TableRows
from auth_jwt_cli.migration.sources.dumps.literals import Literals
from auth_jwt_cli.migration.sources.dumps.names import NAMES, Names, name_of
from auth_jwt_cli.migration.sources.dumps.tokens import CutOff, NotUnderstood, SqlToken, SqlTokens

_END: Final = b"\\."


class Copies:
    """Reads the rows of COPY ... FROM stdin.

    Args:
        tokens: the tokens of the dump.
        session: the dialects and settings.
        literals: reads values.
        names: reads names of tables.
        layout: the names of tables and columns.
    """

    def __init__(
        self, tokens: SqlTokens, session: Session, literals: Literals, names: Names, layout: SourceLayout
    ) -> None:
        self._tokens = tokens
        self._session = session
        self._literals = literals
        self._names = names
        self._layout = layout

    def rows(
        self, columns_of: Callable[[Table], Columns | None], place: Callable[[Table, int], str]
    ) -> Iterator[SourceRow]:
        """Read from after COPY to the line that ends it. Give the rows if the table is wanted.

        Args:
            columns_of: returns the columns that CREATE TABLE declares, None without a CREATE TABLE.
            place: returns the place of a row in a line, for people.

        Raises:
            NotUnderstood: the statement is not in the form that pg_dump writes.
            CutOff: the last line of the COPY is missing.
        """
        begins = self._tokens.line
        self._session.narrow(POSTGRESQL, "a COPY statement", begins)
        table = self._names.table()
        listed, options = self._head()
        words = [token.word for token in options]
        if words[:1] != ["FROM"] or words[1:2] != ["STDIN"]:
            if table is not None and words[:1] == ["FROM"]:
                raise NotUnderstood("a COPY whose rows are in another place")
            return
        self._tokens.rest_of_line()
        if table is None or len(words) > 2:  # more than FROM stdin
            for _ in self._lines(begins):
                pass
            if table is not None:
                raise NotUnderstood("a COPY with options")
            return
        columns = columns_of(table)
        if listed is None and columns is None:
            raise SourceError(
                f"the dump's COPY into {self._layout.name_of(table)!r} names no columns, and no CREATE TABLE precedes"
                " it; dump again with the table's definition"
            )
        names = [column.name for column in (columns or {}).values()] if listed is None else listed
        rows = TableRows(table, names, columns, self._layout)
        for line in self._lines(begins):
            yield self._row(rows, line, place(table, self._tokens.line))

    def _head(self) -> tuple[list[str] | None, list[SqlToken]]:
        """Read the names of the columns, if there are any, and the rest of the statement."""
        listed: list[str] | None = None
        token = self._tokens.next()
        if token.word == "(":
            listed = []
            while (token := self._tokens.next()).word != ")":
                if token.word != ",":
                    if token.kind not in NAMES:
                        raise NotUnderstood("something in place of a column's name")
                    listed.append(name_of(token, self._session))
            token = self._tokens.next()
        options = []
        while not token.is_end:
            options.append(token)
            token = self._tokens.next()
        return listed, options

    def _lines(self, begins: int) -> Iterator[bytes]:
        while (line := self._tokens.rest_of_line()) is not None:
            line = line.removesuffix(b"\r")
            if line == _END:
                return
            yield line
        raise CutOff(begins, "a COPY, whose last line `\\.` is missing")

    def _row(self, rows: TableRows, line: bytes, place: str) -> SourceRow:
        fields = line.split(b"\t")
        values: list[object] = []
        flaw = None
        for position, field in enumerate(fields):
            try:
                values.append(self._literals.read_copied(field, rows.kind_of(position), self._tokens.line))
            except UnreadableValue as error:
                flaw = flaw or str(error)
                values.append(None)
        return rows.row(place, values, flaw)

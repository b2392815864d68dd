"""INSERT and REPLACE: gives the rows of a table one at a time, however many a statement has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.dumps.columns import UNDETERMINED, Column, Columns, ColumnType
from auth_jwt_cli.migration.sources.dumps.dialects import ANY, MYSQL, POSTGRESQL, SQLITE, Session
from auth_jwt_cli.migration.sources.dumps.escapes import UnreadableValue, of_unistr
from auth_jwt_cli.migration.sources.dumps.literals import Literals
from auth_jwt_cli.migration.sources.dumps.names import NAMES, Names, name_of
from auth_jwt_cli.migration.sources.dumps.tokens import NotUnderstood, SqlToken, SqlTokens

_PRIORITIES: Final = frozenset(("IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"))
_TAILS: Final = frozenset(("ON", "RETURNING", "AS"))
"""The words that may follow the rows. AS names the new row for ON DUPLICATE KEY UPDATE."""


class TableRows:
    """Makes rows from the values that a statement gives for some columns of a table.

    Args:
        table: the table.
        listed: the columns whose values the statement gives.
        columns: the columns that CREATE TABLE declares. None without a CREATE TABLE.
        layout: names the columns to skip.
    """

    def __init__(self, table: Table, listed: Sequence[str], columns: Columns | None, layout: SourceLayout) -> None:
        self.table = table
        declared = columns or {}
        self.columns = [declared.get(name.lower()) or Column(name, None, default=UNDETERMINED) for name in listed]
        self.columns = [
            replace(column, default=None) if column.name in layout.skipped_columns else column
            for column in self.columns
        ]
        self._names = list(listed)
        self._flaw: str | None = None
        self._others: dict[str, object] = {}
        given = {name.lower() for name in listed}
        for key, column in declared.items():
            if key in given or column.name in layout.skipped_columns or key == layout.id_column.lower():
                continue
            if column.default is UNDETERMINED:
                self._flaw = _lack_of(column)
            else:
                self._others[column.name] = column.default

    def kind_of(self, position: int) -> ColumnType | None:
        """Return the type of the column at this *position*, None if it is unknown."""
        return self.columns[position].type if position < len(self.columns) else None

    def row(self, place: str, values: Sequence[object], flaw: str | None) -> SourceRow:
        """Return the row of these *values*."""
        if flaw is None and len(values) != len(self._names):
            flaw = f"{len(values)} values for {len(self._names)} columns"
        flaw = flaw or self._flaw
        if flaw is not None:
            return SourceRow(self.table, place, flaw=flaw)
        return SourceRow(self.table, place, {**dict(zip(self._names, values, strict=True)), **self._others})


class Inserts:
    """Reads the rows of INSERT statements.

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

    def table(self, word: str) -> Table | None:
        """Read from after INSERT or REPLACE (the *word*) to the table's name. Return the table if it is wanted."""
        line = self._tokens.line
        if word == "REPLACE":
            self._session.narrow(MYSQL | SQLITE, "a REPLACE statement", line)
        while (token := self._tokens.next()).word != "INTO":
            if token.word == "OR":
                self._session.narrow(SQLITE, "INSERT OR", line)
                self._tokens.next()
            elif token.word in _PRIORITIES:
                self._session.narrow(MYSQL, f"INSERT {token.word}", line)
            else:
                self._tokens.put_back(token)  # INTO is optional in MySQL
                break
        return self._names.table()

    def rows(self, table: Table, columns: Columns | None, place: Callable[[int], str]) -> Iterator[SourceRow]:
        """Read the rows from after the table's name to the end of the statement.

        Args:
            table: the table.
            columns: the columns that CREATE TABLE declares. None without a CREATE TABLE.
            place: returns the place of a row in a line, for people.

        Raises:
            NotUnderstood: the statement does not have the form of an INSERT.
            SourceError: the columns are unknown.
        """
        listed, token = self._head()
        if token.word == "SET":
            yield self._read_assignments(table, columns, place)
            return
        if token.word not in ("VALUES", "VALUE"):
            self._tokens.pass_over()
            raise NotUnderstood("an INSERT without VALUES")
        rows = TableRows(table, self._choose_columns(table, listed, columns), columns, self._layout)
        while True:
            token = self._tokens.next()
            if token.word == "ROW":
                token = self._tokens.next()
            if token.word != "(":
                self._tokens.skip_line()
                raise NotUnderstood("something in place of a row")
            yield self._row(rows, place(self._tokens.line))
            token = self._tokens.next()
            if token.word != ",":
                break
        self._tail(token)

    def _head(self) -> tuple[list[str] | None, SqlToken]:
        """Read what may precede VALUES. Return the names of columns if they are listed, and the token that follows."""
        listed = None
        token = self._tokens.next()
        if token.word == "AS":
            self._tokens.next()  # PostgreSQL: another name of the table
            token = self._tokens.next()
        if token.word == "PARTITION":
            self._listed_names()
            token = self._tokens.next()
        if token.word == "(":
            self._tokens.put_back(token)
            listed = self._listed_names()
            token = self._tokens.next()
        if token.word == "OVERRIDING":
            self._session.narrow(POSTGRESQL, "OVERRIDING", self._tokens.line)
            self._tokens.next(), self._tokens.next()  # SYSTEM VALUE, or USER VALUE
            token = self._tokens.next()
        return listed, token

    def _choose_columns(self, table: Table, listed: list[str] | None, columns: Columns | None) -> list[str]:
        if listed is not None:
            return listed
        if columns is None:
            raise SourceError(
                f"the dump's INSERTs into {self._layout.name_of(table)!r} name no columns, and no CREATE TABLE precedes"
                " them; dump again with the names (mysqldump --complete-insert, pg_dump --column-inserts), or with"
                " the table's definition"
            )
        if self._session.dialects == SQLITE:
            return [column.name for column in columns.values() if not column.is_generated]
        return [column.name for column in columns.values()]

    def _listed_names(self) -> list[str]:
        names: list[str] = []
        if self._tokens.next().word != "(":
            raise NotUnderstood("an INSERT without its columns")
        while True:
            token = self._tokens.next()
            if token.word == ")":
                return names
            if token.word != ",":
                if token.kind not in NAMES:
                    raise NotUnderstood("something in place of a column's name")
                names.append(name_of(token, self._session))

    def _read_assignments(self, table: Table, columns: Columns | None, place: Callable[[int], str]) -> SourceRow:
        """Read MySQL's INSERT ... SET."""
        self._session.narrow(MYSQL, "INSERT ... SET", self._tokens.line)
        where = place(self._tokens.line)
        names: list[str] = []
        values: list[object] = []
        while True:
            names.append(name_of(self._tokens.next(), self._session))
            if self._tokens.next().word != "=":
                raise NotUnderstood("an INSERT ... SET without =")
            column = (columns or {}).get(names[-1].lower())
            try:
                values.append(self._value(self._tokens.next(), column))
            except UnreadableValue as error:
                raise NotUnderstood(f"an INSERT ... SET with {error}") from None
            token = self._tokens.next()
            if token.word != ",":
                break
        self._tail(token)
        return TableRows(table, names, columns, self._layout).row(where, values, None)

    def _row(self, rows: TableRows, place: str) -> SourceRow:
        """Read the values of a row, up to its closing parenthesis."""
        values: list[object] = []
        flaw = None
        token = self._tokens.next()
        while token.word != ")" or values:
            column = rows.columns[len(values)] if len(values) < len(rows.columns) else None
            value: object = None
            try:
                value = self._value(token, column)
                value, token = self._cast(value, column, self._tokens.next())
            except UnreadableValue as error:
                flaw = flaw or str(error)
                token = self._behind_value()
            values.append(value)
            if token.word == ")":
                break
            token = self._tokens.next()
        return rows.row(place, values, flaw)

    def _value(self, token: SqlToken, column: Column | None) -> object:
        if token.word == "DEFAULT":
            if column is None:
                raise UnreadableValue("a DEFAULT of no column")
            if column.default is UNDETERMINED:
                raise UnreadableValue(_lack_of(column))
            return column.default
        if token.word == "(":
            self._tokens.put_back(token)
            raise UnreadableValue("a value that is neither a literal nor NULL")
        if token.word in ("REPLACE", "UNISTR", "CHAR") and self._session.dialects == SQLITE:
            return self._compute(token)
        return self._literals.value_of(token, column.type if column else None, self._tokens.line)

    def _compute(self, token: SqlToken) -> str:
        """Return the result of a function with which SQLite's shell writes a text with line ends.

        Raises:
            UnreadableValue: it is another function, or has other arguments.
        """
        arguments: list[object] = []
        function = token.word
        if self._tokens.next().word != "(":
            raise UnreadableValue("a value that is neither a literal nor NULL")
        while True:
            arguments.append(self._value(self._tokens.next(), None))
            token = self._tokens.next()
            if token.word != ",":
                break
        if token.word == ")":
            match function, arguments:
                case "REPLACE", [str() as text, str() as old, str() as new] if old:
                    return text.replace(old, new)
                case "CHAR", [int() as code] if 0 < code <= 0x10FFFF:
                    return chr(code)
                case "UNISTR", [str() as text]:
                    return of_unistr(text)
                case _:
                    pass
        raise UnreadableValue("a value that is neither a literal nor NULL")

    def _cast(self, value: object, column: Column | None, token: SqlToken) -> tuple[object, SqlToken]:
        """Read a cast by `::` if there is one. Return the cast value, and the comma or parenthesis that follows.

        Raises:
            UnreadableValue: something else follows the value.
        """
        if token.word in (",", ")"):
            return self._literals.certain(value, column.type if column else None), token
        if token.word != "::":
            self._tokens.put_back(token)
            raise UnreadableValue("a value that is neither a literal nor NULL")
        self._session.narrow(POSTGRESQL, "a cast by ::", self._tokens.line)
        token = self._tokens.next()
        name = name_of(token, self._session)
        is_array, depth = False, 0
        while (token := self._tokens.next()).word not in (",", ")") or depth:
            if token.is_end:
                raise UnreadableValue("a value that is neither a literal nor NULL")
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            is_array = is_array or token.word == "["
        return self._literals.cast(value, ColumnType(name, is_array=is_array)), token

    def _behind_value(self) -> SqlToken:
        """Skip a value that cannot be read. Return the comma or parenthesis that follows it."""
        depth = 0
        while (token := self._tokens.next()).word not in (",", ")") or depth:
            if token.is_end:
                raise NotUnderstood("a row without an end")
            depth += {"(": 1, ")": -1}.get(token.word, 0)
        return token

    def _tail(self, token: SqlToken) -> None:
        """Read the clauses that may follow the rows: what to do with existing rows, and what to return."""
        line = self._tokens.line
        if token.is_end:
            return
        if token.word not in _TAILS:
            self._tokens.skip_line()
            raise NotUnderstood("something after the rows of an INSERT")
        if token.word == "ON":
            token = self._tokens.next()
            if token.word == "DUPLICATE":
                self._session.narrow(MYSQL, "ON DUPLICATE KEY", line)
            elif token.word == "CONFLICT":
                self._session.narrow(ANY - MYSQL, "ON CONFLICT", line)
            else:
                self._tokens.skip_line()
                raise NotUnderstood("something after the rows of an INSERT")
        elif token.word == "AS":
            self._session.narrow(MYSQL, "INSERT ... AS", line)
        self._tokens.pass_over()


def _lack_of(column: Column) -> str:
    return (
        f"no value for the column {column.name!r}, which the database computes: leave it out with --skip-column"
        f" {column.name}, or read the database"
    )

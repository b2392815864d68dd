"""Reads the names of tables and columns, and tells which of the wanted tables a statement is about."""

from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.dumps.dialects import POSTGRESQL, Session
from auth_jwt_cli.migration.sources.dumps.tokens import SqlToken, SqlTokens

NAMES: Final = ("word", "name", "quoted")
"""The kinds of tokens that may be names."""


def name_of(token: SqlToken, session: Session) -> str:
    """Return the name that an identifier spells, quoted or not."""
    text = token.octets.decode("utf-8", "replace")
    if token.kind in ("name", "quoted"):
        closing = "]" if text[0] == "[" else text[0]
        return text[1:-1].replace(closing * 2, closing) if closing != "]" else text[1:-1]
    if session.dialects == POSTGRESQL:
        return text.lower()  # PostgreSQL folds names without quotes
    return text


class Names:
    r"""Reads names of tables, and tells apart tables of the same name in several databases.

    Attributes:
        database: the database of statements without a schema, as USE or `\connect` sets it.
    """

    def __init__(self, tokens: SqlTokens, session: Session, layout: SourceLayout) -> None:
        self._tokens = tokens
        self._session = session
        self._layout = layout
        self._homes: dict[Table, tuple[str | None, str | None]] = {}
        self.database: str | None = None

    def table(self) -> Table | None:
        """Read a table's name, with or without a schema. Return the table if it is wanted, None otherwise.

        Raises:
            SourceError: another database in the dump has a table of the same name.
        """
        schema, name = None, name_of(self._tokens.next(), self._session)
        while (token := self._tokens.next()).word == ".":
            schema, name = name, name_of(self._tokens.next(), self._session)
        self._tokens.put_back(token)
        if self._session.dialects != POSTGRESQL and schema is None:
            schema = self.database
        table = self._layout.table_named(name, schema)
        if table is not None:
            self._check_home(table, schema)
        return table

    def wanted(self, token: SqlToken) -> Table | None:
        """Return the wanted table that *token* may name, or None."""
        if token.kind not in NAMES:
            return None
        return self._layout.table_named(name_of(token, self._session))

    def twice(self, table: Table) -> SourceError:
        """Return the error for a table that the dump has twice."""
        return SourceError(
            f"the dump has the table {self._layout.name_of(table)!r} twice, perhaps from several databases;"
            " dump one database, or put its name and a dot before the table's"
        )

    def _check_home(self, table: Table, schema: str | None) -> None:
        home = (self.database if self._session.dialects == POSTGRESQL else None, schema)
        if home == (None, None):
            return
        known = self._homes.setdefault(table, home)
        if known != home:
            raise self.twice(table)

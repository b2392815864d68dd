"""CREATE TABLE: reads a table's columns, their types and their defaults."""

import re
from itertools import pairwise
from typing import Final

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.dumps.columns import UNDETERMINED, Column, Columns, ColumnType
from auth_jwt_cli.migration.sources.dumps.dialects import MYSQL, POSTGRESQL, SQLITE, Dialect, Session
from auth_jwt_cli.migration.sources.dumps.escapes import UnreadableValue
from auth_jwt_cli.migration.sources.dumps.literals import Literals
from auth_jwt_cli.migration.sources.dumps.names import NAMES, name_of
from auth_jwt_cli.migration.sources.dumps.tokens import SqlToken, SqlTokens

_NO_COLUMNS: Final = frozenset({"PRIMARY", "UNIQUE", "CONSTRAINT", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"})
_NO_COLUMNS_IN_MYSQL: Final = frozenset({"KEY", "INDEX", "FULLTEXT", "SPATIAL", "PERIOD"})
_NUMBERED: Final = frozenset({"AUTO_INCREMENT", "AUTOINCREMENT", "IDENTITY"})
_SERIAL: Final = frozenset({"serial", "bigserial", "smallserial"})
_SHORT_NUMBER: Final = re.compile(rb"[0-9]{1,9}")
_SIGNS: Final = {
    "AUTO_INCREMENT": (MYSQL, "AUTO_INCREMENT"),
    "AUTOINCREMENT": (SQLITE, "AUTOINCREMENT"),
    "ENGINE": (MYSQL, "ENGINE"),
}


class Definitions:
    """Reads the definitions of tables.

    Args:
        tokens: the tokens of the dump.
        session: the dialects and settings.
        literals: reads defaults.
    """

    def __init__(self, tokens: SqlTokens, session: Session, literals: Literals) -> None:
        self._tokens = tokens
        self._session = session
        self._literals = literals

    def columns(self) -> Columns | None:
        """Read a table's columns, and on to the end of the statement. None if they are undetermined.

        The opening parenthesis of the list must have been read.
        """
        columns: dict[str, Column] = {}
        closing = ","
        while closing == ",":
            item: list[SqlToken] = []
            closing = self._item(item)
            if item and item[0].kind not in NAMES:
                return None
            if item and not self._is_constraint(item[0]):
                column = self._column(item)
                columns[column.name.lower()] = column
            elif item and item[0].word == "LIKE":
                return None  # the columns of another table
        is_told = True
        while not (token := self._tokens.next()).is_end:
            self._note(token)
            # A query makes the rows of such a table, or other tables hold them.
            is_told = is_told and token.word not in ("AS", "SELECT", "INHERITS", "OF")
            is_told = is_told and not (token.word == "PARTITION" and self._session.dialects == POSTGRESQL)
        return columns if is_told and columns else None

    def _item(self, item: list[SqlToken]) -> str:
        """Read an item of the list. Return what ends it: a comma, a parenthesis or the end of the statement."""
        depth = 0
        while True:
            token = self._tokens.next()
            if token.is_end and self._session.delimiter == b";":
                return ";"
            if not depth and token.word in (",", ")"):
                return token.word
            depth += {"(": 1, ")": -1}.get(token.word, 0)
            self._note(token)
            item.append(token)

    def _note(self, token: SqlToken) -> None:
        if token.word in _SIGNS:
            self._session.narrow(*_SIGNS[token.word], self._tokens.line)

    def _is_constraint(self, token: SqlToken) -> bool:
        if token.word in _NO_COLUMNS_IN_MYSQL and self._session.may_be(Dialect.MYSQL):
            if self._session.dialects != MYSQL:
                raise self._session.doubt(f"{token.word} at the beginning of a column or an index", self._tokens.line)
            return True
        return token.word in _NO_COLUMNS

    def _column(self, item: list[SqlToken]) -> Column:
        words = [token.word for token in item]
        generated = any(word == "AS" and following == "(" for word, following in pairwise(words))
        kind = self._type(item)
        default: object = None
        if "DEFAULT" in words[1:]:
            default = self._default(item[words.index("DEFAULT", 1) + 1 :], kind)
        elif generated or ("NOT" in words and _NUMBERED.isdisjoint(words) and not (kind and kind.name in _SERIAL)):
            default = UNDETERMINED
        return Column(name_of(item[0], self._session), kind, default, is_generated=generated)

    def _type(self, item: list[SqlToken]) -> ColumnType | None:
        if len(item) == 1 or item[1].kind not in NAMES:
            return None
        position = 1
        words = [token.word for token in item]
        if words[2:3] == ["."]:
            position = 3  # a type of a schema: pg_catalog.int4
        if position >= len(item):
            return None
        name = name_of(item[position], self._session).lower()
        if words[position + 1 : position + 2] == ["VARYING"]:
            name = f"{name} varying"
        has_size = words[position + 1 : position + 2] == ["("] and len(item) > position + 2
        size = item[position + 2].octets if has_size else b""
        length = int(size) if _SHORT_NUMBER.fullmatch(size) else None
        return ColumnType(name, length, is_array="[" in words or "ARRAY" in words)

    def _default(self, tokens: list[SqlToken], kind: ColumnType | None) -> object:
        """Return a column's default if it is a literal. A sequence (NEXTVAL) counts as no default."""
        if not tokens or tokens[0].word == "NEXTVAL":
            return None
        following = tokens[1].word if len(tokens) > 1 else ""
        if following in ("(", "+", "-", "*", "/", "|", "||"):
            return UNDETERMINED
        try:
            return self._literals.value_of(tokens[0], kind, self._tokens.line)
        except (UnreadableValue, SourceError):  # an error only if a row lacks the column
            return UNDETERMINED

"""Whose SQL a dump is, and what is in force while it is read.

A dump begins as anybody's. Each construct that only some databases have leaves fewer, and what all that are left read
alike is read so. Where they would read different values the reading ends, and asks for the dialect.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from auth_jwt_cli.migration.sources import SourceError


class Dialect(StrEnum):
    """The kinds of SQL that dumps are written in."""

    MYSQL = "mysql"
    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"

    @property
    def label(self) -> str:
        """What people call it."""
        return {"mysql": "MySQL or MariaDB", "postgresql": "PostgreSQL", "sqlite": "SQLite"}[self.value]


MYSQL: Final = frozenset({Dialect.MYSQL})
POSTGRESQL: Final = frozenset({Dialect.POSTGRESQL})
SQLITE: Final = frozenset({Dialect.SQLITE})
ANY: Final = frozenset(Dialect)
_ANSI_MODES: Final = frozenset({"ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"})
_GIVE: Final = "say --dialect mysql, postgresql or sqlite"


class Session:
    """The dialects that a dump may be of, and the settings that decide how its literals are read.

    Args:
        given: the dialect, where the command line says it.
        backslash_escapes: whether a backslash escapes in MySQL's texts, while the dump itself does not say.

    Attributes:
        dialects: those that are left.
        signs: what left no others, each with its line.
        sql_mode: MySQL's modes; None where the dump sets them to something that is not known.
        conforming: PostgreSQL's `standard_conforming_strings`.
        delimiter: what ends a statement.
        escapes: whether a backslash escapes in a text; None where that cannot be told.
        escapes_in_double_quotes: whether it does between double quotes, which hold a text in MySQL, names elsewhere.
        version: changes whenever one of these does.
    """

    def __init__(self, given: Dialect | None = None, *, backslash_escapes: bool = True) -> None:
        self.given = given
        self.dialects = ANY if given is None else frozenset({given})
        self.signs: list[str] = []
        self.initial_mode = frozenset[str]() if backslash_escapes else frozenset({"NO_BACKSLASH_ESCAPES"})
        self.sql_mode: frozenset[str] | None = self.initial_mode
        self.conforming = True
        self.delimiter = b";"
        self.version = 0
        self._change()

    @property
    def dialect(self) -> Dialect | None:
        """The dialect, None while there are several that it may be."""
        return next(iter(self.dialects)) if len(self.dialects) == 1 else None

    def may_be(self, dialect: Dialect) -> bool:
        """Tell whether the dump may be of that *dialect*."""
        return dialect in self.dialects

    def narrow(self, dialects: frozenset[Dialect], sign: str, line: int) -> None:
        """Leave only those *dialects* that have what was found: the *sign*, in that *line*.

        Raises:
            SourceError: what came before it leaves none of them.
        """
        left = self.dialects & dialects
        if left == self.dialects or (not left and len(self.dialects) == 1):
            return
        if not left:
            raise self.mixed(sign, line)
        self.dialects = left
        self.signs.append(f"line {line} has {sign}")
        self._change()

    def mixed(self, sign: str, line: int) -> SourceError:
        """Return the error that says that a *sign* is of another database than what came before it."""
        return SourceError(
            f"line {line} of the dump has {sign}, and what is before it is of another database"
            f" ({' and '.join(self.signs)}); import them one by one, or {_GIVE}"
        )

    def doubt(self, what: str, line: int) -> SourceError:
        """Return the error that says that databases read *what* in different ways."""
        titles = " and ".join(dialect.label for dialect in Dialect if dialect in self.dialects)
        return SourceError(
            f"line {line} of the dump has {what}, which {titles} do not read alike, and nothing before it tells whose"
            f" dump this is; {_GIVE}"
        )

    def set_mode(self, sql_mode: frozenset[str] | None) -> None:
        """Set MySQL's modes."""
        self.sql_mode = sql_mode
        self._change()

    def set_conforming(self, *, conforming: bool) -> None:
        """Set PostgreSQL's `standard_conforming_strings`."""
        self.conforming = conforming
        self._change()

    def set_delimiter(self, delimiter: bytes) -> None:
        """Set what ends a statement."""
        self.delimiter = delimiter
        self._change()

    @property
    def quotes_names(self) -> bool | None:
        """Whether MySQL takes what is between double quotes for a name; None where that cannot be told."""
        return None if self.sql_mode is None else not self.sql_mode.isdisjoint(_ANSI_MODES)

    def _change(self) -> None:
        self.version += 1
        self.escapes = _common(self._escapes_in(dialect) for dialect in self.dialects)
        self.escapes_in_double_quotes = _common(
            dialect is Dialect.MYSQL and self.quotes_names is not True and self._escapes_in(dialect)
            for dialect in self.dialects
        )

    def _escapes_in(self, dialect: Dialect) -> bool | None:
        if dialect is Dialect.MYSQL:
            return None if self.sql_mode is None else "NO_BACKSLASH_ESCAPES" not in self.sql_mode
        return dialect is Dialect.POSTGRESQL and not self.conforming


def _common(answers: Iterable[bool | None]) -> bool | None:
    """Return the one answer that all give, None if they differ."""
    different = set(answers)
    return different.pop() if len(different) == 1 else None

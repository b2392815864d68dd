"""Detects the dialect of a dump, and keeps the settings in force while it is read.

At first a dump may be of any dialect. Each construct that only some databases have rules out the others. Text that all
remaining dialects read alike is read that way. If they would read different values, the reading ends with an error that
asks for the dialect.
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
        """The dialect's name, for people."""
        return {"mysql": "MySQL or MariaDB", "postgresql": "PostgreSQL", "sqlite": "SQLite"}[self.value]


MYSQL: Final = frozenset({Dialect.MYSQL})
POSTGRESQL: Final = frozenset({Dialect.POSTGRESQL})
SQLITE: Final = frozenset({Dialect.SQLITE})
ANY: Final = frozenset(Dialect)
_ANSI_MODES: Final = frozenset({"ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"})
_GIVE: Final = "say --dialect mysql, postgresql or sqlite"


class Session:
    """The possible dialects of a dump, and the settings that decide how its literals are read.

    Args:
        given: the dialect that the command line names, or None.
        backslash_escapes: whether a backslash escapes in MySQL's texts, until the dump says otherwise.

    Attributes:
        dialects: the dialects that remain possible.
        signs: the constructs that ruled out the others, each with its line.
        sql_mode: MySQL's modes. None when the dump sets them to an unknown value.
        conforming: PostgreSQL's `standard_conforming_strings`.
        delimiter: what ends a statement.
        escapes: whether a backslash escapes in a text. None when it is undetermined.
        escapes_in_double_quotes: the same between double quotes, which enclose texts in MySQL and names elsewhere.
        version: changes whenever one of the attributes above changes.
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
        """The dialect. None while several are possible."""
        return next(iter(self.dialects)) if len(self.dialects) == 1 else None

    def may_be(self, dialect: Dialect) -> bool:
        """Tell whether the dump may be of this *dialect*."""
        return dialect in self.dialects

    def narrow(self, dialects: frozenset[Dialect], sign: str, line: int) -> None:
        """Keep only these *dialects* as possible, because the *sign* in this *line* exists only in them.

        Raises:
            SourceError: earlier signs rule out all of them.
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
        """Return the error for a *sign* that belongs to another database than the text before it."""
        return SourceError(
            f"line {line} of the dump has {sign}, but the text before it is from another database"
            f" ({' and '.join(self.signs)}); import them one by one, or {_GIVE}"
        )

    def doubt(self, what: str, line: int) -> SourceError:
        """Return the error for *what* the possible databases read in different ways."""
        titles = " and ".join(dialect.label for dialect in Dialect if dialect in self.dialects)
        return SourceError(
            f"line {line} of the dump has {what}, which {titles} do not read alike, and nothing before it tells the"
            f" dialect of the dump; {_GIVE}"
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
        """Whether double quotes enclose a name in MySQL. None when it is undetermined."""
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
    """Return the answer that all *answers* share, None if they differ."""
    different = set(answers)
    return different.pop() if len(different) == 1 else None

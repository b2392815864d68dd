"""The sources of rows. Each gives its rows one at a time, in constant memory, and in the same order every time.

Values keep the source's types: text is `str`, numbers are `int`, `Decimal` or `float`, booleans are `bool`, NULL is
None. Bytes, and text that is not in its declared character set, are `bytes`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from auth_jwt.errors import AuthJwtError
from auth_jwt.provisioning.changes import Table


class SourceError(AuthJwtError):
    """The source cannot be read, or is not what the command line says. The message holds no value and no password."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row as the source has it.

    Attributes:
        table: which of the two tables it belongs to.
        place: its place in the source, for people: `line 7`.
        values: the values of its columns, by the source's names.
        flaw: why the row could not be read, or None. A row with a flaw has no values.
    """

    table: Table
    place: str
    values: Mapping[str, object] = field(repr=False, default_factory=dict)
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A reason to think that a source lacks rows.

    Attributes:
        why: the reason. It shows no value.
        place: where the gap was found, for people: `line 7`.
    """

    why: str
    place: str | None = None

    def __str__(self) -> str:
        """Return the gap as a line of text."""
        return self.why if self.place is None else f"{self.place}: {self.why}"

    def as_json(self) -> dict[str, str]:
        """Return the gap as a JSON object."""
        return {"why": self.why} if self.place is None else {"place": self.place, "why": self.why}


@dataclass(frozen=True, slots=True)
class SourceReading:
    """How a source was read, if there are several ways.

    Attributes:
        dialect: the dialect of its SQL. None when all dialects read it alike.
        because: what the dialect was detected by.
    """

    dialect: str | None
    because: str

    def as_json(self) -> dict[str, str | None]:
        """Return the reading as a JSON object."""
        return {"dialect": self.dialect, "because": self.because}


class Source(Protocol):
    """A place that rows come from."""

    @property
    def name(self) -> str:
        """The source's name, for people. It holds no password."""
        ...

    @property
    def fraction(self) -> float | None:
        """How much of the source has been read, from 0 to 1. None when it is unknown."""
        ...

    @property
    def reading(self) -> SourceReading | None:
        """How the source was last read, if there are several ways."""
        return None

    @property
    def gaps(self) -> Sequence[Gap]:
        """Why the last call of `rows` may lack rows. Complete once `rows` has given all of them."""
        return ()

    def keep(self) -> None:
        """Make a second call of `rows` give all rows again, even if the source is a pipe."""
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Give every row of the wanted tables, once.

        Raises:
            SourceError: the source cannot be read to its end.
        """
        ...

"""Where rows come from. Each source gives them one at a time, in flat memory, in an order that is the same every time.

Values are as natural as the source has them: text as `str`, numbers as `int`, `Decimal` or `float`, booleans, NULL as
None, and `bytes` for what is not text (or not in the character set it should be in).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from auth_jwt.errors import AuthJwtError
from auth_jwt.provisioning.changes import Table


class SourceError(AuthJwtError):
    """The source cannot be read, or is not what it was said to be. The message holds no value and no password."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row as the source has it.

    Attributes:
        table: which of the two tables it is of.
        place: where it stands, for people: `line 7`.
        values: what its columns hold, under the source's names.
        flaw: why it could not be read as a row, if so; it then has no values.
    """

    table: Table
    place: str
    values: Mapping[str, object] = field(repr=False, default_factory=dict)
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A reason to think that a source has not all its rows.

    Attributes:
        why: the reason, which shows no value.
        place: where it was found, for people: `line 7`.
    """

    why: str
    place: str | None = None

    def __str__(self) -> str:
        """Return it as a line of text."""
        return self.why if self.place is None else f"{self.place}: {self.why}"

    def as_json(self) -> dict[str, str]:
        """Return it as the members of a JSON object."""
        return {"why": self.why} if self.place is None else {"place": self.place, "why": self.why}


@dataclass(frozen=True, slots=True)
class SourceReading:
    """How a source was read, where there are several ways.

    Attributes:
        dialect: whose SQL it is; None: it is read alike, whosever it is.
        because: what says so.
    """

    dialect: str | None
    because: str

    def as_json(self) -> dict[str, str | None]:
        """Return it as a JSON object."""
        return {"dialect": self.dialect, "because": self.because}


class Source(Protocol):
    """A place that rows come from."""

    @property
    def name(self) -> str:
        """What it is, for people; without a password."""
        ...

    @property
    def fraction(self) -> float | None:
        """How much of it has been read, from 0 to 1; None where nobody knows."""
        ...

    @property
    def reading(self) -> SourceReading | None:
        """How it was read the last time, where there are several ways."""
        return None

    @property
    def gaps(self) -> Sequence[Gap]:
        """Why rows may be missing of those that `rows` gave the last time, once it has given all."""
        return ()

    def keep(self) -> None:
        """Have `rows` give all of them again when it is called again, of a pipe, too."""
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Give every row of the wanted tables, once.

        Raises:
            SourceError: it cannot be read (on).
        """
        ...

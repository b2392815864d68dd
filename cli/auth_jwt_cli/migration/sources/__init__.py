"""Where rows come from. Each source gives them one at a time, in flat memory, in an order that is the same every time.

Values are as natural as the source has them: text as `str`, numbers as `int`, `Decimal` or `float`, booleans, NULL as
None, and `bytes` for what is not text (or not in the character set it should be in).
"""

from collections.abc import Iterator, Mapping
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

    def keep(self) -> None:
        """Have `rows` give all of them again when it is called again, of a pipe, too."""
        ...

    def rows(self) -> Iterator[SourceRow]:
        """Give every row of the wanted tables, once.

        Raises:
            SourceError: it cannot be read (on), or a wanted table is not in it.
        """
        ...

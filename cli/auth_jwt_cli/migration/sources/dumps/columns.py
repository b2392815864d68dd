"""The columns of a table, as its CREATE TABLE declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


class Undetermined:
    """A value that a database computes, and a dump does not show."""


UNDETERMINED: Final = Undetermined()


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        name: its first word, in lower case (`double` for DOUBLE PRECISION), and `varying` behind it.
        length: the number in parentheses behind it, None without.
        is_array: whether there are many of them in a value.
    """

    name: str
    length: int | None = None
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: what it is called.
        type: what it holds.
        default: its value in rows that give none; `UNDETERMINED` where the database computes it.
        is_generated: whether its value is computed in every row.
    """

    name: str
    type: ColumnType | None
    default: object = field(default=None, repr=False)
    is_generated: bool = False


Columns = Mapping[str, Column]
"""Columns by their names in lower case, in their order."""

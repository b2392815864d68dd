"""The columns of a table, as its CREATE TABLE declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


class Undetermined:
    """A value that the database computes and the dump does not show."""


UNDETERMINED: Final = Undetermined()


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        name: the first word in lower case (`double` for DOUBLE PRECISION), followed by `varying` if there is one.
        length: the number in parentheses. None without one.
        is_array: whether the type is an array.
    """

    name: str
    length: int | None = None
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: the column's name.
        type: the column's type. None when it is unknown.
        default: the value in rows that give none. `UNDETERMINED` when the database computes it.
        is_generated: whether the database computes the value in every row.
    """

    name: str
    type: ColumnType | None
    default: object = field(default=None, repr=False)
    is_generated: bool = False


Columns = Mapping[str, Column]
"""Columns by their names in lower case, in the order of the table."""

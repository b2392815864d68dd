"""Tables of text. Where the terminal is too narrow for a row, its last cells go on lines below; nothing is cut off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from auth_jwt_cli.terminal import styled, width_of, wrapped

_GAP: Final = 2  # columns between two cells
_INDENT: Final = 2  # columns before the first cell of a further line
_NARROWEST_PROSE: Final = 30  # columns; prose that has fewer on a line begins a line of its own


class Cell(NamedTuple):
    """A cell: one line of text without control characters, and its style on terminals."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text.

    Attributes:
        rows: its rows, the titles included; all have the same number of cells.
        prose: the numbers of the columns whose text may be wrapped, at its blanks. All others are never broken.
        least: the least width of each column, so that it stays aligned with rows above; empty for none.
    """

    rows: Sequence[Sequence[Cell]]
    prose: frozenset[int] = frozenset()
    least: Sequence[int] = ()

    @property
    def widths(self) -> list[int]:
        """The columns that a terminal needs for each column of the table."""
        least = self.least or [0] * len(self.rows[0])
        return [max(most, *(width_of(row[column].text) for row in self.rows)) for column, most in enumerate(least)]

    def lines(self, width: int, *, with_styles: bool) -> Iterator[str]:
        """Yield the lines of the table.

        Args:
            width: the columns that there are. A line is longer only if it holds a single word that is.
            with_styles: whether styles are shown.
        """
        if not self.rows:
            return
        widths = self.widths
        parts = list(self._parts(widths, width))
        for row in self.rows:
            for columns in parts:
                cells, indent = [row[column] for column in columns], _INDENT if columns[0] else 0
                for line in _lines_of(cells, [widths[column] for column in columns], indent, width):
                    if line or not indent:
                        yield "".join(" " * gap + (styled(*cell) if with_styles else cell.text) for gap, cell in line)

    def _parts(self, widths: list[int], width: int) -> Iterator[list[int]]:
        """Yield the columns that stand beside each other; narrow the *widths* of prose to what there is."""
        part: list[int] = []
        used = 0
        for column, natural in enumerate(widths):
            least = self._least_width(column, natural)
            if part and used + _GAP + least > width:
                yield part
                part, used = [], _INDENT
            start = used + _GAP if part else used
            if column in self.prose:
                widths[column] = min(natural, max(width - start, 1))
            part.append(column)
            used = start + widths[column]
        yield part

    def _least_width(self, column: int, natural: int) -> int:
        """Return how many columns a column needs; prose at the end of a row may go below the row instead."""
        if column not in self.prose:
            return natural
        narrow = min(natural, _NARROWEST_PROSE)
        if column == len(self.rows[0]) - 1:
            return narrow
        return max(narrow, *(width_of(word) for row in self.rows for word in row[column].text.split(" ")))


def _lines_of(
    cells: Sequence[Cell], widths: Sequence[int], indent: int, width: int
) -> Iterator[list[tuple[int, Cell]]]:
    """Yield lines of cells, each with the blanks before it. Only prose may be wider than its column."""
    *before, last = cells
    texts = [wrapped(cell.text, most) for cell, most in zip(cells, widths, strict=True)]
    if before and max(map(width_of, texts[-1])) > widths[-1]:  # a word that is too long, below the row
        yield from _lines_of(before, widths[:-1], indent, width)
        yield from ([(_INDENT, last._replace(text=text))] for text in wrapped(last.text, width - _INDENT))
        return
    for number in range(max(map(len, texts))):
        line, owed = [], indent
        for cell, lines, most in zip(cells, texts, widths, strict=True):
            text = lines[number] if number < len(lines) else ""
            if text:
                line.append((owed, cell._replace(text=text)))
                owed = 0
            owed += most - width_of(text) + _GAP
        yield line

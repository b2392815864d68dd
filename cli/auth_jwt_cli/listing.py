"""Lists, shown page by page as they are read, so that the first rows come at once and a list of any length fits.

As JSON, a list is JSON Lines: each line is one object of the list, and there are no other lines. The list is whole if
the exit code is 0. As text, the rows are aligned, and a column never gets narrower from one page to the next.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from auth_jwt_cli.output import Output, render_cell
from auth_jwt_cli.text_tables import Cell, TextTable

Listed = tuple[dict[str, Any], Sequence[object]]
"""One object of a list: its members, and the cells of its line of text."""


class Listing:
    """A list that is shown page by page. As text, columns are at least as wide as those of the pages before.

    Args:
        output: where it is shown.
        titles: the titles of the columns.
    """

    def __init__(self, output: Output, titles: Sequence[str]) -> None:
        self._output = output
        self._titles: Sequence[Cell] | None = [Cell(title, "bold") for title in titles]
        self._least: Sequence[int] = ()

    def show(self, page: Iterable[Listed]) -> int:
        """Show a *page*, the first one under titles, and return how many objects it has.

        Raises:
            NotShown: standard output cannot be written.
        """
        listed = tuple(page)
        if listed:
            documents = (document for document, _ in listed)
            self._output.show_lines(documents, *([] if self._output.as_json else [self.table(listed)]))
        return len(listed)

    def table(self, page: Sequence[Listed]) -> TextTable:
        """Return the table of a *page*."""
        rows = [[Cell(render_cell(cell)) for cell in cells] for _, cells in page]
        if self._titles is not None:
            rows.insert(0, list(self._titles))
            self._titles = None
        made = TextTable(rows, least=self._least)
        self._least = made.widths
        return made


def show_list(output: Output, titles: Sequence[str], pages: Iterable[Iterable[Listed]]) -> int:
    """Show the *pages* of a list, each as soon as it is read, and return how many objects there were.

    Where a person waits at a terminal while the rows go into a file or a pipe, standard error counts them.

    Raises:
        NotShown: standard output cannot be written.
    """
    listing = Listing(output, titles)
    count = 0
    if sys.stderr.isatty() and not sys.stdout.isatty():
        from auth_jwt_cli.migration.progress import progress_on

        with progress_on() as progress:
            for page in pages:
                count += listing.show(page)
                progress.update(None, f"{count} listed")
    else:
        for page in pages:
            count += listing.show(page)
    if not count:
        output.show_lines((), listing.table(()))
    return count

"""Scans of whole tables from an operator's machine: their pace, their progress, and what they cost."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from auth_jwt.errors import Throttled
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.output import Output, pluralize

if TYPE_CHECKING:
    from auth_jwt.provisioning.changes import NoIndex
    from auth_jwt.provisioning.finding import Finding

ReadUnits = Annotated[
    int | None,
    typer.Option(
        "--read-units",
        metavar="N",
        min=1,
        help="How many read units a second a scan of the table takes; without it, 1000. Logins need the rest.",
    ),
]

_WORTH_A_NOTE: Final = 100  # read units: a tenth of a second at the usual pace


class Scanning:
    """Paces a scan and tells its progress, a line every few seconds. It is the `proceed` of a search.

    Args:
        output: where notes go.
        rate: the read units that the scan may take in a second; None takes the usual number.
        before: called after each page, before the scan waits: it shows what was found so far.
    """

    def __init__(self, output: Output, rate: int | None, before: Callable[[], None] = lambda: None) -> None:
        from auth_jwt.provisioning.endings import Pace
        from auth_jwt_cli.migration.progress import Lines

        self._output = output
        self._pace = Pace(None, rate=rate, clock=time.monotonic, pause=time.sleep)
        self._lines = Lines(sys.stderr)
        self._before = before
        self._note: str | None = None
        self._read_units = 0.0
        self._rows = 0
        self._rows_before = 0  # of scans that have ended

    def __call__(self, read_units: float, rows: int) -> None:
        """Go on after a page that cost so many *read_units*; *rows* of the scan were looked at so far."""
        self._before()
        if rows < self._rows:  # another scan has begun
            self._rows_before += self._rows
        self._read_units += read_units
        self._rows = rows
        if self._note is not None and self._read_units > _WORTH_A_NOTE:
            self._output.note(self._note)
            self._note = None
        self._lines.update(None, f"{self._rows_before + rows:,} rows looked at, {self._read_units:,.0f} read units")
        self._pace.keep(read_units)

    def note_if_long(self, text: str) -> None:
        """Write a note as soon as the scan is one that somebody notices."""
        self._note = text

    def tell_cost(self) -> None:
        """Tell what was looked at, and what it cost."""
        rows = self._rows_before + self._rows
        if rows:
            units = f"{self._read_units:,.0f} read unit{'' if round(self._read_units) == 1 else 's'}"
            self._output.note(f"Looked at {pluralize(rows, 'row')}, {units}.")


def finding_by(connection: Connection, scanning: Scanning) -> "Finding":
    """Return what finds profiles, at the pace of *scanning*.

    A note says why a SIP user is not found by an index, unless the table is so small that none would change anything.
    """
    from auth_jwt.provisioning.finding import Finding

    return Finding(
        connection.reading.registry,
        proceed=scanning,
        tell_no_index=lambda reason: scanning.note_if_long(_describe_absence(connection, reason)),
    )


@contextmanager
def naming_the_pace(remedy: str = "`--read-units` makes the scan slower") -> Iterator[None]:
    """Let the error of a scan that is throttled say what makes it slower: *remedy*.

    Raises:
        Throttled: the table gives fewer read units than the scan takes.
    """
    try:
        yield
    except Throttled as problem:
        raise Throttled(f"{problem}; {remedy}") from problem


def _describe_absence(connection: Connection, reason: "NoIndex") -> str:
    from auth_jwt.provisioning.tables import USERNAME_INDEX

    table = connection.settings.profiles_table
    if reason.is_denied:
        what = f"your AWS identity may not ask the index {USERNAME_INDEX} of the table {table} (dynamodb:Query)"
    else:
        what = f"the table {table} has no index {USERNAME_INDEX} that can be asked"
    return f"{what}, so the whole table is scanned. With it, this takes one read: docs/operations.md."

"""Shows the progress of a long job on standard error: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TextIO

from auth_jwt_cli.migration.target import Waiting
from auth_jwt_cli.terminal import has_cursor

_SECONDS_BETWEEN_LINES: Final = 5.0
_SECONDS_BETWEEN_PAUSES: Final = 1.0


class Progress(Protocol):
    """Shows the progress of a job."""

    def update(self, fraction: float | None, text: str) -> None:
        """Show that a *fraction* of the job is done (None when it is unknown), with a *text* of a few words."""
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...


class Silence:
    """Shows no progress."""

    def update(self, fraction: float | None, text: str) -> None:
        """See `Progress`."""

    def say(self, text: str) -> None:
        """See `Progress`."""


@dataclass(slots=True)
class Lines:
    """A line every few seconds, for logs and pipes."""

    stream: TextIO
    timer: Callable[[], float] = time.monotonic
    _next: float | None = None

    def update(self, fraction: float | None, text: str) -> None:
        """See `Progress`. A short job gets no line."""
        now = self.timer()
        if self._next is None:
            self._next = now + _SECONDS_BETWEEN_LINES
        elif now >= self._next:
            self._next = now + _SECONDS_BETWEEN_LINES
            self.say(text if fraction is None else f"{fraction:4.0%}  {text}")

    def say(self, text: str) -> None:
        """See `Progress`."""
        print(text, file=self.stream, flush=True)


@contextmanager
def progress_on(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Progress]:
    """Show progress on *stream* (standard error) while the block runs."""
    stream = stream or sys.stderr
    if quiet:
        yield Silence()
    elif has_cursor(stream):
        with _bar_on(stream) as bar:
            yield bar
    else:
        yield Lines(stream)


@contextmanager
def _bar_on(stream: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with RichProgress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("", total=None)

        class Bar:
            """A bar, with the text beside it."""

            def update(self, fraction: float | None, text: str) -> None:
                """See `Progress`."""
                bar.update(task, total=None if fraction is None else 1.0, completed=fraction or 0.0, description=text)

            def say(self, text: str) -> None:
                """See `Progress`."""
                bar.console.print(text, markup=False, highlight=False)

        yield Bar()


@dataclass(slots=True)
class PauseTeller:
    """Reports pauses, at most once a second: many threads may wait at once."""

    progress: Progress
    timer: Callable[[], float] = time.monotonic
    pauses: int = 0
    _next: float = 0.0

    def __call__(self, pause: Waiting) -> None:
        """Report one pause."""
        self.pauses += 1
        if self.timer() >= self._next:
            self._next = self.timer() + _SECONDS_BETWEEN_PAUSES
            self.progress.say(f"waiting {pause.seconds:.1f} s: {pause.why}")

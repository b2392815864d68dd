"""What the commands write: results to standard output, for people or as JSON; everything else to standard error."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from auth_jwt.errors import AuthJwtError, Conflict, Fault, Invalid, Rejected

REFUSED: Final = 1
USAGE: Final = 2
CONFLICT: Final = 3
FAULT: Final = 4
UNSHOWN: Final = 5
INTERRUPTED: Final = 130
UNREAD: Final = 141  # as a shell says of what SIGPIPE ended
EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done; of `token explain`: the token would be accepted",
    REFUSED: "rejected, not found, or not confirmed; of `token explain`: the token would be refused; "
    "of `config check` and `lint`: something is wrong",
    USAGE: "the command line is wrong",
    CONFLICT: "the tables hold something else than the command supposes: look at them, then try again",
    FAULT: "the tables cannot be used (unreachable, missing, not permitted), or a setting cannot be",
    UNSHOWN: "the result could not be shown; what was to be written to the tables is written",
    INTERRUPTED: "interrupted; standard error says so if something was, or may have been, written",
    UNREAD: "nobody read the result to its end, and there was nothing to write",
}
"""What each exit code means."""

_WIDE: Final = 250  # of what is not a terminal: nothing is to be cut off there


class Misused(Invalid):
    """The command line is wrong in a way that only the command itself sees."""


class NotShown(Exception):
    """Standard output does not take a result.

    Attributes:
        reason: why.
        is_unread: whether that is because nobody reads it any more: `| head`.
        lost: what of it is not shown again, a value made here; None when nothing is.
    """

    def __init__(self, reason: str, *, is_unread: bool = False, lost: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unread = is_unread
        self.lost = lost


class Output:
    """Where one command writes.

    Attributes:
        as_json: whether results are JSON documents, one a command, for other programs.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def show(self, document: Any, *parts: RenderableType) -> None:  # noqa: ANN401 - any JSON value
        """Show a result: the *document* as JSON, or the *parts* to people.

        Raises:
            NotShown: standard output does not take it.
        """
        with _shown():
            if self.as_json:
                _write(f"{json.dumps(document)}\n", sys.stdout)
            else:
                for part in parts:
                    _print(part, sys.stdout)

    def write(self, text: str) -> None:
        """Write a part of a document that comes bit by bit.

        Raises:
            NotShown: standard output does not take it.
        """
        with _shown():
            _write(text, sys.stdout)

    def aside(self, part: RenderableType) -> None:
        """Show people something that is not the result."""
        with contextlib.suppress(OSError):  # the result counts
            _print(part, sys.stderr)

    def note(self, text: str) -> None:
        """Tell people something beside the result."""
        _say(text)

    def warn(self, text: str) -> None:
        """Tell people of something that is not as it should be."""
        warn(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on only if a person at a terminal agrees, or if *yes* was said beforehand.

        Raises:
            typer.Exit: neither is so.
        """
        if yes:
            return
        if not is_interactive():
            complain("nobody is there to confirm this: add --yes")
            raise typer.Exit(USAGE)
        if not typer.confirm(question, err=True):
            complain("nothing was done")
            raise typer.Exit(REFUSED)


def is_interactive() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def complain(message: str) -> None:
    """Say what is wrong."""
    _say(message, "Error: ", "bold red")


def warn(message: str) -> None:
    """Tell people of something that is not as it should be."""
    _say(message, "Warning: ", "yellow")


def code_of(error: AuthJwtError) -> int:
    """Return the exit code that an *error* has."""
    codes: tuple[tuple[type[AuthJwtError], int], ...] = (
        (Misused, USAGE),
        (Conflict, CONFLICT),
        (Rejected, REFUSED),
        (Fault, FAULT),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), REFUSED)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong, and end with *code*."""
    complain(message)
    raise typer.Exit(code)


def shown(value: object) -> str:
    """Return *value* on one line, with what a terminal would obey made visible."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "-" if value is None else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Make a table of plain text."""
    drawn = Table(*titles, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in drawn.columns:
        column.overflow = "fold"
    for row in rows:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    return drawn


def details(pairs: Mapping[str, object]) -> Table:
    """Make a table of names and values."""
    drawn = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs.items():
        drawn.add_row(Text(shown(name)), Text(shown(value)))
    return drawn


def marked(rows: Iterable[tuple[tuple[str, str], str, str]]) -> Table:
    """Make a table whose rows begin with a mark: a word, and its style on terminals."""
    drawn = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for (word, style), *cells in rows:
        drawn.add_row(Text(word, style), *(Text(shown(cell)) for cell in cells))
    return drawn


def counted(number: int, word: str) -> str:
    """Say how many: `1 secret`, `2 secrets`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotShown(os.strerror(error.errno or errno.EIO), is_unread=error.errno == errno.EPIPE) from None


def _print(part: RenderableType, stream: IO[str] | None, *, soft_wrap: bool = False) -> None:
    """Print without the blanks with which tables fill their last column."""
    console = _console(stream)
    with console.capture() as captured:  # so that Rich itself writes nothing: it would end the process at a broken pipe
        console.print(part, markup=False, soft_wrap=soft_wrap or isinstance(part, str))
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]), stream)


def _write(text: str, stream: IO[str] | None) -> None:
    """Write *text* to the end.

    Raises:
        OSError: the *stream* does not take it. What is left of it goes nowhere, or the interpreter would try again as
            it ends, and complain.
    """
    if stream is None:  # as Python has it where the descriptor is closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        stream.write(text)
        stream.flush()  # where nobody reads any more, that is to be known here
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        raise


def _say(text: str, label: str = "", style: str = "") -> None:
    with contextlib.suppress(OSError):  # whoever does not listen is not to change how a command ends
        _print(Text.assemble((label, style), shown(text)), sys.stderr, soft_wrap=True)


def _console(stream: IO[str] | None) -> Console:
    """Make a console: Rich leaves colours out where there is no terminal, and where NO_COLOR is set."""
    width = None if stream is not None and stream.isatty() else _WIDE
    return Console(file=stream, highlight=False, emoji=False, width=width)

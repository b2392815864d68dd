"""The output of commands: results go to standard output, as text or JSON; everything else goes to standard error."""

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

from auth_jwt.aws.failures import remedy_of
from auth_jwt.errors import AuthJwtError, Conflict, Fault, Invalid, Rejected

REFUSED: Final = 1
USAGE: Final = 2
CONFLICT: Final = 3
FAULT: Final = 4
UNSHOWN: Final = 5
INTERRUPTED: Final = 130
UNREAD: Final = 141  # the code that a shell reports for a process that SIGPIPE ended
EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done; of `token explain` and `issuer test`: the token would be accepted",
    REFUSED: "rejected, not found, or not confirmed; of `token explain` and `issuer test`: the token would be denied; "
    "of `config check` and `lint`: something is wrong",
    USAGE: "the command line is wrong",
    CONFLICT: "the tables do not hold what the command expects: check them, then try again",
    FAULT: "the tables cannot be used (unreachable, missing, not permitted), or a setting has an invalid value",
    UNSHOWN: "the result could not be shown; the write to the tables is done",
    INTERRUPTED: "interrupted; standard error says so if something was, or may have been, written",
    UNREAD: "nobody read the result to its end, and there was nothing to write",
}
"""What each exit code means."""

_WIDE: Final = 250  # columns, where output is no terminal, so that nothing is cut off


class Misused(Invalid):
    """The command line is wrong, in a way that only the command itself can detect."""


class NotShown(Exception):
    """The result could not be written to standard output.

    Attributes:
        reason: why it could not be written.
        is_unread: whether the reader has stopped reading, as `head` does.
        lost: the name of a generated value that is lost with it; None if nothing is lost.
    """

    def __init__(self, reason: str, *, is_unread: bool = False, lost: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unread = is_unread
        self.lost = lost


class Output:
    """The output of one command.

    Attributes:
        as_json: whether the result is written as one JSON document, for other programs.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def show(self, document: Any, *parts: RenderableType) -> None:  # noqa: ANN401 - any JSON value
        """Show a result: the *document* as JSON, or else the *parts* as text.

        Raises:
            NotShown: standard output cannot be written.
        """
        with _detect_closed_output():
            if self.as_json:
                _write(f"{json.dumps(document)}\n", sys.stdout)
            else:
                for part in parts:
                    _print(part, sys.stdout)

    def write(self, text: str) -> None:
        """Write one part of a document that is written in parts.

        Raises:
            NotShown: standard output cannot be written.
        """
        with _detect_closed_output():
            _write(text, sys.stdout)

    def aside(self, part: RenderableType) -> None:
        """Show something that is not the result on standard error."""
        with contextlib.suppress(OSError):  # only the result matters
            _print(part, sys.stderr)

    def note(self, text: str) -> None:
        """Write a note to standard error."""
        _say(text)

    def warn(self, text: str) -> None:
        """Write a warning to standard error."""
        warn(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Continue only if *yes* is given, or a person at the terminal agrees.

        Raises:
            typer.Exit: the person does not agree, or there is no terminal.
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
    """Tell whether a person at a terminal can answer questions."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def complain(message: str) -> None:
    """Write an error message to standard error."""
    _say(message, "Error: ", "bold red")


def warn(message: str) -> None:
    """Write a warning to standard error."""
    _say(message, "Warning: ", "yellow")


def code_of(error: AuthJwtError) -> int:
    """Return the exit code for an *error*."""
    codes: tuple[tuple[type[AuthJwtError], int], ...] = (
        (Misused, USAGE),
        (Conflict, CONFLICT),
        (Rejected, REFUSED),
        (Fault, FAULT),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), REFUSED)


def message_of(error: AuthJwtError) -> str:
    """Return the message of an *error*, and what the operator can do about it where AWS's answer tells."""
    remedy = remedy_of(error) if isinstance(error, Fault) else None
    return f"{str(error).rstrip('.')}. {remedy}" if remedy else str(error)


def fail(message: str, code: int) -> NoReturn:
    """Write an error message, and end the command with the exit code *code*."""
    complain(message)
    raise typer.Exit(code)


def render_cell(value: object) -> str:
    """Return *value* on one line, with control characters escaped, so that it cannot control the terminal."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "-" if value is None else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Make a table of plain text with *titles*."""
    drawn = Table(*titles, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in drawn.columns:
        column.overflow = "fold"
    for row in rows:
        drawn.add_row(*(Text(render_cell(cell)) for cell in row))
    return drawn


def details(pairs: Mapping[str, object]) -> Table:
    """Make a table without titles: a name and its value in each row."""
    drawn = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs.items():
        drawn.add_row(Text(render_cell(name)), Text(render_cell(value)))
    return drawn


def marked(rows: Iterable[tuple[tuple[str, str], str, str]]) -> Table:
    """Make a table whose rows begin with a mark: a word, and its style on terminals."""
    drawn = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for (word, style), *cells in rows:
        drawn.add_row(Text(word, style), *(Text(render_cell(cell)) for cell in cells))
    return drawn


def pluralize(number: int, word: str) -> str:
    """Return the number with its noun: `1 secret`, `2 secrets`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def _detect_closed_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotShown(os.strerror(error.errno or errno.EIO), is_unread=error.errno == errno.EPIPE) from None


def _print(part: RenderableType, stream: IO[str] | None, *, soft_wrap: bool = False) -> None:
    """Print without trailing blanks, with which Rich fills the last column of tables."""
    console = _console(stream)
    with console.capture() as captured:  # Rich must not write by itself: it ends the process at a broken pipe
        console.print(part, markup=False, soft_wrap=soft_wrap or isinstance(part, str))
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]), stream)


def _write(text: str, stream: IO[str] | None) -> None:
    """Write the whole *text* to *stream*.

    Raises:
        OSError: the stream cannot be written. The rest is then discarded: otherwise the interpreter would try to write
            it at exit, and print an error.
    """
    if stream is None:  # Python sets None if the descriptor is closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        stream.write(text)
        stream.flush()  # so that a reader who has gone is noticed here
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        raise


def _say(text: str, label: str = "", style: str = "") -> None:
    with contextlib.suppress(OSError):  # a closed standard error must not change the exit code
        _print(Text.assemble((label, style), render_cell(text)), sys.stderr, soft_wrap=True)


def _console(stream: IO[str] | None) -> Console:
    """Make a console. Rich omits colours without a terminal, and when NO_COLOR is set."""
    width = None if stream is not None and stream.isatty() else _WIDE
    return Console(file=stream, highlight=False, emoji=False, width=width)

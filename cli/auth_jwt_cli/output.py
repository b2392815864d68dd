"""The output of commands: results go to standard output, as text or JSON; everything else goes to standard error."""

import contextlib
import errno
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NoReturn

import typer

from auth_jwt.errors import AuthJwtError, Conflict, Fault, Invalid, Rejected
from auth_jwt.wording import pluralize as pluralize  # noqa: PLC0414 - commands take all their output from here
from auth_jwt_cli.terminal import columns_of, has_styles, styled
from auth_jwt_cli.text_tables import Cell, TextTable

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
    "of `config check`, `doctor` and `lint`: something is wrong; of `why`: something refuses the user",
    USAGE: "the command line is wrong",
    CONFLICT: "the tables do not hold what the command expects: check them, then try again",
    FAULT: "the tables, the log or the audit cannot be used (unreachable, missing, not permitted), or a setting has an "
    "invalid value",
    UNSHOWN: "the write to the tables is done, and its result or its line of audit could not be written",
    INTERRUPTED: "interrupted; standard error says so if something was, or may have been, written",
    UNREAD: "nobody read the result to its end, and there was nothing to write",
}
"""What each exit code means."""

_TOKEN: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]*\.[\w-]*(?:\.[\w-]*){0,2}")
"""A token in compact form: its header begins with `{"` (RFC 7515, section 7.1)."""

Part = str | TextTable
"""A part of a result: text whose lines stay as they are, or a table."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command writes, as its questions name it.

    Attributes:
        name: what a question calls it.
        protected: the context whose name a person must type where a command asks; None if none must.
        is_named: whether the command line itself names that context.
    """

    name: str
    protected: str | None = None
    is_named: bool = False


class Output:
    """The output of one command.

    Attributes:
        as_json: whether the result is written as JSON, for other programs: a document, or of a list an object a line.
        place: where the command writes, for its questions; None if it does not.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.place: Place | None = None

    def show(self, document: Any, *parts: Part) -> None:  # noqa: ANN401 - any JSON value
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

    def show_lines(self, documents: Iterable[Any], *parts: Part) -> None:
        """Show a short list: the *documents* as JSON Lines, or else the *parts* as text. Long ones are `listing`'s.

        Raises:
            NotShown: standard output cannot be written.
        """
        if self.as_json:
            self.write("".join(f"{json.dumps(document)}\n" for document in documents))
        else:
            self.show(None, *parts)

    def write(self, text: str) -> None:
        """Write one part of a document that is written in parts.

        Raises:
            NotShown: standard output cannot be written.
        """
        with _detect_closed_output():
            _write(text, sys.stdout)

    def aside(self, part: Part) -> None:
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
        """Continue only if *yes* is given, or a person at the terminal agrees. The question names where it is done.

        In a protected context a person agrees by typing its name, and *yes* counts only if the command line itself
        names the context: what a variable or a file chose is easily forgotten.

        Raises:
            typer.Exit: the person does not agree, or there is no terminal.
        """
        place = self.place
        protected = None if place is None else place.protected
        if yes and (protected is None or (place is not None and place.is_named)):
            return
        if yes and not is_interactive():
            complain(f"the context {protected} is protected: --yes counts only together with --context {protected}")
            raise typer.Exit(USAGE)
        if not is_interactive():
            complain(
                "this needs a confirmation, and there is no terminal: add --yes"
                + (f" --context {protected}" if protected else "")
            )
            raise typer.Exit(USAGE)
        where = question if place is None else f"{question.removesuffix('?')}, in {place.name}?"
        if protected is None:
            agreed = typer.confirm(where, err=True)
        else:
            agreed = (
                typer.prompt(f"{where} Type {protected} to do it", default="", show_default=False, err=True)
                == protected
            )
        if not agreed:
            complain("nothing was done")
            raise typer.Exit(REFUSED)


class Muted(Output):
    """The output of a command that only rehearses. What it says of its result would not be true; warnings are."""

    def show(self, document: Any, *parts: Part) -> None:  # noqa: ANN401
        """Show no result."""

    def show_lines(self, documents: Iterable[Any], *parts: Part) -> None:
        """Show no list."""

    def write(self, text: str) -> None:
        """Write no part of a document."""

    def note(self, text: str) -> None:
        """Write no note."""

    def confirm(self, question: str, *, yes: bool) -> None:
        """Do not ask: nothing is written."""


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
    """Return the message of an *error*, and what the operator can do about it where AWS's answer tells.

    `Connection.advise` has noted that, if it could, in the names of the command's own profile, region and account.
    """
    from auth_jwt.aws.failures import remedy_of

    noted = " ".join(getattr(error, "__notes__", ()))
    remedy = noted or (remedy_of(error) if isinstance(error, Fault) else None)
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


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, prose: Sequence[str] = ()) -> TextTable:
    """Make a table of plain text with *titles*. What is below the titles of *prose* may be wrapped, at its blanks.

    On a narrow terminal, the last columns go on lines below the first ones: put first what people look for.
    """
    return TextTable(
        [[Cell(title, "bold") for title in titles], *([Cell(render_cell(cell)) for cell in row] for row in rows)],
        prose=frozenset(map(titles.index, prose)),
    )


def details(pairs: Mapping[str, object]) -> TextTable:
    """Make a table without titles: a name and its value in each row."""
    return TextTable(
        [[Cell(render_cell(name), "bold"), Cell(render_cell(value))] for name, value in pairs.items()],
        prose=frozenset({1}),
    )


def marked(rows: Iterable[tuple[tuple[str, str], str, str]]) -> TextTable:
    """Make a table whose rows begin with a mark: a word, and its style on terminals. They end with prose."""
    return TextTable(
        [[Cell(*mark), Cell(render_cell(about)), Cell(render_cell(text))] for mark, about, text in rows],
        prose=frozenset({2}),
    )


def prose(text: str) -> TextTable:
    """Make a part whose lines are wrapped to the terminal, each below where it begins."""
    return TextTable([[Cell(render_cell(text))]], prose=frozenset({0}))


@contextlib.contextmanager
def _detect_closed_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotShown(os.strerror(error.errno or errno.EIO), is_unread=error.errno == errno.EPIPE) from None


def _print(part: Part, stream: IO[str] | None) -> None:
    if isinstance(part, TextTable):
        lines: Iterable[str] = part.lines(columns_of(stream), with_styles=has_styles(stream))
    else:
        lines = (part,)
    _write("".join(f"{line}\n" for line in lines), stream)


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
    """Write to standard error, and show no token: somebody may have pasted it where a name belongs."""
    text = _TOKEN.sub("(a token)", text)
    with contextlib.suppress(OSError):  # a closed standard error must not change the exit code
        _print(f"{styled(label, style) if has_styles(sys.stderr) else label}{render_cell(text)}", sys.stderr)

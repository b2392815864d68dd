"""What a command is told in confidence: secrets and tokens, from a prompt, a file or standard input only.

An argument would stand in the shell's history and in the list of processes. No message repeats the name of a file,
either: it could be what should have been in the file.
"""

import sys
from pathlib import Path
from typing import Final

import typer

from auth_jwt.errors import Invalid
from auth_jwt_cli.output import USAGE, fail, is_interactive

STDIN: Final = Path("-")
_MAX_BYTES: Final = 1_000_000


def text_of(path: Path, what: str) -> str:
    """Return the whole text of a file, `-` for standard input.

    Args:
        path: of the file.
        what: it is, for messages.

    Raises:
        Invalid: it cannot be read, is no UTF-8 or far too long.
    """
    try:
        if path == STDIN:
            octets = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                octets = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"the file of {what} cannot be read: {error.strerror}") from None
    if len(octets) > _MAX_BYTES:
        raise Invalid(f"the file of {what} has more than {_MAX_BYTES} bytes")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"the file of {what} is not UTF-8 text") from None


def secret_text(path: Path | None, *, exact: bool = False, twice: bool = True) -> str:
    """Return a secret: from the file *path*, or else from a prompt that shows nothing.

    Args:
        path: of the file, `-` for standard input; None asks at the terminal.
        exact: whether the file's last end of line is part of the secret; otherwise one LF or CR LF is taken off.
        twice: whether a person has to type it twice.
    """
    if path is not None:
        text = text_of(path, "the secret")
        return text if exact else without_line_end(text)
    if not is_interactive():
        fail("a secret is read from --secret-file FILE (`-` is standard input) or asked for at a terminal", USAGE)
    asked: str = typer.prompt("Secret", hide_input=True, confirmation_prompt=twice, err=True)
    return asked


def token_text(path: Path | None) -> str:
    """Return a token, blanks around it aside: from the file *path*, a prompt, or else standard input."""
    if path is None and sys.stdin.isatty():
        asked: str = typer.prompt("Token", hide_input=True, err=True)
        return asked.strip()
    return text_of(path or STDIN, "the token").strip(" \t\r\n")


def without_line_end(text: str) -> str:
    """Return *text* without the one LF or CR LF at its end, which an editor puts there."""
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")

"""What a command is told in confidence: secrets and tokens, from a prompt, a file or standard input only.

An argument would stand in the shell's history and in the list of processes. No message repeats the name of a file,
either: it could be what should have been in the file.
"""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from auth_jwt_cli.output import USAGE, Misused, complain, fail, is_interactive

STDIN: Final = Path("-")
_MAX_BYTES: Final = 1_000_000
_LINE_ENDS: Final = b"\r\n"


def octets_of(path: Path, what: str) -> bytes:
    """Return all bytes of a file, `-` for standard input.

    Args:
        path: of the file.
        what: it is, for messages.

    Raises:
        Misused: it cannot be read, or is far too long.
    """
    try:
        if path == STDIN:
            octets = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                octets = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Misused(f"the file of {what} cannot be read: {error.strerror}") from None
    if len(octets) > _MAX_BYTES:
        raise Misused(f"the file of {what} has more than {_MAX_BYTES} bytes")
    return octets


def text_of(path: Path, what: str, *, holds_key: bool = False) -> str:
    """Return the whole text of a file, `-` for standard input.

    Args:
        path: of the file.
        what: it is, for messages.
        holds_key: whether it may be a key, so that there is a command for its binary forms.

    Raises:
        Misused: it cannot be read, is no UTF-8 or far too long.
    """
    try:
        return octets_of(path, what).decode("utf-8")
    except UnicodeDecodeError:
        remedy = ": if it is a key in DER or in UTF-16, `auth-jwt key mend` writes it as PEM" if holds_key else ""
        raise Misused(f"the file of {what} is not UTF-8 text{remedy}") from None


def secret_text(path: Path | None, *, exact: bool = False, twice: bool = True) -> str:
    """Return a secret: from the file *path*, or else from a prompt that shows nothing.

    Args:
        path: of the file, `-` for standard input; None asks at the terminal.
        exact: whether the file's last end of line is part of the secret; otherwise one LF or CR LF is taken off.
        twice: whether a person has to type it twice.

    Raises:
        Misused: the file cannot be read, or nothing is typed.
    """
    if exact and path is None:
        raise Misused("--exact goes with --secret-file")
    if path is not None:
        text = text_of(path, "the secret", holds_key=True)
        return text if exact else without_line_end(text)
    if not is_interactive():
        fail("a secret is read from --secret-file FILE (`-` is standard input) or asked for at a terminal", USAGE)
    while True:
        secret = _asked("Secret")
        if not twice or _asked("Repeat for confirmation") == secret:
            return secret
        complain("the two are not the same")


def given_secret(path: Path | None, *, exact: bool, generate: bool, out: Path | None, asks: bool = True) -> str | None:
    """Return the secret that a command is given; None when it is to make one, or is given none.

    Args:
        path: of its file; see `secret_text`.
        exact: see `secret_text`.
        generate: whether it is to be made.
        out: where a secret that is made goes.
        asks: whether one is asked for when nothing is said of it.

    Raises:
        Misused: options that contradict each other, or of which one would count for nothing.
    """
    if generate and (path is not None or exact):
        raise Misused("--generate and --secret-file are two secrets: one is enough")
    if out is not None and not generate:
        raise Misused("--out goes with --generate: it is for a value that is made here")
    return secret_text(path, exact=exact) if path is not None or exact or (asks and not generate) else None


def token_text(path: Path | None) -> str:
    """Return a token, blanks around it aside: from the file *path*, a prompt, or else standard input."""
    if path is None and sys.stdin.isatty():
        return _asked("Token").strip()
    return text_of(path or STDIN, "the token").strip(" \t\r\n")


def without_line_end(text: str) -> str:
    """Return *text* without the one LF or CR LF at its end, which an editor puts there."""
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _asked(what: str) -> str:
    """Ask at the terminal, until something is typed.

    Raises:
        Misused: the input ends, or is not UTF-8.
    """
    terminal = sys.stdin.fileno()
    with _unshown(terminal) as editing:
        while True:
            sys.stderr.write(f"{what}: ")
            sys.stderr.flush()
            try:
                line = _line(terminal, **editing)
            finally:
                sys.stderr.write("\n")
            if line is None:
                raise Misused(f"nothing was typed for: {what}")
            if line:
                break
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise Misused("what was typed is not UTF-8 text") from None


@contextmanager
def _unshown(terminal: int) -> Iterator[dict[str, bytes]]:
    """Have the *terminal* show nothing, and pass on each byte: the line it would gather ends at 4095 of them, or 1024.

    Yields:
        The keys that edit a line, and the one that ends the input, by the names that `_line` gives them.
    """
    before = termios.tcgetattr(terminal)
    keys: list[bytes] = before[6]
    during = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:6], keys.copy()]
    during[6][termios.VMIN], during[6][termios.VTIME] = 1, 0
    termios.tcsetattr(terminal, termios.TCSADRAIN, during)
    try:
        yield {"erase": keys[termios.VERASE], "kill": keys[termios.VKILL], "eof": keys[termios.VEOF]}
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _line(terminal: int, *, erase: bytes, kill: bytes, eof: bytes) -> bytes | None:
    """Read a line, without its end; None when the input ends instead. What follows it stays for the next question."""
    line = bytearray()
    while True:
        octet = os.read(terminal, 1)
        if not octet or (octet == eof and not line):
            return None
        if octet in _LINE_ENDS:
            return bytes(line)
        if octet == erase:
            _take_a_character_off(line)
        elif octet == kill:
            line.clear()
        elif octet != eof:
            line += octet


def _take_a_character_off(line: bytearray) -> None:
    while line and line.pop() & 0xC0 == 0x80:  # bytes that continue a character of UTF-8
        pass

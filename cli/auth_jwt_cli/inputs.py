"""Confidential input: secrets and tokens, read from a prompt, a file or standard input only.

An argument would appear in the shell's history and in the list of processes. Messages do not repeat the name of a
file: somebody may have typed the secret itself in its place.
"""

import os
import select
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
_PASTED_WITHIN: Final = 0.05  # seconds between two lines of one paste


def octets_of(path: Path, what: str) -> bytes:
    """Return all bytes of a file.

    Args:
        path: the file; `-` is standard input.
        what: what the file holds, for messages.

    Raises:
        Misused: the file cannot be read, or has more than a million bytes.
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
    """Return the whole text of a file.

    Args:
        path: the file; `-` is standard input.
        what: what the file holds, for messages.
        holds_key: whether the file may hold a key: then the message names the command that reads binary forms.

    Raises:
        Misused: the file cannot be read, is not UTF-8, or has more than a million bytes.
    """
    try:
        return octets_of(path, what).decode("utf-8")
    except UnicodeDecodeError:
        remedy = ": if it is a key in DER or in UTF-16, `auth-jwt key mend` writes it as PEM" if holds_key else ""
        raise Misused(f"the file of {what} is not UTF-8 text{remedy}") from None


def secret_text(path: Path | None, *, exact: bool = False, twice: bool = True) -> str:
    """Return a secret from the file *path*, or from a prompt that does not show what is typed.

    Args:
        path: the file; `-` is standard input, None asks at the terminal.
        exact: whether a line end at the end of the file is part of the secret; otherwise one LF or CR LF is removed.
        twice: whether a person must type the secret twice.

    Raises:
        Misused: the file cannot be read, or nothing was typed.
    """
    if exact and path is None:
        raise Misused("--exact goes with --secret-file")
    if path is not None:
        text = text_of(path, "the secret", holds_key=True)
        return text if exact else without_line_end(text)
    if not is_interactive():
        fail("a secret is read from --secret-file FILE (`-` is standard input) or asked for at a terminal", USAGE)
    while True:
        secret = _ask("Secret")
        if not twice or _ask("Repeat for confirmation") == secret:
            return secret
        complain("the two are not the same")


def read_secret(path: Path | None, *, exact: bool, generate: bool, out: Path | None, asks: bool = True) -> str | None:
    """Return the secret that the options give; None if the command generates one, or gets none.

    Args:
        path: the file of the secret; see `secret_text`.
        exact: see `secret_text`.
        generate: whether the command generates a secret.
        out: the file for a generated secret.
        asks: whether to ask at the terminal if no option gives a secret.

    Raises:
        Misused: options contradict each other, or one would have no effect.
    """
    if generate and (path is not None or exact):
        raise Misused("--generate and --secret-file are two secrets: one is enough")
    if out is not None and not generate:
        raise Misused("--out goes with --generate: it is for a generated value")
    return secret_text(path, exact=exact) if path is not None or exact or (asks and not generate) else None


def token_text(path: Path | None) -> str:
    """Return a token, without blanks around it, from the file *path*, a prompt, or standard input.

    At a prompt, lines that are pasted at once are one answer. Otherwise the rest would go to the shell, as commands.
    """
    if path is None and sys.stdin.isatty():
        return _ask("Token", pasted=True).strip()
    return text_of(path or STDIN, "the token").strip(" \t\r\n")


def without_line_end(text: str) -> str:
    """Return *text* without one LF or CR LF at its end, because editors add one."""
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _ask(what: str, *, pasted: bool = False) -> str:
    """Ask at the terminal until something is typed, and return it; with *pasted*, all lines that come at once.

    Raises:
        Misused: the input ends, or is not UTF-8.
    """
    terminal = sys.stdin.fileno()
    with _hide_input(terminal) as editing:
        while True:
            sys.stderr.write(f"{what}: ")
            sys.stderr.flush()
            try:
                line = _read_line(terminal, **editing)
                while pasted and line and _has_more(terminal):
                    line += b"\n" + (_read_line(terminal, **editing) or b"")
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
def _hide_input(terminal: int) -> Iterator[dict[str, bytes]]:
    """Let the *terminal* show nothing, and pass on each byte: the lines it gathers end after 4095 or 1024 bytes.

    Yields:
        The keys that edit a line, and the key that ends the input, named as the arguments of `_read_line`.
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


def _read_line(terminal: int, *, erase: bytes, kill: bytes, eof: bytes) -> bytes | None:
    """Read one line, without its end; None if the input ends first. Later input stays for the next question."""
    line = bytearray()
    while True:
        octet = os.read(terminal, 1)
        if not octet or (octet == eof and not line):
            return None
        if octet in _LINE_ENDS:
            return bytes(line)
        if octet == erase:
            _remove_last_character(line)
        elif octet == kill:
            line.clear()
        elif octet != eof:
            line += octet


def _has_more(terminal: int) -> bool:
    """Tell whether more input is there already, as after a paste."""
    return bool(select.select([terminal], [], [], _PASTED_WITHIN)[0])


def _remove_last_character(line: bytearray) -> None:
    while line and line.pop() & 0xC0 == 0x80:  # continuation bytes of a UTF-8 character
        pass

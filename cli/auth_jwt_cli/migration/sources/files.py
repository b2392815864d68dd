"""Files as sources read them: plain or gzip, a file or standard input, and how much of it has been read."""

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from auth_jwt_cli.migration.sources import SourceError

STANDARD_INPUT: Final = Path("-")
_GZIP: Final = b"\x1f\x8b"


class ReadingProgress:
    """How much of a few files has been read, by their sizes on disk."""

    def __init__(self) -> None:
        self._size = 0
        self._read = 0
        self._open: io.BufferedReader | None = None

    @property
    def fraction(self) -> float | None:
        """The part that has been read, None where the sizes are not known."""
        if not self._size:
            return None
        return min(1.0, (self._read + (self._open.tell() if self._open else 0)) / self._size)

    @contextmanager
    def opened(self, path: Path) -> Iterator[io.BufferedIOBase]:
        """Open *path* (`-` is standard input), unpacking what is gzip.

        Raises:
            SourceError: it cannot be opened, or what is packed in it is damaged.
        """
        try:
            raw = _standard_input() if path == STANDARD_INPUT else path.open("rb")
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        with raw:
            self._open = raw if raw.seekable() else None
            try:
                if raw.peek(2).startswith(_GZIP):
                    yield gzip.GzipFile(fileobj=raw)
                else:
                    yield raw
            except (gzip.BadGzipFile, EOFError, OSError) as error:
                raise SourceError(f"{path} cannot be read on: {error}") from None
            finally:
                self._read += raw.tell() if raw.seekable() else 0
                self._open = None

    def expect(self, *paths: Path) -> None:
        """Note the sizes of the files that will be read."""
        for path in paths:
            if path.is_file():
                self._size += path.stat().st_size


def text_of(octets: bytes, encoding: str = "utf-8") -> str | bytes:
    """Return *octets* as text, or as they are when they are not of that *encoding*."""
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError:
        return octets


def _standard_input() -> io.BufferedReader:
    return open(sys.stdin.fileno(), "rb", closefd=False)

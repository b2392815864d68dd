"""Files as sources read them: plain or gzip, a file or standard input, and how much of it has been read.

A source may have to be read twice. What cannot be is then kept: in memory, or beyond some megabytes in a temporary file
without a name, which nobody else may read.
"""

import gzip
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from auth_jwt_cli.migration.sources import SourceError

STANDARD_INPUT: Final = Path("-")
_IN_MEMORY: Final = 16 * 2**20
_GZIP: Final = b"\x1f\x8b"


class ReadingProgress:
    """How much of a few files has been read, by their sizes on disk."""

    def __init__(self) -> None:
        self._size = 0
        self._read: dict[Path, int] = {}
        self._open: io.BufferedReader | None = None
        self._keeps = False
        self._kept: dict[Path, IO[bytes]] = {}

    @property
    def fraction(self) -> float | None:
        """The part that has been read, None where the sizes are not known."""
        if not self._size:
            return None
        return min(1.0, (sum(self._read.values()) + (self._open.tell() if self._open else 0)) / self._size)

    @contextmanager
    def opened(self, path: Path) -> Iterator[io.BufferedIOBase]:
        """Open *path* (`-` is standard input), unpacking what is gzip.

        Raises:
            SourceError: it cannot be opened, or what is packed in it is damaged.
        """
        try:
            raw = self._raw(path)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        with raw:
            self._read.pop(path, None)
            self._open = raw if raw.seekable() else None
            try:
                if raw.peek(2).startswith(_GZIP):
                    yield gzip.GzipFile(fileobj=raw)
                else:
                    yield raw
            except (gzip.BadGzipFile, EOFError, OSError) as error:
                raise SourceError(f"{path} cannot be read on: {error}") from None
            finally:
                self._read[path] = raw.tell() if raw.seekable() else 0
                self._open = None

    def keep(self) -> None:
        """Keep what is read from now on and could not be read again."""
        self._keeps = True

    def _raw(self, path: Path) -> io.BufferedReader:
        if path not in self._kept:
            raw = _standard_input() if path == STANDARD_INPUT else path.open("rb")
            if not self._keeps or (raw.seekable() and path != STANDARD_INPUT):
                return raw
            with raw:
                kept = self._kept[path] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it lives as long as this
                shutil.copyfileobj(raw, kept)
        self._kept[path].seek(0)
        return io.BufferedReader(_Kept(self._kept[path]))

    def expect(self, *paths: Path) -> None:
        """Note the sizes of the files that will be read."""
        for path in paths:
            if path.is_file():
                self._size += path.stat().st_size


class _Kept(io.RawIOBase):
    """What is kept, to be read once more: closing this closes nothing."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        octets = self._file.read(len(buffer))
        buffer[: len(octets)] = octets
        return len(octets)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._file.tell()


def text_of(octets: bytes, encoding: str = "utf-8") -> str | bytes:
    """Return *octets* as text, or as they are when they are not of that *encoding*."""
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError:
        return octets


def _standard_input() -> io.BufferedReader:
    return open(sys.stdin.fileno(), "rb", closefd=False)

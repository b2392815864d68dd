"""Opens the files that sources read: a file or standard input, unpacked. It also tells how much has been read.

A source may have to be read twice. Input that can be read only once is then kept: in memory, or beyond some megabytes
in a temporary file without a name, which nobody else can read.
"""

import io
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.encodings import Opened
from auth_jwt_cli.migration.sources.unpacking import READING_ERRORS, unpack, why_unreadable

STANDARD_INPUT: Final = Path("-")
_IN_MEMORY: Final = 16 * 2**20


class ReadingProgress:
    """Opens a few files, and tells how much of them has been read by their sizes on disk."""

    def __init__(self) -> None:
        self._size = 0
        self._read: dict[tuple[Path, str | None], int] = {}
        self._open: io.BufferedReader | None = None
        self._keeps = False
        self._kept: dict[Path, IO[bytes]] = {}

    @property
    def fraction(self) -> float | None:
        """The part that has been read, from 0 to 1. None when the sizes are unknown."""
        if not self._size:
            return None
        return min(1.0, (sum(self._read.values()) + (self._open.tell() if self._open else 0)) / self._size)

    @contextmanager
    def open(self, path: Path, *, member: str | None = None, encoding: str | None = None) -> Iterator[Opened]:
        """Open *path* (`-` is standard input), and unpack it if it is compressed.

        Args:
            path: the file's path.
            member: the name of a file in a zip archive. None means the only one.
            encoding: UTF-16 or UTF-32, if the file uses it without a byte order mark.

        Raises:
            SourceError: the file cannot be opened, is damaged, or is of a kind that is not read.
        """
        try:
            raw = self._raw(path)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        with raw:
            self._read.pop((path, member), None)
            self._open = raw if raw.seekable() else None
            try:
                with _unpack(path, raw, member, encoding) as stream:
                    yield stream
            except READING_ERRORS as error:
                raise SourceError(f"{path} cannot be read to its end: {why_unreadable(error)}") from None
            finally:
                self._open = None
                self._read[path, member] = path.stat().st_size if path.is_file() else 0

    def keep(self) -> None:
        """From now on, keep input that can be read only once."""
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
    """Reads a kept file once more. Closing this leaves the file open."""

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


def _unpack(path: Path, raw: io.BufferedReader, member: str | None, encoding: str | None) -> Opened:
    try:
        return unpack(raw, member=member, encoding=encoding)
    except SourceError as error:
        raise SourceError(f"{path}: {str(error).replace('FILE', shlex.quote(str(path)))}") from None


def text_of(octets: bytes, encoding: str = "utf-8") -> str | bytes:
    """Return *octets* as text, or unchanged if they are not in this *encoding*."""
    try:
        return octets.decode(encoding)
    except UnicodeDecodeError:
        return octets


def _standard_input() -> io.BufferedReader:
    return open(sys.stdin.fileno(), "rb", closefd=False)

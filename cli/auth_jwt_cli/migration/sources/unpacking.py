"""Detects by its first bytes whether a file is compressed, or of a kind that is not read. Unpacks the former.

Files are unpacked piece by piece, in constant memory. A cut-off or damaged file is an error, never an end. Any data
after the compressed part is an error too.
"""

import bz2
import gzip
import io
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Final, Protocol

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.encodings import Opened, decode_stream
from auth_jwt_cli.migration.sources.streams import Damaged, Pieces, peek_beginning

_CHUNK: Final = 64 * 1024
_MAX_LAYERS: Final = 3
_LZMA_MEMORY: Final = 256 * 2**20  # `xz -9` needs 65 MB
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # with files, without, in parts
_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_XZ: Final = (b"\xfd7zXZ\0", b"\x5d\0\0")
_USTAR: Final = slice(257, 262)
_REFUSED: Final = (
    (b"SQLite format 3\0", "an SQLite database: unpack it to a file, and name that as SOURCE"),
    (b"PGDMP", "an archive of pg_dump (custom format): turn it into SQL with `pg_restore -f - FILE`, and import that"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it with `zstd -dc FILE`, and import that"),
    (b"\x04\x22\x4d\x18", "packed by lz4: unpack it with `lz4 -dc FILE`, and import that"),
    (b"\x1f\x9d", "packed by compress: unpack it with `gzip -dc FILE`, and import that"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it with `7z x FILE`, and import what is in it"),
    (b"Rar!", "a RAR archive: unpack it, and import what is in it"),
    (b"XBSTCK01", "a backup of mariabackup: dump the two tables with mariadb-dump instead"),
    (b"%PDF", "a PDF: export the tables as SQL or CSV instead"),
)
_OFFICE: Final = frozenset({"[Content_Types].xml", "mimetype"})

READING_ERRORS: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""The errors that reading an `Opened` may raise, besides `SourceError`."""


def why_unreadable(error: Exception) -> str:
    """Return what one of `READING_ERRORS` means, without any content of the file."""
    if isinstance(error, EOFError):
        return "it ends in the middle of its compressed data, as if it was cut off"
    if isinstance(error, Damaged):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "its compressed data is damaged, or something else follows it"


def unpack(raw: io.BufferedReader, *, member: str | None = None, encoding: str | None = None) -> Opened:
    """Return the unpacked content of *raw*. UTF-16 and UTF-32 become UTF-8, without a byte order mark.

    Args:
        raw: a file at its beginning. It is closed together with the stream returned.
        member: the name of a file in a zip archive. None means the only one.
        encoding: UTF-16 or UTF-32, if the file uses it without a byte order mark.

    Raises:
        SourceError: the file is of a kind that is not read. The message says which kind, and what to do.
        OSError: the file cannot be read.
    """
    beginning, stream = peek_beginning(raw)
    layers = 0
    while layers < _MAX_LAYERS and (unpack := _unpacker(beginning, member)) is not None:
        beginning, stream = peek_beginning(io.BufferedReader(unpack(stream)))
        layers += 1
    _refuse(beginning)
    return decode_stream(beginning, stream, encoding)


def members_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files in a zip archive, without those that macOS adds."""
    return [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/") and not _base(info.filename).startswith(".")
    ]


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _unpacker(beginning: bytes, member: str | None) -> Callable[[io.BufferedReader], Pieces] | None:
    if beginning.startswith(_GZIP):
        return _Gunzipped
    if beginning.startswith(_BZIP2):
        return lambda stream: _Parts(stream, bz2.BZ2Decompressor)
    if beginning.startswith(_XZ):
        return lambda stream: _Parts(stream, lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY))
    if beginning.startswith(_ZIP):
        return lambda stream: _unzip(stream, member)
    return None


def _refuse(beginning: bytes) -> None:
    for mark, what in _REFUSED:
        if beginning.startswith(mark):
            raise SourceError(f"this is {what}")
    if beginning[_USTAR] == b"ustar":
        if beginning.startswith(b"toc.dat\0"):
            raise SourceError(
                "this is an archive of pg_dump (tar format): turn it into SQL with `pg_restore -f - FILE`, and import"
                " that"
            )
        raise SourceError("this is a tar archive: unpack it with `tar -xf FILE`, and import what is in it")
    if _unpacker(beginning, None) is not None:
        raise SourceError("this is compressed too many times over: unpack it, and import what is in it")


class _Gunzipped(Pieces):
    """Unpacks gzip."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__(stream)
        self._file = gzip.GzipFile(fileobj=stream)

    def _piece(self, wanted: int) -> bytes:
        return self._file.read1(wanted)


class _Decompressor(Protocol):
    """The interface that `bz2` and `lzma` share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Parts(Pieces):
    """Unpacks bzip2 or xz, in one part or several.

    Python's own readers silently ignore other data after the first part.
    """

    def __init__(self, stream: io.BufferedReader, new: Callable[[], _Decompressor]) -> None:
        super().__init__(stream)
        self._stream = stream
        self._new = new
        self._decompressor = new()

    def _piece(self, wanted: int) -> bytes:
        while True:
            packed = b""
            if self._decompressor.eof:
                packed = self._behind_the_end()
                if not packed:
                    return b""
                self._decompressor = self._new()
            elif self._decompressor.needs_input:
                packed = self._stream.read1(_CHUNK)
                if not packed:
                    raise EOFError
            try:
                piece = self._decompressor.decompress(packed, wanted)
            except lzma.LZMAError as error:
                if "limit" in str(error):
                    raise Damaged("it takes more than 256 MB of memory to unpack: use `xz -dc FILE`") from None
                raise
            if piece:
                return piece

    def _behind_the_end(self) -> bytes:
        """Return what follows a part that has ended, without padding."""
        packed = self._decompressor.unused_data
        while not packed.strip(b"\0"):
            packed = self._stream.read1(_CHUNK)
            if not packed:
                return b""
        return packed.lstrip(b"\0")


class _Member(Pieces):
    """A file of a zip archive."""

    def __init__(self, file: IO[bytes], *owned: IO[bytes] | zipfile.ZipFile) -> None:
        super().__init__(file, *owned)
        self._file = file

    def _piece(self, wanted: int) -> bytes:
        return self._file.read(wanted)


def _unzip(stream: io.BufferedReader, name: str | None) -> _Member:
    """Open a zip archive. Its list of files is at its end, so a pipe is first copied to a temporary file."""
    with ExitStack() as owned:
        file: IO[bytes] = stream
        if not stream.seekable():
            file = owned.enter_context(TemporaryFile())
            shutil.copyfileobj(stream, file)
        try:
            archive = owned.enter_context(zipfile.ZipFile(file))
        except zipfile.BadZipFile:
            raise Damaged("it is a zip archive without an end, as if it was cut off") from None
        member = _Member(archive.open(_choose(members_of(archive), name)), archive, file, stream)
        owned.pop_all()
    return member


def _choose(found: list[zipfile.ZipInfo], name: str | None) -> zipfile.ZipInfo:
    """Return the file called *name*. Without a name, return the only file."""
    if {info.filename for info in found} & _OFFICE:
        raise SourceError("this is a document of an office program: save each table as CSV, and import that")
    if name is not None:
        found = [info for info in found if info.filename == name]
    if len(found) != 1:
        names = ", ".join(repr(info.filename) for info in found) or "none"
        raise SourceError(f"this is a zip archive that should hold one file, but has {names}: unpack the right one")
    if found[0].flag_bits & 1:
        raise SourceError("this is a zip archive with a password: unpack it with `unzip FILE`")
    if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError("this is a zip archive with a compression that is not read: unpack it with `unzip FILE`")
    return found[0]

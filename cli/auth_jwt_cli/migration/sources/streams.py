"""Streams of bytes that are derived from other streams, and hold one piece at a time."""

import io
from typing import Protocol

_BEGINNING = 512  # as far as the mark of a tar archive


class Damaged(OSError):
    """The content of a file is damaged. The message says why, and quotes no byte of it."""


class _Closable(Protocol):
    def close(self) -> None: ...


class Pieces(io.RawIOBase):
    """A stream of pieces. A subclass makes each piece; an empty piece ends the stream.

    Args:
        owned: the streams to close with this one.
    """

    def __init__(self, *owned: _Closable) -> None:
        super().__init__()
        self._owned = owned
        self._waiting = memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        if not self._waiting:
            self._waiting = memoryview(self._piece(len(buffer)))
        given = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(given) :]
        buffer[: len(given)] = given
        return len(given)

    def close(self) -> None:
        """See `io.IOBase`."""
        if not self.closed:
            for stream in self._owned:
                stream.close()
        super().close()

    def _piece(self, wanted: int) -> bytes:
        raise NotImplementedError


class Chained(Pieces):
    """The bytes that were read from a stream already, then the rest of the stream as it arrives: a pipe may be slow."""

    def __init__(self, beginning: bytes, stream: io.BufferedReader) -> None:
        super().__init__(stream)
        self._waiting = memoryview(beginning)
        self._stream = stream

    def _piece(self, wanted: int) -> bytes:
        return self._stream.read1(wanted)


def peek_beginning(stream: io.BufferedReader) -> tuple[bytes, io.BufferedReader]:
    """Return the first bytes of *stream*, and the stream from its beginning."""
    start = stream.tell() if stream.seekable() else None
    beginning = b""
    while len(beginning) < _BEGINNING and (more := stream.read(_BEGINNING - len(beginning))):
        beginning += more
    if start is None:
        return beginning, io.BufferedReader(Chained(beginning, stream))
    stream.seek(start)
    return beginning, stream

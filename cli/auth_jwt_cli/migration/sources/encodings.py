"""Detects the encoding of a file's text by its byte order mark or its first characters, and turns it into UTF-8."""

import io
import re
from codecs import getincrementaldecoder
from typing import Final

from auth_jwt_cli.migration.sources.streams import Chained, Damaged, Pieces

_CHUNK: Final = 64 * 1024
_MARKS: Final = (  # one of UTF-32 begins like one of UTF-16
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_ASCII: Final = rb"[\t\n\r\x20-\x7e]"
# Eight characters in a row with a NUL beside each, or a whole file of them, can only be UTF-16.
_UTF_16: Final = (
    (re.compile(rb"(?:%b\0){8}|(?:%b\0){2,}\Z" % (_ASCII, _ASCII)), "utf-16-le"),
    (re.compile(rb"(?:\0%b){8}|(?:\0%b){2,}\Z" % (_ASCII, _ASCII)), "utf-16-be"),
)


class Opened(io.BufferedReader):
    """The unpacked bytes of a file. If its encoding is known, they are UTF-8 without a byte order mark.

    Attributes:
        encoding: `utf-8` when the encoding is known. None when it is unknown; the bytes are then unchanged.
    """

    encoding: str | None = None

    def begins_with(self, mark: bytes) -> bool:
        """Tell whether the content begins with *mark*, after any white space."""
        return self.peek().lstrip().startswith(mark)


def decode_stream(beginning: bytes, stream: io.BufferedReader, encoding: str | None = None) -> Opened:
    """Return *stream* as UTF-8.

    Args:
        beginning: the first bytes of the stream.
        stream: the stream, at its beginning.
        encoding: its encoding if it has no byte order mark. None means to detect it.
    """
    mark, found = next(((mark, name) for mark, name in _MARKS if beginning.startswith(mark)), (b"", None))
    if found is None:
        found = encoding or next((name for pattern, name in _UTF_16 if pattern.match(beginning)), None)
    stream.read(len(mark))
    is_other = found is not None and found != "utf-8"
    opened = Opened(_Decoded(stream, str(found)) if is_other else Chained(b"", stream))
    opened.encoding = None if found is None else "utf-8"
    return opened


class _Decoded(Pieces):
    """Text of another encoding, as UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        super().__init__(stream)
        self._stream = stream
        self._name = encoding.upper()
        self._decoder = getincrementaldecoder(encoding)()
        self._at_end = False

    def _piece(self, wanted: int) -> bytes:
        while not self._at_end:
            octets = self._stream.read1(max(wanted, _CHUNK))
            self._at_end = not octets
            try:
                text = self._decoder.decode(octets, final=self._at_end)
            except UnicodeDecodeError:
                why = "ends within a character" if self._at_end else "holds bytes that are not"
                raise Damaged(f"it is text in {self._name}, and {why}") from None
            if text:
                return text.encode()
        return b""

"""Everything that may come instead of a whole answer of DynamoDB, as data: a name, what is done, and what it means.

An `InjectedFault` is about one request, a `ConnectionFault` about whole connections. `tests.faults.proxy` injects both.
"""

import fcntl
import gzip
import json
import socket
import ssl
import struct
import termios
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from tests.certificates import Authority
from tests.contract.servers import an_answer

Script = Callable[[socket.socket, bytes], bool]
"""Answers one question, whose whole answer is these octets, in its own way; tells whether to listen for more."""

_Sliced = TypeVar("_Sliced", bytes, list[Any])

SILENT_SECONDS: Final = 30
"""How long silence lasts when nobody gives up: far longer than any test waits, so that a missing limit shows."""
_HTML: Final = "Content-Type: text/html\r\n"


class Meaning(StrEnum):
    """What a read makes of a fault that comes each time it is tried. The values are the reasons in the log."""

    NONE = "none"  # a whole answer came all the same
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    UNUSABLE = "unusable_store"  # an operator has to act


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """What becomes of one request, or of its answer.

    Attributes:
        name: what happens, in words.
        script: does it.
        meaning: what a read makes of it.
        is_silent: whether only the time limit of whoever asks ends it.
        is_carried_out: whether the tables have got the request by then. If so, a write has happened.
    """

    name: str
    script: Script
    meaning: Meaning = Meaning.UNREACHABLE
    is_silent: bool = False
    is_carried_out: bool = True

    def __str__(self) -> str:
        return self.name

    def before_the_tables(self) -> Self:
        """Return the same fault on the way to the tables, which then never see the request."""
        return replace(self, is_carried_out=False)


@dataclass(frozen=True, slots=True)
class ConnectionFault:
    """What becomes of connections, before any request. Those that are open are closed when it begins.

    Attributes:
        name: what happens, in words.
        talk: what is said on a new connection, which is closed afterwards; None serves it as ever.
        identity: whom the server pretends to be; None leaves it as it is.
        is_refused: whether nobody listens.
        is_silent: whether only the time limit of whoever asks ends it.
    """

    name: str
    talk: Callable[[socket.socket], object] | None = None
    identity: ssl.SSLContext | None = None
    is_refused: bool = False
    is_silent: bool = False
    meaning: Meaning = Meaning.UNREACHABLE

    def __str__(self) -> str:
        return self.name


# -- scripts ----------------------------------------------------------------------------------------------------------


def _body_of(whole: bytes) -> bytes:
    return whole.partition(b"\r\n\r\n")[2]


def _says(answer: Callable[[bytes], bytes], *, closes: bool = False) -> Script:
    """Send what *answer* makes of the body of the whole answer."""

    def script(connection: socket.socket, whole: bytes) -> bool:
        connection.sendall(answer(_body_of(whole)))
        return not closes

    return script


def _close(_connection: socket.socket, _: bytes) -> bool:
    return False


def _reset(connection: socket.socket, _: bytes = b"") -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _reset_after(part: Callable[[bytes], bytes]) -> Script:
    """Send *part* of the whole answer and, when it has arrived, reset the connection."""

    def script(connection: socket.socket, whole: bytes) -> bool:
        connection.sendall(part(whole))
        _wait_until_arrived(connection)
        return _reset(connection)

    return script


def _wait_until_arrived(connection: socket.socket) -> None:
    while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
        time.sleep(0.001)


def _say_nothing(connection: socket.socket, _: bytes = b"") -> bool:
    connection.settimeout(SILENT_SECONDS)
    with suppress(TimeoutError):
        while connection.recv(65536):
            pass  # what is sent into a black hole is gone
    return False


def _stop_before_the_end(connection: socket.socket, whole: bytes) -> bool:
    connection.sendall(whole[:-1])
    return _say_nothing(connection, whole)


def _send_byte_by_byte(connection: socket.socket, whole: bytes) -> bool:
    for octet in whole:
        connection.sendall(bytes([octet]))
    return True


def _drip(head: Callable[[bytes], bytes]) -> Script:
    def script(connection: socket.socket, whole: bytes) -> bool:
        connection.sendall(head(_body_of(whole)))
        ends = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < ends:
            connection.sendall(b" ")
            time.sleep(0.02)
        return False

    return script


def _half(whole: _Sliced) -> _Sliced:
    return whole[: len(whole) // 2]


def _chunked(body: bytes, end: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + end


def _with_sum_of(summed: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: an_answer(body, headers=f"x-amz-crc32: {zlib.crc32(summed(body))}\r\n")


def _with(**members: object) -> Callable[[bytes], bytes]:
    return lambda body: an_answer(json.dumps({**json.loads(body), **members}).encode())


def an_api_error(status: str, code: str, meaning: Meaning, *, name: str = "", message: str = "no") -> InjectedFault:
    """An error that DynamoDB answers, in place of carrying the request out."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
    answer = an_answer(body, status=status, headers=f"x-amz-crc32: {zlib.crc32(body)}\r\n")
    return InjectedFault(name or code, _says(lambda _: answer), meaning, is_carried_out=False)


# -- faults of a request ----------------------------------------------------------------------------------------------


def _by_name(*faults: InjectedFault) -> Mapping[str, InjectedFault]:
    return {fault.name: fault for fault in faults}


CUT: Final = _by_name(
    InjectedFault("cut in the first line", _says(lambda _: b"HTTP/1.1 2", closes=True)),
    InjectedFault("cut in the head", _says(lambda body: an_answer(body)[:40], closes=True)),
    InjectedFault("cut before the body", _says(lambda body: an_answer(body).partition(b"{")[0], closes=True)),
    InjectedFault("cut in the body", _says(lambda body: an_answer(body)[: -len(body) // 2], closes=True)),
    InjectedFault("cut before the last byte", _says(lambda body: an_answer(body)[:-1], closes=True)),
    InjectedFault("cut after the JSON", _says(lambda body: an_answer(body + b"  ")[:-2], closes=True)),
    InjectedFault("short length", _says(lambda body: an_answer(_half(body)) + body[len(body) // 2 :])),
    InjectedFault("truncated JSON", _says(lambda body: an_answer(_half(body)))),
    InjectedFault("no length, cut", _says(lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + _half(body), closes=True)),
    InjectedFault("cut between chunks", _says(lambda body: _chunked(_half(body)), closes=True)),
    InjectedFault("cut in a chunk", _says(lambda body: _chunked(body)[:-9], closes=True)),
    InjectedFault("a chunk too few", _says(lambda body: _chunked(_half(body), b"0\r\n\r\n"))),
)
"""Part of an answer."""

NOT_DYNAMODBS: Final = _by_name(
    InjectedFault("bare {}", _says(lambda _: an_answer(b"{}"))),
    InjectedFault("nothing", _says(lambda _: an_answer(b""))),
    InjectedFault("blanks", _says(lambda body: an_answer(b" " * len(body)))),
    InjectedFault("null", _says(lambda _: an_answer(b"null"))),
    InjectedFault("a list", _says(lambda _: an_answer(b"[]"))),
    InjectedFault("a number", _says(lambda _: an_answer(b"7"))),
    InjectedFault("text", _says(lambda _: an_answer(b"hello"))),
    InjectedFault("too deep", _says(lambda _: an_answer(b"[" * 100_000))),
    InjectedFault("no UTF-8", _says(lambda _: an_answer(b'{"Items": [], "x": "\xff"}'))),
    InjectedFault("UTF-16", _says(lambda body: an_answer(body.decode().encode("utf-16")))),
    InjectedFault("another type of item", _says(_with(Item=7, Items={}, Responses=[]))),
    InjectedFault("cost that is none", _says(_with(ConsumedCapacity=None))),
    InjectedFault(
        "compressed, which nobody asked for",
        _says(lambda body: an_answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n")),
    ),
    InjectedFault("garbage", _says(lambda _: bytes(range(256)) * 4, closes=True)),
    InjectedFault("a page", _says(lambda _: an_answer(b"<html>Hello</html>", headers=_HTML))),
    InjectedFault("an empty page", _says(lambda _: an_answer(b"", headers=_HTML))),
    InjectedFault("no content", _says(lambda _: an_answer(b"", status="204 No Content"))),
    InjectedFault("created", _says(lambda body: an_answer(body, status="201 Created"))),
)
"""Something else."""

WRONG_SUM: Final = _by_name(
    InjectedFault("sum of something else", _says(_with_sum_of(lambda body: body + b" "))),
    InjectedFault("sum of nothing", _says(_with_sum_of(lambda _: b""))),
    InjectedFault("sum that is no number", _says(lambda body: an_answer(body, headers="x-amz-crc32: x\r\n"))),
    InjectedFault(
        "an error of another sum",
        _says(
            lambda _: an_answer(
                b'{"__type": "x#ResourceNotFoundException"}', status="400 No", headers="x-amz-crc32: 1\r\n"
            )
        ),
    ),
    InjectedFault(
        "half an error", _says(lambda _: an_answer(b'{"__type": "x#ResourceNotFo', status="400 Bad Request"))
    ),
    InjectedFault("an error of no name", _says(lambda _: an_answer(b"[]", status="400 Bad Request"))),
)
"""A whole answer with a wrong sum, and errors that arrived in part."""

BROKEN_OFF: Final = _by_name(
    InjectedFault("closed", _close),
    InjectedFault("reset", _reset),
    InjectedFault("reset within the answer", _reset_after(_half)),
)
"""No answer, at once."""

SILENT: Final = _by_name(
    InjectedFault("silence", _say_nothing, is_silent=True),
    InjectedFault("drip of the head", _drip(lambda _: b"HTTP/1.1 200 OK\r\nX: "), is_silent=True),
    InjectedFault("drip of the body", _drip(lambda body: an_answer(b" " * 10_000 + body)[:-10_000]), is_silent=True),
    InjectedFault("stopped in the body", _stop_before_the_end, is_silent=True),
)
"""No answer, for ever."""

AT_ONCE: Final = {**CUT, **NOT_DYNAMODBS, **WRONG_SUM, **BROKEN_OFF}

API_ERRORS: Final = _by_name(
    *(
        an_api_error("400 Bad Request", code, Meaning.THROTTLED)
        for code in ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded")
    ),
    an_api_error("500 Internal Server Error", "InternalServerError", Meaning.UNREACHABLE),
    an_api_error("503 Service Unavailable", "ServiceUnavailable", Meaning.UNREACHABLE),
    *(
        an_api_error("400 Bad Request", code, Meaning.UNUSABLE)
        for code in (
            "ExpiredTokenException",
            "UnrecognizedClientException",
            "ResourceNotFoundException",
            "AccessDeniedException",
            "InvalidSignatureException",
            "RequestTimeTooSkewed",
        )
    ),
    InjectedFault(
        "a gateway's 502",
        _says(lambda _: an_answer(b"<html>Bad Gateway</html>", status="502 Bad Gateway", headers=_HTML)),
        is_carried_out=False,
    ),
)
"""What DynamoDB, or something in between, answers in place of carrying a request out."""

HARMLESS: Final = _by_name(
    InjectedFault("a byte at a time", _send_byte_by_byte, Meaning.NONE),
    InjectedFault("reset after the answer", _reset_after(lambda whole: whole), Meaning.NONE),
    InjectedFault("a right sum", _says(_with_sum_of(lambda body: body)), Meaning.NONE),
    InjectedFault("chunks", _says(lambda body: _chunked(body, b"0\r\n\r\n")), Meaning.NONE),
)
"""A whole answer, in an unusual manner."""

FAULTS: Final = {**AT_ONCE, **SILENT, **API_ERRORS, **HARMLESS}
"""All faults of a request, by name."""


def half_a_batch(key_columns: Mapping[str, tuple[str, ...]]) -> InjectedFault:
    """The rows of the first half of a BatchGetItem, and the keys of the others, as unprocessed.

    Args:
        key_columns: for each table, the columns of its key.
    """

    def answer(body: bytes) -> bytes:
        whole: dict[str, Any] = json.loads(body)
        done, undone = {}, {}
        for table, rows in whole["Responses"].items():
            done[table] = _half(rows)
            left = [{name: row[name] for name in key_columns[table]} for row in rows[len(rows) // 2 :]]
            if left:
                undone[table] = {"Keys": left, "ConsistentRead": True}
        return an_answer(json.dumps({**whole, "Responses": done, "UnprocessedKeys": undone}).encode())

    return InjectedFault("half a batch", _says(answer), Meaning.NONE)


# -- faults of connections --------------------------------------------------------------------------------------------


def _talk(octets: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(octets)

    return talk


CONNECTION_FAULTS: Final = {
    fault.name: fault
    for fault in (
        ConnectionFault("refused", is_refused=True),
        ConnectionFault("closed as soon as made", lambda _: None),
        ConnectionFault("reset as soon as made", _reset),
        ConnectionFault("a black hole", _say_nothing, is_silent=True),
    )
}
"""What may become of any connection."""

NO_TLS: Final = {
    fault.name: fault
    for fault in (
        ConnectionFault("plain text", _talk(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")),
        ConnectionFault("an alert", _talk(b"\x15\x03\x03\0\2\2(")),
        ConnectionFault("half a greeting", _talk(b"\x16\x03\x03")),
    )
}
"""What may come in place of a handshake."""


IDENTITIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "a wrong name": {"host": "another.example.com"},
    "an expired certificate": {"ended": True},
    "a certificate of its own": {"self_signed": True},
    "an unknown root": {},
}
"""Whom a server may pretend to be, who is not to be believed: the options of its certificate."""


def wrong_identities(authority: Authority, unknown: Authority) -> Mapping[str, ConnectionFault]:
    """Faults of the certificate, for who trusts *authority* alone and asks for 127.0.0.1."""
    return {
        name: ConnectionFault(name, identity=(authority if options else unknown).identity(**options))
        for name, options in IDENTITIES.items()
    }

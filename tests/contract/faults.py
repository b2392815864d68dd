"""Everything that may come instead of a whole answer of DynamoDB, each as a script that a server follows."""

import gzip
import json
import socket
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from tests.contract.servers import NO_ROWS, a_server, an_answer, read_question

Script = Callable[[socket.socket, bytes], bool]
"""Answers one question, whose whole answer has this body, in its own way; tells whether to listen for more."""

_HTML: Final = "Content-Type: text/html\r\n"


def says(answer: Callable[[bytes], bytes], *, closes: bool = False) -> Script:
    """Send what *answer* makes of the whole body."""

    def script(connection: socket.socket, whole: bytes) -> bool:
        connection.sendall(answer(whole))
        return not closes

    return script


def _reset(connection: socket.socket, _: bytes) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _close(_connection: socket.socket, _: bytes) -> bool:
    return False


def _say_nothing(connection: socket.socket, _: bytes) -> bool:
    connection.settimeout(30)
    connection.recv(1)
    return False


def _stop_before_the_end(connection: socket.socket, whole: bytes) -> bool:
    connection.sendall(an_answer(whole)[:-1])
    return _say_nothing(connection, whole)


def _drip(head: Callable[[bytes], bytes]) -> Script:
    def script(connection: socket.socket, whole: bytes) -> bool:
        connection.sendall(head(whole))
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    return script


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _chunked(body: bytes, end: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + end


def _with_sum_of(summed: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda whole: an_answer(whole, headers=f"x-amz-crc32: {zlib.crc32(summed(whole))}\r\n")


def _with_other_type(body: bytes) -> bytes:
    return an_answer(json.dumps({**json.loads(body), "Item": 7, "Items": {}, "Responses": []}).encode())


CUT: Final[dict[str, Script]] = {
    "cut in the first line": says(lambda _: b"HTTP/1.1 2", closes=True),
    "cut in the head": says(lambda whole: an_answer(whole)[:40], closes=True),
    "cut before the body": says(lambda whole: an_answer(whole).partition(b"{")[0], closes=True),
    "cut in the body": says(lambda whole: an_answer(whole)[: -len(whole) // 2], closes=True),
    "cut before the last byte": says(lambda whole: an_answer(whole)[:-1], closes=True),
    "cut after the JSON": says(lambda whole: an_answer(whole + b"  ")[:-2], closes=True),
    "short length": says(lambda whole: an_answer(_half(whole)) + whole[len(whole) // 2 :]),
    "truncated JSON": says(lambda whole: an_answer(_half(whole))),
    "no length, cut": says(lambda whole: b"HTTP/1.1 200 OK\r\n\r\n" + _half(whole), closes=True),
    "cut between chunks": says(lambda whole: _chunked(_half(whole)), closes=True),
    "cut in a chunk": says(lambda whole: _chunked(whole)[:-9], closes=True),
    "a chunk too few": says(lambda whole: _chunked(_half(whole), b"0\r\n\r\n")),
}
"""Part of an answer."""

NOT_DYNAMODBS: Final[dict[str, Script]] = {
    "bare {}": says(lambda _: an_answer(b"{}")),
    "nothing": says(lambda _: an_answer(b"")),
    "blanks": says(lambda whole: an_answer(b" " * len(whole))),
    "null": says(lambda _: an_answer(b"null")),
    "a list": says(lambda _: an_answer(b"[]")),
    "a number": says(lambda _: an_answer(b"7")),
    "text": says(lambda _: an_answer(b"hello")),
    "too deep": says(lambda _: an_answer(b"[" * 100_000)),
    "no UTF-8": says(lambda _: an_answer(b'{"Items": [], "x": "\xff"}')),
    "UTF-16": says(lambda whole: an_answer(whole.decode().encode("utf-16"))),
    "another type of item": says(_with_other_type),
    "cost that is none": says(
        lambda whole: an_answer(json.dumps({**json.loads(whole), "ConsumedCapacity": None}).encode())
    ),
    "compressed, which nobody asked for": says(
        lambda whole: an_answer(gzip.compress(whole), headers="Content-Encoding: gzip\r\n")
    ),
    "a page": says(lambda _: an_answer(b"<html>Hello</html>", headers=_HTML)),
    "an empty page": says(lambda _: an_answer(b"", headers=_HTML)),
    "no content": says(lambda _: an_answer(b"", status="204 No Content")),
    "created": says(lambda whole: an_answer(whole, status="201 Created")),
}
"""Something else."""

WRONG_SUM: Final[dict[str, Script]] = {
    "sum of something else": says(_with_sum_of(lambda whole: whole + b" ")),
    "sum of nothing": says(_with_sum_of(lambda _: b"")),
    "sum that is no number": says(lambda whole: an_answer(whole, headers="x-amz-crc32: x\r\n")),
    "an error of another sum": says(
        lambda _: an_answer(b'{"__type": "x#ResourceNotFoundException"}', status="400 No", headers="x-amz-crc32: 1\r\n")
    ),
    "half an error": says(lambda _: an_answer(b'{"__type": "x#ResourceNotFo', status="400 Bad Request")),
    "an error of no name": says(lambda _: an_answer(b"[]", status="400 Bad Request")),
}
"""A whole answer with a wrong sum, and errors that arrived in part."""

BROKEN_OFF: Final[dict[str, Script]] = {"closed": _close, "reset": _reset}
"""No answer, at once."""

SILENT: Final[dict[str, Script]] = {
    "silence": _say_nothing,
    "drip of the head": _drip(lambda _: b"HTTP/1.1 200 OK\r\nX: "),
    "drip of the body": _drip(lambda whole: an_answer(b" " * 10_000 + whole)[:-10_000]),
    "stopped in the body": _stop_before_the_end,
}
"""No answer, for ever."""

AT_ONCE: Final = CUT | NOT_DYNAMODBS | WRONG_SUM | BROKEN_OFF


def a_faulty_dynamodb(
    script: Script, *, operation: str = "", whole: Callable[[str], bytes] = lambda _: NO_ROWS, times: int = 1_000_000
) -> AbstractContextManager[str]:
    """A server that follows the *script* where it is asked for *operation*, so many *times*; its address.

    Args:
        script: how it fails.
        operation: of DynamoDB; empty for each.
        whole: the body of the whole answer to an operation.
        times: how often it fails before all is well.
    """
    left = [times]

    def talk(connection: socket.socket, _: int) -> None:
        while question := read_question(connection):
            asked = question.partition(b"DynamoDB_20120810.")[2].split(b"\r\n")[0].decode()
            if left[0] > 0 and operation in ("", asked):
                left[0] -= 1
                if not script(connection, whole(asked)):
                    return
            else:
                connection.sendall(an_answer(whole(asked)))

    return a_server(talk)

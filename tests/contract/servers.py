"""Servers on this machine that play DynamoDB's part, well or badly."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import LocalServer

Reply = Callable[[str], tuple[int, bytes]]


def a_dynamodb(reply: Reply) -> AbstractContextManager[str]:
    """A server that gives *reply* to each operation; its address."""
    return a_dynamodb_that_reads(lambda operation, _question: reply(operation))


@contextmanager
def a_dynamodb_that_reads(reply: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """A server that gives *reply* to each operation and the body of its request; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = reply(self.headers["X-Amz-Target"].partition(".")[2], question)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with LocalServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()  # or its thread would look for questions without a pause, for as long as the process runs


def an_error(status: int, code: str, message: str = "no") -> Reply:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return lambda _operation: (status, json.dumps(body).encode())


COST = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}}
"""What every whole answer holds, as it was asked to."""


def costed(**members: Any) -> bytes:
    """The body of a whole answer to a question about one table, unless they say the cost themselves."""
    return json.dumps({**COST, **members}).encode()


NO_ROWS = costed(Items=[], Count=0, ScannedCount=0)


def rows(_operation: str) -> tuple[int, bytes]:
    return 200, NO_ROWS


Talk = Callable[[socket.socket, int], None]


@contextmanager
def a_server(talk: Talk) -> Iterator[str]:
    """A server that gives each connection, and its number from 0, to *talk*, and closes it afterwards; its address."""
    open_connections: list[socket.socket] = []

    def serve(connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            talk(connection, number)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_connections.append(connection)
                threading.Thread(target=serve, args=(connection, len(open_connections) - 1), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in open_connections:
                connection.close()


def answering(answer: bytes) -> AbstractContextManager[str]:
    """A server that gives this *answer*, as it stands, to every question; its address."""

    def talk(connection: socket.socket, _: int) -> None:
        while read_question(connection):
            connection.sendall(answer)

    return a_server(talk)


def read_question(connection: socket.socket) -> bytes:
    """The next request on a connection, its head and its body; empty when there is none."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return b""
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def an_answer(body: bytes = b'{"Items": []}', *, status: str = "200 OK", headers: str = "") -> bytes:
    """An HTTP answer, all of it, of DynamoDB's type unless *headers* say another."""
    if "content-type:" not in headers.lower():
        headers = f"Content-Type: application/x-amz-json-1.0\r\n{headers}"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body

"""HTTPS servers on loopback that play an issuer's part, well or badly, and a resolver that sends names to them."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from typing import Any

Script = Callable[[socket.socket, bytes], None]
"""What a server does on a connection, after it has read the question."""

HOST = "login.test"
LOOPBACK = (ip_network("127.0.0.0/8"),)


class AnIssuerServer:
    """A server of `a_server`.

    Attributes:
        port: where it listens.
        questions: what it was asked, one for each connection over which something was asked.
        connections: how many connections it has accepted.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None, scripts: Sequence[Script]) -> None:
        self.port = listener.getsockname()[1]
        self.questions = list[bytes]()
        self.connections = 0
        self._talks = list[threading.Thread]()
        self._listener = listener
        self._tls = tls
        self._scripts = scripts

    def url(self, path: str = "/keys", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            talk = threading.Thread(target=self._talk, args=(connection, script), daemon=True)
            self._talks.append(talk)
            talk.start()

    def join(self) -> None:
        """Wait until every connection has ended."""
        for talk in self._talks:
            talk.join(5)

    def _talk(self, connection: socket.socket, script: Script) -> None:
        with suppress(OSError), connection:
            connection.settimeout(5)
            if self._tls is None:
                script(connection, b"")
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                question = read_question(secured)
                self.questions.append(question)
                script(secured, question)


def read_question(connection: socket.socket) -> bytes:
    question = b""
    while b"\r\n\r\n" not in question:
        piece = connection.recv(4096)
        if not piece:
            break
        question += piece
    return question


@contextmanager
def a_server(tls: ssl.SSLContext | None, *scripts: Script, backlog: int = 16) -> Iterator[AnIssuerServer]:
    """A server that plays each of *scripts* on one connection, and the last on all that follow.

    Without *tls* it speaks none, and reads no question.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        server = AnIssuerServer(listener, tls, scripts)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        server.join()


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer. Names of headers have `_` for `-`; one that is empty is left out."""
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def answers(*pieces: bytes) -> Script:
    """Send *pieces*, one after the other, and close."""

    def script(connection: socket.socket, _question: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return script


def drips(beginning: bytes, drop: bytes = b" ", every: float = 0.02) -> Script:
    """Send a *beginning* and then a *drop* now and again, for as long as anybody listens."""

    def script(connection: socket.socket, _question: bytes) -> None:
        connection.sendall(beginning)
        never = threading.Event()
        while not never.wait(every):
            connection.sendall(drop)

    return script


def stalls(beginning: bytes) -> Script:
    """Send a *beginning* and nothing more, until nobody listens."""

    def script(connection: socket.socket, _question: bytes) -> None:
        connection.sendall(beginning)
        connection.recv(1)

    return script


class AResolver:
    """Resolves any name to the same *addresses*, and counts how often it is asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses or ("127.0.0.1",)
        self.asked = list[str]()

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]

"""A SIP client that sends whatever bytes a test wants, where SIPp would be too well-behaved."""

import base64
import os
import secrets
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from tests.e2e.sip.messages import Message

PATIENCE_SECONDS: Final = 15
_HOST: Final = "127.0.0.1"
_MAX_DATAGRAM: Final = 65535
_HEADER_END: Final = b"\r\n\r\n"


class Client(Protocol):
    """A way to a SIP server, over one transport."""

    over: str
    port: int

    def send(self, message: bytes) -> None:
        """Send one message."""
        ...

    def receive(self, seconds: float = PATIENCE_SECONDS) -> Message:
        """Return the next message.

        Raises:
            TimeoutError: none came in so many seconds.
            ConnectionError: the server has ended the connection.
        """
        ...

    def close(self) -> None:
        """Be there no more."""
        ...


def answer_to(client: Client, message: bytes, *, seconds: float = PATIENCE_SECONDS) -> Message:
    """Send a request, and return the final response to it, whatever comes before."""
    client.send(message)
    return final_answer(client, Message.of(message).one("call-id"), seconds=seconds)


def final_answer(client: Client, call: str, *, seconds: float = PATIENCE_SECONDS) -> Message:
    """Return the next final response in a *call*."""
    while True:
        message = client.receive(seconds)
        if message.is_final and message.one("call-id") == call:
            return message


class Udp:
    """Datagrams."""

    over = "UDP"

    def __init__(self, server: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_HOST, 0))
        self._socket.connect((_HOST, server))
        self.port: int = self._socket.getsockname()[1]

    def send(self, message: bytes) -> None:
        """Send one message."""
        self._socket.send(message)

    def receive(self, seconds: float = PATIENCE_SECONDS) -> Message:
        """Return the next message."""
        self._socket.settimeout(seconds)
        return Message.of(self._socket.recv(_MAX_DATAGRAM))

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class Stream:
    """A connection that carries messages one after the other (RFC 3261, section 18.3)."""

    def __init__(self, connection: socket.socket, over: str) -> None:
        self.over = over
        self.port: int = connection.getsockname()[1]
        self._socket = connection
        self._rest = b""

    def send(self, message: bytes) -> None:
        """Send one message."""
        self._socket.sendall(message)

    def receive(self, seconds: float = PATIENCE_SECONDS) -> Message:
        """Return the next message."""
        self._socket.settimeout(seconds)
        while True:
            head, end, rest = self._rest.lstrip(b"\r\n").partition(_HEADER_END)
            if end:
                size = int(Message.of(head).one("content-length"))
                if len(rest) >= size:
                    self._rest = rest[size:]
                    return Message.of(head + end + rest[:size])
            self._rest += self._more()

    def _more(self) -> bytes:
        data = self._socket.recv(_MAX_DATAGRAM)
        if not data:
            raise ConnectionResetError("the server has ended the connection")
        return data

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class Refused(Exception):
    """The server does not speak WebSocket with us; *status* is its HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class WebSocket:
    """A WebSocket of SIP: RFC 7118 over RFC 6455. A message is a frame."""

    def __init__(self, connection: socket.socket, over: str, origin: str | None, protocol: str = "sip") -> None:
        """Ask for the upgrade.

        Args:
            connection: fresh.
            over: WS or WSS.
            origin: the page that a browser would name; None for a client that is none.
            protocol: what is to be spoken over it.

        Raises:
            Refused: it was not granted.
        """
        self.over = over
        self.port: int = connection.getsockname()[1]
        self._socket = connection
        self._rest = b""
        connection.settimeout(PATIENCE_SECONDS)
        lines = [
            "GET / HTTP/1.1",
            f"Host: {_HOST}:{connection.getpeername()[1]}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {protocol}",
            *([] if origin is None else [f"Origin: {origin}"]),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while _HEADER_END not in self._rest:
            self._rest += self._more()
        head, _, self._rest = self._rest.partition(_HEADER_END)
        status = int(head.split(None, 2)[1])
        if status != 101:
            raise Refused(status)

    def send(self, message: bytes) -> None:
        """Send one message, as a masked text frame."""
        mask = os.urandom(4)
        size = struct.pack("!BH", 0x80 | 126, len(message))
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(message))
        self._socket.sendall(b"\x81" + size + mask + masked)

    def receive(self, seconds: float = PATIENCE_SECONDS) -> Message:
        """Return the next message."""
        self._socket.settimeout(seconds)
        while True:
            kind, payload = self._frame()
            if kind == 8:
                raise ConnectionResetError("the server has ended the WebSocket")
            if kind in (1, 2):
                return Message.of(payload)

    def _frame(self) -> tuple[int, bytes]:
        kind, size = self._take(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._take(2))
        return kind & 0x0F, self._take(size)

    def _take(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._rest += self._more()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _more(self) -> bytes:
        data = self._socket.recv(_MAX_DATAGRAM)
        if not data:
            raise ConnectionResetError("the server has ended the connection")
        return data

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


@contextmanager
def udp(port: int) -> Iterator[Udp]:
    """Talk to a server by datagrams."""
    client = Udp(port)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def tcp(port: int) -> Iterator[Stream]:
    """Talk to a server over TCP."""
    with socket.create_connection((_HOST, port), PATIENCE_SECONDS) as connection:
        yield Stream(connection, "TCP")


@contextmanager
def tls(port: int, trusted: ssl.SSLContext, name: str) -> Iterator[Stream]:
    """Talk over TLS to a server that proves to be *name*."""
    with (
        socket.create_connection((_HOST, port), PATIENCE_SECONDS) as plain,
        trusted.wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield Stream(connection, "TLS")


@contextmanager
def websocket(
    port: int,
    *,
    origin: str | None = None,
    trusted: ssl.SSLContext | None = None,
    name: str = _HOST,
    protocol: str = "sip",
) -> Iterator[WebSocket]:
    """Talk over a WebSocket; with *trusted* authorities, over TLS to a server that proves to be *name*.

    Raises:
        Refused: the server does not want to.
    """
    with socket.create_connection((_HOST, port), PATIENCE_SECONDS) as plain:
        if trusted is None:
            yield WebSocket(plain, "WS", origin, protocol)
        else:
            with trusted.wrap_socket(plain, server_hostname=name) as connection:
                yield WebSocket(connection, "WSS", origin, protocol)

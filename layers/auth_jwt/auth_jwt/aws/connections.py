"""HTTP/1.1 over connections that are kept open: one request, one answer, in bounded time and size.

The standard library parses the answers. This module adds what it lacks: connections that outlive a request and a frozen
sandbox, a time limit for answers that arrive byte by byte, and errors that quote nothing of what was sent or received.
"""

import io
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException, HTTPResponse
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from auth_jwt.errors import Fault, Unreachable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""More than any answer of DynamoDB: a page of a Query has at most 1 MB of items, and as JSON a few times that."""

MAX_IDLE_SECONDS: Final = 60
"""A network device in between may drop a connection that was idle for longer, without telling either end."""

_LOST_AFTER: Final = 1 / 3
"""After which part of a wait a connection counts as dead when the server's machine acknowledges no byte."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AwsAnswer:
    """An HTTP answer. A redirect is an answer like any other: it is not followed."""

    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)


class LastUse:
    """The time of a last use, which is when this object is made.

    It takes the time of two clocks, since the monotonic one may stand still while a sandbox is frozen.
    """

    def __init__(self) -> None:
        self._clocks = time.monotonic(), time.time()

    def is_long_ago(self) -> bool:
        """Tell whether more than `MAX_IDLE_SECONDS` have passed, by either clock."""
        now = time.monotonic(), time.time()
        return max(later - earlier for later, earlier in zip(now, self._clocks, strict=True)) > MAX_IDLE_SECONDS


class Connections:
    """Connections to one server: made when they are needed, kept for the next request, safe to use from many threads.

    A kept connection is closed when it was idle for long. All are closed when one of them times out.

    Args:
        url: scheme, host and port of the server; the rest of the URL is ignored.
        wait_seconds: how long connecting may take, and each wait for more of an answer.
        answer_seconds: how long a request may take in all, from connecting to the end of the answer.
        tls: how the server of an https URL is authenticated; None takes `tls_context()`.

    Attributes:
        host: the value of the `Host` header.
    """

    def __init__(
        self, url: str, *, wait_seconds: float, answer_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        self._kept: list[tuple[socket.socket, LastUse]] = []
        parts = urlsplit(url)
        usual = _PORTS[parts.scheme]
        self._name = parts.hostname or ""
        self._port = parts.port or usual
        name = f"[{self._name}]" if ":" in self._name else self._name
        self.host = name if self._port == usual else f"{name}:{self._port}"
        self._wait = wait_seconds
        self._whole = answer_seconds
        self._tls = (tls or tls_context()) if parts.scheme == "https" else None

    def __del__(self) -> None:
        self._forget()

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> AwsAnswer:
        """Send a request and return the server's answer.

        The server may have closed a kept connection. When that shows before the first byte of the answer, the request
        is sent again over a new connection, once. So send only requests here that may be carried out twice.

        Args:
            method: the HTTP method.
            target: path and query string.
            headers: all headers, since none is added; ASCII without line breaks.
            body: the body.

        Raises:
            Unreachable: no whole answer came, or the server is not the right one. The message is a word for the cause.
            Fault: the answer is larger than `MAX_ANSWER_BYTES`.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        question = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body
        wait = _Wait(self._wait, self._whole)
        kept = self._kept_connection()
        if kept is not None:
            try:
                return self._exchange(kept, question, wait)
            except _ClosedMeanwhile:
                pass
        return self._exchange(self._new_connection(wait), question, wait)

    def _kept_connection(self) -> socket.socket | None:
        while True:
            try:
                connection, last_use = self._kept.pop()
            except IndexError:
                return None
            if not (last_use.is_long_ago() or _has_waiting_bytes(connection)):
                return connection
            connection.close()

    def _forget(self) -> None:
        """Close all kept connections."""
        while True:
            try:
                connection, _ = self._kept.pop()
            except IndexError:
                return
            connection.close()

    def _new_connection(self, wait: "_Wait") -> socket.socket:
        # As bytes: for a host name as text, Python would load the tables for names in other scripts.
        name = self._name.encode("ascii")
        plain = None
        try:
            plain = self._connect(name, wait)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * self._wait * _LOST_AFTER))
            plain.settimeout(wait.seconds())
            return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=name)
        except OSError as error:
            cause = type(error).__name__
        if plain is not None:
            plain.close()
        # Raised outside `except`: another error, whose text may quote what came, would become its context.
        raise Unreachable(cause)

    def _connect(self, name: bytes, wait: "_Wait") -> socket.socket:
        """Connect to the first address of *name* that accepts. Each address gets an equal share of the time left."""
        places = [place for *_, place in socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM)]
        failure: OSError = OSError("no address")
        for number, (host, port, *_) in enumerate(places):
            try:
                seconds = wait.seconds() / (len(places) - number)
                return socket.create_connection(cast("tuple[str, int]", (str(host).encode(), port)), timeout=seconds)
            except OSError as error:
                failure = error
        raise failure

    def _exchange(self, connection: socket.socket, question: bytes, wait: "_Wait") -> AwsAnswer:
        incoming = _Incoming(connection, wait)
        keep = False
        failure: type[Unreachable] = Unreachable
        try:
            connection.settimeout(wait.seconds())
            connection.sendall(question)
            with HTTPResponse(cast("socket.socket", incoming)) as response:
                response.begin()
                body = response.read(MAX_ANSWER_BYTES + 1)
            if len(body) > MAX_ANSWER_BYTES:
                raise Fault(f"the answer is more than {MAX_ANSWER_BYTES} bytes")
            # An answer without a stated length ends with the connection: whether it is whole, nobody can tell.
            if response.chunked or response.length == 0:
                keep = not response.will_close
                return AwsAnswer(response.status, response.headers, body)
            cause = "IncompleteRead"
        except (OSError, HTTPException, ValueError) as error:
            cause = type(error).__name__
            is_silent = isinstance(error, TimeoutError)
            if is_silent:
                self._forget()
            # A timeout may mean a slow answer, so the request is not sent again. But an error number means that TCP
            # gave up, and the connection is dead.
            if not incoming.has_begun and not (is_silent and cast("TimeoutError", error).errno is None):
                failure = _ClosedMeanwhile
        finally:
            if keep:
                self._kept.append((connection, LastUse()))
            else:
                connection.close()
        raise failure(cause)


class _ClosedMeanwhile(Unreachable):
    """The connection was closed or dead before the first byte of the answer came."""


class _Wait:
    """The time limits of one request: for each single wait, and for all of it."""

    def __init__(self, once: float, whole: float) -> None:
        self._once = once
        self._ends_at = time.monotonic() + whole

    def seconds(self) -> float:
        """Return how many seconds the next wait may take.

        Raises:
            TimeoutError: no time is left.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, self._once)


class _Incoming(io.RawIOBase):
    """Reads the bytes of one answer, in bounded time and size. `HTTPResponse` takes it for a socket."""

    def __init__(self, connection: socket.socket, wait: _Wait) -> None:
        self._connection = connection
        self._wait = wait
        self._bytes = 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._connection.settimeout(self._wait.seconds())
        count = self._connection.recv_into(buffer)
        self._bytes += count
        if self._bytes > 2 * MAX_ANSWER_BYTES:  # a second limit: the library accepts chunks of negative size
            raise OSError("too much")
        return count

    @property
    def has_begun(self) -> bool:
        return self._bytes > 0


def _has_waiting_bytes(connection: socket.socket) -> bool:
    """Tell whether bytes wait though nothing was asked: the server has closed the connection, or broke the protocol."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0)) or (isinstance(connection, ssl.SSLSocket) and connection.pending() > 0)


def tls_context() -> ssl.SSLContext:
    """Return a context that checks certificate and host name, from TLS 1.2 on, with the roots that botocore trusts.

    Raises:
        Fault: neither certifi nor botocore is installed, so there are no roots.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for package in ("certifi", "botocore"):
        spec = find_spec(package)  # finds the package without loading it
        if spec is not None and spec.submodule_search_locations:
            context.load_verify_locations(cafile=f"{spec.submodule_search_locations[0]}/cacert.pem")
            return context
    raise Fault("neither certifi nor botocore is installed, so no server's certificate can be checked")

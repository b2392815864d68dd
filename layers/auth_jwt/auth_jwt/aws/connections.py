"""HTTP/1.1 over connections that are kept: one question, one answer, in bounded time and size.

The standard library parses the answers. What it lacks is here: connections that outlive a request and a frozen
sandbox, a limit for answers that come drop by drop, and errors that quote nothing of what was sent or received.
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
"""A page of a Query is at most 1 MB of items; as JSON it may be several times that, but never this."""

MAX_IDLE_SECONDS: Final = 60
"""Whatever stands between may have forgotten a connection that was silent for longer, without telling either end."""

_LOST_AFTER: Final = 1 / 3
"""The part of a wait after which a connection counts as dead when the other machine acknowledges no byte."""

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What was answered. A redirect is an answer like any other: nobody follows it."""

    status: int
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)


class LastUse:
    """When something was last used: now, when this is made.

    By two clocks, since the one that never goes back may stand still while a sandbox is frozen.
    """

    def __init__(self) -> None:
        self._clocks = time.monotonic(), time.time()

    def is_long_ago(self) -> bool:
        """Tell whether more than `MAX_IDLE_SECONDS` have gone by."""
        now = time.monotonic(), time.time()
        return max(later - earlier for later, earlier in zip(now, self._clocks, strict=True)) > MAX_IDLE_SECONDS


class Connections:
    """Connections to one server: made when they are needed, kept for the next question, safe under threads.

    A kept one is not trusted when it has stood idle for long, nor after another one fell silent.

    Args:
        url: scheme, host and port of the server; more of it is not looked at.
        wait_seconds: how long connecting may take, and each wait for more of an answer.
        answer_seconds: how long everything may take from the question to the end of the answer, connecting included.
        tls: how the server of an https URL is known to be the right one; None is `tls_context()`.

    Attributes:
        host: the server as a `Host` header names it.
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

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> HttpAnswer:
        """Return what the server answers.

        A connection that was kept may have been closed meanwhile. Where that shows before a byte of the answer came,
        a new one takes its place, once; so only what may be asked twice may be asked here.

        Args:
            method: of HTTP.
            target: path and query string.
            headers: ASCII without line breaks; complete, since none is added.
            body: the body.

        Raises:
            Unreachable: no whole answer came, or not from who was asked; the message is a word for the cause.
            Fault: the answer is beyond all measure.
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
            if not (last_use.is_long_ago() or _has_something_to_say(connection)):
                return connection
            connection.close()

    def _forget(self) -> None:
        """Close what is kept."""
        while True:
            try:
                connection, _ = self._kept.pop()
            except IndexError:
                return
            connection.close()

    def _new_connection(self, wait: "_Wait") -> socket.socket:
        # As bytes: a host's name as text would load the tables for names in other scripts.
        name = self._name.encode("ascii")
        plain = None
        try:
            plain = self._connected(name, wait)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux's
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * self._wait * _LOST_AFTER))
            plain.settimeout(wait.seconds())
            return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=name)
        except OSError as error:
            cause = type(error).__name__
        if plain is not None:
            plain.close()
        raise Unreachable(cause)  # here, so that no other error hangs on to it, whose text may quote what came

    def _connected(self, name: bytes, wait: "_Wait") -> socket.socket:
        """Connect to the first address of *name* that takes us; none may use up the time of those after it."""
        places = [place for *_, place in socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM)]
        failure: OSError = OSError("no address")
        for number, (host, port, *_) in enumerate(places):
            try:
                seconds = wait.seconds() / (len(places) - number)
                return socket.create_connection(cast("tuple[str, int]", (str(host).encode(), port)), timeout=seconds)
            except OSError as error:
                failure = error
        raise failure

    def _exchange(self, connection: socket.socket, question: bytes, wait: "_Wait") -> HttpAnswer:
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
            # An answer of no stated length ends where the connection does, for whatever reason: nobody can tell.
            if response.chunked or response.length == 0:
                keep = not response.will_close
                return HttpAnswer(response.status, response.headers, body)
            cause = "IncompleteRead"
        except (OSError, HTTPException, ValueError) as error:
            cause = type(error).__name__
            is_silent = isinstance(error, TimeoutError)
            if is_silent:
                self._forget()
            # Silence may be a slow answer, but not where TCP gave up: then there is a number.
            if not incoming.has_begun and not (is_silent and cast("TimeoutError", error).errno is None):
                failure = _ClosedMeanwhile
        finally:
            if keep:
                self._kept.append((connection, LastUse()))
            else:
                connection.close()
        raise failure(cause)


class _ClosedMeanwhile(Unreachable):
    """The connection was closed, or turned out to be dead, before a byte of the answer came."""


class _Wait:
    """How long to wait, for one thing at most and for everything together."""

    def __init__(self, once: float, whole: float) -> None:
        self._once = once
        self._ends_at = time.monotonic() + whole

    def seconds(self) -> float:
        """Return how long the next wait may take.

        Raises:
            TimeoutError: there is no time left.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, self._once)


class _Incoming(io.RawIOBase):
    """The bytes of one answer, in bounded time: what `HTTPResponse` takes for a socket."""

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
        if self._bytes > 2 * MAX_ANSWER_BYTES:  # whatever the library asks for: it takes chunks of negative size
            raise OSError("too much")
        return count

    @property
    def has_begun(self) -> bool:
        return self._bytes > 0


def _has_something_to_say(connection: socket.socket) -> bool:
    """Tell whether bytes are waiting though nothing was asked: the server's good-bye, or what no answer begins with."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0)) or (isinstance(connection, ssl.SSLSocket) and connection.pending() > 0)


def tls_context() -> ssl.SSLContext:
    """Return how servers are recognised: by certificate and name, from TLS 1.2 on, by the roots that botocore trusts.

    Raises:
        Fault: there are no such roots.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for package in ("certifi", "botocore"):
        spec = find_spec(package)  # which does not load it
        if spec is not None and spec.submodule_search_locations:
            context.load_verify_locations(cafile=f"{spec.submodule_search_locations[0]}/cacert.pem")
            return context
    raise Fault("neither certifi nor botocore is installed, so nobody's certificate can be checked")

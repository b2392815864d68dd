"""The line between Kamailio and the API: it counts what passes, and a test can hold it, cut it, or speak on it."""

import contextlib
import json
import select
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from threading import Condition, Event, Thread
from typing import Any, Final

from tests.local_server import LocalServer

PATIENCE_SECONDS: Final = 20
_HOST: Final = "127.0.0.1"
_MAX_RECORD: Final = 65536
_OF_ONE_HOP: Final = frozenset({"connection", "content-length", "host", "transfer-encoding", "date", "server"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that came.

    Attributes:
        method, path: as sent.
        headers: by their names in lower case.
        body: as sent.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def member(self, name: str) -> Any:
        """Return a member of the body, None where there is none."""
        return json.loads(self.body).get(name)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in place of the API's; with a *location*, it sends the client on."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    location: str | None = None


CUT: Final = Said(0)
"""No answer: the connection ends."""

Conduct = Callable[[Asked], Said | None]
"""What becomes of a query; None lets it through."""


def _let_through(_: Asked) -> None:
    return None


class Line:
    """A small HTTP server on loopback that hands on what it gets.

    Attributes:
        asked: all queries so far.
    """

    def __init__(self, api: int, *, identity: ssl.SSLContext | None = None, port: int = 0) -> None:
        """Listen.

        Args:
            api: port of the API, on loopback.
            identity: key and certificate, to speak TLS.
            port: where; 0 is a free one.
        """
        self.asked: list[Asked] = []
        self._api, self._identity = api, identity
        self._conduct: Conduct = _let_through
        self._changed = Condition()
        self._open(port)
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' * (self._identity is not None)}://{_HOST}:{self.port}"

    def close(self) -> None:
        """Listen no more; queries get `connection refused`."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until so many queries have come, counted from the first.

        Raises:
            TimeoutError: they do not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.asked) >= count, PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self.asked)} queries came instead of {count}")

    @contextmanager
    def saying(self, conduct: Conduct | Said) -> Iterator[None]:
        """Treat queries otherwise for a while."""
        before = self._conduct
        self._conduct = (lambda _: conduct) if isinstance(conduct, Said) else conduct
        try:
            yield
        finally:
            self._conduct = before

    @contextmanager
    def holding(self, user: str) -> Iterator[Event]:
        """Hold the queries about a user until the event is set, at the latest when the context ends."""
        released = Event()

        def hold(asked: Asked) -> None:
            if asked.member("from_user") == user:
                released.wait(PATIENCE_SECONDS)

        try:
            with self.saying(hold):
                yield released
        finally:
            released.set()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Do not listen for a while."""
        self.close()
        try:
            yield
        finally:
            self._open(self.port)

    def treated(self, asked: Asked) -> Said:
        """Note a query and return its answer."""
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        return self._conduct(asked) or self._passed_on(asked)

    def _passed_on(self, asked: Asked) -> Said:
        with contextlib.closing(HTTPConnection(_HOST, self._api, timeout=PATIENCE_SECONDS)) as connection:
            headers = {name: value for name, value in asked.headers.items() if name not in _OF_ONE_HOP}
            connection.request(asked.method, asked.path, asked.body, headers)
            answer = connection.getresponse()
            return Said(answer.status, answer.read(), answer.headers["content-type"])

    def _open(self, port: int) -> None:
        self._server = _Server(self, port, self._identity)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()


class _Server(LocalServer):
    request_queue_size = 128
    block_on_close = False  # what is held is answered by then, or its client has gone

    def __init__(self, line: Line, port: int, identity: ssl.SSLContext | None) -> None:
        self.line, self._identity = line, identity
        super().__init__((_HOST, port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer on a connection, over TLS where that is asked for; this runs in a thread of its own."""
        if self._identity is None:
            super().finish_request(request, client_address)
            return
        with self._identity.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS

    def do_POST(self) -> None:
        """Have a query treated."""
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.server.line.treated(Asked(self.command, self.path, headers, body))
        if said is CUT:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(said.status)
        self.send_header("Content-Type", said.content_type)
        self.send_header("Content-Length", str(len(said.body)))
        if said.location is not None:
            self.send_header("Location", said.location)
        self.end_headers()
        self.wfile.write(said.body)

    def do_GET(self) -> None:
        """Have a query treated that was sent on."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class TlsFor:
    """A way into a TLS server for who speaks none, as Debian's SIPp: bytes in at *port*, the same over TLS out."""

    def __init__(self, server: int, trusted: ssl.SSLContext, name: str) -> None:
        """Listen on a free port of loopback.

        Args:
            server: port of the TLS server.
            trusted: who may vouch for it.
            name: what it has to prove to be.
        """
        self._server, self._trusted, self._name = server, trusted, name
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                Thread(target=self._carry, args=(self._listener.accept()[0],), daemon=True).start()

    def _carry(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(ConnectionError),
            plain,
            socket.create_connection((_HOST, self._server)) as outer,
            self._trusted.wrap_socket(outer, server_hostname=self._name) as secured,
        ):
            _carry_both_ways(plain, secured)


def _carry_both_ways(plain: socket.socket, secured: ssl.SSLSocket) -> None:
    """Carry bytes until one side ends; in one thread, since a TLS connection is not for two."""
    others: dict[socket.socket, socket.socket] = {plain: secured, secured: plain}
    while True:
        for source in select.select(list(others), [], [])[0]:
            source.settimeout(0)
            try:
                data = source.recv(_MAX_RECORD)  # all of a TLS record: what is left of one, `select` does not see
            except ssl.SSLWantReadError:  # a record of TLS's own
                continue
            finally:
                source.settimeout(None)
            if not data:
                return
            others[source].sendall(data)

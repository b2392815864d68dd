"""A proxy that stands between the service and its tables, and fails as it is told to.

    with a_fault_proxy("http://127.0.0.1:8000") as proxy:
        ...                                    # whoever asks goes to `proxy.url`, or has DB_URL=`proxy.db_url`
        with proxy.failing(FAULTS["silence"], Where(table="jwt_secrets", operation="Query")) as failing:
            ...
        failing.hits                           # how many requests met it

Faults are values of `tests.faults.injected`. Several may be on at a time: the first that fits a request is what it
meets. All methods may be called from any thread, while traffic goes on.
"""

import json
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

from tests.contract.servers import NO_ROWS, an_answer, read_question
from tests.faults.injected import ConnectionFault, InjectedFault

Tables = Callable[[bytes], bytes]
"""What answers: a whole HTTP request in, the whole answer out."""

_HOST: Final = "127.0.0.1"
_REGION: Final = "eu-central-1"
_REMEMBERED: Final = 100_000
_TARGET: Final = re.compile(
    rb"^x-amz-target:\s*(?:DynamoDB_20120810|secretsmanager)\.(\w+)", re.IGNORECASE | re.MULTILINE
)
_OF_A_HOP: Final = ("connection", "content-length", "date", "server", "transfer-encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which requests meet a fault.

    Attributes:
        operation: AWS's name of the operation; None for each.
        table: a table that the request names; None for each.
        text: what the request's body holds, a row's key for example; None for any.
        skip: how many of such requests pass before the first that fails.
        times: how many fail before all is well; None for each.
    """

    operation: str | None = None
    table: str | None = None
    text: str | None = field(default=None, repr=False)
    skip: int = 0
    times: int | None = None

    def fits(self, asked: "AskedTables", question: bytes) -> bool:
        """Tell whether a request is such a one."""
        is_named = self.table is None or self.table in asked.tables
        return is_named and self.operation in (None, asked.operation) and (self.text or "").encode() in question


ANYWHERE: Final = Where()


@dataclass(frozen=True, slots=True)
class AskedTables:
    """A request: what it asks, of which tables, and the fault that it met."""

    operation: str
    tables: tuple[str, ...]
    fault: str | None = None


@dataclass(slots=True, eq=False)
class Failing:
    """A fault that is on.

    Attributes:
        hits: how many requests or, for a fault of connections, connections have met it.
    """

    fault: InjectedFault | ConnectionFault
    where: Where
    hits: int = 0
    _passed: int = field(default=0, init=False)

    def takes(self, asked: AskedTables, question: bytes) -> bool:
        """Tell whether a request meets it now, and count that."""
        if not self.where.fits(asked, question) or self.hits == self.where.times:
            return False
        if self._passed < self.where.skip:
            self._passed += 1
            return False
        self.hits += 1
        return True


class FaultProxy:
    """Answers each request as *tables* do, except where a fault is on.

    Args:
        tables: what answers.
        identity: key and certificate for https; None speaks http.

    Attributes:
        asked: the last requests, in their order.
    """

    def __init__(self, tables: Tables, *, identity: ssl.SSLContext | None = None) -> None:
        self._tables = tables
        self._identity = identity
        self._failing: list[Failing] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.asked: deque[AskedTables] = deque(maxlen=_REMEMBERED)
        self._listener = socket.create_server((_HOST, 0), backlog=256)
        self._port = self._listener.getsockname()[1]
        self._listen()

    # -- where it is --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'' if self._identity is None else 's'}://{_HOST}:{self._port}"

    @property
    def db_url(self) -> str:
        """The same, as the setting DB_URL says it."""
        return f"dynamodb+{self.url}/{_REGION}"

    # -- faults -------------------------------------------------------------------------------------------------------

    def begin(self, fault: InjectedFault | ConnectionFault, where: Where = ANYWHERE) -> Failing:
        """Have requests meet a fault from now on. A fault of connections is about all of them."""
        failing = Failing(fault, where)
        with self._lock:
            self._failing.append(failing)
        if isinstance(fault, ConnectionFault):
            if fault.is_refused:
                self._stop_listening()
                self._listener = self._bound()
            self._close_connections()
        return failing

    def end(self, failing: Failing) -> None:
        """End a fault that is on."""
        with self._lock:
            self._failing.remove(failing)
            is_refused = any(isinstance(one.fault, ConnectionFault) and one.fault.is_refused for one in self._failing)
        if isinstance(failing.fault, ConnectionFault):
            if failing.fault.is_refused and not is_refused:
                self._listener.listen(256)
                self._listen()
            self._close_connections()

    @contextmanager
    def failing(self, fault: InjectedFault | ConnectionFault, where: Where = ANYWHERE) -> Iterator[Failing]:
        """Have requests meet a fault within this context."""
        failing = self.begin(fault, where)
        try:
            yield failing
        finally:
            self.end(failing)

    def close(self) -> None:
        """Stop, and close all connections."""
        self._stop_listening()
        self._close_connections()

    # -- connections --------------------------------------------------------------------------------------------------

    def _bound(self) -> socket.socket:
        """Keep the port without listening, so that connections are refused and nobody else takes it."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, self._port))
        return listener

    def _listen(self) -> None:
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def _stop_listening(self) -> None:
        with suppress(OSError):  # where it does not listen
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                connection, _ = listener.accept()
                with self._lock:
                    self._connections.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _close_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):  # the other side was first
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # of TLS as well: its own is not for two threads

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            identity = self._identity
            for fault in self._connection_faults():
                if fault.talk is not None:
                    fault.talk(plain)
                    return
                identity = fault.identity or identity
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if identity is not None and self._identity is not None:
                connection = identity.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._connections.add(connection)  # it has the place of `plain`, which is detached now
                connection.do_handshake()
            while (question := read_question(connection)) and self._answer(connection, question):
                pass
        except OSError:
            pass  # the other side went away, or its end was closed
        finally:
            with self._lock:
                self._connections -= {plain, connection}
            connection.close()

    def _connection_faults(self) -> list[ConnectionFault]:
        with self._lock:
            met = [one for one in self._failing if isinstance(one.fault, ConnectionFault)]
            for one in met:
                one.hits += 1
            return [one.fault for one in met if isinstance(one.fault, ConnectionFault)]

    # -- requests -----------------------------------------------------------------------------------------------------

    def _answer(self, connection: socket.socket, question: bytes) -> bool:
        fault = self._fault_of(question)
        if fault is None:
            connection.sendall(self._tables(question))
            return True
        whole = self._tables(question) if fault.is_carried_out else an_answer(NO_ROWS)
        return fault.script(connection, whole)

    def _fault_of(self, question: bytes) -> InjectedFault | None:
        operation, tables = _asked_of(question)
        asked = AskedTables(operation, tables)
        with self._lock:
            for one in self._failing:
                if isinstance(one.fault, InjectedFault) and one.takes(asked, question):
                    self.asked.append(AskedTables(operation, tables, one.fault.name))
                    return one.fault
            self.asked.append(asked)
        return None


@contextmanager
def a_fault_proxy(tables: str | Tables, *, identity: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """Run a proxy in front of *tables*: the address of a DynamoDB that speaks http, or what answers in its place."""
    proxy = FaultProxy(forwarding(tables) if isinstance(tables, str) else tables, identity=identity)
    try:
        yield proxy
    finally:
        proxy.close()


@contextmanager
def a_faulty_dynamodb(
    fault: InjectedFault,
    *,
    operation: str | None = None,
    whole: Callable[[str], bytes] = lambda _: NO_ROWS,
    times: int | None = None,
) -> Iterator[str]:
    """A server with nothing behind it that fails where it is asked for *operation*, so many *times*; its address.

    Args:
        fault: how it fails.
        operation: of DynamoDB; None for each.
        whole: the body of the whole answer to an operation.
        times: how often it fails before all is well; None for ever.
    """
    with a_fault_proxy(lambda question: an_answer(whole(_asked_of(question)[0]))) as proxy:
        proxy.begin(fault, Where(operation=operation, times=times))
        yield proxy.url


def _asked_of(question: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the operation of a request, and the tables that it names."""
    head, _, body = question.partition(b"\r\n\r\n")
    found = _TARGET.search(head)
    try:
        asked: Any = json.loads(body)
    except ValueError:
        asked = {}
    parts = [part for item in asked.get("TransactItems", ()) for part in item.values()]
    names = [part["TableName"] for part in (asked, *parts) if "TableName" in part]
    return found[1].decode() if found else "", tuple(sorted({*names, *asked.get("RequestItems", ())}))


def that_stand_still(url: str) -> Tables:
    """Return what asks the server at *url* once, and repeats its answer: for tables in which nobody writes."""
    ask, answers = forwarding(url), dict[tuple[str, bytes], bytes]()

    def answer(question: bytes) -> bytes:
        key = _asked_of(question)[0], question.partition(b"\r\n\r\n")[2]
        if key not in answers:
            answers[key] = ask(question)
        return answers[key]

    return answer


def forwarding(url: str) -> Tables:
    """Return what asks moto's server at *url*, over a connection of its own each time, as that server has it.

    A transaction is carried out once for its token, as DynamoDB does for ten minutes. moto does it each time.
    """
    place = urlsplit(url)
    done = dict[str, bytes]()

    def ask_once(question: bytes) -> bytes:
        token = _token_of(question)
        if token is None:
            return ask(question)
        if token not in done:
            answer = ask(question)
            if not answer.startswith(b"HTTP/1.1 200 "):
                return answer
            done[token] = answer
        return done[token]

    def ask(question: bytes) -> bytes:
        head, _, body = question.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        connection = HTTPConnection(place.hostname or "", place.port)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_A_HOP]
            octets = answer.read()
        finally:
            connection.close()
        told = "".join(f"{name}: {value}\r\n" for name, value in kept)
        return an_answer(octets, status=f"{answer.status} {answer.reason}", headers=told)

    return ask_once


def _token_of(question: bytes) -> str | None:
    """Return the token of a transaction that writes; None for other requests."""
    if b'"ClientRequestToken"' not in question:
        return None
    token: str = json.loads(question.partition(b"\r\n\r\n")[2])["ClientRequestToken"]
    return token

"""One process of `make serve`: the real handler behind an HTTP server, on a socket that its parent listens on.

Like an execution environment of Lambda it has its own memory and works on one request at a time. Its orders come as
a line of JSON on standard input, which stays open as long as the parent lives.
"""

import asyncio
import contextlib
import errno
import io
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn
from uuid import uuid4

import uvicorn

from tools.events.stage import Handler, Json, LambdaContext, environment, load_handler
from tools.serve.gateway import LOCAL_OPERATOR, MAX_BODY_BYTES, HttpAnswer, HttpRequest, RestApi

READY: Final = "ready"
ADMIN: Final = "/admin"
ADMIN_SECONDS: Final = 25  # the template's time-out; the other function has that of `Deployed`
_KEEP_ALIVE_SECONDS: Final = 75
_GRACE_SECONDS: Final = 1
_MAX_HEADER_BYTES: Final = 64 * 1024
_MAX_LINE_BYTES: Final = 1024 * 1024
_PAUSE_SECONDS: Final = 0.5

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is told.

    Attributes:
        socket: file descriptor of the listening socket.
        log: path of the file for everything the handler writes; empty: this process's standard error.
        document: OpenAPI body of the API.
        admin: that of the admin API; None: it is not served.
        api_key: what callers must send; None: nothing.
        variables: the function's environment.
    """

    socket: int
    log: str
    document: Json
    admin: Json | None
    api_key: str | None
    variables: dict[str, str]

    def to_json(self) -> str:
        """Return the orders as one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Deployed:
    """An API, and the function behind it.

    Attributes:
        api: the API.
        handler: the function.
        seconds: how long the function may run: the template's time-out.
    """

    api: RestApi
    handler: Handler
    seconds: int = 10


class Application:
    """The API as an ASGI application, and with it the *admin* API where it is served."""

    def __init__(self, main: Deployed, admin: Deployed | None) -> None:
        self._main = main
        self._admin = admin
        self._environment = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lambda")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = HttpRequest(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
            body=await _body_of(receive),
            client=scope["client"][0] if scope["client"] else "127.0.0.1",
        )
        answer = await asyncio.get_running_loop().run_in_executor(self._environment, self.answer, request)
        headers = [*answer.headers, ("content-length", str(len(answer.body)))]
        if len(request.body) > MAX_BODY_BYTES:
            headers.append(("connection", "close"))  # the rest of the body was not read
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Ask the function, unless the gateway answers by itself; write a line of access log."""
        started = time.perf_counter()
        request_id = str(uuid4())
        deployed = self._main
        if self._admin is not None and f"{request.path}/".startswith(f"{ADMIN}/"):
            deployed = self._admin
        answer = deployed.api.refusal_of(request, request_id) or _invoke(deployed, request, request_id)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request_id": request_id,
            "method": request.method,
            "resource": deployed.api.resource_of(request.path),  # not the path, which may hold anything
            "status": answer.status,
            "latency_ms": round((time.perf_counter() - started) * 1000, 1),
        }
        print(json.dumps({"access": line}))
        return answer


def _invoke(deployed: Deployed, request: HttpRequest, request_id: str) -> HttpAnswer:
    # Through JSON and back, as Lambda carries both.
    event = json.loads(json.dumps(deployed.api.event_of(request, request_id)))
    context = LambdaContext(str(uuid4()), seconds_left=deployed.seconds)
    try:
        given = json.loads(json.dumps(deployed.handler(event, context)))
        return deployed.api.answer_of(given, request_id)
    except Exception:  # noqa: BLE001 - whatever it is, API Gateway answers 502
        traceback.print_exc()
        return deployed.api.own_answer("INTEGRATION_FAILURE", request_id)


async def _body_of(receive: Receive) -> bytes:
    """Read a body, but not much beyond what is too much."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _stop_without_parent(server: uvicorn.Server) -> None:
    """End when the parent has, in whatever way: its end of standard input is then closed."""
    sys.stdin.read()
    server.should_exit = True


def end_at_once(code: int) -> NoReturn:
    """End this process, in which nothing is left to be done: Python would take a third of a second to forget it all."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # its terminal is closed
            stream.flush()
    os._exit(code)


def redirect_output(log: str) -> None:
    """Send what the handler writes to the log, each line by one write: the other workers write there, too."""
    if log:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
    else:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # A stream of our own: Python's writes the end of a line apart when PYTHONUNBUFFERED is set.
    output = open(sys.stdout.fileno(), "wb", buffering=_MAX_LINE_BYTES, closefd=False)  # noqa: SIM115 - for good
    sys.stdout = io.TextIOWrapper(output, sys.stdout.encoding, sys.stdout.errors, line_buffering=True)


class Listener(socket.socket):
    """A socket that takes no connections for a while after the process ran out of file descriptors.

    asyncio, which then pauses for a second, would before that try as many times as connections may wait.
    """

    _exhausted_at = -float("inf")

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection.

        Raises:
            BlockingIOError: there is none, or not yet a descriptor for it.
            OSError: it failed.
        """
        if time.monotonic() < self._exhausted_at + _PAUSE_SECONDS:
            raise BlockingIOError(errno.EAGAIN, "no file descriptor is left")
        try:
            return super().accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._exhausted_at = time.monotonic()
            raise


def main() -> None:
    """Serve until told to stop."""
    orders = Orders(**json.loads(sys.stdin.readline()))
    to_parent = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    redirect_output(orders.log)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a client that sends no HTTP is told so
    with environment(orders.variables):
        admin = None
        if orders.admin is not None:
            api = RestApi(orders.admin, actor=LOCAL_OPERATOR)
            admin = Deployed(api, load_handler("provisioning"), ADMIN_SECONDS)
        app = Application(Deployed(RestApi(orders.document, orders.api_key), load_handler()), admin)
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        )
        server = uvicorn.Server(config)
        threading.Thread(target=_stop_without_parent, args=(server,), daemon=True).start()
        print(READY, file=to_parent, flush=True)
        server.run(sockets=[Listener(fileno=orders.socket)])


if __name__ == "__main__":
    main()
    end_at_once(0)

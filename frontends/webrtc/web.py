"""The portal over HTTP, on a thread of its own, for the loopback interface."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from tools.serve.gateway import HttpAnswer, HttpRequest

_IDLE_SECONDS: Final = 30
_MAX_BODY_BYTES: Final = 64 * 1024

Answering = Callable[[HttpRequest], HttpAnswer]


@contextmanager
def serving(listener: socket.socket, answering: Answering) -> Iterator[None]:
    """Answer what comes in at *listener*, a listening socket that this takes over, until the context ends."""

    class Handler(_Handler):
        answer = staticmethod(answering)

    server = _Server(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="portal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps connections open

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that went away."""


class _Handler(BaseHTTPRequestHandler):
    answer: Answering
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def _handle(self) -> None:
        if "Transfer-Encoding" in self.headers:
            self.send_error(411)
            return
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > _MAX_BODY_BYTES:
            self.send_error(413)
            return
        path, _, query = self.path.partition("?")
        request = HttpRequest(
            self.command, path, query, list(self.headers.items()), self.rfile.read(int(length)), self.client_address[0]
        )
        given = self.answer(request)
        self.send_response_only(given.status)
        for name, value in given.headers:
            self.send_header(name, value)
        if given.status != 204:  # which has no body, and says so by itself
            self.send_header("Content-Length", str(len(given.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(given.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is not for the portal; http.server would send a page, and say which Python this is."""
        title = message or HTTPStatus(code).phrase
        body = json.dumps({"title": title, "status": int(code)}).encode()
        self.close_connection = True
        self.send_response_only(code)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: the page says what happens."""

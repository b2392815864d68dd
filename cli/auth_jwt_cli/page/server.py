"""Serves the admin page on loopback, to one browser: its files, and what it asks of the admin API, signed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from auth_jwt.errors import Fault, Unreachable
from auth_jwt_cli.output import message_of
from auth_jwt_cli.page.admin_api import AdminApi, ApiAnswer
from auth_jwt_cli.page.guard import FILE, BrowserRequest, Guard, NotOurs, length_of_body

HOST: Final = "127.0.0.1"
PAGE: Final = "/admin/page"
_PATIENCE_SECONDS: Final = 30
_OK: Final = 200
_BAD_GATEWAY: Final = 502
_TEXT: Final = "text/plain; charset=utf-8"
_PROBLEM: Final = "application/problem+json"
_MEDIA_TYPES: Final[Mapping[str | None, str]] = {
    None: "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_PASSED_ON: Final = ("etag", "retry-after", "x-amzn-errortype")
_OF_EVERY_ANSWER: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Set here, whatever the admin API says: the page runs on this machine, beside other pages."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the browser gets."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class PageServer(ThreadingHTTPServer):
    """A server for the page.

    Args:
        port: where it listens; 0 takes a free port.
        key: proves that a request comes from a window which was opened with the address that was printed.
        api: the admin API.
        advise: lets the message of a fault say what to do next.
    """

    daemon_threads = True

    def __init__(self, port: int, key: str, api: AdminApi, advise: Callable[[Fault], None]) -> None:
        super().__init__((HOST, port), _Handler)
        self._advise = advise
        self.guard = Guard(self.server_port, key)
        self.api = api
        self.files: dict[str, ApiAnswer] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the standard library's
        """Say nothing about a connection that broke: its message might quote a request."""

    def answer(self, request: BrowserRequest, read: Callable[[int], bytes]) -> Served:
        """Answer a request of the browser; *read* gives so many bytes of its body."""
        try:
            if found := FILE.fullmatch(request.target):
                return self._file(request, found[1])
            return self._signed(request, read)
        except NotOurs as refusal:
            return _problem(refusal.status, "page-refused", str(refusal))

    def fetch(self, path: str) -> ApiAnswer:
        """Return a file of the page, from the admin API or from memory.

        Raises:
            Unreachable: no answer came.
            Fault: the request could not be signed.
        """
        if path not in self.files:
            answer = self.api.ask("GET", path)
            if answer.status != _OK:
                return answer
            self.files[path] = answer
        return self.files[path]

    def _file(self, request: BrowserRequest, kind: str | None) -> Served:
        self.guard.check_place(request)
        if length_of_body(request):  # which would be read as the next request of this connection
            raise NotOurs("a file is asked for without a body", 400)
        if request.method not in ("GET", "HEAD"):
            raise NotOurs("a file is only read", 405)
        try:
            answer = self.fetch(request.path)
        except Fault as fault:
            return Served(_BAD_GATEWAY, _TEXT, f"{self._words_of(fault)}\n".encode())
        if answer.status != _OK:
            return Served(answer.status, _TEXT, f"The admin API answers {answer.status}.\n".encode())
        return Served(_OK, _MEDIA_TYPES[kind], answer.body)

    def _signed(self, request: BrowserRequest, read: Callable[[int], bytes]) -> Served:
        target = self.guard.signable(request)
        length = length_of_body(request)
        body = read(length)
        if len(body) != length:  # RFC 9112, section 8: such a request is incomplete
            raise NotOurs("the body ended early", 400)
        headers = {"Content-Type": "application/json"} if body else {}
        if (version := request.one("if-match")) is not None:
            headers["If-Match"] = version
        try:
            answer = self.api.ask(request.method, target, headers=headers, body=body)
        except Fault as fault:
            kind = "no-answer" if isinstance(fault, Unreachable) else "not-sent"
            return _problem(_BAD_GATEWAY, kind, self._words_of(fault))
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.body and media_type not in ("application/json", _PROBLEM):
            return _problem(_BAD_GATEWAY, "no-answer", f"{self.api.base} is no admin API: it does not answer with JSON")
        passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Served(answer.status, media_type or _PROBLEM, answer.body, passed_on)

    def _words_of(self, fault: Fault) -> str:
        self._advise(fault)
        return message_of(fault)


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP with the browser."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_SECONDS
    error_message_format = "%(code)d\n"
    error_content_type = _TEXT

    def _answer(self) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        served = self.server.answer(BrowserRequest(self.command, self.path, headers), self.rfile.read)
        if served.status >= 400 and served.media_type == _PROBLEM:
            self.close_connection = True
        self.send_response_only(served.status)
        for name, value in {**_OF_EVERY_ANSWER, **served.headers, "Content-Type": served.media_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(served.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(served.body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the standard library's
        """Log nothing: addresses hold tags, and the admin API's own log has each request."""


def _problem(status: int, kind: str, detail: str) -> Served:
    document = {"type": f"urn:auth-jwt:problem:{kind}", "status": status, "detail": detail}
    return Served(status, _PROBLEM, json.dumps(document).encode())

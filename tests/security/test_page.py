"""Attacks on `auth-jwt page`, byte by byte at its socket: whoever is not its page has nothing signed, and one reading.

Which headers and paths are the page's own is held in tests/unit/cli/test_page_guard.py, and the command as a process in
tests/integration/test_page_command.py. Here is what a library that speaks HTTP would never send.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from threading import Thread
from typing import Final

import pytest

from auth_jwt_cli.page.admin_api import AdminApi, ApiAnswer
from auth_jwt_cli.page.server import PageServer

KEY: Final = "the-key-of-this-start-0123456789-abcdefghij"
WAIT_SECONDS: Final = 30
LINES: Final = {
    "[disable]": "POST /admin/profiles/alice/disable",
    "[get]": "GET /admin/deployment",
    "[post]": "POST /admin/explain",
}
"""The first lines of requests, by what stands for them below."""


@dataclass
class Api(AdminApi):
    """An admin API that notes what it is asked, as it would have been signed."""

    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    def ask(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> ApiAnswer:
        """Note a request."""
        self.asked.append((method, target, body))
        return ApiAnswer(200, {"content-type": "application/json"}, b"{}")


@dataclass
class Page:
    """The page's server, and what it had signed."""

    server: PageServer
    api: Api

    @property
    def port(self) -> int:
        return self.server.server_port

    def send(self, text: str) -> list[int]:
        """Send bytes, with what the page itself would say for the words in brackets; return the statuses."""
        self.api.asked.clear()
        own = f"Host: 127.0.0.1:{self.port}\r\n"
        key = f"X-Auth-Jwt-Page: {KEY}\r\nSec-Fetch-Site: same-origin\r\n"
        for word, line in LINES.items():
            text = text.replace(word, f"{line} HTTP/1.1\r\n")
        sent = text.replace("[own]", own + key).replace("[host]", own).replace("[key]", key)
        sent = sent.replace("[port]", str(self.port)).replace("[json]", "Content-Type: application/json\r\n")
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)) as connection:
            connection.sendall(sent.encode("latin-1"))
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        assert KEY.encode() not in received
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


@pytest.fixture(name="page", scope="module")
def _page() -> Iterator[Page]:
    api = Api.__new__(Api)
    api.base, api.asked = "https://api.test/v1", []
    with PageServer(0, KEY, api, lambda _: None) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Page(server, api)
        server.shutdown()
        thread.join(WAIT_SECONDS)


SECOND: Final = "[disable][own]Content-Length: 0\r\n\r\n"
"""A request that is behind another, or within its body."""

REFUSED: Final = {
    "rebinding: another name": ("[get]Host: evil.example:[port]\r\n[key]\r\n", 421),
    "rebinding: a name in capitals": ("[get]Host: LOCALHOST:[port]\r\n[key]\r\n", 421),
    "rebinding: a final dot": ("[get]Host: localhost.:[port]\r\n[key]\r\n", 421),
    "rebinding: the address as a number": ("[get]Host: 2130706433:[port]\r\n[key]\r\n", 421),
    "rebinding: a user before the host": ("[get]Host: x@127.0.0.1:[port]\r\n[key]\r\n", 421),
    "rebinding: a folded host": ("[get]Host:\r\n 127.0.0.1:[port]\r\n[key]\r\n", 421),
    "rebinding: no host, as in HTTP/1.0": ("GET /admin/deployment HTTP/1.0\r\n[key]\r\n", 421),
    "rebinding: two hosts": ("[get][own]Host: evil.example\r\n\r\n", 400),
    "rebinding: a host behind a bare CR": ("[get][own]X: a\rHost: evil\r\n\r\n", 400),
    "rebinding: the whole address as the target": (
        "GET http://evil.example/admin/deployment HTTP/1.1\r\n[own]\r\n",
        400,
    ),
    "CSRF: a form of another page": (
        "[disable][host]Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
        403,
    ),
    "CSRF: a plain text body": (
        "[post][own]Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        415,
    ),
    "CSRF: no key": ("[disable][host]Content-Length: 0\r\n\r\n", 403),
    "CSRF: a folded key": (f"[get][host]X-Auth-Jwt-Page: {KEY[:5]}\r\n {KEY[5:]}\r\n\r\n", 403),
    "CSRF: a preflight": (
        "OPTIONS /admin/deployment HTTP/1.1\r\n[host]Origin: https://evil.example\r\n"
        "Access-Control-Request-Method: DELETE\r\n\r\n",
        501,
    ),
    "smuggling: two lengths": (
        f"[post][own][json]Content-Length: 2\r\nContent-Length: 99\r\n\r\n{{}}{SECOND}",
        400,
    ),
    "smuggling: a list of lengths": (
        f"[post][own][json]Content-Length: 2, 2\r\n\r\n{{}}{SECOND}",
        400,
    ),
    "smuggling: a length with a sign": (
        f"[post][own][json]Content-Length: +2\r\n\r\n{{}}{SECOND}",
        400,
    ),
    "smuggling: a length of 5,000 digits": (
        f"[post][own][json]Content-Length: {'0' * 5000}2\r\n\r\n{{}}{SECOND}",
        400,
    ),
    "smuggling: chunks and a length": (
        f"[post][own][json]Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}",
        411,
    ),
    "smuggling: chunks": (
        f"[post][own][json]Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SECOND}",
        411,
    ),
    "smuggling: in the body of a file": (
        f"GET /admin/page HTTP/1.1\r\n[host][json]Content-Length: 200\r\n\r\n{SECOND}",
        400,
    ),
    "smuggling: in the body of what is refused": (
        f"POST /admin/profiles HTTP/1.1\r\n[own][json]Content-Length: 200\r\n\r\n{SECOND}",
        403,
    ),
    "smuggling: a body that ends early": ("[post][own][json]Content-Length: 99\r\n\r\n{}", 400),
    "traversal: from a file": ("GET /admin/page/../../../etc/passwd HTTP/1.1\r\n[own]\r\n", 403),
    "traversal: encoded": ("GET /admin/page/%2e%2e/%2e%2e/etc/passwd.js HTTP/1.1\r\n[own]\r\n", 403),
    "traversal: a NUL": ("GET /admin/page/x%00.js HTTP/1.1\r\n[own]\r\n", 403),
    "traversal: a folder as a tag": ("GET /admin/profiles/%2E%2E HTTP/1.1\r\n[own]\r\n", 400),
    "methods: a proxy's": ("CONNECT 169.254.169.254:80 HTTP/1.1\r\n[own]\r\n", 501),
    "methods: TRACE": ("TRACE /admin/deployment HTTP/1.1\r\n[own]\r\n", 501),
    "methods: of a file": ("DELETE /admin/page HTTP/1.1\r\n[own]\r\n", 405),
    "own: a line of 70,000 characters": (f"GET /admin/profiles/{'a' * 70_000} HTTP/1.1\r\n[own]\r\n", 414),
    "own: 200 headers": ("[get][own]" + "X: y\r\n" * 200 + "\r\n", 431),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_is_signed_for_whoever_is_not_the_page_or_can_be_read_twice(page: Page, what: str) -> None:
    """One answer, and none for what stands behind it: the connection ends, so no rest of it is read as a request."""
    text, status = REFUSED[what]

    assert page.send(text) == [status]
    assert page.api.asked == []


@pytest.mark.parametrize(
    "override",
    ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin/issuers", "X-Forwarded-Host: evil", "Forwarded: host=x"],
)
def test_no_header_makes_another_request_of_one(page: Page, override: str) -> None:
    assert page.send(f"[post][own][json]{override}\r\nContent-Length: 2\r\n\r\n{{}}") == [200]
    assert page.api.asked == [("POST", "/admin/explain", b"{}")]


def test_what_the_page_itself_sends_is_signed(page: Page) -> None:
    """Else the refusals above would say nothing. Two requests on one connection are two."""
    assert page.send(f"[post][own][json]Content-Length: 2\r\n\r\n{{}}{SECOND}") == [200, 200]
    assert page.api.asked == [("POST", "/admin/explain", b"{}"), ("POST", "/admin/profiles/alice/disable", b"")]

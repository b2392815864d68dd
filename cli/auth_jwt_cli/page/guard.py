"""Which requests are the page's own. Whoever else reaches this port must not act with the operator's credentials.

Other pages in the same browser, other names for this address (DNS rebinding), other programs and other users of this
machine are kept out. What the page itself never asks is refused, too: it deletes no user and reads no issuer.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

MAX_BODY_BYTES: Final = 1_000_000
_MAX_DIGITS: Final = 20
KEY_HEADER: Final = "X-Auth-Jwt-Page"
FILE: Final = re.compile(r"/admin/page(?:/[a-z]{1,32}\.(js|css|svg))?")

REQUESTS: Final = (
    ("GET", "/admin/deployment"),
    ("GET", "/admin/profiles"),
    ("GET", "/admin/profiles/*"),
    ("POST", "/admin/profiles/*/disable"),
    ("POST", "/admin/profiles/*/enable"),
    ("GET", "/admin/profiles/*/secrets"),
    ("GET", "/admin/profiles/*/revocations"),
    ("POST", "/admin/profiles/*/revocations"),
    ("DELETE", "/admin/profiles/*/revocations/*"),
    ("DELETE", "/admin/profiles/*/tokens_valid_after"),
    ("POST", "/admin/profiles/*/tokens"),
    ("POST", "/admin/explain"),
)
"""What the page asks of the admin API: the method, and the path with `*` for one segment."""

_ALLOWED: Final = tuple((method, re.compile(re.escape(path).replace(r"\*", "[^/]+"))) for method, path in REQUESTS)
_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)+")  # RFC 3986, section 3.3
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_FOLDERS: Final = (b".", b"..")
_JSON: Final = "application/json"


class NotOurs(Exception):
    """A request is not the page's own, or none that it makes.

    Attributes:
        status: the HTTP status of the answer.
    """

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """A request as the browser sent it.

    Attributes:
        method: its method.
        target: path and query, as sent.
        headers: values by name in lower case; several of one name in order.
    """

    method: str
    target: str
    headers: Mapping[str, Sequence[str]] = field(repr=False)

    @property
    def path(self) -> str:
        """The path, as sent."""
        return self.target.partition("?")[0]

    def one(self, name: str) -> str | None:
        """Return the only value of a header; None without it.

        Raises:
            NotOurs: it was given twice.
        """
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise NotOurs(f"the header {name} was given twice", 400)
        return values[0] if values else None


class Guard:
    """Decides which requests are the page's own.

    Args:
        port: the port at which the page is served.
        key: what proves that a request comes from a window which was opened with the address that was printed.
    """

    def __init__(self, port: int, key: str) -> None:
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._key = key.encode()

    def check_place(self, request: BrowserRequest) -> None:
        """Check that a browser asks for this address by its own name, and not for another page.

        Raises:
            NotOurs: it does not.
        """
        host = request.one("host")
        if host not in self._hosts:
            raise NotOurs("this page has another address", 421)
        if request.one("origin") not in (None, f"http://{host}"):
            raise NotOurs("another page asks")
        if request.one("sec-fetch-site") not in (None, "none", "same-origin"):
            raise NotOurs("another page asks")

    def signable(self, request: BrowserRequest) -> str:
        """Return the path and query to sign for a request to the admin API, in the one form that has no second reading.

        Raises:
            NotOurs: the request may not be signed.
        """
        self.check_place(request)
        if not secrets.compare_digest((request.one(KEY_HEADER.lower()) or "").encode(), self._key):
            raise NotOurs(
                "this window does not belong to the running `auth-jwt page`: open the address that it printed"
            )
        if request.one("sec-fetch-site") == "none":
            raise NotOurs("only the page itself may ask this")
        path, _, query = request.target.partition("?")
        if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
            raise NotOurs("this is no path of the admin API", 400)
        if not any(method == request.method and form.fullmatch(path) for method, form in _ALLOWED):
            raise NotOurs("the page does not ask this of the admin API")
        segments = [unquote_to_bytes(segment) for segment in path[1:].split("/")]
        if any(segment in _FOLDERS for segment in segments):
            raise NotOurs(
                "a name of dots is a folder to whoever carries this request: use the command line for it", 400
            )
        canonical = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        pairs = parse_qsl(query, keep_blank_values=True)
        return f"{canonical}?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else canonical


def length_of_body(request: BrowserRequest) -> int:
    """Return how many bytes of body follow.

    Raises:
        NotOurs: that is not told, too much, or the body is no JSON.
    """
    if request.one("transfer-encoding") is not None:
        raise NotOurs("a body has a Content-Length here", 411)
    told = request.one("content-length") or "0"
    if not (told.isascii() and told.isdigit() and len(told) <= _MAX_DIGITS):  # of many, int() would read none
        raise NotOurs("the Content-Length is no number", 400)
    length = int(told)
    if length > MAX_BODY_BYTES:
        raise NotOurs(f"a body has at most {MAX_BODY_BYTES} bytes", 413)
    if length and (request.one("content-type") or "").partition(";")[0].strip().lower() != _JSON:
        raise NotOurs(f"a body is {_JSON}", 415)
    return length

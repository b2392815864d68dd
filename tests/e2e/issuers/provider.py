"""A user who logs in at an OpenID provider through its pages, as with a browser."""

import base64
import hashlib
import html
import json
import re
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from tools.provider.process import RESOURCE, SCOPE, RunningProvider, running

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
CALLBACK: Final = "https://phone.example.com/callback"
SIP: Final = RESOURCE
PORTAL: Final = "https://portal.example.com/"
"""Resources that tokens are for; their audiences are `sip` and `portal`."""

_PATIENCE_SECONDS: Final = 60
_MAX_STEPS: Final = 20


@dataclass(slots=True)
class Provider(RunningProvider):
    """A running provider, where users log in.

    Attributes:
        authority: the certificate of the authority that vouches for its server.
    """

    authority: Path = Path()

    def log_in(self, user: str, *, alg: str = "RS256", client: str | None = None, resource: str = SIP) -> "Tokens":
        """Log a user in with a browser that knows nothing, and return the tokens."""
        return _Browser(self, client or f"phone-{alg}").log_in(user, resource)


@contextmanager
def a_provider(identity: Path, authority: Path, log: Path) -> Iterator[Provider]:
    """Run a provider; it has ended when the context has.

    Args:
        identity: file with its server's key and certificate.
        authority: the certificate of who vouches for it.
        log: file for what node says.
    """
    with running(identity, log) as provider:
        yield Provider(provider.issuer, provider.url, provider.process, authority=authority)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave at the end of a login."""

    access: str = field(repr=False)
    id: str = field(repr=False)

    @property
    def header(self) -> dict[str, Any]:
        """The header of the access token."""
        return _part(self.access, 0)

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the access token."""
        return _part(self.access, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    part: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return part


class _NoRedirect(HTTPRedirectHandler):
    """Leaves redirects to the browser, which stops at the client's own address."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Page:
    """What a browser shows: an address, and the page or where it leads."""

    url: str
    text: str
    leads_to: str | None


class _Browser:
    """A browser with cookies of its own, and in it a client that has no secret (RFC 7636, RFC 8252)."""

    def __init__(self, provider: Provider, client: str) -> None:
        self._provider = provider
        self._client = client
        self._verifier = secrets.token_urlsafe(48)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(provider.authority)
        self._opener: OpenerDirector = build_opener(
            _NoRedirect, HTTPSHandler(context=tls), HTTPCookieProcessor(CookieJar())
        )

    def log_in(self, user: str, resource: str) -> Tokens:
        """Go from the first address to the tokens, and fill in what the pages ask on the way."""
        state, nonce = secrets.token_urlsafe(), secrets.token_urlsafe()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": self._client,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": f"openid {SCOPE}",
            "resource": resource,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = self._get(f"{self._provider.issuer}/auth?{urlencode(asked)}")
        for _ in range(_MAX_STEPS):
            if page.leads_to is not None and page.leads_to.startswith(CALLBACK):
                return self._tokens_for(page.leads_to, state, nonce, resource)
            page = self._get(page.leads_to) if page.leads_to is not None else self._fill_in(page, user)
        raise AssertionError(f"no end of pages, the last {page.url}")

    def _fill_in(self, page: _Page, user: str) -> _Page:
        """Send the form of a page: a name and any password, or consent."""
        action = re.search(r'<form [^>]*action="([^"]+)" method="post"', page.text)
        assert action is not None, f"no form at {page.url}: {page.text[-300:]}"
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', page.text))
        if fields["prompt"] == "login":
            fields |= {"login": user, "password": "any"}
        return self._send(urljoin(page.url, html.unescape(action[1])), fields)

    def _tokens_for(self, callback: str, state: str, nonce: str, resource: str) -> Tokens:
        given = {name: values[0] for name, values in parse_qs(urlsplit(callback).query).items()}
        assert (given["state"], given["iss"]) == (state, self._provider.issuer), given
        answer = self._send(
            f"{self._provider.issuer}/token",
            {
                "grant_type": "authorization_code",
                "client_id": self._client,
                "code": given["code"],
                "redirect_uri": CALLBACK,
                "resource": resource,
                "code_verifier": self._verifier,
            },
        )
        tokens = json.loads(answer.text)
        assert _part(tokens["id_token"], 1)["nonce"] == nonce
        return Tokens(tokens["access_token"], tokens["id_token"])

    def _get(self, url: str) -> _Page:
        return self._page_of(Request(url))

    def _send(self, url: str, fields: dict[str, str]) -> _Page:
        return self._page_of(Request(url, urlencode(fields).encode()))

    def _page_of(self, request: Request) -> _Page:
        try:
            with self._opener.open(request, timeout=_PATIENCE_SECONDS) as answer:
                return _Page(request.full_url, answer.read().decode(), None)
        except HTTPError as other:
            with other:
                location = other.headers.get("Location")
                if location is None:
                    raise AssertionError(f"{other.code}: {other.read().decode()[:300]}") from None
                return _Page(request.full_url, "", urljoin(request.full_url, location))

"""A web login, where a real portal would be: passwords, sessions, and a token for whoever has logged in.

It stands in for what you have. What counts for SIP is `POST /users/USER/token` alone: a page that has logged in, by
whatever means, gets a token of short life from its own backend.

A session is kept by a cookie below the path of its user, so one browser may be alice in one tab and bob in the next.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from frontends.webrtc.issuing import CannotTell, IssuedToken, NoToken
from tools.serve.gateway import HttpAnswer, HttpRequest, Pairs

SESSION_SECONDS: Final = 8 * 3600
COOKIE: Final = "softphone_session"
MAX_BODY_BYTES: Final = 4096
_MAX_SESSIONS: Final = 1000
_RETRY_SECONDS: Final = 5

FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""What is given to everybody: path, file, media type."""

PROVIDER: Final = "/provider"
"""Where the page learns how to log in at an OpenID provider, and whether it can."""


@dataclass(frozen=True, slots=True)
class Password:
    """A password, as far as it is kept."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> "Password":
        """Take a password in."""
        salt = secrets.token_bytes(16)
        return cls(salt, _scrypt(text, salt))

    def fits(self, text: str) -> bool:
        """Tell whether *text* is it."""
        return secrets.compare_digest(self.digest, _scrypt(text, self.salt))


def _scrypt(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(text.encode("utf-8", "surrogatepass"), salt=salt, n=1 << 14, r=8, p=1)


_NOBODYS: Final = Password(b"", b"")
"""Compared where there is no such user, so that the answer takes as long."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who has logged in, until when on the portal's own clock."""

    user: str
    end: float


class _Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, status: int, title: str, *headers: tuple[str, str]) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Portal:
    """The login, and the page behind it.

    Attributes:
        issue: signs a token for a user; raises `NoToken` or `CannotTell`.
        passwords: by user.
        files: the page's, by name.
        hosts: `HOST:PORT` that the portal is reached by; requests for others, which a foreign name that leads here
            would make, are refused.
        websocket: URL of the SIP server.
        provider: what the page must know to log in at an OpenID provider; empty without one.
        clock: seconds, by which sessions end.
    """

    issue: Callable[[str], IssuedToken]
    passwords: Mapping[str, Password] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    hosts: frozenset[str]
    websocket: str
    provider: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request."""
        try:
            given = self._answer(request)
        except _Refused as refused:
            body = json.dumps({"title": refused.title, "status": refused.status}).encode()
            headers = [("Content-Type", "application/problem+json"), *refused.headers]
            given = HttpAnswer(refused.status, headers, body)
        return HttpAnswer(given.status, [*given.headers, *self._headers()], given.body)

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        if request.first("host") not in self.hosts:
            raise _Refused(421, "This server has another name")
        if request.path in FILES:
            return self._file(request)
        if request.path == PROVIDER:
            _only_read(request)
            return _json(self.provider)
        act = self._action_at(request.path)
        if request.method != "POST":
            raise _Refused(405, "This takes a POST", ("Allow", "POST"))
        if request.first("origin") != f"http://{request.first('host')}":
            raise _Refused(403, "Only this server's own page may ask")
        return act(request)

    def _action_at(self, path: str) -> Callable[[HttpRequest], HttpAnswer]:
        if path == "/session":
            return self._log_in
        of_users = {"token": self._token, "logout": self._log_out}
        match path.split("/"):
            case ["", "users", user, action] if user in self.passwords and action in of_users:
                return of_users[action]
        raise _Refused(404, "There is nothing here")

    def _file(self, request: HttpRequest) -> HttpAnswer:
        _only_read(request)
        name, media_type = FILES[request.path]
        return HttpAnswer(200, [("Content-Type", media_type)], self.files[name])

    def _log_in(self, request: HttpRequest) -> HttpAnswer:
        given = _members_of(request)
        user, password = given.get("user"), given.get("password")
        if not (isinstance(user, str) and isinstance(password, str)):
            raise _Refused(400, "user and password are needed")
        if not self.passwords.get(user, _NOBODYS).fits(password):
            raise _Refused(401, "There is no such user, or the password is another one")
        self._forget_old_sessions()
        key = secrets.token_urlsafe(32)
        self._sessions[key] = Session(user, self.clock() + SESSION_SECONDS)
        return _json({"user": user}, ("Set-Cookie", _cookie(user, key, SESSION_SECONDS)))

    def _token(self, request: HttpRequest) -> HttpAnswer:
        user = self._session_of(request).user
        try:
            issued = self.issue(user)
        except NoToken:
            raise _Refused(403, "This account may not use the phone at present") from None
        except CannotTell:
            raise _Refused(503, "No tokens at present", ("Retry-After", str(_RETRY_SECONDS))) from None
        return _json(
            {
                "token": issued.token,
                "expires_in": issued.seconds,
                "sip_uri": issued.sip_uri,
                "websocket": self.websocket,
            }
        )

    def _log_out(self, request: HttpRequest) -> HttpAnswer:
        user = self._session_of(request).user
        self._sessions.pop(_key_of(request), None)
        return HttpAnswer(204, [("Set-Cookie", _cookie(user, "", 0))], b"")

    def _session_of(self, request: HttpRequest) -> Session:
        session = self._sessions.get(_key_of(request))
        if session is None or self.clock() >= session.end or not request.path.startswith(f"/users/{session.user}/"):
            raise _Refused(401, "Nobody has logged in, or the login has ended")
        return session

    def _forget_old_sessions(self) -> None:
        now = self.clock()
        for key, session in list(self._sessions.items()):
            if now >= session.end or len(self._sessions) >= _MAX_SESSIONS:
                del self._sessions[key]

    def _headers(self) -> Pairs:
        asked = " ".join(["'self'", self.websocket, *filter(None, [self.provider.get("token_endpoint")])])
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src {asked}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'"
        )
        return [
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", policy),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Permissions-Policy", "microphone=(self), camera=(), geolocation=()"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ]


def _only_read(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise _Refused(405, "This can only be read", ("Allow", "GET, HEAD"))


def _members_of(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > MAX_BODY_BYTES:
        raise _Refused(413, "That is too much")
    if (request.first("content-type") or "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "This takes JSON")
    try:
        members = json.loads(request.body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise _Refused(400, "This is no JSON object")
    return members


def _json(members: Mapping[str, object], *headers: tuple[str, str]) -> HttpAnswer:
    return HttpAnswer(200, [("Content-Type", "application/json"), *headers], json.dumps(members).encode())


def _cookie(user: str, key: str, seconds: int) -> str:
    # Behind HTTPS it is Secure as well.
    return f"{COOKIE}={key}; Path=/users/{user}/; Max-Age={seconds}; HttpOnly; SameSite=Strict"


def _key_of(request: HttpRequest) -> str:
    # By hand: http.cookies gives up at a cookie that it does not like, which may be another server's on this host.
    cookies = (pair.strip().partition("=") for pair in (request.first("cookie") or "").split(";"))
    return next((value for name, _, value in cookies if name == COOKIE), "")

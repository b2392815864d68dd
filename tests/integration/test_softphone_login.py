"""The softphone's stand-in login over HTTP, with tokens of real provisioning, and what its README shows."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from frontends.webrtc import web
from frontends.webrtc.__main__ import options_of
from frontends.webrtc.issuing import CannotTell, IssuedToken, Issuer, tag_of
from frontends.webrtc.portal import FILES, MAX_BODY_BYTES, SESSION_SECONDS, Password, Portal
from tests.fakes import Clock
from tests.service import a_service
from tools.events.stage import ROOT
from tools.serve.processes import listening_socket

WEBRTC = ROOT / "frontends" / "webrtc"
PASSWORD = "correct horse"
KEPT = Password.of(PASSWORD)  # which takes its time
TOKEN_SECONDS = 90


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.text)
        return members


@dataclass
class Visitor:
    """A client of the portal, as honest as a browser unless told otherwise."""

    port: int
    issuer: Issuer
    clock: Clock
    cookie: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        usual = {"Host": self.host}
        if method == "POST":
            usual |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        if self.cookie:
            usual["Cookie"] = self.cookie
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {**usual, **named})
            response: HTTPResponse = connection.getresponse()
            return Answer(response.status, {**response.headers}, response.read().decode())
        finally:
            connection.close()

    def log_in(self, user: str = "alice", password: str = PASSWORD) -> Answer:
        answer = self.ask("POST", "/session", json.dumps({"user": user, "password": password}).encode())
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        return answer

    def token(self, user: str = "alice") -> Answer:
        return self.ask("POST", f"/users/{user}/token")


@contextmanager
def portal(
    issue: Callable[[str], IssuedToken] | None = None, provider: Mapping[str, str] | None = None
) -> Iterator[Visitor]:
    service = a_service()
    issuer = Issuer(service.provisioning, TOKEN_SECONDS)
    issuer.enroll()
    clock = Clock(0)
    with listening_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        served = Portal(
            issue=issue or issuer.token_for,
            passwords={"alice": KEPT, "bob": KEPT},
            files={name: name.encode() for name, _ in FILES.values()},
            hosts=frozenset({f"127.0.0.1:{port}"}),
            websocket="ws://127.0.0.1:1",
            provider=provider or {},
            clock=clock,
        )
        with web.serving(listener, served.answer):
            yield Visitor(port, issuer, clock)


@pytest.fixture(name="visitor")
def _visitor() -> Iterator[Visitor]:
    with portal() as visitor:
        yield visitor


# --- Logging in -------------------------------------------------------------------------------------------------------


def test_who_has_logged_in_gets_a_token_that_the_service_accepts(visitor: Visitor) -> None:
    assert visitor.log_in().body == {"user": "alice"}

    given = visitor.token().body

    accepted = visitor.issuer.provisioning.registry.authorizer.authorize(given.pop("token"))
    assert accepted.sip_username == "alice"
    assert given == {
        "expires_in": TOKEN_SECONDS,
        "sip_uri": "sip:alice@sip.example.com",
        "websocket": "ws://127.0.0.1:1",
    }


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD)])
def test_a_wrong_password_and_a_user_that_is_none_get_the_same_answer(
    visitor: Visitor, user: str, password: str
) -> None:
    answer = visitor.log_in(user, password)

    assert (answer.status, answer.body["title"]) == (401, "There is no such user, or the password is another one")
    assert "Set-Cookie" not in answer.headers


def test_the_session_is_kept_where_no_script_and_no_other_site_has_it(visitor: Visitor) -> None:
    key, *attributes = visitor.log_in().headers["Set-Cookie"].split("; ")

    assert key.startswith("softphone_session=")
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/users/alice/", f"Max-Age={SESSION_SECONDS}"}


def test_a_session_is_good_for_its_own_user_only(visitor: Visitor) -> None:
    """Whatever path a cookie is sent to."""
    visitor.log_in("alice")

    assert visitor.token("bob").status == 401
    assert visitor.token("alice").status == 200


@pytest.mark.parametrize(("second", "status"), [(SESSION_SECONDS - 1, 200), (SESSION_SECONDS, 401)])
def test_a_session_ends(visitor: Visitor, second: int, status: int) -> None:
    visitor.log_in()

    visitor.clock.now = second

    assert visitor.token().status == status


@pytest.mark.parametrize("cookie", ["", "softphone_session=", "softphone_session=guessed", "=;;\x7f"])
def test_without_a_session_there_is_no_token(visitor: Visitor, cookie: str) -> None:
    visitor.cookie = cookie

    assert visitor.token().status == 401


@pytest.mark.parametrize("other", ['prefs={"a":1}', "a=b c", "flag", "=value", "path=/x", "a=\xe9"])
def test_cookies_of_others_on_this_host_do_not_hide_the_session(visitor: Visitor, other: str) -> None:
    """Cookies know no ports: a browser sends those of every other server on 127.0.0.1 along."""
    visitor.log_in()
    visitor.cookie = f"{other}; {visitor.cookie}; {other}"

    assert visitor.token().status == 200


def test_after_logging_out_the_session_is_gone(visitor: Visitor) -> None:
    visitor.log_in()

    answer = visitor.ask("POST", "/users/alice/logout")

    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert visitor.token().status == 401


# --- Who gets none ----------------------------------------------------------------------------------------------------


def test_a_user_who_is_switched_off_gets_no_token_and_is_not_told_why(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.issuer.provisioning.profiles.change(tag_of("alice"), disabled=True)

    answer = visitor.token()

    assert (answer.status, answer.body["title"]) == (403, "This account may not use the phone at present")


def test_a_user_without_an_open_secret_gets_no_token(visitor: Visitor) -> None:
    visitor.log_in()
    secrets = visitor.issuer.provisioning.secrets
    secrets.close(tag_of("alice"), secrets.list(tag_of("alice"))[0].id)

    assert visitor.token().status == 403


def test_while_the_tables_do_not_answer_it_says_when_to_come_back() -> None:
    def unable(user: str) -> IssuedToken:
        raise CannotTell

    with portal(unable) as visitor:
        visitor.log_in()
        answer = visitor.token()

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


# --- Who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://127.0.0.1:{port}", "http://evil.example", "null", ""])
def test_a_page_of_another_origin_gets_nothing(visitor: Visitor, origin: str) -> None:
    visitor.log_in()

    answer = visitor.ask("POST", "/users/alice/token", Origin=origin.format(port=visitor.port))

    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_foreign_name_for_this_machine_gets_nothing(visitor: Visitor) -> None:
    """A name that an attacker lets lead to 127.0.0.1."""
    assert visitor.ask("GET", "/", Host=f"evil.example:{visitor.port}").status == 421


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/session", 405),
        ("GET", "/users/alice/token", 405),
        ("POST", "/", 405),
        ("POST", "/users/nobody/token", 404),
        ("POST", "/users/alice/other", 404),
        ("GET", "/../portal.py", 404),
        ("GET", "/portal.py", 404),
    ],
)
def test_there_is_nothing_else(visitor: Visitor, method: str, path: str, status: int) -> None:
    assert visitor.ask(method, path).status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"[]", 400, id="a list"),
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"[" * MAX_BODY_BYTES, 400, id="nested too deep"),
        pytest.param(b'{"user": "alice", "password": 1}', 400, id="a number for a password"),
        pytest.param(b" " * (MAX_BODY_BYTES + 1), 413, id="too long"),
        pytest.param(b" " * 100_000, 413, id="far too long"),
    ],
)
def test_a_login_that_is_none_is_an_error(visitor: Visitor, body: bytes, status: int) -> None:
    assert visitor.ask("POST", "/session", body).status == status


def test_a_form_of_another_site_cannot_log_anybody_in(visitor: Visitor) -> None:
    body = json.dumps({"user": "alice", "password": PASSWORD}).encode()

    assert visitor.ask("POST", "/session", body, Content_Type="text/plain").status == 415


# --- Every answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*FILES, "/nothing"])
def test_no_answer_is_kept_and_none_lets_foreign_scripts_in(visitor: Visitor, path: str) -> None:
    headers = visitor.ask("GET", path).headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://127.0.0.1:1"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


@pytest.mark.parametrize(("method", "length", "status"), [("PATCH", 0, 501), ("POST", 70_000, 413)])
def test_what_is_not_for_the_portal_gets_an_error_of_the_same_kind(
    visitor: Visitor, method: str, length: int, status: int
) -> None:
    """No page, and no word on what serves it."""
    answer = visitor.ask(method, "/session", b"", Content_Length=str(length))

    assert (answer.status, answer.body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers


def test_a_body_in_chunks_is_refused_and_not_taken_for_none(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/session", b"", Content_Length="0", Transfer_Encoding="chunked").status == 411


def test_nothing_secret_is_in_a_repr(visitor: Visitor) -> None:
    issued = visitor.issuer.token_for("alice")

    shown = f"{issued!r} {visitor.issuer!r} {KEPT!r}"

    assert issued.token not in shown
    assert PASSWORD not in shown


# --- The second login -------------------------------------------------------------------------------------------------


def test_the_page_learns_that_there_is_no_provider(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/provider")

    assert (answer.status, answer.body) == (200, {})


def test_the_page_learns_how_to_log_in_at_the_provider_and_may_ask_it_for_tokens() -> None:
    told = {"issuer": "https://127.0.0.1:2", "token_endpoint": "http://127.0.0.1:3/token"}
    with portal(provider=told) as visitor:
        answer = visitor.ask("GET", "/provider")

    assert answer.body == told
    policy = answer.headers["Content-Security-Policy"]
    assert "connect-src 'self' ws://127.0.0.1:1 http://127.0.0.1:3/token;" in policy


def test_what_the_page_learns_can_only_be_read(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/provider").status == 405


def test_the_provider_is_left_out_when_somebody_says_so() -> None:
    assert options_of([], {})[0].provider is True
    assert options_of([], {"PROVIDER": "0"})[0].provider is False
    assert options_of(["--no-provider"], {})[0].provider is False


# --- The command, and its page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "env", "port", "seconds", "admin"),
    [
        ([], {}, 8088, 120, False),
        ([], {"PORT": "0", "TOKEN_SECONDS": "30", "ADMIN": "1"}, 0, 30, True),
        (["--port", "81", "--token-seconds", "10", "--admin"], {"PORT": "0", "ADMIN": "0"}, 81, 10, True),
    ],
)
def test_the_command_line_counts_before_the_environment(
    arguments: list[str], env: dict[str, str], port: int, seconds: int, admin: bool
) -> None:
    options, _ = options_of(arguments, env)

    assert (options.port, options.token_seconds, options.admin) == (port, seconds, admin)


@pytest.mark.parametrize("arguments", [["--token-seconds", "9"], ["--port", "65536"], ["--port", "x"], ["more"]])
def test_what_cannot_be_is_an_error_of_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options_of(arguments, {})

    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_the_readme_shows_the_code_that_runs() -> None:
    code = (WEBRTC / "page" / "registration.js").read_text("utf-8")

    assert f"```js\n{code}```" in (WEBRTC / "README.md").read_text("utf-8")


def test_the_page_has_no_script_and_no_style_of_its_own_and_loads_nothing_from_elsewhere() -> None:
    """Or its own policy would stop it."""
    page = (WEBRTC / "page" / "index.html").read_text("utf-8")

    assert "<style" not in page
    assert " style=" not in page
    assert "://" not in page
    assert [line.strip() for line in page.splitlines() if "<script" in line] == [
        '<script type="module" src="/page.js"></script>'
    ]

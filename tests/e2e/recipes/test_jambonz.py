"""The authenticators of jambonz and drachtio, and ours, ask `make serve`: what do their SIP clients get?

`jambonz/ask.js` runs the published packages under node. Only the connection to a drachtio server is not there.
"""

import json
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.e2e.serve.serving import ROOT, Serving, serving
from tests.issuers import ISSUER, a_token_of_a_new_key, tables_at, write_issuer
from tools.events.samples import ALICE, ALICE_EXPIRED, ALICE_WRONG_SECRET, DOMAIN, Token, token

HERE: Final = Path(__file__).parent / "jambonz"
CONFIG: Final = ROOT / "frontends" / "jambonz" / "nginx.conf"
UNIT: Final = CONFIG.with_name("jambonz-auth.service")
README: Final = CONFIG.with_name("README.md")
API_KEY: Final = "sample-api-key-never-use-it"
NODE_SECONDS: Final = 60
STOCK: Final = ("digest-utils", "http-authenticator", "drachtio-http-authenticator")
KNOW_HEADERS: Final = STOCK[:2]
"""These post the header fields of the SIP request, without which nobody knows whom a Digest user registers."""


def _need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {program}")
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a SIP request.

    Attributes:
        status: of the answer; None without one.
        headers: of the answer.
        grant: what the application was handed; None when it was not asked.
        registered: seconds, as jambonz would register.
        authorization: the credentials that the application still sees.
        errors: that nobody caught.
        logged: level and text of what the authenticator logged, DEBUG left out.
    """

    status: int | None
    headers: dict[str, Any]
    grant: dict[str, Any] | None
    registered: int | None
    authorization: str | None
    errors: list[str]
    logged: list[list[str | None]] = field(default_factory=list)


Ask = Callable[..., Seen]


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve") / "log", CHALLENGE_REALM=DOMAIN, ISSUERS=ISSUER) as service:
        yield service


@pytest.fixture(name="gated", scope="module")
def _gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The service behind its API key."""
    with serving(tmp_path_factory.mktemp("gated") / "log", API_KEY=API_KEY) as service:
        yield service


@pytest.fixture(name="ask", scope="module")
def _ask() -> Iterator[Ask]:
    """Send SIP requests through authenticators that ask a URL, all in one process of node."""
    if not (HERE / "node_modules").is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("`make e2e-recipes` installs the packages")
    command = [_need("node"), str(HERE / "ask.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as node:
        try:
            yield lambda authenticator, url, request, **options: _asked(
                node, {"authenticator": authenticator, "options": {"url": url, **options}, "request": request}
            )
        finally:
            node.terminate()


def _asked(node: subprocess.Popen[str], question: dict[str, Any]) -> Seen:
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(f"{json.dumps(question)}\n")
    ready, _, _ = select.select([node.stdout], [], [], NODE_SECONDS)
    assert ready, "node does not answer"
    line = node.stdout.readline()
    assert line, "node has ended"
    seen = json.loads(line)
    last = seen["answers"][-1] if seen["answers"] else {"status": None, "headers": {}}
    assert len(seen["answers"]) <= 1, "one answer to a request"
    return Seen(last["status"], last["headers"], *(seen[name] for name in ("grant", "registered")), **_rest(seen))


def _rest(seen: dict[str, Any]) -> dict[str, Any]:
    return {name: seen[name] for name in ("authorization", "errors", "logged")}


def sip(
    authorization: str | None,
    *,
    method: str = "REGISTER",
    sender: str = "alice",
    to: str = "alice",
    domain: str = DOMAIN,
    expires: int = 3600,
) -> str:
    """Write a SIP request."""
    registers = method == "REGISTER"
    lines = [
        f"{method} sip:{domain if registers else f'{to}@{domain}'} SIP/2.0",
        "Via: SIP/2.0/WSS 203.0.113.9;branch=z9hG4bK776asdhds",
        f'From: "Alice" <sip:{sender}@{domain}>;tag=1928301774',
        f"To: <sip:{to}@{domain}>",
        "Call-ID: a84b4c76e66710@203.0.113.9",
        f"CSeq: 2 {method}",
        f"Contact: <sip:{sender}@203.0.113.9:51060;transport=ws>;expires={expires}",
        *([f"Authorization: {authorization}"] if authorization else []),
        *([f"Expires: {expires}"] if registers else []),
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""])


def digest(username: Token | str, *, realm: str = DOMAIN) -> str:
    """Write Digest credentials as a phone does whose user for authentication is *username*."""
    name = username.text if isinstance(username, Token) else username
    return (
        f'Digest username="{name}", realm="{realm}", nonce="161827364", uri="sip:{realm}", '
        'response="be641cf7951ff23ab04c57907d59f37d", algorithm=MD5, cnonce="6b8b4567", qop=auth, nc=00000001'
    )


def bearer(given: Token) -> str:
    return f"Bearer {given.text}"


def hook(service: Serving) -> str:
    return f"{service.url}/frontends/jambonz"


@pytest.fixture(name="deferring")
def _deferring(service: Serving) -> Serving:
    """The service, with an issuer that has just begun to use a new key."""
    write_issuer(tables_at(service.tables), now=time.time())
    return service


def new_token() -> str:
    """Sign a token by that key."""
    return a_token_of_a_new_key(now=int(time.time()))


def passed_on(seen: Seen) -> int:
    """Return when the client is to come back, which is after the next fetch."""
    assert 30 <= int(seen.headers["Retry-After"]) <= 62
    return int(seen.headers["Retry-After"])


# --- Stock authenticators: the token in the place of the Digest username ----------------------------------------------


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_a_token_as_digest_username_registers_its_user(ask: Ask, service: Serving, authenticator: str) -> None:
    seen = ask(authenticator, hook(service), sip(digest(ALICE)))

    assert (seen.status, seen.errors) == (200, [])
    assert seen.grant is not None
    assert seen.grant["sip_username"] == "alice"
    assert seen.registered == 3600


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_a_registration_ends_with_the_token(ask: Ask, service: Serving, authenticator: str) -> None:
    """What is asked is a day, and the token has a minute left."""
    short = token("alice-web", exp=int(time.time()) + 60)

    seen = ask(authenticator, hook(service), sip(digest(short), expires=86400))

    assert seen.status == 200
    assert seen.registered is not None
    assert 0 < seen.registered <= 60


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_a_call_goes_by_its_from(ask: Ask, service: Serving, authenticator: str) -> None:
    own = ask(authenticator, hook(service), sip(digest(ALICE), method="INVITE", to="bob"))
    others = ask(authenticator, hook(service), sip(digest(ALICE), method="INVITE", sender="bob", to="alice"))

    assert (own.status, others.status) == (200, 403)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(sip(digest(ALICE_EXPIRED)), id="expired"),
        pytest.param(sip(digest(ALICE_WRONG_SECRET)), id="forged"),
        pytest.param(sip(digest(token("nobody-knows-this-tag"))), id="unknown tag"),
        pytest.param(sip(digest("alice")), id="a password user"),
        pytest.param(sip(digest(ALICE), to="bob"), id="To is another"),
        pytest.param(sip(digest(ALICE), sender="bob"), id="From is another"),
        pytest.param(sip(digest(ALICE), sender="bob", to="bob"), id="both are another"),
        pytest.param(sip(digest(ALICE, realm="sip.example.net")), id="another realm"),
        pytest.param(sip(digest(ALICE), domain="sip.example.net"), id="another domain"),
    ],
)
@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_a_refusal_is_403_and_the_same_for_all(ask: Ask, service: Serving, authenticator: str, request_: str) -> None:
    seen = ask(authenticator, hook(service), request_)

    assert seen == Seen(403, {"X-Reason": "Invalid credentials"}, None, None, None, [])


@pytest.mark.parametrize("authenticator", STOCK)
def test_a_fault_is_never_a_refusal(ask: Ask, authenticator: str) -> None:
    """Nobody listens: the client gets a 5xx, and the application is not asked."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    seen = ask(authenticator, f"http://127.0.0.1:{port}/frontends/jambonz", sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (500, None)


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_an_outage_of_the_tables_is_503(ask: Ask, tmp_path: Path, authenticator: str) -> None:
    with serving(tmp_path / "log", DB_URL="dynamodb+http://127.0.0.1:9/eu-central-1") as without_tables:
        seen = ask(authenticator, hook(without_tables), sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (503, None)


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_without_the_api_key_a_stock_authenticator_says_403_which_is_why_there_is_nginx(
    ask: Ask, gated: Serving, authenticator: str
) -> None:
    seen = ask(authenticator, hook(gated), sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (403, None)


def test_the_oldest_authenticator_cannot_be_used_with_tokens(ask: Ask, service: Serving) -> None:
    """It posts no header fields: a token could register anybody, so the route refuses to decide."""
    seen = ask("drachtio-http-authenticator", hook(service), sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (500, None)


DOCUMENTED: Final = {
    "method": "REGISTER",
    "realm": DOMAIN,
    "username": ALICE.text,
    "expires": 3600,
    "nonce": "161827364",
    "uri": f"sip:{DOMAIN}",
    "response": "be641cf7951ff23ab04c57907d59f37d",
    "scheme": "digest",
    "algorithm": "MD5",
    "qop": "auth",
    "cnonce": "6b8b4567",
    "nc": "00000001",
}
"""All that https://docs.jambonz.org/reference/webhooks/registration-hook-post has in a request."""


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        pytest.param({}, 400, {"status": 400}, id="as documented"),
        pytest.param(
            {"headers": {"from": f"<sip:alice@{DOMAIN}>;tag=1", "to": f"<sip:alice@{DOMAIN}>"}},
            200,
            {"status": "ok", "sip_username": "alice"},
            id="with the headers that its code adds",
        ),
    ],
)
def test_the_documented_request_is_decided_only_with_headers(
    service: Serving, more: dict[str, Any], status: int, said: dict[str, Any]
) -> None:
    """The documented members name the token alone, and nobody whom it would register."""
    asked = Request(hook(service), json.dumps(DOCUMENTED | more).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(asked, timeout=NODE_SECONDS) as response:
            answer = (response.status, json.load(response))
    except HTTPError as refused:
        answer = (refused.code, json.load(refused))

    assert answer[0] == status
    assert said.items() <= answer[1].items()


def test_a_bearer_header_is_challenged_by_todays_jambonz(ask: Ask, service: Serving) -> None:
    """It knows Digest only; the token itself never reaches the hook."""
    seen = ask("digest-utils", hook(service), sip(bearer(ALICE)))

    assert (seen.status, seen.grant, seen.errors) == (401, None, [])
    assert seen.headers["WWW-Authenticate"].startswith('Digest realm="sip.example.com"')


@pytest.mark.parametrize("authenticator", ["http-authenticator", "drachtio-http-authenticator"])
def test_a_bearer_header_throws_in_the_older_ones(ask: Ask, service: Serving, authenticator: str) -> None:
    """Nobody waits for their promise: in node that ends the process. Put bearer.js in front."""
    seen = ask(authenticator, hook(service), sip(bearer(ALICE)))

    assert (seen.status, seen.errors) == (None, ["missing authorization component: username"])


def test_a_webhook_by_get_admits_nobody(ask: Ask, service: Serving) -> None:
    """The token would be in the URL; the route takes no GET, and jambonz hands its 405 on."""
    seen = ask("digest-utils", hook(service), sip(digest(ALICE)), method="GET")

    assert (seen.status, seen.grant) == (405, None)


# --- bearer.js --------------------------------------------------------------------------------------------------------


def test_a_bearer_token_registers_its_user(ask: Ask, service: Serving) -> None:
    seen = ask("bearer", hook(service), sip(bearer(ALICE)), realm=DOMAIN)

    assert (seen.status, seen.registered, seen.errors) == (200, 3600, [])
    assert seen.grant is not None
    assert (seen.grant["sip_username"], seen.grant["credentials"]["account_id"]) == ("alice", 1001)


def test_the_application_does_not_see_the_token(ask: Ask, service: Serving) -> None:
    assert ask("bearer", hook(service), sip(bearer(ALICE)), realm=DOMAIN).authorization is None


def test_a_registration_by_bearer_ends_with_the_token(ask: Ask, service: Serving) -> None:
    short = token("alice-web", exp=int(time.time()) + 60)

    seen = ask("bearer", hook(service), sip(bearer(short), expires=86400), realm=DOMAIN)

    assert seen.registered is not None
    assert 0 < seen.registered <= 60


def test_without_a_token_there_is_a_bearer_challenge(ask: Ask, service: Serving) -> None:
    server = "https://login.example.com/"

    seen = ask("bearer", hook(service), sip(None), realm=DOMAIN, authzServer=server)

    assert seen.headers == {"WWW-Authenticate": f'Bearer realm="{DOMAIN}", authz_server="{server}"'}
    assert (seen.status, seen.grant) == (401, None)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(sip(bearer(ALICE_EXPIRED)), id="expired"),
        pytest.param(sip(bearer(ALICE_WRONG_SECRET)), id="forged"),
        pytest.param(sip(bearer(ALICE), to="bob"), id="To is another"),
        pytest.param(sip(bearer(ALICE), sender="bob"), id="From is another"),
        pytest.param(sip(bearer(ALICE), domain="sip.example.net"), id="another domain"),
        pytest.param(sip("Bearer x.y"), id="no token"),
        pytest.param(sip(f"{bearer(ALICE)}, {bearer(ALICE)}"), id="two"),
    ],
)
def test_a_refused_bearer_token_is_challenged_again(ask: Ask, service: Serving, request_: str) -> None:
    seen = ask("bearer", hook(service), request_, realm=DOMAIN)

    assert seen.headers == {"WWW-Authenticate": f'Bearer realm="{DOMAIN}", error="invalid_token"'}
    assert (seen.status, seen.grant) == (401, None)


def test_bearer_sends_the_api_key(ask: Ask, gated: Serving) -> None:
    with_it = ask("bearer", hook(gated), sip(bearer(ALICE)), realm=DOMAIN, apiKey=API_KEY)
    with_another = ask("bearer", hook(gated), sip(bearer(ALICE)), realm=DOMAIN, apiKey="another")

    assert (with_it.status, with_another.status) == (200, 503)
    assert with_another.headers == {"Retry-After": 5}


def test_an_outage_is_503_to_a_bearer_client(ask: Ask, tmp_path: Path) -> None:
    with serving(tmp_path / "log", DB_URL="dynamodb+http://127.0.0.1:9/eu-central-1") as without_tables:
        seen = ask("bearer", hook(without_tables), sip(bearer(ALICE)), realm=DOMAIN)

    assert (seen.status, seen.grant) == (503, None)

    assert seen.logged == [["error", "no decision about a token"]]
    assert seen.headers == {"Retry-After": 1}, "as the service says"


def test_a_bearer_client_comes_back_when_the_key_is_fetched_and_no_error_is_logged(
    ask: Ask, deferring: Serving
) -> None:
    seen = ask("bearer", hook(deferring), sip(f"Bearer {new_token()}"), realm=DOMAIN)

    assert (seen.status, seen.grant, list(seen.headers), seen.errors) == (503, None, ["Retry-After"], [])
    assert passed_on(seen)
    assert seen.logged == [["info", "deferred: the key that signed a token is not fetched yet"]]


@pytest.mark.parametrize(
    ("status", "said", "passed_on"),
    [
        *((503, said, int(said)) for said in ("1", "42", "900")),
        *((503, said, 5) for said in ("0", "901", "3600", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "")),
        (429, "42", 5),
        (500, "42", 5),
        (200, "42", 5),
    ],
)
def test_no_other_time_is_told_than_the_seconds_of_a_503_up_to_15_minutes(
    ask: Ask, status: int, said: str, passed_on: int
) -> None:
    with _answering("{}", f"{status} Whatever", {"Retry-After": said}) as port:
        seen = ask("bearer", f"http://127.0.0.1:{port}/", sip(bearer(ALICE)), realm=DOMAIN)

    assert (seen.status, seen.headers) == (503, {"Retry-After": passed_on})


@pytest.mark.parametrize("body", ["", "null", "[]", "<html>", '{"type":"urn:auth-jwt:problem:unavailable"}'])
def test_every_other_503_is_logged_as_an_error(ask: Ask, body: str) -> None:
    with _answering(body, "503 Whatever", {"Retry-After": "42"}) as port:
        seen = ask("bearer", f"http://127.0.0.1:{port}/", sip(bearer(ALICE)), realm=DOMAIN)

    assert (seen.status, seen.logged) == (503, [["error", "no decision about a token"]])


@pytest.mark.parametrize("body", ["{}", '{"status":"ok"}', '{"status":"OK","code":1}', "ok", "[]", "null", ""])
def test_whatever_else_is_answered_with_200_admits_nobody(ask: Ask, body: str) -> None:
    with _answering(body) as port:
        seen = ask("bearer", f"http://127.0.0.1:{port}/", sip(bearer(ALICE)), realm=DOMAIN)

    assert (seen.status, seen.grant) == (503, None)


def test_bearer_and_digest_live_side_by_side(ask: Ask, service: Serving) -> None:
    by_token = ask("bearer beside digest", hook(service), sip(bearer(ALICE)), realm=DOMAIN)
    by_digest = ask("bearer beside digest", hook(service), sip(digest(ALICE)), realm=DOMAIN)
    by_nothing = ask("bearer beside digest", hook(service), sip(None), realm=DOMAIN)

    assert (by_token.status, by_digest.status, by_nothing.status) == (200, 200, 401)
    assert by_nothing.headers["WWW-Authenticate"].startswith("Digest ")


def test_no_token_is_in_the_log(ask: Ask, service: Serving) -> None:
    """Everything above wrote into it."""
    ask("digest-utils", hook(service), sip(digest(ALICE)))

    log = service.log.read_text(encoding="utf-8")

    assert '"path":"/frontends/jambonz"' in log
    assert not [given for given in (ALICE, ALICE_EXPIRED, ALICE_WRONG_SECRET) if given.text in log]


# --- nginx.conf -------------------------------------------------------------------------------------------------------


@contextmanager
def _nginx(folder: Path, api: str, key: str) -> Iterator[str]:
    """Run the shipped nginx.conf as its unit does, changed as its README tells; yields the address of the hook."""
    nginx = _need("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = CONFIG.read_text(encoding="utf-8")
    for before, after in (
        ("https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", api),
        ("$api/v1/", "$api/"),
        ("127.0.0.1:8090", f"127.0.0.1:{port}"),
        ("/run/jambonz-auth.pid", str(folder / "pid")),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    (included,) = re.findall(r"^ +include (\S+);", text, re.MULTILINE)
    (folder / included).write_text(_key_file(key), encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    _, _, _, *rest = shlex.split(started)
    command = [nginx, "-c", str(folder / "nginx.conf"), *rest, "-p", str(folder), "-e", "stderr"]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}/auth"
        finally:
            process.terminate()


def _key_file(key: str) -> str:
    """Write the file of the key as README.md says."""
    (line,) = re.findall(
        r"^ *printf '(proxy_set_header .*%s.*)\\n' \"\$KEY\" ", README.read_text("utf-8"), re.MULTILINE
    )
    return f"{line.replace('%s', key)}\n"


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {port}")


@contextmanager
def _answering(body: str, status: str = "200 OK", headers: Mapping[str, str] | None = None) -> Iterator[int]:
    """Answer every request with one and the same."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(int(status.partition(" ")[0]))
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_through_nginx_a_stock_jambonz_has_an_api_key(ask: Ask, gated: Serving, tmp_path: Path) -> None:
    with _nginx(tmp_path, gated.url, API_KEY) as url:
        good = ask("digest-utils", url, sip(digest(ALICE)))
        bad = ask("digest-utils", url, sip(digest(ALICE_EXPIRED)))

    assert (good.status, bad.status) == (200, 403)


def test_through_nginx_a_wrong_api_key_is_503(ask: Ask, gated: Serving, tmp_path: Path) -> None:
    with _nginx(tmp_path, gated.url, "another") as url:
        seen = ask("digest-utils", url, sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (503, None)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 429, 500, 502])
def test_through_nginx_every_other_answer_is_503(ask: Ask, tmp_path: Path, status: int) -> None:
    with _answering("{}", f"{status} Whatever") as port, _nginx(tmp_path, f"http://127.0.0.1:{port}", "key") as url:
        seen = ask("digest-utils", url, sip(digest(ALICE)))

    assert (seen.status, seen.grant) == (503, None)


@pytest.mark.parametrize("authenticator", KNOW_HEADERS)
def test_through_nginx_a_key_that_is_not_fetched_yet_is_503_and_no_refusal(
    ask: Ask, deferring: Serving, tmp_path: Path, authenticator: str
) -> None:
    """The stock authenticators do not pass Retry-After on; and they log it as they log any status."""
    with _nginx(tmp_path, deferring.url, "") as url:
        seen = ask(authenticator, url, sip(digest(new_token())))

    assert (seen.status, seen.grant, seen.headers, seen.errors) == (503, None, {}, [])
    assert "error" not in [level for level, _ in seen.logged]


def test_through_nginx_the_client_that_can_is_told_when_to_come_back(
    ask: Ask, deferring: Serving, tmp_path: Path
) -> None:
    with _nginx(tmp_path, deferring.url, "") as url:
        seen = ask("bearer", url, sip(f"Bearer {new_token()}"), realm=DOMAIN)
        good = ask("bearer", url, sip(bearer(ALICE)), realm=DOMAIN)

    assert passed_on(seen)
    assert [level for level, _ in seen.logged] == ["info"]
    assert (good.status, good.headers) == (200, {})


@pytest.mark.parametrize(
    ("status", "said", "passed_on"),
    [
        (503, "42", "42"),
        (503, "900", "900"),
        (503, "901", "5"),
        (503, "soon", "5"),
        (429, "42", "5"),
        (200, "42", None),
    ],
)
def test_nginx_passes_no_other_time_on(tmp_path: Path, status: int, said: str, passed_on: str | None) -> None:
    with (
        _answering("{}", f"{status} Whatever", {"Retry-After": said}) as port,
        _nginx(tmp_path, f"http://127.0.0.1:{port}", "key") as url,
    ):
        try:
            with urlopen(Request(url, b"{}")) as answer:
                headers = answer.headers
        except HTTPError as error:
            headers = error.headers

    assert headers.get_all("Retry-After") == (None if passed_on is None else [passed_on])


def test_nginx_knows_every_status_that_the_api_has() -> None:
    config = CONFIG.read_text(encoding="utf-8")
    mapped = re.search(r"error_page ([\d ]+) =503", config)
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    gateways = set(re.findall(r'statusCode: "(\d+)"', template))

    assert mapped is not None
    assert gateways - {"503", "504"} <= set(mapped[1].split())


def test_the_unit_starts_what_the_page_installs_and_stays_in_the_foreground() -> None:
    unit, readme = UNIT.read_text(encoding="utf-8"), README.read_text(encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    _, option, config, *rest = shlex.split(started)

    assert (option, rest) == ("-c", ["-g", "daemon off;"])
    assert f"> {config}" in readme
    assert f"/etc/systemd/system/{UNIT.name}" in readme or f"{UNIT.name} /etc/systemd/system/" in readme
    assert f"systemctl enable --now {UNIT.stem}" in readme


def test_the_key_is_in_a_file_of_root_and_in_no_argument() -> None:
    """`ps` shows arguments to everybody; those of printf stay in the shell, which has it built in."""
    readme = README.read_text(encoding="utf-8")
    (included,) = re.findall(r"^ +include (\S+);", CONFIG.read_text(encoding="utf-8"), re.MULTILINE)

    assert f"| install -m 600 /dev/stdin /etc/nginx/{included}\n" in readme
    assert re.findall(r"(\w+) '[^'\n]*' \"\$KEY\"", readme) == ["printf"]
    assert "x-api-key" not in CONFIG.read_text(encoding="utf-8")


def test_nginx_does_not_start_without_the_file_of_the_key(tmp_path: Path) -> None:
    """So the page's `nginx -t` stops its reader where no key was written."""
    text = CONFIG.read_text(encoding="utf-8").replace("/run/jambonz-auth.pid", str(tmp_path / "pid"))
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    (included,) = re.findall(r"^ +include (\S+);", text, re.MULTILINE)
    command = [_need("nginx"), "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path), "-e", "stderr"]

    without = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    (tmp_path / included).write_text(_key_file("key"), encoding="utf-8")
    with_it = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert (without.returncode, with_it.returncode) == (1, 0)
    assert included in without.stderr


def test_the_nginx_that_serves_jambonzs_portal_goes_on() -> None:
    """It has Debian's pid file and port 80; nothing of ours may take them, nor may the page stop it."""
    config, readme = CONFIG.read_text(encoding="utf-8"), README.read_text(encoding="utf-8")

    assert re.findall(r"^ *listen (\S+);", config, re.MULTILINE) == ["127.0.0.1:8090"]
    assert re.findall(r"^pid (\S+);", config, re.MULTILINE) == ["/run/jambonz-auth.pid"]
    assert not re.search(r"^ *systemctl (disable|stop|mask|reload|restart)\b.* nginx\b", readme, re.MULTILINE)


def test_systemd_understands_the_unit() -> None:
    run = subprocess.run(
        [_need("systemd-analyze"), "verify", str(UNIT)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (run.returncode, run.stderr) == (0, "")

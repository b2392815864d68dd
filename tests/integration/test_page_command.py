"""`auth-jwt page` as a process, in front of an API that verifies signatures: what it signs, and what it refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.admin.iam_gateway import ACCOUNT, EVERYTHING, IamGateway, Person, iam_gateway
from tools.serve.gateway import HttpAnswer

ADMIN = Person("admin", "AKIAADMIN", "the-key-of-admin", EVERYTHING)
NOBODY = Person("nobody", "AKIANOBODY", "the-key-of-nobody", ())
WAIT_SECONDS = 60


@dataclass
class PageProcess:
    """A running `auth-jwt page`.

    Attributes:
        process: it.
        address: what it printed.
    """

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].partition("/")[0])

    @property
    def key(self) -> str:
        return self.address.partition("#start=")[2]

    def ask(self, method: str, target: str, body: object = None, **headers: str) -> tuple[HTTPResponse, Any]:
        """Ask as the page does, with other headers where some are given."""
        usual = {"X-Auth-Jwt-Page": self.key, "Sec-Fetch-Site": "same-origin"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        text = None if body is None else json.dumps(body).encode()
        if text is not None:
            usual["Content-Type"] = "application/json"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        connection.request(method, target, text, {**usual, **given})
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        is_json = "json" in (answer.headers["Content-Type"] or "")
        return answer, json.loads(read) if is_json and read else read


def command(url: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "auth_jwt_cli", "page", "--url", url, *more]


def environment_of(folder: Path, person: Person | None) -> Mapping[str, str]:
    nobody = {"AWS_DEFAULT_REGION": "eu-central-1"}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(nobody if person is None else person.environment),
    }


@contextmanager
def a_page(url: str, folder: Path, person: Person = ADMIN) -> Iterator[PageProcess]:
    variables = environment_of(folder, person)
    with subprocess.Popen(
        command(url), env=variables, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield PageProcess(process, process.stdout.readline().strip())
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(WAIT_SECONDS)


@dataclass
class Ended:
    """How a command ended."""

    code: int
    told: str = field(repr=True)


def end_of(url: str, folder: Path, person: Person | None, *more: str) -> Ended:
    """Run a command that cannot begin; it has printed no address."""
    variables = environment_of(folder, person)
    ran = subprocess.run(
        command(url, *more),
        env=variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    return Ended(ran.returncode, ran.stderr)


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[IamGateway]:
    with iam_gateway(ADMIN, NOBODY) as gateway:
        yield gateway


@pytest.fixture(name="page", scope="module")
def _page(gateway: IamGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    with a_page(gateway.url, tmp_path_factory.mktemp("page")) as page:
        yield page


def test_what_the_page_asks_arrives_signed_by_the_operator(page: PageProcess) -> None:
    answer, body = page.ask("GET", "/admin/deployment")

    assert answer.status == 200
    assert (body["account"], body["caller"]) == (ACCOUNT, ADMIN.arn)


@pytest.mark.parametrize("tag", ["a'(b)*c!", "a/b", "a b~c", "%25", "ключ", "a+b&c=d", "\u202e"])
def test_odd_names_keep_their_signature(page: PageProcess, gateway: IamGateway, tag: str) -> None:
    """A signature that AWS computes from another form of the path would be refused with 403."""
    answer, body = page.ask("GET", f"/admin/profiles/{quote(tag, safe='')}")
    found, _ = page.ask("GET", f"/admin/profiles?username={quote(tag, safe='')}")

    assert (answer.status, body["type"]) == (404, "urn:auth-jwt:problem:not-found")
    assert found.status == 200


def test_a_version_and_a_body_are_passed_on(page: PageProcess) -> None:
    shown, _ = page.ask("GET", "/admin/profiles/alice-web")
    stale, _ = page.ask("POST", "/admin/profiles/alice-web/disable", **{"If-Match": '"another"'})
    done, body = page.ask("POST", "/admin/profiles/alice-web/disable", **{"If-Match": shown.headers["ETag"]})
    told, explained = page.ask("POST", "/admin/explain", {"token": "a.b.c"})

    assert (stale.status, done.status, body["disabled"]) == (412, 200, True)
    assert done.headers["ETag"] != shown.headers["ETag"]
    assert (told.status, explained["reason"]) == (200, "malformed_token")


def test_every_answer_is_under_a_policy_and_kept_nowhere(page: PageProcess) -> None:
    targets = ("/admin/page", "/admin/page/script.js", "/admin/deployment", "/admin/issuers", "/", "/favicon.ico")

    for target in targets:
        answer, _ = page.ask("GET", target)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Server"] is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-Auth-Jwt-Page": "guessed"}, 403),
    ],
)
def test_others_are_refused_before_anything_is_signed(
    page: PageProcess, gateway: IamGateway, headers: Mapping[str, str], status: int
) -> None:
    before = len(gateway.asked)

    answer, body = page.ask("POST", "/admin/profiles/alice-web/tokens", {}, **headers)

    assert (answer.status, body["type"]) == (status, "urn:auth-jwt:problem:page-refused")
    assert page.key not in json.dumps(body)
    assert gateway.asked[before:] == []


@pytest.mark.parametrize(("method", "target"), [("DELETE", "/admin/profiles/alice-web"), ("GET", "/admin/issuers")])
def test_what_the_page_never_asks_is_not_signed_though_its_operator_may(
    page: PageProcess, gateway: IamGateway, method: str, target: str
) -> None:
    before = len(gateway.asked)

    assert page.ask(method, target)[0].status == 403
    assert gateway.asked[before:] == []


def test_a_page_of_another_site_does_not_even_get_the_files(page: PageProcess) -> None:
    assert page.ask("GET", "/admin/page/script.js", Origin="https://evil.example")[0].status == 403
    assert page.ask("GET", "/admin/page", Host="evil.example")[0].status == 421
    assert page.ask("POST", "/admin/page")[0].status == 405


def test_it_listens_on_loopback_alone(page: PageProcess) -> None:
    with socket.socket() as other:
        other.settimeout(2)
        hosts = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for host in hosts - {"127.0.0.1", "127.0.1.1"}:
            assert other.connect_ex((str(host), page.port)) != 0


def test_a_bundle_of_headers_or_a_body_without_end_does_not_stop_it(page: PageProcess) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=WAIT_SECONDS) as raw:
        raw.sendall(b"POST /admin/explain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nab")
        assert page.ask("GET", "/admin/deployment")[0].status == 200
    with socket.create_connection(("127.0.0.1", page.port), timeout=WAIT_SECONDS) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
        raw.recv(100)
    assert page.ask("GET", "/admin/deployment")[0].status == 200


def test_a_body_that_ends_early_is_not_signed_as_far_as_it_came(page: PageProcess, gateway: IamGateway) -> None:
    asked = len(gateway.asked)
    head = (
        f"POST /admin/profiles/alice-web/tokens HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
        f"X-Auth-Jwt-Page: {page.key}\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
    )

    answer = sent_raw(page, f"{head}{{}}")

    assert answer.startswith("HTTP/1.1 400 ")
    assert "the body ended early" in answer
    assert len(gateway.asked) == asked


def test_the_body_of_a_request_for_a_file_is_no_request_of_its_own(page: PageProcess, gateway: IamGateway) -> None:
    page.ask("GET", "/admin/page")
    asked = len(gateway.asked)
    inner = f"GET /admin/deployment HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nX-Auth-Jwt-Page: {page.key}\r\n\r\n"
    head = (
        f"GET /admin/page HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(inner)}\r\n\r\n"
    )

    answer = sent_raw(page, head + inner)

    assert answer.startswith("HTTP/1.1 400 ")
    assert answer.count("HTTP/1.1 ") == 1
    assert "\r\nConnection: close\r\n" in answer
    assert len(gateway.asked) == asked


def sent_raw(page: PageProcess, text: str) -> str:
    """Send *text* and nothing more; return all that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=WAIT_SECONDS) as raw:
        raw.sendall(text.encode())
        raw.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: raw.recv(65536), b"")).decode()


def test_a_redirect_is_not_followed(page: PageProcess, gateway: IamGateway) -> None:
    elsewhere = [("Location", "https://evil.example/"), ("Content-Type", "text/html")]
    gateway.breaks = HttpAnswer(302, elsewhere, b"<p>moved</p>")
    try:
        answer, body = page.ask("GET", "/admin/deployment")
    finally:
        gateway.breaks = None

    assert (answer.status, body["type"]) == (502, "urn:auth-jwt:problem:no-answer")
    assert answer.headers["Location"] is None


def test_an_api_that_ends_is_told_in_words(tmp_path: Path) -> None:
    class OnlyThePage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), OnlyThePage)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with a_page(f"http://127.0.0.1:{server.server_port}", tmp_path) as page:
        server.shutdown()
        server.server_close()

        answer, body = page.ask("GET", "/admin/deployment")

    assert (answer.status, body["type"]) == (502, "urn:auth-jwt:problem:no-answer")
    assert "does not answer" in body["detail"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_when_told(gateway: IamGateway, tmp_path: Path, by: signal.Signals) -> None:
    with a_page(gateway.url, tmp_path) as page:
        page.ask("GET", "/admin/deployment")
        page.process.send_signal(by)

        assert page.process.wait(10) == 0
        assert page.process.stderr is not None
        told = page.process.stderr.read()
    assert told.splitlines()[0].startswith(f"Target: {gateway.url.removesuffix('/profiles')}.")
    assert page.key not in told
    assert "alice" not in told


# --- what cannot begin ------------------------------------------------------------------------------------------------


def test_without_permission_it_says_which(gateway: IamGateway, tmp_path: Path) -> None:
    ended = end_of(gateway.url, tmp_path, NOBODY)

    assert ended.code == 1
    assert "execute-api:Invoke on GET/admin/page*" in ended.told


def test_without_credentials_it_says_so(gateway: IamGateway, tmp_path: Path) -> None:
    ended = end_of(gateway.url, tmp_path, None)

    assert ended.code == 4
    assert "Log in to AWS" in ended.told


def test_an_older_release_has_no_page(gateway: IamGateway, tmp_path: Path) -> None:
    gateway.breaks = HttpAnswer(404, [("Content-Type", "application/problem+json")], b"{}")
    try:
        ended = end_of(gateway.url, tmp_path, ADMIN)
    finally:
        gateway.breaks = None

    assert ended.code == 1
    assert "has no page" in ended.told


def test_nobody_at_the_address(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ended = end_of(f"http://127.0.0.1:{unused.getsockname()[1]}/v1/admin/profiles", tmp_path, ADMIN)

    assert ended.code == 4
    assert "does not answer" in ended.told


@pytest.mark.parametrize(
    "url",
    ["http://api.example.com/admin", "ftp://127.0.0.1/", "api.example.com", "https://user:word@api.example.com/", ""],
)
def test_an_address_that_cannot_be_is_refused(url: str, tmp_path: Path) -> None:
    ended = end_of(url, tmp_path, ADMIN)

    assert ended.code == 2
    assert "https://" in ended.told
    assert "word" not in ended.told


def test_a_port_that_is_taken_is_said(gateway: IamGateway, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = end_of(gateway.url, tmp_path, ADMIN, "--port", str(taken.getsockname()[1]))

    assert ended.code == 2
    assert "cannot be used" in ended.told

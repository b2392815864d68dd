"""The page of entries, followed: OpenSSL makes the certificates, and curl shows one to a server that asks as AWS does.

The server stands for API Gateway at a domain with mutual TLS. It trusts the page's truststore, gives the real handler
the event of an HTTP API, with the client's certificate in it, and lets nobody else in.
"""

import copy
import json
import re
import shlex
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest

from tests.certificates import Authority
from tests.integration.conftest import SetStage
from tests.local_server import LocalServer
from tests.page_commands import blocks_of
from tools.events.samples import ALICE, ALICE_EXPIRED
from tools.events.stage import ROOT, SAMPLES, Stage, read_json

PAGE: Final = ROOT / "docs" / "entries.md"
EVENT: Final = "http-authorized-mutual-tls"
SECONDS: Final = 30
REFUSED: Final = (35, 52, 55, 56)
"""What curl says when the other side breaks off: in the handshake, or, since a client of TLS 1.3 does not wait for its
end, at an empty reply, while it sends or while it receives. It is 60 when curl refuses the server."""


@dataclass
class Domain:
    """The running server.

    Attributes:
        url: what the page calls `$URL`.
        authority: who vouches for the server, as a file.
        certificates: what the handler's events said of the clients.
    """

    url: str
    authority: Path
    certificates: list[dict[str, Any]] = field(default_factory=list)


def block(beginning: str) -> str:
    """Return the page's one block of commands that begins so."""
    (found,) = [one for one in blocks_of(PAGE) if one.startswith(beginning)]
    return found


def page_folder(folder: Path, *, days: str = "365") -> Path:
    """Make the page's certificates in a new *folder*."""
    folder.mkdir()
    commands = block("openssl").replace("-days 365", f"-days {days}")
    done = subprocess.run(
        ["sh", "-e"], input=commands, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None or shutil.which("curl") is None:
        pytest.skip("no openssl, or no curl")
    return page_folder(tmp_path_factory.mktemp("page") / "certificates")


@pytest.fixture(name="domain")
def _domain(made: Path, tmp_path: Path, set_stage: SetStage) -> Iterator[Domain]:
    authority = Authority(tmp_path / "servers")
    context = authority.identity()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(made / "truststore.pem")
    server = LocalServer(("127.0.0.1", 0), handler_of(set_stage(CLIENT_CERTIFICATES="required")))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    domain = Domain(f"https://127.0.0.1:{server.server_address[1]}/authorize", authority.certificate)
    server.seen = domain.certificates  # type: ignore[attr-defined]
    with closing(server.socket):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield domain
        server.shutdown()
        thread.join(SECONDS)


def handler_of(stage: Stage) -> Callable[..., BaseHTTPRequestHandler]:
    """Return what answers a request by the real handler."""

    class Gateway(BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_POST(self) -> None:
            event = copy.deepcopy(read_json(SAMPLES / "authorize" / f"{EVENT}.json"))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            certificate = shown(self.connection.getpeercert())
            self.server.seen.append(certificate)  # type: ignore[attr-defined]
            event["headers"] = {name.lower(): value for name, value in self.headers.items()}
            event["body"] = body
            event["requestContext"]["authentication"]["clientCert"] = certificate
            answer = stage.ask(event)
            self.send_response(answer.status or 500)
            self.end_headers()
            self.wfile.write(answer.given["body"].encode())

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Gateway


def shown(peer: Any) -> dict[str, Any]:
    """Return what API Gateway says of a client's certificate, as far as Python knows it."""
    names = {"subject": "subjectDN", "issuer": "issuerDN"}
    return {
        **{ours: ",".join(f"{key}={value}" for ((key, value),) in peer[python]) for python, ours in names.items()},
        "serialNumber": peer["serialNumber"],
        "validity": {"notBefore": peer["notBefore"], "notAfter": peer["notAfter"]},
    }


def ask(
    domain: Domain, folder: Path, *, token: str = ALICE.text, without: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the page's curl in *folder*, in this machine's authority trusting, and without some of its options."""
    line = block("curl").splitlines()[0]
    words = shlex.split(line.replace("$URL", domain.url).replace("$TOKEN", token))
    for option in without:
        place = words.index(option)
        del words[place : place + 2]
    return subprocess.run(
        [*words, "--cacert", str(domain.authority)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_the_page_is_followed_and_a_user_is_authorized(domain: Domain, made: Path) -> None:
    asked = ask(domain, made)

    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["sip_username"] == "alice"


def test_the_event_says_which_server_called(domain: Domain, made: Path) -> None:
    """By the serial number, which is what the access log has."""
    printed = subprocess.run(
        ["openssl", "x509", "-in", "sip1.pem", "-noout", "-serial"],
        cwd=made,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    ).stdout

    ask(domain, made)

    (certificate,) = domain.certificates
    assert f"serial={certificate['serialNumber']}" == printed.strip()
    assert (certificate["subjectDN"], certificate["issuerDN"]) == (
        "commonName=sip1.example.com",
        "commonName=Frontends of example.com",
    )


def test_a_denied_token_is_a_denial_behind_mutual_tls_too(domain: Domain, made: Path) -> None:
    assert json.loads(ask(domain, made, token=ALICE_EXPIRED.text).stdout)["code"] == -1


def test_without_a_certificate_nobody_comes_as_far_as_the_function(domain: Domain, made: Path) -> None:
    asked = ask(domain, made, without=("--cert", "--key"))

    assert (asked.returncode in REFUSED, asked.stdout) == (True, "")
    assert domain.certificates == []


def test_a_certificate_of_another_authority_is_refused(domain: Domain, tmp_path: Path) -> None:
    """Made by the same commands, under the same names."""
    asked = ask(domain, page_folder(tmp_path / "stranger"))

    assert (asked.returncode in REFUSED, asked.stdout) == (True, "")


def test_a_certificate_that_has_ended_is_refused(domain: Domain, made: Path, tmp_path: Path) -> None:
    """Though the right authority signed it."""
    folder = tmp_path / "ended"
    shutil.copytree(made, folder)
    (signing,) = re.findall(r"^openssl x509 -req .*", block("openssl"), re.MULTILINE)
    subprocess.run(
        shlex.split(signing.replace("-days 365", "-days -1")),
        cwd=folder,
        capture_output=True,
        check=True,
        timeout=SECONDS,
    )

    asked = ask(domain, folder)

    assert (asked.returncode in REFUSED, asked.stdout) == (True, "")


def test_its_own_certificate_in_the_truststore_lets_a_server_in_until_it_is_taken_out(
    made: Path, tmp_path: Path
) -> None:
    """The page's way to revoke one: OpenSSL verifies it as API Gateway's guide says that it does."""
    own = subprocess.run(
        ["openssl", "verify", "-CAfile", "truststore.pem", "truststore.pem"],
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    (tmp_path / "empty").mkdir()
    gone = subprocess.run(
        ["openssl", "verify", "-CApath", str(tmp_path / "empty"), "-no-CAfile", "-no-CAstore", "truststore.pem"],
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert (own.returncode, gone.returncode != 0) == (0, True)

"""Kamailio's half of frontends/freeswitch, on the real Kamailio: what arrives where FreeSWITCH would listen."""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from events.samples import ALICE, DOMAIN
from frontends.kamailio.local import Kamailio, running
from tests.e2e.serve.serving import ROOT, serving

HOOKS: Final = ROOT / "frontends" / "freeswitch" / "hooks.cfg"
PATIENCE_SECONDS: Final = 10
TRANSPORT: Final = "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch};rport"


@dataclass(frozen=True, slots=True)
class Stand:
    """Kamailio with the recipe's hooks, and the port where FreeSWITCH would listen."""

    kamailio: Kamailio
    freeswitch: socket.socket


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if shutil.which("kamailio") is None and shutil.which("kamailio", path="/usr/sbin") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no kamailio")
    log = tmp_path_factory.mktemp("serve") / "log"
    credentials = "account_id"
    with (
        socket.create_server(("127.0.0.1", 0)) as freeswitch,
        serving(log, LOAD_CREDENTIALS=credentials) as service,
        _kamailio(tmp_path_factory.mktemp("kamailio"), service.url, freeswitch.getsockname()[1]) as kamailio,
    ):
        freeswitch.settimeout(PATIENCE_SECONDS)
        yield Stand(kamailio, freeswitch)


@contextmanager
def _kamailio(folder: Path, api_url: str, port: int) -> Iterator[Kamailio]:
    """Run it with the recipe's hooks, their two addresses on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    hooks = HOOKS.read_text(encoding="utf-8")
    for before, after in (("tcp:10.0.0.5:5060", f"tcp:127.0.0.1:{own}"), ("10.0.0.7:5090", f"127.0.0.1:{port}")):
        assert before in hooks
        hooks = hooks.replace(before, after)
    with running(folder, api_url=api_url, hooks=hooks, LOAD_CREDENTIALS="account_id") as kamailio:
        yield kamailio


def invite(client: socket.socket, to: str, *headers: str, domain: str = DOMAIN) -> bytes:
    """Write a call of Alice's."""
    port = client.getsockname()[1]
    lines = [
        f"INVITE sip:{to}@{domain} SIP/2.0",
        TRANSPORT.format(port=port, branch=to),
        "Max-Forwards: 70",
        f"From: <sip:alice@{DOMAIN}>;tag=a1",
        f"To: <sip:{to}@{domain}>",
        f"Call-ID: {to}-{port}@127.0.0.1",
        "CSeq: 1 INVITE",
        f"Contact: <sip:alice@127.0.0.1:{port}>",
        *headers,
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def calling(stand: Stand, to: str, *headers: str, domain: str = DOMAIN) -> Iterator[socket.socket]:
    """Send a call by UDP; yields the socket that gets the answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(PATIENCE_SECONDS)
        client.sendto(invite(client, to, *headers, domain=domain), ("127.0.0.1", stand.kamailio.udp))
        yield client


def final_status(client: socket.socket) -> int:
    while True:
        status = int(client.recv(65536).split()[1])
        if status >= 200:
            return status


def arrived(stand: Stand) -> str:
    """Return the request that came to FreeSWITCH's port."""
    connection, _ = stand.freeswitch.accept()
    with connection:
        connection.settimeout(PATIENCE_SECONDS)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
    return received.decode()


def test_freeswitch_gets_the_call_with_its_user_and_without_the_token(stand: Stand) -> None:
    """And without what the client says of itself."""
    spoofed = ("X-Auth-User: mallory", "X-Auth-Account: 1", f"P-Asserted-Identity: <sip:mallory@{DOMAIN}>")
    with calling(stand, "9196", f"Authorization: Bearer {ALICE.text}", *spoofed):
        request = arrived(stand)

    named = re.findall(r"^(X-Auth-\w+|P-Asserted-Identity): (.*)\r$", request, re.MULTILINE)
    assert request.startswith(f"INVITE sip:9196@{DOMAIN} SIP/2.0\r\n")
    assert sorted(named) == [
        ("P-Asserted-Identity", f"<sip:alice@{DOMAIN}>"),
        ("X-Auth-Account", "1001"),
        ("X-Auth-User", "alice"),
    ]
    assert "uthorization" not in request
    assert ALICE.text not in request


@pytest.mark.parametrize(
    ("headers", "domain", "status"),
    [
        pytest.param((), DOMAIN, 407, id="no token"),
        pytest.param(("X-Auth-User: alice",), DOMAIN, 407, id="no token, but a name"),
        pytest.param((f"Authorization: Bearer {ALICE.text}",), "sip.example.net", 403, id="a foreign domain"),
    ],
)
def test_whoever_else_calls_does_not_get_there(
    stand: Stand, headers: tuple[str, ...], domain: str, status: int
) -> None:
    with calling(stand, f"3{status}", *headers, domain=domain) as client:
        assert final_status(client) == status

    stand.freeswitch.settimeout(0.2)
    with pytest.raises(TimeoutError):
        stand.freeswitch.accept()
    stand.freeswitch.settimeout(PATIENCE_SECONDS)

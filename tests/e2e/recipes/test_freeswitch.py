"""Kamailio's half of frontends/freeswitch, on the real Kamailio: what arrives where FreeSWITCH would listen."""

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from frontends.kamailio.local import Kamailio, running
from tests.e2e.serve.serving import ROOT, serving
from tests.issuers import ISSUER, a_token_of_a_new_key, tables_at, write_issuer
from tools.events.samples import ALICE, DOMAIN

HOOKS: Final = ROOT / "frontends" / "freeswitch" / "hooks.cfg"
PATIENCE_SECONDS: Final = 10
TRANSPORT: Final = "Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch};rport"


@dataclass(frozen=True, slots=True)
class Stand:
    """Kamailio with the recipe's hooks, the socket in FreeSWITCH's place, and where the tables are."""

    kamailio: Kamailio
    freeswitch: socket.socket
    tables: str


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if shutil.which("kamailio") is None and shutil.which("kamailio", path="/usr/sbin") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no kamailio")
    log = tmp_path_factory.mktemp("serve") / "log"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as freeswitch,
        serving(log, LOAD_CREDENTIALS="account_id", ISSUERS=ISSUER) as service,
    ):
        freeswitch.bind(("127.0.0.1", 0))
        freeswitch.settimeout(PATIENCE_SECONDS)
        port = freeswitch.getsockname()[1]
        with _kamailio(tmp_path_factory.mktemp("kamailio"), service.url, port) as kamailio:
            yield Stand(kamailio, freeswitch, service.tables)


@contextmanager
def _kamailio(folder: Path, api_url: str, port: int) -> Iterator[Kamailio]:
    """Run it with the recipe's hooks, their two addresses on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    hooks = HOOKS.read_text(encoding="utf-8")
    for before, after in (("udp:10.0.0.5:5060", f"udp:127.0.0.1:{own}"), ("10.0.0.7:5090", f"127.0.0.1:{port}")):
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


def final(client: socket.socket, cseq: str = "1 INVITE") -> str:
    """Return the final answer to a request."""
    while True:
        answer = client.recv(65536).decode()
        if values(answer, "CSeq") == [cseq] and int(answer.split()[1]) >= 200:
            return answer


def values(message: str, *names: str) -> list[str]:
    """Return the values of the header fields of these names."""
    return re.findall(rf"(?im)^(?:{'|'.join(names)}): *(.*?)\r$", message)


def arrived(stand: Stand, method: str = "INVITE") -> str:
    """Return the request that came to FreeSWITCH's port, after answering it."""
    while True:
        received, kamailio = stand.freeswitch.recvfrom(65536)
        request = received.decode()
        repeated = re.findall(r"(?im)^(?:Via|From|Call-ID|CSeq|Record-Route): .*\r\n", request)
        port = stand.freeswitch.getsockname()[1]
        own = (f"To: {values(request, 'To')[0].partition(';')[0]};tag=f1\r\n", f"Contact: <sip:127.0.0.1:{port}>\r\n")
        lines = ("SIP/2.0 200 OK\r\n", *repeated, *own, "Content-Length: 0\r\n\r\n")
        if not request.startswith("ACK "):
            stand.freeswitch.sendto("".join(lines).encode(), kamailio)
        if request.startswith(f"{method} "):
            return request


def nothing_arrives(stand: Stand) -> bool:
    """Wait a moment, and return whether no call came to FreeSWITCH's port."""
    stand.freeswitch.settimeout(0.2)
    try:
        return arrived(stand) == ""
    except TimeoutError:
        return True
    finally:
        stand.freeswitch.settimeout(PATIENCE_SECONDS)


def later(client: socket.socket, answer: str, method: str, number: int, *headers: str) -> bytes:
    """Write a request within the call that was answered."""
    (contact,) = re.findall(r"<(.*)>", values(answer, "Contact")[0])
    (call_id,), (sender,), (to,) = (values(answer, name) for name in ("Call-ID", "From", "To"))
    lines = [
        f"{method} {contact} SIP/2.0",
        TRANSPORT.format(port=client.getsockname()[1], branch=f"{method}{number}"),
        "Max-Forwards: 70",
        *(f"Route: {value}" for value in reversed(values(answer, "Record-Route"))),
        f"From: {sender}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {number} {method}",
        f"Contact: <sip:alice@127.0.0.1:{client.getsockname()[1]}>",
        *headers,
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


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


def test_nobody_says_that_a_call_was_forwarded_to_them(stand: Stand) -> None:
    """FreeSWITCH, or the trunk behind it, would show or charge the one who is named."""
    forwarded = [
        f"{name}: <sip:+15550100@{DOMAIN}>" for name in ("Diversion", "History-Info", "Referred-By", "Diversion")
    ]
    with calling(stand, "9197", f"Authorization: Bearer {ALICE.text}", *forwarded):
        request = arrived(stand)

    assert "+15550100" not in request


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_within_a_call_nobody_becomes_somebody_else(stand: Stand, method: str) -> None:
    token = f"Authorization: Bearer {ALICE.text}"
    with calling(stand, f"92{len(method)}{method[0]}", token) as client:
        arrived(stand)
        answer = final(client)
        kamailio = ("127.0.0.1", stand.kamailio.udp)
        client.sendto(later(client, answer, "ACK", 1, token, "X-Auth-User: mallory"), kamailio)
        acknowledged = arrived(stand, "ACK")
        client.sendto(later(client, answer, method, 2, token, "X-Auth-User: mallory", "x-auth-account: 1"), kamailio)
        request = arrived(stand, method)
        final(client, f"2 {method}")

    for message in (acknowledged, request):
        assert "x-auth" not in message.lower()
        assert ALICE.text not in message


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
        assert int(final(client).split()[1]) == status

    assert nothing_arrives(stand)


def test_who_calls_by_a_key_that_is_not_fetched_yet_is_told_when_to_come_back_and_freeswitch_is_not_called(
    stand: Stand,
) -> None:
    write_issuer(tables_at(stand.tables), now=time.time())
    token = a_token_of_a_new_key(now=int(time.time()))

    with calling(stand, "9194", f"Authorization: Bearer {token}") as client:
        answer = final(client)

    assert answer.startswith("SIP/2.0 503 Key not fetched yet\r\n")
    assert 30 <= int(values(answer, "Retry-After")[0]) <= 62
    assert nothing_arrives(stand)

"""TLS that Kamailio ends itself (WITH_TLS, 5.8 and newer): SIP phones, browsers, and those who come and go."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio, version, with_settings
from frontends.webrtc.softphone import Options
from frontends.webrtc.softphone import running as softphone_running
from tests.certificates import Authority
from tests.e2e.browser import browsing, chromium
from tests.e2e.serve.serving import Serving
from tests.e2e.sip import sipp
from tests.e2e.sip.clients import (
    PATIENCE_SECONDS,
    Client,
    Refused,
    Stream,
    answer_to,
    tls,
    websocket,
)
from tests.e2e.sip.dialogs import called_through, registered, registers
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import (
    OUR_PAGE,
    OWN_TLS_SINCE,
    Phones,
    bearer,
    demand_own_tls,
    demand_programs,
    proxy,
    trusting,
)
from tests.e2e.sip.test_softphone import HEARD, MEDIA, Phone, missing, phone_at
from tools.events.stage import ROOT

KAMAILIO = ROOT / "frontends" / "kamailio"
WAYS = ("TLS", "WSS")
COME_AND_GO, AT_ONCE = 2000, 8
LAST_OF_A_TRANSACTION_SECONDS = 6
OVER_TLS = """
const json = Response.prototype.json;
Response.prototype.json = async function () {{
  const given = await json.call(this);
  return given.websocket ? {{ ...given, websocket: 'wss://127.0.0.1:{port}' }} : given;
}};
"""
"""Leads the page of the demo, which knows a WebSocket without TLS, to the one that has it."""


@pytest.fixture(name="secured", scope="module")
def _secured(api: Serving, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio that speaks TLS to its clients and to the service: two modules, one OpenSSL."""
    demand_own_tls()
    authority = Authority(tmp_path_factory.mktemp("authority"))
    line = Line(api.port, identity=authority.identity())
    folder, trusted = tmp_path_factory.mktemp("secured"), str(authority.certificate)
    with closing(line), proxy(folder, line.url, desk, WITH_TLS=True, CA_FILE=trusted) as kamailio:
        yield kamailio


def way_in(kamailio: Kamailio, over: str, trusted: ssl.SSLContext | None = None) -> AbstractContextManager[Client]:
    """Connect as a phone does (TLS), or as a browser (WSS)."""
    trusted = trusted or trusting(kamailio.ca)
    if over == "TLS":
        return tls(kamailio.tls, trusted, DOMAIN)
    return websocket(kamailio.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN)


# --- Phones and browsers ----------------------------------------------------------------------------------------------


def test_a_phone_registers_over_tls(secured: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    assert phones.register(secured, user, desk.token(user), over="TLS").status == 200
    assert phones.register(secured, user, desk.forged(user.tag), over="TLS").status == 401


@pytest.mark.parametrize("called_over", WAYS)
@pytest.mark.parametrize("calling_over", WAYS)
def test_they_call_each_other(secured: Kamailio, desk: Desk, calling_over: str, called_over: str) -> None:
    """Each is reached over its own connection, during the call as well, and whoever hangs up."""
    with way_in(secured, calling_over) as one, way_in(secured, called_over) as other:
        call = called_through(one, other, desk)

    assert call.methods == (["INVITE", "ACK", "INFO"], ["BYE"])
    assert [each.all("authorization") for each in call.at_the_called] == [[], [], []]


def test_pages_of_other_origins_get_no_websocket_of_kamailios_own(secured: Kamailio) -> None:
    page = websocket(secured.wss, origin="https://evil.example", trusted=trusting(secured.ca), name=DOMAIN)

    with pytest.raises(Refused) as refused, page:
        pass

    assert refused.value.status == 403


def test_two_browsers_talk_over_kamailios_own_tls(tmp_path: Path) -> None:
    """JsSIP in Chromium, with audio: the demo, led to the port with TLS."""
    demand_own_tls()
    program = chromium()
    if program is None:
        missing("no Chromium here: `make debian` installs it")
    options = (*MEDIA, "--ignore-certificate-errors")  # the lab's, which no browser knows
    with (
        softphone_running(Options(0, 120), dict(os.environ), print, WITH_TLS="yes") as softphone,
        browsing(program, tmp_path / "browser", *options) as browser,
    ):
        pages = [browser.page(), browser.page()]
        users: list[Phone] = []
        for page, user in zip(pages, ("alice", "bob"), strict=True):
            page.tell("Page.setBypassCSP", enabled=True)  # which names the port without
            page.tell("Page.addScriptToEvaluateOnNewDocument", source=OVER_TLS.format(port=softphone.kamailio.wss))
            users.append(phone_at(page, softphone.url, user, softphone.passwords[user]).registered())
        alice, bob = users
        alice.call("bob")
        bob.until_call("incoming")
        bob.page.press("Enter")
        alice.until_call("talking")
        for one in users:
            one.page.wait_for(f"{HEARD}.then(({{ packets, energy }}) => packets > 50 && energy > 0)")
        alice.renew()
        alice.page.click("#hang-up")
        bob.until_call("none")

        assert {url.rstrip("/") for page in pages for url in page.sockets} == {
            f"wss://127.0.0.1:{softphone.kamailio.wss}"
        }


# --- Handshakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "somebody.else.example", DOMAIN])
def test_whatever_name_a_client_asks_for_it_gets_the_certificate(
    secured: Kamailio, desk: Desk, name: str | None
) -> None:
    """Phones send their proxy's address, or no name at all. None of them shows a certificate of its own."""
    careless = trusting(secured.ca)
    careless.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", secured.tls), PATIENCE_SECONDS) as plain,
        careless.wrap_socket(plain, server_hostname=name) as connection,
    ):
        assert registers(Stream(connection, "TLS"), desk)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("newest", "accepted"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)])
def test_tls_before_1_2_is_refused(secured: Kamailio, newest: ssl.TLSVersion, accepted: bool) -> None:
    old = trusting(secured.ca)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")  # or this side would not try
    old.minimum_version, old.maximum_version = newest, newest
    shaken_hands = False

    with suppress(ssl.SSLError, ConnectionError), tls(secured.tls, old, DOMAIN):
        shaken_hands = True

    assert shaken_hands == accepted


def test_a_new_certificate_is_taken_without_a_restart(line: Line, desk: Desk, tmp_path: Path) -> None:
    """`kamcmd tls.reload`: existing connections stay."""
    demand_own_tls()
    authority = Authority(tmp_path / "authority")
    authority.identity(host="127.0.0.1")
    (renewed,) = (tmp_path / "authority").glob("[0-9]*.pem")  # key and certificate in one
    trusted = trusting(authority.certificate)
    trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT  # its certificates have no more in them than they need

    with proxy(tmp_path / "kamailio", line.url, desk, WITH_TLS=True) as kamailio, way_in(kamailio, "TLS") as before:
        assert registers(before, desk)
        for file in ("server.pem", "server.key"):
            (kamailio.folder / file).write_bytes(renewed.read_bytes())
        with way_in(kamailio, "TLS") as unaware:
            assert registers(unaware, desk)

        kamailio.ask("tls.reload")

        with tls(kamailio.tls, trusted, "127.0.0.1") as after:
            assert registers(after, desk)
        with pytest.raises(ssl.SSLCertVerificationError), way_in(kamailio, "TLS"):
            pass
        assert registers(before, desk)


# --- Those who come and go --------------------------------------------------------------------------------------------


def a_phone(kamailio: Kamailio, trusted: ssl.SSLContext, user: User, token: str) -> bool:
    with way_in(kamailio, "TLS", trusted) as client:
        return registered(client, user, token)


def a_browser(kamailio: Kamailio, trusted: ssl.SSLContext, user: User, token: str) -> bool:
    with way_in(kamailio, "WSS", trusted) as client:
        return registered(client, user, token)


def one_that_only_shakes_hands(kamailio: Kamailio, trusted: ssl.SSLContext, *_: object) -> bool:
    with way_in(kamailio, "TLS", trusted):
        return True


def one_that_trusts_nobody(kamailio: Kamailio, *_: object) -> bool:
    with pytest.raises(ssl.SSLCertVerificationError), way_in(kamailio, "TLS", ssl.create_default_context()):
        pass
    return True


def saying(data: bytes) -> "Callable[..., bool]":
    """Return one that connects, says something that is no handshake, and goes."""

    def one(kamailio: Kamailio, *_: object) -> bool:
        with socket.create_connection(("127.0.0.1", kamailio.tls), PATIENCE_SECONDS) as stranger:
            stranger.sendall(data)
        return True

    return one


KINDS: tuple[Callable[..., bool], ...] = (
    a_phone,
    one_that_only_shakes_hands,
    a_browser,
    saying(os.urandom(200)),
    one_that_trusts_nobody,
    saying(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(150)),  # a ClientHello breaks off
    saying(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n"),
    one_that_only_shakes_hands,
)


def test_thousands_come_and_go_over_tls_while_the_service_is_asked_over_tls(secured: Kamailio, desk: Desk) -> None:
    """What version 5.6 does not survive beside OpenSSL 3 (issue 3791 of Kamailio)."""
    trusted = trusting(secured.ca)
    users = [desk.user("guest") for _ in range(AT_ONCE)]
    known = [(user, desk.token(user)) for user in users]

    def comes_and_goes(number: int) -> bool:
        kind = KINDS[number % len(KINDS)]
        return kind(secured, trusted, *known[number // len(KINDS) % AT_ONCE])

    with ThreadPoolExecutor(AT_ONCE) as workers:
        went_well = list(workers.map(comes_and_goes, range(COME_AND_GO)))

    assert went_well.count(False) == 0
    assert secured.process.poll() is None
    for over in WAYS:
        with way_in(secured, over) as client:
            assert registers(client, desk)


# --- The service, over TLS that is not Kamailio's ---------------------------------------------------------------------


@contextmanager
def haproxy_to(line: Line, trusted: Path, folder: Path) -> Iterator[int]:
    """Run haproxy-service.cfg before a service on loopback; gives the port."""
    demand_programs("haproxy")
    folder.mkdir()
    port = sipp.free_port()
    text = (KAMAILIO / "haproxy.cfg").read_text("utf-8").partition("frontend websockets")[0]
    text += (KAMAILIO / "haproxy-service.cfg").read_text("utf-8")
    for pattern, instead in (
        (r"(?m)^ +(?:user|group|log) .*\n", ""),
        (r"maxconn \d+", "maxconn 1000"),
        (r"127\.0\.0\.1:8083", f"127.0.0.1:{port}"),
        (r"[a-z0-9.-]+\.amazonaws\.com:443", f"127.0.0.1:{line.port}"),
        (r"[a-z0-9.-]+\.amazonaws\.com", "127.0.0.1"),
        (r"/etc/ssl/certs/ca-certificates.crt", str(trusted)),
        (r"    parse-resolv-conf\n", ""),  # nobody to ask, in a network of loopback
    ):
        text, found = re.subn(pattern, instead, text)
        assert found, pattern
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    path = f"{os.environ['PATH']}:/usr/sbin"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", folder / "haproxy.cfg"], stderr=log, env={"PATH": path})
    try:
        wait_until_taken(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_until_taken(port: int, process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS):
            return
    raise AssertionError("HAProxy does not start")


def shared_memory_used(kamailio: Kamailio) -> int:
    found = re.search(r"\bused: (\d+)", kamailio.ask("core.shmmem"))
    assert found is not None
    return int(found[1])


def test_asked_through_haproxy_the_service_costs_no_memory(api: Serving, desk: Desk, tmp_path: Path) -> None:
    """Kamailio loses some 17 kB of shared memory with each query over TLS of its own (issue 4231 of Kamailio)."""
    demand_own_tls()
    authority = Authority(tmp_path / "authority")
    line = Line(api.port, identity=authority.identity())
    user = desk.user()
    token = desk.token(user)

    with (
        closing(line),
        haproxy_to(line, authority.certificate, tmp_path / "haproxy") as port,
        proxy(tmp_path / "kamailio", f"http://127.0.0.1:{port}", desk, WITH_TLS=True) as kamailio,
    ):

        def used_after(count: int) -> int:
            for _ in range(count):
                with way_in(kamailio, "TLS") as client:
                    assert registered(client, user, token)
            time.sleep(LAST_OF_A_TRANSACTION_SECONDS)
            return shared_memory_used(kamailio)

        before = used_after(50)  # with what every process takes once
        after = used_after(100)

    assert after - before < 100 * 2_000
    assert len(line.asked) == 150


@pytest.mark.parametrize("whose", ["a stranger's", "another host's"])
def test_haproxy_shows_no_token_to_another_certificate(api: Serving, desk: Desk, tmp_path: Path, whose: str) -> None:
    demand_own_tls()
    authority, stranger = Authority(tmp_path / "authority"), Authority(tmp_path / "stranger")
    identity = stranger.identity() if whose == "a stranger's" else authority.identity(host="127.0.0.2")
    user = desk.user()

    with (
        closing(Line(api.port, identity=identity)) as imposter,
        haproxy_to(imposter, authority.certificate, tmp_path / "haproxy") as port,
        proxy(tmp_path / "kamailio", f"http://127.0.0.1:{port}", desk, WITH_TLS=True) as kamailio,
        way_in(kamailio, "TLS") as client,
    ):
        request = Request(call=str(uuid.uuid4()), user=user.name, over="TLS", more=[bearer(desk.token(user))])
        assert answer_to(client, bytes(request)).status == 503

    assert imposter.asked == []


# --- Older versions ---------------------------------------------------------------------------------------------------


def test_an_older_kamailio_does_not_start_with_a_tls_of_its_own(tmp_path: Path) -> None:
    """It would crash later: whoever switches WITH_TLS on there is told at once."""
    demand_programs()
    if version() >= OWN_TLS_SINCE:
        pytest.skip("this Kamailio may have a TLS of its own")
    for name in ("kamailio.cfg", "hooks.cfg"):
        shutil.copy(KAMAILIO / name, tmp_path)
    settings = (KAMAILIO / "settings.cfg").read_text("utf-8")
    (tmp_path / "settings.cfg").write_text(with_settings(settings, {"WITH_TLS": True, "WITH_HAPROXY": False}), "utf-8")
    command = ["kamailio", "-c", "-f", str(tmp_path / "kamailio.cfg")]
    path = f"{os.environ['PATH']}:/usr/sbin"

    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": path})

    assert told.returncode != 0
    place = re.search(r"line (\d+), column \d+: unknown config variable", told.stderr)
    assert place is not None
    lines = (KAMAILIO / "kamailio.cfg").read_text("utf-8").splitlines()
    assert lines[int(place[1]) - 1].startswith("tls_threads_mode=")

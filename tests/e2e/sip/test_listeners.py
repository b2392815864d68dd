"""The doors of Kamailio: TLS to the service, TLS of clients, WebSockets of browsers, and floods."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.certificates import Authority
from tests.e2e.serve.serving import Serving
from tests.e2e.sip import sipp
from tests.e2e.sip.clients import PATIENCE_SECONDS, Refused, Stream, answer_to, tcp, udp, websocket
from tests.e2e.sip.dialogs import called_through, registers
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import OUR_PAGE, Phones, demand_programs, proxy, trusting
from tools.events.stage import ROOT

KAMAILIO = ROOT / "frontends" / "kamailio"
OTHER_PAGES = (
    *("https://evil.example", f"{OUR_PAGE}.evil.example", "http://phone.example.com", f"{OUR_PAGE}:8443"),
    *("phone.example.com", "null", "", f"{OUR_PAGE},https://evil.example", f"{OUR_PAGE} https://evil.example"),
)
FLOOD, BAN_SECONDS = 10, 1


# --- TLS to the service -----------------------------------------------------------------------------------------------


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="careful", scope="module")
def _careful(
    api: Serving, desk: Desk, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kamailio, Line]]:
    """A Kamailio that speaks TLS to the service, and trusts one authority."""
    line = Line(api.port, identity=authority.identity())
    settings = {"CA_FILE": str(authority.certificate)}
    with closing(line), proxy(tmp_path_factory.mktemp("careful"), line.url, desk, **settings) as kamailio:
        yield kamailio, line


def test_the_service_is_asked_over_tls(careful: tuple[Kamailio, Line], phones: Phones, desk: Desk) -> None:
    kamailio, line = careful
    user, before = desk.user(), len(line.asked)

    assert phones.register(kamailio, user, desk.token(user)).status == 200
    assert len(line.asked) == before + 1


@pytest.mark.parametrize("whose", ["a stranger's", "another host's", "one that has ended"])
def test_with_another_certificate_it_gets_no_token_to_see(
    careful: tuple[Kamailio, Line],
    api: Serving,
    phones: Phones,
    desk: Desk,
    authority: Authority,
    tmp_path: Path,
    whose: str,
) -> None:
    kamailio, line = careful
    identity = {
        "a stranger's": lambda: Authority(tmp_path / "stranger").identity(),
        "another host's": lambda: authority.identity(host="127.0.0.2"),
        "one that has ended": lambda: authority.identity(ended=True),
    }[whose]()
    user = desk.user()

    with line.down(), closing(Line(api.port, identity=identity, port=line.port)) as imposter:
        answer = phones.register(kamailio, user, desk.token(user))

    assert answer.status == 503
    assert imposter.asked == []


def test_a_line_without_tls_is_a_fault(
    careful: tuple[Kamailio, Line], api: Serving, phones: Phones, desk: Desk
) -> None:
    kamailio, line = careful
    user = desk.user()

    with line.down(), closing(Line(api.port, port=line.port)) as plain:
        answer = phones.register(kamailio, user, desk.token(user))

    assert answer.status == 503
    assert plain.asked == []


LAX = """
openssl_conf = all
[all]
ssl_conf = programs
[programs]
system_default = lax
[lax]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
"""
"""OpenSSL as it was before Debian had it refuse TLS 1.1 by itself."""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("newest", "status"), [(ssl.TLSVersion.TLSv1_1, 503), (ssl.TLSVersion.TLSv1_2, 200)])
def test_the_service_is_shown_no_token_over_tls_before_1_2(
    api: Serving,
    phones: Phones,
    desk: Desk,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    newest: ssl.TLSVersion,
    status: int,
) -> None:
    """On a machine whose OpenSSL would let it."""
    lax = tmp_path / "openssl.cnf"
    lax.write_text(LAX, "utf-8")
    monkeypatch.setenv("OPENSSL_CONF", str(lax))
    identity = authority.identity()
    identity.set_ciphers("DEFAULT:@SECLEVEL=0")
    identity.minimum_version, identity.maximum_version = newest, newest
    settings = {"CA_FILE": str(authority.certificate)}
    user = desk.user()

    with (
        closing(Line(api.port, identity=identity)) as old,
        proxy(phones.new_folder(), old.url, desk, **settings) as kamailio,
    ):
        answer = phones.register(kamailio, user, desk.token(user))

    assert answer.status == status
    assert len(old.asked) == (status == 200)


# --- WebSockets -------------------------------------------------------------------------------------------------------


def test_our_page_registers_over_a_websocket(kamailio: Kamailio, desk: Desk) -> None:
    with websocket(kamailio.ws, origin=OUR_PAGE) as client:
        assert registers(client, desk)


def test_what_is_no_browser_names_no_page(kamailio: Kamailio, desk: Desk) -> None:
    with websocket(kamailio.ws) as client:
        assert registers(client, desk)


@pytest.mark.parametrize("origin", OTHER_PAGES)
def test_pages_of_other_origins_get_no_websocket(kamailio: Kamailio, origin: str) -> None:
    with pytest.raises(Refused) as refused, websocket(kamailio.ws, origin=origin):
        pass

    assert refused.value.status == 403


def test_a_websocket_of_another_protocol_is_not_opened(kamailio: Kamailio) -> None:
    """RFC 7118, section 4: what a page would say over it, is no SIP."""
    with pytest.raises(Refused), websocket(kamailio.ws, origin=OUR_PAGE, protocol="msrp"):
        pass


def test_nobody_is_told_which_version_answers(kamailio: Kamailio) -> None:
    with udp(kamailio.udp) as client:
        answers = [
            answer_to(client, bytes(Request(method=method, over="UDP", uri=f"sip:{DOMAIN}", call=f"version-{method}")))
            for method in ("OPTIONS", "REGISTER", "SUBSCRIBE")
        ]

    assert [answer.status for answer in answers] == [200, 401, 405]
    assert not any(b"amailio" in answer.raw for answer in answers)


def test_several_pages_may_be_allowed(line: Line, desk: Desk, tmp_path: Path) -> None:
    pages = f"{OUR_PAGE},http://127.0.0.1:8081"

    with proxy(tmp_path / "kamailio", line.url, desk, WEB_ORIGINS=pages) as kamailio:
        for page in pages.split(","):
            with websocket(kamailio.ws, origin=page) as client:
                assert registers(client, desk)


# --- TLS of clients ---------------------------------------------------------------------------------------------------


def in_order(count: int, work: Callable[[int], bool]) -> list[bool]:
    """Do *work* so many times, eight at once."""
    with ThreadPoolExecutor(8) as workers:
        return list(workers.map(work, range(count)))


@pytest.fixture(name="behind_haproxy", scope="module")
def _behind_haproxy(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    demand_programs("haproxy")
    with proxy(tmp_path_factory.mktemp("behind"), line.url, desk, WITH_HAPROXY=True) as kamailio:
        yield kamailio


def test_haproxy_ends_tls_for_websockets_and_says_who_asks(behind_haproxy: Kamailio, desk: Desk) -> None:
    """As Debian 12 wants it: Kamailio 5.6's own TLS does not survive what comes next."""
    trusted = trusting(behind_haproxy.ca)

    with websocket(behind_haproxy.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN) as client:
        assert registers(client, desk)
        assert f"Received: sip:127.0.0.1:{client.port};transport=ws" in behind_haproxy.ask("ul.dump")


def test_many_come_and_go_over_tls(behind_haproxy: Kamailio, desk: Desk) -> None:
    trusted = trusting(behind_haproxy.ca)

    def comes_and_goes(number: int) -> bool:
        if number % 4 == 0:
            with socket.create_connection(("127.0.0.1", behind_haproxy.wss), PATIENCE_SECONDS) as stranger:
                stranger.sendall(os.urandom(200))
                return True
        with websocket(behind_haproxy.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN) as client:
            return registers(client, desk)

    assert all(in_order(64, comes_and_goes))  # within what haproxy.cfg lets one address do
    assert behind_haproxy.process.poll() is None


def test_pages_of_other_origins_get_no_websocket_over_tls(behind_haproxy: Kamailio) -> None:
    trusted = trusting(behind_haproxy.ca)
    page = websocket(behind_haproxy.wss, origin=OTHER_PAGES[0], trusted=trusted, name=DOMAIN)

    with pytest.raises(Refused) as refused, page:
        pass

    assert refused.value.status == 403


def test_two_browsers_call_each_other_behind_haproxy(behind_haproxy: Kamailio, desk: Desk) -> None:
    """Each is found by its connection, and the way back leads by the public name."""
    trusted = trusting(behind_haproxy.ca)
    ways = [websocket(behind_haproxy.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN) for _ in range(2)]
    with ways[0] as one, ways[1] as other:
        call = called_through(one, other, desk)

    assert f"127.0.0.1:{behind_haproxy.wss};transport=ws" in call.answer.all("record-route")[0]
    assert call.methods == (["INVITE", "ACK", "INFO"], ["BYE"])


def test_a_phone_that_answers_over_a_connection_is_reached_over_it(kamailio: Kamailio, desk: Desk) -> None:
    """Whatever its Contact says: behind a NAT, that leads nowhere, and the call would hang without its ACK."""
    with tcp(kamailio.tcp) as one, tcp(kamailio.tcp) as other:
        call = called_through(one, other, desk)

    assert call.methods == (["INVITE", "ACK", "INFO"], ["BYE"])


def test_phones_call_each_other_over_ipv6(line: Line, phones: Phones, desk: Desk) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    port = sipp.free_port()
    hooks = f"listen=tcp:[::1]:{port}\n" + (KAMAILIO / "hooks.cfg").read_text("utf-8")
    with (
        proxy(phones.new_folder(), line.url, desk, hooks=hooks),
        socket.create_connection(("::1", port), PATIENCE_SECONDS) as one,
        socket.create_connection(("::1", port), PATIENCE_SECONDS) as other,
    ):
        call = called_through(Stream(one, "TCP"), Stream(other, "TCP"), desk)

    assert call.methods == (["INVITE", "ACK", "INFO"], ["BYE"])


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_an_address_that_fails_does_not_open_all_of_them(tmp_path: Path) -> None:
    """Kamailio without a listener listens everywhere, in the clear; and 5.6 loses one whose name it cannot resolve."""
    demand_programs()
    for name in ("kamailio.cfg", "hooks.cfg"):
        shutil.copy(KAMAILIO / name, tmp_path)
    settings = (KAMAILIO / "settings.cfg").read_text("utf-8")
    assert " advertise sip.example.com:8443!" in settings
    (tmp_path / "settings.cfg").write_text(settings.replace("sip.example.com:8443", "unknown.invalid:8443"))
    path = f"{os.environ['PATH']}:/usr/sbin"
    command = ["kamailio", "-c", "-f", str(tmp_path / "kamailio.cfg")]

    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={"PATH": path})

    places = re.findall(r"(?:udp|tcp|tls): (\S+)", told.stdout + told.stderr)
    assert set(places) == {"127.0.0.1"}

"""The doors of Kamailio: TLS to the service, WebSockets of browsers, and floods."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.serve.serving import Serving
from tests.e2e.sip.authority import Authority
from tests.e2e.sip.clients import PATIENCE_SECONDS, Client, Refused, answer_to, tcp, udp, websocket
from tests.e2e.sip.desk import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import Phones, bearer, proxy, trusting

OUR_PAGE = "https://phone.example.com"
"""As settings.cfg says."""
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


# --- WebSockets -------------------------------------------------------------------------------------------------------


def registers(client: Client, desk: Desk) -> bool:
    """Whether a user can register over a connection."""
    user = desk.user()
    request = Request(call=str(uuid.uuid4()), user=user.name, over=client.over, more=[bearer(desk.token(user))])
    return answer_to(client, bytes(request)).status == 200


def test_our_page_registers_over_a_websocket(kamailio: Kamailio, desk: Desk) -> None:
    with websocket(kamailio.ws, origin=OUR_PAGE) as client:
        assert registers(client, desk)


def test_our_page_registers_over_a_websocket_and_tls(kamailio: Kamailio, desk: Desk) -> None:
    trusted = trusting(kamailio.ca)

    with websocket(kamailio.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN) as client:
        assert registers(client, desk)


def test_what_is_no_browser_names_no_page(kamailio: Kamailio, desk: Desk) -> None:
    with websocket(kamailio.ws) as client:
        assert registers(client, desk)


@pytest.mark.parametrize("origin", OTHER_PAGES)
def test_pages_of_other_origins_get_no_websocket(kamailio: Kamailio, origin: str) -> None:
    with pytest.raises(Refused) as refused, websocket(kamailio.ws, origin=origin):
        pass

    assert refused.value.status == 403


def test_several_pages_may_be_allowed(line: Line, desk: Desk, tmp_path: Path) -> None:
    pages = f"{OUR_PAGE},http://127.0.0.1:8081"

    with proxy(tmp_path / "kamailio", line.url, desk, WEB_ORIGINS=pages) as kamailio:
        for page in pages.split(","):
            with websocket(kamailio.ws, origin=page) as client:
                assert registers(client, desk)


# --- Floods -----------------------------------------------------------------------------------------------------------


def all_of(client: Client) -> Iterator[Message]:
    """Return what comes until nothing does."""
    with contextlib.suppress(TimeoutError):
        while True:
            yield client.receive(0.2)


def answer_in_the_end(client: Client, request: bytes) -> Message:
    """Send a request again and again, as phones do, until it is answered."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(TimeoutError):
            return answer_to(client, request, seconds=0.4)
    raise TimeoutError("no answer")


def test_a_flood_is_ignored_and_then_forgiven(line: Line, phones: Phones, desk: Desk) -> None:
    user, before = desk.user(), len(line.asked)
    folder = phones.new_folder()

    with (
        proxy(folder, line.url, desk, FLOOD_DENSITY=FLOOD, BAN_SECONDS=BAN_SECONDS) as kamailio,
        udp(kamailio.udp) as client,
    ):
        for _ in range(20 * FLOOD):
            client.send(bytes(Request(over="UDP", port=client.port, call=str(uuid.uuid4()))))
        answers = list(all_of(client))
        header = bearer(desk.token(user))
        request = Request(over="UDP", port=client.port, user=user.name, call=str(uuid.uuid4()), more=[header])
        afterwards = answer_in_the_end(client, bytes(request))

    assert {answer.status for answer in answers} <= {401}
    assert len(answers) <= 5 * FLOOD
    assert afterwards.status == 200
    assert len(line.asked) == before + 1


def test_whoever_tries_many_tokens_is_ignored_for_a_while(line: Line, phones: Phones, desk: Desk) -> None:
    user, before = desk.user(), len(line.asked)
    folder = phones.new_folder()
    answers: list[int | None] = []

    with proxy(folder, line.url, desk, MAX_REFUSALS=FLOOD, BAN_SECONDS=BAN_SECONDS) as kamailio:
        with tcp(kamailio.tcp) as client, contextlib.suppress(TimeoutError):
            while len(answers) < 3 * FLOOD:
                forged = Request(call=str(uuid.uuid4()), more=[bearer(desk.forged("alice-web"))])
                answers.append(answer_to(client, bytes(forged), seconds=1).status)
        answer = phones.register(kamailio, user, desk.token(user))

    assert set(answers) == {401}
    assert FLOOD <= len(answers) <= FLOOD + 2
    assert answer.status == 200
    assert len(line.asked) <= before + FLOOD + 3

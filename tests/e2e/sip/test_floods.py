"""Floods: whoever asks too much is ignored for a while, and nobody else is."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from tests.e2e.sip.clients import PATIENCE_SECONDS, Client, answer_to, tcp, udp, websocket
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import OUR_PAGE, Phones, bearer, demand_programs, proxy, trusting

FLOOD, BAN_SECONDS = 10, 1
PIKE_FORGETS_SECONDS = 6
"""Then nobody is a flood any more; a ban lasts longer."""
HAPROXYS_RATE = 100
"""Connections of one address in ten seconds, as haproxy.cfg says."""


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


def test_a_page_cannot_have_its_visitor_ignored(line: Line, phones: Phones, desk: Desk) -> None:
    """Any page can make a browser ask for any URL, as often as it likes."""
    user = desk.user()

    with proxy(phones.new_folder(), line.url, desk, FLOOD_DENSITY=FLOOD) as kamailio:
        for _ in range(5 * FLOOD):
            with closing(HTTPConnection("127.0.0.1", kamailio.ws, timeout=PATIENCE_SECONDS)) as browser:
                browser.request("GET", "/")
                assert browser.getresponse().status == 404
        assert phones.register(kamailio, user, desk.token(user)).status == 200


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


def test_websockets_count_for_a_flood(line: Line, phones: Phones, desk: Desk) -> None:
    opened = 0

    with (
        proxy(phones.new_folder(), line.url, desk, FLOOD_DENSITY=FLOOD) as kamailio,
        contextlib.suppress(ConnectionError),
    ):
        while opened < 10 * FLOOD:
            with websocket(kamailio.ws, origin=OUR_PAGE):
                opened += 1

    assert FLOOD / 2 <= opened <= 5 * FLOOD


def test_who_is_ignored_opens_no_websocket(line: Line, phones: Phones, desk: Desk) -> None:
    with proxy(phones.new_folder(), line.url, desk, FLOOD_DENSITY=FLOOD, BAN_SECONDS=60) as kamailio:
        with websocket(kamailio.ws, origin=OUR_PAGE):
            pass
        with udp(kamailio.udp) as client:
            for _ in range(20 * FLOOD):
                client.send(bytes(Request(over="UDP", port=client.port, call=str(uuid.uuid4()))))
            for _ in all_of(client):
                pass
        assert "127.0.0.1" in kamailio.ask("htable.dump", "banned")
        time.sleep(PIKE_FORGETS_SECONDS)

        with pytest.raises(ConnectionError), websocket(kamailio.ws, origin=OUR_PAGE):
            pass


def test_haproxy_lets_one_address_open_so_many_connections_and_no_more(line: Line, phones: Phones, desk: Desk) -> None:
    demand_programs("haproxy")
    opened = 0

    with proxy(phones.new_folder(), line.url, desk, WITH_HAPROXY=True) as kamailio, ExitStack() as open_ones:
        trusted = trusting(kamailio.ca)
        with contextlib.suppress(OSError):
            while opened < 2 * HAPROXYS_RATE:
                way = websocket(kamailio.wss, origin=OUR_PAGE, trusted=trusted, name=DOMAIN)
                open_ones.enter_context(way)
                opened += 1

    assert HAPROXYS_RATE / 2 <= opened <= HAPROXYS_RATE

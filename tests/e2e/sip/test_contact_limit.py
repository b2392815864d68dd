"""Room for a contact: a dead one makes it, one that may be called does not, and nobody makes it among others'."""

import time
import uuid
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Client, Stream, Udp, WebSocket, answer_to, tcp, udp, websocket
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import OUR_PAGE, asking, bearer, contacts, demand_programs, proxy, trusting

MAX_CONTACTS = 10


def address(contact: str) -> str:
    """Return the URI of a contact."""
    return contact.partition("<")[2].partition(">")[0]


def way_to(kamailio: Kamailio, over: str) -> AbstractContextManager[Stream | WebSocket | Udp]:
    """Open a connection, or what is as good."""
    if over == "UDP":
        return udp(kamailio.udp)
    if over == "TCP":
        return tcp(kamailio.tcp)
    if over == "WS":
        return websocket(kamailio.ws, origin=OUR_PAGE)
    return websocket(kamailio.wss, origin=OUR_PAGE, trusted=trusting(kamailio.ca), name=DOMAIN)


def page_loaded(client: Client, user: User, token: str) -> Message:
    """Register as a page does that was just loaded, or a phone behind a NAT: with an instance that nobody has seen."""
    instance = uuid.uuid4()
    host = "10.0.0.7" if client.over == "UDP" else f"{instance.hex[8:20]}.invalid"
    contact = (
        f"Contact: <sip:{instance.hex[:8]}@{host};transport={client.over.lower()}>;"
        f'reg-id=1;+sip.instance="<urn:uuid:{instance}>";expires=600'
    )
    header = [contact, "Supported: path,gruu,outbound", bearer(token)]
    request = Request(
        call=str(uuid.uuid4()), user=user.name, over=client.over, port=client.port, contact=0, more=header
    )
    return answer_to(client, bytes(request))


@pytest.mark.parametrize("over", ["TCP", "WS"])
def test_pages_that_are_gone_make_room_for_the_next(kamailio: Kamailio, desk: Desk, over: str) -> None:
    """However often a page is loaded: their connections have ended, and nobody can be called over those."""
    user = desk.user()
    token = desk.token(user)

    for _ in range(2 * MAX_CONTACTS + 1):
        with way_to(kamailio, over) as page:
            answer = page_loaded(page, user, token)
            assert answer.status == 200

    assert len(contacts(answer)) <= 2  # of the last but one, Kamailio may not know yet that it has gone


def test_pages_behind_haproxy_that_are_gone_make_room(line: Line, desk: Desk, tmp_path: Path) -> None:
    demand_programs("haproxy")
    user = desk.user()
    token = desk.token(user)

    with proxy(tmp_path / "kamailio", line.url, desk, WITH_HAPROXY=True) as kamailio:
        for _ in range(2 * MAX_CONTACTS + 1):
            with way_to(kamailio, "WSS") as page:
                answer = page_loaded(page, user, token)
                assert answer.status == 200

    assert len(contacts(answer)) < MAX_CONTACTS


def test_pages_that_answer_no_ping_make_room(line: Line, desk: Desk, tmp_path: Path) -> None:
    """Their machines went without a word, so that their connections have not ended: Kamailio ends them."""
    user = desk.user()
    token = desk.token(user)

    with proxy(tmp_path / "kamailio", line.url, desk, PING_SECONDS=1) as kamailio, ExitStack() as silent:
        for _ in range(MAX_CONTACTS):
            page_loaded(silent.enter_context(way_to(kamailio, "WS")), user, token)
        with way_to(kamailio, "WS") as page:
            refused = page_loaded(page, user, token)
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            time.sleep(1)
            with way_to(kamailio, "WS") as page:
                if (answer := page_loaded(page, user, token)).status == 200:
                    break

    assert refused.status == 503
    assert answer.status == 200


@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_of_contacts_that_are_there_the_eleventh_is_told_when_to_come_back(
    path: str, desk: Desk, request: pytest.FixtureRequest
) -> None:
    """None of them is pushed out: somebody may be called there. They renew as ever, and who leaves makes room."""
    kamailio: Kamailio = request.getfixturevalue(path)
    user = desk.user()
    token = desk.token(user)

    with ExitStack() as opened:
        pages = [opened.enter_context(way_to(kamailio, "WS")) for _ in range(MAX_CONTACTS)]
        registered = [page_loaded(page, user, token).status for page in pages]
        with way_to(kamailio, "WS") as page:
            refused = page_loaded(page, user, token)
            listed = answer_to(page, bytes(replace(asking(user, token), over="WS", port=page.port)))
            pages[3].close()
            ends = time.monotonic() + 10
            while (afterwards := page_loaded(page, user, token)).status == 503 and time.monotonic() < ends:
                time.sleep(0.1)

    assert registered == [200] * MAX_CONTACTS
    assert refused.start == "SIP/2.0 503 Too many contacts"
    assert refused.one("retry-after") == "60"
    assert len(contacts(listed)) == MAX_CONTACTS
    assert afterwards.status == 200


@pytest.mark.parametrize("over", ["UDP", "TCP", "WS"])
@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_who_begins_anew_pushes_out_the_oldest_that_came_the_same_way(
    path: str, over: str, desk: Desk, request: pytest.FixtureRequest
) -> None:
    """Two cannot be at one port, so what was registered from there before is nobody's any more. Others stay."""
    kamailio: Kamailio = request.getfixturevalue(path)
    user = desk.user()
    token = desk.token(user)

    with way_to(kamailio, "TCP") as elsewhere, way_to(kamailio, over) as page:
        (other,) = contacts(page_loaded(elsewhere, user, token))
        first, *_ = (page_loaded(page, user, token) for _ in range(MAX_CONTACTS - 1))
        (oldest,) = (contact for contact in contacts(first) if address(contact) != address(other))
        full = {address(contact) for contact in contacts(answer_to(elsewhere, bytes(asking(user, token))))}
        answer = page_loaded(page, user, token)

    afterwards = {address(contact) for contact in contacts(answer)}
    assert len(full) == MAX_CONTACTS
    assert answer.status == 200
    assert full - afterwards == {address(oldest)}
    assert len(afterwards) == MAX_CONTACTS
    assert address(other) in afterwards


def test_more_that_belong_to_one_registration_push_out_none_of_it(kamailio: Kamailio, desk: Desk) -> None:
    """They came the same way, and in the same call: that phone has so many."""
    user = desk.user()
    token = desk.token(user)
    several = asking(user, token, *(f"Contact: <sip:v@127.0.0.1:{6000 + number}>" for number in range(MAX_CONTACTS)))
    another = replace(several, sequence=2, more=["Contact: <sip:v@127.0.0.1:7000>", bearer(token)])

    with way_to(kamailio, "TCP") as phone:
        answers = [answer_to(phone, bytes(request)) for request in (several, another, asking(user, token))]

    assert [answer.status for answer in answers] == [200, 503, 200]
    assert len(contacts(answers[2])) == MAX_CONTACTS


def test_a_stranger_pushes_nobody_out(kamailio: Kamailio, desk: Desk) -> None:
    """Also where there is no room left: what is touched are the contacts of whom the token names."""
    victim, mallory = desk.user("victim"), desk.user("mallory")
    own, others = desk.token(victim), desk.token(mallory)

    with udp(kamailio.udp) as phone:
        for number in range(MAX_CONTACTS):
            request = asking(victim, own, f"Contact: <sip:v@127.0.0.1:{6000 + number}>")
            answer_to(phone, bytes(replace(request, over="UDP", port=phone.port)))
        refused = [
            answer_to(phone, bytes(replace(asking(victim, others, *lines), over="UDP", port=phone.port))).status
            for lines in (
                ["Contact: <sip:m@127.0.0.1>"],
                ["Contact: *", "Expires: 0"],
                ["Contact: <sip:v@127.0.0.1:6000>;expires=0"],
            )
        ]
        listed = answer_to(phone, bytes(replace(asking(victim, own), over="UDP", port=phone.port)))

    assert refused == [403, 403, 403]
    assert len(contacts(listed)) == MAX_CONTACTS

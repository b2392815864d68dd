"""What the registrar refuses, and for whom it makes room: a reason of one's own for each, and nobody else's contact."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from frontends.kamailio.local import HERE, Kamailio
from tests.e2e.sip.clients import Client, Stream, Udp, WebSocket, answer_to, tcp, udp, websocket
from tests.e2e.sip.desk import DOMAIN, Desk, User
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import OUR_PAGE, bearer, demand_programs, proxy, trusting

MAX_CONTACTS = 10
LONGEST_NAME = 64
"""That every version of Kamailio registers: 5.6 no longer one, 6.0 up to some 240."""
TOO_LONG_FOR_ALL = 250
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>"'

REFUSED = {
    "a star without Expires": (["Contact: *"], 400, "Contact * wants Expires 0 and nothing beside it"),
    "a star that is to stay": (["Contact: *", "Expires: 60"], 400, "Contact * wants Expires 0 and nothing beside it"),
    "a star beside a contact": (
        ["Contact: *", "Contact: <sip:a@127.0.0.1>", "Expires: 0"],
        400,
        "Contact * wants Expires 0 and nothing beside it",
    ),
    "a star behind a contact": (
        ["Contact: <sip:a@127.0.0.1>", "Contact: *", "Expires: 0"],
        400,
        "Contact * wants Expires 0 and nothing beside it",
    ),
    "a bracket that stays open": (["Contact: <sip:a@127.0.0.1"], 400, "Bad Contact"),
    "a quote that stays open": (['Contact: "a <sip:a@127.0.0.1>'], 400, "Bad Contact"),
    "no URI": (["Contact: a"], 400, "Bad Contact"),
    "nothing": (["Contact: "], 400, "Bad Contact"),
    "a second one that cannot be read": (["Contact: <sip:a@127.0.0.1>", "Contact: <sip:b@"], 400, "Bad Contact"),
    "a q beyond 1": (["Contact: <sip:a@127.0.0.1>;q=2"], 400, "Bad q"),
    "a q that is no number": (["Contact: <sip:a@127.0.0.1>;expires=60;Q=high"], 400, "Bad q"),
    "a q of the second one": (["Contact: <sip:a@127.0.0.1>;q=0.5, <sip:b@127.0.0.1>;q=1.5"], 400, "Bad q"),
    "reg-id 0": ([f"Contact: <sip:a@127.0.0.1>;{INSTANCE};reg-id=0"], 400, "Bad reg-id"),
    "a reg-id that is no number": ([f"Contact: <sip:a@127.0.0.1>;reg-id=one;{INSTANCE}"], 400, "Bad reg-id"),
    "methods that are none": (['Contact: <sip:a@127.0.0.1>;methods="INVITE;BYE"'], 400, "Bad methods"),
    "a long URI": ([f"Contact: <sip:{'a' * 600}@127.0.0.1>"], 400, "Contact too long"),
    "more contacts than there may be": (
        [f"Contact: <sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS + 1)],
        400,
        "Too many contacts",
    ),
    "more of them in one line": (
        ["Contact: " + ", ".join(f"<sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS + 1))],
        400,
        "Too many contacts",
    ),
    "outbound": (["Contact: <sip:a@127.0.0.1>", "Require: outbound"], 420, "Bad Extension"),
    "outbound among others": (["Contact: <sip:a@127.0.0.1>", "Require: gruu,\r\n Outbound"], 420, "Bad Extension"),
}
TAKEN = {
    "q 0": ["Contact: <sip:a@127.0.0.1>;q=0"],
    "q 0.5": ["Contact: <sip:a@127.0.0.1>;q=0.5"],
    "q 1.000": ["Contact: <sip:a@127.0.0.1>;q=1.000"],
    "q of a URI, which is none": ["Contact: <sip:a@127.0.0.1;q=7;reg-id=0>"],
    "reg-id 1": [f"Contact: <sip:a@127.0.0.1>;{INSTANCE};reg-id=1"],
    "methods": ['Contact: <sip:a@127.0.0.1>;methods="INVITE, BYE"'],
    "a name before it": ['Contact: "q=7;reg-id=0 * <" <sip:a@127.0.0.1>'],
    "as many as there may be": [f"Contact: <sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS)],
    "gruu": ["Contact: <sip:a@127.0.0.1>", "Require: gruu"],
    "outbound, if it can be had": ["Contact: <sip:a@127.0.0.1>", "Supported: path, gruu, outbound"],
}


@pytest.fixture(name="remembering", scope="module")
def _remembering(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio that does not ask twice, and so saves in the process that read the request."""
    with proxy(tmp_path_factory.mktemp("remembering"), line.url, desk, WITH_POSITIVE_CACHE=True) as kamailio:
        yield kamailio


def asks(user: User, token: str, *more: str) -> Request:
    """Return a REGISTER without a Contact but what is in *more*."""
    return Request(call=str(uuid.uuid4()), user=user.name, contact=0, more=[*more, bearer(token)])


def contacts(answer: Message) -> list[str]:
    """Return the contacts that an answer lists."""
    return [contact.strip() for header in answer.all("contact") for contact in header.split(", ")]


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lines", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_registered_is_refused_with_the_reason_and_without_a_query(
    kamailio: Kamailio, desk: Desk, line: Line, lines: list[str], status: int, reason: str
) -> None:
    user = desk.user()
    token, before = desk.token(user), len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(asks(user, token, *lines)))
        asked = line.asked[before:]
        registered = answer_to(client, bytes(asks(user, token)))

    assert answer.start == f"SIP/2.0 {status} {reason}"
    assert answer.all("unsupported") == ["outbound"] * (status == 420)
    assert asked == []
    assert contacts(registered) == []


@pytest.mark.parametrize("lines", TAKEN.values(), ids=TAKEN)
def test_what_looks_like_it_is_registered(kamailio: Kamailio, desk: Desk, lines: list[str]) -> None:
    user = desk.user()

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(asks(user, desk.token(user), *lines)))

    assert answer.status == 200
    assert answer.all("contact") != []


def test_a_star_with_expires_0_ends_all_registrations(kamailio: Kamailio, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user)

    with tcp(kamailio.tcp) as client:
        for name in ("a", "b"):
            before = answer_to(client, bytes(asks(user, token, f"Contact: <sip:{name}@127.0.0.1>")))
        answer = answer_to(client, bytes(asks(user, token, "Contact: *", "Expires: 0")))
        afterwards = answer_to(client, bytes(asks(user, token)))

    assert len(contacts(before)) == 2
    assert answer.status == 200
    assert contacts(afterwards) == []


@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_an_older_request_of_the_same_call_changes_nothing(
    path: str, desk: Desk, request: pytest.FixtureRequest
) -> None:
    """RFC 3261, section 10.3: it was sent before, and has been overtaken. The same one again is no older one."""
    kamailio: Kamailio = request.getfixturevalue(path)
    user = desk.user()
    latest = Request(call=str(uuid.uuid4()), user=user.name, sequence=7, more=[bearer(desk.token(user)), "Expires: 60"])

    with tcp(kamailio.tcp) as client:
        first = answer_to(client, bytes(latest))
        older = answer_to(client, bytes(replace(latest, sequence=6, more=[latest.more[0], "Expires: 0"])))
        newer = answer_to(client, bytes(replace(latest, sequence=8)))

    assert [first.status, newer.status] == [200, 200]
    assert older.start == "SIP/2.0 400 CSeq is not above the last one"
    assert len(contacts(newer)) == 1


@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_a_name_too_long_for_the_registrar_is_told_so(path: str, desk: Desk, request: pytest.FixtureRequest) -> None:
    kamailio: Kamailio = request.getfixturevalue(path)
    long, longest = (desk.user(exactly=f"{uuid.uuid4()}".ljust(size, "x")) for size in (TOO_LONG_FOR_ALL, LONGEST_NAME))

    with tcp(kamailio.tcp) as client:
        answers = [
            answer_to(client, bytes(asks(user, desk.token(user), "Contact: <sip:a@127.0.0.1>")))
            for user in (long, longest)
        ]

    assert answers[0].start == "SIP/2.0 403 User name too long"
    assert answers[1].status == 200


def test_every_reason_is_listed_for_who_runs_it() -> None:
    routes = (HERE / "kamailio.cfg").read_text("utf-8")
    told = [
        reason
        for route in ("REGISTRABLE", "NOT_SAVED")
        for reason in re.findall(
            r'send_reply\("(\d+)", "([^"]+)"\)', routes.partition(f"route[{route}] {{")[2].partition("\n}\n")[0]
        )
    ]
    page = (HERE / "README.md").read_text("utf-8")

    assert {reason for _, _, reason in REFUSED.values()} < {reason for _, reason in told}
    assert [reason for status, reason in told if f"{status} `{reason}`" not in page] == []


# --- Room for a contact -----------------------------------------------------------------------------------------------


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

    with proxy(tmp_path / "kamailio", line.url, desk, PING_SECONDS=2) as kamailio, ExitStack() as silent:
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
            listed = answer_to(page, bytes(replace(asks(user, token), over="WS", port=page.port)))
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
        full = {address(contact) for contact in contacts(answer_to(elsewhere, bytes(asks(user, token))))}
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
    several = asks(user, token, *(f"Contact: <sip:v@127.0.0.1:{6000 + number}>" for number in range(MAX_CONTACTS)))
    another = replace(several, sequence=2, more=["Contact: <sip:v@127.0.0.1:7000>", bearer(token)])

    with way_to(kamailio, "TCP") as phone:
        answers = [answer_to(phone, bytes(request)) for request in (several, another, asks(user, token))]

    assert [answer.status for answer in answers] == [200, 503, 200]
    assert len(contacts(answers[2])) == MAX_CONTACTS


def test_a_stranger_pushes_nobody_out(kamailio: Kamailio, desk: Desk) -> None:
    """Also where there is no room left: what is touched are the contacts of whom the token names."""
    victim, mallory = desk.user("victim"), desk.user("mallory")
    own, others = desk.token(victim), desk.token(mallory)

    with udp(kamailio.udp) as phone:
        for number in range(MAX_CONTACTS):
            request = asks(victim, own, f"Contact: <sip:v@127.0.0.1:{6000 + number}>")
            answer_to(phone, bytes(replace(request, over="UDP", port=phone.port)))
        refused = [
            answer_to(phone, bytes(replace(asks(victim, others, *lines), over="UDP", port=phone.port))).status
            for lines in (
                ["Contact: <sip:m@127.0.0.1>"],
                ["Contact: *", "Expires: 0"],
                ["Contact: <sip:v@127.0.0.1:6000>;expires=0"],
            )
        ]
        listed = answer_to(phone, bytes(replace(asks(victim, own), over="UDP", port=phone.port)))

    assert refused == [403, 403, 403]
    assert len(contacts(listed)) == MAX_CONTACTS

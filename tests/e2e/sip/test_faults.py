"""What is our own fault is never told as the user's, and lets nobody in."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import answer_to, final_answer, tcp, udp
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.line import CUT, Asked, Line, Said
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import Phones, bearer, proxy

TIMEOUT_SECONDS = 1
MANY = 1_000
"""More than may wait."""
LONGER_THAN_ANYBODY_WAITS = 10
SMALL_MB, AT_A_TIME = 24, 50
TOO_MUCH = 1 << 21
HELD_AT_ONCE = 8
"""More than Kamailio has processes for SIP, fewer than it has for waiting."""


def is_unavailable(answer: Message) -> bool:
    """Whether an answer says that it is our fault, and when to come back."""
    return answer.status == 503 and int(answer.one("retry-after").split()[0]) > 0 and not answer.all("www-authenticate")


@pytest.fixture(name="impatient", scope="module")
def _impatient(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio that waits for the service no longer than a second."""
    folder = tmp_path_factory.mktemp("impatient")
    with proxy(folder, line.url, desk, API_TIMEOUT=TIMEOUT_SECONDS) as kamailio:
        yield kamailio


def test_while_the_service_is_down_nobody_is_refused_nor_accepted_and_then_all_goes_on(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    good, forged = desk.token(user), desk.forged(user.tag)

    with line.down():
        during = [phones.register(kamailio, user, token) for token in (good, forged)]
    after = [phones.register(kamailio, user, token).status for token in (good, forged)]

    assert all(map(is_unavailable, during))
    assert after == [200, 401]


def test_a_connection_that_breaks_is_a_fault(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    user = desk.user()

    with line.saying(CUT):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


def test_a_slow_service_holds_up_nobody_else(kamailio: Kamailio, desk: Desk, line: Line) -> None:
    slow, quick = desk.user("slow"), desk.user("quick")
    tokens = [desk.token(slow) for _ in range(HELD_AT_ONCE)]
    before = len(line.asked)

    with tcp(kamailio.tcp) as client, line.holding(slow.name) as released:
        calls = [str(uuid.uuid4()) for _ in tokens]
        for call, token in zip(calls, tokens, strict=True):
            client.send(bytes(Request(call=call, user=slow.name, more=[bearer(token)])))
        line.wait_for(before + HELD_AT_ONCE)
        with tcp(kamailio.tcp) as other:
            request = Request(call=str(uuid.uuid4()), user=quick.name, more=[bearer(desk.token(quick))])
            meanwhile = answer_to(other, bytes(request))
        released.set()
        answers = {client.receive().one("call-id") for _ in calls}

    assert meanwhile.status == 200
    assert answers == set(calls)


def test_a_service_slower_than_the_limit_is_a_fault(
    impatient: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    token = desk.token(user)

    with line.holding(user.name):
        began = time.monotonic()
        during = phones.register(impatient, user, token)
        took = time.monotonic() - began
    after = phones.register(impatient, user, token)

    assert is_unavailable(during)
    assert took < TIMEOUT_SECONDS + 3
    assert after.status == 200


def test_a_wrong_api_key_is_a_fault_of_ours(line: Line, phones: Phones, desk: Desk, tmp_path: Path) -> None:
    user = desk.user()

    with proxy(tmp_path / "kamailio", line.url, desk, api_key="some other key") as kamailio:
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


def answer_for(name: str, **members: Any) -> bytes:
    """Return a body as the service gives it to a user, with *members* of another kind."""
    good = {"code": 1, "sip_username": name, "decoded_token": "{}.{}", "credentials": {}}
    body = {**good, "expires_at": int(time.time()) + 300, **members}
    return json.dumps({member: value for member, value in body.items() if value is not None}).encode()


def test_the_answer_that_these_tests_vary_would_be_believed(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()

    with line.saying(Said(200, answer_for(user.name))):
        assert phones.register(kamailio, user, desk.token(user)).status == 200


@pytest.mark.parametrize(
    ("body", "of_type"),
    [
        pytest.param(b"<html><body>Welcome!</body></html>", "text/html", id="a page"),
        pytest.param(b"", "application/json", id="nothing"),
        pytest.param(b"{", "application/json", id="half an answer"),
        pytest.param(b"[]", "application/json", id="a list"),
        pytest.param(b"null", "application/json", id="null"),
        pytest.param(b"1", "application/json", id="a number"),
        pytest.param(b'"code"', "application/json", id="a text"),
        pytest.param(b'{"status": "ok"}', "application/json", id="somebody else's JSON"),
        pytest.param(b'{"code": 1}', "application/json", id="a code alone"),
    ],
)
def test_an_answer_that_is_not_ours_is_a_fault(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, body: bytes, of_type: str
) -> None:
    user = desk.user()

    with line.saying(Said(200, body, of_type)):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


@pytest.mark.parametrize(
    "members",
    [
        {"code": None},
        {"code": 0},
        {"code": -1},
        {"code": 2},
        {"code": "yes"},
        {"code": [1]},
        {"sip_username": None},
        {"sip_username": ""},
        {"sip_username": "alice"},
        {"sip_username": ["user"]},
        {"decoded_token": None},
        {"expires_at": None},
        {"expires_at": "soon"},
        {"expires_at": -5},
        {"expires_at": 0},
        {"expires_at": True},
        {"expires_at": {"at": 1}},
    ],
    ids=str,
)
def test_an_answer_with_a_member_that_cannot_be_is_a_fault(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, members: dict[str, Any]
) -> None:
    user = desk.user()

    with line.saying(Said(200, answer_for(user.name, **members))):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


def test_an_answer_beyond_all_measure_is_a_fault(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    """Or somebody's memory would be the measure."""
    user = desk.user()

    with line.saying(Said(200, answer_for(user.name, ballast="x" * TOO_MUCH))):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


@pytest.mark.parametrize("name", [None, ""])
def test_an_answer_that_names_nobody_lets_no_anonymous_caller_in(
    kamailio: Kamailio, desk: Desk, line: Line, name: str | None
) -> None:
    """There is no name in the request to compare it with."""
    called = desk.user()
    invite = Request(
        method="INVITE",
        user="anonymous",
        domain="anonymous.invalid",
        to_uri=called.uri,
        call=str(uuid.uuid4()),
        more=[bearer(desk.token(called))],
    )

    with tcp(kamailio.tcp) as client, line.saying(Said(200, answer_for(called.name, sip_username=name))):
        assert is_unavailable(answer_to(client, bytes(invite)))


def test_an_answer_that_has_ended_already_lets_nobody_in(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()

    with line.saying(Said(200, answer_for(user.name, expires_at=int(time.time()) - 1))):
        assert phones.register(kamailio, user, desk.token(user)).status in (401, 503)


DENIAL = json.dumps({"type": "urn:auth-jwt:problem:invalid-token", "status": 401, "code": -1}).encode()
PROBLEM = json.dumps({"type": "about:blank", "title": "Unauthorized", "status": 401}).encode()


@pytest.mark.parametrize("status", [400, 404, 405, 413, 429, 500, 502, 503, 504, 204, 201])
def test_every_other_status_is_a_fault_whatever_its_body_says(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, status: int
) -> None:
    user = desk.user()

    for body in (DENIAL, answer_for(user.name)) if status != 204 else (b"",):
        with line.saying(Said(status, body)):
            assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_kamailio_is_sent_nowhere_else(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, status: int) -> None:
    """Whoever could send it on would be shown the token, and believed."""
    user, before = desk.user(), len(line.asked)

    def elsewhere(asked: Asked) -> Said:
        if asked.path == "/authorize":
            return Said(status, location=f"{line.url}/elsewhere")
        return Said(200, answer_for(user.name))

    with line.saying(elsewhere):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))
    assert [asked.path for asked in line.asked[before:]] == ["/authorize"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body",
    [PROBLEM, b"", b"<html>", b'{"message": "Forbidden"}', b'{"code": 1}', b'{"code": -2}', b'{"code": "-1x"}'],
    ids=repr,
)
def test_a_refusal_without_our_code_is_a_fault(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, status: int, body: bytes
) -> None:
    """It is the gateway's: a wrong key, a missing permission."""
    user = desk.user()

    with line.saying(Said(status, body)):
        assert is_unavailable(phones.register(kamailio, user, desk.token(user)))


# --- Too much ---------------------------------------------------------------------------------------------------------


def test_with_too_many_waiting_some_are_sent_away_and_nobody_else_is_held_up(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    waiting, other = desk.user("waiting"), desk.user("other")
    header = bearer(desk.token(waiting))

    with tcp(kamailio.tcp) as client, line.holding(waiting.name) as released:
        for number in range(MANY):
            request = Request(call=f"{number}-{uuid.uuid4()}", user=waiting.name, contact=0, more=[header])
            client.send(bytes(request))
        sent_away = [client.receive() for _ in range(MANY // 2)]
        with tcp(kamailio.tcp) as stream:
            meanwhile = answer_to(stream, bytes(Request(user=other.name, call=str(uuid.uuid4()))))
        released.set()
        answers = [client.receive() for _ in range(MANY - len(sent_away))]

    assert all(map(is_unavailable, sent_away))
    assert meanwhile.status == 401  # asked for a token
    assert 200 in {answer.status for answer in answers} <= {200, 503}
    assert phones.register(kamailio, other, desk.token(other)).status == 200


def test_with_little_memory_left_nothing_new_begins_and_nothing_ends(line: Line, phones: Phones, desk: Desk) -> None:
    """Without any, Kamailio would end, and with it all its calls."""
    user = desk.user()
    header = bearer(desk.token(user))
    good = Said(200, answer_for(user.name))
    answers: list[Message] = []

    with proxy(phones.new_folder(), line.url, desk, memory=SMALL_MB) as kamailio:
        with tcp(kamailio.tcp) as client, line.saying(good):
            while not answers or (answers[-1].status == 200 and len(answers) < MANY * 5):
                for _ in range(AT_A_TIME):
                    request = Request(call=str(uuid.uuid4()), user=user.name, contact=0, more=[header])
                    client.send(bytes(request))
                answers += [client.receive() for _ in range(AT_A_TIME)]
        # What was answered is forgotten after some seconds; then there is room again.
        ends = time.monotonic() + 15
        while (afterwards := phones.register(kamailio, user, desk.token(user))).status == 503:
            assert is_unavailable(afterwards)
            assert time.monotonic() < ends

    assert is_unavailable(answers[-1])
    assert len(answers) > AT_A_TIME
    assert afterwards.status == 200


def test_who_waited_too_long_for_a_free_process_is_sent_away(line: Line, phones: Phones, desk: Desk) -> None:
    """Its client has asked again by then, or given up; and what is asked for those only makes the others wait."""
    slow, late = desk.user("slow"), desk.user("late")
    header, before = bearer(desk.token(late)), len(line.asked)

    with (
        proxy(phones.new_folder(), line.url, desk, API_WORKERS=1, API_TIMEOUT=30) as kamailio,
        tcp(kamailio.tcp) as first,
        tcp(kamailio.tcp) as second,
    ):
        with line.holding(slow.name) as released:
            first.send(bytes(Request(call=str(uuid.uuid4()), user=slow.name, more=[bearer(desk.token(slow))])))
            line.wait_for(before + 1)
            second.send(bytes(Request(call=str(uuid.uuid4()), user=late.name, more=[header])))
            time.sleep(LONGER_THAN_ANYBODY_WAITS)
            released.set()
            answers = [first.receive(), second.receive()]
        asked = [query.member("from_user") for query in line.asked[before:]]
        afterwards = answer_to(second, bytes(Request(call=str(uuid.uuid4()), user=late.name, more=[header])))

    assert answers[0].status == 200
    assert is_unavailable(answers[1])
    assert asked == [slow.name]
    assert afterwards.status == 200


# --- Retransmissions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_what_is_sent_again_while_the_service_thinks_costs_no_second_query(
    kamailio: Kamailio, desk: Desk, line: Line, method: str
) -> None:
    """And what is sent again afterwards gets the answer there was."""
    user, before = desk.user(), len(line.asked)
    header = bearer(desk.token(user))
    with udp(kamailio.udp) as client:
        call = str(uuid.uuid4())
        request = bytes(Request(method=method, user=user.name, over="UDP", port=client.port, call=call, more=[header]))
        with line.holding(user.name) as released:
            for _ in range(3):
                client.send(request)
            line.wait_for(before + 1)
            client.send(request)
            released.set()
            first = final_answer(client, call)
        again = answer_to(client, request)

    assert first.raw == again.raw
    assert first.status == (200 if method == "REGISTER" else 480)  # who calls themselves is not registered
    assert len(line.asked) == before + 1

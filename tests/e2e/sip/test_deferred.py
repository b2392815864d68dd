"""A token that a key signed which is not fetched yet: its user comes back later, neither refused nor accepted."""

import json
import re
import uuid

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import answer_to, tcp
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.line import Line, Said
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.provider import Provider
from tests.e2e.sip.stand import Phones, bearer, proxy

MAX_REFUSALS = 2
DEFAULT_SECONDS = "5"


def lines_about(answer: Message, kamailio: Kamailio) -> list[str]:
    """Return what the log has of the request that got this *answer*."""
    text = kamailio.log.read_text("utf-8", "replace")
    return [line for line in text.splitlines() if answer.one("call-id") in line]


def is_deferred(answer: Message) -> bool:
    """Whether an answer says neither yes nor no, and when the next fetch will have ended."""
    return (
        answer.start == "SIP/2.0 503 Key not fetched yet"
        and 30 <= int(answer.one("retry-after")) <= 62
        and not answer.all("www-authenticate")
        and not answer.all("proxy-authenticate")
    )


def test_a_login_by_a_key_that_is_fetched_registers(kamailio: Kamailio, phones: Phones, provider: Provider) -> None:
    """Or the tests below could not fail."""
    user = provider.user()

    assert phones.register(kamailio, user, provider.token(user)).status == 200


def test_a_login_by_a_newer_key_is_deferred_until_the_key_is_fetched(
    kamailio: Kamailio, phones: Phones, provider: Provider
) -> None:
    user = provider.user()
    token = provider.token_of_a_new_key(user)

    before = phones.register(kamailio, user, token)
    provider.fetch()
    after = phones.register(kamailio, user, token)

    assert is_deferred(before)
    assert after.status == 200


def test_it_is_logged_as_an_information_and_as_no_error(kamailio: Kamailio, phones: Phones, provider: Provider) -> None:
    user = provider.user()

    answer = phones.register(kamailio, user, provider.token_of_a_new_key(user))

    (line,) = lines_about(answer, kamailio)
    assert re.search(rf" INFO: .*deferred for {answer.one('retry-after')} s: ", line)


def test_a_call_is_deferred_too(kamailio: Kamailio, provider: Provider) -> None:
    user = provider.user()
    header = bearer(provider.token_of_a_new_key(user))

    with tcp(kamailio.tcp) as client:
        answer = answer_to(
            client, bytes(Request(method="INVITE", user=user.name, call=str(uuid.uuid4()), more=[header]))
        )

    assert is_deferred(answer)


@pytest.mark.parametrize("memory", ["kamailio", "remembering"])
def test_nothing_is_remembered_of_it(
    memory: str, phones: Phones, provider: Provider, line: Line, request: pytest.FixtureRequest
) -> None:
    """Neither as a denial, which is for seconds, nor as a yes."""
    kamailio: Kamailio = request.getfixturevalue(memory)
    user, before = provider.user(), len(line.asked)
    token = provider.token_of_a_new_key(user)

    answers = [phones.register(kamailio, user, token) for _ in range(2)]

    assert all(map(is_deferred, answers))
    assert len(line.asked) == before + 2


def test_nobody_is_banned_for_it(phones: Phones, provider: Provider, line: Line, desk: Desk) -> None:
    user = provider.user()
    token, forged = provider.token_of_a_new_key(user), desk.forged(user.tag)

    with proxy(phones.new_folder(), line.url, desk, MAX_REFUSALS=MAX_REFUSALS) as kamailio:
        deferred = [phones.register(kamailio, user, token) for _ in range(MAX_REFUSALS + 3)]
        refused = [phones.register(kamailio, user, forged).status for _ in range(MAX_REFUSALS)]

    assert all(map(is_deferred, deferred))
    assert refused == [401] * MAX_REFUSALS, "those alone are counted"


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        (1, "1"),
        (42, "42"),
        (900, "900"),
        ("42", "42"),
        *((value, DEFAULT_SECONDS) for value in (0, -1, 901, 3600, 2**31, 1.5, "", "soon", "042", " 42", [42])),
        *((f"42{end}Contact: <sip:x@x.invalid>", DEFAULT_SECONDS) for end in ("\r\n", "\n", "\r")),
        ("42\n", DEFAULT_SECONDS),
    ],
    ids=repr,
)
def test_no_other_time_is_passed_on_than_one_in_seconds_up_to_15_minutes(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, said: object, passed_on: str
) -> None:
    user = desk.user()

    with line.saying(Said(200, json.dumps({"code": 0, "retry_after": said}).encode())):
        answer = phones.register(kamailio, user, desk.token(user))

    (about,) = lines_about(answer, kamailio)
    assert (answer.status, answer.one("retry-after"), answer.all("contact")) == (503, passed_on, [])
    assert " INFO: " in about


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": 0}',
        b'{"code": null}',
        b'{"code": false}',
        b'{"retry_after": 42}',
        b'{"code": 0, "retry_after": 18446744073709551616}',
    ],
    ids=repr,
)
def test_half_of_such_an_answer_is_a_fault(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, body: bytes
) -> None:
    user = desk.user()

    with line.saying(Said(200, body)):
        answer = phones.register(kamailio, user, desk.token(user))

    (about,) = lines_about(answer, kamailio)
    assert (answer.status, answer.one("retry-after")) == (503, DEFAULT_SECONDS)
    assert " ERROR: " in about


@pytest.mark.parametrize("kind", ["unavailable", "key-not-fetched-yet"])
def test_a_503_is_an_error_in_the_log(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line, kind: str) -> None:
    """Kamailio sees nothing of it but the number; a service that defers says 200 here, since it is asked to."""
    user = desk.user()
    problem = json.dumps({"type": f"urn:auth-jwt:problem:{kind}", "status": 503, "retry_after": 42}).encode()

    with line.saying(Said(503, problem)):
        answer = phones.register(kamailio, user, desk.token(user))

    (about,) = lines_about(answer, kamailio)
    assert (answer.status, answer.one("retry-after")) == (503, DEFAULT_SECONDS)
    assert " ERROR: " in about

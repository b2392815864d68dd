"""What Kamailio remembers: refusals for a moment, acceptances only where that is switched on."""

import time
from collections.abc import Iterator

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.stand import Phones, proxy

REFUSED_SECONDS, ACCEPTED_SECONDS = 1, 30
SHORT_LIVED_SECONDS = 2
ANOTHER_DOMAIN = "elsewhere.example"


@pytest.fixture(name="forgetful", scope="module")
def _forgetful(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio that remembers refusals for a second, and acceptances for half a minute."""
    folder = tmp_path_factory.mktemp("forgetful")
    with proxy(
        folder,
        line.url,
        desk,
        REFUSED_SECONDS=REFUSED_SECONDS,
        ACCEPTED_SECONDS=ACCEPTED_SECONDS,
        WITH_POSITIVE_CACHE=True,
    ) as kamailio:
        yield kamailio


def test_a_refused_token_is_refused_again_without_a_query(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    token, before = desk.forged(user.tag), len(line.asked)

    statuses = [phones.register(kamailio, user, token).status for _ in range(3)]

    assert statuses == [401, 401, 401]
    assert len(line.asked) == before + 1


def test_for_somebody_else_it_is_asked_about_anew(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    """What was refused of one user with a token says nothing of another."""
    mallory, victim = desk.user("mallory"), desk.user("victim")
    token, before = desk.token(mallory), len(line.asked)

    statuses = [phones.register(kamailio, user, token).status for user in (victim, mallory, victim)]

    assert statuses == [403, 200, 403]
    assert len(line.asked) == before + 2


def test_after_a_moment_a_refused_token_is_asked_about_again(
    forgetful: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    token, before = desk.forged(user.tag), len(line.asked)
    phones.register(forgetful, user, token)

    ends = time.monotonic() + REFUSED_SECONDS + 5
    while len(line.asked) == before + 1 and time.monotonic() < ends:
        phones.register(forgetful, user, token)

    assert len(line.asked) == before + 2


def test_a_fault_is_not_remembered(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    user = desk.user()
    token = desk.token(user)

    with line.down():
        first = phones.register(kamailio, user, token).status

    assert (first, phones.register(kamailio, user, token).status) == (503, 200)


def test_acceptances_are_not_remembered_by_default(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    user = desk.user()
    token, before = desk.token(user), len(line.asked)

    statuses = [phones.register(kamailio, user, token).status for _ in range(2)]

    assert statuses == [200, 200]
    assert len(line.asked) == before + 2


def test_with_the_option_an_accepted_token_is_accepted_again_without_a_query(
    forgetful: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user, other = desk.user(), desk.user()
    token, before = desk.token(user), len(line.asked)

    statuses = [phones.register(forgetful, user, token).status for _ in range(2)]
    of_another = phones.register(forgetful, other, token).status

    assert statuses == [200, 200]
    assert of_another == 403
    assert len(line.asked) == before + 2


def test_but_never_beyond_its_end(forgetful: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    user = desk.user()
    token, before = desk.token(user, seconds=SHORT_LIVED_SECONDS), len(line.asked)
    statuses = [phones.register(forgetful, user, token).status]

    ends = time.monotonic() + SHORT_LIVED_SECONDS + 5
    while statuses[-1] == 200 and time.monotonic() < ends:
        statuses.append(phones.register(forgetful, user, token).status)

    assert statuses[0] == 200
    assert statuses[-1] == 401
    assert len(line.asked) <= before + 2


def test_what_is_remembered_of_one_domain_says_nothing_of_another(line: Line, phones: Phones, desk: Desk) -> None:
    """Or alice of one would be alice of the other, once she had registered."""
    user = desk.user()
    token = desk.token(user)
    settings = {"SIP_DOMAINS": f"{DOMAIN},{ANOTHER_DOMAIN}"}

    with proxy(
        phones.new_folder(), line.url, desk, WITH_POSITIVE_CACHE=True, WITH_FROM_DOMAIN=True, **settings
    ) as kamailio:
        statuses = [
            phones.register(kamailio, user, token, domain=domain).status
            for domain in (ANOTHER_DOMAIN, DOMAIN, ANOTHER_DOMAIN)
        ]

    assert statuses == [403, 200, 403]

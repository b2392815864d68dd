"""A clock that jumps: windows go by the time of day, memory by a clock that never does."""

import pytest

from tests.contract.clients import LANES
from tests.factories import NOW, a_token
from tests.faults.injected import FAULTS
from tests.faults.logins import (
    ENTRIES,
    OF_SECRETS,
    STALE,
    TTL,
    Login,
    Verdict,
    a_login_service,
)
from tests.faults.proxy import FaultProxy
from tests.faults.test_logins import check, failing
from tests.issuers import a_login_token

HOUR = 3600
DAY = 24 * HOUR
KEYS_LIFETIME = 26 * HOUR
USER = OF_SECRETS[0]
JUMPS = pytest.mark.parametrize("seconds", [HOUR, DAY, -HOUR, -DAY], ids=lambda seconds: f"{seconds / HOUR:+.0f} hours")


def reads(proxy: FaultProxy) -> int:
    return len(proxy.asked)


@JUMPS
@pytest.mark.parametrize("lane", LANES)
def test_windows_go_by_the_time_of_day_and_memory_does_not(faulty: FaultProxy, lane: str, seconds: int) -> None:
    """The user's secret is open from a minute before to an hour after: no jump leaves it open, and back it is."""
    with a_login_service(ENTRIES[0], lane, faulty.db_url) as service:
        timer = service.with_a_timer_of_its_own()
        check(service, USER, Verdict.ALLOWED)
        service.clock.pass_by(seconds)
        (answer,) = service.ask(USER)
        assert answer.record["reason"] == "no_active_secret"
        service.clock.pass_by(-seconds)
        timer.pass_by(1)
        asked = reads(faulty)
        check(service, USER, Verdict.ALLOWED)
        assert reads(faulty) == asked  # the second look was remembered, and is fresh by the other clock
        timer.pass_by(TTL)
        check(service, USER, Verdict.ALLOWED)
        assert reads(faulty) > asked


@JUMPS
def test_a_jump_neither_ends_stale_service_nor_prolongs_it(faulty: FaultProxy, seconds: int) -> None:
    """Of a user whose windows are open all along, since the jump is back before the login."""
    with a_login_service(ENTRIES[0], "express", faulty.db_url, STORE_TIMEOUT_MS="10000") as service:
        timer = service.with_a_timer_of_its_own()
        check(service, USER, Verdict.ALLOWED)
        with failing(faulty, FAULTS["reset"], "profile and secrets"):
            timer.pass_by(TTL)
            check(service, USER, Verdict.ALLOWED)
            service.clock.pass_by(seconds)
            check(service, USER, Verdict.FAULT)  # its window is closed, and whether that is still so nobody knows
            service.clock.pass_by(-seconds)
            timer.pass_by(STALE - 1)
            check(service, USER, Verdict.ALLOWED)
            timer.pass_by(1)
            check(service, USER, Verdict.FAULT)


def test_an_issuers_keys_live_by_the_time_of_day(faulty: FaultProxy) -> None:
    """26 hours after the last fetch they are a fault; a jump back brings them to life, and denies nobody."""
    with a_login_service(ENTRIES[0], "express", faulty.db_url) as service:
        service.with_a_timer_of_its_own()
        lives, is_over = Verdict.ALLOWED, Verdict.FAULT
        for offset, verdict in ((KEYS_LIFETIME, lives), (KEYS_LIFETIME + 1, is_over), (0, lives)):
            service.clock.now = NOW + offset
            token = a_login_token(now=NOW + offset, jti="good")
            check(service, Login("a user", token, None, ()), verdict, reason="stale_keys")


@pytest.mark.parametrize("seconds", [HOUR, DAY], ids=["an hour", "a day"])
def test_a_token_of_the_future_is_denied_until_its_time_comes(faulty: FaultProxy, seconds: int) -> None:
    """A clock that was set back denies tokens that were just issued, for their own reason, and lets them in after."""
    login = Login("a user", a_token(jti="good", iat=NOW), "token_not_yet_valid", ())
    with a_login_service(ENTRIES[0], "express", faulty.db_url) as service:
        check(service, login, Verdict.ALLOWED)
        service.clock.pass_by(-30)
        check(service, login, Verdict.DENIED)
        service.clock.pass_by(30)
        check(service, login, Verdict.ALLOWED)

"""An issuer is away for a day of simulated time: the real handlers, warm and cold, by one clock that is given."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.factories import NOW, a_jwk
from tests.integration.test_refresh_keys import SCHEDULED, Login, Provider, metrics_of
from tests.integration.test_secrecy import rest_event
from tests.issuers import KID, a_login_token
from tests.unit.fetching.servers import a_server
from tools.events.stage import Answer, Handler, Stage, load_handler

HOUR = 3600
KEYS_LIFETIME = 26 * HOUR
QUARTER = 900
"""Rounds are played that far apart: more would only fail in the same way."""


@dataclass
class Clock:
    """Tells the time that it was set to."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Outage:
    """An issuer whose keys were fetched once, and which answers 404 to everything since."""

    login: Login
    clock: Clock
    warm: Stage

    def refresh(self) -> Answer:
        return self.login.refresh.ask(SCHEDULED)

    def authorize(self, stage: Stage) -> Answer:
        token = a_login_token(now=int(self.clock.now), iss=self.login.issuer)
        return stage.ask(rest_event({"jwt_token": token}))

    def cold(self) -> Stage:
        """Return a process that knows nothing yet."""
        return Stage(authorizes_by(self.clock), self.login.refresh.tables)


def authorizes_by(clock: Clock) -> Handler:
    """Load the function that authorizes; it goes by *clock*."""
    handler, module = load_handler(), sys.modules["authorize_app"]
    wired = module.service()
    service = replace(wired, authorizer=replace(wired.authorizer, clock=clock))
    module.__dict__["service"] = lambda _function_arn=None: service
    return handler


@pytest.fixture(name="outage_of_a_day")
def _outage_of_a_day(set_stage: Callable[..., Stage], tmp_path: Path) -> Iterator[Outage]:
    authority, provider, clock = Authority(tmp_path), Provider(), Clock()
    with a_server(authority.identity(), provider) as server:
        own = {"KEYS_CA_BUNDLE": str(authority.certificate), "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8"}
        issuer = f"https://127.0.0.1:{server.port}"
        refresh = set_stage("refresh_keys", ISSUERS=issuer, CACHE_TTL_SECONDS="0", **own)
        module = sys.modules["refresh_keys_app"]
        wired = module.service()
        service = replace(wired, refresher=replace(wired.refresher, clock=clock))
        module.__dict__["service"] = lambda _function_arn=None: service
        warm = Stage(authorizes_by(clock), refresh.tables)
        login = Login(refresh, warm, provider, server)
        login.add()
        login.publish(a_jwk(kid=KID))
        assert refresh.ask(SCHEDULED).given == {"replaced": 1}
        provider.documents.clear()
        yield Outage(login, clock, warm)


def test_an_issuer_may_be_away_for_a_day_and_nobody_is_refused(outage_of_a_day: Outage) -> None:
    outage, statuses, failures = outage_of_a_day, Counter[int | None](), 0

    for hour in range(24):
        for second in range(QUARTER, HOUR + 1, QUARTER):
            outage.clock.now = NOW + hour * HOUR + second
            failures += outage.refresh().given.get("failed", 0)
        statuses.update(outage.authorize(stage).status for stage in (outage.warm, outage.cold()))

    assert statuses == {200: 48}
    assert failures == 96


def test_keys_are_stale_a_second_after_their_lifetime_and_never_a_denial(outage_of_a_day: Outage) -> None:
    outage = outage_of_a_day

    outage.clock.now = NOW + KEYS_LIFETIME
    at_the_end = [outage.authorize(stage).status for stage in (outage.warm, outage.cold())]
    outage.clock.now += 1
    stale = [outage.authorize(stage) for stage in (outage.warm, outage.cold())]

    assert at_the_end == [200, 200]
    assert [answer.status for answer in stale] == [503, 503]
    assert [(answer.record["outcome"], answer.record["reason"]) for answer in stale] == [("fault", "stale_keys")] * 2
    assert not any("code" in answer.body for answer in stale)


def test_an_outage_is_an_alarm_soon_and_a_second_one_before_the_keys_are_stale(outage_of_a_day: Outage) -> None:
    outage, alarms = outage_of_a_day, dict[str, float]()

    for minute in range(1, 26 * 60):
        if minute > 20 and minute % 30:
            continue  # it is looked at closely at first, and then every half hour
        outage.clock.now = NOW + minute * 60
        for name in metrics_of(outage.refresh()):
            alarms.setdefault(name, minute / 60)

    assert alarms.keys() == {"Done", "RefreshFailed", "StaleKeysSoon"}
    assert alarms["RefreshFailed"] == 4 / 60  # the third failure: after minutes 1, 2 and 4
    assert alarms["StaleKeysSoon"] == 20  # three quarters of 26 hours are 19.5, and the next look is half an hour later


def test_one_fetch_ends_the_outage_whatever_time_has_passed(outage_of_a_day: Outage) -> None:
    outage = outage_of_a_day
    outage.clock.now = NOW + 3 * 24 * HOUR
    assert outage.authorize(outage.warm).status == 503

    outage.login.publish(a_jwk(kid=KID))

    assert outage.refresh().given == {"unchanged": 1}
    assert [outage.authorize(stage).status for stage in (outage.warm, outage.cold())] == [200, 200]

"""The times of a failover are computed from the template's own, and the page of regions shows what was computed."""

import random
import re

import pytest

from auth_jwt.runtime.settings import DEFAULTS
from tests.template.test_failover import failover
from tools.drill.times import (
    HEALTHY_SHARE,
    Installation,
    flood_that_fails_over,
    healthy_checkers,
    requests_a_second,
    table,
)
from tools.template.stack import TEMPLATE, properties, sources

PAGE = TEMPLATE.parent / "docs" / "regions.md"
THROTTLE = 5


def test_the_page_shows_what_is_computed() -> None:
    shown = re.findall(r"<!-- times -->\n\n(.*?)\n\n<!-- end of times -->", PAGE.read_text("utf-8"), re.DOTALL)

    assert shown == [table(Installation())], "write it anew: python -m tools.drill times"


def test_the_times_are_those_of_the_template() -> None:
    stack = failover(FailoverBy="health")
    alarm = properties(stack, "FailoverFaultsAlarm")
    check = properties(stack, "EndpointCheck")["HealthCheckConfig"]
    times = Installation()

    assert (times.cache_ttl, times.stale) == (
        float(DEFAULTS["CACHE_TTL_SECONDS"]),
        float(DEFAULTS["STALE_IF_ERROR_SECONDS"]),
    )
    assert (times.alarm_period, times.alarm_periods) == (alarm["Period"], alarm["EvaluationPeriods"])
    assert (times.check_interval, times.check_threshold) == (check["RequestInterval"], check["FailureThreshold"])


def test_the_throttle_of_health_is_the_one_computed_with() -> None:
    methods = sources()["Resources"]["Api"]["Properties"]["MethodSettings"]

    (limit,) = {each["ThrottlingRateLimit"] for each in methods if "health" in each["ResourcePath"]}

    assert limit == THROTTLE


@pytest.mark.parametrize(("interval", "arriving"), [(30, 0.53), (10, 1.6)])
def test_the_checks_are_within_the_throttle(interval: float, arriving: float) -> None:
    assert requests_a_second(interval) == pytest.approx(arriving, abs=0.01)
    assert requests_a_second(interval) < THROTTLE


@pytest.mark.parametrize("success", [0.2, 0.3, 0.5, 0.9])
def test_checkers_change_their_mind_as_computed(success: float) -> None:
    rng, healthy, in_a_row, found = random.Random(1), True, 0, 0
    answers = 200_000
    for _ in range(answers):
        good = rng.random() < success
        in_a_row = in_a_row + 1 if good is not healthy else 0
        if in_a_row == 3:
            healthy, in_a_row = not healthy, 0
        found += healthy

    assert healthy_checkers(success, 3) == pytest.approx(found / answers, abs=0.02)


def test_checkers_agree_where_all_answers_do() -> None:
    assert (healthy_checkers(1, 3), healthy_checkers(0, 3)) == (1, 0)


def test_a_flood_just_below_fails_nobody_over() -> None:
    flood = flood_that_fails_over(THROTTLE, 30, 3)
    checks = requests_a_second(30)

    assert healthy_checkers(THROTTLE / (flood + checks), 3) <= HEALTHY_SHARE
    assert healthy_checkers(THROTTLE / (flood - 1 + checks), 3) > HEALTHY_SHARE

"""What the failover drill judges by, without a server: the alarm, the client, and what would not be good."""

import time
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.template.nested import nested_stack
from tests.template.test_failover import USUAL
from tools.drill import failover
from tools.drill.failover import Alarm, Client, Region, Times
from tools.drill.report import DrillReport, Finding
from tools.template.stack import properties

QUICK = Times(cache_ttl=0, stale=0, period=0.0, periods=3, dns_ttl=0.0)
FAULT = [{"outcome": "fault", "Fault": 1}]
GOOD = [{"outcome": "authorized", "rows": "memory"}]
STALE = [{"outcome": "authorized", "rows": "stale"}]


@dataclass
class FakeRegion:
    """A region that answers as it is told, and logs likewise."""

    name: str
    answers: list[int] = field(default_factory=list)
    log: list[list[dict[str, Any]]] = field(default_factory=list)
    healthy: int = 200

    def ask(self, token: str) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def health(self) -> int:
        return self.healthy

    def new_records(self) -> list[dict[str, Any]]:
        return self.log.pop(0) if self.log else []


def a_client(primary: FakeRegion, secondary: FakeRegion, times: Times = QUICK) -> Client:
    regions = (cast("Region", primary), cast("Region", secondary))
    return Client(regions, Alarm(times), times.dns_ttl)


def after(*periods: list[dict[str, Any]], alarm: Alarm | None = None) -> Alarm:
    """Return an alarm that has looked at one log after the other, each a period."""
    looking = alarm or Alarm(QUICK)
    for records in periods:
        looking.look(records)
    return looking


# -- the alarm --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("periods", "sounds"),
    [
        pytest.param([FAULT, FAULT], False, id="two periods with faults"),
        pytest.param([FAULT, FAULT, FAULT], True, id="three"),
        pytest.param([FAULT, FAULT, GOOD, FAULT], False, id="three that are not in a row"),
        pytest.param([STALE] * 9, False, id="stale rows are no faults"),
    ],
)
def test_the_alarm_sounds_after_three_periods_with_faults(periods: list[Any], sounds: bool) -> None:
    assert after(*periods).sounds is sounds


def test_silence_does_not_end_the_alarm_and_a_zero_does() -> None:
    alarm = after(FAULT, FAULT, FAULT, [], [], [])

    still = alarm.sounds
    alarm.reset = True

    assert (still, after([], alarm=alarm).sounds) == (True, False)


def test_the_alarm_of_the_template_keeps_its_state_in_silence_as_this_one_does() -> None:
    alarm = properties(nested_stack("failover", **{**USUAL, "FailoverBy": "faults"}), "FailoverFaultsAlarm")

    assert alarm["TreatMissingData"] == "ignore"
    assert alarm["EvaluationPeriods"] == Times().periods


# -- the client -------------------------------------------------------------------------------------------------------


def test_the_client_goes_where_the_alarm_says_once_its_answer_of_dns_is_old() -> None:
    client = a_client(FakeRegion("one", [503], [FAULT] * 3), FakeRegion("two", [200]))
    slow = a_client(FakeRegion("one", [503], [FAULT] * 9), FakeRegion("two", [200]), Times(period=0, dns_ttl=60))

    assert [client.log_in("t") for _ in range(4)] == [503, 503, 503, 200]
    assert [slow.log_in("t") for _ in range(4)] == [503] * 4


# -- what is not good -------------------------------------------------------------------------------------------------


def served(primary: FakeRegion, times: Times = QUICK) -> DrillReport:
    report = DrillReport("failover", lambda _: None)
    client = a_client(primary, FakeRegion("two", [200]))
    failover._served_stale_then_refused(client, "t", times, time.monotonic(), report)
    return report


def failed(report: DrillReport) -> list[str]:
    return [step.what for step in report.steps if step.finding is Finding.FAILED]


def test_an_outage_as_it_should_be_is_good() -> None:
    assert failed(served(FakeRegion("one", [200, 503], [STALE, FAULT]))) == []


def test_a_denial_in_an_outage_is_not_good() -> None:
    assert failed(served(FakeRegion("one", [200, 401], [STALE, GOOD]))) == [
        "then logins fail with 503, never with a denial"
    ]


def test_an_outage_without_stale_rows_is_not_good() -> None:
    assert failed(served(FakeRegion("one", [503], [FAULT]))) == ["a remembered user is served meanwhile"]


def test_an_outage_that_health_sees_is_not_what_the_page_says() -> None:
    assert failed(served(FakeRegion("one", [200, 503], [STALE, FAULT], healthy=503))) == ["/health sees nothing of it"]


def test_a_client_that_does_not_move_ends_the_drill() -> None:
    report = DrillReport("failover", lambda _: None)
    client = a_client(FakeRegion("one", [503, 200], [FAULT]), FakeRegion("two", [200]))

    with report.ending():
        failover._moved(client, "t", QUICK, time.monotonic(), report)

    assert failed(report) == ["the client logs in at the standby"]

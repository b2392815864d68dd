"""The real handlers' lines, lean or whole: each request is counted once, and nothing promised is missing."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from auth_jwt.runtime.observability import Outcome
from tools.dashboard.metrics import Metric, MetricFilter, Metrics
from tools.dashboard.stack import counting
from tools.events.stage import OUTCOMES, SAMPLES, Stage, read_json, stage

SetStage = Callable[..., Stage]

BY_HEADER = read_json(SAMPLES / "authorize" / "rest-authorized-by-header.json")
DIRECT = read_json(SAMPLES / "authorize" / "direct-authorized.json")
FUNCTIONS = ["authorize", "gateway_authorizer"]
LOGS = [
    {"AUTHORIZED_LOG": "full"},
    {"AUTHORIZED_LOG": "full", "AUTHORIZED_LOG_PERCENT": "0"},
    {"AUTHORIZED_LOG": "lean"},
    {"AUTHORIZED_LOG": "lean", "AUTHORIZED_LOG_PERCENT": "50"},
    {"AUTHORIZED_LOG": "lean", "AUTHORIZED_LOG_PERCENT": "0"},
    {"AUTHORIZED_LOG": "lean", "POWERTOOLS_LOG_LEVEL": "WARNING"},
]


def counted_in(lines: Iterable[str], filters: Sequence[MetricFilter]) -> dict[Metric, float | None]:
    """Return all that CloudWatch counts in *lines*."""
    metrics = Metrics(filters)
    for line in lines:
        metrics.add_line(line, 0)
    return {metric: metrics.series(metric, "Sum", 60, 60, 1)[0] for metric in metrics.named()}


def authorized(function: str = "authorize") -> Metric:
    """Return the metric that dashboard and alarms ask for."""
    return Metric.of("AuthJwt/auth-jwt", "Authorized", {"service": function})


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM's library asks for it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


def lines_of_all_samples(function: str, log: dict[str, str]) -> list[list[str]]:
    """Return what the handler writes of each sample event of a *function*, in the order of their names."""
    listed = read_json(SAMPLES / OUTCOMES[function])
    with stage({**listed["settings"], **log}, function) as ready:
        return [
            list(ready.ask(read_json(SAMPLES / function / f"{name}.json")).lines) for name in sorted(listed["events"])
        ]


@pytest.fixture(scope="module", name="expected", params=FUNCTIONS)
def _expected(request: pytest.FixtureRequest) -> tuple[str, list[dict[Metric, float | None]]]:
    """What whole lines count by the metrics in them: the behaviour that every other choice must keep."""
    function: str = request.param
    return function, [counted_in(lines, ()) for lines in lines_of_all_samples(function, LOGS[0])]


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_each_request_is_counted_exactly_as_by_a_whole_line(
    expected: tuple[str, list[dict[Metric, float | None]]], log: dict[str, str]
) -> None:
    """By embedded metrics or by the template's filter, and never by both."""
    function, whole = expected

    found = [counted_in(lines, counting()) for lines in lines_of_all_samples(function, log)]

    assert found == whole
    assert sum(one.get(authorized(function)) or 0 for one in found) > 10


def test_a_lean_line_without_the_filter_would_count_nothing() -> None:
    """So the two belong together: the code writes whole lines unless the template says otherwise."""
    lines = [line for some in lines_of_all_samples("authorize", {"AUTHORIZED_LOG": "lean"}) for line in some]

    whole = [line for line in lines if '"outcome":"authorized"' in line and '"level":' in line]

    assert counted_in(lines, ())[authorized()] == len(whole) < 3  # those that need attention
    assert (counted_in(lines, counting())[authorized()] or 0) > 10


def test_no_line_is_written_twice_and_none_is_left_out(expected: tuple[str, list[dict[Metric, float | None]]]) -> None:
    function, _ = expected
    whole, lean = (list(map(len, lines_of_all_samples(function, log))) for log in (LOGS[0], LOGS[4]))

    assert lean == whole


def test_denials_and_faults_are_whole_whatever_is_asked_for() -> None:
    whole, lean = (
        [json.loads(line) for some in lines_of_all_samples("authorize", log) for line in some]
        for log in (LOGS[0], {"AUTHORIZED_LOG": "lean", "AUTHORIZED_LOG_PERCENT": "0"})
    )
    others = [(a, b) for a, b in zip(whole, lean, strict=True) if a["outcome"] != Outcome.AUTHORIZED]

    assert {a["outcome"] for a, _ in others} >= {"denied", "challenged", "rejected"}
    assert all(a.keys() == b.keys() for a, b in others)


def test_what_the_queries_and_audits_ask_for_is_in_a_lean_line(set_stage: SetStage) -> None:
    """docs/operations.md, "Queries": who used which secret, and from where the rows came."""
    event = {**DIRECT, "call_id": "a84b4c76e66710@198.51.100.9"}

    record = set_stage(AUTHORIZED_LOG="lean").ask(event).record

    assert {
        name: record[name] for name in ("service", "outcome", "tag", "secret_id", "rows", "algorithm", "call_id")
    } == {
        "service": "authorize",
        "outcome": "authorized",
        "tag": "alice-web",
        "secret_id": "1",
        "rows": "table",
        "algorithm": "HS256",
        "call_id": "a84b4c76e66710@198.51.100.9",
    }
    assert record["duration_ms"] > 0
    assert record["request_id"]


def test_stale_rows_are_seen_whatever_is_asked_for(set_stage: SetStage, outage: Callable[[], None]) -> None:
    """The first sign that DynamoDB does not answer."""
    ready = set_stage(AUTHORIZED_LOG="lean", AUTHORIZED_LOG_PERCENT="0", CACHE_TTL_SECONDS="1")
    before = ready.ask(BY_HEADER).record
    outage()
    time.sleep(1.05)

    record = ready.ask(BY_HEADER).record

    assert before == {"service": "authorize", "outcome": "authorized"}
    assert (record["outcome"], record["rows"], record["Authorized"]) == ("authorized", "stale", 1)


@pytest.mark.parametrize("name", ["AUTHORIZED_LOG", "AUTHORIZED_LOG_PERCENT"])
def test_a_value_that_cannot_be_is_a_fault_that_says_so(set_stage: SetStage, name: str) -> None:
    answer: Any = set_stage(**{name: "some"}).ask(BY_HEADER)

    assert answer.status == 500
    assert f"{name}='some' is refused" in answer.record["causes"][0]["message"]

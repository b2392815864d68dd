"""The daily check through its real handler: its lines, its counts, pages, faults, and that no value is shown."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient

from auth_jwt.issuers.models import REGISTRY_TAG
from auth_jwt.provisioning.endings import find_endings
from tests.integration.ending_stage import DAY, SECRET, EndingStage, an_ending_stage
from tools.events.stage import STACK, Answer

SetEnding = Callable[..., EndingStage]
OVERDUE = {"ROTATED_TAG": "alice-web", "ROTATION_DAYS": "30"}


@pytest.fixture(name="set_ending")
def _set_ending() -> Iterator[SetEnding]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(an_ending_stage(**settings))


@pytest.fixture(name="ending")
def _ending(set_ending: SetEnding) -> EndingStage:
    return set_ending()


def warnings_of(answer: Answer) -> list[dict[str, Any]]:
    return [record for line in answer.lines if (record := json.loads(line))["level"] == "WARNING"]


def metrics_of(answer: Answer) -> dict[str, int]:
    (directive,) = answer.record["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == f"AuthJwt/{STACK}"
    return {metric["Name"]: answer.record[metric["Name"]] for metric in directive["Metrics"]}


def counted(soon: int, ended: int, *, new: int = 0, this_week: int = 0, new_ended: int = 0) -> dict[str, int]:
    """The counts of a check, which has all of them each day."""
    return {
        "SecretEndsSoon": new,
        "SecretEndsThisWeek": this_week,
        "SecretsEnding": soon,
        "SecretEnded": new_ended,
        "SecretsEnded": ended,
    }


def fill(ending: EndingStage) -> None:
    """Tags of every kind."""
    for tag in ("alice-web", "bob", "carol", "dan", "erin"):
        ending.has_user(tag)
    ending.has_user("fay", disabled=True)
    ending.has("alice-web", "1", 10)
    ending.has("bob", "1", -3)
    ending.has("carol", "1", 5)
    ending.has("carol", "2", 400, start=1)
    ending.has("dan", "1", 400)
    ending.has("erin", "1", 20)
    ending.has("erin", "2", 400, start=21)
    ending.has("fay", "1", 1)
    ending.has("gone", "1", 1)
    ending.tables.put_item(
        TableName="jwt_secrets", Item={"corresponding_tag": {"S": REGISTRY_TAG}, "id": {"S": "https://a.example.com"}}
    )


def test_it_names_each_tag_that_it_found_and_counts_all(ending: EndingStage) -> None:
    fill(ending)

    answer = ending.check()

    assert answer.given == counted(2, 1)
    assert [(line["reason"], line["tag"], line["secret_id"]) for line in warnings_of(answer)] == [
        ("secret_ends_soon", "alice-web", "1"),
        ("secret_ends_soon", "erin", "1"),
        ("secret_ended", "bob", "1"),
    ]
    assert metrics_of(answer) == {"Done": 1, **counted(2, 1)}
    record = answer.record
    assert (record["service"], record["outcome"], record["level"]) == ("ending_secrets", "done", "INFO")
    assert (record["secrets_read"], record["ends_soon"], record["ended"], record["not_looked_up"]) == (10, 2, 1, 0)
    assert record["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_a_line_says_when_and_what_mends_it(ending: EndingStage) -> None:
    fill(ending)

    soon, gap, ended = warnings_of(ending.check())

    def instant(days: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ending.now + days * DAY))

    assert (soon["ends"], soon.get("opens_again")) == (instant(10), None)
    assert soon["mend"] == "auth-jwt secret rotate alice-web --generate --out FILE"
    assert (gap["ends"], gap["opens_again"]) == (instant(20), instant(21))
    assert gap["mend"] == f"auth-jwt secret set erin 1 --end {ending.now + 21 * DAY}"
    assert (ended["ends"], ended["mend"]) == (instant(-3), "auth-jwt secret add bob --generate --out FILE")
    assert "_aws" not in soon


@pytest.mark.parametrize("days", [10**10, 10**13, 10**15])
def test_an_instant_beyond_the_calendar_is_told_in_seconds(ending: EndingStage, days: int) -> None:
    """Each is one that Python refuses in another way."""
    ending.has_user("erin")
    ending.has("erin", "1", 20)
    ending.has("erin", "2", 2 * days, start=days)

    (line,) = warnings_of(ending.check())

    assert line["opens_again"] == str(ending.now + days * DAY)


def test_a_quiet_day_is_counted_too(ending: EndingStage) -> None:
    answer = ending.check()

    assert answer.given == counted(0, 0)
    assert metrics_of(answer) == {"Done": 1, **counted(0, 0)}
    assert warnings_of(answer) == []


def test_how_soon_is_a_setting(set_ending: SetEnding) -> None:
    ending = set_ending(SECRETS_END_WITHIN_DAYS="5")
    fill(ending)

    assert ending.check().given == counted(0, 1)


@pytest.mark.parametrize(("seconds", "soon"), [(-1, 1), (2, 0)])
def test_a_day_has_86400_seconds(ending: EndingStage, monkeypatch: pytest.MonkeyPatch, seconds: int, soon: int) -> None:
    app = ending.stage.handler.__globals__
    service = replace(app["service"](), clock=lambda: ending.now)
    monkeypatch.setitem(app, "service", lambda: service)
    ending.has_user("alice-web")
    ending.has("alice-web", "1", 30 + seconds / DAY)

    assert ending.check().given["SecretsEnding"] == soon


def test_the_scan_goes_over_pages(ending: EndingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB ends a page at 1 MB: rows of 100 KB, of which the answer has nothing."""
    for number in range(12):
        ending.has_user(f"u{number}")
        ending.has(f"u{number}", "1", 3, notes="x" * 100_000)
        ending.has(f"u{number}", "2", 2 if number % 2 else 400, notes="x" * 100_000)
    scans = calls_of(monkeypatch, "Scan")

    answer = ending.check()

    assert (len(scans) > 2, answer.record["secrets_read"]) == (True, 24)
    assert answer.given == counted(6, 0, this_week=6)
    assert all("x" * 9 not in line for line in answer.lines)


def calls_of(monkeypatch: pytest.MonkeyPatch, operation: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def recorded(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        if name == operation:
            calls.append(parameters)
        return make(client, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return calls


def test_the_scan_is_eventually_consistent_and_what_it_found_is_read_again_for_sure(
    ending: EndingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ending)
    scans, queries = calls_of(monkeypatch, "Scan"), calls_of(monkeypatch, "Query")

    ending.check()

    assert [call.get("ConsistentRead") for call in scans] == [None]
    assert {call["ConsistentRead"] for call in queries} == {True}
    assert {call["ExpressionAttributeValues"][":tag"]["S"] for call in queries} == {
        *("alice-web", "bob", "erin", "fay", "gone")
    }


def test_the_scan_waits_where_the_table_gives_few_read_units(
    set_ending: SetEnding, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = set_ending(MAX_READ_UNITS="1")
    fill(ending)
    app = ending.stage.handler.__globals__
    pauses: list[float] = []
    service = replace(app["service"](), pause=pauses.append)
    monkeypatch.setitem(app, "service", lambda: service)

    assert ending.check().record["outcome"] == "done"
    assert sum(pauses) > 0


def test_as_many_lines_as_there_may_be(ending: EndingStage) -> None:
    for number in range(103):
        ending.has_user(f"u{number:03}")
        ending.has(f"u{number:03}", "1", 1 + number / 10)

    answer = ending.check()

    lines = warnings_of(answer)
    assert [line["tag"] for line in lines] == [f"u{number:03}" for number in range(100)]
    assert answer.record["ends_soon"] == metrics_of(answer)["SecretsEnding"] == 103


def test_tags_beyond_those_that_are_looked_up_are_counted(ending: EndingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    handler: Any = ending.stage.handler
    monkeypatch.setitem(handler.__globals__, "find_endings", partial(find_endings, most=2))
    for number in range(5):
        ending.has_user(f"u{number}")
        ending.has(f"u{number}", "1", 9.5 - number)
        ending.has_user(f"v{number}")
        ending.has(f"v{number}", "1", number - 9)

    answer = ending.check()

    assert answer.given == counted(5, 5, this_week=2)
    assert answer.record["not_looked_up"] == 6
    assert [line["tag"] for line in warnings_of(answer)] == ["u4", "u3", "v4", "v3"]


# -- what is new ------------------------------------------------------------------------------------------------------


def test_a_tag_counts_as_new_once_and_within_its_last_week_each_day(ending: EndingStage) -> None:
    """30 days before, until it ends, and after: by a check a day, of which each is some minutes late."""
    ending.has_user("alice-web")
    days = range(-2, 34)
    given = []
    for day in days:
        late = (day % 3) * 0.004
        ending.has("alice-web", "1", 30.5 - day - late)
        given.append(ending.check().given)

    def days_of(metric: str) -> list[int]:
        return [day for day, counts in zip(days, given, strict=True) if counts[metric]]

    assert days_of("SecretEndsSoon") == [1]
    assert days_of("SecretEndsThisWeek") == list(range(24, 31))
    assert days_of("SecretsEnding") == list(range(1, 31))
    assert days_of("SecretEnded") == [31]
    assert days_of("SecretsEnded") == [31, 32, 33]


@pytest.mark.parametrize("hours", range(0, 24, 3))
def test_no_tag_slips_through_between_two_checks(ending: EndingStage, hours: int) -> None:
    """The second is 25 hours after the first: a day, and an hour in which it was tried again."""
    ending.has_user("alice-web")
    found = []
    for passed in (0, 25, 49):
        ending.has("alice-web", "1", 30.01 + (hours - passed) / 24)
        found.append(ending.check().given["SecretEndsSoon"])

    assert sum(found) >= 1


def test_a_day_without_a_check_loses_no_tag(ending: EndingStage) -> None:
    """It was not new on any day of a check: the total has it, and its last week will ring."""
    ending.has_user("alice-web")
    ending.has("alice-web", "1", 28.5)
    assert ending.check().given == counted(1, 0)

    ending.has("alice-web", "1", 6.5)
    assert ending.check().given == counted(1, 0, this_week=1)


def test_new_tags_are_named_first_though_they_end_last(ending: EndingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among more tags than are looked up, and more than get a line."""
    handler: Any = ending.stage.handler
    monkeypatch.setitem(handler.__globals__, "find_endings", partial(find_endings, most=3))
    monkeypatch.setitem(handler.__globals__, "MAX_NAMED", 2)
    for number in range(6):
        ending.has_user(f"old{number}")
        ending.has(f"old{number}", "1", 10 + number)
        ending.has_user(f"new{number}")
        ending.has(f"new{number}", "1", 29.5 + number / 100)

    answer = ending.check()

    assert answer.given == counted(12, 0, new=6)
    assert [(line["tag"], line["new"]) for line in warnings_of(answer)] == [
        *(("new0", True), ("new1", True)),
        *(("old0", False), ("old1", False)),
    ]


# -- rotation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "overdue"), [(-30.9, 0), (-31.1, 1)])
def test_a_rotation_has_a_day_more_than_its_days(set_ending: SetEnding, days: float, overdue: int) -> None:
    ending = set_ending(**OVERDUE)
    secret_id = "sm-AbCdEf-00000000-0000-0000-0000-000000000001"
    ending.has_user("alice-web")
    ending.has("alice-web", secret_id, 60, start=days)

    answer = ending.check()

    assert answer.given == {**counted(0, 0), "RotationOverdue": overdue}
    assert metrics_of(answer)["RotationOverdue"] == overdue
    lines = warnings_of(answer)
    assert [(line["reason"], line["secret_id"]) for line in lines] == [("rotation_overdue", secret_id)] * overdue
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ending.now + round(days * DAY)))
    assert [line["rotated"] for line in lines] == [began] * overdue


def test_a_rotation_that_never_ran_is_told(set_ending: SetEnding) -> None:
    ending = set_ending(**OVERDUE)
    ending.has_user("alice-web")
    ending.has("alice-web", "1", 5)

    answer = ending.check()

    overdue, soon = warnings_of(answer)
    assert (overdue["reason"], overdue["tag"], "secret_id" in overdue) == ("rotation_overdue", "alice-web", False)
    assert soon["mend"] == overdue["mend"] == "aws secretsmanager rotate-secret --secret-id SECRET"
    assert metrics_of(answer)["RotationOverdue"] == 1


def test_a_longer_overlap_gives_the_rotation_more_time(set_ending: SetEnding) -> None:
    ending = set_ending(**OVERDUE, ROTATION_OVERLAP_SECONDS=str(3 * DAY))
    ending.has("alice-web", "sm-AbCdEf-1", 60, start=-32)

    assert ending.check().given["RotationOverdue"] == 0


# -- faults -----------------------------------------------------------------------------------------------------------


def test_a_scan_that_is_cut_is_a_fault_and_says_how_far_it_came(
    set_ending: SetEnding, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = set_ending(**OVERDUE)
    fill(ending)
    ending.has_user("alice-web")
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 29_999)

    answer = ending.check()

    assert answer.raised == "NotFinished: the time was over after 10 rows of the secrets table"
    assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "not_finished")
    assert answer.record["secrets_read"] == 10
    assert metrics_of(answer) == {"Fault": 1, "RotationOverdue": 1}
    assert [line["reason"] for line in warnings_of(answer)] == ["rotation_overdue"]


def test_with_just_enough_time_it_is_done(ending: EndingStage, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ending)
    monkeypatch.setattr("tools.events.stage.LambdaContext.get_remaining_time_in_millis", lambda _: 30_000)

    assert ending.check().record["outcome"] == "done"


def test_without_a_context_that_tells_the_time_there_is_enough(ending: EndingStage) -> None:
    fill(ending)

    assert ending.stage.handler({}, None) == counted(2, 1)


def test_tables_that_do_not_answer_are_a_fault(ending: EndingStage, outage: Callable[[], None]) -> None:
    outage()

    answer = ending.check()

    assert answer.raised is not None
    assert answer.raised.startswith("Unreachable: ")
    assert (answer.record["level"], answer.record["reason"]) == ("ERROR", "unreachable")
    assert "SecretEndsSoon" not in metrics_of(answer)


@pytest.mark.parametrize("event", [{"jwt_token": "x"}, {"source": "aws.s3"}, {"warmer": True}, [], None])
def test_an_event_of_something_else_is_a_fault(ending: EndingStage, event: Any) -> None:
    answer = ending.stage.ask(event)

    assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "unknown_event")


@pytest.mark.parametrize("event", [{}, {"source": "aws.scheduler"}, {"source": "aws.events", "detail": {}}])
def test_the_event_of_a_schedule_is_none(ending: EndingStage, event: dict[str, Any]) -> None:
    assert ending.check(event).record["outcome"] == "done"


def test_an_invalid_setting_is_a_fault_that_names_it(set_ending: SetEnding) -> None:
    answer = set_ending(SECRETS_END_WITHIN_DAYS="0").check()

    assert answer.raised == (
        "BadSetting: SECRETS_END_WITHIN_DAYS='0' is refused; accepted: a whole number from 1 to 3650"
    )


# -- secrecy ----------------------------------------------------------------------------------------------------------


def test_no_value_is_in_any_line_nor_in_any_answer_of_the_tables(
    set_ending: SetEnding, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ending = set_ending(POWERTOOLS_LOG_LEVEL="DEBUG", **OVERDUE)
    fill(ending)
    answers: list[str] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(client: BaseClient, name: str, parameters: dict[str, Any]) -> Any:
        made = make(client, name, parameters)
        answers.append(json.dumps(made))
        return made

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    with caplog.at_level(logging.DEBUG):
        answer = ending.check()

    shown = "\n".join([*answer.lines, json.dumps(answer.given), *answers, caplog.text])
    assert "alice-web" in shown
    for value in (SECRET, "zoe-username"):
        assert value not in shown


def test_a_tag_that_somebody_chose_forges_no_line(ending: EndingStage) -> None:
    tag = 'x","outcome":"done"}\n{"level":"INFO'
    ending.has_user(tag)
    ending.has(tag, "1", 3)

    answer = ending.check()

    assert len(answer.lines) == 2
    assert [line["tag"] for line in warnings_of(answer)] == [tag]

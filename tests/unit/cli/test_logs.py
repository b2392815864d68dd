"""Lines of logs, refusals counted, and what CloudWatch Logs is asked."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from auth_jwt.errors import Fault
from auth_jwt_cli.logs.cloudwatch import CloudWatchLogs
from auth_jwt_cli.logs.lines import LogLine, read_line
from auth_jwt_cli.logs.refusals import (
    ReasonCount,
    RefusalQuestion,
    Tally,
    count_of,
    counts_query,
    deaths_query,
    filter_pattern,
    newest_query,
    refusal_json,
)

NOW = 1_800_000_000
LINE = '{"outcome":"denied","reason":"token_expired","tag":"t1"}'


# -- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (LINE, None),
        (f"2026-11-29T19:00:00.123Z {LINE}", 1795978800.123),
        (f"2026-11-29T19:00:00.500000+00:00 2026/11/29/[41]abc {LINE}", 1795978800.5),
        (f"2026/11/29/auth-jwt[41]5b2c 2026-11-29T19:00:00 {LINE}", 1795978800.0),
        ('{"timestamp":"2026-11-29T19:00:00.250+00:00"}', 1795978800.25),
        ('{"_aws":{"Timestamp":1795978800250}}', 1795978800.25),
        ('{"audit":"x","at":1795978800}', 1795978800.0),
        ('{"timestamp":"soon","at":true,"_aws":[]}', None),
    ],
)
def test_a_line_says_when_it_was_written(text: str, at: float | None) -> None:
    line = read_line(text)

    assert line is not None
    assert line.at == at


def a_report(status: str) -> str:
    """Lambda's own line about a request, as docs/first-deployment.md and AWS's schema have it."""
    told = {"requestId": "r-1", "metrics": {"durationMs": 10_000.0}, "status": status}
    return json.dumps({"time": "2026-11-29T19:00:00.000Z", "type": "platform.report", "record": told})


@pytest.mark.parametrize("status", ["timeout", "failure"])
def test_lambdas_own_line_tells_of_a_request_that_died(status: str) -> None:
    line = read_line(a_report(status))

    assert line == LogLine(1795978800.0, {"outcome": "died", "reason": status, "request_id": "r-1"})


@pytest.mark.parametrize("status", ["success", "error"])
def test_other_lines_of_lambdas_tell_of_no_death(status: str) -> None:
    """An authorizer raises an exception to refuse a token, which Lambda calls an error."""
    line = read_line(a_report(status))

    assert line is not None
    assert line.text("outcome") is None


def test_the_time_of_the_log_goes_before_that_of_the_line() -> None:
    assert read_line('{"at":1}', 5.0) == LogLine(5.0, {"at": 1})


@pytest.mark.parametrize(
    "text",
    ["", "START RequestId: x", "{", "[1]", '"{}"', "{}{", "x" * 400 + "{}", "{" * 100_000, '{"a":"' + "x" * 300_000],
)
def test_what_is_no_line_of_a_log_is_passed_over(text: str) -> None:
    assert read_line(text) is None


@pytest.mark.parametrize("text", ['{"at":@}', '{"_aws":{"Timestamp":@}}'])
def test_a_number_beyond_all_times_says_no_time(text: str) -> None:
    """One such line would else end the reading of all others."""
    line = read_line(text.replace("@", "1" * 400))

    assert line is not None
    assert line.at is None


def test_a_line_shows_nothing_by_itself() -> None:
    assert "token_expired" not in repr(read_line(LINE))


# -- which ------------------------------------------------------------------------------------------------------------


def a_line(at: float | None = NOW, **members: Any) -> LogLine:
    return LogLine(at, {"outcome": "denied", "reason": "token_expired", "tag": "t1", **members})


@pytest.mark.parametrize(
    ("question", "line", "accepted"),
    [
        (RefusalQuestion(NOW), a_line(NOW), True),
        (RefusalQuestion(NOW), a_line(NOW - 0.001), False),
        (RefusalQuestion(0, until=NOW), a_line(NOW), False),
        (RefusalQuestion(0, until=NOW), a_line(NOW - 0.001), True),
        (RefusalQuestion(NOW, until=NOW), a_line(None), True),
        (RefusalQuestion(0), a_line(outcome="fault"), True),
        (RefusalQuestion(0), a_line(outcome="authorized"), False),
        (RefusalQuestion(0), a_line(outcome=["denied"]), False),
        (RefusalQuestion(0, outcomes=None), a_line(outcome="authorized"), True),
        (RefusalQuestion(0, outcomes=None), LogLine(NOW, {"tag": "t1"}), False),
        (RefusalQuestion(0, tags=("t1", "t2")), a_line(), True),
        (RefusalQuestion(0, tags=("t2",)), a_line(), False),
        (RefusalQuestion(0, tags=()), a_line(), False),
        (RefusalQuestion(0, reason="token_expired"), a_line(), True),
        (RefusalQuestion(0, reason="bad_signature"), a_line(), False),
    ],
)
def test_a_question_accepts_its_lines(question: RefusalQuestion, line: LogLine, accepted: bool) -> None:
    assert question.accepts(line) is accepted


def test_the_queries_are_narrowed_by_filters_of_their_own() -> None:
    asked = RefusalQuestion(0, tags=("t1", 'a"b\\c'), reason="bad_signature")

    assert counts_query(asked).startswith(
        'filter outcome = "denied" or outcome = "fault" | filter reason = "bad_signature" | '
        'filter tag = "t1" or tag = "a\\"b\\\\c" | stats '
    )
    assert newest_query(RefusalQuestion(0, outcomes=None), 3) == (
        "filter ispresent(outcome) | sort @timestamp desc | limit 3 | display @timestamp, @message"
    )
    assert deaths_query(asked) is deaths_query(RefusalQuestion(0, outcomes=None)) is None
    assert filter_pattern(RefusalQuestion(0, tags=("t1",))) == (
        '{ ($.outcome = "denied") || ($.outcome = "fault") || ($.record.status = "timeout") || '
        '($.record.status = "failure") }'
    )
    assert filter_pattern(asked) == (
        '{ (($.outcome = "denied") || ($.outcome = "fault")) && ($.reason = "bad_signature") }'
    )


def test_only_the_fields_of_a_log_are_shown() -> None:
    shown = refusal_json(a_line(jwt_token="eyJ", Denied=1))

    assert shown == {"at": NOW, "outcome": "denied", "reason": "token_expired", "tag": "t1"}


# -- counting ---------------------------------------------------------------------------------------------------------


def test_refusals_are_counted_by_outcome_and_reason_with_the_greatest_first() -> None:
    tally = Tally(2)
    for line in (
        a_line(5),
        a_line(3),
        a_line(None),
        a_line(9, outcome="fault", reason="unreachable"),
        a_line(4, tag="t2"),
    ):
        tally.add(line)

    assert tally.counts() == [
        ReasonCount("denied", "token_expired", 4, 3, 5, 2),
        ReasonCount("fault", "unreachable", 1, 9, 9, 1),
    ]
    assert tally.tags(1) == [("t1", 4)]
    assert [line.at for line in tally.newest()] == [9, 5]


def test_a_line_without_a_tag_hits_nobody() -> None:
    tally = Tally(1)
    tally.add(a_line(tag=None))

    assert [count.tags for count in tally.counts()] == [0]
    assert tally.tags(5) == []


@pytest.mark.parametrize("count", [0, 1, 500])
def test_of_many_refusals_the_newest_are_kept(count: int) -> None:
    tally = Tally(3)
    for at in range(count):
        tally.add(a_line(at))

    assert [line.at for line in tally.newest()] == list(range(count))[::-1][:3]
    assert sum(each.times for each in tally.counts()) == count


def test_a_row_of_insights_is_a_count() -> None:
    row = {"outcome": "denied", "failed": "3", "tags": "2", "first": "1800000000500", "last": "1.800000001E12"}

    assert count_of(row) == ReasonCount("denied", None, 3, 1800000000.5, 1800000001.0, 2)


# -- CloudWatch Logs --------------------------------------------------------------------------------------------------


@pytest.fixture(name="pauses")
def _pauses() -> list[float]:
    return []


@pytest.fixture(name="logs")
def _logs(pauses: list[float]) -> CloudWatchLogs:
    session = boto3.Session("testing", "testing", region_name="eu-central-1")
    return CloudWatchLogs(session, "eu-central-1", pauses.append)


def started(stub: Stubber, *answers: dict[str, Any]) -> None:
    asked = {"logGroupNames": ["g"], "startTime": 1, "endTime": 2, "queryString": "q"}
    stub.add_response("start_query", {"queryId": "id"}, asked)
    for answer in answers:
        stub.add_response("get_query_results", answer, {"queryId": "id"})


def test_a_query_is_waited_for_at_longer_and_longer_pauses(logs: CloudWatchLogs, pauses: list[float]) -> None:
    row = [{"field": "failed", "value": "2"}, {"field": "@ptr"}]
    done = {"status": "Complete", "results": [row], "statistics": {"bytesScanned": 4096.0}}
    with Stubber(logs._client) as stub:
        started(stub, {"status": "Scheduled", "results": []}, *[{"status": "Running", "results": []}] * 4, done)

        assert logs.query(["g"], "q", since=1, until=2) == [{"failed": "2"}]

    assert pauses == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert logs.scanned_bytes == 4096


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout", "Unknown"])
def test_a_query_that_does_not_end_well_is_a_fault_and_is_stopped(logs: CloudWatchLogs, status: str) -> None:
    with Stubber(logs._client) as stub:
        started(stub, {"status": status, "results": []})
        stub.add_client_error("stop_query", "InvalidParameterException", expected_params={"queryId": "id"})

        with pytest.raises(Fault, match=f"did not answer the query on 'g': {status}"):
            logs.query(["g"], "q", since=1, until=2)

        stub.assert_no_pending_responses()


def test_a_query_that_lasts_too_long_is_stopped_with_a_hint(logs: CloudWatchLogs, pauses: list[float]) -> None:
    with Stubber(logs._client) as stub:
        started(stub, *[{"status": "Running", "results": []}] * 64)
        stub.add_response("stop_query", {"success": True}, {"queryId": "id"})

        with pytest.raises(Fault, match="in 120 seconds: ask for less"):
            logs.query(["g"], "q", since=1, until=2)

    assert 120 <= sum(pauses) <= 122


def test_ctrl_c_stops_the_query_which_would_be_billed_otherwise(
    logs: CloudWatchLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(logs, "_sleep", interrupt)
    with Stubber(logs._client) as stub:
        started(stub, {"status": "Running", "results": []})
        stub.add_response("stop_query", {"success": True}, {"queryId": "id"})

        with pytest.raises(KeyboardInterrupt):
            logs.query(["g"], "q", since=1, until=2)

        stub.assert_no_pending_responses()


def test_an_empty_page_is_not_the_end(logs: CloudWatchLogs) -> None:
    """By the API's own words: a page may be empty while others follow."""
    asked = {"logGroupName": "g", "filterPattern": "p", "startTime": 1000, "limit": 10_000, "endTime": 1999}
    event = {"timestamp": 1500, "message": LINE, "eventId": "1"}
    with Stubber(logs._client) as stub:
        stub.add_response("filter_log_events", {"events": [], "nextToken": "n"}, asked)
        stub.add_response("filter_log_events", {"events": [event]}, {**asked, "nextToken": "n"})

        assert list(logs.lines("g", "p", since=1, until=2)) == [LogLine(1.5, json.loads(LINE))]


def a_page(*events: tuple[str, int]) -> dict[str, Any]:
    return {"events": [{"timestamp": at * 1000, "message": LINE, "eventId": name} for name, at in events]}


def a_look(since: int) -> dict[str, Any]:
    return {"logGroupName": "g", "filterPattern": "p", "startTime": since * 1000, "limit": 10_000}


def test_following_looks_back_a_minute_and_gives_no_line_twice(logs: CloudWatchLogs) -> None:
    with Stubber(logs._client) as stub:
        stub.add_response("filter_log_events", a_page(("a", 500)), a_look(100))
        stub.add_response("filter_log_events", a_page(("late", 460), ("a", 500)), a_look(440))
        stub.add_response("filter_log_events", a_page(("late", 460), ("a", 500), ("b", 501)), a_look(440))
        following = logs.follow(["g"], "p", since=100, pause=2, tell=print)

        assert [next(following).at for _ in range(3)] == [500, 460, 501]


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailableException"])
def test_following_goes_on_after_a_look_that_failed_and_loses_no_line(logs: CloudWatchLogs, code: str) -> None:
    told: list[str] = []
    with Stubber(logs._client) as stub:
        stub.add_response("filter_log_events", a_page(("a", 500)), a_look(100))
        stub.add_client_error("filter_log_events", code, http_status_code=503, expected_params=a_look(440))
        stub.add_response("filter_log_events", a_page(("a", 500), ("b", 501)), a_look(440))
        following = logs.follow(["g"], "p", since=100, pause=2, tell=lambda failed: told.append(str(failed)))

        assert [next(following).at for _ in range(2)] == [500, 501]

    assert len(told) == 1
    assert code in told[0]


def test_following_ends_where_it_is_not_permitted(logs: CloudWatchLogs) -> None:
    with Stubber(logs._client) as stub:
        stub.add_client_error("filter_log_events", "AccessDeniedException", http_status_code=400)

        with pytest.raises(Fault, match="AccessDeniedException"):
            next(logs.follow(["g"], "p", since=100, pause=2, tell=print))

"""Each query of docs/operations.md finds what it is for, on lines that the real handlers wrote."""

import json
import re
from typing import Any

import pytest

from tests.monitoring.insights import Log, UnknownQuery
from tools.dashboard.recorded import Recorded
from tools.dashboard.stack import Monitoring
from tools.events.stage import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("\n## Queries\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
QUERIES = [query for block in BLOCKS for query in block.splitlines()]
ACCESS = [
    {"status": "200", "error": "-", "api_key_id": "k1", "source_ip": "198.51.100.9"},
    {"status": "429", "error": "THROTTLED", "api_key_id": "k1", "source_ip": "198.51.100.9"},
    {"status": "429", "error": "THROTTLED", "api_key_id": "k1", "source_ip": "198.51.100.9"},
    {"status": "403", "error": "INVALID_API_KEY", "api_key_id": "-", "source_ip": "203.0.113.7"},
    {"status": "429", "error": "THROTTLED", "user_arn": "arn:aws:iam::123456789012:role/sip", "source_ip": "-"},
]


@pytest.fixture(name="logs", scope="module")
def _logs(recorded: Recorded) -> dict[str, Log]:
    """The log groups, a line a second."""
    events = json.loads((ROOT / "tests" / "monitoring" / "rotation_events.json").read_text("utf-8"))["events"]
    of_functions: dict[str, list[str]] = {}
    for (service, _), call in recorded.calls.items():
        of_functions.setdefault(service, []).extend([*call.others, call.line])
    lines = {**of_functions, "access": [json.dumps(line) for line in ACCESS], "events": [json.dumps(events["failed"])]}
    return {name: Log(list(enumerate(each))) for name, each in lines.items()}


def log_of(query: str, logs: dict[str, Log]) -> Log:
    """The log group on which the page says that a query runs."""
    (block,) = (block for block in BLOCKS if query in block)
    said = PAGE.partition(block)[0].rpartition("```\n")[2]
    for words, name in {
        "access log": "access",
        "log of the refresh": "refresh_keys",
        "log of the daily check": "ending_secrets",
        "/aws/events": "events",
    }.items():
        if words in said:
            return logs[name]
    return logs["authorize"]


@pytest.mark.parametrize("query", QUERIES)
def test_it_finds_something(query: str, logs: dict[str, Log]) -> None:
    rows = log_of(query, logs).run(query)

    assert rows
    assert all(any(value is not None for value in row.values()) for row in rows)


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ('filter outcome = "denied" | stats', {"reason": "bad_signature", "denials": 2}),
        ('filter error != "-" | stats', {"error": "THROTTLED", "refused": 2, "source_ip": "198.51.100.9"}),
        ('filter reason = "bad_signature"', {"denials": 1}),
        ("display @timestamp, detail", {"detail.eventName": "RotationFailed"}),
        ("filter ispresent(mend)", {"reason": "secret_ended", "tag": "erin"}),
        ('filter level = "WARNING"', {"issuer": "https://login.example.com/realms/sip"}),
    ],
)
def test_what_it_finds_first(start: str, first: dict[str, Any], logs: dict[str, Log]) -> None:
    (query,) = (query for query in QUERIES if query.startswith(start))

    found = log_of(query, logs).run(query)[0]

    assert first.items() <= found.items()


def test_memory_is_faster_than_the_tables(logs: dict[str, Log]) -> None:
    (query,) = (query for query in QUERIES if "by rows" in query)

    speed = {row["rows"]: row for row in logs["authorize"].run(query)}

    assert {"memory", "table", "stale"} <= speed.keys()
    assert speed["memory"]["p50"] < speed["table"]["p50"] <= speed["table"]["p99"] <= speed["table"]["longest"]


def test_unusable_secrets_are_found_with_their_tag(logs: dict[str, Log]) -> None:
    (query,) = (query for query in QUERIES if "unusable_secrets" in query)

    (row,) = logs["authorize"].run(query)

    assert row["tag"]
    assert json.loads(row["@message"])["unusable_secrets"]


def test_the_saved_queries_are_those_of_the_page(made: Monitoring) -> None:
    saved = {each["Name"].partition("/")[2]: each for each in made.of_type("AWS::Logs::QueryDefinition").values()}

    assert saved.keys() == set(re.findall(r"(?<!\*)\*([a-z ]+)\*(?!\*)", PAGE))
    assert {each["QueryString"] for each in saved.values()} <= set(QUERIES)
    assert saved["refused by the gateway"]["LogGroupNames"] == ["/aws/apigateway/auth-jwt-access"]
    assert saved["denials by reason"]["LogGroupNames"] == ["/aws/lambda/auth-jwt-authorize"]


@pytest.mark.parametrize("query", ["parse @message '*'", "stats avg(duration_ms) as mean", "filter a > 3"])
def test_an_unknown_query_is_an_error(query: str) -> None:
    with pytest.raises(UnknownQuery):
        Log([(0, "{}")]).run(query)

"""The dashboard shows only metrics that exist, in rows that fit, each with a text that says how to read it."""

import json
import re
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from tests.monitoring.refreshing import ROUNDS
from tools.dashboard.body import Search, Widget, widgets_of
from tools.dashboard.hour import BEGINNING, HOUR, Hour, bad_hour, normal_hour
from tools.dashboard.metrics import Metric, embedded_metrics
from tools.dashboard.recorded import Recorded
from tools.dashboard.stack import EVERYTHING, Monitoring, monitoring
from tools.events.stage import ROOT

AWS_METRICS = json.loads((Path(__file__).parent / "aws_metrics.json").read_text("utf-8"))["metrics"]
ENTRIES: Mapping[str, dict[str, str]] = {
    "rest": {},
    "http": {"RestApiName": "", "HttpApiId": "a1b2c3d4e5"},
    "url": {"RestApiName": "", "HttpApiId": ""},
}
NOTHING_BESIDE = dict.fromkeys(
    [
        *("AlarmTopicArn", "GatewayAuthorizerFunctionName", "ProvisioningFunctionName", "RefreshKeysFunctionName"),
        *("RotateSecretsFunctionName", "EndingSecretsFunctionName", "AccessLogGroupName", "RevocationsTable"),
        *("RotatedSecretArn",),
    ],
    "",
)
NEVER_WRITTEN_HERE = {
    ("UnusableCredential", "authorize"): "a credential of another type: tests/unit/runtime/test_observability.py",
}


def is_of_aws(metric: Metric) -> bool:
    names = sorted(name for name, _ in metric.dimensions)
    return any(
        metric.namespace == listed["namespace"] and metric.name in listed["names"] and names in listed["dimensions"]
        for listed in AWS_METRICS
    )


def written_by_handlers(recorded: Recorded, made: Monitoring) -> set[Metric]:
    """What the lines of real handlers count, and what the stack's metric filters count."""
    embedded = {
        metric
        for call in recorded.calls.values()
        for line in (call.line, *call.others)
        if line.startswith("{")
        for metric, _ in embedded_metrics(json.loads(line))
    }
    return embedded | {Metric.of(each.namespace, each.name) for each in made.filters}


def metrics_on(widgets: list[Widget]) -> set[Metric]:
    return {metric for widget in widgets if widget.kind == "metric" for metric, _ in widget.rows if metric is not None}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_every_metric_is_of_a_real_line_or_listed_by_aws(entry: dict[str, str], recorded: Recorded) -> None:
    """Of alarms and of the dashboard alike: namespace, name and dimensions."""
    made = monitoring(**entry)
    watched = {query.metric for alarm in made.alarms.values() for query in alarm.queries}
    known = written_by_handlers(recorded, made)

    unknown = {
        metric for metric in watched | metrics_on(list(widgets_of(made.dashboard))) if not is_of_aws(metric)
    } - known

    assert {(metric.name, dict(metric.dimensions).get("service")) for metric in unknown} == NEVER_WRITTEN_HERE.keys()
    assert any(not is_of_aws(metric) for metric in watched)


def test_every_kind_of_round_was_written(recorded: Recorded) -> None:
    named = {metric.name for kind in ROUNDS for metric, _ in embedded_metrics(recorded["refresh_keys", kind].record)}

    assert {"RefreshFailed", "StaleKeysSoon", "JwksUriChanged", "KeysReplaced", "PrivateKeyPublished"} <= named


def test_every_search_finds_what_it_is_for(recorded: Recorded, made: Monitoring) -> None:
    known = written_by_handlers(recorded, made)
    expressions = [
        options["expression"]
        for widget in widgets_of(made.dashboard)
        if widget.kind == "metric"
        for metric, options in widget.rows
        if metric is None
    ]
    searches = [search for text in expressions if (search := Search.parse(text))]

    assert len(searches) == sum("SEARCH" in text for text in expressions) == 3
    assert all(any(search.finds(metric) for metric in known) for search in searches)


@pytest.mark.parametrize("parameters", [{}, NOTHING_BESIDE], ids=["everything", "nothing beside"])
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_widgets_fit_and_do_not_overlap(entry: dict[str, str], parameters: dict[str, str]) -> None:
    widgets = widgets_of(monitoring(**entry, **parameters).dashboard)

    covered = [{(x, y) for x in range(w.x, w.x + w.width) for y in range(w.y, w.y + w.height)} for w in widgets]
    assert all(not one & other for one, other in combinations(covered, 2))
    assert max(w.x + w.width for w in widgets) == 24
    everywhere = set().union(*covered)
    assert len(everywhere) == 24 * max(w.y + w.height for w in widgets)


def test_each_row_begins_with_a_question_and_names_a_section_that_exists(made: Monitoring) -> None:
    widgets = widgets_of(made.dashboard)
    texts = [widget.properties["markdown"] for widget in widgets if widget.kind == "text"]
    rows = {widget.y - 2 for widget in widgets if widget.kind == "metric"}

    assert rows == {widget.y for widget in widgets if widget.kind == "text" and widget.y > 0}
    assert all(text.splitlines()[0].endswith("?") for text in texts[1:])
    for text in texts:
        pages = re.findall(r"(docs/[\w/.-]+\.md)(?:#([\w-]+))?", text)
        assert pages
        for page, anchor in pages:
            headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, f"{page}#{anchor}"


def test_all_alarms_are_on_it(made: Monitoring) -> None:
    (widget,) = (widget for widget in widgets_of(made.dashboard) if widget.kind == "alarm")

    named = [arn.rpartition(":auth-jwt-")[2] for arn in widget.properties["alarms"]]

    assert sorted(named) == sorted(made.alarms)
    assert len(named) <= 100


def test_what_the_stack_does_not_have_is_said_instead_of_an_empty_graph() -> None:
    texts = [
        widget.properties["markdown"].splitlines()[0]
        for widget in widgets_of(monitoring(**NOTHING_BESIDE).dashboard)
        if widget.kind == "text"
    ]

    assert {"## No alarms", "## No issuers", "## No daily check", "## No rotation"} <= set(texts)


def test_dashboards_of_two_regions_have_two_names(made: Monitoring) -> None:
    """Names of dashboards are global (AWS::CloudWatch::Dashboard), and a stack may stand in several regions."""
    (properties,) = made.of_type("AWS::CloudWatch::Dashboard").values()

    assert properties["DashboardName"] == "auth-jwt-eu-central-1"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", properties["DashboardName"])


@pytest.mark.parametrize("make", [normal_hour, bad_hour])
def test_every_graph_of_the_first_rows_has_values_to_draw(make: object, recorded: Recorded, made: Monitoring) -> None:
    hour: Hour = make(recorded, made)  # type: ignore[operator]
    graphs = [widget for widget in widgets_of(made.dashboard) if widget.kind == "metric" and widget.y <= 16]

    for graph in graphs:
        lines = graph.lines(hour.metrics, BEGINNING + HOUR, HOUR)
        assert any(value is not None for line in lines for value in line.values), graph.title


def test_the_graph_of_the_outage_tells_us_from_them(recorded: Recorded, made: Monitoring) -> None:
    hour = bad_hour(recorded, made)
    (graph,) = (widget for widget in widgets_of(made.dashboard) if widget.title == "Who failed requests")

    lines = {line.label: line.values for line in graph.lines(hour.metrics, BEGINNING + HOUR, HOUR)}

    in_the_outage = slice(20, 27)
    faults = lines["faults that the function counted"][in_the_outage]
    assert lines["5xx at the entry"][in_the_outage] == faults
    assert min(value or 0 for value in faults) > 80


def test_the_parameters_are_those_of_the_interface() -> None:
    assert {"Stack", "AlarmTopicArn", "RotatedSecretArn", "RestApiName", "HttpApiId"} <= EVERYTHING.keys()

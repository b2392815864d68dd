"""The judge of alarms does what CloudWatch's pages say, by their own tables."""

import json

import pytest

from tools.dashboard.alarms import Alarm, State, Unsupported
from tools.dashboard.expressions import UnknownExpression, evaluate
from tools.dashboard.metrics import Metric, MetricFilter, Metrics, NeverCounted, statistic_of
from tools.dashboard.patterns import UnknownPattern, event_matches, matches

SECRETS = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "f"})


def an_alarm(*, to_alarm: int = 3, periods: int = 3, **properties: object) -> Alarm:
    usual = {
        "AlarmDescription": "",
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": periods,
        "DatapointsToAlarm": to_alarm,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    return Alarm.from_properties("AnAlarm", {**usual, **properties})


@pytest.mark.parametrize(
    ("to_alarm", "points", "breaching", "not_breaching"),
    [
        (3, "0-X-X", "OK", "OK"),
        (3, "0----", "OK", "OK"),
        (3, "-----", "ALARM", "OK"),
        (3, "0XX-X", "ALARM", "ALARM"),
        (3, "----X", "ALARM", "OK"),
        (3, "X----", "ALARM", "OK"),
        (2, "0-X-X", "ALARM", "ALARM"),
        (2, "00X0X", "ALARM", "ALARM"),
        (2, "0-X--", "ALARM", "OK"),
        (2, "----0", "ALARM", "OK"),
        (2, "----X", "ALARM", "OK"),
    ],
)
def test_missing_data_are_judged_as_the_tables_say(
    to_alarm: int, points: str, breaching: str, not_breaching: str
) -> None:
    """The two tables of "Configuring how CloudWatch alarms treat missing data": 3 of 3, and 2 of 3 periods."""
    series = tuple({"0": 0.0, "X": 1.0, "-": None}[point] for point in points)

    states = [
        an_alarm(to_alarm=to_alarm, TreatMissingData=missing).judge(series) for missing in ("breaching", "notBreaching")
    ]

    assert states == [State(breaching), State(not_breaching)]


@pytest.mark.parametrize("missing", ["ignore", "missing"])
def test_what_is_not_judged_here_is_an_error(missing: str) -> None:
    with pytest.raises(Unsupported, match=missing):
        an_alarm(TreatMissingData=missing)


def test_a_period_has_its_first_second_and_not_the_next_periods() -> None:
    metrics = Metrics()
    for second in (59, 60, 119, 120):
        metrics.put(SECRETS, second, 1)

    assert metrics.series(SECRETS, "Sum", 60, 180, 3) == (1, 2, 1)
    assert metrics.series(SECRETS, "SampleCount", 60, 240, 1) == (None,)


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("Sum", 5050),
        ("Maximum", 100),
        ("Minimum", 1),
        ("Average", 50.5),
        ("SampleCount", 100),
        ("p99", 99),
        ("p50", 50),
    ],
)
def test_statistics(statistic: str, value: float) -> None:
    assert statistic_of(statistic, list(range(1, 101))) == value


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("metric1 < metric2", (0, 0, 1, 0)),
        ("metric1 >= 30", (1, 0, 0, 0)),
        ("metric1 > 15 AND metric2 > 15", (1, 0, 0, 0)),
        ("metric1 - metric2", (10, 20, -20, 0)),
        ("metric1 / metric2", (1.5, None, 0, None)),
        ("FILL(metric2, 5)", (20, 5, 20, 5)),
        ("metric1 / PERIOD(metric1)", (0.5, 20 / 60, 0, 0)),
        ("FILL(never, 0) + metric1", (30, 20, 0, 0)),
        ("metric1 - never", (None, None, None, None)),
        ("IF(never > 3, 100 * never / metric1, 0)", (None, None, None, None)),
    ],
)
def test_arithmetic_and_comparisons_are_as_the_page_says(expression: str, values: tuple[float | None, ...]) -> None:
    """By "Using metric math": missing values count as 0, and a division by zero drops the point.

    Nothing is said there about a metric that has never had a point, so none may be relied on.
    """
    series = {
        "metric1": (30.0, 20.0, 0.0, 0.0),
        "metric2": (20.0, None, 20.0, None),
        "never": NeverCounted((None, None, None, None)),
    }

    assert evaluate(expression, series, {"metric1": 60}) == pytest.approx(values)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("IF(metric1, metric2, metric3)", (30, 0, 20, None, None)),
        ("IF(metric1, 5, metric3)", (5, 5, 20, None, None)),
        ("IF(metric1, metric2, 5)", (30, 0, 5, 5, None)),
    ],
)
def test_if_is_as_the_page_says(expression: str, values: tuple[float | None, ...]) -> None:
    series = {
        "metric1": (1.0, 1.0, 0.0, 0.0, None),
        "metric2": (30.0, None, 0.0, 0.0, 30.0),
        "metric3": (0.0, 0.0, 20.0, None, 20.0),
    }

    assert evaluate(expression, series) == values


@pytest.mark.parametrize("expression", ["MAX(metric1)", "3 + 4", "nobody", "metric1 ** 2"])
def test_an_unknown_expression_is_an_error(expression: str) -> None:
    with pytest.raises(UnknownExpression):
        evaluate(expression, {"metric1": (1.0,)})


@pytest.mark.parametrize(
    ("pattern", "line", "counts"),
    [
        ('{ ($.status = "429") && ($.resource != "/health") }', {"status": "429", "resource": "/authorize"}, True),
        ('{ ($.status = "429") && ($.resource != "/health") }', {"status": "429", "resource": "/health"}, False),
        ('{ ($.status = "429") && ($.resource != "/health") }', {"status": "200", "resource": "/authorize"}, False),
        ('{ ($.status = "429") && ($.resource != "/health") }', {"status": 429, "resource": "/authorize"}, False),
        ('{ ($.outcome = "authorized") && ($.Authorized NOT EXISTS) }', {"outcome": "authorized"}, True),
        (
            '{ ($.outcome = "authorized") && ($.Authorized NOT EXISTS) }',
            {"outcome": "authorized", "Authorized": 1},
            False,
        ),
        ('{ ($.service = "*") && ($.outcome = "authorized") }', {"service": "a", "outcome": "authorized"}, True),
        ('{ ($.service = "*") && ($.outcome = "authorized") }', {"outcome": "authorized"}, False),
        ("{ $.detail.code = 3 }", {"detail": {"code": 3}}, True),
        ('"RotatedSecret-a1b2c3"', {"detail": {"SecretId": "arn:aws:RotatedSecret-a1b2c3-x"}}, True),
        ('"RotatedSecret-a1b2c3"', {"detail": {}}, False),
    ],
)
def test_filters(pattern: str, line: dict[str, object], counts: bool) -> None:
    assert matches(pattern, json.dumps(line)) is counts


def test_a_filter_counts_beside_embedded_metrics_and_with_the_same_dimensions() -> None:
    """A line of an authorized request may have its metric embedded or not: either way it counts once."""
    pattern = '{ ($.outcome = "authorized") && ($.Authorized NOT EXISTS) }'
    metrics = Metrics([MetricFilter(pattern, "AuthJwt/s", "Authorized", "1", {"service": "$.service"})])
    lean = {"service": "authorize", "outcome": "authorized"}
    directive = {"Namespace": "AuthJwt/s", "Dimensions": [["service"]], "Metrics": [{"Name": "Authorized"}]}

    metrics.add_line(json.dumps(lean), 30)
    metrics.add_line(json.dumps({**lean, "_aws": {"CloudWatchMetrics": [directive]}, "Authorized": 1}), 31)
    metrics.add_line("START RequestId: 1", 32)

    authorized = Metric.of("AuthJwt/s", "Authorized", {"service": "authorize"})
    assert metrics.series(authorized, "Sum", 60, 60, 1) == (2,)
    assert metrics.named() == [authorized]


@pytest.mark.parametrize("pattern", ["ERROR", "{ $.a > 3 }", '{ $.a = "x" || $.b = "y" }', "[a, b]"])
def test_an_unknown_filter_is_an_error(pattern: str) -> None:
    with pytest.raises(UnknownPattern):
        matches(pattern, "{}")


def test_a_rule_with_anything_but_texts_is_an_error() -> None:
    with pytest.raises(UnknownPattern):
        event_matches({"source": [{"prefix": "aws."}]}, {"source": "aws.secretsmanager"})

"""Alarms, judged as CloudWatch judges them: M of N periods, and what missing data counts as.

CloudWatch looks at more periods than N, and fills missing ones as seldom as it can:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html. How many more is not
documented for every period; its examples look at 5 for N = 3, so this is N + 2 here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tools.dashboard.expressions import evaluate
from tools.dashboard.metrics import Metric, Metrics, Series

FURTHER_PERIODS: Final = 2
MINUTE: Final = 60


class State(StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Unsupported(Exception):
    """The alarm has a property that is not judged here."""


@dataclass(frozen=True, slots=True)
class Query:
    """A metric that an alarm reads.

    Attributes:
        id: its name in the alarm's expression.
        metric: the metric.
        statistic: of each period.
    """

    id: str
    metric: Metric
    statistic: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """An `AWS::CloudWatch::Alarm`.

    Attributes:
        name: its logical id.
        queries: the metrics that it reads.
        expression: what it watches; the only query's id where the alarm has no expression.
        period: seconds of a period.
        periods: N, how many of the last periods are judged.
        to_alarm: M, how many of them must breach.
        is_above: whether a value above the threshold breaches, or one below.
        threshold: the threshold.
        missing_breaches: whether a missing value counts as one that breaches.
        warm_up: seconds after its creation in which it has no state, unless data fill its periods before.
        description: what it says to whoever is told.
    """

    name: str
    queries: Sequence[Query]
    expression: str
    period: int
    periods: int
    to_alarm: int
    is_above: bool
    threshold: float
    missing_breaches: bool
    warm_up: int
    description: str

    @classmethod
    def from_properties(cls, name: str, properties: Mapping[str, Any]) -> "Alarm":
        """Read a resource of a template whose references are written out.

        Raises:
            Unsupported: its missing data are neither breaching nor not.
        """
        if properties["TreatMissingData"] not in ("breaching", "notBreaching"):
            raise Unsupported(f"{name}: missing data are {properties['TreatMissingData']}")
        queries, expression, period = _watched(properties)
        warm_up = properties.get("WarmUpConfiguration", {}).get("WarmUpPeriodDurationInMinutes", 0)
        return cls(
            name,
            queries,
            expression,
            period,
            properties["EvaluationPeriods"],
            properties["DatapointsToAlarm"],
            {"GreaterThanThreshold": True, "LessThanThreshold": False}[properties["ComparisonOperator"]],
            properties["Threshold"],
            properties["TreatMissingData"] == "breaching",
            int(warm_up) * MINUTE,
            properties["AlarmDescription"],
        )

    def series(self, metrics: Metrics, now: int, count: int) -> Series:
        """Return what the alarm watches in the last *count* periods before *now*."""
        read = {
            query.id: metrics.of_alarm(query.metric, query.statistic, self.period, now, count) for query in self.queries
        }
        return evaluate(self.expression, read)

    def state(self, metrics: Metrics, now: int, *, created: int | None = None) -> State:
        """Return the state at second *now* of an alarm that was *created* then, or long ago."""
        series = self.series(metrics, now, self.periods + FURTHER_PERIODS)
        if created is not None and now < created + self.warm_up and None in series[-self.periods :]:
            return State.INSUFFICIENT_DATA
        return self.judge(series)

    def judge(self, series: Series) -> State:
        """Return the state by the values of the last periods, of which there are a few more than N."""
        given = [value for value in series if value is not None][-self.periods :]
        breaching = sum(value > self.threshold if self.is_above else value < self.threshold for value in given)
        if self.missing_breaches:
            breaching += self.periods - len(given)
        return State.ALARM if breaching >= self.to_alarm else State.OK

    def states(self, metrics: Metrics, start: int, end: int, *, step: int = MINUTE) -> Sequence[State]:
        """Return the states from second *start* to second *end*, both included, every *step* seconds."""
        return [self.state(metrics, now) for now in range(start, end + 1, step)]


def _watched(properties: Mapping[str, Any]) -> tuple[Sequence[Query], str, int]:
    if "MetricName" in properties:
        statistic = properties.get("Statistic") or properties["ExtendedStatistic"]
        return (Query("watched", metric_of(properties), statistic),), "watched", properties["Period"]
    (watched,) = (query for query in properties["Metrics"] if query["ReturnData"])
    stats = {query["Id"]: query["MetricStat"] for query in properties["Metrics"] if "MetricStat" in query}
    (period,) = {stat["Period"] for stat in stats.values()}
    queries = [Query(id_, metric_of(stat["Metric"]), stat["Stat"]) for id_, stat in stats.items()]
    return queries, watched["Expression"], period


def metric_of(properties: Mapping[str, Any]) -> Metric:
    """Return the metric that an alarm's properties name."""
    dimensions = {each["Name"]: each["Value"] for each in properties.get("Dimensions", [])}
    return Metric.of(properties["Namespace"], properties["MetricName"], dimensions)

"""CloudWatch's metrics, as far as alarms and the dashboard need them: points in, statistics of periods out.

Points come from lines of the log, by CloudWatch's embedded metric format or by a metric filter, or are put in, as AWS's
services put theirs.
"""

import json
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tools.dashboard.patterns import matches, value_at

Series = tuple[float | None, ...]
"""One value for each period, oldest first; None where there is no point."""


class NeverCounted(tuple[None, ...]):
    """The series of a metric that has never had a point.

    For CloudWatch there is no such metric. What arithmetic makes of it is not documented, so here it makes nothing:
    whoever needs a value says `FILL`.
    """

    __slots__ = ()


_STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """What names a metric.

    Attributes:
        namespace: `AuthJwt/STACK`, or one of AWS's.
        name: the metric's name.
        dimensions: names and values. A metric with other dimensions is another metric.
    """

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> "Metric":
        """Name a metric by plain *dimensions*."""
        return cls(namespace, name, frozenset((dimensions or {}).items()))


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """An `AWS::Logs::MetricFilter`.

    Attributes:
        pattern: which lines count.
        namespace: of the metric.
        name: of the metric.
        value: what a line counts: a number, or `$.member`.
        dimensions: `$.member` of the line, by the dimension's name.
    """

    pattern: str
    namespace: str
    name: str
    value: str = "1"
    dimensions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> "MetricFilter":
        """Read a resource of a template whose references are written out."""
        (transformation,) = properties["MetricTransformations"]
        return cls(
            properties["FilterPattern"],
            transformation["MetricNamespace"],
            transformation["MetricName"],
            str(transformation["MetricValue"]),
            {each["Key"]: each["Value"] for each in transformation.get("Dimensions", [])},
        )


class Metrics:
    """The points of all metrics.

    Args:
        filters: the metric filters of the log groups whose lines are added.
    """

    def __init__(self, filters: Iterable[MetricFilter] = ()) -> None:
        self._filters = tuple(filters)
        self._points: dict[Metric, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._seconds: dict[Metric, list[int]] = {}

    def put(self, metric: Metric, second: int, *values: float) -> None:
        """Put *values* in, as a service of AWS does."""
        self._points[metric][second].extend(values)
        self._seconds.pop(metric, None)

    def add_line(self, line: str, second: int) -> None:
        """Count a *line* of the log, as if it was written at *second*."""
        record = _object_or_none(line)
        if record is not None:
            for metric, values in embedded_metrics(record):
                self.put(metric, second, *values)
        for each in self._filters:
            if matches(each.pattern, line):
                dimensions = {name: str(value_at(record, path)) for name, path in each.dimensions.items()}
                value = value_at(record, each.value) if each.value.startswith("$") else each.value
                self.put(Metric.of(each.namespace, each.name, dimensions), second, float(str(value)))

    def series(self, metric: Metric, statistic: str, period: int, end: int, count: int) -> Series:
        """Return the *statistic* of the *count* periods, *period* seconds each, that end before second *end*."""
        points = self._points.get(metric)
        if points is None:
            return (None,) * count
        seconds = self._seconds.get(metric)
        if seconds is None:
            seconds = self._seconds[metric] = sorted(points)
        values: list[float | None] = []
        for start in range(end - period * count, end, period):
            within = seconds[bisect_left(seconds, start) : bisect_left(seconds, start + period)]
            values.append(statistic_of(statistic, [value for second in within for value in points[second]]))
        return tuple(values)

    def of_alarm(self, metric: Metric, statistic: str, period: int, end: int, count: int) -> Series:
        """Return the same, as an alarm must expect it: see `NeverCounted`."""
        if any(second < end for second in self._points.get(metric, ())):
            return self.series(metric, statistic, period, end, count)
        return NeverCounted((None,) * count)

    def named(self) -> Sequence[Metric]:
        """Return all metrics that have a point."""
        return [metric for metric, points in self._points.items() if points]


def embedded_metrics(record: Mapping[str, Any]) -> Iterable[tuple[Metric, list[float]]]:
    """Give each metric of a *record* in the embedded metric format, once for each set of dimensions."""
    for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
        for definition in directive["Metrics"]:
            value = record[definition["Name"]]
            values = [float(each) for each in (value if isinstance(value, list) else [value])]
            for names in directive["Dimensions"]:
                dimensions = {name: str(record[name]) for name in names}
                yield Metric.of(directive["Namespace"], definition["Name"], dimensions), values


def statistic_of(statistic: str, values: Sequence[float]) -> float | None:
    """Return a *statistic* of *values*, None without any. A percentile is a value of those given (nearest rank)."""
    if not values:
        return None
    if statistic.startswith("p"):
        return sorted(values)[math.ceil(float(statistic[1:]) / 100 * len(values)) - 1]
    return float(_STATISTICS[statistic](values))


def _object_or_none(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None

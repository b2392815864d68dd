"""The body of a dashboard: its widgets, and what each of their lines shows.

By https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.dashboard.expressions import evaluate
from tools.dashboard.metrics import Metric, Metrics, Series

_SEARCH: Final = re.compile(r"SEARCH\('\{([^,}]+)((?:,\w+)*)\} ([^']*)', '(\w+)', (\d+)\)")
_TERM: Final = re.compile(r'(\w+)="([^"]*)"')
_DAYS: Final = re.compile(r"-P(\d+)D")
_QUOTA: Final = re.compile(r"SERVICE_QUOTA\((\w+)\)")
ACCOUNT_QUOTA: Final = 1000.0
"""What `SERVICE_QUOTA` gives here: the default of Lambda's concurrent executions, per region."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of a graph shows.

    Attributes:
        label: its name in the legend.
        colour: its colour, None where CloudWatch chooses.
        values: one for each period.
    """

    label: str
    colour: str | None
    values: Series


@dataclass(frozen=True, slots=True)
class Search:
    """A search for metrics.

    Attributes:
        namespace: of the metrics.
        dimensions: the names of all their dimensions.
        terms: what `MetricName` or a dimension must be.
        statistic: of each period.
        period: in seconds.
    """

    namespace: str
    dimensions: frozenset[str]
    terms: Mapping[str, str]
    statistic: str
    period: int

    @classmethod
    def parse(cls, expression: str) -> "Search | None":
        """Read an expression, None where it is no search."""
        found = _SEARCH.fullmatch(expression)
        if found is None:
            return None
        dimensions = frozenset(found[2].split(",")[1:])
        return cls(found[1], dimensions, dict(_TERM.findall(found[3])), found[4], int(found[5]))

    def finds(self, metric: Metric) -> bool:
        """Return whether the search finds a *metric*."""
        given = {"MetricName": metric.name, **dict(metric.dimensions)}
        is_of_schema = metric.namespace == self.namespace and given.keys() - {"MetricName"} == self.dimensions
        return is_of_schema and all(given.get(name) == value for name, value in self.terms.items())


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget.

    Attributes:
        kind: `metric`, `text` or `alarm`.
        x: the column of its left edge, of 24.
        y: the row of its upper edge.
        width: in columns.
        height: in rows.
        properties: what the kind wants.
    """

    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Its title, empty without one."""
        return str(self.properties.get("title", ""))

    @property
    def rows(self) -> Sequence[tuple[Metric | None, Mapping[str, Any]]]:
        """What its graph is of: a metric, or None where it is an expression, each with its options."""
        return [_row(row) for row in self.properties["metrics"]]

    def seconds(self, otherwise: int) -> int:
        """Return how much time its graph shows: as many days as its own `start` says, or what it is *otherwise*."""
        days = _DAYS.fullmatch(self.properties.get("start", ""))
        return int(days[1]) * 86_400 if days else otherwise

    def lines(self, metrics: Metrics, end: int, otherwise: int) -> Sequence[Line]:
        """Return the lines of the graph for the time before second *end*, *otherwise* as `seconds` has it."""
        seconds = self.seconds(otherwise)
        count = max(seconds // self.properties["period"], 1)
        read: dict[str, Series] = {}
        shown: list[tuple[Mapping[str, Any], Series | None]] = []
        for metric, options in self.rows:
            series = None
            if metric is not None:
                statistic = options.get("stat", self.properties["stat"])
                series = metrics.series(metric, statistic, self.properties["period"], end, count)
                read[options.get("id", "")] = series
            if options.get("visible", True):
                shown.append((options, series))
        lines: list[Line] = []
        for options, series in shown:
            if series is not None:
                lines.append(Line(options["label"], options.get("color"), series))
            else:
                lines.extend(self._calculated(options, metrics, read, end, seconds))
        return lines

    def _calculated(
        self, options: Mapping[str, Any], metrics: Metrics, read: Mapping[str, Series], end: int, seconds: int
    ) -> Sequence[Line]:
        expression, label = options["expression"], options["label"]
        if search := Search.parse(expression):
            found = [metric for metric in metrics.named() if search.finds(metric)]
            count = max(seconds // search.period, 1)
            lines = [
                Line(
                    ", ".join(value for name, value in sorted(metric.dimensions) if name not in search.terms),
                    None,
                    metrics.series(metric, search.statistic, search.period, end, count),
                )
                for metric in found
            ]
            return sorted(lines, key=lambda line: line.label)
        if quota := _QUOTA.fullmatch(expression):
            return [Line(label, options.get("color"), tuple([ACCOUNT_QUOTA] * len(read[quota[1]])))]
        periods = dict.fromkeys(read, self.properties["period"])
        return [Line(label, options.get("color"), evaluate(expression, read, periods))]


def widgets_of(body: Mapping[str, Any]) -> Sequence[Widget]:
    """Return the widgets of a dashboard's *body*."""
    return [
        Widget(each["type"], each["x"], each["y"], each["width"], each["height"], each["properties"])
        for each in body["widgets"]
    ]


def _row(row: Sequence[Any]) -> tuple[Metric | None, Mapping[str, Any]]:
    *named, options = row
    if not named:
        return None, options
    namespace, name, *dimensions = named
    pairs = dict(zip(dimensions[::2], dimensions[1::2], strict=True))
    return Metric.of(namespace, name, pairs), options

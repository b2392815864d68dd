"""CloudWatch Logs Insights on lines in memory: `filter`, `stats ... by`, `sort`, `display`, `limit`, no more.

By https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html. A member within a member has a dot in
its name, as in `detail.eventName`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.dashboard.metrics import statistic_of

Row = Mapping[str, Any]

_FIELD: Final = r"(@?[A-Za-z_][\w.@]*)"
_COMPARISON: Final = re.compile(rf'{_FIELD}\s*(=|!=|like)\s*"([^"]*)"')
_PRESENT: Final = re.compile(rf"ispresent\({_FIELD}\)")
_AGGREGATE: Final = re.compile(
    rf"(count_distinct|count|max|min|sum|pct)\((\*|{_FIELD[1:-1]})(?:,\s*(\d+))?\)\s+as\s+(\w+)"
)


class UnknownQuery(Exception):
    """The query has something that is not known here."""


@dataclass(frozen=True, slots=True)
class Log:
    """Lines of a log group, each with the second in which it was written."""

    lines: Sequence[tuple[int, str]]

    def run(self, query: str) -> list[Row]:
        """Return what a *query* finds."""
        rows: list[Row] = [_row(second, line) for second, line in self.lines]
        for command in re.split(r"\|(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", query):
            name, _, rest = command.strip().partition(" ")
            if name not in _COMMANDS:
                raise UnknownQuery(f"{name}: {query}")
            rows = _COMMANDS[name](rows, rest.strip())
        return rows


def _row(second: int, line: str) -> Row:
    try:
        record = json.loads(line)
    except ValueError:
        record = {}
    row = {"@timestamp": second, "@message": line}
    _flatten("", record, row)
    return row


def _flatten(prefix: str, value: Any, into: dict[str, Any]) -> None:
    for name, member in value.items():
        if isinstance(member, Mapping):
            _flatten(f"{prefix}{name}.", member, into)
        else:
            into[f"{prefix}{name}"] = member


def _filter(rows: list[Row], condition: str) -> list[Row]:
    return [row for row in rows if _holds(condition, row)]


def _holds(condition: str, row: Row) -> bool:
    if " or " in condition:
        return any(_holds(part, row) for part in condition.split(" or "))
    if " and " in condition:
        return all(_holds(part, row) for part in condition.split(" and "))
    if present := _PRESENT.fullmatch(condition.strip()):
        return row.get(present[1]) is not None
    found = _COMPARISON.fullmatch(condition.strip())
    if found is None:
        raise UnknownQuery(condition)
    given = row.get(found[1])
    text = None if given is None else str(given)
    if found[2] == "like":
        return text is not None and found[3] in text
    return (text == found[3]) == (found[2] == "=") and (found[2] == "=" or text is not None)


def _stats(rows: list[Row], rest: str) -> list[Row]:
    calls, _, by = rest.partition(" by ")
    aggregates = _AGGREGATE.findall(calls)
    if re.sub(r"[\s,]", "", _AGGREGATE.sub("", calls)) or not aggregates:
        raise UnknownQuery(rest)
    names = [name.strip() for name in by.split(",")] if by else []
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(name) for name in names)].append(row)
    return [
        {**dict(zip(names, key, strict=True)), **{call[3]: _aggregate(call, group) for call in aggregates}}
        for key, group in groups.items()
    ]


def _aggregate(call: tuple[str, ...], rows: list[Row]) -> float | None:
    function, field, percent, _ = call
    if field == "*":
        return len(rows)
    if function == "count_distinct":
        return len({row[field] for row in rows if row.get(field) is not None})
    values = [float(row[field]) for row in rows if row.get(field) is not None]
    statistic = {"max": "Maximum", "min": "Minimum", "sum": "Sum", "pct": f"p{percent}", "count": "SampleCount"}
    return statistic_of(statistic[function], values)


def _sort(rows: list[Row], rest: str) -> list[Row]:
    field, _, order = rest.partition(" ")
    return sorted(rows, key=lambda row: (row.get(field) is None, row.get(field)), reverse=order == "desc")


def _display(rows: list[Row], rest: str) -> list[Row]:
    return [{name.strip(): row.get(name.strip()) for name in rest.split(",")} for row in rows]


def _limit(rows: list[Row], rest: str) -> list[Row]:
    return rows[: int(rest)]


_COMMANDS: Final[Mapping[str, Callable[[list[Row], str], list[Row]]]] = {
    "filter": _filter,
    "stats": _stats,
    "sort": _sort,
    "display": _display,
    "limit": _limit,
}

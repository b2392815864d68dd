"""Patterns: those of metric filters on lines of the log, and those of EventBridge's rules on events.

Only the forms that the templates use are known; every other one is an error. Sources:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_PHRASE: Final = re.compile(r'"([^"]+)"')
_PATH: Final = r"(\$\.[\w.]+)"
_COMPARISON: Final = re.compile(rf'{_PATH} (=|!=) "([^"]*)"')
_NUMBERS: Final = re.compile(rf"{_PATH} (=|!=) (-?\d+(?:\.\d+)?)")
_ABSENT: Final = re.compile(rf"{_PATH} NOT EXISTS")


class UnknownPattern(Exception):
    """The pattern has a form that is not known here."""


def matches(pattern: str, line: str) -> bool:
    """Return whether a *line* counts by a filter's *pattern*: a quoted phrase, or `{ (condition) && (condition) }`."""
    if phrase := _PHRASE.fullmatch(pattern.strip()):
        return phrase[1] in line
    if not (pattern.startswith("{") and pattern.endswith("}")):
        raise UnknownPattern(pattern)
    try:
        record = json.loads(line)
    except ValueError:
        return False
    conditions = pattern[1:-1].strip().split("&&")
    return isinstance(record, dict) and all(_holds(each.strip("() "), record) for each in conditions)


def value_at(record: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    """Return what a *record* has at `$.a.b`, None when it has nothing there."""
    for name in path.removeprefix("$.").split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _holds(condition: str, record: Mapping[str, Any]) -> bool:
    if absent := _ABSENT.fullmatch(condition):
        return value_at(record, absent[1]) is None
    if texts := _COMPARISON.fullmatch(condition):
        value = value_at(record, texts[1])
        is_equal = texts[3] in ("*", value)  # a * alone stands for any text
        return isinstance(value, str) and is_equal == (texts[2] == "=")
    if numbers := _NUMBERS.fullmatch(condition):
        value = value_at(record, numbers[1])
        return isinstance(value, int | float) and (value == float(numbers[3])) == (numbers[2] == "=")
    raise UnknownPattern(condition)


def event_matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether an *event* matches a rule's *pattern*, whose leaves are lists of accepted values."""
    for name, wanted in pattern.items():
        given = event.get(name)
        if isinstance(wanted, Mapping):
            if not (isinstance(given, Mapping) and event_matches(wanted, given)):
                return False
        elif not all(isinstance(each, str) for each in wanted):
            raise UnknownPattern(f"{name}: {wanted}")
        elif given not in wanted:
            return False
    return True

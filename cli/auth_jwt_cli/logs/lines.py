"""Lines of a log: the JSON in them, whatever a tool has put in front of it, and when they were written."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_PREFIX: Final = 300  # characters that `aws logs tail` and `sam logs` put before a line, at most
_LONGEST: Final = 262_144  # bytes of an event that CloudWatch Logs takes
_BEYOND_TIME: Final = 10**15
DEATHS: Final = ("timeout", "failure")
"""How Lambda says in a line of its own that a request died in the function: after the time-out, or by a crash.

`error` is no such word: it is an exception, by which an authorizer refuses a token, too.
"""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log that is a JSON object.

    Attributes:
        at: when it was written, in UNIX seconds; None if nothing says so.
        record: its members.
    """

    at: float | None
    record: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str | None:
        """Return the member *name* if it is a text."""
        value = self.record.get(name)
        return value if isinstance(value, str) else None


def read_line(text: str, at: float | None = None) -> LogLine | None:
    """Read a line of a log; None if it holds no JSON object.

    Args:
        text: the line, as the function wrote it, or as `aws logs tail`, `sam logs` and `make serve` show it.
        at: when it was written, if the log says so.
    """
    start = text.find("{", 0, _PREFIX)
    if start < 0 or len(text) > _LONGEST:
        return None
    try:
        record = json.loads(text[start:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return LogLine(_time_of(record, text[:start]) if at is None else at, _death_in(record) or record)


def _death_in(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what Lambda's own line says of a request that died, in the words of our lines; None for other lines.

    By https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html, `platform.report`.
    """
    told = record.get("record")
    if record.get("type") != "platform.report" or not isinstance(told, dict) or told.get("status") not in DEATHS:
        return None
    return {"outcome": "died", "reason": told["status"], "request_id": told.get("requestId")}


def read_lines(texts: Iterable[str]) -> Iterator[LogLine]:
    """Read lines of a log, and pass over those that hold no JSON object."""
    for text in texts:
        line = read_line(text)
        if line is not None:
            yield line


def read_time(text: str) -> float | None:
    """Return the UNIX seconds of a time as logs write it, in UTC unless it says otherwise; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time_of(record: Mapping[str, Any], prefix: str) -> float | None:
    """Return when a line was written: by itself, by its metrics, by its audit, or by what stands before it."""
    for stamp in (record.get("timestamp"), record.get("time")):
        if isinstance(stamp, str) and (at := read_time(stamp)) is not None:
            return at
    embedded = record.get("_aws")
    milliseconds = embedded.get("Timestamp") if isinstance(embedded, dict) else None
    if _is_number_of_time(milliseconds):
        return milliseconds / 1000
    seconds = record.get("at")
    if _is_number_of_time(seconds):
        return float(seconds)
    found = _TIME.search(prefix)
    return read_time(found[0]) if found else None


def _is_number_of_time(value: object) -> TypeGuard[int]:
    """Tell whether *value* counts (milli)seconds. Numbers beyond all times are none: they stop no other line."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _BEYOND_TIME

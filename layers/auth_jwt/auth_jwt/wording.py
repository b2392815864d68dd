"""Wording: numbers, instants and durations in plain English, as every explanation words them."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import Final

_NAMES: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_FEW: Final = 10


def pluralize(number: int, word: str) -> str:
    """Return the number with its noun: `1 secret`, `2 secrets`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def format_instant(instant: object, now: float) -> str:
    """Return UNIX seconds as a date in UTC with the distance from *now*; a note for a value that is no instant."""
    date = format_date(instant)
    if not date.endswith("Z") or not isinstance(instant, int | float | Decimal):
        return date
    return f"{date} ({distance(float(instant) - now)})"


def format_date(instant: object) -> str:
    """Return UNIX seconds as a date in UTC, for tables; a note for a value that is no instant."""
    if isinstance(instant, bool) or not isinstance(instant, int | float | Decimal):
        return "none" if instant is None else f"not a number ({type(instant).__name__})"
    try:
        moment = datetime.fromtimestamp(float(instant), UTC)
    except (OverflowError, ValueError, OSError):
        return f"{instant} (no date)"
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def format_duration(seconds: float) -> str:
    """Return a duration in its largest unit, below ten of it also in the next one: `1 hour 30 minutes`."""
    length = abs(seconds)
    if length == inf:
        return "an infinite time"
    for (name, size), (next_name, next_size) in pairwise((*_NAMES, _NAMES[-1])):
        if length >= size:
            few = length < _FEW * size
            whole = round(length / (next_size if few else size)) * (next_size if few else size)
            count, rest = divmod(whole, size)
            return " ".join(
                pluralize(number, word) for number, word in ((count, name), (rest // next_size, next_name)) if number
            )
    return "less than a second" if length else "0 seconds"


def distance(seconds: float) -> str:
    """Return the distance of an instant from now: `in 3 days`, `2 hours ago`, `now`."""
    if abs(seconds) < 1:
        return "now"
    return f"in {format_duration(seconds)}" if seconds > 0 else f"{format_duration(seconds)} ago"

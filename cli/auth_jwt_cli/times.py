"""Instants and durations: reads them as operators write them, and writes them for people."""

import re
import time
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import inf
from typing import Final

import typer

from auth_jwt_cli.output import pluralize

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"([0-9]{1,12})([smhdw]?)")
_RELATIVE: Final = re.compile(r"([+-]?)([0-9]{1,12})([smhdw])")
_UNIX: Final = re.compile(r"-?[0-9]{1,20}")
_NAMES: Final = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_FEW: Final = 10
_FORMS: Final = "UNIX seconds, ISO 8601 (UTC if it names no zone), `now`, or relative to now: `+1h`, `30d`, `-15m`"


def parse_instant(text: str) -> int:
    """Return the UNIX seconds that *text* means: a number, ISO 8601, `now`, or a duration from now.

    Raises:
        typer.BadParameter: *text* has none of these forms.
    """
    if text == "now":
        return int(time.time())
    if _UNIX.fullmatch(text):
        return int(text)
    if relative := _RELATIVE.fullmatch(text):
        seconds = int(relative[2]) * _UNITS[relative[3]]
        return int(time.time()) + (-seconds if relative[1] == "-" else seconds)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; a time is {_FORMS}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def parse_duration(text: str | int) -> int:
    """Return the seconds that *text* means: `90`, `90s`, `5m`, `1h`, `30d`, `2w`. Typer passes a default as a number.

    Raises:
        typer.BadParameter: *text* has none of these forms.
    """
    duration = _DURATION.fullmatch(str(text))
    if duration is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 90 (seconds), 90s, 5m, 1h, 30d or 2w")
    return int(duration[1]) * _UNITS[duration[2] or "s"]


def format_instant(instant: object, now: float) -> str:
    """Return UNIX seconds as a date in UTC with the distance from *now*; a note for a value that is no instant."""
    if isinstance(instant, bool) or not isinstance(instant, int | float | Decimal):
        return "none" if instant is None else f"not a number ({type(instant).__name__})"
    try:
        moment = datetime.fromtimestamp(float(instant), UTC)
    except (OverflowError, ValueError, OSError):
        return f"{instant} (no date)"
    return f"{moment:%Y-%m-%d %H:%M:%S}Z ({distance(float(instant) - now)})"


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

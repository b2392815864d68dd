"""Instants and durations: reads them as operators write them; `auth_jwt.wording` writes them."""

import re
import time
from datetime import UTC, datetime
from typing import Final

import typer

from auth_jwt.wording import distance, format_date, format_duration, format_instant

__all__ = [
    "distance",
    "format_date",
    "format_duration",
    "format_instant",
    "parse_duration",
    "parse_instant",
    "parse_since",
]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"([0-9]{1,12})([smhdw]?)")
_RELATIVE: Final = re.compile(r"([+-]?)([0-9]{1,12})([smhdw])")
_UNIX: Final = re.compile(r"-?[0-9]{1,20}")
_MOST_DIGITS: Final = 8  # of a number that is a duration in seconds; a longer one is UNIX seconds
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


def parse_since(text: str | int) -> int:
    """Return the UNIX seconds since which something is asked: a duration before now, as `15m`, or an instant.

    Raises:
        typer.BadParameter: *text* is neither, or lies in the future.
    """
    duration = _DURATION.fullmatch(str(text))
    if duration is not None and (duration[2] or len(duration[1]) <= _MOST_DIGITS):
        return int(time.time()) - parse_duration(text)
    instant = parse_instant(str(text))
    if instant > time.time():
        raise typer.BadParameter(f"{text!r} is in the future; write 15m, 2h, 7d or a time that has passed")
    return instant


def parse_duration(text: str | int) -> int:
    """Return the seconds that *text* means: `90`, `90s`, `5m`, `1h`, `30d`, `2w`. Typer passes a default as a number.

    Raises:
        typer.BadParameter: *text* has none of these forms.
    """
    duration = _DURATION.fullmatch(str(text))
    if duration is None:
        raise typer.BadParameter(f"{text!r} is not a duration; write 90 (seconds), 90s, 5m, 1h, 30d or 2w")
    return int(duration[1]) * _UNITS[duration[2] or "s"]

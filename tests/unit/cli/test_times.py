"""Instants and durations, as operators write and see them."""

import time
from decimal import Decimal

import pytest
import typer

from auth_jwt_cli.times import distance, format_duration, format_instant, parse_duration, parse_instant, parse_since
from tests.factories import NOW


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("0", 0),
        ("1800000000", NOW),
        ("-1", -1),
        ("2027-01-15", NOW - 8 * 3600),
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15 08:00", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
    ],
)
def test_an_instant_is_a_number_or_iso_8601_in_utc(text: str, instant: int) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    ("text", "offset"),
    [("now", 0), ("+1h", 3600), ("30d", 30 * 86400), ("-15m", -900), ("+2w", 14 * 86400), ("10s", 10)],
)
def test_an_instant_is_so_much_from_now(text: str, offset: int) -> None:
    before = int(time.time())

    assert before <= parse_instant(text) - offset <= int(time.time())


@pytest.mark.parametrize("text", ["", "tomorrow", "1.5", "+1", "1y", "2027-13-01", "++1h", "٣d", "1e9"])
def test_what_is_no_instant_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="UNIX seconds, ISO 8601"):
        parse_instant(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("1d", 86400), ("2w", 1209600), (300, 300)],
)
def test_a_duration_has_a_unit_or_is_seconds(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1y", "1.5h", "h", "+1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (NOW, "2027-01-15 08:00:00Z (now)"),
        (Decimal(NOW + 60), "2027-01-15 08:01:00Z (in 1 minute)"),
        (NOW - 0.5, "2027-01-15 07:59:59Z (now)"),
        (NOW - 7200, "2027-01-15 06:00:00Z (2 hours ago)"),
        (None, "none"),
        (True, "not a number (bool)"),
        ("soon", "not a number (str)"),
        (253402300799, "9999-12-31 23:59:59Z (in 2912064 days)"),
        (253402300800, "253402300800 (no date)"),
        (2**62, f"{2**62} (no date)"),
        (Decimal("1E+125"), "1E+125 (no date)"),
    ],
)
def test_an_instant_is_shown_in_utc_with_its_distance(instant: object, shown: str) -> None:
    assert format_instant(instant, NOW) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 seconds"),
        (0.5, "less than a second"),
        (1, "1 second"),
        (9, "9 seconds"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (5400, "1 hour 30 minutes"),
        (7199, "2 hours"),
        (86400, "1 day"),
        (90000, "1 day 1 hour"),
        (9 * 3600 + 40 * 60, "9 hours 40 minutes"),
        (10 * 3600 + 40 * 60, "11 hours"),
        (365 * 86400 - 0.4, "365 days"),
        (1e308 * 10, "an infinite time"),  # as of the claims of a token
    ],
)
def test_a_duration_is_shown_in_its_largest_units(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
    assert distance(-seconds) == (f"{shown} ago" if seconds >= 1 else "now")
    assert distance(seconds) == (f"in {shown}" if seconds >= 1 else "now")


@pytest.mark.parametrize(
    ("text", "ago"),
    [("15m", 900), ("2h", 7200), ("7d", 7 * 86400), ("90", 90), ("99999999", 99999999), ("-15m", 900), ("now", 0)],
)
def test_since_is_a_duration_before_now(text: str, ago: int) -> None:
    assert time.time() - parse_since(text) == pytest.approx(ago, abs=2)


@pytest.mark.parametrize("text", ["2026-11-01", "1793491200", "2026-11-01T00:00:00Z"])
def test_since_is_an_instant_too(text: str) -> None:
    assert parse_since(text) == 1793491200


@pytest.mark.parametrize("text", ["2100-01-01", "soon", "", "-"])
def test_since_is_neither_the_future_nor_another_text(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_since(text)

"""Secrets that end while no other follows: what is news and what is not, boundaries in pairs."""

from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Unreachable
from auth_jwt.issuers.models import KEYS_ROW, REGISTRY_TAG
from auth_jwt.models import Columns, Policy, Secret
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.endings import (
    MAX_LOOKED_UP,
    CountedEndings,
    Ending,
    EndingKind,
    FoundEndings,
    OverdueRotation,
    Pace,
    columns_of_windows,
    ending_of,
    ending_of_records,
    find_endings,
    find_overdue_rotation,
)
from auth_jwt.provisioning.inspection import inspect_secret
from auth_jwt.provisioning.rendering import ending_json
from tests.factories import HMAC_KEY, NOW
from tests.fakes import Clock, MemoryTables, natural

DAY = 86400
WITHIN = 30 * DAY
HORIZON = NOW + WITHIN
YEAR = NOW + 365 * DAY
COLUMNS = Columns()
Window = tuple[object, object]


def secret(number: int, start: object, end: object, **columns: object) -> Secret:
    row = {"id": str(number), "start_ts": start, "end_ts": end, **columns}
    return Secret.from_row(natural({name: value for name, value in row.items() if value is not None}), COLUMNS)


def ending(*windows: Window) -> Ending | None:
    secrets = [secret(number, *window) for number, window in enumerate(windows, 1)]
    found = ending_of("t", secrets, NOW, WITHIN)
    assert ending_of("t", secrets[::-1], NOW, WITHIN) == found, "the order of rows means nothing"
    return found


def soon(secret_id: str, end: Any, opens_again: Any = None) -> Ending:
    return Ending("t", EndingKind.ENDS_SOON, secret_id, end, opens_again)


def ended(secret_id: str, end: Any, opens_again: Any = None) -> Ending:
    return Ending("t", EndingKind.ENDED, secret_id, end, opens_again)


def test_what_was_inspected_is_judged_alike_and_a_value_that_verifies_nothing_covers_nothing() -> None:
    rows = [secret(1, 0, NOW + 9, secret=HMAC_KEY), secret(2, 0, YEAR, secret="short", alg="HS256")]
    records = [inspect_secret(row, "t", Policy(), NOW) for row in rows]

    assert ending_of_records("t", records[:1], NOW, WITHIN) == soon("1", NOW + 9)
    assert ending_of_records("t", records, NOW, WITHIN) == soon("1", NOW + 9)


# -- the windows of one tag -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        pytest.param([(0, HORIZON - 1)], soon("1", HORIZON - 1), id="a second before the horizon"),
        pytest.param([(0, HORIZON)], None, id="exactly at the horizon"),
        pytest.param([(0, HORIZON - Decimal("0.5"))], soon("1", HORIZON - Decimal("0.5")), id="half a second before"),
        pytest.param([(0, NOW + 1)], soon("1", NOW + 1), id="a second from now"),
        pytest.param([(NOW, NOW + 1)], soon("1", NOW + 1), id="open from now on"),
        pytest.param([(0, NOW)], ended("1", NOW), id="ends now, so it has ended"),
        pytest.param([(0, NOW - WITHIN + 1)], ended("1", NOW - WITHIN + 1), id="ended a second less long ago"),
        pytest.param([(0, NOW - WITHIN)], None, id="ended so long ago that it is no news"),
        pytest.param([(NOW + 1, YEAR)], None, id="opens later, and never opened before"),
        pytest.param([(NOW + 1, HORIZON - 1)], soon("1", HORIZON - 1), id="opens later and ends soon"),
        pytest.param([(HORIZON, HORIZON + 1)], None, id="opens and ends beyond the horizon"),
    ],
)
def test_one_secret(windows: list[Window], found: Ending | None) -> None:
    assert ending(*windows) == found


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        pytest.param([(0, NOW + 9), (NOW + 9, YEAR)], None, id="the successor opens in the same second"),
        pytest.param([(0, NOW + 9), (NOW + 10, YEAR)], soon("1", NOW + 9, NOW + 10), id="a gap of one second"),
        pytest.param([(0, NOW + 9), (NOW + 8, YEAR)], None, id="they overlap"),
        pytest.param([(0, NOW + 9), (0, NOW + 20)], soon("2", NOW + 20), id="both end soon: the later one counts"),
        pytest.param([(0, YEAR), (0, NOW + 9)], None, id="one within the other"),
        pytest.param([(0, NOW - 9), (NOW + 9, YEAR)], ended("1", NOW - 9, NOW + 9), id="refused until it opens"),
        pytest.param(
            [(0, NOW + 9), (NOW + 9, NOW + 19), (NOW + 19, HORIZON - 1)], soon("3", HORIZON - 1), id="a chain ends soon"
        ),
        pytest.param([(0, NOW + 9), (NOW + 9, NOW + 19), (NOW + 19, HORIZON)], None, id="a chain long enough"),
        pytest.param(
            [(0, HORIZON - 1), (HORIZON, YEAR)], soon("1", HORIZON - 1, HORIZON), id="the gap begins within the time"
        ),
        pytest.param([(0, HORIZON), (HORIZON + 1, YEAR)], None, id="the gap begins later"),
        pytest.param([(0, NOW - 5), (0, NOW - 9)], ended("1", NOW - 5), id="both ended: the later one counts"),
        pytest.param([(0, 1), (0, YEAR)], None, id="an old one that ended long ago"),
    ],
)
def test_several_secrets(windows: list[Window], found: Ending | None) -> None:
    assert ending(*windows) == found


@pytest.mark.parametrize(
    "window",
    [
        pytest.param((0, None), id="no end: such a window is never open"),
        pytest.param((None, YEAR), id="no start"),
        pytest.param((0, "4102444800"), id="an end in text"),
        pytest.param(("0", YEAR), id="a start in text"),
        pytest.param((YEAR, YEAR), id="empty"),
        pytest.param((YEAR, 0), id="it would end before it starts"),
        pytest.param((NOW + 5, NOW - 5), id="likewise, and lately"),
        pytest.param((NOW * 1000, YEAR * 1000), id="in milliseconds: it opens in a far year"),
    ],
)
def test_a_window_that_does_not_open_follows_nothing(window: Window) -> None:
    found = ending((0, NOW + 9), window)

    assert found is not None
    assert (found.secret_id, found.end) == ("1", NOW + 9)
    assert ending(window) is None, "alone, it was never open: lint tells of it"


@pytest.mark.parametrize(
    "columns", [{"alg": "none"}, {"alg": 5}, {"kid": 5}], ids=["no algorithm", "an alg that is no text", "likewise"]
)
def test_a_secret_that_verifies_nothing_follows_nothing(columns: dict[str, object]) -> None:
    secrets = [secret(1, 0, NOW + 9), secret(2, 0, YEAR, **columns)]

    assert ending_of("t", secrets, NOW, WITHIN) == soon("1", NOW + 9)


def test_without_secrets_there_is_nothing_to_tell() -> None:
    assert ending_of("t", [], NOW, WITHIN) is None


@pytest.mark.parametrize(
    ("found", "command"),
    [
        (soon("1", NOW), "auth-jwt secret rotate t --generate --out FILE"),
        (soon("1", NOW, NOW + 5), f"auth-jwt secret set t 1 --end {NOW + 5}"),
        (ended("1", NOW), "auth-jwt secret add t --generate --out FILE"),
        (ended("1", NOW, NOW + 5), "auth-jwt secret add t --generate --out FILE"),
    ],
)
def test_each_has_a_command_that_mends_it(found: Ending, command: str) -> None:
    assert found.remedy == command


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("a b; rm -rf /", "add 'a b; rm -rf /' --generate --out FILE"),
        ("-x", "add --generate --out FILE -- -x"),
        ("a\0b", r"add 'a\u0000b' --generate --out FILE --escaped"),
        ("\u202eb", r"add '\u202eb' --generate --out FILE --escaped"),
    ],
)
def test_a_tag_that_somebody_chose_is_no_command(tag: str, words: str) -> None:
    assert Ending(tag, EndingKind.ENDED, "1", NOW, None).remedy == f"auth-jwt secret {words}"


def test_as_json_an_ending_has_what_mends_it() -> None:
    assert ending_json(ended("1", Decimal(NOW))) == {
        "tag": "t",
        "id": "1",
        "kind": "ended",
        "end_ts": NOW,
        "opens_again_ts": None,
        "command": "auth-jwt secret add t --generate --out FILE",
    }
    gap = ending_json(soon("1", NOW, NOW + 5))
    assert (gap["kind"], gap["opens_again_ts"]) == ("ends_soon", NOW + 5)


@pytest.mark.parametrize(
    ("found", "is_new"),
    [
        (ended("1", NOW - 26 * 3600 + 1), True),
        (ended("1", NOW - 26 * 3600), False),
        (soon("1", HORIZON - 26 * 3600), True),
        (soon("1", HORIZON - 26 * 3600 - 1), False),
    ],
)
def test_an_ending_is_news_for_a_day_and_two_hours(found: Ending, *, is_new: bool) -> None:
    """A check each day tells of it once, even one that is late."""
    assert found.is_new(NOW, WITHIN) is is_new


@pytest.mark.parametrize(
    ("tag", "secret_id", "words"),
    [
        ("t", "-1", f"set --end {NOW + 5} -- t -1"),
        ("a\0b", "1", rf"set 'a\u0000b' 1 --end {NOW + 5} --escaped"),
    ],
)
def test_one_odd_name_of_two_is_enough(tag: str, secret_id: str, words: str) -> None:
    assert Ending(tag, EndingKind.ENDS_SOON, secret_id, NOW, NOW + 5).remedy == f"auth-jwt secret {words}"


# -- the whole table --------------------------------------------------------------------------------------------------


def tables(*tags: str, rows_a_page: int = 2, **profile: object) -> MemoryTables:
    made = MemoryTables(rows_a_page=rows_a_page)
    for tag in tags:
        made.write_row(Key(Table.PROFILES, tag), {"sip_username": tag, **profile})
    return made


def has(store: MemoryTables, tag: str, secret_id: str, end: object, start: object = 0, **columns: object) -> None:
    window = {"start_ts": start, "end_ts": end, "secret": "s" * 64, **columns}
    store.write_row(Key(Table.SECRETS, tag, secret_id), window)


def find(store: MemoryTables, **options: Any) -> FoundEndings:
    return find_endings(store, COLUMNS, now=NOW, within=WITHIN, **options)


def tags_of(found: FoundEndings) -> tuple[list[str], list[str]]:
    return [each.tag for each in found.soon], [each.tag for each in found.ended]


@pytest.mark.parametrize("rows_a_page", [1, 2, 3, 100])
def test_tags_are_found_whatever_page_their_rows_are_on(rows_a_page: int) -> None:
    store = tables("long", "soon", "sooner", "ended", "rotated", rows_a_page=rows_a_page)
    has(store, "long", "1", YEAR)
    has(store, "soon", "1", NOW + 20)
    has(store, "sooner", "1", NOW + 10)
    has(store, "sooner", "2", NOW + 9)
    has(store, "ended", "1", NOW - 5)
    has(store, "rotated", "1", NOW + 5)
    has(store, "rotated", "2", YEAR, start=NOW + 1)

    found = find(store)

    assert tags_of(found) == (["sooner", "soon"], ["ended"])
    assert (found.rows, found.more_soon, found.more_ended) == (7, 0, 0)


def test_the_last_to_end_is_the_first_of_those_that_ended() -> None:
    store = tables("a", "b", "c")
    for tag, end in (("a", NOW - 9), ("b", NOW - 1), ("c", NOW - 5)):
        has(store, tag, "1", end)

    assert tags_of(find(store)) == ([], ["b", "c", "a"])
    assert tags_of(find(store, most=1)) == ([], ["b"])


def test_rows_of_a_tag_that_come_apart_are_judged_together() -> None:
    store = tables("a", "b")
    has(store, "a", "1", NOW + 9)
    has(store, "b", "1", NOW + 8)
    has(store, "a", "2", YEAR)
    has(store, "b", "2", NOW + 20)

    assert tags_of(find(store)) == (["b"], [])


@pytest.mark.parametrize("disabled", [True, 1, "no", None])
def test_a_disabled_profile_is_no_news(disabled: object) -> None:
    store = tables("t", disabled=disabled)
    has(store, "t", "1", NOW + 9)

    assert tags_of(find(store)) == ([], [])


@pytest.mark.parametrize("disabled", [False, 0])
def test_a_profile_that_is_not_disabled_is(disabled: object) -> None:
    store = tables("t", disabled=disabled)
    has(store, "t", "1", NOW + 9)

    assert tags_of(find(store)) == (["t"], [])


def test_a_tag_without_profile_is_no_news() -> None:
    store = tables()
    has(store, "t", "1", NOW + 9)

    assert tags_of(find(store)) == ([], [])


def test_the_rows_of_issuers_have_no_windows() -> None:
    store = tables("https://login.example.com/")
    store.write_row(Key(Table.SECRETS, "https://login.example.com/", KEYS_ROW), {"issuer_keys": "{}"})
    store.write_row(Key(Table.SECRETS, REGISTRY_TAG, "https://login.example.com/"), {})

    found = find(store)

    assert (tags_of(found), found.rows) == (([], []), 2)


def test_a_secret_cannot_hide_behind_an_issuers_name() -> None:
    store = tables("t")
    has(store, "t", KEYS_ROW, NOW + 9)

    assert tags_of(find(store)) == (["t"], [])


def test_what_was_written_since_the_scan_counts() -> None:
    store = tables("mended", "removed", "closed")
    has(store, "mended", "1", NOW + 9)
    has(store, "removed", "1", NOW + 9)
    has(store, "closed", "1", NOW + 9)

    def meanwhile(_units: float, rows: int) -> None:
        if rows == 3:
            has(store, "mended", "2", YEAR)
            has(store, "closed", "1", NOW - 1)
            store.rows.pop(Key(Table.SECRETS, "removed", "1"), None)

    assert tags_of(find(store, proceed=meanwhile)) == ([], ["closed"])


def test_no_secret_column_is_asked_for() -> None:
    assert set(columns_of_windows(Columns(secret="value"))) == {
        *("corresponding_tag", "id", "start_ts", "end_ts", "alg", "kid")
    }


def test_no_check_reads_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    store = tables("t")
    has(store, "t", "sm-AbCdEf-1", NOW + 9)
    asked: list[Any] = []
    read, scan = store.secrets, store.scan_secrets

    def reading(tag: str, **how: Any) -> Any:
        asked.append(how.get("only"))
        return read(tag, **how)

    def scanning(**how: Any) -> Any:
        asked.append(how.get("only"))
        return scan(**how)

    monkeypatch.setattr(store, "secrets", reading)
    monkeypatch.setattr(store, "scan_secrets", scanning)
    find(store)
    find_overdue_rotation(store, COLUMNS, "t", now=NOW, every=DAY)

    assert asked == [columns_of_windows(COLUMNS)] * 3


def test_the_nearest_are_looked_up_and_all_are_counted() -> None:
    store = tables(*map(str, range(6)))
    for number in range(6):
        has(store, str(number), "1", NOW + 100 - number)
    has(store, "6", "1", NOW - 5)
    has(store, "7", "1", NOW - 50)
    looked_up: list[float] = []

    found = find(store, most=2, proceed=lambda units, _rows: looked_up.append(units))

    assert tags_of(found) == (["5", "4"], [])
    assert (found.more_soon, found.more_ended) == (4, 0)
    assert looked_up.count(0) == 4  # both without a profile, too


@pytest.mark.parametrize("most", [None, 1, 0])
def test_all_are_counted_by_their_kind_and_their_time_looked_up_or_not(most: int | None) -> None:
    ends = {
        "this week": NOW + 7 * DAY - 1,
        "in a week": NOW + 7 * DAY,
        "new": HORIZON - 1,
        "as new": HORIZON - DAY,
        "ended": NOW - DAY,
        "ended long ago": NOW - 2 * DAY,
    }
    store = tables(*ends)
    for tag, end in ends.items():
        has(store, tag, "1", end)

    found = find(store, most=most)

    assert (found.more_soon, found.more_ended) == ((0, 0) if most is None else (4 - 2 * most, 2 - most))
    assert found.counts == CountedEndings(soon=4, new_soon=2, this_week=1, ended=2, new_ended=1)


@pytest.mark.parametrize(("most", "more"), [(3, 0), (2, 1), (None, 0)])
def test_as_many_are_looked_up_as_there_may_be(most: int | None, more: int) -> None:
    store = tables("a", "b", "c")
    for tag in ("a", "b", "c"):
        has(store, tag, "1", NOW - 9)

    found = find(store, most=most)

    assert (len(found.ended), found.more_ended) == (3 - more, more)


def test_a_scan_that_is_given_up_finds_nothing() -> None:
    store = tables("t")
    has(store, "t", "1", NOW + 9)

    def give_up(_units: float, _rows: int) -> None:
        raise Unreachable("no more time")

    with pytest.raises(Unreachable, match="no more time"):
        find(store, proceed=give_up)


def test_a_check_tells_how_far_it_is() -> None:
    store = tables("a", "b", "c")
    has(store, "a", "1", NOW + 9)
    has(store, "b", "1", YEAR)
    has(store, "c", "1", YEAR)
    told: list[tuple[float, int]] = []

    find(store, proceed=lambda units, rows: told.append((units, rows)))

    assert told == [(0.5, 2), (0.5, 3), (0, 3)]  # two pages, and one tag that is looked up


def test_an_empty_table_is_read_to_its_end() -> None:
    assert find(tables()) == FoundEndings([], [], 0, 0, 0)
    assert find(tables()).counts == CountedEndings(soon=0, new_soon=0, this_week=0, ended=0, new_ended=0)
    assert MAX_LOOKED_UP == 1000


# -- rotation ---------------------------------------------------------------------------------------------------------


def overdue(store: MemoryTables, every: float = 31 * DAY) -> OverdueRotation | None:
    return find_overdue_rotation(store, COLUMNS, "t", now=NOW, every=every)


def test_a_rotation_is_overdue_after_its_time_and_not_at_it() -> None:
    store = tables("t")
    has(store, "t", "sm-AbCdEf-1", YEAR, start=NOW - 31 * DAY)

    assert overdue(store) is None
    assert overdue(store, 31 * DAY - 1) == OverdueRotation("t", "sm-AbCdEf-1", NOW - 31 * DAY)


def test_the_newest_rotation_counts_and_no_secret_of_an_operator() -> None:
    store = tables("t")
    has(store, "t", "sm-AbCdEf-1", YEAR, start=NOW - 90 * DAY)
    has(store, "t", "sm-AbCdEf-2", YEAR, start=NOW - 60 * DAY)
    has(store, "t", "1", YEAR, start=NOW)

    assert overdue(store) == OverdueRotation("t", "sm-AbCdEf-2", NOW - 60 * DAY)


def test_a_rotation_that_never_ran_is_overdue() -> None:
    store = tables("t")
    has(store, "t", "1", YEAR, start=NOW)
    has(store, "t", "sm-AbCdEf-1", YEAR, start="soon")

    assert overdue(store) == OverdueRotation("t")


# -- the pace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bound", "seconds"), [(None, 0.128), (512, 1.0), (12, 128 / 3)])
def test_a_page_takes_its_share_of_what_the_table_gives(bound: int | None, seconds: float) -> None:
    clock = Clock()
    waits: list[float] = []

    def pause(wait: float) -> None:
        waits.append(wait)
        clock.pass_by(wait)

    pace = Pace(bound, clock=clock, pause=pause)
    begun = clock()
    for _ in range(3):
        clock.pass_by(0.1)  # the page itself
        pace.keep(128)

    assert clock() - begun == pytest.approx(3 * seconds)
    assert len(waits) == 3


def test_a_slow_page_is_not_waited_for() -> None:
    clock = Clock()
    pace = Pace(None, clock=clock, pause=lambda _: pytest.fail("it waited"))

    clock.pass_by(1)
    pace.keep(128)
    pace.keep(0)


def test_a_rate_that_is_given_counts_and_no_bound_of_the_table() -> None:
    clock = Clock()
    waits: list[float] = []
    pace = Pace(8000, rate=100, clock=clock, pause=waits.append)

    pace.keep(50)

    assert waits == [0.5]

"""Secrets that end, for all windows: against a model that counts seconds, and for rows that come in any order."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.models import Columns, Secret
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.endings import EndingKind, ending_of, find_endings
from tests.fakes import MemoryTables, natural

NOW, WITHIN, LAST = 20, 10, 45
"""Seconds so few that the model can look at each of them."""

Window = tuple[int, int]
WINDOWS = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), max_size=5)


def secrets_of(windows: Sequence[Window]) -> list[Secret]:
    return [
        Secret.from_row(natural({"id": str(number), "start_ts": start, "end_ts": end}), Columns())
        for number, (start, end) in enumerate(windows)
    ]


def modelled(windows: Sequence[Window]) -> tuple[EndingKind, int] | None:
    """What is the matter, by the seconds in which any window is open."""
    is_open = [any(start <= second < end for start, end in windows) for second in range(LAST + 2)]
    closes = [second for second in range(1, LAST + 2) if is_open[second - 1] and not is_open[second]]
    if not is_open[NOW]:
        lately = [second for second in closes if NOW - WITHIN < second <= NOW]
        if lately:
            return EndingKind.ENDED, lately[-1]
    following = [second for second in closes if second > NOW]
    if following and following[0] < NOW + WITHIN:
        return EndingKind.ENDS_SOON, following[0]
    return None


@given(WINDOWS)
def test_a_tag_is_judged_as_by_counting_seconds(windows: list[Window]) -> None:
    found = ending_of("t", secrets_of(windows), NOW, WITHIN)

    assert (None if found is None else (found.kind, found.end)) == modelled(windows)


@given(WINDOWS)
def test_the_next_opening_is_the_first_second_after_the_end_in_which_one_is_open(windows: list[Window]) -> None:
    found = ending_of("t", secrets_of(windows), NOW, WITHIN)

    if found is not None:
        since = max(int(found.end), NOW)
        later = [second for second in range(since, LAST + 1) if any(start <= second < end for start, end in windows)]
        assert found.opens_again == (later[0] if later else None)


@given(
    st.dictionaries(st.sampled_from("abc"), WINDOWS, max_size=3), st.randoms(use_true_random=False), st.integers(1, 4)
)
def test_the_order_of_rows_means_nothing(tags: dict[str, list[Window]], random: Random, rows_a_page: int) -> None:
    """Whatever comes apart, nothing is missed, and what is found wrongly is dropped."""
    keys = [(tag, str(number), window) for tag, windows in tags.items() for number, window in enumerate(windows)]
    random.shuffle(keys)
    store = MemoryTables(rows_a_page=rows_a_page)
    for tag in tags:
        store.write_row(Key(Table.PROFILES, tag), {})
    for tag, number, (start, end) in keys:
        store.write_row(Key(Table.SECRETS, tag, number), {"start_ts": start, "end_ts": end})

    found = find_endings(store, Columns(), now=NOW, within=WITHIN)

    expected = {(tag, *news) for tag, windows in tags.items() if (news := modelled(windows)) is not None}
    assert {(each.tag, each.kind, each.end) for each in (*found.soon, *found.ended)} == expected

"""docs/opensips-parity.md says what the recorded cases say, whatever their names."""

import json
import re

import pytest

from tools import parity


def test_the_page_is_what_the_recorded_cases_say() -> None:
    """Stale? Run `python -m tools.parity`."""
    assert parity.PAGE.read_text(encoding="utf-8") == parity.page()


def test_every_case_that_differs_has_its_row() -> None:
    cases = [
        case
        for name in ("opensips.json", "keys.json")
        for case in json.loads((parity.GOLDEN / name).read_text(encoding="utf-8"))["cases"]
        if "difference" in case
    ]
    _, differences = parity.page().split("\n## Differences\n")

    rows = [line for line in differences.splitlines() if re.match(r"\| (?!case \||---)", line)]

    assert len(rows) == len(cases)
    assert all(any(row.startswith(f"| {parity.plain(case['name'])} |") for row in rows) for case in cases)


def test_every_row_has_the_cells_of_its_table() -> None:
    """A bar in a name would make one more."""
    cells = 0
    for line in parity.page().splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line))
        if not line.startswith("|"):
            cells = 0
        else:
            cells = cells or bars
            assert bars == cells, line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a|b", r"a\|b", id="a bar"),
        pytest.param("a\nb\0c\x7f", r"a\\u000Ab\\u0000c\\u007F", id="what would end a line or cannot be seen"),
        pytest.param("a\u202eb\U000e0001", r"a\\u202Eb\\U000E0001", id="what would turn the line around"),
        pytest.param("*a* _b_ `c` [d](e) <f> &amp; ~g~ $h$", None, id="marks"),
        pytest.param("", "(empty)", id="nothing"),
        pytest.param("\\", r"\\", id="a backslash"),
    ],
)
def test_plain_text_shows_every_character_and_obeys_none(text: str, shown: str | None) -> None:
    assert shown is None or parity.plain(text) == shown
    assert not re.search(r"(?<!\\)[`*_\[\]<>&|~$]", parity.plain(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("alice", "`alice`", id="a word"),
        pytest.param("a`b", "`` a`b ``", id="a backtick inside"),
        pytest.param("a``", "``` a`` ```", id="backticks at the end"),
        pytest.param("a|b", r"a\|b", id="a bar, which no code span in a table holds for certain"),
        pytest.param(" ", "(empty)", id="blank"),
        pytest.param("x" * 121, f"`{'x' * 119}…`", id="too long"),
    ],
)
def test_code_holds_any_text(text: str, shown: str) -> None:
    assert parity.code(text) == shown

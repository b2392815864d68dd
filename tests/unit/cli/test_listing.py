"""Lists are shown page by page: aligned lines of text, or JSON Lines."""

import json
from collections.abc import Iterator

import pytest

from auth_jwt_cli.listing import Listed, Listing, show_list
from auth_jwt_cli.output import Output

TITLES = ("TAG", "STATE")


def listed(*tags: str) -> list[Listed]:
    return [({"tag": tag}, (tag, "enabled")) for tag in tags]


def lines(rows: Listing, *tags: str, width: int = 80) -> list[str]:
    return list(rows.table(listed(*tags)).lines(width, with_styles=False))


def test_columns_are_aligned_within_a_page() -> None:
    shown = lines(Listing(Output(), TITLES), "a", "alice-web")

    assert shown == ["TAG        STATE", "a          enabled", "alice-web  enabled"]


def test_a_later_page_has_no_titles_and_no_narrower_columns() -> None:
    rows = Listing(Output(), TITLES)
    lines(rows, "alice-web")

    assert lines(rows, "b") == ["b          enabled"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in "".join(lines(Listing(Output(), TITLES), "a\x1b[2J"))


def test_a_page_is_written_before_the_next_one_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    written = []

    def pages() -> Iterator[list[Listed]]:
        yield listed("first")
        written.append(capsys.readouterr().out)
        yield listed("second")

    count = show_list(Output(as_json=True), TITLES, pages())

    assert [json.loads(line) for line in written] == [{"tag": "first"}]
    assert count == 2


@pytest.mark.parametrize(("as_json", "shown"), [(True, ""), (False, "TAG  STATE\n")])
def test_an_empty_list_has_titles_as_text_and_no_line_as_json(
    as_json: bool, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_list(Output(as_json=as_json), TITLES, [[]])

    assert capsys.readouterr().out == shown

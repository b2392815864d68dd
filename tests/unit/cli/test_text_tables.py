"""Tables of text: on wide terminals, on narrow ones, and where the output is no terminal."""

import io
from typing import Any

import pytest

from auth_jwt_cli.output import Output, details, marked, prose, table
from auth_jwt_cli.terminal import UNBOUNDED, columns_of, has_styles, styled, width_of, wrapped
from auth_jwt_cli.text_tables import TextTable

FINGERPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"  # RFC 7638, section 3.1


def lines(drawn: TextTable, width: int = 80, *, with_styles: bool = False) -> list[str]:
    return list(drawn.lines(width, with_styles=with_styles))


SECRETS = table(
    ("ID", "STATE", "END", "FINGERPRINT", "KIND"),
    [("1", "open", "2030-01-01 00:00:00Z", FINGERPRINT, "RSA, 2048 bits"), ("22", "closed", "none", "x", None)],
)


def test_rows_are_one_line_each_where_there_is_room() -> None:
    assert lines(SECRETS, 100) == [
        "ID  STATE   END                   FINGERPRINT                                  KIND",
        f"1   open    2030-01-01 00:00:00Z  {FINGERPRINT}  RSA, 2048 bits",
        "22  closed  none                  x                                            -",
    ]
    assert lines(SECRETS, UNBOUNDED) == lines(SECRETS, 100)


def test_on_a_narrow_terminal_the_last_columns_go_below_and_nothing_is_cut() -> None:
    assert lines(SECRETS, 80) == [
        "ID  STATE   END                   FINGERPRINT",
        "  KIND",
        f"1   open    2030-01-01 00:00:00Z  {FINGERPRINT}",
        "  RSA, 2048 bits",
        "22  closed  none                  x",
        "  -",
    ]


@pytest.mark.parametrize(("width", "count"), [(77, 1), (76, 2)], ids=["just enough", "just too little"])
def test_a_column_goes_below_when_it_would_not_fit_whole(width: int, count: int) -> None:
    row = table(("A", "B"), [("a" * 32, FINGERPRINT)])

    assert len(lines(row, width)) == 2 * count
    assert FINGERPRINT in "\n".join(lines(row, width))


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_word_that_no_line_can_hold_is_whole_all_the_same(width: int) -> None:
    for drawn in (SECRETS, details({"fingerprint": FINGERPRINT}), marked([(("ok", ""), "key", FINGERPRINT)])):
        assert any(FINGERPRINT in line.split() for line in lines(drawn, width))


def test_prose_is_wrapped_at_its_blanks_beside_what_it_is_about() -> None:
    drawn = marked([(("warning", "yellow"), "jwt_profiles", "deletion protection is off. Remedy: switch it on.")])

    assert lines(drawn, 54) == [
        "warning  jwt_profiles  deletion protection is off.",
        "                       Remedy: switch it on.",
    ]


def test_prose_with_too_little_room_goes_below() -> None:
    drawn = marked([(("warning", ""), "a" * 40, "one two three four five six seven eight nine ten")])

    assert lines(drawn, 60) == ["warning  " + "a" * 40, "  one two three four five six seven eight nine ten"]


def test_a_paragraph_is_wrapped_below_its_own_beginning() -> None:
    assert lines(prose("  - one two three four"), 14) == ["  - one two", "    three four"]
    assert lines(prose("")) == [""]


def test_only_the_value_that_is_too_long_goes_below_its_name() -> None:
    drawn = details({"tag": "alice", "keys address": "https://login.example.com/realms/sip/certs"})

    assert lines(drawn, 50) == [
        "tag           alice",
        "keys address",
        "  https://login.example.com/realms/sip/certs",
    ]


def test_control_characters_are_shown_and_never_obeyed() -> None:
    drawn = table(("TAG",), [("a\x1b[2J\n\u202e\u0007",)])

    assert lines(drawn) == ["TAG", r"a\x1b[2J\n\u202e\x07"]


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert width_of("日本") == 4
    assert width_of("e\u0301") == 1
    assert lines(table(("NAME", "STATE"), [("日本語", "on"), ("e\u0301", "off")])) == [
        "NAME    STATE",
        "日本語  on",
        "e\u0301       off",
    ]


def test_a_line_may_end_between_wide_characters() -> None:
    assert wrapped("日本語日本語", 7) == ["日本語", "日本語"]
    assert wrapped("ab 日本語", 6) == ["ab 日", "本語"]


def test_a_table_without_rows_has_its_titles_and_details_of_nothing_have_no_line() -> None:
    assert lines(table(("A", "B"), [])) == ["A  B"]
    assert lines(details({})) == []


def test_styles_are_around_the_words_alone() -> None:
    assert lines(table(("A", "B"), [("x", "y")]), with_styles=True) == ["\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m", "x  y"]
    assert styled("x", "bold red") == "\x1b[1;31mx\x1b[0m"
    assert styled("x", "") == "x"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (None, {}, False),
    ],
)
def test_styles_are_for_terminals_that_show_them_and_people_who_want_them(
    stream: Any, variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert has_styles(stream) is expected


def test_the_width_is_what_columns_says_and_unbounded_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert columns_of(io.StringIO()) == columns_of(None) == columns_of(Terminal()) == UNBOUNDED
    monkeypatch.setenv("COLUMNS", "72")
    assert columns_of(io.StringIO()) == columns_of(Terminal()) == 72
    monkeypatch.setenv("COLUMNS", "wide")
    assert columns_of(io.StringIO()) == UNBOUNDED


def test_what_is_piped_is_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    """For `grep` and the like."""
    Output().show(None, SECRETS)

    assert len(capsys.readouterr().out.splitlines()) == 3

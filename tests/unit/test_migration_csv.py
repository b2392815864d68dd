"""CSV as PostgreSQL, MySQL and others write it."""

from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource, csv_files_in
from tests.migration_sources import as_read, values_of

LAYOUT = SourceLayout(tag_column="tag", username_column="name", tables=(Table.PROFILES,))


def source_of(folder: Path, content: str | bytes, **form: object) -> CsvSource:
    path = folder / "profiles.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource({Table.PROFILES: path}, CsvForm(**form), LAYOUT)  # type: ignore[arg-type]


def rows_of(folder: Path, content: str | bytes, **form: object) -> list[dict[str, object]]:
    return values_of(source_of(folder, content, **form), Table.PROFILES)


def only_value(folder: Path, field: str, **form: object) -> object:
    """What a field holds; another follows it."""
    (row,) = rows_of(folder, f"tag,name\n{field},w\n", **form)
    assert row["name"] == "w"
    return row["tag"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("alice", "alice", id="plain"),
        pytest.param(" alice ", " alice ", id="blanks stay"),
        pytest.param("", None, id="nothing is NULL"),
        pytest.param('""', "", id="quotes around nothing are empty text"),
        pytest.param("\\N", None, id="as MySQL writes NULL"),
        pytest.param('"\\N"', "\\N", id="but not in quotes"),
        pytest.param('"a,b"', "a,b", id="a delimiter in quotes"),
        pytest.param('"say ""hi"""', 'say "hi"', id="quotes in quotes"),
        pytest.param('"two\nlines"', "two\nlines", id="an end of line in quotes"),
        pytest.param('"two\r\nlines"', "two\r\nlines", id="and another"),
        pytest.param("back\\slash", "back\\slash", id="a backslash is a character"),
        pytest.param("naïve ✓", "naïve ✓", id="beyond ASCII"),
    ],
)
def test_a_field_is_read_as_postgresql_writes_it(tmp_path: Path, field: str, value: object) -> None:
    assert only_value(tmp_path, field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("NULL", None, id="NULL as it was said to be"),
        pytest.param("", "", id="so nothing is empty text"),
        pytest.param("a\\tb\\nc\\\\d", "a\tb\nc\\d", id="escapes"),
        pytest.param('say "hi"', 'say "hi"', id="no quotes are known"),
        pytest.param("a\\0b", "a\0b", id="NUL"),
        pytest.param("escaped\\\nend", "escaped\nend", id="an end of line behind a backslash"),
    ],
)
def test_a_field_is_read_as_mysql_in_batch_mode_writes_it(tmp_path: Path, field: str, value: object) -> None:
    form = {"delimiter": "\t", "quote": None, "escape": "\\", "nulls": frozenset({"NULL"})}

    (row,) = rows_of(tmp_path, f"tag\tname\n{field}\tw\n", **form)

    assert row == {"tag": value, "name": "w"}


def test_a_field_is_read_as_into_outfile_writes_it(tmp_path: Path) -> None:
    content = '"tag";"name"\n"a\\"b";\\N\n"c\\\nd";"e\\\\"\n'

    assert rows_of(tmp_path, content, delimiter=";", escape="\\") == [
        {"tag": 'a"b', "name": None},
        {"tag": "c\nd", "name": "e\\"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["LF", "CR LF", "no end at the end"])
def test_lines_may_end_as_they_like(tmp_path: Path, end: str) -> None:
    assert rows_of(tmp_path, f"tag,name{end or chr(10)}t1,alice{end}") == [{"tag": "t1", "name": "alice"}]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b"\xef\xbb\xbftag,name\nt1,a\n") == [{"tag": "t1", "name": "a"}]


def test_another_character_set_may_be_named(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "tag,name\né,a\n".encode("latin-1"), encoding="latin-1") == [{"tag": "é", "name": "a"}]


def test_rows_know_their_lines_and_those_of_another_length_are_malformed(tmp_path: Path) -> None:
    rows = as_read(source_of(tmp_path, 'tag,name\n1,"x\ny"\n\n1\n1,2,3\n"1"x,2\n1,2\n'))

    assert [(row.place, row.flaw) for row in rows] == [
        ("line 2", None),
        ("line 5", "1 fields for 2 columns"),
        ("line 6", "3 fields for 2 columns"),
        ("line 7", "text behind a closing quote"),
        ("line 8", None),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("\n", "name the columns", id="an empty header"),
        pytest.param("tag,name,tag\n", "each once", id="a name twice"),
        pytest.param('tag,name\n"open\n', "line 2 is not closed", id="a quote left open"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_says_why(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        rows_of(tmp_path, content)


@pytest.mark.parametrize(
    "form", [{"delimiter": ""}, {"delimiter": '"'}, {"escape": ","}, {"encoding": "cp037"}, {"encoding": "no-such"}]
)
def test_a_form_that_cannot_be_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(SourceError):
        CsvForm(**form)  # type: ignore[arg-type]


def test_a_folder_has_one_file_for_each_table(tmp_path: Path) -> None:
    for name in ("jwt_profiles.csv", "jwt_secrets.tsv.gz"):
        (tmp_path / name).touch()

    assert csv_files_in(tmp_path, SourceLayout()) == {
        Table.PROFILES: tmp_path / "jwt_profiles.csv",
        Table.SECRETS: tmp_path / "jwt_secrets.tsv.gz",
    }


@pytest.mark.parametrize("names", [(), ("jwt_profiles.csv", "jwt_profiles.txt")], ids=["none", "two"])
def test_a_folder_with_none_or_two_files_for_a_table_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).touch()

    with pytest.raises(SourceError, match="one file for 'jwt_profiles'"):
        csv_files_in(tmp_path, SourceLayout(tables=(Table.PROFILES,)))

"""CSV as PostgreSQL, MySQL and others write it."""

import shutil
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import BOTH_TABLES, SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource, csv_files_in, csv_members_in
from tests.migration_sources import as_read, values_of

ROOT = Path(__file__).parents[5]
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
        ("line 7", "text after a closing quote"),
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


SECRET_ROW = "1,t1,hunter2-hunter2-hunter2-hunter2,0,2000000000"
SECRETS = ("id", "corresponding_tag", "secret", "start_ts", "end_ts")


def secrets_of(folder: Path, content: str, *columns: str) -> CsvSource:
    path = folder / "secrets.csv"
    path.write_text(content)
    given = {Table.SECRETS: columns} if columns else None
    return CsvSource({Table.SECRETS: path}, CsvForm(), SourceLayout(tables=(Table.SECRETS,)), columns=given)


def complaint_of(source: CsvSource) -> str:
    with pytest.raises(SourceError) as caught:
        as_read(source)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [f"{SECRET_ROW}\n", '"1","t1","hunter2","0","2000000000"\n', "hunter2\n"])
def test_a_first_line_that_is_a_row_is_no_header_and_is_not_shown(tmp_path: Path, content: str) -> None:
    complaint = complaint_of(secrets_of(tmp_path, content))

    assert "names no 'corresponding_tag', 'start_ts', 'end_ts', 'secret'" in complaint
    assert "--secrets-columns" in complaint
    assert ("--csv-delimiter" in complaint) is ("," not in content)


def test_columns_may_be_named_where_the_first_line_is_a_row(tmp_path: Path) -> None:
    rows = as_read(secrets_of(tmp_path, f"{SECRET_ROW}\n", *SECRETS))

    assert [dict(row.values) for row in rows] == [
        dict(zip(SECRETS, SECRET_ROW.split(","), strict=True)),
    ]
    assert rows[0].place == "line 1"


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (("id", "corresponding_tag", "secret"), "--secrets-columns names no 'start_ts', 'end_ts'"),
        ((*SECRETS, "id"), "each column of the file once"),
        ((*SECRETS, ""), "each column"),
    ],
)
def test_named_columns_are_all_that_are_needed_each_once(
    tmp_path: Path, columns: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(SourceError, match=complaint):
        secrets_of(tmp_path, SECRET_ROW, *columns)


def test_columns_are_not_named_twice_over(tmp_path: Path) -> None:
    assert "leave --secrets-columns out" in complaint_of(secrets_of(tmp_path, f"{','.join(SECRETS)}\n", *SECRETS))


@pytest.mark.parametrize("row_of_it", ["1,hunter2,t1,NULL,9", "t1,hunter2,1,9,"])
@pytest.mark.parametrize("columns", [(), SECRETS])
def test_a_row_whose_bounds_are_no_numbers_may_be_shifted_and_nothing_of_it_is_told(
    tmp_path: Path, columns: tuple[str, ...], row_of_it: str
) -> None:
    header = "" if columns else f"{','.join(SECRETS)}\n"
    (row,) = as_read(secrets_of(tmp_path, f"{header}{row_of_it}\n", *columns))

    assert not row.values
    assert row.flaw is not None
    assert row.flaw.startswith("no number in its column")


def both_of(folder: Path, **columns: str) -> CsvSource:
    """A hundred and one profiles, of which the last has secrets."""
    (folder / "profiles").write_text("".join(f"{number},tag{number},hunter2\n" for number in range(101)))
    (folder / "secrets").write_text("".join(f"{number},tag100,hunter2-{number},0,9\n" for number in range(200)))
    return CsvSource(
        {table: folder / table.value for table in BOTH_TABLES},
        CsvForm(),
        SourceLayout(),
        columns={Table(name): names.split() for name, names in columns.items()},
    )


def test_named_columns_are_believed_where_a_profile_has_the_tag_of_a_secret(tmp_path: Path) -> None:
    profiles, secrets = "id TAG sip_username", "id corresponding_tag secret start_ts end_ts"

    assert len(as_read(both_of(tmp_path, profiles=profiles, secrets=secrets))) == 301


@pytest.mark.parametrize(
    ("profiles", "secrets"),
    [
        ("id tag sip_username", "id secret corresponding_tag start_ts end_ts"),
        ("id sip_username tag", "id corresponding_tag secret start_ts end_ts"),
    ],
)
def test_named_columns_in_another_order_are_not_believed_before_any_row_is_told_of(
    tmp_path: Path, profiles: str, secrets: str
) -> None:
    with pytest.raises(SourceError, match="a wrong order") as caught:
        next(both_of(tmp_path, profiles=profiles, secrets=secrets).rows())

    assert "hunter2" not in str(caught.value)


def test_utf16_is_read_whether_it_says_so_or_the_command_line_does(tmp_path: Path) -> None:
    text = "tag,name\r\né,a\r\n"
    rows = [{"tag": "é", "name": "a"}]

    assert rows_of(tmp_path, text.encode("utf-16")) == rows
    assert rows_of(tmp_path, text.encode("utf-16"), encoding="latin-1") == rows
    assert rows_of(tmp_path, text.encode("utf-16-be"), encoding="utf-16-be") == rows


def test_what_is_not_of_a_character_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2 is not in the character set utf-7"):
        rows_of(tmp_path, b"tag,name\n+hunter2\xff,a\n", encoding="utf-7")


def test_a_line_without_end_is_not_taken_into_memory(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2 does not end within 16 MB"):
        rows_of(tmp_path, b"tag,name\n" + b"x" * (17 * 2**20))


def zip_of(folder: Path, *names: str) -> Path:
    with zipfile.ZipFile(folder / "tables.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "tag,name\nt1,alice\n")
    return folder / "tables.zip"


def test_a_zip_has_one_file_for_each_table_in_whatever_folder(tmp_path: Path) -> None:
    archive = zip_of(tmp_path, "export/jwt_profiles.csv", "export/jwt_secrets.tsv", "read.me")

    assert csv_members_in(archive, SourceLayout()) == {
        Table.PROFILES: "export/jwt_profiles.csv",
        Table.SECRETS: "export/jwt_secrets.tsv",
    }
    member = {Table.PROFILES: "export/jwt_profiles.csv"}
    source = CsvSource({Table.PROFILES: archive}, CsvForm(), LAYOUT, members=member)
    assert values_of(source, Table.PROFILES) == [{"tag": "t1", "name": "alice"}]


@pytest.mark.parametrize(
    "names", [("jwt_profiles.csv",), ("a/jwt_profiles.csv", "jwt_profiles.csv", "jwt_secrets.csv")]
)
def test_a_zip_that_has_none_or_two_for_a_table_is_none_of_csv(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert csv_members_in(zip_of(tmp_path, *names), SourceLayout()) is None


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


READ_ONE = """
import sys
from auth_jwt_cli.migration.sources.csv_files import CsvForm, _Grammar
read = _Grammar(CsvForm()).fields_of, _Grammar(CsvForm(delimiter="\\t", quote=None, escape="\\\\")).fields_of
print((*sys.version_info[:2],) < (3, 11) or [read[0]('a,"b ""c"",",,d'), read[1]("a\\\\tb\\t\\\\\\tc")])
"""


@pytest.mark.parametrize("python", ["/usr/bin/python3", "python3.11", "python3.12", "python3.13"])
def test_every_python_of_this_machine_reads_it_alike(python: str) -> None:
    """Before 3.11.5, which Debian 12 has, Python ends `(?:(?!,).)*+` too early (python/cpython#106052)."""
    found = shutil.which(python)
    if found is None or subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip(f"no {python} on this machine")
    paths = [str(ROOT / "layers" / "auth_jwt"), str(ROOT / "cli"), sysconfig.get_path("purelib")]
    env = {"PYTHONPATH": ":".join(paths), "PYTHONDONTWRITEBYTECODE": "1"}

    done = subprocess.run([found, "-c", READ_ONE], env=env, check=False, capture_output=True, text=True)

    assert done.stdout in ("True\n", "[['a', 'b \"c\",', None, 'd'], ['a\\tb', '\\tc']]\n"), done.stderr

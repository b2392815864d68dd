"""db_text files are read as OpenSIPS's own module reads them (modules/db_text/dbt_file.c)."""

from decimal import Decimal
from pathlib import Path

import pytest

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.dbtext import DbTextSource

HEADER = "id(int,auto) tag(string) sip_username(string,null) \n"


def rows_of(folder: Path, content: str | bytes) -> list[SourceRow]:
    (folder / "jwt_profiles").write_bytes(content.encode() if isinstance(content, str) else content)
    return list(DbTextSource(folder, SourceLayout(tables=(Table.PROFILES,))).rows())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alice", "alice"),
        (" alice ", " alice "),
        ("", None),
        (r"a\:b", "a:b"),
        (r"a\\b", "a\\b"),
        (r"a\nb\rc\td\0e", "a\nb\rc\td\0e"),
        ("a b", "a b"),
        ("naïve", "naïve"),
    ],
)
def test_text(tmp_path: Path, field: str, value: object) -> None:
    (row,) = rows_of(tmp_path, f"{HEADER}1:t1:{field}\n")

    assert row.values == {"id": 1, "tag": "t1", "sip_username": value}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("int", "-5", -5),
        ("long", "4102444800", 4102444800),
        ("time", "1700000000", 1700000000),
        ("double", "1.50", Decimal("1.50")),
        ("double", "-2", Decimal(-2)),
        ("str", "12", "12"),
        ("blob", "12", "12"),
        ("INT,null", "", None),
    ],
)
def test_numbers_are_numbers_by_the_type_of_their_column(tmp_path: Path, kind: str, field: str, value: object) -> None:
    (row,) = rows_of(tmp_path, f"tag(str) v({kind}) w(str)\nt1:{field}:w\n")

    assert (type(row.values["v"]), row.values["v"]) == (type(value), value)


def test_bytes_that_are_no_text_stay_bytes(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, HEADER.encode() + b"1:t1:\xff\n")

    assert row.values["sip_username"] == b"\xff"


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        ("1:t1", "2 fields for 3 columns"),
        ("1:t1:a:b", "4 fields for 3 columns"),
        ("x:t1:a", "column 'id' without a whole number"),
        (r"1:t1:a\x", "a backslash before a character that needs none"),
        ("1:t1:a\\", "a backslash with nothing after it"),
    ],
)
def test_a_row_that_opensips_would_stumble_over_is_malformed_and_the_others_are_read(
    tmp_path: Path, line: str, flaw: str
) -> None:
    good, bad, last = rows_of(tmp_path, f"{HEADER}1:t1:alice\n\n{line}\n2:t2:bob")

    assert (good.flaw, bad.flaw, last.flaw) == (None, flaw, None)
    assert (bad.place, last.place) == ("line 4", "line 5")


def test_the_version_that_opensips_ships_as_a_row_is_none(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, f"{HEADER}jwt_profiles:1\n1:t1:alice\n")

    assert [row.values["tag"] for row in rows] == ["t1"]


@pytest.mark.parametrize("header", ["", "id tag\n", "id(int) tag(what)\n", "id(int) tag\n"])
def test_a_first_line_that_names_no_columns_is_an_error(tmp_path: Path, header: str) -> None:
    with pytest.raises(SourceError, match="the first line of"):
        rows_of(tmp_path, header)


def test_a_table_without_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jwt_profiles").write_text(HEADER)

    with pytest.raises(SourceError, match="jwt_secrets cannot be read: No such file"):
        list(DbTextSource(tmp_path, SourceLayout()).rows())

"""`mysqldump --xml` and `mysql --xml`; real ones are asked by tests/e2e/migration."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import BOTH_TABLES, SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow, encodings
from auth_jwt_cli.migration.sources.files import ReadingProgress
from auth_jwt_cli.migration.sources.xml_dumps import rows_of_xml
from tests.sampling import examples, some

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
MYSQL_ESCAPES = {"&": b"&amp;", "<": b"&lt;", ">": b"&gt;", '"': b"&quot;"}
TYPES = {"id": "int(10) unsigned", "tag": "char(128)", "sip_username": "char(128)"}
PROFILES = Table.PROFILES


def field(name: str, value: object) -> bytes:
    """A field as mysqldump writes it: control characters and bytes that are no text as they are."""
    start = f'\t\t<field name="{name}"'.encode()
    if value is None:
        return start + b' xsi:nil="true" />\n'
    octets = value if isinstance(value, bytes) else str(value).encode()
    return start + b">" + b"".join(MYSQL_ESCAPES.get(chr(o), bytes([o])) for o in octets) + b"</field>\n"


def dumped(*rows: Mapping[str, object] | bytes, types: Mapping[str, str] = TYPES) -> bytes:
    """A dump of the profiles; rows may be ready made."""
    structure = "".join(f'\t\t<field Field="{name}" Type="{kind}" Null="NO" />\n' for name, kind in types.items())
    made = [
        row if isinstance(row, bytes) else b"".join(field(name, value) for name, value in row.items()) for row in rows
    ]
    return b"".join(
        (
            f'<?xml version="1.0"?>\n<mysqldump {XSI}>\n<database name="opensips">\n'.encode(),
            f'\t<table_structure name="jwt_profiles">\n{structure}\t</table_structure>\n'.encode(),
            b'\t<table_data name="jwt_profiles">\n',
            *(b"\t<row>\n" + row + b"\t</row>\n" for row in made),
            b"\t</table_data>\n</database>\n</mysqldump>\n",
        )
    )


def results(statement: str, *rows: Mapping[str, object]) -> bytes:
    """What `mysql --xml` writes for a statement."""
    made = b"\n".join(b"  <row>\n" + b"".join(field(*pair) for pair in row.items()) + b"  </row>\n" for row in rows)
    return f'<?xml version="1.0"?>\n\n<resultset statement="{statement}" {XSI}>\n'.encode() + made + b"</resultset>\n"


def as_read(folder: Path, octets: bytes, *tables: Table) -> list[SourceRow]:
    path = folder / "dump.xml"
    path.write_bytes(octets)
    with ReadingProgress().open(path) as file:
        assert file.begins_with(b"<")
        return list(rows_of_xml(file, SourceLayout(tables=tables or (PROFILES,))))


def rows_of(folder: Path, octets: bytes) -> list[dict[str, object]]:
    return [dict(row.values) for row in as_read(folder, octets)]


def complaint_of(folder: Path, octets: bytes, *tables: Table) -> str:
    with pytest.raises(SourceError) as caught:
        as_read(folder, octets, *tables)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


ROW = {"id": 1, "tag": "t1", "sip_username": "alice"}


def test_rows_are_as_the_sql_of_a_dump_would_give_them(tmp_path: Path) -> None:
    types = {**TYPES, "balance": "decimal(10,2)", "ratio": "double", "big": "bigint(20)", "note": "varchar(9)"}
    row = {**ROW, "balance": "-12.50", "ratio": "1e100", "big": 2**62, "note": "007"}

    (read,) = rows_of(tmp_path, dumped(row, types=types))

    assert read == {**ROW, "balance": Decimal("-12.50"), "ratio": Decimal("1e100"), "big": 2**62, "note": "007"}
    assert isinstance(read["big"], int)


def test_nil_is_null_and_an_empty_field_is_empty_text(tmp_path: Path) -> None:
    assert rows_of(tmp_path, dumped({**ROW, "a": None, "b": ""})) == [{**ROW, "a": None, "b": ""}]


ANYTHING = st.text() | st.binary() | st.text("\0\x01\t\n\r\x1b\ufffe\uffff\U000f0000\U000f00ffé&<>\"' ]")


@settings(max_examples=examples(), deadline=None, derandomize=True)
@given(rows=st.lists(st.lists(ANYTHING, min_size=2, max_size=2), max_size=4), chunk=st.integers(1, 50))
def test_text_and_bytes_come_back_as_they_went_in_wherever_the_reading_pauses(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[object]], chunk: int
) -> None:
    """But for bytes that are text, which are text, as in SQL."""
    named = [dict(zip(("tag", "sip_username"), row, strict=True)) for row in rows]
    folder = tmp_path_factory.mktemp("xml")
    whole = encodings.Opened.read1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings.Opened, "read1", lambda file, _size=-1: whole(file, chunk))
        read = rows_of(folder, dumped(*named))

    octets = [
        [value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in row] for row in rows
    ]
    expected = [[text(value) for value in row] for row in octets]
    assert [list(row.values()) for row in read] == expected


def text(octets: object) -> object:
    assert isinstance(octets, bytes)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def test_ends_of_lines_as_windows_writes_them_are_undone(tmp_path: Path) -> None:
    row = {**ROW, "note": "two\nlines"}

    assert rows_of(tmp_path, dumped(row).replace(b"\n", b"\r\n")) == [row]
    assert rows_of(tmp_path, dumped({**ROW, "note": "two\r\nlines"})) == [{**ROW, "note": "two\r\nlines"}]


@pytest.mark.parametrize(
    ("kind", "octets", "value"),
    [
        ("hexBinary", b"00FF10", b"\0\xff\x10"),
        ("hexBinary", b"", b""),
        ("base64Binary", b"AP8\nQ", b"\0\xff\x10"),
    ],
)
def test_fields_may_be_hex_or_base64(tmp_path: Path, kind: str, octets: bytes, value: bytes) -> None:
    extra = f'<field name="picture" xsi:type="xs:{kind}">'.encode() + octets + b"</field>"

    assert rows_of(tmp_path, dumped(field("tag", "t1") + extra)) == [{"tag": "t1", "picture": value}]


@pytest.mark.parametrize("kind", ["hexBinary", "base64Binary"])
def test_hex_and_base64_that_is_none_is_an_error(tmp_path: Path, kind: str) -> None:
    extra = f'<field name="picture" xsi:type="xs:{kind}">hunter2!</field>'.encode()

    assert kind in complaint_of(tmp_path, dumped(extra))


@pytest.mark.parametrize(
    ("declared", "written", "value"),
    [
        ("bit(1)", b"\0", False),
        ("bit(1)", b"\x01", True),
        ("bit(10)", b"\x02\x01", 513),
        ("tinyint(1)", b"1", 1),
    ],
)
def test_bits_are_what_they_are_by_their_width(tmp_path: Path, declared: str, written: bytes, value: object) -> None:
    (row,) = rows_of(tmp_path, dumped({**ROW, "disabled": written}, types={**TYPES, "disabled": declared}))

    assert (row["disabled"], type(row["disabled"])) == (value, type(value))


def test_results_of_several_statements_are_read(tmp_path: Path) -> None:
    octets = results("select * from jwt_profiles", ROW) + results(
        "SELECT *\nFROM `opensips`.`jwt_secrets` WHERE secret = 'x'\n", {"id": 1, "secret": "s"}
    )

    rows = as_read(tmp_path, octets, *BOTH_TABLES)

    assert [(row.table, dict(row.values)) for row in rows] == [
        (PROFILES, {"id": "1", "tag": "t1", "sip_username": "alice"}),
        (Table.SECRETS, {"id": "1", "secret": "s"}),
    ]


def test_a_result_of_whatever_statement_is_the_only_table_that_is_wanted(tmp_path: Path) -> None:
    assert rows_of(tmp_path, results("CALL profiles()", {"tag": "t1"})) == [{"tag": "t1"}]

    assert "neither table" in complaint_of(tmp_path, results("SELECT * FROM hunter2", ROW), *BOTH_TABLES)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_it_may_be_in_another_encoding_and_begin_with_blanks(tmp_path: Path, encoding: str) -> None:
    assert rows_of(tmp_path, f" \n{dumped({**ROW, 'note': 'é𝄞'}).decode()}".encode(encoding)) == [{**ROW, "note": "é𝄞"}]


def test_it_is_cut_off_wherever_it_is_cut_off(tmp_path: Path) -> None:
    octets = dumped({**ROW, "note": "hunter2"}, {**ROW, "id": 2, "note": "hunter2"}).rstrip()

    for end in some(range(30, len(octets)), keep=40):
        assert "cut off" in complaint_of(tmp_path, octets[:end])


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        pytest.param(dumped(b"<field name='hunter2'>hunter2</wrong>"), "damaged in line 11", id="no pair"),
        pytest.param(dumped(b"<field name='a'>&hunter2;</field>"), "damaged in line 11", id="an entity"),
        pytest.param(dumped(ROW) + b"hunter2", "damaged", id="something behind the end"),
        pytest.param(dumped(ROW) + dumped(ROW), "twice", id="a table twice"),
        pytest.param(b"<html>hunter2</html>", "neither from", id="another document"),
        pytest.param(b"<mysqldump/>", "does not have the table 'jwt_profiles'", id="no table"),
        pytest.param(
            dumped(ROW).split(b"\t<table_data")[0] + b"</database></mysqldump>", "not even an empty one", id="no data"
        ),
        pytest.param(b"<mysqldump>" + b"<a>" * 100_000, "nested deeper", id="deep"),
        pytest.param(
            b'<!DOCTYPE r [<!ENTITY a "hunter2">]>\n' + dumped(ROW).partition(b"\n")[2], "DOCTYPE", id="a declaration"
        ),
        pytest.param(
            b'<!DOCTYPE r SYSTEM "file:///etc/passwd">\n' + dumped(ROW).partition(b"\n")[2], "DOCTYPE", id="outside"
        ),
    ],
)
def test_what_is_no_whole_dump_is_an_error_that_quotes_nothing(tmp_path: Path, octets: bytes, complaint: str) -> None:
    assert complaint in complaint_of(tmp_path, octets)


def test_a_value_without_end_is_not_taken_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth_jwt_cli.migration.sources.xml_dumps._MAX_VALUE", 2**20)

    for endless in (b"<field name='a'>" + b"x" * 2**21, b"<field name='" + b"x" * 2**21):
        assert "more than 64 MB" in complaint_of(tmp_path, dumped(endless))

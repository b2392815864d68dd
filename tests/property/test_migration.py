"""Whatever rows hold, they come out of a dump, CSV, db_text and SQLite as they went in, and the same from each."""

import tempfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource, csv_files_in
from auth_jwt_cli.migration.sources.databases import DatabaseSource
from auth_jwt_cli.migration.sources.dbtext import DbTextSource
from auth_jwt_cli.migration.sources.dumps import DumpSource, tokens
from auth_jwt_cli.migration.translation import Translation
from tests.migration_sources import (
    a_source_profile,
    a_source_secret,
    as_read,
    values_of,
    write_csv,
    write_dbtext,
    write_dump,
    write_sqlite,
)

ODD = "\\'\"`:;,()\n\r\t\0\x1a%_-/*# "
LAYOUT = SourceLayout()
TEXT = st.text(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30)
TAGS = TEXT
SECRETS = st.builds(a_source_secret, st.none() | TEXT, corresponding_tag=TAGS, start_ts=st.integers(-(2**31), 2**33))
PROFILES = st.builds(a_source_profile, tag=TAGS, sip_username=st.none() | TEXT)


def numbered(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**row, "id": number} for number, row in enumerate(rows, 1)]


def items_of(source: Source) -> list[dict[str, tuple[str, object]]]:
    """What the rows would be in DynamoDB, with the types."""
    translation = Translation(LAYOUT, Columns())
    return [
        {column: (type(value).__name__, value) for column, value in translation.of(row).columns.items()}
        for row in as_read(source)
    ]


@given(st.lists(PROFILES, max_size=5), st.lists(SECRETS, max_size=5))
def test_every_way_gives_the_same_items(profiles: list[dict[str, object]], secrets: list[dict[str, object]]) -> None:
    profiles, secrets = numbered(profiles), numbered(secrets)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dump = items_of(DumpSource(write_dump(folder / "dump.sql", profiles, secrets), LAYOUT))
        write_csv(folder, profiles, secrets)
        csv = items_of(CsvSource(csv_files_in(folder, LAYOUT), CsvForm(), LAYOUT))
        dbtext = items_of(DbTextSource(write_dbtext(folder, profiles, secrets), LAYOUT))
        sqlite = write_sqlite(folder / "db", profiles, secrets)
        database = items_of(DatabaseSource(f"sqlite:///{sqlite}", LAYOUT))

    assert len(dump) == len(profiles) + len(secrets)
    assert dump == csv == dbtext == database


@given(
    st.lists(
        st.lists(
            st.none() | st.text() | st.binary() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False),
            min_size=3,
            max_size=3,
        )
    ),
    st.integers(1, 64),
)
def test_a_dump_gives_back_what_was_dumped_wherever_the_reading_pauses(rows: list[list[Any]], chunk: int) -> None:
    profiles = [dict(zip(("id", "tag", "sip_username"), row, strict=True)) for row in rows]
    before = tokens._CHUNK
    tokens._CHUNK = chunk  # type: ignore[misc]
    try:
        with tempfile.TemporaryDirectory() as name:
            source = DumpSource(write_dump(Path(name, "dump.sql"), profiles, []), LAYOUT)
            found = values_of(source, Table.PROFILES)
    finally:
        tokens._CHUNK = before  # type: ignore[misc]

    expected = [{column: _dumped(value) for column, value in row.items()} for row in profiles]
    assert [{column: _comparable(value) for column, value in row.items()} for row in found] == [
        {column: _comparable(value) for column, value in row.items()} for row in expected
    ]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading_of_a_dump(octets: bytes) -> None:
    """Whatever is in a file, there are rows or an error of ours."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "dump.sql")
        path.write_bytes(b"INSERT INTO jwt_profiles (a) VALUES (" + octets)
        with suppress(SourceError):
            as_read(DumpSource(path, LAYOUT))


def _dumped(value: object) -> object:
    """Surrogates cannot be dumped, and an empty binary is an empty text."""
    return "" if value == b"" else value


def _comparable(value: object) -> tuple[str, str]:
    kind = "number" if isinstance(value, int | Decimal) else type(value).__name__
    return kind, str(Decimal(value).normalize()) if isinstance(value, int | Decimal) else repr(value)

"""Sources to move in from, written as others write them: dumps, CSV, db_text and SQLite."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceRow
from auth_jwt_cli.migration.translation import TargetRow, Translation
from tests.factories import HMAC_KEY, TAG

PROFILE_COLUMNS = ("id", "tag", "sip_username")
SECRET_COLUMNS = ("id", "corresponding_tag", "secret", "start_ts", "end_ts")
FAR = 4_102_444_800

Rows = Sequence[Mapping[str, object]]

_MYSQL = {"\0": "\\0", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\\": "\\\\", "\x1a": "\\Z"}
_DBTEXT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", ":": "\\:", "\0": "\\0"}
_SQLITE = """
CREATE TABLE jwt_profiles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, tag CHAR(128), sip_username CHAR(128));
CREATE TABLE jwt_secrets (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, corresponding_tag CHAR(128), secret TEXT,
                          start_ts INTEGER, end_ts INTEGER);
"""


# -- rows -------------------------------------------------------------------------------------------------------------


def a_source_profile(**columns: object) -> dict[str, object]:
    """A profile as the module's schema has it."""
    return {"id": 1, "tag": TAG, "sip_username": "alice", **columns}


def a_source_secret(secret: object = HMAC_KEY, **columns: object) -> dict[str, object]:
    """A secret as the module's schema has it, its window open for long."""
    return {"id": 1, "corresponding_tag": TAG, "secret": secret, "start_ts": 1, "end_ts": FAR, **columns}


def users(count: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The profiles and the secrets of so many users."""
    tags = [f"user-{number:06}" for number in range(1, count + 1)]
    return (
        [a_source_profile(id=number, tag=tag, sip_username=f"sip-{tag}") for number, tag in enumerate(tags, 1)],
        [
            a_source_secret(f"{HMAC_KEY} of {tag}", id=number, corresponding_tag=tag)
            for number, tag in enumerate(tags, 1)
        ],
    )


def without_key(row: Mapping[str, object], column: str) -> dict[str, object]:
    """A row that lacks a column."""
    return {name: value for name, value in row.items() if name != column}


def as_read(source: Source) -> list[SourceRow]:
    """Everything that a source gives."""
    return list(source.rows())


def values_of(source: Source, table: Table) -> list[dict[str, object]]:
    """The values of each row of *table*."""
    return [dict(row.values) for row in source.rows() if row.table is table]


def translated(values: Mapping[str, object], table: Table = Table.SECRETS, **layout: object) -> Row:
    """The columns that a source's row has here."""
    return target_row(values, table, **layout).columns


def target_row(values: Mapping[str, object], table: Table = Table.SECRETS, **layout: object) -> TargetRow:
    """Our row for a source's."""
    return Translation(SourceLayout(**layout), Columns()).of(SourceRow(table, "row 1", values))  # type: ignore[arg-type]


# -- files ------------------------------------------------------------------------------------------------------------


def write_sqlite(path: Path, profiles: Rows, secrets: Rows) -> Path:
    """An SQLite file with the module's own schema."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_SQLITE)
        for name, rows in (("jwt_profiles", profiles), ("jwt_secrets", secrets)):
            for row in rows:
                marks = ", ".join("?" * len(row))
                database.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    return path


def write_dump(path: Path, profiles: Rows, secrets: Rows) -> Path:
    """A dump, all rows of a table in one statement."""
    parts = ["-- MariaDB dump\n/*!40101 SET NAMES utf8mb4 */;\n"]
    for name, columns, rows in (
        ("jwt_profiles", PROFILE_COLUMNS, profiles),
        ("jwt_secrets", SECRET_COLUMNS, secrets),
    ):
        declared = ",\n".join(f"  `{column}` text" for column in columns)
        parts.append(f"CREATE TABLE `{name}` (\n{declared},\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n")
        if rows:
            tuples = ",".join(f"({','.join(mysql_literal(row[column]) for column in columns)})" for row in rows)
            parts.append(f"INSERT INTO `{name}` VALUES {tuples};\n")
    path.write_bytes("".join(parts).encode())
    return path


def mysql_literal(value: object) -> str:
    """A value as mysqldump writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"0x{value.hex()}" if value else "''"
    return f"'{_escaped(value, _MYSQL)}'" if isinstance(value, str) else str(value)


def write_csv(folder: Path, profiles: Rows, secrets: Rows) -> Path:
    """A folder of CSV files, as PostgreSQL's COPY writes them."""
    for name, columns, rows in (
        ("jwt_profiles", PROFILE_COLUMNS, profiles),
        ("jwt_secrets", SECRET_COLUMNS, secrets),
    ):
        lines = [",".join(columns), *(",".join(csv_field(row[column]) for column in columns) for row in rows)]
        (folder / f"{name}.csv").write_bytes("".join(f"{line}\n" for line in lines).encode())
    return folder


def csv_field(value: object) -> str:
    """A value as COPY ... WITH (FORMAT csv) writes it."""
    if value is None:
        return ""
    text = str(value)
    needs_quotes = not text or any(mark in text for mark in '",\r\n') or text in ("\\.", "\\N")
    return '"' + text.replace('"', '""') + '"' if needs_quotes else text


def write_dbtext(folder: Path, profiles: Rows, secrets: Rows) -> Path:
    """A folder of db_text files."""
    write_dbtext_table(folder / "jwt_profiles", "id(int,auto) tag(string) sip_username(string,null)", profiles)
    definition = "id(int,auto) corresponding_tag(string) secret(string,null) start_ts(int) end_ts(int)"
    write_dbtext_table(folder / "jwt_secrets", definition, secrets)
    return folder


def write_dbtext_table(path: Path, definition: str, rows: Rows) -> None:
    """One of its files."""
    lines = [definition, *(":".join(map(dbtext_field, row.values())) for row in rows)]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def dbtext_field(value: object) -> str:
    """A value as db_text writes it."""
    return "" if value is None else _escaped(str(value), _DBTEXT)


def _escaped(text: Iterable[str], escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)

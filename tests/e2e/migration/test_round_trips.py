"""Whatever rows hold, the dumps that real tools write of them give them back, whatever the options.

And none that is cut is taken for whole.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.sources.completeness import CheckedSource
from auth_jwt_cli.migration.sources.databases import DatabaseSource
from auth_jwt_cli.migration.sources.dumps import DumpSource
from auth_jwt_cli.migration.sources.dumps.dialects import Dialect
from auth_jwt_cli.migration.translation import Translation
from tests.e2e.migration.servers import DATABASE, PASSWORD, USER, Server, mariadb, postgresql
from tests.migration_sources import as_read

LAYOUT: Final = SourceLayout()
ODD: Final = "\\'\"`$;:,()%_-/*#{}\n\r\t\b\f\v\x1a\x7f é€ß✓𝄞\u2028\ufeff NnrtZx01uU&"
PIECES: Final = st.sampled_from(
    [*ODD, "\\N", "\\.", "\n\\.\n", "''", "\\'", "\\\\", "-- ", "/*", "*/", "$$", "0x41", "NULL", "\\x41", "\\u0041"]
)


def texts(*, nul: bool) -> st.SearchStrategy[str]:
    """Texts of odd pieces and of any characters, NUL among them where a server takes it."""
    lost = "" if nul else "\0"
    characters = st.characters(exclude_categories=["Cs"], exclude_characters=lost)
    return st.lists(PIECES | characters | (st.just("\0") if nul else st.nothing()), max_size=20).map("".join)


def rows(*, nul: bool) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of profiles without their ids: texts, bytes and numbers, at their limits too."""
    text = texts(nul=nul)
    row = st.tuples(
        text.map("t".__add__),
        text,
        st.none() | text,
        st.none() | st.binary(max_size=30),
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 0]),
        st.none() | st.decimals(min_value=Decimal(-(10**24)), max_value=Decimal(10**24), places=4),
        st.none() | st.floats(-1e100, 1e100).filter(lambda number: not number or abs(number) > 1e-100),
        st.none() | st.booleans(),
    )
    return st.lists(row, min_size=5, max_size=25)


COLUMNS: Final = ("tag", "sip_username", "note", "picture", "account", "balance", "ratio", "active")
SECRET: Final = (1, "t", "a secret with \\ and ' and \\n of thirty-two bytes", 1, 2**31 - 1)
MYSQL: Final = (
    "CREATE TABLE jwt_profiles (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, tag VARCHAR(200) NOT NULL,"
    " sip_username VARCHAR(200) NOT NULL, note TEXT, picture BLOB, account BIGINT, balance DECIMAL(30,4),"
    " ratio DOUBLE, active BIT(1)) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE jwt_secrets (id INT AUTO_INCREMENT PRIMARY KEY, corresponding_tag CHAR(128), secret TEXT,"
    " start_ts INT, end_ts INT) CHARACTER SET utf8mb4",
    "CREATE TRIGGER t AFTER UPDATE ON jwt_secrets FOR EACH ROW BEGIN INSERT INTO jwt_profiles (tag) VALUES ('x'); END",
)
POSTGRES: Final = (
    "CREATE TABLE jwt_profiles (id SERIAL PRIMARY KEY, tag TEXT NOT NULL, sip_username TEXT NOT NULL, note TEXT,"
    " picture BYTEA, account BIGINT, balance NUMERIC(30,4), ratio DOUBLE PRECISION, active BOOLEAN)",
    "CREATE TABLE jwt_secrets (id SERIAL PRIMARY KEY, corresponding_tag VARCHAR(128), secret TEXT,"
    " start_ts INT, end_ts INT)",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN\nINSERT INTO jwt_profiles (tag)"
    " VALUES ('x'); RETURN NEW; END; $f$",
    "CREATE TRIGGER t AFTER UPDATE ON jwt_secrets FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE FUNCTION g() RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO jwt_profiles (tag, sip_username)"
    " VALUES ('x', 'x'); SELECT CASE WHEN true THEN 1 END; END",
)
SQLITE: Final = """
CREATE TABLE jwt_profiles (id INTEGER PRIMARY KEY AUTOINCREMENT, tag TEXT NOT NULL, sip_username TEXT NOT NULL,
  note TEXT, picture BLOB, account INTEGER, balance NUMERIC, ratio REAL, [active] BOOLEAN);
CREATE TABLE `jwt_secrets` (id INTEGER PRIMARY KEY, corresponding_tag CHAR(128), secret TEXT, start_ts INT, end_ts INT);
CREATE TRIGGER t AFTER UPDATE ON jwt_secrets BEGIN INSERT INTO jwt_profiles (tag) VALUES ('x'); SELECT 1; END;
"""
SLOW: Final = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # finding the least example takes minutes with real tools
)
TRIED: Final = settings(SLOW, max_examples=5)
CUT: Final = settings(SLOW, max_examples=150)


def items_of(source: Source, skipped: frozenset[str]) -> list[dict[str, object]]:
    """What the rows would be in DynamoDB, by table and id: no server promises an order."""
    translation = Translation(replace(LAYOUT, skipped_columns=skipped), Columns())
    found = [dict(translation.of(row).columns) for row in source.rows()]
    assert list(source.gaps) == []
    return sorted(found, key=lambda item: ("corresponding_tag" in item, str(item["id"])))


def assert_given_back(
    source: Source, database: Source, given_rows: Sequence[tuple[Any, ...]], *, skipped: frozenset[str] = frozenset()
) -> None:
    """The dump has what the database has, and its texts and bytes are what went in."""
    assert items_of(source, skipped) == items_of(database, skipped)
    profiles = [row.values for row in source.rows() if row.table is Table.PROFILES]
    profiles.sort(key=lambda row: int(str(row["id"])))
    expected = [dict(zip(COLUMNS, row, strict=True)) for row in given_rows]
    for name in ("tag", "sip_username", "note", "account", "balance"):
        assert [row[name] for row in profiles] == [row[name] for row in expected], name
    pictures = [row["picture"] for row in profiles]
    assert [picture.encode() if isinstance(picture, str) else picture for picture in pictures] == [
        row["picture"] for row in expected
    ]


# -- servers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(name="mysql", scope="module")
def _mysql() -> Iterator[Server]:
    with mariadb() as server:
        server.execute(*MYSQL, rows={"jwt_secrets": [SECRET]})
        yield server


@pytest.fixture(name="postgres", scope="module")
def _postgres() -> Iterator[Server]:
    with postgresql() as server:
        server.execute(*POSTGRES, rows={"jwt_secrets": [SECRET]})
        yield server


def refill(server: Server, given_rows: Sequence[tuple[Any, ...]]) -> None:
    """Put other profiles in the place of those that are there."""
    server.execute(
        "DELETE FROM jwt_profiles", rows={"jwt_profiles": [(number, *row) for number, row in enumerate(given_rows, 1)]}
    )


def mysql_dump(server: Server, *options: str) -> bytes:
    connected = ("--no-defaults", "-h127.0.0.1", f"-P{server.port}", f"-u{USER}")
    return server.run("mariadb-dump", *connected, *options, DATABASE)


def postgres_dump(server: Server, *options: str) -> bytes:
    return server.run("pg_dump", "-h127.0.0.1", f"-p{server.port}", f"-U{USER}", *options, DATABASE)


@TRIED
@given(given_rows=rows(nul=True))
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--hex-blob",),
        ("--compact",),
        ("--skip-extended-insert", "--complete-insert"),
        ("--skip-opt", "--skip-comments"),
        ("--compatible=ansi", "--default-character-set=utf8mb4"),
        ("--insert-ignore", "--no-autocommit"),
        ("--replace", "--skip-quote-names", "--dump-date=0"),
        ("--databases", "--add-drop-database", "--routines", "--events"),
        ("--compact", "--no-create-info", "--complete-insert", "--hex-blob"),
    ],
    ids=" ".join,
)
def test_mariadb_dump(tmp_path: Path, mysql: Server, options: tuple[str, ...], given_rows: list[Any]) -> None:
    refill(mysql, given_rows)
    dump = tmp_path / "dump.sql"
    dump.write_bytes(mysql_dump(mysql, *options))
    database = DatabaseSource(mysql.url, LAYOUT, password=PASSWORD)
    source = DumpSource(dump, LAYOUT)
    untyped = frozenset({"active"} if "--no-create-info" in options else ())  # bits look like bytes there

    assert_given_back(source, database, given_rows, skipped=untyped)
    assert source.reading is not None
    assert source.reading.dialect == "mysql"


@TRIED
@given(given_rows=rows(nul=True))
def test_mariadb_dump_of_a_server_without_backslash_escapes(
    tmp_path: Path, mysql: Server, given_rows: list[Any]
) -> None:
    refill(mysql, given_rows)
    (before,) = mysql.execute("SELECT @@global.sql_mode")
    mysql.execute("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'")
    try:
        dump = tmp_path / "dump.sql"
        dump.write_bytes(mysql_dump(mysql))
    finally:
        mysql.execute(f"SET GLOBAL sql_mode = '{before[0]}'")

    assert_given_back(DumpSource(dump, LAYOUT), DatabaseSource(mysql.url, LAYOUT, password=PASSWORD), given_rows)


@TRIED
@given(given_rows=rows(nul=False))
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--inserts",),
        ("--column-inserts", "--rows-per-insert=7"),
        ("--inserts", "--on-conflict-do-nothing"),
        ("--disable-dollar-quoting", "--quote-all-identifiers"),
        ("--inserts", "--disable-triggers", "--no-owner", "--no-privileges"),
        ("--clean", "--if-exists", "--create"),
        ("--serializable-deferrable", "--verbose", "--inserts"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_pg_dump(
    tmp_path: Path, postgres: Server, options: tuple[str, ...], conforming: str, given_rows: list[Any]
) -> None:
    refill(postgres, given_rows)
    postgres.execute(f"ALTER DATABASE {DATABASE} SET standard_conforming_strings = {conforming}")
    dump = tmp_path / "dump.sql"
    dump.write_bytes(postgres_dump(postgres, *options))
    database = DatabaseSource(postgres.url, LAYOUT, password=PASSWORD)
    source = DumpSource(dump, LAYOUT)

    assert f"SET standard_conforming_strings = {conforming};".encode() in dump.read_bytes()
    assert_given_back(source, database, given_rows)
    assert source.reading is not None
    assert source.reading.dialect == "postgresql"


# -- SQLite -----------------------------------------------------------------------------------------------------------


def sqlite_file(path: Path, given_rows: Sequence[tuple[Any, ...]]) -> Path:
    """A new file of those rows; SQLite has no decimals of its own."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(SQLITE)
        database.execute("INSERT INTO jwt_secrets VALUES (?, ?, ?, ?, ?)", SECRET)
        database.executemany(
            f"INSERT INTO jwt_profiles ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", given_rows
        )
    return path


def shell(path: Path, *commands: str) -> bytes:
    program = shutil.which("sqlite3")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not installed: sqlite3")
    return subprocess.run([program, path, *commands], capture_output=True, check=True).stdout


def iterdump(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return "".join(f"{line}\n" for line in database.iterdump()).encode()


WAYS: Final[dict[str, Callable[[Path], bytes]]] = {
    ".dump": lambda path: shell(path, ".dump"),
    ".dump --newlines": lambda path: shell(path, ".dump --newlines"),
    ".dump --preserve-rowids --nosys": lambda path: shell(path, ".dump --preserve-rowids --nosys"),
    ".mode insert": lambda path: b"".join(
        shell(path, f".mode insert {table}", ".headers on", f"SELECT * FROM {table};")
        for table in ("jwt_profiles", "jwt_secrets")
    ),
    "iterdump of Python": iterdump,
}


@TRIED
@given(given_rows=rows(nul=False))  # SQLite's own shell loses what is behind a NUL
@pytest.mark.parametrize("way", WAYS)
def test_sqlite(tmp_path: Path, way: str, given_rows: list[Any]) -> None:
    given_rows = [(*row[:5], None if row[5] is None else int(row[5]) % 2**60, *row[6:]) for row in given_rows]
    path = sqlite_file(tmp_path / "source", given_rows)
    dump = tmp_path / "dump.sql"
    dump.write_bytes(WAYS[way](path))
    tells = way.startswith(".dump")
    source = DumpSource(dump, LAYOUT, None if tells else Dialect.SQLITE)

    assert_given_back(source, DatabaseSource(f"sqlite:///{path}", LAYOUT), given_rows)


# -- cut --------------------------------------------------------------------------------------------------------------


def assert_never_whole(dump: Path, whole: bytes) -> None:
    """However much of a dump is there, if its last line is not, it is not taken for whole."""

    @CUT
    @given(st.integers(0, whole.rstrip().rfind(b"\n") + 1))
    def cut(length: int) -> None:
        dump.write_bytes(whole[:length])
        source = CheckedSource(DumpSource(dump, LAYOUT), LAYOUT)
        try:
            as_read(source)
        except SourceError:
            return
        assert source.gaps

    cut()


SOME_ROWS: Final = [("t\\'", "a\n';", "é", b"\0\xff'", 1, Decimal("1.5"), 0.5, True)] * 4


def test_what_is_cut_of_mariadb_dump_is_not_taken_for_whole(tmp_path: Path, mysql: Server) -> None:
    refill(mysql, SOME_ROWS)
    for whole in (mysql_dump(mysql), mysql_dump(mysql, "--skip-comments", "--skip-extended-insert")):
        assert_never_whole(tmp_path / "dump.sql", whole)


def test_what_is_cut_of_pg_dump_is_not_taken_for_whole(tmp_path: Path, postgres: Server) -> None:
    refill(postgres, SOME_ROWS)
    for whole in (postgres_dump(postgres), postgres_dump(postgres, "--inserts")):
        assert_never_whole(tmp_path / "dump.sql", whole)


def test_what_is_cut_of_sqlite_is_not_taken_for_whole(tmp_path: Path) -> None:
    rows_of_integers = [(*row[:5], 1, *row[6:]) for row in SOME_ROWS]
    whole = shell(sqlite_file(tmp_path / "source", rows_of_integers), ".dump")
    assert_never_whole(tmp_path / "dump.sql", whole)

"""URLs of databases, and SQLite; MariaDB and PostgreSQL are asked by tests/e2e/migration."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
from sqlalchemy.exc import DBAPIError

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.bits import bits_of_digits, bits_of_octets
from auth_jwt_cli.migration.sources.databases import DatabaseSource, _reason, holds_password
from tests.measured import UNMEASURED
from tests.migration_sources import a_source_profile, a_source_secret, as_read, values_of, write_sqlite


def source_of(path: Path, **layout: object) -> DatabaseSource:
    return DatabaseSource(f"sqlite:///{path}", SourceLayout(**layout))  # type: ignore[arg-type]


def made(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(script)
    return path


def test_rows_come_with_natural_values_in_the_order_of_their_ids(tmp_path: Path) -> None:
    profiles = [a_source_profile(id=2, tag="b", sip_username=" padded "), a_source_profile(id=1, tag="a")]
    path = write_sqlite(tmp_path / "db", profiles, [a_source_secret(None)])

    source = source_of(path)

    assert values_of(source, Table.PROFILES) == [profiles[1], profiles[0]]
    assert values_of(source, Table.SECRETS) == [a_source_secret(None)]
    assert source.fraction == 1


def test_text_that_is_not_utf8_comes_as_bytes(tmp_path: Path) -> None:
    script = "CREATE TABLE jwt_profiles (tag, v); INSERT INTO jwt_profiles VALUES ('t1', CAST(x'ff61' AS TEXT));"

    assert values_of(source_of(made(tmp_path / "db", script), tables=(Table.PROFILES,)), Table.PROFILES) == [
        {"tag": "t1", "v": b"\xffa"}
    ]


def test_without_an_id_rows_are_ordered_by_what_is_known_of_them(tmp_path: Path) -> None:
    columns = "corresponding_tag, secret, start_ts, end_ts"
    script = (
        f"CREATE TABLE jwt_secrets ({columns});"
        "INSERT INTO jwt_secrets VALUES ('b','z',1,2), ('a','y',3,4), ('a','x',3,4), ('a','w',1,2);"
    )
    rows = as_read(source_of(made(tmp_path / "db", script), tables=(Table.SECRETS,)))

    assert [row.values["secret"] for row in rows] == ["w", "x", "y", "z"]


WITHOUT_END = "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted)"


def test_control_c_ends_a_view_that_has_no_end(tmp_path: Path) -> None:
    path = made(tmp_path / "db", f"CREATE VIEW jwt_profiles AS {WITHOUT_END} SELECT n AS tag FROM counted;")
    program = f"""\
import os, signal, threading
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources.databases import DatabaseSource
rows = DatabaseSource("sqlite:///{path}", SourceLayout(tables=(Table.PROFILES,))).rows()
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    next(rows)
except KeyboardInterrupt:
    print("interrupted")
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60, env=UNMEASURED
    )

    assert ended.stdout == "interrupted\n", ended.stderr


def test_a_view_reaches_nothing_outside_its_file(tmp_path: Path) -> None:
    """`pragma_database_list` would tell where the file lies. A file that somebody sent is no program to trust."""
    path = made(tmp_path / "db", "CREATE VIEW jwt_profiles AS SELECT file AS tag FROM pragma_database_list;")

    with pytest.raises(SourceError, match="cannot be read"):
        as_read(source_of(path, tables=(Table.PROFILES,)))


def test_a_source_is_never_written(tmp_path: Path) -> None:
    path = write_sqlite(tmp_path / "db", [a_source_profile()], [])
    before = path.read_bytes()

    as_read(source_of(path))

    assert path.read_bytes() == before


def test_a_table_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = made(tmp_path / "db", "CREATE TABLE jwt_profiles (tag);")

    with pytest.raises(SourceError, match="jwt_secrets"):
        as_read(source_of(path))


def test_a_file_that_is_not_there_is_an_error_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no SQLite file"):
        source_of(tmp_path / "none")

    assert list(tmp_path.iterdir()) == []


def test_three_slashes_may_mean_the_root_as_opensips_writes_it(tmp_path: Path) -> None:
    path = write_sqlite(tmp_path / "db", [a_source_profile()], [])

    source = DatabaseSource(f"sqlite:///{str(path).lstrip('/')}", SourceLayout())

    assert len(as_read(source)) == 1


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("mysql://opensips@localhost/opensips", False),
        ("mysql://opensips:opensipsrw@localhost/opensips", True),
        ("mysql://opensips:@localhost/opensips", True),
        ("postgres://localhost:5432/db", False),
        ("postgres://u@localhost/db?password=x", True),
        ("postgres://u@localhost/db?sslmode=require", False),
        ("mysql://localhost/db?passwd=x&charset=utf8", True),
        ("sqlite:////tmp/a:b@c", False),
        ("sqlite://u:p@h/x", True),
        ("mysql://u:HUN/TER2@h/db", True),
        ("mysql://u:HUN#TER2@h/db", True),
        ("mysql://u:HUN?TER2@h/db", True),
        ("mysql://u:HUN@TER2@h/db", True),
        ("mysql://u@[h/db", False),
        ("mysql://u@h/db?ssl_key_password=x", True),
        ("postgres://u@h/db?sslmode=require&sslpassword=x", True),
        ("postgres://u@h/db?PASSWORD=", True),
        ("postgres://u@h/db?%70assword=x", True),
        ("mysql://u@h/db?pwd=x", True),
        ("mysql://u@h/db?unix_socket=/run/x", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, holds: bool) -> None:
    assert holds_password(url) is holds


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:HUN@TER2@h/db",
        "mysql://u:HUN@TER2/x@h/db",
        "mysql://u:HUN@TER2?x@h/db",
        "mysql://u:HUN@TER2:x@h/db",
        "mysql://u:pw@h:TER2/db",
        "mysql://u@[h/db",
        "mysql://u:pw@h TER2/db",
        "postgres://u:pw@h#TER2/db",
        "postgres://u:pw@h/db#TER2",
        "postgres://u:pw@h/db/TER2",
        "sqlite://u:TER2@h/x",
    ],
)
def test_a_url_that_may_have_a_piece_of_a_password_elsewhere_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        DatabaseSource(url, SourceLayout())

    assert "TER2" not in f"{caught.value!r}{caught.value.__context__ if not caught.value.__suppress_context__ else ''}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mysql://u:HUN%40TER2@h/db", "mysql://h/db"),
        ("mysql://u@server:HUNTER2@h.example.com:3306/db", "mysql://h.example.com:3306/db"),
        ("postgres://[::1]:5432/my-db?password=HUNTER2", "postgres://[::1]:5432/my-db"),
        ("postgres:///db?host=/run/postgresql", "postgres:///db"),
        ("mariadb://h", "mariadb://h/"),
    ],
)
def test_of_a_url_only_kind_host_and_database_are_shown(url: str, name: str) -> None:
    assert DatabaseSource(url, SourceLayout()).name == f"the database {name}"


def test_a_scheme_that_is_none_is_not_repeated() -> None:
    with pytest.raises(SourceError) as caught:
        DatabaseSource("mysql/u:HUNTER2@h://db", SourceLayout())

    assert "hunter2" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [("foo=1", "'foo'"), ("ssl_ca=/no/such/file", "No such file"), ("connect_timeout=soon", "'connect_timeout'")],
)
@pytest.mark.parametrize("kind", ["mysql", "postgres"])
def test_options_that_a_driver_does_not_take_are_an_error_of_the_source(
    kind: str, options: str, complaint: str
) -> None:
    source = DatabaseSource(f"{kind}://u@127.0.0.1:1/db?{options}", SourceLayout())

    with pytest.raises(SourceError) as caught:
        as_read(source)

    assert kind == "postgres" or complaint in str(caught.value)


@pytest.mark.parametrize("url", ["oracle://u@h/db", "mongodb://h", "mysql+mysqldb://u@h/db", "://x"])
def test_databases_that_are_not_read_are_refused_by_name(url: str) -> None:
    with pytest.raises(SourceError, match="mariadb, mysql, postgres, postgresql, sqlite"):
        DatabaseSource(url, SourceLayout())


@pytest.mark.parametrize("kind", ["mysql", "mariadb", "postgres", "postgresql"])
def test_neither_the_name_nor_an_error_shows_the_password(kind: str) -> None:
    """Nobody listens on port 1."""
    source = DatabaseSource(f"{kind}://u:hunter2@127.0.0.1:1/db?connect_timeout=5", SourceLayout(), password="hunter3")

    with pytest.raises(SourceError, match="cannot be read") as caught:
        as_read(source)

    assert source.name == f"the database {kind}://127.0.0.1:1/db"
    assert "hunter" not in f"{caught.value!r} {caught.value} {source.name}"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        pytest.param(pymysql.err.ProgrammingError(1146, "Table 'db.t' doesn't exist"), True, id="MySQL, a name"),
        pytest.param(pymysql.err.OperationalError(2013, "Lost connection"), True, id="MySQL, its client"),
        pytest.param(pymysql.err.OperationalError(1105, "XPATH syntax error: '~hunter2'"), False, id="MySQL, a value"),
        pytest.param(pymysql.err.DataError(1292, "Incorrect datetime value: 'hunter2'"), False, id="and another"),
        pytest.param(psycopg.errors.UndefinedTable("relation does not exist"), True, id="PostgreSQL, a name"),
        pytest.param(psycopg.OperationalError("connection refused"), True, id="PostgreSQL, its client"),
        pytest.param(
            psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "hunter2"'),
            False,
            id="PostgreSQL, a value",
        ),
        pytest.param(psycopg.DataError("timestamp too large: 'hunter2'"), False, id="PostgreSQL's client, a value"),
        pytest.param(psycopg.errors.RaiseException("hunter2"), False, id="PostgreSQL, words of its own"),
    ],
)
def test_what_a_server_says_is_shown_unless_it_may_quote_a_value(error: Exception, shown: bool) -> None:
    reason = _reason(DBAPIError("SELECT 'hunter2'", {"p": "hunter2"}, error))

    assert "hunter2" not in reason
    assert (str(error.args[-1]) in reason) is shown
    assert shown or "is not shown here" in reason


@pytest.mark.parametrize(
    "column",
    ["json_extract(secret, '$')", "abs(-9223372036854775808)", "json_extract('{}', secret)"],
)
def test_an_error_of_sqlite_within_a_row_quotes_nothing_of_it(tmp_path: Path, column: str) -> None:
    """The last one of these is `bad JSON path: 'hunter2'`."""
    path = made(
        tmp_path / "db",
        "CREATE TABLE t (id, corresponding_tag, secret, start_ts, end_ts);"
        "INSERT INTO t VALUES (1, 't1', 'hunter2', 1, 2);"
        f"CREATE VIEW jwt_secrets AS SELECT id, corresponding_tag, {column} AS secret, start_ts, end_ts FROM t",
    )

    with pytest.raises(SourceError) as caught:
        as_read(source_of(path, tables=(Table.SECRETS,)))

    assert "hunter2" not in str(caught.value)
    assert "SQLITE_ERROR" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "width", "meaning"),
    [(b"\0", 1, False), (b"\1", 1, True), (b"\2\1", 10, 513), ("0", 1, False), ("1", 1, True), ("0101", 4, "0101")],
)
def test_bits_are_a_boolean_or_a_number_or_the_digits_that_postgresql_writes(
    value: bytes | str, width: int, meaning: object
) -> None:
    found = bits_of_octets(value, width) if isinstance(value, bytes) else bits_of_digits(value, width)

    assert (found, type(found)) == (meaning, type(meaning))

"""Files that real tools write: whatever they are in, they hold what the server does, or are named for what they are."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.main import app
from auth_jwt_cli.migration.layout import BOTH_TABLES, SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError
from auth_jwt_cli.migration.sources.csv_files import CsvForm, CsvSource
from auth_jwt_cli.migration.sources.databases import DatabaseSource
from auth_jwt_cli.migration.sources.dumps import DumpSource
from auth_jwt_cli.migration.translation import Translation
from tests.e2e.migration.servers import DATABASE, PASSWORD, USER, Server, mariadb, postgresql
from tests.factories import HMAC_KEY
from tests.migration_sources import write_sqlite
from tools.events.stage import lambda_environment, template

ODD = "naïve ✓ 𝄞 'quoted' \"twice\" back\\slash \\n tab\tline\nend CR\rLF CR\r\n <&> ]]> semi; colon: %_"
CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f"
PROFILE_COLUMNS: Sequence[str] = ("id", "tag", "sip_username", "disabled", "active", "account", "balance")
SECRET_COLUMNS: Sequence[str] = ("id", "corresponding_tag", "secret", "start_ts", "end_ts")
NUMBERS = frozenset({"account", "balance", "flags"})

MYSQL = (
    """CREATE TABLE jwt_profiles (id INT PRIMARY KEY, tag VARCHAR(128), sip_username VARCHAR(128), disabled BIT(1),
       active TINYINT(1), account BIGINT, balance DECIMAL(10,2), flags BIT(10), ratio DOUBLE, picture BLOB, born YEAR,
       since DATETIME)""",
    """CREATE TABLE jwt_secrets (id INT PRIMARY KEY, corresponding_tag VARCHAR(128), secret TEXT, start_ts INT,
       end_ts INT)""",
    # What a trigger or a function says may quote a value: no other error of a SELECT does here.
    """CREATE FUNCTION refused(what TEXT) RETURNS TEXT
       BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = what; RETURN what; END""",
)
MYSQL_PROFILES = [
    (1, "alice", "alice", 0, 1, 2**62, "12.50", 513, 0.1, bytes(range(256)), 2026, "2026-11-23 12:34:56"),
    (2, "odd " + ODD, ODD, 1, 0, -1, "-0.01", 0, 1e100, b"\0", None, None),
    (3, "none", "", None, None, None, None, None, None, None, None, None),
    (4, "controls", CONTROLS, 0, None, None, None, None, None, b"text", None, None),
]
POSTGRES = (
    """CREATE TABLE jwt_profiles (id INT PRIMARY KEY, tag TEXT, sip_username TEXT, disabled BIT(1), active BOOLEAN,
       account BIGINT, balance NUMERIC(10,2), flags BIT(4))""",
    "CREATE TABLE jwt_secrets (id INT PRIMARY KEY, corresponding_tag TEXT, secret TEXT, start_ts INT, end_ts INT)",
)
POSTGRES_PROFILES = [
    (1, "alice", "alice", "0", True, 2**62, "12.50", "0101"),
    (2, "odd " + ODD, ODD, "1", False, -1, "-0.01", None),
    (3, "none", "", None, None, None, None, None),
    (4, "controls", CONTROLS, "0", None, None, None, None),
]
SECRETS = [(1, "alice", HMAC_KEY, 1, 2**31 - 1), (2, "odd " + ODD, ODD + "\\", 0, 1), (3, "none", "", 1, 2)]


def items_of(source: Source, **layout: frozenset[str]) -> list[tuple[str, dict[str, object]]]:
    """What the rows would be in DynamoDB."""
    translation = Translation(SourceLayout(**layout), Columns())  # type: ignore[arg-type]
    rows = [translation.of(row) for row in source.rows()]
    return sorted(
        ((row.key.table.value, dict(row.columns)) for row in rows), key=lambda row: (row[0], str(row[1]["id"]))
    )


def only(items: list[tuple[str, dict[str, object]]], columns: Sequence[str]) -> list[tuple[str, dict[str, object]]]:
    return [(table, {name: row[name] for name in row if name in columns}) for table, row in items]


def live(server: Server) -> list[tuple[str, dict[str, object]]]:
    return items_of(DatabaseSource(server.url, SourceLayout(), password=PASSWORD))


def complaint_of(source: Source) -> str:
    with pytest.raises(SourceError) as caught:
        list(source.rows())
    return str(caught.value)


def dump_of(folder: Path, octets: bytes) -> DumpSource:
    (folder / "dump").write_bytes(octets)
    return DumpSource(folder / "dump", SourceLayout())


@pytest.fixture(name="mysql", scope="module")
def _mysql() -> Iterator[Server]:
    with mariadb() as server:
        server.execute(*MYSQL, rows={"jwt_profiles": MYSQL_PROFILES, "jwt_secrets": SECRETS})
        yield server


@pytest.fixture(name="postgres", scope="module")
def _postgres() -> Iterator[Server]:
    with postgresql() as server:
        server.execute(*POSTGRES, rows={"jwt_profiles": POSTGRES_PROFILES, "jwt_secrets": SECRETS})
        yield server


def dumped(server: Server, *options: str) -> bytes:
    address = ("-h127.0.0.1", f"-P{server.port}", f"-u{USER}", "--default-character-set=utf8mb4")
    return server.run("mariadb-dump", "--no-defaults", *address, *options, DATABASE)


def asked(server: Server, *options: str) -> bytes:
    address = ("-h127.0.0.1", f"-P{server.port}", f"-u{USER}", "--default-character-set=utf8mb4")
    return server.run("mariadb", "--no-defaults", *address, *options, DATABASE)


def psql(server: Server, *options: str) -> bytes:
    return server.run("psql", "-h127.0.0.1", f"-p{server.port}", f"-U{USER}", "-X", "-q", "-d", DATABASE, *options)


def pg_dump(server: Server, *options: str) -> bytes:
    return server.run("pg_dump", "-h127.0.0.1", f"-p{server.port}", f"-U{USER}", *options, DATABASE)


# -- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "flags"), [("mysql", 513), ("postgres", "0101")])
def test_a_bit_of_a_live_table_is_a_boolean(request: pytest.FixtureRequest, kind: str, flags: object) -> None:
    profiles = [row for table, row in live(request.getfixturevalue(kind)) if table == Table.PROFILES.value]

    assert [row.get("disabled") for row in profiles] == [False, True, None, False]
    assert profiles[0]["flags"] == flags


# -- XML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--hex-blob",), ("--databases",), ("--single-transaction", "--compact")])
def test_xml_of_a_dump_is_what_the_server_has(tmp_path: Path, mysql: Server, options: tuple[str, ...]) -> None:
    assert items_of(dump_of(tmp_path, dumped(mysql, "--xml", *options))) == live(mysql)


def test_xml_of_several_databases_is_refused_unless_one_is_named(tmp_path: Path, mysql: Server) -> None:
    mysql.execute("DROP DATABASE IF EXISTS other", "CREATE DATABASE other", "CREATE TABLE other.jwt_profiles (id INT)")
    source = dump_of(tmp_path, dumped(mysql, "--xml", "--databases", "other"))  # and DATABASE
    mysql.execute("DROP DATABASE other")

    assert "twice" in complaint_of(source)
    layout = SourceLayout(profiles_table=f"{DATABASE}.jwt_profiles")
    assert len(list(DumpSource(tmp_path / "dump", layout).rows())) == len(MYSQL_PROFILES) + len(SECRETS)


def test_xml_of_the_client_is_what_the_server_has_but_for_types(tmp_path: Path, mysql: Server) -> None:
    """The client writes a blank for a NUL, unless bytes are written as hex."""
    statements = "; ".join(f"SELECT * FROM {table}" for table in ("jwt_profiles", "jwt_secrets"))
    source = dump_of(tmp_path, asked(mysql, "--xml", "--binary-as-hex", "-e", statements))

    found = items_of(source, number_columns=NUMBERS | {"active"})

    both = (*PROFILE_COLUMNS, *SECRET_COLUMNS)
    assert only(found, both) == only(live(mysql), both)


# -- packed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packer",
    [("gzip", "-9"), ("bzip2", "-9"), ("xz", "-9"), ("xz", "--format=lzma"), ("iconv", "-f", "utf-8", "-t", "utf-16")],
)
def test_a_dump_is_the_same_however_a_tool_has_packed_it(
    tmp_path: Path, mysql: Server, packer: tuple[str, ...]
) -> None:
    dump = dumped(mysql, "--hex-blob")
    packed = subprocess.run(packer, input=dump, capture_output=True, check=True).stdout

    assert packed != dump
    assert items_of(dump_of(tmp_path, packed)) == items_of(dump_of(tmp_path, dump))


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
def test_a_dump_in_a_zip_is_the_same_from_a_file_and_from_a_pipe(tmp_path: Path, mysql: Server) -> None:
    """To a pipe, `zip` writes the sizes behind each file."""
    dump = dumped(mysql)
    (tmp_path / "dump.sql").write_bytes(dump)
    subprocess.run(["zip", "-q", "dump.zip", "dump.sql"], cwd=tmp_path, check=True)
    streamed = subprocess.run(["zip", "-q", "-", "-"], input=dump, capture_output=True, check=True).stdout

    expected = items_of(dump_of(tmp_path, dump))
    assert items_of(DumpSource(tmp_path / "dump.zip", SourceLayout())) == expected
    assert items_of(dump_of(tmp_path, streamed)) == expected


# -- CSV --------------------------------------------------------------------------------------------------------------


def csv(folder: Path, form: CsvForm | None = None, columns: Mapping[Table, Sequence[str]] | None = None) -> CsvSource:
    files = {table: folder / f"{SourceLayout().name_of(table)}.csv" for table in BOTH_TABLES}
    return CsvSource(files, form or CsvForm(), SourceLayout(), columns=columns)


GIVEN = {Table.PROFILES: PROFILE_COLUMNS, Table.SECRETS: SECRET_COLUMNS}


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("encoding", ["utf8", "utf-16"])
def test_what_psql_copies_is_what_the_server_has(tmp_path: Path, postgres: Server, header: bool, encoding: str) -> None:
    for table, columns in (("jwt_profiles", PROFILE_COLUMNS), ("jwt_secrets", SECRET_COLUMNS)):
        path = tmp_path / f"{table}.csv"
        psql(postgres, "-c", f"\\copy {table} ({', '.join(columns)}) to '{path}' csv {'header' if header else ''}")
        path.write_bytes(path.read_bytes().decode().encode(encoding))

    found = items_of(
        csv(tmp_path, columns=None if header else GIVEN),
        number_columns=NUMBERS,
        boolean_columns=frozenset({"active", "disabled"}),
    )

    both = (*PROFILE_COLUMNS, *SECRET_COLUMNS)
    assert found == only(live(postgres), both)
    if not header:
        complaint = complaint_of(csv(tmp_path))
        assert "--profiles-columns" in complaint
        assert "alice" not in complaint


@pytest.mark.parametrize("names", ["", "--skip-column-names"])
def test_what_the_client_prints_in_batch_mode_is_what_the_server_has(tmp_path: Path, mysql: Server, names: str) -> None:
    for table, columns in (("jwt_profiles", PROFILE_COLUMNS), ("jwt_secrets", SECRET_COLUMNS)):
        statement = f"SELECT {', '.join(columns)} FROM {table}"
        text = asked(mysql, "--batch", *([names] if names else []), "-e", statement)
        (tmp_path / f"{table}.csv").write_bytes(text)
    form = CsvForm(delimiter="\t", quote=None, escape="\\", nulls=frozenset({"NULL"}))

    found = items_of(csv(tmp_path, form, GIVEN if names else None), number_columns=NUMBERS | {"active"})

    both = (*PROFILE_COLUMNS, *SECRET_COLUMNS)
    assert found == only(live(mysql), both)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
def test_what_sqlite_writes_as_csv_is_what_is_in_it(tmp_path: Path, header: bool) -> None:
    """It writes the ends of lines as CR LF."""
    names = ("id", "tag", "sip_username")
    profiles = [dict(zip(names, row[:3], strict=True)) for row in MYSQL_PROFILES]
    database = write_sqlite(tmp_path / "db", profiles, [dict(zip(SECRET_COLUMNS, row, strict=True)) for row in SECRETS])
    for table in ("jwt_profiles", "jwt_secrets"):
        command = ["sqlite3", "-csv", *(["-header"] if header else []), str(database), f"SELECT * FROM {table}"]
        (tmp_path / f"{table}.csv").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)

    found = items_of(csv(tmp_path, columns=None if header else {Table.PROFILES: names, Table.SECRETS: SECRET_COLUMNS}))

    assert found == items_of(DatabaseSource(f"sqlite:///{database}", SourceLayout()))


# -- what is named ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-Fc", "-Ft"])
def test_an_archive_of_pg_dump_is_named_and_the_remedy_makes_sql(tmp_path: Path, postgres: Server, option: str) -> None:
    source = dump_of(tmp_path, pg_dump(postgres, option))

    complaint = complaint_of(source)

    assert "an archive of pg_dump" in complaint
    command = complaint.partition("`")[2].partition("`")[0].split()
    assert b"COPY public.jwt_secrets" in postgres.run(*command)


# -- errors of a server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "column", "code"),
    [
        ("mysql", "refused(secret)", "error 1644"),
        ("postgres", "secret::int", "SQLSTATE 22P02"),
        ("postgres", "secret::timestamptz", "SQLSTATE 22007"),
    ],
)
def test_an_error_that_quotes_a_value_is_told_by_its_code(
    request: pytest.FixtureRequest, kind: str, column: str, code: str
) -> None:
    server: Server = request.getfixturevalue(kind)
    server.execute(
        f"CREATE OR REPLACE VIEW broken AS SELECT corresponding_tag, {column} AS secret, start_ts, end_ts"
        " FROM jwt_secrets WHERE id = 1"
    )
    layout = SourceLayout(secrets_table="broken", tables=(Table.SECRETS,))

    with pytest.raises(Exception, match=HMAC_KEY[:8]):
        server.execute("SELECT * FROM broken")
    complaint = complaint_of(DatabaseSource(server.url, layout, password=PASSWORD))
    server.execute("DROP VIEW broken")

    assert HMAC_KEY[:8] not in complaint
    assert code in complaint


MARK = "Zk9Qx7Vw3Jf5Tb8Nc2Lm6Rd4"
MARKED = [
    (1, "t1", MARK, "1", "2", None),
    (2, "t1", MARK * 20_000, "1", "2", None),
    (3, "t1", f"https://{MARK}", MARK, MARK, MARK),
    (4, "t1", f"-----BEGIN PUBLIC KEY-----\n{MARK}", "1", None, MARK),
    (5, "t1", f'{{"kty":"{MARK}","k":"{MARK}"}}', "1", "2", MARK),
    (6, None, MARK, "1", "2", MARK),
]


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("kind", ["mysql", "postgres"])
def test_lint_shows_no_value_of_a_live_table(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, form: tuple[str, ...]
) -> None:
    server: Server = request.getfixturevalue(kind)
    columns = "id INT, corresponding_tag VARCHAR(99), secret {}, start_ts VARCHAR(99), end_ts VARCHAR(99), alg TEXT"
    text = "MEDIUMTEXT" if kind == "mysql" else "TEXT"
    server.execute(f"CREATE TABLE marked ({columns.format(text)})", rows={"marked": MARKED})

    shown = CliRunner().invoke(
        app,
        [
            *("lint", *form, "--only", "secrets", "--secrets-table", "marked", "--report", str(tmp_path / "report")),
            *("--password-file", str(server.password_file), server.url),
        ],
        env=lambda_environment(template(), {}),
    )

    server.execute("DROP TABLE marked")
    assert shown.exit_code == 1
    assert "bound-not-a-number" in shown.stdout
    assert MARK[:5].lower() not in f"{shown.output} {(tmp_path / 'report').read_text()} {shown.exception!r}".lower()

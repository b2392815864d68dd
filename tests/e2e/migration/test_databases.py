"""Real servers with the module's own tables: whichever way rows come from them, the tables here are the same."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.migration.servers import DATABASE, USER, Server, mariadb, postgresql
from tests.factories import HMAC_KEY, public_pem
from tests.migration_sources import FAR
from tools.events.stage import REGION, ROOT, create_tables, lambda_environment, template

ODD = "naïve ✓ 𝄞 'quoted' \"twice\" back\\slash \\n tab\tline\nend, semi; colon: %_"
PICTURE = bytes(range(256))

# As scripts/mysql/auth_jwt-create.sql and scripts/postgres/auth_jwt-create.sql declare them, with further columns.
MYSQL = """
CREATE TABLE version (table_name CHAR(32) NOT NULL, table_version INT UNSIGNED DEFAULT 0 NOT NULL) ENGINE=InnoDB;
INSERT INTO version VALUES ('jwt_profiles','1'), ('jwt_secrets','1');
CREATE TABLE jwt_profiles (
    id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL, tag CHAR(128) NOT NULL, sip_username CHAR(128) NOT NULL,
    display_name VARCHAR(200), account BIGINT, balance DECIMAL(10,2), ratio DOUBLE, active TINYINT(1),
    since DATETIME, seen TIMESTAMP NULL, old_name VARCHAR(50) CHARACTER SET latin1, picture BLOB,
    CONSTRAINT jwt_tag_idx UNIQUE (tag)) ENGINE=InnoDB;
CREATE TABLE jwt_secrets (
    id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL, corresponding_tag CHAR(128) NOT NULL,
    secret TEXT NOT NULL, start_ts INT NOT NULL, end_ts INT NOT NULL) ENGINE=InnoDB;
"""
POSTGRES = """
CREATE TABLE version (table_name VARCHAR(32) NOT NULL, table_version INTEGER DEFAULT 0 NOT NULL);
INSERT INTO version VALUES ('jwt_profiles','1'), ('jwt_secrets','1');
CREATE TABLE jwt_profiles (
    id SERIAL PRIMARY KEY NOT NULL, tag VARCHAR(128) NOT NULL, sip_username VARCHAR(128) NOT NULL,
    display_name VARCHAR(200), account BIGINT, balance NUMERIC(10,2), ratio DOUBLE PRECISION, active BOOLEAN,
    since TIMESTAMP, seen TIMESTAMPTZ, old_name VARCHAR(50), picture BYTEA,
    CONSTRAINT jwt_profiles_jwt_tag_idx UNIQUE (tag));
CREATE TABLE jwt_secrets (
    id SERIAL PRIMARY KEY NOT NULL, corresponding_tag VARCHAR(128) NOT NULL,
    secret TEXT NOT NULL, start_ts INTEGER NOT NULL, end_ts INTEGER NOT NULL);
"""
END = 2_147_483_647  # as far as an INT reaches
TIME = "2026-11-23 12:34:56"
PROFILES = [
    (1, "alice", "alice", "Alice Adams", 4_611_686_018_427_387_904, "12.50", 0.1, True, TIME, TIME, "café", None),
    (2, "odd " + ODD, ODD, ODD, -1, "-0.01", 1e100, False, None, None, None, PICTURE),
    (3, "empty", "", "", None, None, None, None, None, None, "", b"text"),
]
SECRETS = [
    (1, "alice", HMAC_KEY, 1, END),
    (2, "alice", public_pem(), -5, END),
    (3, "odd " + ODD, ODD + "\\", 0, 1),
    (4, "empty", "", 1, END),
]
NUMBERS = ("--number-column", "account", "--number-column", "balance", "--number-column", "ratio")


@dataclass(frozen=True, slots=True)
class Here:
    """Our tables, the command, and a folder for files."""

    client: Any
    environment: dict[str, str]
    folder: Path

    def run(
        self, *arguments: object, stdin: bytes | None = None, program: Sequence[str] = ("-m", "auth_jwt_cli")
    ) -> "subprocess.CompletedProcess[str]":
        """Run `auth-jwt` in a process of its own."""
        given = None if stdin is None else stdin.decode("latin-1")
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **self.environment, "PYTHONPATH": os.pathsep.join(("cli", "layers/auth_jwt", "."))},
            input=given,
            encoding="latin-1" if given is not None else "utf-8",
            capture_output=True,
            timeout=300,
            check=False,
        )

    def imported(self, *arguments: object, stdin: bytes | None = None) -> dict[str, list[dict[str, Any]]]:
        """The items of both tables after an import into empty ones; it refuses the one empty secret."""
        for name in self.client.list_tables()["TableNames"]:
            self.client.delete_table(TableName=name)
        create_tables(self.client, template())
        done = self.run("import", "--json", *arguments, stdin=stdin)
        assert done.returncode == 1, done.stdout + done.stderr
        assert json.loads(done.stdout)["refused"] == {"empty-secret": 1}
        return {name: self._items(name) for name in ("jwt_profiles", "jwt_secrets")}

    def _items(self, name: str) -> list[dict[str, Any]]:
        items = self.client.scan(TableName=name)["Items"]
        return sorted(({k: _natural(v) for k, v in item.items()} for item in items), key=lambda item: int(item["id"]))


def _natural(value: dict[str, Any]) -> object:
    ((kind, held),) = value.items()
    return Decimal(held) if kind == "N" else held


def without(items: dict[str, list[dict[str, Any]]], *columns: str) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{name: value for name, value in item.items() if name not in columns} for item in rows]
        for table, rows in items.items()
    }


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Iterator[Here]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    address = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
    client = boto3.client(
        "dynamodb",
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    create_tables(client, template())
    settings = {"DB_URL": f"dynamodb+{address}/{REGION}"}
    yield Here(client, {**lambda_environment(template(), settings), "XDG_STATE_HOME": str(tmp_path)}, tmp_path)
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    moto.stop()


@pytest.fixture(name="mysql", scope="module")
def _mysql() -> Iterator[Server]:
    with mariadb() as server:
        fill(server, MYSQL)
        yield server


@pytest.fixture(name="postgres", scope="module")
def _postgres() -> Iterator[Server]:
    with postgresql() as server:
        fill(server, POSTGRES)
        yield server


def fill(server: Server, ddl: str) -> None:
    statements = [statement for statement in ddl.split(";\n") if statement.strip()]
    utc = "SET time_zone = '+00:00'" if server.kind == "mysql" else "SET timezone = 'UTC'"
    server.execute(*statements)
    server.execute(utc, rows={"jwt_profiles": PROFILES, "jwt_secrets": SECRETS})


def expected(*, active: Sequence[object]) -> dict[str, list[dict[str, Any]]]:
    """The items that the rows above should be, but for instants, which each server writes its own way."""
    names = ("id", "tag", "sip_username", "display_name", "account", "balance", "ratio", "active")
    profiles = []
    for row, is_active in zip(PROFILES, active, strict=True):
        columns = dict(zip(names, row, strict=False)) | {"active": is_active, "old_name": row[10], "picture": row[11]}
        for name in ("id", "account", "balance", "ratio"):
            if columns[name] is not None:
                columns[name] = Decimal(str(columns[name]))
        profiles.append({name: value for name, value in columns.items() if value is not None})
    profiles[2]["picture"] = "text"
    kinds = ("HS256,HS384,HS512", "RS256,RS384,RS512,PS256,PS384,PS512", "HS256,HS384,HS512")
    secrets = [
        {
            "id": str(row[0]),
            "corresponding_tag": row[1],
            "secret": row[2],
            "start_ts": row[3],
            "end_ts": row[4],
            "alg": alg,
        }
        for row, alg in zip(SECRETS[:3], kinds, strict=True)
    ]
    return {"jwt_profiles": profiles, "jwt_secrets": secrets}


def dumped(server: Server, *options: str) -> bytes:
    return server.run(
        "mariadb-dump", "--no-defaults", "-h127.0.0.1", f"-P{server.port}", f"-u{USER}", *options, DATABASE
    )


def from_mysql(server: Server) -> Callable[[Here], dict[str, list[dict[str, Any]]]]:
    return lambda here: here.imported(server.url, "--password-file", server.password_file)


def test_mariadb_gives_what_is_in_it(here: Here, mysql: Server) -> None:
    found = from_mysql(mysql)(here)

    assert without(found, "since", "seen") == expected(active=[1, 0, None])
    assert (found["jwt_profiles"][0]["since"], found["jwt_profiles"][0]["seen"]) == (TIME, TIME)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--hex-blob", "--complete-insert", "--skip-extended-insert"),
        ("--compact", "--no-create-info", "--complete-insert"),
        ("--compatible=ansi", "--skip-quote-names", "--default-character-set=utf8mb4"),
        ("--replace", "--single-transaction", "--routines", "--triggers", "--events"),
        ("--no-data=0", "--databases"),
    ],
    ids=lambda options: " ".join(options) or "as it comes",
)
def test_every_dump_of_it_gives_the_same(here: Here, mysql: Server, options: tuple[str, ...]) -> None:
    dump = here.folder / "dump.sql.gz"
    dump.write_bytes(gzip.compress(dumped(mysql, *options)))

    assert here.imported(dump) == from_mysql(mysql)(here)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--inserts",),
        ("--column-inserts", "--rows-per-insert=2", "--on-conflict-do-nothing"),
        ("--clean", "--if-exists", "--create", "--quote-all-identifiers"),
    ],
    ids=lambda options: " ".join(options) or "as it comes",
)
def test_every_dump_of_postgresql_gives_what_is_in_it(here: Here, postgres: Server, options: tuple[str, ...]) -> None:
    dump = here.folder / "dump.sql"
    connected = ("-h127.0.0.1", f"-p{postgres.port}", f"-U{USER}")
    dump.write_bytes(postgres.run("pg_dump", *connected, *options, DATABASE))

    assert here.imported(dump) == here.imported(postgres.url, "--password-file", postgres.password_file)


def test_a_dump_through_a_pipe_gives_the_same(here: Here, mysql: Server) -> None:
    assert here.imported("-", stdin=dumped(mysql)) == from_mysql(mysql)(here)


def test_what_mariadb_exports_as_csv_gives_the_same_but_for_blobs(here: Here, mysql: Server) -> None:
    for table, columns in (("jwt_profiles", [*PROFILE_COLUMNS]), ("jwt_secrets", [*SECRET_COLUMNS])):
        path = mysql.folder / f"{table}.csv"
        path.unlink(missing_ok=True)
        header = ", ".join(f"'{column}'" for column in columns)
        mysql.execute(
            "SET time_zone = '+00:00'",
            f"SELECT {header} UNION ALL (SELECT {', '.join(columns)} FROM {table}) INTO OUTFILE '{path}'"
            " CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '\\\\'",
        )
    skip = ("--skip-column", "picture", *NUMBERS, "--number-column", "active")

    found = here.imported(mysql.folder, "--csv-delimiter", "semicolon", "--csv-escape", "backslash", *skip)

    assert found == without(from_mysql(mysql)(here), "picture")


PROFILE_COLUMNS = (
    *("id", "tag", "sip_username", "display_name", "account", "balance", "ratio", "active", "since", "seen"),
    "old_name",
)
SECRET_COLUMNS = ("id", "corresponding_tag", "secret", "start_ts", "end_ts")


def test_what_the_client_prints_in_batch_mode_gives_the_same_but_for_blobs(here: Here, mysql: Server) -> None:
    for table, columns in (("jwt_profiles", PROFILE_COLUMNS), ("jwt_secrets", SECRET_COLUMNS)):
        text = mysql.run(
            *("mariadb", "--no-defaults", "-h127.0.0.1", f"-P{mysql.port}", f"-u{USER}", "--batch"),
            *("--default-character-set=utf8mb4", "--init-command=SET time_zone='+00:00'"),
            *("-e", f"SELECT {', '.join(columns)} FROM {table}", DATABASE),
        )
        (here.folder / f"{table}.tsv").write_bytes(text)
    form = ("--csv-delimiter", "tab", "--csv-quote", "none", "--csv-escape", "backslash", "--csv-null", "NULL")

    found = here.imported(here.folder, *form, *NUMBERS, "--number-column", "active")

    assert found == without(from_mysql(mysql)(here), "picture")


def test_postgresql_gives_what_is_in_it(here: Here, postgres: Server) -> None:
    found = here.imported(postgres.url, "--password-file", postgres.password_file)

    assert without(found, "since", "seen") == expected(active=[True, False, None])
    assert found["jwt_profiles"][0]["since"] == TIME
    assert found["jwt_profiles"][0]["seen"] == "2026-11-23 17:34:56+05"


def test_what_postgresql_copies_to_csv_gives_the_same_but_for_blobs(here: Here, postgres: Server) -> None:
    for table in ("jwt_profiles", "jwt_secrets"):
        path = here.folder / f"{table}.csv"
        postgres.run(
            *("psql", "-h127.0.0.1", f"-p{postgres.port}", f"-U{USER}", "-X", "-q", "-d", DATABASE),
            *("-c", f"\\copy {table} to '{path}' csv header"),
        )
    skip = ("--skip-column", "picture", *NUMBERS, "--boolean-column", "active")

    found = here.imported(here.folder, *skip)

    assert found == without(here.imported(postgres.url, "--password-file", postgres.password_file), "picture")


def test_both_servers_give_the_same_but_for_booleans_and_instants(here: Here, mysql: Server, postgres: Server) -> None:
    one = from_mysql(mysql)(here)
    other = here.imported(f"{postgres.url}?sslmode=prefer", "--password-file", postgres.password_file)

    assert without(one, "active", "seen") == without(other, "active", "seen")


def test_the_whole_url_may_come_from_a_file(here: Here, postgres: Server) -> None:
    url = here.folder / "url"
    url.write_text(postgres.url.replace("@", ":opensips%27rw%20%5C%20%22%C3%A9%22@"))

    done = here.run("lint", "--url-file", url)

    assert done.returncode == 1, done.stderr
    assert "3 profiles, 4 secrets" in done.stdout


def test_a_wrong_password_is_told_as_that_and_shown_nowhere(here: Here, mysql: Server, postgres: Server) -> None:
    wrong = here.folder / "wrong"
    wrong.write_text("hunter2\n")
    for server in (mysql, postgres):
        done = here.run("lint", server.url, "--password-file", wrong)

        assert done.returncode == 4
        assert "Access denied" in done.stderr or "password authentication failed" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr


def test_tags_that_mysql_takes_for_one_are_found(here: Here, mysql: Server) -> None:
    """That it does is asked of it, by the module's own question."""
    database = "folding"
    tables = [statement.strip() for statement in MYSQL.split(";\n")[2:4]]
    pairs = [("alice", "ALICE"), ("bob", "bob "), ("zoe", "zoë"), ("carol", "carol")]
    mysql.execute(f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}", f"USE {database}", *tables)
    profiles = [(number, tag, tag, *[None] * 9) for number, (tag, _) in enumerate(pairs, 1)]
    secrets = [(number, tag, HMAC_KEY + tag, 1, END) for number, (_, tag) in enumerate(pairs, 1)]
    mysql.execute(f"USE {database}", rows={"jwt_profiles": profiles, "jwt_secrets": secrets})
    joined = mysql.execute(
        f"SELECT COUNT(*) FROM {database}.jwt_profiles a JOIN {database}.jwt_secrets b ON a.tag = b.corresponding_tag"
    )

    done = here.run("lint", "--json", mysql.url.replace(DATABASE, database, 2).replace(database, DATABASE, 1),
                    "--password-file", mysql.password_file)  # fmt: skip

    assert joined == [(4,)]
    found = {finding["tag"] for finding in json.loads(done.stdout)["findings"] if finding["rule"] == "folded-tags"}
    assert found == {"alice", "ALICE", "zoe", "zoë"}  # a CHAR loses its blanks by itself


TELLING_MEMORY = (
    "-c",
    "import atexit, pathlib, sys; from auth_jwt_cli.main import main;"
    "atexit.register(lambda: sys.stderr.write(pathlib.Path('/proc/self/status').read_text())); main()",
)
"""Runs the command, and tells at its end how much memory it has had."""


def peak_of(done: "subprocess.CompletedProcess[str]") -> int:
    """The most memory that a process has had, in kB; what `wait4` says begins with that of its parent."""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


@pytest.mark.parametrize("kind", ["mysql", "postgres"])
def test_many_rows_are_read_in_flat_memory(here: Here, request: pytest.FixtureRequest, kind: str) -> None:
    """Of 60 MB no more is held than a few rows: the cursor is on the server's side."""
    server: Server = request.getfixturevalue(kind)
    many = 30_000
    series = f"seq_1_to_{many}" if kind == "mysql" else f"generate_series(1, {many}) AS s(seq)"
    server.execute(
        "CREATE TABLE many AS SELECT seq AS id, CONCAT('t', seq) AS corresponding_tag,"
        f" REPEAT('0123456789abcdef', 125) AS secret, 1 AS start_ts, {FAR} AS end_ts FROM {series}"
    )
    looked = (
        "lint",
        "--only",
        "secrets",
        "--ignore",
        "shared-secret",
        "--password-file",
        server.password_file,
        server.url,
    )

    few = here.run(*looked, program=TELLING_MEMORY)
    done = here.run(*looked, "--secrets-table", "many", program=TELLING_MEMORY)

    server.execute("DROP TABLE many")
    assert f"Looked at {many} secrets" in done.stdout, done.stderr
    assert peak_of(done) < peak_of(few) + 15_000  # kB

"""`auth-jwt lint`, as an operator runs it: on sources, and on the live tables (moto)."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from auth_jwt_cli.main import app
from auth_jwt_cli.migration.findings import RULES
from tests.factories import HMAC_KEY, public_pem
from tests.migration_sources import (
    SECRET_COLUMNS,
    a_source_profile,
    a_source_secret,
    users,
    write_csv,
    write_dbtext,
    write_dump,
    write_sqlite,
)
from tools.events.stage import REGION, create_tables, environment, lambda_environment, template

GOOD = HMAC_KEY
PROFILES = [
    a_source_profile(),
    a_source_profile(id=2, tag="t2", sip_username=""),
    a_source_profile(id=3, tag="lonely"),
    a_source_profile(id=4, tag=None),
]
SECRETS = [
    a_source_secret("", id=1),
    a_source_secret("hunter2", id=2),
    a_source_secret(GOOD, id=3, corresponding_tag="T2"),
    a_source_secret(GOOD, id=4, corresponding_tag="nobody"),
    a_source_secret(public_pem(), id=5, end_ts=2),
]
WITHOUT_ALG = {("no-alg", "t1", "1"), ("no-alg", "t2", "1")}
FOUND = {
    ("empty-secret", "t1", "1"),
    ("short-secret", "t1", "2"),
    ("public-key-as-hmac", "t1", "5"),
    ("expired", "t1", "5"),
    ("no-username", "t2", None),
    ("no-tag", None, None),
    ("folded-tags", "t2", None),
    ("folded-tags", "T2", "3"),
    ("shared-secret", "T2", "3"),
    ("shared-secret", "nobody", "4"),
    ("secret-without-profile", "nobody", "4"),
    ("profile-without-secret", "lonely", None),
}


@pytest.fixture(name="client")
def _client() -> Iterator[Any]:
    with environment(lambda_environment(template(), {})), mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client, template())
        yield client


def lint(*arguments: object, **settings: str) -> Result:
    return CliRunner().invoke(app, ["lint", *map(str, arguments)], env=lambda_environment(template(), settings))


def found_in(result: Result) -> set[tuple[str, str | None, str | None]]:
    document = json.loads(result.stdout)
    return {(finding["rule"], finding.get("tag"), finding.get("id")) for finding in document["findings"]}


def put(client: Any, table: str, **columns: Any) -> None:
    item = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in columns.items()}
    client.put_item(TableName=table, Item=item)


def zipped(folder: Path) -> Path:
    """A zip archive of what is in a folder."""
    return Path(shutil.make_archive(str(folder / "tables"), "zip", folder))


@pytest.mark.parametrize("kind", ["sqlite", "dump", "csv", "zip", "dbtext"])
def test_every_kind_of_source_has_the_same_findings(tmp_path: Path, kind: str) -> None:
    """But db_text, where empty text is NULL: the same to every rule."""
    source = {
        "sqlite": lambda: write_sqlite(tmp_path / "db", PROFILES, SECRETS),
        "dump": lambda: write_dump(tmp_path / "dump.sql", PROFILES, SECRETS),
        "csv": lambda: write_csv(tmp_path, PROFILES, SECRETS),
        "zip": lambda: zipped(write_csv(tmp_path, PROFILES, SECRETS)),
        "dbtext": lambda: write_dbtext(tmp_path, PROFILES, SECRETS),
    }[kind]()

    result = lint("--json", source)

    assert found_in(result) == FOUND
    assert result.exit_code == 1
    assert "hunter2" not in result.output


def test_csv_without_names_is_refused_and_read_where_the_command_line_names_them(tmp_path: Path) -> None:
    folder = write_csv(tmp_path, *users(3))
    for path in folder.iterdir():
        path.write_text(path.read_text().partition("\n")[2])
    named = ("--profiles-columns", "id, tag, sip_username", "--secrets-columns", ",".join(SECRET_COLUMNS))

    refused, read = lint(folder), lint(folder, *named)

    assert (refused.exit_code, read.exit_code) == (4, 0)
    assert "--profiles-columns" in refused.stderr
    assert "user-0" not in refused.output
    assert "Looked at 3 profiles, 3 secrets" in read.stdout


def test_an_archive_of_pg_dump_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "toc.dat").touch()

    assert "pg_restore -f -" in lint(tmp_path).stderr


def test_it_is_told_to_people_worst_first_with_remedies(tmp_path: Path) -> None:
    result = lint(write_sqlite(tmp_path / "db", PROFILES, SECRETS))

    assert result.exit_code == 1
    told = [
        line.split()[1] for line in result.stdout.splitlines() if line.startswith(("danger ", "difference ", "hint "))
    ]
    assert told == [rule for rule in RULES if rule in {name for name, _, _ in FOUND}]
    assert result.stdout.count("  Remedy: ") == len(told)
    assert "Looked at 4 profiles, 5 secrets of the database sqlite:///" in result.stdout
    assert "Found: 5 dangers, 4 differences, 3 hints." in result.stdout
    assert "  - secrets, tag 't1', id '1' (row 1)" in result.stdout
    assert "hunter2" not in result.output


def test_one_finding_is_counted_as_one(tmp_path: Path) -> None:
    profiles, _ = users(1)
    dump = write_dump(tmp_path / "dump.sql", profiles, [])

    assert "Found: 1 hint." in lint(dump).stdout


def test_rows_that_may_be_missing_are_told_and_end_with_4(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump.sql", *users(30))
    dump.write_bytes(dump.read_bytes().rstrip(b";\n"))

    result = lint(dump)
    document = json.loads(lint("--json", dump).stdout)
    accepted = lint("--accept-incomplete", dump)

    assert result.exit_code == 4
    assert "Read as SQL of MySQL or MariaDB: line " in result.stdout
    assert "\nPossibly incomplete:\n  - line 18: the dump ends within a statement that begins there\n" in result.stdout
    assert "rows of the source may be missing; --accept-incomplete accepts" in result.stderr
    assert document["reading"]["dialect"] == "mysql"
    assert document["incomplete"] == [{"place": "line 18", "why": "the dump ends within a statement that begins there"}]
    assert accepted.exit_code == 0
    assert "Possibly incomplete" in accepted.stdout


def test_a_good_source_ends_with_nothing_found(tmp_path: Path) -> None:
    profiles, secrets = users(30)

    result = lint(write_sqlite(tmp_path / "db", profiles, secrets), "--strict")

    assert (result.exit_code, "Found nothing." in result.stdout) == (0, True)


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--strict",), 1), (("--strict", "--ignore", "expired"), 0)])
def test_hints_alone_end_with_1_only_if_strict_and_not_ignored(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    source = write_sqlite(tmp_path / "db", [a_source_profile()], [a_source_secret(end_ts=2)])

    assert lint(source, *arguments).exit_code == code


def test_a_rule_to_ignore_has_to_be_one(tmp_path: Path) -> None:
    result = lint(write_sqlite(tmp_path / "db", [], []), "--ignore", "expird")

    assert (result.exit_code, "no rule 'expird'" in result.stderr) == (2, True)


def test_only_some_of_many_are_shown_and_all_are_in_the_report(tmp_path: Path) -> None:
    secrets = [a_source_secret("short", id=number) for number in range(1, 26)]
    source = write_sqlite(tmp_path / "db", [a_source_profile()], secrets)

    result = lint(source, "--report", tmp_path / "report")

    assert result.stdout.count("  - secrets") == 10
    assert "... and 15 more" in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "report").read_text().splitlines()]
    assert [line["id"] for line in lines] == [str(number) for number in range(1, 26)]
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o600


def test_doubles_are_found(tmp_path: Path) -> None:
    same = a_source_profile()
    folder = write_csv(tmp_path, [same, same, a_source_profile(sip_username="bob")], [])

    assert found_in(lint("--json", "--only", "profiles", folder)) == {("duplicate-key", "t1", None)}


def test_secrets_are_judged_by_the_settings(tmp_path: Path) -> None:
    source = write_sqlite(tmp_path / "db", [a_source_profile()], [a_source_secret(GOOD[:20])])

    assert found_in(lint("--json", source)) == {("short-secret", "t1", "1")}
    assert found_in(lint("--json", source, MIN_HMAC_KEY_BYTES="20")) == set()
    assert found_in(lint("--json", source, "--set", "MIN_HMAC_KEY_BYTES=20", "--set", "LOAD_CREDENTIALS=name")) == {
        ("credential-missing", "t1", None)
    }


def test_the_live_tables_are_looked_at_without_a_source(client: Any) -> None:
    put(client, "jwt_profiles", tag="t1", sip_username="alice")
    put(client, "jwt_profiles", tag="t2")
    put(client, "jwt_secrets", corresponding_tag="t1", id="1", secret=public_pem(), start_ts=1, end_ts=4102444800)
    put(client, "jwt_secrets", corresponding_tag="t2", id="1", secret="hunter2", start_ts=1, end_ts=4102444800)

    result = CliRunner().invoke(app, ["lint", "--json"])

    assert found_in(result) == {("no-username", "t2", None), ("short-secret", "t2", "1"), *WITHOUT_ALG}
    assert json.loads(result.stdout)["rows"] == {"profiles": 2, "secrets": 2}
    assert result.exit_code == 1


def test_rows_without_alg_are_counted_and_dangerous_to_nobody(client: Any) -> None:
    put(client, "jwt_profiles", tag="t1", sip_username="alice")
    put(client, "jwt_secrets", corresponding_tag="t1", id="1", secret=GOOD, start_ts=1, end_ts=4102444800)
    put(client, "jwt_secrets", corresponding_tag="t1", id="2", secret=GOOD, start_ts=1, end_ts=4102444800, alg="HS256")

    result = lint("--json")
    assert (result.exit_code, json.loads(result.stdout)["rules"]) == (0, {"no-alg": 1})
    strict = lint("--json", REQUIRE_ALG_COLUMN="true")
    assert (strict.exit_code, json.loads(strict.stdout)["rules"]) == (0, {"alg-required": 1})
    assert lint("--strict", REQUIRE_ALG_COLUMN="true").exit_code == 1


def test_live_tables_of_many_pages_are_read_to_the_end(client: Any) -> None:
    for number in range(15):
        put(client, "jwt_profiles", tag=f"t{number}", sip_username="alice", note="x" * 350_000)

    result = CliRunner().invoke(app, ["lint", "--json", "--only", "profiles"])

    assert json.loads(result.stdout)["rows"] == {"profiles": 15}


def test_tables_that_cannot_be_read_are_no_clean_bill(client: Any) -> None:
    client.delete_table(TableName="jwt_secrets")

    told = CliRunner().invoke(app, ["lint"])
    result = CliRunner().invoke(app, ["lint", "--json"])

    assert told.exit_code == result.exit_code == 4
    assert "Found nothing" not in told.stdout
    assert "jwt_secrets" in told.stderr
    assert "ResourceNotFoundException" in json.loads(result.stdout)["problem"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["no-such-file"], 4), (["mysql://u:hunter2@h/db"], 2), (["mysql://u@127.0.0.1:1/db"], 4)],
    ids=["no such file", "a password in an argument", "nobody listening"],
)
def test_a_source_that_cannot_be_read_is_no_clean_bill(arguments: list[str], code: int) -> None:
    result = lint(*arguments)

    assert result.exit_code == code
    assert "Found nothing" not in result.stdout
    assert result.stderr.startswith("Error: ")
    assert "hunter2" not in result.output

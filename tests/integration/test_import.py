"""`auth-jwt import`, as an operator runs it, from every kind of file into DynamoDB (moto's server)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
import pytest
from moto.dynamodb.models import DynamoDBBackend
from typer.testing import CliRunner

from auth_jwt.errors import Unreachable
from auth_jwt.issuers.models import REGISTRY_TAG
from auth_jwt.models import Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.main import app
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import Finding
from auth_jwt_cli.migration.importing import Import
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources.databases import DatabaseSource
from auth_jwt_cli.migration.target import Patience, Target, patient_client
from auth_jwt_cli.migration.translation import Translation
from auth_jwt_cli.migration.writing import RowOutcome, Taken
from tests.command_line import command
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import HMAC_KEY, NOW, a_jwk, a_jwks, public_pem
from tests.issuers import ISSUER, issuer_row, item_of
from tests.measured import UNMEASURED
from tests.migration_sources import (
    Rows,
    a_source_profile,
    a_source_secret,
    csv_field,
    users,
    write_csv,
    write_dbtext,
    write_dump,
    write_sqlite,
)
from tests.moto_server import a_moto_server
from tools.events.stage import REGION, ROOT, create_tables, lambda_environment, template

ITEM_PROFILE = {"id": {"N": "1"}, "tag": {"S": "t1"}, "sip_username": {"S": "alice"}}
ITEM_SECRET = {
    "corresponding_tag": {"S": "t1"},
    "id": {"S": "1"},
    "secret": {"S": HMAC_KEY},
    "start_ts": {"N": "1"},
    "end_ts": {"N": "4102444800"},
    "alg": {"S": "HS256,HS384,HS512"},
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it wrote as JSON."""
        return json.loads(self.out)

    def counts(self, table: str) -> dict[str, int]:
        """What became of the rows of a table, without the zeros."""
        return {name: count for name, count in self.document["tables"][table].items() if count}


@dataclass(frozen=True, slots=True)
class Tables:
    """Empty tables, an environment that leads to them, and the command."""

    client: Any
    environment: dict[str, str]
    folder: Path

    def run(self, command: str, *arguments: object) -> Ran:
        """Run `auth-jwt COMMAND` in this process."""
        result = CliRunner().invoke(app, [command, *map(str, arguments)], env=self.environment)
        return Ran(result.exit_code, result.stdout, result.stderr)

    def imported(self, *arguments: object) -> Ran:
        """Run `auth-jwt import --json`."""
        return self.run("import", "--json", *arguments)

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, by their keys."""
        pages = self.client.get_paginator("scan").paginate(TableName=table)
        return sorted(
            (item for page in pages for item in page["Items"]), key=lambda item: json.dumps(item, sort_keys=True)
        )

    def audit(self) -> list[dict[str, Any]]:
        """The lines of the audit file."""
        file = self.folder / "state" / "auth-jwt" / "audit.log"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    def sqlite(self, profiles: Rows, secrets: Rows) -> Path:
        """A new SQLite file of those rows."""
        path = self.folder / "source.sqlite"
        path.unlink(missing_ok=True)
        return write_sqlite(path, profiles, secrets)


@pytest.fixture(name="address", scope="module")
def _address() -> Iterator[str]:
    with a_moto_server() as address:
        yield address


@pytest.fixture(name="tables")
def _tables(address: str, tmp_path: Path) -> Iterator[Tables]:
    environment = {
        **lambda_environment(template(), {"DB_URL": f"dynamodb+{address}/{REGION}"}),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
    }
    client = boto3.client(
        "dynamodb",
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    create_tables(client, template())
    yield Tables(client, environment, tmp_path)
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)


def test_rows_become_items_of_natural_types(tables: Tables) -> None:
    ran = tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))

    assert (ran.code, ran.document["complete"]) == (0, True)
    assert tables.items("jwt_profiles") == [ITEM_PROFILE]
    assert tables.items("jwt_secrets") == [ITEM_SECRET]


@pytest.mark.parametrize("kind", ["dump", "dump.gz", "csv", "csv files", "dbtext", "sqlite", "sqlite url", "stdin"])
def test_every_kind_of_source_gives_the_same_items(tables: Tables, kind: str) -> None:
    profiles = [a_source_profile(), a_source_profile(id=2, tag=" naïve,\"'\\:\n ", sip_username=None)]
    secrets = [a_source_secret(), a_source_secret("\\\t'\"; ✓" * 9, id=2, corresponding_tag=" naïve,\"'\\:\n ")]
    folder = tables.folder
    arguments: dict[str, Callable[[], list[object]]] = {
        "dump": lambda: [write_dump(folder / "dump.sql", profiles, secrets)],
        "dump.gz": lambda: [gzipped(write_dump(folder / "dump.sql", profiles, secrets))],
        "csv": lambda: [write_csv(folder, profiles, secrets)],
        "csv files": lambda: csv_arguments(write_csv(folder, profiles, secrets)),
        "dbtext": lambda: [write_dbtext(folder, profiles, secrets)],
        "sqlite": lambda: [tables.sqlite(profiles, secrets)],
        "sqlite url": lambda: [f"sqlite:///{tables.sqlite(profiles, secrets)}"],
        "stdin": lambda: ["-"],
    }

    if kind == "stdin":
        dump = write_dump(folder / "dump.sql", profiles, secrets)
        with dump.open("rb") as file, in_a_process(tables, "-", stdin=file) as process:
            ended(process, 30)
        assert process.returncode == 0
    else:
        assert tables.imported(*arguments[kind]()).code == 0

    assert [item["id"] for item in tables.items("jwt_profiles")] == [{"N": "1"}, {"N": "2"}]
    assert tables.items("jwt_profiles")[1] == {"id": {"N": "2"}, "tag": {"S": " naïve,\"'\\:\n "}}
    assert [item["secret"]["S"] for item in tables.items("jwt_secrets")] == ["\\\t'\"; ✓" * 9, HMAC_KEY]


def gzipped(path: Path) -> Path:
    subprocess.run(["gzip", "--keep", "--force", path], check=True)
    return path.with_suffix(".sql.gz")


def csv_arguments(folder: Path) -> list[object]:
    return ["--profiles-file", folder / "jwt_profiles.csv", "--secrets-file", folder / "jwt_secrets.csv"]


def csv_of(tables: Tables, profiles: Rows, secrets: Rows) -> Path:
    """A folder of CSV files with whatever columns the rows have."""
    for name, rows in (("jwt_profiles", profiles), ("jwt_secrets", secrets)):
        lines = [",".join(rows[0]), *(",".join(map(csv_field, row.values())) for row in rows)]
        (tables.folder / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return tables.folder


def test_the_same_rows_again_are_left_alone(tables: Tables) -> None:
    source = tables.sqlite(*users(230))
    first = tables.imported(source)
    items = tables.items("jwt_secrets")

    again = tables.imported(source)

    assert first.counts("secrets") == {"read": 230, "written": 230}
    assert again.counts("secrets") == {"read": 230, "unchanged": 230}
    assert (again.code, tables.items("jwt_secrets")) == (0, items)


def test_new_rows_are_added_and_what_only_the_table_has_stays(tables: Tables) -> None:
    tables.imported(tables.sqlite(*users(3)))
    tables.client.put_item(TableName="jwt_profiles", Item={"tag": {"S": "made here"}})

    ran = tables.imported(tables.sqlite(*users(5)))

    assert ran.counts("profiles") == {"read": 5, "written": 2, "unchanged": 3}
    assert len(tables.items("jwt_profiles")) == 6


HMAC_NAMES = "HS256,HS384,HS512"


def algs(tables: Tables) -> dict[str, str | None]:
    """What the `alg` of each secret says."""
    return {item["id"]["S"]: item.get("alg", {}).get("S") for item in tables.items("jwt_secrets")}


def test_every_secret_gets_an_alg_that_says_what_it_is(tables: Tables) -> None:
    secrets = [
        a_source_secret(),
        a_source_secret(public_pem("p256"), id=2),
        a_source_secret(a_jwks(a_jwk("ed25519"), a_jwk()), id=3),
        a_source_secret("https://issuer.example/jwks.json", id=4),
        a_source_secret(HMAC_KEY[:20], id=5),
    ]

    assert tables.imported(tables.sqlite([a_source_profile()], secrets)).code == 0
    assert algs(tables) == {
        "1": HMAC_NAMES,
        "2": "ES256",
        "3": "RS256,RS384,RS512,PS256,PS384,PS512,EdDSA",
        "4": None,  # it is none, whatever is written there
        "5": HMAC_NAMES,
    }


def test_an_alg_of_the_source_stays(tables: Tables) -> None:
    folder = csv_of(tables, [a_source_profile()], [a_source_secret(alg="HS384")])

    assert tables.imported(folder).code == 0
    assert algs(tables) == {"1": "HS384"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--dry-run",),
        (
            "--overwrite",
            "--yes",
        ),
    ],
    ids=str,
)
def test_text_in_doubt_stops_it_before_anything_is_written(tables: Tables, arguments: tuple[str, ...]) -> None:
    secrets = [a_source_secret(), a_source_secret(DOUBTFUL, id=2), a_source_secret(DOUBTFUL, id=3)]
    source = tables.sqlite([a_source_profile()], secrets)

    shown = tables.run("import", source, *arguments)
    ran = tables.imported(source, *arguments, "--report", tables.folder / "report")

    assert (ran.code, ran.document["stopped"], ran.document["refused"]) == (1, True, {"in-doubt": 2})
    assert "  - secrets, tag 't1', id '2' (row 2)" in shown.out
    assert "say --hmac" in shown.out
    reported = [json.loads(line) for line in (tables.folder / "report").read_text().splitlines()]
    assert {line["id"] for line in reported if "id" in line} == {"2", "3"}
    assert all("might not be an HMAC secret" in line["why"] for line in reported if "id" in line)
    assert "00c0ffee" not in shown.out + shown.err + ran.out + ran.err
    assert tables.items("jwt_profiles") == tables.items("jwt_secrets") == []


def test_text_in_doubt_is_taken_along_by_whoever_knows_that_it_is_hmac(tables: Tables) -> None:
    source = tables.sqlite([a_source_profile()], [a_source_secret(), a_source_secret(DOUBTFUL, id=2)])

    ran = tables.imported(source, "--hmac")

    assert (ran.code, ran.document["stopped"]) == (0, False)
    assert algs(tables) == {"1": HMAC_NAMES, "2": HMAC_NAMES}


def test_text_in_doubt_is_left_out_by_whoever_says_so(tables: Tables) -> None:
    source = tables.sqlite([a_source_profile()], [a_source_secret(), a_source_secret(DOUBTFUL, id=2)])

    ran = tables.imported(source, "--skip-in-doubt")

    assert (ran.code, ran.document["refused"], ran.document["stopped"]) == (1, {"in-doubt": 1}, False)
    assert algs(tables) == {"1": HMAC_NAMES}
    assert tables.imported(source, "--skip-in-doubt", "--hmac").code == 2


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_can_be_read_once_only_is_looked_at_before_all_the_same(tables: Tables, packed: bool) -> None:
    secrets = [a_source_secret(), a_source_secret(DOUBTFUL, id=2)]
    dump = write_dump(tables.folder / "dump.sql", [a_source_profile()], secrets)

    def code_of(*arguments: str) -> int:
        with (
            subprocess.Popen(["cat", gzipped(dump) if packed else dump], stdout=subprocess.PIPE) as pipe,
            in_a_process(tables, *arguments, "-", stdin=pipe.stdout) as process,
        ):
            ended(process, 90)
            return process.returncode

    assert code_of() == 1
    assert tables.items("jwt_profiles") == tables.items("jwt_secrets") == []
    assert code_of("--hmac") == 0
    assert algs(tables) == {"1": HMAC_NAMES, "2": HMAC_NAMES}
    write_dump(dump, [a_source_profile()], [*secrets[:1], a_source_secret(public_pem(), id=3)])
    assert code_of() == 0
    assert len(algs(tables)) == 3


def test_a_key_by_which_anybody_can_sign_is_left_out(tables: Tables) -> None:
    source = tables.sqlite([a_source_profile()], [a_source_secret(public_key_pem(PRIME_MODULUS))])

    ran = tables.imported(source)

    assert (ran.code, ran.document["refused"]) == (1, {"degenerate-key": 1})
    assert tables.items("jwt_secrets") == []


@pytest.mark.parametrize("there", ["HS256,HS384,HS512", "HS256", None])
def test_what_alg_says_in_the_table_alone_is_no_difference(tables: Tables, there: str | None) -> None:
    source = tables.sqlite([a_source_profile()], [a_source_secret()])
    item = {name: value for name, value in ITEM_SECRET.items() if name != "alg"}
    tables.client.put_item(TableName="jwt_secrets", Item=item if there is None else {**item, "alg": {"S": there}})

    for arguments in (
        (),
        (
            "--overwrite",
            "--yes",
        ),
    ):
        ran = tables.imported(source, *arguments)
        assert (ran.code, ran.counts("secrets")) == (0, {"read": 1, "unchanged": 1})
    assert algs(tables) == {"1": there}


def test_another_secret_brings_its_alg_along(tables: Tables) -> None:
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))

    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret(public_pem())]), "--overwrite", "--yes")
    assert algs(tables) == {"1": "RS256,RS384,RS512,PS256,PS384,PS512"}
    tables.imported(
        tables.sqlite([a_source_profile()], [a_source_secret("arn:aws:ssm:eu:1:parameter/x")]), "--overwrite", "--yes"
    )
    assert algs(tables) == {"1": None}
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret(end_ts=7)]), "--overwrite", "--yes")
    assert algs(tables) == {"1": HMAC_NAMES}
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret(end_ts=6)]), "--overwrite", "--yes")
    assert algs(tables) == {"1": HMAC_NAMES}


def test_a_row_that_differs_is_named_and_left_alone(tables: Tables) -> None:
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))
    source = tables.sqlite([a_source_profile(sip_username="bob")], [a_source_secret()])

    ran = tables.imported(source, "--report", tables.folder / "report")
    told = tables.run("import", source)

    assert (ran.code, ran.document["complete"]) == (3, False)
    assert ran.counts("profiles") == {"read": 1, "different": 1}
    assert tables.items("jwt_profiles") == [ITEM_PROFILE]
    assert "profiles, tag 't1': sip_username" in told.out
    line = json.loads((tables.folder / "report").read_text().splitlines()[0])
    assert line == {"outcome": "different", "table": "profiles", "tag": "t1", "columns": ["sip_username"]}


def test_overwriting_takes_the_source_and_keeps_what_only_the_table_has(tables: Tables) -> None:
    """A revocation that was written here must survive."""
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))
    tables.client.put_item(TableName="jwt_profiles", Item={**ITEM_PROFILE, "tokens_valid_after": {"N": "5"}})

    same = tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]), "--overwrite", "--yes")
    changed = tables.imported(
        tables.sqlite([a_source_profile(sip_username="bob")], [a_source_secret()]), "--overwrite", "--yes"
    )

    assert same.counts("profiles") == {"read": 1, "unchanged": 1}
    assert (changed.code, changed.counts("profiles")) == (0, {"read": 1, "overwritten": 1})
    assert tables.items("jwt_profiles") == [
        {**ITEM_PROFILE, "sip_username": {"S": "bob"}, "tokens_valid_after": {"N": "5"}}
    ]


def test_overwriting_asks_first(tables: Tables) -> None:
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))
    source = tables.sqlite([a_source_profile(sip_username="bob")], [a_source_secret()])

    ran = tables.run("import", source, "--overwrite")

    assert (ran.code, "add --yes" in ran.err) == (2, True)
    assert tables.items("jwt_profiles") == [ITEM_PROFILE]
    assert tables.run("import", source, "--overwrite", "--dry-run").code == 0


def test_overwriting_opens_nothing_that_was_closed_here(tables: Tables) -> None:
    """A secret that leaked, a user who was thrown out, tokens that were revoked: the source knows of none of it."""
    profile = a_source_profile(disabled=0, tokens_valid_after=5)
    closed = {"disabled": {"BOOL": True}, "tokens_valid_after": {"N": str(NOW)}}
    tables.client.put_item(TableName="jwt_profiles", Item={**ITEM_PROFILE, **closed})
    tables.client.put_item(TableName="jwt_secrets", Item={**ITEM_SECRET, "end_ts": {"N": "5"}})
    source = csv_of(tables, [profile], [a_source_secret("n" * 64)])

    dry = tables.imported(source, "--overwrite", "--yes", "--dry-run")
    ran = tables.imported(source, "--overwrite", "--yes")
    again = tables.imported(source, "--overwrite", "--yes")

    assert tables.items("jwt_profiles") == [{**ITEM_PROFILE, **closed}]
    assert tables.items("jwt_secrets") == [{**ITEM_SECRET, "secret": {"S": "n" * 64}, "end_ts": {"N": "5"}}]
    assert (ran.counts("profiles"), ran.counts("secrets")) == (
        {"read": 1, "different": 1},
        {"read": 1, "overwritten": 1},
    )
    assert dry.document["tables"] == ran.document["tables"]
    assert again.counts("secrets") == {"read": 1, "different": 1}
    for told in (dry, ran, again):
        assert told.document["flagged"]["kept-closed"] == 2
        assert (told.code, told.document["complete"]) == (3, False)
    entry = next(line for line in tables.audit() if line["audit"] == "secret.import")
    assert entry["columns"] == ["secret"]


def test_overwriting_closes_what_the_source_closed(tables: Tables) -> None:
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))
    source = csv_of(tables, [a_source_profile(disabled=1)], [a_source_secret(end_ts=5)])

    ran = tables.imported(source, "--overwrite", "--yes")

    assert (ran.code, ran.document["complete"]) == (0, True)
    assert tables.items("jwt_profiles") == [{**ITEM_PROFILE, "disabled": {"N": "1"}}]
    assert tables.items("jwt_secrets")[0]["end_ts"] == {"N": "5"}


class Overtaken(Target):
    """Our tables, where somebody does something each time that rows have been read and not yet written."""

    deeds: list[Callable[[], object]]

    def read(self, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
        found = super().read(table, keys)
        if self.deeds:
            self.deeds.pop(0)()
        return found


class Record:
    """A recorder that keeps what became of rows."""

    def __init__(self) -> None:
        self.rows: list[Taken] = []

    def looked_at(self, fraction: float | None) -> None:
        """See `Recorder`."""

    def read(self, table: Table, fraction: float | None) -> None:
        """See `Recorder`."""

    def refused(self, finding: Finding) -> None:
        """See `Recorder`."""

    def flagged(self, finding: Finding) -> None:
        """See `Recorder`."""

    def repeated(self, key: Key) -> None:
        """See `Recorder`."""

    def taken(self, row: Taken) -> None:
        """See `Recorder`."""
        self.rows.append(row)


def imported_while(
    tables: Tables, profiles: Rows, *deeds: Callable[[], object], overwrite: bool = False
) -> dict[str, RowOutcome]:
    """Import *profiles* while somebody does those *deeds*; what became of each tag."""
    settings = Settings.from_env(tables.environment)
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
    client = patient_client(session, REGION, settings.database.endpoint, connections=1)
    target = Overtaken(client, settings, patience=Patience())
    target.deeds = list(deeds)
    layout = SourceLayout(tables=(Table.PROFILES,))
    columns = settings.columns
    record = Record()
    Import(
        source=DatabaseSource(f"sqlite:///{tables.sqlite(profiles, [])}", layout),
        target=target,
        translation=Translation(layout, columns),
        examination=Examination(columns, settings.policy, live=False, tables=layout.tables, clock=time.time),
        columns=columns,
        recorder=record,
        overwrite=overwrite,
    ).run()
    return {row.key.tag: row.outcome for row in record.rows}


def test_what_others_do_between_reading_and_writing_is_not_undone(tables: Tables) -> None:
    """Here somebody revokes the tokens of one user, changes another, and adds a third, all of them in the source."""

    def put(tag: str, **columns: Any) -> None:
        tables.client.put_item(TableName="jwt_profiles", Item={"tag": {"S": tag}, **columns})

    put("t1", id={"N": "1"}, sip_username={"S": "old"})
    put("t2", id={"N": "2"}, sip_username={"S": "old"})

    def deeds() -> None:
        put("t1", id={"N": "1"}, sip_username={"S": "old"}, tokens_valid_after={"N": "7"}, disabled={"BOOL": True})
        put("t2", id={"N": "2"}, sip_username={"S": "bob"}, note={"S": "renamed"})
        put("t3", id={"N": "3"}, sip_username={"S": "bob"}, disabled={"BOOL": True})

    profiles = [a_source_profile(id=number, tag=f"t{number}", sip_username="bob") for number in range(1, 5)]
    outcomes = imported_while(tables, profiles, deeds, overwrite=True)

    bob = {"sip_username": {"S": "bob"}}
    assert tables.items("jwt_profiles") == [
        {"disabled": {"BOOL": True}, "id": {"N": "1"}, **bob, "tag": {"S": "t1"}, "tokens_valid_after": {"N": "7"}},
        {"disabled": {"BOOL": True}, "id": {"N": "3"}, **bob, "tag": {"S": "t3"}},
        {"id": {"N": "2"}, "note": {"S": "renamed"}, **bob, "tag": {"S": "t2"}},
        {"id": {"N": "4"}, **bob, "tag": {"S": "t4"}},
    ]
    assert outcomes == {
        "t1": RowOutcome.OVERWRITTEN,
        "t2": RowOutcome.UNCHANGED,
        "t3": RowOutcome.UNCHANGED,
        "t4": RowOutcome.WRITTEN,
    }


def test_a_row_that_others_added_meanwhile_is_compared_like_any_other(tables: Tables) -> None:
    added = {"tag": {"S": "t1"}, "sip_username": {"S": "by an operator"}, "disabled": {"BOOL": True}}

    outcomes = imported_while(
        tables, [a_source_profile()], lambda: tables.client.put_item(TableName="jwt_profiles", Item=added)
    )

    assert outcomes == {"t1": RowOutcome.DIFFERENT}
    assert tables.items("jwt_profiles") == [added]


def test_a_row_that_others_keep_changing_ends_the_import_in_time(tables: Tables) -> None:
    numbers = iter(range(1000))

    def change() -> None:
        item = {**ITEM_PROFILE, "sip_username": {"S": f"name-{next(numbers)}"}}
        tables.client.put_item(TableName="jwt_profiles", Item=item)

    with pytest.raises(Unreachable, match="kept changing the same rows"):
        imported_while(tables, [a_source_profile()], *[change] * 500, overwrite=True)

    assert 5 <= next(numbers) <= 20


def test_rows_that_are_too_large_for_one_transaction_go_in_several(tables: Tables) -> None:
    """DynamoDB takes 4 MB in one."""
    written: list[int] = []
    size = 380_000
    (tables.folder / "jwt_profiles.csv").write_text(
        "tag,sip_username\n" + "".join(f"t{number},{'x' * size}\n" for number in range(21))
    )

    with transactions_seen(written):
        ran = tables.imported(tables.folder, "--only", "profiles")

    assert ran.counts("profiles") == {"read": 21, "written": 21}
    assert sorted(written) == [3, 9, 9]


@contextmanager
def transactions_seen(sizes: list[int]) -> Iterator[None]:
    """Note of each transaction that reaches moto, how many rows it writes."""
    transact = DynamoDBBackend.transact_write_items

    def noting(backend: DynamoDBBackend, transact_items: list[Any]) -> None:
        sizes.append(len(transact_items))
        transact(backend, transact_items)

    DynamoDBBackend.transact_write_items = noting  # type: ignore[assignment]
    try:
        yield
    finally:
        DynamoDBBackend.transact_write_items = transact  # type: ignore[method-assign]


def test_a_dry_run_says_what_would_be_and_writes_nothing(tables: Tables) -> None:
    tables.client.put_item(TableName="jwt_profiles", Item={**ITEM_PROFILE, "sip_username": {"S": "old"}})
    source = tables.sqlite([a_source_profile(), a_source_profile(id=2, tag="t2")], [a_source_secret()])

    ran = tables.imported(source, "--dry-run", "--overwrite", "--yes")
    told = tables.run("import", source, "--dry-run")

    assert ran.counts("profiles") == {"read": 2, "written": 1, "overwritten": 1}
    assert "profiles: 2 read, 1 would be written, 1 different" in told.out
    assert "nothing was written" in told.out
    assert tables.items("jwt_profiles") == [{**ITEM_PROFILE, "sip_username": {"S": "old"}}]
    assert tables.items("jwt_secrets") == []
    assert tables.audit() == []


def test_rows_that_let_anyone_in_are_refused_and_odd_ones_flagged(tables: Tables) -> None:
    secrets = [
        a_source_secret("", id=1),
        a_source_secret(None, id=2),
        a_source_secret("\0" + HMAC_KEY, id=3),
        a_source_secret("short", id=4),
        a_source_secret(public_pem(), id=5),
        a_source_secret(HMAC_KEY, id=6, start_ts="soon"),
    ]

    ran = tables.imported(tables.sqlite([a_source_profile()], secrets))

    assert ran.code == 1
    assert ran.document["refused"] == {"empty-secret": 3}
    assert ran.document["flagged"] == {"short-secret": 1, "public-key-as-hmac": 1, "bound-not-a-number": 1}
    assert {item["id"]["S"] for item in tables.items("jwt_secrets")} == {"4", "5", "6"}


def test_rows_that_cannot_be_stored_are_named_and_the_others_taken(tables: Tables) -> None:
    profiles = [
        a_source_profile(id=1, tag=None),
        a_source_profile(id=2, tag=""),
        a_source_profile(id=3, tag="x" * 2049),
        a_source_profile(id=4, sip_username="x" * 410_000),
        a_source_profile(id=5),
    ]

    told = tables.run("import", tables.sqlite(profiles, []), "--only", "profiles", "--report", tables.folder / "report")

    assert told.code == 1
    assert [item["id"] for item in tables.items("jwt_profiles")] == [{"N": "5"}]
    lines = [json.loads(line) for line in (tables.folder / "report").read_text().splitlines()]
    refused = [(line["rule"], line["place"]) for line in lines if line.get("outcome") == "refused"]
    assert refused == [
        ("no-tag", "row 1"),
        ("no-tag", "row 2"),
        ("cannot-be-stored", "row 3"),
        ("cannot-be-stored", "row 4"),
    ]
    assert "Its tag has more than 2048 bytes." in told.out
    assert "profiles: 5 read, 1 written, 4 refused" in told.out


def test_of_two_rows_with_one_key_the_first_counts(tables: Tables) -> None:
    folder = write_csv(
        tables.folder, [a_source_profile(), a_source_profile(), a_source_profile(sip_username="bob")], []
    )

    ran = tables.imported(folder, "--only", "profiles")

    assert ran.code == 1
    assert ran.counts("profiles") == {"read": 3, "written": 1, "repeated": 1, "refused": 1}
    assert ran.document["refused"] == {"duplicate-key": 1}
    assert tables.items("jwt_profiles") == [ITEM_PROFILE]


def test_secrets_without_ids_get_the_same_ones_every_time(tables: Tables) -> None:
    header = "corresponding_tag,secret,start_ts,end_ts"
    content = f'{header}\nt1,"{HMAC_KEY}",1,9\nt1,"{HMAC_KEY}2",1,9\nt2,"{HMAC_KEY}",1,9\n'
    (tables.folder / "jwt_secrets.csv").write_text(content)

    first = tables.imported(tables.folder, "--only", "secrets")
    again = tables.imported(tables.folder, "--only", "secrets")

    assert first.counts("secrets") == {"read": 3, "written": 3}
    assert again.counts("secrets") == {"read": 3, "unchanged": 3}
    assert [(item["corresponding_tag"]["S"], item["id"]["S"]) for item in tables.items("jwt_secrets")] == [
        ("t1", "1-9-1"),
        ("t1", "1-9-2"),
        ("t2", "1-9-1"),
    ]


def test_names_of_both_sides_may_be_others(tables: Tables) -> None:
    script = "CREATE TABLE subscriber (username TEXT, realm TEXT, ha1 TEXT, tier INTEGER);"
    script += "INSERT INTO subscriber VALUES ('alice', 't1', 'hash', 3);"
    source = tables.folder / "other.sqlite"
    subprocess.run(
        [sys.executable, "-c", f"import sqlite3; sqlite3.connect({str(source)!r}).executescript({script!r})"],
        check=True,
    )

    ran = tables.imported(
        source,
        *("--only", "profiles", "--profiles-table", "subscriber", "--tag-column", "realm", "--skip-column", "ha1"),
        *("--username-column", "username", "--set", "USERNAME_COLUMN=user"),
    )

    assert ran.code == 0
    assert tables.items("jwt_profiles") == [{"tag": {"S": "t1"}, "user": {"S": "alice"}, "tier": {"N": "3"}}]


def test_every_row_written_and_every_run_leaves_a_line_in_the_audit(tables: Tables) -> None:
    tables.imported(tables.sqlite([a_source_profile()], [a_source_secret()]))
    tables.imported(tables.sqlite([a_source_profile(sip_username="bob")], [a_source_secret()]), "--overwrite", "--yes")

    lines = tables.audit()

    told = [(line["audit"], line["tag"], line.get("id")) for line in lines]
    assert told[:2] == [("profile.import", "t1", None), ("secret.import", "t1", "1")]
    assert told[2:] == [("import", "*", None), ("profile.import", "t1", None), ("import", "*", None)]
    assert lines[3]["columns"] == ["sip_username"]
    assert lines[4]["tables"]["profiles"]["overwritten"] == 1
    assert all("@" in line["actor"] for line in lines)


def test_the_audit_may_be_one_line_on_standard_error(tables: Tables) -> None:
    ran = tables.imported(tables.sqlite(*users(20)), "--audit-log", "-")

    (line,) = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    assert line["tables"]["secrets"]["written"] == 20
    assert tables.audit() == []


def test_no_secret_is_shown_anywhere(tables: Tables) -> None:
    secrets = [a_source_secret(f"hunter2-{number}-" * 2, id=number, start_ts="x") for number in range(1, 9)]
    source = tables.sqlite([a_source_profile()], secrets)
    tables.imported(source)

    told = tables.run("import", tables.sqlite([a_source_profile()], [{**row, "end_ts": 7} for row in secrets]))
    lint = tables.run("lint", source, "--report", tables.folder / "report")
    json_lint = tables.run("lint", "--json")

    audit = json.dumps(tables.audit())
    report = (tables.folder / "report").read_text()
    for text in (told.out, told.err, lint.out, lint.err, json_lint.out, audit, report):
        assert "hunter2" not in text
    assert json_lint.document["rules"]["short-secret"] == 8


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param([], 2, "name a SOURCE", id="no source"),
        pytest.param(["mysql://u:hunter2@h/db"], 2, "--password-file", id="a password in an argument"),
        pytest.param(["postgres://h/db?password=hunter2"], 2, "--url-file", id="another"),
        pytest.param(["mysql://u:hunter2/x@h/db"], 2, "--password-file", id="a password with a slash"),
        pytest.param(["mysql://u@h/db?ssl_key_password=hunter2"], 2, "--url-file", id="a password of a key"),
        pytest.param(["mysql://u@[h/db"], 4, "not the URL of a database", id="no URL"),
        pytest.param(["mysql://u@127.0.0.1/db?foo=1"], 4, "'foo'", id="an option that there is not"),
        pytest.param(["mysql://u@127.0.0.1/db?ssl_ca=/none"], 4, "No such file", id="a certificate that is not there"),
        pytest.param(["no-such-file"], 4, "No such file", id="no such file"),
        pytest.param(["oracle://h/db"], 4, "not a database that can be read", id="another database"),
        pytest.param(["x.sql", "--profiles-file", "y.csv"], 2, "one source", id="two sources"),
        pytest.param(["--profiles-file", "y.csv"], 2, "--secrets-file is missing", id="half of CSV"),
        pytest.param(
            ["x", "--csv-delimiter", "::"], 2, "three different single characters", id="a delimiter that cannot be"
        ),
        pytest.param(["mysql://u@127.0.0.1:1/db"], 4, "cannot be read", id="nobody listening"),
    ],
)
def test_a_command_line_that_cannot_be_is_refused_and_says_what_to_do(
    tables: Tables, arguments: list[str], code: int, complaint: str
) -> None:
    ran = tables.run("import", *arguments)

    assert (ran.code, complaint in ran.err) == (code, True), ran
    assert "hunter2" not in ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "error in this program" not in ran.err


def test_a_source_that_cannot_be_connected_to_leaves_a_summary(tables: Tables) -> None:
    ran = tables.imported("mysql://u@127.0.0.1/db?foo=1")

    assert (ran.code, ran.document["complete"]) == (4, False)
    assert "'foo'" in ran.document["problem"]


def test_a_piece_of_a_password_in_a_url_file_is_shown_nowhere(tables: Tables) -> None:
    """The `@` in it is not written as %40, so that a parser takes what is behind it for the host."""
    file = tables.folder / "url"
    file.write_text("mysql://u:hun@ter2@127.0.0.1:1/db")

    ran = tables.imported("--url-file", file)

    assert ran.code == 4
    assert "ter2" not in f"{ran.out}{ran.err}{tables.audit()}"


def test_a_url_with_its_password_is_read_from_a_file_or_standard_input(tables: Tables) -> None:
    file = tables.folder / "url"
    file.write_text(f"sqlite:///{tables.sqlite([a_source_profile()], [])}\n")

    assert tables.imported("--url-file", file, "--only", "profiles").code == 0


def test_tables_that_are_not_there_are_a_fault_and_the_answer_is_still_one_document(tables: Tables) -> None:
    source = tables.sqlite(*users(250))
    tables.client.delete_table(TableName="jwt_secrets")

    ran = tables.imported(source)

    assert ran.code == 4
    assert ran.document["problem"].startswith(
        "dynamodb:BatchGetItem on table 'jwt_secrets' is refused: ResourceNotFound"
    )
    assert ran.document["problem"] in ran.err
    told, there = ran.counts("profiles"), len(tables.items("jwt_profiles"))
    assert told.get("written", 0) <= there <= told.get("written", 0) + told.get("unknown", 0) <= told["read"] == 250
    assert ran.counts("secrets").keys() == {"read"}


def test_a_source_that_breaks_off_leaves_what_it_gave_and_says_so(tables: Tables) -> None:
    dump = write_dump(tables.folder / "dump.sql", *users(300))
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) * 3 // 4])

    stopped = tables.imported(dump, "--hmac")
    assert tables.items("jwt_profiles") == []
    broken = tables.imported(dump, "--accept-incomplete")
    dump.write_bytes(whole)
    mended = tables.imported(dump)

    assert (stopped.code, stopped.document["stopped"], stopped.document["tables"]) == (4, True, {})
    assert (broken.code, broken.document["complete"], broken.document["stopped"]) == (1, False, False)
    assert broken.document["incomplete"] == stopped.document["incomplete"]
    assert "the dump ends within" in broken.document["incomplete"][0]["why"]
    assert broken.counts("profiles") == {"read": 300, "written": 300}
    assert mended.code == 0
    assert mended.counts("profiles") == {"read": 300, "unchanged": 300}
    assert len(tables.items("jwt_secrets")) == 300


# -- whole, or named --------------------------------------------------------------------------------------------------

DUMPS = ROOT / "tests" / "dumps"


@pytest.mark.parametrize(
    ("name", "rows", "places"),
    [
        ("adminer.sql", 2, []),
        ("bom.sql", 3, []),
        ("pg_dump.sql", 4, []),
        ("sqlite_dump.sql", 2, []),
        ("warning_line.sql", 3, ["line 1"]),
        ("cut.sql", 3, ["line 5"]),
    ],
)
def test_a_dump_is_read_to_its_last_row_or_named_as_not_whole(
    tables: Tables, name: str, rows: int, places: list[str]
) -> None:
    ran = tables.imported(DUMPS / name)

    assert [gap["place"] for gap in ran.document["incomplete"]] == places
    assert (ran.code, ran.document["complete"], ran.document["stopped"]) == (
        (4, False, True) if places else (0, True, False)
    )
    assert len(tables.items("jwt_profiles") + tables.items("jwt_secrets")) == (0 if places else rows)
    (told,) = [line for line in tables.audit() if line["audit"] == "import"]
    assert told["outcome"] == ("stopped" if places else "done")
    assert told["complete"] is not bool(places)

    if places:
        accepted = tables.imported(DUMPS / name, "--accept-incomplete")

        assert (accepted.code, accepted.document["complete"]) == (1, False)
        assert accepted.document["incomplete"] == ran.document["incomplete"]
        assert len(tables.items("jwt_profiles") + tables.items("jwt_secrets")) == rows


def test_what_is_missing_is_told_to_people_and_no_more_is_claimed(tables: Tables) -> None:
    stopped = tables.run("import", DUMPS / "warning_line.sql")
    accepted = tables.run("import", DUMPS / "warning_line.sql", "--accept-incomplete")
    whole = tables.run("import", DUMPS / "pg_dump.sql", "--overwrite", "--yes")
    alone = tables.run("import", DUMPS / "pg_dump.sql", "--only", "profiles")

    gap = "\nPossibly incomplete:\n  - line 1: text that is not a statement of a dump, which is not understood\n"
    assert gap in stopped.out
    assert "nothing was written: rows may be missing" in stopped.out
    assert gap in accepted.out
    assert "Done, but rows of the dump" in accepted.out
    assert whole.out.startswith("Read as SQL of PostgreSQL: line 2 has the first line of pg_dump.\n")
    assert "The tables hold every row of the dump" in whole.out
    assert "The table of profiles holds every row of the dump" in alone.out
    assert "every row" not in stopped.out + accepted.out


def test_a_backslash_in_nobodys_dump_is_refused_and_read_as_the_command_line_says(tables: Tables) -> None:
    dump = tables.folder / "dump.sql"
    secret = HMAC_KEY + "\\n"
    dump.write_text(
        "INSERT INTO jwt_secrets (id, corresponding_tag, secret, start_ts, end_ts)"
        f" VALUES (1, 't1', '{secret}', 1, 4102444800);"
    )

    refused = tables.imported(dump, "--only", "secrets")
    assert tables.items("jwt_secrets") == []
    told = [line for line in tables.audit() if line["audit"] == "import"]
    read = {}
    for dialect in ("mysql", "mysql-no-backslash-escapes", "postgresql", "sqlite"):
        ran = tables.imported(dump, "--only", "secrets", "--dialect", dialect, "--overwrite", "--yes")
        assert (ran.code, ran.document["reading"]["because"]) == (0, "--dialect says so")
        read[dialect] = tables.items("jwt_secrets")[0]["secret"]["S"]

    assert (refused.code, told[0]["outcome"]) == (4, "failed")
    assert "line 1 of the dump has a backslash in a text" in refused.document["problem"]
    assert "--dialect mysql, postgresql or sqlite" in refused.document["problem"]
    assert read == {
        "mysql": HMAC_KEY + "\n",
        "mysql-no-backslash-escapes": secret,
        "postgresql": secret,
        "sqlite": secret,
    }


@pytest.mark.parametrize("kind", ["sqlite", "csv", "dbtext", "dump"])
def test_a_table_without_a_row_stops_the_import_of_any_source(tables: Tables, kind: str) -> None:
    write: dict[str, Callable[[], Path]] = {
        "sqlite": lambda: tables.sqlite([a_source_profile()], []),
        "csv": lambda: write_csv(tables.folder, [a_source_profile()], []),
        "dbtext": lambda: write_dbtext(tables.folder, [a_source_profile()], []),
        "dump": lambda: write_dump(tables.folder / "dump.sql", [a_source_profile()], []),
    }
    source = write[kind]()

    stopped = tables.imported(source)
    assert tables.items("jwt_profiles") == []
    alone = tables.imported(source, "--only", "profiles")

    assert stopped.code == 4
    assert "there is no row of 'jwt_secrets'" in stopped.document["incomplete"][0]["why"]
    assert (alone.code, alone.document["complete"]) == (0, True)


# -- interrupted ------------------------------------------------------------------------------------------------------


def in_a_process(
    tables: Tables, *arguments: object, stdin: Any = None, program: Sequence[str] = ()
) -> "subprocess.Popen[str]":
    """Run `auth-jwt import --json` in a process of its own: the prepared command, or that *program*."""
    return subprocess.Popen(
        [*(program or [str(command())]), "import", "--json", *map(str, arguments)],
        env={**UNMEASURED, **tables.environment, "PYTHONFAULTHANDLER": "1"},  # `ended` asks for it
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]", seconds: float) -> tuple[str, str]:
    """Wait for a process's end, and return what it printed. One that does not end says where each thread is."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        out, err = process.communicate()
        pytest.fail(f"the command did not end in {seconds} s:\n{out}\n{err}")


def wait_for_rows(tables: Tables, count: int) -> int:
    """Wait until so many rows are there; how many there are."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        found = sum(
            tables.client.scan(TableName=name, Select="COUNT")["Count"] for name in ("jwt_profiles", "jwt_secrets")
        )
        if found >= count:
            return int(found)
        time.sleep(0.02)
    raise TimeoutError


def steady_number_of_rows(tables: Tables) -> int:
    """How many rows there are when what was asked last has been done."""
    before, now = -1, wait_for_rows(tables, 0)
    while before != now:
        time.sleep(0.5)
        before, now = now, wait_for_rows(tables, 0)
    return now


def opened_for(process: "subprocess.Popen[str]", pipe: Path) -> IO[bytes]:
    """Open a pipe for a process that reads it; one that never does must not be waited for."""
    for _ in range(300):
        assert process.poll() is None, process.communicate()
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            time.sleep(0.1)
        else:
            os.set_blocking(writer, True)
            return os.fdopen(writer, "wb")
    process.kill()
    pytest.fail("the command does not read its source")


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Control-C"])
def test_an_interrupted_import_that_is_run_again_ends_as_one_that_was_not(
    tables: Tables, ended_by: signal.Signals
) -> None:
    """Rows come slowly, so that it is surely in the middle when it ends."""
    rows = 300
    dump = write_dump(tables.folder / "dump.sql", *users(rows))
    content = dump.read_bytes()
    pipe = tables.folder / "pipe.sql"
    os.mkfifo(pipe)
    program = (sys.executable, "-m", "auth_jwt_cli")  # `kill` is for the process itself
    process = in_a_process(tables, "--skip-in-doubt", "--accept-incomplete", pipe, program=program)
    with opened_for(process, pipe) as slow:
        slow.write(content[: len(content) // 2])
        slow.flush()
        there = wait_for_rows(tables, 100)
        process.send_signal(ended_by)
        out, err = ended(process, 30)
    left = steady_number_of_rows(tables)

    again = tables.imported(dump)

    assert 100 <= there <= left < 2 * rows
    assert process.returncode == (-9 if ended_by is signal.SIGKILL else 130), err
    assert not out or json.loads(out)["interrupted"] is True
    assert again.code == 0
    assert again.counts("profiles") | again.counts("secrets")
    taken = [again.counts(table.value) for table in (Table.PROFILES, Table.SECRETS)]
    assert sum(counts.get("unchanged", 0) for counts in taken) == left
    assert sum(counts.get("written", 0) for counts in taken) == 2 * rows - left
    shutil.rmtree(tables.folder / "state", ignore_errors=True)
    fresh = tables.imported(dump, "--dry-run")
    assert [fresh.counts(name) for name in ("profiles", "secrets")] == [{"read": rows, "unchanged": rows}] * 2


# -- users of an issuer -----------------------------------------------------------------------------------------------


def users_of(tables: Tables, *lines: str) -> list[object]:
    """The arguments that name a file of subjects and usernames."""
    path = tables.folder / "users.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return ["--profiles-file", path, "--tag-column", "sub", "--issuer", ISSUER]


def test_a_column_of_subjects_becomes_profiles_of_an_issuers_users(tables: Tables) -> None:
    subject = "s" * 255
    source = users_of(tables, "sub,sip_username,sip_domain", "8f2b,alice,example.com", f"{subject},bob,", "a#b,carol,")

    ran = tables.imported(*source)

    assert (ran.code, ran.counts("profiles")) == (0, {"read": 3, "written": 3})
    assert tables.items("jwt_profiles") == [
        {"sip_domain": {"S": "example.com"}, "sip_username": {"S": "alice"}, "tag": {"S": f"{ISSUER}#8f2b"}},
        {"sip_username": {"S": "bob"}, "tag": {"S": f"{ISSUER}#{subject}"}},
        {"sip_username": {"S": "carol"}, "tag": {"S": f"{ISSUER}#a#b"}},
    ]
    assert tables.imported(*source).counts("profiles") == {"read": 3, "unchanged": 3}


def test_subjects_that_no_token_can_have_are_left_out(tables: Tables) -> None:
    ran = tables.run("import", *users_of(tables, "sub,sip_username", f"{'s' * 256},alice", ",bob", "1,carol"))

    assert ran.code == 1
    assert "Its subject has more than 255 bytes." in ran.out
    assert [item["tag"]["S"] for item in tables.items("jwt_profiles")] == [f"{ISSUER}#1"]


def test_no_import_makes_an_issuer(tables: Tables) -> None:
    ran = tables.run("import", *users_of(tables, "sub,sip_username,issuer_config", "1,alice,{}"))

    assert (ran.code, tables.items("jwt_profiles")) == (4, [])
    assert "leave it out with --skip-column issuer_config" in ran.out + ran.err


def test_no_import_changes_an_issuer(tables: Tables) -> None:
    row = item_of(issuer_row())
    tables.client.put_item(TableName="jwt_profiles", Item=row)
    path = tables.folder / "users.csv"
    path.write_text(f"tag,sip_username\n{ISSUER},alice\n", encoding="utf-8")

    ran = tables.imported("--profiles-file", path, "--only", "profiles", "--overwrite", "--yes")

    assert ran.code == 3
    assert tables.items("jwt_profiles") == [row]


def test_a_domain_of_an_issuer_is_imported_for_its_users_alone(tables: Tables) -> None:
    row = issuer_row(mapping="claim", username_claim="u", sip_domain="example.com")
    tables.client.put_item(TableName="jwt_profiles", Item=item_of(row))
    registered = {"corresponding_tag": REGISTRY_TAG, "id": ISSUER}
    tables.client.put_item(TableName="jwt_secrets", Item=item_of(registered))
    path = tables.folder / "users.csv"
    path.write_text("tag,sip_username,sip_domain\nt1,alice,Example.com\nt2,bob,example.org\n", encoding="utf-8")

    ran = tables.imported("--profiles-file", path, "--only", "profiles")

    assert (ran.code, ran.document["refused"]) == (1, {"issuers-domain": 1})
    assert tables.imported(*users_of(tables, "sub,sip_username,sip_domain", "1,alice,example.com")).code == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--issuer", "http://login.example.com"), "https"), (("--issuer", ISSUER, "--only", "secrets"), "--issuer")],
)
def test_an_issuer_that_cannot_be_is_refused(tables: Tables, arguments: tuple[str, ...], complaint: str) -> None:
    ran = tables.run("import", "x.csv", *arguments)

    assert (ran.code, complaint in ran.err) == (2, True)

"""`secret set-alg`, and every other command that says what a key is: rows that do not say it learn to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from auth_jwt.errors import Throttled
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt_cli.migration.target import Patience
from tests.command_line import TAG, CommandLine, a_command_line
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import HMAC_KEY, openssh_line, public_der, public_pem
from tools.events.stage import REGION

HMAC = "HS256,HS384,HS512"
RSA = "RS256,RS384,RS512,PS256,PS384,PS512"


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as command_line:
        yield command_line


@pytest.fixture(name="auth_jwt")
def _auth_jwt(shell: CommandLine, tmp_path: Path) -> CommandLine:
    shell.wipe()
    shell.files = tmp_path
    return shell


def put(tag: str, secret_id: str, secret: str, **columns: str) -> None:
    client: Any = boto3.client("dynamodb", region_name=REGION)
    bounds = {"start_ts": {"N": "1"}, "end_ts": {"N": "4102444800"}}
    texts = {"corresponding_tag": tag, "id": secret_id, "secret": secret, **columns}
    client.put_item(TableName="jwt_secrets", Item={**bounds, **{name: {"S": text} for name, text in texts.items()}})


def algs() -> dict[tuple[str, str], str | None]:
    """What each row says."""
    pages = boto3.client("dynamodb", region_name=REGION).get_paginator("scan").paginate(TableName="jwt_secrets")
    return {
        (item["corresponding_tag"]["S"], item["id"]["S"]): item.get("alg", {}).get("S")
        for page in pages
        for item in page["Items"]
    }


def a_mixed_table() -> None:
    put("t1", "1", HMAC_KEY)
    put("t1", "2", public_pem())
    put("t1", "3", HMAC_KEY, alg="HS256")
    put("t2", "1", DOUBTFUL)
    put("t2", "2", openssh_line())


def test_a_dry_run_shows_each_row_and_writes_nothing(auth_jwt: CommandLine) -> None:
    a_mixed_table()
    before = algs()

    shown = auth_jwt("secret", "set-alg", "--all", "--dry-run", exit_code=1).stdout

    assert sorted(shown.splitlines()[:-1]) == sorted(
        [
            f"would write  t1  1  {HMAC}",
            f"would write  t1  2  {RSA}",
            *(line for line in shown.splitlines() if line.startswith("left  t2  ")),
        ]
    )
    assert {line.split()[3] for line in shown.splitlines() if line.startswith("left")} == {"in_doubt:", "key_material:"}
    assert shown.splitlines()[-1] == "5 rows: 2 would be written, 1 said it already, 2 left"
    assert (algs(), auth_jwt.audit) == (before, [])
    assert not any(text in shown for text in ("c0ffee", HMAC_KEY, "AAAA"))


def test_it_writes_what_it_showed_and_a_second_time_nothing(auth_jwt: CommandLine) -> None:
    a_mixed_table()

    document = auth_jwt.json("secret", "set-alg", "--all", exit_code=1)

    assert document["counts"] == {"written": 2, "there": 1, "left": 2, "gone": 0}
    assert (document["dry_run"], document["problem"]) == (False, None)
    assert {(row["tag"], row["id"]): (row["outcome"], row["flaw"]) for row in document["rows"]} == {
        ("t1", "1"): ("written", None),
        ("t1", "2"): ("written", None),
        ("t2", "1"): ("left", "in_doubt"),
        ("t2", "2"): ("left", "key_material"),
    }
    assert algs() == {("t1", "1"): HMAC, ("t1", "2"): RSA, ("t1", "3"): "HS256", ("t2", "1"): None, ("t2", "2"): None}
    assert sorted((line["audit"], line["tag"], line["id"], line["algorithms"]) for line in auth_jwt.audit) == [
        ("secret.set_alg", "t1", "1", HMAC.split(",")),
        ("secret.set_alg", "t1", "2", RSA.split(",")),
    ]
    again = auth_jwt.json("secret", "set-alg", "--all", exit_code=1)
    assert again["counts"] == {"written": 0, "there": 3, "left": 2, "gone": 0}


def test_texts_in_doubt_are_hmac_for_whoever_knows_it(auth_jwt: CommandLine) -> None:
    a_mixed_table()

    auth_jwt("secret", "set-alg", "--all", "--hmac", exit_code=1)
    assert (algs()["t2", "1"], algs()["t2", "2"]) == (HMAC, None)
    auth_jwt("secret", "set-alg", "t1", exit_code=0)


def test_one_tag_and_one_row_may_be_chosen(auth_jwt: CommandLine) -> None:
    a_mixed_table()

    auth_jwt("secret", "set-alg", "t1", "2")
    assert [key for key, alg in algs().items() if alg] == [("t1", "2"), ("t1", "3")]
    auth_jwt("secret", "set-alg", "t2", "1", "--alg", "HS256")
    assert algs()["t2", "1"] == "HS256"
    auth_jwt("secret", "set-alg", "t2", "1", "--alg", "HS384, HS512")
    assert algs()["t2", "1"] == "HS384,HS512"
    said = auth_jwt("secret", "set-alg", "t1", "2", "--alg", "HS256", exit_code=1).stdout
    assert "alg_disagrees" in said
    auth_jwt("secret", "set-alg", "t1", "9", exit_code=1)
    auth_jwt("secret", "set-alg", "nobody", exit_code=1)


@pytest.mark.parametrize(
    "arguments",
    [(), ("t1", "--all"), ("--all", "--alg", "HS256"), ("t1", "--alg", "HS256", "--hmac"), ("--hmac",)],
    ids=" ".join,
)
def test_what_contradicts_itself_is_misused(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    auth_jwt("secret", "set-alg", *arguments, exit_code=2)


@pytest.mark.parametrize("named", ["none", "HS257", "HS256,RS256", ""])
def test_algorithms_have_to_be_some(auth_jwt: CommandLine, named: str) -> None:
    put("t1", "1", HMAC_KEY)

    auth_jwt("secret", "set-alg", "t1", "--alg", named, exit_code=1)
    assert algs() == {("t1", "1"): None}


def test_a_table_that_is_throttled_is_waited_for(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_mixed_table()
    write, failures = DynamoDbTables.write, [Throttled("throttled"), Throttled("throttled")]
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)

    def throttled(tables: DynamoDbTables, *changes: Any) -> None:
        if failures:
            raise failures.pop()
        write(tables, *changes)

    monkeypatch.setattr(DynamoDbTables, "write", throttled)

    document = auth_jwt.json("secret", "set-alg", "--all", exit_code=1)

    assert (document["counts"]["written"], failures) == (2, [])


def test_a_table_that_fails_ends_it_with_what_was_done(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    a_mixed_table()
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)

    def throttled(*_: Any) -> None:
        raise Throttled("dynamodb:TransactWriteItems is throttled")

    monkeypatch.setattr(DynamoDbTables, "write", throttled)

    ended = auth_jwt("secret", "set-alg", "--all", "--json", exit_code=4)

    assert json.loads(ended.stdout)["problem"] == "dynamodb:TransactWriteItems is throttled"
    assert "is throttled" in ended.stderr


# -- other commands ---------------------------------------------------------------------------------------------------


def test_every_command_that_writes_a_secret_writes_its_alg(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "add", TAG, "--username", "alice", "--generate")
    auth_jwt("secret", "add", TAG, "--generate", "--algorithms", "HS512")
    auth_jwt("secret", "add", TAG, "--secret-file", auth_jwt.file(public_pem()))
    auth_jwt("secret", "rotate", TAG, "--generate", "--alg", "HS256", "--replace-public-key")
    auth_jwt("profile", "add", "t2", "--username", "bob", "--generate", "--alg", "HS384")

    assert algs() == {(TAG, "1"): HMAC, (TAG, "2"): "HS512", (TAG, "3"): RSA, (TAG, "4"): "HS256", ("t2", "1"): "HS384"}
    auth_jwt("profile", "add", "t3", "--username", "carol", "--alg", "HS384", exit_code=2)


@pytest.mark.parametrize(
    "command", [("secret", "add", TAG), ("secret", "rotate", TAG), ("profile", "add", "t2", "--username", "bob")]
)
def test_text_in_doubt_is_refused_with_the_option_that_ends_it(auth_jwt: CommandLine, command: tuple[str, ...]) -> None:
    auth_jwt.has_a_user()
    file = auth_jwt.file(DOUBTFUL)

    said = auth_jwt(*command, "--secret-file", file, exit_code=1).stderr
    assert "might not be an HMAC secret" in said
    assert "`--alg HS256`" in said
    assert "c0ffee" not in said
    auth_jwt(*command, "--secret-file", file, "--alg", "HS256")
    assert "HS256" in algs().values()


def test_a_key_that_falls_apart_is_refused(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    said = auth_jwt("secret", "add", TAG, "--secret-file", auth_jwt.file(public_key_pem(PRIME_MODULUS)), exit_code=1)

    assert "anybody could sign by this key" in said.stderr


@pytest.mark.parametrize("octets", [public_der(), public_pem().encode("utf-16")], ids=["DER", "UTF-16"])
def test_a_binary_file_of_a_secret_is_refused_with_the_command_that_mends_it(
    auth_jwt: CommandLine, octets: bytes, tmp_path: Path
) -> None:
    auth_jwt.has_a_user()
    file = tmp_path / "key"
    file.write_bytes(octets)

    said = auth_jwt("secret", "add", TAG, "--secret-file", str(file), exit_code=2).stderr
    assert "`auth-jwt key mend` writes it as PEM" in said
    mended = auth_jwt("key", "mend", str(file)).stdout
    auth_jwt("secret", "add", TAG, "--secret-file", auth_jwt.file(mended, "mended"))
    assert algs()[TAG, "2"] == RSA

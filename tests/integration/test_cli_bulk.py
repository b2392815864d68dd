"""`auth-jwt bulk` over DynamoDB in memory: one operation for each tag of a file."""

import json
import re
import shlex
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from auth_jwt.errors import Fault, Throttled
from auth_jwt.provisioning.profiles import Profiles
from auth_jwt.provisioning.registry import Registry
from auth_jwt.provisioning.secrets import NewSecret, Rotated, Secrets
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt.wording import format_instant
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.migration.target import Patience
from tests.command_line import CommandLine, a_command_line
from tests.factories import public_pem
from tools.events.stage import REGION, create_tables, template

TAGS = [f"user-{number}" for number in range(7)]
DAY = 86400
OTHER_REGION = "eu-west-1"
OTHER_ACCOUNT = "210987654321"


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as command_line:
        yield command_line


@pytest.fixture(name="elsewhere", scope="module")
def _elsewhere(shell: CommandLine) -> CommandLine:
    """A shell at a stack of another account with the same names; a third one is in another region of ours."""
    create_tables(boto3.client("dynamodb", region_name=OTHER_REGION), template())
    role = boto3.client("sts", region_name=REGION).assume_role(
        RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/operator", RoleSessionName="operator"
    )["Credentials"]
    there = boto3.Session(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"], REGION)
    create_tables(there.client("dynamodb"), template())
    variables = {
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
    }
    return replace(shell, environment={**shell.environment, **variables})


@pytest.fixture(name="auth_jwt")
def _auth_jwt(shell: CommandLine, tmp_path: Path) -> CommandLine:
    """A shell at the tables of a few users."""
    shell.wipe()
    shell.files = tmp_path
    for tag in TAGS:
        shell.has_a_user(tag)
    shell.written.clear()
    (shell.folder / "auth-jwt" / "audit.log").unlink()
    return shell


def a_file(auth_jwt: CommandLine, *tags: str, name: str = "tags") -> str:
    return auth_jwt.file("".join(f"{tag}\n" for tag in tags), name)


def outcomes(lines: list[Any]) -> dict[str, str]:
    return {line["tag"]: line["outcome"] for line in lines}


def profiles() -> dict[str, dict[str, Any]]:
    table = boto3.resource("dynamodb", region_name=REGION).Table("jwt_profiles")
    return {str(item["tag"]): item for item in table.scan()["Items"]}


def open_ids(auth_jwt: CommandLine, tag: str) -> list[str]:
    return sorted(secret["id"] for secret in auth_jwt.lines("secret", "list", tag) if secret["state"] == "open")


def test_profiles_of_a_file_are_disabled_and_enabled(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "disable", TAGS[0])

    disabled = auth_jwt.lines("bulk", "disable", a_file(auth_jwt, *TAGS[:3]), "--yes")
    assert outcomes(disabled) == {TAGS[0]: "already", TAGS[1]: "done", TAGS[2]: "done"}
    assert {tag for tag, row in profiles().items() if row.get("disabled")} == set(TAGS[:3])

    auth_jwt("bulk", "enable", a_file(auth_jwt, *TAGS), "--yes")
    assert not any(row.get("disabled") for row in profiles().values())
    assert [line["audit"] for line in auth_jwt.audit].count("profile.disable") == 3
    assert [line["audit"] for line in auth_jwt.audit].count("profile.enable") == 3


def test_a_list_as_json_is_a_file_of_tags(auth_jwt: CommandLine) -> None:
    listed = auth_jwt("profile", "list", "--all", "--json").stdout

    auth_jwt("bulk", "disable", "-", "--yes", given=listed)

    assert all(row["disabled"] for row in profiles().values())


def test_tags_that_fail_are_told_and_the_others_are_done(auth_jwt: CommandLine) -> None:
    result = auth_jwt("bulk", "disable", a_file(auth_jwt, "nobody", TAGS[1]), "--yes", exit_code=1)

    assert "there is no profile 'nobody'" in result.stdout
    assert "disable, 2 tags: 1 done, 0 already done, 1 failed." in result.stderr
    assert profiles()[TAGS[1]]["disabled"] is True


def test_nothing_is_done_without_an_answer(auth_jwt: CommandLine) -> None:
    said = auth_jwt("bulk", "disable", a_file(auth_jwt, *TAGS), exit_code=2).stderr

    assert "add --yes" in said
    assert not any(row.get("disabled") for row in profiles().values())


def test_tokens_of_a_file_are_revoked_all_at_one_time(auth_jwt: CommandLine) -> None:
    token = auth_jwt.token(TAGS[0])

    auth_jwt("bulk", "revoke", a_file(auth_jwt, *TAGS), "--yes")

    assert len({row["tokens_valid_after"] for row in profiles().values()}) == 1
    auth_jwt("token", "explain", given=token, exit_code=1)


def test_secrets_of_a_file_are_rotated_into_a_private_file(auth_jwt: CommandLine) -> None:
    out = auth_jwt.files / "secrets.jsonl"

    auth_jwt("bulk", "rotate", a_file(auth_jwt, *TAGS), "--out", str(out), "--overlap", "0s", "--yes")

    header, *lines = map(json.loads, out.read_text().splitlines())
    assert header["action"] == "rotate"
    assert sorted(line["tag"] for line in lines) == TAGS
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for line in lines:
        assert open_ids(auth_jwt, line["tag"]) == [line["id"]]
        value = auth_jwt.file(line["value"], "value")
        shown = auth_jwt("key", "fingerprint", "--secret-file", value).stdout
        assert auth_jwt.json("secret", "show", line["tag"], line["id"])["keys"][0]["fingerprint"] in shown
    assert not any(line["value"] in "".join(auth_jwt.written) for line in lines)


def test_an_issuers_public_key_is_not_replaced_unasked(auth_jwt: CommandLine) -> None:
    """The generated secret would lock out the issuer, so the tag fails with the reason, in the rehearsal, too."""
    pem = auth_jwt.file(public_pem("ed25519"), "issuer.pem")
    auth_jwt("profile", "add", "emil", "--username", "emil", "--secret-file", pem)
    out, tags = auth_jwt.files / "secrets.jsonl", a_file(auth_jwt, TAGS[0], "emil")
    command = ("bulk", "rotate", tags, "--out", str(out), "--yes")

    for asked in ([*command, "--dry-run"], command):
        result = auth_jwt(*asked, exit_code=1)
        assert "is an issuer's public key (Ed25519)" in " ".join(result.stdout.split())
        assert "1 failed" in result.stderr
    assert open_ids(auth_jwt, "emil") == ["1"]
    assert auth_jwt.json("secret", "show", "emil", "1")["kind"] == "Ed25519"
    last = [json.loads(line) for line in out.read_text().splitlines() if '"emil"' in line][-1]
    assert "failed" in last
    refused = auth_jwt("secret", "rotate", "emil", "--generate", "--out", str(out.with_suffix(".one")), exit_code=1)
    assert "--secret-file" in refused.stderr
    assert not out.with_suffix(".one").exists()

    auth_jwt(*command, "--replace-public-key")
    assert len(open_ids(auth_jwt, "emil")) == 2


def test_a_value_is_in_the_file_before_its_row_is_written(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = auth_jwt.files / "secrets.jsonl"
    rotate = Secrets.rotate

    def check(
        secrets: Secrets, tag: str, secret: NewSecret, *, overlap_seconds: int, replace_public_key: bool
    ) -> Rotated:
        assert secret.value is not None
        assert secret.value in out.read_text()
        return rotate(secrets, tag, secret, overlap_seconds=overlap_seconds, replace_public_key=replace_public_key)

    monkeypatch.setattr(Secrets, "rotate", check)

    auth_jwt("bulk", "rotate", a_file(auth_jwt, *TAGS), "--out", str(out), "--yes")


@pytest.mark.parametrize("is_lost", [False, True], ids=["before the row is written", "after it is written"])
def test_a_rotation_that_ended_early_goes_on_where_it_ended(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """Each tag gets one new secret, and it is the one in the file, wherever the first run ended."""
    out, tags = auth_jwt.files / "secrets.jsonl", a_file(auth_jwt, *TAGS)
    command = ("bulk", "rotate", tags, "--out", str(out), "--overlap", "1h", "--workers", "1", "--yes")
    rotate = Secrets.rotate
    done: list[str] = []

    def fail_at_the_third(
        secrets: Secrets, tag: str, secret: NewSecret, *, overlap_seconds: int, replace_public_key: bool
    ) -> Rotated:
        if len(done) >= 2 + is_lost:
            raise Fault("the tables are gone")
        rotated = rotate(secrets, tag, secret, overlap_seconds=overlap_seconds, replace_public_key=replace_public_key)
        done.append(tag)
        if len(done) == 3:
            raise Fault("the answer is lost")
        return rotated

    with monkeypatch.context() as patch:
        patch.setattr(Secrets, "rotate", fail_at_the_third)
        said = auth_jwt(*command, exit_code=4).stderr
    assert "The same command again goes on with the rest." in said
    assert f"The new secrets are in {out}" in said

    again = auth_jwt.lines(*command)

    _, *lines = map(json.loads, out.read_text().splitlines())
    assert sorted(line["tag"] for line in lines) == TAGS
    assert [line["outcome"] for line in again].count("already") == (3 if is_lost else 2)
    assert {tag: open_ids(auth_jwt, tag) for tag in TAGS} == {line["tag"]: ["1", line["id"]] for line in lines}
    assert set(outcomes(auth_jwt.lines(*command)).values()) == {"already"}


def test_the_file_says_which_of_its_secrets_are_in_no_table(auth_jwt: CommandLine) -> None:
    out, tags = auth_jwt.files / "secrets.jsonl", a_file(auth_jwt, "nobody", TAGS[0])
    command = ("bulk", "rotate", tags, "--out", str(out), "--yes")

    auth_jwt(*command, exit_code=1)

    failed = [line for line in map(json.loads, out.read_text().splitlines()) if "failed" in line]
    assert [(line["tag"], "no profile" in line["failed"]) for line in failed] == [("nobody", True)]
    auth_jwt("profile", "add", "nobody", "--username", "n")
    auth_jwt(*command)
    assert open_ids(auth_jwt, "nobody") == [failed[0]["id"]]
    last = {line["tag"]: line for line in map(json.loads, out.read_text().splitlines()) if "tag" in line}
    assert not any("failed" in line for line in last.values())


@pytest.mark.parametrize("action", ["disable", "enable"])
def test_a_report_of_an_earlier_run_is_no_reason_to_leave_a_tag_out(auth_jwt: CommandLine, action: str) -> None:
    report, tags = str(auth_jwt.files / "report.jsonl"), a_file(auth_jwt, *TAGS)
    opposite = {"disable": "enable", "enable": "disable"}[action]
    auth_jwt("bulk", opposite, tags, "--yes")
    command = ("bulk", action, tags, "--report", report, "--yes")
    auth_jwt(*command)
    auth_jwt("bulk", opposite, a_file(auth_jwt, *TAGS[:3], name="some"), "--yes")

    said = auth_jwt(*command).stderr

    assert "3 done, 4 already done" in said
    assert all(row.get("disabled", False) is (action == "disable") for row in profiles().values())
    auth_jwt("bulk", opposite, tags, "--report", report, "--yes", exit_code=3)


def test_a_second_revocation_means_its_own_time(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with the report of an earlier one: tokens that were issued since are revoked."""
    command = ("bulk", "revoke", a_file(auth_jwt, *TAGS), "--report", str(auth_jwt.files / "report.jsonl"), "--yes")
    auth_jwt(*command)
    earlier = profiles()[TAGS[0]]["tokens_valid_after"]
    now = Registry.now
    monkeypatch.setattr(Registry, "now", lambda registry: now(registry) + 3600)

    said = auth_jwt(*command).stderr

    assert "7 done, 0 already done" in said
    assert all(row["tokens_valid_after"] >= earlier + 3600 for row in profiles().values())


def test_a_revocation_says_before_when_and_goes_on_with_that_time(auth_jwt: CommandLine) -> None:
    auth_jwt("profile", "disable", TAGS[0])
    first = auth_jwt("bulk", "revoke", a_file(auth_jwt, TAGS[0], "nobody"), "--yes", exit_code=1).stderr
    bound = int(profiles()[TAGS[0]]["tokens_valid_after"])
    assert f"--before {bound}" in first
    auth_jwt("profile", "add", "nobody", "--username", "n")

    again = auth_jwt("bulk", "revoke", a_file(auth_jwt, TAGS[0], "nobody"), "--before", str(bound), "--yes").stderr

    assert "1 done, 1 already done" in again
    assert format_instant(bound, bound).partition(" (")[0] in again
    assert profiles()["nobody"]["tokens_valid_after"] == bound


def test_the_files_of_a_run_are_of_one_region(auth_jwt: CommandLine, elsewhere: CommandLine) -> None:
    """Two stacks have the same names of tables, and nothing but the environment says which of them is meant."""
    variables = {**auth_jwt.environment, "AWS_DEFAULT_REGION": OTHER_REGION}
    assert_files_are_of_one_stack(auth_jwt, replace(elsewhere, environment=variables), "region")


def test_the_files_of_a_run_are_of_one_account(auth_jwt: CommandLine, elsewhere: CommandLine) -> None:
    assert_files_are_of_one_stack(auth_jwt, elsewhere, "account")


def assert_files_are_of_one_stack(auth_jwt: CommandLine, other: CommandLine, member: str) -> None:
    tags = a_file(auth_jwt, *TAGS)
    report, out = str(auth_jwt.files / "report.jsonl"), str(auth_jwt.files / "secrets.jsonl")
    auth_jwt("bulk", "disable", tags, "--report", report, "--yes")
    auth_jwt("bulk", "rotate", tags, "--out", out, "--yes")
    before = Path(report).read_text(), Path(out).read_text()
    other.has_a_user(TAGS[0])

    for command in (
        ("bulk", "disable", tags, "--report", report, "--yes"),
        ("bulk", "rotate", tags, "--out", out, "--yes"),
    ):
        assert f"of another run: {member} " in other(*command, exit_code=3).stderr

    assert (Path(report).read_text(), Path(out).read_text()) == before
    assert not other.json("profile", "show", TAGS[0])["disabled"]
    assert open_ids(other, TAGS[0]) == ["1"]


def test_nobody_goes_on_with_a_file_while_the_account_is_unknown(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other names cannot tell two accounts apart."""
    monkeypatch.setattr(Connection, "identity", None)
    out, tags = str(auth_jwt.files / "secrets.jsonl"), a_file(auth_jwt, *TAGS)
    command = ("bulk", "rotate", tags, "--out", out, "--yes")
    auth_jwt(*command)

    said = auth_jwt(*command, exit_code=3).stderr

    assert "does not tell which account" in said


@pytest.mark.parametrize(("age", "exit_code"), [(DAY, 0), (DAY + 1, 3)])
def test_a_rotation_does_not_go_on_with_an_old_file_unawares(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, age: int, exit_code: int
) -> None:
    """It would rotate nothing, and say that all is done."""
    out, tags = str(auth_jwt.files / "secrets.jsonl"), a_file(auth_jwt, *TAGS)
    command = ("bulk", "rotate", tags, "--out", out, "--yes")
    auth_jwt(*command)
    began = json.loads(Path(out).read_text().splitlines()[0])["began"]
    monkeypatch.setattr(Registry, "now", lambda _: began + age)

    said = auth_jwt(*command, exit_code=exit_code).stderr

    assert ("not rotated again" in said) is (exit_code == 0)
    assert ("--resume" in said) is (exit_code == 3)
    assert "7 already done" in auth_jwt(*command, "--resume").stderr


def test_tables_that_cannot_be_used_end_the_run(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(_: Profiles, tag: str, **_more: bool) -> Any:
        asked.append(tag)
        raise Fault("dynamodb:TransactWriteItems is refused")

    monkeypatch.setattr(Profiles, "switch", fail)

    said = auth_jwt("bulk", "disable", a_file(auth_jwt, *TAGS), "--workers", "1", "--yes", exit_code=4).stderr

    assert len(asked) < len(TAGS)
    assert "not looked at" in said


def test_a_table_that_is_throttled_is_waited_for(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)
    write, calls = DynamoDbTables.write, []

    def throttled(tables: DynamoDbTables, *changes: Any) -> None:
        calls.append(changes)
        if len(calls) % 2:
            raise Throttled("too fast")
        write(tables, *changes)

    monkeypatch.setattr(DynamoDbTables, "write", throttled)

    auth_jwt("bulk", "disable", a_file(auth_jwt, *TAGS), "--workers", "1", "--yes")

    assert all(row["disabled"] for row in profiles().values())


def test_no_more_are_done_at_once_than_workers(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    switch, lock, now, most = Profiles.switch, threading.Lock(), [0], [0]

    def count(profiles: Profiles, tag: str, *, disabled: bool) -> bool:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return switch(profiles, tag, disabled=disabled)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(Profiles, "switch", count)

    auth_jwt("bulk", "disable", a_file(auth_jwt, *TAGS), "--workers", "3", "--yes")

    assert most[0] <= 3


def is_interrupted_after_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody interrupt a run after two tags."""
    from auth_jwt_cli.bulk import running

    record = running._record_first

    def interrupt(run: Any, *arguments: Any) -> None:
        if run.counts.total() == 2 and not run.is_interrupted:
            raise KeyboardInterrupt
        record(run, *arguments)

    monkeypatch.setattr(running, "_record_first", interrupt)


def test_an_interrupted_run_tells_how_to_go_on(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    is_interrupted_after_two(monkeypatch)

    said = auth_jwt("bulk", "disable", a_file(auth_jwt, *TAGS), "--workers", "1", "--yes", exit_code=130).stderr

    assert "The same command again goes on with the rest." in said
    assert "interrupted" in said


@pytest.mark.parametrize("more", [(), ("--report", "REPORT")], ids=["plain", "with a report"])
def test_an_interrupted_revocation_tells_the_command_that_goes_on_with_its_time(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """A run without `--before` has a time of its own: users who got new tokens meanwhile would lose them."""
    options = [str(auth_jwt.files / "my report") if word == "REPORT" else word for word in more]
    with monkeypatch.context() as interrupted:
        is_interrupted_after_two(interrupted)
        command = (
            "bulk",
            "revoke",
            a_file(auth_jwt, *TAGS),
            "--workers",
            "1",
            "--set",
            "CACHE_TTL_SECONDS=30",
            "--yes",
        )
        said = auth_jwt(*command, *options, exit_code=130).stderr
    (told,) = re.findall(r"`auth-jwt (.+)` goes on with the rest", said)
    (bound,) = {row["tokens_valid_after"] for row in profiles().values() if "tokens_valid_after" in row}

    again = auth_jwt(*shlex.split(told), "--yes").stderr

    assert {row.get("tokens_valid_after") for row in profiles().values()} == {bound}
    assert "already done" in again
    assert told.endswith("--set CACHE_TTL_SECONDS=30")


@pytest.mark.parametrize(
    ("action", "more"), [("disable", ()), ("enable", ()), ("revoke", ()), ("rotate", ("--out", "OUT"))]
)
def test_a_rehearsal_writes_nothing_and_counts(auth_jwt: CommandLine, action: str, more: tuple[str, ...]) -> None:
    auth_jwt("profile", "disable", TAGS[0])
    out = auth_jwt.files / "secrets.jsonl"
    before, audit = profiles(), auth_jwt.audit
    options = [str(out) if word == "OUT" else word for word in more]

    told = auth_jwt("bulk", action, a_file(auth_jwt, *TAGS, "nobody"), *options, "--dry-run", exit_code=1)

    assert profiles() == before
    assert auth_jwt.audit == audit
    assert not out.exists()
    assert {tag: open_ids(auth_jwt, tag) for tag in TAGS} == {tag: ["1"] for tag in TAGS}
    assert "would be done" in told.stderr
    assert "there is no profile 'nobody'" in told.stdout
    number = {"disable": 6, "enable": 1, "revoke": 7, "rotate": 7}[action]
    assert str(number) in told.stdout.split()

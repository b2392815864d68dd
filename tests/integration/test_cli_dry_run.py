"""`--dry-run`: every command that writes does everything but the write. This walks all of them."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.command_line import KEYS, TAG, CommandLine
from tests.factories import HMAC_KEY, a_jwk
from tests.integration.test_issuer_commands import Lab, _lab  # noqa: F401 - a fixture
from tests.issuers import KID
from tests.migration_sources import users, write_sqlite
from tests.unit.cli.test_main import COMMANDS
from tools.events.stage import REGION

Arguments = Callable[[Lab, Path], list[str]]

WRITES: dict[tuple[str, ...], Arguments] = {
    ("profile", "add"): lambda _, home: [
        *("bob", "--username", "bob", "--generate", "--out", str(home / "bob.secret"))
    ],
    ("profile", "set"): lambda *_: [TAG, "--username", "alicia"],
    ("profile", "disable"): lambda *_: [TAG],
    ("profile", "enable"): lambda *_: ["disabled"],
    ("profile", "rename"): lambda *_: [TAG, "alice-office"],
    ("profile", "rm"): lambda *_: [TAG, "--yes"],
    ("profile", "restore"): lambda *_: ["removed"],
    ("secret", "add"): lambda _, home: [TAG, "--generate", "--out", str(home / "new.secret")],
    ("secret", "close"): lambda *_: [TAG, "1", "--yes"],
    ("secret", "set"): lambda *_: [TAG, "1", "--kid", "k"],
    ("secret", "rotate"): lambda _, home: [TAG, "--generate", "--out", str(home / "rotated.secret")],
    ("secret", "rm"): lambda *_: [TAG, "closed"],
    ("secret", "set-alg"): lambda *_: ["without-alg"],
    ("revoke",): lambda *_: [TAG, "--all", "--yes"],
    ("bulk", "disable"): lambda _, home: [a_file(home, TAG), "--yes"],
    ("bulk", "enable"): lambda _, home: [a_file(home, "disabled"), "--yes"],
    ("bulk", "revoke"): lambda _, home: [a_file(home, TAG), "--yes", "--report", str(home / "report")],
    ("bulk", "rotate"): lambda _, home: [a_file(home, TAG), "--yes", "--out", str(home / "secrets.jsonl")],
    ("sync",): lambda lab, home: [an_older_export(lab, home), "--yes"],
    ("issuer", "add"): lambda lab, _: [f"{lab.issuer}/other", "--audience", "sip", "--keys-url", keys(lab), "--yes"],
    ("issuer", "set"): lambda lab, _: [lab.issuer, "--longest-lifetime", "1h"],
    ("issuer", "refresh"): lambda lab, _: [with_other_keys(lab)],
    ("issuer", "disable"): lambda lab, _: [lab.issuer],
    ("issuer", "enable"): lambda lab, _: [disabled(lab)],
    ("issuer", "block-key"): lambda lab, _: [lab.issuer, KID],
    ("issuer", "unblock-key"): lambda lab, _: [lab.issuer, "p256"],
    ("issuer", "rm"): lambda lab, _: [lab.issuer, "--yes"],
    ("import",): lambda _, home: [str(write_sqlite(home / "opensips.sqlite", *users(2)))],
}


def a_file(home: Path, tag: str) -> str:
    path = home / "tags"
    path.write_text(f"{tag}\n")
    return str(path)


def an_older_export(lab: Lab, home: Path) -> str:
    path = str(home / "stack.jsonl")
    lab.auth_jwt("export", "--out", path)
    lab.auth_jwt("profile", "set", TAG, "--username", "mallory")
    return path


def keys(lab: Lab) -> str:
    return f"{lab.issuer}/keys"


def with_other_keys(lab: Lab) -> str:
    lab.publish(a_jwk("p256", kid="other"))
    return lab.issuer


def disabled(lab: Lab) -> str:
    lab.auth_jwt("issuer", "disable", lab.issuer)
    return lab.issuer


def rows() -> dict[str, list[Any]]:
    client = boto3.client("dynamodb", region_name=REGION)
    found = {name: client.scan(TableName=name)["Items"] for name in KEYS}
    return {name: sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) for name, items in found.items()}


def put(table: str, **columns: Any) -> None:
    boto3.resource("dynamodb", region_name=REGION).Table(table).put_item(Item=columns)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"}


@pytest.fixture(name="furnished")
def _furnished(lab: Lab) -> Lab:
    """Tables with something of everything that a command changes."""
    put("jwt_profiles", tag=TAG, sip_username="alice")
    put("jwt_profiles", tag="disabled", sip_username="dora", disabled=True)
    put("jwt_profiles", tag="without-alg", sip_username="walter")
    window = {"start_ts": Decimal(1), "end_ts": Decimal(4_102_444_800)}
    put("jwt_secrets", corresponding_tag=TAG, id="1", secret=HMAC_KEY, alg="HS256", **window)
    put("jwt_secrets", corresponding_tag="without-alg", id="1", secret=f"{HMAC_KEY} too", **window)
    past = {"start_ts": Decimal(1), "end_ts": Decimal(2)}
    put("jwt_secrets", corresponding_tag=TAG, id="closed", secret=f"{HMAC_KEY} old", alg="HS256", **past)
    put("jwt_profiles", tag="removed", sip_username="rita")
    lab.auth_jwt("profile", "rm", "removed", "--yes")
    lab.publish(a_jwk(kid=KID), a_jwk("p256", kid="p256"))
    lab.add()
    lab.auth_jwt("issuer", "block-key", lab.issuer, "p256")
    return lab


def test_every_command_that_writes_can_rehearse() -> None:
    """The walk below takes all of them. A context only names an audit file, and a minted token is in no table."""
    audited = {path for path, command in COMMANDS.items() if "--audit-log" in options(command)}
    writing = audited - {("context", "add"), ("token", "mint")}

    assert {path for path in writing if "--dry-run" not in options(COMMANDS[path])} == set()
    assert writing == set(WRITES)


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_a_rehearsal_writes_nothing_and_the_command_then_writes(
    path: tuple[str, ...], furnished: Lab, tmp_path: Path
) -> None:
    auth_jwt, arguments = furnished.auth_jwt, WRITES[path](furnished, tmp_path)
    before, audit, there = rows(), auth_jwt.audit, files(tmp_path)

    rehearsed = auth_jwt(*path, *arguments, "--dry-run")

    assert rows() == before
    assert auth_jwt.audit == audit
    assert files(tmp_path) == there
    assert "works" not in rehearsed.stderr
    assert HMAC_KEY not in rehearsed.output

    auth_jwt(*path, *arguments)

    assert rows() != before
    assert len(auth_jwt.audit) > len(audit) or path == ("issuer", "refresh")


def test_a_rehearsal_tells_rows_and_columns(furnished: Lab, tmp_path: Path) -> None:
    path = str(tmp_path / "new")
    told = furnished.auth_jwt.json("secret", "rotate", TAG, "--generate", "--out", path, "--dry-run")

    assert told == {
        "dry_run": True,
        "changes": [
            {"change": "add", "table": "secrets", "tag": TAG, "id": "2",
             "columns": ["alg", "end_ts", "secret", "start_ts"]},
            {"change": "change", "table": "secrets", "tag": TAG, "id": "1", "columns": ["end_ts"]},
        ],
    }  # fmt: skip


def test_a_rehearsal_shows_no_generated_secret(furnished: Lab) -> None:
    shown = furnished.auth_jwt("secret", "rotate", TAG, "--generate", "--dry-run")

    assert "would" in shown.stdout.lower()
    assert all(len(word) < 80 for word in shown.output.split())


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param(("profile", "disable", "nobody"), 1, id="there is no such profile"),
        pytest.param(("profile", "add", TAG, "--username", "other"), 3, id="the tag is taken"),
        pytest.param(("secret", "close", TAG, "9"), 1, id="there is no such secret"),
        pytest.param(("secret", "rm", TAG, "1"), 3, id="it is open"),
        pytest.param(("secret", "add", TAG, "--secret-file", "-", "--id", "1"), 3, id="the id is taken"),
    ],
)
def test_a_rehearsal_fails_as_the_command_would(arguments: tuple[str, ...], exit_code: int, furnished: Lab) -> None:
    given = f"{HMAC_KEY} new"
    rehearsed = furnished.auth_jwt(*arguments, "--dry-run", exit_code=exit_code, given=given)
    real = furnished.auth_jwt(*arguments, exit_code=exit_code, given=given)

    assert rehearsed.stderr == real.stderr


def test_a_rehearsal_does_not_ask(furnished: Lab) -> None:
    auth_jwt: CommandLine = furnished.auth_jwt

    told = auth_jwt("profile", "rm", TAG, "--dry-run").stdout

    assert ["delete", "profiles", TAG] in [line.split()[:3] for line in told.splitlines()]
    assert "(what is kept for a restore)" in told


def test_a_rehearsal_takes_no_file_that_is_there(furnished: Lab, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")

    furnished.auth_jwt("secret", "rotate", TAG, "--generate", "--out", str(there), "--dry-run", exit_code=1)

    assert there.read_text() == "mine"

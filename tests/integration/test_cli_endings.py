"""`auth-jwt secret list --all-tags --ending-within 30d --no-successor`: the daily check from the operator's machine."""

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.command_line import TAG, CommandLine, a_command_line
from tests.issuers import item_of
from tools.events.stage import REGION

ENDING = ("secret", "list", "--all-tags", "--no-successor", "--ending-within")
DAY = 86400


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path) as shell:
        yield shell


def end(tag: str, days: float, secret_id: str = "1") -> None:
    """Let a secret that is there end so many days from now; an ended one began before."""
    now = int(time.time())
    key = {"corresponding_tag": tag, "id": secret_id}
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName="jwt_secrets",
        Key=item_of(key),
        UpdateExpression="SET start_ts = :start, end_ts = :end",
        ExpressionAttributeValues=item_of({":start": now - 90 * DAY, ":end": now + round(days * DAY)}),
    )


def test_the_tags_that_lose_their_last_secret_are_listed_with_commands(auth_jwt: CommandLine) -> None:
    for tag, days in ((TAG, 10), ("bob", -2), ("carol", 40), ("dan", -50)):
        auth_jwt.has_a_user(tag)
        end(tag, days)

    endings = auth_jwt.lines(*ENDING, "30d")

    assert [(each["tag"], each["kind"]) for each in endings] == [("bob", "ended"), (TAG, "ends_soon")]
    assert [each["command"] for each in endings] == [
        "auth-jwt secret add bob --generate --out FILE",
        f"auth-jwt secret rotate {TAG} --generate --out FILE",
    ]
    assert endings[1]["end_ts"] == pytest.approx(time.time() + 10 * DAY, abs=60)
    shown = auth_jwt(*ENDING, "30d")
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:]] == [
        ["bob", "1", "ended"],
        [TAG, "1", "ends_soon"],
    ]
    assert "Looked at 4 rows of the table jwt_secrets." in shown.stderr


def test_the_command_that_it_shows_mends_it(auth_jwt: CommandLine) -> None:
    for tag, days in ((TAG, 10), ("bob", -2)):
        auth_jwt.has_a_user(tag)
        end(tag, days)

    for number, ending in enumerate(auth_jwt.lines(*ENDING, "30d")):
        words = shlex.split(ending["command"].replace("FILE", str(auth_jwt.files / f"new-{number}")))
        auth_jwt(*words[1:])

    quiet = auth_jwt(*ENDING, "30d")
    assert quiet.stdout == ""
    assert "no tag loses its last secret within 30 days" in quiet.stderr


def test_a_gap_is_closed_by_the_command_that_it_shows(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    end(TAG, 10)
    auth_jwt("secret", "add", TAG, "--generate", "--start", "20d", "--end", "400d")

    (ending,) = auth_jwt.lines(*ENDING, "30d")
    auth_jwt(*shlex.split(ending["command"])[1:])

    assert ending["opens_again_ts"] == pytest.approx(time.time() + 20 * DAY, abs=60)
    assert auth_jwt.lines(*ENDING, "30d") == []


def test_no_value_is_shown(auth_jwt: CommandLine) -> None:
    value = auth_jwt.has_a_user()
    end(TAG, 10)
    auth_jwt.written.clear()

    auth_jwt(*ENDING, "30d")
    auth_jwt(*ENDING, "30d", "--json")

    assert TAG in "".join(auth_jwt.written)
    assert value not in "".join(auth_jwt.written)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all-tags",),
        ("--all-tags", "--ending-within", "30d"),
        ("--all-tags", "--no-successor"),
        ("--ending-within", "30d", "--no-successor"),
        (TAG, "--all-tags", "--ending-within", "30d", "--no-successor"),
        (TAG, "--no-successor"),
        (TAG, "--ending-within", "30d"),
        ("--all-tags", "--ending-within", "soon", "--no-successor"),
    ],
)
def test_a_question_that_is_neither_is_misused(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    result = auth_jwt("secret", "list", *arguments, exit_code=2)

    assert result.stdout == ""


def test_tables_that_are_not_there_are_a_fault(auth_jwt: CommandLine) -> None:
    result = auth_jwt(*ENDING, "30d", "--set", "SECRETS_TABLE=nosuch", exit_code=4)

    assert "dynamodb:Scan on table 'nosuch' is refused: ResourceNotFoundException" in result.stderr
    assert result.stdout == ""

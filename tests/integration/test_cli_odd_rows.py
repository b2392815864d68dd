"""The commands on rows that others wrote: odd windows, odd tags and ids, and what is said of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer

from tests.command_line import TAG, CommandLine, a_command_line
from tests.factories import HMAC_KEY
from tools.events.stage import REGION

FOREVER = 4102444800
_TYPED = TypeSerializer()


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as command_line:
        yield command_line


@pytest.fixture(name="auth_jwt")
def _auth_jwt(shell: CommandLine, tmp_path: Path) -> CommandLine:
    """A shell at empty tables; the files it writes are in a folder of their own."""
    shell.wipe()
    shell.files = tmp_path
    return shell


def has(tag: str = TAG, secret_id: str = "1", **columns: Any) -> None:
    """Write a profile and a secret as somebody does who is none of our commands."""
    client = boto3.client("dynamodb", region_name=REGION)
    secret = {"secret": HMAC_KEY, "start_ts": 1, "end_ts": FOREVER, "alg": "HS256,HS384,HS512", **columns}
    for table, row in (
        ("jwt_profiles", {"tag": tag, "sip_username": "alice"}),
        ("jwt_secrets", {"corresponding_tag": tag, "id": secret_id, **secret}),
    ):
        client.put_item(TableName=table, Item={name: _TYPED.serialize(value) for name, value in row.items()})


def tags() -> set[str]:
    client = boto3.client("dynamodb", region_name=REGION)
    keys = (("jwt_profiles", "tag"), ("jwt_secrets", "corresponding_tag"))
    return {item[key]["S"] for table, key in keys for item in client.scan(TableName=table)["Items"]}


def rows_of(tag: str) -> list[dict[str, Any]]:
    """The rows of a tag, but for the tag itself."""
    client = boto3.client("dynamodb", region_name=REGION)
    keys = (("jwt_profiles", "tag"), ("jwt_secrets", "corresponding_tag"))
    items = [(key, item) for table, key in keys for item in client.scan(TableName=table)["Items"]]
    return [{k: v for k, v in item.items() if k != key} for key, item in items if item[key] == {"S": tag}]


# -- secret close -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "what"), [(None, "has no end"), (str(FOREVER), "has an end that is not a number")])
def test_closing_later_what_has_no_end_is_refused_with_what_to_do(
    auth_jwt: CommandLine, end: object, what: str
) -> None:
    has(end_ts=end)

    said = auth_jwt("secret", "close", TAG, "1", "--at", "+30d", exit_code=3).stderr

    assert (
        f"Error: the secret '1' of '{TAG}' {what}, so it is not open, and this time would open it; nothing was done"
        in said
    )
    assert "close it now, without a time, or give it a window first (`auth-jwt secret set`)" in said
    assert auth_jwt.audit == []
    assert auth_jwt.json("secret", "close", TAG, "1")["state"] == "closed"


def test_closing_later_what_was_meant_to_end_earlier_says_so(auth_jwt: CommandLine) -> None:
    has(end_ts=1_600_000_000_000)

    closed = auth_jwt("secret", "close", TAG, "1", "--at", "+30d", "--yes")

    assert "Warning: its end was in milliseconds, and meant a time before --at: 2020-09-13 12:26:40Z" in closed.stderr


# -- secret set -------------------------------------------------------------------------------------------------------


def test_a_window_is_mended_and_a_dry_run_shows_it_first(auth_jwt: CommandLine) -> None:
    has(start_ts="1", end_ts=FOREVER * 1000)

    planned = auth_jwt.json("secret", "set", TAG, "1", "--mend", "--dry-run")
    assert auth_jwt.json("secret", "show", TAG, "1")["state"] == "unusable"
    mended = auth_jwt.json("secret", "set", TAG, "1", "--mend")

    assert planned == mended == auth_jwt.json("secret", "show", TAG, "1")
    assert (mended["start_ts"], mended["end_ts"], mended["state"]) == (1, FOREVER, "open")
    assert [line["audit"] for line in auth_jwt.audit] == ["secret.change"]
    assert auth_jwt.audit[0]["columns"] == ["end_ts", "start_ts"]


def test_mending_that_ends_the_last_open_secret_is_asked_first(auth_jwt: CommandLine) -> None:
    has(end_ts=1_600_000_000_000)

    said = auth_jwt("secret", "set", TAG, "1", "--mend", exit_code=2).stderr
    assert "add --yes" in said
    assert auth_jwt.json("secret", "show", TAG, "1")["state"] == "open"

    done = auth_jwt("secret", "set", TAG, "1", "--mend", "--yes")
    assert "closed" in done.stdout
    assert "A window that opens works at once; what ends, ends within" in done.stderr


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        ((), 1, "no change is given"),
        (("--kid", "a", "--no-kid"), 2, "contradict"),
        (("--end", "yesterday"), 2, "not a time"),
        (("--end", "-1d"), 1, "close it"),
        (("--start", "+9d", "--end", "+9d"), 1, "never opens"),
    ],
)
def test_what_cannot_be_set_is_refused(
    auth_jwt: CommandLine, options: tuple[str, ...], exit_code: int, said: str
) -> None:
    has()

    assert said in auth_jwt("secret", "set", TAG, "1", *options, exit_code=exit_code).stderr
    assert auth_jwt.audit == []


def test_what_has_ended_is_not_opened_again(auth_jwt: CommandLine) -> None:
    has(end_ts=9)

    assert "never opens again" in auth_jwt("secret", "set", TAG, "1", "--end", "+1d", exit_code=3).stderr


# -- odd tags and ids -------------------------------------------------------------------------------------------------


def test_a_profile_is_renamed_with_its_secrets(auth_jwt: CommandLine) -> None:
    has("Alice ", kid=None, note=b"x", list=[1, None], set={"a", "b"}, map={"a": True}, number=5)
    before = rows_of("Alice ")

    renamed = auth_jwt("profile", "rename", "Alice ", "alice")

    assert renamed.stdout == "The profile and 1 secret of Alice  have the tag alice now.\n"
    assert "The new tag works at once; what ends, ends within" in renamed.stderr
    assert tags() == {"alice"}
    assert rows_of("alice") == before
    document = auth_jwt.json("profile", "rename", "alice", "bob")
    assert document == {"tag": "bob", "profile": True, "secrets": ["1"]}


@pytest.mark.parametrize("tag", ["-t", "--yes", "--", "x\0y", '\u00fc \0"'])
def test_a_command_of_lint_reaches_a_row_whatever_its_tag_and_id(auth_jwt: CommandLine, tag: str) -> None:
    """The tag is refused where tokens have to name it: so it is renamed, or removed."""
    has(tag, tag)
    found = json.loads(auth_jwt("lint", "--json", exit_code=None).stdout)["findings"]
    if "\0" in tag:
        commands = next(finding["commands"] for finding in found if finding["rule"] == "nul-in-tag")
        assert commands[0]["fill_in"] == ["NEW-TAG"]
        argv = [word.replace("NEW-TAG", "new") for word in commands[0]["argv"]]
        auth_jwt(*argv[1:])
        assert tags() == {"new"}
        auth_jwt("secret", "close", "--escaped", "--yes", "--", "new", json.dumps(tag)[1:-1])
    else:
        has(tag, tag, kid=7)
        (finding,) = json.loads(auth_jwt("lint", "--json", exit_code=None).stdout)["findings"]
        argv = finding["commands"][-1]["argv"]
        auth_jwt(*argv[1:])
        assert json.loads(auth_jwt("lint", "--json").stdout)["findings"] == []


@pytest.mark.parametrize("text", ['"', "\\", "\\u12"])
def test_what_is_no_text_of_json_is_no_escaped_tag(auth_jwt: CommandLine, text: str) -> None:
    said = auth_jwt("profile", "show", "--escaped", "--", text, exit_code=2).stderr

    assert "written like the content of a JSON string" in said


def test_a_profile_of_any_tag_is_removed_and_its_secrets_are_counted_first(auth_jwt: CommandLine) -> None:
    has("x" * 129)

    assert "add --yes" in auth_jwt("profile", "rm", "x" * 129, exit_code=2).stderr
    assert auth_jwt("profile", "rm", "x" * 129, "--yes").stdout == "Deleted the profile and 1 secret.\n"
    assert "x" * 129 not in tags()


def test_a_command_of_lint_finds_the_tables_that_lint_looked_at(auth_jwt: CommandLine) -> None:
    """Not those of this environment, which may be another stage's."""
    has(end_ts=str(FOREVER))
    where = ("--set", "SECRETS_TABLE=jwt_secrets", "--set", "PROFILES_TABLE=jwt_profiles", "--region", REGION)
    elsewhere: Any = {"SECRETS_TABLE": "others", "PROFILES_TABLE": "others"}

    (finding,) = json.loads(auth_jwt("lint", "--json", *where, **elsewhere).stdout)["findings"]
    auth_jwt(*finding["commands"][0]["argv"][1:], **elsewhere)

    assert auth_jwt.json("secret", "show", TAG, "1")["end_ts"] == FOREVER


# -- lint, for people -------------------------------------------------------------------------------------------------


def test_people_read_of_the_live_tables_what_our_commands_can_do(auth_jwt: CommandLine) -> None:
    has(end_ts="never")

    shown = auth_jwt("lint").stdout

    assert "difference  bound-not-a-number  (1)\n" in shown
    assert f"  - secrets, tag '{TAG}', id '1'\n" in shown
    assert "  Remedy: `auth-jwt secret set TAG ID --mend` turns digits into numbers" in shown


def test_users_who_are_disabled_and_secrets_that_are_over_are_nothing_to_read(auth_jwt: CommandLine) -> None:
    """Of whatever a real office leaves behind."""
    for number in range(5):
        auth_jwt.has_a_user(f"user-{number}")
    auth_jwt("profile", "disable", "user-0")
    auth_jwt("secret", "close", "user-0", "1", "--yes")
    auth_jwt("secret", "rotate", "user-1", "--generate", "--overlap", "0s")
    auth_jwt("revoke", "user-2", "--all", "--before", "+1h", "--yes")
    auth_jwt("secret", "add", "user-3", "--generate", "--start", "+1d")
    has("user-5", end_ts=9, secret="hunter2", alg=7)
    auth_jwt("secret", "add", "user-5", "--generate")

    result = auth_jwt("lint", "--strict")

    assert "Found nothing." in result.stdout

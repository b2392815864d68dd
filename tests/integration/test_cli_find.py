"""`auth-jwt find`, and `secret list --all-tags` by a key: who is found, what is said, and the exit codes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws_commands import blocks_of, commands_of, section_of
from tests.command_line import CommandLine, a_command_line
from tests.contract.servers import a_dynamodb, an_error, costed
from tests.factories import public_pem
from tools.events.stage import REGION


@pytest.fixture(name="auth_jwt", scope="module")
def _auth_jwt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Six profiles, and secrets of which two tags share one."""
    with a_command_line(tmp_path_factory.mktemp("home")) as shell:
        for tag, username, *options in (
            ("alice-web", "alice", "--domain", "Example.org", "--attribute", "tier=gold"),
            ("alice-desk", "alice", "--domain", "example.com"),
            ("bob", "bob", "--domain", "example.org", "--disabled", "--attribute", "quota:=20"),
            ("carol", "carol", "--attribute", "quota=20"),
        ):
            shell("profile", "add", tag, "--username", username, *options)
        for tag in ("alice-web", "bob"):
            shell("secret", "add", tag, "--secret-file", shell.file(public_pem(), "shared.pem"))
        shell("secret", "add", "alice-desk", "--generate", "--out", str(shell.files / "desk.secret"))
        yield shell


def tags(result: Any) -> list[str]:
    """The tags of the lines of JSON on standard output."""
    return sorted(json.loads(line)["tag"] for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("alice",), ["alice-desk", "alice-web"]),
        (("alice@example.org",), ["alice-web"]),
        (("sip:alice@example.com",), ["alice-desk"]),
        (("alice", "--domain", "EXAMPLE.COM"), ["alice-desk"]),
        (("--user-prefix", "al"), ["alice-desk", "alice-web"]),
        (("--domain", "example.org"), ["alice-web", "bob"]),
        (("--domain", "example.org", "--state", "enabled"), ["alice-web"]),
        (("--state", "disabled"), ["bob"]),
        (("--state", "no-usable-secret"), ["carol"]),
        (("--attribute", "quota=20"), ["bob", "carol"]),
        (("--attribute", "tier=gold", "--tag-prefix", "alice-"), ["alice-web"]),
    ],
)
def test_profiles_are_found(auth_jwt: CommandLine, arguments: tuple[str, ...], found: list[str]) -> None:
    assert tags(auth_jwt("find", *arguments, "--json")) == found

    shown = auth_jwt("find", *arguments).stdout.splitlines()
    assert shown[0].split() == ["TAG", "USERNAME", "DOMAIN", "STATE"]
    assert sorted(line.split()[0] for line in shown[1:]) == found


def test_each_line_of_json_is_a_profile_as_show_has_it(auth_jwt: CommandLine) -> None:
    assert json.loads(auth_jwt("find", "bob", "--json").stdout) == auth_jwt.json("profile", "show", "bob")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nobody_is_exit_code_1_and_no_line(auth_jwt: CommandLine, options: tuple[str, ...]) -> None:
    result = auth_jwt("find", "mallory@example.org", *options, exit_code=1)

    assert result.stdout == ""
    assert "Nobody was found" in result.stderr


def test_a_limit_ends_the_search_and_says_so(auth_jwt: CommandLine) -> None:
    result = auth_jwt("find", "--domain", "example.org", "--limit", "1", "--json")

    assert len(tags(result)) == 1
    assert "There may be more than 1 profile: --limit." in result.stderr


def a_table(read_units: float, index: str) -> Callable[[str], tuple[int, bytes]]:
    """A table of one page that costs so much, whose index answers by an error of that name."""
    cost = {"TableName": "jwt_profiles", "CapacityUnits": read_units}

    def reply(operation: str) -> tuple[int, bytes]:
        if operation == "Query":
            return an_error(400, index)(operation)
        return 200, costed(Items=[], Count=0, ScannedCount=9, ConsumedCapacity=cost)

    return reply


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("ValidationException", "the table jwt_profiles has no index by_sip_user that can be asked, so the whole"),
        ("AccessDeniedException", "your AWS identity may not ask the index by_sip_user of the table jwt_profiles"),
    ],
)
def test_where_an_index_would_change_something_it_says_so(auth_jwt: CommandLine, index: str, told: str) -> None:
    """A scan of four parts costs four times as much as a page: with 25 read units each, nobody notices it."""
    for read_units, says_so in ((25, False), (26, True)):
        with a_dynamodb(a_table(read_units, index)) as endpoint:
            url = f"DB_URL=dynamodb+{endpoint}/{REGION}"
            result = auth_jwt("find", "alice", "--set", url, exit_code=1)
            scanned = auth_jwt("find", "--domain", "example.org", "--set", url, exit_code=1)

        assert (told in result.stderr) is says_so
        assert f"Looked at 36 rows, {4 * read_units} read units" in result.stderr
        assert "index" not in scanned.stderr  # it would change nothing


def test_revoked_tokens_are_found_and_shown(auth_jwt: CommandLine) -> None:
    auth_jwt("revoke", "carol", "--all", "--yes")

    result = auth_jwt("find", "--state", "tokens-revoked")

    assert result.stdout.splitlines()[1].split(maxsplit=3)[::3] == ["carol", "enabled, tokens revoked"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say whom to find"),
        (("--state", "off"), "there is no state 'off': it is enabled, disabled"),
        (("--attribute", "tier"), "NAME=VALUE"),
        (("alice", "--limit", "0"), "--limit"),
        (("alice", "--read-units", "0"), "--read-units"),
    ],
)
def test_what_is_no_question_is_misused(auth_jwt: CommandLine, arguments: tuple[str, ...], told: str) -> None:
    assert told in auth_jwt("find", *arguments, exit_code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--fingerprint", "scrypt:short"), "a fingerprint is `scrypt:` and 16 characters"),
        (("--attribute", "disabled=true"), "it is found by a condition of its own"),
        ((""), "the username is empty"),
    ],
)
def test_what_nothing_can_meet_is_rejected(auth_jwt: CommandLine, arguments: Any, told: str) -> None:
    given = (arguments,) if isinstance(arguments, str) else arguments
    assert told in auth_jwt("find", *given, exit_code=1).stderr


def test_a_table_that_is_not_there_is_a_fault(auth_jwt: CommandLine) -> None:
    result = auth_jwt("find", "alice", "--set", "PROFILES_TABLE=nosuch", exit_code=4)

    assert "dynamodb:Scan on table 'nosuch' is refused: ResourceNotFoundException" in result.stderr


def test_a_scan_that_is_throttled_shows_what_it_found_and_names_the_option(auth_jwt: CommandLine) -> None:
    """What it found is true; exit code 4 says that it is not all."""
    found = json.dumps({"tag": {"S": "alice-web"}, "sip_username": {"S": "alice"}})
    first = costed(Items=[json.loads(found)], Count=1, LastEvaluatedKey={"tag": {"S": "alice-web"}})
    asked: list[str] = []

    def reply(operation: str) -> tuple[int, bytes]:
        if operation == "Query":
            return an_error(400, "ValidationException")(operation)
        asked.append(operation)
        return (200, first) if len(asked) == 1 else an_error(400, "ThrottlingException")(operation)

    with a_dynamodb(reply) as endpoint:
        url = f"dynamodb+{endpoint}/{REGION}"
        result = auth_jwt("find", "alice", "--json", "--set", f"DB_URL={url}", exit_code=4)

    assert tags(result) == ["alice-web"]
    assert "is throttled (ThrottlingException); `--read-units` makes the scan slower" in result.stderr


# -- by a key ---------------------------------------------------------------------------------------------------------


def fingerprint(auth_jwt: CommandLine, tag: str) -> str:
    text: str = auth_jwt.json("secret", "show", tag, "1")["keys"][0]["fingerprint"]
    return text


@pytest.mark.parametrize(("tag", "found"), [("bob", ["alice-web", "bob"]), ("alice-desk", ["alice-desk"])])
def test_profiles_and_secrets_are_found_by_a_fingerprint(auth_jwt: CommandLine, tag: str, found: list[str]) -> None:
    text = fingerprint(auth_jwt, tag)

    assert tags(auth_jwt("find", "--fingerprint", text, "--json")) == found
    assert tags(auth_jwt("secret", "list", "--all-tags", "--fingerprint", text, "--json")) == found


@pytest.mark.parametrize(("file", "found"), [("shared.pem", ["alice-web", "bob"]), ("desk.secret", ["alice-desk"])])
def test_secrets_are_found_by_the_key_itself(auth_jwt: CommandLine, file: str, found: list[str]) -> None:
    path = str(auth_jwt.files / file)
    result = auth_jwt("secret", "list", "--all-tags", "--same-key-as", path)

    assert sorted(line.split()[0] for line in result.stdout.splitlines()[1:]) == found
    text = Path(path).read_text("utf-8")
    assert tags(auth_jwt("secret", "list", "--all-tags", "--same-key-as", "-", "--json", given=text)) == found


def test_keys_that_tags_share_are_listed(auth_jwt: CommandLine) -> None:
    result = auth_jwt("secret", "list", "--all-tags", "--shared", "--json")

    assert json.loads(result.stdout) == {
        "fingerprint": fingerprint(auth_jwt, "bob"),
        "kind": "RSA 2048",
        "tags": 2,
        "some_tags": ["alice-web", "bob"],
    }
    shown = auth_jwt("secret", "list", "--all-tags", "--shared").stdout.splitlines()
    assert shown[1].split() == [fingerprint(auth_jwt, "bob"), "RSA", "2048", "2", "alice-web,", "bob"]


def test_tags_can_be_narrowed(auth_jwt: CommandLine) -> None:
    shared = auth_jwt("secret", "list", "--all-tags", "--shared", "--tag-prefix", "alice-")

    assert "No two tags share a key" in shared.stderr


def test_a_key_that_nobody_holds_is_exit_code_1(auth_jwt: CommandLine) -> None:
    result = auth_jwt("secret", "list", "--all-tags", "--same-key-as", auth_jwt.file("x" * 64), exit_code=1)

    assert "No secret holds this key" in result.stderr


def test_no_value_is_shown(auth_jwt: CommandLine) -> None:
    value = (auth_jwt.files / "desk.secret").read_text("utf-8").strip()
    auth_jwt.written.clear()

    for options in (("--shared",), ("--fingerprint", fingerprint(auth_jwt, "alice-desk"))):
        auth_jwt("secret", "list", "--all-tags", *options)
        auth_jwt("secret", "list", "--all-tags", *options, "--json")

    assert value not in "".join(auth_jwt.written)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shared",),
        ("bob", "--shared"),
        ("bob", "--fingerprint", "scrypt:x"),
        ("bob", "--all-tags", "--shared"),
        ("--all-tags", "--shared", "--fingerprint", "scrypt:x"),
        ("--all-tags", "--tag-prefix", "a"),
        ("bob", "--tag-prefix", "a"),
        ("--all-tags", "--ending-within", "1d", "--no-successor", "--tag-prefix", "a"),
        ("--all-tags", "--ending-within", "1d", "--shared"),
    ],
)
def test_a_list_that_is_neither_is_misused(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    assert "give a TAG, or --all-tags with one of" in auth_jwt("secret", "list", *arguments, exit_code=2).stderr


# -- by the index -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="indexed")
def _indexed(auth_jwt: CommandLine) -> Iterator[CommandLine]:
    """The same tables with the index that the page's command makes; afterwards without it."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    (making,) = (each for block in blocks_of(section_of(page, "Finding users")) for each in commands_of(block))
    client = boto3.client("dynamodb", region_name=REGION)
    making.do(lambda service: boto3.client(service, region_name=REGION))  # type: ignore[call-overload]
    yield auth_jwt
    client.update_table(
        TableName="jwt_profiles", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by_sip_user"}}]
    )


def test_with_the_index_that_the_page_makes_nothing_is_scanned(indexed: CommandLine) -> None:
    result = indexed("find", "alice", "--json")

    assert tags(result) == ["alice-desk", "alice-web"]
    assert result.stderr == ""
    assert tags(indexed("find", "alice@example.org", "--json")) == ["alice-web"]
    indexed("find", "mallory", exit_code=1)

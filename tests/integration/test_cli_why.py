"""`auth-jwt why`: from a SIP user to the cause, over the real tables, log lines of the real handler, and the audit."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.command_line import TAG, CommandLine, a_command_line
from tests.logs_in_moto import give_insights, has_function, has_lines, has_stack
from tools.events.stage import REVOCATIONS, load_handler

GROUP = "/aws/lambda/auth-jwt-authorize"


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with a_command_line(tmp_path, CACHE_TTL_SECONDS="0", DYNAMODB_CLIENT="boto3") as command_line:
        give_insights(monkeypatch)
        has_stack({"AuthorizeFunctionArn": has_function("auth-jwt-authorize", group=GROUP, **SETTINGS)})
        has_lines(GROUP, [])
        yield command_line


SETTINGS = {"REVOCATIONS_TABLE": REVOCATIONS, "CACHE_TTL_SECONDS": "0"}


@pytest.fixture(name="login")
def _login(auth_jwt: CommandLine, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Log in with a token at the real handler, whose line goes to the log group."""
    handler = load_handler()

    def login(token: str) -> None:
        capsys.readouterr()
        handler({"jwt_token": token}, None)
        has_lines(GROUP, capsys.readouterr().out.splitlines(), at=time.time())

    return login


def why(auth_jwt: CommandLine, *options: str, exit_code: int = 0, **given: Any) -> dict[str, Any]:
    run = auth_jwt("why", *options, "--stack", "auth-jwt", "--json", exit_code=exit_code, **given)
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def test_a_user_who_gets_in_is_told_to_look_elsewhere(auth_jwt: CommandLine, login: Callable[[str], None]) -> None:
    auth_jwt.has_a_user()
    login(auth_jwt.token())

    told = why(auth_jwt, "alice")

    assert told["tags"] == [TAG]
    assert told["conclusion"].startswith("the service lets alice in, the last time")
    assert {line["verdict"] for line in told["lines"]} == {"ok"}


def test_a_token_by_a_closed_secret_is_found_in_the_log(auth_jwt: CommandLine, login: Callable[[str], None]) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token()
    auth_jwt("secret", "rotate", TAG, "--generate")
    auth_jwt("secret", "close", TAG, "1")
    login(token)

    told = why(auth_jwt, "alice", exit_code=1)

    assert told["conclusion"].startswith("alice was refused 1 time, the last ")
    assert told["conclusion"].endswith(": bad_signature; nothing was let in")
    assert told["next"].startswith("compare the issuer's key with `auth-jwt secret list alice-web`")
    assert any(line["text"].startswith("secret.close '1' of 'alice-web'") for line in told["lines"])


def test_a_disabled_user_is_told_with_who_did_it(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    auth_jwt("profile", "disable", TAG)

    told = why(auth_jwt, "alice", exit_code=1)

    assert "is disabled, so every login with it is denied (" in told["conclusion"]
    assert told["next"].endswith("otherwise `auth-jwt profile enable alice-web`")


def test_a_token_is_explained_too(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token("alice-web", "--jti", "j1")
    auth_jwt("revoke", TAG, "--jti", "j1")

    told = why(auth_jwt, "alice", "--token-file", "-", exit_code=1, given=f"Bearer {token}")

    assert told["conclusion"] == "the token is denied: revoked_token"
    assert token not in json.dumps(told)


def test_it_reads_well(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    auth_jwt("profile", "disable", TAG)

    shown = auth_jwt("why", "alice", "--stack", "auth-jwt", exit_code=1, COLUMNS="200").stdout

    assert "it speaks for alice and is disabled, so every login with it is denied. Next: nothing if" in shown
    assert shown.splitlines()[-1].startswith("Next: nothing if you disabled it; otherwise `auth-jwt profile enable")


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (("bob",), "no profile speaks for the SIP user 'bob': usernames are compared exactly", 1),
        (("--tag", "none"), "none", 1),
        ((), "name the SIP user, or the tag by --tag", 2),
        (("alice", "--tag", TAG), "name the SIP user, or the tag by --tag", 2),
        (("alice", "--token-file", "-", "--log-file", "-"), "standard input is the token or the log, not both", 2),
    ],
)
def test_what_cannot_be_asked_is_an_error(
    auth_jwt: CommandLine, options: tuple[str, ...], said: str, code: int
) -> None:
    assert said in auth_jwt("why", *options, exit_code=code).stderr


def test_without_a_log_the_rest_is_judged_and_it_says_so(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    run = auth_jwt("why", "--tag", TAG)

    assert "nothing in the tables refuses alice-web; the log was not read." in run.stdout
    assert "The log was not read: nothing says whose log to read: name the stack" in run.stderr


def test_a_log_that_may_not_be_read_is_named_and_the_rest_is_judged(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth_jwt.has_a_user()
    auth_jwt("profile", "disable", TAG)
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def refuse(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        if name == "StartQuery":
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return original(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)

    run = auth_jwt("why", "alice", "--stack", "auth-jwt", "--json", exit_code=4)

    told = json.loads(run.stdout)
    assert told["unread"] == ["log"]
    assert "is disabled" in told["conclusion"]
    assert "Warning: the log was not read: logs:StartQuery on '/aws/lambda/auth-jwt-authorize' is refused" in run.stderr


def test_a_username_with_another_domain_is_named(auth_jwt: CommandLine) -> None:
    """The commonest mistake at the phone."""
    auth_jwt("profile", "add", TAG, "--username", "alice", "--domain", "example.org", "--generate")

    wrong = auth_jwt("why", "alice@example.net", "--stack", "auth-jwt", exit_code=1).stderr
    assert f"there is a 'alice' with the domain example.org (tag {TAG})" in wrong
    nobody = auth_jwt("why", "alise@example.net", "--stack", "auth-jwt", exit_code=1).stderr
    assert "`auth-jwt find --user-prefix TEXT`" in nobody


@pytest.mark.parametrize(("rows", "table"), [("secrets", "jwt_secrets"), ("revocations", REVOCATIONS)])
def test_rows_that_may_not_be_read_are_named_and_the_rest_is_judged(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, rows: str, table: str
) -> None:
    """Support may not read them, and answers the phone all the same."""
    auth_jwt.has_a_user()
    auth_jwt("profile", "disable", TAG)
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def refuse(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        if table in str(arguments):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return original(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)

    run = auth_jwt("why", "alice", "--stack", "auth-jwt", "--json", exit_code=4)

    told = json.loads(run.stdout)
    assert told["unread"] == [rows]
    assert "is disabled" in told["conclusion"]
    (line,) = [line for line in told["lines"] if line["about"] == f"{rows} {TAG}"]
    assert (line["verdict"], line["text"]) == ("skipped", "they could not be read")
    assert f"Warning: the {rows} were not read: dynamodb:Query" in run.stderr


def test_a_file_of_log_lines_serves_where_there_is_no_aws(auth_jwt: CommandLine, capsys: Any) -> None:
    auth_jwt.has_a_user()
    token = auth_jwt.token("alice-web", "--lifetime", "1s")
    time.sleep(1.1)
    capsys.readouterr()
    load_handler()({"jwt_token": token}, None)

    run = auth_jwt("why", "alice", "--log-file", "-", "--json", given=capsys.readouterr().out, exit_code=1)

    assert json.loads(run.stdout)["conclusion"].endswith(": token_expired; nothing was let in")


def test_a_throttled_scan_names_a_command_that_has_a_slower_one(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`why` and `refusals` have no pace of their own, but both take the tag."""
    auth_jwt.has_a_user()
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def throttle(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        if name == "Scan":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        return original(client, name, arguments)

    with monkeypatch.context() as throttled:
        throttled.setattr(BaseClient, "_make_api_call", throttle)
        for command in (("why", "alice"), ("refusals", "--user", "alice")):
            said = auth_jwt(*command, "--stack", "auth-jwt", exit_code=4).stderr
            (told,) = re.findall(r"`auth-jwt (find .+)` finds the tag by a slower scan: name that by --tag", said)

    assert auth_jwt(*shlex.split(told)).stdout.split()[4] == TAG


def test_the_stack_is_read_once_and_not_by_the_credentials_of_a_default_context(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth_jwt.has_a_user()
    auth_jwt("context", "add", "elsewhere", "--profile", "nosuch")
    auth_jwt("context", "use", "elsewhere")
    original, asked = BaseClient._make_api_call, []  # type: ignore[attr-defined]

    def count(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        asked.append(name)
        return original(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", count)

    assert why(auth_jwt, "alice")["tags"] == [TAG]
    assert asked.count("DescribeStacks") == 1

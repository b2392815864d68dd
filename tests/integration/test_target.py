"""Where a command acts: said before it writes, shown by `auth-jwt target`, asked with questions, kept in the audit."""

import json
import os
import pty
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from tests.command_line import TAG, CommandLine, a_command_line, command, environment_of, sample_tables
from tools.events.stage import REGION

ACCOUNT = "123456789012"
TABLES = "jwt_profiles, jwt_secrets, jwt_revocations"
SAID = f"Target: account {ACCOUNT}, region {REGION}, tables {TABLES}."


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    config = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    with a_command_line(tmp_path, **config) as command_line:
        yield command_line


def has_a_function(*, name: str = "auth-jwt-authorize", **settings: str) -> None:
    """Deploy a function with these settings."""
    roles = boto3.client("iam", region_name=REGION)
    role = roles.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    boto3.client("lambda", region_name=REGION).create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="app.lambda_handler", Code={"ZipFile": b"-"},
        Environment={"Variables": {"REVOCATIONS_TABLE": "jwt_revocations", **settings}},
    )  # fmt: skip


def contexts(auth_jwt: CommandLine, text: str) -> None:
    path = Path(auth_jwt.environment["XDG_CONFIG_HOME"]) / "auth-jwt" / "contexts.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def calls_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        calls.append(operation)
        return make(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return calls


# -- before a write ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("profile", "add", "bob", "--username", "bob"),
        ("profile", "disable", TAG),
        ("secret", "rotate", TAG, "--generate"),
        ("revoke", TAG, "--jti", "5f3a"),
        ("revoke", TAG, "--all", "--yes"),
        ("profile", "rm", TAG, "--yes"),
    ],
    ids=" ".join,
)
def test_a_command_that_writes_says_first_what_it_acts_on(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    auth_jwt.has_a_user()

    result = auth_jwt(*arguments)

    assert result.stderr.splitlines()[0] == SAID
    assert "Target" not in result.stdout


@pytest.mark.parametrize("arguments", [("profile", "show", TAG), ("secret", "list", TAG), ("token", "mint", TAG)])
def test_one_that_reads_does_not(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    auth_jwt.has_a_user()

    assert "Target" not in auth_jwt(*arguments).stderr


def test_the_target_names_context_and_function(auth_jwt: CommandLine) -> None:
    has_a_function()
    contexts(auth_jwt, '[production]\nfunction = "auth-jwt-authorize"\n')

    said = auth_jwt("profile", "add", TAG, "--username", "a", "--context", "production").stderr.splitlines()[0]

    assert said == (
        f"Target: context production, function auth-jwt-authorize, account {ACCOUNT}, region {REGION}, tables {TABLES}."
    )


def test_sts_is_asked_once_and_a_stand_in_has_no_account(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = calls_of(monkeypatch)
    auth_jwt("profile", "add", TAG, "--username", "alice")
    assert calls.count("GetCallerIdentity") == 1

    calls.clear()
    url = f"DB_URL=dynamodb+http://127.0.0.1:9/{REGION}"
    said = auth_jwt("profile", "add", TAG, "--username", "alice", "--set", url, exit_code=4).stderr.splitlines()[0]
    assert said == f"Target: region {REGION}, endpoint http://127.0.0.1:9, tables {TABLES}."
    assert "GetCallerIdentity" not in calls


def test_an_account_that_sts_does_not_tell_is_unknown_and_the_write_is_done(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    began = time.monotonic()

    said = auth_jwt("profile", "add", TAG, "--username", "alice").stderr.splitlines()[0]

    assert said == f"Target: account unknown, region {REGION}, tables {TABLES}."
    assert time.monotonic() - began < 5
    assert "account" not in auth_jwt.audit[-1]["target"]


def test_a_typo_in_the_folder_of_the_audit_begins_no_second_trail(auth_jwt: CommandLine, tmp_path: Path) -> None:
    wrong = tmp_path / "audti" / "a.log"

    said = auth_jwt("profile", "add", TAG, "--username", "a", "--audit-log", str(wrong), exit_code=4).stderr

    assert f"the audit file {wrong} cannot be written (No such file or directory), so nothing was done" in said
    assert not wrong.parent.exists()
    auth_jwt("profile", "show", TAG, exit_code=1)


# -- `auth-jwt target` ------------------------------------------------------------------------------------------------


def test_the_target_is_shown_with_the_origin_of_each_part(auth_jwt: CommandLine) -> None:
    has_a_function(PROFILES_TABLE="jwt_profiles")
    contexts(
        auth_jwt,
        '[production]\nfunction = "auth-jwt-authorize"\nset = { SECRETS_TABLE = "jwt_secrets" }\nprotected = true\n',
    )

    shown = auth_jwt.json("target", "--context", "production", "--region", REGION)

    assert {name: (part["value"], part["from"]) for name, part in shown.items()} == {
        "context": ("production", "option"),
        "protected": (True, "context"),
        "file_of_contexts": (f"{auth_jwt.environment['XDG_CONFIG_HOME']}/auth-jwt/contexts.toml", None),
        "function": ("auth-jwt-authorize", "context"),
        "region": (REGION, "option"),
        "endpoint": ("AWS", "default"),
        "profiles_table": ("jwt_profiles", "function's configuration"),
        "secrets_table": ("jwt_secrets", "context"),
        "revocations_table": ("jwt_revocations", "function's configuration"),
        "account": (ACCOUNT, "STS"),
        "you_are": ("arn:aws:sts::123456789012:user/moto", "STS"),
        "profile": (None, "AWS_ACCESS_KEY_ID, environment"),
        "audit_file": (f"{auth_jwt.folder}/auth-jwt/audit.log", "default"),
    }


def test_without_anything_the_environment_and_the_defaults_are_shown(auth_jwt: CommandLine) -> None:
    shown = auth_jwt.json("target")

    assert shown["context"] == {"value": None, "from": None}
    assert shown["region"] == {"value": REGION, "from": "AWS_DEFAULT_REGION, environment"}
    assert shown["profiles_table"] == {"value": "jwt_profiles", "from": "default"}
    assert shown["revocations_table"] == {"value": "jwt_revocations", "from": "REVOCATIONS_TABLE, environment"}


def test_without_a_region_the_rest_of_the_target_is_shown(
    auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    del auth_jwt.environment["AWS_DEFAULT_REGION"]

    result = auth_jwt("target", "--json", exit_code=4, AWS_REGION=REGION)

    shown = json.loads(result.stdout)
    assert shown["region"] == {"value": None, "from": None}
    assert shown["profiles_table"] == {"value": "jwt_profiles", "from": "default"}
    assert shown["account"]["value"] == ACCOUNT  # STS needs no region
    assert "the region is missing" in result.stderr
    assert "AWS_REGION is set, but boto3 does not read it" in result.stderr
    assert "AWS_REGION" not in auth_jwt("target", exit_code=4).stderr


def test_who_is_unknown_is_said_with_the_reason(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there; and at a stand-in nobody is asked."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    account = auth_jwt.json("target")["account"]
    assert (account["value"], account["from"]) == (None, None)
    assert account["because"] == "sts:GetCallerIdentity: no answer (EndpointConnectionError)"
    assert f"unknown: {account['because']}" in auth_jwt("target", COLUMNS="200").stdout

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    shown = json.loads(auth_jwt("target", "--json", AWS_ENDPOINT_URL="http://127.0.0.1:9").stdout)
    assert shown["endpoint"] == {"value": "http://127.0.0.1:9", "from": "AWS_ENDPOINT_URL, environment"}
    assert shown["you_are"]["because"] == "the tables are not at AWS, but at http://127.0.0.1:9"


def test_the_target_is_a_table_for_people(auth_jwt: CommandLine) -> None:
    lines = auth_jwt("target", "--set", "PROFILES_TABLE=users").stdout.splitlines()

    assert lines[0].split() == ["WHAT", "VALUE", "FROM"]
    assert ["profiles", "table", "users", "option"] in [line.split() for line in lines]


# -- the commands of contexts -----------------------------------------------------------------------------------------


def test_a_context_is_added_listed_used_and_removed(auth_jwt: CommandLine) -> None:
    auth_jwt("context", "add", "lab", "--set", "PROFILES_TABLE=users", "--protected")
    auth_jwt("context", "add", "prod", "--function", "f", "--profile", "p")
    auth_jwt("context", "use", "lab")

    document = auth_jwt.json("context", "list")
    assert document["default"] == "lab"
    assert document["contexts"] == [
        {"name": "lab", "set": {"PROFILES_TABLE": "users"}, "protected": True},
        {"name": "prod", "function": "f", "profile": "p", "protected": False},
    ]
    assert auth_jwt("context", "list").stdout.splitlines()[1].split() == ["*", "lab", "-", "-", "-", "yes"]
    shown = auth_jwt.json("target", "--context", "lab", "--set", "CACHE_TTL_SECONDS=30")
    assert shown["setting_CACHE_TTL_SECONDS"] == {"value": "30", "from": "option"}
    assert shown["profiles_table"] == {"value": "users", "from": "context"}
    auth_jwt("context", "use", "--none")
    auth_jwt("context", "rm", "lab")
    assert [context["name"] for context in auth_jwt.json("context", "list")["contexts"]] == ["prod"]


def test_a_context_may_send_the_lines_of_audit_to_standard_error(auth_jwt: CommandLine) -> None:
    auth_jwt("context", "add", "lab", "--audit-log", "-")
    auth_jwt.has_a_user()
    before = len(auth_jwt.audit)

    run = auth_jwt("profile", "disable", TAG, "--context", "lab")

    assert '"profile.disable"' in run.stderr
    assert len(auth_jwt.audit) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("context", "add", "a b"),
        ("context", "add", "x", "--function", "f", "--env-file", "e"),
        ("context", "add", "x", "--set", "PROFILE_TABLE=users"),
        ("context", "use"),
        ("context", "use", "nobody"),
        ("context", "rm", "nobody"),
        ("profile", "list", "--context", "nobody"),
        ("profile", "disable", TAG, "--context", "nobody"),
    ],
    ids=" ".join,
)
def test_what_is_no_context_is_a_mistake(auth_jwt: CommandLine, arguments: tuple[str, ...]) -> None:
    said = auth_jwt(*arguments, exit_code=2).stderr

    assert said.startswith("Error: ")
    assert "nobody" not in said


# -- questions --------------------------------------------------------------------------------------------------------

PROTECTED = "[production]\nset = { CACHE_TTL_SECONDS = 30 }\nprotected = true\n"


@pytest.mark.parametrize("arguments", [("profile", "rm", TAG), ("revoke", TAG, "--all")], ids=" ".join)
def test_yes_counts_in_a_protected_context_only_if_the_command_line_names_it(
    auth_jwt: CommandLine, arguments: tuple[str, ...]
) -> None:
    auth_jwt.has_a_user()
    contexts(auth_jwt, PROTECTED)

    by_variable = auth_jwt(*arguments, "--yes", exit_code=2, AUTH_JWT_CONTEXT="production").stderr
    assert by_variable.splitlines()[-1] == (
        "Error: the context production is protected: --yes counts only together with --context production"
    )
    without = auth_jwt(*arguments, "--context", "production", exit_code=2).stderr
    assert (
        without.splitlines()[-1]
        == "Error: this needs a confirmation, and there is no terminal: add --yes --context production"
    )
    auth_jwt("profile", "show", TAG)
    auth_jwt(*arguments, "--yes", "--context", "production")


def test_an_import_that_overwrites_is_asked_for_in_a_protected_context(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    contexts(auth_jwt, PROTECTED)
    source = auth_jwt.file("CREATE TABLE jwt_profiles (tag TEXT);", "dump.sql")

    said = auth_jwt("import", source, "--overwrite", "--yes", exit_code=2, AUTH_JWT_CONTEXT="production").stderr

    assert "the context production is protected" in said


def test_what_can_be_undone_needs_no_word_in_a_protected_context(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()
    contexts(auth_jwt, PROTECTED)

    auth_jwt("profile", "disable", TAG, AUTH_JWT_CONTEXT="production")


def answered(variables: dict[str, str], arguments: tuple[str, ...], question: str, answer: str) -> tuple[int, str]:
    """Run a command at a terminal, and type *answer* at the *question*; its exit code, and what the terminal saw."""
    outside, inside = pty.openpty()
    with (
        subprocess.Popen([command(), *arguments], stdin=inside, stdout=inside, stderr=inside, env=variables) as process,
        selectors.DefaultSelector() as waiting,
        ExitStack() as at_last,
    ):
        at_last.callback(process.kill)
        os.close(inside)
        waiting.register(outside, selectors.EVENT_READ)
        seen, has_answered, end = "", False, time.monotonic() + 60
        while time.monotonic() < end:
            ready = waiting.select(1)
            try:
                seen += os.read(outside, 4096).decode() if ready else ""
            except OSError:
                break
            if question in seen and not has_answered:
                os.write(outside, answer.encode())
                has_answered = True
            if process.poll() is not None and not ready:
                break
        code = process.wait(60)
    os.close(outside)
    return code, seen.replace("\r\n", "\n")


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A shell with a protected context, at the sample tables."""
    folder = tmp_path_factory.mktemp("shell")
    with sample_tables() as endpoint:
        path = folder / "contexts.toml"
        path.write_text(PROTECTED, encoding="utf-8")
        yield {**environment_of(endpoint, folder), "AUTH_JWT_CONTEXTS": str(path)}


@pytest.mark.parametrize(("answer", "code"), [("y\n", 1), ("\n", 1), ("Production\n", 1), ("production\n", 0)])
def test_in_a_protected_context_a_person_types_its_name(shell: dict[str, str], answer: str, code: int) -> None:
    subprocess.run(
        [command(), "profile", "add", "typed", "--username", "a"],
        env=shell,
        capture_output=True,
        timeout=60,
        check=True,
    )
    endpoint = shell["DB_URL"].removeprefix("dynamodb+").rpartition("/")[0]
    question = f"Delete the profile 'typed' and its 0 secrets, in production ({endpoint})? Type production to do it: "

    ended, seen = answered({**shell, "AUTH_JWT_CONTEXT": "production"}, ("profile", "rm", "typed"), question, answer)

    assert (ended, question in seen) == (code, True), seen
    assert seen.startswith(f"Target: context production (protected), region {REGION}, endpoint {endpoint}, tables ")


# -- the audit --------------------------------------------------------------------------------------------------------


def test_every_line_of_audit_says_where_the_write_went(auth_jwt: CommandLine) -> None:
    has_a_function()
    contexts(auth_jwt, '[production]\nfunction = "auth-jwt-authorize"\nstack = "auth-jwt"\n')

    auth_jwt("profile", "add", TAG, "--username", "alice", "--context", "production")
    auth_jwt("profile", "disable", TAG)

    tables = ["jwt_profiles", "jwt_secrets", "jwt_revocations"]
    assert [line["target"] for line in auth_jwt.audit] == [
        {
            "context": "production", "stack": "auth-jwt", "function": "auth-jwt-authorize",
            "account": ACCOUNT, "region": REGION, "tables": tables,
        },
        {"account": ACCOUNT, "region": REGION, "tables": tables},
    ]  # fmt: skip


def test_the_lines_of_a_context_may_go_to_a_file_of_their_own(auth_jwt: CommandLine, tmp_path: Path) -> None:
    contexts(auth_jwt, f'[production]\naudit_log = "{tmp_path}/production.log"\n')

    auth_jwt("profile", "add", TAG, "--username", "alice", "--context", "production")

    assert auth_jwt.audit == []
    assert json.loads((tmp_path / "production.log").read_text("utf-8"))["target"]["context"] == "production"

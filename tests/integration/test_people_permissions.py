"""docs/permissions.md: each role's policy allows exactly the commands that the page says, and nothing else.

On paper, since moto judges no conditions. The calls are those of the real commands, with real rows.

A new command needs a row in the page's table, and a line in `COMMANDS` that runs it.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
import typer.main
from botocore.client import BaseClient

from auth_jwt.issuers.models import DOMAIN_TAG, REGISTRY_TAG
from auth_jwt_cli.main import app
from tests.command_line import TAG, CommandLine, a_command_line
from tests.logs_in_moto import has_stack
from tests.unit.docs.test_docs import table
from tools.events.stage import REGION

PAGE: Final = Path(__file__).parents[2] / "docs" / "permissions.md"
ROLES: Final = ("reader", "support", "provisioner", "key officer")
WITH_THE_READERS: Final = ("provisioner", "key officer")
ISSUER: Final = "https://login.example.com/"
USER: Final = f"{ISSUER}#5f0c"
FUNCTION: Final = "auth-jwt-authorize"

COMMANDS: Final[dict[str, str]] = {
    "profile show": f"profile show {TAG}",
    "profile list": "profile list --all",
    "profile add": "profile add bob --username bob --generate",
    "profile set": f"profile set {TAG} --username al --domain example.com --attribute tier=gold",
    "profile disable": f"profile disable {TAG}",
    "profile enable": f"profile enable {TAG}",
    "profile rename": f"profile rename {TAG} other",
    "profile rm": f"profile rm {TAG} --yes",
    "profile restore": "profile restore gone",
    "profile list --deleted": "profile list --deleted",
    "find": "find alice@example.org",
    "bulk disable": "bulk disable - --yes",
    "bulk enable": "bulk enable - --yes",
    "bulk revoke": "bulk revoke - --yes",
    "bulk rotate": "bulk rotate - --yes --out {folder}/secrets",
    "secret list": f"secret list {TAG}",
    "secret list --all-tags": "secret list --all-tags --ending-within 400d --no-successor",
    "secret list --shared": "secret list --all-tags --shared",
    "secret show": f"secret show {TAG} 1",
    "secret add": f"secret add {TAG} --generate",
    "secret rotate": f"secret rotate {TAG} --generate",
    "secret close": f"secret close {TAG} 1 --yes",
    "secret set": f"secret set {TAG} 1 --end +90d --kid a",
    "secret set-alg": f"secret set-alg {TAG} 1 --alg HS256",
    "secret set-alg --dry-run": "secret set-alg --all --dry-run",
    "secret rm": f"secret rm {TAG} old",
    "token mint": f"token mint {TAG}",
    "token explain": "token explain",
    "revoke --jti": f"revoke {TAG} --jti 5f3c",
    "revoke --token-file": "revoke --token-file -",
    "revoke --all": f"revoke {TAG} --all --yes",
    "revoke --lift": f"revoke {TAG} --jti 5f3a --lift",
    "revoke --list": f"revoke {TAG} --list",
    "issuer list": "issuer list",
    "issuer show": f"issuer show {ISSUER}",
    "lint": "lint",
    "export": "export",
    "diff": "diff {folder}/export",
    "refusals": "refusals",
    "refusals --stack": "refusals --stack auth-jwt",
    "refusals --tail": "refusals --tail",
    "audit": f"audit --log-group /aws/lambda/{FUNCTION}",
    "why": "why alice",
    "why --stack": "why alice --stack auth-jwt",
    "config check": "config check",
    "target": "target",
}
"""What runs each row of the table. The exit code does not matter where its calls are made."""

INTERRUPTED_AT: Final = {"refusals --stack": "GetQueryResults", "refusals --tail": "FilterLogEvents"}
"""Where Control-C comes: a query is then stopped, and the tail ends."""

OF_NONE_OF_THEM: Final = {
    *("key", "context", "import", "sync", "doctor", "page"),
    *(f"issuer {name}" for name in ("add", "set", "test", "refresh", "disable", "enable", "block-key", "rm")),
    "issuer unblock-key",
}
"""What the page says of commands that ask nothing of AWS, or are for an administrator."""


@dataclass(frozen=True)
class Asked:
    """What IAM is asked for a call: of a transaction, for each of its parts."""

    action: str
    resource: str
    tags: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()


WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem")
PARTITION_KEYS: Final = {"jwt_profiles": "tag", "jwt_secrets": "corresponding_tag", "jwt_revocations": "tag"}


def on_table(action: str, name: str, tag: str | None = None, *attributes: str) -> Asked:
    tags = frozenset() if tag is None else frozenset({tag})
    resource = f"arn:aws:dynamodb:{REGION}:123456789012:table/{name}"
    return Asked(f"dynamodb:{action}", resource, tags, frozenset(attributes))


def asked_for(service: str, operation: str, call: dict[str, Any]) -> Iterator[Asked]:
    """What IAM is asked. GetCallerIdentity needs no permission."""
    if service == "lambda":
        name = call["FunctionName"].rpartition(":")[2]
        yield Asked(f"lambda:{operation}", f"arn:aws:lambda:{REGION}:123456789012:function:{name}")
    elif service == "cloudformation":
        stack = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{call['StackName']}/*"
        yield Asked(f"cloudformation:{operation}", stack)
    elif service == "logs":
        names = call.get("logGroupNames") or ([call["logGroupName"]] if "logGroupName" in call else [])
        groups = [f"arn:aws:logs:{REGION}:123456789012:log-group:{name}:*" for name in names]
        yield from (Asked(f"logs:{operation}", resource) for resource in groups or ["*"])
    elif service == "dynamodb":
        yield from asked_of_tables(operation, call)
    else:
        assert (service, operation) == ("sts", "GetCallerIdentity")


def asked_of_tables(operation: str, call: dict[str, Any]) -> Iterator[Asked]:
    if operation == "TransactWriteItems":
        for item in call["TransactItems"]:
            ((kind, part),) = item.items()
            yield from asked_of_tables("ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item", part)
    elif operation == "BatchGetItem":
        for name, wanted in call["RequestItems"].items():
            for key in wanted["Keys"]:
                yield on_table(operation, name, key[PARTITION_KEYS[name]]["S"])
    elif "IndexName" in call:
        yield on_table(operation, f"{call['TableName']}/index/{call['IndexName']}")
    else:
        name = call["TableName"]
        key = {**call.get("Item", {}), **call.get("Key", {})}
        tag = key.get(PARTITION_KEYS[name], call.get("ExpressionAttributeValues", {}).get(":tag"))
        attributes = {*key, *call.get("ExpressionAttributeNames", {}).values()}
        yield on_table(operation, name, None if tag is None else tag["S"], *attributes)


def policies() -> dict[str, list[dict[str, Any]]]:
    """The statements of each role, those of the reader's policy among them where the page says so."""
    text = PAGE.read_text("utf-8")
    found = {}
    for role in ROLES:
        (block,) = re.findall(rf"^### {role.capitalize()}\n.*?^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        found[role] = json.loads(block)["Statement"]
    return {role: [*own, *(found["reader"] if role in WITH_THE_READERS else ())] for role, own in found.items()}


POLICIES: Final = policies()


def allows(statement: dict[str, Any], asked: Asked) -> bool:
    """Judge a call as IAM does, by the conditions that these statements have."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, given in keys.items():
            values = [given] if isinstance(given, str) else given
            if key == "kms:ViaService":
                return False
            names = asked.tags if key == "dynamodb:LeadingKeys" else asked.attributes
            matches = [any(fnmatchcase(name, value) for value in values) for name in names]
            if operator == "ForAllValues:StringNotLike":
                matches = [not match for match in matches]
            else:
                assert operator in ("ForAllValues:StringLike", "ForAllValues:StringEquals")
            if not all(matches):
                return False
    return asked.action in statement["Action"] and statement["Resource"] == asked.resource


def may(role: str, asked: Asked) -> bool:
    return any(allows(statement, asked) for statement in POLICIES[role])


Calls = dict[str, frozenset[Asked]]


@pytest.fixture(name="calls", scope="module")
def _calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """What each command asks of AWS."""
    made: list[Asked] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        made.extend(asked_for(client.meta.service_model.signing_name, operation, arguments))
        if INTERRUPTED_AT.get(name) == operation:
            raise KeyboardInterrupt
        return original(client, operation, arguments)

    with pytest.MonkeyPatch.context() as patch, a_command_line(tmp_path_factory.mktemp("people")) as auth_jwt:
        has_a_function()
        has_stack({"AuthorizeFunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:{FUNCTION}"})
        found: Calls = {}
        folder, token = auth_jwt.folder, ""
        for name, line in COMMANDS.items():
            if not token:
                auth_jwt.wipe()
                token = has_rows(auth_jwt)
            words = shlex.split(line.format(folder=folder))
            given = {"bulk enable": "off", "token explain": token, "revoke --token-file": token}.get(name, TAG)
            with patch.context() as recording:
                recording.setattr(BaseClient, "_make_api_call", recorded)
                auth_jwt(*words, "--function", FUNCTION, given=given, exit_code=None)
            found[name] = frozenset(made)
            made.clear()
            if any(asked.action.removeprefix("dynamodb:") in WRITES for asked in found[name]):
                token = ""
        yield found


def has_a_function() -> None:
    role = boto3.client("iam", region_name=REGION).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]
    boto3.client("logs", region_name=REGION).create_log_group(logGroupName=f"/aws/lambda/{FUNCTION}")
    boto3.client("lambda", region_name=REGION).create_function(
        FunctionName=FUNCTION, Runtime="python3.13", Role=role["Arn"], Handler="app.lambda_handler",
        Code={"ZipFile": b"-"},
        Environment={"Variables": {"REVOCATIONS_TABLE": "jwt_revocations", "ISSUERS": f"{ISSUER}*"}},
    )  # fmt: skip


def has_rows(auth_jwt: CommandLine) -> str:
    """A user with two secrets, one of them closed, who has revoked a token; return one of the user's tokens."""
    auth_jwt.has_a_user()
    token = auth_jwt.token(TAG, "--claim", 'jti="5f3b"')
    auth_jwt("secret", "add", TAG, "--generate", "--id", "old")
    auth_jwt("secret", "close", TAG, "old")
    auth_jwt("revoke", TAG, "--jti", "5f3a")
    auth_jwt("profile", "add", "gone", "--username", "gone", "--generate")
    auth_jwt("profile", "rm", "gone", "--yes")
    auth_jwt("profile", "add", "off", "--username", "off", "--disabled")
    path = auth_jwt.folder / "export"
    path.unlink(missing_ok=True)
    auth_jwt("export", "--out", str(path))
    return token


def rows() -> dict[str, tuple[bool, ...]]:
    """The table of the page: for each command, which of the roles may run it."""
    return {name.strip("`"): tuple(cell == "yes" for cell in cells) for name, *cells in table(PAGE, "command")}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_role_may_run_the_commands_that_the_page_says(calls: Calls, command: str) -> None:
    denied = {role: [asked for asked in calls[command] if not may(role, asked)] for role in ROLES}

    assert tuple(not denied[role] for role in ROLES) == rows()[command], denied


def test_every_command_was_seen_to_ask_something(calls: Calls) -> None:
    assert {name for name, asked in calls.items() if not asked} == set()
    asks_no_table = {name for name, made in calls.items() if not any("dynamodb:" in asked.action for asked in made)}
    assert asks_no_table <= {"target", "refusals", "refusals --stack", "refusals --tail", "audit"}


def test_the_page_has_every_command() -> None:
    there = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        there |= {f"{name} {sub}" for sub in command.commands} if hasattr(command, "commands") else {name}
    named = {name.partition(" --")[0] for name in rows()} | {
        name for name in there if name in OF_NONE_OF_THEM or name.partition(" ")[0] in OF_NONE_OF_THEM
    }

    assert there == named
    assert list(rows()) == list(COMMANDS)


@pytest.mark.parametrize("role", ROLES)
def test_no_policy_allows_what_none_of_its_commands_asks(calls: Calls, role: str) -> None:
    runs = [command for command, may_run in rows().items() if may_run[ROLES.index(role)]]
    asked = {each for command in runs for each in calls[command]}
    # users of issuers are disabled and made by the same calls, under tags of their own
    asked |= {Asked(each.action, each.resource, frozenset({USER}), each.attributes) for each in asked if each.tags}

    for statement in POLICIES[role]:
        used = {each.action for each in asked if allows(statement, each)}
        assert statement["Sid"] == "UseTheKeyOfTheTables" or used == set(statement["Action"]), statement["Sid"]
        columns = statement.get("Condition", {}).get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes")
        if columns is not None:
            assert set(columns) == {name for each in asked if allows(statement, each) for name in each.attributes}


@pytest.mark.parametrize("name", PARTITION_KEYS)
@pytest.mark.parametrize("action", [*WRITES, "BatchWriteItem", "PartiQLUpdate", "DeleteTable", "UpdateTable"])
def test_a_reader_cannot_write(action: str, name: str) -> None:
    assert not may("reader", on_table(action, name, TAG))


@pytest.mark.parametrize("action", [*WRITES, "GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect"])
def test_support_neither_sees_nor_changes_a_secret(action: str) -> None:
    assert not may("support", on_table(action, "jwt_secrets", TAG))


@pytest.mark.parametrize("command", ["why", "why --stack"])
def test_a_command_that_a_role_may_run_in_part_lacks_the_secrets_alone(calls: Calls, command: str) -> None:
    assert {name.strip("`"): cells for name, *cells in table(PAGE, "command")}[command][1] == "in part"
    denied = {asked for asked in calls[command] if not may("support", asked)}
    assert {asked.resource.rpartition("/")[2] for asked in denied} == {"jwt_secrets"}


@pytest.mark.parametrize("column", ["sip_username", "sip_domain", "tier"])
def test_support_changes_no_other_column_of_a_profile(column: str) -> None:
    assert may("support", on_table("UpdateItem", "jwt_profiles", TAG, "tag", "disabled"))
    assert not may("support", on_table("UpdateItem", "jwt_profiles", TAG, "tag", "disabled", column))


@pytest.mark.parametrize("action", WRITES)
def test_a_key_officer_changes_no_profile_and_a_provisioner_ends_no_secret(action: str) -> None:
    assert not may("key officer", on_table(action, "jwt_profiles", TAG, "tag"))
    assert not may("provisioner", on_table("UpdateItem", "jwt_secrets", TAG, "corresponding_tag", "end_ts"))


@pytest.mark.parametrize(
    "tag", [ISSUER, REGISTRY_TAG, f"{DOMAIN_TAG}example.com"], ids=["issuer", "registry", "domain"]
)
@pytest.mark.parametrize("name", ["jwt_profiles", "jwt_secrets"])
@pytest.mark.parametrize("action", WRITES)
@pytest.mark.parametrize("role", ROLES)
def test_nobody_of_them_writes_the_rows_that_say_whose_keys_are_trusted(
    role: str, action: str, name: str, tag: str
) -> None:
    assert not may(role, on_table(action, name, tag, PARTITION_KEYS[name], "issuer_config"))


def test_users_of_an_issuer_are_disabled_and_revoked_as_others_are() -> None:
    for role in ("support", "provisioner"):
        assert may(role, on_table("UpdateItem", "jwt_profiles", USER, "tag", "disabled", "issuer_config"))

"""The function of the admin API in an account where template.yaml was deployed with it: names and permissions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

from tests.deployment.account import REGION, Deployment, account, client, deploy
from tests.deployment.test_deployment import BY_LAMBDA_ITSELF, RENAMED
from tests.integration.admin_client import PROFILES, Operator
from tools.events.stage import Stage, environment, load_handler

Calls = set[tuple[str, str]]

PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""What each part of a transaction needs permission for."""
REVOCATIONS = "sip.gone"
VARIANTS = pytest.mark.parametrize("names", [{}, RENAMED], ids=["default names", "other names"])


@contextmanager
def permissions_needed(needed: Calls) -> Iterator[None]:
    """Add what every call of DynamoDB needs to *needed*."""
    make_api_call = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def record(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        calls = [(operation, parameters)]
        if operation == "TransactWriteItems":
            calls = [(PARTS[kind], part) for item in parameters["TransactItems"] for kind, part in item.items()]
        for action, part in calls:
            index = f"/index/{part['IndexName']}" if "IndexName" in part else ""
            table = f"arn:aws:dynamodb:{REGION}:123456789012:table/{part['TableName']}"
            needed.add((f"dynamodb:{action}", f"{table}{index}"))
        return make_api_call(self, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", record)
        yield


@contextmanager
def deployed(**values: str) -> Iterator[tuple[Deployment, Operator]]:
    with account():
        stack = deploy("auth-jwt", AdminApi="true", RevocationsTable=REVOCATIONS, **values)
        with environment(stack.environment("provisioning")):
            yield stack, Operator(Stage(load_handler("provisioning"), client("dynamodb"), "provisioning"))


def tour(operator: Operator) -> None:
    """Do everything once."""
    operator.has("zoe")
    zoe = f"{PROFILES}/zoe"
    operator.done("GET", PROFILES)
    found = operator.done("GET", PROFILES, query=[("username", "zoe")])
    assert [profile["tag"] for profile in found["profiles"]] == ["zoe"]
    etag = operator.ask("GET", zoe).headers["etag"]
    operator.done("PATCH", zoe, {"attributes": {"x": 1}}, headers=[("If-Match", etag)])
    operator.done("POST", f"{zoe}/rotate")
    operator.done("POST", f"{zoe}/secrets", {"id": "third"})
    operator.done("POST", f"{zoe}/tokens")
    operator.done("PATCH", f"{zoe}/secrets/third", {"end_ts": "now"})
    operator.done("DELETE", f"{zoe}/secrets/third")
    operator.done("POST", f"{zoe}/revocations", {"jti": "1", "exp": 2**31})
    operator.done("POST", f"{zoe}/revocations", {"jti": "1"})
    operator.done("GET", f"{zoe}/revocations")
    operator.done("DELETE", f"{zoe}/revocations/1")
    operator.done("POST", f"{zoe}/revocations", {"all": True})
    operator.done("DELETE", f"{zoe}/tokens_valid_after")
    operator.done("DELETE", zoe)


@VARIANTS
def test_the_role_allows_the_calls_that_are_made_and_no_others(names: dict[str, str]) -> None:
    needed: Calls = set()
    with deployed(**names) as (stack, operator):
        with permissions_needed(needed):
            tour(operator)
        allowed = stack.permissions("provisioning")

    assert {pair for pair in allowed if pair[0] not in BY_LAMBDA_ITSELF} == needed


def test_what_is_written_stands_in_the_columns_of_the_stack() -> None:
    with deployed(**RENAMED) as (_, operator):
        operator.has("zoe", kid="k", algorithms=["HS256"])
        (profile,) = client("dynamodb").scan(TableName=RENAMED["ProfilesTable"])["Items"]
        (secret,) = client("dynamodb").scan(TableName=RENAMED["SecretsTable"])["Items"]

    assert profile.keys() == {RENAMED["TagColumn"], RENAMED["UsernameColumn"]}
    own = ("SecretTagColumn", "SecretColumn", "StartTsColumn", "EndTsColumn", "AlgColumn", "KidColumn")
    assert secret.keys() == {"id", *(RENAMED[name] for name in own)}


def test_the_index_that_the_stack_makes_is_the_one_that_is_asked() -> None:
    """Under other names of columns, too: nothing is scanned."""
    needed: Calls = set()
    with deployed(**RENAMED, UsernameIndex="true") as (_, operator):
        operator.done("POST", PROFILES, {"tag": "zoe", "sip_username": "zoë", "sip_domain": "example.org"})
        with permissions_needed(needed):
            found = operator.done("GET", PROFILES, query=[("username", "zoë"), ("domain", "Example.org")])

    assert [profile["tag"] for profile in found["profiles"]] == ["zoe"]
    assert {action for action, _ in needed} == {"dynamodb:Query", "dynamodb:GetItem"}


def test_lines_go_to_a_group_of_its_own() -> None:
    with deployed() as (stack, _):
        allowed = {pair for pair in stack.permissions("provisioning") if pair[0].startswith("logs:")}
        name = stack.outputs["AdminLogGroupName"]

    group = f"arn:aws:logs:{REGION}:123456789012:log-group:{name}"
    assert allowed == {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}

"""The role of the function that fetches keys allows its calls, on those rows and attributes, and no others.

On paper, since moto judges no conditions. The calls are those of the real handler.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.client import BaseClient

from auth_jwt.issuers.models import REGISTRY_TAG
from auth_jwt.models import Columns
from tests.factories import a_jwk
from tests.integration.test_refresh_keys import SCHEDULED, Login
from tests.integration.test_refresh_keys import _login as _login  # noqa: PLC0414 - a fixture
from tools.events.stage import REGION
from tools.template.stack import properties, sources, stack_of

ISSUER = "https://login.example.com/"
USER = f"{ISSUER}#5f0c"
KEYS = ["corresponding_tag", "id", "issuer_keys", "issuer_keys_url"]
PARTITION_KEYS = {"jwt_profiles": "tag", "jwt_secrets": "corresponding_tag"}


@dataclass(frozen=True)
class Asked:
    """What IAM is asked for a call: of a transaction, for each of its parts."""

    action: str
    table: str
    tag: str
    attributes: frozenset[str]
    is_whole: bool = False


def asked_for(operation: str, call: dict[str, Any]) -> Iterator[Asked]:
    if operation == "TransactWriteItems":
        for item in call["TransactItems"]:
            ((kind, part),) = item.items()
            yield from asked_for("ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item", part)
        return
    names = (
        set(call.get("ExpressionAttributeNames", {}).values()) | set(call.get("Key", {})) | set(call.get("Item", {}))
    )
    key = {**call.get("Item", {}), **call.get("Key", {})}
    column = PARTITION_KEYS[call["TableName"]]
    tag = key[column]["S"] if column in key else call["ExpressionAttributeValues"][":tag"]["S"]
    is_read = operation in ("GetItem", "Query")
    is_whole = is_read and "ProjectionExpression" not in call
    yield Asked(operation, call["TableName"], tag, frozenset(names), is_whole)


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM's translator wants one."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def statements() -> list[dict[str, Any]]:
    stack = stack_of(sources(), Issuers=f"{ISSUER}*")
    role = properties(stack, "RefreshKeysRole")
    assert "ManagedPolicyArns" not in role
    (own,) = (policy for policy in role["Policies"] if policy["PolicyName"] == "RefreshTheKeysOfIssuers")
    found: list[dict[str, Any]] = own["PolicyDocument"]["Statement"]
    return [statement for statement in found if statement["Resource"] != "*"]


def allows(statement: dict[str, Any], asked: Asked) -> bool:
    """Judge a call as IAM does, by the conditions that these statements have."""
    condition = statement["Condition"]
    tags = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    attributes = condition["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    only = condition.get("StringEqualsIfExists", {}).get("dynamodb:Select")
    return (
        statement["Action"] == f"dynamodb:{asked.action}"
        and statement["Resource"].endswith(f":table/{asked.table}")
        and any(fnmatchcase(asked.tag, tag) for tag in tags)
        and asked.attributes <= set(attributes)
        and not (asked.is_whole and only == "SPECIFIC_ATTRIBUTES")
    )


def test_the_role_allows_the_calls_that_are_made_and_no_other_attributes(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first fetch, one of the same keys, a failure, one of other keys: every kind of call."""
    calls: list[Asked] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def recorded(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        calls.extend(asked_for(operation, parameters))
        return make(client, operation, parameters)

    def make_due() -> None:
        login.refresh.tables.update_item(
            TableName="jwt_secrets",
            Key={"corresponding_tag": {"S": login.issuer}, "id": {"S": "issuer-status"}},
            UpdateExpression="SET issuer_next_fetch_at = :now",
            ExpressionAttributeValues={":now": {"N": "1"}},
        )

    for document in (json.dumps({"keys": [a_jwk(kid="1")]}), None, "<html>", json.dumps({"keys": [a_jwk("p256")]})):
        if document is not None:
            login.provider.documents["/keys"] = document.encode()
        make_due()
        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", recorded)
            login.refresh.ask(SCHEDULED)

    for asked in calls:
        assert any(allows(statement, asked) for statement in statements()), asked
    for statement in statements():
        used = [asked for asked in calls if allows(statement, asked)]
        permitted = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
        assert set(permitted) == {name for asked in used for name in asked.attributes}, statement["Sid"]
    assert {asked.tag for asked in calls} == {login.issuer, REGISTRY_TAG}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(Asked("GetItem", "jwt_profiles", "alice", frozenset({"tag"})), id="a profile of a tag"),
        pytest.param(
            Asked("GetItem", "jwt_profiles", USER, frozenset({"tag", "sip_username"})), id="the name of a user"
        ),
        pytest.param(Asked("GetItem", "jwt_profiles", USER, frozenset({"tag"}), is_whole=True), id="a whole profile"),
        pytest.param(Asked("Query", "jwt_secrets", "alice", frozenset(KEYS)), id="the secrets of a tag"),
        pytest.param(
            Asked("Query", "jwt_secrets", ISSUER, frozenset({*KEYS, "secret"})), id="a secret beside an issuer's keys"
        ),
        pytest.param(Asked("UpdateItem", "jwt_secrets", "alice", frozenset(KEYS)), id="rows of a tag, to write"),
        pytest.param(Asked("UpdateItem", "jwt_secrets", REGISTRY_TAG, frozenset(KEYS)), id="the registry, to write"),
        pytest.param(Asked("UpdateItem", "jwt_secrets", ISSUER, frozenset({*KEYS, "end_ts"})), id="a window, to write"),
        pytest.param(
            Asked("UpdateItem", "jwt_profiles", ISSUER, frozenset({"tag", "issuer_config"})), id="a configuration"
        ),
        pytest.param(Asked("PutItem", "jwt_secrets", ISSUER, frozenset(KEYS)), id="a whole row, to write"),
        pytest.param(Asked("DeleteItem", "jwt_secrets", ISSUER, frozenset(KEYS)), id="a row, to delete"),
        pytest.param(Asked("Scan", "jwt_secrets", ISSUER, frozenset(KEYS)), id="a scan"),
    ],
)
def test_the_role_refuses_all_else(asked: Asked) -> None:
    assert not any(allows(statement, asked) for statement in statements())


def test_the_attributes_that_it_may_write_are_none_by_which_a_tags_token_verifies() -> None:
    columns = Columns()
    (write,) = (statement for statement in statements() if statement["Action"] == "dynamodb:UpdateItem")

    permitted = set(write["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])

    assert permitted.isdisjoint({columns.secret, columns.start, columns.end, columns.alg, columns.kid})
    assert f":{REGION}:" in write["Resource"]

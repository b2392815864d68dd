"""The role of the daily check allows its calls, and no request by which anybody could read a value.

On paper, since moto judges no conditions. The calls are those of the real handler.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.client import BaseClient

from auth_jwt.models import Columns
from tests.integration.ending_stage import an_ending_stage
from tests.integration.test_ending_secrets import fill
from tools.events.stage import REGION
from tools.template.stack import properties, sources, stack_of

WINDOWS = ["corresponding_tag", "id", "start_ts", "end_ts", "alg", "kid"]
SPECIFIC = "SPECIFIC_ATTRIBUTES"


@dataclass(frozen=True)
class Asked:
    """What IAM is asked for a call.

    `selected` is the request's parameter `Select`, which only Scan and Query have; None where the request has none.
    """

    action: str
    table: str
    attributes: frozenset[str]
    selected: str | None = None


def asked_for(operation: str, call: dict[str, Any]) -> Asked:
    names = set(call.get("ExpressionAttributeNames", {}).values()) | set(call.get("Key", {}))
    if operation == "GetItem" and "ProjectionExpression" not in call:
        names.add("*")  # every attribute of the row
    return Asked(operation, call["TableName"], frozenset(names), call.get("Select"))


@pytest.fixture(name="statements")
def _statements(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)  # SAM's translator wants one
    role = properties(stack_of(sources()), "EndingSecretsRole")
    assert "ManagedPolicyArns" not in role
    return [
        statement
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "dynamodb" in str(statement["Action"])
    ]


def allows(statement: dict[str, Any], asked: Asked) -> bool:
    """Judge a call as IAM does, by the conditions that these statements have.

    `ForAllValues` holds where a request names no attributes, so `Select` must be there for those that may name none.
    """
    condition = statement["Condition"]
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    needed = condition.get("StringEquals", {}).get("dynamodb:Select")
    if_there = condition.get("StringEqualsIfExists", {}).get("dynamodb:Select")
    return (
        f"dynamodb:{asked.action}" in actions
        and statement["Resource"].endswith(f":table/{asked.table}")
        and asked.attributes <= set(condition["ForAllValues:StringEquals"]["dynamodb:Attributes"])
        and needed in (None, asked.selected)
        and (asked.selected is None or if_there in (None, asked.selected))
    )


@pytest.fixture(name="calls")
def _calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Asked]]:
    """The calls of a check that finds tags of every kind, and an overdue rotation."""
    calls: list[Asked] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def recorded(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append(asked_for(operation, parameters))
        return make(client, operation, parameters)

    with an_ending_stage(ROTATED_TAG="alice-web", ROTATION_DAYS="30") as ending:
        fill(ending)
        monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
        assert ending.check().record["outcome"] == "done"
        yield calls


def test_the_role_allows_the_calls_that_are_made_and_no_other_attributes(
    statements: list[dict[str, Any]], calls: list[Asked]
) -> None:
    assert {asked.action for asked in calls} == {"Scan", "Query", "GetItem"}
    for asked in calls:
        assert any(allows(statement, asked) for statement in statements), asked
    for statement in statements:
        used = {name for asked in calls if allows(statement, asked) for name in asked.attributes}
        assert set(statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]) == used


@pytest.mark.parametrize(
    "asked",
    [
        *(
            pytest.param(Asked(action, "jwt_secrets", frozenset(names), selected), id=f"{action} {what}")
            for action in ("Scan", "Query")
            for what, names, selected in (
                ("with the value", [*WINDOWS, "secret"], SPECIFIC),
                ("with an issuer's keys", [*WINDOWS, "issuer_keys"], SPECIFIC),
                ("of whole rows", [], None),
                ("of whole rows that it says", [], "ALL_ATTRIBUTES"),
                ("that does not say Select", WINDOWS, None),
                ("that counts by a value", ["secret"], "COUNT"),
            )
        ),
        pytest.param(Asked("GetItem", "jwt_secrets", frozenset(WINDOWS)), id="a secret by its key"),
        pytest.param(Asked("GetItem", "jwt_profiles", frozenset({"tag", "sip_username"})), id="a user's name"),
        pytest.param(Asked("GetItem", "jwt_profiles", frozenset({"tag", "*"})), id="a whole profile"),
        pytest.param(Asked("Scan", "jwt_profiles", frozenset({"tag"}), SPECIFIC), id="all profiles"),
        pytest.param(Asked("UpdateItem", "jwt_secrets", frozenset(WINDOWS)), id="a window, to write"),
        pytest.param(Asked("DeleteItem", "jwt_secrets", frozenset(WINDOWS)), id="a row, to delete"),
        pytest.param(Asked("PartiQLSelect", "jwt_secrets", frozenset(WINDOWS)), id="PartiQL"),
    ],
)
def test_the_role_refuses_all_else(statements: list[dict[str, Any]], asked: Asked) -> None:
    assert not any(allows(statement, asked) for statement in statements)


def test_no_column_with_a_value_is_among_the_attributes_whatever_the_columns_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    named = {"SecretTagColumn": "t", "StartTsColumn": "von", "EndTsColumn": "bis", "AlgColumn": "a", "KidColumn": "k"}

    role = properties(stack_of(sources(), **named), "EndingSecretsRole")

    (statement,) = (
        each
        for policy in role["Policies"]
        for each in policy["PolicyDocument"]["Statement"]
        if "dynamodb:Scan" in each["Action"]
    )
    attributes = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert attributes == ["t", "id", "von", "bis", "a", "k"]
    assert Columns().secret not in attributes

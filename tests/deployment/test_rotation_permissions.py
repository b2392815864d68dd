"""The rotation's role allows the calls that a rotation makes, on the rows it makes them on, and no others.

On paper, since moto makes no rotation schedule out of a template; the calls are those of the real handler.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient

from auth_jwt.provisioning import rotation
from tests.factories import HMAC_KEY
from tests.fakes import LambdaContext
from tests.integration.managed_secrets import TAG, a_begun_rotation, a_function, a_profile, a_secret, an_account
from tests.rotations import STEPS, row_of, the_app
from tools.events.stage import REGION, environment, load_handler
from tools.template.stack import Stack, properties, sources, stack_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Calls = set[tuple[str, str, str | None]]
"""Actions that IAM knows, what they were done to, and of a table the partition key."""

BY_LAMBDA_ITSELF = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
KEYS = {"jwt_profiles": "tag", "jwt_secrets": "corresponding_tag", "gone": "tag"}


@pytest.fixture(name="aws")
def _aws() -> "Iterator[DynamoDBClient]":
    with an_account() as client:
        yield client


def allowed(stack: Stack) -> Calls:
    """What the role may do, without its log."""
    role = properties(stack, "RotateSecretsRole")
    assert "ManagedPolicyArns" not in role
    (own,) = (policy for policy in role["Policies"] if policy["PolicyName"] == "RotateTheSecret")
    return {
        (action, statement["Resource"], bound_of(statement))
        for statement in own["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if action not in BY_LAMBDA_ITSELF
    }


def bound_of(statement: dict[str, Any]) -> str | None:
    """The one partition key of the rows that a statement is about."""
    if "Condition" not in statement:
        return None
    (key,) = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
    return str(key)


def asked_of_iam(service: str, operation: str, parameters: dict[str, Any], arn: str) -> Iterator[tuple[str, str, Any]]:
    """What IAM is asked for a call: of a transaction, each of its parts."""
    if service == "secretsmanager":
        assert parameters["SecretId"] == arn
        yield f"{service}:{operation}", "<RotatedSecret>", None
    elif operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            ((kind, part),) = item.items()
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield f"{service}:{action}", table(part["TableName"]), leading_key(part)
    else:
        yield f"{service}:{operation}", table(parameters["TableName"]), leading_key(parameters)


def leading_key(call: dict[str, Any]) -> str:
    """The partition key of the rows that a call is about."""
    name = KEYS[call["TableName"]]
    if "KeyConditionExpression" in call:
        column, equals, value = call["KeyConditionExpression"].split()
        assert (call["ExpressionAttributeNames"][column], equals) == (name, "=")
        return str(call["ExpressionAttributeValues"][value]["S"])
    return str({**call.get("Item", {}), **call.get("Key", {})}[name]["S"])


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:123456789012:table/{name}"


def test_the_role_allows_the_calls_that_are_made_and_no_others(
    aws: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rotations make every kind of call: the first finds the issuer's former secret and a row of long ago.

    All are about rows of that tag.
    """
    stack = stack_of(sources(), RotatedTag=TAG)
    app, handler = the_app(), load_handler("rotate_secrets")
    assert handler is not app.lambda_handler  # a module of its own, so nothing is wired yet
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0)
    a_profile(aws)
    item = {"corresponding_tag": TAG, "id": "1", "secret": HMAC_KEY}
    window = {"start_ts": {"N": "0"}, "end_ts": {"N": "9999999999"}}
    aws.put_item(TableName="jwt_secrets", Item={**{name: {"S": text} for name, text in item.items()}, **window})
    arn, function, calls = a_secret(), a_function(), Calls()
    window = {"start_ts": {"N": "0"}, "end_ts": {"N": "1"}}
    item = {"corresponding_tag": TAG, "id": row_of("long-ago", arn), "secret": HMAC_KEY}
    aws.put_item(TableName="jwt_secrets", Item={**{name: {"S": text} for name, text in item.items()}, **window})
    make = BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

    def recorded(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        calls.update(asked_of_iam(client.meta.service_model.signing_name, operation, parameters, arn))
        return make(client, operation, parameters)

    variables = properties(stack, "RotateSecretsFunction")["Environment"]["Variables"]
    account = {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for _ in range(2):
        version = a_begun_rotation(arn, function)
        with monkeypatch.context() as patch, environment({**variables, **account, "DYNAMODB_CLIENT": "boto3"}):
            patch.setattr(BaseClient, "_make_api_call", recorded)
            for step in STEPS:
                handler({"Step": step, "SecretId": arn, "ClientRequestToken": version}, LambdaContext())

    assert calls == allowed(stack)

"""The rotation's role allows the calls that a rotation makes, on what it makes them on, and no others.

On paper, since moto makes no rotation schedule out of a template; the calls are those of the real handler.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient

from events.stage import REGION, environment, load_handler
from tests.factories import HMAC_KEY
from tests.fakes import LambdaContext
from tests.integration.managed_secrets import TAG, a_begun_rotation, a_function, a_profile, a_secret, an_account
from tests.rotations import STEPS, the_app
from tests.template.stack import Stack, properties, sources, stack_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Calls = set[tuple[str, str]]
"""Actions that IAM knows, and what they were done to."""

BY_LAMBDA_ITSELF = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.fixture(name="aws")
def _aws() -> "Iterator[DynamoDBClient]":
    with an_account() as client:
        yield client


def allowed(stack: Stack) -> Calls:
    """What the role may do, without its log."""
    (own,) = (p for p in properties(stack, "RotateSecretsRole")["Policies"] if p["PolicyName"] == "RotateTheSecret")
    documents = [own["PolicyDocument"], properties(stack, "ReadTheTables")["PolicyDocument"]]
    return {
        (action, statement["Resource"])
        for document in documents
        for statement in document["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if action not in BY_LAMBDA_ITSELF
    }


def asked_of_iam(service: str, operation: str, parameters: dict[str, Any], arn: str) -> Iterator[tuple[str, str]]:
    """What IAM is asked for a call: of a transaction, each of its parts."""
    if service == "secretsmanager":
        assert parameters["SecretId"] == arn
        yield f"{service}:{operation}", "<RotatedSecret>"
    elif operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            ((kind, part),) = item.items()
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield f"{service}:{action}", table(part["TableName"])
    else:
        yield f"{service}:{operation}", table(parameters["TableName"])


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:123456789012:table/{name}"


def test_the_role_allows_the_calls_that_are_made_and_no_others(
    aws: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rotations, the first of which finds the issuer's former secret in the table, make every kind of call."""
    stack = stack_of(sources(), RotatedTag=TAG)
    app, handler = the_app(), load_handler("rotate_secrets")
    assert handler is not app.lambda_handler  # a module of its own, so nothing is wired yet
    monkeypatch.setattr(sys.modules["rotate_secrets_app"], "SETTLE_SECONDS", 0)
    a_profile(aws)
    item = {"corresponding_tag": TAG, "id": "1", "secret": HMAC_KEY}
    window = {"start_ts": {"N": "0"}, "end_ts": {"N": "9999999999"}}
    aws.put_item(TableName="jwt_secrets", Item={**{name: {"S": text} for name, text in item.items()}, **window})
    arn, function, calls = a_secret(), a_function(), set[tuple[str, str]]()
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

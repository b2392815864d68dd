"""Secrets Manager and DynamoDB in memory, with secrets that are rotated and rows that come of it.

moto plays Secrets Manager. Unlike AWS, it leaves `AWSPENDING` on a version that became current, and begins no further
rotation while it is there; `a_begun_rotation` does what AWS does by itself.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend

from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.versions import CURRENT, PENDING
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tests.factories import HMAC_KEY
from tests.rotations import RULES, the_app
from tools.events.stage import REGION, create_tables, environment, lambda_environment, template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

LAMBDA = {"lambda": {"use_docker": False}}
TAG = RULES.tag


@contextmanager
def an_account() -> "Iterator[DynamoDBClient]":
    """An account with the template's tables and the function's environment."""
    stack = template()
    variables = lambda_environment(stack, {"DYNAMODB_CLIENT": "boto3", "ROTATED_TAG": TAG}, "rotate_secrets")
    with environment(variables), mock_aws(config=LAMBDA):  # type: ignore[call-overload] # moto's types lag behind
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client, stack)
        _forget()
        yield client
        _forget()


def _forget() -> None:
    """Forget what was made in another account; before, too, since tests of the function alone leave theirs.

    The journal as well: its metrics would have the namespace of the environment in which it was first needed.
    """
    the_app().service.cache_clear()
    the_app().journal.cache_clear()
    manager.cache_clear()


@cache
def manager() -> "SecretsManagerClient":
    """A client of the account's owner, made once for a test: making one takes longer than most of what it is asked."""
    return boto3.client("secretsmanager", region_name=REGION)


def a_profile(client: "DynamoDBClient", tag: str = TAG) -> None:
    client.put_item(TableName="jwt_profiles", Item={"tag": {"S": tag}, "sip_username": {"S": "alice"}})


def a_secret(tag: str = TAG, **members: object) -> str:
    """A secret that Secrets Manager rotates, and nobody has rotated yet; its ARN."""
    text = json.dumps({"tag": tag, "secret": HMAC_KEY, **members})
    return manager().create_secret(Name=f"issuer-{uuid.uuid4()}", SecretString=text)["ARN"]


def a_function() -> str:
    """A function that Secrets Manager can be told of; its ARN."""
    iam, functions = boto3.client("iam"), boto3.client("lambda")
    trust = {"Version": "2012-10-17", "Statement": []}
    role = iam.create_role(RoleName=f"r-{uuid.uuid4()}", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    made = functions.create_function(
        FunctionName=f"f-{uuid.uuid4()}",
        Runtime="python3.13",
        Role=role,
        Handler="app.x",
        Code={"ZipFile": code.getvalue()},
    )
    return str(made["FunctionArn"])


def a_begun_rotation(arn: str, function: str) -> str:
    """Begin a rotation as RotateSecret does, up to its calls of the *function*; the version to be."""
    version = str(uuid.uuid4())
    for other, stages in manager().describe_secret(SecretId=arn)["VersionIdsToStages"].items():
        if {PENDING, CURRENT} <= set(stages):
            manager().update_secret_version_stage(SecretId=arn, VersionStage=PENDING, RemoveFromVersionId=other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LambdaSimpleBackend, "invoke", lambda *_, **__: b"")
        manager().rotate_secret(
            SecretId=arn,
            ClientRequestToken=version,
            RotationLambdaARN=function,
            RotationRules={"AutomaticallyAfterDays": 30},
        )
    return version


def stages_of(arn: str) -> dict[str, set[str]]:
    described = manager().describe_secret(SecretId=arn)["VersionIdsToStages"]
    return {version: set(stages) - {PENDING} for version, stages in described.items()}


def members_of(arn: str, stage: str = CURRENT) -> Any:
    """What a reader of the secret gets."""
    text = manager().get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
    return json.loads(text)


def rows_of(client: "DynamoDBClient", tag: str = TAG) -> dict[str, tuple[str, int, int]]:
    """The rows of a tag: value, start and end by `id`."""
    items = client.query(
        TableName="jwt_secrets",
        KeyConditionExpression="corresponding_tag = :tag",
        ExpressionAttributeValues={":tag": {"S": tag}},
    )["Items"]
    return {i["id"]["S"]: (i["secret"]["S"], int(i["start_ts"]["N"]), int(i["end_ts"]["N"])) for i in items}


def provisioning_in(client: "DynamoDBClient", clock: Callable[[], float]) -> Provisioning:
    """Provisioning over the tables, with nobody to read its audit."""
    return provisioning_of(Settings.from_env({}), client, actor="operator", audit=lambda _: None, clock=clock)

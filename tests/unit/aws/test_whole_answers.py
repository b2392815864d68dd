"""What a whole answer holds is known of every operation that is asked of DynamoDB and of Secrets Manager."""

import ast
import json
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from auth_jwt.aws.whole_answers import NoWholeAnswer, known_operations, says_its_cost, whole_answer

ROOT = Path(__file__).parents[3]
MODEL, *OTHERS = [botocore.session.Session().get_service_model(name) for name in ("dynamodb", "secretsmanager")]
OPERATIONS = {xform_name(name): name for model in (MODEL, *OTHERS) for name in model.operation_names}


def asked_in(folder: str) -> set[str]:
    """The operations that the code in a *folder* calls by a client's name for them."""
    return {
        OPERATIONS[node.attr]
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in OPERATIONS
        and ast.unparse(node.value).rpartition(".")[2] in ("client", "_client")
    }


def test_every_operation_that_is_asked_for_is_known() -> None:
    asked = asked_in("layers") | asked_in("functions") | asked_in("cli")

    assert {"GetItem", "Query", "Scan", "TransactWriteItems", "BatchGetItem", "DescribeTable"} <= asked
    assert {"GetSecretValue", "PutSecretValue"} <= asked
    assert asked <= known_operations()


def test_where_dynamodb_can_say_the_cost_it_is_asked_to() -> None:
    shapes = {name: MODEL.operation_model(name).input_shape for name in known_operations() & set(MODEL.operation_names)}
    can = {name for name, shape in shapes.items() if shape and "ReturnConsumedCapacity" in shape.members}

    assert can == {name for name in known_operations() if says_its_cost(name)}


WHOLE: dict[str, dict[str, object]] = {
    "GetItem": {"ConsumedCapacity": {}},
    "Query": {"ConsumedCapacity": {}, "Items": []},
    "Scan": {"ConsumedCapacity": {}, "Items": []},
    "BatchGetItem": {"ConsumedCapacity": [], "Responses": {}},
    "TransactWriteItems": {"ConsumedCapacity": []},
    "UpdateItem": {"ConsumedCapacity": {}},
    "DescribeTable": {"Table": {}},
    "DescribeContinuousBackups": {"ContinuousBackupsDescription": {}},
    "DescribeTimeToLive": {"TimeToLiveDescription": {}},
    "DescribeSecret": {"ARN": "arn"},
    "GetSecretValue": {"ARN": "arn", "VersionId": "1"},
    "PutSecretValue": {"ARN": "arn", "VersionId": "1"},
    "UpdateSecretVersionStage": {"ARN": "arn"},
}
"""The least that is answered: of DynamoDB, a table without rows, whose cost was asked for."""


@pytest.mark.parametrize("operation", sorted(known_operations()))
def test_an_answer_without_one_of_its_members_is_none(operation: str) -> None:
    whole = WHOLE[operation]
    assert whole_answer(operation, 200, json.dumps(whole).encode()) == whole

    for member in whole:
        for other in ({}, {member: None}, {member: 7}):
            half = {name: value for name, value in whole.items() if name != member} | other
            with pytest.raises(NoWholeAnswer):
                whole_answer(operation, 200, json.dumps(half).encode())

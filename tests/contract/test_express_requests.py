"""The express lane asks what boto3 asks, and tells what boto3 tells."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from auth_jwt.aws.client import Client
from auth_jwt.aws.connections import Connections
from auth_jwt.aws.express import ExpressClient
from auth_jwt.aws.failures import Refused
from auth_jwt.aws.signature import AwsCredentials
from auth_jwt.errors import Unreachable
from tests.contract.clients import REGION, a_client
from tests.contract.servers import NO_ROWS, a_server, an_answer, answering, costed, read_question

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_800_000_000
OF_BOTO3 = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "x-amzn-trace-id"}

GET_ITEM: Mapping[str, Any] = {
    "TableName": "profiles",
    "Key": {"größe": {"S": 'a "tag"\\ \u2028 \U0001f600 \x7f'}},
    "ProjectionExpression": "#c0, #c1",
    "ExpressionAttributeNames": {"#c0": "größe", "#c1": "b"},
    "ConsistentRead": True,
}
QUERY: Mapping[str, Any] = {
    "TableName": "secrets",
    "KeyConditionExpression": "#c0 = :tag",
    "ExpressionAttributeValues": {":tag": {"S": "alice"}},
    "ExpressionAttributeNames": {"#c0": "tag"},
    "ConsistentRead": False,
    "ExclusiveStartKey": {"tag": {"S": "alice"}, "id": {"S": "1"}},
}


@contextmanager
def a_recorder() -> Iterator[tuple[str, list[bytes]]]:
    """A server that finds nothing, whatever it is asked; its address and what it was asked."""
    questions: list[bytes] = []

    def talk(connection: socket.socket, _: int) -> None:
        while question := read_question(connection):
            questions.append(question)
            connection.sendall(an_answer(NO_ROWS))

    with a_server(talk) as endpoint:
        yield endpoint, questions


def parts_of(question: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = question.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    fields = (line.split(": ", 1) for line in lines)
    return first, {name.lower(): value for name, value in fields}, body


def an_express_client(endpoint: str, *, key: str = "testing") -> ExpressClient:
    connections = Connections(endpoint, wait_seconds=2, answer_seconds=4)
    return ExpressClient(lambda: AwsCredentials(key, "testing", "testing"), REGION, connections, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("operation", "arguments"), [("get_item", GET_ITEM), ("query", QUERY)], ids=["GetItem", "Query"]
)
def test_a_request_is_boto3s_but_for_what_it_says_of_itself(operation: str, arguments: Mapping[str, Any]) -> None:
    """Target, content type, body, signature: byte for byte."""
    with a_recorder() as (endpoint, questions):
        getattr(an_express_client(endpoint), operation)(**arguments)
        with mock.patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(NOW, UTC)):
            getattr(a_client("boto3", endpoint), operation)(**arguments)

    ours, boto3s = map(parts_of, questions)
    assert ours[0] == boto3s[0]
    assert ours[1].pop("user-agent")
    assert ours[1] == {name: value for name, value in boto3s[1].items() if name not in OF_BOTO3}
    assert ours[2] == boto3s[2]


def test_an_answer_is_boto3s_but_for_its_metadata(dynamodb: "DynamoDBClient", moto_endpoint: str) -> None:
    """All types of attribute values."""
    dynamodb.create_table(
        TableName="t",
        AttributeDefinitions=[{"AttributeName": "tag", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "tag", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(
        TableName="t",
        Item={
            "tag": {"S": "größe \U0001f600"},
            "N": {"N": "12.340000000000000000000000000000000001"},
            "B": {"B": b"\x00\xff"},
            "BS": {"BS": [b"a", b"\xfe"]},
            "more": {"M": {"B": {"B": b"x"}, "BS": {"L": [{"B": b"y"}, {"NULL": True}, {"BOOL": False}]}}},
            "SS": {"SS": ["B", "BS"]},
            "NS": {"NS": ["1", "2"]},
        },
    )
    key = {"Key": {"tag": {"S": "größe \U0001f600"}}}
    question: Mapping[str, Any] = {
        "KeyConditionExpression": "tag = :t",
        "ExpressionAttributeValues": {":t": key["Key"]["tag"]},
    }

    def answers(client: Client) -> list[dict[str, Any]]:
        given = [client.get_item(TableName="t", **key), client.query(TableName="t", **question)]
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in given]

    ours, boto3s = (answers(a_client(lane, moto_endpoint)) for lane in ("express", "boto3"))
    assert ours[0]["Item"]["B"] == {"B": b"\x00\xff"}
    assert ours == boto3s


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("400 Bad Request", b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}'),
        ("400 Bad Request", b'{"__type":"ThrottlingException"}'),
        ("400 Bad Request", b'{"__type":"x#AccessDeniedException:http://internal.amazon.com/coral/"}'),
        ("403 Forbidden", b'{"message":"no"}'),
        ("413 Too Large", b"<html>no</html>"),
        ("403 Forbidden", b"[]"),
        ("404 Not Found", b"\xff"),
        ("413 Too Large", b"[" * 100_000),
        ("429 Too Many Requests", b""),
        ("500 Internal Server Error", b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
        ("502 Bad Gateway", b"<html>no</html>"),
        ("503 Service Unavailable", b""),
        ("302 Found", b""),
    ],
)
def test_an_error_is_boto3s(status: str, body: bytes) -> None:
    """Status and code, from which the store takes what it means."""
    with answering(an_answer(body, status=status)) as endpoint:
        refusals = []
        for asked in ("express", "boto3"):
            with pytest.raises(Refused) as caught:
                a_client(asked, endpoint).get_item(**GET_ITEM)
            refusals.append((caught.value.status, caught.value.code))

    assert refusals[0] == refusals[1]
    assert refusals[0][0] == int(status[:3])


def test_a_code_that_is_no_word_is_not_repeated() -> None:
    """What is repeated ends in log lines, and something on the way may answer anything."""
    body = b'{"__type": "a secret that nobody should read"}'
    with (
        answering(an_answer(body, status="403 No")) as endpoint,
        pytest.raises(Refused) as caught,
    ):
        an_express_client(endpoint).get_item(**GET_ITEM)

    assert caught.value.code == "403"


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"Items": [{"x": {"B": "a"}}]}, id="no base64"),
        pytest.param({"Items": [{"x": {"BS": [{}]}}]}, id="no text"),
        pytest.param({"Items": {}}, id="no list of items"),
        pytest.param({"Items": [[]]}, id="a list for an item"),
        pytest.param({"Items": [{"x": "y"}]}, id="a value without a type"),
        pytest.param({"Items": [{"x": {"S": "y", "N": "1"}}]}, id="a value of two types"),
        pytest.param({}, id="no items"),
        pytest.param({"Items": [], "Item": 7}, id="a number for an item"),
        pytest.param({"Items": [], "LastEvaluatedKey": None}, id="no key to go on from"),
    ],
)
def test_a_whole_answer_that_is_not_dynamodbs_is_none(lane: str, members: dict[str, Any]) -> None:
    with answering(an_answer(costed(**members))) as endpoint, pytest.raises(Unreachable) as caught:
        a_client(lane, endpoint).query(**QUERY)

    assert caught.value.__context__ is None  # whose text might quote the answer

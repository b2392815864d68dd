"""One contract for every `RevocationsStore`: the fake may not differ from DynamoDB, whichever client asks it.

And what the DynamoDB store makes of a table that does not answer as it should: never that a token is not revoked.
"""

import socket
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import pytest

from auth_jwt.aws.client import Client
from auth_jwt.aws.dynamodb import DynamoDbRevocations
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import MAX_JTI_BYTES
from auth_jwt.ports import Deadline, RevocationsStore
from tests.contract.clients import LANES, a_client
from tests.contract.servers import a_dynamodb, a_server, an_answer, an_error, costed, read_question
from tests.fakes import MemoryStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Rows = list[dict[str, object]]
StoreOf = Callable[[Rows], RevocationsStore]


@cache
def the_client(lane: str, endpoint: str) -> Client:
    return a_client(lane, endpoint, seconds=30)


@pytest.fixture(name="store_of", params=["memory", *LANES])
def _store_of(request: pytest.FixtureRequest) -> StoreOf:
    if request.param == "memory":
        return lambda rows: MemoryStore(revocations=rows)
    tables: DynamoDBClient = request.getfixturevalue("dynamodb")
    client = the_client(request.param, request.getfixturevalue("moto_endpoint"))

    def store_of(rows: Rows) -> RevocationsStore:
        tables.create_table(
            TableName="revoked",
            AttributeDefinitions=[
                {"AttributeName": "tag", "AttributeType": "S"},
                {"AttributeName": "jti", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "tag", "KeyType": "HASH"}, {"AttributeName": "jti", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for row in rows:
            item = {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in row.items()}
            tables.put_item(TableName="revoked", Item=item)
        return DynamoDbRevocations(lambda: client, table="revoked")

    return store_of


def is_revoked(store: RevocationsStore, tag: str = "alice", jti: str = "1") -> bool:
    return store.is_revoked(tag, jti, deadline=Deadline(30))


def test_in_an_empty_table_nothing_is_revoked(store_of: StoreOf) -> None:
    assert is_revoked(store_of([])) is False


@pytest.mark.matrix
@pytest.mark.parametrize(
    "more",
    [{}, {"expires_at": 4_102_444_800}, {"expires_at": 1}, {"expires_at": "never"}, {"why": "lost", "#c0": ":tag"}],
    ids=["its key alone", "for years", "until 1970", "for ever", "other columns"],
)
def test_a_row_revokes_its_token_whatever_else_it_holds(store_of: StoreOf, more: dict[str, object]) -> None:
    assert is_revoked(store_of([{"tag": "alice", "jti": "1", **more}])) is True


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("tag", "jti"),
    [
        ("alice", "2"),
        ("bob", "1"),
        ("Alice", "1"),
        ("alice ", "1"),
        ("alice", "1 "),
        ("1", "alice"),
        ("alice", "\u0661"),
    ],
)
def test_tag_and_id_are_compared_exactly(store_of: StoreOf, tag: str, jti: str) -> None:
    store = store_of([{"tag": "alice", "jti": "1"}])

    assert is_revoked(store, tag, jti) is False


@pytest.mark.matrix
@pytest.mark.parametrize(
    "jti",
    [
        pytest.param("x" * MAX_JTI_BYTES, id="as long as may be"),
        pytest.param("€" * (MAX_JTI_BYTES // 3), id="in another script"),
        pytest.param("'; DROP --", id="SQL"),
        pytest.param("#c0", id="a placeholder"),
        pytest.param(":v", id="another"),
        pytest.param(' "\\\x01\u2028\U0001f600', id="what JSON escapes"),
    ],
)
def test_an_id_is_only_ever_a_value(store_of: StoreOf, jti: str) -> None:
    store = store_of([{"tag": "alice", "jti": jti}])

    assert is_revoked(store, jti=jti) is True
    assert is_revoked(store, jti=jti[:-1]) is False


def test_a_longer_id_could_not_be_in_the_table(dynamodb: "DynamoDBClient") -> None:
    """DynamoDB has its limit where we have ours."""
    dynamodb.create_table(
        TableName="revoked",
        AttributeDefinitions=[
            {"AttributeName": "tag", "AttributeType": "S"},
            {"AttributeName": "jti", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "tag", "KeyType": "HASH"}, {"AttributeName": "jti", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="revoked", Item={"tag": {"S": "alice"}, "jti": {"S": "x" * MAX_JTI_BYTES}})

    with pytest.raises(dynamodb.exceptions.ClientError, match="1024"):
        dynamodb.put_item(TableName="revoked", Item={"tag": {"S": "alice"}, "jti": {"S": "x" * (MAX_JTI_BYTES + 1)}})


def test_the_question_is_for_the_key_alone_and_strongly_consistent() -> None:
    """A revocation works at once for whoever is not remembered, and no column beside the key leaves the table."""
    asked: list[dict[str, object]] = []

    class Recorder:
        def get_item(self, **question: object) -> dict[str, object]:
            asked.append(question)
            return {}

        def query(self, **_: object) -> dict[str, object]:
            raise AssertionError("its key is known")

    is_revoked(DynamoDbRevocations(Recorder, table="revoked"))

    assert asked == [
        {
            "TableName": "revoked",
            "Key": {"tag": {"S": "alice"}, "jti": {"S": "1"}},
            "ProjectionExpression": "#c0, #c1",
            "ExpressionAttributeNames": {"#c0": "tag", "#c1": "jti"},
            "ConsistentRead": True,
        }
    ]


# --- Failing closed ---------------------------------------------------------------------------------------------------


NOT_LISTED = (200, costed())


def failure_of(lane: str, endpoint: str, *, seconds: float = 5) -> Fault:
    client = a_client(lane, endpoint, seconds=seconds)
    with pytest.raises(Fault) as caught:
        DynamoDbRevocations(lambda: client, table="revoked").is_revoked("alice", "1", deadline=Deadline(seconds))
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ResourceNotFoundException", Fault),
        (400, "AccessDeniedException", Fault),
        (400, "ValidationException", Fault),
        (400, "ProvisionedThroughputExceededException", Throttled),
        (500, "InternalServerError", Unreachable),
    ],
)
def test_an_error_is_a_fault_of_its_kind_that_names_table_and_call(
    lane: str, status: int, code: str, kind: type[Fault]
) -> None:
    with a_dynamodb(an_error(status, code)) as endpoint:
        failure = failure_of(lane, endpoint)

    assert type(failure) is kind
    assert "dynamodb:GetItem on table 'revoked'" in str(failure)
    assert code in str(failure)


@pytest.mark.matrix
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(an_answer(b"<html>Hello</html>", headers="Content-Type: text/html\r\n"), id="a page"),
        pytest.param(an_answer(b"", headers="Content-Type: text/html\r\n"), id="an empty page"),
        pytest.param(an_answer(b"", status="204 No Content"), id="no content"),
        pytest.param(an_answer(b"{}"), id="what does not say what it cost"),
        pytest.param(an_answer(b""), id="nothing at all"),
        pytest.param(an_answer(b'{"Item": '), id="half an answer"),
    ],
)
def test_what_is_no_answer_of_dynamodbs_is_an_outage_and_no_empty_table(lane: str, answer: bytes) -> None:
    """Taken for a table without the row, it would let revoked tokens in."""

    def talk(connection: socket.socket, _: int) -> None:
        while read_question(connection):
            connection.sendall(answer)

    with a_server(talk) as endpoint:
        failure = failure_of(lane, endpoint)

    assert type(failure) is Unreachable
    assert "dynamodb:GetItem on table 'revoked'" in str(failure)


def test_a_table_that_takes_too_long_is_an_outage_when_the_time_is_over(lane: str) -> None:
    ended = threading.Event()

    def slowly(_operation: str) -> tuple[int, bytes]:
        ended.wait(30)
        return NOT_LISTED

    with a_dynamodb(slowly) as endpoint:
        started = time.monotonic()
        failure = failure_of(lane, endpoint, seconds=0.2)

        assert time.monotonic() - started < 10
        ended.set()
    assert type(failure) is Unreachable


def test_what_the_other_tables_took_is_gone(lane: str) -> None:
    """The deadline is the request's, not the table's."""
    answered = threading.Event()

    def later(_operation: str) -> tuple[int, bytes]:
        answered.wait(30)
        return NOT_LISTED

    with a_dynamodb(later) as endpoint:
        client = a_client(lane, endpoint, seconds=30)
        now = iter([0.0, *[0.95] * 100])
        deadline = Deadline(1, lambda: next(now))
        deadline.seconds_left()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            DynamoDbRevocations(lambda: client, table="revoked").is_revoked("alice", "1", deadline=deadline)

        assert time.monotonic() - started < 10
        answered.set()


def test_one_bad_moment_is_got_over(lane: str) -> None:
    asked: list[str] = []

    def first_fails(operation: str) -> tuple[int, bytes]:
        asked.append(operation)
        return an_error(500, "InternalServerError")(operation) if len(asked) == 1 else NOT_LISTED

    with a_dynamodb(first_fails) as endpoint:
        client = a_client(lane, endpoint)
        store = DynamoDbRevocations(lambda: client, table="revoked")

        assert store.is_revoked("alice", "1", deadline=Deadline(5)) is False
    assert asked == ["GetItem", "GetItem"]

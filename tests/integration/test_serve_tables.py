"""What `make serve` has for DynamoDB keeps every write that it has confirmed, however many write at a time."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tools.events.stage import REGION, template
from tools.serve.tables import in_memory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Work = Callable[["DynamoDBClient", int], Any]
Together = Callable[[Work], list[Any]]

WRITERS, TURNS = 8, 25
ROWS = 500
PROFILES, SECRETS = "jwt_profiles", "jwt_secrets"


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    """Of tables that hold some rows: so a transaction takes its time, and others come between."""
    with in_memory(template()) as endpoint:
        client = client_of(endpoint)
        for first in range(0, ROWS, 25):
            rows: Any = [{"PutRequest": {"Item": profile(f"row-{first + number}")}} for number in range(25)]
            client.batch_write_item(RequestItems={PROFILES: rows})
        yield endpoint


def client_of(endpoint: str) -> "DynamoDBClient":
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture(name="together", scope="module")
def _together(endpoint: str) -> Together:
    """Does work in so many threads at once, each with a client of its own and its number; returns what each gave."""
    clients = [client_of(endpoint) for _ in range(WRITERS)]  # boto3 makes them one at a time

    def together(work: Work) -> list[Any]:
        with ThreadPoolExecutor(WRITERS) as writers:
            return list(writers.map(work, clients, range(WRITERS)))

    return together


@pytest.fixture(name="_in_between", autouse=True)
def _in_between_fixture() -> Iterator[None]:
    """Python's threads take turns often: so another comes between, wherever it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


def profile(tag: str, **numbers: int) -> dict[str, Any]:
    row = {"tag": {"S": tag}, "sip_username": {"S": tag}}
    return row | {name: {"N": str(number)} for name, number in numbers.items()}


def put(table: str, item: dict[str, Any]) -> Any:
    return {"Put": {"TableName": table, "Item": item}}


def never(tag: str) -> Any:
    """A condition that no transaction meets."""
    return {
        "ConditionCheck": {
            "TableName": PROFILES,
            "Key": {"tag": {"S": tag}},
            "ConditionExpression": "attribute_exists(nothing)",
        }
    }


def is_refused(code: str, write: Callable[..., Any], **given: Any) -> bool:
    """Write; tell whether DynamoDB refused it for that reason."""
    try:
        write(**given)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return True
    return False


def is_cancelled(client: "DynamoDBClient", *parts: Any) -> bool:
    return is_refused("TransactionCanceledException", client.transact_write_items, TransactItems=parts)


def test_what_others_write_outlives_a_transaction_that_is_cancelled(together: Together, endpoint: str) -> None:
    """A cancelled transaction takes back its own writes, and no other's."""

    def work(client: "DynamoDBClient", number: int) -> None:
        for turn in range(TURNS):
            tag = f"kept-{number}-{turn}"
            if number % 2:
                assert is_cancelled(client, put(PROFILES, profile(f"lost-{number}-{turn}")), never(tag))
            elif turn % 2:
                client.put_item(TableName=PROFILES, Item=profile(tag))
            else:
                client.transact_write_items(TransactItems=[put(PROFILES, profile(tag))])

    together(work)

    tags = {row["tag"]["S"] for row in all_rows(endpoint, PROFILES)}
    assert {f"kept-{number}-{turn}" for number in range(0, WRITERS, 2) for turn in range(TURNS)} <= tags
    assert not any(tag.startswith("lost-") for tag in tags)


def test_every_addition_to_one_row_counts(together: Together, endpoint: str) -> None:
    """By updates and by transactions, half of which are cancelled."""
    change: Any = {
        "TableName": PROFILES,
        "Key": {"tag": {"S": "counter"}},
        "UpdateExpression": "ADD times_seen :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }

    def work(client: "DynamoDBClient", number: int) -> int:
        for turn in range(TURNS):
            if number % 2 == 0:
                client.update_item(**change)
            elif turn % 2:
                client.transact_write_items(TransactItems=[{"Update": change}])
            else:
                assert is_cancelled(client, {"Update": change}, never("counter-of-nothing"))
        return TURNS if number % 2 == 0 else TURNS // 2

    added = sum(together(work))

    row = client_of(endpoint).get_item(TableName=PROFILES, Key={"tag": {"S": "counter"}})["Item"]
    assert row["times_seen"] == {"N": str(added)}


@pytest.mark.parametrize("by", ["put", "transaction"])
def test_of_those_who_create_the_same_row_one_succeeds(together: Together, by: str) -> None:
    def work(client: "DynamoDBClient", number: int) -> list[bool]:
        return [creates(client, f"once-{by}-{turn}", number) for turn in range(TURNS)]

    def creates(client: "DynamoDBClient", tag: str, number: int) -> bool:
        new: Any = {
            "TableName": PROFILES,
            "Item": profile(tag, number=number),
            "ConditionExpression": "attribute_not_exists(tag)",
        }
        if by == "transaction":
            return not is_cancelled(client, {"Put": new})
        return not is_refused("ConditionalCheckFailedException", client.put_item, **new)

    created = together(work)

    assert [sum(of_turn) for of_turn in zip(*created, strict=True)] == [1] * TURNS


def test_no_reader_sees_half_a_transaction(together: Together, endpoint: str) -> None:
    names = ("half-a", "half-b")
    gets: Any = [{"Get": {"TableName": PROFILES, "Key": {"tag": {"S": name}}}} for name in names]

    def write(client: "DynamoDBClient", turn: int) -> None:
        client.transact_write_items(TransactItems=[put(PROFILES, profile(name, turn=turn)) for name in names])

    def work(client: "DynamoDBClient", number: int) -> None:
        for turn in range(TURNS):
            if number % 2:
                write(client, number * TURNS + turn)
            else:
                seen = [one["Item"]["turn"]["N"] for one in client.transact_get_items(TransactItems=gets)["Responses"]]
                assert len(set(seen)) == 1

    write(client_of(endpoint), 0)
    together(work)


def all_rows(endpoint: str, table: str) -> list[dict[str, Any]]:
    pages = client_of(endpoint).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [row for page in pages for row in page["Items"]]

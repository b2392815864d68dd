"""The proxy does what its faults say, to the requests that they are about, and to no other."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from tests.certificates import Authority
from tests.faults.injected import (
    API_ERRORS,
    CONNECTION_FAULTS,
    FAULTS,
    HARMLESS,
    NO_TLS,
    ConnectionFault,
    InjectedFault,
    wrong_identities,
)
from tests.faults.proxy import AskedTables, FaultProxy, Where, a_fault_proxy
from tests.moto_server import forget_all

KEY = {"name": {"S": "a"}}
ROW = {**KEY, "n": {"N": "1"}}


def a_client(url: str, *, seconds: float = 20, attempts: int = 1, verify: str | None = None) -> Any:
    config = Config(retries={"total_max_attempts": attempts}, read_timeout=seconds, connect_timeout=seconds)
    return boto3.client("dynamodb", endpoint_url=url, config=config, verify=verify)


@pytest.fixture(name="tables")
def _tables(moto_endpoint: str) -> Iterator[Any]:
    """A client that goes around the proxy, and two tables of one column."""
    client = a_client(moto_endpoint)
    for table in ("one", "other"):
        client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    yield client
    forget_all(moto_endpoint)


def is_answered(client: Any, table: str = "one") -> bool:
    """Whether a read of a table gets an answer."""
    try:
        client.get_item(TableName=table, Key=KEY)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return False
    return True


def has_row(tables: Any, table: str = "one") -> bool:
    return "Item" in tables.get_item(TableName=table, Key=KEY)


def test_without_a_fault_it_changes_nothing(proxy: FaultProxy, tables: Any) -> None:
    client = a_client(proxy.url)
    client.put_item(TableName="one", Item=ROW)

    assert client.get_item(TableName="one", Key=KEY)["Item"] == ROW
    assert [asked.operation for asked in proxy.asked] == ["PutItem", "GetItem"]
    assert client.get_item(TableName="one", Key=KEY)["ResponseMetadata"]["HTTPHeaders"]["x-amz-crc32"]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="third", Key=KEY)


def test_a_fault_is_about_the_requests_that_it_names(proxy: FaultProxy, tables: Any) -> None:
    client = a_client(proxy.url)

    with proxy.failing(API_ERRORS["InternalServerError"], Where(table="one", operation="GetItem")) as failing:
        assert [is_answered(client), is_answered(client, "other")] == [False, True]
        client.put_item(TableName="one", Item=ROW)
        assert failing.hits == 1
    assert is_answered(client)
    assert list(proxy.asked) == [
        AskedTables("GetItem", ("one",), "InternalServerError"),
        AskedTables("GetItem", ("other",)),
        AskedTables("PutItem", ("one",)),
        AskedTables("GetItem", ("one",)),
    ]


def test_it_finds_the_tables_of_a_transaction_and_of_a_batch(proxy: FaultProxy, tables: Any) -> None:
    client = a_client(proxy.url)
    client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "one", "Item": ROW}},
            {
                "ConditionCheck": {
                    "TableName": "other",
                    "Key": KEY,
                    "ConditionExpression": "attribute_not_exists(#n)",
                    "ExpressionAttributeNames": {"#n": "name"},
                }
            },
        ]
    )
    client.batch_get_item(RequestItems={"other": {"Keys": [KEY]}, "one": {"Keys": [KEY]}})

    assert [asked.tables for asked in proxy.asked] == [("one", "other"), ("one", "other")]


def test_it_begins_late_and_ends_by_itself(proxy: FaultProxy, tables: Any) -> None:
    client = a_client(proxy.url)

    with proxy.failing(API_ERRORS["ServiceUnavailable"], Where(skip=1, times=2)) as failing:
        answered = [is_answered(client) for _ in range(4)]

    assert answered == [True, False, False, True]
    assert failing.hits == 2


@pytest.mark.parametrize("fault", [FAULTS["garbage"], FAULTS["reset"], FAULTS["silence"]], ids=str)
def test_the_answer_is_lost_after_the_write_or_the_request_before_it(
    proxy: FaultProxy, tables: Any, fault: InjectedFault
) -> None:
    client = a_client(proxy.url, seconds=1 if fault.is_silent else 20)
    with proxy.failing(fault.before_the_tables()), pytest.raises(botocore.exceptions.BotoCoreError):
        client.delete_table(TableName="one")
    assert tables.describe_table(TableName="one")["Table"]["TableName"] == "one"

    with proxy.failing(fault), pytest.raises(botocore.exceptions.BotoCoreError):
        client.delete_table(TableName="one")
    assert tables.list_tables()["TableNames"] == ["other"]


@pytest.mark.parametrize("fault", HARMLESS.values(), ids=str)
def test_a_harmless_fault_leaves_a_whole_answer(proxy: FaultProxy, tables: Any, fault: InjectedFault) -> None:
    client = a_client(proxy.url, attempts=2)  # a connection may be reset when the next request is on its way
    tables.put_item(TableName="one", Item=ROW)

    with proxy.failing(fault) as failing:
        assert client.get_item(TableName="one", Key=KEY)["Item"] == ROW
        assert client.get_item(TableName="one", Key=KEY)["Item"] == ROW

    assert failing.hits >= 2


@pytest.mark.parametrize("fault", CONNECTION_FAULTS.values(), ids=str)
def test_a_fault_of_connections_is_about_those_that_are_open_too(
    proxy: FaultProxy, tables: Any, fault: ConnectionFault
) -> None:
    client = a_client(proxy.url, seconds=1.5 if fault.is_silent else 20)
    assert is_answered(client)

    with proxy.failing(fault):
        assert not is_answered(client)

    assert is_answered(client)


def test_nobody_listens_where_connections_are_refused(proxy: FaultProxy) -> None:
    port = int(proxy.url.rpartition(":")[2])

    with proxy.failing(CONNECTION_FAULTS["refused"]), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5).close()

    socket.create_connection(("127.0.0.1", port), 5).close()


def test_two_refusals_end_with_the_later_one(proxy: FaultProxy, tables: Any) -> None:
    client = a_client(proxy.url)
    first, second = (proxy.begin(CONNECTION_FAULTS["refused"]) for _ in range(2))

    proxy.end(first)
    assert not is_answered(client)
    proxy.end(second)
    assert is_answered(client)


def test_with_an_identity_it_speaks_tls_and_may_pretend_to_be_another(
    moto_endpoint: str, tables: Any, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ours")
    others = wrong_identities(authority, Authority(tmp_path / "unknown"))
    with a_fault_proxy(moto_endpoint, identity=authority.identity()) as proxy:
        client = a_client(proxy.url, seconds=1.5, verify=str(authority.certificate))
        for fault in [*NO_TLS.values(), *others.values(), *CONNECTION_FAULTS.values()]:
            assert is_answered(client), fault
            with proxy.failing(fault):
                assert not is_answered(client), fault
        assert is_answered(client)


def test_it_may_have_no_tables_behind_it() -> None:
    def answer(question: bytes) -> bytes:
        body = json.dumps({"Table": {"TableName": json.loads(question.partition(b"\r\n\r\n")[2])["TableName"]}})
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body.encode())

    with a_fault_proxy(answer) as proxy:
        assert a_client(proxy.url).describe_table(TableName="one")["Table"] == {"TableName": "one"}

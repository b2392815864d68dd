"""What the DynamoDB store makes of everything that DynamoDB and the network may answer instead of rows.

A server on this machine plays DynamoDB's part, so each client's own parsing, time-outs and retries are in play.
"""

import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final

import pytest

from auth_jwt.aws.client import dynamodb_client
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import Columns, Half, Profile
from auth_jwt.ports import Deadline, HalfRead
from tests.contract.clients import a_client
from tests.contract.servers import (
    NO_ROWS,
    a_dynamodb,
    a_server,
    an_answer,
    an_error,
    answering,
    costed,
    read_question,
    rows,
)
from tests.faults.injected import AT_ONCE, SILENT
from tests.faults.proxy import a_faulty_dynamodb

A_KEY: Final[dict[str, Any]] = {"TableName": "t", "Key": {"tag": {"S": "alice"}}}


def a_store(lane: str, endpoint: str, *, seconds: float = 5) -> DynamoDbStore:
    client = a_client(lane, endpoint, seconds=seconds)
    return DynamoDbStore(lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns())


def failure_of(store: DynamoDbStore, *, seconds: float = 5) -> Fault:
    """What a read fails of, as a whole or by half."""
    try:
        store.read("alice", consistent=False, deadline=Deadline(seconds))
    except HalfRead as half:
        return half.failure
    except Fault as failure:
        return failure
    pytest.fail("nothing failed")


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "KMSThrottlingException",
    ],
)
def test_throttling_is_an_outage_of_the_tag(lane: str, code: str) -> None:
    with a_dynamodb(an_error(400, code)) as endpoint:
        failure = failure_of(a_store(lane, endpoint))

    assert type(failure) is Throttled
    assert code in str(failure)


@pytest.mark.parametrize(("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable")])
def test_an_error_on_the_side_of_dynamodb_is_an_outage(lane: str, status: int, code: str) -> None:
    with a_dynamodb(an_error(status, code)) as endpoint:
        assert type(failure_of(a_store(lane, endpoint))) is Unreachable


@pytest.mark.parametrize(
    ("status", "kind"), [(429, Throttled), (408, Unreachable), (299, Unreachable), (300, Fault), (499, Fault)]
)
def test_a_status_says_it_too(lane: str, status: int, kind: type[Fault]) -> None:
    with a_dynamodb(lambda _operation: (status, b"")) as endpoint:
        assert type(failure_of(a_store(lane, endpoint))) is kind


def test_throttling_is_told_from_silence_within_a_short_time(lane: str) -> None:
    """The SDK's own pauses between attempts would outlast the time there is."""
    with a_dynamodb(an_error(400, "ThrottlingException")) as endpoint:
        assert type(failure_of(a_store(lane, endpoint, seconds=0.4), seconds=0.4)) is Throttled


def test_an_error_page_of_something_in_between_is_an_outage(lane: str) -> None:
    with a_dynamodb(lambda _operation: (502, b"<html>Bad Gateway</html>")) as endpoint:
        assert type(failure_of(a_store(lane, endpoint))) is Unreachable


@pytest.mark.parametrize(
    "code",
    ["ResourceNotFoundException", "AccessDeniedException", "ValidationException", "UnrecognizedClientException",
     "ExpiredTokenException"],
)  # fmt: skip
def test_what_only_an_operator_can_mend_is_a_fault_that_says_which_table_and_call(lane: str, code: str) -> None:
    with a_dynamodb(an_error(400, code)) as endpoint:
        failure = failure_of(a_store(lane, endpoint))

    assert type(failure) is Fault
    assert code in str(failure)
    assert "'profiles'" in str(failure)
    assert "dynamodb:GetItem" in str(failure)


@pytest.mark.matrix
@pytest.mark.parametrize("operation", ["GetItem", "Query"])
@pytest.mark.parametrize("fault", AT_ONCE)
def test_what_is_no_whole_answer_is_an_outage_and_no_empty_table(lane: str, fault: str, operation: str) -> None:
    """Taken for a table without the row, it would refuse every user, though their other rows are read."""
    with a_faulty_dynamodb(AT_ONCE[fault], operation=operation) as endpoint:
        failure = failure_of(a_store(lane, endpoint))

    assert type(failure) is Unreachable
    assert f"dynamodb:{operation} on table" in str(failure)


@pytest.mark.matrix
@pytest.mark.parametrize("operation", ["GetItem", "Query"])
@pytest.mark.parametrize("fault", SILENT)
def test_who_waits_for_an_answer_waits_until_the_time_is_over(lane: str, fault: str, operation: str) -> None:
    with a_faulty_dynamodb(SILENT[fault], operation=operation) as endpoint:
        begun = time.monotonic()
        failure = failure_of(a_store(lane, endpoint, seconds=0.5), seconds=0.5)

        assert 0.4 < time.monotonic() - begun < 10
    assert type(failure) is Unreachable


@pytest.mark.matrix
@pytest.mark.parametrize("fault", AT_ONCE)
def test_one_such_moment_is_got_over(lane: str, fault: str) -> None:
    with a_faulty_dynamodb(AT_ONCE[fault], operation="Query", times=1) as endpoint:
        rows_read = a_store(lane, endpoint).read("alice", consistent=False, deadline=Deadline(5))

    assert rows_read.secrets == ()


@pytest.mark.parametrize("garbage", [b"", b"\x16\x03\x01", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\0\2\2("])
def test_what_is_no_tls_is_an_outage(lane: str, garbage: bytes) -> None:
    def talk(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        connection.sendall(garbage)

    with a_server(talk) as endpoint:
        assert type(failure_of(a_store(lane, endpoint.replace("http:", "https:")))) is Unreachable


def test_a_connection_that_is_closed_as_soon_as_it_is_made_is_an_outage(lane: str) -> None:
    with a_server(lambda *_: None) as endpoint:
        assert type(failure_of(a_store(lane, endpoint))) is Unreachable


def test_a_right_sum_is_right(lane: str) -> None:
    """Over the bytes as they are sent."""
    answer = an_answer(NO_ROWS, headers=f"x-amz-crc32: {zlib.crc32(NO_ROWS)}\r\n")
    with answering(answer) as endpoint:
        assert a_store(lane, endpoint).read("alice", consistent=False, deadline=Deadline(5)).secrets == ()


CAPACITY = {"TableName": "a table", "CapacityUnits": 0.5}
ROWS = {
    "GetItem": {"Item": {"tag": {"S": "alice"}, "sip_username": {"S": "a"}}, "ConsumedCapacity": CAPACITY},
    "Query": {
        "Items": [{"corresponding_tag": {"S": "alice"}, "id": {"S": "1"}}],
        "Count": 1,
        "ScannedCount": 1,
        "ConsumedCapacity": CAPACITY,
    },
}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "AccessDeniedException", Fault),
        (500, "InternalServerError", Unreachable),
        (400, "ThrottlingException", Throttled),
    ],
)
@pytest.mark.parametrize(
    ("failing", "half"),
    [pytest.param("GetItem", Half.SECRETS, id="no profile"), pytest.param("Query", Half.PROFILE, id="no secrets")],
)
def test_what_one_table_answered_counts_though_the_other_failed(
    lane: str, failing: str, half: Half, status: int, code: str, kind: type[Fault]
) -> None:
    """A user disabled in the one is not served from memory because of the other."""

    def answer(operation: str) -> tuple[int, bytes]:
        if operation == failing:
            return an_error(status, code)(operation)
        return 200, costed(**ROWS[operation])

    with a_dynamodb(answer) as endpoint, pytest.raises(HalfRead) as caught:
        a_store(lane, endpoint).read("alice", consistent=False, deadline=Deadline(5))

    assert caught.value.half is half
    assert (caught.value.rows.profile == Profile("a")) is (half is Half.PROFILE)
    assert [secret.id for secret in caught.value.rows.secrets] == (["1"] if half is Half.SECRETS else [])
    assert type(caught.value.failure) is kind
    assert f"dynamodb:{failing}" in str(caught.value.failure)


def test_what_only_an_operator_can_mend_is_told_before_an_outage_of_the_other_table(lane: str) -> None:
    """Else rows would be served that no outage allows."""

    def answer(operation: str) -> tuple[int, bytes]:
        if operation == "GetItem":
            return an_error(500, "InternalServerError")(operation)
        return an_error(400, "AccessDeniedException")(operation)

    with a_dynamodb(answer) as endpoint:
        failure = failure_of(a_store(lane, endpoint))

    assert type(failure) is Fault
    assert "dynamodb:Query" in str(failure)


def test_one_bad_moment_is_got_over(lane: str) -> None:
    """The SDK tries once more, within the time there is."""
    seen: dict[str, int] = {}

    def first_fails(operation: str) -> tuple[int, bytes]:
        seen[operation] = seen.get(operation, 0) + 1
        return an_error(500, "InternalServerError")(operation) if seen[operation] == 1 else rows(operation)

    with a_dynamodb(first_fails) as endpoint:
        a_store(lane, endpoint).read("alice", consistent=False, deadline=Deadline(5))

    assert seen == {"GetItem": 2, "Query": 2}


def test_an_answer_may_take_most_of_the_time_there_is(lane: str) -> None:
    """There is no second attempt to save time for: the first is as good as any."""

    def late(operation: str) -> tuple[int, bytes]:
        time.sleep(2.4)
        return rows(operation)

    with a_dynamodb(late) as endpoint:
        rows_read = a_store(lane, endpoint, seconds=4).read("alice", consistent=False, deadline=Deadline(4))

    assert rows_read.secrets == ()


def test_connecting_may_take_all_the_time_there_is(lane: str) -> None:
    """As a handshake does that waits for a packet that got lost."""
    with a_server(lambda *_: time.sleep(30)) as endpoint:
        client = a_client(lane, endpoint.replace("http:", "https:"), seconds=1)
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            client.get_item(**A_KEY)

        assert 0.9 < time.monotonic() - begun < 10


def test_a_second_attempt_is_made_only_where_it_can_end_in_time(lane: str) -> None:
    asked: list[str] = []

    def late(operation: str) -> tuple[int, bytes]:
        asked.append(operation)
        time.sleep(0.9)
        return an_error(500, "InternalServerError")(operation)

    with a_dynamodb(late) as endpoint:
        failure = failure_of(a_store(lane, endpoint, seconds=1), seconds=1)
        time.sleep(0.3)

    assert type(failure) is Unreachable
    assert sorted(asked) == ["GetItem", "Query"]


def test_readers_that_were_given_up_leave_room_for_others_when_their_own_time_is_over(lane: str) -> None:
    """Sixteen at once is what there may be, and each of these requests gives up two."""
    with a_faulty_dynamodb(SILENT["silence"], times=16) as endpoint:
        store = a_store(lane, endpoint, seconds=1)
        with ThreadPoolExecutor(8) as threads:
            failures = list(threads.map(lambda _: failure_of(store, seconds=0.3), range(8)))
        begun = time.monotonic()

        assert store.read("alice", consistent=False, deadline=Deadline(10)).secrets == ()
        assert time.monotonic() - begun < 5
    assert {type(failure) for failure in failures} == {Unreachable}


class TestKeptConnections:
    """On both lanes."""

    @staticmethod
    def counted(numbers: list[int]) -> AbstractContextManager[str]:
        """A server that notes the number of the connection by which it is asked."""

        def talk(connection: socket.socket, number: int) -> None:
            while read_question(connection):
                numbers.append(number)
                connection.sendall(an_answer(NO_ROWS))

        return a_server(talk)

    @pytest.mark.parametrize(("pause", "connections"), [(0, [0, 0]), (0.5, [0, 1])], ids=["at once", "later"])
    def test_one_that_stood_idle_is_not_trusted(
        self, lane: str, pause: float, connections: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever stands between may have forgotten it, and would cost all the time there is."""
        monkeypatch.setattr("auth_jwt.aws.connections.MAX_IDLE_SECONDS", 0.4 if pause else 60)
        numbers: list[int] = []
        with self.counted(numbers) as endpoint:
            client = a_client(lane, endpoint)
            client.get_item(**A_KEY)
            time.sleep(pause)
            client.get_item(**A_KEY)

        assert numbers == connections

    def test_after_one_that_fell_silent_no_other_is_trusted(self, lane: str) -> None:
        """As after a change in the network: all of them are dead, and each would cost all the time there is."""
        both = threading.Barrier(2)

        def talk(connection: socket.socket, number: int) -> None:
            read_question(connection)
            if number < 2:
                both.wait(5)
            else:
                time.sleep(0.5)  # so that the two questions at the end come by two connections
            connection.sendall(an_answer(NO_ROWS))
            read_question(connection)
            time.sleep(30)

        with a_server(talk) as endpoint, ThreadPoolExecutor(2) as threads:
            client = a_client(lane, endpoint, seconds=3)
            list(threads.map(lambda _: client.get_item(**A_KEY), range(2)))
            with pytest.raises(Unreachable):
                client.get_item(**A_KEY)

            assert ["Item" in answer for answer in threads.map(lambda _: client.get_item(**A_KEY), range(2))] == [
                False,
                False,
            ]


def test_a_server_that_takes_too_long_is_an_outage_when_the_time_is_over(lane: str) -> None:
    ended = threading.Event()

    def slowly(operation: str) -> tuple[int, bytes]:
        ended.wait(30)
        return rows(operation)

    with a_dynamodb(slowly) as endpoint:
        started = time.monotonic()
        failure = failure_of(a_store(lane, endpoint, seconds=0.2), seconds=0.2)

        assert time.monotonic() - started < 10
        ended.set()
    assert type(failure) is Unreachable


def test_nobody_there_is_an_outage(lane: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = failure_of(a_store(lane, f"http://127.0.0.1:{unused.getsockname()[1]}"))

    assert type(failure) is Unreachable


def test_more_pages_than_the_time_allows_are_an_outage(lane: str) -> None:
    """However fast each page comes: the time is for all of them."""
    page: dict[str, Any] = {"Items": [], "LastEvaluatedKey": {"corresponding_tag": {"S": "alice"}, "id": {"S": "1"}}}
    begun, served = time.monotonic(), []

    def endless(operation: str) -> tuple[int, bytes]:
        served.append(operation)
        return 200, costed(**page) if operation == "Query" else costed()

    with a_dynamodb(endless) as endpoint:
        failure = failure_of(a_store(lane, endpoint), seconds=0.3)
        when_given_up = -1
        while when_given_up != len(served):
            when_given_up = len(served)
            time.sleep(0.3)

            assert time.monotonic() - begun < 10
    assert type(failure) is Unreachable


def test_no_credentials_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none is not served by the express lane: boto3 knows more places to look."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with a_dynamodb(rows) as endpoint:
        failure = failure_of(a_store("boto3", endpoint))

    assert type(failure) is Fault
    assert "NoCredentialsError" in str(failure)


def test_no_region_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(Fault, match="region"):
        dynamodb_client(region=None, endpoint=None, timeout_seconds=1)


def test_a_process_that_can_start_no_thread_is_an_outage_and_stays_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as there may be readers, and once more."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with a_dynamodb(rows) as endpoint:
        store = a_store("express", endpoint)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(17):
                assert "no thread" in str(failure_of(store))

        assert store.read("alice", consistent=False, deadline=Deadline(5)).secrets == ()

"""What the DynamoDB store makes of everything that DynamoDB and the network may answer instead of rows.

A server on this machine plays DynamoDB's part, so each client's own parsing, time-outs and retries are in play.
"""

import json
import socket
import threading
import time
from typing import Any

import pytest

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import Columns, Half, Profile
from auth_jwt.ports import Deadline, HalfRead
from auth_jwt.stores import DynamoDbStore, dynamodb_client
from tests.contract.clients import a_client
from tests.contract.servers import a_dynamodb, a_server, an_answer, an_error, read_question, rows


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


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (408, Unreachable)])
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


def test_an_answer_that_is_no_json_is_a_fault(lane: str) -> None:
    with a_dynamodb(lambda _operation: (200, b"hello")) as endpoint:
        assert type(failure_of(a_store(lane, endpoint))) is Fault


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(an_answer(b"<html>Hello</html>", headers="Content-Type: text/html\r\n"), id="a page"),
        pytest.param(an_answer(b"", headers="Content-Type: text/html\r\n"), id="an empty page"),
        pytest.param(an_answer(b"", status="204 No Content"), id="no content"),
    ],
)
def test_what_stands_between_and_answers_itself_is_a_fault_and_no_empty_table(lane: str, answer: bytes) -> None:
    """Taken for a table without the profile, it would refuse every user, though their secrets are read."""

    def talk(connection: socket.socket, _: int) -> None:
        while question := read_question(connection):
            connection.sendall(answer if b".GetItem" in question else an_answer())

    with a_server(talk) as endpoint:
        assert "dynamodb:GetItem" in str(failure_of(a_store(lane, endpoint)))


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
        return 200, json.dumps(ROWS[operation]).encode()

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
        return 200, json.dumps(page if operation == "Query" else {}).encode()

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

"""Tables that cannot keep up are asked again, for as long as there is hope, and never for long in silence."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import boto3
import pytest

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.provisioning.changes import ABSENT, Expected, Key, Overtaken, Put, Table, Update
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.migration.target import Interrupted, Patience, Target, Waiting, patient_client
from tests.contract.servers import a_dynamodb, an_error, costed
from tests.migration_sources import a_source_secret, target_row

IMPATIENT = Patience(attempts=3, first_seconds=0.001, longest_seconds=0.002)
KEY = Key(Table.SECRETS, "t1", "1")
ITEM = {"corresponding_tag": {"S": "t1"}, "id": {"S": "1"}, "secret": {"S": "k"}, "start_ts": {"N": "1.0"}}
ROW = target_row(a_source_secret()).columns
PUT, PUT_2 = (Put(Key(Table.SECRETS, "t1", number), {**ROW, "id": number}, ABSENT) for number in ("1", "2"))
Reply = Callable[[str], tuple[int, bytes]]
Ask = Callable[[Target], object]

READ: Ask = lambda target: target.read(Table.SECRETS, [KEY])  # noqa: E731 - each a word in a table
WRITE: Ask = lambda target: target.write(Table.SECRETS, [PUT, PUT_2])  # noqa: E731
SCAN: Ask = lambda target: list(target.rows(Table.SECRETS))  # noqa: E731
COUNT: Ask = lambda target: target.count(Table.SECRETS)  # noqa: E731
COSTS: dict[str, Any] = {"ConsumedCapacity": [{"TableName": "jwt_secrets", "CapacityUnits": 1.0}]}
EMPTY: dict[str, dict[str, Any]] = {
    "BatchGetItem": {"Responses": {"jwt_secrets": []}, "UnprocessedKeys": {}, **COSTS},
    "TransactWriteItems": COSTS,
    "Scan": {"Items": []},
    "DescribeTable": {"Table": {"ItemCount": 7}},
}


class Script:
    """Gives one reply after the other, the last one for ever; what was asked is kept."""

    def __init__(self, *replies: Reply | dict[str, Any]) -> None:
        self._replies: Iterator[Reply | dict[str, Any]] = chain(replies, repeat(replies[-1]))
        self.asked: list[str] = []

    def __call__(self, operation: str) -> tuple[int, bytes]:
        self.asked.append(operation)
        reply = next(self._replies)
        return reply(operation) if callable(reply) else (200, costed(**reply))


def nothing(operation: str) -> tuple[int, bytes]:
    """An answer that says that all is done."""
    return 200, costed(**EMPTY[operation])


def asked(script: Script, ask: Ask, patience: Patience = IMPATIENT) -> tuple[Any, list[Waiting]]:
    """What *ask* returns of a target whose tables answer by the script, and how it waited."""
    pauses: list[Waiting] = []
    with a_dynamodb(script) as address:
        return ask(a_target(address, pauses, patience)), pauses


def a_target(address: str, pauses: list[Waiting], patience: Patience = IMPATIENT) -> Target:
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
    client = patient_client(session, "eu-central-1", address, connections=1)
    return Target(client, Settings.from_env({}), patience=patience, tell=pauses.append)


THROTTLED = an_error(400, "ProvisionedThroughputExceededException")
BROKEN = an_error(500, "InternalServerError")


@pytest.mark.parametrize("problem", [THROTTLED, BROKEN], ids=["throttled", "broken"])
@pytest.mark.parametrize("ask", [READ, WRITE, SCAN, COUNT], ids=["read", "write", "scan", "count"])
def test_it_asks_again_after_a_pause_that_it_tells_of(ask: Ask, problem: Reply) -> None:
    script = Script(problem, problem, nothing)

    _, pauses = asked(script, ask)

    assert len(script.asked) == 3
    assert len(pauses) == 2
    assert all("dynamodb:" in pause.why and "jwt_secrets" in pause.why for pause in pauses)
    assert 0.0005 <= pauses[0].seconds <= 0.001 <= pauses[1].seconds <= 0.002


@pytest.mark.parametrize(("failures", "enough"), [(3, True), (4, False)])
def test_it_asks_so_often_and_no_more(failures: int, enough: bool) -> None:
    script = Script(*[THROTTLED] * failures, nothing)

    if enough:
        asked(script, WRITE)
    else:
        with pytest.raises(Throttled):
            asked(script, WRITE)
    assert len(script.asked) == 4


@pytest.mark.parametrize("ask", [READ, WRITE, SCAN, COUNT], ids=["read", "write", "scan", "count"])
def test_half_an_answer_is_asked_for_again(ask: Ask) -> None:
    """Taken for a whole one, it would be a table without these rows, or a write that was made."""
    script = Script(lambda operation: (200, nothing(operation)[1][:-3]), lambda _: (200, b"{}"), nothing)

    _, pauses = asked(script, ask)

    assert len(script.asked) == 3
    assert all("dynamodb:" in pause.why and "no answer" in pause.why for pause in pauses)


def test_what_is_of_no_use_is_not_asked_again() -> None:
    script = Script(an_error(400, "ResourceNotFoundException"))

    with pytest.raises(Fault, match="ResourceNotFoundException") as caught:
        asked(script, READ)

    assert not isinstance(caught.value, Unreachable)
    assert len(script.asked) == 1


def test_nobody_listening_is_told_as_that() -> None:
    with pytest.raises(Unreachable, match="no answer"):
        a_target("http://127.0.0.1:1", []).read(Table.SECRETS, [KEY])


def test_keys_left_undone_are_asked_for_again_and_all_answers_count() -> None:
    def answer(items: list[Any], left: list[Any]) -> dict[str, Any]:
        unprocessed = {"jwt_secrets": {"Keys": left}} if left else {}
        return {"Responses": {"jwt_secrets": items}, "UnprocessedKeys": unprocessed, **COSTS}

    other = {**ITEM, "id": {"S": "2"}}
    key_2 = {"corresponding_tag": {"S": "t1"}, "id": {"S": "2"}}
    script = Script(answer([ITEM], [key_2]), answer([other], []))

    found, pauses = asked(script, lambda target: target.read(Table.SECRETS, [KEY, Key(Table.SECRETS, "t1", "2")]))

    assert found.keys() == {KEY, Key(Table.SECRETS, "t1", "2")}
    assert found[KEY]["start_ts"] == 1
    assert len(pauses) == 1


def test_reads_see_every_write_before_them() -> None:
    """Or a second run right after the first would write again what is there."""
    questions: list[dict[str, Any]] = []
    with a_dynamodb(Script(nothing)) as address:
        target = a_target(address, [])
        events = target._client.meta.events
        events.register("provide-client-params.dynamodb.BatchGetItem", lambda params, **_: questions.append(params))

        target.read(Table.SECRETS, [KEY])

    assert questions[0]["RequestItems"]["jwt_secrets"]["ConsistentRead"] is True


def cancelled(*codes: str) -> Reply:
    """An answer that says that a transaction was cancelled, and why, for each of its parts."""
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "cancelled",
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return lambda _operation: (400, json.dumps(body).encode())


def read_as(*items: dict[str, Any]) -> dict[str, Any]:
    """An answer to BatchGetItem."""
    return {"Responses": {"jwt_secrets": list(items)}, "UnprocessedKeys": {}, **COSTS}


OVERTAKEN = cancelled("None", "ConditionalCheckFailed")
WHOLE = {
    "corresponding_tag": {"S": "t1"},
    "id": {"S": "1"},
    "secret": {"S": ROW["secret"]},
    "start_ts": {"N": "1.0"},
    "end_ts": {"N": str(ROW["end_ts"])},
}


def test_rows_that_others_wrote_are_told_and_not_asked_for_again() -> None:
    script = Script(OVERTAKEN)

    with pytest.raises(Overtaken) as caught:
        asked(script, WRITE)

    assert caught.value.key == PUT_2.key
    assert script.asked == ["TransactWriteItems"]


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"])
def test_a_transaction_cancelled_for_now_is_made_again(code: str) -> None:
    script = Script(cancelled(code, "None"), nothing)

    asked(script, WRITE)

    assert script.asked == ["TransactWriteItems"] * 2


def test_a_transaction_that_is_cancelled_for_ever_is_waited_for_with_pauses_that_are_told() -> None:
    """Each attempt is five of the store's own."""
    script = Script(cancelled("ThrottlingError", "None"))
    pauses: list[Waiting] = []

    with a_dynamodb(script) as address, pytest.raises(Unreachable):
        WRITE(a_target(address, pauses))

    assert len(pauses) == IMPATIENT.attempts
    assert script.asked.count("TransactWriteItems") == 5 * (IMPATIENT.attempts + 1)


@pytest.mark.parametrize(
    ("second", "ours"),
    [
        ({**WHOLE, "id": {"S": "2"}}, True),
        ({**WHOLE, "id": {"S": "2"}, "secret": {"S": "other"}}, False),
        (None, False),
    ],
    ids=["all is as written", "a row is other", "a row is not there"],
)
def test_a_write_whose_answer_got_lost_was_ours_if_all_is_as_it_would_be(
    second: dict[str, Any] | None, ours: bool
) -> None:
    """Or the audit would miss rows that this import wrote."""
    script = Script(BROKEN, OVERTAKEN, read_as(WHOLE, *([second] if second else [])))

    if ours:
        asked(script, WRITE)
    else:
        with pytest.raises(Overtaken):
            asked(script, WRITE)
    assert script.asked == ["TransactWriteItems", "TransactWriteItems", "BatchGetItem"]


def test_throttling_loses_no_answer() -> None:
    """What was throttled was not written, so whoever was faster was somebody else."""
    script = Script(THROTTLED, OVERTAKEN)

    with pytest.raises(Overtaken):
        asked(script, WRITE)

    assert "BatchGetItem" not in script.asked


def test_every_write_has_its_conditions() -> None:
    questions: list[dict[str, Any]] = []
    update = Update(PUT_2.key, {"secret": "new"}, Expected(present=True, columns={"secret": "old"}))
    with a_dynamodb(Script(nothing)) as address:
        target = a_target(address, [])
        events = target._client.meta.events
        events.register(
            "provide-client-params.dynamodb.TransactWriteItems", lambda params, **_: questions.append(params)
        )

        target.write(Table.SECRETS, [PUT, update])

    put, changed = questions[0]["TransactItems"]
    assert put["Put"]["ConditionExpression"].startswith("attribute_not_exists(")
    assert [value["S"] for value in changed["Update"]["ExpressionAttributeValues"].values()] == ["new", "old"]
    assert " = " in changed["Update"]["ConditionExpression"]


def test_pauses_grow_vary_and_have_a_limit() -> None:
    patience = Patience(first_seconds=1, longest_seconds=8)

    for failures, longest in ((1, 1), (2, 2), (4, 8), (5, 8), (500, 8)):
        pauses = {patience.pause(failures) for _ in range(50)}
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(pauses) > 1


def test_the_default_gives_up_within_minutes() -> None:
    patience = Patience()

    assert 30 < sum(patience.pause(failures) for failures in range(1, patience.attempts + 1)) < 120


def test_a_pause_ends_when_somebody_wants_to_end() -> None:
    patience = Patience(first_seconds=600, longest_seconds=600)
    with a_dynamodb(Script(THROTTLED)) as address:
        target = a_target(address, [], patience)
        target._tell = lambda _: target.end()
        began = time.monotonic()

        with pytest.raises(Interrupted):
            target.write(Table.SECRETS, [PUT])

    assert time.monotonic() - began < 10


def test_a_scan_reads_every_page() -> None:
    key = {"corresponding_tag": {"S": "t1"}, "id": {"S": "1"}}
    script = Script({"Items": [ITEM], "LastEvaluatedKey": key}, {"Items": [{**ITEM, "id": {"S": "2"}}]})

    rows, _ = asked(script, SCAN)

    assert [row.key.id for row in rows] == ["1", "2"]
    assert len(script.asked) == 2


def test_botocore_logs_no_values(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG it would log every item."""
    with caplog.at_level("DEBUG"):
        asked(Script(nothing), WRITE)

    assert "HMAC secret" not in caplog.text

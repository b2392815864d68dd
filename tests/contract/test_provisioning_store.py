"""The port `ProvisioningStore`, by whoever keeps it: rows in memory as the unit tests have them, and DynamoDB."""

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from auth_jwt.aws.client import SdkClient
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import (
    ABSENT,
    MAX_CHANGES,
    MISSING,
    PRESENT,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Overtaken,
    ProvisioningStore,
    Put,
    Table,
    Update,
)
from auth_jwt.provisioning.tables import DynamoDbTables, provisioning_client
from tests.contract.clients import REGION
from tests.contract.faults import AT_ONCE, CUT, NOT_DYNAMODBS, WRONG_SUM, a_faulty_dynamodb
from tests.contract.servers import NO_ROWS, a_dynamodb, an_error, costed
from tests.fakes import MemoryTables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COLUMNS = Columns(tag="etikett", secret_tag="zu etikett", username="#benutzer")  # reserved words and odd characters
PROFILE = Key(Table.PROFILES, "t")
SECRET = Key(Table.SECRETS, "t", "1")
REVOCATION = Key(Table.REVOCATIONS, "t", "j")


def make_table(client: "DynamoDBClient", name: str, hash_key: str, range_key: str | None = None) -> None:
    keys = [(hash_key, "HASH"), *([(range_key, "RANGE")] if range_key else [])]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
    )


def tables_of(client: "DynamoDBClient", *, revocations: str | None = "revoked") -> DynamoDbTables:
    return DynamoDbTables(
        client, profiles_table="users", secrets_table="keys", revocations_table=revocations, columns=COLUMNS
    )


@pytest.fixture(name="store", params=["memory", "dynamodb"])
def _store(request: pytest.FixtureRequest) -> Iterator[ProvisioningStore]:
    if request.param == "memory":
        yield MemoryTables(COLUMNS)
        return
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    make_table(client, "users", "etikett")
    make_table(client, "keys", "zu etikett", "id")
    make_table(client, "revoked", "tag", "jti")
    endpoint = request.getfixturevalue("moto_endpoint")
    yield tables_of(provisioning_client(region=REGION, endpoint=endpoint))


def test_what_was_put_is_read_with_its_key(store: ProvisioningStore) -> None:
    row = {"#benutzer": "alice", "level": Decimal("1.50"), "vip": True, "none": None, "list": {"L": [{"S": "a"}]}}
    store.write(Put(PROFILE, row), Put(SECRET, {"secret": "s"}), Put(REVOCATION, {"expires_at": 5}))

    assert store.profile("t") == {"etikett": "t", **row}
    assert store.secrets("t") == [{"zu etikett": "t", "id": "1", "secret": "s"}]
    assert store.revocation("t", "j") == {"tag": "t", "jti": "j", "expires_at": Decimal(5)}


def test_what_is_not_there_is_none(store: ProvisioningStore) -> None:
    assert (store.profile("t"), store.secrets("t"), store.revocation("t", "j")) == (None, [], None)
    assert list(store.profiles(after=None, limit=5).rows) == []


def test_tags_are_compared_exactly(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {}), Put(Key(Table.SECRETS, "T", "1"), {}), Put(Key(Table.SECRETS, "t ", "1"), {}))

    assert store.profile("T") is None
    assert [row["zu etikett"] for row in store.secrets("T")] == ["T"]


def test_an_update_changes_its_columns_and_no_others(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {"a": 1, "b": 2, "c": 3}))

    store.write(Update(PROFILE, {"a": MISSING, "b": "two", "size": True}))

    assert store.profile("t") == {"etikett": "t", "b": "two", "c": Decimal(3), "size": True}


def test_an_update_by_itself_does_the_same(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {"a": 1, "b": 2, "c": 3}))

    store.update(Update(PROFILE, {"a": MISSING, "b": "two"}, Expected(True, {"c": 3})))

    assert store.profile("t") == {"etikett": "t", "b": "two", "c": Decimal(3)}


@pytest.mark.parametrize("expected", [PRESENT, Expected(True, {"a": 2})], ids=["a row", "a row with another column"])
def test_an_update_by_itself_is_overtaken_where_the_row_is_not_as_expected(
    store: ProvisioningStore, expected: Expected
) -> None:
    if expected is not PRESENT:
        store.write(Put(PROFILE, {"a": 1}))
    before = store.profile("t")

    with pytest.raises(Overtaken) as caught:
        store.update(Update(PROFILE, {"b": 2}, expected))

    assert caught.value.key == PROFILE
    assert store.profile("t") == before


def test_of_a_row_the_columns_that_are_asked_for_are_read(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {"a": 1, "b": 2}), Put(SECRET, {"secret": "s", "start ts": 1}))

    assert store.profile("t", only=("etikett", "b", "c")) == {"etikett": "t", "b": Decimal(2)}
    assert store.secrets("t", only=("id", "start ts")) == [{"id": "1", "start ts": Decimal(1)}]
    assert store.profile("u", only=("etikett",)) is None


def test_taking_away_what_is_not_there_does_nothing(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {"a": 1}))
    store.write(Update(PROFILE, {"b": MISSING}), Delete(SECRET))

    assert store.profile("t") == {"etikett": "t", "a": Decimal(1)}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("expected", "met"),
    [
        pytest.param(PRESENT, True, id="there"),
        pytest.param(ABSENT, False, id="not there"),
        pytest.param(Expected(columns={"a": 1}), True, id="there or not, but with this column"),
        pytest.param(Expected(True, {"a": 1, "b": "x"}), True, id="with these columns"),
        pytest.param(Expected(True, {"a": Decimal("1.0")}), True, id="the same number"),
        pytest.param(Expected(True, {"a": "1"}), False, id="a number is no text"),
        pytest.param(Expected(True, {"a": 2}), False, id="another number"),
        pytest.param(Expected(True, {"a": 1, "b": "y"}), False, id="one of two columns"),
        pytest.param(Expected(True, {"c": MISSING}), True, id="without a column"),
        pytest.param(Expected(True, {"a": MISSING}), False, id="without a column that is there"),
        pytest.param(Expected(True, {"c": None}), False, id="NULL is not nothing"),
        pytest.param(Expected(True, {"map": {"M": {"k": {"S": "v"}}}}), True, id="a map"),
    ],
)
@pytest.mark.parametrize("kind", ["put", "update", "delete", "check"])
def test_a_change_is_made_only_of_a_row_as_expected(
    store: ProvisioningStore, kind: str, expected: Expected, met: bool
) -> None:
    row = {"a": 1, "b": "x", "map": {"M": {"k": {"S": "v"}}}}
    store.write(Put(PROFILE, row))
    change: Change = {
        "put": Put(PROFILE, {"z": 1}, expected),
        "update": Update(PROFILE, {"z": 1}, expected),
        "delete": Delete(PROFILE, expected),
        "check": Check(PROFILE, expected),
    }[kind]  # type: ignore[assignment]
    before = store.profile("t")

    if met:
        store.write(change)
        assert (store.profile("t") == before) is (kind == "check")
    else:
        with pytest.raises(Overtaken) as overtaken:
            store.write(change)
        assert overtaken.value.key == PROFILE
        assert store.profile("t") == before


def test_all_changes_are_made_or_none(store: ProvisioningStore) -> None:
    store.write(Put(PROFILE, {"a": 1}))

    with pytest.raises(Overtaken) as overtaken:
        store.write(Put(SECRET, {"secret": "s"}, ABSENT), Update(PROFILE, {"a": 2}), Put(REVOCATION, {}, PRESENT))

    assert overtaken.value.key == REVOCATION
    assert (store.profile("t"), store.secrets("t")) == ({"etikett": "t", "a": Decimal(1)}, [])


def test_as_many_changes_as_a_transaction_holds(store: ProvisioningStore) -> None:
    store.write(*(Put(Key(Table.SECRETS, "t", f"{number:03}"), {}) for number in range(MAX_CHANGES)))

    assert [row["id"] for row in store.secrets("t")] == [f"{number:03}" for number in range(MAX_CHANGES)]


def test_profiles_are_read_page_by_page(store: ProvisioningStore) -> None:
    store.write(*(Put(Key(Table.PROFILES, tag), {}) for tag in "abcde"))
    found: list[object] = []
    after = None
    for _ in range(4):
        page = store.profiles(after=after, limit=2)
        found += [row["etikett"] for row in page.rows]
        after = page.next
        if after is None:
            break

    assert sorted(map(str, found)) == list("abcde")
    assert after is None


def test_revocations_are_read_page_by_page_and_tag_by_tag(store: ProvisioningStore) -> None:
    store.write(
        *(Put(Key(Table.REVOCATIONS, "t", jti), {}) for jti in "abc"), Put(Key(Table.REVOCATIONS, "u", "d"), {})
    )

    first = store.revocations("t", after=None, limit=2)
    second = store.revocations("t", after=first.next, limit=2)

    assert [[row["jti"] for row in page.rows] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second.next is None


# -- DynamoDB alone ---------------------------------------------------------------------------------------------------


def test_many_secrets_come_in_several_pages(dynamodb: "DynamoDBClient") -> None:
    """A page of DynamoDB is 1 MB."""
    make_table(dynamodb, "keys", "zu etikett", "id")
    store = tables_of(dynamodb)
    for number in range(4):
        store.write(Put(Key(Table.SECRETS, "t", str(number)), {"secret": "x" * 390_000}))

    assert [row["id"] for row in store.secrets("t")] == list("0123")


def test_without_a_table_of_revocations_there_is_nothing_to_ask(dynamodb: "DynamoDBClient") -> None:
    store = tables_of(dynamodb, revocations=None)

    assert not store.keeps_revocations
    with pytest.raises(Fault, match="REVOCATIONS_TABLE"):
        store.revocation("t", "j")


def an_impatient_client(endpoint: str, *, attempts: int = 1) -> "DynamoDBClient":
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        config=Config(read_timeout=1, connect_timeout=1, retries={"total_max_attempts": attempts}),
    )


def cancelled(*codes: str) -> bytes:
    reasons = [{"Code": code, "Message": "no"} for code in codes]
    kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    return json.dumps({"__type": kind, "Message": "no", "CancellationReasons": reasons}).encode()


def test_a_transaction_in_conflict_with_another_is_tried_again_under_the_same_token() -> None:
    """DynamoDB cancels one of two at the same row; the SDK leaves the retry to us."""
    replies = [(400, cancelled("None", "TransactionConflict"))] * 2 + [(200, WRITTEN)]
    with a_dynamodb(lambda _operation: replies.pop(0)) as endpoint:
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {}), Put(SECRET, {}))

    assert replies == []


def test_a_conflict_that_never_ends_is_an_outage() -> None:
    with (
        a_dynamodb(lambda _operation: (400, cancelled("TransactionConflict"))) as endpoint,
        pytest.raises(Unreachable, match="other writes"),
    ):
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {}))


def test_a_row_not_as_expected_counts_more_than_a_conflict() -> None:
    with (
        a_dynamodb(lambda _operation: (400, cancelled("TransactionConflict", "ConditionalCheckFailed"))) as endpoint,
        pytest.raises(Overtaken) as overtaken,
    ):
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {}), Put(SECRET, {}))

    assert overtaken.value.key == SECRET


def test_a_transaction_refused_for_another_reason_is_a_fault() -> None:
    with (
        a_dynamodb(lambda _operation: (400, cancelled("ValidationError"))) as endpoint,
        pytest.raises(Fault, match="ValidationError") as fault,
    ):
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {"pin": "4711"}))

    assert not isinstance(fault.value, Unreachable)
    assert "4711" not in str(fault.value)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ThrottlingException", Throttled),
        (500, "InternalServerError", Unreachable),
        (400, "ResourceNotFoundException", Fault),
        (400, "AccessDeniedException", Fault),
    ],
)
def test_every_call_tells_an_outage_from_what_an_operator_must_mend(status: int, code: str, kind: type[Fault]) -> None:
    calls: list[Any] = [
        lambda store: store.profile("t"),
        lambda store: store.profiles(after=None, limit=1),
        lambda store: store.secrets("t"),
        lambda store: store.revocations("t", after=None, limit=1),
        lambda store: store.write(Put(PROFILE, {})),
    ]
    with a_dynamodb(an_error(status, code)) as endpoint:
        store = tables_of(an_impatient_client(endpoint))
        for call in calls:
            with pytest.raises(Fault, match=code) as fault:
                call(store)
            assert type(fault.value) is kind


def test_a_transaction_under_way_may_yet_happen() -> None:
    with (
        a_dynamodb(an_error(400, "TransactionInProgressException")) as endpoint,
        pytest.raises(Unreachable, match=r"no answer \(TransactionInProgress"),
    ):
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {}))


WRITTEN = costed(ConsumedCapacity=[{"TableName": "users", "CapacityUnits": 2.0}])


def whole(operation: str) -> bytes:
    """The answer to an operation, in tables that are empty."""
    return WRITTEN if operation == "TransactWriteItems" else NO_ROWS


CALLS: dict[str, Callable[[DynamoDbTables], object]] = {
    "GetItem": lambda store: store.profile("t"),
    "Scan": lambda store: store.profiles(after=None, limit=1),
    "Query": lambda store: store.secrets("t"),
    "TransactWriteItems": lambda store: store.write(Put(PROFILE, {})),
}


@pytest.mark.matrix
@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("fault", AT_ONCE)
def test_what_is_no_whole_answer_is_an_outage(fault: str, operation: str) -> None:
    """No empty table, and of a write nobody knows what became of it."""
    with a_faulty_dynamodb(AT_ONCE[fault], whole=whole) as endpoint:
        store = tables_of(an_impatient_client(endpoint))
        with pytest.raises(Fault, match="no answer") as fault_raised:
            CALLS[operation](store)

    assert type(fault_raised.value) is Unreachable
    assert f"dynamodb:{operation} on table" in str(fault_raised.value)


@pytest.mark.parametrize("fault", CUT | NOT_DYNAMODBS | WRONG_SUM)
def test_a_write_of_which_half_an_answer_came_is_asked_for_again_under_the_same_token(fault: str) -> None:
    """It may have been made; DynamoDB then makes it no second time."""
    tokens: list[object] = []
    with a_faulty_dynamodb(AT_ONCE[fault], whole=whole, times=1) as endpoint:
        client = provisioning_client(region=REGION, endpoint=endpoint)
        client.meta.events.register("before-send.dynamodb", lambda request, **_: tokens.append(token_of(request.body)))
        tables_of(client).write(Put(PROFILE, {}))

    assert len(tokens) == 2
    assert len(set(tokens)) == 1
    assert all(tokens)


def token_of(body: bytes) -> object:
    return json.loads(body)["ClientRequestToken"]


@pytest.mark.parametrize("operation", CALLS)
def test_half_an_answer_is_asked_for_three_times_at_most(operation: str) -> None:
    asked: list[object] = []
    with a_faulty_dynamodb(CUT["truncated JSON"], whole=whole) as endpoint:
        client = provisioning_client(region=REGION, endpoint=endpoint)
        client.meta.events.register("before-send.dynamodb", lambda request, **_: asked.append(request.method))
        with pytest.raises(Unreachable, match="not all of it"):
            CALLS[operation](tables_of(client))

    assert len(asked) == 3


def test_a_client_that_two_stores_guard_asks_no_oftener() -> None:
    """As the admin API's, which also judges tokens by it."""
    asked: list[object] = []
    with a_faulty_dynamodb(CUT["truncated JSON"], whole=whole) as endpoint:
        client = provisioning_client(region=REGION, endpoint=endpoint)
        client.meta.events.register("before-send.dynamodb", lambda request, **_: asked.append(request.method))
        tables_of(client)
        with pytest.raises(Unreachable):
            SdkClient(client).get_item(TableName="t", Key={"tag": {"S": "t"}})

    assert len(asked) == 3


def test_no_answer_is_an_outage() -> None:
    with pytest.raises(Unreachable, match="no answer"):
        tables_of(an_impatient_client("http://127.0.0.1:1")).profile("t")


def test_of_many_writers_of_one_row_one_wins(dynamodb: "DynamoDBClient", moto_endpoint: str) -> None:
    make_table(dynamodb, "keys", "zu etikett", "id")
    store = tables_of(provisioning_client(region=REGION, endpoint=moto_endpoint))
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            store.write(Put(SECRET, {"writer": number}, ABSENT))
            outcomes.append("won")
        except Overtaken:
            outcomes.append("overtaken")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(outcomes) == ["overtaken"] * 7 + ["won"]

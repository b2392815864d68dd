"""The port `ProvisioningStore`, by whoever keeps it: rows in memory as the unit tests have them, and DynamoDB."""

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from auth_jwt.aws.client import SdkClient
from auth_jwt.errors import Fault, Reason, Throttled, Unreachable
from auth_jwt.models import Columns, Row
from auth_jwt.provisioning import tables
from auth_jwt.provisioning.changes import (
    ABSENT,
    EVERY_ROW,
    MAX_CHANGES,
    MISSING,
    PRESENT,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    NoIndex,
    Overtaken,
    ProvisioningStore,
    Put,
    RowFilter,
    Table,
    Update,
)
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.tables import PATIENCE_SECONDS, DynamoDbTables, provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from tests.contract.clients import REGION
from tests.contract.servers import NO_ROWS, a_dynamodb, a_dynamodb_that_reads, an_error, costed
from tests.factories import refusal
from tests.fakes import Clock, MemoryTables
from tests.faults.injected import AT_ONCE, CUT, NOT_DYNAMODBS, WRONG_SUM
from tests.faults.proxy import a_faulty_dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COLUMNS = Columns(tag="etikett", secret_tag="zu etikett", username="#benutzer")  # reserved words and odd characters
PROFILE = Key(Table.PROFILES, "t")
SECRET = Key(Table.SECRETS, "t", "1")
REVOCATION = Key(Table.REVOCATIONS, "t", "j")


def make_table(
    client: "DynamoDBClient", name: str, hash_key: str, range_key: str | None = None, *, index: bool = False
) -> None:
    """Make a table; with an *index*, one of usernames, as template.yaml makes it."""
    by_username: Any = {
        "IndexName": "by_sip_user",
        "KeySchema": [
            {"AttributeName": COLUMNS.username, "KeyType": "HASH"},
            {"AttributeName": COLUMNS.tag, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [COLUMNS.domain]},
    }
    more: Any = {"GlobalSecondaryIndexes": [by_username]} if index else {}
    keys = [(hash_key, "HASH"), *([(range_key, "RANGE")] if range_key else [])]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"}
            for key in (*(key for key, _ in keys), *([COLUMNS.username] if index else []))
        ],
        **more,
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


def test_every_read_but_scans_and_the_index_sees_every_write(dynamodb: "DynamoDBClient", moto_endpoint: str) -> None:
    """An operation decides by what it reads: a read that lags behind would decide by rows that are no more."""
    make_table(dynamodb, "users", "etikett", index=True)
    make_table(dynamodb, "keys", "zu etikett", "id")
    make_table(dynamodb, "revoked", "tag", "jti")
    client = provisioning_client(region=REGION, endpoint=moto_endpoint)
    asked: list[tuple[str, str, bool]] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        asked.append((model.name, params["TableName"], params.get("ConsistentRead", False)))

    client.meta.events.register("provide-client-params.dynamodb", note)
    store = tables_of(client)

    store.profile("t")
    store.profile("t", only=("etikett",))
    store.profiles(after=None, limit=5)
    store.secrets("t")
    store.secrets("t", only=("id",), most=1)
    store.revocation("t", "j")
    store.revocations("t", after=None, limit=5)
    list(store.scan_profiles())
    list(store.scan_secrets(only=None))
    store.profiles_of("alice", after=None, limit=5)

    assert asked == [
        *[("GetItem", "users", True)] * 2,
        ("Scan", "users", True),
        *[("Query", "keys", True)] * 2,
        ("GetItem", "revoked", True),
        ("Query", "revoked", True),
        ("Scan", "users", False),  # these two and the index may miss the last second, as the port says
        ("Scan", "keys", False),
        ("Query", "users", False),
    ]


def test_what_is_not_there_is_none(store: ProvisioningStore) -> None:
    assert (store.profile("t"), store.secrets("t"), store.revocation("t", "j")) == (None, [], None)
    assert list(store.profiles(after=None, limit=5).rows) == []


def test_a_scan_gives_these_columns_of_all_secrets_and_what_each_page_cost(store: ProvisioningStore) -> None:
    keys = [Key(Table.SECRETS, tag, number) for tag in ("t", "u", "v") for number in ("1", "2")]
    store.write(*(Put(key, {"secret": "s", "end": 5}) for key in keys), Put(PROFILE, {"end": 6}))

    pages = list(store.scan_secrets(only=("zu etikett", "id", "end")))

    rows = sorted(
        (row for page in pages for row in page.rows), key=lambda row: (str(row["zu etikett"]), str(row["id"]))
    )
    assert rows == [{"zu etikett": key.tag, "id": key.id, "end": Decimal(5)} for key in keys]
    assert all(page.read_units > 0 for page in pages)


def test_a_scan_of_nothing_has_no_rows(store: ProvisioningStore) -> None:
    assert [row for page in store.scan_secrets(only=("id",)) for row in page.rows] == []


def test_a_scan_reads_the_next_page_when_it_is_asked_for_and_fails_when_that_fails() -> None:
    asked: list[str] = []

    def reply(operation: str) -> tuple[int, bytes]:
        asked.append(operation)
        if len(asked) > 1:
            return an_error(400, "AccessDeniedException")(operation)
        last = {"zu etikett": {"S": "t"}, "id": {"S": "1"}}
        return 200, costed(Items=[last], Count=1, ScannedCount=1, LastEvaluatedKey=last)

    with a_dynamodb(reply) as endpoint:
        pages = tables_of(provisioning_client(region=REGION, endpoint=endpoint)).scan_secrets(only=("id",))

        assert asked == []
        assert list(next(pages).rows) == [{"zu etikett": "t", "id": "1"}]
        assert asked == ["Scan"]
        with pytest.raises(Fault, match="dynamodb:Scan on table 'keys' is refused: AccessDeniedException"):
            next(pages)


FILTERED = (
    (RowFilter(one_of={"#benutzer": ("alice", "bob")}), ["a", "b"]),
    (RowFilter(one_of={"level": ("1", Decimal(2))}), ["a", "c"]),
    (RowFilter(one_of={"level": (True,)}), ["b"]),
    (RowFilter(beginnings={"#benutzer": "al"}), ["a", "d"]),
    (RowFilter(beginnings={"etikett": "a", "#benutzer": "al"}), ["a"]),
    (RowFilter(present=("level",)), ["a", "b", "c"]),
    (RowFilter(one_of={"#benutzer": ("alice",)}, beginnings={"level": "1"}, present=("etikett",)), ["a"]),
    (EVERY_ROW, ["a", "b", "c", "d"]),
)


@pytest.mark.parametrize("segments", [1, 3])
def test_a_scan_gives_the_profiles_that_fit_whole(store: ProvisioningStore, segments: int) -> None:
    rows: dict[str, dict[str, object]] = {
        "a": {"#benutzer": "alice", "level": "1"},
        "b": {"#benutzer": "bob", "level": True},
        "c": {"level": Decimal(2)},
        "d": {"#benutzer": "alina"},
    }
    store.write(*(Put(Key(Table.PROFILES, tag), row) for tag, row in rows.items()))

    for where, tags in FILTERED:
        pages = list(store.scan_profiles(where=where, segments=segments))
        given = {str(row["etikett"]): row for page in pages for row in page.rows}
        assert given == {tag: {"etikett": tag, **rows[tag]} for tag in tags}
        assert sum(page.looked_at for page in pages) == 4
        assert sum(page.read_units for page in pages) > 0


def test_a_scan_of_profiles_continues_after_any_row_that_it_gave(store: ProvisioningStore) -> None:
    store.write(*(Put(Key(Table.PROFILES, f"t{number}"), {}) for number in range(5)))
    given = [str(row["etikett"]) for page in store.scan_profiles() for row in page.rows]

    for number, tag in enumerate(given, 1):
        rest = [row["etikett"] for page in store.scan_profiles(after=tag) for row in page.rows]
        assert rest == given[number:]


def test_a_scan_of_secrets_gives_those_that_fit(store: ProvisioningStore) -> None:
    store.write(*(Put(Key(Table.SECRETS, tag, "1"), {"secret": "s"}) for tag in ("web-a", "web-b", "desk")))
    where = RowFilter(beginnings={"zu etikett": "web-"})

    def given(only: tuple[str, ...] | None) -> list[Row]:
        rows = [row for page in store.scan_secrets(only=only, where=where) for row in page.rows]
        return sorted(rows, key=lambda row: str(row["zu etikett"]))

    assert given(None) == [{"zu etikett": tag, "id": "1", "secret": "s"} for tag in ("web-a", "web-b")]
    assert given(("zu etikett",)) == [{"zu etikett": "web-a"}, {"zu etikett": "web-b"}]


@pytest.fixture(name="indexed", params=["memory", "dynamodb"])
def _indexed(request: pytest.FixtureRequest) -> Iterator[ProvisioningStore]:
    """A store whose profiles have the index of usernames."""
    if request.param == "memory":
        yield MemoryTables(COLUMNS, index=True)
        return
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    make_table(client, "users", "etikett", index=True)
    yield tables_of(provisioning_client(region=REGION, endpoint=request.getfixturevalue("moto_endpoint")))


def test_the_index_gives_the_tags_of_a_username_sorted_page_by_page(indexed: ProvisioningStore) -> None:
    for tag, username in (("c", "alice"), ("a", "alice"), ("b", "alice"), ("d", "Alice"), ("e", "alice2")):
        indexed.write(Put(Key(Table.PROFILES, tag), {"#benutzer": username, "sip_domain": tag, "pin": 1}))
    indexed.write(Put(Key(Table.PROFILES, "f"), {"sip_domain": "without a name"}))

    first = indexed.profiles_of("alice", after=None, limit=2)
    second = indexed.profiles_of("alice", after=first.next, limit=2)

    rows = [{name: row[name] for name in ("etikett", "sip_domain")} for row in (*first.rows, *second.rows)]
    assert rows == [{"etikett": tag, "sip_domain": tag} for tag in ("a", "b", "c")]
    assert all("pin" not in row for row in (*first.rows, *second.rows))
    assert second.next is None
    assert list(indexed.profiles_of("nobody", after=None, limit=2).rows) == []


def test_a_table_without_the_index_says_so(store: ProvisioningStore) -> None:
    with pytest.raises(NoIndex) as told:
        store.profiles_of("alice", after=None, limit=1)

    assert not told.value.is_denied


@pytest.mark.parametrize(
    ("code", "is_denied"),
    [
        pytest.param("ValidationException", False, id="absent, or still being filled"),
        pytest.param("AccessDeniedException", True, id="not permitted"),
    ],
)
def test_an_index_that_cannot_be_asked_is_told_apart_from_an_outage(code: str, is_denied: bool) -> None:
    with a_dynamodb(an_error(400, code)) as endpoint, pytest.raises(NoIndex, match=code) as told:
        tables_of(an_impatient_client(endpoint)).profiles_of("alice", after=None, limit=1)

    assert told.value.is_denied is is_denied
    assert "dynamodb:Query on index 'by_sip_user' of table 'users'" in str(told.value)


def test_a_parallel_scan_fails_as_a_whole() -> None:
    asked: list[str] = []

    def reply(operation: str) -> tuple[int, bytes]:
        asked.append(operation)
        return (200, NO_ROWS) if len(asked) < 3 else an_error(400, "AccessDeniedException")(operation)

    with a_dynamodb(reply) as endpoint, pytest.raises(Fault, match="dynamodb:Scan on table 'users' is refused"):
        list(tables_of(an_impatient_client(endpoint)).scan_profiles(segments=4))


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


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(PRESENT, id="a row"),
        pytest.param(Expected(True, {"a": 2}), id="a row with another column"),
        pytest.param(Expected(True, {"a": MISSING}), id="a row without a column"),
    ],
)
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
        assert len(page.rows) <= 2
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


@pytest.mark.parametrize("most", [2, None])
def test_no_more_secrets_are_asked_for_than_are_missing(most: int | None) -> None:
    """A page may hold fewer than were asked for."""
    asked: list[dict[str, Any]] = []

    def reply(_operation: str, question: bytes) -> tuple[int, bytes]:
        asked.append(json.loads(question))
        key = {"zu etikett": {"S": "t"}, "id": {"S": str(len(asked))}}
        return 200, costed(
            Items=[key], Count=1, ScannedCount=1, **({"LastEvaluatedKey": key} if len(asked) < 4 else {})
        )

    with a_dynamodb_that_reads(reply) as endpoint:
        found = tables_of(an_impatient_client(endpoint)).secrets("t", most=most)

    assert [row["id"] for row in found] == (["1", "2"] if most else ["1", "2", "3", "4"])
    assert [question.get("Limit") for question in asked] == ([2, 1] if most else [None] * 4)
    starts = [question.get("ExclusiveStartKey", {}).get("id", {}).get("S") for question in asked]
    assert starts == [None, "1", "2", "3"][: most or 4]


def test_a_scan_goes_on_where_its_last_page_ended() -> None:
    starts: list[object] = []

    def reply(_operation: str, question: bytes) -> tuple[int, bytes]:
        starts.append(json.loads(question).get("ExclusiveStartKey"))
        last = {"etikett": {"S": f"t{len(starts)}"}}
        return 200, costed(
            Items=[last], Count=1, ScannedCount=1, **({"LastEvaluatedKey": last} if len(starts) < 3 else {})
        )

    with a_dynamodb_that_reads(reply) as endpoint:
        pages = list(tables_of(an_impatient_client(endpoint)).scan_profiles())

    assert starts == [None, {"etikett": {"S": "t1"}}, {"etikett": {"S": "t2"}}]
    assert [page.next for page in pages] == ["t1", "t2", None]


def test_a_page_that_does_not_say_what_was_looked_at_counts_its_rows() -> None:
    cost = {"TableName": "keys"}
    page = costed(Items=[{"id": {"S": "1"}}], Count=1, ConsumedCapacity=cost)
    with a_dynamodb(lambda _operation: (200, page)) as endpoint:
        (scanned,) = tables_of(an_impatient_client(endpoint)).scan_secrets(only=None)

    assert (scanned.looked_at, scanned.read_units, scanned.next) == (1, 0, None)


def test_rows_that_a_filter_leaves_out_were_looked_at_all_the_same() -> None:
    with a_dynamodb(lambda _operation: (200, costed(Items=[], Count=0, ScannedCount=7))) as endpoint:
        (scanned,) = tables_of(an_impatient_client(endpoint)).scan_secrets(only=None)

    assert (scanned.looked_at, scanned.read_units) == (7, 0.5)


def test_an_answer_comes_or_fails_while_the_function_that_waits_has_time() -> None:
    """All attempts together, with the pauses between them: at most one second, then two."""
    config: Any = provisioning_client(region=REGION, endpoint=None, connections=7).meta.config
    attempts = config.retries["total_max_attempts"]

    assert attempts * (config.connect_timeout + config.read_timeout) + 1 + 2 <= PATIENCE_SECONDS
    assert config.retries["mode"] == "standard"
    assert config.max_pool_connections == 7


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


FOR_THE_MOMENT = ("TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError")


@pytest.mark.parametrize("codes", [*((code,) for code in FOR_THE_MOMENT), FOR_THE_MOMENT], ids=" ".join)
def test_a_transaction_that_dynamodb_cancels_for_the_moment_is_tried_again_under_the_same_token(
    codes: tuple[str, ...],
) -> None:
    """It cancels one of two at the same row, for example; the SDK leaves the retry to us."""
    replies = [(400, cancelled("None", *codes))] * 2 + [(200, WRITTEN)]
    tokens: list[object] = []

    def reply(_operation: str, question: bytes) -> tuple[int, bytes]:
        tokens.append(token_of(question))
        return replies.pop(0)

    keys = [PROFILE, SECRET, REVOCATION, Key(Table.SECRETS, "t", "2")]
    with a_dynamodb_that_reads(reply) as endpoint:
        tables_of(an_impatient_client(endpoint)).write(*(Put(key, {}) for key in keys))

    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_a_conflict_that_never_ends_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause may be twice as long as the one before, and how long is chance: two that met do not meet for ever."""
    pauses: list[float] = []
    monkeypatch.setattr(tables, "time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr(secrets, "randbelow", lambda bound: bound - 1)
    with (
        a_dynamodb(lambda _operation: (400, cancelled("TransactionConflict"))) as endpoint,
        pytest.raises(Unreachable, match="other writes"),
    ):
        tables_of(an_impatient_client(endpoint)).write(Put(PROFILE, {}))

    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4], rel=0.002)
    assert max(pauses) < 0.4


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
        lambda store: list(store.scan_secrets(only=("id",))),
        lambda store: list(store.scan_profiles()),
        lambda store: list(store.scan_profiles(segments=2)),
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


def test_a_write_that_is_refused_after_no_answer_may_have_been_made() -> None:
    replies = iter([an_error(500, "InternalServerError"), an_error(400, "AccessDeniedException")])

    def reply(operation: str) -> tuple[int, bytes]:
        return next(replies)(operation)

    with (
        a_dynamodb(reply) as endpoint,
        pytest.raises(Unreachable, match=r"AccessDeniedException; an earlier attempt .* may have been done"),
    ):
        tables_of(an_impatient_client(endpoint, attempts=2)).write(Put(PROFILE, {}))


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


@pytest.mark.parametrize("fault", [*CUT, *NOT_DYNAMODBS, *WRONG_SUM])
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


def test_without_credentials_a_write_is_a_fault_and_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)

    client = provisioning_client(region=REGION, endpoint="http://127.0.0.1:1", session=boto3.Session())

    with pytest.raises(Fault, match="NoCredentials") as fault:
        tables_of(client).write(Put(PROFILE, {}))

    assert not isinstance(fault.value, Unreachable)


def test_an_update_that_is_refused_is_named_as_policies_name_it() -> None:
    with (
        a_dynamodb(an_error(400, "AccessDeniedException")) as endpoint,
        pytest.raises(Fault, match="dynamodb:UpdateItem on table 'users' is refused: AccessDenied"),
    ):
        tables_of(an_impatient_client(endpoint)).update(Update(PROFILE, {"a": 1}))


def test_a_session_signs_with_its_own_credentials() -> None:
    signed: list[str] = []
    with a_dynamodb(lambda _operation: (200, NO_ROWS)) as endpoint:
        session = boto3.Session(aws_access_key_id="theirs", aws_secret_access_key="x")
        client = provisioning_client(region=REGION, endpoint=endpoint, session=session)
        client.meta.events.register(
            "before-send.dynamodb", lambda request, **_: signed.append(str(request.headers["Authorization"]))
        )
        tables_of(client).secrets("t")

    assert ["Credential=" in one and "theirs/" in one for one in signed] == [True]
    assert provisioning_client(region="eu-west-3", endpoint=None, session=session).meta.region_name == "eu-west-3"


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


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_the_first_secrets_of_a_tag_are_read_alone(store: ProvisioningStore, most: int) -> None:
    for number in ("2", "1", "3"):
        store.write(Put(Key(Table.SECRETS, "t", number), {"end_ts": 1}))

    found = store.secrets("t", only=("id",), most=most)

    assert [row["id"] for row in found] == ["1", "2", "3"][:most]


# -- as it is wired ---------------------------------------------------------------------------------------------------


def test_what_judges_tokens_for_operators_remembers_nothing(dynamodb: "DynamoDBClient", moto_endpoint: str) -> None:
    """So whoever changes a row and tries a token is told what every login will be told."""
    make_table(dynamodb, "jwt_profiles", "tag")
    make_table(dynamodb, "jwt_secrets", "corresponding_tag", "id")
    make_table(dynamodb, "revoked", "tag", "jti")
    client = provisioning_client(region=REGION, endpoint=moto_endpoint)
    settings = Settings.from_env({"REVOCATIONS_TABLE": "revoked", "LOAD_CREDENTIALS": "caller_id"})
    provisioning = provisioning_of(settings, client, actor="op", audit=lambda _: None, clock=Clock())
    authorizer, profiles = provisioning.registry.authorizer, provisioning.profiles
    profiles.create("t", "alice", attributes={"caller_id": "7"}, secret=NewSecret())
    asked: list[tuple[str, bool]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        tables_named = params.get("RequestItems", {params.get("TableName"): params})
        asked.extend((str(name), of.get("ConsistentRead", False)) for name, of in tables_named.items())

    minted = provisioning.tokens.mint("t", jti="j")
    token = minted.token
    assert minted.answer.credentials == {"caller_id": "7"}
    client.meta.events.register("provide-client-params.dynamodb", note)
    authorizer.authorize(token)
    assert {("jwt_profiles", True), ("jwt_secrets", True)} <= set(asked)

    profiles.disable("t")
    assert refusal(lambda: authorizer.authorize(token)) is Reason.DISABLED_PROFILE
    profiles.enable("t")
    provisioning.revocations.revoke("t", "j")
    assert refusal(lambda: authorizer.authorize(token)) is Reason.REVOKED_TOKEN
    provisioning.revocations.lift("t", "j")
    authorizer.authorize(token)

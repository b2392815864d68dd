"""One contract for every `RowsStore`: the fake that the other suites lean on may not differ from DynamoDB."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from auth_jwt.aws.client import Client
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.credentials import Credential
from auth_jwt.models import Columns, Profile, TagRows
from auth_jwt.ports import Deadline, RowsStore
from tests.contract.clients import LANES, a_client
from tests.fakes import MemoryStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Rows = list[dict[str, object]]
StoreOf = Callable[[Rows, Rows], RowsStore]

PLAIN = Columns()
ODD = Columns(  # reserved words, dots, blanks, placeholders and non-ASCII are only ever names
    tag="key",
    username="user.name",
    domain="#domain",
    disabled=":disabled",
    valid_after="after, then",
    secret_tag="select",
    secret="value",
    start="from",
    end="to",
    alg="größe",
    kid="x" * 255,
)
CREDENTIALS = (Credential("caller", "display_name"), Credential("size", "size"))


def typed(row: Mapping[str, object]) -> dict[str, Any]:
    """A row as DynamoDB is given it; what is already typed stays."""
    serialize = TypeSerializer().serialize
    return {column: value if isinstance(value, dict) else serialize(value) for column, value in row.items()}


@cache
def the_client(lane: str, endpoint: str) -> Client:
    return a_client(lane, endpoint, seconds=30)


@pytest.fixture(name="columns", params=[PLAIN, ODD], ids=["plain columns", "odd columns"])
def _columns(request: pytest.FixtureRequest) -> Columns:
    columns: Columns = request.param
    return columns


@pytest.fixture(name="store_of", params=["memory", *LANES])
def _store_of(request: pytest.FixtureRequest, columns: Columns) -> StoreOf:
    if request.param == "memory":
        return lambda profiles, secrets: MemoryStore(profiles, secrets, columns, CREDENTIALS)
    tables: DynamoDBClient = request.getfixturevalue("dynamodb")
    client = the_client(request.param, request.getfixturevalue("moto_endpoint"))

    def store_of(profiles: Rows, secrets: Rows) -> RowsStore:
        fill(tables, columns, profiles, secrets)
        return DynamoDbStore(
            lambda: client,
            profiles_table="profiles",
            secrets_table="secrets",
            columns=columns,
            credentials=CREDENTIALS,
        )

    return store_of


def fill(client: "DynamoDBClient", columns: Columns, profiles: Rows, secrets: Rows) -> None:
    client.create_table(
        TableName="profiles",
        AttributeDefinitions=[{"AttributeName": columns.tag, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": columns.tag, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.create_table(
        TableName="secrets",
        AttributeDefinitions=[
            {"AttributeName": columns.secret_tag, "AttributeType": "S"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": columns.secret_tag, "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for table, rows in (("profiles", profiles), ("secrets", secrets)):
        for row in rows:
            client.put_item(TableName=table, Item=typed(row))


def read(store: RowsStore, tag: str, *, consistent: bool = False) -> TagRows:
    return store.read(tag, consistent=consistent, deadline=Deadline(30))


def a_secret(
    columns: Columns, tag: str = "alice", number: int = 1, more: Mapping[str, object] | None = None
) -> dict[str, object]:
    return {
        columns.secret_tag: tag,
        "id": str(number),
        columns.secret: f"secret {number}",
        columns.start: 10,
        columns.end: 20,
        **(more or {}),
    }


def test_a_tag_without_rows_has_none(store_of: StoreOf) -> None:
    assert read(store_of([], []), "alice") == TagRows(None, ())


@pytest.mark.parametrize("consistent", [False, True])
def test_all_rows_of_a_tag_and_of_no_other_are_read(store_of: StoreOf, columns: Columns, consistent: bool) -> None:
    store = store_of(
        [{columns.tag: "alice", columns.username: "a"}, {columns.tag: "bob", columns.username: "b"}],
        [a_secret(columns, "alice", 1), a_secret(columns, "alice", 2), a_secret(columns, "bob", 3)],
    )

    rows = read(store, "alice", consistent=consistent)

    assert rows.profile == Profile("a")
    assert [(secret.id, secret.stored) for secret in rows.secrets] == [("1", "secret 1"), ("2", "secret 2")]


@pytest.mark.matrix
@pytest.mark.parametrize(
    "other", ["Alice", "alice ", " alice", "alic\u0435", "ALICE", "a" * 128, "'; --", ":tag", "#c0"]
)
def test_tags_are_compared_exactly(store_of: StoreOf, columns: Columns, other: str) -> None:
    store = store_of(
        [{columns.tag: "alice", columns.username: "a"}], [a_secret(columns, "alice"), a_secret(columns, other, 7)]
    )

    assert [secret.id for secret in read(store, other).secrets] == ["7"]
    assert read(store, other).profile is None


def test_every_attribute_of_a_secret_is_read(store_of: StoreOf, columns: Columns) -> None:
    row = a_secret(columns, more={columns.alg: "HS256, HS512", columns.kid: "k1"})

    (secret,) = read(store_of([], [row]), "alice").secrets

    assert (secret.start, secret.end) == (Decimal(10), Decimal(20))
    assert secret.algorithms == frozenset({"HS256", "HS512"})
    assert secret.kid == "k1"
    assert secret.flaw is None


@pytest.mark.matrix
@pytest.mark.parametrize(
    "bound",
    [
        pytest.param("10", id="text"),
        pytest.param(None, id="NULL"),
        pytest.param(True, id="boolean"),
        pytest.param([10], id="list"),
    ],
)
def test_a_bound_that_is_no_number_is_none(store_of: StoreOf, columns: Columns, bound: object) -> None:
    (secret,) = read(store_of([], [a_secret(columns, more={columns.start: bound})]), "alice").secrets

    assert secret.start is None
    assert not secret.is_open(15)


def test_a_missing_bound_is_none(store_of: StoreOf, columns: Columns) -> None:
    row = a_secret(columns)
    del row[columns.end]

    (secret,) = read(store_of([], [row]), "alice").secrets

    assert secret.end is None


@pytest.mark.matrix
@pytest.mark.parametrize("odd", [7, None, True, ["HS256"]], ids=["number", "NULL", "boolean", "list"])
@pytest.mark.parametrize("column", ["alg", "kid"])
def test_a_secret_whose_alg_or_kid_is_no_text_is_unusable(
    store_of: StoreOf, columns: Columns, column: str, odd: object
) -> None:
    row = a_secret(columns, more={getattr(columns, column): odd})

    (secret,) = read(store_of([], [row]), "alice").secrets

    assert secret.unusable is not None


@pytest.mark.matrix
@pytest.mark.parametrize("stored", [7, None, True, ["x"], b"x", ""], ids=repr)
def test_a_secret_that_is_no_text_is_unusable(store_of: StoreOf, columns: Columns, stored: object) -> None:
    (secret,) = read(store_of([], [a_secret(columns, more={columns.secret: stored})]), "alice").secrets

    assert secret.unusable is not None


def test_every_attribute_of_a_profile_is_read(store_of: StoreOf, columns: Columns) -> None:
    row = {
        columns.tag: "alice",
        columns.username: "a",
        columns.domain: "example.org",
        columns.disabled: True,
        columns.valid_after: 1_700_000_000,
        "display_name": "Alice",
        "size": Decimal("12.340000000000000000000000000000000001"),
        "not asked for": "x",
    }

    assert read(store_of([row], []), "alice").profile == Profile(
        username="a",
        domain="example.org",
        disabled=True,
        valid_after=Decimal(1_700_000_000),
        attributes={"display_name": "Alice", "size": Decimal("12.340000000000000000000000000000000001")},
    )


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("value", "disabled"),
    [(False, False), (0, False), (Decimal("0.0"), False), (True, True), (1, True), ("false", True), ("", True),
     (None, True), (["x"], True)],
    ids=repr,
)  # fmt: skip
def test_only_false_and_zero_enable_a_profile(
    store_of: StoreOf, columns: Columns, value: object, disabled: bool
) -> None:
    profile = read(store_of([{columns.tag: "alice", columns.disabled: value}], []), "alice").profile

    assert profile is not None
    assert profile.disabled is disabled


@pytest.mark.matrix
@pytest.mark.parametrize("value", ["soon", None, True, [1]], ids=["text", "NULL", "boolean", "list"])
def test_a_time_of_revocation_that_is_no_number_is_kept_as_such(
    store_of: StoreOf, columns: Columns, value: object
) -> None:
    profile = read(store_of([{columns.tag: "alice", columns.valid_after: value}], []), "alice").profile

    assert profile is not None
    assert profile.valid_after is not None
    assert not isinstance(profile.valid_after, Decimal)


@pytest.mark.matrix
@pytest.mark.parametrize("username", [None, "", 7, True], ids=["NULL", "empty", "number", "boolean"])
def test_a_username_that_is_no_text_is_none(store_of: StoreOf, columns: Columns, username: object) -> None:
    profile = read(store_of([{columns.tag: "alice", columns.username: username}], []), "alice").profile

    assert profile == Profile(None)


def test_a_profile_with_nothing_but_its_tag_exists(store_of: StoreOf, columns: Columns) -> None:
    assert read(store_of([{columns.tag: "alice"}], []), "alice").profile == Profile(None)


def test_pages_are_followed(store_of: StoreOf, columns: Columns) -> None:
    """Twelve secrets of 200 kB are more than the megabyte of one page."""
    long = [a_secret(columns, "alice", 10 + number, {columns.secret: "x" * 200_000}) for number in range(12)]

    assert [secret.id for secret in read(store_of([], long), "alice").secrets] == [
        str(10 + number) for number in range(12)
    ]

"""One contract for every store of issuers: the fake may not differ from DynamoDB, whichever client asks it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from auth_jwt.aws.client import Client
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.aws.issuers import DynamoDbIssuers
from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import Fault, Invalid, Unreachable
from auth_jwt.issuers.models import Issuer
from auth_jwt.issuers.ports import IssuersStore, ProfilesStore
from auth_jwt.models import Columns, Half
from auth_jwt.ports import Deadline, HalfRead
from tests.contract.clients import LANES, a_client
from tests.fakes import MemoryIssuers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Rows = list[dict[str, object]]
StoreOf = Callable[[Rows, Rows], IssuersStore]
ProfilesOf = Callable[[Rows], ProfilesStore]

ISSUER = "https://login.example.com/realms/sip"
CONFIGURATION = json.dumps({"keys_url": f"{ISSUER}/keys", "audiences": ["sip"]})
PLAN = parse_credentials("plan")


def a_store(client: Callable[[], Any]) -> DynamoDbIssuers:
    return DynamoDbIssuers(client, profiles_table="profiles", secrets_table="secrets", columns=Columns())


@pytest.fixture(name="client_of", params=["memory", *LANES])
def _client_of(request: pytest.FixtureRequest) -> Callable[[Rows, Rows], Client] | None:
    """Fills the tables, and returns what asks them; None where the rows stay in memory."""
    if request.param == "memory":
        return None
    tables: DynamoDBClient = request.getfixturevalue("dynamodb")
    client = a_client(request.param, request.getfixturevalue("moto_endpoint"), seconds=30)

    def client_of(profiles: Rows, secrets: Rows) -> Client:
        for table, keys, rows in (("profiles", ["tag"], profiles), ("secrets", ["corresponding_tag", "id"], secrets)):
            tables.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}  # type: ignore[typeddict-item]
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            for row in rows:
                tables.put_item(TableName=table, Item={name: typed(value) for name, value in row.items()})
        return client

    return client_of


@pytest.fixture(name="store_of")
def _store_of(client_of: Callable[[Rows, Rows], Client] | None) -> StoreOf:
    def store_of(profiles: Rows, secrets: Rows) -> IssuersStore:
        if client_of is None:
            return MemoryIssuers(profiles, secrets)
        client = client_of(profiles, secrets)
        return a_store(lambda: client)

    return store_of


@pytest.fixture(name="profiles_of")
def _profiles_of(client_of: Callable[[Rows, Rows], Client] | None) -> ProfilesOf:
    def profiles_of(profiles: Rows) -> ProfilesStore:
        if client_of is None:
            return MemoryIssuers(profiles, credentials=PLAN)
        client = client_of(profiles, [])
        return DynamoDbStore(
            lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns(), credentials=PLAN
        )

    return profiles_of


def typed(value: object) -> Any:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def test_an_issuer_has_its_configuration_and_its_keys(store_of: StoreOf) -> None:
    store = store_of(
        [
            {"tag": ISSUER, "issuer_config": CONFIGURATION, "issuer_version": 3, "disabled": True},
            {"tag": f"{ISSUER}/", "issuer_config": "another issuer's"},
        ],
        [
            {
                "corresponding_tag": ISSUER,
                "id": "issuer-keys",
                "issuer_keys": '{"keys":[]}',
                "issuer_keys_url": "https://a",
            },
            {"corresponding_tag": ISSUER, "id": "issuer-status", "issuer_fetched_at": 5, "issuer_next_fetch_at": "6.5"},
            {"corresponding_tag": ISSUER, "id": "something else"},
        ],
    )

    rows = store.read_issuer(ISSUER, consistent=True, deadline=Deadline(30))

    assert isinstance(rows.issuer, Issuer)
    assert (rows.issuer.version, rows.issuer.disabled, rows.issuer.audiences) == (3, True, ("sip",))
    assert rows.fetched.key_set is not None
    assert (rows.fetched.key_set.text, rows.fetched.key_set.url) == ('{"keys":[]}', "https://a")
    assert (rows.fetched.fetched_at, rows.fetched.next_fetch_at) == (5, None)


def test_an_issuer_without_rows_has_nothing(store_of: StoreOf) -> None:
    rows = store_of([], []).read_issuer(ISSUER, consistent=False, deadline=Deadline(30))

    assert (rows.issuer, rows.fetched.key_set, rows.fetched.fetched_at) == (None, None, None)


def test_a_configuration_that_cannot_be_used_says_why(store_of: StoreOf) -> None:
    store = store_of([{"tag": ISSUER, "issuer_config": "{"}], [])

    assert isinstance(store.read_issuer(ISSUER, consistent=True, deadline=Deadline(30)).issuer, Invalid)


def test_a_user_has_the_profile_of_issuer_and_sub(profiles_of: ProfilesOf) -> None:
    store = profiles_of([{"tag": f"{ISSUER}#1", "sip_username": "alice", "plan": Decimal(7), "more": "x"}])

    profile = store.read_profile(f"{ISSUER}#1", consistent=True, deadline=Deadline(30))

    assert profile is not None
    assert (profile.username, profile.attributes) == ("alice", {"plan": Decimal(7)})
    assert store.read_profile(f"{ISSUER}#2", consistent=True, deadline=Deadline(30)) is None


class Recording:
    """A client that finds nothing, and notes which reads have to see every write."""

    def __init__(self) -> None:
        self.consistent: list[bool] = []

    def get_item(self, **question: Any) -> dict[str, Any]:
        self.consistent.append(question["ConsistentRead"])
        return {}

    def query(self, **question: Any) -> dict[str, Any]:
        self.consistent.append(question["ConsistentRead"])
        return {"Items": []}


@pytest.mark.parametrize("consistent", [False, True])
def test_a_second_look_sees_every_write_in_both_tables(consistent: bool) -> None:
    """A read that is only eventually consistent may miss the row that an operator has just written."""
    client = Recording()
    profiles = DynamoDbStore(lambda: client, profiles_table="profiles", secrets_table="secrets", columns=Columns())

    a_store(lambda: client).read_issuer(ISSUER, consistent=consistent, deadline=Deadline(30))
    profiles.read_profile(f"{ISSUER}#1", consistent=consistent, deadline=Deadline(30))
    profiles.read("static", consistent=consistent, deadline=Deadline(30))

    assert client.consistent == [consistent] * 5


class OneTable:
    """A client that has one of the two tables only."""

    def __init__(self, *, profiles: bool, error: Exception) -> None:
        self.profiles, self.error = profiles, error

    def get_item(self, **_: object) -> dict[str, Any]:
        if self.profiles:
            return {"Item": {"tag": {"S": ISSUER}, "issuer_config": {"S": CONFIGURATION}}}
        raise self.error

    def query(self, **_: object) -> dict[str, Any]:
        if self.profiles:
            raise self.error
        return {"Items": []}


@pytest.mark.parametrize(("profiles", "half"), [(True, Half.PROFILE), (False, Half.SECRETS)], ids=["profiles", "keys"])
def test_what_was_read_of_one_table_counts(profiles: bool, half: Half) -> None:
    store = a_store(lambda: OneTable(profiles=profiles, error=Unreachable("away")))

    with pytest.raises(HalfRead) as raised:
        store.read_issuer(ISSUER, consistent=False, deadline=Deadline(0.05))

    assert raised.value.half is half


class NoTable(OneTable):
    """A client that has none, each for a reason of its own."""

    def query(self, **_: object) -> dict[str, Any]:
        raise Fault("missing")


def test_without_both_the_fault_that_somebody_must_mend_is_raised() -> None:
    store = a_store(lambda: NoTable(profiles=False, error=Unreachable("away")))

    with pytest.raises(Fault, match="missing"):
        store.read_issuer(ISSUER, consistent=False, deadline=Deadline(0.05))

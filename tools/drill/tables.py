"""Tables as a drill looks at them: their settings, and how many rows of which content they hold."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]

_ITEMS_AT_ONCE: Final = 25  # of a BatchWriteItem
_SECONDS_BETWEEN_LOOKS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Census:
    """How many rows a table holds, and which.

    Attributes:
        digests: a keyed digest for each row. Each drill makes up its key, so digests of two drills never agree, and
            nobody can try values by them.
    """

    digests: frozenset[str] = field(repr=False)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.digests)

    @property
    def digest(self) -> str:
        """One short digest of all rows."""
        return hashlib.sha256("".join(sorted(self.digests)).encode()).hexdigest()[:12]

    def difference(self, other: "Census") -> int:
        """Return how many rows only one of both has; a row that changed counts twice."""
        return len(self.digests ^ other.digests)

    def __str__(self) -> str:
        """Count and digest."""
        return f"{self.count} rows, digest {self.digest}"


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts rows and digests them, by a key of its own."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def census(self, items: Iterable[Item]) -> Census:
        """Return what a table with these *items* holds."""
        return Census(frozenset(map(self._digest, items)))

    def _digest(self, item: Item) -> str:
        text = json.dumps(_in_one_form(item), sort_keys=True, separators=(",", ":"))
        return hmac.new(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _in_one_form(value: Any) -> Any:  # noqa: ANN401 - any attribute
    """Return an attribute in a form that does not depend on the order of a set, or on how octets are given."""
    if isinstance(value, Mapping):
        return {
            name: sorted(map(str, item)) if name in ("SS", "NS", "BS") else _in_one_form(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_in_one_form(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What a table is besides its rows and its keys. A restored table has only part of it.

    Attributes:
        on_demand: whether it is billed by request.
        read_bound: the most read units a second; None without a bound.
        deletion_protection: whether it cannot be deleted at once.
        recovery: whether it can be restored to a point in time.
        expiring: the attribute by which rows are deleted; None when none are.
        encryption: the KMS key; empty for DynamoDB's own.
        tags: its tags, without those that AWS sets.
    """

    on_demand: bool
    read_bound: int | None
    deletion_protection: bool
    recovery: bool
    expiring: str | None
    encryption: str
    tags: frozenset[tuple[str, str]]

    def differences(self, other: "TableSettings") -> list[str]:
        """Return the names of what differs."""
        return [name for name in self.__slots__ if getattr(self, name) != getattr(other, name)]


def settings_of(client: "DynamoDBClient", table: str) -> TableSettings:
    """Return the settings of a table."""
    described = client.describe_table(TableName=table)["Table"]
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery: Mapping[str, Any] = backups.get("PointInTimeRecoveryDescription", {})
    ttl: Mapping[str, Any] = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=described["TableArn"]).get("Tags", [])
    bound = described.get("OnDemandThroughput", {}).get("MaxReadRequestUnits", -1)
    return TableSettings(
        on_demand=described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        read_bound=None if bound == -1 else bound,
        deletion_protection=bool(described.get("DeletionProtectionEnabled")),
        recovery=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
        expiring=ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None,
        encryption=described.get("SSEDescription", {}).get("KMSMasterKeyArn", ""),
        tags=frozenset((tag["Key"], tag["Value"]) for tag in tags if not tag["Key"].startswith("aws:")),
    )


def establish(client: "DynamoDBClient", table: str, wanted: TableSettings) -> None:
    """Give a restored table the settings that no restore brings. Encryption and billing are chosen by the restore."""
    found = settings_of(client, table)
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    if wanted.recovery and not found.recovery:
        client.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    if wanted.expiring is not None and found.expiring != wanted.expiring:
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": wanted.expiring}
        )
    if missing := wanted.tags - found.tags:
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in sorted(missing)])
    changes: dict[str, Any] = {}
    if wanted.deletion_protection and not found.deletion_protection:
        changes["DeletionProtectionEnabled"] = True
    if wanted.on_demand and not found.on_demand:
        changes["BillingMode"] = "PAY_PER_REQUEST"
    if wanted.read_bound != found.read_bound and wanted.read_bound is not None:
        changes["OnDemandThroughput"] = {"MaxReadRequestUnits": wanted.read_bound}
    if changes:
        client.update_table(TableName=table, **changes)
        wait_until_active(client, table)


def wait_until_active(
    client: "DynamoDBClient", table: str, *, seconds: float = 6 * 3600, pause: Callable[[float], None] = time.sleep
) -> None:
    """Wait until a table can be used.

    Raises:
        TimeoutError: it cannot after so many *seconds*.
    """
    deadline = time.monotonic() + seconds
    while client.describe_table(TableName=table)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise TimeoutError(f"the table {table} is not active after {seconds:g} s")
        pause(_SECONDS_BETWEEN_LOOKS)


def scan(client: "DynamoDBClient", table: str) -> Iterator[Item]:
    """Give every row of a table, in DynamoDB's own form."""
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def fill(client: "DynamoDBClient", table: str, items: Iterable[Item]) -> None:
    """Write rows into a table, as they are."""
    waiting: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
    while waiting:
        batch, waiting = waiting[:_ITEMS_AT_ONCE], waiting[_ITEMS_AT_ONCE:]
        left = client.batch_write_item(RequestItems={table: batch}).get("UnprocessedItems", {})
        waiting += left.get(table, [])


def remove(client: "DynamoDBClient", table: str) -> None:
    """Delete a table, though it is protected, or still being made: it is waited for, since DynamoDB refuses before.

    Raises:
        TimeoutError: it cannot be used after hours.
        WaiterError: it is not gone after minutes.
        ClientError: AWS refuses.
    """
    wait_until_active(client, table)
    if client.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
        client.update_table(TableName=table, DeletionProtectionEnabled=False)
        wait_until_active(client, table)
    client.delete_table(TableName=table)
    client.get_waiter("table_not_exists").wait(TableName=table)

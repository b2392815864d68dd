"""The tables in DynamoDB, for provisioning. It uses boto3, because no login waits for a cold start here.

Every write of an operator is a transaction, even of a single row. DynamoDB recognizes a repeated transaction by its
token, so a retry after a lost answer does not fail because the row exists already. `update` is for what is written
every minute.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from auth_jwt.aws.merging import merged
from auth_jwt.aws.reads import placeholders, row_of
from auth_jwt.aws.sdk_guard import guard
from auth_jwt.errors import Fault, Unreachable
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import (
    EVERY_ROW,
    MISSING,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    NoIndex,
    Overtaken,
    Page,
    Put,
    RowFilter,
    ScannedPage,
    Table,
    Update,
)

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

_CONNECT_SECONDS: Final = 2
_READ_SECONDS: Final = 4
_SDK_ATTEMPTS: Final = 3
_SDK_PAUSE_SECONDS: Final = 3  # all pauses between attempts together: at most one second, then two
PATIENCE_SECONDS: Final = _SDK_ATTEMPTS * (_CONNECT_SECONDS + _READ_SECONDS) + _SDK_PAUSE_SECONDS
"""The longest time until a call fails. A function needs a longer timeout, or it cannot report the failure."""

USERNAME_INDEX: Final = "by_sip_user"
"""The index of the profiles table: partition key `USERNAME_COLUMN`, sort key `TAG_COLUMN`. A table may lack it.

docs/decisions/0040 says why it is so, and template.yaml makes it where `UsernameIndex` is true.
"""
_DENIED: Final = "AccessDeniedException"
_NO_INDEX: Final = frozenset({"ValidationException", "ResourceNotFoundException", _DENIED})
"""The codes of a Query of an index that is not there, is still being filled, or may not be asked."""

_ATTEMPTS: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.05
_FAILED_CONDITION: Final = "ConditionalCheckFailed"
_RETRYABLE: Final = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})


class DynamoDbTables:
    """The port `ProvisioningStore` over DynamoDB.

    Args:
        client: boto3's client for DynamoDB; this class guards it, see `auth_jwt.aws.sdk_guard`.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        revocations_table: name of the table of revoked tokens; None when there is none.
        columns: the names of the columns.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        profiles_table: str,
        secrets_table: str,
        revocations_table: str | None,
        columns: Columns,
    ) -> None:
        guard(client)
        self._client = client
        self._names = {
            Table.PROFILES: profiles_table,
            Table.SECRETS: secrets_table,
            Table.REVOCATIONS: revocations_table,
        }
        self._columns = columns

    @property
    def keeps_revocations(self) -> bool:
        """Whether there is a table of revoked tokens."""
        return self._names[Table.REVOCATIONS] is not None

    def profile(self, tag: str, *, only: Sequence[str] | None = None) -> Row | None:
        """Return the profile of *tag*; see `ProvisioningStore`."""
        return self._row(Key(Table.PROFILES, tag), only)

    def profiles(self, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* profiles; see `ProvisioningStore`."""
        question: Any = {"TableName": self._name(Table.PROFILES), "Limit": limit, "ConsistentRead": True}
        if after is not None:
            question["ExclusiveStartKey"] = self._key(Key(Table.PROFILES, after))
        answer = self._call("dynamodb:Scan", Table.PROFILES, call=lambda: self._client.scan(**question))
        return _page(answer, self._columns.tag)

    def profiles_of(self, username: str, *, after: str | None, limit: int) -> Page:
        """Return the tags of profiles with this *username*, by the index; see `ProvisioningStore`."""
        table, tag = self._name(Table.PROFILES), self._columns.tag
        question: Any = {
            "TableName": table,
            "IndexName": USERNAME_INDEX,
            "KeyConditionExpression": "#username = :username",
            "ExpressionAttributeNames": {"#username": self._columns.username},
            "ExpressionAttributeValues": {":username": {"S": username}},
            "Limit": limit,
        }
        if after is not None:
            question["ExclusiveStartKey"] = {self._columns.username: {"S": username}, tag: {"S": after}}
        action = f"dynamodb:Query on index {USERNAME_INDEX!r} of table {table!r}"
        try:
            with _translate_errors(action):
                answer = self._client.query(**question)
        except Fault as fault:
            code = fault.__cause__.code if isinstance(fault.__cause__, Refused) else None
            if code not in _NO_INDEX:
                raise
            raise NoIndex(str(fault), is_denied=code == _DENIED) from fault.__cause__
        return _page(answer, tag)

    def scan_profiles(
        self, *, where: RowFilter = EVERY_ROW, after: str | None = None, segments: int = 1
    ) -> Iterator[ScannedPage]:
        """Give the rows of the profiles table that fit; see `ProvisioningStore`."""
        question = _filtered(where)
        if segments > 1:
            parts = [{**question, "Segment": number, "TotalSegments": segments} for number in range(segments)]
            return merged([partial(self._scan, Table.PROFILES, part) for part in parts])
        if after is not None:
            question["ExclusiveStartKey"] = self._key(Key(Table.PROFILES, after))
        return self._scan(Table.PROFILES, question, self._columns.tag)

    def secrets(self, tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        """Return all secrets of *tag*; see `ProvisioningStore`."""
        rows: list[Row] = []
        last: Mapping[str, Any] | None = None
        while True:
            left = None if most is None else most - len(rows)
            answer = self._query(Table.SECRETS, self._columns.secret_tag, tag, last, left, only)
            rows.extend(map(row_of, answer["Items"]))
            last = answer.get("LastEvaluatedKey")
            if last is None or len(rows) == most:
                return rows

    def scan_secrets(self, *, only: Sequence[str] | None, where: RowFilter = EVERY_ROW) -> Iterator[ScannedPage]:
        """Give the rows of the secrets table that fit; see `ProvisioningStore`."""
        question, selection = _filtered(where), _selection(only)
        names = {**selection.get("ExpressionAttributeNames", {}), **question.get("ExpressionAttributeNames", {})}
        if names:
            question["ExpressionAttributeNames"] = names
        return self._scan(Table.SECRETS, {**selection, **question})

    def revocation(self, tag: str, jti: str) -> Row | None:
        """Return the row that revokes this token; see `ProvisioningStore`."""
        return self._row(Key(Table.REVOCATIONS, tag, jti))

    def revocations(self, tag: str, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* revoked tokens of *tag*; see `ProvisioningStore`."""
        last = None if after is None else self._key(Key(Table.REVOCATIONS, tag, after))
        return _page(self._query(Table.REVOCATIONS, REVOCATION_TAG, tag, last, limit), REVOCATION_JTI)

    def write(self, *changes: Change) -> None:
        """Make all *changes*, or none of them; see `ProvisioningStore`."""
        items = [self._item(change) for change in changes]
        tables = {change.key.table for change in changes}
        token = secrets.token_hex(16)  # the SDK's retries and ours send the same token
        for attempt in range(_ATTEMPTS):
            try:
                self._call(
                    "dynamodb:TransactWriteItems",
                    *sorted(tables),
                    call=lambda: self._client.transact_write_items(TransactItems=items, ClientRequestToken=token),
                )
            except _Cancelled as cancelled:
                failed = [key for key, code in cancelled.codes(changes) if code == _FAILED_CONDITION]
                if failed:
                    raise Overtaken(failed[0]) from None
                codes = {code for _, code in cancelled.codes(changes)} - {"None"}
                if not codes <= _RETRYABLE:
                    raise Fault(f"dynamodb:TransactWriteItems is refused: {', '.join(sorted(codes))}") from None
                if attempt + 1 == _ATTEMPTS:
                    raise Unreachable("other writes kept changing the same rows; try again") from None
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * secrets.randbelow(1000) / 1000)
            except Fault as fault:
                cause = fault.__cause__
                if isinstance(fault, Unreachable) or not (isinstance(cause, Refused) and cause.is_repeated):
                    raise
                raise unknown_outcome(fault) from cause
            else:
                return

    def update(self, change: Update) -> None:
        """Make one *change*, by a call of its own that is no transaction; see `ProvisioningStore`."""
        item = self._item(change)["Update"]
        try:
            self._call("dynamodb:UpdateItem", change.key.table, call=lambda: self._client.update_item(**item))
        except _ConditionFailed:
            raise Overtaken(change.key) from None

    def _scan(self, table: Table, question: dict[str, Any], next_by: str | None = None) -> Iterator[ScannedPage]:
        """Read a table page by page; *next_by* is the column of its key that says where a page ends."""
        question = {**question, "TableName": self._name(table)}
        while True:
            answer = self._call("dynamodb:Scan", table, call=partial(self._client.scan, **question))
            last = answer.get("LastEvaluatedKey")
            rows = list(map(row_of, answer["Items"]))
            units, looked_at = answer["ConsumedCapacity"].get("CapacityUnits", 0.0), answer.get("ScannedCount", 0)
            following = None if last is None or next_by is None else last[next_by]["S"]
            yield ScannedPage(rows, units, max(looked_at, len(rows)), following)
            if last is None:
                return
            question["ExclusiveStartKey"] = last

    def _row(self, key: Key, only: Sequence[str] | None = None) -> Row | None:
        question: Any = {"TableName": self._name(key.table), "Key": self._key(key), "ConsistentRead": True}
        question |= _projection(only)
        answer = self._call("dynamodb:GetItem", key.table, call=lambda: self._client.get_item(**question))
        item = answer.get("Item")
        return None if item is None else row_of(item)

    def _query(
        self,
        table: Table,
        column: str,
        tag: str,
        last: Mapping[str, Any] | None,
        limit: int | None,
        only: Sequence[str] | None = None,
    ) -> Mapping[str, Any]:
        projection = _selection(only)
        names = projection.pop("ExpressionAttributeNames", {})
        question: Any = {
            **projection,
            "TableName": self._name(table),
            "KeyConditionExpression": "#tag = :tag",
            "ExpressionAttributeNames": {**names, "#tag": column},
            "ExpressionAttributeValues": {":tag": {"S": tag}},
            "ConsistentRead": True,
        }
        if last is not None:
            question["ExclusiveStartKey"] = last
        if limit is not None:
            question["Limit"] = limit
        return self._call("dynamodb:Query", table, call=lambda: self._client.query(**question))

    def _name(self, table: Table) -> str:
        name = self._names[table]
        if name is None:
            raise Fault("REVOCATIONS_TABLE is not set")
        return name

    def _key(self, key: Key) -> dict[str, Any]:
        if key.table is Table.PROFILES:
            return {self._columns.tag: {"S": key.tag}}
        if key.table is Table.SECRETS:
            return {self._columns.secret_tag: {"S": key.tag}, SECRET_ID: {"S": key.id}}
        return {REVOCATION_TAG: {"S": key.tag}, REVOCATION_JTI: {"S": key.id}}

    def _item(self, change: Change) -> Any:  # noqa: ANN401 - one item of a transaction, in the API's form
        key = self._key(change.key)
        names, values = _Placeholders("#c"), _Placeholders(":v")
        part: dict[str, Any] = {"TableName": self._name(change.key.table)}
        if isinstance(change, Put):
            kind, part["Item"] = "Put", {**{name: _to_dynamodb(value) for name, value in change.columns.items()}, **key}
        else:
            kind, part["Key"] = "Update", key
            if isinstance(change, Delete):
                kind = "Delete"
            elif isinstance(change, Check):
                kind = "ConditionCheck"
            else:
                part["UpdateExpression"] = _update(change.columns, names, values)
        condition = _condition(change.expected, next(iter(key)), names, values)
        if condition:
            part["ConditionExpression"] = condition
        if names:
            part["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
        if values.given:
            part["ExpressionAttributeValues"] = {name: _to_dynamodb(value) for name, value in values.given.items()}
        return {kind: part}

    def _call(self, action: str, *tables: Table, call: Callable[[], Any]) -> Mapping[str, Any]:
        action += f" on table {' and '.join(repr(self._names[table]) for table in tables)}"
        with _translate_errors(action):
            return call()  # type: ignore[no-any-return]


def unknown_outcome(fault: Fault) -> Unreachable:
    """Return the error of a write that an earlier attempt may have made, before the *fault* of the last one."""
    return Unreachable(f"{fault}; an earlier attempt got no answer, so the write may have been done")


class _ConditionFailed(Exception):
    """The row of an update is not as expected."""


class _Cancelled(Exception):
    """DynamoDB cancelled a transaction."""

    def __init__(self, reasons: list[Mapping[str, Any]]) -> None:
        super().__init__("cancelled")
        self._reasons = reasons

    def codes(self, changes: tuple[Change, ...]) -> list[tuple[Key, str]]:
        """Return DynamoDB's reason code for each of *changes*; the text `None` marks a change that was fine."""
        return [
            (change.key, reason.get("Code", "None")) for change, reason in zip(changes, self._reasons, strict=False)
        ]


class _Placeholders(dict[str, str]):
    """Placeholders for an expression: one for each name, and a new one for each value."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix
        self.given: dict[str, object] = {}

    def of(self, name: str) -> str:
        """Return the placeholder for a *name*, the same one each time."""
        return self.setdefault(name, f"{self._prefix}{len(self)}")

    def hold(self, value: object) -> str:
        """Return a new placeholder for a *value*."""
        placeholder = f"{self._prefix}{len(self.given)}"
        self.given[placeholder] = value
        return placeholder


def _projection(only: Sequence[str] | None) -> dict[str, Any]:
    if only is None:
        return {}
    names = placeholders(list(only))
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _selection(only: Sequence[str] | None) -> dict[str, Any]:
    """Return the projection of a Query or a Scan. It says `Select`, so that a role can demand that.

    The condition key `dynamodb:Select` is that parameter:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html.
    """
    return {} if only is None else {**_projection(only), "Select": "SPECIFIC_ATTRIBUTES"}


def _filtered(where: RowFilter) -> dict[str, Any]:
    """Return the filter of a Scan. Its placeholders differ from those of `_selection`, beside which it may stand."""
    names, values = _Placeholders("#f"), _Placeholders(":f")
    parts = [
        f"({' OR '.join(f'{names.of(name)} = {values.hold(value)}' for value in given)})"
        for name, given in where.one_of.items()
    ]
    parts += [f"begins_with({names.of(name)}, {values.hold(text)})" for name, text in where.beginnings.items()]
    parts += [f"attribute_exists({names.of(name)})" for name in where.present]
    if not parts:
        return {}
    asked: dict[str, Any] = {
        "FilterExpression": " AND ".join(parts),
        "ExpressionAttributeNames": {placeholder: name for name, placeholder in names.items()},
    }
    if values.given:
        asked["ExpressionAttributeValues"] = {name: _to_dynamodb(value) for name, value in values.given.items()}
    return asked


def _update(columns: Row, names: _Placeholders, values: _Placeholders) -> str:
    sets = [f"{names.of(name)} = {values.hold(value)}" for name, value in columns.items() if value is not MISSING]
    removes = [names.of(name) for name, value in columns.items() if value is MISSING]
    return " ".join(f"{word} {', '.join(parts)}" for word, parts in (("SET", sets), ("REMOVE", removes)) if parts)


def _condition(expected: Expected, key_column: str, names: _Placeholders, values: _Placeholders) -> str:
    parts = []
    if expected.present is not None:
        function = "attribute_exists" if expected.present else "attribute_not_exists"
        parts.append(f"{function}({names.of(key_column)})")
    for name, value in expected.columns.items():
        if value is MISSING:
            parts.append(f"attribute_not_exists({names.of(name)})")
        elif value is None:
            parts.append(f"attribute_type({names.of(name)}, {values.hold('NULL')})")
        else:
            parts.append(f"{names.of(name)} = {values.hold(value)}")
    return " AND ".join(parts)


def _page(answer: Mapping[str, Any], key_column: str) -> Page:
    last = answer.get("LastEvaluatedKey")
    return Page([row_of(item) for item in answer["Items"]], None if last is None else last[key_column]["S"])


def _to_dynamodb(value: object) -> Any:  # noqa: ANN401 - an attribute value of any type
    """Return a Python value in DynamoDB's form. `row_of` leaves other types in that form, so they stay as they are."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    return {"NULL": True} if value is None else value


@contextmanager
def _translate_errors(action: str) -> Iterator[None]:
    with translated_errors(action):
        try:
            with sdk_errors():
                yield
        except Refused as error:
            if error.code == "TransactionCanceledException" and error.reasons:
                raise _Cancelled(list(error.reasons)) from None
            if error.code == "ConditionalCheckFailedException":
                raise _ConditionFailed from None
            if error.code == "TransactionInProgressException":  # our earlier attempt still runs, and may succeed
                raise Unreachable(error.code) from error
            raise


def provisioning_client(
    *, region: str | None, endpoint: str | None, session: "boto3.Session | None" = None, connections: int = 10
) -> "DynamoDBClient":
    """Make boto3's client for DynamoDB, with timeouts and retries that suit writes: see `PATIENCE_SECONDS`.

    Args:
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.
        session: the session whose credentials are used; None lets the SDK look for credentials at the first call.
        connections: how many connections are kept: one for each thread that asks at the same time.

    Raises:
        Fault: the SDK's configuration is invalid; the region is missing, for example.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _SDK_ATTEMPTS},
        max_pool_connections=connections,
    )
    made: DynamoDBClient = sdk_client("dynamodb", config, session=session, region=region, endpoint=endpoint)
    return made

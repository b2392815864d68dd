"""Reads and writes our tables in batches, with retries: BatchGetItem, transactions and Scan.

A request that DynamoDB throttles, answers in part or does not answer is repeated a limited number of times, after
growing random pauses. Every write has conditions. So it is safe to repeat a write, and other writers do no harm.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors, unknown_outcome
from auth_jwt.aws.reads import row_of
from auth_jwt.aws.sdk_guard import guard
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.issuers.models import holds_issuer
from auth_jwt.models import SECRET_ID, Row
from auth_jwt.provisioning.changes import MISSING, Key, Overtaken, Put, Table, Update
from auth_jwt.provisioning.tables import DynamoDbTables
from auth_jwt.provisioning.tombstones import is_no_secret
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.migration.translation import TargetRow

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_KEYS: Final = 100
"""The most keys that BatchGetItem accepts."""
MAX_WRITE_BYTES: Final = 3_500_000
"""The most bytes in one transaction. DynamoDB accepts 4 MB, but may count differently."""

_SILENT_ATTEMPTS: Final = 3
"""How many attempts follow the first while the tables have never answered: the endpoint may be a wrong one."""

_T = TypeVar("_T")


class Interrupted(Exception):
    """`Target.end` was called while a request waited for the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long to wait for tables that cannot keep up.

    Attributes:
        attempts: how many attempts in a row may fail.
        first_seconds: the longest first pause. Each next pause may be twice as long.
        longest_seconds: the longest pause of all.
    """

    attempts: int = 10
    first_seconds: float = 0.1
    longest_seconds: float = 20

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after that many *failures* in a row. A random part spreads the retries."""
        longest = min(self.longest_seconds, self.first_seconds * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - nothing to guess


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pause: its length and its reason."""

    seconds: float
    why: str


class Target:
    """The tables of profiles and secrets in DynamoDB. Safe to use from several threads.

    Args:
        client: boto3's client. Its own retries should be off.
        settings: the names of tables and columns.
        patience: how to wait for tables that cannot keep up.
        tell: called for every pause.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        settings: Settings,
        *,
        patience: Patience,
        tell: Callable[[Waiting], None] = lambda _: None,
    ) -> None:
        guard(client)
        self._client = client
        self._tables = DynamoDbTables(
            client,
            profiles_table=settings.profiles_table,
            secrets_table=settings.secrets_table,
            revocations_table=None,
            columns=settings.columns,
        )
        self._names = {Table.PROFILES: settings.profiles_table, Table.SECRETS: settings.secrets_table}
        self._columns = settings.columns
        self._patience = patience
        self._tell = tell
        self._ended = Event()
        self._has_answered = False

    def end(self) -> None:
        """End all waits, and send no more requests."""
        self._ended.set()

    @property
    def is_ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended.is_set()

    def read(self, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
        """Return the existing rows among up to 100 *keys*, by a strongly consistent read.

        Raises:
            Unreachable: the table answered none of the attempts.
            Fault: the request failed in a way that no retry mends.
            Interrupted: `end` was called.
        """
        name = self._names[table]
        found: dict[Key, Row] = {}

        def ask(waiting: list[Any]) -> list[Any]:
            answer = self._client.batch_get_item(RequestItems={name: {"Keys": waiting, "ConsistentRead": True}})
            for item in answer["Responses"].get(name, []):
                row = row_of(item)
                found[self._key_of(table, row)] = row
            left: Any = answer.get("UnprocessedKeys", {})
            return left[name]["Keys"] if left else []

        self._finish(f"dynamodb:BatchGetItem on table {name!r}", [self._item_key(key) for key in keys], ask)
        return found

    def write(self, table: Table, changes: Sequence[Put | Update]) -> None:
        """Write up to 100 *changes* to rows of *table*: all or none.

        Raises:
            Overtaken: a row is not as its change expects. Nothing was written.
            Unreachable: the table answered none of the attempts. The rows may have been written.
            Fault: the request failed in a way that no retry mends.
            Interrupted: `end` was called.
        """
        lost = False

        def ask() -> None:
            nonlocal lost
            try:
                self._tables.write(*changes)
            except Throttled:
                raise
            except Unreachable:
                lost = True
                raise

        try:
            self._ask_patiently(ask)
        except Overtaken:
            # Our own earlier attempt may have written the rows, if its answer was lost.
            if not (lost and self._holds(table, changes)):
                raise
        except Fault as fault:
            if lost and not isinstance(fault, Unreachable):
                raise unknown_outcome(fault) from fault
            raise

    def _holds(self, table: Table, changes: Sequence[Put | Update]) -> bool:
        """Tell whether the rows are as *changes* would make them."""
        found = self.read(table, [change.key for change in changes])
        return all(
            found.get(change.key, {}).get(column, MISSING) == value
            for change in changes
            for column, value in change.columns.items()
        )

    def rows(self, table: Table) -> Iterator[TargetRow]:
        """Give every row of *table*, without those of issuers and of deleted profiles. It scans one page at a time.

        Raises:
            Unreachable: the table answered none of the attempts.
            Fault: the request failed in a way that no retry mends.
        """
        action = f"dynamodb:Scan on table {self._names[table]!r}"
        question: Any = {"TableName": self._names[table]}
        while question:
            answer = self._ask_sdk(action, partial(self._client.scan, **question))
            for item in answer["Items"]:
                row = row_of(item)
                if not (holds_issuer(row) if table is Table.PROFILES else is_no_secret(row, self._columns)):
                    yield TargetRow(self._key_of(table, row), row)
            last = answer.get("LastEvaluatedKey")
            question = {**question, "ExclusiveStartKey": last} if last else None

    def count(self, table: Table) -> int:
        """Return about how many rows *table* has. DynamoDB's count may be six hours old."""
        name = self._names[table]
        describe = partial(self._client.describe_table, TableName=name)
        return self._ask_sdk(f"dynamodb:DescribeTable on table {name!r}", describe)["Table"].get("ItemCount", 0)

    def _finish(self, action: str, waiting: list[Any], ask: Callable[[list[Any]], list[Any]]) -> None:
        """Call *ask* until nothing is *waiting*. Each call returns what DynamoDB left undone."""
        failures = 0
        while waiting:
            left = self._ask_sdk(action, partial(ask, waiting))
            failures = failures + 1 if len(left) == len(waiting) else 0
            waiting = left
            if waiting:
                self._wait(max(failures, 1), Throttled(f"{action} is throttled (left undone in part)"))

    def _ask_sdk(self, action: str, ask: Callable[[], _T]) -> _T:
        """Return what *ask* returns. Repeat it while the table cannot be reached. Errors name the *action*."""

        def ask_once() -> _T:
            with translated_errors(action), sdk_errors():
                return ask()

        return self._ask_patiently(ask_once)

    def _ask_patiently(self, ask: Callable[[], _T]) -> _T:
        """Return what *ask* returns. Repeat it while the table cannot be reached."""
        failures = 0
        while True:
            if self._ended.is_set():
                raise Interrupted
            try:
                answer = ask()
            except Unreachable as error:
                self._has_answered |= isinstance(error.__cause__, Refused)  # throttled, or a failure of its own
                failures += 1
                if failures > _SILENT_ATTEMPTS and not self._has_answered:
                    raise
                self._wait(failures, error)
            else:
                self._has_answered = True
                return answer

    def _wait(self, failures: int, problem: Unreachable) -> None:
        """Pause after that many *failures* in a row. Raise the *problem* when they are too many."""
        if failures > self._patience.attempts:
            raise problem
        seconds = self._patience.pause(failures)
        self._tell(Waiting(seconds, str(problem)))
        if self._ended.wait(seconds):
            raise Interrupted

    def _item_key(self, key: Key) -> dict[str, Any]:
        if key.table is Table.PROFILES:
            return {self._columns.tag: {"S": key.tag}}
        return {self._columns.secret_tag: {"S": key.tag}, SECRET_ID: {"S": key.id}}

    def _key_of(self, table: Table, row: Row) -> Key:
        if table is Table.PROFILES:
            return Key(table, str(row[self._columns.tag]))
        return Key(table, str(row[self._columns.secret_tag]), str(row[SECRET_ID]))


def patient_client(
    session: "boto3.Session", region: str | None, endpoint: str | None, *, connections: int
) -> "DynamoDBClient":
    """Make boto3's client for DynamoDB, with up to *connections* connections and without retries of its own.

    Raises:
        Fault: the SDK rejects its configuration: the region is missing, for example.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    made: DynamoDBClient = sdk_client("dynamodb", config, session=session, region=region, endpoint=endpoint)
    return made

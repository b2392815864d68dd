"""The tables in DynamoDB: their columns and rows, the deadline of a request, and its one retry.

The profile and the secrets of a tag are read at the same time. Column names are always sent as placeholders and tags as
values, so DynamoDB never reads a column name or a tag as a part of an expression.
"""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from threading import Semaphore, Thread
from typing import Any, Final, Generic, TypeVar

from auth_jwt.aws.client import Client
from auth_jwt.aws.failures import translated_errors
from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Unreachable
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Half, Profile, Row, Secret, TagRows
from auth_jwt.ports import Deadline, HalfRead

_PAUSE_SECONDS: Final = 0.05
_SHORTEST_ATTEMPT_SECONDS: Final = 0.1
_MAX_READERS: Final = 16

_T = TypeVar("_T")


class DynamoDbStore:
    """The port `RowsStore` over DynamoDB.

    Args:
        client: returns the client; called for each read.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        columns: the names of the columns.
        credentials: the profile columns to read besides those that the decision needs.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        *,
        profiles_table: str,
        secrets_table: str,
        columns: Columns,
        credentials: tuple[Credential, ...] = (),
    ) -> None:
        self._client = client
        self._profiles_table = profiles_table
        self._secrets_table = secrets_table
        self._columns = columns
        self._credentials = credentials
        self._readers = Semaphore(_MAX_READERS)
        self._profile_names = _placeholders(
            [
                *(columns.tag, columns.username, columns.domain, columns.disabled, columns.valid_after),
                *(credential.column for credential in credentials),
            ]
        )
        self._secret_names = _placeholders(
            [
                *(columns.secret_tag, SECRET_ID, columns.secret),
                *(columns.start, columns.end, columns.alg, columns.kid),
            ]
        )

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """Read the profile and all secrets of *tag*; see `auth_jwt.ports.RowsStore`."""
        client = self._client()
        deadline.seconds_left()  # starts the deadline, after the client is made
        profile = _ThreadedRead(self._readers, deadline, lambda: self._read_profile(client, tag, consistent, deadline))
        secrets = _ThreadedRead(self._readers, deadline, lambda: self._read_secrets(client, tag, consistent, deadline))
        return _join(profile.result_or_fault(deadline), secrets.result_or_fault(deadline))

    def _read_profile(self, client: Client, tag: str, consistent: bool, deadline: Deadline) -> Profile | None:
        answer = _ask_with_retry(
            f"dynamodb:GetItem on table {self._profiles_table!r}",
            deadline,
            lambda: client.get_item(
                TableName=self._profiles_table,
                Key={self._columns.tag: {"S": tag}},
                ProjectionExpression=", ".join(self._profile_names),
                ExpressionAttributeNames=self._profile_names,
                ConsistentRead=consistent,
            ),
        )
        item = answer.get("Item")
        return None if item is None else Profile.from_row(row_of(item), self._columns, self._credentials)

    def _read_secrets(self, client: Client, tag: str, consistent: bool, deadline: Deadline) -> tuple[Secret, ...]:
        action = f"dynamodb:Query on table {self._secrets_table!r}"
        question: Any = {
            "TableName": self._secrets_table,
            "KeyConditionExpression": f"{_placeholder_of(self._columns.secret_tag, self._secret_names)} = :tag",
            "ExpressionAttributeValues": {":tag": {"S": tag}},
            "ProjectionExpression": ", ".join(self._secret_names),
            "ExpressionAttributeNames": self._secret_names,
            "ConsistentRead": consistent,
        }
        secrets: list[Secret] = []
        while True:
            answer = _ask_with_retry(action, deadline, lambda: client.query(**question))
            secrets.extend(Secret.from_row(row_of(item), self._columns) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return tuple(secrets)
            if not deadline.seconds_left():
                raise Unreachable(f"{action}: not all pages were read in time (STORE_TIMEOUT_MS)")
            question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _join(profile: Profile | Fault | None, secrets: tuple[Secret, ...] | Fault) -> TagRows:
    """Return the rows of both tables.

    Raises:
        HalfRead: only one table was read.
        Fault: neither table was read.
    """
    if not isinstance(profile, Fault):
        if not isinstance(secrets, Fault):
            return TagRows(profile, secrets)
        raise HalfRead(Half.PROFILE, TagRows(profile), secrets)
    if not isinstance(secrets, Fault):
        raise HalfRead(Half.SECRETS, TagRows(secrets=secrets), profile)
    # A fault that an operator must fix is raised rather than an outage that may pass by itself.
    raise secrets if isinstance(profile, Unreachable) and not isinstance(secrets, Unreachable) else profile


class DynamoDbRevocations:
    """The port `RevocationsStore` over DynamoDB.

    A read is strongly consistent and has the whole key. So a revoked token is denied as soon as the write is
    acknowledged, unless the absence of its row is remembered. Only the key of the row is read.

    Args:
        client: returns the client; called for each read.
        table: name of the table.
    """

    def __init__(self, client: Callable[[], Client], *, table: str) -> None:
        self._client = client
        self._table = table
        self._readers = Semaphore(_MAX_READERS)
        self._names = _placeholders([REVOCATION_TAG, REVOCATION_JTI])

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        """Tell whether there is a row for this token; see `auth_jwt.ports.RevocationsStore`."""
        client = self._client()
        deadline.seconds_left()  # starts the deadline, after the client is made
        read = _ThreadedRead(self._readers, deadline, lambda: self._has_row(client, tag, jti, deadline))
        return read.result(deadline)

    def _has_row(self, client: Client, tag: str, jti: str, deadline: Deadline) -> bool:
        answer = _ask_with_retry(
            f"dynamodb:GetItem on table {self._table!r}",
            deadline,
            lambda: client.get_item(
                TableName=self._table,
                Key={REVOCATION_TAG: {"S": tag}, REVOCATION_JTI: {"S": jti}},
                ProjectionExpression=", ".join(self._names),
                ExpressionAttributeNames=self._names,
                ConsistentRead=True,
            ),
        )
        return "Item" in answer


class _ThreadedRead(Generic[_T]):
    """A read in a thread of its own, so that the request never waits for it longer than the deadline.

    A thread that nobody waits for any more ends by the time limits of its client. (`concurrent.futures` could do the
    same, but it loads logging at every cold start.)
    """

    def __init__(self, readers: Semaphore, deadline: Deadline, read: Callable[[], _T]) -> None:
        self._readers = readers
        self._read = read
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="dynamodb", daemon=True)
        if not readers.acquire(timeout=deadline.seconds_left()):
            self._error = Unreachable("the tables did not answer earlier reads in time (STORE_TIMEOUT_MS)")
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            readers.release()
            self._error = Unreachable("no thread can be started to read the tables")
            self._error.__cause__ = error

    def result_or_fault(self, deadline: Deadline) -> _T | Fault:
        """Return what was read, or the fault for which it was not."""
        try:
            return self.result(deadline)
        except Fault as failure:
            return failure

    def result(self, deadline: Deadline) -> _T:
        """Return what was read.

        Raises:
            Unreachable: the read did not end in time.
            Fault: the read failed.
        """
        if self._thread.ident is not None:  # the thread was started
            self._thread.join(deadline.seconds_left())
        if self._thread.is_alive():
            raise Unreachable("the tables did not answer in time (STORE_TIMEOUT_MS)")
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._read()
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._error = error
        finally:
            self._readers.release()


def _ask_with_retry(action: str, deadline: Deadline, ask: Callable[[], _T]) -> _T:
    """Return what *ask* returns. When it is unreachable, ask once more if enough time is left.

    The first attempt may take all the time. A second one follows only when the first failed early: by a refused or
    broken connection, an error, or half an answer.

    Args:
        action: what is asked, for the messages of errors.
        deadline: when to give up.
        ask: asks once.

    Raises:
        Fault: the last attempt failed.
    """
    try:
        with translated_errors(action):
            return ask()
    except Unreachable:
        if deadline.seconds_left() < _PAUSE_SECONDS + _SHORTEST_ATTEMPT_SECONDS:
            raise
    time.sleep(_PAUSE_SECONDS)
    with translated_errors(action):
        return ask()


def _placeholders(columns: list[str]) -> dict[str, str]:
    """Return a placeholder for each distinct column, in the form of `ExpressionAttributeNames`."""
    return {f"#c{number}": column for number, column in enumerate(dict.fromkeys(columns))}


def _placeholder_of(column: str, names: Mapping[str, str]) -> str:
    return next(placeholder for placeholder, name in names.items() if name == column)


def row_of(item: Mapping[str, Any]) -> Row:
    """Turn an *item* of DynamoDB into a row."""
    return {column: _value(typed) for column, typed in item.items()}


def _value(typed: Mapping[str, Any]) -> object:
    """Turn an attribute value into text, Decimal (with all digits), boolean or None. Other types stay unchanged."""
    ((kind, value),) = typed.items()
    if kind == "N":
        return Decimal(value)
    if kind == "NULL":
        return None
    return value if kind in ("S", "BOOL") else typed

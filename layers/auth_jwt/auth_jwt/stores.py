"""The tables in DynamoDB: tables, columns, rows, deadlines, the one retry, whoever carries the questions.

Profiles and secrets are read at the same time. Column names always travel as placeholders, so any name an operator
chose is only ever a name; the tag is only ever a value. Two clients carry the questions: boto3, made here, and the
express lane of `auth_jwt.express`. They tell of failures in the same words, so that what these mean is decided here,
once.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Half, Profile, Row, Secret, TagRows
from auth_jwt.ports import Deadline, HalfRead

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THROTTLED: Final = re.compile(r"Throttl|ThroughputExceeded|LimitExceeded|TooManyRequests")
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_PAUSE_SECONDS: Final = 0.05
_SHORTEST_ATTEMPT_SECONDS: Final = 0.1
_MAX_READERS: Final = 16
_SERVER_ERROR: Final = 500

_T = TypeVar("_T")


class Refused(Exception):
    """DynamoDB answered with an error, or something on the way did.

    Attributes:
        status: of HTTP.
        code: DynamoDB's word for it, or the status as text.
    """

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Client(Protocol):
    """Two calls of DynamoDB, with the arguments and the answers of its API.

    Both return whole answers only, see `auth_jwt.whole_answers`. They raise `Refused` for an answer that is an error,
    `Unreachable` when no whole answer came, and `Fault` when asking is of no use: no credentials, say. The messages do
    not say of which table.
    """

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401 - DynamoDB's own
        """Read one item by its key."""
        ...

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Read a page of the items that share a partition key."""
        ...


class DynamoDbStore:
    """The port `RowsStore` over DynamoDB.

    Args:
        client: makes the client, on first use.
        profiles_table: name of the table of profiles.
        secrets_table: name of the table of secrets.
        columns: what the columns are called.
        credentials: the profile columns wanted beyond those of the decision.
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
        deadline.seconds_left()  # from here on it runs
        profile = _Reading(self._readers, deadline, lambda: self._read_profile(client, tag, consistent, deadline))
        secrets = _Reading(self._readers, deadline, lambda: self._read_secrets(client, tag, consistent, deadline))
        return _joined(profile.outcome(deadline), secrets.outcome(deadline))

    def _read_profile(self, client: Client, tag: str, consistent: bool, deadline: Deadline) -> Profile | None:
        answer = _asked(
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
            answer = _asked(action, deadline, lambda: client.query(**question))
            secrets.extend(Secret.from_row(row_of(item), self._columns) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return tuple(secrets)
            if not deadline.seconds_left():
                raise Unreachable(f"{action}: more pages than STORE_TIMEOUT_MS allows")
            question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _joined(profile: Profile | Fault | None, secrets: tuple[Secret, ...] | Fault) -> TagRows:
    """Join what was read of both tables, or raise what failed."""
    if not isinstance(profile, Fault):
        if not isinstance(secrets, Fault):
            return TagRows(profile, secrets)
        raise HalfRead(Half.PROFILE, TagRows(profile), secrets)
    if not isinstance(secrets, Fault):
        raise HalfRead(Half.SECRETS, TagRows(secrets=secrets), profile)
    # What only an operator can mend comes before what may pass.
    raise secrets if isinstance(profile, Unreachable) and not isinstance(secrets, Unreachable) else profile


class DynamoDbRevocations:
    """The port `RevocationsStore` over DynamoDB.

    The row is asked for by its whole key, strongly consistent: what was revoked is refused as soon as the write is
    acknowledged, unless the absence of the row is remembered. Of the row only the key is read.

    Args:
        client: makes the client, on first use.
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
        deadline.seconds_left()  # from here on it runs
        return _Reading(self._readers, deadline, lambda: self._has_row(client, tag, jti, deadline)).result(deadline)

    def _has_row(self, client: Client, tag: str, jti: str, deadline: Deadline) -> bool:
        answer = _asked(
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


class _Reading(Generic[_T]):
    """A read in a thread of its own, so that who waits for it waits no longer than the deadline.

    Threads that were given up end by their clients' time limits. (`concurrent.futures` would do as well, but loads
    logging at every cold start.)
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

    def outcome(self, deadline: Deadline) -> _T | Fault:
        """Return what was read, or why it was not."""
        try:
            return self.result(deadline)
        except Fault as failure:
            return failure

    def result(self, deadline: Deadline) -> _T:
        if self._thread.ident is not None:  # it was started
            self._thread.join(deadline.seconds_left())
        if self._thread.is_alive():
            raise Unreachable("the tables did not answer in time (STORE_TIMEOUT_MS)")
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._read()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            self._error = error
        finally:
            self._readers.release()


class SdkClient:
    """boto3's client, guarded, with its errors told in the words of `Client`."""

    def __init__(self, client: "DynamoDBClient") -> None:
        from auth_jwt.sdk_guard import guard

        guard(client)
        self._client = client

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Ask DynamoDB's GetItem; see `Client`."""
        return self._asked(self._client.get_item, question)

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Ask DynamoDB's Query; see `Client`."""
        return self._asked(self._client.query, question)

    def _asked(self, ask: Callable[..., Any], question: dict[str, Any]) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as BotoConnectionError

        try:
            return ask(**question)  # type: ignore[no-any-return]
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise Refused(status, error.response.get("Error", {}).get("Code", "")) from error
        except (BotoConnectionError, HTTPClientError) as error:
            raise Unreachable(type(error).__name__) from error
        except BotoCoreError as error:
            raise Fault(type(error).__name__) from error


def dynamodb_client(*, region: str | None, endpoint: str | None, timeout_seconds: float) -> SdkClient:
    """Make a client by boto3 that never outlasts a request by much. It has no connection and no credentials yet.

    Args:
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.
        timeout_seconds: what a request may spend. Connecting may take all of it, and so may waiting for an answer:
            whoever waits for both waits no longer, see `_Reading`.

    Raises:
        Fault: the SDK refuses its own configuration: no region, say.
    """
    import logging

    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from auth_jwt.sdk import session

    # At DEBUG it logs what DynamoDB answers: secrets and all.
    logging.getLogger("botocore").setLevel(logging.INFO)
    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},  # its pauses know nothing of our deadline
        tcp_keepalive=True,
    )
    try:
        client = session().client("dynamodb", region_name=region, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise Fault(f"no DynamoDB client can be made: {error}") from error
    return SdkClient(client)


def _asked(action: str, deadline: Deadline, ask: Callable[[], _T]) -> _T:
    """Return what *ask* returns, asking once more after an outage if that can end in time; *action* is in its errors.

    The first attempt may take all the time there is, so the second one follows what failed sooner: a connection that
    was refused or broke off, an error, half an answer.
    """
    try:
        with _translated_errors(action):
            return ask()
    except Unreachable:
        if deadline.seconds_left() < _PAUSE_SECONDS + _SHORTEST_ATTEMPT_SECONDS:
            raise
    time.sleep(_PAUSE_SECONDS)
    with _translated_errors(action):
        return ask()


def _placeholders(columns: list[str]) -> dict[str, str]:
    """Give each distinct column a placeholder, as `ExpressionAttributeNames` wants them."""
    return {f"#c{number}": column for number, column in enumerate(dict.fromkeys(columns))}


def _placeholder_of(column: str, names: Mapping[str, str]) -> str:
    return next(placeholder for placeholder, name in names.items() if name == column)


def row_of(item: Mapping[str, Any]) -> Row:
    """Turn an *item* of DynamoDB into a row."""
    return {column: _value(typed) for column, typed in item.items()}


def _value(typed: Mapping[str, Any]) -> object:
    """Turn an attribute value into text, Decimal (every digit kept), boolean or None; others stay as they are."""
    ((kind, value),) = typed.items()
    if kind == "N":
        return Decimal(value)
    if kind == "NULL":
        return None
    return value if kind in ("S", "BOOL") else typed


@contextmanager
def _translated_errors(action: str) -> Iterator[None]:
    """Turn a client's errors into ours: unreachable for now, or unusable until an operator acts."""
    try:
        yield
    except Refused as error:
        raise failure_of(action, error.status, error.code) from error
    except Unreachable as error:
        raise Unreachable(f"{action}: no answer ({error})") from error
    except Fault as error:
        raise Fault(f"{action} cannot be done: {error}") from error


def failure_of(action: str, status: int, code: str) -> Fault:
    """Return what an error of DynamoDB means: HTTP *status* and *code*, whichever client was told."""
    if status == _TOO_MANY_REQUESTS or _THROTTLED.search(code):
        return Throttled(f"{action} is throttled ({code})")
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return Unreachable(f"{action} failed on DynamoDB's side ({code})")
    return Fault(f"{action} is refused: {code}")

"""The tables in DynamoDB: the only module that talks to AWS.

Both tables are read at the same time. Column names always travel as placeholders, so any name an operator chose is
only ever a name; the tag is only ever a value.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import SECRET_ID, Columns, Profile, Row, Secret, TagRows
from auth_jwt.ports import Deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THROTTLED: Final = re.compile(r"Throttl|ThroughputExceeded|LimitExceeded|TooManyRequests")
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_PAUSE_SECONDS: Final = 0.05
_MAX_READERS: Final = 16
_SERVER_ERROR: Final = 500

_T = TypeVar("_T")


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
        client: "Callable[[], DynamoDBClient]",
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
        self._readers = ThreadPoolExecutor(max_workers=_MAX_READERS, thread_name_prefix="dynamodb")
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
        profile = self._readers.submit(self._read_profile, client, tag, consistent, deadline)
        secrets = self._readers.submit(self._read_secrets, client, tag, consistent, deadline)
        return TagRows(_awaited(profile, deadline), _awaited(secrets, deadline))

    def _read_profile(self, client: "DynamoDBClient", tag: str, consistent: bool, deadline: Deadline) -> Profile | None:
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
        return None if item is None else Profile.from_row(_row(item), self._columns, self._credentials)

    def _read_secrets(
        self, client: "DynamoDBClient", tag: str, consistent: bool, deadline: Deadline
    ) -> tuple[Secret, ...]:
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
            if "Items" not in answer:  # the SDK takes any 200 for an answer; a denial must not come of that
                raise Fault(f"{action}: the answer is not DynamoDB's")
            secrets.extend(Secret.from_row(_row(item), self._columns) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return tuple(secrets)
            if not deadline.seconds_left():
                raise Unreachable(f"{action}: more pages than STORE_TIMEOUT_MS allows")
            question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def dynamodb_client(*, region: str | None, endpoint: str | None, timeout_seconds: float) -> "DynamoDBClient":
    """Make a client that never outlasts a request by much.

    Args:
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.
        timeout_seconds: what a request may spend; connecting gets half of it, and so does waiting for an answer, so
            that a lost connection leaves time for a second attempt.

    Raises:
        Fault: the SDK refuses its own configuration: no region, say.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    # At DEBUG it logs what DynamoDB answers: secrets and all.
    logging.getLogger("botocore").setLevel(logging.INFO)
    config = Config(
        connect_timeout=timeout_seconds / 2,
        read_timeout=timeout_seconds / 2,
        retries={"mode": "standard", "total_max_attempts": 1},  # its pauses know nothing of our deadline
        tcp_keepalive=True,
    )
    try:
        # A session of its own: nobody else's defaults, and safe to make in a thread.
        return boto3.Session().client("dynamodb", region_name=region, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise Fault(f"no DynamoDB client can be made: {error}") from error


def _asked(action: str, deadline: Deadline, ask: Callable[[], _T]) -> _T:
    """Return what *ask* returns, asking once more after an outage if there is time; with our errors for the SDK's."""
    try:
        with _translated_errors(action):
            return ask()
    except Unreachable:
        if deadline.seconds_left() <= _PAUSE_SECONDS:
            raise
    time.sleep(_PAUSE_SECONDS)
    with _translated_errors(action):
        return ask()


def _awaited(reading: "Future[_T]", deadline: Deadline) -> _T:
    try:
        return reading.result(timeout=deadline.seconds_left())
    except TimeoutError:
        reading.cancel()
        raise Unreachable("the tables did not answer in time (STORE_TIMEOUT_MS)") from None


def _placeholders(columns: list[str]) -> dict[str, str]:
    """Give each distinct column a placeholder, as `ExpressionAttributeNames` wants them."""
    return {f"#c{number}": column for number, column in enumerate(dict.fromkeys(columns))}


def _placeholder_of(column: str, names: Mapping[str, str]) -> str:
    return next(placeholder for placeholder, name in names.items() if name == column)


def _row(item: Mapping[str, Any]) -> Row:
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
    """Turn the SDK's errors into ours: unreachable for now, or unusable until an operator acts."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == _TOO_MANY_REQUESTS or _THROTTLED.search(code):
            raise Throttled(f"{action} is throttled ({code})") from error
        if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
            raise Unreachable(f"{action} failed on DynamoDB's side ({code})") from error
        raise Fault(f"{action} is refused: {code}") from error
    except (BotoConnectionError, HTTPClientError) as error:
        raise Unreachable(f"{action}: no answer ({type(error).__name__})") from error
    except BotoCoreError as error:
        raise Fault(f"{action} cannot be asked: {type(error).__name__}") from error

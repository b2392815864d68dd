"""What asks DynamoDB, and what its errors mean: boto3's client here, and the express lane of `auth_jwt.aws.express`.

Both tell of failures in the same words, so that what these mean is decided once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from auth_jwt.errors import Fault, Throttled, Unreachable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THROTTLED: Final = re.compile(r"Throttl|ThroughputExceeded|LimitExceeded|TooManyRequests")
_TOO_MANY_REQUESTS: Final = 429
_REQUEST_TIMEOUT: Final = 408
_SERVER_ERROR: Final = 500


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

    Both return whole answers only, see `auth_jwt.aws.whole_answers`. They raise `Refused` for an answer that is an
    error, `Unreachable` when no whole answer came, and `Fault` when asking is of no use: no credentials, say. The
    messages do not say of which table.
    """

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401 - DynamoDB's own
        """Read one item by its key."""
        ...

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Read a page of the items that share a partition key."""
        ...


class SdkClient:
    """boto3's client, guarded, with its errors told in the words of `Client`."""

    def __init__(self, client: "DynamoDBClient") -> None:
        from auth_jwt.aws.sdk_guard import guard

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

    from auth_jwt.aws.sdk import session

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


@contextmanager
def translated_errors(action: str) -> Iterator[None]:
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

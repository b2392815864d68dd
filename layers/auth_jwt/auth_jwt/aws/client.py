"""The two DynamoDB calls with which a decision reads the tables, and boto3's client for them.

`Client` says what the calls are. Two classes make them: `SdkClient` by boto3, here, and `ExpressClient` without boto3,
in `auth_jwt.aws.express`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from auth_jwt.aws.failures import sdk_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Client(Protocol):
    """Two calls of DynamoDB, with the arguments and the answers of its API.

    Both return whole answers only, see `auth_jwt.aws.whole_answers`. They raise `Refused` when the answer is an error,
    `Unreachable` when no whole answer came, and `Fault` when no request can be sent, for lack of credentials, say. The
    messages do not name the table.
    """

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401 - DynamoDB's own
        """Read one item by its key."""
        ...

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Read a page of the items that share a partition key."""
        ...


class SdkClient:
    """boto3's client, guarded by `sdk_guard.guard`. It raises the errors that `Client` names."""

    def __init__(self, client: "DynamoDBClient") -> None:
        from auth_jwt.aws.sdk_guard import guard

        guard(client)
        self._client = client

    def get_item(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Call DynamoDB's GetItem; see `Client`."""
        with sdk_errors():
            return self._client.get_item(**question)

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Call DynamoDB's Query; see `Client`."""
        with sdk_errors():
            return self._client.query(**question)


def dynamodb_client(*, region: str | None, endpoint: str | None, timeout_seconds: float) -> SdkClient:
    """Make a boto3 client with short time limits and no retries. It has no connection and no credentials yet.

    Args:
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.
        timeout_seconds: how long a request may take. Connecting may take all of it, and so may each wait for the
            answer. `auth_jwt.aws.reads` sees that the request itself waits no longer.

    Raises:
        Fault: the SDK rejects its configuration: it has no region, say.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},  # botocore's retries ignore our deadline
        tcp_keepalive=True,
    )
    return SdkClient(sdk_client("dynamodb", config, region=region, endpoint=endpoint))

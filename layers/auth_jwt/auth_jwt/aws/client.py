"""The two calls of DynamoDB by which logins read: as a protocol, and by boto3. `express` has the other way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from auth_jwt.aws.failures import sdk_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
        with sdk_errors():
            return self._client.get_item(**question)

    def query(self, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Ask DynamoDB's Query; see `Client`."""
        with sdk_errors():
            return self._client.query(**question)


def dynamodb_client(*, region: str | None, endpoint: str | None, timeout_seconds: float) -> SdkClient:
    """Make a client by boto3 that never outlasts a request by much. It has no connection and no credentials yet.

    Args:
        region: AWS region; None leaves it to the SDK.
        endpoint: URL of the endpoint; None leaves it to the SDK.
        timeout_seconds: what a request may spend. Connecting may take all of it, and so may waiting for an answer:
            whoever waits for both waits no longer, see `auth_jwt.aws.dynamodb`.

    Raises:
        Fault: the SDK refuses its own configuration: no region, say.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},  # its pauses know nothing of our deadline
        tcp_keepalive=True,
    )
    return SdkClient(sdk_client("dynamodb", config, region=region, endpoint=endpoint))

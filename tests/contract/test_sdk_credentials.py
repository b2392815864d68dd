"""In whose name boto3 asks: its client is made before a snapshot, and looks for credentials at its first request."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HTTPHeaders
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from auth_jwt.aws import sdk
from auth_jwt.aws.client import SdkClient, dynamodb_client
from auth_jwt.errors import Fault
from tests.contract.credentials_endpoint import Endpoint, some_credentials

MINUTE = 60


@dataclass
class Asking:
    """A client by boto3, and what it would have sent."""

    client: SdkClient
    sent: list[AWSPreparedRequest] = field(default_factory=list)

    def ask(self) -> str:
        """Ask for an item; return whose key signs."""
        self.client.get_item(TableName="profiles", Key={"tag": {"S": "alice"}})
        found = re.search(r"Credential=([^/]+)/", _text(self.sent[-1].headers["Authorization"]))
        assert found
        return found[1]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.fixture(name="make")
def _make() -> Callable[[], Asking]:
    """Make a client, and let nothing that it sends out of this process."""

    def make() -> Asking:
        asking = Asking(dynamodb_client(region=None, endpoint=None, timeout_seconds=1))

        def answer(request: AWSPreparedRequest, **_: object) -> Any:
            asking.sent.append(request)
            body = b'{"ConsumedCapacity": {"TableName": "profiles", "CapacityUnits": 0.5}}'
            headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"})
            raw = type("Raw", (), {"stream": lambda *_, **__: iter([body])})()
            return AWSResponse(request.url, 200, headers, raw)

        asking.client._client.meta.events.register("before-send.dynamodb", answer)
        return asking

    return make


@pytest.fixture(name="in_a_container")
def _in_a_container(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    for name, value in endpoint.env.items():
        monkeypatch.setenv(name, value)
    return endpoint


def test_those_of_the_environment_are_read_at_the_first_request(
    make: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "before")
    asking = make()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "after")

    assert asking.ask() == "after"


def test_those_of_the_container_are_fetched_at_the_first_request(
    make: Callable[[], Asking], in_a_container: Endpoint
) -> None:
    asking = make()
    assert in_a_container.asked == []

    in_a_container.answers = [some_credentials("restored", expires=time.time() + 60 * MINUTE)]
    assert [asking.ask() for _ in range(3)] == ["restored key"] * 3
    ((path, headers),) = in_a_container.asked
    assert path == "/credentials?x=1"
    assert headers["Authorization"] == "let me in"
    assert _text(asking.sent[0].headers["X-Amz-Security-Token"]) == "restored token"


def test_they_are_renewed_as_botocore_renews_them(
    make: Callable[[], Asking], in_a_container: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the fifteen minutes before their end."""
    in_a_container.answers = [
        some_credentials("first", expires=time.time() + 60 * MINUTE),
        some_credentials("second", expires=time.time() + 120 * MINUTE),
    ]
    asking = make()
    signers = []

    for minutes in (0, 44, 46, 47):
        with monkeypatch.context() as later:
            later.setattr(RefreshableCredentials, "_seconds_remaining", seconds_left_after(minutes * MINUTE))
            signers.append(asking.ask())

    assert signers == ["first key"] * 2 + ["second key"] * 2
    assert len(in_a_container.asked) == 2


def seconds_left_after(seconds: float) -> Callable[[Any], float]:
    """Read the clock of botocore's credentials as it will be in so many *seconds*."""
    original: Callable[[Any], float] = getattr(RefreshableCredentials, "_seconds_remaining")  # noqa: B009 - untyped
    return lambda credentials: original(credentials) - seconds


def test_many_threads_fetch_them_once(make: Callable[[], Asking], in_a_container: Endpoint) -> None:
    """Profile and secrets are read at the same time, at the first request, too."""
    in_a_container.answers, in_a_container.delay = [some_credentials(expires=time.time() + 60 * MINUTE)], 0.1
    asking = make()

    with ThreadPoolExecutor(8) as threads:
        signers = list(threads.map(lambda _: asking.ask(), range(8)))

    assert signers == ["first key"] * 8
    assert len(in_a_container.asked) == 1


def test_what_could_not_be_fetched_is_tried_again_at_the_next_request(
    make: Callable[[], Asking], in_a_container: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    in_a_container.answers = [(500, b"secret text")]
    asking = make()

    with pytest.raises(Fault) as caught:
        asking.ask()
    assert str(caught.value) == "CredentialRetrievalError"

    in_a_container.answers = [some_credentials(expires=time.time() + 60 * MINUTE)]
    assert asking.ask() == "first key"


def test_where_there_are_none_that_is_a_fault_of_the_request(
    make: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    asking = make()

    with pytest.raises(Fault) as caught:
        asking.ask()
    assert str(caught.value) == "NoCredentialsError"


def test_the_endpoint_of_the_account_is_asked_where_the_credentials_name_one(
    make: Callable[[], Asking], in_a_container: Endpoint
) -> None:
    """Botocore wants to know it before it signs."""
    in_a_container.answers = [some_credentials(expires=time.time() + 60 * MINUTE, AccountId="123456789012")]
    asking = make()

    asking.ask()

    assert asking.sent[0].url == "https://123456789012.ddb.eu-central-1.amazonaws.com/"


def test_no_repr_shows_what_was_found(in_a_container: Endpoint) -> None:
    in_a_container.answers = [some_credentials(expires=time.time() + 60 * MINUTE)]
    credentials = sdk.own_session().get_credentials()
    assert credentials is not None

    assert credentials.get_frozen_credentials().secret_key == "first secret"
    assert "first" not in repr(credentials)


def test_a_session_makes_any_client(in_a_container: Endpoint) -> None:
    """The operators' API and the rotation write by the same credentials."""
    client = sdk.own_session().client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

    assert client.meta.region_name == "eu-central-1"
    assert in_a_container.asked == []

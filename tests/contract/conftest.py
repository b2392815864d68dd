"""DynamoDB in memory, behind a real socket, with tables of any column names; and the lanes that lead to it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.contract.clients import ENVIRONMENT, LANES, REGION
from tests.contract.credentials_endpoint import Endpoint, an_endpoint
from tests.moto_server import a_moto_server, forget_all

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine says about AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(name="lane", params=LANES)
def _lane(request: pytest.FixtureRequest) -> str:
    lane: str = request.param
    return lane


@pytest.fixture(name="moto_endpoint", scope="session")
def _moto_endpoint() -> Iterator[str]:
    with a_moto_server() as address:
        yield address


@pytest.fixture(name="operator", scope="session")
def _operator(moto_endpoint: str) -> "Iterator[DynamoDBClient]":
    client = boto3.client(
        "dynamodb",
        endpoint_url=moto_endpoint,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    yield client
    client.close()


@pytest.fixture(name="dynamodb")
def _dynamodb(operator: "DynamoDBClient", moto_endpoint: str) -> "Iterator[DynamoDBClient]":
    """A client to make tables with; they are gone afterwards."""
    yield operator
    forget_all(moto_endpoint)


@pytest.fixture(name="endpoint")
def _endpoint() -> Iterator[Endpoint]:
    with an_endpoint() as endpoint:
        yield endpoint

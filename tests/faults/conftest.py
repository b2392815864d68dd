"""Tables in memory behind a real socket, and a proxy in front of them that fails as it is told."""

from collections.abc import Iterator

import boto3
import pytest

from tests.contract.conftest import _environment, _lane, _moto_endpoint  # noqa: F401 - fixtures
from tests.faults.logins import write_rows
from tests.faults.proxy import FaultProxy, Tables, a_fault_proxy, that_stand_still
from tests.moto_server import forget_all


@pytest.fixture(name="proxy")
def _proxy(moto_endpoint: str) -> Iterator[FaultProxy]:
    with a_fault_proxy(moto_endpoint) as proxy:
        yield proxy


@pytest.fixture(name="tables_of_logins", scope="module")
def _tables_of_logins(moto_endpoint: str) -> Iterator[Tables]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        write_rows(boto3.client("dynamodb", endpoint_url=moto_endpoint, region_name="eu-central-1"))
    yield that_stand_still(moto_endpoint)
    forget_all(moto_endpoint)


@pytest.fixture(name="faulty")
def _faulty(tables_of_logins: Tables) -> Iterator[FaultProxy]:
    with a_fault_proxy(tables_of_logins) as proxy:
        yield proxy

"""The nested stack of dashboard and alarms on paper, and lines of the real handlers to judge it by."""

from collections.abc import Iterator

import pytest

from tests.monitoring.refreshing import record_refreshing
from tools.dashboard.hour import Hour
from tools.dashboard.recorded import Recorded, record
from tools.dashboard.stack import Monitoring, monitoring
from tools.template.stack import PSEUDO_PARAMETERS


@pytest.fixture(name="region", scope="session", autouse=True)
def _region() -> Iterator[None]:
    """SAM's library asks for the region and for nothing else of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])
        yield


@pytest.fixture(name="made", scope="session")
def _made(region: None) -> Monitoring:
    return monitoring()


@pytest.fixture(name="recorded", scope="session")
def _recorded(region: None) -> Recorded:
    """What the handlers wrote, once for all tests: not to be changed."""
    recorded = record()
    record_refreshing(recorded)
    return recorded


@pytest.fixture(name="hour")
def _hour(recorded: Recorded, made: Monitoring) -> Hour:
    """An hour in which nothing has happened yet."""
    return Hour.of(recorded, made)

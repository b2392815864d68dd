"""What the end-to-end tests start ends with them, whatever ends them."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _clean_up_when_terminated() -> Iterator[None]:
    """Take `kill`, and the time limit of `make e2e`, as Control-C: pytest then ends its fixtures."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)

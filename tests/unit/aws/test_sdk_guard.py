"""boto3's connections are closed by one thread at a time: another would get a pool that is being closed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from auth_jwt.aws import connections
from auth_jwt.aws.sdk_guard import _Freshness


class Pool:
    """A client that notices when two threads close its connections at once."""

    def __init__(self) -> None:
        self.together = threading.Barrier(2)
        self.closed = 0
        self.is_torn = False

    def close(self) -> None:
        self.closed += 1
        try:
            self.together.wait(0.2)
        except threading.BrokenBarrierError:
            return
        self.is_torn = True


@pytest.mark.parametrize("way", ["a timeout", "a long rest"])
def test_no_two_threads_close_the_connections_at_once(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool: Any = Pool()
    freshness = _Freshness(pool)
    monkeypatch.setattr(connections, "MAX_IDLE_SECONDS", -1)

    def close(_: int) -> None:
        if way == "a timeout":
            freshness.forget(ReadTimeoutError(endpoint_url="-"))
        else:
            freshness.check()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(close, range(2)))

    assert (pool.closed, pool.is_torn) == (2, False)

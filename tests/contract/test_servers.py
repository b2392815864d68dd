"""The servers that play others' parts end with what uses them, also when that fails."""

import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.contract.credentials_endpoint import an_endpoint
from tests.contract.servers import NO_ROWS, a_dynamodb, an_answer, answering, rows
from tests.faults.proxy import a_fault_proxy


@pytest.mark.parametrize(
    "server",
    [a_dynamodb(rows), answering(an_answer(NO_ROWS)), an_endpoint(), a_fault_proxy(lambda _: an_answer(NO_ROWS))],
    ids=["DynamoDB", "a socket", "credentials", "a proxy"],
)
def test_no_thread_of_a_server_outlives_a_test_that_fails(server: AbstractContextManager[Any]) -> None:
    """A thread whose socket is closed would use a processor, and slow every later test of the process."""
    before = set(threading.enumerate())

    with pytest.raises(ZeroDivisionError), server:
        raise ZeroDivisionError

    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()

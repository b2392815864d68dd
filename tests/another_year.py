"""The tests in another year: `-p tests.another_year`, with `YEAR=2039` in the environment.

The clock of the process goes on from the first of March of that year; `time.monotonic` and other programs keep theirs.
"""

import os
from datetime import UTC, datetime

import pytest
import time_machine


def pytest_configure(config: pytest.Config) -> None:
    """Set the clock, before any test is imported."""
    travel = time_machine.travel(datetime(int(os.environ["YEAR"]), 3, 1, 12, tzinfo=UTC), tick=True)
    travel.start()
    config.add_cleanup(travel.stop)

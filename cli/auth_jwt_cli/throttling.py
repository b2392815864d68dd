"""Retries of single writes while a table is throttled."""

import time
from collections.abc import Callable
from typing import TypeVar

from auth_jwt.errors import Throttled
from auth_jwt_cli.migration.target import Patience, Waiting

_T = TypeVar("_T")


def retry_throttled(call: Callable[[], _T], tell: Callable[[Waiting], None]) -> _T:
    """Return what *call* returns; repeat it after a growing pause while the table is throttled.

    Raises:
        Throttled: none of the attempts succeeded.
    """
    patience, failures = Patience(), 0
    while True:
        try:
            return call()
        except Throttled as problem:
            failures += 1
            if failures > patience.attempts:
                raise
            seconds = patience.pause(failures)
            tell(Waiting(seconds, str(problem)))
            time.sleep(seconds)

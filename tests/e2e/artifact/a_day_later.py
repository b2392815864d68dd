"""Takes a snapshot of a function and lets it go on a day later; prints its answers to events among its log lines.

Run by Lambda's Python in the function's folder. Reads a JSON list of events. The function answers the first before the
snapshot, which Lambda never lets it: what it keeps of that moment must not matter either. All clocks are moved.
"""

import datetime
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAY = 24 * 3600
passed = 0


def move_clocks() -> None:
    """Put clocks that can be moved in the place of Python's, before anybody takes one by its name."""
    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, _moved(getattr(time, name), 1))
        setattr(time, f"{name}_ns", _moved(getattr(time, f"{name}_ns"), 10**9))
    for name in ("gmtime", "localtime"):
        setattr(time, name, _of_now(getattr(time, name)))

    class MovedDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "MovedDatetime":
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> "MovedDatetime":
            return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    datetime.datetime = MovedDatetime  # type: ignore[misc]


def _moved(clock: Callable[[], Any], ticks: int) -> Callable[[], Any]:
    return lambda: clock() + passed * ticks


def _of_now(broken_down: Callable[[float], time.struct_time]) -> Callable[..., time.struct_time]:
    return lambda seconds=None: broken_down(time.time() if seconds is None else seconds)


if __name__ == "__main__":
    move_clocks()
    sys.path.insert(0, str(Path.cwd()))
    from awslambdaric import lambda_runtime_hooks_runner  # type: ignore[import-not-found]

    app = importlib.import_module("app")

    def answer(event: object) -> None:
        sys.stdout.write(json.dumps({"answer": app.lambda_handler(event, None)}) + "\n")

    events = json.load(sys.stdin)
    answer(events[0])
    lambda_runtime_hooks_runner.run_before_snapshot()
    passed = DAY
    lambda_runtime_hooks_runner.run_after_restore()
    for event in events[1:]:
        answer(event)

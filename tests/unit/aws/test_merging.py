"""Several reads at the same time: every item comes once, a failure is one of the whole, and no thread is left over."""

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from auth_jwt.aws.merging import merged
from auth_jwt.errors import Unreachable


def numbers(first: int, count: int) -> Iterator[int]:
    yield from range(first, first + count)


def left_over() -> int:
    deadline = time.monotonic() + 5
    while (running := sum(one.name == "merged" for one in threading.enumerate())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return running


@pytest.mark.parametrize("count", [0, 1, 100])
def test_every_item_of_every_source_comes_once_in_its_sources_order(count: int) -> None:
    given = list(merged([partial(numbers, 1000 * source, count) for source in range(3)]))

    assert sorted(given) == [1000 * source + number for source in range(3) for number in range(count)]
    for source in range(3):
        assert [number for number in given if number // 1000 == source] == list(numbers(1000 * source, count))
    assert left_over() == 0


def test_the_sources_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=5)

    def wait() -> Iterator[int]:
        yield together.wait()

    assert sorted(merged([wait] * 3)) == [0, 1, 2]


def test_a_failure_is_raised_and_ends_the_others() -> None:
    def fail() -> Iterator[int]:
        yield 1
        raise Unreachable("no answer")

    with pytest.raises(Unreachable, match="no answer"):
        list(merged([fail, lambda: numbers(0, 10**9)]))
    assert left_over() == 0


def test_who_stops_asking_leaves_no_thread_behind() -> None:
    given = merged([partial(numbers, 0, 10**9)] * 2)
    next(given)

    given.close()  # type: ignore[attr-defined]

    assert left_over() == 0


def test_a_source_waits_for_who_asks() -> None:
    """Or a scan would read the whole table into memory, whatever its pace."""
    made: list[int] = []

    def counted() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    given = merged([counted])
    next(given)
    time.sleep(0.2)

    assert len(made) <= 3
    given.close()  # type: ignore[attr-defined]


def test_a_thread_that_cannot_be_started_leaves_no_other_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine has only so many threads."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    with pytest.raises(RuntimeError, match="new thread"):
        next(merged([partial(numbers, 0, 10**9)] * 2))
    assert left_over() == 0

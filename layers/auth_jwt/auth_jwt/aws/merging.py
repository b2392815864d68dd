"""Several reads at the same time, whose results come as one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")

_LOOKS_EVERY_SECONDS: Final = 0.1  # a source looks so often whether anybody still asks


def merged(sources: Sequence[Callable[[], Iterator[_T]]]) -> Iterator[_T]:
    """Give the items of all *sources* as they come. Each source runs in a thread of its own, an item or two ahead.

    The threads end when the last item was given, when a source fails, and when nobody asks for more.

    Args:
        sources: each makes an iterator, in its thread.

    Raises:
        Exception: that of the source that failed first; the items of the others that were not given yet are lost.
    """
    given: Queue[_Given[_T]] = Queue(maxsize=1)
    over = Event()
    running = len(sources)
    try:
        for source in sources:
            Thread(target=_run, args=(source, given, over), name="merged", daemon=True).start()
        while running:
            item = given.get()
            if item.error is not None:
                raise item.error
            running -= not item.items
            yield from item.items
    finally:
        over.set()


@dataclass(frozen=True, slots=True)
class _Given(Generic[_T]):
    """What a source gave: an item, or none at its end, or its failure."""

    items: tuple[_T, ...] = ()
    error: BaseException | None = None


def _run(source: Callable[[], Iterator[_T]], given: "Queue[_Given[_T]]", over: Event) -> None:
    try:
        for item in source():
            if not _hand_over(_Given((item,)), given, over):
                return
        _hand_over(_Given(), given, over)
    except BaseException as error:  # noqa: BLE001 - who asks raises it
        _hand_over(_Given(error=error), given, over)


def _hand_over(item: "_Given[_T]", given: "Queue[_Given[_T]]", over: Event) -> bool:
    """Wait until *item* is taken, and tell whether it was."""
    while not over.is_set():
        try:
            given.put(item, timeout=_LOOKS_EVERY_SECONDS)
        except Full:
            continue
        return True
    return False

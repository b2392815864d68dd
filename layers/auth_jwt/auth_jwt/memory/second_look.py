"""The second look: before remembered rows deny a token, rows that may have changed meanwhile are read anew."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from auth_jwt.errors import Deferred, Denied, Reason, StaleKeys
from auth_jwt.memory.memory import Memory
from auth_jwt.models import Half, Report
from auth_jwt.ports import Deadline

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_T = TypeVar("_T")


def decide_with_second_look(
    memory: Memory[_K, _V],
    key: _K,
    decide: Callable[[_V], _T],
    worth_it: Mapping[Reason, Half],
    deadline: Deadline,
    report: Report,
) -> _T:
    """Decide from what is remembered. Before a denial that fresh rows could reverse, read them and decide again.

    Such a denial stands only on rows that were read for this request. If they cannot be read, it is a fault.

    Args:
        memory: what the process remembers.
        key: whose rows decide.
        decide: decides from rows.
        worth_it: the reasons to look again, and the half that each rests on.
        deadline: when to give up.
        report: records where the rows came from.

    Raises:
        Denied, Deferred, StaleKeys: as *decide* raises them.
        Fault: no decision is possible.
    """
    recalled = memory.recall(key, deadline)
    report.rows = recalled.origin
    try:
        return decide(recalled.found)
    except (Denied, Deferred, StaleKeys) as denied:
        half = worth_it.get(denied.reason)
        if half is None or half in recalled.read:
            raise
        renewed = memory.renew(key, deadline, instead_of=recalled.found)
        if renewed is None:
            raise
    report.start_over(renewed.origin)
    try:
        return decide(renewed.found)
    except (Denied, Deferred, StaleKeys) as denied:
        half = worth_it.get(denied.reason)
        if renewed.failure is None or half is None or half in renewed.read:
            raise
        raise renewed.failure from denied

"""The second look: before remembered rows deny a token, rows that may have changed meanwhile are read anew."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from auth_jwt.errors import Deferred, Denied, Reason, StaleKeys
from auth_jwt.memory.memory import Memory, Recalled
from auth_jwt.models import Half, Report
from auth_jwt.ports import Deadline

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_T = TypeVar("_T")

_Negative = Denied | Deferred | StaleKeys


def decide_with_second_look(
    memory: Memory[_K, _V],
    key: _K,
    decide: Callable[[_V], _T],
    worth_it: Mapping[Reason, Half],
    deadline: Deadline,
    report: Report,
) -> _T:
    """Decide from what is remembered. Before a denial that fresh rows could reverse, read them and decide again.

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
    report.origin = recalled.origin
    try:
        return decide(recalled.found)
    except (Denied, Deferred, StaleKeys) as denied:
        return look_again(memory, key, recalled, denied, decide, worth_it, deadline, report)


def look_again(
    memory: Memory[_K, _V],
    key: _K,
    recalled: Recalled[_V],
    denied: _Negative,
    decide: Callable[[_V], _T],
    worth_it: Mapping[Reason, Half],
    deadline: Deadline,
    report: Report,
) -> _T:
    """Decide again, from fresh rows, if they could reverse what the *recalled* rows have *denied*.

    A denial that fresh rows could reverse stands only on rows that were read for this request. If they cannot be read,
    it is a fault. The other arguments are those of `decide_with_second_look`.

    Raises:
        Denied, Deferred, StaleKeys: *denied* itself, or as *decide* raises them.
        Fault: no decision is possible.
    """
    half = worth_it.get(denied.reason)
    if half is None or half in recalled.halves_read:
        raise denied
    if recalled.failure is not None:  # this request has just tried to read that half
        raise recalled.failure from denied
    renewed = memory.renew(key, deadline, instead_of=recalled.found)
    if renewed is None:
        raise denied
    report.start_over(renewed.origin)
    try:
        return decide(renewed.found)
    except (Denied, Deferred, StaleKeys) as again:
        half = worth_it.get(again.reason)
        if renewed.failure is None or half is None or half in renewed.halves_read:
            raise
        raise renewed.failure from again

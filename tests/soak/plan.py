"""Which faults are on, and when: a plan that a seed makes, so that a run can be repeated."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from tests.faults.injected import (
    API_ERRORS,
    BROKEN_OFF,
    CONNECTION_FAULTS,
    CUT,
    HARMLESS,
    NOT_DYNAMODBS,
    SILENT,
    WRONG_SUM,
    ConnectionFault,
    InjectedFault,
    Meaning,
)
from tests.faults.proxy import FaultProxy, Where
from tests.soak.judge import Excuse

GROUPS: Final[Sequence[Mapping[str, InjectedFault] | Mapping[str, ConnectionFault]]] = (
    CUT,
    NOT_DYNAMODBS,
    WRONG_SUM,
    BROKEN_OFF,
    SILENT,
    API_ERRORS,
    HARMLESS,
    CONNECTION_FAULTS,
)
READS: Final = (None, None, "jwt_secrets", "jwt_profiles", "jwt_revocations")
"""The table whose requests fail; None for all."""
QUIET_SECONDS: Final = (5.0, 12.0)
FAULTY_SECONDS: Final = (2.0, 12.0)
"""From the shortest to the longest. The longest is longer than memory serves stale rows."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is to come.

    Attributes:
        begins: seconds after the begin of the run.
        ends: likewise.
        fault: what happens.
        table: of which table; None for all. A fault of connections is about all.
    """

    begins: float
    ends: float
    fault: InjectedFault | ConnectionFault
    table: str | None


def a_plan(seconds: float, seed: int) -> list[Planned]:
    """Return the faults of a run that takes so many *seconds*: in turn of each group, with quiet times in between."""
    choice = random.Random(f"faults {seed}")
    plan: list[Planned] = []
    at = choice.uniform(*QUIET_SECONDS)
    while at + FAULTY_SECONDS[0] + QUIET_SECONDS[0] <= seconds:
        group = GROUPS[len(plan) % len(GROUPS)] if len(plan) >= len(GROUPS) else choice.choice(GROUPS)
        fault: InjectedFault | ConnectionFault = choice.choice([*group.values()])
        lasts = min(choice.uniform(*FAULTY_SECONDS), seconds - QUIET_SECONDS[0] - at)
        plan.append(Planned(at, at + lasts, fault, choice.choice(READS)))
        at += lasts + choice.uniform(*QUIET_SECONDS)
    return plan


class Injection:
    """Carries a plan out.

    Attributes:
        excuses: the faults so far that may keep a request from its answer; what is on has no end yet.
        injected: how often each fault was on, by its name.
        hits: how many requests or connections met a fault.
    """

    def __init__(self, proxy: FaultProxy, plan: Sequence[Planned]) -> None:
        self._proxy = proxy
        self._plan = plan
        self.excuses: list[Excuse] = []
        self.injected: Counter[str] = Counter()
        self.hits = 0

    @property
    def is_on(self) -> bool:
        """Whether a fault is on now that may keep a request from its answer."""
        return bool(self.excuses) and self.excuses[-1].ended == inf

    def carry_out(self, begun: float, stop: threading.Event) -> None:
        """Switch faults on and off until all have been, or until *stop*.

        Args:
            begun: when the run began, in UNIX seconds.
            stop: is set when it ends.
        """
        for planned in self._plan:
            if stop.wait(max(0.0, begun + planned.begins - time.time())):
                return
            self._inject(planned, begun, stop)

    def _inject(self, planned: Planned, begun: float, stop: threading.Event) -> None:
        fault = planned.fault
        matters = fault.meaning is not Meaning.NONE
        excuse = Excuse(time.time(), inf, fault.name, fault.meaning is Meaning.UNUSABLE)
        if matters:
            self.excuses.append(excuse)
        failing = self._proxy.begin(fault, Where(table=planned.table))
        stop.wait(max(0.0, begun + planned.ends - time.time()))
        self._proxy.end(failing)
        if matters:
            self.excuses[-1] = Excuse(excuse.began, time.time(), excuse.why, excuse.is_final)
        self.injected[fault.name] += 1
        self.hits += failing.hits

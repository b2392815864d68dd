"""What a drill found: its steps, its figures and whether all of it is as it should be."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Finding(StrEnum):
    """What came of a step."""

    DONE = "done"
    FAILED = "failed"
    NOT_SHOWN = "not shown"
    """What this drill cannot show, and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a drill.

    Attributes:
        what: what was done or looked at.
        finding: what came of it.
        detail: figures and names; never a token, a secret or a value of a row.
        at: seconds since the drill began.
    """

    what: str
    finding: Finding
    detail: str
    at: float


class StepFailed(Exception):
    """A step failed, and the steps after it make no sense."""


@dataclass(slots=True)
class DrillReport:
    """A drill as it goes on.

    Attributes:
        drill: its name.
        tell: receives each step when it ends.
        clock: in seconds.
        steps: those that ended.
        figures: what was measured, in seconds, by name.
    """

    drill: str
    tell: Callable[[Step], None]
    clock: Callable[[], float] = time.monotonic
    steps: list[Step] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self.begun = self.clock()

    @property
    def is_good(self) -> bool:
        """Whether no step failed, and one was done."""
        findings = {step.finding for step in self.steps}
        return Finding.DONE in findings and Finding.FAILED not in findings

    def check(self, what: str, holds: bool, detail: str = "") -> None:
        """Note whether something is as it should be."""
        self._note(what, Finding.DONE if holds else Finding.FAILED, detail)

    def need(self, what: str, holds: bool, detail: str = "") -> None:
        """Note the same of something without which the rest makes no sense.

        Raises:
            StepFailed: it is not.
        """
        self.check(what, holds, detail)
        if not holds:
            raise StepFailed(what)

    def done(self, what: str, detail: str = "") -> None:
        """Note what was done."""
        self._note(what, Finding.DONE, detail)

    def not_shown(self, what: str, why: str) -> None:
        """Note what the drill cannot show."""
        self._note(what, Finding.NOT_SHOWN, why)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End quietly when a step failed that the others need: it is noted already."""
        try:
            yield
        except StepFailed:
            return

    def to_json(self) -> str:
        """Return all of it as one document."""
        found: dict[str, Any] = {
            "drill": self.drill,
            "good": self.is_good,
            "seconds": round(self.clock() - self.begun, 1),
            "figures": {name: round(value, 2) for name, value in self.figures.items()},
            "steps": [
                {"what": step.what, "finding": step.finding.value, "detail": step.detail, "at": round(step.at, 2)}
                for step in self.steps
            ],
        }
        return json.dumps(found, indent=2)

    def _note(self, what: str, finding: Finding, detail: str) -> None:
        step = Step(what, finding, detail, self.clock() - self.begun)
        self.steps.append(step)
        self.tell(step)


MARKS = {Finding.DONE: "✓", Finding.FAILED: "✗", Finding.NOT_SHOWN: "·"}


def as_text(step: Step) -> str:
    """Return a step as a line for people."""
    line = f"{MARKS[step.finding]} {step.at:5.1f} s  {step.what}"
    return f"{line}: {step.detail}" if step.detail else line

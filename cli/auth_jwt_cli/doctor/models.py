"""The nouns of an examination: one line for each thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a look at one thing says."""

    OK = "ok"
    SKIPPED = "skipped"  # there is nothing to look at, or not from here
    WARNING = "warning"  # it works, and an operator should know
    PROBLEM = "problem"  # it does not work, or will not for long


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was looked at.

    Attributes:
        verdict: what it says.
        about: what was looked at, in a word or a name.
        text: what was seen.
        remedy: what to do next; empty if nothing.
    """

    verdict: Verdict
    about: str
    text: str
    remedy: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether not all is well with it."""
        return self.verdict in (Verdict.WARNING, Verdict.PROBLEM)


def ok(about: str, text: str) -> Observation:
    """Make a line of a thing that is as it should be."""
    return Observation(Verdict.OK, about, text)


def skipped(about: str, text: str, remedy: str = "") -> Observation:
    """Make a line of a thing that was not looked at."""
    return Observation(Verdict.SKIPPED, about, text, remedy)


def warning(about: str, text: str, remedy: str) -> Observation:
    """Make a line of a thing that an operator should know of."""
    return Observation(Verdict.WARNING, about, text, remedy)


def problem(about: str, text: str, remedy: str) -> Observation:
    """Make a line of a thing that does not work."""
    return Observation(Verdict.PROBLEM, about, text, remedy)

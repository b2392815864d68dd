"""What is made of measured samples: medians with their spread, paired ratios, and goals beside figures."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

Json = dict[str, Any]
Samples = Mapping[str, Sequence[float]]
"""What each subject took, round by round; the first of one was measured beside the first of another."""

OURS: Final = "this service"
BOTO3: Final = "this service, boto3"
OBVIOUS: Final = "the obvious one"
DECODE: Final = "jwt.decode"


def measured(
    subjects: Mapping[str, Callable[[], float]], rounds: int, progress: Callable[[int], None] = lambda _: None
) -> dict[str, list[float]]:
    """Measure all *subjects* in turn, so often.

    The order turns by one each round, so that none always comes after the same other.

    Args:
        subjects: by name, what measures one sample.
        rounds: samples of each.
        progress: is told the number of each round that is done.
    """
    samples: dict[str, list[float]] = {name: [] for name in subjects}
    names = list(subjects)
    for done in range(rounds):
        first = done % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(subjects[name]())
        progress(done + 1)
    return samples


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of *values*; quartiles lie between the values next to them."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)

    def to_json(self) -> Json:
        """Return it as JSON, to five significant digits."""
        return {name: float(f"{getattr(self, name):.5g}") for name in ("median", "lower", "upper")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several subjects at the same job, and how they compare with one of them.

    Attributes:
        title: what was measured.
        unit: of the costs.
        base: the subject that the ratios are over.
        costs: the spread of each subject's samples.
        ratios: the spread of each subject's samples over those of the base measured beside them.
    """

    title: str
    unit: str
    base: str
    costs: Mapping[str, Spread]
    ratios: Mapping[str, Spread]

    @classmethod
    def of(cls, title: str, unit: str, base: str, samples: Samples) -> Self:
        """Compare *samples*; a ratio is that of a pair of samples, and its median that of all pairs."""
        return cls(
            title=title,
            unit=unit,
            base=base,
            costs={name: Spread.of(values) for name, values in samples.items()},
            ratios={
                name: Spread.of([value / beside for value, beside in zip(values, samples[base], strict=True)])
                for name, values in samples.items()
            },
        )

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return what `to_json` made *value* of."""
        return cls(
            title=value["title"],
            unit=value["unit"],
            base=value["base"],
            costs={name: Spread(**spread) for name, spread in value["costs"].items()},
            ratios={name: Spread(**spread) for name, spread in value["ratios"].items()},
        )

    def to_json(self) -> Json:
        """Return it as JSON."""
        return {
            "title": self.title,
            "unit": self.unit,
            "base": self.base,
            "costs": {name: spread.to_json() for name, spread in self.costs.items()},
            "ratios": {name: spread.to_json() for name, spread in self.ratios.items()},
        }


Part = Mapping[str, Comparison]
"""The comparisons of one part of the run, by a key."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that is not to be exceeded.

    Attributes:
        name: what it is of.
        part: the part of the run that measures it.
        comparison: the key of the comparison there.
        subject: whose ratio it is.
        base: what the ratio is over.
        at_most: the limit.
    """

    name: str
    part: str
    comparison: str
    subject: str
    base: str
    at_most: float

    def judged(self, part: Part) -> Json:
        """Return the goal beside its figure in *part*."""
        comparison = part.get(self.comparison)
        ratio = None if comparison is None else comparison.ratios.get(self.subject)
        return {
            "name": self.name,
            "goal": f"at most {self.at_most:g} x {self.base}",
            "figure": "not measured"
            if ratio is None
            else f"{ratio.median:.2f} x ({ratio.lower:.2f} to {ratio.upper:.2f})",
            "met": ratio is not None and ratio.median <= self.at_most,
            "command": f"make bench ARGS='--only {self.part}'",
        }


WARM, COLD, EMULATOR, ISSUERS = "warm", "cold", "emulator", "issuers"
ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")
ONE_SECRET, MANY_SECRETS = "1 secret", "20 secrets"

GOALS: Final = (
    *(Goal(f"warm, {algorithm}", WARM, algorithm, OURS, DECODE, 1.2) for algorithm in ALGORITHMS),
    Goal("warm, HS256, 20 open secrets, the last one right", WARM, "secrets", MANY_SECRETS, ONE_SECRET, 3),
    Goal("cold, fresh process, HS256: the limit", COLD, "HS256", OURS, OBVIOUS, 0.6),
    Goal("cold, fresh process, HS256: the goal", COLD, "HS256", OURS, OBVIOUS, 0.35),
    Goal("cold, built artifact, HS256: the limit", EMULATOR, "HS256", OURS, OBVIOUS, 0.6),
    Goal("cold, built artifact, HS256: the goal", EMULATOR, "HS256", OURS, OBVIOUS, 0.35),
)


def judged(parts: Mapping[str, Part]) -> list[Json]:
    """Return every goal of the parts that were run."""
    return [goal.judged(parts[goal.part]) for goal in GOALS if goal.part in parts]


def report(goals: Sequence[Mapping[str, Any]]) -> str:
    """Return *goals* as lines, each beside its figure."""
    lines = [[goal["name"], goal["goal"], goal["figure"], "met" if goal["met"] else "MISSED"] for goal in goals]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)

"""What became of the mutants: a table by module, those that survived, and whether enough were caught."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.mutants.operators import Mutant

_ENDS: Final = {0: "survived", 1: "caught", 4: "broken", -1: "timed out", None: "not tried"}
"""How a mutant ends, by the exit code of its process. A broken one is no Python, and counts nowhere."""


@dataclass(frozen=True)
class Result:
    """How a mutant ended.

    Attributes:
        mutant: the mutant.
        end: `caught`, `survived`, `timed out`, `broken`, or `not tried`.
        seconds: how long it took.
        untested: whether no test that was asked runs its lines.
    """

    mutant: Mutant
    end: str
    seconds: float
    untested: bool = False


def of_line(line: Mapping[str, Any], mutants: Sequence[Mutant]) -> Result:
    """Return what a *line* of the worker says of one of the *mutants*."""
    end = _ENDS[line["code"]]
    return Result(mutants[line["mutant"]], end, line.get("seconds", 0), untested=line.get("untested", False))


def score(results: Sequence[Result]) -> float | None:
    """Return how many per cent were caught, or took too long, which is noticed as well; None when none was tried."""
    ends = Counter(result.end for result in results)
    noticed = ends["caught"] + ends["timed out"]
    tried = noticed + ends["survived"]
    return 100 * noticed / tried if tried else None


def enough(results: Sequence[Result], threshold: float) -> bool:
    """Tell whether the *threshold*, in per cent, is reached. None tried is not enough."""
    reached = score(results)
    return reached is not None and reached >= threshold


def by_module(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each file, in the order of their paths."""
    found = dict[str, list[Result]]()
    for result in sorted(results, key=lambda each: (each.mutant.path, each.mutant.start)):
        found.setdefault(result.mutant.path, []).append(result)
    return found


def report(results: Sequence[Result], sources: Mapping[str, str], equivalent: int, threshold: float) -> dict[str, Any]:
    """Return all that machines may want to know."""
    survived = [result for results in by_module(results).values() for result in results if result.end == "survived"]
    return {
        "score": score(results),
        "threshold": threshold,
        "enough": enough(results, threshold),
        "equivalent": equivalent,
        "modules": {path: _counts(found) for path, found in by_module(results).items()},
        "survived": [
            {
                "path": result.mutant.path,
                "line": result.mutant.line,
                "operator": result.mutant.operator,
                "untested": result.untested,
                "diff": result.mutant.diff(sources[result.mutant.path]),
            }
            for result in survived
        ],
    }


def show(results: Sequence[Result], sources: Mapping[str, str], threshold: float) -> None:
    """Print the survivors, then the table."""
    for found in by_module(results).values():
        for result in found:
            if result.end == "survived":
                why = "; no test that was asked runs it" if result.untested else ""
                print(f"\n{result.mutant.path}:{result.mutant.line}: {result.mutant.operator}{why}")
                print("\n".join(result.mutant.diff(sources[result.mutant.path])))
    print(f"\n{'module':58} {'mutants':>8} {'caught':>8} {'survived':>8} {'too long':>8} {'score':>7}")
    for path, found in by_module(results).items():
        _show_row(path.removeprefix("layers/auth_jwt/"), found)
    _show_row("all", results)
    left = sum(result.end == "not tried" for result in results)
    if left:
        print(f"{left} mutants were not tried: the time was over")
    print(f"{threshold:g} % must be caught: {'they are' if enough(results, threshold) else 'TOO FEW ARE'}")


def _counts(results: Sequence[Result]) -> dict[str, Any]:
    ends = Counter(result.end for result in results)
    counted = {"caught": ends["caught"], "survived": ends["survived"], "timed_out": ends["timed out"]}
    return {"mutants": sum(counted.values()), **counted, "not_tried": ends["not tried"], "score": score(results)}


def _show_row(name: str, results: Sequence[Result]) -> None:
    row = _counts(results)
    reached = "-" if row["score"] is None else f"{row['score']:.1f} %"
    print(f"{name:58} {row['mutants']:8} {row['caught']:8} {row['survived']:8} {row['timed_out']:8} {reached:>7}")

"""The page docs/benchmarks/README.md: its tables are written from the figures, so the two cannot disagree."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import Comparison, Spread
from tools.events.stage import ROOT, Json, read_json

FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS: Final = "results.json"
SCALE: Final = "scale.json"
PAGE: Final = "README.md"
SCALE_PLOT: Final = "![Resident memory over the number of distinct tags](memory.svg)"

_MARKED: Final = "(<!-- {name}: written by make bench -->\n).*?(<!-- end of {name} -->)"


class PageError(Exception):
    """The page has no place for what belongs there."""


def results_in(folder: Path = FOLDER) -> Json:
    """Return the figures of the last complete run."""
    return read_json(folder / RESULTS)


def scale_in(folder: Path = FOLDER) -> Json:
    """Return the figures of scale, which another program measures; none where it never ran."""
    path = folder / SCALE
    return read_json(path) if path.exists() else {"goals": []}


def comparisons_of(results: Json) -> dict[str, dict[str, Comparison]]:
    """Return the comparisons in *results*, by part and key."""
    return {
        part: {key: Comparison.from_json(value) for key, value in comparisons.items()}
        for part, comparisons in results["parts"].items()
    }


def write(folder: Path = FOLDER) -> None:
    """Write the tables of the page in *folder* anew from the figures there."""
    page = folder / PAGE
    page.write_text(written(page.read_text("utf-8"), results_in(folder), scale_in(folder)), "utf-8")


def save(results: Json, folder: Path = FOLDER) -> None:
    """Write the figures of a run."""
    (folder / RESULTS).write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def written(page: str, results: Json, scale: Json) -> str:
    """Return *page* with its tables as *results* and *scale* say.

    Raises:
        PageError: a pair of markers is not there.
    """
    blocks = {
        "goals": goals_table([*results["goals"], *scale["goals"]]),
        "run": about_the_run(results),
        "scale": SCALE_PLOT if scale["goals"] else "Not measured yet.",
        **{part: figures_table(found.values()) for part, found in comparisons_of(results).items()},
    }
    for name, block in blocks.items():
        page = _with_block(page, name, block)
    return page


def _with_block(page: str, name: str, block: str) -> str:
    marked = _MARKED.format(name=re.escape(name))
    page, times = re.subn(marked, lambda at: f"{at[1]}\n{block}\n\n{at[2]}", page, flags=re.DOTALL)
    if times != 1:
        raise PageError(f"{times} places for {name}, not one")
    return page


def goals_table(goals: Iterable[Mapping[str, object]]) -> str:
    """Return every goal beside its figure."""
    rows = [
        [goal["name"], goal["goal"], goal["figure"], "met" if goal["met"] else "**missed**", f"`{goal['command']}`"]
        for goal in goals
    ]
    return _table(["what", "goal", "figure", "", "measured by"], rows)


def figures_table(comparisons: Iterable[Comparison]) -> str:
    """Return what every subject took, and its ratio to the base."""
    rows = [
        [
            comparison.title,
            subject,
            f"{_shown(cost)} {_UNITS.get(comparison.unit, comparison.unit)}",
            "1" if subject == comparison.base else f"{_ratio(comparison.ratios[subject])} {comparison.base}",
        ]
        for comparison in comparisons
        for subject, cost in comparison.costs.items()
    ]
    if not rows:
        return "Not measured in this run."
    return _table(["what", "who", "takes", "ratio"], rows)


def about_the_run(results: Json) -> str:
    """Return when, where and with what the figures were measured."""
    packages = ", ".join(f"{name} {version}" for name, version in results["packages"].items())
    rounds = ", ".join(f"{part} {number}" for part, number in results["rounds"].items())
    return (
        f"Measured on {results['date']} at revision `{results['revision']}`, on {results['cores']} cores of"
        f" {results['processor']}, by Python {results['python']}"
        f" ({packages}). Rounds: {rounds}."
    )


_UNITS: Final = {"microseconds": "µs", "milliseconds": "ms"}


def _shown(spread: Spread) -> str:
    digits = 0 if spread.median >= 100 else 1
    return f"{spread.median:.{digits}f} ({spread.lower:.{digits}f} to {spread.upper:.{digits}f})"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.lower:.2f} to {spread.upper:.2f}) x"


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)

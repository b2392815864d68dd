"""How the service bears scale: many users in its tables, floods of distinct tags, a burst of one.

A complete run (`make bench-scale`) writes docs/benchmarks/scale.json and memory.svg, and takes a quarter of an hour
with a million of each; `--quick` takes two minutes and writes nothing. Every part runs in a process of its own.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import Spread, report
from tests.benchmarks.plots import COLOURS, INK, STYLE
from tools.events.stage import ROOT, Json

FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS: Final = "scale.json"
PLOT: Final = "memory.svg"
COMMAND: Final = "make bench-scale"

MILLION: Final = 1_000_000
TABLES, MEMORY, BURST = "tables", "memory", "burst"
PARTS: Final = (TABLES, MEMORY, BURST)
QUICK: Final = {"rows": 5_000, "rounds": 200, "tags": 60_000}

RATIO: Final = 1.1
ONCE_FULL_MIB: Final = 4
"""What a process may grow by once its memory is full."""

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A flood of distinct tags, and what the process may grow by under it.

    Attributes:
        kind: how `tests.benchmarks.scale_memory` calls it.
        title: what comes in.
        full_after: the number of tags that fill memory.
        share: of the tags asked for, since some take long to decide; but at least so many that memory is long full.
        at_most_mib: what the process may grow by in all, MiB.
    """

    kind: str
    title: str
    full_after: int
    share: float
    at_most_mib: int

    def tags(self, asked_for: int) -> int:
        """Return how many tags come."""
        return max(2 * self.full_after, int(asked_for * self.share))

    def goals(self, found: Json) -> list[Json]:
        """Return what this flood may do to memory beside what it did."""
        series = found["series"]
        name = f"memory under {series[-1][0]:,} {self.title}"
        return [
            _bound(f"{name}, in all", growth(series, 0), self.at_most_mib),
            _bound(f"{name}, once it is full", growth(series, self.full_after), ONCE_FULL_MIB),
        ]


FLOODS: Final = (
    Flood(kind="forged", title="forged tags", full_after=5_000, share=1, at_most_mib=8),
    Flood(kind="valid", title="users with an HMAC secret", full_after=30_000, share=1, at_most_mib=64),
    Flood(kind="rsa", title="users with an RSA key", full_after=15_000, share=0.05, at_most_mib=64),
    Flood(kind="forged-handler", title="forged tags, whole handler", full_after=5_000, share=0.1, at_most_mib=8),
    Flood(
        kind="valid-handler",
        title="users with an HMAC secret, whole handler",
        full_after=30_000,
        share=0.1,
        at_most_mib=64,
    ),
)


# -- goals ------------------------------------------------------------------------------------------------------------


def growth(series: Sequence[Sequence[int]], since: int) -> int:
    """Return by how many bytes a process grew at most, from when so many tags had come.

    Args:
        series: pairs of tags that had come, and of bytes in memory then.
        since: tags.
    """
    sizes = [size for tags, size in series if tags >= since]
    return max(sizes) - sizes[0]


def goals_of(parts: Mapping[str, Json]) -> list[Json]:
    """Return every goal of the parts that were run, beside its figure."""
    found: list[Json] = []
    if TABLES in parts:
        found += [_ratio_goal(title, parts[TABLES].get(key)) for key, title in _DECISIONS.items()]
    if MEMORY in parts:
        for flood in FLOODS:
            found += flood.goals(parts[MEMORY][flood.kind])
    if BURST in parts:
        found += [_burst_goal(*_BURSTS[kind], counted) for kind, counted in parts[BURST].items()]
    return found


_DECISIONS: Final = {"hit": "a decision by remembered rows", "miss": "a decision by rows just read"}
_BURSTS: Final = {
    "good": ("good tokens", "1 pair of reads", 0),
    "forged": ("forged tokens", "1 pair of reads, and 1 for the second look", 1),
}


def _ratio_goal(title: str, comparison: Json | None) -> Json:
    ratio = users = None
    if comparison:
        ((users, spread),) = (
            (name, value) for name, value in comparison["ratios"].items() if name != comparison["base"]
        )
        ratio = Spread(**spread)
    return _goal(
        title if users is None else f"{title}, {users} in the tables",
        f"at most {RATIO:g} x 100 users",
        "not measured" if ratio is None else f"{ratio.median:.2f} x ({ratio.lower:.2f} to {ratio.upper:.2f})",
        met=ratio is not None and ratio.median <= RATIO,
        part=TABLES,
    )


def _bound(name: str, grown: int, at_most_mib: int) -> Json:
    met = grown <= at_most_mib * _MIB
    return _goal(name, f"at most {at_most_mib} MiB more", f"{grown / _MIB:.1f} MiB", met=met, part=MEMORY)


def _burst_goal(what: str, goal: str, second_looks: int, counted: Json) -> Json:
    name = f"{counted['threads']} {what} of one cold tag at once"
    figure = f"{counted['reads']} pair of reads, {counted['second_looks']} for second looks"
    met = (counted["reads"], counted["second_looks"]) == (1, second_looks)
    return _goal(name, goal, figure, met=met, part=BURST)


def _goal(name: str, goal: str, figure: str, *, met: bool, part: str) -> Json:
    return {"name": name, "goal": goal, "figure": figure, "met": met, "command": f"{COMMAND} ARGS='--only {part}'"}


# -- parts ------------------------------------------------------------------------------------------------------------


def tables(chosen: argparse.Namespace) -> Json:
    """Measure decisions by large tables and by small ones."""
    return _run("scale_tables", "--rows", str(chosen.rows), "--rounds", str(chosen.rounds))


def memory(chosen: argparse.Namespace) -> Json:
    """Measure what floods do to memory."""
    found = {}
    for flood in FLOODS:
        _say(f"  {flood.title}")
        found[flood.kind] = _run("scale_memory", flood.kind, "--tags", str(flood.tags(chosen.tags)))
    return found


def burst(_: argparse.Namespace) -> Json:
    """Count what bursts read."""
    return _run("scale_memory", BURST)


_MEASURE: Final[Mapping[str, Callable[[argparse.Namespace], Json]]] = {TABLES: tables, MEMORY: memory, BURST: burst}


def _run(module: str, *arguments: str) -> Json:
    layer = str(ROOT / "layers" / "auth_jwt")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [layer, os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    answer: Json = json.loads(run.stdout)
    return answer


# -- the plot ---------------------------------------------------------------------------------------------------------


def draw(floods: Mapping[str, Json], folder: Path = FOLDER) -> Path:
    """Draw how much memory the long floods took, and return the file; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib.figure import Figure

    with mpl.rc_context(dict(STYLE)):
        figure = Figure(figsize=(8, 3.4))
        axes = figure.add_subplot()
        for colour, flood in zip((COLOURS[2], COLOURS[0]), FLOODS, strict=False):
            tags, sizes = zip(*floods[flood.kind]["series"], strict=True)
            line = [size / _MIB for size in sizes]
            axes.plot(tags, line, color=colour, marker="o", markersize=3, label=flood.title)
            axes.annotate(f"{line[-1]:.0f} MiB", (tags[-1], line[-1]), (6, 0), textcoords="offset points", va="center")
            if flood.kind == "valid":
                limit = line[0] + flood.at_most_mib
                axes.axhline(limit, color=INK, linewidth=1, linestyle="--")
                axes.annotate(
                    f"{flood.at_most_mib} MiB over the start", (0, limit), (0, -12), textcoords="offset points"
                )
        axes.set_ylim(0)
        axes.grid(axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel("distinct tags asked for")
        axes.set_ylabel("resident memory, MiB")
        axes.set_title("Memory is full after some 25,000 users, and forged tags hardly take any")
        axes.legend(loc="center right")
        path = folder / PLOT
        nothing = {"Date": None, "Creator": None}
        figure.savefig(path, format="svg", transparent=True, bbox_inches="tight", metadata=nothing)
    return path


# -- the run ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and return the exit status: 1 when a goal is missed and that was to be checked."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.plot:
        draw(json.loads((FOLDER / RESULTS).read_text("utf-8"))["series"][MEMORY])
        return 0
    if chosen.quick:
        vars(chosen).update(QUICK)
    results = _measured(chosen)
    if chosen.only is None and not chosen.quick:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / RESULTS).write_text(_saved(results), "utf-8")
        draw(results["series"][MEMORY])
    print(json.dumps(results, indent=2) if chosen.json else report(results["goals"]))
    return 1 if chosen.check and not all(goal["met"] for goal in results["goals"]) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=MILLION, help="users in the large tables (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1500, help="paired samples of decisions (default: %(default)s)")
    parser.add_argument("--tags", type=int, default=MILLION, help="distinct tags in a flood (default: %(default)s)")
    parser.add_argument("--only", choices=PARTS, help="measure this part only, and write no files")
    parser.add_argument("--quick", action="store_true", help="a small run, to see that all works; it writes no files")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for machines")
    parser.add_argument("--check", action="store_true", help="exit with status 1 when a goal is missed")
    parser.add_argument("--plot", action="store_true", help="draw the plot anew from the figures there are")
    return parser


def _measured(chosen: argparse.Namespace) -> Json:
    _say(
        "this takes about "
        + ("two minutes" if chosen.quick else "a quarter of an hour, of which loading the tables is half")
    )
    started, found = time.monotonic(), {}
    for part in PARTS if chosen.only is None else (chosen.only,):
        _say(f"{part}, {time.monotonic() - started:.0f} s after the start")
        found[part] = _MEASURE[part](chosen)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - started),
        "goals": goals_of(found),
        "series": found,
    }


def _saved(results: Json) -> str:
    pair = re.compile(r"\[\s+(\d+),\s+(\d+)\s+\]")  # a point of a series on one line
    return pair.sub(r"[\1, \2]", json.dumps(results, indent=1)) + "\n"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

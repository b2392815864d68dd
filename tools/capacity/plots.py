"""The plots of the page: SVG that is the same for the same figures, and readable on white and on black."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.plots import INK, STYLE
from tools.capacity.cost import Choice, Entry, Item, per_million
from tools.capacity.inputs import FOLDER, Inputs
from tools.capacity.scenarios import Results
from tools.capacity.simulation import cold_share_of_random_arrivals

_COLOURS: Final[Mapping[Item, str]] = {
    Item.GATEWAY: "#d9822b",
    Item.REQUESTS: "#8fbcf5",
    Item.DURATION: "#2f81f7",
    Item.RESTORES: "#1f5fb8",
    Item.READS: "#3a9d5d",
    Item.LOGS: "#8f6ed5",
    Item.KEPT: "#5b3fa8",
    Item.TRACES: "#d1495b",
    Item.TRANSFER: "#a0a7b0",
}
_LINES: Final = ("#2f81f7", "#d9822b", "#3a9d5d", "#8f6ed5", "#d1495b", "#8a9099")


def draw(inputs: Inputs, results: Results, folder: Path = FOLDER) -> list[Path]:
    """Draw all plots into *folder*, and return the files; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    plots: Mapping[str, Callable[[Inputs, Results], Any]] = {"cost": _cost, "memory": _memory, "storm": _storm}
    paths = []
    with mpl.rc_context(dict(STYLE)):
        for name, plot in plots.items():
            path = folder / f"{name}.svg"
            figure = plot(inputs, results)
            nothing = {"Date": None, "Creator": None}
            figure.savefig(path, format="svg", transparent=True, bbox_inches="tight", metadata=nothing)
            paths.append(path)
    return paths


def _cost(inputs: Inputs, _: Results) -> Any:  # noqa: ANN401 - matplotlib has no types here
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4))
    axes = figure.add_subplot()
    bars = {entry.called: Choice(entry=entry) for entry in Entry}
    for entry in (Entry.FUNCTION_URL, Entry.DIRECT):
        bars[f"{entry.called}, same region"] = Choice(entry=entry, in_region=True)
    bills = [per_million(choice, inputs) for choice in bars.values()]
    names = list(bars)
    left = [0.0] * len(bars)
    for item in Item:
        widths = [bill[item] for bill in bills]
        axes.barh(names, widths, left=left, color=_COLOURS[item], label=item.value, height=0.62)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, bill in enumerate(bills):
        axes.annotate(f"${bill.total:.2f}", (bill.total, row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.invert_yaxis()
    axes.set_xlabel("US dollars a million authorizations, us-east-1, 512 MB arm64, every request a miss")
    axes.set_title("What a million authorizations cost, by entry")
    axes.legend(loc="lower right", fontsize=9)
    axes.set_xlim(right=max(left) * 1.08)
    return figure


def _memory(inputs: Inputs, results: Results) -> Any:  # noqa: ANN401
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2))
    hits, cold = figure.subplots(1, 2)
    memories: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for run in results["memory"]:
        memories.setdefault((run["every"], run["ttl"]), []).append((run["rate"], run["hit_rate"] * 100))
    for colour, ((every, ttl), points) in zip(_LINES, memories.items(), strict=False):
        name = f"every {every:g} s, for {ttl:g} s"
        hits.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3.5, label=name)
    hits.set_xscale("log")
    hits.set_ylim(-3, 100)
    hits.set_xlabel("authorizations a second")
    hits.set_title("Answered from memory, per cent")
    below = {"fontsize": 8, "loc": "upper left", "bbox_to_anchor": (-0.06, -0.2)}
    hits.legend(title="a tag comes every ..., and is remembered for ...", title_fontsize=8, ncol=2, **below)

    runs = results["cold_starts"]
    rates = [10 ** (exponent / 20) for exponent in range(-72, -34)]
    idle = inputs.simulation.idle_seconds
    cold.plot(
        rates,
        [cold_share_of_random_arrivals(rate, idle) * 100 for rate in rates],
        color=_LINES[1],
        label="one environment, by formula",
    )
    shown = [run for run in runs if run["cold_share"] > 0]
    points = [(run["rate"], run["cold_share"] * 100) for run in shown]
    cold.plot(*zip(*points, strict=True), color=_LINES[0], marker="o", markersize=4, linestyle="", label="simulated")
    cold.annotate("requests that overlap", (0.05, 0.7), color=INK, fontsize=8)
    cold.set_xscale("log")
    cold.set_yscale("log")
    cold.set_ylim(1e-3, 200)
    cold.set_xlabel("authorizations a second")
    cold.set_title("Cold starts, per cent")
    cold.legend(**below)
    for axes in (hits, cold):
        axes.grid(visible=True)
        axes.xaxis.set_major_formatter("{x:g}")
    cold.yaxis.set_major_formatter("{x:g}")
    figure.subplots_adjust(wspace=0.28)
    return figure


def _storm(inputs: Inputs, results: Results) -> Any:  # noqa: ANN401
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6.4))
    answered, busy, slow = figure.subplots(3, 1, sharex=True)
    for colour, storm in zip((_LINES[4], _LINES[0], _LINES[1]), results["storms"], strict=True):
        seconds = storm["by_second"]
        times = list(range(-10, len(seconds) - 10))
        name = storm["name"]
        answered.plot(times, [second[0] for second in seconds], color=colour, label=name)
        busy.plot(times, [max(second[3], 1) for second in seconds], color=colour)
        answers = [(at, second[4]) for at, second in zip(times, seconds, strict=True) if second[4]]
        slow.plot(*zip(*answers, strict=True), color=colour)
    users, spread = inputs.simulation.storm.users, inputs.simulation.storm.spread_seconds
    answered.set_title(f"A frontend restarts: {users:,} users register anew within {spread:g} s. Answered, a second")
    answered.legend(fontsize=9)
    busy.set_title("Environments busy at once, the most in each second")
    busy.set_yscale("log")
    busy.yaxis.set_major_formatter("{x:g}")
    slow.set_title("p99 of the answers, ms")
    slow.set_yscale("log")
    slow.yaxis.set_major_formatter("{x:g}")
    slow.yaxis.set_minor_formatter("")
    slow.set_ylim(10, 2000)
    slow.set_xlabel("seconds since the restart")
    slow.set_xlim(-10, 60)
    for axes in (answered, busy, slow):
        axes.grid(visible=True)
        axes.axvline(0, color=INK, linewidth=1)
    figure.tight_layout()
    return figure

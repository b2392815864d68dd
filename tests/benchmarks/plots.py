"""The plots of docs/benchmarks: SVG that is the same for the same figures, and readable on white and on black."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figures import (
    ALGORITHMS,
    BOTO3,
    COLD,
    DECODE,
    EMULATOR,
    GOALS,
    MANY_SECRETS,
    OBVIOUS,
    OURS,
    WARM,
    Comparison,
    Part,
    Spread,
)

INK: Final = "#6e7781"  # as far from GitHub's white as from its black
COLOURS: Final = ("#2f81f7", "#8fbcf5", "#d9822b", "#e6b980", "#8f6ed5", "#3a9d5d")
GOAL_COLOUR: Final = "#d1495b"

STYLE: Final[Mapping[str, object]] = {
    "svg.fonttype": "none",  # text as text
    "svg.hashsalt": "auth-jwt-serverless",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "grid.color": INK,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
"""matplotlib's settings for every plot of this project."""


def draw(parts: Mapping[str, Part], folder: Path) -> list[Path]:
    """Draw what *parts* have figures for into *folder*, and return the files."""
    import matplotlib as mpl

    mpl.use("svg")
    with mpl.rc_context(dict(STYLE)):
        drawn = [
            _save(_warm(parts[WARM]), folder / "warm.svg"),
            _save(_secrets(parts[WARM]["secrets"]), folder / "secrets.svg"),
        ]
        if COLD in parts:
            drawn.append(_save(_cold(parts), folder / "cold.svg"))
    return drawn


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    return path


def _warm(part: Part) -> Any:
    from matplotlib.figure import Figure

    groups = {algorithm: part[algorithm] for algorithm in ALGORITHMS}
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    limit = _limit(WARM, "HS256", OURS)
    _bars(axes, groups, base=DECODE, limits={limit: groups})
    axes.set_xlabel(f"ratio: time of a call over a bare {DECODE} of the same token (less is better)")
    axes.set_title("Warm: event in, answer, log line and metrics out", pad=24)
    _legend(figure, axes)
    return figure


def _cold(parts: Mapping[str, Part]) -> Any:
    from matplotlib.figure import Figure

    panels = {
        "Fresh process: import to first answer": {name: parts[COLD][name] for name in ALGORITHMS},
        "Built artifact under AWS's emulator: init and first answer": dict(parts.get(EMULATOR, {})),
    }
    panels = {title: groups for title, groups in panels.items() if groups}
    heights = [_count(groups) for groups in panels.values()]
    figure = Figure(figsize=(8, 1 + 0.36 * sum(heights) + 0.6 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})
    limits = {goal.at_most: [goal.comparison] for goal in GOALS if goal.part == COLD}
    for axes, (title, groups) in zip(rows[:, 0], panels.items(), strict=True):
        _bars(axes, groups, base=OBVIOUS, limits=limits)
        axes.set_title(title, pad=24)
    rows[-1, 0].set_xlabel("ratio: time over that of the obvious implementation (less is better)")
    _legend(figure, rows[-1, 0])
    return figure


def _secrets(comparison: Comparison) -> Any:
    from matplotlib.figure import Figure

    numbers = [int(name.split()[0]) for name in comparison.ratios]
    spreads = list(comparison.ratios.values())
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    errors = [[at.median - at.lower for at in spreads], [at.upper - at.median for at in spreads]]
    axes.errorbar(numbers, [at.median for at in spreads], yerr=errors, color=COLOURS[0], marker="o", capsize=3)
    limit = _limit(WARM, "secrets", MANY_SECRETS)
    axes.plot([max(numbers)], [limit], marker="_", markersize=22, color=GOAL_COLOUR, markeredgewidth=2)
    axes.annotate(
        f"goal: at most {limit:g}",
        (max(numbers), limit),
        xytext=(-16, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=GOAL_COLOUR,
    )
    axes.set_ylim(bottom=0)
    axes.set_xticks(numbers)
    axes.grid(axis="y")
    axes.set_xlabel("open secrets of the tag, the last one right (HS256)")
    axes.set_ylabel("ratio: time over one secret")
    axes.set_title("Warm: what a long rotation costs")
    return figure


def _count(groups: Mapping[str, Comparison]) -> int:
    return sum(len(comparison.ratios) for comparison in groups.values())


def _bars(axes: Any, groups: Mapping[str, Comparison], base: str, limits: Mapping[float, Collection[str]]) -> None:
    """Draw a bar for each subject but the *base*, with its quartiles and its value.

    Args:
        axes: where.
        groups: the comparisons, by what stands beside their bars.
        base: a line at 1, and no bar.
        limits: the goals, and the groups that each is for.
    """
    subjects = list(dict.fromkeys(name for group in groups.values() for name in group.ratios if name != base))
    at, ticks = 0.0, []
    ends: dict[str, float] = {}
    widest = max(
        1.0, *(ratio.upper for group in groups.values() for name, ratio in group.ratios.items() if name != base)
    )
    for title, group in groups.items():
        shown = [name for name in subjects if name in group.ratios]
        ticks.append(at + (len(shown) - 1) / 2)
        lines = [1.0, *(limit for limit, wanted in limits.items() if title in wanted)]
        for name in shown:
            _bar(axes, at, group.ratios[name], name, lines, widest)
            at += 1
        ends[title] = at - 0.5
        at += 0.8
    for limit, wanted in limits.items():
        _line(axes, limit, max(ends[title] for title in wanted if title in ends), f"goal {limit:g}", GOAL_COLOUR)
    _line(axes, 1, max(ends.values()), base, INK)
    axes.set_yticks(ticks, list(groups))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(ends.values()), -0.6)
    axes.set_xlim(0, max(axes.get_xlim()[1], widest * 1.12))  # panels may share it
    axes.grid(axis="x")


def _bar(axes: Any, at: float, ratio: Spread, name: str, lines: Sequence[float], widest: float) -> None:
    error = [[ratio.median - ratio.lower], [ratio.upper - ratio.median]]
    style = {"elinewidth": 1, "capsize": 2, "ecolor": INK}
    axes.barh([at], [ratio.median], height=0.82, color=_colour(name), label=name, xerr=error, error_kw=style)
    begin = ratio.upper
    for line in sorted(lines):  # which would cross the number
        if begin <= line < begin + widest * 0.08:
            begin = line
    axes.annotate(
        f"{ratio.median:.2f}", (begin, at), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9
    )


def _line(axes: Any, at: float, end: float, text: str, colour: str) -> None:
    axes.plot([at, at], [-0.6, end], color=colour, linestyle=(0, (4, 3)) if colour != INK else "-", linewidth=1.3)
    axes.annotate(
        text,
        (at, -0.6),
        xytext=(0, 4 if colour == INK else 12),
        textcoords="offset points",
        ha="center",
        color=colour,
        fontsize=9,
    )


_SUBJECTS: Final[Sequence[str]] = (
    OURS,
    BOTO3,
    OBVIOUS,
    "the obvious one, our byte code",
    "joserfc",
    "aws-jwt-verify (node)",
)


def _colour(name: str) -> str:
    return COLOURS[_SUBJECTS.index(name)]


def _limit(part: str, comparison: str, subject: str) -> float:
    return next(
        goal.at_most for goal in GOALS if (goal.part, goal.comparison, goal.subject) == (part, comparison, subject)
    )


def _legend(figure: Any, axes: Any) -> None:
    handles = {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    names = [name for name in _SUBJECTS if name in handles]
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=len(names))

"""Draws a dashboard as CloudWatch's console would about show it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tools.dashboard.alarms import Alarm, State
from tools.dashboard.body import Line, Widget
from tools.dashboard.hour import DAY, HOUR, MINUTE, Hour

COLUMNS: Final = 24
COLUMN_INCHES: Final = 0.72
ROW_INCHES: Final = 0.42
MARK: Final = "Dashboard"
"""The name of the text in a PNG that says which dashboard it shows."""

_COLOURS: Final = {State.OK: "#2ca02c", State.ALARM: "#d62728", State.INSUFFICIENT_DATA: "#9e9e9e"}
_GREY: Final = "#5f6b76"


def draw(widgets: Sequence[Widget], alarms: Sequence[Alarm], hour: Hour, path: Path, *, marked_by: str) -> None:
    """Draw the *widgets* with the metrics of an *hour* into the file *path*, a PNG or an SVG.

    A PNG says *marked_by*, so that a test sees whether it is of another dashboard.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    rows = max(widget.y + widget.height for widget in widgets)
    style = {"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.titleweight": "bold"}
    with mpl.rc_context(style):
        figure = plt.figure(figsize=(COLUMNS * COLUMN_INCHES, rows * ROW_INCHES), facecolor="white")
        for widget in widgets:
            axes = figure.add_axes(_place(widget, rows))
            if widget.kind == "text":
                _text(axes, widget)
            elif widget.kind == "alarm":
                _alarms(axes, widget, alarms, hour)
            else:
                _graph(axes, widget, hour)
        figure.savefig(path, dpi=72)
        plt.close(figure)
    if path.suffix == ".png":
        _make_small(path, marked_by)


def _make_small(path: Path, marked_by: str) -> None:
    """Leave 255 colours in a PNG, the rare ones among them: nobody sees the difference."""
    from PIL import Image, PngImagePlugin  # type: ignore[import-not-found] # matplotlib brings it

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(255, method=Image.Quantize.MAXCOVERAGE)
    text = PngImagePlugin.PngInfo()
    text.add_text(MARK, marked_by)
    small.save(path, optimize=True, pnginfo=text)


def _place(widget: Widget, rows: int) -> tuple[float, float, float, float]:
    left, right, above, below = (0.9, 0.2, 0.75, 1.5) if widget.kind == "metric" else (0.15, 0.15, 0.1, 0.1)
    return (
        (widget.x + left) / COLUMNS,
        1 - (widget.y + widget.height - below) / rows,
        (widget.width - left - right) / COLUMNS,
        (widget.height - above - below) / rows,
    )


def _text(axes: Any, widget: Widget) -> None:  # noqa: ANN401 - matplotlib has no types here
    heading, _, body = widget.properties["markdown"].partition("\n")
    axes.axis("off")
    axes.text(0, 1, heading.lstrip("# "), va="top", fontsize=12, weight="bold", transform=axes.transAxes)
    wrapped = textwrap.fill(body.replace("**", ""), widget.width * 9)
    axes.text(0, 0.55, wrapped, va="top", fontsize=8, color=_GREY, transform=axes.transAxes)


def _alarms(axes: Any, widget: Widget, alarms: Sequence[Alarm], hour: Hour) -> None:  # noqa: ANN401
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0, 1, widget.title, va="top", fontsize=9, weight="bold")
    across, down = 8, -(-len(alarms) // 8)
    for number, alarm in enumerate(alarms):
        state = alarm.state(hour.metrics, hour.start + HOUR)
        x, y = number % across / across, 0.86 - (number // across + 1) * 0.86 / down
        axes.add_patch(_box(x, y, 1 / across - 0.004, 0.86 / down - 0.03, _COLOURS[state]))
        name = alarm.name.removesuffix("Alarm").replace("GatewayAuthorizer", "Auth.")
        axes.text(x + 0.006, y + 0.36 / down, name, va="center", fontsize=7.5, color="white", weight="bold")


def _box(x: float, y: float, width: float, height: float, colour: str) -> Any:  # noqa: ANN401
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, color=colour)


def _graph(axes: Any, widget: Widget, hour: Hour) -> None:  # noqa: ANN401
    lines = widget.lines(hour.metrics, hour.start + HOUR, HOUR)
    stacked = widget.properties["stacked"]
    if stacked:
        minutes = range(max(len(line.values) for line in lines))
        colours = [line.colour for line in lines]
        values = [[value or 0.0 for value in line.values] for line in lines]
        axes.stackplot(minutes, values, colors=colours, labels=[line.label for line in lines], alpha=0.8)
    else:
        for line in lines:
            _line(axes, line, widget.seconds(HOUR))
    for note in widget.properties.get("annotations", {}).get("horizontal", []):
        axes.axhline(note["value"], color=note["color"], linestyle=":", linewidth=1)
        place = (0.995, note["value"])
        axes.annotate(note["label"], place, xycoords=("axes fraction", "data"), fontsize=6.5, ha="right", va="bottom")
    axes.set_title(widget.title)
    axes.set_ylabel(widget.properties["yAxis"]["left"].get("label", ""))
    axes.set_ylim(bottom=0, top=None if any(any(line.values) for line in lines) else 1)
    days = widget.seconds(HOUR) // DAY
    if days:
        axes.set(xlim=(-days, 0), xticks=[-days, -days // 2, 0])
        axes.set_xticklabels([f"{days} days ago", "", "today"])
    else:
        axes.set_xlim(0, HOUR // MINUTE)
        axes.set_xticks(range(0, 61, 15), [f"{minute // 60 + 10}:{minute % 60:02}" for minute in range(0, 61, 15)])
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    columns = max(1, widget.width // 4)
    legend = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.12), "frameon": False, "handlelength": 1}
    axes.legend(ncols=columns, fontsize=7, **legend)


def _line(axes: Any, line: Line, seconds: int) -> None:  # noqa: ANN401
    """Draw a line; a period without a point is a gap, and a point between gaps is a dot."""
    unit, begin = (DAY, -seconds // DAY) if seconds >= DAY else (MINUTE, 0)
    step = seconds / unit / len(line.values)
    places = [begin + (index + 0.5) * step for index in range(len(line.values))]
    values = [float("nan") if value is None else value for value in line.values]
    is_sparse = sum(value is not None for value in line.values) < len(values) / 2
    axes.plot(places, values, color=line.colour, label=line.label, linewidth=1.2, marker="." if is_sparse else None)

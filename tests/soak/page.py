"""What a run found, for people: a summary in the terminal, and docs/benchmarks/soak.md with its picture."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tools.events.stage import ROOT

Json = dict[str, Any]
FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS, PAGE, PICTURE = "soak.json", "soak.md", "soak.svg"


def summary(figures: Json) -> str:
    """Return the figures of a run as lines."""
    lines = [
        f"{figures['seconds']:.0f} s, seed {figures['seed']}: {figures['requests']} requests,"
        f" {figures['judged']} of them judged by the model; {figures['violations_in_all']} violations",
        "",
    ]
    for title, rows in _tables(figures):
        lines += [title, *(f"  {'  '.join(row)}" for row in _aligned(rows)), ""]
    lines += [
        f"WRONG at {one['at']} s, seed {figures['seed']}, {one['kind']}: right is {one['expected']}; got {one['got']}"
        for one in figures["violations"]
    ]
    return "\n".join(lines).rstrip()


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[list[str]]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def _tables(figures: Json) -> Iterable[tuple[str, list[list[str]]]]:
    seconds = figures["seconds"]
    yield (
        "what came of it",
        [
            ["outcome", "requests", "a second"],
            *([name, str(count), f"{count / seconds:.1f}"] for name, count in figures["outcomes"].items()),
        ],
    )
    yield "what was sent", [["traffic", "requests"], *([name, str(n)] for name, n in figures["kinds"].items())]
    yield (
        "why tokens were denied",
        [["reason", "requests"], *([name, str(n)] for name, n in figures["reasons"].items())],
    )
    yield (
        "latency of answers about tokens, ms",
        [
            ["tables", "answers", "p50", "p95", "p99", "most"],
            *(
                [name, *(str(of[key]) if key in of else "-" for key in ("count", "p50", "p95", "p99", "most"))]
                for name, of in figures["latency_ms"].items()
            ),
        ],
    )
    yield (
        "workers",
        [
            ["worker", "what", "first", "last", "most", "growth a minute", "bound", ""],
            *(
                [
                    str(one["worker"]),
                    f"{one['what']}, {one['unit']}".rstrip(", "),
                    *(str(one[key]) for key in ("first", "last", "most")),
                    "too short to say" if one["a_minute"] is None else f"{one['a_minute']:+}",
                    str(one["bound"]),
                    {None: "", True: "met", False: "MISSED"}[one["met"]],
                ]
                for one in figures["processes"]
            ),
        ],
    )
    faults = figures["faults"]
    injected = sum(faults["injected"].values())
    yield (
        "what went on",
        [
            [
                "faults",
                f"{injected} injected, on for {faults['seconds']} s, met {faults['hits']} times",
            ],
            ["changes", f"{sum(figures['changes'].values())}"],
            [
                "attacks of the corpus",
                f"{figures['attacks']['staged']} staged, {figures['attacks']['left_out']} left out",
            ],
            ["workers replaced", str(figures["replaced_workers"])],
            ["slow tables", f"{figures['slow_tables']} requests took over half a second without a fault"],
            ["answers by stale rows", str(figures["stale"])],
            ["lines of log read", str(figures["log_lines"])],
        ],
    )
    yield "changes", [["what", "times"], *([name, str(n)] for name, n in figures["changes"].items())]


_PAGE: Final = """\
# Soak: {minutes} minutes of good and hostile traffic

Written by `make soak ARGS=--write`. A real `make serve` with {workers} workers answers {clients} clients, who send at
most {most_a_second} requests a second: users with good tokens, and hostile clients with the attacks of
[tests/security](../../tests/security), damaged tokens, invented tags, huge bodies, half requests and noise. Meanwhile
operators rotate, close, revoke, disable, rename, delete and restore by the admin API, an issuer changes its keys, and
the tables fail by a plan. Memory is kept short (`CACHE_TTL_SECONDS={ttl}`, `STALE_IF_ERROR_SECONDS={stale}`), so that
much is read.

Each answer about a token is held to [the model](../../tests/model/__init__.py), over the rows that it may be about:
those that were in the tables at any time from the request's begin less `CACHE_TTL_SECONDS` to its answer, and while the
tables failed, less `STALE_IF_ERROR_SECONDS` besides. Denials are held to the reason in the log. A 503 is right only
while a fault is on, and for {aftermath:g} seconds after it.

A worker answers one request at a time, and latency counts from when the request was sent, its turn included: with a
table that is silent, each in the queue takes `STORE_TIMEOUT_MS`, and an operator's write up to half a minute.

**{violations}** {judged} answers were judged, in {seconds:.0f} seconds, with seed {seed}, on {date}
({machine}).

![Resident memory, latency and answers a second over time](soak.svg)

{tables}
"""


_SAID: Final = ("workers", "clients", "most_a_second", "judged", "seconds", "seed", "date", "machine")


def written(figures: Json) -> str:
    """Return the page of these figures."""
    from tests.soak.judge import AFTERMATH_SECONDS

    found = figures["violations_in_all"]
    return _PAGE.format(
        minutes=round(figures["seconds"] / 60),
        ttl=figures["settings"]["CACHE_TTL_SECONDS"],
        stale=figures["settings"]["STALE_IF_ERROR_SECONDS"],
        aftermath=AFTERMATH_SECONDS,
        violations="No answer was wrong." if not found else f"{found} violations.",
        tables="\n\n".join(f"## {title[0].upper()}{title[1:]}\n\n{_table(rows)}" for title, rows in _tables(figures)),
        **{name: figures[name] for name in _SAID},
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def save(figures: Json, folder: Path = FOLDER) -> None:
    """Write the figures and their page."""
    (folder / RESULTS).write_text(json.dumps(figures, separators=(",", ":")) + "\n", "utf-8")
    (folder / PAGE).write_text(written(figures), "utf-8")


def draw(figures: Json, path: Path) -> None:
    """Draw memory, latency and answers over time; grey is where a fault was on."""
    import matplotlib as mpl

    from tests.benchmarks.plots import COLOURS, GOAL_COLOUR, INK, STYLE

    mpl.use("svg")
    with mpl.rc_context(dict(STYLE)):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 7), layout="constrained")
        memory, latency, answers = figure.subplots(3, 1, sharex=True)
        for number, points in enumerate(figures["memory"], 1):
            memory.plot(*zip(*points, strict=True), color=COLOURS[number - 1], label=f"worker {number}")
        series = [one for one in figures["series"] if "p50" in one]
        for name, colour in (("p50", COLOURS[0]), ("p99", COLOURS[2])):
            latency.plot([one["at"] for one in series], [one[name] for one in series], color=colour, label=name)
        words = ("let in", "denied", "deferred", "a fault")
        for word, colour in zip(words, (COLOURS[5], COLOURS[2], COLOURS[4], GOAL_COLOUR), strict=True):
            rates = [one["a_second"].get(word, 0) for one in figures["series"]]
            answers.plot([one["at"] for one in figures["series"]], rates, color=colour, label=word)
        memory.set_ylim(bottom=0)
        latency.set_yscale("log")
        titles = ("Resident memory, MiB", "Latency, ms (5 s each)", "Answers about tokens, a second")
        for axes, title in zip((memory, latency, answers), titles, strict=True):
            axes.set_title(title)
            axes.grid(axis="y")
            axes.legend(loc="upper right", ncols=4)
            for start, end in figures["fault_times"]:
                axes.axvspan(start, end, color=INK, alpha=0.12, linewidth=0)
        answers.set_xlabel("seconds (grey: the tables fail)")
        figure.savefig(
            path, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None}
        )


if __name__ == "__main__":
    draw(json.loads((FOLDER / RESULTS).read_text("utf-8")), FOLDER / PICTURE)

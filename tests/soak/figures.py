"""What is measured while it runs: answers by what came of them, their latencies, and the processes that give them."""

import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from tests.soak.judge import Exchange

Json = dict[str, Any]

WARM_UP_SECONDS: Final = 120
"""What is remembered grows until then: trends count from here."""
LEAST_SECONDS: Final = 120
"""A trend over less time says nothing."""
SERIES_SECONDS: Final = 5
"""For the picture, figures are put together over so many seconds."""
_PAGE_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Bound:
    """How fast a figure of a process may grow.

    Attributes:
        name: what grows.
        unit: of the figure.
        a_minute: the most that it may grow by in a minute, by the median of all slopes.
    """

    name: str
    unit: str
    a_minute: float


BOUNDS: Final = (
    Bound("resident memory", "MiB", 0.5),
    Bound("open descriptors", "", 1.0),
    Bound("threads", "", 0.5),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one time: resident memory in MiB, open descriptors, threads; in the order of `BOUNDS`."""

    at: float
    values: tuple[float, float, float]


def workers_of(parent: int) -> list[int]:
    """Return the processes of `make serve` that answer."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
    return sorted(int(pid) for pid in children if b"tools.serve.worker" in _read(Path(f"/proc/{pid}/cmdline")))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def sample_of(pid: int) -> tuple[float, float, float] | None:
    """Look at a process; None if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return int(status["VmRSS"].split()[0]) / _PAGE_KIB, float(descriptors), float(status["Threads"])
    except (OSError, KeyError):
        return None


@dataclass
class Watch:
    """Looks at the workers every second.

    Attributes:
        samples: of each process.
        replaced: how many processes were not there in the beginning.
    """

    parent: int
    samples: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    replaced: int = 0

    def go_on(self, stop: threading.Event) -> None:
        """Look until *stop*."""
        first = set(workers_of(self.parent))
        while not stop.wait(1):
            for pid in workers_of(self.parent):
                if pid not in first:
                    self.replaced += 1
                    first.add(pid)
                values = sample_of(pid)
                if values is not None:
                    self.samples[pid].append(Sample(time.time(), values))


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes of all pairs of *points* (Theil and Sen): a few outliers do not move it."""
    slopes = [(y - x) / (t - s) for (s, x), (t, y) in combinations(points, 2) if t > s]
    return statistics.median(slopes) if slopes else 0.0


def trends(samples: Mapping[int, Sequence[Sample]], begun: float) -> list[Json]:
    """Return what each process grew by, beside the bound; `met` is None where the run was too short to say."""
    found: list[Json] = []
    for number, of_process in enumerate(samples.values(), 1):
        later = [sample for sample in of_process if sample.at >= begun + WARM_UP_SECONDS]
        lasts = later[-1].at - later[0].at if later else 0.0
        for index, bound in enumerate(BOUNDS):
            values = [sample.values[index] for sample in of_process]
            thinned = later[:: max(1, len(later) // 240)]  # 240 points are 28,680 pairs
            per_minute = slope([(sample.at, sample.values[index]) for sample in thinned]) * 60
            found.append(
                {
                    "worker": number,
                    "what": bound.name,
                    "unit": bound.unit,
                    "first": round(values[0], 1),
                    "last": round(values[-1], 1),
                    "most": round(max(values), 1),
                    "a_minute": round(per_minute, 3) if lasts >= LEAST_SECONDS else None,
                    "bound": bound.a_minute,
                    "met": per_minute <= bound.a_minute if lasts >= LEAST_SECONDS else None,
                }
            )
    return found


class Tally:
    """Counts exchanges.

    Args:
        begun: when the run began, in UNIX seconds.
        is_faulty: tells whether a fault was on at some time in an interval.
    """

    def __init__(self, begun: float, is_faulty: Callable[[float, float], bool]) -> None:
        self._begun = begun
        self._is_faulty = is_faulty
        self.outcomes: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._latencies: dict[str, list[float]] = {"quiet": [], "faulty": []}
        self._series: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def count(self, exchange: Exchange, reason: str | None) -> None:
        """Count an exchange, and the *reason* for which it was denied."""
        self.outcomes[exchange.word] += 1
        self.kinds[exchange.kind] += 1
        if reason is not None:
            self.reasons[reason] += 1
        taken = (exchange.answered - exchange.sent) * 1000
        at = int((exchange.answered - self._begun) // SERIES_SECONDS)
        self._series[at][exchange.word].append(taken)
        if exchange.word in ("let in", "denied", "a fault", "deferred") and "pieces" not in exchange.kind:
            is_faulty = self._is_faulty(exchange.sent, exchange.answered)
            self._latencies["faulty" if is_faulty else "quiet"].append(taken)

    def latencies(self) -> Json:
        """Return percentiles of what answers took, in milliseconds, without and with faults going on."""
        return {name: _percentiles(values) for name, values in self._latencies.items()}

    def series(self) -> list[Json]:
        """Return the answers a second by what came of them, and the median and 99th percentile of their latency."""
        return [
            {
                "at": number * SERIES_SECONDS,
                "a_second": {word: round(len(taken) / SERIES_SECONDS, 2) for word, taken in sorted(words.items())},
                **_percentiles([one for word, taken in words.items() if word != "no question" for one in taken]),
            }
            for number, words in sorted(self._series.items())
        ]


def _percentiles(values: Sequence[float]) -> Json:
    if len(values) < 2:
        return {"count": len(values)}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    shown = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(values)}
    return {"count": len(values), **{name: round(value, 1) for name, value in shown.items()}}


def memory_series(samples: Mapping[int, Sequence[Sample]], begun: float) -> list[list[list[float]]]:
    """Return the seconds and the MiB of each worker, one point for `SERIES_SECONDS`."""
    return [
        [[round(sample.at - begun, 1), round(sample.values[0], 2)] for sample in of_process[::SERIES_SECONDS]]
        for of_process in samples.values()
    ]

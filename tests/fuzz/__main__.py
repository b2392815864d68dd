"""Fuzz what reads other people's text: `python -m tests.fuzz`, or `make fuzz`.

Each target is searched by coverage, in a process of its own: atheris (libFuzzer) changes inputs, and keeps those that
reach code that none before has reached. The rule that a target checks is more than that nothing crashes: an answer
equals the model's, what is written reads as what it was, no message shows a secret. Exits with 1 when one is broken,
and with 3 where atheris cannot be installed.
Inputs that broke a rule are files in build/fuzz; `--replay FILE` runs one again, without atheris.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from math import inf
from pathlib import Path

from tests.fuzz.targets import NAMES, load

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
INPUTS = 1_000_000
SECONDS_AN_INPUT = 20
MEGABYTES = 2048
_PULSE = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+)")
_NO_ATHERIS = (
    "Nothing was fuzzed: atheris has no wheel for this platform (it has them for Linux on x86_64). "
    "`make security` with any ARGS leaves fuzzing out."
)


@dataclass
class Run:
    """How far the search of one target came.

    Attributes:
        target: its name.
        inputs: how many were tried.
        coverage: how many places in the code they reached.
        seconds: how long that took.
        findings: files with inputs that broke the target's rule.
        ended: whether the search ended as it should: with all inputs tried, when its time was over, or by a finding.
        begun: whether there was any time left for it.
    """

    target: str
    inputs: int = 0
    coverage: int = 0
    seconds: float = 0
    findings: list[str] = field(default_factory=list)
    ended: bool = False
    begun: bool = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    options = _options(arguments)
    if options.replay:
        return _replay(options.replay)
    if find_spec("atheris") is None:
        print(_NO_ATHERIS, file=sys.stderr)
        return 3
    names = options.target or list(NAMES)
    budget = Budget(options.seconds, len(names), options.jobs)
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(
            pool.map(lambda name: _fuzz(name, options.inputs, budget, seed=options.seed, show=not options.json), names)
        )
    print(json.dumps([asdict(run) for run in runs], indent=1) if options.json else "\n".join(_table(runs)))
    return 1 if any(run.findings or (run.begun and not run.ended) for run in runs) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
    )
    parser.add_argument("--target", action="append", choices=NAMES, help="only this one; may be given again")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each target (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0, help="at most, of all targets together (no limit)")
    parser.add_argument("--jobs", type=int, default=1, help="how many targets at a time (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the search; 0: another one each time (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, and no progress")
    parser.add_argument("--replay", metavar="FILE", nargs="+", type=Path, help="only run these inputs again")
    return parser.parse_args(arguments)


class Budget:
    """Divides the time that is left among the targets that are left.

    Args:
        seconds: for all targets together; 0 without a limit.
        targets: how many there are.
        jobs: how many are searched at a time.
    """

    def __init__(self, seconds: float, targets: int, jobs: int) -> None:
        self._ends = time.monotonic() + seconds if seconds else inf
        self._left, self._jobs = targets, jobs
        self.loading = 0.0
        """How long the last target took to load: that is no time of searching."""

    def take(self) -> float:
        """Return for how many seconds the next target is searched: infinity without a limit, 0 when none are left."""
        left = self._ends - time.monotonic()
        share = left * min(self._jobs, self._left) / self._left
        self._left -= 1
        return max(1, share - self.loading) if left > 0 else 0


def _fuzz(name: str, inputs: int, budget: Budget, *, seed: int, show: bool) -> Run:
    """Fuzz one target. What was found before in build/fuzz is where the search begins, beside the seeds."""
    run, seconds = Run(name), budget.take()
    if not seconds:
        run.begun = False
        return run
    corpus, findings = BUILD / name / "corpus", BUILD / name / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            *(sys.executable, "-m", "tests.fuzz.worker", name, scratch, str(corpus)),
            *(
                f"-runs={inputs}",
                f"-seed={seed}",
                f"-timeout={SECONDS_AN_INPUT}",
                f"-rss_limit_mb={MEGABYTES}",
                "-reload=0",
            ),
            *(f"-artifact_prefix={findings}/", *([] if seconds == inf else [f"-max_total_time={round(seconds)}"])),
        ]
        last = _follow(command, run, budget, show=show)
    run.findings = [str(path.relative_to(ROOT)) for path in sorted(set(findings.iterdir()) - before)]
    if run.findings or not run.ended:
        print(*last, sep="\n", file=sys.stderr)
    run.ended = run.ended or bool(run.findings)
    return run


def _follow(command: Sequence[str], run: Run, budget: Budget, *, show: bool) -> Sequence[str]:
    """Run the fuzzer, note and show how far it is, and return its last lines."""
    started = told = time.monotonic()
    last: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        command, cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as fuzzer:
        for line in fuzzer.stdout or ():
            pulse = _PULSE.match(line)
            if pulse is None and not line.startswith("INFO: Instrumenting"):
                last.append(line.rstrip())
            if pulse is None:
                continue
            if not run.inputs:
                budget.loading = time.monotonic() - started
            run.inputs, run.coverage, run.seconds = int(pulse[1]), int(pulse[2]), time.monotonic() - started
            if show and time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"{run.target}: {run.inputs:,} inputs, coverage {run.coverage}, {run.seconds:.0f} s", flush=True)
    run.seconds = round(time.monotonic() - started, 1)
    run.ended = fuzzer.returncode == 0
    return last


def _table(runs: Sequence[Run]) -> Iterator[str]:
    yield f"{'target':20}{'inputs':>12}{'coverage':>10}{'seconds':>9}  findings"
    for run in runs:
        found = ", ".join(run.findings) or ("0" if run.ended else "ended too early" if run.begun else "not begun")
        yield f"{run.target:20}{run.inputs:>12,}{run.coverage:>10,}{run.seconds:>9.0f}  {found}"
    count = sum(len(run.findings) for run in runs)
    yield f"{sum(run.inputs for run in runs):,} inputs of {len(runs)} targets, {count} findings"
    if count:
        yield "Run one again by: .venv/bin/python -m tests.fuzz --replay FILE; keep it in tests/fuzz/findings/TARGET"


def _replay(paths: Sequence[Path]) -> int:
    """Run inputs again; the name of the target is that of a folder above the file."""
    for path in paths:
        name = next((part for part in reversed(path.resolve().parts[:-1]) if part in NAMES), None)
        if name is None:
            print(f"{path} is in no folder with the name of a target", file=sys.stderr)
            return 2
        print(f"{path}: {name}", flush=True)
        load(name).check(path.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())

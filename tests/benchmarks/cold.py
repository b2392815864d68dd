"""Cold: a fresh process from its imports to its first answer, nothing in its memory.

The tables are the same for all, in a process of their own. What a warm process needs is on disk: byte code is
written, and files are in the machine's page cache.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import ALGORITHMS, BOTO3, OBVIOUS, OURS, Comparison, measured
from tests.benchmarks.tables import service_environment
from tests.benchmarks.warm import EVENTS, OBVIOUS_APP, obvious_environment, rest_event
from tools.events.stage import ROOT

BARE: Final = "bare interpreter"
PROGRAM: Final = Path(__file__).resolve().parent / "first_answer.py"
OUR_FOLDERS: Final = (ROOT / "functions" / "authorize", ROOT / "layers" / "auth_jwt")


class ColdError(Exception):
    """A fresh process gives no good answer."""


@dataclass(frozen=True, slots=True)
class Start:
    """What one fresh process took.

    Attributes:
        answer_milliseconds: from the import of the handler to its answer.
        process_milliseconds: from the start of the interpreter to its end, which comes right after.
        peak_mebibytes: the most memory it ever had (resident).
        loads_boto3: whether boto3 was loaded.
    """

    answer_milliseconds: float
    process_milliseconds: float
    peak_mebibytes: float
    loads_boto3: bool


@dataclass(slots=True)
class Subject:
    """An implementation to be started, and all its starts so far. With a *program*, that is run in place of Python."""

    folders: tuple[Path, ...]
    environment: Mapping[str, str]
    event: object
    starts: list[Start]
    program: Sequence[str] = ()

    def start(self) -> float:
        """Start it once more, and return what it took to its answer in milliseconds."""
        began = time.perf_counter()
        ours = (sys.executable, "-P", str(PROGRAM), ":".join(map(str, self.folders)), repr(self.event))
        run = _run(self.program or ours, self.environment)
        passed = (time.perf_counter() - began) * 1000
        try:
            told = json.loads(run.stderr.splitlines()[-1])
        except (IndexError, ValueError):
            raise ColdError(f"no answer:\n{run.stderr}") from None
        if told["status"] != 200:
            raise ColdError(f"the answer is {told['status']}")
        self.starts.append(Start(told["milliseconds"], passed, told["peak_mebibytes"], told["boto3"]))
        return self.starts[-1].answer_milliseconds


def _run(command: Sequence[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def _bare() -> float:
    """Start an interpreter that does nothing, and return what it took in milliseconds."""
    began = time.perf_counter()
    _run([sys.executable, "-c", "import os; os._exit(0)"], {})
    return (time.perf_counter() - began) * 1000


def cold(address: str, rounds: int, say: Callable[[str], None]) -> dict[str, Comparison]:
    """Measure every first answer, and return the comparisons by key; see `tests.benchmarks.warm.warm`."""
    found: dict[str, Comparison] = {}
    for algorithm in ALGORITHMS:
        subjects = _subjects(address, algorithm)
        for subject in subjects.values():
            subject.start()  # byte code is written
            subject.starts.clear()
        samples = measured({BARE: _bare, **{name: subject.start for name, subject in subjects.items()}}, rounds)
        bare = samples.pop(BARE)
        processes = {name: [start.process_milliseconds for start in of.starts] for name, of in subjects.items()}
        peaks = {name: [start.peak_mebibytes for start in of.starts] for name, of in subjects.items()}
        found |= {
            algorithm: Comparison.of(f"{algorithm}, import to first answer", "milliseconds", OBVIOUS, samples),
            f"{algorithm} process": Comparison.of(
                f"{algorithm}, whole process", "milliseconds", BARE, {BARE: bare, **processes}
            ),
            f"{algorithm} memory": Comparison.of(f"{algorithm}, peak memory", "MiB", OBVIOUS, peaks),
        }
        for name, subject in subjects.items():
            ratio = found[algorithm].ratios[name].median
            boto3 = " (loads boto3)" if any(start.loads_boto3 for start in subject.starts) else ""
            say(f"cold, {algorithm}, {name}{boto3}: {ratio:.2f} x {OBVIOUS}")
    return found


def _subjects(address: str, algorithm: str) -> dict[str, Subject]:
    event = rest_event(EVENTS[algorithm])
    ours = service_environment(address)
    subjects = {OURS: Subject(OUR_FOLDERS, ours, event, [])}
    if "DYNAMODB_CLIENT" in ours:
        subjects[BOTO3] = Subject(OUR_FOLDERS, {**ours, "DYNAMODB_CLIENT": "boto3"}, event, [])
    return {**subjects, OBVIOUS: Subject((OBVIOUS_APP.parent,), obvious_environment(address), event, [])}

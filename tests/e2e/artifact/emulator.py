"""A built function as Lambda runs it: AWS's Runtime Interface Emulator and runtime client, without Docker.

The emulator is a program that Lambda's base images have, too, and that the SAM CLI carries. It starts the runtime at
the first invocation, passes events and answers on, and writes `START`, `END` and `REPORT` lines around what the
function prints. Two invocations at once are more than it takes.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.artifact.deployed import Deployed
from tools.events.stage import ROOT, Answer

LOOPBACK: Final = "127.0.0.1"
PATH: Final = "/2015-03-31/functions/function/invocations"
PYTHON: Final = ROOT / ".venv-e2e" / "bin" / "python"

STARTS_TRIED: Final = 3
SECONDS_TO_LISTEN: Final = 10
SECONDS_TO_ANSWER: Final = 30  # the function's own limit is shorter, and the emulator enforces it
SECONDS_TO_REPORT: Final = 5
SECONDS_TO_END: Final = 5

ABOUT_THE_INVOCATION: Final = ("START RequestId:", "END RequestId:", "REPORT RequestId:")

Process = subprocess.Popen[bytes]


class EmulatorError(Exception):
    """The emulator cannot do its part; the function may be innocent."""


@dataclass(slots=True)
class Emulator:
    """A function that can be asked, one event at a time.

    Attributes:
        process: the emulator's.
        port: where it takes events.
        output: the file of what the function prints.
        journal: the file of what the emulator itself has to say.
    """

    process: Process
    port: int
    output: Path
    journal: Path
    _seen: int = 0
    _broken: str = ""

    def ask(self, event: bytes) -> Answer:
        """Give *event* to the function; return its answer, and the log lines it wrote meanwhile.

        Raises:
            EmulatorError: there is none; nor will there be any, so the next one is not waited for.
        """
        if self._broken:
            raise EmulatorError(self._broken)
        try:
            return self._ask(event)
        except EmulatorError as exc:
            self._broken = f"as before: {str(exc).partition(';')[0]}"
            raise

    def _ask(self, event: bytes) -> Answer:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS_TO_ANSWER)
        try:
            connection.request("POST", PATH, event)
            text = connection.getresponse().read().decode()
            given = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise EmulatorError(f"no answer that can be read; the last words:\n{self.last_words()}") from exc
        finally:
            connection.close()
        seconds = time.perf_counter() - begun
        lines = self._new_lines()
        if isinstance(given, dict) and "errorType" in given:  # it raised; the status is 200 all the same
            return Answer(None, f"{given['errorType']}: {given['errorMessage']}", [*lines, text], seconds)
        return Answer(given, None, lines, seconds)

    @property
    def init_milliseconds(self) -> float:
        """How long the runtime took from its start until it was ready for an event."""
        (found,) = re.findall(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.journal.read_text("utf-8"))
        return float(found)

    @property
    def answer_milliseconds(self) -> list[float]:
        """How long each answer took once the runtime was ready."""
        found = re.findall(r"INVOKE RTDONE\(.*duration: ([\d.]+)ms\)", self.journal.read_text("utf-8"))
        return [float(milliseconds) for milliseconds in found]

    def last_words(self) -> str:
        """Return the ends of both files."""
        ends = (path.read_text("utf-8", errors="replace").splitlines()[-15:] for path in (self.output, self.journal))
        return "\n".join(line for end in ends for line in end)

    def _new_lines(self) -> list[str]:
        """Return what the function printed since the last time; the emulator's report ends it."""
        deadline = time.monotonic() + SECONDS_TO_REPORT
        while time.monotonic() < deadline:
            new = self.output.read_bytes()[self._seen :]
            if re.search(rb"^REPORT RequestId:.*\n", new, re.MULTILINE):
                self._seen += len(new)
                return [line for line in new.decode().splitlines() if not line.startswith(ABOUT_THE_INVOCATION)]
            time.sleep(0.002)
        raise EmulatorError(f"no report of the invocation; the last words:\n{self.last_words()}")


@contextmanager
def emulated(function: Deployed, logs: Path) -> Iterator[Emulator]:
    """Run *function*, write to files in *logs*, and end everything that was started.

    Raises:
        EmulatorError: it cannot be run.
    """
    for _ in range(STARTS_TRIED):  # a port that was free may be somebody else's a moment later
        emulator = _started(function, logs)
        try:
            if _listens(emulator):
                yield emulator
                return
        finally:
            _end(emulator.process)
    raise EmulatorError(f"the emulator does not start; its last words:\n{emulator.last_words()}")


def _program(architecture: str) -> Path:
    name = f"aws-lambda-rie-{architecture}"
    found = sorted((ROOT / ".venv-sam" / "lib").glob(f"python*/site-packages/samcli/local/rapid/{name}"))
    if not found:
        raise EmulatorError(f"no {name} in .venv-sam: `make e2e` installs the SAM CLI, which carries it")
    if not PYTHON.exists():
        raise EmulatorError("no .venv-e2e: `make e2e` makes it, with Lambda's runtime client in it")
    return found[0]


def _started(function: Deployed, logs: Path) -> Emulator:
    port, port_of_runtime = _free_ports()
    command = [
        *(str(_program(function.architecture)), "--runtime-interface-emulator-address", f"{LOOPBACK}:{port}"),
        *("--runtime-api-address", f"{LOOPBACK}:{port_of_runtime}"),
        *(str(PYTHON), "-m", "awslambdaric", function.handler),
    ]
    folder = Path(tempfile.mkdtemp(prefix=f"{function.folder.name}-", dir=logs))
    output, journal = folder / "output", folder / "journal"
    with output.open("wb") as out, journal.open("wb") as err:
        process = subprocess.Popen(
            command, cwd=function.folder, env=function.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
    return Emulator(process, port, output, journal)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind((LOOPBACK, 0))
        return one.getsockname()[1], other.getsockname()[1]


def _listens(emulator: Emulator) -> bool:
    """Wait until the emulator listens; False when it ended or took too long."""
    deadline = time.monotonic() + SECONDS_TO_LISTEN
    while time.monotonic() < deadline and emulator.process.poll() is None:
        with suppress(OSError), socket.create_connection((LOOPBACK, emulator.port), timeout=1):
            return emulator.process.poll() is None
        time.sleep(0.01)
    return False


def _end(process: Process) -> None:
    """End the emulator, which ends its runtime; where it does not, end both."""
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        for runtime in _children_of(process.pid):
            with suppress(ProcessLookupError):
                os.kill(runtime, signal.SIGKILL)
        process.kill()
        process.wait()


def _children_of(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]

"""`make serve`'s command as a process, on a free port, for tests that speak HTTP to it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Final

from tools.serve.__main__ import EXAMPLE

ROOT: Final = Path(__file__).parents[3]
COMMAND: Final = (sys.executable, "-m", "tools.serve")
START_SECONDS: Final = 60
STOP_SECONDS: Final = 20
PATIENCE_SECONDS: Final = 30
OF_THE_CALLER: Final = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Serving:
    """A running service.

    Attributes:
        port: where it listens, on loopback.
        tables: endpoint of its tables, or what it says of them.
        curl: the command line that it shows.
        shell: the lines that it shows for another shell, the example at their end included.
        log: where its function writes.
        process: the parent of its processes.
    """

    port: int
    tables: str
    curl: str
    shell: str
    log: Path
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def connection(self) -> HTTPConnection:
        """Return a new connection, which stays open from request to request."""
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, wait until it has ended, and return its exit code."""
        self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)


def environment(**settings: str) -> Mapping[str, str]:
    """Return the variables of a process: those every program needs, and *settings*."""
    return {name: os.environ[name] for name in OF_THE_CALLER if name in os.environ} | settings


@contextmanager
def serving(log: Path, **settings: str) -> Iterator[Serving]:
    """Start it with *settings* in its environment; it has ended when the context has."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--log", str(log)],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield _as_told(process.stdout, log, process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(STOP_SECONDS)


def _as_told(output: IO[str], log: Path, process: subprocess.Popen[str]) -> Serving:
    """Read what it says of itself, up to the lines for another shell."""
    told: dict[str, str] = {}
    shell: list[str] = []
    while EXAMPLE not in shell:
        line = output.readline()
        if not line:
            raise RuntimeError(f"it ended before it served, with exit code {process.wait()}")
        word, _, rest = line.strip().partition(" ")
        told[word] = rest.strip()
        if shell or word == "unset":
            shell.append(line.strip())
    port = re.match(r"http://127\.0\.0\.1:(\d+) ", told["Serving"])
    assert port is not None
    return Serving(int(port[1]), told["tables"].partition(",")[0], told["try"], "\n".join(shell), log, process)

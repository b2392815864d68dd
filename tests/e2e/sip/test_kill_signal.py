"""`kill -9` lets nobody clean up: whatever the demo started ends by itself all the same."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from frontends.kamailio.local import HOST
from tests.e2e.sip.stand import demand_programs
from tools.events.stage import ROOT

THE_LAST_LINE: Final = "Open the page twice, two tabs will do, log in as alice and as bob, and call bob.\n"
ENDS_WITHIN_SECONDS: Final = 15
A_MAKEFILE: Final = "demo:\n\t@exec {python} -m frontends.webrtc --port 0\n"
"""As the project's, without what installs."""
BEHIND_HAPROXY: Final = """
import sys, time
from pathlib import Path
from frontends.kamailio.local import running
with running(Path(sys.argv[1]), api_url="http://127.0.0.1:9", WITH_HAPROXY=True) as kamailio:
    print(f"ws://127.0.0.1:{kamailio.wss}, and SIP on port {kamailio.udp};")
    print(sys.argv[2], end="", flush=True)
    time.sleep(600)
"""


def descendants(process: int) -> set[int]:
    """Return all processes that a process started, and those that they did."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    newest = {process}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest}
        found |= newest
    return found


def commands_of(processes: set[int]) -> str:
    return "\n".join(Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ") for process in processes)


def left_of(processes: set[int]) -> set[int]:
    """Return those that are there after a while."""
    ends = time.monotonic() + ENDS_WITHIN_SECONDS
    while (left := {each for each in processes if Path(f"/proc/{each}").exists()}) and time.monotonic() < ends:
        time.sleep(0.05)
    return left


@contextmanager
def started(command: Sequence[str | Path], folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a demo; yields it with what it says of itself, and leaves nothing of it in whatever case."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
    ) as process:
        assert process.stdout is not None
        told = "".join(iter(lambda: process.stdout.readline() or THE_LAST_LINE, THE_LAST_LINE))  # type: ignore[union-attr]
        everybody = {process.pid, *descendants(process.pid)}
        try:
            yield process, told
        finally:
            for each in everybody:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)


def is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def demo(whose: str, folder: Path) -> Sequence[str | Path]:
    """Return the command of a demo."""
    if whose == "make's":
        makefile = folder / "Makefile"
        makefile.write_text(A_MAKEFILE.format(python=sys.executable), "utf-8")
        return ("make", "--no-print-directory", "-f", makefile, "demo")
    if whose == "Kamailio behind HAProxy":
        kamailio = folder / "kamailio"
        kamailio.mkdir()
        return (sys.executable, "-c", BEHIND_HAPROXY, kamailio, THE_LAST_LINE)
    return (sys.executable, "-m", "frontends.webrtc", "--port", "0")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are tied to others by Linux alone")
@pytest.mark.parametrize("whose", ["a demo of its own", "make's", "Kamailio behind HAProxy"])
def test_nothing_is_left_of_what_was_killed(tmp_path: Path, whose: str) -> None:
    demand_programs(*["haproxy"] * ("HAProxy" in whose), *["npm"] * ("HAProxy" not in whose))
    assert shutil.which("setpriv") is not None  # of util-linux, as the demo wants it

    with started(demo(whose, tmp_path), tmp_path) as (process, told):
        others = descendants(process.pid)
        commands = commands_of(others)
        process.kill()
        left = left_of(others)
        found = re.search(r"ws://127\.0\.0\.1:(\d+), and SIP on port (\d+);", told)

    assert "-f kamailio.cfg" in commands
    assert ("haproxy -db" in commands) == ("HAProxy" in whose)
    assert left == set()
    assert found is not None
    web, sip = int(found[1]), int(found[2])
    assert is_free(web, socket.SOCK_STREAM)
    assert is_free(sip, socket.SOCK_STREAM)
    assert is_free(sip, socket.SOCK_DGRAM)

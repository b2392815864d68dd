"""`make serve` ends at once, with all its processes, whatever it is at: real processes, signals and terminals."""

import os
import pty
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.serve.serving import COMMAND, ROOT, Serving, environment, serving
from tools.serve.__main__ import EXAMPLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

PROMISED_SECONDS = 1
PATIENCE_SECONDS = 3 * PROMISED_SECONDS
"""For a machine that has something else to do as well."""
START_SECONDS = 4
CALLERS = 8
MARK = "OF_THIS_TEST"
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
A_MAKEFILE = "serve:\n\t@exec {python} -m tools.serve\n"
"""As the project's, without what installs."""


@pytest.fixture(name="mark")
def _mark() -> str:
    """What the environment of all processes of a test has, and no other's."""
    return uuid4().hex


def marked(mark: str) -> set[int]:
    """Return the processes that are there with this mark; of one that ended, its parent has still to take notice."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            state = (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
            if state != "Z" and mark.encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


def is_free(port: int) -> bool:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the command: connections may linger
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def much_to_do(service: Serving) -> Iterator[None]:
    """Callers that ask without a pause, one whose request does not end, and connections that are kept."""
    asked, over = threading.Semaphore(0), threading.Event()

    def ask() -> None:
        while not over.is_set():
            connection = HTTPConnection("127.0.0.1", service.port, timeout=5)
            with suppress(OSError, HTTPException):
                while not over.is_set():
                    connection.request("POST", "/authorize", b'{"jwt_token":"a.b.c"}', {"Content-Type": "text/plain"})
                    connection.getresponse().read()
                    asked.release()
            connection.close()
            time.sleep(0.05)  # where nobody listens any more

    callers = [threading.Thread(target=ask, daemon=True) for _ in range(CALLERS)]
    with socket.create_connection(("127.0.0.1", service.port)) as slow:
        slow.sendall(b"POST /authorize HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nno more")
        for caller in callers:
            caller.start()
        for _ in range(10 * CALLERS):
            assert asked.acquire(timeout=10)
        yield
    over.set()
    for caller in callers:
        caller.join(10)


@pytest.mark.parametrize("by", SIGNALS, ids=lambda by: by.name)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_signal_ends_it_at_once(by: signal.Signals, busy: bool, mark: str, tmp_path: Path) -> None:
    """With its processes, its port free again, and exit code 0."""
    with serving(tmp_path / "log", **{MARK: mark, "ISSUERS": "https://issuer.invalid/"}) as service:
        assert len(marked(mark)) == 4
        with much_to_do(service) if busy else nullcontext():
            begun = time.monotonic()
            code = service.stop(by)
            took, left = time.monotonic() - begun, marked(mark)

    assert code == 0
    assert left == set()
    assert is_free(service.port)
    assert took < PATIENCE_SECONDS


@pytest.mark.parametrize("turn", range(6))
def test_a_signal_ends_it_while_it_starts(turn: int, mark: str, tmp_path: Path) -> None:
    """At any moment. Before it can do so in order, Python itself ends by the signal."""
    env = environment(PORT="0", LOG=str(tmp_path / "log"), **{MARK: mark})
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep((turn + random.random()) * START_SECONDS / 6)
        begun = time.monotonic()
        process.terminate()
        code = process.wait(PATIENCE_SECONDS + 10)
        took, left = time.monotonic() - begun, marked(mark)
        told = process.communicate()

    assert code in (0, -signal.SIGTERM)
    assert left == set()
    assert took < PATIENCE_SECONDS
    assert told[1] == ""


@contextmanager
def in_a_terminal(command: list[str], env: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run a command in a terminal of its own until it serves; its id, and the terminal's other end."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execvpe(command[0], command, env)
    try:
        said = b""
        while EXAMPLE.encode() not in said:
            said += os.read(terminal, 65536)
        yield process, terminal
    finally:
        with suppress(OSError):
            os.close(terminal)
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def end_of(process: int) -> int:
    """Wait until a child has ended; its exit code."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    raise TimeoutError(f"it has not ended within {PATIENCE_SECONDS} s")


@pytest.mark.parametrize("by_make", [False, True], ids=["itself", "by make"])
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "closed"])
def test_the_end_of_a_terminal_ends_it(how: str, by_make: bool, mark: str, tmp_path: Path) -> None:
    """And so does Ctrl-C there, and a signal to the make that started it."""
    env = {**environment(PORT="0", LOG=str(tmp_path / "log"), **{MARK: mark})}
    command = list(COMMAND)
    if by_make:
        (tmp_path / "Makefile").write_text(A_MAKEFILE.format(python=sys.executable))
        command = ["make", "--file", str(tmp_path / "Makefile"), "serve"]
    with in_a_terminal(command, env) as (process, terminal):
        assert len(marked(mark)) == (4 if by_make else 3)
        match how:
            case "Ctrl-C":
                os.write(terminal, b"\x03")
            case "SIGTERM":
                os.kill(process, signal.SIGTERM)
            case "closed":
                os.close(terminal)
        code = end_of(process)
        left = marked(mark)

    assert left == set()
    assert by_make or code == 0

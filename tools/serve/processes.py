"""The processes of `make serve`: a socket they share, workers that are replaced when they die, and an end to all."""

import contextlib
import errno
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tools.events.stage import ROOT
from tools.serve.worker import READY

_BACKLOG: Final = 512
_POLL_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 10
_MAX_DEATHS: Final = 5
_DEATHS_SECONDS: Final = 60
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotStart(Exception):
    """What was asked for cannot be; the message says what to do."""


class WorkersDie(Exception):
    """Workers do not start, or end again and again within a minute."""


class _Stop(BaseException):
    """A signal came."""


@contextlib.contextmanager
def until_stopped() -> Iterator[None]:
    """Run the block until SIGINT, SIGTERM or SIGHUP; a second signal does not disturb the cleaning up."""

    def stop(*_: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _Stop

    for each in _SIGNALS:
        signal.signal(each, stop)
    with contextlib.suppress(_Stop):
        yield


def listening_socket(host: str, port: int, command: str = "make serve") -> socket.socket:
    """Listen at *host* and *port*.

    Args:
        host: an address of this machine.
        port: TCP port; 0 takes a free one.
        command: what the user called.

    Raises:
        CannotStart: the port is busy, or not for us.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise CannotStart(
            f"port {port} of {host} {what}: stop what listens there, or take another, as in `{command} PORT=8081`"
            " (PORT=0 takes a free one)"
        ) from None
    return listener


@dataclass(slots=True)
class Workers:
    """Processes of one kind; leaving the context ends them.

    Attributes:
        listener: the socket that they share; None without one.
        orders: what each is told, one line.
        count: how many there are.
        tell: told of those that are replaced.
        clock: in seconds.
        module: the program that each runs.
    """

    listener: socket.socket | None
    orders: str
    count: int
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    module: str = "tools.serve.worker"
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)

    def __enter__(self) -> "Workers":
        """Start them."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.stop()

    def start(self) -> None:
        """Start them all at once, and wait until they are ready.

        Raises:
            WorkersDie: they do not start.
        """
        try:
            self.running = [self._started() for _ in range(self.count)]
            for worker in self.running:
                _wait_until_ready(worker)
        except BaseException:
            self.stop()
            raise

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """Replace who dies; returns never.

        Args:
            also: done each time that they are looked at.

        Raises:
            WorkersDie: too many did within a minute.
        """
        while True:
            time.sleep(_POLL_SECONDS)
            also()
            self.look()

    def look(self) -> None:
        """Replace who died.

        Raises:
            WorkersDie: too many did within a minute.
        """
        for place, worker in enumerate(self.running):
            code = worker.poll()
            if code is not None:
                self._count_death(code)
                self.tell(f"a worker ended by itself (code {code}); starting another")
                self._replace(place)

    def _count_death(self, code: int) -> None:
        now = self.clock()
        self.deaths = [*(then for then in self.deaths if now - then < _DEATHS_SECONDS), now]
        if len(self.deaths) > _MAX_DEATHS:
            raise WorkersDie(
                f"{len(self.deaths)} workers ended by themselves within {_DEATHS_SECONDS} s, the last with code {code}"
            )

    def _replace(self, place: int) -> None:
        """Start another worker there. One that does not start is one more that died, at the next look."""
        _close_pipes(self.running[place])
        with contextlib.suppress(OSError):  # no process can be had now: the dead one is still there at the next look
            self.running[place] = self._started()
            try:
                _wait_until_ready(self.running[place])
            except WorkersDie:
                self.running[place].kill()
                self.running[place].wait()

    def stop(self) -> None:
        """End every worker: finish what it is at, or be killed."""
        for worker in self.running:
            worker.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in self.running:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            _close_pipes(worker)

    def _started(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, "-m", self.module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[] if self.listener is None else [self.listener.fileno()],
            process_group=0,  # Ctrl-C is for the parent, which then tells them
        )
        if worker.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it ended: noticed when it is not ready
                worker.stdin.write(f"{self.orders}\n")
                worker.stdin.flush()  # and left open: its end tells the worker that there is no parent any more
        return worker


def _close_pipes(worker: subprocess.Popen[str]) -> None:
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # orders that nobody read
                pipe.close()


def _wait_until_ready(worker: subprocess.Popen[str]) -> None:
    if worker.stdout is None or worker.stdout.readline().strip() != READY:
        raise WorkersDie("a worker did not start; what it said stands above")

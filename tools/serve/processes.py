"""The processes of `make serve`: a socket they share, workers that are replaced when they die, and an end to all."""

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tools.events.stage import ROOT
from tools.serve.worker import READY

_BACKLOG: Final = 512
_POLL_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 0.5
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


def ending_when_abandoned(env: Mapping[str, str]) -> Callable[[], None]:
    """Return what ends this program, as SIGTERM does, once nobody is there who would: to be called now and then.

    That is when its terminal is closed, of which only the first process there is told, and when the `make` that started
    it has been killed. Who starts this in the background of a shell may leave the shell.

    Args:
        env: in which make says that it is there.
    """
    started_by = os.getppid()
    terminal = select.poll()
    if sys.stdin is not None and sys.stdin.isatty():
        terminal.register(sys.stdin, 0)  # nothing is read, the end of it is told all the same

    def look() -> None:
        if terminal.poll(0) or ("MAKELEVEL" in env and os.getppid() != started_by):
            signal.raise_signal(signal.SIGTERM)

    return look


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off what signals do until the block has run: a process is not left without who knows of it."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


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
        self.running = []
        try:
            for _ in range(self.count):
                with _undisturbed():
                    self.running.append(self._started())
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
            with _undisturbed():
                self.running[place] = self._started()
            try:
                _wait_until_ready(self.running[place])
            except WorkersDie:
                self.running[place].kill()
                self.running[place].wait()

    def stop(self) -> None:
        """End every worker: it finishes what it is at within half a second, or is killed."""
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

"""What becomes of `make serve`'s workers when they die, run out of descriptors, or write at the same time."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.measured import UNMEASURED
from tools.serve.processes import Workers, WorkersDie, listening_socket, until_stopped
from tools.serve.worker import Listener, Orders

ROOT = Path(__file__).parents[2]
LOOKS = 8


class _Enough(Exception):
    """The workers were looked at often enough."""


class ShortLived(Workers):
    """Workers that end as soon as they were ready, or before."""

    program = "print('ready', flush=True)"

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


class NeverReady(ShortLived):
    """Workers that do not start."""

    program = "print('no')"


@contextmanager
def workers(kind: type[ShortLived], seconds_between_looks: float) -> Iterator[tuple[ShortLived, Callable[[], None]]]:
    """One worker at a time, and what ends the watching after eight looks, which take so long by its clock."""
    now = [0.0]
    told: list[str] = []

    def look() -> None:
        if now[0] >= LOOKS * seconds_between_looks:
            raise _Enough
        now[0] += seconds_between_looks
        for worker in watched.running:
            worker.wait(30)  # as it will

    with listening_socket("127.0.0.1", 0) as listener:
        watched = kind(listener, "{}", 1, told.append, clock=lambda: now[0])
        watched.running = [watched._started()]
        try:
            yield watched, look
        finally:
            watched.stop()


@pytest.mark.parametrize("kind", [ShortLived, NeverReady])
def test_workers_that_die_once_in_a_while_are_replaced_for_ever(kind: type[ShortLived]) -> None:
    with workers(kind, 13) as (watched, look), pytest.raises(_Enough):
        watched.watch(look)


@pytest.mark.parametrize("kind", [ShortLived, NeverReady])
def test_six_deaths_within_a_minute_end_the_service(kind: type[ShortLived]) -> None:
    with workers(kind, 11.9) as (watched, look), pytest.raises(WorkersDie, match=r"6 workers .* within 60 s"):
        watched.watch(look)


def test_a_machine_that_has_no_process_left_for_a_moment_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = ShortLived._started, [True, True]

    def start_or_fail(self: ShortLived) -> subprocess.Popen[str]:
        if refused:
            refused.pop()
            raise OSError(errno.EAGAIN, "no more processes")
        return start(self)

    with workers(ShortLived, 13) as (watched, look):
        monkeypatch.setattr(ShortLived, "_started", start_or_fail)
        with pytest.raises(_Enough):
            watched.watch(look)

    assert refused == []


class LongLived(ShortLived):
    """Workers that stay, and hear no signal."""

    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )


def test_who_does_not_end_in_half_a_second_is_killed() -> None:
    watched = LongLived(None, "{}", 3, print)
    watched.start()
    begun = time.monotonic()

    watched.stop()

    assert time.monotonic() - begun < 2
    assert {worker.returncode for worker in watched.running} == {-signal.SIGKILL}


def test_they_can_be_started_again_after_their_end() -> None:
    watched = ShortLived(None, "{}", 2, print)

    for _ in range(2):
        watched.start()
        assert len(watched.running) == 2
        watched.stop()


def test_a_signal_while_a_process_is_made_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put off until the process is one of those that are ended."""
    start, made = LongLived._started, []

    def start_and_be_told_to_stop(self: LongLived) -> subprocess.Popen[str]:
        worker = start(self)
        made.append(worker)
        if len(made) == 2:
            signal.raise_signal(signal.SIGTERM)
        return worker

    monkeypatch.setattr(LongLived, "_started", start_and_be_told_to_stop)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with until_stopped(), LongLived(None, "{}", 3, print):
            raise AssertionError("it started")
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

    assert [worker.poll() is not None for worker in made] == [True, True]


@pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "PYTHONUNBUFFERED"])
def test_two_lines_of_the_log_are_never_glued(buffering: str, tmp_path: Path) -> None:
    """Though several processes write to one file, and some lines are long."""
    log = tmp_path / "serve.log"
    program = """
import sys
from tools.serve.worker import redirect_output
redirect_output(sys.argv[1])
for number in range(2000):
    print(sys.argv[2] * (20_000 if number % 100 == 0 else 50))
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(log), letter],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": buffering},
        )
        for letter in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4

    lines = log.read_text().splitlines()
    assert len(lines) == 4 * 2000
    assert {(len(set(line)), len(line)) for line in lines} == {(1, 50), (1, 20_000)}


class TestListener:
    """A process without file descriptors."""

    @pytest.fixture(name="listener")
    def _listener(self) -> Iterator[Listener]:
        with Listener() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(16)
            listener.setblocking(False)
            yield listener

    def test_it_fails_once_and_then_has_nothing_until_a_pause_is_over(
        self, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures = [errno.EMFILE]

        def accept(self: socket.socket) -> object:
            raise OSError(failures[0], "too many open files")

        with monkeypatch.context() as exhausted:
            exhausted.setattr(socket.socket, "accept", accept)
            with pytest.raises(OSError, match="too many open files") as first:
                listener.accept()
            for _ in range(3):
                with pytest.raises(BlockingIOError):
                    listener.accept()
        assert first.value.errno == errno.EMFILE

        with socket.create_connection(listener.getsockname()):
            time.sleep(0.6)
            listener.accept()[0].close()

    def test_another_failure_makes_no_pause(self, listener: Listener) -> None:
        with pytest.raises(BlockingIOError):
            listener.accept()
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()


def test_a_worker_without_descriptors_waits_at_ease_and_serves_again(tmp_path: Path) -> None:
    """Asyncio would try, and tell, as often as connections may wait, each second."""
    with listening_socket("127.0.0.1", 0) as listener:
        orders = Orders(listener.fileno(), str(tmp_path / "log"), {}, None, None, {})
        worker = subprocess.Popen(
            [sys.executable, "-m", "tools.serve.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[listener.fileno()],
            env=UNMEASURED,
        )
        try:
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stderr is not None
            worker.stdin.write(f"{orders.to_json()}\n")
            worker.stdin.flush()
            assert worker.stdout.readline() == "ready\n"
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (40, 40))
            callers = [socket.create_connection(listener.getsockname()) for _ in range(60)]
            time.sleep(2.5)
            for caller in callers:
                caller.close()
            time.sleep(1.5)
            with socket.create_connection(listener.getsockname(), 10) as caller:
                caller.sendall(b"no HTTP\r\n\r\n")
                assert caller.recv(65536).startswith(b"HTTP/1.1 400")
        finally:
            worker.terminate()
            _, told = worker.communicate(timeout=30)
    assert 1 <= told.count("out of system resource") <= 6

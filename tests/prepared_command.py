"""The command `auth-jwt` as a process of its own, its imports made beforehand.

Most of the time that a start of the command takes is imports, the same at each. Here one process imports them, and
each command is a fork of it. The command has the descriptors, the folder and the environment of whoever starts it, a
process id, signals and an exit code of its own, and it ends as an interpreter ends. What an interpreter does when it
starts is not part of it: a test of closed descriptors, encodings or limits of the process starts `INSTALLED`.

Whoever starts the command starts a small program that asks for the fork, waits for its end and passes Ctrl-C on.
"""

import contextlib
import gc
import json
import os
import select
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
INSTALLED: Final = Path(sys.executable).with_name("auth-jwt")
"""The command as it is installed."""

ASKING: Final = """
import json, os, signal, socket, sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until there is a process that can be told
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    socket.send_fds(asked, [b"!"], [0, 1, 2])
    asked.sendall(json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    with asked.makefile() as told:
        process = int(told.readline())
        signal.signal(signal.SIGINT, lambda number, _: os.kill(process, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        code = int(told.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
_RUNNING: Final[list["subprocess.Popen[bytes]"]] = []


def executable(program: str, options: str = "") -> str:
    """Return the text of a file that runs a Python *program* by this interpreter.

    It is for shell and Python at once, since a `#!` takes no path with a blank, and none that is long.
    """
    return f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} {options} \"$0\" \"$@\"\n' '''\n{program}"


@cache
def prepared_command() -> Path:
    """Return the path of a command that behaves as `INSTALLED` and starts in a tenth of its time.

    It is there as long as this process is.
    """
    folder = Path(tempfile.mkdtemp(prefix="auth-jwt-"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.prepared_command", str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    _RUNNING.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return folder / "auth-jwt"


def end_prepared_command() -> None:
    """End what `prepared_command` started, which ends by itself when this process does."""
    while _RUNNING:
        with _RUNNING.pop() as process:
            process.communicate(timeout=30)
    prepared_command.cache_clear()


def serve(folder: Path) -> socket.socket:
    """Return in a new process for each command that is asked for, with the connection by which it was.

    Ends the process when its standard input ends.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(64)
        command = folder / "auth-jwt"
        command.write_text(executable(ASKING.format(address=str(folder / "socket")), "-IS"), "utf-8")
        command.chmod(0o700)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        gc.freeze()
        while True:
            ready, _, _ = select.select([sys.stdin, listener], [], [])
            if sys.stdin in ready:
                shutil.rmtree(folder)
                sys.exit()
            connection, _ = listener.accept()
            if os.fork() == 0:
                return connection
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def become_the_command(connection: socket.socket) -> None:
    """Return in a process that is as the one who asks by *connection*; wait for its end in this one."""
    with connection:
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        with connection.makefile(encoding="utf-8") as order:
            arguments, folder, variables = json.loads(order.readline())
        process = os.fork()
        if process:
            for descriptor in descriptors:
                os.close(descriptor)
            _wait_for(process, connection)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = map(_reopened, range(3), (sys.stdin, sys.stdout, sys.stderr))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = arguments


def _reopened(number: int, before: Any) -> Any:
    """Return a standard stream of what the descriptor is now."""
    mode, buffering = ("r", -1) if number == 0 else ("w", 1 if number == 2 or os.isatty(number) else -1)
    return open(number, mode, buffering, before.encoding, before.errors, closefd=False)


def _wait_for(process: int, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # who asked was killed
        connection.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    with contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    import boto3

    from auth_jwt_cli.__main__ import main
    from tests import library_caches

    library_caches.install()
    boto3.client("dynamodb", region_name="eu-central-1", aws_access_key_id="-", aws_secret_access_key="-")
    become_the_command(serve(Path(sys.argv[1])))
    main()

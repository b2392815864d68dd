"""Takes a snapshot of a function and lets two processes go on from it; prints what should be unique in each, as JSON.

Run by Lambda's Python in the function's folder, with `hooks` or `no-hooks` for what runs after the restore. A copy has
the memory of the original and, in a namespace of its own, its process id, as in a restored machine: a mere fork would
tell by its id, to OpenSSL and others, that it is another process. Needs Linux, and the right to make such namespaces.
"""

import ctypes
import importlib
import json
import os
import platform
import random
import signal
import ssl
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
NOT_PERMITTED = 77
"""The exit status where this cannot be tried."""


def copy(run: Callable[[], str]) -> str:
    """Return what *run* says in a copy of this process."""
    reading, writing = os.pipe()
    flags = CLONE_NEWPID | (0 if os.geteuid() == 0 else CLONE_NEWUSER)
    # Not os.fork(), which would tell Python and its libraries.
    pid = ctypes.CDLL(None).syscall(SYS_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        status = 1
        try:
            os.write(writing, run().encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    if pid < 0:
        sys.exit(NOT_PERMITTED)
    with open(reading, encoding="utf-8") as said:  # noqa: PTH123 - a descriptor
        text = said.read()
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    return text


def tls_greeting() -> str:
    """Return what a client sends first: a random number, and its half of a key exchange."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname="example.com")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read().hex()
    raise AssertionError("a handshake with nobody")


def restored(hooks: bool) -> str:
    """Go on from the snapshot."""
    from awslambdaric import lambda_runtime_hooks_runner  # type: ignore[import-not-found]

    from auth_jwt.runtime.observability import request_id_of

    if hooks:
        lambda_runtime_hooks_runner.run_after_restore()
    return json.dumps(
        {
            "process id": os.getpid(),
            "TLS greeting": tls_greeting(),
            "OpenSSL's random bytes": ssl.RAND_bytes(16).hex(),
            "Python's random number": random.random(),
            "the system's random bytes": os.urandom(16).hex(),
            "request id": request_id_of(None),
            "UUID": str(uuid.uuid4()),
            "name of a temporary file": Path(tempfile.mktemp()).name,
        }
    )


def snapshot(hooks: bool) -> str:
    """Get ready as Lambda's runtime does, and go on twice."""
    from awslambdaric import lambda_runtime_hooks_runner

    sys.path.insert(0, str(Path.cwd()))
    importlib.import_module("app")
    lambda_runtime_hooks_runner.run_before_snapshot()
    return f"[{copy(lambda: restored(hooks))},{copy(lambda: restored(hooks))}]"


if __name__ == "__main__":
    sys.stdout.write(copy(lambda: snapshot(sys.argv[1] == "hooks")))

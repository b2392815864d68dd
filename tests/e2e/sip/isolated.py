"""Runs a command in a network namespace of its own, where the machine lets us: loopback only, all ports free."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

WAYS: Final[Sequence[Sequence[str]]] = (
    ("unshare", "--net"),
    ("unshare", "--map-root-user", "--net"),
)
"""As root, and as a user whom the kernel lets make namespaces."""

_LOOPBACK_UP: Final = "ip link set lo up"


def way_in() -> Sequence[str]:
    """Return what to put before a command, empty where no namespace can be had."""
    for way in WAYS:
        try:
            probe = subprocess.run([*way, "sh", "-c", _LOOPBACK_UP], capture_output=True, check=False, timeout=30)
        except OSError:  # no `unshare`
            return ()
        if probe.returncode == 0:
            return (*way, "sh", "-c", f'{_LOOPBACK_UP} && exec "$@"', "sh")
    return ()


def main(command: Sequence[str]) -> None:
    """Become the *command*."""
    if not command or command[0] in ("-h", "--help"):
        sys.stdout.write(f"{__doc__}\n\nusage: python -m tests.e2e.sip.isolated COMMAND [ARGUMENT ...]\n")
        sys.exit(0 if command else 2)
    way = way_in()
    where = f"in a network namespace of its own ({shlex.join(way[:-4])})" if way else "on the loopback of this machine"
    sys.stdout.write(f"Running {where}.\n")
    sys.stdout.flush()
    os.execvp([*way, *command][0], [*way, *command])


if __name__ == "__main__":
    main(sys.argv[1:])

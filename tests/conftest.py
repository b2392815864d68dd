"""What all tests of a process have in common."""

import gc
import os
import signal
import socket
from typing import Any

import pytest

from tests import case_ids, library_caches, prepared_command, sampling

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every command that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-xdist says that its workers have 80 columns. What tests run has no terminal, so each row is one line.
os.environ.pop("COLUMNS", None)

COUNTS = pytest.StashKey[tuple[int, int]]()
"""How many cases were collected, and how many of them the sample left out."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Have the id of a case say its values, where pytest would number them."""
    return case_ids.id_of(val, argname)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not in the sample."""
    if sampling.WHOLE or any("::" in argument for argument in config.args):
        return
    out = set(sampling.left_out(items))
    config.stash[COUNTS] = (len(items), len(out))
    items[:] = [item for item in items if item not in out]


def pytest_collection_finish() -> None:
    """Begin when everything that tests import is there.

    It stays until the end, as do thousands of cases: the collector of garbage need not look through them again and
    again. And it looks less often than it would for a program that is short of memory.
    """
    library_caches.install()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that shows the results, where that is another."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["sampled"] = session.config.stash.get(COUNTS, (0, 0))


def pytest_unconfigure() -> None:
    """Leave no process behind."""
    prepared_command.end_prepared_command()


class Workers:
    """What the workers of pytest-xdist tell: each collects the same."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        told = getattr(node, "workeroutput", {}).get("sampled")
        if told:
            node.config.stash[COUNTS] = tuple(told)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Listen to the workers, if there are any.

    With `--reruns`, a worker tells of each test by two small messages, and the kernel would keep the second for 40 ms.
    """
    config.pluginmanager.register(Workers())
    told = getattr(getattr(config, "failures_db", None), "sock", None)
    if isinstance(told, socket.socket):
        told.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what the sample left out, and how to run it."""
    collected, out = config.stash.get(COUNTS, (0, 0))
    if out:
        line = (
            f"SAMPLED: {out} of {collected} cases were left out, all of generated matrices, and property tests had a "
            "fifth of their examples, long loops a few of their rounds. WHOLE=1 runs all, as `make check` does."
        )
        terminalreporter.write_line(line, yellow=True)

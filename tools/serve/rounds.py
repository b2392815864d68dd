"""One process of `make serve`: the real function that refreshes issuers' keys, called as its schedule calls it.

Its orders come as a line of JSON on standard input, which stays open as long as the parent lives. SIGTERM ends it at
once, in the middle of a round as well: what it writes is whole, row by row, as where Lambda's time is over.
"""

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final
from uuid import uuid4

from tools.events.stage import Handler, LambdaContext, environment, load_handler
from tools.serve.worker import READY, redirect_output

SECONDS: Final = 60
"""From round to round, as the template's schedule has it."""

_FUNCTION: Final = "refresh_keys"
_FUNCTION_SECONDS: Final = 55  # the template's time-out


@dataclass(frozen=True, slots=True)
class RoundOrders:
    """What the process is told.

    Attributes:
        log: path of the file for everything the handler writes; empty: this process's standard error.
        seconds: how long from the beginning of a round to that of the next.
        variables: the function's environment.
    """

    log: str
    seconds: int
    variables: dict[str, str]

    def to_json(self) -> str:
        """Return the orders as one line."""
        return json.dumps(asdict(self))


def go_round(
    handler: Handler, seconds: float, wait: Callable[[float], bool], clock: Callable[[], float] = time.monotonic
) -> None:
    """Call *handler* at once, and then every so many *seconds*, until there is no parent any more.

    A round that fails is nothing to the next one: its line in the log says why. One that takes longer than it should
    puts off the next, and none is made up for.

    Args:
        handler: of the function.
        seconds: from the beginning of a round to that of the next.
        wait: waits so many seconds, or less; tells whether the parent has ended.
        clock: in seconds.
    """
    while True:
        begun = clock()
        with contextlib.suppress(Exception):  # the function has logged it, and its schedule goes on as well
            handler({}, LambdaContext(str(uuid4()), function_name=_FUNCTION, seconds_left=_FUNCTION_SECONDS))
        if wait(max(0.0, begun + seconds - clock())):
            return


def _wait_for_the_end(seconds: float) -> bool:
    """Wait, and tell whether the parent has ended: its end of standard input is then closed."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready)


def main() -> None:
    """Go round until told to stop."""
    orders = RoundOrders(**json.loads(sys.stdin.readline()))
    to_parent = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    redirect_output(orders.log)
    with environment(orders.variables):
        handler = load_handler(_FUNCTION)
        print(READY, file=to_parent, flush=True)
        go_round(handler, orders.seconds, _wait_for_the_end)


if __name__ == "__main__":
    main()

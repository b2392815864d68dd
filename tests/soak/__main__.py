"""`make soak`: mixed good and hostile traffic on a real `make serve`, each answer held to the model of the decision."""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.soak.page import save, summary
from tests.soak.run import soak
from tests.soak.traffic import CLIENTS, RATE
from tests.soak.wire import ServiceEnded

SECONDS = 600
LINE_SECONDS = 30
_EPILOG = f"""\
At most {RATE} requests a second are sent, and {CLIENTS} wait for an answer at a time. It needs Linux (/proc) and
loopback, and listens on 127.0.0.1 only. A seed repeats the plan of faults and the choices; what meets what depends on
the machine as well.

exit code: 0 when each answer was right and memory is flat, 1 when not, 2 when it cannot run here, 130 after Ctrl-C
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make soak",
        usage='make soak [SECONDS=600] [ARGS="OPTION ..."]',
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"how long there is traffic (default: {SECONDS})")
    parser.add_argument("--seed", type=int, default=None, help="of all that is chosen (default: another each time)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks/soak.json and its page, if nothing is wrong"
    )
    options = parser.parse_args(arguments)
    if not Path("/proc/self/status").exists():
        print("make soak: it reads the memory of processes in /proc, which is not here", file=sys.stderr)
        return 2
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"make soak: {options.seconds} s, seed {seed}", file=sys.stderr)
    try:
        run = soak(options.seconds, seed, _Progress())
    except ServiceEnded as error:
        print(f"make soak: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nmake soak: stopped before its end; nothing is said", file=sys.stderr)
        return 130
    print(file=sys.stderr)
    print(json.dumps(run.figures, indent=2) if options.json else summary(run.figures))
    if options.write and not run.violations:
        save(run.figures)
    return 1 if run.violations else 0


class _Progress:
    """Tells how far it is: in place in a terminal, elsewhere by a line now and then."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() >= self._told + LINE_SECONDS:
            self._told = time.monotonic()
            print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

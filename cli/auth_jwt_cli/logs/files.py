"""Files of log lines, as `make serve`, `sam logs` and `aws logs tail` write them, and standard input."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from auth_jwt.errors import Fault
from auth_jwt_cli.inputs import STDIN
from auth_jwt_cli.logs.lines import LogLine, read_lines

_PAUSE: Final = 0.25  # seconds


def lines_of_file(path: Path) -> Iterator[LogLine]:
    """Yield the lines of a file, or of standard input for `-`.

    Raises:
        Fault: it cannot be read.
    """
    try:
        if path == STDIN:
            yield from read_lines(sys.stdin)
        else:
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from read_lines(file)
    except OSError as error:
        raise Fault(f"{str(path)!r} cannot be read: {error.strerror}") from None


def follow_file(path: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[LogLine]:
    """Yield the lines of a file, then new ones as they come. Standard input ends, a file does not.

    A file that gets shorter has begun anew, as the log of `make serve` does.

    Raises:
        Fault: it cannot be read.
    """
    if path == STDIN:
        yield from lines_of_file(path)
        return
    place, rest = 0, ""
    while True:
        try:
            if path.stat().st_size < place:
                place, rest = 0, ""
            with path.open("rb") as file:
                file.seek(place)
                octets = file.read()
                place = file.tell()
        except OSError as error:
            raise Fault(f"{str(path)!r} cannot be read: {error.strerror}") from None
        *whole, rest = (rest + octets.decode("utf-8", "replace")).split("\n")
        yield from read_lines(whole)
        sleep(_PAUSE)

"""What a target of fuzzing is."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """Code that reads what others wrote, and a rule that must hold of whatever it reads.

    Attributes:
        name: what the command calls it.
        check: reads some octets. An error that rises from it is a finding. Its docstring says what must hold.
        seeds: where the search begins: what the project has of such input.
        words: pieces that such input is made of.
        most_bytes: the longest input that is tried.
    """

    name: str
    check: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[str] = ()
    most_bytes: int = 4096


def text_of(octets: bytes) -> str:
    """Any text: octets that are no UTF-8 become lone surrogates."""
    return octets.decode("utf-8", "surrogateescape")


def hides(secret: str, *shown: object) -> bool:
    """Tell whether a *secret* of some length is in nothing that was *shown*."""
    return len(secret) < 12 or not any(secret in str(one) for one in shown)


_MEMORY = Path("/dev/shm")
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def own_folder() -> Path:
    """A folder of this process, in memory where that can be: some readers take files."""
    _KEPT.append(tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None))
    return Path(_KEPT[-1].name)


def a_file(name: str, octets: bytes) -> Path:
    """A file there."""
    path = own_folder() / name
    path.write_bytes(octets)
    return path

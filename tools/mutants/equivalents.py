"""Mutants that nobody can notice, each with its reason: `tests/mutation/equivalent.toml`.

An entry says what goes and what comes, as a diff does. It fits wherever these lines are in its file, so that it
need not be touched when the file grows.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.mutants.operators import Mutant

LIST: Final = "tests/mutation/equivalent.toml"


@dataclass(frozen=True)
class Equivalent:
    """An entry of the list.

    Attributes:
        path: the file, from the root of the checkout.
        diff: lines that go, each after `-`, and lines that come, each after `+`; where such lines are in several places
            of the file, also lines around them, each after a blank. Further blanks around a line do not count.
        reason: why nobody can notice it.
    """

    path: str
    diff: str
    reason: str

    def fits(self, mutant: Mutant, source: str) -> bool:
        """Tell whether this is about a *mutant* of a *source*."""
        if mutant.path != self.path:
            return False
        lines = _bare(self.diff.strip("\n").splitlines())
        changed = [line for line in lines if line[0] != " "]
        if _bare(mutant.diff(source)) != changed:
            return False
        shown = _bare(mutant.diff(source, around=len(lines) - len(changed)))
        return any(shown[first : first + len(lines)] == lines for first in range(len(shown)))


def read_equivalents(path: Path) -> list[Equivalent]:
    """Read the list.

    Raises:
        TypeError: an entry has other members than these three.
        ValueError: an entry gives no reason.
    """
    entries = [Equivalent(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])]
    for entry in entries:
        if not entry.reason.strip():
            raise ValueError(f"{path.name}: an entry of {entry.path} gives no reason")
    return entries


def without_equivalents(
    mutants: Sequence[Mutant], known: Sequence[Equivalent], sources: Mapping[str, str]
) -> tuple[list[Mutant], list[Mutant]]:
    """Return the *mutants* that can be noticed, and those that are *known* not to be."""
    by_path = dict[str, list[Equivalent]]()
    for entry in known:
        by_path.setdefault(entry.path, []).append(entry)
    parts: tuple[list[Mutant], list[Mutant]] = ([], [])
    for mutant in mutants:
        source = sources[mutant.path]
        parts[any(entry.fits(mutant, source) for entry in by_path.get(mutant.path, ()))].append(mutant)
    return parts


def _bare(lines: Sequence[str]) -> list[str]:
    return [(line[:1] or " ") + line[1:].strip() for line in lines]

"""Which of the generated cases run: a sample of them, or, with `WHOLE=1` in the environment, all.

`make test` runs the sample and says at its end what it left out; `make check` runs all. Recorded cases and public test
vectors are never sampled; of attacks, one of each advisory runs. The sample is the same at every run. Four ways to say
what is generated:

- `@pytest.mark.matrix`: cases of several parameters. The sample has each value of each parameter.
- `@pytest.mark.matrix(kinds=f)`: the sample has each of the kinds that *f* returns of a case's parameters.
- `@pytest.mark.whole_only("why")`: a test that the sample leaves out, since something else covers the same code.
- `some(cases)` and `examples(number)`: for a loop in a test, and for a property test.

The sample also starts commands that have their imports already: `tests/prepared_command.py`.

Property tests draw the same examples at every run. `ANEW=10` has them draw others, ten times as many as in a whole run.

A test that is named with `::` on the command line runs all its cases; `some` and `examples` stay sampled.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, TypeVar
from zlib import crc32

import pytest

WHOLE: Final = os.environ.get("WHOLE", "") not in ("", "0")
ANEW: Final = int(os.environ.get("ANEW", "0"))
"""How many times as many examples property tests draw, at random. With 0 they draw the same at every run."""
EXAMPLES: Final = 100
"""How many examples a property test has in a whole run, unless it says otherwise."""

Case = TypeVar("Case")


def examples(number: int = EXAMPLES) -> int:
    """Return how many examples a property test runs: *number* in a whole run, a fifth of it in a sample, more anew."""
    return number * ANEW if ANEW else number if WHOLE else max(number // 5, 5)


def some(cases: Sequence[Case], keep: int = 6) -> Sequence[Case]:
    """Return all *cases* in a whole run, else *keep* of them, evenly spread, with the first and the last."""
    if WHOLE or len(cases) <= keep:
        return cases
    return [cases[round(number * (len(cases) - 1) / (keep - 1))] for number in range(keep)]


def sample_of(cases: Sequence[Case], kinds: Callable[[Case], Iterable[Hashable]]) -> list[Case]:
    """Return few of *cases*, in their order, such that each kind of any of them is a kind of one of the sample.

    Which case stands for a kind is decided by its text alone, so a new case changes little of the sample.
    """
    kinds_of = [set(kinds(case)) for case in cases]
    order = sorted(range(len(cases)), key=lambda number: crc32(str(cases[number]).encode()))
    missing = set[Hashable]().union(*kinds_of)
    chosen = list[int]()
    while missing:
        best = max(order, key=lambda number: len(kinds_of[number] & missing))  # the first of those with most
        chosen.append(best)
        missing -= kinds_of[best]
    return [cases[number] for number in sorted(chosen)]


def left_out(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return which of the collected *items* do not run."""
    out = [item for item in items if item.get_closest_marker("whole_only")]
    matrices = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("matrix"):
            matrices[item.nodeid.partition("[")[0]].append(item)
    for cases in matrices.values():
        kept = {item.nodeid for item in sample_of([_Named(item) for item in cases], _Named.kinds)}
        out += [item for item in cases if item.nodeid not in kept]
    return out


class _Named:
    """A case of a matrix, told apart by its id."""

    def __init__(self, item: pytest.Item) -> None:
        self.nodeid = item.nodeid
        self._item: Any = item

    def __str__(self) -> str:
        return self.nodeid

    def kinds(self) -> Iterable[Hashable]:
        mark = self._item.get_closest_marker("matrix")
        call = self._item.callspec
        if "kinds" not in mark.kwargs:
            return {(name, id(value)) for name, value in call.params.items()}
        found: Iterable[Hashable] = mark.kwargs["kinds"](**call.params)
        return found

"""What tests run, as it was recorded, and which of them concern a mutant."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from tools.mutants.choosing import CONCERNED
from tools.mutants.operators import Mutant

_PACKAGE: Final = "layers/auth_jwt/auth_jwt"

ENOUGH_SECONDS: Final = 20.0
"""How long the tests of one mutant may take together: of more, the likeliest and fastest run.

Half of it is for the tests that are named after the file: the slow ones among them leave time for the fast others.
"""


class Recorded:
    """Which lines each test runs, and how long it takes.

    Attributes:
        seconds: by test.
        tests: by file, then by line, as text: the tests that run it, as numbers of *seconds*.
    """

    def __init__(
        self, seconds: dict[str, float] | None = None, tests: dict[str, dict[str, list[str]]] | None = None
    ) -> None:
        self.seconds = seconds or {}
        self.tests = tests or {}

    def note(self, test: str, seconds: float, lines: Iterable[tuple[str, int]]) -> None:
        """Note what a *test* ran."""
        self.seconds[test] = seconds
        for path, line in lines:
            self.tests.setdefault(path, {}).setdefault(str(line), []).append(test)

    def add(self, other: "Recorded") -> None:
        """Take over what somebody else noted, of other tests."""
        self.seconds |= other.seconds
        for path, lines in other.tests.items():
            mine = self.tests.setdefault(path, {})
            for line, tests in lines.items():
                mine.setdefault(line, []).extend(tests)


def chosen_tests(mutant: Mutant, recorded: Recorded) -> tuple[list[str], float]:
    """Return the tests that concern a *mutant*, in the order in which to run them, and how many seconds they take.

    Those run its statement; of a statement that runs at import, those that run anything of its file, and those that may
    only read what it says: they are named after the file, or `CONCERNED` names them for just this file. First come the
    tests that are named after the file, then those of its folder, and of these the fastest.
    """
    lines = recorded.tests.get(mutant.path, {})
    first, last = mutant.lines
    if mutant.function is None:
        found = {test for tests in lines.values() for test in tests}
        own = tuple(CONCERNED.get(mutant.path, ()))
        found |= {test for test in recorded.seconds if is_named_after(mutant.path, test) or test.startswith(own)}
    else:
        found = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
    order = sorted(found, key=lambda test: (not is_beside(mutant.path, test), recorded.seconds[test], test))
    chosen, sum_of_seconds = list[str](), 0.0
    for is_named, until in ((True, ENOUGH_SECONDS / 2), (False, ENOUGH_SECONDS)):
        for test in order:
            if is_named_after(mutant.path, test) is not is_named:
                continue
            if sum_of_seconds + recorded.seconds[test] > until:
                break
            chosen.append(test)
            sum_of_seconds += recorded.seconds[test]
    return (chosen, sum_of_seconds) if chosen else (order[:1], sum(recorded.seconds[test] for test in order[:1]))


def is_named_after(path: str, test: str) -> bool:
    """Tell whether a *test* is in a file whose name ends with that of a module: `test_refresh_keys.py` of `keys.py`."""
    file = PurePath(path)
    name = file.parent.name if file.stem in ("app", "__init__") else file.stem
    return PurePath(test.partition("::")[0]).stem.endswith(f"_{name}")


def is_beside(path: str, test: str) -> bool:
    """Tell whether a *test* lies in `tests/unit` where the module lies in the package."""
    folder = PurePath(path).parent
    if folder.is_relative_to(_PACKAGE):
        folder = folder.relative_to(_PACKAGE)
    return PurePath(test.partition("::")[0]).parent == PurePath("tests", "unit", folder)

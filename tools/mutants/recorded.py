"""What tests run, as it was recorded, and which of them concern a mutant."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from tools.mutants.operators import Mutant

ENOUGH_SECONDS: Final = 20.0
"""How long the tests of one mutant may take together: of more, the likeliest and fastest run."""

LIKELIEST: Final = {
    "functions/provisioning/admin_api/": "tests/integration/test_admin_document.py::test_it_is_what_the_routes_say"
}
"""By folder, the test that most of what runs at import there cannot escape: the document has all routes and models.

It is asked even if none of its lines was recorded, which is so when an earlier test has imported the file.
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

    Those run its statement; of a statement that runs at import, those that run anything of its file. First comes the
    likeliest, if there is one, then the tests that are named after the file, and of these the fastest.
    """
    lines = recorded.tests.get(mutant.path, {})
    first, last = mutant.lines
    if mutant.function is None:
        found = {test for tests in lines.values() for test in tests}
    else:
        found = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
    likeliest = next((test for folder, test in LIKELIEST.items() if mutant.path.startswith(folder)), "")
    if likeliest in recorded.seconds:
        found.add(likeliest)

    def place(test: str) -> tuple[bool, bool, float, str]:
        is_first = mutant.function is None and test == likeliest
        return not is_first, not is_named_after(mutant.path, test), recorded.seconds[test], test

    order = sorted(found, key=place)
    chosen, sum_of_seconds = list[str](), 0.0
    for test in order:
        if chosen and sum_of_seconds + recorded.seconds[test] > ENOUGH_SECONDS:
            break
        chosen.append(test)
        sum_of_seconds += recorded.seconds[test]
    return chosen, sum_of_seconds


def is_named_after(path: str, test: str) -> bool:
    """Tell whether a *test* is in the file that has the name of a module: `test_keys.py` of `keys.py`."""
    file = PurePath(path)
    name = file.parent.name if file.stem in ("app", "__init__") else file.stem
    return PurePath(test.partition("::")[0]).name == f"test_{name}.py"

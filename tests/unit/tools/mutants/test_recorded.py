"""Which tests concern a mutant, and in which order they run."""

import pytest

from tools.mutants import recorded as module
from tools.mutants.operators import Mutant
from tools.mutants.recorded import Recorded, chosen_tests, is_named_after

PATH = "layers/auth_jwt/auth_jwt/memory/rows.py"


def a_mutant(lines: tuple[int, int] = (5, 6), function: tuple[str, int] | None = ("keep", 4)) -> Mutant:
    return Mutant(PATH, "other constant", lines[0], lines, 0, 1, "2", function)


def a_record(**seconds_and_lines: tuple[float, list[int]]) -> Recorded:
    """Return a record of `tests/unit/test_NAME.py`, each with its seconds and its lines of `PATH`."""
    record = Recorded()
    for name, (seconds, lines) in seconds_and_lines.items():
        record.note(f"tests/unit/test_{name}.py::test_it", seconds, [(PATH, line) for line in lines])
    return record


def chosen(mutant: Mutant, record: Recorded) -> list[str]:
    return [
        test.removeprefix("tests/unit/test_").removesuffix(".py::test_it") for test in chosen_tests(mutant, record)[0]
    ]


def test_those_that_run_the_statement_concern_it() -> None:
    assert chosen(a_mutant(), a_record(five=(1, [5]), six=(2, [6, 9]), seven=(1, [7]))) == ["five", "six"]


def test_what_runs_at_import_concerns_all_that_run_the_file() -> None:
    record = a_record(seven=(1, [7]), nothing=(1, []))

    assert chosen(a_mutant(function=None), record) == ["seven"]


def test_the_likeliest_comes_first_then_the_fastest() -> None:
    assert chosen(a_mutant(), a_record(slow=(3, [5]), fast=(1, [5]), rows=(9, [5]))) == ["rows", "fast", "slow"]


@pytest.mark.parametrize(("function", "order"), [(None, ["slow", "fast"]), (("of", 4), ["fast", "slow"])])
def test_of_what_runs_at_import_a_folder_may_have_a_likeliest(
    monkeypatch: pytest.MonkeyPatch, function: tuple[str, int] | None, order: list[str]
) -> None:
    monkeypatch.setattr(module, "LIKELIEST", {"layers/": "tests/unit/test_slow.py::test_it"})

    record = a_record(slow=(3, [5]), fast=(1, [5]))

    assert chosen(a_mutant(function=function), record) == order


def test_the_likeliest_is_asked_though_an_earlier_test_has_imported_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIKELIEST", {"layers/": "tests/unit/test_late.py::test_it"})

    assert chosen(a_mutant(function=None), a_record(early=(1, [5]), late=(1, []))) == ["late", "early"]


def test_there_is_an_end_to_it_but_one_always_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENOUGH_SECONDS", 3.0)

    assert chosen(a_mutant(), a_record(one=(1, [5]), two=(2, [5]), three=(3, [5]))) == ["one", "two"]
    assert chosen(a_mutant(), a_record(long=(4, [5]))) == ["long"]


def test_what_two_noted_is_one_record() -> None:
    whole = a_record(one=(1, [5]))
    whole.add(a_record(two=(2, [5, 6])))

    assert chosen(a_mutant(), whole) == ["one", "two"]
    assert chosen_tests(a_mutant(), whole)[1] == 3


@pytest.mark.parametrize(
    ("path", "test", "named"),
    [
        (PATH, "tests/unit/memory/test_rows.py::test_it", True),
        (PATH, "tests/unit/memory/test_outage.py::test_rows", False),
        ("functions/rotate_secrets/app.py", "tests/unit/functions/test_rotate_secrets.py::TestIt::test_it[a/b]", True),
    ],
)
def test_a_test_is_named_after_its_module(path: str, test: str, named: bool) -> None:
    assert is_named_after(path, test) is named

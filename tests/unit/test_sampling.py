"""The sample of generated cases: each kind is in it, it is the same every time, and what is left out is said."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests import sampling

ROOT = Path(__file__).parents[2]
MODULE = """
import pytest

@pytest.mark.matrix
@pytest.mark.parametrize("one", "abc")
@pytest.mark.parametrize("other", ["x", "y"])
def test_matrix(one, other): pass

@pytest.mark.matrix(kinds=lambda case, **_: case.split())
@pytest.mark.parametrize("case", ["big red", "big blue", "small red", "small blue"])
def test_kinds(case): pass

@pytest.mark.whole_only("another test runs it")
def test_whole(): pass

@pytest.mark.parametrize("one", "abcdef")
def test_recorded(one): pass
"""


def run(folder: Path, *arguments: str, whole: str = "") -> str:
    """Run the module as the tests here are run; what pytest shows."""
    folder.joinpath("test_module.py").write_text(MODULE)
    plugins = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "--rootdir", str(folder), *arguments],
        cwd=folder, env={**os.environ, "WHOLE": whole, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_run_says_what_it_left_out_and_how_to_run_it(tmp_path: Path, workers: str) -> None:
    shown = run(tmp_path, "-n", workers, "test_module.py")

    assert "11 passed" in shown  # 3 of 6, 2 of 4, none of 1, and all 6 that are no matrix
    assert "SAMPLED: 6 of 17 cases were left out" in shown
    assert "WHOLE=1 runs all" in shown


def test_whole_leaves_out_nothing_and_says_nothing(tmp_path: Path) -> None:
    shown = run(tmp_path, "test_module.py", whole="1")

    assert "17 passed" in shown
    assert "SAMPLED" not in shown


def test_a_test_that_is_named_runs_whole(tmp_path: Path) -> None:
    assert "6 passed" in run(tmp_path, "test_module.py::test_matrix")


def test_a_sample_has_each_kind_and_is_small_and_the_same_every_time() -> None:
    cases = [f"{one}{other}" for one, other in product("abcdefgh", "xyz")]
    sample = sampling.sample_of(cases, enumerate)

    assert {kind for case in sample for kind in enumerate(case)} == {kind for case in cases for kind in enumerate(case)}
    assert len(sample) == 8
    assert sample == sampling.sample_of(cases, enumerate)


def test_some_cases_are_spread_from_the_first_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WHOLE", False)

    assert sampling.some(range(101), keep=5) == [0, 25, 50, 75, 100]
    assert sampling.some(range(4), keep=5) == range(4)


def test_in_a_whole_run_nothing_is_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WHOLE", True)

    assert sampling.some(range(101), keep=5) == range(101)
    assert sampling.examples(500) == 500


def test_anew_means_more_examples_than_a_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "ANEW", 10)

    assert sampling.examples(500) == 5000


def test_make_check_runs_whole() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.partition("\ncheck: ")[2].partition("\n\n")[0]

    assert " test WHOLE=1 " in recipe

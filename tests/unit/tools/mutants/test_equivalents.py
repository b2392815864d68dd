"""Mutants that nobody can notice: found by what they are, not by where."""

from pathlib import Path

import pytest

from tools.mutants.equivalents import LIST, Equivalent, read_equivalents, without_equivalents
from tools.mutants.operators import mutants_of

ROOT = Path(__file__).parents[4]
KNOWN = read_equivalents(ROOT / LIST)
SOURCE = "def f():\n    a = 1\n    b = 2\n"
ENTRY = Equivalent("m.py", "-  b = 2\n+  b = 3\n", "nobody reads it")


@pytest.mark.parametrize("before", ["", "import os\n\n\n"], ids=["at the top", "further down"])
def test_it_is_found_wherever_it_is(before: str) -> None:
    source = before + SOURCE

    noticed, equivalent = without_equivalents(mutants_of("m.py", source), [ENTRY], {"m.py": source})

    assert [mutant.diff(source) for mutant in equivalent] == [["-    b = 2", "+    b = 3"]]
    assert [mutant.diff(source) for mutant in noticed] == [["-    a = 1", "+    a = 2"]]


@pytest.mark.parametrize(
    ("around", "place"),
    [
        pytest.param(" def f():\n{}", "f", id="the line before"),
        pytest.param("{}\n\n def g():", "f", id="the lines behind"),
        pytest.param(" def g():\n{}", "g", id="another place"),
        pytest.param(" def f():\n{}\n c = 3", None, id="no place"),
    ],
)
def test_of_several_that_are_alike_it_is_the_one_between_these_lines(around: str, place: str | None) -> None:
    source = "def f():\n    a = 1\n\ndef g():\n    a = 1\n"
    entry = Equivalent("m.py", around.format("-    a = 1\n+    a = 2"), "nobody reads it")

    equivalent = without_equivalents(mutants_of("m.py", source), [entry], {"m.py": source})[1]

    assert [mutant.function and mutant.function[0] for mutant in equivalent] == ([place] if place else [])


@pytest.mark.parametrize(
    "entry",
    [
        Equivalent("other.py", ENTRY.diff, "another file"),
        Equivalent("m.py", "-b = 2\n+b = 4", "another change"),
        Equivalent("m.py", "-b = 2", "half a change"),
    ],
    ids=lambda entry: entry.reason,
)
def test_another_is_not_taken_for_it(entry: Equivalent) -> None:
    assert without_equivalents(mutants_of("m.py", SOURCE), [entry], {"m.py": SOURCE})[1] == []


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text('[[mutant]]\npath = "m.py"\ndiff = "-a"\nreason = " "\n')

    with pytest.raises(ValueError, match=r"m\.py gives no reason"):
        read_equivalents(tmp_path / "list.toml")


@pytest.mark.parametrize("path", sorted({entry.path for entry in KNOWN}))
def test_each_entry_of_the_list_fits_a_mutant(path: str) -> None:
    """One that fits none is of lines that are no more: take it out."""
    source = (ROOT / path).read_text(encoding="utf-8")
    mutants = mutants_of(path, source)

    assert [
        entry for entry in KNOWN if entry.path == path and not any(entry.fits(one, source) for one in mutants)
    ] == []

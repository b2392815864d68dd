"""Which mutants are tried, and which tests are asked."""

from pathlib import Path

import pytest

from tools.mutants.choosing import CONCERNED, changed_lines, concerned_by, files_in, files_named, sample, touched
from tools.mutants.operators import mutants_of

ROOT = Path(__file__).parents[4]
FILES = files_in(ROOT)
PACKAGE = "layers/auth_jwt/auth_jwt"


def test_the_package_and_the_functions_are_mutated() -> None:
    assert {f"{PACKAGE}/rules.py", f"{PACKAGE}/jose/keys.py", "functions/provisioning/admin_api/visit.py"} <= set(FILES)


@pytest.mark.parametrize("place", CONCERNED)
def test_the_table_names_what_there_is(place: str) -> None:
    assert any(file.startswith(place) for file in FILES)
    assert [test for test in CONCERNED[place] if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("file", FILES)
def test_each_file_has_tests(file: str) -> None:
    room = file.removeprefix(f"{PACKAGE}/").partition("/")
    tests = {test for place, of_place in CONCERNED.items() if file.startswith(place) for test in of_place}

    assert tests
    if file.startswith(PACKAGE) and room[2] and room[2] != "__init__.py":  # a room has tests of its own
        assert f"{PACKAGE}/{room[0]}/" in CONCERNED


def test_a_test_is_asked_once_though_its_folder_is_named_too() -> None:
    """`models.py` names a file of a folder that `memory` names whole."""
    asked = concerned_by([f"{PACKAGE}/models.py", f"{PACKAGE}/memory/rows.py"])

    assert "tests/unit/memory" in asked
    assert "tests/unit/memory/test_rows.py" not in asked


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("memory/rows.py", [f"{PACKAGE}/memory/rows.py"]),
        ("functions/release_check", ["functions/release_check/app.py"]),
        ("rules.py", [f"{PACKAGE}/issuers/rules.py", f"{PACKAGE}/rules.py"]),
        ("jose/", [file for file in FILES if "/jose/" in file]),
    ],
)
def test_a_module_is_named_by_a_part_of_its_path(name: str, expected: list[str]) -> None:
    assert files_named([name], FILES) == expected


def test_a_module_that_is_nowhere_is_an_error() -> None:
    with pytest.raises(ValueError, match="jos: no module"):
        files_named(["jose", "jos"], FILES)


def test_the_lines_of_a_diff() -> None:
    """Added and changed lines count, and those around a place where lines were taken out."""
    diff = """\
diff --git a/one.py b/one.py
--- a/one.py
+++ b/one.py
@@ -3 +3,2 @@ def f():
-old
+new
+newer
@@ -9,2 +10,0 @@
-gone
-gone
diff --git a/two.py b/two.py
--- /dev/null
+++ b/two.py
@@ -0,0 +1 @@
+first
"""

    assert changed_lines(diff) == {"one.py": {3, 4, 10, 11}, "two.py": {1}}


def test_a_mutant_is_touched_by_each_of_its_lines() -> None:
    source = "a = 1\nkeep(\n    row,\n)\nb = 2\n"
    mutants = mutants_of("m.py", source)

    def touched_by(*lines: int) -> list[int]:
        return [mutant.line for mutant in touched(mutants, {"m.py": set(lines)}, {"m.py": source})]

    assert touched_by(3) == [2]
    assert touched_by(1, 5) == [1, 5]
    assert touched(mutants, {"other.py": {1, 2, 3}}, {"m.py": source}) == []


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    mutants = mutants_of("m.py", "".join(f"a{number} = {number}\n" for number in range(50)))
    drawn = sample(mutants, 10, seed=7)

    assert len(drawn) == 10
    assert drawn == sample(mutants, 10, seed=7)
    assert drawn != sorted(drawn, key=lambda mutant: mutant.line)  # where time ends, the last module was tried as well
    assert drawn != sample(mutants, 10, seed=8)
    assert set(sample(mutants, None, seed=7)) == set(sample(mutants, 51, seed=7)) == set(mutants)

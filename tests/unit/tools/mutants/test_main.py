"""The command: what it tries, what it says, and how it ends; and the worker, on a program of two functions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tools.mutants import __main__ as command
from tools.mutants.operators import Mutant, mutants_of
from tools.mutants.report import Result, by_module, enough, of_line, report, score, show

ROOT = Path(__file__).parents[4]
PATH = "layers/auth_jwt/auth_jwt/memory/rows.py"


def a_result(end: str = "caught", line: int = 1, path: str = PATH) -> Result:
    return Result(Mutant(path, "other constant", line, (line, line), 0, 1, "2", None), end, 0.1)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param(["caught", "caught", "survived", "caught"], 75.0, id="one survived"),
        pytest.param(["timed out", "survived"], 50.0, id="one that took too long was noticed"),
        pytest.param(["caught", "broken", "not tried"], 100.0, id="what was not tried does not count"),
        pytest.param(["not tried"], None, id="none was tried"),
    ],
)
def test_the_score_is_of_those_that_were_tried(ends: list[str], expected: float | None) -> None:
    assert score([a_result(end) for end in ends]) == expected


@pytest.mark.parametrize(("threshold", "reached"), [(50.0, True), (50.1, False)])
def test_the_threshold_is_reached_at_its_value(threshold: float, reached: bool) -> None:
    assert enough([a_result("caught"), a_result("survived")], threshold) is reached


def test_nothing_tried_is_not_enough() -> None:
    assert not enough([a_result("not tried")], 0.0)


def test_a_line_of_the_worker_is_read() -> None:
    mutant = a_result().mutant

    ends = [of_line({"mutant": 0, "code": code}, [mutant]).end for code in (0, 1, -1, 4, None)]

    assert ends == ["survived", "caught", "timed out", "broken", "not tried"]


def test_machines_get_modules_and_survivors() -> None:
    told = report([a_result("caught"), a_result("survived", line=1)], {PATH: "1\n"}, 3, 95.0)

    assert (told["score"], told["enough"], told["equivalent"]) == (50.0, False, 3)
    assert told["modules"][PATH] == {
        "mutants": 2,
        "caught": 1,
        "survived": 1,
        "timed_out": 0,
        "not_tried": 0,
        "score": 50.0,
    }
    assert told["survived"] == [
        {"path": PATH, "line": 1, "operator": "other constant", "untested": False, "diff": ["-1", "+2"]}
    ]
    json.dumps(told)


def test_people_get_survivors_with_their_lines_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show([a_result("caught"), a_result("survived"), a_result("not tried")], {PATH: "1\n"}, 95.0)

    out = capsys.readouterr().out
    assert f"{PATH}:1: other constant\n-1\n+2\n" in out
    assert [line.split() for line in out.splitlines() if line.startswith("auth_jwt/")] == [
        ["auth_jwt/memory/rows.py", "2", "1", "1", "0", "50.0", "%"]
    ]
    assert "1 mutants were not tried" in out
    assert "TOO FEW ARE" in out


def test_modules_come_in_the_order_of_their_paths() -> None:
    assert list(by_module([a_result(path="b.py"), a_result(path="a.py")])) == ["a.py", "b.py"]


@pytest.fixture(name="ends")
def _ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the mutants end that the command tries."""
    ends = list[str]()

    def tried(chosen: command.Chosen, *_: object) -> Iterator[Result]:
        if not ends:
            raise RuntimeError("tests fail without a mutant: test_it")
        for number, mutant in enumerate(chosen.mutants):
            yield Result(mutant, ends[number % len(ends)], 0.1)

    monkeypatch.setattr(command, "_try", tried)
    return ends


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        pytest.param([], ["caught"], 0, id="all caught"),
        pytest.param([], ["caught", "survived"], 1, id="too few caught"),
        pytest.param(["--threshold", "50"], ["caught", "survived"], 0, id="as many as were asked for"),
        pytest.param([], ["not tried"], 1, id="none tried"),
        pytest.param([], [], 2, id="nothing measured"),
    ],
)
def test_the_exit_code_says_whether_enough_were_caught(
    ends: list[str], arguments: list[str], given: list[str], code: int
) -> None:
    ends += given

    assert command.main(["--module", "memory/rows.py", "--sample", "4", *arguments]) == code


def test_what_is_wrong_on_the_command_line_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--module", "no/such.py"])

    assert ended.value.code == 2
    assert "no/such.py: no module" in capsys.readouterr().err


def test_json_is_all_of_stdout(ends: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ends.append("caught")

    command.main(["--module", "memory/rows.py", "--sample", "4", "--json"])

    said = capsys.readouterr()
    assert json.loads(said.out)["score"] == 100.0
    assert said.err.startswith("4 mutants")


# -- the worker -------------------------------------------------------------------------------------------------------

PROGRAM = """\
LIMIT = 5


def fits(size):
    return size < LIMIT


def double(size):
    return size * 2


def forever(size):
    while size > 0:
        size -= 1
    return size


def unheard(size):
    return size + 7
"""
TESTS = """\
from program import double, fits, forever


def test_fits():
    assert fits(4) and not fits(5)


def test_double():
    assert double(2) in (4, 1)


def test_forever():
    assert forever(3) == 0
"""


def worked(folder: Path, tests: str = TESTS) -> list[dict[str, Any]]:
    """Return what the worker tells of all mutants of `PROGRAM`."""
    (folder / "program.py").write_text(PROGRAM)
    (folder / "test_program.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    mutants = [asdict(mutant) for mutant in mutants_of("program.py", PROGRAM)]
    (folder / "plan.json").write_text(
        json.dumps({"mutants": mutants, "tests": ["test_program.py"], "jobs": 2, "minutes": 1000})
    )
    done = subprocess.run(
        [sys.executable, "-m", "tools.mutants.worker", "plan.json"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python tells which lines run since 3.12")
class TestWorker:
    def test_each_mutant_ends_as_it_must(self, tmp_path: Path) -> None:
        """In functions and at import; one that loops forever is ended, and one that no test runs is known for it."""
        mutants = mutants_of("program.py", PROGRAM)

        told = [of_line(line, mutants) for line in worked(tmp_path) if "mutant" in line]

        by_diff = {"".join(result.mutant.diff(PROGRAM)): (result.end, result.untested) for result in told}
        assert len(told) == len(mutants)
        assert by_diff["-LIMIT = 5+LIMIT = 6"] == ("caught", False)
        assert by_diff["-    return size < LIMIT+    return (size <= LIMIT)"] == ("caught", False)
        assert by_diff["-    return size * 2+    return size * 3"] == ("caught", False)
        assert by_diff["-    return size * 2+    return (size // 2)"] == ("survived", False)
        assert by_diff["-        size -= 1+        pass"] == ("timed out", False)
        assert by_diff["-    return size + 7+    return (size - 7)"] == ("survived", True)

    def test_where_a_test_fails_without_a_mutant_nothing_is_measured(self, tmp_path: Path) -> None:
        told = worked(tmp_path, TESTS + "\n\ndef test_red():\n    assert fits(9)\n")

        assert told == [{"stopped": "tests fail without a mutant: test_program.py::test_red"}]

    def test_where_tests_cannot_be_collected_nothing_is_measured(self, tmp_path: Path) -> None:
        assert worked(tmp_path, "import no_such_module\n") == [{"stopped": "the tests cannot be collected"}]

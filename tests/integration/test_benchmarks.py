"""The benchmarks run, quickly and without writing anything; no figure is judged here."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.benchmarks.figures import ALGORITHMS, DECODE, OBVIOUS, OURS
from tools.events.stage import ROOT

PAGE = ROOT / "docs" / "benchmarks"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.whole_only("`make bench` runs them in full")
@pytest.mark.parametrize(("part", "base"), [("warm", DECODE), ("cold", OBVIOUS)])
def test_a_part_alone_is_measured_and_printed_and_nothing_is_written(part: str, base: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in PAGE.iterdir()}

    ran = run("--only", part, "--rounds", "1", "--json", "--check")

    results: dict[str, Any] = json.loads(ran.stdout)
    assert list(results["parts"]) == [part]
    assert all({base, OURS, OBVIOUS} <= results["parts"][part][name]["ratios"].keys() for name in ALGORITHMS)
    assert ran.returncode == int(not all(goal["met"] for goal in results["goals"]))
    assert {path: path.stat().st_mtime_ns for path in PAGE.iterdir()} == before


def test_a_run_without_rounds_is_refused() -> None:
    ran = run("--rounds", "0")

    assert ran.returncode == 2
    assert "--rounds" in ran.stderr


def test_how_long_commands_take_to_start_is_measured_beside_the_interpreter() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.starting", "--rounds", "2"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout

    rows = re.findall(r"^\| `(.+?)` \|.*\| ([\d.]+) \(", shown, re.MULTILINE)
    assert rows[0] == ("python -c pass", "1.0")
    assert {"auth-jwt --help", "auth-jwt profile list"} <= dict(rows).keys()
    assert all(float(ratio) > 1 for _, ratio in rows[1:])

"""The table of places: what it names exists, and what cannot be run is not taken for passed."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import places
from tools.places import PLACES, Place, environment_of, main, missing_for

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", PLACES)
def test_the_tests_of_a_place_exist(name: str) -> None:
    assert PLACES[name].tests
    assert [path for path in PLACES[name].tests if not (ROOT / path).exists()] == []


def test_a_variable_may_be_set_and_taken_away() -> None:
    env = environment_of(Place("", (), {"TZ": "Asia/Kathmandu", "HOME": None}), {"HOME": "/root", "LANG": "C"})

    assert env == {"TZ": "Asia/Kathmandu", "LANG": "C", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.mark.parametrize(
    ("place", "lacks"),
    [
        pytest.param(Place("", ()), "", id="nothing"),
        pytest.param(Place("", (), needs=("sh",)), "", id="a program that is here"),
        pytest.param(Place("", (), needs=("sh", "no-such-program")), "no-such-program", id="a program that is not"),
        pytest.param(Place("", (), needs=("locale:xx_XX",)), "the locale xx_XX", id="a locale"),
        pytest.param(Place("", (), python="99"), "Python 3.99", id="a Python"),
    ],
)
def test_what_is_missing_is_named(place: Place, lacks: str) -> None:
    assert missing_for(place) == lacks


class Runs:
    """The commands that were run, and how they end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        self.commands: list[list[str]] = []

        def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
            self.commands.append([str(word) for word in command])
            return subprocess.CompletedProcess(command, code, "")

        monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.parametrize(("code", "end"), [(0, 0), (1, 1), (5, 1), (-9, 1)])
def test_it_fails_when_tests_do(monkeypatch: pytest.MonkeyPatch, code: int, end: int) -> None:
    Runs(monkeypatch, code)

    assert main(["--only", "chatham", "open"]) == end


def test_what_was_not_run_is_not_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Runs(monkeypatch, 0)
    monkeypatch.setenv("PATH", os.devnull)

    assert main(["--only", "bare", "chatham"]) == places.NOT_WHOLE
    assert "bare       not run: no setsid here" in capsys.readouterr().out


def test_a_random_order_is_told_and_can_be_had_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs(monkeypatch, 0)

    main(["--only", "order", "--seed", "42"])

    assert "--seed 42" in capsys.readouterr().out
    assert "--randomly-seed=42" in runs.commands[0]

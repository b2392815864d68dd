"""What fuzzing begins with and what it once found, without a fuzzer: each rule holds of it, and can be broken."""

import subprocess
import sys
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.errors import Flaw
from auth_jwt.models import Secret, Unusable
from tests.fakes import Clock
from tests.fuzz import events, keys, settings, tokens
from tests.fuzz.__main__ import Budget, Run, _table, main
from tests.fuzz.target import hides
from tests.fuzz.targets import NAMES, load
from tests.sampling import some

FINDINGS = sorted(path for path in (Path(__file__).parent / "findings").rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_holds_of_what_the_search_begins_with(name: str) -> None:
    target = load(name)
    seeds = list(target.seeds())

    assert seeds
    assert max(map(len, seeds)) <= target.most_bytes
    for seed in some(seeds, 40):
        target.check(seed)


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_what_was_found_once_stays_mended(path: Path) -> None:
    """Each lies in the folder of its target, by a name that says what it showed."""
    load(path.parent.name).check(path.read_bytes())


def test_there_are_findings_to_replay() -> None:
    assert FINDINGS


@pytest.mark.parametrize(
    ("check", "module", "broken", "answer", "octets"),
    [
        pytest.param(tokens.check_token, tokens, "unverified_object", {}, b'\1{"alg":"HS256"}\0{"a":1}\0s', id="token"),
        pytest.param(tokens.check_rendering, tokens, "decoded_token", "{}.{}", b'{"a":1}', id="rendering"),
        pytest.param(keys.check_lookalike, keys, "what_else", None, b"\1(|)", id="lookalike"),
        pytest.param(settings.check_credentials, settings, "parse_credentials", (), b"a", id="credentials"),
        pytest.param(events.check_body, events, "body_members", {"a": "c"}, b"\1a=b", id="body"),
    ],
)
def test_a_rule_can_be_broken(
    check: Any, module: Any, broken: str, answer: object, octets: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else fuzzing would find nothing, whatever the code does."""
    check(octets)
    monkeypatch.setattr(module, broken, lambda *_arguments, **_options: answer)

    with pytest.raises(AssertionError):
        check(octets)


def test_a_message_that_shows_the_secret_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "an HMAC secret that must not be shown"
    monkeypatch.setattr(Secret, "unusable", Unusable(Flaw.IN_DOUBT, f"{text} may be a key"))
    monkeypatch.setattr(Secret, "keys", ())

    with pytest.raises(AssertionError, match="shown"):
        keys.check_key(b"\1" + text.encode())


@pytest.mark.parametrize(("shown", "is_hidden"), [(["a", 1], True), (["is the long secret here"], False)])
def test_a_secret_that_is_shown_is_seen(shown: Sequence[object], is_hidden: bool) -> None:
    assert hides("the long secret", *shown) is is_hidden


def test_the_table_says_what_was_found_and_which_search_ended_too_early() -> None:
    found = Run("token", 1_000_000, 77, 60, ["build/fuzz/token/findings/crash-1"], ended=True)
    lines = list(_table([found, Run("key", 5), Run("dump", begun=False)]))

    assert lines[1].split() == ["token", "1,000,000", "77", "60", "build/fuzz/token/findings/crash-1"]
    assert lines[2].endswith("ended too early")
    assert lines[3].endswith("not begun")
    assert lines[4] == "1,000,005 inputs of 3 targets, 1 findings"


def test_time_is_divided_among_the_targets_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time: each gets twice its share, less what loading took; when time is over, none is begun."""
    clock = Clock(0)
    monkeypatch.setattr(time, "monotonic", clock)
    budget = Budget(60, targets=4, jobs=2)

    assert budget.take() == 30
    budget.loading = 5
    assert budget.take() == 60 * 2 / 3 - 5
    clock.pass_by(57)
    assert budget.take() == 1
    clock.pass_by(3)
    assert budget.take() == 0


def test_without_a_limit_a_target_has_all_the_time() -> None:
    assert Budget(0, targets=1, jobs=1).take() == inf


def test_a_finding_is_replayed_by_the_folder_that_it_lies_in(tmp_path: Path) -> None:
    """The exit code tells a rule that holds from one that is broken, and from a file that belongs to no target."""
    good, strange = tmp_path / "token" / "good", tmp_path / "strange"
    good.parent.mkdir()
    good.write_bytes(b"\0a.b.c")
    strange.write_bytes(b"")
    command = [sys.executable, "-m", "tests.fuzz", "--replay"]
    root = Path(__file__).parents[2]

    assert subprocess.run([*command, good], cwd=root, check=False, capture_output=True).returncode == 0
    assert subprocess.run([*command, strange], cwd=root, check=False, capture_output=True).returncode == 2


def test_where_nothing_can_be_fuzzed_that_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.fuzz.__main__.find_spec", lambda _: None)

    assert main([]) == 3
    assert "Nothing was fuzzed" in capsys.readouterr().err

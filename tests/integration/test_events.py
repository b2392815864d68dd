"""Every file of events/authorize through the real handler, over DynamoDB in memory with the template's settings."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tools.events.demo import acts
from tools.events.outcomes import differences
from tools.events.stage import OUTCOMES as FILES
from tools.events.stage import ROOT, SAMPLES, Stage, read_json, stage

OUTCOMES = read_json(SAMPLES / "outcomes.json")
WITHOUT_EVENTS = {"rotate_secrets", "refresh_keys", "ending_secrets", "release_check"}
"""Events of a rotation are moments in a secret's life, which `test_rotation.py` makes. A refresh has an empty event."""


@pytest.fixture(name="handler_on_stage", scope="module")
def _handler_on_stage() -> Iterator[Stage]:
    with stage(OUTCOMES["settings"]) as ready:
        yield ready


@pytest.mark.parametrize("name", OUTCOMES["events"])
def test_an_event_is_answered_as_its_outcome_says(handler_on_stage: Stage, name: str) -> None:
    event = read_json(SAMPLES / "authorize" / f"{name}.json")

    assert differences(event, OUTCOMES["events"][name], handler_on_stage.ask(event)) == []


@pytest.mark.parametrize("function", FILES)
def test_every_event_has_an_outcome_and_every_outcome_an_event(function: str) -> None:
    outcomes = read_json(SAMPLES / FILES[function])["events"]

    assert {path.stem for path in (SAMPLES / function).glob("*.json")} == outcomes.keys()


def test_every_function_has_sample_events_and_the_demo_shows_them_all() -> None:
    with_events = {path.parent.name for path in SAMPLES.glob("*/*.json")}

    assert with_events == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} - WITHOUT_EVENTS
    assert with_events == {act.function for act in acts()}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(
            ["-m", "tools.events.demo"],
            marks=pytest.mark.whole_only("each of its events is a case of this suite"),
            id="the demo shows all as expected",
        ),
        pytest.param(["-m", "tools.events.demo", "--json", "--only", "websocket"], id="the demo speaks JSON"),
        pytest.param(["-m", "tools.events.generate", "--check"], id="the files are what their generator writes"),
    ],
)
def test_what_the_documentation_runs(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

"""What functions have in common: where they ask the tables, misspelt settings, and snapshots."""

import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import pytest

from auth_jwt.runtime.wiring import Service
from tests.integration.admin_client import PROFILES
from tests.integration.conftest import SetStage
from tools.events.provisioning_events import Case, asking
from tools.events.stage import SAMPLES, Answer, read_json

NotePlaces = Callable[[], list[tuple[str, str]]]
EVENTS: Final[dict[str, dict[str, Any]]] = {
    "ending_secrets": {},
    "refresh_keys": {},
    "provisioning": Case("a-test", "", asking("GET", PROFILES), 0).event(),
}
"""For each function, an event that makes it ask the tables. `test_rotation.py` has that of the rotation."""


@pytest.mark.parametrize("function", EVENTS)
@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param(
            "dynamodb://eu-west-1", ("eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com"), id="another region"
        ),
        pytest.param("dynamodb+http://127.0.0.1:9", ("eu-central-1", "http://127.0.0.1:9"), id="a stand-in"),
    ],
)
def test_the_tables_are_where_the_setting_says(
    set_stage: SetStage, note_places: NotePlaces, function: str, url: str, place: tuple[str, str]
) -> None:
    ready = set_stage(function, DB_URL=url)
    places = note_places()

    ready.ask(EVENTS[function])

    assert set(places) == {place}


def near_misses_in(answer: Answer) -> list[str]:
    """Return the settings that a warning takes a variable for."""
    return [record["meant"] for line in answer.lines if "meant" in (record := json.loads(line))]


LOGINS = {
    "authorize": read_json(SAMPLES / "authorize" / "rest-authorized-by-header.json"),
    "gateway_authorizer": read_json(SAMPLES / "gateway_authorizer" / "rest-token-allowed.json"),
}


@pytest.mark.parametrize(("function", "event"), [*EVENTS.items(), *LOGINS.items()])
def test_its_lines_bear_its_name_where_no_setting_names_it(set_stage: SetStage, function: str, event: Any) -> None:
    answer = set_stage(function, POWERTOOLS_SERVICE_NAME="").ask(event)

    assert {json.loads(line).get("service") for line in answer.lines} == {function}


@pytest.mark.parametrize("function", EVENTS)
def test_a_near_miss_is_warned_of_once(set_stage: SetStage, function: str) -> None:
    ready = set_stage(function, TAG_COLUM="x")

    first, second = (ready.ask(EVENTS[function]) for _ in range(2))

    assert (near_misses_in(first), near_misses_in(second)) == (["TAG_COLUMN"], [])


@pytest.mark.parametrize(
    ("function", "made"),
    [("authorize", ["service"]), ("gateway_authorizer", ["service", "settings"]), ("provisioning", ["client", "api"])],
)
def test_a_snapshot_is_taken_of_a_function_that_is_ready(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, function: str, made: list[str]
) -> None:
    """Otherwise each process that starts from it would make the same things anew, while somebody waits."""
    hooks: list[Callable[[], object]] = []
    prepared: list[Service] = []

    def prepare(service: Service) -> None:
        prepared.append(service)

    runtime: Any = ModuleType("snapshot_restore_py")
    runtime.register_before_snapshot, runtime.register_after_restore = hooks.append, lambda _: None
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", runtime)
    monkeypatch.setattr(Service, "prepare", prepare)
    ready: Any = set_stage(function, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    app = ready.handler.__globals__

    (before_snapshot,) = hooks
    before_snapshot()

    assert [app[name].cache_info().currsize for name in made] == [1] * len(made)
    assert len(prepared) == (0 if function == "provisioning" else 1)

"""What the functions beside those of logins have in common: where they ask the tables, and misspelt settings."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.integration.admin_client import PROFILES
from tests.integration.conftest import SetStage
from tools.events.provisioning_events import Case, asking
from tools.events.stage import Answer

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


@pytest.mark.parametrize("function", EVENTS)
def test_a_near_miss_is_warned_of_once(set_stage: SetStage, function: str) -> None:
    ready = set_stage(function, TAG_COLUM="x")

    first, second = (ready.ask(EVENTS[function]) for _ in range(2))

    assert (near_misses_in(first), near_misses_in(second)) == (["TAG_COLUMN"], [])

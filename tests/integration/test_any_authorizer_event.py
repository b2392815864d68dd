"""Whatever event comes in: an answer, Unauthorized, or a fault; and never a yes to a token that nobody signed."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.test_any_input import JSON, bounded
from tools.events.stage import SAMPLES, Answer, Stage, read_json, stage

EVENTS = {
    name: read_json(SAMPLES / "gateway_authorizer" / f"{name}.json")
    for name in (
        "rest-token-allowed",
        "rest-request-allowed-by-header",
        "rest-request-allowed-by-cookie",
        "rest-request-allowed-by-query",
        "websocket-allowed-by-query",
        "http-payload-1-allowed",
        "http-simple-allowed",
        "http-simple-allowed-by-cookie",
    )
}
ANYWHERE = {"TOKEN_SOURCES": "header:authorization,query:token,cookie:token"}
PARTS = sorted({part for event in EVENTS.values() for part in event})
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
FAULT = "UnknownEvent: "  # none that nobody foresaw


@pytest.fixture(name="ready", scope="module")
def _ready() -> Iterator[Stage]:
    with stage(ANYWHERE, "gateway_authorizer") as ready:
        yield ready


def is_an_answer_a_refusal_or_a_fault(answer: Answer) -> bool:
    if answer.raised:
        return answer.raised == "Unauthorized: Unauthorized" or answer.raised.startswith(FAULT)
    return answer.effect is not None


def with_token(event: dict[str, Any], token: str) -> dict[str, Any]:
    """The *event* with another token, wherever there was one."""
    text = TOKEN.sub(lambda _: json.dumps(token)[1:-1], json.dumps(event))
    changed: dict[str, Any] = json.loads(text)
    return changed


@bounded
@given(event=JSON)
def test_any_event_is_a_fault(ready: Stage, event: Any) -> None:
    answer = ready.ask(event)

    assert answer.raised is not None
    assert answer.raised.startswith("UnknownEvent: ")


@bounded
@given(name=st.sampled_from(sorted(EVENTS)), part=st.sampled_from(PARTS), value=JSON)
def test_an_event_with_an_odd_part_is_decided_by_its_token(ready: Stage, name: str, part: str, value: Any) -> None:
    event = {**copy.deepcopy(EVENTS[name]), part: value}

    answer = ready.ask(event)

    assert is_an_answer_a_refusal_or_a_fault(answer)
    if answer.is_good:  # what was replaced was of no account
        assert part not in EVENTS[name] or part not in {"type", "methodArn", "routeArn"}
        assert TOKEN.search(json.dumps(event))


@bounded
@given(name=st.sampled_from(sorted(EVENTS)), token=st.text(max_size=60) | st.from_regex(TOKEN, fullmatch=True))
def test_no_token_that_nobody_signed_is_let_in(ready: Stage, name: str, token: str) -> None:
    answer = ready.ask(with_token(EVENTS[name], token))

    assert is_an_answer_a_refusal_or_a_fault(answer)
    assert not answer.is_good


@bounded
@given(name=st.sampled_from(sorted(EVENTS)), place=st.integers(0, 400), character=st.characters(codec="utf-8"))
def test_nor_is_a_good_one_of_which_a_character_was_changed(
    ready: Stage, name: str, place: int, character: str
) -> None:
    found = TOKEN.search(json.dumps(EVENTS[name]))
    assert found
    token = found[0]
    at = place % len(token)
    changed = token[:at] + character + token[at + 1 :]

    answer = ready.ask(with_token(EVENTS[name], changed))

    assert is_an_answer_a_refusal_or_a_fault(answer)
    assert answer.is_good is (changed == token)

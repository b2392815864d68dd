"""Whatever comes in, an answer goes out: no event makes the handler fail, and no odd request is authorized."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sampling import examples
from tools.events.stage import SAMPLES, Stage, read_json, stage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
EVENTS = {
    path.stem: read_json(path)
    for path in sorted((SAMPLES / "authorize").glob("*.json"))
    if path.stem in {"rest-authorized-by-json-body", "http-authorized-by-form-body", "alb-multi-authorized-by-header"}
}
PARTS = ["body", "headers", "multiValueHeaders", "isBase64Encoded", "requestContext", "path", "rawPath", "resource",
         "routeKey", "httpMethod", "version"]  # fmt: skip
KNOWN = {200, 400, 401, 403, 404, 405}

bounded = settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(name="ready", scope="module")
def _ready() -> Iterator[Stage]:
    with stage({}) as ready:
        yield ready


@bounded
@given(event=JSON)
def test_any_event_is_a_refused_direct_invocation(ready: Stage, event: Any) -> None:
    answer = ready.ask(event)

    assert answer.raised is None
    assert answer.given == {"code": -1}


@bounded
@given(name=st.sampled_from(sorted(EVENTS)), part=st.sampled_from(PARTS), value=JSON)
def test_an_event_with_an_odd_part_is_answered(ready: Stage, name: str, part: str, value: Any) -> None:
    event = copy.deepcopy(EVENTS[name])
    event[part] = value

    answer = ready.ask(event)

    assert answer.raised is None
    assert answer.status in KNOWN or answer.given == {"code": -1}


@bounded
@given(name=st.sampled_from(sorted(EVENTS)), body=st.text() | st.binary().map(lambda octets: octets.decode("latin-1")))
def test_any_body_is_answered(ready: Stage, name: str, body: str) -> None:
    event = {**copy.deepcopy(EVENTS[name]), "body": body}

    answer = ready.ask(event)

    assert answer.raised is None
    assert answer.status in KNOWN


@bounded
@given(values=st.lists(st.text(max_size=40) | st.just("Bearer x.y.z"), max_size=3))
def test_any_authorization_is_answered_and_none_of_these_is_accepted(ready: Stage, values: list[str]) -> None:
    event = copy.deepcopy(EVENTS["alb-multi-authorized-by-header"])
    event["multiValueHeaders"]["authorization"] = values

    assert ready.ask(event).status in {400, 401}

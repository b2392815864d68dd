"""The obvious implementation does the job that it is measured at: a yardstick that is wrong measures nothing."""

import json
import sys
from collections.abc import Iterator

import pytest

from tests.benchmarks.tables import NUMBERS_OF_SECRETS, tables, token_with
from tests.benchmarks.warm import DENIALS, EVENTS, asking, obvious_handler, rest_event
from tools.events.stage import SAMPLES, Handler, LambdaContext, read_json

OUTCOMES = read_json(SAMPLES / "outcomes.json")["events"]
SERVED = (
    *EVENTS.values(),
    *(name for name, _ in DENIALS.values()),
    "rest-authorized-by-old-secret",
    "rest-authorized-by-new-secret",
    "rest-denied-closed-secret",
    "rest-denied-future-secret",
    "rest-denied-before-nbf",
    "rest-denied-unknown-tag",
    "rest-denied-no-profile",
    "rest-denied-no-username",
    "rest-denied-missing-tag",
    "rest-denied-malformed",
    "rest-denied-alg-none",
    "rest-denied-key-in-header",
    "rest-denied-public-key-as-secret",
    "rest-no-token",
)
"""What it is good for: tokens in the header of a REST API event. Each is answered as the service answers it."""


@pytest.fixture(name="handler", scope="module")
def _handler() -> Iterator[Handler]:
    with tables() as address:
        yield obvious_handler(address, {"LOAD_CREDENTIALS": "$avp(caller_name)=display_name;account_id;video_allowed"})


@pytest.mark.parametrize("name", SERVED)
def test_it_answers_a_sample_event_as_the_service_does(handler: Handler, name: str) -> None:
    """In status and code, and when it authorizes, in the whole body."""
    expected = OUTCOMES[name]

    answer = handler(rest_event(name), LambdaContext("1"))

    body = json.loads(answer["body"])
    assert answer["statusCode"] == expected["status"]
    assert body.get("code") == expected["code"]
    assert expected["body"] is None or body == expected["body"]


@pytest.mark.parametrize("secrets", NUMBERS_OF_SECRETS)
def test_any_secret_that_is_open_is_enough(handler: Handler, secrets: int) -> None:
    answer = handler(asking(token_with(secrets)), LambdaContext("1"))

    assert json.loads(answer["body"])["sip_username"] == "alice"


def test_rows_are_remembered(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the comparison of warm calls would be one of memory with a table."""
    event = rest_event(EVENTS["HS256"])
    assert handler(event, LambdaContext("1"))["statusCode"] == 200
    monkeypatch.setattr(sys.modules["obvious_app"], "secrets", None)  # a table that cannot be asked

    assert handler(event, LambdaContext("2"))["statusCode"] == 200

"""Events that only keep a function warm: answered, counted by themselves, and never a request."""

from pathlib import Path
from typing import Any, Final

import pytest

from auth_jwt.runtime.warmers import is_ping
from auth_jwt.runtime.wiring import Service
from tests.integration.conftest import SetStage
from tools.events.http_request import SCHEDULED, WARMER
from tools.events.samples import ALICE, ALICE_EXPIRED
from tools.events.stage import SAMPLES, read_json

WARMERS: Final = {
    "warmer": WARMER,
    "lambda-warmer": {"warmer": True, "concurrency": 3, "__WARMER_INVOCATION__": 1},
    "a rule of EventBridge": SCHEDULED,
    "EventBridge Scheduler": SCHEDULED | {"source": "aws.scheduler", "detail": "{}"},
    "serverless-plugin-warmup": {"source": "serverless-plugin-warmup"},
}


@pytest.mark.parametrize("function", ["authorize", "gateway_authorizer"])
class TestWarmers:
    @pytest.mark.parametrize("event", WARMERS.values(), ids=WARMERS.keys())
    def test_a_warmer_is_answered_and_counted_as_ping(
        self, set_stage: SetStage, calls: list[str], function: str, event: dict[str, Any]
    ) -> None:
        ready = set_stage(function)
        calls.clear()

        answer = ready.ask(event)

        assert (answer.raised, answer.given) == (None, {"ping": "pong"})
        assert (answer.record["outcome"], answer.record["Ping"], "reason" in answer.record) == ("ping", 1, False)
        assert (len(answer.lines), calls) == (1, [])

    def test_a_ping_makes_the_function_ready(
        self, set_stage: SetStage, function: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepared: list[Service] = []

        def prepare(service: Service) -> None:
            prepared.append(service)

        monkeypatch.setattr(Service, "prepare", prepare)

        set_stage(function).ask({"warmer": True})

        assert len(prepared) == 1

    def test_a_setting_that_cannot_be_is_a_fault(self, set_stage: SetStage, function: str) -> None:
        answer = set_stage(function, LEEWAY_SECONDS="ten").ask({"warmer": True})

        assert answer.raised is not None
        assert answer.raised.startswith("BadSetting: LEEWAY_SECONDS='ten' is refused")
        assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "bad_setting")

    def test_a_setting_of_its_own_that_cannot_be_is_one_too(self, set_stage: SetStage, function: str) -> None:
        own = {"authorize": "CLIENT_CERTIFICATES", "gateway_authorizer": "AUTHORIZER_REFUSAL"}[function]

        answer = set_stage(function, **{own: "maybe"}).ask({"warmer": True})

        assert (answer.raised or "").startswith(f"BadSetting: {own}='maybe' is refused")

    @pytest.mark.parametrize(
        "event",
        [
            {"warmer": "true"},
            {"warmer": 1},
            {"warmer": None},
            {"source": "aws.events"},
            {"source": "aws.s3", "detail-type": "Scheduled Event"},
            {"source": ["aws.events"], "detail-type": "Scheduled Event"},
            {},
            [{"warmer": True}],
            "warmer",
        ],
        ids=str,
    )
    def test_nothing_else_is_one(self, set_stage: SetStage, function: str, event: Any) -> None:
        answer = set_stage(function).ask(event)

        assert answer.record["outcome"] in ("denied", "fault")
        assert answer.given in ({"code": -1}, None)


MARKS: Final = {"warmer": True, **SCHEDULED}


@pytest.mark.parametrize(
    "path", sorted([*(SAMPLES / "authorize").glob("*.json"), *(SAMPLES / "gateway_authorizer").glob("*.json")])
)
def test_no_request_is_taken_for_a_ping(path: Path) -> None:
    """Not even one that somebody has marked as a warmer's."""
    event = read_json(path)
    asks_nothing = "ping-" in path.stem or event == {}

    assert is_ping(MARKS | event) is asks_nothing
    assert is_ping(event) is ("ping-" in path.stem)


@pytest.mark.parametrize(
    "member",
    [
        *("requestContext", "httpMethod", "headers", "body", "type", "methodArn", "routeArn", "authorizationToken"),
        *("identitySource", "jwt_token", "from_user", "from_domain", "call_id"),
    ],
)
def test_any_member_of_a_request_makes_it_one(member: str) -> None:
    """A caller who leaves out the others is answered as a caller, and not as a schedule."""
    assert not is_ping(MARKS | {member: None})


@pytest.mark.parametrize("token", [ALICE.text, ALICE_EXPIRED.text, "", None, 7])
def test_no_token_is_let_by_unseen(set_stage: SetStage, token: object) -> None:
    answer = set_stage().ask({**MARKS, "jwt_token": token})

    assert answer.given == ({"code": -1} if token != ALICE.text else answer.given)
    assert answer.record["outcome"] == ("authorized" if token == ALICE.text else "denied")

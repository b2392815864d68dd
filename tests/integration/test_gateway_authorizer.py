"""What a gateway and an operator see of the authorizer: the sample events, settings, outages, secrecy."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from auth_jwt.errors import Reason
from tests.integration.test_secrecy import ATTEMPTS, Attempt, assert_nothing_leaks, everything_shown, on_stage
from tools.events.outcomes import differences
from tools.events.stage import OUTCOMES as FILES
from tools.events.stage import SAMPLES, Stage, read_json

SetStage = Callable[..., Stage]

EVENTS = {
    name: read_json(SAMPLES / "gateway_authorizer" / f"{name}.json")
    for name in ("rest-token-allowed", "rest-request-allowed-by-header", "http-simple-allowed")
}
OUTCOMES = read_json(SAMPLES / FILES["gateway_authorizer"])["events"]
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def with_token(event: dict[str, Any], token: str) -> dict[str, Any]:
    """The *event* with another token, wherever there was one."""
    text = TOKEN.sub(lambda _: json.dumps(token)[1:-1], json.dumps(event))
    changed: dict[str, Any] = json.loads(text)
    return changed


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_event_is_answered_as_its_outcome_says(set_stage: SetStage, name: str) -> None:
    event, expected = read_json(SAMPLES / "gateway_authorizer" / f"{name}.json"), OUTCOMES[name]

    answer = set_stage("gateway_authorizer", **expected["settings"]).ask(event)

    assert differences(event, expected, answer) == []


class TestSettings:
    def test_a_wrong_value_of_its_own_is_a_fault_that_names_it(self, set_stage: SetStage) -> None:
        answer = set_stage("gateway_authorizer", TOKEN_SOURCES="body:token").ask(EVENTS["http-simple-allowed"])

        assert answer.raised is not None
        assert answer.raised.startswith("BadSetting: TOKEN_SOURCES='body:token' is refused")
        assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "bad_setting")

    def test_so_is_one_of_the_service(self, set_stage: SetStage) -> None:
        answer = set_stage("gateway_authorizer", LEEWAY_SECONDS="ten").ask(EVENTS["http-simple-allowed"])

        assert answer.raised is not None
        assert answer.raised.startswith("BadSetting: LEEWAY_SECONDS='ten' is refused")

    def test_a_near_miss_is_warned_of_once(self, set_stage: SetStage) -> None:
        ready = set_stage("gateway_authorizer", AUTHORIZER_REFUSALS="deny")

        first, second = (ready.ask(EVENTS["http-simple-allowed"]) for _ in range(2))

        warnings = [json.loads(line) for line in first.lines if '"WARNING"' in line]
        assert [warning["meant"] for warning in warnings] == ["AUTHORIZER_REFUSAL"]
        assert '"WARNING"' not in "".join(second.lines)

    def test_the_log_and_the_metrics_bear_its_own_name(self, set_stage: SetStage) -> None:
        answer = set_stage("gateway_authorizer").ask(EVENTS["rest-request-allowed-by-header"])

        assert {json.loads(line)["service"] for line in answer.lines} == {"gateway_authorizer"}


class TestOutage:
    @pytest.mark.parametrize("name", ["rest-token-allowed", "http-simple-allowed"])
    def test_tables_that_cannot_be_reached_are_a_fault(
        self, set_stage: SetStage, outage: Callable[[], None], name: str
    ) -> None:
        ready = set_stage("gateway_authorizer", AUTHORIZER_REFUSAL="deny")
        outage()

        answer = ready.ask(EVENTS[name])

        assert answer.raised is not None
        assert answer.raised.startswith("Unreachable: ")
        assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "unreachable")

    def test_remembered_rows_serve_on(self, set_stage: SetStage, outage: Callable[[], None]) -> None:
        ready = set_stage("gateway_authorizer")
        ready.ask(EVENTS["rest-token-allowed"])
        outage()

        assert ready.ask(EVENTS["rest-token-allowed"]).is_good


class TestSecrecy:
    """No token, no secret and no credential in a log line, a metric or an exception."""

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        "reason", [reason for reason in ATTEMPTS if reason not in (Reason.USERNAME_MISMATCH, Reason.DOMAIN_MISMATCH)]
    )
    @pytest.mark.parametrize("name", ["rest-token-allowed", "http-simple-allowed"])
    def test_a_denial_shows_nothing(self, set_stage: SetStage, name: str, reason: Reason) -> None:
        attempt = ATTEMPTS[reason]
        ready, token = on_stage(partial(set_stage, "gateway_authorizer"), attempt), attempt.token()

        answer = ready.ask(with_token(EVENTS[name], token))

        assert answer.denial == reason
        assert (answer.raised, answer.given) in [
            ("Unauthorized: Unauthorized", None),
            (None, {"isAuthorized": False}),
        ]
        assert_nothing_leaks(everything_shown(answer), token)

    def test_an_answer_shows_the_user_to_the_gateway_and_not_to_the_log(self, set_stage: SetStage) -> None:
        ready, token = on_stage(partial(set_stage, "gateway_authorizer"), Attempt()), Attempt().token()

        answer = ready.ask(with_token(EVENTS["rest-token-allowed"], token))

        assert answer.given["context"]["display_name"] == "cReDeNtIaL-value"
        assert_nothing_leaks("\n".join(answer.lines), token)
        assert token not in json.dumps(answer.given)

    def test_several_tokens_show_nothing(self, set_stage: SetStage) -> None:
        ready, token = on_stage(partial(set_stage, "gateway_authorizer"), Attempt()), Attempt().token()

        answer = ready.ask({**EVENTS["rest-token-allowed"], "authorizationToken": f"Bearer {token}, {token}x"})

        assert answer.record["outcome"] == "rejected"
        assert_nothing_leaks(everything_shown(answer), token)

    def test_an_unforeseen_error_shows_nothing(self, set_stage: SetStage, monkeypatch: pytest.MonkeyPatch) -> None:
        ready, token = on_stage(partial(set_stage, "gateway_authorizer"), Attempt()), Attempt().token()

        def broken(*_: object) -> str:
            raise RuntimeError(token)

        monkeypatch.setattr("auth_jwt.authorizer.decoded_token", broken)
        answer = ready.ask(with_token(EVENTS["rest-token-allowed"], token))

        assert answer.raised == "Fault: unforeseen error: its cause is in the log"
        assert answer.record["reason"] == "unforeseen"
        assert_nothing_leaks(everything_shown(answer), token)

    def test_an_event_of_no_form_shows_nothing(self, set_stage: SetStage) -> None:
        ready, token = on_stage(partial(set_stage, "gateway_authorizer"), Attempt()), Attempt().token()

        answer = ready.ask({"type": token, "version": token, "methodArn": token, "authorizationToken": token})

        assert answer.record["reason"] == "unknown_event"
        assert_nothing_leaks(everything_shown(answer), token)

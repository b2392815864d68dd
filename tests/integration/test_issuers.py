"""Tokens of issuers at the real handlers: what a frontend, a gateway and an operator see."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.test_gateway_authorizer import EVENTS, with_token
from tests.issuers import (
    ISSUER,
    KID,
    SUBJECT,
    a_login_token,
    a_token_of_a_new_key,
    issuer_row,
    item_of,
    keys_rows,
)
from tools.events.stage import SAMPLES, Answer, Stage, read_json

SetStage = Callable[..., Stage]
PROFILE = {"tag": f"{ISSUER}#{SUBJECT}", "sip_username": "alice", "sip_domain": "example.com"}


class Login:
    """A stage with an issuer, its keys and one user."""

    def __init__(self, stage: Stage, *, fetched_at: float, keys: bool, **members: Any) -> None:
        self.stage = stage
        self._write("jwt_profiles", issuer_row(**members), PROFILE)
        if keys:
            self._write("jwt_secrets", *keys_rows(fetched_at=fetched_at))

    def _write(self, table: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            self.stage.tables.put_item(TableName=table, Item=item_of(row))

    def by_http(self, path: str = "/authorize", **body: object) -> Answer:
        body = {"jwt_token": a_login_token(now=now()), **body}
        event = read_json(SAMPLES / "authorize" / "rest-authorized-by-json-body.json")
        return self.stage.ask({**event, "path": path, "resource": path, "body": json.dumps(body)})

    def by_sdk(self, token: str | None = None) -> Answer:
        return self.stage.ask({"jwt_token": token or a_login_token(now=now())})

    def by_gateway(self, event: str = "rest-token-allowed", token: str | None = None) -> Answer:
        return self.stage.ask(with_token(EVENTS[event], token or a_login_token(now=now())))


@pytest.fixture(name="a_login")
def _a_login(set_stage: SetStage) -> Callable[..., Login]:
    def a_login(
        function: str = "authorize",
        *,
        fetched_ago: float = 5,
        keys: bool = True,
        settings: dict[str, str] | None = None,
        **members: Any,
    ) -> Login:
        stage = set_stage(function, **{"ISSUERS": ISSUER, **(settings or {})})
        return Login(stage, fetched_at=now() - fetched_ago, keys=keys, **members)

    return a_login


def now() -> int:
    """Return the current second: the handlers have the clock of this machine."""
    return int(time.time())


def a_new_key() -> str:
    """Return a token that a key signed which the issuer has just begun to use."""
    return a_token_of_a_new_key(now=now())


def hook(token: str) -> dict[str, object]:
    address = '"Alice" <sip:alice@example.com>'
    return {"jwt_token": token, "method": "REGISTER", "expires": 60, "headers": {"from": address, "to": address}}


class TestAFrontend:
    def test_learns_whose_token_it_is(self, a_login: Callable[..., Login]) -> None:
        then = now()
        answer = a_login().by_http(from_user="alice", from_domain="example.com")

        assert (answer.status, answer.body["code"], answer.body["sip_username"]) == (200, 1, "alice")
        assert then + 300 <= answer.body["expires_at"] <= now() + 300

    def test_gets_the_same_answer_by_an_sdk(self, a_login: Callable[..., Login]) -> None:
        login, token = a_login(), a_login_token(now=now())

        assert login.by_sdk(token).given == login.by_http(jwt_token=token).body

    def test_of_jambonz_does_so_too(self, a_login: Callable[..., Login]) -> None:
        login = a_login()

        answer = login.by_http("/frontends/jambonz", **hook(a_login_token(now=now())))

        assert (answer.body["status"], answer.body["sip_username"]) == ("ok", "alice")

    def test_gets_the_uniform_denial_for_a_forged_token(self, a_login: Callable[..., Login]) -> None:
        answer = a_login().by_http(jwt_token=a_login_token(now=now(), key="rsa_2048_other"))

        assert (answer.status, answer.body["code"], answer.denial) == (401, -1, "bad_signature")

    def test_logs_in_users_of_tags_as_ever(self, a_login: Callable[..., Login]) -> None:
        event = read_json(SAMPLES / "authorize" / "rest-authorized-by-json-body.json")

        assert a_login().stage.ask(event).status == 200

    @pytest.mark.parametrize("path", ["/authorize", "/frontends/jambonz"])
    def test_is_told_when_to_ask_again_while_the_key_may_not_have_been_fetched(
        self, a_login: Callable[..., Login], path: str
    ) -> None:
        login, token = a_login(), a_new_key()

        answer = login.by_http(path, **(hook(token) if path != "/authorize" else {"jwt_token": token}))

        assert answer.status == 503
        assert answer.body["type"] == "urn:auth-jwt:problem:key-not-fetched-yet"
        assert "code" not in answer.body
        assert 2 <= int(answer.headers["retry-after"]) <= 62
        assert answer.body["retry_after"] == int(answer.headers["retry-after"])
        assert (answer.record["outcome"], answer.record["level"]) == ("deferred", "INFO")
        assert "Fault" not in "".join(answer.lines)

    def test_is_told_so_by_an_sdk_with_a_code_that_is_neither_yes_nor_no(self, a_login: Callable[..., Login]) -> None:
        answer = a_login().by_sdk(a_new_key())

        assert answer.given.keys() == {"code", "retry_after"}
        assert answer.given["code"] == 0
        assert 2 <= answer.given["retry_after"] <= 62
        assert (answer.record["outcome"], answer.record["level"]) == ("deferred", "INFO")

    def test_that_sees_no_body_of_a_503_may_ask_for_that_code_by_http(self, a_login: Callable[..., Login]) -> None:
        answer = a_login().by_http(jwt_token=a_new_key(), deferred_status="200")

        assert (answer.status, answer.body.keys(), answer.body["code"]) == (200, {"code", "retry_after"}, 0)
        assert (answer.record["outcome"], answer.record["level"]) == ("deferred", "INFO")

    @pytest.mark.parametrize(("status", "expected"), [("503", 503), ("201", 400), ("", 400), (200, 400), (None, 400)])
    def test_may_ask_for_no_other_status(self, a_login: Callable[..., Login], status: object, expected: int) -> None:
        answer = a_login().by_http(jwt_token=a_new_key(), deferred_status=status)

        assert (answer.status, "code" in answer.body) == (expected, False)

    def test_is_authorized_and_denied_as_ever_when_it_asks_for_that_code(self, a_login: Callable[..., Login]) -> None:
        login = a_login()

        good = login.by_http(deferred_status="200")
        forged = login.by_http(jwt_token=a_login_token(now=now(), key="rsa_2048_other"), deferred_status="200")

        assert [(answer.status, answer.body["code"]) for answer in (good, forged)] == [(200, 1), (401, -1)]

    def test_waits_for_the_first_fetch(self, a_login: Callable[..., Login]) -> None:
        answer = a_login(keys=False).by_http()

        assert (answer.status, answer.headers["retry-after"]) == (503, "10")

    def test_gets_a_fault_and_no_denial_when_the_keys_are_stale(self, a_login: Callable[..., Login]) -> None:
        answer = a_login(fetched_ago=27 * 3600).by_http()

        assert (answer.status, answer.body["type"]) == (503, "urn:auth-jwt:problem:unavailable")
        assert "code" not in answer.body
        assert (answer.record["outcome"], answer.record["reason"]) == ("fault", "stale_keys")

    def test_gets_an_answer_from_older_keys_where_a_setting_says_so(self, a_login: Callable[..., Login]) -> None:
        login = a_login(fetched_ago=27 * 3600, settings={"KEYS_LIFETIME_SECONDS": "604800"})

        assert login.by_http().status == 200

    def test_gets_a_fault_for_a_configuration_that_nobody_can_read(self, a_login: Callable[..., Login]) -> None:
        answer = a_login(algorithms=["HS256"]).by_http()

        assert (answer.status, answer.record["reason"]) == (500, "unusable_store")


class TestAGateway:
    def test_learns_whose_token_it_is(self, a_login: Callable[..., Login]) -> None:
        answer = a_login("gateway_authorizer").by_gateway()

        assert (answer.given["principalId"], answer.given["context"]["sip_username"]) == ("alice", "alice")
        assert "sip_domain" not in answer.given["context"]

    def test_learns_the_domain_too_where_a_claim_names_the_user(self, a_login: Callable[..., Login]) -> None:
        login = a_login("gateway_authorizer", settings={"LOAD_CREDENTIALS": "sip_domain"}, **BY_CLAIM)

        answer = login.by_gateway(token=a_login_token(now=now(), extension="201"))

        assert answer.given["principalId"] == "201@pbx.example.com"
        assert answer.given["context"]["sip_username"] == "201"
        assert answer.given["context"]["sip_domain"] == "pbx.example.com"

    def test_admits_no_user_of_a_domain_unless_the_row_permits_it(self, a_login: Callable[..., Login]) -> None:
        login = a_login("gateway_authorizer", **{**BY_CLAIM, "permits_no_domain": False})

        answer = login.by_gateway(token=a_login_token(now=now(), extension="201"))

        assert (answer.raised, answer.denial) == ("Unauthorized: Unauthorized", "domain_mismatch")

    @pytest.mark.parametrize("event", ["rest-token-allowed", "http-simple-allowed"])
    @pytest.mark.parametrize("refusal", ["unauthorized", "deny"])
    def test_remembers_nothing_of_a_login_that_is_deferred(
        self, a_login: Callable[..., Login], event: str, refusal: str
    ) -> None:
        """An exception, whatever the settings say of refusals: gateways remember answers, and no exceptions."""
        login = a_login("gateway_authorizer", settings={"AUTHORIZER_REFUSAL": refusal})

        answer = login.by_gateway(event, a_new_key())

        assert answer.given is None
        assert (answer.raised or "").startswith("Deferred: ")
        assert (answer.record["outcome"], answer.record["level"]) == ("deferred", "INFO")


class TestAnOperator:
    def test_sees_the_issuer_and_the_key_in_the_line(self, a_login: Callable[..., Login]) -> None:
        login = a_login()

        first, second = login.by_http().record, login.by_http().record

        assert {name: first[name] for name in ("issuer", "kid", "tag", "algorithm")} == {
            "issuer": ISSUER,
            "kid": KID,
            "tag": f"{ISSUER}#{SUBJECT}",
            "algorithm": "RS256",
        }
        assert (first["issuer_rows"], first["rows"]) == ("table", "table")
        assert (second["issuer_rows"], second["rows"]) == ("memory", "memory")

    def test_sees_neither_in_the_line_of_a_tag(self, a_login: Callable[..., Login]) -> None:
        record = a_login().stage.ask(read_json(SAMPLES / "authorize" / "rest-authorized-by-json-body.json")).record

        assert record.keys().isdisjoint({"issuer", "kid", "issuer_rows"})

    def test_sees_what_a_forged_token_reads_and_that_is_no_row_of_users(
        self, a_login: Callable[..., Login], calls: list[str]
    ) -> None:
        login = a_login()
        calls.clear()

        for subject in range(20):
            login.by_http(jwt_token=a_login_token(now=now(), key="rsa_2048_other", sub=f"nobody-{subject}"))

        assert sorted(set(calls)) == [
            "GetItem jwt_profiles consistent",
            "GetItem jwt_profiles eventual",
            "Query jwt_secrets consistent",
            "Query jwt_secrets eventual",
        ]
        assert len(calls) <= 4  # the issuer's rows, and once more before the first denial

    def test_may_name_issuers_by_their_beginning(self, a_login: Callable[..., Login]) -> None:
        login = a_login(settings={"ISSUERS": "https://login.example.com/realms/*"})

        assert login.by_http().status == 200

    def test_who_names_no_issuer_has_tags_alone(self, a_login: Callable[..., Login]) -> None:
        answer = a_login(settings={"ISSUERS": "", "ACCEPTED_TYPES": "JWT,at+jwt"}).by_http()

        assert (answer.denial, "issuer" in answer.record) == ("missing_tag", False)


BY_CLAIM: dict[str, Any] = {
    "mapping": "claim",
    "username_claim": "extension",
    "sip_domain": "pbx.example.com",
    "permits_no_domain": True,
}

"""No token, no secret, no credential value in any log line, metric, answer or exception: every denial, every fault."""

import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import jwt
import pytest

from auth_jwt.errors import Reason
from tests.factories import a_private_key
from tests.issuers import ISSUER, KID, SUBJECT, issuer_row, item_of, keys_rows
from tools.events.stage import SAMPLES, Answer, Stage, read_json

SetStage = Callable[..., Stage]

SECRET = "sEcReT-0123456789-0123456789-0123456789"
CREDENTIAL = "cReDeNtIaL-value"
USERNAME = "zoe"
HOUR = 3600
NOW = 1_780_000_000
ROW = {
    "corresponding_tag": {"S": "zoe-tag"},
    "id": {"S": "z1"},
    "secret": {"S": SECRET},
    "start_ts": {"N": "0"},
    "end_ts": {"N": "4102444800"},
}
PROFILE = {"tag": {"S": "zoe-tag"}, "sip_username": {"S": USERNAME}, "display_name": {"S": CREDENTIAL}}


@dataclass(frozen=True)
class Attempt:
    """One way to be refused."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    key: Any = SECRET
    algorithm: str = "HS256"
    profile: Mapping[str, Any] | None = field(default_factory=lambda: PROFILE)
    secret: Mapping[str, Any] | None = field(default_factory=lambda: ROW)
    more_profiles: tuple[Mapping[str, Any], ...] = ()
    more_secrets: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)
    spoil: Callable[[str], str] = str

    def token(self) -> str:
        claims = {"tag": "zoe-tag", "private": "cLaImVaLuE", **self.claims}
        return self.spoil(jwt.encode(claims, self.key, self.algorithm, headers=dict(self.header)))


def of_an_issuer(
    *,
    claims: Mapping[str, Any] | None = None,
    header: Mapping[str, Any] | None = None,
    columns: dict[str, object] | None = None,
    identifier: str = ISSUER,
    **members: Any,
) -> Attempt:
    """Return an attempt with a token of the issuer, whose configuration has these *members* and *columns*."""
    now = int(time.time())
    usual = {"iss": ISSUER, "sub": SUBJECT, "aud": "sip", "iat": now - HOUR, "exp": now + HOUR, "jti": "1"}
    user = {**PROFILE, "tag": {"S": f"{ISSUER}#{SUBJECT}"}}
    return Attempt(
        claims={**usual, **(claims or {})},
        header={"kid": KID, "typ": "at+jwt", **(header or {})},
        key=a_private_key(),
        algorithm="RS256",
        profile=user,
        secret=None,
        more_profiles=(item_of(issuer_row(identifier, columns=columns, **members)),),
        more_secrets=tuple(map(item_of, keys_rows(fetched_at=now))),
        settings={"ISSUERS": ISSUER},
    )


ATTEMPTS: dict[Reason, Attempt] = {
    Reason.MALFORMED_TOKEN: Attempt(spoil=lambda token: token + "="),
    Reason.UNSUPPORTED_ALGORITHM: Attempt(settings={"ALLOWED_ALGORITHMS": "RS256"}),
    Reason.UNSUPPORTED_TYPE: Attempt(header={"typ": "at+jwt"}),
    Reason.UNSUPPORTED_CRITICAL_HEADER: Attempt(header={"crit": ["exp"]}),
    Reason.MISSING_TAG: Attempt(settings={"TAG_CLAIM": "another"}),
    Reason.UNKNOWN_TAG: Attempt(secret=None),
    Reason.NO_ACTIVE_SECRET: Attempt(secret={**ROW, "end_ts": {"N": "1"}}),
    Reason.BAD_SIGNATURE: Attempt(key="another-0123456789-0123456789-0123456789"),
    Reason.TOKEN_EXPIRED: Attempt(claims={"exp": 1}),
    Reason.TOKEN_NOT_YET_VALID: Attempt(claims={"nbf": 2**40}),
    Reason.TOKEN_TOO_OLD: Attempt(claims={"iat": 1}, settings={"MAX_TOKEN_AGE_SECONDS": "60"}),
    Reason.MISSING_CLAIM: Attempt(settings={"REQUIRED_CLAIMS": "jti"}),
    Reason.MALFORMED_CLAIM: Attempt(claims={"nbf": "soon"}),
    Reason.WRONG_ISSUER: Attempt(claims={"iss": "me"}, settings={"ISSUER": "you"}),
    Reason.WRONG_AUDIENCE: Attempt(claims={"aud": "me"}, settings={"AUDIENCE": "you"}),
    Reason.WRONG_TOKEN_KIND: of_an_issuer(header={"typ": "JWT"}),
    Reason.UNKNOWN_ISSUER: of_an_issuer(identifier=f"{ISSUER}/"),
    Reason.DISABLED_ISSUER: of_an_issuer(columns={"disabled": True}),
    Reason.UNKNOWN_KEY: of_an_issuer(header={"kid": "another"}),
    Reason.USERNAME_REFUSED: of_an_issuer(
        claims={"extension": "2 0 1"}, mapping="claim", username_claim="extension", sip_domain="example.com"
    ),
    Reason.UNKNOWN_PROFILE: Attempt(profile=None),
    Reason.INCOMPLETE_PROFILE: Attempt(profile={**PROFILE, "sip_username": {"S": ""}}),
    Reason.DISABLED_PROFILE: Attempt(profile={**PROFILE, "disabled": {"BOOL": True}}),
    Reason.USERNAME_MISMATCH: Attempt(more={"from_user": "yves"}),
    Reason.DOMAIN_MISMATCH: Attempt(more={"from_domain": "example.org"}),
    Reason.REVOKED_TOKEN: Attempt(profile={**PROFILE, "tokens_valid_after": {"N": "2"}}, claims={"iat": 1}),
}


def rest_event(body: Mapping[str, Any]) -> dict[str, Any]:
    event = read_json(SAMPLES / "authorize" / "rest-authorized-by-json-body.json")
    return {**event, "body": json.dumps(body)}


def on_stage(set_stage: SetStage, attempt: Attempt) -> Stage:
    stage = set_stage(LOAD_CREDENTIALS="display_name", POWERTOOLS_LOG_LEVEL="DEBUG", **attempt.settings)
    if attempt.profile:
        stage.tables.put_item(TableName="jwt_profiles", Item=attempt.profile)
    if attempt.secret:
        stage.tables.put_item(TableName="jwt_secrets", Item=attempt.secret)
    for item in attempt.more_profiles:
        stage.tables.put_item(TableName="jwt_profiles", Item=item)
    for item in attempt.more_secrets:
        stage.tables.put_item(TableName="jwt_secrets", Item=item)
    return stage


def everything_shown(*answers: Answer) -> str:
    parts = [[*answer.lines, json.dumps(answer.given, default=repr), answer.raised or ""] for answer in answers]
    return "\n".join(chain.from_iterable(parts))


def assert_nothing_leaks(text: str, token: str) -> None:
    assert text
    for what in (token, *(part for part in token.split(".") if len(part) > 4), SECRET, CREDENTIAL, "cLaImVaLuE"):
        assert what not in text


def test_every_reason_has_an_attempt() -> None:
    assert ATTEMPTS.keys() == set(Reason)


@pytest.mark.parametrize("reason", ATTEMPTS)
def test_a_denial_shows_nothing(set_stage: SetStage, reason: Reason) -> None:
    attempt = ATTEMPTS[reason]
    stage, token = on_stage(set_stage, attempt), attempt.token()

    by_http = stage.ask(rest_event({"jwt_token": token, **attempt.more}))
    by_sdk = stage.ask({"jwt_token": token, **attempt.more})

    assert (by_http.denial, by_sdk.denial) == (reason, reason)
    assert by_http.status in (401, 403)
    assert by_sdk.given == {"code": -1}
    assert_nothing_leaks(everything_shown(by_http, by_sdk), token)


@pytest.mark.parametrize("reason", sorted(set(ATTEMPTS) - {Reason.USERNAME_MISMATCH, Reason.DOMAIN_MISMATCH}))
def test_all_denials_look_alike(set_stage: SetStage, reason: Reason) -> None:
    """A caller must not learn which tags exist, which are disabled, or how near a guess was."""
    attempt = ATTEMPTS[reason]

    answer = on_stage(set_stage, attempt).ask(rest_event({"jwt_token": attempt.token(), **attempt.more}))

    challenge = 'Bearer realm="sip", error="invalid_token"'
    assert answer.given["headers"] == {
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
        "WWW-Authenticate": challenge,
    }
    assert answer.body == {
        "type": "urn:auth-jwt:problem:invalid-token",
        "title": "Unauthorized",
        "status": 401,
        "instance": answer.body["instance"],
        "challenge": challenge,
        "code": -1,
    }


def test_no_library_logs_them_either(set_stage: SetStage, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, the SDK would log what DynamoDB answers."""
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()

    with caplog.at_level(logging.DEBUG):
        assert stage.ask(rest_event({"jwt_token": token})).status == 200

    assert caplog.records
    assert_nothing_leaks(caplog.text, token)


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = read_json(SAMPLES / "authorize" / f"{name}.json")
    return event


PATHS: dict[str, Callable[[str], dict[str, Any]]] = {
    "REST API": lambda path: {**sample("rest-unknown-path"), "path": path, "pathParameters": {"proxy": path[1:]}},
    "HTTP API": lambda path: {**sample("http-unknown-path"), "rawPath": path},
    "Function URL": lambda path: {**sample("url-unknown-path"), "rawPath": path},
    "ALB": lambda path: {**sample("alb-wrong-method"), "path": path},
}


@pytest.mark.parametrize("form", PATHS)
@pytest.mark.parametrize("path", ["/{}", "/authorize/{}", "/authorize;{}", "/authorize?jwt_token={}"])
def test_an_unknown_path_is_not_logged(set_stage: SetStage, form: str, path: str) -> None:
    """A caller who puts the token into the address by mistake does not put it into the log."""
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()

    answer = stage.ask(PATHS[form](path.format(token)))

    assert (answer.status, answer.record["reason"]) == (404, "unknown_path")
    assert "path" not in answer.record
    assert_nothing_leaks(everything_shown(answer), token)


def test_an_authorization_logs_no_credential(set_stage: SetStage) -> None:
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()

    answer = stage.ask(rest_event({"jwt_token": token, "call_id": "abc@example.org"}))

    assert answer.member("credentials") == {"display_name": CREDENTIAL}
    assert answer.record["call_id"] == "abc@example.org"
    assert_nothing_leaks("\n".join(answer.lines), token)


def test_every_unusable_secret_is_named_also_beside_one_that_verifies(set_stage: SetStage) -> None:
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()
    for number, text in (("z0", ""), ("z2", "arn:aws:ssm:eu-central-1:123456789012:parameter/x")):
        stage.tables.put_item(TableName="jwt_secrets", Item={**ROW, "id": {"S": number}, "secret": {"S": text}})

    answer = stage.ask(rest_event({"jwt_token": token}))

    assert answer.record["secret_id"] == "z1"
    assert sorted(answer.record["unusable_secrets"]) == ["z0", "z2"]


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("short-sEcReT", id="too short"),
        pytest.param(f"-----BEGIN PUBLIC KEY-----\n{SECRET}\n-----END PUBLIC KEY-----", id="broken PEM"),
        pytest.param('{"kty":"oct","k":"!sEcReT!"}', id="broken JWK"),
        pytest.param(f"https://keys.example.org/{SECRET}", id="reference"),
        pytest.param(f"ssh-rsa AAAA{SECRET}", id="OpenSSH"),
    ],
)
def test_an_unusable_secret_is_named_by_its_id_alone(set_stage: SetStage, secret: str) -> None:
    attempt = Attempt(secret={**ROW, "secret": {"S": secret}})
    stage, token = on_stage(set_stage, attempt), attempt.token()

    answer = stage.ask(rest_event({"jwt_token": token}))

    assert answer.denial == "bad_signature"
    assert list(answer.record["unusable_secrets"]) == ["z1"]
    assert any('"UnusableSecret"' in line for line in answer.lines)
    assert secret not in everything_shown(answer)
    assert "sEcReT" not in everything_shown(answer)
    assert_nothing_leaks(everything_shown(answer), token)


def test_a_credential_that_cannot_be_given_is_named_and_counted(set_stage: SetStage) -> None:
    attempt = Attempt(profile={**PROFILE, "display_name": {"L": [{"S": CREDENTIAL}]}})
    stage, token = on_stage(set_stage, attempt), attempt.token()

    answer = stage.ask(rest_event({"jwt_token": token}))

    assert answer.member("credentials") == {}
    assert answer.record["unusable_credentials"] == ["display_name"]
    assert any('"UnusableCredential"' in line for line in answer.lines)
    assert_nothing_leaks("\n".join(answer.lines), token)


def test_an_outage_shows_nothing(set_stage: SetStage, outage: Callable[[], None]) -> None:
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()
    outage()

    by_http, by_sdk = stage.ask(rest_event({"jwt_token": token})), stage.ask({"jwt_token": token})

    assert by_http.status == 503
    assert by_sdk.raised
    assert_nothing_leaks(everything_shown(by_http, by_sdk), token)


def test_an_unforeseen_error_shows_nothing(set_stage: SetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library may put into its exceptions, with causes and all."""
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()

    def broken(*_: object) -> str:
        try:  # what a mapping asked for a missing key says, and what is made of it
            return dict[str, str]()[SECRET]
        except KeyError as cause:
            raise RuntimeError(token, CREDENTIAL) from cause

    monkeypatch.setattr("auth_jwt.authorizer.decoded_token", broken)
    by_http, by_sdk = stage.ask(rest_event({"jwt_token": token})), stage.ask({"jwt_token": token})

    assert by_http.status == 500
    assert by_http.record["reason"] == "unforeseen"
    assert [cause["type"] for cause in by_http.record["causes"]] == ["builtins.RuntimeError", "builtins.KeyError"]
    assert "broken" in by_http.record["causes"][0]["at"]
    assert by_sdk.raised == "Fault: unforeseen error: its cause is in the log"
    assert_nothing_leaks(everything_shown(by_http, by_sdk), token)


def test_what_a_direct_caller_may_see_of_an_unforeseen_error_has_no_cause(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt()
    stage, token = on_stage(set_stage, attempt), attempt.token()

    def broken(*_: object) -> str:
        raise RuntimeError(token)

    monkeypatch.setattr("auth_jwt.authorizer.decoded_token", broken)
    with pytest.raises(Exception, match="unforeseen") as caught:
        stage.handler({"jwt_token": token}, object())

    assert_nothing_leaks("".join(traceback.format_exception(caught.value)), token)

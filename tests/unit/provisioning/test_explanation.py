"""`token explain`: its verdict is the authorizer's, and its steps say why in words."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Reason, Unreachable
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.models import Policy, Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.explanation import Explanation, SecretLook, Step, StepOutcome, explain_token, quote
from auth_jwt.runtime.settings import Settings
from tests.factories import (
    HMAC_KEY,
    JTI,
    NOW,
    TAG,
    a_jwk,
    a_jwks,
    a_private_key,
    a_token,
    json_octets,
    private_pem,
    public_pem,
    segment,
    signed,
    without,
)
from tests.fakes import MemoryTables
from tests.service import Service, a_service

GOLDEN = Path(__file__).parents[2] / "conformance" / "golden" / "opensips.json"
CASES = [case for case in json.loads(GOLDEN.read_text("utf-8"))["cases"] if case["op"] == "db"]
OTHER_KEY = "another HMAC secret of sixty-four bytes, for these tests and no other"


def of(service: Service, token: str, **request: Any) -> Explanation:
    registry = service.provisioning.registry
    given = {"now": NOW, **request}
    return explain_token(token, store=service.tables, columns=registry.columns, policy=registry.policy, **given)


def refusing(explanation: Explanation) -> Step:
    """The first step that refuses."""
    return next(step for step in explanation.steps if step.outcome is StepOutcome.REFUSED)


def step(explanation: Explanation, name: str) -> Step:
    return next(step for step in explanation.steps if step.name == name)


def assert_it_is_consistent(explanation: Explanation) -> None:
    """The first step that refuses gives the verdict's reason; where none does, the token is accepted."""
    refusals = [step.reason for step in explanation.steps if step.outcome is StepOutcome.REFUSED]

    assert explanation.reason == (refusals[0] if refusals else None)
    assert (explanation.answer is None) is bool(refusals)
    if explanation.answer is not None:
        assert [look for look in explanation.secrets if look.signed and look.passed_over is None]


# -- the verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['group']}: {case['name']}")
def test_the_verdict_on_every_recorded_case_is_the_services(case: dict[str, Any]) -> None:
    settings = Settings.from_env(case["settings"])
    columns = settings.columns
    tables = MemoryTables(columns, keeps_revocations=False)
    for row in case.get("profiles", []):
        tables.write_row(Key(Table.PROFILES, row[columns.tag]), without(row, columns.tag))
    for row in case.get("secrets", []):
        tables.write_row(Key(Table.SECRETS, row[columns.secret_tag], row["id"]), without(row, "id"))

    told = explain_token(case["token"], store=tables, columns=columns, policy=settings.policy, now=case["now"])

    assert_it_is_consistent(told)
    if told.answer is None:
        assert {"code": -1, "reason": told.reason} == case["ours"]
    else:
        answer = {name: getattr(told.answer, name) for name in case["ours"] if name != "code"}
        assert {"code": 1, **answer} == case["ours"]


def test_the_verdict_comes_from_the_authorizer_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it decides, even nonsense: nothing is decided a second time."""
    service = a_service_with_a_user()
    answer = of(service, a_token(jti=JTI)).answer
    monkeypatch.setattr(Authorizer, "authorize", lambda *_, **__: answer)

    assert of(service, "nonsense").answer is answer


def test_an_accepted_token_is_led_through_every_rule() -> None:
    told = of(a_service_with_a_user(), a_token(jti=JTI), from_user="alice")

    assert [step.name for step in told.steps] == [
        *("gate", "header", "payload", "tag", "rows", "signature", "exp", "nbf", "iat", "profile", "revocation"),
        "from_user",
    ]
    assert {step.outcome for step in told.steps} == {StepOutcome.PASSED, StepOutcome.NOTED}


def test_tables_that_do_not_answer_are_no_verdict() -> None:
    service = a_service_with_a_user()
    service.tables.failure = Unreachable("no answer")

    told = of(service, a_token(jti=JTI))

    assert (told.reason, str(told.fault), told.answer) == (None, "no answer", None)
    assert [step.name for step in told.steps] == ["gate", "header", "payload", "tag", "rows"]
    assert told.steps[-1].outcome is StepOutcome.UNKNOWN


def test_a_table_of_revocations_that_does_not_answer_is_no_verdict() -> None:
    """Neither yes nor no, as the service says 503."""

    class Tables(MemoryTables):
        def revocation(self, tag: str, jti: str) -> Row | None:
            raise Unreachable("no answer")

    service = a_service_with_a_user()
    tables = Tables(rows=service.tables.rows)

    told = explain_token(a_token(jti=JTI), store=tables, columns=tables.columns, policy=Policy(), now=NOW)

    assert (told.reason, str(told.fault)) == (None, "no answer")
    assert step(told, "revocation").outcome is StepOutcome.UNKNOWN


# -- gate, header, payload, tag ---------------------------------------------------------------------------------------


def a_service_with_a_user(**rules: Any) -> Service:
    service = a_service(**rules)
    service.has()
    service.has_secret()
    return service


def head(**members: object) -> str:
    return segment(json_octets({"alg": "HS256", "typ": "JWT", **members}))


@pytest.mark.parametrize(
    ("token", "name", "said"),
    [
        pytest.param("a" * 20000, "gate", "20000 characters; MAX_TOKEN_BYTES allows 16384", id="too long"),
        pytest.param("a" * 16384, "gate", "1 segment between", id="as long as a token may be"),
        pytest.param("Bearer a.b.c", "gate", "begins with `Bearer`", id="a header, not a token"),
        pytest.param("", "gate", "the token is empty", id="nothing"),
        pytest.param("x", "gate", "1 segment between", id="no dots"),
        pytest.param(private_pem(), "gate", "this is a PRIVATE KEY, not a token", id="private key"),
        pytest.param(public_pem(), "gate", "this is a public key, not a token", id="public key"),
        pytest.param("a.b.c.d.e", "gate", "encrypted token", id="JWE"),
        pytest.param(f"{head()}.e30.", "gate", "signature is empty", id="no signature"),
        pytest.param(f"{head()}.e30=.AA", "gate", "payload has a character that is not base64url, '='", id="padded"),
        pytest.param(f"{head()}.e30.A A", "gate", "signature has a character that is not base64url, ' '", id="blank"),
        pytest.param(f"{head()}.e31.AA", "gate", "payload is cut off, or its unused last bits", id="loose bits"),
        pytest.param("_w.e30.AA", "header", "not valid UTF-8, at byte 1", id="header not UTF-8"),
        pytest.param("e30.e30.AA", "header", "`alg` is missing", id="no alg"),
        pytest.param(f"{head(alg=1)}.e30.AA", "header", "`alg` is not text", id="alg a number"),
        pytest.param(f"{head(alg='none')}.e30.AA", "header", "alg 'none' is not among ALLOWED_ALGORITHMS", id="none"),
        pytest.param(f"{head(typ=1)}.e30.AA", "header", "`typ` is not text", id="typ a number"),
        pytest.param(f"{head(typ='at+jwt')}.e30.AA", "header", "typ 'at+jwt' is not among ACCEPTED_TYPES", id="type"),
        pytest.param(f"{head(kid=1)}.e30.AA", "header", "`kid` is not text", id="kid a number"),
        pytest.param(f"{head(crit=['exp'])}.e30.AA", "header", "`crit` is there", id="crit"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b"[]"), "payload", "not an object", id="a list"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b'{"a":1,"a":2}'), "payload", "given twice", id="twice"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b"\xef\xbb\xbf{}"), "payload", "byte order mark", id="BOM"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b'{"a":1e999}'), "payload", "overflows a double", id="huge"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b'{"a":"\\ud800"}'), "payload", "surrogate", id="surrogate"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b'{"a":}'), "payload", "from character 6 on", id="no JSON"),
        pytest.param(signed(json_octets({"alg": "HS256"}), b"{} x"), "payload", "text after the value", id="more"),
        pytest.param(a_token(payload={}), "tag", "no claim 'tag' (TAG_CLAIM)", id="no tag"),
        pytest.param(a_token(payload={"tag": 1}), "tag", "is not text", id="tag a number"),
        pytest.param(a_token(payload={"tag": "x" * 129}), "tag", "has 129 characters", id="tag too long"),
    ],
)  # fmt: skip
def test_what_is_no_token_is_told_by_the_rule_it_breaks(token: str, name: str, said: str) -> None:
    told = of(a_service_with_a_user(), token)

    assert refusing(told).name == name
    assert said in refusing(told).text
    assert told.steps[-1] is refusing(told)
    assert_it_is_consistent(told)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({}, "alg HS256, no typ, no kid"),
        ({"typ": "JWT", "kid": "a"}, "alg HS256, typ 'JWT', kid 'a'"),
    ],
)
def test_a_header_that_passes_is_told(header: dict[str, object], said: str) -> None:
    token = a_token(header=json_octets({"alg": "HS256", **header}), jti=JTI)

    assert step(of(a_service_with_a_user(), token), "header").text == said


def test_of_a_long_value_the_beginning_is_shown_and_its_length() -> None:
    assert quote("x" * 58) == f"'{'x' * 58}'"
    assert quote("x" * 59) == f"'{'x' * 59}... (61 characters)"


# -- secrets ----------------------------------------------------------------------------------------------------------


def the_look(service: Service, token: str) -> tuple[SecretLook, Step]:
    """What is said of the only secret, and of the signature."""
    told = of(service, token)
    assert_it_is_consistent(told)
    (look,) = told.secrets
    return look, step(told, "signature")


@pytest.mark.parametrize(
    ("columns", "said", "reason"),
    [
        (
            {"start_ts": NOW + 3600, "end_ts": NOW + 7200},
            "not open yet: its window begins in 1 hour",
            "no_active_secret",
        ),
        ({"end_ts": NOW}, "closed now", "no_active_secret"),
        ({"end_ts": NOW - 7200, "start_ts": NOW - 9000}, "closed 2 hours ago", "no_active_secret"),
        ({"start_ts": NOW + 10, "end_ts": NOW - 10}, "its window ends before it begins", "no_active_secret"),
        ({"start_ts": NOW + 10, "end_ts": NOW + 10}, "its window ends before it begins", "no_active_secret"),
        ({"start_ts": NOW - 10, "end_ts": NOW - 10}, "its window ends before it begins", "no_active_secret"),
        ({"end_ts": "tomorrow"}, "its window has no numeric start and end", "no_active_secret"),
        ({"start_ts": "today"}, "its window has no numeric start and end", "no_active_secret"),
        ({"kid": "b"}, "its kid is 'b', the token's 'a'", "bad_signature"),
        ({"alg": "HS512"}, "its `alg` does not allow HS256", "bad_signature"),
        ({"alg": 1}, "unusable (malformed_alg: its 'alg' is not text)", "bad_signature"),
    ],
)
def test_a_secret_that_signed_and_is_not_tried_is_named_with_the_cause(
    columns: dict[str, Any], said: str, reason: str
) -> None:
    """At two in the morning this is the line one looks for."""
    service = a_service()
    service.has()
    service.has_secret(**columns)

    look, signature = the_look(service, a_token(header={"kid": "a"}, jti=JTI))

    assert (look.passed_over, look.signed) == (said, True)
    assert signature.text == f"the secret that signed it is not tried: '1': {said}"
    assert signature.reason == reason


def test_all_secrets_that_signed_and_are_not_tried_are_named() -> None:
    service = a_service()
    service.has()
    service.has_secret("1", end_ts=NOW)
    service.has_secret("2", start_ts="today")

    told = of(service, a_token(jti=JTI))

    assert step(told, "signature").text.endswith("'1': closed now; '2': its window has no numeric start and end")


@pytest.mark.parametrize(
    ("secret", "token", "said", "signed_it"),
    [
        pytest.param("", a_token(), "unusable (empty: empty)", False, id="empty"),
        pytest.param("short", a_token(key="short"), "its key is too short for HS256", True, id="short"),
        pytest.param(public_pem(), a_token(), "its key cannot verify HS256", False, id="another kind of key"),
        pytest.param(
            a_jwks(a_jwk("ed25519", kid="b")),
            a_token(key=a_private_key("ed25519"), alg="EdDSA", header={"kid": "a"}),
            "its key has another kid than the token's 'a'",
            True,
            id="another kid in a key set",
        ),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_verify_says_why(secret: str, token: str, said: str, signed_it: bool) -> None:
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=secret)

    look, _ = the_look(service, token)

    assert (look.passed_over, look.signed) == (said, signed_it)


def test_a_secret_that_is_left_out_for_its_number_keeps_its_own_reason() -> None:
    service = a_service(max_secrets_per_tag=1)
    service.has()
    service.has_secret("new", start_ts=NOW - 1)
    service.has_secret("old", start_ts=NOW - 2)
    service.has_secret("other", start_ts=NOW - 3, kid="b")

    told = of(service, a_token(header={"kid": "a"}, jti=JTI))

    assert [(look.record.id, look.passed_over) for look in told.secrets] == [
        ("new", None),
        ("old", "left out: MAX_SECRETS_PER_TAG is 1, and so many opened later"),
        ("other", "its kid is 'b', the token's 'a'"),
    ]


def test_a_key_of_another_kind_is_told_where_the_row_allows_the_algorithm() -> None:
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=public_pem(), alg="RS256,ES256")

    look, _ = the_look(service, a_token(key=a_private_key("p256"), alg="ES256"))

    assert look.passed_over == "its key cannot verify ES256"


def test_of_several_secrets_the_one_that_verified_is_told() -> None:
    service = a_service_with_a_user()
    service.has_secret("0", secret=OTHER_KEY)
    service.has_secret("2")

    told = of(service, a_token(jti=JTI))

    assert [(look.record.id, look.passed_over, look.signed) for look in told.secrets] == [
        ("0", None, False),
        ("1", None, True),
        ("2", "'1' verified it already", True),
    ]
    assert step(told, "signature").text == "by the secret '1'"


@pytest.mark.parametrize(
    ("tag", "other"), [("T1", "t1"), ("t1 ", "t1"), (" t1", "t1"), ("ab", "AB"), ("ab", "Ab"), ("t1", "t1 ")]
)
def test_a_tag_of_another_case_or_with_blanks_is_pointed_out(tag: str, other: str) -> None:
    """MySQL folded both; here tags are compared exactly."""
    service = a_service()
    service.has(tag=other)
    service.has_secret(tag=other)

    told = of(service, a_token(tag=tag))

    assert told.reason is Reason.UNKNOWN_TAG
    assert f"there is {other!r}: tags are compared exactly" in step(told, "rows").text


def test_another_tag_is_pointed_out_for_one_that_lacks_its_profile_or_its_secrets() -> None:
    without_secrets, without_profile, whole = (a_service_with_a_user() for _ in range(3))
    for service in (without_secrets, whole):
        service.has(tag="T1")
    for service in (without_profile, whole):
        service.has_secret(tag="T1")

    texts = [
        step(of(service, a_token(tag="T1", jti=JTI)), "rows").text
        for service in (without_secrets, without_profile, whole)
    ]

    meant = "there is 't1': tags are compared exactly"
    assert texts == [f"0 secrets and a profile; {meant}", f"1 secret and no profile; {meant}", "1 secret and a profile"]


def test_a_tag_of_blanks_is_compared_with_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row has an empty tag, and DynamoDB refuses to look for it."""
    service = a_service()
    asked: list[str] = []
    monkeypatch.setattr(service.tables, "profile", lambda tag, **_: asked.append(tag))

    of(service, a_token(tag=" "))

    assert "" not in asked
    assert asked


def test_rows_that_are_missing_are_told_and_no_other_tag_where_there_is_none() -> None:
    without_profile, without_secret = a_service(), a_service()
    without_profile.has_secret()
    without_secret.has()

    assert step(of(without_profile, a_token(jti=JTI)), "rows").text == "1 secret and no profile"
    assert step(of(without_secret, a_token(jti=JTI)), "rows").text == "0 secrets and a profile"


# -- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "claims", "name", "said", "reason"),
    [
        ({}, {"exp": NOW}, "exp", "2027-01-15 08:00:00Z (now); the clock is at 2027-01-15 08:00:00Z", "token_expired"),
        ({"leeway_seconds": 5}, {"exp": NOW - 5}, "exp", "LEEWAY_SECONDS 5", "token_expired"),
        ({}, {"nbf": NOW + 60}, "nbf", "(in 1 minute)", "token_not_yet_valid"),
        ({}, {"iat": NOW + 60}, "iat", "(in 1 minute)", "token_not_yet_valid"),
        ({}, {"iat": "now", "exp": 1}, "iat", "of the wrong type; not a number", "malformed_claim"),
        ({"required_claims": ("sub", "x")}, {"sub": 1}, "x", "missing; present, as REQUIRED", "missing_claim"),
        ({"max_token_age_seconds": 60}, {}, "age", "missing; since its iat", "missing_claim"),
        ({"max_token_age_seconds": 60}, {"iat": NOW - 61}, "age", "allows 1 minute", "token_too_old"),
        ({"issuers": ("a", "b")}, {"iss": "c"}, "iss", "ISSUER wants a or b", "wrong_issuer"),
        ({"audiences": ("a",)}, {"aud": ["c"]}, "aud", "AUDIENCE wants a", "wrong_audience"),
        ({"audiences": ("a",)}, {"aud": 1}, "aud", "of the wrong type; AUDIENCE", "malformed_claim"),
    ],
)
def test_the_claim_that_refuses_is_told_with_the_rule(
    rules: dict[str, Any], claims: dict[str, Any], name: str, said: str, reason: str
) -> None:
    told = of(a_service_with_a_user(**rules), a_token(jti=JTI, **claims))

    assert (refusing(told).name, refusing(told).reason) == (name, reason)
    assert said in refusing(told).text
    assert_it_is_consistent(told)


def test_no_leeway_is_told_where_there_is_none() -> None:
    told = of(a_service_with_a_user(), a_token(jti=JTI, exp=NOW + 60))

    assert step(told, "exp").text.endswith("; the clock is at 2027-01-15 08:00:00Z")


def test_a_rule_is_told_in_the_same_words_whether_it_refuses_or_not() -> None:
    service = a_service_with_a_user(max_token_age_seconds=60)

    kept, broken = (step(of(service, a_token(jti=JTI, iat=NOW - age)), "age") for age in (60, 61))

    assert (kept.outcome, broken.outcome) == (StepOutcome.PASSED, StepOutcome.REFUSED)
    assert kept.text == broken.text


def test_each_rule_is_judged_alone() -> None:
    """A token that has expired breaks no other rule by that."""
    rules = {"required_claims": ("sub",), "max_token_age_seconds": 60, "issuers": ("us",), "audiences": ("sip",)}
    token = a_token(jti=JTI, exp=NOW, iat=NOW, sub="alice", iss="us", aud="sip")

    told = of(a_service_with_a_user(**rules), token)

    assert [step.name for step in told.steps if step.outcome is StepOutcome.REFUSED] == ["exp"]
    assert {"sub", "age", "iss", "aud"} <= {step.name for step in told.steps}


@pytest.mark.parametrize(("iat", "reason"), [(NOW - 65, None), (NOW - 66, Reason.TOKEN_TOO_OLD)])
def test_the_leeway_counts_for_the_age_too(iat: int, reason: Reason | None) -> None:
    service = a_service_with_a_user(max_token_age_seconds=60, leeway_seconds=5)

    told = of(service, a_token(jti=JTI, iat=iat))

    assert told.reason is reason
    assert_it_is_consistent(told)


def test_time_claims_that_do_not_count_are_told_to_be_left_out() -> None:
    told = of(a_service_with_a_user(enforce_time_claims=False), a_token(jti=JTI, exp=1))

    assert "ENFORCE_TIME_CLAIMS is false" in step(told, "times").text
    assert_it_is_consistent(told)


def test_what_stands_behind_the_refusal_is_judged_too() -> None:
    """There may be more to mend than one thing."""
    service = a_service()
    service.has(disabled=True)
    service.has_secret(secret=OTHER_KEY)

    told = of(service, a_token(exp=1, jti=JTI), from_user="bob")

    refusals = [step.name for step in told.steps if step.outcome is StepOutcome.REFUSED]
    assert refusals == ["signature", "exp", "profile", "from_user"]
    assert told.reason is Reason.BAD_SIGNATURE


# -- profile, revocation, request -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "name", "said", "reason"),
    [
        (
            lambda service: service.tables.rows.pop(Key(Table.PROFILES, TAG)),
            "profile",
            "no profile 't1'",
            "unknown_profile",
        ),
        (lambda service: service.has(sip_username=""), "profile", "no SIP username", "incomplete_profile"),
        (lambda service: service.has(disabled=True), "profile", "it is disabled", "disabled_profile"),
        (
            lambda service: service.has(tokens_valid_after=NOW),
            "issued",
            "does not say when it was issued",
            "revoked_token",
        ),
        (lambda service: service.has(tokens_valid_after="x"), "issued", "is not a number", "revoked_token"),
        (
            lambda service: service.tables.write_row(Key(Table.REVOCATIONS, TAG, JTI), {}),
            *("revocation", "REVOCATIONS_TABLE lists this token", "revoked_token"),
        ),
    ],
)
def test_what_the_tables_say_against_a_token_is_told(
    prepare: Callable[[Service], object], name: str, said: str, reason: str
) -> None:
    service = a_service_with_a_user()
    prepare(service)

    told = of(service, a_token(jti=JTI))

    assert (refusing(told).name, refusing(told).reason) == (name, reason)
    assert said in refusing(told).text
    assert_it_is_consistent(told)


def test_a_token_that_says_when_it_was_issued_is_not_told_to_lack_that() -> None:
    service = a_service_with_a_user()
    service.has(tokens_valid_after=NOW)

    assert step(of(service, a_token(jti=JTI, iat=NOW - 1)), "issued").text == (
        "tokens issued before 2027-01-15 08:00:00Z (now) are revoked"
    )


def test_a_token_without_jti_is_refused_where_tokens_can_be_revoked() -> None:
    told = of(a_service_with_a_user(), a_token())

    assert (refusing(told).name, refusing(told).reason) == ("jti", Reason.MISSING_CLAIM)
    assert of(a_service_without_revocations(), a_token()).reason is None


def a_service_without_revocations() -> Service:
    service = a_service(revocations=False)
    service.has()
    service.has_secret()
    return service


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"from_user": "alice"}, None),
        ({"from_user": "Alice"}, Reason.USERNAME_MISMATCH),
        ({"from_domain": "EXAMPLE.com"}, None),
        ({"from_domain": "example.org"}, Reason.DOMAIN_MISMATCH),
    ],
)
def test_the_request_is_judged_when_it_is_given(request_: Mapping[str, str], reason: Reason | None) -> None:
    service = a_service_with_a_user()
    service.has(sip_domain="example.com")

    told = of(service, a_token(jti=JTI), **request_)

    assert told.reason is reason
    assert told.steps[-1].name == next(iter(request_))
    assert_it_is_consistent(told)


def test_a_request_for_a_tag_without_profile_acts_as_somebody_else() -> None:
    service = a_service()
    service.has_secret()

    told = of(service, a_token(jti=JTI), from_user="alice", from_domain="example.com")

    refusals = [step.name for step in told.steps if step.outcome is StepOutcome.REFUSED]
    assert refusals == ["profile", "from_user", "from_domain"]


def test_another_time_gives_another_verdict() -> None:
    service = a_service_with_a_user()
    token = a_token(jti=JTI, exp=NOW + 60)

    assert of(service, token).reason is None
    assert of(service, token, now=NOW + 60).reason is Reason.TOKEN_EXPIRED


def test_no_step_shows_the_token_or_a_secret() -> None:
    service = a_service_with_a_user(header=HeaderRules(), issuers=("us",))
    secret_claim = "a claim that nobody else is to see"
    token = a_token(jti=JTI, iss=secret_claim, header={"kid": "k"})

    told = of(service, token)

    text = f"{told!r}"
    assert "wrong_issuer" in text
    for hidden in (*token.split("."), HMAC_KEY, secret_claim, JTI):
        assert hidden not in text


def test_a_policy_without_types_is_explained() -> None:
    """`types=None` accepts any."""
    service = a_service_without_revocations()
    policy = Policy(header=HeaderRules(types=None))
    token = a_token(header={"typ": "anything"})

    told = explain_token(token, store=service.tables, columns=service.tables.columns, policy=policy, now=NOW)

    assert told.reason is None


# -- what to do -------------------------------------------------------------------------------------------------------


def test_an_accepted_token_needs_nothing() -> None:
    assert of(a_service_with_a_user(), a_token(jti=JTI)).remedy is None


def test_a_denied_token_ends_with_what_to_do_and_the_command_names_the_tag() -> None:
    service = a_service()
    service.has(disabled=True)
    service.has_secret()

    assert of(service, a_token(jti=JTI)).remedy == (
        f"nothing if you disabled it; otherwise `auth-jwt profile enable {TAG}`"
    )


def test_the_closed_secret_that_signed_a_token_is_named() -> None:
    service = a_service()
    service.has()
    service.has_secret(end_ts=NOW - 60)

    told = of(service, a_token(jti=JTI))

    assert str(told.remedy).startswith("have the issuer sign with an open secret")
    assert f"`auth-jwt secret show {TAG} 1`" in str(told.remedy)


def test_the_secret_that_signed_is_named_as_a_shell_takes_it() -> None:
    """The tag is whatever the token says, and the id whatever somebody wrote."""
    tag, secret_id = "x;touch /tmp/pwned", "a TAG `b`"
    service = a_service()
    service.has(tag=tag)
    service.has_secret(secret_id, tag=tag, end_ts=NOW - 60)

    told = of(service, a_token(tag=tag, jti=JTI))

    assert "`auth-jwt secret show 'x;touch /tmp/pwned' 'a TAG `b`'` why" in str(told.remedy)


def test_the_revocation_that_refuses_is_lifted_by_the_command_for_it() -> None:
    listed, earlier, both = (a_service_with_a_user() for _ in range(3))
    for service in (listed, both):
        service.tables.write_row(Key(Table.REVOCATIONS, TAG, JTI), {})
    for service in (earlier, both):
        service.has(tokens_valid_after=NOW)

    remedies = [str(of(service, a_token(jti=JTI)).remedy) for service in (listed, earlier, both)]

    one, all_ = f"`auth-jwt revoke {TAG} --jti {shlex.quote(JTI)} --lift`", f"`auth-jwt revoke {TAG} --all --lift`"
    assert remedies == [
        f"nothing if you revoked it; otherwise lift it by {one}",
        f"nothing if you revoked it; otherwise lift it by {all_}, or have the issuer add `iat`",
        f"nothing if you revoked it; otherwise lift it by {all_} and {one}, or have the issuer add `iat`",
    ]


def test_a_revocation_that_is_lifted_meanwhile_leaves_the_advice_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service_with_a_user()
    answers: list[Row | None] = [{}, None]
    monkeypatch.setattr(service.tables, "revocation", lambda *_: answers.pop(0))

    told = of(service, a_token(jti=JTI))

    assert told.reason is Reason.REVOKED_TOKEN
    assert str(told.remedy).startswith("nothing if you revoked it; otherwise lift it: one token by ")


@pytest.mark.parametrize(("unit", "size"), [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)])
def test_a_time_in_another_unit_than_seconds_is_recognized(unit: str, size: int) -> None:
    told = of(a_service_with_a_user(), a_token(jti=JTI, iat=(NOW - 5) * size, exp=(NOW + 60) * size))

    assert told.reason is Reason.TOKEN_NOT_YET_VALID
    assert (
        f"{(NOW - 5) * size}, which seems to be in {unit} (2027-01-15 07:59:55Z (5 seconds ago)), not in seconds"
        in (step(told, "iat").text)
    )
    assert f"seems to be in {unit}" in step(told, "exp").text
    assert told.remedy == f"have the issuer write `exp`, `iat` in seconds, not in {unit}"


@pytest.mark.parametrize("moment", [10**12, 10**13 - 1])
def test_milliseconds_are_recognized_from_2001_to_2286(moment: int) -> None:
    told = of(a_service_with_a_user(), a_token(jti=JTI, exp=moment))

    assert "seems to be in milliseconds" in step(told, "exp").text


@pytest.mark.parametrize("seconds", [NOW, 0, -1, 10**10 - 1, 10**9, 9.9e9, 10**12 - 1, 10**13])
def test_a_time_in_seconds_is_taken_for_nothing_else(seconds: float) -> None:
    assert "seems" not in step(of(a_service_with_a_user(), a_token(jti=JTI, exp=seconds)), "exp").text


def test_a_window_in_milliseconds_is_recognized() -> None:
    service = a_service()
    service.has()
    service.has_secret(start_ts=(NOW - 60) * 1000, end_ts=(NOW + 60) * 1000)

    (look,) = of(service, a_token(jti=JTI)).secrets

    assert str(look.passed_over).endswith("(its start seems to be in milliseconds)")


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        pytest.param(private_pem(), "find the token, and keep the key to yourself", id="private"),
        pytest.param(public_pem(), "give the token, not the key", id="public"),
    ],
)
def test_a_key_in_place_of_a_token_is_not_shown(token: str, remedy: str) -> None:
    told = of(a_service_with_a_user(), token)

    assert not any(line in repr(told) for line in token.splitlines()[1:-1])
    assert told.remedy == remedy


@pytest.mark.parametrize(
    "text", ["", "a secret of somebody", pytest.param("a" * 16384, id="as long as a token may be")]
)
def test_what_has_not_the_dots_of_a_token_is_not_too_long(text: str) -> None:
    service = a_service_with_a_user()

    assert str(of(service, text).remedy).startswith("give the token as the client sends it: three parts")
    assert "MAX_TOKEN_BYTES" in str(of(service, "a" * 20_000).remedy)

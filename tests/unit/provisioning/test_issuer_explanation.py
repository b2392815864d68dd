"""Explanations of issuers' tokens: the verdict is the authorizer's, and the first step that refuses has its reason."""

from typing import Any

import pytest

from auth_jwt.errors import Reason, Unreachable
from auth_jwt.issuers.models import IssuerPatterns, KeySet
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.explanation import Explanation, StepOutcome
from auth_jwt.provisioning.issuer_explanation import explain
from auth_jwt.refreshing.store import IssuerTables
from tests.factories import HMAC_KEY, JTI, NOW, TAG, a_jwk, a_jwks, a_token
from tests.issuers import GONE, ISSUER, KEYS_URL, KID, SUBJECT, a_login_token
from tests.service import Service, a_service

USER = f"{ISSUER}#{SUBJECT}"
BY_CLAIM: dict[str, Any] = {"mapping": "claim", "username_claim": "sip_user", "sip_domain": "example.com"}


def a_service_with_an_issuer(*, revocations: bool = False, leeway: int = 0, **members: Any) -> Service:
    service = a_service(revocations=revocations, leeway_seconds=leeway)
    service.provisioning.issuers.add(ISSUER, {"keys_url": KEYS_URL, "audiences": ["sip"], **members})
    store = IssuerTables(service.tables, service.tables.columns)
    before = store.read(ISSUER).status
    assert before is not None
    status = FetchStatus(version=NOW, fetched_at=NOW, next_fetch_at=NOW + 60)
    keys = KeySet(a_jwks(a_jwk(kid=KID), a_jwk("p256", kid="other")), KEYS_URL)
    assert store.write_keys(ISSUER, keys, status, before=before)
    service.has(tag=USER, sip_domain="example.com")
    return service


def of(service: Service, token: str, **request: Any) -> Explanation:
    registry = service.provisioning.registry
    told = explain(
        token,
        patterns=IssuerPatterns(frozenset({ISSUER})),
        keys_lifetime=93600,
        store=service.tables,
        columns=registry.columns,
        policy=registry.policy,
        **{"now": NOW, **request},
    )
    refusals = [step.reason for step in told.steps if step.outcome is StepOutcome.REFUSED]
    assert told.reason == (refusals[0] if refusals and told.fault is None and told.retry_after is None else None)
    return told


def text_of(told: Explanation, name: str) -> str:
    return next(step.text for step in told.steps if step.name == name)


def test_an_accepted_token_passes_every_step() -> None:
    told = of(a_service_with_an_issuer(), a_login_token(), from_user="alice", from_domain="Example.com")

    assert told.answer is not None
    assert (told.answer.sip_username, told.issuer, told.tag) == ("alice", ISSUER, USER)
    assert told.header is not None
    assert told.claims is not None
    assert (told.header["kid"], told.claims["sub"]) == (KID, SUBJECT)
    assert [step.name for step in told.steps] == [
        *("gate", "header", "payload", "issuer", "algorithm", "signature", "exp", "iat", "lifetime", "audience"),
        *("kind", "jti", "sub", "profile", "from_user", "from_domain"),
    ]
    assert {step.outcome for step in told.steps} == {StepOutcome.PASSED}
    assert [(look.key.kid, look.named, look.signed) for look in told.keys] == [
        (KID, True, True),
        ("other", False, False),
    ]


@pytest.mark.parametrize(
    ("claims", "reason", "step", "said"),
    [
        ({"alg": "PS256"}, Reason.UNSUPPORTED_ALGORITHM, "algorithm", "PS256; the issuer's are ES256, RS256"),
        ({"key": "rsa_2048_other"}, Reason.BAD_SIGNATURE, "signature", "none of the keys that are tried made it"),
        ({"header": {"kid": "gone"}, "iat": NOW - 100}, Reason.UNKNOWN_KEY, "signature", "no key has its kid; it was "),
        ({"exp": GONE}, Reason.MISSING_CLAIM, "exp", "missing"),
        ({"sub": GONE}, Reason.MISSING_CLAIM, "sub", "missing"),
        ({"exp": "soon"}, Reason.MALFORMED_CLAIM, "exp", "not a number"),
        ({"exp": NOW, "iat": "once"}, Reason.MALFORMED_CLAIM, "iat", "not a number"),
        ({"exp": NOW}, Reason.TOKEN_EXPIRED, "exp", "now"),
        ({"nbf": NOW + 9}, Reason.TOKEN_NOT_YET_VALID, "nbf", "in 9 seconds"),
        ({"iat": NOW - 2 * 86400}, Reason.TOKEN_TOO_OLD, "lifetime", "at most 1 day is allowed"),
        ({"aud": "other"}, Reason.WRONG_AUDIENCE, "audience", "`aud` is one of sip"),
        ({"aud": GONE}, Reason.MISSING_CLAIM, "audience", "`aud` is one of sip"),
        ({"header": {"typ": "JWT"}}, Reason.WRONG_TOKEN_KIND, "kind", "the issuer wants an access token"),
        ({"jti": GONE}, Reason.MISSING_CLAIM, "jti", "need a `jti`"),
        ({"sub": "s" * 256}, Reason.MALFORMED_CLAIM, "sub", "sss"),
        ({"sub": "nobody"}, Reason.UNKNOWN_PROFILE, "profile", "no profile of this user"),
    ],
)
def test_a_denied_token_says_at_which_rule(claims: dict[str, Any], reason: Reason, step: str, said: str) -> None:
    told = of(a_service_with_an_issuer(), a_login_token(**claims))

    assert told.reason is reason
    assert said in text_of(told, step)


@pytest.mark.parametrize(
    ("members", "step", "said"),
    [
        ({}, "audience", "the issuer wants that `aud` is one of sip"),
        (
            {"client_claim": "azp", "client_ids": ["a", "b"]},
            *("audience", "the issuer wants that `aud` is one of sip and 'azp' is one of a, b"),
        ),
        ({"token_kind": "id"}, "kind", "the issuer wants an ID token"),
        (
            {"token_kind": "id", "required_claims": {"a": "1", "b": "2"}},
            "kind",
            "the issuer wants an ID token, with a=1, b=2",
        ),
        ({}, "profile", "it speaks for 'alice', by its profile"),
    ],
)
def test_what_the_issuer_wants_is_told(members: dict[str, Any], step: str, said: str) -> None:
    told = of(a_service_with_an_issuer(**members), a_login_token())

    assert text_of(told, step) == said


@pytest.mark.parametrize(("leeway", "said"), [(5, ", LEEWAY_SECONDS 5"), (0, "")])
def test_the_leeway_is_told_where_there_is_one(leeway: int, said: str) -> None:
    told = of(a_service_with_an_issuer(leeway=leeway), a_login_token(exp=NOW + 60))

    assert text_of(told, "exp").endswith(f"; the clock is at 2027-01-15 08:00:00Z{said}")


def test_a_token_without_kid_may_be_of_any_key() -> None:
    service = a_service_with_an_issuer()
    token = a_login_token(header={"kid": GONE})

    assert [(look.named, look.signed) for look in of(service, token).keys] == [(True, True), (True, False)]
    service.provisioning.issuers.block_key(ISSUER, KID)
    blocked = text_of(of(service, token), "signature")
    assert blocked.startswith("the token names no kid, and not exactly one key fits; it was made by the key ")
    assert blocked.endswith(", which is blocked")


def test_a_key_that_verifies_nothing_is_shown_among_the_others() -> None:
    service = a_service_with_an_issuer()
    keys = a_jwks({"kty": "EC", "crv": "P-1", "kid": "x"}, a_jwk(kid=KID))
    service.tables.rows[Key(Table.SECRETS, ISSUER, "issuer-keys")]["issuer_keys"] = keys

    told = of(service, a_login_token())

    assert told.answer is not None
    assert [(look.key.kid, look.key.kind, look.signed) for look in told.keys] == [
        ("x", "unusable", False),
        (KID, "RSA 2048", True),
    ]


def test_a_key_that_signed_under_another_kid_is_told_by_its_thumbprint() -> None:
    service = a_service_with_an_issuer()

    told = of(service, a_login_token(header={"kid": "gone"}, iat=NOW - 100))

    thumbprint = service.provisioning.issuers.show(ISSUER).keys[0].thumbprint
    assert text_of(told, "signature") == f"no key has its kid; it was made by the key {thumbprint}"


def test_both_rules_that_need_an_id_are_told() -> None:
    told = of(a_service_with_an_issuer(revocations=True), a_login_token(jti=GONE))

    texts = [step.text for step in told.steps if step.name == "jti"]
    assert [text.partition(",")[0] for text in texts] == [
        "the issuer's tokens need a `jti`: text of at most 1024 bytes",
        "REVOCATIONS_TABLE is set",
    ]


def test_a_token_need_not_have_an_id_where_the_issuer_asks_for_none() -> None:
    service = a_service_with_an_issuer(revocations=True, requires_jti=False)

    without_id, with_id = (of(service, a_login_token(jti=jti)) for jti in (GONE, "1"))

    assert without_id.answer is not None
    assert not {"jti", "revocation"} & {step.name for step in without_id.steps}
    assert text_of(with_id, "revocation") == "REVOCATIONS_TABLE does not list this token"


def test_no_table_of_revoked_tokens_is_asked_where_there_is_none() -> None:
    assert not {"revocation"} & {step.name for step in of(a_service_with_an_issuer(), a_login_token()).steps}


def test_a_profile_that_cannot_be_read_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    service = a_service_with_an_issuer()
    read = service.tables.profile

    def profile(tag: str, **how: Any) -> Any:
        if tag == USER:
            raise Unreachable("gone")
        return read(tag, **how)

    monkeypatch.setattr(service.tables, "profile", profile)

    told = of(service, a_login_token())

    assert (told.reason, str(told.fault)) == (None, "gone")
    assert (told.steps[-1].name, told.steps[-1].outcome) == ("profile", StepOutcome.UNKNOWN)


def test_who_revoked_it_is_told_with_the_command_that_lifts_it() -> None:
    by_profile, by_issuer = a_service_with_an_issuer(), a_service_with_an_issuer()
    by_profile.provisioning.revocations.revoke_all(USER)
    by_issuer.provisioning.revocations.revoke_all(ISSUER)

    for service, whose, tag in ((by_profile, "the profile", f"'{USER}'"), (by_issuer, "the issuer", ISSUER)):
        told = of(service, a_login_token())
        assert text_of(told, "issued").startswith(f"{whose} revokes tokens issued before 2027-01-15 08:00:")
        assert f"`auth-jwt revoke {tag} --all --lift`" in str(told.remedy)


def test_what_stands_behind_the_refusal_is_judged_too() -> None:
    told = of(a_service_with_an_issuer(), a_login_token(aud="other", exp=NOW - 1), from_user="bob")

    refused = [step.name for step in told.steps if step.outcome is StepOutcome.REFUSED]
    assert refused == ["exp", "audience", "from_user"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"disabled": True}, Reason.DISABLED_PROFILE),
        ({"sip_username": ""}, Reason.INCOMPLETE_PROFILE),
        ({"tokens_valid_after": NOW}, Reason.REVOKED_TOKEN),
    ],
)
def test_the_profile_of_the_user_is_judged(columns: dict[str, object], reason: Reason) -> None:
    service = a_service_with_an_issuer()
    service.has(tag=USER, **columns)

    assert of(service, a_login_token()).reason is reason


def test_an_issuer_that_is_disabled_or_revokes_says_so() -> None:
    service = a_service_with_an_issuer()
    service.provisioning.revocations.revoke_all(ISSUER)

    assert "the issuer revokes tokens issued before" in text_of(of(service, a_login_token()), "issued")
    service.provisioning.issuers.disable(ISSUER)
    assert "is disabled" in text_of(of(service, a_login_token()), "issuer")


def test_an_issuer_that_is_not_there_ends_the_walk() -> None:
    told = of(a_service(revocations=False), a_login_token())

    assert told.reason is Reason.UNKNOWN_ISSUER
    assert [step.name for step in told.steps][-1] == "issuer"


def test_a_revoked_token_is_found_by_its_issuer() -> None:
    service = a_service_with_an_issuer(revocations=True)
    service.provisioning.revocations.revoke(ISSUER, "1")

    assert of(service, a_login_token()).reason is Reason.REVOKED_TOKEN


def test_a_key_that_is_blocked_says_so() -> None:
    service = a_service_with_an_issuer()
    service.provisioning.issuers.block_key(ISSUER, KID)

    told = of(service, a_login_token())

    assert told.reason is Reason.UNKNOWN_KEY
    assert text_of(told, "signature").startswith("every key of its kid is blocked, or can verify nothing; it was made")
    assert text_of(told, "signature").endswith("which is blocked")


def test_a_key_that_is_not_fetched_yet_is_neither_accepted_nor_denied() -> None:
    told = of(a_service_with_an_issuer(), a_login_token(header={"kid": "new"}))

    assert (told.reason, told.answer, told.fault, told.retry_after) == (None, None, None, 62)
    assert "ask again in 1 minute 2 seconds" in text_of(told, "signature")


def test_stale_keys_are_a_fault() -> None:
    now = NOW + 10 * 86400
    told = of(a_service_with_an_issuer(), a_login_token(now=now), now=now)

    assert "last fetched 240 hours ago" in str(told.fault)
    assert text_of(told, "signature") == str(told.fault)


def test_keys_of_another_address_and_none_at_all_are_none() -> None:
    moved, new = a_service_with_an_issuer(), a_service(revocations=False)
    moved.provisioning.issuers.change(ISSUER, {"keys_url": "https://keys.example.com/"})
    new.provisioning.issuers.add(ISSUER, {"keys_url": KEYS_URL, "audiences": ["sip"]})

    for service in (moved, new):
        told = of(service, a_login_token())
        assert (told.answer, told.keys) == (None, ())
        assert text_of(told, "kind")  # what follows is judged all the same


def test_a_configuration_that_cannot_be_used_is_a_fault() -> None:
    service = a_service_with_an_issuer()
    service.tables.rows[Key(Table.PROFILES, ISSUER)]["issuer_config"] = "{"

    told = of(service, a_login_token())

    assert "cannot be used" in str(told.fault)
    assert text_of(told, "issuer") == str(told.fault)


def test_tables_that_do_not_answer_are_no_verdict() -> None:
    service = a_service_with_an_issuer()
    service.tables.failure = Unreachable("gone")

    told = of(service, a_login_token())

    assert (told.answer, told.reason, str(told.fault)) == (None, None, "gone")
    assert (told.steps[-1].name, told.steps[-1].outcome) == ("issuer", StepOutcome.UNKNOWN)


@pytest.mark.parametrize(
    ("claims", "request_", "reason"),
    [
        ({"sip_user": "alice"}, {"from_domain": "EXAMPLE.com"}, None),
        ({"sip_user": "alice"}, {}, Reason.DOMAIN_MISMATCH),
        ({"sip_user": "alice"}, {"from_domain": "example.org"}, Reason.DOMAIN_MISMATCH),
        ({"sip_user": "alice"}, {"from_domain": "example.com", "from_user": "bob"}, Reason.USERNAME_MISMATCH),
        ({"sip_user": "a/b"}, {"from_domain": "example.com"}, Reason.USERNAME_REFUSED),
        ({}, {"from_domain": "example.com"}, Reason.MISSING_CLAIM),
    ],
)
def test_users_that_a_claim_names(claims: dict[str, Any], request_: dict[str, str], reason: Reason | None) -> None:
    assert of(a_service_with_an_issuer(**BY_CLAIM), a_login_token(**claims), **request_).reason is reason


@pytest.mark.parametrize(
    ("request_", "refused", "said"),
    [
        ({"from_user": "alice", "from_domain": "example.com"}, [], "the request acts in 'example.com', the user's"),
        ({"from_user": "alice"}, ["from_domain"], "the request names no domain, the user's domain is 'example.com'"),
        ({"from_user": "bob", "from_domain": "example.com"}, ["from_user"], "the request acts in 'example.com', the"),
        ({"from_user": "bob", "from_domain": "x"}, ["from_user", "from_domain"], "the request acts in 'x', the user's"),
    ],
)
def test_user_and_domain_of_a_request_are_judged_each_for_itself(
    request_: dict[str, str], refused: list[str], said: str
) -> None:
    told = of(a_service_with_an_issuer(**BY_CLAIM), a_login_token(sip_user="alice"), **request_)

    assert [step.name for step in told.steps if step.outcome is StepOutcome.REFUSED] == refused
    assert text_of(told, "from_domain").startswith(said)
    assert text_of(told, "profile") == "it speaks for 'alice', by the claim 'sip_user'"


def test_every_other_token_is_explained_as_ever() -> None:
    service = a_service_with_an_issuer()
    service.has(tag=TAG)
    service.has_secret()

    told = of(service, a_token(key=HMAC_KEY, jti=JTI))

    assert (told.issuer, told.tag, told.reason) == (None, TAG, None)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"from_user": "bob"}, Reason.USERNAME_MISMATCH),
        ({"from_domain": "example.com"}, Reason.DOMAIN_MISMATCH),
    ],
)
def test_every_other_token_is_judged_by_the_request_too(request_: dict[str, str], reason: Reason) -> None:
    service = a_service_with_an_issuer()
    service.has(tag=TAG)
    service.has_secret()

    assert of(service, a_token(key=HMAC_KEY, jti=JTI), **request_).reason is reason


def test_no_step_shows_the_token_or_a_key() -> None:
    token = a_login_token()
    told = of(a_service_with_an_issuer(), token)

    shown = repr(told)
    assert token.rpartition(".")[2] not in shown
    assert a_jwk()["n"] not in shown

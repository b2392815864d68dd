"""Signature, then claims: which secret may verify what, and every rule about claims at its boundary."""

import inspect
import json
from typing import Any

import pytest

import auth_jwt
from auth_jwt.errors import Reason
from auth_jwt.jose.keys import verification_keys
from auth_jwt.jose.signatures import is_signed_by, verify_jws
from auth_jwt.jose.tokens import unverified_jws
from auth_jwt.models import Columns, Policy, Report, Secret
from auth_jwt.rules import check_claims, is_number, signing_secret
from tests.factories import (
    HMAC_KEY,
    NOW,
    a_jwk,
    a_jwks,
    a_private_key,
    a_secret,
    a_token,
    an_oct_jwk,
    private_pem,
    public_pem,
    refusal,
    verdict,
)

OTHER_KEY = HMAC_KEY.upper()

SIGNERS = {
    **{f"{family}{size}": "rsa_2048" for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": "p256",
    "ES384": "p384",
    "ES512": "p521",
    "EdDSA": "ed25519",
}


def signer_of(
    token: str, *rows: dict[str, object], min_hmac_key_bytes: int | None = None, report: Report | None = None
) -> str:
    """The id of the row that verified *token*."""
    secrets = [Secret.from_row(row, Columns()) for row in rows]
    return signing_secret(unverified_jws(token), secrets, min_hmac_key_bytes, report or Report()).id


# -- which secret -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_an_hmac_text_verifies_all_three_sizes(alg: str) -> None:
    assert signer_of(a_token(alg=alg), a_secret()) == "1"


@pytest.mark.parametrize("alg", SIGNERS)
def test_a_public_key_verifies_its_algorithms(alg: str) -> None:
    token = a_token(key=a_private_key(SIGNERS[alg]), alg=alg)

    assert signer_of(token, a_secret(public_pem(SIGNERS[alg]))) == "1"
    assert signer_of(token, a_secret(json.dumps(a_jwk(SIGNERS[alg])))) == "1"


def test_ed448_verifies_eddsa_too() -> None:
    assert signer_of(a_token(key=a_private_key("ed448"), alg="EdDSA"), a_secret(public_pem("ed448"))) == "1"


@pytest.mark.parametrize("alg", [*SIGNERS, "HS256", "HS384", "HS512"])
def test_a_changed_payload_is_not_signed_by_anyone(alg: str) -> None:
    key = a_private_key(SIGNERS[alg]) if alg in SIGNERS else HMAC_KEY
    header, _, signature = a_token(key=key, alg=alg).split(".")
    payload = a_token(admin=True).split(".")[1]
    row = a_secret(public_pem(SIGNERS[alg]) if alg in SIGNERS else HMAC_KEY)

    assert refusal(lambda: signer_of(f"{header}.{payload}.{signature}", row)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("said", "signed_as"),
    [("HS256", "HS512"), ("HS512", "HS256"), ("HS384", "HS256")],
)
def test_the_hash_is_the_one_the_header_names(said: str, signed_as: str) -> None:
    token = a_token(alg=signed_as, header={"alg": said})

    assert refusal(lambda: signer_of(token, a_secret())) is Reason.BAD_SIGNATURE


def test_any_of_several_secrets_is_enough_and_the_first_that_verifies_is_named() -> None:
    rows = [a_secret(OTHER_KEY, id="old"), a_secret(id="new"), a_secret(id="newer")]

    assert signer_of(a_token(), *rows) == "new"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_none_of_the_secrets_is_a_bad_signature(count: int) -> None:
    assert refusal(lambda: signer_of(a_token(), *[a_secret(OTHER_KEY)] * count)) is Reason.BAD_SIGNATURE


BAD_ROWS = {
    "empty": a_secret(""),
    "not text": a_secret(None),
    "a private key": a_secret(private_pem()),
    "a reference": a_secret("arn:aws:ssm:eu-central-1:123456789012:parameter/x"),
    "alg is not text": a_secret(alg=256),
    "alg is NULL": a_secret(alg=None),
    "alg is a set": a_secret(alg={"HS256"}),
    "alg names no algorithm": a_secret(alg="HS265"),
    "kid is not text": a_secret(kid=1),
    "kid is NULL": a_secret(kid=None),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_an_unusable_row_verifies_nothing_and_is_reported_by_its_id(case: str) -> None:
    report = Report()

    assert refusal(lambda: signer_of(a_token(), BAD_ROWS[case], report=report)) is Reason.BAD_SIGNATURE
    assert list(report.unusable_secrets) == ["1"]


@pytest.mark.parametrize("case", BAD_ROWS)
def test_an_unusable_row_does_not_spoil_the_next(case: str) -> None:
    assert signer_of(a_token(), {**BAD_ROWS[case], "id": "0"}, a_secret()) == "1"


@pytest.mark.parametrize("columns", [{"kid": "other"}, {"alg": "HS512"}], ids=["its kid", "its alg"])
def test_a_row_skipped_by_its_columns_does_not_hide_the_next(columns: dict[str, str]) -> None:
    assert signer_of(a_token(header={"kid": "mine"}), a_secret(id="0", **columns), a_secret()) == "1"


def test_every_unusable_row_is_reported_whichever_verified() -> None:
    report = Report()

    assert signer_of(a_token(), a_secret("", id="0"), a_secret(), a_secret(kid=1, id="2"), report=report) == "1"
    assert list(report.unusable_secrets) == ["0", "2"]


def test_what_is_told_of_an_unusable_row_names_the_column_and_no_value() -> None:
    report = Report()
    refusal(lambda: signer_of(a_token(), a_secret(kid=4711), a_secret("", id="2"), report=report))

    assert report.unusable_secrets == {"1": "malformed_kid: its 'kid' is not text", "2": "empty: empty"}


def test_a_usable_row_is_not_reported() -> None:
    report = Report()
    refusal(lambda: signer_of(a_token(), a_secret(OTHER_KEY), a_secret(public_pem(), id="2"), report=report))

    assert report.unusable_secrets == {}


# -- the kid and alg columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "columns", "verified"),
    [
        pytest.param({}, {}, True, id="neither has a kid"),
        pytest.param({"kid": "a"}, {}, True, id="only the token has one"),
        pytest.param({}, {"kid": "a"}, True, id="only the secret has one"),
        pytest.param({"kid": "a"}, {"kid": "a"}, True, id="the same"),
        pytest.param({"kid": "a"}, {"kid": "b"}, False, id="another"),
        pytest.param({"kid": "a"}, {"kid": "A"}, False, id="the same in capitals"),
        pytest.param({"kid": "a"}, {"kid": "a "}, False, id="with a blank"),
        pytest.param({"kid": ""}, {"kid": "a"}, False, id="an empty one is one"),
        pytest.param({"kid": "a"}, {"kid": ""}, False, id="an empty one in the row is one"),
        pytest.param({"kid": ""}, {"kid": ""}, True, id="both empty"),
        pytest.param({"kid": "../../etc/passwd"}, {}, True, id="it is never a path"),
    ],
)
def test_a_secret_is_skipped_when_both_have_a_kid_and_they_differ(
    header: dict[str, str], columns: dict[str, str], verified: bool
) -> None:
    reason = verdict(lambda: signer_of(a_token(header=header), a_secret(**columns)))

    assert reason is (None if verified else Reason.BAD_SIGNATURE)


@pytest.mark.parametrize(
    ("allowed", "verified"),
    [
        ("HS256", True),
        ("HS384, HS256", True),
        (" HS256 ,HS512", True),
        ("HS384", False),
        ("HS384,HS512", False),
        ("hs256", False),
        ("HS2565", False),
        ("", False),
        ("RS256", False),
    ],
)
def test_the_alg_column_lists_what_a_secret_may_verify(allowed: str, verified: bool) -> None:
    reason = verdict(lambda: signer_of(a_token(), a_secret(alg=allowed)))

    assert reason is (None if verified else Reason.BAD_SIGNATURE)


def test_the_alg_column_cannot_widen_what_fits_the_kind() -> None:
    token = a_token(key=public_pem())

    assert refusal(lambda: signer_of(token, a_secret(public_pem(), alg="HS256"))) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("header", "verified"),
    [({}, True), ({"kid": "right"}, True), ({"kid": "wrong"}, False), ({"kid": "third"}, False)],
)
def test_the_kid_selects_among_the_keys_of_a_set(header: dict[str, str], verified: bool) -> None:
    keys = a_jwks(a_jwk("rsa_2048_other", kid="wrong"), a_jwk(kid="right"), a_jwk("p256", kid="third"))
    token = a_token(key=a_private_key(), alg="RS256", header=header)

    assert verdict(lambda: signer_of(token, a_secret(keys))) is (None if verified else Reason.BAD_SIGNATURE)


def test_both_the_rows_kid_and_the_keys_must_fit() -> None:
    keys = a_jwks(an_oct_jwk(kid="a"))

    assert signer_of(a_token(header={"kid": "a"}), a_secret(keys, kid="a")) == "1"
    assert refusal(lambda: signer_of(a_token(header={"kid": "b"}), a_secret(keys, kid="b"))) is Reason.BAD_SIGNATURE
    assert refusal(lambda: signer_of(a_token(header={"kid": "a"}), a_secret(keys, kid="b"))) is Reason.BAD_SIGNATURE


# -- sizes of HMAC keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alg", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
@pytest.mark.parametrize("kind", ["text", "oct"])
def test_an_hmac_key_is_at_least_as_long_as_its_hash(kind: str, alg: str, least: int) -> None:
    def row(length: int) -> dict[str, object]:
        return a_secret("k" * length if kind == "text" else json.dumps(an_oct_jwk(b"k" * length)))

    assert signer_of(a_token(key="k" * least, alg=alg), row(least)) == "1"
    too_short = a_token(key="k" * (least - 1), alg=alg)
    assert refusal(lambda: signer_of(too_short, row(least - 1))) is Reason.BAD_SIGNATURE


def test_bytes_count_not_characters() -> None:
    """Sixteen characters of two bytes each are 32 bytes."""
    assert signer_of(a_token(key="ä" * 16), a_secret("ä" * 16)) == "1"
    assert refusal(lambda: signer_of(a_token(key="ä" * 15), a_secret("ä" * 15))) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("least", [1, 8, 100])
def test_one_number_for_all_three_takes_the_place_of_the_rfcs(alg: str, least: int) -> None:
    just_enough, too_short = "k" * least, "k" * (least - 1)

    assert signer_of(a_token(key=just_enough, alg=alg), a_secret(just_enough), min_hmac_key_bytes=least) == "1"
    token = a_token(key=too_short, alg=alg)
    assert refusal(lambda: signer_of(token, a_secret(too_short), min_hmac_key_bytes=least)) is Reason.BAD_SIGNATURE


def test_a_key_too_short_is_reported_and_does_not_spoil_the_next() -> None:
    report = Report()

    assert signer_of(a_token(), a_secret("short", id="0"), a_secret(), report=report) == "1"
    assert report.unusable_secrets == {"0": "too_short: too short for HS256"}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(a_secret("short", kid="other"), id="skipped by its kid"),
        pytest.param(a_secret("short", alg="HS512"), id="skipped by its alg"),
        pytest.param(a_secret(json.dumps(an_oct_jwk(b"short", alg="HS512"))), id="of another algorithm"),
        pytest.param(a_secret(json.dumps(an_oct_jwk(b"short", kid="other"))), id="of another kid"),
        pytest.param(a_secret(OTHER_KEY), id="long enough, and wrong"),
    ],
)
def test_a_key_that_was_never_in_question_is_not_reported(row: dict[str, object]) -> None:
    report = Report()
    token = a_token(header={"kid": "mine"})

    assert refusal(lambda: signer_of(token, row, report=report)) is Reason.BAD_SIGNATURE
    assert report.unusable_secrets == {}


def test_a_short_key_of_a_set_does_not_spoil_the_others() -> None:
    report = Report()

    assert signer_of(a_token(), a_secret(a_jwks(an_oct_jwk(b"short"), an_oct_jwk())), report=report) == "1"
    assert report.unusable_secrets == {}


# -- claims -----------------------------------------------------------------------------------------------------------


def claims_verdict(claims: dict[str, Any], now: float = NOW, **rules: Any) -> Reason | None:
    return verdict(lambda: check_claims(claims, Policy(**rules), now))


def test_no_claim_is_needed_by_default() -> None:
    assert claims_verdict({}) is None


EXPIRED, EARLY, OLD = Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_TOO_OLD
MALFORMED, MISSING = Reason.MALFORMED_CLAIM, Reason.MISSING_CLAIM


@pytest.mark.parametrize(
    ("claims", "rules", "reason"),
    [
        pytest.param({"exp": NOW + 1}, {}, None, id="exp in a second"),
        pytest.param({"exp": NOW}, {}, EXPIRED, id="exp now"),
        pytest.param({"exp": NOW - 1}, {}, EXPIRED, id="exp a second ago"),
        pytest.param({"exp": NOW + 0.001}, {}, None, id="exp in a millisecond"),
        pytest.param({"exp": NOW - 0.001}, {}, EXPIRED, id="exp a millisecond ago"),
        pytest.param({"exp": NOW - 4}, {"leeway_seconds": 5}, None, id="exp just within the leeway"),
        pytest.param({"exp": NOW - 5}, {"leeway_seconds": 5}, EXPIRED, id="exp just beyond the leeway"),
        pytest.param({"exp": 0}, {}, EXPIRED, id="exp zero"),
        pytest.param({"exp": -5}, {}, EXPIRED, id="exp negative"),
        pytest.param({"exp": 2**63 - 1}, {"leeway_seconds": 5}, None, id="exp as late as can be"),
        pytest.param({"exp": 1.7e308}, {"leeway_seconds": 5}, None, id="exp a very large real"),
        pytest.param({"nbf": NOW}, {}, None, id="nbf now"),
        pytest.param({"nbf": NOW + 1}, {}, EARLY, id="nbf in a second"),
        pytest.param({"nbf": NOW + 0.001}, {}, EARLY, id="nbf in a millisecond"),
        pytest.param({"nbf": NOW + 5}, {"leeway_seconds": 5}, None, id="nbf just within the leeway"),
        pytest.param({"nbf": NOW + 6}, {"leeway_seconds": 5}, EARLY, id="nbf just beyond the leeway"),
        pytest.param({"nbf": -1.7e308}, {"leeway_seconds": 5}, None, id="nbf a very small real"),
        pytest.param({"iat": NOW}, {}, None, id="iat now"),
        pytest.param({"iat": NOW + 1}, {}, EARLY, id="iat in a second"),
        pytest.param({"iat": NOW + 5}, {"leeway_seconds": 5}, None, id="iat just within the leeway"),
        pytest.param({"iat": NOW + 6}, {"leeway_seconds": 5}, EARLY, id="iat just beyond the leeway"),
        pytest.param({"exp": NOW + 1, "nbf": NOW, "iat": NOW}, {}, None, id="all three in order"),
    ],
)
def test_time_claims_at_their_boundaries(claims: dict[str, Any], rules: dict[str, Any], reason: Reason | None) -> None:
    assert claims_verdict(claims, **rules) is reason


def test_the_clock_may_stand_between_two_seconds() -> None:
    assert claims_verdict({"exp": NOW}, now=NOW - 0.001) is None
    assert claims_verdict({"exp": NOW}, now=NOW + 0.001) is EXPIRED
    assert claims_verdict({"nbf": NOW}, now=NOW - 0.001) is EARLY
    assert claims_verdict({"nbf": NOW}, now=NOW + 0.001) is None


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", [True, False, None, "abc", str(NOW + 9), "", [NOW + 9], [], {"a": NOW}, {}], ids=json.dumps
)
def test_a_time_claim_is_a_number(name: str, value: object) -> None:
    assert claims_verdict({name: value}) is MALFORMED


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_with_time_claims_off_they_are_not_looked_at(name: str) -> None:
    for value in (NOW - 9, NOW + 9, "abc", True, None):
        assert claims_verdict({name: value}, enforce_time_claims=False) is None


@pytest.mark.parametrize(
    ("iat", "rules", "reason"),
    [
        pytest.param(NOW - 60, {}, None, id="just as old as may be"),
        pytest.param(NOW - 61, {}, OLD, id="a second older"),
        pytest.param(NOW - 60.001, {}, OLD, id="a millisecond older"),
        pytest.param(NOW - 65, {"leeway_seconds": 5}, None, id="just within the leeway"),
        pytest.param(NOW - 66, {"leeway_seconds": 5}, OLD, id="just beyond the leeway"),
        pytest.param(-1.7e308, {}, OLD, id="before all time"),
        pytest.param(NOW - 60, {"enforce_time_claims": False}, None, id="just as old, time claims off"),
        pytest.param(NOW - 61, {"enforce_time_claims": False}, OLD, id="a second older, time claims off"),
        pytest.param(NOW + 9, {"enforce_time_claims": False}, None, id="from the future, time claims off"),
        pytest.param("abc", {"enforce_time_claims": False}, MALFORMED, id="no number, time claims off"),
        pytest.param(True, {"enforce_time_claims": False}, MALFORMED, id="a boolean, time claims off"),
        pytest.param(None, {"enforce_time_claims": False}, MALFORMED, id="null, time claims off"),
        pytest.param(None, {}, MALFORMED, id="null"),
    ],
)
def test_a_token_is_at_most_so_old(iat: object, rules: dict[str, Any], reason: Reason | None) -> None:
    assert claims_verdict({"iat": iat}, max_token_age_seconds=60, **rules) is reason


@pytest.mark.parametrize("enforced", [True, False], ids=["time claims on", "time claims off"])
def test_an_age_limit_needs_an_iat(enforced: bool) -> None:
    claims = {"exp": NOW + 9}

    assert claims_verdict(claims, max_token_age_seconds=60, enforce_time_claims=enforced) is MISSING


def test_an_age_limit_of_zero_is_one() -> None:
    assert claims_verdict({"iat": NOW}, max_token_age_seconds=0) is None
    assert claims_verdict({"iat": NOW - 1}, max_token_age_seconds=0) is OLD


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": "a", "jti": "b"}, None),
        ({"sub": None, "jti": ""}, None),
        ({"sub": "a"}, MISSING),
        ({"jti": "b"}, MISSING),
        ({"SUB": "a", "jti": "b"}, MISSING),
        ({}, MISSING),
    ],
    ids=json.dumps,
)
def test_required_claims_must_be_present_whatever_they_hold(claims: dict[str, Any], reason: Reason | None) -> None:
    assert claims_verdict(claims, required_claims=("sub", "jti")) is reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://a.example"}, None),
        ({"iss": "https://b.example"}, None),
        ({"iss": "https://a"}, Reason.WRONG_ISSUER),
        ({"iss": "https://a.example/"}, Reason.WRONG_ISSUER),
        ({"iss": "HTTPS://a.example"}, Reason.WRONG_ISSUER),
        ({"iss": ""}, Reason.WRONG_ISSUER),
        ({"iss": ["https://a.example"]}, MALFORMED),
        ({"iss": None}, MALFORMED),
        ({"iss": 1}, MALFORMED),
        ({}, MISSING),
    ],
    ids=json.dumps,
)
def test_the_issuer_is_exactly_one_of_those_accepted(claims: dict[str, Any], reason: Reason | None) -> None:
    assert claims_verdict(claims, issuers=("https://a.example", "https://b.example")) is reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "sip"}, None),
        ({"aud": ["sip"]}, None),
        ({"aud": ["web", "sips", "x"]}, None),
        ({"aud": "web"}, Reason.WRONG_AUDIENCE),
        ({"aud": "si"}, Reason.WRONG_AUDIENCE),
        ({"aud": "SIP"}, Reason.WRONG_AUDIENCE),
        ({"aud": ""}, Reason.WRONG_AUDIENCE),
        ({"aud": []}, Reason.WRONG_AUDIENCE),
        ({"aud": [""]}, Reason.WRONG_AUDIENCE),
        ({"aud": ["web", "app"]}, Reason.WRONG_AUDIENCE),
        ({"aud": ["sip", 1]}, MALFORMED),
        ({"aud": ["sip", None]}, MALFORMED),
        ({"aud": ["sip", ["sip"]]}, MALFORMED),
        ({"aud": [{}]}, MALFORMED),
        ({"aud": {"sip": 1}}, MALFORMED),
        ({"aud": None}, MALFORMED),
        ({"aud": 1}, MALFORMED),
        ({}, MISSING),
    ],
    ids=json.dumps,
)
def test_one_audience_in_common_is_enough(claims: dict[str, Any], reason: Reason | None) -> None:
    assert claims_verdict(claims, audiences=("sip", "sips")) is reason


@pytest.mark.parametrize("claims", [{"iss": 1, "aud": 1}, {"iss": "x", "aud": "y"}], ids=json.dumps)
def test_issuer_and_audience_are_nobodys_business_unless_set(claims: dict[str, Any]) -> None:
    assert claims_verdict(claims) is None


def test_the_first_rule_that_fails_gives_the_reason() -> None:
    """A token that breaks every rule is mended rule by rule; each reason appears in the contract's order."""
    rules: dict[str, Any] = {
        "required_claims": ("sub",),
        "max_token_age_seconds": 60,
        "issuers": ("i",),
        "audiences": ("a",),
    }
    claims: dict[str, Any] = {"exp": "no number", "nbf": NOW + 9, "iat": None}
    mended: list[tuple[dict[str, Any], Reason | None]] = [
        ({}, Reason.MISSING_CLAIM),
        ({"sub": "s"}, Reason.MALFORMED_CLAIM),
        ({"exp": NOW - 9}, Reason.MALFORMED_CLAIM),
        ({"iat": NOW - 99}, Reason.TOKEN_EXPIRED),
        ({"exp": NOW + 9}, Reason.TOKEN_NOT_YET_VALID),
        ({"nbf": NOW}, Reason.TOKEN_TOO_OLD),
        ({"iat": NOW}, Reason.MISSING_CLAIM),
        ({"iss": "x"}, Reason.WRONG_ISSUER),
        ({"iss": "i"}, Reason.MISSING_CLAIM),
        ({"aud": "x"}, Reason.WRONG_AUDIENCE),
        ({"aud": "a"}, None),
    ]

    for change, reason in mended:
        claims |= change
        assert claims_verdict(claims, **rules) is reason


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, True), (-1, True), (1.5, True), (True, False), (False, False), (None, False), ("1", False), ([], False)],
    ids=repr,
)
def test_a_number_is_an_integer_or_a_real_and_no_boolean(value: object, number: bool) -> None:
    assert is_number(value) is number


# -- verify_jws -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"\xff\x00 any octets", b"not JSON", b'{"exp":1}'])
def test_verify_jws_gives_header_and_payload_back(payload: bytes) -> None:
    token = a_token(payload=payload, header={"x": 1})

    assert auth_jwt.verify_jws(token, HMAC_KEY) == ({"alg": "HS256", "typ": "JWT", "x": 1}, payload)


@pytest.mark.parametrize("kind", ["JWS", "at+jwt", 7, None])
def test_verify_jws_has_no_rule_for_types(kind: object) -> None:
    assert verify_jws(a_token(header={"typ": kind}), HMAC_KEY)[0]["typ"] == kind


@pytest.mark.parametrize("alg", SIGNERS)
def test_verify_jws_takes_public_keys(alg: str) -> None:
    token = a_token(key=a_private_key(SIGNERS[alg]), alg=alg)

    assert verify_jws(token, public_pem(SIGNERS[alg]))[0]["alg"] == alg


@pytest.mark.parametrize(
    ("token", "key", "reason"),
    [
        pytest.param("a.b", HMAC_KEY, Reason.MALFORMED_TOKEN, id="no token"),
        pytest.param(a_token(header={"alg": "none"}), HMAC_KEY, Reason.UNSUPPORTED_ALGORITHM, id="alg none"),
        pytest.param(a_token(header={"crit": []}), HMAC_KEY, Reason.UNSUPPORTED_CRITICAL_HEADER, id="crit"),
        pytest.param(a_token(), OTHER_KEY, Reason.BAD_SIGNATURE, id="another key"),
        pytest.param(a_token(key=""), "", Reason.BAD_SIGNATURE, id="an empty key"),
        pytest.param(a_token(key=public_pem()), public_pem(), Reason.BAD_SIGNATURE, id="a public key as HMAC key"),
        pytest.param(a_token(), private_pem(), Reason.BAD_SIGNATURE, id="a private key"),
        pytest.param(a_token(), "arn:aws:ssm", Reason.BAD_SIGNATURE, id="a reference"),
        pytest.param(a_token(key="short"), "short", Reason.BAD_SIGNATURE, id="a short key"),
    ],
)
def test_verify_jws_refuses(token: str, key: str, reason: Reason) -> None:
    assert refusal(lambda: verify_jws(token, key)) is reason


def test_verify_jws_takes_the_least_length_by_its_name_only() -> None:
    (least,) = [
        p for p in inspect.signature(verify_jws).parameters.values() if p.default is not inspect.Parameter.empty
    ]

    assert (least.name, least.kind) == ("min_hmac_key_bytes", inspect.Parameter.KEYWORD_ONLY)


def test_verify_jws_lets_the_least_length_of_hmac_keys_be_set() -> None:
    token = a_token(key="short")

    assert verify_jws(token, "short", min_hmac_key_bytes=5)[0]["alg"] == "HS256"
    assert refusal(lambda: verify_jws(token, "short", min_hmac_key_bytes=6)) is Reason.BAD_SIGNATURE


def test_what_a_caller_does_to_a_header_of_verify_jws_is_no_other_tokens() -> None:
    """Tokens with the same header share its reading."""
    header, _ = verify_jws(a_token(header={"x": {"y": 1}}), HMAC_KEY)
    header["alg"] = "none"
    header["x"]["y"] = 2

    assert verify_jws(a_token(header={"x": {"y": 1}}), HMAC_KEY)[0] == {"alg": "HS256", "typ": "JWT", "x": {"y": 1}}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_key_is_kept_ready_for_one_algorithm(algorithm: str) -> None:
    """Whoever asks for all of them, signed or not, does not make it heavier."""
    (key,) = verification_keys("k" * 64)
    for alg in ("HS256", "HS384", "HS512", algorithm):
        assert is_signed_by(unverified_jws(a_token(alg=alg, key="k" * 64)), [key], None)

    assert set(key.prepared) == {algorithm}

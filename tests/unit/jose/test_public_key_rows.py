"""Rows of public keys as servers print them, and the names of EdDSA by curve (RFC 9864): real signatures throughout."""

import json
from typing import Any

import pytest

from auth_jwt.errors import Denied, Flaw, Reason
from auth_jwt.jose.signatures import verify_jws
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.models import Columns, Report, Secret
from tests.factories import (
    KEYS,
    a_jwk,
    a_jwks,
    a_private_key,
    a_profile,
    a_secret,
    a_token,
    an_authorizer,
    certificate_pem,
    public_pem,
    refusal,
)
from tests.fakes import natural

ROWS: list[dict[str, Any]] = json.loads((KEYS / "rows.json").read_text("utf-8"))


def row_of(case: dict[str, Any]) -> dict[str, object]:
    alg = {} if case["alg_column"] is None else {"alg": case["alg_column"]}
    return a_secret(case["secret"], corresponding_tag="t", **alg)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case["name"])
def test_a_recorded_row_does_what_is_wanted_of_it(case: dict[str, Any]) -> None:
    row, wanted = row_of(case), case["want"].partition(":")[0]
    unusable = Secret.from_row(natural(row), Columns()).unusable
    assert (unusable is None) == (wanted == "authorized")
    if case["token"] is None:
        return

    report = Report()
    authorizer = an_authorizer(row, profiles=[a_profile(tag="t")], min_hmac_key_bytes=1)
    try:
        authorizer.authorize(case["token"], report=report)
        answer = "authorized"
    except Denied as denied:
        answer = f"denied {denied.reason}"
        assert report.unusable_secrets == {"1": str(unusable)}
    assert answer == wanted


# -- RFC 9864, section 2.2 --------------------------------------------------------------------------------------------

CURVES = {"ed25519": "Ed25519", "ed448": "Ed448"}
OTHER = {"ed25519": "Ed448", "ed448": "Ed25519"}


def a_signed_token(name: str, alg: str) -> str:
    """A token whose header says *alg*, signed by the key of that name."""
    return a_token(key=a_private_key(name), alg="EdDSA", header={"alg": alg})


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("form", [public_pem, certificate_pem, lambda name: a_jwks(a_jwk(name))])
def test_a_token_may_name_eddsa_or_the_curve_of_its_key(name: str, form: Any) -> None:
    authorizer = an_authorizer(a_secret(form(name)))

    for alg in ("EdDSA", CURVES[name]):
        assert authorizer.authorize(a_signed_token(name, alg)).sip_username == "alice"
        assert verify_jws(a_signed_token(name, alg), form(name))[0]["alg"] == alg
    assert refusal(lambda: authorizer.authorize(a_signed_token(name, OTHER[name]))) is Reason.BAD_SIGNATURE
    assert refusal(lambda: verify_jws(a_signed_token(name, OTHER[name]), form(name))) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", CURVES)
def test_the_alg_of_a_row_and_of_a_jwk_may_name_either(name: str) -> None:
    own = CURVES[name]
    rows = [
        *(a_secret(public_pem(name), alg=alg) for alg in ("EdDSA", own, f"EdDSA, {own}", f"ES256,{own}")),
        *(a_secret(json.dumps(a_jwk(name, alg=alg))) for alg in ("EdDSA", own)),
        *(a_secret(json.dumps(a_jwk(name, alg=alg)), alg=column) for alg, column in (("EdDSA", own), (own, "EdDSA"))),
    ]

    for row in rows:
        for alg in ("EdDSA", own):
            assert an_authorizer(row).authorize(a_signed_token(name, alg)).sip_username == "alice"
        assert refusal(lambda row=row: an_authorizer(row).authorize(a_signed_token(name, OTHER[name])))  # type: ignore[misc]


@pytest.mark.parametrize("name", CURVES)
def test_the_other_curve_s_name_disagrees_with_a_key(name: str) -> None:
    rows = [
        a_secret(public_pem(name), alg=OTHER[name]),
        a_secret(json.dumps(a_jwk(name, alg=OTHER[name]))),
        a_secret(json.dumps(a_jwk(name, alg=CURVES[name])), alg=OTHER[name]),
    ]

    for row in rows:
        unusable = Secret.from_row(natural(row), Columns()).unusable
        assert unusable is not None
        assert unusable.flaw is Flaw.ALG_DISAGREES
        for alg in ("EdDSA", "Ed25519", "Ed448"):
            refused = refusal(lambda row=row, alg=alg: an_authorizer(row).authorize(a_signed_token(name, alg)))  # type: ignore[misc]
            assert refused is Reason.BAD_SIGNATURE


def test_of_two_curves_under_one_tag_each_token_finds_its_own() -> None:
    authorizer = an_authorizer(a_secret(public_pem("ed25519") + public_pem("ed448")))

    for name, own in CURVES.items():
        for alg in ("EdDSA", own):
            assert authorizer.authorize(a_signed_token(name, alg)).sip_username == "alice"
        assert refusal(lambda name=name: authorizer.authorize(a_signed_token(name, OTHER[name])))  # type: ignore[misc]


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519", "Ed448"])
def test_where_eddsa_is_not_allowed_no_name_of_it_is(alg: str) -> None:
    name = "ed448" if alg == "Ed448" else "ed25519"
    without = HeaderRules(algorithms=frozenset({"HS256", "ES256"}))
    alone = HeaderRules(algorithms=frozenset({"EdDSA"}))
    row = a_secret(public_pem(name), alg=alg)

    assert (
        refusal(lambda: an_authorizer(row, header=without).authorize(a_signed_token(name, alg)))
        is Reason.UNSUPPORTED_ALGORITHM
    )
    assert an_authorizer(row, header=alone).authorize(a_signed_token(name, alg)).sip_username == "alice"


@pytest.mark.parametrize("alg", ["ed25519", "ED25519", "Ed25519ph", "Ed25519ctx", "X25519", "Ed448ph", "Ed25519 "])
def test_other_spellings_are_no_names(alg: str) -> None:
    token = a_signed_token("ed25519", alg)

    assert (
        refusal(lambda: an_authorizer(a_secret(public_pem("ed25519"))).authorize(token)) is Reason.UNSUPPORTED_ALGORITHM
    )


def test_a_token_that_names_a_curve_is_no_hmac_token() -> None:
    """By the public key as text, signed as HS256 would be."""
    for form in (public_pem("ed25519"), json.dumps(a_jwk("ed25519")), public_pem("ed448")):
        for alg in ("Ed25519", "Ed448", "EdDSA"):
            token = a_token(key=form, header={"alg": alg})
            refused = refusal(lambda form=form, token=token: an_authorizer(a_secret(form)).authorize(token))  # type: ignore[misc]
            assert refused is Reason.BAD_SIGNATURE

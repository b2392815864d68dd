"""A row says by its `alg` what its key is; what the text holds has to agree, and doubt verifies nothing."""

import json

import pytest

from auth_jwt.errors import Flaw
from auth_jwt.models import Columns, Secret
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_jwks,
    an_oct_jwk,
    certificate_pem,
    openssh_line,
    public_der,
    public_pem,
)

HS = frozenset({"HS256", "HS384", "HS512"})
STRICT = Columns(requires_alg=True)
IN_DOUBT = {
    "a word and a run": f"modulus {'00c0ffee' * 8}",
    "an address": "http://login.test/jwks.json",
    "a word of a JWK": "kty: oct",
    "many digits": "1" * 5000,
    "much opened and nothing closed": "[" * 20_000,
    "a discovery document": '{"issuer": "https://login.test", "jwks_uri": "https://login.test/certs"}',
    "more than 1,024 characters": "long " * 300,
    "more than 200 octets": "Zm9v" * 100,
}
NEVER_HMAC = {
    "PEM": public_pem(),
    "a certificate": certificate_pem(),
    "a JWK": json.dumps(a_jwk()),
    "a JWKS": a_jwks(a_jwk()),
    "a reference": "arn:aws:ssm:eu-central-1:123456789012:parameter/x",
    "an SSH line": openssh_line(),
    "hex of DER": public_der().hex(),
}


def a_row(secret: str, columns: Columns | None = None, **row: object) -> Secret:
    return Secret.from_row({"secret": secret, **row}, columns or Columns())


def flaw_of(secret: Secret) -> Flaw | None:
    return None if secret.unusable is None else secret.unusable.flaw


@pytest.mark.parametrize("case", IN_DOUBT)
def test_text_in_doubt_is_an_hmac_key_only_if_the_row_says_so(case: str) -> None:
    without, stated = a_row(IN_DOUBT[case]), a_row(IN_DOUBT[case], alg="HS256")

    assert flaw_of(without) is Flaw.IN_DOUBT
    assert without.keys == ()
    assert flaw_of(stated) is None
    assert [(key.algorithms, key.material) for key in stated.keys] == [(frozenset({"HS256"}), IN_DOUBT[case].encode())]


@pytest.mark.parametrize("case", IN_DOUBT)
def test_doubt_is_told_with_what_ends_it_and_without_the_text(case: str) -> None:
    because = str(a_row(IN_DOUBT[case]).unusable)

    assert "`alg`" in because
    assert not any(word in because for word in ("c0ffee", "login.test", "Zm9v"))


@pytest.mark.parametrize("alg", [None, "HS256", "HS256,HS384,HS512"], ids=str)
@pytest.mark.parametrize("case", NEVER_HMAC)
def test_a_public_key_or_reference_is_never_an_hmac_key(case: str, alg: str | None) -> None:
    secret = a_row(NEVER_HMAC[case]) if alg is None else a_row(NEVER_HMAC[case], alg=alg)

    assert not any(isinstance(key.material, bytes) for key in secret.keys)
    if alg is not None:
        assert flaw_of(secret) is not None


@pytest.mark.parametrize(
    ("stored", "alg"),
    [
        (HMAC_KEY, "RS256"),
        (HMAC_KEY, "ES256,EdDSA"),
        (public_pem(), "ES256"),
        (public_pem(), "HS256"),
        (json.dumps(an_oct_jwk()), "RS256"),
        (json.dumps(a_jwk("ed25519")), "Ed448"),
    ],
)
def test_what_the_text_holds_has_to_agree(stored: str, alg: str) -> None:
    assert flaw_of(a_row(stored, alg=alg)) is Flaw.ALG_DISAGREES


@pytest.mark.parametrize("alg", ["HS256,RS256", "RS256, HS512 ,HS256", "HS256,ES256K"])
def test_an_alg_of_both_kinds_does_not_say_what_the_key_is(alg: str) -> None:
    """It is judged as if there were none, and goes on bounding what is verified."""
    assert flaw_of(a_row(IN_DOUBT["an address"], alg=alg)) is Flaw.IN_DOUBT
    assert a_row(HMAC_KEY, alg=alg).keys[0].algorithms == HS & {name.strip() for name in alg.split(",")}
    assert flaw_of(a_row(HMAC_KEY, STRICT, alg=alg)) is Flaw.NO_ALG


@pytest.mark.parametrize("stored", [HMAC_KEY, public_pem(), json.dumps(a_jwk())], ids=["HMAC", "PEM", "JWK"])
def test_where_alg_is_required_a_row_without_it_is_unusable(stored: str) -> None:
    assert flaw_of(a_row(stored)) is None
    assert flaw_of(a_row(stored, STRICT)) is Flaw.NO_ALG
    assert "'alg' is missing, but REQUIRE_ALG_COLUMN" in str(a_row(stored, STRICT).unusable)


@pytest.mark.parametrize(
    ("stored", "alg"),
    [(HMAC_KEY, "HS256"), (HMAC_KEY, "HS256,HS384,HS512"), (public_pem(), "RS256"), (public_pem("ed25519"), "EdDSA")],
)
def test_where_alg_is_required_a_row_that_has_it_is_judged_as_ever(stored: str, alg: str) -> None:
    assert flaw_of(a_row(stored, STRICT, alg=alg)) is None


def test_of_several_keys_those_that_agree_remain() -> None:
    bundle = public_pem("p256") + public_pem("rsa_2048") + public_pem("ed448")

    assert [key.algorithms for key in a_row(bundle, alg="ES256,EdDSA").keys] == [{"ES256"}, {"EdDSA", "Ed448"}]


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_eddsa_and_the_name_of_the_curve_are_one_algorithm(alg: str) -> None:
    """RFC 9864, section 2.2."""
    assert a_row(public_pem("ed25519"), alg=alg).keys[0].algorithms == {"EdDSA", "Ed25519"}

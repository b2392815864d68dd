"""`auth-jwt key`: keys in all their forms become the one a secret should have."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from auth_jwt.jose.keys import verification_keys
from auth_jwt.provisioning.inspection import fingerprint_of
from auth_jwt_cli.main import app
from tests.doubtful_keys import DOUBTFUL, PRIME_MODULUS, public_key_pem
from tests.factories import (
    HMAC_KEY,
    a_jwk,
    a_jwks,
    a_private_key,
    an_oct_jwk,
    certificate_pem,
    private_pem,
    public_pem,
)

KINDS = ["rsa_2048", "p256", "p384", "p521", "ed25519", "ed448"]


def key(*arguments: str, given: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["key", *arguments], input=given)
    assert result.exit_code == exit_code, result.output
    return result


def a_private_jwk(name: str) -> dict[str, Any]:
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    kinds: Any = {"r": RSAAlgorithm, "p": ECAlgorithm, "e": OKPAlgorithm}
    jwk: dict[str, Any] = kinds[name[0]].to_jwk(a_private_key(name), as_dict=True)
    return jwk


@pytest.mark.parametrize("name", KINDS)
def test_a_jwk_becomes_pem(name: str) -> None:
    assert key("from-jwk", "-", given=json.dumps(a_jwk(name))).stdout == public_pem(name)


@pytest.mark.parametrize("name", ["rsa_2048", "p256", "ed25519"])
def test_of_a_private_jwk_only_its_public_part_is_written(name: str) -> None:
    private = a_private_jwk(name)
    result = key("from-jwk", "-", given=json.dumps(private))

    assert result.stdout == public_pem(name)
    assert "Warning: this key is private" in result.stderr
    assert private["d"] not in result.output


def test_of_a_set_all_keys_are_written_or_the_one_named() -> None:
    given = a_jwks(a_jwk("p256", kid="a"), a_jwk("ed25519", kid="b"))

    assert key("from-jwk", "-", given=given).stdout == public_pem("p256") + public_pem("ed25519")
    assert key("from-jwk", "-", "--kid", "b", given=given).stdout == public_pem("ed25519")
    document = json.loads(key("from-jwk", "-", "--json", given=given).stdout)
    assert [entry["kid"] for entry in document["keys"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("nonsense", "it is not a JSON object", id="no JSON"),
        pytest.param("[]", "it is not a JSON object", id="a list"),
        pytest.param("{}", "it is neither a JWK nor a JWKS", id="neither"),
        pytest.param('{"keys": [1]}', "it is neither a JWK nor a JWKS", id="a set of something else"),
        pytest.param('{"keys": []}', "there is no such key in it", id="an empty set"),
        pytest.param(json.dumps(an_oct_jwk()), "has no public part", id="HMAC"),
        pytest.param('{"kty": "RSA", "n": "AQAB", "e": "!"}', "is not base64url", id="odd numbers"),
        pytest.param(json.dumps(a_jwk("rsa_2047")), "RSA 2047, which may verify nothing", id="too small"),
    ],
)
def test_what_is_no_public_jwk_is_refused(given: str, said: str) -> None:
    assert said in key("from-jwk", "-", given=given, exit_code=1).stderr


def test_a_certificate_becomes_pem() -> None:
    assert key("from-cert", "-", given=certificate_pem("p256")).stdout == public_pem("p256")
    assert "no certificate" in key("from-cert", "-", given=public_pem(), exit_code=1).stderr


@pytest.mark.parametrize(
    "text", [HMAC_KEY, public_pem(), certificate_pem("p256"), a_jwks(a_jwk("p384"), a_jwk("ed25519"))]
)
def test_a_fingerprint_is_that_of_the_listing(text: str) -> None:
    document = json.loads(key("fingerprint", "--secret-file", "-", "--json", given=text).stdout)

    assert [entry["fingerprint"] for entry in document["keys"]] == [
        fingerprint_of(own) for own in verification_keys(text)
    ]


def test_the_same_key_has_one_fingerprint_in_every_form() -> None:
    forms = [public_pem(), certificate_pem(), json.dumps(a_jwk())]

    shown = {
        json.loads(key("fingerprint", "--secret-file", "-", "--json", given=form).stdout)["keys"][0]["fingerprint"]
        for form in forms
    }

    assert len(shown) == 1


@pytest.mark.parametrize("given", ["", private_pem(), "https://example.com/jwks.json"])
def test_what_holds_no_key_has_no_fingerprint(given: str) -> None:
    assert "can verify tokens" in key("fingerprint", "--secret-file", "-", given=given, exit_code=1).stderr


def test_a_text_in_doubt_has_a_fingerprint_where_it_is_said_to_be_hmac() -> None:
    assert "in_doubt" in key("fingerprint", "--secret-file", "-", given=DOUBTFUL, exit_code=1).stderr
    assert "scrypt:" in key("fingerprint", "--secret-file", "-", "--alg", "HS256", given=DOUBTFUL).stdout


def test_a_key_that_falls_apart_is_told_by_its_fingerprint_too() -> None:
    told = key("fingerprint", "--secret-file", "-", given=public_key_pem(PRIME_MODULUS)).stderr

    assert "anybody can sign with this key" in told


def test_of_a_certificate_a_key_that_verifies_nothing_is_not_written() -> None:
    assert "RSA 2047" in key("from-cert", "-", given=certificate_pem("rsa_2047"), exit_code=1).stderr


def test_a_short_secret_has_a_fingerprint_and_a_warning() -> None:
    result = key("fingerprint", "--secret-file", "-", given="short")

    assert "scrypt:" in result.stdout
    assert "too short" in result.stderr

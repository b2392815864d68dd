"""Which other reading of a stored secret signed a token: base64, hex, a line end, and the text of a public key."""

import base64
import json
from typing import Any

import pytest

from auth_jwt.errors import Reason
from auth_jwt.provisioning.explanation import Explanation
from auth_jwt.provisioning.rendering import explanation_json
from tests.factories import HMAC_KEY, NOW, TAG, a_token, an_oct_jwk, private_pem, public_der, public_pem
from tests.service import a_service
from tests.unit.provisioning.test_explanation import of, refusing

OCTETS = bytes(range(200, 248))  # 48 octets whose base64 has all characters
STANDARD, URL = base64.b64encode(OCTETS).decode(), base64.urlsafe_b64encode(OCTETS).decode()
ODD = OCTETS[:46]  # its base64 has padding
PLUS, SLASH = b"+abc" * 11 + b"aXXX", b"/abc" * 11 + b"aXXX"
JWK = json.dumps(an_oct_jwk(OCTETS))
ODD_JWK = json.dumps(an_oct_jwk(ODD))
ALG = "HS256,HS384,HS512"


def explained(stored: str, key: Any) -> Explanation:
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=stored, alg=ALG)
    return of(service, a_token(key=key))


@pytest.mark.parametrize(
    ("stored", "key", "name"),
    [
        (STANDARD, OCTETS, "decoded from unpadded base64"),
        (URL, OCTETS, "decoded from unpadded base64url"),
        (PLUS.decode(), base64.b64decode(PLUS), "decoded from unpadded base64"),
        (SLASH.decode(), base64.b64decode(SLASH), "decoded from unpadded base64"),
        (PLUS.replace(b"+", b"-").decode(), base64.b64decode(PLUS), "decoded from unpadded base64url"),
        (SLASH.replace(b"/", b"_").decode(), base64.b64decode(SLASH), "decoded from unpadded base64url"),
        (base64.b64encode(ODD).decode(), ODD, "decoded from padded base64"),
        (base64.b64encode(ODD).decode().rstrip("="), ODD, "decoded from unpadded base64"),
        (f" {STANDARD}\n", OCTETS, "decoded from unpadded base64"),
        (OCTETS.hex(), OCTETS, "decoded from hex"),
        (OCTETS.hex().upper(), OCTETS, "decoded from hex"),
        (f"{HMAC_KEY}\n", HMAC_KEY, "without the blanks and line ends around it"),
        (f"\t {HMAC_KEY}", HMAC_KEY, "without the blanks and line ends around it"),
        (f"\ufeff{HMAC_KEY}", HMAC_KEY, "without its byte order mark"),
        (f'"{HMAC_KEY}"', HMAC_KEY, "without the quotes around it"),
        ("a\n", "a", "without the blanks and line ends around it"),
        (HMAC_KEY, f"{HMAC_KEY}\n", "with a line end behind it"),
        (HMAC_KEY, f"{HMAC_KEY}\r\n", "with a line end (CR LF) behind it"),
        (JWK, URL.rstrip("="), "as the base64url of its octets"),
        (JWK, STANDARD, "as the base64 of its octets"),
        (json.dumps(an_oct_jwk(base64.b64decode(PLUS))), PLUS, "as the base64 of its octets"),
        (JWK, OCTETS.hex(), "as the hex of its octets"),
        (ODD_JWK, base64.urlsafe_b64encode(ODD), "as the base64url of its octets, padded"),
        (ODD_JWK, base64.b64encode(ODD), "as the base64 of its octets, padded"),
        (JWK, JWK, "as the whole text"),
        (f"{JWK}\n\n", f"{JWK}\n", "as the whole text with a line end"),
        (public_der().hex(), public_der().hex(), "as it is stored"),
    ],
)
def test_the_reading_that_signed_is_named(stored: str, key: Any, name: str) -> None:
    told = explained(stored, key)

    (look,) = told.secrets
    assert told.reason is Reason.BAD_SIGNATURE
    assert not look.signed
    assert look.misreading is not None
    assert (look.misreading.name, look.misreading.is_attack) == (name, False)
    assert refusing(told).text == f"no secret that is tried made it; '1' {name} did"
    assert told.remedy == look.misreading.remedy.replace("TAG", TAG)
    assert explanation_json(told, with_claims=False)["secrets"][0]["misreading"] == name


@pytest.mark.parametrize(
    ("stored", "key"),
    [
        (HMAC_KEY, "another secret of sixty-four bytes, for these tests and no other"),
        (HMAC_KEY, HMAC_KEY[:-1]),
        (f"{HMAC_KEY}X", HMAC_KEY),
        (f"X{HMAC_KEY}", HMAC_KEY),
        ("", "\n"),
        ("abcde", b"i\xb7\x1d"),
        ("\ud800", "?"),
    ],
    ids=[
        "another key",
        "a part of it",
        "a letter behind it",
        "a letter before it",
        "empty",
        "no base64",
        "half of a surrogate pair",
    ],
)
def test_no_reading_is_named_where_none_signed(stored: str, key: str | bytes) -> None:
    told = explained(stored, key)

    assert told.secrets[0].misreading is None
    assert told.remedy is not None
    assert told.remedy.startswith(f"compare the issuer's key with `auth-jwt secret list {TAG}`")


def test_the_services_own_reading_is_no_misreading() -> None:
    told = explained(STANDARD, STANDARD)

    assert told.answer is not None
    assert (told.secrets[0].signed, told.secrets[0].misreading, told.remedy) == (True, None, None)


def test_a_token_signed_with_the_text_of_a_public_key_is_an_attack() -> None:
    """CVE-2016-10555: the key is public, so anybody can sign so."""
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=public_pem())

    told = of(service, a_token(key=public_pem().encode().strip() + b"\n"))

    (look,) = told.secrets
    assert told.reason is Reason.BAD_SIGNATURE
    assert look.misreading is not None
    assert look.misreading.is_attack
    assert refusing(told).text.endswith("THIS IS AN ATTACK")
    assert str(told.remedy).startswith("this is an attack")


def test_a_reading_of_a_closed_secret_is_not_what_is_to_be_mended() -> None:
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=STANDARD, end_ts=NOW)

    told = of(service, a_token(key=OCTETS))

    assert told.secrets[0].misreading is not None
    assert str(told.remedy).startswith(f"add a secret by `auth-jwt secret rotate {TAG}`")


def test_a_text_that_holds_no_key_makes_no_attack() -> None:
    """Only a public key is one that everybody may have."""
    stored = '{"kty": "oct"}'
    (look,) = explained(stored, stored).secrets

    assert look.misreading is not None
    assert (look.misreading.name, look.misreading.is_attack) == ("as the whole text", False)


def test_a_private_key_that_is_stored_is_told_from_a_public_one_and_not_shown() -> None:
    service = a_service(revocations=False)
    service.has()
    service.has_secret(secret=private_pem())

    told = of(service, a_token())

    (look,) = told.secrets
    assert str(look.passed_over).startswith("unusable (private_key: a private key, which only its owner may have")
    assert not any(line in repr(told) for line in private_pem().splitlines()[1:-1])


def test_a_secret_of_nothing_but_blanks_has_no_other_reading() -> None:
    assert explained("  \n", "x").secrets[0].misreading is None


@pytest.mark.parametrize("stored", [STANDARD, f"{HMAC_KEY}\n", JWK, OCTETS.hex()])
def test_nothing_that_is_said_holds_a_value(stored: str) -> None:
    told = explained(stored, OCTETS)

    for said in (repr(told), json.dumps(explanation_json(told, with_claims=True))):
        assert not {stored.strip(), STANDARD, URL, OCTETS.hex(), HMAC_KEY} & set(said.split('"'))
        assert STANDARD not in said
        assert HMAC_KEY not in said

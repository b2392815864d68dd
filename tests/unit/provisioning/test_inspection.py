"""What operators are told of a secret: by which it is recognised, and never what it holds."""

import base64
import hashlib
import json
from typing import Any

import pytest

from auth_jwt.jose.keys import verification_keys
from auth_jwt.jose.tokens import HeaderRules
from auth_jwt.models import Columns, Policy, Secret
from auth_jwt.provisioning.inspection import fingerprint_of, inspect_secret
from auth_jwt.provisioning.rendering import secret_json
from tests.factories import HMAC_KEY, NOW, TAG, a_jwk, a_jwks, a_secret, an_oct_jwk, certificate_pem, public_pem
from tests.fakes import natural

# RFC 7638, section 3.1, and RFC 8037, appendix A.3: keys and their thumbprints as published.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3o"
    "knjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha"
    "jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def fingerprints(text: str) -> list[str]:
    return [fingerprint_of(key) for key in verification_keys(text)]


def a_record(secret: str = HMAC_KEY, *, policy: Policy | None = None, **columns: Any) -> Any:
    row = natural(a_secret(secret, **columns))
    return inspect_secret(Secret.from_row(row, Columns()), TAG, policy or Policy(), NOW)


@pytest.mark.parametrize(
    ("jwk", "thumbprint"),
    [
        pytest.param(RFC_7638, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", id="RFC 7638"),
        pytest.param(RFC_8037, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", id="RFC 8037"),
    ],
)
def test_a_public_key_has_its_standard_thumbprint(jwk: dict[str, Any], thumbprint: str) -> None:
    assert fingerprints(json.dumps(jwk)) == [f"sha256:{thumbprint}"]


def test_a_thumbprint_of_an_elliptic_curve_is_the_digest_of_its_members() -> None:
    jwk = a_jwk("p256")
    text = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

    assert fingerprints(json.dumps(jwk)) == [f"sha256:{digest}"]


@pytest.mark.parametrize("name", ["rsa_2048", "p256", "ed25519"])
def test_a_key_is_recognised_in_whatever_form_it_comes(name: str) -> None:
    forms = [public_pem(name), certificate_pem(name), json.dumps(a_jwk(name))]

    assert len({fingerprint for form in forms for fingerprint in fingerprints(form)}) == 1


def test_an_hmac_key_is_recognised_and_not_given_away() -> None:
    """Its digest is a slow one, since people choose words."""
    (fingerprint,) = fingerprints(HMAC_KEY)

    assert fingerprint == "scrypt:_A-al8qyQfD_qyYZ"  # of this key for ever: issuers and operators compare
    assert fingerprints(json.dumps(an_oct_jwk())) == [fingerprint]
    assert fingerprints(HMAC_KEY + "x") != [fingerprint]
    method, _, digest = fingerprint.partition(":")
    assert method == "scrypt"
    plain = hashlib.sha256(HMAC_KEY.encode()).digest()
    assert base64.urlsafe_b64decode(digest) != plain[:12]
    assert HMAC_KEY not in fingerprint


def test_a_set_of_keys_tells_of_each() -> None:
    record = a_record(a_jwks(a_jwk("p256", kid="a"), a_jwk("ed448"), {"kty": "none of them"}))

    assert [(key.kind, key.algorithms, key.kid) for key in record.keys] == [
        ("EC P-256", ("ES256",), "a"),
        ("Ed448", ("EdDSA",), None),
    ]
    assert record.kind == "EC P-256, Ed448"


@pytest.mark.parametrize(
    ("columns", "policy", "flaw", "why"),
    [
        pytest.param(
            {"alg": "RS256"},
            Policy(),
            "alg_disagrees",
            "`alg` names no HMAC algorithm, and the text is not a public key",
            id="alg",
        ),
        pytest.param({"alg": "nonsense"}, Policy(), "malformed_alg", "names no algorithm", id="alg of no meaning"),
        pytest.param({"kid": 7}, Policy(), "malformed_kid", "'kid' is not text", id="kid of no meaning"),
        pytest.param(
            {},
            Policy(header=HeaderRules(frozenset({"ES256"}))),
            "not_allowed",
            "its key verifies HS256, HS384, HS512, and ALLOWED_ALGORITHMS allows none",
            id="settings",
        ),
        pytest.param(
            {"secret": "x" * 31}, Policy(), "too_short", "31 bytes, too short for HS256, HS384, HS512", id="size"
        ),
        pytest.param(
            {"secret": a_jwks(an_oct_jwk(b"k" * 10), an_oct_jwk(b"k" * 20))},
            *(Policy(), "too_short", "an HMAC key of 20 bytes, too short"),
            id="size of the longest",
        ),
        pytest.param({"end_ts": "never"}, Policy(), "never_opens", "end of its window is not a number", id="end"),
    ],
)
def test_why_a_secret_verifies_nothing(columns: dict[str, Any], policy: Policy, flaw: str, why: str) -> None:
    record = a_record(**{"secret": HMAC_KEY, **columns}, policy=policy)

    assert record.unusable.flaw == flaw
    assert why in record.unusable.because
    assert record.state.value == "unusable"


@pytest.mark.parametrize(("instant", "state"), [(NOW, "closed"), (NOW + 1, "unusable")])
def test_an_empty_window_is_a_flaw_until_it_has_ended(instant: int, state: str) -> None:
    """Whoever closes a secret before it opens leaves one."""
    record = a_record(start_ts=instant, end_ts=instant)

    assert record.state.value == state
    assert (record.unusable is None) is (state == "closed")


def test_a_text_that_holds_no_key_is_of_no_known_kind() -> None:
    record = a_record("-----BEGIN PUBLIC KEY-----")

    assert (record.keys, record.kind) == ((), "unknown")


def test_rendered_it_has_everything_but_the_value() -> None:
    rendered = secret_json(a_record(kid="k", start_ts=NOW + 0.5))

    assert rendered == {
        "tag": TAG,
        "id": "1",
        "kind": "HMAC, 64 bytes",
        "algorithms": ["HS256", "HS384", "HS512"],
        "kid": "k",
        "start_ts": NOW + 0.5,
        "end_ts": NOW + 3600,
        "state": "future",
        "flaw": None,
        "unusable_because": None,
        "keys": [
            {
                "kind": "HMAC, 64 bytes",
                "algorithms": ["HS256", "HS384", "HS512"],
                "kid": None,
                "fingerprint": fingerprints(HMAC_KEY)[0],
            }
        ],
    }

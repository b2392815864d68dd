"""Reads public keys, tells what they may verify, and verifies with them. Only this module loads `cryptography`.

It is imported when a secret first needs it: loading it takes longer than all else that an HMAC token needs. PyJWT's
algorithm objects do the cryptography itself.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from auth_jwt.errors import Flaw, InvalidKey
from auth_jwt.jose.degenerate import (
    weakness_of_edwards_point,
    weakness_of_modulus,
    weakness_of_point,
    weakness_of_rsa,
)
from auth_jwt.jose.tokens import EDDSA

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

MIN_RSA_BITS: Final = 2048
_MIN_EXTRACTED_RSA_BITS: Final = 512

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_ALGORITHMS: Final[dict[str, Algorithm]] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "RS384": RSAAlgorithm(RSAAlgorithm.SHA384),
    "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
    "PS384": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA384),
    "PS512": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA512),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256, SECP256R1),
    "ES384": ECAlgorithm(ECAlgorithm.SHA384, SECP384R1),
    "ES512": ECAlgorithm(ECAlgorithm.SHA512, SECP521R1),
    **dict.fromkeys((EDDSA, "Ed25519", "Ed448"), OKPAlgorithm()),
}
_JWK_READERS: Final[dict[str, type[RSAAlgorithm | ECAlgorithm | OKPAlgorithm]]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}
_JWK_NUMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_JWK_OCTETS: Final = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "Ed448": 57}
"""The number of octets of a coordinate, by `crv` (RFC 7518, section 6.2.1.2; RFC 8032, sections 5.1.2 and 5.2.2)."""

_BLOCK = re.compile(r"-----BEGIN ((?:RSA )?PUBLIC KEY|(?:X509 )?CERTIFICATE)-----")
_BEGIN = re.compile(r"(?=-----BEGIN )")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_ANY_BASE64 = re.compile(r"[A-Za-z0-9_+/-]+={0,2}")


def load_the_rest() -> None:
    """Load what `cryptography` would otherwise load only at the first signature by an elliptic curve."""
    ECDSA(SHA256())


def public_keys_in_pem(text: str) -> list[PublicKey]:
    """Return the public key of each readable block of *text*: `PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`.

    Other blocks, such as private keys, are ignored. A certificate's dates and chain are not checked: the window of the
    secret decides.
    """
    keys = []
    for block in _BEGIN.split(text):
        label = _BLOCK.match(block)
        if label is None:
            continue
        try:
            key = (
                _read_certified_key(block) if "CERTIFICATE" in label[1] else load_pem_public_key(block.encode("utf-8"))
            )
        except Exception:  # noqa: BLE001, S112 - a foreign parser may raise anything at hostile text: it is no key
            continue
        if isinstance(key, PublicKey):
            keys.append(key)
    return keys


def public_key_of_jwk(jwk: dict[str, Any]) -> PublicKey:
    """Return the public key that *jwk* holds, whatever other members it has.

    Raises:
        InvalidKey: it holds no public key that can be read.
    """
    kind = jwk.get("kty")
    reader = _JWK_READERS.get(str(kind))
    if reader is None:
        raise InvalidKey(Flaw.UNSUPPORTED_KEY, "a JWK of an unknown `kty`")
    numbers = _JWK_NUMBERS[str(kind)]
    for name in numbers:
        _check_number(jwk, name)
    try:
        key = reader.from_jwk({name: jwk[name] for name in ("kty", "crv", *numbers) if name in jwk})
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey(Flaw.UNREADABLE_KEY, "a JWK whose numbers are not a valid key") from None
    if not isinstance(key, PublicKey):
        raise InvalidKey(Flaw.UNSUPPORTED_KEY, "a JWK of a curve that is not accepted")
    return key


def algorithms_of(key: PublicKey) -> frozenset[str]:
    """Return the algorithms that *key* may verify (RFC 7518, sections 3.3 to 3.5; RFC 8037; RFC 9864).

    Raises:
        InvalidKey: it may verify none, because its size or curve is not accepted, or because it is degenerate.
    """
    weakness = _find_weakness(key)
    if weakness is not None:
        raise InvalidKey(Flaw.DEGENERATE_KEY, weakness)
    if isinstance(key, RSAPublicKey):
        algorithms = _RSA if key.key_size >= MIN_RSA_BITS else frozenset[str]()
    elif isinstance(key, EllipticCurvePublicKey):
        algorithms = frozenset(_CURVES[name] for name in (key.curve.name,) if name in _CURVES)
    else:
        algorithms = frozenset({EDDSA, kind_of(key)})
    if not algorithms:
        raise InvalidKey(
            Flaw.UNSUPPORTED_KEY, f"{kind_of(key)}, which may verify nothing: its size or curve is not accepted"
        )
    return algorithms


def slow_weakness_of(key: PublicKey) -> str | None:
    """Say why *key* can be broken at once, or return None. The check takes up to a second: too long for a login."""
    return weakness_of_modulus(key.public_numbers().n) if isinstance(key, RSAPublicKey) else None


def kind_of(key: PublicKey) -> str:
    """Return the kind of *key*, for people: `RSA 2048`, `EC P-256`, `Ed25519`."""
    if isinstance(key, RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, EllipticCurvePublicKey):
        return f"EC {_CURVE_NAMES.get(key.curve.name, key.curve.name)}"
    return "Ed25519" if isinstance(key, Ed25519PublicKey) else "Ed448"


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Return *key* as a JWK with the members that it must have and no other (RFC 7638, section 3.2)."""
    if isinstance(key, RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
    return {member: jwk[member] for member in ("crv", "e", "kty", "n", "x", "y") if member in jwk}


def thumbprint(key: PublicKey) -> str:
    """Return the JWK thumbprint of *key*: SHA-256, unpadded base64url (RFC 7638; RFC 8037, appendix A.3)."""
    text = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return base64url_encode(hashlib.sha256(text.encode("ascii")).digest()).decode("ascii")


def public_pem(key: PublicKey) -> str:
    """Return *key* as a PEM block `PUBLIC KEY`, the form that a secret should have."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def verifies(key: PublicKey, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
    """Tell whether *key* made *signature* over *signing_input*. A malformed signature raises nothing: it is not one."""
    # RFC 8017, section 8.1.2. OpenSSL accepts an RSASSA-PSS signature without its leading zeros, too: a second spelling
    # of the same signature.
    if isinstance(key, RSAPublicKey) and len(signature) != (key.key_size + 7) // 8:
        return False
    try:
        return bool(_ALGORITHMS[algorithm].verify(signing_input, key, signature))
    except (ValueError, UnsupportedAlgorithm):
        return False


def extract_pub_key_from_cert(certificate: str) -> str:
    """Implement `auth_jwt.extract_pub_key_from_cert`."""
    try:
        return public_pem(_read_certified_key(certificate))
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey(Flaw.UNREADABLE_KEY, "no certificate with a readable public key") from None


def extract_pub_key_from_exp_mod(e: str, n: str) -> str:
    """Implement `auth_jwt.extract_pub_key_from_exp_mod`."""
    numbers = RSAPublicNumbers(_read_lenient_number(e), _read_lenient_number(n))
    if numbers.n.bit_length() < _MIN_EXTRACTED_RSA_BITS:
        raise InvalidKey(Flaw.UNSUPPORTED_KEY, "a modulus below 512 bits")
    try:
        return public_pem(numbers.public_key())
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey(Flaw.UNREADABLE_KEY, "numbers that are not a valid RSA key") from None


def _find_weakness(key: PublicKey) -> str | None:
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return weakness_of_rsa(numbers.n, numbers.e)
    if isinstance(key, EllipticCurvePublicKey):
        return weakness_of_point(key.curve.name, key.public_numbers().x)
    return weakness_of_edwards_point(kind_of(key), key.public_bytes_raw())


def _read_certified_key(pem: str) -> Any:  # noqa: ANN401 - whatever kind of key was certified
    with warnings.catch_warnings():
        # `cryptography` warns of odd serial numbers and the like. Here only the key matters.
        warnings.simplefilter("ignore")
        return x509.load_pem_x509_certificate(pem.encode("utf-8")).public_key()


def _check_number(jwk: Mapping[str, Any], name: str) -> None:
    """Refuse a number of a JWK that two readers could read differently. `auth-jwt key mend` can correct such a JWK."""
    text = jwk.get(name)
    if not isinstance(text, str):
        raise InvalidKey(Flaw.MALFORMED_JWK, f"a JWK whose `{name}` is missing or not a string")
    if not _BASE64URL.fullmatch(text):
        what = "not base64url"
        if _ANY_BASE64.fullmatch(text):
            what = "padded" if text.endswith("=") else "in the standard base64 alphabet, not in base64url's"
            what += ": `auth-jwt key mend` corrects it"
        raise InvalidKey(Flaw.MALFORMED_JWK, f"a JWK whose `{name}` is {what}")
    needed = _JWK_OCTETS.get(str(jwk.get("crv")))
    octets = len(text) * 3 // 4
    if jwk.get("kty") != "RSA" and needed is not None and octets != needed:
        raise InvalidKey(
            Flaw.MALFORMED_JWK, f"a JWK whose `{name}` has {octets} octets, but {jwk['crv']} needs {needed}"
        )


def _read_lenient_number(text: object) -> int:
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise InvalidKey(Flaw.UNREADABLE_KEY, "not unpadded base64url")
    whole = text[:-1] if len(text) % 4 == 1 else text
    return int.from_bytes(base64url_decode(whole), "big")

"""Public keys: reading them, what they may verify, and verifying. The only module that loads `cryptography`.

It is imported when a secret first needs it, since it costs more than everything else on the path of an HMAC token.
The cryptography itself is done by PyJWT's algorithm objects.
"""

import hashlib
import json
import re
import warnings
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

from auth_jwt.errors import InvalidKey

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
    "EdDSA": OKPAlgorithm(),
}
_JWK_READERS: Final[dict[str, type[RSAAlgorithm | ECAlgorithm | OKPAlgorithm]]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}
_JWK_NUMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}

_BLOCK = re.compile(r"-----BEGIN ((?:RSA )?PUBLIC KEY|(?:X509 )?CERTIFICATE)-----")
_BEGIN = re.compile(r"(?=-----BEGIN )")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def load_the_rest() -> None:
    """Load what `cryptography` itself loads only at the first signature by an elliptic curve."""
    ECDSA(SHA256())


def public_keys_in_pem(text: str) -> list[PublicKey]:
    """Return the public key of each readable block of *text*: `PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`.

    Other blocks, private keys among them, are passed over. A certificate's dates and chain are not looked at: the
    window of the secret decides.
    """
    keys = []
    for block in _BEGIN.split(text):
        label = _BLOCK.match(block)
        if label is None:
            continue
        try:
            key = _certified_key(block) if "CERTIFICATE" in label[1] else load_pem_public_key(_octets(block))
        except Exception:  # noqa: BLE001, S112 - hostile text in a foreign parser: whatever it is, it is no key
            continue
        if isinstance(key, PublicKey):
            keys.append(key)
    return keys


def public_key_of_jwk(jwk: dict[str, Any]) -> PublicKey:
    """Return the public key that *jwk* holds; InvalidKey when it holds none."""
    kind = jwk.get("kty")
    reader = _JWK_READERS.get(str(kind))
    if reader is None:
        raise InvalidKey("a JWK of an unknown `kty`")
    if not all(_is_base64url(jwk.get(member)) for member in _JWK_NUMBERS[str(kind)]):
        raise InvalidKey("a JWK whose numbers are not unpadded base64url")
    try:
        key = reader.from_jwk(jwk)
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey("a JWK whose numbers make no key") from None
    if not isinstance(key, PublicKey):
        raise InvalidKey("a JWK without a usable public key")
    return key


def algorithms_of(key: PublicKey) -> frozenset[str]:
    """Return what *key* may verify (RFC 7518, sections 3.3 to 3.5; RFC 8037): nothing for small or odd keys."""
    if isinstance(key, RSAPublicKey):
        return _RSA if key.key_size >= MIN_RSA_BITS else frozenset()
    if isinstance(key, EllipticCurvePublicKey):
        algorithm = _CURVES.get(key.curve.name)
        return frozenset({algorithm} if algorithm else ())
    return frozenset({"EdDSA"})


def kind_of(key: PublicKey) -> str:
    """Name the kind of *key*, for people: `RSA 2048`, `EC P-256`, `Ed25519`."""
    if isinstance(key, RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, EllipticCurvePublicKey):
        return f"EC {_CURVE_NAMES.get(key.curve.name, key.curve.name)}"
    return "Ed25519" if isinstance(key, Ed25519PublicKey) else "Ed448"


def thumbprint(key: PublicKey) -> str:
    """Return the JWK thumbprint of *key*: SHA-256, unpadded base64url (RFC 7638; RFC 8037, appendix A.3)."""
    if isinstance(key, RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
    needed = {member: jwk[member] for member in ("crv", "e", "kty", "n", "x", "y") if member in jwk}
    text = json.dumps(needed, sort_keys=True, separators=(",", ":"))
    return base64url_encode(hashlib.sha256(text.encode("ascii")).digest()).decode("ascii")


def public_pem(key: PublicKey) -> str:
    """Return *key* as a `PUBLIC KEY` block, the form that a secret should have."""
    return _pem(key)


def verifies(key: PublicKey, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
    """Tell whether *signature* is *key*'s over *signing_input*; a signature of any other shape is not."""
    # RFC 8017, section 8.1.2: OpenSSL takes an RSASSA-PSS signature without its leading zeros for a second spelling.
    if isinstance(key, RSAPublicKey) and len(signature) != (key.key_size + 7) // 8:
        return False
    try:
        return bool(_ALGORITHMS[algorithm].verify(signing_input, key, signature))
    except (ValueError, UnsupportedAlgorithm):
        return False


def extract_pub_key_from_cert(certificate: str) -> str:
    """Do `auth_jwt.extract_pub_key_from_cert`."""
    try:
        return _pem(_certified_key(certificate))
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey("no certificate with a readable public key") from None


def extract_pub_key_from_exp_mod(e: str, n: str) -> str:
    """Do `auth_jwt.extract_pub_key_from_exp_mod`."""
    numbers = RSAPublicNumbers(_lenient_number(e), _lenient_number(n))
    if numbers.n.bit_length() < _MIN_EXTRACTED_RSA_BITS:
        raise InvalidKey("a modulus below 512 bits")
    try:
        return _pem(numbers.public_key())
    except Exception:  # noqa: BLE001 - as above
        raise InvalidKey("numbers that make no RSA key") from None


def _certified_key(pem: str) -> Any:  # noqa: ANN401 - whatever kind of key was certified
    with warnings.catch_warnings():
        # Odd serial numbers and the like are deprecated there, and no matter here: only the key is used.
        warnings.simplefilter("ignore")
        return x509.load_pem_x509_certificate(_octets(pem)).public_key()


def _pem(key: Any) -> str:  # noqa: ANN401 - any public key object of cryptography
    octets: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return octets.decode("ascii")


def _octets(text: str) -> bytes:
    return text.encode("utf-8")


def _is_base64url(value: object) -> bool:
    return isinstance(value, str) and _BASE64URL.fullmatch(value) is not None


def _lenient_number(text: object) -> int:
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise InvalidKey("not unpadded base64url")
    whole = text[:-1] if len(text) % 4 == 1 else text
    return int.from_bytes(base64url_decode(whole), "big")

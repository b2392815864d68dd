"""What a row's secret holds, and whether a key signed a token: "What a `secret` may hold" of section 3.

For text that may be an HMAC secret or something else the contract has a long rule ("can be nothing else"). The model
says yes where a text is plainly made up, no where it is plainly something else, and `UNSURE` in between: then both
answers are right here, and the recogniser's own tests decide.
"""

import base64
import hashlib
import hmac
import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.model.curves import ED448, ED25519, is_generator, is_weak_edwards
from tests.model.json_text import NotStrict, read_object
from tests.model.tokens import Token

HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The algorithms of HMAC, and the least size of their keys in bytes."""

_RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
_CURVES: dict[str, tuple[str, type[ec.EllipticCurve], int]] = {
    "P-256": ("ES256", ec.SECP256R1, 32),
    "P-384": ("ES384", ec.SECP384R1, 48),
    "P-521": ("ES512", ec.SECP521R1, 66),
}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth")
_PUBLISHED = Path(__file__).parents[1] / "keys" / "published.json"

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey


class Usable(Enum):
    """Whether a secret or a key may verify anything."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


@dataclass
class Key:
    """One candidate key, and the algorithms that fit its kind."""

    material: bytes | PublicKey
    algorithms: set[str]
    kid: str | None = None
    usable: Usable = Usable.YES


# -- a row ------------------------------------------------------------------------------------------------------------


def keys_of_row(secret: object, named: set[str] | None, *, requires_alg: bool) -> list[Key]:
    """Return the keys of a row that holds *secret*, narrowed to what its `alg` names; None where it has no `alg`."""
    says_what_it_is = named is not None and (named <= set(HMAC) or not named & set(HMAC))
    if requires_alg and not says_what_it_is:
        return []
    keys = keys_of_text(secret, named if says_what_it_is else None)
    if named is not None:
        if named & {"EdDSA", "Ed25519", "Ed448"}:  # two names of one algorithm, for keys of a curve
            for key in keys:
                own = key.algorithms & {"Ed25519", "Ed448"}
                if own and named & (own | {"EdDSA"}):
                    named = named | own | {"EdDSA"}
        for key in keys:
            key.algorithms &= named
    return [key for key in keys if not _everybody_has(key)]


def keys_of_text(secret: object, named: set[str] | None) -> list[Key]:
    """Return the keys in a text. *named* is what the row's `alg` names, where that says what the key is."""
    if not isinstance(secret, str) or not secret:
        return []
    start = secret.lstrip(" \t\r\n\v\f\0\ufeff\u200b\u200c\u200d\u2060\u180e\u00a0\u0085\u2028\u2029\x1c\x1d\x1e\x1f")
    if start.lower().startswith(("arn:", "https://")):
        return []
    if "-----begin" in secret.lower():
        return _keys_of_pem(secret)
    document = _json_of(secret)
    if document is not None and ("kty" in document or "keys" in document):
        return _keys_of_document(document)
    if named is not None and not named & set(HMAC):
        return []
    try:
        octets = secret.encode("utf-8")
    except UnicodeEncodeError:
        return []
    usable = _can_be_a_secret(secret, is_stated=named is not None)
    return [] if usable is Usable.NO else [Key(octets, set(HMAC), usable=usable)]


# -- public keys and JWKs ---------------------------------------------------------------------------------------------


def _keys_of_pem(text: str) -> list[Key]:
    keys = []
    for block in re.split(r"(?=-----BEGIN )", text):
        label = re.match(r"-----BEGIN ([^-]*)-----", block)
        if label is None or label[1] not in ("PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", "X509 CERTIFICATE"):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                key: Any = (
                    x509.load_pem_x509_certificate(block.encode()).public_key()
                    if label[1].endswith("CERTIFICATE")
                    else load_pem_public_key(block.encode())
                )
        except Exception:  # noqa: BLE001 - whatever a foreign parser raises, it is no key
            continue
        keys += _as_keys(key)
    return keys


def _as_keys(key: object, kid: str | None = None) -> list[Key]:
    """Return *key* with what fits its kind, or nothing for keys of other kinds and sizes, and for degenerate ones."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        if numbers.n.bit_length() >= 2048 and numbers.n % 2 and numbers.e % 2 and numbers.e >= 3:
            return [Key(key, set(_RSA), kid)]
    elif isinstance(key, ec.EllipticCurvePublicKey):
        for algorithm, curve, _ in _CURVES.values():
            if isinstance(key.curve, curve) and not is_generator(key):
                return [Key(key, {algorithm}, kid)]
    elif isinstance(key, ed25519.Ed25519PublicKey):
        if not is_weak_edwards(ED25519, key.public_bytes_raw()):
            return [Key(key, {"EdDSA", "Ed25519"}, kid)]
    elif isinstance(key, ed448.Ed448PublicKey) and not is_weak_edwards(ED448, key.public_bytes_raw()):
        return [Key(key, {"EdDSA", "Ed448"}, kid)]
    return []


def _json_of(text: str) -> dict[str, Any] | None:
    try:
        return read_object(text.encode("utf-8"))
    except (NotStrict, UnicodeEncodeError):
        return None


def _keys_of_document(document: dict[str, Any]) -> list[Key]:
    if document.get("kty") is not None:
        return _keys_of_jwk(document)
    keys = document.get("keys")
    return [key for jwk in keys for key in _keys_of_jwk(jwk)] if isinstance(keys, list) else []


def _keys_of_jwk(given: object) -> list[Key]:
    if not isinstance(given, dict):
        return []
    jwk = {name: value for name, value in given.items() if value is not None}
    if any(name in jwk and not isinstance(jwk[name], str) for name in ("kty", "alg", "kid", "use")):
        return []
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return []
    keys = _keys_of_numbers(jwk)
    if "alg" in jwk:
        for key in keys:
            own = key.algorithms
            key.algorithms = own if jwk["alg"] in own and "EdDSA" in own else own & {jwk["alg"]}
    return keys


def _keys_of_numbers(jwk: dict[str, Any]) -> list[Key]:
    kid = jwk.get("kid")
    if jwk.get("kty") == "oct":
        octets = _octets(jwk.get("k"))
        return [Key(octets, set(HMAC), kid, _can_be_octets(octets))] if octets else []
    if any(jwk.get(name) not in (None, "", []) for name in _PRIVATE_MEMBERS):
        return []
    try:
        return _as_keys(_public_key_of(jwk), kid)
    except Exception:  # noqa: BLE001 - as above
        return []


def _public_key_of(jwk: dict[str, Any]) -> PublicKey | None:
    """Return the key of a JWK's numbers; None where one is missing, or has not the octets that its curve needs."""
    kind, curve = jwk.get("kty"), jwk.get("crv")
    n, e, x, y = (_octets(jwk.get(name)) for name in ("n", "e", "x", "y"))
    if kind == "RSA" and n and e:
        return rsa.RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big")).public_key()
    if kind == "EC" and curve in _CURVES and x and y:
        _, own, size = _CURVES[curve]
        point = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), own())
        return point.public_key() if len(x) == len(y) == size else None
    if kind == "OKP" and curve == "Ed25519" and x:
        return ed25519.Ed25519PublicKey.from_public_bytes(x)
    if kind == "OKP" and curve == "Ed448" and x:
        return ed448.Ed448PublicKey.from_public_bytes(x)
    return None


def _octets(text: object) -> bytes | None:
    """Decode unpadded base64url, whose unused last bits may be anything."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", text) or len(text) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# -- text that may be an HMAC secret ----------------------------------------------------------------------------------

_NAMED = re.compile(
    r"kty|rsa|-----|begin|certificate|public|private|key|modulus|exponent|jwk|ssh|ecdsa|ed25519|ed448|nist|arn|//|://"
    r"|did:|ssm|s3:|k[1-4]\.|v=|dkim|minisign|resolve|https?|file|x5c|crv|[{}<>\[\]\\&%=]{2}|[{<%&\\]"
    r"|\b(?:n|e|x|y|k|d)\b\W{0,3}[=:]",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-z',.!? -]{1,100}|(?:[A-Za-z]{1,12}[-_ ,.!?']{1,2}){1,16}[A-Za-z0-9!?.]{0,12}")
_RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{1,128}")
_NESTED = re.compile(rb"\x30.{1,4}[\x30\x02]", re.DOTALL)  # DER: a list that begins with a list or a number
_PLAINLY_LONG = 1024


def _can_be_a_secret(text: str, *, is_stated: bool) -> Usable:
    """Say whether a text can be an HMAC secret: where its row says so, or where it can be nothing else."""
    if not is_stated and len(text) > _PLAINLY_LONG:
        return Usable.NO
    if len(text) > 128 or not text.isascii() or not text.isprintable() or _NAMED.search(text):
        return Usable.UNSURE
    if _WORDS.fullmatch(text) and max(map(len, re.split(r"[^A-Za-z0-9]+", text))) <= 20:
        return Usable.YES
    if not _RANDOM.fullmatch(text):
        return Usable.UNSURE
    return Usable.UNSURE if any(map(_begins_as_a_structure, _decodings(text))) else Usable.YES


def _can_be_octets(octets: bytes) -> Usable:
    """Say whether the octets of an `oct` JWK can be an HMAC key: likewise, and size alone says nothing."""
    try:
        return _can_be_a_secret(octets.decode("ascii"), is_stated=True)
    except UnicodeDecodeError:
        if _NAMED.search(octets.decode("utf-8", "ignore")):
            return Usable.UNSURE
        is_plain = len(octets) <= 64 and not _begins_as_a_structure(octets) and 0x30 not in octets
        return Usable.YES if is_plain else Usable.UNSURE


def _decodings(text: str) -> Iterator[bytes]:
    """Yield what a run of base64 or hex may encode, from each of its first places on, or a text of base32."""
    if re.fullmatch("[A-Za-z2-7]+=*", text):
        run = text.upper().rstrip("=")
        yield base64.b32decode(run[: len(run) // 8 * 8])
    letters = re.sub(r"[^A-Za-z0-9+/_]|-", lambda one: "-" if one[0] == "-" else "", text)
    letters = letters.replace("-", "+").replace("_", "/")
    for at in range(4):
        run = letters[at:]
        yield base64.b64decode(run[: len(run) // 4 * 4])
    for at in range(2):
        digits = re.sub(r"[^0-9A-Fa-f]", "", text)[at:]
        yield bytes.fromhex(digits[: len(digits) // 2 * 2])


def _begins_as_a_structure(octets: bytes) -> bool:
    """Tell whether octets hold what a key could begin with: DER, an identifier, an SSH blob, OpenPGP, a point, text."""
    identifiers = (b"\x06\x03\x2b", b"\x06\x05\x2b", b"\x2a\x81", b"\x2a\x85", b"\x2a\x86", b"\x2b\x06", b"\x60\x86")
    marks = (
        *identifiers,
        b"0\x80",
        b"0\x81",
        b"0\x82",
        b"\x02\x81",
        b"\x02\x82",
        b"\0\0\0",
        b"\x04\x20",
        b"\x04\x40",
        b"\x03\x42",
    )
    if octets[:1] in (b"0", b"\x00", b"\x02", b"\x03", b"\x04", b"\x98", b"\x99", b"\xc6"):
        return True
    has_mark = any(mark in octets for mark in marks) or _NESTED.search(octets) is not None
    return has_mark or (len(octets) >= 16 and octets.isascii())


# -- keys that everybody has ------------------------------------------------------------------------------------------


def _everybody_has(key: Key) -> bool:
    material = key.material
    if not isinstance(material, bytes):
        return _numbers_of(material) in _published()[1]
    if _shows_nothing(material):
        return True
    return material.strip(b"\0\t\n\r ") in _published()[0]


def _shows_nothing(octets: bytes) -> bool:
    """Tell whether two bytes or more are blanks, NULs or zero-width characters, in UTF-8 or UTF-16."""
    if len(octets) < 2:
        return False
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        try:
            text = octets.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(one.isspace() or one == "\0" or unicodedata.category(one) == "Cf" for one in text):
            return True
    return False


@lru_cache(maxsize=1)
def _published() -> tuple[set[bytes], set[tuple[object, ...]]]:
    """Return the octets and the public numbers of the keys that `tests/keys/published.json` lists."""
    data = json.loads(_PUBLISHED.read_text("utf-8"))
    octets = {reading for entry in data["hmac_keys"] for text in entry["keys"] for reading in _readings(text)}
    numbers = set()
    for entry in data["public_keys"]:
        for key in _keys_of_numbers(entry["jwk"]):
            assert not isinstance(key.material, bytes)
            numbers.add(_numbers_of(key.material))
    return octets, numbers


def _readings(text: str) -> Iterator[bytes]:
    yield text.encode().strip(b"\0\t\n\r ")
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    with suppress(ValueError):
        yield from _if_eight(base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True))
    with suppress(ValueError):
        yield from _if_eight(bytes.fromhex(text))


def _if_eight(octets: bytes) -> list[bytes]:
    return [octets.strip(b"\0\t\n\r ")] if len(octets) >= 8 else []


def _numbers_of(key: PublicKey) -> tuple[object, ...]:
    if isinstance(key, rsa.RSAPublicKey):
        return ("RSA", key.public_numbers().n, key.public_numbers().e)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return (key.curve.name, key.public_numbers().x, key.public_numbers().y)
    return (type(key).__name__, key.public_bytes_raw())


# -- signatures -------------------------------------------------------------------------------------------------------


def signed_by(key: Key, token: Token, least_hmac_bytes: int | None) -> Usable:
    """Say whether *key* signed *token*, and may say so."""
    algorithm = token.algorithm
    if algorithm not in key.algorithms:
        return Usable.NO
    if token.kid is not None and key.kid is not None and token.kid != key.kid:
        return Usable.NO
    if isinstance(key.material, bytes):
        if len(key.material) < (least_hmac_bytes or HMAC[algorithm]):
            return Usable.NO
        mac = hmac.new(key.material, token.signed, getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        return key.usable if mac == token.signature else Usable.NO
    return key.usable if _verifies(key.material, algorithm, token) else Usable.NO


def _verifies(key: PublicKey, algorithm: str, token: Token) -> bool:
    signature, signed = token.signature, token.signed
    try:
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
            return True
        digest = _HASHES[algorithm[2:]]()
        if isinstance(key, rsa.RSAPublicKey):
            scheme: Any = padding.PKCS1v15()
            if algorithm.startswith("PS"):
                scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
            key.verify(signature, signed, scheme, digest)
            return True
        size = (key.key_size + 7) // 8
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True

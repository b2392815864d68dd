"""Secret text -> typed verification keys.

What a secret holds decides what it may verify, never the token: public keys, certificates and JWKs verify their own
algorithms, and only text that is none of these is an HMAC key. Key material in a form that is not read here (an
OpenSSH line, bare base64 of a DER key, a JWK in a list, ...) verifies nothing at all: taken as HMAC text, it would let
in whoever knows the public key (CVE-2022-29217 and its many relatives).
"""

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import InvalidKey
from auth_jwt.lookalikes import is_key_material, what_octets_are
from auth_jwt.tokens import strict_json_object

if TYPE_CHECKING:
    from hmac import HMAC

    from auth_jwt.asymmetric import PublicKey

HMAC_ALGORITHMS: Final = frozenset({"HS256", "HS384", "HS512"})
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})

# Whatever a person may take for nothing, zero-width characters and NUL among it.
_BLANK = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_BLANKS = re.compile(f"{_BLANK}+")
_REFERENCE = re.compile(f"{_BLANK}*(?:arn:|https://)", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN", re.IGNORECASE)
# Every repetition below is bounded: a key may come with a request, and no text may make the search slow.
_KTY = re.compile(r"""["']kty\\{0,8}["']\s{0,64}:""")
_STRICT_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)  # no slots: cached_property keeps what was prepared in the instance
class VerificationKey:
    """One candidate: what it may verify, and the key itself, which no `repr` shows.

    Attributes:
        algorithms: the `alg` values this key may verify.
        material: HMAC key bytes, or a public key object.
        kid: the key's own id, when it has one.
    """

    algorithms: frozenset[str]
    material: "bytes | PublicKey" = field(repr=False)
    kid: str | None = None

    @cached_property
    def prepared(self) -> "dict[str, HMAC]":
        """An HMAC key as `hmac` has taken it in, under the algorithm last asked for (RFC 2104, section 4)."""
        return {}


def verification_keys(secret: object) -> tuple[VerificationKey, ...]:
    """Read what a *secret* holds; every key returned can verify at least one algorithm.

    Raises:
        InvalidKey: nothing in it may ever verify; the message says why, without the text.
    """
    if not isinstance(secret, str):
        raise InvalidKey("not text")
    # A secret that reads as empty in C (the module stops at a NUL) is longer here: the whole text counts.
    if not secret:
        raise InvalidKey("empty")
    if _REFERENCE.match(secret):
        raise InvalidKey("a reference, which this version does not resolve")
    if _PEM.search(secret):
        return _from_pem(secret)
    document = _json_document(secret)
    if isinstance(document, dict) and ("kty" in document or "keys" in document):
        return _from_jwk_text(document)
    if _KTY.search(secret) or _names_kty(document):
        raise InvalidKey("JSON with a `kty` that is neither a JWK nor a JWKS")
    if is_key_material(secret):
        raise InvalidKey("key material in a form that is not read (OpenSSH, RFC 4716, base64 or hex of a DER key)")
    try:
        return (VerificationKey(HMAC_ALGORITHMS, secret.encode("utf-8")),)
    except UnicodeEncodeError:
        raise InvalidKey("text that is not valid Unicode") from None


def _from_pem(text: str) -> tuple[VerificationKey, ...]:
    from auth_jwt import asymmetric

    keys = [
        VerificationKey(algorithms, key)
        for key in asymmetric.public_keys_in_pem(text)
        if (algorithms := asymmetric.algorithms_of(key))
    ]
    if not keys:
        raise InvalidKey("PEM without a public key or certificate that may verify (type, size or curve)")
    return tuple(keys)


def _from_jwk_text(document: dict[str, Any]) -> tuple[VerificationKey, ...]:
    entries = [document] if "kty" in document else document["keys"]
    if not isinstance(entries, list):
        raise InvalidKey("a JWKS whose `keys` is not a list")
    keys, problems = [], []
    for entry in entries:
        try:
            keys.append(_from_jwk(entry))
        except InvalidKey as problem:  # one bad key of a set does not spoil the others
            problems.append(str(problem))
    if not keys:
        raise InvalidKey("; ".join(dict.fromkeys(problems)) or "a JWKS without keys")
    return tuple(keys)


def _from_jwk(jwk: object) -> VerificationKey:
    """Read one JWK (RFC 7517; RFC 7518, section 6; RFC 8037)."""
    if not isinstance(jwk, dict):
        raise InvalidKey("a JWK that is not an object")
    for member in ("kty", "alg", "kid", "use"):
        if member in jwk and not isinstance(jwk[member], str):
            raise InvalidKey(f"a JWK whose `{member}` is not a string")
    if jwk.get("use", "sig") != "sig":
        raise InvalidKey("a JWK whose `use` is not `sig`")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise InvalidKey("a JWK whose `key_ops` lack `verify`")
    algorithms, material = _jwk_material(jwk)
    if "alg" in jwk:
        algorithms &= {jwk["alg"]}
    if not algorithms:
        raise InvalidKey("a JWK that may verify nothing (type, size, curve or its own `alg`)")
    return VerificationKey(algorithms, material, jwk.get("kid"))


def _jwk_material(jwk: dict[str, Any]) -> "tuple[frozenset[str], bytes | PublicKey]":
    if jwk.get("kty") == "oct":
        octets = _octets(jwk.get("k"))
        if what_octets_are(octets):
            raise InvalidKey("an `oct` JWK that holds another key")
        return HMAC_ALGORITHMS, octets
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise InvalidKey("a private JWK")
    from auth_jwt import asymmetric

    key = asymmetric.public_key_of_jwk(jwk)
    return asymmetric.algorithms_of(key), key


def _octets(k: object) -> bytes:
    if not isinstance(k, str) or not _STRICT_BASE64URL.fullmatch(k) or len(k) % 4 == 1:
        raise InvalidKey("an `oct` JWK whose `k` is not unpadded base64url")
    return b64decode(k + "=" * (-len(k) % 4), altchars=b"-_")


def _json_document(text: str) -> Any:  # noqa: ANN401 - any JSON value, None when it is none
    """Return what *text* holds as JSON; a JWK is read strictly, or two readers could see two keys in it."""
    try:
        return strict_json_object(text)
    except (ValueError, RecursionError):
        pass
    try:
        document = json.loads(_BLANKS.sub(" ", text))
    except (ValueError, RecursionError):
        return None
    return [document]  # readable, but not strictly an object: whatever is in it is not a JWK


def _names_kty(document: object) -> bool:
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "kty" in item:
                return True
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False

"""Secret text -> typed verification keys.

What a secret holds decides what it may verify, never the token: public keys, certificates and JWKs verify their own
algorithms. Text is an HMAC key where its row says so, or where it can be nothing else: a public key that is taken for
HMAC text lets in whoever knows it (CVE-2022-29217 and its many relatives; `auth_jwt.jose.lookalikes`).
"""

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Flaw, InvalidKey
from auth_jwt.jose.lookalikes import is_key_material, what_else, what_octets_are
from auth_jwt.jose.published import is_blank, is_published
from auth_jwt.jose.tokens import EDDSA, strict_json_object

if TYPE_CHECKING:
    from hmac import HMAC

    from auth_jwt.jose.asymmetric import PublicKey

HMAC_ALGORITHMS: Final = frozenset({"HS256", "HS384", "HS512"})
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_NOTHING: Final[tuple[object, ...]] = (None, "", [])
"""What a server prints for a member that its key does not have."""

# Whatever a person may take for nothing, zero-width characters and NUL among it.
_BLANK = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_BLANKS = re.compile(f"{_BLANK}+")
_REFERENCE = re.compile(f"{_BLANK}*(?:arn:|https://)", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN", re.IGNORECASE)
_PRIVATE_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY", re.IGNORECASE)
_LITERAL_BREAK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}-----\\+[nr]", re.IGNORECASE)
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


def verification_keys(secret: object, *, declared: frozenset[str] | None = None) -> tuple[VerificationKey, ...]:
    """Read what a *secret* holds; every key returned can verify at least one algorithm.

    Args:
        secret: what the row or the caller gives.
        declared: the algorithms that the row's `alg` names; None when nothing says what the key is for. What is read
            has to agree, and text is an HMAC key only if `alg` says so, or if it can be nothing else.

    Raises:
        InvalidKey: nothing in it may ever verify; the message says why, without the text.
    """
    if not isinstance(secret, str):
        raise InvalidKey(Flaw.NOT_TEXT, "not text")
    # A secret that reads as empty in C (the module stops at a NUL) is longer here: the whole text counts.
    if not secret:
        raise InvalidKey(Flaw.EMPTY, "empty")
    if _REFERENCE.match(secret):
        raise InvalidKey(Flaw.REFERENCE, "a reference, which this version does not resolve")
    return _agreeing(_keys_in(secret, declared), declared)


def unpublished(keys: tuple[VerificationKey, ...]) -> tuple[VerificationKey, ...]:
    """Return those of a row's *keys* that not everybody has: none that is blank, or printed in an RFC, say.

    Raises:
        InvalidKey: there are none.
    """
    flaws = [_known_to_all(key) for key in keys]
    unknown = tuple(key for key, flaw in zip(keys, flaws, strict=True) if flaw is None)
    if not unknown:
        raise next(flaw for flaw in flaws if flaw is not None)
    return unknown


def agreed(algorithms: frozenset[str], named: frozenset[str]) -> frozenset[str]:
    """Return which of a key's *algorithms* remain where only those *named* may be verified.

    `EdDSA` and the name of the curve are two names of one algorithm (RFC 9864, section 2.2): either of them names both.
    """
    common = algorithms & named
    return algorithms if common and EDDSA in algorithms else common


def _keys_in(secret: str, declared: frozenset[str] | None) -> tuple[VerificationKey, ...]:
    if _PEM.search(secret):
        return _from_pem(secret)
    document = _json_document(secret)
    if isinstance(document, dict) and ("kty" in document or "keys" in document):
        return _from_jwk_text(document)
    if _KTY.search(secret) or _names_kty(document):
        raise InvalidKey(Flaw.KEY_MATERIAL, "JSON with a `kty` that is neither a JWK nor a JWKS")
    _refuse_lookalikes(secret, declared)
    try:
        return (VerificationKey(HMAC_ALGORITHMS, secret.encode("utf-8")),)
    except UnicodeEncodeError:
        raise InvalidKey(Flaw.NOT_UNICODE, "text that is not valid Unicode") from None


def _refuse_lookalikes(text: str, declared: frozenset[str] | None) -> None:
    """Refuse *text* that is no HMAC secret, or, where the row's `alg` does not say that it is one, that may be none."""
    if declared is not None and declared.isdisjoint(HMAC_ALGORITHMS):
        raise InvalidKey(Flaw.ALG_DISAGREES, "the row's `alg` names no HMAC, and the text is no public key")
    is_stated = declared is not None and declared <= HMAC_ALGORITHMS
    doubt = None if is_stated else what_else(text)
    if (is_stated or doubt) and is_key_material(text):
        raise InvalidKey(
            Flaw.KEY_MATERIAL, "key material in a form that is not read (OpenSSH, RFC 4716, base64 or hex of a DER key)"
        )
    if doubt:
        raise InvalidKey(
            Flaw.IN_DOUBT,
            f"not surely an HMAC secret ({doubt}): if it is one, let the row's `alg` say so, as HS256 does",
        )


def _agreeing(keys: tuple[VerificationKey, ...], declared: frozenset[str] | None) -> tuple[VerificationKey, ...]:
    if declared is None:
        return keys
    narrowed = [replace(key, algorithms=common) for key in keys if (common := agreed(key.algorithms, declared))]
    if not narrowed:
        possible = sorted(frozenset[str]().union(*(key.algorithms for key in keys)))
        raise InvalidKey(
            Flaw.ALG_DISAGREES, f"the row's `alg` names none of what its key verifies: {', '.join(possible)}"
        )
    return tuple(narrowed)


def _known_to_all(key: VerificationKey) -> InvalidKey | None:
    material = key.material
    if isinstance(material, bytes) and is_blank(material):
        return InvalidKey(Flaw.BLANK_KEY, "an HMAC key of nothing but blanks, NULs or zero-width characters")
    if is_published(material):
        return InvalidKey(
            Flaw.PUBLISHED_KEY, "a key that is printed in an RFC or on a well-known page: everybody has it"
        )
    return None


def _from_pem(text: str) -> tuple[VerificationKey, ...]:
    from auth_jwt.jose import asymmetric

    keys, flaws = [], []
    for key in asymmetric.public_keys_in_pem(text):
        try:
            keys.append(VerificationKey(asymmetric.algorithms_of(key), key))
        except InvalidKey as flaw:
            flaws.append(flaw)
    if keys:
        return tuple(keys)
    raise flaws[0] if flaws else _unreadable_pem(text)


def _unreadable_pem(text: str) -> InvalidKey:
    """Say why there is no public key in *text*, and what makes one of it."""
    if _LITERAL_BREAK.search(text):
        what = "a JSON map of key ids to PEM" if text.lstrip().startswith("{") else "PEM with `\\n` for line breaks"
        return InvalidKey(Flaw.UNREADABLE_KEY, f"{what}: `auth-jwt key mend` writes the keys in it as PEM")
    if _PRIVATE_PEM.search(text):
        return InvalidKey(
            Flaw.PRIVATE_KEY, "a private key, which only its owner may have: `auth-jwt key mend` writes its public key"
        )
    return InvalidKey(
        Flaw.UNREADABLE_KEY, "PEM without a public key or certificate that can be read: damaged, or of another kind"
    )


def _from_jwk_text(document: dict[str, Any]) -> tuple[VerificationKey, ...]:
    entries = [document] if document.get("kty") is not None else document.get("keys")
    if not isinstance(entries, list):
        raise InvalidKey(Flaw.MALFORMED_JWK, "a JWK without `kty`, or a JWKS whose `keys` is not a list")
    keys, problems = [], []
    for entry in entries:
        try:
            keys.append(_from_jwk(entry))
        except InvalidKey as problem:  # one bad key of a set does not spoil the others
            problems.append(problem)
    if not keys:
        words = "; ".join(dict.fromkeys(map(str, problems)))
        raise InvalidKey(problems[0].flaw if problems else Flaw.MALFORMED_JWK, words or "a JWKS without keys")
    return tuple(keys)


def _from_jwk(entry: object) -> VerificationKey:
    """Read one JWK (RFC 7517; RFC 7518, section 6; RFC 8037). A member that is null is absent."""
    if not isinstance(entry, dict):
        raise InvalidKey(Flaw.MALFORMED_JWK, "a JWK that is not an object")
    jwk = {name: value for name, value in entry.items() if value is not None}
    for member in ("kty", "alg", "kid", "use"):
        if member in jwk and not isinstance(jwk[member], str):
            raise InvalidKey(Flaw.MALFORMED_JWK, f"a JWK whose `{member}` is not a string")
    if jwk.get("use", "sig") != "sig":
        raise InvalidKey(Flaw.NOT_FOR_VERIFYING, "a JWK whose `use` is not `sig`")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise InvalidKey(Flaw.NOT_FOR_VERIFYING, "a JWK whose `key_ops` lack `verify`")
    algorithms, material = _jwk_material(jwk)
    if "alg" in jwk:
        algorithms = agreed(algorithms, frozenset({jwk["alg"]}))
        if not algorithms:
            raise InvalidKey(Flaw.ALG_DISAGREES, "a JWK whose own `alg` names nothing that its key verifies")
    return VerificationKey(algorithms, material, jwk.get("kid"))


def _jwk_material(jwk: dict[str, Any]) -> "tuple[frozenset[str], bytes | PublicKey]":
    if jwk.get("kty") == "oct":
        octets = _octets(jwk.get("k"))
        if holds := what_octets_are(octets):
            raise InvalidKey(Flaw.KEY_MATERIAL, f"an `oct` JWK that may hold another key ({holds})")
        return HMAC_ALGORITHMS, octets
    if any(jwk.get(member) not in _NOTHING for member in _PRIVATE_MEMBERS):
        raise InvalidKey(
            Flaw.PRIVATE_KEY, "a private JWK, which only its owner may have: `auth-jwt key mend` writes its public key"
        )
    from auth_jwt.jose import asymmetric

    key = asymmetric.public_key_of_jwk(jwk)
    return asymmetric.algorithms_of(key), key


def _octets(k: object) -> bytes:
    if not isinstance(k, str) or not _STRICT_BASE64URL.fullmatch(k) or len(k) % 4 == 1:
        raise InvalidKey(Flaw.MALFORMED_JWK, "an `oct` JWK whose `k` is not unpadded base64url")
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

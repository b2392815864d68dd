"""Reads the text of a secret, and makes typed verification keys of it.

The secret decides what it may verify, and the token never does: public keys, certificates and JWKs verify their own
algorithms. Text is an HMAC key only if its row says so, or if it can be nothing else. A public key that is used as an
HMAC key lets in everybody who knows it (CVE-2022-29217 and its many relatives; see `auth_jwt.jose.lookalikes`).
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Flaw, InvalidKey
from auth_jwt.jose.lookalikes import is_key_material, what_else, what_octets_are
from auth_jwt.jose.published import is_blank, is_published
from auth_jwt.jose.tokens import EDDSA, HMAC_ALGORITHMS
from auth_jwt.strict_json import strict_json_object

if TYPE_CHECKING:
    from hmac import HMAC

    from auth_jwt.jose.asymmetric import PublicKey

_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "priv"})
_ABSENT_VALUES: Final[tuple[object, ...]] = (None, "", [])
"""What a server may write for a member that its key does not have."""

# Blanks, NUL, and the zero-width characters that come along when text is copied. There are more invisible characters:
# `auth_jwt.jose.published` knows them all, to recognize a key that shows nothing.
_BLANK = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_BLANKS = re.compile(f"{_BLANK}+")
_REFERENCE = re.compile(f"{_BLANK}*(?:arn:|https://)", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN", re.IGNORECASE)
_PRIVATE_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY", re.IGNORECASE)
_LITERAL_BREAK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,32}-----\\+[nr]", re.IGNORECASE)
# Every repetition below is bounded: a request may bring a key, and no text may make the search slow.
_KTY = re.compile(r"""["']kty\\{0,8}["']\s{0,64}:""")
_STRICT_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)  # no slots: cached_property keeps the prepared key in the instance
class VerificationKey:
    """One candidate key, and what it may verify. Its `repr` never shows the key.

    Attributes:
        algorithms: the `alg` values that this key may verify.
        material: the bytes of an HMAC key, or a public key object.
        kid: the key's own id; None when it has none.
    """

    algorithms: frozenset[str]
    material: "bytes | PublicKey" = field(repr=False)
    kid: str | None = None

    @cached_property
    def prepared(self) -> "dict[str, HMAC]":
        """The HMAC object with this key prepared, by the algorithm used last (RFC 2104, section 4)."""
        return {}


def verification_keys(secret: object, *, declared: frozenset[str] | None = None) -> tuple[VerificationKey, ...]:
    """Return the keys in a *secret*. Each of them can verify at least one algorithm.

    Args:
        secret: the value from the row or the caller.
        declared: the algorithms that the row's `alg` names; None when the row has no `alg`. The keys must agree with
            it. Text is an HMAC key only if `alg` names HMAC algorithms alone, or if the text can be nothing else.

    Raises:
        InvalidKey: nothing in the secret may ever verify. The message says why and never holds the text.
    """
    if not isinstance(secret, str):
        raise InvalidKey(Flaw.NOT_TEXT, "not text")
    # The OpenSIPS module stops at a NUL, as C does. Here the whole text counts: one that begins with NUL is not empty.
    if not secret:
        raise InvalidKey(Flaw.EMPTY, "empty")
    if _REFERENCE.match(secret):
        raise InvalidKey(Flaw.REFERENCE, "a reference, which this version does not resolve")
    return _narrow_keys(_read_keys(secret, declared), declared)


def refuse_published(keys: tuple[VerificationKey, ...]) -> tuple[VerificationKey, ...]:
    """Return a row's *keys* without those that everybody has: blank keys, and keys printed in an RFC, for example.

    Raises:
        InvalidKey: no key is left.
    """
    flaws = [_find_disclosure(key) for key in keys]
    unpublished = tuple(key for key, flaw in zip(keys, flaws, strict=True) if flaw is None)
    if not unpublished:
        raise next(flaw for flaw in flaws if flaw is not None)
    return unpublished


def allowed_algorithms(algorithms: frozenset[str], named: frozenset[str]) -> frozenset[str]:
    """Return those of a key's *algorithms* that are also *named*.

    `EdDSA` and the name of the curve are two names of one algorithm (RFC 9864, section 2.2), so either names both.
    """
    common = algorithms & named
    return algorithms if common and EDDSA in algorithms else common


def read_jwk(entry: object) -> VerificationKey:
    """Read one JWK (RFC 7517; RFC 7518, section 6; RFC 8037). A member that is null counts as absent.

    Raises:
        InvalidKey: it may verify nothing. The message says why and never holds the key.
    """
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
        raise InvalidKey(Flaw.NOT_FOR_VERIFYING, "a JWK whose `key_ops` does not include `verify`")
    algorithms, material = _read_jwk_material(jwk)
    if "alg" in jwk:
        algorithms = allowed_algorithms(algorithms, frozenset({jwk["alg"]}))
        if not algorithms:
            raise InvalidKey(Flaw.ALG_DISAGREES, "a JWK whose own `alg` names no algorithm that its key verifies")
    return VerificationKey(algorithms, material, jwk.get("kid"))


def holds_private_member(jwk: Mapping[str, Any]) -> bool:
    """Tell whether *jwk* has a member that only private keys have.

    They are those of RFC 7518, sections 6.2.2 and 6.3.2, and `priv` of the AKP keys of ML-DSA.
    """
    return any(jwk.get(member) not in _ABSENT_VALUES for member in _PRIVATE_MEMBERS)


def _read_keys(secret: str, declared: frozenset[str] | None) -> tuple[VerificationKey, ...]:
    if _PEM.search(secret):
        return _read_pem(secret)
    document = _read_json(secret)
    if isinstance(document, dict) and ("kty" in document or "keys" in document):
        return _read_jwk_document(document)
    if _KTY.search(secret) or _holds_kty(document):
        raise InvalidKey(Flaw.KEY_MATERIAL, "JSON with a `kty` that is neither a JWK nor a JWKS")
    _refuse_lookalikes(secret, declared)
    try:
        return (VerificationKey(HMAC_ALGORITHMS, secret.encode("utf-8")),)
    except UnicodeEncodeError:
        raise InvalidKey(Flaw.NOT_UNICODE, "text that is not valid Unicode") from None


def _refuse_lookalikes(text: str, declared: frozenset[str] | None) -> None:
    """Refuse *text* that is no HMAC secret. Unless the row's `alg` says HMAC, also refuse text that may be none.

    `auth_jwt.jose.lookalikes` judges the text. Whoever follows a decision need not read on there: it is enough that
    `what_else` says what the text may be instead.
    """
    if declared is not None and declared.isdisjoint(HMAC_ALGORITHMS):
        raise InvalidKey(
            Flaw.ALG_DISAGREES, "the row's `alg` names no HMAC algorithm, and the text is not a public key"
        )
    is_stated = declared is not None and declared <= HMAC_ALGORITHMS
    doubt = None if is_stated else what_else(text)
    if (is_stated or doubt) and is_key_material(text):
        raise InvalidKey(
            Flaw.KEY_MATERIAL, "key material in a form that is not read (OpenSSH, RFC 4716, base64 or hex of a DER key)"
        )
    if doubt:
        raise InvalidKey(
            Flaw.IN_DOUBT,
            f"might not be an HMAC secret ({doubt}): if it is one, set the row's `alg` to HS256, HS384 or HS512",
        )


def _narrow_keys(keys: tuple[VerificationKey, ...], declared: frozenset[str] | None) -> tuple[VerificationKey, ...]:
    if declared is None:
        return keys
    narrowed = [
        replace(key, algorithms=common) for key in keys if (common := allowed_algorithms(key.algorithms, declared))
    ]
    if not narrowed:
        possible = sorted(frozenset[str]().union(*(key.algorithms for key in keys)))
        raise InvalidKey(
            Flaw.ALG_DISAGREES, f"the row's `alg` names no algorithm that its key verifies: {', '.join(possible)}"
        )
    return tuple(narrowed)


def _find_disclosure(key: VerificationKey) -> InvalidKey | None:
    material = key.material
    if isinstance(material, bytes) and is_blank(material):
        return InvalidKey(Flaw.BLANK_KEY, "an HMAC key of nothing but blanks, NULs or zero-width characters")
    if is_published(material):
        return InvalidKey(Flaw.PUBLISHED_KEY, "a key printed in an RFC or on a well-known page: everybody has it")
    return None


def _read_pem(text: str) -> tuple[VerificationKey, ...]:
    from auth_jwt.jose import asymmetric

    keys, flaws = [], []
    for key in asymmetric.public_keys_in_pem(text):
        try:
            keys.append(VerificationKey(asymmetric.algorithms_of(key), key))
        except InvalidKey as flaw:
            flaws.append(flaw)
    if keys:
        return tuple(keys)
    raise flaws[0] if flaws else _explain_unreadable_pem(text)


def _explain_unreadable_pem(text: str) -> InvalidKey:
    """Say why *text* holds no public key, and how to get one from it."""
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


def _read_jwk_document(document: dict[str, Any]) -> tuple[VerificationKey, ...]:
    entries = [document] if document.get("kty") is not None else document.get("keys")
    if not isinstance(entries, list):
        raise InvalidKey(Flaw.MALFORMED_JWK, "a JWK without `kty`, or a JWKS whose `keys` is not a list")
    keys, problems = [], []
    for entry in entries:
        try:
            keys.append(read_jwk(entry))
        except InvalidKey as problem:  # one bad key of a set must not spoil the others
            problems.append(problem)
    if not keys:
        words = "; ".join(dict.fromkeys(map(str, problems)))
        raise InvalidKey(problems[0].flaw if problems else Flaw.MALFORMED_JWK, words or "a JWKS without keys")
    return tuple(keys)


def _read_jwk_material(jwk: dict[str, Any]) -> "tuple[frozenset[str], bytes | PublicKey]":
    if jwk.get("kty") == "oct":
        octets = _read_octets(jwk.get("k"))
        if holds := what_octets_are(octets):
            raise InvalidKey(Flaw.KEY_MATERIAL, f"an `oct` JWK that may hold another key ({holds})")
        return HMAC_ALGORITHMS, octets
    if holds_private_member(jwk):
        raise InvalidKey(
            Flaw.PRIVATE_KEY, "a private JWK, which only its owner may have: `auth-jwt key mend` writes its public key"
        )
    from auth_jwt.jose import asymmetric

    key = asymmetric.public_key_of_jwk(jwk)
    return asymmetric.algorithms_of(key), key


def _read_octets(k: object) -> bytes:
    if not isinstance(k, str) or not _STRICT_BASE64URL.fullmatch(k) or len(k) % 4 == 1:
        raise InvalidKey(Flaw.MALFORMED_JWK, "an `oct` JWK whose `k` is not unpadded base64url")
    return b64decode(k + "=" * (-len(k) % 4), altchars=b"-_")


def _read_json(text: str) -> Any:  # noqa: ANN401 - any JSON value, None when it is none
    """Return the JSON value in *text*. A JWK is read strictly, or two readers could see two keys in it."""
    try:
        return strict_json_object(text)
    except (ValueError, RecursionError):
        pass
    try:
        document = json.loads(_BLANKS.sub(" ", text))
    except (ValueError, RecursionError):
        return None
    return [document]  # valid JSON, but not a strict object: in a list it is never taken for a JWK


def _holds_kty(document: object) -> bool:
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

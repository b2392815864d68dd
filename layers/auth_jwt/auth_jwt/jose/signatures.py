"""Tells whether a key signed a token. Only this module verifies signatures. It knows no rows and no clock."""

import hmac
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Denied, InvalidKey, Reason
from auth_jwt.jose.keys import VerificationKey, verification_keys
from auth_jwt.jose.tokens import HMAC_ALGORITHMS, HeaderRules, UnverifiedJws, unverified_jws

if TYPE_CHECKING:
    from auth_jwt.jose.asymmetric import PublicKey

# The hash, whose bits the name of the algorithm ends with, and the least size of a key in bytes: that of the hash's
# output (RFC 7518, section 3.2).
_HASHES: Final = {name: (f"sha{name[2:]}", int(name[2:]) // 8) for name in HMAC_ALGORITHMS}


def verify_jws(token: str, key: str, *, min_hmac_key_bytes: int | None = None) -> tuple[dict[str, Any], bytes]:
    """Return the header and payload of *token* if *key* signed it.

    Only the form of the token, the rules for `alg` and for critical headers, and the signature are checked. Any `typ`
    and any payload bytes are accepted.

    Args:
        token: a JWS in compact serialization.
        key: the text of a secret.
        min_hmac_key_bytes: the least size of an HMAC key; None for RFC 7518's 32, 48 and 64 bytes.

    Raises:
        Denied: the token is denied, or *key* is never usable.
    """
    jws = unverified_jws(token, HeaderRules(types=None))
    try:
        keys = verification_keys(key)
    except InvalidKey:
        raise Denied(Reason.BAD_SIGNATURE) from None
    if not is_signed_by(jws, keys, min_hmac_key_bytes):
        raise Denied(Reason.BAD_SIGNATURE)
    return deepcopy(dict(jws.header.members)), jws.payload  # other tokens may share the header


def is_signed_by(jws: UnverifiedJws, keys: Iterable[VerificationKey], min_hmac_key_bytes: int | None) -> bool:
    """Tell whether one of *keys* signed *jws*. A key is tried if it fits its algorithm and `kid` and is long enough."""
    algorithm, kid = jws.algorithm, jws.kid
    for key in keys:
        if not fits(key, algorithm, kid) or is_too_short(key, algorithm, min_hmac_key_bytes):
            continue
        if _verify_with(key, algorithm, jws):
            return True
    return False


def usable_algorithms(key: VerificationKey, min_hmac_key_bytes: int | None) -> frozenset[str]:
    """Return the algorithms that *key* may verify: those for which it is not too short."""
    return frozenset(name for name in key.algorithms if not is_too_short(key, name, min_hmac_key_bytes))


def fits(key: VerificationKey, algorithm: str, kid: str | None) -> bool:
    """Tell whether *key*, whatever its size, may verify this *algorithm* and `kid` (RFC 7515, section 4.1.4)."""
    return algorithm in key.algorithms and not kids_differ(kid, key.kid)


def fitting_keys(keys: Iterable[VerificationKey], algorithm: str, kid: str | None) -> list[VerificationKey]:
    """Return those of *keys* that fit. Of these, `is_signed_by` tries the ones that are not too short."""
    return [key for key in keys if fits(key, algorithm, kid)]


def kids_differ(token_kid: str | None, own_kid: str | None) -> bool:
    """Tell whether the token and the key or secret both have a `kid`, and the two differ. A missing `kid` fits any."""
    return token_kid is not None and own_kid is not None and token_kid != own_kid


def is_too_short(key: VerificationKey, algorithm: str, min_hmac_key_bytes: int | None) -> bool:
    """Tell whether *key* is an HMAC key below *min_hmac_key_bytes* (if None, below RFC 7518's size for *algorithm*)."""
    if not isinstance(key.material, bytes):
        return False
    return len(key.material) < (min_hmac_key_bytes or _HASHES[algorithm][1])


def _verify_with(key: VerificationKey, algorithm: str, jws: UnverifiedJws) -> bool:
    if isinstance(key.material, bytes):
        return hmac.compare_digest(
            _compute_mac(key.material, key.prepared, algorithm, jws.signing_input), jws.signature
        )
    return _load_public_key_verifier()(key.material, algorithm, jws.signing_input, jws.signature)


@cache  # an import statement takes time even if the module is loaded
def _load_public_key_verifier() -> "Callable[[PublicKey, str, bytes, bytes], bool]":
    from auth_jwt.jose.asymmetric import verifies

    return verifies


def _compute_mac(material: bytes, prepared: dict[str, hmac.HMAC], algorithm: str, signing_input: bytes) -> bytes:
    mac = prepared.get(algorithm)
    if mac is None:  # preparing a key takes as long as the rest
        mac = hmac.new(material, digestmod=_HASHES[algorithm][0])
        prepared.clear()  # keep one only: each takes a kilobyte
        prepared[algorithm] = mac
    mac = mac.copy()
    mac.update(signing_input)
    return mac.digest()

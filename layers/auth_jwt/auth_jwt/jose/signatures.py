"""Whether a key signed a token. The only module that verifies signatures; it knows no rows and no clock."""

import hmac
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Denied, InvalidKey, Reason
from auth_jwt.jose.keys import VerificationKey, verification_keys
from auth_jwt.jose.tokens import HeaderRules, UnverifiedJws, unverified_jws

if TYPE_CHECKING:
    from auth_jwt.jose.asymmetric import PublicKey

# RFC 7518, section 3.2: a key at least as long as the hash output.
_HASHES: Final = {"HS256": ("sha256", 32), "HS384": ("sha384", 48), "HS512": ("sha512", 64)}


def verify_jws(token: str, key: str, *, min_hmac_key_bytes: int | None = None) -> tuple[dict[str, Any], bytes]:
    """Return header and payload of *token* if *key* signed it.

    The gate, the algorithm and critical-header rules and the signature alone: any `typ`, any payload bytes.

    Args:
        token: a JWS in compact serialization.
        key: text as a secret may hold it.
        min_hmac_key_bytes: the shortest HMAC key; None for RFC 7518's 32, 48 and 64 bytes.

    Raises:
        Denied: also for a *key* that is never usable.
    """
    jws = unverified_jws(token, HeaderRules(types=None))
    try:
        keys = verification_keys(key)
    except InvalidKey:
        raise Denied(Reason.BAD_SIGNATURE) from None
    if not is_signed_by(jws, keys, min_hmac_key_bytes):
        raise Denied(Reason.BAD_SIGNATURE)
    return deepcopy(dict(jws.header.members)), jws.payload  # the header may be another token's, too


def is_signed_by(jws: UnverifiedJws, keys: Iterable[VerificationKey], min_hmac_key_bytes: int | None) -> bool:
    """Tell whether any of *keys* that fit the token's algorithm and `kid` signed *jws*."""
    algorithm, kid = jws.algorithm, jws.kid
    for key in keys:
        if not fits(key, algorithm, kid) or is_too_short(key, algorithm, min_hmac_key_bytes):
            continue
        if _verifies(key, algorithm, jws):
            return True
    return False


def usable_algorithms(key: VerificationKey, min_hmac_key_bytes: int | None) -> frozenset[str]:
    """Return what *key* may verify, its size considered."""
    return frozenset(name for name in key.algorithms if not is_too_short(key, name, min_hmac_key_bytes))


def fits(key: VerificationKey, algorithm: str, kid: str | None) -> bool:
    """Tell whether *key* may verify a token of this *algorithm* and `kid` (RFC 7515, section 4.1.4), its size aside."""
    return algorithm in key.algorithms and not differ(kid, key.kid)


def differ(token_kid: str | None, own_kid: str | None) -> bool:
    """Tell whether both have a key id and these differ; a key or a token without one goes with any."""
    return token_kid is not None and own_kid is not None and token_kid != own_kid


def is_too_short(key: VerificationKey, algorithm: str, min_hmac_key_bytes: int | None) -> bool:
    """Tell whether *key* is an HMAC key below the least size: the one given, or RFC 7518's for the *algorithm*."""
    if not isinstance(key.material, bytes):
        return False
    return len(key.material) < (min_hmac_key_bytes or _HASHES[algorithm][1])


def _verifies(key: VerificationKey, algorithm: str, jws: UnverifiedJws) -> bool:
    if isinstance(key.material, bytes):
        return hmac.compare_digest(_mac(key.material, key.prepared, algorithm, jws.signing_input), jws.signature)
    return _by_public_key()(key.material, algorithm, jws.signing_input, jws.signature)


@cache  # an import statement takes its time even for what is loaded
def _by_public_key() -> "Callable[[PublicKey, str, bytes, bytes], bool]":
    from auth_jwt.jose.asymmetric import verifies

    return verifies


def _mac(material: bytes, prepared: dict[str, hmac.HMAC], algorithm: str, signing_input: bytes) -> bytes:
    mac = prepared.get(algorithm)
    if mac is None:  # taking a key in costs as much as the rest
        mac = hmac.new(material, digestmod=_HASHES[algorithm][0])
        prepared.clear()  # a kilobyte each
        prepared[algorithm] = mac
    mac = mac.copy()
    mac.update(signing_input)
    return mac.digest()

"""Signature, then claims. The only module that verifies anything.

*Not this secret* and *signed, but refused* are different answers: no secret's failure says anything about the token
until all have been tried, and no claim is looked at before one has verified.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from auth_jwt.errors import Denied, Flaw, InvalidKey, Reason
from auth_jwt.keys import VerificationKey, verification_keys
from auth_jwt.models import Policy, Report, Secret, Unusable
from auth_jwt.tokens import HeaderRules, UnverifiedJws, unverified_jws

if TYPE_CHECKING:
    from auth_jwt.asymmetric import PublicKey

# RFC 7518, section 3.2: a key at least as long as the hash output.
_HASHES: Final = {"HS256": ("sha256", 32), "HS384": ("sha384", 48), "HS512": ("sha512", 64)}
_TIME_CLAIMS: Final = ("exp", "nbf", "iat")
_NUMBERS: Final = (int, float)  # as JSON is read, and no subclass, which `bool` would be


def verify_signature(
    jws: UnverifiedJws, secrets: Sequence[Secret], min_hmac_key_bytes: int | None, report: Report
) -> Secret:
    """Return the first of *secrets* that signed *jws*.

    A secret is passed over when both it and the token have a `kid` and they differ, when it is unusable, or when none
    of its keys fits the token's algorithm.

    Raises:
        Denied: `bad_signature`: none of them did.
    """
    unusable = {secret.id: str(secret.unusable) for secret in secrets if secret.unusable is not None}
    report.unusable_secrets = unusable
    algorithm, kid = jws.algorithm, jws.kid
    for secret in secrets:
        if secret.unusable is not None or _differ(kid, secret.kid):
            continue
        if is_signed_by(jws, secret.keys, min_hmac_key_bytes):
            return secret
        if any(_fits(key, algorithm, kid) and _is_too_short(key, algorithm, min_hmac_key_bytes) for key in secret.keys):
            unusable[secret.id] = str(Unusable(Flaw.TOO_SHORT, f"too short for {algorithm}"))
    raise Denied(Reason.BAD_SIGNATURE)


def check_claims(claims: Mapping[str, Any], policy: Policy, now: float) -> None:
    """Hold *claims* against the *policy* at the instant *now* (RFC 7519, section 4.1).

    Raises:
        Denied: with the reason of the first rule that fails.
    """
    for name in policy.required_claims:
        if name not in claims:
            raise Denied(Reason.MISSING_CLAIM)
    if policy.enforce_time_claims:
        _check_times(claims, policy.leeway_seconds, now)
    if policy.max_token_age_seconds is not None:
        issued = _needed(claims, "iat")
        if not is_number(issued):
            raise Denied(Reason.MALFORMED_CLAIM)
        if now - issued > policy.max_token_age_seconds + policy.leeway_seconds:
            raise Denied(Reason.TOKEN_TOO_OLD)
    if policy.issuers:
        _check_issuer(_needed(claims, "iss"), policy.issuers)
    if policy.audiences:
        _check_audience(_needed(claims, "aud"), policy.audiences)


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
        if not _fits(key, algorithm, kid) or _is_too_short(key, algorithm, min_hmac_key_bytes):
            continue
        if _verifies(key, algorithm, jws):
            return True
    return False


def usable_algorithms(key: VerificationKey, min_hmac_key_bytes: int | None) -> frozenset[str]:
    """Return what *key* may verify, its size considered."""
    return frozenset(name for name in key.algorithms if not _is_too_short(key, name, min_hmac_key_bytes))


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a claim's *value* is a number; JSON's booleans are not."""
    return type(value) in _NUMBERS


def _fits(key: VerificationKey, algorithm: str, kid: str | None) -> bool:
    return algorithm in key.algorithms and not _differ(kid, key.kid)


def _differ(token_kid: str | None, own_kid: str | None) -> bool:
    return token_kid is not None and own_kid is not None and token_kid != own_kid


def _is_too_short(key: VerificationKey, algorithm: str, min_hmac_key_bytes: int | None) -> bool:
    if not isinstance(key.material, bytes):
        return False
    return len(key.material) < (min_hmac_key_bytes or _HASHES[algorithm][1])


def _verifies(key: VerificationKey, algorithm: str, jws: UnverifiedJws) -> bool:
    if isinstance(key.material, bytes):
        return hmac.compare_digest(_mac(key.material, key.prepared, algorithm, jws.signing_input), jws.signature)
    return _by_public_key()(key.material, algorithm, jws.signing_input, jws.signature)


@cache  # an import statement takes its time even for what is loaded
def _by_public_key() -> "Callable[[PublicKey, str, bytes, bytes], bool]":
    from auth_jwt.asymmetric import verifies

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


def _needed(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    if name not in claims:
        raise Denied(Reason.MISSING_CLAIM)
    return claims[name]


def _check_times(claims: Mapping[str, Any], leeway: int, now: float) -> None:
    for name in _TIME_CLAIMS:
        if name in claims and not is_number(claims[name]):
            raise Denied(Reason.MALFORMED_CLAIM)
    if "exp" in claims and now >= claims["exp"] + leeway:
        raise Denied(Reason.TOKEN_EXPIRED)
    for name in ("nbf", "iat"):
        if name in claims and now < claims[name] - leeway:
            raise Denied(Reason.TOKEN_NOT_YET_VALID)


def _check_issuer(issuer: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(issuer, str):
        raise Denied(Reason.MALFORMED_CLAIM)
    if issuer not in accepted:
        raise Denied(Reason.WRONG_ISSUER)


def _check_audience(audience: object, accepted: tuple[str, ...]) -> None:
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Denied(Reason.MALFORMED_CLAIM)
    if not set(named) & set(accepted):
        raise Denied(Reason.WRONG_AUDIENCE)

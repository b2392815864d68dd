"""Every rule about rows and claims, once: which secrets count, what claims must hold, which profiles may be used.

*Not this secret* and *signed, but refused* are different answers: no secret's failure says anything about the token
until all have been tried, and no claim is looked at before one has verified.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import floor
from typing import Any, Final, TypeGuard

from auth_jwt.errors import Denied, Flaw, Reason
from auth_jwt.http.wire import ascii_lower
from auth_jwt.jose.signatures import differ, fits, is_signed_by, is_too_short
from auth_jwt.jose.tokens import UnverifiedJws
from auth_jwt.models import MAX_JTI_BYTES, Policy, Profile, Report, Secret, TagRows, Unusable

_TIME_CLAIMS: Final = ("exp", "nbf", "iat")
_NUMBERS: Final = (int, float)  # as JSON is read, and no subclass, which `bool` would be


def open_secrets(rows: TagRows, now: float, most: int, report: Report) -> list[Secret]:
    """Return the secrets among *rows* whose window is open at the instant *now*.

    Of more than *most* those that opened last are returned, in the order of `newest_first`; the *report* tells of the
    others.

    Raises:
        Denied: `unknown_tag` or `no_active_secret`.
    """
    if not rows.secrets:
        raise Denied(Reason.UNKNOWN_TAG)
    secrets = [secret for secret in rows.secrets if secret.is_open(now)]
    if not secrets:
        raise Denied(Reason.NO_ACTIVE_SECRET)
    if len(secrets) > most:
        secrets = newest_first(secrets)
        report.left_out = [secret.id for secret in secrets[most:]]
        del secrets[most:]
    return secrets


def newest_first(secrets: Iterable[Secret]) -> list[Secret]:
    """Return *secrets* in order: the latest start first, of the same start the highest id."""
    return sorted(secrets, key=lambda secret: (secret.start or 0, secret.id), reverse=True)


def signing_secret(
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
        if secret.unusable is not None or differ(kid, secret.kid):
            continue
        if is_signed_by(jws, secret.keys, min_hmac_key_bytes):
            return secret
        if any(fits(key, algorithm, kid) and is_too_short(key, algorithm, min_hmac_key_bytes) for key in secret.keys):
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


def usable_profile(rows: TagRows) -> tuple[Profile, str]:
    """Return the profile among *rows* and its username.

    Raises:
        Denied: `unknown_profile`, `incomplete_profile` or `disabled_profile`.
    """
    if rows.profile is None:
        raise Denied(Reason.UNKNOWN_PROFILE)
    if rows.profile.username is None:
        raise Denied(Reason.INCOMPLETE_PROFILE)
    if rows.profile.disabled:
        raise Denied(Reason.DISABLED_PROFILE)
    return rows.profile, rows.profile.username


def check_time_of_issue(profile: Profile, claims: dict[str, Any]) -> None:
    """Refuse tokens issued before `tokens_valid_after`, and, failing closed, all whose time of issue is unknown.

    Raises:
        Denied: `revoked_token`.
    """
    if profile.valid_after is None:
        return
    issued = claims.get("iat")
    if not isinstance(profile.valid_after, Decimal) or not is_number(issued) or profile.valid_after > issued:
        raise Denied(Reason.REVOKED_TOKEN)


def token_id(claims: dict[str, Any]) -> str:
    """Return the claim that tells this token from others of its tag.

    Raises:
        Denied: `missing_claim` without one; `malformed_claim` for one that the table could never list, since nobody
            could revoke that token.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Denied(Reason.MISSING_CLAIM)
    if len(jti.encode()) > MAX_JTI_BYTES:
        raise Denied(Reason.MALFORMED_CLAIM)
    return jti


def same_domain(asked: str, own: str | None) -> bool:
    """Tell whether a SIP domain is the profile's own; ASCII case does not count (RFC 3261, section 19.1.4)."""
    return own is not None and ascii_lower(asked) == ascii_lower(own)


def expires_at(claims: Mapping[str, Any], secret: Secret, policy: Policy) -> int:
    """Return the instant, in UNIX seconds, that nothing founded on the token may outlive, rounded down.

    It is the earliest of `exp`, of the greatest age that the *policy* allows, and of the end of the *secret* that
    signed.
    """
    ends: list[Decimal | int | float] = [] if secret.end is None else [secret.end]
    if policy.enforce_time_claims and "exp" in claims:
        ends.append(claims["exp"] + policy.leeway_seconds)
    if policy.max_token_age_seconds is not None:
        ends.append(claims["iat"] + policy.max_token_age_seconds + policy.leeway_seconds)
    return floor(min(ends))


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a claim's *value* is a number; JSON's booleans are not."""
    return type(value) in _NUMBERS


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

"""Every rule about rows and claims, once: which secrets count, what claims must hold, which profiles may be used.

A secret that did not sign a token says nothing about the token, since another secret may have signed it: the signature
is bad when no secret has signed. No claim is checked before a secret has verified the token; a claim then denies it,
whichever other secrets there are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import floor, inf
from typing import Any, Final, Literal, TypeGuard

from auth_jwt.errors import Denied, Flaw, Reason
from auth_jwt.jose.signatures import fitting_keys, is_signed_by, is_too_short, kids_differ
from auth_jwt.jose.tokens import UnverifiedJws
from auth_jwt.models import MAX_JTI_BYTES, Policy, Profile, Report, Secret, TagRows, Unusable, fold_domain

Obstacle = Literal["unusable", "kid", "algorithm", "kid of its key", "size"]
"""What keeps `signing_secret` from trying a secret."""

_TIME_CLAIMS: Final = ("exp", "nbf", "iat")
_NUMBERS: Final = (int, float)  # exact types: `bool` is a subclass of `int`, and JSON's booleans are not numbers


def open_secrets(rows: TagRows, now: float, most: int, report: Report) -> list[Secret]:
    """Return the secrets in *rows* whose window is open at *now*, in UNIX seconds.

    If more than *most* are open, return the *most* that opened last, in the order of `newest_first`, and list the
    others in *report*.

    Raises:
        Denied: `unknown_tag` when the tag has no secrets, `no_active_secret` when none is open.
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
    """Sort *secrets*: the latest start first, and for equal starts the highest id first."""
    return sorted(secrets, key=lambda secret: (secret.start or 0, secret.id), reverse=True)


def signing_secret(
    jws: UnverifiedJws, secrets: Sequence[Secret], min_hmac_key_bytes: int | None, report: Report
) -> Secret:
    """Return the first of *secrets* that signed *jws*, and list the unusable ones in *report*.

    A secret is skipped if it is unusable, if it and the token both have a `kid` and the two differ, or if none of its
    keys fits the token's algorithm.

    Raises:
        Denied: `bad_signature` when no secret signed it.
    """
    unusable = {secret.id: str(secret.unusable) for secret in secrets if secret.unusable is not None}
    report.unusable_secrets = unusable
    algorithm, kid = jws.algorithm, jws.kid
    for secret in secrets:
        if is_passed_over(secret, kid):
            continue
        if is_signed_by(jws, secret.keys, min_hmac_key_bytes):
            return secret
        if any(is_too_short(key, algorithm, min_hmac_key_bytes) for key in fitting_keys(secret.keys, algorithm, kid)):
            unusable[secret.id] = str(Unusable(Flaw.TOO_SHORT, f"too short for {algorithm}"))
    raise Denied(Reason.BAD_SIGNATURE)


def is_passed_over(secret: Secret, kid: str | None) -> bool:
    """Tell whether *secret* is not tried, whatever its keys are, for a token with this *kid*."""
    return secret.unusable is not None or kids_differ(kid, secret.kid)


def obstacle_to(secret: Secret, jws: UnverifiedJws, min_hmac_key_bytes: int | None) -> Obstacle | None:
    """Return what keeps `signing_secret` from trying *secret* for *jws*, or None if it tries one of its keys."""
    algorithm, kid = jws.algorithm, jws.kid
    if is_passed_over(secret, kid):
        return "kid" if secret.unusable is None else "unusable"
    if not fitting_keys(secret.keys, algorithm, None):
        return "algorithm"
    fitting = fitting_keys(secret.keys, algorithm, kid)
    if not fitting:
        return "kid of its key"
    return "size" if all(is_too_short(key, algorithm, min_hmac_key_bytes) for key in fitting) else None


def ever_opens(secret: Secret) -> bool:
    """Tell whether the window of *secret* is open at any time. If so, it is open at its start."""
    return secret.start is not None and secret.is_open(secret.start)


def has_ended(secret: Secret, now: float) -> bool:
    """Tell whether the window of *secret* has an end, and *now*, in UNIX seconds, is not before it."""
    return secret.end is not None and secret.end <= now


def check_claims(claims: Mapping[str, Any], policy: Policy, now: float) -> float:
    """Check *claims* against *policy* at *now*, in UNIX seconds (RFC 7519, section 4.1).

    Returns:
        The UNIX second at which the claims stop to hold, leeway included: by the token's `exp` or by the greatest age
        that *policy* allows, whichever is earlier. Infinity if the policy enforces neither.

    Raises:
        Denied: the first rule that fails gives the reason.
    """
    for name in policy.required_claims:
        if name not in claims:
            raise Denied(Reason.MISSING_CLAIM)
    ends = check_times(claims, policy.leeway_seconds, now) if policy.enforce_time_claims else inf
    if policy.max_token_age_seconds is not None:
        issued = require_claim(claims, "iat")
        if not is_number(issued):
            raise Denied(Reason.MALFORMED_CLAIM)
        too_old = issued + policy.max_token_age_seconds + policy.leeway_seconds
        if now > too_old:
            raise Denied(Reason.TOKEN_TOO_OLD)
        ends = min(ends, too_old)
    if policy.issuers:
        _check_issuer(require_claim(claims, "iss"), policy.issuers)
    if policy.audiences:
        check_audience(claims, policy.audiences)
    return ends


def usable_profile(profile: Profile | None) -> tuple[Profile, str]:
    """Return the *profile* and its username.

    Raises:
        Denied: `unknown_profile` without a profile, `incomplete_profile` without a username, or `disabled_profile`.
    """
    if profile is None:
        raise Denied(Reason.UNKNOWN_PROFILE)
    if profile.username is None:
        raise Denied(Reason.INCOMPLETE_PROFILE)
    if profile.disabled:
        raise Denied(Reason.DISABLED_PROFILE)
    return profile, profile.username


def check_time_of_issue(valid_after: object, claims: Mapping[str, Any]) -> None:
    """Deny a token that was issued before *valid_after*, the `tokens_valid_after` of a profile or an issuer.

    The rule fails closed: it also denies the token if the column is not a number, or if the token has no numeric `iat`.

    Raises:
        Denied: `revoked_token`.
    """
    if valid_after is None:
        return
    issued = claims.get("iat")
    if not isinstance(valid_after, Decimal) or not is_number(issued) or valid_after > issued:
        raise Denied(Reason.REVOKED_TOKEN)


def revokes_every_token(profile: Profile) -> bool:
    """Tell whether the profile's `tokens_valid_after` denies all tokens, whenever they were issued."""
    return denial_by(lambda: check_time_of_issue(profile.valid_after, {"iat": inf})) is not None


def denial_by(check: Callable[[], object]) -> Reason | None:
    """Return the reason for which *check* denies, or None if it does not deny."""
    try:
        check()
    except Denied as denied:
        return denied.reason
    return None


def token_id(claims: Mapping[str, Any]) -> str:
    """Return the token's `jti`, which tells it from other tokens of its tag.

    Raises:
        Denied: `missing_claim` unless it is a non-empty string; `malformed_claim` if it is too long for the table of
            revoked tokens, because nobody could revoke that token.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise Denied(Reason.MISSING_CLAIM)
    if len(jti.encode()) > MAX_JTI_BYTES:
        raise Denied(Reason.MALFORMED_CLAIM)
    return jti


def same_user(asked: str, own: str | None) -> bool:
    """Tell whether the SIP user *asked* is the profile's *own*. Case counts (RFC 3261, section 19.1.4)."""
    return asked == own


def same_domain(asked: str, own: str | None) -> bool:
    """Tell whether the SIP domain *asked* is the profile's *own*. ASCII case is ignored (RFC 3261, section 19.1.4)."""
    return own is not None and fold_domain(asked) == fold_domain(own)


def expires_at(claims_end: float, secret: Secret) -> int:
    """Return the UNIX second at which the authorization ends, rounded down. No registration should outlive it.

    It is the earlier of two: *claims_end*, as `check_claims` returns it, and the end of the window of the *secret* that
    signed.
    """
    return floor(claims_end if secret.end is None else min(secret.end, claims_end))


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a claim's *value* is a number. A boolean is not one."""
    return type(value) in _NUMBERS


def require_claim(claims: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the claim *name*.

    Raises:
        Denied: `missing_claim`.
    """
    if name not in claims:
        raise Denied(Reason.MISSING_CLAIM)
    return claims[name]


def check_times(claims: Mapping[str, Any], leeway: int, now: float) -> float:
    """Check `exp`, `nbf` and `iat`, those that are present, at *now*; *leeway* is in seconds.

    Returns:
        The UNIX second at which the token expires, leeway included; infinity if it has no `exp`.

    Raises:
        Denied: `malformed_claim`, `token_expired` or `token_not_yet_valid`.
    """
    for name in _TIME_CLAIMS:
        if name in claims and not is_number(claims[name]):
            raise Denied(Reason.MALFORMED_CLAIM)
    expires = claims["exp"] + leeway if "exp" in claims else inf
    if now >= expires:
        raise Denied(Reason.TOKEN_EXPIRED)
    for name in ("nbf", "iat"):
        if name in claims and now < claims[name] - leeway:
            raise Denied(Reason.TOKEN_NOT_YET_VALID)
    return expires


def check_audience(claims: Mapping[str, Any], accepted: tuple[str, ...]) -> None:
    """Check that the token is meant for one of *accepted* (RFC 7519, section 4.1.3).

    Raises:
        Denied: `missing_claim`, `malformed_claim` or `wrong_audience`.
    """
    if audiences_of(claims).isdisjoint(accepted):
        raise Denied(Reason.WRONG_AUDIENCE)


def audiences_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return whom the token is meant for: its `aud`, a string or a list of strings.

    Raises:
        Denied: `missing_claim` or `malformed_claim`.
    """
    audience = require_claim(claims, "aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Denied(Reason.MALFORMED_CLAIM)
    return frozenset(named)


def _check_issuer(issuer: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(issuer, str):
        raise Denied(Reason.MALFORMED_CLAIM)
    if issuer not in accepted:
        raise Denied(Reason.WRONG_ISSUER)

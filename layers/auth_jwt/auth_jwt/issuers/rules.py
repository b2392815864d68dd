"""Every rule about issuers' tokens, once: which keys count, what claims must hold, who the token speaks for."""

import re
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, Final

from auth_jwt.errors import Deferred, Denied, Fault, Invalid, Reason, StaleKeys
from auth_jwt.issuers.models import (
    MAX_KEYS_TRIED,
    MAX_SUBJECT_BYTES,
    MAX_USERNAME_CHARACTERS,
    ClaimValue,
    FetchedKeys,
    Issuer,
    IssuerKey,
    IssuerRows,
    Mapped,
    TokenKind,
)
from auth_jwt.jose.signatures import fits, is_signed_by
from auth_jwt.jose.tokens import UnverifiedJws, is_allowed
from auth_jwt.models import Asked, Policy, Profile
from auth_jwt.rules import (
    audiences_of,
    check_audience,
    check_times,
    is_number,
    require_claim,
    same_domain,
    same_user,
    token_id,
    usable_profile,
)

ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068, section 2.1
ACCEPTED_TYPES: Final = ACCESS_TYPES | {"jwt"}

REQUIRED_CLAIMS: Final = ("exp", "iat", "sub")
"""The claims that every token of an issuer must have."""

SECONDS_BEFORE_THE_FETCH: Final = 60
"""A token issued so long before the last fetch may have been signed by a key that the fetch just missed."""

SECONDS_OF_SKEW: Final = 60
"""How far an issuer's clock may be ahead for a token to be deferred."""

SECONDS_AFTER_THE_FETCH: Final = 2
"""How long after the start of a fetch its keys may be expected in the table."""

SECONDS_WHEN_OVERDUE: Final = 10
"""How long a caller is told to wait for a fetch that is due already, or was never made: the next round is near. Rounds
begin each minute, and an issuer that was fetched by hand is not due just when one begins."""

MAX_RETRY_AFTER: Final = 900
"""The longest that a caller is told to wait, in seconds: no fetch is put off for longer."""

# Claims that only ID tokens and logout tokens have: OpenID Connect Core 1.0, sections 2 and 3.3.2.11; Back-Channel
# Logout 1.0, section 2.4.
_ID_CLAIMS: Final = ("nonce", "at_hash", "c_hash", "events")
# What providers write into the payload's `typ`, in lower case: Keycloak does.
_NEVER_ACCESS: Final = frozenset({"id", "refresh", "offline", "logout"})
_NEVER_ID: Final = frozenset({"bearer", "refresh", "offline", "logout"})
_LISTS_OF_WORDS: Final = ("scope", "scp")  # RFC 8693, section 4.2: words with blanks between them


def usable_issuer(rows: IssuerRows) -> Issuer:
    """Return the issuer in *rows*.

    Raises:
        Denied: `unknown_issuer` or `disabled_issuer`.
        Fault: its configuration cannot be used.
    """
    if rows.issuer is None:
        raise Denied(Reason.UNKNOWN_ISSUER)
    if isinstance(rows.issuer, Invalid):
        raise Fault(f"the configuration of this issuer cannot be used: {rows.issuer}")
    if rows.issuer.disabled:
        raise Denied(Reason.DISABLED_ISSUER)
    return rows.issuer


def check_algorithm(issuer: Issuer, algorithm: str) -> None:
    """Check that the issuer signs by *algorithm*.

    Raises:
        Denied: `unsupported_algorithm`.
    """
    if not is_allowed(algorithm, issuer.algorithms):
        raise Denied(Reason.UNSUPPORTED_ALGORITHM)


def check_signature(
    issuer: Issuer, fetched: FetchedKeys, jws: UnverifiedJws, issued: object, *, now: float, keys_lifetime: float
) -> None:
    """Check that one of the issuer's keys signed *jws*.

    With a `kid`, the keys of that `kid` are tried, at most `MAX_KEYS_TRIED`. Without one, the one key that fits.

    Args:
        issuer: the issuer.
        fetched: its keys.
        jws: the token.
        issued: the token's `iat`, not verified.
        now: the time, in UNIX seconds.
        keys_lifetime: for how many seconds after a successful fetch the keys count.

    Raises:
        Denied: `unknown_key` or `bad_signature`.
        Deferred: the key may not have been fetched yet.
        StaleKeys: the keys were last fetched too long ago.
    """
    if fetched.fetched_at is not None and now - fetched.fetched_at > keys_lifetime:
        raise StaleKeys(
            f"the keys of this issuer were last fetched {round((now - fetched.fetched_at) / 3600)} hours ago"
        )
    if fetched.key_set is None or fetched.key_set.url != issuer.keys_url or fetched.fetched_at is None:
        raise Deferred(_seconds_until_next_fetch(fetched, now))
    named = [key for key in fetched.key_set.keys if jws.kid is None or key.kid == jws.kid]
    usable = [key.key for key in named if key.key is not None and not _is_blocked(issuer, key)]
    candidates = [key for key in usable if fits(key, jws.algorithm, jws.kid)]
    if not named and _is_too_new(issued, fetched.fetched_at, now):
        raise Deferred(_seconds_until_next_fetch(fetched, now))
    if not usable or (jws.kid is None and len(candidates) != 1):
        raise Denied(Reason.UNKNOWN_KEY)
    if not is_signed_by(jws, candidates[:MAX_KEYS_TRIED], None):
        raise Denied(Reason.BAD_SIGNATURE)


def check_claims(
    issuer: Issuer, jws: UnverifiedJws, claims: Mapping[str, Any], policy: Policy, now: float
) -> tuple[str, float]:
    """Check the claims of a token whose signature is valid.

    Returns:
        The token's `sub`, and the UNIX second at which it expires, leeway included.

    Raises:
        Denied: the first rule that fails gives the reason.
    """
    for name in REQUIRED_CLAIMS:
        require_claim(claims, name)
    expires = check_times(claims, policy.leeway_seconds, now)
    check_lifetime(issuer, claims)
    check_recipient(issuer, claims)
    check_kind(issuer, jws, claims)
    if issuer.requires_jti:
        token_id(claims)
    return subject_of(claims), expires


def check_lifetime(issuer: Issuer, claims: Mapping[str, Any]) -> None:
    """Check that the token does not live longer than the issuer's may, from `iat` to `exp`, which are numbers.

    Raises:
        Denied: `token_too_old`.
    """
    if claims["exp"] - claims["iat"] > issuer.longest_lifetime:
        raise Denied(Reason.TOKEN_TOO_OLD)


def subject_of(claims: Mapping[str, Any]) -> str:
    """Return the `sub` of a token that has one.

    Raises:
        Denied: `malformed_claim`.
    """
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject.encode()) <= MAX_SUBJECT_BYTES:
        raise Denied(Reason.MALFORMED_CLAIM)
    return subject


def identify(issuer: Issuer, profile: Profile | None, claims: Mapping[str, Any]) -> tuple[str, Profile]:
    """Return the SIP username that the token speaks for, and the profile that gives its credentials.

    Raises:
        Denied: `unknown_profile`, `incomplete_profile`, `disabled_profile`, `missing_claim` or `username_refused`.
    """
    if issuer.mapped is Mapped.BY_PROFILE:
        profile, username = usable_profile(profile)
        return username, profile
    if profile is None:
        profile = Profile(None)
    elif profile.disabled:
        raise Denied(Reason.DISABLED_PROFILE)
    username = require_claim(claims, str(issuer.username_claim))
    # No control character gets into a SIP header, and no letter of another alphabet passes for an ASCII one by `\w`.
    if not isinstance(username, str) or len(username) > MAX_USERNAME_CHARACTERS or not username.isprintable():
        raise Denied(Reason.USERNAME_REFUSED)
    if not re.fullmatch(issuer.username_pattern, username, re.ASCII):
        raise Denied(Reason.USERNAME_REFUSED)
    return username, replace(profile, domain=issuer.domain)


def check_identity(issuer: Issuer, user: str, profile: Profile, asked: Asked) -> None:
    """Check the user and the domain that the request acts as. Two issuers may have users of the same name.

    So the domain must be told, and be the issuer's, where a claim gives the username.

    Raises:
        Denied: `username_mismatch` or `domain_mismatch`.
    """
    if asked.user is not None and not same_user(asked.user, user):
        raise Denied(Reason.USERNAME_MISMATCH)
    if asked.domain is not None:
        if not same_domain(asked.domain, profile.domain):
            raise Denied(Reason.DOMAIN_MISMATCH)
    elif issuer.mapped is Mapped.BY_CLAIM and (asked.knows_domain or not issuer.permits_no_domain):
        raise Denied(Reason.DOMAIN_MISMATCH)


def _is_blocked(issuer: Issuer, key: IssuerKey) -> bool:
    return bool(issuer.blocked_keys) and key.thumbprint in issuer.blocked_keys


def _is_too_new(issued: object, fetched_at: float, now: float) -> bool:
    """Tell whether a token may be newer than the keys. A token of the future is none: it would be denied anyway."""
    return is_number(issued) and fetched_at - SECONDS_BEFORE_THE_FETCH < issued <= now + SECONDS_OF_SKEW


def _seconds_until_next_fetch(fetched: FetchedKeys, now: float) -> int:
    due = fetched.next_fetch_at
    if due is None or due <= now:
        return SECONDS_WHEN_OVERDUE
    return min(ceil(due - now) + SECONDS_AFTER_THE_FETCH, MAX_RETRY_AFTER)


def check_recipient(issuer: Issuer, claims: Mapping[str, Any]) -> None:
    """Check `aud` (RFC 7519, section 4.1.3) or, for issuers whose tokens have none, the claim that names the client.

    Raises:
        Denied: `missing_claim`, `malformed_claim` or `wrong_audience`.
    """
    if issuer.audiences:
        check_audience(claims, issuer.audiences)
    if issuer.client_claim is not None:
        client = require_claim(claims, issuer.client_claim)
        if not isinstance(client, str):
            raise Denied(Reason.MALFORMED_CLAIM)
        if client not in issuer.client_ids:
            raise Denied(Reason.WRONG_AUDIENCE)


def check_kind(issuer: Issuer, jws: UnverifiedJws, claims: Mapping[str, Any]) -> None:
    """Check that the token is of the kind that may log in, and has the claims that the issuer's row requires.

    There is no standard way to tell an access token from an ID token. So an access token has to show what it is, by its
    header (RFC 9068), by a claim or by an audience that only access tokens have.

    Raises:
        Denied: `missing_claim` or `wrong_token_kind`.
    """
    for name, value in issuer.required_claims.items():
        if not _has_value(name, require_claim(claims, name), value):
            raise Denied(Reason.WRONG_TOKEN_KIND)
    kind = claims.get("typ")
    kind = kind.lower() if isinstance(kind, str) else None
    is_access_by_header = str(jws.header.members.get("typ", "")).lower() in ACCESS_TYPES
    if issuer.kind is TokenKind.ID:
        _check_id_token(issuer, claims, kind, is_access_by_header=is_access_by_header)
        return
    if kind in _NEVER_ACCESS or claims.get("token_use") == "id":
        raise Denied(Reason.WRONG_TOKEN_KIND)
    if issuer.access_claims:  # required, so it has matched
        return
    if any(name in claims for name in _ID_CLAIMS):
        raise Denied(Reason.WRONG_TOKEN_KIND)
    is_access_by_audience = bool(issuer.access_audiences) and not audiences_of(claims).isdisjoint(
        issuer.access_audiences
    )
    if not is_access_by_header and not is_access_by_audience:
        raise Denied(Reason.WRONG_TOKEN_KIND)


def _check_id_token(issuer: Issuer, claims: Mapping[str, Any], kind: str | None, *, is_access_by_header: bool) -> None:
    """Check an ID token: OpenID Connect Core 1.0, section 3.1.3.7, rules 3 to 5."""
    if is_access_by_header or kind in _NEVER_ID or "events" in claims or claims.get("token_use", "id") != "id":
        raise Denied(Reason.WRONG_TOKEN_KIND)
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") not in issuer.audiences:
        raise Denied(Reason.WRONG_TOKEN_KIND)


def _has_value(name: str, given: object, wanted: ClaimValue) -> bool:
    """Tell whether a claim has the value *wanted*. A list, or the words of a scope, must contain it."""
    if name in _LISTS_OF_WORDS and isinstance(given, str):
        return wanted in given.split(" ")
    values = given if isinstance(given, list) else [given]
    return any(type(value) is type(wanted) and value == wanted for value in values)

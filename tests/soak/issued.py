"""What may come of a token that an issuer signed: the rules of section 6 of the contract that the soak's tokens meet.

Which key, its signature, times, and the profile of the user. `refresh_keys` writes an issuer's keys as rows, so a key
counts from when its row is there until its row is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from tests.model.decision import DEFAULTS, Allowed, Denied, Fault, Outcome, Row
from tests.model.keys import Usable, keys_of_text, signed_by
from tests.model.refusals import Refused
from tests.model.rendering import decoded_token
from tests.model.tokens import Token, read_json, read_token

_NOT_FETCHED_YET_SECONDS: Final = 60
_TYPES: Final = {"jwt", "at+jwt", "application/at+jwt"}


@dataclass(frozen=True)
class Deferred(Fault):
    """The key may not have been fetched yet: no fault, and no denial."""


@dataclass(frozen=True)
class Issued:
    """A token that names an issuer.

    Attributes:
        issuer: as in `iss`, and the tag of the issuer's rows.
        user: the tag of the profile of whom it speaks for.
    """

    issuer: str
    user: str
    token: Token
    claims: Mapping[str, Any]


def issued_token(text: str | None, issuer: str) -> Issued | None:
    """Read a token; None if it is none that *issuer* has signed, or is malformed: that is judged as any other."""
    try:
        token = read_token(
            text, int(DEFAULTS["MAX_TOKEN_BYTES"]), set(DEFAULTS["ALLOWED_ALGORITHMS"].split(",")), _TYPES
        )
        claims = read_json(token.payload)
    except Refused:
        return None
    if not issuer or claims.get("iss") != issuer:
        return None
    return Issued(issuer, f"{issuer}#{claims.get('sub')}", token, claims)


def outcome_of_issued(issued: Issued, keys: Sequence[Row], profile: Row | None, now: float) -> Outcome:
    """Return what comes of a token at the second *now*.

    Args:
        issued: the token.
        keys: the issuer's rows in the table of secrets: its keys, and how they were fetched.
        profile: of the user.
        now: the clock of the request.
    """
    of_ids = {row["id"]: row for row in keys}
    candidates = [
        key for key in keys_of_text(of_ids["issuer-keys"]["issuer_keys"], None) if key.kid == issued.token.kid
    ]
    claims = issued.claims
    if not candidates:
        fetched_at = of_ids["issuer-status"]["issuer_fetched_at"]
        return Deferred() if claims["iat"] > fetched_at - _NOT_FETCHED_YET_SECONDS else Denied("unknown_key")
    if not any(signed_by(key, issued.token, None) is Usable.YES for key in candidates):
        return Denied("bad_signature")
    if now >= claims["exp"]:
        return Denied("token_expired")
    if profile is None:
        return Denied("unknown_profile")
    if profile.get("disabled", False):
        return Denied("disabled_profile")
    return Allowed(profile["sip_username"], decoded_token(issued.token.header, dict(claims)), {}, floor(claims["exp"]))

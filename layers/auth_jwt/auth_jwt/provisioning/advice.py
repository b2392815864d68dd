"""Advice: what an operator does about each reason, in one sentence.

The tables of docs/operations.md have the same sentences, and a test holds the two together. So `token explain`,
`refusals`, the admin API and the documentation say the same.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from auth_jwt.errors import Reason

_LIFT_ONE: Final = "`auth-jwt revoke TAG --jti JTI --lift`"
_LIFT_ALL: Final = "`auth-jwt revoke TAG --all --lift`"

FOR_DENIALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Reason.MALFORMED_TOKEN: "look at what the client sends; raise `MAX_TOKEN_BYTES` if tokens are long",
        Reason.UNSUPPORTED_ALGORITHM: "correct the issuer's algorithm, or `ALLOWED_ALGORITHMS`; `none` is an attack",
        Reason.UNSUPPORTED_TYPE: "add the issuer's type (`at+jwt`, for example) to `ACCEPTED_TYPES` if you accept it",
        Reason.UNSUPPORTED_CRITICAL_HEADER: "tell the issuer to leave it out",
        Reason.MISSING_TAG: "correct `TAG_CLAIM`, or the issuer",
        Reason.UNKNOWN_TAG: (
            "if the tag is right, add a secret by `auth-jwt secret add TAG`; tags compare exactly, case and "
            "blanks included"
        ),
        Reason.NO_ACTIVE_SECRET: (
            "add a secret by `auth-jwt secret rotate TAG`; if a window of `auth-jwt secret list TAG` is in "
            "milliseconds, mend it by `auth-jwt secret set TAG ID --mend`"
        ),
        Reason.BAD_SIGNATURE: (
            "compare the issuer's key with `auth-jwt secret list TAG`: fingerprint, `kid`, algorithms; correct "
            "what `unusable_secrets` in the line names"
        ),
        Reason.TOKEN_EXPIRED: "have clients renew sooner; `LEEWAY_SECONDS` is for clocks",
        Reason.TOKEN_NOT_YET_VALID: "correct the issuer's clock; `LEEWAY_SECONDS` allows for a small difference",
        Reason.TOKEN_TOO_OLD: "have clients renew sooner",
        Reason.MISSING_CLAIM: "correct the issuer, or the setting",
        Reason.MALFORMED_CLAIM: "correct the issuer",
        Reason.WRONG_ISSUER: "correct the setting; it compares exactly, final slash included",
        Reason.WRONG_AUDIENCE: "correct the setting, unless the token is meant for somebody else",
        Reason.WRONG_TOKEN_KIND: "check the issuer's configuration; an ID token is not an access token",
        Reason.UNKNOWN_ISSUER: "add it by `auth-jwt issuer add`; issuers compare exactly, final slash included",
        Reason.DISABLED_ISSUER: "nothing if you disabled it; otherwise `auth-jwt issuer enable`",
        Reason.UNKNOWN_KEY: (
            "look at the issuer's key set by `auth-jwt issuer show`; many at once with random ids are an attack"
        ),
        Reason.USERNAME_REFUSED: "correct the claim at the issuer, or the pattern",
        Reason.UNKNOWN_PROFILE: "add the profile by `auth-jwt profile add TAG --username NAME`",
        Reason.INCOMPLETE_PROFILE: "correct the row by `auth-jwt profile set TAG --username NAME`",
        Reason.DISABLED_PROFILE: "nothing if you disabled it; otherwise `auth-jwt profile enable TAG`",
        Reason.USERNAME_MISMATCH: (
            "find out which: a client acts as somebody else, or the frontend sends the wrong field"
        ),
        Reason.DOMAIN_MISMATCH: (
            "fill the domain column by `auth-jwt profile set TAG --domain NAME`, or do not send it"
        ),
        Reason.REVOKED_TOKEN: (
            f"nothing if you revoked it; otherwise lift it: one token by {_LIFT_ONE}, those issued earlier by "
            f"{_LIFT_ALL}; or have the issuer add `iat`"
        ),
    }
)
"""What to do about a denial, by its reason."""

FOR_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unreachable": "look at AWS health; check the network and the endpoint of `DB_URL`",
        "throttled": "find out who sends many requests for one tag; raise `CACHE_TTL_SECONDS`",
        "unknown_event": "attach the function as docs/api-gateway-authorizer.md shows",
        "too_large": "ask for less in `LOAD_CREDENTIALS`",
        "bad_setting": "correct it, deploy",
        "not_audited": "check whether it was done; find out why the function cannot write to standard output",
        "not_finished": (
            "raise `MaxReadUnits`, or ask by `auth-jwt secret list --all-tags --ending-within 30d --no-successor`"
        ),
        "not_released": "see which check failed in `causes`, and look at the new version's log",
        "not_rotated": "see what prevents it in `causes`, then follow docs/rotation.md",
        "stale_keys": (
            "find out why its keys cannot be fetched, by `auth-jwt issuer test`: the issuer is down, or has moved"
        ),
        "unusable_store": "see table and call in `causes`; check the table names, the function's role, the KMS key",
        "unforeseen": "see where in `causes`, and report it",
    }
)
"""What to do about a fault, by its reason."""

_PLACEHOLDER: Final = re.compile(r"\b(?:TAG|ID|JTI)\b")


def advice_about(reason: str, tag: str | None = None) -> str | None:
    """Return what to do about a *reason* of a denial or a fault; None if it is neither.

    Args:
        reason: the reason, as the log has it.
        tag: the tag that commands are to name; None leaves the placeholder.
    """
    told = FOR_DENIALS.get(reason) or FOR_FAULTS.get(reason)
    return None if told is None else naming(told, tag)


def advice_on_revoked(revoked: Sequence[tuple[str, str | None]]) -> str:
    """Return what to do about a token that was revoked, by the revocations that are known to refuse it.

    Args:
        revoked: the tag of each, with the `jti` of one that lists the token, and None for those issued earlier.
    """
    lifts = [naming(_LIFT_ALL if jti is None else _LIFT_ONE, tag, jti=jti) for tag, jti in revoked]
    add_iat = ", or have the issuer add `iat`" if any(jti is None for _, jti in revoked) else ""
    return f"nothing if you revoked it; otherwise lift it by {' and '.join(lifts)}{add_iat}"


def naming(advice: str, tag: str | None, *, row: str | None = None, jti: str | None = None) -> str:
    """Return *advice* whose commands name what it is about, each name quoted as a shell takes it.

    All placeholders are replaced at once: a name that contains another placeholder stays as it is. A name that no
    terminal shows stays away, and its placeholder stands.

    Args:
        advice: the sentence, with TAG, ID and JTI as placeholders.
        tag: the tag; None leaves the placeholder.
        row: the id of a secret; None leaves the placeholder.
        jti: the id of a token; None leaves the placeholder.
    """
    names = {"TAG": tag, "ID": row, "JTI": jti}

    def fill(placeholder: re.Match[str]) -> str:
        name = names[placeholder[0]]
        return shlex.quote(name) if name and name.isprintable() else placeholder[0]

    return _PLACEHOLDER.sub(fill, advice)

"""What can go wrong, in branches that must never be confused.

    AuthJwtError
    ├── Denied           the caller's token is refused: a normal answer, counted by reason
    ├── InvalidKey       text that holds no usable key, for callers of the key helpers
    ├── Rejected         an operator asked for what cannot be done; the message tells the operator why
    │   ├── Invalid      what was given would not work
    │   ├── NotFound     there is no such profile, secret or revocation
    │   └── Conflict     the tables hold something else than the request supposes
    │       └── Stale    ... than the version that the request names
    └── Fault            ours: an alarm, never a "no"
        ├── BadSetting   a variable that cannot be; names it, its value and what would be right
        ├── UnknownEvent the function was given an event of no form it knows
        ├── TooLarge     the answer would not pass the gateway
        ├── NotAudited   the tables were changed, or may have been, and the line of audit is not written
        ├── NotRotated   a rotation cannot go on: a secret, a row or a profile is not as it needs
        └── Unreachable  the tables cannot be reached right now; remembered rows may serve
            └── Throttled  ... for this tag's partition only

No message of any of these holds a token, a key or a credential value.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a token is refused. Stable: logs, metrics and recipes rely on the words; callers never see them."""

    MALFORMED_TOKEN = "malformed_token"  # noqa: S105 - a reason, not a password
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    UNSUPPORTED_TYPE = "unsupported_type"
    UNSUPPORTED_CRITICAL_HEADER = "unsupported_critical_header"
    MISSING_TAG = "missing_tag"
    UNKNOWN_TAG = "unknown_tag"
    NO_ACTIVE_SECRET = "no_active_secret"  # noqa: S105
    BAD_SIGNATURE = "bad_signature"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105
    TOKEN_TOO_OLD = "token_too_old"  # noqa: S105
    MISSING_CLAIM = "missing_claim"
    MALFORMED_CLAIM = "malformed_claim"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    UNKNOWN_PROFILE = "unknown_profile"
    INCOMPLETE_PROFILE = "incomplete_profile"
    DISABLED_PROFILE = "disabled_profile"
    USERNAME_MISMATCH = "username_mismatch"
    DOMAIN_MISMATCH = "domain_mismatch"
    REVOKED_TOKEN = "revoked_token"  # noqa: S105


class Flaw(StrEnum):
    """Why a row of secrets can verify nothing. Stable: logs, `lint` and scripts rely on these names.

    The sentences that go with them may change. docs/operations.md says what each means and what to do.
    """

    NOT_TEXT = "not_text"
    EMPTY = "empty"
    NOT_UNICODE = "not_unicode"
    REFERENCE = "reference"
    PRIVATE_KEY = "private_key"
    UNREADABLE_KEY = "unreadable_key"
    UNSUPPORTED_KEY = "unsupported_key"
    MALFORMED_JWK = "malformed_jwk"
    NOT_FOR_VERIFYING = "not_for_verifying"
    KEY_MATERIAL = "key_material"
    IN_DOUBT = "in_doubt"
    NO_ALG = "no_alg"
    MALFORMED_ALG = "malformed_alg"
    MALFORMED_KID = "malformed_kid"
    ALG_DISAGREES = "alg_disagrees"
    DEGENERATE_KEY = "degenerate_key"
    PUBLISHED_KEY = "published_key"
    BLANK_KEY = "blank_key"
    TOO_SHORT = "too_short"
    NOT_ALLOWED = "not_allowed"
    NEVER_OPENS = "never_opens"
    BEYOND_LIMIT = "beyond_limit"


class AuthJwtError(Exception):
    """The root of everything this package raises on purpose."""


class Denied(AuthJwtError):
    """The token is refused. A normal answer: INFO, counted by *reason*, one uniform face to callers."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class InvalidKey(AuthJwtError):
    """The text given holds no usable key. The message says why and never holds the text; *flaw* names the reason."""

    def __init__(self, flaw: Flaw, message: str) -> None:
        super().__init__(message)
        self.flaw = flaw


class Rejected(AuthJwtError):
    """An operator asked for what cannot be done, and nothing was written. The message says why, and holds no key."""


class Invalid(Rejected):
    """What was given would not work: a secret that could never verify, a tag that no token can name."""


class NotFound(Rejected):
    """There is no such profile, secret or revocation."""


class Conflict(Rejected):
    """The tables hold something else than the request supposes: it exists already, or somebody else was faster."""


class Stale(Conflict):
    """The row was changed since the version that the request names."""


class Fault(AuthJwtError):
    """Something of ours is wrong: ERROR, alarmed, answered as a fault and never as a refusal."""


class BadSetting(Fault):
    """A variable of the environment cannot be; the message names it, its value and what is accepted."""


class UnknownEvent(Fault):
    """The function was given an event of no form it knows: it is attached to something it is not made for."""


class TooLarge(Fault):
    """The answer is larger than what it has to pass lets through; the message says by how much."""


class NotAudited(Fault):
    """A write to the tables was done, or may have been, and its line of audit is not written."""


class NotRotated(Fault):
    """A rotation cannot go on; the message says what is not as it needs, and holds no key. Nobody is locked out."""


class Unreachable(Fault):
    """DynamoDB did not answer in time, or answered that it cannot: timeout, connection error or 5xx."""


class Throttled(Unreachable):
    """DynamoDB throttles this tag's partition; other tags may be fine."""

"""The errors of this package. Its branches must never be confused.

    AuthJwtError
    ├── Denied           the token is denied: a normal answer, counted by reason
    ├── Deferred         the token's key may not have been fetched yet: ask again soon, neither a "no" nor an alarm
    ├── InvalidKey       the text given holds no usable key
    ├── Rejected         an operator's request is rejected; the message says why
    │   ├── Invalid      the request holds something that would not work
    │   ├── NotFound     there is no such profile, secret or revocation
    │   └── Conflict     the tables do not hold what the request expects
    │       └── Outdated the row is not at the version that the request names
    └── Fault            the service failed: an alarm, never a "no"
        ├── BadSetting   a setting has an invalid value
        ├── UnknownEvent the function received an event in a form it does not know
        ├── TooLarge     the answer is too large for the gateway
        ├── NotAudited   the tables changed, or may have, and the audit line was not written
        ├── NotRotated   a rotation cannot continue
        ├── NotReleased  a new version does not answer as a working one
        ├── StaleKeys    an issuer's keys could not be fetched for too long
        └── Unreachable  the tables cannot be reached now; remembered rows may serve
            └── Throttled  DynamoDB throttles this tag's partition only

No message of these errors holds a token, a key or a credential value.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a token is denied. The values are stable: logs, metrics and recipes use them. Callers never see them."""

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
    WRONG_TOKEN_KIND = "wrong_token_kind"  # noqa: S105
    UNKNOWN_ISSUER = "unknown_issuer"
    DISABLED_ISSUER = "disabled_issuer"
    UNKNOWN_KEY = "unknown_key"
    USERNAME_REFUSED = "username_refused"
    UNKNOWN_PROFILE = "unknown_profile"
    INCOMPLETE_PROFILE = "incomplete_profile"
    DISABLED_PROFILE = "disabled_profile"
    USERNAME_MISMATCH = "username_mismatch"
    DOMAIN_MISMATCH = "domain_mismatch"
    REVOKED_TOKEN = "revoked_token"  # noqa: S105


class Flaw(StrEnum):
    """Why a row of the secrets table can verify nothing. The values are stable: logs, `lint` and scripts use them.

    The messages that go with them may change. docs/operations.md says what each flaw means and what to do.
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
    """The base class of every error that this package raises on purpose."""


class Denied(AuthJwtError):
    """The token is denied: a normal answer, logged at INFO and counted by *reason*.

    Callers never learn the reason, since it would tell an attacker what to try next.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Deferred(AuthJwtError):
    """The issuer's key that signed the token may not have been fetched yet. The caller should ask again.

    Attributes:
        retry_after: in how many seconds the key will have been fetched.
    """

    reason = Reason.UNKNOWN_KEY
    """Why the token is denied if it is denied after that."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the key that signed this token may not have been fetched yet; ask again in {retry_after} s")
        self.retry_after = retry_after


class InvalidKey(AuthJwtError):
    """The text given holds no usable key. *flaw* is the reason; the message explains it and never holds the text."""

    def __init__(self, flaw: Flaw, message: str) -> None:
        super().__init__(message)
        self.flaw = flaw


class Rejected(AuthJwtError):
    """An operator's request is rejected, and nothing was written. The message says why and holds no key."""


class Invalid(Rejected):
    """The request holds something that would not work: a secret that can never verify, a tag that no token can name."""


class NotFound(Rejected):
    """There is no such profile, secret or revocation."""


class Conflict(Rejected):
    """The tables do not hold what the request expects: the row exists already, or somebody else changed it first."""


class Outdated(Conflict):
    """The row has changed since the version that the request names."""


class Fault(AuthJwtError):
    """The service failed: logged at ERROR and alarmed. The caller gets a fault, never a denial."""


class BadSetting(Fault):
    """An environment variable has an invalid value. The message names the variable, its value and what is accepted."""


class UnknownEvent(Fault):
    """The function received an event in a form it does not know: something that it does not serve invokes it."""


class TooLarge(Fault):
    """The answer is larger than the gateway lets through. The message gives its size and the limit."""


class NotAudited(Fault):
    """The tables changed, or may have changed, and the audit line for that write was not written."""


class NotRotated(Fault):
    """A rotation cannot continue, and locks nobody out.

    The message says which secret, row or profile is not as the rotation needs it, and holds no key.
    """


class NotReleased(Fault):
    """A new version of a function answers otherwise than a working one, so no user may reach it.

    The message says which check failed, and holds nothing of the answer but its kind.
    """


class NotFinished(Fault):
    """A function has not done all of its work, because its time was over. The message says how far it came."""


class StaleKeys(Fault):
    """An issuer's keys were last fetched so long ago that they may verify no token any more."""

    reason = Reason.UNKNOWN_KEY
    """As of `Deferred`: what fresh rows could reverse."""


class Unreachable(Fault):
    """DynamoDB cannot be reached: a timeout, a connection error or a 5xx answer."""


class Throttled(Unreachable):
    """DynamoDB throttles this tag's partition. Other tags may be fine."""

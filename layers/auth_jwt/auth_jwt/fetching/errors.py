"""Why a fetch from an issuer failed.

That is neither a denial nor, by itself, a fault: the keys that were fetched before go on serving.
"""

from enum import StrEnum

from auth_jwt.errors import AuthJwtError


class FailureKind(StrEnum):
    """What went wrong. The values are stable: logs, alarms and scripts use them, and the messages may change."""

    BAD_URL = "bad_url"
    UNRESOLVABLE = "unresolvable"
    NOT_PUBLIC = "not_public"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    REDIRECTED = "redirected"
    BAD_STATUS = "bad_status"
    BROKEN_ANSWER = "broken_answer"
    BAD_ENCODING = "bad_encoding"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    WRONG_ISSUER = "wrong_issuer"
    BAD_KEYS_URL = "bad_keys_url"
    NOT_A_KEY_SET = "not_a_key_set"
    TOO_MANY_KEYS = "too_many_keys"
    PRIVATE_KEY_PUBLISHED = "private_key_published"
    NO_USABLE_KEY = "no_usable_key"


class FetchFailed(AuthJwtError):
    """A fetch failed. The message is for operators: what happened, at which host, and what to do. It holds no key.

    Attributes:
        kind: what went wrong.
        retry_after: in how many seconds the server wants to be asked again; None when it does not say.
    """

    def __init__(self, kind: FailureKind, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after

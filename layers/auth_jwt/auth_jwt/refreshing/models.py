"""The nouns of refreshing: the status of an issuer's fetches, what one refresh did, and what all of a minute did."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from auth_jwt.errors import AuthJwtError, Invalid
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import FETCHED_AT, NEXT_FETCH_AT, VERSION, Issuer, KeySet
from auth_jwt.models import Row

ETAG: Final = "issuer_etag"
FAILURES: Final = "issuer_failures"
FAILURE: Final = "issuer_failure"
NEXT_DISCOVERY_AT: Final = "issuer_next_discovery_at"
MOVED_TO: Final = "issuer_moved_to"

STATUS_ATTRIBUTES: Final = (
    VERSION,
    FETCHED_AT,
    NEXT_FETCH_AT,
    ETAG,
    FAILURES,
    FAILURE,
    NEXT_DISCOVERY_AT,
    MOVED_TO,
)
"""The attributes of the status row, beside its key."""

REGISTRY_TAG: Final = (
    "The issuers whose keys are fetched, one in each row. This text is longer than any tag that a token may name, so no"
    " login ever reads these rows."
)
"""The partition of the secrets table that lists the issuers. Its rows' sort keys are their identifiers."""

FAILURES_BEFORE_ALARM: Final = 3
SECONDS_BEFORE_ALARM: Final = 15 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchStatus:
    """The status row of an issuer: how the fetches of its keys went. Times are in UNIX seconds.

    Attributes:
        version: the version of the configuration that the row belongs to.
        fetched_at: when the last successful fetch began; None before the first.
        next_fetch_at: when the next fetch is due; None means now.
        etag: the ETag of the key set; None when its server gives none.
        failures: how many fetches have failed since the last successful one.
        failure: why the last of these failed; None when it did not.
        next_discovery_at: when the discovery document is due; None means now.
        moved_to: the address of the keys that the discovery document names, when it is not the configured one.
    """

    version: int
    fetched_at: int | None = None
    next_fetch_at: int | None = None
    etag: str | None = None
    failures: int = 0
    failure: str | None = None
    next_discovery_at: int | None = None
    moved_to: str | None = None

    @classmethod
    def from_row(cls, row: Row) -> Self:
        """Make a status of its row. A value of an unexpected type counts as absent."""
        return cls(
            version=_whole(row.get(VERSION)) or 0,
            fetched_at=_whole(row.get(FETCHED_AT)),
            next_fetch_at=_whole(row.get(NEXT_FETCH_AT)),
            etag=_text(row.get(ETAG)),
            failures=_whole(row.get(FAILURES)) or 0,
            failure=_text(row.get(FAILURE)),
            next_discovery_at=_whole(row.get(NEXT_DISCOVERY_AT)),
            moved_to=_text(row.get(MOVED_TO)),
        )

    def to_columns(self) -> dict[str, str | int | None]:
        """Return the attributes of the row; None for one that the row does not have."""
        return {
            VERSION: self.version,
            FETCHED_AT: self.fetched_at,
            NEXT_FETCH_AT: self.next_fetch_at,
            ETAG: self.etag,
            FAILURES: self.failures or None,
            FAILURE: self.failure,
            NEXT_DISCOVERY_AT: self.next_discovery_at,
            MOVED_TO: self.moved_to,
        }

    def is_failing(self, now: float) -> bool:
        """Tell whether fetches have failed so often, or for so long, that somebody should look."""
        since = self.version if self.fetched_at is None else self.fetched_at  # a version is a time as well
        return self.failures >= FAILURES_BEFORE_ALARM or now - since >= SECONDS_BEFORE_ALARM

    def is_stale_soon(self, now: float, keys_lifetime: float) -> bool:
        """Tell whether three quarters of the time are over for which the keys verify."""
        return self.fetched_at is not None and now - self.fetched_at > keys_lifetime * 3 / 4


@dataclass(frozen=True, slots=True)
class RefreshRows:
    """What the tables hold of an issuer.

    Attributes:
        issuer: its configuration; why that cannot be used; or None when there is no such issuer.
        key_set: its keys as last fetched; None before the first fetch.
        status: how its fetches went; None when the row is missing.
    """

    issuer: Issuer | Invalid | None
    key_set: KeySet | None = None
    status: FetchStatus | None = None


class RefreshOutcome(StrEnum):
    """How the refresh of one issuer ended. The values are stable: logs use them."""

    NOT_DUE = "not_due"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"  # the keys are others than before
    FAILED = "failed"  # nothing usable was fetched; the keys of before go on verifying
    OVERTAKEN = "overtaken"  # another refresh or an operator wrote meanwhile, so nothing was written
    DISABLED = "disabled"
    GONE = "gone"  # the registry lists an issuer that has no configuration
    NOT_SET = "not_set"  # ISSUERS does not name it, so no login needs its keys
    UNUSABLE = "unusable"  # its rows cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What the refresh of one issuer did.

    Attributes:
        issuer: the identifier.
        outcome: how it ended.
        status: the status as it stands now; None when there is none.
        problem: why it failed, or why its rows are unusable.
        discovery_problem: why the discovery document could not be read, when it was due.
        keys: how many keys the set has, when it was replaced.
        dropped: for each flaw, how many of the published keys were dropped for it.
        has_nothing_in_common: whether a set replaced another of the same address and shares no key with it.
    """

    issuer: str
    outcome: RefreshOutcome
    status: FetchStatus | None = None
    problem: AuthJwtError | None = None
    discovery_problem: FetchFailed | None = None
    keys: int | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    has_nothing_in_common: bool = False

    @property
    def publishes_private_key(self) -> bool:
        """Whether the key set held a private key, so that nothing of it was taken."""
        return isinstance(self.problem, FetchFailed) and self.problem.kind is FailureKind.PRIVATE_KEY_PUBLISHED


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, Decimal) and value.is_finite() else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

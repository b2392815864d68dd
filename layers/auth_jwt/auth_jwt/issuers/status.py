"""The status of an issuer's fetches: refreshing writes it at every fetch, and operators look at it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Self

from auth_jwt.issuers.models import FETCHED_AT, NEXT_FETCH_AT, VERSION
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
        stored: the attributes as the row holds them, values of an unexpected type among them. None without a row.
    """

    version: int
    fetched_at: int | None = None
    next_fetch_at: int | None = None
    etag: str | None = None
    failures: int = 0
    failure: str | None = None
    next_discovery_at: int | None = None
    moved_to: str | None = None
    stored: Row | None = field(default=None, repr=False, compare=False)

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
            stored={name: row[name] for name in STATUS_ATTRIBUTES if name in row},
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


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, Decimal) and value.is_finite() else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

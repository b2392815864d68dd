"""The nouns of refreshing: the rows it reads, and what one refresh did."""

from dataclasses import dataclass, field
from enum import StrEnum

from auth_jwt.errors import AuthJwtError, Invalid
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import Issuer, KeySet
from auth_jwt.issuers.status import FetchStatus


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

    @property
    def are_of_one_version(self) -> bool:
        """Whether configuration and status belong together. Without a usable configuration, there is nothing to say."""
        if not isinstance(self.issuer, Issuer):
            return True
        return self.status is not None and self.status.version == self.issuer.version


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

"""Refreshing one issuer: read -> due? -> discovery -> fetch -> compare -> write. Start reading here.

Keys are never merged: a key that the issuer removed is gone with the next write. A failed fetch changes no keys.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http import HTTPStatus
from math import floor
from typing import Final

from auth_jwt.errors import AuthJwtError, Invalid, Unreachable
from auth_jwt.fetching.documents import FilteredKeySet, discovery_url, read_discovery, read_key_set
from auth_jwt.fetching.errors import FetchFailed
from auth_jwt.issuers.models import Issuer, IssuerPatterns, KeySet
from auth_jwt.issuers.rules import MAX_RETRY_AFTER
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.provisioning.audit import Audit, AuditEntry, WriteOutcome
from auth_jwt.refreshing.models import Refreshed, RefreshOutcome
from auth_jwt.refreshing.ports import Fetcher
from auth_jwt.refreshing.store import IssuerTables

MINUTE: Final = 60
_DAY: Final = 86400
_HOUR: Final = 3600
_EARLY_SECONDS: Final = 30  # a scheduler is never exact; what is due within this time is due now
_MINUTES_AFTER_FAILURES: Final = (1, 2, 4, 5)
_ACTION: Final = "issuer.refresh"
_OTHER_VERSION: Final = (
    "its row of status is missing or of another version, as after one table was restored: `auth-jwt issuer set` writes"
    " it anew, even with the values that are there"
)


class JudgedKeySets:
    """Remembers the last key set of each address as it was judged: judging takes long, and sets seldom change."""

    def __init__(self) -> None:
        self._judged: dict[str, tuple[bytes, FilteredKeySet]] = {}

    def read(self, body: bytes, url: str, *, known: KeySet | None) -> FilteredKeySet:
        """Read the key set that was fetched from *url*; see `auth_jwt.fetching.documents.read_key_set`.

        Raises:
            FetchFailed: none of it can be used.
        """
        digest = sha256(body).digest()
        before, filtered = self._judged.get(url, (None, None))
        if filtered is None or before != digest:
            filtered = read_key_set(body, url, known=known)
            self._judged[url] = digest, filtered
        return filtered

    def confirm(self, known: KeySet) -> bool:
        """Tell whether *known* is the set that was last fetched from its address, and is not damaged."""
        _, filtered = self._judged.get(known.url, (None, None))
        return filtered is not None and filtered.key_set == known


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresher:
    """Keeps the keys of issuers fresh.

    Attributes:
        store: the tables.
        fetcher: fetches documents.
        patterns: the setting `ISSUERS`; nothing is fetched from others. None without issuers.
        audit: receives an entry for every change of keys.
        actor: who refreshes, for the audit log.
        clock: returns the time in UNIX seconds.
        judged: the key sets as last fetched.
    """

    store: IssuerTables
    fetcher: Fetcher
    patterns: IssuerPatterns | None
    audit: Audit
    actor: str
    clock: Callable[[], float] = time.time
    judged: JudgedKeySets = field(default_factory=JudgedKeySets)

    def refresh(self, identifier: str, *, minute: float | None = None) -> Refreshed:
        """Fetch the keys of an issuer and write them, if they are due.

        Args:
            identifier: the issuer.
            minute: when the scheduler began this round, in UNIX seconds. None refreshes now, whether it is due or not.

        Raises:
            Fault: the tables cannot be read or written.
        """
        if not self.follows(identifier):
            return Refreshed(issuer=identifier, outcome=RefreshOutcome.NOT_SET)
        rows = self.store.read(identifier)
        if not rows.are_of_one_version:  # an operator may have written between the reads of the two tables
            rows = self.store.read(identifier)
        issuer, before = rows.issuer, rows.status
        if issuer is None:
            return Refreshed(issuer=identifier, outcome=RefreshOutcome.GONE)
        if isinstance(issuer, Invalid) or before is None or not rows.are_of_one_version:
            problem = issuer if isinstance(issuer, Invalid) else Invalid(_OTHER_VERSION)
            return Refreshed(issuer=identifier, outcome=RefreshOutcome.UNUSABLE, status=before, problem=problem)
        if issuer.disabled:
            return Refreshed(issuer=identifier, outcome=RefreshOutcome.DISABLED, status=before)
        begun = self.clock() if minute is None else minute
        if minute is not None and _is_ahead(before.next_fetch_at, minute, MAX_RETRY_AFTER):
            return Refreshed(issuer=identifier, outcome=RefreshOutcome.NOT_DUE, status=before)
        status, discovery_problem = self._discover(issuer, before, begun)
        refreshed = self._refresh(issuer, rows.key_set, status, before, begun)
        return replace(refreshed, discovery_problem=discovery_problem)

    def follows(self, identifier: str) -> bool:
        """Tell whether the setting `ISSUERS` names an issuer: otherwise its keys are not fetched."""
        return self.patterns is not None and self.patterns.match(identifier)

    def _discover(self, issuer: Issuer, before: FetchStatus, begun: float) -> tuple[FetchStatus, FetchFailed | None]:
        """Read the discovery document when it is due. The keys are fetched from the configured address all the same."""
        if not issuer.discovers or _is_ahead(before.next_discovery_at, begun, _DAY):
            return before, None
        try:
            document = self.fetcher.fetch(discovery_url(issuer.identifier))
            found = read_discovery(document.body, issuer.identifier)
        except FetchFailed as problem:
            return replace(before, next_discovery_at=floor(begun + _HOUR)), problem
        moved_to = None if found.keys_url == issuer.keys_url else found.keys_url
        return replace(before, next_discovery_at=floor(begun + _DAY), moved_to=moved_to), None

    def _refresh(
        self, issuer: Issuer, known: KeySet | None, status: FetchStatus, before: FetchStatus, begun: float
    ) -> Refreshed:
        if known is not None and known.url != issuer.keys_url:
            known = None  # it does not count any more
        started = floor(self.clock())
        try:
            found = self._fetch(issuer, known, status.etag)
        except FetchFailed as problem:
            return self._note_failure(issuer, status, before, begun, problem)
        status = replace(
            status, fetched_at=started, next_fetch_at=floor(begun + MINUTE), failures=0, failure=None, etag=found.etag
        )
        if started < (before.fetched_at or 0) <= started + MINUTE:  # later than that, a clock was wrong
            return _overtaken(issuer, before)
        if found.filtered is None or (known is not None and found.filtered.key_set == known):
            return self._confirm(issuer, status, before, found)
        return self._replace(issuer, known, found.filtered, status, before)

    def _fetch(self, issuer: Issuer, known: KeySet | None, etag: str | None) -> "_Found":
        """Fetch the keys. The ETag is sent only where the row holds what this process has judged.

        So a row that was damaged is written anew, and so is one that was written by other rules, after a deployment.
        """
        sent = etag if known is not None and self.judged.confirm(known) else None
        answer = self.fetcher.fetch(issuer.keys_url, etag=sent)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            return _Found(None, answer.etag)
        return _Found(self.judged.read(answer.body, issuer.keys_url, known=known), answer.etag)

    def _confirm(self, issuer: Issuer, status: FetchStatus, before: FetchStatus, found: "_Found") -> Refreshed:
        written = self.store.write_status(issuer.identifier, status, before=before)
        dropped = {} if found.filtered is None else dict(found.filtered.count_flaws())
        refreshed = Refreshed(
            issuer=issuer.identifier, outcome=RefreshOutcome.UNCHANGED, status=status, dropped=dropped
        )
        return refreshed if written else _overtaken(issuer, before)

    def _note_failure(
        self, issuer: Issuer, status: FetchStatus, before: FetchStatus, begun: float, problem: FetchFailed
    ) -> Refreshed:
        failures = status.failures + 1
        minutes = _MINUTES_AFTER_FAILURES[min(failures, len(_MINUTES_AFTER_FAILURES)) - 1]
        due = floor(begun + max(minutes * MINUTE, problem.retry_after or 0))
        status = replace(status, failures=failures, failure=problem.kind.value, next_fetch_at=due)
        written = self.store.write_status(issuer.identifier, status, before=before)
        refreshed = Refreshed(issuer=issuer.identifier, outcome=RefreshOutcome.FAILED, status=status, problem=problem)
        return refreshed if written else _overtaken(issuer, before)

    def _replace(
        self, issuer: Issuer, known: KeySet | None, found: FilteredKeySet, status: FetchStatus, before: FetchStatus
    ) -> Refreshed:
        old, new = _thumbprints(known), _thumbprints(found.key_set)
        outcome: WriteOutcome | None = WriteOutcome.UNKNOWN  # unless the store says whether it wrote
        written = False
        try:
            written = self.store.write_keys(issuer.identifier, found.key_set, status, before=before)
            outcome = WriteOutcome.DONE if written else None
        except AuthJwtError as error:
            if not isinstance(error, Unreachable):  # the tables rejected the write, so it did not happen
                outcome = None
            raise
        finally:
            if outcome is not None:
                details = {"keys": len(new), "added": sorted(new - old), "removed": sorted(old - new)}
                self.audit(
                    AuditEntry(status.fetched_at or 0, self.actor, _ACTION, issuer.identifier, None, outcome, details)
                )
        refreshed = Refreshed(
            issuer=issuer.identifier,
            outcome=RefreshOutcome.REPLACED,
            status=status,
            keys=len(new),
            dropped=dict(found.count_flaws()),
            has_nothing_in_common=bool(old) and old.isdisjoint(new),
        )
        return refreshed if written else _overtaken(issuer, before)


@dataclass(frozen=True, slots=True)
class _Found:
    """A key set that was fetched; without one, the server says that it has not changed."""

    filtered: FilteredKeySet | None
    etag: str | None


def _is_ahead(due: int | None, now: float, longest: int) -> bool:
    """Tell whether something is not due yet. Nothing is put off for longer than *longest*: then a clock was wrong."""
    return due is not None and now + _EARLY_SECONDS < due <= now + longest + MINUTE


def _thumbprints(key_set: KeySet | None) -> frozenset[str]:
    """Return the RFC 7638 thumbprints of the keys. A thumbprint names a public key and may be shown."""
    return frozenset() if key_set is None else frozenset(key.thumbprint for key in key_set.keys)


def _overtaken(issuer: Issuer, before: FetchStatus) -> Refreshed:
    return Refreshed(issuer=issuer.identifier, outcome=RefreshOutcome.OVERTAKEN, status=before)

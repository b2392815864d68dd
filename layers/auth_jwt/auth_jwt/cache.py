"""What is remembered of the tables: rows by tag, revocations by token, for a while, and never more than fits.

Callers choose the tags, so everything here is bounded, and tags that turned out unknown live apart from those that
exist: no flood of inventions pushes out a real user. Windows, claims and signatures are judged anew at every
request; no verdict is remembered.

Of a burst of requests for one tag, one reads and the others wait for what it gets. One lock guards all of a memory,
and nobody holds it while reading.
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final, Generic, TypeVar

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import TagRows
from auth_jwt.ports import Deadline, RevocationsStore, RowsStore

MAX_REMEMBERED_BYTES = 64 * 1024 * 1024
MAX_REVOCATION_BYTES = 16 * 1024 * 1024
MAX_UNKNOWN_TAGS = 4096
UNKNOWN_TAG_SECONDS = 5
SECONDS_BETWEEN_ATTEMPTS = 1

_T = TypeVar("_T")

_UNKNOWN: Final = TagRows()
"""That a tag has no secrets is all there is to know about it."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Rows, and where they came from: `memory`, `stale` memory in an outage, or the `table` just now."""

    rows: TagRows
    origin: str

    @property
    def remembered(self) -> bool:
        """Whether these rows may have been overtaken by a write."""
        return self.origin != "table"


@dataclass(slots=True)
class _Entry:
    recalled: Recalled  # as it is given out, made once
    weight: int
    read_at: float
    fresh_until: float
    retry_at: float = float("-inf")


class _Reading(Generic[_T]):
    """One read, for the request that does it and for all who wait for its outcome."""

    __slots__ = ("began_at", "ended", "failure", "found")
    found: _T  # when it has ended without a failure

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.failure: BaseException | None = None
        self.ended = Event()

    def outcome(self, deadline: Deadline) -> _T:
        """Return what somebody else reads or has read, waiting until *deadline* at most."""
        if not self.ended.wait(deadline.seconds_left()):
            raise Unreachable("another request's reading of the tables did not end in time (STORE_TIMEOUT_MS)")
        if isinstance(self.failure, Fault):  # a copy: one exception raised in two threads is a mess
            raise type(self.failure)(*self.failure.args) from self.failure
        if self.failure is not None:
            raise Fault("another request's reading of the tables broke off") from self.failure
        return self.found


class RowMemory:
    """The rows of a tag, remembered for *ttl* seconds, and for *stale_for* more while the store is unreachable.

    Args:
        store: where rows are read.
        ttl: seconds; 0 remembers nothing at all, for any purpose, and shares nothing.
        stale_for: seconds beyond *ttl*.
        timer: a clock that never goes back, in seconds.
        max_bytes: what the remembered rows may weigh together.
    """

    def __init__(
        self,
        store: RowsStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_REMEMBERED_BYTES,
    ) -> None:
        self._store = store
        self._ttl = ttl
        self._stale_for = stale_for
        self._timer = timer
        self._max_bytes = max_bytes
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[str, _Reading[TagRows]] = {}
        # Those of the last second: as many as one second can read.
        self._renewals: OrderedDict[str, _Reading[TagRows]] = OrderedDict()
        self._retry_at = float("-inf")
        self._lock = Lock()

    def recall(self, tag: str, deadline: Deadline) -> Recalled:
        """Return the rows of *tag*, from memory when it is fresh enough, otherwise read by *deadline*.

        Who comes while another request reads them waits for that, and gets them as remembered: that reading began
        before, so a write may have overtaken it.

        Raises:
            Fault: the read failed, and memory has nothing that may serve in its place.
        """
        with self._lock:
            asked_at = self._timer()
            if self._renewals:
                self._forget_renewals(asked_at)
            entry = self._entry_of(tag)
            if entry is not None and asked_at < entry.fresh_until:
                return entry.recalled
            stale = self._usable_when_stale(entry, asked_at)
            if stale is not None and asked_at < max(stale.retry_at, self._retry_at):
                return Recalled(stale.recalled.rows, "stale")
            reading = self._under_way.get(tag)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[tag] = _Reading(asked_at)
        try:
            if joins:
                return Recalled(reading.outcome(deadline), "memory")
            return Recalled(self._carried_out(reading, tag, deadline, consistent=False, stale=stale), "table")
        except Unreachable:
            if stale is None:
                raise
            return Recalled(stale.recalled.rows, "stale")

    def renew(self, tag: str, deadline: Deadline, *, instead_of: TagRows | None = None) -> TagRows | None:
        """Return the rows of *tag* read anew, strongly consistent, at most once a second.

        Within that second everybody shares the outcome of the one read, rows or failure, waiting for it if need be.
        Nothing that a `recall` reads will do, since that may lag behind a write.

        Args:
            tag: whose rows.
            deadline: when to give up.
            instead_of: the rows that were found wanting; None when that is not said.

        Returns:
            The rows; None when there is nothing new to look at: they are *instead_of* itself, or, where that is not
            said, the read had ended before.

        Raises:
            Fault: they could not be read, now or at the attempt within the last second.
        """
        with self._lock:
            asked_at = self._timer()
            entry = self._entry_of(tag)
            if entry is not None and asked_at < entry.retry_at:
                raise Unreachable("the tables were unreachable a moment ago")
            self._forget_renewals(asked_at)
            renewal = self._renewals.get(tag)
            joins = renewal is not None
            if renewal is None:
                renewal = _Reading(asked_at)
                if self._ttl > 0:
                    self._renewals[tag] = renewal
        if not joins:
            return self._carried_out(renewal, tag, deadline, consistent=True)
        nothing_new = instead_of is None and renewal.ended.is_set()
        rows = renewal.outcome(deadline)
        return None if nothing_new or rows is instead_of else rows

    def _carried_out(
        self,
        reading: _Reading[TagRows],
        tag: str,
        deadline: Deadline,
        *,
        consistent: bool,
        stale: _Entry | None = None,
    ) -> TagRows:
        """Read and remember; whatever happens, nobody is left waiting."""
        try:
            rows = self._store.read(tag, consistent=consistent, deadline=deadline)
            reading.found = rows if rows.secrets else _UNKNOWN
            self._keep(tag, reading)
        except BaseException as failure:
            reading.failure = failure
            if stale is not None and isinstance(failure, Unreachable):
                self._wait_before_next_attempt(stale, failure)
            raise
        finally:
            with self._lock:
                if self._under_way.get(tag) is reading:
                    del self._under_way[tag]
            reading.ended.set()
        return reading.found

    def _forget_renewals(self, now: float) -> None:
        while self._renewals and now >= _oldest(self._renewals).began_at + SECONDS_BETWEEN_ATTEMPTS:
            self._renewals.popitem(last=False)

    def _entry_of(self, tag: str) -> _Entry | None:
        shelf = self._known
        entry = shelf.get(tag)
        if entry is None:
            shelf = self._unknown
            entry = shelf.get(tag)
        if entry is not None:
            shelf.move_to_end(tag)
        return entry

    def _usable_when_stale(self, entry: _Entry | None, now: float) -> _Entry | None:
        if entry is None or not entry.recalled.rows.secrets or now >= entry.read_at + self._ttl + self._stale_for:
            return None
        return entry

    def _wait_before_next_attempt(self, entry: _Entry, outage: Unreachable) -> None:
        # From the end of the failed attempt on. One throttled tag says nothing about the others.
        with self._lock:
            entry.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
            if not isinstance(outage, Throttled):
                self._retry_at = entry.retry_at

    def _keep(self, tag: str, reading: _Reading[TagRows]) -> None:
        if self._ttl <= 0:
            return
        rows, began_at = reading.found, reading.began_at
        lifetime = self._ttl if rows.secrets else min(self._ttl, UNKNOWN_TAG_SECONDS)
        entry = _Entry(Recalled(rows, "memory"), rows.weight, began_at, began_at + lifetime)
        with self._lock:
            newer = self._known.get(tag) or self._unknown.get(tag)
            if newer is not None and newer.read_at > entry.read_at:
                return  # a slow read came back after a later one
            self._unknown.pop(tag, None)
            self._forget(tag)
            if not rows.secrets:
                self._unknown[tag] = entry
                if len(self._unknown) > MAX_UNKNOWN_TAGS:
                    self._unknown.popitem(last=False)
            elif entry.weight <= self._max_bytes:
                self._known[tag] = entry
                self._bytes += entry.weight
                while self._bytes > self._max_bytes:
                    self._forget(next(iter(self._known)))

    def _forget(self, tag: str) -> None:
        entry = self._known.pop(tag, None)
        if entry is not None:
            self._bytes -= entry.weight


def _oldest(readings: "OrderedDict[str, _Reading[TagRows]]") -> _Reading[TagRows]:
    return next(iter(readings.values()))


_Token = tuple[str, str]
"""A tag, and the `jti` of one of its tokens."""

_FINDING_BYTES: Final = 320
"""About what it takes to remember a token, besides its two texts; rather more than fewer."""


@dataclass(slots=True)
class _Finding:
    is_revoked: bool
    weight: int
    read_at: float
    retry_at: float = float("-inf")


class RevocationMemory:
    """Whether a token stands in the table of revoked ones, remembered as rows are.

    What is remembered is that a row is there or is not, by tag and `jti`: for *ttl* seconds, and for *stale_for* more
    while the store is unreachable. A token that is not remembered is looked up, and when that fails, the answer is a
    fault. Only tokens whose signature and claims hold are ever asked about; a user who has many of them pushes out
    what was not asked for longest.

    Args:
        store: where revocations are read.
        ttl: seconds; 0 remembers nothing at all, and shares nothing.
        stale_for: seconds beyond *ttl*.
        timer: a clock that never goes back, in seconds.
        max_bytes: what all that is remembered may weigh together.
    """

    def __init__(
        self,
        store: RevocationsStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_REVOCATION_BYTES,
    ) -> None:
        self._store = store
        self._ttl = ttl
        self._stale_for = stale_for
        self._timer = timer
        self._max_bytes = max_bytes
        self._findings: OrderedDict[_Token, _Finding] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[_Token, _Reading[bool]] = {}
        self._retry_at = float("-inf")
        self._lock = Lock()

    def is_revoked(self, tag: str, jti: str, deadline: Deadline) -> bool:
        """Tell whether the token is revoked, from memory when that is fresh enough, otherwise read by *deadline*.

        Who comes while another request reads about the same token waits for that.

        Raises:
            Fault: the read failed, and memory has nothing that may serve in its place.
        """
        token = (tag, jti)
        with self._lock:
            asked_at = self._timer()
            finding = self._findings.get(token)
            if finding is not None:
                self._findings.move_to_end(token)
                if asked_at < finding.read_at + self._ttl:
                    return finding.is_revoked
            stale = self._usable_when_stale(finding, asked_at)
            if stale is not None and asked_at < max(stale.retry_at, self._retry_at):
                return stale.is_revoked
            reading = self._under_way.get(token)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[token] = _Reading(asked_at)
        try:
            return reading.outcome(deadline) if joins else self._carried_out(reading, token, deadline, stale)
        except Unreachable:
            if stale is None:
                raise
            return stale.is_revoked

    def _carried_out(self, reading: _Reading[bool], token: _Token, deadline: Deadline, stale: _Finding | None) -> bool:
        """Read and remember; whatever happens, nobody is left waiting."""
        try:
            reading.found = self._store.is_revoked(*token, deadline=deadline)
            self._keep(token, reading)
        except BaseException as failure:
            reading.failure = failure
            if stale is not None and isinstance(failure, Unreachable):
                self._wait_before_next_attempt(stale, failure)
            raise
        finally:
            with self._lock:
                if self._under_way.get(token) is reading:
                    del self._under_way[token]
            reading.ended.set()
        return reading.found

    def _usable_when_stale(self, finding: _Finding | None, now: float) -> _Finding | None:
        if finding is None or now >= finding.read_at + self._ttl + self._stale_for:
            return None
        return finding

    def _wait_before_next_attempt(self, finding: _Finding, outage: Unreachable) -> None:
        # From the end of the failed attempt on. One throttled tag says nothing about the others.
        with self._lock:
            finding.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
            if not isinstance(outage, Throttled):
                self._retry_at = finding.retry_at

    def _keep(self, token: _Token, reading: _Reading[bool]) -> None:
        if self._ttl <= 0:
            return
        weight = _FINDING_BYTES + sum(map(sys.getsizeof, token))
        with self._lock:
            older = self._findings.get(token)
            if older is not None:
                if older.read_at > reading.began_at:
                    return  # a slow read came back after a later one
                self._forget(token)
            self._findings[token] = _Finding(reading.found, weight, reading.began_at)
            self._bytes += weight
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._findings)))

    def _forget(self, token: _Token) -> None:
        self._bytes -= self._findings.pop(token).weight

"""What is remembered of the tables: rows by tag, for a while, and never more than fits.

Callers choose the tags, so everything here is bounded, and tags that turned out unknown live apart from those that
exist: no flood of inventions pushes out a real user. Windows, claims and signatures are judged anew at every
request; no verdict is remembered.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import TagRows
from auth_jwt.ports import Deadline, RowsStore

MAX_REMEMBERED_BYTES = 64 * 1024 * 1024
MAX_UNKNOWN_TAGS = 4096
UNKNOWN_TAG_SECONDS = 5
SECONDS_BETWEEN_ATTEMPTS = 1


@dataclass(slots=True)
class _Entry:
    rows: TagRows
    read_at: float
    renewed_at: float = float("-inf")
    renewal_failed: Fault | None = None
    retry_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Recalled:
    """Rows, and where they came from: `memory`, `stale` memory in an outage, or the `table` just now."""

    rows: TagRows
    origin: str

    @property
    def remembered(self) -> bool:
        """Whether these rows may have been overtaken by a write."""
        return self.origin != "table"


class RowMemory:
    """The rows of a tag, remembered for *ttl* seconds, and for *stale_for* more while the store is unreachable.

    Args:
        store: where rows are read.
        ttl: seconds; 0 remembers nothing at all, for any purpose.
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
        self._retry_at = float("-inf")
        self._lock = Lock()

    def recall(self, tag: str, deadline: Deadline) -> Recalled:
        """Return the rows of *tag*, from memory when it is fresh enough, otherwise read by *deadline*.

        Raises:
            Fault: the read failed, and memory has nothing that may serve in its place.
        """
        asked_at = self._timer()
        entry = self._entry_of(tag)
        if entry is not None and asked_at < entry.read_at + self._lifetime(entry):
            return Recalled(entry.rows, "memory")
        stale = self._usable_when_stale(entry, asked_at)
        if stale is not None and self._is_waiting(stale, asked_at):
            return Recalled(stale.rows, "stale")
        try:
            rows = self._store.read(tag, consistent=False, deadline=deadline)
        except Unreachable as outage:
            if stale is None:
                raise
            self._wait_before_next_attempt(stale, outage)
            return Recalled(stale.rows, "stale")
        read = _Entry(rows, asked_at)
        if entry is not None:  # once a second is once a second, whatever is read in between
            read.renewed_at, read.renewal_failed = entry.renewed_at, entry.renewal_failed
        self._keep(tag, read)
        return Recalled(rows, "table")

    def renew(self, tag: str, deadline: Deadline) -> TagRows | None:
        """Return the rows of *tag* read anew, strongly consistent; None when that was done within the last second.

        Raises:
            Fault: they could not be read, now or at the attempt within the last second.
        """
        asked_at = self._timer()
        entry = self._entry_of(tag)
        if entry is not None:
            if asked_at < entry.retry_at:
                raise Unreachable("the tables were unreachable a moment ago")
            with self._lock:
                renewed_at, failure = entry.renewed_at, entry.renewal_failed
                if asked_at >= renewed_at + SECONDS_BETWEEN_ATTEMPTS:
                    entry.renewed_at, entry.renewal_failed = asked_at, None
            if asked_at < renewed_at + SECONDS_BETWEEN_ATTEMPTS:
                if failure is not None:
                    raise type(failure)(*failure.args) from failure
                return None
        try:
            rows = self._store.read(tag, consistent=True, deadline=deadline)
        except Fault as failure:
            if entry is not None:
                entry.renewal_failed = failure
            raise
        self._keep(tag, _Entry(rows, asked_at, renewed_at=asked_at))
        return rows

    def _entry_of(self, tag: str) -> _Entry | None:
        with self._lock:
            for shelf in (self._known, self._unknown):
                if tag in shelf:
                    shelf.move_to_end(tag)
                    return shelf[tag]
        return None

    def _lifetime(self, entry: _Entry) -> float:
        return self._ttl if entry.rows.secrets else min(self._ttl, UNKNOWN_TAG_SECONDS)

    def _usable_when_stale(self, entry: _Entry | None, now: float) -> _Entry | None:
        if entry is None or not entry.rows.secrets or now >= entry.read_at + self._ttl + self._stale_for:
            return None
        return entry

    def _is_waiting(self, entry: _Entry, now: float) -> bool:
        return now < max(entry.retry_at, self._retry_at)

    def _wait_before_next_attempt(self, entry: _Entry, outage: Unreachable) -> None:
        # From the end of the failed attempt on. One throttled tag says nothing about the others.
        entry.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
        if not isinstance(outage, Throttled):
            self._retry_at = entry.retry_at

    def _keep(self, tag: str, entry: _Entry) -> None:
        if self._ttl <= 0:
            return
        with self._lock:
            newer = self._known.get(tag) or self._unknown.get(tag)
            if newer is not None and newer.read_at > entry.read_at:
                return  # a slow read came back after a later one
            self._unknown.pop(tag, None)
            self._forget(tag)
            if not entry.rows.secrets:
                entry.rows = TagRows()  # that it is unknown is all there is to remember
                self._unknown[tag] = entry
                if len(self._unknown) > MAX_UNKNOWN_TAGS:
                    self._unknown.popitem(last=False)
            elif entry.rows.weight <= self._max_bytes:
                self._known[tag] = entry
                self._bytes += entry.rows.weight
                while self._bytes > self._max_bytes:
                    self._forget(next(iter(self._known)))

    def _forget(self, tag: str) -> None:
        entry = self._known.pop(tag, None)
        if entry is not None:
            self._bytes -= entry.rows.weight

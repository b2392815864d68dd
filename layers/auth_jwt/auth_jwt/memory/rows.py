"""The rows of tags, remembered for a limited time and within a limited size.

Callers choose the tags. So everything here is bounded, and unknown tags are kept apart from known ones: a flood of
invented tags pushes out no real user. Only rows are remembered, never a verdict: windows, claims and signatures are
judged at every request.

One lock guards a memory. No thread holds it during a read of the tables.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final, TypeGuard

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.memory.outage import SECONDS_BETWEEN_ATTEMPTS, Outage
from auth_jwt.memory.reading import Reading, copy_of
from auth_jwt.models import Half, Profile, Secret, TagRows
from auth_jwt.ports import Deadline, HalfRead, RowsStore

MAX_REMEMBERED_BYTES = 64 * 1024 * 1024
MAX_UNKNOWN_TAGS = 4096
UNKNOWN_TAG_SECONDS = 5

_UNKNOWN: Final = TagRows()
"""What is remembered of a tag without secrets: nothing but that it has none."""

_BOTH: Final = tuple(Half)
_NEVER: Final = float("-inf")
_OUTAGE: Final = "no table answers; one request a second tries to read them"


@dataclass(frozen=True, slots=True)
class Recalled:
    """Rows, and where they came from.

    Attributes:
        rows: the newest known rows of each half; a half of which nothing is known is empty.
        origin: `table` for rows read just now, `memory` for fresh remembered rows, `stale` when some rows are older
            remembered ones that could not be read anew.
        read: the halves that were read for this request. A write may have changed the other half since it was read.
        failure: why only one half was read; None otherwise.
    """

    rows: TagRows
    origin: str
    read: tuple[Half, ...] = ()
    failure: Unreachable | None = None


@dataclass(slots=True)
class _Entry:
    recalled: Recalled  # made once, returned to every request
    weight: int
    profile_read_at: float
    secrets_read_at: float
    fresh_until: float
    retry_at: float = _NEVER


class RowMemory:
    """Remembers the rows of a tag for *ttl* seconds, and for *stale_for* more while they cannot be read.

    The profile of a tag and its secrets are in two tables. Memory keeps the time of each half's last read. When only
    one half could be read, it is joined with the other half as remembered. During an outage one request a second reads,
    and all others go without (`auth_jwt.memory.outage`).

    Args:
        store: where rows are read.
        ttl: in seconds; 0 remembers no rows, for any purpose, and shares no read.
        stale_for: in seconds, beyond *ttl*.
        timer: a clock that never goes back, in seconds.
        max_bytes: the most memory that the remembered rows may take together.
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
        self._under_way: dict[str, Reading[Recalled]] = {}
        # The renewals of the last second. Their number is bounded by what one second can read.
        self._renewals: OrderedDict[str, Reading[Recalled]] = OrderedDict()
        self._outage = Outage()
        self._lock = Lock()

    def recall(self, tag: str, deadline: Deadline) -> Recalled:
        """Return the rows of *tag*: from memory when they are fresh enough, otherwise by a read.

        A request that arrives during a read of the tag waits for that read. Its rows count as remembered: the read
        began before the request, so it may have missed a write.

        Raises:
            Fault: the read failed or did not end by *deadline*, and memory has nothing that may serve instead.
        """
        with self._lock:
            asked_at = self._timer()
            if self._renewals:
                self._forget_renewals(asked_at)
            entry = self._entry_of(tag)
            if entry is not None and asked_at < entry.fresh_until:
                return entry.recalled
            stale = entry if self._may_serve(entry, asked_at) else None
            if stale is not None and asked_at < stale.retry_at:
                return _stale(stale)
            if not self._outage.admits(tag, asked_at, remembered=stale is not None, seconds=deadline.seconds):
                if stale is None:
                    raise Unreachable(_OUTAGE)
                return _stale(stale)
            reading = self._under_way.get(tag)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[tag] = Reading(asked_at)
        try:
            if not joins:
                return self._carry_out(reading, tag, deadline, consistent=False)
            found = reading.wait(deadline)
            return Recalled(found.rows, "memory" if found.failure is None else "stale")
        except Unreachable:
            with self._lock:
                entry = self._known.get(tag)  # another request may have read a half meanwhile
            if not self._may_serve(entry, asked_at):
                raise
            return _stale(entry)

    def renew(self, tag: str, deadline: Deadline, *, instead_of: TagRows | None = None) -> Recalled | None:
        """Read the rows of *tag* anew, strongly consistent, at most once a second.

        All requests within that second share the one read, its rows or its failure, and wait for it where necessary.
        They do not share the read of a `recall`, which is eventually consistent and may miss a write.

        Args:
            tag: the tag to read.
            deadline: when to give up.
            instead_of: the rows that denied the token, when the caller has them.

        Returns:
            The rows; None when there is nothing new to judge: they are *instead_of* itself or, without *instead_of*,
            the read had ended before.

        Raises:
            Fault: the rows could not be read, by this request or by the attempt within the last second.
        """
        with self._lock:
            asked_at = self._timer()
            entry = self._entry_of(tag)
            if entry is not None and asked_at < entry.retry_at:
                raise Unreachable("the rows of this tag could not be read within the last second")
            self._forget_renewals(asked_at)
            renewal = self._renewals.get(tag)
            had_ended = renewal is not None and renewal.ended.is_set()
            if not had_ended and not self._outage.admits(
                tag, asked_at, remembered=self._may_serve(entry, asked_at), seconds=deadline.seconds
            ):
                raise Unreachable(_OUTAGE)
            joins = renewal is not None
            if renewal is None:
                renewal = Reading(asked_at)
                if self._ttl > 0:
                    self._renewals[tag] = renewal
        if not joins:
            return self._carry_out(renewal, tag, deadline, consistent=True)
        renewed = renewal.wait(deadline)
        if renewed.failure is not None:
            return replace(renewed, failure=copy_of(renewed.failure))
        nothing_new = renewed.rows is instead_of or (instead_of is None and had_ended)
        return None if nothing_new else renewed

    def _carry_out(self, reading: Reading[Recalled], tag: str, deadline: Deadline, *, consistent: bool) -> Recalled:
        """Read and remember. Whatever happens, the requests that wait for the reading go on."""
        try:
            reading.found = self._read(tag, reading.began_at, deadline, consistent=consistent)
        except BaseException as failure:
            reading.failure = failure
            raise
        finally:
            with self._lock:
                if self._under_way.get(tag) is reading:
                    del self._under_way[tag]
            reading.ended.set()
        return reading.found

    def _read(self, tag: str, began_at: float, deadline: Deadline, *, consistent: bool) -> Recalled:
        failure: Fault | None = None
        try:
            rows, read = self._store.read(tag, consistent=consistent, deadline=deadline), _BOTH
        except HalfRead as half:
            rows, read, failure = half.rows, (half.half,), half.failure
            if Half.SECRETS in read and not rows.secrets and isinstance(failure, Unreachable):
                read, failure = _BOTH, None  # a tag without secrets is unknown, whatever its profile
        except BaseException as error:
            self._note_failure(error, tag)
            raise
        rows = self._reuse_parsed_keys(tag, rows)
        with self._lock:
            self._outage.note_answer(tag)
            entry = self._keep(tag, rows, read, began_at)
            if isinstance(failure, Unreachable):
                entry.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
        if failure is None:
            return Recalled(entry.recalled.rows, "table", read)
        if not isinstance(failure, Unreachable):
            raise failure
        return self._complete(entry, read, began_at, failure)

    def _complete(self, entry: _Entry, read: tuple[Half, ...], began_at: float, failure: Unreachable) -> Recalled:
        """Join the half that was read with the other half as remembered, unless that is too old.

        Without secrets no token can be judged: then the *failure* is raised. Without a profile the rows are returned,
        and carry the failure.
        """
        oldest = began_at - self._ttl - self._stale_for
        rows = entry.recalled.rows
        if entry.secrets_read_at <= oldest:
            raise failure
        if entry.profile_read_at <= oldest:
            return Recalled(TagRows(None, rows.secrets), "table", read, failure)
        return Recalled(rows, "stale", read, failure)

    def _note_failure(self, error: BaseException, tag: str) -> None:
        """Note what the *error* of a read says about the tag and about all tags."""
        with self._lock:
            now = self._timer()
            entry = self._known.get(tag)
            if entry is not None and isinstance(error, Unreachable):
                entry.retry_at = now + SECONDS_BETWEEN_ATTEMPTS
            self._outage.note_failure(error, tag, now, remembered=self._may_serve(entry, now))

    def _reuse_parsed_keys(self, tag: str, rows: TagRows) -> TagRows:
        """Replace each secret that has not changed by the remembered one, whose keys are parsed already."""
        with self._lock:
            entry = self._known.get(tag)
        if entry is None:
            return rows
        remembered = {secret.id: secret for secret in entry.recalled.rows.secrets}
        kept = (remembered.get(secret.id) for secret in rows.secrets)
        same = tuple(old if old == secret else secret for old, secret in zip(kept, rows.secrets, strict=True))
        return TagRows(rows.profile, same)

    def _forget_renewals(self, now: float) -> None:
        while self._renewals and now >= _oldest(self._renewals).began_at + SECONDS_BETWEEN_ATTEMPTS:
            self._renewals.popitem(last=False)

    def _entry_of(self, tag: str) -> _Entry | None:
        """Return what is remembered of *tag*, and mark it as the most recently used."""
        shelf = self._known
        entry = shelf.get(tag)
        if entry is None:
            shelf = self._unknown
            entry = shelf.get(tag)
        if entry is not None:
            shelf.move_to_end(tag)
        return entry

    def _may_serve(self, entry: _Entry | None, now: float) -> TypeGuard[_Entry]:
        """Tell whether *entry* may serve while its rows cannot be read: both halves are known and not too old."""
        if entry is None or not entry.recalled.rows.secrets:
            return False
        return now < min(entry.profile_read_at, entry.secrets_read_at) + self._ttl + self._stale_for

    def _keep(self, tag: str, rows: TagRows, read: tuple[Half, ...], began_at: float) -> _Entry:
        """Remember what was read, and return the newest known rows of each half."""
        entry = self._merge(tag, rows, read, began_at)
        if self._ttl <= 0:
            return entry
        unknown = self._unknown.get(tag)
        if unknown is not None and unknown.secrets_read_at > began_at:
            return entry  # a later read ended before this slow one
        if Half.SECRETS in read or tag in self._known:  # a profile without secrets lets nobody in: it is not kept
            self._unknown.pop(tag, None)
            self._forget(tag)
            self._put(tag, entry)
        return entry

    def _merge(self, tag: str, rows: TagRows, read: tuple[Half, ...], began_at: float) -> _Entry:
        """Join the halves that were read with what is remembered, and take the newer of each half."""
        profile: Profile | None = None
        secrets: tuple[Secret, ...] = ()
        profile_read_at = secrets_read_at = _NEVER
        known = self._known.get(tag)
        if known is not None:
            profile, secrets = known.recalled.rows.profile, known.recalled.rows.secrets
            profile_read_at, secrets_read_at = known.profile_read_at, known.secrets_read_at
        if Half.PROFILE in read and began_at >= profile_read_at:
            profile, profile_read_at = rows.profile, began_at
        if Half.SECRETS in read and began_at >= secrets_read_at:
            secrets, secrets_read_at = rows.secrets, began_at
        if not secrets and secrets_read_at > _NEVER:
            lifetime = min(self._ttl, UNKNOWN_TAG_SECONDS)
            recalled = Recalled(_UNKNOWN, "memory")
            return _Entry(recalled, _UNKNOWN.weight, secrets_read_at, secrets_read_at, secrets_read_at + lifetime)
        newest = TagRows(profile, secrets)
        fresh_until = min(profile_read_at, secrets_read_at) + self._ttl
        return _Entry(Recalled(newest, "memory"), newest.weight, profile_read_at, secrets_read_at, fresh_until)

    def _put(self, tag: str, entry: _Entry) -> None:
        if not entry.recalled.rows.secrets:
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


def _stale(entry: _Entry) -> Recalled:
    return Recalled(entry.recalled.rows, "stale")


def _oldest(readings: "OrderedDict[str, Reading[Recalled]]") -> Reading[Recalled]:
    return next(iter(readings.values()))

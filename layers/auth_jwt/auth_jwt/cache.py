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
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import Final, Generic, TypeGuard, TypeVar

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.models import Half, Profile, Secret, TagRows
from auth_jwt.outage import SECONDS_BETWEEN_ATTEMPTS, Outage
from auth_jwt.ports import Deadline, HalfRead, RevocationsStore, RowsStore

MAX_REMEMBERED_BYTES = 64 * 1024 * 1024
MAX_REVOCATION_BYTES = 16 * 1024 * 1024
MAX_UNKNOWN_TAGS = 4096
UNKNOWN_TAG_SECONDS = 5

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Fault)

_UNKNOWN: Final = TagRows()
"""That a tag has no secrets is all there is to know about it."""

_BOTH: Final = tuple(Half)
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Recalled:
    """Rows, and where they came from.

    Attributes:
        rows: the newest that is known of each half; a half that is not known at all is empty.
        origin: `memory`, `stale` when some were remembered because they could not be read, or the `table` just now.
        read: the halves that were read for this request. The others may have been overtaken by a write.
        failure: why only one half was read, if so.
    """

    rows: TagRows
    origin: str
    read: tuple[Half, ...] = ()
    failure: Unreachable | None = None


@dataclass(slots=True)
class _Entry:
    recalled: Recalled  # as it is given out, made once
    weight: int
    profile_read_at: float
    secrets_read_at: float
    fresh_until: float
    retry_at: float = _NEVER


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
        if isinstance(self.failure, Fault):
            raise _copy_of(self.failure) from self.failure
        if self.failure is not None:
            raise Fault("another request's reading of the tables broke off") from self.failure
        return self.found


class RowMemory:
    """The rows of a tag, remembered for *ttl* seconds, and for *stale_for* more while they cannot be read.

    A tag's profile and its secrets are read from two tables, and each half is remembered with a time of its own. When
    only one could be read, that one counts, beside what is remembered of the other. While no table answers anybody,
    one request a second asks, and the others do without (`auth_jwt.outage`).

    Args:
        store: where rows are read.
        ttl: seconds; 0 remembers no rows at all, for any purpose, and shares none.
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
        self._under_way: dict[str, _Reading[Recalled]] = {}
        # Those of the last second: as many as one second can read.
        self._renewals: OrderedDict[str, _Reading[Recalled]] = OrderedDict()
        self._outage = Outage()
        self._lock = Lock()

    def recall(self, tag: str, deadline: Deadline) -> Recalled:
        """Return the rows of *tag*, from memory when it is fresh enough, otherwise read by *deadline*.

        A request that arrives while another one reads them waits for that, and gets them as remembered: that reading
        began before, so a write may have overtaken it.

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
            stale = entry if self._may_serve(entry, asked_at) else None
            if stale is not None and asked_at < stale.retry_at:
                return _stale(stale)
            if not self._outage.admits(tag, asked_at, remembered=stale is not None, seconds=deadline.seconds):
                if stale is None:
                    raise Unreachable("no table answers: another request tries once a second")
                return _stale(stale)
            reading = self._under_way.get(tag)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[tag] = _Reading(asked_at)
        try:
            if not joins:
                return self._carried_out(reading, tag, deadline, consistent=False)
            found = reading.outcome(deadline)
            return Recalled(found.rows, "memory" if found.failure is None else "stale")
        except Unreachable:
            with self._lock:
                entry = self._known.get(tag)  # others may have read a half of it meanwhile
            if not self._may_serve(entry, asked_at):
                raise
            return _stale(entry)

    def renew(self, tag: str, deadline: Deadline, *, instead_of: TagRows | None = None) -> Recalled | None:
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
                raise Unreachable("the rows of this tag could not be read a moment ago")
            self._forget_renewals(asked_at)
            renewal = self._renewals.get(tag)
            had_ended = renewal is not None and renewal.ended.is_set()
            if not had_ended and not self._outage.admits(
                tag, asked_at, remembered=self._may_serve(entry, asked_at), seconds=deadline.seconds
            ):
                raise Unreachable("no table answers: another request tries once a second")
            joins = renewal is not None
            if renewal is None:
                renewal = _Reading(asked_at)
                if self._ttl > 0:
                    self._renewals[tag] = renewal
        if not joins:
            return self._carried_out(renewal, tag, deadline, consistent=True)
        renewed = renewal.outcome(deadline)
        if renewed.failure is not None:
            return replace(renewed, failure=_copy_of(renewed.failure))
        nothing_new = renewed.rows is instead_of or (instead_of is None and had_ended)
        return None if nothing_new else renewed

    def _carried_out(self, reading: _Reading[Recalled], tag: str, deadline: Deadline, *, consistent: bool) -> Recalled:
        """Read and remember; whatever happens, nobody is left waiting."""
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
        except BaseException as problem:
            self._note(problem, tag)
            raise
        rows = self._with_parsed_keys(tag, rows)
        with self._lock:
            self._outage.end(tag)
            entry = self._keep(tag, rows, read, began_at)
            if isinstance(failure, Unreachable):
                entry.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
        if failure is None:
            return Recalled(entry.recalled.rows, "table", read)
        if not isinstance(failure, Unreachable):
            raise failure
        return self._completed(entry, read, began_at, failure)

    def _completed(self, entry: _Entry, read: tuple[Half, ...], began_at: float, failure: Unreachable) -> Recalled:
        """Complete the half that was read by what is remembered of the other, unless that is too old."""
        oldest = began_at - self._ttl - self._stale_for
        rows = entry.recalled.rows
        if entry.secrets_read_at <= oldest:
            raise failure  # nothing can be decided without secrets
        if entry.profile_read_at <= oldest:
            return Recalled(TagRows(None, rows.secrets), "table", read, failure)
        return Recalled(rows, "stale", read, failure)

    def _note(self, problem: BaseException, tag: str) -> None:
        """Note what a read that failed says about the tag and about all of them."""
        with self._lock:
            now = self._timer()
            entry = self._known.get(tag)
            if entry is not None and isinstance(problem, Unreachable):
                entry.retry_at = now + SECONDS_BETWEEN_ATTEMPTS
            _judge(self._outage, problem, tag, now, remembered=self._may_serve(entry, now))

    def _with_parsed_keys(self, tag: str, rows: TagRows) -> TagRows:
        """Put remembered secrets in the place of those that read the same: their keys are parsed already."""
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
        shelf = self._known
        entry = shelf.get(tag)
        if entry is None:
            shelf = self._unknown
            entry = shelf.get(tag)
        if entry is not None:
            shelf.move_to_end(tag)
        return entry

    def _may_serve(self, entry: _Entry | None, now: float) -> TypeGuard[_Entry]:
        """Tell whether *entry* may serve while the rows cannot be read: both halves are known, and neither too old."""
        if entry is None or not entry.recalled.rows.secrets:
            return False
        return now < min(entry.profile_read_at, entry.secrets_read_at) + self._ttl + self._stale_for

    def _keep(self, tag: str, rows: TagRows, read: tuple[Half, ...], began_at: float) -> _Entry:
        """Remember what was read, and return the newest that is known of each half."""
        entry = self._newest(tag, rows, read, began_at)
        if self._ttl <= 0:
            return entry
        unknown = self._unknown.get(tag)
        if unknown is not None and unknown.secrets_read_at > began_at:
            return entry  # a slow read came back after a later one
        if Half.SECRETS in read or tag in self._known:  # a profile alone makes no tag known: nobody could use it
            self._unknown.pop(tag, None)
            self._forget(tag)
            self._put(tag, entry)
        return entry

    def _newest(self, tag: str, rows: TagRows, read: tuple[Half, ...], began_at: float) -> _Entry:
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


def _judge(outage: Outage, problem: BaseException, tag: str, now: float, *, remembered: bool) -> None:
    """Tell *outage* what the *problem* of a read says about other tags than this one."""
    if isinstance(problem, Throttled) or not isinstance(problem, Fault):
        outage.pause(now)  # one throttled tag says nothing about the others, and neither does a fault of the program
    elif isinstance(problem, Unreachable):
        outage.failed(tag, now, remembered=remembered)
    else:
        outage.end(tag)  # a missing table or permission is no outage


def _copy_of(failure: _F) -> _F:
    """Return another error that says the same: one exception raised in two threads is a mess."""
    return type(failure)(*failure.args)


def _oldest(readings: "OrderedDict[str, _Reading[Recalled]]") -> _Reading[Recalled]:
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
    retry_at: float = _NEVER


class RevocationMemory:
    """Whether a token stands in the table of revoked ones, remembered as rows are.

    What is remembered is that a row is there or is not, by tag and `jti`: for *ttl* seconds, and for *stale_for* more
    while the store is unreachable. A token that is not remembered is looked up, and when that fails, the answer is a
    fault. Only tokens whose signature and claims hold are ever asked about; a user who has many of them pushes out
    what was not asked for longest.

    Args:
        store: where revocations are read.
        ttl: seconds; 0 remembers no token at all, and shares nothing.
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
        self._outage = Outage()
        self._lock = Lock()

    def is_revoked(self, tag: str, jti: str, deadline: Deadline) -> bool:
        """Tell whether the token is revoked, from memory when that is fresh enough, otherwise read by *deadline*.

        A request that arrives while another one reads about the same token waits for that.

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
            if stale is not None and asked_at < stale.retry_at:
                return stale.is_revoked
            if not self._outage.admits(tag, asked_at, remembered=stale is not None, seconds=deadline.seconds):
                if stale is None:
                    raise Unreachable(
                        "the table of revoked tokens does not answer: another request tries once a second"
                    )
                return stale.is_revoked
            reading = self._under_way.get(token)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[token] = _Reading(asked_at)
        try:
            return reading.outcome(deadline) if joins else self._carried_out(reading, token, deadline)
        except Unreachable:
            with self._lock:
                stale = self._usable_when_stale(self._findings.get(token), asked_at)  # as another may have read it
            if stale is None:
                raise
            return stale.is_revoked

    def _carried_out(self, reading: _Reading[bool], token: _Token, deadline: Deadline) -> bool:
        """Read and remember; whatever happens, nobody is left waiting."""
        try:
            reading.found = self._store.is_revoked(*token, deadline=deadline)
            self._keep(token, reading)
        except BaseException as failure:
            reading.failure = failure
            self._note(failure, token)
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

    def _note(self, problem: BaseException, token: _Token) -> None:
        """Note what a read that failed says about the token and about all tags."""
        with self._lock:
            now = self._timer()
            finding = self._findings.get(token)
            if finding is not None and isinstance(problem, Unreachable):
                finding.retry_at = now + SECONDS_BETWEEN_ATTEMPTS
            remembered = self._usable_when_stale(finding, now) is not None
            _judge(self._outage, problem, token[0], now, remembered=remembered)

    def _keep(self, token: _Token, reading: _Reading[bool]) -> None:
        weight = _FINDING_BYTES + sum(map(sys.getsizeof, token))
        with self._lock:
            self._outage.end(token[0])
            if self._ttl <= 0:
                return
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

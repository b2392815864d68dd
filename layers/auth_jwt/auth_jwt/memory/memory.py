"""A memory of what the tables hold: bounded in time and size, one read for a burst, and stale values in an outage.

Callers choose the keys. So everything here is bounded, and unknown keys are kept apart from known ones: a flood of
invented keys pushes out no real user. Only what the tables hold is remembered, never a verdict: windows, claims and
signatures are judged at every request.

One lock guards a memory. No thread holds it during a read of the tables.
"""

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from threading import Lock
from typing import ClassVar, Final, Generic, TypeGuard, TypeVar

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.memory.outage import SECONDS_BETWEEN_ATTEMPTS, Outage
from auth_jwt.memory.reading import Reading, copy_of
from auth_jwt.models import Half
from auth_jwt.ports import Deadline, HalfRead

MAX_UNKNOWN_KEYS = 4096
UNKNOWN_KEY_SECONDS = 5

_BOTH: Final = tuple(Half)
_NEVER: Final = float("-inf")

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Recalled(Generic[_V]):
    """What the tables hold of a key, and where it came from.

    Attributes:
        found: the newest known value of each half; a half of which nothing is known is empty.
        origin: `table` for a value read just now, `memory` for a fresh remembered value, `stale` when a part of it is
            an older remembered one that could not be read anew.
        halves_read: the halves that were read for this request. A denial that rests on the other half may deserve a
            second look, because a write may have changed that half since it was read.
        failure: why only one half was read; None otherwise.
    """

    found: _V
    origin: str
    halves_read: tuple[Half, ...] = ()
    failure: Unreachable | None = None


@dataclass(slots=True)
class _Entry(Generic[_V]):
    recalled: Recalled[_V]  # made once, returned to every request
    weight: int
    main_read_at: float
    other_read_at: float
    fresh_until: float
    retry_at: float = _NEVER


class Memory(ABC, Generic[_K, _V]):
    """Remembers what the tables hold of a key for *ttl* seconds, and for *stale_for* more while they cannot be read.

    A value may have two halves, which are in two tables. Memory keeps the time of each half's last read. When only one
    half could be read, it is joined with the other half as remembered. During an outage one request a second reads, and
    all others go without (`auth_jwt.memory.outage`).

    A subclass says how its values are read, weighed and joined.

    Args:
        ttl: for how many seconds a value counts as fresh. With 0 the memory keeps nothing, not even for an outage, and
            every request reads for itself.
        stale_for: for how many seconds more it may serve while it cannot be read.
        timer: a clock that never goes back, in seconds.
        max_bytes: the most memory that all remembered values may take together.
    """

    MAIN: ClassVar[Half] = Half.SECRETS
    """The half without which a value says nothing. Without the other half, a value may still decide."""

    AWAY: ClassVar[str] = "no table answers; one request a second tries to read them"
    """What a request is told that may not read during an outage."""

    def __init__(
        self, *, ttl: float, stale_for: float, timer: Callable[[], float] = time.monotonic, max_bytes: int
    ) -> None:
        self._ttl = ttl
        self._stale_for = stale_for
        self._timer = timer
        self._max_bytes = max_bytes
        self._known: OrderedDict[_K, _Entry[_V]] = OrderedDict()
        self._unknown: OrderedDict[_K, _Entry[_V]] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[_K, Reading[Recalled[_V]]] = {}
        # The renewals of the last second. Their number is bounded by what one second can read.
        self._renewals: OrderedDict[_K, Reading[Recalled[_V]]] = OrderedDict()
        self._outage = Outage()
        self._lock = Lock()

    # -- what a subclass says -----------------------------------------------------------------------------------------

    @abstractmethod
    def read(self, key: _K, consistent: bool, deadline: Deadline, /) -> _V:
        """Read the value of *key* from the tables.

        Raises:
            HalfRead: one of its halves was read, and the other was not.
            Fault: nothing was read.
        """

    @abstractmethod
    def weigh(self, key: _K, value: _V, /) -> int:
        """Return an upper estimate of the bytes that *key* and its *value* occupy in memory."""

    def is_known(self, _value: _V, /) -> bool:
        """Tell whether a value is worth its place. The others are kept apart, for `UNKNOWN_KEY_SECONDS` at most."""
        return True

    def empty(self, value: _V, /) -> _V:
        """Return what is remembered in place of a *value* that is not known."""
        return value

    def join(self, main: _V, _other: _V, /) -> _V:
        """Return a value with the main half of the first value and the other half of the second."""
        return main

    def without_other_half(self, value: _V, /) -> _V:
        """Return *value* with its main half only."""
        return value

    def reuse(self, _remembered: _V, value: _V, /) -> _V:
        """Return *value* with those parts of the remembered one that are the same and have been parsed already."""
        return value

    def partition_of(self, key: _K, /) -> str:
        """Return the partition that holds *key*: what the failure of a read may say something about."""
        return str(key)

    # -- what a request asks ------------------------------------------------------------------------------------------

    def recall(self, key: _K, deadline: Deadline) -> Recalled[_V]:
        """Return the value of *key*: from memory when it is fresh enough, otherwise by a read.

        A request that arrives during a read of the key waits for that read. It gets the value as one from memory: the
        read began before the request, so it may have missed a write, and a denial may deserve a second look
        (`auth_jwt.memory.second_look`).

        Raises:
            Fault: the read failed or did not end by *deadline*, and memory has nothing that may serve instead.
        """
        with self._lock:
            asked_at = self._timer()
            if self._renewals:
                self._forget_renewals(asked_at)
            entry = self._entry_of(key)
            if entry is not None and asked_at < entry.fresh_until:
                return entry.recalled
            stale = entry if self._may_serve(entry, asked_at) else None
            if stale is not None and asked_at < stale.retry_at:
                return _stale(stale)
            if not self._admits(key, asked_at, deadline, remembered=stale is not None):
                if stale is None:
                    raise Unreachable(self.AWAY)
                return _stale(stale)
            reading = self._under_way.get(key)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[key] = Reading(asked_at)
        try:
            if not joins:
                return self._carry_out(reading, key, deadline, consistent=False)
            shared = reading.wait(deadline)
            return Recalled(shared.found, "memory" if shared.failure is None else "stale")
        except Unreachable:
            with self._lock:
                entry = self._known.get(key)  # another request may have read a half meanwhile
            if not self._may_serve(entry, asked_at):
                raise
            return _stale(entry)

    def renew(self, key: _K, deadline: Deadline, *, instead_of: _V | None = None) -> Recalled[_V] | None:
        """Read the value of *key* anew, strongly consistent, at most once a second.

        All requests within that second share the one read, its value or its failure, and wait for it where necessary.
        They do not share the read of a `recall`, which is eventually consistent and may miss a write.

        Args:
            key: the key to read.
            deadline: when to give up.
            instead_of: the value that denied the token, when the caller has it.

        Returns:
            The value; None when there is nothing new to judge: it is *instead_of* itself or, without *instead_of*, the
            read had ended before.

        Raises:
            Fault: the value could not be read, by this request or by the attempt within the last second.
        """
        with self._lock:
            asked_at = self._timer()
            entry = self._entry_of(key)
            if entry is not None and asked_at < entry.retry_at:
                raise Unreachable("the rows of this tag could not be read within the last second")
            self._forget_renewals(asked_at)
            renewal = self._renewals.get(key)
            had_ended = renewal is not None and renewal.ended.is_set()
            if not had_ended and not self._admits(key, asked_at, deadline, remembered=self._may_serve(entry, asked_at)):
                raise Unreachable(self.AWAY)
            joins = renewal is not None
            if renewal is None:
                renewal = Reading(asked_at)
                if self._ttl > 0:
                    self._renewals[key] = renewal
        if not joins:
            return self._carry_out(renewal, key, deadline, consistent=True)
        renewed = renewal.wait(deadline)
        if renewed.failure is not None:
            return replace(renewed, failure=copy_of(renewed.failure))
        nothing_new = renewed.found is instead_of or (instead_of is None and had_ended)
        return None if nothing_new else renewed

    # -- reading ------------------------------------------------------------------------------------------------------

    def _admits(self, key: _K, now: float, deadline: Deadline, *, remembered: bool) -> bool:
        return self._outage.admits(self.partition_of(key), now, remembered=remembered, seconds=deadline.seconds)

    def _carry_out(
        self, reading: Reading[Recalled[_V]], key: _K, deadline: Deadline, *, consistent: bool
    ) -> Recalled[_V]:
        """Read and remember. Whatever happens, the requests that wait for the reading go on."""
        try:
            reading.found = self._read_and_keep(key, reading.began_at, deadline, consistent=consistent)
        except BaseException as failure:
            reading.failure = failure
            raise
        finally:
            with self._lock:
                if self._under_way.get(key) is reading:
                    del self._under_way[key]
            reading.ended.set()
        return reading.found

    def _read_and_keep(self, key: _K, began_at: float, deadline: Deadline, *, consistent: bool) -> Recalled[_V]:
        failure: Fault | None = None
        try:
            value, halves = self.read(key, consistent, deadline), _BOTH
        except HalfRead as half:
            value, halves, failure = half.rows, (half.half,), half.failure
            if self.MAIN in halves and not self.is_known(value) and isinstance(failure, Unreachable):
                halves, failure = _BOTH, None  # an unknown key stays unknown, whatever its other half says
        except BaseException as error:
            self._note_failure(error, key)
            raise
        with self._lock:
            remembered = self._known.get(key)
        if remembered is not None:
            value = self.reuse(remembered.recalled.found, value)
        with self._lock:
            self._outage.note_answer(self.partition_of(key))
            entry = self._keep(key, value, halves, began_at)
            if isinstance(failure, Unreachable):
                entry.retry_at = self._timer() + SECONDS_BETWEEN_ATTEMPTS
        if failure is None:
            return Recalled(entry.recalled.found, "table", halves)
        if not isinstance(failure, Unreachable):
            raise failure
        return self._complete(entry, halves, began_at, failure)

    def _complete(
        self, entry: _Entry[_V], halves: tuple[Half, ...], began_at: float, failure: Unreachable
    ) -> Recalled[_V]:
        """Join the half that was read with the other half as remembered, unless that is too old.

        Without the main half no token can be judged: then the *failure* is raised. Without the other half the value is
        returned, and carries the failure.
        """
        oldest = began_at - self._ttl - self._stale_for
        found = entry.recalled.found
        if entry.main_read_at <= oldest:
            raise failure
        if entry.other_read_at <= oldest:
            return Recalled(self.without_other_half(found), "table", halves, failure)
        return Recalled(found, "stale", halves, failure)

    def _note_failure(self, error: BaseException, key: _K) -> None:
        """Note what the *error* of a read says about the key and about all keys."""
        with self._lock:
            now = self._timer()
            entry = self._known.get(key)
            if entry is not None and isinstance(error, Unreachable):
                entry.retry_at = now + SECONDS_BETWEEN_ATTEMPTS
            self._outage.note_failure(error, self.partition_of(key), now, remembered=self._may_serve(entry, now))

    # -- remembering --------------------------------------------------------------------------------------------------

    def _forget_renewals(self, now: float) -> None:
        while self._renewals and now >= _oldest(self._renewals).began_at + SECONDS_BETWEEN_ATTEMPTS:
            self._renewals.popitem(last=False)

    def _entry_of(self, key: _K) -> _Entry[_V] | None:
        """Return what is remembered of *key*, and mark it as the most recently used."""
        shelf = self._known
        entry = shelf.get(key)
        if entry is None:
            shelf = self._unknown
            entry = shelf.get(key)
        if entry is not None:
            shelf.move_to_end(key)
        return entry

    def _may_serve(self, entry: _Entry[_V] | None, now: float) -> TypeGuard[_Entry[_V]]:
        """Tell whether *entry* may serve while it cannot be read: both halves are known and not too old."""
        if entry is None or not self.is_known(entry.recalled.found):
            return False
        return now < min(entry.main_read_at, entry.other_read_at) + self._ttl + self._stale_for

    def _keep(self, key: _K, value: _V, halves: tuple[Half, ...], began_at: float) -> _Entry[_V]:
        """Remember what was read, and return the newest known value of each half."""
        entry = self._merge(key, value, halves, began_at)
        if self._ttl <= 0:
            return entry
        unknown = self._unknown.get(key)
        if unknown is not None and unknown.main_read_at > began_at:
            return entry  # a later read ended before this slow one
        if self.MAIN in halves or key in self._known:  # the other half alone lets nobody in: it is not kept
            self._unknown.pop(key, None)
            self._forget(key)
            self._put(key, entry)
        return entry

    def _merge(self, key: _K, value: _V, halves: tuple[Half, ...], began_at: float) -> _Entry[_V]:
        """Join the halves that were read with what is remembered, and take the newer of each half."""
        known = self._known.get(key)
        main = other = value
        main_read_at = began_at if self.MAIN in halves else _NEVER
        other_read_at = began_at if halves != (self.MAIN,) else _NEVER
        if known is not None and known.main_read_at > main_read_at:
            main, main_read_at = known.recalled.found, known.main_read_at
        if known is not None and known.other_read_at > other_read_at:
            other, other_read_at = known.recalled.found, known.other_read_at
        newest = main if main is other else self.join(main, other)
        fresh_until = min(main_read_at, other_read_at) + self._ttl
        if main_read_at > _NEVER and not self.is_known(newest):
            newest, other_read_at = self.empty(newest), main_read_at
            fresh_until = main_read_at + min(self._ttl, UNKNOWN_KEY_SECONDS)
        return _Entry(Recalled(newest, "memory"), self.weigh(key, newest), main_read_at, other_read_at, fresh_until)

    def _put(self, key: _K, entry: _Entry[_V]) -> None:
        if not self.is_known(entry.recalled.found):
            self._unknown[key] = entry
            if len(self._unknown) > MAX_UNKNOWN_KEYS:
                self._unknown.popitem(last=False)
        elif entry.weight <= self._max_bytes:
            self._known[key] = entry
            self._bytes += entry.weight
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._known)))

    def _forget(self, key: _K) -> None:
        entry = self._known.pop(key, None)
        if entry is not None:
            self._bytes -= entry.weight


def _stale(entry: _Entry[_V]) -> Recalled[_V]:
    return Recalled(entry.recalled.found, "stale")


def _oldest(readings: "OrderedDict[_K, Reading[_V]]") -> Reading[_V]:
    return next(iter(readings.values()))

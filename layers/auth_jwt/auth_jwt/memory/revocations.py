"""Whether tokens are revoked, remembered as rows are."""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from auth_jwt.errors import Unreachable
from auth_jwt.memory.outage import SECONDS_BETWEEN_ATTEMPTS, Outage
from auth_jwt.memory.reading import Reading
from auth_jwt.ports import Deadline, RevocationsStore

MAX_REVOCATION_BYTES = 16 * 1024 * 1024

_NEVER: Final = float("-inf")

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
        self._under_way: dict[_Token, Reading[bool]] = {}
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
                reading = self._under_way[token] = Reading(asked_at)
        try:
            return reading.outcome(deadline) if joins else self._carried_out(reading, token, deadline)
        except Unreachable:
            with self._lock:
                stale = self._usable_when_stale(self._findings.get(token), asked_at)  # as another may have read it
            if stale is None:
                raise
            return stale.is_revoked

    def _carried_out(self, reading: Reading[bool], token: _Token, deadline: Deadline) -> bool:
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
            self._outage.note(problem, token[0], now, remembered=remembered)

    def _keep(self, token: _Token, reading: Reading[bool]) -> None:
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

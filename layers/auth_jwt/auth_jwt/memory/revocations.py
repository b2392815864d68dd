"""Whether tokens are revoked. The answers are remembered in the same way as rows."""

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
"""A tag, and the `jti` of a token of that tag."""

_FINDING_BYTES: Final = 320
"""How many bytes of memory a remembered token takes beside its two texts: an estimate on the high side."""


@dataclass(slots=True)
class _Finding:
    is_revoked: bool
    weight: int
    read_at: float
    retry_at: float = _NEVER


class RevocationMemory:
    """Tells whether a token is in the table of revoked tokens, and remembers the answer.

    For each tag and `jti` it remembers whether the table has a row: for *ttl* seconds, and for *stale_for* more while
    the store is unreachable. A token that is not remembered is looked up, and a failed look-up is a fault. Only tokens
    with a valid signature and valid claims are looked up. When memory is full, the least recently used tokens go first.

    Args:
        store: where revocations are read.
        ttl: in seconds; 0 remembers no token and shares no read.
        stale_for: in seconds, beyond *ttl*.
        timer: a clock that never goes back, in seconds.
        max_bytes: the most memory that all remembered tokens may take together.
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
        """Tell whether the token is revoked: from memory when that is fresh enough, otherwise by a read.

        A request that arrives during a read of the same token waits for that read.

        Raises:
            Fault: the read failed or did not end by *deadline*, and memory has nothing that may serve instead.
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
                        "the table of revoked tokens does not answer; one request a second tries to read it"
                    )
                return stale.is_revoked
            reading = self._under_way.get(token)
            joins = reading is not None and asked_at < reading.began_at + self._ttl
            if reading is None or not joins:
                reading = self._under_way[token] = Reading(asked_at)
        try:
            return reading.wait(deadline) if joins else self._carry_out(reading, token, deadline)
        except Unreachable:
            with self._lock:
                # Another request may have read the token meanwhile.
                stale = self._usable_when_stale(self._findings.get(token), asked_at)
            if stale is None:
                raise
            return stale.is_revoked

    def _carry_out(self, reading: Reading[bool], token: _Token, deadline: Deadline) -> bool:
        """Read and remember. Whatever happens, the requests that wait for the reading go on."""
        try:
            reading.found = self._store.is_revoked(*token, deadline=deadline)
            self._keep(token, reading)
        except BaseException as failure:
            reading.failure = failure
            self._note_failure(failure, token)
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

    def _note_failure(self, error: BaseException, token: _Token) -> None:
        """Note what the *error* of a read says about the token and about all tags."""
        with self._lock:
            now = self._timer()
            finding = self._findings.get(token)
            if finding is not None and isinstance(error, Unreachable):
                finding.retry_at = now + SECONDS_BETWEEN_ATTEMPTS
            remembered = self._usable_when_stale(finding, now) is not None
            self._outage.note_failure(error, token[0], now, remembered=remembered)

    def _keep(self, token: _Token, reading: Reading[bool]) -> None:
        weight = _FINDING_BYTES + sum(map(sys.getsizeof, token))
        with self._lock:
            self._outage.note_answer(token[0])
            if self._ttl <= 0:
                return
            older = self._findings.get(token)
            if older is not None:
                if older.read_at > reading.began_at:
                    return  # a later read ended before this slow one
                self._forget(token)
            self._findings[token] = _Finding(reading.found, weight, reading.began_at)
            self._bytes += weight
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._findings)))

    def _forget(self, token: _Token) -> None:
        self._bytes -= self._findings.pop(token).weight

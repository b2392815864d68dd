"""Whether tokens are revoked. The answers are remembered in the same way as rows, the absence of a row as well."""

import sys
import time
from collections.abc import Callable
from typing import Final

from auth_jwt.memory.memory import Memory
from auth_jwt.ports import Deadline, RevocationsStore

MAX_REVOCATION_BYTES = 16 * 1024 * 1024

_Token = tuple[str, str]
"""A tag, and the `jti` of a token of that tag."""

_FINDING_BYTES: Final = 448
"""How many bytes of memory a remembered token takes beside its two texts: an estimate on the high side."""


class RevocationMemory(Memory[_Token, bool]):
    """Tells whether a token is in the table of revoked tokens, and remembers the answer; see `Memory`.

    A token that is not remembered is looked up, and a failed look-up is a fault. Only tokens with a valid signature and
    valid claims are looked up.

    Args:
        store: where revocations are read.
        max_bytes: the most memory that all remembered tokens may take together.

    The other arguments are those of `Memory`.
    """

    AWAY = "the table of revoked tokens does not answer; one request a second tries to read it"

    def __init__(
        self,
        store: RevocationsStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_REVOCATION_BYTES,
    ) -> None:
        super().__init__(ttl=ttl, stale_for=stale_for, timer=timer, max_bytes=max_bytes)
        self._store = store

    def is_revoked(self, tag: str, jti: str, deadline: Deadline) -> bool:
        """Tell whether the token is revoked: from memory when that is fresh enough, otherwise by a read.

        Raises:
            Fault: the read failed or did not end by *deadline*, and memory has nothing that may serve instead.
        """
        return self.recall((tag, jti), deadline).found

    def read(self, key: _Token, _consistent: bool, deadline: Deadline, /) -> bool:
        """Look the token up. Every look-up is strongly consistent."""
        return self._store.is_revoked(*key, deadline=deadline)

    def weigh(self, key: _Token, _value: bool, /) -> int:
        """Estimate the bytes of the token's two texts and what is kept beside them."""
        return _FINDING_BYTES + sum(map(sys.getsizeof, key))

    def partition_of(self, key: _Token, /) -> str:
        """Return the tag: the partition key of the table."""
        return key[0]

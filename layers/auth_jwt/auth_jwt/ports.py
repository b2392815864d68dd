"""What the decision asks of the world."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from auth_jwt.errors import Fault
from auth_jwt.models import Half, TagRows


@dataclass(slots=True)
class Deadline:
    """How long the tables may take in one request, all reads and retries together.

    It begins to run when it is first asked, so that what a store does once and for all (loading its SDK) does not
    count.

    Attributes:
        seconds: from then on.
        timer: a clock that never goes back, in seconds.
    """

    seconds: float
    timer: Callable[[], float] = time.monotonic
    _ends_at: float | None = field(default=None, init=False)

    def seconds_left(self) -> float:
        """Return what is left, 0 when nothing is."""
        now = self.timer()
        if self._ends_at is None:
            self._ends_at = now + self.seconds
        return max(0.0, self._ends_at - now)


class HalfRead(Exception):
    """Of a tag's two tables one was read and the other was not. What was read counts.

    Attributes:
        half: which was read.
        rows: what it holds; the other half of these is empty.
        failure: why the other was not read.
    """

    def __init__(self, half: Half, rows: TagRows, failure: Fault) -> None:
        super().__init__(half, failure)
        self.half = half
        self.rows = rows
        self.failure = failure


class RowsStore(Protocol):
    """Where profiles and secrets are kept."""

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """Read the profile and all secrets of *tag*, compared exactly.

        Args:
            tag: the partition key in both tables.
            consistent: whether every write that was acknowledged must be seen.
            deadline: when to give up.

        Raises:
            HalfRead: one of the tables was read, the other was not.
            Unreachable: neither table answered by then, or they answered that they cannot.
            Fault: the tables cannot be used at all: missing, or not permitted.
        """
        ...


class RevocationsStore(Protocol):
    """Where the table of revoked tokens is kept."""

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        """Tell whether there is a row for this token, whatever it holds; every acknowledged write is seen.

        Args:
            tag: the partition key, compared exactly.
            jti: the sort key, likewise; 1 to `auth_jwt.models.MAX_JTI_BYTES` bytes of UTF-8.
            deadline: when to give up.

        Raises:
            Unreachable: the table did not answer by then, or answered that it cannot.
            Fault: the table cannot be used at all: missing, or not permitted.
        """
        ...

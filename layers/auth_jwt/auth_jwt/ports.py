"""What the decision needs from outside: the stores that hold the rows, and the deadline for reading them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from auth_jwt.errors import Fault
from auth_jwt.models import Half, TagRows


@dataclass(slots=True)
class Deadline:
    """Limits the total time that the tables may take in one request, reads and retries together.

    The time runs from the first call of `start` or `seconds_left`. A store makes its client first and then starts the
    deadline, so that what it does only once, such as loading its SDK, does not count.

    Attributes:
        seconds: the time from that call to the deadline.
        timer: returns the time in seconds, by a monotonic clock.
    """

    seconds: float
    timer: Callable[[], float] = time.monotonic
    _ends_at: float | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the time, unless it runs already."""
        self.seconds_left()

    def seconds_left(self) -> float:
        """Return the seconds left until the deadline, or 0 after it. The first call starts the time."""
        now = self.timer()
        if self._ends_at is None:
            self._ends_at = now + self.seconds
        return max(0.0, self._ends_at - now)


class HalfRead(Exception):
    """One of a tag's two tables was read, and the other was not. The rows that were read count.

    Attributes:
        half: the table that was read.
        rows: the rows of both tables, without those of the table that was not read.
        failure: why the other table was not read.
    """

    def __init__(self, half: Half, rows: Any, failure: Fault) -> None:  # noqa: ANN401 - of any kind of reading
        super().__init__(half, failure)
        self.half = half
        self.rows = rows
        self.failure = failure


class RowsStore(Protocol):
    """Reads profiles and secrets."""

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        """Return the profile and all secrets of *tag*.

        Args:
            tag: the partition key in both tables, compared exactly.
            consistent: whether the read must see every acknowledged write.
            deadline: when to give up.

        Raises:
            HalfRead: one of the tables was read, and the other was not.
            Unreachable: neither table could be reached before the deadline.
            Fault: the tables cannot be used at all: they are missing, or access is not permitted.
        """
        ...


class RevocationsStore(Protocol):
    """Reads the table of revoked tokens."""

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        """Tell whether the table has a row for this token, whatever the row holds. See every acknowledged write.

        Args:
            tag: the partition key, compared exactly.
            jti: the sort key, compared exactly; 1 to `auth_jwt.models.MAX_JTI_BYTES` bytes of UTF-8.
            deadline: when to give up.

        Raises:
            Unreachable: the table could not be reached before the deadline.
            Fault: the table cannot be used at all: it is missing, or access is not permitted.
        """
        ...

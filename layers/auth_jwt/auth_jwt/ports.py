"""What the decision asks of the world."""

from typing import Protocol

from auth_jwt.models import TagRows


class RowsStore(Protocol):
    """Where the two tables are kept."""

    def read(self, tag: str, *, consistent: bool, deadline: float) -> TagRows:
        """Read the profile and all secrets of *tag*, compared exactly.

        Args:
            tag: the partition key in both tables.
            consistent: whether every write that was acknowledged must be seen.
            deadline: when to give up, as `time.monotonic()` counts.

        Raises:
            Unreachable: the tables did not answer by then, or answered that they cannot.
            Fault: the tables cannot be used at all: missing, or not permitted.
        """
        ...

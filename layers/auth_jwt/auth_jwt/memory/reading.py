"""One read for a burst: of the requests that want the same rows one reads, and the others wait for what it gets."""

from threading import Event
from typing import Generic, TypeVar

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.ports import Deadline

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Fault)


class Reading(Generic[_T]):
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
            raise copy_of(self.failure) from self.failure
        if self.failure is not None:
            raise Fault("another request's reading of the tables broke off") from self.failure
        return self.found


def copy_of(failure: _F) -> _F:
    """Return another error that says the same: one exception raised in two threads is a mess."""
    return type(failure)(*failure.args)

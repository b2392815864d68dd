"""One read for a burst: when several requests want the same rows, one of them reads and the others wait for it."""

from threading import Event
from typing import Generic, TypeVar

from auth_jwt.errors import Fault, Unreachable
from auth_jwt.ports import Deadline

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Fault)


class Reading(Generic[_T]):
    """One read that several requests share: one does it, and the others wait for it.

    Attributes:
        began_at: when the read began, in seconds of the memory's timer.
        ended: set when the read has ended, with or without success.
        found: what was read; only there when the read has ended without a failure.
        failure: why the read failed; None when it has not failed.
    """

    __slots__ = ("began_at", "ended", "failure", "found")
    found: _T

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.failure: BaseException | None = None
        self.ended = Event()

    def wait(self, deadline: Deadline) -> _T:
        """Return what the other request reads. Wait until *deadline* at most.

        Raises:
            Unreachable: the read did not end in time.
            Fault: the read failed. The error is a copy of the other request's.
        """
        if not self.ended.wait(deadline.seconds_left()):
            raise Unreachable("another request's read of the tables did not end in time (STORE_TIMEOUT_MS)")
        if isinstance(self.failure, Fault):
            raise copy_of(self.failure) from self.failure
        if self.failure is not None:
            raise Fault("another request's read of the tables failed with an unforeseen error") from self.failure
        return self.found


def copy_of(failure: _F) -> _F:
    """Return a new error of the same type and message.

    Two threads must not raise the same exception: each would change its traceback and its context.
    """
    return type(failure)(*failure.args)

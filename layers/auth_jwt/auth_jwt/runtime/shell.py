"""What every handler does around one event: time it, write its one log line, and raise faults that leak nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from auth_jwt.errors import Fault
from auth_jwt.models import Report
from auth_jwt.runtime.observability import NO_COUNTS, Journal, Outcome, milliseconds_since, request_id_of

_T = TypeVar("_T")


class Call:
    """One call of a function, and what its log line will show.

    Attributes:
        report: what the decision saw.
        noted: further members of the line. Handlers add to it as they learn more.
        counts: further metrics, by name. The line of a fault has them, too: what was found until then is counted.
    """

    __slots__ = ("_journal", "_started", "counts", "noted", "report")

    def __init__(self, journal: Journal, context: object) -> None:
        self._started = time.perf_counter()
        self._journal = journal
        self.report = Report()
        self.noted: dict[str, Any] = {"request_id": request_id_of(context)}
        self.counts: Mapping[str, int] = NO_COUNTS

    @property
    def request_id(self) -> str:
        """The request id that the answer and the log carry: Lambda's, or a random one where Lambda gave none."""
        return str(self.noted["request_id"])

    def record(self, outcome: Outcome, reason: str | None = None) -> None:
        """Write the log line of a call that was answered."""
        duration = milliseconds_since(self._started)
        self._journal.record(
            outcome, self.report, reason=reason, counts=self.counts, duration_ms=duration, **self.noted
        )

    def record_fault(self, error: BaseException) -> None:
        """Write the log line of a call that failed."""
        duration = milliseconds_since(self._started)
        self._journal.record_fault(error, self.report, counts=self.counts, duration_ms=duration, **self.noted)


def answer_or_fault(journal: Journal, context: object, do: Callable[[Call], _T]) -> _T:
    """Return what *do* returns. Handlers use it whose callers learn of failures from Lambda alone.

    Raises:
        Fault: *do* raised an error, which is in the log by then. Lambda shows the raised error to the caller, and the
            message of another package's error may quote its input: so such an error never leaves here.
    """
    call = Call(journal, context)
    try:
        return do(call)
    except Exception as error:  # noqa: BLE001 - the outermost handler: every error becomes a fault
        call.record_fault(error)
        fault = error if isinstance(error, Fault) else Fault("unforeseen error: its cause is in the log")
    raise fault  # outside `except`, so that no other error is attached as its context

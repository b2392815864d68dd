"""Around what a function does for one event: its time, its one line in the log, and faults that leak nothing."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from auth_jwt.errors import Fault
from auth_jwt.models import Report
from auth_jwt.runtime.observability import Journal, Outcome, milliseconds_since, request_id_of

_T = TypeVar("_T")


class Call:
    """One event that a function was called for, and what the log will say of it.

    Attributes:
        report: what the decision saw.
        noted: what else the line shows; whoever learns something adds it.
    """

    __slots__ = ("_journal", "_started", "noted", "report")

    def __init__(self, journal: Journal, context: object) -> None:
        self._started = time.perf_counter()
        self._journal = journal
        self.report = Report()
        self.noted: dict[str, Any] = {"request_id": request_id_of(context)}

    @property
    def request_id(self) -> str:
        """Lambda's id of the request, which the answer and the log carry."""
        return str(self.noted["request_id"])

    def record(self, outcome: Outcome, reason: str | None = None) -> None:
        """Write the line of a call that came to an end."""
        duration = milliseconds_since(self._started)
        self._journal.record(outcome, self.report, reason=reason, duration_ms=duration, **self.noted)

    def record_fault(self, error: BaseException) -> None:
        """Write the line of a call that we failed."""
        duration = milliseconds_since(self._started)
        self._journal.record_fault(error, self.report, duration_ms=duration, **self.noted)


def answer_or_fault(journal: Journal, context: object, do: Callable[[Call], _T]) -> _T:
    """Return what *do* returns for an event whose sender hears of failures by Lambda alone.

    Raises:
        Fault: for whatever *do* raises. It is in the log by then; an error of others may quote its input, and Lambda
            would show that to the caller.
    """
    call = Call(journal, context)
    try:
        return do(call)
    except Exception as error:  # noqa: BLE001 - the last line: whatever it is, it is no answer
        call.record_fault(error)
        fault = error if isinstance(error, Fault) else Fault("unforeseen error: its cause is in the log")
    raise fault  # out here, it drags no other error along

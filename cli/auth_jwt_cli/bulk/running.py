"""The spine of `auth-jwt bulk`: does one operation for each tag, some at a time, and reports each one.

A tag that is rejected is reported, and the others go on. A table that cannot be used ends the run, because it would
reject every other tag, too; so does Control-C. What is under way then ends, and is reported.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final

from auth_jwt.errors import AuthJwtError, Conflict, Fault
from auth_jwt.provisioning.rendering import Json

DEFAULT_WORKERS: Final = 4
MAX_WORKERS: Final = 10
"""As many as the client of DynamoDB keeps connections."""


class TagOutcome(StrEnum):
    """What became of a tag."""

    DONE = "done"
    ALREADY = "already"  # it was so before
    FAILED = "failed"
    UNKNOWN = "unknown"  # the tables did not answer: it may have been done


@dataclass(frozen=True, slots=True)
class TagReport:
    """What became of a tag.

    Attributes:
        tag: the tag.
        outcome: what became of it.
        reason: why it failed; None if it did not.
        is_conflict: whether the tables did not hold what the operation expects.
    """

    tag: str
    outcome: TagOutcome
    reason: str | None = None
    is_conflict: bool = False

    def as_json(self) -> Json:
        """Return the members of the report."""
        return {"tag": self.tag, "outcome": self.outcome.value, **({"reason": self.reason} if self.reason else {})}


@dataclass(slots=True)
class Run:
    """A run, and how far it got.

    Attributes:
        counts: how many tags ended how.
        conflicts: how many of those that failed did so because the tables do not hold what was expected.
        fault: the error that ended the run early; None if none did.
        is_interrupted: whether somebody interrupted it.
    """

    counts: Counter[TagOutcome] = field(default_factory=Counter)
    conflicts: int = 0
    fault: Fault | None = None
    is_interrupted: bool = False


def run_all(
    tags: Iterable[str],
    operation: Callable[[str], bool],
    *,
    workers: int,
    record: Callable[[TagReport], None],
) -> Run:
    """Do the *operation* for each of the *tags*.

    Args:
        tags: the tags.
        operation: does it for one tag, and returns whether anything changed. It is called in several threads.
        workers: how many are done at the same time.
        record: takes each report, in this thread, in the order of the tags.

    Raises:
        NotShown: a report cannot be shown; what was under way has ended.
    """
    run = Run()
    under_way: deque[Future[tuple[TagReport, Fault | None]]] = deque()
    with ThreadPoolExecutor(workers, "bulk") as pool:
        try:
            for tag in tags:
                under_way.append(pool.submit(partial(_do, operation, tag)))
                if len(under_way) >= 2 * workers:
                    _record_first(run, under_way, record)
                if run.fault is not None:
                    break
            while under_way:
                _record_first(run, under_way, record)
        except KeyboardInterrupt:
            run.is_interrupted = True
            while under_way:
                if under_way[0].cancel():
                    under_way.popleft()
                else:
                    _record_first(run, under_way, record)
    return run


def _record_first(
    run: Run, under_way: deque[Future[tuple[TagReport, Fault | None]]], record: Callable[[TagReport], None]
) -> None:
    report, fault = under_way[0].result()  # if this is interrupted, it is still under way
    under_way.popleft()
    run.fault = run.fault or fault
    run.counts[report.outcome] += 1
    run.conflicts += report.is_conflict
    record(report)


def _do(operation: Callable[[str], bool], tag: str) -> tuple[TagReport, Fault | None]:
    try:
        return TagReport(tag, TagOutcome.DONE if operation(tag) else TagOutcome.ALREADY), None
    except Fault as fault:
        return TagReport(tag, TagOutcome.UNKNOWN, str(fault)), fault
    except AuthJwtError as error:
        return TagReport(tag, TagOutcome.FAILED, str(error), isinstance(error, Conflict)), None

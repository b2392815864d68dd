"""How a table is asked: a second attempt only after an early failure, and only where it can end in time."""

import pytest

from auth_jwt.aws.reads import ask_with_retry
from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.ports import Deadline
from tests.fakes import Clock

SECONDS = 1.5


def times_asked(*, failing_after: float, failure: Fault | None = None, deadline_after: float = SECONDS) -> int:
    """How often it is asked when each attempt fails so many seconds after the beginning of the first."""
    clock = Clock(0)
    deadline = Deadline(deadline_after, clock)
    deadline.start()
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        clock.now = failing_after
        raise failure or Unreachable("no answer")

    with pytest.raises(Fault):
        ask_with_retry("dynamodb:GetItem", deadline, ask)
    return asked


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        pytest.param(0, 2, id="at once"),
        pytest.param(1.3, 2, id="with a fifth of a second left"),
        pytest.param(1.36, 1, id="with less left than a pause and an attempt take"),
        pytest.param(1.5, 1, id="at the deadline"),
        pytest.param(3, 1, id="long after it"),
    ],
)
def test_a_second_attempt_is_made_only_with_time_left_for_it(seconds: float, times: int) -> None:
    """After the deadline nobody waits for an answer: asking again would only hold a thread and a connection."""
    assert times_asked(failing_after=seconds) == times


def test_there_is_no_third_attempt() -> None:
    assert times_asked(failing_after=0, deadline_after=3600) == 2


@pytest.mark.parametrize(
    ("failure", "times"), [(Throttled("busy"), 2), (Fault("no such table"), 1)], ids=["throttled", "a missing table"]
)
def test_what_a_retry_cannot_mend_is_asked_once(failure: Fault, times: int) -> None:
    assert times_asked(failing_after=0, failure=failure) == times

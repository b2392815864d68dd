"""The time that the tables may take, and what is said of a table that was not read."""

from auth_jwt.errors import Unreachable
from auth_jwt.models import Half, Profile, TagRows
from auth_jwt.ports import Deadline, HalfRead
from tests.fakes import Clock


def test_a_deadline_runs_from_when_it_is_first_asked() -> None:
    timer = Clock()
    deadline = Deadline(2, timer)
    timer.pass_by(100)

    assert deadline.seconds_left() == 2


def test_or_from_when_it_is_started() -> None:
    timer = Clock()
    deadline = Deadline(2, timer)
    deadline.start()
    timer.pass_by(0.5)
    deadline.start()

    assert deadline.seconds_left() == 1.5


def test_it_runs_down_to_nothing_and_no_further() -> None:
    timer = Clock()
    deadline = Deadline(2, timer)
    left = [deadline.seconds_left()]
    for _ in range(3):
        timer.pass_by(1.5)
        left.append(deadline.seconds_left())

    assert left == [2, 0.5, 0, 0]


def test_half_a_reading_does_not_show_the_rows_that_were_read() -> None:
    """It is in the trace of the failure, which the log has."""
    shown = repr(HalfRead(Half.PROFILE, TagRows(Profile("alice")), Unreachable("no answer")))

    assert "alice" not in shown
    assert "no answer" in shown

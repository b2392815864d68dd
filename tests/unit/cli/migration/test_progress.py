"""Progress is shown to whoever looks: a bar on a terminal, a line now and then elsewhere, nothing if unwanted."""

import contextlib
import io
import os
import pty

from auth_jwt_cli.migration.progress import Lines, PauseTeller, progress_on
from auth_jwt_cli.migration.target import Waiting
from tests.fakes import Clock


def lines_of(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def all_shown_on(terminal: int) -> str:
    """Everything that was written to the other side of *terminal*: one read gives at most 4 KiB of it."""
    shown = b""
    with contextlib.suppress(OSError):  # Linux's end of a terminal whose other side is closed
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    return shown.decode()


def test_where_there_is_no_terminal_a_line_comes_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock(0)
    lines = Lines(stream, clock)

    for second in range(12):
        clock.now = second
        lines.update(second / 12, f"{second} rows")

    assert lines_of(stream) == [" 42%  5 rows", " 83%  10 rows"]


def test_where_nobody_knows_how_far_it_is_none_is_said() -> None:
    stream, clock = io.StringIO(), Clock(0)
    lines = Lines(stream, clock)
    lines.update(None, "0 rows")
    clock.now = 5

    lines.update(None, "5 rows")

    assert lines_of(stream) == ["5 rows"]


def test_nothing_is_shown_to_those_who_want_quiet() -> None:
    stream = io.StringIO()

    with progress_on(stream, quiet=True) as progress:
        progress.update(0.5, "half")
        progress.say("a line")

    assert stream.getvalue() == ""


def test_on_a_terminal_there_is_a_bar_and_lines_stay_above_it() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, progress_on(terminal) as progress:
        progress.update(0.5, "7 rows read")
        progress.say("waiting 1.0 s: [red]throttled")
    shown = all_shown_on(ours)

    assert "50%" in shown
    assert "7 rows read" in shown
    assert "waiting 1.0 s: [red]throttled\r\n" in shown


def test_of_many_pauses_one_a_second_is_told_and_all_are_counted() -> None:
    stream, clock = io.StringIO(), Clock(0)
    teller = PauseTeller(Lines(stream, clock), clock)

    for tenth in range(15):
        clock.now = tenth / 10
        teller(Waiting(0.25, f"throttled {tenth}"))

    assert teller.pauses == 15
    assert lines_of(stream) == ["waiting 0.2 s: throttled 0", "waiting 0.2 s: throttled 10"]

"""Threads that take turns: one runs at a time, and a test says which of them goes on to its next point.

So a test decides how concurrent work interleaves, and the same decisions lead to the same run: hypothesis can search
among them, and make a failure small. A point is where a thread may be overtaken: a call of `Turns.pause`, and where it
waits for a lock or an event that `Turns` made.
"""

from collections.abc import Callable
from threading import Lock, Thread, current_thread
from typing import Any, Final

PATIENCE: Final = 60
"""Seconds after which a turn that nobody gives back fails the test instead of hanging it."""

_ALWAYS: Final = lambda: True  # noqa: E731 - what a thread waits for that waits for nothing


class Actor:
    """One thread that takes turns. It is started at its first turn.

    Attributes:
        point: where it stands; None before it begins and when it has ended.
        result: what its work returned.
        failure: what its work raised.
    """

    def __init__(self, turns: "Turns", work: Callable[[], Any]) -> None:
        self.point: str | None = None
        self.result: Any = None
        self.failure: BaseException | None = None
        self.has_ended = False
        self._turns = turns
        self._work = work
        self._turn = Lock()
        self._turn.acquire()
        self._may_go_on: Callable[[], bool] = _ALWAYS
        self._thread = Thread(target=self._run, daemon=True)

    @property
    def can_go_on(self) -> bool:
        """Whether it has not ended, and what it waits for has come."""
        return not self.has_ended and self._may_go_on()

    def go_on(self, points: int = 1) -> None:
        """Let it run to its next point, so many times; less often when it ends or has to wait."""
        for _ in range(points):
            if not self.can_go_on:
                return
            if self._thread.ident is None:
                self._thread.start()
            self._turn.release()
            assert self._turns.given_back.acquire(timeout=PATIENCE), f"never came from {self.point} to a next point"

    def do_at_once(self) -> None:
        """Do all of it in the thread of the test, where nobody can overtake it."""
        self._do()

    def stop_at(self, point: str, until: Callable[[], bool] = _ALWAYS) -> None:
        """Give the turn back, in the actor's own thread, and go on in a later turn when *until* is true."""
        self.point, self._may_go_on = point, until
        self._turns.given_back.release()
        self._turn.acquire()
        self.point, self._may_go_on = None, _ALWAYS

    def is_current(self) -> bool:
        return current_thread() is self._thread

    def _run(self) -> None:
        self._turn.acquire()
        self._do()
        self._turns.given_back.release()

    def _do(self) -> None:
        try:
            self.result = self._work()
        except BaseException as failure:  # noqa: BLE001 - the test judges it
            self.failure = failure
        finally:
            self.has_ended = True


class Turns:
    """Hands out the turns. What it makes works in the thread of the test itself, too: there nothing may have to wait.

    Args:
        timer: the clock by which events are waited for; a test moves it.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self.actors: list[Actor] = []
        self.given_back = Lock()
        self.given_back.acquire()
        self.timer = timer

    def start(self, work: Callable[[], Any]) -> Actor:
        """Have *work* done by an actor. It begins in its first turn."""
        actor = Actor(self, work)
        self.actors.append(actor)
        return actor

    @property
    def current(self) -> Actor | None:
        """The actor in whose thread this is asked; None in the thread of the test."""
        return next((actor for actor in self.actors if actor.is_current()), None)

    def pause(self, point: str) -> None:
        """Stop at a *point*."""
        self.wait(point, _ALWAYS)

    def wait(self, point: str, until: Callable[[], bool]) -> None:
        """Stop at a *point* until something is true."""
        actor = self.current
        if actor is not None:
            actor.stop_at(point, until)
        else:
            assert until(), f"the test itself would wait for ever: {point}"

    def forget_ended(self) -> None:
        self.actors = [actor for actor in self.actors if not actor.has_ended]

    def lock(self) -> "TurnLock":
        return TurnLock(self)

    def event(self) -> "TurnEvent":
        return TurnEvent(self)


class TurnLock:
    """A lock for which threads wait while another is overtaken within it."""

    def __init__(self, turns: Turns) -> None:
        self.held = False
        self._turns = turns

    def __enter__(self) -> None:
        if self.held:
            self._turns.wait("lock", lambda: not self.held)
        self.held = True

    def __exit__(self, *_: object) -> None:
        self.held = False


class TurnEvent:
    """An event that is waited for until a deadline of the test's clock."""

    def __init__(self, turns: Turns) -> None:
        self._is_set = False
        self._turns = turns

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float) -> bool:
        ends_at = self._turns.timer() + timeout
        self._turns.wait("event", lambda: self._is_set or self._turns.timer() >= ends_at)
        return self._is_set

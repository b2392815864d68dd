"""Whether the tables are away, judged by the reads of all tags together (docs/decisions/0005).

That one tag cannot be read says nothing about the others: its partition may be broken. The tables are away when
several tags failed one after another and no read of any tag succeeded in between. While that is believed, one request
a second tries, and all others are spared the wait. The first success ends it for everybody.

Callers choose the tags of the tokens they send. So tags that are not remembered, which anybody can make up, are no
evidence against those that are, and do not take their attempts.
"""

from collections import OrderedDict
from typing import Final

from auth_jwt.errors import Fault, Throttled, Unreachable

SECONDS_BETWEEN_ATTEMPTS: Final = 1
TAGS_OF_AN_OUTAGE: Final = 3
"""So many tags fail in a row before the tables count as away: two broken ones may meet by chance."""
MAX_FAILING_TAGS: Final = 4096


class Outage:
    """What is known of the tables of a memory. It has no lock: the memory's own guards it.

    All times are seconds of the memory's timer.
    """

    def __init__(self) -> None:
        self._remembered = _Evidence()
        self._all = _Evidence()

    def admits(self, tag: str, now: float, *, remembered: bool, seconds: float) -> bool:
        """Tell whether a request may ask the tables about *tag* now, or has to do without.

        Whoever is told so in an outage makes the one attempt, and tells its outcome.

        Args:
            tag: whose rows.
            now: the time.
            remembered: whether rows of the tag are remembered that may still serve.
            seconds: how long an attempt may take.
        """
        return (self._remembered if remembered else self._all).admits(tag, now, seconds)

    def end(self, tag: str) -> None:
        """Note that a table answered about *tag*."""
        self._remembered.end(tag)
        self._all.end(tag)

    def failed(self, tag: str, now: float, *, remembered: bool) -> None:
        """Note that no table could be reached about *tag*."""
        if remembered:
            self._remembered.failed(tag, now)
        self._all.failed(tag, now)

    def note(self, problem: BaseException, tag: str, now: float, *, remembered: bool) -> None:
        """Note what the *problem* of a read of *tag* says about the other tags."""
        if isinstance(problem, Throttled) or not isinstance(problem, Fault):
            self.pause(now)  # one throttled tag says nothing about the others, and neither does a bug
        elif isinstance(problem, Unreachable):
            self.failed(tag, now, remembered=remembered)
        else:
            self.end(tag)  # a missing table or permission is no outage

    def pause(self, now: float) -> None:
        """Note that an attempt ended and says nothing about other tags."""
        self._remembered.pause(now)
        self._all.pause(now)


class _Evidence:
    def __init__(self) -> None:
        self._failing: OrderedDict[str, None] = OrderedDict()  # until they are read again
        self._failed_in_a_row = 0
        self._retry_at = float("-inf")

    def admits(self, tag: str, now: float, seconds: float) -> bool:
        if self._failed_in_a_row < TAGS_OF_AN_OUTAGE:
            return True
        # A tag that has failed itself leaves the first second to those that have not: if a few broken tags only look
        # like an outage, their requests, however many, do not keep the others from finding out.
        patience = SECONDS_BETWEEN_ATTEMPTS if tag in self._failing else 0
        if now < self._retry_at + patience:
            return False
        self._retry_at = now + seconds + SECONDS_BETWEEN_ATTEMPTS  # or earlier, by its outcome
        return True

    def end(self, tag: str) -> None:
        self._failing.pop(tag, None)
        self._failed_in_a_row = 0

    def failed(self, tag: str, now: float) -> None:
        self._retry_at = now + SECONDS_BETWEEN_ATTEMPTS
        if tag in self._failing:  # no news: since then others may have been read, and it was not
            return
        self._failing[tag] = None
        self._failed_in_a_row += 1
        if len(self._failing) > MAX_FAILING_TAGS:
            self._failing.popitem(last=False)

    def pause(self, now: float) -> None:
        self._retry_at = min(self._retry_at, now + SECONDS_BETWEEN_ATTEMPTS)

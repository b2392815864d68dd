"""Whether the tables are away, judged by the reads of all tags together (docs/decisions/0005).

A failed read of one tag says nothing about other tags: its partition may be broken. The tables count as away when
several tags failed one after another and no read of any tag succeeded in between. During such an outage one request a
second tries to read, and all others go without and do not wait. The first success ends the outage for all.

Callers choose the tags of the tokens they send, and anybody can invent tags. So failures of tags that are not
remembered do not count against remembered tags, and do not use up their attempts.
"""

from collections import OrderedDict
from typing import Final

from auth_jwt.errors import Fault, Throttled, Unreachable

SECONDS_BETWEEN_ATTEMPTS: Final = 1
TAGS_OF_AN_OUTAGE: Final = 3
"""How many tags must fail in a row before the tables count as away. Two broken tags may follow each other by chance."""
MAX_FAILING_TAGS: Final = 4096


class Outage:
    """What a memory knows about an outage of its tables. It has no lock of its own: the memory's lock guards it.

    All times are in seconds of the memory's timer.
    """

    def __init__(self) -> None:
        self._remembered = _Evidence()
        self._all = _Evidence()

    def admits(self, tag: str, now: float, *, remembered: bool, seconds: float) -> bool:
        """Tell whether a request may read *tag* from the tables now.

        During an outage, a request that is admitted makes the one attempt of that second. It must report the result.

        Args:
            tag: the tag to read.
            now: the current time.
            remembered: whether rows of the tag are remembered that may still serve.
            seconds: how long the attempt may take.
        """
        return (self._remembered if remembered else self._all).admits(tag, now, seconds)

    def note_answer(self, tag: str) -> None:
        """Note that a table answered a read of *tag*. This ends an outage."""
        self._remembered.note_answer(tag)
        self._all.note_answer(tag)

    def note_failure(self, error: BaseException, tag: str, now: float, *, remembered: bool) -> None:
        """Note what the *error* of a read of *tag* says about the other tags.

        Args:
            error: why the read failed.
            tag: the tag that was read.
            now: the current time.
            remembered: whether rows of the tag are remembered that may still serve.
        """
        if isinstance(error, Throttled) or not isinstance(error, Fault):
            self._note_nothing(now)  # a throttled tag or a bug says nothing about other tags
        elif isinstance(error, Unreachable):
            self._note_silence(tag, now, remembered=remembered)
        else:
            self.note_answer(tag)  # a missing table or permission is no outage

    def _note_silence(self, tag: str, now: float, *, remembered: bool) -> None:
        if remembered:
            self._remembered.note_silence(tag, now)
        self._all.note_silence(tag, now)

    def _note_nothing(self, now: float) -> None:
        self._remembered.note_nothing(now)
        self._all.note_nothing(now)


class _Evidence:
    """What the reads of some tags say: which failed, how many in a row, and when the next attempt is due."""

    def __init__(self) -> None:
        self._failing: OrderedDict[str, None] = OrderedDict()  # removed when a table answers about them
        self._failed_in_a_row = 0
        self._retry_at = float("-inf")

    def admits(self, tag: str, now: float, seconds: float) -> bool:
        if self._failed_in_a_row < TAGS_OF_AN_OUTAGE:
            return True
        # A few broken tags can look like an outage. A tag that has failed waits a second longer than one that has not:
        # so the requests for broken tags, however many, cannot take the attempts that would end the outage.
        patience = SECONDS_BETWEEN_ATTEMPTS if tag in self._failing else 0
        if now < self._retry_at + patience:
            return False
        self._retry_at = now + seconds + SECONDS_BETWEEN_ATTEMPTS  # the result of the attempt may set an earlier time
        return True

    def note_answer(self, tag: str) -> None:
        self._failing.pop(tag, None)
        self._failed_in_a_row = 0

    def note_silence(self, tag: str, now: float) -> None:
        self._retry_at = now + SECONDS_BETWEEN_ATTEMPTS
        if tag in self._failing:  # counted before; other tags may have been read since then
            return
        self._failing[tag] = None
        self._failed_in_a_row += 1
        if len(self._failing) > MAX_FAILING_TAGS:
            self._failing.popitem(last=False)

    def note_nothing(self, now: float) -> None:
        self._retry_at = min(self._retry_at, now + SECONDS_BETWEEN_ATTEMPTS)

"""Whether the tables are away, judged by the reads of all tags together (docs/decisions/0005).

A failed read of one tag says nothing about other tags: its partition may be broken. The tables count as away when
several tags failed one after another and no read of any tag succeeded in between. During such an outage one request a
second tries to read, and all others go without and do not wait. The first success ends the outage for all.

Callers choose the tags of the tokens they send, and anybody can invent tags. So only failures of remembered tags count
against remembered tags, and these have an attempt of their own each second: who invents tags can neither feign an
outage for them nor take their attempts.

What fails in DynamoDB is a partition, so the code below speaks of those. The partition key of a table is the tag.
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

    def admits(self, partition: str, now: float, *, remembered: bool, seconds: float) -> bool:
        """Tell whether a request may read *partition* from the tables now.

        During an outage, a request that is admitted makes the one attempt of that second. It must report the result.

        Args:
            partition: the partition to read.
            now: the current time.
            remembered: whether rows of it are remembered that may still serve.
            seconds: how long the attempt may take.
        """
        return (self._remembered if remembered else self._all).admits(partition, now, seconds)

    def note_answer(self, partition: str) -> None:
        """Note that a table answered a read of *partition*. This ends an outage."""
        self._remembered.note_answer(partition)
        self._all.note_answer(partition)

    def note_failure(self, error: BaseException, partition: str, now: float, *, remembered: bool) -> None:
        """Note what the *error* of a read of *partition* says about the other partitions.

        Args:
            error: why the read failed.
            partition: the partition that was read.
            now: the current time.
            remembered: whether rows of it are remembered that may still serve.
        """
        if isinstance(error, Throttled) or not isinstance(error, Fault):
            self._note_nothing(now)  # a throttled partition or a bug says nothing about others
        elif isinstance(error, Unreachable):
            self._note_silence(partition, now, remembered=remembered)
        else:
            self.note_answer(partition)  # a missing table or permission is no outage

    def _note_silence(self, partition: str, now: float, *, remembered: bool) -> None:
        if remembered:
            self._remembered.note_silence(partition, now)
        self._all.note_silence(partition, now)

    def _note_nothing(self, now: float) -> None:
        self._remembered.note_nothing(now)
        self._all.note_nothing(now)


class _Evidence:
    """What the reads of some partitions say: which failed, how many in a row, and when the next attempt is due."""

    def __init__(self) -> None:
        self._failing: OrderedDict[str, None] = OrderedDict()  # removed when a table answers about them
        self._failed_in_a_row = 0
        self._retry_at = float("-inf")

    def admits(self, partition: str, now: float, seconds: float) -> bool:
        if self._failed_in_a_row < TAGS_OF_AN_OUTAGE:
            return True
        # A few broken partitions can look like an outage. One that has failed waits a second longer than the others: so
        # the requests for broken ones, however many, cannot take the attempts that would end the outage.
        patience = SECONDS_BETWEEN_ATTEMPTS if partition in self._failing else 0
        if now < self._retry_at + patience:
            return False
        self._retry_at = now + seconds + SECONDS_BETWEEN_ATTEMPTS  # the result of the attempt may set an earlier time
        return True

    def note_answer(self, partition: str) -> None:
        self._failing.pop(partition, None)
        self._failed_in_a_row = 0

    def note_silence(self, partition: str, now: float) -> None:
        self._retry_at = now + SECONDS_BETWEEN_ATTEMPTS
        if partition in self._failing:  # counted before; others may have been read since then
            return
        self._failing[partition] = None
        self._failed_in_a_row += 1
        if len(self._failing) > MAX_FAILING_TAGS:
            self._failing.popitem(last=False)

    def note_nothing(self, now: float) -> None:
        self._retry_at = min(self._retry_at, now + SECONDS_BETWEEN_ATTEMPTS)

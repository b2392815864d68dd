"""What the tables held, and when: each write passes through here, whoever makes it.

A state counts from before the write that made it until after the write that ended it: in between, a reader may have
seen either. Both ends are UNIX seconds of the clock that the service has, too.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from tests.model.decision import Row

Snapshot = Callable[[], "Rows"]
Tables = Callable[[bytes], bytes]

_WRITES: Final = re.compile(
    rb"^x-amz-target:\s*DynamoDB_20120810\.(?:Put|Update|Delete|Batch|Transact)(?:Write)?Items?\r$",
    re.IGNORECASE | re.MULTILINE,
)
SLOW_SECONDS: Final = 0.5
"""Tables that take so long without a fault show a machine that is too busy: the service may give up on them."""


@dataclass(frozen=True)
class Rows:
    """All rows at one time.

    Attributes:
        profiles: one row for each tag.
        secrets: the rows of each tag.
        revocations: tags and `jti` of revoked tokens.
    """

    profiles: Mapping[str, Row] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, Sequence[Row]] = field(default_factory=dict, repr=False)
    revocations: Collection[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class _State:
    rows: Rows
    since: float
    until: float = inf


class History:
    """The states of the tables, in their order."""

    def __init__(self) -> None:
        self._states: deque[_State] = deque([_State(Rows(), -inf)])
        self._lock = threading.Lock()

    def note(self, began: float, ended: float, rows: Rows) -> None:
        """Note the *rows* after a write that *began* and *ended* then."""
        with self._lock:
            last = self._states.pop()
            self._states += (_State(last.rows, last.since, ended), _State(rows, began))

    def between(self, start: float, end: float) -> list[Rows]:
        """Return the rows that were there at some time from *start* to *end*, the latest first."""
        with self._lock:
            return [one.rows for one in reversed(self._states) if one.since <= end and one.until >= start]

    @property
    def latest(self) -> Rows:
        """The rows now."""
        with self._lock:
            return self._states[-1].rows


class Journal:
    """Passes requests on to the tables, and notes what each write made of them.

    Args:
        tables: what answers.
        snapshot: reads all rows.

    Attributes:
        history: what it noted.
        slow: when the tables took long: from, to.
    """

    def __init__(self, tables: Tables, snapshot: Snapshot) -> None:
        self._tables = tables
        self._snapshot = snapshot
        self._writing = threading.Lock()
        self.history = History()
        self.slow: list[tuple[float, float]] = []

    def __call__(self, question: bytes) -> bytes:
        """Answer a request."""
        began = time.time()
        if _WRITES.search(question.partition(b"\r\n\r\n")[0] + b"\r\n"):
            with self._writing:
                began = time.time()
                answer = self._tables(question)
                answered = time.time()
                self.history.note(began, answered, self._snapshot())
        else:
            answer = self._tables(question)
            answered = time.time()
        if answered - began > SLOW_SECONDS:
            self.slow.append((began, answered))
        return answer

    def settle(self) -> None:
        """Wait until each write that has begun is noted."""
        with self._writing:
            pass


def snapshot_of(client: Any, *, profiles: str, secrets: str, revocations: str) -> Snapshot:
    """Return what reads all rows by *client*, which asks the tables themselves.

    Args:
        client: of DynamoDB, by boto3.
        profiles: the name of this table.
        secrets: likewise.
        revocations: likewise.
    """
    from boto3.dynamodb.types import TypeDeserializer

    read = TypeDeserializer().deserialize

    def rows_of(table: str) -> list[dict[str, Any]]:
        pages = client.get_paginator("scan").paginate(TableName=table)
        return [{name: read(value) for name, value in item.items()} for page in pages for item in page.get("Items", ())]

    def snapshot() -> Rows:
        of_tags: dict[str, list[Row]] = {}
        for row in rows_of(secrets):
            of_tags.setdefault(row["corresponding_tag"], []).append(row)
        return Rows(
            {row["tag"]: row for row in rows_of(profiles)},
            of_tags,
            frozenset((row["tag"], row["jti"]) for row in rows_of(revocations)),
        )

    return snapshot

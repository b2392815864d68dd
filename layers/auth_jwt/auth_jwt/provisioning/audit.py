"""The audit log: who did what to which row. Every write leaves one line, which never holds a column's value."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class WriteOutcome(StrEnum):
    """How a write ended."""

    DONE = "done"
    UNKNOWN = "unknown"  # the tables did not answer: the write may have happened
    STOPPED = "stopped"  # an operation of several writes made none of them
    FAILED = "failed"  # an operation of several writes did not make all of them


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write.

    Attributes:
        at: time of the write, in UNIX seconds.
        actor: who wrote: an IAM principal, or the user who ran the command.
        action: the operation, such as `secret.rotate`.
        tag: the tag of the rows.
        id: the row, where a tag has several: a secret's `id`, a token's `jti`.
        outcome: how the write ended.
        details: names of columns, windows, ids of other changed rows; never the value of a column.
    """

    at: int
    actor: str
    action: str
    tag: str
    id: str | None = None
    outcome: WriteOutcome = WriteOutcome.DONE
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> str:
        """Return the entry as one line of JSON, without a line break at its end."""
        members = {"audit": self.action, "outcome": self.outcome.value, "actor": self.actor, "tag": self.tag}
        if self.id is not None:
            members["id"] = self.id
        return json.dumps({**members, "at": self.at, **self.details})


Audit = Callable[[AuditEntry], None]
"""A function that stores or logs an audit entry."""

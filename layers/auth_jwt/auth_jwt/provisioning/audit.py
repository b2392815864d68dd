"""Who did what to which row: one line for every write, with never a value in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class WriteOutcome(StrEnum):
    """What became of a write."""

    DONE = "done"
    UNKNOWN = "unknown"  # the tables did not answer: it may have happened
    STOPPED = "stopped"  # of several writes: none was made
    FAILED = "failed"  # of several writes: not all were made


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write.

    Attributes:
        at: UNIX seconds.
        actor: who: an IAM principal, or who ran the command.
        action: what: `secret.rotate` and the like.
        tag: whose rows.
        id: which of them, where a tag has several: a secret's `id`, a token's `jti`.
        outcome: what became of it.
        details: names of columns, windows, ids of other rows touched; never what a column holds.
    """

    at: int
    actor: str
    action: str
    tag: str
    id: str | None = None
    outcome: WriteOutcome = WriteOutcome.DONE
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> str:
        """Write the entry as one line of JSON, without the line's end."""
        members = {"audit": self.action, "outcome": self.outcome.value, "actor": self.actor, "tag": self.tag}
        if self.id is not None:
            members["id"] = self.id
        return json.dumps({**members, "at": self.at, **self.details})


Audit = Callable[[AuditEntry], None]
"""Where audit entries go."""

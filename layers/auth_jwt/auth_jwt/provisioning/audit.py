"""The audit log: who did what to which row, and where. Every write leaves one line, without a column's value."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

_FUNCTION_ARN: Final = re.compile(r"arn:[^:]+:lambda:([^:]+):(\d{12}):function:([^:]+)(?::[^:]+)?")


class WriteOutcome(StrEnum):
    """How a write ended."""

    DONE = "done"
    UNKNOWN = "unknown"  # the tables did not answer: the write may have happened
    STOPPED = "stopped"  # an operation of several writes made none of them
    FAILED = "failed"  # an operation of several writes did not make all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTarget:
    """Where writes go: what tells production from test, in the lines of the command line and of functions alike.

    Attributes:
        tables: the names of the tables, profiles first.
        region: the AWS region.
        account: the AWS account; None if it is not known.
        endpoint: the address of the tables; None if it is AWS's own.
        function: the function that writes, or whose settings the command line uses.
        context: the name by which the operator chose all of it.
        stack: the stack that the context names.
    """

    tables: tuple[str, ...]
    region: str | None = None
    account: str | None = None
    endpoint: str | None = None
    function: str | None = None
    context: str | None = None
    stack: str | None = None

    @classmethod
    def of_function(cls, arn: str | None, tables: tuple[str, ...], endpoint: str | None = None) -> Self:
        """Return the target of a function that writes, by its ARN; without one, only tables and endpoint are known."""
        match = _FUNCTION_ARN.fullmatch(arn or "")
        region, account, name = match.groups() if match else (None, None, None)
        return cls(tables=tables, region=region, account=account, function=name, endpoint=endpoint)

    def as_json(self) -> dict[str, Any]:
        """Return the members that are known."""
        members = {
            "context": self.context,
            "stack": self.stack,
            "function": self.function,
            "account": self.account,
            "region": self.region,
            "endpoint": self.endpoint,
            "tables": list(self.tables),
        }
        return {name: value for name, value in members.items() if value is not None}


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

    def as_line(self, target: AuditTarget | None = None) -> str:
        """Return the entry as one line of JSON, without a line break at its end.

        Args:
            target: where the write went; None leaves that out.
        """
        members: dict[str, Any] = {
            "audit": self.action, "outcome": self.outcome.value, "actor": self.actor, "tag": self.tag,
        }  # fmt: skip
        if self.id is not None:
            members["id"] = self.id
        where = {} if target is None else {"target": target.as_json()}
        return json.dumps({**members, "at": self.at, **where, **self.details})


Audit = Callable[[AuditEntry], None]
"""A function that stores or logs an audit entry."""

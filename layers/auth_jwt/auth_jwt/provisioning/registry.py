"""What all operations share: the tables, the rules, the clock, and the audit of every write."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import AuthJwtError, Invalid, NotFound, Unreachable
from auth_jwt.jose.tokens import MAX_TAG_CHARACTERS
from auth_jwt.models import SECRET_ID, Columns, Policy, Row, Secret
from auth_jwt.provisioning.audit import Audit, AuditEntry, WriteOutcome
from auth_jwt.provisioning.changes import Change, ProvisioningStore
from auth_jwt.provisioning.inspection import SecretRecord, inspected

MAX_TIME: Final = 10**11 - 1
"""UNIX seconds, in the year 5138. What is more, is in milliseconds."""
MAX_KEY_BYTES: Final = 2048
"""What a partition key of DynamoDB has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The tables as operators work on them.

    Attributes:
        store: the tables.
        columns: what their columns are called.
        policy: the rules of a decision, by which secrets are judged.
        authorizer: decides as the service does, by rows just read.
        audit: told of every write.
        actor: who is at work, for the audit.
        clock: UNIX seconds.
    """

    store: ProvisioningStore
    columns: Columns
    policy: Policy
    authorizer: Authorizer
    audit: Audit
    actor: str
    clock: Callable[[], float] = time.time

    def now(self) -> int:
        """Return the current second."""
        return floor(self.clock())

    def inspected(self, row: Row) -> SecretRecord:
        """Return what a *row* of the secrets table is good for, now."""
        tag = str(row.get(self.columns.secret_tag, ""))
        return inspected(Secret.from_row(row, self.columns), tag, self.policy, self.clock())

    def write(
        self,
        action: str,
        tag: str,
        *changes: Change,
        id: str | None = None,  # noqa: A002 - the column's name
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Make all of *changes* or none, and tell the audit.

        Raises:
            Overtaken: a row is not as expected; nothing was written.
        """
        outcome: WriteOutcome | None = WriteOutcome.UNKNOWN  # whatever comes now, Control-C included
        try:
            self.store.write(*changes)
            outcome = WriteOutcome.DONE
        except AuthJwtError as error:
            if not isinstance(error, Unreachable):  # it was refused, so it did not happen
                outcome = None
            raise
        finally:
            if outcome is not None:
                self.audit(AuditEntry(self.now(), self.actor, action, tag, id, outcome, details or {}))


def row_among(rows: Iterable[Row], tag: str, secret_id: str) -> Row:
    """Return the one of a tag's secrets that has this id.

    Raises:
        NotFound: there is none.
    """
    for row in rows:
        if row[SECRET_ID] == secret_id:
            return row
    raise NotFound(f"there is no secret {secret_id!r} of {tag!r}")


def checked_time(name: str, seconds: int) -> int:
    """Return *seconds* if they can be a time.

    Raises:
        Invalid: they are negative, or so many that they must be milliseconds.
    """
    if not 0 <= seconds <= MAX_TIME:
        raise Invalid(f"{name} is in UNIX seconds, not negative and not in milliseconds: {seconds}")
    return seconds


def checked_tag(tag: str) -> str:
    """Return *tag* if a token may name it.

    Raises:
        Invalid: none may.
    """
    if not tag or len(tag) > MAX_TAG_CHARACTERS:
        raise Invalid(f"a tag has 1 to {MAX_TAG_CHARACTERS} characters, this one {len(tag)}")
    return checked_text("the tag", tag)


def checked_key(tag: str) -> str:
    """Return *tag* if a row may have it, also one that no token may name: so that such rows can be taken away.

    Raises:
        Invalid: no row may.
    """
    try:
        size = len(tag.encode("utf-8"))
    except UnicodeEncodeError:
        raise Invalid("the tag is not valid Unicode") from None
    if not 0 < size <= MAX_KEY_BYTES:
        raise Invalid(f"a row's tag has 1 to {MAX_KEY_BYTES} bytes, this one {size}")
    return tag


def checked_text(name: str, text: str) -> str:
    """Return *text* if it can be kept and looked up.

    Raises:
        Invalid: it is empty, or no valid Unicode.
    """
    if not text:
        raise Invalid(f"{name} is empty")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid(f"{name} is not valid Unicode") from None
    if "\0" in text:
        raise Invalid(f"{name} holds a NUL, which no token may")
    return text

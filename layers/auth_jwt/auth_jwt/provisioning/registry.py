"""What all operations share: the tables, the rules, the clock, the audit log, and checks of values."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import AuthJwtError, Conflict, Invalid, NotFound, Unreachable
from auth_jwt.issuers.models import CONFIGURATION, holds_issuer, is_kept_for_issuers, issuer_of_user
from auth_jwt.jose.tokens import MAX_TAG_CHARACTERS
from auth_jwt.models import SECRET_ID, Columns, Policy, Row, Secret
from auth_jwt.provisioning.audit import Audit, AuditEntry, WriteOutcome
from auth_jwt.provisioning.changes import MISSING, Change, Expected, ProvisioningStore, Table
from auth_jwt.provisioning.inspection import SecretRecord, inspect_secret
from auth_jwt.provisioning.tombstones import is_tombstone

MAX_TIME: Final = 10**11 - 1
"""UNIX seconds, in the year 5138. A greater number must be in milliseconds."""
MAX_KEY_BYTES: Final = 2048
"""DynamoDB's limit for a partition key."""


IS_PROFILE: Final = Expected(True, {CONFIGURATION: MISSING})
"""The condition that a row of the profiles table is there, and is a profile and no issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The tables, and what every operation on them needs.

    Attributes:
        store: the tables.
        columns: the names of their columns.
        policy: the rules of a decision; they judge secrets, too.
        authorizer: decides as the service does, but reads the rows again each time.
        audit: receives an entry for every write.
        actor: who writes, for the audit log.
        clock: returns the time in UNIX seconds.
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

    def secrets(self, tag: str) -> list[Row]:
        """Return all secrets of *tag*, sorted by id, without the rows of an issuer."""
        return [row for row in self.store.secrets(tag) if not is_kept_for_issuers(row, self.columns)]

    def as_read(self, table: Table, row: Row) -> Expected:
        """Return the condition that a *row* of the profiles or the secrets table still is as it was read.

        No condition of DynamoDB says that a row has no other columns. So each column that a login reads is named, also
        where the row lacks it: else who disables a profile meanwhile, or revokes its tokens, would be overwritten.
        """
        columns = self.columns
        if table is Table.PROFILES:
            key = {columns.tag}
            read = {columns.username, columns.domain, columns.disabled, columns.valid_after, CONFIGURATION}
            read |= {credential.column for credential in self.policy.credentials}
        else:
            key = {columns.secret_tag, SECRET_ID}
            read = {columns.secret, columns.start, columns.end, columns.alg, columns.kid}
        return Expected(True, {name: row.get(name, MISSING) for name in (row.keys() | read) - key})

    def inspect(self, row: Row) -> SecretRecord:
        """Judge a *row* of the secrets table at the current time; see `auth_jwt.provisioning.inspection`."""
        tag = str(row.get(self.columns.secret_tag, ""))
        return inspect_secret(Secret.from_row(row, self.columns), tag, self.policy, self.clock())

    def write(
        self,
        action: str,
        tag: str,
        *changes: Change,
        id: str | None = None,  # noqa: A002 - the column's name
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Make all *changes* or none, and add an entry to the audit log.

        A write that certainly did not happen leaves no entry. One that may have happened leaves the outcome `unknown`.

        Raises:
            Overtaken: a row does not meet its condition; nothing was written.
        """
        outcome: WriteOutcome | None = WriteOutcome.UNKNOWN  # also for an interruption, such as Control-C
        try:
            self.store.write(*changes)
            outcome = WriteOutcome.DONE
        except AuthJwtError as error:
            if not isinstance(error, Unreachable):  # the tables rejected the write, so it did not happen
                outcome = None
            raise
        finally:
            if outcome is not None:
                self.audit(AuditEntry(self.now(), self.actor, action, tag, id, outcome, details or {}))


def row_among(rows: Iterable[Row], tag: str, secret_id: str) -> Row:
    """Return the row with this id from *rows*, the secrets of *tag*.

    Raises:
        NotFound: no row has this id.
    """
    for row in rows:
        if row[SECRET_ID] == secret_id:
            return row
    raise NotFound(f"there is no secret {secret_id!r} of {tag!r}")


def check_time(name: str, seconds: int) -> int:
    """Return *seconds* if they are a valid time in UNIX seconds; *name* is for the message.

    Raises:
        Invalid: the number is negative, or so great that it must be in milliseconds.
    """
    if not 0 <= seconds <= MAX_TIME:
        raise Invalid(f"{name} is in UNIX seconds, not negative and not in milliseconds: {seconds}")
    return seconds


def check_tag(tag: str) -> str:
    """Return *tag* if a token may carry it.

    Raises:
        Invalid: it is empty, too long, not valid Unicode, or holds a NUL.
    """
    if not tag or len(tag) > MAX_TAG_CHARACTERS:
        raise Invalid(f"a tag has 1 to {MAX_TAG_CHARACTERS} characters, this one {len(tag)}")
    return check_text("the tag", tag)


def check_profile_tag(tag: str) -> str:
    """Return *tag* if a profile may have it: a token may carry it, or it is that of an issuer's user, which is longer.

    Raises:
        Invalid: no profile may have it.
    """
    if issuer_of_user(tag) is not None:
        return check_text("the tag", tag)
    return check_tag(tag)


def check_no_issuer(tag: str, row: Row | None) -> None:
    """Check that the *row* of the profiles table with this tag is no issuer's. Issuers have operations of their own.

    Raises:
        Conflict: it is an issuer's.
    """
    if row is not None and holds_issuer(row):
        raise Conflict(f"{tag!r} is an issuer, and a tag holds an issuer or secrets, never both: see `auth-jwt issuer`")


def check_key(tag: str) -> str:
    """Return *tag* if a row may have it, even if no token may carry it: operators must be able to delete such rows.

    Raises:
        Invalid: it is empty, too long for DynamoDB, or not valid Unicode, or it names the rows of deleted profiles.
    """
    try:
        size = len(tag.encode("utf-8"))
    except UnicodeEncodeError:
        raise Invalid("the tag is not valid Unicode") from None
    if not 0 < size <= MAX_KEY_BYTES:
        raise Invalid(f"a row's tag has 1 to {MAX_KEY_BYTES} bytes, this one {size}")
    if is_tombstone(tag):
        raise Invalid("this is no tag, but where deleted profiles are kept: see `auth-jwt profile list --deleted`")
    return tag


def check_text(name: str, text: str) -> str:
    """Return *text* if the tables can store it and a token may carry it; *name* is for the message.

    Raises:
        Invalid: it is empty, not valid Unicode, or holds a NUL.
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


def version_of(row: Row) -> str:
    """Return a digest of a *row*, which changes whenever the row changes."""
    described = {name: [type(value).__name__, str(value)] for name, value in row.items()}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]

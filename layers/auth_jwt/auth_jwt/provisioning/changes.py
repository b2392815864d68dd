"""The port through which provisioning reads rows and writes changes: all changes of one write happen, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, Protocol

from auth_jwt.errors import AuthJwtError
from auth_jwt.models import Row

MAX_CHANGES: Final = 100
"""The most rows that one DynamoDB transaction can change."""


class Table(StrEnum):
    """The tables, named after their rows."""

    PROFILES = "profiles"
    SECRETS = "secrets"
    REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a row: its tag and, in tables with several rows per tag, its `id` or `jti`."""

    table: Table
    tag: str
    id: str | None = None


class Missing(Enum):
    """The type of `MISSING`, the value of a column that a row does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Expected:
    """The condition that a row must meet before a change is made.

    Attributes:
        present: whether the row must exist; None accepts both.
        columns: the values that these columns of an existing row must have; `MISSING` for a column it must not have.
    """

    present: bool | None = None
    columns: Mapping[str, object] = field(default_factory=dict, repr=False)


ANYTHING: Final = Expected()
ABSENT: Final = Expected(present=False)
PRESENT: Final = Expected(present=True)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole row."""

    key: Key
    columns: Row = field(repr=False)  # without the columns of the key
    expected: Expected = ANYTHING


@dataclass(frozen=True, slots=True)
class Update:
    """Write some columns of a row; the value `MISSING` removes a column."""

    key: Key
    columns: Row = field(repr=False)
    expected: Expected = PRESENT


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a row. A missing row is no error, unless *expected* demands one."""

    key: Key
    expected: Expected = ANYTHING


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, but stop the whole write unless the row meets the condition."""

    key: Key
    expected: Expected


Change = Put | Update | Delete | Check


class Overtaken(AuthJwtError):
    """A row did not meet the condition of a change, so nothing was written.

    Attributes:
        key: the key of the first such row.
    """

    def __init__(self, key: Key) -> None:
        super().__init__(f"a row of {key.table} is not as expected")
        self.key = key


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the rows of a table.

    Attributes:
        rows: the rows, in the table's order, which means nothing.
        next: the key after which the next page starts; None on the last page.
    """

    rows: Sequence[Row] = field(repr=False)
    next: str | None = None


class ProvisioningStore(Protocol):
    """The tables, for reading and writing. Every read sees every acknowledged write.

    Every method raises `Unreachable` when the tables do not answer: a write may then have happened or not. It raises
    `Fault` when a retry cannot help, such as for a missing table or permission.
    """

    @property
    def keeps_revocations(self) -> bool:
        """Whether there is a table of revoked tokens."""
        ...

    def profile(self, tag: str, *, only: Sequence[str] | None = None) -> Row | None:
        """Return the profile of *tag*, or None if there is none. With *only*, these columns of it."""
        ...

    def profiles(self, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* profiles that follow the tag *after*, or the first ones."""
        ...

    def secrets(self, tag: str, *, only: Sequence[str] | None = None) -> list[Row]:
        """Return all secrets of *tag*, sorted by id. With *only*, these columns of each."""
        ...

    def revocation(self, tag: str, jti: str) -> Row | None:
        """Return the row that revokes this token, or None if there is none."""
        ...

    def revocations(self, tag: str, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* revoked tokens of *tag* that follow the `jti` *after*, or the first ones."""
        ...

    def write(self, *changes: Change) -> None:
        """Make all *changes*, at most 100, or none of them.

        Raises:
            Overtaken: a row does not meet its condition; nothing was written.
        """
        ...

    def update(self, change: Update) -> None:
        """Make one *change* at a quarter of the cost of `write`. When its answer is lost, it may seem overtaken.

        Raises:
            Overtaken: the row does not meet its condition; or this change was made, and its answer was lost.
        """
        ...

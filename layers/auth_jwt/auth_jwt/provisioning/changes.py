"""The port through which provisioning reads rows and writes changes: all changes of one write happen, or none."""

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """One page of a scan.

    Attributes:
        rows: the rows. The rows of one tag may be on several pages.
        read_units: what the page cost, in DynamoDB's read units.
        looked_at: how many rows were looked at, those included that the scan left out.
        next: the tag after which the scan continues; None on the last page.
    """

    rows: Sequence[Row] = field(repr=False)
    read_units: float
    looked_at: int
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Conditions of a scan on the columns of a row: all must hold. A row that it leaves out is read and paid for.

    Attributes:
        one_of: for a column, the values of which it must have one. As everywhere, True is not 1.
        beginnings: for a column, how its text must begin.
        present: columns that a row must have, with whatever value.
    """

    one_of: Mapping[str, Sequence[object]] = field(default_factory=dict, repr=False)
    beginnings: Mapping[str, str] = field(default_factory=dict, repr=False)
    present: Sequence[str] = ()


EVERY_ROW: Final = RowFilter()


class NoIndex(AuthJwtError):
    """The index of usernames cannot be asked.

    Attributes:
        is_denied: whether a permission is missing. Otherwise the table has no such index, or DynamoDB still fills it.
    """

    def __init__(self, message: str, *, is_denied: bool) -> None:
        super().__init__(message)
        self.is_denied = is_denied


class ProvisioningStore(Protocol):
    """The tables, for reading and writing.

    Every read sees every acknowledged write, except for scans and the index of usernames.

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

    def profiles_of(self, username: str, *, after: str | None, limit: int) -> Page:
        """Return the tags of up to *limit* profiles with this *username* that follow the tag *after*, sorted.

        The rows have the column of the tag, and that of the domain where the index holds it. What was written within
        the last second may be missing, or be as it was.

        Raises:
            NoIndex: the table has no index of usernames that can be asked.
        """
        ...

    def scan_profiles(
        self, *, where: RowFilter = EVERY_ROW, after: str | None = None, segments: int = 1
    ) -> Iterator[ScannedPage]:
        """Give the rows of the profiles table that fit, in an order that means nothing, page by page.

        It may miss what was written within the last second, and costs half as much for that. The scan that raises no
        error has given the whole table.

        Args:
            where: which rows to give.
            after: the tag after which to begin, as a page's `next` or the tag of any row has it; None is the beginning.
            segments: how many parts of the table are read at the same time. With more than one there is no `after`,
                and pages have no `next`.
        """
        ...

    def secrets(self, tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        """Return all secrets of *tag*, sorted by id.

        Args:
            tag: the tag.
            only: the columns to return of each; None returns all.
            most: how many to return, the first ones; None returns all.
        """
        ...

    def scan_secrets(self, *, only: Sequence[str] | None, where: RowFilter = EVERY_ROW) -> Iterator[ScannedPage]:
        """Give the rows of the secrets table that fit, in an order that means nothing, page by page.

        With *only*, these columns of each; None gives all columns, with the values of secrets.

        It may miss what was written within the last second, and costs half as much for that. Each page is read when it
        is asked for. The scan that raises no error has given the whole table.
        """
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

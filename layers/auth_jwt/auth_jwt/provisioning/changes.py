"""What provisioning asks of the tables: rows read as they are, and changes that happen all together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, Protocol

from auth_jwt.errors import AuthJwtError
from auth_jwt.models import Row

MAX_CHANGES: Final = 100
"""How many rows one transaction of DynamoDB holds."""


class Table(StrEnum):
    """The tables, by what is in them."""

    PROFILES = "profiles"
    SECRETS = "secrets"
    REVOCATIONS = "revocations"


@dataclass(frozen=True, slots=True)
class Key:
    """Which row: the tag, and in tables with several rows of a tag, which of them (an `id`, a `jti`)."""

    table: Table
    tag: str
    id: str | None = None


class Missing(Enum):
    """What a column holds that is not there."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Expected:
    """What a row must be like for a change to be made.

    Attributes:
        present: whether there is a row; None when either will do.
        columns: what these columns of a present row hold, `MISSING` for nothing.
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
    columns: Row = field(repr=False)  # those of the key not among them
    expected: Expected = ANYTHING


@dataclass(frozen=True, slots=True)
class Update:
    """Write some columns of a row; `MISSING` takes one away."""

    key: Key
    columns: Row = field(repr=False)
    expected: Expected = PRESENT


@dataclass(frozen=True, slots=True)
class Delete:
    """Take a row away."""

    key: Key
    expected: Expected = ANYTHING


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, but let the others happen only if the row is as expected."""

    key: Key
    expected: Expected


Change = Put | Update | Delete | Check


class Overtaken(AuthJwtError):
    """A row was not as a change expected, so nothing was written.

    Attributes:
        key: the first such row.
    """

    def __init__(self, key: Key) -> None:
        super().__init__(f"a row of {key.table} is not as expected")
        self.key = key


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of many.

    Attributes:
        rows: in the table's order, which is any.
        next: the key after which to go on; None when these were the last.
    """

    rows: Sequence[Row] = field(repr=False)
    next: str | None = None


class ProvisioningStore(Protocol):
    """The tables, for whoever writes them. Every read sees every acknowledged write.

    All of it raises `Unreachable` where the tables do not answer (whether a write happened is then unknown) and
    `Fault` where asking is of no use.
    """

    @property
    def keeps_revocations(self) -> bool:
        """Whether there is a table of revoked tokens."""
        ...

    def profile(self, tag: str) -> Row | None:
        """Return the profile of *tag*."""
        ...

    def profiles(self, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* profiles, those after the tag *after*."""
        ...

    def secrets(self, tag: str) -> list[Row]:
        """Return all secrets of *tag*, by their ids."""
        ...

    def revocation(self, tag: str, jti: str) -> Row | None:
        """Return the row that revokes that token."""
        ...

    def revocations(self, tag: str, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* revoked tokens of *tag*, those after the `jti` *after*."""
        ...

    def write(self, *changes: Change) -> None:
        """Make all of up to 100 *changes*, or none.

        Raises:
            Overtaken: a row is not as expected; nothing was written.
        """
        ...

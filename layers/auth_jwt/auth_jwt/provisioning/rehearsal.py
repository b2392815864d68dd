"""A rehearsal: tables that take every write with all its conditions, and write nothing.

An operation over them does everything that it would do: it reads, judges, is overtaken by others, and finds its own
writes when it reads again. Afterwards `changes` tells which rows would have been written, and which of their columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from threading import Lock

from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import (
    EVERY_ROW,
    MISSING,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Overtaken,
    Page,
    ProvisioningStore,
    RowFilter,
    ScannedPage,
    Table,
    Update,
)


class ChangeKind(StrEnum):
    """What a change does to its row."""

    ADD = "add"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class RehearsedChange:
    """A change that would have been made.

    Attributes:
        kind: what it does to the row.
        key: the key of the row.
        columns: the names of the columns that it writes or removes, sorted; none of a deletion.
    """

    kind: ChangeKind
    key: Key
    columns: tuple[str, ...] = ()


class RehearsedTables:
    """The port `ProvisioningStore` over another one, which it only reads. Several threads may use it, not for one tag.

    A read of a profile, of the secrets of a tag, or of one revocation finds the writes of the rehearsal. Lists,
    searches and scans do not.

    Args:
        store: the tables.
        columns: the names of their columns.

    Attributes:
        changes: what would have been written so far, in that order.
    """

    def __init__(self, store: ProvisioningStore, columns: Columns) -> None:
        self._store = store
        self._key_columns = {
            Table.PROFILES: (columns.tag,),
            Table.SECRETS: (columns.secret_tag, SECRET_ID),
            Table.REVOCATIONS: (REVOCATION_TAG, REVOCATION_JTI),
        }
        self._rows: dict[tuple[Table, str], dict[str | None, Row | None]] = {}
        self._lock = Lock()
        self.changes: list[RehearsedChange] = []

    @property
    def keeps_revocations(self) -> bool:
        """Whether there is a table of revoked tokens."""
        return self._store.keeps_revocations

    def profile(self, tag: str, *, only: Sequence[str] | None = None) -> Row | None:
        """Return the profile of *tag*; see `ProvisioningStore`."""
        return _project(self._row(Key(Table.PROFILES, tag)), only)

    def profiles(self, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* profiles as they are; see `ProvisioningStore`."""
        return self._store.profiles(after=after, limit=limit)

    def secrets(self, tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        """Return all secrets of *tag*; see `ProvisioningStore`."""
        written = self._rows.get((Table.SECRETS, tag), {})
        needed = None if most is None else most + len(written)  # any of those may be deleted
        read = self._store.secrets(tag, only=_with_id(only), most=needed)
        rows: dict[str | None, Row | None] = {**{str(row[SECRET_ID]): row for row in read}, **written}
        there = ((str(name), row) for name, row in rows.items() if row is not None)
        return [_project(row, only) or {} for _, row in sorted(there, key=lambda pair: pair[0])[:most]]

    def profiles_of(self, username: str, *, after: str | None, limit: int) -> Page:
        """Return the tags of profiles with this *username* as they are; see `ProvisioningStore`."""
        return self._store.profiles_of(username, after=after, limit=limit)

    def scan_profiles(
        self, *, where: RowFilter = EVERY_ROW, after: str | None = None, segments: int = 1
    ) -> Iterator[ScannedPage]:
        """Give all profiles that fit as they are; see `ProvisioningStore`."""
        return self._store.scan_profiles(where=where, after=after, segments=segments)

    def scan_secrets(self, *, only: Sequence[str] | None, where: RowFilter = EVERY_ROW) -> Iterator[ScannedPage]:
        """Give all secrets that fit as they are; see `ProvisioningStore`."""
        return self._store.scan_secrets(only=only, where=where)

    def revocation(self, tag: str, jti: str) -> Row | None:
        """Return the row that revokes this token; see `ProvisioningStore`."""
        return self._row(Key(Table.REVOCATIONS, tag, jti))

    def revocations(self, tag: str, *, after: str | None, limit: int) -> Page:
        """Return up to *limit* revoked tokens of *tag* as they are; see `ProvisioningStore`."""
        return self._store.revocations(tag, after=after, limit=limit)

    def write(self, *changes: Change) -> None:
        """Check the conditions of all *changes*, and remember what they would have written.

        Raises:
            Overtaken: a row does not meet its condition.
        """
        tags = {change.key.tag for change in changes if change.key.table is Table.SECRETS}
        secrets = {(tag, row[SECRET_ID]): row for tag in tags for row in self.secrets(tag)}
        before = [
            secrets.get((change.key.tag, change.key.id)) if change.key.table is Table.SECRETS else self._row(change.key)
            for change in changes
        ]
        for change, row in zip(changes, before, strict=True):
            if not _meets(change.expected, row):
                raise Overtaken(change.key)
        with self._lock:
            for change, row in zip(changes, before, strict=True):
                self._take(change, row)

    def update(self, change: Update) -> None:
        """Do as `write` does with one *change*."""
        self.write(change)

    def _row(self, key: Key) -> Row | None:
        """Return a row of another table than that of secrets."""
        written = self._rows.get((key.table, key.tag), {})
        if key.id in written:
            return written[key.id]
        if key.table is Table.PROFILES:
            return self._store.profile(key.tag)
        return self._store.revocation(key.tag, str(key.id))

    def _take(self, change: Change, row: Row | None) -> None:
        after: Row | None
        columns: tuple[str, ...] = ()
        if isinstance(change, Check) or (isinstance(change, Delete) and row is None):
            return
        if isinstance(change, Delete):
            kind, after = ChangeKind.DELETE, None
        else:
            kind, columns = ChangeKind.ADD if row is None else ChangeKind.CHANGE, tuple(sorted(change.columns))
            whole = {**(row if isinstance(change, Update) and row else {}), **change.columns}
            after = {name: _stored(value) for name, value in whole.items() if value is not MISSING}
            after |= dict(zip(self._key_columns[change.key.table], (change.key.tag, change.key.id), strict=False))
        self._rows.setdefault((change.key.table, change.key.tag), {})[change.key.id] = after
        self.changes.append(RehearsedChange(kind, change.key, columns))


def _with_id(only: Sequence[str] | None) -> Sequence[str] | None:
    return None if only is None else tuple(dict.fromkeys((*only, SECRET_ID)))


def _project(row: Row | None, only: Sequence[str] | None) -> Row | None:
    if row is None or only is None:
        return row
    return {name: value for name, value in row.items() if name in only}


def _stored(value: object) -> object:
    """Return a column's *value* as the tables give it back: whole numbers as `Decimal`."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _meets(expected: Expected, row: Row | None) -> bool:
    if expected.present is not None and expected.present is not (row is not None):
        return False
    there: Mapping[str, object] = row or {}
    return all(_is_same(there.get(name, MISSING), _stored(value)) for name, value in expected.columns.items())


def _is_same(one: object, other: object) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and one == other  # True is not 1

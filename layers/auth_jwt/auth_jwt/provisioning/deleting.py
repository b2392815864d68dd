"""Deleting a profile with its secrets, and restoring it from its tombstone.

A deletion writes the tombstone with the same write, so that either both are there or neither. Deleting also removes
tombstones whose time is over, a few at a time: so they do not pile up where profiles keep being deleted.
"""

import secrets as randomness
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from auth_jwt.errors import Conflict, NotFound, Outdated
from auth_jwt.models import SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import (
    ABSENT,
    MAX_CHANGES,
    MISSING,
    PRESENT,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Overtaken,
    Put,
    Table,
)
from auth_jwt.provisioning.registry import Registry, check_key, check_no_issuer, version_of
from auth_jwt.provisioning.tombstones import (
    KEPT_SECONDS,
    MAX_CONTENT_BYTES,
    TOMBSTONES_TAG,
    Tombstone,
    content_of,
    new_id,
    rows_in,
    size_of,
)

_ATTEMPTS: Final = 5
_PURGED_AT_ONCE: Final = 2
_MAX_WRITE_BYTES: Final = 1_500_000  # a transaction has at most 4 MB: what is deleted counts, and what keeps it
_PURGED_ROWS: Final = 8  # of one write: each may have 400 kB
_RESERVED: Final = 14  # of the changes of a write: the profile, the tombstone's row in the list, and its content

Kept = tuple[Key, Row]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Attributes:
        tag: the tag.
        has_profile: whether a profile was restored; False when there were secrets only.
        secrets: the ids of the restored secrets.
    """

    tag: str
    has_profile: bool
    secrets: tuple[str, ...]


def delete(registry: Registry, tag: str, *, if_version: str | None, forever: bool) -> int:
    """Delete a profile and all its secrets; return how many secrets were deleted.

    The first write deletes the profile, which ends all logins. After an interruption, the next call deletes the secrets
    that are left. What is deleted can be restored for `KEPT_SECONDS`.

    Args:
        registry: the tables and the rules.
        tag: the tag.
        if_version: delete the profile only if it still has this version.
        forever: whether to keep nothing, and to delete what earlier deletions of the tag have kept.

    Raises:
        NotFound: neither a profile nor a secret has the tag; with *forever*, nothing is kept of it either.
        Conflict: the tag is an issuer's, or somebody created a new profile with the tag meanwhile.
        Outdated: the profile has another version by now.
        Invalid: a row is too large to be kept; nothing was deleted.
    """
    if forever:
        erased = _erase(registry, tag)
    else:
        erased = 0
        _purge_some(registry)  # first, so that a deletion that was made does not fail by it
    for _ in range(_ATTEMPTS):
        profile = registry.store.profile(check_key(tag))
        check_no_issuer(tag, profile)
        rows = registry.store.secrets(tag)
        if profile is None and not rows:
            if erased:
                return 0
            raise NotFound(f"there is no profile {tag!r}")
        if if_version is not None and (profile is None or version_of(profile) != if_version):
            raise _outdated(tag)
        tombstone = None if forever else _new_tombstone(registry, tag, profile, rows)
        deletion = _Deletion(registry, tag, tombstone, whole=if_version is not None)
        try:
            deleted = deletion.first(profile, rows)
        except Overtaken:
            if if_version is not None:
                raise _outdated(tag) from None
            continue
        return deleted + deletion.rest()
    raise Conflict(f"the rows of {tag!r} keep changing: try again")


def list_tombstones(registry: Registry) -> list[Tombstone]:
    """Return what can be restored, the latest deletion first. It reads no value of any secret."""
    now = registry.now()
    found = map(Tombstone.from_row, registry.store.secrets(TOMBSTONES_TAG))
    return sorted((each for each in found if each.kept_until > now), key=lambda each: each.id, reverse=True)


def restore(registry: Registry, tag: str, *, check: Callable[[Row], None] = lambda _: None) -> Restored:
    """Restore the profile of *tag* that was deleted last, with its secrets as they were, closed ones included.

    The secrets are written before the profile, so that nobody logs in until all of it is there. After an interruption,
    the next call restores the rest.

    Args:
        registry: the tables and the rules.
        tag: the tag.
        check: rejects a profile that may not be there any more; called before anything is written.

    Raises:
        NotFound: nothing of the tag is kept.
        Conflict: a profile has the tag already, or a secret one of the ids, or the tag is an issuer's by now.
    """
    tombstone = next((each for each in list_tombstones(registry) if each.tag == tag), None)
    if tombstone is None:
        raise NotFound(
            f"no deleted profile {tag!r} can be restored: `auth-jwt profile list --deleted` lists those that can"
        )
    content = registry.store.secrets(tombstone.content_tag)
    kept = sorted(rows_in(content, tag), key=lambda pair: pair[0].table is Table.PROFILES)  # the profile comes last
    waiting = _missing(registry, tag, kept)
    for key, row in waiting:
        if key.table is Table.PROFILES:
            check(row)
    ids = tuple(str(key.id) for key, _ in kept if key.table is Table.SECRETS)
    _write_back(registry, tombstone, waiting, [str(row[SECRET_ID]) for row in content])
    return Restored(tag, tombstone.has_profile, ids)


def _missing(registry: Registry, tag: str, kept: Sequence[Kept]) -> list[Kept]:
    """Return the rows among those *kept* that are not there again, as after an interrupted restore.

    Raises:
        Conflict: another row is in the place of one.
    """
    columns = registry.columns
    profile = registry.store.profile(tag)
    check_no_issuer(tag, profile)
    there: dict[Key, Row] = {
        Key(Table.SECRETS, tag, str(row[SECRET_ID])): _without_key(Table.SECRETS, row, columns)
        for row in registry.store.secrets(tag)
    }
    if profile is not None:
        key = Key(Table.PROFILES, tag)
        there[key] = _without_key(Table.PROFILES, profile, columns)
        if (key, there[key]) not in kept:
            raise Conflict(
                f"there is a profile {tag!r} already, so nothing was restored: rename or delete that one first"
            )
    for key, row in kept:
        if there.get(key, row) != row:
            raise Conflict(f"{tag!r} has another secret {key.id!r} by now, so nothing was restored: remove that first")
    return [(key, row) for key, row in kept if key not in there]


def _write_back(registry: Registry, tombstone: Tombstone, rows: Sequence[Kept], parts: Sequence[str]) -> None:
    """Write the *rows* of a tombstone again, and delete it: in one write if that is possible."""
    puts: list[Change] = [Put(key, row, ABSENT) for key, row in rows]
    gone: list[Change] = [Delete(Key(Table.SECRETS, tombstone.content_tag, part)) for part in parts]
    gone.append(Delete(tombstone.key, PRESENT))
    sizes = {key: size_of(row) for key, row in rows}
    is_one_write = len(puts) + len(gone) <= MAX_CHANGES and sum(sizes.values()) <= _MAX_WRITE_BYTES
    try:
        if is_one_write:
            registry.write("profile.restore", tombstone.tag, *puts, *gone, details=_ids_of(rows))
            return
        for chunk in _chunks(rows, MAX_CHANGES - 1, sizes):
            some = [Put(key, row, ABSENT) for key, row in chunk]
            check = Check(tombstone.key, PRESENT)
            registry.write("profile.restore", tombstone.tag, *some, check, details=_ids_of(chunk))
    except Overtaken as overtaken:
        what = "erased what was kept of" if overtaken.key == tombstone.key else "wrote a row of"
        raise Conflict(f"somebody {what} {tombstone.tag!r} meanwhile: look at it again") from None
    _purge(registry, tombstone)


class _Deletion:
    """One deletion: its writes, and the tombstone that they fill."""

    def __init__(self, registry: Registry, tag: str, tombstone: Tombstone | None, *, whole: bool) -> None:
        self._registry = registry
        self._tag = tag
        self._whole = whole  # whether no column of the profile may have changed
        self._tombstone = tombstone
        self._parts = 0

    def first(self, profile: Row | None, rows: Sequence[Row]) -> int:
        """Delete the profile, and as many secrets as fit into one write; return how many."""
        columns = self._registry.columns
        key = Key(Table.PROFILES, self._tag)
        before = [] if profile is None else [(key, _without_key(Table.PROFILES, profile, columns))]
        delete_profile = Delete(key, self._expected(profile))
        listing: list[Change] = []
        if self._tombstone is not None:
            listing = [Put(self._tombstone.key, self._tombstone.to_columns(columns), ABSENT)]
        return self._write(before, self._fitting(rows, before), delete_profile, *listing)

    def _expected(self, profile: Row | None) -> Expected:
        """Return the condition that the profile has not changed: what is kept must be what was there last."""
        if profile is None:
            return ABSENT
        columns = self._registry.columns
        if self._whole:
            return self._registry.as_read(Table.PROFILES, profile)
        names = (columns.username, columns.domain, columns.disabled, columns.valid_after)
        return Expected(True, {name: profile.get(name, MISSING) for name in names})

    def rest(self) -> int:
        """Delete the secrets that are left; return how many."""
        deleted = 0
        check = Check(Key(Table.PROFILES, self._tag), ABSENT)
        failures = 0
        while rows := self._registry.store.secrets(self._tag):  # it ends: nobody can add a secret without a profile
            try:
                deleted += self._write([], self._fitting(rows, []), check)
            except Overtaken as overtaken:
                failures += 1
                if failures == _ATTEMPTS:
                    raise Conflict(f"the secrets of {self._tag!r} keep changing: try again") from None
                if overtaken.key.table is Table.PROFILES:
                    raise Conflict(
                        f"somebody created a profile {self._tag!r} while the old one was deleted; it has secrets of the"
                        " old one: list them"
                    ) from None
        return deleted

    def _fitting(self, rows: Sequence[Row], before: Sequence[Kept]) -> list[Kept]:
        """Return as many of the secrets as fit into one write beside what is *before* them."""
        columns = self._registry.columns
        kept = [
            (Key(Table.SECRETS, self._tag, str(row[SECRET_ID])), _without_key(Table.SECRETS, row, columns))
            for row in rows
        ]
        if self._tombstone is None:
            return kept[: MAX_CHANGES - 1]
        sizes = {key: size_of(row) for key, row in kept}
        used = sum(size_of(row) for _, row in before)
        return next(_chunks(kept, MAX_CHANGES - _RESERVED, sizes, used), [])

    def _write(self, before: Sequence[Kept], some: Sequence[Kept], *changes: Change) -> int:
        """Delete *some* secrets with the other *changes*, and keep them with what is *before* them."""
        columns = self._registry.columns
        deletions = [Delete(key, _as_read(row, columns)) for key, row in some]
        kept: list[Change] = []
        if self._tombstone is not None:
            for part in _parts([*before, *some]):
                key = self._tombstone.content_key(self._parts)
                kept.append(Put(key, content_of(part, self._tombstone, columns), ABSENT))
                self._parts += 1
        details: dict[str, object] = {"secrets": [key.id for key, _ in some]}
        if self._tombstone is not None:
            details["kept_until"] = self._tombstone.kept_until
        self._registry.write("profile.delete", self._tag, *changes, *kept, *deletions, details=details)
        return len(some)


def _new_tombstone(registry: Registry, tag: str, profile: Row | None, rows: Sequence[Row]) -> Tombstone:
    now = registry.now()
    return Tombstone(
        id=new_id(now + KEPT_SECONDS, randomness.token_hex(8)),
        tag=tag,
        deleted_at=now,
        deleted_by=registry.actor,
        kept_until=now + KEPT_SECONDS,
        has_profile=profile is not None,
        secrets=len(rows),
    )


def _purge_some(registry: Registry) -> None:
    """Delete a few tombstones whose time is over."""
    now = registry.now()
    for row in registry.store.secrets(TOMBSTONES_TAG, most=_PURGED_AT_ONCE):
        tombstone = Tombstone.from_row(row)
        if tombstone.kept_until <= now:
            _purge(registry, tombstone)


def _erase(registry: Registry, tag: str) -> int:
    """Delete all that is kept of *tag*; return how many tombstones there were."""
    found = [each for each in map(Tombstone.from_row, registry.store.secrets(TOMBSTONES_TAG)) if each.tag == tag]
    for tombstone in found:
        _purge(registry, tombstone)
    return len(found)


def _purge(registry: Registry, tombstone: Tombstone) -> None:
    """Delete the rows of a tombstone; the row in the list goes last, so that an interrupted purge is found again."""
    only = (registry.columns.secret_tag, SECRET_ID)
    content = registry.store.secrets(tombstone.content_tag, only=only)
    keys = [Key(Table.SECRETS, tombstone.content_tag, str(row[SECRET_ID])) for row in content]
    deletions = [*map(Delete, keys), Delete(tombstone.key)]
    for first in range(0, len(deletions), _PURGED_ROWS):
        registry.write("profile.purge", tombstone.tag, *deletions[first : first + _PURGED_ROWS])


def _chunks(kept: Sequence[Kept], most: int, sizes: dict[Key, int], used: int = 0) -> Iterator[list[Kept]]:
    chunk: list[Kept] = []
    for key, row in kept:
        size = sizes[key]
        if len(chunk) == most or used + size > _MAX_WRITE_BYTES:  # no row alone is as large
            yield chunk
            chunk, used = [], 0
        chunk.append((key, row))
        used += size
    if chunk:
        yield chunk


def _parts(kept: Sequence[Kept]) -> Iterator[list[Kept]]:
    """Split what is *kept* into parts that fit into one row each."""
    part: list[Kept] = []
    used = 0
    for key, row in kept:
        size = size_of(row)
        if part and used + size > MAX_CONTENT_BYTES:
            yield part
            part, used = [], 0
        part.append((key, row))
        used += size
    if part:
        yield part


def _ids_of(rows: Sequence[Kept]) -> dict[str, object]:
    return {"secrets": [key.id for key, _ in rows if key.table is Table.SECRETS]}


def _without_key(table: Table, row: Row, columns: Columns) -> Row:
    keys = {columns.tag} if table is Table.PROFILES else {columns.secret_tag, SECRET_ID}
    return {name: value for name, value in row.items() if name not in keys}


def _as_read(row: Row, columns: Columns) -> Expected:
    """Return the condition that a secret has not changed: what is kept must be what was there last."""
    names = (columns.secret, columns.start, columns.end, columns.alg, columns.kid)
    return Expected(True, {name: row.get(name, MISSING) for name in names})


def _outdated(tag: str) -> Outdated:
    return Outdated(f"somebody changed the profile {tag!r} meanwhile: look at it again")

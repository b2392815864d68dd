"""Renaming: move a profile and its secrets to another tag, in one write."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auth_jwt.errors import Conflict, Invalid, NotFound
from auth_jwt.issuers.models import CONFIGURATION
from auth_jwt.models import SECRET_ID, Row
from auth_jwt.provisioning.changes import (
    ABSENT,
    MAX_CHANGES,
    MISSING,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Overtaken,
    Put,
    Table,
)
from auth_jwt.provisioning.registry import Registry, check_key, check_no_issuer, check_profile_tag

MAX_RENAMED: Final = MAX_CHANGES // 2 - 1  # each secret takes one write and one deletion, and so does the profile


@dataclass(frozen=True, slots=True)
class Renamed:
    """The rows that were moved to another tag.

    Attributes:
        tag: the new tag.
        has_profile: whether a profile was moved; False when there were secrets only.
        secrets: the ids of the moved secrets.
    """

    tag: str
    has_profile: bool
    secrets: tuple[str, ...]


def rename(registry: Registry, tag: str, new_tag: str) -> Renamed:
    """Move all rows of *tag* to *new_tag*, or none: the profile, if there is one, and all secrets.

    The service then denies tokens with the old tag, so the issuer must write the new tag into them. Secrets without a
    profile may join an existing profile of the new tag. A profile may join existing secrets that have no profile.

    Raises:
        Invalid: the tags are the same, no token may carry the new one, or the old one has too many secrets for one
            write.
        NotFound: no row has the old tag.
        Conflict: one of the tags is an issuer's, the new tag has a profile or a secret of the same id already, or
            somebody changed a row meanwhile.
    """
    columns, store = registry.columns, registry.store
    if check_profile_tag(new_tag) == check_key(tag):
        raise Invalid("the new tag is the old one")
    profile, secrets = store.profile(tag), store.secrets(tag)
    check_no_issuer(tag, profile)
    check_no_issuer(new_tag, store.profile(new_tag))
    if profile is None and not secrets:
        raise NotFound(f"there is neither a profile nor a secret of {tag!r}")
    if len(secrets) > MAX_RENAMED:
        raise Invalid(f"{len(secrets)} secrets have the tag; one rename can move at most {MAX_RENAMED}")
    changes: list[Change] = []
    if profile is not None:
        changes += _move(registry, Key(Table.PROFILES, tag), Key(Table.PROFILES, new_tag), profile, {columns.tag})
    else:
        changes.append(Check(Key(Table.PROFILES, new_tag), Expected(None, {CONFIGURATION: MISSING})))
    ids = tuple(str(row[SECRET_ID]) for row in secrets)
    for secret_id, row in zip(ids, secrets, strict=True):
        here, there = Key(Table.SECRETS, tag, secret_id), Key(Table.SECRETS, new_tag, secret_id)
        changes += _move(registry, here, there, row, {columns.secret_tag, SECRET_ID})
    try:
        registry.write("profile.rename", tag, *changes, details={"new_tag": new_tag, "secrets": list(ids)})
    except Overtaken as overtaken:
        if profile is None and overtaken.key.table is Table.PROFILES:
            check_no_issuer(new_tag, store.profile(new_tag))
        raise _conflict_at(overtaken.key, new_tag) from None
    return Renamed(new_tag, profile is not None, ids)


def _move(registry: Registry, here: Key, there: Key, row: Row, keys: set[str]) -> tuple[Change, Change]:
    """Return two changes: write *row* at the key *there*, which must be free, and delete it *here*, if unchanged."""
    columns: Mapping[str, object] = {name: value for name, value in row.items() if name not in keys}
    return Put(there, columns, ABSENT), Delete(here, registry.as_read(here.table, row))


def _conflict_at(key: Key, new_tag: str) -> Conflict:
    if key.tag != new_tag:
        return Conflict(f"somebody changed a row of {key.tag!r} meanwhile, so nothing was done: look at it again")
    if key.table is Table.PROFILES:
        return Conflict(f"there is a profile {new_tag!r} already: two profiles cannot become one")
    return Conflict(f"{new_tag!r} has a secret {key.id!r} already")

"""Another tag for a profile and its secrets, all at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auth_jwt.errors import Conflict, Invalid, NotFound
from auth_jwt.models import SECRET_ID, Row
from auth_jwt.provisioning.changes import (
    ABSENT,
    MAX_CHANGES,
    Change,
    Delete,
    Expected,
    Key,
    Overtaken,
    Put,
    Table,
)
from auth_jwt.provisioning.registry import Registry, checked_key, checked_tag

MAX_RENAMED: Final = MAX_CHANGES // 2 - 1  # each row is written and taken away, and so is the profile


@dataclass(frozen=True, slots=True)
class Renamed:
    """What has another tag now.

    Attributes:
        tag: the new one.
        has_profile: whether there was a profile, and not secrets alone.
        secrets: the ids of its secrets.
    """

    tag: str
    has_profile: bool
    secrets: tuple[str, ...]


def rename(registry: Registry, tag: str, new_tag: str) -> Renamed:
    """Give what has the *tag* a *new_tag*: the profile, if there is one, and all secrets, or nothing.

    Tokens of the old tag are refused from then on: the issuer has to write the new one. Secrets alone may join a
    profile that has the new tag, and a profile may join secrets that have none.

    Raises:
        Invalid: no token may name the new tag, or more secrets have the old one than one write holds.
        NotFound: nothing has the old one.
        Conflict: a profile or a secret of that id has the new one already, or somebody changed a row meanwhile.
    """
    columns, store = registry.columns, registry.store
    if checked_tag(new_tag) == checked_key(tag):
        raise Invalid("the new tag is the old one")
    profile, secrets = store.profile(tag), store.secrets(tag)
    if profile is None and not secrets:
        raise NotFound(f"there is neither a profile nor a secret of {tag!r}")
    if len(secrets) > MAX_RENAMED:
        raise Invalid(f"{len(secrets)} secrets have the tag, more than the {MAX_RENAMED} that are renamed at once")
    changes: list[Change] = []
    if profile is not None:
        changes += _moved(Key(Table.PROFILES, tag), Key(Table.PROFILES, new_tag), profile, {columns.tag})
    ids = tuple(str(row[SECRET_ID]) for row in secrets)
    for secret_id, row in zip(ids, secrets, strict=True):
        there, here = Key(Table.SECRETS, new_tag, secret_id), Key(Table.SECRETS, tag, secret_id)
        changes += _moved(here, there, row, {columns.secret_tag, SECRET_ID})
    try:
        registry.write("profile.rename", tag, *changes, details={"new_tag": new_tag, "secrets": list(ids)})
    except Overtaken as overtaken:
        raise _refusal(overtaken.key, new_tag) from None
    return Renamed(new_tag, profile is not None, ids)


def _moved(here: Key, there: Key, row: Row, keys: set[str]) -> tuple[Change, Change]:
    """Write a *row* where there is none, and take it away where it still is as it was read."""
    columns: Mapping[str, object] = {name: value for name, value in row.items() if name not in keys}
    return Put(there, columns, ABSENT), Delete(here, Expected(True, columns))


def _refusal(key: Key, new_tag: str) -> Conflict:
    if key.tag != new_tag:
        return Conflict(f"what has the tag {key.tag!r} was changed meanwhile, and nothing was done: look at it again")
    if key.table is Table.PROFILES:
        return Conflict(f"there is a profile {new_tag!r} already: two cannot become one")
    return Conflict(f"{new_tag!r} has a secret {key.id!r} already")

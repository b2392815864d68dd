"""The rows of tags, remembered: a tag without secrets is unknown, and keys that did not change are parsed once."""

import time
from collections.abc import Callable
from typing import Final

from auth_jwt.memory.memory import Memory
from auth_jwt.models import TagRows
from auth_jwt.ports import Deadline, RowsStore

MAX_REMEMBERED_BYTES = 64 * 1024 * 1024

_UNKNOWN: Final = TagRows()
"""What is remembered of a tag without secrets: nothing but that it has none."""


class RowMemory(Memory[str, TagRows]):
    """Remembers the profile and the secrets of a tag, which are in two tables; see `Memory`.

    The secrets are the main half: without them no token can be judged.

    Args:
        store: where rows are read.
        max_bytes: the most memory that the remembered rows may take together.

    The other arguments are those of `Memory`.
    """

    def __init__(
        self,
        store: RowsStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_REMEMBERED_BYTES,
    ) -> None:
        super().__init__(ttl=ttl, stale_for=stale_for, timer=timer, max_bytes=max_bytes)
        self._store = store

    def read(self, key: str, consistent: bool, deadline: Deadline, /) -> TagRows:
        """Read both tables."""
        return self._store.read(key, consistent=consistent, deadline=deadline)

    def weigh(self, _key: str, value: TagRows, /) -> int:
        """Estimate the bytes of the rows, with their parsed keys."""
        return value.weight

    def is_known(self, value: TagRows, /) -> bool:
        """Tell whether the tag has secrets."""
        return bool(value.secrets)

    def empty(self, _value: TagRows, /) -> TagRows:
        """Keep nothing of an unknown tag."""
        return _UNKNOWN

    def join(self, main: TagRows, other: TagRows, /) -> TagRows:
        """Join the secrets of *main* and the profile of *other*."""
        return TagRows(other.profile, main.secrets)

    def without_other_half(self, value: TagRows, /) -> TagRows:
        """Keep the secrets."""
        return TagRows(None, value.secrets)

    def reuse(self, remembered: TagRows, value: TagRows, /) -> TagRows:
        """Replace each secret that has not changed by the remembered one, whose keys are parsed already."""
        by_id = {secret.id: secret for secret in remembered.secrets}
        kept = (by_id.get(secret.id) for secret in value.secrets)
        same = tuple(old if old == secret else secret for old, secret in zip(kept, value.secrets, strict=True))
        return TagRows(value.profile, same)

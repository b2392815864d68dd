"""What is remembered of issuers and of their users: each in a memory of its own."""

import time
from collections.abc import Callable
from typing import Final

from auth_jwt.issuers.models import IssuerRows
from auth_jwt.issuers.ports import IssuersStore, ProfilesStore
from auth_jwt.memory.memory import Memory
from auth_jwt.models import Half, Profile
from auth_jwt.ports import Deadline

MAX_ISSUER_BYTES = 16 * 1024 * 1024
MAX_PROFILE_BYTES = 32 * 1024 * 1024

_UNKNOWN: Final = IssuerRows()
_ISSUER_BYTES: Final = 4096
_BYTES_FOR_EACH_CHARACTER_OF_KEYS: Final = 32  # every key becomes an object
_PROFILE_BYTES: Final = 1280


class IssuerMemory(Memory[str, IssuerRows]):
    """Remembers the configuration of an issuer and its keys, which are in two tables; see `Memory`.

    The configuration is the main half: without it there is no issuer.
    """

    MAIN = Half.PROFILE

    def __init__(
        self,
        store: IssuersStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_ISSUER_BYTES,
    ) -> None:
        super().__init__(ttl=ttl, stale_for=stale_for, timer=timer, max_bytes=max_bytes)
        self._store = store

    def read(self, key: str, consistent: bool, deadline: Deadline, /) -> IssuerRows:
        """Read both tables."""
        return self._store.read_issuer(key, consistent=consistent, deadline=deadline)

    def weigh(self, key: str, value: IssuerRows, /) -> int:
        """Estimate the bytes of the configuration and of the parsed keys."""
        text = value.fetched.key_set.text if value.fetched.key_set else ""
        return _ISSUER_BYTES + _BYTES_FOR_EACH_CHARACTER_OF_KEYS * len(text) + len(key)

    def is_known(self, value: IssuerRows, /) -> bool:
        """Tell whether there is such an issuer."""
        return value.issuer is not None

    def empty(self, _value: IssuerRows, /) -> IssuerRows:
        """Keep nothing of an unknown issuer."""
        return _UNKNOWN

    def join(self, main: IssuerRows, other: IssuerRows, /) -> IssuerRows:
        """Join the configuration of *main* and the keys of *other*."""
        return IssuerRows(main.issuer, other.fetched)

    def without_other_half(self, value: IssuerRows, /) -> IssuerRows:
        """Keep the configuration."""
        return IssuerRows(value.issuer)

    def reuse(self, remembered: IssuerRows, value: IssuerRows, /) -> IssuerRows:
        """Keep the remembered key set, whose keys are parsed already, when it has not changed."""
        known, read = remembered.fetched.key_set, value.fetched.key_set
        if known is None or known != read:
            return value
        return IssuerRows(value.issuer, value.fetched.with_key_set(known))


class ProfileMemory(Memory[str, Profile | None]):
    """Remembers the profiles of issuers' users, the absence of one as well; see `Memory`.

    Only tokens with a valid signature and valid claims get here, so no flood of invented keys can fill it.
    """

    MAIN = Half.PROFILE
    AWAY = "the table of profiles does not answer; one request a second tries to read it"

    def __init__(
        self,
        store: ProfilesStore,
        *,
        ttl: float,
        stale_for: float,
        timer: Callable[[], float] = time.monotonic,
        max_bytes: int = MAX_PROFILE_BYTES,
    ) -> None:
        super().__init__(ttl=ttl, stale_for=stale_for, timer=timer, max_bytes=max_bytes)
        self._store = store

    def read(self, key: str, consistent: bool, deadline: Deadline, /) -> Profile | None:
        """Read the profile."""
        return self._store.read_profile(key, consistent=consistent, deadline=deadline)

    def weigh(self, key: str, value: Profile | None, /) -> int:
        """Estimate the bytes of the profile."""
        attributes = sum(len(str(item)) for item in value.attributes.values()) if value else 0
        return _PROFILE_BYTES + 4 * (attributes + len(key))

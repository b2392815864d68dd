"""Statements: the algorithms that the `alg` column of a row should name.

The text of the key decides, or the operator does. The names tell the kind of the key, not what the settings allow: an
HMAC secret is always `HS256,HS384,HS512`, however long it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from auth_jwt.errors import Flaw
from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.tokens import ALGORITHMS, HMAC_ALGORITHMS
from auth_jwt.models import Columns, Row, Secret, Unusable, says_what_it_is


@dataclass(frozen=True, slots=True)
class Statement:
    """The algorithms that a row's `alg` column should name.

    Attributes:
        algorithms: the names; empty when the kind of the key is unknown.
        is_there: whether the row names them already.
        unusable: why the kind of the key is unknown.
    """

    algorithms: tuple[str, ...] = ()
    is_there: bool = False
    unusable: Unusable | None = None

    @property
    def alg(self) -> str:
        """The text for the column: the names, with commas between them."""
        return ",".join(self.algorithms)


def statement_of(
    row: Row, columns: Columns, *, algorithms: tuple[str, ...] | None = None, hmac: bool = False
) -> Statement:
    """Return the algorithms that the `alg` column of a *row* should name.

    Args:
        row: a row of the secrets table, with or without `alg`.
        columns: the names of its columns.
        algorithms: the algorithms that the operator names; None derives them from the row.
        hmac: whether the operator says that a text in doubt is an HMAC secret.
    """
    judged = row if algorithms is None else {name: value for name, value in row.items() if name != columns.alg}
    secret = Secret.from_row(judged, replace(columns, requires_alg=False))
    if secret.flaw is not None:
        return Statement(unusable=secret.flaw)
    if algorithms is not None:
        reading = replace(secret, algorithms=frozenset(algorithms))
        return Statement(algorithms) if reading.keys else Statement(unusable=reading.unusable)
    if says_what_it_is(secret.algorithms):
        return Statement(in_order(secret.algorithms or ()), is_there=True)
    if hmac and secret.unusable is not None and secret.unusable.flaw is Flaw.IN_DOUBT:
        secret = replace(secret, algorithms=HMAC_ALGORITHMS)
    names = frozenset(name for key in secret.keys for name in key.algorithms)
    if not says_what_it_is(names):
        return Statement(
            unusable=Unusable(Flaw.NO_ALG, "a key set that mixes HMAC and public keys, and no `alg` can name both")
        )
    return Statement(in_order(names), unusable=secret.unusable)


def weakness_in(keys: Iterable[VerificationKey]) -> str | None:
    """Return a weakness by which anybody could sign for one of *keys*; None if this check finds none.

    The check covers what takes long to find, up to a second. That is too long for a login, so it runs when keys are
    written, and in `lint`.
    """
    for key in keys:
        if not isinstance(key.material, bytes):
            from auth_jwt.jose import asymmetric

            weakness = asymmetric.slow_weakness_of(key.material)
            if weakness is not None:
                return weakness
    return None


def in_order(algorithms: Iterable[str]) -> tuple[str, ...]:
    """Return *algorithms* in the order of the settings, without names that no setting has: `Ed25519` for `EdDSA`."""
    named = frozenset(algorithms)
    return tuple(name for name in ALGORITHMS if name in named)

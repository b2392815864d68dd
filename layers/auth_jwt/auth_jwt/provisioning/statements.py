"""What the `alg` of a row should say: what its key is, told by the text alone or by whoever knows.

The names say what a key is, not what the settings let it do: an HMAC secret is `HS256,HS384,HS512` however long it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from auth_jwt.errors import Flaw
from auth_jwt.jose.keys import HMAC_ALGORITHMS, VerificationKey
from auth_jwt.jose.tokens import ALGORITHMS
from auth_jwt.models import Columns, Row, Secret, Unusable, says_what_it_is


@dataclass(frozen=True, slots=True)
class Statement:
    """What a row's `alg` should say.

    Attributes:
        algorithms: the names; none when nobody can tell.
        is_there: whether the row says so already.
        unusable: why nobody can tell.
    """

    algorithms: tuple[str, ...] = ()
    is_there: bool = False
    unusable: Unusable | None = None

    @property
    def alg(self) -> str:
        """The text of the column."""
        return ",".join(self.algorithms)


def statement_of(
    row: Row, columns: Columns, *, algorithms: tuple[str, ...] | None = None, hmac: bool = False
) -> Statement:
    """Say what the `alg` of a *row* should name.

    Args:
        row: of the secrets table, with or without `alg`.
        columns: what its columns are called.
        algorithms: what somebody says that it should name; None leaves it to the row.
        hmac: whether somebody says that a text in doubt is an HMAC secret.
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
    if names and not says_what_it_is(names):
        return Statement(
            unusable=Unusable(Flaw.NO_ALG, "a key set of HMAC and public keys, of which no `alg` can be both")
        )
    return Statement(in_order(names), unusable=secret.unusable)


def weakness_in(keys: Iterable[VerificationKey]) -> str | None:
    """Say why anybody could sign by one of *keys*, as far as that takes long to see; None when nothing shows.

    Looked at where keys are written and by `lint`: up to a second is too long for a login.
    """
    for key in keys:
        if not isinstance(key.material, bytes):
            from auth_jwt.jose import asymmetric

            weakness = asymmetric.slow_weakness_of(key.material)
            if weakness is not None:
                return weakness
    return None


def in_order(algorithms: Iterable[str]) -> tuple[str, ...]:
    """Return *algorithms* in the order of the settings; of EdDSA's two names, the one that settings have."""
    named = frozenset(algorithms)
    return tuple(name for name in ALGORITHMS if name in named)

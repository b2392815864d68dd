"""The whole corpus, in the order of its groups."""

from typing import Final

from tests.security.attacks import Attack
from tests.security.corpus import claims, floods, headers, key_confusion, seen_before, signatures, weak_keys

CORPUS: Final[tuple[Attack, ...]] = (
    *key_confusion.ATTACKS,
    *weak_keys.ATTACKS,
    *headers.ATTACKS,
    *signatures.ATTACKS,
    *claims.ATTACKS,
    *floods.ATTACKS,
    *seen_before.ATTACKS,
)

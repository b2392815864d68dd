"""Keys that are none, and texts of which nobody can tell what they are: for all that writes rows, or judges them."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth_jwt import keys
from auth_jwt.errors import Flaw, InvalidKey

DOUBTFUL = "a text of which nobody can tell whether somebody made it up: 0123456789"
WHY_IN_DOUBT = "it may be something else than an HMAC secret"


def has_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have DOUBTFUL judged as text in doubt, wherever no `alg` says what it is."""
    reading: Callable[..., Any] = keys.verification_keys

    def doubting(secret: object, *, declared: frozenset[str] | None = None) -> Any:
        if secret == DOUBTFUL and (declared is None or not declared <= keys.HMAC_ALGORITHMS):
            raise InvalidKey(Flaw.IN_DOUBT, WHY_IN_DOUBT)
        return reading(secret, declared=declared)

    monkeypatch.setattr("auth_jwt.models.verification_keys", doubting)


def public_key_pem(modulus: int, exponent: int = 65537) -> str:
    """An RSA public key of those numbers, whatever they are."""
    key = RSAPublicNumbers(exponent, modulus).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

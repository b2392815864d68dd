"""Whose token is it?

A token names a *tag*; the tag has a *profile* and *secrets*; if a secret whose window is open signed the token, and
its claims hold, the token speaks for the profile's SIP username. `auth_jwt.authorizer` is where to start reading.
"""

from auth_jwt.errors import (
    AuthJwtError,
    BadSetting,
    Denied,
    Fault,
    InvalidKey,
    Reason,
    Throttled,
    Unreachable,
)
from auth_jwt.jose.signatures import verify_jws

__all__ = [
    "AuthJwtError",
    "BadSetting",
    "Denied",
    "Fault",
    "InvalidKey",
    "Reason",
    "Throttled",
    "Unreachable",
    "extract_pub_key_from_cert",
    "extract_pub_key_from_exp_mod",
    "verify_jws",
]


def extract_pub_key_from_cert(certificate: str) -> str:
    """Return the public key of the first certificate in the PEM text *certificate*, as PEM.

    The module's `extract_pub_key_from_cert()`. Dates, chain and key size are not checked.

    Raises:
        InvalidKey: there is no certificate, or its key cannot be read.
    """
    from auth_jwt.jose import asymmetric

    return asymmetric.extract_pub_key_from_cert(certificate)


def extract_pub_key_from_exp_mod(e: str, n: str) -> str:
    """Return the RSA public key of exponent *e* and modulus *n* (unpadded base64url, as in a JWK), as PEM.

    The module's `extract_pub_key_from_exp_mod()`; a dangling last character, which carries no whole byte, is ignored
    as the module does. Unlike the module, numbers that make no usable key are refused: *e* even or below 3, *n* below
    512 bits.

    Raises:
        InvalidKey: anything else than two such numbers.
    """
    from auth_jwt.jose import asymmetric

    return asymmetric.extract_pub_key_from_exp_mod(e, n)

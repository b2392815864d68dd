"""Which SIP user does a token speak for?

A token names a *tag*, and the tag has a *profile* and *secrets*. If a secret whose window is open signed the token, and
the token's claims hold, the token speaks for the profile's SIP username. docs/architecture.md says in which order to
read the files.
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

    This is `extract_pub_key_from_cert()` of the OpenSIPS module. It does not check dates, chain or key size.

    Raises:
        InvalidKey: there is no certificate, or its key cannot be read.
    """
    from auth_jwt.jose import asymmetric

    return asymmetric.extract_pub_key_from_cert(certificate)


def extract_pub_key_from_exp_mod(e: str, n: str) -> str:
    """Return the RSA public key of exponent *e* and modulus *n* (unpadded base64url, as in a JWK), as PEM.

    This is `extract_pub_key_from_exp_mod()` of the OpenSIPS module. Like that, it ignores a dangling last character,
    which carries no whole byte. Unlike that, it refuses numbers that make no usable key: *e* even or below 3, *n* below
    512 bits.

    Raises:
        InvalidKey: *e* or *n* is not such a number.
    """
    from auth_jwt.jose import asymmetric

    return asymmetric.extract_pub_key_from_exp_mod(e, n)

"""Keys of unusual numbers, and a text that may be a key or a secret: for tests of everything that judges rows."""

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DOUBTFUL = f"modulus {'00c0ffee' * 8}"
"""Without `alg`, in doubt; with HS256 there, an HMAC secret."""

PRIME_MODULUS = 2**2203 - 1


def public_key_pem(modulus: int, exponent: int = 65537) -> str:
    """An RSA public key of those numbers, whatever they are."""
    key = RSAPublicNumbers(exponent, modulus).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

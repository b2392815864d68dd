"""Keys that are printed in RFCs or on pages that everybody copies from, by their fingerprints."""

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auth_jwt.asymmetric import PublicKey

FINGERPRINTS: Final[frozenset[str]] = frozenset()
"""Of HMAC keys SHA-256, in hex; of public keys the thumbprint (RFC 7638)."""


def is_published(material: "bytes | PublicKey") -> bool:
    """Tell whether a key, HMAC octets or a public key object, is one of them."""
    if isinstance(material, bytes):
        return sha256(material).hexdigest() in FINGERPRINTS
    from auth_jwt.asymmetric import thumbprint

    return thumbprint(material) in FINGERPRINTS

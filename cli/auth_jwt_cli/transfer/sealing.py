"""Values that only the owner of a key can read: JSON Web Encryption in compact form (RFC 7516).

The key is the recipient's: RSA-OAEP-256 for an RSA key, ECDH-ES for one of X25519 or P-256 (RFC 7518, sections 4.3 and
4.6; RFC 8037), each with A256GCM.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.errors import Invalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

    Recipient = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | x25519.X25519PublicKey
    Owner = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey

_ENCRYPTION: Final = "A256GCM"
_KEY_BYTES: Final = 32
_IV_BYTES: Final = 12
_TAG_BYTES: Final = 16
_SEGMENTS: Final = 5
_LEAST_RSA_BITS: Final = 2048  # RFC 7518, section 4.3
_P256_BYTES: Final = 32


class Sealer:
    """Seals values for the owner of a public key.

    Args:
        pem: the public key, in PEM (`BEGIN PUBLIC KEY`).

    Raises:
        Invalid: it is no such key, or one of a kind that seals nothing here.
    """

    def __init__(self, pem: bytes) -> None:
        self._key = _public_key(pem)

    def seal(self, octets: bytes) -> str:
        """Return *octets* sealed, as a compact JWE."""
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        header: dict[str, Any]
        if isinstance(self._key, rsa.RSAPublicKey):
            content_key = os.urandom(_KEY_BYTES)
            header, encrypted = {"alg": "RSA-OAEP-256"}, self._key.encrypt(content_key, _oaep())
        else:
            shared, ephemeral = _agree(self._key)
            header, encrypted, content_key = {"alg": "ECDH-ES", "epk": ephemeral}, b"", _derive(shared)
        protected = _encode(json.dumps({**header, "enc": _ENCRYPTION}, separators=(",", ":")).encode())
        iv = os.urandom(_IV_BYTES)
        sealed = AESGCM(content_key).encrypt(iv, octets, protected.encode())
        return ".".join(
            (protected, _encode(encrypted), _encode(iv), _encode(sealed[:-_TAG_BYTES]), _encode(sealed[-_TAG_BYTES:]))
        )


class Opener:
    """Opens values that were sealed for the owner of a private key.

    Args:
        pem: the private key, in PEM, not encrypted.

    Raises:
        Invalid: it is no such key, or one of a kind for which nothing is sealed here.
    """

    def __init__(self, pem: bytes) -> None:
        self._key = _private_key(pem)

    def open(self, sealed: str) -> bytes:
        """Return what a compact JWE holds.

        Raises:
            Invalid: it is damaged, or was sealed for another key.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            protected, *rest = sealed.split(".")
            encrypted, iv, ciphertext, tag = map(_decode, rest)
            header = json.loads(_decode(protected))
            wanted = "RSA-OAEP-256" if isinstance(self._key, rsa.RSAPrivateKey) else "ECDH-ES"
            if (header["alg"], header["enc"]) != (wanted, _ENCRYPTION) or "crit" in header or "zip" in header:
                raise Invalid("a value was sealed for a key of another kind")
            if encrypted and wanted == "ECDH-ES":  # there is none: RFC 7516, section 5.2, step 10
                raise Invalid("a value cannot be opened: it is damaged")
            if isinstance(self._key, rsa.RSAPrivateKey):
                content_key = self._key.decrypt(encrypted, _oaep())
            else:
                content_key = _derive(_agreed(self._key, header["epk"]))
            return AESGCM(content_key).decrypt(iv, ciphertext + tag, protected.encode())
        except (ValueError, KeyError, TypeError, RecursionError, InvalidTag):
            raise Invalid("a value cannot be opened: it is damaged, or was sealed for another key") from None


def _public_key(pem: bytes) -> "Recipient":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        what = (
            ": it is a private key, of which `openssl pkey -pubout` writes the public one" if b"PRIVATE" in pem else ""
        )
        raise Invalid(f"the file to encrypt to holds no public key in PEM{what}") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise Invalid(f"an RSA key to encrypt to has at least {_LEAST_RSA_BITS} bits, this one {key.key_size}")
    is_known_curve = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if isinstance(key, x25519.X25519PublicKey) and _is_of_small_order(key):
        raise Invalid("the key to encrypt to is of small order: anybody could open what is encrypted to it")
    if isinstance(key, rsa.RSAPublicKey | x25519.X25519PublicKey) or is_known_curve:
        return key  # type: ignore[return-value]
    raise Invalid("a key to encrypt to is one of RSA, X25519 or P-256")


def _is_of_small_order(key: "x25519.X25519PublicKey") -> bool:
    """Tell whether any exchange with *key* gives zeros, which `cryptography` rejects (RFC 7748, section 6.1)."""
    from cryptography.hazmat.primitives.asymmetric import x25519

    try:
        x25519.X25519PrivateKey.generate().exchange(key)
    except ValueError:
        return True
    return False


def _private_key(pem: bytes) -> "Owner":
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise Invalid(
            "the key to decrypt with is encrypted itself: `openssl pkey` writes it without a password"
        ) from None
    except (ValueError, UnsupportedAlgorithm, InternalError):  # the last for a key of a wrong length
        raise Invalid("the file to decrypt with holds no private key in PEM") from None
    is_known_curve = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    if isinstance(key, rsa.RSAPrivateKey | x25519.X25519PrivateKey) or is_known_curve:
        return key  # type: ignore[return-value]
    raise Invalid("a key to decrypt with is one of RSA, X25519 or P-256")


def _oaep() -> Any:  # noqa: ANN401 - a padding of `cryptography`
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA256

    return OAEP(MGF1(SHA256()), SHA256(), None)


def _agree(recipient: "ec.EllipticCurvePublicKey | x25519.X25519PublicKey") -> tuple[bytes, dict[str, str]]:
    """Return a secret shared with the *recipient* by an ephemeral key, and that key's public part as a JWK."""
    from cryptography.hazmat.primitives.asymmetric import ec, x25519

    if isinstance(recipient, x25519.X25519PublicKey):
        own = x25519.X25519PrivateKey.generate()
        return own.exchange(recipient), {
            "kty": "OKP", "crv": "X25519", "x": _encode(own.public_key().public_bytes_raw()),
        }  # fmt: skip
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    x, y = (_encode(number.to_bytes(_P256_BYTES, "big")) for number in (point.x, point.y))
    return key.exchange(ec.ECDH(), recipient), {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _agreed(owner: "ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey", ephemeral: dict[str, str]) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, x25519

    if isinstance(owner, x25519.X25519PrivateKey):
        return owner.exchange(x25519.X25519PublicKey.from_public_bytes(_decode(ephemeral["x"])))
    x, y = (int.from_bytes(_decode(ephemeral[name]), "big") for name in ("x", "y"))
    return owner.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())


def _derive(shared: bytes) -> bytes:
    """Return the content key for a *shared* secret: Concat KDF (RFC 7518, section 4.6.2), without names of parties."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

    name = _ENCRYPTION.encode()
    info = len(name).to_bytes(4, "big") + name + bytes(8) + (8 * _KEY_BYTES).to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), _KEY_BYTES, info).derive(shared)


def _encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))

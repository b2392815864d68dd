"""Sealed values: JWE in compact form, opened by other people's libraries, and theirs by us."""

from base64 import encodebytes, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from auth_jwt.errors import Invalid
from auth_jwt_cli.transfer.sealing import Opener, Sealer

KEYS = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "X25519": x25519.X25519PrivateKey.generate(),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
}
OTHERS = {"RSA": RSAKey, "X25519": OKPKey, "P-256": ECKey}
ALGORITHMS = {"RSA": "RSA-OAEP-256", "X25519": "ECDH-ES", "P-256": "ECDH-ES"}
CURVES = {"X25519": 0x6E, "X448": 0x6F, "Ed25519": 0x70, "Ed448": 0x71}
"""The last octet of their object identifiers (RFC 8410, section 3)."""
TEXT = b'{"tag": "alice", "value": "\xc3\xa9"}'


def private(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]


def public(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def a_key_of_small_order() -> bytes:
    """The public key of the point 1, whose order is 4: RFC 7748, section 7."""
    key = x25519.X25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KEYS)
def test_what_is_sealed_is_opened(kind: str) -> None:
    sealed = Sealer(public(KEYS[kind])).seal(TEXT)

    assert Opener(private(KEYS[kind])).open(sealed) == TEXT
    assert sealed != Sealer(public(KEYS[kind])).seal(TEXT)


@pytest.mark.parametrize("kind", KEYS)
def test_another_library_opens_it(kind: str) -> None:
    key = OTHERS[kind].import_key(private(KEYS[kind]))  # type: ignore[attr-defined]

    opened = jwe.decrypt_compact(Sealer(public(KEYS[kind])).seal(TEXT), key, algorithms=[ALGORITHMS[kind], "A256GCM"])

    assert opened.plaintext == TEXT


@pytest.mark.parametrize("kind", KEYS)
def test_what_another_library_sealed_is_opened(kind: str) -> None:
    key = OTHERS[kind].import_key(public(KEYS[kind]))  # type: ignore[attr-defined]
    names = [ALGORITHMS[kind], "A256GCM"]
    sealed = jwe.encrypt_compact({"alg": names[0], "enc": names[1]}, TEXT, key, algorithms=names)

    assert Opener(private(KEYS[kind])).open(sealed) == TEXT


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("segment", range(5))
def test_what_was_tampered_with_is_not_opened(kind: str, segment: int) -> None:
    segments = Sealer(public(KEYS[kind])).seal(TEXT).split(".")
    segments[segment] = urlsafe_b64encode(b"x" * max(len(segments[segment]) * 3 // 4, 3)).decode().rstrip("=")

    with pytest.raises(Invalid, match=r"cannot be opened|another kind"):
        Opener(private(KEYS[kind])).open(".".join(segments))


@pytest.mark.parametrize("kind", KEYS)
def test_another_key_does_not_open_it(kind: str) -> None:
    sealed = Sealer(public(KEYS[kind])).seal(TEXT)

    for other in (
        rsa.generate_private_key(65537, 2048),
        x25519.X25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
    ):
        with pytest.raises(Invalid):
            Opener(private(other)).open(sealed)


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        pytest.param(b"no key", "no public key", id="no PEM"),
        pytest.param(private(KEYS["X25519"]), "openssl pkey -pubout", id="a private key"),
        pytest.param(public(ed25519.Ed25519PrivateKey.generate()), "RSA, X25519 or P-256", id="a key that only signs"),
        pytest.param(public(ec.generate_private_key(ec.SECP384R1())), "RSA, X25519 or P-256", id="another curve"),
        pytest.param(a_key_of_small_order(), "small order", id="a key to which anybody has the other one"),
        pytest.param(public(rsa.generate_private_key(65537, 1024)), "2048 bits", id="a short key"),
    ],
)
def test_nothing_is_sealed_to_what_is_no_such_key(pem: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        Sealer(pem)


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        pytest.param(public(KEYS["X25519"]), "no private key", id="a public key"),
        pytest.param(
            KEYS["P-256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),  # type: ignore[attr-defined]
            "encrypted itself",
            id="an encrypted key",
        ),
    ],
)
def test_nothing_is_opened_with_what_is_no_such_key(pem: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        Opener(pem)


@pytest.mark.parametrize("curve", ["X25519", "X448", "Ed25519", "Ed448"])
@pytest.mark.parametrize("length", [0, 1, 31, 33, 55, 58])
def test_a_private_key_of_another_length_is_none(curve: str, length: int) -> None:
    """RFC 8410, section 7. `cryptography` raises an error of its own that is no ValueError."""
    octets = bytes([0x04, length]) + bytes(length)
    version, algorithm = b"\x02\x01\x00", b"\x30\x05\x06\x03\x2b\x65" + bytes([CURVES[curve]])
    key = version + algorithm + bytes([0x04, len(octets)]) + octets
    label = b"PRIVATE KEY"
    pem = b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, encodebytes(bytes([0x30, len(key)]) + key), label)

    with pytest.raises(Invalid, match="the file to decrypt with holds no private key in PEM"):
        Opener(pem)

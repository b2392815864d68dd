"""Finds keys in octets by their structure: DER of keys and certificates, SSH and OpenPGP keys, points of curves.

A structure is found at any place in other octets. It takes evidence that random octets hardly ever give: 30 bits or
more. Python searches slowly, so the rare evidence comes first: an identifier, or a mark with which a structure begins.
"""

from collections.abc import Iterable, Iterator
from typing import Final

SSH: Final = "an SSH key"
DER: Final = "DER of a key or certificate"
OPENPGP: Final = "an OpenPGP key"
POINT: Final = "a point of an elliptic curve"
COSE: Final = "a COSE key"

LONGEST: Final = 200
"""A structure of at most this many octets has to be complete. Of a longer one the beginning is enough."""

# Object identifiers of keys, signatures, curves and containers, in DER. At a given place, random octets hold one of
# them once in a hundred thousand million times.
_IDENTIFIERS: Final = (
    b"\x2a\x86\x48\x86\xf7\x0d\x01",  # PKCS: RSA, encryption by password, signed data, PKCS #12
    b"\x2a\x86\x48\xce\x3d",  # ANSI X9.62: EC keys, curves, ECDSA
    b"\x2a\x86\x48\xce\x38\x04",  # DSA
    b"\x06\x03\x2b\x65\x6e",  # X25519 (RFC 8410)
    b"\x06\x03\x2b\x65\x6f",  # X448
    b"\x06\x03\x2b\x65\x70",  # Ed25519
    b"\x06\x03\x2b\x65\x71",  # Ed448
    b"\x06\x05\x2b\x81\x04\x00",  # SEC 2: P-384, P-521, secp256k1
    b"\x60\x86\x48\x01\x65\x03\x04",  # NIST: ML-DSA, SHA-2
    b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",  # Ed25519 as GnuPG names it
    b"\x2b\x06\x01\x04\x01\x97\x55\x01\x05",  # Curve25519, likewise
    b"\x2a\x85\x03\x02\x02",  # GOST
    b"\x2a\x85\x03\x07\x01",
    b"\x2a\x81\x1c\xcf\x55",  # SM2
    b"\x06\x05\x2b\x0e\x03\x02",  # OIW: DSA, SHA-1
    b"\x00\x00RSA1",  # a key blob of Windows
)


def identify(octets: bytes) -> str | None:
    """Return what *octets* hold, judged by an identifier at any place in them, or None."""
    if any(identifier in octets for identifier in _IDENTIFIERS):
        return DER
    return SSH if b"openssh-key-v1\0" in octets else None


def find_marks(octets: bytes) -> list[int]:
    """Return the places in *octets* where a structure that begins with a mark may stand."""
    return [at for at, octet in enumerate(octets) if octet in _FINDERS]


def find_structures(octets: bytes, places: Iterable[int]) -> Iterator[str]:
    """Yield the structures that begin at *places*, which come from `find_marks`."""
    for at in places:
        if found := _FINDERS[octets[at]](octets, at):
            yield found


_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING, _IDENTIFIER = 0x30, 0x02, 0x03, 0x04, 0x06
_MODULUS_OCTETS: Final = 32
_EXPONENT: Final = range(3, 12)  # tag, length, and an exponent of at most 65 bits
_SEC1_OCTETS: Final = (28, 32, 48, 66)
_NO_ELEMENT: Final = (-1, 0, 0)


def _read_element(octets: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag, start and end of the DER element *at* a place (X.690), or tag -1 if there is none.

    The end may lie beyond the last octet.
    """
    head = octets[at : at + 5]
    if len(head) < 2:
        return _NO_ELEMENT
    length, start = head[1], at + 2
    if length >= 0x80:
        size = length - 0x80
        length = int.from_bytes(head[2 : 2 + size], "big")
        if len(head) < 2 + size or length < 0x80 or not head[2]:  # no key needs more than three octets of length
            return _NO_ELEMENT
        start += size
    return head[0], start, start + length


def _find_der(octets: bytes, at: int) -> str | None:
    """Find a key or certificate of any algorithm, by its structure alone (RFC 5280, 5958, 8017, 5915)."""
    _, start, end = _read_element(octets, at)
    tag, inner, inner_end = _read_element(octets, start)
    if inner_end > end:  # into an element that is none, nothing fits
        return None
    if tag == _INTEGER and inner_end - inner == 1 and octets[inner : inner + 1] in (b"\0", b"\1"):
        return DER if _is_private(octets, inner_end, end) else None
    if tag == _INTEGER and inner_end - inner >= _MODULUS_OCTETS and end - inner_end in _EXPONENT:
        if inner_end + 1 < len(octets):
            exponent, value, value_end = _read_element(octets, inner_end)
            return DER if exponent == _INTEGER and value_end - value + 2 in _EXPONENT else None
        return DER if octets[at + 1] > 0x80 < octets[start + 1] else None  # truncated: two long lengths must agree
    if tag == _SEQUENCE:
        first, oid, oid_end = _read_element(octets, inner)
        if first == 0xA0 and octets[oid : oid + 2] == b"\x02\x01" and oid_end - oid == 3:
            return DER
        if first == _IDENTIFIER and 3 <= oid_end - oid <= 16 and oid_end <= inner_end:
            last, content, last_end = _read_element(octets, inner_end)
            has_whole_octets = last == _BIT_STRING and octets[content : content + 1] == b"\0"
            if last_end == end and (last == _OCTET_STRING or has_whole_octets):
                return DER
    return None


def _is_private(octets: bytes, at: int, end: int) -> bool:
    """Tell whether the element after a version is one that private keys have there, and lies within their *end*."""
    tag, start, own_end = _read_element(octets, at)
    if own_end > end:
        return False
    if tag == _SEQUENCE:
        return octets[start : start + 1] == b"\x06"
    if tag == _INTEGER:
        return own_end - start >= _MODULUS_OCTETS
    return tag == _OCTET_STRING and own_end - start in _SEC1_OCTETS


_SSH_TYPES: Final = (b"ssh-", b"sk-ssh-", b"ecdsa-sha2-", b"sk-ecdsa-sha2-", b"rsa-sha2-", b"webauthn-sk-")


def _find_ssh(octets: bytes, at: int) -> str | None:
    if octets[at : at + 3] != b"\0\0\0":
        return None
    return SSH if octets.startswith(_SSH_TYPES, at + 4) else None


# RFC 9580, section 9.1: by algorithm, how many integers its keys have, or the one size of its keys in octets.
_INTEGERS: Final = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4}
_NATIVE: Final = {25: 32, 26: 56, 27: 32, 28: 57}
_PLAUSIBLE_TIMES: Final = range(0x28000000, 0x80000000)  # 1991 to 2038
_SINCE_NATIVE: Final = 0x60000000  # 2021: no key of RFC 9580's algorithms is older
_MIN_INTEGER_BITS: Final = 512


def _find_openpgp(octets: bytes, at: int) -> str | None:
    """Find a public or secret key packet of version 4 or 6 (RFC 9580, section 5.5.2)."""
    first, size = octets[at], 1
    if first & 0x40:
        length = int.from_bytes(octets[at + 1 : at + 2], "big")
        if 192 <= length < 224:
            length, size = ((length - 192) << 8) + int.from_bytes(octets[at + 2 : at + 3], "big") + 192, 2
    else:
        size = 1 << (first & 3)
        length = int.from_bytes(octets[at + 1 : at + 1 + size], "big")
    body = octets[at + 1 + size : at + 1 + size + length]
    if len(body) < 10 or len(body) < min(length, LONGEST) or body[0] not in (4, 6):
        return None
    created = int.from_bytes(body[1:5], "big")
    if created not in _PLAUSIBLE_TIMES or (body[5] in _NATIVE and created < _SINCE_NATIVE):
        return None
    key = body[6:] if body[0] == 4 else body[10:]
    public = (first & 0x3F if first & 0x40 else first >> 2 & 0xF) in (6, 14)
    if native := _NATIVE.get(body[5]):
        fits = len(key) == native if public else _is_secret(key[native:], native)
    else:
        fits = body[5] in _INTEGERS and _are_integers(key, _INTEGERS[body[5]], exact=public)
    return OPENPGP if fits else None


def _is_secret(rest: bytes, size: int) -> bool:
    """Tell whether *rest* is a secret of *size* octets, in clear or encrypted by some cipher (section 3.7)."""
    if rest[:1] == b"\0":
        return len(rest) in (size + 1, size + 3)  # usage, secret, and up to version 4 a checksum
    return len(rest) > size + 16 and rest[0] >= 253 and 1 <= rest[1] <= 13


def _are_integers(key: bytes, count: int, *, exact: bool) -> bool:
    """Tell whether *key* is *count* OpenPGP integers. Each follows its length in bits, and the first is a large one.

    Unless *exact*, other octets may follow.
    """
    if int.from_bytes(key[:2], "big") < _MIN_INTEGER_BITS:
        return False
    at = 0
    for _ in range(count):
        bits = int.from_bytes(key[at : at + 2], "big")
        value = key[at + 2 : at + 2 + (bits + 7) // 8]
        if not bits or int.from_bytes(value, "big").bit_length() != bits:
            return False
        at += 2 + len(value)
    return at == len(key) if exact else at <= len(key)


_COSE_CURVES: Final = range(1, 9)


def _find_cose(octets: bytes, at: int) -> str | None:
    """Find a key on a curve by its `crv` and `x` (RFC 9053, section 7)."""
    found = octets[at + 2 : at + 4] == b"\x21\x58" and octets[at + 1] in _COSE_CURVES
    return COSE if found and octets[at + 4 : at + 5] in (b"\x20", b"\x30", b"\x38", b"\x39", b"\x42") else None


# y² = x³ + ax + b modulo p (SP 800-186; SEC 2). A coordinate may be p or more here: that does not change the odds.
_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_SECP256K1: Final = 2**256 - 2**32 - 977
_P384: Final = 2**384 - 2**128 - 2**96 + 2**32 - 1
_P384_B: Final = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF
_P521: Final = 2**521 - 1
_P521_B: Final = int(
    "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF1"
    "09E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
    16,
)


def is_on_curve(x: int, y: int, size: int) -> bool:
    """Tell whether (*x*, *y*), of *size* octets each, is a point of P-256, secp256k1, P-384 or P-521."""
    rest = y * y - x * x * x
    if size == 32:
        return not (rest - 7) % _SECP256K1 or not (rest + 3 * x - _P256_B) % _P256
    if size == 48:
        return not (rest + 3 * x - _P384_B) % _P384
    return not (rest + 3 * x - _P521_B) % _P521


def is_point(octets: bytes, at: int) -> bool:
    """Tell whether the two coordinates of a point stand *at* a place in *octets*."""
    read, rest = int.from_bytes, len(octets) - at
    if rest >= 64 and is_on_curve(read(octets[at : at + 32], "big"), read(octets[at + 32 : at + 64], "big"), 32):
        return True
    if rest >= 96 and is_on_curve(read(octets[at : at + 48], "big"), read(octets[at + 48 : at + 96], "big"), 48):
        return True
    if rest >= 132 and octets[at] < 2 and octets[at + 66] < 2:
        return is_on_curve(read(octets[at : at + 66], "big"), read(octets[at + 66 : at + 132], "big"), 66)
    return False


def _find_point(octets: bytes, at: int) -> str | None:
    return POINT if is_point(octets, at + 1) else None


_FINDERS: Final = {
    0x00: _find_ssh,
    _SEQUENCE: _find_der,
    0x20: _find_cose,
    **dict.fromkeys((0x04, 0x06, 0x07), _find_point),
    **dict.fromkeys((0x94, 0x95, 0x96, 0x98, 0x99, 0x9A, 0x9C, 0x9D, 0x9E, 0xB8, 0xB9, 0xBA), _find_openpgp),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCE), _find_openpgp),
}
"""For each octet that is a mark, the function that looks for a structure there."""

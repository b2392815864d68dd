"""Structures of keys in octets, each by its smallest form: what makes it one, and the nearest that is none."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from auth_jwt.jose.structures import (
    COSE,
    DER,
    OPENPGP,
    POINT,
    SSH,
    find_marks,
    find_structures,
    identify,
    is_on_curve,
    is_point,
)

INTEGER, BIT_STRING, OCTET_STRING, IDENTIFIER, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30


def found_in(octets: bytes) -> set[str]:
    return set(find_structures(octets, find_marks(octets)))


def found_at_the_beginning(octets: bytes) -> set[str]:
    return set(find_structures(octets, find_marks(octets[:1])))


def element(tag: int, *content: bytes) -> bytes:
    """A DER element (X.690), with its length in as few octets as it takes."""
    inner = b"".join(content)
    if len(inner) < 0x80:
        return bytes([tag, len(inner)]) + inner
    length = len(inner).to_bytes((len(inner).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(length)]) + length + inner


def identifier(dotted: str) -> bytes:
    """The DER of an object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for number in (first * 40 + second, *rest):
        octets = [number & 0x7F]
        while number := number >> 7:
            octets.insert(0, 0x80 | number & 0x7F)
        content += bytes(octets)
    return element(IDENTIFIER, content)


def noise(size: int) -> bytes:
    """Octets of which none is a mark."""
    return b"\xd5" * size


# -- identifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dotted",
    [
        "1.2.840.113549.1.1.1",  # RSA
        "1.2.840.10045.2.1",  # EC
        "1.2.840.10040.4.1",  # DSA
        "1.3.101.110",  # X25519
        "1.3.101.111",  # X448
        "1.3.101.112",  # Ed25519
        "1.3.101.113",  # Ed448
        "1.3.132.0.10",  # secp256k1
        "2.16.840.1.101.3.4.3.17",  # ML-DSA-44
        "1.3.6.1.4.1.11591.15.1",  # Ed25519 of GnuPG
        "1.3.6.1.4.1.3029.1.5.1",  # Curve25519 of GnuPG
        "1.2.643.2.2.19",  # GOST R 34.10-2001
        "1.2.643.7.1.1.1.1",  # GOST R 34.10-2012
        "1.2.156.10197.1.301",  # SM2
        "1.3.14.3.2.12",  # DSA of OIW
    ],
)
def test_an_identifier_of_keys_is_found_at_any_place(dotted: str) -> None:
    assert identify(noise(3) + identifier(dotted) + noise(3)) == DER


@pytest.mark.parametrize("dotted", ["1.3.101.109", "1.3.101.114", "2.5.4.3", "1.3.132.1.10", "1.2.840.1"])
def test_other_identifiers_are_none_of_keys(dotted: str) -> None:
    assert identify(noise(3) + identifier(dotted) + noise(3)) is None


def test_blobs_of_windows_and_of_openssh_say_what_they_are() -> None:
    assert identify(b"\x06\x02\0\0\0\xa4\0\0RSA1\0\x08\0\0") == DER
    assert identify(noise(2) + b"openssh-key-v1\0") == SSH
    assert identify(b"openssh-key-v1") is None


# -- DER --------------------------------------------------------------------------------------------------------------


def rsa_public(modulus: int = 32, exponent: bytes = b"\3") -> bytes:
    return element(SEQUENCE, element(INTEGER, noise(modulus)), element(INTEGER, exponent))


def test_two_integers_are_a_public_key_of_rsa_from_32_octets_on() -> None:
    assert found_at_the_beginning(rsa_public(32)) == {DER}
    assert found_at_the_beginning(rsa_public(31)) == set()


@pytest.mark.parametrize(("octets", "found"), [(0, set()), (1, {DER}), (9, {DER}), (10, set())])
def test_its_exponent_has_at_most_65_bits(octets: int, found: set[str]) -> None:
    assert found_at_the_beginning(rsa_public(exponent=b"\1" * octets)) == found


def test_its_exponent_is_an_integer_that_ends_where_it_says() -> None:
    modulus = element(INTEGER, noise(32))

    assert found_at_the_beginning(element(SEQUENCE, modulus, element(OCTET_STRING, b"\3"))) == set()
    assert found_at_the_beginning(element(SEQUENCE, modulus, b"\2\x09\3")) == {DER}  # cut off within
    assert found_at_the_beginning(element(SEQUENCE, modulus, b"\2\x0a\3")) == set()
    assert found_at_the_beginning(element(SEQUENCE, modulus, b"\2\0\3")) == set()
    assert found_at_the_beginning(element(SEQUENCE, modulus, element(INTEGER, b"\3"), noise(12))) == set()
    assert (
        found_at_the_beginning(element(SEQUENCE, element(OCTET_STRING, modulus[2:]), element(INTEGER, b"\3"))) == set()
    )


@pytest.mark.parametrize("size", [128, 256, 65_536])
def test_of_a_key_that_was_cut_off_before_its_exponent_two_long_lengths_agree(size: int) -> None:
    whole = rsa_public(size)
    cut = whole[: -len(element(INTEGER, b"\3"))]

    assert found_at_the_beginning(cut[:100]) == {DER}
    assert found_at_the_beginning(cut) == {DER}
    assert found_at_the_beginning(cut + b"\2") == {DER}
    assert found_at_the_beginning(cut + b"\5\1") == set()


def test_of_short_lengths_the_exponent_has_to_be_there() -> None:
    assert found_at_the_beginning(rsa_public(100)[:100]) == set()
    assert found_at_the_beginning(rsa_public(124)[:100]) == set()  # a long length, and a short one


def private(version: bytes, *rest: bytes) -> bytes:
    return element(SEQUENCE, element(INTEGER, version), *rest)


@pytest.mark.parametrize(("version", "found"), [(b"\0", {DER}), (b"\1", {DER}), (b"\2", set()), (b"\0\0", set())])
def test_a_version_and_an_algorithm_begin_a_private_key(version: bytes, found: set[str]) -> None:
    assert found_at_the_beginning(private(version, element(SEQUENCE, element(IDENTIFIER, b"\x2a")))) == found


def test_a_version_is_an_integer() -> None:
    algorithm = element(SEQUENCE, element(IDENTIFIER, b"\x2a"))

    assert found_at_the_beginning(element(SEQUENCE, b"\1\1\0", algorithm)) == set()


def test_a_version_and_another_list_do_not() -> None:
    assert found_at_the_beginning(private(b"\0", element(SEQUENCE, element(INTEGER, b"\1")))) == set()


def test_a_version_and_a_modulus_begin_a_private_key_of_rsa() -> None:
    assert found_at_the_beginning(private(b"\0", element(INTEGER, noise(32)))) == {DER}
    assert found_at_the_beginning(private(b"\0", element(INTEGER, noise(31)))) == set()


@pytest.mark.parametrize("size", [28, 32, 48, 66])
def test_a_version_and_a_number_of_a_curves_size_begin_a_private_key_of_sec_1(size: int) -> None:
    assert found_at_the_beginning(private(b"\1", element(OCTET_STRING, noise(size)))) == {DER}
    assert found_at_the_beginning(private(b"\1", element(OCTET_STRING, noise(size - 1)))) == set()
    assert found_at_the_beginning(private(b"\1", element(OCTET_STRING, noise(size + 1)))) == set()
    assert found_at_the_beginning(private(b"\1", element(BIT_STRING, noise(size)))) == set()


def test_what_a_key_holds_lies_within_it() -> None:
    key = private(b"\1", element(OCTET_STRING, noise(32)))
    shorter = bytes([SEQUENCE, key[1] - 1]) + key[2:]

    assert found_at_the_beginning(shorter) == set()
    assert found_at_the_beginning(b"\x30\x02\x02\x01\x00" + element(SEQUENCE, element(IDENTIFIER))) == set()


def test_a_certificate_begins_with_its_version() -> None:
    version = element(0xA0, element(INTEGER, b"\2"))

    assert found_at_the_beginning(element(SEQUENCE, element(SEQUENCE, version))) == {DER}
    assert found_at_the_beginning(element(SEQUENCE, element(SEQUENCE, element(0xA1, version[2:])))) == set()
    assert found_at_the_beginning(element(SEQUENCE, element(SEQUENCE, element(0xA0, version[2:], b"\0")))) == set()
    assert found_at_the_beginning(element(SEQUENCE, element(SEQUENCE, element(0xA0, b"\3\1\2")))) == set()
    assert found_at_the_beginning(element(SEQUENCE, element(SEQUENCE, element(0xA0, b"\2\2\2")))) == set()
    assert found_at_the_beginning(element(SEQUENCE, element(0x31, version))) == set()


def of_algorithm(octets: int, last: bytes) -> bytes:
    return element(SEQUENCE, element(SEQUENCE, element(IDENTIFIER, noise(octets))), last)


@pytest.mark.parametrize(("octets", "found"), [(2, set()), (3, {DER}), (16, {DER}), (17, set())])
def test_an_algorithm_and_bits_are_a_public_key(octets: int, found: set[str]) -> None:
    assert found_at_the_beginning(of_algorithm(octets, element(BIT_STRING, b"\0", noise(8)))) == found


def test_the_bits_are_whole_octets() -> None:
    assert found_at_the_beginning(of_algorithm(9, element(BIT_STRING, b"\1", noise(8)))) == set()


def test_an_algorithm_and_octets_are_an_encrypted_private_key() -> None:
    assert found_at_the_beginning(of_algorithm(9, element(OCTET_STRING, b"\1", noise(8)))) == {DER}
    assert found_at_the_beginning(of_algorithm(9, element(INTEGER, b"\0", noise(8)))) == set()


def test_a_key_that_was_cut_off_before_its_bits_is_none() -> None:
    """The reading of a row's text must not fail by it, or each login of the tag would be a fault."""
    key = of_algorithm(9, element(BIT_STRING, b"\0", noise(8)))

    assert found_at_the_beginning(key[:-9]) == set()
    assert found_at_the_beginning(key[:-8]) == {DER}
    assert found_at_the_beginning(of_algorithm(9, element(BIT_STRING))) == set()


def test_an_algorithm_begins_with_its_identifier() -> None:
    number = element(SEQUENCE, element(INTEGER, noise(9)))

    assert found_at_the_beginning(element(SEQUENCE, number, element(BIT_STRING, b"\0", noise(8)))) == set()


def test_after_the_key_nothing_follows_within() -> None:
    assert found_at_the_beginning(of_algorithm(9, element(BIT_STRING, b"\0") + b"\5\0")) == set()


def test_the_identifier_lies_within_the_algorithm() -> None:
    assert found_at_the_beginning(b"\x30\x0b\x30\x04\x06\x03\x2a\x2a\x03\x03\0\x2a\x2a") == set()
    assert found_at_the_beginning(b"\x30\x0b\x30\x05\x06\x03\x2a\x2a\x03\x03\x02\0\x2a") == {DER}


def test_nothing_in_it_is_longer_than_the_whole() -> None:
    assert found_at_the_beginning(b"\x30\x07\x30\x05\xa0\x03\x02\x01\x02") == {DER}
    assert found_at_the_beginning(b"\x30\x06\x30\x05\xa0\x03\x02\x01\x02") == set()


CERTIFICATE = element(SEQUENCE, element(0xA0, element(INTEGER, b"\2")))
"""What a certificate holds, as far as it is looked at."""


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("30 81 80", {DER}),
        ("30 81 7f", set()),  # it needs no long form
        ("30 82 0100", {DER}),
        ("30 82 0080", set()),  # nor two octets
        ("30 83 010000", {DER}),
        ("30 84 01000000", set()),  # no key has 16 MiB
        ("30 80", set()),  # DER has no indefinite lengths
        ("30", set()),
        ("30 82 01", set()),
    ],
)
def test_lengths_are_as_short_as_der_wants_them(head: str, found: set[str]) -> None:
    content = CERTIFICATE if len(head) > 8 or head in ("30 81 80", "30 81 7f", "30 80") else b""

    assert found_at_the_beginning(bytes.fromhex(head) + content) == found


def test_octets_that_end_too_early_are_nothing() -> None:
    key = rsa_public(128)

    assert [found_at_the_beginning(key[:size]) for size in range(8)] == [set()] * 6 + [{DER}] * 2


# -- SSH --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "rsa-sha2-512",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    ],
)
def test_a_blob_of_ssh_begins_with_its_type(kind: str) -> None:
    text = kind.encode()

    assert SSH in found_in(noise(2) + len(text).to_bytes(4, "big") + text)
    assert found_in(noise(2) + b"\0\0\1" + text[1:2] + text) == set()
    assert found_at_the_beginning(len(text).to_bytes(4, "big") + b"x" + text) == set()


# -- OpenPGP ----------------------------------------------------------------------------------------------------------

MADE = 0x66000000  # 2024


def integer(bits: int) -> bytes:
    """An integer of OpenPGP: its length in bits, then its octets."""
    return bits.to_bytes(2, "big") + (1 << bits - 1).to_bytes((bits + 7) // 8, "big")


def key_body(algorithm: int, key: bytes, *, version: int = 4, made: int = MADE) -> bytes:
    size = b"" if version == 4 else len(key).to_bytes(4, "big")
    return bytes([version]) + made.to_bytes(4, "big") + bytes([algorithm]) + size + key


def packet(tag: int, body: bytes) -> bytes:
    """A packet of the new form; its length in one octet or two."""
    if len(body) < 192:
        return bytes([0xC0 | tag, len(body)]) + body
    return bytes([0xC0 | tag]) + (len(body) - 192 + (192 << 8)).to_bytes(2, "big") + body


def old_packet(tag: int, body: bytes, octets: int) -> bytes:
    """A packet of the old form, with so many octets of length: 1, 2 or 4."""
    return bytes([0x80 | tag << 2 | octets.bit_length() - 1]) + len(body).to_bytes(octets, "big") + body


ED25519 = key_body(27, noise(32))
SECRET_ED25519 = key_body(27, noise(32) + b"\0" + noise(32))
PUBLIC, PUBLIC_SUBKEY, SECRET, SECRET_SUBKEY = 6, 14, 5, 7


@pytest.mark.parametrize(
    ("tag", "body"),
    [(PUBLIC, ED25519), (PUBLIC_SUBKEY, ED25519), (SECRET, SECRET_ED25519), (SECRET_SUBKEY, SECRET_ED25519)],
)
def test_packets_of_keys_are_found_in_both_forms(tag: int, body: bytes) -> None:
    assert found_at_the_beginning(packet(tag, body)) == {OPENPGP}
    for octets in (1, 2, 4):
        assert found_at_the_beginning(old_packet(tag, body, octets)) == {OPENPGP}


def test_a_public_packet_holds_no_secret_and_a_secret_one_does() -> None:
    assert found_at_the_beginning(packet(PUBLIC, SECRET_ED25519)) == set()
    assert found_at_the_beginning(packet(SECRET, ED25519)) == set()


@pytest.mark.parametrize(("algorithm", "size"), [(25, 32), (26, 56), (27, 32), (28, 57)])
def test_keys_of_rfc_9580_have_one_size(algorithm: int, size: int) -> None:
    sizes = [size - 1, size, size + 1]

    found = [found_at_the_beginning(packet(PUBLIC, key_body(algorithm, noise(each)))) for each in sizes]

    assert found == [set(), {OPENPGP}, set()]
    assert found_at_the_beginning(packet(PUBLIC, key_body(algorithm, noise(size), version=6))) == {OPENPGP}


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        (b"\0" + noise(32), {OPENPGP}),
        (b"\0" + noise(34), {OPENPGP}),  # a checksum follows
        (b"\0" + noise(33), set()),
        (b"\0" + noise(31), set()),
        (b"\xfd\1" + noise(47), {OPENPGP}),  # encrypted by IDEA, the first cipher
        (b"\xff\x0d" + noise(47), {OPENPGP}),  # by Camellia, the last one
        (b"\xfc\1" + noise(47), set()),
        (b"\xfd\0" + noise(47), set()),
        (b"\xfd\x0e" + noise(47), set()),
        (b"\xfd\1" + noise(46), set()),
    ],
)
def test_a_secret_is_in_clear_or_encrypted_by_a_cipher(rest: bytes, found: set[str]) -> None:
    assert found_at_the_beginning(packet(SECRET, key_body(27, noise(32) + rest))) == found


@pytest.mark.parametrize(
    ("algorithm", "integers"),
    [(1, 2), (2, 2), (3, 2), (16, 3), (17, 4)],
    ids=["RSA", "RSA to encrypt", "RSA to sign", "ElGamal", "DSA"],
)
def test_keys_of_rfc_4880_are_so_many_integers(algorithm: int, integers: int) -> None:
    keys = [integer(512) + integer(17) * (count - 1) for count in (integers - 1, integers, integers + 1)]

    found = [found_at_the_beginning(packet(PUBLIC, key_body(algorithm, key))) for key in keys]

    assert found == [set(), {OPENPGP}, set()]
    for key in keys[1:]:  # what follows is secret
        assert found_at_the_beginning(packet(SECRET, key_body(algorithm, key))) == {OPENPGP}


def test_other_algorithms_are_no_keys() -> None:
    assert found_at_the_beginning(packet(PUBLIC, key_body(4, integer(512) + integer(17)))) == set()


def test_the_first_integer_has_512_bits() -> None:
    assert found_at_the_beginning(packet(PUBLIC, key_body(1, integer(512) + integer(2)))) == {OPENPGP}
    assert found_at_the_beginning(packet(PUBLIC, key_body(1, integer(511) + integer(2)))) == set()


def test_an_integer_has_as_many_bits_as_it_says() -> None:
    for last in (b"\0\0", b"\0\3\3", b"\0\2\5", b"\0\x11\1"):
        assert found_at_the_beginning(packet(PUBLIC, key_body(1, integer(512) + last))) == set(), last


@pytest.mark.parametrize(
    ("algorithm", "made", "found"),
    [
        (1, 0x27FFFFFF, set()),
        (1, 0x28000000, {OPENPGP}),  # 1991: PGP began
        (1, 0x7FFFFFFF, {OPENPGP}),  # 2038
        (1, 0x80000000, set()),
        (27, 0x5FFFFFFF, set()),
        (27, 0x60000000, {OPENPGP}),  # 2021: no key of RFC 9580 is older
    ],
)
def test_a_key_was_made_at_a_plausible_time(algorithm: int, made: int, found: set[str]) -> None:
    key = noise(32) if algorithm == 27 else integer(512) + integer(17)

    assert found_at_the_beginning(packet(PUBLIC, key_body(algorithm, key, made=made))) == found


@pytest.mark.parametrize(("version", "found"), [(3, set()), (4, {OPENPGP}), (5, set()), (6, {OPENPGP}), (7, set())])
def test_a_key_has_version_4_or_6(version: int, found: set[str]) -> None:
    assert found_at_the_beginning(packet(PUBLIC, key_body(1, integer(512) + integer(17), version=version))) == found


@pytest.mark.parametrize("bits", [512, 1448, 1456, 4096])
def test_a_length_of_two_octets_begins_at_192(bits: int) -> None:
    body = key_body(1, integer(bits) + integer(17))

    assert found_at_the_beginning(packet(PUBLIC, body)) == {OPENPGP}
    assert found_at_the_beginning(packet(PUBLIC, body) + noise(300)) == {OPENPGP}
    assert found_at_the_beginning(packet(PUBLIC, body)[:-1]) == set()


def test_a_length_of_two_octets_begins_with_223_at_most() -> None:
    body = key_body(1, integer(512) + integer(17) + noise(200))

    assert found_at_the_beginning(bytes([0xC0 | SECRET, 223, 0]) + body) == {OPENPGP}
    assert found_at_the_beginning(bytes([0xC0 | SECRET, 224, 0]) + body) == set()


def test_of_a_long_packet_the_first_200_octets_have_to_be_there() -> None:
    """A secret packet, since of a public one the end is looked at."""
    body = key_body(1, integer(512) + integer(17) + noise(200))

    cut = [found_at_the_beginning(packet(SECRET, body)[: 3 + size]) for size in (199, 200)]

    assert cut == [set(), {OPENPGP}]


def test_a_packet_of_nine_octets_is_none() -> None:
    assert found_at_the_beginning(packet(PUBLIC, key_body(27, noise(3)))) == set()


# -- COSE -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", range(1, 9))
def test_a_cose_key_has_a_curve_and_x(curve: int) -> None:
    assert COSE in found_in(bytes([0x20, curve, 0x21, 0x58, 0x20]))


@pytest.mark.parametrize("size", [0x20, 0x30, 0x38, 0x39, 0x42])
def test_its_x_has_a_size_of_a_curve(size: int) -> None:
    assert found_at_the_beginning(bytes([0x20, 1, 0x21, 0x58, size])) == {COSE}
    assert found_at_the_beginning(bytes([0x20, 1, 0x21, 0x58, size + 2])) == set()


@pytest.mark.parametrize(
    "octets", ["20 00 21 58 20", "20 09 21 58 20", "20 01 22 58 20", "20 01 21 59 20", "20 01 21 58"]
)
def test_what_differs_in_an_octet_is_no_cose_key(octets: str) -> None:
    assert found_at_the_beginning(bytes.fromhex(octets)) == set()


# -- points -----------------------------------------------------------------------------------------------------------

CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "secp256k1": (ec.SECP256K1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}


def point_of(name: str, secret: int = 3) -> bytes:
    curve, size = CURVES[name]
    numbers = ec.derive_private_key(secret, curve).public_key().public_numbers()
    return numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


@pytest.mark.parametrize("name", CURVES)
def test_two_coordinates_are_a_point_if_they_lie_on_the_curve(name: str) -> None:
    point, size = point_of(name), CURVES[name][1]
    x, y = (int.from_bytes(half, "big") for half in (point[:size], point[size:]))

    assert is_on_curve(x, y, size)
    assert not is_on_curve(x, y + 1, size)
    assert not is_on_curve(x + 1, y, size)
    assert not is_on_curve(y, x, size)


@pytest.mark.parametrize("name", CURVES)
def test_a_point_stands_at_any_place_and_is_whole(name: str) -> None:
    point = point_of(name)

    assert is_point(noise(5) + point, 5)
    assert is_point(noise(5) + point + noise(90), 5)
    assert not is_point(noise(5) + point, 4)
    assert not is_point(noise(5) + point[:-1], 5)
    assert not is_point(noise(5) + point[:-1] + bytes([point[-1] ^ 1]), 5)


@pytest.mark.parametrize("mark", [4, 6, 7])
def test_a_point_follows_its_mark(mark: int) -> None:
    assert found_at_the_beginning(bytes([mark]) + point_of("P-256")) == {POINT}
    assert found_at_the_beginning(bytes([mark + 4]) + point_of("P-256")) == set()


# -- what was cut off -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "whole",
    [
        rsa_public(256),
        private(b"\0", element(SEQUENCE, element(IDENTIFIER, b"\x2a")), element(OCTET_STRING, noise(40))),
        of_algorithm(9, element(BIT_STRING, b"\0", noise(64))),
        element(SEQUENCE, CERTIFICATE),
        b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + noise(32),
        packet(SECRET, SECRET_ED25519),
        packet(PUBLIC, key_body(1, integer(2048) + integer(17))),
        bytes([0x20, 1, 0x21, 0x58, 0x20]) + noise(32),
        b"\4" + point_of("P-521"),
    ],
    ids=["RSA", "PKCS #8", "SPKI", "X.509", "SSH", "OpenPGP's secret", "OpenPGP's RSA", "COSE", "a point"],
)
def test_it_may_be_cut_off_anywhere(whole: bytes) -> None:
    for end in range(len(whole)):
        assert found_in(whole[:end]) <= {DER, SSH, OPENPGP, COSE, POINT}
        identify(whole[:end])

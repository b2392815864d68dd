"""Public keys that are keys in form only: whatever anybody can sign by verifies nothing, in any form, at any door."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID

from auth_jwt.errors import Flaw, InvalidKey, Reason
from auth_jwt.jose import asymmetric
from auth_jwt.jose.degenerate import (
    MAX_EXAMINED_BITS,
    weakness_of_edwards_point,
    weakness_of_modulus,
    weakness_of_point,
    weakness_of_rsa,
)
from auth_jwt.jose.keys import verification_keys
from auth_jwt.jose.signatures import verify_jws
from auth_jwt.models import Columns, Secret
from tests.factories import (
    a_jwk,
    a_jwks,
    a_private_key,
    a_public_key,
    a_secret,
    a_token,
    an_authorizer,
    octets_of,
    public_pem,
    refusal,
    segment,
)
from tests.fakes import natural

Point = tuple[int, int]


def flaw_of(text: str) -> Flaw | None:
    unusable = Secret.from_row(natural(a_secret(text)), Columns()).unusable
    return unusable.flaw if unusable else None


def pem_of(der: bytes, label: str = "PUBLIC KEY") -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


def certificate_of(key: Any) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder(subject, subject, key, 4711)
    builder = builder.not_valid_before(datetime(2001, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2002, 1, 1, tzinfo=UTC)
    )
    return builder.sign(a_private_key("rsa_2048"), SHA256()).public_bytes(Encoding.PEM).decode()


def forms_of(key: Any, jwk: dict[str, Any]) -> dict[str, str]:
    """All the forms in which a row may hold a key."""
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"PEM": pem, "certificate": certificate_of(key), "JWK": json.dumps(jwk), "JWKS": a_jwks(jwk)}


def assert_nothing_verifies(token: str, forms: dict[str, str]) -> None:
    """Refused by `verify_jws`, which `/script-authorize` calls, and by a row, in every form."""
    for name, text in forms.items():
        with pytest.raises(InvalidKey) as caught:
            verification_keys(text)
        assert caught.value.flaw is Flaw.DEGENERATE_KEY, name
        assert refusal(lambda text=text: verify_jws(token, text)) is Reason.BAD_SIGNATURE, name  # type: ignore[misc]
        assert refusal(lambda text=text: an_authorizer(a_secret(text)).authorize(token)) is Reason.BAD_SIGNATURE, name  # type: ignore[misc]
        assert flaw_of(text) is Flaw.DEGENERATE_KEY, name


# -- Edwards curves (RFC 8032), computed here and compared with what the code has written down ------------------------


class Curve:
    """An Edwards curve a*x^2 + y^2 = 1 + d*x^2*y^2, with its generator and its cofactor."""

    def __init__(self, *, a: int, d: int, prime: int, order: int, cofactor: int, octets: int, y: int) -> None:
        self.a, self.d, self.prime, self.order, self.cofactor, self.octets = a, d, prime, order, cofactor, octets
        self.generator = next(point for point in self.at(y) if point[0] % 2 == 0)

    def at(self, y: int) -> list[Point]:
        """The points of this y."""
        square = (1 - y * y) * pow(self.a - self.d * y * y, -1, self.prime) % self.prime
        exponent = (self.prime + 1) // 4 if self.prime % 4 == 3 else (self.prime + 3) // 8
        root = pow(square, exponent, self.prime)
        roots = {root, root * pow(2, (self.prime - 1) // 4, self.prime) % self.prime}
        return [(sign * x % self.prime, y) for x in roots if x * x % self.prime == square for sign in (1, -1)]

    def plus(self, one: Point, other: Point) -> Point:
        (x1, y1), (x2, y2) = one, other
        both = self.d * x1 * x2 * y1 * y2
        inverse = pow(1 - both * both, -1, self.prime)
        x = (x1 * y2 + x2 * y1) * (1 - both) * inverse
        y = (y1 * y2 - self.a * x1 * x2) * (1 + both) * inverse
        return x % self.prime, y % self.prime

    def times(self, factor: int, point: Point) -> Point:
        result = (0, 1)
        while factor:
            if factor & 1:
                result = self.plus(result, point)
            point, factor = self.plus(point, point), factor >> 1
        return result

    @cache  # noqa: B019 - there are two curves
    def small(self) -> list[Point]:
        """The points of small order."""
        for y in range(2, 200):
            for point in self.at(y):
                torsion = self.times(self.order, point)
                multiples = {self.times(n, torsion) for n in range(self.cofactor)}
                if len(multiples) == self.cofactor:
                    return sorted(multiples)
        raise AssertionError("there are none below 200")

    def encode(self, point: Point) -> bytes:
        return (point[1] | (point[0] & 1) << 8 * self.octets - 1).to_bytes(self.octets, "little")

    def encodings(self, point: Point) -> list[bytes]:
        """A point in every spelling that fits: with both signs of x, and its y above the prime if that fits."""
        top = 8 * self.octets - 1
        return [
            (y | sign << top).to_bytes(self.octets, "little")
            for y in range(point[1], 1 << (255 if self.octets == 32 else 448), self.prime)
            for sign in (0, 1)
        ]


@cache
def curve(name: str) -> Curve:
    if name == "Ed25519":
        prime = 2**255 - 19
        return Curve(
            a=-1,
            d=-121665 * pow(121666, -1, prime),
            prime=prime,
            order=2**252 + 27742317777372353535851937790883648493,
            cofactor=8,
            octets=32,
            y=4 * pow(5, -1, prime) % prime,
        )
    return Curve(
        a=1,
        d=-39081,
        prime=2**448 - 2**224 - 1,
        order=2**446 - int("8335dc163bb124b65129c96fde933d8d723a70aadc873d6d54a7bb0d", 16),
        cofactor=4,
        octets=57,
        y=int(
            "693f46716eb6bc248876203756c9c7624bea73736ca3984087789c1e05a0c2d73ad3ff1ce67c39c4fdbd132c4ed7c8ad9808795bf230fa14",
            16,
        ),
    )


EDWARDS = ["Ed25519", "Ed448"]


def is_weak(name: str, point: Point) -> list[bool]:
    return [weakness_of_edwards_point(name, octets) is not None for octets in curve(name).encodings(point)]


@pytest.mark.parametrize("name", EDWARDS)
def test_every_point_of_small_order_is_weak_in_every_spelling(name: str) -> None:
    points = curve(name).small()

    assert len(points) == curve(name).cofactor
    assert curve(name).times(curve(name).order, curve(name).generator) == (0, 1)
    assert all(all(is_weak(name, point)) for point in points)
    assert any(len(is_weak(name, point)) == 4 for point in points)  # both signs, and the y above the prime


@pytest.mark.parametrize("name", EDWARDS)
def test_the_generator_its_negative_and_their_sums_with_points_of_small_order_are_weak(name: str) -> None:
    """Of a key with a part of small order every eighth signature at least is the one without it."""
    own = curve(name)
    negative = own.times(own.order - 1, own.generator)
    sums = [own.plus(sign, point) for sign in (own.generator, negative) for point in own.small()]

    assert len(set(sums)) == 2 * own.cofactor
    assert all(all(is_weak(name, point)) for point in sums)


@pytest.mark.parametrize("name", EDWARDS)
def test_other_points_are_not_weak(name: str) -> None:
    own = curve(name)
    near = [(point[0], point[1] + step) for point in (*own.small(), own.generator) for step in (1, -1)]
    others = [own.times(n, own.generator) for n in (2, 3, 5, 2**64, own.order // 2)]
    own_keys = [a_public_key(name.lower()).public_bytes_raw()]

    assert not any(any(is_weak(name, point)) for point in others)
    assert not any(
        any(is_weak(name, (x, y))) for x, y in near if 1 < y < own.prime - 1 and y not in {p[1] for p in own.small()}
    )
    assert [weakness_of_edwards_point(name, octets) for octets in own_keys] == [None]


def forged(alg: str, name: str, weak: bytes) -> str:
    """A token that OpenSSL itself takes for signed by the weak key: tried until the hash suits, with no private key.

    With S = 0 the signature is right when R is minus the key times the hash, which is one of a few points.
    """
    key = (Ed25519PublicKey if name == "Ed25519" else Ed448PublicKey).from_public_bytes(weak)
    size = curve(name).octets
    for attempt in range(40):
        signing_input = a_token(header={"alg": alg}, attempt=attempt).rpartition(".")[0]
        for answer in sorted(spellings_of_small_order(name)):
            try:
                key.verify(answer + bytes(size), signing_input.encode())
            except InvalidSignature:
                continue
            return f"{signing_input}.{segment(answer + bytes(size))}"
    raise AssertionError("the key is not weak")


def spellings_of_small_order(name: str) -> set[bytes]:
    return {octets for point in curve(name).small() for octets in curve(name).encodings(point)}


def accepted_by_openssl(name: str) -> list[bytes]:
    """The spellings of points of small order that can be loaded as keys at all, and forged with."""
    found = []
    for octets in sorted(spellings_of_small_order(name)):
        try:
            forged("EdDSA", name, octets)
        except (AssertionError, ValueError):
            continue
        found.append(octets)
    return found


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_the_key_of_zeros_is_forged_within_ten_tries_and_verifies_nothing(alg: str) -> None:
    zeros = bytes(32)
    token = forged(alg, "Ed25519", zeros)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": segment(zeros)}

    assert json.loads(octets_of(token.split(".")[1]))["attempt"] < 10
    assert_nothing_verifies(token, forms_of(Ed25519PublicKey.from_public_bytes(zeros), jwk))


@pytest.mark.parametrize("name", EDWARDS)
def test_every_key_of_small_order_can_be_forged_with_and_verifies_nothing(name: str) -> None:
    keys = accepted_by_openssl(name)

    assert len(keys) == {"Ed25519": 14, "Ed448": 2}[name]  # that they are so many is OpenSSL's affair
    for octets in keys:
        assert_nothing_verifies(forged("EdDSA", name, octets), {octets.hex(): an_okp_jwk(name, octets)})
    assert {flaw_of(an_okp_jwk(name, octets)) for octets in spellings_of_small_order(name)} == {Flaw.DEGENERATE_KEY}


def an_okp_jwk(name: str, octets: bytes) -> str:
    return json.dumps({"kty": "OKP", "crv": name, "x": segment(octets)})


def hashed(name: str, octets: bytes) -> int:
    if name == "Ed25519":
        return int.from_bytes(hashlib.sha512(octets).digest(), "little")
    return int.from_bytes(hashlib.shake_256(b"SigEd448\0\0" + octets).digest(114), "little")


def signed_by_one(name: str, key: bytes) -> str:
    """A token that OpenSSL takes for signed by *key*, made with the private scalar 1."""
    own = curve(name)
    loaded = (Ed25519PublicKey if name == "Ed25519" else Ed448PublicKey).from_public_bytes(key)
    for attempt in range(200):
        signing_input = a_token(header={"alg": "EdDSA"}, attempt=attempt).rpartition(".")[0]
        answer = own.encode(own.times(2, own.generator))
        proof = (2 + hashed(name, answer + key + signing_input.encode())) % own.order
        signature = answer + proof.to_bytes(own.octets, "little")
        try:
            loaded.verify(signature, signing_input.encode())
        except InvalidSignature:
            continue
        return f"{signing_input}.{segment(signature)}"
    raise AssertionError("the private scalar is another")


@pytest.mark.parametrize("name", EDWARDS)
def test_every_sum_of_the_generator_and_a_point_of_small_order_verifies_nothing(name: str) -> None:
    own = curve(name)
    keys = {own.encode(own.plus(own.generator, point)) for point in own.small()}

    assert len(keys) == own.cofactor
    for octets in keys:
        assert_nothing_verifies(signed_by_one(name, octets), {octets.hex(): an_okp_jwk(name, octets)})


def test_a_set_with_a_weak_key_keeps_its_others() -> None:
    weak = {"kty": "OKP", "crv": "Ed25519", "x": segment(bytes(32)), "kid": "weak"}
    row = a_secret(a_jwks(weak, a_jwk("ed25519", kid="own")))
    token = a_token(key=a_private_key("ed25519"), alg="EdDSA")

    assert an_authorizer(row).authorize(token).sip_username == "alice"
    assert refusal(lambda: an_authorizer(row).authorize(forged("EdDSA", "Ed25519", bytes(32)))) is Reason.BAD_SIGNATURE
    bundle = pem_of(octets_of("MCowBQYDK2VwAyEA") + bytes(32)) + public_pem("ed25519")
    assert [key.material for key in verification_keys(bundle)] == [a_public_key("ed25519")]


# -- curves of Weierstrass --------------------------------------------------------------------------------------------

ELLIPTIC = {"ES256": ("P-256", ec.SECP256R1()), "ES384": ("P-384", ec.SECP384R1()), "ES512": ("P-521", ec.SECP521R1())}
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": 2**521 - int("5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7", 16),
}


@pytest.mark.parametrize("alg", ELLIPTIC)
@pytest.mark.parametrize("private", ["1", "n - 1"])
def test_a_generator_and_its_negative_verify_nothing(alg: str, private: str) -> None:
    """They are the public keys of the private keys 1 and n - 1, which anybody may sign by."""
    crv, group = ELLIPTIC[alg]
    key = ec.derive_private_key(1 if private == "1" else ORDERS[alg] - 1, group)
    numbers = key.public_key().public_numbers()
    size = (group.key_size + 7) // 8
    jwk = {"kty": "EC", "crv": crv, "x": segment(numbers.x.to_bytes(size)), "y": segment(numbers.y.to_bytes(size))}
    token = a_token(key=key, alg=alg)

    assert asymmetric.verifies(key.public_key(), alg, *parts_of(token))
    assert_nothing_verifies(token, forms_of(key.public_key(), jwk))


def parts_of(token: str) -> tuple[bytes, bytes]:
    signing_input, _, signature = token.rpartition(".")
    return signing_input.encode(), octets_of(signature)


@pytest.mark.parametrize("name", ["p256", "p384", "p521"])
def test_other_points_of_a_curve_are_not_weak(name: str) -> None:
    key = a_public_key(name)

    assert weakness_of_point(key.curve.name, key.public_numbers().x) is None
    assert (
        weakness_of_point(key.curve.name, ec.derive_private_key(2, key.curve).public_key().public_numbers().x) is None
    )
    assert weakness_of_point("secp256k1", 1) is None


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2)
    return bytes([tag]) + size + body


def number(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def test_a_curve_of_the_key_s_own_is_no_curve() -> None:
    """CVE-2020-0601: P-256 with another generator, for which the private key of anybody's public key is 1."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    point = a_public_key("p256").public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    parameters = der(
        0x30,
        number(1),
        der(0x30, bytes.fromhex("06072a8648ce3d0101"), number(prime)),
        der(0x30, der(0x04, (prime - 3).to_bytes(32)), der(0x04, b.to_bytes(32))),
        der(0x04, point),
        number(ORDERS["ES256"]),
        number(1),
    )
    key = der(0x30, der(0x30, bytes.fromhex("06072a8648ce3d0201"), parameters), der(0x03, b"\0", point))

    assert flaw_of(pem_of(key)) is Flaw.UNREADABLE_KEY


def test_the_point_at_infinity_and_points_off_their_curve_are_unreadable() -> None:
    good = a_public_key("p256").public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    infinity = der(0x30, good[2:23], der(0x03, b"\0\0"))
    off = good[:-1] + bytes([good[-1] ^ 1])

    assert load_der_public_key(good) == a_public_key("p256")
    assert flaw_of(pem_of(infinity)) is Flaw.UNREADABLE_KEY
    assert flaw_of(pem_of(off)) is Flaw.UNREADABLE_KEY
    assert flaw_of(json.dumps(a_jwk("p256", x=segment(bytes(32)), y=segment(bytes(32))))) is Flaw.UNREADABLE_KEY


# -- RSA --------------------------------------------------------------------------------------------------------------


def modulus(name: str = "rsa_2048") -> int:
    number: int = a_public_key(name).public_numbers().n
    return number


def an_rsa_jwk(n: int, e: int = 65537) -> str:
    return json.dumps({"kty": "RSA", "n": number_text(n), "e": number_text(e)})


def number_text(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8 or 1))


def an_rsa_pem(n: int, e: int) -> str:
    key = der(0x30, number(n), number(e))
    return pem_of(der(0x30, bytes.fromhex("300d06092a864886f70d0101010500"), der(0x03, b"\0", key)))


def test_an_even_modulus_verifies_nothing() -> None:
    for text in (an_rsa_jwk(modulus() + 1), an_rsa_jwk(modulus() * 2), an_rsa_pem(modulus() + 1, 65537)):
        assert flaw_of(text) is Flaw.DEGENERATE_KEY


@pytest.mark.parametrize("exponent", [0, 1, 2, 4, 65536])
def test_an_exponent_that_is_even_or_below_3_verifies_nothing(exponent: int) -> None:
    """By the exponent 1 every text is its own signature. The library refuses such keys, and so would we."""
    assert flaw_of(an_rsa_jwk(modulus(), exponent)) in (Flaw.UNREADABLE_KEY, Flaw.DEGENERATE_KEY)
    assert flaw_of(an_rsa_pem(modulus(), exponent)) in (Flaw.UNREADABLE_KEY, Flaw.DEGENERATE_KEY)
    assert weakness_of_rsa(modulus(), exponent) is not None


@pytest.mark.parametrize("beyond", [0, 2, 2**64])
def test_an_exponent_from_the_modulus_upwards_verifies_nothing(beyond: int) -> None:
    assert flaw_of(an_rsa_jwk(modulus(), modulus() + beyond)) is Flaw.UNREADABLE_KEY


@pytest.mark.parametrize("exponent", [3, 5, 17, 257, 65537])
def test_a_usual_exponent_is_fine(exponent: int) -> None:
    assert flaw_of(an_rsa_jwk(modulus(), exponent)) is None
    assert weakness_of_rsa(modulus(), exponent) is None


# The two largest primes below 2**1024, the largest below 2**1024 - 2**900, and below 2**700 and 2**2048.
P_1024, P_1024_NEAR, P_1024_FAR = 2**1024 - 105, 2**1024 - 179, 2**1024 - 2**900 - 173
P_700, P_2048 = 2**700 - 1113, 2**2048 - 1942289

WEAK_MODULI = {
    "prime": P_2048,
    "a small factor": 3 * modulus(),
    "the largest small factor": 1999 * modulus(),
    "a square": P_1024**2,
    "a power of a prime": P_700**3,
    "neighbours": P_1024 * P_1024_NEAR,
    "all bits set": 2**2048 - 1,
    "few bits set": 2**2047 + 1,
}


@pytest.mark.parametrize("case", WEAK_MODULI)
def test_a_modulus_that_needs_no_factoring_is_weak_where_there_is_time_to_look(case: str) -> None:
    """Not at a login, which would have to wait for it."""
    n = WEAK_MODULI[case]
    words = {
        "prime": "a prime",
        "a square": "a square",
        "neighbours": "next to each other",
        "a power of a prime": "power",
    }

    assert n.bit_length() >= asymmetric.MIN_RSA_BITS
    assert words.get(case, "a small factor") in str(weakness_of_modulus(n))
    (key,) = verification_keys(an_rsa_jwk(n))
    assert asymmetric.slow_weakness_of(key.material) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_a_good_modulus_passes_within_reason(bits: int) -> None:
    n = rsa.generate_private_key(65537, bits).public_key().public_numbers().n
    start = time.perf_counter()

    assert weakness_of_modulus(n) is None
    assert time.perf_counter() - start < 10  # 4096 bits take 0.4 s of a busy processor


def test_the_repository_s_own_keys_are_good_and_other_kinds_have_no_modulus() -> None:
    names = ["rsa_2048", "rsa_2048_other", "rsa_2047", "p256", "ed25519", "ed448"]

    assert [asymmetric.slow_weakness_of(a_public_key(name)) for name in names] == [None] * len(names)


def test_a_modulus_too_long_to_look_at_is_not_looked_at() -> None:
    assert weakness_of_modulus(3**5000) is None
    assert (3**5000).bit_length() > MAX_EXAMINED_BITS
    assert weakness_of_modulus(3 ** (MAX_EXAMINED_BITS // 2)) is not None


def test_small_factors_are_the_primes_below_2000() -> None:
    good = P_1024 * P_1024_FAR

    assert weakness_of_modulus(good) is None
    assert [n for n in range(3, 2000, 2) if weakness_of_modulus(good * n) is None] == []
    assert weakness_of_modulus(good * 2003) is None


# -- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rsa_2048", "p256", "p521", "ed25519", "ed448"])
def test_a_look_at_a_key_costs_microseconds_and_a_signature_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, alg = a_public_key(name), {"r": "RS256", "e": "EdDSA"}.get(name[0], "ES256" if name == "p256" else "ES512")
    start = time.perf_counter()
    for _ in range(200):
        asymmetric.algorithms_of(key)
    assert (time.perf_counter() - start) / 200 < 0.001  # some 5 microseconds

    looks: list[object] = []
    original = asymmetric._find_weakness
    monkeypatch.setattr(asymmetric, "_find_weakness", lambda key: looks.append(key) or original(key))  # type: ignore[func-returns-value]
    authorizer = an_authorizer(a_secret(public_pem(name)), ttl=60)
    for _ in range(3):
        authorizer.authorize(a_token(key=a_private_key(name), alg=alg))
    assert len(looks) == 1

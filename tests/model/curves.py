"""Points by which anybody can sign: of small order, or next to the generator, found by arithmetic on the curve.

Ed25519 and Ed448 are curves a*x^2 + y^2 = 1 + d*x^2*y^2 (RFC 8032, sections 5.1 and 5.2). A point P is weak when the
cofactor times P is the neutral element, or plus or minus the cofactor times the generator: the private keys 1 and -1.
"""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

Point = tuple[int, int]
_NEUTRAL: Point = (0, 1)


@dataclass(frozen=True)
class Edwards:
    """A curve, its generator, and how many octets a point has."""

    prime: int
    a: int
    d: int
    doublings: int
    octets: int
    generator: Point

    def add(self, one: Point, other: Point) -> Point:
        """Add two points of the curve."""
        (x1, y1), (x2, y2), p = one, other, self.prime
        product = self.d * x1 * x2 * y1 * y2 % p
        x = (x1 * y2 + y1 * x2) * pow(1 + product, -1, p)
        y = (y1 * y2 - self.a * x1 * x2) * pow(1 - product, -1, p)
        return x % p, y % p

    def times_cofactor(self, point: Point) -> Point:
        """Multiply by the cofactor, a power of two."""
        for _ in range(self.doublings):
            point = self.add(point, point)
        return point

    def read(self, encoded: bytes) -> Point | None:
        """Read a point, whose y need not be below the prime; None where there is none."""
        p, top = self.prime, 8 * self.octets - 1
        number = int.from_bytes(encoded, "little")
        y = (number & ((1 << top) - 1)) % p
        x = _root((y * y - 1) * pow(self.d * y * y - self.a, -1, p) % p, p)
        return None if x is None else (x, y)


ED25519 = Edwards(
    prime=2**255 - 19,
    a=-1,
    d=-121665 * pow(121666, -1, 2**255 - 19) % (2**255 - 19),
    doublings=3,
    octets=32,
    generator=(
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
    ),
)
ED448 = Edwards(
    prime=2**448 - 2**224 - 1,
    a=1,
    d=-39081,
    doublings=2,
    octets=57,
    generator=(
        int(
            "224580040295924300187604334099896036246789641632564134246125461686950415467406032909029192869357953282578"
            "032075146446173674602635247710"
        ),
        int(
            "298819210078481492676017930443930673437544040154080242095928241372331506189835876003536878655418784733982"
            "303233503462500531545062832660"
        ),
    ),
)


@lru_cache(maxsize=4096)
def is_weak_edwards(curve: Edwards, encoded: bytes) -> bool:
    """Tell whether anybody can sign for the public key *encoded*."""
    point = curve.read(encoded)
    if point is None:
        return False
    own, (x, y) = curve.times_cofactor(point), curve.times_cofactor(curve.generator)
    return own in (_NEUTRAL, (x, y), (-x % curve.prime, y))


def is_generator(key: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether *key* is the generator of its curve or its negative: the private keys 1 and n - 1."""
    return ec.derive_private_key(1, key.curve).public_key().public_numbers().x == key.public_numbers().x


def _root(square: int, p: int) -> int | None:
    """Return a square root modulo *p*, which is 3 modulo 4 or 5 modulo 8; None where there is none."""
    root = pow(square, (p + 1) // 4, p) if p % 4 == 3 else pow(square, (p + 3) // 8, p)
    if root * root % p != square % p and p % 8 == 5:
        root = root * pow(2, (p - 1) // 4, p) % p
    return root if root * root % p == square % p else None

"""Finds public keys that protect nothing, because anybody can sign for them.

They are points of small order and generators (RFC 8032; RFC 7748, section 7; SEC 2), and RSA moduli that give the
private key away. A check that takes microseconds runs whenever a key is read. A check that takes up to a second runs
only where keys are written, and in `lint`.
"""

from functools import cache, lru_cache
from math import gcd, isqrt, prod
from typing import Final

_EDWARDS: Final[dict[str, tuple[int, frozenset[int]]]] = {
    "Ed25519": (
        2**255 - 19,
        frozenset(
            {
                *(0, 1),
                0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
                0x6666666666666666666666666666666666666666666666666666666666666658,
                0x159A6849E44C3C7F061B3D570FC4ED5B5D14C8BA4253DF49CC7EDF80F533AD9B,
                0x19781BD860B93C90ECF04A5A9B638BA2C59C3ED25C1BB53352995BF3AD9E5198,
                0x1DFCF70FA2095BE564A48A6660DC11357118A66F45A05DCA2132D65A741D6613,
            }
        ),
    ),
    "Ed448": (
        2**448 - 2**224 - 1,
        frozenset(
            {
                *(0, 1),
                int(
                    "2988192100784814926760179304439306734375440401540802420959282413723315061898358760035368786554"
                    "18784733982303233503462500531545062832660"
                ),
                int(
                    "2245800402959243001876043340998960362467896416325641342461254616869504154674060329090291928693"
                    "57953282578032075146446173674602635247710"
                ),
            }
        ),
    ),
}
"""For each curve its prime, and the y of each point of small order and of each sum of such a point and the generator.

Of each y and its negative only one is listed: if one is weak, so is the other. The sign of x makes no difference.
"""

_GENERATORS: Final = {
    "secp256r1": 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    "secp384r1": 0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    "secp521r1": int(
        "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A"
        "429BF97E7E31C2E5BD66",
        16,
    ),
}
"""For each curve the x of its generator and of its negative: the public keys of the private keys 1 and n - 1."""

MAX_EXAMINED_BITS: Final = 4096
_FERMAT_STEPS: Final = 100


def weakness_of_point(curve: str, x: int) -> str | None:
    """Say why the point with this *x* is a weak public key of the elliptic *curve*, or return None."""
    return "the generator of its curve, whose private key everybody knows" if x == _GENERATORS.get(curve) else None


def weakness_of_edwards_point(curve: str, octets: bytes) -> str | None:
    """Say why *octets* are a weak public key of Ed25519 or Ed448, even in a non-canonical encoding, or return None."""
    prime, weak = _EDWARDS[curve]
    sign_of_x = 1 << (8 * len(octets) - 1)
    y = (int.from_bytes(octets, "little") & (sign_of_x - 1)) % prime  # an encoding may also hold y + prime
    if y in weak or prime - y in weak:
        return "a point for which anybody can sign (it has small order, or comes from the generator)"
    return None


def weakness_of_rsa(modulus: int, exponent: int) -> str | None:
    """Say which quick check an RSA key fails, or return None."""
    if exponent < 3 or exponent % 2 == 0:
        return "an RSA key whose exponent is even or below 3"
    return "an RSA key whose modulus is even" if modulus % 2 == 0 else None


@lru_cache(maxsize=1024)
def weakness_of_modulus(modulus: int) -> str | None:
    """Say why a *modulus* of RSA can be factored at once, or return None. One of more than 4096 bits is not examined.

    This takes up to half a second, too long for a login. Results are remembered, since many rows may hold few keys.
    """
    if modulus.bit_length() > MAX_EXAMINED_BITS:
        return None
    if gcd(modulus, _multiply_small_primes()) > 1:
        return "an RSA key whose modulus has a small factor"
    root = isqrt(modulus)
    if root * root == modulus:
        return "an RSA key whose modulus is a square"
    for step in range(1, _FERMAT_STEPS):
        rest = (root + step) ** 2 - modulus
        if isqrt(rest) ** 2 == rest:
            return "an RSA key whose two primes lie next to each other"
    if gcd(pow(2, modulus, modulus) - 2, modulus) > 1:  # by Fermat's little theorem, for each prime factor
        return "an RSA key whose modulus is a prime, or a power of one"
    return None


@cache
def _multiply_small_primes() -> int:
    return prod(n for n in range(3, 2000, 2) if all(n % m for m in range(3, isqrt(n) + 1, 2)))

"""Numbers that make a key in form only: whoever knows them, and all do, can sign by it.

Small-order points and generators (RFC 8032; RFC 7748, section 7; SEC 2), and moduli of RSA that need no factoring.
What takes microseconds is asked whenever a key is read, what takes a second only where keys are written and by `lint`.
"""

from functools import cache, lru_cache
from math import gcd, isqrt, prod
from typing import Final

_P_25519: Final = 2**255 - 19
_P_448: Final = 2**448 - 2**224 - 1
_EIGHTH: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""The y of half of Ed25519's points of order 8; the others' is its negative."""

_EDWARDS: Final[dict[str, tuple[int, frozenset[int]]]] = {
    "Ed25519": (
        _P_25519,
        frozenset({0, 1, _P_25519 - 1, _EIGHTH, _P_25519 - _EIGHTH, 4 * pow(5, -1, _P_25519) % _P_25519}),
    ),
    "Ed448": (
        _P_448,
        frozenset(
            {
                *(0, 1, _P_448 - 1),
                int(
                    "2988192100784814926760179304439306734375440401540802420959282413723315061898358760035368786554"
                    "18784733982303233503462500531545062832660"
                ),
            }
        ),
    ),
}
"""By curve its field, and the y of each point of small order and of the generator, whatever the sign of their x."""

_GENERATORS: Final = {
    "secp256r1": 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    "secp384r1": 0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    "secp521r1": int(
        "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A"
        "429BF97E7E31C2E5BD66",
        16,
    ),
}
"""By curve the x of its generator, which is its negative's, too: the public keys of the private keys 1 and n - 1."""

MAX_EXAMINED_BITS: Final = 4096
_FERMAT_STEPS: Final = 100


def weakness_of_point(curve: str, x: int) -> str | None:
    """Say what is wrong with a public key of the elliptic *curve* whose point has this *x*; None when nothing is."""
    return "the generator of its curve, whose private key everybody knows" if x == _GENERATORS.get(curve) else None


def weakness_of_edwards_point(curve: str, octets: bytes) -> str | None:
    """Say what is wrong with a public key of Ed25519 or Ed448, in whatever encoding; None when nothing is."""
    prime, weak = _EDWARDS[curve]
    bits = 8 * len(octets)
    y = int.from_bytes(octets, "little") & ((1 << (bits - 1)) - 1)  # the last bit is the sign of x
    return "a point by which anybody can sign (of small order, or the generator)" if y % prime in weak else None


def weakness_of_rsa(modulus: int, exponent: int) -> str | None:
    """Say what is wrong with an RSA key at first sight; None when nothing is."""
    if exponent < 3 or exponent % 2 == 0:
        return "an RSA key whose exponent is even or below 3"
    return "an RSA key whose modulus is even" if modulus % 2 == 0 else None


@lru_cache(maxsize=1024)
def weakness_of_modulus(modulus: int) -> str | None:
    """Say why a *modulus* of RSA can be factored at once; None when nothing shows, or it has over 4096 bits.

    It takes up to a second: too long for a login. A table of many rows has few keys: what was seen is remembered.
    """
    if modulus.bit_length() > MAX_EXAMINED_BITS:
        return None
    if gcd(modulus, _small_primes()) > 1:
        return "an RSA key whose modulus has a small factor"
    root = isqrt(modulus)
    if root * root == modulus:
        return "an RSA key whose modulus is a square"
    for step in range(1, _FERMAT_STEPS):
        rest = (root + step) ** 2 - modulus
        if isqrt(rest) ** 2 == rest:
            return "an RSA key whose two primes lie next to each other"
    if all(pow(base, modulus - 1, modulus) == 1 for base in (2, 3)):
        return "an RSA key whose modulus is a prime"
    return None


@cache
def _small_primes() -> int:
    return prod(n for n in range(3, 2000, 2) if all(n % m for m in range(3, isqrt(n) + 1, 2)))

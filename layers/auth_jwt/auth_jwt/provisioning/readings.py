"""Readings: how an issuer may have read a secret otherwise than this service does.

An HMAC secret is its text, octet for octet (docs/decisions/0025 says what counts as one). An issuer that takes the same
text for base64 or hex, or loses or gains a line end, signs with another key. Nothing here shows a value.
"""

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from auth_jwt.jose.keys import VerificationKey
from auth_jwt.jose.signatures import is_signed_by
from auth_jwt.jose.tokens import HMAC_ALGORITHMS, UnverifiedJws
from auth_jwt.models import Secret
from auth_jwt.provisioning.pasted import AROUND, BOM, QUOTES

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{2,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Misreading:
    """A reading of a stored secret that is not this service's, and whose key signed the token.

    Attributes:
        name: which reading, in words that follow the secret's name: `decoded from base64`.
        remedy: what an operator does about it.
        is_attack: whether the token is a forgery: signed with the text of a public key, which everybody may have.
    """

    name: str
    remedy: str
    is_attack: bool = False


_DECODED: Final = (
    "the issuer decodes the secret before it signs: have it sign with the text itself, or store the octets as a JWK of "
    "`kty` `oct`"
)
_BARE: Final = (
    "the stored text has more than the issuer's secret: add it again without that, by `auth-jwt secret add TAG "
    "--secret-file FILE`"
)
_LONGER: Final = (
    "the issuer's secret ends with a line end: have the issuer remove it, or add the secret with it, by `auth-jwt "
    "secret add TAG --secret-file FILE --exact`"
)
_ENCODED: Final = (
    "the issuer signs with the text of the JWK's octets: have it decode that, or store that text as the secret"
)
_WHOLE: Final = "the issuer signs with the whole text, as if it were an HMAC secret: have it sign with the key in it"
_CONFUSED: Final = (
    "this is an attack: somebody signs with the text of a public key; look for the sender by `call_id`, and keep HMAC "
    "out of `ALLOWED_ALGORITHMS` if no issuer uses it"
)


def misreading_of(secret: Secret, jws: UnverifiedJws) -> Misreading | None:
    """Return the reading of *secret* that signed *jws* although the service's own did not; None if none did.

    Only HMAC secrets can be read in several ways. Each reading costs a microsecond.
    """
    if jws.algorithm not in HMAC_ALGORITHMS or not secret.stored:
        return None
    for reading, octets in _readings_of(secret, secret.stored):
        if is_signed_by(jws, (VerificationKey(HMAC_ALGORITHMS, octets),), 1):
            return reading
    return None


def _readings_of(secret: Secret, stored: str) -> Iterator[tuple[Misreading, bytes]]:
    text = stored.encode("utf-8", "surrogatepass")
    own = [key.material for key in secret.keys if isinstance(key.material, bytes)]
    if stored.lstrip(AROUND + BOM).startswith("{") or "-----BEGIN" in stored:
        is_attack = bool(secret.keys) and not own
        remedy = _CONFUSED if is_attack else _WHOLE
        yield Misreading("as the whole text", remedy, is_attack), text
        yield Misreading("as the whole text with a line end", remedy, is_attack), text.rstrip() + b"\n"
        for octets in own:
            for name, encode in (("base64url", urlsafe_b64encode), ("base64", b64encode)):
                encoded = encode(octets)
                yield Misreading(f"as the {name} of its octets", _ENCODED), encoded.rstrip(b"=")
                yield Misreading(f"as the {name} of its octets, padded", _ENCODED), encoded
            yield Misreading("as the hex of its octets", _ENCODED), octets.hex().encode()
        return
    yield Misreading("as it is stored", "correct what makes it unusable"), text
    without_bom = stored.lstrip(BOM)
    bare = without_bom.strip(AROUND)
    yield Misreading("without its byte order mark", _BARE), without_bom.encode("utf-8", "surrogatepass")
    yield Misreading("without the blanks and line ends around it", _BARE), bare.encode("utf-8", "surrogatepass")
    yield Misreading("without the quotes around it", _BARE), bare.strip(QUOTES).encode("utf-8", "surrogatepass")
    yield Misreading("with a line end behind it", _LONGER), text + b"\n"
    yield Misreading("with a line end (CR LF) behind it", _LONGER), text + b"\r\n"
    if _BASE64.fullmatch(bare) and len(bare.rstrip("=")) % 4 != 1:  # no octets have one digit left over
        kind = "base64url" if "-" in bare or "_" in bare else "base64"
        padded = "padded" if bare.endswith("=") else "unpadded"
        octets = urlsafe_b64decode(f"{bare.rstrip('=')}==")  # it takes both alphabets, and more padding than it needs
        yield Misreading(f"decoded from {padded} {kind}", _DECODED), octets
    if _HEX.fullmatch(bare):
        yield Misreading("decoded from hex", _DECODED), bytes.fromhex(bare)

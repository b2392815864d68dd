"""Gate, header, payload and tag: steps 1 to 4 of section 3."""

from dataclasses import dataclass
from typing import Any

from tests.model.json_text import NotStrict, read_object
from tests.model.refusals import Refused

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS = {character: f"{number:06b}" for number, character in enumerate(_ALPHABET)}


@dataclass
class Token:
    """A well-formed token. *signed* is what the signature is over."""

    header: dict[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """The header's `alg`."""
        return str(self.header["alg"])

    @property
    def kid(self) -> str | None:
        """The header's `kid`."""
        return self.header.get("kid")


def read_segment(segment: str) -> bytes | None:
    """Decode unpadded base64url, bit by bit; None where it is not that, or unused last bits are not zero."""
    if any(character not in _BITS for character in segment):
        return None
    bits = "".join(_BITS[character] for character in segment)
    octets = [int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)]
    left = bits[len(octets) * 8 :]
    if not segment or len(left) >= 6 or "1" in left:
        return None
    return bytes(octets)


def read_gate(token: object, most: int) -> tuple[str, bytes, bytes, bytes]:
    """Return what is signed of *token*, and its three segments, decoded.

    Raises:
        Refused: `malformed_token`.
    """
    if not isinstance(token, str) or len(token.encode("utf-8", "surrogatepass")) > most:
        raise Refused("malformed_token")
    segments = token.split(".")
    octets = [decoded for segment in segments if (decoded := read_segment(segment)) is not None]
    if len(segments) != 3 or len(octets) != 3:
        raise Refused("malformed_token")
    return f"{segments[0]}.{segments[1]}", octets[0], octets[1], octets[2]


def read_json(octets: bytes) -> dict[str, Any]:
    """Read a header or a payload.

    Raises:
        Refused: `malformed_token`.
    """
    try:
        return read_object(octets)
    except NotStrict:
        raise Refused("malformed_token") from None


def read_token(token: object, most: int, algorithms: set[str], types: set[str]) -> Token:
    """Read *token* as far as its header goes.

    Args:
        token: what came.
        most: `MAX_TOKEN_BYTES`.
        algorithms: `ALLOWED_ALGORITHMS`.
        types: `ACCEPTED_TYPES`, in small letters.

    Raises:
        Refused: by the first rule that fails.
    """
    signed, first, payload, signature = read_gate(token, most)
    header = read_json(first)
    check_header(header, algorithms, types)
    return Token(header, payload, signed.encode("ascii"), signature)


def check_header(header: dict[str, Any], algorithms: set[str], types: set[str]) -> None:
    """Check a header, in the order of the contract.

    Raises:
        Refused: by the first rule that fails.
    """
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise Refused("malformed_token")
    if algorithm not in algorithms and not (algorithm in ("Ed25519", "Ed448") and "EdDSA" in algorithms):
        raise Refused("unsupported_algorithm")
    if "typ" in header:
        if not isinstance(header["typ"], str):
            raise Refused("malformed_token")
        if header["typ"].lower() not in types:
            raise Refused("unsupported_type")
    if "kid" in header and not isinstance(header["kid"], str):
        raise Refused("malformed_token")
    if "crit" in header or header.get("b64", True) is not True:
        raise Refused("unsupported_critical_header")


def read_tag(claims: dict[str, Any], tag_claim: str) -> str:
    """Return the tag.

    Raises:
        Refused: `missing_tag`.
    """
    tag = claims.get(tag_claim)
    if not isinstance(tag, str) or not 1 <= len(tag) <= 128:
        raise Refused("missing_tag")
    return tag

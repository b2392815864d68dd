"""Checks the form of a token, and reads its header and payload. Nothing that leaves this module has been verified.

A token is three unpadded base64url segments (RFC 7515, section 3.1): header, payload, signature. This module denies any
other text before a library or a table sees it. It then reads header and payload as strict JSON.
"""

import re
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from auth_jwt.errors import Denied, Reason
from auth_jwt.strict_json import strict_json_object

_HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
HMAC_ALGORITHMS = frozenset(_HMAC_ALGORITHMS)
ALGORITHMS = (
    *_HMAC_ALGORITHMS,
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""Every algorithm that this service can verify. `none` is not among them, and no setting can add it."""

EDDSA = "EdDSA"
EDDSA_BY_CURVE = frozenset({"Ed25519", "Ed448"})
"""The names of EdDSA over one curve (RFC 9864, section 2.2). They are allowed wherever `EdDSA` is."""

MAX_TOKEN_BYTES = 16384
MAX_TAG_CHARACTERS = 128
_MAX_REMEMBERED_HEADERS = 128
_MAX_REMEMBERED_CHARACTERS = 512

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
# The characters with which a segment may end: those that leave no bit of their six behind the last whole byte, or only
# zeros. Which they are depends on how many characters the last group of four has (the key; 0 is a whole group). A
# character alone carries less than a byte, so no segment ends with one.
_LAST_CHARACTERS = {
    0: frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    1: frozenset(),
    2: frozenset("AQgw"),
    3: frozenset("AEIMQUYcgkosw048"),
}
_PADDING = (b"", b"", b"==", b"=")
_TO_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """What a header may hold.

    Attributes:
        algorithms: the accepted `alg` values, compared case-sensitively.
        types: the accepted `typ` values, in lower case. None accepts any.
    """

    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    types: frozenset[str] | None = frozenset({"jwt"})


_ANY_JWT = HeaderRules()


@dataclass(slots=True)
class UnverifiedHeader:
    """A header that fits the rules. Nothing in it may be trusted yet. Tokens with equal headers share one.

    Attributes:
        members: the members of the JSON object.
        algorithm: its `alg`.
        kid: its `kid`.
        rendered: its text in a decoded token, kept here by `auth_jwt.jose.decoded`; None until that renders it.
    """

    members: Mapping[str, Any] = field(repr=False)
    algorithm: str
    kid: str | None = field(repr=False)
    rendered: str | None = field(default=None, repr=False)


@dataclass(slots=True)  # not frozen: one is made for every request, and that would take four times as long
class UnverifiedJws:
    """A well-formed token. Nothing in it may be trusted yet."""

    header: UnverifiedHeader
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The header's `alg`."""
        return self.header.algorithm

    @property
    def kid(self) -> str | None:
        """The header's `kid`."""
        return self.header.kid


def unverified_jws(
    token: object, rules: HeaderRules | None = None, *, max_bytes: int = MAX_TOKEN_BYTES
) -> UnverifiedJws:
    """Check the form of *token* and read its header. The payload stays bytes.

    Args:
        token: a JWS in compact serialization; any other value is denied.
        rules: what the header may hold; by default every algorithm of the service and the type `JWT`.
        max_bytes: the longest token accepted.

    Raises:
        Denied: `malformed_token`, `unsupported_algorithm`, `unsupported_type` or `unsupported_critical_header`.
    """
    rules = rules or _ANY_JWT
    segments = _segments_of(token, max_bytes)
    header, payload, signature = segments.groups()
    payload, signature = decoded_segment(payload), decoded_segment(signature)
    read = _recall_header if len(header) <= _MAX_REMEMBERED_CHARACTERS else _read_header
    members = read(header, rules.algorithms, rules.types)
    return UnverifiedJws(members, payload, segments.string[: segments.end(2)].encode("ascii"), signature)


def unverified_payload(token: object, *, max_bytes: int) -> bytes:
    """Return the payload of *token*, whatever its header holds. The arguments are as of `unverified_jws`.

    Raises:
        Denied: `malformed_token`.
    """
    return decoded_segment(_segments_of(token, max_bytes)[2])


def unverified_object(text: bytes) -> dict[str, Any]:
    """Read *text* as one strict JSON object in UTF-8; see `auth_jwt.strict_json`.

    Raises:
        Denied: `malformed_token`.
    """
    try:
        return strict_json_object(text.decode("utf-8"))
    except ValueError:
        raise Denied(Reason.MALFORMED_TOKEN) from None


def unverified_tag(claims: dict[str, Any], tag_claim: str) -> str:
    """Return the tag that *claims* name. Use it only as a key in a lookup: it is not verified yet.

    Raises:
        Denied: `missing_tag` unless the claim is a non-empty string of at most 128 characters.
    """
    tag = claims.get(tag_claim)
    if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG_CHARACTERS:
        raise Denied(Reason.MISSING_TAG)
    return tag


def decoded_segment(segment: str) -> bytes:
    """Decode a *segment* of unpadded base64url whose unused last bits are zero.

    Raises:
        Denied: `malformed_token`.
    """
    beyond = len(segment) % 4
    if segment[-1] not in _LAST_CHARACTERS[beyond]:
        raise Denied(Reason.MALFORMED_TOKEN)
    return a2b_base64(segment.encode("ascii").translate(_TO_STANDARD_BASE64) + _PADDING[beyond])


def is_allowed(algorithm: str, algorithms: frozenset[str]) -> bool:
    """Tell whether *algorithm* is among *algorithms*. `EdDSA` allows the names of its curves (RFC 9864)."""
    return (EDDSA if algorithm in EDDSA_BY_CURVE else algorithm) in algorithms


def check_type(header: UnverifiedHeader, types: frozenset[str] | None) -> None:
    """Check the `typ` of a header against *types*, in lower case; None accepts any (RFC 7515, section 4.1.9).

    Raises:
        Denied: `malformed_token` or `unsupported_type`.
    """
    _check_type(header.members, types)


def _segments_of(token: object, max_bytes: int) -> re.Match[str]:
    # Every character that the pattern admits is one byte, so the number of characters is the number of bytes.
    if not isinstance(token, str) or len(token) > max_bytes:
        raise Denied(Reason.MALFORMED_TOKEN)
    segments = _COMPACT.fullmatch(token)
    if segments is None:
        raise Denied(Reason.MALFORMED_TOKEN)
    return segments


def _check_type(header: Mapping[str, Any], types: frozenset[str] | None) -> None:
    if types is None or "typ" not in header:
        return
    kind = header["typ"]
    if not isinstance(kind, str):
        raise Denied(Reason.MALFORMED_TOKEN)
    if kind.lower() not in types:
        raise Denied(Reason.UNSUPPORTED_TYPE)


def _read_header(segment: str, algorithms: frozenset[str], types: frozenset[str] | None) -> UnverifiedHeader:
    """Read a header and check it against the rules (RFC 7515, section 4.1; RFC 7797)."""
    header = unverified_object(decoded_segment(segment))
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Denied(Reason.MALFORMED_TOKEN)
    if not is_allowed(algorithm, algorithms):
        raise Denied(Reason.UNSUPPORTED_ALGORITHM)
    _check_type(header, types)
    if "kid" in header and not isinstance(kid, str):
        raise Denied(Reason.MALFORMED_TOKEN)
    if "crit" in header or header.get("b64", True) is not True:
        raise Denied(Reason.UNSUPPORTED_CRITICAL_HEADER)
    return UnverifiedHeader(header, algorithm, kid)


# All tokens of an issuer have the same header, or one for each key. Remembering a header remembers no verdict.
_recall_header = lru_cache(maxsize=_MAX_REMEMBERED_HEADERS)(_read_header)

"""Pasted tokens: finds the token in what people copy from a header, a log or a configuration. Nothing shows it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from auth_jwt.errors import Denied
from auth_jwt.jose.lookalikes import is_key_material
from auth_jwt.jose.tokens import decoded_segment, unverified_object
from auth_jwt.strict_json import strict_json_object

BOM: Final = "\ufeff"
AROUND: Final = " \t\r\n\f\v"
QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
"""What comes along when people copy a token or a secret: a byte order mark, blanks and line ends, and quotes."""

_INVISIBLE: Final = re.compile("[\ufeff\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u00ad\0]+")
_FIELD_NAME: Final = re.compile(r"(?:(?:-H|--header)\s*)?['\"]?((?:proxy-)?authorization)\s*:\s*", re.IGNORECASE)
_SCHEME: Final = re.compile(r"bearer\s+", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"[?&]?((?:jwt_|access_|id_)?token)=", re.IGNORECASE)
_MEMBERS: Final = ("jwt_token", "access_token", "id_token", "token")
_PARTS: Final = (3, 5)  # of a JWS (RFC 7515, section 7.1) and of a JWE (RFC 7516, section 7.1)
_MOST_LAYERS: Final = 8
_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,32})-----")
_OPENSSH: Final = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)[a-z0-9@.-]+ ")
_PRIVATE: Final = (
    "this is a PRIVATE KEY, not a token: whoever has it can sign for its users; replace it if others could see it"
)
_HMAC_JWK: Final = "this is an HMAC secret (a JWK), not a token: rotate it if others could see it"
_PUBLIC: Final = "this is a public key, not a token"
_CERTIFICATE: Final = "this is a certificate, not a token"
_KEY_SET: Final = "this is a key set (a JWKS), not a token"
PUBLIC_KINDS: Final = frozenset({_PUBLIC, _CERTIFICATE, _KEY_SET})
"""What `key_pasted_as_token` says of keys that everybody may have."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """A token as somebody pasted it.

    Attributes:
        token: the token in it.
        removed: what was around it or in it, in words; never the text itself.
        spoils: those of *removed* with which the service would deny the token.
    """

    token: str = field(repr=False)
    removed: tuple[str, ...] = ()
    spoils: tuple[str, ...] = ()


def read_pasted(text: str) -> Pasted:
    """Find the token in what somebody pasted: with its header field, its scheme, quotes, line breaks, URL encoding.

    A key is left as it is, so that an explanation can say that it is one.
    """
    text = text.strip(AROUND)
    if key_pasted_as_token(text) is not None:
        return Pasted(text)
    removed: dict[str, bool] = {}
    for _ in range(_MOST_LAYERS):
        before = text
        for name, spoils, peel in _LAYERS:
            peeled = peel(text)
            if peeled is not None and peeled != text:
                text = peeled.strip(AROUND)
                removed[name(before) if callable(name) else name] = spoils
                break
        else:
            break
    return Pasted(text, tuple(removed), tuple(name for name, spoils in removed.items() if spoils))


def key_pasted_as_token(text: str) -> str | None:
    """Return what kind of key *text* is instead of a token, in words; None if it is no key.

    Of several keys, one that nobody else may have counts more than all others.
    """
    text = text.strip(AROUND + BOM)
    if labels := _PEM.findall(text):
        if any("PRIVATE KEY" in label for label in labels):
            return _PRIVATE
        return _CERTIFICATE if "CERTIFICATE" in labels[0] else _PUBLIC
    if _OPENSSH.match(text):
        return _PUBLIC
    document = _object_in(text)
    if document is None:
        is_key = "." not in text and is_key_material(text)
        return "this is a key (base64 or hex), not a token: replace it if it is private" if is_key else None
    members = document.get("keys")
    if document.get("kty") is not None or not isinstance(members, list):
        return _kind_of_jwk(document)
    kinds = [_kind_of_jwk(member) for member in members if isinstance(member, dict)]
    return next((kind for kind in (_PRIVATE, _HMAC_JWK) if kind in kinds), _KEY_SET)


def _kind_of_jwk(members: dict[str, Any]) -> str | None:
    kty = members.get("kty")
    if kty is None:
        return None
    if kty == "oct":
        return _HMAC_JWK
    return _PRIVATE if "d" in members else _PUBLIC


def is_token(text: str) -> bool:
    """Tell whether *text*, as people paste it, is a token: its first part is the header of a JWS or JWE."""
    parts = read_pasted(text).token.split(".")
    if len(parts) not in _PARTS:
        return False
    try:
        return isinstance(unverified_object(decoded_segment(parts[0])).get("alg"), str)
    except Denied:
        return False


def _object_in(text: str) -> dict[str, Any] | None:
    try:
        return strict_json_object(text)
    except ValueError:
        return None


def _member(text: str) -> str | None:
    document = _object_in(text) or {}
    return next((document[name] for name in _MEMBERS if isinstance(document.get(name), str)), None)


def _without(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.match(text)
    return text[found.end() :] if found else None


def _name_of_field(text: str) -> str:
    found = _FIELD_NAME.match(text)
    return f"`{found[1].title()}:`" if found else ""


def _name_of_parameter(text: str) -> str:
    found = _PARAMETER.match(text)
    return f"`{found[1]}=`" if found else ""


_LAYERS: Final[tuple[tuple[str | Callable[[str], str], bool, Callable[[str], str | None]], ...]] = (
    ("invisible characters", True, lambda text: _INVISIBLE.sub("", text)),
    ("JSON around it", False, _member),
    (_name_of_field, False, lambda text: _without(_FIELD_NAME, text)),
    (_name_of_parameter, False, lambda text: _without(_PARAMETER, text)),
    ("`Bearer`", False, lambda text: _without(_SCHEME, text)),
    ("quotes", True, lambda text: text.strip(QUOTES)),
    ("a comma or semicolon at its end", True, lambda text: text.rstrip(",;")),
    ("URL encoding", True, lambda text: unquote(text) if "%" in text else None),
    ("line breaks and blanks", True, lambda text: re.sub(r"\s+|\\[rn]", "", text)),
)
"""What may be around a token, from the outside in: its name, whether it spoils the token, and what takes it away."""

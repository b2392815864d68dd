"""HTTP as it stands on the wire, whoever carries it: bearer tokens, challenges, bodies, problems.

RFC 6750 and RFC 8898 (bearer tokens, in SIP too), RFC 9110 (`Authorization`), RFC 9457 (problems), RFC 8259 (JSON),
and the WHATWG's URL standard (forms).
"""

import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import Any, Final, NoReturn
from urllib.parse import quote, unquote_to_bytes

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# RFC 9110, section 11.4: a credential is a scheme, then blanks, then what is its own; a parameter is `name=value`.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+("|\\?\Z)', re.DOTALL)  # closed, or to the end
_SCHEME = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+[^\s=]|\s*\Z)")

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TO_SMALL = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}

_BYTE_ORDER_MARK: Final = "\ufeff"
_MAX_INTEGER_DIGITS: Final = 20
_MAX_LEVELS: Final = 256  # for the decoder, which recurses
# Unclosed strings run to the end, or hostile text could have it search on from every quote.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[][{}]', re.DOTALL)


class NotWellFormed(ValueError):
    """The request is not one of ours; the message tells a frontend's developer why and quotes no value."""


class BodyTooLarge(Exception):
    """The body is longer than any that is read."""


class Ambiguous(dict[str, Any]):
    """A JSON object that names a member twice; two readers may read it differently, so no member of it counts."""


def bearer_token(values: Sequence[str]) -> str | None:
    """Return the Bearer token in the `Authorization` *values* of a request.

    Returns:
        None when there is none, or a scheme other than Bearer; empty text when the scheme stands alone.

    Raises:
        NotWellFormed: there is more than one value, or values are joined by commas.
    """
    if len(values) > 1 or (values and "," in values[0] and _is_several(values[0])):
        raise NotWellFormed("more than one Authorization value")
    if not values:
        return None
    scheme, _, token = values[0].strip(" \t").replace("\t", " ").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def values_of(name: str, lists: object, singles: object, *, fold: Callable[[str], str] = str) -> list[str]:
    """Return the values of a field that a gateway gives as a list of values, as a single value, or as both.

    Args:
        name: of the field, folded.
        lists: a dict of names to lists; anything else is none.
        singles: a dict of names to values, asked when the *lists* have no such name; anything else is none.
        fold: what makes two names one.
    """
    values: list[str] = []
    size = len(name)  # most names differ by it, and nothing tells so sooner
    if isinstance(lists, dict):
        for other in [other for other in lists if len(other) == size]:
            if fold(other) == name and isinstance(lists[other], list):
                values.extend(map(str, lists[other]))
    if not values and isinstance(singles, dict):
        values = [
            str(value)
            for other, value in singles.items()
            if len(other) == size and fold(other) == name and value is not None
        ]
    return values


def challenge(realm: str, *, authz_server: str | None = None, error: str | None = None) -> str:
    """Write the value of a `WWW-Authenticate` header field.

    Args:
        realm: shown to the user; any printable ASCII.
        authz_server: where a token can be had (RFC 8898, section 4).
        error: RFC 6750's error code; None when no token was presented.
    """
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    parts = [f'realm="{quoted}"']
    if authz_server:
        parts.append(f'authz_server="{authz_server}"')
    if error:
        parts.append(f'error="{error}"')
    return f"Bearer {', '.join(parts)}"


def body_members(body: bytes, content_type: str) -> dict[str, Any]:
    """Read the members of a JSON or form *body*; an empty one has none.

    A form is read as the WHATWG's URL standard has it. JSON is that of RFC 8259, behind a byte order mark or not: what
    a token may not hold, a member may (U+0000, half of a surrogate pair, any number, any depth). An object within, when
    it names a member twice, is `Ambiguous`.

    Raises:
        NotWellFormed: it is neither, not an object, or names a member twice.
    """
    if not body:
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        return _form_members(body)
    if media_type != JSON and not media_type.endswith("+json"):
        raise NotWellFormed(f"the Content-Type is neither {JSON} nor {FORM}")
    try:
        members = _json_value(body.decode("utf-8").removeprefix(_BYTE_ORDER_MARK))
    except ValueError:
        raise NotWellFormed("the body is not well-formed JSON") from None
    if not isinstance(members, dict):
        raise NotWellFormed("the body is not a JSON object")
    if isinstance(members, Ambiguous):
        raise NotWellFormed(_TWICE)
    return members


def ascii_lower(text: str) -> str:
    """Fold the capitals A to Z in *text*, and nothing else: U+212A is a Kelvin sign, and no `k`."""
    return text.lower() if text.isascii() else text.translate(_TO_SMALL)


def problem(status: HTTPStatus, name: str, request_id: str, **members: object) -> str:
    """Write an RFC 9457 problem. Only a denial has a member `code`."""
    return compact_json(
        {
            "type": f"urn:auth-jwt:problem:{name}",
            "title": status.phrase,
            "status": status.value,
            "instance": f"urn:request:{quote(request_id)}",
            **members,
        }
    )


def compact_json(value: object) -> str:
    """Write *value* as JSON without blanks, in UTF-8."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) in (int, float):  # the encoder would take ten times as long for one
        return repr(value)
    return _ENCODER.encode(value)


def _is_several(value: str) -> bool:
    """Tell whether *value* joins several credentials, and not just the parameters of one (Digest, AWS4)."""
    if re.match(r"\s*bearer(?:[ \t,]|\Z)", value, re.IGNORECASE):
        return "," in value
    parts = _QUOTED.sub(lambda quoted: '""' if quoted[1] == '"' else quoted[0], value).split(",")
    return any(_SCHEME.match(part) for part in parts[1:])


def _form_members(body: bytes) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for pair in body.split(b"&"):
        if not pair:
            continue
        name, _, value = map(_form_text, pair.partition(b"="))
        if not members and name.lstrip(f" \t\r\n{_BYTE_ORDER_MARK}").startswith("{"):
            raise NotWellFormed(f"the body is sent as a form and looks like JSON: send Content-Type: {JSON}")
        if name in members:
            raise NotWellFormed(_TWICE)
        members[name] = value
    return members


def _form_text(octets: bytes) -> str:
    return unquote_to_bytes(octets.replace(b"+", b" ")).decode("utf-8", "replace")


def _json_value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    # Counting takes a microsecond, and a text that is short enough need not be counted.
    if len(text) > 2 * _MAX_LEVELS and text.count("{") + text.count("[") > _MAX_LEVELS:
        text = _without_depths(text)
    return _DECODER.decode(text)


def _without_depths(text: str) -> str:
    """Write null for what stands more than `_MAX_LEVELS` levels deep in a JSON *text*, once it was found to be JSON.

    It is read from the inside out, a few levels at a time: so no text has the decoder recurse without end.

    Raises:
        ValueError: some of it is not JSON.
    """
    depth = done = 0
    open_texts: list[list[str]] = [[]]
    for found in _STRING_OR_BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth % _MAX_LEVELS == 0:
                open_texts[-1].append(text[done : found.start()])
                open_texts.append([])
                done = found.start()
        elif found[0] in "]}":
            if depth % _MAX_LEVELS == 0:
                if len(open_texts) == 1:
                    raise ValueError("closed, and never opened")
                _DECODER.decode("".join([*open_texts.pop(), text[done : found.end()]]))
                open_texts[-1].append("null")
                done = found.end()
            depth -= 1
    if len(open_texts) > 1:
        raise ValueError("opened, and never closed")
    return "".join([*open_texts[0], text[done:]])


def _object_of(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    return value if len(value) == len(members) else Ambiguous(value)


def _number_of(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)  # many digits would take long


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_TWICE: Final = "the body names a member twice"
_DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_int=_number_of, parse_constant=_no_number)

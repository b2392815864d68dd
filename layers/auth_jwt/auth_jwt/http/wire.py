"""HTTP as text, independent of what carries it: bearer tokens, challenges, bodies, problems.

RFC 6750 and RFC 8898 (bearer tokens, in SIP too), RFC 9110 (`Authorization`), RFC 9457 (problems), RFC 8259 (JSON),
and the WHATWG's URL standard (forms).
"""

import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from auth_jwt.strict_json import STRING_PATTERN, refuse_constant

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# RFC 9110, section 11.4: a credential is a scheme, then blanks, then a token or parameters (`name=value`).
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+("|\\?\Z)', re.DOTALL)  # up to the closing quote, or to the end
_SCHEME = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+[^\s=]|\s*\Z)")

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_BYTE_ORDER_MARK: Final = "\ufeff"
_MAX_INTEGER_DIGITS: Final = 20
_MAX_LEVELS: Final = 256  # of nesting, since the decoder recurses
_STRING_OR_BRACKET = re.compile(rf"{STRING_PATTERN}|[][{{}}]", re.DOTALL)


class Malformed(ValueError):
    """The request is malformed. The message tells the developer of a frontend why, and quotes no value."""


class BodyTooLarge(Exception):
    """The body is longer than allowed."""


class Ambiguous(dict[str, Any]):
    """A JSON object that names a member twice. Two readers may read it differently, so none of its members counts."""


def bearer_token(values: Sequence[str]) -> str | None:
    """Return the Bearer token in the `Authorization` *values* of a request.

    Returns:
        The token; empty text when nothing follows the scheme. None when there is no value, or its scheme is not Bearer.

    Raises:
        Malformed: there is more than one value, or values are joined by commas.
    """
    if len(values) > 1 or (values and "," in values[0] and _is_several(values[0])):
        raise Malformed("more than one Authorization value")
    if not values:
        return None
    scheme, _, token = values[0].strip(" \t").replace("\t", " ").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def values_of(name: str, lists: object, singles: object, *, fold: Callable[[str], str] = str) -> list[str]:
    """Return the values of a field that a gateway gives as a list of values, as a single value, or as both.

    Args:
        name: the name of the field, folded.
        lists: a dict of names to lists; anything else counts as empty.
        singles: a dict of names to values, read when *lists* does not have the name; anything else counts as empty.
        fold: maps names that count as equal to the same text.
    """
    values: list[str] = []
    size = len(name)  # the fastest test: most names differ in length
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
    """Return the value of a `WWW-Authenticate` header field.

    Args:
        realm: shown to the user; any printable ASCII.
        authz_server: URL of the server that issues tokens (RFC 8898, section 4).
        error: RFC 6750's error code; None when the request has no token.
    """
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    parts = [f'realm="{quoted}"']
    if authz_server:
        parts.append(f'authz_server="{authz_server}"')
    if error:
        parts.append(f'error="{error}"')
    return f"Bearer {', '.join(parts)}"


def body_members(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the members of a JSON or form *body*. An empty body has none.

    Forms are read by the WHATWG's URL standard. JSON is that of RFC 8259, with or without a byte order mark. A member
    may hold what a token may not: U+0000, half of a surrogate pair, any number, any depth. A nested object that names
    a member twice is `Ambiguous`.

    Raises:
        Malformed: the body is neither JSON nor a form, or is not an object, or names a member twice.
    """
    if not body:
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        return _form_members(body)
    if media_type != JSON and not media_type.endswith("+json"):
        raise Malformed(f"the Content-Type is neither {JSON} nor {FORM}")
    try:
        members = _json_value(body.decode("utf-8").removeprefix(_BYTE_ORDER_MARK))
    except ValueError:
        raise Malformed("the body is not well-formed JSON") from None
    if not isinstance(members, dict):
        raise Malformed("the body is not a JSON object")
    if isinstance(members, Ambiguous):
        raise Malformed(_TWICE)
    return members


def problem(status: HTTPStatus, name: str, request_id: str, **members: object) -> str:
    """Return an RFC 9457 problem as JSON. Only a denial has a member `code`."""
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
    """Return *value* as JSON without blanks. Characters outside ASCII are not escaped."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) in (int, float):  # the encoder takes ten times as long
        return repr(value)
    return _ENCODER.encode(value)


def _is_several(value: str) -> bool:
    """Tell whether *value* joins several credentials. Digest and AWS4 have commas between the parameters of one."""
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
            raise Malformed(f"the body is sent as a form and looks like JSON: send Content-Type: {JSON}")
        if name in members:
            raise Malformed(_TWICE)
        members[name] = value
    return members


def _form_text(octets: bytes) -> str:
    return unquote_to_bytes(octets.replace(b"+", b" ")).decode("utf-8", "replace")


def _json_value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    # Counting takes a microsecond. A text that is too short for that many levels is not counted.
    if len(text) > 2 * _MAX_LEVELS and text.count("{") + text.count("[") > _MAX_LEVELS:
        text = _replace_depths(text)
    return _DECODER.decode(text)


def _replace_depths(text: str) -> str:
    """Replace the parts of a JSON *text* that are more than `_MAX_LEVELS` levels deep by null, after checking them.

    The parts are decoded from the inside out, at most that many levels at a time, so the recursion is bounded.

    Raises:
        ValueError: a part is not JSON.
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
            if depth % _MAX_LEVELS == 0:  # what ends with a bracket that was never opened is no JSON
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
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)  # `int` takes long for many digits


_TWICE: Final = "the body names a member twice"
_DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_int=_number_of, parse_constant=refuse_constant)

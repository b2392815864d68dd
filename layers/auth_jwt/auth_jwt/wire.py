"""HTTP as it stands on the wire, whoever carries it: bearer tokens, challenges, bodies, problems.

RFC 6750 and RFC 8898 (bearer tokens, in SIP too), RFC 9110 (`Authorization`), RFC 9457 (problems).
"""

import json
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import parse_qsl, quote

from auth_jwt.tokens import strict_json_object

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_MAX_FORM_FIELDS = 64

# RFC 9110, section 11.4: a credential is a scheme, then blanks, then what is its own; a parameter is `name=value`.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+("|\\?\Z)', re.DOTALL)  # closed, or to the end
_SCHEME = re.compile(r"\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+[^\s=]|\s*\Z)")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class NotWellFormed(ValueError):
    """The request is not one of ours; the message tells a frontend's developer why and quotes no value."""


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
    if isinstance(lists, dict):
        for other in lists:
            if len(other) == len(name) and fold(other) == name and isinstance(lists[other], list):
                values.extend(map(str, lists[other]))
    if not values and isinstance(singles, dict):
        values = [
            str(value)
            for other, value in singles.items()
            if len(other) == len(name) and fold(other) == name and value is not None
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

    Raises:
        NotWellFormed: it is neither, not an object, or names a member twice.
    """
    if not body:
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != FORM and media_type != JSON and not media_type.endswith("+json"):
        raise NotWellFormed(f"the Content-Type is neither {JSON} nor {FORM}")
    read, kind = (_form_members, "form") if media_type == FORM else (strict_json_object, "JSON object")
    try:
        return read(body.decode("utf-8"))
    except ValueError:
        raise NotWellFormed(f"the body is not a well-formed {kind}, or names a member twice") from None


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


def _form_members(text: str) -> dict[str, Any]:
    pairs = parse_qsl(
        text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS
    )
    members: dict[str, Any] = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members

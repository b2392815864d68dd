"""Renders a decoded token as the OpenSIPS module does, byte for byte (libjwt 1.x over jansson).

A decoded token is `HEADER.PAYLOAD`, two compact JSON texts joined by a dot. Keys are sorted by their UTF-8 bytes, which
is also the order of Python's strings. Text stays raw UTF-8. Reals are C's `%.17g`, and get `.0` if they lack both `.`
and `e`.
"""

import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any, Final

from auth_jwt.jose.tokens import UnverifiedHeader

_CONTROL = re.compile(r"\\u00([0-9a-f]{2})|\\\\")


def decoded_token(header: UnverifiedHeader, claims: Mapping[str, Any]) -> str:
    """Render *header* and *claims* as the OpenSIPS module does. A `typ` that is absent, or JWT in any case, is `JWT`.

    The text of a header is kept in the header itself: tokens with equal headers share one, so most find it there.
    """
    if header.rendered is None:
        members = header.members
        if str(members.get("typ", "JWT")).upper() == "JWT":
            members = {**members, "typ": "JWT"}
        header.rendered = _render_object(members)
    return f"{header.rendered}.{_render_object(claims)}"


def _render_text(value: str) -> str:
    # The standard library escapes as the OpenSIPS module does, but writes the digits in \u00XX in lower case.
    text = encode_basestring(value)
    return _CONTROL.sub(_upper_case_digits, text) if "\\u00" in text else text


def _upper_case_digits(escape: re.Match[str]) -> str:
    return f"\\u00{escape[1].upper()}" if escape[1] else escape[0]


def _render_real(value: float) -> str:
    digits, exponent_mark, exponent = f"{value:.17g}".partition("e")
    if exponent_mark:
        return f"{digits}e{int(exponent)}"
    return digits if "." in digits else f"{digits}.0"


def _render_array(value: list[Any]) -> str:
    return f"[{','.join([_RENDERERS[type(item)](item) for item in value])}]"


def _render_object(value: Mapping[str, Any]) -> str:
    members = [f"{_render_text(name)}:{_RENDERERS[type(value[name])](value[name])}" for name in sorted(value)]
    return f"{{{','.join(members)}}}"


_RENDERERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _render_text,
    int: str,
    float: _render_real,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    list: _render_array,
    dict: _render_object,
}
"""The function that renders each Python type that JSON is read as."""

"""The decoded token as the OpenSIPS module renders it, byte for byte (libjwt 1.x over jansson).

`HEADER.PAYLOAD`: two compact JSON texts joined by a dot. Keys are sorted by their UTF-8 bytes, which is the order of
Python's strings too; text stays raw UTF-8; reals are C's `%.17g`, made to look like reals.
"""

import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any, Final

from auth_jwt.jose.tokens import UnverifiedHeader

_CONTROL = re.compile(r"\\u00([0-9a-f]{2})|\\\\")


def decoded_token(header: UnverifiedHeader, claims: Mapping[str, Any]) -> str:
    """Render *header* and *claims* as the module does; `typ` is shown as `JWT` when absent or any case of JWT."""
    if header.rendered is None:
        members = header.members
        if str(members.get("typ", "JWT")).upper() == "JWT":
            members = {**members, "typ": "JWT"}
        header.rendered = _object(members)
    return f"{header.rendered}.{_object(claims)}"


def _text(value: str) -> str:
    # The standard library escapes what the module does, but for the case of the digits in \u00XX.
    text = encode_basestring(value)
    return _CONTROL.sub(_with_upper_case_digits, text) if "\\u00" in text else text


def _with_upper_case_digits(escape: re.Match[str]) -> str:
    return f"\\u00{escape[1].upper()}" if escape[1] else escape[0]


def _real(value: float) -> str:
    digits, exponent_mark, exponent = f"{value:.17g}".partition("e")
    if exponent_mark:
        return f"{digits}e{int(exponent)}"
    return digits if "." in digits else f"{digits}.0"


def _array(value: list[Any]) -> str:
    return f"[{','.join([_RENDERERS[type(item)](item) for item in value])}]"


def _object(value: Mapping[str, Any]) -> str:
    members = [f"{_text(name)}:{_RENDERERS[type(value[name])](value[name])}" for name in sorted(value)]
    return f"{{{','.join(members)}}}"


_RENDERERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: _text,
    int: str,
    float: _real,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    list: _array,
    dict: _object,
}
"""How each type that JSON is read as is written."""

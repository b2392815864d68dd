"""The decoded token as the OpenSIPS module renders it, byte for byte (libjwt 1.x over jansson).

`HEADER.PAYLOAD`: two compact JSON texts joined by a dot. Keys are sorted by their UTF-8 bytes, which is the order of
Python's strings too; text stays raw UTF-8; reals are C's `%.17g`, made to look like reals.
"""

import re
from collections.abc import Mapping
from typing import Any

_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LITERALS = {True: "true", False: "false", None: "null"}


def decoded_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Render *header* and *claims* as the module does; `typ` is shown as `JWT` when absent or any case of JWT."""
    if str(header.get("typ", "JWT")).upper() == "JWT":
        header = {**header, "typ": "JWT"}
    return f"{_rendered(header)}.{_rendered(claims)}"


def _rendered(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, list):
        return f"[{','.join(map(_rendered, value))}]"
    return "{%s}" % ",".join(f"{_text(name)}:{_rendered(value[name])}" for name in sorted(value))  # noqa: UP031


def _text(value: str) -> str:
    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _ESCAPES.get(character) or f"\\u{ord(character):04X}"


def _real(value: float) -> str:
    digits, exponent_mark, exponent = f"{value:.17g}".partition("e")
    if exponent_mark:
        return f"{digits}e{int(exponent)}"
    return digits if "." in digits else f"{digits}.0"

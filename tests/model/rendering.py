"""The decoded token: two compact JSON texts, as the contract has the OpenSIPS module write them."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SEVENTEEN_DIGITS = Context(prec=17, rounding=ROUND_HALF_EVEN)


def decoded_token(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Render *header* and *claims*. A `typ` that is absent, or JWT in any case, is shown as `JWT`."""
    kind = header.get("typ", "JWT")
    if isinstance(kind, str) and kind in ("JWT", "JWt", "JwT", "Jwt", "jWT", "jWt", "jwT", "jwt"):
        header = {**header, "typ": "JWT"}
    return f"{render(header)}.{render(claims)}"


def render(value: Any) -> str:
    """Render one JSON value."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, list):
        return "[" + ",".join(render(item) for item in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-8"))
    return "{" + ",".join(_text(name) + ":" + render(value[name]) for name in names) + "}"


def _text(value: str) -> str:
    shown = ""
    for character in value:
        if character in _ESCAPES:
            shown += _ESCAPES[character]
        elif ord(character) < 0x20:
            shown += f"\\u{ord(character):04X}"
        else:
            shown += character
    return f'"{shown}"'


def _real(value: float) -> str:
    """C's `%.17g`, from the exact value of the double, with `.0` where there is neither `.` nor `e`."""
    sign = "-" if str(value).startswith("-") else ""
    rounded = _SEVENTEEN_DIGITS.plus(abs(Decimal(value)))
    if not rounded:
        return f"{sign}0.0"
    digits = "".join(map(str, rounded.as_tuple().digits))
    exponent = rounded.adjusted()
    digits = digits.rstrip("0") or "0"
    if exponent < -4 or exponent >= 17:
        mantissa = digits[0] + (f".{digits[1:]}" if digits[1:] else "")
        return f"{sign}{mantissa}e{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{rest or '0'}"

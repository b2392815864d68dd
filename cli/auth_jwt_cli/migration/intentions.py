"""Tells what a row of our own tables was meant to say, where the service assumes the safer of two meanings."""

import re
from decimal import Decimal
from typing import Final

_NO: Final = frozenset(
    {"", "false", "f", "no", "n", "off", "null", "none", "nil", "undefined", "never", "enabled", "active"}
)
_ZERO: Final = re.compile(r"[+-]?0+(?:\.0*)?", re.ASCII)


def is_disabled_on_purpose(value: object) -> bool:
    """Tell whether a *value* that disables a profile was meant to disable it.

    Our own commands write `true`. Other importers write 1, or text such as `yes` or a date. The service disables a
    profile for every value but 0 and false. So NULL, bytes of zeros or a text that means no disable it by mistake. A
    list or a map is not meant either: it belongs to another column.
    """
    if isinstance(value, bool | Decimal):
        return value != 0
    if isinstance(value, str):
        text = value.strip(" \t\r\n\0").lower()
        return text not in _NO and not _ZERO.fullmatch(text)
    octets = value.get("B") if isinstance(value, dict) else None
    return isinstance(octets, bytes) and any(octets) and octets.strip() not in (b"0", b"")

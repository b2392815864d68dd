"""What a row of our own tables was meant to say, where the service takes it for the safer of two things."""

import re
from decimal import Decimal
from typing import Final

_NO: Final = frozenset(
    {"", "false", "f", "no", "n", "off", "null", "none", "nil", "undefined", "never", "enabled", "active"}
)
_ZERO: Final = re.compile(r"[+-]?0+(?:\.0*)?", re.ASCII)


def is_disabled_on_purpose(value: object) -> bool:
    """Tell whether what disables a profile says so.

    Our own commands write `true`. Importers bring 1, and text like `yes` or a date. Everything that is not 0 or false
    disables, so a text that says no, NULL or bytes of zeros have done so against their meaning; and what is a list or a
    map belongs to another column.
    """
    if isinstance(value, bool | Decimal):
        return value != 0
    if isinstance(value, str):
        text = value.strip(" \t\r\n\0").lower()
        return text not in _NO and not _ZERO.fullmatch(text)
    octets = value.get("B") if isinstance(value, dict) else None
    return isinstance(octets, bytes) and any(octets) and octets.strip() not in (b"0", b"")

"""Bounds of windows, as rows of other writers have them: milliseconds, text of digits, nothing at all."""

import re
from decimal import Decimal
from typing import Final

_MILLISECONDS: Final = (10**12, 10**14)
"""As milliseconds, from 2001 to 5138; as seconds, far beyond the year 9999, which people write for ever."""
_DIGITS: Final = re.compile(r"\s*([0-9]{1,20})(?:\.[0-9]{1,20})?\s*", re.ASCII)


def is_in_milliseconds(number: int | Decimal | None) -> bool:
    """Tell whether a *number* that should be UNIX seconds looks like milliseconds."""
    return number is not None and _MILLISECONDS[0] <= number < _MILLISECONDS[1]


def meant_seconds(bound: object) -> int | Decimal | None:
    """Return the UNIX seconds that a *bound* was meant to be; None where nobody can tell.

    A number is what it is, unless it looks like milliseconds. Text counts if it is nothing but digits, with a fraction
    or without: a date in text does not say of which time zone it is.
    """
    if isinstance(bound, str) and (digits := _DIGITS.fullmatch(bound)):
        bound = Decimal(digits[1])
    if not isinstance(bound, Decimal):
        return None
    return int(bound) // 1000 if is_in_milliseconds(bound) else bound

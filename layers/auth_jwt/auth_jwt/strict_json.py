"""JSON that is read so strictly that no two parsers can disagree about it: tokens, keys, configurations.

Bodies of requests are read leniently, by `auth_jwt.http.wire`. It shares two rules with this module: where a string
ends, and that `NaN` and `Infinity` are not JSON (RFC 8259, section 6).
"""

import json
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
_INT64: Final = range(-(2**63), 2**63)
_INT64_CHARACTERS: Final = 20
_BLANKS: Final = " \t\n\r"

STRING_PATTERN: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
"""Matches a JSON string, with the flag DOTALL. An unclosed string runs to the end of the text.

Otherwise hostile text could start a new search at every quote.
"""

_STRING: Final = re.compile(STRING_PATTERN, re.DOTALL)


def strict_json_object(text: str) -> dict[str, Any]:
    """Read *text* as one JSON object.

    Text that parsers may read differently is refused: a BOM, anything after the value, a member name given twice at any
    level, `NaN` and `Infinity`, integers outside signed 64 bit, numbers that overflow a double, lone surrogates,
    U+0000, and more than 64 levels.

    Raises:
        ValueError: it is not such an object. The message says why.
    """
    # Counting brackets is cheap and settles almost every text. Only a text with many brackets is measured.
    if text.count("{") + text.count("[") > MAX_DEPTH and _measure_depth(text) > MAX_DEPTH:
        raise ValueError("nested too deep")
    value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_BLANKS)))
    if text[end:].strip(_BLANKS):
        raise ValueError("text after the value")
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for every kind of malformed text
    # Lone surrogates and U+0000 come from an escape. A key that a request brings may also hold lone surrogates as such.
    if "\\u" in text or not text.isascii():
        _refuse_odd_text(value)
    return value


def refuse_constant(name: str) -> NoReturn:
    """Refuse `NaN`, `Infinity` and `-Infinity`, which `json` accepts otherwise.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is not JSON")


def _measure_depth(text: str) -> int:
    depth = deepest = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _build_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a member name is given twice")
    return value


def _parse_integer(digits: str) -> int:
    # 20 characters hold every signed 64-bit integer. Converting ten thousand digits would take long.
    if len(digits) > _INT64_CHARACTERS or (value := int(digits)) not in _INT64:
        raise ValueError("an integer outside signed 64 bit")
    return value


def _parse_real(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number that overflows a double")
    return value


def _refuse_odd_text(value: object) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            item.encode("utf-8")  # UnicodeEncodeError, a ValueError, for a lone surrogate
            if "\0" in item:
                raise ValueError("U+0000 in a string")
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_build_object,
    parse_int=_parse_integer,
    parse_float=_parse_real,
    parse_constant=refuse_constant,
)

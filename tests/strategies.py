"""What hypothesis draws from, shared by the property tests."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.factories import NOW

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
REALS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | INTEGERS | REALS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)
"""What strict JSON can say."""

LAYOUTS: st.SearchStrategy[Mapping[str, Any]] = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"ensure_ascii": False},
        {"indent": 1},
        {"ensure_ascii": False, "indent": "\t", "sort_keys": True},
    ]
)
WRITTEN_OBJECTS = st.builds(lambda value, layout: json.dumps(value, **layout), OBJECTS, LAYOUTS)
ODD_PIECES = st.sampled_from(
    [
        *('"', "\\", "{", "}", "[", "]", ",", ":", "\\u0000", "\\ud800", "\\u00", "\0", "\ufeff", "\ud800", "NaN"),
        *("-", "0", "1e400", "9" * 30, "Infinity", ' "a":1,', "\n", "\t", "é", "//", "'", "true", "{" * 70, "[" * 70),
    ]
)


@st.composite
def damaged_text(draw: st.DrawFn) -> str:
    """An object as JSON, with a piece put in or cut out somewhere."""
    text = draw(WRITTEN_OBJECTS)
    at, until = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text[:at] + draw(ODD_PIECES | TEXT) + text[draw(st.sampled_from([at, min(until, at + 3)])) :]


ANY_TEXT = st.text(max_size=60) | WRITTEN_OBJECTS | damaged_text()
ANY_OCTETS = st.binary(max_size=60) | ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))

SECONDS = st.integers(-3, 3).map(lambda seconds: NOW + seconds)
INSTANTS = (
    SECONDS
    | st.integers(-3 * 1024, 3 * 1024).map(lambda part: NOW + part / 1024)  # reals that add up exactly
    | st.integers(-(2**40), 2**40)
)
BOUNDS = (
    INSTANTS.map(Decimal)
    | st.decimals(NOW - 2, NOW + 2, places=9)
    | st.decimals(Decimal("-1E+125"), Decimal("1E+125"), allow_nan=False)
)

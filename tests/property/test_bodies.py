"""Bodies: JSON as any reader reads it, however deep; forms as other readers of forms read them."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.http import wire
from auth_jwt.http.wire import FORM, JSON, Malformed, body_members


def _object(values: list[str]) -> str:
    members = ",".join(f'"{number}]": {value}' for number, value in enumerate(values))
    return f"{{{members}}}"


BRACKETS = st.lists(
    st.sampled_from(["[", "]", "{", "}", '"a":', ",", "1", '"]"', '"{\\\\\\""', " ", "null"]), max_size=24
)
NESTED = st.recursive(
    st.sampled_from(["1", "null", '"[{\\\\"', '""', "[]", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{' , '.join(values)}]")
        | st.lists(inner, max_size=3).map(_object)
    ),
    max_leaves=30,
)
FORMS = st.lists(st.sampled_from([*"&=+%;ab ", "%41", "%26", "%FF", "%C3%A9", "%zz"]), max_size=16).map("".join)


def read(body: bytes, kind: str) -> dict[str, Any] | None:
    """What the reader makes of a body, None when it is refused."""
    try:
        return body_members(body, kind)
    except Malformed:
        return None


def outline(value: object, levels: int) -> object:
    """A value down to a level: what is nested deeper is null."""
    if isinstance(value, dict):
        return {name: outline(of, levels - 1) for name, of in value.items()} if levels > 1 else None
    if isinstance(value, list):
        return [outline(of, levels - 1) for of in value] if levels > 1 else None
    return value


@pytest.fixture(name="few_levels", autouse=True)
def _few_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few brackets are many."""
    monkeypatch.setattr(wire, "_MAX_LEVELS", 3)


@given(BRACKETS)
def test_what_is_json_is_not_a_matter_of_how_deep_it_is(pieces: list[str]) -> None:
    text = f'{{"a":{"".join(pieces)}}}'
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False

    assert (read(text.encode(), JSON) is not None) == (is_json and _is_unambiguous(text))


def _is_unambiguous(text: str) -> bool:
    pairs: list[tuple[str, Any]] = []

    def last(members: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = members
        return dict(members)

    json.loads(text, object_pairs_hook=last)
    return len(dict(pairs)) == len(pairs)


@given(NESTED)
def test_it_is_read_down_to_some_level(text: str) -> None:
    members = read(f'{{"a":{text},"b":2}}'.encode(), JSON)

    assert members is not None
    assert members["b"] == 2
    assert outline(members, 3) == outline(json.loads(f'{{"a":{text},"b":2}}'), 3)


@given(FORMS)
def test_a_form_is_read_as_others_read_it(text: str) -> None:
    pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
    members = read(text.encode(), FORM)

    assert members == (dict(pairs) if len(dict(pairs)) == len(pairs) else None)


@given(st.binary(max_size=64), st.sampled_from([FORM, JSON]))
def test_any_octets_are_read_or_refused(octets: bytes, kind: str) -> None:
    assert read(octets, kind) is None or isinstance(read(octets, kind), dict)

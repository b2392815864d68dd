"""The parser and the renderer: whatever comes in, and whatever was accepted."""

import json
import re
from typing import Any

import pytest
from hypothesis import given

from auth_jwt.errors import Denied, Reason
from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.tokens import UnverifiedHeader, unverified_object
from auth_jwt.strict_json import strict_json_object
from tests.strategies import ANY_OCTETS, ANY_TEXT, LAYOUTS, OBJECTS, VALUES


def read(octets: bytes) -> dict[str, Any] | None:
    """What the parser makes of *octets*, None when it refuses; any other error fails the test."""
    try:
        return unverified_object(octets)
    except Denied as denied:
        if denied.reason is not Reason.MALFORMED_TOKEN:
            raise
        return None


def header_of(members: dict[str, Any]) -> UnverifiedHeader:
    return UnverifiedHeader(members, "HS256", None)


def text_of(value: dict[str, Any]) -> str:
    return decoded_token(header_of({}), value).partition(".")[2]


def same(one: object, other: object) -> bool:
    """Equal in value and type: 1, 1.0 and True differ, and so do the zeros."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(ANY_OCTETS)
def test_the_parser_raises_nothing_but_denied(octets: bytes) -> None:
    value = read(octets)

    assert value is None or isinstance(value, dict)


@given(ANY_TEXT)
def test_text_that_is_refused_is_a_value_error(text: str) -> None:
    try:
        value = strict_json_object(text)
    except ValueError:
        return
    assert isinstance(value, dict)


@given(ANY_OCTETS)
def test_what_is_accepted_is_what_any_parser_reads(octets: bytes) -> None:
    value = read(octets)

    if value is not None:
        assert same(value, json.loads(octets))


@given(OBJECTS, LAYOUTS)
def test_every_strict_object_is_accepted_however_it_is_laid_out(value: dict[str, Any], layout: dict[str, Any]) -> None:
    assert same(read(json.dumps(value, **layout).encode()), value)


@given(OBJECTS)
def test_what_is_rendered_reads_back_as_the_same_value(value: dict[str, Any]) -> None:
    rendered = text_of(value)
    again = read(rendered.encode())

    assert again == value
    assert again is not None
    assert text_of(again) == rendered


# jansson's rules once more, by other means: its dump.c and strconv.c step by step


def as_jansson_writes(value: Any) -> str:
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-8"))
        return "{" + ",".join(f"{as_jansson_writes(name)}:{as_jansson_writes(inner)}" for name, inner in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(as_jansson_writes(inner) for inner in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(re.sub(r"(?<=^\\u)..(..)$", _in_capitals, _escaped(mark)) for mark in value) + '"'
    if isinstance(value, float):
        text = "%.17g" % value  # noqa: UP031 - what C calls it
        if "." not in text and "e" not in text:
            text += ".0"
        return re.sub(r"e\+?(-?)0*", r"e\1", text)
    return json.dumps(value)


def _escaped(mark: str) -> str:
    return json.dumps(mark, ensure_ascii=False)[1:-1]


def _in_capitals(match: re.Match[str]) -> str:
    return match[0].upper()


@given(VALUES)
def test_the_renderer_follows_jansson(value: object) -> None:
    assert text_of({"": value}) == as_jansson_writes({"": value})


@given(OBJECTS, OBJECTS)
def test_header_and_payload_stand_side_by_side(header: dict[str, Any], claims: dict[str, Any]) -> None:
    header["typ"] = "other"

    assert decoded_token(header_of(header), claims) == f"{as_jansson_writes(header)}.{as_jansson_writes(claims)}"


def test_strict_json_refuses_a_lone_surrogate_that_is_in_the_text_itself() -> None:
    """It reads not only octets of a token, but also text of a key that a request brings."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        strict_json_object('{"a": "\ud800"}')
    with pytest.raises(ValueError, match="surrogates not allowed"):
        strict_json_object('{"\ud800": 1}')

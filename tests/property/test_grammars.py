"""The small grammars: `LOAD_CREDENTIALS`, `Authorization`, bodies."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from auth_jwt.credentials import RESERVED_NAMES, Credential, parse_credentials
from auth_jwt.http.wire import Malformed, bearer_token, body_members, challenge
from tests.strategies import ANY_OCTETS, ANY_TEXT, OBJECTS, TEXT

WORDS = st.text(st.characters(exclude_categories=["Cs", "Z", "C"], exclude_characters=";=$()"), min_size=1, max_size=8)
BLANKS = st.text(" \t\n", max_size=2)
ASKED = st.lists(
    st.builds(Credential, WORDS.filter(lambda name: name not in RESERVED_NAMES), WORDS),
    max_size=5,
    unique_by=lambda credential: credential.name,
)
GRAMMAR = st.lists(st.sampled_from([*"$avp()=;", " ", "name", "column", "$avp(", ")="]), max_size=12).map("".join)


@st.composite
def written_credentials(draw: st.DrawFn, asked: list[Credential]) -> str:
    """One of the ways to write what is *asked* for."""
    parts = []
    for credential in asked:
        blank = [draw(BLANKS) for _ in range(5)]
        if credential.name == credential.column and draw(st.booleans()):
            parts.append(f"{blank[0]}{credential.column}{blank[1]}")
        else:
            parts.append("{}$avp({}{}{}){}={}{}".format(*blank[:2], credential.name, *blank[2:], credential.column))
    return ";".join(parts)


@given(st.data(), ASKED)
def test_credentials_survive_being_written_and_read(data: st.DataObject, asked: list[Credential]) -> None:
    assert parse_credentials(data.draw(written_credentials(asked))) == tuple(asked)


@given(GRAMMAR | ANY_TEXT)
def test_whatever_is_written_is_credentials_or_a_value_error(text: str) -> None:
    try:
        asked = parse_credentials(text)
    except ValueError:
        return
    names = [credential.name for credential in asked]
    assert len(set(names)) == len(names)
    assert not set(names) & RESERVED_NAMES
    assert all(credential.column for credential in asked)


HEADERS = st.lists(
    st.sampled_from(["Bearer", "bearer ", "Basic ", "Digest ", ",", ", ", '"', '\\"', "a=", "a.b.c", " ", "\t", "x"]),
    max_size=8,
).map("".join)


@given(st.lists(HEADERS | ANY_TEXT, max_size=3))
def test_authorization_is_read_or_not_well_formed(values: list[str]) -> None:
    try:
        token = bearer_token(values)
    except Malformed:
        assert values
        return
    assert token is None or (len(values) == 1 and token in values[0].replace("\t", " "))


@given(
    st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"]),
    st.text(" \t", min_size=1, max_size=3),
    st.text(st.characters(exclude_categories=["Cs", "Z", "C"], exclude_characters=","), min_size=1),
)
def test_the_token_behind_bearer_is_found(scheme: str, blanks: str, token: str) -> None:
    assert bearer_token([f"{scheme}{blanks}{token}"]) == token


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_a_realm_survives_being_quoted(realm: str) -> None:
    quoted = challenge(realm).removeprefix('Bearer realm="').removesuffix('"')
    plain, escaped = "", False
    for mark in quoted:
        assert escaped or mark != '"'
        escaped = mark == "\\" and not escaped
        plain += "" if escaped else mark

    assert not escaped
    assert plain == realm


CONTENT_TYPES = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "a/b+json", "text/plain", ""])


@given(ANY_OCTETS, CONTENT_TYPES | st.text())
def test_a_body_is_read_or_not_well_formed(body: bytes, content_type: str) -> None:
    try:
        members = body_members(body, content_type)
    except Malformed:
        return
    assert isinstance(members, dict)


@given(OBJECTS)
def test_json_members_are_what_was_sent(members: dict[str, Any]) -> None:
    assert body_members(json.dumps(members).encode(), "application/json") == members


@given(st.dictionaries(TEXT, TEXT, min_size=1))
def test_form_members_are_what_was_sent(members: dict[str, str]) -> None:
    assert body_members(urlencode(members).encode(), "application/x-www-form-urlencoded") == members

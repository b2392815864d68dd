"""The decoded token, byte for byte as the OpenSIPS module gives it; the recorded cases are in the conformance suite."""

import pytest

from auth_jwt.jose.decoded import decoded_token
from auth_jwt.jose.tokens import UnverifiedHeader


def header_of(**members: object) -> UnverifiedHeader:
    return UnverifiedHeader(members, "HS256", None)


def rendered(value: object) -> str:
    """The text of *value* as the member `a` of the payload."""
    return decoded_token(header_of(), {"a": value}).partition(".")[2].removeprefix('{"a":').removesuffix("}")


def test_header_and_payload_are_joined_by_a_dot() -> None:
    header = header_of(typ="JWT", alg="HS256")

    assert decoded_token(header, {"tag": "t1"}) == '{"alg":"HS256","typ":"JWT"}.{"tag":"t1"}'


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ({}, '{"typ":"JWT"}'),
        ({"typ": "JWT"}, '{"typ":"JWT"}'),
        ({"typ": "jwt"}, '{"typ":"JWT"}'),
        ({"typ": "jWt"}, '{"typ":"JWT"}'),
        ({"typ": "at+jwt"}, '{"typ":"at+jwt"}'),
        ({"typ": "JWS"}, '{"typ":"JWS"}'),
        ({"typ": ""}, '{"typ":""}'),
        ({"alg": "HS256"}, '{"alg":"HS256","typ":"JWT"}'),
    ],
)
def test_typ_is_shown_as_jwt_when_absent_or_any_case_of_it(header: dict[str, object], shown: str) -> None:
    assert decoded_token(header_of(**header), {}) == f"{shown}.{{}}"


def test_rendering_changes_nothing() -> None:
    header, claims = header_of(typ="jwt"), {"b": 1, "a": 2}
    decoded_token(header, claims)

    assert header.members == {"typ": "jwt"}
    assert list(claims) == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-0, "0"),
        (1, "1"),
        (-1, "-1"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (1.5, "1.5"),
        (-1.5, "-1.5"),
        (0.1, "0.10000000000000001"),
        (1e2, "100.0"),
        (1e16, "10000000000000000.0"),
        (1e17, "1e17"),
        (1.5e17, "1.5e17"),
        (1e22, "1e22"),
        (1e100, "1e100"),
        (0.0001, "0.0001"),
        (0.00001, "1.0000000000000001e-5"),
        (5e-324, "4.9406564584124654e-324"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        ("", '""'),
        ([], "[]"),
        ({}, "{}"),
        ([1, [True, None], {"b": "c"}], '[1,[true,null],{"b":"c"}]'),
    ],
    ids=repr,
)
def test_every_kind_of_value_has_one_text(value: object, text: str) -> None:
    assert rendered(value) == text


@pytest.mark.parametrize(
    ("character", "text"),
    [
        ('"', '\\"'),
        ("\\", "\\\\"),
        ("\b", "\\b"),
        ("\f", "\\f"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\t", "\\t"),
        ("\x00", "\\u0000"),
        ("\x01", "\\u0001"),
        ("\x0b", "\\u000B"),
        ("\x1a", "\\u001A"),
        ("\x1f", "\\u001F"),
        (" ", " "),
        ("/", "/"),
        ("<", "<"),
        ("\x7f", "\x7f"),
        ("\x80", "\x80"),
        ("é", "é"),
        ("\u2028", "\u2028"),
        ("😀", "😀"),
    ],
    ids=ascii,
)
def test_only_quotes_backslashes_and_control_characters_are_escaped(character: str, text: str) -> None:
    assert rendered(f"x{character}{character}y") == f'"x{text}{text}y"'
    assert rendered({character: 1}) == f'{{"{text}":1}}'


def test_keys_are_sorted_by_their_utf8_bytes_at_every_level() -> None:
    """In UTF-16, as some languages sort, the emoji would stand before U+FB01."""
    value = {"b": {"z": 1, "a": 2}, "": 3, "ﬁ": 4, "😀": 5, "B": 6, "é": 7, "a": [{"d": 8, "c": 9}]}

    assert rendered(value) == '{"":3,"B":6,"a":[{"c":9,"d":8}],"b":{"a":2,"z":1},"é":7,"ﬁ":4,"😀":5}'


def test_a_header_is_rendered_once_and_its_text_goes_with_it() -> None:
    """Kept anywhere else, it would stay when the header is gone."""
    header = header_of(alg="HS256")
    first = decoded_token(header, {})

    assert header.rendered == '{"alg":"HS256","typ":"JWT"}'
    assert decoded_token(header, {}) == first == f"{header.rendered}.{{}}"
    assert header.rendered not in repr(header)


def test_lists_keep_their_order() -> None:
    assert rendered([3, 1, 2]) == "[3,1,2]"

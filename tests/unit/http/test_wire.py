"""HTTP as it stands on the wire: Authorization values, challenges, bodies, problems."""

import json
import math
import time
from http import HTTPStatus

import pytest

from auth_jwt.http.wire import (
    FORM,
    JSON,
    Ambiguous,
    Malformed,
    bearer_token,
    body_members,
    challenge,
    compact_json,
    problem,
    values_of,
)
from tests.factories import a_token

TOKEN = a_token()
AWS4 = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-central-1/execute-api/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, Signature=" + "5d672d79c15b13162d9279b0855cfba6" * 2
)
DIGEST = 'Digest username="alice", realm="sip, \\"quoted\\", Bearer x", nonce="abc", uri="sip:example.com", qop=auth'

# -- Authorization ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"Bearer {TOKEN}", id="as usual"),
        pytest.param(f"bearer {TOKEN}", id="in small letters"),
        pytest.param(f"BEARER {TOKEN}", id="in capitals"),
        pytest.param(f"Bearer    {TOKEN}", id="several blanks"),
        pytest.param(f"Bearer\t{TOKEN}", id="a tab"),
        pytest.param(f"Bearer \t {TOKEN}", id="blanks and a tab"),
        pytest.param(f" \tBearer {TOKEN}\t ", id="blanks around"),
    ],
)
def test_the_token_of_a_bearer_value_is_found(value: str) -> None:
    assert bearer_token([value]) == TOKEN


@pytest.mark.parametrize("value", ["Bearer", "bearer ", " Bearer\t"])
def test_bearer_alone_is_an_empty_token(value: str) -> None:
    assert bearer_token([value]) == ""


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer a b", "a b"),
        ("Bearer Bearer x", "Bearer x"),
        ('Bearer "x"', '"x"'),
        ("Bearer \x00", "\x00"),
        ("Bearer \xa0x", "\xa0x"),
    ],
)
def test_what_follows_bearer_is_the_token_however_odd(value: str, token: str) -> None:
    """Its form is refused later; the request is well-formed."""
    assert bearer_token([value]) == token


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="no value"),
        pytest.param([""], id="an empty value"),
        pytest.param(["  "], id="blanks"),
        pytest.param(["Basic YWxpY2U6c2VjcmV0"], id="Basic"),
        pytest.param(["Basic"], id="Basic alone"),
        pytest.param([TOKEN], id="no scheme"),
        pytest.param([f"Bearer:{TOKEN}"], id="a colon for a blank"),
        pytest.param([f"Bearer={TOKEN}"], id="an equals sign for a blank"),
        pytest.param([f"Bearer\xa0{TOKEN}"], id="a blank that is none of HTTP's"),
        pytest.param([f"Bearers {TOKEN}"], id="a longer scheme"),
        pytest.param([f"JWT {TOKEN}"], id="another scheme"),
        pytest.param([AWS4], id="the signature of an IAM caller, with its commas"),
        pytest.param([AWS4.replace(", ", ",")], id="the same without blanks"),
        pytest.param([DIGEST], id="Digest, with commas and a quoted one"),
        pytest.param([DIGEST.replace("=", " = ")], id="Digest with blanks around its equals signs"),
        pytest.param([DIGEST.replace("=", "\t=")], id="Digest with tabs before its equals signs"),
    ],
)
def test_a_value_without_a_bearer_scheme_is_no_token(values: list[str]) -> None:
    assert bearer_token(values) is None


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([f"Bearer {TOKEN}"] * 2, id="the same twice"),
        pytest.param([f"Bearer {TOKEN}", "Basic x"], id="a token and another scheme"),
        pytest.param(["Basic x", "Basic y"], id="no token at all"),
        pytest.param(["", ""], id="empty ones"),
        pytest.param([f"Bearer {TOKEN}, Bearer {TOKEN}"], id="joined by a comma"),
        pytest.param([f"Bearer {TOKEN},"], id="a comma behind"),
        pytest.param(["Bearer a,b"], id="a comma inside"),
        pytest.param(["bearer\ta,b"], id="a comma after a tab"),
        pytest.param(["Bearer,"], id="a comma behind the scheme"),
        pytest.param(["Bearer,Basic x"], id="Bearer alone before Basic"),
        pytest.param(["Basic YWxpY2U6c2VjcmV0, Bearer"], id="Bearer alone behind Basic"),
        pytest.param(["Basic YWxpY2U6c2VjcmV0,Negotiate \t"], id="another scheme alone behind Basic"),
        pytest.param([f"Basic YWxpY2U6c2VjcmV0, Bearer {TOKEN}"], id="Bearer behind Basic"),
        pytest.param([f"Basic YWxpY2U6c2VjcmV0,Bearer\t{TOKEN}"], id="Bearer behind Basic without a blank"),
        pytest.param([f"{AWS4}, Bearer {TOKEN}"], id="Bearer behind an IAM signature"),
        pytest.param([f"{DIGEST}, Bearer {TOKEN}"], id="Bearer behind Digest"),
        pytest.param([f"{DIGEST}, Basic x"], id="Basic behind Digest"),
        pytest.param([f'Digest username="a, Bearer {TOKEN}'], id="a quote that does not end hides nothing"),
    ],
)
def test_more_than_one_value_is_not_well_formed(values: list[str]) -> None:
    with pytest.raises(Malformed, match=r"^more than one Authorization value$"):
        bearer_token(values)


def test_the_time_to_read_a_value_does_not_grow_with_its_square() -> None:
    """A quoted string of 160 kilobytes that never ends takes milliseconds; searched from every quote, minutes."""
    value = 'Digest a="' + '\\"' * 80_000
    started = time.process_time()

    assert bearer_token([value]) is None
    assert time.process_time() - started < 2


# -- fields, as gateways give them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lists", "singles", "values"),
    [
        pytest.param(None, None, {}, id="none"),
        pytest.param(None, {"A": "x"}, {"a": ["x"]}, id="single values"),
        pytest.param({"A": ["x", "y"]}, None, {"a": ["x", "y"]}, id="lists"),
        pytest.param({"A": ["x", "y"]}, {"A": "y", "B": "z"}, {"a": ["x", "y"], "b": ["z"]}, id="both"),
        pytest.param({"A": ["x"]}, {"a": "y"}, {"a": ["x"]}, id="a list counts, however the name is written"),
        pytest.param({"A": ["x"], "a": ["y"]}, {}, {"a": ["x", "y"]}, id="one name, two spellings, lists"),
        pytest.param({}, {"A": "x", "a": "y"}, {"a": ["x", "y"]}, id="one name, two spellings, single values"),
        pytest.param({"A": [], "B": None, "C": "x"}, {"A": "y"}, {"a": ["y"]}, id="what is no list of values"),
        pytest.param({}, {"A": None, "B": ""}, {"b": [""]}, id="null is none, empty is one"),
        pytest.param({"A": [2]}, {"B": 4}, {"a": ["2"], "b": ["4"]}, id="numbers are text on the wire"),
        pytest.param([("A", ["x"])], "A: x", {}, id="what is no mapping"),
    ],
)
def test_the_values_of_a_name_are_brought_together(
    lists: object, singles: object, values: dict[str, list[str]]
) -> None:
    for name in ("a", "b", "c"):
        assert values_of(name, lists, singles, fold=str.lower) == values.get(name, [])


def test_names_are_told_apart_unless_folded() -> None:
    assert values_of("A", {"A": ["x"]}, {"a": "y"}) == ["x"]
    assert values_of("a", {"A": ["x"]}, {"a": "y"}) == ["y"]


def test_a_name_folds_only_when_it_is_as_long() -> None:
    """Some capitals fold into two characters; no header of ours is spelt with them."""
    assert values_of("i\u0307", {}, {"\u0130": "x"}, fold=str.lower) == []


# -- challenges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("realm", "more", "value"),
    [
        ("sip", {}, 'Bearer realm="sip"'),
        ("sip", {"error": "invalid_token"}, 'Bearer realm="sip", error="invalid_token"'),
        (
            "sip",
            {"error": "invalid_request", "authz_server": "https://login.example.com/"},
            'Bearer realm="sip", authz_server="https://login.example.com/", error="invalid_request"',
        ),
        ("sip", {"authz_server": "https://a.example"}, 'Bearer realm="sip", authz_server="https://a.example"'),
        ("sip", {"authz_server": "", "error": ""}, 'Bearer realm="sip"'),
        ('a "quoted" \\ realm', {}, 'Bearer realm="a \\"quoted\\" \\\\ realm"'),
        ('\\"', {}, 'Bearer realm="\\\\\\""'),
        ("", {}, 'Bearer realm=""'),
    ],
)
def test_a_challenge_names_realm_server_and_error(realm: str, more: dict[str, str], value: str) -> None:
    assert challenge(realm, **more) == value


# -- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_an_empty_body_has_no_members(content_type: str) -> None:
    assert body_members(b"", content_type) == {}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json ; charset=utf-8",
        "application/vnd.example+json",
        "application/problem+json;x=y",
    ],
)
def test_a_json_body_is_read(content_type: str) -> None:
    body = ' {"jwt_token": "x", "n": [1, {"é": null}]} '.encode()

    assert body_members(body, content_type) == {"jwt_token": "x", "n": [1, {"é": None}]}


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=UTF-8"]
)
def test_a_form_is_read(content_type: str) -> None:
    body = b"jwt_token=a.b.c&from_user=al%20ice+%C3%A9&empty="

    assert body_members(body, content_type) == {"jwt_token": "a.b.c", "from_user": "al ice é", "empty": ""}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/xml", "json", "application/json2", "+json/x", "multipart/form-data"]
)
def test_a_body_of_another_type_is_not_well_formed(content_type: str) -> None:
    with pytest.raises(Malformed, match=r"^the Content-Type is neither "):
        body_members(b"{}", content_type)


@pytest.mark.parametrize(
    ("body", "because"),
    [
        (b"{", "is not well-formed JSON"),
        (b" ", "is not well-formed JSON"),
        (b"{} {}", "is not well-formed JSON"),
        (b"\xff", "is not well-formed JSON"),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}', "is not well-formed JSON"),
        ('{"a":1}'.encode("utf-16"), "is not well-formed JSON"),
        (b'{"a":NaN}', "is not well-formed JSON"),
        (b'{"a":[-Infinity]}', "is not well-formed JSON"),
        (b'{"a":01}', "is not well-formed JSON"),
        (b'{"a":"\n"}', "is not well-formed JSON"),
        (b'{"a":"\xed\xa0\x80"}', "is not well-formed JSON"),
        (b"[" * 100_000, "is not well-formed JSON"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 99_999 + b"}", "is not well-formed JSON"),
        (b'{"a":' + b"[" * 300 + b"}" * 300 + b"}", "is not well-formed JSON"),
        (b'{"a":' + b"[" * 300 + b"x" + b"]" * 300 + b"}", "is not well-formed JSON"),
        (b"]" * 1000 + b"[" * 1000, "is not well-formed JSON"),
        (b'{"a":' + b"[" * 511 + b"]" * 512 + b"}", "is not well-formed JSON"),
        (b'{"a":' + b"[" * 511 + b"]" * 255 + b"}", "is not well-formed JSON"),
        (b"jwt_token=x", "is not well-formed JSON"),
        (b"[]", "is not a JSON object"),
        (b'"x"', "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"[" * 1000 + b"]" * 1000, "is not a JSON object"),
        (b'{"jwt_token":"a","jwt_token":"b"}', "names a member twice"),
        (b'{"jwt_token":"a","jwt\\u005ftoken":"a"}', "names a member twice"),
    ],
    ids=lambda value: ascii(value[:40]),
)
def test_a_body_that_is_no_json_object_is_not_well_formed(body: bytes, because: str) -> None:
    with pytest.raises(Malformed, match=f"^the body {because}$"):
        body_members(body, "application/json")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'{"a":"\\ud800"}', "\ud800", id="half a surrogate pair"),
        pytest.param(b'{"a":"\\u0000"}', "\0", id="U+0000"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', 1, id="a byte order mark in front"),
        pytest.param(b'{"a":1e999}', math.inf, id="a number beyond a double"),
        pytest.param(b'{"a":123456789012345678901234567890}', 123456789012345678901234567890.0, id="30 digits"),
        pytest.param(b'{"a":-1234567890123456789}', -1234567890123456789, id="19 digits"),
        pytest.param(b'{"a":12345678901234567890}', 12345678901234567890, id="20 digits are a whole number"),
        pytest.param(b'{"a":123456789012345678901}', 123456789012345678901.0, id="21 digits are rounded"),
        pytest.param(b'{"a":' + b"9" * 100_000 + b"}", math.inf, id="100,000 digits"),
        pytest.param(b'{"a":[{"b":1,"b":2}]}', [{"b": 2}], id="a name twice, within"),
    ],
)
def test_a_member_may_hold_what_no_token_may(body: bytes, value: object) -> None:
    assert body_members(body, "application/json") == {"a": value}


@pytest.mark.parametrize("levels", [254, 255, 256, 257, 512, 513, 100_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"":', "}"), ('{"}[":', "}")], ids=["lists", "objects", "brackets in names"]
)
def test_a_member_may_be_nested_however_deep(levels: int, opening: str, closing: str) -> None:
    nested = opening * levels + "1" + closing * levels

    members = body_members(f'{{"a":{nested},"b":"[[{{","c":2}}'.encode(), "application/json")

    assert (list(members), members["b"], members["c"]) == (["a", "b", "c"], "[[{", 2)


def test_an_object_within_tells_when_it_names_a_member_twice() -> None:
    members = body_members(b'{"a":{"b":1,"b":1},"c":{"b":1}}', "application/json")

    assert [type(members[name]) for name in "ac"] == [Ambiguous, dict]


@pytest.mark.parametrize(
    ("body", "members"),
    [
        pytest.param(b"&a=1", {"a": "1"}, id="an ampersand in front"),
        pytest.param(b"a=1&", {"a": "1"}, id="behind"),
        pytest.param(b"a=1&&&b=2", {"a": "1", "b": "2"}, id="several"),
        pytest.param(b"&&", {}, id="nothing else"),
        pytest.param(b"a", {"a": ""}, id="a name alone"),
        pytest.param(b"a&b=", {"a": "", "b": ""}, id="a name with and without ="),
        pytest.param(b"=1", {"": "1"}, id="no name"),
        pytest.param(b"=", {"": ""}, id="neither"),
        pytest.param(b"a=b=c", {"a": "b=c"}, id="an = in a value"),
        pytest.param(b"a+b=c+d", {"a b": "c d"}, id="blanks as +"),
        pytest.param(b"a=%2B%26%3D%25", {"a": "+&=%"}, id="escapes"),
        pytest.param(b"a=%&b=%4&c=%zz&d=%%41", {"a": "%", "b": "%4", "c": "%zz", "d": "%A"}, id="bad escapes"),
        pytest.param(b"a;b=c;d", {"a;b": "c;d"}, id="semicolons part nothing"),
        pytest.param(b"a=%00", {"a": "\0"}, id="U+0000"),
        pytest.param(b"a=\xc3\xa9%C3%A9\xc3%A9", {"a": "ééé"}, id="UTF-8, escaped or not"),
        pytest.param(b"a=%FF", {"a": "\ufffd"}, id="no UTF-8"),
        pytest.param(b"a=%ED%A0%80", {"a": "\ufffd" * 3}, id="half a surrogate pair"),
        pytest.param(b"a=%F0%9F%98x", {"a": "\ufffdx"}, id="a sequence that is cut off"),
        pytest.param(b"\xff=1", {"\ufffd": "1"}, id="a name that is no UTF-8"),
        pytest.param(b"%EF%BB%BFa=1", {"\ufeffa": "1"}, id="a byte order mark is part of the name"),
        pytest.param(b"a=%7B%7D", {"a": "{}"}, id="JSON in a value"),
        pytest.param(b"a=1&{b=2", {"a": "1", "{b": "2"}, id="a brace in front of a later name"),
        pytest.param(b" a =1\r\n", {" a ": "1\r\n"}, id="blanks and ends of lines"),
    ],
)
def test_a_form_is_read_as_the_url_standard_has_it(body: bytes, members: dict[str, str]) -> None:
    """As https://url.spec.whatwg.org/#urlencoded-parsing says."""
    assert body_members(body, FORM) == members


@pytest.mark.parametrize("body", [b"a=1&a=1", b"a=1&b=2&a=3", b"a=1&%61=2", b"a&a", b"%FF=1&%FE=1", b"a+b&a%20b"])
def test_a_form_that_names_a_member_twice_is_not_well_formed(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"^the body names a member twice$"):
        body_members(body, FORM)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"jwt_token":"x"}', id="as curl sends it"),
        pytest.param(b'\r\n {"jwt_token":"x", "y":"a=b&c"}', id="blanks in front"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark in front"),
        pytest.param(b"%7B%22jwt_token%22%3A%22x%22%7D", id="escaped, as by --data-urlencode"),
    ],
)
def test_json_that_is_sent_as_a_form_is_told_how_to_send_it(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"looks like JSON: send Content-Type: application/json$"):
        body_members(body, FORM)


def test_a_form_may_have_many_members() -> None:
    body = "&".join(f"f{number}=" for number in range(5_000)).encode()

    assert len(body_members(body, FORM)) == 5_000


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b"hunter2 \xff"),
        (JSON, b'{"hunter2":1,"hunter2":1}'),
        (FORM, b"hunter2&hunter2"),
        (FORM, b'{"hunter2":1}'),
    ],
)
def test_why_a_body_is_refused_is_told_without_its_text(content_type: str, body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        body_members(body, content_type)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# -- case -------------------------------------------------------------------------------------------------------------


# -- problems ---------------------------------------------------------------------------------------------------------


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    assert json.loads(problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "r-1")) == {
        "type": "urn:auth-jwt:problem:unavailable",
        "title": "Service Unavailable",
        "status": 503,
        "instance": "urn:request:r-1",
    }


def test_a_problem_may_have_more_members() -> None:
    text = problem(HTTPStatus.UNAUTHORIZED, "invalid-token", "r 1/é", code=-1, challenge='Bearer realm="sip"')

    assert json.loads(text) | {"type": ""} == {
        "type": "",
        "title": "Unauthorized",
        "status": 401,
        "instance": "urn:request:r%201/%C3%A9",
        "code": -1,
        "challenge": 'Bearer realm="sip"',
    }


def test_json_is_written_without_blanks_and_in_utf8() -> None:
    assert compact_json({"a": [1, "é", None], "b": {}}) == '{"a":[1,"é",null],"b":{}}'
    assert [compact_json(value) for value in ('é"', 7, 0.5, True, None)] == ['"é\\""', "7", "0.5", "true", "null"]

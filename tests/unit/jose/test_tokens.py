"""The form of a token, the header rules and the strict reading of JSON: what no parser after us will ever see."""

import inspect
import json
import string
import time
from typing import Any

import pytest

from auth_jwt.errors import Denied, Reason
from auth_jwt.jose import tokens
from auth_jwt.jose.tokens import (
    ALGORITHMS,
    MAX_TOKEN_BYTES,
    HeaderRules,
    UnverifiedJws,
    unverified_jws,
    unverified_object,
    unverified_tag,
)
from auth_jwt.strict_json import strict_json_object
from tests.factories import a_token, octets_of, refusal, segment, signed, verdict

BASE64URL = string.ascii_letters + string.digits + "-_"
NOT_BASE64URL = [chr(code) for code in range(128) if chr(code) not in BASE64URL + "."] + ["\x80", "é", "．", "\ud800"]  # noqa: RUF001


def a_token_of_length(length: int) -> str:
    """A token whose every rule but the length's holds, of exactly *length* characters."""
    head = signed(b'{"alg":"HS256"}', b"{}").rpartition(".")[0] + "."
    return head + "A" * (length - len(head))


def header_of(text: bytes | dict[str, Any], rules: HeaderRules | None = None) -> UnverifiedJws:
    header = text if isinstance(text, bytes) else json.dumps(text).encode()
    return unverified_jws(signed(header, b"{}"), rules)


# -- the form of a token ----------------------------------------------------------------------------------------------


def test_a_token_is_split_into_what_it_says_and_what_is_signed() -> None:
    token = a_token(header={"kid": "k1"}, payload=b"any octets \xff")
    jws = unverified_jws(token)

    assert jws.header.members == {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    assert jws.payload == b"any octets \xff"
    assert jws.signing_input.decode() == token.rpartition(".")[0]
    assert jws.signature == octets_of(token.rpartition(".")[2])
    assert (jws.algorithm, jws.kid) == ("HS256", "k1")


def test_nothing_of_a_token_but_its_algorithm_is_shown() -> None:
    assert (
        repr(unverified_jws(a_token(header={"kid": "k1"})))
        == "UnverifiedJws(header=UnverifiedHeader(algorithm='HS256'))"
    )


@pytest.mark.parametrize("token", [None, b"a.b.c", 7, ["a"], {"a": 1}, True], ids=lambda token: type(token).__name__)
def test_only_text_is_a_token(token: object) -> None:
    assert refusal(lambda: unverified_jws(token)) is Reason.MALFORMED_TOKEN


def test_bytes_of_a_good_token_are_no_token() -> None:
    assert refusal(lambda: unverified_jws(a_token().encode())) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize(
    ("length", "refused"),
    [
        pytest.param(MAX_TOKEN_BYTES, None, id="as long as may be"),
        pytest.param(MAX_TOKEN_BYTES + 1, Reason.MALFORMED_TOKEN, id="one byte longer"),
    ],
)
def test_a_token_has_at_most_16384_bytes(length: int, refused: Reason | None) -> None:
    token = a_token_of_length(length)

    assert MAX_TOKEN_BYTES == 16384
    assert verdict(lambda: unverified_jws(token)) is refused


def test_the_length_may_be_set() -> None:
    token = a_token()

    assert unverified_jws(token, max_bytes=len(token)).algorithm == "HS256"
    assert refusal(lambda: unverified_jws(token, max_bytes=len(token) - 1)) is Reason.MALFORMED_TOKEN


def test_the_length_is_set_by_its_name() -> None:
    assert inspect.signature(unverified_jws).parameters["max_bytes"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        *(".".join(segment(b"{}") for _ in range(count)) for count in (1, 2, 4, 5)),
        a_token().rpartition(".")[0] + ".",
        "." + a_token().partition(".")[2],
        "{0}..{2}".format(*a_token().split(".")),
        a_token() + ".",
        "." + a_token(),
    ],
)
def test_a_token_is_three_segments_none_of_them_empty(token: str) -> None:
    assert refusal(lambda: unverified_jws(token)) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("place", ["header", "payload", "signature"])
@pytest.mark.parametrize("where", ["in front of", "inside", "behind"])
def test_no_character_but_those_of_base64url(where: str, place: str) -> None:
    segments = dict(zip(["header", "payload", "signature"], a_token().split("."), strict=True))
    own = segments[place]

    def with_odd(odd: str) -> str:
        spoilt = {"in front of": odd + own, "inside": own[:4] + odd + own[4:], "behind": own + odd}[where]
        return ".".join({**segments, place: spoilt}.values())

    reasons = {odd: verdict(lambda odd=odd: unverified_jws(with_odd(odd))) for odd in NOT_BASE64URL}  # type: ignore[misc]

    assert reasons == dict.fromkeys(NOT_BASE64URL, Reason.MALFORMED_TOKEN)


@pytest.mark.parametrize("octets", [b"\0", b"\0\0", b"\0\0\0"], ids=["2 characters", "3 characters", "4 characters"])
def test_unused_bits_of_the_last_character_are_zero(octets: bytes) -> None:
    """Of the 64 last characters a segment may have, exactly those that an encoder writes are accepted."""
    head, stem = a_token().rpartition(".")[0], segment(octets)[:-1]
    written = {segment(octets[:-1] + bytes([last]))[-1] for last in range(256)}

    accepted = {last for last in BASE64URL if verdict(lambda end=last: unverified_jws(f"{head}.{stem}{end}")) is None}  # type: ignore[misc]

    assert accepted == written


@pytest.mark.parametrize("last", ["A", "Q", "_"])
def test_one_character_alone_in_the_last_group_of_four_is_no_segment(last: str) -> None:
    head = a_token().rpartition(".")[0]

    assert refusal(lambda: unverified_jws(f"{head}.AAAA{last}")) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "payload", "signature"])
def test_every_segment_is_held_to_its_last_bits(place: int) -> None:
    segments = [segment(b'{"alg":"HS256"}\n'), segment(b"{} \n"), segment(b"sign")]  # each has unused bits
    assert unverified_jws(".".join(segments)).payload == b"{} \n"
    segments[place] = segments[place][:-1] + chr(ord(segments[place][-1]) + 1)

    assert refusal(lambda: unverified_jws(".".join(segments))) is Reason.MALFORMED_TOKEN


# -- the header -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_of_ours_may_be_named(algorithm: str) -> None:
    assert header_of({"alg": algorithm}).algorithm == algorithm


def test_none_is_not_among_the_algorithms() -> None:
    assert sorted(ALGORITHMS) == sorted(
        [family + size for family in ("HS", "RS", "PS", "ES") for size in ("256", "384", "512")] + ["EdDSA"]
    )


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "hs256", "HS256 ", "", "ES256K", "eddsa", "dir"])
def test_other_algorithms_are_unsupported_letter_by_letter(algorithm: str) -> None:
    assert refusal(lambda: header_of({"alg": algorithm})) is Reason.UNSUPPORTED_ALGORITHM


def test_an_algorithm_that_the_rules_leave_out_is_unsupported() -> None:
    rules = HeaderRules(algorithms=frozenset({"ES256"}))

    assert header_of({"alg": "ES256"}, rules).algorithm == "ES256"
    assert refusal(lambda: header_of({"alg": "HS256"}, rules)) is Reason.UNSUPPORTED_ALGORITHM


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="no alg"),
        pytest.param({"ALG": "HS256"}, id="alg in capitals"),
        pytest.param({"alg": ["HS256"]}, id="alg is a list"),
        pytest.param({"alg": None}, id="alg is null"),
        pytest.param({"alg": 256}, id="alg is a number"),
        pytest.param({"alg": "HS256", "typ": None}, id="typ is null"),
        pytest.param({"alg": "HS256", "typ": ["JWT"]}, id="typ is a list"),
        pytest.param({"alg": "HS256", "kid": None}, id="kid is null"),
        pytest.param({"alg": "HS256", "kid": 1}, id="kid is a number"),
        pytest.param({"alg": "HS256", "kid": {}}, id="kid is an object"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"HS256"', id="a string"),
        pytest.param(b"{", id="not JSON"),
        pytest.param(b'{"alg":"HS256","alg":"HS256"}', id="alg twice"),
    ],
)
def test_a_header_with_a_member_missing_or_of_the_wrong_type_is_malformed(header: dict[str, Any] | bytes) -> None:
    assert refusal(lambda: header_of(header)) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize(("octets", "characters", "kept"), [(384, 512, 1), (385, 514, 0)])
def test_only_headers_of_usual_size_are_remembered(octets: int, characters: int, kept: int) -> None:
    """Whoever sends headers chooses them, and what they say takes more room than its text."""
    header = segment(b'{"alg":"HS256"}'.ljust(octets))
    tokens._recall_header.cache_clear()

    assert unverified_jws(f"{header}.e30.e30").algorithm == "HS256"
    assert len(header) == characters
    assert tokens._recall_header.cache_info().currsize == kept


@pytest.mark.parametrize("kind", ["JWT", "jwt", "Jwt"])
def test_typ_is_jwt_in_any_case(kind: str) -> None:
    assert header_of({"alg": "HS256", "typ": kind}).header.members["typ"] == kind


def test_typ_may_be_absent() -> None:
    assert "typ" not in header_of({"alg": "HS256"}).header.members


@pytest.mark.parametrize("kind", ["", "JWS", "JWT ", "at+jwt", "application/jwt"])
def test_other_types_are_unsupported(kind: str) -> None:
    assert refusal(lambda: header_of({"alg": "HS256", "typ": kind})) is Reason.UNSUPPORTED_TYPE


def test_the_accepted_types_may_be_set() -> None:
    rules = HeaderRules(types=frozenset({"at+jwt"}))

    assert header_of({"alg": "HS256", "typ": "AT+JWT"}, rules).algorithm == "HS256"
    assert header_of({"alg": "HS256"}, rules).algorithm == "HS256"
    assert refusal(lambda: header_of({"alg": "HS256", "typ": "JWT"}, rules)) is Reason.UNSUPPORTED_TYPE


@pytest.mark.parametrize("kind", ["JWS", "", 7, None])
def test_without_a_rule_for_types_any_typ_will_do(kind: object) -> None:
    assert header_of({"alg": "HS256", "typ": kind}, HeaderRules(types=None)).algorithm == "HS256"


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp", None, {}, 0, False])
def test_a_critical_header_is_refused_whatever_it_holds(crit: object) -> None:
    assert refusal(lambda: header_of({"alg": "HS256", "crit": crit})) is Reason.UNSUPPORTED_CRITICAL_HEADER


@pytest.mark.parametrize("b64", [False, None, 0, 1, "true", []])
def test_b64_other_than_true_is_refused(b64: object) -> None:
    assert refusal(lambda: header_of({"alg": "HS256", "b64": b64})) is Reason.UNSUPPORTED_CRITICAL_HEADER


def test_b64_true_is_what_is_done_anyway() -> None:
    assert header_of({"alg": "HS256", "b64": True}).algorithm == "HS256"


# -- strict JSON ------------------------------------------------------------------------------------------------------


def nested(depth: int, opening: str, closing: str, core: str = "0") -> str:
    """An object of *depth* levels in all."""
    return '{"a":' + opening * (depth - 1) + core + closing * (depth - 1) + "}"


ACCEPTED: dict[str, tuple[str, object]] = {
    "an empty object": ("{}", {}),
    "blanks around": (' \t\r\n{ "a" : 1 } ', {"a": 1}),
    "every kind of value": (
        '{"a":[1,-2,1.5,true,false,null,"x",{}]}',
        {"a": [1, -2, 1.5, True, False, None, "x", {}]},
    ),
    "the same name at two levels": ('{"a":{"a":1},"b":{"a":2}}', {"a": {"a": 1}, "b": {"a": 2}}),
    "an empty name": ('{"":1}', {"": 1}),
    "the largest integer": ('{"a":9223372036854775807}', {"a": 2**63 - 1}),
    "the smallest integer": ('{"a":-9223372036854775808}', {"a": -(2**63)}),
    "the largest real": ('{"a":1.7976931348623157e308}', {"a": 1.7976931348623157e308}),
    "a real too small to tell from zero": ('{"a":1e-400}', {"a": 0.0}),
    "a real of many digits": ('{"a":0.' + "3" * 5000 + "}", {"a": 1 / 3}),
    "a surrogate pair": ('{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    "an escaped backslash before u0000": ('{"a":"\\\\u0000"}', {"a": "\\u0000"}),
    "an escaped U+0001": ('{"\\u0001":"\\u0001"}', {"\x01": "\x01"}),
    "64 levels of objects": (nested(64, '{"a":', "}"), None),
    "64 levels of lists": (nested(64, "[", "]"), None),
    "brackets in strings": ('{"a":"' + "[{" * 100 + '","b":"\\"[' + "[" * 100 + '"}', None),
    "65 lists beside each other": ('{"a":[' + ",".join(["[]"] * 65) + "]}", None),
    "64 levels after 64 levels": (f'{{"b":{nested(63, "[", "]")},"c":{nested(63, "[", "]")}}}', None),
}

REFUSED = {
    "nothing": b"",
    "blanks": b" ",
    "a list": b"[{}]",
    "a string": b'"{}"',
    "a number": b"1",
    "null": b"null",
    "a single bracket": b"{",
    "text after the value": b"{} X",
    "a second value": b"{}{}",
    "a comma too many": b'{"a":1,}',
    "a comment": b"{}//",
    "single quotes": b"{'a':1}",
    "a NUL behind": b"{}\0",
    "a blank that is none of JSON's": "{\xa0}".encode(),
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "an invalid octet": b'{"a":"\xff"}',
    "an overlong encoding": b'{"a":"\xc0\xaf"}',
    "an encoded surrogate": b'{"a":"\xed\xa0\x80"}',
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, once escaped": b'{"a":1,"\\u0061":1}',
    "a name twice, deep down": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":[-Infinity]}',
    "an integer one too large": b'{"a":9223372036854775808}',
    "an integer one too small": b'{"a":-9223372036854775809}',
    "an integer of 21 digits": b'{"a":100000000000000000000}',
    "an integer of 10,000 digits": b'{"a":' + b"9" * 10_000 + b"}",
    "a real that overflows": b'{"a":1e400}',
    "a real that just overflows": b'{"a":1.7976931348623159e308}',
    "a negative real that overflows": b'{"a":-1e400}',
    "a leading zero": b'{"a":01}',
    "a leading plus": b'{"a":+1}',
    "digits of another script": '{"a":１}'.encode(),  # noqa: RUF001
    "a raw control character": b'{"a":"\t"}',
    "a raw NUL": b'{"a":"\0"}',
    "U+0000 in a string": b'{"a":"x\\u0000"}',
    "U+0000 in a name": b'{"\\u0000":1}',
    "U+0000 deep down": b'{"a":[{"b":["\\u0000"]}]}',
    "U+0000 in a name deep down": b'{"a":[{"\\u0000":1}]}',
    "a lone high surrogate": b'{"a":"\\ud800"}',
    "a lone low surrogate": b'{"a":"\\udfff"}',
    "a lone surrogate in a name": b'{"\\uD834":1}',
    "a lone surrogate deep down": b'{"a":[[{"b":"\\udc00"}]]}',
    "surrogates in the wrong order": b'{"a":"\\ude00\\ud83d"}',
    "65 levels of objects": nested(65, '{"a":', "}").encode(),
    "65 levels of lists": nested(65, "[", "]").encode(),
    "65 levels, the deepest empty": nested(64, "[", "]", "[]").encode(),
    "65 levels of lists and objects": nested(65, "[", "]")
    .replace("[[[", '[[{"a":', 1)
    .replace("]]]", "}]]", 1)
    .encode(),
    "65 levels after one": f'{{"b":{{}},"a":{nested(64, "[", "]")}}}'.encode(),
    "65 levels behind brackets in strings": ('{"b":"]]]]\\"}}}",' + nested(65, "[", "]")[1:]).encode(),
    "100,000 levels of lists": b"[" * 100_000,
    "100,000 levels of objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_strict_json_is_read(case: str) -> None:
    text, value = ACCEPTED[case]

    assert unverified_object(text.encode()) == (json.loads(text) if value is None else value)


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_parsers_could_disagree_about_is_malformed(case: str) -> None:
    assert refusal(lambda: unverified_object(REFUSED[case])) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("case", REFUSED)
def test_header_and_payload_are_read_alike(case: str) -> None:
    """A header is refused for whatever a payload is; its form may be the first to say so."""
    assert refusal(lambda: header_of(REFUSED[case])) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("text", ["\ufeff{}", "[]", '{"a":1,"a":1}', '{"a":NaN}', nested(65, "[", "]")], ids=ascii)
def test_text_that_is_not_one_strict_object_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict_json_object(text)


def test_why_a_token_is_malformed_is_not_told_by_quoting_it() -> None:
    with pytest.raises(Denied) as caught:
        unverified_object(b'{"password":"hunter2"')

    assert caught.value.args == ("malformed_token",)
    assert caught.value.__suppress_context__


def test_the_time_to_refuse_a_payload_does_not_grow_with_its_square() -> None:
    """An unfinished string of 192 kilobytes takes milliseconds of the processor; searched from every quote, minutes."""
    payload = b"[" * 65 + b'"' + b'\\"' * 96_000
    started = time.process_time()

    assert refusal(lambda: unverified_object(payload)) is Reason.MALFORMED_TOKEN
    assert time.process_time() - started < 2


# -- the tag ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("t", id="one character"),
        pytest.param("t" * 128, id="128 characters"),
        pytest.param("😀" * 128, id="128 characters of four bytes each"),
        pytest.param(" T1\t", id="blanks and capitals stay"),
        pytest.param("x' OR 1=1 --", id="SQL is text"),
        pytest.param("a#b:c\\", id="separators are text"),
    ],
)
def test_a_tag_is_taken_as_it_is(tag: str) -> None:
    assert unverified_tag({"tag": tag}, "tag") == tag


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="absent"),
        pytest.param({"TAG": "t1"}, id="under another name"),
        pytest.param({"a": {"tag": "t1"}}, id="not at the top"),
        pytest.param({"tag": ""}, id="empty"),
        pytest.param({"tag": "t" * 129}, id="129 characters"),
        *(
            pytest.param({"tag": tag}, id=f"{tag!r} is not text")
            for tag in (None, 0, 1, 1.5, True, ["t1"], {"tag": "t1"})
        ),
    ],
)
def test_without_a_usable_tag_nothing_can_be_looked_up(claims: dict[str, Any]) -> None:
    assert refusal(lambda: unverified_tag(claims, "tag")) is Reason.MISSING_TAG


def test_another_claim_may_name_the_tag() -> None:
    assert unverified_tag({"tag": "t1", "tenant": "t2"}, "tenant") == "t2"

"""The gate: one spelling per token, and nothing but Denied whatever comes."""

import string
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

import auth_jwt
from auth_jwt.errors import Denied, InvalidKey
from auth_jwt.jose.keys import verification_keys
from auth_jwt.jose.tokens import UnverifiedJws, unverified_jws
from tests.factories import HMAC_KEY, a_token, an_authorizer, octets_of, segment
from tests.strategies import ANY_TEXT

BASE64URL = string.ascii_letters + string.digits + "-_"
HEAD = a_token().rpartition(".")[0]

ANYTHING = st.none() | st.integers() | st.binary() | st.text() | st.lists(st.text()) | ANY_TEXT
TOKENS = st.builds(
    lambda payload, key: a_token(payload=payload, key=key), st.binary(min_size=1, max_size=40), st.binary(min_size=1)
)
SEGMENTS = st.binary(max_size=20).map(segment) | st.text(BASE64URL, max_size=20)
NEARLY_TOKENS = st.lists(SEGMENTS | st.text(max_size=8), min_size=2, max_size=5).map(".".join)


def passed(token: object) -> UnverifiedJws | None:
    try:
        return unverified_jws(token)
    except Denied:
        return None


@given(ANYTHING | NEARLY_TOKENS)
def test_whatever_comes_is_read_or_denied(token: object) -> None:
    jws = passed(token)

    assert jws is None or isinstance(token, str)


@given(ANYTHING | NEARLY_TOKENS)
def test_whatever_comes_is_decided_without_another_error(token: object) -> None:
    try:
        answer = an_authorizer().authorize(token)
    except Denied:
        return
    assert answer.sip_username == "alice"


@given(ANY_TEXT | NEARLY_TOKENS, ANY_TEXT)
def test_whatever_comes_is_validated_by_whatever_key_without_an_error(token: str, key: str) -> None:
    code, decoded = an_authorizer().script_authorize(token, key)

    assert (code, decoded is None) in {(1, False), (-1, False), (-2, True)}


@given(st.binary(max_size=60) | st.binary(max_size=3))
def test_what_an_encoder_writes_passes_and_comes_out_as_it_was(octets: bytes) -> None:
    jws = passed(f"{HEAD}.{segment(octets)}")

    assert octets == (jws.signature if jws else b"")


@given(st.text(BASE64URL, max_size=30))
def test_a_segment_passes_exactly_when_an_encoder_would_write_it(text: str) -> None:
    try:
        canonical = text != "" and segment(octets_of(text)) == text
    except ValueError:
        canonical = False

    assert (passed(f"{HEAD}.{text}") is not None) is canonical


@given(TOKENS, st.data())
def test_a_token_changed_in_one_character_is_another_token_or_none(token: str, data: st.DataObject) -> None:
    """There is no second spelling: what still passes the gate holds other octets."""
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(
        st.sampled_from([*BASE64URL, ".", "=", "+", "/", "\n", " ", "é"]).filter(lambda c: c != token[at])
    )
    cut = data.draw(st.sampled_from([at, at + 1]))  # put in, or put in its place
    before, after = passed(token), passed(token[:at] + other + token[cut:])

    assert before is not None
    assert after is None or contents(after) != contents(before)


def contents(jws: UnverifiedJws) -> tuple[object, ...]:
    return jws.header, jws.payload, jws.signature


@given(st.data())
def test_a_token_changed_in_one_character_opens_nothing(data: st.DataObject) -> None:
    token = a_token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from([*BASE64URL, "=", "\n", ""]).filter(lambda c: c != token[at]))
    changed = token[:at] + other + token[at + 1 :]

    try:
        auth_jwt.verify_jws(changed, HMAC_KEY)
    except Denied:
        return
    raise AssertionError(changed)


@given(st.text() | ANY_TEXT)
def test_whatever_a_secret_holds_it_is_keys_or_invalid(text: str) -> None:
    try:
        keys = verification_keys(text)
    except InvalidKey as problem:
        assert len(text) < 4 or text not in str(problem)  # noqa: PT017 - either way is right
        return
    assert all(key.algorithms for key in keys)


@given(ANY_TEXT, ANY_TEXT)
def test_the_key_helpers_raise_nothing_but_invalid_key(one: str, other: str) -> None:
    extractions: list[Callable[[], str]] = [
        lambda: auth_jwt.extract_pub_key_from_cert(one),
        lambda: auth_jwt.extract_pub_key_from_exp_mod(one, other),
        lambda: auth_jwt.extract_pub_key_from_exp_mod("AQAB", other),
    ]
    for extract in extractions:
        try:
            pem = extract()
        except InvalidKey:
            continue
        assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")

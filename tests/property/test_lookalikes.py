"""Whatever a text is, the recogniser answers, and its answer has nothing of the text in it."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auth_jwt.jose import lookalikes, structures
from auth_jwt.jose.lookalikes import is_key_material, what_else, what_octets_are
from tests.lookalikes.public_texts import Key
from tests.strategies import ANY_OCTETS, ANY_TEXT

ANSWERS = {
    value
    for module in (lookalikes, structures)
    for name, value in vars(module).items()
    if isinstance(value, str) and name.strip("_").isupper() and " " in value
} | {"PEM"}

WILD = st.text(st.characters(), max_size=200) | st.text("\\%&;=#xu0'\"{}[]<>04+ \0\n\ud800-_/", max_size=300)
PREFIXES = st.text("abcXYZ019-_/+ .:=\"'", max_size=40)


@given(st.one_of(ANY_TEXT, WILD))
@example("\ud800" * 40)
@example("\0" * 1024)
@example("\\u{fffff}&#x10ffff;&#9999999;%u0000")
def test_any_text_gets_an_answer_of_ours(text: str) -> None:
    assert what_else(text) in ANSWERS | {None}
    assert is_key_material(text) in (True, False)


@given(st.one_of(ANY_OCTETS, st.binary(max_size=400)))
def test_any_octets_get_an_answer_of_ours(octets: bytes) -> None:
    assert what_octets_are(octets) in ANSWERS | {None}
    assert what_else(octets.decode("latin-1")) in ANSWERS | {None}


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa_1024"])
@given(before=PREFIXES, behind=st.text(" .:;\"'\n=", max_size=5), seed=st.integers(0, 50))
def test_no_prefix_hides_a_key(kind: str, before: str, behind: str, seed: int) -> None:
    """From any place in a run: a prefix may be of the run's own letters."""
    octets = Key(kind, seed).spki

    for text in (base64.b64encode(octets), base64.urlsafe_b64encode(octets), octets.hex().encode()):
        assert what_else(before + text.decode() + behind)
        assert is_key_material(before + text.decode() + behind)


@given(before=PREFIXES, seed=st.integers(0, 50))
def test_no_prefix_hides_a_point_without_its_mark(before: str, seed: int) -> None:
    octets = Key("p256", seed).point[1:]

    assert what_else(before + base64.b64encode(octets).decode())
    assert what_else(before + octets.hex())


@given(octets=st.binary(min_size=16, max_size=64))
def test_hex_and_base64_of_the_same_octets_are_judged_alike(octets: bytes) -> None:
    """Whichever way somebody writes a made-up key."""
    assert (what_else(octets.hex()) is None) == (what_else(base64.b64encode(octets).decode()) is None)

"""Keys that everybody has verify nothing in a row: those printed in RFCs and on well-known pages, and blank ones."""

import base64
import binascii
import json
import subprocess
import sys
import textwrap
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from auth_jwt.errors import Denied, Flaw, Reason
from auth_jwt.jose.keys import verification_keys
from auth_jwt.jose.published import FINGERPRINTS, fingerprint, is_blank, is_published
from auth_jwt.jose.signatures import verify_jws
from auth_jwt.models import Columns, Secret
from tests.factories import (
    HMAC_KEY,
    KEYS,
    a_jwk,
    a_jwks,
    a_public_key,
    a_secret,
    a_token,
    an_authorizer,
    an_oct_jwk,
    public_pem,
    refusal,
    segment,
)
from tests.fakes import natural

PUBLISHED = json.loads((KEYS / "published.json").read_text("utf-8"))
PUBLIC_KEYS: list[dict[str, Any]] = PUBLISHED["public_keys"]
HMAC_KEYS: list[tuple[str, str]] = [(entry["source"], key) for entry in PUBLISHED["hmac_keys"] for key in entry["keys"]]


def readings_of(text: str) -> Iterator[bytes]:
    """The octets that people make of a printed HMAC key: its text, and what it encodes, when that is eight and more."""
    yield text.encode()
    standard = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    for decode, encoded in ((_from_base64, standard), (bytes.fromhex, text)):
        try:
            octets = decode(encoded)
        except (binascii.Error, ValueError):
            continue
        if len(octets) >= 8:
            yield octets


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def fingerprints_of_the_data() -> set[str]:
    octets = {fingerprint(reading) for _, key in HMAC_KEYS for reading in readings_of(key)}
    return octets | {fingerprint(verification_keys(json.dumps(entry["jwk"]))[0].material) for entry in PUBLIC_KEYS}


def to_paste(fingerprints: set[str]) -> str:
    return "\n".join(f'    "{line} "' for line in textwrap.wrap(" ".join(sorted(fingerprints)), 104))


def made_by(secret: object, **columns: object) -> Secret:
    return Secret.from_row(natural(a_secret(secret, **columns)), Columns())


def flaw_of(secret: object, **columns: object) -> Flaw | None:
    unusable = made_by(secret, **columns).unusable
    return unusable.flaw if unusable else None


# -- published keys ---------------------------------------------------------------------------------------------------


def test_the_fingerprints_are_those_of_the_data() -> None:
    """Whoever adds a key to the data pastes what this prints into `FINGERPRINTS`."""
    wanted = fingerprints_of_the_data()
    are_the_same = FINGERPRINTS.split() == sorted(wanted)

    assert are_the_same, to_paste(wanted)


def test_every_published_key_says_where_it_is_printed_and_is_there_once() -> None:
    sources = [entry["source"] for entry in PUBLISHED["public_keys"] + PUBLISHED["hmac_keys"]]
    keys = [json.dumps(entry["jwk"], sort_keys=True) for entry in PUBLIC_KEYS] + [key for _, key in HMAC_KEYS]

    assert all(sources)
    assert len(set(keys)) == len(keys)
    assert len(FINGERPRINTS.split()) > 400
    assert fingerprint(b"") not in FINGERPRINTS
    assert {len(text) for text in FINGERPRINTS.split()} == {12}


@pytest.mark.parametrize("entry", PUBLIC_KEYS, ids=lambda entry: entry["source"])
def test_a_row_of_a_published_public_key_is_unusable(entry: dict[str, Any]) -> None:
    text = json.dumps(entry["jwk"])

    assert flaw_of(text) is Flaw.PUBLISHED_KEY
    assert flaw_of(a_jwks(entry["jwk"])) is Flaw.PUBLISHED_KEY
    assert verification_keys(text)  # `verify_jws` takes what it is given


@pytest.mark.parametrize(("source", "text"), HMAC_KEYS, ids=[f"{source}: {key[:16]}" for source, key in HMAC_KEYS])
def test_a_row_of_a_published_hmac_key_is_unusable(source: str, text: str) -> None:
    for octets in readings_of(text):
        assert flaw_of(json.dumps(an_oct_jwk(octets))) is Flaw.PUBLISHED_KEY, source
    assert flaw_of(text, alg="HS256") is Flaw.PUBLISHED_KEY


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {}", "\t{} ", "{}\0", "\n{}\0\0"])
def test_blanks_around_a_published_key_do_not_make_it_a_secret(around: str) -> None:
    assert flaw_of(around.format("a-string-secret-at-least-256-bits-long"), alg="HS256") is Flaw.PUBLISHED_KEY


def test_a_published_key_in_pem_is_unusable_too_and_does_not_spoil_the_others() -> None:
    from auth_jwt.jose import asymmetric

    (published,) = verification_keys(json.dumps(PUBLIC_KEYS[0]["jwk"]))
    pem = asymmetric.public_pem(published.material)  # type: ignore[arg-type]

    assert flaw_of(pem) is Flaw.PUBLISHED_KEY
    assert [key.material for key in made_by(pem + public_pem("p256")).keys] == [a_public_key("p256")]
    assert [key.kid for key in made_by(a_jwks(PUBLIC_KEYS[0]["jwk"], a_jwk("p256", kid="own"))).keys] == ["own"]


def test_a_token_by_a_published_key_is_refused_by_a_row_and_told_in_the_log() -> None:
    secret = "a-string-secret-at-least-256-bits-long"
    token = a_token(key=secret)

    assert refusal(lambda: an_authorizer(a_secret(secret, alg="HS256")).authorize(token)) is Reason.BAD_SIGNATURE
    assert verify_jws(token, secret)
    said = str(made_by(secret, alg="HS256").unusable)
    assert said.startswith("published_key: ")
    assert secret not in said


@pytest.mark.parametrize("name", ["rsa_2048", "rsa_2048_other", "p256", "p384", "p521", "ed25519", "ed448"])
def test_other_keys_are_not_published(name: str) -> None:
    assert not is_published(a_public_key(name))
    assert flaw_of(json.dumps(a_jwk(name))) is None


@pytest.mark.parametrize(
    "text", [HMAC_KEY, "a-string-secret-at-least-256-bits-lonG", "a-string-secret-at-least-256-bits"]
)
def test_other_texts_are_not_published(text: str) -> None:
    assert flaw_of(text, alg="HS256") is None


def test_asking_costs_a_login_next_to_nothing() -> None:
    """Once for a key that is read, not for a token; and an HMAC row needs no library for it."""
    octets = HMAC_KEY.encode()
    start = time.perf_counter()
    for _ in range(1000):
        is_published(octets), is_blank(octets)
    assert time.perf_counter() - start < 0.1  # a tenth of a millisecond each; it takes two microseconds

    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from auth_jwt.jose.published import is_blank, is_published;"
            "is_published(bytes(range(200, 250))), is_blank(b'\\xff' * 32), is_blank(b'x' * 32);"
            "print({'cryptography', 'jwt', 'unicodedata'} & sys.modules.keys())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout == "set()\n"


# -- blank keys -------------------------------------------------------------------------------------------------------

BLANKS = {
    "blanks": " " * 32,
    "two blanks": "  ",
    "NULs": "\0" * 64,
    "tabs and lines": "\t\n\v\f\r" * 8,
    "separators of C0": "\x1c\x1d\x1e\x1f" * 8,
    "next line": "\x85" * 32,
    "no-break spaces": "\xa0" * 32,
    "all of Unicode's spaces": "".join(chr(code) for code in range(0x110000) if chr(code).isspace()),
    "zero-width characters": "\u200b\u200c\u200d\ufeff\u2060" * 8,
    "marks of direction": "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c",
    "soft hyphens": "\xad" * 32,
    "Hangul fillers": "\u115f\u1160\u3164\uffa0" * 8,
    "Khmer's inherent vowels": "\u17b4\u17b5" * 16,
    "Mongolian selectors": "\u180b\u180c\u180d\u180e\u180f" * 8,
    "grapheme joiners": "\u034f" * 16,
    "Braille blanks": "\u2800" * 16,
    "ideographic spaces": "\u3000" * 16,
    "variation selectors": "\ufe00\ufe0f\U000e0100\U000e01ef" * 8,
    "tags": "\U000e0001\U000e0020\U000e007f" * 8,
    "invisible operators": "\u2061\u2062\u2063\u2064" * 8,
    "musical formats and the null notehead": "\U0001d173\U0001d17a\U0001d159" * 8,
    "Egyptian blanks": "\U00013441\U00013442" * 8,
    "fillers of shorthand and Khitan": "\U0001bca0\U00016fe4" * 8,
    "a mixture": " \0\u200b\u3164\ufeff\t\u2800\xa0" * 4,
    "UTF-16 written into text": "\0 \0 \0 \0 \0 \0 \0 \0 ",
}


@pytest.mark.parametrize("case", BLANKS)
def test_an_hmac_key_that_shows_nothing_is_unusable_and_one_visible_character_makes_it_usable(case: str) -> None:
    text = BLANKS[case]

    assert flaw_of(text, alg="HS256") is Flaw.BLANK_KEY
    assert flaw_of(json.dumps(an_oct_jwk(text.encode()))) is Flaw.BLANK_KEY
    for visible in ("x", "\u00e9", "\U0001f511"):
        for mixed in (visible + text, text + visible, text[:1] + visible + text[1:]):
            assert flaw_of(mixed, alg="HS256") is None
            assert flaw_of(json.dumps(an_oct_jwk(mixed.encode()))) is None


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(("\ufeff" + text * 8).encode(encoding), id=f"{encoding} {text!r}")
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
        for text in (" ", "\xa0", "\t\n", "\u2003")
    ],
)
def test_blanks_in_any_encoding_are_blanks(octets: bytes) -> None:
    assert flaw_of(json.dumps(an_oct_jwk(octets))) is Flaw.BLANK_KEY


@pytest.mark.parametrize(
    "octets",
    [
        b" ",
        b"\0",
        bytes(range(1, 9)) * 4,  # control characters, and not all of them blank
        b"\x01" * 32,
        b"\x7f" * 32,
        b"\xff" * 32,
        b"\x80" * 32,
        "0".encode("utf-16-le") * 16,
        bytes(range(200, 232)),
    ],
    ids=lambda octets: octets[:6].hex(),
)
def test_what_is_not_blank(octets: bytes) -> None:
    """One blank is what recorded rows have; other control characters are no blanks."""
    assert not is_blank(octets)
    assert flaw_of(json.dumps(an_oct_jwk(octets))) is None


VISIBLE_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Signs that enclose the digits behind them: formats, and drawn."""


def test_every_format_of_unicode_that_shows_nothing_is_known() -> None:
    formats = {code for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"} - VISIBLE_FORMATS

    assert [hex(code) for code in formats if not is_blank(chr(code).encode() * 2)] == []


NEW_IN_UNICODE_15 = ("EGYPTIAN HIEROGLYPH FULL BLANK", "EGYPTIAN HIEROGLYPH HALF BLANK")


def test_every_letter_digit_mark_and_sign_is_visible() -> None:
    """But for those named above: a table of ranges must not reach too far."""
    unseen = [
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code))[0] in "LMNPS" and is_blank(chr(code).encode() * 2)
    ]
    names = {unicodedata.name(chr(code)).rstrip("0123456789-") for code in unseen}

    assert names == {
        "COMBINING GRAPHEME JOINER",
        "HANGUL CHOSEONG FILLER",
        "HANGUL JUNGSEONG FILLER",
        "HANGUL FILLER",
        "HALFWIDTH HANGUL FILLER",
        "KHMER VOWEL INHERENT AQ",
        "KHMER VOWEL INHERENT AA",
        "MONGOLIAN FREE VARIATION SELECTOR ONE",
        "MONGOLIAN FREE VARIATION SELECTOR TWO",
        "MONGOLIAN FREE VARIATION SELECTOR THREE",
        "MONGOLIAN FREE VARIATION SELECTOR FOUR",
        "BRAILLE PATTERN BLANK",
        "VARIATION SELECTOR",
        *(() if unicodedata.unidata_version.startswith("14.") else NEW_IN_UNICODE_15),  # 14 is Python 3.11's
        "KHITAN SMALL SCRIPT FILLER",
        "MUSICAL SYMBOL NULL NOTEHEAD",
    }


@pytest.mark.parametrize("text", [" " * 32, "\0" * 64, "\u200b" * 32])
def test_a_token_by_a_blank_key_is_refused_by_a_row_and_by_none_else(text: str) -> None:
    token = a_token(key=text)

    assert (
        refusal(lambda: an_authorizer(a_secret(text, alg="HS256"), min_hmac_key_bytes=1).authorize(token))
        is Reason.BAD_SIGNATURE
    )
    assert verify_jws(token, text)


def test_a_set_with_a_blank_key_keeps_its_others() -> None:
    keys = made_by(a_jwks({"kty": "oct", "k": segment(bytes(32))}, an_oct_jwk())).keys

    assert [key.material for key in keys] == [HMAC_KEY.encode()]


def test_a_key_of_the_empty_text_is_still_denied_to_everybody() -> None:
    with pytest.raises(Denied):
        verify_jws(a_token(key=""), "")

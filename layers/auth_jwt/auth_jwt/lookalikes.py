"""What a text may be, other than an HMAC secret that somebody made up.

Whoever takes a public key for an HMAC secret lets in everybody who has the public key (CVE-2022-29217 and its many
relatives). A list of the forms that keys come in has no end, so the question is turned round: can this text be nothing
but a secret that a person or a generator made up? Made-up secrets are short, and they are words or noise. Text that is
long, names the members of a key, points to another place, or decodes to something with a structure is something else.

Every stream of findings below is lazy and ordered from cheap to dear. Nothing here shows a piece of a text.

The patterns are compiled when they are first needed (`re` remembers them): an ordinary secret needs hardly any, and
it is the ordinary secret that waits for a cold start.
"""

import json
import re
from binascii import a2b_base64, unhexlify
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

MAX_CHARACTERS: Final = 1024
MAX_OCTETS: Final = 200
"""An encoded secret of more octets is none that somebody made up: the longest that generators give have 128."""

_TIMES_ESCAPED: Final = 4
_TIMES_ENCODED: Final = 3
_CERTAIN_WITHIN: Final = 2048
"""How many characters of a long text are searched for certain key material, so that no text takes long."""

_EFFORT: Final = 24_000
"""How many octets are looked at in one search: a made-up secret takes a quarter of it, and no text much over 3 ms."""
_A_LOOK: Final = 32
"""To look for a structure at a place takes as long as to pass so many octets by."""

_LONG: Final = "longer than 1,024 characters"
_REFERENCE: Final = "a reference to another place"
_WORDS: Final = "words that are printed with a key"
_MEMBERS: Final = "JSON or XML with a key's members"
_JWK: Final = "a JWK"
_PEM: Final = "PEM"
_ENCODED: Final = "a JWK or PEM, encoded"
_SSH: Final = "an SSH key"
_DER: Final = "DER of a key or certificate"
_OPENPGP: Final = "an OpenPGP key"
_POINT: Final = "a point of an elliptic curve"
_COSE: Final = "a COSE key"
_MUCH: Final = "more than 200 bytes, encoded"
_MODULUS: Final = "an RSA modulus"
_UNCLEAR: Final = "text that can be read in too many ways"

_CERTAIN: Final = frozenset({_PEM, _ENCODED, _SSH, _DER})


def what_else(text: str) -> str | None:
    """Say what *text* may be instead of an HMAC secret that somebody made up; None when it can be nothing else."""
    if len(text) > MAX_CHARACTERS:
        return _LONG
    return next(_Search().in_text(text), None)


def is_key_material(text: str) -> bool:
    """Tell whether *text* is certainly an SSH key, or a key or certificate in DER, whatever else its row says."""
    return any(finding in _CERTAIN for finding in _Search(points=False).in_text(text[:_CERTAIN_WITHIN]))


def what_octets_are(octets: bytes) -> str | None:
    """Say what the *octets* of an `oct` JWK may be instead of an HMAC key; None when they can be nothing else.

    A JWK calls itself `oct`, so a size alone is no reason here. More than 200 octets are refused when they may be an
    RSA modulus: of random octets one time in fifteen, and hardly anybody makes up keys of that size.
    """
    head = octets[:_CERTAIN_WITHIN]
    search = _Search()
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    for finding in chain(search.in_text(text), search.in_octets(head)):
        if finding not in (_MUCH, _UNCLEAR):
            return finding
    return _MODULUS if any(map(_may_be_modulus, (octets, *_whole(octets)))) else None


class _Search:
    """One search: it reads no text twice, and gives up when there is more to read than an ordinary text has."""

    __slots__ = ("effort", "points", "seen")

    def __init__(self, *, points: bool = True) -> None:
        self.effort = _EFFORT
        self.points = points
        self.seen: set[str] = set()

    def in_text(self, text: str, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *text* may be, its escapes undone; what it encodes is decoded *times* over at most."""
        for plain in _plain(text):
            if plain not in self.seen:
                self.seen.add(plain)
                yield from _named(plain)
                yield from self._encoded(plain, times)
            if self.effort < 0:
                return

    def _encoded(self, text: str, times: int) -> Iterator[str]:
        """Find what *text* encodes, read from any place in it: the marks between its groups are dropped."""
        ascii_text = text.encode("ascii", "ignore")
        if _is_much(ascii_text):
            yield _MUCH
        elif self.points and _holds_coordinates(ascii_text):
            yield _POINT
        for octets, step in _readings(text, ascii_text):
            yield from self.in_octets(octets, step, times)
        if not (text.isascii() and text.isprintable()):
            binary = _is_binary(text)
            if binary and len(text) > MAX_OCTETS:
                yield _MUCH
            step = 1 if binary else len(text)
            yield from self.in_octets(text.encode("latin-1", "replace"), step, 0)  # its own: as text they were read

    def in_octets(self, octets: bytes, step: int = 1, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *octets* hold at any place; at every *step*-th place only what has no mark of its own."""
        if any(identifier in octets for identifier in _IDENTIFIERS):
            yield _DER
        if b"openssh-key-v1\0" in octets:
            yield _SSH
        marks = [(at, octet) for at, octet in enumerate(octets) if octet in _MARKED]
        points = range(0, len(octets) - 63, step) if self.points and len(octets) <= MAX_OCTETS else ()
        self.effort -= len(octets) + _A_LOOK * (len(marks) + len(points))
        if self.effort < 0:
            yield _UNCLEAR
            return
        for at, octet in marks:
            if finding := _MARKED[octet](octets, at):
                yield finding
        if any(_is_point(octets, at) for at in points):
            yield _POINT
        if times:
            if b"kty" in octets and re.search(rb"kty[^\0]{1,8}?(?:RSA|EC|OKP|oct|AKP)", octets):
                yield _ENCODED
            for stretch in octets.translate(_TEXT_RUNS).split(b"\xff"):
                if len(stretch) >= _TEXT_RUN:
                    for finding in self.in_text(stretch.decode("ascii"), times - 1):
                        yield _ENCODED if finding is _JWK else finding


# -- escapes ----------------------------------------------------------------------------------------------------------


def _plain(text: str) -> Iterator[str]:
    """Give *text*, and what it is with one kind of escape undone after the other, four times over."""
    yield text
    for _ in range(_TIMES_ESCAPED):
        before = text
        for undo in (_undo_percent, _undo_entities, _undo_backslashes, _undo_quoted, _undo_dump, _undo_utf16):
            undone = undo(text)
            if undone != text:
                text = undone
                yield text
                if undo is _undo_percent and "+" in text:
                    yield text.replace("+", " ")  # as a form has it
        if text == before:
            return


def _character(match: re.Match[str]) -> str:
    """Give the character whose code, in hex, the pattern found in its last group that matched."""
    return chr(int(match[match.lastindex or 0], 16))


def _undo_percent(text: str) -> str:
    if "%" not in text:
        return text
    return re.sub(r"%u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})", _character, text)


def _undo_entities(text: str) -> str:
    if "&" not in text:
        return text
    return re.sub(r"&(?:#([0-9]{1,6})|#[xX]([0-9A-Fa-f]{1,5})|[A-Za-z][A-Za-z0-9]{1,31});", _entity, text)


def _entity(match: re.Match[str]) -> str:
    if match[1]:  # an octet is an octet here, whatever Windows has in its place
        return chr(int(match[1]))
    if match[2]:
        return _character(match)
    from html import unescape

    return unescape(match[0])


def _undo_backslashes(text: str) -> str:
    if "\\" not in text:
        return text
    code = r"\\(?:u\{([0-9A-Fa-f]{1,5})\}|x\{?([0-9A-Fa-f]{2})\}?|u([0-9A-Fa-f]{4})|U000([0-9A-Fa-f]{5})"
    return re.sub(code + r"|([0-3][0-7]{2})|(\r?\n)|(.))", _unescaped, text, flags=re.DOTALL)


_OCTAL, _LINE_END, _OTHER = 5, 6, 7
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0", "e": "\x1b"}


def _unescaped(match: re.Match[str]) -> str:
    if match.lastindex == _OCTAL:
        return chr(int(match[_OCTAL], 8))
    if match.lastindex == _LINE_END:
        return ""
    if match.lastindex == _OTHER:
        return _LETTERS.get(match[_OTHER], match[_OTHER])
    return _character(match)


def _undo_quoted(text: str) -> str:
    """Undo quoted-printable, and put together a string that is written in pieces."""
    if "=" in text:
        text = re.sub(r"=[ \t]*\r?\n|=([0-9A-F]{2})", lambda match: _character(match) if match[1] else "", text)
    if '"' in text or "'" in text:
        text = re.sub(r"""(["'])\s*+[+.&\\]?\s*+\1""", "", text)
    return text


def _undo_dump(text: str) -> str:
    """Leave of a dump (xxd, hexdump, od) the octets, without their offsets and characters."""
    if "\n" not in text:
        return text
    return re.sub(
        r"^[ \t]*+[0-9A-Fa-f]{4,16}+:?[ \t]++((?:[0-9A-Fa-f]{2,8}+(?:[ \t]{1,2}+|$))++).*+$",
        lambda line: line[1],
        text,
        flags=re.MULTILINE,
    )


def _undo_utf16(text: str) -> str:
    return text.replace("\0", "")


# -- what a text says of itself ---------------------------------------------------------------------------------------

_BLANK: Final = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_OPENING: Final = r"""["'`\u2018-\u201f\xab\xbb\u2039\u203a(\[{<=]"""
_NOTHING_BEFORE: Final = r"(?<![A-Za-z0-9+/_-])"
_NOTHING_BEHIND: Final = r"(?![A-Za-z0-9+/_-])"

_PLACES: Final = (
    rf"(?:\A{_BLANK}*+|{_OPENING}{_BLANK}*+)"
    r"(?:arn:aws|https?://|file://|s3://|ssm:/|did:(?:key|jwk|web):|\{\{resolve:|k[1-4]\.public\.)"
    rf"(?!{_BLANK}){_OPENING.replace('[', '[^', 1)}"
)
_LABELS: Final = (
    rf"{_NOTHING_BEFORE}(?:v\s*=\s*dkim1|minisign public key|k=ed25519;\s*p=|rsakeyvalue|jwks_uri){_NOTHING_BEHIND}"
)
_LABELS_OF_A_RUN: Final = (
    rf"{_NOTHING_BEFORE}(?:(?:rsa|public) ?exponent|exponent|modulus|certificate|x509certificate"
    rf"|(?:public|private|pub|verify|verifying|verification)[ _-]?key(?:pem|hex|base64|base58)?){_NOTHING_BEHIND}"
)
_KTY: Final = (
    rf"{_NOTHING_BEFORE}kty[^a-z0-9]{{1,16}}(?:s(?:tring)?[:(][0-9]{{1,4}}[^a-z0-9]{{1,4}})?(?:rsa|ec|okp|oct|akp){_NOTHING_BEHIND}"
    r"""|["']kty\\{0,8}["']\s{0,64}:"""
)
_SSH_LINE: Final = r"(?:ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-nistp(?:256|384|521))\S{0,32}" + rf"{_BLANK}++aaaa"
_SSH_FILE: Final = r"---- ?begin ssh2|putty-user-key-file-\d|\A\s*+---- begin "
_MULTIBASE: Final = r"(?<![0-9a-z])(?:z6mk[0-9a-z]{44}|zdna[0-9a-z]{44,46}|(?:age|npub)1[02-9ac-hj-np-z]{58})(?![0-9a-z])"
_LOSSY_OIDS: Final = ("*\ufffdH\ufffd\ufffd\r\x01", "*\ufffdH\ufffd=", "*H\r\x01\x01", "*H=\x02\x01")
"""The commonest object identifiers of keys, in DER that somebody read as UTF-8, with what is none replaced or left out."""


def _named(text: str) -> Iterator[str]:
    """Find what *text* says that it is. What is looked for first is quick, and rare in anything else."""
    low = text.lower()
    if "-----begin" in low:
        yield _PEM
    if (":/" in low or "arn:aws" in low or "did:" in low or "{{resolve:" in low or ".public." in low) and re.search(
        _PLACES, low
    ):
        yield _REFERENCE
    if "kty" in low and re.search(_KTY, low):
        yield _JWK
    if ("ssh-" in low or "ecdsa-sha2-" in low) and re.search(_SSH_LINE, low):
        yield _SSH
    if ("--- " in low or "key-file" in low or "--- b" in low) and re.search(_SSH_FILE, low):
        yield _SSH
    if any(word in low for word in ("dkim1", "minisign", "rsakeyvalue", "jwks_uri", "k=ed25519")) and re.search(
        _LABELS, low
    ):
        yield _WORDS
    if any(word in low for word in ("exponent", "modulus", "certificate", "key")) and re.search(_LABELS_OF_A_RUN, low):
        if _holds_a_run(text):
            yield _WORDS
    if any(word in low for word in ("z6mk", "zdna", "age1", "npub1")) and re.search(_MULTIBASE, low):
        yield _WORDS
    if any(damaged in text for damaged in _LOSSY_OIDS):
        yield _DER
    if ('"' in text and _is_json_of_a_key(text)) or ("<" in text and _is_xml_of_a_key(low)):
        yield _MEMBERS


def _is_json_of_a_key(text: str, depth: int = _TIMES_ENCODED) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or _are_of_a_key({name.lower() for name, _ in pairs})
        found = found or any(isinstance(value, str) and _is_json_of_a_key(value, depth - 1) for _, value in pairs)

    for first, last in ("{}", "[]"):
        document = text[text.find(first) : text.rfind(last) + 1]
        if depth and document.startswith(first):
            try:
                json.loads(document, strict=False, object_pairs_hook=look)
            except (ValueError, RecursionError):
                found = False
            if found:
                return True
    return False


def _is_xml_of_a_key(low: str) -> bool:
    return _are_of_a_key(set(re.findall(r"(?:<|<[\w.-]{1,64}:|\s)([\w.-]++)(?=[\s>=/])", low)))


def _are_of_a_key(names: set[str]) -> bool:
    return (
        not names.isdisjoint({"kty", "modulus", "x5c", "jwks_uri", "x509certificate"})
        or {"n", "e"} <= names
        or {"crv", "x"} <= names
    )


# -- what a text encodes ----------------------------------------------------------------------------------------------


_ALL: Final = bytes(range(256))


def _kept(characters: bytes, other: bytes = b" ") -> bytes:
    """Make a table for `bytes.translate` that keeps *characters* and puts *other* in place of all else."""
    others = _ALL.translate(None, characters)
    return bytes.maketrans(others, other * len(others))


_DIGITS: Final = b"0123456789"
_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER: Final = _UPPER.lower()
_OF_BASE64: Final = _UPPER + _LOWER + _DIGITS + b"+/_-"
_OF_HEX: Final = _DIGITS + b"abcdefABCDEF"
_NO_BASE64: Final = _ALL.translate(None, _OF_BASE64)
_NO_WORD: Final = _ALL.translate(None, _UPPER + _LOWER + _DIGITS)
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_BASE64_RUNS: Final = _kept(_OF_BASE64)
_HEX_RUNS: Final = _kept(_OF_HEX)
_BASE32_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuv"  # as `int` reads them
_BASE32_RUNS: Final = tuple(
    _kept(letters + b"234567").translate(bytes.maketrans(letters + b"234567", _BASE32_DIGITS))
    for letters in (_UPPER, _LOWER)
)
_TEXT_RUNS: Final = _kept(b"\0\t\n\r" + bytes(range(0x20, 0x7F)), b"\xff")

_GROUP: Final = 4
_RUN: Final = 16  # characters; words are shorter
_HEX_RUN: Final = 32
_BASE32_RUN: Final = 26
_TEXT_RUN: Final = 12
_POINT_BASE64: Final = 86
_KEY_OCTETS: Final = 32
_MAX_BASE64: Final = (MAX_OCTETS * 4 + 2) // 3 + 1
_NUMBERS: Final = 20


def _readings(text: str, ascii_text: bytes) -> Iterator[tuple[bytes, int]]:
    """Give the octets that *text* may stand for, and at which of them something may begin: at every third, say."""
    for digits in _hex_runs(ascii_text):
        for start in (0, 1):
            whole = digits[start:]
            yield unhexlify(whole[: len(whole) & ~1]), 1
        if not digits.strip(b"01"):
            yield from ((_from_digits(digits[start:], 1), 1) for start in range(8))
    joined = ascii_text.translate(_STANDARD, _NO_BASE64)
    if len(joined) >= _RUN and joined.translate(None, _OF_HEX + b"+/"):  # hex digits alone are hex alone
        runs = ascii_text.translate(_BASE64_RUNS).split()
        step = 3 if len(joined) >= len(runs) * _GROUP else len(joined)  # of single characters nothing is put together
        yield from ((_from_base64(joined[start:]), step) for start in range(4))
        if step > 3 or len(joined) > _MAX_BASE64:
            for run in runs:
                if _POINT_BASE64 <= len(run) <= _MAX_BASE64:
                    yield from ((_from_base64(run[start:].translate(_STANDARD)), 3) for start in range(4))
        if groups := _regular_groups(ascii_text):
            yield from ((_from_base64(groups[start:]), 3) for start in range(4))
    words = ascii_text.translate(None, _NO_WORD)
    for table in _BASE32_RUNS:
        for digits in words.translate(table).split():
            if len(digits) >= _BASE32_RUN:
                yield from ((_from_digits(digits[start:], 5), 5) for start in range(8))
    if ascii_text.count(b",") + ascii_text.count(b" ") + ascii_text.count(b"\n") >= _NUMBERS:
        yield from ((octets, 1) for octets in _lists(text))
    if len(ascii_text) * 2 < len(text):  # octets of ASCII, read as UTF-16
        yield text.encode("utf-16-le", "surrogatepass"), 1
        yield text.encode("utf-16-be", "surrogatepass"), 1


def _hex_runs(ascii_text: bytes) -> Iterator[bytes]:
    joined = ascii_text.replace(b"0x", b"").replace(b"0X", b"").translate(_HEX_RUNS, _NO_WORD)
    return (digits for digits in joined.split() if len(digits) >= _HEX_RUN)


def _from_base64(run: bytes) -> bytes:
    """Decode *run*; what is left over at its end is no whole octet."""
    return a2b_base64(run[: len(run) - (len(run) % 4 == 1)] + b"==")


def _from_digits(digits: bytes, bits: int) -> bytes:
    """Read *digits* of so many *bits* each."""
    whole = len(digits) * bits
    return (int(digits, 1 << bits) << -whole % 8).to_bytes((whole + 7) // 8, "big")


def _regular_groups(ascii_text: bytes) -> bytes:
    """Give text in groups of one length, parted by `-` or `_`, without these."""
    for mark in (b"-", b"_"):
        groups = ascii_text.split(mark)
        if len(groups) > 3 and len({len(group) for group in groups[:-1]}) == 1:
            return ascii_text.translate(_STANDARD, _NO_BASE64 + mark)
    return b""


def _lists(text: str) -> Iterator[bytes]:
    """Read lists of octets: decimal, signed as Java has them, in hex with each its `0x`, or three octal digits each."""
    plain = re.sub(r'\(byte\)|"\d{1,3}"\s*:', "", text)
    hexadecimal = re.findall(r"\b0[xX]([0-9A-Fa-f]{1,2})\b", plain)
    if len(hexadecimal) >= _NUMBERS:
        yield bytes(int(number, 16) for number in hexadecimal)
    decimal = re.findall(r"-?\b\d{1,3}(?:u8)?\b", plain)
    if len(decimal) >= _NUMBERS:
        yield bytes(int(number.removesuffix("u8")) & 0xFF for number in decimal)
        if all(re.fullmatch("[0-3][0-7]{2}", number) for number in decimal):
            yield bytes(int(number, 8) for number in decimal)


def _is_much(ascii_text: bytes) -> bool:
    """Tell whether a run is of more than 200 octets: in one piece, in long pieces, or in pieces of one length."""
    if len(ascii_text) <= _MAX_BASE64:
        return False
    if any(len(digits) > MAX_OCTETS * 2 for digits in _hex_runs(ascii_text)):
        return True
    # A run of hex digits is of half as many octets, and what holds one beside other characters is no base64.
    without_hex = re.sub(rb"[0-9A-Fa-f_-]{32,}+", b" ", ascii_text)
    runs = [len(run) for run in without_hex.translate(_BASE64_RUNS).split()]
    if sum(length for length in runs if length >= _RUN) > _MAX_BASE64:
        return True
    if len(re.findall(rb"-?\b\d{1,3}\b", ascii_text)) > MAX_OCTETS:
        return True
    usual = max(runs, key=runs.count, default=0)
    groups = runs.count(usual)
    return usual >= _GROUP and groups * usual > _MAX_BASE64 and groups * 4 >= len(runs) * 3


def _is_binary(text: str) -> bool:
    """Tell whether *text* is octets of anything: one in four of these is a control character."""
    return sum(character in _CONTROLS for character in text) * 16 > len(text)


_CONTROLS: Final = frozenset(map(chr, (*range(1, 0x09), *range(0x0E, 0x20), *range(0x7F, 0xA0))))


def _holds_a_run(text: str) -> bool:
    """Tell whether some run in *text* is of 32 octets or more; words, which have blanks between them, are none."""
    ascii_text = text.encode("ascii", "ignore")
    runs = [len(run) for run in ascii_text.translate(_BASE64_RUNS).split()]
    return (
        max(runs, default=0) * 3 // 4 >= _KEY_OCTETS
        or any(len(digits) >= _KEY_OCTETS * 2 for digits in _hex_runs(ascii_text))
        or len(re.findall(rb"\b\d{1,3}\b", ascii_text)) >= _KEY_OCTETS
    )


# -- what octets are --------------------------------------------------------------------------------------------------

# Object identifiers of keys, signatures, curves, containers and names, in DER. Random octets hold one of them at a
# given place once in two thousand million times; most are longer, and rarer.
_IDENTIFIERS: Final = (
    b"\x2a\x86\x48\x86\xf7\x0d\x01",  # PKCS: RSA, encryption by password, signed data, PKCS #12
    b"\x2a\x86\x48\xce\x3d",  # ANSI X9.62: EC keys, curves, ECDSA
    b"\x2a\x86\x48\xce\x38\x04",  # DSA
    b"\x06\x03\x2b\x65\x6e",  # X25519 (RFC 8410)
    b"\x06\x03\x2b\x65\x6f",  # X448
    b"\x06\x03\x2b\x65\x70",  # Ed25519
    b"\x06\x03\x2b\x65\x71",  # Ed448
    b"\x06\x05\x2b\x81\x04\x00",  # SEC 2: P-384, P-521, secp256k1
    b"\x60\x86\x48\x01\x65\x03\x04",  # NIST: ML-DSA, SHA-2
    b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",  # Ed25519 as GnuPG names it
    b"\x2b\x06\x01\x04\x01\x97\x55\x01\x05",  # Curve25519, likewise
    b"\x2a\x85\x03\x02\x02",  # GOST
    b"\x2a\x85\x03\x07\x01",
    b"\x2a\x81\x1c\xcf\x55",  # SM2
    b"\x06\x05\x2b\x0e\x03\x02",  # OIW: DSA, SHA-1
    b"\x06\x03\x55\x04",  # attributes of names in certificates
    b"\x06\x03\x55\x1d",  # extensions of certificates
)


_SEQUENCE, _INTEGER, _BIT_STRING, _OCTET_STRING, _IDENTIFIER = 0x30, 0x02, 0x03, 0x04, 0x06
_MODULUS_OCTETS: Final = 32
_EXPONENT: Final = range(3, 12)  # tag, length, and an exponent of at most 65 bits
_SEC1_OCTETS: Final = (28, 32, 48, 66)


def _element(octets: bytes, at: int) -> tuple[int, int, int]:
    """Read the tag, start and end of the DER element *at* a place (X.690); tag -1 when there is none.

    Its end may lie behind the octets that are there.
    """
    head = octets[at : at + 5]
    if len(head) < 2:
        return -1, 0, 0
    length, start = head[1], at + 2
    if length > 0x80:
        size = length - 0x80
        length = int.from_bytes(head[2 : 2 + size], "big")
        if size > 3 or len(head) < 2 + size or length < 0x80 or not head[2]:
            return -1, 0, 0
        start += size
    elif length == 0x80:
        return -1, 0, 0
    return head[0], start, start + length


def _der_at(octets: bytes, at: int) -> str | None:
    """Find a key or certificate by its structure alone, of whatever algorithm (RFC 5280, 5958, 8017, 5915)."""
    _, start, end = _element(octets, at)
    tag, inner, inner_end = _element(octets, start)
    if not start or inner_end > end:
        return None
    if tag == _INTEGER and inner_end - inner == 1 and octets[inner : inner + 1] in (b"\0", b"\1"):
        return _DER if _is_private(octets, inner_end, end) else None
    if tag == _INTEGER and inner_end - inner >= _MODULUS_OCTETS and end - inner_end in _EXPONENT:
        if inner_end + 1 < len(octets):
            exponent, _, exponent_end = _element(octets, inner_end)
            return _DER if exponent == _INTEGER and exponent_end == end else None
        return _DER if octets[at + 1] > 0x80 else None  # cut short: long lengths that agree are enough
    if tag == _SEQUENCE:
        first, oid, oid_end = _element(octets, inner)
        if first == 0xA0 and octets[oid : oid + 2] == b"\x02\x01" and oid_end - oid == 3:
            return _DER
        if first == _IDENTIFIER and 3 <= oid_end - oid <= 16 and oid_end <= inner_end:
            last, content, last_end = _element(octets, inner_end)
            if last_end == end and (last == _OCTET_STRING or (last == _BIT_STRING and octets[content] == 0)):
                return _DER
    return None


def _is_private(octets: bytes, at: int, end: int) -> bool:
    """Tell whether behind a version there stands what private keys have there, and fits."""
    tag, start, own_end = _element(octets, at)
    if own_end > end:
        return False
    if tag == _SEQUENCE:
        return octets[start : start + 1] == b"\x06"
    if tag == _INTEGER:
        return own_end - start >= _MODULUS_OCTETS
    return tag == _OCTET_STRING and own_end - start in _SEC1_OCTETS


_SSH_TYPES: Final = (b"ssh-", b"sk-ssh-", b"ecdsa-sha2-", b"sk-ecdsa-sha2-", b"rsa-sha2-", b"webauthn-sk-")


def _ssh_at(octets: bytes, at: int) -> str | None:
    if octets[at : at + 3] != b"\0\0\0":
        return None
    return _SSH if octets[at + 4 : at + 24].startswith(_SSH_TYPES) else None


# RFC 9580, section 9.1: algorithms whose keys are a number of integers, or have one size.
_INTEGERS: Final = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4}
_NATIVE: Final = {25: 32, 26: 56, 27: 32, 28: 57}
_PLAUSIBLE_TIMES: Final = range(0x28000000, 0x80000000)  # 1991 to 2038
_MIN_INTEGER_BITS: Final = 512


def _openpgp_at(octets: bytes, at: int) -> str | None:
    """Find a public or secret key packet of version 4 or 6 (RFC 9580, section 5.5.2)."""
    first, size = octets[at], 1
    if first & 0x40:
        length = int.from_bytes(octets[at + 1 : at + 2], "big")
        if 192 <= length < 224:
            length, size = ((length - 192) << 8) + int.from_bytes(octets[at + 2 : at + 3], "big") + 192, 2
    else:
        size = 1 << (first & 3)
        length = int.from_bytes(octets[at + 1 : at + 1 + size], "big")
    body = octets[at + 1 + size : at + 1 + size + length]
    if len(body) < 10 or len(body) < min(length, MAX_OCTETS) or body[0] not in (4, 6):
        return None
    if int.from_bytes(body[1:5], "big") not in _PLAUSIBLE_TIMES:
        return None
    key = body[6:] if body[0] == 4 else body[10:]
    public = (first & 0x3F if first & 0x40 else first >> 2 & 0xF) in (6, 14)
    if native := _NATIVE.get(body[5]):
        fits = len(key) == native if public else _is_secret(key[native:], native)
    else:
        fits = body[5] in _INTEGERS and _are_integers(key, _INTEGERS[body[5]], exact=public)
    return _OPENPGP if fits else None


def _is_secret(rest: bytes, size: int) -> bool:
    """Tell whether *rest* is a secret of this *size*, in clear, or encrypted by a cipher that there is (section 3.7)."""
    if rest[:1] == b"\0":
        return len(rest) in (size + 1, size + 3)  # usage, secret, and up to version 4 a checksum
    return len(rest) > size + 16 and rest[0] >= 253 and 1 <= rest[1] <= 13


def _are_integers(key: bytes, count: int, *, exact: bool) -> bool:
    """Tell whether *key* is so many OpenPGP integers, each behind its length in bits, the first of them a large one."""
    if int.from_bytes(key[:2], "big") < _MIN_INTEGER_BITS:
        return False
    at = 0
    for _ in range(count):
        bits = int.from_bytes(key[at : at + 2], "big")
        value = key[at + 2 : at + 2 + (bits + 7) // 8]
        if not bits or int.from_bytes(value, "big").bit_length() != bits:
            return False
        at += 2 + len(value)
    return at == len(key) if exact else at <= len(key)


def _cose_at(octets: bytes, at: int) -> str | None:
    """Find a key on a curve by its `crv` and `x` (RFC 9053, section 7)."""
    found = octets[at + 2 : at + 4] == b"\x21\x58" and octets[at + 1 : at + 2] in b"\1\2\3\4\5\6\7\x08"
    return _COSE if found and octets[at + 4 : at + 5] in (b"\x20", b"\x30", b"\x38", b"\x39", b"\x42") else None


# y² = x³ + ax + b modulo p (SP 800-186; SEC 2). A coordinate need not be below p here: that changes no odds.
_P256: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_SECP256K1: Final = 2**256 - 2**32 - 977
_P384: Final = 2**384 - 2**128 - 2**96 + 2**32 - 1
_P384_B: Final = 0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF
_P521: Final = 2**521 - 1
_P521_B: Final = int(
    "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF1"
    "09E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00",
    16,
)


def _is_on_curve(x: int, y: int, size: int) -> bool:
    """Tell whether *x* and *y*, of *size* octets each, are a point of P-256, secp256k1, P-384 or P-521."""
    rest = y * y - x * x * x
    if size == 32:
        return not (rest - 7) % _SECP256K1 or not (rest + 3 * x - _P256_B) % _P256
    if size == 48:
        return not (rest + 3 * x - _P384_B) % _P384
    return not (rest + 3 * x - _P521_B) % _P521


def _is_point(octets: bytes, at: int) -> bool:
    """Tell whether two coordinates that belong together stand *at* a place."""
    read, rest = int.from_bytes, len(octets) - at
    if rest >= 64 and _is_on_curve(read(octets[at : at + 32], "big"), read(octets[at + 32 : at + 64], "big"), 32):
        return True
    if rest >= 96 and _is_on_curve(read(octets[at : at + 48], "big"), read(octets[at + 48 : at + 96], "big"), 48):
        return True
    if rest >= 132 and octets[at] < 2 and octets[at + 66] < 2:
        return _is_on_curve(read(octets[at : at + 66], "big"), read(octets[at + 66 : at + 132], "big"), 66)
    return False


def _point_at(octets: bytes, at: int) -> str | None:
    return _POINT if _is_point(octets, at + 1) else None


def _holds_coordinates(ascii_text: bytes) -> bool:
    """Tell whether two runs, one behind the other, are the coordinates of one point."""
    if len(ascii_text) < 80:
        return False
    runs = [run for run in ascii_text.translate(_BASE64_RUNS).split() if len(run) >= 40]
    runs += [run for run in _hex_runs(ascii_text) if len(run) >= 60]
    return any(
        _is_on_curve(x, y, size)
        for first, second in zip(runs, runs[1:], strict=False)
        for x, y in zip(_numbers(first), _numbers(second), strict=False)
        for size in (32, 48, 66)
    )


def _numbers(run: bytes) -> Iterator[int]:
    """Give the numbers that a *run* may stand for, base64 first."""
    yield int.from_bytes(_from_base64(run.translate(_STANDARD)), "big")
    if not run.translate(None, _OF_HEX):
        yield int(run, 16)
    if run.isdigit():
        yield int(run)


_MARKED: Final = {
    0x00: _ssh_at,
    _SEQUENCE: _der_at,
    0x20: _cose_at,
    **dict.fromkeys((0x04, 0x06, 0x07), _point_at),
    **dict.fromkeys((0x94, 0x95, 0x96, 0x98, 0x99, 0x9A, 0x9C, 0x9D, 0x9E, 0xB8, 0xB9, 0xBA), _openpgp_at),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCE), _openpgp_at),
}
"""What may begin with an octet."""


def _whole(octets: bytes) -> Iterator[bytes]:
    """Give what *octets* encode as a whole, in base64 or in hex."""
    text = octets.strip()
    if not text.translate(None, _OF_HEX):
        yield unhexlify(text[: len(text) & ~1])
    elif not text.rstrip(b"=").translate(None, _OF_BASE64):
        yield _from_base64(text.rstrip(b"=").translate(_STANDARD))


def _may_be_modulus(octets: bytes) -> bool:
    """Tell whether *octets* are a number of an RSA modulus's size, in its shortest form, without small divisors."""
    if not MAX_OCTETS < len(octets) <= _CERTAIN_WITHIN or (octets[0] == 0 and octets[1] < 0x80):
        return False
    from math import gcd, prod

    number = int.from_bytes(octets, "big")
    return number % 2 == 1 and gcd(number, prod(range(3, 2000, 2))) == 1

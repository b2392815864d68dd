"""What a text may be, other than an HMAC secret that somebody made up.

Whoever takes a public key for an HMAC secret lets in everybody who has the public key (CVE-2022-29217 and its many
relatives). A list of the forms that keys come in has no end, so the question is turned round: can this text be nothing
but a secret that a person or a generator made up? Made-up secrets are short, and they are words or noise. Text that is
long, names the members of a key, points to another place, or decodes to something with a structure is something else.

A search gives its findings one by one, what is cheap first, and none of them has a piece of the text in it. Patterns
are compiled when they are first needed (`re` keeps them): an ordinary secret needs hardly any, and a login by one
waits for this module at a cold start.
"""

import json
import re
from binascii import a2b_base64, unhexlify
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any, Final

from auth_jwt.jose.structures import DER, POINT, SSH, find_marks, find_structures, identify, is_on_curve, is_point

MAX_CHARACTERS: Final = 1024
MAX_OCTETS: Final = 200
"""An encoded secret of more octets is none that somebody made up: the longest that generators give have 128."""

_TIMES_ESCAPED: Final = 4
_TIMES_ENCODED: Final = 3
_CERTAIN_WITHIN: Final = 2048
"""How many characters of a long text are searched for certain key material, so that no text takes long."""

_EFFORT: Final = 20_000
"""How many octets one search looks at, in 2 ms. A made-up secret of 128 octets takes a half of them, or more."""
_A_LOOK: Final = 32
"""A look for a structure at a place takes as long as so many octets that are passed by."""

_A_TEXT: Final = 2
"""To undo the escapes of a text and look for words takes as long as so many octets for each of its characters."""

_LONG: Final = "longer than 1,024 characters"
_REFERENCE: Final = "a reference to another place"
_PRINTED: Final = "a key as a program prints it"
_MEMBERS: Final = "JSON or XML with a key's members"
_JWK: Final = "a JWK"
_PEM: Final = "PEM"
_ENCODED: Final = "a JWK or PEM, encoded"
_MUCH: Final = "more than 200 bytes, encoded"
_MODULUS: Final = "an RSA modulus"
_UNCLEAR: Final = "text that can be read in too many ways"

_CERTAIN: Final = frozenset({_PEM, _ENCODED, SSH, DER})


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
    RSA modulus: of random octets one time in fourteen, and hardly anybody makes up keys of that size.
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
    """One search: it reads nothing twice, and gives up when there is more to read than an ordinary text has."""

    __slots__ = ("effort", "points", "seen")

    def __init__(self, *, points: bool = True) -> None:
        self.effort = _EFFORT
        self.points = points
        self.seen: set[str | bytes] = set()

    def in_text(self, text: str, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *text* may be, its escapes undone; what it encodes is decoded *times* over at most."""
        for plain in _plain(text):
            if plain in self.seen:
                continue
            self.seen.add(plain)
            self.effort -= _A_TEXT * len(plain)
            if self.effort < 0:
                yield _UNCLEAR
                return
            yield from _named(plain)
            yield from self._encoded(plain, times)

    def _encoded(self, text: str, times: int) -> Iterator[str]:
        """Find what *text* encodes, read from any place in it: the marks between its groups are dropped."""
        ascii_text = text.encode("ascii", "ignore")
        if _is_much(ascii_text):
            yield _MUCH
        elif self.points and _holds_coordinates(ascii_text):
            yield POINT
        for octets, step in _readings(text, ascii_text):
            yield from self.in_octets(octets, step, times)
        for octets in _lists(text):
            if len(octets) > MAX_OCTETS:
                yield _MUCH
            yield from self.in_octets(octets, 1, times)
        if not (text.isascii() and text.isprintable()):
            yield from self._as_octets(text)

    def _as_octets(self, text: str) -> Iterator[str]:
        """Find what the characters of *text* are as octets; what they say was looked for before."""
        octets = text.encode("latin-1", "replace")
        binary = len(octets.translate(None, _NO_CONTROL)) * 16 > len(octets)  # of random octets, one in four
        if binary and len(octets) > MAX_OCTETS:
            yield _MUCH
        yield from self.in_octets(octets, 1 if binary else len(octets), 0)

    def in_octets(self, octets: bytes, step: int = 1, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *octets* hold at any place, or what has no mark at every *step*-th; and the texts in them."""
        if times:
            if octets in self.seen:
                return
            self.seen.add(octets)
        if found := identify(octets):
            yield found
        marked = find_marks(octets)
        unmarked = range(0, len(octets) - 63, step) if self.points and len(octets) <= MAX_OCTETS else ()
        self.effort -= len(octets) + _A_LOOK * (len(marked) + len(unmarked))
        if self.effort < 0:
            yield _UNCLEAR
            return
        yield from find_structures(octets, marked)
        if any(is_point(octets, at) for at in unmarked):
            yield POINT
        if times:
            yield from self._in_texts(octets, times)

    def _in_texts(self, octets: bytes, times: int) -> Iterator[str]:
        if b"kty" in octets and re.search(rb"kty.{1,8}?(?:RSA|EC|OKP|oct|AKP)", octets, re.DOTALL):
            yield _ENCODED
        for stretch in octets.translate(_TEXT_RUNS).split(b"\xff"):
            if len(stretch) >= _TEXT_RUN:
                for finding in self.in_text(stretch.decode("ascii"), times - 1):
                    yield _ENCODED if finding is _JWK else finding


# -- escapes ----------------------------------------------------------------------------------------------------------


def _plain(text: str) -> Iterator[str]:
    """Give *text*; without each kind of escape; and with one kind undone after the other, four times over."""
    yield text
    if "+" in text and ("%" in text or re.fullmatch(r"[\w.*-]{1,32}=[\w.*+&=-]*", text)):
        yield _undo_percent(text.replace("+", " "))  # as a form has it
    undoing = (_undo_percent, _undo_entities, _undo_backslashes, _undo_quoted, _undo_lines, _undo_dump, _undo_utf16)
    for undo in (*undoing, _undo_swapped_dump):
        yield undo(text)
    for _ in range(_TIMES_ESCAPED):
        before = text
        for undo in undoing:
            text = undo(text)
            yield text
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
    """Undo the entities of HTML and XML, and drop what only ends a line."""
    if "<" in text:
        text = re.sub(r"</?(?:br|wbr|p|div|span|code|pre) ?/?>", "", text)
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
    code = (
        r"\\(?:u\{([0-9A-Fa-f]{1,5})\}|x\{([0-9A-Fa-f]{1,5})\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U000([0-9A-Fa-f]{5})"
    )
    return re.sub(code + r"|([0-3][0-7]{2})|(\r?\n)|(.))", _unescaped, text, flags=re.DOTALL)


_OCTAL, _LINE_END, _OTHER = 6, 7, 8
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
        text = re.sub(r"""(["'])\s*+(?:[+.&] ?[_\\]?)?\s*+\1""", "", text)
    return text


def _undo_dump(text: str) -> str:
    """Leave of a dump (xxd, hexdump, od) the octets, without their offsets and characters."""
    if "\n" not in text:
        return text
    line = r"^[ \t]*+[0-9A-Fa-f]{4,16}+:?[ \t]++((?:[0-9A-Fa-f]{2,8}+(?:[ \t]{1,2}+|$))++).*+$"
    return re.sub(line, lambda digits: _of_a_dump(digits[1]), text, flags=re.MULTILINE)


def _of_a_dump(digits: str) -> str:
    """Give the *digits* of a line; where the characters shown look like hex, too, they are behind sixteen octets."""
    return re.sub(r"[ \t]", "", digits)[:32]


def _undo_swapped_dump(text: str) -> str:
    """Leave the octets of a dump of words whose second octet comes first (hexdump, od -x)."""
    words = r"^[ \t]*+[0-9A-Fa-f]{6,8}+[ \t]++((?:[0-9A-Fa-f]{4}+(?:[ \t]++|$))++)$"
    if "\n" not in text or not re.search(words, text, re.MULTILINE):
        return text
    lines = re.findall(words, text, re.MULTILINE)
    return re.sub("(..)(..)", r"\2\1", "".join(map(_of_a_dump, lines)))


def _undo_lines(text: str) -> str:
    """Drop what stands before lines: a number, and the marks of comments, quotations, lists and differences."""
    if "\n" not in text:
        return text
    return re.sub(r"^[ \t]*+(?:[0-9]{1,4}[:.)]?[ \t]|//|--|[+>#;*|])[ \t]*+", "", text, flags=re.MULTILINE)


def _undo_utf16(text: str) -> str:
    return text.replace("\0", "")


# -- what a text says of itself ---------------------------------------------------------------------------------------

_BLANK: Final = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_OPENING: Final = r"""["'`\u2018-\u201f\xab\xbb\u2039\u203a(\[{<=]"""
_ALONE: Final = r"(?:(?<![a-z0-9+/_-])|(?<=--))(?:", r")(?![a-z0-9+/_]|-(?!-))"  # dashes of PEM may stand beside

_SIGNS: Final = (
    (("-----begin",), "", _PEM),
    (
        (":/", "arn:aws", "did:", "{{resolve:", ".public.", "pkcs11:"),
        rf"(?:\A|{_OPENING}|:(?={_BLANK})){_BLANK}*+"
        r"(?:arn:aws|https?://|file://|s3://|ssm:/|did:[a-z0-9]{2,12}:|\{\{resolve:|k[1-4]\.public\."
        r"|(?:ftps?|gs|kms|ldaps?|op|vault|azurekv|awskms|gcpkms)://|pkcs11:)"
        rf"(?!{_BLANK}|[\"'`]).",
        _REFERENCE,
    ),
    (
        ("kty",),
        r"kty[^a-z0-9]{1,16}(?:s(?:tring)?[:(][0-9]{1,4}[^a-z0-9]{1,4})?(?:rsa|ec|okp|oct|akp)".join(_ALONE)
        + r"""|["']kty\\{0,8}["']\s{0,64}:""",
        _JWK,
    ),
    (
        ("ssh-", "ecdsa-sha2-"),
        rf"(?:ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-nistp(?:256|384|521))\S{{0,32}}{_BLANK}++aaaa",
        SSH,
    ),
    (("---- ", "---- b", "key-file"), r"---- ?begin ssh2|putty-user-key-file-[0-9]|\A\s*+---- begin ", SSH),
    (
        ("dkim1", "minisign", "rsakeyvalue", "jwks_uri", "k=ed25519"),
        r"v\s{0,2}=\s{0,2}dkim1|minisign public key|k=ed25519;\s{0,4}p=|rsakeyvalue|jwks_uri".join(_ALONE),
        _PRINTED,
    ),
    (
        ("z6mk", "zdna", "fed01", "u7q", "age1", "pub1", "xpub"),  # public keys in encodings that say so
        (
            r"z6mk[0-9a-z]{44}|zdna[0-9a-z]{44,46}|fed01[0-9a-f]{64}|u7q[0-9a-z_-]{44}|xpub[0-9a-z]{107}"
            r"|(?:age|[a-z]{0,12}pub)1[02-9ac-hj-np-z]{52,90}"
        ).join(_ALONE),
        _PRINTED,
    ),
    # The commonest identifiers of keys, in DER that was read as UTF-8: what is none, replaced or left out.
    (("*\ufffdh\ufffd\ufffd\r\x01", "*\ufffdh\ufffd=", "*h\r\x01\x01", "*h=\x02\x01"), "", DER),
)
"""Words of which one is quickly looked for, and hardly ever there; the pattern that then decides; and what it finds."""

_WORDS_BESIDE_A_RUN: Final = (
    *("exponent", "modulus", "certificate", "key", "ed25519", "ed448", "x25519", "okp"),
    *("65537", "010001", "aqab", "dnskey", "sshfp", "tlsa", "pin-sha256"),
)
_BESIDE_A_RUN: Final = (
    r"(?:rsa ?|public ?)?exponent|modulus|(?:x509)?certificate"
    r"|(?:public|private|pub|verify|verifying|verification)[ _-]?key(?:pem|hex|base64|base58)?"
    r"|ed25519(?:v1-public)?|ed448|x25519|okp|65537|(?:0x)?0?10001|aqab|dnskey|sshfp|tlsa|pin-sha256"
).join(_ALONE)


def _named(text: str) -> Iterator[str]:
    """Find what *text* says that it is, in any case."""
    low = text.lower()
    for words, pattern, finding in _SIGNS:
        if any(word in low for word in words) and re.search(pattern, low, re.DOTALL):
            yield finding
    if any(word in low for word in _WORDS_BESIDE_A_RUN) and re.search(_BESIDE_A_RUN, low) and _holds_a_run(text):
        yield _PRINTED
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
_NO_CONTROL: Final = b"\0\t\n\v\f\r" + bytes((*range(0x20, 0x7F), *range(0xA0, 0x100)))
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
_LONG_HEX: Final = 64
_LONG_HEX_RUN: Final = rb"[0-9a-f_-]{64,}+|[0-9A-F_-]{64,}+"
"""Hex, whatever stands beside it; of base64 there is none like it."""
_WORDS: Final = rb"(?:[A-Z]?[a-z]++|[A-Z]++|[0-9]++)(?:[+/_-]++(?:[A-Z]?[a-z]++|[A-Z]++|[0-9]++|\Z))++"
"""Words with dashes: base64 is never like that for long."""
_BASE32_RUN: Final = 26
_TEXT_RUN: Final = 12
_POINT_BASE64: Final = 86
_KEY_OCTETS: Final = 32
_MAX_BASE64: Final = (MAX_OCTETS * 4 + 2) // 3 + 1
_NUMBERS: Final = 20
_DECIMAL_COORDINATE: Final = 160


def _readings(text: str, ascii_text: bytes) -> Iterator[tuple[bytes, int]]:
    """Give the octets that *text* may stand for, and at which of them something may begin: at every third, say."""
    for digits in _hex_runs(ascii_text):
        yield from ((unhexlify(digits[start : len(digits) - (len(digits) - start) % 2]), 1) for start in (0, 1))
        if not digits.strip(b"01"):
            yield from ((_from_digits(digits[start:], 1), 1) for start in range(8))
    for run, step in _base64_runs(ascii_text):
        yield from ((_from_base64(run[start:]), step) for start in range(4))
    words = ascii_text.translate(None, _NO_WORD)
    for table in _BASE32_RUNS:
        for digits in words.translate(table).split():
            if len(digits) >= _BASE32_RUN:
                yield from ((_from_digits(digits[start:], 5), 5) for start in range(8))
    if len(ascii_text) * 2 < len(text):  # octets of ASCII, read as UTF-16
        yield from ((text.encode(order, "surrogatepass"), 1) for order in ("utf-16-le", "utf-16-be"))


def _base64_runs(ascii_text: bytes) -> Iterator[tuple[bytes, int]]:
    """Give the text as one run of base64; besides, what has to be read apart lest the rest hide it."""
    if any(len(digits) >= _LONG_HEX for digits in _hex_runs(ascii_text)):
        ascii_text = re.sub(_LONG_HEX_RUN, b" ", ascii_text)
    joined = ascii_text.translate(_STANDARD, _NO_BASE64)
    if len(joined) < _RUN or not joined.translate(None, _OF_HEX + b"+/"):  # hex digits alone are hex alone
        return
    runs = ascii_text.translate(_BASE64_RUNS).split()
    in_groups = len(joined) >= len(runs) * _GROUP
    yield joined, 3 if in_groups else len(joined)
    if not in_groups or len(joined) > _MAX_BASE64:
        yield from ((run.translate(_STANDARD), 3) for run in runs if _POINT_BASE64 <= len(run) <= _MAX_BASE64)
    for mark in (b"-", b"_"):
        groups = ascii_text.split(mark)
        if len(groups) > 3 and len({len(group) for group in groups[:-1]}) == 1:
            yield ascii_text.translate(_STANDARD, _NO_BASE64 + mark), 3


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


def _lists(text: str) -> Iterator[bytes]:
    """Read lists of octets: decimal, signed as Java has them, in hex and in octal, with what languages write beside."""
    if sum(not character.isalnum() for character in text) < _NUMBERS:
        return
    plain = re.sub(r'\(byte\)|"\d{1,3}"\s*:|_', " ", text)
    for pattern, base in (
        (r"\b0[xX]([0-9A-Fa-f]{1,2})\b", 16),
        (r"(?<![0-9A-Fa-f])([0-9A-Fa-f]{2})(?![0-9A-Fa-f])", 16),
    ):
        numbers = re.findall(pattern, plain)
        if len(numbers) >= _NUMBERS:
            yield bytes(int(number, base) for number in numbers)
    octal = re.findall(r"\b0?o?([0-3]?[0-7]{1,2})\b", plain)
    if len(octal) >= _NUMBERS:
        yield bytes(int(number, 8) for number in octal)
    decimal = re.findall(r"(-?)\b(\d{1,3})(?:u8)?\b", plain)
    if len(decimal) >= _NUMBERS:
        yield bytes(int(number) & 0xFF for _, number in decimal)
        yield bytes(int(sign + number) & 0xFF for sign, number in decimal)


def _is_much(ascii_text: bytes) -> bool:
    """Tell whether a run is of more than 200 octets: in one piece, in long pieces, or in pieces of one length."""
    if len(ascii_text) <= _MAX_BASE64:
        return False
    if any(len(digits) > MAX_OCTETS * 2 for digits in _hex_runs(ascii_text)):
        return True
    runs = _lengths_of_runs(ascii_text)
    if sum(length for length in runs if length >= _RUN) > _MAX_BASE64:
        return True
    usual = max(runs, key=runs.count, default=0)
    groups = runs.count(usual)
    return usual >= _GROUP and groups * usual > _MAX_BASE64 and groups * 4 >= len(runs) * 3


def _lengths_of_runs(ascii_text: bytes) -> list[int]:
    """Give the lengths of the runs of base64, without those that are hex, and those that are words with dashes."""
    runs = re.sub(_LONG_HEX_RUN, b" ", ascii_text).translate(_BASE64_RUNS).split()
    return [len(run) for run in runs if not re.fullmatch(_WORDS, run)]


def _holds_a_run(text: str) -> bool:
    """Tell whether some run in *text* is of 32 octets or more; words, which have blanks between them, are none."""
    ascii_text = text.encode("ascii", "ignore")
    return (
        max(_lengths_of_runs(ascii_text), default=0) * 3 // 4 >= _KEY_OCTETS
        or any(len(digits) >= _KEY_OCTETS * 2 for digits in _hex_runs(ascii_text))
        or len(re.findall(rb"\b\d{1,3}\b", ascii_text)) >= _KEY_OCTETS
    )


def _holds_coordinates(ascii_text: bytes) -> bool:
    """Tell whether two runs, one behind the other, are the coordinates of one point."""
    if len(ascii_text) < 80:
        return False
    runs = [run for run in ascii_text.translate(_BASE64_RUNS).split() if len(run) >= 40]
    runs += [run for run in _hex_runs(ascii_text) if len(run) >= 60]
    return any(
        is_on_curve(x, y, size)
        for first, second in pairwise(runs)
        for one, other in zip(_numbers(first), _numbers(second), strict=False)
        for x, y in ((one, other), (other, one))
        for size in (32, 48, 66)
    )


def _numbers(run: bytes) -> Iterator[int]:
    """Give the numbers that a *run* may stand for, base64 first."""
    yield int.from_bytes(_from_base64(run.translate(_STANDARD)), "big")
    if not run.translate(None, _OF_HEX):
        yield int(run, 16)
    if run.isdigit() and len(run) <= _DECIMAL_COORDINATE:
        yield int(run)


# -- an RSA modulus ----------------------------------------------------------------------------------------------------


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

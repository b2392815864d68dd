"""Tells what a text may be, other than an HMAC secret that somebody made up.

A service that uses a public key as an HMAC secret lets in everybody who has the public key (CVE-2022-29217 and its many
relatives). Keys come in endless forms, so this module asks the opposite question: can this text be nothing but a secret
that a person or a generator made up? Made-up secrets are short, and they are words or noise. Text is something else if
it is long, names the members of a key, points to another place, or decodes to something with a structure.

A search yields its findings one by one, the cheap ones first. No finding holds a piece of the text. Patterns are
compiled when they are first needed (`re` keeps them): an ordinary secret needs hardly any of them, and at a cold start
the login waits for this module.
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
"""Nobody makes up an encoded secret of more octets than this. Generators give 128 octets at most."""

_TIMES_ESCAPED: Final = 4
_TIMES_ENCODED: Final = 3
_CERTAIN_WITHIN: Final = 2048
"""How many characters of a long text are searched for certain key material. The limit keeps the search short."""

_MAX_EFFORT: Final = 20_000
"""How many octets one search examines, in 2 ms. A made-up secret of 128 octets takes half of them or more."""
_COST_OF_A_PLACE: Final = 32
"""Looking for a structure at one place takes as long as passing over this many octets."""

_COST_OF_A_CHARACTER: Final = 2
"""Undoing a text's escapes and looking for words takes as long, for each character, as passing over so many octets."""

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
    """Return what *text* may be other than an HMAC secret that somebody made up, or None if it can be nothing else."""
    if len(text) > MAX_CHARACTERS:
        return _LONG
    return next(_Search().search_text(text), None)


def is_key_material(text: str) -> bool:
    """Tell whether *text* is certainly key material, whatever its row says: SSH, DER, PEM, or encoded PEM or JWK."""
    return any(finding in _CERTAIN for finding in _Search(points=False).search_text(text[:_CERTAIN_WITHIN]))


def what_octets_are(octets: bytes) -> str | None:
    """Return what the *octets* of an `oct` JWK may be other than an HMAC key, or None if they can be nothing else.

    The JWK itself says `oct`, so size alone is no reason here. More than 200 octets are refused if they may be an RSA
    modulus. So may one in fourteen random keys of that size, but hardly anybody makes such keys.
    """
    head = octets[:_CERTAIN_WITHIN]
    search = _Search()
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    for finding in chain(search.search_text(text), search.search_octets(head)):
        if finding not in (_MUCH, _UNCLEAR):
            return finding
    return _MODULUS if any(map(_may_be_modulus, (octets, *_decode_whole(octets)))) else None


class _Search:
    """One search. It reads nothing twice, and gives up if a text takes more effort than ordinary text does."""

    __slots__ = ("effort", "points", "seen")

    def __init__(self, *, points: bool = True) -> None:
        self.effort = _MAX_EFFORT
        self.points = points
        self.seen: set[str | bytes] = set()

    def search_text(self, text: str, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *text* may be, after undoing its escapes. Decode what it encodes at most *times* over."""
        for plain in _undo_escapes(text):
            if plain in self.seen:
                continue
            self.seen.add(plain)
            self.effort -= _COST_OF_A_CHARACTER * len(plain)
            if self.effort < 0:
                yield _UNCLEAR
                return
            yield from _find_names(plain)
            yield from self._search_encodings(plain, times)

    def _search_encodings(self, text: str, times: int) -> Iterator[str]:
        """Find what *text* encodes, from any place in it, without the marks between its groups."""
        ascii_text = text.encode("ascii", "ignore")
        if _encodes_too_much(ascii_text):
            yield _MUCH
        elif self.points and _holds_coordinates(ascii_text):
            yield POINT
        for octets, step in _decode_runs(text, ascii_text):
            yield from self.search_octets(octets, step, times)
        for octets in _decode_lists(text):
            if len(octets) > MAX_OCTETS:
                yield _MUCH
            yield from self.search_octets(octets, 1, times)
        if not (text.isascii() and text.isprintable()):
            yield from self._search_characters(text)

    def _search_characters(self, text: str) -> Iterator[str]:
        """Find what the characters of *text* are as octets. Their words were looked for before."""
        octets = text.encode("latin-1", "replace")
        binary = len(octets.translate(None, _NO_CONTROL)) * 16 > len(octets)  # one in four random octets is a control
        if binary and len(octets) > MAX_OCTETS:
            yield _MUCH
        yield from self.search_octets(octets, 1 if binary else len(octets), 0)

    def search_octets(self, octets: bytes, step: int = 1, times: int = _TIMES_ENCODED) -> Iterator[str]:
        """Find what *octets* hold and, unless *times* is 0, what the texts in them hold.

        Structures with a mark are found at any place, those without one at every *step*-th place.
        """
        if times:
            if octets in self.seen:
                return
            self.seen.add(octets)
        if found := identify(octets):
            yield found
        marked = find_marks(octets)
        unmarked = range(0, len(octets) - 63, step) if self.points and len(octets) <= MAX_OCTETS else ()
        self.effort -= len(octets) + _COST_OF_A_PLACE * (len(marked) + len(unmarked))
        if self.effort < 0:
            yield _UNCLEAR
            return
        yield from find_structures(octets, marked)
        if any(is_point(octets, at) for at in unmarked):
            yield POINT
        if times:
            yield from self._search_texts_in(octets, times)

    def _search_texts_in(self, octets: bytes, times: int) -> Iterator[str]:
        if b"kty" in octets and re.search(rb"kty.{1,8}?(?:RSA|EC|OKP|oct|AKP)", octets, re.DOTALL):
            yield _ENCODED
        for stretch in octets.translate(_TEXT_RUNS).split(b"\xff"):
            if len(stretch) >= _TEXT_RUN:
                for finding in self.search_text(stretch.decode("ascii"), times - 1):
                    yield _ENCODED if finding is _JWK else finding


# -- escapes ----------------------------------------------------------------------------------------------------------


def _undo_escapes(text: str) -> Iterator[str]:
    """Yield *text*, then with each kind of escape undone alone, then with all undone in turn, four times over."""
    yield text
    if "+" in text and ("%" in text or re.fullmatch(r"[\w.*-]{1,32}=[\w.*+&=-]*", text)):
        yield _undo_percent(text.replace("+", " "))  # in a form, `+` is a blank
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


def _decode_code(match: re.Match[str]) -> str:
    """Return the character whose code, in hex, is in the last group that matched."""
    return chr(int(match[match.lastindex or 0], 16))


def _undo_percent(text: str) -> str:
    if "%" not in text:
        return text
    return re.sub(r"%u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})", _decode_code, text)


def _undo_entities(text: str) -> str:
    """Undo the entities of HTML and XML, and drop tags that only lay text out."""
    if "<" in text:
        text = re.sub(r"</?(?:br|wbr|p|div|span|code|pre) ?/?>", "", text)
    if "&" not in text:
        return text
    return re.sub(r"&(?:#([0-9]{1,6})|#[xX]([0-9A-Fa-f]{1,5})|[A-Za-z][A-Za-z0-9]{1,31});", _decode_entity, text)


def _decode_entity(match: re.Match[str]) -> str:
    if match[1]:  # the code stands for an octet, where HTML would take a character of Windows-1252
        return chr(int(match[1]))
    if match[2]:
        return _decode_code(match)
    from html import unescape

    return unescape(match[0])


def _undo_backslashes(text: str) -> str:
    if "\\" not in text:
        return text
    code = (
        r"\\(?:u\{([0-9A-Fa-f]{1,5})\}|x\{([0-9A-Fa-f]{1,5})\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U000([0-9A-Fa-f]{5})"
    )
    return re.sub(code + r"|([0-3][0-7]{2})|(\r?\n)|(.))", _decode_backslash, text)


_OCTAL, _LINE_END, _OTHER = 6, 7, 8
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0", "e": "\x1b"}


def _decode_backslash(match: re.Match[str]) -> str:
    if match.lastindex == _OCTAL:
        return chr(int(match[_OCTAL], 8))
    if match.lastindex == _LINE_END:
        return ""
    if match.lastindex == _OTHER:
        return _LETTERS.get(match[_OTHER], match[_OTHER])
    return _decode_code(match)


def _undo_quoted(text: str) -> str:
    """Undo quoted-printable, and join a string that is written in pieces."""
    if "=" in text:
        text = re.sub(r"=[ \t]*\r?\n|=([0-9A-F]{2})", lambda match: _decode_code(match) if match[1] else "", text)
    if '"' in text or "'" in text:
        text = re.sub(r"""(["'])\s*+(?:[+.&] ?[_\\]?)?\s*+\1""", "", text)
    return text


def _undo_dump(text: str) -> str:
    """Keep the octets of a dump (xxd, hexdump, od), without its offsets and characters."""
    if "\n" not in text:
        return text
    line = r"^[ \t]*+[0-9A-Fa-f]{4,16}+:?[ \t]++((?:[0-9A-Fa-f]{2,8}+(?:[ \t]{1,2}+|$))++).*+$"
    return re.sub(line, lambda digits: _keep_octets(digits[1]), text, flags=re.MULTILINE)


def _keep_octets(digits: str) -> str:
    """Keep the first sixteen octets of a line. The characters shown after them may look like hex *digits*, too."""
    return re.sub(r"[ \t]", "", digits)[:32]


def _undo_swapped_dump(text: str) -> str:
    """Keep nothing but the octets of a dump of words, in which a word's second octet comes first (hexdump, od -x)."""
    if "\n" not in text:
        return text
    lines = re.findall(r"^[ \t]*+[0-9A-Fa-f]{6,8}+[ \t]++((?:[0-9A-Fa-f]{4}+(?:[ \t]++|$))++)$", text, re.MULTILINE)
    return re.sub("(..)(..)", r"\2\1", "".join(map(_keep_octets, lines)))


def _undo_lines(text: str) -> str:
    """Drop what stands before lines: numbers, and the marks of comments, quotations, lists and diffs."""
    if "\n" not in text:
        return text
    return re.sub(r"^[ \t]*+(?:[0-9]{1,4}[:.)]?[ \t]|//|--|[+>#;*|])[ \t]*+", "", text, flags=re.MULTILINE)


def _undo_utf16(text: str) -> str:
    return text.replace("\0", "")


# -- what a text says it is -------------------------------------------------------------------------------------------

_BLANK: Final = r"[\s\ufeff\u180e\u200b-\u200d\u2060\0]"
_OPENING: Final = r"""["'`\u2018-\u201f\xab\xbb\u2039\u203a(\[{<=]"""
_ALONE: Final = r"(?:(?<![a-z0-9+/_-])|(?<=--))(?:", r")(?![a-z0-9+/_]|-(?!-))"  # the dashes of PEM may stand beside it

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
    (("---- b", "----b", "key-file"), r"---- ?begin ssh2|putty-user-key-file-[0-9]|\A\s*+---- begin ", SSH),
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
    # The commonest identifiers of keys, in DER that was read as UTF-8: invalid octets are replaced or left out.
    (("*\ufffdh\ufffd\ufffd\r\x01", "*\ufffdh\ufffd=", "*h\r\x01\x01", "*h=\x02\x01"), "", DER),
)
"""Each has words that are quick to look for and rarely found, the pattern that then decides, and the finding."""

_WORDS_BESIDE_A_RUN: Final = (
    *("exponent", "modulus", "certificate", "key", "ed25519", "ed448", "x25519", "okp"),
    *("65537", "10001", "aqab", "sshfp", "tlsa", "pin-sha256"),
)
_BESIDE_A_RUN: Final = (
    r"(?:rsa ?|public ?)?exponent|modulus|(?:x509)?certificate"
    r"|(?:public|private|pub|verify|verifying|verification)[ _-]?key(?:pem|hex|base64|base58)?"
    r"|ed25519(?:v1-public)?|ed448|x25519|okp|65537|(?:0x)?0?10001|aqab|dnskey|sshfp|tlsa|pin-sha256"
).join(_ALONE)


def _find_names(text: str) -> Iterator[str]:
    """Find what *text* says it is, in upper or lower case."""
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
        found = found or _are_members_of_a_key({name.lower() for name, _ in pairs})
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
    return _are_members_of_a_key(set(re.findall(r"(?:<|<[\w.-]{1,64}:|\s)([\w.-]++)(?=[\s>=/])", low)))


def _are_members_of_a_key(names: set[str]) -> bool:
    return (
        not names.isdisjoint({"kty", "modulus", "x5c", "jwks_uri", "x509certificate"})
        or {"n", "e"} <= names
        or {"crv", "x"} <= names
    )


# -- what a text encodes ----------------------------------------------------------------------------------------------


_ALL: Final = bytes(range(256))


def _make_table(characters: bytes, other: bytes = b" ") -> bytes:
    """Make a table for `bytes.translate` that keeps *characters* and replaces all others with *other*."""
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
_BASE64_RUNS: Final = _make_table(_OF_BASE64)
_HEX_RUNS: Final = _make_table(_OF_HEX)
_BASE32_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuv"  # as `int` reads them
_BASE32_RUNS: Final = tuple(
    _make_table(letters + b"234567").translate(bytes.maketrans(letters + b"234567", _BASE32_DIGITS))
    for letters in (_UPPER, _LOWER)
)
_TEXT_RUNS: Final = _make_table(b"\0\t\n\r" + bytes(range(0x20, 0x7F)), b"\xff")

_GROUP: Final = 4
_RUN: Final = 16  # characters; words are shorter
_HEX_RUN: Final = 32
_LONG_HEX: Final = 64
_LONG_HEX_RUN: Final = rb"[0-9a-f_-]{64,}+|[0-9A-F_-]{64,}+"
"""Hex, whatever stands beside it. Base64 never looks like this for so long."""
_WORDS: Final = rb"(?:[A-Z]?[a-z]++|[A-Z]++|[0-9]++)(?:[+/_-]++(?:[A-Z]?[a-z]++|[A-Z]++|[0-9]++|\Z))++"
"""Words with dashes. Base64 never looks like this for long."""
_BASE32_RUN: Final = 26
_TEXT_RUN: Final = 12
_POINT_BASE64: Final = 86
_KEY_OCTETS: Final = 32
_MAX_BASE64: Final = (MAX_OCTETS * 4 + 2) // 3 + 1
_NUMBERS: Final = 20
_DECIMAL_COORDINATE: Final = 160


def _decode_runs(text: str, ascii_text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the octets that *text* may stand for, with the step between the places where a structure may begin."""
    for digits in _find_hex_runs(ascii_text):
        yield from ((unhexlify(digits[start : len(digits) - (len(digits) - start) % 2]), 1) for start in (0, 1))
        if not digits.strip(b"01"):
            yield from ((_decode_digits(digits[start:], 1), 1) for start in range(8))
    for run, step in _find_base64_runs(ascii_text):
        yield from ((_decode_base64(run[start:]), step) for start in range(4))
    words = ascii_text.translate(None, _NO_WORD)
    for table in _BASE32_RUNS:
        for digits in words.translate(table).split():
            if len(digits) >= _BASE32_RUN:
                yield from ((_decode_digits(digits[start:], 5), 5) for start in range(8))
    if len(ascii_text) * 2 < len(text):  # octets of ASCII, read as UTF-16
        yield from ((text.encode(order, "surrogatepass"), 1) for order in ("utf-16-le", "utf-16-be"))


def _find_base64_runs(ascii_text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the text as one run of base64, then the parts that the rest could hide, with their steps."""
    if any(len(digits) >= _LONG_HEX for digits in _find_hex_runs(ascii_text)):
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


def _find_hex_runs(ascii_text: bytes) -> Iterator[bytes]:
    joined = ascii_text.replace(b"0x", b"").replace(b"0X", b"").translate(_HEX_RUNS, _NO_WORD)
    return (digits for digits in joined.split() if len(digits) >= _HEX_RUN)


def _decode_base64(run: bytes) -> bytes:
    """Decode *run*, without a last character that carries no whole octet."""
    return a2b_base64(run[: len(run) - (len(run) % 4 == 1)] + b"==")


def _decode_digits(digits: bytes, bits: int) -> bytes:
    """Decode *digits* of *bits* bits each."""
    whole = len(digits) * bits
    return (int(digits, 1 << bits) << -whole % 8).to_bytes((whole + 7) // 8, "big")


def _decode_lists(text: str) -> Iterator[bytes]:
    """Yield the octets of lists in hex, octal and decimal, signed as in Java too, in the syntax of any language."""
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


def _encodes_too_much(ascii_text: bytes) -> bool:
    """Tell whether runs encode more than 200 octets: in one piece, in long pieces, or in pieces of one length."""
    if len(ascii_text) <= _MAX_BASE64:
        return False
    if any(len(digits) > MAX_OCTETS * 2 for digits in _find_hex_runs(ascii_text)):
        return True
    runs = _measure_runs(ascii_text)
    if sum(length for length in runs if length >= _RUN) > _MAX_BASE64:
        return True
    usual = max(runs, key=runs.count, default=0)
    groups = runs.count(usual)
    return usual >= _GROUP and groups * usual > _MAX_BASE64 and groups * 4 >= len(runs) * 3


def _measure_runs(ascii_text: bytes) -> list[int]:
    """Return the lengths of the runs of base64, without runs of hex and without words with dashes."""
    runs = re.sub(_LONG_HEX_RUN, b" ", ascii_text).translate(_BASE64_RUNS).split()
    return [len(run) for run in runs if not re.fullmatch(_WORDS, run)]


def _holds_a_run(text: str) -> bool:
    """Tell whether a run in *text* encodes 32 octets or more. Words between blanks are not such runs."""
    ascii_text = text.encode("ascii", "ignore")
    return (
        max(_measure_runs(ascii_text), default=0) * 3 // 4 >= _KEY_OCTETS
        or any(len(digits) >= _KEY_OCTETS * 2 for digits in _find_hex_runs(ascii_text))
        or len(re.findall(rb"\b\d{1,3}\b", ascii_text)) >= _KEY_OCTETS
    )


def _holds_coordinates(ascii_text: bytes) -> bool:
    """Tell whether two runs, one after the other, are the coordinates of one point."""
    if len(ascii_text) < 80:
        return False
    runs = [run for run in ascii_text.translate(_BASE64_RUNS).split() if len(run) >= 40]
    runs += [run for run in _find_hex_runs(ascii_text) if len(run) >= 60]
    return any(
        is_on_curve(x, y, size)
        for first, second in pairwise(runs)
        for one, other in zip(_read_numbers(first), _read_numbers(second), strict=False)
        for x, y in ((one, other), (other, one))
        for size in (32, 48, 66)
    )


def _read_numbers(run: bytes) -> Iterator[int]:
    """Yield the numbers that a *run* may stand for, base64 first."""
    yield int.from_bytes(_decode_base64(run.translate(_STANDARD)), "big")
    if not run.translate(None, _OF_HEX):
        yield int(run, 16)
    if run.isdigit() and len(run) <= _DECIMAL_COORDINATE:
        yield int(run)


# -- an RSA modulus ----------------------------------------------------------------------------------------------------


def _decode_whole(octets: bytes) -> Iterator[bytes]:
    """Yield what *octets* encode as a whole, in base64 or in hex."""
    text = octets.strip()
    if not text.translate(None, _OF_HEX):
        yield unhexlify(text[: len(text) & ~1])
    elif not text.rstrip(b"=").translate(None, _OF_BASE64):
        yield _decode_base64(text.rstrip(b"=").translate(_STANDARD))


def _may_be_modulus(octets: bytes) -> bool:
    """Tell whether *octets* are a number as large as an RSA modulus, in its shortest form, without small divisors."""
    if not MAX_OCTETS < len(octets) <= _CERTAIN_WITHIN or (octets[0] == 0 and octets[1] < 0x80):
        return False
    from math import gcd, prod

    number = int.from_bytes(octets, "big")
    return number % 2 == 1 and gcd(number, prod(range(3, 2000, 2))) == 1

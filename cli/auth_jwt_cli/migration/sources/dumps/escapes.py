"""Resolves the escape sequences of each dialect."""

import re
from collections.abc import Callable, Mapping
from typing import Final

_MYSQL_ESCAPE: Final = re.compile(rb"\\(.)|''", re.DOTALL)
_MYSQL_ESCAPE_IN_DOUBLE_QUOTES: Final = re.compile(rb'\\(.)|""', re.DOTALL)
_MYSQL_ESCAPED: Final = {
    b"0": b"\0",
    b"b": b"\b",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"Z": b"\x1a",
    b"%": b"\\%",
    b"_": b"\\_",
}
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE
_POSTGRESQL_ESCAPE: Final = re.compile(
    rb"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|u(?P<four>[0-9A-Fa-f]{4})|U(?P<eight>[0-9A-Fa-f]{8})"
    rb"|(?P<other>.))|''",
    re.DOTALL,
)
# https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
_COPY_ESCAPE: Final = re.compile(
    rb"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|(?P<other>.)|(?P<four>(?!))|(?P<eight>(?!)))", re.DOTALL
)
_POSTGRESQL_ESCAPED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_COPY_ESCAPED: Final = {**_POSTGRESQL_ESCAPED, b"v": b"\v"}
_UNICODE_ESCAPE: Final = re.compile(r"\\(?:([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|(\\))")
# https://www.sqlite.org/lang_corefunc.html#unistr
_UNISTR_ESCAPE: Final = re.compile(r"\\(?:u?([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|U([0-9A-Fa-f]{8})|(\\))")
_SURROGATES: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_BYTEA: Final = re.compile(r"\\x((?:[0-9A-Fa-f]{2})*)")
_BYTEA_ESCAPE: Final = re.compile(rb"\\(?:([0-3][0-7]{2})|(\\))")


class UnreadableValue(Exception):
    """A value is undetermined. The message shows no value."""


def of_mysql(octets: bytes, quote: bytes) -> bytes:
    """Return the content of MySQL's quotes, in which a backslash escapes."""
    pattern = _MYSQL_ESCAPE if quote == b"'" else _MYSQL_ESCAPE_IN_DOUBLE_QUOTES
    return pattern.sub(lambda found: quote if found[1] is None else _MYSQL_ESCAPED.get(found[1], found[1]), octets)


def of_postgresql(octets: bytes) -> bytes:
    r"""Return the content of PostgreSQL's E'...'. Characters named by `\u` become UTF-8.

    Raises:
        UnreadableValue: an escape names no character.
    """
    try:
        text = _POSTGRESQL_ESCAPE.sub(_unescaper(_POSTGRESQL_ESCAPED), octets)
        return _join_surrogates(text) if b"\\u" in octets else text
    except (ValueError, OverflowError):
        raise UnreadableValue("an escape that names no character") from None


def of_copy(field: bytes) -> bytes:
    """Return the content of a field of PostgreSQL's COPY."""
    return _COPY_ESCAPE.sub(_unescaper(_COPY_ESCAPED), field) if b"\\" in field else field


def of_unicode(octets: bytes) -> bytes:
    """Return the content of PostgreSQL's U&'...', in UTF-8.

    Raises:
        UnreadableValue: the text is not UTF-8, or an escape names no character.
    """
    return _replace_named(_UNICODE_ESCAPE, octets)


def of_unistr(text: str) -> str:
    """Return the result of SQLite's unistr() for a *text*.

    Raises:
        UnreadableValue: an escape names no character.
    """
    return _replace_named(_UNISTR_ESCAPE, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def may_be_bytea(text: str) -> bool:
    """Tell whether this *text* may be bytes as PostgreSQL writes them."""
    return _BYTEA.fullmatch(text) is not None


def of_bytea(text: str) -> bytes:
    """Return the bytes of a `bytea` that PostgreSQL wrote as *text*, in hex or escape format."""
    if found := _BYTEA.fullmatch(text):
        return bytes.fromhex(found[1])
    return _BYTEA_ESCAPE.sub(lambda part: part[2] or bytes([int(part[1], 8)]), text.encode("utf-8"))


def _unescaper(simple: Mapping[bytes, bytes]) -> Callable[[re.Match[bytes]], bytes]:
    """Return a function that replaces an escape sequence of PostgreSQL."""

    def unescape(found: re.Match[bytes]) -> bytes:
        if digits := found["octal"]:
            return bytes([int(digits, 8) & 0xFF])
        if digits := found["hex"]:
            return bytes([int(digits, 16)])
        if digits := found["four"] or found["eight"]:
            return chr(int(digits, 16)).encode("utf-8", "surrogatepass")
        other: bytes | None = found["other"]
        return b"'" if other is None else simple.get(other, other)

    return unescape


def _replace_named(escape: re.Pattern[str], octets: bytes) -> bytes:
    """Return UTF-8 text with each *escape* replaced by its character. A group of the pattern holds the digits."""

    def character(found: re.Match[str]) -> str:
        digits = next((group for group in found.groups() if group is not None), "")
        return digits if digits == "\\" else chr(int(digits, 16))

    try:
        return _join_surrogates(escape.sub(character, octets.decode("utf-8")).encode("utf-8", "surrogatepass"))
    except (ValueError, OverflowError):
        raise UnreadableValue("an escape that names no character") from None


def _join_surrogates(octets: bytes) -> bytes:
    """Return UTF-8 text with each pair of surrogates replaced by its character."""
    if b"\xed" not in octets:
        return octets
    text = octets.decode("utf-8", "surrogatepass")
    return _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text).encode(
        "utf-8", "surrogatepass"
    )

"""Escape sequences: what of a text stands for something else, in each dialect."""

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
    """What a value is cannot be told. The message shows no value."""


def of_mysql(octets: bytes, quote: bytes) -> bytes:
    """Return what is between MySQL's quotes, where a backslash escapes."""
    pattern = _MYSQL_ESCAPE if quote == b"'" else _MYSQL_ESCAPE_IN_DOUBLE_QUOTES
    return pattern.sub(lambda found: quote if found[1] is None else _MYSQL_ESCAPED.get(found[1], found[1]), octets)


def of_postgresql(octets: bytes) -> bytes:
    r"""Return what is between the quotes of PostgreSQL's E'...'; what `\u` names is in UTF-8.

    Raises:
        UnreadableValue: a character is none.
    """
    try:
        text = _POSTGRESQL_ESCAPE.sub(_unescaper(_POSTGRESQL_ESCAPED), octets)
        return _in_one_piece(text) if b"\\u" in octets else text
    except (ValueError, OverflowError):
        raise UnreadableValue("a character that there is none of") from None


def of_copy(field: bytes) -> bytes:
    """Return what a field of PostgreSQL's COPY holds."""
    return _COPY_ESCAPE.sub(_unescaper(_COPY_ESCAPED), field) if b"\\" in field else field


def of_unicode(octets: bytes) -> bytes:
    """Return what is between the quotes of PostgreSQL's U&'...', in UTF-8 as that is.

    Raises:
        UnreadableValue: it is no UTF-8, or a character is none.
    """
    return _named(_UNICODE_ESCAPE, octets)


def of_unistr(text: str) -> str:
    """Return what SQLite's unistr() makes of a *text*.

    Raises:
        UnreadableValue: a character is none.
    """
    return _named(_UNISTR_ESCAPE, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def may_be_bytea(text: str) -> bool:
    """Tell whether PostgreSQL may have written bytes as that *text*."""
    return _BYTEA.fullmatch(text) is not None


def of_bytea(text: str) -> bytes:
    """Return the bytes that PostgreSQL's text of a `bytea` stands for, in its hex or its escape form."""
    if found := _BYTEA.fullmatch(text):
        return bytes.fromhex(found[1])
    return _BYTEA_ESCAPE.sub(lambda part: part[2] or bytes([int(part[1], 8)]), text.encode("utf-8"))


def _unescaper(simple: Mapping[bytes, bytes]) -> Callable[[re.Match[bytes]], bytes]:
    """Return what puts a character in the place of PostgreSQL's escape sequence."""

    def unescaped(found: re.Match[bytes]) -> bytes:
        if digits := found["octal"]:
            return bytes([int(digits, 8) & 0xFF])
        if digits := found["hex"]:
            return bytes([int(digits, 16)])
        if digits := found["four"] or found["eight"]:
            return chr(int(digits, 16)).encode("utf-8", "surrogatepass")
        other: bytes | None = found["other"]
        return b"'" if other is None else simple.get(other, other)

    return unescaped


def _named(escape: re.Pattern[str], octets: bytes) -> bytes:
    """Return UTF-8 text with its character in the place of each *escape*, a group of which has the digits."""

    def character(found: re.Match[str]) -> str:
        digits = next((group for group in found.groups() if group is not None), "")
        return digits if digits == "\\" else chr(int(digits, 16))

    try:
        return _in_one_piece(escape.sub(character, octets.decode("utf-8")).encode("utf-8", "surrogatepass"))
    except (ValueError, OverflowError):
        raise UnreadableValue("a character that there is none of") from None


def _in_one_piece(octets: bytes) -> bytes:
    """Return UTF-8 text with each pair of surrogates made the one character that it is."""
    if b"\xed" not in octets:
        return octets
    text = octets.decode("utf-8", "surrogatepass")
    return _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text).encode(
        "utf-8", "surrogatepass"
    )

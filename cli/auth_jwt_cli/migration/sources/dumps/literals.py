"""Reads the literals of SQL, by the dialect and by the type of their column."""

import codecs
import re
from decimal import Decimal, InvalidOperation
from typing import Final

from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.sources.bits import bits_of_digits, bits_of_octets
from auth_jwt_cli.migration.sources.dumps import escapes
from auth_jwt_cli.migration.sources.dumps.columns import ColumnType
from auth_jwt_cli.migration.sources.dumps.dialects import POSTGRESQL, SQLITE, Dialect, Session
from auth_jwt_cli.migration.sources.dumps.escapes import UnreadableValue
from auth_jwt_cli.migration.sources.dumps.tokens import SqlToken
from auth_jwt_cli.migration.sources.files import text_of

_HEX_DIGITS: Final = re.compile(rb"(?:0x|')([0-9A-Fa-f]*+)'?\Z")
_TEXT_OR_BYTES: Final = "a value that may be text or bytes, because the dump does not declare its type"
_LONG: Final = 1000  # int() refuses thousands of digits
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:NaN|Infinity)")

_INTEGERS: Final = frozenset(
    [
        *("smallint", "integer", "bigint", "int", "int2", "int4", "int8", "tinyint", "mediumint", "year", "oid"),
        *("smallserial", "serial", "bigserial"),
    ]
)
_REALS: Final = frozenset(("real", "double", "float", "float4", "float8"))
"""Types whose numbers are doubles: drivers keep none of their many spellings."""
_NUMBERS: Final = _INTEGERS | _REALS | frozenset(("numeric", "decimal", "dec", "fixed"))
_BINARIES: Final = frozenset(("blob", "tinyblob", "mediumblob", "longblob", "binary", "varbinary"))
_TEXTS: Final = frozenset(
    (
        "char",
        "character",
        "varchar",
        "character varying",
        "char varying",
        "text",
        "tinytext",
        "mediumtext",
        "longtext",
        "enum",
        "set",
        "json",
    )
)
_SQLITE_INTEGERS: Final = range(-(2**63), 2**63)
_BOOLEANS: Final = {"t": True, "true": True, "f": False, "false": False}
_UTF8: Final = frozenset(("utf8mb4", "utf8mb3", "utf8", "utf-8", "unicode", "ascii", "default"))
# MySQL's latin1 is Windows' code page 1252, with control characters for the five bytes that it leaves undefined.
_MYSQL_LATIN1: Final = "".join(bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in range(256))


class Literals:
    """Reads literals.

    Args:
        session: the dialects and settings.
        is_utf8: whether the file is known to be UTF-8. The dump's own character set is then ignored.

    Attributes:
        charset: the dump's name of the character set of its texts, in lower case.
    """

    def __init__(self, session: Session, *, is_utf8: bool = False) -> None:
        self._session = session
        self._is_utf8 = is_utf8
        self.charset = "utf8mb4"

    def set_charset(self, name: str) -> None:
        """Read texts in the character set of this *name* from now on.

        Raises:
            SourceError: the character set is not read.
        """
        self.charset = "utf8mb4" if self._is_utf8 else name.lower()
        if self.charset not in _UTF8 and self.charset not in ("latin1", "binary", "sql_ascii"):
            raise self._unread_charset()

    def value_of(self, token: SqlToken, kind: ColumnType | None, line: int) -> object:
        """Return the value of a literal in a column of this *kind* (None when the type is unknown).

        Raises:
            UnreadableValue: the token is not a literal, or its value is undetermined.
            SourceError: the value depends on the dialect or the character set, which is undetermined.
        """
        if token.kind == "number":
            return self._plain_number(token.octets.decode("ascii"), kind, line)
        if token.kind == "word":
            return self._word(token.word, line)
        if token.kind == "hex":
            return self._convert(self._hex(token.octets, line), kind)
        if token.kind == "bits":
            return self._convert(self._bits(token.octets[2:-1], line), kind)
        octets, charset = self._text(token)
        return self._convert(self._decode(octets, charset, kind, line), kind)

    def read_copied(self, field: bytes, kind: ColumnType | None, line: int) -> object:
        """Return the value of a *field* of COPY.

        Raises:
            UnreadableValue: the value is undetermined.
            SourceError: the text is in a character set that is not read.
        """
        if field == b"\\N":
            return None
        return self.certain(self._convert(self._decode(escapes.of_copy(field), None, kind, line), kind), kind)

    def certain(self, value: object, kind: ColumnType | None) -> object:
        """Return a *value* of PostgreSQL.

        Raises:
            UnreadableValue: it may be `text` or `bytea`, and the type of the column is unknown.
        """
        if (
            kind is None
            and isinstance(value, str)
            and self._session.dialects == POSTGRESQL
            and escapes.may_be_bytea(value)
        ):
            raise UnreadableValue(_TEXT_OR_BYTES)
        return value

    def cast(self, value: object, kind: ColumnType) -> object:
        """Return the *value* cast by `::` to this *kind*.

        Raises:
            UnreadableValue: the value is not of this kind.
        """
        return self._convert(value, kind) if isinstance(value, str) else value

    def _plain_number(self, text: str, kind: ColumnType | None, line: int) -> object:
        """Return a number without quotes. SQLite reads every number but a 64-bit integer as a double."""
        if kind is not None and kind.name in _REALS:
            return float(text)
        number = _parse_sql_number(text)
        if not self._session.may_be(Dialect.SQLITE) or (isinstance(number, int) and number in _SQLITE_INTEGERS):
            return number
        if self._session.dialects == SQLITE:
            return float(text)
        if Decimal(repr(float(text))) != number:
            raise self._session.doubt("a number of many digits", line)
        return number

    def _word(self, word: str, line: int) -> object:
        if word == "NULL":
            return None
        if word not in ("TRUE", "FALSE"):
            raise UnreadableValue("a value that is neither a literal nor NULL")
        if self._session.dialects == POSTGRESQL:
            return word == "TRUE"
        if self._session.may_be(Dialect.POSTGRESQL):
            raise self._session.doubt("TRUE or FALSE", line)
        return int(word == "TRUE")

    def _hex(self, octets: bytes, line: int) -> bytes | int:
        found = _HEX_DIGITS.search(octets)
        digits = found[1].decode("ascii") if found else ""
        session = self._session
        if b"'" not in octets and session.dialects.isdisjoint({Dialect.MYSQL}):
            return int(digits or "0", 16)
        if session.may_be(Dialect.POSTGRESQL) or (b"'" not in octets and session.may_be(Dialect.SQLITE)):
            if session.dialects == POSTGRESQL:
                raise UnreadableValue("a value that is neither a literal nor NULL")
            raise session.doubt("a number or bytes in hexadecimal digits", line)
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")

    def _bits(self, bits: bytes, line: int) -> bytes | str:
        if self._session.dialects == POSTGRESQL:
            return bits.decode("ascii")
        if self._session.may_be(Dialect.POSTGRESQL):
            raise self._session.doubt("bits", line)
        return int(bits or b"0", 2).to_bytes((len(bits) + 7) // 8, "big")

    def _text(self, token: SqlToken) -> tuple[bytes, str | None]:
        """Return the bytes of a text, and the character set named before it, or None."""
        session, (kind, octets, _) = self._session, token
        if kind == "dollar":
            return octets, None
        if kind == "prefixed":
            return self._read_prefixed(octets), None
        if kind == "quoted":
            if session.dialects != frozenset({Dialect.MYSQL}) or session.quotes_names is not False:
                raise UnreadableValue("a name where a value should be")
            return self._unescape(octets[1:-1], b'"'), None
        if kind != "string":
            raise UnreadableValue("a value that is neither a literal nor NULL")
        before, _, quoted = octets.partition(b"'")
        charset = before.strip(b"_ \t\r\n").decode("ascii").lower() if before.startswith(b"_") else None
        return self._unescape(quoted[:-1], b"'"), charset

    def _unescape(self, octets: bytes, quote: bytes) -> bytes:
        if self._session.escapes is True and b"\\" in octets:
            if self._session.dialects == POSTGRESQL:
                return escapes.of_postgresql(octets)
            return escapes.of_mysql(octets, quote)
        return octets.replace(quote * 2, quote)

    def _read_prefixed(self, octets: bytes) -> bytes:
        before, _, quoted = octets.partition(b"'")
        if self.charset not in _UTF8 or not octets.endswith(b"'"):
            raise UnreadableValue("a value that is neither a literal nor NULL")
        if before in (b"e", b"E"):
            return escapes.of_postgresql(quoted[:-1])
        return escapes.of_unicode(quoted[:-1].replace(b"''", b"'"))

    def _decode(self, octets: bytes, charset: str | None, kind: ColumnType | None, line: int) -> str | bytes:
        if charset == "binary" or (kind is not None and kind.name in _BINARIES and not kind.is_array):
            return octets
        if octets.isascii():
            return octets.decode("ascii")
        if kind is not None and kind.name == "bit":
            return octets
        charset = "utf8mb4" if self._is_utf8 else charset or self.charset
        if charset in _UTF8:
            text = text_of(octets)
            if isinstance(text, bytes) and kind is not None and kind.name in _TEXTS:
                raise UnreadableValue("a text that is not UTF-8, without a declared character set")
            return text
        if charset != "latin1":
            raise self._unread_charset(line)
        if self._session.dialect is None:
            raise self._session.doubt("text in latin1", line)
        if kind is None and charset == self.charset and self._session.may_be(Dialect.MYSQL):
            raise UnreadableValue(_TEXT_OR_BYTES)
        if self._session.dialect is Dialect.MYSQL:
            return codecs.charmap_decode(octets, "strict", _MYSQL_LATIN1)[0]
        return octets.decode("latin-1")

    def _unread_charset(self, line: int | None = None) -> SourceError:
        where = f"the dump is in the character set {self.charset!r}, which"
        if line is not None:
            where = f"line {line} of the dump has text in a character set that"
        how = "--encoding=UTF8" if self._session.dialects == POSTGRESQL else "--default-character-set=utf8mb4"
        return SourceError(f"{where} is not read; dump again with {how}")

    def _convert(self, value: str | bytes | int, kind: ColumnType | None) -> object:
        """Return the *value* of a quoted literal as a column of this *kind* stores it."""
        is_postgresql = self._session.dialects == POSTGRESQL
        if kind is None or kind.is_array or isinstance(value, int) or self._session.dialects == SQLITE:
            return value
        if kind.name == "bit" and isinstance(value, str) and is_postgresql:
            return bits_of_digits(value, kind.length or 1)
        if kind.name == "bit":
            octets = value.encode("ascii") if isinstance(value, str) else value
            return bits_of_octets(octets, kind.length or 1)
        if isinstance(value, bytes):
            return int.from_bytes(value, "big") if kind.name in _NUMBERS else value
        if kind.name in _NUMBERS:
            return self._convert_number(value, kind)
        if kind.name == "bytea":
            return escapes.of_bytea(value)
        return _BOOLEANS.get(value, value) if kind.name in ("boolean", "bool") else value

    def _convert_number(self, value: str, kind: ColumnType) -> object:
        if _NUMBER.fullmatch(value):
            return float(value) if kind.name in _REALS else _parse_sql_number(value)
        if self._session.may_be(Dialect.SQLITE):
            return value  # an SQLite column holds any type
        raise UnreadableValue("a text where a number should be")


def _parse_sql_number(text: str) -> int | Decimal:
    try:
        return int(text) if _INTEGER.fullmatch(text) and len(text) < _LONG else Decimal(text)
    except InvalidOperation:
        raise UnreadableValue("a number that is too large") from None

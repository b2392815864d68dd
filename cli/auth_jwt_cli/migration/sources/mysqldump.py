"""Files that mysqldump or mariadb-dump wrote: SQL, read as a stream of tokens.

A statement may be as long as it likes (extended INSERTs are millions of bytes): no more of it is held than a value.
Of the dump's statements four matter: CREATE TABLE for the order of columns, INSERT and REPLACE for rows, SET NAMES
for the character set. Comments are blanks, and what a conditional comment holds counts as if it stood outside.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import BufferedIOBase
from pathlib import Path
from typing import Final, NamedTuple

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.files import ReadingProgress, text_of
from auth_jwt_cli.migration.sources.xml_dumps import rows_of_xml

_CHUNK: Final = 256 * 1024
_MAX_TOKEN_BYTES: Final = 64 * 1024 * 1024  # far beyond what DynamoDB holds: something else is wrong

_TOKEN: Final = re.compile(
    rb"""
    (?P<blank>\s++ | --[ \t][^\n]*+(?:\n|\Z) | --\r?\n | \#[^\n]*+(?:\n|\Z)
        | /\*(?![!M]).*?\*/ | /\*M(?!!).*?\*/ | /\*M!999999\\-[^*]*+\*/ | /\*M?![0-9]*+ | \*/)
  | (?P<string>(?:_[A-Za-z0-9]++\s*+)?'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+')
  | (?P<quoted>"[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+")
  | (?P<name>`(?:[^`]|``)*+`)
  | (?P<hex>(?:_[A-Za-z0-9]++\s*+)?(?:0x[0-9A-Fa-f]*+|[xX]'[0-9A-Fa-f]*+'))
  | (?P<bits>[bB]'[01]*+')
  | (?P<number>[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![A-Za-z_$.]))
  | (?P<word>[A-Za-z0-9_$\x80-\xff]++)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# What has no end, or not yet: a quote or a comment, what may come before a quote, and a number cut off in the middle.
_UNENDED: Final = re.compile(
    rb"""['"`] | /\* | [xXbB]' | _[A-Za-z0-9]++\s*+(?:'|\Z) | [-+]?[0-9.]++[eE]?[-+]?\Z""", re.VERBOSE
)
_QUOTES: Final = (b"'", b'"', b"`", b"/")
_HEX_DIGITS: Final = re.compile(rb"(?:0x|')([0-9A-Fa-f]*+)'?\Z")
_DELIMITER_AS_EVER: Final = re.compile(rb"[ \t]*+;[ \t\r]*+(?:\n|\Z)")
_DELIMITER_AGAIN: Final = re.compile(rb"^DELIMITER[ \t]++;[ \t\r]*+$", re.MULTILINE | re.IGNORECASE)
_ESCAPE: Final = re.compile(rb"\\(.)|''", re.DOTALL)
_ESCAPED: Final = {
    b"0": b"\0",
    b"b": b"\b",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"Z": b"\x1a",
    b"%": b"\\%",
    b"_": b"\\_",
}
_KEYWORDS_OF_KEYS: Final = frozenset(
    {"PRIMARY", "KEY", "UNIQUE", "INDEX", "CONSTRAINT", "FULLTEXT", "SPATIAL", "CHECK", "FOREIGN", "PERIOD", "LIKE"}
)
_CHARACTER_SETS: Final = {
    **dict.fromkeys(("utf8mb4", "utf8mb3", "utf8", "binary", "ascii"), "utf-8"),
    "latin1": "cp1252",  # which is what MySQL calls so
}
_LONG: Final = 1000  # int() refuses thousands of digits
_ODD: Final = object()


class Token(NamedTuple):
    """A piece of SQL: what kind (a group of the pattern) and its bytes."""

    kind: str
    octets: bytes

    @property
    def word(self) -> str:
        """A keyword in upper case, or a sign; nothing for anything quoted."""
        return self.octets.decode("utf-8", "replace").upper() if self.kind in ("word", "sign") else ""

    @property
    def name(self) -> str:
        """The name that an identifier spells, quoted or not."""
        text = self.octets.decode("utf-8", "replace")
        if self.kind in ("name", "quoted"):
            return text[1:-1].replace(text[0] * 2, text[0])
        return text


class DumpSource:
    """A dump, as a `Source`."""

    def __init__(self, path: Path, layout: SourceLayout) -> None:
        self._path = path
        self._layout = layout
        self._progress = ReadingProgress()
        self._progress.expect(path)

    @property
    def name(self) -> str:
        """See `Source`."""
        return "the dump on standard input" if str(self._path) == "-" else f"the dump {self._path}"

    @property
    def fraction(self) -> float | None:
        """See `Source`."""
        return self._progress.fraction

    def keep(self) -> None:
        """See `Source`."""
        self._progress.keep()

    def rows(self) -> Iterator[SourceRow]:
        """See `Source`."""
        with self._progress.opened(self._path) as file:
            if file.begins_with(b"<"):
                yield from rows_of_xml(file, self._layout)
                return
            reading = _Reading(file, self._layout)
            yield from reading.rows()
        for table in self._layout.tables:
            if table not in reading.seen:
                raise SourceError(f"{self.name} has no table {self._layout.name_of(table)!r}")


class _Reading:
    """One pass over a dump."""

    def __init__(self, file: BufferedIOBase, layout: SourceLayout) -> None:
        self._tokens = _Tokens(file)
        self._layout = layout
        self._schema: str | None = None
        self._columns: dict[Table, list[str]] = {}
        self._created: set[Table] = set()
        self._schemas: dict[Table, str] = {}
        self._number = dict.fromkeys(Table, 0)
        self._encoding = "utf-8"
        self.seen: set[Table] = set()

    def rows(self) -> Iterator[SourceRow]:
        while (token := self._tokens.next_or_none()) is not None:
            word = token.word
            if word == "CREATE":
                self._create()
            elif word in ("INSERT", "REPLACE"):
                yield from self._insert()
            elif word == "SET":
                self._set_names()
            elif word == "USE":
                self._schema = self._tokens.next().name
                self._skip()
            elif word == "DELIMITER":
                self._tokens.skip_routines()
            elif word != ";":
                self._skip()

    def _skip(self) -> None:
        """Read on to the end of the statement."""
        while (token := self._tokens.next_or_none()) is not None and token.word != ";":
            pass

    def _set_names(self) -> None:
        token = self._tokens.next()
        if token.word == "NAMES":
            charset = self._tokens.next().name.strip("'").lower()
            if charset not in _CHARACTER_SETS:
                raise SourceError(
                    f"the dump is in the character set {charset!r}; dump again with --default-character-set=utf8mb4"
                )
            self._encoding = _CHARACTER_SETS[charset]
            token = self._tokens.next()
        if token.word != ";":
            self._skip()

    def _table(self) -> Table | None:
        """Read a table's name, perhaps with its schema before a dot."""
        schema, name = self._schema, self._tokens.next().name
        while (token := self._tokens.next()).word == ".":
            schema, name = name, self._tokens.next().name
        self._tokens.put_back(token)
        table = self._layout.table_named(name, schema)
        if table is not None and schema is not None and self._schemas.setdefault(table, schema) != schema:
            raise self._twice(table)
        return table

    def _twice(self, table: Table) -> SourceError:
        return SourceError(
            f"the dump has the table {self._layout.name_of(table)!r} twice, of several databases perhaps;"
            " dump one database, or put its name and a dot before the table's"
        )

    def _create(self) -> None:
        if self._tokens.next().word != "TABLE":
            return self._skip()
        token = self._tokens.next()
        if token.word == "IF":
            self._tokens.next(), self._tokens.next()  # NOT EXISTS
        else:
            self._tokens.put_back(token)
        table = self._table()
        if table is None or self._tokens.next().word != "(":
            return self._skip()
        if table in self._created:
            raise self._twice(table)
        self._created.add(table)
        self.seen.add(table)
        self._columns[table] = self._declared_columns()
        return self._skip()

    def _declared_columns(self) -> list[str]:
        """Read the names of a table's columns, up to the parenthesis that ends the list of them."""
        columns: list[str] = []
        depth, begins = 1, True
        while depth:
            token = self._tokens.next()
            if begins and depth == 1:
                if token.kind in ("name", "quoted") or (token.kind == "word" and token.word not in _KEYWORDS_OF_KEYS):
                    columns.append(token.name)
                begins = False
            if token.word == "(":
                depth += 1
            elif token.word == ")":
                depth -= 1
            elif token.word == "," and depth == 1:
                begins = True
        return columns

    def _insert(self) -> Iterator[SourceRow]:
        while (token := self._tokens.next()).word in ("INTO", "IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"):
            pass
        self._tokens.put_back(token)
        table = self._table()
        if table is None:
            return self._skip()
        self.seen.add(table)
        token = self._tokens.next()
        if token.word == "(":
            columns: Sequence[str] | None = self._listed_names()
            token = self._tokens.next()
        else:
            columns = self._columns.get(table)
        if columns is None:
            raise SourceError(
                f"the dump's INSERTs into {self._layout.name_of(table)!r} name no columns, and no CREATE TABLE came"
                " before; dump again with --complete-insert, or without --no-create-info"
            )
        if token.word not in ("VALUES", "VALUE"):
            raise SourceError("the dump has an INSERT without VALUES, which is not read")
        while token.word != ";":
            if token.word == "(":
                yield self._row(table, columns)
            following = self._tokens.next_or_none()
            if following is None:
                break
            token = following
        return None

    def _listed_names(self) -> list[str]:
        names = []
        while (token := self._tokens.next()).word != ")":
            if token.word != ",":
                names.append(token.name)
        return names

    def _row(self, table: Table, columns: Sequence[str]) -> SourceRow:
        values, odd = self._values()
        self._number[table] += 1
        place = f"row {self._number[table]}"
        if odd:
            return SourceRow(table, place, flaw="a value is neither a literal nor NULL")
        if len(values) != len(columns):
            return SourceRow(table, place, flaw=f"{len(values)} values for {len(columns)} columns")
        return SourceRow(table, place, dict(zip(columns, values, strict=True)))

    def _values(self) -> tuple[list[object], bool]:
        """Read the values of a row, up to its closing parenthesis; and whether any is an expression."""
        values: list[object] = []
        odd, fresh, depth = False, True, 0
        while True:
            token = self._tokens.next()
            word = token.word
            if word == ")" and not depth:
                return values, odd
            if word == "," and not depth:
                fresh = True
                continue
            depth += {"(": 1, ")": -1}.get(word, 0)
            value = self._literal(token)
            if value is _ODD or not fresh:
                odd = True
            values.append(value)
            fresh = False

    def _literal(self, token: Token) -> object:
        kind, octets = token
        if kind == "string":
            introducer, _, quoted = octets.partition(b"'")
            encoding = self._encoding
            if introducer:
                encoding = _CHARACTER_SETS.get(introducer.strip(b"_ \t\r\n").decode("ascii").lower(), "utf-8")
            return text_of(_ESCAPE.sub(_unescaped, quoted[:-1]), encoding)
        if kind == "quoted":
            return text_of(_ESCAPE.sub(_unescaped, octets[1:-1]).replace(b'""', b'"'), self._encoding)
        if kind == "number":
            digits = octets.decode("ascii")
            return int(digits) if digits.lstrip("+-").isdecimal() and len(digits) < _LONG else Decimal(digits)
        if kind == "hex":
            found = _HEX_DIGITS.search(octets)
            digits = found[1].decode("ascii") if found else ""
            return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
        if kind == "bits":
            bits = octets[2:-1] or b"0"
            return int(bits, 2).to_bytes((len(bits) + 7) // 8, "big")
        return {"NULL": None, "TRUE": 1, "FALSE": 0}.get(token.word, _ODD)


def _unescaped(match: re.Match[bytes]) -> bytes:
    escaped: bytes | None = match[1]
    return b"'" if escaped is None else _ESCAPED.get(escaped, escaped)


class _Tokens:
    """The tokens of a file, of which no more is held than the longest of them needs."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._buffer = b""
        self._position = 0
        self._at_end = False
        self._waiting: list[Token] = []

    def next(self) -> Token:
        """Return the next token.

        Raises:
            SourceError: there is none.
        """
        token = self.next_or_none()
        if token is None:
            raise SourceError("the dump ends in the middle of a statement")
        return token

    def put_back(self, token: Token) -> None:
        """Make *token* the next one again."""
        self._waiting.append(token)

    def next_or_none(self) -> Token | None:
        """Return the next token, None at the end."""
        if self._waiting:
            return self._waiting.pop()
        while True:
            match = _TOKEN.match(self._buffer, self._position)
            # What reaches the end of what was read may go on behind it, and what has no end may have it there.
            unended = (
                match is not None
                and match.lastgroup in ("sign", "word")
                and _UNENDED.match(self._buffer, self._position) is not None
            )
            if (match is None or match.end() == len(self._buffer) or unended) and self._read_on():
                continue
            if match is None:
                return None
            if match[0] in _QUOTES and unended:
                raise SourceError("the dump ends within a quoted text or a comment")
            self._position = match.end()
            if match.lastgroup != "blank":
                return Token(str(match.lastgroup), match[0])

    def skip_routines(self) -> None:
        """Read on, line by line, until the delimiter is a semicolon again: triggers and routines are not rows."""
        while b"\n" not in self._buffer[self._position :] and self._read_on():
            pass
        if _DELIMITER_AS_EVER.match(self._buffer, self._position):
            return
        while (ends := _DELIMITER_AGAIN.search(self._buffer, self._position)) is None or ends.end() == len(
            self._buffer
        ):
            self._position = max(self._position, self._buffer.rfind(b"\n"))  # the last line may have come in part only
            if not self._read_on():
                break
        self._position = ends.end() if ends else len(self._buffer)

    def _read_on(self) -> bool:
        """Read more, as much again as is waiting; tell whether there was any."""
        if self._at_end:
            return False
        waiting = len(self._buffer) - self._position
        if waiting > _MAX_TOKEN_BYTES:
            raise SourceError("the dump has a value of more than 64 MB, or a quote that is never closed")
        more = self._file.read1(max(_CHUNK, waiting))  # as it comes: it may come slowly, from a pipe
        self._at_end = not more
        self._buffer = self._buffer[self._position :] + more
        self._position = 0
        return bool(more)

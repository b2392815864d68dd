"""Reads the output of `mysqldump --xml` and `mysql --xml` as a stream. It gives the same rows as a dump in SQL.

These tools write bytes that XML cannot hold: control characters, and binary data unless `--hex-blob` is given. An XML
parser would reject such bytes, and change the ends of lines. So each such byte becomes a private-use character before
the parser sees it, and becomes a byte again afterwards. The tools declare no entities, so a file with entities is
rejected.
"""

import codecs
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final
from xml.parsers import expat

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import SourceError, SourceRow
from auth_jwt_cli.migration.sources.bits import bits_of_octets
from auth_jwt_cli.migration.sources.encodings import Opened
from auth_jwt_cli.migration.sources.files import text_of

_CHUNK: Final = 64 * 1024
_MAX_VALUE: Final = 64 * 2**20
_MAX_DEPTH: Final = 10
_STANDS_FOR: Final = 0xF0000
"""The private-use character that stands for the byte 0. Those for the other bytes follow."""

_STAND_INS: Final = re.compile("[\U000f0000-\U000f00ff]")
_UNFIT: Final = re.compile("[\0-\x08\x0b-\x1f\udc80-\udcff\ufffe\uffff\U000f0000-\U000f00ff]")
_DECLARATION: Final = "<?xml"
_DOCUMENTS: Final = re.compile(r"(?=<\?xml[ \t\n])")
_FROM: Final = re.compile(r"\bFROM\s+(?:[`\"]?([\w$-]+)[`\"]?\s*\.\s*)?[`\"]?([\w$-]+)[`\"]?", re.IGNORECASE)
_NUMERIC: Final = re.compile(r"(?:tiny|small|medium|big)?int|decimal|numeric|float|double|year|real", re.IGNORECASE)
_BIT: Final = re.compile(r"bit\(([0-9]+)\)", re.IGNORECASE)
_LONG: Final = 1000  # int() refuses thousands of digits
_NIL: Final = "xsi:nil"
_TYPE: Final = "xsi:type"


def rows_of_xml(file: Opened, layout: SourceLayout) -> Iterator[SourceRow]:
    """Give the rows of the wanted tables.

    Raises:
        SourceError: the XML is damaged or cut off, is not a dump, or lacks a table.
    """
    reading = _XmlReading(layout)
    for text in _texts(file):
        for number, part in enumerate(_DOCUMENTS.split(text)):
            reading.feed(part, begins=number > 0)
            yield from reading.take()
    reading.end()
    yield from reading.take()
    missing = [layout.name_of(table) for table in layout.tables if table not in reading.seen]
    if missing:
        raise SourceError(f"the XML does not have the table {missing[0]!r}, not even an empty one")


def _texts(file: Opened) -> Iterator[str]:
    """Give the text of *file*, piece by piece, with a stand-in for each byte that XML cannot hold.

    No piece ends within an XML declaration, or between CR and LF.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    has_crlf: bool | None = None
    kept = ""
    has_begun = False
    while True:
        octets = file.read1(_CHUNK)
        text = kept + decoder.decode(octets, final=not octets)
        kept = ""
        if octets:
            cut = max(text.rfind("<"), len(text) - 1 if text.endswith("\r") else -1)
            if cut >= 0 and len(text) - cut <= len(_DECLARATION):
                text, kept = text[:cut], text[cut:]
        if not has_begun:
            text = text.lstrip()
            has_begun = bool(text)
        if has_crlf is None and "\n" in text:
            has_crlf = text[: text.index("\n")].endswith("\r")  # written on Windows: each LF became CR LF
        if has_crlf:
            text = text.replace("\r\n", "\n")
        yield _UNFIT.sub(_stand_ins, text)
        if not octets:
            return


def _stand_ins(match: re.Match[str]) -> str:
    return "".join(chr(_STANDS_FOR + octet) for octet in match[0].encode("utf-8", "surrogateescape"))


def _octets_of(text: str) -> bytes:
    """Return the bytes of *text*, with the original byte in the place of each stand-in."""
    pieces = []
    position = 0
    for match in _STAND_INS.finditer(text):
        pieces += [text[position : match.start()].encode(), bytes([ord(match[0]) - _STANDS_FOR])]
        position = match.end()
    return b"".join([*pieces, text[position:].encode()])


class _XmlReading:
    """One pass over a file. It holds one document, or one for each statement that `mysql` was given."""

    def __init__(self, layout: SourceLayout) -> None:
        self._layout = layout
        self._parser = self._new_parser()
        self._open: list[str] = []
        self._has_root = False
        self._rows: list[SourceRow] = []
        self._number = dict.fromkeys(Table, 0)
        self._types: dict[Table, dict[str, str]] = {}
        self._schema: str | None = None
        self._schemas: dict[Table, str | None] = {}
        self._table: Table | None = None
        self._values: dict[str, object] = {}
        self._field: tuple[str, Mapping[str, str]] | None = None
        self._text: list[str] = []
        self._waiting = 0
        self.seen: set[Table] = set()

    def feed(self, text: str, *, begins: bool) -> None:
        """Read more text. With *begins*, a new document starts here if the last one has ended."""
        if begins and self._has_root and not self._open:
            self._parse("", is_last=True)
            self._parser = self._new_parser()
            self._has_root = False
        self._waiting += len(text)
        if self._waiting > _MAX_VALUE:
            raise SourceError("the XML has a value of more than 64 MB, or a name that never ends")
        self._parse(text, is_last=False)

    def take(self) -> list[SourceRow]:
        """Return the rows read since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def end(self) -> None:
        """Finish the pass.

        Raises:
            SourceError: the last document has not ended.
        """
        self._parse("", is_last=True)

    def _parse(self, text: str, *, is_last: bool) -> None:
        try:
            self._parser.Parse(text.encode("utf-8"), is_last)
        except expat.ExpatError as error:
            if is_last:
                raise SourceError("the XML ends before its last element does, as if it was cut off") from None
            why = expat.errors.messages.get(error.code, "not well-formed")
            raise SourceError(
                f"the XML is damaged in line {error.lineno} ({why}); dump again, with --hex-blob if columns hold bytes"
            ) from None

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        if hasattr(parser, "SetReparseDeferralEnabled"):  # not in the first versions of 3.11 and 3.12
            parser.SetReparseDeferralEnabled(False)  # report the end of an element at once
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse_declarations
        return parser

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._waiting = 0
        if not self._open and name not in ("mysqldump", "resultset"):
            raise SourceError("the XML is neither from `mysqldump --xml` nor from `mysql --xml`")
        if len(self._open) > _MAX_DEPTH:
            raise SourceError("the XML is nested deeper than `mysqldump --xml` writes it")
        self._has_root = True
        self._open.append(name)
        if name == "row":
            self._values = {}
        elif (begin := self._BEGINS.get(name)) is not None:
            begin(self, attributes)

    def _begin_results(self, attributes: Mapping[str, str]) -> None:
        named = _FROM.search(attributes.get("statement", ""))
        found = self._layout.table_named(named[2], named[1]) if named else None
        if found is None and len(self._layout.tables) == 1:
            found = self._layout.tables[0]
        if found is None:
            raise SourceError(
                "the XML has the result of a statement about neither table: use `mysqldump --xml`, or let each"
                f" statement select from {' or '.join(map(self._layout.name_of, self._layout.tables))}"
            )
        if found in self.seen:
            raise self._twice(found)
        self._table = found
        self.seen.add(found)

    def _begin_schema(self, attributes: Mapping[str, str]) -> None:
        self._schema = attributes.get("name")

    def _begin_structure(self, attributes: Mapping[str, str]) -> None:
        self._table = self._layout.table_named(attributes.get("name", ""), self._schema)
        if self._table is not None:
            self._types[self._table] = {}

    def _begin_data(self, attributes: Mapping[str, str]) -> None:
        self._table = self._layout.table_named(attributes.get("name", ""), self._schema)
        if self._table is not None:
            if self._table in self.seen:
                raise self._twice(self._table)
            self.seen.add(self._table)

    def _begin_field(self, attributes: Mapping[str, str]) -> None:
        if self._table is None:
            return
        if self._open[-2:-1] == ["table_structure"]:
            self._types[self._table][attributes.get("Field", "")] = attributes.get("Type", "")
        else:
            self._field = attributes.get("name", ""), attributes
            self._text = []

    _BEGINS: Final[Mapping[str, Callable[["_XmlReading", Mapping[str, str]], None]]] = {
        "resultset": _begin_results,
        "database": _begin_schema,
        "table_structure": _begin_structure,
        "table_data": _begin_data,
        "field": _begin_field,
    }

    def _characters(self, text: str) -> None:
        if self._field is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        self._waiting = 0
        self._open.pop()
        if name == "field" and self._field is not None and self._table is not None:
            column, attributes = self._field
            self._values[column] = _convert_text(
                "".join(self._text), attributes, self._types.get(self._table, {}).get(column)
            )
            self._field = None
        elif name == "row" and self._table is not None:
            self._number[self._table] += 1
            self._rows.append(SourceRow(self._table, f"row {self._number[self._table]}", self._values))
        elif name in ("table_structure", "table_data", "resultset"):
            self._table = None

    def _twice(self, table: Table) -> SourceError:
        return SourceError(
            f"the XML has the table {self._layout.name_of(table)!r} twice, perhaps from several databases;"
            " dump one database, or put its name and a dot before the table's"
        )


def _refuse_declarations(*_: object) -> None:
    raise SourceError("the XML has a DOCTYPE, which no dump has, so it is not read")


def _convert_text(text: str, attributes: Mapping[str, str], declared: str | None) -> object:
    """Return the value of a field, by the *declared* type of its column if there is one."""
    if attributes.get(_NIL) == "true":
        return None
    kind = attributes.get(_TYPE, "").rpartition(":")[2]
    try:
        if kind == "hexBinary":
            octets = bytes.fromhex(text)
        elif kind == "base64Binary":
            octets = b64decode("".join(text.split()), validate=True)
        else:
            octets = _octets_of(text)
    except ValueError:
        raise SourceError(f"the XML has a field that is not the {kind} it claims to be") from None
    if declared is not None:
        if (width := _BIT.match(declared)) is not None:
            return bits_of_octets(octets, int(width[1]))
        if _NUMERIC.match(declared):
            return _parse_number(text)
    return octets if kind in ("hexBinary", "base64Binary") else text_of(octets)


def _parse_number(text: str) -> object:
    try:
        return int(text) if text.lstrip("-").isdecimal() and len(text) < _LONG else Decimal(text)
    except InvalidOperation:
        return text

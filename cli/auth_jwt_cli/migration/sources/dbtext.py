r"""Files of OpenSIPS's db_text: a folder with a file for each table.

The first line names the columns, `name(type[,null|auto])`, separated by blanks. Every other line is a row, its fields
separated by colons; `\:`, `\\`, `\n`, `\r`, `\t` and `\0` stand for a character, and an empty field is NULL.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError, SourceRow
from auth_jwt_cli.migration.sources.files import ReadingProgress, text_of

_COLUMN: Final = re.compile(r"[ ]*([^ (]+)[ ]*\([ ]*([silbdtSILBDT])[^,)]*(?:,[^)]*)?\)[ ]*")
_FIELD: Final = re.compile(rb"((?:[^:\\]|\\.)*+)(:|\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b":": b":", b"0": b"\0"}
_INTEGER: Final = re.compile(rb"-?[0-9]+")
_SECOND_LINE: Final = 2
_MAX_LINE_BYTES: Final = 16 * 2**20  # an item is at most 400 kB
_LONG: Final = 1000  # int() refuses thousands of digits
_REAL: Final = re.compile(rb"-?[0-9]+(?:\.[0-9]*)?")


class DbTextSource(Source):
    """A folder of db_text, as a `Source`."""

    def __init__(self, folder: Path, layout: SourceLayout) -> None:
        self._folder = folder
        self._files = {table: folder / layout.name_of(table) for table in layout.tables}
        self._progress = ReadingProgress()
        self._progress.expect(*self._files.values())

    @property
    def name(self) -> str:
        """See `Source`."""
        return f"the db_text files in {self._folder}"

    @property
    def fraction(self) -> float | None:
        """See `Source`."""
        return self._progress.fraction

    def keep(self) -> None:
        """See `Source`."""
        self._progress.keep()

    def rows(self) -> Iterator[SourceRow]:
        """See `Source`."""
        for table, path in self._files.items():
            with self._progress.open(path) as file:
                yield from _rows(table, path, file)


def _rows(table: Table, path: Path, file: BufferedIOBase) -> Iterator[SourceRow]:
    columns = _columns(path, file.readline(_MAX_LINE_BYTES))
    shipped = re.compile(re.escape(path.name.encode()) + rb":[0-9]+")
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), _SECOND_LINE):
        if len(line) == _MAX_LINE_BYTES:
            raise SourceError(f"{path}: line {number} does not end within 16 MB")
        octets = line.removesuffix(b"\n")
        # The files that OpenSIPS ships hold their version as a row, which its own reader cannot read.
        if not octets or (number == _SECOND_LINE and shipped.fullmatch(octets)):
            continue
        place = f"line {number}"
        try:
            values = _split_fields(octets, columns)
        except ValueError as flaw:
            yield SourceRow(table, place, flaw=str(flaw))
        else:
            yield SourceRow(table, place, values)


def _columns(path: Path, line: bytes) -> dict[str, str]:
    """Read the first line. Return the type of each column, a letter, by the column's name."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    columns = {}
    position = 0
    while match := _COLUMN.match(text, position):
        columns[match[1]] = match[2].lower()
        position = match.end()
    if not columns or position != len(text):
        raise SourceError(f"the first line of {path} should name the columns: `id(int,auto) tag(string) ...`")
    return columns


def _split_fields(octets: bytes, columns: dict[str, str]) -> dict[str, object]:
    fields = []
    position, more = 0, True
    while more:
        match = _FIELD.match(octets, position)
        if match is None:
            raise ValueError("a backslash with nothing after it")
        fields.append(match[1])
        more, position = bool(match[2]), match.end()
    if len(fields) != len(columns):
        raise ValueError(f"{len(fields)} fields for {len(columns)} columns")
    return {
        name: _convert_field(name, kind, field) for (name, kind), field in zip(columns.items(), fields, strict=True)
    }


def _convert_field(name: str, kind: str, field: bytes) -> object:
    if not field:
        return None
    if kind in "ilt":
        if not _INTEGER.fullmatch(field):
            raise ValueError(f"column {name!r} without a whole number")
        return int(field) if len(field) < _LONG else Decimal(field.decode("ascii"))
    if kind == "d":
        if not _REAL.fullmatch(field):
            raise ValueError(f"column {name!r} without a number")
        return Decimal(field.decode("ascii"))
    return text_of(_ESCAPE.sub(_unescape, field))


def _unescape(match: re.Match[bytes]) -> bytes:
    try:
        return _ESCAPED[match[1]]
    except KeyError:
        raise ValueError("a backslash before a character that needs none") from None

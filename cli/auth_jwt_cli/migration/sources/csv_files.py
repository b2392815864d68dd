"""CSV exports, one file for each table: RFC 4180 with a header, and what databases make of it.

An empty field is NULL when nothing is around it and empty text when quotes are, as PostgreSQL's COPY writes them. With
an escape character (`SELECT ... INTO OUTFILE`, `mysql --batch`) a backslash means what it means in MySQL.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.sources import Source, SourceError, SourceRow
from auth_jwt_cli.migration.sources.files import STANDARD_INPUT, ReadingProgress

_MAX_RECORD_BYTES: Final = 16 * 1024 * 1024  # an item is at most 400 kB: a quote is open that should not be
_ESCAPED: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_NOTHING: Final = "(?!)"  # matches nowhere
_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """How a CSV file is written.

    Attributes:
        delimiter: between fields, one character.
        quote: around fields, one character; None: there are no quotes.
        escape: before a character that means something else; None: only a doubled quote means one quote.
        nulls: what stands for NULL in a field without quotes.
        encoding: the character set of the file.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    nulls: frozenset[str] = frozenset({"", "\\N"})
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark is not None]
        if any(len(mark) != 1 or mark in "\r\n" for mark in marks) or len(set(marks)) != len(marks):
            raise SourceError("delimiter, quote and escape of CSV are one character each, and three different ones")
        try:
            plain = "\n".encode(self.encoding) == b"\n"
        except LookupError:
            plain = False
        if not plain:
            raise SourceError(
                f"{self.encoding!r} is no character set that CSV can be read in, such as utf-8 or latin-1"
            )


class CsvSource(Source):
    """CSV files, as a `Source`."""

    def __init__(self, files: dict[Table, Path], form: CsvForm) -> None:
        self._files = files
        self._form = form
        self._progress = ReadingProgress()
        self._progress.expect(*files.values())

    @property
    def name(self) -> str:
        """See `Source`."""
        return "CSV: " + ", ".join(
            "standard input" if path == STANDARD_INPUT else str(path) for path in self._files.values()
        )

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
            with self._progress.opened(path) as file:
                yield from _rows(table, path, file, self._form)


def csv_files_in(folder: Path, layout: SourceLayout) -> dict[Table, Path]:
    """Return the file of each wanted table in *folder*: `NAME.csv`, also `.tsv`, `.txt` and packed as `.gz`.

    Raises:
        SourceError: there is none for a table, or more than one.
    """
    files = {}
    for table in layout.tables:
        name = layout.name_of(table)
        candidates = [
            folder / f"{name}{ending}{packed}" for ending in (".csv", ".tsv", ".txt") for packed in ("", ".gz")
        ]
        found = [path for path in candidates if path.is_file()]
        if len(found) != 1:
            raise SourceError(f"{folder} should have one file for {name!r}, {name}.csv say; it has {len(found)}")
        files[table] = found[0]
    return files


def _rows(table: Table, path: Path, file: BufferedIOBase, form: CsvForm) -> Iterator[SourceRow]:
    columns: Sequence[str] | None = None
    grammar = _Grammar(form)
    for number, record in _records(path, file, form.encoding, grammar):
        place = f"line {number}"
        fields = grammar.fields_of(record)
        if columns is None:
            columns = _header(path, fields)
        elif fields is None:
            yield SourceRow(table, place, flaw="text behind a closing quote")
        elif len(fields) == len(columns):
            yield SourceRow(table, place, dict(zip(columns, fields, strict=True)))
        elif record:
            yield SourceRow(table, place, flaw=f"{len(fields)} fields for {len(columns)} columns")
    if columns is None:
        raise SourceError(f"{path} is empty: a header with the names of the columns is wanted")


def _header(path: Path, fields: Sequence[str | None] | None) -> list[str]:
    names = [name for name in fields or () if name]
    if not names or len(names) != len(fields or ()) or len(set(names)) != len(names):
        raise SourceError(f"the first line of {path} should name the columns, each once")
    return names


def _records(path: Path, file: BufferedIOBase, encoding: str, grammar: "_Grammar") -> Iterator[tuple[int, str]]:
    """Give the records of a file, without their ends, each with the number of its first line."""
    waiting: list[str] = []
    size, first, inside = 0, 1, False
    for number, octets in enumerate(file, 1):
        line = octets.decode(encoding, "surrogateescape")
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        waiting.append(line)
        size += len(octets)
        inside ^= grammar.quotes_in(line) % 2 == 1
        if not inside and not grammar.escapes_the_end_of(line):
            yield first, "".join(waiting).removesuffix("\n").removesuffix("\r")
            waiting, size, first = [], 0, number + 1
        elif size > _MAX_RECORD_BYTES:
            raise SourceError(f"{path}: a quote in line {first} is not closed within 16 MB")
    if waiting:
        raise SourceError(f"{path}: a quote in line {first} is not closed")


class _Grammar:
    """What the characters of a form mean."""

    def __init__(self, form: CsvForm) -> None:
        self._form = form
        quote = re.escape(form.quote) if form.quote else _NOTHING
        escaped = f"{re.escape(form.escape)}." if form.escape else _NOTHING
        delimiter = re.escape(form.delimiter)
        self._marks = re.compile(f"{escaped}|({quote})", re.DOTALL)
        self._escapes = re.compile(f"{re.escape(form.escape)}(.)", re.DOTALL) if form.escape else None
        self._field = re.compile(
            rf"(?:{quote}(?P<quoted>(?:{escaped}|{quote}{quote}|(?!{quote}).)*+){quote}"
            rf"|(?!{quote})(?P<bare>(?:{escaped}|(?!{delimiter}).)*+))(?P<more>{delimiter}|\Z)",
            re.DOTALL,
        )

    def quotes_in(self, line: str) -> int:
        """Count the quotes that open or close something."""
        if self._form.escape is None:
            return line.count(self._form.quote) if self._form.quote else 0
        return sum(mark[1] is not None for mark in self._marks.finditer(line))

    def escapes_the_end_of(self, line: str) -> bool:
        """Tell whether the end of *line* is escaped, and so belongs to a field."""
        if self._form.escape is None:
            return False
        bare = line.removesuffix("\n").removesuffix("\r")
        return line != bare and (len(bare) - len(bare.rstrip(self._form.escape))) % 2 == 1

    def fields_of(self, record: str) -> list[str | None] | None:
        """Return the fields of a *record*; None when there is text behind a closing quote."""
        fields = []
        position, more = 0, True
        while more:
            match = self._field.match(record, position)
            if match is None:
                return None
            fields.append(self._value(match["quoted"], match["bare"]))
            position, more = match.end(), bool(match["more"])
        return fields

    def _value(self, quoted: str | None, bare: str) -> str | None:
        if quoted is None:
            return None if bare in self._form.nulls else self._unescaped(bare)
        quote = self._form.quote or ""
        return self._unescaped(quoted.replace(quote * 2, quote))

    def _unescaped(self, text: str) -> str:
        if self._escapes is None:
            return text
        return self._escapes.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)

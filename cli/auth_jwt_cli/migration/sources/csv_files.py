"""CSV exports, one file for each table: RFC 4180 with a header, and the variants that databases write.

No message shows a name that only the first line of a file holds: that line may be a row.

An empty field is NULL without quotes and empty text with quotes, as PostgreSQL's COPY writes them. With an escape
character (`SELECT ... INTO OUTFILE`, `mysql --batch`) a backslash has its meaning in MySQL.
"""

import codecs
import re
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import Any, Final

from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.layout import BOTH_TABLES, SourceLayout, spelling_in
from auth_jwt_cli.migration.sources import Source, SourceError, SourceRow
from auth_jwt_cli.migration.sources.encodings import Opened
from auth_jwt_cli.migration.sources.files import STANDARD_INPUT, ReadingProgress
from auth_jwt_cli.migration.sources.unpacking import members_of

_MAX_RECORD_BYTES: Final = 16 * 1024 * 1024  # an item has at most 400 kB: a longer record has an unclosed quote
_ESCAPED: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_NOTHING: Final = "(?!)"  # matches nowhere
_PACKED: Final = ("", ".gz", ".bz2", ".xz", ".zip")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_LOOKED_AT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """How a CSV file is written.

    Attributes:
        delimiter: the character between fields.
        quote: the character around fields. None when there are no quotes.
        escape: the character that escapes the next one. None when only a doubled quote stands for a quote.
        nulls: the spellings of NULL in a field without quotes.
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
            raise SourceError("delimiter, quote and escape of CSV must be three different single characters")
        if not _is_readable(self.encoding):
            raise SourceError(
                f"CSV cannot be read in the character set {self.encoding!r}; name one such as utf-8 or latin-1"
            )

    @property
    def wide_encoding(self) -> str | None:
        """The character set if it is UTF-16 or UTF-32, in which a line end is more than one byte. None otherwise."""
        name = codecs.lookup(self.encoding).name
        return name if name.startswith(("utf-16", "utf-32")) else None


def _is_readable(encoding: str) -> bool:
    """Tell whether *encoding* is a character set with ASCII line ends, or UTF-16 or UTF-32."""
    try:
        return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")) or "\n".encode(encoding) == b"\n"
    except LookupError:
        return False


class CsvSource(Source):
    """CSV files, as a `Source`.

    Args:
        files: the file of each table.
        form: how they are written.
        layout: the names of tables and columns.
        members: the file of each table inside a zip archive of several files.
        columns: the names of the columns, in order, of files without a header.

    Raises:
        SourceError: the given names lack a column, or name one twice.
    """

    def __init__(
        self,
        files: Mapping[Table, Path],
        form: CsvForm,
        layout: SourceLayout,
        *,
        members: Mapping[Table, str] | None = None,
        columns: Mapping[Table, Sequence[str]] | None = None,
    ) -> None:
        self._files = files
        self._form = form
        self._layout = layout
        self._members = members or {}
        self._columns = columns or {}
        for table, names in self._columns.items():
            _check_given(table, names, layout)
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
        if self._columns and set(self._files) >= set(BOTH_TABLES):
            self._check_order()
        for table in self._files:
            yield from self._rows_of(table)

    def _rows_of(self, table: Table) -> Generator[SourceRow]:
        path, member = self._files[table], self._members.get(table)
        with self._progress.open(path, member=member, encoding=self._form.wide_encoding) as file:
            yield from _CsvReading(table, path, self._form, self._layout).rows(file, self._columns.get(table))

    def _check_order(self) -> None:
        """Check the given order of columns before any message shows a tag.

        In a wrong order, secrets may be taken for tags. The order counts as right if a profile has the tag of one of
        the first secrets.
        """
        self._progress.keep()
        with closing(self._rows_of(Table.SECRETS)) as rows:
            tags = {_value(row.values, self._layout.secret_tag_column) for row in islice(rows, _LOOKED_AT)} - {None}
        with closing(self._rows_of(Table.PROFILES)) as rows:
            if tags and not any(_value(row.values, self._layout.tag_column) in tags for row in rows):
                options = " or ".join(map(_option_for, self._columns))
                raise SourceError(
                    f"no profile has the tag of any of the first secrets, so {options} may name a wrong order; if it is"
                    " right, write the names into the first line of the file instead"
                )


def csv_files_in(folder: Path, layout: SourceLayout) -> dict[Table, Path]:
    """Return the file of each wanted table in *folder*: `NAME.csv`, `.tsv` or `.txt`, also compressed.

    Raises:
        SourceError: there is none for a table, or more than one.
    """
    files = {}
    for table in layout.tables:
        name = layout.name_of(table)
        found = [
            path for file in _names_of(name) for packed in _PACKED if (path := folder / f"{file}{packed}").is_file()
        ]
        if len(found) != 1:
            raise SourceError(f"{folder} should have one file for {name!r}, such as {name}.csv; it has {len(found)}")
        files[table] = found[0]
    return files


def csv_members_in(archive: Path, layout: SourceLayout) -> dict[Table, str] | None:
    """Return the file of each wanted table in a zip archive, in any folder of it. None if not each has one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [info.filename for info in members_of(opened)]
    except (OSError, zipfile.BadZipFile):
        return None
    members = {}
    for table in layout.tables:
        found = [name for name in names if name.rpartition("/")[2] in _names_of(layout.name_of(table))]
        if len(found) != 1:
            return None
        members[table] = found[0]
    return members


def _names_of(table: str) -> tuple[str, ...]:
    return tuple(f"{table}{ending}" for ending in (".csv", ".tsv", ".txt"))


class _CsvReading:
    """One pass over a file."""

    def __init__(self, table: Table, path: Path, form: CsvForm, layout: SourceLayout) -> None:
        self._table = table
        self._path = path
        self._form = form
        self._layout = layout
        self._grammar = _Grammar(form)

    def rows(self, file: Opened, given: Sequence[str] | None) -> Iterator[SourceRow]:
        columns, bounds = given, self._bounds_in(given or ())
        for number, record in _records(self._path, file, file.encoding or self._form.encoding, self._grammar):
            place = f"line {number}"
            fields = self._grammar.fields_of(record)
            if columns is None:
                columns = self._header(fields)
                bounds = self._bounds_in(columns)
            elif given is not None and number == 1 and set(given) <= set(fields or ()):
                raise SourceError(
                    f"the first line of {self._path} names the columns itself: leave {_option_for(self._table)} out"
                )
            elif fields is None:
                yield SourceRow(self._table, place, flaw="text after a closing quote")
            elif len(fields) == len(columns):
                yield self._row(place, dict(zip(columns, fields, strict=True)), bounds)
            elif record:
                yield SourceRow(self._table, place, flaw=f"{len(fields)} fields for {len(columns)} columns")
        if columns is None:
            raise SourceError(f"{self._path} is empty: it should have a header with the names of the columns")

    def _bounds_in(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that hold the bounds of a window, as *columns* spells them."""
        if self._table is not Table.SECRETS:
            return []
        bounds = {self._layout.start_ts_column.lower(), self._layout.end_ts_column.lower()}
        return [name for name in columns if name.lower() in bounds]

    def _row(self, place: str, values: dict[str, str | None], bounds: list[str]) -> SourceRow:
        """Return a row. Without numbers in its bounds it is a row with a flaw, and without values.

        Its fields may then be in another order, with a secret in the place of the tag. So nothing of it may be shown.
        """
        for name in bounds:
            if not _NUMBER.fullmatch(values[name] or ""):
                flaw = f"no number in its column {name!r}, as if its fields were in another order"
                return SourceRow(self._table, place, flaw=flaw)
        return SourceRow(self._table, place, values)

    def _header(self, fields: Sequence[str | None] | None) -> list[str]:
        names = [name for name in fields or () if name]
        missing = _missing_in(names, self._table, self._layout)
        if not missing and len(names) == len(fields or ()) == len(set(names)):
            return names
        if not missing:
            raise SourceError(f"the first line of {self._path} should name the columns, each once")
        is_one = " (it has one only: see --csv-delimiter)" if len(fields or ()) == 1 else ""
        raise SourceError(
            f"the first line of {self._path} should name the columns{is_one}, and names no"
            f" {', '.join(map(repr, missing))}: if they have other names, give them with --tag-column and similar"
            f" options; if the line is a row, name the columns in order with {_option_for(self._table)}"
        )


def _check_given(table: Table, names: Sequence[str], layout: SourceLayout) -> None:
    missing = _missing_in(names, table, layout)
    if missing:
        raise SourceError(f"{_option_for(table)} names no {', '.join(map(repr, missing))}")
    if len(set(names)) != len(names) or not all(names):
        raise SourceError(f"{_option_for(table)} should name each column of the file once")


def _missing_in(names: Sequence[str], table: Table, layout: SourceLayout) -> list[str]:
    """Return the required columns that *names* lack."""
    wanted = {name: name for name in layout.known_columns(table) if name != layout.id_column}
    return [name for spelled, name in spelling_in(names, wanted).items() if spelled not in names]


def _value(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - as it is in the row
    """Return the value of the column *name*, in any case of its letters."""
    return next((value for column, value in values.items() if column.lower() == name.lower()), None)


def _option_for(table: Table) -> str:
    return f"--{table.value}-columns"


def _records(path: Path, file: BufferedIOBase, encoding: str, grammar: "_Grammar") -> Iterator[tuple[int, str]]:
    """Give the records of a file without their line ends, each with the number of its first line."""
    waiting: list[str] = []
    size, first, inside = 0, 1, False
    for number, octets in enumerate(iter(lambda: file.readline(_MAX_RECORD_BYTES + 1), b""), 1):
        try:
            line = octets.decode(encoding, "surrogateescape")
        except UnicodeError:
            raise SourceError(f"{path}: line {number} is not in the character set {encoding}") from None
        waiting.append(line)
        size += len(octets)
        inside ^= grammar.quotes_in(line) % 2 == 1
        if size > _MAX_RECORD_BYTES:
            raise SourceError(f"{path}: the row in line {first} does not end within 16 MB; is a quote not closed?")
        if not inside and not grammar.escapes_the_end_of(line):
            yield first, "".join(waiting).removesuffix("\n").removesuffix("\r")
            waiting, size, first = [], 0, number + 1
    if waiting:
        raise SourceError(f"{path}: a quote in line {first} is not closed")


class _Grammar:
    """Splits records into fields by the rules of a form."""

    def __init__(self, form: CsvForm) -> None:
        self._form = form
        quote = re.escape(form.quote) if form.quote else _NOTHING
        escaped = f"{re.escape(form.escape)}." if form.escape else _NOTHING
        delimiter = re.escape(form.delimiter)
        self._marks = re.compile(f"{escaped}|({quote})", re.DOTALL)
        self._escapes = re.compile(f"{re.escape(form.escape)}(.)", re.DOTALL) if form.escape else None
        # No `(?!...)` is in what is repeated: Python before 3.11.5 then ends `*+` too early (python/cpython#106052).
        in_quotes = [escaped, quote * 2, f"[^{quote}]"] if form.escape else [quote * 2, f"[^{quote}]"]
        in_bare = [escaped, f"[^{delimiter}]"] if form.escape else [f"[^{delimiter}]"]
        quoted = rf"{quote}(?P<quoted>(?:{'|'.join(in_quotes)})*+){quote}" if form.quote else r"(?!)(?P<quoted>)"
        self._field = re.compile(
            rf"(?:{quoted}|(?!{quote})(?P<bare>(?:{'|'.join(in_bare)})*+))(?P<more>{delimiter}|\Z)", re.DOTALL
        )

    def quotes_in(self, line: str) -> int:
        """Count the quotes that open or close a field."""
        if self._form.escape is None:
            return line.count(self._form.quote) if self._form.quote else 0
        return sum(mark[1] is not None for mark in self._marks.finditer(line))

    def escapes_the_end_of(self, line: str) -> bool:
        """Tell whether the end of *line* is escaped and therefore belongs to a field."""
        if self._form.escape is None:
            return False
        bare = line.removesuffix("\n").removesuffix("\r")
        return line != bare and (len(bare) - len(bare.rstrip(self._form.escape))) % 2 == 1

    def fields_of(self, record: str) -> list[str | None] | None:
        """Return the fields of a *record*. None when text follows a closing quote."""
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
            return None if bare in self._form.nulls else self._unescape(bare)
        quote = self._form.quote or ""
        return self._unescape(quoted.replace(quote * 2, quote))

    def _unescape(self, text: str) -> str:
        if self._escapes is None:
            return text
        return self._escapes.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)

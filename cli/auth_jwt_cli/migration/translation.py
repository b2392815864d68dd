"""A source's row -> a row as our tables hold it, or why there can be none.

Text stays as it is, byte for byte; integers, decimals and reals become numbers, booleans booleans; NULL is left out. A
few columns are numbers whatever the source calls them: the bounds of a window, an `id` of profiles, and those that
`SourceLayout.number_columns` names. Others are text: tags, ids, usernames and domains. Bytes that are UTF-8 are text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from auth_jwt.models import SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.layout import SourceLayout, spelling_in
from auth_jwt_cli.migration.sources import SourceError, SourceRow

MAX_ITEM_BYTES: Final = 400 * 1024
MAX_TAG_BYTES: Final = 2048
MAX_ID_BYTES: Final = 1024
_MAX_DIGITS: Final = 38
_EXPONENTS: Final = range(-130, 126)
_BOOLEANS: Final = dict.fromkeys(("t", "true", "1", "\x01", "0x01"), True) | dict.fromkeys(
    ("f", "false", "0", "\x00", "0x00"), False
)
"""What a boolean is written as: by PostgreSQL, by MySQL, and the last two each for a `BIT(1)` of MySQL."""

_NUMBER_OVERHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A row as our tables hold it.

    Attributes:
        key: which row; the id of a secret that has none is None until `Ledger.named` gives it one.
        columns: what it holds, the key's columns among them; bytes as `{"B": bytes}`.
        place: where it stands in the source; None for rows of our own tables.
        stated: what its `alg` is to be, where the source does not say it and it is known.
    """

    key: Key
    columns: Row = field(repr=False)
    place: str | None = None
    stated: str | None = None


class Unstorable(Exception):
    """A source's row cannot become one of ours.

    Attributes:
        finding: which rule says so, and of which row.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule.id)
        self.finding = finding


class Translation:
    """Makes our rows of a source's."""

    def __init__(self, layout: SourceLayout, columns: Columns) -> None:
        self._layout = layout
        self._columns = columns
        self._headers: dict[tuple[Table, tuple[str, ...]], dict[str, str]] = {}
        self._numbers = {columns.start, columns.end, columns.valid_after, columns.disabled, *layout.number_columns}
        self._texts = {columns.username, columns.domain}

    def of(self, row: SourceRow) -> TargetRow:
        """Return our row for that *row*.

        Raises:
            Unstorable: there can be none.
            SourceError: the source's columns are not what they were said to be.
        """
        if row.flaw is not None:
            raise Unstorable(Finding(RULES["malformed-row"], row.table, None, None, f"It has {row.flaw}.", row.place))
        found = {}
        for name, column in self._names(row.table, row.values).items():
            value = row.values[name]
            if value is not None:
                found[column] = self._value(row, column, value)
        tag = self._key_text(row, found, self._tag_column(row.table), None)
        if not tag:
            raise Unstorable(Finding(RULES["no-tag"], row.table, None, None, RULES["no-tag"].why, row.place))
        found[self._tag_column(row.table)] = tag
        identifier = None
        if row.table is Table.SECRETS:
            identifier = self._key_text(row, found, SECRET_ID, tag)
            found.pop(SECRET_ID, None)
            if identifier:
                found[SECRET_ID] = identifier
            if not isinstance(found.get(self._columns.secret, ""), str):
                why = "Its secret is a number, a boolean, or of bytes that are no UTF-8 text."
                raise Unstorable(Finding(RULES["not-text"], row.table, tag, identifier or None, why, row.place))
        key = Key(row.table, tag, identifier or None)
        _check_item_size(key, found, row.place)
        return TargetRow(key, found, row.place)

    def _tag_column(self, table: Table) -> str:
        return self._columns.tag if table is Table.PROFILES else self._columns.secret_tag

    def _names(self, table: Table, values: Mapping[str, object]) -> dict[str, str]:
        """Return what each column of the source is called here; computed once for each header."""
        header = (table, tuple(values))
        if header not in self._headers:
            self._headers[header] = self._named(table, header[1])
        return self._headers[header]

    def _named(self, table: Table, header: tuple[str, ...]) -> dict[str, str]:
        renamed = spelling_in(header, self._layout.renamed(table, self._columns))
        wanted = list(renamed)
        missing = [name for name in wanted if name not in header and renamed[name] != SECRET_ID]
        if missing:
            raise SourceError(
                f"{self._layout.name_of(table)!r} has no column {', '.join(map(repr, missing))} among its"
                f" {len(header)}: name the columns by --tag-column and its like"
            )
        names = {}
        for name in header:
            if name not in renamed and name in self._layout.skipped_columns:
                continue
            names[name] = renamed.get(name, name)
        twice = [name for name in names if list(names.values()).count(names[name]) > 1 and name not in renamed]
        if twice:
            raise SourceError(
                f"column {twice[0]!r} of {self._layout.name_of(table)!r} would take the place of another that is called"
                f" so here; leave it out by --skip-column {twice[0]}"
            )
        return names

    def _value(self, row: SourceRow, column: str, value: object) -> object:
        """Return what *column* holds in natural values."""
        if isinstance(value, bytes | bytearray | memoryview):
            value = _text_or_bytes(bytes(value))
        elif isinstance(value, str):
            value = _without_surrogates(value)
        if isinstance(value, str):
            value = self._spelled(row.table, column, value)
        if isinstance(value, str | bool):
            return value
        if isinstance(value, int | float | Decimal):
            number = self._number(row, column, value)
            return _digits(number) if row.table is Table.PROFILES and column in self._texts else number
        if isinstance(value, bytes):
            return {"B": value}
        raise Unstorable(self._finding(row, "cannot-be-stored", f"Column {column!r} holds a {type(value).__name__}."))

    def _spelled(self, table: Table, column: str, text: str) -> str | bool | Decimal:
        """Return *text*, or the number or boolean that it spells where the column holds such."""
        if column in self._layout.boolean_columns and text in _BOOLEANS:
            return _BOOLEANS[text]
        if column in self._numbers or (column == SECRET_ID and table is Table.PROFILES):
            number = _number_in(text)
            if number is not None:
                return number
        if column == self._columns.disabled:
            return _BOOLEANS.get(text, text)
        return text

    def _number(self, row: SourceRow, column: str, value: float | Decimal) -> Decimal:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not _fits(number):
            why = f"Column {column!r} holds a number beyond DynamoDB's 38 digits, or none at all."
            raise Unstorable(self._finding(row, "cannot-be-stored", why))
        return number

    def _key_text(self, row: SourceRow, found: Mapping[str, object], column: str, tag: str | None) -> str:
        """Return a part of the key as text; a number has one spelling."""
        value = found.get(column, "")
        if isinstance(value, Decimal):
            return _digits(value)
        if not isinstance(value, str):
            why = f"Column {column!r} is of bytes that are no UTF-8 text."
            raise Unstorable(Finding(RULES["not-text"], row.table, tag, None, why, row.place))
        return value

    def _finding(self, row: SourceRow, rule: str, why: str) -> Finding:
        """Make a finding of a row whose key is not known yet."""
        tag = next(
            (
                value
                for name, column in self._names(row.table, row.values).items()
                if column == self._tag_column(row.table) and isinstance(value := row.values[name], str)
            ),
            None,
        )
        return Finding(RULES[rule], row.table, tag, None, why, row.place)


def size_of(columns: Row) -> int:
    """Return how many bytes DynamoDB counts for an item of these *columns*. For numbers it is an upper estimate."""
    return sum(len(name.encode("utf-8")) + _bytes_of(value) for name, value in columns.items())


def _bytes_of(value: Any) -> int:  # noqa: ANN401 - a natural value
    if isinstance(value, str):
        return len(value.encode("utf-8"))
    if isinstance(value, Decimal):
        return (len(value.as_tuple().digits) + 1) // 2 + _NUMBER_OVERHEAD
    if isinstance(value, dict):  # bytes; or, in our own tables, anything
        return len(value["B"]) if "B" in value else len(repr(value))
    return 1


def _check_item_size(key: Key, columns: Row, place: str) -> None:
    problem = None
    if len(key.tag.encode("utf-8")) > MAX_TAG_BYTES:
        problem = f"Its tag has more than {MAX_TAG_BYTES} bytes."
    elif key.id is not None and len(key.id.encode("utf-8")) > MAX_ID_BYTES:
        problem = f"Its id has more than {MAX_ID_BYTES} bytes."
    elif size_of(columns) > MAX_ITEM_BYTES:
        problem = "It has more than 400 kB."
    if problem:
        shown = None if problem.startswith("Its tag") else key.tag
        raise Unstorable(Finding(RULES["cannot-be-stored"], key.table, shown, None, problem, place))


def _digits(number: Decimal) -> str:
    """Return the one spelling that a *number* has as text."""
    return format(number, "f")


def _text_or_bytes(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _without_surrogates(text: str) -> str | bytes:
    """Return *text*, or the bytes it was read from where they are not UTF-8 (PEP 383)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def _number_in(text: str) -> Decimal | None:
    try:
        number = Decimal(text) if text.isascii() and text == text.strip() and "_" not in text else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _fits(number: Decimal) -> bool:
    """Tell whether DynamoDB holds *number*: 38 digits, and no more than 125 zeros."""
    if not number.is_finite():
        return False
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= _MAX_DIGITS and (not number or number.adjusted() in _EXPONENTS)

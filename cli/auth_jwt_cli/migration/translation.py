"""Turns a source's row into a row of our tables, or says why it cannot.

Text stays as it is, byte for byte. Integers, decimals and reals become numbers, and booleans stay booleans. NULL is
left out. A few columns are numbers whatever their type in the source: the bounds of a window, the `id` of profiles, and
the columns that `SourceLayout.number_columns` names. Tags, ids, usernames and domains are always text. Bytes that are
valid UTF-8 become text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from auth_jwt.issuers.models import CONFIGURATION, MAX_SUBJECT_BYTES, VERSION, issuer_of_user, user_tag
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
"""The spellings of booleans: PostgreSQL's and MySQL's. The last two of each line are those of MySQL's `BIT(1)`."""

_NUMBER_OVERHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A row as our tables hold it.

    Attributes:
        key: the row's key. The id of a secret without one is None until `Ledger.give_id` gives it one.
        columns: the columns and their values, including the key. Bytes are `{"B": bytes}`.
        place: the row's place in the source. None for rows of our own tables.
        stated: the `alg` to write. None when the source has an `alg` or it cannot be determined.
    """

    key: Key
    columns: Row = field(repr=False)
    place: str | None = None
    stated: str | None = None


class Unstorable(Exception):
    """A source's row cannot become a row of our tables.

    Attributes:
        finding: the row and the rule that it breaks.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule.id)
        self.finding = finding


class Translation:
    """Turns a source's rows into ours."""

    def __init__(self, layout: SourceLayout, columns: Columns) -> None:
        self._layout = layout
        self._columns = columns
        self._headers: dict[tuple[Table, tuple[str, ...]], dict[str, str]] = {}
        self._numbers = {columns.start, columns.end, columns.valid_after, columns.disabled, *layout.number_columns}
        self._texts = {columns.username, columns.domain}

    def of(self, row: SourceRow) -> TargetRow:
        """Return our row for the source's *row*.

        Raises:
            Unstorable: our tables cannot hold the row.
            SourceError: the source does not have the columns that the layout names.
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
        if row.table is Table.PROFILES and self._layout.issuer is not None:
            tag = self._tag_of_user(row, tag, self._layout.issuer)
        found[self._tag_column(row.table)] = tag
        identifier = None
        if row.table is Table.SECRETS:
            identifier = self._key_text(row, found, SECRET_ID, tag)
            found.pop(SECRET_ID, None)
            if identifier:
                found[SECRET_ID] = identifier
            if not isinstance(found.get(self._columns.secret, ""), str):
                why = "Its secret is a number, a boolean, or bytes that are not UTF-8 text."
                raise Unstorable(Finding(RULES["not-text"], row.table, tag, identifier or None, why, row.place))
        key = Key(row.table, tag, identifier or None)
        _check_item_size(key, found, row.place)
        return TargetRow(key, found, row.place)

    def _tag_of_user(self, row: SourceRow, subject: str, issuer: str) -> str:
        """Return the tag of the profile of an issuer's user.

        Raises:
            Unstorable: no token of an issuer can have such a subject.
        """
        tag = user_tag(issuer, subject)
        if issuer_of_user(tag) is None:
            why = f"Its subject has more than {MAX_SUBJECT_BYTES} bytes."
            raise Unstorable(Finding(RULES["cannot-be-stored"], row.table, None, None, why, row.place))
        return tag

    def _tag_column(self, table: Table) -> str:
        return self._columns.tag if table is Table.PROFILES else self._columns.secret_tag

    def _names(self, table: Table, values: Mapping[str, object]) -> dict[str, str]:
        """Return our name for each column of the source. It is computed once for each header."""
        header = (table, tuple(values))
        if header not in self._headers:
            self._headers[header] = self._name_columns(table, header[1])
        return self._headers[header]

    def _name_columns(self, table: Table, header: tuple[str, ...]) -> dict[str, str]:
        renamed = spelling_in(header, self._layout.renamed(table, self._columns))
        wanted = list(renamed)
        missing = [name for name in wanted if name not in header and renamed[name] != SECRET_ID]
        if missing:
            raise SourceError(
                f"{self._layout.name_of(table)!r} has no column {', '.join(map(repr, missing))} among its"
                f" {len(header)}: name the columns with --tag-column and similar options"
            )
        names = {}
        for name in header:
            if name not in renamed and name in self._layout.skipped_columns:
                continue
            names[name] = renamed.get(name, name)
        for name, column in names.items():
            if column in (CONFIGURATION, VERSION):
                raise SourceError(
                    f"column {name!r} of {self._layout.name_of(table)!r} is that of issuers, which `auth-jwt issuer`"
                    f" adds; leave it out with --skip-column {name}"
                )
        twice = [name for name in names if list(names.values()).count(names[name]) > 1 and name not in renamed]
        if twice:
            raise SourceError(
                f"column {twice[0]!r} of {self._layout.name_of(table)!r} would replace another column that has this"
                f" name here; leave it out with --skip-column {twice[0]}"
            )
        return names

    def _value(self, row: SourceRow, column: str, value: object) -> object:
        """Return the *value* of a *column* as our tables hold it."""
        if isinstance(value, bytes | bytearray | memoryview):
            value = _text_or_bytes(bytes(value))
        elif isinstance(value, str):
            value = _without_surrogates(value)
        if isinstance(value, str):
            value = self._read_spelling(row.table, column, value)
        if isinstance(value, str | bool):
            return value
        if isinstance(value, int | float | Decimal):
            number = self._number(row, column, value)
            return _digits(number) if row.table is Table.PROFILES and column in self._texts else number
        if isinstance(value, bytes):
            return {"B": value}
        raise Unstorable(self._finding(row, "cannot-be-stored", f"Column {column!r} holds a {type(value).__name__}."))

    def _read_spelling(self, table: Table, column: str, text: str) -> str | bool | Decimal:
        """Return *text*, or the number or boolean that it spells if the column holds numbers or booleans."""
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
            why = f"Column {column!r} holds a number beyond DynamoDB's 38 digits, or NaN or Infinity."
            raise Unstorable(self._finding(row, "cannot-be-stored", why))
        return number

    def _key_text(self, row: SourceRow, found: Mapping[str, object], column: str, tag: str | None) -> str:
        """Return a part of the key as text. A number gets one spelling."""
        value = found.get(column, "")
        if isinstance(value, Decimal):
            return _digits(value)
        if not isinstance(value, str):
            why = f"Column {column!r} holds bytes that are not UTF-8 text."
            raise Unstorable(Finding(RULES["not-text"], row.table, tag, None, why, row.place))
        return value

    def _finding(self, row: SourceRow, rule: str, why: str) -> Finding:
        """Return a finding about a row whose key is not known yet."""
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
    """Return a *number* as text, in its one spelling."""
    return format(number, "f")


def _text_or_bytes(octets: bytes) -> str | bytes:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def _without_surrogates(text: str) -> str | bytes:
    """Return *text*, or the bytes it was read from if they are not UTF-8 (PEP 383)."""
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
    """Tell whether DynamoDB can hold *number*: 38 digits, and at most 125 zeros."""
    if not number.is_finite():
        return False
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= _MAX_DIGITS and (not number or number.adjusted() in _EXPONENTS)

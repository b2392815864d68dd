"""The file of an export: JSON Lines with a header, a line for each row, and an end by which a cut file is noticed.

```json
{"auth_jwt_export": 1, "at": 1795982714, "target": {...}, "columns": {...}, "values": "none"}
{"profile": {"tag": "alice-web", "sip_username": "alice"}}
{"secret": {"corresponding_tag": "alice-web", "id": "1", "start_ts": 1, "end_ts": 2}, "fingerprints": ["scrypt:..."]}
{"end": {"profiles": 1, "secrets": 1}}
```

A column's text, whole number, truth value and NULL are those of JSON. Any other value is an object in DynamoDB's own
form, such as `{"N": "1.5"}` or `{"SS": ["a"]}`; bytes in it are base64.
"""

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from auth_jwt.errors import Invalid
from auth_jwt.models import SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.profiles import is_storable
from auth_jwt.provisioning.rendering import Json
from auth_jwt_cli.migration.translation import TargetRow
from auth_jwt_cli.output import Misused
from auth_jwt_cli.transfer.sealing import Opener, Sealer

FORMAT: Final = 1
_MARK: Final = "auth_jwt_export"
_NO_VALUES: Final = "none"
_SEALED_VALUES: Final = "encrypted"
_MAX_DEPTH: Final = 32
"""How deep a value of DynamoDB may be nested (DynamoDB Developer Guide, "Service, account, and table quotas")."""
_MAX_EXACT: Final = 10**38  # as many digits as DynamoDB stores


@dataclass(frozen=True, slots=True)
class SideRow:
    """A row of one side of a comparison.

    Attributes:
        row: the row. A secret may lack the column of its value.
        fingerprints: those of a secret's keys; None if they are not known.
    """

    row: TargetRow
    fingerprints: tuple[str, ...] | None = None


def header_of(target: Mapping[str, Any], columns: Columns, *, at: int, sealed: bool) -> Json:
    """Return the header of an export: of which target it is, the names of its columns, and whether it has values."""
    return {
        _MARK: FORMAT,
        "at": at,
        "target": dict(target),
        "columns": asdict(columns),
        "values": _SEALED_VALUES if sealed else _NO_VALUES,
    }


def line_of(each: SideRow, columns: Columns, sealer: Sealer | None) -> Json:
    """Return the line of a row: a secret without its value, or with that sealed."""
    row = each.row
    if row.key.table is Table.PROFILES:
        return {"profile": json_of_row(row.columns)}
    line: Json = {"secret": json_of_row({name: value for name, value in row.columns.items() if name != columns.secret})}
    if each.fingerprints is not None:
        line["fingerprints"] = list(each.fingerprints)
    if sealer is not None and columns.secret in row.columns:
        held = {"tag": row.key.tag, "id": row.key.id, "value": _json_of(row.columns[columns.secret])}
        line["sealed"] = sealer.seal(json.dumps(held).encode())
    return line


def end_of(counts: Mapping[Table, int]) -> Json:
    """Return the last line of an export."""
    return {"end": {table.value: counts.get(table, 0) for table in (Table.PROFILES, Table.SECRETS)}}


class ExportFile:
    """The file of an export, to be read.

    Args:
        path: the file.
        opener: opens the values that are sealed; None leaves them out.

    Attributes:
        header: its header.
        columns: the names of its columns.

    Raises:
        Invalid: it cannot be read, is no export, is damaged, or is not whole.
    """

    def __init__(self, path: Path, opener: Opener | None = None) -> None:
        self._path = path
        self._opener = opener
        self.header, self.columns = self._read_header()
        self._check_whole()
        if opener is not None and self.header["values"] != _SEALED_VALUES:
            raise Invalid(f"the export {path} has no values to decrypt")

    @property
    def has_values(self) -> bool:
        """Whether its secrets have their values."""
        return self._opener is not None

    def rows(self, table: Table) -> Iterator[SideRow]:
        """Give the rows of a *table*.

        Raises:
            Invalid: a line is damaged, or a value cannot be opened.
        """
        for number, line in self._lines():
            if ("profile" in line) is (table is Table.PROFILES) and "end" not in line:
                try:
                    yield self._row(line)
                except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
                    raise self._damaged(number) from None

    def _row(self, line: Json) -> SideRow:
        columns = self.columns
        if "profile" in line:
            row = _from_json(line["profile"])
            return SideRow(TargetRow(Key(Table.PROFILES, _text(row[columns.tag])), row))
        row = dict(_from_json(line["secret"]))
        key = Key(Table.SECRETS, _text(row[columns.secret_tag]), _text(row[SECRET_ID]))
        prints = line.get("fingerprints")
        if self._opener is not None and "sealed" in line:
            held = json.loads(self._opener.open(_text(line["sealed"])))
            if (held["tag"], held["id"]) != (key.tag, key.id):  # somebody moved it to another row
                raise Invalid(f"the export {self._path} is damaged: a value of {key.tag!r} belongs to another secret")
            row[columns.secret] = _value_of(held["value"])
        return SideRow(TargetRow(key, row), None if prints is None else tuple(map(_text, prints)))

    def _read_header(self) -> tuple[Json, Columns]:
        number, header = next(self._lines(with_header=True), (0, {}))
        if header.get(_MARK) != FORMAT:
            what = "is no export of `auth-jwt export`"
            if _MARK in header:
                what = f"has the format {header[_MARK]!r}, and this program reads {FORMAT}"
            raise Invalid(f"the file {self._path} {what}")
        try:
            columns, values = Columns(**header["columns"]), header["values"]
        except (KeyError, TypeError):
            raise self._damaged(number) from None
        names = [name for field, name in asdict(columns).items() if field != "requires_alg"]
        if not all(isinstance(name, str) for name in names) or values not in (_NO_VALUES, _SEALED_VALUES):
            raise self._damaged(number)
        return header, columns

    def _check_whole(self) -> None:
        counts: Counter[str] = Counter()
        end = None
        for number, line in self._lines():
            if end is not None:
                raise self._damaged(number)
            end = line.get("end")
            if end is not None and not isinstance(end, dict):
                raise self._damaged(number)
            if end is None:
                counts[Table.PROFILES if "profile" in line else Table.SECRETS] += 1
        if end is None:
            raise Invalid(f"the export {self._path} is cut off: its last line is missing; export again")
        if any(counts[table] != end.get(table.value) for table in (Table.PROFILES, Table.SECRETS)):
            raise Invalid(f"the export {self._path} is not whole: it has other numbers of rows than its last line says")

    def _lines(self, *, with_header: bool = False) -> Iterator[tuple[int, Json]]:
        try:
            with self._path.open("rb") as file:
                for number, octets in enumerate(file, 1):
                    if number == 1 and not with_header:
                        continue
                    try:
                        line = json.loads(octets)
                    except (ValueError, RecursionError):
                        line = None
                    if not isinstance(line, dict):
                        raise self._damaged(number)
                    yield number, line
        except OSError as error:
            raise Misused(f"the export {self._path} cannot be read: {error.strerror}") from None

    def _damaged(self, number: int) -> Invalid:
        is_first = number == 1
        what = "is no export of `auth-jwt export`" if is_first else f"is damaged in line {number}, or cut off there"
        return Invalid(f"the file {self._path} {what}")


def rename_columns(row: TargetRow, old: Columns, new: Columns) -> TargetRow:
    """Return *row* with the names that another stack has for the columns with a meaning."""
    if old == new:
        return row
    names = {getattr(old, name): getattr(new, name) for name in asdict(old) if name != "requires_alg"}
    return TargetRow(row.key, {names.get(name, name): value for name, value in row.columns.items()})


def json_of_row(row: Row) -> Json:
    """Return the columns of a *row* as JSON, exactly; see the module."""
    return {name: _json_of(value) for name, value in row.items()}


def _json_of(value: object) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Decimal):
        is_whole = value == value.to_integral_value() and abs(value) < _MAX_EXACT
        return int(value) if is_whole else {"N": str(value)}
    return _with_base64(value) if isinstance(value, dict) else value


def _from_json(members: Mapping[str, Any]) -> Row:
    return {_text(name): _value_of(value) for name, value in members.items()}


def _value_of(value: Any) -> object:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, int):
        return _number(str(value))
    if not isinstance(value, dict):
        raise TypeError("neither a value of JSON that a column has, nor one in DynamoDB's form")
    if "N" in value:
        return _number(value["N"])
    return _without_base64(value)


def _with_base64(value: Any) -> Any:  # noqa: ANN401 - a value in DynamoDB's form
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {name: _with_base64(member) for name, member in value.items()}
    return [_with_base64(member) for member in value] if isinstance(value, list | tuple | set) else value


def _without_base64(attribute: Any, depth: int = 1) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return a value in DynamoDB's form as its client takes it, if DynamoDB takes it.

    Raises:
        TypeError, ValueError, AttributeError: it does not: it would refuse the whole transaction.
    """
    ((kind, value),) = attribute.items()
    if depth > _MAX_DEPTH:
        raise ValueError("nested deeper than DynamoDB stores")
    if kind == "L" and isinstance(value, list):
        return {kind: [_without_base64(member, depth + 1) for member in value]}
    if kind == "M" and isinstance(value, dict):
        return {kind: {_text(name): _without_base64(member, depth + 1) for name, member in value.items()}}
    if kind in _SETS and isinstance(value, list) and value:
        members = [_SCALARS[_SETS[kind]](member) for member in value]
        if len(set(members)) < len(members):
            raise ValueError("a set with a member twice")
        return {kind: members}
    if kind in _SCALARS:
        return {kind: _SCALARS[kind](value)}
    raise ValueError("no value of DynamoDB's")


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _null(value: object) -> bool:
    if value is not True:
        raise TypeError("NULL is true, if it is there")
    return value


def _octets(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("base64 is text")
    return b64decode(value, validate=True)


def _number(value: object) -> Decimal:
    number = Decimal(_text(value))
    if not is_storable(number):
        raise ValueError("no number that DynamoDB stores")
    return number


def _digits(value: object) -> str:
    return str(_number(value))


def _storable_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text is text")
    value.encode("utf-8")  # a lone surrogate has no UTF-8
    return value


def _text(value: object) -> str:
    text = _storable_text(value)
    if not text:
        raise TypeError("a key is text")
    return text


_SCALARS: Final[Mapping[str, Callable[[object], Any]]] = {
    "S": _storable_text,
    "N": _digits,
    "B": _octets,
    "BOOL": _truth,
    "NULL": _null,
}
_SETS: Final = {"SS": "S", "NS": "N", "BS": "B"}

"""The differences between two sides, found with a bounded amount of memory.

Notes about the rows are in a temporary SQLite file without a name, as those of an import. It holds columns, and of a
secret's value only a digest, keyed with bytes that only this process knows.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from os import urandom
from typing import Any, Final, Self

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.registry import version_of
from auth_jwt.provisioning.rendering import Json
from auth_jwt_cli.migration.progress import Progress
from auth_jwt_cli.transfer.export_files import SideRow, json_of_row, rename_columns
from auth_jwt_cli.transfer.sides import Side, with_fingerprints

_TABLES: Final = (Table.SECRETS, Table.PROFILES)
_TOLD_EVERY: Final = 500
_SCHEMA: Final = """
CREATE TABLE seen (kind TEXT, tag TEXT, id TEXT, columns TEXT, value TEXT, change TEXT, names TEXT,
                   version TEXT, PRIMARY KEY (kind, tag, id)) WITHOUT ROWID;
"""


class DifferenceKind(StrEnum):
    """What makes the second side like the first."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Difference:
    """A row in which the sides differ.

    Attributes:
        kind: what makes the second side like the first.
        key: the key of the row.
        columns: the columns of the first side that the second lacks, or has otherwise; none of a row that one side
            lacks.
        only_there: the columns that only the second side has.
        version: of a row that only the second side has its version there.
    """

    kind: DifferenceKind
    key: Key
    columns: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()
    version: str | None = None

    def as_json(self) -> Json:
        """Return the members of the difference."""
        more = {"columns": list(self.columns), "only_there": list(self.only_there)}
        return {
            "change": self.kind.value,
            "table": self.key.table.value,
            "tag": self.key.tag,
            "id": self.key.id,
            **(more if self.kind is DifferenceKind.CHANGE else {}),
        }


class Differences:
    """Compares two sides. A context manager: its end deletes the notes.

    Values of secrets are compared if both sides have them; else by the fingerprints of their keys, if both sides know
    those; else not at all.

    Args:
        first: the side that is as it should be.
        second: the other one.
        progress: shows how many rows were read.

    Attributes:
        compares_values: whether values are compared, by themselves or by their fingerprints.
    """

    def __init__(self, first: Side, second: Side, progress: Progress) -> None:
        self._first = first
        self._second = second
        self._progress = progress
        self._by_value = first.has_values and second.has_values
        self._secret = urandom(32)
        self._db = sqlite3.connect("", isolation_level=None)  # the empty name: a file without one
        self.compares_values = True

    def __enter__(self) -> Self:
        """Read both sides.

        Raises:
            Fault: a table cannot be read.
            Invalid: an export is damaged.
        """
        try:
            self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA} BEGIN;")
            self._read()
        except BaseException:
            self._db.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        self._db.close()

    def all(self) -> Iterator[Difference]:
        """Give all differences, sorted by tag, profiles first."""
        query = "SELECT kind, tag, id, change, names, version FROM seen WHERE change IS NOT NULL ORDER BY tag, kind, id"
        with closing(self._db.execute(query)) as rows:
            for row in rows:
                yield _difference(row)

    def of(self, key: Key) -> Difference | None:
        """Return the difference in the row with this *key*; None if there is none."""
        query = (
            "SELECT kind, tag, id, change, names, version FROM seen"
            " WHERE kind = ? AND tag = ? AND id = ? AND change IS NOT NULL"
        )
        row = self._db.execute(query, (key.table.value, key.tag, key.id or "")).fetchone()
        return None if row is None else _difference(row)

    def secrets_of(self, tag: str) -> dict[str, bool]:
        """Return the ids of the secrets of *tag* on both sides, each with whether the first side has it."""
        rows = self._db.execute("SELECT id, change FROM seen WHERE kind = ? AND tag = ?", (Table.SECRETS.value, tag))
        return {secret_id: change != DifferenceKind.REMOVE for secret_id, change in rows}

    def _read(self) -> None:
        count = 0
        for table in _TABLES:
            for each in self._first.rows(table):
                self._note(each, self._first.columns)
                count = self._tell(count)
            for each in self._second.rows(table):
                self._compare(each)
                count = self._tell(count)

    def _note(self, each: SideRow, columns: Columns) -> None:
        value = self._value_in(each, columns)
        row = rename_columns(each.row, columns, self._second.columns)
        self._db.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, 'add', NULL, NULL)",
            (*_key(row.key), self._columns_in(row.columns), value),
        )

    def _compare(self, each: SideRow) -> None:
        columns, row = self._second.columns, each.row
        key = _key(row.key)
        found = self._db.execute(
            "SELECT columns, value FROM seen WHERE kind = ? AND tag = ? AND id = ?", key
        ).fetchone()
        if found is None:
            values = (*key, version_of(row.columns))
            self._db.execute("INSERT INTO seen VALUES (?, ?, ?, NULL, NULL, 'remove', NULL, ?)", values)
            return
        here, there = json.loads(found[0]), json.loads(self._columns_in(row.columns))
        differing = [name for name in here if name not in there or not _is_same(here[name], there[name])]
        only_there = sorted(there.keys() - here.keys())
        if row.key.table is Table.SECRETS:
            value = self._value_in(each, columns)
            if found[1] is None or value is None:
                self.compares_values = False
            elif found[1] != value:
                differing.append(columns.secret)
        names = json.dumps([sorted(differing), only_there]) if differing or only_there else None
        self._db.execute(
            "UPDATE seen SET change = ?, names = ? WHERE kind = ? AND tag = ? AND id = ?",
            (None if names is None else DifferenceKind.CHANGE.value, names, *key),
        )

    def _columns_in(self, row: Any) -> str:  # noqa: ANN401 - a row
        members = json_of_row({name: value for name, value in row.items() if name != self._second.columns.secret})
        return json.dumps(members, sort_keys=True)

    def _value_in(self, each: SideRow, columns: Columns) -> str | None:
        """Return what stands for the value of a secret; None if nothing does."""
        if each.row.key.table is Table.PROFILES:
            return None
        if not self._by_value:
            prints = with_fingerprints(each, columns).fingerprints
            return None if prints is None else json.dumps(sorted(prints))
        text = json.dumps(json_of_row({"value": each.row.columns.get(columns.secret)}))
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).hexdigest()

    def _tell(self, count: int) -> int:
        if count % _TOLD_EVERY == 0:
            self._progress.update(None, f"{count} rows read")
        return count + 1


def _key(key: Key) -> tuple[str, str, str]:
    return key.table.value, key.tag, key.id or ""


def _difference(row: Any) -> Difference:  # noqa: ANN401 - whatever SQLite gives
    kind, tag, identifier, change, names, version = row
    table = Table(kind)
    differing, only_there = ([], []) if names is None else json.loads(names)
    key = Key(table, tag, identifier if table is Table.SECRETS else None)
    return Difference(DifferenceKind(change), key, tuple(differing), tuple(only_there), version)


def _is_same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other  # True is not 1

"""Notes about all rows seen, to find duplicates, similar tags, shared secrets, and rows without a counterpart.

The notes are in a temporary SQLite file without a name. Nobody else can read it, and it ends with the process. It
holds tags, ids and digests. The digests are keyed with bytes that only this process knows, so they reveal nothing
about a secret.
"""

import sqlite3
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from decimal import Context, Decimal
from enum import Enum
from hashlib import blake2b
from os import urandom
from typing import Any, Final, Self

from auth_jwt.models import SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.translation import TargetRow

_PLAIN: Final = Context(prec=60)

_SCHEMA: Final = """
CREATE TABLE seen (kind TEXT, tag TEXT, id TEXT, content BLOB, folded TEXT, material BLOB, open INTEGER,
                   rests INTEGER, PRIMARY KEY (kind, tag, id))
WITHOUT ROWID;
CREATE TABLE nameless (tag TEXT, name TEXT, number INTEGER, PRIMARY KEY (tag, name)) WITHOUT ROWID;
"""


class Seen(Enum):
    """Whether an earlier row had the same key, and if so, whether it had the same content."""

    NEVER = "never"
    SAME = "same"
    OTHER = "other"


class Ledger:
    """Notes about rows. A context manager: its end deletes the notes."""

    def __init__(self) -> None:
        self._secret = urandom(32)
        self._db = sqlite3.connect("", isolation_level=None)  # the empty name: a file without one

    def __enter__(self) -> Self:
        """Begin."""
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA} BEGIN;")
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        self._db.close()

    def give_id(self, row: TargetRow, columns: Columns) -> TargetRow:
        """Return *row*. A secret without an id gets one: its window and a number, `START-END-1`.

        The number counts the secrets without an id that share tag and window, in the source's order. The same source
        therefore gives the same ids.
        """
        key = row.key
        if key.table is not Table.SECRETS or key.id is not None:
            return row
        window = "-".join(_word(row.columns.get(name)) for name in (columns.start, columns.end))
        ((number,),) = self._db.execute(
            "INSERT INTO nameless VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number",
            (key.tag, window),
        ).fetchall()
        identifier = f"{window}-{number}"
        return replace(row, key=replace(key, id=identifier), columns={**row.columns, SECRET_ID: identifier})

    def note(self, row: TargetRow, shared: str | None = None, *, is_open: bool = False, rests: bool = False) -> Seen:
        """Note *row*. Tell whether an earlier row had the same key.

        Args:
            row: the row.
            shared: the text that other tags may share, or None.
            is_open: whether the row is a secret whose window is open.
            rests: whether the row is out of use on purpose. The findings between rows then leave it out.
        """
        key = row.key
        content = self._digest(repr(sorted((name, _canonical(value)) for name, value in row.columns.items())))
        before = self._db.execute(
            "SELECT content FROM seen WHERE kind = ? AND tag = ? AND id = ?", (key.table.value, key.tag, key.id or "")
        ).fetchone()
        if before is not None:
            return Seen.SAME if before[0] == content else Seen.OTHER
        material = None if shared is None else self._digest(shared)
        self._db.execute(
            "INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key.table.value, key.tag, key.id or "", content, fold(key.tag), material, is_open, rests),
        )
        return Seen.NEVER

    def secrets_without_profile(self) -> Iterator[Key]:
        """Give the secrets whose tag no profile has, in any spelling."""
        return self._keys(
            "SELECT * FROM seen s WHERE kind = 'secrets' AND NOT rests"
            " AND NOT EXISTS (SELECT 1 FROM seen p WHERE p.kind = 'profiles' AND p.folded = s.folded)"
        )

    def profiles_without_secret(self) -> Iterator[Key]:
        """Give the profiles whose tag no secret has, in any spelling."""
        return self._keys(
            "SELECT * FROM seen p WHERE kind = 'profiles' AND NOT rests"
            " AND NOT EXISTS (SELECT 1 FROM seen s WHERE s.kind = 'secrets' AND NOT s.rests AND s.folded = p.folded)"
        )

    def folded_together(self, *, lacking: bool = False) -> Iterator[tuple[Key, str]]:
        """Give the rows whose tag has another spelling in either table, each with one such spelling.

        Args:
            lacking: whether to give only rows whose own tag lacks a profile or secrets. The other spelling may then be
                the intended one.
        """
        rows = self._query(
            "SELECT s.*, (SELECT o.tag FROM seen o WHERE o.folded = s.folded AND o.tag <> s.tag LIMIT 1) AS other"
            " FROM seen s WHERE other IS NOT NULL AND (NOT ? OR NOT rests AND NOT EXISTS ("
            "SELECT 1 FROM seen c WHERE c.tag = s.tag"
            " AND c.kind = CASE s.kind WHEN 'profiles' THEN 'secrets' ELSE 'profiles' END))",
            lacking,
        )
        return ((_key(row), row[-1]) for row in rows)

    def sharing_secrets(self) -> Iterator[tuple[Key, str]]:
        """Give the secrets that another tag has too, each with one such tag."""
        rows = self._query(
            "SELECT s.*, (SELECT o.tag FROM seen o WHERE o.material = s.material AND o.tag <> s.tag LIMIT 1) AS other"
            " FROM seen s WHERE material IS NOT NULL AND other IS NOT NULL AND NOT rests"
        )
        return ((_key(row), row[-1]) for row in rows)

    def crowded(self, most: int) -> Iterator[tuple[str, int]]:
        """Give the tags that have more than *most* open secrets, each with the number."""
        rows = self._db.execute(
            "SELECT tag, COUNT(*) FROM seen WHERE kind = 'secrets' AND open GROUP BY tag HAVING COUNT(*) > ?", (most,)
        )
        return ((tag, count) for tag, count in rows)

    def _keys(self, query: str) -> Iterator[Key]:
        return map(_key, self._query(query))

    def _query(self, query: str, *values: object) -> sqlite3.Cursor:
        # Created on first use: inserts are faster without indexes.
        self._db.execute("CREATE INDEX IF NOT EXISTS by_folded ON seen (folded, kind, rests, tag)")
        self._db.execute("CREATE INDEX IF NOT EXISTS by_material ON seen (material, tag) WHERE material IS NOT NULL")
        return self._db.execute(query, values)

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()


def fold(tag: str) -> str:
    """Return *tag* without case, accents and trailing blanks, much as MySQL's usual collations compare it."""
    if tag.isascii():
        return tag.lower().rstrip(" ")
    # MySQL treats the dotless i as an accented letter. Unicode's decomposition does not.
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", tag) if not unicodedata.combining(mark))
    return bare.casefold().replace("\u0131", "i").rstrip(" ")


def _key(row: Any) -> Key:  # noqa: ANN401 - whatever SQLite gives
    return Key(Table(row[0]), row[1], row[2] or None)


def _word(bound: object) -> str:
    return format(bound, "f") if isinstance(bound, Decimal) else "none"


def _canonical(value: object) -> object:
    """Return *value* in a form in which equal values are alike: a number has many spellings."""
    return ("number", str(value.normalize(_PLAIN))) if isinstance(value, Decimal) else value


def find_differing(one: Row, other: Row) -> list[str]:
    """Return the columns of *one* that *other* lacks or holds with another value."""
    return [
        name
        for name, value in one.items()
        if name not in other or type(other[name]) is not type(value) or other[name] != value
    ]

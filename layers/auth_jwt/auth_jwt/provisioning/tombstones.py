"""Tombstones: what is kept of a deleted profile, so that it can be restored for thirty days.

They are rows of the secrets table, because they hold the values of secrets: whoever may not read those may not read
these either. No login ever finds one. Its tag is longer than any tag that a token may name, it has no column `secret`,
and no start, so that its window never opens. docs/decisions/0041-tombstones.md says why this is so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from auth_jwt.errors import Invalid
from auth_jwt.issuers.models import is_kept_for_issuers
from auth_jwt.models import SECRET_ID, Columns, Row
from auth_jwt.provisioning.changes import Key, Table

KEPT_SECONDS: Final = 30 * 86400
"""How long a deleted profile can be restored."""

TOMBSTONES_TAG: Final = (
    "The profiles that were deleted, one in each row. This text is longer than any tag that a token may name, so no"
    " login ever reads these rows."
)
"""The partition of the secrets table that lists the tombstones. Its rows hold no value of any secret."""

CONTENT_TAG: Final = (
    "The rows of a profile that was deleted. This text is longer than any tag that a token may name, so no login ever"
    " reads these rows: "
)
"""How the partition begins that holds the rows of one tombstone. The tombstone's id follows."""

MAX_CONTENT_BYTES: Final = 300_000
"""When a row of a tombstone is full. A row of its own may be greater, up to `MAX_ROW_BYTES`."""

MAX_ROW_BYTES: Final = 390_000
"""The largest row that a tombstone can keep: DynamoDB's limit is 400 kB, for the tombstone as well."""

_TAG: Final = "deleted_tag"
_AT: Final = "deleted_at"
_BY: Final = "deleted_by"
_HAS_PROFILE: Final = "deleted_profile"
_SECRETS: Final = "deleted_secrets"
_ROWS: Final = "deleted_rows"
_COLUMNS: Final = "columns"
_TABLE: Final = "table"
_PROFILE: Final = "profile"
_SECRET: Final = "secret"  # noqa: S105 - a kind of row
_OVERHEAD_BYTES: Final = 8  # of a column, in a list of maps


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is known of a deleted profile without its rows.

    Attributes:
        id: its id. Tombstones sort by the time until which they are kept.
        tag: the tag of the profile.
        deleted_at: when it was deleted, in UNIX seconds.
        deleted_by: who deleted it.
        kept_until: when it may be restored no more, in UNIX seconds.
        has_profile: whether there was a profile; False when there were secrets only.
        secrets: how many secrets were deleted with it.
    """

    id: str
    tag: str
    deleted_at: int
    deleted_by: str
    kept_until: int
    has_profile: bool
    secrets: int

    @classmethod
    def from_row(cls, row: Row) -> "Tombstone":
        """Read a row of the list of tombstones."""
        identifier = str(row[SECRET_ID])
        until = identifier.partition("-")[0]
        return cls(
            id=identifier,
            tag=str(row.get(_TAG, "")),
            deleted_at=_whole(row.get(_AT)),
            deleted_by=str(row.get(_BY, "")),
            kept_until=int(until) if until.isascii() and until.isdecimal() else 0,  # a row that nobody here wrote
            has_profile=row.get(_HAS_PROFILE) is True,
            secrets=_whole(row.get(_SECRETS)),
        )

    def to_columns(self, columns: Columns) -> Row:
        """Return the columns of the row, without those of its key.

        It has the `end` of a secret, and no start: it never opens, and a table whose TTL deletes ended secrets
        (`ExpireSecrets`) deletes it, too.
        """
        return {
            _TAG: self.tag,
            _AT: Decimal(self.deleted_at),
            _BY: self.deleted_by,
            _HAS_PROFILE: self.has_profile,
            _SECRETS: Decimal(self.secrets),
            columns.end: Decimal(self.kept_until),
        }

    @property
    def key(self) -> Key:
        """The key of its row in the list."""
        return Key(Table.SECRETS, TOMBSTONES_TAG, self.id)

    @property
    def content_tag(self) -> str:
        """The tag of the rows that hold its content."""
        return f"{CONTENT_TAG}{self.id}"

    def content_key(self, part: int) -> Key:
        """The key of one row of its content."""
        return Key(Table.SECRETS, self.content_tag, f"{part:05d}")


def new_id(kept_until: int, mark: str) -> str:
    """Return the id of a tombstone that is kept until a time; a random *mark* tells it from others of that second."""
    return f"{kept_until:011d}-{mark}"


def content_of(rows: Sequence[tuple[Key, Row]], tombstone: Tombstone, columns: Columns) -> Row:
    """Return the columns of a row of content that keeps *rows*, each with its own key."""
    kept = [
        {
            "M": {
                _TABLE: {"S": _PROFILE if own.table is Table.PROFILES else _SECRET},
                SECRET_ID: {"S": own.id or ""},
                _COLUMNS: {"M": {name: _attribute(value) for name, value in row.items()}},
            }
        }
        for own, row in rows
    ]
    return {_ROWS: {"L": kept}, columns.end: Decimal(tombstone.kept_until)}


def rows_in(content: Iterable[Row], tag: str) -> Iterator[tuple[Key, Row]]:
    """Give the rows that a tombstone keeps, each with its own key, without the columns of that.

    Args:
        content: the rows of the tombstone's content.
        tag: the tag of the profile.
    """
    for row in content:
        listed: Any = row.get(_ROWS, {"L": []})
        for each in listed["L"]:
            member = each["M"]
            is_profile = member[_TABLE]["S"] == _PROFILE
            key = Key(Table.PROFILES, tag) if is_profile else Key(Table.SECRETS, tag, member[SECRET_ID]["S"])
            yield key, {name: _value(attribute) for name, attribute in member[_COLUMNS]["M"].items()}


def size_of(row: Row) -> int:
    """Return about how many bytes a *row* takes in a tombstone.

    Raises:
        Invalid: it is too large to be kept.
    """
    size = sum(
        len(name.encode("utf-8", "surrogatepass")) + _bytes_in(value) + _OVERHEAD_BYTES for name, value in row.items()
    )
    if size > MAX_ROW_BYTES:
        raise Invalid(
            f"a row has {size} bytes, too many to be kept for a restore; nothing was done: delete it for good"
            " (`auth-jwt profile rm --forever`)"
        )
    return size


def is_tombstone(tag: str) -> bool:
    """Tell whether rows of the secrets table with this *tag* belong to a deleted profile."""
    return tag == TOMBSTONES_TAG or tag.startswith(CONTENT_TAG)


def is_no_secret(row: Row, columns: Columns) -> bool:
    """Tell whether a row of the secrets table is no secret, but one that issuers need, or a tombstone.

    A row that holds a secret is one, whatever else is in it: nobody can hide it by a name.
    """
    named_so = is_tombstone(str(row.get(columns.secret_tag, ""))) and columns.secret not in row
    return named_so or is_kept_for_issuers(row, columns)


def _attribute(value: object) -> Any:  # noqa: ANN401 - an attribute value of any type
    """Return a value as DynamoDB writes it. Types other than these four are in that form already: see `Row`."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    return {"NULL": True} if value is None else value


def _value(attribute: Mapping[str, Any]) -> object:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return Decimal(value)
    if kind == "NULL":
        return None
    return value if kind in ("S", "BOOL") else attribute


def _bytes_in(value: object) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(
            len(str(name).encode("utf-8", "surrogatepass")) + _bytes_in(member) + 3 for name, member in value.items()
        )
    if isinstance(value, list | tuple | set | frozenset):
        return sum(_bytes_in(member) + 3 for member in value)
    return len(str(value).encode("utf-8", "surrogatepass"))


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | Decimal) else 0

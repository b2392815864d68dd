"""A row of the source beside the row that our table has: what differs, and what is to be written.

Whoever closed a secret, disabled a profile or revoked its tokens did so here, and the source does not know: nothing
that an import writes undoes it. Nor does it know what `alg` says here: that is no difference, unless the source has
such a column itself.
"""

from dataclasses import dataclass
from decimal import Decimal

from auth_jwt.models import Columns, Row, disables
from auth_jwt.provisioning.changes import ABSENT, MISSING, Expected, Put, Table, Update
from auth_jwt_cli.migration.ledger import differing
from auth_jwt_cli.migration.translation import TargetRow, size_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two rows of one key are to each other.

    Attributes:
        columns: those that the source has and in which the table differs.
        kept: those of them in which the table closes, disables or revokes what the source does not.
        change: what makes the table's row like the source's but for `kept`, on condition that it is still as it was
            read; None when there is nothing to write.
        size: about how many bytes the row then has.
    """

    columns: tuple[str, ...]
    kept: tuple[str, ...]
    change: Put | Update | None
    size: int


def compared(row: TargetRow, existing: Row | None, columns: Columns) -> Comparison:
    """Compare the source's *row* with the *existing* one, if there is any.

    Args:
        row: as our table would hold it.
        existing: as our table holds it.
        columns: what the columns are called here.
    """
    stated: dict[str, object] = {} if row.stated is None else {columns.alg: row.stated}
    if existing is None:
        written = {**row.columns, **stated}
        return Comparison((), (), Put(row.key, written, ABSENT), size_of(written))
    different = tuple(differing(row.columns, existing))
    kept = tuple(
        name
        for name in different
        if name in existing and _closes_more(row.key.table, name, existing[name], row.columns[name], columns)
    )
    wanted: dict[str, object] = {name: row.columns[name] for name in different if name not in kept}
    if columns.secret in wanted and columns.alg not in row.columns and row.key.table is Table.SECRETS:
        # What the table's says is of the secret that goes.
        wanted |= stated or ({columns.alg: MISSING} if columns.alg in existing else {})
    before = {name: existing.get(name, MISSING) for name in (*row.columns, *wanted) if name not in kept}
    change = Update(row.key, wanted, Expected(present=True, columns=before)) if wanted else None
    return Comparison(different, kept, change, size_of({**existing, **row.columns, **stated}))


def _closes_more(table: Table, name: str, here: object, there: object, columns: Columns) -> bool:
    """Tell whether what a column holds *here* lets fewer tokens through than what it holds *there*."""
    if table is Table.SECRETS:
        return name == columns.end and isinstance(here, Decimal) and isinstance(there, Decimal) and here < there
    if name == columns.disabled:
        return disables(here) and not disables(there)
    if name == columns.valid_after and isinstance(there, Decimal):
        return not isinstance(here, Decimal) or here > there  # what is no number revokes every token
    return False

"""Compares a row of the source with the row in our table: what differs, and what to write.

An import never reopens a secret, enables a profile or lifts a revocation: operators close, disable and revoke here, and
the source does not know. Nor does it change an issuer. The source does not know our `alg` either, so it counts as a
difference only if the source has such a column.
"""

from dataclasses import dataclass
from decimal import Decimal

from auth_jwt.issuers.models import holds_issuer
from auth_jwt.models import Columns, Row, disables
from auth_jwt.provisioning.changes import ABSENT, MISSING, Expected, Put, Table, Update
from auth_jwt_cli.migration.ledger import find_differing
from auth_jwt_cli.migration.translation import TargetRow, size_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two rows with the same key differ.

    Attributes:
        columns: the source's columns in which the table differs.
        kept: the columns among them in which the table closes, disables or revokes more than the source; all of an
            issuer.
        change: the write that makes the table's row like the source's, except for `kept`. Its condition is that the
            row has not changed since it was read. None when there is nothing to write.
        size: about how many bytes the row has after the write.
    """

    columns: tuple[str, ...]
    kept: tuple[str, ...]
    change: Put | Update | None
    size: int


def compare_rows(row: TargetRow, existing: Row | None, columns: Columns) -> Comparison:
    """Compare the source's *row* with the *existing* one.

    Args:
        row: the source's row, as our table would hold it.
        existing: the row in our table, or None.
        columns: the names of our columns.
    """
    stated: dict[str, object] = {} if row.stated is None else {columns.alg: row.stated}
    if existing is None:
        written = {**row.columns, **stated}
        return Comparison((), (), Put(row.key, written, ABSENT), size_of(written))
    different = tuple(find_differing(row.columns, existing))
    if holds_issuer(existing):
        return Comparison(different, different, None, size_of(existing))
    kept = tuple(
        name
        for name in different
        if _closes_more(row.key.table, name, existing.get(name, MISSING), row.columns[name], columns)
    )
    wanted: dict[str, object] = {name: row.columns[name] for name in different if name not in kept}
    if columns.secret in wanted and columns.alg not in row.columns and row.key.table is Table.SECRETS:
        # The table's `alg` belongs to the secret that is replaced.
        wanted |= stated or ({columns.alg: MISSING} if columns.alg in existing else {})
    before = {name: existing.get(name, MISSING) for name in (*row.columns, *wanted) if name not in kept}
    change = Update(row.key, wanted, Expected(present=True, columns=before)) if wanted else None
    return Comparison(different, kept, change, size_of({**existing, **row.columns, **stated}))


def _closes_more(table: Table, name: str, here: object, there: object, columns: Columns) -> bool:
    """Tell whether a column's value *here*, which may be missing, lets fewer tokens through than that *there*."""
    if table is Table.SECRETS:
        if name != columns.end or not isinstance(there, Decimal):
            return False
        return not isinstance(here, Decimal) or here < there  # without an end that is a number, no window ever opens
    if here is MISSING:
        return False
    if name == columns.disabled:
        return disables(here) and not disables(there)
    if name == columns.valid_after and isinstance(there, Decimal):
        return not isinstance(here, Decimal) or here > there  # a value that is not a number revokes every token
    return False

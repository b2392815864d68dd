"""The spine of `auth-jwt lint`: checks every row of a source, or of our own tables, against the rules."""

from collections.abc import Callable, Iterator

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import RULES, Finding
from auth_jwt_cli.migration.ledger import Ledger, Seen
from auth_jwt_cli.migration.sources import Source
from auth_jwt_cli.migration.target import Target
from auth_jwt_cli.migration.translation import TargetRow, Translation, Unstorable

Rows = Iterator[TargetRow | Finding]
"""Rows, with a finding in the place of each row that our tables cannot hold."""


def rows_of_source(source: Source, translation: Translation) -> Rows:
    """Give the rows of a *source* as our tables would hold them."""
    for row in source.rows():
        try:
            yield translation.of(row)
        except Unstorable as problem:
            yield problem.finding


def rows_of_tables(target: Target, tables: tuple[Table, ...]) -> Rows:
    """Give the rows of our own *tables*."""
    for table in tables:
        yield from target.rows(table)


def findings_in(
    rows: Rows, examination: Examination, columns: Columns, *, seen: Callable[[Table], None]
) -> Iterator[Finding]:
    """Give all findings about *rows*: first those about each row, then those from comparing rows.

    Args:
        rows: the rows, with findings in the place of those that cannot be stored.
        examination: checks the rows.
        columns: the names of our columns.
        seen: called with the table of every row.
    """
    with Ledger() as ledger:
        for given in rows:
            if isinstance(given, Finding):
                seen(given.table)
                yield given
                continue
            seen(given.key.table)
            row = ledger.give_id(given, columns)
            examined = examination.of(row)
            if ledger.note(row, examined.shared, is_open=examined.is_open, rests=examined.rests) is Seen.OTHER:
                rule = RULES["duplicate-key"]
                yield Finding(rule, row.key.table, row.key.tag, row.key.id, rule.why, row.place)
            yield from examined.findings
        yield from examination.between(ledger)

"""What an import writes over a row that is there, and what it leaves as it is: nothing closed is opened."""

from decimal import Decimal

import pytest

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import ABSENT, MISSING, Expected, Put, Table, Update
from auth_jwt_cli.migration.comparison import Comparison, compare_rows
from tests.migration_sources import a_source_profile, a_source_secret, target_row

COLUMNS = Columns()
NOTHING = object()


def compared_column(table: Table, column: str, here: object, there: object) -> Comparison:
    """A row of the table and one of the source that differ in one column at most."""
    natural = target_row(a_source_profile() if table is Table.PROFILES else a_source_secret(), table)
    rows = []
    for value in (there, here):
        columns = {name: held for name, held in natural.columns.items() if name != column}
        rows.append(columns if value is NOTHING else {**columns, column: value})
    return compare_rows(type(natural)(natural.key, rows[0]), rows[1], COLUMNS)


def test_a_row_that_is_not_there_is_put_if_it_is_still_not_there() -> None:
    row = target_row(a_source_secret())

    comparison = compare_rows(row, None, COLUMNS)

    assert comparison.change == Put(row.key, row.columns, ABSENT)
    assert (comparison.columns, comparison.kept) == ((), ())


def test_a_row_that_is_there_just_so_needs_no_change() -> None:
    row = target_row(a_source_profile(), Table.PROFILES)

    comparison = compare_rows(row, {**row.columns, "tokens_valid_after": Decimal(5)}, COLUMNS)

    assert (comparison.columns, comparison.change) == ((), None)


def test_a_row_that_differs_is_updated_if_it_is_still_as_it_was_read() -> None:
    row = target_row(a_source_profile(sip_username="bob", display_name="Bob"), Table.PROFILES)
    existing = {"id": Decimal(1), "tag": "t1", "sip_username": "alice", "tokens_valid_after": Decimal(5)}

    comparison = compare_rows(row, existing, COLUMNS)

    assert comparison.columns == ("sip_username", "display_name")
    before = {"id": Decimal(1), "tag": "t1", "sip_username": "alice", "display_name": MISSING}
    assert comparison.change == Update(
        row.key, {"sip_username": "bob", "display_name": "Bob"}, Expected(present=True, columns=before)
    )


@pytest.mark.parametrize(
    ("table", "column", "here", "there", "kept"),
    [
        pytest.param(Table.SECRETS, "end_ts", Decimal(9), Decimal(10), True, id="an end is never moved later"),
        pytest.param(Table.SECRETS, "end_ts", Decimal(9), Decimal(8), False, id="but earlier"),
        pytest.param(Table.SECRETS, "end_ts", "soon", Decimal(8), True, id="one that is none never opens, and stays"),
        pytest.param(Table.SECRETS, "end_ts", None, Decimal(8), True, id="so does NULL"),
        pytest.param(Table.SECRETS, "end_ts", NOTHING, Decimal(8), True, id="and an end that is missing"),
        pytest.param(Table.SECRETS, "end_ts", Decimal(9), "soon", False, id="or made none, which never opens"),
        pytest.param(Table.SECRETS, "start_ts", Decimal(9), Decimal(10), False, id="a start is the source's"),
        pytest.param(Table.PROFILES, "disabled", True, False, True, id="a disabled profile is never enabled"),
        pytest.param(Table.PROFILES, "disabled", Decimal(1), Decimal(0), True, id="nor by numbers"),
        pytest.param(Table.PROFILES, "disabled", None, Decimal(0), True, id="nor one disabled by NULL"),
        pytest.param(Table.PROFILES, "disabled", False, Decimal(1), False, id="but disabled"),
        pytest.param(Table.PROFILES, "disabled", NOTHING, Decimal(1), False, id="or so, where nothing was said"),
        pytest.param(Table.PROFILES, "disabled", True, Decimal(1), False, id="disabled is disabled"),
        pytest.param(Table.PROFILES, "tokens_valid_after", Decimal(9), Decimal(8), True, id="no token is good again"),
        pytest.param(Table.PROFILES, "tokens_valid_after", "all", Decimal(8), True, id="nor where all are revoked"),
        pytest.param(Table.PROFILES, "tokens_valid_after", None, Decimal(8), True, id="nor by NULL"),
        pytest.param(Table.PROFILES, "tokens_valid_after", Decimal(9), Decimal(10), False, id="but more are revoked"),
        pytest.param(Table.PROFILES, "tokens_valid_after", Decimal(9), "all", False, id="or all"),
        pytest.param(Table.PROFILES, "tokens_valid_after", NOTHING, Decimal(8), False, id="or some for the first time"),
        pytest.param(Table.PROFILES, "end_ts", Decimal(9), Decimal(10), False, id="of profiles that is any column"),
        pytest.param(Table.SECRETS, "disabled", True, False, False, id="and that of secrets"),
    ],
)
def test_what_was_closed_here_stays_closed(table: Table, column: str, here: object, there: object, kept: bool) -> None:
    comparison = compared_column(table, column, here, there)

    assert comparison.columns == (column,)
    assert comparison.kept == ((column,) if kept else ())
    assert (comparison.change is None) is kept


def test_the_other_columns_are_taken_whatever_is_kept() -> None:
    row = target_row(a_source_secret("new"))
    existing = {**row.columns, "secret": "old", "end_ts": Decimal(5)}

    comparison = compare_rows(row, existing, COLUMNS)

    assert comparison.kept == ("end_ts",)
    assert isinstance(comparison.change, Update)
    assert comparison.change.columns == {"secret": "new"}
    assert "end_ts" not in comparison.change.expected.columns


def test_the_size_is_that_of_the_row_as_it_will_be() -> None:
    row = target_row(a_source_profile(), Table.PROFILES)
    alone = compare_rows(row, None, COLUMNS).size

    with_more = compare_rows(row, {"note": "x" * 1000, "map": {"M": {}}, "sip_username": "bob"}, COLUMNS).size

    assert alone + 1000 < with_more < alone + 1100

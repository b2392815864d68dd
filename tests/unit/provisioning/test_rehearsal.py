"""A rehearsal behaves like the tables, and writes nothing."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import (
    ABSENT,
    MISSING,
    PRESENT,
    Change,
    Check,
    Delete,
    Expected,
    Key,
    Overtaken,
    Put,
    RowFilter,
    Table,
    Update,
)
from auth_jwt.provisioning.rehearsal import RehearsedTables
from tests.fakes import MemoryTables

PROFILE = Key(Table.PROFILES, "t")
SECRET = Key(Table.SECRETS, "t", "1")
OTHER = Key(Table.SECRETS, "t", "2")
REVOKED = Key(Table.REVOCATIONS, "t", "j")


def some_tables() -> MemoryTables:
    tables = MemoryTables()
    tables.write_row(PROFILE, {"sip_username": "alice", "disabled": True})
    tables.write_row(SECRET, {"secret": "s", "start_ts": 1, "end_ts": 2})
    return tables


WRITES = [
    pytest.param([Update(PROFILE, {"disabled": MISSING, "tier": 3})], id="columns are written and removed"),
    pytest.param([Put(OTHER, {"secret": "new", "start_ts": 5}, ABSENT)], id="a row is added"),
    pytest.param([Put(SECRET, {"secret": "new"})], id="a row is replaced"),
    pytest.param([Delete(SECRET), Delete(OTHER)], id="rows are deleted, there or not"),
    pytest.param([Check(PROFILE, PRESENT), Put(REVOKED, {"revoked_at": 7}, ABSENT)], id="a token is revoked"),
    pytest.param([Update(OTHER, {"secret": "x"}, Expected())], id="an update makes the row"),
    pytest.param(
        [Delete(PROFILE, Expected(True, {"disabled": True})), Put(PROFILE, {"a": "b"})], id="one after another"
    ),
]


@pytest.mark.parametrize("changes", WRITES)
def test_reads_find_what_was_rehearsed_as_if_it_were_written(changes: list[Change]) -> None:
    tables, written = some_tables(), some_tables()
    rehearsal = RehearsedTables(tables, Columns())

    for store in (rehearsal, written):
        for change in changes:
            store.write(change)

    assert rehearsal.profile("t") == written.profile("t")
    assert rehearsal.secrets("t") == written.secrets("t")
    assert rehearsal.secrets("t", only=("secret",)) == written.secrets("t", only=("secret",))
    assert rehearsal.revocation("t", "j") == written.revocation("t", "j")
    assert tables.rows == some_tables().rows


def test_a_read_of_a_few_secrets_reads_a_few_and_finds_what_was_rehearsed() -> None:
    """Thousands of tombstones may be in the partition whose oldest two are read at each deletion."""
    tables = some_tables()
    for number in range(2, 10):
        tables.write_row(Key(Table.SECRETS, "t", str(number)), {"secret": "s"})
    asked: list[int | None] = []
    secrets = tables.secrets

    def count(tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        asked.append(most)
        return secrets(tag, only=only, most=most)

    tables.secrets = count  # type: ignore[method-assign]
    rehearsal = RehearsedTables(tables, Columns())
    rehearsal.write(Delete(SECRET))
    asked.clear()

    found = rehearsal.secrets("t", most=2)

    assert [row["id"] for row in found] == ["2", "3"]
    assert asked == [3]


def test_lists_searches_and_scans_are_those_of_the_tables() -> None:
    tables = MemoryTables(index=True)
    for tag in ("a", "b", "c", "d"):
        tables.write_row(Key(Table.PROFILES, tag), {"sip_username": "alice"})
        tables.write_row(Key(Table.SECRETS, tag, "1"), {"secret": "s"})
        tables.write_row(Key(Table.REVOCATIONS, "a", tag), {})
    rehearsal, few = RehearsedTables(tables, Columns()), RowFilter(one_of={"tag": ("c",)})
    few_secrets = RowFilter(one_of={"corresponding_tag": ("c",)})

    for store in (tables, rehearsal):
        assert [row["tag"] for row in store.profiles(after="a", limit=2).rows] == ["b", "c"]
        assert [row["tag"] for row in store.profiles_of("alice", after="a", limit=2).rows] == ["b", "c"]
        assert [row["jti"] for row in store.revocations("a", after="a", limit=2).rows] == ["b", "c"]
        assert [row["tag"] for page in store.scan_profiles(where=few) for row in page.rows] == ["c"]
        assert [row["tag"] for page in store.scan_profiles(after="b") for row in page.rows] == ["c", "d"]
        assert not any(page.next for page in store.scan_profiles(segments=2))
        scanned = [row for page in store.scan_secrets(only=("id",), where=few_secrets) for row in page.rows]
        assert scanned == [{"id": "1"}]


@pytest.mark.parametrize("keeps_revocations", [True, False])
def test_a_rehearsal_has_a_table_of_revoked_tokens_where_there_is_one(keeps_revocations: bool) -> None:
    tables = MemoryTables(keeps_revocations=keeps_revocations)

    assert RehearsedTables(tables, Columns()).keeps_revocations is keeps_revocations


def test_a_change_of_a_profile_reads_no_secrets() -> None:
    """Who may not read them can rehearse it, too."""
    tables = some_tables()

    def refuse(*_: object, **__: object) -> list[Row]:
        raise AssertionError

    tables.secrets = refuse  # type: ignore[method-assign]

    RehearsedTables(tables, Columns()).write(Update(PROFILE, {"disabled": MISSING}))


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        pytest.param(Check(PROFILE, PRESENT), True, id="it is there"),
        pytest.param(Check(PROFILE, ABSENT), False, id="it should not be there"),
        pytest.param(Delete(OTHER, PRESENT), False, id="it should be there"),
        pytest.param(Check(SECRET, Expected(True, {"end_ts": 2})), True, id="a number is equal"),
        pytest.param(Check(SECRET, Expected(True, {"end_ts": 3})), False, id="a number differs"),
        pytest.param(Check(PROFILE, Expected(True, {"disabled": Decimal(1)})), False, id="true is not 1"),
        pytest.param(Check(PROFILE, Expected(True, {"tier": MISSING})), True, id="a column is not there"),
    ],
)
def test_conditions_are_checked(change: Change, fits: bool) -> None:
    rehearsal = RehearsedTables(some_tables(), Columns())

    if fits:
        rehearsal.write(change)
    else:
        with pytest.raises(Overtaken) as raised:
            rehearsal.write(change)
        assert raised.value.key == change.key


@pytest.mark.parametrize(("key", "table"), [(PROFILE, "profiles"), (SECRET, "secrets"), (REVOKED, "revocations")])
def test_what_is_not_as_expected_is_told_by_its_table(key: Key, table: str) -> None:
    with pytest.raises(Overtaken, match=f"a row of {table} is not as expected"):
        RehearsedTables(MemoryTables(), Columns()).write(Check(key, PRESENT))


def test_no_more_columns_are_read_than_are_asked_for_and_needed() -> None:
    """Who may not read the values of secrets can rehearse what does not read them."""
    tables = some_tables()
    asked: list[Sequence[str] | None] = []
    secrets = tables.secrets

    def note(tag: str, *, only: Sequence[str] | None = None, most: int | None = None) -> list[Row]:
        asked.append(only)
        return secrets(tag, only=only, most=most)

    tables.secrets = note  # type: ignore[method-assign]

    assert RehearsedTables(tables, Columns()).secrets("t", only=("end_ts",)) == [{"end_ts": 2}]
    assert [sorted(only or ()) for only in asked] == [["end_ts", "id"]]


def test_of_a_profile_that_is_not_there_no_column_is_either() -> None:
    assert RehearsedTables(MemoryTables(), Columns()).profile("t", only=("tag",)) is None


def test_of_changes_that_do_not_all_fit_none_is_taken() -> None:
    rehearsal = RehearsedTables(some_tables(), Columns())

    with pytest.raises(Overtaken):
        rehearsal.write(Delete(PROFILE), Delete(OTHER, PRESENT))

    assert rehearsal.changes == []
    assert rehearsal.profile("t") is not None


def test_what_would_be_written_is_told_without_values() -> None:
    rehearsal = RehearsedTables(some_tables(), Columns())

    rehearsal.write(Check(PROFILE, PRESENT), Put(OTHER, {"secret": "hidden", "alg": "HS256"}, ABSENT), Delete(SECRET))
    rehearsal.update(Update(PROFILE, {"disabled": MISSING}))

    assert [(each.kind, each.key, each.columns) for each in rehearsal.changes] == [
        ("add", OTHER, ("alg", "secret")),
        ("delete", SECRET, ()),
        ("change", PROFILE, ("disabled",)),
    ]
    assert "hidden" not in repr(rehearsal.changes)

"""What an import remembers of rows: on disk, for nobody else, and nothing of a secret."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from auth_jwt.models import Columns
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.ledger import Ledger, Seen, find_differing, fold
from auth_jwt_cli.migration.translation import TargetRow
from tests.factories import HMAC_KEY
from tests.migration_sources import a_source_profile, a_source_secret, target_row, without_key


def nameless(**columns: object) -> TargetRow:
    return target_row(without_key(a_source_secret(**columns), "id"))


def test_a_row_is_new_once_then_the_same_then_another() -> None:
    row = target_row(a_source_secret())

    with Ledger() as ledger:
        assert ledger.note(row) is Seen.NEVER
        assert ledger.note(row) is Seen.SAME
        assert ledger.note(target_row(a_source_secret("another"))) is Seen.OTHER
        assert ledger.note(row) is Seen.SAME
        assert ledger.note(target_row(a_source_secret(id=2))) is Seen.NEVER


def test_equal_numbers_are_the_same_and_text_is_none() -> None:
    with Ledger() as ledger:
        assert ledger.note(target_row(a_source_profile(n=Decimal("1.50")), Table.PROFILES)) is Seen.NEVER
        assert ledger.note(target_row(a_source_profile(n=1.5), Table.PROFILES)) is Seen.SAME
        assert ledger.note(target_row(a_source_profile(n="1.5"), Table.PROFILES)) is Seen.OTHER


def test_secrets_without_an_id_are_named_by_their_window_and_counted() -> None:
    with Ledger() as ledger:
        names = [
            ledger.give_id(row, Columns()).key.id
            for row in (
                nameless(),
                nameless(secret="another"),
                nameless(corresponding_tag="t2"),
                nameless(start_ts=2),
                nameless(start_ts="soon", end_ts=None),
            )
        ]

    assert names == ["1-4102444800-1", "1-4102444800-2", "1-4102444800-1", "2-4102444800-1", "none-none-1"]


def test_the_name_is_a_column_of_the_row_as_well() -> None:
    with Ledger() as ledger:
        row = ledger.give_id(nameless(), Columns())

    assert row.columns["id"] == row.key.id == "1-4102444800-1"


def test_a_secret_with_an_id_and_a_profile_keep_theirs() -> None:
    secret, profile = target_row(a_source_secret(id=7)), target_row(a_source_profile(), Table.PROFILES)

    with Ledger() as ledger:
        assert ledger.give_id(secret, Columns()) is secret
        assert ledger.give_id(profile, Columns()) is profile


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_its_file_has_no_name_and_holds_no_secret() -> None:
    with Ledger() as ledger:
        ledger._db.execute("PRAGMA cache_size = 10")  # pages: so that all but the last few are in the file
        for number in range(5_000):
            ledger.note(target_row(a_source_secret(id=number)), HMAC_KEY)
        links = list(Path("/proc/self/fd").iterdir())
        files = {link: str(link.readlink()) for link in links if link.is_symlink()}
        ((file, name),) = [item for item in files.items() if "etilqs" in item[1]]  # as SQLite calls them
        mode, kept = file.stat().st_mode & 0o777, file.read_bytes()

    assert name.endswith("(deleted)")
    assert mode == 0o600
    assert b"secrets" in kept  # what is there is found
    assert HMAC_KEY.encode() not in kept


def test_digests_are_of_this_process_only() -> None:
    """Two ledgers make different ones of one secret, so they tell nothing to whoever finds the file."""
    row = target_row(a_source_secret())
    found = []
    for _ in range(2):
        with Ledger() as ledger:
            ledger.note(row, HMAC_KEY)
            found.append(ledger._db.execute("SELECT content, material FROM seen").fetchone())

    assert not set(found[0]) & set(found[1])


QUESTIONS: dict[str, Callable[[Ledger], object]] = {
    "folded": lambda ledger: list(ledger.folded_together()),
    "folded, lacking": lambda ledger: list(ledger.folded_together(lacking=True)),
    "shared": lambda ledger: list(ledger.sharing_secrets()),
    "secrets alone": lambda ledger: list(ledger.secrets_without_profile()),
    "profiles alone": lambda ledger: list(ledger.profiles_without_secret()),
    "crowded": lambda ledger: list(ledger.crowded(100)),
}


@pytest.fixture(name="few_and_many", scope="module")
def _few_and_many() -> Iterator[tuple[Ledger, Ledger]]:
    """The rows of 300 users and those of 3000, to be asked and not to be changed."""
    with Ledger() as few, Ledger() as many:
        for ledger, users in ((few, 300), (many, 3000)):
            for number in range(users):
                tag = f"user-{number}"
                ledger.note(target_row(a_source_profile(tag=tag), Table.PROFILES))
                ledger.note(target_row(a_source_secret(corresponding_tag=tag, id=1)), rests=True)
                ledger.note(target_row(a_source_secret(corresponding_tag=tag, id=2)), f"{number}", is_open=True)
        yield few, many


def work_of(question: Callable[[Ledger], object], ledger: Ledger) -> int:
    """How much SQLite does to answer, in thousands of its own steps: the same on every machine."""
    done = 0

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    ledger._db.set_progress_handler(count, 1000)
    question(ledger)
    return done


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_ten_times_the_users_are_about_ten_times_the_work(
    few_and_many: tuple[Ledger, Ledger], question: Callable[[Ledger], object]
) -> None:
    few, many = (work_of(question, ledger) for ledger in few_and_many)

    assert many <= 20 * max(few, 1), (few, many)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Alice", "alice"), ("alice", "alice  "), ("Müller", "muller"), ("ÎLE", "ile"), ("\u0131", "i"), ("ﬁ", "fi")],
)
def test_tags_fold_together_as_in_mysql(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), (" a", "a"), ("a\t", "a"), ("0", "o")])
def test_tags_that_do_not_fold_together(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_row_differs_by_what_the_other_lacks_or_holds_otherwise() -> None:
    one = {"same": "x", "number": Decimal("1.0"), "text": "1", "none": True, "gone": "y"}
    other = {"same": "x", "number": Decimal(1), "text": Decimal(1), "none": Decimal(1), "more": "z"}

    assert find_differing(one, other) == ["text", "none", "gone"]


def test_keys_are_shown_and_columns_are_not() -> None:
    row = replace(target_row(a_source_secret()), key=Key(Table.SECRETS, "t1", "1"))

    assert HMAC_KEY not in repr(row)
    assert "t1" in repr(row)

"""Another tag for a profile and its secrets: all of it or nothing, and nobody's rows are taken."""

from typing import Any

import pytest

from auth_jwt.errors import Conflict, Invalid, NotFound, Reason
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.provisioning.renaming import MAX_RENAMED
from tests.factories import HMAC_KEY, NOW, a_token
from tests.office import Office, an_office


def an_office_with(tag: str, *ids: str, **columns: Any) -> Office:
    office = an_office()
    office.has(tag=tag, **columns)
    for secret_id in ids:
        office.has_secret(secret_id, tag=tag, secret=f"{HMAC_KEY} {secret_id}")
    return office


def test_profile_and_secrets_move_with_all_their_columns() -> None:
    office = an_office_with("t1 ", "1", "two", tier="gold", tokens_valid_after=NOW, odd={"L": []})
    before = {key.id: row for key, row in office.tables.rows.items()}

    renamed = office.provisioning.profiles.rename("t1 ", "t1")

    assert (renamed.tag, renamed.has_profile, renamed.secrets) == ("t1", True, ("1", "two"))
    assert {key.tag for key in office.tables.rows} == {"t1"}
    assert {key.id: row for key, row in office.tables.rows.items()} == before
    assert office.actions == ["profile.rename"]
    assert office.audit[0].details == {"new_tag": "t1", "secrets": ["1", "two"]}


def test_tokens_of_the_new_tag_are_good_and_those_of_the_old_one_no_longer() -> None:
    office = an_office_with("old", "1")
    old, new = (a_token(tag=tag, key=f"{HMAC_KEY} 1", jti="a") for tag in ("old", "new"))
    assert (office.verdict(old), office.verdict(new)) == (None, Reason.UNKNOWN_TAG)

    office.provisioning.profiles.rename("old", "new")

    assert (office.verdict(old), office.verdict(new)) == (Reason.UNKNOWN_TAG, None)


@pytest.mark.parametrize("tag", ["x" * 129, "a\0b", " ", "\U0001f600" * 128])
def test_a_tag_that_no_token_may_name_is_left_behind(tag: str) -> None:
    office = an_office_with(tag, "1")

    office.provisioning.profiles.rename(tag, "t1")

    assert {key.tag for key in office.tables.rows} == {"t1"}


@pytest.mark.parametrize("tag", ["x" * 129, "a\0b", ""])
def test_no_row_gets_such_a_tag(tag: str) -> None:
    office = an_office_with("t1", "1")

    with pytest.raises(Invalid):
        office.provisioning.profiles.rename("t1", tag)
    assert office.audit == []


def test_secrets_alone_may_join_a_profile_and_a_profile_secrets() -> None:
    office = an_office_with("alice")
    office.has_secret("1", tag="Alice")

    assert not office.provisioning.profiles.rename("Alice", "alice").has_profile
    assert office.provisioning.secrets.show("alice", "1").id == "1"

    office.has(tag="bob")
    office.has_secret("1", tag="Bob")
    assert office.provisioning.profiles.rename("bob", "Bob").secrets == ()


def test_two_profiles_do_not_become_one() -> None:
    office = an_office_with("t1")
    office.has(tag="t2")

    with pytest.raises(Conflict, match="there is a profile 't2' already"):
        office.provisioning.profiles.rename("t1", "t2")
    assert len(office.tables.rows) == 2


def test_no_secret_is_written_over() -> None:
    office = an_office_with("t1", "1")
    office.has_secret("1", tag="t2")

    with pytest.raises(Conflict, match="'t2' has a secret '1' already"):
        office.provisioning.profiles.rename("t1", "t2")
    assert Key(Table.SECRETS, "t1", "1") in office.tables.rows


def test_what_somebody_changes_meanwhile_is_not_lost() -> None:
    office = an_office_with("t1", "1")
    office.tables.before_write = lambda: office.has_secret("1", tag="t1", end_ts=NOW)

    with pytest.raises(Conflict, match=r"changed a row of .* meanwhile, so nothing was done"):
        office.provisioning.profiles.rename("t1", "t2")
    assert {key.tag for key in office.tables.rows} == {"t1"}


def test_nothing_and_the_same_have_no_other_tag() -> None:
    office = an_office_with("t1")

    with pytest.raises(NotFound):
        office.provisioning.profiles.rename("t2", "t3")
    with pytest.raises(Invalid, match="the old one"):
        office.provisioning.profiles.rename("t1", "t1")


@pytest.mark.parametrize(("count", "fits"), [(MAX_RENAMED, True), (MAX_RENAMED + 1, False)])
def test_as_many_secrets_move_as_one_write_holds(count: int, fits: bool) -> None:
    office = an_office_with("t1", *map(str, range(count)))
    if fits:
        assert len(office.provisioning.profiles.rename("t1", "t2").secrets) == count
    else:
        with pytest.raises(Invalid, match="one rename can move at most"):
            office.provisioning.profiles.rename("t1", "t2")


def test_rows_of_any_tag_can_be_deleted() -> None:
    office = an_office_with("a\0b", "1")

    assert office.provisioning.profiles.secret_count("a\0b") == 1
    assert office.provisioning.profiles.delete("a\0b") == 1
    assert not office.tables.rows


@pytest.mark.parametrize("tag", ["", "x" * 2049, "\ud800"])
def test_what_no_row_can_have_is_no_tag(tag: str) -> None:
    with pytest.raises(Invalid):
        an_office().provisioning.profiles.delete(tag)

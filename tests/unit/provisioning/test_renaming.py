"""Another tag for a profile and its secrets: all of it or nothing, and nobody's rows are taken."""

from typing import Any

import pytest

from auth_jwt.credentials import Credential
from auth_jwt.errors import Conflict, Invalid, NotFound, Reason
from auth_jwt.provisioning.changes import Key, Table
from tests.factories import HMAC_KEY, NOW, a_token
from tests.fakes import natural
from tests.service import Service, a_service


def a_service_with(tag: str, *ids: str, **columns: Any) -> Service:
    service = a_service()
    service.has(tag=tag, **columns)
    for secret_id in ids:
        service.has_secret(secret_id, tag=tag, secret=f"{HMAC_KEY} {secret_id}")
    return service


def test_profile_and_secrets_move_with_all_their_columns() -> None:
    service = a_service_with("t1 ", "1", "two", tier="gold", tokens_valid_after=NOW, odd={"L": []})
    before = {key.id: row for key, row in service.tables.rows.items()}

    renamed = service.provisioning.profiles.rename("t1 ", "t1")

    assert (renamed.tag, renamed.has_profile, renamed.secrets) == ("t1", True, ("1", "two"))
    assert {key.tag for key in service.tables.rows} == {"t1"}
    assert {key.id: row for key, row in service.tables.rows.items()} == before
    assert service.actions == ["profile.rename"]
    assert service.audit[0].details == {"new_tag": "t1", "secrets": ["1", "two"]}


def test_tokens_of_the_new_tag_are_good_and_those_of_the_old_one_no_longer() -> None:
    service = a_service_with("old", "1")
    old, new = (a_token(tag=tag, key=f"{HMAC_KEY} 1", jti="a") for tag in ("old", "new"))
    assert (service.verdict(old), service.verdict(new)) == (None, Reason.UNKNOWN_TAG)

    service.provisioning.profiles.rename("old", "new")

    assert (service.verdict(old), service.verdict(new)) == (Reason.UNKNOWN_TAG, None)


@pytest.mark.parametrize("tag", ["x" * 129, "a\0b", " ", "\U0001f600" * 128])
def test_a_tag_that_no_token_may_name_is_left_behind(tag: str) -> None:
    service = a_service_with(tag, "1")

    service.provisioning.profiles.rename(tag, "t1")

    assert {key.tag for key in service.tables.rows} == {"t1"}


@pytest.mark.parametrize("tag", ["x" * 129, "a\0b", ""])
def test_no_row_gets_such_a_tag(tag: str) -> None:
    service = a_service_with("t1", "1")

    with pytest.raises(Invalid):
        service.provisioning.profiles.rename("t1", tag)
    assert service.audit == []


def test_secrets_alone_may_join_a_profile_and_a_profile_secrets() -> None:
    service = a_service_with("alice")
    service.has_secret("1", tag="Alice")

    assert not service.provisioning.profiles.rename("Alice", "alice").has_profile
    assert service.provisioning.secrets.show("alice", "1").id == "1"

    service.has(tag="bob")
    service.has_secret("1", tag="Bob")
    assert service.provisioning.profiles.rename("bob", "Bob").secrets == ()


def test_two_profiles_do_not_become_one() -> None:
    service = a_service_with("t1")
    service.has(tag="t2")

    with pytest.raises(Conflict, match="there is a profile 't2' already"):
        service.provisioning.profiles.rename("t1", "t2")
    assert len(service.tables.rows) == 2


def test_no_secret_is_written_over() -> None:
    service = a_service_with("t1", "1")
    service.has_secret("1", tag="t2")

    with pytest.raises(Conflict, match="'t2' has a secret '1' already"):
        service.provisioning.profiles.rename("t1", "t2")
    assert Key(Table.SECRETS, "t1", "1") in service.tables.rows


def test_what_somebody_changes_meanwhile_is_not_lost() -> None:
    service = a_service_with("t1", "1")
    service.tables.before_write = lambda: service.has_secret("1", tag="t1", end_ts=NOW)

    with pytest.raises(Conflict, match=r"changed a row of .* meanwhile, so nothing was done"):
        service.provisioning.profiles.rename("t1", "t2")
    assert {key.tag for key in service.tables.rows} == {"t1"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("disabled", True, id="disabled"),
        pytest.param("tokens_valid_after", NOW, id="all tokens revoked"),
        pytest.param("sip_domain", "example.com", id="given a domain"),
        pytest.param("caller", "Alice", id="given a credential"),
    ],
)
def test_what_somebody_adds_to_a_profile_meanwhile_is_not_lost(column: str, value: object) -> None:
    """The profile had no such column when it was read: a disabled user would log in again under the new tag."""
    service = a_service(credentials=(Credential("caller", "caller"),))
    service.has(tag="t1")
    service.tables.before_write = lambda: service.has(tag="t1", **{column: value})

    with pytest.raises(Conflict, match=r"changed a row of .* meanwhile, so nothing was done"):
        service.provisioning.profiles.rename("t1", "t2")
    assert service.tables.rows == {Key(Table.PROFILES, "t1"): natural({"sip_username": "alice", column: value})}


def test_what_somebody_adds_to_a_secret_meanwhile_is_not_lost() -> None:
    service = a_service_with("t1", "1")
    service.tables.before_write = lambda: service.has_secret("1", tag="t1", secret=f"{HMAC_KEY} 1", kid="k")

    with pytest.raises(Conflict, match="meanwhile"):
        service.provisioning.profiles.rename("t1", "t2")
    assert service.secret("1", tag="t1")["kid"] == "k"


def test_secrets_do_not_join_somebody_who_becomes_an_issuer_meanwhile() -> None:
    """A tag holds an issuer or secrets, never both."""
    service = a_service()
    service.has_secret("1", tag="t1")
    service.tables.before_write = lambda: service.tables.write_row(Key(Table.PROFILES, "t2"), {"issuer_config": "{}"})

    with pytest.raises(Conflict, match="'t2' is an issuer"):
        service.provisioning.profiles.rename("t1", "t2")
    assert Key(Table.SECRETS, "t1", "1") in service.tables.rows
    assert service.actions == []


def test_nothing_and_the_same_have_no_other_tag() -> None:
    service = a_service_with("t1")

    with pytest.raises(NotFound):
        service.provisioning.profiles.rename("t2", "t3")
    with pytest.raises(Invalid, match="the old one"):
        service.provisioning.profiles.rename("t1", "t1")


@pytest.mark.parametrize(("count", "fits"), [(49, True), (50, False)])
def test_as_many_secrets_move_as_one_write_holds(count: int, fits: bool) -> None:
    """That is a hundred rows: two of the profile, and two of each secret."""
    service = a_service_with("t1", *map(str, range(count)))
    if fits:
        assert len(service.provisioning.profiles.rename("t1", "t2").secrets) == count
    else:
        with pytest.raises(Invalid, match="one rename can move at most"):
            service.provisioning.profiles.rename("t1", "t2")


def test_rows_of_any_tag_can_be_deleted() -> None:
    service = a_service_with("a\0b", "1")

    assert service.provisioning.profiles.secret_count("a\0b") == 1
    assert service.provisioning.profiles.delete("a\0b", forever=True) == 1
    assert not service.tables.rows


@pytest.mark.parametrize("tag", ["", "x" * 2049, "\ud800"])
def test_what_no_row_can_have_is_no_tag(tag: str) -> None:
    with pytest.raises(Invalid):
        a_service().provisioning.profiles.delete(tag)

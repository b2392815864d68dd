"""Profiles: created, shown, listed, changed, disabled and deleted, with nothing lost and nothing half done."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Fault, Invalid, NotFound, Outdated, Reason, Unreachable
from auth_jwt.issuers.models import DOMAIN_OF, domain_tag
from auth_jwt.models import Columns
from auth_jwt.provisioning.audit import WriteOutcome
from auth_jwt.provisioning.changes import MISSING, Key, Table
from auth_jwt.provisioning.profiles import Profiles
from auth_jwt.provisioning.secrets import NewSecret
from tests.factories import HMAC_KEY, TAG, a_token
from tests.fakes import MemoryTables, natural
from tests.service import a_service

PROFILE = Key(Table.PROFILES, TAG)


def test_a_new_user_logs_in_by_one_call() -> None:
    """Profile and first secret are one write, so there is no moment with half of it."""
    service = a_service()

    created = service.provisioning.profiles.create(TAG, "alice", secret=NewSecret(value=HMAC_KEY))

    assert created.profile.sip_username == "alice"
    assert created.secret is not None
    assert created.secret.secret.id == "1"
    assert service.verdict(a_token(jti="a")) is None
    assert service.actions == ["profile.create"]


def test_the_value_of_a_generated_first_secret_is_returned() -> None:
    service = a_service()

    created = service.provisioning.profiles.create(TAG, "alice", secret=NewSecret())

    assert created.secret is not None
    assert created.secret.generated is not None
    assert service.verdict(a_token(key=created.secret.generated, jti="a")) is None


def test_a_profile_holds_what_it_was_given() -> None:
    service = a_service(columns=Columns(username="user", domain="realm"))

    service.provisioning.profiles.create(TAG, "alice", domain="example.org", attributes={"level": 3, "vip": True})

    assert service.tables.rows[PROFILE] == {"user": "alice", "realm": "example.org", "level": Decimal(3), "vip": True}
    profile = service.provisioning.profiles.show(TAG)
    assert (profile.sip_username, profile.sip_domain, profile.disabled) == ("alice", "example.org", False)
    assert profile.attributes == {"level": Decimal(3), "vip": True}


def test_a_profile_may_begin_disabled() -> None:
    service = a_service()

    service.provisioning.profiles.create(TAG, "alice", disabled=True, secret=NewSecret(value=HMAC_KEY))

    assert service.verdict(a_token(jti="a")) is Reason.DISABLED_PROFILE


def test_creating_the_same_profile_again_changes_nothing() -> None:
    """Whoever lost the answer may ask again."""
    service = a_service()
    first = service.provisioning.profiles.create(TAG, "alice", attributes={"level": 3})

    assert service.provisioning.profiles.create(TAG, "alice", attributes={"level": 3}) == first
    assert service.actions == ["profile.create"]


def test_creating_the_same_profile_and_secret_again_changes_nothing() -> None:
    service = a_service()
    first = service.provisioning.profiles.create(TAG, "alice", secret=NewSecret(value=HMAC_KEY))

    assert service.provisioning.profiles.create(TAG, "alice", secret=NewSecret(value=HMAC_KEY)) == first
    with pytest.raises(Conflict):
        service.provisioning.profiles.create(TAG, "alice", secret=NewSecret(value=f"{HMAC_KEY}, another"))
    assert service.actions == ["profile.create"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"username": "bob"}, id="another user"),
        pytest.param({"username": "alice", "attributes": {"level": 4}}, id="another attribute"),
        pytest.param({"username": "alice", "attributes": {"level": 1, "vip": 1}}, id="a number for true"),
        pytest.param({"username": "alice", "secret": NewSecret(value=HMAC_KEY)}, id="a secret with it"),
        pytest.param({"username": "alice", "secret": NewSecret()}, id="a secret to be made with it"),
    ],
)
def test_a_profile_that_exists_is_not_replaced(other: dict[str, Any]) -> None:
    service = a_service()
    service.provisioning.profiles.create(TAG, "alice", attributes={"level": 1, "vip": True})
    before = dict(service.tables.rows)

    with pytest.raises(Conflict, match="already"):
        service.provisioning.profiles.create(TAG, **other)

    assert service.tables.rows == before


def test_a_secret_left_by_an_earlier_profile_is_not_replaced() -> None:
    service = a_service()
    service.has_secret("1")

    with pytest.raises(Conflict, match="secret '1' already"):
        service.provisioning.profiles.create(TAG, "alice", secret=NewSecret())

    assert PROFILE not in service.tables.rows


@pytest.mark.parametrize(
    ("tag", "username", "attributes", "message"),
    [
        pytest.param("", "alice", {}, "1 to 128", id="no tag"),
        pytest.param("x" * 129, "alice", {}, "1 to 128", id="a tag that no token can name"),
        pytest.param("a\0b", "alice", {}, "NUL", id="a NUL, which no token may hold"),
        pytest.param("\ud800", "alice", {}, "Unicode", id="half a character"),
        pytest.param("t", "", {}, "username is empty", id="no username"),
        pytest.param("t", "alice", {"": 1}, "column is empty", id="a column without a name"),
        pytest.param("t", "alice", {"x" * 256: 1}, "255 bytes", id="a column's name too long"),
        pytest.param("t", "alice", {"x" * 254 + "é": 1}, "255 bytes", id="in bytes"),
        pytest.param("t", "alice", {"sip_username": "b"}, "option of its own", id="a column with a meaning"),
        pytest.param("t", "alice", {"level": ""}, "leave it out", id="empty text"),
        pytest.param("t", "alice", {"level": 1.5}, "neither", id="a float"),
        pytest.param("t", "alice", {"level": 10**38 + 1}, "cannot store", id="39 digits"),
        pytest.param("t", "alice", {"level": Decimal("1E+126")}, "cannot store", id="a number too large"),
        pytest.param("t", "alice", {"level": Decimal("NaN")}, "cannot store", id="no number at all"),
        pytest.param("t", "alice", {"level": ["a"]}, "neither", id="a list"),
        pytest.param("t", "alice", {"level": "x" * 400_000}, "more than", id="more than a row holds"),
    ],
)
def test_what_would_not_work_is_refused(tag: str, username: str, attributes: dict[str, Any], message: str) -> None:
    service = a_service()

    with pytest.raises(Invalid, match=message):
        service.provisioning.profiles.create(tag, username, attributes=attributes)

    assert (service.tables.rows, service.audit) == ({}, [])


@pytest.mark.parametrize(
    "number", [0, Decimal("0E+200"), -1, 10**38 - 1, Decimal("1E+125"), Decimal("-1E-125"), 10**40]
)
def test_a_number_that_dynamodb_holds_is_taken(number: int | Decimal) -> None:
    service = a_service()

    profile = service.provisioning.profiles.create(TAG, "alice", attributes={"level": number}).profile

    assert profile.attributes == {"level": Decimal(number)}


def test_the_longest_name_of_a_column_is_255_bytes() -> None:
    service = a_service()

    assert service.provisioning.profiles.create(TAG, "alice", attributes={"x" * 255: 1}).profile.attributes


@pytest.mark.parametrize(("size", "fits"), [(128, True), (129, False)])
def test_the_longest_tag_is_the_one_a_token_can_name(size: int, fits: bool) -> None:
    service = a_service()
    try:
        service.provisioning.profiles.create("x" * size, "alice")
    except Invalid:
        assert not fits
    else:
        assert fits


def test_only_what_is_given_changes() -> None:
    service = a_service()
    service.has(sip_domain="example.org", level=3, other="theirs")

    service.provisioning.profiles.change(TAG, username="bob", domain=MISSING, attributes={"level": None, "vip": True})

    assert service.tables.rows[PROFILE] == {"sip_username": "bob", "other": "theirs", "vip": True}


@pytest.mark.parametrize("disabled", [True, False])
def test_a_profile_is_disabled_or_enabled_along_with_other_changes(disabled: bool) -> None:
    service = a_service()
    service.has(disabled=not disabled)

    assert service.provisioning.profiles.change(TAG, username="bob", disabled=disabled).disabled is disabled


def test_what_a_profile_holds_is_in_no_repr() -> None:
    service = a_service()

    assert "4711" not in repr(service.provisioning.profiles.create(TAG, "alice", attributes={"pin": "4711"}))


def test_changing_nothing_is_a_mistake() -> None:
    service = a_service()
    service.has()

    with pytest.raises(Invalid, match="no change is given"):
        service.provisioning.profiles.change(TAG)


def test_a_change_by_version_needs_that_version() -> None:
    service = a_service()
    service.has(level=3)
    profiles = service.provisioning.profiles
    version = profiles.show(TAG).version

    changed = profiles.change(TAG, username="bob", if_version=version)

    assert changed.version != version
    with pytest.raises(Outdated):
        profiles.change(TAG, username="carol", if_version=version)
    assert profiles.show(TAG).sip_username == "bob"


@pytest.mark.parametrize("column", ["level", "zone"])  # on both sides of the tag, by the alphabet
def test_no_update_is_lost_between_look_and_write(column: str) -> None:
    service = a_service()
    service.tables.write_row(PROFILE, {"sip_username": "alice", column: 3})
    version = service.provisioning.profiles.show(TAG).version
    service.tables.before_write = lambda: service.tables.write_row(PROFILE, {"sip_username": "alice", column: 4})

    with pytest.raises(Outdated, match="meanwhile"):
        service.provisioning.profiles.change(TAG, username="bob", if_version=version)

    assert service.tables.rows[PROFILE] == {"sip_username": "alice", column: Decimal(4)}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda profiles, version: profiles.change(TAG, username="bob", if_version=version), id="change"),
        pytest.param(lambda profiles, version: profiles.enable(TAG, if_version=version), id="enable"),
        pytest.param(lambda profiles, version: profiles.delete(TAG, if_version=version), id="delete"),
    ],
)
@pytest.mark.parametrize(
    ("column", "value"), [("disabled", True), ("tokens_valid_after", 1_800_000_000), ("sip_domain", "example.com")]
)
def test_a_column_that_is_added_between_look_and_write_makes_another_version(
    operation: Callable[[Profiles, str], object], column: str, value: object
) -> None:
    """The row had no such column at the version that the operator names."""
    service = a_service()
    service.has()
    version = service.provisioning.profiles.show(TAG).version
    service.tables.before_write = lambda: service.tables.write_row(PROFILE, {"sip_username": "alice", column: value})

    with pytest.raises(Outdated):
        operation(service.provisioning.profiles, version)

    assert service.tables.rows == {PROFILE: natural({"sip_username": "alice", column: value})}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda profiles: profiles.change(TAG, username="bob"), id="change"),
        pytest.param(lambda profiles: profiles.disable(TAG), id="disable"),
        pytest.param(lambda profiles: profiles.enable(TAG), id="enable"),
        pytest.param(lambda profiles: profiles.switch(TAG, disabled=True), id="switch"),
    ],
)
@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(lambda tables: tables.rows.pop(PROFILE), id="deleted"),
        pytest.param(lambda tables: tables.write_row(PROFILE, {"issuer_config": "{}"}), id="an issuer's by now"),
    ],
)
def test_a_profile_that_is_gone_between_look_and_write_does_not_come_back(
    operation: Callable[[Profiles], object], meanwhile: Callable[[MemoryTables], object]
) -> None:
    """DynamoDB makes a row of an update without a condition, and a deleted user would log in again."""
    service = a_service()
    service.has()
    service.tables.before_write = lambda: meanwhile(service.tables)

    with pytest.raises(NotFound, match=TAG):
        operation(service.provisioning.profiles)

    assert "sip_username" not in service.tables.rows.get(PROFILE, {})
    assert "disabled" not in service.tables.rows.get(PROFILE, {})
    assert service.actions == []


def test_of_a_profile_that_is_gone_there_is_no_other_version() -> None:
    service = a_service()
    service.has()
    version = service.provisioning.profiles.show(TAG).version
    service.tables.before_write = lambda: service.tables.rows.pop(PROFILE)

    with pytest.raises(NotFound):
        service.provisioning.profiles.change(TAG, username="bob", if_version=version)


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ({"level": 1}, {"level": "1"}),
        ({"level": 1}, {"level": 2}),
        ({"level": 1}, {}),
        ({"vip": True}, {"vip": "True"}),
    ],
)
def test_whatever_a_column_holds_is_in_the_version(row: dict[str, Any], other: dict[str, Any]) -> None:
    one, another = a_service(), a_service()
    one.has(**row)
    another.has(**other)

    assert one.provisioning.profiles.show(TAG).version != another.provisioning.profiles.show(TAG).version


def test_a_disabled_profile_is_refused_until_it_is_enabled() -> None:
    service = a_service()
    service.has()
    service.has_secret()
    token = a_token(jti="a")

    assert service.provisioning.profiles.disable(TAG).disabled
    assert service.verdict(token) is Reason.DISABLED_PROFILE
    assert not service.provisioning.profiles.enable(TAG).disabled
    assert service.verdict(token) is None
    assert service.actions == ["profile.disable", "profile.enable"]
    assert not any(entry.details for entry in service.audit)


@pytest.mark.parametrize("disabled", [True, False])
def test_a_profile_is_switched_only_if_it_is_not_so_already(disabled: bool) -> None:
    service = a_service()
    service.has() if disabled else service.has(disabled=True)

    assert service.provisioning.profiles.switch(TAG, disabled=disabled) is True
    assert service.provisioning.profiles.switch(TAG, disabled=disabled) is False
    assert service.provisioning.profiles.show(TAG).disabled is disabled
    assert service.actions == ["profile.disable" if disabled else "profile.enable"]


def test_nothing_is_done_to_a_profile_that_is_not_there() -> None:
    service = a_service()
    profiles = service.provisioning.profiles

    for attempt in (
        lambda: profiles.show(TAG),
        lambda: profiles.change(TAG, username="bob"),
        lambda: profiles.change(TAG, username="bob", if_version="some"),
        lambda: profiles.disable(TAG),
        lambda: profiles.enable(TAG),
        lambda: profiles.delete(TAG),
    ):
        with pytest.raises(NotFound, match=TAG):
            attempt()

    assert (service.tables.rows, service.audit) == ({}, [])


def test_a_profile_goes_with_all_its_secrets() -> None:
    """Of more than fit into one write, too; the profile goes first, which ends every login."""
    service = a_service()
    service.has()
    service.has(tag="other")
    for number in range(250):
        service.has_secret(str(number))
    service.has_secret("1", tag="other")

    assert service.provisioning.profiles.delete(TAG, forever=True) == 250

    assert sorted(key.tag for key in service.tables.rows) == ["other", "other"]
    assert service.actions == ["profile.delete"] * 3


def test_what_an_interrupted_deletion_left_goes_at_the_next_attempt() -> None:
    service = a_service()
    service.has_secret()

    assert service.provisioning.profiles.delete(TAG, forever=True) == 1

    assert service.tables.rows == {}


def test_a_secret_added_meanwhile_goes_too() -> None:
    """Left behind, it would be trusted again by whoever gets the tag next."""
    service = a_service()
    service.has()
    service.tables.before_write = lambda: service.has_secret("late")

    assert service.provisioning.profiles.delete(TAG, forever=True) == 1

    assert service.tables.rows == {}


def test_a_profile_created_while_another_is_deleted_keeps_its_secret() -> None:
    service = a_service()
    service.has()
    for number in range(99):
        service.has_secret(str(number))
    service.has_secret("left")

    def wait_for_the_second_write() -> None:
        service.tables.before_write = create_anew

    def create_anew() -> None:
        service.has()
        service.has_secret("new")

    service.tables.before_write = wait_for_the_second_write

    with pytest.raises(Conflict, match="while the old one was deleted"):
        service.provisioning.profiles.delete(TAG, forever=True)

    assert {key.id for key in service.tables.rows} == {None, "left", "new"}


def test_a_deletion_by_version_needs_that_version() -> None:
    service = a_service()
    service.has(level=3)
    service.has_secret()
    version = service.provisioning.profiles.show(TAG).version
    service.has(level=4)

    with pytest.raises(Outdated):
        service.provisioning.profiles.delete(TAG, if_version=version)

    assert len(service.tables.rows) == 2


def test_a_page_goes_on_where_the_last_one_ended() -> None:
    service = a_service()
    for tag in "abcde":
        service.has(tag=tag)
    profiles = service.provisioning.profiles

    first = profiles.page(limit=2)
    second = profiles.page(limit=2, after=first.next)
    third = profiles.page(limit=2, after=second.next)

    assert [profile.tag for page in (first, second, third) for profile in page.profiles] == list("abcde")
    assert third.next is None


def test_a_page_has_a_hundred_profiles_unless_it_is_said() -> None:
    service = a_service()
    for number in range(101):
        service.has(tag=str(number))

    assert len(service.provisioning.profiles.page().profiles) == 100


@pytest.mark.parametrize(("limit", "fits"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_a_page_has_bounds(limit: int, fits: bool) -> None:
    service = a_service()
    if fits:
        assert service.provisioning.profiles.page(limit=limit).profiles == ()
    else:
        with pytest.raises(Invalid, match="1 to 100"):
            service.provisioning.profiles.page(limit=limit)


WHAT_IS_THERE = len("sip_username") + len("alice") + len("tag") + len(TAG) + len("note")


@pytest.mark.parametrize(("size", "fits"), [(350_000 - WHAT_IS_THERE, True), (350_001 - WHAT_IS_THERE, False)])
def test_all_columns_together_have_to_fit_into_a_row(size: int, fits: bool) -> None:
    service = a_service()
    service.has()
    if fits:
        service.provisioning.profiles.change(TAG, attributes={"note": "x" * size})
    else:
        with pytest.raises(Invalid, match="350001 bytes"):
            service.provisioning.profiles.change(TAG, attributes={"note": "x" * size})


@pytest.mark.parametrize(("size", "may_be_an_issuers"), [(2048, True), (2049, False)])
def test_a_domain_that_no_key_can_hold_is_no_issuers(size: int, may_be_an_issuers: bool) -> None:
    """DynamoDB would refuse to look it up."""
    service = a_service()
    domain = "x" * (size - len(domain_tag("")))
    service.tables.write_row(Key(Table.SECRETS, domain_tag(domain), "1"), {DOMAIN_OF: "https://issuer"})

    if may_be_an_issuers:
        with pytest.raises(Conflict, match="that of the issuer 'https://issuer'"):
            service.provisioning.profiles.create(TAG, "alice", domain=domain)
    else:
        assert service.provisioning.profiles.create(TAG, "alice", domain=domain).profile.sip_domain == domain


def test_a_username_has_to_fit_as_well() -> None:
    service = a_service()

    with pytest.raises(Invalid, match="bytes"):
        service.provisioning.profiles.create(TAG, "a" * 400_000)


@pytest.mark.parametrize(("size", "fits"), [(2048, True), (2049, False)])
def test_a_page_goes_on_from_what_can_be_a_key(size: int, fits: bool) -> None:
    service = a_service()
    if fits:
        assert service.provisioning.profiles.page(after="x" * size).profiles == ()
    else:
        with pytest.raises(Invalid, match="2048"):
            service.provisioning.profiles.page(after="x" * size)


def test_a_row_of_any_shape_can_be_shown() -> None:
    service = a_service()
    service.has(sip_username=7, sip_domain=7, disabled="no", tokens_valid_after="soon", data={"M": {}})

    profile = service.provisioning.profiles.show(TAG)

    assert (profile.sip_username, profile.sip_domain, profile.disabled) == (None, None, True)
    assert profile.tokens_valid_after == "soon"


def test_a_name_that_is_empty_is_none() -> None:
    service = a_service()
    service.has(sip_username="", sip_domain="")

    profile = service.provisioning.profiles.show(TAG)

    assert (profile.sip_username, profile.sip_domain) == (None, None)


def test_a_domain_that_is_empty_is_refused_where_it_is_given() -> None:
    service = a_service()
    service.has()

    with pytest.raises(Invalid, match="the domain is empty"):
        service.provisioning.profiles.create("t2", "bob", domain="")
    with pytest.raises(Invalid, match="the domain is empty"):
        service.provisioning.profiles.change(TAG, domain="")
    with pytest.raises(Invalid, match="the username is empty"):
        service.provisioning.profiles.change(TAG, username="")


@pytest.mark.parametrize("interruption", [Unreachable("no answer"), KeyboardInterrupt(), ValueError("half an answer")])
def test_a_write_whose_answer_was_lost_is_in_the_audit_as_unknown(interruption: BaseException) -> None:
    service = a_service()
    service.has()

    def interrupt() -> None:
        raise interruption

    service.tables.before_write = interrupt
    with pytest.raises(type(interruption)):
        service.provisioning.profiles.disable(TAG)

    assert [(entry.action, entry.outcome) for entry in service.audit] == [("profile.disable", WriteOutcome.UNKNOWN)]


def test_a_write_that_was_refused_did_not_happen() -> None:
    service = a_service()
    service.has()

    def refuse() -> None:
        raise Fault("AccessDeniedException")

    service.tables.before_write = refuse
    with pytest.raises(Fault):
        service.provisioning.profiles.disable(TAG)

    assert service.audit == []


def test_the_audit_names_columns_and_never_what_they_hold() -> None:
    service = a_service()
    service.provisioning.profiles.create(TAG, "the-user", attributes={"pin": "4711"}, secret=NewSecret(value=HMAC_KEY))
    service.provisioning.profiles.change(TAG, attributes={"pin": "4712"})

    lines = [entry.as_line() for entry in service.audit]

    assert [entry.details.get("columns") for entry in service.audit] == [["pin", "sip_username"], ["pin"]]
    assert not any(value in line for line in lines for value in ("4711", "4712", HMAC_KEY, "the-user"))
    assert all('"actor": "operator"' in line and f'"tag": "{TAG}"' in line for line in lines)

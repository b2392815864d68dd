"""What all operations share: which values they take, by bounds in pairs, and what a write leaves in the audit log."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from auth_jwt.credentials import Credential
from auth_jwt.errors import Fault, Invalid, Unreachable
from auth_jwt.provisioning.changes import ABSENT, MISSING, Key, Overtaken, Put, Table
from auth_jwt.provisioning.registry import (
    MAX_KEY_BYTES,
    check_key,
    check_profile_tag,
    check_tag,
    check_text,
    check_time,
    version_of,
)
from auth_jwt.provisioning.tombstones import TOMBSTONES_TAG
from tests.factories import NOW, TAG
from tests.issuers import ISSUER
from tests.service import a_service


@pytest.mark.parametrize("seconds", [0, 99_999_999_999])
def test_a_time_is_taken_from_1970_to_the_last_that_is_not_in_milliseconds(seconds: int) -> None:
    assert check_time("the end", seconds) == seconds


@pytest.mark.parametrize("seconds", [-1, 100_000_000_000])
def test_no_other_number_is_a_time(seconds: int) -> None:
    with pytest.raises(Invalid, match="the end is in UNIX seconds"):
        check_time("the end", seconds)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (check_tag, "t"),
        (check_tag, "\u00e4" * 128),
        (check_profile_tag, "t" * 128),
        (check_profile_tag, f"{ISSUER}#{'s' * 200}"),
        (check_key, "t"),
        (check_key, "\u00e4" * (MAX_KEY_BYTES // 2)),
        (check_key, "a\0b"),
    ],
)
def test_a_tag_is_taken_as_it_is(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "text", "told"),
    [
        (check_tag, "", "1 to 128 characters, this one 0"),
        (check_tag, "t" * 129, "1 to 128 characters, this one 129"),
        (check_tag, "a\0b", "the tag holds a NUL"),
        (check_tag, "\ud800", "the tag is not valid Unicode"),
        (check_profile_tag, "t" * 129, "1 to 128 characters, this one 129"),
        (check_profile_tag, f"{ISSUER}#a\0b", "^the tag holds a NUL"),
        (check_key, "", "1 to 2048 bytes, this one 0"),
        (check_key, "\u00e4" * (MAX_KEY_BYTES // 2) + "a", "1 to 2048 bytes, this one 2049"),
        (check_key, "\ud800", "the tag is not valid Unicode"),
        (check_key, TOMBSTONES_TAG, "where deleted profiles are kept"),
        (lambda text: check_text("the name", text), "", "the name is empty"),
    ],
)
def test_no_row_can_have_another(check: Callable[[str], str], text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        check(text)


def test_the_version_of_a_row_changes_with_a_value_and_its_type_and_with_nothing_else() -> None:
    version = version_of({"tag": TAG, "quota": "1"})

    assert version_of({"quota": "1", "tag": TAG}) == version
    assert version not in {version_of({"tag": TAG, "quota": value}) for value in ("2", 1, True)}
    assert version != version_of({"tag": TAG})


@pytest.mark.parametrize(
    ("failure", "outcomes"),
    [(None, ["done"]), (Unreachable("no answer"), ["unknown"]), (Fault("no permission"), [])],
)
def test_a_write_is_told_unless_it_certainly_did_not_happen(failure: Fault | None, outcomes: list[str]) -> None:
    service = a_service()
    service.tables.failure = failure

    with nullcontext() if failure is None else pytest.raises(type(failure)):
        service.provisioning.registry.write("action", TAG, Put(Key(Table.PROFILES, TAG), {}), id="1")

    assert [entry.outcome for entry in service.audit] == outcomes
    assert [(entry.at, entry.action, entry.tag, entry.id, entry.details) for entry in service.audit] == [
        (NOW, "action", TAG, "1", {}) for _ in outcomes
    ]


def test_what_a_login_reads_of_a_row_must_still_be_as_it_was_read_even_what_is_missing() -> None:
    """Else a write would overwrite what somebody has just added."""
    registry = a_service(credentials=(Credential("pin", "voicemail_pin"),)).provisioning.registry
    profile = {"tag": TAG, "sip_username": "alice", "floor": "3"}
    secret = {"corresponding_tag": TAG, "id": "1", "secret": "s"}

    assert registry.as_read(Table.PROFILES, profile).columns == {
        "sip_username": "alice",
        "floor": "3",
        **dict.fromkeys(("sip_domain", "disabled", "tokens_valid_after", "issuer_config", "voicemail_pin"), MISSING),
    }
    assert registry.as_read(Table.SECRETS, secret).columns == {
        "secret": "s",
        **dict.fromkeys(("start_ts", "end_ts", "alg", "kid"), MISSING),
    }


def test_a_write_that_somebody_else_stopped_is_not_told() -> None:
    service = a_service()
    service.has()

    with pytest.raises(Overtaken):
        service.provisioning.registry.write("action", TAG, Put(Key(Table.PROFILES, TAG), {}, ABSENT))
    assert service.audit == []

"""A deleted profile leaves a tombstone: nobody logs in by it, and for thirty days it can be restored."""

from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Denied, Invalid, NotFound, Outdated, Reason
from auth_jwt.issuers.models import KEYS_ROW
from auth_jwt.jose.tokens import MAX_TAG_CHARACTERS, unverified_tag
from auth_jwt.models import Columns, Row, Secret
from auth_jwt.provisioning.changes import Change, Delete, Key, Put, Table
from auth_jwt.provisioning.endings import columns_of_windows, ending_of, find_endings
from auth_jwt.provisioning.tombstones import (
    CONTENT_TAG,
    KEPT_SECONDS,
    MAX_ROW_BYTES,
    TOMBSTONES_TAG,
    Tombstone,
    is_no_secret,
    new_id,
    size_of,
)
from tests.factories import HMAC_KEY, TAG, a_token
from tests.service import Service, a_service

DAY = 86400
PROFILE = Key(Table.PROFILES, TAG)


def live(service: Service) -> dict[Key, dict[str, object]]:
    """The rows that are no tombstones."""
    return {key: row for key, row in service.tables.rows.items() if len(key.tag) <= MAX_TAG_CHARACTERS}


def kept(service: Service) -> list[Key]:
    return [key for key in service.tables.rows if len(key.tag) > MAX_TAG_CHARACTERS]


def a_service_with_a_profile(secrets: int = 1, **columns: Any) -> Service:
    service = a_service()
    service.has(**columns)
    for number in range(secrets):
        service.has_secret(str(number))
    return service


@pytest.mark.parametrize("secrets", [0, 1, 3, 86, 87, 250])
def test_what_is_deleted_can_be_restored_as_it_was(secrets: int) -> None:
    service = a_service_with_a_profile(secrets, level=3, vip=True, odd={"L": [{"B": b"\x00"}]}, nothing=None)
    before = live(service)

    assert service.provisioning.profiles.delete(TAG) == secrets
    assert live(service) == {}

    restored = service.provisioning.profiles.restore(TAG)

    assert (restored.has_profile, len(restored.secrets)) == (True, secrets)
    assert service.tables.rows == before


def test_a_deletion_and_a_restore_are_one_write_each() -> None:
    service = a_service_with_a_profile(2)

    service.provisioning.profiles.delete(TAG)
    service.provisioning.profiles.restore(TAG)

    assert service.actions == ["profile.delete", "profile.restore"]
    assert service.audit[0].details == {"secrets": ["0", "1"], "kept_until": service.audit[0].at + 30 * DAY}
    assert service.audit[1].details == {"secrets": ["0", "1"]}


@pytest.mark.parametrize(("secrets", "writes"), [(99, 1), (100, 2)])
def test_a_profile_goes_for_good_with_as_many_secrets_as_one_write_holds(secrets: int, writes: int) -> None:
    service = a_service_with_a_profile(secrets)

    service.provisioning.profiles.delete(TAG, forever=True)

    assert service.actions == ["profile.delete"] * writes


@pytest.mark.parametrize(
    ("secrets", "is_one"),
    [pytest.param(96, True, id="a hundred rows"), pytest.param(97, False, id="a row more")],
)
def test_a_restore_is_one_write_if_that_holds_it(secrets: int, is_one: bool) -> None:
    """Beside the secrets, these are the profile, the tombstone, and the two rows in which its deletion kept them."""
    service = a_service_with_a_profile(secrets)
    before = live(service)
    service.provisioning.profiles.delete(TAG)
    service.audit.clear()

    service.provisioning.profiles.restore(TAG)

    restored = [entry for entry in service.audit if entry.action == "profile.restore"]
    assert (service.audit == restored and len(restored) == 1) is is_one
    assert sorted(name for entry in restored for name in entry.details["secrets"]) == sorted(map(str, range(secrets)))
    assert service.tables.rows == before


def test_no_write_is_larger_than_dynamodb_takes() -> None:
    """A transaction has at most 4 MB, and what is deleted counts."""
    service = a_service_with_a_profile(0, note="x" * 300_000)
    for number in range(40):
        service.has_secret(str(number), secret="x" * 99_000)
    before, sizes, write = live(service), list[int](), service.tables.write

    def measure(*changes: Change) -> None:
        gone = [service.tables.rows.get(change.key, {}) for change in changes if isinstance(change, Delete)]
        come = [change.columns for change in changes if isinstance(change, Put)]
        sizes.append(sum(len(str(row)) for row in (*gone, *come)))
        write(*changes)

    service.tables.write = measure  # type: ignore[method-assign]
    service.provisioning.profiles.delete(TAG)
    service.provisioning.profiles.restore(TAG)

    assert max(sizes) < 4_000_000
    assert service.tables.rows == before


def test_a_token_lets_nobody_in_while_its_profile_is_deleted() -> None:
    service = a_service_with_a_profile()
    token = a_token(jti="a")
    assert service.verdict(token) is None

    service.provisioning.profiles.delete(TAG)
    assert service.verdict(token) is Reason.UNKNOWN_TAG

    service.provisioning.profiles.restore(TAG)
    assert service.verdict(token) is None


def test_no_token_can_name_a_tombstone() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)

    for tag in {key.tag for key in kept(service)}:
        with pytest.raises(Denied):
            unverified_tag({"tag": tag}, "tag")
        rows = service.tables.secrets(tag)
        assert all(is_no_secret(row, service.tables.columns) for row in rows)
        assert all(Secret.from_row(row, service.tables.columns).stored is None for row in rows)
        assert ending_of(tag, [Secret.from_row(row, service.tables.columns) for row in rows], 0, 10**12) is None


def test_the_daily_check_finds_no_tombstone_and_reads_none_of_its_content() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)

    for days in (0, 31):
        service.clock.pass_by(days * DAY)
        found = find_endings(service.tables, service.tables.columns, now=service.clock(), within=40 * DAY)
        assert (found.soon, found.ended, found.more_soon, found.more_ended) == ([], [], 0, 0)
    columns = {name for key in kept(service) for name in service.tables.rows[key]}
    assert columns & set(columns_of_windows(service.tables.columns)) == {"end_ts"}


def test_nobody_gets_at_a_tombstone_as_if_it_were_a_profile() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    profiles, secrets = service.provisioning.profiles, service.provisioning.secrets
    before = dict(service.tables.rows)

    for tag in {key.tag for key in kept(service)}:
        for attempt in (
            lambda tag=tag: profiles.delete(tag, forever=True),
            lambda tag=tag: profiles.rename(tag, "other"),
            lambda tag=tag: profiles.create(tag, "mallory"),
            lambda tag=tag: secrets.list(tag),
        ):
            with pytest.raises(Invalid):
                attempt()

    assert service.tables.rows == before


@pytest.mark.parametrize(
    ("seconds", "is_kept"),
    [pytest.param(KEPT_SECONDS - 1, True, id="just in time"), pytest.param(KEPT_SECONDS, False, id="just too late")],
)
def test_it_is_kept_for_thirty_days(seconds: int, is_kept: bool) -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)

    service.clock.pass_by(seconds)

    assert [each.tag for each in service.provisioning.profiles.deleted()] == [TAG] * is_kept
    if is_kept:
        service.provisioning.profiles.restore(TAG)
    else:
        with pytest.raises(NotFound, match="can be restored"):
            service.provisioning.profiles.restore(TAG)


def test_deletions_remove_tombstones_whose_time_is_over() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    service.clock.pass_by(KEPT_SECONDS)
    service.has(tag="other")

    service.provisioning.profiles.delete("other")

    assert [each.tag for each in service.provisioning.profiles.deleted()] == ["other"]
    assert len(kept(service)) == 2
    assert service.actions == ["profile.delete", "profile.purge", "profile.delete"]


def test_a_deletion_removes_few_of_them_so_that_it_ends_soon() -> None:
    service = a_service()
    for tag in "abcde":
        service.has(tag=tag)
        service.provisioning.profiles.delete(tag)
    service.clock.pass_by(KEPT_SECONDS)
    service.has()

    service.provisioning.profiles.delete(TAG)

    assert service.actions.count("profile.purge") == 2


def test_a_list_of_tombstones_holds_no_value() -> None:
    service = a_service_with_a_profile(2)
    service.provisioning.profiles.delete(TAG)
    (listed,) = service.tables.secrets(TOMBSTONES_TAG)

    (tombstone,) = service.provisioning.profiles.deleted()

    assert (tombstone.tag, tombstone.secrets, tombstone.has_profile, tombstone.deleted_by) == (TAG, 2, True, "operator")
    assert not any(isinstance(value, dict) for value in listed.values())


def test_deleted_for_good_nothing_is_kept() -> None:
    service = a_service_with_a_profile()

    assert service.provisioning.profiles.delete(TAG, forever=True) == 1

    assert service.tables.rows == {}


def test_what_is_kept_of_a_deleted_profile_can_be_erased() -> None:
    service = a_service_with_a_profile()
    service.has(tag="other")
    service.provisioning.profiles.delete(TAG)
    service.provisioning.profiles.delete("other")

    assert service.provisioning.profiles.delete(TAG, forever=True) == 0

    assert [each.tag for each in service.provisioning.profiles.deleted()] == ["other"]
    with pytest.raises(NotFound):
        service.provisioning.profiles.delete(TAG, forever=True)


def test_of_secrets_without_a_profile_no_version_is_deleted() -> None:
    service = a_service_with_a_profile()
    version = service.provisioning.profiles.show(TAG).version
    del service.tables.rows[PROFILE]

    with pytest.raises(Outdated):
        service.provisioning.profiles.delete(TAG, if_version=version)

    assert len(live(service)) == 1


def test_secrets_that_keep_changing_are_told_instead_of_waited_for() -> None:
    service = a_service_with_a_profile(100)
    ends = iter(range(1, 99))

    def meanwhile() -> None:
        service.has_secret("99", end_ts=next(ends))
        service.tables.before_write = meanwhile

    service.tables.before_write = meanwhile
    with pytest.raises(Conflict, match="keep changing"):
        service.provisioning.profiles.delete(TAG, forever=True)

    assert [key.id for key in live(service)] == ["99"]


def test_what_is_kept_goes_without_being_read() -> None:
    """Only the keys of its rows are."""
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    secrets, read = service.tables.secrets, list[Row]()

    def note(tag: str, **how: Any) -> list[Row]:
        rows = secrets(tag, **how)
        read.extend(rows)
        return rows

    service.tables.secrets = note  # type: ignore[method-assign]
    service.provisioning.profiles.delete(TAG, forever=True)

    assert not any(isinstance(value, dict) for row in read for value in row.values())
    assert kept(service) == []


def test_of_several_the_last_one_is_restored() -> None:
    service = a_service_with_a_profile(1, level=1)
    service.provisioning.profiles.delete(TAG)
    service.clock.pass_by(1)
    service.has(level=2)
    service.provisioning.profiles.delete(TAG)

    service.provisioning.profiles.restore(TAG)

    assert service.provisioning.profiles.show(TAG).attributes["level"] == 2
    assert [each.secrets for each in service.provisioning.profiles.deleted()] == [1]


def test_a_new_profile_is_not_replaced() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    service.has(username="somebody else")
    before = dict(service.tables.rows)

    with pytest.raises(Conflict, match="there is a profile"):
        service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == before


def test_secrets_alone_do_not_join_a_new_profile() -> None:
    """Or their issuer would speak for its user."""
    service = a_service()
    service.has_secret("left")
    service.provisioning.profiles.delete(TAG)
    service.has(username="somebody else")

    with pytest.raises(Conflict):
        service.provisioning.profiles.restore(TAG)


def test_a_secret_that_is_there_again_is_not_replaced() -> None:
    service = a_service_with_a_profile(2)
    service.provisioning.profiles.delete(TAG)
    service.has_secret("0", kid="new")
    before = dict(service.tables.rows)

    with pytest.raises(Conflict, match="another secret '0'"):
        service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == before


def test_a_secret_that_was_closed_meanwhile_comes_back_closed() -> None:
    """What is kept is what was there last, whoever wrote it."""
    service = a_service_with_a_profile()
    end = Decimal(service.provisioning.registry.now())

    def close() -> None:
        service.tables.rows[Key(Table.SECRETS, TAG, "0")]["end_ts"] = end

    service.tables.before_write = close

    service.provisioning.profiles.delete(TAG)
    service.provisioning.profiles.restore(TAG)

    assert service.tables.rows[Key(Table.SECRETS, TAG, "0")]["end_ts"] == end


def test_a_profile_that_was_disabled_meanwhile_comes_back_disabled() -> None:
    service = a_service_with_a_profile()

    def disable() -> None:
        service.tables.rows[PROFILE]["disabled"] = True

    service.tables.before_write = disable

    service.provisioning.profiles.delete(TAG)
    service.provisioning.profiles.restore(TAG)

    assert service.provisioning.profiles.show(TAG).disabled


def test_what_is_erased_meanwhile_is_not_restored() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    service.tables.before_write = lambda: service.provisioning.profiles.delete(TAG, forever=True)

    with pytest.raises(Conflict, match="somebody erased what was kept of 't1' meanwhile"):
        service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == {}


def test_a_profile_that_is_made_meanwhile_is_not_replaced() -> None:
    service = a_service_with_a_profile()
    service.provisioning.profiles.delete(TAG)
    service.tables.before_write = lambda: service.has(sip_username="bob")

    with pytest.raises(Conflict, match="somebody wrote a row of 't1' meanwhile"):
        service.provisioning.profiles.restore(TAG)

    assert live(service) == {PROFILE: {"sip_username": "bob"}}


def test_an_interrupted_restore_goes_on_at_the_next_attempt() -> None:
    service = a_service_with_a_profile(150)
    before = live(service)
    service.provisioning.profiles.delete(TAG)
    write, writes = service.tables.write, []

    def stop_at_the_second(*changes: Any) -> None:
        writes.append(changes)
        if len(writes) == 2:
            raise KeyboardInterrupt
        write(*changes)

    service.tables.write = stop_at_the_second  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        service.provisioning.profiles.restore(TAG)
    assert PROFILE not in service.tables.rows, "nobody logs in before all of it is there"

    service.tables.write = write  # type: ignore[method-assign]
    service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == before


def test_large_secrets_are_kept_in_several_rows() -> None:
    service = a_service_with_a_profile(0)
    for number in range(9):
        service.has_secret(str(number), secret="x" * 99_000)
    before = live(service)

    service.provisioning.profiles.delete(TAG)
    content = [key for key in kept(service) if key.tag.startswith(CONTENT_TAG)]
    service.provisioning.profiles.restore(TAG)

    assert len(content) == 3
    assert service.tables.rows == before


def test_a_row_larger_than_others_has_one_of_its_own() -> None:
    service = a_service_with_a_profile(1, note="x" * 350_000)

    service.provisioning.profiles.delete(TAG)

    content = [row for key, row in service.tables.rows.items() if key.tag.startswith(CONTENT_TAG)]
    assert sorted(len(str(row)) > 350_000 for row in content) == [False, True]


def test_what_an_earlier_version_kept_can_be_restored() -> None:
    """These are rows as they lie in tables."""
    service = a_service()
    until = int(service.clock.now) + DAY
    columns = {"sip_username": {"S": "alice"}, "level": {"N": "3"}, "vip": {"BOOL": True}, "none": {"NULL": True}}
    secret = {"secret": {"S": HMAC_KEY}, "odd": {"L": [{"B": b"x"}]}}
    rows = [
        {"M": {"table": {"S": "profile"}, "id": {"S": ""}, "columns": {"M": columns}}},
        {"M": {"table": {"S": "secret"}, "id": {"S": "1"}, "columns": {"M": secret}}},
    ]
    of_list = {"deleted_tag": TAG, "deleted_at": until - DAY, "deleted_by": "op", "deleted_profile": True}
    service.tables.write_row(
        Key(Table.SECRETS, TOMBSTONES_TAG, new_id(until, "x")), {**of_list, "deleted_secrets": 1, "end_ts": until}
    )
    service.tables.write_row(
        Key(Table.SECRETS, CONTENT_TAG + new_id(until, "x"), "00000"),
        {"deleted_rows": {"L": rows}, "end_ts": until},
    )

    assert service.provisioning.profiles.deleted() == [
        Tombstone(new_id(until, "x"), TAG, until - DAY, "op", until, has_profile=True, secrets=1)
    ]
    service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == {
        PROFILE: {"sip_username": "alice", "level": Decimal(3), "vip": True, "none": None},
        Key(Table.SECRETS, TAG, "1"): {"secret": HMAC_KEY, "odd": {"L": [{"B": b"x"}]}},
    }
    service.provisioning.profiles.delete(TAG)
    (content,) = (row for key, row in service.tables.rows.items() if key.tag.startswith(CONTENT_TAG))
    assert content["deleted_rows"] == {"L": rows}


@pytest.mark.parametrize(
    ("row", "is_none"),
    [
        pytest.param({"corresponding_tag": TOMBSTONES_TAG}, True, id="of the list"),
        pytest.param({"corresponding_tag": f"{CONTENT_TAG}1-x"}, True, id="of the content"),
        pytest.param({"corresponding_tag": "alice", "id": "1"}, False, id="of a user"),
        pytest.param({"corresponding_tag": TOMBSTONES_TAG, "secret": "s"}, False, id="with a secret"),
        pytest.param({"corresponding_tag": "https://issuer", "id": KEYS_ROW}, True, id="of an issuer"),
        pytest.param({}, False, id="of nobody"),
    ],
)
def test_what_is_kept_and_what_issuers_need_is_no_secret(row: Row, is_none: bool) -> None:
    assert is_no_secret(row, Columns()) is is_none


def test_a_row_that_no_tombstone_can_keep_is_not_deleted() -> None:
    service = a_service_with_a_profile(0, note="x" * (MAX_ROW_BYTES + 1))

    with pytest.raises(Invalid, match="--forever"):
        service.provisioning.profiles.delete(TAG)

    assert PROFILE in service.tables.rows
    assert service.provisioning.profiles.delete(TAG, forever=True) == 0
    assert service.tables.rows == {}


@pytest.mark.parametrize(
    ("row", "bytes_at_least"),
    [
        pytest.param({"column": "x" * 10}, 6 + 10, id="text"),
        pytest.param({"é": "é" * 10}, 2 + 20, id="in bytes of UTF-8"),
        pytest.param({"\ud800": "\ud800" * 10}, 3 + 30, id="halves of characters"),
        pytest.param({"a": {"B": b"x" * 10}}, 1 + 3 + (1 + 1) + 10, id="octets"),
        pytest.param({"a": {"L": [{"S": "x" * 10}] * 5}}, 1 + 3 + 5 * (1 + 10), id="a list"),
        pytest.param({"a": {"M": {"é" * 10: {"S": "xy"}}}}, 1 + 3 + (20 + 1 + 2), id="a map"),
        pytest.param({"a": {"M": {"\ud800" * 10: {"S": "\ud800"}}}}, 1 + 3 + (30 + 1 + 3), id="a map of halves"),
        pytest.param({"a": {"SS": set("abcdefghij")}}, 1 + 10, id="a set"),
    ],
)
def test_a_row_counts_at_least_as_much_as_dynamodb_counts_it_in_a_tombstone(row: Row, bytes_at_least: int) -> None:
    """There it is a map: names and values, three octets for each list and map, and one for each member."""
    assert size_of(row) >= 3 + len(row) + bytes_at_least


@pytest.mark.parametrize(("size", "fits"), [(MAX_ROW_BYTES, True), (MAX_ROW_BYTES + 1, False)])
def test_the_largest_row_that_is_kept(size: int, fits: bool) -> None:
    row = {"a": "x" * (size - size_of({"a": ""}))}
    if fits:
        assert size_of(row) == size
    else:
        with pytest.raises(Invalid, match=f"a row has {size} bytes"):
            size_of(row)


def test_each_column_counts() -> None:
    assert size_of({"a": "x" * 5, "b": "y" * 5}) == 2 * size_of({"a": "x" * 5})


def test_a_domain_that_an_issuer_has_by_now_is_not_taken() -> None:
    service = a_service_with_a_profile(1, sip_domain="example.com")
    service.provisioning.profiles.delete(TAG)
    service.provisioning.issuers.add(
        "https://login.example.com/",
        {"keys_url": "https://login.example.com/keys", "audiences": ["sip"], "mapping": "claim",
         "username_claim": "sub", "sip_domain": "example.com"},
    )  # fmt: skip

    with pytest.raises(Conflict, match="SIP domain"):
        service.provisioning.profiles.restore(TAG)


def test_a_row_that_nobody_here_wrote_among_the_tombstones_stops_nothing() -> None:
    service = a_service_with_a_profile()
    service.has_secret("odd", tag=TOMBSTONES_TAG)

    assert service.provisioning.profiles.deleted() == []
    assert service.provisioning.profiles.delete(TAG) == 1
    assert [each.tag for each in service.provisioning.profiles.deleted()] == [TAG]


def test_a_row_that_nobody_here_wrote_in_a_tombstone_is_not_restored() -> None:
    service = a_service_with_a_profile()
    before = live(service)
    service.provisioning.profiles.delete(TAG)
    (content,) = {key.tag for key in kept(service) if key.tag.startswith(CONTENT_TAG)}
    service.has_secret("odd", tag=content)

    service.provisioning.profiles.restore(TAG)

    assert service.tables.rows == before


@pytest.mark.parametrize("until", ["odd", "", "\u0669" * 11, "-5", "1e12"])
def test_a_row_whose_id_tells_no_time_is_kept_until_none(until: str) -> None:
    service = a_service()
    service.has_secret(f"{until}-x", tag=TOMBSTONES_TAG)

    assert service.provisioning.profiles.deleted() == []


def test_of_a_row_that_nobody_here_wrote_what_it_lacks_is_empty() -> None:
    service = a_service()
    until = int(service.clock.now) + 5
    identifier = new_id(until, "x")
    service.has_secret(identifier, tag=TOMBSTONES_TAG)

    assert service.provisioning.profiles.deleted() == [
        Tombstone(identifier, tag="", deleted_at=0, deleted_by="", kept_until=until, has_profile=False, secrets=0)
    ]

"""Finding profiles: who is found by a condition and who is not, by an index and by a scan alike."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from auth_jwt.errors import Conflict, Fault, Invalid, Unreachable
from auth_jwt.issuers.models import CONFIGURATION
from auth_jwt.models import Columns, Row
from auth_jwt.provisioning.changes import Key, NoIndex, Page, ScannedPage, Table
from auth_jwt.provisioning.finding import MAX_PAGES, SEGMENTS, Finding, ProfileState, SipUser, Wanted
from auth_jwt.provisioning.inspection import fingerprint_of
from auth_jwt.provisioning.profiles import ProfileRecord
from tests.factories import HMAC_KEY, NOW, public_pem
from tests.service import Service, a_service


@pytest.fixture(name="service", params=[False, True], ids=["by a scan", "by an index"])
def _service(request: pytest.FixtureRequest) -> Service:
    """Tables without the index of usernames, and with it: what is found is the same."""
    service = a_service()
    service.tables.index = request.param
    return service


def found(service: Service, **conditions: Any) -> list[str]:
    """The tags of what is found, sorted; and pages give the same."""
    wanted = Wanted(**conditions)
    finding = Finding(service.provisioning.registry)
    tags = tags_of(finding.find(wanted))
    if wanted.fingerprint is None:
        assert tags_of(paged(finding, wanted, limit=1)) == tags
    return tags


def tags_of(records: Iterable[ProfileRecord]) -> list[str]:
    return sorted(record.tag for record in records)


def paged(finding: Finding, wanted: Wanted, limit: int) -> Iterable[ProfileRecord]:
    after: str | None = None
    while True:
        page = finding.page(wanted, after=after, limit=limit)
        assert len(page.profiles) <= limit
        yield from page.profiles
        after = page.next
        if after is None:
            return


def user(text: str) -> dict[str, Any]:
    return {"users": SipUser.readings(text)}


def test_a_page_judges_the_secrets_of_few_profiles_even_if_it_finds_none(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them costs a query of its own, and a request of the admin API has 25 seconds."""
    monkeypatch.setattr("auth_jwt.provisioning.finding.JUDGED_AT_ONCE", 5)
    tags = [f"u{number}" for number in range(7)]
    for tag in tags:
        service.has(tag=tag)
        service.has_secret(tag=tag)
    service.has(tag="z")
    asked: list[str] = []
    read = service.tables.secrets

    def counted(tag: str, **how: Any) -> list[Row]:
        asked.append(tag)
        return read(tag, **how)

    monkeypatch.setattr(service.tables, "secrets", counted)
    finding, wanted = Finding(service.provisioning.registry), Wanted(state=ProfileState.NO_USABLE_SECRET)

    first = finding.page(wanted)

    assert (len(asked), first.profiles) == (5, ())
    second = finding.page(wanted, after=first.next)
    assert (tags_of(second.profiles), second.next) == (["z"], None)
    assert sorted(asked) == [*tags, "z"]


# -- SIP users --------------------------------------------------------------------------------------------------------


def test_all_tags_of_a_user_are_found_and_nobody_elses(service: Service) -> None:
    for tag, username in (("alice-web", "alice"), ("alice-desk", "alice"), ("b", "Alice"), ("c", "alice2")):
        service.has(tag=tag, sip_username=username)

    assert found(service, **user("alice")) == ["alice-desk", "alice-web"]


def test_a_domain_is_compared_without_regard_to_case_and_an_absent_one_is_no_match(service: Service) -> None:
    for tag, domain in (("a", {"sip_domain": "Example.org"}), ("b", {"sip_domain": "example.com"}), ("c", {})):
        service.has(tag=tag, **domain)

    assert found(service, **user("alice@eXample.org")) == ["a"]
    assert found(service, domain="EXAMPLE.org") == ["a"]
    assert found(service, domain="EXAMPLE.com") == ["b"]
    assert found(service, users=(SipUser("alice", "example.com"),)) == ["b"]


def test_a_username_may_hold_an_at_itself(service: Service) -> None:
    service.has(tag="a", sip_username="alice@example.org")
    service.has(tag="b", sip_domain="example.org")
    service.has(tag="c", sip_username="alice@example.org", sip_domain="elsewhere")

    assert found(service, **user("alice@example.org")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("alice", (SipUser("alice"),)),
        ("sip:alice@example.org", (SipUser("alice", "example.org"), SipUser("alice@example.org"))),
        ("SIPS:alice", (SipUser("alice"),)),
        ("a@b@c", (SipUser("a@b", "c"), SipUser("a@b@c"))),
        ("@example.org", (SipUser("@example.org"),)),
        ("alice@", (SipUser("alice@"),)),
    ],
)
def test_what_somebody_copied_is_read_as_a_user(text: str, readings: tuple[SipUser, ...]) -> None:
    assert SipUser.readings(text) == readings


def test_a_user_of_many_tags_is_found_whole(service: Service) -> None:
    tags = [f"t{number:04}" for number in range(250)]
    for tag in tags:
        service.has(tag=tag)

    assert found(service, **user("alice")) == tags


def test_a_beginning_finds_users_by_a_scan(service: Service) -> None:
    service.has(tag="a", sip_username="alice")
    service.has(tag="b", sip_username="alina")
    service.has(tag="c", sip_username="bob")
    service.has(tag="d", sip_username=7)

    assert found(service, username_prefix="ali") == ["a", "b"]


# -- other conditions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "tags"),
    [
        (ProfileState.DISABLED, ["null", "number", "text", "true"]),
        (ProfileState.ENABLED, ["false", "plain", "zero"]),
    ],
)
def test_a_profile_is_disabled_as_the_service_sees_it(service: Service, state: ProfileState, tags: list[str]) -> None:
    values = {"true": True, "text": "no", "number": 1, "null": None, "false": False, "zero": 0}
    service.has(tag="plain")
    for tag, value in values.items():
        service.has(tag=tag, disabled=value)

    assert found(service, state=state) == tags


def test_revoked_tokens_are_a_state_with_whatever_value(service: Service) -> None:
    service.has(tag="a", tokens_valid_after=NOW)
    service.has(tag="b", tokens_valid_after=None)  # it revokes every token
    service.has(tag="c")

    assert found(service, state=ProfileState.TOKENS_REVOKED) == ["a", "b"]


def test_no_usable_secret(service: Service) -> None:
    """Nobody can log in: there is none, it is closed or not open yet, or its key is not readable."""
    for tag in ("good", "none", "closed", "future", "garbage", "one of two"):
        service.has(tag=tag)
    service.has_secret(tag="good")
    service.has_secret(tag="closed", end_ts=NOW)
    service.has_secret(tag="future", start_ts=NOW + 1)
    service.has_secret(tag="garbage", secret="-----BEGIN PUBLIC KEY-----")
    service.has_secret("1", tag="one of two", end_ts=NOW)
    service.has_secret("2", tag="one of two")

    assert found(service, state=ProfileState.NO_USABLE_SECRET) == ["closed", "future", "garbage", "none"]
    assert found(service, **user("alice"), state=ProfileState.NO_USABLE_SECRET) == [
        *("closed", "future", "garbage", "none")
    ]


def test_an_issuers_user_needs_no_secret(service: Service) -> None:
    service.has(tag="https://issuer.example.org#alice")

    assert found(service, state=ProfileState.NO_USABLE_SECRET) == []
    assert found(service, **user("alice")) == ["https://issuer.example.org#alice"]


def test_an_issuer_is_no_profile(service: Service) -> None:
    service.has(tag="https://issuer.example.org", **{CONFIGURATION: "{}"})

    assert found(service, **user("alice")) == []
    assert found(service, tag_prefix="https:") == []


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("20", ["number", "text"]),
        ("20.0", ["number"]),
        ("true", ["flag", "word"]),
        ("false", ["off"]),
        ("1", []),
        ("", None),
    ],
)
def test_an_attribute_is_found_by_its_text_whatever_its_type(
    service: Service, text: str, tags: list[str] | None
) -> None:
    values = {"text": "20", "number": 20, "flag": True, "off": False, "word": "true", "none": None}
    for tag, value in values.items():
        service.has(tag=tag, quota=value)

    if tags is None:
        with pytest.raises(Invalid, match="the column 'quota' is empty"):
            found(service, attributes={"quota": text})
    else:
        assert found(service, attributes={"quota": text}) == tags


@pytest.mark.parametrize("text", ["1e400", "1" * 50, "Infinity", "NaN"])
def test_a_number_that_no_row_can_hold_is_text(service: Service, text: str) -> None:
    service.has(tag="a", quota=text)

    assert found(service, attributes={"quota": text}) == ["a"]


def test_all_conditions_hold_together(service: Service) -> None:
    service.has(tag="web-a", sip_domain="x", tier="gold")
    service.has(tag="web-b", sip_domain="y", tier="gold")
    service.has(tag="desk-a", sip_domain="x", tier="gold")
    service.has(tag="web-c", sip_domain="x", tier="gold", disabled=True)
    service.has(tag="web-d", sip_domain="x")

    conditions = {"domain": "X", "attributes": {"tier": "gold"}, "tag_prefix": "web-", "state": ProfileState.ENABLED}
    assert found(service, **user("alice"), **conditions) == ["web-a"]
    assert found(service, **conditions) == ["web-a"]


def test_the_profile_of_a_key_is_found_by_its_fingerprint(service: Service) -> None:
    service.has(tag="a", sip_username="alice")
    service.has(tag="b", sip_username="bob")
    service.has_secret("1", tag="a", secret=HMAC_KEY)
    service.has_secret("2", tag="a", secret=HMAC_KEY, end_ts=NOW)
    service.has_secret(tag="b", secret=HMAC_KEY)
    service.has_secret(tag="no profile", secret=HMAC_KEY)
    fingerprint = fingerprint_of(key_of(service, "a"))

    assert found(service, fingerprint=fingerprint) == ["a", "b"]
    assert found(service, fingerprint=fingerprint, **user("bob")) == ["b"]


def key_of(service: Service, tag: str) -> Any:
    return service.provisioning.secrets.show(tag, "1").keys[0].key


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (user(""), "the username is empty"),
        ({"domain": "a\0b"}, "the domain holds a NUL"),
        ({"tag_prefix": ""}, "the beginning of the tag is empty"),
        ({"username_prefix": ""}, "the beginning of the username is empty"),
        ({"attributes": {"": "a"}}, "the name of a column is empty"),
        ({"attributes": {"sip_username": "a"}}, "'sip_username' is not an attribute"),
        ({"fingerprint": "scrypt:short"}, "a fingerprint is"),
        ({"fingerprint": "cmWR2jB_a_HsXPrD"}, "a fingerprint is"),
    ],
)
def test_what_nothing_can_meet_is_told_before_anything_is_read(conditions: dict[str, Any], told: str) -> None:
    service = a_service()
    service.tables.failure = Unreachable("the tables were read")

    with pytest.raises(Invalid, match=told):
        Finding(service.provisioning.registry).find(Wanted(**conditions))
    with pytest.raises(Invalid, match=told):
        Finding(service.provisioning.registry).page(Wanted(**conditions))


def test_columns_have_the_names_that_settings_give_them() -> None:
    service = a_service(columns=Columns(tag="etikett", username="benutzer", domain="bereich", disabled="aus"))
    service.tables.write_row(Key(Table.PROFILES, "t"), {"benutzer": "alice", "bereich": "x", "aus": 1})

    assert found(service, **user("alice@X"), state=ProfileState.DISABLED) == ["t"]


# -- how it is found --------------------------------------------------------------------------------------------------


def test_rows_are_given_before_the_scan_has_ended() -> None:
    service = a_service()
    for number in range(20):
        service.has(tag=f"t{number}")
    pages: list[int] = []

    finding = Finding(service.provisioning.registry, proceed=lambda _units, rows: pages.append(rows))
    next(iter(finding.find(Wanted(domain=None))))

    assert pages == []
    assert len(list(finding.find(Wanted()))) == 20
    assert pages == list(range(2, 21, 2))


@pytest.mark.parametrize(
    "conditions",
    [
        user("alice"),
        {"username_prefix": "ali"},
        {"domain": "x"},
        {"state": ProfileState.DISABLED},
        {"state": ProfileState.TOKENS_REVOKED},
        {"attributes": {"tier": "gold"}},
        {"tag_prefix": "want"},
    ],
    ids=str,
)
def test_the_table_itself_leaves_out_what_cannot_be_wanted(
    conditions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paid for all the same, but it need not come here."""
    service = a_service()
    service.has(tag="wanted", sip_domain="x", disabled=True, tokens_valid_after=NOW, tier="gold")
    service.has(tag="other", sip_username="bob")
    given: list[Row] = []
    parts: list[int] = []
    scan = service.tables.scan_profiles

    def watched(**how: Any) -> Iterator[ScannedPage]:
        parts.append(how.get("segments", 1))
        for page in scan(**how):
            given.extend(page.rows)
            yield page

    monkeypatch.setattr(service.tables, "scan_profiles", watched)

    assert found(service, **conditions) == ["wanted"]
    assert {row["tag"] for row in given} == {"wanted"}
    assert parts[0] == SEGMENTS, "all parts of the table at the same time; pages follow each other"
    assert set(parts[1:]) == {1}


def test_a_search_among_secrets_tells_how_far_it_is_too() -> None:
    service = a_service()
    service.has(tag="a")
    for tag in ("a", "b", "c"):
        service.has_secret(tag=tag)
    told: list[int] = []
    finding = Finding(service.provisioning.registry, proceed=lambda _units, rows: told.append(rows))

    assert list(finding.find(Wanted(state=ProfileState.NO_USABLE_SECRET))) == []
    assert told == [2, 3, 1]
    told.clear()
    assert tags_of(finding.find(Wanted(fingerprint=fingerprint_of(key_of(service, "a"))))) == ["a"]
    assert told == [2, 3]


def test_who_looks_for_a_user_is_told_why_no_index_is_asked() -> None:
    service = a_service()
    service.has()
    told: list[NoIndex] = []
    finding = Finding(service.provisioning.registry, tell_no_index=told.append)

    assert len(list(finding.find(Wanted(users=(SipUser("alice"),))))) == 1
    assert len(told) == 1
    list(finding.find(Wanted(domain="x")))
    service.tables.index = True
    list(finding.find(Wanted(users=(SipUser("alice"),))))
    assert len(told) == 1


def test_what_an_index_says_that_no_longer_holds_is_not_believed() -> None:
    """It lags behind the table."""
    service = a_service()
    service.tables.index = True
    service.has(tag="a", sip_domain="x")
    service.has(tag="gone", sip_domain="x")
    service.has(tag="renamed", sip_domain="x")
    finding = Finding(service.provisioning.registry).find(Wanted(users=(SipUser("alice", "x"),)))

    assert next(finding).tag == "a"
    del service.tables.rows[Key(Table.PROFILES, "gone")]
    service.has(tag="renamed", sip_username="bob", sip_domain="x")
    assert list(finding) == []


def test_a_scan_that_breaks_is_a_fault_and_no_end(service: Service) -> None:
    service.tables.failure = Fault("no permission")

    with pytest.raises(Fault, match="no permission"):
        list(Finding(service.provisioning.registry).find(Wanted(users=(SipUser("alice"),))))


def test_a_page_ends_after_some_pages_of_the_scan_and_the_next_continues() -> None:
    service = a_service()
    for number in range(3 * MAX_PAGES):
        service.has(tag=f"{number:03}", sip_username="somebody")
    service.has(tag="999")
    looked_at: list[int] = []
    finding = Finding(service.provisioning.registry, proceed=lambda _units, rows: looked_at.append(rows))

    first = finding.page(Wanted(users=(SipUser("alice"),)))

    assert (first.profiles, first.next is None) == ((), False)
    assert looked_at == [2 * page for page in range(1, MAX_PAGES + 1)]
    assert tags_of(paged(finding, Wanted(users=(SipUser("alice"),)), 100)) == ["999"]


def test_an_index_that_goes_away_between_two_pages_ends_the_search() -> None:
    """The scan has another order: who went on would miss users."""
    service = a_service()
    service.tables.index = True
    for number in range(3):
        service.has(tag=f"t{number}")
    wanted = Wanted(users=SipUser.readings("alice@example.org"))
    finding = Finding(service.provisioning.registry)
    first = finding.page(wanted, limit=2)
    found = finding.find(Wanted(users=(SipUser("alice"), SipUser("bob"))))
    next(found)

    service.tables.index = False

    with pytest.raises(Conflict, match="went away meanwhile: search again"):
        finding.page(wanted, after=first.next, limit=2)
    with pytest.raises(Conflict, match="went away meanwhile: search again"):
        list(found)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_page_has_1_to_100_profiles(limit: int) -> None:
    with pytest.raises(Invalid, match=f"1 to 100 profiles, not {limit}"):
        Finding(a_service().provisioning.registry).page(Wanted(), limit=limit)


@pytest.mark.parametrize(
    "after",
    [
        *("", "t", "index:", "index:1:t", "scan:0:", "other:0:t", "index:x:t", "index:\u00b2:t", "index:00:t"),
        *("index:0", "scan:0", f"scan:0:{'t' * 2049}", "scan:0:" + "\ud800" * 683),
    ],
)
def test_a_page_begins_where_another_ended_and_nowhere_else(after: str) -> None:
    with pytest.raises(Invalid, match="is not the `next` of an earlier page"):
        Finding(a_service().provisioning.registry).page(Wanted(users=(SipUser("alice"),)), after=after)


@pytest.mark.parametrize("after", [f"scan:0:{'t' * 2048}", f"index:0:{'t' * 2048}", "index:0:"])
def test_a_page_begins_behind_every_tag_that_a_row_can_have(after: str) -> None:
    service = a_service()
    service.tables.index = True

    assert Finding(service.provisioning.registry).page(Wanted(users=(SipUser("alice"),)), after=after).next is None


def test_the_first_page_of_each_user_begins_behind_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty tag is no key of the index."""
    service = a_service()
    service.tables.index = True
    asked: list[tuple[str, str | None]] = []
    read = service.tables.profiles_of

    def watched(username: str, *, after: str | None, limit: int) -> Page:
        asked.append((username, after))
        return read(username, after=after, limit=limit)

    monkeypatch.setattr(service.tables, "profiles_of", watched)

    assert found(service, **user("alice@x")) == []
    assert set(asked) == {("alice", None), ("alice@x", None)}


def test_a_page_is_not_found_by_a_fingerprint() -> None:
    service = a_service()
    service.has_secret(tag="a", secret=public_pem())

    with pytest.raises(Invalid, match="not found by a fingerprint"):
        Finding(service.provisioning.registry).page(Wanted(fingerprint=fingerprint_of(key_of(service, "a"))))

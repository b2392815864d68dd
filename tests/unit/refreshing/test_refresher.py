"""One refresh of an issuer's keys: when it is due, what is written, and what a failure leaves as it was."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.errors import Unreachable
from auth_jwt.fetching.client import Fetched
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import REGISTRY_TAG, IssuerPatterns
from auth_jwt.issuers.status import FetchStatus
from auth_jwt.models import Columns
from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.refreshing.models import Refreshed, RefreshOutcome
from auth_jwt.refreshing.refresher import JudgedKeySets, Refresher
from auth_jwt.refreshing.store import IssuerTables
from tests.factories import NOW, a_jwk
from tests.fakes import Clock, MemoryTables, natural
from tests.issuers import ISSUER, KEYS_URL, issuer_row

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
STATUS = Key(Table.SECRETS, ISSUER, "issuer-status")
KEYS = Key(Table.SECRETS, ISSUER, "issuer-keys")
CONFIGURATION = Key(Table.PROFILES, ISSUER)
MINUTE = 60
DAY = 86400


@dataclass
class Provider:
    """An identity provider: what it publishes at which address, and what it was asked."""

    documents: dict[str, bytes | FetchFailed] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    def publish(self, *keys: object, url: str = KEYS_URL, etag: str | None = None, **members: object) -> None:
        self.documents[url] = json.dumps({"keys": keys, **members}).encode()
        self.etags = {url: etag} if etag else {}

    def describe(self, **members: object) -> None:
        document = {"issuer": ISSUER, "jwks_uri": KEYS_URL, **members}
        self.documents[DISCOVERY] = json.dumps(document).encode()

    def break_down(self, url: str = KEYS_URL, *, retry_after: int | None = None) -> None:
        self.documents[url] = FetchFailed(FailureKind.BAD_STATUS, "503", retry_after=retry_after)

    def fetch(self, url: str, *, etag: str | None = None) -> Fetched:
        self.asked.append((url, etag))
        if self.meanwhile is not None:
            happen, self.meanwhile = self.meanwhile, None
            happen()
        found = self.documents[url]
        if isinstance(found, FetchFailed):
            raise found
        if etag is not None and self.etags.get(url) == etag:
            return Fetched(304, b"", etag, 0)
        return Fetched(200, found, self.etags.get(url), 0)


@dataclass
class Round:
    """An issuer in the tables, its provider, and what refreshes the one from the other, minute by minute."""

    tables: MemoryTables
    provider: Provider
    clock: Clock
    refresher: Refresher
    audit: list[AuditEntry]

    def __call__(self, *, after: float = 0, by_hand: bool = False) -> Refreshed:
        self.clock.now += after
        return self.refresher.refresh(ISSUER, minute=None if by_hand else self.clock.now)

    @property
    def status(self) -> dict[str, object]:
        return self.tables.rows[STATUS]

    @property
    def kids(self) -> list[str]:
        keys = json.loads(str(self.tables.rows[KEYS]["issuer_keys"]))["keys"]
        return [key["kid"] for key in keys]

    def configure(self, *, version: int = 1, columns: dict[str, object] | None = None, **members: Any) -> None:
        row = {**issuer_row(columns=columns, **members), "issuer_version": version}
        self.tables.write_row(CONFIGURATION, {name: value for name, value in row.items() if name != "tag"})


@pytest.fixture(name="refresh")
def _refresh() -> Round:
    tables, provider, clock, audit = MemoryTables(), Provider(), Clock(NOW), list[AuditEntry]()
    refresher = Refresher(
        store=IssuerTables(tables, Columns()),
        fetcher=provider,
        patterns=IssuerPatterns(frozenset({ISSUER})),
        audit=audit.append,
        actor="refresh_keys",
        clock=clock,
    )
    made = Round(tables, provider, clock, refresher, audit)
    made.configure()
    tables.write_row(STATUS, {"issuer_version": 1})
    tables.write_row(Key(Table.SECRETS, REGISTRY_TAG, ISSUER), {})
    provider.describe()
    provider.publish(a_jwk(kid="1"))
    return made


class TestTheFirstRefresh:
    def test_writes_the_keys_and_when_the_next_is_due(self, refresh: Round) -> None:
        refreshed = refresh()

        assert (refreshed.outcome, refreshed.keys) == (RefreshOutcome.REPLACED, 1)
        assert refresh.kids == ["1"]
        assert refresh.tables.rows[KEYS]["issuer_keys_url"] == KEYS_URL
        assert refresh.status == natural(
            {
                "issuer_version": 1,
                "issuer_fetched_at": NOW,
                "issuer_next_fetch_at": NOW + MINUTE,
                "issuer_next_discovery_at": NOW + DAY,
            }
        )

    def test_writes_nothing_of_a_key_but_what_verifies(self, refresh: Round) -> None:
        refresh.provider.publish(a_jwk(kid="1", use="sig", x5c=["MII"], name="mine"), contact="admin@example.com")
        refresh()

        (key,) = json.loads(str(refresh.tables.rows[KEYS]["issuer_keys"]))["keys"]
        assert key.keys() == {"kty", "kid", "n", "e"}

    def test_is_audited_by_thumbprints_and_without_keys(self, refresh: Round) -> None:
        refresh()

        (entry,) = refresh.audit
        assert (entry.action, entry.tag, entry.actor, entry.at) == ("issuer.refresh", ISSUER, "refresh_keys", NOW)
        assert entry.details["keys"] == len(entry.details["added"]) == 1
        assert entry.details["removed"] == []
        assert a_jwk()["n"] not in entry.as_line()


class TestWhatIsDue:
    @pytest.mark.parametrize(("seconds", "is_due"), [(20, False), (29, False), (30, True), (60, True), (3600, True)])
    def test_is_what_the_status_says_give_or_take_half_a_minute(
        self, refresh: Round, seconds: int, is_due: bool
    ) -> None:
        refresh()

        refreshed = refresh(after=seconds)

        assert (refreshed.outcome is RefreshOutcome.NOT_DUE) is not is_due

    @pytest.mark.parametrize(("ahead", "is_due"), [(900 + MINUTE, False), (901 + MINUTE, True)])
    def test_is_put_off_for_a_quarter_of_an_hour_and_a_minute_at_most(
        self, refresh: Round, ahead: int, is_due: bool
    ) -> None:
        """Nobody puts a fetch off for longer, so a clock was wrong; the minute is for two clocks that differ."""
        refresh.status["issuer_next_fetch_at"] = Decimal(NOW + ahead)

        assert (refresh().outcome is RefreshOutcome.NOT_DUE) is not is_due

    @pytest.mark.parametrize(("ahead", "is_due"), [(DAY + MINUTE, False), (DAY + MINUTE + 1, True)])
    def test_of_discovery_is_put_off_for_a_day_and_a_minute_at_most(
        self, refresh: Round, ahead: int, is_due: bool
    ) -> None:
        refresh.status["issuer_next_discovery_at"] = Decimal(NOW + ahead)
        refresh()

        assert (DISCOVERY in dict(refresh.provider.asked)) is is_due

    def test_tells_the_status_that_stands_whether_due_or_not(self, refresh: Round) -> None:
        stands = refresh().status
        assert refresh(after=1).status == stands

        refresh.status["issuer_fetched_at"] = Decimal(NOW + 2)
        status = refresh(by_hand=True).status
        assert status is not None
        assert (status.fetched_at, status.next_fetch_at) == (NOW + 2, NOW + MINUTE), "of who was faster"

    def test_is_everything_when_an_operator_asks(self, refresh: Round) -> None:
        refresh()

        assert refresh(after=1, by_hand=True).outcome is RefreshOutcome.UNCHANGED

    def test_is_nothing_of_an_issuer_that_is_disabled(self, refresh: Round) -> None:
        refresh.configure(columns={"disabled": True})

        refreshed = refresh()

        assert (refreshed.outcome, refreshed.status) == (RefreshOutcome.DISABLED, FetchStatus(version=1))
        assert refresh.provider.asked == []

    def test_is_nothing_of_an_issuer_that_the_setting_does_not_name(self, refresh: Round) -> None:
        """The registry alone sends this function nowhere."""
        refreshed = refresh.refresher.refresh("https://internal.example.com/")

        assert refreshed.outcome is RefreshOutcome.NOT_SET
        assert refresh.provider.asked == []

    def test_is_nothing_without_issuers(self, refresh: Round) -> None:
        refresher = Refresher(
            store=refresh.refresher.store,
            fetcher=refresh.provider,
            patterns=None,
            audit=refresh.audit.append,
            actor="refresh_keys",
        )

        assert refresher.refresh(ISSUER).outcome is RefreshOutcome.NOT_SET

    def test_is_nothing_of_an_issuer_that_is_gone(self, refresh: Round) -> None:
        del refresh.tables.rows[CONFIGURATION]

        assert refresh().outcome is RefreshOutcome.GONE
        assert refresh.provider.asked == []

    def test_is_nothing_of_a_configuration_that_cannot_be_read(self, refresh: Round) -> None:
        refresh.configure(algorithms=["HS256"])

        refreshed = refresh()

        assert (refreshed.outcome, refreshed.status) == (RefreshOutcome.UNUSABLE, FetchStatus(version=1))
        assert "'algorithms'" in str(refreshed.problem)
        assert refresh.provider.asked == []

    def test_is_nothing_without_its_row_of_status(self, refresh: Round) -> None:
        """Otherwise a refresh would make anew what an operator removed."""
        del refresh.tables.rows[STATUS]

        assert refresh().outcome is RefreshOutcome.UNUSABLE
        assert refresh.provider.asked == []


class TestKeys:
    def test_that_are_the_same_cost_one_write_and_no_audit(self, refresh: Round) -> None:
        refresh()
        before = dict(refresh.tables.rows[KEYS])

        refreshed = refresh(after=MINUTE)

        assert refreshed.outcome is RefreshOutcome.UNCHANGED
        assert refreshed.status is not None
        assert refreshed.status.fetched_at == refresh.status["issuer_fetched_at"] == NOW + MINUTE
        assert refresh.tables.rows[KEYS] == before
        assert len(refresh.audit) == 1

    def test_are_not_sent_again_when_their_etag_is_still_the_same(self, refresh: Round) -> None:
        refresh.provider.publish(a_jwk(kid="1"), etag='"a"')
        refresh()

        refreshed = refresh(after=MINUTE)

        assert refresh.provider.asked[-1] == (KEYS_URL, '"a"')
        assert refreshed.outcome is RefreshOutcome.UNCHANGED
        assert refresh.status["issuer_etag"] == '"a"'

    def test_are_replaced_and_never_merged(self, refresh: Round) -> None:
        refresh()
        refresh.provider.publish(a_jwk(kid="1"), a_jwk("p256", kid="2"))
        refresh(after=MINUTE)
        refresh.provider.publish(a_jwk("p256", kid="2"))

        refreshed = refresh(after=MINUTE)

        assert (refreshed.outcome, refresh.kids) == (RefreshOutcome.REPLACED, ["2"])
        assert not refreshed.has_nothing_in_common
        assert [len(entry.details["removed"]) for entry in refresh.audit] == [0, 0, 1]

    def test_with_nothing_in_common_are_taken_and_reported(self, refresh: Round) -> None:
        refresh()
        refresh.provider.publish(a_jwk("p256", kid="2"))

        refreshed = refresh(after=MINUTE)

        assert refreshed.has_nothing_in_common
        assert refresh.kids == ["2"]

    def test_that_are_dropped_are_counted(self, refresh: Round) -> None:
        refresh.provider.publish(a_jwk(kid="1"), {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "AKP"})

        assert [sum(refresh(after=MINUTE).dropped.values()) for _ in range(2)] == [2, 2], "changed or not"

    def test_of_another_address_than_the_configured_one_are_not_asked_for_by_their_etag(self, refresh: Round) -> None:
        refresh.provider.publish(a_jwk(kid="1"), etag='"a"')
        refresh()
        elsewhere = "https://login.example.com/other/keys"
        refresh.configure(keys_url=elsewhere)
        refresh.provider.publish(a_jwk("p256", kid="2"), url=elsewhere)

        refreshed = refresh(after=MINUTE)

        assert refresh.provider.asked[-1] == (elsewhere, None)
        assert (refreshed.outcome, refreshed.has_nothing_in_common) == (RefreshOutcome.REPLACED, False)

    def test_are_refreshed_by_what_is_needed_of_the_rows(self, refresh: Round, monkeypatch: pytest.MonkeyPatch) -> None:
        """A row may hold anything else; what is not asked for is not sent."""
        refresh.configure(columns={"sip_password": "x"})
        refresh.status["comment"] = "x"
        asked = list[str]()
        profile, secrets = refresh.tables.profile, refresh.tables.secrets

        def profile_of(tag: str, **only: Any) -> Any:
            row = profile(tag, **only)
            asked.extend(row or ())
            return row

        def secrets_of(tag: str, **only: Any) -> Any:
            rows = secrets(tag, **only)
            asked.extend(name for row in rows for name in row)
            return rows

        monkeypatch.setattr(refresh.tables, "profile", profile_of)
        monkeypatch.setattr(refresh.tables, "secrets", secrets_of)
        refresh()

        assert {"issuer_config", "issuer_version", "id"} <= set(asked)
        assert not {"sip_password", "comment"} & set(asked)


class TestAFailure:
    def test_leaves_the_keys_and_their_age_as_they_are(self, refresh: Round) -> None:
        refresh()
        refresh.provider.break_down()

        refreshed = refresh(after=MINUTE)

        assert (refreshed.outcome, refresh.kids) == (RefreshOutcome.FAILED, ["1"])
        assert (refresh.status["issuer_fetched_at"], refresh.status["issuer_failure"]) == (NOW, "bad_status")

    def test_is_tried_again_after_one_two_four_and_then_five_minutes(self, refresh: Round) -> None:
        refresh.provider.break_down()
        waited = []
        for _ in range(6):
            refresh()
            due = int(str(refresh.status["issuer_next_fetch_at"]))
            waited.append((due - refresh.clock.now) / MINUTE)
            refresh.clock.now = due

        assert waited == [1, 2, 4, 5, 5, 5]

    def test_is_tried_again_when_the_provider_says_so_at_the_earliest(self, refresh: Round) -> None:
        refresh.provider.break_down(retry_after=600)
        refresh()

        assert refresh.status["issuer_next_fetch_at"] == NOW + 600

    def test_is_forgotten_after_a_success(self, refresh: Round) -> None:
        refresh.provider.break_down()
        refresh()
        refresh.provider.publish(a_jwk(kid="1"))
        refresh(after=MINUTE)

        assert refresh.status.keys().isdisjoint({"issuer_failures", "issuer_failure"})

    def test_is_for_an_operator_from_the_third_on(self, refresh: Round) -> None:
        refresh()
        refresh.provider.break_down()
        is_failing = []
        for _ in range(3):
            status = refresh(after=MINUTE * 5).status
            assert status is not None
            is_failing.append(status.is_failing(NOW))

        assert is_failing == [False, False, True]

    def test_is_for_an_operator_after_a_quarter_of_an_hour(self, refresh: Round) -> None:
        status = refresh().status
        assert status is not None

        assert [status.is_failing(NOW + seconds) for seconds in (899, 900)] == [False, True]

    def test_is_for_an_operator_a_quarter_of_an_hour_after_an_issuer_was_added(self) -> None:
        assert [FetchStatus(version=NOW).is_failing(NOW + seconds) for seconds in (899, 900)] == [False, True]

    def test_is_for_an_operator_before_the_keys_are_stale(self, refresh: Round) -> None:
        status = refresh().status
        assert status is not None

        assert [status.is_stale_soon(NOW + seconds, 100) for seconds in (75, 76)] == [False, True]
        assert not FetchStatus(version=1).is_stale_soon(NOW, 100), "no keys"

    def test_is_also_a_private_key_among_those_published(self, refresh: Round) -> None:
        refresh()
        refresh.provider.publish(a_jwk(kid="1"), {**a_jwk(kid="2"), "d": "AQAB"})

        refreshed = refresh(after=MINUTE)

        assert (refreshed.outcome, refreshed.publishes_private_key) == (RefreshOutcome.FAILED, True)
        assert refresh.kids == ["1"]

    def test_of_the_tables_is_a_fault(self, refresh: Round) -> None:
        refresh.tables.failure = Unreachable("gone")

        with pytest.raises(Unreachable):
            refresh()


class TestDiscovery:
    def test_is_read_daily(self, refresh: Round) -> None:
        for _ in range(49):
            refresh(after=1800)

        assert [url for url, _ in refresh.provider.asked].count(DISCOVERY) == 2

    def test_does_not_move_the_keys_by_itself(self, refresh: Round) -> None:
        refresh.provider.describe(jwks_uri="https://elsewhere.example.com/keys")

        refreshed = refresh()

        assert refreshed.status is not None
        assert refreshed.status.moved_to == "https://elsewhere.example.com/keys"
        assert {url for url, _ in refresh.provider.asked} == {DISCOVERY, KEYS_URL}
        assert refresh.status["issuer_moved_to"] == "https://elsewhere.example.com/keys"

    def test_that_fails_holds_up_no_keys_and_is_tried_within_the_hour(self, refresh: Round) -> None:
        refresh.provider.break_down(DISCOVERY)

        refreshed = refresh()

        assert refreshed.outcome is RefreshOutcome.REPLACED
        assert refreshed.discovery_problem is not None
        assert refresh.status["issuer_next_discovery_at"] == NOW + 3600

    def test_of_another_issuer_is_reported(self, refresh: Round) -> None:
        refresh.provider.describe(issuer=f"{ISSUER}/")

        problem = refresh().discovery_problem

        assert problem is not None
        assert problem.kind is FailureKind.WRONG_ISSUER

    def test_is_not_asked_for_where_the_operator_gave_the_address(self, refresh: Round) -> None:
        refresh.configure(discovery=False)
        refresh()

        assert [url for url, _ in refresh.provider.asked] == [KEYS_URL]


class TestWhenTwoWrite:
    def test_a_slow_fetch_does_not_overwrite_a_newer_one(self, refresh: Round) -> None:
        refresh()
        refresh.provider.publish(a_jwk("p256", kid="old"))

        def newer() -> None:
            refresh.clock.now += 2
            refresh.provider.publish(a_jwk("p256", kid="new"))
            assert refresh(by_hand=True).outcome is RefreshOutcome.REPLACED
            refresh.provider.publish(a_jwk("p256", kid="old"))

        refresh.provider.meanwhile = newer
        refreshed = refresh(after=MINUTE)

        assert (refreshed.outcome, refresh.kids) == (RefreshOutcome.OVERTAKEN, ["new"])

    @pytest.mark.parametrize(
        ("ahead", "outcome"),
        [
            pytest.param(0, RefreshOutcome.REPLACED, id="begun in the same second"),
            pytest.param(1, RefreshOutcome.OVERTAKEN, id="begun later"),
            pytest.param(MINUTE, RefreshOutcome.OVERTAKEN, id="begun a minute later"),
            pytest.param(MINUTE + 1, RefreshOutcome.REPLACED, id="begun by a clock that was wrong"),
        ],
    )
    def test_the_fetch_that_began_later_counts(self, refresh: Round, ahead: int, outcome: RefreshOutcome) -> None:
        refresh.status["issuer_fetched_at"] = Decimal(NOW + ahead)

        assert refresh(by_hand=True).outcome is outcome

    def test_an_issuer_that_is_removed_meanwhile_stays_removed(self, refresh: Round) -> None:
        def remove() -> None:
            for key in (CONFIGURATION, STATUS, KEYS):
                refresh.tables.rows.pop(key, None)

        refresh.provider.meanwhile = remove
        refreshed = refresh()

        assert refreshed.outcome is RefreshOutcome.OVERTAKEN
        assert [key for key in refresh.tables.rows if key.tag == ISSUER] == []
        assert refresh.audit == []

    @pytest.mark.parametrize("changes", [True, False], ids=["other keys", "the same keys"])
    def test_an_issuer_that_is_removed_and_added_again_gets_no_keys_of_before(
        self, refresh: Round, changes: bool
    ) -> None:
        refresh()
        if changes:
            refresh.provider.publish(a_jwk("p256", kid="2"))

        def add_again() -> None:
            refresh.tables.rows.pop(KEYS)
            refresh.configure(version=2)
            refresh.tables.write_row(STATUS, {"issuer_version": 2})

        refresh.provider.meanwhile = add_again
        refreshed = refresh(after=MINUTE)

        assert refreshed.outcome is RefreshOutcome.OVERTAKEN
        assert KEYS not in refresh.tables.rows
        assert refresh.status == natural({"issuer_version": 2})

    def test_a_configuration_that_changes_meanwhile_gets_no_keys_of_before(self, refresh: Round) -> None:
        def change() -> None:
            refresh.configure(version=2, keys_url="https://login.example.com/other/keys")

        refresh.provider.meanwhile = change
        refreshed = refresh()

        assert refreshed.outcome is RefreshOutcome.OVERTAKEN
        assert KEYS not in refresh.tables.rows

    def test_a_clock_that_was_wrong_once_stops_nothing_for_long(self, refresh: Round) -> None:
        """A fetch that claims to be of next week counts as none of another refresh."""
        refresh(after=7 * DAY)
        refresh.provider.publish(a_jwk("p256", kid="2"))

        refreshed = refresh(after=-7 * DAY, by_hand=True)

        assert (refreshed.outcome, refresh.kids) == (RefreshOutcome.REPLACED, ["2"])

    def test_a_lost_answer_leaves_an_audit_line_that_says_so(self, refresh: Round) -> None:
        def fail() -> None:
            refresh.tables.failure = Unreachable("no answer")

        refresh.provider.meanwhile = fail
        with pytest.raises(Unreachable):
            refresh()

        assert [entry.outcome for entry in refresh.audit] == [WriteOutcome.UNKNOWN]


class TestDamagedRows:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("issuer_fetched_at", "yesterday", id="a time that is text"),
            pytest.param("issuer_fetched_at", NOW - 0.5, id="half a second"),
            pytest.param("issuer_failures", "3", id="a count that is text"),
            pytest.param("issuer_failures", 0, id="a count that is written otherwise"),
            pytest.param("issuer_etag", "", id="an empty text"),
            pytest.param("issuer_etag", None, id="NULL"),
            pytest.param("issuer_moved_to", {"L": []}, id="a list"),
        ],
    )
    def test_of_status_are_written_anew(self, refresh: Round, name: str, value: object) -> None:
        refresh.tables.write_row(STATUS, {"issuer_version": 1, name: value})

        assert refresh().outcome is RefreshOutcome.REPLACED
        assert refresh(after=MINUTE).outcome is RefreshOutcome.UNCHANGED
        assert refresh.status["issuer_fetched_at"] == NOW + MINUTE

    def test_a_value_of_an_unexpected_type_counts_as_absent(self) -> None:
        texts = dict.fromkeys(("issuer_etag", "issuer_failure", "issuer_moved_to"), Decimal(1))
        numbers: dict[str, object] = {
            "issuer_version": "1",
            "issuer_fetched_at": None,
            "issuer_next_fetch_at": True,
            "issuer_next_discovery_at": Decimal("Infinity"),
            "issuer_failures": {"L": []},
        }

        assert FetchStatus.from_row({**texts, **numbers}) == FetchStatus(version=0)

    @pytest.mark.parametrize("name", ["issuer_keys", "issuer_keys_url"])
    @pytest.mark.parametrize("damage", ["", "{}", '{"keys":[]}', None, Decimal(1), {"L": []}], ids=str)
    def test_of_keys_are_written_anew_though_the_provider_has_no_others(
        self, refresh: Round, name: str, damage: object
    ) -> None:
        refresh.provider.publish(a_jwk(kid="1"), etag='"a"')
        refresh()
        refresh.tables.rows[KEYS][name] = damage

        assert refresh(after=MINUTE).outcome is RefreshOutcome.REPLACED
        assert refresh.kids == ["1"]

    def test_another_process_reads_the_whole_set_once(self, refresh: Round) -> None:
        """It may have other rules than the one that wrote the row."""
        refresh.provider.publish(a_jwk(kid="1"), etag='"a"')
        refresh()
        refresh.refresher = replace(refresh.refresher, judged=JudgedKeySets())

        assert [refresh(after=MINUTE).outcome for _ in range(2)] == [RefreshOutcome.UNCHANGED] * 2
        assert [etag for url, etag in refresh.provider.asked if url == KEYS_URL] == [None, None, '"a"']

    def test_another_process_makes_the_slow_check_of_no_key_that_the_row_holds(
        self, refresh: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checked = list[object]()
        monkeypatch.setattr("auth_jwt.fetching.documents.slow_weakness_of", checked.append)
        refresh()
        refresh.refresher = replace(refresh.refresher, judged=JudgedKeySets())
        refresh(after=MINUTE)

        assert len(checked) == 1

    @pytest.mark.parametrize("name", ["issuer_next_fetch_at", "issuer_next_discovery_at"])
    def test_what_is_due_later_than_anything_is_put_off_is_due_now(self, refresh: Round, name: str) -> None:
        """As after a round whose clock was ahead."""
        refresh()
        asked = len(refresh.provider.asked)
        refresh.status[name] = Decimal(NOW + 7 * DAY)

        refresh(after=MINUTE)

        assert {url for url, _ in refresh.provider.asked[asked:]} >= {KEYS_URL}
        assert int(str(refresh.status[name])) <= NOW + MINUTE + DAY

    def test_a_clock_that_was_ahead_for_one_round_stops_nothing(self, refresh: Round) -> None:
        refresh(after=7 * DAY)
        refresh.provider.publish(a_jwk("p256", kid="2"))

        assert refresh(after=-7 * DAY).outcome is RefreshOutcome.REPLACED
        assert refresh.kids == ["2"]

    def test_what_a_provider_puts_off_stays_put_off(self, refresh: Round) -> None:
        refresh.provider.break_down(retry_after=900)
        refresh()

        assert [refresh(after=seconds).outcome for seconds in (MINUTE, 809)] == [RefreshOutcome.NOT_DUE] * 2
        assert refresh(after=2).outcome is RefreshOutcome.FAILED

    def test_a_change_between_the_reads_of_the_two_tables_is_no_damage(
        self, refresh: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = refresh.tables.secrets

        def read_then_change(tag: str, **only: Any) -> Any:
            monkeypatch.undo()
            rows = read(tag, **only)
            refresh.configure(version=2, longest_lifetime=60)
            refresh.status["issuer_version"] = Decimal(2)
            return rows

        monkeypatch.setattr(refresh.tables, "secrets", read_then_change)

        assert refresh().outcome is RefreshOutcome.REPLACED

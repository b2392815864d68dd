"""A profile or secrets that were read count, though the other half could not be read."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from auth_jwt.authorizer import WORTH_A_SECOND_LOOK, Authorizer
from auth_jwt.errors import Deferred, Denied, Fault, Reason, StaleKeys, Throttled, Unreachable
from auth_jwt.memory.rows import RowMemory
from auth_jwt.memory.second_look import look_again
from auth_jwt.models import Authorized, Half, Policy, Report, TagRows
from auth_jwt.ports import Deadline
from tests.factories import HMAC_KEY, NOW, TAG, a_profile, a_secret, a_token, refusal
from tests.fakes import Clock, MemoryStore

TTL = 60
STALE_FOR = 300
OTHER_KEY = HMAC_KEY.upper()

NO_PROFILE = {Half.PROFILE: Unreachable("no profile")}
NO_SECRETS = {Half.SECRETS: Unreachable("no secrets")}


@dataclass
class Service:
    """An authorizer that remembers, over tables that a test changes."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore([a_profile()], [a_secret()]))
    timer: Clock = field(default_factory=Clock)
    ttl: int = TTL

    def __post_init__(self) -> None:
        self.memory = RowMemory(self.store, ttl=self.ttl, stale_for=STALE_FOR, timer=self.timer)
        self.authorizer = Authorizer(memory=self.memory, policy=Policy(), store_seconds=1, clock=lambda: NOW)
        self.report = Report()

    def ask(self, **token: Any) -> Authorized:
        self.report = Report()
        return self.authorizer.authorize(a_token(**token), report=self.report)

    def refuses(self, **token: Any) -> Reason:
        return refusal(lambda: self.ask(**token))

    def cannot_tell(self, **token: Any) -> Fault:
        with pytest.raises(Fault) as caught:
            self.ask(**token)
        return caught.value


@pytest.fixture(name="stale")
def _stale() -> Service:
    """One that remembers the user, whose time is over."""
    service = Service()
    service.ask()
    service.timer.pass_by(TTL)
    return service


class TestOfARememberedUser:
    @pytest.mark.parametrize("failure", [Unreachable("gone"), Throttled("busy")], ids=repr)
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            pytest.param({"disabled": True}, Reason.DISABLED_PROFILE, id="disabled"),
            pytest.param({"tokens_valid_after": NOW + 1}, Reason.REVOKED_TOKEN, id="all tokens revoked"),
            pytest.param({"sip_username": ""}, Reason.INCOMPLETE_PROFILE, id="without a username"),
        ],
    )
    def test_a_profile_that_was_changed_refuses_though_the_secrets_cannot_be_read(
        self, stale: Service, change: dict[str, Any], reason: Reason, failure: Fault
    ) -> None:
        stale.store.profiles[0].update(change)
        stale.store.halves = {Half.SECRETS: failure}

        assert stale.refuses(iat=NOW) is reason
        assert stale.report.origin == "stale"

    def test_a_profile_that_was_removed_refuses_likewise(self, stale: Service) -> None:
        stale.store.profiles.clear()
        stale.store.halves = dict(NO_SECRETS)

        assert stale.refuses() is Reason.UNKNOWN_PROFILE

    @pytest.mark.parametrize(
        ("secrets", "reason"),
        [
            pytest.param([a_secret(end_ts=NOW)], Reason.NO_ACTIVE_SECRET, id="closed"),
            pytest.param([a_secret(OTHER_KEY)], Reason.BAD_SIGNATURE, id="replaced"),
            pytest.param([a_secret(end_ts=NOW), a_secret(OTHER_KEY, id="2")], Reason.BAD_SIGNATURE, id="rotated"),
            pytest.param([], Reason.UNKNOWN_TAG, id="removed"),
        ],
    )
    def test_secrets_that_were_changed_refuse_though_the_profile_cannot_be_read(
        self, stale: Service, secrets: list[dict[str, object]], reason: Reason
    ) -> None:
        stale.store.secrets = secrets
        stale.store.halves = dict(NO_PROFILE)

        assert stale.refuses() is reason

    @pytest.mark.parametrize("halves", [NO_PROFILE, NO_SECRETS], ids=["no profile", "no secrets"])
    def test_what_did_not_change_lets_in(self, stale: Service, halves: dict[Half, Fault]) -> None:
        stale.store.halves = dict(halves)

        assert stale.ask().sip_username == "alice"
        assert stale.report.origin == "stale"

    def test_a_new_secret_works_though_the_profile_cannot_be_read(self, stale: Service) -> None:
        stale.store.secrets = [a_secret(OTHER_KEY)]
        stale.store.halves = dict(NO_PROFILE)

        assert stale.ask(key=OTHER_KEY).sip_username == "alice"

    @pytest.mark.parametrize("seconds", [0, 0.5, 1, TTL, STALE_FOR - 1])
    def test_what_was_read_by_half_goes_on_counting_when_nothing_can_be_read(
        self, stale: Service, seconds: float
    ) -> None:
        """It is remembered with a time of its own, and is newer than the rest."""
        stale.store.profiles[0].update(disabled=True)
        stale.store.halves = dict(NO_SECRETS)
        stale.refuses()
        stale.store.failure = Unreachable("gone")
        stale.timer.pass_by(seconds)

        assert stale.refuses() is Reason.DISABLED_PROFILE

    @pytest.mark.parametrize("seconds", [0, 0.5, 1, TTL])
    def test_a_closed_secret_is_never_served_again(self, stale: Service, seconds: float) -> None:
        """A refusal by memory would need another look, so it is a fault by then."""
        stale.store.secrets = [a_secret(end_ts=NOW)]
        stale.store.halves = dict(NO_PROFILE)
        stale.refuses()
        stale.store.failure = Unreachable("gone")
        stale.timer.pass_by(seconds)

        stale.cannot_tell()

    @pytest.mark.parametrize("halves", [NO_PROFILE, NO_SECRETS], ids=["no profile", "no secrets"])
    @pytest.mark.parametrize(
        ("seconds", "serves"),
        [pytest.param(STALE_FOR - 1, True, id="until then"), pytest.param(STALE_FOR, False, id="no longer")],
    )
    def test_the_other_half_serves_no_longer_than_in_an_outage(
        self, stale: Service, seconds: int, serves: bool, halves: dict[Half, Fault]
    ) -> None:
        """However often the one is read meanwhile."""
        stale.store.halves = dict(halves)
        for _ in range(seconds):
            assert stale.ask().sip_username == "alice"
            stale.timer.pass_by(1)

        if serves:
            assert stale.ask().sip_username == "alice"
        else:
            stale.cannot_tell()

    def test_halves_read_one_after_the_other_make_a_whole(self, stale: Service) -> None:
        stale.store.halves = dict(NO_PROFILE)
        stale.ask()
        stale.timer.pass_by(1)
        stale.store.halves = dict(NO_SECRETS)
        stale.ask()
        stale.store.failure = Unreachable("gone")
        stale.timer.pass_by(STALE_FOR + TTL - 2)

        assert stale.ask().sip_username == "alice"

    def test_one_half_is_tried_once_a_second(self, stale: Service) -> None:
        stale.store.halves = dict(NO_SECRETS)
        stale.store.reads.clear()
        for _ in range(10):
            stale.ask()
            stale.timer.pass_by(0.25)

        assert len(stale.store.reads) == 3

    @pytest.mark.parametrize("half", Half)
    def test_a_table_that_cannot_be_used_is_a_fault_and_the_other_counts_later(
        self, stale: Service, half: Half
    ) -> None:
        stale.store.profiles[0].update(disabled=True)
        stale.store.secrets = [a_secret(end_ts=NOW)]
        stale.store.halves = {half: Fault("forbidden")}
        for _ in range(2):
            assert "forbidden" in str(stale.cannot_tell())

        stale.store.failure = Unreachable("gone")

        if half is Half.SECRETS:
            assert stale.refuses() is Reason.DISABLED_PROFILE
        else:
            stale.cannot_tell()

    def test_a_slow_half_does_not_overtake_a_later_one(self, stale: Service) -> None:
        class Slow(MemoryStore):
            def read(self, *arguments: Any, **more: Any) -> Any:
                if len(self.reads) == 1:  # meanwhile the user is disabled, and another request reads that
                    self.reads.append(("", False))
                    stale.timer.pass_by(1)
                    self.profiles[0].update(disabled=True)
                    self.halves = dict(NO_SECRETS)
                    service.memory.renew(TAG, more["deadline"])
                    self.profiles[0].update(disabled=False)
                return super().read(*arguments, **more)

        service = Service(Slow([a_profile()], [a_secret()]), stale.timer)
        service.ask()
        stale.timer.pass_by(TTL)

        assert service.refuses() is Reason.DISABLED_PROFILE

    def test_a_read_that_failed_does_not_overlook_what_another_learnt_meanwhile(self, stale: Service) -> None:
        class Slow(MemoryStore):
            def read(self, *arguments: Any, **more: Any) -> Any:
                if len(self.reads) == 1:
                    self.reads.append(("", False))
                    self.profiles[0].update(disabled=True)
                    service.memory.renew(TAG, more["deadline"])
                    raise Unreachable("gone")
                return super().read(*arguments, **more)

        service = Service(Slow([a_profile()], [a_secret()]), stale.timer)
        service.ask()
        stale.timer.pass_by(TTL)

        assert service.refuses() is Reason.DISABLED_PROFILE


class TestOfAUserNobodyRemembers:
    def test_without_secrets_nothing_is_decided(self) -> None:
        """That a profile is disabled is said to those who hold a token of it, and who does the secrets tell."""
        service = Service(MemoryStore([a_profile(disabled=True)], [a_secret()], halves=dict(NO_SECRETS)))

        assert "no secrets" in str(service.cannot_tell())
        assert service.store.reads == [(TAG, False)]

    @pytest.mark.parametrize(
        ("secrets", "token", "reason"),
        [
            pytest.param([a_secret(OTHER_KEY)], {}, Reason.BAD_SIGNATURE, id="another's signature"),
            pytest.param([a_secret(end_ts=NOW)], {}, Reason.NO_ACTIVE_SECRET, id="a closed window"),
            pytest.param([], {}, Reason.UNKNOWN_TAG, id="no secret"),
            pytest.param([a_secret()], {"exp": NOW}, Reason.TOKEN_EXPIRED, id="an expired token"),
        ],
    )
    def test_what_secrets_alone_refuse_is_refused(
        self, secrets: list[dict[str, object]], token: dict[str, Any], reason: Reason
    ) -> None:
        """No profile could turn that, and the secrets were read for this very request."""
        service = Service(MemoryStore([a_profile()], secrets, halves=dict(NO_PROFILE)))

        assert service.refuses(**token) is reason
        assert service.store.reads == [(TAG, False)]
        assert service.report.origin == "table"

    def test_who_holds_a_good_token_is_not_refused_for_a_profile_that_could_not_be_read(self) -> None:
        service = Service(MemoryStore([a_profile()], [a_secret()], halves=dict(NO_PROFILE)))

        assert type(service.cannot_tell()) is Unreachable
        assert service.store.reads == [(TAG, False)]

        service.store.halves = {}
        assert service.ask().sip_username == "alice"

    def test_tags_that_anybody_makes_up_are_not_remembered_for_their_profiles(self) -> None:
        service = Service()
        service.ask()
        service.store.halves = dict(NO_SECRETS)
        for number in range(100):
            service.cannot_tell(tag=f"made-up-{number}")

        assert list(service.memory._known) == [TAG]
        assert not service.memory._unknown

    def test_that_a_tag_has_no_secrets_is_remembered_without_its_profile(self) -> None:
        service = Service(MemoryStore([a_profile()], [], halves=dict(NO_PROFILE)))
        service.refuses()
        service.store.reads.clear()

        assert service.refuses() is Reason.UNKNOWN_TAG
        assert service.store.reads == [(TAG, True)]

    def test_that_a_tag_has_no_secrets_is_a_fault_where_the_other_table_cannot_be_used(self) -> None:
        """A table that is missing or forbidden is told whoever asks: else only users who are let in would notice."""
        service = Service(MemoryStore([a_profile()], [], halves={Half.PROFILE: Fault("forbidden")}))

        assert "forbidden" in str(service.cannot_tell())

    def test_without_memory_halves_are_judged_alike(self) -> None:
        service = Service(MemoryStore([a_profile()], [a_secret()], halves=dict(NO_PROFILE)), ttl=0)

        assert service.refuses(key=OTHER_KEY) is Reason.BAD_SIGNATURE
        service.cannot_tell()
        service.store.halves = dict(NO_SECRETS)
        service.cannot_tell()


class TestOfASecondLook:
    """Remembered rows refuse, and are read anew by half."""

    def test_secrets_that_were_read_anew_refuse(self) -> None:
        service = Service()
        service.ask()
        service.store.halves = dict(NO_PROFILE)

        assert service.refuses(key=OTHER_KEY) is Reason.BAD_SIGNATURE
        assert service.store.reads[-1] == (TAG, True)

    def test_secrets_that_were_not_refuse_nobody(self) -> None:
        service = Service()
        service.ask()
        service.store.secrets = [a_secret(OTHER_KEY)]
        service.store.halves = dict(NO_SECRETS)

        assert "no secrets" in str(service.cannot_tell(key=OTHER_KEY))

    def test_a_new_secret_works_beside_a_remembered_profile(self) -> None:
        service = Service()
        service.ask()
        service.store.secrets = [a_secret(OTHER_KEY)]
        service.store.halves = dict(NO_PROFILE)

        assert service.ask(key=OTHER_KEY).sip_username == "alice"
        assert service.report.origin == "stale"

    def test_what_no_profile_could_turn_refuses_beside_a_remembered_one(self) -> None:
        service = Service()
        service.ask()
        service.store.secrets = [a_secret(OTHER_KEY)]
        service.store.halves = dict(NO_PROFILE)

        assert service.refuses(key=OTHER_KEY, exp=NOW) is Reason.TOKEN_EXPIRED

    def test_a_new_profile_works_beside_remembered_secrets(self) -> None:
        service = Service(MemoryStore([], [a_secret()]))
        service.refuses()
        service.store.profiles = [a_profile()]
        service.store.halves = dict(NO_SECRETS)

        assert service.ask().sip_username == "alice"

    def test_a_profile_that_was_not_read_anew_refuses_nobody(self) -> None:
        service = Service(MemoryStore([], [a_secret()]))
        service.refuses()
        service.store.profiles = [a_profile()]
        service.store.halves = dict(NO_PROFILE)

        assert "no profile" in str(service.cannot_tell())

    @pytest.mark.parametrize(
        "answer",
        [Denied(Reason.UNKNOWN_KEY), Deferred(1), StaleKeys("fetched long ago")],
        ids=lambda each: type(each).__name__,
    )
    def test_no_answer_of_any_kind_rests_on_what_was_not_read_anew(self, answer: Denied | Deferred | StaleKeys) -> None:
        service = Service()
        service.ask()
        recalled = service.memory.recall(TAG, Deadline(1))
        service.store.halves = dict(NO_PROFILE)

        def decide(_: TagRows) -> None:
            raise answer

        worth_it = {Reason.UNKNOWN_KEY: Half.PROFILE}
        with pytest.raises(Unreachable, match="no profile"):
            look_again(service.memory, TAG, recalled, answer, decide, worth_it, Deadline(1), Report())

    def test_who_was_overtaken_is_judged_by_what_the_other_one_read(self) -> None:
        """Both looked at older rows, and the second look of the first one is that of both."""
        service = Service()
        service.ask()
        recalled = service.memory.recall(TAG, Deadline(1))
        service.store.secrets = [a_secret(OTHER_KEY)]
        service.ask(key=OTHER_KEY)

        def decide(rows: TagRows) -> str | None:
            return rows.secrets[0].stored

        denied, report = Denied(Reason.BAD_SIGNATURE), Report()
        seen = look_again(service.memory, TAG, recalled, denied, decide, WORTH_A_SECOND_LOOK, Deadline(1), report)

        assert seen == OTHER_KEY
        assert report.origin == "table"

    def test_those_who_share_its_failure_get_one_each(self) -> None:
        """One exception raised in two threads is a mess."""
        store = MemoryStore([a_profile()], [a_secret()], halves=dict(NO_PROFILE))
        memory = RowMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=Clock(), max_bytes=1)
        shared = [memory.renew(TAG, Deadline(1)) for _ in range(2)]

        failures = [renewed.failure for renewed in shared if renewed is not None]
        assert len(set(map(id, failures))) == 2
        assert {repr(failure) for failure in failures} == {repr(NO_PROFILE[Half.PROFILE])}
        assert store.reads == [(TAG, True)]

    def test_for_the_rest_of_the_second_memory_refuses_nobody(self) -> None:
        service = Service()
        service.ask()
        service.store.halves = dict(NO_PROFILE)
        service.refuses(key=OTHER_KEY)
        service.store.reads.clear()

        service.cannot_tell(key=OTHER_KEY)

        assert service.store.reads == []
        assert service.ask().sip_username == "alice"


@pytest.mark.parametrize("ttl", [0, TTL])
@pytest.mark.parametrize("failure", [Throttled("busy"), Unreachable("gone")], ids=repr)
def test_who_is_not_remembered_gets_the_fault_of_the_profile_that_was_not_read(ttl: int, failure: Fault) -> None:
    """And not that of a second look, which would come too soon: the log says what happened to the table."""
    service = Service(ttl=ttl)
    service.store.halves = {Half.PROFILE: failure}

    fault = service.cannot_tell()

    assert (type(fault), str(fault)) == (type(failure), str(failure))

"""Single tokens that are revoked: the rule, what is remembered of their table, outages, and many at the same time."""

import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Semaphore
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Fault, Reason, Throttled, Unreachable
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import MAX_JTI_BYTES, Policy, Report, TagRows
from auth_jwt.ports import Deadline
from tests.factories import (
    HMAC_KEY,
    JTI,
    NOW,
    TAG,
    a_profile,
    a_revocation,
    a_secret,
    a_token,
    an_authorizer,
    refusal,
    verdict,
)
from tests.fakes import Clock, MemoryStore

TTL = 60
STALE_FOR = 300
THREADS = 16
PATIENCE = 30
"""Seconds after which a test that hangs fails instead."""

DEADLINE = Deadline(1)


def a_memory(
    store: MemoryStore, timer: Clock | None = None, *, ttl: int = TTL, max_bytes: int = 2**20
) -> RevocationMemory:
    return RevocationMemory(store, ttl=ttl, stale_for=STALE_FOR, timer=timer or Clock(), max_bytes=max_bytes)


def look(memory: RevocationMemory, jti: str = JTI, tag: str = TAG) -> bool:
    return memory.is_revoked(tag, jti, DEADLINE)


class TestRule:
    @pytest.mark.parametrize(
        "row",
        [
            pytest.param(a_revocation(), id="until later"),
            pytest.param(a_revocation(expires_at=NOW - 1), id="until a second ago: its row is deleted late"),
            pytest.param(a_revocation(expires_at="soon"), id="until nobody knows"),
            pytest.param({"tag": TAG, "jti": JTI}, id="nothing but its key"),
        ],
    )
    def test_a_token_that_is_listed_is_revoked_whatever_the_row_holds(self, row: dict[str, object]) -> None:
        authorizer = an_authorizer(revocations=[row])

        assert refusal(lambda: authorizer.authorize(a_token(jti=JTI))) is Reason.REVOKED_TOKEN

    @pytest.mark.parametrize(
        "row",
        [
            pytest.param(a_revocation(jti="another"), id="another token"),
            pytest.param(a_revocation(jti=JTI.upper()), id="in another case"),
            pytest.param(a_revocation(jti=f"{JTI} "), id="with a blank behind it"),
            pytest.param(a_revocation(tag="t2"), id="the same id of another tag"),
        ],
    )
    def test_no_other_token_is(self, row: dict[str, object]) -> None:
        authorizer = an_authorizer(revocations=[row])

        assert authorizer.authorize(a_token(jti=JTI)).sip_username == "alice"

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            pytest.param({}, Reason.MISSING_CLAIM, id="none"),
            pytest.param({"jti": None}, Reason.MISSING_CLAIM, id="null"),
            pytest.param({"jti": ""}, Reason.MISSING_CLAIM, id="empty"),
            pytest.param({"jti": 7}, Reason.MISSING_CLAIM, id="a number"),
            pytest.param({"jti": [JTI]}, Reason.MISSING_CLAIM, id="a list"),
            pytest.param({"jti": "x"}, None, id="a letter"),
            pytest.param({"jti": "x" * MAX_JTI_BYTES}, None, id="as long as a key may be"),
            pytest.param({"jti": "x" * (MAX_JTI_BYTES + 1)}, Reason.MALFORMED_CLAIM, id="a byte longer"),
            pytest.param({"jti": "ö" * (MAX_JTI_BYTES // 2)}, None, id="as many bytes"),
            pytest.param({"jti": "ö" * (MAX_JTI_BYTES // 2) + "x"}, Reason.MALFORMED_CLAIM, id="a byte more"),
        ],
    )
    def test_a_token_needs_an_id_that_the_table_could_list(self, claims: dict[str, Any], reason: Reason | None) -> None:
        """Nobody could revoke one that has none."""
        store = MemoryStore([a_profile()], [a_secret()])
        authorizer = an_authorizer(store=store, revocations=[])

        assert verdict(lambda: authorizer.authorize(a_token(**claims))) is reason
        assert len(store.lookups) == (reason is None)

    @pytest.mark.parametrize(
        "claims", [{}, {"jti": JTI}, {"jti": 7}, {"jti": "x" * 5000}], ids=["none", "x", "7", "long"]
    )
    def test_without_the_table_no_id_is_needed_and_nothing_is_read(self, claims: dict[str, Any]) -> None:
        store = MemoryStore([a_profile()], [a_secret()], revocations=[a_revocation()])

        assert an_authorizer(store=store).authorize(a_token(**claims)).sip_username == "alice"
        assert store.lookups == []

    @pytest.mark.parametrize(
        "store",
        [
            pytest.param(MemoryStore([a_profile()], []), id="no secret"),
            pytest.param(MemoryStore([a_profile()], [a_secret(HMAC_KEY.upper())]), id="another's signature"),
            pytest.param(MemoryStore([a_profile()], [a_secret(end_ts=NOW)]), id="a closed window"),
            pytest.param(MemoryStore([], [a_secret()]), id="no profile"),
            pytest.param(MemoryStore([a_profile(disabled=True)], [a_secret()]), id="a disabled profile"),
            pytest.param(MemoryStore([a_profile(tokens_valid_after=NOW)], [a_secret()]), id="all tokens revoked"),
        ],
    )
    def test_who_is_refused_anyway_costs_no_look_at_the_table(self, store: MemoryStore) -> None:
        authorizer = an_authorizer(store=store, revocations=[])

        refusal(lambda: authorizer.authorize(a_token(jti=JTI)))

        assert store.lookups == []

    def test_a_report_of_a_revoked_token_goes_as_far_as_its_secret(self) -> None:
        report = Report()
        authorizer = an_authorizer(revocations=[a_revocation()])

        refusal(lambda: authorizer.authorize(a_token(jti=JTI), report=report))

        assert report == Report(tag=TAG, algorithm="HS256", origin="table", secret_id="1")

    def test_a_revocation_is_not_worth_a_second_look_at_the_rows(self) -> None:
        store = MemoryStore([a_profile()], [a_secret()])
        authorizer = an_authorizer(store=store, ttl=60, revocations=[a_revocation()])
        for _ in range(2):
            assert refusal(lambda: authorizer.authorize(a_token(jti=JTI))) is Reason.REVOKED_TOKEN

        assert store.reads == [(TAG, False)]

    @pytest.mark.parametrize("outage", [Unreachable("gone"), Throttled("busy"), Fault("no such table")], ids=repr)
    def test_a_table_that_cannot_be_read_is_a_fault(self, outage: Fault) -> None:
        """Neither let in nor refused: it fails closed, and does not look like a no."""
        store = MemoryStore([a_profile()], [a_secret()], outage=outage)
        authorizer = an_authorizer(store=store, ttl=60, revocations=[])

        with pytest.raises(Fault) as caught:
            authorizer.authorize(a_token(jti=JTI))

        assert caught.value is outage

    def test_all_tables_share_the_time_of_the_request(self) -> None:
        """What profiles and secrets took is gone."""
        given: list[Deadline] = []

        class Store(MemoryStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                given.append(deadline)
                return super().read(tag, consistent=consistent, deadline=deadline)

            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                given.append(deadline)
                return super().is_revoked(tag, jti, deadline=deadline)

        store = Store([a_profile()], [a_secret()])
        an_authorizer(store=store, revocations=[]).authorize(a_token(jti=JTI))

        rows, revocation = given
        assert revocation is rows
        assert rows.seconds == 1.5


class TestRemembering:
    @pytest.mark.parametrize("is_revoked", [False, True])
    @pytest.mark.parametrize(
        ("seconds", "lookups"),
        [pytest.param(TTL - 1, 1, id="within its time"), pytest.param(TTL, 2, id="when its time is over")],
    )
    def test_what_was_found_is_remembered_for_its_time(self, is_revoked: bool, seconds: int, lookups: int) -> None:
        store, timer = MemoryStore(revocations=[a_revocation()] if is_revoked else []), Clock()
        memory = a_memory(store, timer)
        assert look(memory) is is_revoked

        timer.pass_by(seconds)

        assert look(memory) is is_revoked
        assert store.lookups == [(TAG, JTI)] * lookups

    def test_a_revocation_works_at_once_for_a_token_that_is_not_remembered_and_in_time_for_others(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = a_memory(store, timer)
        look(memory)
        store.revocations = [a_revocation(), a_revocation(jti="never seen")]

        assert look(memory, "never seen") is True
        assert look(memory) is False
        timer.pass_by(TTL)
        assert look(memory) is True

    def test_one_that_is_lifted_is_let_in_again_in_time(self) -> None:
        store, timer = MemoryStore(revocations=[a_revocation()]), Clock()
        memory = a_memory(store, timer)
        look(memory)
        store.revocations = []

        timer.pass_by(TTL)

        assert look(memory) is False

    def test_neither_another_token_of_the_tag_nor_the_same_id_of_another_tag_is_meant(self) -> None:
        store = MemoryStore(revocations=[a_revocation()])
        memory = a_memory(store)

        assert [look(memory), look(memory, "another"), look(memory, tag="t2")] == [True, False, False]
        assert [look(memory), look(memory, "another"), look(memory, tag="t2")] == [True, False, False]
        assert store.lookups == [(TAG, JTI), (TAG, "another"), ("t2", JTI)]

    def test_time_counts_from_before_the_read(self) -> None:
        """What was revoked while a slow read was under way must not live longer for it."""
        timer = Clock()

        class SlowStore(MemoryStore):
            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                timer.pass_by(10)
                return super().is_revoked(tag, jti, deadline=deadline)

        store = SlowStore()
        memory = a_memory(store, timer)
        look(memory)

        timer.pass_by(TTL - 10)
        look(memory)

        assert len(store.lookups) == 2

    def test_without_a_time_to_live_nothing_is_remembered(self) -> None:
        store = MemoryStore()
        memory = a_memory(store, ttl=0)
        for _ in range(2):
            look(memory)
        assert len(store.lookups) == 2

        store.outage = Unreachable("gone")

        with pytest.raises(Unreachable):
            look(memory)

    def test_a_failed_read_leaves_nothing_behind(self) -> None:
        store = MemoryStore(outage=Unreachable("gone"))
        memory = a_memory(store)
        with pytest.raises(Unreachable):
            look(memory)

        store.outage, store.revocations = None, [a_revocation()]

        assert look(memory) is True

    def test_a_slow_reading_does_not_overtake_a_later_one(self) -> None:
        """What was read first is forgotten, though it arrives last. The slow request itself gets the newer answer."""
        timer = Clock()

        class SlowStore(MemoryStore):
            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                found = super().is_revoked(tag, jti, deadline=deadline)
                if len(self.lookups) == 1:  # meanwhile the token is revoked, and another thread reads that
                    timer.pass_by(TTL)
                    self.revocations.append(a_revocation())
                    assert memory.is_revoked(tag, jti, deadline)
                return found

        store = SlowStore()
        memory = a_memory(store, timer)
        assert look(memory) is True
        store.outage = Unreachable("gone")

        assert look(memory) is True


class TestOutage:
    def a_stale_memory(self, store: MemoryStore, timer: Clock, *tokens: str) -> RevocationMemory:
        memory = a_memory(store, timer)
        for jti in tokens:
            look(memory, jti)
        timer.pass_by(TTL)
        store.lookups.clear()
        return memory

    @pytest.mark.parametrize("is_revoked", [False, True])
    @pytest.mark.parametrize(
        ("seconds", "serves"),
        [pytest.param(STALE_FOR - 1, True, id="until then"), pytest.param(STALE_FOR, False, id="no longer")],
    )
    def test_what_was_found_serves_on_for_a_while_only(self, is_revoked: bool, seconds: int, serves: bool) -> None:
        store, timer = MemoryStore(revocations=[a_revocation()] if is_revoked else []), Clock()
        memory = self.a_stale_memory(store, timer, JTI)
        store.outage = Unreachable("gone")
        timer.pass_by(seconds)

        if serves:
            assert look(memory) is is_revoked
        else:
            with pytest.raises(Unreachable):
                look(memory)

    @pytest.mark.parametrize(
        ("seconds", "attempts"), [pytest.param(0.9, 1, id="within a second"), pytest.param(1, 2, id="a second later")]
    )
    def test_a_token_that_cannot_be_looked_up_is_tried_once_a_second(self, seconds: float, attempts: int) -> None:
        """Of many tags, see test_outage.py."""
        store, timer = MemoryStore(), Clock()
        memory = self.a_stale_memory(store, timer, "a")
        store.outage = Unreachable("gone")
        look(memory, "a")

        timer.pass_by(seconds)
        look(memory, "a")

        assert len(store.lookups) == attempts

    def test_a_throttled_token_holds_up_no_other(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_stale_memory(store, timer, "a", "b")
        store.outage = Throttled("busy")
        look(memory, "a")
        store.outage, store.revocations = None, [a_revocation(jti="a"), a_revocation(jti="b")]

        assert look(memory, "b") is True
        assert look(memory, "a") is False

    def test_the_end_of_the_outage_is_noticed(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_stale_memory(store, timer, JTI)
        store.outage = Unreachable("gone")
        look(memory)

        store.outage, store.revocations = None, [a_revocation()]
        timer.pass_by(1)

        assert look(memory) is True

    def test_a_table_that_is_missing_or_forbidden_is_a_fault_and_not_an_outage(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_stale_memory(store, timer, JTI)
        store.outage = Fault("no such table")

        with pytest.raises(Fault, match="no such table"):
            look(memory)

    def test_a_token_never_seen_is_always_tried(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_stale_memory(store, timer, "a")
        store.outage = Unreachable("gone")
        look(memory, "a")

        with pytest.raises(Unreachable):
            look(memory, "never seen")

        assert [jti for _, jti in store.lookups] == ["a", "never seen"]


class TestBounds:
    def test_the_least_recently_used_token_makes_room(self) -> None:
        store = MemoryStore()
        memory = a_memory(store, max_bytes=1300)  # two, but not three
        for jti in ("a", "b", "a", "c"):
            look(memory, jti)
        store.lookups.clear()

        for jti in ("a", "c", "b"):
            look(memory, jti)

        assert [jti for _, jti in store.lookups] == ["b"]

    def test_remembering_a_token_again_does_not_count_it_twice(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = a_memory(store, timer, max_bytes=1300)
        for _ in range(5):
            look(memory, "a")
            look(memory, "b")
            timer.pass_by(TTL)
        look(memory, "a")
        look(memory, "b")
        store.lookups.clear()

        look(memory, "a")

        assert store.lookups == []

    def test_sixteen_mebibytes_are_remembered_altogether(self) -> None:
        """As docs/architecture.md says; here each token weighs one, which no real one does."""
        store = MemoryStore()
        memory = RevocationMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=Clock())
        padding = "x" * (2**20 - memory.weigh((TAG, "00"), False))
        tokens = [f"{number:02}{padding}" for number in range(17)]
        for jti in (*tokens[:16], *tokens[:16], tokens[16], tokens[1], tokens[0]):
            look(memory, jti)

        assert [int(jti[:2]) for _, jti in store.lookups] == [*range(17), 0]

    @pytest.mark.parametrize("letter", ["x", "ö", "€", "\U0001f600"])
    def test_it_never_takes_more_room_than_it_may(self, letter: str) -> None:
        """However long the ids are, and in whatever script."""
        limit = 2**20
        memory = a_memory(MemoryStore(lookups=_Nothing()), max_bytes=limit)
        length = MAX_JTI_BYTES // len(letter.encode()) - 6
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(5000):
                look(memory, letter * (1 + length * (number % 2)) + f"{number:06}")
            held = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, "*/auth_jwt/*"), tracemalloc.Filter(True, __file__)]
            )  # not what servers of other tests, which end at this moment, say of it
            occupied = sum(statistic.size for statistic in held.statistics("filename"))
        finally:
            tracemalloc.stop()

        assert limit / 2 < occupied < limit


class _Nothing(list[tuple[str, str]]):
    """A list that stays empty."""

    def append(self, _: object) -> None:
        """Forget it."""


@dataclass
class GatedStore(MemoryStore):
    """Lets a look at the revocations pass only when its gate opens, and tells who has come to it."""

    gate: Event = field(default_factory=Event)
    entered: Semaphore = field(default_factory=lambda: Semaphore(0))

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        return super().is_revoked(tag, jti, deadline=deadline)


class TestBurst:
    """Of many who come with one token, one reads and the others wait for what it gets."""

    def outcomes(self, memory: RevocationMemory, store: GatedStore, *, readers: int = 1) -> list[object]:
        """What THREADS who ask at the same time are told, or what they fail of."""
        waiting = Semaphore(0)

        def timer() -> float:
            waiting.release()
            return 0.0

        with ThreadPoolExecutor(THREADS) as threads:
            asked = [threads.submit(memory.is_revoked, TAG, JTI, Deadline(PATIENCE, timer)) for _ in range(THREADS)]
            for _ in range(readers):
                assert store.entered.acquire(timeout=PATIENCE)
            for _ in range(THREADS - readers):
                assert waiting.acquire(timeout=PATIENCE)
            store.gate.set()
        return [future.exception() or future.result() for future in asked]

    @pytest.mark.parametrize("is_revoked", [False, True])
    def test_it_costs_one_read(self, is_revoked: bool) -> None:
        store = GatedStore(revocations=[a_revocation()] if is_revoked else [])

        assert self.outcomes(a_memory(store), store) == [is_revoked] * THREADS
        assert store.lookups == [(TAG, JTI)]

    @pytest.mark.parametrize("outage", [Unreachable("gone"), Fault("no such table")], ids=repr)
    def test_all_get_the_fault_of_the_one_read(self, outage: Fault) -> None:
        store = GatedStore(outage=outage)

        problems = self.outcomes(a_memory(store), store)

        assert [repr(problem) for problem in problems] == [repr(outage)] * THREADS
        assert len(set(map(id, problems))) == THREADS

    def test_without_a_time_to_live_nothing_is_shared(self) -> None:
        store = GatedStore()

        assert self.outcomes(a_memory(store, ttl=0), store, readers=THREADS) == [False] * THREADS
        assert len(store.lookups) == THREADS

    def test_who_comes_later_than_a_lifetime_reads_anew(self) -> None:
        """A token may be revoked while a reading hangs, and then nobody may lean on that for longer than on memory."""
        store, timer = GatedStore(), Clock()
        memory = a_memory(store, timer)
        with ThreadPoolExecutor(2) as threads:
            asked = []
            for _ in range(2):
                asked.append(threads.submit(look, memory))
                assert store.entered.acquire(timeout=PATIENCE)
                timer.pass_by(TTL)
            store.gate.set()

        assert [future.result() for future in asked] == [False, False]
        assert len(store.lookups) == 2

    def test_the_end_of_an_old_reading_does_not_end_a_newer_one(self) -> None:
        gates = [Event(), Event()]
        waiting = Semaphore(0)

        class Gates(GatedStore):
            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                self.gate = gates[min(1, len(self.lookups))]
                self.lookups.append((tag, jti))
                self.entered.release()
                assert self.gate.wait(PATIENCE)
                return False

        def asked() -> float:
            waiting.release()
            return 0.0

        store, timer = Gates(), Clock()
        memory = a_memory(store, timer)
        with ThreadPoolExecutor(3) as threads:
            old = threads.submit(look, memory)
            assert store.entered.acquire(timeout=PATIENCE)
            timer.pass_by(TTL)
            threads.submit(look, memory)
            assert store.entered.acquire(timeout=PATIENCE)
            gates[0].set()
            old.result(PATIENCE)
            threads.submit(memory.is_revoked, TAG, JTI, Deadline(PATIENCE, asked))
            joined = waiting.acquire(timeout=PATIENCE)
            gates[1].set()

        assert joined
        assert len(store.lookups) == 2

    def test_no_token_waits_for_another(self) -> None:
        store = GatedStore()
        memory = a_memory(store)
        with ThreadPoolExecutor(THREADS) as threads:
            for number in range(THREADS):
                threads.submit(look, memory, str(number))
            for _ in range(THREADS):
                assert store.entered.acquire(timeout=PATIENCE)
            store.gate.set()

        assert len(store.lookups) == THREADS


def test_in_an_outage_of_all_tables_those_remembered_lately_get_in_and_others_fail() -> None:
    store, timer = MemoryStore([a_profile()], [a_secret()]), Clock()
    authorizer = Authorizer(
        memory=RowMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=timer),
        revocations=a_memory(store, timer),
        policy=Policy(),
        store_seconds=1,
        clock=Clock(NOW),
    )
    authorizer.authorize(a_token(jti=JTI))
    store.failure = store.outage = Unreachable("gone")
    timer.pass_by(TTL)

    assert authorizer.authorize(a_token(jti=JTI)).sip_username == "alice"
    with pytest.raises(Unreachable):
        authorizer.authorize(a_token(jti="never seen"))

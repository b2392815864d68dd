"""Many requests at the same time: one reads, the others wait for what it gets.

Nothing here sleeps. A store holds its readers at a gate, and who waits for another's reading asks its deadline how long
it may: that is how a test knows that everybody has come.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Barrier, Event, Lock, Semaphore
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.errors import Fault, Reason, Throttled, Unreachable
from auth_jwt.memory.memory import MAX_UNKNOWN_KEYS, Recalled
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Columns, Half, Policy, Report, TagRows
from auth_jwt.ports import Deadline, RowsStore
from tests.factories import HMAC_KEY, NOW, TAG, a_profile, a_secret, a_token, refusal, verdict
from tests.fakes import Clock, MemoryStore
from tests.interleaving import Turns
from tools.events.stage import create_tables, template

THREADS = 32
TTL = 60
STALE_FOR = 300
PATIENCE = 30
"""Seconds after which a test that hangs fails instead."""

OLD_KEY = HMAC_KEY.upper()


@dataclass
class GatedStore(MemoryStore):
    """Lets a read that is `held` pass only when its gate opens, and tells who has come to it."""

    held: frozenset[bool] = frozenset({False, True})
    gate: Event = field(default_factory=Event)
    entered: Semaphore = field(default_factory=lambda: Semaphore(0))

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        if consistent in self.held:
            self.entered.release()
            assert self.gate.wait(PATIENCE)
        return super().read(tag, consistent=consistent, deadline=deadline)

    def let_in(self, readers: int) -> None:
        """Wait until so many stand at the gate."""
        for _ in range(readers):
            assert self.entered.acquire(timeout=PATIENCE)


class Waiting:
    """Deadlines far away, and how many requests have asked how far."""

    def __init__(self) -> None:
        self._asked = Semaphore(0)

    def deadline(self) -> Deadline:
        return Deadline(PATIENCE, self._timer)

    def let_in(self, waiters: int) -> None:
        for _ in range(waiters):
            assert self._asked.acquire(timeout=PATIENCE)

    def _timer(self) -> float:
        self._asked.release()
        return time.monotonic()


def a_store(*tags: str, **fields: Any) -> GatedStore:
    return GatedStore(
        profiles=[a_profile(tag=tag, sip_username=tag) for tag in tags],
        secrets=[a_secret(corresponding_tag=tag) for tag in tags],
        **fields,
    )


def a_memory(store: RowsStore, timer: Callable[[], float] | None = None, **options: Any) -> RowMemory:
    return RowMemory(store, **{"ttl": TTL, "stale_for": STALE_FOR, "timer": timer or Clock(), **options})


def remembering(store: GatedStore, *tags: str, timer: Callable[[], float] | None = None) -> RowMemory:
    """A memory that has read these tags, before anybody was held at the gate."""
    memory = a_memory(store, timer)
    held, store.held = store.held, frozenset()
    for tag in tags:
        memory.recall(tag, Deadline(1))
    store.held = held
    store.reads.clear()
    return memory


def burst(store: GatedStore, ask: Callable[[Deadline], Any], *, readers: int = 1) -> list[Future[Any]]:
    """Ask in THREADS threads; open the gate when so many stand at it and all the others wait for those."""
    waiting = Waiting()
    with ThreadPoolExecutor(THREADS) as threads:
        asked = [threads.submit(ask, waiting.deadline()) for _ in range(THREADS)]
        store.let_in(readers)
        waiting.let_in(THREADS - readers)
        store.gate.set()
    return asked


def failures(asked: Sequence[Future[Any]]) -> list[BaseException]:
    return [problem for problem in (future.exception() for future in asked) if problem is not None]


class TestOneTag:
    @pytest.mark.parametrize("tag", ["alice", "nobody"])
    def test_a_burst_costs_one_read(self, tag: str) -> None:
        store = a_store("alice")
        memory = a_memory(store)

        asked: list[Recalled[TagRows]] = [future.result() for future in burst(store, lambda by: memory.recall(tag, by))]

        assert store.reads == [(tag, False)]
        assert len({id(recalled.found) for recalled in asked}) == 1
        assert bool(asked[0].found.secrets) is (tag == "alice")

    def test_only_who_reads_may_take_the_rows_for_the_latest(self) -> None:
        """For the others the reading began before they asked: a refusal by it is worth a second look."""
        store = a_store("alice")
        memory = a_memory(store)

        asked = [future.result() for future in burst(store, lambda by: memory.recall("alice", by))]

        assert Counter(recalled.origin for recalled in asked) == {"table": 1, "memory": THREADS - 1}
        assert Counter(recalled.halves_read for recalled in asked) == {tuple(Half): 1, (): THREADS - 1}

    def test_rows_too_heavy_to_remember_are_shared_all_the_same(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, max_bytes=1)

        asked = [future.result() for future in burst(store, lambda by: memory.recall("alice", by))]

        assert store.reads == [("alice", False)]
        assert all(recalled.found.secrets for recalled in asked)
        assert memory.recall("alice", Deadline(1)).origin == "table"

    def test_who_comes_later_than_a_lifetime_reads_anew(self) -> None:
        """Rows may not be served from memory for longer than they may be remembered, however slow their reading."""
        store, timer = a_store("alice"), Clock()
        memory = a_memory(store, timer)
        with ThreadPoolExecutor(2) as threads:
            asked = [threads.submit(memory.recall, "alice", Deadline(1))]
            store.let_in(1)
            timer.pass_by(TTL)
            asked.append(threads.submit(memory.recall, "alice", Deadline(1)))
            store.let_in(1)
            store.gate.set()

        assert [future.result().origin for future in asked] == ["table", "table"]

    def test_the_end_of_an_old_reading_does_not_end_a_newer_one(self) -> None:
        gates = [Event(), Event(), Event()]

        class Gates(GatedStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                gate = gates[len(self.reads)]
                rows = MemoryStore.read(self, tag, consistent=consistent, deadline=deadline)
                self.entered.release()
                assert gate.wait(PATIENCE)
                return rows

        store, timer, waiting = Gates(), Clock(), Waiting()
        memory = a_memory(store, timer)
        with ThreadPoolExecutor(3) as threads:
            old = threads.submit(memory.recall, "nobody", Deadline(PATIENCE))
            store.let_in(1)
            timer.pass_by(TTL)
            threads.submit(memory.recall, "nobody", Deadline(PATIENCE))
            store.let_in(1)
            gates[0].set()
            old.result(PATIENCE)
            threads.submit(memory.recall, "nobody", waiting.deadline())
            waiting.let_in(1)
            gates[1].set()

        assert len(store.reads) == 2

    def test_without_a_time_to_live_nothing_is_shared(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, time.monotonic, ttl=0)

        recalled = [future.result() for future in burst(store, lambda by: memory.recall("alice", by), readers=THREADS)]

        assert {answer.origin for answer in recalled} == {"table"}
        assert store.reads == [("alice", False)] * THREADS


class TestManyTags:
    def test_no_tag_waits_for_another(self) -> None:
        """All stand in the store at the same time, so nobody holds a lock there."""
        tags = [f"user-{number}" for number in range(THREADS)]
        store = a_store(*tags)
        memory = a_memory(store)
        names = iter(tags)

        recalled = burst(store, lambda by: memory.recall(next(names), by), readers=THREADS)

        assert {future.result().origin for future in recalled} == {"table"}
        assert Counter(store.reads) == {(tag, False): 1 for tag in tags}

    def test_who_is_remembered_waits_for_nobody(self) -> None:
        store = a_store("alice", "bob")
        memory = remembering(store, "bob")
        with ThreadPoolExecutor(1) as threads:
            threads.submit(memory.recall, "alice", Deadline(1))
            store.let_in(1)
            assert memory.recall("bob", Deadline(1)).origin == "memory"
            store.gate.set()


class TestFailing:
    @pytest.mark.parametrize("failure", [Unreachable("gone"), Throttled("busy"), Fault("no such table")], ids=repr)
    def test_all_get_the_fault_of_the_one_read(self, failure: Fault) -> None:
        store = a_store("alice", failure=failure)
        memory = a_memory(store)

        problems = failures(burst(store, lambda by: memory.recall("alice", by)))

        assert [(type(problem), problem.args) for problem in problems] == [(type(failure), failure.args)] * THREADS
        assert len(set(map(id, problems))) == THREADS
        assert store.reads == [("alice", False)]

    def test_all_get_the_stale_rows_that_may_serve(self) -> None:
        store, timer = a_store("alice", failure=None), Clock()
        memory = remembering(store, "alice", timer=timer)
        timer.pass_by(TTL)
        store.failure = Unreachable("gone")

        recalled = burst(store, lambda by: memory.recall("alice", by))

        assert {future.result().origin for future in recalled} == {"stale"}
        assert store.reads == [("alice", False)]

    def test_all_are_told_when_half_of_the_rows_is_stale(self) -> None:
        store, timer = a_store("alice"), Clock()
        memory = remembering(store, "alice", timer=timer)
        timer.pass_by(TTL)
        store.halves = {Half.PROFILE: Unreachable("no profile")}

        recalled = burst(store, lambda by: memory.recall("alice", by))

        assert {future.result().origin for future in recalled} == {"stale"}
        assert store.reads == [("alice", False)]

    @pytest.mark.parametrize("death", [ValueError("unforeseen"), KeyboardInterrupt(), SystemExit(1)], ids=repr)
    def test_nobody_is_left_waiting_whatever_the_reader_dies_of(self, death: BaseException) -> None:
        class Deadly(GatedStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                super().read(tag, consistent=consistent, deadline=deadline)
                raise death

        store = Deadly()
        memory = a_memory(store)

        problems = failures(burst(store, lambda by: memory.recall("alice", by)))

        assert Counter(map(type, problems)) == {type(death): 1, Fault: THREADS - 1}
        assert store.reads == [("alice", False)]
        with pytest.raises(type(death)):  # the next one reads again
            memory.recall("alice", Deadline(1))

    def test_nobody_waits_longer_than_its_own_deadline(self) -> None:
        store = a_store("alice")
        memory = a_memory(store)
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(memory.recall, "alice", Deadline(PATIENCE))
            store.let_in(1)

            with pytest.raises(Unreachable, match="STORE_TIMEOUT_MS"):
                memory.recall("alice", Deadline(0))

            store.gate.set()
        assert slow.result().origin == "table"
        assert store.reads == [("alice", False)]

    def test_whose_time_is_up_takes_stale_rows_that_may_serve(self) -> None:
        store, timer = a_store("alice"), Clock()
        memory = remembering(store, "alice", timer=timer)
        timer.pass_by(TTL)
        with ThreadPoolExecutor(1) as threads:
            threads.submit(memory.recall, "alice", Deadline(PATIENCE))
            store.let_in(1)
            assert memory.recall("alice", Deadline(0)).origin == "stale"
            store.gate.set()


class TestRenewing:
    def test_a_burst_of_second_looks_costs_one_strongly_consistent_read(self) -> None:
        store = a_store("alice")
        memory = remembering(store, "alice")
        before = memory.recall("alice", Deadline(1)).found

        renewed = burst(store, lambda by: memory.renew("alice", by, instead_of=before))

        assert store.reads == [("alice", True)]
        assert len({id(future.result()) for future in renewed}) == 1
        assert renewed[0].result() is not None

    @pytest.mark.parametrize("tag", ["alice", "nobody"])
    def test_one_that_waits_gets_rows_also_when_it_does_not_say_which_it_has(self, tag: str) -> None:
        store = a_store("alice")
        memory = remembering(store, tag)

        renewed = burst(store, lambda by: memory.renew(tag, by))

        assert store.reads == [(tag, True)]
        assert all(future.result() is not None for future in renewed)

    def test_who_looked_at_older_rows_gets_those_that_another_renewed_meanwhile(self) -> None:
        """Else a new secret would not work for a request that another one overtook."""
        store = a_store("alice", held=frozenset())
        memory = a_memory(store)
        seen = memory.recall("alice", Deadline(1)).found
        store.secrets.append(a_secret(id="2", corresponding_tag="alice"))
        renewed = memory.renew("alice", Deadline(1), instead_of=seen)

        assert renewed is not None
        assert memory.renew("alice", Deadline(1), instead_of=seen) is renewed
        assert memory.renew("alice", Deadline(1), instead_of=renewed.found) is None
        assert store.reads.count(("alice", True)) == 1

    def test_that_a_tag_is_still_unknown_is_nothing_new(self) -> None:
        store = GatedStore(profiles=[a_profile(tag="lonely")], held=frozenset())
        memory = a_memory(store)
        seen = memory.recall("lonely", Deadline(1)).found
        memory.renew("lonely", Deadline(1), instead_of=seen)

        assert memory.renew("lonely", Deadline(1), instead_of=seen) is None

    def test_a_reading_that_may_lag_behind_is_not_waited_for(self) -> None:
        store = a_store("alice", held=frozenset({False}))
        memory = a_memory(store)
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(memory.recall, "alice", Deadline(PATIENCE))
            store.let_in(1)
            assert memory.renew("alice", Deadline(1)) is not None
            assert store.reads == [("alice", True)]
            store.gate.set()
        assert slow.result().origin == "table"

    def test_a_renewal_that_takes_longer_than_a_second_is_waited_for_no_more(self) -> None:
        """It began too long ago to know of a secret written since, and once a second another may be asked."""
        store, timer = a_store("alice"), Clock()
        memory = remembering(store, "alice", timer=timer)
        with ThreadPoolExecutor(2) as threads:
            threads.submit(memory.renew, "alice", Deadline(PATIENCE))
            store.let_in(1)
            timer.pass_by(0.9)
            with pytest.raises(Unreachable, match="STORE_TIMEOUT_MS"):
                memory.renew("alice", Deadline(0))
            timer.pass_by(0.1)
            second = threads.submit(memory.renew, "alice", Deadline(PATIENCE))
            store.let_in(1)
            store.gate.set()
        assert second.result() is not None
        assert store.reads == [("alice", True)] * 2

    @pytest.mark.parametrize("failure", [Unreachable("gone"), Fault("refused")], ids=repr)
    def test_a_renewal_that_fails_is_a_fault_for_all(self, failure: Fault) -> None:
        """Those who came while it was under way may not be refused by the rows it was to check."""
        store = a_store("alice")
        memory = remembering(store, "alice")
        store.failure = failure

        problems = failures(burst(store, lambda by: memory.renew("alice", by)))

        assert [(type(problem), problem.args) for problem in problems] == [(type(failure), failure.args)] * THREADS
        assert store.reads == [("alice", True)]

    def test_once_a_second_holds_for_a_tag_that_memory_has_no_room_for(self) -> None:
        store = a_store("alice", held=frozenset())
        memory = a_memory(store, max_bytes=1)

        assert [memory.renew("alice", Deadline(1)) is None for _ in range(3)] == [False, True, True]
        assert store.reads == [("alice", True)]

    def test_without_a_time_to_live_no_renewal_is_shared(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, time.monotonic, ttl=0)

        renewed = burst(store, lambda by: memory.renew("alice", by), readers=THREADS)

        assert all(future.result() is not None for future in renewed)
        assert store.reads == [("alice", True)] * THREADS

    def test_what_is_noted_of_renewals_is_forgotten_after_a_second(self) -> None:
        tags = [f"user-{number}" for number in range(100)]
        store, timer = a_store(*tags, held=frozenset()), Clock()
        memory = a_memory(store, timer)
        for tag in tags:
            memory.renew(tag, Deadline(1))
            timer.pass_by(0.25)

        assert len(memory._renewals) == 4

    def test_of_renewals_the_oldest_is_forgotten_first(self) -> None:
        """Else who asks for a tag would have another one read twice in a second."""
        store, timer = a_store("alice", "bob", held=frozenset()), Clock()
        memory = a_memory(store, timer)
        memory.renew("alice", Deadline(1))
        timer.pass_by(0.5)
        memory.renew("bob", Deadline(1))
        timer.pass_by(0.5)
        memory.recall("alice", Deadline(1))

        assert memory.renew("bob", Deadline(1)) is None
        assert memory.renew("alice", Deadline(1)) is not None

    def test_whoever_asks_for_anything_has_them_forgotten(self) -> None:
        """They hold rows, and beside what is remembered those would count nowhere."""
        store, timer = a_store("alice", "bob", held=frozenset()), Clock()
        memory = a_memory(store, timer)
        memory.renew("alice", Deadline(1))
        timer.pass_by(1)
        memory.recall("bob", Deadline(1))

        assert not memory._renewals


class LockedMemory(RowMemory):
    """Counts how often it was asked something within its lock: all of this belongs there, and a read does not."""

    def __init__(self, store: RowsStore) -> None:
        super().__init__(store, ttl=TTL, stale_for=STALE_FOR, timer=self.note)
        self.within = 0
        note = self.note

        class UnderWay(dict[str, Any]):
            def __delitem__(self, key: str) -> None:
                note()
                super().__delitem__(key)

        self._under_way = UnderWay()

    def partition_of(self, key: str, /) -> str:
        self.note()
        return super().partition_of(key)

    def weigh(self, key: str, value: TagRows, /) -> int:
        self.note()
        return super().weigh(key, value)

    def read(self, key: str, consistent: bool, deadline: Deadline, /) -> TagRows:
        assert not self._lock.locked()
        return super().read(key, consistent, deadline)

    def note(self) -> float:
        assert self._lock.locked()
        self.within += 1
        return NOW


@pytest.mark.parametrize("failure", [None, Unreachable("gone")], ids=repr)
def test_one_lock_guards_what_is_remembered_and_nobody_holds_it_during_a_read(failure: Fault | None) -> None:
    """So of two requests at once neither acts on what the other is about to change."""
    store = a_store("alice", held=frozenset(), failure=failure)
    memory = LockedMemory(store)
    for ask in (memory.recall, memory.renew):
        with suppress(Unreachable):
            ask("alice", Deadline(1))

    assert store.reads == [("alice", False), ("alice", True)]
    assert memory.within >= 9


def test_whatever_the_threads_do_reads_are_rare_and_the_books_balance() -> None:
    """Threads at random among a few tags, of which not all fit, switching as often as Python lets them."""
    tags = [f"user-{number}" for number in range(6)]
    threads, steps, tick = 8, 300, 0.002

    class Ticking(Clock):
        """Goes on by a tick with every step of any thread."""

        guard = Lock()

        def pass_by(self, seconds: float) -> None:
            with self.guard:
                super().pass_by(seconds)

    class Watched(MemoryStore):
        """Notes how many eventually consistent reads of a tag are under way at once."""

        def __init__(self) -> None:
            filled = a_store(*tags[:4])
            super().__init__(filled.profiles, filled.secrets)
            self.guard, self.reading, self.most = Lock(), Counter[str](), 0

        def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
            with self.guard:
                self.reading[tag] += not consistent
                self.most = max(self.most, self.reading[tag])
            try:
                return super().read(tag, consistent=consistent, deadline=deadline)
            finally:
                with self.guard:
                    self.reading[tag] -= not consistent

    store, timer = Watched(), Ticking()
    weight = MemoryStore.read(store, tags[0], consistent=False, deadline=Deadline(1)).weight
    memory = a_memory(store, timer, max_bytes=2 * weight)
    start = Barrier(threads)

    def ask(seed: int) -> None:
        start.wait(PATIENCE)
        for step in range(steps):
            timer.pass_by(tick)
            tag = tags[(seed * 7 + step * step) % len(tags)]
            recalled = memory.recall(tag, Deadline(PATIENCE))
            assert bool(recalled.found.secrets) is (tag in tags[:4])
            if step % 5 == seed % 5 and not recalled.halves_read:
                memory.renew(tag, Deadline(PATIENCE), instead_of=recalled.found)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(ask, seed) for seed in range(threads)]:
                future.result()
    finally:
        sys.setswitchinterval(interval)

    assert store.most == 1
    renewals = Counter(tag for tag, consistent in store.reads if consistent)
    assert renewals
    assert max(renewals.values()) <= 1 + threads * steps * tick
    assert memory._bytes == sum(entry.weight for entry in memory._known.values()) <= 2 * weight
    assert len(memory._unknown) <= MAX_UNKNOWN_KEYS
    assert not memory._under_way


def test_who_remembers_at_the_same_time_waits_for_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the older of two reads could be put in the place of the newer, which was remembered meanwhile."""
    timer, store = Clock(), MemoryStore([a_profile()], [a_secret()])
    turns = Turns(timer)
    monkeypatch.setattr("auth_jwt.memory.memory.Lock", turns.lock)

    class Overtaken(RowMemory):
        def weigh(self, key: str, value: TagRows, /) -> int:
            turns.pause("it is about to be remembered")
            return super().weigh(key, value)

    memory = Overtaken(store, ttl=TTL, stale_for=STALE_FOR, timer=timer)
    older = turns.start(lambda: memory.recall(TAG, Deadline(PATIENCE)))
    older.go_on()
    assert older.point == "it is about to be remembered"
    timer.pass_by(1)
    store.secrets.append(a_secret(id="2"))
    newer = turns.start(lambda: memory.renew(TAG, Deadline(PATIENCE)))
    newer.go_on(9)
    older.go_on(9)
    newer.go_on(9)

    assert (older.has_ended, older.failure, newer.has_ended, newer.failure) == (True, None, True, None)
    assert [secret.id for secret in memory.recall(TAG, Deadline(PATIENCE)).found.secrets] == ["1", "2"]
    assert memory._bytes == sum(entry.weight for entry in memory._known.values())


# -- through the whole decision ---------------------------------------------------------------------------------------


def decided_at_once(authorizer: Callable[[Callable[[], float]], Authorizer], token: str) -> list[Reason | None]:
    """What THREADS threads are told that ask for a decision at the same time: their first step waits for all."""
    start = Barrier(THREADS)

    def clock() -> float:
        start.wait(PATIENCE)
        return NOW

    together = authorizer(clock)
    with ThreadPoolExecutor(THREADS) as threads:
        return [
            future.result()
            for future in [
                threads.submit(verdict, lambda: together.authorize(token, from_user="alice")) for _ in range(THREADS)
            ]
        ]


def deciding_by(memory: RowMemory) -> Callable[[Callable[[], float]], Authorizer]:
    return lambda clock: Authorizer(memory=memory, policy=Policy(), store_seconds=PATIENCE, clock=clock)


def test_a_burst_of_one_cold_user_is_let_in_by_one_read() -> None:
    store = MemoryStore([a_profile()], [a_secret()])

    assert decided_at_once(deciding_by(a_memory(store)), a_token()) == [None] * THREADS
    assert store.reads == [(TAG, False)]


def test_a_burst_of_one_forged_token_is_refused_by_two() -> None:
    """Who did not read by itself has a second look, and that is one read for all of them as well."""
    store = MemoryStore([a_profile()], [a_secret(OLD_KEY)])

    assert decided_at_once(deciding_by(a_memory(store)), a_token()) == [Reason.BAD_SIGNATURE] * THREADS
    assert Counter(store.reads) == {(TAG, False): 1, (TAG, True): 1}


def test_a_secret_written_while_a_reading_is_under_way_works_at_once() -> None:
    """The one that waits was asked after the write, and the reading began before it."""

    class Snapshot(GatedStore):
        """What it answers was so when the reading began."""

        def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
            rows = MemoryStore.read(self, tag, consistent=consistent, deadline=deadline)
            if consistent in self.held:
                self.entered.release()
                assert self.gate.wait(PATIENCE)
            return rows

    store = Snapshot([a_profile()], [a_secret(OLD_KEY)], held=frozenset({False}))
    authorizer = deciding_by(a_memory(store))(Clock(NOW))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(refusal, lambda: authorizer.authorize(a_token()))
        store.let_in(1)
        store.secrets.append(a_secret(id="2"))
        second = threads.submit(verdict, lambda: authorizer.authorize(a_token()))
        store.gate.set()

    assert first.result() is Reason.BAD_SIGNATURE
    assert second.result() is None


def test_a_new_secret_works_for_a_request_that_another_one_overtook() -> None:
    """While the one looks at the old rows, the other has its second look; so the one is judged by that as well."""
    store = MemoryStore([a_profile()], [a_secret(OLD_KEY)])
    authorizer = deciding_by(a_memory(store))(Clock(NOW))
    refusal(lambda: authorizer.authorize(a_token()))

    class Overtaken(Report):
        """The report of a request that, once it has recalled its rows, lets another one pass."""

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "origin" and value == "memory":
                store.secrets.append(a_secret(id="2"))
                authorizer.authorize(a_token())

    assert authorizer.authorize(a_token(), report=Overtaken()).sip_username == "alice"
    assert store.reads.count((TAG, True)) == 1


def test_a_burst_costs_one_question_to_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where the SDK sends them, over tables as the template has them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client: Any = boto3.client("dynamodb", region_name="eu-central-1")
        create_tables(client, template())
        client.put_item(TableName="jwt_profiles", Item={"tag": {"S": TAG}, "sip_username": {"S": "alice"}})
        client.put_item(
            TableName="jwt_secrets",
            Item={
                "corresponding_tag": {"S": TAG},
                "id": {"S": "1"},
                "secret": {"S": HMAC_KEY},
                "start_ts": {"N": "0"},
                "end_ts": {"N": str(NOW + 1)},
            },
        )
        sent: list[str] = []
        client.meta.events.register("before-call.dynamodb", lambda model, **_: sent.append(model.name))
        store = DynamoDbStore(
            lambda: client, profiles_table="jwt_profiles", secrets_table="jwt_secrets", columns=Columns()
        )

        verdicts = decided_at_once(deciding_by(a_memory(store)), a_token())

    assert verdicts == [None] * THREADS
    assert Counter(sent) == {"GetItem": 1, "Query": 1}

"""When the tables count as away: what one tag's failures say about the others, and what an outage costs."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Semaphore
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Fault, Reason, Throttled, Unreachable
from auth_jwt.memory.outage import MAX_FAILING_TAGS, TAGS_OF_AN_OUTAGE, Outage
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Half, Policy, TagRows
from auth_jwt.ports import Deadline
from tests.factories import HMAC_KEY, NOW, a_profile, a_secret, a_token, verdict
from tests.fakes import Clock, MemoryStore

TTL = 60
STALE_FOR = 300
TIMEOUT = 1.5
PATIENCE = 30
"""Seconds after which a test that hangs fails instead."""

FORGED = HMAC_KEY.upper()
USERS = [f"user-{number}" for number in range(20)]
GONE = Unreachable("gone")


@dataclass
class SlowStore(MemoryStore):
    """A failure takes its time, as when nobody answers."""

    timer: Clock = field(default_factory=Clock)

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        try:
            return super().read(tag, consistent=consistent, deadline=deadline)
        except Unreachable:
            self.timer.pass_by(TIMEOUT)
            raise


def a_store(*tags: str, kind: type[MemoryStore] = MemoryStore, **fields: Any) -> MemoryStore:
    return kind(
        [a_profile(tag=tag, sip_username=tag) for tag in tags],
        [a_secret(corresponding_tag=tag) for tag in tags],
        **fields,
    )


def a_memory(store: MemoryStore, timer: Clock) -> RowMemory:
    return RowMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=timer)


def remembering(store: MemoryStore, timer: Clock, *tags: str) -> RowMemory:
    """A memory of these tags, whose time is just over."""
    memory = a_memory(store, timer)
    for tag in tags:
        recall(memory, tag)
    timer.pass_by(TTL)
    store.reads.clear()
    return memory


def recall(memory: RowMemory, tag: str) -> str:
    """Where the rows of *tag* come from now."""
    try:
        return memory.recall(tag, Deadline(TIMEOUT)).origin
    except Fault:
        return "fault"


def put_out(memory: RowMemory, store: MemoryStore, *tags: str) -> None:
    """Have so many tags fail that the tables count as away."""
    store.failure = GONE
    for tag in tags[:TAGS_OF_AN_OUTAGE]:
        recall(memory, tag)
    store.reads.clear()


class TestBrokenTags:
    """The rows of some tags cannot be read, those of all others can."""

    @pytest.mark.parametrize("key", [FORGED, HMAC_KEY], ids=["forged", "good"])
    @pytest.mark.parametrize(
        "flood",
        [
            pytest.param(USERS[:1], id="one remembered tag"),
            pytest.param(USERS[: TAGS_OF_AN_OUTAGE - 1], id="nearly enough of them"),
            pytest.param(["never seen"], id="one that is not remembered"),
            pytest.param([f"never seen {number}" for number in range(8 * TTL)], id="a new one each time"),
        ],
    )
    def test_a_flood_of_their_tokens_keeps_no_disabled_user_alive(self, flood: list[str], key: str) -> None:
        store, timer = a_store("alice", *USERS), Clock()
        memory = a_memory(store, timer)
        authorizer = Authorizer(memory=memory, policy=Policy(), store_seconds=TIMEOUT, clock=lambda: NOW)
        for tag in ("alice", *USERS):
            authorizer.authorize(a_token(tag=tag))
        store.broken = dict.fromkeys(flood, GONE)
        store.profiles[0].update(disabled=True)
        tokens = cycle([a_token(tag=tag, key=key) for tag in flood])

        for _ in range(8 * TTL):
            with suppress(Unreachable):
                authorizer.authorize(next(tokens))
            timer.pass_by(0.125)

        assert verdict(lambda: authorizer.authorize(a_token(tag="alice"))) is Reason.DISABLED_PROFILE

    @pytest.mark.parametrize("eighths", range(16))
    def test_a_flood_that_looks_like_an_outage_keeps_others_out_of_every_other_second_only(self, eighths: int) -> None:
        store, timer = a_store("alice", *USERS), Clock()
        memory = remembering(store, timer, "alice", *USERS)
        store.broken = dict.fromkeys(USERS, GONE)
        flood = cycle(USERS)
        for _ in range(240 + eighths):
            recall(memory, next(flood))
            timer.pass_by(0.125)

        answers = [recall(memory, "alice")]
        for _ in range(8):
            recall(memory, next(flood))
            timer.pass_by(0.125)
        answers.append(recall(memory, "alice"))

        assert "table" in answers

    def test_once_another_was_read_their_flood_is_no_outage_any_more(self) -> None:
        """Nor if all of them fail again and again."""
        store, timer = a_store("alice", "bob", *USERS), Clock()
        memory = remembering(store, timer, "alice", "bob", *USERS)
        store.broken = dict.fromkeys(USERS, GONE)
        for tag in USERS:
            recall(memory, tag)
            timer.pass_by(1)
        recall(memory, "alice")

        for _ in range(10):
            timer.pass_by(1)
            for tag in USERS:
                recall(memory, tag)

        assert recall(memory, "bob") == "table"
        for tag in USERS:
            recall(memory, tag)
        assert recall(memory, "cold") == "table"

    def test_a_tag_that_was_mended_counts_again(self) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        for failure in (GONE, None):
            store.failure = failure
            for tag in USERS:
                recall(memory, tag)
                timer.pass_by(2)
        timer.pass_by(TTL)

        put_out(memory, store, *USERS)

        assert recall(memory, USERS[-1]) == "stale"
        assert store.reads == []

    def test_all_others_stay_fresh(self) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        store.broken = dict.fromkeys(USERS[::4], GONE)

        assert Counter(recall(memory, tag) for tag in USERS) == {"stale": 5, "table": 15}

    @pytest.mark.parametrize("failure", [Throttled("busy"), Fault("no such table"), ValueError("unforeseen")], ids=repr)
    def test_however_many_fail_of_anything_but_silence_is_no_outage(self, failure: Exception) -> None:
        store, timer = a_store("alice", *USERS), Clock()
        memory = remembering(store, timer, "alice", *USERS)
        store.broken = dict.fromkeys(USERS, failure)
        for tag in USERS:
            with suppress(ValueError):
                recall(memory, tag)

        assert recall(memory, "alice") == "table"

    @pytest.mark.parametrize("half", Half)
    def test_one_table_that_answers_nobody_is_no_outage(self, half: Half) -> None:
        """What the other one says about each tag would not count."""
        store, timer = a_store("alice", *USERS), Clock()
        memory = remembering(store, timer, "alice", *USERS)
        store.halves = {half: GONE}
        for tag in USERS:
            recall(memory, tag)
        store.reads.clear()

        recall(memory, "alice")

        assert store.reads == [("alice", False)]


class TestABlackHole:
    """No table answers anybody, and each attempt waits in vain."""

    @pytest.mark.parametrize("remembered", [True, False], ids=["remembered", "cold"])
    def test_only_so_many_wait_and_then_one_a_second(self, remembered: bool) -> None:
        timer = Clock()
        store = a_store(*USERS, kind=SlowStore, timer=timer)
        memory = remembering(store, timer, *(USERS if remembered else []))
        store.failure = GONE
        began, waited = timer(), 0.0
        for tag in [*USERS] * 20:
            before = timer()
            assert recall(memory, tag) == ("stale" if remembered else "fault")
            waited += timer() - before
            timer.pass_by(0.125)

        seconds = timer() - began - waited
        assert waited <= TIMEOUT * (TAGS_OF_AN_OUTAGE + math.ceil(seconds))
        assert len(store.reads) <= TAGS_OF_AN_OUTAGE + math.ceil(seconds)

    def test_a_thousand_that_are_stale_at_once_cost_three_waits(self) -> None:
        tags = [f"user-{number}" for number in range(1000)]
        store, timer = a_store(*tags), Clock()
        memory = remembering(store, timer, *tags)
        store.failure = GONE

        assert {recall(memory, tag) for tag in tags} == {"stale"}
        assert len(store.reads) == 3

    def test_the_forged_are_answered_at_once(self) -> None:
        """Their second look is an attempt like any other."""
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        for tag in USERS:
            recall(memory, tag)
        store.failure = GONE
        store.reads.clear()

        for tag in USERS:
            with pytest.raises(Unreachable):
                memory.renew(tag, Deadline(TIMEOUT))

        assert len(store.reads) == TAGS_OF_AN_OUTAGE

    def test_what_was_read_anew_before_it_refuses_on_for_its_second(self) -> None:
        """Nothing has to be read for that, so it takes nobody's attempt either."""
        store, timer = a_store("alice", *USERS), Clock()
        memory = remembering(store, timer, "alice", *USERS)
        renewed = memory.renew("alice", Deadline(TIMEOUT))
        assert renewed is not None
        put_out(memory, store, *USERS)

        assert memory.renew("alice", Deadline(TIMEOUT), instead_of=renewed.found) is None
        assert store.reads == []

    @pytest.mark.parametrize("tag", ["alice", "cold"])
    @pytest.mark.parametrize(
        ("seconds", "again"), [pytest.param(0.9, False, id="not yet"), pytest.param(1, True, id="after a second")]
    )
    def test_it_is_tried_again_after_a_second(self, tag: str, seconds: float, again: bool) -> None:
        store, timer = a_store("alice", *USERS), Clock()
        memory = remembering(store, timer, "alice", *USERS)
        put_out(memory, store, *USERS)
        timer.pass_by(seconds)

        for _ in range(3):
            recall(memory, tag)

        assert store.reads == [(tag, False)] * again

    def test_those_that_failed_leave_one_second_to_the_others(self) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        timer.pass_by(1)
        recall(memory, USERS[0])
        assert store.reads == []

        timer.pass_by(1)
        recall(memory, USERS[0])
        assert store.reads == [(USERS[0], False)]

    def test_the_first_success_ends_it_for_all_at_once(self) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS[:10])
        put_out(memory, store, *USERS)
        store.failure = None
        timer.pass_by(1)

        assert recall(memory, USERS[5]) == "table"
        assert {recall(memory, tag) for tag in USERS[6:]} == {"table"}

    @pytest.mark.parametrize("failure", [Throttled("busy"), Unreachable("gone")], ids=repr)
    def test_a_failure_of_the_attempt_does_not(self, failure: Fault) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        store.failure = failure
        timer.pass_by(1)

        assert [recall(memory, tag) for tag in USERS[5:]] == ["stale"] * 15
        assert len(store.reads) == 1

    def test_a_table_that_turns_out_missing_does(self) -> None:
        """That is a fault, and no reason to serve stale rows."""
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        store.failure = Fault("no such table")
        timer.pass_by(1)

        assert {recall(memory, tag) for tag in USERS[5:]} == {"fault"}

    def test_one_table_that_answers_again_does(self) -> None:
        store, timer = a_store(*USERS), Clock()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        store.failure, store.halves = None, {Half.PROFILE: GONE}
        timer.pass_by(1)
        for tag in USERS[5:]:
            recall(memory, tag)

        assert len(store.reads) == 15

    @pytest.mark.parametrize("death", [ValueError("unforeseen"), KeyboardInterrupt(), Throttled("busy")], ids=repr)
    @pytest.mark.parametrize("remembered", [True, False], ids=["remembered", "cold"])
    def test_an_attempt_that_breaks_off_leaves_the_next_second_to_another(
        self, remembered: bool, death: BaseException
    ) -> None:
        deadly, other = USERS[-2:] if remembered else ("deadly", "cold")

        class Deadly(MemoryStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                if self.failure is not None and tag == deadly:
                    raise death
                return super().read(tag, consistent=consistent, deadline=deadline)

        store, timer = a_store(*USERS, kind=Deadly), Clock()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        timer.pass_by(1)
        with suppress(type(death)):
            memory.recall(deadly, Deadline(TIMEOUT))
        assert store.reads == []

        timer.pass_by(1)
        recall(memory, other)

        assert store.reads == [(other, False)]

    @pytest.mark.parametrize("asked_before", [False, True], ids=["never asked for", "known to be unknown"])
    def test_made_up_tags_take_no_attempt_from_those_that_are_remembered(self, asked_before: bool) -> None:
        store, timer = a_store(*USERS), Clock()
        made_up = [f"made up {number}" for number in range(100)]
        memory = remembering(store, timer, *USERS, *(made_up if asked_before else []))
        put_out(memory, store, *USERS)
        timer.pass_by(1)
        for tag in made_up:
            recall(memory, tag)
        store.reads.clear()

        recall(memory, USERS[-1])

        assert store.reads == [(USERS[-1], False)]

    def test_without_memory_it_is_known_all_the_same(self) -> None:
        """That is nothing about anybody's rows."""
        store = a_store(*USERS, failure=GONE)
        memory = RowMemory(store, ttl=0, stale_for=0, timer=Clock())

        assert {recall(memory, tag) for tag in USERS} == {"fault"}
        assert len(store.reads) == TAGS_OF_AN_OUTAGE


@dataclass
class GatedStore(MemoryStore):
    """Holds each read at a gate, and tells who has come to it; ends it with the failure of then, if any."""

    gate: Event = field(default_factory=Event)
    entered: Semaphore = field(default_factory=lambda: Semaphore(0))

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        return super().read(tag, consistent=consistent, deadline=deadline)

    def let_in(self, readers: int) -> None:
        for _ in range(readers):
            assert self.entered.acquire(timeout=PATIENCE)


class TestThreads:
    @pytest.mark.parametrize("same", [True, False], ids=["one tag", "many tags"])
    @pytest.mark.parametrize(("cold", "answer"), [(False, "stale"), (True, "fault")], ids=["remembered", "cold"])
    def test_while_one_tries_nobody_waits(self, same: bool, cold: bool, answer: str) -> None:
        """However long that attempt takes, also those who ask for the same tag."""
        store, timer = a_store(*USERS, kind=GatedStore), Clock()
        assert isinstance(store, GatedStore)
        store.gate.set()
        memory = remembering(store, timer, *USERS)
        put_out(memory, store, *USERS)
        if cold:
            put_out(memory, store, *(f"cold-{number}" for number in range(TAGS_OF_AN_OUTAGE)))
        store.entered, store.gate = Semaphore(0), Event()
        timer.pass_by(1)
        tags = [f"never seen {number}" for number in range(12)] if cold else USERS[5:]
        with ThreadPoolExecutor(1) as threads:
            attempt = threads.submit(recall, memory, tags[0])
            store.let_in(1)
            timer.pass_by(TIMEOUT)
            assert {recall(memory, tags[0] if same else tag) for tag in tags[1:]} == {answer}
            store.failure = None
            store.gate.set()

        assert attempt.result() == "table"
        assert recall(memory, tags[-1]) == "table"

    def test_of_a_thundering_herd_one_tries(self) -> None:
        threads, tags = 16, [f"user-{number}" for number in range(64)]
        store, timer = a_store(*tags, kind=GatedStore), Clock()
        assert isinstance(store, GatedStore)
        store.gate.set()
        memory = remembering(store, timer, *tags)
        put_out(memory, store, *tags)
        timer.pass_by(1)

        with ThreadPoolExecutor(threads) as pool:
            answers = list(pool.map(lambda tag: recall(memory, tag), tags))

        assert answers == ["stale"] * len(tags)
        assert len(store.reads) == 1

    def test_those_who_waited_when_it_began_all_learn_of_it(self) -> None:
        """Each is told by its own attempt, and the next one by theirs."""
        store, timer = a_store(*USERS, kind=GatedStore), Clock()
        assert isinstance(store, GatedStore)
        store.gate.set()
        memory = remembering(store, timer, *USERS)
        store.entered, store.gate, store.failure = Semaphore(0), Event(), GONE
        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(recall, memory, tag) for tag in USERS[:8]]
            store.let_in(8)
            store.gate.set()

        assert [future.result() for future in waiting] == ["stale"] * 8
        assert recall(memory, USERS[-1]) == "stale"
        assert len(store.reads) == 8


class TestRevocations:
    """Their table is judged by the same rules, and by itself."""

    def a_memory(self, store: MemoryStore, timer: Clock, *tags: str) -> RevocationMemory:
        memory = RevocationMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=timer)
        for tag in tags:
            self.look(memory, tag)
        timer.pass_by(TTL)
        store.lookups.clear()
        return memory

    def look(self, memory: RevocationMemory, tag: str, jti: str = "1") -> bool | None:
        try:
            return memory.is_revoked(tag, jti, Deadline(TIMEOUT))
        except Fault:
            return None

    def test_one_tag_that_cannot_be_read_keeps_no_token_of_others_alive(self) -> None:
        class Store(MemoryStore):
            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                self.outage = GONE if tag == "broken" else None
                return super().is_revoked(tag, jti, deadline=deadline)

        store, timer = Store(), Clock()
        memory = self.a_memory(store, timer, "alice")
        store.revocations = [{"tag": "alice", "jti": "1"}]
        for number in range(100):
            self.look(memory, "broken", str(number))

        assert self.look(memory, "alice") is True

    def test_in_a_black_hole_only_so_many_wait_and_then_one_a_second(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_memory(store, timer, *USERS)
        store.outage = GONE

        assert [self.look(memory, tag) for tag in USERS] == [False] * 20
        assert [self.look(memory, tag, "another") for tag in USERS] == [None] * 20
        assert len(store.lookups) == TAGS_OF_AN_OUTAGE
        store.lookups.clear()
        timer.pass_by(1)
        assert [self.look(memory, tag) for tag in USERS[5:]] == [False] * 15
        assert len(store.lookups) == 1

    def test_the_first_success_ends_it_for_all_at_once(self) -> None:
        store, timer = MemoryStore(), Clock()
        memory = self.a_memory(store, timer, *USERS)
        store.outage = GONE
        for tag in USERS:
            self.look(memory, tag)
        store.outage, store.revocations = None, [{"tag": tag, "jti": "1"} for tag in USERS]
        timer.pass_by(1)

        assert [self.look(memory, tag) for tag in USERS[5:]] == [True] * 15

    def test_a_memory_that_learnt_of_a_revocation_meanwhile_does_not_forget_it(self) -> None:
        """Another request's later look was answered, while this one's was not."""
        timer = Clock()

        class Store(MemoryStore):
            def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> bool:
                if len(self.lookups) == 1:
                    self.lookups.append(("", ""))
                    timer.pass_by(TTL)
                    assert memory.is_revoked(tag, jti, deadline)
                    raise GONE
                return super().is_revoked(tag, jti, deadline=deadline)

        store = Store()
        memory = self.a_memory(store, timer)
        self.look(memory, "alice")
        store.revocations = [{"tag": "alice", "jti": "1"}]
        timer.pass_by(TTL)

        assert self.look(memory, "alice") is True


def test_what_is_noted_of_failing_tags_is_bounded() -> None:
    outage = Outage()
    for number in range(2 * MAX_FAILING_TAGS):
        outage.note_failure(Unreachable("no answer"), f"tag-{number}", number, remembered=True)

    assert len(outage._all._failing) == len(outage._remembered._failing) == MAX_FAILING_TAGS
    assert f"tag-{2 * MAX_FAILING_TAGS - 1}" in outage._all._failing  # the oldest are forgotten

"""What is remembered, for how long, and what happens when the store cannot be reached."""

from collections.abc import Callable

import pytest

from auth_jwt.errors import Fault, Throttled, Unreachable
from auth_jwt.memory.memory import MAX_UNKNOWN_KEYS, UNKNOWN_KEY_SECONDS
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import TagRows
from auth_jwt.ports import Deadline
from tests.fakes import Clock, MemoryStore

TTL = 60
STALE_FOR = 300
DEADLINE = Deadline(1)


def a_store(*tags: str) -> MemoryStore:
    return MemoryStore(
        profiles=[{"tag": tag, "sip_username": tag} for tag in tags],
        secrets=[{"corresponding_tag": tag, "id": "1", "secret": "s" * 32, "start_ts": 0, "end_ts": 1} for tag in tags],
    )


def a_memory(store: MemoryStore, timer: Clock, *, ttl: int = TTL, max_bytes: int = 2**20) -> RowMemory:
    return RowMemory(store, ttl=ttl, stale_for=STALE_FOR, timer=timer, max_bytes=max_bytes)


def origin(memory: RowMemory, tag: str) -> str:
    return memory.recall(tag, DEADLINE).origin


def outage() -> Unreachable:
    return Unreachable("no answer")


class TestRemembering:
    def test_the_first_read_is_eventually_consistent_and_the_next_is_from_memory(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, Clock())

        assert [origin(memory, "alice"), origin(memory, "alice")] == ["table", "memory"]
        assert store.reads == [("alice", False)]

    @pytest.mark.parametrize(
        ("seconds", "expected"),
        [pytest.param(TTL - 1, "memory", id="within its time"), pytest.param(TTL, "table", id="when its time is over")],
    )
    def test_rows_are_remembered_for_their_time(self, seconds: int, expected: str) -> None:
        timer = Clock()
        memory = a_memory(a_store("alice"), timer)
        origin(memory, "alice")

        timer.pass_by(seconds)

        assert origin(memory, "alice") == expected

    def test_a_second_is_a_time_to_live_like_any_other(self) -> None:
        timer = Clock()
        memory = a_memory(a_store("alice"), timer, ttl=1)
        origin(memory, "alice")

        timer.pass_by(0.9)

        assert origin(memory, "alice") == "memory"

    @pytest.mark.parametrize(("tag", "seconds"), [("alice", TTL), ("nobody", UNKNOWN_KEY_SECONDS)])
    def test_after_a_miss_no_table_is_read_until_its_time_is_over(self, tag: str, seconds: int) -> None:
        timer = Clock()
        store = a_store("alice")
        memory = a_memory(store, timer)
        for _ in range(seconds):
            for _ in range(3):
                origin(memory, tag)
            timer.pass_by(1)
        assert store.reads == [(tag, False)]

        origin(memory, tag)

        assert store.reads == [(tag, False)] * 2

    def test_time_counts_from_before_the_read(self) -> None:
        """What changed while a slow read was under way must not live longer for it."""
        timer = Clock()

        class SlowStore(MemoryStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                timer.pass_by(10)
                return super().read(tag, consistent=consistent, deadline=deadline)

        fast = a_store("alice")
        memory = a_memory(SlowStore(fast.profiles, fast.secrets), timer)
        origin(memory, "alice")

        timer.pass_by(TTL - 10)

        assert origin(memory, "alice") == "table"

    @pytest.mark.parametrize(
        ("seconds", "expected"), [pytest.param(4.9, "memory", id="just before"), pytest.param(5, "table", id="then")]
    )
    def test_an_unknown_tag_is_remembered_for_five_seconds(self, seconds: float, expected: str) -> None:
        timer = Clock()
        memory = a_memory(a_store(), timer)
        origin(memory, "nobody")

        timer.pass_by(seconds)

        assert origin(memory, "nobody") == expected

    def test_an_unknown_tag_is_remembered_no_longer_than_a_known_one(self) -> None:
        timer = Clock()
        memory = a_memory(a_store(), timer, ttl=2)
        origin(memory, "nobody")

        timer.pass_by(2)

        assert origin(memory, "nobody") == "table"

    @pytest.mark.parametrize("tag", ["alice", "nobody"])
    def test_without_a_time_to_live_nothing_is_remembered(self, tag: str) -> None:
        store = a_store("alice")
        memory = a_memory(store, Clock(), ttl=0)
        assert [origin(memory, tag), origin(memory, tag)] == ["table", "table"]

        store.failure = outage()

        with pytest.raises(Unreachable):
            memory.recall(tag, DEADLINE)

    def test_a_failed_read_leaves_nothing_behind(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, Clock())
        store.failure = outage()
        with pytest.raises(Unreachable):
            memory.recall("alice", DEADLINE)

        store.failure = None

        assert origin(memory, "alice") == "table"


class TestRenewing:
    def test_it_reads_strongly_consistent_and_remembers_what_it_read(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, Clock())
        origin(memory, "alice")
        store.secrets.append({**store.secrets[0], "id": "2"})

        renewed = memory.renew("alice", DEADLINE)

        assert renewed is not None
        assert len(renewed.found.secrets) == len(memory.recall("alice", DEADLINE).found.secrets) == 2
        assert store.reads == [("alice", False), ("alice", True)]

    @pytest.mark.parametrize(
        ("seconds", "again"), [pytest.param(0.9, False, id="not yet"), pytest.param(1, True, id="after a second")]
    )
    @pytest.mark.parametrize("tag", ["alice", "nobody"])
    def test_it_reads_at_most_once_a_second_for_a_tag(self, tag: str, seconds: float, again: bool) -> None:
        timer = Clock()
        memory = a_memory(a_store("alice"), timer)
        origin(memory, tag)
        memory.renew(tag, DEADLINE)

        timer.pass_by(seconds)

        assert (memory.renew(tag, DEADLINE) is not None) is again

    def test_one_tag_does_not_hold_up_another(self) -> None:
        memory = a_memory(a_store("alice", "bob"), Clock())
        for tag in ("alice", "bob"):
            origin(memory, tag)

        assert memory.renew("alice", DEADLINE) is not None
        assert memory.renew("bob", DEADLINE) is not None

    @pytest.mark.parametrize("failure", [Unreachable("gone"), Fault("refused")], ids=["outage", "missing table"])
    def test_a_failure_is_a_fault_now_and_for_the_rest_of_the_second(self, failure: Fault) -> None:
        """Nobody may be refused because of rows that could not be checked."""
        timer = Clock()
        store = a_store("alice")
        memory = a_memory(store, timer)
        origin(memory, "alice")
        store.failure = failure

        for _ in range(2):
            with pytest.raises(type(failure)):
                memory.renew("alice", DEADLINE)
        assert store.reads.count(("alice", True)) == 1

        store.failure = None
        timer.pass_by(1)
        assert memory.renew("alice", DEADLINE) is not None

    def test_a_tag_whose_secrets_are_gone_becomes_unknown_and_one_that_appears_becomes_known(self) -> None:
        timer = Clock()
        store = a_store("alice")
        memory = a_memory(store, timer)
        origin(memory, "alice")

        removed, store.secrets = store.secrets, []
        memory.renew("alice", DEADLINE)
        assert memory.recall("alice", DEADLINE).found == TagRows()

        store.secrets = removed
        timer.pass_by(1)
        memory.renew("alice", DEADLINE)
        assert len(memory.recall("alice", DEADLINE).found.secrets) == 1

    def test_a_tag_that_was_never_recalled_can_be_renewed(self) -> None:
        assert a_memory(a_store("alice"), Clock()).renew("alice", DEADLINE) is not None

    def test_once_a_second_holds_across_a_reading_in_between(self) -> None:
        timer = Clock()
        store = a_store("alice")
        memory = a_memory(store, timer, ttl=1)
        origin(memory, "alice")
        timer.pass_by(0.9)
        store.failure = Fault("refused")
        with pytest.raises(Fault):
            memory.renew("alice", DEADLINE)
        store.failure = None
        timer.pass_by(0.1)
        assert origin(memory, "alice") == "table"
        store.reads.clear()

        with pytest.raises(Fault):
            memory.renew("alice", DEADLINE)

        assert store.reads == []

    def test_it_reads_whatever_another_tag_has_seen_of_an_outage(self) -> None:
        store, timer = a_store("alice", "bob"), Clock()
        memory = a_memory(store, timer)
        origin(memory, "alice")
        timer.pass_by(TTL)
        origin(memory, "bob")
        store.failure = outage()
        assert origin(memory, "alice") == "stale"

        store.failure = None

        assert memory.renew("bob", DEADLINE) is not None

    def test_a_slow_reading_does_not_overtake_a_later_one(self) -> None:
        """What was read first is forgotten, though it arrives last."""
        timer = Clock()
        fresh = a_store("alice")

        class SlowStore(MemoryStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                rows = super().read(tag, consistent=consistent, deadline=deadline)
                if not consistent:  # another thread renews meanwhile, and sees two secrets
                    timer.pass_by(0.1)
                    self.secrets.append({**self.secrets[0], "id": "2"})
                    memory.renew(tag, deadline)
                return rows

        memory = a_memory(SlowStore(fresh.profiles, fresh.secrets), timer)
        origin(memory, "alice")

        assert len(memory.recall("alice", DEADLINE).found.secrets) == 2

    @pytest.mark.parametrize("tag", ["alice", "bob"])
    def test_of_two_readings_that_began_at_once_the_last_one_to_end_counts(self, tag: str) -> None:
        """A second look begins at the same instant as the first one where the timer is coarse, and it saw more."""
        store = a_store("alice")
        memory = a_memory(store, Clock())
        origin(memory, tag)
        other = a_store(tag)
        store.profiles, store.secrets = other.profiles, [{**other.secrets[0], "id": "2"}]
        store.profiles[0]["sip_username"] = "carol"

        memory.renew(tag, DEADLINE)

        found = memory.recall(tag, DEADLINE).found
        assert found.profile is not None
        assert (found.profile.username, [secret.id for secret in found.secrets]) == ("carol", ["2"])

    def test_nor_does_it_bring_a_tag_back_that_is_gone(self) -> None:
        timer = Clock()
        fresh = a_store("alice")

        class SlowStore(MemoryStore):
            def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> TagRows:
                rows = super().read(tag, consistent=consistent, deadline=deadline)
                if not consistent:  # another thread renews meanwhile, and finds nothing
                    timer.pass_by(0.1)
                    self.secrets.clear()
                    memory.renew(tag, deadline)
                return rows

        memory = a_memory(SlowStore(fresh.profiles, fresh.secrets), timer)
        origin(memory, "alice")

        assert memory.recall("alice", DEADLINE).found == TagRows()


class TestOutage:
    def a_stale_memory(self, store: MemoryStore, timer: Clock, *tags: str) -> RowMemory:
        memory = a_memory(store, timer)
        for tag in tags:
            origin(memory, tag)
        timer.pass_by(TTL)
        return memory

    def test_remembered_rows_serve_on(self) -> None:
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()

        assert origin(memory, "alice") == "stale"

    @pytest.mark.parametrize(
        ("seconds", "serves"),
        [pytest.param(STALE_FOR - 1, True, id="until then"), pytest.param(STALE_FOR, False, id="no longer")],
    )
    def test_they_serve_for_a_while_only(self, seconds: int, serves: bool) -> None:
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()
        timer.pass_by(seconds)

        if serves:
            assert origin(memory, "alice") == "stale"
        else:
            with pytest.raises(Unreachable):
                memory.recall("alice", DEADLINE)

    @pytest.mark.parametrize(
        ("seconds", "attempts"), [pytest.param(0.9, 1, id="within a second"), pytest.param(1, 2, id="a second later")]
    )
    def test_a_tag_that_cannot_be_read_is_tried_once_a_second(self, seconds: float, attempts: int) -> None:
        """Of many tags, see test_outage.py."""
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()
        store.reads.clear()
        origin(memory, "alice")

        timer.pass_by(seconds)
        origin(memory, "alice")

        assert len(store.reads) == attempts

    def test_a_throttled_tag_holds_up_no_other(self) -> None:
        store, timer = a_store("alice", "bob"), Clock()
        memory = self.a_stale_memory(store, timer, "alice", "bob")
        store.failure = Throttled("busy")
        assert origin(memory, "alice") == "stale"

        store.failure = None

        assert origin(memory, "bob") == "table"
        assert origin(memory, "alice") == "stale"

    def test_the_end_of_the_outage_is_noticed(self) -> None:
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()
        origin(memory, "alice")

        store.failure = None
        timer.pass_by(1)

        assert origin(memory, "alice") == "table"

    def test_a_table_that_is_missing_or_forbidden_is_a_fault_and_not_an_outage(self) -> None:
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = Fault("no such table")

        with pytest.raises(Fault, match="no such table"):
            memory.recall("alice", DEADLINE)

    def test_that_a_tag_was_unknown_says_nothing_in_an_outage(self) -> None:
        store, timer = a_store(), Clock()
        memory = self.a_stale_memory(store, timer, "nobody")
        store.failure = outage()

        with pytest.raises(Unreachable):
            memory.recall("nobody", DEADLINE)

    def test_a_tag_never_seen_is_always_tried(self) -> None:
        store, timer = a_store("alice", "bob"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()
        origin(memory, "alice")

        store.failure = None

        assert origin(memory, "bob") == "table"

    def test_rows_are_not_renewed_while_the_store_is_known_to_be_away(self) -> None:
        """The second look of a refused token costs no second time-out; it is a fault at once."""
        store, timer = a_store("alice"), Clock()
        memory = self.a_stale_memory(store, timer, "alice")
        store.failure = outage()
        origin(memory, "alice")
        store.reads.clear()

        with pytest.raises(Unreachable):
            memory.renew("alice", DEADLINE)
        assert store.reads == []


class TestBounds:
    def test_unknown_tags_never_push_out_known_ones(self) -> None:
        store = a_store("alice")
        memory = a_memory(store, Clock())
        origin(memory, "alice")

        for number in range(2 * MAX_UNKNOWN_KEYS):
            origin(memory, f"forged-{number}")

        assert origin(memory, "alice") == "memory"

    def test_only_so_many_unknown_tags_are_remembered(self) -> None:
        memory = a_memory(a_store(), Clock())
        for number in range(MAX_UNKNOWN_KEYS + 1):
            origin(memory, f"forged-{number}")

        assert origin(memory, "forged-1") == "memory"
        assert origin(memory, f"forged-{MAX_UNKNOWN_KEYS}") == "memory"
        assert origin(memory, "forged-0") == "table"

    def test_what_is_remembered_of_an_unknown_tag_does_not_grow_with_its_profile(self) -> None:
        store = MemoryStore(profiles=[{"tag": "lonely", "sip_username": "x" * 1000}])
        memory = a_memory(store, Clock())
        origin(memory, "lonely")

        assert memory.recall("lonely", DEADLINE).found == TagRows()

    def test_the_least_recently_used_tag_makes_room(self) -> None:
        store = a_store("alice", "bob", "carol")
        weight = store.read("alice", consistent=True, deadline=DEADLINE).weight
        memory = a_memory(store, Clock(), max_bytes=2 * weight)
        for tag in ("alice", "bob", "alice", "carol"):
            origin(memory, tag)

        assert [origin(memory, tag) for tag in ("alice", "carol", "bob")] == ["memory", "memory", "table"]

    def test_a_tag_that_became_known_and_made_room_is_not_unknown_again(self) -> None:
        store, later = a_store("alice"), a_store("bob")
        weight = store.read("alice", consistent=True, deadline=DEADLINE).weight
        memory = a_memory(store, Clock(), max_bytes=weight)
        origin(memory, "bob")
        store.profiles += later.profiles
        store.secrets += later.secrets
        memory.renew("bob", DEADLINE)
        origin(memory, "alice")

        assert origin(memory, "bob") == "table"

    def test_sixty_four_mebibytes_are_remembered_altogether(self) -> None:
        """As docs/architecture.md says; here each tag weighs one."""
        tags = [f"user-{number}" for number in range(65)]
        store = a_store(*tags)
        others = store.read(tags[0], consistent=True, deadline=DEADLINE).weight
        for row in store.secrets:
            row["secret"] = "s" * (32 + (2**20 - others) // 8)
        memory = RowMemory(store, ttl=TTL, stale_for=STALE_FOR, timer=Clock())
        for tag in tags[:64]:
            origin(memory, tag)

        assert {origin(memory, tag) for tag in tags[:64]} == {"memory"}
        origin(memory, tags[64])
        assert [origin(memory, tag) for tag in (tags[1], tags[0])] == ["memory", "table"]

    @pytest.mark.parametrize(
        ("less", "then"), [pytest.param(0, "memory", id="as all that fits"), pytest.param(1, "table", id="heavier")]
    )
    def test_rows_are_remembered_that_are_as_heavy(self, less: int, then: str) -> None:
        store = a_store("alice")
        weight = store.read("alice", consistent=True, deadline=DEADLINE).weight
        memory = a_memory(store, Clock(), max_bytes=weight - less)

        assert [origin(memory, "alice"), origin(memory, "alice")] == ["table", then]

    @pytest.mark.parametrize(
        "grow",
        [
            pytest.param(lambda store: store.secrets[0].update(secret="s" * 10_000), id="longer secrets"),
            pytest.param(lambda store: store.secrets.append({**store.secrets[0], "id": "2"}), id="more secrets"),
        ],
    )
    def test_rows_weigh_more_with(self, grow: Callable[[MemoryStore], None]) -> None:
        store = a_store("alice")
        before = store.read("alice", consistent=True, deadline=DEADLINE).weight

        grow(store)

        assert store.read("alice", consistent=True, deadline=DEADLINE).weight > before

    def test_remembering_a_tag_again_does_not_count_it_twice(self) -> None:
        timer = Clock()
        store = a_store("alice", "bob")
        weight = store.read("alice", consistent=True, deadline=DEADLINE).weight
        memory = a_memory(store, timer, max_bytes=2 * weight)
        origin(memory, "bob")
        for _ in range(5):
            memory.renew("alice", DEADLINE)
            timer.pass_by(1)

        assert origin(memory, "bob") == "memory"

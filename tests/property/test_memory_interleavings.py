"""What the memory promises, however requests overtake each other, tables fail or hang, and clocks move.

Requests run in threads that take turns (`tests.interleaving`), so hypothesis chooses where each is overtaken: before a
lock, within it, before and after a table gives its rows, and while it waits for another. A model knows what the tables
held at every moment, and judges each answer by the contract's section *Memory*.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any, ClassVar, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.reads import join_halves
from auth_jwt.errors import Denied, Fault, Reason, Throttled, Unreachable
from auth_jwt.issuers.memory import IssuerMemory
from auth_jwt.issuers.models import FetchedKeys, Issuer, IssuerRows, KeySet
from auth_jwt.memory import memory as memory_module
from auth_jwt.memory import reading as reading_module
from auth_jwt.memory.memory import UNKNOWN_KEY_SECONDS, Memory
from auth_jwt.memory.outage import TAGS_OF_AN_OUTAGE
from auth_jwt.memory.revocations import RevocationMemory
from auth_jwt.memory.rows import RowMemory
from auth_jwt.memory.second_look import decide_with_second_look
from auth_jwt.models import Columns, Half, Policy, Profile, Report, Secret, TagRows
from auth_jwt.ports import Deadline
from tests.factories import NOW, a_token
from tests.fakes import Clock, natural
from tests.interleaving import Actor, Turns
from tests.sampling import examples

SECONDS: Final = 1.5
"""How long the tables may take for one request."""
TAGS: Final = ("a", "b", "c", "d", "e")
KEYS: Final = {"A": "A" * 64, "B": "B" * 64}
ROOM_FOR_UNKNOWN: Final = 4
WHOLE: Final = 100
"""As many points as no request has."""
FOREVER: Final = NOW + 10**9

ANY: Final = -1
"""Instead of a serial, where an answer does not say which row it saw."""

MOMENT: Final = 2**-10
"""Less than any time that passes here, in seconds."""

OF_ISSUERS: Final = {Reason.UNKNOWN_ISSUER: Half.PROFILE, Reason.UNKNOWN_KEY: Half.SECRETS}
RESTS_ON_NEW_ROWS: Final = {
    Reason.UNKNOWN_TAG: Half.SECRETS,
    Reason.NO_ACTIVE_SECRET: Half.SECRETS,
    Reason.BAD_SIGNATURE: Half.SECRETS,
    Reason.UNKNOWN_PROFILE: Half.PROFILE,
    **OF_ISSUERS,
}
"""The denials that may not rest on remembered rows, and the half that each is about."""


@dataclass(frozen=True)
class State:
    """What one half of a tag held from a moment on.

    Attributes:
        serial: states of all tags and halves, in the order of their writes.
        since: when it was written.
        names: the keys among the secrets; of a profile `on` or `off`. Without any, there is no row.
        end: when the window of the secrets ends, by the wall.
    """

    serial: int
    since: float
    names: tuple[str, ...] = ()
    end: int = FOREVER


EMPTY: Final = State(0, float("-inf"))
Shown = dict[Half, int | None]
"""The serial of each half that an answer shows; None where it shows that there is no row."""


@dataclass(eq=False)
class Asked:
    """A request, and what the model knows about it."""

    actor: Actor
    tag: str
    wanted: str | None
    began: float
    wall: float
    step: int
    seen: Shown  # what requests that had ended were shown before
    own: dict[Half, int] = field(default_factory=dict)  # what its own reads found
    may_be_stale: bool = False
    may_fail: bool = False


@dataclass(eq=False)
class TableRead:
    """A read of the tables. Steps are those of the machine.

    Attributes:
        found: the halves that were read.
        is_silent: whether no answer came, of any half.
        is_throttled: whether the failure says nothing about other tags.
        ended: the step at which the tables had answered, or had not.
        told: the moment and the step at which the request that read had ended.
    """

    tag: str
    by: Asked | None
    consistent: bool
    began: float
    found: dict[Half, State] = field(default_factory=dict)
    failure: Fault | None = None
    was_remembered: bool = False
    ended: int | None = None
    told: tuple[float, int] | None = None

    @property
    def is_outage(self) -> bool:
        """Whether it says that the tables are away: no half was read, and none was refused or throttled."""
        return not self.found and type(self.failure) is Unreachable


class World(ABC):
    """One kind of memory: its values, and what a second implementation says about them."""

    halves: ClassVar[tuple[Half, ...]] = tuple(Half)
    main: ClassVar[Half] = Half.SECRETS
    contents: ClassVar[dict[Half, tuple[tuple[str, ...], ...]]]
    wanted: ClassVar[tuple[str, ...]] = ()
    tells_unknown: ClassVar[bool] = True

    @abstractmethod
    def memory_of(self, machine: "Requests", **options: Any) -> Memory[Any, Any]: ...

    @abstractmethod
    def value(self, states: dict[Half, State]) -> Any: ...

    @abstractmethod
    def shown(self, value: Any) -> Shown: ...

    def key(self, tag: str) -> Hashable:
        return tag

    def decide(self, machine: "Requests", tag: str, wanted: str) -> Shown:
        raise NotImplementedError

    def refusal(self, states: dict[Half, State], wanted: str, wall: float) -> Reason | None:
        raise NotImplementedError


class Rows(World):
    contents: ClassVar = {Half.SECRETS: ((), ("A",), ("B",), ("A", "B")), Half.PROFILE: ((), ("on",), ("off",))}
    wanted = tuple(KEYS)

    def memory_of(self, machine: "Requests", **options: Any) -> Memory[Any, Any]:
        class Pausing(RowMemory):
            def weigh(self, key: str, value: TagRows, /) -> int:
                machine.pause_within("weigh")
                return super().weigh(key, value)

            def is_known(self, value: TagRows, /) -> bool:
                machine.pause_within("is_known")
                return super().is_known(value)

        return Pausing(machine, **options)  # the machine is its store

    def value(self, states: dict[Half, State]) -> TagRows:
        profile, secrets = states.get(Half.PROFILE, EMPTY), states.get(Half.SECRETS, EMPTY)
        return TagRows(
            a_profile(profile) if profile.names else None,
            tuple(a_secret(secrets.serial, name, secrets.end) for name in secrets.names),
        )

    def shown(self, value: TagRows) -> Shown:
        return {
            Half.PROFILE: None if value.profile is None else int(str(value.profile.username)),
            Half.SECRETS: int(value.secrets[0].id.partition(":")[0]) if value.secrets else None,
        }

    def decide(self, machine: "Requests", tag: str, wanted: str) -> Shown:
        report = Report()
        memory = machine.the_memory
        assert isinstance(memory, RowMemory)
        authorizer = Authorizer(memory=memory, policy=Policy(), store_seconds=SECONDS, clock=machine.wall)
        authorized = authorizer.authorize(the_token(tag, wanted), report=report)
        return {
            Half.PROFILE: int(authorized.sip_username),
            Half.SECRETS: int(str(report.secret_id).partition(":")[0]),
        }

    def refusal(self, states: dict[Half, State], wanted: str, wall: float) -> Reason | None:
        secrets, profile = states[Half.SECRETS], states[Half.PROFILE]
        if not secrets.names:
            return Reason.UNKNOWN_TAG
        if wall >= secrets.end:
            return Reason.NO_ACTIVE_SECRET
        if wanted not in secrets.names:
            return Reason.BAD_SIGNATURE
        if not profile.names:
            return Reason.UNKNOWN_PROFILE
        return Reason.DISABLED_PROFILE if "off" in profile.names else None


class Issuers(World):
    main = Half.PROFILE
    contents: ClassVar = {Half.PROFILE: ((), ("on",), ("off",)), Half.SECRETS: ((), ("A",), ("B",), ("A", "B"))}
    wanted = tuple(KEYS)

    def memory_of(self, machine: "Requests", **options: Any) -> Memory[Any, Any]:
        class Pausing(IssuerMemory):
            def weigh(self, key: str, value: IssuerRows, /) -> int:
                machine.pause_within("weigh")
                return super().weigh(key, value)

        return Pausing(machine, **options)  # the machine is its store

    def value(self, states: dict[Half, State]) -> IssuerRows:
        configuration, keys = states.get(Half.PROFILE, EMPTY), states.get(Half.SECRETS, EMPTY)
        return IssuerRows(
            an_issuer(configuration.serial, "off" in configuration.names) if configuration.names else None,
            FetchedKeys(KeySet(",".join(keys.names), str(keys.serial)), keys.serial) if keys.names else FetchedKeys(),
        )

    def shown(self, value: IssuerRows) -> Shown:
        issuer, keys = value.issuer, value.fetched
        assert issuer is None or isinstance(issuer, Issuer)
        return {
            Half.PROFILE: None if issuer is None else issuer.version,
            Half.SECRETS: None if keys.fetched_at is None else int(keys.fetched_at),
        }

    def decide(self, machine: "Requests", tag: str, wanted: str) -> Shown:
        def by(value: IssuerRows) -> Shown:
            issuer = value.issuer
            if not isinstance(issuer, Issuer):
                raise Denied(Reason.UNKNOWN_ISSUER)
            if issuer.disabled:
                raise Denied(Reason.DISABLED_ISSUER)
            if value.fetched.key_set is None or wanted not in value.fetched.key_set.text.split(","):
                raise Denied(Reason.UNKNOWN_KEY)
            return self.shown(value)

        return decide_with_second_look(machine.the_memory, tag, by, OF_ISSUERS, machine.a_deadline(), Report())

    def refusal(self, states: dict[Half, State], wanted: str, wall: float) -> Reason | None:
        configuration = states[Half.PROFILE].names
        if not configuration:
            return Reason.UNKNOWN_ISSUER
        if "off" in configuration:
            return Reason.DISABLED_ISSUER
        return None if wanted in states[Half.SECRETS].names else Reason.UNKNOWN_KEY


class Revocations(World):
    """One row or none: of a token that is revoked or not."""

    halves = (Half.SECRETS,)
    tells_unknown = False  # the absence of a row is worth as much as a row
    contents: ClassVar = {Half.SECRETS: ((), ("revoked",))}

    def memory_of(self, machine: "Requests", **options: Any) -> Memory[Any, Any]:
        return RevocationMemory(machine, **options)  # the machine is its store

    def key(self, tag: str) -> Hashable:
        return tag, "j"

    def value(self, states: dict[Half, State]) -> bool:
        return bool(states.get(Half.SECRETS, EMPTY).names)

    def shown(self, value: bool) -> Shown:
        return {Half.SECRETS: ANY if value else None}


@cache
def the_token(tag: str, key: str) -> str:
    return a_token(tag=tag, key=KEYS[key])


@cache
def a_profile(state: State) -> Profile:
    row = {"tag": "t", "sip_username": str(state.serial), "disabled": "off" in state.names}
    return Profile.from_row(natural(row), Columns(), ())


def a_secret(serial: int, name: str, end: int) -> Secret:
    row = {"id": f"{serial}:{name}", "secret": KEYS[name], "start_ts": 0, "end_ts": end, "alg": "HS256"}
    return Secret.from_row(natural(row), Columns())


@cache
def an_issuer(version: int, disabled: bool) -> Issuer:
    row = {
        "tag": "https://login.example.com",
        "issuer_config": '{"keys_url": "https://login.example.com/keys", "audiences": ["sip"]}',
        "issuer_version": version,
        "disabled": disabled,
    }
    issuer = Issuer.from_row(natural(row), Columns())
    assert issuer is not None
    return issuer


WEATHER: Final = ("fine", "fine", "silent", "silent", "hangs", "busy", "broken")
MOSTLY_ONE: Final = st.sampled_from([*"aaaab", *TAGS])
"""A tag: most often the same, or requests would hardly meet."""


class Requests(RuleBasedStateMachine):
    """Requests of one process, its tables, and what the contract says about each answer."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.timer, self.wall = Clock(1000), Clock(NOW)
        self.turns = Turns(self.timer)
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(reading_module, "Event", self.turns.event)
        self.patches.setattr(memory_module, "Lock", self.turns.lock)
        self.patches.setattr(memory_module, "MAX_UNKNOWN_KEYS", ROOM_FOR_UNKNOWN)
        self.patches.setattr("auth_jwt.authorizer.Deadline", partial(Deadline, timer=self.timer))
        self.memory: Memory[Any, Any] | None = None
        self.history: dict[tuple[str, Half], list[State]] = {}
        self.weather: dict[tuple[str, Half], str] = {}
        self.under_way: list[Asked] = []
        self.reads: list[TableRead] = []
        self.seen: dict[str, Shown] = {}
        self.serial = self.step = self.invented = 0
        self.pauses_within = False
        self.outage = OutageModel()

    @initialize(
        times=st.sampled_from([(1, 4), (1, 4), (8, 16), (8, 16), (60, 300), (60, 0), (0, 300)]),
        lag=st.sampled_from([0.0, 0.875]),
        is_roomy=st.booleans(),
        pauses_within=st.booleans(),
        freezes=st.booleans(),
    )
    def begin(self, times: tuple[int, int], lag: float, is_roomy: bool, pauses_within: bool, freezes: bool) -> None:
        self.ttl, self.stale = times
        self.lag, self.is_roomy, self.freezes = lag, is_roomy, freezes
        for tag, half in product(TAGS[:4], self.world.halves):
            self.write(tag, half, self.world.contents[half][1])
        any_room = self.world.memory_of(self, **self.options(2**30))
        self.max_bytes = 2**30 if is_roomy else int(any_room.weigh(self.world.key("a"), self.value_of("a")) * 2.5)
        self.memory = self.world.memory_of(self, **self.options(self.max_bytes))
        self.pauses_within = pauses_within

    def options(self, max_bytes: int) -> dict[str, Any]:
        return {"ttl": self.ttl, "stale_for": self.stale, "timer": self.timer, "max_bytes": max_bytes}

    # -- what happens -------------------------------------------------------------------------------------------------

    @rule(tag=MOSTLY_ONE, data=st.data(), closes_in=st.sampled_from([None, None, None, 0, 3, 70]))
    def an_operator_writes(self, tag: str, data: st.DataObject, closes_in: int | None) -> None:
        half = data.draw(st.sampled_from(self.world.halves))
        names = data.draw(st.sampled_from(self.world.contents[half]))
        self.write(tag, half, names, FOREVER if closes_in is None else int(self.wall.now) + closes_in)

    @rule(
        tags=st.sampled_from([TAGS, "a", "a", TAGS[:3]]),
        halves=st.sampled_from([tuple(Half), *((half,) for half in Half)]),
        weather=st.sampled_from(WEATHER),
    )
    def tables_fail(self, tags: Sequence[str], halves: Sequence[Half], weather: str) -> None:
        for tag, half in product(tags, halves):
            self.weather[tag, half] = weather

    @precondition(lambda self: self.weather)
    @rule()
    def tables_recover(self) -> None:
        self.weather.clear()

    @rule(
        seconds=st.sampled_from([0.125, 0.5, 0.875, 1.0, 1.0, 1.5, 3.0, 4.0, 5.0, 8.0, "ttl", "ttl", "stale"]),
        wall=st.sampled_from([0, 0, 0, -3600, -3, 70]),
    )
    def time_passes(self, seconds: float | str, wall: int = 0) -> None:
        """By a few seconds, or for as long as something is remembered. Somebody may set the wall clock, too."""
        self.wall.pass_by(wall)
        if isinstance(seconds, str):
            seconds = self.ttl if seconds == "ttl" else self.ttl + self.stale
        self.leave_the_lock()
        until = self.timer() + seconds
        while not self.freezes and self.under_way and self.timer() < until:
            end = self.next_end()
            self.pass_by(min(end, until) - self.timer())
            if end <= until:  # requests end in time, unless the whole process stands still
                self.all_go_on()
        self.pass_by(until - self.timer())

    def leave_the_lock(self) -> None:
        """Let requests go on until none is within the lock: what is done there takes no time."""
        while self.memory is not None and self.memory._lock.held:  # type: ignore[attr-defined] # the lock is one of `turns`
            for asked in self.under_way:
                asked.actor.go_on()
            self.judge_ended()

    def next_end(self) -> float:
        """The next moment by which a request under way must have ended, or a read, which may have begun later."""
        began = [asked.began for asked in self.under_way] + [read.began for read in self.reads if read.ended is None]
        ends = (moment + SECONDS for moment in began)
        return min((end for end in ends if end > self.timer()), default=float("inf"))

    @rule(tag=MOSTLY_ONE, data=st.data(), points=st.sampled_from([WHOLE, 1, 2, 3]))
    def a_request_comes(self, tag: str, data: st.DataObject, points: int) -> None:
        self.ask(tag, data.draw(st.sampled_from([None, *self.world.wanted])), points)

    @rule(tag=MOSTLY_ONE, data=st.data())
    def many_ask_the_same_at_once(self, tag: str, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from([None, *self.world.wanted]))
        for _ in range(3):
            self.ask(tag, wanted, 2)

    @rule(data=st.data(), points=st.integers(1, 3), half=st.sampled_from(Half), ttl=st.booleans())
    def a_slow_one_is_overtaken(self, data: st.DataObject, points: int, half: Half, ttl: bool) -> None:
        """Another asks for the same after it has begun to read, and after a write."""
        wanted = st.sampled_from([None, *self.world.wanted])
        self.ask("a", data.draw(wanted), points)
        if half in self.world.halves:
            self.write("a", half, data.draw(st.sampled_from(self.world.contents[half])))
        if ttl:
            self.time_passes(self.ttl)
        self.ask("a", data.draw(wanted), WHOLE)
        self.all_go_on()

    @rule(data=st.data())
    def every_tag_is_asked_for(self, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from([None, *self.world.wanted]))
        for tag in TAGS:
            self.ask(tag, wanted, WHOLE)

    @rule()
    def somebody_invents_tags(self) -> None:
        known = set(self.the_memory._known)
        for _ in range(ROOM_FOR_UNKNOWN + 2):
            self.invented += 1
            self.ask(f"invented-{self.invented}", None, WHOLE)
        assert self.under_way or not self.world.tells_unknown or known <= set(self.the_memory._known)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), points=st.sampled_from([1, 2, WHOLE]))
    def one_goes_on(self, data: st.DataObject, points: int) -> None:
        able = [asked.actor for asked in self.under_way if asked.actor.can_go_on]
        if able:
            able[data.draw(st.integers(0, len(able) - 1))].go_on(points)
        self.judge_ended()

    @precondition(lambda self: self.under_way)
    @rule()
    def all_go_on(self) -> None:
        while able := [asked.actor for asked in self.under_way if asked.actor.can_go_on]:
            for actor in able:
                actor.go_on()
            self.judge_ended()

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def what_is_remembered_is_bounded_and_counted(self) -> None:
        memory = self.memory
        if memory is None or memory._lock.held:  # type: ignore[attr-defined] # the lock is one of `turns`
            return
        assert memory._bytes == sum(entry.weight for entry in memory._known.values()) <= self.max_bytes
        assert len(memory._unknown) <= ROOM_FOR_UNKNOWN
        assert not memory._known.keys() & memory._unknown.keys()
        assert self.ttl > 0 or not memory._known | memory._unknown | memory._renewals
        assert self.under_way or not memory._under_way

    def judge(self, asked: Asked) -> None:
        failure = asked.actor.failure
        if failure is None:
            self.judge_rows(asked, asked.actor.result)
        elif isinstance(failure, Denied):
            self.judge_denial(asked, failure.reason)
        elif isinstance(failure, Fault):
            assert asked.may_fail, f"a fault about {asked.tag} without a cause"
            assert not self.remembers(asked), f"{asked.tag} is remembered, and a fault all the same"
        else:
            raise failure

    def judge_denial(self, asked: Asked, reason: Reason) -> None:
        """A denial is what rows of the allowed age say; where newer rows could reverse it, what rows just read say."""
        assert asked.wanted is not None
        windows = {half: self.states(asked.tag, half, self.oldest(asked)) for half in self.world.halves}
        about = RESTS_ON_NEW_ROWS.get(reason)
        if about is not None:
            windows[about] = self.states(asked.tag, about, asked.began - max(1, self.lag))
            just_read = [read for read in self.reads if read.tag == asked.tag and read.began > asked.began - 1]
            assert any(about in read.found for read in just_read), f"{reason} without a look at the {about}"
        assert any(
            self.world.refusal(dict(zip(windows, states, strict=True)), asked.wanted, asked.wall) is reason
            for states in product(*windows.values())
        ), f"{reason}, which no rows of this time say"

    def judge_rows(self, asked: Asked, shown: Shown) -> None:
        """Rows that answer are of the allowed age, no older than what was read or seen before, and let in now."""
        oldest = self.oldest(asked)
        if self.world.tells_unknown and self.world.main in shown and shown[self.world.main] is None:
            shown = {self.world.main: None}  # the rest is not remembered
            if not self.freezes:
                oldest = asked.began - max(min(self.ttl, UNKNOWN_KEY_SECONDS) + self.lag, MOMENT)
        windows = {}
        for half, serial in shown.items():
            windows[half] = [state for state in self.states(asked.tag, half, oldest) if fits(state, serial)]
            assert windows[half], f"the {half} of {asked.tag} is older than it may be"
            newest = max(state.serial for state in windows[half])
            assert newest >= asked.own.get(half, 0), f"the {half} of {asked.tag} was read, and does not count"
            if self.is_roomy and self.ttl and not self.lag:
                assert newest >= (asked.seen.get(half) or 0), f"the {half} of {asked.tag} went back to older rows"
        if asked.wanted is not None:
            assert any(
                self.world.refusal(dict(zip(windows, states, strict=True)), asked.wanted, asked.wall) is None
                for states in product(*windows.values())
            ), f"{asked.tag} is let in by rows that do not let in now"

    def remembers(self, asked: Asked) -> bool:
        """Tell whether rows of a tag must serve: read whole, not too old, and all reads since came to nothing."""
        if asked.wanted is not None or not self.is_roomy or not self.ttl:
            return False
        reads = [read for read in self.reads if read.tag == asked.tag]
        for read in reads:
            if read.told is None or read.told[1] >= asked.step or len(read.found) < len(self.world.halves):
                continue
            others = [other for other in reads if other is not read and (other.ended or 10**9) > (read.ended or 0)]
            is_known = bool(read.found[self.world.main].names) or not self.world.tells_unknown
            is_young = self.timer() < read.began + self.ttl + self.stale
            if is_known and is_young and all(not other.found and is_silence(other.failure) for other in others):
                return True
        return False

    def oldest(self, asked: Asked) -> float:
        """The moment after which rows that serve must have been in the table."""
        age = self.ttl + (self.stale if asked.may_be_stale and self.ttl else 0) + self.lag
        return asked.began - max(age, MOMENT)  # what a request reads itself may be overwritten in the same moment

    def states(self, tag: str, half: Half, after: float) -> list[State]:
        """What a half held at some time after a moment: what was overwritten at that moment is not among it."""
        history = self.history.get((tag, half), [EMPTY])
        ends = [*(state.since for state in history[1:]), float("inf")]
        return [state for state, end in zip(history, ends, strict=True) if end > after]

    # -- what the model knows -----------------------------------------------------------------------------------------

    @property
    def the_memory(self) -> Memory[Any, Any]:
        assert self.memory is not None
        return self.memory

    def write(self, tag: str, half: Half, names: tuple[str, ...], end: int = FOREVER) -> None:
        self.serial += 1
        self.history.setdefault((tag, half), [EMPTY]).append(State(self.serial, self.timer(), names, end))

    def value_of(self, tag: str) -> Any:
        return self.world.value({half: self.history[tag, half][-1] for half in self.world.halves})

    def pass_by(self, seconds: float) -> None:
        self.timer.pass_by(seconds)
        self.wall.pass_by(seconds)

    def a_deadline(self) -> Deadline:
        return Deadline(SECONDS, self.timer)

    def pause_within(self, point: str) -> None:
        if self.pauses_within:
            self.turns.pause(point)

    def ask(self, tag: str, wanted: str | None, points: int) -> None:
        """Have somebody ask for a *tag*, or whether a token of it by the key *wanted* is good, so many points far."""

        def work() -> Shown:
            if wanted is not None:
                return self.world.decide(self, tag, wanted)
            recalled = self.the_memory.recall(self.world.key(tag), self.a_deadline())
            shown = self.world.shown(recalled.found)
            if recalled.origin == "stale":  # another request's read of the other half may have failed
                return {half: serial for half, serial in shown.items() if serial is not None or half is self.world.main}
            if recalled.failure is None:
                return shown
            return {half: shown[half] for half in recalled.halves_read}  # of the other nothing is known

        self.step += 1
        seen = dict(self.seen.get(tag, {}))
        asked = Asked(self.turns.start(work), tag, wanted, self.timer(), self.wall(), self.step, seen)
        is_alone = not self.under_way
        self.under_way.append(asked)
        self.note_causes()
        if is_alone and points == WHOLE:
            asked.actor.do_at_once()
        else:
            asked.actor.go_on(points)
        self.judge_ended()

    def judge_ended(self) -> None:
        self.step += 1
        self.note_causes()
        for asked in [asked for asked in self.under_way if asked.actor.has_ended]:
            self.under_way.remove(asked)
            for read in self.reads:
                if read.by is asked:
                    read.told = self.timer(), self.step
                    self.outage.note_told(read, is_remembered=read.was_remembered and self.is_remembered(read.tag))
            self.judge(asked)
            for half, serial in (asked.actor.result or {}).items():
                seen = self.seen.setdefault(asked.tag, {})
                seen[half] = max(seen.get(half) or 0, serial or 0)
        self.turns.forget_ended()

    def note_causes(self) -> None:
        """Note of each request under way whether stale rows may serve it, and whether a fault may be its answer."""
        for asked in self.under_way:
            failures = [
                read.failure
                for read in self.reads
                if read.tag == asked.tag and read.failure and (not read.told or read.told[0] > asked.began - 1)
            ]
            is_late = self.timer() >= asked.began + SECONDS
            is_away = any(map(is_silence, failures)) or is_late or self.outage.may_be
            asked.may_be_stale |= is_away
            asked.may_fail |= is_away or bool(failures)

    def is_remembered(self, tag: str) -> bool:
        """Tell whether rows of a tag are remembered that may still serve, as the memory itself sees it."""
        pauses, self.pauses_within = self.pauses_within, False
        try:
            memory = self.the_memory
            return memory._may_serve(memory._known.get(self.world.key(tag)), self.timer())
        finally:
            self.pauses_within = pauses

    # -- the tables ---------------------------------------------------------------------------------------------------

    def read(self, tag: str, *, consistent: bool, deadline: Deadline) -> Any:
        """The port `RowsStore`."""
        current = self.turns.current
        by = next((asked for asked in self.under_way if current in (asked.actor, None)), None)
        read = TableRead(tag, by, consistent, self.timer())
        self.check_need(read)
        self.reads.append(read)
        deadline.start()
        self.turns.pause("before the tables are read")
        found: dict[Half, State | Fault] = {}
        for half in self.world.halves:
            found[half] = self.read_half(read, half, deadline)
        self.turns.pause("after the tables were read")
        read.found = {half: state for half, state in found.items() if isinstance(state, State)}
        failures = [state for state in found.values() if isinstance(state, Fault)]
        read.failure = next((each for each in failures if not isinstance(each, Unreachable)), None) or (
            failures[0] if failures else None
        )
        read.was_remembered = self.is_remembered(tag)
        self.step += 1
        read.ended = self.step
        if by is not None:
            by.own |= {half: state.serial for half, state in read.found.items()}
        self.outage.note_read(read)
        if len(self.world.halves) == 1:
            if read.failure is not None:
                raise read.failure
            return self.world.value(read.found)
        return join_halves(found[Half.PROFILE], found[Half.SECRETS], self.made_of)

    def made_of(self, profile: State | None, secrets: State | None = None) -> Any:
        return self.world.value({Half.PROFILE: profile or EMPTY, Half.SECRETS: secrets or EMPTY})

    def read_half(self, read: TableRead, half: Half, deadline: Deadline) -> State | Fault:
        def weather() -> str:
            return self.weather.get((read.tag, half), "fine")

        if weather() == "hangs" and self.turns.current is None:
            self.pass_by(deadline.seconds_left())
        elif weather() == "hangs":
            self.turns.wait("the table hangs", lambda: weather() != "hangs" or not deadline.seconds_left())
        if not deadline.seconds_left() or weather() in ("silent", "hangs"):
            return Unreachable("no answer")
        if weather() == "busy":
            return Throttled("busy")
        if weather() == "broken":
            return Fault("no such table")
        lag = 0 if read.consistent else self.lag
        return self.states(read.tag, half, self.timer() - lag)[0]

    def check_need(self, read: TableRead) -> None:
        """No read is made that another one makes unnecessary."""
        others = [other for other in self.reads if other.tag == read.tag and other.consistent is read.consistent]
        if self.ttl and read.consistent:
            assert all(read.began - other.began >= 1 for other in others), f"a second look at {read.tag} too many"
        elif self.ttl:
            since = read.began - self.ttl
            assert not any(other.ended is None and other.began > since for other in others), "a burst is read twice"
        self.outage.check_attempt(read)

    def read_issuer(self, identifier: str, *, consistent: bool, deadline: Deadline) -> Any:
        """The port `IssuersStore`."""
        return self.read(identifier, consistent=consistent, deadline=deadline)

    def is_revoked(self, tag: str, jti: str, *, deadline: Deadline) -> Any:
        """The port `RevocationsStore`."""
        return self.read(tag, consistent=False, deadline=deadline)

    def teardown(self) -> None:
        try:
            self.weather.clear()
            while self.under_way:
                self.timer.pass_by(SECONDS)
                for asked in self.under_way:
                    asked.actor.go_on(WHOLE)
                self.under_way = [asked for asked in self.under_way if not asked.actor.has_ended]
        finally:
            self.patches.undo()


class OutageModel:
    """What reads say about all tables together: whether they may be away, and whether they must seem so."""

    def __init__(self) -> None:
        self.possible: list[TableRead] = []
        self.counted = 0
        self.failing: set[str] = set()
        self.attempts: list[float] = []

    @property
    def may_be(self) -> bool:
        return len({read.tag for read in self.possible}) >= TAGS_OF_AN_OUTAGE

    def note_read(self, read: TableRead) -> None:
        """Note what the tables answered; the memory may learn of it later."""
        if read.is_outage:
            self.possible.append(read)
        elif not isinstance(read.failure, Throttled) or read.found:
            self.failing.discard(read.tag)
            self.counted = 0
            self.attempts.clear()

    def note_told(self, read: TableRead, *, is_remembered: bool) -> None:
        """Note that the memory has learnt of it."""
        if read.is_outage:
            if is_remembered and read.tag not in self.failing:
                self.failing.add(read.tag)
                self.counted += 1
        elif not isinstance(read.failure, Throttled) or read.found:
            ended = read.ended or 0
            self.possible = [other for other in self.possible if other.told is None or other.told[1] > ended]

    def check_attempt(self, read: TableRead) -> None:
        """In an outage there is one attempt a second for tags that are remembered, and one for all others."""
        if self.counted >= TAGS_OF_AN_OUTAGE:
            self.attempts.append(read.began)
            assert len(self.attempts) < 3 or self.attempts[-1] - self.attempts[-3] >= 1, "too many attempts"


def is_silence(failure: Fault | None) -> bool:
    return isinstance(failure, Unreachable)


def fits(state: State, serial: int | None) -> bool:
    return not state.names if serial is None else bool(state.names) and serial in (state.serial, ANY)


class RequestsByTag(Requests):
    world = Rows()


class RequestsByIssuer(Requests):
    world = Issuers()


class RequestsForRevocations(Requests):
    world = Revocations()


TestRows = RequestsByTag.TestCase
TestRows.settings = settings(max_examples=examples(100), stateful_step_count=40)
TestIssuers = RequestsByIssuer.TestCase
TestIssuers.settings = settings(max_examples=examples(50), stateful_step_count=40)
TestRevocations = RequestsForRevocations.TestCase
TestRevocations.settings = settings(max_examples=examples(40), stateful_step_count=40)

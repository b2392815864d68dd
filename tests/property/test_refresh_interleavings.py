"""Rounds that refresh an issuer's keys at the same time, while operators change the issuer and the issuer its keys.

Each round is cut at its requests to the tables and around its fetches: before each of them it may be overtaken. What
the tables hold is judged at each write, by the contract's section *Fetching*.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auth_jwt.errors import Rejected
from auth_jwt.fetching.client import Fetched
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import IssuerPatterns
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import WriteOutcome
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt.refreshing.models import RefreshOutcome
from auth_jwt.refreshing.refresher import Refresher
from auth_jwt.refreshing.store import IssuerTables
from tests.factories import a_jwk
from tests.interleaving import Actor, Turns
from tests.issuers import ISSUER, KEYS_URL
from tests.sampling import examples
from tests.service import a_service

ADDRESSES: Final = (KEYS_URL, "https://login.example.com/other/keys")
CONFIGURATION: Final = Key(Table.PROFILES, ISSUER)
STATUS: Final = Key(Table.SECRETS, ISSUER, "issuer-status")
KEYS: Final = Key(Table.SECRETS, ISSUER, "issuer-keys")
MINUTE: Final = 60
LONGEST_SECONDS: Final = 16 * MINUTE
"""After how long everything is due again, whatever an issuer has put off."""

Rows = Mapping[Key, Mapping[str, object]]


@dataclass(eq=False)
class Work:
    """A round, or what an operator does."""

    actor: Actor
    is_round: bool
    url: str | None = None  # whose keys it has fetched
    began: float = 0  # when it began to fetch them
    kids: tuple[str, ...] = ()  # what it was given
    writes: int = 0


class Requests:
    """The tables: each method of the port can be overtaken before it does anything."""

    def __init__(self, machine: "Refreshing") -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        done = getattr(self._machine.service.tables, name)

        def request(*args: Any, **options: Any) -> Any:
            machine = self._machine
            machine.turns.pause(name)
            before = machine.copy_rows() if name in ("write", "update") else {}
            result = done(*args, **options)
            if before:
                machine.judge_write(machine.current, before)
            return result

        return request if callable(done) else done


@dataclass
class Provider:
    """What the issuer publishes at its addresses."""

    machine: "Refreshing"
    published: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ever: dict[str, set[str]] = field(default_factory=dict)
    number: int = 0
    fails: FetchFailed | None = None

    def publish(self, url: str, *, keeps: bool) -> None:
        self.number += 1
        kid = f"{ADDRESSES.index(url)}-{self.number}"
        self.published[url] = (*self.published.get(url, ())[-1:], kid) if keeps else (kid,)
        self.ever.setdefault(url, set()).add(kid)

    def fetch(self, url: str, *, etag: str | None = None) -> Fetched:
        """The port `Fetcher`."""
        work, clock = self.machine.current, self.machine.service.clock
        work.url, work.began = url, clock()
        self.machine.turns.pause("before it is answered")
        failure, kids = self.fails, self.published[url]
        self.machine.turns.pause("before the answer comes")
        if failure is not None:
            raise failure
        work.kids = kids
        current = f'"{kids}"'
        if etag == current:
            return Fetched(304, b"", etag, 0)
        keys = [a_jwk("p256" if number % 2 else "p384", kid=kid) for number, kid in enumerate(kids)]
        return Fetched(200, json.dumps({"keys": keys}).encode(), current, 0)


class Refreshing(RuleBasedStateMachine):
    """Two processes that refresh, and operators."""

    def __init__(self) -> None:
        super().__init__()
        self.service = a_service()
        self.turns = Turns(self.service.clock)
        self.provider = Provider(self)
        store: Any = Requests(self)
        self.provisioning = Provisioning(replace(self.service.provisioning.registry, store=store))
        self.refreshers = [
            Refresher(
                store=IssuerTables(store, self.service.tables.columns),
                fetcher=self.provider,
                patterns=IssuerPatterns(frozenset({ISSUER})),
                audit=self.service.audit.append,
                actor="refresh_keys",
                clock=self.service.clock,
            )
            for _ in range(2)
        ]
        self.under_way: list[Work] = []
        self.newest_fetch = 0.0
        self.keys_written = 0

    @initialize()
    def begin(self) -> None:
        for url in ADDRESSES:
            self.provider.publish(url, keeps=False)
        self.add()

    def add(self) -> None:
        self.operate(
            lambda: self.provisioning.issuers.add(
                ISSUER,
                {"keys_url": KEYS_URL, "audiences": ["sip"], "algorithms": ["ES256", "ES384"], "discovery": False},
            ),
            50,
        )

    # -- what happens -------------------------------------------------------------------------------------------------

    @rule(process=st.sampled_from([0, 1]), points=st.sampled_from([3, 4, 5, 6, 50]), by_hand=st.booleans())
    def a_round_begins(self, process: int, points: int, by_hand: bool) -> None:
        refresher = self.refreshers[process]
        minute = None if by_hand else self.service.clock()
        self.begin_one(lambda: refresher.refresh(ISSUER, minute=minute), points, is_round=True)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), points=st.sampled_from([1, 1, 2, 50]))
    def one_goes_on(self, data: st.DataObject, points: int) -> None:
        self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))].actor.go_on(points)
        self.note_ended()

    @rule(url=st.sampled_from(ADDRESSES), keeps=st.booleans())
    def the_issuer_rotates(self, url: str, keeps: bool) -> None:
        self.provider.publish(url, keeps=keeps)

    @rule(fails=st.booleans(), retry_after=st.sampled_from([None, 600]))
    def the_issuer_breaks_down_or_recovers(self, fails: bool, retry_after: int | None) -> None:
        failure = FetchFailed(FailureKind.BAD_STATUS, "503", retry_after=retry_after)
        self.provider.fails = failure if fails else None

    @rule(seconds=st.sampled_from([0.5, 1, 5, MINUTE, 5 * MINUTE]))
    def time_passes(self, seconds: float) -> None:
        self.service.clock.pass_by(seconds)

    @rule(points=st.sampled_from([2, 3, 50]), url=st.sampled_from(ADDRESSES))
    def an_operator_changes_the_address(self, points: int, url: str) -> None:
        self.operate(lambda: self.provisioning.issuers.change(ISSUER, {"keys_url": url}), points)

    @rule(points=st.sampled_from([2, 3, 50]), adds=st.booleans())
    def an_operator_removes_it(self, points: int, adds: bool) -> None:
        self.operate(lambda: self.provisioning.issuers.remove(ISSUER), points)
        if adds:
            self.add()

    @rule()
    def an_operator_adds_it(self) -> None:
        self.add()

    @rule(points=st.sampled_from([2, 3, 50]))
    def an_operator_blocks_a_key(self, points: int) -> None:
        kid = self.provider.published[KEYS_URL][-1]
        self.operate(lambda: self.provisioning.issuers.block_key(ISSUER, kid), points)

    @rule(points=st.sampled_from([2, 3, 50]), disables=st.booleans())
    def an_operator_switches_it(self, points: int, disables: bool) -> None:
        issuers = self.provisioning.issuers
        self.operate(lambda: issuers.disable(ISSUER) if disables else issuers.enable(ISSUER), points)

    @precondition(lambda self: not self.under_way and CONFIGURATION in self.service.tables.rows)
    @rule()
    def all_is_quiet_for_a_while(self) -> None:
        """Whatever happened, the next round that is due fetches the keys: nothing is put off for ever."""
        self.provider.fails = None
        self.service.clock.pass_by(LONGEST_SECONDS)
        self.a_round_begins(0, 50, False)
        if "disabled" not in self.service.tables.rows[CONFIGURATION]:
            assert self.last.actor.result.outcome in (RefreshOutcome.REPLACED, RefreshOutcome.UNCHANGED)
            assert kids_in(self.service.tables.rows) == sorted(self.provider.published[self.address])

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def a_removed_issuer_stays_removed(self) -> None:
        rows = self.service.tables.rows
        assert CONFIGURATION in rows or not {STATUS, KEYS} & rows.keys(), "rows of an issuer that is removed"

    @invariant()
    def keys_of_another_address_do_not_count(self) -> None:
        if CONFIGURATION in self.service.tables.rows:
            counting = self.service.provisioning.issuers.show(ISSUER).keys
            assert {str(key.kid) for key in counting} <= self.provider.ever[self.address]

    @invariant()
    def a_change_of_keys_has_its_line_in_the_audit(self) -> None:
        lines = [entry for entry in self.service.audit if entry.action == "issuer.refresh"]
        assert len(lines) == self.keys_written
        assert all(line.outcome is WriteOutcome.DONE for line in lines)

    def judge_write(self, work: Work, before: Rows) -> None:
        rows = self.service.tables.rows
        if work.is_round:
            self.judge_round(work, before)
        if rows.get(CONFIGURATION, {}).get("issuer_version") != before.get(CONFIGURATION, {}).get("issuer_version"):
            self.newest_fetch = 0.0  # of other keys
        if CONFIGURATION in rows and CONFIGURATION in before:
            blocked = blocked_in(before)
            assert blocked <= blocked_in(rows), "a blocked key is not blocked any more"

    def judge_round(self, work: Work, before: Rows) -> None:
        """Judge what a round wrote over the rows as they were just *before*."""
        rows = self.service.tables.rows
        assert STATUS in before, "a round wrote about an issuer that was removed"
        assert CONFIGURATION in before
        assert rows[CONFIGURATION] == before[CONFIGURATION], "a round changed the configuration"
        has_fetched = rows[STATUS].get("issuer_fetched_at") == floor(work.began)
        if rows.get(KEYS) != before.get(KEYS):
            self.keys_written += 1
            assert has_fetched
        if has_fetched and work.kids:
            assert work.url == self.address, "keys of an address that is not configured any more"
            assert kids_in(rows) == sorted(work.kids), "other keys than those that were fetched"
            assert floor(work.began) >= floor(self.newest_fetch), "a slow fetch overwrites a newer one"
            self.newest_fetch = work.began

    @property
    def address(self) -> str:
        return str(json.loads(str(self.service.tables.rows[CONFIGURATION]["issuer_config"]))["keys_url"])

    # -- who does it --------------------------------------------------------------------------------------------------

    def copy_rows(self) -> Rows:
        return {key: dict(row) for key, row in self.service.tables.rows.items()}

    @property
    def current(self) -> Work:
        actor = self.turns.current
        return next(each for each in self.under_way if actor in (each.actor, None))

    def operate(self, work: Any, points: int) -> None:
        self.begin_one(work, points, is_round=False)

    def begin_one(self, work: Any, points: int, *, is_round: bool) -> None:
        """Begin something, so many points far. Of more than three, the oldest is done first."""
        if len(self.under_way) >= 3:
            self.under_way[0].actor.go_on(50)
            self.note_ended()
        self.last = Work(self.turns.start(work), is_round)
        is_alone = not self.under_way
        self.under_way.append(self.last)
        if is_alone and points == 50:
            self.last.actor.do_at_once()
        else:
            self.last.actor.go_on(points)
        self.note_ended()

    def note_ended(self) -> None:
        for work in [work for work in self.under_way if work.actor.has_ended]:
            self.under_way.remove(work)
            failure = work.actor.failure
            if failure is not None and (work.is_round or not isinstance(failure, Rejected)):
                raise failure
        self.turns.forget_ended()

    def teardown(self) -> None:
        for work in self.under_way:
            work.actor.go_on(1000)


def kids_in(rows: Rows) -> list[str]:
    return sorted(key["kid"] for key in json.loads(str(rows[KEYS]["issuer_keys"]))["keys"]) if KEYS in rows else []


def blocked_in(rows: Rows) -> set[str]:
    return set(json.loads(str(rows[CONFIGURATION]["issuer_config"])).get("blocked_keys", ()))


TestRefreshing = Refreshing.TestCase
TestRefreshing.settings = settings(max_examples=examples(60), stateful_step_count=30)

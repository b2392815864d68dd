"""Operators who work at the same time: whatever overtakes what, no write of one undoes or revives what another did.

Each operation is cut into its requests to the tables: before each one, another operation may overtake it. Requests may
fail, before or after they were done, as when an answer is lost. What the tables hold is judged at each write.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auth_jwt.errors import NotFound, Rejected, Unreachable
from auth_jwt.models import SECRET_ID
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import WriteOutcome
from auth_jwt.provisioning.changes import Change, Delete, Key, Put, Table
from auth_jwt.provisioning.registry import version_of
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.tombstones import CONTENT_TAG, TOMBSTONES_TAG, rows_in
from tests.factories import NOW
from tests.interleaving import Actor, Turns
from tests.issuers import KEYS_URL
from tests.sampling import examples
from tests.service import a_service

TAGS: Final = ("t1", "t2", "https://one.example.com")
ISSUERS: Final = ("https://one.example.com", "https://two.example.com")
DOMAINS: Final = ("sip.example.com", "SIP.example.com", "other.example.com")
OVERLAP: Final = 60
WHOLE: Final = 100
"""As many requests as no operation has."""
FAMILIES: Final = (
    ("change", "change by version", "switch", "delete", "delete", "rename", "revoke all"),
    ("create", "delete", "restore", "issuer add"),
    ("secret add", "rotate", "close", "remove", "delete", "rename"),
    ("revoke",),
    ("issuer add", "issuer change", "issuer remove"),
)
"""Operations that may get into each other's way."""
OPERATIONS: Final = tuple(dict.fromkeys(name for family in FAMILIES for name in family))
MAY_CREATE: Final = ("create", "restore", "rename", "issuer add")
"""The operations after which there may be a profile where none was."""

Rows = Mapping[Key, Mapping[str, object]]


@dataclass(eq=False)
class Operation:
    """What an operator does: its name, and the writes that were acknowledged to it, or may have happened."""

    name: str
    actor: Actor
    tag: str
    began: int
    if_version: str | None = None
    writes: int = 0
    lost: int = 0
    fails: str | None = None  # the next request: `before` it is done, or `after`


class Requests:
    """The tables, where every request can be overtaken: each method of the port stops before it does anything."""

    def __init__(self, machine: "Operators") -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        done = getattr(self._machine.service.tables, name)
        if not callable(done):
            return done

        def request(*args: Any, **options: Any) -> Any:
            machine = self._machine
            machine.turns.pause(name)
            operation = machine.current
            failure, operation.fails = operation.fails, None
            if failure == "before":
                raise Unreachable("no answer")
            before = machine.copy_rows() if name == "write" else {}
            result = done(*args, **options)
            if name == "write":
                machine.judge_write(operation, args, before)
                operation.writes += failure is None
                operation.lost += failure is not None
            if failure == "after":
                raise Unreachable("no answer")
            return result

        return request


@dataclass
class Numbers:
    """Values that nobody has used before."""

    last: int = 0

    def next(self) -> str:
        self.last += 1
        return f"value {self.last} of an operator, long enough for whatever algorithm there is in the list"


class Operators(RuleBasedStateMachine):
    """Some operators on a few tags and issuers."""

    def __init__(self) -> None:
        super().__init__()
        self.service = a_service()
        self.turns = Turns(self.service.clock)
        registry = replace(self.service.provisioning.registry, store=Requests(self))
        self.provisioning = Provisioning(registry)
        self.under_way: list[Operation] = []
        self.acknowledged = self.lost = 0
        self.values = Numbers()

    @initialize()
    def begin(self) -> None:
        for tag in TAGS[:2]:
            self.service.has(tag=tag)
            self.service.has_secret("1", tag=tag, secret=self.values.next())

    @property
    def rows(self) -> Rows:
        return self.service.tables.rows

    def copy_rows(self) -> Rows:
        return {key: dict(row) for key, row in self.service.tables.rows.items()}

    @property
    def current(self) -> Operation:
        actor = self.turns.current
        return next(each for each in self.under_way if actor in (each.actor, None))

    # -- what operators do --------------------------------------------------------------------------------------------

    @rule(data=st.data(), name=st.sampled_from(OPERATIONS), requests=st.sampled_from([1, 2, 3, WHOLE]))
    def an_operation_begins(self, data: st.DataObject, name: str, requests: int) -> None:
        self.begin_one(data, name, requests)

    @rule(data=st.data(), family=st.sampled_from(FAMILIES), is_lost=st.sampled_from([None, None, "before", "after"]))
    def a_write_is_overtaken(self, data: st.DataObject, family: tuple[str, ...], is_lost: str | None) -> None:
        """One has read all it needs, another of the same kind is done whole, and then the first one writes."""
        if Key(Table.PROFILES, "t1") not in self.rows:
            self.begin_one(data, "create", WHOLE, tag="t1")
        slow = self.begin_one(data, data.draw(st.sampled_from(family)), 1, tag="t1")
        while slow.actor.can_go_on and slow.actor.point != "write":
            slow.actor.go_on()
        self.begin_one(data, data.draw(st.sampled_from(family)), WHOLE, tag="t1")
        slow.fails = is_lost
        slow.actor.go_on(WHOLE)
        self.judge_ended()

    def work_of(self, data: st.DataObject, name: str, tag: str | None) -> Operation:
        """Return an operation of that *name* with values that nobody has used before."""
        tag = tag or data.draw(st.sampled_from(["t1", "t1", "t1", *TAGS]))
        new, value, flag = data.draw(st.sampled_from(TAGS)), self.values.next(), data.draw(st.booleans())
        days, secret = data.draw(st.sampled_from([None, 1, 9, 30])), data.draw(st.sampled_from("12"))
        issuer, domain = data.draw(st.sampled_from(ISSUERS)), data.draw(st.sampled_from(DOMAINS))
        exp = None if days is None else NOW + days * 86400
        row = self.rows.get(Key(Table.PROFILES, tag))
        version = version_of({"tag": tag, **row}) if row is not None else None
        first = NewSecret(value=value) if flag else None
        members = {
            "keys_url": KEYS_URL,
            "audiences": ["sip"],
            "mapping": "claim",
            "username_claim": "sip",
            "sip_domain": domain,
        }
        to = self.provisioning
        works: dict[str, Callable[[], object]] = {
            "create": lambda: to.profiles.create(tag, value, secret=first),
            "change": lambda: to.profiles.change(tag, username=value),
            "change by version": lambda: to.profiles.change(tag, username=value, if_version=version),
            "switch": lambda: to.profiles.switch(tag, disabled=flag),
            "delete": lambda: to.profiles.delete(tag, forever=flag),
            "restore": lambda: to.profiles.restore(tag),
            "rename": lambda: to.profiles.rename(tag, new),
            "secret add": lambda: to.secrets.add(tag, NewSecret(value=value)),
            "rotate": lambda: to.secrets.rotate(tag, NewSecret(value=value), overlap_seconds=OVERLAP),
            "close": lambda: to.secrets.close(tag, secret),
            "remove": lambda: to.secrets.remove(tag, secret),
            "revoke": lambda: to.revocations.revoke("t1", "j", exp=exp),
            "revoke all": lambda: to.revocations.revoke_all(tag, before=NOW + (days or 0)),
            "issuer add": lambda: to.issuers.add(issuer, members),
            "issuer change": lambda: to.issuers.change(issuer, {"sip_domain": domain}),
            "issuer remove": lambda: to.issuers.remove(issuer),
        }
        by_version = version if name == "change by version" else None
        return Operation(name, self.turns.start(works[name]), tag, int(self.service.clock.now), by_version)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), requests=st.sampled_from([1, 2, WHOLE]))
    def one_goes_on(self, data: st.DataObject, requests: int) -> None:
        self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))].actor.go_on(requests)
        self.judge_ended()

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), failure=st.sampled_from(["before", "after"]))
    def an_answer_is_lost(self, data: st.DataObject, failure: str) -> None:
        operation = self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))]
        operation.fails = failure
        operation.actor.go_on(1)
        self.judge_ended()

    @rule(seconds=st.sampled_from([1, OVERLAP, 40 * 86400]))
    def time_passes(self, seconds: int) -> None:
        self.service.clock.pass_by(seconds)

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def a_tag_holds_an_issuer_or_secrets(self) -> None:
        for key, row in self.rows.items():
            if key.table is Table.SECRETS and "secret" in row:
                assert "issuer_config" not in self.rows.get(Key(Table.PROFILES, key.tag), {}), f"{key.tag} holds both"

    @invariant()
    def a_domain_is_of_one_issuer(self) -> None:
        domains = [
            str(json.loads(str(row["issuer_config"]))["sip_domain"]).lower()
            for row in self.rows.values()
            if "issuer_config" in row
        ]
        assert len(domains) == len(set(domains))
        claimed = [str(row["issuer_domain_of"]) for row in self.rows.values() if "issuer_domain_of" in row]
        assert len(claimed) == len(domains)

    @invariant()
    def a_tombstone_is_whole_or_gone(self) -> None:
        listed = {str(key.id) for key in self.rows if key.tag == TOMBSTONES_TAG}
        assert listed == {key.tag.removeprefix(CONTENT_TAG) for key in self.rows if key.tag.startswith(CONTENT_TAG)}

    @invariant()
    def every_write_has_its_line_in_the_audit(self) -> None:
        outcomes = [entry.outcome for entry in self.service.audit]
        writes = self.acknowledged + sum(each.writes for each in self.under_way)
        lost = self.lost + sum(each.lost for each in self.under_way)
        assert outcomes.count(WriteOutcome.DONE) == writes
        assert outcomes.count(WriteOutcome.UNKNOWN) >= lost

    def judge_write(self, operation: Operation, changes: tuple[Change, ...], before: Rows) -> None:
        """Judge what one write made of the rows as they were just *before*."""
        for key in {change.key for change in changes}:
            old, new = before.get(key), self.rows.get(key)
            if key.table is Table.PROFILES and old is None and new is not None:
                assert operation.name in MAY_CREATE, f"{operation.name} revives the profile {key.tag}"
            if old is not None and new is not None:
                self.judge_change(operation, key, old, new)
        if operation.if_version is not None:
            row = before[Key(Table.PROFILES, operation.tag)]
            assert version_of({"tag": operation.tag, **row}) == operation.if_version, "an update is lost"
        if operation.name in ("secret add", "rotate"):
            profile = before.get(Key(Table.PROFILES, operation.tag))
            assert profile is not None, f"{operation.name} without a profile"
            assert "issuer_config" not in profile
        if operation.name == "delete":
            self.judge_deletion(operation.tag, before)
        if operation.name == "rotate":
            self.judge_rotation(operation, before)
        if operation.name == "rename":
            moved = [before[change.key] for change in changes if isinstance(change, Delete)]
            assert moved == [self.rows[change.key] for change in changes if isinstance(change, Put)], (
                "an update is lost"
            )

    def judge_change(
        self, operation: Operation, key: Key, old: Mapping[str, object], new: Mapping[str, object]
    ) -> None:
        assert old.get("secret") == new.get("secret"), f"{operation.name} overwrites the secret {key.id} of {key.tag}"
        if key.table is Table.REVOCATIONS and operation.name == "revoke":
            assert until(new) >= until(old), "of two revocations the shorter wins"
        if key.table is Table.PROFILES:
            assert ("issuer_config" in old) is ("issuer_config" in new), f"{key.tag} becomes something else"
            assert since(new) >= since(old), "tokens that were revoked work again"
        if key.table is Table.SECRETS and "end_ts" in old:
            ends = (old["end_ts"], new["end_ts"])
            assert all(isinstance(end, Decimal) for end in ends)
            assert ends[1] <= ends[0], f"{operation.name} prolongs the secret {key.id}"  # type: ignore[operator]

    def judge_deletion(self, tag: str, before: Rows) -> None:
        """What is kept of a deleted profile is what was there last."""
        gone = {key: row for key, row in before.items() if key.tag == tag and key not in self.rows}
        content = [
            row
            for key in self.rows.keys() - before.keys()
            if key.tag.startswith(CONTENT_TAG)
            for row in self.service.tables.secrets(key.tag)
            if row[SECRET_ID] == key.id
        ]
        assert not content or dict(rows_in(content, tag)) == gone

    def judge_rotation(self, operation: Operation, before: Rows) -> None:
        """Whoever was let in by a secret is let in until the overlap ends, and the new secret is open."""
        now = Decimal(operation.began)
        for key, row in before.items():
            if (key.table, key.tag) == (Table.SECRETS, operation.tag) and "end_ts" in row:
                old, new = row["end_ts"], self.rows[key]["end_ts"]
                assert isinstance(old, Decimal)
                assert isinstance(new, Decimal)
                assert new >= min(old, now + OVERLAP), "a rotation ends a secret before the overlap"
        added = [row for key, row in self.rows.items() if key not in before and key.tag == operation.tag]
        assert len(added) == 1
        assert added[0]["start_ts"] <= now < added[0]["end_ts"]  # type: ignore[operator]

    def judge_ended(self) -> None:
        for operation in [each for each in self.under_way if each.actor.has_ended]:
            self.under_way.remove(operation)
            self.acknowledged += operation.writes
            self.lost += operation.lost
            failure = operation.actor.failure
            if isinstance(failure, Rejected) and operation.writes:
                # What was written may be gone when it is shown, and a deletion may have cleaned up what others left.
                assert isinstance(failure, NotFound) or operation.name == "delete", (
                    f"{operation.name} is rejected, and done"
                )
            elif failure is not None and not isinstance(failure, Rejected | Unreachable):
                raise failure
        self.turns.forget_ended()

    def begin_one(self, data: st.DataObject, name: str, requests: int, tag: str | None = None) -> Operation:
        """Begin an operation and do some of its requests. Of more than three, the oldest is done first."""
        if len(self.under_way) >= 3:
            self.under_way[0].actor.go_on(WHOLE)
            self.judge_ended()
        operation = self.work_of(data, name, tag)
        is_alone = not self.under_way
        self.under_way.append(operation)
        if is_alone and requests == WHOLE:
            operation.actor.do_at_once()
        else:
            operation.actor.go_on(requests)
        self.judge_ended()
        return operation

    def teardown(self) -> None:
        for operation in self.under_way:
            operation.actor.go_on(1000)


def until(revocation: Mapping[str, object]) -> Decimal:
    end = revocation.get("expires_at", Decimal("Infinity"))
    assert isinstance(end, Decimal)
    return end


def since(profile: Mapping[str, object]) -> Decimal:
    bound = profile.get("tokens_valid_after", Decimal(0))
    assert isinstance(bound, Decimal)
    return bound


TestOperators = Operators.TestCase
TestOperators.settings = settings(max_examples=examples(80), stateful_step_count=30)

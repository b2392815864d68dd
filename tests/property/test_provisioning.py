"""Whatever operators do in whatever order: what has ended stays so, and nobody is refused whom an overlap protects.

Windows only ever shrink, unless somebody says another end.
"""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auth_jwt.errors import Rejected
from auth_jwt.provisioning.changes import Table
from auth_jwt.provisioning.secrets import NewSecret
from tests.factories import TAG, a_token
from tests.sampling import examples
from tests.service import a_service

seconds = st.integers(0, 500)


class Operators(RuleBasedStateMachine):
    """Operators at work on one tag, and what must hold all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.service = a_service()
        self.service.has()
        self.secrets = self.service.provisioning.secrets
        self.values: dict[str, str] = {}
        self.ends: dict[str, Decimal] = {}
        self.ended: set[str] = set()

    @rule(lifetime=st.integers(1, 2000))
    def add(self, lifetime: int) -> None:
        added = self.secrets.add(TAG, NewSecret(end=int(self.service.clock.now) + lifetime))
        self.note(added.secret.id, added.generated)

    @rule(overlap=seconds)
    def rotate(self, overlap: int) -> None:
        before = {secret.id: secret for secret in self.secrets.list(TAG) if secret.state == "open"}
        rotated = self.secrets.rotate(TAG, NewSecret(), overlap_seconds=overlap)
        self.note(rotated.secret.id, rotated.generated)
        latest = self.service.clock.now + overlap
        for secret in self.secrets.list(TAG):
            if secret.id in before:
                assert secret.end == min(before[secret.id].end or 0, latest)

    @precondition(lambda self: self.values)
    @rule(data=st.data(), later=seconds)
    def close(self, data: st.DataObject, later: int) -> None:
        secret_id = data.draw(st.sampled_from(sorted(self.values)))
        closed = self.secrets.close(TAG, secret_id, at=int(self.service.clock.now) + later)
        assert closed.end is not None
        assert closed.end <= self.service.clock.now + later

    @precondition(lambda self: self.values)
    @rule(data=st.data(), start=st.integers(-500, 500), length=st.integers(-5, 900))
    def set_window(self, data: st.DataObject, start: int, length: int) -> None:
        secret_id = data.draw(st.sampled_from(sorted(self.values)))
        begin = int(self.service.clock.now) + start
        try:
            changed = self.secrets.change(TAG, secret_id, start=begin, end=begin + length)
        except Rejected:
            return
        assert (changed.start, changed.end) == (begin, begin + length)
        self.ends[secret_id] = Decimal(begin + length)

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        secret_id = data.draw(st.sampled_from(sorted(self.values)))
        was_open = self.secrets.show(TAG, secret_id).state == "open"
        try:
            self.secrets.remove(TAG, secret_id)
        except Rejected:
            assert was_open
        else:
            assert not was_open
            del self.values[secret_id], self.ends[secret_id]
            self.ended.discard(secret_id)

    @rule(later=seconds)
    def wait(self, later: int) -> None:
        self.service.clock.pass_by(later)

    @invariant()
    def windows_only_shrink(self) -> None:
        for key, row in self.service.tables.rows.items():
            if key.table is Table.SECRETS:
                end = row["end_ts"]
                assert isinstance(end, Decimal)
                assert end <= self.ends[str(key.id)]
                self.ends[str(key.id)] = end

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        now = self.service.clock.now
        ended = {secret.id for secret in self.secrets.list(TAG) if secret.end is not None and secret.end <= now}
        assert self.ended <= ended
        self.ended |= ended

    @invariant()
    def an_open_secret_and_no_other_verifies(self) -> None:
        for secret in self.secrets.list(TAG):
            verdict = self.service.verdict(a_token(key=self.values[secret.id], jti="j"))
            assert (verdict is None) is (secret.state == "open")

    def note(self, secret_id: str, value: str | None) -> None:
        assert value is not None
        assert secret_id not in self.values
        self.values[secret_id] = value
        self.ends[secret_id] = Decimal("Infinity")


TestOperators = Operators.TestCase
TestOperators.settings = settings(max_examples=examples(30), stateful_step_count=20)

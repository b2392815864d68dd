"""Rotation under a stream of logins: an issuer that reads its secret from Secrets Manager never has a token refused.

The figures are printed: `pytest -s tests/integration/test_rotation_logins.py`. moto serves one call at a time here,
since it is not made for several; what happens between two calls is any order that the threads take. It knows no
conflict of two transactions under way (`TransactionConflict`), only conditions that no longer hold.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Barrier, Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from botocore.client import BaseClient

from auth_jwt.authorizer import Authorizer
from auth_jwt.aws.client import SdkClient
from auth_jwt.aws.dynamodb import DynamoDbStore
from auth_jwt.errors import AuthJwtError, Conflict, Denied, NotRotated, Reason
from auth_jwt.memory.rows import RowMemory
from auth_jwt.models import Columns, Policy
from auth_jwt.provisioning.inspection import SecretState
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.secrets_manager import SecretsManager
from auth_jwt.provisioning.versions import CURRENT
from tests.factories import HMAC_KEY, NOW, a_token, verdict
from tests.fakes import Clock
from tests.integration.managed_secrets import (
    TAG,
    a_begun_rotation,
    a_function,
    a_profile,
    a_secret,
    an_account,
    manager,
    members_of,
    provisioning_in,
    rows_of,
)
from tests.rotations import RULES, STEPS, steps
from tests.sampling import WHOLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CACHE_TTL = 60
ISSUER_REMEMBERS = 1200
TOKEN_LIVES = 900
"""Together less than the overlap, as the issuer's operator is told."""
ROTATIONS = 6 if WHOLE else 2
LOGINS_IN_BETWEEN = 25
DAY = 86400


class SharedClock(Clock):
    """A clock that all threads go by. While somebody logs in, it stands still."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.standing = Lock()

    def pass_by(self, seconds: float) -> None:
        with self.standing:
            super().pass_by(seconds)


@pytest.fixture(name="aws")
def _aws(monkeypatch: pytest.MonkeyPatch) -> "Iterator[DynamoDBClient]":
    """An account that serves one call at a time."""
    make, turn = BaseClient._make_api_call, Lock()  # type: ignore[attr-defined] # not in the stubs

    def in_turn(*given: Any) -> Any:
        with turn:
            return make(*given)

    with an_account() as client:
        monkeypatch.setattr(BaseClient, "_make_api_call", in_turn)
        yield client


@dataclass
class Issuer:
    """Reads what is current, remembers it for so many seconds, and signs with it."""

    arn: str
    clock: Clock
    remembers: int
    _secret: str = ""
    _until: float = 0

    def token(self) -> str:
        now = int(self.clock())
        if now >= self._until:
            self._secret, self._until = members_of(self.arn)["secret"], now + self.remembers
        return jwt.encode({"tag": TAG, "iat": now, "exp": now + TOKEN_LIVES}, self._secret, algorithm="HS512")


@dataclass
class Logins:
    """People who log in all the time, with new tokens and with those they still have, and a stranger who tries."""

    authorizer: Authorizer
    arn: str
    clock: SharedClock
    outcomes: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)
    ended: Event = field(default_factory=Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [Thread(target=self._log_in, args=(seed,), daemon=True) for seed in range(3)]
        threads.append(Thread(target=self._try, daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.ended.set()
            for thread in threads:
                thread.join(10)

    def let_some_in(self, number: int = LOGINS_IN_BETWEEN) -> None:
        """Wait for that many more, each with what is so now."""
        pause, enough = Event(), self.outcomes.total() + number
        while self.outcomes.total() < enough:
            pause.wait(0.001)

    def _log_in(self, seed: int) -> None:
        chance, kept = random.Random(seed), list[tuple[float, str]]()
        issuer = Issuer(self.arn, self.clock, remembers=ISSUER_REMEMBERS if seed else 0)  # one that cannot wait
        while not self.ended.is_set():
            with self.clock.standing:
                kept = [(exp, token) for exp, token in kept if self.clock() < exp][-50:]
                if not kept or chance.random() < 0.7:
                    kept.append((self.clock() + TOKEN_LIVES, issuer.token()))
                _, token = kept[-1] if chance.random() < 0.5 else chance.choice(kept)
                self.outcomes[self._outcome(token)] += 1

    def _try(self) -> None:
        """Guess, which has the rows read anew once a second, at the worst of moments."""
        forged = a_token(key="x" * 64, tag=TAG)
        while not self.ended.wait(0.002):
            with self.clock.standing:
                self.strangers[self._outcome(forged)] += 1

    def _outcome(self, token: str) -> str:
        try:
            self.authorizer.authorize(token)
        except Denied as denied:
            return denied.reason.value
        except AuthJwtError as error:
            return type(error).__name__
        return "let in"


def the_service(client: "DynamoDBClient", clock: Clock) -> Authorizer:
    """An authorizer that remembers rows, by that clock."""
    store = DynamoDbStore(
        lambda: SdkClient(client), profiles_table="jwt_profiles", secrets_table="jwt_secrets", columns=Columns()
    )
    memory = RowMemory(store, ttl=CACHE_TTL, stale_for=300, timer=clock)
    return Authorizer(memory=memory, revocations=None, policy=Policy(), store_seconds=300, clock=clock)


def told(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")


def test_no_login_is_refused_while_secrets_are_rotated(aws: "DynamoDBClient") -> None:
    """Several rotations, a month apart, each with logins between any two steps and all through the overlap."""
    clock = SharedClock()
    service, provisioning = the_service(aws, clock), provisioning_in(aws, clock)
    a_profile(aws)
    arn, function, versions = a_secret(), a_function(), SecretsManager(manager())
    provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="1", end=NOW + 400 * DAY))
    logins, replaced = Logins(service, arn, clock), list[str]()
    with logins.going_on():
        for _ in range(ROTATIONS):
            replaced.append(members_of(arn)["secret"])
            logins.let_some_in()
            for _ in steps(provisioning, versions, a_begun_rotation(arn, function), arn=arn):
                logins.let_some_in()
                clock.pass_by(0.3)
            for _ in range(2 * RULES.overlap // 300):
                clock.pass_by(300)
                logins.let_some_in()
            assert verdict(lambda: service.authorize(a_token(key=replaced[-1], tag=TAG))) is Reason.BAD_SIGNATURE
            clock.pass_by(30 * DAY)

    told(
        f"{ROTATIONS} rotations, {logins.outcomes.total()} logins: {dict(logins.outcomes)};"
        f" {logins.strangers.total()} forged tokens: {dict(logins.strangers)}"
    )
    assert logins.outcomes.keys() == {"let in"}
    assert logins.outcomes.total() > ROTATIONS * 20 * LOGINS_IN_BETWEEN
    assert logins.strangers.keys() == {Reason.BAD_SIGNATURE.value}
    states = [record.state for record in provisioning.secrets.list(TAG)]
    assert Counter(states) == {SecretState.OPEN: 1, SecretState.CLOSED: 2}  # the last one replaced, and that by hand


def test_once_the_overlap_is_over_the_old_secret_is_refused_and_not_a_second_before(aws: "DynamoDBClient") -> None:
    """As a window closes that the service remembers, without a look at the tables."""
    clock = Clock(NOW)
    service, provisioning = the_service(aws, clock), provisioning_in(aws, clock)
    a_profile(aws)
    arn, versions = a_secret(), SecretsManager(manager())
    provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="1"))
    list(steps(provisioning, versions, a_begun_rotation(arn, a_function()), arn=arn))
    old = a_token(key=HMAC_KEY, tag=TAG)

    clock.pass_by(RULES.overlap - 1)
    assert verdict(lambda: service.authorize(old)) is None
    clock.pass_by(1)
    assert verdict(lambda: service.authorize(old)) is Reason.BAD_SIGNATURE


# -- two at once ------------------------------------------------------------------------------------------------------

ROUNDS = 15


def both(*tasks: Any) -> list[Any]:
    """Run *tasks* at once; what each returned or raised."""
    results: list[Any] = [None] * len(tasks)

    def run(number: int) -> None:
        try:
            results[number] = tasks[number]()
        except AuthJwtError as error:
            results[number] = error

    threads = [Thread(target=run, args=(number,)) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_of_two_operators_who_rotate_at_once_one_does_and_the_other_is_told(
    aws: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """They look at the same moment, round after round; in the end one secret is open, and its holder was told so."""
    clock = SharedClock()
    provisioning = provisioning_in(aws, clock)
    a_profile(aws)
    keys = [provisioning.secrets.add(TAG, NewSecret()).generated]
    tally: Counter[str] = Counter()
    for _ in range(ROUNDS):
        looked, make = Barrier(2), BaseClient._make_api_call  # type: ignore[attr-defined] # not in the stubs

        def together(
            client: BaseClient, operation: str, parameters: Any, looked: Barrier = looked, make: Any = make
        ) -> Any:
            if operation == "TransactWriteItems":
                looked.wait(10)
            return make(client, operation, parameters)

        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", together)
            rotations = both(*[lambda: provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=100)] * 2)
        losers = [result for result in rotations if isinstance(result, Conflict)]
        winners = [result for result in rotations if not isinstance(result, Exception)]
        tally.update(type(result).__name__ for result in rotations)
        assert (len(losers), len(winners)) == (1, 1)
        keys.append(winners[0].generated)
        for key in keys[-2:]:  # the issuer of the one before goes on until the overlap ends
            tally["let in"] += 1
            provisioning.registry.authorizer.authorize(a_token(key=key, tag=TAG))
        clock.pass_by(100)
        states = Counter(record.state for record in provisioning.secrets.list(TAG))
        assert states[SecretState.OPEN] == 1
        provisioning.registry.authorizer.authorize(a_token(key=keys[-1], tag=TAG))
    told(f"{ROUNDS} rounds of two operators: {dict(tally)}, refused 0")


@pytest.mark.parametrize("before", STEPS)
def test_an_operator_who_rotates_between_two_steps_locks_nobody_out_unseen(aws: "DynamoDBClient", before: str) -> None:
    """Whoever comes first, what is current in Secrets Manager verifies until an alarm or a rotation has been seen.

    A rotation by hand ends all secrets, the pending one's among them: then it does not become current. One that came
    before the row was there ends only the others.
    """
    clock = Clock(NOW)
    provisioning = provisioning_in(aws, clock)
    a_profile(aws)
    arn, function, versions = a_secret(), a_function(), SecretsManager(manager())
    provisioning.secrets.add(TAG, NewSecret(value=HMAC_KEY, id="1"))
    version = a_begun_rotation(arn, function)
    done = STEPS[: STEPS.index(before)]
    list(steps(provisioning, versions, version, *done, arn=arn))
    by_hand = provisioning.secrets.rotate(TAG, NewSecret(), overlap_seconds=RULES.overlap)
    is_rotated = "setSecret" not in done
    with nullcontext() if is_rotated else pytest.raises(NotRotated, match="ends within the overlap"):
        list(steps(provisioning, versions, version, arn=arn))

    assert (versions.describe(arn).version_at(CURRENT) == version) is is_rotated
    for key in (members_of(arn)["secret"], by_hand.generated, HMAC_KEY):
        provisioning.registry.authorizer.authorize(a_token(key=key, tag=TAG))
    again = a_begun_rotation(arn, function)
    list(steps(provisioning, versions, again, arn=arn))  # what the runbook says: a rotation anew puts it right
    clock.pass_by(RULES.overlap)
    provisioning.registry.authorizer.authorize(a_token(key=members_of(arn)["secret"], tag=TAG))
    assert rows_of(aws)[by_hand.secret.id][2] > clock.now

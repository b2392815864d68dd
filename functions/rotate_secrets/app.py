"""Secrets Manager calls this to give a tag a new secret: create, set, test, finish.

Each of the four steps may be killed anywhere and called again: it looks at what is there, and does what is missing.
The issuer reads the secret from Secrets Manager and signs with whatever is current. It never notices, since a secret
verifies before it is current, and for an overlap after it was.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Final

from auth_jwt.errors import BadSetting, Conflict, NotFound, NotRotated, Rejected, UnknownEvent, Unreachable
from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import Audit, AuditEntry, WriteOutcome
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.secrets_manager import (
    CURRENT,
    PENDING,
    PREVIOUS,
    ManagedSecret,
    SecretsManager,
    VersionsStore,
    secrets_manager_client,
)
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.tokens import Trial
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import RotationSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call, answer_or_fault

SETTLE_SECONDS: Final = 3
"""How long a row has been there before anybody signs with its secret.

A reader that looked just before may believe its look for a second, and DynamoDB's copies agree within about one.
"""

KEPT_SECONDS: Final = 7 * 86400
"""How long a row of its own stays in the table after its end, for whoever wonders why a token is refused.

Rows that stayed for good would be read at every look at the tag, and each rotation makes one.
"""

_DAY: Final = 86400


def lambda_handler(event: object, context: object) -> None:
    """Do one step of one rotation.

    Args:
        event: `{"Step", "SecretId", "ClientRequestToken"}`; other members are of no interest.
        context: Lambda's.

    Raises:
        Fault: the step is not done, so that Secrets Manager tries again.
    """
    answer_or_fault(journal(), context, lambda call: _do_step(event, call))


def _do_step(event: object, call: Call) -> None:
    request = Request.from_event(event)
    call.noted |= {"step": request.step.value, "managed_secret": request.secret_id}
    trial = _done(request, service(), call.report)
    if trial is None:
        call.record(Outcome.DONE)
        return
    call.report = trial.report  # of a test, the log says what the service decided
    if trial.refused_because is None:
        call.record(Outcome.AUTHORIZED)
    else:
        call.record(Outcome.DENIED, trial.refused_because.value)


def _done(request: "Request", wired: "Service", report: Report) -> Trial | None:
    managed = wired.versions.describe(request.secret_id)
    provisioning = wired.provisioning(f"secretsmanager:{managed.arn}")
    rotation = Rotation(provisioning, wired.versions, wired.rules, managed, request.version, report, time.sleep)
    return rotation.do(request.step)


# -- what stands between calls ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """Made at the first call, kept while the process lives.

    Attributes:
        rules: of rotation.
        versions: the secrets in Secrets Manager.
        provisioning: makes the operations on the tables, for an actor.
    """

    rules: RotationSettings
    versions: VersionsStore
    provisioning: Callable[[str], Provisioning]


@cache
def journal() -> Journal:
    """Return where this function writes what happened."""
    return Journal("rotate_secrets", os.environ)


@cache
def service() -> Service:
    """Read the environment and wire the service.

    Raises:
        BadSetting: a variable cannot be.
    """
    settings, rules = Settings.from_env(os.environ), RotationSettings.from_env(os.environ)
    journal().warn_of_near_misses(near_misses(os.environ))
    tables = provisioning_client(region=settings.database.region, endpoint=settings.database.endpoint)

    def provisioning(actor: str) -> Provisioning:
        return provisioning_of(settings, tables, actor=actor, audit=write_audit)

    return Service(rules, SecretsManager(secrets_manager_client()), provisioning)


def write_audit(entry: AuditEntry) -> None:
    """Write the line of a write into the function's log.

    Raises:
        NotAudited: it cannot be written. The step is not done then, and Secrets Manager asks for it again.
    """
    journal().record_write(entry.as_line())


# -- requests ---------------------------------------------------------------------------------------------------------


class Step(StrEnum):
    """What Secrets Manager calls for, one after the other; all of it again if one fails."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


@dataclass(frozen=True, slots=True)
class Request:
    """What Secrets Manager calls for.

    Attributes:
        step: of the rotation.
        secret_id: name or ARN of the secret.
        version: the version to be: the token by which Secrets Manager tells one rotation from another.
    """

    step: Step
    secret_id: str
    version: str

    @classmethod
    def from_event(cls, event: object) -> "Request":
        """Read an event.

        Raises:
            UnknownEvent: it is not Secrets Manager's.
        """
        members = event if isinstance(event, dict) else {}
        step, secret_id, version = (members.get(name) for name in ("Step", "SecretId", "ClientRequestToken"))
        if not (isinstance(secret_id, str) and secret_id and isinstance(version, str) and version):
            raise UnknownEvent("not a rotation event of Secrets Manager: SecretId and ClientRequestToken are not there")
        if step not in list(Step):
            raise UnknownEvent(f"not a rotation event of Secrets Manager: its Step is none of {', '.join(Step)}")
        return cls(Step(step), secret_id, version)


# -- what a secret holds ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """The JSON object that a version holds, as an issuer reads it.

    Attributes:
        members: all of them; those that are not known here are kept as they are.
    """

    members: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_text(cls, text: str | None, tag: str) -> "SigningSecret":
        """Read the text of a version.

        Who may put a value there decides what its issuer signs with, and not whose tokens it signs: that is a setting.

        Args:
            text: of the version, None if it has none.
            tag: the one that is rotated. The text names it or, before the first rotation, none.

        Raises:
            NotRotated: it is no such object, or it names another tag.
        """
        try:
            members = json.loads(text or "")
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise NotRotated("the secret in Secrets Manager holds no JSON object")
        for name in ("tag", "secret", "kid", "alg"):
            if not isinstance(members.get(name, ""), str):
                raise NotRotated(f'"{name}" of the secret in Secrets Manager is no text')
        if members.get("tag", tag) != tag:
            raise NotRotated(f'"tag" of the secret in Secrets Manager is another than ROTATED_TAG={tag!r}')
        return cls(members)

    @property
    def value(self) -> str | None:
        """What signs."""
        return self.members.get("secret")

    @property
    def algorithms(self) -> tuple[str, ...] | None:
        """What it may sign, where it says so."""
        listed = self.members.get("alg")
        return None if listed is None else tuple(name.strip() for name in listed.split(","))

    def renewed(self, tag: str, value: str, kid: str) -> "SigningSecret":
        """Return it with another *value* for that *tag*, and another *kid* if issuers are told one."""
        renewed = {**self.members, "tag": tag, "secret": value}
        return SigningSecret({**renewed, "kid": kid} if "kid" in self.members else renewed)

    def as_key(self, secret_id: str | None = None, end: int | None = None) -> NewSecret:
        """Return the key that it is, as a row of that `id` until that *end*.

        Raises:
            NotRotated: there is none, or its issuer would not know for whom to sign.
        """
        for name in ("tag", "secret"):
            if not self.members.get(name):
                raise NotRotated(f'the new version of the secret in Secrets Manager has no "{name}"')
        kid = self.members.get("kid")
        return NewSecret(value=self.value, id=secret_id, end=end, algorithms=self.algorithms, kid=kid)


# -- the steps --------------------------------------------------------------------------------------------------------


class Rotation:
    """One rotation of one secret, of which a step is to be done.

    Args:
        provisioning: what may be done to the tables.
        versions: the secrets in Secrets Manager.
        rules: whose secret it is, and how long secrets live and overlap.
        managed: the secret, as it is described now.
        version: the version to be.
        report: told whose secret it is, for the log.
        pause: waits for that many seconds.
    """

    def __init__(
        self,
        provisioning: Provisioning,
        versions: VersionsStore,
        rules: RotationSettings,
        managed: ManagedSecret,
        version: str,
        report: Report,
        pause: Callable[[float], None],
    ) -> None:
        self._provisioning = provisioning
        self._registry = provisioning.registry
        self._versions = versions
        self._rules = rules
        self._tag = rules.tag
        self._managed = managed
        self._version = version
        report.tag = rules.tag
        self._pause = pause
        # The same name may be another secret's tomorrow, and two secrets may be of one tag: the ARN tells them apart.
        self._prefix = f"sm-{managed.arn[-6:]}-"

    def do(self, step: Step) -> Trial | None:
        """Do a step; of the test, return what came out.

        Raises:
            NotRotated: the secret, a row or the profile is not as the step needs it.
            Fault: Secrets Manager or the tables cannot be asked.
        """
        if not self._managed.is_rotated:
            raise NotRotated("rotation of the secret is not switched on")
        stages = self._managed.stages.get(self._version)
        if stages is None:
            raise NotRotated("the secret has no such version")
        try:
            if CURRENT in stages:  # done, up to what an interrupted finish left open
                if step is Step.FINISH:
                    self._signing_secret(self._version)  # of another tag, its old rows would not be found here
                    self._close_replaced(self._managed.version_at(PREVIOUS))
                return None
            if PENDING not in stages:
                raise NotRotated(f"the version is not {PENDING}: the rotation was cancelled, or another came after it")
            return self._steps[step](self)
        except Rejected as rejected:
            raise NotRotated(str(rejected)) from rejected

    def _create(self) -> None:
        """Give the version a value, unless it has one."""
        days = self._managed.rotation_days
        if days is not None and self._rules.lifetime <= days * _DAY + self._rules.overlap:
            raise BadSetting(
                f"SECRET_LIFETIME_SECONDS={self._rules.lifetime} is refused: the secret rotates every {days} days, and"
                f" would end before; accepted: more than {days * _DAY + self._rules.overlap}, the overlap included"
            )
        if self._versions.value_of(self._managed.arn, self._version) is not None:
            return
        current = self._managed.version_at(CURRENT)
        if current is None:
            raise NotRotated(f"the secret has no version that is {CURRENT}")
        secret = self._signing_secret(current)
        value = self._provisioning.secrets.generate(self._tag, algorithms=secret.algorithms)
        text = json.dumps(secret.renewed(self._tag, value, self._row_of(self._version)).members)
        with self._audited("rotation.create"):
            # Where another attempt was faster, its value stays and ours is forgotten.
            self._versions.put_pending(self._managed.arn, self._version, text)

    def _set(self) -> None:
        """Add the row of the new secret, unless it is there."""
        secret = self._signing_secret(self._version)
        end = self._registry.now() + self._rules.lifetime
        self._provisioning.secrets.add(self._tag, secret.as_key(self._row_of(self._version), end))

    def _test(self) -> Trial:
        """Have a token judged that is signed as the issuer will sign.

        What comes after the signature is no matter of the secret: that of a disabled profile is rotated all the same.
        """
        secret = self._signing_secret(self._version)
        self._opened()
        trial = self._provisioning.tokens.tried(self._tag, secret.as_key())
        if trial.report.secret_id != self._row_of(self._version):
            raise NotRotated(f"the new secret does not verify its own token: {trial.refused_because}")
        return trial

    def _finish(self) -> None:
        """Make the new version current, then let those before it end after the overlap.

        In this order: if nothing comes after the first half, the old secret goes on verifying, and nobody is refused.
        The other way round an issuer would be left with a secret that ends.
        """
        self._signing_secret(self._version)
        row = self._opened()
        age = self._registry.clock() - float(row.start or 0)
        if age < SETTLE_SECONDS:
            self._pause(SETTLE_SECONDS - age)
        replaced = self._managed.version_at(CURRENT)
        with self._audited("rotation.finish", instead_of=replaced):
            self._versions.make_current(self._managed.arn, self._version, instead_of=replaced)
        self._close_replaced(replaced)

    _steps: Final[Mapping[Step, Callable[["Rotation"], Trial | None]]] = {
        Step.CREATE: _create,
        Step.SET: _set,
        Step.TEST: _test,
        Step.FINISH: _finish,
    }

    def _close_replaced(self, replaced: str | None) -> None:
        """Let the rows end that earlier rotations made, and those that hold the *replaced* version's value.

        Those of earlier rotations that ended long ago are taken away. Rows of other operators stay as they are.
        """
        secrets, now = self._provisioning.secrets, self._registry.now()
        own = [record for record in secrets.list(self._tag) if record.id.startswith(self._prefix)]
        rows = list(own)
        if replaced is not None and (value := self._value_of(replaced)) is not None:
            rows += secrets.holding(self._tag, value)
        # Asked after the rows: a rotation whose row was there by then can be seen by now, and its row is kept.
        stages = self._versions.describe(self._managed.arn).stages
        in_use = {version for version, its in stages.items() if its & {PENDING, CURRENT}} - {replaced} | {self._version}
        kept, end = set(map(self._row_of, in_use)), now + self._rules.overlap
        for row in sorted({row.id for row in rows if row.end is not None and row.end > end} - kept):
            secrets.close(self._tag, row, at=end)
        for row in sorted({row.id for row in own if row.end is not None and row.end <= now - KEPT_SECONDS} - kept):
            with suppress(Conflict, NotFound):  # somebody else is at it
                secrets.remove(self._tag, row)

    def _value_of(self, version: str) -> str | None:
        """Return what an old version signs with, None if it is not such a secret any more."""
        try:
            return self._signing_secret(version).value
        except NotRotated:
            return None

    def _signing_secret(self, version: str) -> SigningSecret:
        return SigningSecret.from_text(self._versions.value_of(self._managed.arn, version), self._tag)

    def _opened(self) -> SecretRecord:
        """Return the row of the new secret, which is open and stays so."""
        row = self._provisioning.secrets.show(self._tag, self._row_of(self._version))
        if row.state is not SecretState.OPEN:
            raise NotRotated(f"the new secret {row.id!r} is {row.state}{_because(row)}")
        if row.end is None or row.end - self._registry.now() <= self._rules.overlap:
            raise NotRotated(f"the new secret {row.id!r} ends within the overlap: it was closed, or waited too long")
        return row

    def _row_of(self, version: str) -> str:
        return f"{self._prefix}{version}"

    @contextmanager
    def _audited(self, action: str, **details: object) -> Iterator[None]:
        outcome: WriteOutcome | None = None
        try:
            yield
            outcome = WriteOutcome.DONE
        except Unreachable:
            outcome = WriteOutcome.UNKNOWN
            raise
        finally:
            if outcome is not None:
                audit: Audit = self._registry.audit
                row, now = self._row_of(self._version), self._registry.now()
                audit(AuditEntry(now, self._registry.actor, action, self._tag, row, outcome, details))


def _because(row: SecretRecord) -> str:
    return "" if row.unusable is None else f": {row.unusable.because}"

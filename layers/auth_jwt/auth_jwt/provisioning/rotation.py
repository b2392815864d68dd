"""Rotation: gives a tag a new secret in four steps, for an issuer that reads its secret from Secrets Manager.

Each step may be killed at any point and called again: it looks at what is done, and does the rest. No rotation makes a
token fail, since a secret verifies before it is current, and for an overlap afterwards. The tables and Secrets Manager
are ports here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from auth_jwt.errors import BadSetting, Conflict, NotFound, NotRotated, Rejected, Unreachable
from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import Audit, AuditEntry, WriteOutcome
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt.provisioning.secrets import NewSecret
from auth_jwt.provisioning.tokens import Trial
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS, ROTATED, ManagedSecret, VersionsStore
from auth_jwt.runtime.settings import RotationSettings

SETTLE_SECONDS: Final = 3
"""How long a row is in the table before its secret becomes current, so that every login finds the row.

A process that read the tag just before may rely on that read for a second, and DynamoDB's replicas agree within about
one second.
"""

KEPT_SECONDS: Final = 7 * 86400
"""How long a row that a rotation made stays in the table after its end, to explain why a token is denied.

Then it is removed. Each rotation adds a row, and every read of the tag reads all its rows.
"""

_DAY: Final = 86400


class RotationStep(StrEnum):
    """The steps of a rotation, in order. When one fails, Secrets Manager begins again with the first."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """The JSON object in a version of the secret, as an issuer reads it.

    Attributes:
        members: all members. Those that rotation does not know stay unchanged.
    """

    members: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_text(cls, text: str | None, tag: str) -> "SigningSecret":
        """Read the text of a version.

        Whoever may write that text chooses the secret that the issuer signs with. They must not choose the tag: that is
        a setting, and a text that names another tag is not accepted.

        Args:
            text: the text of the version; None when it has none.
            tag: the tag that is rotated. The text names this tag or, before the first rotation, no tag.

        Raises:
            NotRotated: the text is not such an object, or it names another tag.
        """
        try:
            members = json.loads(text or "")
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise NotRotated("the secret in Secrets Manager is not a JSON object")
        for name in ("tag", "secret", "kid", "alg"):
            if not isinstance(members.get(name, ""), str):
                raise NotRotated(f'"{name}" of the secret in Secrets Manager is not text')
        if members.get("tag", tag) != tag:
            raise NotRotated(f'"tag" of the secret in Secrets Manager differs from ROTATED_TAG={tag!r}')
        return cls(members)

    @property
    def value(self) -> str | None:
        """The secret that the issuer signs with; None before the first rotation."""
        return self.members.get("secret")

    @property
    def algorithms(self) -> tuple[str, ...] | None:
        """The algorithms that the secret may sign with; None when the object does not say."""
        listed = self.members.get("alg")
        return None if listed is None else tuple(name.strip() for name in listed.split(","))

    def renew(self, tag: str, value: str, kid: str) -> "SigningSecret":
        """Return a copy with the *tag*, a new *value*, and the new *kid* where the object has one."""
        renewed = {**self.members, "tag": tag, "secret": value}
        return SigningSecret({**renewed, "kid": kid} if "kid" in self.members else renewed)

    def as_key(self, secret_id: str | None = None, end: int | None = None) -> NewSecret:
        """Return the secret as a new row with the `id` *secret_id*, open until *end* (UNIX seconds).

        Raises:
            NotRotated: the object lacks the secret, or the tag that the issuer needs to sign.
        """
        for name in ("tag", "secret"):
            if not self.members.get(name):
                raise NotRotated(f'the new version of the secret in Secrets Manager has no "{name}"')
        kid = self.members.get("kid")
        return NewSecret(value=self.value, id=secret_id, end=end, algorithms=self.algorithms, kid=kid)


class SecretRotation:
    """A rotation of one secret.

    Args:
        provisioning: the operations on the tables.
        versions: the secrets in Secrets Manager.
        rules: the tag, and how long secrets live and overlap.
        managed: the secret, as Secrets Manager describes it now.
        version: id of the new version.
        report: gets the tag, for the log.
        pause: waits for so many seconds.
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
        # The ARN tells secrets apart: a name may be used again for another secret, and two secrets may have one tag.
        self._prefix = f"{ROTATED}{managed.arn[-6:]}-"

    def do(self, step: RotationStep) -> Trial | None:
        """Do a step. Return the result of the test step, and None for all others.

        Raises:
            NotRotated: the secret, a row or the profile is not as the step needs it.
            Fault: Secrets Manager or the tables cannot be used.
        """
        if not self._managed.is_rotated:
            raise NotRotated("rotation of the secret is not switched on")
        stages = self._managed.stages.get(self._version)
        if stages is None:
            raise NotRotated("the secret has no such version")
        try:
            if CURRENT in stages:  # done, unless the finish was interrupted before it closed the old rows
                if step is RotationStep.FINISH:
                    self._signing_secret(self._version)  # raises for another tag, whose old rows are not found here
                    self._close_replaced(self._managed.version_at(PREVIOUS))
                return None
            if PENDING not in stages:
                raise NotRotated(
                    f"the version is not {PENDING}: the rotation was cancelled, or a later one replaced it"
                )
            return self._steps[step](self)
        except Rejected as rejected:
            raise NotRotated(str(rejected)) from rejected

    def _create(self) -> None:
        """Generate a value for the version, unless it has one."""
        days = self._managed.rotation_days
        if days is not None and self._rules.lifetime <= days * _DAY + self._rules.overlap:
            raise BadSetting(
                f"SECRET_LIFETIME_SECONDS={self._rules.lifetime} is refused: the secret rotates every {days} days and"
                f" would end too early; accepted: more than {days * _DAY + self._rules.overlap}, the overlap included"
            )
        if self._versions.value_of(self._managed.arn, self._version) is not None:
            return
        current = self._managed.version_at(CURRENT)
        if current is None:
            raise NotRotated(f"the secret has no version that is {CURRENT}")
        secret = self._signing_secret(current)
        value = self._provisioning.secrets.generate(self._tag, algorithms=secret.algorithms)
        text = json.dumps(secret.renew(self._tag, value, self._row_of(self._version)).members)
        with self._audit("rotation.create"):
            # When another attempt was faster, its value stays and this one is dropped.
            self._versions.put_pending(self._managed.arn, self._version, text)

    def _set(self) -> None:
        """Add the row of the new secret, unless it is there."""
        secret = self._signing_secret(self._version)
        end = self._registry.now() + self._rules.lifetime
        self._provisioning.secrets.add(self._tag, secret.as_key(self._row_of(self._version), end))

    def _test(self) -> Trial:
        """Sign a token as the issuer will, and let the service decide about it.

        Only the signature must verify. A denial for a later reason is not the secret's fault: the secret of a disabled
        profile is rotated, too.
        """
        secret = self._signing_secret(self._version)
        self._show_open_row()
        trial = self._provisioning.tokens.try_key(self._tag, secret.as_key())
        if trial.report.secret_id != self._row_of(self._version):
            raise NotRotated(f"the new secret does not verify its own token: {trial.refused_because}")
        return trial

    def _finish(self) -> None:
        """Make the new version current, then let the rows of earlier versions end after the overlap.

        The order matters. If the step is killed in between, the old secret still verifies, and nobody is denied. In the
        other order, the issuer would go on signing with a secret that ends.
        """
        self._signing_secret(self._version)
        row = self._show_open_row()
        age = self._registry.clock() - float(row.start or 0)
        if age < SETTLE_SECONDS:
            self._pause(SETTLE_SECONDS - age)
        replaced = self._managed.version_at(CURRENT)
        with self._audit("rotation.finish", instead_of=replaced):
            self._versions.make_current(self._managed.arn, self._version, instead_of=replaced)
        self._close_replaced(replaced)

    _steps: Final[Mapping[RotationStep, Callable[["SecretRotation"], Trial | None]]] = {
        RotationStep.CREATE: _create,
        RotationStep.SET: _set,
        RotationStep.TEST: _test,
        RotationStep.FINISH: _finish,
    }

    def _close_replaced(self, replaced: str | None) -> None:
        """Close the rows that earlier rotations made, and those that hold the value of the *replaced* version.

        They end after the overlap. Rows of earlier rotations that ended `KEPT_SECONDS` ago are removed. All other rows,
        which operators made, stay unchanged.
        """
        secrets, now = self._provisioning.secrets, self._registry.now()
        own = [record for record in secrets.list(self._tag) if record.id.startswith(self._prefix)]
        rows = list(own)
        if replaced is not None and (value := self._value_of(replaced)) is not None:
            rows += secrets.find_by_value(self._tag, value)
        # Asked after the rows are read: the stages then include every rotation whose row was read, so its row is kept.
        stages = self._versions.describe(self._managed.arn).stages
        in_use = {version for version, its in stages.items() if its & {PENDING, CURRENT}} - {replaced} | {self._version}
        kept, end = set(map(self._row_of, in_use)), now + self._rules.overlap
        for row in sorted({row.id for row in rows if row.end is not None and row.end > end} - kept):
            secrets.close(self._tag, row, at=end)
        for row in sorted({row.id for row in own if row.end is not None and row.end <= now - KEPT_SECONDS} - kept):
            with suppress(Conflict, NotFound):  # another call or an operator changed or removed it
                secrets.remove(self._tag, row)

    def _value_of(self, version: str) -> str | None:
        """Return the secret in an old version; None when its text is no longer a secret of this tag."""
        try:
            return self._signing_secret(version).value
        except NotRotated:
            return None

    def _signing_secret(self, version: str) -> SigningSecret:
        return SigningSecret.from_text(self._versions.value_of(self._managed.arn, version), self._tag)

    def _show_open_row(self) -> SecretRecord:
        """Return the row of the new secret.

        Raises:
            NotRotated: the row is not open, or ends within the overlap.
        """
        row = self._provisioning.secrets.show(self._tag, self._row_of(self._version))
        if row.state is not SecretState.OPEN:
            raise NotRotated(f"the new secret {row.id!r} is {row.state}{_because(row)}")
        if row.end is None or row.end - self._registry.now() <= self._rules.overlap:
            raise NotRotated(f"the new secret {row.id!r} ends within the overlap: it was closed, or is too old")
        return row

    def _row_of(self, version: str) -> str:
        return f"{self._prefix}{version}"

    @contextmanager
    def _audit(self, action: str, **details: object) -> Iterator[None]:
        """Write the audit line of what is done within: `done`, or `unknown` when no answer came."""
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

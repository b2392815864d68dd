"""Secrets Manager calls this function to give a tag a new secret: create, set, test, finish.

The function only translates the event and wires; `auth_jwt.provisioning.rotation` has the four steps.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from auth_jwt.errors import UnknownEvent
from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry, AuditTarget
from auth_jwt.provisioning.rotation import RotationStep, SecretRotation
from auth_jwt.provisioning.secrets_manager import SecretsManager, secrets_manager_client
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.tokens import Trial
from auth_jwt.provisioning.versions import VersionsStore
from auth_jwt.provisioning.wiring import provisioning_of, target_of
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import RotationSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call, answer_or_fault


def lambda_handler(event: object, context: object) -> None:
    """Do one step of a rotation.

    Args:
        event: `{"Step", "SecretId", "ClientRequestToken"}`; other members are ignored.
        context: Lambda's context of the call.

    Raises:
        Fault: the step is not done, so that Secrets Manager tries again.
    """
    answer_or_fault(journal(), context, lambda call: _do_step(event, context, call))


def _do_step(event: object, context: object, call: Call) -> None:
    request = RotationRequest.from_event(event)
    call.noted |= {"step": request.step.value, "managed_secret": request.secret_id}
    trial = _rotate(request, service(getattr(context, "invoked_function_arn", None)), call.report)
    if trial is None:
        call.record(Outcome.DONE)
        return
    call.report = trial.report  # for a test, the log line shows what the service decided
    if trial.refused_because is None:
        call.record(Outcome.AUTHORIZED)
    else:
        call.record(Outcome.DENIED, trial.refused_because.value)


def _rotate(request: "RotationRequest", wired: "RotationService", report: Report) -> Trial | None:
    managed = wired.versions.describe(request.secret_id)
    provisioning = wired.provisioning(f"secretsmanager:{managed.arn}")
    rotation = SecretRotation(provisioning, wired.versions, wired.rules, managed, request.version, report, time.sleep)
    return rotation.do(request.step)


# -- what all calls share ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RotationService:
    """What all calls share: made at the first call, kept while the process lives.

    Attributes:
        rules: the settings of rotation.
        versions: the secrets in Secrets Manager.
        provisioning: makes the operations on the tables, for the actor that audit lines name.
    """

    rules: RotationSettings
    versions: VersionsStore
    provisioning: Callable[[str], Provisioning]


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("rotate_secrets", os.environ)


@cache
def service(function_arn: str | None = None) -> RotationService:
    """Read the environment and wire the service, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    settings, rules = Settings.from_env(os.environ), RotationSettings.from_env(os.environ)
    journal().warn_of_near_misses(near_misses(os.environ))
    target = target_of(settings, function_arn=function_arn)
    tables = provisioning_client(region=settings.database.region, endpoint=settings.database.endpoint)

    def provisioning(actor: str) -> Provisioning:
        return provisioning_of(settings, tables, actor=actor, audit=partial(write_audit, target))

    return RotationService(rules, SecretsManager(secrets_manager_client()), provisioning)


def write_audit(target: AuditTarget, entry: AuditEntry) -> None:
    """Write the audit line of a write into the log of the function.

    Raises:
        NotAudited: the line cannot be written. Then the step fails, and Secrets Manager calls it again.
    """
    journal().record_write(entry.as_line(target))


# -- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """A call of Secrets Manager.

    Attributes:
        step: the step of the rotation.
        secret_id: name or ARN of the secret.
        version: id of the new version, which tells one rotation from another.
    """

    step: RotationStep
    secret_id: str
    version: str

    @classmethod
    def from_event(cls, event: object) -> "RotationRequest":
        """Read an event.

        Raises:
            UnknownEvent: the event is not Secrets Manager's.
        """
        members = event if isinstance(event, dict) else {}
        step, secret_id, version = (members.get(name) for name in ("Step", "SecretId", "ClientRequestToken"))
        if not (isinstance(secret_id, str) and secret_id and isinstance(version, str) and version):
            raise UnknownEvent("not a rotation event of Secrets Manager: it lacks SecretId or ClientRequestToken")
        if step not in list(RotationStep):
            raise UnknownEvent(
                f"not a rotation event of Secrets Manager: its Step is not one of {', '.join(RotationStep)}"
            )
        return cls(RotationStep(step), secret_id, version)

"""CodeDeploy calls this function before a release serves anybody: it asks the new versions, and answers yes or no.

Each new version answers a ping. With a canary, it also lets the canary's token in, and denies a forged one. The
function only translates and wires; `auth_jwt.releasing.check` has the steps.
"""

import os
from functools import cache
from typing import Any

from auth_jwt.errors import Fault, NotReleased, Rejected, UnknownEvent
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.releasing.canary import Canary, mint_canary
from auth_jwt.releasing.check import check_authorize, check_gateway_authorizer
from auth_jwt.releasing.deployments import Deployments, TrafficHook, deployments
from auth_jwt.runtime.observability import Journal, Outcome
from auth_jwt.runtime.settings import ReleaseCheckSettings, Settings, near_misses
from auth_jwt.runtime.shell import Call, answer_or_fault


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Check the new versions, and tell CodeDeploy whether they may serve users.

    Args:
        event: CodeDeploy's, `{"DeploymentId", "LifecycleEventHookExecutionId"}`.
        context: Lambda's context of the call.

    Returns:
        `{"passed": true}` or `{"passed": false}`; CodeDeploy does not read it.

    Raises:
        Fault: CodeDeploy could not be told. Whatever else fails is a "no", and has its line in the log.
    """
    return answer_or_fault(journal(), context, lambda call: _answer(event, call))


def _answer(event: object, call: Call) -> dict[str, Any]:
    hook = _hook_of(event)
    call.noted["deployment"] = hook.deployment
    asked = aws()
    try:
        _check(hook, asked)
    except Exception as error:  # noqa: BLE001 - CodeDeploy would wait for an hour: it is told whatever happens
        asked.report(hook, passed=False)
        call.record_fault(error)
        return {"passed": False}
    asked.report(hook, passed=True)
    call.record(Outcome.DONE)
    return {"passed": True}


def _hook_of(event: object) -> TrafficHook:
    members = event if isinstance(event, dict) else {}
    deployment, execution = (members.get(name) for name in ("DeploymentId", "LifecycleEventHookExecutionId"))
    if not (isinstance(deployment, str) and deployment and isinstance(execution, str) and execution):
        raise UnknownEvent("not a hook of CodeDeploy: it lacks DeploymentId or LifecycleEventHookExecutionId")
    return TrafficHook(deployment, execution)


# -- what all calls share ---------------------------------------------------------------------------------------------


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("release_check", os.environ)


@cache
def aws() -> Deployments:
    """Make the clients of Lambda and CodeDeploy, at the first call.

    Raises:
        Fault: the SDK's configuration is invalid.
    """
    journal().warn_of_near_misses(near_misses(os.environ))
    return deployments()


# -- the check --------------------------------------------------------------------------------------------------------


def _check(hook: TrafficHook, asked: Deployments) -> None:
    """Check the new versions, unless the deployment brings older ones back.

    Raises:
        NotReleased: a version answers otherwise than a working one, or none of them is new.
        Fault: AWS does not answer, or a setting is invalid.
    """
    if asked.brings_back(hook):
        return
    rules = ReleaseCheckSettings.from_env(os.environ)
    checks = [(check_authorize, rules.authorize_version)]
    if rules.gateway_authorizer_version is not None:
        checks.append((check_gateway_authorizer, rules.gateway_authorizer_version))
    if all(asked.is_live(version) for _, version in checks):
        raise NotReleased("every version that this function knows is live already: it was not told of the new ones")
    canary = None if rules.canary_tag is None else _canary(rules.canary_tag, rules.authorize_version, asked)
    for check, version in checks:
        check(asked.invoke, version, canary)


def _canary(tag: str, version: str, asked: Deployments) -> Canary:
    """Mint the tokens of the canary by the settings of the new version.

    Raises:
        NotReleased: the canary has no profile or no secret that signs, or the new settings deny its tokens.
        Fault: the tables cannot be read.
    """
    settings = Settings.from_env(asked.variables_of(version))
    client = provisioning_client(region=settings.database.region, endpoint=settings.database.endpoint)
    provisioning = provisioning_of(settings, client, actor="release_check", audit=_reject_write)
    try:
        return mint_canary(provisioning.tokens, tag)
    except Rejected as rejected:
        raise NotReleased(f"no token of the canary can be minted: {rejected}") from rejected


def _reject_write(entry: AuditEntry) -> None:
    raise Fault(f"the check of a release has written: {entry.action}")

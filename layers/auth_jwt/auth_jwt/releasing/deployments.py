"""What the check of a release asks of AWS, by boto3: Lambda's versions, and the deployments of CodeDeploy.

CodeDeploy tells a hook which deployment it is about, and not which version: so the hook is given the versions by the
template, and asks here whether they are news.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from auth_jwt.errors import Fault
from auth_jwt.releasing.check import Answered

ALIAS: Final = "live"
_NOT_READY: Final = ("SnapStartNotReadyException", "ResourceConflictException", "ResourceNotReadyException")
_SECONDS_UNTIL_READY: Final = 120.0
_SECONDS_BETWEEN: Final = 5.0
_RETURNING: Final = ("codeDeployRollback", "CloudFormationRollback")
"""Creators of a deployment that brings an older version back (CodeDeploy's API, `DeploymentCreator`)."""


@dataclass(frozen=True, slots=True)
class TrafficHook:
    """A question of CodeDeploy, to which it waits for the answer.

    Attributes:
        deployment: id of the deployment.
        execution: id of this question.
    """

    deployment: str
    execution: str


class Deployments:
    """Versions of functions and deployments, by boto3.

    Args:
        functions: boto3's client for Lambda.
        codedeploy: boto3's client for CodeDeploy.
        sleep: waits some seconds.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        functions: Any,  # noqa: ANN401 - boto3's
        codedeploy: Any,  # noqa: ANN401
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._functions = functions
        self._codedeploy = codedeploy
        self._sleep = sleep
        self._clock = clock

    def invoke(self, version: str, event: Mapping[str, Any]) -> Answered:
        """Invoke a *version*, by its ARN, and wait for its answer. A snapshot that is not ready is waited for.

        Raises:
            Fault: Lambda does not invoke it.
        """
        until = self._clock() + _SECONDS_UNTIL_READY
        with translated_errors("lambda:InvokeFunction on the new version"):
            while True:
                try:
                    with sdk_errors():
                        answer = self._functions.invoke(FunctionName=version, Payload=json.dumps(event).encode())
                        text = answer["Payload"].read()
                    break
                except Refused as refused:
                    if refused.code not in _NOT_READY or self._clock() >= until:
                        raise
                    self._sleep(_SECONDS_BETWEEN)
        try:
            payload = json.loads(text)
        except ValueError:
            payload = None
        return Answered(payload, "FunctionError" in answer)

    def variables_of(self, version: str) -> dict[str, str]:
        """Return the variables of a *version*, by its ARN: the settings that it was published with.

        Raises:
            Fault: Lambda does not return them.
        """
        with translated_errors("lambda:GetFunctionConfiguration of the new version"), sdk_errors():
            environment = self._functions.get_function_configuration(FunctionName=version).get("Environment", {})
        if "Variables" not in environment:
            raise Fault("Lambda does not return the variables of the new version")
        return dict(environment["Variables"])

    def is_live(self, version: str) -> bool:
        """Tell whether the alias `live` names a *version* already, and no other beside it.

        Raises:
            Fault: Lambda does not return the alias.
        """
        function, _, number = version.rpartition(":")
        with translated_errors(f"lambda:GetAlias of {ALIAS}"), sdk_errors():
            alias = self._functions.get_alias(FunctionName=function, Name=ALIAS)
        return bool(alias["FunctionVersion"] == number and not alias.get("RoutingConfig"))

    def brings_back(self, hook: TrafficHook) -> bool:
        """Tell whether a deployment brings an older version back, so that nothing new is to be checked.

        Raises:
            Fault: CodeDeploy does not say.
        """
        with translated_errors("codedeploy:GetDeployment"), sdk_errors():
            answer = self._codedeploy.get_deployment(deploymentId=hook.deployment)
        return answer["deploymentInfo"].get("creator") in _RETURNING

    def report(self, hook: TrafficHook, *, passed: bool) -> None:
        """Tell CodeDeploy whether the check *passed*.

        Raises:
            Fault: CodeDeploy does not take the answer. It then waits until its own time is over, and fails.
        """
        with translated_errors("codedeploy:PutLifecycleEventHookExecutionStatus"), sdk_errors():
            self._codedeploy.put_lifecycle_event_hook_execution_status(
                deploymentId=hook.deployment,
                lifecycleEventHookExecutionId=hook.execution,
                status="Succeeded" if passed else "Failed",
            )


def deployments() -> Deployments:
    """Make the clients in the function's own region.

    Raises:
        Fault: the SDK's configuration is invalid; the region is missing, for example.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
    return Deployments(sdk_client("lambda", config), sdk_client("codedeploy", config))

"""Whoever waits for the tables lives longer than that wait, so that its failure is told, logged and counted."""

import pytest
from botocore.exceptions import ClientError

from auth_jwt.errors import Fault
from auth_jwt.provisioning.tables import PATIENCE_SECONDS
from auth_jwt.releasing.deployments import Deployments, deployments
from tests.fakes import Clock
from tools.template.stack import Deploy, properties


@pytest.mark.parametrize("function", ["ProvisioningFunction", "RotateSecretsFunction"])
def test_a_function_outlives_a_call_that_fails(deploy: Deploy, function: str) -> None:
    stack = deploy(AdminApi="true", RotatedTag="alice-web")

    assert properties(stack, function)["Timeout"] > PATIENCE_SECONDS


def test_the_check_of_a_release_outlives_a_wait_for_a_snapshot_and_a_call_without_an_answer(deploy: Deploy) -> None:
    stack = deploy(DeploymentPreference="Canary10Percent5Minutes")
    sdk = deployments()._functions.meta.config
    unanswered = sdk.retries["total_max_attempts"] * (sdk.connect_timeout + sdk.read_timeout)

    assert seconds_until_ready() + unanswered < properties(stack, "ReleaseCheckFunction")["Timeout"]


def seconds_until_ready() -> float:
    """How long the check waits for a snapshot that never gets ready."""
    clock = Clock(0)

    class NeverReady:
        def invoke(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "SnapStartNotReadyException"}}, "Invoke")

    with pytest.raises(Fault, match="SnapStartNotReady"):
        Deployments(NeverReady(), None, sleep=clock.pass_by, clock=clock).invoke("arn", {})
    return clock.now

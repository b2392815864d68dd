"""Whoever waits for the tables lives longer than that wait, so that its failure is told, logged and counted."""

import pytest

from auth_jwt.provisioning.tables import PATIENCE_SECONDS
from tools.template.stack import Deploy, properties


@pytest.mark.parametrize("function", ["ProvisioningFunction", "RotateSecretsFunction"])
def test_a_function_outlives_a_call_that_fails(deploy: Deploy, function: str) -> None:
    stack = deploy(AdminApi="true", RotatedTag="alice-web")

    assert properties(stack, function)["Timeout"] > PATIENCE_SECONDS

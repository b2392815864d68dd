"""Whoever waits for the tables lives longer than that wait, so that its failure is told, logged and counted."""

from typing import Any

import pytest

from auth_jwt.provisioning.tables import PATIENCE_SECONDS


@pytest.mark.parametrize("function", ["ProvisioningFunction", "RotateSecretsFunction"])
def test_a_function_outlives_a_call_that_fails(template: dict[str, Any], function: str) -> None:
    assert template["Resources"][function]["Properties"]["Timeout"] > PATIENCE_SECONDS

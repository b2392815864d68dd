"""What `SecretsEndWithinDays` deploys. Its role is judged by tests/integration/test_ending_permissions.py."""

import re
from typing import Any

import pytest

from auth_jwt.models import Columns
from auth_jwt.provisioning.tables import PATIENCE_SECONDS
from auth_jwt.runtime.settings import (
    DEFAULTS,
    ENDING_DEFAULTS,
    ROTATION_DEFAULTS,
    EndingSettings,
    Settings,
    near_misses,
)
from tools.events.stage import load_handler
from tools.template.stack import PSEUDO_PARAMETERS, Deploy, Stack, properties, via

FUNCTION = "EndingSecretsFunction"
STACK = PSEUDO_PARAMETERS["AWS::StackName"]
KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"
ROTATED = {"RotatedTag": "alice-web", "RotationDays": "30"}


@pytest.fixture(name="stack", scope="module")
def _stack(deploy: Deploy) -> Stack:
    return deploy()


@pytest.mark.parametrize("days", ["", "0"])
def test_without_days_a_stack_has_nothing_of_it(deploy: Deploy, stack: Stack, days: str) -> None:
    without = deploy(SecretsEndWithinDays=days)

    assert stack["Resources"].keys() - without["Resources"].keys() == {
        FUNCTION,
        f"{FUNCTION}EventInvokeConfig",
        "EndingSecretsEveryDay",
        "EndingSecretsScheduleRole",
        "EndingSecretsRole",
        "EndingSecretsLogGroup",
    }
    assert "EndingSecrets" not in str(without)


def test_what_the_template_accepts_the_function_does(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["SecretsEndWithinDays"]

    def accepts(text: str) -> bool:
        return re.fullmatch(parameter["AllowedPattern"].strip("^$"), text) is not None

    assert parameter["Default"] == ENDING_DEFAULTS["SECRETS_END_WITHIN_DAYS"]
    assert all(accepts(str(days)) for days in range(3651))
    assert not any(map(accepts, ("3651", "3700", "4000", "10000", "-1", "030", "1.5", "30d", " ")))


def test_it_runs_once_a_day_and_a_run_that_fails_is_repeated_once(stack: Stack) -> None:
    schedule, once = properties(stack, "EndingSecretsEveryDay"), properties(stack, f"{FUNCTION}EventInvokeConfig")

    assert schedule["ScheduleExpression"] == "cron(17 3 * * ? *)"
    assert schedule["Target"]["Arn"] == f"<{FUNCTION}.Arn>"
    assert schedule["Target"]["Input"] == "{}"
    assert (once["MaximumRetryAttempts"], once["MaximumEventAgeInSeconds"]) == (1, 3600)


def test_the_schedule_may_call_that_function_and_nothing_else(stack: Stack) -> None:
    (policy,) = properties(stack, "EndingSecretsScheduleRole")["Policies"]

    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"<{FUNCTION}.Arn>"}
    ]


def test_it_has_the_most_time_that_lambda_gives_and_stops_before_it_is_over(stack: Stack) -> None:
    handler = load_handler("ending_secrets").__globals__

    assert properties(stack, FUNCTION)["Timeout"] == 900
    assert PATIENCE_SECONDS < handler["SECONDS_FOR_THE_LINE"] < 900


def test_the_function_has_its_settings_and_starts_with_them(stack: Stack) -> None:
    variables = properties(stack, FUNCTION)["Environment"]["Variables"]

    own = {*ENDING_DEFAULTS, "ROTATED_TAG", "ROTATION_OVERLAP_SECONDS"}
    assert variables.keys() - DEFAULTS.keys() - own == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_LOG_LEVEL",
    }
    assert own <= variables.keys()
    assert variables["POWERTOOLS_SERVICE_NAME"] == "ending_secrets"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == f"AuthJwt/{STACK}"
    assert Settings.from_env(variables) == Settings.from_env({})
    assert EndingSettings.from_env(variables) == EndingSettings()
    assert near_misses(variables) == {}


def test_it_knows_the_rotated_tag_and_the_bound_on_reads(deploy: Deploy) -> None:
    stack = deploy(SecretsEndWithinDays="45", MaxReadUnits="500", RotationOverlapSeconds="60", **ROTATED)

    assert EndingSettings.from_env(properties(stack, FUNCTION)["Environment"]["Variables"]) == EndingSettings(
        within_days=45, rotated_tag="alice-web", rotation_days=30, overlap=60, max_read_units=500
    )
    assert ROTATION_DEFAULTS["ROTATED_TAG"] == ""


def test_it_reads_the_tables_and_columns_of_the_stack(deploy: Deploy) -> None:
    named = {
        "ProfilesTable": "people",
        "SecretsTable": "keys",
        "TagColumn": "person",
        "DisabledColumn": "locked",
        "SecretTagColumn": "of person",
        "StartTsColumn": "from",
        "EndTsColumn": "to",
        "AlgColumn": "how",
        "KidColumn": "which",
        "RequireAlgColumn": "true",
    }

    settings = Settings.from_env(properties(deploy(**named), FUNCTION)["Environment"]["Variables"])

    assert settings.tables == ("people", "keys")
    assert settings.columns == Columns(
        tag="person",
        disabled="locked",
        secret_tag="of person",
        start="from",
        end="to",
        alg="how",
        kid="which",
        requires_alg=True,
    )


def test_its_log_names_tags_and_is_kept_as_long_as_logins(deploy: Deploy) -> None:
    stack = deploy(LogRetentionDays="14", LogKmsKeyArn=KEY_ARN, SecretsEndWithinDays="30")

    assert properties(stack, "EndingSecretsLogGroup") == {
        "LogGroupName": f"/aws/lambda/{STACK}-ending-secrets",
        "RetentionInDays": "14",
        "KmsKeyId": KEY_ARN,
    }
    assert properties(stack, FUNCTION)["LoggingConfig"] == {"LogGroup": "<EndingSecretsLogGroup>"}


def test_a_key_of_ones_own_decrypts_by_dynamodb_only(deploy: Deploy, stack: Stack) -> None:
    with_key = deploy(KmsKeyArn=KEY_ARN, SecretsEndWithinDays="30")

    (key,) = (
        statement
        for policy in properties(with_key, "EndingSecretsRole")["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "kms" in str(statement["Action"])
    )
    assert (key["Action"], key["Resource"]) == ("kms:Decrypt", KEY_ARN)
    assert key["Condition"] == {"StringEquals": {"kms:ViaService": via("dynamodb")}}
    assert "kms" not in str(properties(stack, "EndingSecretsRole"))

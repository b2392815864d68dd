"""What `Issuers` deploys beside the rest. Its role is judged by tests/integration/test_refresh_permissions.py."""

import pytest

from auth_jwt.runtime.settings import DEFAULTS, RefreshSettings, Settings, near_misses
from tools.events.stage import load_handler
from tools.template.stack import Deploy, Stack, of_type, properties

TOPIC_ARN = "arn:aws:sns:eu-central-1:123456789012:on-call"
KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"
FUNCTION = "RefreshKeysFunction"
ISSUERS = "https://login.example.com/realms/*"


@pytest.fixture(name="stack")
def _stack(deploy: Deploy) -> Stack:
    return deploy(Issuers=ISSUERS, AlarmTopicArn=TOPIC_ARN)


def test_without_issuers_a_stack_is_as_it_was(deploy: Deploy) -> None:
    usual, asked = (deploy(AlarmTopicArn=TOPIC_ARN, Issuers=issuers) for issuers in ("", ISSUERS))

    added = asked["Resources"].keys() - usual["Resources"].keys()
    assert {name for name in added if not name.endswith("Alarm") and FUNCTION not in name} == {
        "RefreshKeysRole",
        "RefreshKeysLogGroup",
        "RefreshKeysEveryMinute",
        "RefreshKeysScheduleRole",
    }
    assert asked["Outputs"].keys() - usual["Outputs"].keys() == {"RefreshKeysLogGroupName"}
    assert "RefreshKeys" not in str(usual)


def test_a_round_begins_every_minute_and_none_is_repeated(stack: Stack) -> None:
    """A repeated round would meet the next one."""
    schedule = properties(stack, "RefreshKeysEveryMinute")
    once = properties(stack, f"{FUNCTION}EventInvokeConfig")

    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["Arn"] == f"<{FUNCTION}Aliaslive>"
    assert schedule["Target"]["Input"] == "{}"
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert (once["MaximumRetryAttempts"], once["MaximumEventAgeInSeconds"]) == (0, 60)
    assert properties(stack, FUNCTION)["Timeout"] < 60


def test_the_schedule_may_call_that_function_and_nothing_else(stack: Stack) -> None:
    role = properties(stack, "RefreshKeysScheduleRole")

    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"<{FUNCTION}Aliaslive>"}
    ]


@pytest.mark.parametrize(("share", "reserved"), [("1", "1"), ("", None)])
def test_the_function_has_a_share_of_the_concurrency_unless_the_account_is_too_small(
    deploy: Deploy, share: str, reserved: str | None
) -> None:
    stack = deploy(Issuers=ISSUERS, RefreshKeysConcurrency=share, ReservedConcurrency="7")

    assert properties(stack, FUNCTION).get("ReservedConcurrentExecutions") == reserved


def test_the_log_with_lines_of_audit_is_kept_as_long_as_they_are(deploy: Deploy) -> None:
    stack = deploy(Issuers=ISSUERS, AuditRetentionDays="90", LogKmsKeyArn=KEY_ARN)

    assert properties(stack, "RefreshKeysLogGroup") == {"RetentionInDays": "90", "KmsKeyId": KEY_ARN}
    assert stack["Resources"]["RefreshKeysLogGroup"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert properties(stack, FUNCTION)["LoggingConfig"] == {"LogGroup": "<RefreshKeysLogGroup>"}
    assert stack["Outputs"]["RefreshKeysLogGroupName"]["Value"] == "<RefreshKeysLogGroup>"


def test_it_is_watched(stack: Stack) -> None:
    alarms = {
        name: alarm["Properties"]
        for name, alarm in of_type(stack, "AWS::CloudWatch::Alarm").items()
        if "refresh_keys" in str(alarm) or FUNCTION in str(alarm)
    }

    assert {alarm["MetricName"] for alarm in alarms.values()} == {
        *("IssuersLeft", "RefreshFailed", "StaleKeysSoon", "JwksUriChanged", "KeysReplaced", "PrivateKeyPublished"),
        *("Errors", "Invocations"),
    }
    assert alarms["RefreshStoppedAlarm"]["TreatMissingData"] == "breaching"
    assert {alarm["TreatMissingData"] for name, alarm in alarms.items() if name != "RefreshStoppedAlarm"} == {
        "notBreaching"
    }


def test_the_alarms_are_those_that_the_function_counts(stack: Stack) -> None:

    handler = load_handler("refresh_keys")
    metrics = {*handler.__globals__["_NAMES"], handler.__globals__["ISSUERS_LEFT"]}

    counted = {
        alarm["Properties"]["MetricName"]
        for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()
        if {"Name": "service", "Value": "refresh_keys"} in alarm["Properties"].get("Dimensions", [])
    }
    assert counted == metrics


def test_without_a_topic_nothing_is_watched(deploy: Deploy) -> None:
    assert of_type(deploy(Issuers=ISSUERS), "AWS::CloudWatch::Alarm") == {}


def test_the_function_has_the_settings_of_all_and_starts_with_them(stack: Stack) -> None:
    variables = properties(stack, FUNCTION)["Environment"]["Variables"]

    assert variables.keys() - DEFAULTS.keys() == {
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_LOG_LEVEL",
    }
    assert variables["POWERTOOLS_SERVICE_NAME"] == "refresh_keys"
    assert Settings.from_env(variables).issuer_patterns is not None
    assert RefreshSettings.from_env(variables) == RefreshSettings()
    assert near_misses(variables) == {}

"""A gradual deployment, on plain CloudFormation: who moves the alias, who is asked before, and what rolls it back."""

import json
import re
from typing import Any

import pytest

from tools.release.__main__ import LONGEST_NAME
from tools.template.stack import Deploy, Stack, of_type, parts_by_sam, properties, values_of, via

ACCOUNT = "eu-central-1:123456789012"
TOPIC = f"arn:aws:sns:{ACCOUNT}:on-call"
KEY = f"arn:aws:kms:{ACCOUNT}:key/0000-1111"
ALIASES = ("AuthorizeFunctionAliaslive", "GatewayAuthorizerFunctionAliaslive")
GRADUAL = {"DeploymentPreference": "Canary10Percent5Minutes"}


def version_of(stack: Stack, function: str) -> str:
    (name,) = (name for name in of_type(stack, "AWS::Lambda::Version") if name.startswith(f"{function}Version"))
    return f"<{name}>"


def statements(stack: Stack, role: str, policy: str) -> dict[str, dict[str, Any]]:
    (found,) = (each for each in properties(stack, role)["Policies"] if each["PolicyName"] == policy)
    return {
        statement["Sid"]: {key: value for key, value in statement.items() if key not in ("Sid", "Effect")}
        for statement in found["PolicyDocument"]["Statement"]
    }


def test_by_default_cloudformation_moves_the_alias_and_nothing_of_codedeploy_is_made(deploy: Deploy) -> None:
    stack = deploy()

    assert {kind for one in stack["Resources"].values() if "CodeDeploy" in (kind := one["Type"])} == set()
    assert all("UpdatePolicy" not in stack["Resources"][alias] for alias in ALIASES)
    assert not {name for name in stack["Resources"] if "ReleaseCheck" in name or name == "DeploymentRole"}


@pytest.mark.parametrize(
    "preference",
    [
        "AllAtOnce",
        *(f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
        *(f"Linear10PercentEvery{period}" for period in ("1Minute", "2Minutes", "3Minutes", "10Minutes")),
    ],
)
def test_every_other_preference_is_one_that_codedeploy_has(deploy: Deploy, preference: str) -> None:
    """By its name there: SAM puts the prefix in front of those that it knows, and leaves a misspelt one as it is."""
    stack = deploy(DeploymentPreference=preference)
    groups = of_type(stack, "AWS::CodeDeploy::DeploymentGroup")

    assert groups.keys() == {"AuthorizeFunctionDeploymentGroup", "GatewayAuthorizerFunctionDeploymentGroup"}
    for group in groups.values():
        assert group["Properties"]["DeploymentConfigName"] == f"CodeDeployDefault.Lambda{preference}"


def test_the_parameter_allows_just_what_the_mapping_has(template: dict[str, Any]) -> None:
    allowed = template["Parameters"]["DeploymentPreference"]["AllowedValues"]
    mapping = template["Mappings"]["Deployments"]

    assert allowed == list(mapping)
    assert [name for name, each in mapping.items() if each == {"ByCodeDeploy": "false"}] == ["None"]


def test_the_alias_moves_only_after_the_check(deploy: Deploy) -> None:
    """And the check knows the new versions: whoever changes the alias depends on it, by the name of its function."""
    stack = deploy(**GRADUAL)

    for alias in ALIASES:
        assert stack["Resources"][alias]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] == {
            "ApplicationName": "<ServerlessDeploymentApplication>",
            "DeploymentGroupName": f"<{alias.removesuffix('Aliaslive')}DeploymentGroup>",
            "BeforeAllowTrafficHook": "<ReleaseCheckFunction>",
        }
    variables = properties(stack, "ReleaseCheckFunction")["Environment"]["Variables"]
    assert variables["AUTHORIZE_VERSION"] == version_of(stack, "AuthorizeFunction")
    assert variables["GATEWAY_AUTHORIZER_VERSION"] == version_of(stack, "GatewayAuthorizerFunction")


@pytest.mark.parametrize(("topic", "more"), [(TOPIC, ["<LatencyAlarm>"]), ("", [])])
def test_an_alarm_rolls_it_back_whether_somebody_is_told_or_not(deploy: Deploy, topic: str, more: list[str]) -> None:
    """At faults, by alarms of its own; and for its latency where that has an alarm."""
    stack = deploy(**GRADUAL, AlarmTopicArn=topic)

    for group in of_type(stack, "AWS::CodeDeploy::DeploymentGroup").values():
        assert group["Properties"]["AlarmConfiguration"] == {
            "Enabled": True,
            "Alarms": [{"Name": name} for name in ("<ReleaseFaultAlarm>", "<ReleaseDiedAlarm>", *more)],
        }
        assert group["Properties"]["AutoRollbackConfiguration"] == {
            "Enabled": True,
            "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
        }


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [
        ("ReleaseFaultAlarm", ("AuthJwt/auth-jwt", "Fault", {"service": "authorize"})),
        ("ReleaseDiedAlarm", ("AWS/Lambda", "Errors", {"FunctionName": "<AuthorizeFunction>"})),
    ],
)
def test_faults_in_two_minutes_of_five_are_enough(
    deploy: Deploy, alarm: str, metric: tuple[str, str, dict[str, str]]
) -> None:
    """One alone may be a hiccup of a table. It watches what the alarm of that name watches that tells somebody."""
    made = properties(deploy(**GRADUAL, AlarmTopicArn=TOPIC), alarm)
    dimensions = {each["Name"]: each["Value"] for each in made["Dimensions"]}

    assert (made["Namespace"], made["MetricName"], dimensions) == metric
    assert (made["Statistic"], made["Period"], made["Threshold"]) == ("Sum", 60, 0)
    assert (made["DatapointsToAlarm"], made["EvaluationPeriods"]) == (2, 5)
    assert made["ComparisonOperator"] == "GreaterThanThreshold"
    assert made["TreatMissingData"] == "notBreaching"
    assert "AlarmActions" not in made


@pytest.mark.parametrize("entry", ["rest", "http", "url"])
def test_nothing_waits_for_what_waits_for_it(template: dict[str, Any], entry: str) -> None:
    """An alarm may wait for an API, that for the alias, and that for the alarm: CloudFormation refuses a circle."""
    parameters = {"Entry": entry, "Gate": "api-key" if entry == "rest" else "iam", "AlarmTopicArn": TOPIC}
    root, _ = parts_by_sam(template, values_of(template, {**GRADUAL, **parameters}))
    waits = {
        name: {
            match.partition(".")[0]
            for match in re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)', json.dumps(resource))
            for match in match
            if match.partition(".")[0] in root["Resources"]
        }
        for name, resource in root["Resources"].items()
    }

    done: set[str] = set()
    while left := {name for name, others in waits.items() if name not in done and not others - done - {name}}:
        done |= left
    assert waits.keys() - done == set()


def test_without_the_authorizer_there_is_one_deployment(deploy: Deploy) -> None:
    stack = deploy(**GRADUAL, GatewayAuthorizer="false", CanaryTag="canary")

    assert of_type(stack, "AWS::CodeDeploy::DeploymentGroup").keys() == {"AuthorizeFunctionDeploymentGroup"}
    assert properties(stack, "ReleaseCheckFunction")["Environment"]["Variables"]["GATEWAY_AUTHORIZER_VERSION"] == ""
    assert statements(stack, "ReleaseCheckRole", "CheckTheRelease")["AskTheNewVersions"]["Resource"] == [
        f"arn:aws:lambda:{ACCOUNT}:function:<AuthorizeFunction>:*"
    ]


def test_codedeploy_may_move_these_aliases_and_no_other(deploy: Deploy) -> None:
    """SAM's own role could move every alias of the account; it is not made."""
    stack = deploy(**GRADUAL)
    role = properties(stack, "DeploymentRole")
    arn = f"arn:aws:lambda:{ACCOUNT}:function:"

    assert "CodeDeployServiceRole" not in stack["Resources"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    assert {
        group["Properties"]["ServiceRoleArn"] for group in of_type(stack, "AWS::CodeDeploy::DeploymentGroup").values()
    } == {"<DeploymentRole.Arn>"}
    assert statements(stack, "DeploymentRole", "MoveTheAlias") == {
        "MoveTheAlias": {
            "Action": ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"],
            "Resource": [
                f"{arn}<AuthorizeFunction>",
                f"{arn}<AuthorizeFunction>:*",
                f"{arn}<GatewayAuthorizerFunction>",
                f"{arn}<GatewayAuthorizerFunction>:*",
            ],
        },
        "AskTheCheck": {"Action": "lambda:InvokeFunction", "Resource": "<ReleaseCheckFunction.Arn>"},
        "SeeTheAlarms": {"Action": "cloudwatch:DescribeAlarms", "Resource": "*"},
    }


def test_the_check_may_ask_the_new_versions_and_answer_codedeploy_and_nothing_else(deploy: Deploy) -> None:
    """Without a canary it reads no table at all."""
    stack = deploy(**GRADUAL)
    arn = f"arn:aws:lambda:{ACCOUNT}:function:"

    assert statements(stack, "ReleaseCheckRole", "CheckTheRelease") == {
        "AskTheNewVersions": {
            "Action": "lambda:InvokeFunction",
            "Resource": [f"{arn}<AuthorizeFunction>:*", f"{arn}<GatewayAuthorizerFunction>:*"],
        },
        "ReadTheirSettings": {
            "Action": "lambda:GetFunctionConfiguration",
            "Resource": [f"{arn}<AuthorizeFunction>", f"{arn}<AuthorizeFunction>:*"],
        },
        "SeeWhatIsLive": {
            "Action": "lambda:GetAlias",
            "Resource": [f"{arn}<AuthorizeFunction>", f"{arn}<GatewayAuthorizerFunction>"],
        },
        "AnswerCodeDeploy": {
            "Action": ["codedeploy:GetDeployment", "codedeploy:PutLifecycleEventHookExecutionStatus"],
            "Resource": f"arn:aws:codedeploy:{ACCOUNT}:deploymentgroup:auth-jwt-*/*",
        },
        "SendTraces": {"Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
    }


def test_the_name_of_codedeploys_application_begins_with_the_whole_name_of_the_stack(deploy: Deploy) -> None:
    """The check's role names it so. CodeDeploy takes 100 characters, and CloudFormation shortens what is longer."""
    (application,) = of_type(deploy(**GRADUAL), "AWS::CodeDeploy::Application")

    assert LONGEST_NAME + len(f"-{application}-") + len("1ABCDEFGHIJKL") <= 100


@pytest.mark.parametrize("role", ["ReleaseCheckRole", "DeploymentRole"])
def test_no_release_changes_what_its_check_may_do(deploy: Deploy, role: str) -> None:
    """CodeDeploy calls it seconds later, and IAM may take longer: a good release would be refused."""
    stack = deploy(**GRADUAL, CanaryTag="canary")
    versions = of_type(stack, "AWS::Lambda::Version").keys()

    assert versions
    assert not {name for name in versions if f"<{name}" in json.dumps(stack["Resources"][role])}


def test_with_a_canary_it_reads_the_rows_of_that_tag_alone(deploy: Deploy) -> None:
    """And writes none."""
    usual = statements(deploy(**GRADUAL), "ReleaseCheckRole", "CheckTheRelease")
    stack = deploy(**GRADUAL, CanaryTag="canary", RevocationsTable="revoked", KmsKeyArn=KEY)
    more = statements(stack, "ReleaseCheckRole", "CheckTheRelease")
    its_own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["canary"]}}
    table = f"arn:aws:dynamodb:{ACCOUNT}:table/"

    assert {name: more[name] for name in more.keys() - usual.keys()} == {
        "ReadTheProfileOfTheCanary": {
            "Action": "dynamodb:GetItem", "Resource": f"{table}jwt_profiles", "Condition": its_own
        },
        "ReadTheSecretsOfTheCanary": {
            "Action": "dynamodb:Query", "Resource": f"{table}jwt_secrets", "Condition": its_own
        },
        "LookUpOneRevocationOfTheCanary": {
            "Action": "dynamodb:GetItem", "Resource": f"{table}revoked", "Condition": its_own
        },
        "DecryptTheTables": {
            "Action": "kms:Decrypt",
            "Resource": KEY,
            "Condition": {"StringEquals": {"kms:ViaService": via("dynamodb")}},
        },
    }  # fmt: skip
    assert properties(stack, "ReleaseCheckFunction")["Environment"]["Variables"]["CANARY_TAG"] == "canary"


def test_the_check_has_more_time_than_a_snapshot_takes_to_get_ready(deploy: Deploy) -> None:
    from auth_jwt.releasing import deployments

    made = properties(deploy(**GRADUAL), "ReleaseCheckFunction")

    assert made["Timeout"] >= 2 * deployments._SECONDS_UNTIL_READY
    assert "Qualifier" not in made


def test_its_log_ends_with_the_stack(deploy: Deploy) -> None:
    group = deploy(**GRADUAL, LogRetentionDays="7", LogKmsKeyArn=KEY)["Resources"]["ReleaseCheckLogGroup"]

    assert group["DeletionPolicy"] == "Delete"
    assert group["Properties"] == {
        "LogGroupName": "/aws/lambda/auth-jwt-release-check",
        "RetentionInDays": "7",
        "KmsKeyId": KEY,
    }

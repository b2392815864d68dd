"""What `AdminApi=true` deploys beside the rest: asserted on plain CloudFormation, and that it opens nothing else."""

import json
import re
from typing import Any

import pytest

from auth_jwt.runtime.settings import DEFAULTS, FRONTEND_DEFAULTS, LOG_DEFAULTS, Settings, near_misses
from tools.template.stack import KMS_OF_A_WRITER, Deploy, Stack, of_type, properties, via

ACCOUNT = "eu-central-1:123456789012"
KEY_ARN = f"arn:aws:kms:{ACCOUNT}:key/0000-1111"
TOPIC_ARN = f"arn:aws:sns:{ACCOUNT}:on-call"
FUNCTION = "ProvisioningFunction"
EVERY_GATE = pytest.mark.parametrize(
    "gate",
    [{"Gate": "api-key"}, {"Gate": "iam"}, {"Gate": "private", "VpcEndpointId": "vpce-0abc"}],
    ids=["api-key", "iam", "private"],
)


@pytest.fixture(name="stack")
def _stack(deploy: Deploy) -> Stack:
    return deploy(AdminApi="true", RevocationsTable="gone", AlarmTopicArn=TOPIC_ARN, AccessLogs="account-role")


def body(stack: Stack, api: str = "AdminRestApi") -> dict[str, Any]:
    document: dict[str, Any] = properties(stack, api)["Body"]
    return document


def methods(stack: Stack, api: str = "AdminRestApi") -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, verb): spec for path, item in body(stack, api)["paths"].items() for verb, spec in item.items()}


def test_without_being_asked_for_nothing_of_it_is_made(deploy: Deploy) -> None:
    """The default: no API that could write, no function, no permission."""
    values = {"AlarmTopicArn": TOPIC_ARN, "AccessLogs": "account-role", "RevocationsTable": "gone"}
    usual, asked = deploy(**values), deploy(**values, AdminApi="true")

    more = asked["Resources"].keys() - usual["Resources"].keys()
    by_name = {name for name in more if not name.startswith(("AdminRestApi", "ProvisioningFunction"))}
    assert by_name == {
        "ProvisioningRole",
        "ProvisioningLogGroup",
        "ProvisioningPermission",
        "ProvisioningFaultAlarm",
        "ProvisioningDiedAlarm",
        "AdminAccessLogGroup",
    }
    assert asked["Outputs"].keys() - usual["Outputs"].keys() == {"AdminApiUrl", "AdminApiArn", "AdminLogGroupName"}
    assert [name for name in usual["Resources"] if "Admin" in name or "Provisioning" in name] == []


@EVERY_GATE
def test_every_method_is_behind_iam_whatever_the_gate_of_the_other_api(deploy: Deploy, gate: dict[str, str]) -> None:
    stack = deploy(AdminApi="true", **gate)

    assert {method: spec["security"] for method, spec in methods(stack).items()} == {
        ("/admin/{proxy+}", "x-amazon-apigateway-any-method"): [{"sigv4": []}]
    }
    assert body(stack)["components"]["securitySchemes"] == {
        "sigv4": {"type": "apiKey", "in": "header", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}
    }
    assert "x-amazon-apigateway-policy" not in body(stack)  # which could let others in


@EVERY_GATE
def test_the_gate_of_the_other_api_is_untouched(deploy: Deploy, gate: dict[str, str]) -> None:
    with_it, without = deploy(AdminApi="true", **gate), deploy(**gate)

    assert body(with_it, "Api") == body(without, "Api")
    assert of_type(with_it, "AWS::ApiGateway::ApiKey") == of_type(without, "AWS::ApiGateway::ApiKey")
    assert of_type(with_it, "AWS::ApiGateway::UsagePlan") == of_type(without, "AWS::ApiGateway::UsagePlan")
    assert of_type(with_it, "AWS::ApiGateway::RestApi").keys() == {"Api", "AdminRestApi"}


def test_no_path_of_the_other_api_leads_to_the_function(deploy: Deploy) -> None:
    """Or an API key of a frontend would do."""
    stack = deploy(AdminApi="true")

    assert FUNCTION not in json.dumps(body(stack, "Api"))
    assert all("<ProvisioningFunction.Arn>:live" in json.dumps(spec) for spec in methods(stack).values())


def test_only_the_admin_api_may_call_the_function(stack: Stack) -> None:
    assert properties(stack, "ProvisioningPermission") == {
        "FunctionName": "<ProvisioningFunctionAliaslive>",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{ACCOUNT}:<AdminRestApi>/v1/*/admin/*",
    }
    callers = {name for name, one in of_type(stack, "AWS::Lambda::Permission").items() if FUNCTION in json.dumps(one)}
    assert callers == {"ProvisioningPermission"}


def test_its_stage_is_throttled_and_blind_to_contents(stack: Stack) -> None:
    """Bodies hold secrets."""
    stage = properties(stack, "AdminRestApiStage")

    assert stage["StageName"] == "v1"
    assert stage["TracingEnabled"] is False
    (settings,) = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"], settings["DataTraceEnabled"]) == ("/*", "*", False)
    assert settings["ThrottlingRateLimit"] <= settings["ThrottlingBurstLimit"] <= 100


def test_its_access_log_is_one_like_the_other(stack: Stack) -> None:
    mine, other = (properties(stack, f"{api}Stage")["AccessLogSetting"] for api in ("AdminRestApi", "Api"))

    assert mine["Format"] == other["Format"]
    assert mine["DestinationArn"] == "<AdminAccessLogGroup.Arn>"
    assert properties(stack, "AdminAccessLogGroup")["LogGroupName"] == "/aws/apigateway/auth-jwt-admin-access"


def test_the_gateways_own_answers_are_those_of_the_other_api(stack: Stack) -> None:
    key = "x-amazon-apigateway-gateway-responses"
    mine, other = body(stack)[key], body(stack, "Api")[key]

    assert mine == other


# --- The function -----------------------------------------------------------------------------------------------------


def test_the_function_is_made_like_the_others(stack: Stack) -> None:
    mine, other = properties(stack, FUNCTION), properties(stack, "AuthorizeFunction")
    own = {"Code", "Description", "Environment", "LoggingConfig", "Role", "SnapStart", "Timeout"}

    assert {name: value for name, value in mine.items() if name not in own} == {
        name: value for name, value in other.items() if name not in own
    }
    assert mine["Code"]["S3Key"] == "functions/provisioning"
    assert "(unreleased)" in mine["Description"]
    assert mine["Timeout"] < 29  # API Gateway's
    assert mine["LoggingConfig"] == {"LogGroup": "<ProvisioningLogGroup>"}
    assert mine["SnapStart"] == {"ApplyOn": "None"}  # a snapshot that nobody restores for weeks is put away
    assert stack["Resources"]["ProvisioningFunctionAliaslive"]["Properties"]["Name"] == "live"


def test_it_has_the_settings_that_the_service_has(stack: Stack) -> None:
    """What the service would refuse, is refused here."""
    mine, other = (properties(stack, name)["Environment"]["Variables"] for name in (FUNCTION, "AuthorizeFunction"))

    own = {*LOG_DEFAULTS, *FRONTEND_DEFAULTS}  # nobody is authorized here, and no frontend asks
    shared = {name: value for name, value in other.items() if name not in own}
    assert mine == {**shared, "POWERTOOLS_SERVICE_NAME": "provisioning"}
    assert DEFAULTS.keys() <= mine.keys()
    assert Settings.from_env(mine).revocations_table == "gone"
    assert near_misses(mine) == {}


def actions_of(statement: dict[str, Any]) -> list[str]:
    """The actions that a statement allows."""
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def test_it_may_write_the_tables_and_nothing_else(deploy: Deploy) -> None:
    stack = deploy(AdminApi="true", ProfilesTable="people", SecretsTable="keys", RevocationsTable="gone")
    role = properties(stack, "ProvisioningRole")
    tables, log = (policy["PolicyDocument"]["Statement"] for policy in role["Policies"])
    allowed = {
        statement["Resource"]: {action.removeprefix("dynamodb:") for action in actions_of(statement)}
        for statement in tables
        if "dynamodb" in statement["Resource"]
    }
    table = f"arn:aws:dynamodb:{ACCOUNT}:table"

    assert allowed == {
        f"{table}/people": {"GetItem", "Scan", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"},
        f"{table}/people/index/by_sip_user": {"Query"},
        f"{table}/keys": {"Query", "PutItem", "UpdateItem", "DeleteItem"},
        f"{table}/gone": {"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"},
    }
    (others,) = (statement for statement in tables if "dynamodb" not in statement["Resource"])
    assert others["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    assert [(one["Action"], one["Resource"]) for one in log] == [
        (["logs:CreateLogStream", "logs:PutLogEvents"], "<ProvisioningLogGroup.Arn>")
    ]
    assert "ManagedPolicyArns" not in role
    assert properties(stack, FUNCTION)["Role"] == "<ProvisioningRole.Arn>"


def test_without_revocations_it_has_no_permission_on_their_table(deploy: Deploy) -> None:
    assert "WriteRevocations" not in json.dumps(properties(deploy(AdminApi="true"), "ProvisioningRole"))


def test_with_a_key_of_ones_own_it_may_use_it_through_dynamodb(deploy: Deploy) -> None:
    (policy, _) = properties(deploy(AdminApi="true", KmsKeyArn=KEY_ARN), "ProvisioningRole")["Policies"]
    (statement,) = (one for one in policy["PolicyDocument"]["Statement"] if one["Resource"] == KEY_ARN)

    assert statement["Action"] == [f"kms:{name}" for name in KMS_OF_A_WRITER]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": via("dynamodb")}}


def test_its_logs_are_kept_for_as_long_as_asked_under_a_key_of_ones_own(deploy: Deploy) -> None:
    days = {"LogRetentionDays": "7", "AuditRetentionDays": "731"}
    stack = deploy(AdminApi="true", **days, LogKmsKeyArn=KEY_ARN, AccessLogs="account-role")

    assert properties(stack, "ProvisioningLogGroup") == {"RetentionInDays": "731", "KmsKeyId": KEY_ARN}
    access = properties(stack, "AdminAccessLogGroup")
    assert (access["RetentionInDays"], access["KmsKeyId"]) == ("7", KEY_ARN)


def test_its_alarms_watch_its_faults_and_its_function(stack: Stack) -> None:
    fault, died = properties(stack, "ProvisioningFaultAlarm"), properties(stack, "ProvisioningDiedAlarm")

    assert (fault["MetricName"], fault["Dimensions"]) == ("Fault", [{"Name": "service", "Value": "provisioning"}])
    assert (died["MetricName"], died["Dimensions"]) == (
        "Errors",
        [{"Name": "FunctionName", "Value": "<ProvisioningFunction>"}],
    )


def test_the_outputs_say_where_it_is_and_what_to_allow(stack: Stack) -> None:
    names = ("AdminApiUrl", "AdminApiArn", "AdminLogGroupName")
    url, arn, log = (stack["Outputs"][name]["Value"] for name in names)

    assert url == "https://<AdminRestApi>.execute-api.eu-central-1.amazonaws.com/v1/admin/profiles"
    assert arn == f"arn:aws:execute-api:{ACCOUNT}:<AdminRestApi>/v1/*/admin/*"
    assert log == "<ProvisioningLogGroup>"


def test_the_document_is_one_that_api_gateway_imports_whole(stack: Stack) -> None:
    assert re.fullmatch(r"3\.0\.\d", body(stack)["openapi"])
    assert properties(stack, "AdminRestApi")["FailOnWarnings"] is True

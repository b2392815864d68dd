"""What `template.yaml` deploys around the functions: what they are, what they may do, what they write."""

import json
import re
from typing import Any

import pytest

from tools.dashboard.alarms import Alarm
from tools.dashboard.metrics import Metric
from tools.template.stack import (
    PSEUDO_PARAMETERS,
    TEMPLATE,
    Deploy,
    Stack,
    of_type,
    only,
    properties,
    sources,
    stack_of,
    via,
)

AUTHORIZE = "AuthorizeFunction"
GATEWAY_AUTHORIZER = "GatewayAuthorizerFunction"
FUNCTIONS = [pytest.param(AUTHORIZE, id="authorize"), pytest.param(GATEWAY_AUTHORIZER, id="gateway authorizer")]

ACCOUNT = "eu-central-1:123456789012"
KEY_ARN = f"arn:aws:kms:{ACCOUNT}:key/0000-1111"
TOPIC_ARN = f"arn:aws:sns:{ACCOUNT}:on-call"
LAMBDA_MAY = [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]


def statements(stack: Stack, policy: str = "ReadTheTables") -> list[dict[str, Any]]:
    """Return what a managed policy allows, without the names of the statements."""
    document = properties(stack, policy)["PolicyDocument"]
    return [{k: v for k, v in s.items() if k != "Sid"} for s in document["Statement"]]


# --- What a function is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "folder"),
    [
        pytest.param(AUTHORIZE, "functions/authorize", id="authorize"),
        pytest.param(GATEWAY_AUTHORIZER, "functions/gateway_authorizer", id="gateway authorizer"),
    ],
)
def test_a_function_runs_the_handler_of_its_folder(deploy: Deploy, function: str, folder: str) -> None:
    """The code, and the name that Lambda calls."""
    made = properties(deploy(), function)

    assert made["Code"] == {"S3Bucket": "bucket", "S3Key": folder}
    assert made["Handler"] == "app.lambda_handler"


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_functions_and_layer_are_built_for_one_architecture(
    deploy: Deploy, template: dict[str, Any], architecture: str, function: str
) -> None:
    """A layer built for the wrong one cannot load `cryptography`."""
    stack = deploy(Architecture=architecture, MemorySize="1024")
    made = properties(stack, function)
    ((name, layer),) = of_type(stack, "AWS::Lambda::LayerVersion").items()

    assert made["Layers"] == [f"<{name}>"]
    assert made["Architectures"] == layer["Properties"]["CompatibleArchitectures"] == [architecture]
    assert [made["Runtime"]] == layer["Properties"]["CompatibleRuntimes"] == ["python3.13"]
    assert made["MemorySize"] == "1024"
    assert template["Resources"]["AuthJwtLayer"]["Metadata"] == {
        "BuildMethod": "python3.13",
        "BuildArchitecture": {"Ref": "Architecture"},
    }


def test_functions_are_for_arm64_unless_asked_otherwise(deploy: Deploy) -> None:
    """The cheaper one."""
    assert properties(deploy(), AUTHORIZE)["Architectures"] == ["arm64"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_time_to_give_up_on_the_tables(deploy: Deploy, function: str) -> None:
    """With the default settings it can still answer 503, and does so before API Gateway's 29 seconds."""
    made = properties(deploy(), function)

    assert 2 * int(made["Environment"]["Variables"]["STORE_TIMEOUT_MS"]) <= made["Timeout"] * 1000
    assert made["Timeout"] < 29


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("reserved", "made"), [pytest.param("", None, id="none by default"), pytest.param("7", "7", id="when asked for")]
)
def test_concurrency_may_be_reserved(deploy: Deploy, function: str, reserved: str, made: str | None) -> None:
    """It keeps others from starving the service, and the service from starving others."""
    assert properties(deploy(ReservedConcurrency=reserved), function).get("ReservedConcurrentExecutions") == made


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("values", "apply"),
    [
        pytest.param({}, "PublishedVersions", id="by default"),
        pytest.param({"SnapStart": "None"}, "None", id="off where it cannot be had"),
    ],
)
def test_cold_starts_resume_a_snapshot(deploy: Deploy, function: str, values: dict[str, str], apply: str) -> None:
    """Of a published version: $LATEST has none, so nobody may be sent there."""
    assert properties(deploy(**values), function)["SnapStart"] == {"ApplyOn": apply}


# --- Who may call -----------------------------------------------------------------------------------------------------


def test_only_this_stage_of_this_api_may_call_the_function(deploy: Deploy) -> None:
    """The account's other APIs have no business with it; and what is called is the alias."""
    assert properties(deploy(StageName="live"), "AuthorizePermission") == {
        "FunctionName": "<AuthorizeFunctionAliaslive>",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{ACCOUNT}:<Api>/live/*",
    }


def test_any_authorizer_of_this_account_may_call_the_gateway_authorizer(deploy: Deploy) -> None:
    """Of REST, HTTP and WebSocket APIs alike; no API's methods, and no other account."""
    assert properties(deploy(), "GatewayAuthorizerPermission") == {
        "FunctionName": "<GatewayAuthorizerFunctionAliaslive>",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{ACCOUNT}:*/authorizers/*",
    }


def test_nobody_else_may_call(deploy: Deploy) -> None:
    """But by the account's own IAM policies."""
    assert of_type(deploy(), "AWS::Lambda::Permission").keys() == {"AuthorizePermission", "GatewayAuthorizerPermission"}
    assert of_type(deploy(), "AWS::Events::Rule") == {}
    assert of_type(deploy(), "AWS::Scheduler::Schedule").keys() == {*PINGED, "EndingSecretsEveryDay"}


# --- What keeps snapshots in use --------------------------------------------------------------------------------------

PINGED = {
    "AuthorizePing": "<AuthorizeFunctionAliaslive>",
    "GatewayAuthorizerPing": "<GatewayAuthorizerFunctionAliaslive>",
}


@pytest.mark.parametrize("name", PINGED)
def test_each_day_the_alias_is_pinged_before_its_snapshot_is_put_away(deploy: Deploy, name: str) -> None:
    """The version that callers get, not $LATEST; by the event that the function counts as a ping."""
    made = properties(deploy(), name)

    assert made["ScheduleExpression"] == "rate(1 day)"
    assert made["Target"] == {"Arn": PINGED[name], "RoleArn": "<PingRole.Arn>", "Input": '{"warmer": true}'}
    assert made.get("State", "ENABLED") == "ENABLED"


def test_whatever_has_snapshots_is_pinged_and_nothing_else(deploy: Deploy) -> None:
    """A new function with snapshots needs a ping, too."""
    stack = deploy(AdminApi="true", RotatedTag="alice-web")
    aliases = {
        alias["Properties"]["FunctionName"][1:-1]: f"<{name}>"
        for name, alias in of_type(stack, "AWS::Lambda::Alias").items()
    }
    with_snapshots = {
        aliases[name]
        for name, function in of_type(stack, "AWS::Lambda::Function").items()
        if function["Properties"].get("SnapStart") == {"ApplyOn": "PublishedVersions"}
    }

    targets = [one["Properties"]["Target"] for one in of_type(stack, "AWS::Scheduler::Schedule").values()]
    pinged = {target["Arn"] for target in targets if "warmer" in target["Input"]}
    assert pinged == with_snapshots == set(PINGED.values())


def test_the_scheduler_may_call_the_pinged_aliases_and_for_this_account_only(deploy: Deploy) -> None:
    """Neither another version nor another function."""
    role = properties(deploy(), "PingRole")

    assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ]
    assert [policy["PolicyDocument"]["Statement"] for policy in role["Policies"]] == [
        [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": list(PINGED.values())}]
    ]


def test_without_snapshots_nobody_is_pinged(deploy: Deploy) -> None:
    """What has none cannot lose it."""
    resources = deploy(SnapStart="None")["Resources"]

    assert resources.keys().isdisjoint({*PINGED, "PingRole"})


# --- Without the authorizer for other APIs ----------------------------------------------------------------------------


def test_without_the_authorizer_nothing_of_it_is_made(deploy: Deploy) -> None:
    """Its parameter is on by default; nothing else changes with it."""
    usual, without = (deploy(AlarmTopicArn=TOPIC_ARN, GatewayAuthorizer=is_made) for is_made in ("true", "false"))

    less = usual["Resources"].keys() - without["Resources"].keys()
    assert {name for name in less if not name.startswith(f"{GATEWAY_AUTHORIZER}Version")} == {
        GATEWAY_AUTHORIZER,
        f"{GATEWAY_AUTHORIZER}Aliaslive",
        "GatewayAuthorizerPermission",
        "GatewayAuthorizerRole",
        "GatewayAuthorizerLogGroup",
        "GatewayAuthorizerAuthorizedFilter",
        "GatewayAuthorizerPing",
        "GatewayAuthorizerFaultAlarm",
        "GatewayAuthorizerUnusableSecretAlarm",
        "GatewayAuthorizerThrottledAlarm",
        "GatewayAuthorizerNearTimeoutAlarm",
        "GatewayAuthorizerStaleRowsAlarm",
    }
    assert usual["Outputs"].keys() - without["Outputs"].keys() == {"GatewayAuthorizerFunctionArn"}
    assert deploy(AlarmTopicArn=TOPIC_ARN) == usual
    changed = {name for name, made in without["Resources"].items() if made != usual["Resources"][name]}
    assert changed == {"PingRole", "Dashboard"}
    (statement,) = properties(without, "PingRole")["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == ["<AuthorizeFunctionAliaslive>"]


# --- What a function may do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", ["api-key", "iam"])
def test_the_functions_may_do_exactly_what_they_do(deploy: Deploy, gate: str) -> None:
    """Two calls on two tables, and traces, which have no resources."""
    assert statements(deploy(Gate=gate, ProfilesTable="people", SecretsTable="keys")) == [
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/people"},
        {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/keys"},
        {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
    ]


def test_with_a_table_of_revoked_tokens_they_may_look_one_up(deploy: Deploy) -> None:
    """One call more, on that table alone."""
    more = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/revoked"}
    usual = statements(deploy())

    assert statements(deploy(RevocationsTable="revoked")) == [*usual[:2], more, *usual[2:]]


def test_with_a_key_of_ones_own_the_functions_may_decrypt_through_dynamodb(deploy: Deploy) -> None:
    """Reading a table under a customer key needs the key, too."""
    assert statements(deploy(KmsKeyArn=KEY_ARN))[3:] == [
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": KEY_ARN,
            "Condition": {"StringEquals": {"kms:ViaService": via("dynamodb")}},
        }
    ]


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1"])
def test_a_key_may_be_used_through_services_by_either_of_their_names(
    template: dict[str, Any], monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """In China AWS's pages spell them by both suffixes, and a condition that knows the other one refuses."""
    monkeypatch.setitem(PSEUDO_PARAMETERS, "AWS::Region", region)
    stack = stack_of(template, AdminApi="true", RotatedTag="alice-web", KmsKeyArn=KEY_ARN)
    documents = [properties(stack, "ReadTheTables")["PolicyDocument"]]
    for role in of_type(stack, "AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in role["Properties"]["Policies"]]
    of_keys = [one for document in documents for one in document["Statement"] if one["Resource"] == KEY_ARN]

    services = [one["Condition"]["StringEquals"]["kms:ViaService"] for one in of_keys]
    assert len(of_keys) == 5
    assert {service.partition(".")[0] for names in services for service in names} == {"dynamodb", "secretsmanager"}
    for names in services:
        service = names[0].partition(".")[0]
        assert names == [f"{service}.{region}.amazonaws.com", f"{service}.{region}.amazonaws.com.cn"]


@pytest.mark.parametrize(
    ("function", "role", "log"),
    [
        pytest.param(AUTHORIZE, "AuthorizeRole", "AuthorizeLogGroup", id="authorize"),
        pytest.param(GATEWAY_AUTHORIZER, "GatewayAuthorizerRole", "GatewayAuthorizerLogGroup", id="gateway authorizer"),
    ],
)
def test_a_role_is_lambdas_and_writes_its_own_log_only(deploy: Deploy, function: str, role: str, log: str) -> None:
    """SAM would add managed policies of AWS's to a role of its own making."""
    stack = deploy()
    made = properties(stack, role)
    (policy,) = made["Policies"]

    assert properties(stack, function)["Role"] == f"<{role}.Arn>"
    assert made.keys() == {"AssumeRolePolicyDocument", "ManagedPolicyArns", "Policies"}
    assert made["AssumeRolePolicyDocument"]["Statement"] == LAMBDA_MAY
    assert made["ManagedPolicyArns"] == ["<ReadTheTables>"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": f"<{log}.Arn>"}
    ]


def test_there_are_no_other_roles_and_policies(deploy: Deploy) -> None:
    """Or some of the tests above would look past them."""
    stack = deploy()

    assert of_type(stack, "AWS::IAM::Role").keys() == {
        *("AuthorizeRole", "GatewayAuthorizerRole", "PingRole"),
        *("EndingSecretsRole", "EndingSecretsScheduleRole"),  # tests/integration/test_ending_permissions.py
    }
    assert of_type(stack, "AWS::IAM::ManagedPolicy").keys() == {"ReadTheTables"}
    assert of_type(stack, "AWS::IAM::Policy") == {}


# --- What outlives the stack ------------------------------------------------------------------------------------------


def test_what_outlives_the_stack_is_not_in_the_way_of_the_next_one(deploy: Deploy) -> None:
    """A name of ours would still be taken. Tables have one, which is why making them is a parameter."""
    stack = deploy(AdminApi="true", RotatedTag="alice-web", RevocationsTable="gone", AccessLogs="new-role")
    outlive = {
        name
        for name, one in stack["Resources"].items()
        if one.get("DeletionPolicy", "").startswith("Retain") and one["Type"] != "AWS::Lambda::Version"
    }  # a version goes with its function
    named = {
        name
        for name in outlive
        if {key for key in properties(stack, name) if re.fullmatch(r"(\w+)?Name", key)} != set()
    }

    assert outlive - named == {
        "AccessLogRole",
        "ApiAccount",
        "ProvisioningLogGroup",
        "RotatedSecret",
        "RotateSecretsLogGroup",
    }
    assert named == {"JwtProfiles", "JwtSecrets", "JwtRevocations"}


@pytest.mark.parametrize("group", ["ProvisioningLogGroup", "RotateSecretsLogGroup"])
def test_lines_of_audit_outlive_the_stack_and_are_kept_longer_than_others(deploy: Deploy, group: str) -> None:
    """Who deletes the stack does not delete who wrote what. Only a group that never came into use goes."""
    stack = deploy(AdminApi="true", RotatedTag="alice-web", LogRetentionDays="1")
    made = stack["Resources"][group]

    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert made["Properties"]["RetentionInDays"] == "400"
    changed = deploy(AdminApi="true", RotatedTag="alice-web", AuditRetentionDays="3653")["Resources"][group]
    assert changed["Properties"]["RetentionInDays"] == "3653"


# --- Traces and logs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("parameters", "mode", "is_traced"), [({}, "PassThrough", False), ({"Tracing": "Active"}, "Active", True)]
)
def test_requests_are_traced_from_the_gateway_on_when_asked_for(
    deploy: Deploy, function: str, parameters: dict[str, str], mode: str, is_traced: bool
) -> None:
    """By the platform: the code imports no SDK for it."""
    stack = deploy(**parameters)

    assert only(stack, "AWS::ApiGateway::Stage")["TracingEnabled"] is is_traced
    assert properties(stack, function)["TracingConfig"] == {"Mode": mode}
    assert "xray" not in (TEMPLATE.parent / "layers" / "auth_jwt" / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("function", "group", "name"),
    [
        pytest.param(AUTHORIZE, "AuthorizeLogGroup", "/aws/lambda/auth-jwt-authorize", id="authorize"),
        pytest.param(
            GATEWAY_AUTHORIZER,
            "GatewayAuthorizerLogGroup",
            "/aws/lambda/auth-jwt-gateway-authorizer",
            id="gateway authorizer",
        ),
    ],
)
def test_a_functions_log_is_kept_for_as_long_as_asked(deploy: Deploy, function: str, group: str, name: str) -> None:
    """It writes into a group of the stack's own, not one Lambda makes and keeps for ever."""
    stack = deploy(LogRetentionDays="90")

    assert properties(stack, group) == {"LogGroupName": name, "RetentionInDays": "90"}
    assert properties(stack, function)["LoggingConfig"]["LogGroup"] == f"<{group}>"


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("level", ["WARN", "INFO", "DEBUG"])
def test_lambda_writes_lines_of_its_own_as_asked_and_drops_none_of_ours(
    deploy: Deploy, function: str, level: str
) -> None:
    """A line without `level` is INFO to Lambda, and the lines that count requests have none."""
    written = properties(deploy(SystemLogLevel=level, LogLevel="ERROR"), function)["LoggingConfig"]

    assert {name: value for name, value in written.items() if name != "LogGroup"} == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": level,
    }


@pytest.mark.parametrize(
    ("function", "filtered", "group"),
    [
        ("AuthorizeFunction", "AuthorizedFilter", "AuthorizeLogGroup"),
        ("GatewayAuthorizerFunction", "GatewayAuthorizerAuthorizedFilter", "GatewayAuthorizerLogGroup"),
    ],
)
def test_a_filter_counts_what_a_lean_line_does_not_say(
    deploy: Deploy, function: str, filtered: str, group: str
) -> None:
    """Where the function's metrics go, so that nobody who asks for `Authorized` sees a difference."""
    stack = deploy()
    variables = properties(stack, function)["Environment"]["Variables"]

    assert variables["AUTHORIZED_LOG"] == "lean"
    assert properties(stack, filtered) == {
        "LogGroupName": f"<{group}>",
        "FilterPattern": '{ ($.service = "*") && ($.outcome = "authorized") && ($.Authorized NOT EXISTS) }',
        "MetricTransformations": [
            {
                "MetricNamespace": variables["POWERTOOLS_METRICS_NAMESPACE"],
                "MetricName": "Authorized",
                "MetricValue": "1",
                "Unit": "Count",
                "Dimensions": [{"Key": "service", "Value": "$.service"}],
            }
        ],
    }
    written = sources()["Resources"][function]["Properties"]["LoggingConfig"]["LogGroup"]
    assert written == {"Fn::GetAtt": ["Counting", f"Outputs.{group}Name"]}  # so the filter is made first


def test_every_log_takes_a_key_of_ones_own(deploy: Deploy) -> None:
    """One parameter for all of them."""
    groups = of_type(deploy(LogKmsKeyArn=KEY_ARN, AccessLogs="account-role"), "AWS::Logs::LogGroup")

    assert {name: group["Properties"].get("KmsKeyId") for name, group in groups.items()} == {
        "AuthorizeLogGroup": KEY_ARN,
        "GatewayAuthorizerLogGroup": KEY_ARN,
        "EndingSecretsLogGroup": KEY_ARN,
        "AccessLogGroup": KEY_ARN,
    }


ACCESS_LOG_FIELDS = {
    "time": "requestTime",
    "request_id": "requestId",
    "extended_request_id": "extendedRequestId",
    "function_request_id": "integration.requestId",
    "xray_trace_id": "xrayTraceId",
    "method": "httpMethod",
    "resource": "resourcePath",
    "status": "status",
    "error": "error.responseType",
    "latency_ms": "responseLatency",
    "function_latency_ms": "integrationLatency",
    "api_key_id": "identity.apiKeyId",
    "user_arn": "identity.userArn",
    "certificate_serial": "identity.clientCert.serialNumber",
    "certificate_ends": "identity.clientCert.validity.notAfter",
    "source_ip": "identity.sourceIp",
}


def test_the_access_log_is_one_json_object_a_line_of_what_can_hold_no_token(deploy: Deploy) -> None:
    """Every value is text, since an absent one is a dash. A header, a query string, a path, a body may hold a token."""
    setting = only(deploy(AccessLogs="account-role"), "AWS::ApiGateway::Stage")["AccessLogSetting"]

    assert "\n" not in setting["Format"]
    assert json.loads(setting["Format"]) == {name: f"$context.{value}" for name, value in ACCESS_LOG_FIELDS.items()}


@pytest.mark.parametrize("role", ["account-role", "new-role"])
def test_the_access_log_has_a_group_with_a_retention(deploy: Deploy, role: str) -> None:
    """Of its own, since other people may read it."""
    stack = deploy(AccessLogs=role, LogRetentionDays="90")

    assert only(stack, "AWS::ApiGateway::Stage")["AccessLogSetting"]["DestinationArn"] == "<AccessLogGroup.Arn>"
    assert properties(stack, "AccessLogGroup") == {
        "LogGroupName": "/aws/apigateway/auth-jwt-access",
        "RetentionInDays": "90",
    }


def test_without_access_logs_nothing_is_made_for_them(deploy: Deploy) -> None:
    """The default: it works in an account whose API Gateway may not write logs."""
    stack = deploy()

    assert "AccessLogSetting" not in only(stack, "AWS::ApiGateway::Stage")
    assert stack["Resources"].keys().isdisjoint({"AccessLogGroup", "AccessLogRole", "ApiAccount"})


def test_the_role_all_apis_log_by_is_left_alone_unless_asked(deploy: Deploy) -> None:
    """It is the account's, not the stack's."""
    assert of_type(deploy(AccessLogs="account-role"), "AWS::ApiGateway::Account") == {}


def test_a_new_role_to_log_by_is_there_before_the_api_and_outlives_the_stack(deploy: Deploy) -> None:
    """The stage could not log before, and the account's other APIs could not afterwards."""
    stack = deploy(AccessLogs="new-role")
    role, account = stack["Resources"]["AccessLogRole"], stack["Resources"]["ApiAccount"]

    assert account["Properties"] == {"CloudWatchRoleArn": "<AccessLogRole.Arn>"}
    assert role["Properties"]["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    ]
    assert [s["Principal"] for s in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]] == [
        {"Service": "apigateway.amazonaws.com"}
    ]
    assert {r["DeletionPolicy"] for r in (role, account)} == {r["UpdateReplacePolicy"] for r in (role, account)}
    assert role["DeletionPolicy"] == "Retain"
    assert stack["Resources"]["Api"]["Metadata"]["After"] == "<ApiAccount>"
    assert only(stack, "AWS::ApiGateway::Stage")["RestApiId"] == "<Api>"


@pytest.mark.parametrize("access_logs", ["none", "account-role"])
def test_without_a_new_role_no_api_waits_for_one(deploy: Deploy, access_logs: str) -> None:
    """What waits for something that is not made, is not made either."""
    stack = deploy(AdminApi="true", AccessLogs=access_logs)

    for api in ("Api", "AdminRestApi"):
        assert stack["Resources"][api]["Metadata"]["After"] == "none"
        assert "DependsOn" not in stack["Resources"][api]


# --- Alarms -----------------------------------------------------------------------------------------------------------


def test_there_is_no_alarm_that_nobody_hears(deploy: Deploy) -> None:
    """Who gives no topic has to look at the metrics."""
    assert of_type(deploy(), "AWS::CloudWatch::Alarm") == {}


def watched_by(stack: Stack) -> set[Metric]:
    """Return the metrics that the alarms of a stack read."""
    alarms = of_type(stack, "AWS::CloudWatch::Alarm").items()
    return {
        query.metric for name, alarm in alarms for query in Alarm.from_properties(name, alarm["Properties"]).queries
    }


def test_alarms_watch_functions_of_the_stack_and_never_the_errors_of_the_authorizer(deploy: Deploy) -> None:
    """A refused token is an error there."""
    watched = watched_by(deploy(AlarmTopicArn=TOPIC_ARN))

    of_lambda = {
        (metric.name, dict(metric.dimensions)["FunctionName"]) for metric in watched if metric.namespace == "AWS/Lambda"
    }
    assert of_lambda == {
        *((name, f"<{AUTHORIZE}>") for name in ("Errors", "Throttles", "Invocations", "Duration")),
        *((name, f"<{GATEWAY_AUTHORIZER}>") for name in ("Throttles", "Invocations", "Duration")),
        ("Errors", "<EndingSecretsFunction>"),
    }


@pytest.mark.parametrize("stack_name", ["auth-jwt", "auth-jwt-2"])
def test_an_alarm_hears_what_the_functions_of_its_own_stack_count(
    template: dict[str, Any], monkeypatch: pytest.MonkeyPatch, stack_name: str
) -> None:
    """The namespace is the stack's own, and every function has the service's name by which an alarm looks."""
    monkeypatch.setitem(PSEUDO_PARAMETERS, "AWS::StackName", stack_name)
    stack = stack_of(template, AdminApi="true", RotatedTag="alice-web", AlarmTopicArn=TOPIC_ARN)
    counted = {
        (variables["POWERTOOLS_METRICS_NAMESPACE"], variables["POWERTOOLS_SERVICE_NAME"])
        for function in of_type(stack, "AWS::Lambda::Function").values()
        for variables in (function["Properties"]["Environment"]["Variables"],)
    }
    heard = {
        (metric.namespace, dict(metric.dimensions)["service"])
        for metric in watched_by(stack)
        if not metric.namespace.startswith("AWS/") and metric.dimensions
    }

    assert {namespace for namespace, _ in counted} == {f"AuthJwt/{stack_name}"}
    assert heard <= counted
    assert {service for _, service in heard} == {"authorize", "gateway_authorizer", "provisioning", "ending_secrets"}

"""What `template.yaml` deploys around the functions: what they are, what they may do, what they write."""

import json
import re
from typing import Any

import pytest

from tests.template.stack import PSEUDO_PARAMETERS, TEMPLATE, Deploy, Stack, of_type, only, properties, stack_of, via

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
    assert of_type(deploy(), "AWS::Scheduler::Schedule").keys() == {"AuthorizePing", "GatewayAuthorizerPing"}


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
        if function["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    }

    pinged = {one["Properties"]["Target"]["Arn"] for one in of_type(stack, "AWS::Scheduler::Schedule").values()}
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
        "GatewayAuthorizerPing",
        "GatewayAuthorizerFaultAlarm",
        "GatewayAuthorizerUnusableSecretAlarm",
        "GatewayAuthorizerThrottledAlarm",
    }
    assert usual["Outputs"].keys() - without["Outputs"].keys() == {"GatewayAuthorizerFunctionArn"}
    assert deploy(AlarmTopicArn=TOPIC_ARN) == usual
    changed = {name for name, made in without["Resources"].items() if made != usual["Resources"][name]}
    assert changed == {"PingRole"}
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
    assert len(of_keys) == 4
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

    assert of_type(stack, "AWS::IAM::Role").keys() == {"AuthorizeRole", "GatewayAuthorizerRole", "PingRole"}
    assert of_type(stack, "AWS::IAM::ManagedPolicy").keys() == {"ReadTheTables"}
    assert of_type(stack, "AWS::IAM::Policy") == {}


# --- What outlives the stack ------------------------------------------------------------------------------------------


def test_what_outlives_the_stack_is_not_in_the_way_of_the_next_one(deploy: Deploy) -> None:
    """A name of ours would still be taken. Tables have one, which is why making them is a parameter."""
    stack = deploy(AdminApi="true", RotatedTag="alice-web", RevocationsTable="gone", AccessLogs="new-role")
    outlive = {name for name, one in stack["Resources"].items() if one.get("DeletionPolicy", "").startswith("Retain")}
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
def test_requests_are_traced_from_the_gateway_on(deploy: Deploy, function: str) -> None:
    """By the platform: the code imports no SDK for it."""
    stack = deploy()

    assert only(stack, "AWS::ApiGateway::Stage")["TracingEnabled"] is True
    assert properties(stack, function)["TracingConfig"] == {"Mode": "Active"}
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
    assert properties(stack, function)["LoggingConfig"] == {"LogGroup": f"<{group}>"}


def test_every_log_takes_a_key_of_ones_own(deploy: Deploy) -> None:
    """One parameter for all of them."""
    groups = of_type(deploy(LogKmsKeyArn=KEY_ARN, AccessLogs="account-role"), "AWS::Logs::LogGroup")

    assert {name: group["Properties"].get("KmsKeyId") for name, group in groups.items()} == {
        "AuthorizeLogGroup": KEY_ARN,
        "GatewayAuthorizerLogGroup": KEY_ARN,
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

OURS = "AuthJwt/auth-jwt"  # the second part is the stack's name
ALARMS = {
    "FaultAlarm": (OURS, "Fault", {"service": "authorize"}),
    "UnusableSecretAlarm": (OURS, "UnusableSecret", {"service": "authorize"}),
    "GatewayAuthorizerFaultAlarm": (OURS, "Fault", {"service": "gateway_authorizer"}),
    "GatewayAuthorizerUnusableSecretAlarm": (OURS, "UnusableSecret", {"service": "gateway_authorizer"}),
    "ThrottledAlarm": ("AWS/Lambda", "Throttles", {"FunctionName": "<AuthorizeFunction>"}),
    "GatewayAuthorizerThrottledAlarm": ("AWS/Lambda", "Throttles", {"FunctionName": "<GatewayAuthorizerFunction>"}),
    "DiedAlarm": ("AWS/Lambda", "Errors", {"FunctionName": "<AuthorizeFunction>"}),
}


def test_there_is_no_alarm_that_nobody_hears(deploy: Deploy) -> None:
    """Who gives no topic has to look at the metrics."""
    assert of_type(deploy(), "AWS::CloudWatch::Alarm") == {}


def test_each_alarm_watches_one_metric(deploy: Deploy) -> None:
    """Never Lambda's errors of the authorizer: a refused token is one there."""
    alarms = of_type(deploy(AlarmTopicArn=TOPIC_ARN), "AWS::CloudWatch::Alarm")
    watched = {
        name: (
            alarm["Properties"]["Namespace"],
            alarm["Properties"]["MetricName"],
            {dimension["Name"]: dimension["Value"] for dimension in alarm["Properties"]["Dimensions"]},
        )
        for name, alarm in alarms.items()
    }

    assert watched == ALARMS


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
        (alarm["Properties"]["Namespace"], dimension["Value"])
        for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()
        for dimension in alarm["Properties"]["Dimensions"]
        if not alarm["Properties"]["Namespace"].startswith("AWS/")
    }

    assert {namespace for namespace, _ in counted} == {f"AuthJwt/{stack_name}"}
    assert heard <= counted
    assert {service for _, service in heard} == {"authorize", "gateway_authorizer", "provisioning"}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_sounds_at_the_first_count_and_ends_with_the_last(deploy: Deploy, name: str) -> None:
    """Each of these is one too many, and a quiet minute is a good one."""
    alarm = properties(deploy(AlarmTopicArn=TOPIC_ARN), name)

    assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Sum", 60, 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == [TOPIC_ARN]
    assert re.search("[a-z]", alarm["AlarmDescription"])

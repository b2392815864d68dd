"""What `template.yaml` deploys: asserted on plain CloudFormation, for each of the three gates."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from auth_jwt.provisioning.tables import USERNAME_INDEX
from auth_jwt.runtime.settings import (
    DEFAULTS,
    FRONTEND_DEFAULTS,
    GATEWAY_AUTHORIZER_DEFAULTS,
    LOG_DEFAULTS,
    AuthorizedLog,
    GatewayAuthorizerSettings,
    LogSettings,
    Settings,
    near_misses,
)
from tools.template.stack import TEMPLATE, Deploy, Stack, of_type, only, properties, stack_of

PRIVATE = {"Gate": "private", "VpcEndpointId": "vpce-0abc"}
GATES = [
    pytest.param({"Gate": "api-key"}, [{"api_key": []}], id="api-key"),
    pytest.param({"Gate": "iam"}, [{"sigv4": []}], id="iam"),
    pytest.param(PRIVATE, [], id="private"),
]
EVERY_GATE = [pytest.param(gate.values[0], id=gate.id) for gate in GATES]

ANY = "x-amazon-apigateway-any-method"
HEALTH = (("/health", "get"), ("/health", "head"))
METHODS = {
    ("/authorize", "post"),
    ("/authorize", ANY),
    ("/script-authorize", "post"),
    ("/script-authorize", ANY),
    ("/frontends/jambonz", "post"),
    ("/frontends/jambonz", ANY),
    *HEALTH,
    ("/health", ANY),
    ("/", ANY),
    ("/{proxy+}", ANY),
}

KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"

LOG_SETTINGS = {**LOG_DEFAULTS, "AUTHORIZED_LOG": "lean"}  # the template counts by filters what the code does not
SETTINGS = {**DEFAULTS, **LOG_SETTINGS}
ALL_SETTINGS = {**SETTINGS, **GATEWAY_AUTHORIZER_DEFAULTS}
REVOCATIONS = {"RevocationsTable": "revoked"}
TABLES = ["JwtProfiles", "JwtSecrets", "JwtRevocations"]
READERS = [
    *(pytest.param(name, "AuthorizeFunction", id=f"{name}-authorize") for name in SETTINGS),
    *(pytest.param(name, "GatewayAuthorizerFunction", id=f"{name}-gateway-authorizer") for name in ALL_SETTINGS),
]


def parameter_of(variable: str) -> str:
    """Return the parameter of a variable: DB_URL -> DbUrl."""
    return "".join(part.capitalize() for part in variable.split("_"))


def body(stack: Stack) -> dict[str, Any]:
    """Return the OpenAPI document of the API."""
    document: dict[str, Any] = only(stack, "AWS::ApiGateway::RestApi")["Body"]
    return document


def methods(stack: Stack) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every method of the API by path and verb."""
    return {(path, verb): spec for path, item in body(stack)["paths"].items() for verb, spec in item.items()}


def environment(stack: Stack, function: str = "AuthorizeFunction") -> dict[str, str]:
    """Return a function's environment."""
    variables: dict[str, str] = properties(stack, function)["Environment"]["Variables"]
    return variables


# --- The gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "security"), GATES)
def test_every_method_but_health_is_behind_the_gate(deploy: Deploy, gate: dict[str, str], security: list[Any]) -> None:
    """Each method names its gate itself, since SAM and API Gateway both ignore a gate given for all at once."""
    found = {method: spec["security"] for method, spec in methods(deploy(**gate)).items()}

    assert found == {method: [] if method in HEALTH else security for method in METHODS}


@pytest.mark.parametrize(
    ("scheme", "meaning"),
    [
        pytest.param("api_key", {"type": "apiKey", "in": "header", "name": "x-api-key"}, id="API key"),
        pytest.param(
            "sigv4",
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "x-amazon-apigateway-authtype": "awsSigv4",
            },
            id="IAM",
        ),
    ],
)
def test_a_gates_scheme_is_the_one_api_gateway_enforces(deploy: Deploy, scheme: str, meaning: dict[str, str]) -> None:
    """API Gateway knows the key by the header's name, and IAM by its own extension; any other spelling is open."""
    assert body(deploy())["components"]["securitySchemes"][scheme] == meaning


def test_the_api_key_is_read_from_the_header(deploy: Deploy) -> None:
    """Not from an authorizer, of which there is none."""
    assert body(deploy())["x-amazon-apigateway-api-key-source"] == "HEADER"


def test_a_private_api_admits_its_vpc_endpoint_only(deploy: Deploy) -> None:
    """With no gate in its methods, the network and the resource policy are the gate."""
    stack = deploy(**PRIVATE)
    api = only(stack, "AWS::ApiGateway::RestApi")

    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": ["vpce-0abc"]}
    assert api["Parameters"] == {"endpointConfigurationTypes": "PRIVATE"}
    assert body(stack)["x-amazon-apigateway-policy"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*",
            "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-0abc"}},
        }
    ]


@pytest.mark.parametrize("gate", ["api-key", "iam"])
def test_a_public_api_is_regional_and_has_no_policy_of_its_own(deploy: Deploy, gate: str) -> None:
    """A policy that allows would add callers to the IAM gate."""
    stack = deploy(Gate=gate)

    assert only(stack, "AWS::ApiGateway::RestApi")["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert "x-amazon-apigateway-policy" not in body(stack)


def test_a_private_api_without_a_vpc_endpoint_is_refused(deploy: Deploy) -> None:
    """Nobody could call it."""
    with pytest.raises(ValueError, match="needs VpcEndpointId"):
        deploy(Gate="private")


def test_the_api_key_gate_makes_a_throttled_key_for_the_stage(deploy: Deploy) -> None:
    """A key is worth nothing without a usage plan that covers the stage."""
    stack = deploy(ThrottleRate="7", ThrottleBurst="9")
    plan = only(stack, "AWS::ApiGateway::UsagePlan")

    assert only(stack, "AWS::ApiGateway::ApiKey")["Enabled"] is True
    assert plan["ApiStages"] == [{"ApiId": "<Api>", "Stage": "<ApiStage>"}]
    assert plan["Throttle"] == {"RateLimit": "7", "BurstLimit": "9"}
    assert only(stack, "AWS::ApiGateway::UsagePlanKey") == {
        "KeyId": "<ApiKey>",
        "KeyType": "API_KEY",
        "UsagePlanId": "<UsagePlan>",
    }


@pytest.mark.parametrize("gate", [pytest.param({"Gate": "iam"}, id="iam"), pytest.param(PRIVATE, id="private")])
@pytest.mark.parametrize("keys", ["first", "both", "second"])
def test_other_gates_make_no_key(deploy: Deploy, gate: dict[str, str], keys: str) -> None:
    """A key that opens nothing would only mislead."""
    stack = deploy(**gate, DailyQuota="5", ApiKeys=keys)
    made = {resource["Type"] for resource in stack["Resources"].values()}

    assert stack["Outputs"].keys().isdisjoint({"ApiKeyId", "SecondApiKeyId"})

    assert made.isdisjoint({"AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"})


KEYS = {"ApiKey": "UsagePlanKey", "SecondApiKey": "SecondUsagePlanKey"}
"""Each key, and what makes the plan's stage accept it."""


@pytest.mark.parametrize(
    ("keys", "made", "outputs"),
    [
        pytest.param("first", ["ApiKey"], {"ApiKeyId": "<ApiKey>"}, id="the first"),
        pytest.param(
            "both", ["ApiKey", "SecondApiKey"], {"ApiKeyId": "<ApiKey>", "SecondApiKeyId": "<SecondApiKey>"}, id="both"
        ),
        pytest.param(
            "second", ["SecondApiKey"], {"ApiKeyId": "<SecondApiKey>", "SecondApiKeyId": "<SecondApiKey>"}, id="second"
        ),
    ],
)
def test_two_keys_are_accepted_while_one_takes_the_place_of_the_other(
    deploy: Deploy, keys: str, made: list[str], outputs: dict[str, str]
) -> None:
    """Each is in the plan of the stage, and `ApiKeyId` names one that is."""
    stack = deploy(ApiKeys=keys)
    in_plan = {
        name: one["Properties"]
        for name, one in of_type(stack, "AWS::ApiGateway::UsagePlanKey").items()
        if one["Properties"]["UsagePlanId"] == "<UsagePlan>"
    }

    assert sorted(of_type(stack, "AWS::ApiGateway::ApiKey")) == made
    assert {name: one["KeyId"] for name, one in in_plan.items()} == {KEYS[key]: f"<{key}>" for key in made}
    assert {name: one["Value"] for name, one in stack["Outputs"].items() if name.endswith("KeyId")} == outputs


def test_neither_key_changes_while_the_other_comes_or_goes(deploy: Deploy) -> None:
    """A key that is made anew has another value, and the frontends that have the old one are refused."""
    first, both, second = (deploy(ApiKeys=keys)["Resources"] for keys in ("first", "both", "second"))

    assert {name: both[name] for name in ("ApiKey", "UsagePlanKey", "UsagePlan")} == {
        name: first[name] for name in ("ApiKey", "UsagePlanKey", "UsagePlan")
    }
    assert {name: both[name]["Properties"] for name in ("SecondApiKey", "SecondUsagePlanKey", "UsagePlan")} == {
        name: second[name]["Properties"] for name in ("SecondApiKey", "SecondUsagePlanKey", "UsagePlan")
    }


def test_keys_enter_the_plan_one_after_the_other(deploy: Deploy) -> None:
    """API Gateway refuses to put two into plans at the same time (409)."""
    both, second = (deploy(ApiKeys=keys)["Resources"]["SecondUsagePlanKey"] for keys in ("both", "second"))

    assert both["Metadata"] == {"After": "<UsagePlanKey>"}
    assert second["Metadata"] == {"After": "none"}


@pytest.mark.parametrize(
    ("quota", "made"),
    [
        pytest.param("0", None, id="none by default"),
        pytest.param("5", {"Limit": "5", "Period": "DAY"}, id="when asked for"),
    ],
)
def test_the_key_has_a_daily_quota(deploy: Deploy, quota: str, made: dict[str, str] | None) -> None:
    """A quota locks everybody out once it is used up, so it is the operator's wish."""
    assert only(deploy(DailyQuota=quota), "AWS::ApiGateway::UsagePlan").get("Quota") == made


# --- The API ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", EVERY_GATE)
def test_every_method_is_answered_by_the_function(deploy: Deploy, gate: dict[str, str]) -> None:
    """Unknown paths and methods, too: the function answers them with problems. `live` is the version that is out."""
    function = (
        "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/<AuthorizeFunction.Arn>:live/invocations"
    )
    integrations = {method: spec["x-amazon-apigateway-integration"] for method, spec in methods(deploy(**gate)).items()}

    assert integrations == {method: {"type": "aws_proxy", "httpMethod": "POST", "uri": function} for method in METHODS}


def test_the_document_is_one_that_api_gateway_imports_whole(deploy: Deploy) -> None:
    """API Gateway knows OpenAPI 3.0, not 3.1, and drops with a warning what it does not understand."""
    stack = deploy()

    assert re.fullmatch(r"3\.0\.\d", body(stack)["openapi"])
    assert only(stack, "AWS::ApiGateway::RestApi")["FailOnWarnings"] is True


def test_there_is_one_stage_throttled_and_blind_to_contents(deploy: Deploy) -> None:
    """SAM's second stage, `Stage`, would have no throttle; data traces would hold tokens."""
    stack = deploy(StageName="live", ThrottleRate="7", ThrottleBurst="9")
    stage = only(stack, "AWS::ApiGateway::Stage")
    of_all_methods, *_ = stage["MethodSettings"]

    assert stage["StageName"] == "live"
    assert "StageName" not in only(stack, "AWS::ApiGateway::Deployment")
    assert of_all_methods == {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": "7",
        "ThrottlingBurstLimit": "9",
        "DataTraceEnabled": False,
    }
    assert {settings["DataTraceEnabled"] for settings in stage["MethodSettings"]} == {False}


@pytest.mark.parametrize("gate", EVERY_GATE)
def test_the_open_methods_have_a_throttle_of_their_own(deploy: Deploy, gate: dict[str, str]) -> None:
    """Anybody may call them, and the owner pays; and a flood there takes nothing from the others' throttle.

    API Gateway knows settings of one method by its path, each slash after the first as `~1`, and its verb in capitals.
    """
    stack = deploy(**gate)
    _, *own = only(stack, "AWS::ApiGateway::Stage")["MethodSettings"]
    bounded = {(one["ResourcePath"], one["HttpMethod"]) for one in own}
    open_to_all = {
        ("/" + path.replace("/", "~1"), verb.upper())
        for (path, verb), spec in methods(deploy()).items()
        if spec["security"] == []
    }

    assert {(one["ThrottlingRateLimit"], one["ThrottlingBurstLimit"]) for one in own} == {(5, 5)}
    assert bounded == open_to_all | {("/~1health", "HEAD")}


def test_another_gate_reaches_the_stage(template: dict[str, Any]) -> None:
    """A stage serves a deployment, which SAM makes anew only for changes it sees; a parameter's it does not."""
    served = [
        only(stack_of(template, second, Gate=gate), "AWS::ApiGateway::Stage")["DeploymentId"]
        for second, gate in enumerate(["api-key", "iam"])
    ]

    assert served[0] != served[1]


def test_stacks_made_on_paper_differ_by_their_parameters_only(
    template: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the second they are made in: on a busy machine two of a test are not made in the same one."""
    first = stack_of(template)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000)

    assert stack_of(template) == first


# --- What the gateway answers by itself -------------------------------------------------------------------------------

ACCEPTED_AS = ["application/problem+json", "application/json"]
"""Media types of `Accept` by which API Gateway chooses a template; to one that has none it would answer nothing."""
GATEWAY_RESPONSES = {
    "DEFAULT_4XX": 400,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "INVALID_API_KEY": 403,
    "INVALID_SIGNATURE": 403,
    "EXPIRED_TOKEN": 403,
    "ACCESS_DENIED": 403,
    "WAF_FILTERED": 403,
    "RESOURCE_NOT_FOUND": 404,
    "REQUEST_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "THROTTLED": 429,
    "QUOTA_EXCEEDED": 429,
    "DEFAULT_5XX": 500,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
}


def gateway_responses(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the gateway's own answers by type."""
    responses: dict[str, dict[str, Any]] = body(stack)["x-amazon-apigateway-gateway-responses"]
    return responses


def test_the_gateways_own_answers_have_the_right_status(deploy: Deploy) -> None:
    """Never 401: a wrong key or signature is the frontend's trouble, not the SIP user's."""
    found = {kind: int(response["statusCode"]) for kind, response in gateway_responses(deploy()).items()}

    assert found == GATEWAY_RESPONSES


@pytest.mark.parametrize("kind", GATEWAY_RESPONSES)
def test_the_gateways_own_answers_are_problems_and_no_denials(deploy: Deploy, kind: str) -> None:
    """A frontend denies on `"code": -1` alone, so these must not have a code. `Accept` changes nothing."""
    response = gateway_responses(deploy())[kind]
    templates = response["responseTemplates"]
    problem = json.loads(templates["application/problem+json"])

    assert templates == dict.fromkeys(ACCEPTED_AS, templates["application/problem+json"])
    assert problem.keys() == {"type", "title", "status", "instance"}
    assert re.fullmatch(r"urn:auth-jwt:problem:[a-z]+(-[a-z]+)*", problem["type"])
    assert problem["title"]
    assert problem["status"] == int(response["statusCode"])
    assert problem["instance"] == "urn:request:$context.requestId"


@pytest.mark.parametrize("kind", GATEWAY_RESPONSES)
def test_the_gateways_own_answers_are_not_stored(deploy: Deploy, kind: str) -> None:
    """They say so in a header, next to their media type; constants stand in single quotes there."""
    headers = gateway_responses(deploy())[kind]["responseParameters"]

    assert headers["gatewayresponse.header.Cache-Control"] == "'no-store'"
    assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"


@pytest.mark.parametrize("kind", [kind for kind, status in GATEWAY_RESPONSES.items() if status == 429])
def test_who_asks_too_much_is_told_when_to_come_back(deploy: Deploy, kind: str) -> None:
    """In whole seconds."""
    assert re.fullmatch(
        r"'[1-9]\d*'", gateway_responses(deploy())[kind]["responseParameters"]["gatewayresponse.header.Retry-After"]
    )


# --- Tables -----------------------------------------------------------------------------------------------------------


def test_the_tables_have_the_names_and_keys_of_the_settings(deploy: Deploy) -> None:
    """What the function asks for and what is there come from the same parameters."""
    stack = deploy(ProfilesTable="people", SecretsTable="keys", TagColumn="t", SecretTagColumn="st")
    profiles, secrets = properties(stack, "JwtProfiles"), properties(stack, "JwtSecrets")

    assert profiles["TableName"] == "people"
    assert profiles["KeySchema"] == [{"AttributeName": "t", "KeyType": "HASH"}]
    assert profiles["AttributeDefinitions"] == [{"AttributeName": "t", "AttributeType": "S"}]
    assert secrets["TableName"] == "keys"
    assert secrets["KeySchema"] == [
        {"AttributeName": "st", "KeyType": "HASH"},
        {"AttributeName": "id", "KeyType": "RANGE"},
    ]
    assert secrets["AttributeDefinitions"] == [
        {"AttributeName": "st", "AttributeType": "S"},
        {"AttributeName": "id", "AttributeType": "S"},
    ]


def test_profiles_have_an_index_of_usernames_where_it_is_asked_for(deploy: Deploy) -> None:
    """As `provisioning.tables` asks it. No other table has one, and without being asked none."""
    columns = {"TagColumn": "t", "UsernameColumn": "user", "DomainColumn": "realm"}
    asked = deploy(**REVOCATIONS, UsernameIndex="true", MaxReadUnits="7", **columns)
    profiles = properties(asked, "JwtProfiles")

    assert profiles["GlobalSecondaryIndexes"] == [
        {
            "IndexName": USERNAME_INDEX,
            "KeySchema": [
                {"AttributeName": "user", "KeyType": "HASH"},
                {"AttributeName": "t", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["realm"]},
            "OnDemandThroughput": {"MaxReadRequestUnits": "7"},
        }
    ]
    assert profiles["AttributeDefinitions"] == [{"AttributeName": name, "AttributeType": "S"} for name in ("t", "user")]
    assert all("GlobalSecondaryIndexes" not in properties(asked, one) for one in ("JwtSecrets", "JwtRevocations"))
    assert all("GlobalSecondaryIndexes" not in properties(deploy(**REVOCATIONS), one) for one in TABLES)


@pytest.mark.parametrize("logical_id", TABLES)
def test_a_table_is_protected_and_billed_on_demand(deploy: Deploy, logical_id: str) -> None:
    """Recoverable to any second, encrypted by a key one can audit, and not deleted by accident."""
    made = properties(deploy(**REVOCATIONS), logical_id)

    assert made["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert made["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert made["DeletionProtectionEnabled"] is True
    assert made["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("logical_id", TABLES)
def test_a_table_takes_a_key_of_ones_own(deploy: Deploy, logical_id: str) -> None:
    """One parameter for all."""
    assert properties(deploy(**REVOCATIONS, KmsKeyArn=KEY_ARN), logical_id)["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY_ARN,
    }


@pytest.mark.parametrize("logical_id", TABLES)
def test_a_table_outlives_its_stack(deploy: Deploy, logical_id: str) -> None:
    """Also when a change of the stack would replace it."""
    resource = deploy(**REVOCATIONS)["Resources"][logical_id]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_tables_that_are_there_already_are_used_as_they_are(deploy: Deploy) -> None:
    """A second stack, or the first one again, would fail on names that are taken."""
    stack = deploy(CreateTables="false", KmsKeyArn=KEY_ARN, ProfilesTable="people", **REVOCATIONS)
    read_profile, _, look_up, *_ = properties(stack, "ReadTheTables")["PolicyDocument"]["Statement"]

    assert of_type(stack, "AWS::DynamoDB::Table") == {}
    assert read_profile["Resource"].endswith(":table/people")
    assert look_up["Resource"].endswith(":table/revoked")
    assert environment(stack)["PROFILES_TABLE"] == "people"
    assert environment(stack)["REVOCATIONS_TABLE"] == "revoked"


def test_the_table_of_revoked_tokens_is_made_when_it_is_named(deploy: Deploy) -> None:
    """With the keys that the code asks for, whatever the others' columns are called; its rows delete themselves."""
    stack = deploy(TagColumn="t", SecretTagColumn="st", **REVOCATIONS)
    made = properties(stack, "JwtRevocations")

    assert made["TableName"] == "revoked"
    assert made["KeySchema"] == [
        {"AttributeName": "tag", "KeyType": "HASH"},
        {"AttributeName": "jti", "KeyType": "RANGE"},
    ]
    assert made["AttributeDefinitions"] == [
        {"AttributeName": "tag", "AttributeType": "S"},
        {"AttributeName": "jti", "AttributeType": "S"},
    ]
    assert made["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert stack["Outputs"]["RevocationsTableName"]["Value"] == "revoked"


def test_without_its_name_there_is_no_such_table_and_no_permission_to_read_one(deploy: Deploy) -> None:
    """By default a stack is as it was: two tables, no call more."""
    stack = deploy()
    sids = [statement["Sid"] for statement in properties(stack, "ReadTheTables")["PolicyDocument"]["Statement"]]

    assert of_type(stack, "AWS::DynamoDB::Table").keys() == {"JwtProfiles", "JwtSecrets"}
    assert "RevocationsTableName" not in stack["Outputs"]
    assert sids == ["ReadOneProfile", "ReadTheSecretsOfATag", "SendTraces"]


@pytest.mark.parametrize("logical_id", TABLES)
@pytest.mark.parametrize(
    ("units", "bound"),
    [
        pytest.param("", None, id="none by default"),
        pytest.param("500", {"MaxReadRequestUnits": "500"}, id="when asked"),
    ],
)
def test_reading_a_table_has_an_upper_bound(
    deploy: Deploy, logical_id: str, units: str, bound: dict[str, str] | None
) -> None:
    """On demand means without end, and somebody pays for it."""
    assert properties(deploy(MaxReadUnits=units, **REVOCATIONS), logical_id).get("OnDemandThroughput") == bound


@pytest.mark.parametrize(
    ("expire", "enabled"),
    [pytest.param("false", False, id="off by default"), pytest.param("true", True, id="on when asked for")],
)
def test_ended_secrets_delete_themselves_when_asked_to(deploy: Deploy, expire: str, enabled: bool) -> None:
    """Switched off it stays in place: CloudFormation refuses to remove a TTL that was on."""
    stack = deploy(ExpireSecrets=expire, EndTsColumn="until")

    assert properties(stack, "JwtSecrets")["TimeToLiveSpecification"] == {"AttributeName": "until", "Enabled": enabled}
    assert "TimeToLiveSpecification" not in properties(stack, "JwtProfiles")


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ALL_SETTINGS)
def test_every_setting_has_a_parameter_with_its_default(template: dict[str, Any], variable: str) -> None:
    """Who deploys without parameters gets what the documentation says."""
    assert str(template["Parameters"][parameter_of(variable)]["Default"]) == ALL_SETTINGS[variable]


@pytest.mark.matrix
@pytest.mark.parametrize(("variable", "function"), READERS)
def test_every_setting_reaches_its_functions(deploy: Deploy, variable: str, function: str) -> None:
    """Under its own name, from its own parameter."""
    assert environment(deploy(**{parameter_of(variable): "given"}), function)[variable] == "given"


@pytest.mark.parametrize(
    ("function", "service", "settings"),
    [
        pytest.param("AuthorizeFunction", "authorize", {**SETTINGS, **FRONTEND_DEFAULTS}, id="authorize"),
        pytest.param("GatewayAuthorizerFunction", "gateway_authorizer", ALL_SETTINGS, id="gateway authorizer"),
    ],
)
def test_the_environment_holds_nothing_but_settings_and_powertools(
    deploy: Deploy, function: str, service: str, settings: dict[str, str]
) -> None:
    """A variable that nobody reads is a mistake, or a setting's that was renamed."""
    variables = environment(deploy(LogLevel="WARNING"), function)

    assert {name: value for name, value in variables.items() if name not in settings} == {
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": "AuthJwt/auth-jwt",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }
    assert near_misses(variables) == {}


@pytest.mark.parametrize("function", ["AuthorizeFunction", "GatewayAuthorizerFunction"])
def test_a_function_starts_with_the_default_parameters(deploy: Deploy, function: str) -> None:
    """They are settings it accepts, and the same as none at all."""
    variables = environment(deploy(), function)

    assert Settings.from_env(variables) == Settings.from_env({})
    assert GatewayAuthorizerSettings.from_env(variables) == GatewayAuthorizerSettings.from_env({})
    assert LogSettings.from_env(variables) == LogSettings(authorized=AuthorizedLog.LEAN)


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        pytest.param("DB_URL", "", True, id="the SDK's own region"),
        pytest.param("DB_URL", "dynamodb://", True, id="a URL without region"),
        pytest.param("DB_URL", "dynamodb://eu-west-1", True, id="a region"),
        pytest.param("DB_URL", "dynamodb+https://db.example:8443/eu-west-1", True, id="https"),
        pytest.param("DB_URL", "dynamodb+http://127.0.0.1:8000", True, id="http on loopback"),
        pytest.param("DB_URL", "dynamodb+http://db:8000/eu-west-1?insecure=true", True, id="insecure http"),
        pytest.param("DB_URL", "dynamodb://user:secret@eu-west-1", False, id="a password in the URL"),
        pytest.param("DB_URL", "mysql://localhost/opensips", False, id="another database"),
        pytest.param("PROFILES_TABLE", "a.b-C_1", True, id="a table's name"),
        pytest.param("PROFILES_TABLE", "ab", False, id="a table's name that is too short"),
        pytest.param("SECRETS_TABLE", "a b c", False, id="a table's name with blanks"),
        pytest.param("REVOCATIONS_TABLE", "", True, id="no table of revoked tokens"),
        pytest.param("REVOCATIONS_TABLE", "jwt_revocations", True, id="one"),
        pytest.param("REVOCATIONS_TABLE", "ab", False, id="one whose name is too short"),
        pytest.param("ISSUERS", "", True, id="no issuer"),
        pytest.param("ISSUERS", "https://a.example , https://b.example/x/*", True, id="an issuer, and a beginning"),
        pytest.param("ISSUERS", "http://a.example", False, id="an issuer without TLS"),
        pytest.param("ISSUERS", "https://a.example*", False, id="a beginning without a whole host"),
        pytest.param("ISSUERS", "https://a.example/*/b", False, id="a star in the middle"),
        pytest.param("ISSUERS", "https://me:you@a.example", False, id="an issuer with a password"),
        pytest.param("KEYS_LIFETIME_SECONDS", "3600", True, id="keys for an hour"),
        pytest.param("KEYS_LIFETIME_SECONDS", "3599", False, id="keys for less"),
        pytest.param("KEYS_LIFETIME_SECONDS", "604801", False, id="keys for more than a week"),
        pytest.param("TAG_COLUMN", "", False, id="a column without a name"),
        pytest.param("ALG_COLUMN", "x" * 255, True, id="a long column"),
        pytest.param("ALG_COLUMN", "x" * 256, False, id="a column that is too long"),
        pytest.param("ALLOWED_ALGORITHMS", " ES256 , EdDSA ", True, id="algorithms with blanks"),
        pytest.param("ALLOWED_ALGORITHMS", "HS256,none", False, id="none"),
        pytest.param("ALLOWED_ALGORITHMS", "hs256", False, id="an algorithm in lower case"),
        pytest.param("ALLOWED_ALGORITHMS", "", False, id="no algorithm"),
        pytest.param("ACCEPTED_TYPES", "at+jwt,JWT", True, id="two types"),
        pytest.param("ACCEPTED_TYPES", "", False, id="no type"),
        pytest.param("ENFORCE_TIME_CLAIMS", "false", True, id="time claims off"),
        pytest.param("ENFORCE_TIME_CLAIMS", "no", False, id="no is not false"),
        pytest.param("LEEWAY_SECONDS", "0", True, id="no leeway"),
        pytest.param("LEEWAY_SECONDS", "-1", False, id="negative leeway"),
        pytest.param("LEEWAY_SECONDS", "0.5", False, id="a fraction"),
        pytest.param("MAX_TOKEN_AGE_SECONDS", "", True, id="any age"),
        pytest.param("MAX_TOKEN_AGE_SECONDS", "3600", True, id="an hour"),
        pytest.param("MAX_TOKEN_AGE_SECONDS", "1h", False, id="an age with a unit"),
        pytest.param("MIN_HMAC_KEY_BYTES", "", True, id="keys as in RFC 7518"),
        pytest.param("MIN_HMAC_KEY_BYTES", "1", True, id="keys of a byte"),
        pytest.param("MIN_HMAC_KEY_BYTES", "0", False, id="keys of no bytes"),
        pytest.param("MAX_SECRETS_PER_TAG", "1", True, id="one secret"),
        pytest.param("MAX_SECRETS_PER_TAG", "0", False, id="no secret"),
        pytest.param("MAX_TOKEN_BYTES", "1", True, id="tiny tokens"),
        pytest.param("MAX_TOKEN_BYTES", "0", False, id="empty tokens"),
        pytest.param("CACHE_TTL_SECONDS", "0", True, id="no memory"),
        pytest.param("STALE_IF_ERROR_SECONDS", "0", True, id="nothing stale"),
        pytest.param("STALE_IF_ERROR_SECONDS", "", False, id="a number left empty"),
        pytest.param("STORE_TIMEOUT_MS", "1", True, id="a millisecond"),
        pytest.param("STORE_TIMEOUT_MS", "0", False, id="no time at all"),
        pytest.param("DYNAMODB_CLIENT", "boto3", True, id="always boto3"),
        pytest.param("DYNAMODB_CLIENT", "aws", False, id="an unknown client"),
        pytest.param("CHALLENGE_REALM", "sip.example.com", True, id="a realm"),
        pytest.param("CHALLENGE_REALM", "", False, id="an empty realm"),
        pytest.param("CHALLENGE_REALM", "zürich", False, id="a realm that no header can hold"),
        pytest.param("AUTHZ_SERVER", "https://login.example.com/", True, id="an authorization server"),
        pytest.param("AUTHZ_SERVER", "login.example.com", False, id="an authorization server without a scheme"),
        pytest.param("AUTHORIZED_LOG", "full", True, id="whole lines"),
        pytest.param("AUTHORIZED_LOG", "none", False, id="no lines"),
        pytest.param("AUTHORIZED_LOG_PERCENT", "0", True, id="lines of no authorized request"),
        pytest.param("AUTHORIZED_LOG_PERCENT", "100", True, id="lines of all"),
        pytest.param("AUTHORIZED_LOG_PERCENT", "101", False, id="more than all"),
        pytest.param("AUTHORIZED_LOG_PERCENT", "", False, id="a percentage left empty"),
        pytest.param("AUTHORIZED_LOG_PERCENT", "0.5", False, id="a fraction of a percent"),
        pytest.param("AUTHORIZER_RESPONSE", "iam", True, id="policies for HTTP APIs"),
        pytest.param("AUTHORIZER_RESPONSE", "policy", False, id="an unknown form of answer"),
        pytest.param("AUTHORIZER_REFUSAL", "deny", True, id="policies that deny"),
        pytest.param("AUTHORIZER_REFUSAL", "", False, id="no way to refuse"),
        pytest.param("TOKEN_SOURCES", "header:X-Token , query:access token,cookie:t", True, id="three sources"),
        pytest.param("TOKEN_SOURCES", "", False, id="no source"),
        pytest.param("TOKEN_SOURCES", "body:token", False, id="an unknown source"),
        pytest.param("TOKEN_SOURCES", "header:", False, id="a header without a name"),
        pytest.param("TOKEN_SOURCES", "header:a b", False, id="a header with a blank"),
        pytest.param("TOKEN_SOURCES", "header:a,", False, id="a source too few"),
    ],
)
def test_a_parameter_refuses_what_the_function_would(
    template: dict[str, Any], variable: str, value: str, accepted: bool
) -> None:
    """Before anything is deployed; and it refuses nothing that the function takes."""
    assert fits(template["Parameters"][parameter_of(variable)], value) is accepted
    assert is_setting(variable, value) is accepted


READERS_OF_SETTINGS: dict[type[Any], Mapping[str, str]] = {
    Settings: DEFAULTS,
    GatewayAuthorizerSettings: GATEWAY_AUTHORIZER_DEFAULTS,
    LogSettings: LOG_DEFAULTS,
}


def fits(parameter: dict[str, Any], value: str) -> bool:
    """Return whether CloudFormation takes the value of a text parameter."""
    return (
        value in map(str, parameter.get("AllowedValues", [value]))
        and int(parameter.get("MinLength", 0)) <= len(value) <= int(parameter.get("MaxLength", 4096))
        and re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None
    )


def is_setting(variable: str, value: str) -> bool:
    """Return whether the function starts with that value."""
    try:
        for reader, variables in READERS_OF_SETTINGS.items():
            if variable in variables:
                reader.from_env({variable: value})
    except Exception:  # noqa: BLE001 - the settings' own tests say which
        return False
    return True


# --- Parameters -------------------------------------------------------------------------------------------------------


def test_the_template_is_one_that_a_person_reads() -> None:
    """What would make it longer is a nested application of its own: docs/decisions/0038."""
    assert len(TEMPLATE.read_text(encoding="utf-8").splitlines()) <= 700


def test_every_parameter_is_described(template: dict[str, Any]) -> None:
    """The console shows nothing else."""
    bare = [name for name, parameter in template["Parameters"].items() if not parameter.get("Description")]

    assert bare == []


def test_the_description_of_the_gate_explains_every_gate(template: dict[str, Any]) -> None:
    """Whoever looks for a gate looks there first."""
    gate = template["Parameters"]["Gate"]

    assert [value for value in gate["AllowedValues"] if f"{value}: " not in gate["Description"]] == []


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        pytest.param("Gate", "private", True, id="a gate"),
        pytest.param("Gate", "none", False, id="no gate"),
        pytest.param("VpcEndpointId", "vpce-0123abcd", True, id="a VPC endpoint"),
        pytest.param("VpcEndpointId", "*", False, id="any VPC endpoint"),
        pytest.param("KmsKeyArn", KEY_ARN, True, id="a key"),
        pytest.param("KmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:alias/mine", False, id="an alias of a key"),
        pytest.param("KmsKeyArn", "*", False, id="any key"),
        pytest.param("StageName", "v1/x", False, id="a stage with a slash"),
        pytest.param("LogRetentionDays", "30", True, id="a retention"),
        pytest.param("LogRetentionDays", "31", False, id="a retention CloudWatch does not know"),
        pytest.param("AuditRetentionDays", "400", True, id="a retention of the audit"),
        pytest.param("AuditRetentionDays", "0", False, id="no audit"),
        pytest.param("ApiKeys", "both", True, id="two keys"),
        pytest.param("ApiKeys", "none", False, id="no key, behind a gate of keys"),
        pytest.param("GatewayAuthorizer", "false", True, id="no authorizer"),
        pytest.param("GatewayAuthorizer", "", False, id="an authorizer or none?"),
        pytest.param("Architecture", "x86_64", True, id="an architecture"),
        pytest.param("SnapStart", "None", True, id="no snapshots"),
        pytest.param("ReservedConcurrency", "1", True, id="one request at a time"),
        pytest.param("ReservedConcurrency", "0", False, id="no request ever"),
        pytest.param("MaxReadUnits", "1", True, id="a read a second"),
        pytest.param("MaxReadUnits", "0", False, id="no reads"),
        pytest.param("LogKmsKeyArn", KEY_ARN, True, id="a key for the logs"),
        pytest.param("LogKmsKeyArn", "alias/mine", False, id="an alias for the logs"),
        pytest.param("AccessLogs", "account-role", True, id="access logs"),
        pytest.param("AccessLogs", "true", False, id="access logs, but by which role?"),
        pytest.param("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:on-call", True, id="a topic"),
        pytest.param("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:on-call.fifo", False, id="a FIFO topic"),
        pytest.param("AlarmTopicArn", "on-call", False, id="a topic without its ARN"),
    ],
)
def test_a_parameter_of_the_deployment_refuses_what_aws_would(
    template: dict[str, Any], name: str, value: str, accepted: bool
) -> None:
    """And a wildcard never gets into a policy."""
    assert fits(template["Parameters"][name], value) is accepted


# --- Outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", EVERY_GATE)
def test_the_stack_tells_where_everything_is(deploy: Deploy, gate: dict[str, str]) -> None:
    """The id of the key, never its value, and only where there is one."""
    outputs = {name: output["Value"] for name, output in deploy(**gate)["Outputs"].items()}
    key = {"ApiKeyId": "<ApiKey>"} if gate["Gate"] == "api-key" else {}

    assert outputs == key | {
        "ApiUrl": "https://<Api>.execute-api.eu-central-1.amazonaws.com/v1/authorize",
        "ProfilesTableName": "jwt_profiles",
        "SecretsTableName": "jwt_secrets",
        "AuthorizeFunctionArn": "<AuthorizeFunctionAliaslive>",
        "GatewayAuthorizerFunctionArn": "<GatewayAuthorizerFunctionAliaslive>",
    }

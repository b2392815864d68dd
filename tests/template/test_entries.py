"""The ways in, and that none is open by accident: each entry with each gate, with and without a domain.

The template and its nested applications are deployed on paper. A way in is an address: the API's own, the
domain's, the Function URL. For each route of each way in a test reads what a caller has to show.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from tests.template.test_functions import ACCESS_LOG_FIELDS
from tests.template.test_template import GATEWAY_RESPONSES, METHODS, body
from tools.template.stack import Deploy, Stack, of_type, only, properties, stack_of

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0000-1111"
WEB_ACL = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/mine/0000-1111"
NO_DOMAIN: dict[str, str] = {}
DOMAIN = {"DomainName": "auth.example.com", "CertificateArn": CERTIFICATE}
MUTUAL = {**DOMAIN, "TruststoreUri": "s3://trust/frontends.pem", "TruststoreVersion": "v7"}
DOMAINS = {"no domain": NO_DOMAIN, "a domain": DOMAIN, "a domain with mutual TLS": MUTUAL}
GATES = {
    "api-key": {"Gate": "api-key"},
    "iam": {"Gate": "iam"},
    "mtls": {"Gate": "mtls"},
    "private": {"Gate": "private", "VpcEndpointId": "vpce-0abc"},
}
OPEN_ROUTES = {"GET /health", "HEAD /health"}

NO_KEYS = "an HTTP API has no API keys, and none is private"
NOTHING_ELSE = "nothing else guards a Function URL"
ITS_OWN = "and cannot have a DomainName"
NOT_PRIVATE = "Gate=private cannot have a DomainName"
NEEDS_BOTH = "Gate=mtls needs DomainName and TruststoreUri, or anybody could call"

EXPECTED: dict[tuple[str, str], tuple[Any, Any, Any]] = {
    # (entry, gate): what callers show without a domain, at a domain, at one with mutual TLS; or why it is refused
    ("rest", "api-key"): ({"api-key"}, {"api-key"}, {"api-key", "certificate"}),
    ("rest", "iam"): ({"iam"}, {"iam"}, {"iam", "certificate"}),
    ("rest", "mtls"): (NEEDS_BOTH, NEEDS_BOTH, {"certificate"}),
    ("rest", "private"): ({"network"}, NOT_PRIVATE, NOT_PRIVATE),
    ("http", "api-key"): (NO_KEYS, NO_KEYS, NO_KEYS),
    ("http", "iam"): ({"iam"}, {"iam"}, {"iam", "certificate"}),
    ("http", "mtls"): (NEEDS_BOTH, NEEDS_BOTH, {"certificate"}),
    ("http", "private"): (NO_KEYS, NOT_PRIVATE, NOT_PRIVATE),
    ("url", "api-key"): (NOTHING_ELSE, NOTHING_ELSE, NOTHING_ELSE),
    ("url", "iam"): ({"iam"}, ITS_OWN, ITS_OWN),
    ("url", "mtls"): (NOTHING_ELSE, NOTHING_ELSE, NOTHING_ELSE),
    ("url", "private"): (NOTHING_ELSE, NOT_PRIVATE, NOT_PRIVATE),
}
COMBINATIONS = [
    pytest.param(entry, gate, DOMAINS[domain], expected, id=f"{entry}, {gate}, {domain}")
    for (entry, gate), row in EXPECTED.items()
    for domain, expected in zip(DOMAINS, row, strict=True)
]


@dataclass(frozen=True)
class WayIn:
    """An address, and what a caller has to show there before any route is looked at."""

    address: str
    shown_first: frozenset[str]


def ways_in(root: Stack) -> Iterator[WayIn]:
    """Give every address by which the function can be called over HTTP."""
    if "FunctionUrl" in root["Resources"]:
        assert properties(root, "FunctionUrl")["Qualifier"] == "live"
        yield WayIn(
            "Function URL", frozenset({"iam"} if properties(root, "FunctionUrl")["AuthType"] == "AWS_IAM" else ())
        )
    if has_own_endpoint(root):
        yield WayIn("the API's own", frozenset({"network"} if is_private(root) else ()))
    if "Domain" in root["Resources"]:
        mutual = "MutualTlsAuthentication" in properties(root, "Domain")
        yield WayIn("the domain's", frozenset({"certificate"} if mutual else ()))


def has_own_endpoint(root: Stack) -> bool:
    """Return whether execute-api answers for the API; every other value than true leaves it on."""
    if "Api" in root["Resources"]:
        servers = body(root).get("servers", [{}])
        extension = servers[0].get("x-amazon-apigateway-endpoint-configuration", {})
        return extension.get("disableExecuteApiEndpoint") is not True
    if "HttpApi" in root["Resources"]:
        return properties(root, "HttpApi")["DisableExecuteApiEndpoint"] is not True
    return False


def is_private(root: Stack) -> bool:
    """Return whether a VPC endpoint and nobody else may call the REST API."""
    if "Api" not in root["Resources"] or properties(root, "Api")["EndpointConfiguration"]["Types"] != ["PRIVATE"]:
        return False
    (statement,) = body(root)["x-amazon-apigateway-policy"]["Statement"]
    return bool(statement["Condition"] == {"StringEquals": {"aws:SourceVpce": "vpce-0abc"}})


def shown_by_route(root: Stack) -> dict[str, frozenset[str]]:
    """Return what each route demands, by method and path; a Function URL has one."""
    if "Api" in root["Resources"]:
        schemes = {"api_key": "api-key", "sigv4": "iam"}
        return {
            f"{verb.upper()} {path}": frozenset(schemes[name] for one in method["security"] for name in one)
            for path, item in body(root)["paths"].items()
            for verb, method in item.items()
        }
    if "HttpApi" in root["Resources"]:
        kinds: Mapping[str, frozenset[str]] = {"AWS_IAM": frozenset({"iam"}), "NONE": frozenset()}
        routes = of_type(root, "AWS::ApiGatewayV2::Route").values()
        return {one["Properties"]["RouteKey"]: kinds[one["Properties"]["AuthorizationType"]] for one in routes}
    return {"$default": frozenset()}


# --- No way in is open ------------------------------------------------------------------------------------------------


def test_each_entry_meets_each_gate_at_each_domain(template: dict[str, Any]) -> None:
    """The table below is whole."""
    parameters = template["Parameters"]

    assert list(EXPECTED) == list(product(parameters["Entry"]["AllowedValues"], parameters["Gate"]["AllowedValues"]))
    assert list(GATES) == parameters["Gate"]["AllowedValues"]


@pytest.mark.parametrize(("entry", "gate", "domain", "expected"), COMBINATIONS)
def test_what_a_caller_shows_at_each_route_or_why_nothing_is_deployed(
    deploy: Deploy, entry: str, gate: str, domain: dict[str, str], expected: set[str] | str
) -> None:
    """At every address the stack has, and at every route except `/health`."""
    parameters = {"Entry": entry, **GATES[gate], **domain}
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=re.escape(expected)):
            deploy(**parameters)
        return

    root = deploy(**parameters)
    ways, routes = list(ways_in(root)), shown_by_route(root)
    shown = {
        (way.address, route): set(way.shown_first | demanded)
        for way, (route, demanded) in product(ways, routes.items())
        if route not in OPEN_ROUTES
    }

    assert len(ways) == 1
    assert len(shown) == len(routes) - len(OPEN_ROUTES & routes.keys()) >= 1
    assert all(one == expected for one in shown.values()), shown


@pytest.mark.parametrize(("entry", "gate", "domain", "expected"), COMBINATIONS)
def test_the_function_demands_certificates_only_where_they_are_the_gate(
    deploy: Deploy, entry: str, gate: str, domain: dict[str, str], expected: set[str] | str
) -> None:
    """It would refuse everybody elsewhere; and there it is the second lock, should an address be opened by hand."""
    if isinstance(expected, str):
        return
    variables = properties(deploy(Entry=entry, **GATES[gate], **domain), "AuthorizeFunction")["Environment"][
        "Variables"
    ]

    assert variables["CLIENT_CERTIFICATES"] == ("required" if gate == "mtls" else "optional")


def test_the_check_sees_an_open_endpoint(deploy: Deploy, template: dict[str, Any]) -> None:
    """It can fail: without `servers` the REST API would answer at its own address, too, without any certificate."""
    opened = json.loads(json.dumps(template))
    del opened["Resources"]["Api"]["Properties"]["DefinitionBody"]["servers"]
    root = stack_of(opened, 0, Gate="mtls", **MUTUAL)

    assert [(way.address, set(way.shown_first)) for way in ways_in(root)] == [
        ("the API's own", set()),
        ("the domain's", {"certificate"}),
    ]
    assert not has_own_endpoint(deploy(Gate="mtls", **MUTUAL))


def test_without_its_rules_a_gate_of_certificates_without_certificates_still_demands_a_key(
    template: dict[str, Any],
) -> None:
    """What is open must be guarded beforehand, whatever the rules have let through."""
    unruled = {**template, "Rules": {}}

    for domain in (NO_DOMAIN, DOMAIN):
        routes = shown_by_route(stack_of(unruled, 0, Gate="mtls", **domain))
        assert {demand for route, one in routes.items() for demand in one if route not in OPEN_ROUTES} == {"api-key"}
        assert all(one or route in OPEN_ROUTES for route, one in routes.items())


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        pytest.param({"TruststoreUri": "s3://a/b"}, "need DomainName", id="a truststore"),
        pytest.param({"TruststoreVersion": "v1"}, "needs TruststoreUri", id="its version"),
        pytest.param({"CertificateArn": CERTIFICATE}, "need DomainName", id="a certificate"),
        pytest.param({"HostedZoneId": "Z0123"}, "need DomainName", id="a hosted zone"),
        pytest.param({"DomainName": "auth.example.com"}, "needs CertificateArn", id="a domain without a certificate"),
        pytest.param({**DOMAIN, "TruststoreVersion": "v1"}, "needs TruststoreUri", id="a version of no truststore"),
        pytest.param(
            {"Entry": "http", "Gate": "iam", "WebAclArn": WEB_ACL}, "guards no HTTP API", id="a firewall, HTTP"
        ),
        pytest.param({"Entry": "url", "Gate": "iam", "WebAclArn": WEB_ACL}, "no Function URL", id="a firewall, URL"),
    ],
)
def test_what_would_guard_nothing_is_refused(deploy: Deploy, parameters: dict[str, str], sentence: str) -> None:
    """Somebody who sets it believes that it guards something."""
    with pytest.raises(ValueError, match=sentence):
        deploy(**parameters)


# --- The HTTP API -----------------------------------------------------------------------------------------------------

HTTP = {"Entry": "http", "Gate": "iam"}


@pytest.fixture(name="http", scope="module")
def _http(deploy: Deploy) -> Stack:
    return deploy(**HTTP, ThrottleRate="7", ThrottleBurst="9", AccessLogs="account-role")


def test_the_http_api_answers_what_the_rest_api_answers(http: Stack) -> None:
    """Its `$default` is every path and method that has no route of its own."""
    routes = {route["Properties"]["RouteKey"] for route in of_type(http, "AWS::ApiGatewayV2::Route").values()}
    of_rest = {f"{verb.upper()} {path}" for path, verb in METHODS if not verb.startswith("x-")}

    assert routes == of_rest | {"$default"}


def test_every_route_leads_to_the_version_that_is_out(http: Stack) -> None:
    """By the alias; the event has payload 2.0, whose paths the function knows."""
    integration = only(http, "AWS::ApiGatewayV2::Integration")
    targets = {route["Properties"]["Target"] for route in of_type(http, "AWS::ApiGatewayV2::Route").values()}

    assert targets == {"integrations/<HttpIntegration>"}
    assert integration == {
        "ApiId": "<HttpApi>",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": "<AuthorizeFunctionAliaslive>",
        "PayloadFormatVersion": "2.0",
    }


def test_this_http_api_and_no_other_may_call_the_function(http: Stack) -> None:
    assert properties(http, "HttpPermission") == {
        "FunctionName": "<AuthorizeFunctionAliaslive>",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:eu-central-1:123456789012:<HttpApi>/*",
    }


def test_its_one_stage_is_throttled_and_the_open_routes_more_so(http: Stack) -> None:
    """The stage is made after the routes, since API Gateway refuses settings of one that is not there."""
    (stage,) = of_type(http, "AWS::ApiGatewayV2::Stage").values()
    routes = of_type(http, "AWS::ApiGatewayV2::Route")
    given = stage["Properties"]

    assert (given["StageName"], given["AutoDeploy"]) == ("$default", True)
    assert given["DefaultRouteSettings"] == {"ThrottlingRateLimit": "7", "ThrottlingBurstLimit": "9"}
    assert given["RouteSettings"] == {
        route: {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 5} for route in OPEN_ROUTES
    }
    assert sorted(stage["DependsOn"]) == sorted(routes)


def test_its_access_log_has_the_rest_apis_fields_as_far_as_there_are_any(http: Stack) -> None:
    """An HTTP API has no API keys and no traces, and calls a route a route."""
    settings = only(http, "AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    common = {name: value for name, value in ACCESS_LOG_FIELDS.items() if name not in ("api_key_id", "xray_trace_id")}

    assert settings["DestinationArn"] == "<AccessLogGroup.Arn>"
    assert "\n" not in settings["Format"]
    assert json.loads(settings["Format"]) == {
        name: f"$context.{value}" for name, value in {**common, "resource": "routeKey"}.items()
    }


def test_it_logs_only_when_asked_and_needs_no_role_of_the_account(deploy: Deploy, http: Stack) -> None:
    silent = deploy(**HTTP)

    assert "AccessLogSettings" not in only(silent, "AWS::ApiGatewayV2::Stage")
    assert "AccessLogGroup" not in silent["Resources"]
    assert http["Resources"].keys() & {"AccessLogGroup", "AccessLogRole", "ApiAccount"} == {"AccessLogGroup"}


@pytest.mark.parametrize("entry", ["http", "url"])
def test_other_entries_have_nothing_of_the_rest_api(deploy: Deploy, entry: str) -> None:
    """Least of all the API itself."""
    stack = deploy(Entry=entry, Gate="iam", AdminApi="true")
    made = [name for name, one in stack["Resources"].items() if "AWS::ApiGateway::" in one["Type"]]

    assert "AuthorizePermission" not in stack["Resources"]
    assert made != []
    assert all("Admin" in name for name in made), made


# --- The Function URL -------------------------------------------------------------------------------------------------


def test_the_function_url_is_of_the_alias_and_lets_in_by_iam_alone(deploy: Deploy) -> None:
    """Nobody gets a permission here: a caller's own policy has to name both actions (docs/entries.md)."""
    stack = deploy(Entry="url", Gate="iam")

    assert stack["Resources"]["FunctionUrl"] == {
        "Type": "AWS::Lambda::Url",
        "DependsOn": "AuthorizeFunctionAliaslive",
        # By its name: an attribute of what each release changes would look like another function to a change set.
        "Properties": {"TargetFunctionArn": "<AuthorizeFunction>", "Qualifier": "live", "AuthType": "AWS_IAM"},
    }
    assert not [
        one
        for one in of_type(stack, "AWS::Lambda::Permission").values()
        if "AuthorizeFunctionAlias" in one["Properties"]["FunctionName"] and "Gateway" not in str(one)
    ]


@pytest.mark.parametrize("entry", ["rest", "http"])
def test_there_is_no_function_url_beside_another_entry(deploy: Deploy, entry: str) -> None:
    assert of_type(deploy(Entry=entry, Gate="iam"), "AWS::Lambda::Url") == {}


# --- The domain -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["rest", "http"])
def test_a_domain_is_regional_speaks_tls_1_2_and_shows_its_certificate(deploy: Deploy, entry: str) -> None:
    stack = deploy(Entry=entry, Gate="iam", **DOMAIN)

    assert only(stack, "AWS::ApiGatewayV2::DomainName") == {
        "DomainName": "auth.example.com",
        "DomainNameConfigurations": [
            {"EndpointType": "REGIONAL", "CertificateArn": CERTIFICATE, "SecurityPolicy": "TLS_1_2"}
        ],
    }
    assert of_type(stack, "AWS::Route53::RecordSet") == {}


def test_mutual_tls_names_the_truststore_and_its_version(deploy: Deploy) -> None:
    root = deploy(Gate="mtls", **MUTUAL)
    made = properties(root, "Domain")

    assert made["MutualTlsAuthentication"] == {"TruststoreUri": "s3://trust/frontends.pem", "TruststoreVersion": "v7"}


def test_a_truststore_may_have_no_version(deploy: Deploy) -> None:
    made = properties(deploy(Gate="mtls", **{**MUTUAL, "TruststoreVersion": ""}), "Domain")

    assert made["MutualTlsAuthentication"] == {"TruststoreUri": "s3://trust/frontends.pem"}


@pytest.mark.parametrize(
    ("entry", "api", "stage"),
    [
        pytest.param("rest", "<Api>", "<ApiStage>", id="rest"),
        pytest.param("http", "<HttpApi>", "<HttpStage>", id="http"),
    ],
)
def test_the_domains_root_is_the_stage(deploy: Deploy, entry: str, api: str, stage: str) -> None:
    """No key of the mapping, so no part of a path that callers would have to know."""
    stack = deploy(Entry=entry, Gate="iam", **DOMAIN)

    assert only(stack, "AWS::ApiGatewayV2::ApiMapping") == {"DomainName": "<Domain>", "ApiId": api, "Stage": stage}


def test_another_entry_keeps_the_domain(deploy: Deploy) -> None:
    """What CloudFormation would replace is its name alone; the mapping it changes where it is."""
    rest, http = (deploy(Entry=entry, Gate="iam", **MUTUAL) for entry in ("rest", "http"))

    assert rest["Resources"]["Domain"] == http["Resources"]["Domain"]
    assert rest["Resources"]["DomainMapping"] != http["Resources"]["DomainMapping"]


def test_a_hosted_zone_gets_an_alias_record(deploy: Deploy) -> None:
    stack = deploy(**DOMAIN, HostedZoneId="Z0123")

    assert only(stack, "AWS::Route53::RecordSet") == {
        "Name": "auth.example.com",
        "HostedZoneId": "Z0123",
        "Type": "A",
        "AliasTarget": {"DNSName": "<Domain.RegionalDomainName>", "HostedZoneId": "<Domain.RegionalHostedZoneId>"},
    }


def test_the_api_is_open_only_after_the_function_demands_certificates(deploy: Deploy) -> None:
    """When a stack that stands changes to mutual TLS: function, API, domain; and back in the same order."""
    resources = deploy(Gate="mtls", **MUTUAL)["Resources"]

    assert resources["Api"]["Metadata"]["AfterFunction"] == "<AuthorizeFunctionAliaslive>"
    assert resources["DomainMapping"]["Properties"]["Stage"] == "<ApiStage>"
    assert resources["ApiStage"]["Properties"]["RestApiId"] == "<Api>"


@pytest.mark.parametrize(
    ("parameters", "url"),
    [
        pytest.param({}, "https://<Api>.execute-api.eu-central-1.amazonaws.com/v1/authorize", id="REST"),
        pytest.param(DOMAIN, "https://auth.example.com/authorize", id="REST, domain"),
        pytest.param(HTTP, "https://<HttpApi>.execute-api.eu-central-1.amazonaws.com/authorize", id="HTTP"),
        pytest.param({**HTTP, **DOMAIN}, "https://auth.example.com/authorize", id="HTTP, domain"),
        pytest.param({"Entry": "url", "Gate": "iam"}, "<FunctionUrl.FunctionUrl>authorize", id="Function URL"),
    ],
)
def test_the_stack_tells_where_to_post_a_token(deploy: Deploy, parameters: dict[str, str], url: str) -> None:
    outputs = deploy(**parameters)["Outputs"]

    assert outputs["ApiUrl"]["Value"] == url
    assert ("FunctionUrl" in outputs) is (parameters.get("Entry") == "url")
    assert ("DomainTarget" in outputs) is ("DomainName" in parameters)


# --- The firewall -----------------------------------------------------------------------------------------------------


def test_a_web_acl_stands_before_the_stage(deploy: Deploy) -> None:
    assert only(deploy(WebAclArn=WEB_ACL), "AWS::WAFv2::WebACLAssociation") == {
        "ResourceArn": "arn:aws:apigateway:eu-central-1::/restapis/<Api>/stages/<ApiStage>",
        "WebACLArn": WEB_ACL,
    }
    assert GATEWAY_RESPONSES["WAF_FILTERED"] == 403


# --- Parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("DomainName", "auth.example.com", True),
        ("DomainName", "Auth.example.com", False),
        ("DomainName", "https://auth.example.com", False),
        ("DomainName", "*.example.com", False),
        ("DomainName", "localhost", False),
        ("CertificateArn", CERTIFICATE, True),
        ("CertificateArn", "arn:aws:iam::123456789012:server-certificate/x", False),
        ("HostedZoneId", "Z0123456789ABCDEFGHIJ", True),
        ("HostedZoneId", "/hostedzone/Z0123", False),
        ("TruststoreUri", "s3://trust/frontends.pem", True),
        ("TruststoreUri", "https://trust.s3.amazonaws.com/frontends.pem", False),
        ("TruststoreUri", "s3://trust", False),
        ("WebAclArn", WEB_ACL, True),
        ("WebAclArn", WEB_ACL.replace("regional", "global"), False),
        ("Entry", "", False),
    ],
)
def test_a_parameter_refuses_what_aws_would(template: dict[str, Any], name: str, value: str, accepted: bool) -> None:
    parameter = template["Parameters"][name]
    allowed = value in parameter.get("AllowedValues", [value])

    assert (allowed and re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is not None) is accepted


# --- What is watched --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "dimensions"),
    [
        pytest.param("rest", [{"Name": "ApiName", "Value": "auth-jwt"}, {"Name": "Stage", "Value": "v1"}], id="rest"),
        pytest.param("http", [{"Name": "ApiId", "Value": "<HttpApi>"}], id="http"),
        pytest.param("url", [{"Name": "FunctionName", "Value": "<AuthorizeFunction>"}], id="url"),
    ],
)
def test_the_alarms_watch_the_entry_that_is_there(deploy: Deploy, entry: str, dimensions: list[dict[str, str]]) -> None:
    """An alarm on an API that is not made would stay silent for ever."""
    topic = "arn:aws:sns:eu-central-1:123456789012:on-call"
    stack = deploy(Entry=entry, Gate="iam", AlarmTopicArn=topic)
    watched = [
        metric["MetricStat"]["Metric"]["Dimensions"] if "MetricStat" in metric else None
        for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()
        for metric in alarm["Properties"].get("Metrics", [])
    ] + [alarm["Properties"].get("Dimensions") for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()]
    of_apis = [one for one in watched if one and {"ApiName", "ApiId"} & {part["Name"] for part in one}]

    assert dimensions in watched
    assert all(one == dimensions for one in of_apis if "-admin" not in str(one))

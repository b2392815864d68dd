"""docs/api-gateway-authorizer.md: its templates are whole and leave nothing open, and its code does what it says."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from auth_jwt.runtime.settings import GatewayAuthorizerSettings, SourceKind
from tests.sampling import WHOLE
from tools.events.stage import SAMPLES, read_json
from tools.template.stack import translated_by_sam

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api-gateway-authorizer.md").read_text(encoding="utf-8")
AUTHORIZER = "arn:aws:lambda:eu-central-1:123456789012:function:auth-jwt-authorizer:live"
LINTERS = [path for path in (ROOT / venv / "bin" / "cfn-lint" for venv in (".venv-lint", ".venv-sam")) if path.exists()]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


REST, HTTP, WEBSOCKET = blocks("yaml")
SNIPPETS = pytest.mark.parametrize("snippet", [REST, HTTP, WEBSOCKET], ids=["rest", "http", "websocket"])


def resources(snippet: str) -> dict[str, Any]:
    """What CloudFormation is given, after SAM; `AuthorizerArn` is the one thing it has to be told."""
    found: dict[str, Any] = translated_by_sam(yaml_parse(snippet), {"AuthorizerArn": AUTHORIZER})["Resources"]
    return found


def only(snippet: str, kind: str) -> dict[str, Any]:
    ((_, resource),) = ((name, one) for name, one in resources(snippet).items() if one["Type"] == kind)
    properties: dict[str, Any] = resource["Properties"]
    return properties


def names_the_authorizer(part: object) -> bool:
    return any(name in json.dumps(part) for name in (AUTHORIZER, '"AuthorizerArn"'))


def authorizer_of(api: dict[str, Any], kind: str) -> dict[str, Any]:
    """The authorizer in the body of an API that SAM wrote, after a look at every method of it."""
    body = api["Body"]
    methods = [method for path in body["paths"].values() for name, method in path.items() if name != "options"]
    assert methods
    assert all(method["security"] == [{"AuthJwt": []}] for method in methods)
    schemes = body.get("securityDefinitions") or body["components"]["securitySchemes"]
    (scheme,) = schemes.values()
    written: dict[str, Any] = scheme["x-amazon-apigateway-authorizer"]
    assert written["type"] == kind
    assert names_the_authorizer(written["authorizerUri"])
    assert scheme.get("in", "header") == "header"
    return {**written, "header": scheme["name"]}


@SNIPPETS
def test_a_snippet_is_a_template_that_sam_takes(snippet: str) -> None:
    kinds = {resource["Type"] for resource in resources(snippet).values()}

    assert "AWS::Lambda::Function" in kinds
    assert not {kind for kind in kinds if kind.startswith("AWS::Serverless::")}


def test_the_snippets_are_templates_that_cfn_lint_takes(tmp_path: Path) -> None:
    """In one process, since it takes seconds to start; it says of which file each of its findings is."""
    if not LINTERS:  # a whole run is `make check`, and that must not pass without
        (pytest.fail if WHOLE else pytest.skip)("no cfn-lint: `make template` installs it")
    files = {
        tmp_path / f"{name}.yaml": text for name, text in (("rest", REST), ("http", HTTP), ("websocket", WEBSOCKET))
    }
    for file, snippet in files.items():
        file.write_text(snippet)

    done = subprocess.run([LINTERS[0], "-r", "eu-central-1", "-t", *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@SNIPPETS
def test_a_snippet_leaves_the_permission_to_this_stack(snippet: str) -> None:
    permissions = [one for one in resources(snippet).values() if one["Type"] == "AWS::Lambda::Permission"]

    assert permissions
    assert not any(map(names_the_authorizer, permissions))


@SNIPPETS
def test_the_code_of_a_snippet_reads_the_context_of_its_api(snippet: str) -> None:
    code = only(snippet, "AWS::Lambda::Function")["Code"]["ZipFile"]
    outcomes = read_json(SAMPLES / "outcomes-gateway-authorizer.json")["events"]
    context = outcomes["rest-token-allowed"]["answer"]["context"]
    user = {"lambda": context} if snippet == HTTP else context
    names: dict[str, Any] = {}
    exec(code, names)

    answer = names["handler"]({"headers": {}, "requestContext": {"authorizer": user}}, None)

    assert answer["statusCode"] == 200
    assert "alice until 4070908800" in answer.get("body", "alice until 4070908800")


def test_the_rest_api_asks_by_the_source_that_is_read_and_forgets_within_a_minute() -> None:
    authorizer = authorizer_of(only(REST, "AWS::ApiGateway::RestApi"), "token")

    assert authorizer["header"] == "Authorization"
    assert 0 < authorizer["authorizerResultTtlInSeconds"] <= 60


def test_the_http_api_asks_by_the_source_that_is_read_and_forgets_within_a_minute() -> None:
    authorizer = authorizer_of(only(HTTP, "AWS::ApiGatewayV2::Api"), "request")
    (source,) = GatewayAuthorizerSettings.from_env({}).token_sources

    assert [one.lower() for one in authorizer["identitySource"]] == [f"$request.header.{source.name}"]
    assert authorizer["authorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["enableSimpleResponses"] is True  # as AUTHORIZER_RESPONSE is by default
    assert 0 < authorizer["authorizerResultTtlInSeconds"] <= 60


def test_the_websocket_api_asks_at_connect_by_the_source_the_page_tells_to_set() -> None:
    authorizer, route = only(WEBSOCKET, "AWS::ApiGatewayV2::Authorizer"), only(WEBSOCKET, "AWS::ApiGatewayV2::Route")
    rows = PAGE.partition("### WebSocket API")[2]
    told = dict(re.findall(r"^\| [^|]+ \| `(\w+:\S+)` \| `?([\w.-]+)`? \|", rows, re.MULTILINE))

    assert (route["RouteKey"], route["AuthorizationType"]) == ("$connect", "CUSTOM")
    assert route["AuthorizerId"] == {"Ref": "AuthJwt"}
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["IdentitySource"] == [told["query:token"]]
    assert told == {text: identity_of(text) for text in told}
    assert len(told) == len(SourceKind)


def identity_of(text: str) -> str:
    """What a WebSocket API calls a source of tokens; a cookie it does not know."""
    (source,) = GatewayAuthorizerSettings.from_env({"TOKEN_SOURCES": text}).token_sources
    return {
        SourceKind.HEADER: f"route.request.header.{source.name.title().replace('Websocket', 'WebSocket')}",
        SourceKind.QUERY: f"route.request.querystring.{source.name}",
        SourceKind.COOKIE: "none",
    }[source.kind]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({}, {}),
        ({"Sec-WebSocket-Protocol": "bearer, a.b.c"}, {"Sec-WebSocket-Protocol": "bearer"}),
        ({"sec-websocket-protocol": "mine,bearer,a.b.c"}, {"Sec-WebSocket-Protocol": "bearer"}),
        ({"Sec-WebSocket-Protocol": "mine"}, {}),
        ({"Sec-WebSocket-Protocol": "a.b.c"}, {}),
    ],
)
def test_the_websocket_code_chooses_bearer_and_never_the_token(offered: dict[str, str], chosen: dict[str, str]) -> None:
    """A browser hangs up when it offered subprotocols and none was chosen."""
    names: dict[str, Any] = {}
    exec(only(WEBSOCKET, "AWS::Lambda::Function")["Code"]["ZipFile"], names)
    user = {"sip_username": "alice", "expires_at": "4070908800"}

    answer = names["handler"]({"headers": offered, "requestContext": {"authorizer": user}}, None)

    assert answer["headers"] == chosen


def preflights_of(snippet: str) -> list[dict[str, Any]]:
    paths = only(snippet, "AWS::ApiGateway::RestApi")["Body"]["paths"].values()
    return [path["options"] for path in paths]


def test_a_preflight_of_the_rest_api_is_asked_about_by_nobody() -> None:
    """It has no token. Without its line in the snippet, SAM puts the authorizer before it."""
    line = "        AddDefaultAuthorizerToCorsPreflight: false # a preflight has no token\n"
    assert line in REST

    assert [one.get("security") for one in preflights_of(REST)] == [None]
    assert [one["security"] for one in preflights_of(REST.replace(line, ""))] == [[{"AuthJwt": []}]]


def test_a_refusal_of_the_rest_api_may_be_read_by_the_page() -> None:
    body = only(REST, "AWS::ApiGateway::RestApi")["Body"]
    (preflight,) = preflights_of(REST)
    (answer,) = preflight["x-amazon-apigateway-integration"]["responses"].values()
    origin = answer["responseParameters"]["method.response.header.Access-Control-Allow-Origin"]

    for kind in ("DEFAULT_4XX", "DEFAULT_5XX"):
        given = body["x-amazon-apigateway-gateway-responses"][kind]["responseParameters"]
        assert given == {"gatewayresponse.header.Access-Control-Allow-Origin": origin}


def test_a_preflight_of_the_http_api_is_answered_by_the_gateway() -> None:
    body = only(HTTP, "AWS::ApiGatewayV2::Api")["Body"]

    assert body["x-amazon-apigateway-cors"]["allowHeaders"] == ["Authorization"]
    assert not any("options" in path for path in body["paths"].values())


@pytest.mark.parametrize(
    "name", ["rest-token-allowed", "http-simple-allowed-unusual-claims", "rest-token-allowed-bare"]
)
def test_the_code_for_the_decoded_token_reads_it(name: str) -> None:
    (code,) = blocks("python")
    context = read_json(SAMPLES / "outcomes-gateway-authorizer.json")["events"][name]["answer"]["context"]
    names: dict[str, Any] = {}
    exec(code, names)

    header, claims = names["decoded"](context)

    assert (header["typ"], "tag" in claims) == ("JWT", True)
    text = base64.urlsafe_b64decode(context["decoded_token"] + "==").decode()
    assert text.startswith("{")
    assert names["decoded"]({}) is None

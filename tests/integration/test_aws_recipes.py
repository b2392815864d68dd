"""A SIP application in Python asks the real handler by each way of frontends/aws; and what their templates deploy.

Lambda's two doors are those of tests/e2e/recipes, which check signatures and permissions; the API is `make serve`'s.
"""

import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from frontends.aws.python import authorize as client
from frontends.aws.python.authorize import (
    Authorized,
    Deferred,
    Denied,
    Fault,
    Reply,
    Transport,
    authorize,
    decision_of,
    through_api,
    through_function_url,
    through_invocation,
)
from tests.e2e.recipes.lambda_endpoints import (
    ALIAS_ARN,
    FOLDER,
    FRONTEND,
    LOOPBACK,
    ROLE_ARN,
    STRANGER,
    Keys,
    deployed,
    tables,
)
from tests.e2e.recipes.relay import Relay
from tests.e2e.recipes.service import (
    ANSWER,
    API_KEY,
    DECIDE_NOTHING,
    DEFER,
    EXPIRED,
    NOT_FETCHED_YET,
    TOKEN,
    Service,
    busy_service,
    healthy_service,
    stuck_service,
)
from tests.e2e.recipes.signatures import Flaw, Signed, signer_of
from tests.issuers import a_token_of_a_new_key
from tools.events.stage import REGION
from tools.template.stack import PSEUDO_PARAMETERS, only, sources, stack_of

WAYS = ("invocation", "function_url", "api")
BY_HTTP = ("function_url", "api")
SIGNED = ("invocation", "function_url")
TEMPLATES = sorted(FOLDER.glob("*.yaml"))

SESSION_TOKEN = "a-session-token-of-nobody"


@cache
def session(keys: Keys = FRONTEND) -> boto3.Session:
    """Return the AWS session of somebody."""
    return boto3.Session(keys.id, keys.secret, SESSION_TOKEN)


def way(service: Service, name: str, keys: Keys = FRONTEND, api_key: str | None = API_KEY, **options: Any) -> Transport:
    """Return the transport of that name to *service*, with *options* of its own."""
    if name == "invocation":
        return through_invocation(ALIAS_ARN, session=session(keys), endpoint_url=service.lambda_url, **options)
    if name == "function_url":
        return through_function_url(service.function_url, region=REGION, session=session(keys), **options)
    return through_api(service.api_url, api_key=api_key, **options)


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over the sample rows."""
    with tables() as db_url, healthy_service(tmp_path_factory.mktemp("api"), db_url) as running:
        yield running


@pytest.fixture(name="issuing")
def _issuing(running: Service) -> Service:
    """The same, with an issuer that has just begun to use a new key."""
    running.know_the_issuer()
    return running


@pytest.fixture(name="stuck", scope="module")
def _stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service over tables that take every connection and never answer."""
    with stuck_service(tmp_path_factory.mktemp("stuck")) as stuck:
        yield stuck


# --- What the answers are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WAYS)
def test_a_good_token_is_its_users(running: Service, name: str) -> None:
    answer = authorize(way(running, name), TOKEN, "alice", call_id="a84b4c76e66710@198.51.100.9")

    assert answer == Authorized(
        "alice",
        '{"alg":"HS256","typ":"JWT"}.{"exp":4070908800,"iat":1735689600,"tag":"alice-web"}',
        {"caller_name": "Alice Adams", "account_id": 1001, "video_allowed": True},
        4070908800,
    )


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize(
    "token", [EXPIRED, TOKEN[:-2], "a.b.c", "x" * 20_000], ids=["expired", "forged", "malformed", "oversized"]
)
def test_a_refused_token_is_a_denial(running: Service, name: str, token: str) -> None:
    assert authorize(way(running, name), token, "alice") == Denied(401)


@pytest.mark.parametrize(("name", "status"), [("invocation", 401), ("function_url", 403), ("api", 403)])
@pytest.mark.parametrize(
    ("user", "domain"), [("bob", None), ("Alice", None), ("", None), ("alice", "other.example")], ids=repr
)
def test_anothers_token_is_a_denial(running: Service, name: str, status: int, user: str, domain: str | None) -> None:
    """By HTTP one can see that the token itself is good."""
    assert authorize(way(running, name), TOKEN, user, from_domain=domain) == Denied(status)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("token", ["", "a b.c.d", "a.b.c\n", "\0", "\udc80.b.c", "ä.b.c"], ids=ascii)
def test_what_can_be_no_token_is_a_denial_too(running: Service, name: str, token: str) -> None:
    """And not a malformed request, which would be our fault."""
    assert authorize(way(running, name), token, "alice") == Denied(401)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("call_id", ["x" * 129, "a\nb", "\udc80"], ids=["long", "two lines", "no Unicode"])
def test_no_call_id_keeps_a_user_out(running: Service, name: str, call_id: str) -> None:
    """SIP clients choose it; it is good for nothing but the log."""
    assert isinstance(authorize(way(running, name), TOKEN, "alice", call_id=call_id), Authorized)


@pytest.mark.parametrize("name", WAYS)
def test_nobody_asks_without_a_user(running: Service, name: str) -> None:
    """The service would take it for a question about the token alone."""
    with pytest.raises(TypeError, match="from_user"):
        authorize(way(running, name), TOKEN, None)  # type: ignore[arg-type]


def test_an_answer_about_another_user_is_a_fault() -> None:
    with pytest.raises(Fault, match="another user"):
        authorize(lambda _: Reply(200, json.dumps(ANSWER).encode()), TOKEN, "bob")


@pytest.mark.parametrize(("status", "body"), DECIDE_NOTHING)
def test_whatever_decides_nothing_is_a_fault(status: int, body: object) -> None:
    with pytest.raises(Fault, match=f"HTTP status {status}") as fault:
        decision_of(Reply(status, json.dumps(body).encode()))

    assert not isinstance(fault.value, Deferred)


@pytest.mark.parametrize(("status", "body", "seconds"), DEFER)
def test_what_says_when_to_ask_again_is_deferred(status: int, body: object, seconds: int) -> None:
    with pytest.raises(Deferred) as deferred:
        decision_of(Reply(status, json.dumps(body).encode()))

    assert deferred.value.retry_after == seconds


@pytest.mark.parametrize("name", WAYS)
def test_a_token_whose_key_is_not_fetched_yet_is_deferred_by_every_way(issuing: Service, name: str) -> None:
    token = a_token_of_a_new_key(now=int(time.time()))

    with pytest.raises(Deferred) as deferred:
        authorize(way(issuing, name), token, "alice")

    assert 30 <= deferred.value.retry_after <= 62
    assert token not in str(deferred.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'{"code": 1'], ids=repr)
def test_what_is_not_json_is_a_fault(body: bytes) -> None:
    with pytest.raises(Fault, match="decides nothing"):
        decision_of(Reply(200, body))


# --- Faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [("invocation", "the function failed: Unreachable"), ("function_url", "status 503"), ("api", "status 503")],
)
def test_tables_that_cannot_be_reached_are_a_fault(stuck: Service, name: str, message: str) -> None:
    with pytest.raises(Fault, match=message):
        authorize(way(stuck, name), TOKEN, "alice")


@pytest.mark.parametrize("name", WAYS)
def test_an_answer_that_takes_too_long_is_a_fault(stuck: Service, name: str) -> None:
    """Each of two attempts is given up in time; with boto3, at most a second passes in between."""
    via = way(stuck, name, answer_seconds=0.2)
    begun = time.monotonic()

    with pytest.raises(Fault, match="no answer: ReadTimeoutError"):
        authorize(via, TOKEN, "alice")

    assert 0.4 <= time.monotonic() - begun < 3
    time.sleep(0.5)  # until the environments are idle again


@pytest.mark.parametrize(
    ("name", "message"),
    [("invocation", "Lambda answers TooManyRequestsException"), ("function_url", "HTTP status 429")],
)
def test_a_throttled_request_is_a_fault(name: str, message: str) -> None:
    """The one environment is at work, for another caller, and at the second attempt still is."""
    with busy_service() as busy, pytest.raises(Fault, match=message):
        authorize(way(busy, name), TOKEN, "alice")


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize(
    ("keys", "what_lambda_says"),
    [
        pytest.param(Keys(FRONTEND.id, "another"), Flaw.WRONG.value, id="wrong secret"),
        pytest.param(Keys("AKIDNOBODY", "x"), Flaw.UNKNOWN.value, id="unknown key"),
        pytest.param(STRANGER, "AccessDeniedException", id="no permission"),
    ],
)
def test_wrong_aws_credentials_are_a_fault(running: Service, name: str, keys: Keys, what_lambda_says: str) -> None:
    expected = what_lambda_says if name == "invocation" else "HTTP status 403"

    with pytest.raises(Fault, match=expected):
        authorize(way(running, name, keys), TOKEN, "alice")


def test_who_does_not_sign_gets_nothing(running: Service) -> None:
    """Neither by the one door nor by the other."""
    invoke = f"{running.doors.endpoint_url}/2015-03-31/functions/{ALIAS_ARN}/invocations"

    for url in (running.doors.function_url, invoke):
        with pytest.raises(Fault, match="HTTP status 403"):
            authorize(through_api(url), TOKEN, "alice")


@pytest.mark.parametrize("name", SIGNED)
def test_an_application_without_aws_credentials_is_a_fault(
    running: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable)
    via = {
        "invocation": lambda: through_invocation(ALIAS_ARN, endpoint_url=running.doors.endpoint_url),
        "function_url": lambda: through_function_url(running.doors.function_url, region=REGION),
    }[name]()

    with pytest.raises(Fault, match=r"no AWS credentials|NoCredentialsError"):
        authorize(via, TOKEN, "alice")


def test_only_the_alias_may_be_invoked(running: Service) -> None:
    """The policy of direct-invoke.yaml names it, and not what was never released."""
    unqualified = ALIAS_ARN.removesuffix(":live")
    via = through_invocation(unqualified, session=session(), endpoint_url=running.doors.endpoint_url)

    with pytest.raises(Fault, match="AccessDeniedException"):
        authorize(via, TOKEN, "alice")


@pytest.mark.parametrize("key", ["another", None])
def test_a_wrong_api_key_is_a_fault(running: Service, key: str | None) -> None:
    with pytest.raises(Fault, match="HTTP status 403"):
        authorize(way(running, "api", api_key=key), TOKEN, "alice")


@pytest.mark.parametrize("name", WAYS)
def test_a_service_that_is_not_there_is_a_fault(running: Service, name: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    gone = replace(running, lambda_wire=Relay(port), api_wire=Relay(port))

    with pytest.raises(Fault, match="no answer"):
        authorize(way(gone, name), TOKEN, "alice")


# --- On the wire ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WAYS)
def test_a_connection_serves_many_questions(running: Service, name: str) -> None:
    via, wire = way(running, name), running.wire(name)
    before = len(wire.connections)

    for _ in range(5):
        authorize(via, TOKEN, "alice")

    assert len(wire.connections) == before + 1


@pytest.mark.parametrize("name", WAYS)
def test_a_connection_that_breaks_is_not_the_end(running: Service, name: str) -> None:
    running.wire(name).cuts = 1

    assert isinstance(authorize(way(running, name), TOKEN, "alice"), Authorized)


@pytest.mark.parametrize("name", WAYS)
def test_a_service_that_hangs_up_is_asked_twice_and_no_more(running: Service, name: str) -> None:
    wire = running.wire(name)
    before, wire.cuts = len(wire.connections), 10

    with pytest.raises(Fault, match="no answer"):
        authorize(way(running, name), TOKEN, "alice")

    assert (len(wire.connections) - before, wire.cuts) == (2, 8)
    wire.cuts = 0


def test_the_endpoint_is_told_which_api_is_meant(running: Service) -> None:
    """Behind a VPC endpoint there are many; its own host name says none of them."""
    authorize(way(running, "api", api_id="a1b2c3d4e5"), TOKEN, "alice")

    headers = running.api_wire.headers()
    assert headers["x-apigw-api-id"] == "a1b2c3d4e5"
    assert headers["host"] == f"{LOOPBACK}:{running.api_wire.port}"


@pytest.mark.parametrize("name", WAYS)
def test_the_token_travels_in_the_body_alone(running: Service, name: str) -> None:
    authorize(way(running, name), TOKEN, "alice")

    head, _, body = bytes(running.wire(name).connections[-1]).partition(b"\r\n\r\n")
    assert TOKEN.encode() not in head
    assert json.loads(body) == {"jwt_token": TOKEN, "from_user": "alice"}


@pytest.mark.parametrize("url", ["http://api.example/authorize", "ftp://127.0.0.2/", "api.example/authorize"])
def test_nothing_is_sent_in_clear(url: str) -> None:
    with pytest.raises(ValueError, match="not https"):
        through_api(url)
    with pytest.raises(ValueError, match="not https"):
        through_function_url(url, region=REGION)


@pytest.mark.parametrize("name", WAYS)
def test_nothing_secret_is_logged_or_told(running: Service, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where an application logs all that its libraries have to say."""
    for logger in (name for name in list(logging.root.manager.loggerDict) if name.startswith(("botocore", "urllib3"))):
        caplog.set_level(logging.NOTSET, logger)  # whatever others in this process have said of them
    told = []
    with caplog.at_level(logging.DEBUG):
        told.append(repr(authorize(way(running, name), TOKEN, "alice")))
        told.append(repr(authorize(way(running, name), EXPIRED, "alice")))
        for keys, key in ((Keys(FRONTEND.id, "another-secret"), "another-key"), (STRANGER, None)):
            try:
                authorize(way(running, name, keys, key), TOKEN, "alice")
            except Fault as fault:
                told += [repr(fault), *traceback.format_exception(fault)]
    told += [record.getMessage() for record in caplog.records]

    assert any(record.name.startswith(("botocore", "urllib3")) for record in caplog.records)
    for secret in (
        TOKEN,
        EXPIRED,
        FRONTEND.secret,
        "another-secret",
        SESSION_TOKEN,
        API_KEY,
        "another-key",
        "Adams",
        "tag",
    ):
        assert not [text for text in told if secret in text]


# --- The tests' own Lambda --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "signer"),
    [
        pytest.param({}, FRONTEND.id, id="as signed"),
        pytest.param({"body": b'{"jwt_token":"b"}'}, Flaw.WRONG, id="body"),
        pytest.param({"path": "/script-authorize"}, Flaw.WRONG, id="path"),
        pytest.param({"method": "PUT"}, Flaw.WRONG, id="method"),
        pytest.param({"host": "other.example"}, Flaw.WRONG, id="host"),
        pytest.param({"x-amz-date": "20200101T000000Z"}, Flaw.WRONG, id="date"),
        pytest.param({"x-amz-security-token": "other"}, Flaw.WRONG, id="session"),
        pytest.param({"x-amz-target": "added"}, Flaw.WRONG, id="a header that nobody signed"),
        pytest.param({"authorization": f"Bearer {TOKEN}"}, Flaw.UNSIGNED, id="no signature"),
    ],
)
def test_a_signature_is_for_one_request(changes: dict[str, Any], signer: str | Flaw) -> None:
    """Signed by botocore, and checked without it."""
    request = AWSRequest("POST", "https://url.example/authorize", data=b'{"jwt_token":"a"}')
    SigV4Auth(Credentials(FRONTEND.id, FRONTEND.secret, SESSION_TOKEN), "lambda", REGION).add_auth(request)
    headers = {"host": "url.example"} | {name.lower(): str(value) for name, value in request.headers.items()}
    arrived = {"method": "POST", "path": "/authorize", "body": b'{"jwt_token":"a"}'}
    altered = {name: changes.get(name, value) for name, value in arrived.items()}
    others = {name: value for name, value in changes.items() if name not in arrived}

    found = signer_of(
        Signed(**altered, headers=headers | others), {FRONTEND.id: FRONTEND.secret}, region=REGION, service="lambda"
    )

    assert found == signer


@pytest.mark.parametrize(("region", "service_name"), [("us-east-1", "lambda"), (REGION, "execute-api")])
def test_a_signature_is_for_one_service_of_one_region(running: Service, region: str, service_name: str) -> None:
    url = running.doors.function_url
    via = through_function_url(url, region=region, session=session(), service=service_name)

    with pytest.raises(Fault, match="HTTP status 403"):
        authorize(via, TOKEN, "alice")


def test_the_function_url_serves_all_of_the_function(running: Service) -> None:
    """Whoever may use it may ask all that the API answers; it is not only for /authorize."""
    url = running.doors.function_url.replace("/authorize", "/health")
    request = AWSRequest("POST", url, data=b"")
    SigV4Auth(Credentials(FRONTEND.id, FRONTEND.secret), "lambda", REGION).add_auth(request)
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, body=b"", headers=dict(request.headers.items()))

    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


# --- The templates ----------------------------------------------------------------------------------------------------

BY_URL = {"AuthorizeFunctionArn": ALIAS_ARN, "FrontendPrincipalArn": ROLE_ARN}
IN_A_VPC = {"VpcId": "vpc-0a", "SubnetIds": "subnet-0a,subnet-0b", "FrontendSecurityGroupId": "sg-0a"}


def test_the_function_url_is_the_aliass_and_gated_by_iam() -> None:
    url = only(deployed("function-url", **BY_URL), "AWS::Lambda::Url")

    assert url == {
        "AuthType": "AWS_IAM",
        "InvokeMode": "BUFFERED",
        "TargetFunctionArn": ALIAS_ARN.removesuffix(":live"),
        "Qualifier": "live",
    }


def test_both_permissions_of_the_function_url_are_the_principals_on_the_alias() -> None:
    resources = deployed("function-url", **BY_URL)["Resources"]
    same = {"FunctionName": ALIAS_ARN, "Principal": ROLE_ARN}

    assert [made["Properties"] for made in resources.values() if made["Type"] == "AWS::Lambda::Permission"] == [
        {**same, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM"},
        {**same, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
    ]


def test_direct_invocation_is_allowed_of_the_alias_alone() -> None:
    policy = only(
        deployed("direct-invoke", AuthorizeFunctionArn=ALIAS_ARN, FrontendRoleName="sip"), "AWS::IAM::ManagedPolicy"
    )

    assert policy["Roles"] == ["sip"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ALIAS_ARN}
    ]


def test_the_vpc_endpoint_lets_the_frontends_in_and_nobody_else() -> None:
    stack = deployed("private-api", **IN_A_VPC)
    group, endpoint = only(stack, "AWS::EC2::SecurityGroup"), only(stack, "AWS::EC2::VPCEndpoint")

    (rule,) = group["SecurityGroupIngress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert rule["SourceSecurityGroupId"] == "sg-0a"
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]
    assert endpoint["ServiceName"] == f"com.amazonaws.{REGION}.execute-api"
    assert endpoint["PrivateDnsEnabled"] == "true"
    assert endpoint["SecurityGroupIds"] == ["<EndpointSecurityGroup>"]
    assert stack["Outputs"]["VpcEndpointId"]["Value"] == "<ApiEndpoint>"


@pytest.mark.parametrize(("given", "reached"), [({}, "*"), ({"ApiId": "a1b2c3d4e5"}, "a1b2c3d4e5")])
def test_the_vpc_endpoint_leads_to_this_accounts_apis_or_to_one(given: dict[str, str], reached: str) -> None:
    endpoint = only(deployed("private-api", **IN_A_VPC, **given), "AWS::EC2::VPCEndpoint")

    (statement,) = endpoint["PolicyDocument"]["Statement"]
    account = PSEUDO_PARAMETERS["AWS::AccountId"]
    assert statement["Resource"] == f"arn:aws:execute-api:{REGION}:{account}:{reached}/*"


@pytest.mark.parametrize("name", ["function-url", "direct-invoke"])
def test_a_template_takes_the_arn_of_an_alias_and_of_nothing_else(name: str) -> None:
    """Permissions of the function itself are none of its alias's."""
    pattern = sources(FOLDER / f"{name}.yaml")["Parameters"]["AuthorizeFunctionArn"]["AllowedPattern"]

    assert re.search(pattern, ALIAS_ARN)
    assert not re.search(pattern, ALIAS_ARN.removesuffix(":live"))


def test_the_services_output_is_the_alias_that_the_api_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    stack = stack_of(sources())
    alias = stack["Outputs"]["AuthorizeFunctionArn"]["Value"].strip("<>")

    assert stack["Resources"][alias]["Type"] == "AWS::Lambda::Alias"
    assert f":{stack['Resources'][alias]['Properties']['Name']}" == ALIAS_ARN[-5:]


# --- The pages --------------------------------------------------------------------------------------------------------

PAGES = sorted(path for path in FOLDER.rglob("*.md") if "node_modules" not in path.parts)


def test_the_pages_link_to_what_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text("utf-8")):
            assert (page.parent / target).resolve().exists(), f"{page.name}: {target}"


def test_the_pages_show_every_template_with_parameters_that_it_has() -> None:
    """A command line that deploys one names its file, then its parameters."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    shown = re.findall(r"--template-file (?:frontends/aws/)?(\S+\.yaml)((?:[^\n]*\\\n)*[^\n]*)", text)

    assert {name for name, _ in shown} == {path.name for path in TEMPLATES}
    for name, rest in shown:
        parameters = sources(FOLDER / name)["Parameters"]
        given = set(re.findall(r"\b([A-Z]\w+)=", rest.partition("--parameter-overrides")[2]))
        assert given <= parameters.keys()
        assert {key for key, value in parameters.items() if "Default" not in value} <= given, name


def test_the_pages_tell_the_limits_of_the_code() -> None:
    """Of both clients."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    python = (FOLDER / "python" / "authorize.py").read_text("utf-8")
    node = (FOLDER / "node" / "authorize.mjs").read_text("utf-8")

    seconds = [
        float(number) for number in re.findall(r"^(?:CONNECT|ANSWER)_SECONDS: Final = (.+)$", python, re.MULTILINE)
    ]
    millis = [
        int(number) for number in re.findall(r"^const (?:CONNECT|ANSWER)_MILLISECONDS = (\d+);", node, re.MULTILINE)
    ]
    assert [second * 1000 for second in seconds] == millis
    assert f"{seconds[0]:.0f} second for the connection and {seconds[1]:.0f} seconds for the answer" in " ".join(
        text.split()
    )


def blocks(language: str) -> list[str]:
    """Return what the readme shows in a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_sip_application_shown_answers_as_the_table_says(
    running: Service, stuck: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "authorize", client)
    shown: dict[str, Any] = {}
    exec(blocks("python")[0], shown)
    challenge = {"WWW-Authenticate": 'Bearer realm="sip.example.com", error="invalid_token"'}

    shown["via"] = way(running, "api")
    assert shown["on_register"](TOKEN, "alice", 600) == (200, {"Expires": "600"})
    assert shown["on_register"](EXPIRED, "alice", 600) == (401, challenge)
    assert shown["on_register"](TOKEN, "bob", 600) == (403, {})
    shown["via"] = way(stuck, "api")
    assert shown["on_register"](TOKEN, "alice", 600) == (503, {"Retry-After": "5"})


def test_the_sip_application_shown_passes_the_time_on_and_logs_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "authorize", client)
    shown: dict[str, Any] = {}
    exec(blocks("python")[0], shown)
    shown["via"] = lambda _: Reply(503, json.dumps(NOT_FETCHED_YET).encode())

    with caplog.at_level(logging.INFO):
        answer = shown["on_register"](TOKEN, "alice", 600)

    assert answer == (503, {"Retry-After": "42"})
    assert [
        (record.levelname, "deferred" in record.getMessage()) for record in caplog.records if record.name == "root"
    ] == [("INFO", True)]


def test_no_registration_outlives_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "authorize", client)
    shown: dict[str, Any] = {}
    exec(blocks("python")[0], shown)
    soon = json.dumps({**ANSWER, "expires_at": int(time.time()) + 60}).encode()
    past = json.dumps({**ANSWER, "expires_at": int(time.time()) - 60}).encode()

    shown["via"] = lambda _: Reply(200, soon)
    assert 55 <= int(shown["on_register"](TOKEN, "alice", 600)[1]["Expires"]) <= 60
    shown["via"] = lambda _: Reply(200, past)
    assert shown["on_register"](TOKEN, "alice", 600) == (200, {"Expires": "0"})


def test_the_other_ways_shown_can_be_made() -> None:
    shown = [block for block in blocks("python") if block.startswith("via = ")]

    assert [re.findall(r"through_\w+", block) for block in shown] == [["through_function_url"], ["through_api"]]
    for block in shown:
        exec(block, vars(client).copy())


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_signed_curl_line_shown_is_answered(running: Service) -> None:
    (line,) = (block for block in blocks("sh") if "--aws-sigv4" in block)
    variables = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": FRONTEND.id, "AWS_SECRET_ACCESS_KEY": FRONTEND.secret}

    ran = subprocess.run(
        ["bash", "-c", line.replace("…", TOKEN)],
        env={"PATH": os.environ["PATH"], "URL": running.function_url, "AWS_SESSION_TOKEN": SESSION_TOKEN, **variables},
        capture_output=True,
        timeout=20,
        check=True,
    )

    assert json.loads(ran.stdout)["sip_username"] == "alice"

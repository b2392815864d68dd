"""`auth-jwt doctor` on a stack in memory whose API is a real server with the real handler: each break is seen.

CloudFormation, Lambda, CloudWatch, Logs, API Gateway and DynamoDB are moto's. moto makes no alias and
no alarm out of a template, and no snapshot: tests make the first two, and state the last.
"""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.command_line import CommandLine, a_command_line
from tests.fakes import LambdaContext
from tests.local_server import LocalServer
from tools.events.stage import REGION, REVOCATIONS, lambda_environment, load_handler, template

CANARY = "canary"
RELEASE = "2026-11-29T12:00:00Z"


@dataclass
class Api:
    """A REST API on this machine: the gate, the paths, and the function behind them."""

    key: str = ""
    status: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    handler: Any = None

    def answer(self, method: str, path: str, headers: dict[str, str], body: str) -> tuple[int, str]:
        """Answer as API Gateway does: a wrong key is 403 at the gate; whatever else is the function's."""
        self.headers.append(headers)
        route = path.removeprefix("/v1")
        if route in self.status:
            return self.status[route], json.dumps(self.answers.get(route, {}))
        if route != "/health" and self.key and headers.get("x-api-key") != self.key:
            return 403, json.dumps({"type": "urn:auth-jwt:problem:forbidden"})
        event = {
            "httpMethod": method, "path": route, "resource": route, "headers": headers, "body": body or None,
            "isBase64Encoded": False, "requestContext": {"stage": "v1", "requestId": "r"},
        }  # fmt: skip
        with redirect_stdout(io.StringIO()):
            given = self.handler(event, LambdaContext())
        return given["statusCode"], given["body"]


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path) as command_line:
        yield command_line


@pytest.fixture(name="api")
def _api() -> Iterator[tuple[Api, str]]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            sent = {name.lower(): value for name, value in self.headers.items()}
            status, body = api.answer(self.command, self.path, sent, self.rfile.read(length).decode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - as http.server calls it

        def log_message(self, *_: object) -> None: ...

    server = LocalServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield api, f"http://127.0.0.1:{server.server_port}/v1/authorize"
    server.shutdown()
    thread.join()
    server.server_close()


def client(service: Any) -> Any:
    return boto3.client(service, region_name=REGION)


ALARM = "auth-jwt-FaultAlarm-1"


def an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the alarm that the nested stack would make, and let CloudFormation tell of it there."""
    client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM, AlarmDescription="Requests failed; the log has reason and causes", MetricName="Fault",
        Namespace="AuthJwt/auth-jwt", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="x")
    resource = {
        "LogicalResourceId": "FaultAlarm", "PhysicalResourceId": ALARM, "ResourceType": "AWS::CloudWatch::Alarm",
        "ResourceStatus": "CREATE_COMPLETE",
    }  # fmt: skip
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def changed(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        answer = original(client, name, arguments)
        if name == "ListStackResources" and "Monitoring" in arguments["StackName"]:
            answer["StackResourceSummaries"].append(resource)
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", changed)


def a_template(
    url: str, key: str, *, gate: str = "api-key", alarms: bool = True, entry: str = "rest"
) -> dict[str, Any]:
    """The part of the stack that moto can make."""
    variables = lambda_environment(template(), {"REVOCATIONS_TABLE": REVOCATIONS})
    settings = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
    resources: dict[str, Any] = {
        "AuthorizeFunction": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "authorize", "Runtime": "python3.13", "Handler": "app.lambda_handler", "Timeout": 10,
                "Role": "arn:aws:iam::123456789012:role/authorize", "Code": {"S3Bucket": "bucket", "S3Key": "code"},
                "Description": f"A SIP frontend asks whose token this is (release {RELEASE})",
                "Environment": {"Variables": settings},
            },
        },
        "AuthorizeLogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": "/aws/lambda/auth-jwt-authorize", "RetentionInDays": 30},
        },
    }  # fmt: skip
    if alarms:
        resources["Monitoring"] = {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"TemplateURL": "https://s3.amazonaws.com/bucket/monitoring"},
        }
    outputs = {"ApiUrl": url, "AuthorizeFunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:authorize"}
    return {
        "Parameters": {
            name: {"Type": "String", "Default": value}
            for name, value in {"Gate": gate, "Entry": entry, "CanaryTag": CANARY, "TruststoreUri": ""}.items()
        },
        "Resources": resources,
        "Outputs": {
            **{name: {"Value": value} for name, value in outputs.items()}, "ApiKeyId": {"Value": key}
        },
    }  # fmt: skip


NESTED = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}}}
"""Some template: moto makes no alarm out of one."""


def deploy(url: str, **options: Any) -> str:
    """Make the stack, and return the value of its API key."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="bucket", Key="code", Body=code.getvalue())
    s3.put_object(Bucket="bucket", Key="monitoring", Body=json.dumps(NESTED))
    client("iam").create_role(RoleName="authorize", AssumeRolePolicyDocument="{}")
    key = client("apigateway").create_api_key(name="frontends", enabled=True)  # no template of moto's makes one
    document = a_template(url, key["id"], **options)
    client("cloudformation").create_stack(StackName="auth-jwt", TemplateBody=json.dumps(document))
    release("1")
    client("lambda").create_alias(FunctionName="authorize", Name="live", FunctionVersion="1")
    return str(key["value"])


def release(number: str) -> None:
    description = f"A SIP frontend asks whose token this is (release 2026-11-2{number}T12:00:00Z)"
    client("lambda").update_function_configuration(FunctionName="authorize", Description=description)
    assert client("lambda").publish_version(FunctionName="authorize")["Version"] == number


@pytest.fixture(name="stack")
def _stack(auth_jwt: CommandLine, api: tuple[Api, str], monkeypatch: pytest.MonkeyPatch) -> Api:
    """A stack where all is well."""
    made, url = api
    an_alarm(monkeypatch)
    protect()
    auth_jwt("profile", "add", CANARY, "--username", "canary-bird", "--generate")
    made.key = deploy(url)
    made.handler = load_handler("authorize")
    return made


def protect() -> None:
    """Make the tables anew, as the template makes them and moto's do not come."""
    dynamodb = client("dynamodb")
    for table in ("jwt_profiles", "jwt_secrets", REVOCATIONS):
        told = dynamodb.describe_table(TableName=table)["Table"]
        dynamodb.delete_table(TableName=table)
        dynamodb.create_table(
            TableName=table, KeySchema=told["KeySchema"], AttributeDefinitions=told["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST", DeletionProtectionEnabled=True,
            SSESpecification={"Enabled": True, "SSEType": "KMS"},
        )  # fmt: skip
        dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    dynamodb.update_time_to_live(
        TableName=REVOCATIONS, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )


def lines(auth_jwt: CommandLine, *arguments: str, exit_code: int = 0) -> list[tuple[str, str, str]]:
    document = auth_jwt.json("doctor", *arguments, exit_code=exit_code)
    assert document["stack"] == "auth-jwt"
    assert all(line["remedy"] for line in document["lines"] if line["verdict"] in ("warning", "problem"))
    return [(line["verdict"], line["about"], line["text"]) for line in document["lines"]]


def findings(auth_jwt: CommandLine, *arguments: str, exit_code: int = 1) -> list[tuple[str, str, str]]:
    return [line for line in lines(auth_jwt, *arguments, exit_code=exit_code) if line[0] in ("warning", "problem")]


def test_where_all_is_well_every_look_says_so(auth_jwt: CommandLine, stack: Api) -> None:
    """The canary's token went through the gate and the real handler to the tables, and so did the forger's."""
    assert lines(auth_jwt) == [
        ("ok", "stack auth-jwt", "CREATE_COMPLETE"),
        ("ok", "AuthorizeFunction", "Active, version 1, release 2026-11-21T12:00:00Z"),
        ("ok", "tables", "settings and tables agree; point-in-time recovery is on, and TTL as it should be"),
        ("ok", "canary canary", "its last secret ends in 365 days"),
        ("ok", "ApiUrl", "/health says ok"),
        ("ok", "ApiUrl", "the canary 'canary' is let in as 'canary-bird'"),
        ("ok", "ApiUrl", "a forged token is denied"),
        ("ok", "alarms", "none of 1 alarm sounds"),
        ("ok", "logs", "1 log group, kept for 30 days"),
    ]


def test_it_reads_well(auth_jwt: CommandLine, stack: Api) -> None:
    client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="x")
    shown = auth_jwt("doctor", exit_code=1).stdout

    assert "ok       ApiUrl             a forged token is denied\n" in shown
    assert "PROBLEM  FaultAlarm         sounds: Requests failed; the log has reason and causes. Next: docs/" in shown
    assert shown.endswith("8 ok, 1 problem\n")


def test_nothing_that_is_shown_holds_a_token_or_the_key(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status["/authorize"] = 500
    auth_jwt("doctor", exit_code=1)
    auth_jwt("doctor", "--json", exit_code=1)

    assert "eyJ" not in "".join(auth_jwt.written[-4:])
    assert stack.key
    assert stack.key not in "".join(auth_jwt.written)


def test_without_a_canary_nobody_is_let_in_and_that_is_said(auth_jwt: CommandLine, stack: Api) -> None:
    """It is no finding: a stack may do without. Exit code 0 says that what was looked at is well."""
    client("cloudformation").update_stack(
        StackName="auth-jwt", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "CanaryTag", "ParameterValue": ""}]
    )

    seen = lines(auth_jwt)
    assert ("skipped", "ApiUrl", "nobody was let in end to end: there is no canary") in seen
    assert not [text for _, about, text in seen if about.startswith("canary")]


def test_another_canary_may_be_named(auth_jwt: CommandLine, stack: Api) -> None:
    auth_jwt("profile", "add", "other", "--username", "tweety", "--generate")

    assert ("ok", "ApiUrl", "the canary 'other' is let in as 'tweety'") in lines(auth_jwt, "--canary", "other")


# -- each thing that breaks -------------------------------------------------------------------------------------------


def test_an_unhealthy_function(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status |= {"/health": 502, "/authorize": 502}
    stack.answers["/authorize"] = {"type": "urn:auth-jwt:problem:gateway-fault"}

    assert findings(auth_jwt) == [
        ("problem", "ApiUrl", "/health answers 502"),
        ("problem", "ApiUrl", "the canary 'canary' is not let in: 502, code None"),
        ("problem", "ApiUrl", "a forged token gets 502, code None, not 401 and -1"),
    ]


def test_a_crowd_at_health_is_a_warning(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status["/health"] = 429

    assert findings(auth_jwt) == [("warning", "ApiUrl", "/health answers 429: too many ask it")]


def test_a_wrong_key_at_the_gate(auth_jwt: CommandLine, stack: Api) -> None:
    stack.key = "another"

    assert ("problem", "ApiUrl", "the canary 'canary' is not let in: 403, code None") in findings(auth_jwt)


def test_a_service_that_lets_forgers_in(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status["/authorize"] = 200
    stack.answers["/authorize"] = {"code": 1, "sip_username": "canary-bird"}

    assert findings(auth_jwt) == [("problem", "ApiUrl", "A FORGED TOKEN IS LET IN")]


def test_a_service_that_takes_the_canary_for_somebody_else(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status["/authorize"] = 200
    stack.answers["/authorize"] = {"code": 1, "sip_username": "alice"}

    assert ("problem", "ApiUrl", "the canary is let in as another user than its profile names") in findings(auth_jwt)


def test_a_service_that_denies_the_canary(auth_jwt: CommandLine, stack: Api) -> None:
    stack.status["/authorize"] = 401
    stack.answers["/authorize"] = {"code": -1}

    assert findings(auth_jwt) == [("problem", "ApiUrl", "the canary 'canary' is not let in: 401, code -1")]


def test_an_address_that_does_not_answer(auth_jwt: CommandLine, stack: Api) -> None:
    change_output("ApiUrl", "http://127.0.0.1:9/v1/authorize")

    ((verdict, about, text),) = findings(auth_jwt)
    assert (verdict, about) == ("problem", "ApiUrl")
    assert text.startswith("no answer from http://127.0.0.1:9/v1/health (")


def test_a_key_is_never_sent_in_the_clear(auth_jwt: CommandLine, stack: Api) -> None:
    change_output("ApiUrl", "http://example.org/v1/authorize")

    assert findings(auth_jwt) == [("problem", "ApiUrl", "its output is no https address")]


def change_output(name: str, value: str) -> None:
    template_now = client("cloudformation").get_template(StackName="auth-jwt")["TemplateBody"]
    document = json.loads(template_now) if isinstance(template_now, str) else json.loads(json.dumps(template_now))
    document["Outputs"][name] = {"Value": value}
    client("cloudformation").update_stack(StackName="auth-jwt", TemplateBody=json.dumps(document))


def test_a_canary_without_a_profile(auth_jwt: CommandLine, stack: Api) -> None:
    auth_jwt("profile", "rm", CANARY, "--yes")

    assert ("problem", "canary canary", "no token can be minted: there is no profile 'canary'") in findings(auth_jwt)


def test_a_canary_whose_secret_ends_soon(auth_jwt: CommandLine, stack: Api) -> None:
    """Then no release passes its check."""
    auth_jwt("secret", "set", CANARY, "1", "--end", "+10d")

    ((verdict, about, text),) = findings(auth_jwt)
    assert (verdict, about) == ("warning", "canary canary")
    assert text.startswith("its last secret ends in ")


def test_a_table_that_lost_its_recovery(auth_jwt: CommandLine, stack: Api) -> None:
    """As `config check` finds it: one code, two commands."""
    client("dynamodb").update_continuous_backups(
        TableName="jwt_secrets", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )

    assert findings(auth_jwt) == [("warning", "jwt_secrets", "point-in-time recovery is off")]


def test_an_alarm_that_sounds_in_a_nested_stack(auth_jwt: CommandLine, stack: Api) -> None:
    client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="x")

    assert findings(auth_jwt) == [("problem", "FaultAlarm", "sounds: Requests failed; the log has reason and causes")]


def test_an_alarm_that_is_muted(auth_jwt: CommandLine, stack: Api) -> None:
    client("cloudwatch").disable_alarm_actions(AlarmNames=[ALARM])

    assert findings(auth_jwt) == [("warning", "FaultAlarm", "is muted: it tells nobody")]


def test_an_alarm_that_somebody_deleted(auth_jwt: CommandLine, stack: Api) -> None:
    client("cloudwatch").delete_alarms(AlarmNames=[ALARM])

    assert ("problem", "FaultAlarm", "the alarm was deleted outside of the stack") in findings(auth_jwt)


def test_a_stack_without_alarms(auth_jwt: CommandLine, api: tuple[Api, str]) -> None:
    protect()
    auth_jwt("profile", "add", CANARY, "--username", "canary-bird", "--generate")
    deploy(api[1], alarms=False)
    api[0].handler = load_handler("authorize")

    assert findings(auth_jwt) == [("warning", "alarms", "there are none, so nobody is told of a fault")]


def test_a_log_that_is_kept_for_ever(auth_jwt: CommandLine, stack: Api) -> None:
    client("logs").delete_retention_policy(logGroupName="/aws/lambda/auth-jwt-authorize")

    assert findings(auth_jwt) == [("warning", "AuthorizeLogGroup", "its lines are kept for ever, and AWS bills them")]


def test_a_log_that_is_gone(auth_jwt: CommandLine, stack: Api) -> None:
    client("logs").delete_log_group(logGroupName="/aws/lambda/auth-jwt-authorize")

    assert findings(auth_jwt) == [
        ("problem", "AuthorizeLogGroup", "there is no log group '/aws/lambda/auth-jwt-authorize'")
    ]


def test_a_version_that_somebody_left(auth_jwt: CommandLine, stack: Api) -> None:
    release("2")
    release("3")

    assert findings(auth_jwt) == [
        ("warning", "AuthorizeFunction", "`live` names version 1, and there is a newer one, 3"),
        ("warning", "AuthorizeFunction", "3 versions are kept, and AWS bills their snapshots"),
    ]


def test_a_gradual_deployment_that_is_under_way(auth_jwt: CommandLine, stack: Api) -> None:
    release("2")
    client("lambda").update_alias(
        FunctionName="authorize", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}}
    )

    assert findings(auth_jwt) == [
        ("warning", "AuthorizeFunction", "a gradual deployment is under way: version 2 gets 10%")
    ]


def told(monkeypatch: pytest.MonkeyPatch, operation: str, change: Any) -> None:
    """Let AWS's answer to *operation* be another, by *change*."""
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def changed(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        answer = original(client, name, arguments)
        return change(answer) if name == operation else answer

    monkeypatch.setattr(BaseClient, "_make_api_call", changed)


def refused(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, status: int = 403) -> None:
    """Let AWS refuse *operation*."""
    original = BaseClient._make_api_call  # type: ignore[attr-defined]
    answer: Any = {"Error": {"Code": code, "Message": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def changed(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        if name == operation:
            raise ClientError(answer, operation)
        return original(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", changed)


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        pytest.param(
            {"State": "Inactive"}, ("problem", "Inactive, version 1: its snapshot is gone"), id="no snapshot any more"
        ),
        pytest.param({"State": "Failed"}, ("problem", "Failed, last update Successful, version 1"), id="it cannot run"),
        pytest.param(
            {"SnapStart": {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}},
            ("problem", "Active, version 1, but without a snapshot"),
            id="no snapshot yet",
        ),
        pytest.param(
            {"Description": "by hand"}, ("warning", "Active, version 1, without the mark of a release"), id="no mark"
        ),
    ],
)
def test_a_function_that_is_not_as_it_should_be(
    auth_jwt: CommandLine, stack: Api, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], seen: tuple[str, str]
) -> None:
    told(monkeypatch, "GetFunctionConfiguration", lambda answer: {**answer, **change})

    assert findings(auth_jwt) == [(seen[0], "AuthorizeFunction", seen[1])]


@pytest.mark.parametrize(
    ("operation", "about", "action"),
    [
        ("GetAlias", "AuthorizeFunction", "lambda:GetAlias"),
        ("DescribeAlarms", "alarms", "cloudwatch:DescribeAlarms"),
        ("DescribeLogGroups", "logs", "logs:DescribeLogGroups"),
        ("GetApiKey", "ApiUrl", "apigateway:GET"),
    ],
)
def test_a_permission_that_is_missing_is_a_line_and_not_the_end(
    auth_jwt: CommandLine, stack: Api, monkeypatch: pytest.MonkeyPatch, operation: str, about: str, action: str
) -> None:
    refused(monkeypatch, operation, "AccessDeniedException")

    assert findings(auth_jwt) == [("warning", about, f"you may not call {action} (AccessDeniedException)")]


def test_an_api_key_that_somebody_deleted(auth_jwt: CommandLine, stack: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, "GetApiKey", "NotFoundException", 404)

    assert findings(auth_jwt) == [("problem", "ApiUrl", "its API key does not exist (NotFoundException)")]


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        pytest.param("UPDATE_IN_PROGRESS", ("warning", "a deployment is under way"), id="under way"),
        pytest.param("UPDATE_ROLLBACK_COMPLETE", ("warning", "was rolled back"), id="rolled back"),
        pytest.param("UPDATE_ROLLBACK_FAILED", ("problem", "UPDATE_ROLLBACK_FAILED"), id="stuck"),
    ],
)
def test_a_stack_that_is_not_at_rest(
    auth_jwt: CommandLine, stack: Api, monkeypatch: pytest.MonkeyPatch, status: str, seen: tuple[str, str]
) -> None:
    told(
        monkeypatch,
        "DescribeStacks",
        lambda answer: {**answer, "Stacks": [{**answer["Stacks"][0], "StackStatus": status}]},
    )

    ((verdict, about, text),) = findings(auth_jwt)
    assert (verdict, about) == (seen[0], "stack auth-jwt")
    assert seen[1] in text


# -- other gates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry", "service"), [("rest", "execute-api"), ("http", "execute-api"), ("url", "lambda")])
def test_with_the_gate_iam_requests_are_signed(
    auth_jwt: CommandLine, api: tuple[Api, str], monkeypatch: pytest.MonkeyPatch, entry: str, service: str
) -> None:
    an_alarm(monkeypatch)
    protect()
    auth_jwt("profile", "add", CANARY, "--username", "canary-bird", "--generate")
    deploy(api[1], gate="iam", entry=entry)
    api[0].handler = load_handler("authorize")

    assert ("ok", "ApiUrl", "the canary 'canary' is let in as 'canary-bird'") in lines(auth_jwt)
    for headers in api[0].headers:
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")
        assert f"/{REGION}/{service}/aws4_request" in headers["authorization"]
        assert "x-api-key" not in headers


def test_mutual_tls_wants_a_certificate(
    auth_jwt: CommandLine, api: tuple[Api, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one nothing is asked, and with one it is: over TLS, which this server has not."""
    an_alarm(monkeypatch)
    protect()
    auth_jwt("profile", "add", CANARY, "--username", "canary-bird", "--generate")
    deploy(api[1], gate="mtls", entry="http")
    api[0].handler = load_handler("authorize")
    files = auth_jwt.file("a certificate", "client.pem"), auth_jwt.file("its key", "client.key")

    assert ("skipped", "ApiUrl", "it asks for a client certificate") in lines(auth_jwt)
    assert api[0].headers == []
    shown = lines(auth_jwt, "--certificate", files[0], "--certificate-key", files[1])
    assert ("ok", "ApiUrl", "a forged token is denied") in shown
    assert not {"authorization", "x-api-key"} & {name for headers in api[0].headers for name in headers}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--certificate", "client.pem"], "--certificate and --certificate-key belong together"),
        (["--certificate", "none.pem", "--certificate-key", "none.key"], "there is no file 'none.pem'"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(auth_jwt: CommandLine, arguments: list[str], told: str) -> None:
    assert told in auth_jwt("doctor", *arguments, exit_code=2).stderr


def test_a_private_api_is_not_reached_from_here(
    auth_jwt: CommandLine, api: tuple[Api, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    an_alarm(monkeypatch)
    protect()
    auth_jwt("profile", "add", CANARY, "--username", "canary-bird", "--generate")
    deploy(api[1], gate="private")

    assert ("skipped", "ApiUrl", "it is reached only through the VPC endpoint") in lines(auth_jwt)
    assert api[0].headers == []


# -- no examination at all --------------------------------------------------------------------------------------------


def test_a_stack_that_is_not_there(auth_jwt: CommandLine) -> None:
    shown = auth_jwt("doctor", "--stack", "auth-jw", exit_code=1)

    assert (
        "there is no stack 'auth-jw' in this account and region: check --stack, --region and --profile" in shown.stderr
    )
    assert shown.stdout == ""


def test_without_credentials(auth_jwt: CommandLine) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}
    from typer.testing import CliRunner

    from auth_jwt_cli.main import app

    shown = CliRunner().invoke(app, ["doctor"], env={**auth_jwt.environment, **nobody})

    assert shown.exit_code == 4
    assert "AWS credentials are missing: the default profile has none. Log in to AWS" in shown.stderr


def test_without_permission(auth_jwt: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, "DescribeStacks", "AccessDenied")

    shown = auth_jwt("doctor", exit_code=4)
    assert "cloudformation:DescribeStacks of stack 'auth-jwt' is refused: AccessDenied" in shown.stderr
    assert "The permission is missing: arn:aws:sts::123456789012:user/moto may not do this in region" in shown.stderr


def test_an_aws_that_is_busy_is_no_finding(auth_jwt: CommandLine, stack: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, "DescribeAlarms", "ThrottlingException", 400)

    shown = auth_jwt("doctor", exit_code=4)
    assert "cloudwatch:DescribeAlarms of 'the alarms' is throttled" in shown.stderr

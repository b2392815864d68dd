"""The check of a release asks the real handlers, over tables in memory; Lambda and CodeDeploy are stood in for.

A version that is broken in one way after another must be refused, and what the check writes must hold no token.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from auth_jwt.errors import Fault, NotReleased
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.releasing.canary import Canary, forge
from auth_jwt.releasing.check import Answered, check_authorize, check_gateway_authorizer
from auth_jwt.releasing.deployments import Deployments, TrafficHook
from tests.factories import octets_of, segment
from tests.fakes import Clock, LambdaContext
from tools.events.stage import (
    REGION,
    SAMPLES,
    create_tables,
    environment,
    lambda_environment,
    load_handler,
    read_json,
    template,
)

CANARY = "alice-web"
HOOK = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "execution-1"}
AUTHORIZE, GATEWAY = (f"arn:aws:lambda:{REGION}:123456789012:function:{name}:7" for name in ("authorize", "gateway"))
Handler = Callable[[Any, object], Any]
Check = Callable[[Any, str, Canary | None], None]


@dataclass
class Functions:
    """Lambda: its versions are handlers in this process, and `live` names one number."""

    handlers: dict[str, Handler]
    variables: dict[str, str]
    live: str = "6"
    routing: dict[str, Any] | None = None
    refusals: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    output: io.StringIO = field(default_factory=io.StringIO)

    def invoke(self, **asked: Any) -> dict[str, Any]:
        """Answer as Lambda does: an error of the function is an answer, too."""
        version = asked["FunctionName"]
        if self.refusals:
            raise ClientError(
                {"Error": {"Code": self.refusals.pop(0)}, "ResponseMetadata": {"HTTPStatusCode": 409}},  # type: ignore[typeddict-item]
                "Invoke",
            )
        self.asked.append(version)
        try:
            with redirect_stdout(self.output):
                given = self.handlers[version](json.loads(asked["Payload"]), LambdaContext())
        except Exception as error:  # noqa: BLE001 - Lambda reports any
            told = {"errorMessage": str(error), "errorType": type(error).__name__}
            return {"Payload": io.BytesIO(json.dumps(told).encode()), "FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(given).encode())}

    def get_function_configuration(self, **asked: Any) -> dict[str, Any]:
        """Return what of a version's configuration is read."""
        assert asked == {"FunctionName": AUTHORIZE}
        return {"Environment": {"Variables": self.variables}}

    def get_alias(self, **asked: Any) -> dict[str, Any]:
        """Return the alias `live` of a function, by its ARN without a version."""
        assert (asked["FunctionName"].count(":"), asked["Name"]) == (6, "live")
        return {"FunctionVersion": self.live, "RoutingConfig": self.routing}


@dataclass
class World:
    """The hook, what it asks, and what it told CodeDeploy."""

    app: Any
    functions: Functions
    codedeploy: Any
    stub: Stubber
    lines: list[dict[str, Any]] = field(default_factory=list)
    written: str = ""

    def expect(self, status: str, *, creator: str = "CloudFormation") -> None:
        """Let CodeDeploy say who made the deployment, and take *status* and nothing else."""
        self.stub.add_response(
            "get_deployment",
            {"deploymentInfo": {"deploymentId": HOOK["DeploymentId"], "creator": creator}},
            {"deploymentId": HOOK["DeploymentId"]},
        )
        self.stub.add_response(
            "put_lifecycle_event_hook_execution_status",
            {"lifecycleEventHookExecutionId": "execution-1"},
            {"deploymentId": "d-ABCDEF123", "lifecycleEventHookExecutionId": "execution-1", "status": status},
        )

    def ask(self, event: object = HOOK) -> Any:
        """Give the hook an event; keep its lines."""
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                return self.app.lambda_handler(deepcopy(event), LambdaContext())
        finally:
            self.written = output.getvalue() + self.functions.output.getvalue()
            self.lines = [json.loads(line) for line in output.getvalue().splitlines()]

    def is_refused(self, text: str) -> None:
        """The release is refused, by a line that says *text*."""
        self.expect("Failed")
        assert self.ask() == {"passed": False}
        (line,) = self.lines
        assert (line["outcome"], line["reason"]) == ("fault", "not_released")
        assert text in line["causes"][0]["message"]


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    variables = lambda_environment(template(), {"DYNAMODB_CLIENT": "boto3"}, "gateway_authorizer")
    own = {
        "CANARY_TAG": CANARY,
        "AUTHORIZE_VERSION": AUTHORIZE,
        "GATEWAY_AUTHORIZER_VERSION": GATEWAY,
        "POWERTOOLS_SERVICE_NAME": "",
    }
    with environment({**variables, **own}), mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client, template())
        client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
        handlers = {AUTHORIZE: load_handler("authorize"), GATEWAY: load_handler("gateway_authorizer")}
        app: Any = load_handler("release_check").__globals__
        functions = Functions(handlers, variables)
        codedeploy = boto3.client("codedeploy", region_name=REGION)
        made = Deployments(functions, codedeploy, sleep=lambda _: None)

        class App:
            lambda_handler = staticmethod(app["lambda_handler"])
            aws = staticmethod(app["aws"])
            reject_write = staticmethod(app["_reject_write"])

        app["journal"].cache_clear()
        monkeypatch.setitem(app, "aws", lambda: made)
        with Stubber(codedeploy) as stub:
            yield World(App, functions, codedeploy, stub)
            stub.assert_no_pending_responses()


def test_working_versions_pass(world: World) -> None:
    """Each is asked three things: a ping, the canary, a forger."""
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}
    assert world.functions.asked == [AUTHORIZE] * 3 + [GATEWAY] * 3
    (line,) = world.lines
    assert (line["outcome"], line["deployment"], line["service"]) == ("done", "d-ABCDEF123", "release_check")


@pytest.mark.parametrize(
    ("revocations", "asked"),
    [
        pytest.param("", {"GetItem jwt_profiles", "Query jwt_secrets"}, id="usually"),
        pytest.param(
            "jwt_revocations",
            {"GetItem jwt_profiles", "Query jwt_secrets", "GetItem jwt_revocations"},
            id="with a table of revoked tokens",
        ),
    ],
)
def test_the_check_asks_the_tables_what_its_role_may_ask_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch, revocations: str, asked: set[str]
) -> None:
    """`tests/template/test_gradual.py` says what it may: these, for the tag of the canary alone."""
    world.functions.variables["REVOCATIONS_TABLE"] = revocations
    for version in (AUTHORIZE, GATEWAY):  # whose own reads are not looked at here
        world.functions.handlers[version] = lambda *_: {}
    calls: list[tuple[str, str]] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(made: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if made.meta.service_model.service_name != "codedeploy":
            calls.append((f"{operation} {arguments.get('TableName')}", json.dumps(arguments, default=str)))
        return original(made, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    world.expect("Failed")
    world.ask()

    assert {call for call, _ in calls} == asked
    assert all(CANARY in arguments for _, arguments in calls)


def test_without_a_canary_a_ping_is_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TAG", "")
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}
    assert world.functions.asked == [AUTHORIZE, GATEWAY]


def test_a_stack_without_the_authorizer_asks_one_version(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_AUTHORIZER_VERSION", "")
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}
    assert world.functions.asked == [AUTHORIZE] * 3


def test_an_authorizer_that_refuses_by_a_policy_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHORIZER_REFUSAL", "deny")
    world.functions.handlers[GATEWAY] = load_handler("gateway_authorizer")
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}


def broken(handler: Handler, answers: Callable[[Any, Any], Any]) -> Handler:
    return lambda event, context: answers(event, handler(event, context))


def raising(event: Any, answer: Any) -> Any:
    raise ValueError("a value that nobody may see")


@pytest.mark.parametrize(
    ("version", "answers", "text"),
    [
        pytest.param(AUTHORIZE, raising, "authorize does not answer a ping: it fails with 'ValueError'", id="it dies"),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: {} if "warmer" in event else answer,
            "authorize does not answer a ping: its answer has no usable 'ping'",
            id="it knows no ping",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: {**answer, "code": -1} if "jwt_token" in event else answer,
            "authorize does not let the canary in: code is -1",
            id="it denies everybody",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: {**answer, "sip_username": "bob"} if "jwt_token" in event else answer,
            "authorize names another user",
            id="it names another user",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: (
                {"code": 1, "sip_username": "alice"} if "jwt_token" in event and answer["code"] == -1 else answer
            ),
            "authorize does not deny a forged token of the canary: code is 1",
            id="it lets everybody in",
        ),
        pytest.param(GATEWAY, raising, "gateway_authorizer does not answer a ping", id="the authorizer dies"),
        pytest.param(
            GATEWAY,
            lambda event, answer: (
                {"policyDocument": {"Statement": [{"Effect": "Deny"}]}} if "type" in event else answer
            ),
            "gateway_authorizer does not let the canary in: its policy says ['Deny']",
            id="the authorizer denies everybody",
        ),
        pytest.param(
            GATEWAY,
            lambda event, answer: {**answer, "context": {"sip_username": "bob"}} if "type" in event else answer,
            "gateway_authorizer names another user",
            id="the authorizer names another user",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: [answer] if "jwt_token" in event else answer,
            "authorize does not let the canary in: its answer has no usable 'code'",
            id="it answers with a list",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: [answer] if "jwt_token" in event and answer["code"] == -1 else answer,
            "authorize does not deny a forged token of the canary: its answer has no usable 'code'",
            id="it denies with a list",
        ),
        pytest.param(
            AUTHORIZE,
            lambda event, answer: {**answer, "code": "1"} if "jwt_token" in event else answer,
            "authorize does not let the canary in: its answer has no usable 'code'",
            id="it writes its code as text",
        ),
        *(
            pytest.param(
                GATEWAY,
                lambda event, answer, policy=policy: policy if "type" in event else answer,
                "gateway_authorizer does not let the canary in: its policy says []",
                id=f"the authorizer answers {policy}",
            )
            for policy in (
                *("Allow", {}, {"policyDocument": "Allow"}, {"policyDocument": {"Statement": "Allow"}}),
                {"policyDocument": {"Statement": ["Allow"]}},
            )
        ),
        pytest.param(
            GATEWAY,
            lambda event, answer: {**answer, "context": "alice"} if "type" in event else answer,
            "gateway_authorizer names another user",
            id="the authorizer names nobody",
        ),
        pytest.param(
            GATEWAY,
            lambda event, answer: (
                {"policyDocument": {"Statement": [{"Effect": f"{number}"} for number in range(4)]}}
                if "type" in event
                else answer
            ),
            "its policy says ['0', '1', '2']",
            id="the authorizer says much",
        ),
    ],
)
def test_a_version_that_is_broken_is_refused(world: World, version: str, answers: Any, text: str) -> None:
    world.functions.handlers[version] = broken(world.functions.handlers[version], answers)

    world.is_refused(text)
    assert "nobody may see" not in world.written


def test_an_authorizer_that_lets_forgers_in_is_refused(world: World) -> None:
    handler = world.functions.handlers[GATEWAY]
    allowed: list[Any] = []

    def lenient(event: Any, context: object) -> Any:
        try:
            allowed.append(handler(event, context))
        except Exception:  # noqa: BLE001 - a refusal
            return allowed[-1]
        return allowed[-1]

    world.functions.handlers[GATEWAY] = lenient
    world.is_refused("gateway_authorizer does not deny a forged token of the canary: its policy says ['Allow']")


def test_an_authorizer_that_dies_of_a_forged_token_is_refused(world: World) -> None:
    """A refusal is an error to Lambda, too: only the text tells them apart."""
    handler = world.functions.handlers[GATEWAY]

    def dying(event: Any, context: object) -> Any:
        try:
            return handler(event, context)
        except Exception:  # noqa: BLE001
            raise MemoryError from None

    world.functions.handlers[GATEWAY] = dying
    world.is_refused("gateway_authorizer does not deny a forged token of the canary: it fails with 'MemoryError'")


ALLOW: dict[str, Any] = {
    "policyDocument": {"Statement": [{"Effect": "Allow"}]},
    "context": {"sip_username": "alice"},
}
DENY: dict[str, Any] = {"policyDocument": {"Statement": [{"Effect": "Deny"}]}}


@pytest.mark.parametrize(
    ("check", "answers", "text"),
    [
        pytest.param(
            check_authorize,
            [Answered({"code": 1, "sip_username": "alice"}, failed=True)],
            "authorize does not let the canary in: it fails",
            id="it lets in and dies",
        ),
        pytest.param(
            check_authorize,
            [Answered({"code": 1, "sip_username": "alice"}), Answered({"code": -1}, failed=True)],
            "authorize does not deny a forged token of the canary: it fails",
            id="it denies and dies",
        ),
        pytest.param(
            check_gateway_authorizer,
            [Answered(ALLOW, failed=True)],
            "gateway_authorizer does not let the canary in: it fails",
            id="the authorizer lets in and dies",
        ),
        pytest.param(
            check_gateway_authorizer,
            [Answered(ALLOW), Answered(DENY, failed=True)],
            "gateway_authorizer does not deny a forged token of the canary: it fails",
            id="the authorizer denies and dies",
        ),
        pytest.param(
            check_gateway_authorizer,
            [Answered(ALLOW), Answered({"errorMessage": "Unauthorized"})],
            r"gateway_authorizer does not deny a forged token of the canary: its policy says \[\]",
            id="the authorizer tells API Gateway nothing",
        ),
        pytest.param(
            check_gateway_authorizer,
            [Answered(ALLOW), Answered(["Unauthorized"], failed=True)],
            "gateway_authorizer does not deny a forged token of the canary: it fails",
            id="the authorizer dies otherwise",
        ),
    ],
)
def test_half_an_answer_is_none(check: Check, answers: list[Answered], text: str) -> None:
    """A function that fails has not answered, whatever it wrote, and a refusal that is no failure refuses nobody."""
    given = iter([Answered({"ping": "pong"}), *answers])

    with pytest.raises(NotReleased, match=text):
        check(lambda *_: next(given), AUTHORIZE, Canary("alice-web", "alice", "e30.e30.AA", "e30.e30._w"))


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"errorType": "E" * 81}, f"it fails with {'E' * 80!r}; its log"),
        ({}, "it fails with 'an unknown error'"),
        (None, "it fails with 'an unknown error'"),
    ],
    ids=["much", "nothing", "no object"],
)
def test_of_an_error_no_more_is_told_than_a_line_holds(told: object, text: str) -> None:
    with pytest.raises(NotReleased, match=text):
        check_authorize(lambda *_: Answered(told, failed=True), AUTHORIZE, None)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        pytest.param("nobody", "no token of the canary can be minted: there is no profile 'nobody'", id="no profile"),
        pytest.param("mallory-web", "no token of the canary can be minted", id="no secret that signs"),
    ],
)
def test_a_canary_that_cannot_sing_stops_the_release(
    world: World, monkeypatch: pytest.MonkeyPatch, tag: str, text: str
) -> None:
    """It was asked for: a release that is not checked is none."""
    monkeypatch.setenv("CANARY_TAG", tag)

    world.is_refused(text)


def test_a_hook_that_was_not_told_of_the_new_versions_refuses(world: World) -> None:
    """Or it would check the release before, and say yes."""
    world.functions.live = "7"

    world.is_refused("every version that this function knows is live already")


def test_a_release_may_leave_one_function_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    unchanged = GATEWAY.replace(":7", ":6")
    monkeypatch.setenv("GATEWAY_AUTHORIZER_VERSION", unchanged)
    world.functions.handlers[unchanged] = world.functions.handlers[GATEWAY]
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}
    assert world.functions.asked == [AUTHORIZE] * 3 + [unchanged] * 3


def test_a_version_that_gets_a_part_of_the_traffic_is_not_live_yet(world: World) -> None:
    world.functions.live, world.functions.routing = "7", {"AdditionalVersionWeights": {"8": 0.1}}
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}


@pytest.mark.parametrize("creator", ["codeDeployRollback", "CloudFormationRollback"])
def test_the_way_back_is_never_barred(world: World, creator: str) -> None:
    """Whatever the new version answers, and even if the canary is gone."""
    world.functions.handlers.clear()
    world.expect("Succeeded", creator=creator)

    assert world.ask() == {"passed": True}
    assert world.functions.asked == []


def test_a_snapshot_that_is_not_ready_is_waited_for(world: World) -> None:
    world.functions.refusals = [
        *("SnapStartNotReadyException", "ResourceConflictException", "ResourceNotReadyException")
    ]
    world.expect("Succeeded")

    assert world.ask() == {"passed": True}


def test_a_snapshot_that_never_gets_ready_is_waited_for_two_minutes() -> None:
    """It is asked for every five seconds, and so once more when they are over."""
    clock, functions = Clock(), Functions({}, {}, refusals=["SnapStartNotReadyException"] * 100)
    began = clock.now
    versions = Deployments(functions, None, sleep=clock.pass_by, clock=clock)

    with pytest.raises(Fault, match="SnapStartNotReadyException"):
        versions.invoke(AUTHORIZE, {})

    assert (clock.now - began, 100 - len(functions.refusals)) == (120, 25)


def test_an_answer_that_is_no_json_is_nothing() -> None:
    """Lambda passes on what the function's runtime wrote."""

    class Broken(Functions):
        def invoke(self, **_: Any) -> dict[str, Any]:
            return {"Payload": io.BytesIO(b"<html>")}

    assert Deployments(Broken({}, {}), None).invoke(AUTHORIZE, {}) == Answered(None, failed=False)


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda aws: aws.invoke(AUTHORIZE, {}), "lambda:InvokeFunction on the new version"),
        (lambda aws: aws.variables_of(AUTHORIZE), "lambda:GetFunctionConfiguration of the new version"),
        (lambda aws: aws.is_live(AUTHORIZE), "lambda:GetAlias of live"),
        (lambda aws: aws.brings_back(TrafficHook("d-1", "e-1")), "codedeploy:GetDeployment"),
        (
            lambda aws: aws.report(TrafficHook("d-1", "e-1"), passed=True),
            "codedeploy:PutLifecycleEventHookExecutionStatus",
        ),
    ],
)
def test_a_permission_that_is_lacking_is_named(ask: Callable[[Deployments], object], what: str) -> None:
    class Forbidding:
        def __getattr__(self, name: str) -> Any:
            def refuse(**_: object) -> None:
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)

            return refuse

    with pytest.raises(Fault) as caught:
        ask(Deployments(Forbidding(), Forbidding()))

    assert str(caught.value) == f"{what} is refused: AccessDeniedException"


@pytest.mark.parametrize("answer", [{}, {"Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}}])
def test_settings_that_lambda_does_not_show_are_a_fault(answer: dict[str, Any]) -> None:
    """As where the key that they are encrypted by is out of reach."""

    class Silent(Functions):
        def get_function_configuration(self, **_: Any) -> dict[str, Any]:
            return answer

    with pytest.raises(Fault, match="does not return the variables"):
        Deployments(Silent({}, {}), None).variables_of(AUTHORIZE)


def test_a_version_that_may_not_be_invoked_is_refused(world: World) -> None:
    """A fault of the stack, and not of the version: the line says which."""
    world.functions.refusals = ["AccessDeniedException"]
    world.expect("Failed")

    assert world.ask() == {"passed": False}
    assert "lambda:InvokeFunction on the new version is refused: AccessDeniedException" in world.written


def test_a_setting_that_the_template_would_never_make_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHORIZE_VERSION", "authorize")
    world.expect("Failed")

    assert world.ask() == {"passed": False}
    assert world.lines[0]["reason"] == "bad_setting"
    assert "AUTHORIZE_VERSION" in world.lines[0]["causes"][0]["message"]


def test_when_codedeploy_takes_no_answer_lambda_tells(world: World) -> None:
    world.stub.add_client_error("get_deployment", "AccessDeniedException", http_status_code=400)
    world.stub.add_client_error("put_lifecycle_event_hook_execution_status", "ThrottlingException", "", 400)

    with pytest.raises(Fault, match="PutLifecycleEventHookExecutionStatus is throttled"):
        world.ask()


@pytest.mark.parametrize(
    "event",
    [
        {},
        [HOOK],
        {"DeploymentId": "d-1"},
        {"LifecycleEventHookExecutionId": "execution-1"},
        *({**HOOK, name: value} for name in HOOK for value in (7, "")),
    ],
)
def test_an_event_of_somebody_else_is_none(world: World, event: object) -> None:
    with pytest.raises(Fault, match="not a hook of CodeDeploy"):
        world.ask(event)
    assert world.lines[0]["reason"] == "unknown_event"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param(
            "dynamodb://eu-west-1", ("eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com"), id="another region"
        ),
        pytest.param("dynamodb+http://127.0.0.1:9", ("eu-central-1", "http://127.0.0.1:9"), id="a stand-in"),
    ],
)
def test_the_canary_is_read_where_the_settings_of_the_new_version_say(
    world: World, note_places: Callable[[], list[tuple[str, str]]], url: str, place: tuple[str, str]
) -> None:
    world.functions.variables["DB_URL"] = url
    places = note_places()
    world.expect("Failed")
    world.ask()

    assert set(places) == {place}


def test_the_clients_are_made_once_and_a_near_miss_is_warned_of(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANARY_TAGS", "alice-web")

    assert isinstance(world.app.aws(), Deployments)
    assert world.app.aws() is world.app.aws()
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["meant"] == "CANARY_TAG"


def test_a_check_that_wrote_would_be_a_fault(world: World) -> None:
    """Its role may not write either; this tells whoever changes the check."""
    with pytest.raises(Fault, match=r"has written: secret\.add"):
        world.app.reject_write(AuditEntry(0, "release_check", "secret.add", CANARY))


def test_nothing_that_is_written_holds_a_token(world: World) -> None:
    """Neither the check's own lines nor those of the versions."""
    tokens: list[str] = []
    handler = world.functions.handlers[AUTHORIZE]

    def listening(event: Any, context: object) -> Any:
        tokens.append(event.get("jwt_token", ""))
        return handler(event, context)

    world.functions.handlers[AUTHORIZE] = listening
    world.expect("Succeeded")

    world.ask()

    token, forged = (token for token in tokens if token)
    assert world.written
    for part in (*token.split("."), forged.split(".")[2]):
        assert part not in world.written


def test_a_forged_token_differs_in_its_signature_alone() -> None:
    token = "e30.e30.AAAA"

    assert forge(token) == "e30.e30._wAA"
    assert forge(forge(token)) == token


@pytest.mark.parametrize("length", [32, 48, 64, 256])
def test_a_forged_signature_is_as_long_as_the_true_one(length: int) -> None:
    """Of whatever algorithm: a version that looks at lengths alone is found out."""
    signature = segment(bytes(length))

    assert octets_of(forge(f"e30.e30.{signature}").rpartition(".")[2]) == b"\xff" + bytes(length - 1)

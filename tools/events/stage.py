"""The real handlers over DynamoDB in memory: the tables and settings of template.yaml, the rows of rows.json.

For the demo and for the tests, which differ in what they look at and not in what they run.
"""

import base64
import contextlib
import importlib.util
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = ROOT / "events"
REGION: Final = "eu-central-1"
STACK: Final = "auth-jwt"

OUTCOMES: Final = {
    "authorize": "outcomes.json",
    "gateway_authorizer": "outcomes-gateway-authorizer.json",
    "provisioning": "outcomes-provisioning.json",
}
"""The functions, and the file that says what each of their events is answered."""

RESOURCES: Final = {
    "authorize": "AuthorizeFunction",
    "gateway_authorizer": "GatewayAuthorizerFunction",
    "provisioning": "ProvisioningFunction",
    "rotate_secrets": "RotateSecretsFunction",
    "refresh_keys": "RefreshKeysFunction",
    "ending_secrets": "EndingSecretsFunction",
}
"""Functions, and their resources in template.yaml and its nested applications."""

APPLICATIONS: Final = {
    "provisioning": "Admin",
    "rotate_secrets": "Rotation",
    "refresh_keys": "Refresh",
    "ending_secrets": "EndingSecrets",
}
"""Functions that are in a nested application, and which."""

REVOCATIONS: Final = "jwt_revocations"
"""The sample table of revoked tokens: there, and empty. By default the template has none, so it is looked at only where
REVOCATIONS_TABLE names it; the sample tokens have no `jti`."""

FALSE_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a stand-in for AWS takes, and no account: the real ones are not looked for."""

Json = dict[str, Any]
Handler = Callable[[Json, object], Any]


def path_of(function: str) -> str:
    """Return where `sam build` writes a function, which is also how `sam local` knows it."""
    application = APPLICATIONS.get(function)
    return f"{application}/{RESOURCES[function]}" if application else RESOURCES[function]


@cache
def template() -> Json:
    """Return template.yaml with its short tags written out (``!Ref X`` as ``{"Ref": "X"}``).

    What it includes is in it, and so are the functions of its nested applications, as they are made: with their Globals
    and what the application gets for its parameters. It is read once, which takes a third of a second: not to be
    changed.
    """
    loaded = _load(ROOT / "template.yaml")
    for application in [one for one in loaded["Resources"].values() if one["Type"] == "AWS::Serverless::Application"]:
        inner = _load(ROOT / application["Properties"]["Location"])
        given = application["Properties"]["Parameters"]
        for name, resource in inner["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                everywhere, own = inner["Globals"]["Function"], resource["Properties"]
                usual = everywhere.get("Environment", {"Variables": {}})["Variables"]
                variables = usual | own["Environment"]["Variables"]
                properties = {**everywhere, **own, "Environment": {"Variables": variables}}
                loaded["Resources"][name] = {**resource, "Properties": _with_given(properties, given)}
    return loaded


def _with_given(node: object, given: Json) -> Any:  # noqa: ANN401 - any part of a template
    """Return part of an application's template with its parameters replaced by what is *given* for them."""
    if isinstance(node, list):
        return [_with_given(item, given) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in given:
        return given[node["Ref"]]
    if node.keys() == {"Fn::Sub"}:
        text = str(node["Fn::Sub"])
        for name, value in given.items():
            if f"${{{name}}}" in text:
                text = text.replace(f"${{{name}}}", f"${{{value['Ref']}}}")
        return {"Fn::Sub": text}
    return {name: _with_given(item, given) for name, item in node.items()}


def _load(path: Path) -> Json:
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader that knows CloudFormation's tags."""

    def construct(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> object:
        name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
        if isinstance(node, yaml.MappingNode):
            return {name: loader.construct_mapping(node, deep=True)}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        return {name: node.value}

    def with_includes(node: object) -> Any:  # noqa: ANN401 - any part of a template
        if isinstance(node, list):
            return [with_includes(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Fn::Transform"}:
            return _load(path.parent / node["Fn::Transform"]["Parameters"]["Location"])
        return {name: with_includes(item) for name, item in node.items()}

    Loader.add_multi_constructor("!", construct)
    return dict(with_includes(yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)))  # noqa: S506 - a SafeLoader


def with_defaults(value: object, parameters: Json) -> Any:  # noqa: ANN401 - any part of a template
    """Return *value* with every ``Ref`` to a parameter replaced by the parameter's default, and the stack named.

    Of an ``If`` it is the second branch: by default the stack has none of what the template's conditions add.
    """
    if isinstance(value, list):
        return [with_defaults(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::If"}:
        return with_defaults(value["Fn::If"][2], parameters)
    if value.keys() == {"Ref"} and value["Ref"] in parameters:
        return parameters[value["Ref"]]["Default"]
    if value.keys() == {"Fn::Sub"}:
        return value["Fn::Sub"].replace("${AWS::StackName}", STACK)
    return {name: with_defaults(item, parameters) for name, item in value.items()}


def lambda_environment(stack: Json, settings: Mapping[str, str], function: str = "authorize") -> dict[str, str]:
    """Return the variables the deployed *function* has by default, with *settings* on top and no real account."""
    everywhere = stack["Globals"]["Function"]["Environment"]["Variables"]
    own = stack["Resources"][RESOURCES[function]]["Properties"]["Environment"]["Variables"]
    variables = with_defaults(everywhere | own, stack["Parameters"])
    return {name: str(value) for name, value in variables.items()} | FALSE_CREDENTIALS | dict(settings)


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Replace whatever this shell says about AWS and Powertools by *variables*, and put it back afterwards."""
    before = dict(os.environ)
    kept = {name: value for name, value in before.items() if not name.startswith(("AWS_", "POWERTOOLS_"))}
    try:
        _set_environment({**kept, **variables})
        yield
    finally:
        _set_environment(before)


def _set_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)


def create_tables(client: "DynamoDBClient", stack: Json) -> None:
    """Create the tables of the template, under their default names (`REVOCATIONS` for one) and with their keys."""
    parameters = {**stack["Parameters"], "RevocationsTable": {"Default": REVOCATIONS}}
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            table = with_defaults(resource["Properties"], parameters)
            client.create_table(
                TableName=table["TableName"],
                AttributeDefinitions=table["AttributeDefinitions"],
                KeySchema=table["KeySchema"],
                BillingMode="PAY_PER_REQUEST",
            )


def read_json(path: Path) -> Json:
    """Return the object in a JSON file."""
    value: Json = json.loads(path.read_text(encoding="utf-8"))
    return value


def load_handler(function: str = "authorize") -> Handler:
    """Import a function's app.py as Lambda would: its folder and the layer on the path."""
    source = ROOT / "functions" / function / "app.py"
    for folder in (str(source.parent), str(ROOT / "layers" / "auth_jwt")):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"{function}_app", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {source}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda tells a function about its invocation."""

    aws_request_id: str
    function_name: str = "authorize"
    function_version: str = "$LATEST"
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:123456789012:function:authorize"
    memory_limit_in_mb: int = 512
    log_group_name: str = "/aws/lambda/authorize"
    log_stream_name: str = "demo"
    seconds_left: int = 10

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run."""
        return self.seconds_left * 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gave for an event, and what it wrote while it did."""

    given: Any
    """The Lambda function's result, or None when it raised."""
    raised: str | None
    lines: Sequence[str]
    seconds: float

    @property
    def is_http(self) -> bool:
        """Whether this is an HTTP answer."""
        return isinstance(self.given, dict) and "statusCode" in self.given

    @property
    def status(self) -> int | None:
        """The HTTP status."""
        return self.given["statusCode"] if self.is_http else None

    @property
    def headers(self) -> dict[str, str]:
        """The header fields, names in lower case, several values joined."""
        if not self.is_http:
            return {}
        many = self.given.get("multiValueHeaders") or {}
        one = {name: [value] for name, value in (self.given.get("headers") or {}).items()}
        return {name.lower(): ", ".join(map(str, values)) for name, values in (many | one).items()}

    @property
    def body(self) -> Any:  # noqa: ANN401 - whatever JSON it is
        """The body, decoded where it is JSON."""
        if not self.is_http:
            return self.given
        text = self.given.get("body") or ""
        if self.given.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return _json_or(text, text)

    def member(self, name: str) -> Any:  # noqa: ANN401
        """Return a member of the body, None where there is none."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    @property
    def effect(self) -> str | None:
        """What an authorizer's answer says, and of which part of an API; None for other answers."""
        if "isAuthorized" in (self.given or {}):
            return f"isAuthorized: {json.dumps(self.given['isAuthorized'])}"
        if not self.member("policyDocument"):
            return None
        (statement,) = self.given["policyDocument"]["Statement"]
        resources = (str(resource).rpartition(":")[2] for resource in statement["Resource"])
        return f"{statement['Effect']} {' '.join(resources)}"

    @property
    def is_good(self) -> bool:
        """Whether somebody is let in, or nothing was asked that could be refused."""
        allowed = self.effect is not None and self.effect.startswith(("Allow", "isAuthorized: true"))
        return self.status == 200 or self.member("code") == 1 or allowed

    @property
    def denial(self) -> str | None:
        """The reason in the log, when the outcome there is a denial; only those have stable reasons."""
        reason = self.record.get("reason")
        return str(reason) if self.record.get("outcome") == "denied" else None

    @property
    def record(self) -> Json:
        """The log line of the request: the one that says the outcome."""
        records = (_json_or(line, None) for line in self.lines)
        found = [record for record in records if isinstance(record, dict) and "outcome" in record]
        return next(reversed(found), {})


def _json_or(text: str, otherwise: object) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except ValueError:
        return otherwise


@dataclass(slots=True)
class Stage:
    """A handler over tables in memory, its output kept off the screen."""

    handler: Handler
    tables: "DynamoDBClient"
    function: str = "authorize"
    printed: io.StringIO = field(default_factory=io.StringIO)
    asked: int = 0

    def ask(self, event: Json) -> Answer:
        """Give *event* to the handler."""
        given, raised = None, None
        self.asked += 1
        request_id = f"00000000-0000-4000-8000-{self.asked:012}"
        timeout = _timeout_of(self.function)
        context = LambdaContext(function_name=self.function, aws_request_id=request_id, seconds_left=timeout)
        begun = time.perf_counter()
        with contextlib.redirect_stdout(self.printed):
            try:
                given = self.handler(event, context)
            except Exception as exc:  # noqa: BLE001 - a direct invocation may raise; Lambda would report it
                raised = f"{type(exc).__name__}: {exc}"
        seconds = time.perf_counter() - begun
        lines = self.printed.getvalue().splitlines()
        self.printed.seek(0)
        self.printed.truncate()
        return Answer(given, raised, lines, seconds)


def _timeout_of(function: str) -> int:
    own = template()["Resources"][RESOURCES[function]]["Properties"]
    return int(own.get("Timeout", template()["Globals"]["Function"]["Timeout"]))


@contextlib.contextmanager
def stage(settings: Mapping[str, str], function: str = "authorize") -> Iterator[Stage]:
    """Set up tables, rows and the handler of *function* in this process, and take them down again."""
    stack = template()
    # moto in this process is put between boto3 and its sockets.
    with environment(lambda_environment(stack, {"DYNAMODB_CLIENT": "boto3", **settings}, function)):
        import boto3
        from moto import mock_aws

        with mock_aws():
            client = boto3.client("dynamodb", region_name=REGION)
            create_tables(client, stack)
            client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
            yield Stage(load_handler(function), client, function)

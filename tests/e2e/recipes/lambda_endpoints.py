"""Lambda's two doors on loopback, with the real handler behind them: the Invoke API and a Function URL.

What is Lambda's part is done here as Lambda does it: signatures are checked, permissions are those that the templates
give, an environment works on one request at a time, an error of the function is told with status 200 by the one door
and with 502 by the other.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Final
from urllib.parse import unquote
from uuid import uuid4

import boto3
from botocore.config import Config
from moto.core.model_instances import reset_model_data
from moto.server import ThreadedMotoServer

from tests.e2e.recipes.signatures import Flaw, Signed, signer_of
from tools.events.stage import (
    REGION,
    ROOT,
    SAMPLES,
    Handler,
    LambdaContext,
    create_tables,
    environment,
    lambda_environment,
    load_handler,
    read_json,
    template,
)
from tools.template.stack import PSEUDO_PARAMETERS, Resolver, sources

LOOPBACK: Final = "127.0.0.1"
ALIAS_ARN: Final = f"arn:aws:lambda:{REGION}:{PSEUDO_PARAMETERS['AWS::AccountId']}:function:auth-jwt-authorize:live"
ROLE_ARN: Final = f"arn:aws:iam::{PSEUDO_PARAMETERS['AWS::AccountId']}:role/sip-frontend"
FOLDER: Final = ROOT / "frontends" / "aws"
_INVOCATIONS: Final = "/2015-03-31/functions/"

Json = dict[str, Any]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key of the SIP frontend's role."""

    id: str
    secret: str = field(repr=False)


FRONTEND: Final = Keys("AKIDFRONTEND", "not-a-secret-of-anybody")
"""Of the role that the templates were deployed for."""
STRANGER: Final = Keys("AKIDSTRANGER", "nor-is-this-one")
"""Of a role in the same account that was given no permission."""


def deployed(name: str, **parameters: str) -> Json:
    """Return the resources of a template of frontends/aws, every reference written out.

    Args:
        name: of the file, without its ending.
        parameters: those without a default, at least.
    """
    text = sources(FOLDER / f"{name}.yaml")
    defaults = {key: value["Default"] for key, value in text["Parameters"].items() if "Default" in value}
    missing = text["Parameters"].keys() - defaults.keys() - parameters.keys()
    assert not missing, f"no value for {missing}"
    resolver = _Resolver(defaults | parameters, {}, text["Resources"])
    resolved: Json = resolver.resolve({part: text[part] for part in ("Resources", "Outputs") if part in text})
    return resolved


@dataclass(frozen=True)
class _Resolver(Resolver):
    """Knows two functions more."""

    FUNCTIONS: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {
        **Resolver.FUNCTIONS,
        "Fn::Join": lambda self, argument: argument[0].join(map(str, self.resolve(argument[1]))),
        "Fn::Split": lambda self, argument: str(self.resolve(argument[1])).split(argument[0]),
        "Fn::Select": lambda self, argument: self.resolve(argument[1])[int(argument[0])],
    }


@dataclass(frozen=True, slots=True)
class Grants:
    """What the frontend's role may do, read from the templates.

    Attributes:
        invokes: ARNs that it may invoke by the SDK.
        url_target: function and alias behind the Function URL.
        url_actions: what it may do by way of the URL, and to which ARN.
    """

    invokes: frozenset[str]
    url_target: str
    url_actions: frozenset[tuple[str, str]]

    @classmethod
    def of_the_templates(cls) -> "Grants":
        """Deploy both on paper, for this role and alias."""
        direct = deployed("direct-invoke", AuthorizeFunctionArn=ALIAS_ARN, FrontendRoleName="sip-frontend")
        (statement,) = direct["Resources"]["MayInvoke"]["Properties"]["PolicyDocument"]["Statement"]
        by_url = deployed("function-url", AuthorizeFunctionArn=ALIAS_ARN, FrontendPrincipalArn=ROLE_ARN)["Resources"]
        url = by_url["AuthorizeFunctionUrl"]["Properties"]
        permissions = [made["Properties"] for made in by_url.values() if made["Type"] == "AWS::Lambda::Permission"]
        return cls(
            frozenset({statement["Resource"]} if statement["Action"] == "lambda:InvokeFunction" else ()),
            f"{url['TargetFunctionArn']}:{url['Qualifier']}",
            frozenset((one["Action"], one["FunctionName"]) for one in permissions if one["Principal"] == ROLE_ARN),
        )

    def may_use_the_url(self) -> bool:
        """Tell whether both permissions are there that Lambda wants since October 2025."""
        needed = {(action, self.url_target) for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")}
        return needed <= self.url_actions


@dataclass(frozen=True, slots=True)
class Doors:
    """Where Lambda is.

    Attributes:
        port: on loopback.
        calls: a line for each request that came: port of its connection, status of its answer.
    """

    port: int
    calls: list[str]
    _lambda: "_Lambda" = field(repr=False)

    def invoke(self, event: Json) -> None:
        """Have somebody else invoke the function, whom the answer does not matter to."""
        with suppress(_FunctionError):
            self._lambda.invoke(event)

    @property
    def endpoint_url(self) -> str:
        """The Invoke API's."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def function_url(self) -> str:
        """What function-url.yaml's output AuthorizeUrl would be."""
        url = deployed("function-url", AuthorizeFunctionArn=ALIAS_ARN, FrontendPrincipalArn=ROLE_ARN)
        text = str(url["Outputs"]["AuthorizeUrl"]["Value"])
        return text.replace("<AuthorizeFunctionUrl.FunctionUrl>", f"{self.endpoint_url}/")


@contextmanager
def tables() -> Iterator[str]:
    """DynamoDB on loopback with the sample rows, as a DB_URL; one at a time, since moto has one memory in a process."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with environment(lambda_environment(template(), {})):
            client = boto3.client(
                "dynamodb", endpoint_url=f"http://{LOOPBACK}:{port}", config=Config(proxies={}, read_timeout=10)
            )
            create_tables(client, template())
            client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
            client.close()
        yield f"dynamodb+http://{LOOPBACK}:{port}/{REGION}"
    finally:
        reset_model_data()
        server.stop()


@contextmanager
def doors(environments: int = 1, **settings: str) -> Iterator[Doors]:
    """Open both doors to the real handler with *settings*.

    Args:
        environments: how many requests may be worked on at once (ReservedConcurrency); others are throttled.
        settings: on top of those of the samples.
    """
    usual = read_json(SAMPLES / "outcomes.json")["settings"]
    health = {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/health"}
    with environment(lambda_environment(template(), {**usual, **settings})):
        idle: SimpleQueue[Handler] = SimpleQueue()
        for _ in range(environments):
            handler = load_handler()
            handler(health, _context())  # which reads the settings, while they stand in the environment
            idle.put(handler)
        server = _Server((LOOPBACK, 0), _Door)
        server.lambda_ = _Lambda(idle, Grants.of_the_templates())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Doors(server.server_port, server.lambda_.calls, server.lambda_)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Throttled(Exception):
    """All environments are at work."""


class _FunctionError(Exception):
    """The handler raised; what Lambda says of it."""


@dataclass(frozen=True, slots=True)
class _Lambda:
    idle: SimpleQueue[Handler]
    grants: Grants
    calls: list[str] = field(default_factory=list)

    def invoke(self, event: Json) -> bytes:
        """Run the handler, its event and its result passed on as JSON."""
        try:
            handler = self.idle.get_nowait()
        except Empty:
            raise _Throttled from None
        try:
            return json.dumps(handler(event, _context())).encode()
        except Exception as error:
            raise _FunctionError(type(error).__name__, str(error)) from error
        finally:
            self.idle.put(handler)


class _Server(ThreadingHTTPServer):
    lambda_: _Lambda


class _Door(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Signed("POST", self.path, headers, body)
        signer = signer_of(
            request, {key.id: key.secret for key in (FRONTEND, STRANGER)}, region=REGION, service="lambda"
        )
        door = self._invoke_api if self.path.startswith(_INVOCATIONS) else self._function_url
        status, told, answer = door(request, signer)
        self.server.lambda_.calls.append(f"{self.client_address[1]} {status}")
        with suppress(OSError):  # who asked may have gone
            self._answer(status, told, answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Keep quiet."""

    def _invoke_api(self, request: Signed, signer: str | Flaw) -> tuple[int, Headers, bytes]:
        function = unquote(request.path.removeprefix(_INVOCATIONS).removesuffix("/invocations"))
        if isinstance(signer, Flaw):
            return _refusal(403, signer.value)
        if signer != FRONTEND.id or function not in self.server.lambda_.grants.invokes:
            return _refusal(403, "AccessDeniedException")
        try:
            return 200, {"X-Amz-Executed-Version": "1"}, self.server.lambda_.invoke(json.loads(request.body))
        except _Throttled:
            status, headers, _ = _refusal(429, "TooManyRequestsException")
            reason = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"}
            return status, headers, json.dumps({**reason, "message": "Rate Exceeded."}).encode()
        except _FunctionError as error:
            kind, message = error.args
            told = {"errorMessage": message, "errorType": kind, "requestId": str(uuid4()), "stackTrace": []}
            return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(told).encode()

    def _function_url(self, request: Signed, signer: str | Flaw) -> tuple[int, Headers, bytes]:
        grants = self.server.lambda_.grants
        if isinstance(signer, Flaw):
            return 403, {"x-amzn-ErrorType": signer.value}, b'{"Message":"Forbidden"}'
        if signer != FRONTEND.id or grants.url_target != ALIAS_ARN or not grants.may_use_the_url():
            return 403, {"x-amzn-ErrorType": "AccessDeniedException"}, b'{"Message":"Forbidden"}'
        try:
            given = json.loads(self.server.lambda_.invoke(_event_of(request, signer)))
        except _Throttled:
            return 429, {"x-amzn-ErrorType": "TooManyRequestsException"}, b'{"Reason":"","message":"Rate Exceeded."}'
        except _FunctionError:
            return 502, {}, b"Internal Server Error"
        return given["statusCode"], given["headers"], given["body"].encode()

    def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _refusal(status: int, kind: str) -> tuple[int, Headers, bytes]:
    return status, {"x-amzn-ErrorType": kind}, json.dumps({"message": kind}).encode()


def _context() -> LambdaContext:
    return LambdaContext(str(uuid4()), function_version="1", invoked_function_arn=ALIAS_ARN)


def _event_of(request: Signed, access_key: str) -> Json:
    """Return the event, payload 2.0, that a function gets by its URL with AuthType AWS_IAM."""
    host = request.headers["host"]
    iam = {"accessKey": access_key, "accountId": ROLE_ARN.split(":")[4], "callerId": "AROASAMPLE:frontend"}
    is_text = request.headers.get("content-type", "").startswith(("application/json", "text/"))
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": "",
        "headers": dict(request.headers),
        "requestContext": {
            "accountId": ROLE_ARN.split(":")[4],
            "apiId": host.partition(".")[0],
            "authentication": None,
            "authorizer": {"iam": {**iam, "cognitoIdentity": None, "userArn": ROLE_ARN, "userId": "AROASAMPLE"}},
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": LOOPBACK,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": str(uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "body": request.body.decode() if is_text else base64.b64encode(request.body).decode(),
        "isBase64Encoded": not is_text,
    }

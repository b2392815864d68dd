"""What API Gateway does before and after the function: an HTTP request to a REST API's event, its answer to HTTP.

Paths, gates and the gateway's own answers are those of template.yaml.
"""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

Json = dict[str, Any]
Pairs = Sequence[tuple[str, str]]

STAGE: Final = "local"
API_ID: Final = "localhost"
ACCOUNT: Final = "123456789012"
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
"""API Gateway's limit."""

LOCAL_OPERATOR: Final = f"arn:aws:iam::{ACCOUNT}:user/local"
"""Who IAM would say asks the admin API: nobody signs a request here."""

_GREEDY: Final = "{proxy+}"
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_ANY: Final = "x-amazon-apigateway-any-method"
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_HEADER_OF_A_RESPONSE: Final = "gatewayresponse.header."


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sent.

    Attributes:
        method: as sent.
        path: as sent, percent-encoded: REST APIs hand it on like that.
        query: without its question mark, still encoded.
        headers: names and values, in order.
        body: as sent.
        client: the client's address.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    client: str

    def first(self, name: str) -> str | None:
        """Return the first value of a header field, by its name in lower case."""
        return next((value for given, value in self.headers if given.lower() == name), None)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the client gets."""

    status: int
    headers: Pairs
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RestApi:
    """A REST API with Lambda proxy integrations.

    Attributes:
        document: the API's OpenAPI body in template.yaml, intrinsic functions written out.
        api_key: what callers must send as `x-api-key`; None lets everybody in.
        actor: the ARN that IAM would have found for every caller; None asks no IAM. Pages of other origins, which a
            browser here may show, are no callers: see `refusal_of`.
    """

    document: Json
    api_key: str | None = field(default=None, repr=False)
    actor: str | None = None

    def resource_of(self, path: str) -> str:
        """Return which resource of the API a path is."""
        greedy = next(resource for resource in self.document["paths"] if resource.endswith(_GREEDY))
        return path if path in self.document["paths"] and path != greedy else greedy

    def refusal_of(self, request: HttpRequest, request_id: str) -> HttpAnswer | None:
        """Return what the gateway answers by itself; None when the function is asked."""
        if len(request.body) > MAX_BODY_BYTES:
            return self.own_answer("REQUEST_TOO_LARGE", request_id)
        if self.actor is not None and not _is_of_this_machine(request):
            return self.own_answer("ACCESS_DENIED", request_id)
        if self.api_key is None or not self._is_gated(request):
            return None
        given = (request.first("x-api-key") or "").encode()
        if secrets.compare_digest(given, self.api_key.encode()):
            return None
        return self.own_answer("INVALID_API_KEY", request_id)

    def event_of(self, request: HttpRequest, request_id: str) -> Json:
        """Return the event, payload 1.0, that a Lambda function gets of *request*."""
        resource = self.resource_of(request.path)
        headers = [*_passed_on(request.headers), *_added_by_the_gateway(request)]
        query = parse_qsl(request.query, keep_blank_values=True)
        return {
            "resource": resource,
            "path": request.path,
            "httpMethod": request.method,
            "headers": dict(headers),
            "multiValueHeaders": _all_values(headers),
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": _all_values(query) or None,
            "pathParameters": _proxied(request.path, resource),
            "stageVariables": None,
            "requestContext": self._context_of(request, request_id, resource),
            **_body(request.body),
        }

    def answer_of(self, given: Mapping[str, Any], request_id: str) -> HttpAnswer:
        """Return the HTTP answer that a function's result stands for.

        Raises:
            LookupError, TypeError, ValueError: it is none; API Gateway would answer 502.
        """
        many = given.get("multiValueHeaders") or {}
        one = given.get("headers") or {}
        headers = [(str(name), str(value)) for name, values in many.items() for value in values]
        headers += [(str(name), str(value)) for name, value in one.items() if name not in many]
        text = str(given.get("body") or "")
        body = base64.b64decode(text, validate=True) if given.get("isBase64Encoded") else text.encode()
        return HttpAnswer(int(given["statusCode"]), [*headers, ("x-amzn-RequestId", request_id)], body)

    def own_answer(self, kind: str, request_id: str) -> HttpAnswer:
        """Return the gateway's own answer of that type, as the template words it."""
        response = self.document["x-amazon-apigateway-gateway-responses"][kind]
        headers = [
            (name.removeprefix(_HEADER_OF_A_RESPONSE), value.strip("'"))
            for name, value in response["responseParameters"].items()
        ]
        text = response["responseTemplates"]["application/problem+json"]  # the others say the same
        body = text.replace("$context.requestId", request_id).encode()
        return HttpAnswer(int(response["statusCode"]), [*headers, ("x-amzn-RequestId", request_id)], body)

    def _is_gated(self, request: HttpRequest) -> bool:
        methods = self.document["paths"][self.resource_of(request.path)]
        method = methods.get(request.method.lower()) or methods[_ANY]
        return bool(method["security"])

    def _context_of(self, request: HttpRequest, request_id: str, resource: str) -> Json:
        now = time.time()
        host = request.first("host") or API_ID
        identity = dict.fromkeys(
            [
                *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
                *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"),
            ]
        )
        identity |= {"sourceIp": request.client, "userAgent": request.first("user-agent")}
        if self.api_key is not None and self._is_gated(request):
            identity |= {"apiKey": self.api_key, "apiKeyId": API_ID}
        if self.actor is not None:
            identity |= {"accountId": ACCOUNT, "caller": "local", "user": "local", "userArn": self.actor}
        return {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "deploymentId": STAGE,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "extendedRequestId": base64.urlsafe_b64encode(uuid4().bytes[:11]).decode(),
            "httpMethod": request.method,
            "identity": identity,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": resource,
            "resourcePath": resource,
            "stage": STAGE,
        }


def _is_of_this_machine(request: HttpRequest) -> bool:
    """Tell whether a request was made for this address by a program, or by a page that came from it."""
    host = request.first("host") or ""
    return host.rpartition(":")[0] in _LOOPBACK and request.first("origin") in (None, f"http://{host}")


def _proxied(path: str, resource: str) -> Json | None:
    if not resource.endswith(_GREEDY):
        return None
    return {"proxy": path.removeprefix(resource.removesuffix(_GREEDY)).lstrip("/")}


def _passed_on(headers: Pairs) -> Pairs:
    return [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON]


def _added_by_the_gateway(request: HttpRequest) -> Pairs:
    port = (request.first("host") or "").rpartition(":")[2]
    return [
        ("X-Amzn-Trace-Id", f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"),
        ("X-Forwarded-For", request.client),
        ("X-Forwarded-Port", port if port.isdigit() else "80"),
        ("X-Forwarded-Proto", "http"),
    ]


def _all_values(pairs: Pairs) -> dict[str, list[str]]:
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    return many


def _body(body: bytes) -> Json:
    """Text as text; what is not UTF-8 in base64, as for a binary media type."""
    if not body:
        return {"body": None, "isBase64Encoded": False}
    try:
        return {"body": body.decode("utf-8"), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}

"""The OpenAPI document: Powertools writes it, this module adds what Powertools cannot know."""

import json
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from admin_api.problems import PROBLEM_JSON

TITLE: Final = "auth_jwt, for operators"
VERSION: Final = "1"
DESCRIPTION: Final = (
    "Profiles, secrets, tokens, revocations and issuers of auth_jwt. Sign every request (AWS Signature Version 4, "
    "service `execute-api`) with credentials that may `execute-api:Invoke` it. Bodies are JSON objects; a member or a "
    "query parameter that is unknown or given twice is rejected. A path with a slash at its end is another path. Every "
    "write leaves one audit line. A generated secret is shown once, in the answer to the request that generated it."
)
TAGS: Final = {
    "profiles": "Which SIP user a tag stands for",
    "secrets": "The keys of a tag, each with the window in which it may verify tokens",
    "tokens": "Tokens that those keys sign",
    "revocations": "Tokens that the service denies although such a key signed them",
    "deployment": "Which deployment answers, and to whom",
    "issuers": "Identity providers whose published keys verify tokens",
}
SIGV4: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "AWS Signature Version 4. This page cannot sign: use `curl --aws-sigv4` or an SDK",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
OF_EVERY_OPERATION: Final[dict[int, tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: (
        "invalid-request",
        "The request is malformed (`errors` says where), or a value would not work",
    ),
    HTTPStatus.FORBIDDEN: ("forbidden", "The request is not signed, or its signer lacks the permission"),
    HTTPStatus.TOO_MANY_REQUESTS: ("too-many-requests", "The gateway throttles requests"),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("fault", "A fault of the service; the log has the request's id"),
    HTTPStatus.BAD_GATEWAY: ("gateway-fault", "A fault of the gateway"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable", "The tables do not answer: a write may have happened or not"),
    HTTPStatus.GATEWAY_TIMEOUT: ("gateway-timeout", "The gateway waited too long: a write may have happened or not"),
}
OF_BODIES: Final[dict[int, tuple[str, str]]] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("payload-too-large", "A body has at most a million characters"),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("unsupported-media-type", "A body must be `application/json`"),
}
OWN: Final[dict[int, str]] = {404: "not-found", 409: "conflict", 412: "stale", 422: "fetch-failed"}

_POWERTOOLS_OWN: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
_TEXT: Final = {"type": "string"}
_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}  # as RFC 9110 words them; not every Python
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Cache-Control": {"description": "Always the same", "schema": {"const": "no-store"}, "required": True},
    "ETag": {"description": "The version, for `If-Match`", "schema": _TEXT, "required": True},
    "Location": {"description": "The path of the new resource", "schema": _TEXT, "required": True},
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
}
_WITH_ETAG: Final = (
    *("create_profile", "show_profile", "change_profile", "disable_profile", "enable_profile"),
    *("show_issuer", "change_issuer", "show_user", "change_user"),
)


def document_of(app: APIGatewayRestResolver) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all routes of *app*."""
    written = app.get_openapi_json_schema(title=TITLE, version=VERSION, description=DESCRIPTION)
    document: dict[str, Any] = json.loads(written)
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["security"] = [{"sigv4": []}]
    components = document["components"]
    components["securitySchemes"] = {"sigv4": SIGV4}
    components["headers"] = _HEADERS
    common = {**OF_EVERY_OPERATION, **OF_BODIES}
    components["responses"] = {name: _problem(status, name, text) for status, (name, text) in sorted(common.items())}
    components["schemas"] = {
        name: schema for name, schema in components["schemas"].items() if name not in _POWERTOOLS_OWN
    }
    document["paths"] = {
        path: {method: _complete(operation) for method, operation in sorted(methods.items())}
        for path, methods in sorted(document["paths"].items())
    }
    return document


def add_server(document: dict[str, Any], base: str) -> dict[str, Any]:
    """Return a copy of *document* for an API at *base*, the part of the URL before `/admin`."""
    return {**document, "servers": [{"url": base or "/"}]}


def _complete(operation: dict[str, Any]) -> dict[str, Any]:
    """Add the common answers and the headers to an *operation*."""
    described = {int(status): answer for status, answer in operation["responses"].items()}
    common = {**OF_EVERY_OPERATION, **(OF_BODIES if "requestBody" in operation else {})}
    answers = {int(status): {"$ref": f"#/components/responses/{name}"} for status, (name, _) in common.items()}
    for status, answer in described.items():
        if status in OWN:
            answers[status] = _problem(status, OWN[status], answer["description"])
        elif status < HTTPStatus.MULTIPLE_CHOICES:
            answers[status] = _add_headers(operation, status, answer)
    return {**operation, "responses": {str(status): answers[status] for status in sorted(answers)}}


def _add_headers(operation: dict[str, Any], status: int, answer: dict[str, Any]) -> dict[str, Any]:
    name = operation["operationId"]
    headers = ["Cache-Control"]
    headers += ["ETag"] if name in _WITH_ETAG else []
    headers += ["Location"] if status == HTTPStatus.CREATED else []
    made = {**answer, "headers": {header: _header(header) for header in headers}}
    if status == HTTPStatus.NO_CONTENT:
        made.pop("content", None)
    return made


def _problem(status: int, name: str, text: str) -> dict[str, Any]:
    headers = ["Cache-Control", *(["Retry-After"] if status in (429, 503) else [])]
    example = {
        "type": f"urn:auth-jwt:problem:{name}",
        "title": _PHRASES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "instance": "urn:request:5f2c6a4e-9d0b-4a57-8f5e-3c0d6a1b2e77",
    }
    return {
        "description": text,
        "headers": {header: _header(header) for header in headers},
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}

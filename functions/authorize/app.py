"""SIP frontends call this: a token in, a decision out.

Serves `POST /authorize`, `POST /script-authorize`, `POST /frontends/jambonz`, and `GET` and `HEAD /health` for REST API
(payload 1.0), HTTP API (1.0 and 2.0), Function URL (2.0) and ALB events, and direct invocation; and answers what only
keeps it warm. Translates only: `auth_jwt` decides.
"""

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import Any, Final

from auth_jwt.credentials import CredentialValue
from auth_jwt.errors import Denied, Reason, Unreachable
from auth_jwt.http.wire import (
    JSON,
    BodyTooLarge,
    NotWellFormed,
    bearer_token,
    body_members,
    challenge,
    compact_json,
    problem,
    values_of,
)
from auth_jwt.models import Authorized, Report
from auth_jwt.runtime.observability import Journal, Outcome, gateway_ids_of
from auth_jwt.runtime.shell import Call, answer_or_fault
from auth_jwt.runtime.snapshot import prepare_for_snapshots
from auth_jwt.runtime.warmers import PONG, is_ping
from auth_jwt.runtime.wiring import Service, service_of

Event = dict[str, Any]

MAX_SCRIPT_KEY_BYTES: Final = 16384
MAX_BODY_BYTES: Final = 65536  # or more, where tokens may be long
BODY_BYTES_BESIDE_TOKEN: Final = 49152
RETRY_AFTER_SECONDS: Final = 1

_GREEDY: Final = re.compile(r"\{(\w+)\+\}")

_MISMATCHES: Final = (Reason.USERNAME_MISMATCH, Reason.DOMAIN_MISMATCH)


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Answer an HTTP event with an HTTP answer, and a direct invocation with a decision.

    Raises:
        Fault: a direct invocation that cannot be decided, so that Lambda reports an error.
    """
    if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
        return _http(event, context)
    return _pong(context) if is_ping(event) else _direct(event, context)


@cache
def journal() -> Journal:
    """Return where this function writes what happened."""
    return Journal("authorize", os.environ)


@cache
def service() -> Service:
    """Read the environment and wire the service.

    Raises:
        BadSetting: a variable cannot be.
    """
    return service_of(os.environ, journal())


prepare_for_snapshots(os.environ, lambda: service().prepare())


# -- requests ---------------------------------------------------------------------------------------------------------


# Of the nouns here, some are made for every request. They are not frozen: making them would take four times as long.


@dataclass(slots=True)
class Request:
    """An HTTP request, whatever event it came in.

    Attributes:
        event: as it came.
        method: as sent.
        path: without the stage.
        id: the id that the answer and the log carry.
    """

    event: Event = field(repr=False)
    method: str
    path: str
    id: str

    @classmethod
    def from_event(cls, event: Event, request_id: str) -> "Request":
        """Read any of the event forms; parts that are missing or odd are read as absent."""
        http = event["requestContext"].get("http")
        if isinstance(http, dict):  # payload 2.0
            method, path = http.get("method"), event.get("rawPath")
            _, _, route = str(event.get("routeKey", "")).partition(" ")
        else:
            method, path, route = event.get("httpMethod"), event.get("path"), str(event.get("resource") or "")
        return cls(event, str(method), _path_of_route(event, route) or _without_stage(event, str(path)), request_id)

    @property
    def is_alb(self) -> bool:
        """Whether an ALB asks."""
        return "elb" in self.event["requestContext"]

    def header(self, name: str) -> list[str]:
        """Return the values of a header, in order; *name* in small letters."""
        return values_of(name, self.event.get("multiValueHeaders"), self.event.get("headers"), fold=str.lower)

    def members(self) -> dict[str, Any]:
        """Return the members of the body.

        Raises:
            NotWellFormed: it is neither JSON nor a form.
            BodyTooLarge: it is longer than a body may be.
        """
        if not self.event.get("body"):
            return {}
        return body_members(_octets(self.event), "".join(self.header("content-type")[:1]) or JSON)


def _path_of_route(event: Event, route: str) -> str | None:
    """Return the path by the *route* that a gateway found: free of the stage and of a custom domain's base path."""
    if "{" in route:
        found, parameters = _GREEDY.search(route), event.get("pathParameters")
        if found and isinstance(parameters, dict):
            route = route.replace(found[0], str(parameters.get(found[1])))
    return route if route.startswith("/") and "{" not in route else None  # not by `$default`, which is any path


def _without_stage(event: Event, path: str) -> str:
    """Return a *path* as the API has it: HTTP APIs put a named stage in front."""
    stage = event["requestContext"].get("stage")
    has_stage = isinstance(stage, str) and stage != "$default" and path.startswith(f"/{stage}/")
    return path.removeprefix(f"/{stage}") if has_stage else path


def _octets(event: Event) -> bytes:
    """Return the body, of which nothing is copied or decoded when it must have more bytes than a body may have."""
    body = event["body"]
    if not isinstance(body, str):
        raise NotWellFormed("the body is not text")
    encoded = event.get("isBase64Encoded") is True
    _refuse_beyond_limit(len(body) // 4 * 3 - 2 if encoded else len(body))
    try:
        octets = base64.b64decode(body.encode("ascii"), validate=True) if encoded else body.encode("utf-8")
    except ValueError:
        raise NotWellFormed(f"the body is not {'base64' if encoded else 'Unicode text'}") from None
    _refuse_beyond_limit(len(octets))
    return octets


def _refuse_beyond_limit(length: int) -> None:
    if length > MAX_BODY_BYTES and length > _max_body_bytes():
        raise BodyTooLarge


def _max_body_bytes() -> int:
    return max(MAX_BODY_BYTES, service().settings.policy.max_token_bytes + BODY_BYTES_BESIDE_TOKEN)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    if name not in fields:
        return None
    if not isinstance(fields[name], str):
        raise NotWellFormed(f"{name} is not a string")
    return str(fields[name])


def _token(request: Request, fields: Mapping[str, Any]) -> str | None:
    """Return the one token of the request, from its header or its body, never from its query string."""
    in_header = bearer_token(request.header("authorization"))
    in_body = _text(fields, "jwt_token")
    if in_header is not None and in_body is not None and in_header != in_body:
        raise NotWellFormed("two different tokens, one in the header and one in the body")
    return in_body if in_header is None else in_header


# -- answers ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Answer:
    """An HTTP answer, before it takes the form an event's sender wants."""

    status: HTTPStatus
    body: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_event_sender(self, request: Request) -> dict[str, Any]:
        """Return the Lambda proxy response."""
        headers = {"Cache-Control": "no-store", **self.headers}
        is_alb = request.is_alb
        response: dict[str, Any] = {
            "statusCode": int(self.status),
            "body": "" if request.method == "HEAD" else self.body,
            "isBase64Encoded": False,
        }
        if is_alb:
            response["statusDescription"] = f"{self.status} {self.status.phrase}"
        if is_alb and "multiValueHeaders" in request.event:
            response["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        else:
            response["headers"] = headers
        return response


def _answer(body: str) -> Answer:
    return Answer(HTTPStatus.OK, body, {"Content-Type": "application/json"})


def _problem(
    status: HTTPStatus,
    name: str,
    request: Request,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Answer:
    body = problem(status, name, request.id, **members)
    return Answer(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


def _challenged(status: HTTPStatus, name: str, request: Request, error: str | None, **members: object) -> Answer:
    """Make a problem with a challenge, repeated in the body since API Gateway may rename the header."""
    settings = service().settings
    value = challenge(settings.challenge_realm, authz_server=settings.authz_server, error=error)
    return _problem(status, name, request, {"WWW-Authenticate": value}, challenge=value, **members)


def _authorized_json(answer: Authorized) -> str:
    """Render the 200 body; numbers keep the digits the table gave."""
    credentials = ",".join(
        [
            f"{compact_json(name)}:{value if isinstance(value, Decimal) else compact_json(value)}"
            for name, value in answer.credentials.items()
        ]
    )
    return (
        f'{{"code":1,"sip_username":{encode_basestring(answer.sip_username)},"decoded_token":{encode_basestring(answer.decoded_token)},'
        f'"credentials":{{{credentials}}},"expires_at":{answer.expires_at}}}'
    )


def _plain(value: CredentialValue) -> str | bool | int | float | Decimal:
    """Return a number as the plainest type that keeps all its digits; the Lambda runtime renders every one of them."""
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else value


# -- routes -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Handled:
    """A request that came to an end: its answer, and what the log says of it; no outcome, no line."""

    answer: Answer
    outcome: Outcome | None = None
    reason: str | None = None


def _authorize(request: Request, report: Report) -> Handled:
    fields = request.members()
    report.note_call_id(fields.get("call_id"))
    token = _token(request, fields)
    from_user, from_domain = _text(fields, "from_user"), _text(fields, "from_domain")
    if token is None:
        return Handled(_challenged(HTTPStatus.UNAUTHORIZED, "missing-token", request, None), Outcome.CHALLENGED)
    try:
        authorized = service().authorizer.authorize(token, from_user=from_user, from_domain=from_domain, report=report)
    except Denied as denied:
        return Handled(_denial(denied.reason, request), Outcome.DENIED, denied.reason.value)
    return Handled(_answer(_authorized_json(authorized)), Outcome.AUTHORIZED)


def _denial(reason: Reason, request: Request) -> Answer:
    if reason in _MISMATCHES:
        return _problem(HTTPStatus.FORBIDDEN, "identity-mismatch", request, code=-1)
    return _challenged(HTTPStatus.UNAUTHORIZED, "invalid-token", request, "invalid_token", code=-1)


def _script_authorize(request: Request, report: Report) -> Handled:
    fields = request.members()
    report.note_call_id(fields.get("call_id"))
    token, key = _text(fields, "jwt_token"), _text(fields, "key")
    if token is None or key is None:
        raise NotWellFormed("jwt_token and key are both needed")
    if len(key.encode("utf-8", "surrogatepass")) > MAX_SCRIPT_KEY_BYTES:
        raise NotWellFormed(f"key is longer than {MAX_SCRIPT_KEY_BYTES} bytes")
    code, decoded = service().authorizer.script_authorize(token, key)
    body = {"code": code} if decoded is None else {"code": code, "decoded_token": decoded}
    return Handled(_answer(compact_json(body)), Outcome.VALIDATED if code == 1 else Outcome.NOT_VALIDATED)


def _jambonz(request: Request, report: Report) -> Handled:
    """Decide as `/authorize` does, and answer 200 whatever the decision: of a denial, nobody learns the kind."""
    from auth_jwt.http.jambonz import REFUSED, Hook, granted  # those who have no jambonz do not wait for it

    hook = Hook.from_members(request.members())
    report.note_call_id(hook.call_id)
    authorizer = service().authorizer
    try:
        authorized = authorizer.authorize(hook.token, from_user=hook.user, from_domain=hook.domain, report=report)
        seconds = hook.seconds_granted(authorized.expires_at, authorizer.clock())
    except Denied as denied:
        return Handled(_answer(REFUSED), Outcome.DENIED, denied.reason.value)
    return Handled(_answer(granted(_authorized_json(authorized), seconds)), Outcome.AUTHORIZED)


def _health(_request: Request, _report: Report) -> Handled:
    return Handled(_answer(compact_json({"status": "ok"})))


_ROUTES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Request, Report], Handled]]]] = {
    "/authorize": (("POST",), _authorize),
    "/script-authorize": (("POST",), _script_authorize),
    "/frontends/jambonz": (("POST",), _jambonz),
    "/health": (("GET", "HEAD"), _health),
}


def _routed(request: Request, report: Report) -> Handled:
    if request.path not in _ROUTES:
        return Handled(_problem(HTTPStatus.NOT_FOUND, "not-found", request), Outcome.REJECTED, "unknown_path")
    methods, route = _ROUTES[request.path]
    if request.method not in methods:
        allow = {"Allow": ", ".join(methods)}
        answer = _problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", request, allow)
        return Handled(answer, Outcome.REJECTED, "wrong_method")
    try:
        return route(request, report)
    except NotWellFormed as flaw:
        answer = _challenged(HTTPStatus.BAD_REQUEST, "invalid-request", request, "invalid_request", detail=str(flaw))
        return Handled(answer, Outcome.REJECTED, "invalid_request")
    except BodyTooLarge:
        detail = f"a body has at most {_max_body_bytes()} bytes"
        answer = _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload-too-large", request, detail=detail)
        return Handled(answer, Outcome.REJECTED, "payload_too_large")


def _http(event: Event, context: object) -> dict[str, Any]:
    call = Call(journal(), context)
    request = Request.from_event(event, call.request_id)
    call.noted |= gateway_ids_of(event["requestContext"])
    call.noted["path"] = request.path if request.path in _ROUTES else None
    try:
        service()
        handled = _routed(request, call.report)
        answer = handled.answer
        call.noted["status"] = int(answer.status)
        if handled.outcome is not None:
            call.record(handled.outcome, handled.reason)
    except Exception as error:  # noqa: BLE001 - the last line: whatever it is, the caller gets a problem
        answer = _answer_to_fault(error, request)
        call.noted["status"] = answer.status.value
        call.record_fault(error)
    return answer.to_event_sender(request)


def _answer_to_fault(error: Exception, request: Request) -> Answer:
    if not isinstance(error, Unreachable):
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", request)
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", request, retry)


# -- direct invocations -----------------------------------------------------------------------------------------------


def _direct(event: object, context: object) -> dict[str, Any]:
    """Decide on `{"jwt_token", "from_user", "from_domain", "call_id"}` for the SDK and `sam local invoke`."""
    fields = event if isinstance(event, dict) else {}
    return answer_or_fault(journal(), context, lambda call: _decided(fields, call))


def _pong(context: object) -> dict[str, Any]:
    """Answer a warmer, ready for a request: a setting that would fail that, fails here."""

    def prepared(call: Call) -> dict[str, Any]:
        service().prepare()
        call.record(Outcome.PING)
        return dict(PONG)

    return answer_or_fault(journal(), context, prepared)


def _decided(fields: Mapping[str, Any], call: Call) -> dict[str, Any]:
    decide = service().authorizer.authorize
    # What is not a string names nobody, and nobody is called "".
    asked = {
        name: fields[name] if isinstance(fields[name], str) else ""
        for name in ("from_user", "from_domain")
        if name in fields
    }
    call.report.note_call_id(fields.get("call_id"))
    try:
        authorized = decide(fields.get("jwt_token"), report=call.report, **asked)
    except Denied as denied:
        call.record(Outcome.DENIED, denied.reason.value)
        return {"code": -1}
    answer = {
        "code": 1,
        "sip_username": authorized.sip_username,
        "decoded_token": authorized.decoded_token,
        "credentials": {name: _plain(value) for name, value in authorized.credentials.items()},
        "expires_at": authorized.expires_at,
    }
    call.record(Outcome.AUTHORIZED)
    return answer

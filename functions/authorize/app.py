"""SIP frontends call this: a token in, a decision out.

It serves `POST /authorize`, `POST /script-authorize`, `POST /frontends/jambonz`, and `GET` and `HEAD /health` for REST
API (payload 1.0), HTTP API (1.0 and 2.0), Function URL (2.0) and ALB events. It also serves direct invocations, and
answers the pings that keep a process warm. It only translates: `auth_jwt` decides.
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
from auth_jwt.errors import Deferred, Denied, Reason, StaleKeys, Unreachable
from auth_jwt.http.wire import (
    JSON,
    BodyTooLarge,
    Malformed,
    bearer_token,
    body_members,
    challenge,
    compact_json,
    problem,
    values_of,
)
from auth_jwt.models import Authorized, Report
from auth_jwt.runtime.observability import Journal, Outcome, gateway_ids_of
from auth_jwt.runtime.settings import ClientCertificates, FrontendSettings
from auth_jwt.runtime.shell import Call, answer_or_fault
from auth_jwt.runtime.snapshot import prepare_for_snapshots
from auth_jwt.runtime.warmers import PONG, is_ping
from auth_jwt.runtime.wiring import Service, service_of

Event = dict[str, Any]

MAX_SCRIPT_KEY_BYTES: Final = 16384
MAX_BODY_BYTES: Final = 65536  # the limit is higher where MAX_TOKEN_BYTES needs it
BODY_BYTES_BESIDE_TOKEN: Final = 49152
RETRY_AFTER_SECONDS: Final = 1

_GREEDY: Final = re.compile(r"\{(\w+)\+\}")

_MISMATCHES: Final = (Reason.USERNAME_MISMATCH, Reason.DOMAIN_MISMATCH)
_DEFERRED_STATUSES: Final = ("200", "503")


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """Answer an HTTP event with an HTTP answer, and a direct invocation with a decision.

    Raises:
        Fault: a direct invocation or a ping failed, so that Lambda reports an error.
    """
    if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
        return _answer_http(event, context)
    return _answer_ping(context) if is_ping(event) else _answer_directly(event, context)


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("authorize", os.environ)


@cache
def service() -> Service:
    """Read the environment and wire the service, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return service_of(os.environ, journal())


@cache
def frontend_settings() -> FrontendSettings:
    """Read the settings that only this function has.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return FrontendSettings.from_env(os.environ)


prepare_for_snapshots(os.environ, lambda: service().prepare())


# -- requests ---------------------------------------------------------------------------------------------------------


# Some dataclasses here are made for every request. They are not frozen: a frozen one takes four times as long to make.


@dataclass(slots=True)
class FrontendRequest:
    """An HTTP request, read from any of the event forms.

    Attributes:
        event: the event, unchanged.
        method: the method, in the case it was sent in.
        path: the path, without the stage.
        id: the request id that the answer and the log carry.
    """

    event: Event = field(repr=False)
    method: str
    path: str
    id: str

    @classmethod
    def from_event(cls, event: Event, request_id: str) -> "FrontendRequest":
        """Read any of the event forms. A part that is missing or of the wrong type counts as absent."""
        http = event["requestContext"].get("http")
        if isinstance(http, dict):  # payload 2.0
            method, path = http.get("method"), event.get("rawPath")
            _, _, route = str(event.get("routeKey", "")).partition(" ")
        else:
            method, path, route = event.get("httpMethod"), event.get("path"), str(event.get("resource") or "")
        return cls(event, str(method), _path_of_route(event, route) or _strip_stage(event, str(path)), request_id)

    @property
    def is_alb(self) -> bool:
        """Whether the event comes from an ALB, which wants a status description and sometimes multi-value headers."""
        return "elb" in self.event["requestContext"]

    @property
    def is_known_to_aws(self) -> bool:
        """Whether AWS knows who sends it: by a certificate that API Gateway verified, or by a Function URL's IAM.

        Both stand in the context, where no caller writes: in `identity` (payload 1.0), in `authentication` and
        `authorizer` (payload 2.0).
        """
        parts = ("identity", "clientCert"), ("authentication", "clientCert"), ("authorizer", "iam")
        holders = ((self.event["requestContext"].get(holder), member) for holder, member in parts)
        return any(isinstance(holder, dict) and bool(holder.get(member)) for holder, member in holders)

    def header(self, name: str) -> list[str]:
        """Return the values of a header, in order. *name* is in lower case."""
        return values_of(name, self.event.get("multiValueHeaders"), self.event.get("headers"), fold=str.lower)

    def members(self, max_bytes: int) -> dict[str, Any]:
        """Return the members of the body.

        Raises:
            Malformed: the body is neither JSON nor a form.
            BodyTooLarge: the body is longer than *max_bytes*.
        """
        if not self.event.get("body"):
            return {}
        content_type = next(iter(self.header("content-type")), "") or JSON
        return body_members(_decode_body(self.event, max_bytes), content_type)


def _path_of_route(event: Event, route: str) -> str | None:
    """Return the path that the gateway's *route* names: it holds no stage and no base path of a custom domain.

    Return None for a route that stands for any path, as `$default` does.
    """
    if "{" in route:
        found, parameters = _GREEDY.search(route), event.get("pathParameters")
        if found and isinstance(parameters, dict):
            route = route.replace(found[0], str(parameters.get(found[1])))
    return route if route.startswith("/") and "{" not in route else None


def _strip_stage(event: Event, path: str) -> str:
    """Return *path* without the stage: an HTTP API puts a named stage in front."""
    stage = event["requestContext"].get("stage")
    has_stage = isinstance(stage, str) and stage != "$default" and path.startswith(f"/{stage}/")
    return path.removeprefix(f"/{stage}") if has_stage else path


def _decode_body(event: Event, max_bytes: int) -> bytes:
    """Return the bytes of the body.

    A body that is certainly too long is rejected before anything of it is copied or decoded.
    """
    body = event["body"]
    if not isinstance(body, str):
        raise Malformed("the body is not text")
    encoded = event.get("isBase64Encoded") is True
    if (len(body) // 4 * 3 - 2 if encoded else len(body)) > max_bytes:
        raise BodyTooLarge
    try:
        octets = base64.b64decode(body.encode("ascii"), validate=True) if encoded else body.encode("utf-8")
    except ValueError:
        raise Malformed(f"the body is not {'base64' if encoded else 'Unicode text'}") from None
    if len(octets) > max_bytes:
        raise BodyTooLarge
    return octets


def _read_text_field(fields: Mapping[str, Any], name: str) -> str | None:
    if name not in fields:
        return None
    if not isinstance(fields[name], str):
        raise Malformed(f"{name} is not a string")
    return str(fields[name])


def _token(request: FrontendRequest, fields: Mapping[str, Any]) -> str | None:
    """Return the token of the request, from its header or its body, never from its query string.

    Return None when the request has no token.
    """
    in_header = bearer_token(request.header("authorization"))
    in_body = _read_text_field(fields, "jwt_token")
    if in_header is not None and in_body is not None and in_header != in_body:
        raise Malformed("two different tokens, one in the header and one in the body")
    return in_body if in_header is None else in_header


# -- answers ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Answer:
    """An HTTP answer, before it takes the form that the sender of the event wants."""

    status: HTTPStatus
    body: str = field(repr=False)
    headers: Mapping[str, str]

    def to_event_sender(self, request: FrontendRequest) -> dict[str, Any]:
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


def _make_answer(body: str) -> Answer:
    return Answer(HTTPStatus.OK, body, {"Content-Type": "application/json"})


def _make_problem(
    status: HTTPStatus,
    name: str,
    request: FrontendRequest,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Answer:
    body = problem(status, name, request.id, **members)
    return Answer(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


def _make_unavailable(name: str, request: FrontendRequest, seconds: int) -> Answer:
    """Return a 503. The body repeats when to ask again, since OpenSIPS's rest_client sees no header of an answer."""
    retry = {"Retry-After": str(seconds)}
    return _make_problem(HTTPStatus.SERVICE_UNAVAILABLE, name, request, retry, retry_after=seconds)


def _challenge(status: HTTPStatus, name: str, request: FrontendRequest, error: str | None, **members: object) -> Answer:
    """Return a problem with a challenge. The body repeats the challenge, since API Gateway may rename the header."""
    settings = service().settings
    value = challenge(settings.challenge_realm, authz_server=settings.authz_server, error=error)
    return _make_problem(status, name, request, {"WWW-Authenticate": value}, challenge=value, **members)


def _authorized_json(answer: Authorized) -> str:
    """Render the 200 body. Numbers keep the digits of the table."""
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


def _simplify_number(value: CredentialValue) -> str | bool | int | float | Decimal:
    """Return a number as the plainest type that keeps all its digits: int, else float, else Decimal.

    The Lambda runtime renders each of the three.
    """
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else value


# -- routes -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Conclusion:
    """How a request ended: its answer, and what the log says of it. Without an outcome, no line is written."""

    answer: Answer
    outcome: Outcome | None = None
    reason: str | None = None


def _max_body_bytes() -> int:
    return max(MAX_BODY_BYTES, service().settings.policy.max_token_bytes + BODY_BYTES_BESIDE_TOKEN)


def _authorize(request: FrontendRequest, report: Report) -> Conclusion:
    fields = request.members(_max_body_bytes())
    report.note_call_id(fields.get("call_id"))
    token = _token(request, fields)
    from_user, from_domain = _read_text_field(fields, "from_user"), _read_text_field(fields, "from_domain")
    deferred_status = _read_text_field(fields, "deferred_status")
    if deferred_status not in (None, *_DEFERRED_STATUSES):
        raise Malformed(f"deferred_status is none of {', '.join(_DEFERRED_STATUSES)}")
    if token is None:
        return Conclusion(_challenge(HTTPStatus.UNAUTHORIZED, "missing-token", request, None), Outcome.CHALLENGED)
    try:
        authorized = service().authorizer.authorize(token, from_user=from_user, from_domain=from_domain, report=report)
    except Denied as denied:
        return Conclusion(_denial(denied.reason, request), Outcome.DENIED, denied.reason.value)
    except Deferred as deferred:
        if deferred_status != "200":
            raise
        return Conclusion(_make_answer(compact_json(_deferred_members(deferred))), Outcome.DEFERRED)
    return Conclusion(_make_answer(_authorized_json(authorized)), Outcome.AUTHORIZED)


def _denial(reason: Reason, request: FrontendRequest) -> Answer:
    if reason in _MISMATCHES:
        return _make_problem(HTTPStatus.FORBIDDEN, "identity-mismatch", request, code=-1)
    return _challenge(HTTPStatus.UNAUTHORIZED, "invalid-token", request, "invalid_token", code=-1)


def _deferral(deferred: Deferred, request: FrontendRequest) -> Answer:
    """Return the answer that is neither a "no" nor a fault: the caller asks again."""
    return _make_unavailable("key-not-fetched-yet", request, deferred.retry_after)


def _deferred_members(deferred: Deferred) -> dict[str, Any]:
    """Return a deferral as a code: for SDKs, and for frontends that see no body of a 503 (Kamailio's http_client)."""
    return {"code": 0, "retry_after": deferred.retry_after}


def _script_authorize(request: FrontendRequest, report: Report) -> Conclusion:
    fields = request.members(_max_body_bytes())
    report.note_call_id(fields.get("call_id"))
    token, key = _read_text_field(fields, "jwt_token"), _read_text_field(fields, "key")
    if token is None or key is None:
        raise Malformed("jwt_token and key are both needed")
    if len(key.encode("utf-8", "surrogatepass")) > MAX_SCRIPT_KEY_BYTES:
        raise Malformed(f"key is longer than {MAX_SCRIPT_KEY_BYTES} bytes")
    code, decoded = service().authorizer.script_authorize(token, key)
    body = {"code": code} if decoded is None else {"code": code, "decoded_token": decoded}
    return Conclusion(_make_answer(compact_json(body)), Outcome.VALIDATED if code == 1 else Outcome.NOT_VALIDATED)


def _jambonz(request: FrontendRequest, report: Report) -> Conclusion:
    """Decide as `/authorize` does, and answer 200 for a denial too. All denials get the same answer."""
    from auth_jwt.http.jambonz import DENIAL, Hook, permission  # here, so that only users of jambonz load it

    hook = Hook.from_members(request.members(_max_body_bytes()))
    report.note_call_id(hook.call_id)
    authorizer = service().authorizer
    try:
        authorized = authorizer.authorize(hook.token, from_user=hook.user, from_domain=hook.domain, report=report)
        seconds = hook.seconds_granted(authorized.expires_at, authorizer.clock())
    except Denied as denied:
        return Conclusion(_make_answer(DENIAL), Outcome.DENIED, denied.reason.value)
    return Conclusion(_make_answer(permission(_authorized_json(authorized), seconds)), Outcome.AUTHORIZED)


def _health(_request: FrontendRequest, _report: Report) -> Conclusion:
    return Conclusion(_make_answer(compact_json({"status": "ok"})))


_ROUTES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[FrontendRequest, Report], Conclusion]]]] = {
    "/authorize": (("POST",), _authorize),
    "/script-authorize": (("POST",), _script_authorize),
    "/frontends/jambonz": (("POST",), _jambonz),
    "/health": (("GET", "HEAD"), _health),
}


def _dispatch(request: FrontendRequest, report: Report) -> Conclusion:
    """Call the route of the request. A request that is malformed or too large becomes a rejection.

    Where certificates are required, the gateway has seen one, unless somebody opened another way to this function.
    """
    certificates = frontend_settings().client_certificates
    if certificates is ClientCertificates.REQUIRED and request.path != "/health" and not request.is_known_to_aws:
        return Conclusion(_make_problem(HTTPStatus.FORBIDDEN, "forbidden", request), Outcome.REJECTED, "no_certificate")
    if request.path not in _ROUTES:
        return Conclusion(_make_problem(HTTPStatus.NOT_FOUND, "not-found", request), Outcome.REJECTED, "unknown_path")
    methods, route = _ROUTES[request.path]
    if request.method not in methods:
        allow = {"Allow": ", ".join(methods)}
        answer = _make_problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", request, allow)
        return Conclusion(answer, Outcome.REJECTED, "wrong_method")
    try:
        return route(request, report)
    except Deferred as deferred:
        return Conclusion(_deferral(deferred, request), Outcome.DEFERRED)
    except Malformed as flaw:
        answer = _challenge(HTTPStatus.BAD_REQUEST, "invalid-request", request, "invalid_request", detail=str(flaw))
        return Conclusion(answer, Outcome.REJECTED, "invalid_request")
    except BodyTooLarge:
        detail = f"a body has at most {_max_body_bytes()} bytes"
        answer = _make_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "payload-too-large", request, detail=detail)
        return Conclusion(answer, Outcome.REJECTED, "payload_too_large")


def _answer_http(event: Event, context: object) -> dict[str, Any]:
    call = Call(journal(), context)
    request = FrontendRequest.from_event(event, call.request_id)
    call.noted |= gateway_ids_of(event["requestContext"])
    call.noted["path"] = request.path if request.path in _ROUTES else None
    try:
        service(), frontend_settings()  # an invalid setting is a fault at every path, even at one that reads no setting
        conclusion = _dispatch(request, call.report)
        answer = conclusion.answer
        call.noted["status"] = int(answer.status)
        if conclusion.outcome is not None:
            call.record(conclusion.outcome, conclusion.reason)
    except Exception as error:  # noqa: BLE001 - the outermost handler: the caller gets a problem, whatever failed
        answer = _fault(error, request)
        call.noted["status"] = answer.status.value
        call.record_fault(error)
    return answer.to_event_sender(request)


def _fault(error: Exception, request: FrontendRequest) -> Answer:
    if not isinstance(error, Unreachable | StaleKeys):
        return _make_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", request)
    return _make_unavailable("unavailable", request, RETRY_AFTER_SECONDS)


# -- direct invocations -----------------------------------------------------------------------------------------------


def _answer_directly(event: object, context: object) -> dict[str, Any]:
    """Decide on `{"jwt_token", "from_user", "from_domain", "call_id"}` for the SDK and `sam local invoke`."""
    fields = event if isinstance(event, dict) else {}
    return answer_or_fault(journal(), context, lambda call: _answer_invocation(fields, call))


def _answer_ping(context: object) -> dict[str, Any]:
    """Answer a warmer, and prepare for a request: a setting that would fail a request fails the ping."""

    def prepare(call: Call) -> dict[str, Any]:
        frontend_settings()
        service().prepare()
        call.record(Outcome.PING)
        return dict(PONG)

    return answer_or_fault(journal(), context, prepare)


def _answer_invocation(fields: Mapping[str, Any], call: Call) -> dict[str, Any]:
    authorize = service().authorizer.authorize
    # A value that is not a string becomes "", which matches no user and no domain.
    identity = {
        name: fields[name] if isinstance(fields[name], str) else ""
        for name in ("from_user", "from_domain")
        if name in fields
    }
    user, domain = identity.get("from_user"), identity.get("from_domain")
    call.report.note_call_id(fields.get("call_id"))
    try:
        authorized = authorize(fields.get("jwt_token"), from_user=user, from_domain=domain, report=call.report)
    except Denied as denied:
        call.record(Outcome.DENIED, denied.reason.value)
        return {"code": -1}
    except Deferred as deferred:
        call.record(Outcome.DEFERRED)
        return _deferred_members(deferred)
    answer = {
        "code": 1,
        "sip_username": authorized.sip_username,
        "decoded_token": authorized.decoded_token,
        "credentials": {name: _simplify_number(value) for name, value in authorized.credentials.items()},
        "expires_at": authorized.expires_at,
    }
    call.record(Outcome.AUTHORIZED)
    return answer

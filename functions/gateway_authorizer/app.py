"""API Gateway calls this Lambda authorizer to learn who sends a request to another API.

It serves REST APIs (`TOKEN` and `REQUEST`), WebSocket APIs (`$connect`) and HTTP APIs (payload 1.0, and 2.0 with simple
or IAM answers). It also answers the pings that keep a process warm. It only translates: `auth_jwt` decides.
"""

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, Final

from auth_jwt.authorizer import Authorizer
from auth_jwt.credentials import CredentialValue
from auth_jwt.errors import Deferred, Denied, TooLarge, UnknownEvent
from auth_jwt.http.wire import values_of
from auth_jwt.models import Authorized, Report
from auth_jwt.runtime.observability import Journal, Outcome, gateway_ids_of
from auth_jwt.runtime.settings import (
    AuthorizerRefusal,
    AuthorizerResponse,
    GatewayAuthorizerSettings,
    SourceKind,
    TokenSource,
)
from auth_jwt.runtime.shell import Call, answer_or_fault
from auth_jwt.runtime.snapshot import prepare_for_snapshots
from auth_jwt.runtime.warmers import PONG, is_ping
from auth_jwt.runtime.wiring import Service, service_of

Event = Mapping[str, Any]
Json = dict[str, Any]

MAX_WEBSOCKET_BYTES: Final = 8000  # AWS's quota is "8 KB", which may mean 8000 or 8192 bytes
MAX_BYTES: Final = 6_000_000  # Lambda's quota, 6 MB; REST and HTTP APIs have none of their own

_SCHEME: Final = re.compile(r"\Abearer(?:[ \t]+|\Z)", re.IGNORECASE)
_SUBPROTOCOLS: Final = "sec-websocket-protocol"  # the only WebSocket header that a web page can set
_MAX_EXACT: Final = 2**53 - 1  # the largest integer that every JSON reader reads exactly

# Powertools has classes for these events and answers. They are not used: importing them takes a sixth longer, and their
# policies drop the partition of the ARN, so that nobody would be let in in China and GovCloud (docs/decisions/0011).
# An account is twelve digits. serverless-offline has no account and sends a word, `random-account-id` or `undefined`.
_METHOD_ARN: Final = re.compile(
    r"(arn:aws[a-z-]{0,32}:execute-api:[a-z0-9-]{1,32}:[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64}"
    r"/(?:\$default|[A-Za-z0-9_-]{1,128}))/(.*)",
    re.DOTALL,
)


class Unauthorized(Exception):
    """The refusal that API Gateway answers with 401. API Gateway knows it by this text, and does not cache it."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def lambda_handler(event: object, context: object) -> Json:
    """Answer an authorizer event with a policy or with `isAuthorized`, and a ping with a pong.

    Raises:
        Unauthorized: the token is denied or missing, and the answer form says so by an exception.
        Deferred: the issuer's key that signed the token may not have been fetched yet. API Gateway answers 500, and
            remembers nothing.
        Fault: no decision is possible, so that API Gateway answers 500.
    """
    answer = answer_or_fault(journal(), context, lambda call: _answer(event, call))
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(event: object, call: Call) -> Json | Unauthorized | Deferred:
    authorizer, rules = service().authorizer, settings()
    if is_ping(event):
        service().prepare()
        call.record(Outcome.PING)
        return dict(PONG)
    request = GatewayRequest.from_event(event, rules.token_sources)
    call.noted |= {**request.gateway_ids, "form": request.form.value}
    conclusion = _decide(request, rules, authorizer, call.report)
    call.noted["dropped"] = conclusion.dropped
    call.record(conclusion.outcome, conclusion.reason)
    return conclusion.answer


@cache
def journal() -> Journal:
    """Return the journal of this function, made at the first call."""
    return Journal("gateway_authorizer", os.environ)


@cache
def service() -> Service:
    """Read the environment and wire the service, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return service_of(os.environ, journal())


@cache
def settings() -> GatewayAuthorizerSettings:
    """Read the variables that only this function has, at the first call.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return GatewayAuthorizerSettings.from_env(os.environ)


def _prepare() -> None:
    settings()
    service().prepare()


prepare_for_snapshots(os.environ, _prepare)


# -- requests ---------------------------------------------------------------------------------------------------------


class Form(StrEnum):
    """The forms of an authorizer event."""

    REST_TOKEN = "rest_token"  # noqa: S105 - a form, not a password
    REST_REQUEST = "rest_request"
    WEBSOCKET = "websocket"
    HTTP_1 = "http_1"
    HTTP_2 = "http_2"


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """What a gateway asks, read from any of the event forms.

    Attributes:
        form: the form of the event.
        stage: ARN of the API's stage. An answer is valid for the whole stage.
        tokens: the tokens that the request carries, without repetition.
        gateway_ids: the ids that the gateway gave the request, for the log.
    """

    form: Form
    stage: str
    tokens: tuple[str, ...] = field(repr=False)
    gateway_ids: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: object, sources: tuple[TokenSource, ...]) -> "GatewayRequest":
        """Read any of the event forms and take the tokens from the *sources*.

        A part of the wrong type counts as absent.

        Raises:
            UnknownEvent: the event has none of the forms.
        """
        if not isinstance(event, Mapping):
            raise UnknownEvent("the event is not an object")
        kind, version = event.get("type"), event.get("version")
        arn = _METHOD_ARN.fullmatch(str(event.get("routeArn" if version == "2.0" else "methodArn")))
        if kind not in ("TOKEN", "REQUEST") or version not in (None, "1.0", "2.0") or arn is None:
            raise UnknownEvent("the event is no authorizer event of API Gateway: no known type, or no ARN of a method")
        if kind == "TOKEN":
            value = event.get("authorizationToken")
            return cls(Form.REST_TOKEN, arn[1], _distinct(_strip_scheme(_split([value]))))
        if version is not None:
            form = Form.HTTP_2 if version == "2.0" else Form.HTTP_1
        else:
            form = Form.WEBSOCKET if arn[2] == "$connect" else Form.REST_REQUEST
        tokens = _distinct(token for source in sources for token in _tokens_at(source, event))
        return cls(form, arn[1], tokens, gateway_ids_of(event.get("requestContext")))


def _distinct(tokens: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tokens))


def _tokens_at(source: TokenSource, event: Event) -> Iterator[str]:
    if source.kind is SourceKind.HEADER:
        parts = _split(_header(event, source.name))
        return _strip_scheme(_after_bearer(parts) if source.name == _SUBPROTOCOLS else parts)
    if source.kind is SourceKind.QUERY:
        lists, singles = event.get("multiValueQueryStringParameters"), event.get("queryStringParameters")
        return _split(values_of(source.name, lists, singles))
    return _split(_cookies(event).get(source.name, []))


def _after_bearer(offered: Iterator[str]) -> Iterator[str]:
    """Return the item after each `bearer` in the subprotocols *offered*, or all items when there is no `bearer`.

    A web page calls `new WebSocket(url, ["bearer", token])`, perhaps with the subprotocols it speaks in the same list.
    """
    items = list(offered)
    return iter([item for word, item in pairwise([*items, ""]) if word.lower() == "bearer"] or items)


def _header(event: Event, name: str) -> list[str]:
    return values_of(name, event.get("multiValueHeaders"), event.get("headers"), fold=str.lower)


def _cookies(event: Event) -> dict[str, list[str]]:
    """Return the cookies by name, from the list of payload 2.0 and from the header of the other forms."""
    cookies: dict[str, list[str]] = {}
    listed = event.get("cookies")
    for line in [*(listed if isinstance(listed, list) else []), *_header(event, "cookie")]:
        for pair in str(line).split(";"):
            name, _, value = pair.strip().partition("=")
            cookies.setdefault(name, []).append(value)
    return cookies


def _split(values: list[Any]) -> Iterator[str]:
    """Split *values* at their commas. Gateways join repeated fields by commas, and no token contains one."""
    return (part.strip(" \t") for value in values if value is not None for part in str(value).split(","))


def _strip_scheme(values: Iterator[str]) -> Iterator[str]:
    return (_SCHEME.sub("", value) for value in values)


# -- answers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GatewayConclusion:
    """How a request ended: its answer, and what the log says of it.

    Attributes:
        answer: the answer for the gateway, or the exception that must be raised instead.
        outcome: how the request ended.
        reason: why, as one stable word.
        dropped: the name of the member that was dropped to make the answer fit; None when nothing was dropped.
    """

    answer: Json | Unauthorized | Deferred = field(repr=False)
    outcome: Outcome
    reason: str | None = None
    dropped: str | None = None


def _decide(
    request: GatewayRequest, rules: GatewayAuthorizerSettings, authorizer: Authorizer, report: Report
) -> GatewayConclusion:
    refusal = _refusal(request, rules)
    if not request.tokens:
        return GatewayConclusion(refusal, Outcome.CHALLENGED)
    if len(request.tokens) > 1:
        return GatewayConclusion(refusal, Outcome.REJECTED, "invalid_request")
    try:
        authorized = authorizer.authorize(request.tokens[0], knows_domain=False, report=report)
    except Denied as denied:
        return GatewayConclusion(refusal, Outcome.DENIED, denied.reason.value)
    except Deferred as deferred:  # no form of answer says this, and gateways remember answers
        return GatewayConclusion(deferred, Outcome.DEFERRED)
    context = _context(authorized)
    principal = _principal(authorized)
    answer, dropped = _permission(request, rules, principal, context), None
    if _size(answer) > _limit(request.form):
        dropped = "decoded_token"
        del context[dropped]
        answer = _permission(request, rules, principal, context)
    if _size(answer) > _limit(request.form):
        # No credential is dropped: an integration would take this user for one who does not have it.
        raise TooLarge(
            f"the answer has {_size(answer)} bytes without decoded_token, and the gateway accepts at most"
            f" {_limit(request.form)}: take columns out of LOAD_CREDENTIALS"
        )
    return GatewayConclusion(answer, Outcome.AUTHORIZED, dropped=dropped)


def _permission(request: GatewayRequest, rules: GatewayAuthorizerSettings, principal: str, context: Json) -> Json:
    if _is_simple(request, rules):
        return {"isAuthorized": True, "context": context}
    return {**_policy("Allow", principal, request.stage), "context": context}


def _refusal(request: GatewayRequest, rules: GatewayAuthorizerSettings) -> Json | Unauthorized:
    if _is_simple(request, rules):
        return {"isAuthorized": False}
    return _policy("Deny", "anonymous", request.stage) if rules.refusal is AuthorizerRefusal.DENY else Unauthorized()


def _is_simple(request: GatewayRequest, rules: GatewayAuthorizerSettings) -> bool:
    return request.form is Form.HTTP_2 and rules.response is AuthorizerResponse.SIMPLE


def _policy(effect: str, principal: str, stage: str) -> Json:
    """Return a policy for the whole *stage*: gateways cache it and apply it to the user's next requests, too."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": [f"{stage}/*"]}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def _principal(authorized: Authorized) -> str:
    """Return the name of the user that no other user has: with the domain, where an issuer's claim names the user."""
    domain = authorized.sip_domain
    return authorized.sip_username if domain is None else f"{authorized.sip_username}@{domain}"


def _context(authorized: Authorized) -> Json:
    """Return what integrations see. The decoded token is in base64url, since the gateway's cache breaks JSON."""
    decoded = base64.urlsafe_b64encode(authorized.decoded_token.encode("utf-8")).rstrip(b"=")
    domain = {} if authorized.sip_domain is None else {"sip_domain": authorized.sip_domain}
    return {
        "sip_username": authorized.sip_username,
        "expires_at": authorized.expires_at,
        **{name: _scalar(value) for name, value in authorized.credentials.items()},
        **domain,
        "decoded_token": decoded.decode("ascii"),
    }


def _scalar(value: CredentialValue) -> str | bool | int | float:
    """Return a number as a number where every JSON reader gets all its digits back, and as text otherwise."""
    if not isinstance(value, Decimal):
        return value
    if str(value) == str(float(value)):
        return float(value)
    return int(value) if str(value).lstrip("-").isdecimal() and abs(value) <= _MAX_EXACT else str(value)


def _limit(form: Form) -> int:
    return MAX_WEBSOCKET_BYTES if form is Form.WEBSOCKET else MAX_BYTES


def _size(answer: Json) -> int:
    """Return the size of *answer* in bytes, in the longest form that one of Lambda's runtimes writes."""
    return len(json.dumps(answer))

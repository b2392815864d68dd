"""The events of functions/gateway_authorizer: each form a gateway asks in, and what it is answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tools.events.http_request import (
    ACCOUNT,
    PROXY_ADDRESS,
    REGION,
    SCHEDULED,
    TIME,
    TIME_EPOCH,
    WARMER,
    Pairs,
    Request,
    all_values,
    aws_headers,
    bearer,
    identity_of,
    joined_values,
    last_values,
    lower_names,
    short_id_of,
    uuid_of,
)
from tools.events.samples import (
    ALICE,
    ALICE_EXPIRED,
    ALICE_UNUSUAL,
    ALICE_WRONG_SECRET,
    BOB_NEW,
    CAROL,
    DAVE,
    ERIN_P256,
    Json,
    Token,
    add_case,
    base64url,
    credentials_of,
    outcomes_of,
    profile_of,
    token,
)
from tools.events.stage import SAMPLES

API_ID: Final = "k6l7m8n9o0"
API_HOST: Final = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
API_ARN: Final = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}"
REST_STAGE: Final = "prod"
HTTP_STAGE: Final = "$default"
WEBSOCKET_STAGE: Final = "live"
RESOURCE: Final = "/calls/{id}"
PATH: Final = "/calls/42"
USER_AGENT: Final = "Mozilla/5.0 (sample)"

# Settings of single events, on top of those of all.
IAM: Final[Mapping[str, str]] = {"AUTHORIZER_RESPONSE": "iam"}
DENY: Final[Mapping[str, str]] = {"AUTHORIZER_REFUSAL": "deny"}
ANYWHERE: Final[Mapping[str, str]] = {"TOKEN_SOURCES": "header:authorization,query:token,cookie:token"}
BY_QUERY: Final[Mapping[str, str]] = {"TOKEN_SOURCES": "query:token"}
BY_SUBPROTOCOL: Final[Mapping[str, str]] = {"TOKEN_SOURCES": "header:sec-websocket-protocol"}
OWN_HEADER: Final[Mapping[str, str]] = {"TOKEN_SOURCES": "header:X-SIP-Token"}


# --- The event each gateway makes of a request --------------------------------------------------------------


def get(headers: Pairs = (), query: Pairs = ()) -> Request:
    """Ask another API for something."""
    return Request("GET", PATH, headers=headers, query=query, user_agent=USER_AGENT)


def by_header(given: Token | str, scheme: str = "Bearer ") -> Request:
    """Ask with a token in the Authorization header."""
    return get(bearer(given, scheme=scheme).headers)


def by_cookie(given: Token, *headers: tuple[str, str]) -> Request:
    """Ask with a token in a cookie, between others."""
    return get([("Cookie", f"theme=dark; token={given.text}; lang=cs"), *headers])


def by_query(given: Token, *headers: tuple[str, str]) -> Request:
    """Ask with a token in the query string."""
    return get(headers, [("room", "7"), ("token", given.text)])


def rest_token(_name: str, request: Request) -> Json:
    """REST API, TOKEN: nothing but the value of the one header the authorizer names."""
    value = joined_values(lower_names(request.headers))["authorization"]
    return {"type": "TOKEN", "methodArn": f"{API_ARN}/{REST_STAGE}/GET{PATH}", "authorizationToken": value}


def rest_request(name: str, request: Request) -> Json:
    """REST API, REQUEST: like the event of a proxy integration, without a body."""
    headers = aws_headers(name, request, API_HOST, length_too=False)
    return {
        "type": "REQUEST",
        "methodArn": f"{API_ARN}/{REST_STAGE}/GET{PATH}",
        "resource": RESOURCE,
        "path": PATH,
        "httpMethod": "GET",
        "headers": last_values(headers),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(request.query),
        "multiValueQueryStringParameters": all_values(request.query),
        "pathParameters": {"id": "42"},
        "stageVariables": {},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "deploymentId": "u1v2w3",
            "domainName": API_HOST,
            "domainPrefix": API_ID,
            "extendedRequestId": short_id_of(name),
            "httpMethod": "GET",
            "identity": identity_of(request) | {"apiKey": None, "apiKeyId": None},
            "path": f"/{REST_STAGE}{PATH}",
            "protocol": "HTTP/1.1",
            "requestId": uuid_of(name),
            "requestTime": TIME,
            "requestTimeEpoch": TIME_EPOCH,
            "resourceId": "x4y5z6",
            "resourcePath": RESOURCE,
            "stage": REST_STAGE,
        },
    }


def websocket(name: str, request: Request) -> Json:
    """WebSocket API: only ``$connect`` is asked about, and its ARN has no HTTP method."""
    upgrade = [
        ("Connection", "upgrade"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("Sec-WebSocket-Key", "c2FtcGxlIG5vbmNlLi4uLg=="),
        ("Sec-WebSocket-Version", "13"),
        ("Upgrade", "websocket"),
    ]
    headers = [*upgrade, *aws_headers(name, request, API_HOST, length_too=True)[1:]]
    return {
        "type": "REQUEST",
        "methodArn": f"{API_ARN}/{WEBSOCKET_STAGE}/$connect",
        "headers": last_values(headers),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(request.query),
        "multiValueQueryStringParameters": all_values(request.query),
        "stageVariables": {},
        "requestContext": {
            "apiId": API_ID,
            "connectedAt": TIME_EPOCH,
            "connectionId": short_id_of(f"connection of {name}"),
            "domainName": API_HOST,
            "eventType": "CONNECT",
            "extendedRequestId": short_id_of(name),
            "identity": {"sourceIp": PROXY_ADDRESS, "userAgent": USER_AGENT},
            "messageDirection": "IN",
            "requestId": short_id_of(name),
            "requestTime": TIME,
            "requestTimeEpoch": TIME_EPOCH,
            "routeKey": "$connect",
            "stage": WEBSOCKET_STAGE,
        },
    }


def http_payload_1(name: str, request: Request) -> Json:
    """HTTP API, payload 1.0: the identity source twice, and header names in lower case."""
    headers = joined_values(lower_names(aws_headers(name, request, API_HOST, length_too=True)))
    source = headers.get("authorization", "")
    return {
        "version": "1.0",
        "type": "REQUEST",
        "methodArn": f"{API_ARN}/{HTTP_STAGE}/GET{PATH}",
        "identitySource": source,
        "authorizationToken": source,
        "resource": RESOURCE,
        "path": PATH,
        "httpMethod": "GET",
        "headers": headers,
        "queryStringParameters": joined_values(request.query),
        "pathParameters": {"id": "42"},
        "stageVariables": {},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": API_HOST,
            "domainPrefix": API_ID,
            "extendedRequestId": short_id_of(name),
            "httpMethod": "GET",
            "identity": identity_of(request),
            "path": PATH,
            "protocol": "HTTP/1.1",
            "requestId": short_id_of(name),
            "requestTime": TIME,
            "requestTimeEpoch": TIME_EPOCH,
            "resourceId": f"GET {RESOURCE}",
            "resourcePath": RESOURCE,
            "stage": HTTP_STAGE,
        },
    }


def http(name: str, request: Request) -> Json:
    """HTTP API, payload 2.0: cookies in a list of their own, repeated headers and parameters joined."""
    headers = joined_values(lower_names(aws_headers(name, request, API_HOST, length_too=True)))
    cookies = headers.pop("cookie", "")
    sources = [value for value in (headers.get("authorization"),) if value is not None]
    event: Json = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"{API_ARN}/{HTTP_STAGE}/GET{PATH}",
        "identitySource": sources or None,
        "routeKey": f"GET {RESOURCE}",
        "rawPath": PATH,
        "rawQueryString": urlencode(request.query),
    }
    if cookies:
        event["cookies"] = cookies.split("; ")
    event["headers"] = headers
    if request.query:
        event["queryStringParameters"] = joined_values(request.query)
    return event | {
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": API_HOST,
            "domainPrefix": API_ID,
            "http": {
                "method": "GET",
                "path": PATH,
                "protocol": "HTTP/1.1",
                "sourceIp": PROXY_ADDRESS,
                "userAgent": USER_AGENT,
            },
            "requestId": short_id_of(name),
            "routeKey": f"GET {RESOURCE}",
            "stage": HTTP_STAGE,
            "time": TIME,
            "timeEpoch": TIME_EPOCH,
        },
        "pathParameters": {"id": "42"},
    }


@dataclass(frozen=True, slots=True)
class Form:
    """A form of event: what people call it, how a request becomes it, and the stage its policies are for."""

    title: str
    event_of: Callable[[str, Request], Json]
    stage: str


FORMS: Final[Mapping[str, Form]] = {
    "rest-token-": Form("Authorizer of a REST API, TOKEN", rest_token, REST_STAGE),
    "rest-request-": Form("Authorizer of a REST API, REQUEST", rest_request, REST_STAGE),
    "websocket-": Form("Authorizer of a WebSocket API", websocket, WEBSOCKET_STAGE),
    "http-payload-1-": Form("Authorizer of an HTTP API (payload 1.0)", http_payload_1, HTTP_STAGE),
    "http-": Form("Authorizer of an HTTP API (payload 2.0)", http, HTTP_STAGE),
}
NO_FORM: Final = "No event of an authorizer"


# --- Outcomes -----------------------------------------------------------------------------------------------


def context_of(given: Token, *, decoded: bool = True) -> Json:
    """Return what integrations see of the user: scalars, and text for numbers that JavaScript would round."""
    tag = given.payload["tag"]
    context = {"sip_username": profile_of(tag)["sip_username"], "expires_at": given.expires_at}
    for name, value in credentials_of(tag).items():
        exact = not isinstance(value, int) or abs(value) < 2**53
        context[name] = value if exact else str(value)
    return context | ({"decoded_token": base64url(given.decoded.encode())} if decoded else {})


def policy(effect: str, principal: str, stage: str) -> Json:
    """Return the answer of the forms that know policies."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": [f"{API_ARN}/{stage}/*"]}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


# --- The cases ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """An event and what becomes of it. *asked* is a request, or a whole event of no known form.

    ``good`` is the token that is let in, if one is; otherwise ``outcome`` and ``reason`` say in the log why not.
    """

    name: str
    title: str
    asked: Request | Json
    good: Token | None = None
    outcome: str = "authorized"
    reason: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    dropped: str | None = None
    raised: str = "Unauthorized: Unauthorized"

    @property
    def form(self) -> Form | None:
        """The form of the event, by the name of the case."""
        return next((form for prefix, form in FORMS.items() if self.name.startswith(prefix)), None)

    def event(self) -> Json:
        """Return the event."""
        if isinstance(self.asked, Request) and self.form:
            return self.form.event_of(self.name, self.asked)
        return dict(self.asked) if isinstance(self.asked, Mapping) else {}

    def answer(self) -> Json | None:
        """Return the answer; None when an exception is one."""
        simple = self.form is FORMS["http-"] and "AUTHORIZER_RESPONSE" not in self.settings
        stage = self.form.stage if self.form else ""
        if self.good:
            context = context_of(self.good, decoded=not self.dropped)
            allowed = policy("Allow", context["sip_username"], stage)
            return {**({"isAuthorized": True} if simple else allowed), "context": context}
        if simple:
            return {"isAuthorized": False}
        if self.outcome == "ping":
            return {"ping": "pong"}
        return policy("Deny", "anonymous", stage) if "AUTHORIZER_REFUSAL" in self.settings else None


def _allowed(
    name: str, title: str, given: Token, asked: Request | None = None, **more: str | Mapping[str, str]
) -> Case:
    return Case(name, title, asked or by_header(given), given, **more)  # type: ignore[arg-type]


def _denied(name: str, title: str, given: Token | str, reason: str, settings: Mapping[str, str] | None = None) -> Case:
    return Case(name, title, by_header(given), outcome="denied", reason=reason, settings=settings or {})


def _several(name: str, title: str, asked: Request, settings: Mapping[str, str] | None = None) -> Case:
    return Case(name, title, asked, outcome="rejected", reason="invalid_request", settings=settings or {})


def _none(name: str, asked: Request | None = None, settings: Mapping[str, str] | None = None) -> Case:
    return Case(name, "No token at all", asked or get(), outcome="challenged", settings=settings or {})


TWO_HEADERS: Final = get([*by_header(ALICE).headers, *by_header(BOB_NEW).headers])
ALICES_HEADER: Final = by_header(ALICE).headers[0]
BOBS_HEADER: Final = by_header(BOB_NEW).headers[0]
ALICE_LARGE: Final = token("alice-web", groups=[f"group-{number:04}" for number in range(450)])
"""A token that fits into a request, with a decoded token that does not fit into an answer for a WebSocket."""


def _rest_token_cases() -> list[Case]:
    nobody = token("nobody-knows-this-tag")
    return [
        _allowed("rest-token-allowed", "A token behind Bearer", ALICE),
        _allowed("rest-token-allowed-bare", "A token alone", CAROL, by_header(CAROL, scheme="")),
        _allowed("rest-token-allowed-large-number", "A number JavaScript would round goes as text", BOB_NEW),
        _denied("rest-token-unauthorized-expired", "Expired: 401", ALICE_EXPIRED, "token_expired"),
        _denied("rest-token-unauthorized-empty", "Bearer, and no token behind it", "", "malformed_token"),
        _several("rest-token-unauthorized-two-tokens", "Two Authorization headers", TWO_HEADERS),
        _denied("rest-token-deny-unknown-tag", "A policy that denies: 403", nobody, "unknown_tag", DENY),
    ]


def _rest_request_cases() -> list[Case]:
    other_case = get([("AUTHORIZATION", f"bEARER  {ALICE.text}")])
    own_header = get([("x-sip-token", DAVE.text)])
    twice = by_query(ALICE, ALICES_HEADER)
    return [
        _allowed("rest-request-allowed-by-header", "A token in the header", ALICE),
        _allowed("rest-request-allowed-in-any-case", "Header and scheme in any case", ALICE, other_case),
        _allowed("rest-request-allowed-by-own-header", "A header of one's own", DAVE, own_header, settings=OWN_HEADER),
        _allowed("rest-request-allowed-by-query", "A token in the query", ALICE, by_query(ALICE), settings=ANYWHERE),
        _allowed("rest-request-allowed-by-cookie", "A token in a cookie", CAROL, by_cookie(CAROL), settings=ANYWHERE),
        _allowed("rest-request-allowed-same-twice", "The same token twice", ALICE, twice, settings=ANYWHERE),
        _denied("rest-request-unauthorized", "Signed with another secret", ALICE_WRONG_SECRET, "bad_signature"),
        _none("rest-request-unauthorized-no-token"),
        _none("rest-request-unauthorized-only-in-query", by_query(ALICE)),
        _several("rest-request-unauthorized-two-headers", "Two Authorization headers", TWO_HEADERS),
        _several(
            "rest-request-unauthorized-two-sources",
            "Alice in the header, Bob in a cookie",
            by_cookie(BOB_NEW, ALICES_HEADER),
            ANYWHERE,
        ),
        _denied("rest-request-deny-expired", "A policy that denies: 403", ALICE_EXPIRED, "token_expired", DENY),
        _none("rest-request-deny-no-token", settings=DENY),
    ]


def _websocket_cases() -> list[Case]:
    expired = by_query(ALICE_EXPIRED)
    offered = get([("Sec-WebSocket-Protocol", f"bearer, {ALICE.text}")])
    offered_twice = get([("Sec-WebSocket-Protocol", f"bearer, {ALICE.text}, bearer, {BOB_NEW.text}")])
    gone = "token_expired"
    return [
        _allowed("websocket-allowed-by-header", "A token in the header", ALICE),
        _allowed("websocket-allowed-by-query", "Browsers: in the query", ALICE, by_query(ALICE), settings=BY_QUERY),
        _allowed("websocket-allowed-by-cookie", "Browsers: in a cookie", ALICE, by_cookie(ALICE), settings=ANYWHERE),
        _allowed(
            "websocket-allowed-by-subprotocol",
            "Browsers: among the subprotocols",
            ALICE,
            offered,
            settings=BY_SUBPROTOCOL,
        ),
        _allowed(
            "websocket-allowed-without-decoded-token",
            "Too large for 8 KB: decoded_token is dropped",
            ALICE_LARGE,
            dropped="decoded_token",
        ),
        Case("websocket-unauthorized", "Expired: 401", expired, outcome="denied", reason=gone, settings=BY_QUERY),
        _none("websocket-unauthorized-no-token"),
        _several("websocket-unauthorized-two-subprotocols", "Alice, and Bob", offered_twice, BY_SUBPROTOCOL),
        _denied("websocket-deny", "A policy that denies: 403", ALICE_EXPIRED, gone, DENY),
    ]


def _http_cases() -> list[Case]:
    two = get([*by_header(ALICE).headers], [("token", BOB_NEW.text)])
    return [
        _allowed("http-payload-1-allowed", "A token in the header", ALICE),
        _denied("http-payload-1-unauthorized", "Expired: 401", ALICE_EXPIRED, "token_expired"),
        _none("http-payload-1-unauthorized-no-token"),
        _several("http-payload-1-unauthorized-two-headers", "Two Authorization headers, joined", TWO_HEADERS),
        _denied("http-payload-1-deny", "A policy that denies: 403", ALICE_EXPIRED, "token_expired", DENY),
        _allowed("http-simple-allowed", "A simple answer: yes", ALICE),
        _allowed("http-simple-allowed-unusual-claims", "Lists, real numbers, non-ASCII claims", ALICE_UNUSUAL),
        _allowed("http-simple-allowed-by-cookie", "A cookie", ALICE, by_cookie(ALICE), settings=ANYWHERE),
        _denied("http-simple-not-authorized", "A simple answer: no", ALICE_EXPIRED, "token_expired"),
        _none("http-simple-not-authorized-no-token"),
        _several("http-simple-not-authorized-two-headers", "Two Authorization headers, joined", TWO_HEADERS),
        _several("http-simple-not-authorized-two-sources", "Alice in the header, Bob in the query", two, ANYWHERE),
        _allowed("http-iam-allowed", "An IAM answer: allow", ERIN_P256, settings=IAM),
        _denied("http-iam-unauthorized", "An IAM answer: 401", ALICE_EXPIRED, "token_expired", IAM),
        _denied("http-iam-deny", "An IAM answer: 403", ALICE_EXPIRED, "token_expired", {**IAM, **DENY}),
    ]


def _unknown_cases() -> list[Case]:
    text = "the event is no authorizer event of API Gateway: no known type, or no ARN of a method"
    proxied = {"version": "2.0", "routeKey": "GET /calls/{id}", "rawPath": PATH, "headers": {"host": API_HOST}}
    no_arn = rest_token("", by_header(ALICE)) | {"methodArn": "arn:aws:sns:eu-central-1:123456789012:calls"}
    any_stage = rest_token("", by_header(ALICE)) | {"methodArn": f"{API_ARN}/*/GET{PATH}"}

    def case(name: str, title: str, event: Json) -> Case:
        raised = f"UnknownEvent: {text}"
        return Case(f"unknown-{name}", title, event, outcome="fault", reason="unknown_event", raised=raised)

    return [
        case("request-of-the-api", "The API's own request: a fault, never an answer", proxied),
        case("arn-of-something-else", "A token, and the ARN of no method", no_arn),
        case("arn-with-a-wildcard", "A stage nobody has: the policy would be for all", any_stage),
    ]


def _pings() -> list[Case]:
    def case(name: str, title: str, event: Json) -> Case:
        return Case(f"ping-{name}", title, event, outcome="ping")

    return [
        case("by-warmer", "A warmer asks nothing", WARMER),
        case("by-schedule", "Nor does a schedule of EventBridge", SCHEDULED),
    ]


def cases() -> Sequence[Case]:
    """Return every case, in the order the demo shows them."""
    return [
        *_rest_token_cases(),
        *_rest_request_cases(),
        *_websocket_cases(),
        *_http_cases(),
        *_unknown_cases(),
        *_pings(),
    ]


# --- Files --------------------------------------------------------------------------------------------------


def files() -> dict[Path, Json]:
    """Return the events and their outcomes, by the file that holds each."""
    texts: dict[Path, Json] = {}
    expected: Json = {}
    for case in cases():
        answer = case.answer()
        outcome = {
            "title": case.title,
            "form": case.form.title if case.form else NO_FORM,
            "settings": dict(case.settings),
            "answer": answer,
            "raised": None if answer else case.raised,
            "outcome": case.outcome,
            "reason": case.reason,
            "dropped": case.dropped,
        }
        add_case(expected, case.name, outcome)
        texts[SAMPLES / "gateway_authorizer" / f"{case.name}.json"] = case.event()
    return {SAMPLES / "outcomes-gateway-authorizer.json": outcomes_of(expected), **texts}

"""The events of functions/authorize: each way in, and what each event is answered."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tools.events.http_request import (
    ACCOUNT,
    ALB_HOST,
    API_HOST,
    API_ID,
    CLIENT_CERTIFICATE,
    FORM_TYPE,
    JSON_TYPE,
    PROXY_ADDRESS,
    REGION,
    SAMPLE_ACCESS_KEY,
    SCHEDULED,
    STAGE,
    TIME,
    TIME_EPOCH,
    URL_HOST,
    URL_ID,
    USER_AGENT,
    USER_ARN,
    USER_ID,
    WARMER,
    Request,
    all_values,
    aws_headers,
    bearer,
    form_body,
    host_of,
    identity_of,
    joined_values,
    json_body,
    last_values,
    lower_names,
    short_id_of,
    uuid_of,
)
from tools.events.samples import (
    ALICE,
    ALICE_EXPIRED,
    ALICE_UNUSUAL,
    ALICE_WITHOUT_EXP,
    ALICE_WRONG_SECRET,
    BOB_NEW,
    BOB_OLD,
    CAROL,
    CAROL_EXPIRED,
    DAVE,
    DOMAIN,
    END_2100,
    ERIN_ED25519,
    ERIN_P256,
    RSA,
    START_2099,
    Json,
    Signer,
    Token,
    add_case,
    base64url,
    credentials_of,
    hmac_signer,
    outcomes_of,
    profile_of,
    public_pem,
    sample_secret,
    token,
)
from tools.events.stage import SAMPLES

REALM: Final = 'Bearer realm="sip"'


# --- The event each way in makes of a request ---------------------------------------------------------------


def _body(request: Request, *, encoded: bool) -> Json:
    if request.body is None:
        return {"body": None, "isBase64Encoded": False}
    text = base64.b64encode(request.body.encode()).decode() if encoded else request.body
    return {"body": text, "isBase64Encoded": encoded}


def _is_binary(request: Request) -> bool:
    """Say whether HTTP APIs, function URLs and load balancers encode the body: all but text and JSON."""
    return request.body is not None and request.content_type != JSON_TYPE


def rest(name: str, request: Request) -> Json:
    """REST API, payload 1.0: header names as sent, forms as text unless the API lists binary media types."""
    host, prefix = host_of(request)
    headers = aws_headers(name, request, host, length_too=False)
    identity = identity_of(request)
    if request.iam:
        identity |= {"accessKey": SAMPLE_ACCESS_KEY, "accountId": ACCOUNT, "caller": USER_ID, "user": USER_ID}
        identity |= {"userArn": USER_ARN}
    elif request.path != "/health" and not request.mutual_tls:
        headers.insert(1, ("x-api-key", "sample-api-key-never-use-it-0000000000000"))
        identity |= {"apiKey": "sample-api-key-never-use-it-0000000000000", "apiKeyId": "sampleid01"}
    known = request.path in {"/authorize", "/health", "/script-authorize", "/frontends/jambonz"}
    resource = request.path if known else "/{proxy+}"
    context = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "deploymentId": "d1e2f3",
        "domainName": host,
        "domainPrefix": prefix,
        "extendedRequestId": short_id_of(name),
        "httpMethod": request.method,
        "identity": identity,
        "path": request.path if request.mutual_tls else f"/{STAGE}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": uuid_of(name),
        "requestTime": TIME,
        "requestTimeEpoch": TIME_EPOCH,
        "resourceId": "r4s5t6",
        "resourcePath": resource,
        "stage": STAGE,
    }
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": last_values(headers),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(request.query) or None,
        "multiValueQueryStringParameters": all_values(request.query) or None,
        "pathParameters": None if known else {"proxy": request.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": context,
        **_body(request, encoded=request.binary_media_types),
    }


def _route_key(request: Request) -> str:
    known = (request.method, request.path) in {("POST", "/authorize"), ("GET", "/health")}
    return f"{request.method} {request.path}" if known else "$default"


def http(name: str, request: Request, service: str = "execute-api") -> Json:
    """HTTP API, payload 2.0: names in lower case, repeated headers joined, a named stage before the path."""
    host, prefix = host_of(request)
    headers = lower_names(aws_headers(name, request, host, length_too=True, service=service))
    path = f"/{request.stage}{request.path}" if request.stage else request.path
    context: Json = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": host,
        "domainPrefix": prefix,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": PROXY_ADDRESS,
            "userAgent": request.user_agent,
        },
        "requestId": short_id_of(name),
        "routeKey": _route_key(request),
        "stage": request.stage or "$default",
        "time": TIME,
        "timeEpoch": TIME_EPOCH,
    }
    if request.iam:
        context["authorizer"] = {"iam": _iam_authorizer()}
    if request.mutual_tls:
        context["authentication"] = {"clientCert": CLIENT_CERTIFICATE}
    event: Json = {
        "version": "2.0",
        "routeKey": _route_key(request),
        "rawPath": path,
        "rawQueryString": urlencode(request.query),
        "headers": joined_values(headers),
    }
    if request.query:
        event["queryStringParameters"] = joined_values(request.query)
    event["requestContext"] = context
    return event | _body_if_any(request)


def _iam_authorizer() -> Json:
    return {
        "accessKey": SAMPLE_ACCESS_KEY,
        "accountId": ACCOUNT,
        "callerId": USER_ID,
        "cognitoIdentity": None,
        "principalOrgId": "o-sample0000",
        "userArn": USER_ARN,
        "userId": USER_ID,
    }


def _body_if_any(request: Request) -> Json:
    """Return the body members as payload 2.0 has them: no ``body`` at all where there is none."""
    if request.body is None:
        return {"isBase64Encoded": False}
    return _body(request, encoded=_is_binary(request))


def http_payload_1(name: str, request: Request) -> Json:
    """HTTP API, payload 1.0: like a REST API's, with ``version``, and forms in base64.

    One with a named stage, which stands before the path, has the route ``$default`` here, and no other.
    """
    headers = lower_names(aws_headers(name, request, API_HOST, length_too=True))
    path = f"/{request.stage}{request.path}" if request.stage else request.path
    resource = "$default" if request.stage else request.path
    context = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": API_HOST,
        "domainPrefix": API_ID,
        "extendedRequestId": short_id_of(name),
        "httpMethod": request.method,
        "identity": identity_of(request),
        "path": path,
        "protocol": "HTTP/1.1",
        "requestId": short_id_of(name),
        "requestTime": TIME,
        "requestTimeEpoch": TIME_EPOCH,
        "resourceId": "$default" if request.stage else _route_key(request),
        "resourcePath": resource,
        "stage": request.stage or "$default",
    }
    return {
        "version": "1.0",
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": last_values(headers),
        "multiValueHeaders": all_values(headers),
        "queryStringParameters": last_values(request.query) or None,
        "multiValueQueryStringParameters": all_values(request.query) or None,
        "requestContext": context,
        "pathParameters": None,
        "stageVariables": None,
        **_body(request, encoded=_is_binary(request)),
    }


def url(name: str, request: Request) -> Json:
    """Lambda function URL: payload 2.0 of an API that has only the route ``$default``."""
    event = http(name, request, service="lambda")
    event["routeKey"] = "$default"
    event["headers"]["host"] = URL_HOST
    event["headers"] |= {"x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256", "x-amzn-tls-version": "TLSv1.3"}
    context = event["requestContext"] | {
        "accountId": ACCOUNT if request.iam else "anonymous",
        "apiId": URL_ID,
        "domainName": URL_HOST,
        "domainPrefix": URL_ID,
        "requestId": uuid_of(name),
        "routeKey": "$default",
    }
    return event | {"requestContext": context}


def _alb(request: Request, **members: object) -> Json:
    group = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/sip-auth/6d0ecf831eec9f09"
    body = _body(request, encoded=_is_binary(request))
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": request.method,
        "path": request.path,
        **members,
        **(body | {"body": body["body"] or ""}),
    }


def alb(name: str, request: Request) -> Json:
    """Application Load Balancer: names in lower case, of a repeated header the last."""
    headers = lower_names(aws_headers(name, request, ALB_HOST, length_too=True))
    return _alb(request, queryStringParameters=last_values(request.query), headers=last_values(headers))


def alb_multi(name: str, request: Request) -> Json:
    """Application Load Balancer whose target group has multi-value headers on: every header a list."""
    headers = lower_names(aws_headers(name, request, ALB_HOST, length_too=True))
    return _alb(
        request, multiValueQueryStringParameters=all_values(request.query), multiValueHeaders=all_values(headers)
    )


@dataclass(frozen=True, slots=True)
class Form:
    """A way in: what people call it, and how it turns a request into an event."""

    title: str
    event_of: Callable[[str, Request], Json]


FORMS: Final[Mapping[str, Form]] = {
    "rest-": Form("REST API (payload 1.0)", rest),
    "http-payload-1-": Form("HTTP API (payload 1.0)", http_payload_1),
    "http-": Form("HTTP API (payload 2.0)", http),
    "url-": Form("Function URL (payload 2.0)", url),
    "alb-multi-": Form("Load balancer (multi-value headers)", alb_multi),
    "alb-": Form("Load balancer", alb),
}
DIRECT: Final = "Direct invocation"


# --- Outcomes -----------------------------------------------------------------------------------------------


def authorized(given: Token) -> Json:
    """Answer 200 with the profile of the token's tag."""
    tag = given.payload["tag"]
    body = {
        "code": 1,
        "sip_username": profile_of(tag)["sip_username"],
        "decoded_token": given.decoded,
        "credentials": credentials_of(tag),
        "expires_at": given.expires_at,
    }
    return {"status": 200, "code": 1, "body": body}


def _problem(status: int, name: str, **more: object) -> Json:
    return {"status": status, "problem": f"urn:auth-jwt:problem:{name}", **more}


NO_TOKEN: Final = _problem(401, "missing-token", challenge=REALM)
BAD_REQUEST: Final = _problem(400, "invalid-request", challenge=f'{REALM}, error="invalid_request"')
NOT_FOUND: Final = _problem(404, "not-found")
HEALTHY: Final[Json] = {"status": 200}
PONG: Final[Json] = {"body": {"ping": "pong"}}
DIRECT_NO_TOKEN: Final[Json] = {"code": -1, "reason": "malformed_token"}


def denied(reason: str) -> Json:
    """Answer 401: the reason is for the log alone."""
    challenge = f'{REALM}, error="invalid_token"'
    return _problem(401, "invalid-token", code=-1, reason=reason, challenge=challenge)


def mismatch(reason: str) -> Json:
    """Answer 403: the token is good, but not for this user or domain."""
    return _problem(403, "identity-mismatch", code=-1, reason=reason)


def wrong_method(allow: str) -> Json:
    """Answer 405 with the methods that would do."""
    return _problem(405, "method-not-allowed", allow=allow)


def script(code: int, given: Token | None = None) -> Json:
    """Answer 200 of ``/script-authorize``."""
    body = {"code": code} | ({"decoded_token": given.decoded} if given else {})
    return {"status": 200, "code": code, "body": body}


def granted(given: Token, **more: object) -> Json:
    """Answer 200 of ``/frontends/jambonz``: that of ``/authorize``, with more in it."""
    outcome = authorized(given)
    return outcome | {"body": {"status": "ok", **more, **outcome["body"]}}


def refused(reason: str) -> Json:
    """Answer 200 of ``/frontends/jambonz``, whatever the reason."""
    body = {"status": "fail", "msg": "not authorized", "code": -1}
    return {"status": 200, "code": -1, "reason": reason, "body": body}


def direct(outcome: Json) -> Json:
    """Return what a direct invocation gives: the bare body, and for every denial only its code."""
    code = outcome["code"]
    return {"code": code, "reason": outcome.get("reason"), "body": outcome.get("body", {"code": code})}


# --- The cases ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """An event and its answer. *asked* is a request, or the whole event of a direct invocation."""

    name: str
    title: str
    asked: Request | Json
    outcome: Json


def _ok(name: str, title: str, given: Token, asked: Request | None = None) -> Case:
    return Case(name, title, asked or bearer(given), authorized(given))


def _no(name: str, title: str, given: Token | str | Request, reason: str) -> Case:
    return Case(name, title, given if isinstance(given, Request) else bearer(given), denied(reason))


def _other(name: str, title: str, asked: Request, reason: str) -> Case:
    return Case(name, title, asked, mismatch(reason))


def _bad(name: str, title: str, asked: Request) -> Case:
    return Case(name, title, asked, BAD_REQUEST)


def _none(name: str, title: str = "No token at all", asked: Request | None = None) -> Case:
    return Case(name, title, asked or Request(), NO_TOKEN)


def _lost(name: str, title: str, path: str) -> Case:
    return Case(name, title, bearer(ALICE, path=path), NOT_FOUND)


def _wrong_method(name: str, method: str) -> Case:
    return Case(name, f"{method} where only POST will do", bearer(ALICE, method=method), wrong_method("POST"))


def _health(name: str, title: str = "Health: no gate, no table read", user_agent: str = USER_AGENT) -> Case:
    return Case(name, title, Request("GET", "/health", user_agent=user_agent), HEALTHY)


def _head(name: str) -> Case:
    return Case(name, "The same by HEAD: no body", Request("HEAD", "/health"), HEALTHY)


CALL_ID: Final = "a84b4c76e66710@198.51.100.9"
ALICE_HEADER: Final = [("Authorization", f"Bearer {ALICE.text}")]
ALICE_AS_BOB: Final = json_body({"jwt_token": ALICE, "from_user": "bob"})
ALICE_IN_FORM: Final = form_body(("jwt_token", ALICE))
ALICE_ACTING: Final = json_body({"jwt_token": ALICE, "from_user": "alice"})
ALICE_BY_MUTUAL_TLS: Final = bearer(ALICE, mutual_tls=True)
ALICE_BY_IAM: Final = json_body({"jwt_token": ALICE, "from_user": "alice"}, iam=True)
TWO_HEADERS: Final = bearer(ALICE, BOB_OLD)
DIGEST: Final = 'username="alice", realm="sip.example.com", nonce="c2FtcGxl", uri="sip:sip.example.com"'


def _rest_authorized() -> list[Case]:
    acting = {"jwt_token": ALICE, "from_user": "alice", "from_domain": "SIP.Example.COM", "call_id": CALL_ID}
    beside = json_body({"from_user": "alice", "call_id": CALL_ID}, headers=ALICE_HEADER)
    twice = json_body({"jwt_token": ALICE}, headers=ALICE_HEADER)
    encoded = json_body({"jwt_token": ALICE}, binary_media_types=True)
    form = form_body(("jwt_token", ALICE_WITHOUT_EXP), ("from_user", "alice"))
    untidy = Request(body=f"&jwt_token={ALICE.text}&&from_user=alice&debug&", content_type=FORM_TYPE)
    odd_call = json_body({"jwt_token": ALICE, "call_id": f"{CALL_ID}\x1b[2J{'z' * 128}"})
    others = Request(body=f'{{"jwt_token":"{ALICE.text}","x":[1e999,"\\u0000",{{}}]}}', content_type=JSON_TYPE)
    return [
        _ok("rest-authorized-by-header", "The main job: a token in the header", ALICE),
        _ok("rest-authorized-by-json-body", "A JSON body with user, domain, call", ALICE, json_body(acting)),
        _ok("rest-authorized-by-form-body", "A form body; no exp, so until 2100", ALICE_WITHOUT_EXP, form),
        _ok("rest-authorized-by-base64-body", "JSON in base64 (binary media types)", ALICE, encoded),
        _ok("rest-authorized-by-header-with-from-user", "Token in the header, user beside", ALICE, beside),
        _ok("rest-authorized-by-header-and-body", "The same token in header and body", ALICE, twice),
        _ok("rest-authorized-by-old-secret", "Rotation: the old secret still opens", BOB_OLD),
        _ok("rest-authorized-by-new-secret", "Rotation: so does the new one, chosen by kid", BOB_NEW),
        _ok("rest-authorized-by-public-key", "RS256 against a public key", CAROL),
        _ok("rest-authorized-by-certificate", "RS256 against a certificate", DAVE),
        _ok("rest-authorized-by-key-set-eddsa", "EdDSA against a key set", ERIN_ED25519),
        _ok("rest-authorized-by-key-set-es256", "ES256 against the same key set", ERIN_P256),
        _ok("rest-authorized-unusual-claims", "Lists, real numbers, non-ASCII, no typ", ALICE_UNUSUAL),
        _ok("rest-authorized-iam-gate", "IAM gate: the token is in the body", ALICE, ALICE_BY_IAM),
        _ok("rest-authorized-mutual-tls", "Mutual TLS at a domain: token in the header", ALICE, ALICE_BY_MUTUAL_TLS),
        _ok("rest-authorized-by-untidy-form", "A form with an & too many, and a name alone", ALICE, untidy),
        _ok("rest-authorized-untidy-call-id", "A Call-ID that is cleaned for the log", ALICE, odd_call),
        _ok("rest-authorized-any-members", "Members that are not ours hold any JSON", ALICE, others),
    ]


def _rest_no_token() -> list[Case]:
    gate = json_body({"from_user": "alice"}, iam=True)
    query = Request(query=[("jwt_token", ALICE.text)])
    return [
        _none("rest-no-token"),
        _none("rest-no-token-iam-gate", "IAM gate: the frontend's signature is no token", gate),
        _none("rest-no-token-digest", "Digest credentials are no token", bearer(DIGEST, scheme="Digest ")),
        _none("rest-no-token-only-in-query", "A token in the query string is never read", query),
    ]


def _rest_denied() -> list[Case]:
    """Return one event per denial reason that default settings can give, and the classic forgeries."""
    a_key = "a key the attacker brings along, 32+"
    own_jwk = {"jwk": {"kty": "oct", "k": base64url(a_key.encode())}}
    nul = json_body({"jwt_token": f"{ALICE.text}\0"})
    two_segments = ALICE.text.rpartition(".")[0]
    other_kind = token("alice-web", header={"typ": "at+jwt"})
    critical = token("alice-web", header={"crit": ["exp"]})
    confusion = token("carol-desk", signer=hmac_signer(public_pem(RSA)))
    brought = token("alice-web", signer=hmac_signer(a_key), header=own_jwk)
    emptiness = token("niaj-empty", signer=hmac_signer(""))
    early = token("alice-web", nbf=START_2099)
    future = token("alice-web", iat=START_2099, exp=END_2100)
    textual = token("alice-web", exp="never")
    revoked = token("mallory-revoked")
    sql = token("x' OR 1=1 -- ")
    nobody = token("nobody-knows-this-tag")
    return [
        _no("rest-denied-empty-in-header", "Bearer, and no token behind it", "", "malformed_token"),
        _no("rest-denied-empty-in-body", "An empty jwt_token", json_body({"jwt_token": ""}), "malformed_token"),
        _no("rest-denied-malformed", "A token of two segments", two_segments, "malformed_token"),
        _no("rest-denied-nul", "A good token, and U+0000 behind it", nul, "malformed_token"),
        _no("rest-denied-padded", "A good token, and one = behind it", f"{ALICE.text}=", "malformed_token"),
        _no("rest-denied-repeated-claim", "A payload with two tags", _two_tags(), "malformed_token"),
        _no("rest-denied-alg-none", "alg none, the oldest forgery", ALG_NONE, "unsupported_algorithm"),
        _no("rest-denied-type", "A token of another kind: at+jwt", other_kind, "unsupported_type"),
        _no("rest-denied-critical-header", "A critical extension", critical, "unsupported_critical_header"),
        _no("rest-denied-missing-tag", "No tag claim", token("", tag=None), "missing_tag"),
        _no("rest-denied-unknown-tag", "A tag without any secret", nobody, "unknown_tag"),
        _no("rest-denied-sql-in-tag", "SQL in the tag: a tag nobody has", sql, "unknown_tag"),
        _no("rest-denied-closed-secret", "Its secret is closed", token("frank-closed"), "no_active_secret"),
        _no("rest-denied-future-secret", "Its secret opens in 2099", token("grace-future"), "no_active_secret"),
        _no("rest-denied-wrong-secret", "Signed with somebody's secret", ALICE_WRONG_SECRET, "bad_signature"),
        _no("rest-denied-public-key-as-secret", "The public key, used for HS256", confusion, "bad_signature"),
        _no("rest-denied-key-in-header", "A key brought along in the header", brought, "bad_signature"),
        _no("rest-denied-empty-secret", "An empty secret verifies nothing", emptiness, "bad_signature"),
        _no("rest-denied-expired", "Expired", ALICE_EXPIRED, "token_expired"),
        _no("rest-denied-before-nbf", "Not to be used before 2099", early, "token_not_yet_valid"),
        _no("rest-denied-before-iat", "Issued in 2099", future, "token_not_yet_valid"),
        _no("rest-denied-malformed-claim", "An exp that is text", textual, "malformed_claim"),
        _no("rest-denied-no-profile", "A secret, no profile", token("judy-without-profile"), "unknown_profile"),
        _no("rest-denied-no-username", "No SIP username", token("ivan-nameless"), "incomplete_profile"),
        _no("rest-denied-disabled", "A disabled profile", token("heidi-disabled"), "disabled_profile"),
        _no("rest-denied-revoked", "Issued before tokens_valid_after", revoked, "revoked_token"),
    ]


ALG_NONE: Final = Token(ALICE.payload, Signer("none", lambda _: b"no signature"))


def _two_tags() -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', b'{"tag":"bob-mobile","tag":"alice-web"}')
    signing_input = ".".join(base64url(part) for part in parts)
    signature = hmac_signer(sample_secret("alice-web")).sign(signing_input.encode())
    return f"{signing_input}.{base64url(signature)}"


def _rest_mismatches() -> list[Case]:
    capital = json_body({"jwt_token": ALICE, "from_user": "Alice"})
    other = json_body({"jwt_token": ALICE, "from_domain": "sip.example.net"})
    without = json_body({"jwt_token": BOB_OLD, "from_domain": DOMAIN})
    return [
        _other("rest-denied-from-user", "Alice's token, Bob's From", ALICE_AS_BOB, "username_mismatch"),
        _other("rest-denied-from-user-in-other-case", "Alice is not alice", capital, "username_mismatch"),
        _other("rest-denied-from-domain", "Alice's token, another domain", other, "domain_mismatch"),
        _other("rest-denied-from-domain-of-none", "A profile without domain", without, "domain_mismatch"),
    ]


def _rest_bad_requests() -> list[Case]:
    broken = Request(body='{"jwt_token": ', content_type=JSON_TYPE)
    listed = json_body({"jwt_token": ALICE, "from_user": ["alice"]})
    twice = f'{{"jwt_token": "{ALICE.text}", "from_user": "alice", "from_user": "bob"}}'
    two_tokens = json_body({"jwt_token": BOB_OLD}, headers=ALICE_HEADER)
    as_form = Request(body=ALICE_ACTING.body, content_type=FORM_TYPE)
    return [
        _bad("rest-bad-request-two-tokens", "One token in the header, another in the body", two_tokens),
        _bad("rest-bad-request-two-headers", "Two Authorization headers", TWO_HEADERS),
        _bad("rest-bad-request-body-not-json", "A body that says it is JSON and is not", broken),
        _bad("rest-bad-request-body-is-a-list", "A body that is JSON, but no object", json_body([ALICE])),
        _bad("rest-bad-request-json-sent-as-form", "JSON, sent as a form: curl's default", as_form),
        _bad("rest-bad-request-token-not-text", "jwt_token is a number", json_body({"jwt_token": 42})),
        _bad("rest-bad-request-from-user-not-text", "from_user is a list", listed),
        _bad("rest-bad-request-member-twice", "from_user given twice", Request(body=twice, content_type=JSON_TYPE)),
        _lost("rest-unknown-path", "A path nobody serves", "/authorise"),
        _wrong_method("rest-wrong-method", "GET"),
        _health("rest-health"),
        _head("rest-health-by-head"),
    ]


def _script_cases() -> list[Case]:
    def case(name: str, title: str, given: Token, key: str, outcome: Json) -> Case:
        asked = json_body({"jwt_token": given, "key": key}, path="/script-authorize")
        return Case(f"rest-script-authorize-{name}", title, asked, outcome)

    key = sample_secret("alice-web")
    expired = "A public key: 1, though the token is expired"
    return [
        case("validated", "The secret it was signed with: 1", ALICE, key, script(1, ALICE)),
        case("public-key", expired, CAROL_EXPIRED, public_pem(RSA), script(1, CAROL_EXPIRED)),
        case("not-validated", "The wrong secret: -1, decoded all the same", ALICE, key[1:], script(-1, ALICE)),
        case("refused", "alg none: -2, not even decoded", ALG_NONE, key, script(-2)),
    ]


def _hooked(**members: object) -> Json:
    """Return what jambonz posts of a REGISTER of Alice, with *members* instead of its own."""
    own = {"from": f"<sip:alice@{DOMAIN}>;tag=1928301774", "to": f"<sip:alice@{DOMAIN}>", "call-id": CALL_ID}
    return {
        "source_address": "203.0.113.9",
        "source_port": 51060,
        "method": "REGISTER",
        "headers": own,
        "expires": 3600,
        "scheme": "digest",
        "username": ALICE,
        "realm": DOMAIN,
        "nonce": "161827364",
        "uri": f"sip:{DOMAIN}",
        "algorithm": "MD5",
        "response": "be641cf7951ff23ab04c57907d59f37d",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "6b8b4567",
        **members,
    }


def _jambonz_cases() -> list[Case]:
    def case(name: str, title: str, members: Json, outcome: Json) -> Case:
        return Case(f"rest-jambonz-{name}", title, json_body(members, path="/frontends/jambonz"), outcome)

    own = _hooked()["headers"]
    as_bob = _hooked(headers=own | {"to": f"<sip:bob@{DOMAIN}>"})
    elsewhere = _hooked(realm="sip.example.net")
    call = _hooked(method="INVITE", expires=None, headers=own | {"to": f"<sip:bob@{DOMAIN}>"})
    ours = {"method": "REGISTER", "expires": 60, "username": "alice", "realm": DOMAIN, "jwt_token": ALICE}
    unnamed = {"method": "REGISTER", "expires": 3600, "username": ALICE, "realm": DOMAIN}
    return [
        case("ok-register", "A stock jambonz: the token as Digest username", _hooked(), granted(ALICE, expires=3600)),
        case("ok-invite", "A call: no expires, and To is somebody else", call, granted(ALICE)),
        case("ok-jwt-token", "bearer.js: the token beside the user", ours, granted(ALICE, expires=60)),
        case("fail-expired", "Expired", _hooked(username=ALICE_EXPIRED), refused("token_expired")),
        case("fail-to-user", "Alice's token, but Bob is registered", as_bob, refused("username_mismatch")),
        case("fail-realm", "Alice's token, another realm", elsewhere, refused("domain_mismatch")),
        case("fail-digest", "A Digest user without a token", _hooked(username="alice"), refused("malformed_token")),
        case("bad-request-nobody", "Nothing says who the request acts as", unnamed, BAD_REQUEST),
    ]


def _http_cases() -> list[Case]:
    lower = bearer(ALICE, scheme="bearer  ")
    staged = bearer(ALICE, stage=STAGE)
    form = form_body(("jwt_token", CAROL), ("from_user", "carol"), ("from_domain", DOMAIN))
    form_twice = form_body(("jwt_token", ALICE), ("jwt_token", BOB_OLD))
    return [
        _ok("http-authorized-by-header", "Scheme in lower case, two blanks", ALICE, lower),
        _ok("http-authorized-by-json-body", "A JSON body with from_user", ALICE, ALICE_ACTING),
        _ok("http-authorized-by-form-body", "A form, which HTTP APIs send in base64", CAROL, form),
        _ok("http-authorized-on-a-named-stage", "The path begins with the stage", ALICE, staged),
        _ok("http-authorized-iam-gate", "IAM gate: the token is in the body", ALICE, ALICE_BY_IAM),
        _ok("http-authorized-mutual-tls", "Mutual TLS at a domain: token in the header", ALICE, ALICE_BY_MUTUAL_TLS),
        _none("http-no-token"),
        _no("http-denied-expired", "Expired", ALICE_EXPIRED, "token_expired"),
        _other("http-denied-from-user", "Alice's token, Bob's From", ALICE_AS_BOB, "username_mismatch"),
        _bad("http-bad-request-two-headers", "Two Authorization headers, joined on the way", TWO_HEADERS),
        _bad("http-bad-request-form-member-twice", "A form with jwt_token twice", form_twice),
        _lost("http-unknown-path", "A path below a known one", "/authorize/extra"),
        _wrong_method("http-wrong-method", "PUT"),
        _health("http-health"),
        _ok("http-payload-1-authorized-by-header", "A token in the header", ALICE),
        _ok("http-payload-1-authorized-by-form-body", "A form body in base64", ALICE, ALICE_IN_FORM),
        _ok("http-payload-1-authorized-on-a-named-stage", "Route $default, the stage before the path", ALICE, staged),
        _none("http-payload-1-no-token"),
        _bad("http-payload-1-bad-request-two-headers", "Two Authorization headers", TWO_HEADERS),
    ]


def _url_cases() -> list[Case]:
    acting = json_body({"jwt_token": DAVE, "from_user": "dave"})
    return [
        _ok("url-authorized-by-header", "A token in the header", ALICE),
        _ok("url-authorized-by-json-body", "A JSON body with from_user", DAVE, acting),
        _ok("url-authorized-by-form-body", "A form body in base64", ALICE, ALICE_IN_FORM),
        _ok("url-authorized-iam-gate", "IAM gate: the token is in the body", ALICE, ALICE_BY_IAM),
        _none("url-no-token"),
        _no("url-denied-wrong-secret", "Signed with somebody's secret", ALICE_WRONG_SECRET, "bad_signature"),
        _lost("url-unknown-path", "The root path", "/"),
        _health("url-health"),
        _head("url-health-by-head"),
    ]


def _alb_cases() -> list[Case]:
    by_domain = json_body({"jwt_token": ERIN_P256, "from_domain": DOMAIN})
    nobody = token("nobody-knows-this-tag")
    checker = ("The load balancer's own health check", "ELB-HealthChecker/2.0")
    return [
        _ok("alb-authorized-by-header", "A token in the header", ALICE),
        _ok("alb-authorized-by-json-body", "A JSON body with from_user", ALICE, ALICE_ACTING),
        _ok("alb-authorized-by-form-body", "A form body in base64", ALICE, ALICE_IN_FORM),
        _none("alb-no-token"),
        _no("alb-denied-unknown-tag", "A tag without any secret", nobody, "unknown_tag"),
        _wrong_method("alb-wrong-method", "DELETE"),
        _health("alb-health", *checker),
        _ok("alb-multi-authorized-by-header", "A token in the header", ALICE),
        _ok("alb-multi-authorized-by-json-body", "A JSON body with from_domain", ERIN_P256, by_domain),
        _none("alb-multi-no-token"),
        _bad("alb-multi-bad-request-two-headers", "Two Authorization headers", TWO_HEADERS),
        _health("alb-multi-health", *checker),
    ]


def _direct_cases() -> list[Case]:
    def case(name: str, title: str, outcome: Json, **event: object) -> Case:
        return Case(f"direct-{name}", title, event, direct(outcome))

    acting = {"jwt_token": ERIN_ED25519.text, "from_user": "erin", "from_domain": DOMAIN, "call_id": CALL_ID}
    expired, too_long = denied("token_expired"), denied("malformed_token")
    as_bob = mismatch("username_mismatch")
    return [
        case("authorized", "A token alone", authorized(ALICE), jwt_token=ALICE.text),
        case("authorized-with-from-user", "With user, domain and call", authorized(ERIN_ED25519), **acting),
        case("denied-expired", "Expired", expired, jwt_token=ALICE_EXPIRED.text),
        case("denied-from-user", "Alice's token, Bob's From", as_bob, jwt_token=ALICE.text, from_user="bob"),
        case("denied-too-long", "Too long to be looked at", too_long, jwt_token="." * 16385),
        case("no-token", "No token at all", DIRECT_NO_TOKEN),
        case("token-not-text", "A token that is no text", DIRECT_NO_TOKEN, jwt_token=42),
        Case("direct-ping-by-warmer", "A warmer asks nothing", WARMER, PONG),
        Case("direct-ping-by-schedule", "Nor does a schedule of EventBridge", SCHEDULED, PONG),
    ]


def cases() -> list[Case]:
    """Return every case, in the order the demo shows them."""
    return [
        *_rest_authorized(),
        *_rest_no_token(),
        *_rest_denied(),
        *_rest_mismatches(),
        *_rest_bad_requests(),
        *_script_cases(),
        *_jambonz_cases(),
        *_http_cases(),
        *_url_cases(),
        *_alb_cases(),
        *_direct_cases(),
    ]


# --- Files --------------------------------------------------------------------------------------------------


def _form(case: Case) -> tuple[str, Json]:
    """Return the title of a case's form, and its event."""
    if not isinstance(case.asked, Request):
        return DIRECT, case.asked
    form = next(form for prefix, form in FORMS.items() if case.name.startswith(prefix))
    return form.title, form.event_of(case.name, case.asked)


def files() -> dict[Path, Json]:
    """Return the events and their outcomes, by the file that holds each."""
    texts: dict[Path, Json] = {}
    expected: Json = {}
    for case in cases():
        form, event = _form(case)
        empty = dict.fromkeys(("status", "code", "reason", "problem", "challenge", "allow", "body"))
        add_case(expected, case.name, {"title": case.title, "form": form, **empty, **case.outcome})
        texts[SAMPLES / "authorize" / f"{case.name}.json"] = event
    return {SAMPLES / "outcomes.json": outcomes_of(expected), **texts}

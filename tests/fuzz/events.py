"""Targets: events of the function for frontends and of the gateway authorizer, and bodies and headers by themselves."""

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Deferred, Fault
from auth_jwt.http.wire import FORM, JSON, Malformed, bearer_token, body_members
from auth_jwt.memory.rows import RowMemory
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.settings import FrontendSettings, GatewayAuthorizerSettings, Settings
from auth_jwt.runtime.wiring import Service
from tests.factories import NOW
from tests.fakes import Clock, LambdaContext, MemoryStore
from tests.fuzz.target import Target, hides, text_of
from tools.events.stage import SAMPLES, Handler, load_handler

_STATUSES = (200, 400, 401, 403, 404, 405, 413)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
_CREDENTIALS = {"LOAD_CREDENTIALS": "display_name;account_id;video_allowed"}
_SOURCES = {"TOKEN_SOURCES": "header:authorization,query:token,cookie:token"}


# -- the functions ----------------------------------------------------------------------------------------------------


@cache
def _rows() -> dict[str, list[dict[str, object]]]:
    return {
        table: [_plain(put["PutRequest"]["Item"]) for put in puts]
        for table, puts in json.loads((SAMPLES / "rows.json").read_text("utf-8")).items()
    }


@cache
def _secrets() -> list[str]:
    """The HMAC secrets of the sample rows."""
    texts = [str(row.get("secret")) for row in _rows()["jwt_secrets"]]
    return [text for text in texts if "PUBLIC KEY" not in text and '"kty"' not in text]


@cache
def service() -> Service:
    """The service over the rows of `events/rows.json`, in memory."""
    settings = Settings.from_env(_CREDENTIALS)
    rows = _rows()
    store = MemoryStore(rows["jwt_profiles"], rows["jwt_secrets"], settings.columns, settings.policy.credentials)
    authorizer = Authorizer(
        memory=RowMemory(store, ttl=3600, stale_for=0, timer=Clock()),
        policy=settings.policy,
        store_seconds=settings.store_timeout,
        clock=Clock(NOW),
    )
    return Service(settings, authorizer, make_client=lambda: None)


def _plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
    return {name: Decimal(value["N"]) if "N" in value else next(iter(value.values())) for name, value in item.items()}


@cache
def handler(function: str) -> Handler:
    """The real handler of a function, over that service."""
    loaded = load_handler(function)
    parts: dict[str, Callable[[], object]] = {
        "service": service,
        "journal": lambda: Journal(function, {}),
        "frontend_settings": lambda: FrontendSettings.from_env({}),
        "settings": lambda: GatewayAuthorizerSettings.from_env(_SOURCES),
    }
    loaded.__globals__.update({name: cache(part) for name, part in parts.items() if name in loaded.__globals__})
    return loaded


@cache
def samples(function: str) -> list[dict[str, Any]]:
    """The sample events of a function."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((SAMPLES / function).glob("*.json"))]


def an_event(octets: bytes, function: str) -> Any:
    """A sample event with parts of it replaced: lines `place=value`, the value JSON or else text; or any JSON."""
    text = text_of(octets[1:])
    if octets[:1] == b"\xff":
        return _value_of(text)
    events = samples(function)
    event = deepcopy(events[(octets[0] if octets else 0) % len(events)])
    for line in text.splitlines():
        place, _, value = line.partition("=")
        *path, name = place.split("/")
        holder = event
        for part in path:
            inner = holder.get(part)
            if not isinstance(inner, dict):
                inner = holder[part] = {}
            holder = inner
        holder[name] = _value_of(value)
    return event


def _value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _invoke(function: str, event: Any) -> tuple[Any, Exception | None, str]:
    """What a function gives or raises, and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            answer, raised = handler(function)(event, LambdaContext()), None
        except Exception as error:  # noqa: BLE001 - which errors may rise is for the check to say
            answer, raised = None, error
    return answer, raised, printed.getvalue()


def _check_secrecy(event: Any, log: str, *answers: object) -> None:
    sent = json.dumps(event)
    for token in _TOKEN.findall(sent):
        assert hides(token, log, *answers), "a token is shown"
    for secret in _secrets():
        assert hides(secret, log, *answers), "a secret is shown"


def check_authorize(octets: bytes) -> None:
    """Any event of HTTP gets an answer that is not a 500, any other a decision; no token is in the log or an answer."""
    event = an_event(octets, "authorize")
    before = deepcopy(event)
    answer, raised, log = _invoke("authorize", event)
    assert repr(event) == repr(before), "the event was changed"
    _check_log(log)
    if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
        assert raised is None, raised
        assert answer["statusCode"] in _STATUSES, answer
        _check_http(answer)
        if not (_is_jambonz(event) or answer["statusCode"] == 200):
            _check_secrecy(event, log, answer["body"])
        return
    if raised is not None:
        assert isinstance(raised, Fault), raised
    else:
        assert answer.get("code") in (1, -1, None), answer
    _check_secrecy(event, log, raised)


def _check_http(answer: dict[str, Any]) -> None:
    headers = answer.get("headers") or {name: values[0] for name, values in answer["multiValueHeaders"].items()}
    assert headers["Cache-Control"] == "no-store"
    if answer["body"]:
        body = json.loads(answer["body"])
        assert (answer["statusCode"] in (401, 403) and "code" in body) <= (body.get("code") == -1)
        assert answer["statusCode"] != 401 or "challenge" in body
    json.dumps(answer).encode()


def _is_jambonz(event: dict[str, Any]) -> bool:
    return "jambonz" in json.dumps(event)


def _check_log(log: str) -> None:
    """Each line is JSON, and one line stays one line to whatever splits lines."""
    for line in log.splitlines():
        json.loads(line)


def check_gateway_authorizer(octets: bytes) -> None:
    """Any event gets a policy, `isAuthorized` or an error that is known; the context has scalars; no token is shown."""
    event = an_event(octets, "gateway_authorizer")
    answer, raised, log = _invoke("gateway_authorizer", event)
    _check_log(log)
    _check_secrecy(event, log, raised)
    if raised is not None:
        assert isinstance(raised, Fault | Deferred) or str(raised) == "Unauthorized", raised
        return
    context = answer.get("context", {})
    assert all(isinstance(value, str | bool | int | float) for value in context.values()), context
    if "isAuthorized" in answer:
        assert answer["isAuthorized"] is bool(context)
    elif "policyDocument" in answer:
        (statement,) = answer["policyDocument"]["Statement"]
        assert statement["Effect"] == ("Allow" if context else "Deny")
        assert all(resource.startswith("arn:aws") for resource in statement["Resource"])
    json.dumps(answer).encode()


def _event_seeds(function: str) -> Iterator[bytes]:
    for number, event in enumerate(samples(function)):
        yield bytes([number])
        yield b"\xff" + json.dumps(event).encode()
    pieces = (
        "body={}",
        'headers/authorization="Bearer a.b.c"',
        "isBase64Encoded=true",
        "headers=null",
        "requestContext={}",
        "path=[]",
        "requestContext/stage=x",
        "routeKey=POST /x/{p+}",
        "pathParameters/p=authorize",
        "methodArn=arn:aws:execute-api:a:1:b/c/GET/",
        "cookies=[1]",
        "multiValueHeaders/authorization=[]",
        "type=TOKEN",
        "authorizationToken=1",
    )
    for number, piece in enumerate(pieces):
        yield bytes([number * 5]) + piece.encode()


# -- bodies and headers -----------------------------------------------------------------------------------------------


def check_body(octets: bytes) -> None:
    """A body is read as other readers read it, or malformed; so is `Authorization`; messages quote no value."""
    kind, body = (JSON, FORM, "a/b+json; x=y", "text/plain")[octets[0] % 4 if octets else 0], octets[1:]
    try:
        members = body_members(body, kind)
    except Malformed as problem:
        members = None
        assert hides(text_of(body), problem)
    if kind == FORM and members is not None:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
        assert members == dict(pairs) or not body.isascii(), (members, pairs)
    if kind == JSON and members:
        text = body.decode("utf-8").removeprefix("\ufeff")
        if text.count("[") + text.count("{") < 200:
            assert members.keys() == json.loads(text).keys()
    with contextlib.suppress(Malformed):
        token = bearer_token([text_of(body)])
        assert token is None or token in text_of(body).replace("\t", " ")


def _body_seeds() -> Iterator[bytes]:
    for event in samples("authorize"):
        if isinstance(event.get("body"), str):
            for kind in range(4):
                yield bytes([kind]) + event["body"].encode()
    yield b"\0" + b"[" * 300
    yield b"\0Bearer a.b.c"


_WORDS = (
    "headers/",
    "multiValueHeaders/",
    "requestContext/",
    "authorization",
    "Bearer ",
    "body",
    "jwt_token",
    "isBase64Encoded=true",
    "http/",
    "rawPath",
    "path",
    "/authorize",
    "/script-authorize",
    "/health",
    "/frontends/jambonz",
    "key",
    "from_user",
    "from_domain",
    "call_id",
    "=null",
    "=[]",
    "={}",
    "methodArn",
    "type",
    "REQUEST",
    "TOKEN",
    "cookies",
    "queryStringParameters/",
    "identity/",
    "deferred_status",
    '"200"',
    "elb/",
)
TARGETS = (
    Target("authorize", check_authorize, lambda: _event_seeds("authorize"), _WORDS, 20000),
    Target("gateway-authorizer", check_gateway_authorizer, lambda: _event_seeds("gateway_authorizer"), _WORDS, 20000),
    Target("body", check_body, _body_seeds, ("=", "&", "%", "+", "{", "[", '"', "\\u0000", "Bearer ", ",", "\ufeff")),
)

"""API Gateway's authorizer: which token it reads, what it answers, and what no gateway may ever be told."""

import base64
import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auth_jwt.authorizer import Authorizer
from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import BadSetting, Fault, TooLarge, UnknownEvent, Unreachable
from auth_jwt.runtime.settings import GatewayAuthorizerSettings, Settings
from auth_jwt.runtime.wiring import Service
from tests.factories import a_profile, a_token, an_authorizer
from tests.fakes import LambdaContext, MemoryStore
from tools.events.stage import load_handler

load_handler("gateway_authorizer")
app = sys.modules["gateway_authorizer_app"]

API = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3"
GOOD = a_token()
OTHER = a_token(jti="another")
FORGED = a_token(key="an HMAC secret of sixty-four bytes, but not the one in the table.")

Ask = Callable[..., Any]


# -- events -----------------------------------------------------------------------------------------------------------


def token_event(token: object = GOOD, arn: str = f"{API}/prod/GET/calls") -> dict[str, Any]:
    return {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}


def request_event(*headers: tuple[str, str], arn: str = f"{API}/prod/GET/calls", **members: object) -> dict[str, Any]:
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name, []).append(value)
    return {
        "type": "REQUEST",
        "methodArn": arn,
        "headers": dict(headers),
        "multiValueHeaders": lists,
        **members,
    }


def websocket_event(token: str = GOOD) -> dict[str, Any]:
    return request_event(("Authorization", token), arn=f"{API}/live/$connect")


def http_event(token: str | None = GOOD, **members: object) -> dict[str, Any]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    arn = f"{API}/$default/GET/calls"
    return {"version": "2.0", "type": "REQUEST", "routeArn": arn, "headers": headers, **members}


def http_1_event(token: str = GOOD) -> dict[str, Any]:
    arn = f"{API}/$default/GET/calls"
    return {"version": "1.0", "type": "REQUEST", "methodArn": arn, "headers": {"authorization": f"Bearer {token}"}}


IAM_EVENTS = {
    "rest token": token_event,
    "rest request": lambda token=GOOD: request_event(("Authorization", f"Bearer {token}")),
    "websocket": websocket_event,
    "http 1.0": http_1_event,
}


@pytest.fixture(name="ask")
def _ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the handler over rows in memory, with settings of one's own."""

    def ask(event: object, authorizer: Authorizer | None = None, **env: str) -> Any:
        service = Service(Settings.from_env({}), authorizer or an_authorizer(), make_client=lambda: None)
        monkeypatch.setattr(app, "service", lambda: service)
        monkeypatch.setattr(app, "settings", lambda: GatewayAuthorizerSettings.from_env(env))
        return app.lambda_handler(event, LambdaContext())

    return ask


def with_credentials(text: str, **columns: object) -> Authorizer:
    return an_authorizer(profiles=[a_profile(**columns)], credentials=parse_credentials(text))


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# -- policies ---------------------------------------------------------------------------------------------------------


def statement_of(answer: dict[str, Any]) -> dict[str, Any]:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    return dict(statement)


def permits(answer: dict[str, Any], arn: str) -> bool:
    """What IAM would say: `*` is any text, slashes included, and `?` any character."""
    statement = statement_of(answer)
    patterns = (re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in statement["Resource"])
    return statement["Effect"] == "Allow" and any(re.fullmatch(one, arn, re.DOTALL) for one in patterns)


@pytest.mark.parametrize("event_of", IAM_EVENTS.values(), ids=IAM_EVENTS)
def test_an_allowed_user_is_the_principal_of_a_policy(ask: Ask, event_of: Callable[..., Any]) -> None:
    answer = ask(event_of())

    assert answer["principalId"] == "alice"
    assert statement_of(answer)["Effect"] == "Allow"
    assert answer.keys() == {"principalId", "policyDocument", "context"}


def test_a_policy_remembered_for_one_method_lets_the_user_call_all_others_of_the_stage(ask: Ask) -> None:
    answer = ask(token_event(arn=f"{API}/prod/GET/calls/42"))

    for method in ("GET/calls/42", "POST/calls", "DELETE/a/b/c", "GET/", "OPTIONS/x*y?z"):
        assert permits(answer, f"{API}/prod/{method}")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/test/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod2/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c4/prod/GET/calls",
        "arn:aws:execute-api:eu-central-1:210987654321:a1b2c3/prod/GET/calls",
        "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/calls",
    ],
)
def test_it_lets_them_call_no_other_stage_or_api(ask: Ask, elsewhere: str) -> None:
    answer = ask(token_event(arn=f"{API}/prod/GET/calls"))

    assert permits(answer, f"{API}/prod/GET/calls")
    assert not permits(answer, elsewhere)


@pytest.mark.parametrize(
    ("arn", "resource"),
    [
        ("arn:aws-cn:execute-api:cn-north-1:123456789012:abc/prod/GET/x", "/prod/*"),
        ("arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/prod/GET/", "/prod/*"),
        ("arn:aws:execute-api:us-east-1:123456789012:abc/test-invoke-stage/GET/", "/test-invoke-stage/*"),
        ("arn:aws:execute-api:us-east-1:123456789012:abc/$default/GET/a:b/c", "/$default/*"),
        ("arn:aws:execute-api:us-east-1:123456789012:abc/live/$connect", "/live/*"),
        ("arn:aws:execute-api:us-east-1:123456789012:abc/v1/GET/line\nbreak", "/v1/*"),
        ("arn:aws:execute-api:us-east-1:random-account-id:random-api-id/dev/GET/calls/{id}", "/dev/*"),
        ("arn:aws:execute-api:us-east-1:undefined:private/local/$connect", "/local/*"),
    ],
)
def test_the_resource_is_the_stage_of_the_event_in_its_own_partition(ask: Ask, arn: str, resource: str) -> None:
    answer = ask(token_event(arn=arn))

    assert statement_of(answer)["Resource"] == [arn.partition("/")[0] + resource]
    assert permits(answer, arn)


def test_the_longest_resource_is_within_the_gateways_512_characters(ask: Ask) -> None:
    longest = f"arn:aws-{'x' * 32}:execute-api:{'r' * 32}:{'9' * 64}:{'a' * 64}/{'s' * 128}/GET/{'p' * 1600}"

    (resource,) = statement_of(ask(token_event(arn=longest.replace("aws-x", "awsx"))))["Resource"]

    assert len(resource) <= 512


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/*/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:*/prod/GET/calls",
        "arn:aws:execute-api:eu-central-1:*:a1b2c3/prod/GET/calls",
        "arn:aws:execute-api:eu-central-1:random?account:a1b2c3/prod/GET/calls",
        "arn:aws:execute-api:eu-central-1::a1b2c3/prod/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3//GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod?/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/${aws:username}/GET/calls",
        "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod\n/GET/calls",
        "arn:aws:lambda:eu-central-1:123456789012:function:calls",
        " arn:aws:execute-api:eu-central-1:123456789012:a1b2c3/prod/GET/calls",
    ],
)
def test_an_arn_that_is_not_of_one_stage_is_a_fault(ask: Ask, arn: str) -> None:
    with pytest.raises(UnknownEvent):
        ask(token_event(arn=arn))


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "TOKEN",
        {},
        {"jwt_token": GOOD},
        {**token_event(), "type": "token"},
        {**token_event(), "type": None},
        {**http_event(), "type": None},
        {**http_event(), "version": "3.0"},
        {**http_event(), "version": 2.0},
        {**request_event(), "version": "2.0"},
        {**request_event(), "version": "3.0"},
        {**token_event(), "version": "3.0"},
        {**http_event(), "routeArn": None},
    ],
    ids=str,
)
def test_an_event_of_no_known_form_is_a_fault(ask: Ask, event: object) -> None:
    with pytest.raises(UnknownEvent) as caught:
        ask(event)

    assert GOOD not in str(caught.value)


@pytest.mark.parametrize("space", [" ", "\t", " \t "])
def test_space_around_a_value_is_no_part_of_it(ask: Ask, space: str) -> None:
    """RFC 9110, section 5.6.3: blanks and tabs."""
    answer = ask(request_event(("Authorization", f"{space}Bearer {GOOD}{space},{space}Bearer {GOOD}")))

    assert statement_of(answer)["Effect"] == "Allow"


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_of", IAM_EVENTS.values(), ids=IAM_EVENTS)
def test_a_refusal_is_an_exception_of_exactly_the_text_the_gateway_knows(ask: Ask, event_of: Ask) -> None:
    with pytest.raises(app.Unauthorized) as caught:
        ask(event_of(FORGED))

    assert str(caught.value) == "Unauthorized"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not isinstance(caught.value, Fault)


@pytest.mark.parametrize("event_of", IAM_EVENTS.values(), ids=IAM_EVENTS)
def test_or_a_policy_that_denies_and_tells_nothing(ask: Ask, event_of: Ask) -> None:
    answer = ask(event_of(FORGED), AUTHORIZER_REFUSAL="deny")

    assert statement_of(answer)["Effect"] == "Deny"
    assert answer.keys() == {"principalId", "policyDocument"}
    assert answer["principalId"] == "anonymous"


@pytest.mark.parametrize("refusal", ["unauthorized", "deny"])
def test_a_simple_refusal_is_always_the_same(ask: Ask, refusal: str) -> None:
    for event in (http_event(FORGED), http_event(None), http_event(""), http_event(f"{GOOD},{OTHER}")):
        assert ask(event, AUTHORIZER_REFUSAL=refusal) == {"isAuthorized": False}


def test_an_http_api_is_answered_simply_or_by_a_policy(ask: Ask) -> None:
    simple, policy = ask(http_event()), ask(http_event(), AUTHORIZER_RESPONSE="iam")

    assert simple["isAuthorized"] is True
    assert simple["context"] == policy["context"]
    assert policy["principalId"] == "alice"
    assert permits(policy, f"{API}/$default/POST/x")


def test_payload_1_is_answered_by_a_policy_whatever_the_setting(ask: Ask) -> None:
    assert "policyDocument" in ask(http_1_event(), AUTHORIZER_RESPONSE="simple")


def test_no_token_at_all_is_refused_and_said_to_be_none(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    for event in (request_event(), {"type": "TOKEN", "methodArn": f"{API}/prod/GET/"}, token_event(None)):
        with pytest.raises(app.Unauthorized):
            ask(event)

    assert [line["outcome"] for line in logged(capsys) if "outcome" in line] == ["challenged"] * 3


# -- sources ----------------------------------------------------------------------------------------------------------


def tokens_of(event: dict[str, Any], sources: str = "header:authorization") -> list[str]:
    rules = GatewayAuthorizerSettings.from_env({"TOKEN_SOURCES": sources})
    return list(app.GatewayRequest.from_event(event, rules.token_sources).tokens)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("a.b.c", ["a.b.c"]),
        ("Bearer a.b.c", ["a.b.c"]),
        ("bEARER \t a.b.c ", ["a.b.c"]),
        ("Bearer", [""]),
        ("Bearer ", [""]),
        ("", [""]),
        ("bearera.b.c", ["bearera.b.c"]),
        ("Bearer Bearer a.b.c", ["Bearer a.b.c"]),
        ("Digest username=alice", ["Digest username=alice"]),
        ("Bearer a.b.c,Bearer a.b.c", ["a.b.c"]),
        ("Bearer a.b.c, d.e.f", ["a.b.c", "d.e.f"]),
        ("Bearer a.b.c,", ["a.b.c", ""]),
        ("Bearer Xa.b.cX", ["Xa.b.cX"]),
    ],
)
def test_a_token_may_stand_behind_bearer_or_alone(value: str, tokens: list[str]) -> None:
    assert tokens_of(token_event(value)) == tokens
    assert tokens_of(request_event(("Authorization", value))) == tokens
    assert tokens_of({**http_event(None), "headers": {"authorization": value}}) == tokens


@pytest.mark.parametrize(
    ("sources", "tokens"),
    [
        ("header:authorization", ["h.h.h"]),
        ("header:X-Token", ["x.x.x"]),
        ("query:token", ["q.q.q"]),
        ("query:Token", []),
        ("cookie:token", ["c.c.c"]),
        ("cookie:Token", []),
        ("cookie:last", ["l.l.l"]),
        ("cookie:token,query:token,header:authorization", ["c.c.c", "q.q.q", "h.h.h"]),
        ("header:absent,query:absent,cookie:absent", []),
    ],
)
def test_sources_are_read_in_their_order(sources: str, tokens: list[str]) -> None:
    headers = (
        ("AUTHORIZATION", "Bearer h.h.h"),
        ("x-token", "x.x.x"),
        ("cookie", "theme=dark;token=c.c.c; last=l.l.l"),
    )
    lists = request_event(*headers, multiValueQueryStringParameters={"token": ["q.q.q"]})
    joined = {**http_event(None), "headers": {name.lower(): value for name, value in headers}}

    assert tokens_of(lists, sources) == tokens
    assert tokens_of({**joined, "queryStringParameters": {"token": "q.q.q"}}, sources) == tokens


def test_cookies_of_payload_2_are_in_a_list_of_their_own() -> None:
    event = http_event(None, cookies=["theme=dark", "token=c.c.c", "odd", 42])

    assert tokens_of(event, "cookie:token") == ["c.c.c"]


def test_bearer_belongs_into_headers_only() -> None:
    event = request_event(("cookie", "token=Bearer c.c.c"), queryStringParameters={"token": "Bearer q.q.q"})

    assert tokens_of(event, "cookie:token,query:token") == ["Bearer c.c.c", "Bearer q.q.q"]


@pytest.mark.parametrize(
    ("offered", "tokens"),
    [
        pytest.param(["bearer, a.b.c"], ["a.b.c"], id="as browsers join them"),
        pytest.param(["Bearer,a.b.c"], ["a.b.c"], id="any case, no blank"),
        pytest.param(["bearer", "a.b.c"], ["a.b.c"], id="two headers"),
        pytest.param(["graphql-transport-ws, bearer, a.b.c"], ["a.b.c"], id="another before"),
        pytest.param(["bearer, a.b.c, graphql-transport-ws"], ["a.b.c"], id="another behind"),
        pytest.param(["bearer, a.b.c, bearer, a.b.c"], ["a.b.c"], id="the same twice"),
        pytest.param(["bearer, a.b.c, bearer, d.e.f"], ["a.b.c", "d.e.f"], id="two"),
        pytest.param(["bearer, bearer, a.b.c"], ["", "a.b.c"], id="bearer twice"),
        pytest.param(["bearer"], [""], id="nothing behind bearer"),
        pytest.param(["a.b.c, bearer"], [""], id="the token before bearer"),
        pytest.param(["a.b.c"], ["a.b.c"], id="alone"),
        pytest.param(["Bearer a.b.c"], ["a.b.c"], id="as in any header"),
        pytest.param(["graphql-transport-ws, a.b.c"], ["graphql-transport-ws", "a.b.c"], id="no bearer"),
        pytest.param([], [], id="none"),
    ],
)
def test_a_page_offers_its_token_among_the_subprotocols_of_a_websocket(offered: list[str], tokens: list[str]) -> None:
    headers = [("Sec-WebSocket-Protocol", value) for value in offered]

    assert tokens_of(request_event(*headers), "header:sec-websocket-protocol") == tokens
    assert tokens_of(request_event(*headers), "header:Sec-WebSocket-Protocol,query:token") == tokens


def test_in_other_headers_a_list_is_a_list_of_tokens() -> None:
    assert tokens_of(request_event(("Authorization", "bearer, a.b.c"))) == ["", "a.b.c"]


def test_a_token_event_has_its_own_field_and_no_other_source() -> None:
    event = {**token_event("a.b.c"), "headers": {"authorization": "x.y.z"}, "queryStringParameters": {"token": "q"}}

    assert tokens_of(event, "header:authorization,query:token") == ["a.b.c"]


@pytest.mark.parametrize(
    "event",
    [
        request_event(("Authorization", GOOD), ("Authorization", OTHER)),
        request_event(("Authorization", GOOD), ("Authorization", "")),
        request_event(("Authorization", f"Bearer {GOOD},Bearer {OTHER}")),
        request_event(("Authorization", GOOD), queryStringParameters={"token": OTHER}),
        request_event(("Authorization", "Basic YWxpY2U6"), queryStringParameters={"token": GOOD}),
        request_event(multiValueQueryStringParameters={"token": [GOOD, OTHER]}),
        request_event(queryStringParameters={"token": f"{GOOD},{OTHER}"}),
        request_event(("Cookie", f"token={GOOD}; token={OTHER}")),
        request_event(("Cookie", f"token={GOOD}"), ("Authorization", OTHER)),
        token_event(f"{GOOD},{OTHER}"),
    ],
)
def test_different_tokens_in_one_request_are_refused(
    ask: Ask, capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    """Each would be good alone: whose request would it be, and what would the gateway remember it by?"""
    with pytest.raises(app.Unauthorized):
        ask(event, TOKEN_SOURCES="header:authorization,query:token,cookie:token")

    (line,) = logged(capsys)
    assert (line["outcome"], line["reason"]) == ("rejected", "invalid_request")


def test_the_same_token_in_several_places_is_one_token(ask: Ask) -> None:
    event = request_event(("Authorization", f"Bearer {GOOD}"), ("Cookie", f"token={GOOD}"))

    assert ask(event, TOKEN_SOURCES="header:authorization,cookie:token")["principalId"] == "alice"


def test_a_token_where_none_is_looked_for_is_none(ask: Ask) -> None:
    with pytest.raises(app.Unauthorized):
        ask(request_event(queryStringParameters={"token": GOOD}))


# -- context ----------------------------------------------------------------------------------------------------------


def test_the_context_is_scalars_each_under_its_own_name(ask: Ask) -> None:
    authorizer = with_credentials("$avp(name)=display_name;level;video", display_name="Alice", level=7, video=True)

    context = ask(token_event(), authorizer)["context"]

    assert context.pop("expires_at") == 1_800_003_600
    decoded = context.pop("decoded_token")
    assert re.fullmatch(r"[\w-]+", decoded, re.ASCII)
    assert base64.urlsafe_b64decode(decoded + "==") == b'{"alg":"HS256","typ":"JWT"}.{"tag":"t1"}'
    assert context == {"sip_username": "alice", "name": "Alice", "level": 7, "video": True}


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.5", 0.5),
        ("-1.25", -1.25),
        ("0.1", 0.1),
        ("3.14159265358979323846", "3.14159265358979323846"),
        ("1E-7", "1E-7"),
        ("1E+125", "1E+125"),
        ("1.50", "1.50"),
    ],
)
def test_a_number_is_one_where_every_reader_gets_its_digits_and_text_elsewhere(digits: str, value: object) -> None:
    scalar = app._scalar(Decimal(digits))

    assert scalar == value
    assert type(scalar) is type(value)
    assert json.loads(json.dumps(scalar)) == value


def a_websocket_answer(ask: Ask, credential: int, token: str = GOOD) -> Any:
    return ask(websocket_event(token), with_credentials("display_name", display_name="x" * credential))


def test_an_answer_too_large_for_a_websocket_loses_its_decoded_token_first(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    fits = 8000 - len(json.dumps(a_websocket_answer(ask, 1))) + 1
    capsys.readouterr()

    whole, short = a_websocket_answer(ask, fits), a_websocket_answer(ask, fits + 1)

    assert len(json.dumps(whole)) == 8000
    assert short["context"].keys() == whole["context"].keys() - {"decoded_token"}
    lines = [line for line in logged(capsys) if "outcome" in line]
    assert [(line["outcome"], line.get("dropped")) for line in lines] == [
        ("authorized", None),
        ("authorized", "decoded_token"),
    ]


def test_without_it_an_answer_may_have_as_many_octets(ask: Ask) -> None:
    room = 8000 - len(json.dumps(a_websocket_answer(ask, 7650)))

    largest = a_websocket_answer(ask, 7650 + room)

    assert len(json.dumps(largest)) == 8000
    assert "decoded_token" not in largest["context"]
    with pytest.raises(TooLarge):
        a_websocket_answer(ask, 7650 + room + 1)


def test_what_still_does_not_fit_is_a_fault_and_never_a_user_without_credentials(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TooLarge, match="LOAD_CREDENTIALS"):
        a_websocket_answer(ask, 8000)

    (line,) = logged(capsys)
    assert (line["outcome"], line["reason"]) == ("fault", "too_large")
    assert "xxxx" not in json.dumps(line)


def test_other_apis_take_as_much_as_lambda_gives(ask: Ask) -> None:
    authorizer = with_credentials("display_name", display_name="x" * 300_000)

    for event in (token_event(), http_event(), http_1_event()):
        assert "decoded_token" in ask(event, authorizer)["context"]


def test_but_not_more(ask: Ask) -> None:
    several = ";".join(f"$avp(name{number})=display_name" for number in range(20))
    authorizer = with_credentials(several, display_name="x" * 300_100)

    with pytest.raises(TooLarge):
        ask(token_event(), authorizer)


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [token_event(), http_event()], ids=["iam", "simple"])
@pytest.mark.parametrize("refusal", ["unauthorized", "deny"])
def test_tables_out_of_reach_are_neither_a_yes_nor_a_no(
    ask: Ask, capsys: pytest.CaptureFixture[str], event: dict[str, Any], refusal: str
) -> None:
    store = MemoryStore(failure=Unreachable("no answer"))

    with pytest.raises(Unreachable):
        ask(event, an_authorizer(store=store), AUTHORIZER_REFUSAL=refusal)

    (line,) = logged(capsys)
    assert (line["level"], line["outcome"], line["reason"]) == ("ERROR", "fault", "unreachable")


def test_a_setting_that_cannot_be_is_a_fault_that_names_it(ask: Ask) -> None:
    with pytest.raises(BadSetting, match="TOKEN_SOURCES='body:x' is refused"):
        ask(token_event(), TOKEN_SOURCES="body:x")


def test_an_error_of_others_tells_the_gateway_nothing(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError(GOOD)

    monkeypatch.setattr(Authorizer, "authorize", broken)
    with pytest.raises(Fault) as caught:
        ask(token_event())

    assert str(caught.value) == "unforeseen error: its cause is in the log"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# -- the log ----------------------------------------------------------------------------------------------------------


def test_a_request_is_one_line_and_one_count(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    ask(token_event())

    (line,) = logged(capsys)
    assert {name: line[name] for name in ("outcome", "form", "tag", "secret_id", "request_id")} == {
        "outcome": "authorized",
        "form": "rest_token",
        "tag": "t1",
        "secret_id": "1",
        "request_id": LambdaContext().aws_request_id,
    }
    assert line["duration_ms"] >= 0
    assert line["Authorized"] == 1


@pytest.mark.parametrize(
    ("event", "form"),
    [
        (token_event(FORGED), "rest_token"),
        (request_event(("Authorization", FORGED)), "rest_request"),
        (request_event(("Authorization", FORGED), arn=f"{API}/prod/GET/$connect"), "rest_request"),
        (websocket_event(FORGED), "websocket"),
        (http_1_event(FORGED), "http_1"),
        (http_event(FORGED), "http_2"),
    ],
)
def test_a_refusal_is_logged_with_its_reason_and_the_form_of_its_event(
    ask: Ask, capsys: pytest.CaptureFixture[str], event: dict[str, Any], form: str
) -> None:
    ask(event, AUTHORIZER_REFUSAL="deny")

    (line,) = logged(capsys)
    assert (line["outcome"], line["reason"], line["form"]) == ("denied", "bad_signature", form)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "reason"]]

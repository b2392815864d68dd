"""Requests that the admin API refuses, or that change nothing: all on one stage, where nothing is written."""

import base64
import importlib
import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from auth_jwt.provisioning.registry import MAX_TIME
from tests.integration.admin_client import PROFILES, Operator, cursor_of, document
from tools.events.provisioning_events import Case, asking
from tools.events.stage import Answer, stage

GIVEN = "sEcReT-0123456789-0123456789-0123456789"
ALICE = f"{PROFILES}/alice-web"
ISSUERS = "/admin/issuers"
SECRETS = f"{ALICE}/secrets"
UNKNOWN = "body.an unknown member"
END_IS_NONE = [("body.end_ts", "int_type"), ("body.end_ts", "literal_error")]


@pytest.fixture(name="operator", scope="module")
def _operator() -> Iterator[Operator]:
    with stage({}, "provisioning") as ready:
        yield Operator(ready)


@pytest.fixture(autouse=True)
def _nothing_is_written(operator: Operator) -> Iterator[None]:
    operator.lines.clear()
    yield
    assert {(line["audit"], line["target"]["account"]) for line in operator.audit} <= {
        ("profile.change", "123456789012")
    }


def flaws(answer: Answer) -> list[tuple[str, str]]:
    assert answer.body["type"] == "urn:auth-jwt:problem:invalid-request"
    return [(flaw["field"], flaw["rule"]) for flaw in answer.body["errors"]]


def kind_of(answer: Answer) -> str:
    return str(answer.body["type"]).removeprefix("urn:auth-jwt:problem:")


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        pytest.param("POST", PROFILES, {"tag": "a"}, [("body.sip_username", "missing")], id="a member missing"),
        pytest.param(
            "POST", PROFILES, {"tag": 5, "sip_username": "z"}, [("body.tag", "string_type")], id="a number as text"
        ),
        pytest.param("PATCH", ALICE, {"disabled": "yes"}, [("body.disabled", "bool_type")], id="text as true"),
        pytest.param("PATCH", ALICE, {"disabled": 1}, [("body.disabled", "bool_type")], id="one as true"),
        pytest.param(
            "PATCH", ALICE, {"sip_username": None}, [("body.sip_username", "value_error")], id="null for a name"
        ),
        pytest.param("PATCH", ALICE, {"sip_user": "x"}, [(UNKNOWN, "extra_forbidden")], id="an unknown member"),
        pytest.param("PATCH", ALICE, {"kid": "x"}, [("body.kid", "extra_forbidden")], id="a member of other bodies"),
        pytest.param(
            "POST",
            PROFILES,
            {"tag": "z", "sip_username": "z", "secret": {"valeu": "x"}},
            [("body.secret.an unknown member", "extra_forbidden")],
            id="an unknown member of a member",
        ),
        pytest.param(
            "PATCH",
            ALICE,
            {"attributes": {"x": []}},
            [("body.attributes", f"{of}_type") for of in ("bool", "int", "float", "string")],
            id="a list in a column",
        ),
        pytest.param(
            "PATCH", ALICE, {"attributes": {"": 1}}, [("body.attributes", "string_too_short")], id="a column unnamed"
        ),
        pytest.param("PATCH", f"{SECRETS}/1", {"end_ts": "NOW"}, END_IS_NONE, id="neither a time nor now"),
        pytest.param("POST", SECRETS, {"start_ts": 1.5}, [("body.start_ts", "int_type")], id="half a second"),
        pytest.param("POST", SECRETS, {"start_ts": -1}, [("body.start_ts", "greater_than_equal")], id="before 1970"),
        pytest.param(
            "POST", SECRETS, {"start_ts": MAX_TIME + 1}, [("body.start_ts", "less_than_equal")], id="in milliseconds"
        ),
        pytest.param("POST", SECRETS, {"value": ""}, [("body.value", "string_too_short")], id="an empty secret"),
        pytest.param(
            "POST", SECRETS, {"algorithms": ["none"]}, [("body.algorithms.0", "value_error")], id="no algorithm"
        ),
        pytest.param("PATCH", f"{SECRETS}/1", {}, [("body.end_ts", "missing")], id="no end"),
        pytest.param("POST", f"{ALICE}/revocations", {}, [("body", "value_error")], id="nothing to revoke"),
        pytest.param(
            "POST", f"{ALICE}/revocations", {"jti": "1", "all": True}, [("body", "value_error")], id="one and all"
        ),
        pytest.param(
            "POST", f"{ALICE}/revocations", {"before": 1, "exp": 1}, [("body", "value_error")], id="an odd exp"
        ),
    ],
)
def test_a_malformed_request_is_told_where_and_by_which_rule(
    operator: Operator, method: str, path: str, body: object, expected: list[tuple[str, str]]
) -> None:
    answer = operator.ask(method, path, body)

    assert answer.status == 400
    assert flaws(answer) == expected
    assert operator.audit == []


@pytest.mark.parametrize(("number", "told"), [(20, 20), (21, 20)])
def test_not_more_than_20_flaws_are_told(operator: Operator, number: int, told: int) -> None:
    """Each is a broken rule at a place of its own, and a body may hold thousands of them."""
    new = {"issuer": "https://login.example.com", "configuration": {"audiences": [1] * number}}

    assert flaws(operator.ask("POST", ISSUERS, new)) == [
        (f"body.configuration.audiences.{place}", "string_type") for place in range(told)
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '[{"disabled": true}]',
        "null",
        '{"disabled": true} x',
        '{"a": NaN}',
        '{"disabled": true, "disabled": true}',
        '{"a": "\\ud800"}',
        "[" * 9999,
    ],
)
def test_what_is_no_clean_json_object_is_refused(operator: Operator, body: str) -> None:
    answer = operator.ask("PATCH", ALICE, body)

    assert (answer.status, kind_of(answer)) == (400, "invalid-request")
    assert operator.audit == []


@pytest.mark.parametrize(
    ("attribute", "ok"),
    [
        pytest.param("text", True, id="text"),
        pytest.param(2**63 - 1, True, id="a large number"),
        pytest.param(0.1, True, id="a fraction"),
        pytest.param(1e125, True, id="as far as DynamoDB counts"),
        pytest.param(-9.9e125, True, id="the farthest"),
        pytest.param(1e126, False, id="farther"),
        pytest.param(-1e-200, False, id="finer"),
        pytest.param(0.0, True, id="zero with a point"),
        pytest.param(False, True, id="false"),
        pytest.param(["a"], False, id="a list"),
        pytest.param({}, False, id="an object"),
        pytest.param("", False, id="empty text"),
    ],
)
def test_what_a_column_may_hold(operator: Operator, attribute: object, ok: bool) -> None:
    answer = operator.ask("PATCH", ALICE, {"attributes": {"x": attribute}})

    assert answer.status == (200 if ok else 400)
    if ok:
        assert answer.body["attributes"]["x"] == pytest.approx(attribute)


@pytest.mark.parametrize("name", ["tag", "sip_username", "disabled", "tokens_valid_after"])
def test_a_column_of_the_decision_is_no_attribute(operator: Operator, name: str) -> None:
    """`{"attributes": {"disabled": false}}` would else unlock somebody by a side door."""
    assert operator.ask("PATCH", ALICE, {"attributes": {name: "x"}}).status == 400


def test_an_error_repeats_nothing_that_was_given(operator: Operator) -> None:
    """A key may stand in the wrong member, or break a rule."""
    bodies = [
        {"value": [GIVEN]},
        {"value": {GIVEN[:5]: GIVEN}},
        {"algorithms": [GIVEN]},
        {"kid": GIVEN * 100},
        {"start_ts": GIVEN},
        {"secret": GIVEN},
        {GIVEN: 1},
        {"attributes": {GIVEN: []}},
        f'{{"value": "{GIVEN}", "value": "{GIVEN}"}}',
        f'{{"value": "{GIVEN}"',
    ]

    odd_values: tuple[object, ...] = ([], {GIVEN: GIVEN}, 1e200)

    answers = [operator.ask("POST", SECRETS, body) for body in bodies]
    answers += [operator.ask("PATCH", ALICE, {"attributes": {GIVEN: odd}}) for odd in odd_values]

    assert {answer.status for answer in answers} == {400}
    assert GIVEN not in "".join([*operator.lines, *(json.dumps(answer.given) for answer in answers)])


def test_the_text_of_a_broken_rule_repeats_nothing_either(operator: Operator) -> None:
    """Nobody shows it; somebody may. `operator` has loaded the bodies."""
    bodies: Any = importlib.import_module("admin_api.bodies")

    with pytest.raises(ValueError, match="value") as caught:
        bodies.SecretIn.model_validate({"value": [GIVEN]})

    assert GIVEN not in str(caught.value)


def test_a_body_has_a_largest_size(operator: Operator) -> None:
    def of_size(characters: int) -> str:
        return json.dumps({"x": "y" * (characters - 9)})

    assert operator.ask("PATCH", ALICE, of_size(1_000_000)).status == 400
    assert operator.ask("PATCH", ALICE, of_size(1_000_001)).status == 413


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda count: {str(number): 1 for number in range(count)}, id="unknown members"),
        pytest.param(lambda count: {"attributes": {str(number): [] for number in range(count - 1)}}, id="columns"),
        pytest.param(lambda count: {"disabled": [[""] * (count // 2 - 2)] * 2}, id="in lists"),
        pytest.param(lambda count: {"x": [1, 1], **{str(number): 1 for number in range(count - 3)}}, id="the last two"),
    ],
)
def test_a_body_has_a_largest_number_of_values(operator: Operator, body: Callable[[int], dict[str, Any]]) -> None:
    """A million characters can hold 300,000 values; with a message for each, the function would run out of memory."""
    most = operator.ask("PATCH", ALICE, body(10_000))
    more = operator.ask("PATCH", ALICE, body(10_002))

    assert (most.status, more.status) == (400, 400)
    assert "more than 10000 values" not in str(most.body)
    assert more.body["detail"] == "the body holds more than 10000 values"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/jsonx", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ],
)
def test_a_body_is_json(operator: Operator, content_type: str, status: int) -> None:
    assert operator.ask("PATCH", ALICE, {"disabled": True}, content_type=content_type).status == status


def test_of_several_media_types_each_is_json(operator: Operator) -> None:
    event = Case("a-test", "", asking("PATCH", ALICE, {"disabled": True}), 0).event()
    types = ["application/json", "text/plain"]

    assert operator.stage.ask({**event, "multiValueHeaders": {"content-type": types}}).status == 415
    assert operator.stage.ask({**event, "multiValueHeaders": {"content-type": types[:1] * 2}}).status == 200


@pytest.mark.parametrize("body", [None, ""])
def test_where_there_is_no_body_nothing_is_said_of_it(operator: Operator, body: str | None) -> None:
    event = Case("a-test", "", asking("GET", ALICE), 0).event()
    of_a_body = {"isBase64Encoded": True, "multiValueHeaders": {"content-type": ["text/plain"]}}

    assert operator.stage.ask({**event, **of_a_body, "body": body}).status == 200


def test_a_body_in_base64_is_read(operator: Operator) -> None:
    event = Case("a-test", "", asking("PATCH", ALICE, {"disabled": True}), 0).event()
    good = base64.b64encode(event["body"].encode()).decode()

    answers = [
        operator.stage.ask({**event, "body": body, "isBase64Encoded": True}) for body in (good, "*", f"*{good}", "/w==")
    ]

    assert [answer.status for answer in answers] == [200, 400, 400, 400]


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/", "/admin/profile", "/admin/profiles/a/b", f"{PROFILES}/a//secrets"]
)
def test_an_unknown_path_is_a_problem(operator: Operator, path: str) -> None:
    answer = operator.ask("GET", path)

    assert (answer.status, kind_of(answer)) == (404, "unknown-path")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "path",
    [
        f"{ALICE}{ALICE}",
        f"{ALICE}{PROFILES}",
        f"{SECRETS}/1{ALICE}",
        f"/admin/users{ALICE}",
        f"/admin{PROFILES}",
        f"/elsewhere{ALICE}",
        f"//elsewhere{ALICE}",
        f"/{ALICE}",
        f"{ALICE}/admin/swagger",
    ],
)
@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("DELETE", None), ("PATCH", {"disabled": True}), ("POST", {"tag": "new", "sip_username": "new"})],
)
def test_a_path_within_a_path_leads_nowhere(operator: Operator, method: str, path: str, body: object) -> None:
    """IAM was asked about the whole of it: somebody who may write below one tag would else write another."""
    answer = operator.ask(method, path, body)

    assert (answer.status, kind_of(answer)) == (404, "unknown-path")
    assert operator.audit == []


@pytest.mark.parametrize("character", ['"', "`", "\\", "#", "ü", "\x7f", "\n", " ", "<", "~", "\ud800"])
def test_a_character_that_a_path_should_not_hold_is_read_as_if_encoded(operator: Operator, character: str) -> None:
    path = f"{PROFILES}/a{character}"

    assert kind_of(operator.ask("GET", path)) == "not-found"
    assert operator.ask("POST", path).headers["allow"] == "GET, PATCH, DELETE"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", PROFILES, "GET, POST"),
        ("POST", ALICE, "GET, PATCH, DELETE"),
        ("GET", f"{ALICE}/rotate", "POST"),
        ("HEAD", f"{ALICE}/tokens", "POST"),
        ("OPTIONS", f"{SECRETS}/1", "GET, PATCH, DELETE"),
        ("GET", f"{ALICE}/tokens_valid_after", "DELETE"),
        ("POST", "/admin/swagger", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(operator: Operator, method: str, path: str, allowed: str) -> None:
    """Whatever the query is: nothing reads it."""
    for query in ([], [("limit", "1")]):
        answer = operator.ask(method, path, query=query)

        assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("query", "ok"),
    [
        pytest.param([("limit", "1")], True, id="one"),
        pytest.param([("limit", "0")], False, id="none"),
        pytest.param([("limit", "100")], True, id="the most"),
        pytest.param([("limit", "101")], False, id="more than the most"),
        pytest.param([("limit", "many")], False, id="no number"),
        pytest.param([("limit", "1"), ("limit", "2")], False, id="two limits"),
        pytest.param([("cursor", "YWxpY2Utd2Vi")], True, id="a cursor"),
        pytest.param([("cursor", "YWxpY2Utd2Vi=")], False, id="a cursor that is none of ours"),
        pytest.param([("cursor", "")], False, id="an empty cursor"),
        pytest.param([("cursor", "/é")], False, id="text"),
        pytest.param([("cursor", "_w")], False, id="no UTF-8"),
        pytest.param([("cursor", cursor_of("x" * 2048))], True, id="as long as a key"),
        pytest.param([("cursor", cursor_of("x" * 2049))], False, id="longer than any key"),
    ],
)
def test_what_a_page_may_be_asked_for(operator: Operator, query: list[tuple[str, str]], ok: bool) -> None:
    answer = operator.ask("GET", PROFILES, query=query)

    assert answer.status == (200 if ok else 400)


EVERY_OPERATION = [
    ("GET", PROFILES, None),
    ("POST", PROFILES, {"tag": "new", "sip_username": "new"}),
    ("GET", ALICE, None),
    ("PATCH", ALICE, {"disabled": True}),
    ("DELETE", ALICE, None),
    ("GET", "/admin/deleted-profiles", None),
    ("POST", f"{ALICE}/restore", None),
    ("POST", f"{ALICE}/erase", None),
    ("GET", SECRETS, None),
    ("POST", SECRETS, {}),
    ("GET", f"{SECRETS}/1", None),
    ("PATCH", f"{SECRETS}/1", {"end_ts": "now"}),
    ("DELETE", f"{SECRETS}/1", None),
    ("POST", f"{ALICE}/rotate", {}),
    ("POST", f"{ALICE}/rotate", None),
    ("POST", f"{ALICE}/tokens", None),
    ("POST", f"{ALICE}/disable", None),
    ("POST", f"{ALICE}/enable", None),
    ("POST", "/admin/explain", {"token": "a.b.c"}),
    ("GET", "/admin/deployment", None),
    ("GET", f"{ALICE}/revocations", None),
    ("POST", f"{ALICE}/revocations", {"all": True}),
    ("GET", f"{ALICE}/revocations/1", None),
    ("DELETE", f"{ALICE}/revocations/1", None),
    ("DELETE", f"{ALICE}/tokens_valid_after", None),
    ("GET", ISSUERS, None),
    ("POST", ISSUERS, {"issuer": "https://login.example.com", "configuration": {"audiences": ["sip"]}}),
    ("GET", f"{ISSUERS}/1", None),
    ("PATCH", f"{ISSUERS}/1", {"configuration": {"audiences": ["sip"]}}),
    ("DELETE", f"{ISSUERS}/1", None),
    ("POST", f"{ISSUERS}/1/refresh", None),
    ("POST", f"{ISSUERS}/1/disable", None),
    ("POST", f"{ISSUERS}/1/enable", None),
    ("POST", f"{ISSUERS}/1/blocked-keys/1", None),
    ("DELETE", f"{ISSUERS}/1/blocked-keys/1", None),
    ("GET", f"{ISSUERS}/1/users/1", None),
    ("PATCH", f"{ISSUERS}/1/users/1", {"disabled": True}),
    ("DELETE", f"{ISSUERS}/1/users/1", None),
    ("POST", f"{ISSUERS}/1/users/1/restore", None),
    ("POST", f"{ISSUERS}/1/users/1/erase", None),
    ("GET", "/admin/swagger", None),
]


def test_these_are_all_operations() -> None:
    described = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    asked = {
        (method, re.sub(r"/1(?=/|$)", "/{}", path.replace("alice-web", "{}")))
        for method, path, _ in EVERY_OPERATION
        if path != "/admin/swagger"
    }

    assert asked == {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in described}


@pytest.mark.matrix
@pytest.mark.parametrize(("method", "path", "body"), EVERY_OPERATION)
@pytest.mark.parametrize("parameter", ["dry_run", "sip_username", "Limit", "limit ", ""])
def test_an_unknown_query_parameter_is_refused_and_nothing_is_done(
    operator: Operator, method: str, path: str, body: object, parameter: str
) -> None:
    answer = operator.ask(method, path, body, query=[(parameter, "true")])

    assert answer.status == 400
    assert flaws(answer) == [("query.an unknown parameter", "extra_forbidden")]
    assert operator.audit == []


@pytest.mark.parametrize(
    ("path", "parameter", "rule"),
    [
        (PROFILES, "limit", "int_type"),
        (f"{ALICE}/revocations", "cursor", "string_type"),
        ("/admin/swagger", "format", "given_twice"),
    ],
)
def test_a_query_parameter_that_is_given_twice_is_refused(
    operator: Operator, path: str, parameter: str, rule: str
) -> None:
    answer = operator.ask("GET", path, query=[(parameter, "1"), (parameter, "1")])

    assert flaws(answer) == [(f"query.{parameter}", rule)]


def test_the_name_of_an_unknown_parameter_is_not_repeated(operator: Operator) -> None:
    """It may be a key that somebody put there."""
    answer = operator.ask("GET", PROFILES, query=[(GIVEN, ""), ("limit", "1")])

    assert answer.status == 400
    assert GIVEN not in json.dumps(answer.given) + "".join(answer.lines)


@pytest.mark.matrix
@pytest.mark.parametrize(("method", "path", "body"), EVERY_OPERATION)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: f"{path}/", id="a slash behind"),
        pytest.param(lambda path: f"{path}//", id="two slashes behind"),
        pytest.param(lambda path: f"/{path}", id="two slashes in front"),
        pytest.param(lambda path: f"//base{path}", id="a base path that is none"),
        pytest.param(lambda path: path.replace("/admin/", "/admin//"), id="two slashes within"),
        pytest.param(lambda path: path.replace("/admin/", "/admin/./"), id="a dot"),
        pytest.param(lambda path: path.replace("/admin/", "/admin/x/../"), id="two dots"),
        pytest.param(lambda path: path.replace("/admin/", "/admin%2F"), id="an escaped slash"),
        pytest.param(lambda path: path.replace("/admin/", "/ADMIN/"), id="capitals"),
    ],
)
def test_a_path_has_one_way_to_be_written(
    operator: Operator, method: str, path: str, body: object, change: Callable[[str], str]
) -> None:
    """So that a policy that denies it, denies it. What a tag or an id may hold is theirs, though."""
    answer = operator.ask(method, change(path), body)

    assert (answer.status, kind_of(answer)) == (404, "unknown-path")
    assert operator.audit == []


@pytest.mark.parametrize("last", ["rotat%65", "rotate%2F", "rotate%0A", "rotate;x", "Rotate", "rotate%20"])
def test_an_operation_has_one_name(operator: Operator, last: str) -> None:
    answer = operator.ask("POST", f"{ALICE}/{last}", {})

    assert (answer.status, kind_of(answer)) == (404, "unknown-path")


def test_a_tag_that_is_no_text_is_refused(operator: Operator) -> None:
    assert flaws(operator.ask("GET", f"{PROFILES}/%ff")) == [("path.tag", "value_error")]


@pytest.mark.parametrize(
    ("tag", "body", "status"),
    [
        pytest.param("carol-desk", {}, 409, id="by a public key"),
        pytest.param("frank-closed", {}, 409, id="by a closed secret"),
        pytest.param("heidi-disabled", {}, 400, id="for a disabled profile"),
        pytest.param("alice-web", {"secret_id": "9"}, 404, id="by a secret that there is not"),
        pytest.param("alice-web", {"claims": {"exp": 1}}, 400, id="that has expired"),
        pytest.param("alice-web", {"lifetime_seconds": 0}, 400, id="that lives no second"),
    ],
)
def test_a_token_that_the_service_would_refuse_is_not_minted(
    operator: Operator, tag: str, body: object, status: int
) -> None:
    assert operator.ask("POST", f"{PROFILES}/{tag}/tokens", body).status == status


def test_an_event_of_another_form_is_an_error_of_the_functions(operator: Operator) -> None:
    of_an_http_api = {"requestContext": {"http": {"method": "GET"}}, "rawPath": PROFILES}
    whole = {"requestContext": {}, "httpMethod": "GET", "path": PROFILES}
    with_a_number = ({**whole, name: 7} for name in whole)
    events: tuple[Any, ...] = ({}, [], None, of_an_http_api, *with_a_number)

    for event in events:
        answer = operator.stage.ask(event)
        assert answer.raised == "UnknownEvent: this function answers REST APIs only"
        assert answer.record["reason"] == "unknown_event"


@pytest.mark.parametrize(
    ("needed", "known"),
    [
        ("provisioning_for", {}),
        ("fetching_for", {}),
        ("deployment_for", {}),
        ("deployment_for", {"actor": "somebody"}),
        ("deployment_for", {"deployment": "one"}),
    ],
)
def test_a_route_gets_nothing_to_work_with_before_the_caller_is_known(
    operator: Operator, needed: str, known: dict[str, Any]
) -> None:
    """`operator` has loaded the routes. No request comes so far: this tells whoever changes the handler."""
    visit: Any = importlib.import_module("admin_api.visit")
    app = SimpleNamespace(context={"visit": visit.Visit("an-id", **known)})

    with pytest.raises(visit.RejectedRequest, match=r"^the caller is unknown$"):
        getattr(visit, needed)(app)


def test_what_is_not_there_matches_no_condition(operator: Operator) -> None:
    assert operator.ask("DELETE", f"{PROFILES}/nobody", headers=[("If-Match", "*")]).status == 404

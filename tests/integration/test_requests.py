"""Requests as real callers send them, in every form of an event: read as they are meant, or refused."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.integration.bodies import event_of, in_json, padded
from tools.events.authorize_events import FORMS, http, http_payload_1, rest
from tools.events.http_request import FORM_TYPE, JSON_TYPE, Request
from tools.events.samples import ALICE, token
from tools.events.stage import SAMPLES, Answer, Stage, read_json, stage

TOKEN: Final = ALICE.text
LIMIT: Final = 65536
"""The most that a body may have, with the usual MAX_TOKEN_BYTES."""


@pytest.fixture(name="ready", scope="module")
def _ready() -> Iterator[Stage]:
    with stage(read_json(SAMPLES / "outcomes.json")["settings"]) as ready:
        yield ready


def ask(ready: Stage, body: str, **more: str) -> Answer:
    return ready.ask(event_of(body, **more))


# -- paths ------------------------------------------------------------------------------------------------------------


def payload_1(**members: Any) -> dict[str, Any]:
    """An HTTP API's event, payload 1.0, with a good token, of stage `dev`; Ellipsis leaves a member out."""
    event = http_payload_1("a-name", Request(headers=[("Authorization", f"Bearer {TOKEN}")]))
    usual = {"resource": "$default", "path": "/dev/authorize"}
    event["requestContext"] |= {"stage": "dev", "path": "/dev/authorize", "resourcePath": "$default"}
    event["requestContext"] |= members.pop("context", {})
    return {name: value for name, value in {**event, **usual, **members}.items() if value is not ...}


def payload_2(**members: Any) -> dict[str, Any]:
    event = http("a-name", Request(headers=[("Authorization", f"Bearer {TOKEN}")]))
    event["requestContext"] |= {"stage": "dev"} | members.pop("context", {})
    return {**event, "routeKey": "$default", "rawPath": "/dev/authorize", **members}


def of_rest(**members: Any) -> dict[str, Any]:
    return {**rest("a-name", Request(headers=[("Authorization", f"Bearer {TOKEN}")])), **members}


GREEDY: Final = {"resource": "/{proxy+}", "pathParameters": {"proxy": "authorize"}}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(payload_1(), id="1.0, $default"),
        pytest.param(payload_1(resource=...), id="1.0, no resource"),
        pytest.param(payload_1(resource=None), id="1.0, resource is null"),
        pytest.param(payload_1(resource="/authorize"), id="1.0, a route of its own"),
        pytest.param(payload_1(**GREEDY), id="1.0, ANY /{proxy+}"),
        pytest.param(payload_1(**GREEDY, path="/base/of/domain/authorize"), id="1.0, a custom domain's base path"),
        pytest.param(payload_1(resource="/{rest+}", pathParameters={"rest": "authorize"}), id="1.0, /{rest+}"),
        pytest.param(payload_1(resource="/{proxy+}"), id="1.0, no path parameters"),
        pytest.param(payload_1(resource="/{any}", pathParameters={"any": "x"}), id="1.0, a variable that is one part"),
        pytest.param(payload_1(path="/authorize"), id="1.0, without the stage, as at a custom domain"),
        pytest.param(payload_1(path="/authorize", context={"stage": "$default"}), id="1.0, stage $default"),
        pytest.param(payload_1(path="/authorize", context={"stage": None}), id="1.0, no stage"),
        pytest.param(payload_1(path="/authorize", context={"stage": ""}), id="1.0, a stage without a name"),
        pytest.param(payload_2(), id="2.0, $default"),
        pytest.param(payload_2(rawPath="/authorize", context={"stage": "$default"}), id="2.0, stage $default"),
        pytest.param(payload_2(routeKey="POST /authorize"), id="2.0, a route of its own"),
        pytest.param(
            payload_2(routeKey="ANY /{proxy+}", pathParameters={"proxy": "authorize"}, rawPath="/x/authorize"),
            id="2.0, ANY /{proxy+}",
        ),
        pytest.param(of_rest(), id="REST"),
        pytest.param(of_rest(path="/base/authorize"), id="REST, a custom domain's base path"),
        pytest.param(of_rest(path="/base/authorize", **GREEDY), id="REST, the same by /{proxy+}"),
    ],
)
def test_the_path_is_found_behind_stage_and_base_path(ready: Stage, event: dict[str, Any]) -> None:
    answer = ready.ask(event)

    assert (answer.status, answer.record["path"]) == (200, "/authorize")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(payload_1(path="/prod/authorize"), id="1.0, another stage"),
        pytest.param(payload_1(path="/dev/dev/authorize"), id="1.0, the stage twice"),
        pytest.param(payload_1(path="/devauthorize"), id="1.0, the stage as a prefix of a name"),
        pytest.param(payload_1(path="/dev/authorize/"), id="1.0, a slash behind"),
        pytest.param(payload_1(path="/dev//authorize"), id="1.0, two slashes"),
        pytest.param(payload_1(path="/$default/authorize", context={"stage": "$default"}), id="1.0, $default in front"),
        pytest.param(payload_1(path="/None/authorize", context={"stage": None}), id="1.0, None in front"),
        pytest.param(payload_2(rawPath="/None/authorize", context={"stage": None}), id="2.0, None in front"),
        pytest.param(payload_2(rawPath="/$default/authorize", context={"stage": "$default"}), id="2.0, $default"),
        pytest.param(payload_1(resource="/other"), id="1.0, the route of another path"),
        pytest.param(of_rest(resource="/{proxy+}", pathParameters={"proxy": "x/authorize"}), id="REST, longer"),
    ],
)
def test_no_other_path_is_taken_for_it(ready: Stage, event: dict[str, Any]) -> None:
    assert ready.ask(event).status == 404


# -- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "body",
    [
        f"&jwt_token={TOKEN}",
        f"jwt_token={TOKEN}&&from_user=alice",
        f"jwt_token={TOKEN}&",
        f"debug&jwt_token={TOKEN}",
        f"=&jwt_token={TOKEN}",
        f"jwt%5Ftoken={TOKEN.replace('.', '%2E')}&from+user=bob",
        f"jwt_token={TOKEN}&x=%zz&y=%&z=100%",
        f"jwt_token={TOKEN}&x=%FF%C3",
    ],
)
def test_a_form_is_read_as_browsers_and_servers_read_it(ready: Stage, form: str, body: str) -> None:
    assert ask(ready, body, form=form, kind=FORM_TYPE).status == 200


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(f"jwt_token={TOKEN}%00", id="U+0000 behind"),
        pytest.param(f"jwt_token={TOKEN[:20]}%00{TOKEN[20:]}", id="U+0000 within"),
        pytest.param(f"jwt_token={TOKEN}%FF", id="no UTF-8"),
        pytest.param(f"jwt_token={TOKEN}%ED%A0%80", id="half a surrogate pair"),
        pytest.param(f"jwt_token={TOKEN}%zz", id="a bad escape"),
        pytest.param(f"jwt_token={TOKEN}+", id="a blank"),
        pytest.param("jwt_token=", id="empty"),
        pytest.param("jwt_token", id="a name alone"),
    ],
)
def test_a_token_in_a_form_that_is_none_is_a_refused_token(ready: Stage, octets: str) -> None:
    answer = ask(ready, octets, kind=FORM_TYPE)

    assert (answer.status, answer.member("code"), answer.denial) == (401, -1, "malformed_token")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(rf"{TOKEN}\u0000", id="U+0000"),
        pytest.param(rf"{TOKEN}\u0000junk", id="U+0000 and more"),
        pytest.param(rf"\ud800{TOKEN}", id="the first half of a surrogate pair"),
        pytest.param(rf"{TOKEN}\udfff", id="the second half"),
        pytest.param(rf"{TOKEN}\ud83d\ude00", id="a whole pair"),
        pytest.param(f"{TOKEN}\x7f", id="delete"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_token_in_json_that_is_none_is_a_refused_token(ready: Stage, form: str, token: str) -> None:
    answer = ask(ready, in_json(token), form=form)

    assert (answer.status, answer.member("code"), answer.denial) == (401, -1, "malformed_token")


def test_to_jambonz_and_to_the_script_it_is_the_same(ready: Stage) -> None:
    hook = f'{{"method":"INVITE","jwt_token":"{TOKEN}\\ud800","username":"alice"}}'
    script = f'{{"jwt_token":"{TOKEN}\\u0000","key":"x"}}'

    by_jambonz = ask(ready, hook, path="/frontends/jambonz")
    by_script = ask(ready, script, path="/script-authorize")

    assert (by_jambonz.status, by_jambonz.member("code"), by_jambonz.denial) == (200, -1, "malformed_token")
    assert (by_script.status, by_script.body) == (200, {"code": -2})


def test_the_log_says_whose_token_jambonz_asked_about(ready: Stage) -> None:
    hook = {"method": "INVITE", "jwt_token": TOKEN, "headers": {"from": "sip:alice@sip.example.com", "to": "x"}}

    record = ask(ready, json.dumps(hook), path="/frontends/jambonz").record

    assert (record["outcome"], record["tag"], record["secret_id"]) == ("authorized", "alice-web", "1")


@pytest.mark.parametrize("key", [r"\ud800", r"\u0000", r"long enough for any, \udfff, and yet no key of anybody"])
def test_a_key_that_is_no_text_validates_nothing(ready: Stage, key: str) -> None:
    answer = ask(ready, f'{{"jwt_token":"{TOKEN}","key":"{key}"}}', path="/script-authorize")

    assert (answer.status, answer.member("code")) == (200, -1)


@pytest.mark.parametrize("member", ["from_user", "from_domain"])
@pytest.mark.parametrize("text", [r"alice\u0000", r"\ud800", r"alice\udc00"])
def test_a_user_or_domain_that_is_no_text_is_nobodys(ready: Stage, member: str, text: str) -> None:
    answer = ask(ready, f'{{"jwt_token":"{TOKEN}","{member}":"{text}"}}')

    assert (answer.status, answer.member("code")) == (403, -1)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1e999", id="a number beyond a double"),
        pytest.param("9" * 30, id="30 digits"),
        pytest.param("-" + "9" * 10_000, id="10,000 digits"),
        pytest.param(r'"\u0000\ud800"', id="odd text"),
        pytest.param(r'{"\u0000":{"\ud800":1}}', id="odd names"),
        pytest.param("[" * 65 + "]" * 65, id="65 levels"),
        pytest.param("[" * 30_000 + "]" * 30_000, id="30,000 levels"),
        pytest.param('{"a":' * 9_000 + "[]" + "}" * 9_000, id="9,000 levels of objects"),
        pytest.param('{"a":1,"a":2}', id="a name twice"),
        pytest.param('[{"jwt_token":"x"},{"jwt_token":"x","jwt_token":"y"}]', id="our names twice, elsewhere"),
        pytest.param("null", id="null"),
    ],
)
def test_a_member_that_we_do_not_know_may_hold_any_json(ready: Stage, value: str) -> None:
    assert ask(ready, f'{{"x":{value},"jwt_token":"{TOKEN}"}}').status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":NaN}}', id="NaN"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":-Infinity}}', id="Infinity"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","jwt_token":"{TOKEN}"}}', id="a member twice"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":1,"\\u0078":1}}', id="an unknown member twice, once escaped"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":{"[" * 30_000}}}', id="never closed"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":{"[" * 30_000}{"}" * 30_000}}}', id="closed otherwise"),
        pytest.param("[" * 60_000, id="nothing but brackets"),
        pytest.param(f'{{"jwt_token":"{TOKEN}"}}]', id="a bracket behind"),
        pytest.param(f'{{"jwt_token":"{TOKEN}","x":"a\nb"}}', id="a line break in a string"),
    ],
)
def test_a_body_that_is_not_json_is_not_well_formed(ready: Stage, body: str) -> None:
    answer = ask(ready, body)

    assert (answer.status, answer.member("code")) == (400, None)
    assert (answer.record["outcome"], answer.record["reason"]) == ("rejected", "invalid_request")


def test_a_byte_order_mark_in_front_of_json_is_no_part_of_it(ready: Stage) -> None:
    assert ask(ready, f"\ufeff{in_json(TOKEN)}").status == 200


def test_of_several_content_types_the_first_counts(ready: Stage) -> None:
    event = event_of(in_json(TOKEN))
    types = [JSON_TYPE, FORM_TYPE]

    assert ready.ask({**event, "multiValueHeaders": {"content-type": types}}).status == 200
    assert ready.ask({**event, "multiValueHeaders": {"content-type": types[::-1]}}).status == 400


@pytest.mark.parametrize("headers", [None, {}, {"content-type": ""}], ids=str)
def test_without_a_content_type_a_body_is_json(ready: Stage, headers: dict[str, str] | None) -> None:
    event = {**event_of(in_json(TOKEN)), "headers": headers, "multiValueHeaders": None}

    assert ready.ask(event).status == 200


@pytest.mark.parametrize("junk", ["*", "é", "====="])
def test_what_is_no_base64_is_no_body(ready: Stage, junk: str) -> None:
    body = base64.b64encode(in_json(TOKEN).encode()).decode()
    event = {**event_of(""), "body": f"{junk}{body}", "isBase64Encoded": True}

    answer = ready.ask(event)

    assert (answer.status, answer.member("detail")) == (400, "the body is not base64")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("body", [5, {"jwt_token": TOKEN}, [TOKEN], True])
def test_an_event_whose_body_is_no_text_has_no_body_either(ready: Stage, form: str, body: object) -> None:
    answer = ready.ask({**event_of("x", form=form), "body": body, "isBase64Encoded": False})

    assert (answer.status, answer.member("detail")) == (400, "the body is not text")


def test_whoever_sends_json_as_a_form_is_told_so(ready: Stage) -> None:
    """As curl does by itself."""
    answer = ask(ready, in_json(TOKEN), kind=FORM_TYPE)

    assert answer.status == 400
    assert "send Content-Type: application/json" in answer.member("detail")


# -- how long a body may be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_body_has_at_most_64_kib(ready: Stage, form: str) -> None:
    longest, longer = ask(ready, padded(LIMIT), form=form), ask(ready, padded(LIMIT + 1), form=form)

    assert longest.status == 200
    assert (longer.status, longer.member("code"), longer.member("type")) == (
        413,
        None,
        "urn:auth-jwt:problem:payload-too-large",
    )
    assert (longer.record["outcome"], longer.record["reason"]) == ("rejected", "payload_too_large")
    assert "at most 65536 bytes" in longer.member("detail")


def test_a_key_of_the_script_has_at_most_16_kib(ready: Stage) -> None:
    """In bytes: `é` has two."""
    keys = ["x" * 16384, "é" * 8192, "x" * 16385, "é" * 8192 + "x"]

    answers = [ask(ready, json.dumps({"jwt_token": TOKEN, "key": key}), path="/script-authorize") for key in keys]

    assert [answer.status for answer in answers] == [200, 200, 400, 400]


@pytest.mark.parametrize("over", [0, 1, 2, 3])
def test_it_is_the_decoded_body_that_counts(ready: Stage, over: int) -> None:
    event = event_of("")
    event |= {"body": base64.b64encode(padded(LIMIT + over).encode()).decode(), "isBase64Encoded": True}

    assert ready.ask(event).status == (413 if over else 200)


def test_what_is_too_long_is_not_decoded_first(ready: Stage) -> None:
    """Else it would be told as what it is not: base64."""
    event = {**event_of(""), "body": "*" * (2 * LIMIT), "isBase64Encoded": True}

    assert ready.ask(event).status == 413


def test_it_is_bytes_that_count(ready: Stage) -> None:
    """One of as many characters as may be is too long when one of them takes two bytes."""
    assert ask(ready, padded(LIMIT - 1).replace('xx"', 'xé"')).status == 200
    assert ask(ready, padded(LIMIT).replace('xx"', 'xé"')).status == 413


def test_64_kib_of_anything_are_read_in_no_time(ready: Stage) -> None:
    small = "".join(f"{number:x}&" for number in range(20_000))[:LIMIT]
    bodies = [("%" * LIMIT, FORM_TYPE), (small, FORM_TYPE), ("[" * LIMIT, JSON_TYPE), ('"' * 65535, JSON_TYPE)]

    for body, kind in bodies:
        started = time.process_time()
        assert ask(ready, body, kind=kind).status in (400, 401)
        assert time.process_time() - started < 0.5


def test_health_looks_at_no_body(ready: Stage) -> None:
    answer = ask(ready, "%" * 6_000_000, path="/health", method="GET")

    assert (answer.status, answer.body) == (200, {"status": "ok"})


# -- Call-IDs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "logged", "altered"),
    [
        pytest.param("a@b", "a@b", None, id="as usual"),
        pytest.param("x" * 128, "x" * 128, None, id="as long as may be"),
        pytest.param("x" * 129, "x" * 128, True, id="too long"),
        pytest.param("a\x00\r\n\x1b[31mb", "a[31mb", True, id="control characters"),
        pytest.param("a\u202eb\u2028c\u0085d\ud800", "abcd", True, id="whatever turns or ends a line"),
        pytest.param("\x00" * 200 + "x" * 200, "x" * 128, True, id="cleaned first, then shortened"),
        pytest.param("\x00", None, True, id="nothing printable"),
        pytest.param("café 😀", "café 😀", None, id="printable"),
        pytest.param(42, "42", True, id="a number"),
        pytest.param(True, "True", True, id="a boolean"),
        pytest.param(["a"], None, True, id="a list"),
        pytest.param({"a": 1}, None, True, id="an object"),
        pytest.param(None, None, None, id="null"),
        pytest.param("", None, None, id="empty"),
    ],
)
def test_no_call_id_is_a_reason_to_refuse(
    ready: Stage, given: object, logged: str | None, altered: bool | None
) -> None:
    hook = {"method": "INVITE", "jwt_token": TOKEN, "headers": {"from": "sip:alice@sip.example.com", "to": "x"}}
    answers = [
        ask(ready, json.dumps({"jwt_token": TOKEN, "call_id": given})),
        ask(ready, json.dumps({"jwt_token": TOKEN, "key": "x", "call_id": given}), path="/script-authorize"),
        ask(ready, json.dumps(hook | {"headers": hook["headers"] | {"call-id": given}}), path="/frontends/jambonz"),  # type: ignore[operator]
        ready.ask({"jwt_token": TOKEN, "call_id": given}),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200, None]
    assert [answer.member("code") for answer in answers] == [1, -1, 1, 1]
    for answer in answers:
        assert (answer.record.get("call_id"), answer.record.get("call_id_altered")) == (logged, altered)


def test_a_call_id_of_megabytes_costs_nothing(ready: Stage) -> None:
    started = time.process_time()
    answer = ready.ask({"jwt_token": TOKEN, "call_id": "\x01" * 5_000_000})

    assert time.process_time() - started < 0.2
    assert answer.member("code") == 1


# -- refusals that are no denial ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        pytest.param("POST", "/nowhere", "{}", (404, "unknown_path", None), id="an unknown path"),
        pytest.param("GET", "/authorize", "", (405, "wrong_method", "/authorize"), id="a wrong method"),
        pytest.param("POST", "/authorize", "[", (400, "invalid_request", "/authorize"), id="no JSON"),
        pytest.param("POST", "/script-authorize", "{}", (400, "invalid_request", "/script-authorize"), id="no key"),
    ],
)
def test_a_request_that_is_none_is_logged_with_its_reason(
    ready: Stage, method: str, path: str, body: str, expected: tuple[int, str, str | None]
) -> None:
    answer = ask(ready, body, method=method, path=path)

    record = answer.record
    assert (answer.status, record["outcome"]) == (expected[0], "rejected")
    assert (record["status"], record["reason"], record.get("path")) == expected
    assert answer.given["isBase64Encoded"] is False


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("path", "kind", "phrase"),
    [
        ("/authorize", "application/json", "200 OK"),
        ("/health", "application/problem+json", "405 Method Not Allowed"),
        ("/x", "application/problem+json", "404 Not Found"),
    ],
)
def test_an_answer_says_what_it_is_and_to_a_load_balancer_its_status_in_words(
    ready: Stage, form: str, path: str, kind: str, phrase: str
) -> None:
    """A load balancer that health-checks or logs shows the description; gateways refuse members they do not know."""
    answer = ask(ready, in_json(TOKEN), form=form, path=path)

    assert answer.headers["content-type"] == kind
    assert answer.given.get("statusDescription") == (phrase if form.startswith("alb") else None)


@pytest.mark.parametrize("missing", ["jwt_token", "key"])
def test_the_script_needs_token_and_key(ready: Stage, missing: str) -> None:
    given = {"jwt_token": TOKEN, "key": "x" * 32}

    del given[missing]
    answer = ask(ready, json.dumps(given), path="/script-authorize")

    assert (answer.status, answer.member("detail")) == (400, "jwt_token and key are both needed")


# -- what the log shows -----------------------------------------------------------------------------------------------

INVISIBLE: Final = "\x00\x1f\x7f\x80\x85\x9f\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"


def test_a_tag_cannot_turn_a_log_line_around_or_break_it(ready: Stage) -> None:
    tag = INVISIBLE.replace("\x00", "") + "é\U0001f600"  # which no token may hold

    answer = ask(ready, in_json(token(tag).text))

    (line,) = answer.lines
    assert answer.record["tag"] == tag
    assert not set(line) & set(INVISIBLE)
    assert "é\U0001f600" in line


# -- health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_head_of_health_is_good_and_has_no_body(ready: Stage, form: str) -> None:
    asked = FORMS[form].event_of("a-name", Request("HEAD", "/health"))

    answer = ready.ask(asked)

    assert (answer.status, answer.given["body"], answer.lines) == (200, "", [])
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "head"])
def test_any_other_method_is_told_both(ready: Stage, method: str) -> None:
    answer = ready.ask(FORMS["rest-"].event_of("a-name", Request(method, "/health")))

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("path", "status"), [("/authorize", 405), ("/x", 404)])
def test_no_answer_to_head_has_a_body(ready: Stage, path: str, status: int) -> None:
    answer = ready.ask(FORMS["rest-"].event_of("a-name", Request("HEAD", path)))

    assert (answer.status, answer.given["body"]) == (status, "")

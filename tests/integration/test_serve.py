"""What `make serve` makes of an HTTP request and of a function's result; with the processes in tests/e2e/serve."""

import base64
import json
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auth_jwt.runtime.settings import LogSettings
from tests.fakes import compared_by
from tools.events.stage import SAMPLES, read_json, template
from tools.serve.__main__ import curl_line, options_of
from tools.serve.gateway import MAX_BODY_BYTES, HttpAnswer, HttpRequest, RestApi
from tools.serve.pointing import AUDIT_LOG, lines_for_shell
from tools.serve.processes import CannotStart
from tools.serve.service import variables_of

BODY = template()["Resources"]["Api"]["Properties"]["DefinitionBody"]
OPEN, KEYED = RestApi(BODY), RestApi(BODY, "the-key")
NO_CERTIFICATES = SAMPLES / "authorize" / "rest-authorized-mutual-tls.json"
"""A local run asks for none."""
REST_EVENTS = sorted({*(SAMPLES / "authorize").glob("rest-*.json")} - {NO_CERTIFICATES})
ADDED_BY_THE_GATEWAY = ("X-Forwarded-", "X-Amzn-Trace-Id")


def a_request(**more: Any) -> HttpRequest:
    """Return a request to /authorize."""
    usual: dict[str, Any] = {"method": "POST", "path": "/authorize", "query": "", "headers": [], "body": b""}
    return HttpRequest(**{**usual, "client": "127.0.0.1", **more})


def request_of(event: Mapping[str, Any]) -> HttpRequest:
    """Return the request that a sample event of a REST API was."""
    headers = [
        (name, value)
        for name, values in event["multiValueHeaders"].items()
        for value in values
        if not name.startswith(ADDED_BY_THE_GATEWAY)
    ]
    query = "&".join(f"{name}={value}" for name, value in (event["queryStringParameters"] or {}).items())
    text = event["body"] or ""
    body = base64.b64decode(text) if event["isBase64Encoded"] else text.encode()
    return a_request(method=event["httpMethod"], path=event["path"], query=query, headers=headers, body=body)


def shape_of(value: object) -> object:
    """Return the names of the members at every level, header fields apart."""
    if not isinstance(value, dict):
        return None
    return {name: "" if "eaders" in name else shape_of(of) for name, of in value.items()}


# --- The event --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", REST_EVENTS, ids=lambda file: file.stem)
def test_a_sample_request_becomes_the_sample_event(file: Path) -> None:
    """But for ids, times, addresses, and text that the sample has in base64."""
    sample = read_json(file)
    api = OPEN if "apiKey" not in sample["requestContext"]["identity"] else KEYED

    event = json.loads(json.dumps(api.event_of(request_of(sample), "an-id")))

    assert shape_of(event) == shape_of(sample)
    same = ("resource", "path", "httpMethod", "pathParameters", "queryStringParameters", "stageVariables")
    assert {name: event[name] for name in same} == {name: sample[name] for name in same}
    assert request_of(event) == request_of(sample)
    assert set(event["headers"]) == set(sample["headers"])


def test_a_repeated_header_keeps_all_values_and_shows_the_last() -> None:
    event = OPEN.event_of(a_request(headers=[("a", "1"), ("a", "2")]), "an-id")

    assert event["multiValueHeaders"]["a"] == ["1", "2"]
    assert event["headers"]["a"] == "2"


def test_headers_of_the_connection_are_not_passed_on() -> None:
    event = OPEN.event_of(a_request(headers=[("connection", "close"), ("content-length", "0")]), "an-id")

    assert event["headers"].keys().isdisjoint({"connection", "content-length"})


def test_a_query_string_is_decoded() -> None:
    event = OPEN.event_of(a_request(query="a=1&a=%C3%A9&b="), "an-id")

    assert event["multiValueQueryStringParameters"] == {"a": ["1", "é"], "b": [""]}
    assert event["queryStringParameters"] == {"a": "é", "b": ""}


@pytest.mark.parametrize(
    ("body", "carried"),
    [
        pytest.param(b"", {"body": None, "isBase64Encoded": False}, id="none"),
        pytest.param("é".encode(), {"body": "é", "isBase64Encoded": False}, id="text"),
        pytest.param(b"\xff", {"body": "/w==", "isBase64Encoded": True}, id="no UTF-8"),
    ],
)
def test_a_body_is_text_or_base64(body: bytes, carried: dict[str, Any]) -> None:
    event = OPEN.event_of(a_request(body=body), "an-id")

    assert {name: event[name] for name in carried} == carried


# --- The answer -------------------------------------------------------------------------------------------------------


def test_an_answer_is_passed_on_with_every_header_value() -> None:
    given = {"statusCode": 401, "headers": {"a": "1", "b": 2}, "multiValueHeaders": {"a": ["3", "4"]}, "body": "é"}

    answer = OPEN.answer_of(given, "an-id")

    assert answer == HttpAnswer(401, [("a", "3"), ("a", "4"), ("b", "2"), ("x-amzn-RequestId", "an-id")], "é".encode())


def test_a_binary_answer_is_decoded() -> None:
    assert OPEN.answer_of({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, "an-id").body == b"\xff"


@pytest.mark.parametrize("given", [{}, {"statusCode": "ok"}, {"statusCode": 200, "body": "é", "isBase64Encoded": True}])
def test_what_is_no_answer_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises((LookupError, ValueError)):
        OPEN.answer_of(given, "an-id")


# --- The gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "request_", "status"),
    [
        pytest.param(OPEN, a_request(), None, id="no gate"),
        pytest.param(KEYED, a_request(headers=[("x-api-key", "the-key")]), None, id="the key"),
        pytest.param(KEYED, a_request(headers=[("x-api-key", "the-keY")]), 403, id="another key"),
        pytest.param(KEYED, a_request(), 403, id="no key"),
        pytest.param(KEYED, a_request(path="/other"), 403, id="no key for an unknown path"),
        pytest.param(KEYED, a_request(path="/health", method="GET"), None, id="health is open"),
        pytest.param(KEYED, a_request(path="/health", method="HEAD"), None, id="by HEAD, too"),
        pytest.param(KEYED, a_request(path="/health"), 403, id="but for no other method"),
        pytest.param(OPEN, a_request(body=b"x" * MAX_BODY_BYTES), None, id="a large body"),
        pytest.param(OPEN, a_request(body=b"x" * (MAX_BODY_BYTES + 1)), 413, id="a body too large"),
    ],
)
def test_the_gate_is_the_templates(api: RestApi, request_: HttpRequest, status: int | None) -> None:
    refusal = api.refusal_of(request_, "an-id")

    assert (refusal.status if refusal else None) == status


def test_the_gate_compares_keys_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = compared_by(secrets, monkeypatch)

    KEYED.refusal_of(a_request(headers=[("x-api-key", "the-keY")]), "an-id")

    assert compared == [(b"the-keY", b"the-key")]


def test_the_gateways_own_answer_is_a_problem_with_the_requests_id() -> None:
    answer = KEYED.own_answer("INVALID_API_KEY", "an-id")

    assert dict(answer.headers) == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "x-amzn-RequestId": "an-id",
    }
    assert json.loads(answer.body)["instance"] == "urn:request:an-id"


# --- The command ------------------------------------------------------------------------------------------------------


def test_options_come_from_the_environment_and_then_from_the_command_line() -> None:
    given = options_of(["--port", "9"], {"PORT": "8", "WORKERS": "3", "LOG": "x", "API_KEY": "k"})

    assert (given.port, given.workers, given.log, given.api_key) == (9, 3, "x", "k")


def test_empty_variables_are_none() -> None:
    given = options_of([], {"PORT": "", "WORKERS": "", "LOG": "", "API_KEY": ""})

    assert (given.port, given.workers, Path(given.log).name, given.api_key) == (8080, 2, "serve.log", None)


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "http"], ["--workers", "0"], ["--host", "::"]])
def test_options_that_cannot_be_are_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options_of(arguments, {})

    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


def test_the_sample_table_of_revoked_tokens_may_be_named() -> None:
    """The template has none by default, and no other one is there."""
    variables = variables_of({"REVOCATIONS_TABLE": "jwt_revocations"}, template())

    assert variables["REVOCATIONS_TABLE"] == "jwt_revocations"
    with pytest.raises(CannotStart, match="REVOCATIONS_TABLE"):
        variables_of({"REVOCATIONS_TABLE": "revoked"}, template())


def test_settings_pass_through_and_credentials_do_not_reach_the_sample_tables() -> None:
    variables = variables_of({"CACHE_TTL_SECONDS": "0", "AWS_ACCESS_KEY_ID": "mine", "OTHER": "x"}, template())

    assert variables["CACHE_TTL_SECONDS"] == "0"
    assert variables["AWS_ACCESS_KEY_ID"] == "testing"
    assert "OTHER" not in variables


def test_lines_are_whole_unless_asked_otherwise() -> None:
    """The template's default is lean, and here no metric filter counts lean lines."""
    assert LogSettings.from_env(variables_of({}, template())) == LogSettings()
    asked = {"AUTHORIZED_LOG": "lean", "AUTHORIZED_LOG_PERCENT": "7"}

    assert asked.items() <= variables_of(asked, template()).items()


@pytest.mark.parametrize(
    ("env", "key"),
    [
        pytest.param({"DB_URL": "dynamodb://eu-west-1", "AWS_ACCESS_KEY_ID": "mine"}, "mine", id="AWS"),
        pytest.param({"DB_URL": "dynamodb://eu-west-1", "AWS_PROFILE": "mine"}, None, id="AWS by a profile"),
        pytest.param({"DB_URL": "dynamodb+http://127.0.0.1:8000"}, "testing", id="a stand-in"),
        pytest.param(
            {"DB_URL": "dynamodb+http://127.0.0.1:8000", "AWS_ACCESS_KEY_ID": "m"}, "m", id="with credentials"
        ),
    ],
)
def test_tables_of_ones_own_are_read_with_ones_own_credentials(env: dict[str, str], key: str | None) -> None:
    variables = variables_of(env, template())

    assert variables.get("AWS_ACCESS_KEY_ID") == key
    assert variables["LOAD_CREDENTIALS"] == ""


@pytest.mark.parametrize(
    ("env", "named"),
    [
        pytest.param({"LEEWAY_SECONDS": "soon"}, "LEEWAY_SECONDS", id="a value that cannot be"),
        pytest.param({"AUTHORIZED_LOG_PERCENT": "all"}, "AUTHORIZED_LOG_PERCENT", id="one of the log that cannot be"),
        pytest.param({"PROFILES_TABLE": "people"}, "PROFILES_TABLE", id="tables that the samples are not in"),
    ],
)
def test_settings_that_cannot_be_are_explained(env: dict[str, str], named: str) -> None:
    with pytest.raises(CannotStart, match=named):
        variables_of(env, template())


def test_the_printed_line_has_token_and_key() -> None:
    words = shlex.split(curl_line("http://127.0.0.1:8080", "a key", has_samples=True))

    assert "x-api-key: a key" in words
    assert any(word.startswith("Authorization: Bearer ey") for word in words)


# --- Lines for another shell ------------------------------------------------------------------------------------------


def test_the_lines_for_a_shell_name_what_is_not_usual_and_take_away_what_would_win() -> None:
    variables = variables_of({"CACHE_TTL_SECONDS": "0", "TAG_CLAIM": "it's"}, template())
    variables["DB_URL"] = "dynamodb+http://127.0.0.1:8000"

    gone, *set_ = lines_for_shell(variables, "http://127.0.0.1:8000")

    assert gone.split() == [
        "unset",
        *("AUTH_JWT_CONTEXT", "AUTH_JWT_ENV_FILE", "AUTH_JWT_FUNCTION", "AUTH_JWT_STACK"),
        *("AWS_PROFILE", "AWS_SESSION_TOKEN"),
    ]
    named = dict(shlex.split(line)[1].split("=", 1) for line in set_)
    assert named == {
        "AUTH_JWT_AUDIT_LOG": str(AUDIT_LOG),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8000",
        "DB_URL": "dynamodb+http://127.0.0.1:8000",
        "CACHE_TTL_SECONDS": "0",
        "TAG_CLAIM": "it's",
        "LOAD_CREDENTIALS": read_json(SAMPLES / "outcomes.json")["settings"]["LOAD_CREDENTIALS"],
    }


def test_credentials_of_ones_own_are_never_shown() -> None:
    """The shell where the lines are pasted has them, or its profile."""
    mine = {"AWS_ACCESS_KEY_ID": "my-key", "AWS_SECRET_ACCESS_KEY": "my-secret", "AWS_SESSION_TOKEN": "my-token"}
    variables = variables_of({"DB_URL": "dynamodb://eu-west-1", **mine}, template())

    lines = "\n".join(lines_for_shell(variables, None))

    assert "export DB_URL=dynamodb://eu-west-1" in lines
    assert "AWS_" not in lines
    assert "my-" not in lines

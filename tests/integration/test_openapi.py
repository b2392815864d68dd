"""openapi.yaml says what the service does, and what template.yaml has API Gateway do: no more, and no less."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from auth_jwt.models import MAX_CALL_ID_CHARACTERS
from tests.integration.conftest import SetStage
from tools.events.stage import SAMPLES, Answer, read_json, stage, template
from tools.serve.gateway import HttpRequest, RestApi
from tools.template.stack import sources, stack_of

ROOT = Path(__file__).parents[2]
ANY = "x-amazon-apigateway-any-method"
FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
GATES = {
    "api-key": {"Gate": "api-key"},
    "iam": {"Gate": "iam"},
    "private": {"Gate": "private", "VpcEndpointId": "vpce-0abc"},
}
OF_ANY_PATH = {404: "NotFound", 405: "MethodNotAllowed"}


@cache
def document() -> dict[str, Any]:
    """Return openapi.yaml."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    return loaded


def found(node: Any) -> Any:
    """Follow a reference within the document."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every operation by path and method."""
    return {(path, method): spec for path, item in document()["paths"].items() for method, spec in item.items()}


def errors_of(value: object, schema: Any) -> list[str]:
    """Return how *value* fails a schema of the document."""
    # The component schemas come along, under the pointer that references name.
    whole = {"allOf": [schema], "components": document()["components"]}
    return [error.message for error in OAS30Validator(whole).iter_errors(value)]


def response_of(path: str, method: str, status: int) -> dict[str, Any]:
    """Return what the document says of an answer."""
    operation = operations().get((path, method.lower()))
    if operation is None:
        response = document()["components"]["responses"][OF_ANY_PATH[status]]
    else:
        response = operation["responses"][str(status)]
    described: dict[str, Any] = found(response)
    return described


def misfits(answer: Answer, described: dict[str, Any]) -> list[str]:
    """Return how an answer differs from what the document says of it."""
    content = described.get("content")
    media_type = answer.headers["content-type"]
    if content is None:  # to HEAD
        wrong = ["a body"] if answer.body else []
    elif media_type not in content:
        return [f"{media_type} is not described"]
    else:
        wrong = errors_of(answer.body, content[media_type]["schema"])
    for name, header in ((name, found(header)) for name, header in described["headers"].items()):
        value = answer.headers.get(name.lower())
        if value is None:
            wrong += [f"no {name}"] if header.get("required") else []
        else:
            is_number = header["schema"]["type"] == "integer"
            wrong += errors_of(int(value) if is_number else value, header["schema"])
    described_headers = {name.lower() for name in described["headers"]} | {"content-type"}
    return wrong + [f"{name} is not described" for name in answer.headers.keys() - described_headers]


# --- The document -----------------------------------------------------------------------------------------------------


def test_it_is_openapi_3_0() -> None:
    assert document()["openapi"] == "3.0.3"
    assert list(OpenAPIV30SpecValidator(document()).iter_errors()) == []


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every body the document describes, with where it stands."""
    for (path, method), operation in operations().items():
        bodies = {"request": operation.get("requestBody", {"content": {}}), **operation["responses"]}
        for name, body in bodies.items():
            described = found(body).get("content", {})  # none to HEAD
            yield from ((f"{method} {path} {name} {kind}", of) for kind, of in described.items())
    for name, response in document()["components"]["responses"].items():
        yield from ((f"{name} {kind}", of) for kind, of in response["content"].items())


CONTENTS = [pytest.param(content, id=where) for where, content in contents()]


@pytest.mark.matrix
@pytest.mark.parametrize("content", CONTENTS)
def test_every_body_has_examples_and_they_are_of_its_schema(content: dict[str, Any]) -> None:
    examples = {name: found(example)["value"] for name, example in content["examples"].items()}

    assert examples
    assert [errors_of(value, content["schema"]) for value in examples.values()] == [[]] * len(examples)


def test_no_part_of_it_is_unused() -> None:
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    parts = {
        f"#/components/{kind}/{name}"
        for kind, named in document()["components"].items()
        for name in named
        if kind != "securitySchemes"
    }
    used = set(re.findall(r'\$ref: "(#/components/[^"]+)"', text))

    assert parts - used == {f"#/components/responses/{name}" for name in OF_ANY_PATH.values()}
    assert used <= parts


def test_it_states_the_limits_of_the_code() -> None:
    handler = (ROOT / "functions" / "authorize" / "app.py").read_text(encoding="utf-8")
    limits = dict(re.findall(r"^(M?[A-Z_]*BYTES\w*): Final = (\d+)(?:  #.*)?$", handler, re.MULTILINE))
    schemas = document()["components"]["schemas"]
    body = f"at most {limits['MAX_BODY_BYTES']} bytes, or MAX_TOKEN_BYTES and {limits['BODY_BYTES_BESIDE_TOKEN']}"

    assert f"at most {MAX_CALL_ID_CHARACTERS}:" in " ".join(schemas["CallId"]["description"].split())
    assert schemas["ScriptAuthorizeRequest"]["properties"]["key"]["maxLength"] == int(limits["MAX_SCRIPT_KEY_BYTES"])
    assert body in " ".join(document()["info"]["description"].split())


# --- The document and the function ------------------------------------------------------------------------------------


def request_examples() -> Iterator[tuple[str, str, str, str, Any]]:
    """Yield path, method, name, media type and value of every example of a request."""
    for (path, method), operation in operations().items():
        for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
            for name, example in content["examples"].items():
                yield path, method, name, kind, found(example)["value"]


REQUEST_EXAMPLES = {" ".join(example[:4]): example for example in request_examples()}
REST_EVENTS = sorted((SAMPLES / "authorize").glob("rest-*.json"))


def event_of(path: str, method: str, _name: str, media_type: str, value: dict[str, str]) -> dict[str, Any]:
    """Return the event of an example, through the template's API."""
    body = urlencode(value) if media_type == FORM else json.dumps(value)
    request = HttpRequest(method.upper(), path, "", [("Content-Type", media_type)], body.encode(), "127.0.0.1")
    api = RestApi(template()["Resources"]["Api"]["Properties"]["DefinitionBody"])
    return api.event_of(request, "an-id")


@pytest.fixture(name="answers", scope="module")
def _answers() -> dict[str, Answer]:
    """What the function says to every example and to every sample event."""
    with stage(read_json(SAMPLES / "outcomes.json")["settings"]) as set_up:
        to_examples = {where: set_up.ask(event_of(*example)) for where, example in REQUEST_EXAMPLES.items()}
        return to_examples | {file.stem: set_up.ask(read_json(file)) for file in REST_EVENTS}


@pytest.mark.parametrize("where", REQUEST_EXAMPLES)
def test_every_example_of_a_request_is_answered_by_the_example_of_that_name(
    answers: dict[str, Answer], where: str
) -> None:
    path, method, name, _, _ = REQUEST_EXAMPLES[where]
    answer = answers[where]
    assert answer.status is not None
    response = response_of(path, method, answer.status)
    (content,) = response["content"].values()

    shown = found(content["examples"][name])["value"]

    assert answer.body == shown | ({"instance": answer.member("instance")} if "instance" in shown else {})
    assert misfits(answer, response) == []


@pytest.mark.parametrize("file", REST_EVENTS, ids=lambda file: file.stem)
def test_every_sample_event_is_answered_as_described(answers: dict[str, Answer], file: Path) -> None:
    event, answer = read_json(file), answers[file.stem]

    assert answer.status is not None
    assert misfits(answer, response_of(event["path"], event["httpMethod"], answer.status)) == []


def test_the_sample_events_get_every_answer_there_is_but_faults() -> None:
    outcomes = read_json(SAMPLES / "outcomes.json")["events"]

    assert {outcomes[file.stem]["status"] for file in REST_EVENTS} == {200, 400, 401, 403, 404, 405}


@pytest.mark.parametrize("event", ["rest-authorized-by-header", "rest-jambonz-ok-register"])
def test_an_outage_is_answered_as_described(set_stage: SetStage, outage: Callable[[], None], event: str) -> None:
    given = read_json(SAMPLES / "authorize" / f"{event}.json")
    without_tables = set_stage()
    outage()

    answer = without_tables.ask(given)

    assert answer.status == 503
    assert misfits(answer, response_of(given["path"], given["httpMethod"], 503)) == []


@pytest.mark.parametrize(
    "event",
    ["rest-authorized-by-header", "rest-script-authorize-validated", "rest-jambonz-ok-register", "rest-health"],
)
def test_a_fault_is_answered_as_described(set_stage: SetStage, event: str) -> None:
    given = read_json(SAMPLES / "authorize" / f"{event}.json")

    answer = set_stage(CACHE_TTL_SECONDS="never").ask(given)

    assert answer.status == 500
    assert misfits(answer, response_of(given["path"], given["httpMethod"], 500)) == []


@pytest.mark.parametrize("path", ["/authorize", "/script-authorize", "/frontends/jambonz"])
def test_a_body_that_is_too_large_is_answered_as_described(set_stage: SetStage, path: str) -> None:
    answer = set_stage().ask(event_of(path, "post", "", "application/json", {"x": "x" * 65536}))

    assert answer.status == 413
    assert misfits(answer, response_of(path, "post", 413)) == []


def test_settings_reach_the_challenge_as_described(set_stage: SetStage) -> None:
    stage = set_stage(CHALLENGE_REALM='a "b"', AUTHZ_SERVER="https://login.example.com/")

    answers = [
        stage.ask(read_json(SAMPLES / "authorize" / f"rest-{name}.json")) for name in ("no-token", "denied-expired")
    ]

    assert [misfits(answer, response_of("/authorize", "post", 401)) for answer in answers] == [[], []]


# --- The document and the template ------------------------------------------------------------------------------------


@pytest.fixture(name="bodies", scope="module")
def _bodies() -> dict[str, dict[str, Any]]:
    """The API's body as deployed, for each gate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        stacks = {gate: stack_of(sources(), **parameters) for gate, parameters in GATES.items()}
    return {gate: stack["Resources"]["Api"]["Properties"]["Body"] for gate, stack in stacks.items()}


def test_the_gateway_has_the_same_methods(bodies: dict[str, dict[str, Any]]) -> None:
    for body in bodies.values():
        methods = {(path, method) for path, item in body["paths"].items() for method in item if method != ANY}

        assert methods == set(operations())


def test_the_gateway_passes_every_other_method_and_path_on(bodies: dict[str, dict[str, Any]]) -> None:
    """To the function, which answers them with the problems described for any path."""
    for body in bodies.values():
        assert all(ANY in item for item in body["paths"].values())
        assert body["paths"].keys() - document()["paths"].keys() == {"/", "/{proxy+}"}


def test_each_gate_is_one_of_those_described_and_none_is_missing(bodies: dict[str, dict[str, Any]]) -> None:
    """The token apart, which is the function's to look at; `{}` is no gate but the network."""
    for (path, method), operation in operations().items():
        described = [{name: of for name, of in each.items() if name != "token"} for each in operation["security"]]
        enforced = {gate: body["paths"][path][method]["security"] for gate, body in bodies.items()}

        assert all(len(schemes) <= 1 for schemes in enforced.values())
        if described:
            in_words = [schemes[0] if schemes else {} for schemes in enforced.values()]
            assert all(scheme in described for scheme in in_words), (path, enforced)
            assert all(scheme in in_words for scheme in described), (path, described)
        else:
            assert set(map(len, enforced.values())) == {0}, path


def test_the_gates_are_the_same_schemes(bodies: dict[str, dict[str, Any]]) -> None:
    described = {
        name: scheme for name, scheme in document()["components"]["securitySchemes"].items() if name != "token"
    }

    for body in bodies.values():
        assert body["components"]["securitySchemes"] == described


def test_the_gateways_answers_to_a_method_are_described(bodies: dict[str, dict[str, Any]]) -> None:
    for body in bodies.values():
        for (path, method), operation in operations().items():
            assert body["paths"][path][method]["responses"].keys() <= operation["responses"].keys()


NOT_OF_HEALTH = {403, 404, 413, 415}
"""It has no gate and takes no body."""


def test_the_gateways_own_answers_are_described_for_every_operation(bodies: dict[str, dict[str, Any]]) -> None:
    api = RestApi(bodies["api-key"])
    for kind in bodies["api-key"]["x-amazon-apigateway-gateway-responses"]:
        own = api.own_answer(kind, "an-id")
        given = {
            "statusCode": own.status,
            "headers": {name: value for name, value in own.headers if not name.startswith("x-amzn-")},
            "body": own.body.decode(),
        }
        answer = Answer(given, None, [], 0.0)
        if own.status == 404:  # unknown paths go to the function; this one never does
            assert misfits(answer, document()["components"]["responses"]["NotFound"]) == [], kind
            continue
        for path, method in operations():
            if path == "/health" and own.status in NOT_OF_HEALTH:
                continue
            given["body"] = "" if method == "head" else own.body.decode()  # which no server sends
            assert misfits(answer, response_of(path, method, own.status)) == [], (kind, path)


def test_every_answer_described_is_the_functions_or_the_gateways(bodies: dict[str, dict[str, Any]]) -> None:
    gateways = {int(own["statusCode"]) for own in bodies["iam"]["x-amazon-apigateway-gateway-responses"].values()}
    functions = {200, 400, 401, 403, 404, 405, 413, 500, 503}

    described = {int(status) for operation in operations().values() for status in operation["responses"]}

    assert described == (gateways | functions) - set(OF_ANY_PATH)

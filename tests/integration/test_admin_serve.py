"""What `make serve ADMIN=1` makes of requests to the admin API: the gateway's part, IAM's included."""

import json
from typing import Any

import pytest

from tests.integration.conftest import SetStage
from tools.events.provisioning_events import Case, asking
from tools.events.stage import LambdaContext, Stage, template
from tools.serve.__main__ import options_of
from tools.serve.gateway import LOCAL_OPERATOR, MAX_BODY_BYTES, HttpRequest, RestApi
from tools.serve.worker import ADMIN_SECONDS, Application, Deployed

RESOURCES = template()["Resources"]
MAIN, ADMIN = (RESOURCES[name]["Properties"]["DefinitionBody"] for name in ("Api", "AdminRestApi"))
API = RestApi(ADMIN, actor=LOCAL_OPERATOR)
HOST = ("host", "127.0.0.1:8080")


def a_request(**more: Any) -> HttpRequest:
    usual: dict[str, Any] = {"method": "GET", "path": "/admin/profiles", "query": "", "headers": [HOST], "body": b""}
    return HttpRequest(**{**usual, "client": "127.0.0.1", **more})


def shape_of(value: object) -> object:
    if not isinstance(value, dict):
        return None
    return {name: "" if "eaders" in name else shape_of(of) for name, of in value.items()}


def test_a_request_becomes_an_event_like_the_samples() -> None:
    sample = Case("a-test", "", asking("POST", "/admin/profiles/a%2Fb/rotate", {}), 0).event()

    request = a_request(method="POST", path="/admin/profiles/a%2Fb/rotate", body=b"{}")
    event = json.loads(json.dumps(API.event_of(request, "an-id")))

    # Nobody signs, so there is no access key.
    sample["requestContext"]["identity"]["accessKey"] = None
    assert shape_of(event) == shape_of(sample)
    for name in ("resource", "path", "httpMethod", "pathParameters", "body"):
        assert event[name] == sample[name]
    assert event["requestContext"]["identity"]["userArn"] == LOCAL_OPERATOR


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(a_request(), None, id="a program here"),
        pytest.param(a_request(headers=[("host", "localhost:8080")]), None, id="by its other name"),
        pytest.param(a_request(headers=[HOST, ("origin", "http://127.0.0.1:8080")]), None, id="its own page"),
        pytest.param(a_request(headers=[HOST, ("origin", "http://127.0.0.1:9090")]), 403, id="another page here"),
        pytest.param(a_request(headers=[HOST, ("origin", "https://example.org")]), 403, id="a page from elsewhere"),
        pytest.param(a_request(headers=[HOST, ("origin", "null")]), 403, id="a page from nowhere"),
        pytest.param(
            a_request(headers=[("host", "example.org:8080")]), 403, id="a name that was bound to this address"
        ),
        pytest.param(a_request(headers=[]), 403, id="no host"),
        pytest.param(a_request(body=b"x" * (MAX_BODY_BYTES + 1)), 413, id="a body too large"),
    ],
)
def test_a_browser_is_not_the_way_in(request_: HttpRequest, status: int | None) -> None:
    refusal = API.refusal_of(request_, "an-id")

    assert (refusal.status if refusal else None) == status


@pytest.mark.parametrize(
    ("path", "admin"),
    [
        ("/admin", True),
        ("/admin/profiles", True),
        ("/administrator", False),
        ("/authorize", False),
        ("/v1/admin/profiles", False),
    ],
)
@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "not asked for"])
def test_paths_below_admin_go_to_its_function_if_it_is_served(path: str, admin: bool, asked: bool) -> None:
    def named(name: str) -> Deployed:
        document = {"admin": ADMIN, "main": MAIN}[name]
        api = RestApi(document, actor=LOCAL_OPERATOR if name == "admin" else None)
        return Deployed(api, lambda *_: {"statusCode": 200, "body": name})

    answer = Application(named("main"), named("admin") if asked else None).answer(a_request(path=path))

    assert answer.body == (b"admin" if admin and asked else b"main")


def test_a_function_is_told_how_much_of_its_time_is_left() -> None:
    """The one of the admin API fetches keys only while that is enough."""

    def tells(_: object, context: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": str(context.get_remaining_time_in_millis())}

    api = RestApi(ADMIN, actor=LOCAL_OPERATOR)
    app = Application(Deployed(RestApi(MAIN), tells), Deployed(api, tells, ADMIN_SECONDS))

    assert app.answer(a_request()).body == b"25000"
    assert RESOURCES["ProvisioningFunction"]["Properties"]["Timeout"] == ADMIN_SECONDS
    assert template()["Globals"]["Function"]["Timeout"] == Deployed(api, tells).seconds


def test_a_request_is_answered_by_the_real_function(set_stage: SetStage) -> None:
    stage: Stage = set_stage("provisioning")

    event = API.event_of(a_request(path="/admin/profiles/alice-web"), "an-id")
    answer = API.answer_of(stage.handler(event, LambdaContext("an-id")), "an-id")

    assert (answer.status, json.loads(answer.body)["sip_username"]) == (200, "alice")


@pytest.mark.parametrize(
    ("arguments", "env", "served"),
    [
        ([], {}, False),
        (["--admin"], {}, True),
        ([], {"ADMIN": "1"}, True),
        ([], {"ADMIN": "0"}, False),
        ([], {"ADMIN": ""}, False),
    ],
)
def test_it_is_served_only_when_asked_for(arguments: list[str], env: dict[str, str], served: bool) -> None:
    assert options_of(arguments, env).admin is served

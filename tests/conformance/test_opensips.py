"""Every case recorded from the real OpenSIPS module, answered as the `ours` of the case says, in full.

`python -m pytest tests/conformance` prints how many cases of each table were held.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import auth_jwt
from auth_jwt.authorizer import Authorizer
from auth_jwt.errors import Denied, InvalidKey
from auth_jwt.memory.rows import RowMemory
from auth_jwt.runtime.settings import Settings
from auth_jwt.runtime.wiring import Service
from tests.fakes import Clock, MemoryStore
from tools.events.stage import Handler, LambdaContext, load_handler

GOLDEN = Path(__file__).parent / "golden"
DECISIONS: list[dict[str, Any]] = json.loads((GOLDEN / "opensips.json").read_text("utf-8"))["cases"]
KEYS: list[dict[str, Any]] = json.loads((GOLDEN / "keys.json").read_text("utf-8"))["cases"]


def authorizer_of(case: dict[str, Any]) -> Authorizer:
    settings = Settings.from_env(case["settings"])
    store = MemoryStore(
        case.get("profiles", []), case.get("secrets", []), settings.columns, settings.policy.credentials
    )
    memory = RowMemory(store, ttl=settings.cache_ttl, stale_for=settings.stale_if_error, timer=Clock())
    return Authorizer(
        memory=memory, policy=settings.policy, store_seconds=settings.store_timeout, clock=Clock(case["now"])
    )


def decision_on(case: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = authorizer_of(case).authorize(case["token"])
    except Denied as denied:
        return {"code": -1, "reason": denied.reason.value}
    return {
        "code": 1,
        "sip_username": answer.sip_username,
        "decoded_token": answer.decoded_token,
        "credentials": answer.credentials,
        "expires_at": answer.expires_at,
    }


def script_decision_on(case: dict[str, Any]) -> dict[str, Any]:
    code, decoded = authorizer_of(case).script_authorize(case["token"], case["key"])
    return {"code": code} if decoded is None else {"code": code, "decoded_token": decoded}


def key_extracted_by(case: dict[str, Any]) -> dict[str, Any]:
    arguments = [case["cert"]] if "cert" in case else [case["e"], case["n"]]
    try:
        return {"rc": 1, "public_key": getattr(auth_jwt, case["op"])(*arguments)}
    except InvalidKey:
        return {"rc": -1}


@pytest.fixture(name="handler", scope="module")
def _handler() -> Handler:
    return load_handler()


def answer_by_http(
    handler: Handler, case: dict[str, Any], kind: str, body: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What the handler answers a *body*, over the case's rows and clock: status, and members."""
    service = Service(Settings.from_env(case["settings"]), authorizer_of(case), make_client=lambda: None)
    monkeypatch.setitem(handler.__globals__, "service", lambda: service)
    path = {"db": "/authorize", "script": "/script-authorize"}[case["op"]]
    event = {"requestContext": {}, "httpMethod": "POST", "path": path, "headers": {"content-type": kind}, "body": body}
    answer: dict[str, Any] = handler(event, LambdaContext("an-id"))
    return {"status": answer["statusCode"], **json.loads(answer["body"])}


def fields_of(case: dict[str, Any]) -> dict[str, str]:
    return {"jwt_token": case["token"]} | ({"key": case["key"]} if case["op"] == "script" else {})


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: f"{case['group']}: {case['name']}")
def test_decision_by_http(handler: Handler, case: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same token in a body gets the same answer: no token is a request that is not well formed."""
    write = json.dumps if kind == "application/json" else urlencode

    answer = answer_by_http(handler, case, kind, write(fields_of(case)), monkeypatch)

    if case["op"] == "db" and case["ours"]["code"] == -1:
        assert (answer["status"], answer["code"]) == (401, -1)
    else:
        assert answer == {"status": 200, **case["ours"]}


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: f"{case['group']}: {case['name']}")
def test_decision(case: dict[str, Any]) -> None:
    """The same token, rows and clock as the real module saw get the answer the contract asks for."""
    decide = {"db": decision_on, "script": script_decision_on}[case["op"]]

    assert decide(case) == case["ours"]


@pytest.mark.parametrize("case", KEYS, ids=lambda case: f"{case['op']}: {case['name']}")
def test_key_helper(case: dict[str, Any]) -> None:
    """The public helpers give the module's PEM, to the byte, or refuse."""
    assert key_extracted_by(case) == case["ours"]

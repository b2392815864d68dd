"""An operator who speaks HTTP to the admin API, and holds each answer against its document."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from tools.events.provisioning_events import Case, asking
from tools.events.stage import ROOT, Answer, Stage

PROFILES = "/admin/profiles"
PROBLEM = "application/problem+json"
OF_ANY_PATH = {404, 405}
"""Answers to what is no operation, which the document has no place for."""


@cache
def document() -> dict[str, Any]:
    """Return openapi-admin.json."""
    loaded: dict[str, Any] = json.loads((ROOT / "openapi-admin.json").read_text("utf-8"))
    return loaded


FETCHED = {"default-src", "script-src", "style-src", "img-src", "connect-src"}
NOT_BY_DEFAULT = {"base-uri", "form-action", "frame-ancestors"}
"""Directives for which `default-src` does not stand in (CSP 3, section 6.1.3): a page must name them."""


def policy_of(answer: Answer) -> dict[str, str]:
    """Return a page's Content-Security-Policy, by directive. A browser would skip a word that it does not know."""
    policy = dict(one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; "))
    assert policy.keys() - {"require-trusted-types-for", "trusted-types"} == FETCHED | NOT_BY_DEFAULT
    known = {"'none'", "'self'", "'unsafe-inline'", "'script'", "data:"}
    for sources in policy.values():
        assert [word for word in sources.split(" ") if word not in known and not word.startswith("'sha256-")] == []
    assert {policy[name] for name in {"default-src", *NOT_BY_DEFAULT}} == {"'none'"}
    return policy


def found(node: Any) -> Any:
    """Follow a reference within the document."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def errors_of(value: object, schema: Any) -> list[str]:
    """Return how *value* fails a schema of the document."""
    whole = {"allOf": [schema], "components": document()["components"]}
    return [error.message for error in OAS31Validator(whole).iter_errors(value)]


def cursor_of(key: str) -> str:
    """Return the cursor after a *key*, as the API writes it."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that a request is, as the document has it."""
    for template, methods in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            operation: dict[str, Any] | None = methods.get(method.lower())
            return operation
    return None


def misfits(answer: Answer, operation: Mapping[str, Any] | None) -> list[str]:
    """Return how an answer differs from what the document says of it."""
    if operation is None:
        problem = document()["components"]["schemas"]["Problem"]
        return [] if answer.status in OF_ANY_PATH | {403} and not errors_of(answer.body, problem) else ["undescribed"]
    described = found(operation["responses"].get(str(answer.status)))
    if described is None:
        return [f"{answer.status} is not described"]
    wrong = [
        name
        for name, of in described["headers"].items()
        if name.lower() not in answer.headers and found(of).get("required")
    ]
    undescribed = answer.headers.keys() - {name.lower() for name in described["headers"]} - {"content-type"}
    if "content" not in described:
        return [*wrong, *undescribed, *(["a body"] if answer.body else [])]
    content = described["content"].get(answer.headers["content-type"])
    return [*wrong, *undescribed, *(errors_of(answer.body, content["schema"]) if content else ["another media type"])]


@dataclass
class Operator:
    """Asks, and notes all that the function wrote."""

    stage: Stage
    lines: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Answer:
        """Send a request; the answer is as the document says."""
        answer = self.stage.ask(Case("a-test", "", asking(method, path, body, **more), 0).event())
        self.lines.extend(answer.lines)
        assert answer.raised is None
        assert answer.headers["cache-control"] == "no-store"
        if not path.startswith("/admin/swagger"):
            assert misfits(answer, operation_of(method, path)) == []
        return answer

    def done(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Send a request that is to succeed; return its body."""
        answer = self.ask(method, path, body, **more)
        assert answer.status in (200, 201, 204), answer.body
        return answer.body

    def has(self, tag: str, **secret: object) -> Any:
        """Create a profile with a secret; return the secret."""
        return self.done("POST", PROFILES, {"tag": tag, "sip_username": "zoe", "secret": secret})["secret"]

    @property
    def audit(self) -> Sequence[dict[str, Any]]:
        """The lines of audit so far."""
        written = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in written if "audit" in line]

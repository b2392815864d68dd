"""openapi-admin.json says what the admin API does, and Swagger UI shows it."""

import base64
import hashlib
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.integration.admin_client import PROFILES, Operator, document, errors_of, found, policy_of
from tools.events.stage import REVOCATIONS, stage
from tools.serve import admin_document

PATHS: dict[str, Any] = document()["paths"]
OPERATIONS = {operation["operationId"]: operation for item in PATHS.values() for operation in item.values()}
SCHEMAS: dict[str, Any] = document()["components"]["schemas"]


@pytest.fixture(name="operator")
def _operator() -> Iterator[Operator]:
    """At tables that no other test has written to."""
    with stage({"REVOCATIONS_TABLE": REVOCATIONS}, "provisioning") as ready:
        yield Operator(ready)


def test_it_is_what_the_routes_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Written anew by `python -m tools.serve.admin_document`."""
    assert (admin_document.main(["--check"]), capsys.readouterr().err) == (0, "")


def test_a_file_that_differs_is_noticed_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    file.write_text("{}")

    assert admin_document.main(["--check", "--file", str(file)]) == 1
    assert "python -m tools.serve.admin_document" in capsys.readouterr().err
    assert admin_document.main(["--file", str(file)]) == 0
    assert admin_document.main(["--check", "--file", str(file)]) == 0


def test_it_is_openapi_3_1() -> None:
    assert document()["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document()).iter_errors()) == []


def test_every_operation_is_told_and_behind_iam() -> None:
    scheme = document()["components"]["securitySchemes"]["sigv4"]

    assert document()["security"] == [{"sigv4": []}]
    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"
    for operation in OPERATIONS.values():
        assert "security" not in operation  # or the one at the top would not hold
        assert not operation["summary"].startswith(("GET", "POST", "PATCH", "DELETE"))
        assert {"400", "403", "429", "500", "502", "503", "504"} <= operation["responses"].keys()
        assert ("requestBody" in operation) is ({"413", "415"} <= operation["responses"].keys())
        assert operation["tags"][0] in {tag["name"] for tag in document()["tags"]}


def test_no_part_of_it_is_unused_and_none_is_powertools_own() -> None:
    text = json.dumps(document())

    for kind in ("schemas", "responses", "headers"):
        for name in document()["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name
    assert "ValidationError" not in text


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_examples_of_a_schema_are_of_it(name: str) -> None:
    examples = SCHEMAS[name].get("examples", [])

    assert [errors_of(example, SCHEMAS[name]) for example in examples] == [[]] * len(examples)


def test_what_people_send_and_mostly_get_has_examples() -> None:
    sent = {found(body)["title"] for body in bodies()}

    assert sent == {
        *("ProfileIn", "ProfileChange", "SecretIn", "SecretClosing", "Rotation", "Minting", "Revoking"),
        "Explaining",
        *("IssuerIn", "IssuerChange"),
    }
    shown = {"ProfileOut", "SecretOut", "AddedSecretOut", "TokenOut", "RevocationOut"}
    for name in sent | shown | {"IssuerOut", "RefreshedIssuerOut", "AddedIssuerOut"}:
        assert SCHEMAS[name]["examples"]


def bodies() -> Iterator[dict[str, Any]]:
    for operation in OPERATIONS.values():
        if "requestBody" in operation:
            yield operation["requestBody"]["content"]["application/json"]["schema"]


def test_every_problem_shown_is_one() -> None:
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                (content,) = found(answer)["content"].values()
                assert errors_of(content["example"], content["schema"]) == []
                assert content["example"]["status"] == int(status)


def requests() -> Iterator[tuple[str, str, object]]:
    """Every example of a request, to sample rows. Those of issuers need a provider: test_admin_issuers.py has one."""
    for path, item in PATHS.items():
        if path.startswith("/admin/issuers"):
            continue
        for method, operation in item.items():
            if "requestBody" in operation:
                schema = found(operation["requestBody"]["content"]["application/json"]["schema"])
                there = path.replace("{tag}", "alice-web").replace("{secret_id}", "1")
                yield from ((method.upper(), there, example) for example in schema["examples"])


@pytest.mark.parametrize(("method", "path", "body"), list(requests()))
def test_every_example_of_a_request_is_done(operator: Operator, method: str, path: str, body: object) -> None:
    assert operator.ask(method, path, body).status in (200, 201)


# --- Swagger UI -------------------------------------------------------------------------------------------------------


def test_it_is_given_as_it_is_with_the_base_of_the_callers_urls(operator: Operator) -> None:
    answer = operator.ask("GET", "/admin/swagger", query=[("format", "json")])

    assert answer.headers["content-type"] == "application/json"
    assert answer.body == {**document(), "servers": [{"url": "/v1"}]}


def test_the_page_needs_nothing_else_and_its_policy_admits_its_own_scripts_only(operator: Operator) -> None:
    """A browser holds it to that in tests/e2e/admin."""
    answer = operator.ask("GET", "/admin/swagger")

    page, policy = str(answer.body), policy_of(answer)
    own = {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in re.findall(r"(?s)<script>(.*?)</script>", page)
    }
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(own) == 2
    assert set(policy["script-src"].split(" ")) == {f"'sha256-{digest}'" for digest in own}
    assert policy["connect-src"] == "'self'"
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", page.partition("<script>")[0]) == []
    assert len(answer.given["body"].encode()) < 5_000_000  # Lambda answers with at most 6 MB


def test_no_text_of_the_document_ends_the_script_that_holds_it(operator: Operator) -> None:
    """`operator` has loaded the routes."""
    swagger: Any = importlib.import_module("admin_api.swagger")
    text = "</script><script>alert(1)//é"

    page, _ = swagger.swagger_page({"info": {"title": "</title><b>", "description": text}})

    assert page.count("</script>") == 2
    assert r'"<\/script><script>alert(1)//é"' in page
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in page


def test_the_page_asks_iam_too(operator: Operator) -> None:
    assert operator.ask("GET", "/admin/swagger", iam=False).status == 403


def test_the_page_lists_every_operation() -> None:
    """And no other."""
    page = (Path(admin_document.FILE).parent / "docs" / "admin-api.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([A-Z]+) (/admin[^`?]*)", page, re.MULTILINE))

    assert told == {
        (
            method.upper(),
            re.sub(r"\{(\w+)\}", lambda name: name[1].removeprefix("secret_").removeprefix("issuer_").upper(), path),
        )
        for path, item in PATHS.items()
        for method in item
    } | {("GET", "/admin/swagger"), ("GET", "/admin/page")}
    assert PROFILES in PATHS

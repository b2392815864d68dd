"""Where client certificates are required, who comes another way than by mutual TLS is turned away."""

import copy
from typing import Any

import pytest

from tests.integration.conftest import SetStage
from tools.events.stage import SAMPLES, read_json

REQUIRED = {"CLIENT_CERTIFICATES": "required"}
FORBIDDEN = "urn:auth-jwt:problem:forbidden"
CONTEXTS = {"rest": ("identity",), "http": ("authentication",)}
"""Where the context of each kind of API holds the certificate."""


def event(name: str) -> dict[str, Any]:
    """Return a sample event, to be changed at will."""
    return copy.deepcopy(read_json(SAMPLES / "authorize" / f"{name}.json"))


@pytest.mark.parametrize("form", CONTEXTS)
def test_a_request_by_mutual_tls_is_answered(set_stage: SetStage, form: str) -> None:
    answer = set_stage(**REQUIRED).ask(event(f"{form}-authorized-mutual-tls"))

    assert (answer.status, answer.member("code")) == (200, 1)


@pytest.mark.parametrize(
    "name",
    [
        "rest-authorized-by-header",
        "rest-authorized-iam-gate",
        "rest-denied-expired",
        "rest-no-token",
        "rest-bad-request-two-tokens",
        "rest-script-authorize-validated",
        "rest-jambonz-ok-invite",
        "rest-unknown-path",
        "rest-wrong-method",
        "http-authorized-by-header",
        "http-payload-1-authorized-by-header",
        "url-authorized-by-header",
        "alb-authorized-by-header",
    ],
)
def test_a_request_without_a_certificate_is_forbidden_and_never_a_denial(set_stage: SetStage, name: str) -> None:
    """The default endpoint was switched on by hand, say. It learns nothing, not even which paths there are."""
    answer = set_stage(**REQUIRED).ask(event(name))

    assert (answer.status, answer.member("type")) == (403, FORBIDDEN)
    assert answer.member("code") is None
    assert (answer.record["outcome"], answer.record["reason"]) == ("rejected", "no_certificate")
    assert "tag" not in answer.record


@pytest.mark.parametrize("nothing", [None, {}, "", [], "CN=sip1.example.com"])
@pytest.mark.parametrize("form", CONTEXTS)
def test_a_certificate_is_what_the_gateway_says_of_one(set_stage: SetStage, form: str, nothing: object) -> None:
    """And no header, however it is called."""
    without = event(f"{form}-authorized-mutual-tls")
    without["requestContext"][CONTEXTS[form][0]] = nothing
    without["headers"] |= {"clientCert": "x", "x-amzn-mtls-clientcert": "x"}

    assert set_stage(**REQUIRED).ask(without).status == 403


def test_an_empty_certificate_is_none(set_stage: SetStage) -> None:
    without = event("http-authorized-mutual-tls")
    without["requestContext"]["authentication"]["clientCert"] = None

    assert set_stage(**REQUIRED).ask(without).status == 403


def test_a_function_url_guarded_by_iam_goes_on_beside_mutual_tls(set_stage: SetStage) -> None:
    """It is an entrance that an operator made, with permissions of its own."""
    assert set_stage(**REQUIRED).ask(event("url-authorized-iam-gate")).status == 200


def test_an_invocation_by_the_sdk_goes_on_too(set_stage: SetStage) -> None:
    answer = set_stage(**REQUIRED).ask(event("direct-authorized"))

    assert answer.given["code"] == 1


@pytest.mark.parametrize("name", ["rest-health", "rest-health-by-head", "http-health", "url-health"])
def test_health_is_open_as_everywhere(set_stage: SetStage, name: str) -> None:
    assert set_stage(**REQUIRED).ask(event(name)).status == 200


@pytest.mark.parametrize("name", ["rest-authorized-by-header", "rest-health"])
def test_a_word_that_is_neither_is_a_fault_at_every_path(set_stage: SetStage, name: str) -> None:
    """And lets nobody in."""
    answer = set_stage(CLIENT_CERTIFICATES="yes").ask(event(name))

    assert (answer.status, answer.record["reason"]) == (500, "bad_setting")
    assert "CLIENT_CERTIFICATES='yes'" in answer.record["causes"][0]["message"]

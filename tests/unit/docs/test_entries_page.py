"""The page of entries says what the template does: prices, gates, parameters, the policy of a Function URL."""

import json
import re
from typing import Any

import pytest

from tests.template.test_entries import EXPECTED
from tests.unit.docs.test_docs import ENTRIES, table, text_of
from tools.capacity.inputs import Inputs
from tools.template.stack import sources

ENTRY_NAMES = ("rest", "http", "url")


@pytest.fixture(name="parameters", scope="module")
def _parameters() -> dict[str, Any]:
    found: dict[str, Any] = sources()["Parameters"]
    return found


def choices() -> dict[str, list[str]]:
    """Return the rows of the table that compares the entries, by their titles."""
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", text_of(ENTRIES).split("## Which go together")[0], re.MULTILINE)
    return {title.strip(): [cell.strip() for cell in cells.split(" | ")] for title, cells in rows}


def test_the_prices_are_those_that_the_capacity_is_computed_from() -> None:
    inputs = Inputs.load()
    million = [inputs.price(name, "us-east-1").of(1e6) for name in ("rest_api_requests", "http_api_requests")]

    assert choices()["a million requests, without Lambda"] == [f"${dollars:.2f}" for dollars in (*million, 0)]


def test_the_gates_of_each_entry_are_those_that_the_template_lets_pass() -> None:
    told = [set(re.findall(r"`([a-z-]+)`", cell)) for cell in choices()["gates"]]

    assert told == [
        {
            gate
            for (entry, gate), row in EXPECTED.items()
            if entry == name and not all(isinstance(one, str) for one in row)
        }
        for name in ENTRY_NAMES
    ]


def test_the_table_of_gates_says_which_need_a_domain_and_which_cannot_have_one() -> None:
    words = {
        (True, True, True): "yes",
        (False, False, True): "with a domain",
        (True, False, False): "without a domain",
        (False, False, False): "no",
    }
    expected = {
        key: words[tuple(not isinstance(one, str) for one in row)]  # type: ignore[index]
        for key, row in EXPECTED.items()
        if key != ("url", "iam")  # yes, as a URL can have no domain anyhow
    }

    told = {
        (entry, gate.strip("`")): cell
        for gate, _, *cells in table(ENTRIES, "gate")
        for entry, cell in zip(ENTRY_NAMES, cells, strict=True)
    }

    assert told.pop(("url", "iam")) == "yes"
    assert told == expected


def test_every_parameter_that_the_page_names_exists(parameters: dict[str, Any]) -> None:
    (sample,) = re.findall(r"^parameter_overrides = (\[.+\])$", text_of(ENTRIES), re.MULTILINE)
    named = {one.partition("=")[0] for one in json.loads(sample)}
    in_table = {name.strip("`") for names, _ in table(ENTRIES, "parameter") for name in names.split(", ")}

    assert named | in_table | {"Entry", "WebAclArn"} <= parameters.keys()
    assert {"DomainName", "CertificateArn", "HostedZoneId", "TruststoreUri", "TruststoreVersion"} == in_table


def test_the_policy_of_a_caller_names_both_actions_and_the_url_only() -> None:
    (policy,) = re.findall(r"```json\n(.*?)```", text_of(ENTRIES), re.DOTALL)
    statements = json.loads(policy)["Statement"]

    assert {(one["Effect"], one["Action"], one["Resource"]) for one in statements} == {
        ("Allow", "lambda:InvokeFunctionUrl", "AuthorizeFunctionArn"),
        ("Allow", "lambda:InvokeFunction", "AuthorizeFunctionArn"),
    }
    assert [one["Condition"] for one in statements] == [
        {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
    ]

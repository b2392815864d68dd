"""A stack of the release before becomes one of today's: what holds data, or is known by an id, stays as it is.

CloudFormation knows a resource by its logical id in its own stack. One that moves into a nested application is deleted
and made anew there, and so is one of which a property changes that cannot be changed in place.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tools.template.stack import Stack, parts_by_sam, sources, stack_of, values_of
from tools.template.translated import COMBINATIONS

BEFORE: Final = Path(__file__).parent / "releases" / "0.2.0.yaml"
"""template.yaml of that release, which had all in one."""

UNCHANGEABLE: Final = {
    "AWS::ApiGateway::Account": set(),
    "AWS::ApiGateway::ApiKey": {"Name", "CustomerId", "GenerateDistinctId", "Value"},
    "AWS::ApiGateway::RestApi": {"ApiKeySourceType"},
    "AWS::ApiGateway::Stage": {"RestApiId", "StageName"},
    "AWS::ApiGateway::UsagePlan": set(),
    "AWS::ApiGateway::UsagePlanKey": {"KeyId", "KeyType", "UsagePlanId"},
    "AWS::DynamoDB::Table": {"TableName", "KeySchema", "AttributeDefinitions"},
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
    "AWS::Lambda::Function": {"FunctionName", "PackageType"},
    "AWS::Logs::LogGroup": {"LogGroupName", "LogGroupClass"},
    "AWS::SecretsManager::RotationSchedule": {"SecretId"},
    "AWS::SecretsManager::Secret": {"Name", "GenerateSecretString", "SecretString"},
}
"""Types of what holds data, or is known by an id, and their properties that must not change.

These are the properties that CloudFormation's reference says replace the resource, with those whose change would change
what it holds: the attributes of a table's key, and how a secret's first value is made.
"""
MAY_MOVE: Final = {"RotateSecretsFunction", "RefreshKeysFunction", "ProvisioningFunction"}
"""Functions of which nobody outside the stack knows the name: Secrets Manager, the scheduler and the admin API do."""
NOBODYS: Final = {
    "AWS::ApiGateway::Deployment",
    "AWS::CloudWatch::Alarm",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Scheduler::Schedule",
}
"""Types of what may be made anew: it holds nothing, and only the stack itself knows it."""
KEPT_ROLES: Final = {"AccessLogRole"}
"""Roles that others use."""


FUNCTIONS: Final = ("AuthorizeFunction", "GatewayAuthorizerFunction")
PAGE: Final = (Path(__file__).parents[2] / "docs" / "upgrading.md").read_text("utf-8")


@pytest.fixture(name="before", scope="module")
def _before() -> dict[str, Any]:
    return sources(BEFORE)


def upgrades() -> list[Any]:
    """Return the combinations of parameters that the release before has, too."""
    known = set(re.findall(r"^  (\w+):", BEFORE.read_text("utf-8").partition("\nRules:")[0], re.MULTILINE))
    return [pytest.param(given, id=name) for name, given in COMBINATIONS.items() if given.keys() <= known]


def is_kept(name: str, resource: dict[str, Any]) -> bool:
    """Return whether a resource of the stack before must stay as it is."""
    function = re.sub(r"(Aliaslive|Version\w+)$", "", name)
    return name in KEPT_ROLES or (resource["Type"] not in NOBODYS and function not in MAY_MOVE)


def in_its_own_stack(template: dict[str, Any], given: dict[str, str]) -> set[str]:
    """Return the logical ids of what is in template.yaml itself, and not in a nested application."""
    root, _ = parts_by_sam(template, values_of(template, given))
    return set(root["Resources"])


def identity(stack: Stack, name: str) -> dict[str, Any]:
    """Return the properties of a resource that must not change."""
    resource = stack["Resources"][name]
    kept = UNCHANGEABLE.get(resource["Type"], set())
    return {key: value for key, value in resource.get("Properties", {}).items() if key in kept}


@pytest.mark.parametrize("given", upgrades())
def test_what_holds_data_or_is_known_by_an_id_is_the_same_resource(
    before: dict[str, Any], template: dict[str, Any], given: dict[str, str]
) -> None:
    old, new = stack_of(before, **given), stack_of(template, **given)
    kept = {name for name, resource in old["Resources"].items() if is_kept(name, resource)}

    assert kept <= in_its_own_stack(template, given)
    for name in kept:
        was, now = old["Resources"][name], new["Resources"][name]
        assert was["Type"] == now["Type"]
        assert identity(old, name) == identity(new, name), name
        assert was.get("DeletionPolicy") == now.get("DeletionPolicy"), name


@pytest.mark.parametrize("given", upgrades())
def test_every_type_is_judged(before: dict[str, Any], given: dict[str, str]) -> None:
    """Or a new one would be taken for one that may be made anew, or for one without properties that count."""
    resources = stack_of(before, **given)["Resources"]

    kept = {one["Type"] for name, one in resources.items() if is_kept(name, one)} - {"AWS::IAM::Role"}
    assert kept <= UNCHANGEABLE.keys()


@pytest.mark.parametrize("given", upgrades())
def test_nothing_is_lost(before: dict[str, Any], template: dict[str, Any], given: dict[str, str]) -> None:
    """What a stack had it has, wherever it is; but for versions, which end with their release."""
    old, new = stack_of(before, **given), stack_of(template, **given)

    gone = old["Resources"].keys() - new["Resources"].keys()
    assert {name for name in gone if not re.search(r"Version\w{10}$|Deployment\w{10}$", name)} == set()
    assert old["Outputs"].keys() <= new["Outputs"].keys()


@pytest.mark.parametrize("given", upgrades())
def test_what_moves_takes_no_name_that_is_still_in_use(
    before: dict[str, Any], template: dict[str, Any], given: dict[str, str]
) -> None:
    """CloudFormation makes the new before it deletes the old."""
    old, new = stack_of(before, **given), stack_of(template, **given)
    mine = in_its_own_stack(template, given)
    taken = {value for one in old["Resources"].values() for value in names_of(one)}

    moved = {name: set(names_of(one)) for name, one in new["Resources"].items() if name not in mine}
    assert moved
    assert {name for name, names in moved.items() if names & taken} == set()


def names_of(resource: dict[str, Any]) -> list[str]:
    """Return the names that the template gives a resource in AWS; an alias has its name within its function."""
    if resource["Type"] == "AWS::Lambda::Alias":
        return []
    called = re.compile(r"((Table|Function|Role|Policy|ManagedPolicy|Alarm|LogGroup|Group|Dashboard)?Name)")
    properties = resource.get("Properties", {})
    return [
        value
        for key, value in properties.items()
        if called.fullmatch(key) and isinstance(value, str) and not value.startswith("<") and key != "FunctionName"
    ]


def test_a_table_that_moved_would_be_seen(before: dict[str, Any], template: dict[str, Any]) -> None:
    """The first test can fail."""
    assert is_kept("JwtProfiles", stack_of(before)["Resources"]["JwtProfiles"])
    assert "JwtProfiles" in in_its_own_stack(template, {})
    assert "AuthorizeRole" not in in_its_own_stack(template, {})


def test_who_prepares_the_template_before_can_go_back_in_the_upgrade(template: dict[str, Any]) -> None:
    """By the page: what a version of that release needs stays, though today's template has it no more."""
    section = PAGE.partition("### A version to go back to")[2].partition("\n## ")[0]
    kept = set(re.findall(r"`(\w+)`", section.partition("`DeletionPolicy: Retain` at ")[2].partition(", beside")[0]))
    before = sources(BEFORE)
    assert before["Globals"]["Function"]["VersionDeletionPolicy"] == "Delete"
    before["Globals"]["Function"]["VersionDeletionPolicy"] = "Retain"
    for name in kept:
        before["Resources"][name]["DeletionPolicy"] = "Retain"
    stack = stack_of(before)["Resources"]
    now = in_its_own_stack(template, {})

    for function in FUNCTIONS:
        (version,) = (name for name in stack if name.startswith(f"{function}Version"))
        role = stack[function]["Properties"]["Role"].strip("<>").removesuffix(".Arn")
        policies = [arn.strip("<>") for arn in stack[role]["Properties"]["ManagedPolicyArns"]]
        for name in (version, role, *policies):
            assert name in now or stack[name].get("DeletionPolicy") == "Retain"

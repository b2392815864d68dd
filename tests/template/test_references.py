"""What a resource refers to exists whenever the resource does, whatever the parameters are.

Linters look at template.yaml, where what SAM makes of it is not: this looks at SAM's result. A resource that waits for
one that is not made, by `DependsOn` above all, is not made either, or the deployment fails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from tools.template.stack import PSEUDO_PARAMETERS, Resolver, values_of
from tools.template.translated import COMBINATIONS, decided, open_conditions

ANY_OTHER = "any-other"
"""A value of a parameter that no condition compares with."""

Given = frozenset[tuple[str, bool]]
"""Conditions that are known, by name, where something stands."""


@dataclass(frozen=True)
class Reference:
    """One resource or output refers to a resource.

    Attributes:
        source: who refers, and by what.
        target: the logical id.
        given: what is known of conditions there.
    """

    source: str
    target: str
    given: Given


def conditions_in(node: Any) -> set[str]:
    """Return the names of the conditions that a condition is made of."""
    if isinstance(node, dict):
        own = {node["Condition"]} if node.keys() == {"Condition"} else set()
        return own.union(*map(conditions_in, node.values()))
    return set().union(*map(conditions_in, node)) if isinstance(node, list) else set()


def compared(node: Any) -> Iterator[tuple[str, str]]:
    """Give each parameter that a condition compares with a value, and the value."""
    if isinstance(node, dict):
        for name, argument in node.items():
            if name == "Fn::Equals":
                parameter, value = argument
                if isinstance(parameter, dict):
                    yield parameter["Ref"], value
            yield from compared(argument)
    elif isinstance(node, list):
        for item in node:
            yield from compared(item)


class Template:
    """A template that SAM has translated, and what its conditions may be."""

    def __init__(self, translated: dict[str, Any]) -> None:
        self.resources: dict[str, Any] = translated["Resources"]
        self.outputs: dict[str, Any] = translated["Outputs"]
        self._conditions: dict[str, Any] = translated["Conditions"]
        self._parameters: dict[str, Any] = translated["Parameters"]
        self._defaults = values_of(translated, {})

    def references(self) -> Iterator[Reference]:
        """Give every reference to a resource."""
        for name, item in [*self.resources.items(), *self.outputs.items()]:
            given = frozenset({(item["Condition"], True)}) if "Condition" in item else frozenset()
            waited_for = item.get("DependsOn", [])
            for target in [waited_for] if isinstance(waited_for, str) else waited_for:
                yield Reference(f"{name}: DependsOn", target, given)
            yield from self._within(name, {key: item[key] for key in item.keys() - {"Condition", "DependsOn"}}, given)

    def _within(self, source: str, node: Any, given: Given) -> Iterator[Reference]:
        if isinstance(node, list):
            for item in node:
                yield from self._within(source, item, given)
        elif isinstance(node, dict):
            for name, argument in node.items():
                if name == "Fn::If":
                    condition, *branches = argument
                    for branch, is_true in zip(branches, (True, False), strict=True):
                        yield from self._within(source, branch, given | {(condition, is_true)})
                elif name == "Fn::Sub" and isinstance(argument, list):
                    text, own = argument
                    named = self._named(name, text) - own.keys()
                    yield from (Reference(f"{source}: {name}", one, given) for one in named)
                    yield from self._within(source, own, given)
                elif name in ("Ref", "Fn::GetAtt", "Fn::Sub"):
                    yield from (Reference(f"{source}: {name}", one, given) for one in self._named(name, argument))
                    if name == "Fn::Sub" and isinstance(argument, list):  # with names of its own
                        yield from self._within(source, argument[1], given)
                else:
                    yield from self._within(source, argument, given)

    def _named(self, function: str, argument: Any) -> set[str]:
        """Return the resources that an intrinsic function names; the other names are of parameters."""
        if function == "Fn::Sub":
            text, own = (argument, {}) if isinstance(argument, str) else argument
            names: set[str] = {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)} - own.keys()
        else:
            names = {argument.partition(".")[0] if isinstance(argument, str) else argument[0]}
        return names - self._parameters.keys() - PSEUDO_PARAMETERS.keys() - {"AWS::NoValue"}

    def broken(self) -> set[str]:
        """Return the references that lead nowhere, for at least some values of the parameters."""
        return {f"{one.source} {one.target}" for one in self.references() if not self._always_holds(one)}

    def _always_holds(self, reference: Reference) -> bool:
        target = self.resources.get(reference.target)
        if target is None:
            return False
        if "Condition" not in target:
            return True
        return self._implies(reference.given, target["Condition"])

    def _implies(self, given: Given, goal: str) -> bool:
        asked = self._all_of({name for name, _ in given} | {goal})
        values: dict[str, set[str]] = {}
        for name in asked:
            for parameter, value in compared(self._conditions[name]):
                values.setdefault(parameter, {self._defaults[parameter], ANY_OTHER}).add(value)
        for chosen in product(*values.values()):
            parameters = self._defaults | dict(zip(values, chosen, strict=True))
            resolver = Resolver(parameters, self._conditions, self.resources)
            if all(resolver.holds(name) is is_true for name, is_true in given) and not resolver.holds(goal):
                return False
        return True

    def _all_of(self, names: set[str]) -> set[str]:
        more = names.union(*(conditions_in(self._conditions[name]) for name in names))
        return names if more == names else self._all_of(more)


@pytest.fixture(name="translated", scope="module")
def _translated(template: dict[str, Any]) -> dict[str, Any]:
    """Return what SAM makes of the template, conditions open; not to be changed."""
    return open_conditions(template)


def test_whatever_is_referred_to_exists_whenever_who_refers_does(translated: dict[str, Any]) -> None:
    """By `DependsOn`, by references of properties, of metadata and of outputs: for all values of the parameters."""
    template = Template(translated)

    assert template.broken() == set()
    assert len(list(template.references())) > 50  # or the search has found nothing to look at


def changed(translated: dict[str, Any], logical_id: str, **attributes: Any) -> Template:
    """Return the template with one resource changed."""
    resources = translated["Resources"]
    return Template({**translated, "Resources": {**resources, logical_id: {**resources[logical_id], **attributes}}})


@pytest.mark.parametrize(
    ("logical_id", "attributes", "found"),
    [
        pytest.param("Api", {"DependsOn": "ApiAccount"}, "Api: DependsOn ApiAccount", id="what may not be made"),
        pytest.param(
            "AdminRestApi", {"DependsOn": ["ApiAccount"]}, "AdminRestApi: DependsOn ApiAccount", id="in a list"
        ),
        pytest.param("Api", {"DependsOn": "ApiAcount"}, "Api: DependsOn ApiAcount", id="what there never is"),
        pytest.param(
            "Api",
            {"Metadata": {"After": {"Fn::If": ["LogsAccess", {"Ref": "ApiAccount"}, "none"]}}},
            "Api: Ref ApiAccount",
            id="in metadata, by the wrong condition",
        ),
        pytest.param(
            "Api",
            {"Metadata": {"After": {"Fn::If": ["MakesAccessLogRole", "none", {"Ref": "ApiAccount"}]}}},
            "Api: Ref ApiAccount",
            id="in the wrong branch",
        ),
        pytest.param(
            "AuthorizePing",
            {"Condition": "Rotates"},
            "AuthorizePing: Fn::GetAtt PingRole",
            id="by an attribute, in properties",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(
    translated: dict[str, Any], logical_id: str, attributes: dict[str, Any], found: str
) -> None:
    """The test above can fail."""
    assert found in changed(translated, logical_id, **attributes).broken()


def test_what_always_exists_may_be_waited_for(translated: dict[str, Any]) -> None:
    """And what exists by a narrower condition may wait for what exists by a wider one."""
    assert changed(translated, "AdminRestApi", DependsOn="AuthorizeFunction").broken() == set()
    assert changed(translated, "UsagePlan", DependsOn="Api").broken() == set()


def test_each_dependency_that_is_no_reference_of_a_property_is_known(translated: dict[str, Any]) -> None:
    """They stand in metadata (docs/decisions/0027), or are between resources of one condition."""
    resources = translated["Resources"]
    waiting = {name: one["DependsOn"] for name, one in resources.items() if "DependsOn" in one}
    after = {name: one["Metadata"]["After"] for name, one in resources.items() if "After" in one.get("Metadata", {})}

    assert waiting == {
        "FunctionUrl": "AuthorizeFunctionAliaslive",
        "HttpStage": [
            *(
                "AuthorizeRoute",
                "ScriptAuthorizeRoute",
                "JambonzRoute",
                "DefaultRoute",
                "HealthRoute",
                "HealthByHeadRoute",
            )
        ],
        "RefreshKeysFunctionEventInvokeConfig": ["RefreshKeysFunctionAliaslive"],  # SAM writes it
    }
    assert after == {
        "Api": {"Fn::If": ["MakesAccessLogRole", {"Ref": "ApiAccount"}, "none"]},
        "AdminRestApi": {"Fn::If": ["MakesAccessLogRole", {"Ref": "ApiAccount"}, "none"]},
        "SecondUsagePlanKey": {"Fn::If": ["HasFirstKey", {"Ref": "UsagePlanKey"}, "none"]},
    }


# --- What the linter gets ---------------------------------------------------------------------------------------------


def test_the_linter_sees_each_condition_true_and_false(template: dict[str, Any], translated: dict[str, Any]) -> None:
    """And so every resource, and every other without it: `make template` lints one file for each combination."""
    seen: dict[str, set[bool]] = {}
    for parameters in COMBINATIONS.values():
        resolver = Resolver(values_of(template, parameters), translated["Conditions"], translated["Resources"])
        for name in translated["Conditions"]:
            seen.setdefault(name, set()).add(resolver.holds(name))

    assert {name for name, values in seen.items() if values != {True, False}} == set()


@pytest.mark.parametrize("parameters", COMBINATIONS.values(), ids=COMBINATIONS)
def test_the_linter_gets_what_the_parameters_make(template: dict[str, Any], parameters: dict[str, str]) -> None:
    """No condition and no parameter is left, and nothing refers to what is not made."""
    made = decided(template, parameters)
    left = Template({**made, "Conditions": {}, "Parameters": {}})

    assert made.keys() == {"AWSTemplateFormatVersion", "Resources", "Outputs"}
    assert left.broken() == set()
    assert not [item for item in [*made["Resources"].values(), *made["Outputs"].values()] if "Condition" in item]

"""The template as CloudFormation would see it: translated by SAM's own library, parameters and conditions resolved.

The nested applications of template.yaml are written into one stack with it, under their own logical ids, so that a test
asks what is deployed and not where it is written: `inlined.py`.
"""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tools.template.inlined import whole_of

Stack = dict[str, Any]
"""`Resources` and `Outputs` of a stack, every condition decided and every reference written out."""
Deploy = Callable[..., Stack]
"""Makes a stack of template.yaml: values of parameters in."""

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
NESTED = "Nested"
"""The member of a template as `sources` gives it that holds the templates of its nested applications, by logical id."""

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "auth-jwt",
    "AWS::URLSuffix": "amazonaws.com",
}
KMS_OF_A_WRITER = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey*", "ReEncrypt*"]
"""Actions on a key, through DynamoDB: what its developer guide ("encryption at rest usage notes") names as the least
that DynamoDB needs, but for CreateGrant, which is for whoever makes the table."""
NOTHING = object()  # AWS::NoValue: what holds it leaves it out


def via(service: str, region: str = PSEUDO_PARAMETERS["AWS::Region"]) -> list[str]:
    """Return the names by which a key's use through an AWS service is known."""
    return [f"{service}.{region}.amazonaws.com", f"{service}.{region}.amazonaws.com.cn"]


class NoManagedPolicies:
    """The policies of AWS that SAM may attach: none, so naming one is an error."""

    def load(self) -> dict[str, str]:
        """Return no policy."""
        return {}


@dataclass(frozen=True)
class Resolver:
    """What CloudFormation makes of intrinsic functions, for one set of parameter values.

    A reference to a resource becomes the text `<LogicalId>`, an attribute of one `<LogicalId.Attribute>`; a
    reference to anything that the stack does not make is a KeyError.
    """

    parameters: dict[str, str]
    conditions: dict[str, Any]
    resources: dict[str, Any]

    def holds(self, condition: str) -> bool:
        """Return whether the condition of that name is true."""
        return bool(self.resolve(self.conditions[condition]))

    def resolve(self, node: Any) -> Any:
        """Return *node* with every intrinsic function replaced by its value."""
        if isinstance(node, list):
            return [value for value in map(self.resolve, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in self.FUNCTIONS:
                return self.FUNCTIONS[name](self, argument)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NOTHING}

    def ref(self, name: str) -> Any:
        """Ref."""
        if name == "AWS::NoValue":
            return NOTHING
        known = PSEUDO_PARAMETERS | self.parameters
        return known[name] if name in known else self._resource(name)

    def get_att(self, argument: list[str] | str) -> str:
        """Fn::GetAtt, as a list or dotted."""
        name, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
        return f"<{self._resource(name)[1:-1]}.{attribute}>"

    def sub(self, argument: str | list[Any]) -> str:
        """Fn::Sub, alone or with names of its own."""
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def value(match: re.Match[str]) -> str:
            if match[1] in own:
                return str(self.resolve(own[match[1]]))
            return self.get_att(match[1]) if "." in match[1] else str(self.ref(match[1]))

        return re.sub(r"\$\{([^}]+)\}", value, text)

    def if_(self, argument: list[Any]) -> Any:
        """Fn::If; only the chosen branch is looked at."""
        condition, yes, no = argument
        return self.resolve(yes if self.holds(condition) else no)

    def equals(self, argument: list[Any]) -> bool:
        """Fn::Equals, which compares text."""
        left, right = self.resolve(argument)
        return str(left) == str(right)

    def _resource(self, name: str) -> str:
        made = self.resources[name]
        if "Condition" in made and not self.holds(made["Condition"]):
            raise KeyError(name)
        return f"<{name}>"

    FUNCTIONS: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {
        "Ref": ref,
        "Fn::GetAtt": get_att,
        "Fn::Sub": sub,
        "Fn::If": if_,
        "Fn::Equals": equals,
        "Fn::Not": lambda self, argument: not self.resolve(argument[0]),
        "Fn::And": lambda self, argument: all(self.resolve(argument)),
        "Fn::Or": lambda self, argument: any(self.resolve(argument)),
        "Condition": lambda self, argument: self.holds(argument),
    }


@dataclass(frozen=True)
class Decider(Resolver):
    """Decides conditions and values of parameters, and leaves what CloudFormation knows only later.

    That is references to resources and to what it knows of the account.
    """

    def ref(self, name: str) -> Any:
        """Ref."""
        if name in PSEUDO_PARAMETERS or name in self.resources:
            return {"Ref": name}
        return super().ref(name)

    def get_att(self, argument: list[str] | str) -> Any:
        """Fn::GetAtt."""
        return {"Fn::GetAtt": argument}

    def sub(self, argument: str | list[Any]) -> Any:
        """Fn::Sub, alone or with names of its own."""
        text, own = (argument, {}) if isinstance(argument, str) else argument
        left = {}
        for name, value in [*self.parameters.items(), *[(name, self.resolve(value)) for name, value in own.items()]]:
            within = value.get("Fn::Sub") if isinstance(value, dict) else value
            if isinstance(within, str):
                text = text.replace(f"${{{name}}}", within)
            else:
                left[name] = value
        if left:
            return {"Fn::Sub": [text, left]}
        return {"Fn::Sub": text} if "${" in text else text

    FUNCTIONS: ClassVar[dict[str, Callable[[Any, Any], Any]]] = {
        **Resolver.FUNCTIONS,
        "Ref": ref,
        "Fn::GetAtt": get_att,
        "Fn::Sub": sub,
    }


def sources(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template as written, but for code, which is where `sam package` would put it.

    What it includes is in it, and its nested applications are under `NESTED`.
    """
    template = _source(path, path.parent)
    template[NESTED] = {
        name: _source(path.parent / resource["Properties"]["Location"], path.parent)
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Application"
    }
    for name in template[NESTED]:
        properties_of = template["Resources"][name]["Properties"]
        properties_of["Location"] = f"https://s3.amazonaws.com/bucket/{properties_of['Location']}"
    return template


def _source(path: Path, root: Path) -> dict[str, Any]:
    template: dict[str, Any] = _with_includes(yaml_parse(path.read_text(encoding="utf-8")), path.parent)
    for resource in template["Resources"].values():
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            folder = (path.parent / resource["Properties"][uri]).resolve().relative_to(root.resolve())
            resource["Properties"][uri] = f"s3://bucket/{folder.as_posix()}"
    return template


def _with_includes(node: Any, folder: Path) -> Any:
    if isinstance(node, list):
        return [_with_includes(item, folder) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Fn::Transform"}:
        assert node["Fn::Transform"]["Name"] == "AWS::Include"
        return yaml_parse((folder / node["Fn::Transform"]["Parameters"]["Location"]).read_text(encoding="utf-8"))
    return {name: _with_includes(value, folder) for name, value in node.items()}


def values_of(template: dict[str, Any], overrides: dict[str, str]) -> dict[str, str]:
    """Return the value of every parameter of *template*: its default, or what *overrides* says."""
    unknown = overrides.keys() - template["Parameters"].keys()
    assert not unknown, f"no such parameters: {unknown}"
    parameters = template["Parameters"].items()
    return {name: str(parameter["Default"]) for name, parameter in parameters if "Default" in parameter} | overrides


def translated_by_sam(template: dict[str, Any], values: dict[str, str], second: int = 0) -> dict[str, Any]:
    """Return *template* and all that is nested in it in plain CloudFormation, parameters and conditions still open.

    *second* is SAM's clock: with `AlwaysDeploy` it names an API's deployment after the second it is made in.
    """
    root, nested = parts_by_sam(template, values, second)
    return whole_of(root, nested)


def parts_by_sam(
    template: dict[str, Any], values: dict[str, str], second: int = 0
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return *template* and its nested applications, by logical id, each in plain CloudFormation as it is deployed."""
    own = {name: part for name, part in template.items() if name != NESTED}
    nested = {}
    for name, inner in template.get(NESTED, {}).items():
        given = own["Resources"][name]["Properties"]["Parameters"]
        known = {
            key: values[value["Ref"]] if isinstance(value, dict) else value
            for key, value in given.items()
            if isinstance(value, str) or (value.keys() == {"Ref"} and value["Ref"] in values)
        }
        nested[name] = copy.deepcopy(_translated(json.dumps(inner), json.dumps(known), second))
    return copy.deepcopy(_translated(json.dumps(own), json.dumps(values), second)), nested


@cache
def _translated(template: str, values: str, second: int) -> dict[str, Any]:
    """Return what SAM makes of both, which takes it a fifth of a second: not to be changed."""
    with mock.patch("samtranslator.model.apigateway.time.time", return_value=second):
        plain: dict[str, Any] = transform(json.loads(template), json.loads(values), NoManagedPolicies())
    return plain


def forget_translations() -> None:
    """Have SAM translate again what it translated before."""
    _translated.cache_clear()


def stack_of(template: dict[str, Any], second: int = 0, /, **overrides: str) -> Stack:
    """Return the resources and outputs of a stack made of *template* with *overrides* of its parameters."""
    values = values_of(template, overrides)
    translated = translated_by_sam(template, values, second)
    resolver = Resolver(values, translated["Conditions"], translated["Resources"])
    for rule in translated.get("Rules", {}).values():
        if resolver.resolve(rule["RuleCondition"]):
            for assertion in rule["Assertions"]:
                if not resolver.resolve(assertion["Assert"]):
                    raise ValueError(assertion["AssertDescription"])
    return made_of(translated, resolver)


def made_of(translated: dict[str, Any], resolver: Resolver) -> Stack:
    """Return the resources and outputs of *translated* whose conditions hold, as *resolver* writes them."""
    return {
        section: {
            name: resolver.resolve({key: value for key, value in item.items() if key != "Condition"})
            for name, item in translated.get(section, {}).items()
            if "Condition" not in item or resolver.holds(item["Condition"])
        }
        for section in ("Resources", "Outputs")
    }


def of_type(stack: Stack, kind: str) -> dict[str, Any]:
    """Return the resources of a type, by logical id."""
    return {name: resource for name, resource in stack["Resources"].items() if resource["Type"] == kind}


def only(stack: Stack, kind: str) -> dict[str, Any]:
    """Return the properties of the one resource of a type."""
    ((_, resource),) = of_type(stack, kind).items()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def properties(stack: Stack, logical_id: str) -> dict[str, Any]:
    """Return the properties of a resource."""
    found: dict[str, Any] = stack["Resources"][logical_id]["Properties"]
    return found

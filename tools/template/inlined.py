"""Writes a stack and its nested applications, in plain CloudFormation, into one: what is deployed, wherever written.

A nested application gets its parameters from the stack around it, and that gets its outputs. Here each reference to a
parameter becomes what is given for it, and each reference to an output what the output is. A condition of an
application is renamed after it, and holds only where the application is made. Logical ids stay, so they must be
different in all parts.
"""

import copy
import re
from collections.abc import Collection
from typing import Any, Final

Json = dict[str, Any]

_ALWAYS: Final = {"Fn::Equals": ["", ""]}
_NEVER: Final = {"Fn::Equals": ["", "-"]}
_STACK: Final = "AWS::CloudFormation::Stack"


def whole_of(root: Json, nested: dict[str, Json]) -> Json:
    """Return *root* with the resources and conditions of the applications *nested*, by logical id, in it."""
    whole = copy.deepcopy(root)
    outputs: Json = {}
    for name, inner in nested.items():
        made = whole["Resources"].pop(name)
        assert made["Type"] == _STACK
        given = made["Properties"].get("Parameters", {})
        application = _Application(name, made.get("Condition"), given, inner, whole["Parameters"].keys())
        for condition, body in application.conditions().items():
            _add(whole.setdefault("Conditions", {}), condition, body)
        for logical_id, resource in application.resources().items():
            _add(whole["Resources"], logical_id, resource)
        outputs |= application.outputs()
    return {part: _with_outputs(content, outputs) for part, content in whole.items()}


def _add(part: Json, name: str, content: Any) -> None:
    assert name not in part, f"{name} is in two of the templates"
    part[name] = content


class _Application:
    """One nested application, and how the stack around it makes it.

    Args:
        name: its logical id.
        condition: on which it is made; None is always.
        given: what it gets for each of its parameters.
        inner: its template.
        parameters: those of the stack around it.
    """

    def __init__(self, name: str, condition: str | None, given: Json, inner: Json, parameters: Collection[str]) -> None:
        assert given.keys() == inner.get("Parameters", {}).keys(), f"{name} gets other parameters than it has"
        self._name = name
        self._condition = condition
        self._given = given
        self._inner = inner
        self._parameters = parameters

    def conditions(self) -> Json:
        """Return its conditions, each with that of the application."""
        found = {}
        for name, body in self._inner.get("Conditions", {}).items():
            own = self._decided(body)
            found[f"{self._name}{name}"] = (
                own if self._condition is None else {"Fn::And": [{"Condition": self._condition}, own]}
            )
        return found

    def resources(self) -> Json:
        """Return its resources, as the stack around it would have them."""
        found = {}
        for name, resource in self._inner["Resources"].items():
            made = {key: self._written(value) for key, value in resource.items() if key != "Condition"}
            condition = f"{self._name}{resource['Condition']}" if "Condition" in resource else self._condition
            found[name] = made if condition is None else {**made, "Condition": condition}
        return found

    def outputs(self) -> Json:
        """Return what its outputs are, by `NAME.Outputs.OUTPUT`."""
        return {
            f"{self._name}.Outputs.{name}": self._written(output["Value"])
            for name, output in self._inner.get("Outputs", {}).items()
        }

    def _written(self, node: Any) -> Any:
        """Return *node* with the parameters written out, and the conditions under their names in the whole."""
        if isinstance(node, list):
            return [self._written(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Ref"} and node["Ref"] in self._given:
            return copy.deepcopy(self._given[node["Ref"]])
        if node.keys() == {"Fn::Sub"}:
            text, own = (node["Fn::Sub"], {}) if isinstance(node["Fn::Sub"], str) else node["Fn::Sub"]
            given = {name: value for name, value in self._given.items() if f"${{{name}}}" in text}
            return _sub(text, given, {name: self._written(value) for name, value in own.items()})
        if node.keys() == {"Fn::If"}:
            condition, yes, no = node["Fn::If"]
            return {"Fn::If": [f"{self._name}{condition}", self._written(yes), self._written(no)]}
        assert node != {"Ref": "AWS::StackName"}, f"{self._name} means its own name, which nobody knows: use Stack"
        return {key: self._written(value) for key, value in node.items()}

    def _decided(self, body: Json) -> Json:
        """Return the body of a condition, with what is given for parameters compared."""
        ((function, argument),) = body.items()
        if function == "Fn::Equals":
            left, right = map(self._written, argument)
            assert isinstance(right, str)
            return self._equals(left, right)
        if function == "Condition":
            return {"Condition": f"{self._name}{argument}"}
        return {function: [self._decided(item) for item in argument]}

    def _equals(self, given: Any, value: str) -> Json:
        """Return the condition that what is *given* for a parameter is *value*."""
        if isinstance(given, str):
            return _ALWAYS if given == value else _NEVER
        ((function, argument),) = given.items()
        if function == "Fn::If":
            condition, yes, no = argument
            asked = {"Condition": condition}
            return {
                "Fn::Or": [
                    {"Fn::And": [asked, self._equals(yes, value)]},
                    {"Fn::And": [{"Fn::Not": [asked]}, self._equals(no, value)]},
                ]
            }
        if function == "Ref" and argument in self._parameters:
            return {"Fn::Equals": [given, value]}
        assert value == ""  # of a name that AWS gives, nothing else is known than that there is one
        return _NEVER


def _sub(text: str, given: Json, own: Json | None = None) -> Json:
    """Return a Fn::Sub of *text* with what is *given* for names in it: within the text where that can be written.

    *own* are names of its own, beside those.
    """
    own = own or {}
    for name, value in given.items():
        plain = _in_text(value)
        if plain is None:
            own[name] = copy.deepcopy(value)
        else:
            text = text.replace(f"${{{name}}}", plain)
    return {"Fn::Sub": [text, own] if own else text}


def _in_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return f"${{{argument}}}"
    if function == "Fn::GetAtt":
        return f"${{{argument if isinstance(argument, str) else '.'.join(argument)}}}"
    if function == "Fn::Sub" and isinstance(argument, str):
        return argument
    return None


def _with_outputs(node: Any, outputs: Json) -> Any:
    """Return *node* with each reference to an output of an application replaced by what the output is."""
    if isinstance(node, list):
        return [_with_outputs(item, outputs) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Fn::GetAtt"}:
        argument = node["Fn::GetAtt"]
        name = argument if isinstance(argument, str) else ".".join(argument)
        if name in outputs:
            return _with_outputs(copy.deepcopy(outputs[name]), outputs)
        assert ".Outputs." not in name, f"no such output: {name}"
    if node.keys() == {"Fn::Sub"}:
        text, own = (node["Fn::Sub"], {}) if isinstance(node["Fn::Sub"], str) else node["Fn::Sub"]
        named = {name: outputs[name] for name in re.findall(r"\$\{(\w+\.Outputs\.\w+)\}", text)}
        if named:
            assert not own
            return _with_outputs(_sub(text, named), outputs)
    return {key: _with_outputs(value, outputs) for key, value in node.items()}

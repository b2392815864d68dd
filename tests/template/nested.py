"""A nested template of stacks/ as CloudFormation would see it, for values that the root passes."""

import copy
from typing import Any

from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from tools.template.stack import TEMPLATE, NoManagedPolicies, Resolver, Stack, made_of, sources

STACKS = TEMPLATE.parent / "stacks"


def nested_source(name: str) -> dict[str, Any]:
    """Return `stacks/NAME.yaml` as written, but for code."""
    return sources(STACKS / f"{name}.yaml")


def nested_stack(name: str, **values: str) -> Stack:
    """Return resources and outputs of `stacks/NAME.yaml`.

    Args:
        name: of the file.
        values: of all parameters, since the root passes each of them.
    """
    template = nested_source(name)
    assert values.keys() == template["Parameters"].keys(), "the root passes every parameter"
    plain: dict[str, Any] = transform(copy.deepcopy(template), values, NoManagedPolicies())
    return made_of(plain, Resolver(values, plain.get("Conditions", {}), plain["Resources"]))

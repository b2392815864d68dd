"""Deploys template.yaml as often as a test likes, on paper."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tools.template.stack import PSEUDO_PARAMETERS, Deploy, sources, stack_of


@pytest.fixture(name="region", scope="session", autouse=True)
def _region() -> Iterator[None]:
    """SAM's library asks for the region and for nothing else of AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])
        yield


@pytest.fixture(name="template", scope="session")
def _template() -> dict[str, Any]:
    return sources()


@pytest.fixture(name="deploy", scope="session")
def _deploy(template: dict[str, Any]) -> Deploy:
    """Return the function that deploys: parameter values in, resources and outputs out, which are not to be changed."""
    return cache(lambda **overrides: stack_of(template, **overrides))

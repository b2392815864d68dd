"""A secret in Secrets Manager and its rotation: versions in memory, and the steps as Secrets Manager calls for them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from auth_jwt.models import Report
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.rotation import RotationStep, SecretRotation
from auth_jwt.provisioning.versions import CURRENT, PENDING, PREVIOUS, ManagedSecret, VersionsStore
from auth_jwt.runtime.settings import RotationSettings
from tests.factories import TAG
from tools.events.stage import load_handler

ARN: Final = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:alice-AbCdEf"
STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
RULES: Final = RotationSettings(tag=TAG, overlap=3600, lifetime=90 * 86400)


@cache
def the_app() -> Any:
    """The module of the function."""
    import sys

    load_handler("rotate_secrets")
    return sys.modules["rotate_secrets_app"]


def row_of(version: str, arn: str = ARN) -> str:
    """The `id` of the row of a version."""
    return f"sm-{arn[-6:]}-{version}"


@dataclass
class MemoryVersions:
    """The port `VersionsStore` over plain versions of one secret: what AWS's may not differ from.

    `calls` are those of the port, by name; `before_put` is what somebody else does just before.
    """

    arn: str = ARN
    is_rotated: bool = True
    rotation_days: int | None = 30
    values: dict[str, str] = field(default_factory=dict)
    stages: dict[str, set[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def has(self, version: str, stage: str, **members: object) -> None:
        """Put a version there."""
        self.values[version] = json.dumps({"tag": TAG, **members})
        self._move(stage, version)

    def begin(self, version: str) -> None:
        """Do what Secrets Manager does first: a version without a value is pending."""
        self._move(PENDING, version)

    def members(self, version: str) -> Any:
        return json.loads(self.values[version])

    def describe(self, secret_id: str) -> ManagedSecret:
        self.calls.append("describe")
        stages = {version: frozenset(its) for version, its in self.stages.items() if its}
        return ManagedSecret(self.arn, self.is_rotated, self.rotation_days, stages)

    def value_of(self, arn: str, version: str) -> str | None:
        assert version, "Secrets Manager is asked for a version by its id"
        self.calls.append("value_of")
        return self.values.get(version)

    def put_pending(self, arn: str, version: str, value: str) -> bool:
        self.calls.append("put_pending")
        if self.values.get(version, value) != value:
            return False
        self.values[version] = value
        self._move(PENDING, version)
        return True

    def make_current(self, arn: str, version: str, *, instead_of: str | None) -> None:
        self.calls.append("make_current")
        self._move(CURRENT, version)
        if instead_of is not None:
            self._move(PREVIOUS, instead_of)
        self.stages[version].discard(PENDING)

    def _move(self, stage: str, version: str) -> None:
        for stages in self.stages.values():
            stages.discard(stage)
        self.stages.setdefault(version, set()).add(stage)


def steps(
    provisioning: Provisioning,
    versions: VersionsStore,
    version: str,
    *names: str,
    rules: RotationSettings = RULES,
    arn: str = ARN,
) -> Iterator[Any]:
    """Do the steps of those *names*, all four if there are none, one by one; what each returns."""
    for name in names or STEPS:
        rotation = SecretRotation(
            provisioning,
            versions,
            rules,
            versions.describe(arn),
            version,
            Report(),
            pause=provisioning.registry.clock.pass_by,  # type: ignore[attr-defined] # a clock of the tests
        )
        yield rotation.do(RotationStep(name))

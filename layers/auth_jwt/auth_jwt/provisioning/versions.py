"""The port to a secret that has versions, and the stages that label them.

Exactly one version has the stage `AWSCURRENT`: readers get it. One may have `AWSPENDING`: it is about to become
current. The version that was current before has `AWSPREVIOUS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
PREVIOUS: Final = "AWSPREVIOUS"

ROTATED: Final = "sm-"
"""How the ids of all rows begin that a rotation wrote."""


@dataclass(frozen=True, slots=True)
class ManagedSecret:
    """The description of a secret, without its value.

    Attributes:
        arn: its unique name: it ends in six characters that differ from those of a later secret of the same name.
        is_rotated: whether rotation is switched on.
        rotation_days: days from one rotation to the next; None if a schedule expression sets the times.
        stages: the stages of each version that has any.
    """

    arn: str
    is_rotated: bool
    rotation_days: int | None
    stages: Mapping[str, frozenset[str]]

    def version_at(self, stage: str) -> str | None:
        """Return the version with this *stage*, or None if there is none."""
        return next((version for version, stages in self.stages.items() if stage in stages), None)


class VersionsStore(Protocol):
    """The port to secrets with versions; rotation uses it.

    Every method raises `Unreachable` when there is no answer: a write may then have happened or not. It raises `Fault`
    when a retry cannot help.
    """

    def describe(self, secret_id: str) -> ManagedSecret:
        """Describe a secret; *secret_id* is its name or ARN."""
        ...

    def value_of(self, arn: str, version: str) -> str | None:
        """Return the text of a version; None if it has no text, or none yet."""
        ...

    def put_pending(self, arn: str, version: str, value: str) -> bool:
        """Write the *value* of a version and make it pending; return False if it has another value, which it keeps."""
        ...

    def make_current(self, arn: str, version: str, *, instead_of: str | None) -> None:
        """Make a pending version the current one, in place of the version *instead_of*."""
        ...

"""A change set of CloudFormation as nouns: what would happen to each resource, nested stacks included."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

STACK: Final = "AWS::CloudFormation::Stack"


class Fate(StrEnum):
    """What would happen to a resource. The order is that of the page: the worst comes last."""

    ADDED = "added"
    IMPORTED = "imported"
    CHANGED = "changed"
    REMOVED = "removed"
    MAYBE_REPLACED = "maybe replaced"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What would happen to one resource.

    Attributes:
        stack: logical ids of the nested stacks that lead to it; empty for a resource of the root.
        logical_id: its logical id.
        kind: its type.
        fate: what would happen.
        physical_id: its name or id in AWS; empty for one that does not exist yet.
        causes: properties that change; for a replacement those that require it.
        is_kept: whether the old one stays in the account when it is removed or replaced. None: CloudFormation does not
            say, so it may be deleted.
        hangs_on: logical ids of resources of the same stack, if nothing but their ARN may be what it is replaced for;
            CloudFormation does not say whether the ARN changes.
        nested: id of the change set of the nested stack that this resource is; None for others.
    """

    stack: tuple[str, ...] = ()
    logical_id: str
    kind: str
    fate: Fate
    physical_id: str = ""
    causes: tuple[str, ...] = ()
    is_kept: bool | None = None
    hangs_on: frozenset[str] = frozenset()
    nested: str | None = None

    @property
    def path(self) -> str:
        """The logical id, with the nested stacks in front: `Monitoring/FaultAlarm`."""
        return "/".join((*self.stack, self.logical_id))

    @property
    def ends_something(self) -> bool:
        """Whether something that exists would end, or might: it is removed or replaced, and not certainly kept."""
        return self.fate in (Fate.REMOVED, Fate.REPLACED, Fate.MAYBE_REPLACED)

    @property
    def is_unseen(self) -> bool:
        """Whether it is a nested stack that changes, and nobody asked CloudFormation what changes in it."""
        return self.kind == STACK and self.nested is None and self.fate in (Fate.CHANGED, Fate.MAYBE_REPLACED)


def changes_of(pages: Iterator[Mapping[str, Any]], stack: tuple[str, ...] = ()) -> list[Change]:
    """Return the changes in the *pages* of a change set (`DescribeChangeSet`) of the nested *stack*."""
    changes = [
        change_of(item["ResourceChange"], stack)
        for page in pages
        for item in page.get("Changes", ())
        if "ResourceChange" in item
    ]
    return list(_settled(changes))


def _settled(changes: Sequence[Change]) -> Iterator[Change]:
    """Return *changes* of one stack, but none as perhaps replaced for the ARN of a resource that is not replaced.

    CloudFormation calls each property dynamic that has an attribute of a resource that changes, also where the
    attribute stays. A resource that is not replaced keeps its ARN.
    """
    staying = {change.logical_id for change in changes if change.fate is Fate.CHANGED}
    for change in changes:
        if change.fate is Fate.MAYBE_REPLACED and change.hangs_on and change.hangs_on <= staying:
            yield replace(change, fate=Fate.CHANGED)
        else:
            yield change


def change_of(told: Mapping[str, Any], stack: tuple[str, ...]) -> Change:
    """Read one `ResourceChange` of CloudFormation's API."""
    fate = _fate(told)
    return Change(
        stack=stack,
        logical_id=told["LogicalResourceId"],
        kind=told["ResourceType"],
        fate=fate,
        physical_id=told.get("PhysicalResourceId", ""),
        causes=_causes(told, only_recreating=fate in (Fate.REPLACED, Fate.MAYBE_REPLACED)),
        is_kept=_is_kept(told.get("PolicyAction")),
        hangs_on=_hangs_on(told),
        nested=told.get("ChangeSetId"),
    )


def _fate(told: Mapping[str, Any]) -> Fate:
    action, replacement = told["Action"], told.get("Replacement")
    if action == "Add":
        return Fate.ADDED
    if action == "Remove":
        return Fate.REMOVED
    if action == "Import":
        return Fate.IMPORTED
    if replacement == "True" or str(told.get("PolicyAction", "")).startswith("Replace"):
        return Fate.REPLACED
    if replacement == "Conditional" or action == "Dynamic":  # Dynamic: CloudFormation decides while it does it
        return Fate.MAYBE_REPLACED
    return Fate.CHANGED


def _is_kept(policy: str | None) -> bool | None:
    return None if policy is None else policy.endswith("Retain")


def _hangs_on(told: Mapping[str, Any]) -> frozenset[str]:
    """Return whose ARN may replace a resource; nothing if anything else may.

    `ResourceAttribute` is a GetAtt, and `CausingEntity` then its resource and attribute (CloudFormation's API,
    `ResourceChangeDetail`).
    """
    if told["Action"] != "Modify":
        return frozenset()
    found = set()
    for detail in told.get("Details", ()):
        if detail.get("Target", {}).get("RequiresRecreation") == "Never":
            continue
        resource, _, attribute = str(detail.get("CausingEntity", "")).partition(".")
        is_dynamic = detail.get("Evaluation") == "Dynamic" and detail.get("ChangeSource") == "ResourceAttribute"
        if not is_dynamic or attribute != "Arn":
            return frozenset()
        found.add(resource)
    return frozenset(found)


def _causes(told: Mapping[str, Any], *, only_recreating: bool) -> tuple[str, ...]:
    """Return the properties that change; of a replacement, those that require it, if CloudFormation names any."""
    targets = [detail.get("Target", {}) for detail in told.get("Details", ())]
    recreating = [target for target in targets if target.get("RequiresRecreation") in ("Always", "Conditionally")]
    chosen = recreating if only_recreating and recreating else targets
    names = (str(target.get("Name") or target.get("Attribute", "")) for target in chosen)
    return tuple(dict.fromkeys(name for name in names if name))

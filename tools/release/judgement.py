"""Which changes need more than a yes: those by which a resource that holds something would end.

Tables and secrets hold data. The ids of APIs are in the addresses that frontends have, API keys in their
configuration. Logs with lines of audit are kept for years. Whoever replaces one of these by accident locks users out,
or loses what nobody can make again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from tools.release.change_set import Change, Fate

HOLDS: Final = {
    "AWS::DynamoDB::Table": "rows: profiles, secrets or revocations",
    "AWS::DynamoDB::GlobalTable": "rows: profiles, secrets or revocations",
    "AWS::SecretsManager::Secret": "the secret that an issuer signs with",
    "AWS::ApiGateway::RestApi": "the API's id, which is part of its address",
    "AWS::ApiGatewayV2::Api": "the API's id, which is part of its address",
    "AWS::Lambda::Url": "the function's address",
    "AWS::ApiGateway::ApiKey": "a key that frontends send",
    "AWS::ApiGateway::DomainName": "the target that your DNS names",
    "AWS::ApiGatewayV2::DomainName": "the target that your DNS names",
    "AWS::KMS::Key": "the key of what is encrypted with it",
    "AWS::S3::Bucket": "files",
}
"""Types of resources that hold something, and what."""

AUDITED: Final = frozenset({"ProvisioningLogGroup", "RefreshKeysLogGroup", "RotateSecretsLogGroup"})
"""Log groups that outlive the stack: their lines are evidence. A test compares them with the templates."""

_LOGS: Final = "AWS::Logs::LogGroup"
_STACK: Final = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class Loss:
    """A resource that holds something and would end.

    Attributes:
        change: what would happen to it.
        what: what it holds.
        is_refused: whether the deployment is refused for it. A resource that leaves the stack and stays in the account
            is shown, and not refused.
    """

    change: Change
    what: str
    is_refused: bool


def losses_of(changes: Iterable[Change], allowed: Collection[str] = ()) -> list[Loss]:
    """Return what would be lost by *changes*, or leave the stack.

    Args:
        changes: the changes of all stacks.
        allowed: paths or logical ids whose end the operator has agreed to.
    """
    losses = []
    for change in changes:
        what = held_by(change)
        if what is None or not change.ends_something:
            continue
        only_leaves = change.fate is Fate.REMOVED and change.is_kept is True
        is_allowed = change.path in allowed or change.logical_id in allowed
        losses.append(Loss(change, what, is_refused=not (only_leaves or is_allowed)))
    return losses


def held_by(change: Change) -> str | None:
    """Return what a resource holds that nobody can make again; None if nothing."""
    if change.kind == _LOGS and (change.logical_id in AUDITED or change.is_kept):
        return "lines of audit"
    if change.kind == _STACK and change.fate in (Fate.REPLACED, Fate.MAYBE_REPLACED):
        return "a whole stack, with all that is in it"
    return HOLDS.get(change.kind)


def unknown_names(allowed: Collection[str], changes: Iterable[Change]) -> list[str]:
    """Return the names of *allowed* that no change has: a misspelt permission must not look like a given one."""
    names = {name for change in changes for name in (change.path, change.logical_id)}
    return sorted(set(allowed) - names)

"""CloudFormation, by boto3: make a change set, read it with those of nested stacks, execute it, follow the events."""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from auth_jwt.errors import AuthJwtError
from tools.release.change_set import STACK, Change, Fate, changes_of

_EMPTY: Final = ("didn't contain changes", "No updates are to be performed")
_IN_PROGRESS: Final = "IN_PROGRESS"
SUCCESSES: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
"""States of a stack that was deployed."""

ROOT_ONLY: Final = (
    "If the template is right, and only change sets of nested stacks cannot be made of it: "
    "make deploy ARGS=--root-only. What is lost within a nested stack is then neither shown nor refused."
)
EXISTS: Final = (
    "A name exists already that the stack gives: that of a table, a log group (/aws/lambda/STACK-..., also of a "
    "stack that is gone), the dashboard, or auth-jwt-failover-DOMAIN (docs/operations.md says more, under "
    '"A first deployment that failed").'
)
_FAILED: Final = "FAILED"
_CHANGE_SET: Final = re.compile(r"arn:[\w-]+:cloudformation:[\w-]*:\d*:changeSet/[\w-]+/[\w-]+")
_EARLY: Final = "AWS::EarlyValidation"
_EXISTS: Final = "ResourceExistenceCheck"
_QUESTIONS_AFTER_FAILURE: Final = 60
_BEGINS: Final = "BEGIN_IN_PROGRESS"  # of a stack without any event since its execution


class Stopped(Exception):
    """The deployment cannot begin or go on. The message says why, and what to do."""


class _NestedFailed(Exception):
    """A nested change set failed, though that of the root did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a stack is to become.

    Attributes:
        template_url: where the packaged template is, in S3.
        parameters: names of the template's parameters.
        values: values that are given; the others keep theirs, or have their default.
        capabilities: what CloudFormation may do.
        tags: tags of the stack.
        role: ARN of the role that CloudFormation assumes; None for the caller's own.
        notifications: ARNs of topics; None leaves them as they are.
    """

    template_url: str
    parameters: tuple[str, ...]
    values: Mapping[str, str]
    capabilities: tuple[str, ...]
    tags: Mapping[str, str]
    role: str | None = None
    notifications: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that was read to its end.

    Attributes:
        id: its ARN.
        name: its name.
        stack_id: ARN of its stack.
        changes: what would happen, to the resources of nested stacks, too.
    """

    id: str
    name: str
    stack_id: str
    changes: Sequence[Change]


@dataclass(slots=True)
class Stacks:
    """The stacks of an account and region.

    Attributes:
        client: boto3's client for CloudFormation.
        sleep: waits some seconds.
        say: shows a line while something is waited for.
        seconds_between: how long a pause is between two questions.
    """

    client: Any
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = print
    seconds_between: float = 5.0
    _seen: set[str] = field(default_factory=set)
    _states: dict[str, str] = field(default_factory=dict)

    # -- before ---------------------------------------------------------------------------------------------------

    def state_of(self, stack: str) -> Mapping[str, Any] | None:
        """Return what CloudFormation says of a *stack*; None if there is none of that name."""
        with translated_errors(f"cloudformation:DescribeStacks of {stack!r}"):
            try:
                with sdk_errors():
                    answer = self.client.describe_stacks(StackName=stack)
            except Refused as refused:
                if "does not exist" in told_by(refused):
                    return None
                raise
        state: Mapping[str, Any] = answer["Stacks"][0]
        return state

    def propose(self, stack: str, wish: Wish, name: str, *, root_only: bool = False) -> None:
        """Ask for a change set called *name*, of *stack* and of all stacks nested in it.

        Of a new stack nothing can be lost, so its nested stacks are not asked: one thing less that can fail.

        Args:
            stack: the name of the stack.
            wish: what it is to become.
            name: the name of the change set.
            root_only: do not ask what changes within nested stacks. CloudFormation has refused such change sets
                of templates that it deploys without (`cloudformation-coverage-roadmap` #759, `aws-cdk-cli` #1307).

        Raises:
            Stopped: the stack is not in a state in which it can be changed.
        """
        state = self.state_of(stack)
        status = "" if state is None else str(state["StackStatus"])
        if status == "ROLLBACK_COMPLETE":
            raise Stopped(
                f"the first deployment of {stack!r} failed, and such a stack cannot be updated: "
                'docs/operations.md says what to do under "A first deployment that failed"'
            )
        if status.endswith(_IN_PROGRESS) and status != "REVIEW_IN_PROGRESS":
            raise Stopped(f"{stack!r} is {status}: somebody deploys it just now; wait until it is complete")
        is_new = status in ("", "REVIEW_IN_PROGRESS")
        own = set() if is_new or state is None else {item["ParameterKey"] for item in state.get("Parameters", ())}
        request = {
            "StackName": stack,
            "ChangeSetName": name,
            "ChangeSetType": "CREATE" if is_new else "UPDATE",
            "TemplateURL": wish.template_url,
            "Parameters": list(_parameters(wish, own)),
            "Capabilities": list(wish.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in wish.tags.items()],
            "IncludeNestedStacks": not (root_only or is_new),
        }
        if wish.role is not None:
            request["RoleARN"] = wish.role
        if wish.notifications is not None:
            request["NotificationARNs"] = list(wish.notifications)
        with _explained(f"cloudformation:CreateChangeSet of {stack!r}"):
            self.client.create_change_set(**request)

    def read(self, stack: str, name: str) -> ChangeSet | None:
        """Wait until a change set is complete, and read it to its last page, with those of nested stacks.

        Args:
            stack: the name of the stack.
            name: the name of the change set, or its ARN.

        Returns:
            None if nothing would change.

        Raises:
            Stopped: it is of another stack; or CloudFormation could not make it, and it is deleted then.
        """
        first = self._finished({"StackName": stack, "ChangeSetName": name})
        stack_id = str(first["StackId"])
        if stack not in (stack_id, stack_id.split("/")[1]):  # an ARN says more than the stack's name beside it
            raise Stopped(f"{name} is a change set of {stack_id}, and not of {stack!r}")
        if first["Status"] == _FAILED:
            if _is_empty(first):
                return None
            self._give_up(stack, first)
        try:
            changes = list(self._changes(first, ()))
        except _NestedFailed:
            self._give_up(stack, first)
        return ChangeSet(str(first["ChangeSetId"]), str(first["ChangeSetName"]), stack_id, changes)

    def _give_up(self, stack: str, first: Mapping[str, Any]) -> NoReturn:
        """Say why a change set failed, by those of nested stacks, and delete it with theirs.

        Otherwise a nested stack that it would have made stays, in REVIEW_IN_PROGRESS: `DeleteChangeSet` of
        CloudFormation's API deletes these, too.

        Raises:
            Stopped: always.
        """
        reasons = list(self._reasons(first, ()))
        lines = [f"{path}: {reason}" if path else reason for path, reason in reasons]
        if any(path for path, _ in reasons):
            lines.append(ROOT_ONLY)
        try:
            self.discard(stack, str(first["ChangeSetId"]))
        except (AuthJwtError, Stopped) as error:
            lines.append(f"It could not be deleted, either: {error}")
        raise Stopped("\n  ".join(["CloudFormation could not make the change set:", *lines]))

    def _reasons(self, failed: Mapping[str, Any], stack: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Return why a change set failed: for each that is not of the root, its path and its reason.

        The root's reason is only that a nested one failed, and there may be more of them than it names.
        """
        reason = str(failed.get("StatusReason", "it says no more"))
        nested = {
            change.nested: (*stack, change.logical_id)
            for change in changes_of(self._pages(failed), stack)
            if change.nested is not None
        }
        for arn in _CHANGE_SET.findall(reason):
            nested.setdefault(arn, ())
        found = False
        for arn, path in nested.items():
            child = self._ended(arn)
            if child is not None and child["Status"] == _FAILED and not _is_empty(child):
                found = True
                yield from self._reasons(child, path or (*stack, str(child.get("StackName", arn))))
        if not found:
            yield "/".join(stack), " ".join([reason, *self._validation(failed, reason)])

    def _ended(self, change_set: str) -> Mapping[str, Any] | None:
        """Wait for a nested change set whose root has failed. None: it is gone, or does not end."""
        try:
            return self._finished({"ChangeSetName": change_set}, questions=_QUESTIONS_AFTER_FAILURE)
        except (AuthJwtError, Stopped):
            return None

    def _validation(self, failed: Mapping[str, Any], reason: str) -> Iterator[str]:
        """Return what CloudFormation's early validation found: its reason tells only where to ask."""
        if _EARLY not in reason:
            return
        try:
            events = [
                event
                for page in self._paged("describe_events", ChangeSetName=str(failed["ChangeSetId"]))
                for event in page["OperationEvents"]
                if event.get("ValidationStatus") == _FAILED
            ]
        except (AuthJwtError, Stopped) as error:
            events = []
            yield f"({error})"
        for event in events:
            names = [event.get(key, "") for key in ("LogicalResourceId", "ResourceType", "PhysicalResourceId")]
            about = " ".join(name for name in (*names, event.get("ValidationPath", "")) if name)
            yield f"[{about}: {event.get('ValidationStatusReason', 'no reason')}]"
        if _EXISTS in reason:
            yield EXISTS

    def discard(self, stack: str, change_set: str) -> None:
        """Delete a change set that nobody wants."""
        with _explained("cloudformation:DeleteChangeSet"):
            self.client.delete_change_set(StackName=stack, ChangeSetName=change_set)

    def _changes(self, first: Mapping[str, Any], stack: tuple[str, ...]) -> Iterator[Change]:
        for change in changes_of(self._pages(first), stack):
            yield change
            within = (*stack, change.logical_id)
            if change.nested is not None:
                child = self._finished({"ChangeSetName": change.nested})
                if child["Status"] == _FAILED and not _is_empty(child):
                    raise _NestedFailed
                if child["Status"] != _FAILED:
                    yield from self._changes(child, within)
            elif change.kind == STACK and change.fate is Fate.REMOVED and not change.is_kept:
                yield from self._all_of(change.physical_id, within)

    def _all_of(self, stack: str, within: tuple[str, ...]) -> Iterator[Change]:
        """Return every resource of a nested *stack* as one that is removed: no change set tells of them."""
        for page in self._paged("list_stack_resources", StackName=stack):
            for told in page["StackResourceSummaries"]:
                if told["ResourceStatus"] == "DELETE_COMPLETE":
                    continue
                yield Change(
                    stack=within,
                    logical_id=told["LogicalResourceId"],
                    kind=told["ResourceType"],
                    fate=Fate.REMOVED,
                    physical_id=told.get("PhysicalResourceId", ""),
                )
                if told["ResourceType"] == STACK:
                    yield from self._all_of(told["PhysicalResourceId"], (*within, told["LogicalResourceId"]))

    def _finished(self, which: Mapping[str, str], questions: float = math.inf) -> Mapping[str, Any]:
        while True:
            questions -= 1
            answer = self._describe(which)
            if answer["Status"] in ("CREATE_COMPLETE", _FAILED):
                return answer
            if not answer["Status"].startswith("CREATE_"):
                raise Stopped(f"the change set is {answer['Status']}: somebody has deleted it")
            if questions <= 0:
                raise Stopped(f"the change set is {answer['Status']} still")
            self.sleep(self.seconds_between)

    def _pages(self, first: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        page = first
        yield page
        while "NextToken" in page:
            page = self._describe({"ChangeSetName": first["ChangeSetId"], "NextToken": page["NextToken"]})
            yield page

    def _describe(self, which: Mapping[str, str]) -> Mapping[str, Any]:
        with _explained("cloudformation:DescribeChangeSet"):
            answer: Mapping[str, Any] = self.client.describe_change_set(**which)
        return answer

    def _paged(self, operation: str, **question: str) -> Iterator[Mapping[str, Any]]:
        token: dict[str, str] = {}
        while True:
            with _explained(f"cloudformation:{operation}"):
                page = getattr(self.client, operation)(**question, **token)
            yield page
            if "NextToken" not in page:
                return
            token = {"NextToken": page["NextToken"]}

    # -- and then -------------------------------------------------------------------------------------------------

    def execute(self, stack: str, change_set: ChangeSet, *, keeps_failed: bool = False) -> bool:
        """Do what a change set says, and show events as they come.

        Args:
            stack: the name of the stack.
            change_set: what to do.
            keeps_failed: leave a failed deployment as it is, and do not roll it back.

        Returns:
            Whether the stack is deployed. False: CloudFormation rolled it back, or left it as it is.
        """
        since = self._last_event(stack)
        options = {"DisableRollback": True} if keeps_failed else {}
        with _explained("cloudformation:ExecuteChangeSet"):
            self.client.execute_change_set(StackName=stack, ChangeSetName=change_set.id, **options)
        while True:
            status = self._show_events(change_set.stack_id, since)
            if status in SUCCESSES:
                return True
            if not status.endswith(_IN_PROGRESS):
                return False
            self.sleep(self.seconds_between)

    def _last_event(self, stack: str) -> datetime:
        """Return the time of the last event before an execution, by AWS's clock. It counts as shown."""
        page = next(self._paged("describe_stack_events", StackName=stack))["StackEvents"]
        self._seen |= {event["EventId"] for event in page}
        return max((event["Timestamp"] for event in page), default=datetime.min.replace(tzinfo=UTC))

    def _show_events(self, stack: str, since: datetime, within: tuple[str, ...] = ()) -> str:
        """Show the events since *since* that were not shown yet, oldest first, and those of nested stacks.

        Returns:
            The state of *stack* by its last event since then. A question for the state itself could be answered with
            that of before the execution.
        """
        fresh: list[Mapping[str, Any]] = []
        nested: dict[str, str] = {}
        status = _BEGINS
        for page in self._paged("describe_stack_events", StackName=stack):
            events = [event for event in page["StackEvents"] if event["Timestamp"] >= since]
            fresh += [event for event in events if event["EventId"] not in self._seen]
            nested |= {
                event["PhysicalResourceId"]: event["LogicalResourceId"]
                for event in events
                if event["ResourceType"] == STACK and event.get("PhysicalResourceId") not in ("", event["StackId"])
            }
            if len(events) < len(page["StackEvents"]):
                break
        for event in reversed(fresh):
            self._seen.add(event["EventId"])
            path = "/".join((*within, event["LogicalResourceId"]))
            reason = event.get("ResourceStatusReason", "")
            self.say(f"{event['Timestamp']:%H:%M:%S} {event['ResourceStatus']:<28} {path} {reason}".rstrip())
            if event.get("PhysicalResourceId") == event["StackId"]:
                status = self._states[stack] = event["ResourceStatus"]
        for child, logical_id in nested.items():
            self._show_events(child, since, (*within, logical_id))
        return self._states.get(stack, status)


def told_by(refused: Refused) -> str:
    """Return AWS's own message for an error. CloudFormation's and Lambda's name resources, and quote no secret."""
    answer: Any = getattr(refused.__cause__, "response", {})
    return str(answer.get("Error", {}).get("Message", ""))


@contextmanager
def _explained(action: str) -> Iterator[None]:
    """Turn AWS's errors into ours. Where a request does not fit the stack, AWS's message says why: it is kept.

    Raises:
        Stopped: the request does not fit the stack, or the template.
        Unreachable: AWS does not answer now.
        Fault: AWS cannot be used until an operator acts.
    """
    with translated_errors(action):
        try:
            with sdk_errors():
                yield
        except Refused as refused:
            if refused.code == "ValidationError":
                raise Stopped(f"{action}: {told_by(refused)}") from refused
            raise


def _parameters(wish: Wish, own: set[str]) -> Iterator[dict[str, Any]]:
    """Return the parameters of a change set: given values, and for the rest what the stack has."""
    unknown = sorted(wish.values.keys() - set(wish.parameters))
    if unknown:
        raise Stopped(f"the template has no parameter {', '.join(unknown)}: correct parameter_overrides")
    for name in wish.parameters:
        if name in wish.values:
            yield {"ParameterKey": name, "ParameterValue": wish.values[name]}
        elif name in own:
            yield {"ParameterKey": name, "UsePreviousValue": True}


def _is_empty(change_set: Mapping[str, Any]) -> bool:
    reason = str(change_set.get("StatusReason", ""))
    return any(words in reason for words in _EMPTY)

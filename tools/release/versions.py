"""The versions of the functions that callers ask: go back to the one before, and delete those that nobody needs.

A version that is not deleted keeps its snapshot, which AWS bills: docs/decisions/0037.

What callers got before is no matter of numbers: the version below the live one may be one that somebody went back from,
or whose deployment failed. So `make deploy` gives it an alias, `before`, whose description names the live version that
it was before. `make rollback` writes there which versions callers were taken from.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from tools.release.stacks import Stopped

ALIAS: Final = "live"
RECORD: Final = "before"
"""The alias that says what callers got before. Nobody calls it."""

FUNCTIONS: Final = ("AuthorizeFunction", "GatewayAuthorizerFunction")
"""Logical ids of the functions whose versions outlive the release after theirs."""

_RELEASE: Final = re.compile(r"\(release ([^)]+)\)")
_LATEST: Final = "$LATEST"
_BEFORE: Final = re.compile(r"before version (\d+)")
_LEFT: Final = "instead of version"
_VERSION_ARN: Final = re.compile(r":function:([^:]+):(\d+)")
_VERSION: Final = "AWS::Lambda::Version"
_GONE: Final = ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass(frozen=True, slots=True)
class Version:
    """A published version.

    Attributes:
        number: its number.
        release: the mark of its release; None for one that `make deploy` did not make.
        state: `Active`, `Pending`, `Inactive` or `Failed`.
    """

    number: int
    release: str | None
    state: str

    def __str__(self) -> str:
        return f"version {self.number}" + (f" (release {self.release})" if self.release else " (no release)")


@dataclass(frozen=True, slots=True)
class Record:
    """What the alias `before` says.

    Attributes:
        number: the version that it names.
        live: the live version before which callers got it; None after a rollback, which leads to it.
        left: versions that somebody went back from.
    """

    number: int
    live: int | None = None
    left: frozenset[int] = frozenset()

    def __str__(self) -> str:
        """Return the description of the alias."""
        if self.live is not None:
            return f"before version {self.live}"
        return f"{_LEFT} {', '.join(map(str, sorted(self.left)))}"


@dataclass(frozen=True, slots=True)
class Function:
    """A function, its versions, and which of them callers get.

    Attributes:
        name: its name in AWS.
        logical_id: its logical id in the template.
        live: the number that the alias `live` names.
        shared: the numbers that get a part of the calls beside it, during a gradual deployment.
        revision: the revision of the alias, so that a change by somebody else in between is noticed.
        versions: all that are published, oldest first.
        owned: the numbers that the stack names: CloudFormation moves the alias there, in a rollback, too.
        record: what is known of the version before; None if nothing.
    """

    name: str
    logical_id: str
    live: int
    shared: frozenset[int]
    revision: str
    versions: Sequence[Version]
    owned: frozenset[int] = frozenset()
    record: Record | None = None

    @property
    def before(self) -> Version | None:
        """The version that callers got before the one that is live; None if there is none.

        Without a record it is the one below, but for those that somebody went back from.
        """
        if self.record is not None and self.is_recorded:
            return next(each for each in self.versions if each.number == self.record.number)
        left = frozenset() if self.record is None else self.record.left
        older = (each for each in self.versions if each.number < self.live and each.number not in left)
        return max(older, key=_number, default=None)

    @property
    def is_recorded(self) -> bool:
        """Whether it is known what callers got before: the record is of the version that is live, and that is there."""
        if self.record is None or self.record.live != self.live:
            return False
        return any(each.number == self.record.number for each in self.versions)

    def superfluous(self, keep: int) -> list[Version]:
        """Return the versions that nobody gets any more, but for the last *keep* that callers got before.

        None above the live one is among them: after a rollback, and until a deployment is through, it is one that
        CloudFormation counts on. Nor is any that the stack names.
        """
        kept = {self.live, *self.shared, *self.owned}
        before = self.before
        if keep and before is not None:
            older = [each.number for each in self.versions if each.number < before.number]
            kept |= {before.number, *sorted(older, reverse=True)[: keep - 1]}
        if keep and self.record is not None:
            kept.add(self.record.number)  # Lambda deletes none that an alias names
        return [each for each in self.versions if each.number < self.live and each.number not in kept]


def _number(version: Version) -> int:
    return version.number


@dataclass(slots=True)
class Functions:
    """Functions of a stack and their versions, by boto3.

    Attributes:
        lambdas: boto3's client for Lambda.
        cloudformation: boto3's client for CloudFormation.
        say: shows a line.
        sleep: waits some seconds.
    """

    lambdas: Any
    cloudformation: Any
    say: Callable[[str], None] = print
    sleep: Callable[[float], None] = time.sleep

    def of_stack(self, stack: str) -> list[Function]:
        """Return the functions of a *stack* that have versions to go back to.

        Raises:
            Stopped: it has none of them.
            Fault: AWS cannot be used.
        """
        names: dict[str, str] = {}
        owned: dict[str, set[int]] = {}
        for told in self._resources(stack):
            name = told.get("PhysicalResourceId", "")
            if told["LogicalResourceId"] in FUNCTIONS and name:
                names[told["LogicalResourceId"]] = name
            if told.get("ResourceType") == _VERSION and (match := _VERSION_ARN.search(name)):
                owned.setdefault(match[1], set()).add(int(match[2]))
        if not names:
            raise Stopped(f"{stack!r} has none of {', '.join(FUNCTIONS)}: check the name of the stack and the region")
        return [
            self._function(logical_id, name, frozenset(owned.get(name, ())))
            for logical_id, name in sorted(names.items())
        ]

    def _resources(self, stack: str) -> Iterator[Mapping[str, Any]]:
        token: dict[str, str] = {}
        while True:
            with translated_errors(f"cloudformation:ListStackResources of {stack!r}"), sdk_errors():
                page = self.cloudformation.list_stack_resources(StackName=stack, **token)
            yield from (told for told in page["StackResourceSummaries"] if told["ResourceStatus"] not in _GONE)
            if "NextToken" not in page:
                return
            token = {"NextToken": page["NextToken"]}

    def _function(self, logical_id: str, name: str, owned: frozenset[int]) -> Function:
        with translated_errors(f"lambda:GetAlias of {name!r}"), sdk_errors():
            alias = self.lambdas.get_alias(FunctionName=name, Name=ALIAS)
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return Function(
            name,
            logical_id,
            int(alias["FunctionVersion"]),
            frozenset(map(int, weights)),
            alias.get("RevisionId", ""),
            sorted(self._versions(name), key=_number),
            owned,
            self._record(name),
        )

    def _record(self, name: str) -> Record | None:
        with translated_errors(f"lambda:GetAlias of {name!r}"):
            try:
                with sdk_errors():
                    alias = self.lambdas.get_alias(FunctionName=name, Name=RECORD)
            except Refused as refused:
                if refused.code == "ResourceNotFoundException":
                    return None
                raise
        number, description = int(alias["FunctionVersion"]), alias.get("Description", "")
        if description.startswith(_LEFT):
            return Record(number, left=frozenset(map(int, re.findall(r"\d+", description))))
        match = _BEFORE.fullmatch(description)
        return Record(number, live=int(match[1]) if match else None)

    def _versions(self, name: str) -> Iterator[Version]:
        marker: dict[str, str] = {}
        while True:
            with translated_errors(f"lambda:ListVersionsByFunction of {name!r}"), sdk_errors():
                page = self.lambdas.list_versions_by_function(FunctionName=name, **marker)
            yield from (_version(told) for told in page["Versions"] if told["Version"] != _LATEST)
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    def point(self, function: Function, version: Version) -> None:
        """Let callers get *version* from now on.

        Raises:
            Stopped: somebody else changed the alias in between.
            Fault: Lambda refuses it.
        """
        with translated_errors(f"lambda:UpdateAlias of {function.name!r}"):
            try:
                with sdk_errors():
                    self.lambdas.update_alias(
                        FunctionName=function.name,
                        Name=ALIAS,
                        FunctionVersion=str(version.number),
                        RoutingConfig={"AdditionalVersionWeights": {}},
                        RevisionId=function.revision,
                    )
            except Refused as refused:
                if refused.code == "PreconditionFailedException":
                    raise Stopped(f"somebody changed the alias of {function.name!r} just now: look again") from refused
                raise

    def remember(self, function: Function, record: Record) -> None:
        """Write down what callers got before, for the next rollback and for whoever deletes versions.

        Raises:
            Fault: Lambda refuses it.
        """
        write = self.lambdas.create_alias if function.record is None else self.lambdas.update_alias
        with translated_errors(f"lambda alias {RECORD!r} of {function.name!r}"), sdk_errors():
            write(
                FunctionName=function.name,
                Name=RECORD,
                FunctionVersion=str(record.number),
                Description=str(record),
            )

    def forget(self, function: Function) -> None:
        """Delete what is known of the version before: Lambda deletes no version that an alias names.

        Raises:
            Fault: Lambda refuses it.
        """
        if function.record is not None:
            with translated_errors(f"lambda:DeleteAlias of {function.name!r}"), sdk_errors():
                self.lambdas.delete_alias(FunctionName=function.name, Name=RECORD)

    def wake(self, function: Function, version: Version, *, seconds: float = 300) -> None:
        """Make sure that a version can answer: one that nobody called for 14 days has no snapshot.

        Raises:
            Stopped: it does not become active.
            Fault: Lambda refuses.
        """
        qualified = {"FunctionName": function.name, "Qualifier": str(version.number)}
        waited = 0.0
        while (state := self._state(qualified)) != "Active":
            if state == "Failed" or waited >= seconds:
                raise Stopped(f"{function.name} {version} is {state}: it cannot answer, so `live` stays where it is")
            if state == "Inactive" and not waited:
                self.say(f"{function.name} {version} is Inactive: it is woken, which takes some minutes")
                self._call(qualified)
            self.sleep(5)
            waited += 5

    def _state(self, qualified: Mapping[str, str]) -> str:
        with translated_errors(f"lambda:GetFunctionConfiguration of {qualified['FunctionName']!r}"), sdk_errors():
            told = self.lambdas.get_function_configuration(**qualified)
        return str(told.get("State", "Active"))

    def _call(self, qualified: Mapping[str, str]) -> None:
        """Call a version that has no snapshot: it answers an error, and Lambda begins to make one."""
        with translated_errors(f"lambda:InvokeFunction of {qualified['FunctionName']!r}"):
            try:
                with sdk_errors():
                    self.lambdas.invoke(**qualified, Payload=b'{"warmer": true}')
            except Refused as refused:
                if refused.code not in ("SnapStartNotReadyException", "ResourceConflictException"):
                    raise

    def delete(self, function: Function, version: Version) -> None:
        """Delete a version, with its snapshot. Lambda refuses one that an alias names."""
        with translated_errors(f"lambda:DeleteFunction of {function.name!r}, {version}"), sdk_errors():
            self.lambdas.delete_function(FunctionName=function.name, Qualifier=str(version.number))


def _version(told: Mapping[str, Any]) -> Version:
    mark = _RELEASE.search(told.get("Description", ""))
    return Version(int(told["Version"]), mark[1] if mark else None, str(told.get("State", "Active")))

"""A deployed stack: its parameters, its outputs and its resources, those of nested stacks among them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from auth_jwt.aws.failures import Refused, sdk_errors, translated_errors
from auth_jwt.errors import Fault, NotFound

USUAL_NAME: Final = "auth-jwt"
NESTED: Final = "AWS::CloudFormation::Stack"
_MISSING: Final = ("ValidationError",)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack.

    Attributes:
        path: its logical id, with the nested stacks in front: `Monitoring/FaultAlarm`.
        kind: its type.
        name: its name or id in AWS.
        status: what CloudFormation says of it.
    """

    path: str
    kind: str
    name: str
    status: str

    @property
    def logical_id(self) -> str:
        """The logical id alone."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A deployed stack.

    Attributes:
        name: the name of the root stack.
        status: what CloudFormation says of it.
        parameters: the values of its parameters.
        outputs: its outputs.
        resources: its resources, those of nested stacks among them.
    """

    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    resources: tuple[Resource, ...]

    def of_kind(self, kind: str) -> list[Resource]:
        """Return the resources of a type, by their path."""
        return sorted((each for each in self.resources if each.kind == kind), key=lambda each: each.path)


class NotPermitted(Exception):
    """AWS refused one question. The examination goes on with the others.

    Attributes:
        action: the permission that is missing.
        code: AWS's code.
    """

    def __init__(self, action: str, code: str) -> None:
        super().__init__(code)
        self.action = action
        self.code = code


class NotThere(Exception):
    """What was asked about does not exist.

    Attributes:
        code: AWS's code.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def ask(action: str, about: str, call: Callable[[], _T], *, usual: tuple[str, ...] = ()) -> _T:
    """Return what *call* gets.

    Args:
        action: the permission that it needs, such as `lambda:GetAlias`.
        about: what it asks about.
        call: calls AWS.
        usual: codes by which AWS says that it does not exist.

    Raises:
        NotPermitted: the permission is missing.
        NotThere: it does not exist, by one of the *usual* codes.
        Unreachable: AWS does not answer now.
        Fault: AWS refuses it for another reason, or cannot be asked: there are no credentials, say.
    """
    with translated_errors(f"{action} of {about!r}"):
        try:
            with sdk_errors():
                return call()
        except Refused as refused:
            if "AccessDenied" in refused.code or "UnauthorizedOperation" in refused.code:
                raise NotPermitted(action, refused.code) from None
            if refused.code in usual:
                raise NotThere(refused.code) from None
            raise


def deployed_stack(client: Any, name: str) -> DeployedStack:  # noqa: ANN401 - boto3's
    """Read a stack and all that are nested in it.

    Raises:
        NotFound: there is no such stack in this account and region.
        Unreachable: CloudFormation does not answer now.
        Fault: it cannot be asked, or the permission is missing.
    """
    told = _described(client, name)
    return DeployedStack(
        name=name,
        status=told["StackStatus"],
        parameters={item["ParameterKey"]: item.get("ParameterValue", "") for item in told.get("Parameters", ())},
        outputs=_outputs(told),
        resources=tuple(_resources(client, name, "")),
    )


def outputs_of(client: Any, name: str) -> Mapping[str, str]:  # noqa: ANN401
    """Read the outputs of a stack, and nothing else of it.

    Raises:
        NotFound: there is no such stack in this account and region.
        Unreachable: CloudFormation does not answer now.
        Fault: it cannot be asked, or the permission is missing.
    """
    return _outputs(_described(client, name))


def _outputs(told: Mapping[str, Any]) -> Mapping[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in told.get("Outputs", ())}


def _described(client: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401
    try:
        with translated_errors(f"cloudformation:DescribeStacks of stack {name!r}"), sdk_errors():
            (told,) = client.describe_stacks(StackName=name)["Stacks"]
    except Fault as fault:
        cause = fault.__cause__
        if isinstance(cause, Refused) and cause.code in _MISSING:
            raise NotFound(
                f"there is no stack {name!r} in this account and region: check --stack, --region and --profile"
            ) from None
        raise
    answer: Mapping[str, Any] = told
    return answer


def _resources(client: Any, stack: str, within: str) -> Iterator[Resource]:  # noqa: ANN401
    token: dict[str, str] = {}
    while True:
        with translated_errors(f"cloudformation:ListStackResources of {stack!r}"), sdk_errors():
            page = client.list_stack_resources(StackName=stack, **token)
        for told in page["StackResourceSummaries"]:
            status, name = told["ResourceStatus"], told.get("PhysicalResourceId", "")
            if status == "DELETE_COMPLETE":
                continue
            path = f"{within}{told['LogicalResourceId']}"
            yield Resource(path, told["ResourceType"], name, status)
            if told["ResourceType"] == NESTED and name:
                yield from _resources(client, name, f"{path}/")
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}

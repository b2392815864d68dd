"""Log groups: which ones belong to a function or to a stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from auth_jwt.aws.failures import sdk_errors, translated_errors
from auth_jwt.errors import Fault, NotFound
from auth_jwt_cli.output import message_of
from auth_jwt_cli.sources import region_of

if TYPE_CHECKING:
    from auth_jwt_cli.connection import Connection

LOGIN_FUNCTIONS: Final = ("AuthorizeFunctionArn", "GatewayAuthorizerFunctionArn")
"""Outputs of a stack that name the functions which judge tokens."""

AUDIT_GROUPS: Final = {
    "AdminLogGroupName": "admin API",
    "RotationLogGroupName": "rotation",
    "RefreshKeysLogGroupName": "refresh of issuers' keys",
}
"""Outputs of a stack that name the log groups with lines of audit, and whose they are."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was asked for and could not be read.

    Attributes:
        name: the log group, function or file.
        why: why not, and what to do.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class LogGroups:
    """Log groups, and what hides others.

    Attributes:
        names: the log groups.
        unread: functions whose log group is not known.
        absent: what the stack does not have, and so no log of it.
    """

    names: tuple[str, ...]
    unread: tuple[Unread, ...] = ()
    absent: tuple[str, ...] = ()


def group_of_function(connection: "Connection", function: str) -> str:
    """Return the log group of a *function*, by its name or ARN: by its configuration, or else Lambda's usual one.

    Raises:
        Fault: Lambda does not show its configuration.
    """
    client = connection.client_of("lambda", region=region_of(function))
    with translated_errors(f"lambda:GetFunctionConfiguration on function {function!r}"), sdk_errors():
        told = client.get_function_configuration(FunctionName=function)
    name: str = told.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{told['FunctionName']}"
    return name


def outputs_of_stack(connection: "Connection") -> Mapping[str, str]:
    """Return the outputs of the stack.

    Raises:
        Fault: CloudFormation does not show it; or there is none of that name, so that its log is one that was not read.
    """
    try:
        return connection.outputs
    except NotFound as missing:
        raise Fault(str(missing)) from None


def login_groups(connection: "Connection") -> LogGroups:
    """Return the log groups of the functions that judge tokens: of the stack, or else of the chosen function.

    Raises:
        Fault: the stack cannot be read, or none of its functions.
    """
    if connection.where.stack is None:
        function = connection.where.function
        return LogGroups(() if function is None else (group_of_function(connection, function),))
    outputs = outputs_of_stack(connection)
    names, unread, first = [], [], None
    for function in [outputs[name] for name in LOGIN_FUNCTIONS if name in outputs]:
        try:
            names.append(group_of_function(connection, function))
        except Fault as fault:
            first = first or fault
            unread.append(Unread(function, message_of(fault)))
    if first is not None and not names:
        raise first
    return LogGroups(tuple(names), tuple(unread))


def audit_groups(connection: "Connection") -> LogGroups:
    """Return the log groups of the stack that hold lines of audit.

    Raises:
        Fault: the stack cannot be read.
    """
    outputs = outputs_of_stack(connection)
    absent = tuple(whose for name, whose in AUDIT_GROUPS.items() if name not in outputs)
    return LogGroups(tuple(outputs[name] for name in AUDIT_GROUPS if name in outputs), absent=absent)

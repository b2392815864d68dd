"""A stack in an account, as the restore drill needs it."""

import sys
from typing import TYPE_CHECKING, Any, Final

from auth_jwt.aws.failures import sdk_errors, translated_errors
from auth_jwt.errors import Fault
from tools.drill.restore import Target

if TYPE_CHECKING:
    import boto3

_OUTPUT: Final = "AuthorizeFunctionArn"


class NotDrilled(Exception):
    """The drill cannot begin; the message says why."""


def target_of(
    stack: str, tag: str, *, bucket: str | None, keep: bool, session: "boto3.Session | None" = None
) -> Target:
    """Return what is to be drilled: the tables and settings of a deployed *stack*.

    Args:
        stack: its name, in the region of the session.
        tag: a user who logs in.
        bucket: where exports go; None without one.
        keep: whether the restored tables stay.
        session: whose credentials are used; None: those that boto3 finds.

    Raises:
        NotDrilled: the stack, its function or credentials are missing.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        used = session or boto3.Session()
        credentials = used.get_credentials()
        if credentials is None or used.region_name is None:
            raise NotDrilled("there are no AWS credentials here, or no region: set AWS_PROFILE and AWS_REGION")
        variables = _variables_of(used, stack)
        frozen = credentials.get_frozen_credentials()
        own = {
            "AWS_ACCESS_KEY_ID": str(frozen.access_key),
            "AWS_SECRET_ACCESS_KEY": str(frozen.secret_key),
            "AWS_REGION": used.region_name,
            "AWS_DEFAULT_REGION": used.region_name,
            **({"AWS_SESSION_TOKEN": frozen.token} if frozen.token else {}),
        }
        s3 = used.client("s3") if bucket else None
        return Target(used.client("dynamodb"), s3, bucket, {**variables, **own}, tag, emulated=False, keep=keep)
    except (Fault, BotoCoreError) as error:
        raise NotDrilled(f"the stack {stack!r} cannot be drilled: {error}") from error


def _variables_of(session: "boto3.Session", stack: str) -> dict[str, str]:
    """Return the environment of the stack's function."""
    with translated_errors(f"cloudformation:DescribeStacks of {stack!r}"), sdk_errors():
        (described,) = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs: dict[Any, Any] = {each.get("OutputKey"): each.get("OutputValue") for each in described.get("Outputs", [])}
    if _OUTPUT not in outputs:
        raise NotDrilled(f"the stack {stack!r} has no output {_OUTPUT}: is it one of auth_jwt?")
    with translated_errors(f"lambda:GetFunctionConfiguration of {outputs[_OUTPUT]}"), sdk_errors():
        function = session.client("lambda").get_function_configuration(FunctionName=outputs[_OUTPUT])
    return dict(function.get("Environment", {}).get("Variables", {}))


def confirm(target: Target) -> None:
    """Say what will be made, and ask.

    Raises:
        NotDrilled: the answer is not yes.
    """
    names = ", ".join(target.tables.values())
    exports = f" It exports them to s3://{target.bucket}/auth-jwt-drill/, where they stay." if target.bucket else ""
    stay = "They stay" if target.keep else "It deletes those in the end"
    print(
        f"This reads {names}, and restores each into a new table beside it. {stay}. AWS bills restores and exports by"
        f" the gigabyte.{exports} The drill signs a token of {target.tag} and shows it to nobody.",
        file=sys.stderr,
    )
    print("Go on? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise NotDrilled("nothing was done")

"""Deploy a release after showing what it would replace, go back to the one before, or delete old versions.

`python -m tools.release deploy SECTION`, `rollback SECTION` and `prune SECTION`; `make deploy`, `make rollback` and
`make prune` call it. SECTION is one of samconfig.toml.
"""

import argparse
import re
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from auth_jwt.aws.failures import configuration_errors, remedy_of
from auth_jwt.errors import AuthJwtError, Fault
from tools.release.configuration import Configuration, Misconfigured, pairs_of, read_configuration
from tools.release.judgement import losses_of, unknown_names
from tools.release.packaged import package
from tools.release.shown import lines_of, summary_of
from tools.release.stacks import ChangeSet, Stacks, Stopped, Wish
from tools.release.versions import Functions, Record

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
FAILED: Final = 3
UNUSABLE: Final = 4
UNTIDY: Final = 5
INTERRUPTED: Final = 130
EXIT_CODES: Final = {
    DONE: "deployed; or nothing would change; or shown, as asked",
    REFUSED: "not deployed: something stateful would end, or nobody agreed, or the stack cannot be changed now",
    USAGE: "the command line or samconfig.toml is wrong",
    FAILED: "the deployment failed; CloudFormation rolled it back, unless told otherwise",
    UNUSABLE: "AWS cannot be used: no credentials, no permission, no answer",
    UNTIDY: "deployed, but old versions were not all deleted: `make prune` tries again",
    INTERRUPTED: "interrupted; a deployment that has begun goes on in AWS",
}
"""What each exit code means."""

BUILT: Final = Path(".aws-sam/build")
CONFIGURATION: Final = Path("samconfig.toml")
_CLEANUP: Final = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"  # the aliases have moved; only what the stack lacks is deleted
LONGEST_NAME: Final = 54
"""Characters of a stack's name that CloudFormation does not shorten in the name of CodeDeploy's application.

That has 100 at most (CodeDeploy's API, `applicationName`): the stack's name, the logical id that SAM gives it, and up
to 13 random ones, with a hyphen between. The check's role names the application by the stack's name.
"""
_CHANGE_SET: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*|arn:[A-Za-z0-9:/-]+")  # the API's pattern of `ChangeSetName`
KEPT_BEFORE: Final = 1
"""How many versions before the one that is live are kept, unless `--keep` says otherwise."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.do(given)
    except Misconfigured as error:
        return _complain(str(error), USAGE)
    except Stopped as error:
        return _complain(str(error), REFUSED)
    except AuthJwtError as error:
        remedy = remedy_of(error) if isinstance(error, Fault) else None
        return _complain(f"{str(error).rstrip('.')}. {remedy}" if remedy else str(error), UNUSABLE)
    except KeyboardInterrupt:
        return _complain("interrupted; a deployment that has begun goes on in AWS", INTERRUPTED)
    return code


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.release",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, do, help_ in (
        ("deploy", _deploy, "show what a release would change, ask, and deploy it"),
        ("rollback", _rollback, "let callers get the version before, of each function"),
        ("prune", _prune, "delete the versions that nobody gets"),
    ):
        command = commands.add_parser(name, help=help_, allow_abbrev=False)
        command.set_defaults(do=do)
        command.add_argument("section", help="a section of samconfig.toml")
        command.add_argument("--yes", "--no-confirm-changeset", action="store_true", help="do not ask")
        command.add_argument("--region", help="AWS region, instead of that of samconfig.toml")
        command.add_argument("--profile", help="profile of the AWS configuration, instead of that of samconfig.toml")
        if name != "rollback":
            command.add_argument(
                "--keep", type=int, default=KEPT_BEFORE, metavar="N", help="versions to keep before the live one (1)"
            )
        if name == "deploy":
            _add_options_of_deploy(command)
    return parser


def _add_options_of_deploy(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--no-execute", "--no-execute-changeset", action="store_true", help="show, and leave the change set as it is"
    )
    what.add_argument(
        "--execute",
        metavar="CHANGE_SET",
        help="execute the change set that --no-execute left, and no other: its ARN (another may get its name)",
    )
    command.add_argument(
        "--built", action="store_true", help="build nothing: tools/build-release has built and marked the release"
    )
    command.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="RESOURCE",
        help="agree that this stateful resource ends; may be repeated",
    )
    command.add_argument(
        "--root-only",
        action="store_true",
        help="where CloudFormation cannot say it: do not ask what changes, and is lost, in nested stacks",
    )
    command.add_argument(
        "--parameter-overrides", nargs="+", metavar="NAME=VALUE", help="instead of those of samconfig.toml"
    )


# -- deploy -----------------------------------------------------------------------------------------------------------


def _deploy(given: argparse.Namespace) -> int:
    if given.execute is not None:
        _stop_unless_executable(given)
    configuration = _configuration(given)
    preference = configuration.parameters.get("DeploymentPreference", "None")
    if preference != "None" and len(configuration.stack) > LONGEST_NAME:
        raise Misconfigured(
            f"stack_name {configuration.stack!r} has {len(configuration.stack)} characters: with DeploymentPreference="
            f"{preference} it may have {LONGEST_NAME}, so that the check of a release may answer CodeDeploy"
        )
    session = _session(configuration)
    stacks = Stacks(_client(session, "cloudformation"))
    name = given.execute or f"auth-jwt-{datetime.now(UTC):%Y%m%d%H%M%S}-{uuid.uuid4().hex[:6]}"
    if given.execute is None:
        packaged = package(BUILT, configuration, _client(session, "s3"))
        wish = _wish(configuration, packaged.url, packaged.parameters)
        stacks.propose(configuration.stack, wish, name, root_only=given.root_only)
    change_set = stacks.read(configuration.stack, name)
    if change_set is None:
        stacks.discard(configuration.stack, name)
        print(f"{configuration.stack}: nothing would change.")
        return REFUSED if configuration.fails_if_empty else DONE
    if not _accepts(given, configuration, stacks, change_set):
        return REFUSED
    if given.no_execute:
        print(f'Nothing was done. To do just this: make deploy ARGS="--execute {change_set.id}"')
        return DONE
    functions = Functions(_client(session, "lambda"), stacks.client)
    earlier = _live_versions(functions, stacks, configuration.stack)
    if not stacks.execute(configuration.stack, change_set, keeps_failed=configuration.keeps_failed):
        print("The deployment failed: the first line with FAILED says why.", file=sys.stderr)
        return FAILED
    try:
        _remember(functions, configuration.stack, earlier, given.keep)
        _delete_old(functions, configuration.stack, given.keep)
    except (AuthJwtError, Stopped) as error:
        return _complain(f"the release is deployed, but old versions were not all deleted: {error}", UNTIDY)
    return DONE


def _stop_unless_executable(given: argparse.Namespace) -> None:
    """Look at the command line before AWS is asked for the change set of `--execute`.

    Raises:
        Misconfigured: it names no change set, or an option is about making one.
    """
    if not _CHANGE_SET.fullmatch(given.execute):
        raise Misconfigured(
            f"--execute {given.execute!r}: give the ARN of a change set, as --no-execute shows it, or its name"
        )
    for option, is_given in (("--root-only", given.root_only), ("--built", given.built)):
        if is_given:
            raise Misconfigured(f"{option}: a change set that exists is executed as it is; leave the option out")


def _live_versions(functions: Functions, stacks: Stacks, stack: str) -> dict[str, int] | None:
    """Return what callers get of each function, by its name, before a deployment changes it. None: not known."""
    try:
        state = stacks.state_of(stack)
        if state is None or state["StackStatus"] == "REVIEW_IN_PROGRESS":
            return {}
        return {function.name: function.live for function in functions.of_stack(stack)}
    except (AuthJwtError, Stopped) as error:
        print(f"What callers get now is not known: {error}", file=sys.stderr)
        return None


def _remember(functions: Functions, stack: str, earlier: dict[str, int] | None, keep: int) -> None:
    """Write down what callers got before this deployment.

    Raises:
        Stopped: it is not known, so no version may be deleted.
    """
    found = functions.of_stack(stack)
    if earlier is None:
        raise Stopped("what callers got before it is not known, so none is deleted")
    for function in found:
        number = earlier.get(function.name, function.live)
        if keep and number != function.live and any(each.number == number for each in function.versions):
            functions.remember(function, Record(number, live=function.live))


def _accepts(given: argparse.Namespace, configuration: Configuration, stacks: Stacks, change_set: ChangeSet) -> bool:
    """Show the change set, and tell whether it may be executed. One that may not is deleted."""
    losses = losses_of(change_set.changes, given.allow)
    for line in lines_of(change_set.changes, losses):
        print(line)
    print(f"\n{configuration.stack}: {summary_of(change_set.changes)}.")
    unknown = unknown_names(given.allow, change_set.changes)
    problem = None
    if unknown:
        problem = f"--allow names what does not change: {', '.join(unknown)}"
    elif any(loss.is_refused for loss in losses):
        problem = "refused: something that holds data or an address would end (see above)"
    elif configuration.confirms and not (given.yes or given.no_execute) and not _agreed("Deploy this?"):
        problem = "nobody agreed"
    if problem is None:
        return True
    stacks.discard(configuration.stack, change_set.id)
    print(f"Not deployed: {problem}.", file=sys.stderr)
    return False


def _wish(configuration: Configuration, url: str, parameters: tuple[str, ...]) -> Wish:
    return Wish(
        template_url=url,
        parameters=parameters,
        values=configuration.parameters,
        capabilities=configuration.capabilities,
        tags=configuration.tags,
        role=configuration.role,
        notifications=configuration.notifications,
    )


# -- rollback and prune -----------------------------------------------------------------------------------------------


def _rollback(given: argparse.Namespace) -> int:
    configuration = _configuration(given)
    session = _session(configuration)
    functions = Functions(_client(session, "lambda"), _client(session, "cloudformation"))
    _stop_while_deployed(functions.cloudformation, configuration.stack, but=_CLEANUP)
    found = functions.of_stack(configuration.stack)
    plan = []
    for function in found:
        if function.shared:
            raise Stopped(
                f"a gradual deployment of {function.name} is under way: stop it, and CodeDeploy rolls it back itself "
                "(docs/operations.md, Going back)"
            )
        before = function.before
        if before is None:
            raise Stopped(f"{function.name} has no version before {function.live}: deploy an older commit")
        now = next((str(each) for each in function.versions if each.number == function.live), str(function.live))
        print(f"{function.name}: from {now} back to {before}")
        if not function.is_recorded:
            print(
                f"{function.name}: nothing says what callers got before {function.live}; {before.number} is the one "
                "below, so look at its release"
            )
        plan.append((function, before))
    if not given.yes and not _agreed("Go back?"):
        return _complain("nothing was done: nobody agreed", REFUSED)
    for function, before in plan:
        functions.wake(function, before)
    for function, before in plan:
        functions.point(function, before)
        print(f"{function.name}: callers get {before} now")
    for function, before in plan:
        left = function.record.left if function.record else frozenset()
        functions.remember(function, Record(before.number, left=left | {function.live}))
    print("CloudFormation does not know of this (drift): the next `make deploy` lets callers get its own version.")
    return DONE


def _prune(given: argparse.Namespace) -> int:
    configuration = _configuration(given)
    session = _session(configuration)
    functions = Functions(_client(session, "lambda"), _client(session, "cloudformation"))
    _stop_while_deployed(functions.cloudformation, configuration.stack, also="_FAILED")
    _delete_old(functions, configuration.stack, given.keep)
    return DONE


def _stop_while_deployed(cloudformation: Any, stack: str, *, but: str = "", also: str = "") -> None:  # noqa: ANN401
    """Leave versions and aliases alone while CloudFormation moves them.

    Args:
        cloudformation: boto3's client.
        stack: the name of the stack.
        but: a state in which they may be changed nevertheless.
        also: how another state ends in which they may not: a rollback that failed goes on with the versions of before,
            which the stack names no more.

    Raises:
        Stopped: a deployment is under way, or a rollback; or the stack is in a state of *also*.
    """
    state = Stacks(cloudformation).state_of(stack)
    status = "" if state is None else str(state["StackStatus"])
    if status.endswith("_IN_PROGRESS") and status != but:
        raise Stopped(
            f"{stack!r} is {status}: wait until it is complete; "
            f"`aws cloudformation cancel-update-stack --stack-name {stack}` goes back from an update under way"
        )
    if also and status.endswith(also):
        raise Stopped(f"{stack!r} is {status}: CloudFormation may need each version to go on; mend the stack first")


def _delete_old(functions: Functions, stack: str, keep: int) -> None:
    for function in functions.of_stack(stack):
        if keep == 0:
            functions.forget(function)
        for version in function.superfluous(keep):
            functions.delete(function, version)
            print(f"{function.name}: {version} is deleted")


# -- shared -----------------------------------------------------------------------------------------------------------


def _configuration(given: argparse.Namespace) -> Configuration:
    """Read samconfig.toml. Options of the command line win over it.

    Raises:
        Misconfigured: an option cannot be used.
    """
    from dataclasses import replace

    if getattr(given, "keep", 0) < 0:
        raise Misconfigured(f"--keep {given.keep}: 0 or more versions can be kept")
    configuration = read_configuration(CONFIGURATION, given.section)
    own: dict[str, Any] = {name: value for name in ("region", "profile") if (value := getattr(given, name))}
    overrides = getattr(given, "parameter_overrides", None)
    if overrides is not None:
        try:
            own["parameters"] = pairs_of(overrides, "--parameter-overrides")
        except ValueError as error:
            raise Misconfigured(str(error)) from None
    return replace(configuration, **own)


def _session(configuration: Configuration) -> Any:  # noqa: ANN401 - boto3's
    import boto3

    with configuration_errors("the AWS configuration cannot be used"):
        return boto3.Session(profile_name=configuration.profile, region_name=configuration.region)


def _client(session: Any, service: str) -> Any:  # noqa: ANN401
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return sdk_client(service, config, session=session)


def _agreed(question: str) -> bool:
    """Ask a person; where there is none, nobody agrees."""
    if not sys.stdin.isatty():
        print(f"{question} Nobody is there to ask: add --yes", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _complain(message: str, code: int) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""What the stack's own parts say: CloudFormation, functions and their versions, alarms, logs, secrets of the canary."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from auth_jwt.provisioning.advice import naming
from auth_jwt.provisioning.inspection import SecretRecord, SecretState
from auth_jwt_cli.doctor.deployed import DeployedStack, NotPermitted, NotThere, Resource, ask
from auth_jwt_cli.doctor.models import Observation, ok, problem, warning
from auth_jwt_cli.output import pluralize
from auth_jwt_cli.times import format_duration

ALIAS: Final = "live"
_GOOD: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_RELEASE: Final = re.compile(r"\(release ([^)]+)\)")
_SOON_SECONDS: Final = 30 * 86400
_GONE: Final = ("ResourceNotFoundException",)
_PERMISSION: Final = "get the permission, to see this"
_MOST_VERSIONS: Final = 2
_ALARMS_AT_ONCE: Final = 100  # what DescribeAlarms takes


def not_permitted(about: str, refused: NotPermitted) -> Observation:
    """Make the line of a question that AWS refused."""
    return warning(about, f"you may not call {refused.action} ({refused.code})", _PERMISSION)


def stack_lines(stack: DeployedStack) -> Iterator[Observation]:
    """Judge the state of the stack, and of the stacks nested in it."""
    about = f"stack {stack.name}"
    if stack.status in _GOOD:
        yield ok(about, stack.status)
    elif stack.status.endswith("_IN_PROGRESS"):
        yield warning(about, f"{stack.status}: a deployment is under way", "wait until it is complete, then look again")
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        yield warning(about, "the last deployment failed and was rolled back", "the stack's events say why")
    else:
        yield problem(about, stack.status, "the stack's events say what failed")
    for resource in stack.resources:
        if resource.status.endswith("_FAILED"):
            yield problem(resource.path, f"CloudFormation says {resource.status}", "the stack's events say why")


def function_lines(client: Any, functions: Sequence[Resource]) -> Iterator[Observation]:  # noqa: ANN401 - boto3's
    """Judge each function: does what callers get answer, and is it the release that was deployed last?"""
    releases: dict[str, str] = {}
    for function in functions:
        try:
            yield from _function_lines(client, function, releases)
        except NotPermitted as refused:
            yield not_permitted(function.logical_id, refused)
        except NotThere as missing:
            text = f"Lambda has no function {function.name!r} ({missing.code})"
            yield problem(function.logical_id, text, "deploy again, or look at it in Lambda's console")
    if len(set(releases.values())) > 1:
        told = ", ".join(f"{name}: {release}" for name, release in sorted(releases.items()))
        yield warning("release", f"functions are of different releases ({told})", "deploy again, or go back with all")


def _function_lines(client: Any, function: Resource, releases: dict[str, str]) -> Iterator[Observation]:  # noqa: ANN401
    about, name = function.logical_id, function.name
    alias = _alias(client, name)
    question = {"FunctionName": name, **({} if alias is None else {"Qualifier": ALIAS})}
    told = ask(
        "lambda:GetFunctionConfiguration", name, lambda: client.get_function_configuration(**question), usual=_GONE
    )
    state, update = told.get("State", "Active"), told.get("LastUpdateStatus", "Successful")
    version = "" if alias is None else f", version {alias['FunctionVersion']}"
    mark = _RELEASE.search(told.get("Description", ""))
    release = mark[1] if mark else None
    if release and alias is not None:
        releases[about] = release
    if state == "Inactive":
        yield problem(about, f"Inactive{version}: its snapshot is gone", "call it once, and wait some minutes")
    elif state != "Active" or update == "Failed":
        yield problem(about, f"{state}, last update {update}{version}", "deploy again; Lambda's console has the reason")
    elif told.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions" and _has_no_snapshot(told):
        yield problem(about, f"Active{version}, but without a snapshot", "deploy again: it starts slowly until then")
    elif release is None and alias is not None:
        yield warning(about, f"Active{version}, without the mark of a release", "deploy by `make deploy`")
    else:
        yield ok(about, f"Active{version}" + (f", release {release}" if release else ""))
    if alias is not None:
        yield from _version_lines(client, function, alias)


def _alias(client: Any, name: str) -> Any:  # noqa: ANN401
    """Return the alias `live` of a function; None if it has none, as the check of a release."""
    try:
        return ask("lambda:GetAlias", name, lambda: client.get_alias(FunctionName=name, Name=ALIAS), usual=_GONE)
    except NotThere:
        return None


def _has_no_snapshot(told: Any) -> bool:  # noqa: ANN401
    return bool(told["SnapStart"].get("OptimizationStatus", "On") != "On")


def _version_lines(client: Any, function: Resource, alias: Any) -> Iterator[Observation]:  # noqa: ANN401
    about, name = function.logical_id, function.name
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if weights:
        told = ", ".join(f"version {version} gets {weight:.0%}" for version, weight in sorted(weights.items()))
        yield warning(about, f"a gradual deployment is under way: {told}", "wait for its end, or stop it in CodeDeploy")
        return
    page = ask("lambda:ListVersionsByFunction", name, lambda: client.list_versions_by_function(FunctionName=name))
    numbers = sorted(int(each["Version"]) for each in page["Versions"] if each["Version"] != "$LATEST")
    live = int(alias["FunctionVersion"])
    if numbers and numbers[-1] > live:
        text = f"`{ALIAS}` names version {live}, and there is a newer one, {numbers[-1]}"
        yield warning(about, text, "somebody went back, or a deployment failed; the next deployment changes it")
    if len(numbers) > _MOST_VERSIONS:
        yield warning(
            about, f"{pluralize(len(numbers), 'version')} are kept, and AWS bills their snapshots", "`make prune`"
        )


def alarm_lines(client: Any, alarms: Sequence[Resource]) -> Iterator[Observation]:  # noqa: ANN401
    """Judge the alarms of the stack: which sound, which are muted?"""
    if not alarms:
        text = "there are none, so nobody is told of a fault"
        yield warning("alarms", text, "make an SNS topic, and deploy with AlarmTopicArn")
        return
    names = {each.name: each.logical_id for each in alarms}
    told: list[Any] = []
    for first in range(0, len(names), _ALARMS_AT_ONCE):
        chosen = list(names)[first : first + _ALARMS_AT_ONCE]
        try:
            answer = ask(
                "cloudwatch:DescribeAlarms",
                "the alarms",
                lambda chosen=chosen: client.describe_alarms(AlarmNames=chosen, MaxRecords=_ALARMS_AT_ONCE),  # type: ignore[misc]
            )
        except NotPermitted as refused:
            yield not_permitted("alarms", refused)
            return
        told += answer["MetricAlarms"]
    for gone in sorted(names.keys() - {each["AlarmName"] for each in told}):
        yield problem(
            names[gone], "the alarm was deleted outside of the stack", "deploy again, after `detect-stack-drift`"
        )
    bad = 0
    for each in sorted(told, key=lambda each: names[each["AlarmName"]]):
        about = names[each["AlarmName"]]
        if each["StateValue"] == "ALARM":
            bad += 1
            yield problem(about, f"sounds: {each.get('AlarmDescription', '')}", "docs/operations.md, Alarms")
        elif not each.get("ActionsEnabled", True):
            bad += 1
            yield warning(
                about,
                "is muted: it tells nobody",
                f"aws cloudwatch enable-alarm-actions --alarm-names {each['AlarmName']}",
            )
    if not bad:
        yield ok("alarms", f"none of {pluralize(len(told), 'alarm')} sounds")


def log_lines(client: Any, groups: Sequence[Resource]) -> Iterator[Observation]:  # noqa: ANN401
    """Judge whether lines of the log are kept for a time that somebody chose."""
    kept = []
    for group in groups:
        try:
            answer = ask(
                "logs:DescribeLogGroups",
                group.name,
                lambda name=group.name: client.describe_log_groups(logGroupNamePrefix=name),  # type: ignore[misc]
            )
        except NotPermitted as refused:
            yield not_permitted("logs", refused)
            return
        found = next((each for each in answer["logGroups"] if each["logGroupName"] == group.name), None)
        if found is None:
            yield problem(group.logical_id, f"there is no log group {group.name!r}", "deploy again: its lines are lost")
        elif found.get("retentionInDays") is None:
            yield warning(
                group.logical_id, "its lines are kept for ever, and AWS bills them", "deploy again: the stack sets it"
            )
        else:
            kept.append(f"{found['retentionInDays']}")
    if kept:
        days = ", ".join(sorted(set(kept), key=int))
        yield ok("logs", f"{pluralize(len(kept), 'log group')}, kept for {days} days")


def secret_lines(tag: str, secrets: Sequence[SecretRecord], now: float) -> Iterator[Observation]:
    """Judge when the last secret of the canary ends: then releases stop."""
    about = f"canary {tag}"
    ends = [float(each.end) for each in secrets if each.state is SecretState.OPEN and each.end is not None]
    if not ends:
        return  # minting says so
    left = max(ends) - now
    if left < _SOON_SECONDS:
        text = f"its last secret ends in {format_duration(left)}, and releases stop then"
        yield warning(about, text, naming("`auth-jwt secret rotate TAG --generate --out FILE`", tag))
    else:
        yield ok(about, f"its last secret ends in {format_duration(left)}")

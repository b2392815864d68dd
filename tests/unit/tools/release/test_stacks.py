"""A change set is asked for, executed and followed: the questions are those of CloudFormation's API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auth_jwt.errors import Fault, Unreachable
from tests.unit.tools.release.cloudformation import ACCOUNT, ROOT, stacks
from tools.release.stacks import ChangeSet, Stopped, Wish

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
CHILD = f"{ACCOUNT}:stack/auth-jwt-Monitoring-1A2B/22222222-0000-0000-0000-000000000000"
WISH = Wish(
    template_url="https://s3.eu-central-1.amazonaws.com/bucket/key.template",
    parameters=("CacheTtlSeconds", "Gate", "CanaryTag"),
    values={"Gate": "iam"},
    capabilities=("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
    tags={"team": "sip"},
    notifications=("arn:aws:sns:eu-central-1:123456789012:deployments",),
)
REQUEST = {
    "StackName": "auth-jwt",
    "ChangeSetName": "one",
    "ChangeSetType": "UPDATE",
    "TemplateURL": WISH.template_url,
    "Parameters": [
        {"ParameterKey": "CacheTtlSeconds", "UsePreviousValue": True},
        {"ParameterKey": "Gate", "ParameterValue": "iam"},
    ],
    "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    "Tags": [{"Key": "team", "Value": "sip"}],
    "IncludeNestedStacks": True,
    "NotificationARNs": ["arn:aws:sns:eu-central-1:123456789012:deployments"],
}
NO_STACK = ("describe_stacks", "ValidationError:Stack with id auth-jwt does not exist", {"StackName": "auth-jwt"})


def a_stack(status: str = "UPDATE_COMPLETE") -> tuple[str, Any, Any]:
    told = {
        "StackName": "auth-jwt",
        "StackId": ROOT,
        "StackStatus": status,
        "CreationTime": NOW,
        "Parameters": [{"ParameterKey": name, "ParameterValue": "x"} for name in ("CacheTtlSeconds", "Gate", "Gone")],
    }
    return "describe_stacks", {"Stacks": [told]}, {"StackName": "auth-jwt"}


def test_a_parameter_that_is_not_given_keeps_its_value_and_a_new_one_has_its_default() -> None:
    """As `sam deploy` does it."""
    with stacks([a_stack(), ("create_change_set", {"Id": "x" * 9, "StackId": ROOT}, REQUEST)]) as made:
        made.propose("auth-jwt", WISH, "one")


def test_nested_stacks_may_be_left_unasked() -> None:
    """CloudFormation cannot make change sets of nested stacks for each template that it deploys."""
    request = {**REQUEST, "IncludeNestedStacks": False}
    with stacks([a_stack(), ("create_change_set", {}, request)]) as made:
        made.propose("auth-jwt", WISH, "one", root_only=True)


@pytest.mark.parametrize("state", [NO_STACK, a_stack("REVIEW_IN_PROGRESS")], ids=["none", "in review"])
def test_a_new_stack_has_no_values_to_keep(state: tuple[str, Any, Any]) -> None:
    """One in review exists only because somebody looked at a change set before. And nothing can be lost within it."""
    first = [REQUEST["Parameters"][1]]  # type: ignore[index]
    request = {**REQUEST, "ChangeSetType": "CREATE", "Parameters": first, "IncludeNestedStacks": False}
    with stacks([state, ("create_change_set", {}, request)]) as made:
        made.propose("auth-jwt", WISH, "one")


def test_a_role_of_its_own_is_handed_on() -> None:
    from dataclasses import replace

    wish = replace(WISH, role="arn:aws:iam::123456789012:role/cloudformation", notifications=None)
    request = {key: value for key, value in REQUEST.items() if key != "NotificationARNs"}
    request["RoleARN"] = "arn:aws:iam::123456789012:role/cloudformation"
    with stacks([a_stack(), ("create_change_set", {}, request)]) as made:
        made.propose("auth-jwt", wish, "one")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param("ROLLBACK_COMPLETE", "A first deployment that failed", id="a first deployment that failed"),
        pytest.param("UPDATE_IN_PROGRESS", "somebody deploys it just now", id="another deployment"),
        pytest.param("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "somebody deploys it just now", id="its end"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_is_left_alone(status: str, told: str) -> None:
    with stacks([a_stack(status)]) as made, pytest.raises(Stopped, match=told):
        made.propose("auth-jwt", WISH, "one")


def test_a_parameter_that_the_template_lacks_is_named() -> None:
    from dataclasses import replace

    with stacks([a_stack()]) as made, pytest.raises(Stopped, match="the template has no parameter CacheTtl:"):
        made.propose("auth-jwt", replace(WISH, values={"CacheTtl": "1"}), "one")


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        pytest.param(
            "ValidationError:Parameter 'Gate' must be one of AllowedValues",
            Stopped,
            "CreateChangeSet of 'auth-jwt': Parameter 'Gate' must be one of AllowedValues",
            id="a value that the template refuses",
        ),
        pytest.param("AccessDenied:", Fault, "is refused: AccessDenied", id="no permission"),
        pytest.param("Throttling:", Unreachable, "is throttled", id="too many requests"),
    ],
)
def test_a_refusal_keeps_what_cloudformation_says(answer: str, kind: type[Exception], told: str) -> None:
    with stacks([a_stack(), ("create_change_set", answer, None)]) as made, pytest.raises(kind, match=told):
        made.propose("auth-jwt", WISH, "one")


def test_without_permission_a_stack_is_not_taken_for_a_new_one() -> None:
    with stacks([("describe_stacks", "AccessDenied:no", None)]) as made, pytest.raises(Fault, match="AccessDenied"):
        made.propose("auth-jwt", WISH, "one")


# -- the execution ----------------------------------------------------------------------------------------------------


def event(second: int, logical_id: str, status: str, *, stack: str = ROOT, **more: str) -> dict[str, Any]:
    own = {"auth-jwt": ROOT, "Monitoring": CHILD}.get(logical_id, "")
    if stack == CHILD and logical_id == "auth-jwt-Monitoring-1A2B":
        own = CHILD
    return {
        "StackId": stack,
        "EventId": f"{logical_id}-{second}-{status}",
        "StackName": stack.split("/")[1],
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": own,
        "ResourceType": "AWS::CloudFormation::Stack" if own else "AWS::Lambda::Function",
        "ResourceStatus": status,
        "Timestamp": NOW + timedelta(seconds=second),
        **more,
    }


OLD = [event(0, "auth-jwt", "UPDATE_COMPLETE"), event(-9, "AuthorizeFunction", "UPDATE_COMPLETE")]
PLAN = ChangeSet("arn:one", "one", ROOT, [])


def events(*newest_first: dict[str, Any], stack: str = ROOT, token: str | None = None) -> tuple[str, Any, Any]:
    answer: dict[str, Any] = {"StackEvents": [*newest_first]}
    if token:
        answer["NextToken"] = token
    return "describe_stack_events", answer, {"StackName": stack}


def executed(*answers: tuple[str, Any, Any], **options: bool) -> tuple[bool, list[str]]:
    said: list[str] = []
    more = {"DisableRollback": True} if options else {}
    begin = [
        ("describe_stack_events", {"StackEvents": OLD}, {"StackName": "auth-jwt"}),
        ("execute_change_set", {}, {"StackName": "auth-jwt", "ChangeSetName": "arn:one", **more}),
    ]
    with stacks([*begin, *answers], said) as made:
        return made.execute("auth-jwt", PLAN, **options), said


def test_events_are_shown_as_they_come_and_those_of_nested_stacks_too() -> None:
    """The state before the execution, UPDATE_COMPLETE, is not taken for its success; nor is that of a nested stack."""
    first = [event(2, "AuthorizeFunction", "UPDATE_IN_PROGRESS"), event(1, "auth-jwt", "UPDATE_IN_PROGRESS")]
    second = [event(3, "Monitoring", "UPDATE_IN_PROGRESS"), *first]
    child = [
        event(5, "auth-jwt-Monitoring-1A2B", "UPDATE_COMPLETE", stack=CHILD),
        event(4, "FaultAlarm", "UPDATE_COMPLETE", stack=CHILD),
    ]
    cleanup = [event(6, "auth-jwt", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), *second]
    done, said = executed(
        events(*OLD),
        events(*first, *OLD),
        events(*second, *OLD),
        events(*child, stack=CHILD),
        events(*cleanup, *OLD),
        events(*child, stack=CHILD),
        events(event(7, "auth-jwt", "UPDATE_COMPLETE"), *cleanup, *OLD),
        events(*child, stack=CHILD),
    )

    assert done is True
    assert said == [
        "12:00:01 UPDATE_IN_PROGRESS           auth-jwt",
        "12:00:02 UPDATE_IN_PROGRESS           AuthorizeFunction",
        "12:00:03 UPDATE_IN_PROGRESS           Monitoring",
        "12:00:04 UPDATE_COMPLETE              Monitoring/FaultAlarm",
        "12:00:05 UPDATE_COMPLETE              Monitoring/auth-jwt-Monitoring-1A2B",
        "12:00:06 UPDATE_COMPLETE_CLEANUP_IN_PROGRESS auth-jwt",
        "12:00:07 UPDATE_COMPLETE              auth-jwt",
    ]


def test_a_rollback_is_no_success_and_the_reason_is_shown() -> None:
    failed = event(2, "AuthorizeFunctionAliaslive", "UPDATE_FAILED", ResourceStatusReason="CodeDeploy: the hook failed")
    end = [
        event(4, "auth-jwt", "UPDATE_ROLLBACK_COMPLETE"),
        event(3, "auth-jwt", "UPDATE_ROLLBACK_IN_PROGRESS"),
        failed,
    ]
    done, said = executed(events(*end, *OLD))

    assert done is False
    assert said[0] == "12:00:02 UPDATE_FAILED                AuthorizeFunctionAliaslive CodeDeploy: the hook failed"


def test_a_long_list_of_events_is_read_until_those_of_before() -> None:
    newer = [event(9, "auth-jwt", "UPDATE_COMPLETE"), event(8, "AuthorizeFunction", "UPDATE_COMPLETE")]
    done, said = executed(
        events(*newer, token="more"),
        (
            "describe_stack_events",
            {"StackEvents": [event(7, "Api", "UPDATE_COMPLETE"), *OLD], "NextToken": "further"},
            {"StackName": ROOT, "NextToken": "more"},
        ),
    )

    assert done is True
    assert [line.split()[-1] for line in said] == ["Api", "AuthorizeFunction", "auth-jwt"]


def test_a_failed_deployment_may_be_left_for_a_look() -> None:
    done, _ = executed(events(event(1, "auth-jwt", "UPDATE_FAILED"), *OLD), keeps_failed=True)

    assert done is False

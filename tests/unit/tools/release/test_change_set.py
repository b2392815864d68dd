"""A change set is read whole, shown by what happens, and refused where something that holds data would end."""

import re
from typing import Any

import pytest

from tests.unit.tools.release.cloudformation import ROOT, recorded, stacks
from tools.release.change_set import Change, Fate, change_of, changes_of
from tools.release.judgement import AUDITED, HOLDS, losses_of, unknown_names
from tools.release.shown import lines_of, summary_of
from tools.release.stacks import ChangeSet, Stopped
from tools.template.stack import NESTED, sources

NAMED = {"StackName": "auth-jwt", "ChangeSetName": "auth-jwt-1"}
ID = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/{}"


def read(name: str, more: list[Any] | None = None) -> ChangeSet:
    pages = recorded(name)
    following = [page for page in pages if "NextToken" in page]
    asked: list[Any] = [NAMED]
    asked += [{"ChangeSetName": page["ChangeSetId"], "NextToken": page["NextToken"]} for page in following]
    asked += [{"ChangeSetName": page["ChangeSetId"]} for page in pages[len(asked) :]]
    answers = [("describe_change_set", page, expected) for page, expected in zip(pages, asked, strict=True)]
    with stacks([*answers, *(more or [])]) as made:
        found = made.read("auth-jwt", "auth-jwt-1")
    assert found is not None
    return found


DOMAIN = [
    (
        "list_stack_resources",
        {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": "DomainName",
                    "PhysicalResourceId": "auth.example.org",
                    "ResourceType": "AWS::ApiGateway::DomainName",
                    "ResourceStatus": "CREATE_COMPLETE",
                    "LastUpdatedTimestamp": "2026-11-01T00:00:00Z",
                },
                {
                    "LogicalResourceId": "Gone",
                    "ResourceType": "AWS::ApiGateway::DomainName",
                    "ResourceStatus": "DELETE_COMPLETE",
                    "LastUpdatedTimestamp": "2026-11-01T00:00:00Z",
                },
            ]
        },
        None,
    )
]


def test_every_page_and_every_nested_stack_is_read() -> None:
    """And a nested stack in which nothing changes fails, to CloudFormation, and is no failure."""
    found = read("a-release")

    assert {change.path: change.fate for change in found.changes} == {
        "AuthorizeFunction": Fate.CHANGED,
        "AuthorizeFunctionVersion2b2b2b2b2b": Fate.ADDED,
        "AuthorizeFunctionVersion1a1a1a1a1a": Fate.REMOVED,
        "AuthorizeFunctionAliaslive": Fate.CHANGED,
        "Monitoring": Fate.CHANGED,
        "Monitoring/FaultAlarm": Fate.CHANGED,
        "Admin": Fate.CHANGED,
    }
    assert losses_of(found.changes) == []


def test_an_ordinary_release_is_shown_without_alarm() -> None:
    found = read("a-release")

    assert list(lines_of(found.changes, losses_of(found.changes))) == [
        "",
        "Added (1):",
        "  + AuthorizeFunctionVersion2b2b2b2b2b  AWS::Lambda::Version",
        "",
        "Changed (5):",
        "  ~ Admin  AWS::CloudFormation::Stack  [Parameters]",
        "  ~ AuthorizeFunction  AWS::Lambda::Function  [Code, Description]",
        "  ~ AuthorizeFunctionAliaslive  AWS::Lambda::Alias  [FunctionVersion]",
        "  ~ Monitoring  AWS::CloudFormation::Stack  [TemplateURL]",
        "  ~ Monitoring/FaultAlarm  AWS::CloudWatch::Alarm  [Threshold]",
        "",
        "Removed (1):",
        "  - AuthorizeFunctionVersion1a1a1a1a1a  AWS::Lambda::Version  (stays for a rollback, until it is pruned)",
    ]
    assert summary_of(found.changes) == "1 added, 5 changed, 1 removed"


LOST = {
    "JwtSecrets": (Fate.REPLACED, True),
    "Api": (Fate.MAYBE_REPLACED, True),
    "SecondApiKey": (Fate.REMOVED, True),
    "JwtRevocations": (Fate.REMOVED, False),
    "RotatedSecret": (Fate.REMOVED, True),
    "ProvisioningLogGroup": (Fate.REMOVED, True),
    "Domain/DomainName": (Fate.REMOVED, True),
}
"""What of losses.json holds something, what would happen to it, and whether it is refused."""


def test_what_holds_something_is_found_wherever_it_is() -> None:
    """A table that is only left behind is shown, and not refused. A log without lines of audit is none of these."""
    losses = losses_of(read("losses", DOMAIN).changes)

    assert {loss.change.path: (loss.change.fate, loss.is_refused) for loss in losses} == LOST


def test_losses_are_loud_and_say_how_to_agree() -> None:
    found = read("losses", DOMAIN)
    text = "\n".join(lines_of(found.changes, losses_of(found.changes)))

    assert "# THIS HOLDS SOMETHING, AND WOULD END OR LEAVE THE STACK:" in text
    assert (
        "#   replaced: JwtSecrets (jwt_secrets), AWS::DynamoDB::Table\n"
        "#     it holds rows: profiles, secrets or revocations\n"
        "#     because of KeySchema\n"
        "#     the old one stays in the account, outside of the stack\n"
        "#     refused; if you mean it: --allow JwtSecrets\n"
    ) in text
    assert "#     the old one is DELETED\n#     refused; if you mean it: --allow SecondApiKey\n" in text
    assert "CloudFormation does not say whether the old one is deleted: take it that it is" in text
    assert "--allow JwtRevocations" not in text
    assert "  ! JwtSecrets  AWS::DynamoDB::Table  [KeySchema]" in text.splitlines()
    assert "  - AuthorizeLogGroup  AWS::Logs::LogGroup" in text.splitlines()


def test_who_names_a_resource_has_agreed_to_its_end_and_to_no_other() -> None:
    found = read("losses", DOMAIN)

    losses = losses_of(found.changes, ["SecondApiKey", "Domain/DomainName"])

    refused = {path for path, (_, is_refused) in LOST.items() if is_refused}
    assert {loss.change.path for loss in losses if loss.is_refused} == refused - {"SecondApiKey", "Domain/DomainName"}
    assert unknown_names(["SecondApiKey", "SecondKey", "DomainName"], found.changes) == ["SecondKey"]


@pytest.mark.parametrize("kind", HOLDS)
@pytest.mark.parametrize(
    ("told", "is_refused"),
    [
        pytest.param({"Action": "Modify", "Replacement": "True"}, True, id="replaced"),
        pytest.param({"Action": "Modify", "Replacement": "Conditional"}, True, id="perhaps replaced"),
        pytest.param({"Action": "Dynamic"}, True, id="decided later"),
        pytest.param({"Action": "Remove"}, True, id="removed"),
        pytest.param({"Action": "Remove", "PolicyAction": "Snapshot"}, True, id="removed, with a snapshot"),
        pytest.param({"Action": "Modify", "Replacement": "False"}, None, id="changed"),
        pytest.param({"Action": "Add"}, None, id="added"),
        pytest.param({"Action": "Import"}, None, id="imported"),
    ],
)
def test_each_kind_that_holds_something_is_judged(kind: str, told: dict[str, str], is_refused: bool | None) -> None:
    change = change_of({"LogicalResourceId": "X", "ResourceType": kind, **told}, ())

    assert [loss.is_refused for loss in losses_of([change])] == ([] if is_refused is None else [is_refused])


def a_page(*changes: dict[str, Any]) -> list[Change]:
    return changes_of(iter([{"Changes": [{"ResourceChange": change} for change in changes]}]))


def a_function(replacement: str = "False") -> dict[str, Any]:
    return {
        "Action": "Modify",
        "LogicalResourceId": "AuthorizeFunction",
        "ResourceType": "AWS::Lambda::Function",
        "Replacement": replacement,
        "Details": [
            {
                "Target": {"Attribute": "Properties", "Name": "Description", "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
        ],
    }


def a_url(**of_detail: str) -> dict[str, Any]:
    """A Function URL as each release lists it whose template has its function's ARN by `GetAtt`."""
    detail = {"Evaluation": "Dynamic", "ChangeSource": "ResourceAttribute", "CausingEntity": "AuthorizeFunction.Arn"}
    target = {"Attribute": "Properties", "Name": "TargetFunctionArn", "RequiresRecreation": "Always"}
    return {
        "Action": "Modify",
        "LogicalResourceId": "FunctionUrl",
        "ResourceType": "AWS::Lambda::Url",
        "Replacement": "Conditional",
        "Details": [{"Target": target, **detail, **of_detail}],
    }


def test_an_arn_that_stays_replaces_nothing() -> None:
    """Or each release with such an address would be refused."""
    changes = a_page(a_url(), a_function())

    assert losses_of(changes) == []
    assert (
        "  ~ FunctionUrl  AWS::Lambda::Url  [TargetFunctionArn]  (stays: the ARN of AuthorizeFunction does not change)"
        in lines_of(changes, [])
    )


@pytest.mark.parametrize(
    ("url", "function"),
    [
        pytest.param(a_url(), a_function("True"), id="the function is replaced"),
        pytest.param(a_url(), a_function("Conditional"), id="the function may be replaced"),
        pytest.param(a_url(CausingEntity="AuthorizeFunction.Name"), a_function(), id="another attribute"),
        pytest.param(a_url(CausingEntity="Other.Arn"), a_function(), id="a resource that is not listed"),
        pytest.param(a_url(Evaluation="Static"), a_function(), id="certain"),
        pytest.param(a_url(ChangeSource="ParameterReference"), a_function(), id="a parameter"),
        pytest.param(
            {**a_url(), "Details": [*a_url()["Details"], *a_url(ChangeSource="DirectModification")["Details"]]},
            a_function(),
            id="another reason as well",
        ),
        pytest.param({**a_url(), "Details": []}, a_function(), id="no reason"),
        pytest.param({**a_url(), "Action": "Dynamic"}, a_function(), id="decided later"),
        pytest.param({**a_url(), "Replacement": "True"}, a_function(), id="replaced"),
        pytest.param({**a_url(), "PolicyAction": "ReplaceAndDelete"}, a_function(), id="replaced, by its policy"),
    ],
)
def test_whatever_else_may_replace_it_is_refused(url: dict[str, Any], function: dict[str, Any]) -> None:
    losses = [loss for loss in losses_of(a_page(url, function)) if loss.change.logical_id == "FunctionUrl"]

    assert [loss.is_refused for loss in losses] == [True]


def test_a_nested_stack_that_is_replaced_takes_everything_with_it() -> None:
    change = Change(logical_id="Admin", kind="AWS::CloudFormation::Stack", fate=Fate.REPLACED)

    assert [loss.is_refused for loss in losses_of([change])] == [True]


def templates() -> dict[str, Any]:
    """Every resource of the template and of its nested applications."""
    root = sources()
    return {name: resource for part in (root, *root[NESTED].values()) for name, resource in part["Resources"].items()}


def test_the_logs_of_audit_are_those_that_outlive_the_stack() -> None:
    """By the templates."""
    kept = {
        name
        for name, resource in templates().items()
        if resource["Type"] == "AWS::Logs::LogGroup" and resource.get("DeletionPolicy", "Delete") != "Delete"
    }

    assert kept == AUDITED


def test_whatever_the_templates_keep_holds_something() -> None:
    """Or a new table, say, would be replaced without a word."""
    kept = {
        resource["Type"]
        for resource in templates().values()
        if str(resource.get("DeletionPolicy")).startswith("Retain")
    }

    assert kept - HOLDS.keys() <= {"AWS::Logs::LogGroup", "AWS::IAM::Role", "AWS::ApiGateway::Account"}


def test_nothing_that_changes_is_no_change_set() -> None:
    page = {**recorded("a-release")[3], "ChangeSetName": "auth-jwt-1", "StackId": ROOT}
    with stacks([("describe_change_set", page, NAMED)]) as made:
        assert made.read("auth-jwt", "auth-jwt-1") is None


def test_a_change_set_of_another_stack_is_left_alone() -> None:
    """Its ARN says which stack it is of, whatever stack's name is beside it. It is not deleted, either."""
    page = {**recorded("losses")[0], "StackId": ROOT.replace("/auth-jwt/", "/auth-jwt-2/"), "Status": "FAILED"}
    told = re.escape(f"{page['ChangeSetId']} is a change set of {page['StackId']}, and not of 'auth-jwt'")
    asked_for = {"StackName": "auth-jwt", "ChangeSetName": page["ChangeSetId"]}
    with stacks([("describe_change_set", page, asked_for)]) as made, pytest.raises(Stopped, match=told):
        made.read("auth-jwt", page["ChangeSetId"])


def test_a_change_set_that_is_not_made_yet_is_waited_for() -> None:
    first = recorded("losses")[0]
    waiting = [{**first, "Status": status, "Changes": []} for status in ("CREATE_PENDING", "CREATE_IN_PROGRESS")]
    answers = [("describe_change_set", page, NAMED) for page in (*waiting, first)]
    with stacks([*answers, *DOMAIN]) as made:
        found = made.read("auth-jwt", "auth-jwt-1")

    assert found is not None
    assert len(found.changes) == 9


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        pytest.param(
            "FAILED", "Template error: no such thing", "could not make the change set:\n  Template error", id="it"
        ),
        pytest.param("DELETE_COMPLETE", None, "is DELETE_COMPLETE: somebody has deleted it", id="somebody"),
    ],
)
def test_a_change_set_that_cannot_be_made_says_why(status: str, reason: str | None, told: str) -> None:
    page = {**recorded("losses")[0], "Status": status, "Changes": []}
    page.pop("NextToken", None)
    if reason:
        page["StatusReason"] = reason
    gone: list[Any] = [("delete_change_set", {}, {"StackName": "auth-jwt", "ChangeSetName": page["ChangeSetId"]})]
    answers = [("describe_change_set", page, NAMED), *(gone if status == "FAILED" else [])]
    with stacks(answers) as made, pytest.raises(Stopped, match=re.escape(told)):
        made.read("auth-jwt", "auth-jwt-1")


NESTED_FAILED = "Nested change set {} was not successfully created: Currently in FAILED."
"""What CloudFormation says of the root: https://github.com/aws/aws-sam-cli/issues/2406."""
DOMAIN_SET = ID.format("nested/dddd")


def failed(page: dict[str, Any], reason: str, **more: Any) -> dict[str, Any]:
    found = {**page, "Status": "FAILED", "StatusReason": reason, "Changes": [], **more}
    found.pop("NextToken", None)
    return found


def given_up(*answers: tuple[str, Any, Any], discarded: Any = None) -> str:
    """Read a change set that fails; return what is said. It is deleted, and with it those of nested stacks."""
    gone = (
        "delete_change_set",
        discarded,
        {"StackName": "auth-jwt", "ChangeSetName": recorded("a-release")[0]["ChangeSetId"]},
    )
    with stacks([*answers, gone]) as made, pytest.raises(Stopped) as caught:
        made.read("auth-jwt", "auth-jwt-1")
    return str(caught.value)


def asked(answer: Any, arn: str) -> tuple[str, Any, Any]:
    return "describe_change_set", answer, {"ChangeSetName": arn}


def test_each_nested_change_set_that_failed_says_why_and_all_are_deleted() -> None:
    """The root tells of one, and no reason. Another is still being made when the root has failed."""
    first, second, monitoring, admin = recorded("a-release")
    root = failed(first, NESTED_FAILED.format(monitoring["ChangeSetId"]), Changes=second["Changes"])
    said = given_up(
        ("describe_change_set", root, NAMED),
        asked(failed(monitoring, "Template error: instance of Fn::GetAtt"), monitoring["ChangeSetId"]),
        asked({**admin, "Status": "CREATE_IN_PROGRESS"}, admin["ChangeSetId"]),
        asked(failed(admin, "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"), admin["ChangeSetId"]),
    )

    assert said.splitlines()[:3] == [
        "CloudFormation could not make the change set:",
        "  Monitoring: Template error: instance of Fn::GetAtt",
        "  Admin: Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
    ]
    assert "make deploy ARGS=--root-only" in said
    assert NESTED_FAILED[:6] not in said


def test_a_nested_change_set_that_only_the_reason_names_is_asked() -> None:
    """By the name of its stack. A change set that is gone, or that nothing changes, is no reason."""
    first, _, monitoring, admin = recorded("a-release")
    reason = " ".join(
        NESTED_FAILED.format(arn) for arn in (DOMAIN_SET, monitoring["ChangeSetId"], admin["ChangeSetId"])
    )
    said = given_up(
        ("describe_change_set", failed(first, reason), NAMED),
        ("describe_change_set", "ChangeSetNotFound:gone", {"ChangeSetName": DOMAIN_SET}),
        asked(failed(monitoring, "no permission", StackName="auth-jwt-Monitoring-1"), monitoring["ChangeSetId"]),
        asked(admin, admin["ChangeSetId"]),
    )

    assert said.splitlines()[1] == "  auth-jwt-Monitoring-1: no permission"


def test_nobody_waits_for_ever_for_a_nested_change_set_whose_root_failed() -> None:
    first, _, monitoring, _ = recorded("a-release")
    waiting = asked({**monitoring, "Status": "CREATE_PENDING"}, monitoring["ChangeSetId"])
    reason = NESTED_FAILED.format(monitoring["ChangeSetId"])
    said = given_up(("describe_change_set", failed(first, reason), NAMED), *[waiting] * 60)

    assert said.splitlines()[1] == f"  {reason}"


def test_a_nested_change_set_that_fails_stops_the_deployment() -> None:
    """Though that of the root is complete."""
    first, second, monitoring, admin = recorded("a-release")
    wrong = failed(monitoring, "no permission")
    said = given_up(
        ("describe_change_set", first, NAMED),
        ("describe_change_set", second, None),
        asked(wrong, monitoring["ChangeSetId"]),
        ("describe_change_set", second, None),
        asked(wrong, monitoring["ChangeSetId"]),
        asked(admin, admin["ChangeSetId"]),
    )

    assert "Monitoring: no permission" in said


def test_a_failed_change_set_that_stays_is_told_beside_the_reason() -> None:
    first = recorded("a-release")[0]
    said = given_up(("describe_change_set", failed(first, "no"), NAMED), discarded="AccessDenied:you")

    assert said.splitlines()[1] == "  no"
    assert "It could not be deleted, either: cloudformation:DeleteChangeSet is refused: AccessDenied" in said


EARLY = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param(
            {
                "OperationEvents": [
                    {"EventId": "1", "EventType": "STACK_EVENT", "OperationStatus": "FAILED"},
                    {
                        "EventId": "2",
                        "EventType": "VALIDATION_ERROR",
                        "LogicalResourceId": "JwtProfiles",
                        "ResourceType": "AWS::DynamoDB::Table",
                        "ValidationStatus": "FAILED",
                        "ValidationName": "NAME_CONFLICT_VALIDATION",
                        "ValidationStatusReason": "Resource of type 'AWS::DynamoDB::Table' with identifier "
                        "'jwt_profiles' already exists.",
                        "ValidationPath": "/Resources/JwtProfiles",
                    },
                ]
            },
            "[JwtProfiles AWS::DynamoDB::Table /Resources/JwtProfiles: Resource of type 'AWS::DynamoDB::Table' with "
            "identifier 'jwt_profiles' already exists.]",
            id="told",
        ),
        pytest.param("AccessDenied:", "(cloudformation:describe_events is refused: AccessDenied)", id="no permission"),
    ],
)
def test_a_name_that_exists_is_named(answers: Any, told: str) -> None:
    """CloudFormation's own reason names nothing."""
    first = recorded("a-release")[0]
    said = given_up(
        ("describe_change_set", failed(first, EARLY), NAMED),
        ("describe_events", answers, {"ChangeSetName": first["ChangeSetId"]}),
    )

    assert told in said
    assert "A name exists already that the stack gives" in said


def test_what_was_not_asked_is_said_to_be_not_shown() -> None:
    """With --root-only, a nested stack is one resource that changes."""
    first, second, *_ = recorded("a-release")
    for item in second["Changes"]:
        item["ResourceChange"].pop("ChangeSetId", None)
    with stacks([("describe_change_set", first, NAMED), ("describe_change_set", second, None)]) as made:
        found = made.read("auth-jwt", "auth-jwt-1")

    assert found is not None
    text = "\n".join(lines_of(found.changes, losses_of(found.changes)))
    assert "NOT SHOWN: what changes within Admin, Monitoring: nobody asked (--root-only)" in text
    assert "NOT SHOWN" not in "\n".join(lines_of(read("a-release").changes, []))

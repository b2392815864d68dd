"""Going back to the version before, and deleting those that nobody gets: by the questions that Lambda is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.stub import Stubber

from auth_jwt.errors import Fault
from tests.unit.tools.release.cloudformation import a_client
from tools.release.stacks import Stopped
from tools.release.versions import Function, Functions, Record, Version

NAME = "auth-jwt-AuthorizeFunction-1"
ARN = f"arn:aws:lambda:eu-central-1:123456789012:function:{NAME}"
ASKED = {"FunctionName": NAME, "Name": "before"}
NO_RECORD = ("get_alias", "ResourceNotFoundException", ASKED)
SAID: list[str] = []


def a_function(
    live: int,
    *numbers: int,
    shared: tuple[int, ...] = (),
    owned: tuple[int, ...] = (),
    record: Record | None = None,
) -> Function:
    versions = [Version(number, f"2026-11-{number:02}T00:00:00Z", "Active") for number in numbers]
    return Function(NAME, "AuthorizeFunction", live, frozenset(shared), "revision", versions, frozenset(owned), record)


@contextmanager
def functions(*answers: tuple[str, Any, Any], resources: list[tuple[str, str]] | None = None) -> Iterator[Functions]:
    lambdas, cloudformation = a_client("lambda"), a_client()
    SAID.clear()
    with Stubber(lambdas) as stub, Stubber(cloudformation) as stacks:
        if resources is not None:
            told = [
                {
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": name,
                    "ResourceType": "AWS::Lambda::Version" if "Version" in logical_id else "AWS::Lambda::Function",
                    "LastUpdatedTimestamp": "2026-11-01T00:00:00Z",
                    "ResourceStatus": "DELETE_SKIPPED" if "Gone" in logical_id else "CREATE_COMPLETE",
                }
                for logical_id, name in resources
            ]
            stacks.add_response(
                "list_stack_resources",
                {"StackResourceSummaries": told[:1], "NextToken": "more"},
                {"StackName": "auth-jwt"},
            )
            stacks.add_response(
                "list_stack_resources",
                {"StackResourceSummaries": told[1:]},
                {"StackName": "auth-jwt", "NextToken": "more"},
            )
        for operation, answer, expected in answers:
            if isinstance(answer, str):
                stub.add_client_error(operation, answer, "", 409, expected_params=expected)
            else:
                stub.add_response(operation, answer, expected)
        yield Functions(lambdas, cloudformation, say=SAID.append, sleep=lambda _: None)
        stub.assert_no_pending_responses()


def told(number: str, mark: str = "", state: str = "Active") -> dict[str, Any]:
    description = f"A SIP frontend asks whose token this is {mark}".strip()
    return {"Version": number, "Description": description, "State": state}


def test_the_functions_of_a_stack_are_read_to_their_last_version() -> None:
    with functions(
        ("get_alias", {"FunctionVersion": "11", "RevisionId": "r"}, {"FunctionName": NAME, "Name": "live"}),
        (
            "list_versions_by_function",
            {"Versions": [told("$LATEST"), told("11", "(release 2026-11-02T00:00:00Z)")], "NextMarker": "more"},
            {"FunctionName": NAME},
        ),
        (
            "list_versions_by_function",
            {"Versions": [told("9", state="Inactive")]},
            {"FunctionName": NAME, "Marker": "more"},
        ),
        NO_RECORD,
        resources=[
            ("Api", "a1b2"),
            ("AuthorizeFunction", NAME),
            ("AuthorizeFunctionVersion2b", f"{ARN}:11"),
            ("AuthorizeFunctionVersion1aGone", f"{ARN}:9"),
            ("OtherFunctionVersion3c", f"{ARN}-other:10"),
        ],
    ) as made:
        (found,) = made.of_stack("auth-jwt")

    assert found.versions == [Version(9, None, "Inactive"), Version(11, "2026-11-02T00:00:00Z", "Active")]
    assert (found.live, found.shared, found.before) == (11, frozenset(), Version(9, None, "Inactive"))
    assert found.owned == {11}
    assert found.record is None
    assert list(map(str, found.versions)) == ["version 9 (no release)", "version 11 (release 2026-11-02T00:00:00Z)"]


def test_a_stack_of_somebody_else_is_named() -> None:
    with functions(resources=[("Api", "a1b2")]) as made, pytest.raises(Stopped, match="'auth-jwt' has none of"):
        made.of_stack("auth-jwt")


@pytest.mark.parametrize(
    ("function", "keep", "deleted"),
    [
        pytest.param(a_function(7, 5, 6, 7), 1, [5], id="all but the one before"),
        pytest.param(a_function(7, 5, 6, 7), 0, [5, 6], id="all but the live one"),
        pytest.param(a_function(7, 5, 6, 7), 9, [], id="none"),
        pytest.param(a_function(5, 3, 4, 5, 6), 1, [3], id="none above the live one, after a rollback"),
        pytest.param(a_function(5, 4, 5, 6), 0, [4], id="none above the live one, while the check asks it"),
        pytest.param(a_function(7, 5, 6, 7, owned=(5,)), 0, [6], id="none that the stack names"),
        pytest.param(
            a_function(7, 4, 5, 6, 7, record=Record(5, live=7)), 1, [4, 6], id="one that somebody went back from"
        ),
        pytest.param(
            a_function(8, 4, 5, 6, 7, 8, record=Record(6, live=8)), 2, [4, 7], id="one whose deployment failed"
        ),
        pytest.param(
            a_function(7, 4, 5, 6, 7, record=Record(5, left=frozenset({6}))), 1, [4, 6], id="one that was left"
        ),
        pytest.param(a_function(8, 5, 6, 7, 8, record=Record(5, live=6)), 1, [6], id="none that an alias names"),
        pytest.param(a_function(8, 5, 6, 7, 8, record=Record(5, live=6)), 0, [5, 6, 7], id="the record, too"),
        pytest.param(a_function(6, 5, 6, 7, shared=(7,)), 1, [], id="none that gets a part of the calls"),
        pytest.param(a_function(7, 7), 1, [], id="nothing to delete"),
    ],
)
def test_what_callers_get_and_what_one_goes_back_to_is_kept(function: Function, keep: int, deleted: list[int]) -> None:
    assert [version.number for version in function.superfluous(keep)] == deleted


@pytest.mark.parametrize(
    ("function", "before", "is_recorded"),
    [
        pytest.param(a_function(7, 5, 6, 7, record=Record(5, live=7)), 5, True, id="what callers got"),
        pytest.param(a_function(7, 5, 6, 7), 6, False, id="no record"),
        pytest.param(a_function(7, 5, 6, 7, record=Record(4, live=5)), 6, False, id="a record of another release"),
        pytest.param(a_function(7, 6, 7, record=Record(5, live=7)), 6, False, id="a record of a version that is gone"),
        pytest.param(a_function(5, 4, 5, 6, record=Record(5, left=frozenset({6}))), 4, False, id="after a rollback"),
        pytest.param(a_function(7, 5, 6, 7, record=Record(5, left=frozenset({6}))), 5, False, id="never what was left"),
        pytest.param(a_function(7, 6, 7, record=Record(5, left=frozenset({6}))), None, False, id="rather none"),
    ],
)
def test_going_back_leads_to_what_callers_got(function: Function, before: int | None, is_recorded: bool) -> None:
    """Versions 5 (good), 6 (bad, rolled back), 7 (bad, too): the number below would lead to 6 again."""
    assert (function.before.number if function.before else None) == before
    assert function.is_recorded is is_recorded


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Record(5, live=7), id="a release"),
        pytest.param(Record(5, left=frozenset({6, 7})), id="a rollback, twice"),
    ],
)
@pytest.mark.parametrize(("old", "operation"), [(None, "create_alias"), (Record(4, live=5), "update_alias")])
def test_what_is_written_down_is_read_again(record: Record, old: Record | None, operation: str) -> None:
    alias = {"FunctionVersion": "5", "Description": str(record)}
    live = ("get_alias", {"FunctionVersion": "7"}, {"FunctionName": NAME, "Name": "live"})
    listed: tuple[str, Any, Any] = ("list_versions_by_function", {"Versions": []}, None)
    with functions(
        (operation, {}, {**ASKED, **alias}),
        live,
        listed,
        ("get_alias", alias, ASKED),
        resources=[("AuthorizeFunction", NAME)],
    ) as made:
        made.remember(a_function(7, 5, 6, 7, record=old), record)
        (found,) = made.of_stack("auth-jwt")

    assert found.record == record


def test_an_alias_of_somebody_else_says_nothing() -> None:
    live = ("get_alias", {"FunctionVersion": "7"}, None)
    listed = ("list_versions_by_function", {"Versions": [told("6"), told("7")]}, None)
    own = ("get_alias", {"FunctionVersion": "6", "Description": "mine"}, ASKED)
    with functions(live, listed, own, resources=[("AuthorizeFunction", NAME)]) as made:
        (found,) = made.of_stack("auth-jwt")

    assert (found.record, found.is_recorded) == (Record(6), False)


def test_the_alias_moves_as_a_whole_and_only_as_it_was_seen() -> None:
    """During a canary, a part of the calls would otherwise go on to the version that one leaves."""
    asked = {
        "FunctionName": NAME,
        "Name": "live",
        "FunctionVersion": "6",
        "RoutingConfig": {"AdditionalVersionWeights": {}},
        "RevisionId": "revision",
    }
    function = a_function(7, 6, 7)
    with functions(("update_alias", {"FunctionVersion": "6"}, asked)) as made:
        made.point(function, function.versions[0])


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        pytest.param("PreconditionFailedException", Stopped, "somebody changed the alias", id="somebody else"),
        pytest.param("AccessDeniedException", Fault, "UpdateAlias of .* is refused", id="no permission"),
    ],
)
def test_an_alias_that_does_not_move_is_told(code: str, kind: type[Exception], text: str) -> None:
    function = a_function(7, 6, 7)
    with functions(("update_alias", code, None)) as made, pytest.raises(kind, match=text):
        made.point(function, function.versions[0])


QUALIFIED = {"FunctionName": NAME, "Qualifier": "6"}


def state(word: str) -> tuple[str, Any, Any]:
    return "get_function_configuration", {"State": word}, QUALIFIED


def test_a_version_without_a_snapshot_is_woken_before_anybody_gets_it() -> None:
    call = ("invoke", "SnapStartNotReadyException", {**QUALIFIED, "Payload": b'{"warmer": true}'})
    function = a_function(7, 6, 7)
    with functions(state("Inactive"), call, state("Pending"), state("Active")) as made:
        made.wake(function, function.versions[0])

    assert [
        f"{NAME} version 6 (release 2026-11-06T00:00:00Z) is Inactive: it is woken, which takes some minutes"
    ] == SAID


def test_a_version_that_failed_gets_no_calls() -> None:
    function = a_function(7, 6, 7)
    with functions(state("Failed")) as made, pytest.raises(Stopped, match="is Failed: it cannot answer"):
        made.wake(function, function.versions[0])


def test_nobody_waits_for_ever() -> None:
    function = a_function(7, 6, 7)
    with functions(*[state("Pending")] * 3) as made, pytest.raises(Stopped, match="is Pending"):
        made.wake(function, function.versions[0], seconds=10)


def test_a_version_is_deleted_by_its_number_and_never_the_function() -> None:
    """Without a qualifier, Lambda would delete the function."""
    function = a_function(7, 6, 7)
    with functions(("delete_function", {"StatusCode": 204}, QUALIFIED)) as made:
        made.delete(function, function.versions[0])

"""docs/operations.md is followed to the letter, in an account where things are as it says: as far as moto goes.

moto takes nothing back of a stack that failed, so what CloudFormation would have deleted is still there. Of what counts
here, tables that outlive a stack and keep their names taken, it does as CloudFormation is documented to.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from tests.aws_commands import Command, blocks_of, commands_of, section_of
from tests.deployment.account import account, client, deploy
from tools.events.stage import SAMPLES, Stage, environment, load_handler, read_json
from tools.template.stack import TEMPLATE, properties, sources, stack_of

PAGE = (TEMPLATE.parent / "docs" / "operations.md").read_text(encoding="utf-8")
STACK = "auth-jwt"
TABLES = ["jwt_profiles", "jwt_secrets"]
IN_THE_WAY = f"/aws/lambda/{STACK}-authorize"  # a log group that an earlier try has left, say


def commands_under(title: str) -> list[list[Command]]:
    """Return the commands that the page shows under a heading, block by block."""
    return [list(commands_of(block)) for block in blocks_of(section_of(PAGE, title))]


def do(commands: list[Command]) -> list[Any]:
    return [command.do(client) for command in commands]


def tables() -> list[str]:
    return sorted(client("dynamodb").list_tables()["TableNames"])


LOOK, COUNT, DELETE = commands_under("A first deployment that failed")


@pytest.fixture(name="failed")
def _failed() -> Iterator[None]:
    """Be where the first deployment has failed, after it made its tables; what made it fail is removed."""
    with account():
        client("logs").create_log_group(logGroupName=IN_THE_WAY)
        with pytest.raises(ResponseParserError, match="ResourceAlreadyExistsException"):  # moto's way to fail
            deploy(STACK)
        assert tables() == TABLES
        client("logs").delete_log_group(logGroupName=IN_THE_WAY)
        yield


def test_without_the_recipe_the_next_attempt_fails(failed: None) -> None:
    """On the stack that is left, and without it on the tables."""
    with pytest.raises(ClientError, match="Stack auth-jwt already exists"):
        deploy(STACK)
    do(LOOK)
    with pytest.raises(ResponseParserError, match="ResourceInUseException"):
        deploy(STACK)


def test_tables_that_are_empty_are_deleted_and_the_next_attempt_makes_them(failed: None) -> None:
    do(LOOK)
    assert tables() == TABLES
    assert [answer["Count"] for answer in do(COUNT)] == [0, 0]
    do(DELETE)
    assert tables() == []

    stack = deploy(STACK)

    assert tables() == TABLES
    assert stack.outputs["ProfilesTableName"] == "jwt_profiles"


def test_no_step_of_deleting_can_be_left_out(failed: None) -> None:
    """The tables are protected; the recipe says what for and how."""
    do(LOOK)
    with pytest.raises(ClientError, match="DeletionProtectionEnabled is set to True"):
        do([command for command in DELETE if command.operation == "delete_table"])


def test_tables_with_rows_are_kept_and_used(failed: None) -> None:
    """With the one parameter that the page names."""
    client("dynamodb").batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
    do(LOOK)
    assert all(answer["Count"] > 0 for answer in do(COUNT))
    assert "`CreateTables=false`" in section_of(PAGE, "A first deployment that failed")

    stack = deploy(STACK, CreateTables="false")

    with environment({**stack.environment("authorize"), "DYNAMODB_CLIENT": "boto3"}):
        stage = Stage(load_handler("authorize"), client("dynamodb"), "authorize")
        answer = stage.ask(read_json(SAMPLES / "authorize" / "rest-authorized-by-header.json"))
    assert answer.is_good


def test_the_recipe_names_the_tables_of_the_template() -> None:
    """Each of them, in each of its loops."""
    for block in (COUNT, DELETE):
        assert sorted({command.parameters["TableName"] for command in block}) == TABLES


def test_a_bound_of_reads_is_taken_away_of_every_table() -> None:
    """Only the calls are looked at, which botocore finds well-formed: moto knows of no bounds."""
    ((*commands,),) = commands_under("A bound that stays")

    with account():
        deploy(STACK, MaxReadUnits="500")
        do(commands)
    assert [command.parameters for command in commands] == [
        {"TableName": table, "OnDemandThroughput": {"MaxReadRequestUnits": -1}} for table in TABLES
    ]


def test_a_table_of_revoked_tokens_made_by_hand_is_the_templates() -> None:
    """With its keys, its protection, encryption and backups, and the column by which rows delete themselves."""
    (commands,) = commands_under("The table of revoked tokens")

    with account():
        meant = properties(stack_of(sources(), RevocationsTable="jwt_revocations"), "JwtRevocations")
        do(commands)
        db, name = client("dynamodb"), {"TableName": "jwt_revocations"}
        table = db.describe_table(**name)["Table"]
        backups = db.describe_continuous_backups(**name)["ContinuousBackupsDescription"]
        expiry = db.describe_time_to_live(**name)["TimeToLiveDescription"]

    for key in ("TableName", "KeySchema", "AttributeDefinitions", "DeletionProtectionEnabled"):
        assert table[key] == meant[key]
    assert table["BillingModeSummary"]["BillingMode"] == meant["BillingMode"]
    assert (table["SSEDescription"]["Status"], table["SSEDescription"]["SSEType"]) == ("ENABLED", "KMS")
    assert meant["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert meant["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")
    assert meant["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}

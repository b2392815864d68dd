"""Every `aws` command that a page shows is one that AWS's API knows, by its service, operation and options."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_commands import Command, blocks_of, commands_of

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "frontends").rglob("README.md"))]
PAGES = [page for page in PAGES if "node_modules" not in page.parts]


def shown(page: Path) -> Iterator[Command]:
    for block in blocks_of(page.read_text(encoding="utf-8")):
        yield from commands_of(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_ones_that_aws_knows(page: Path) -> None:
    assert all(isinstance(command, Command) for command in shown(page))


def test_they_are_found() -> None:
    """Or the test above looks at nothing."""
    found = {(command.service, command.operation) for page in PAGES for command in shown(page)}

    assert {("apigateway", "get_api_key"), ("dynamodb", "update_table"), ("secretsmanager", "rotate_secret")} <= found


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("aws dinamodb list-tables", id="a service"),
        pytest.param("aws dynamodb drop-table --table-name t", id="an operation"),
        pytest.param("aws dynamodb delete-table --table t", id="an option"),
        pytest.param("aws dynamodb delete-table", id="one that is needed"),
        pytest.param("aws dynamodb wait table-deleted --table-name t", id="what is waited for"),
        pytest.param("aws dynamodb update-table --table-name t --on-demand-throughput Reads=1", id="a part of a value"),
        pytest.param(
            """aws dynamodb update-table --table-name t --replica-updates '[{"Create": {"Region": "x"}}]'""",
            id="a part of a value in JSON",
        ),
        pytest.param("X=$(aws dynamodb delete-table --tabel-name t)", id="within another command"),
    ],
)
def test_a_command_that_would_not_work_is_noticed(line: str) -> None:
    with pytest.raises(ValueError, match=r"has no|nothing of|needs"):
        list(commands_of(line))


def test_a_command_is_read_as_the_cli_reads_it() -> None:
    block = """\
for table in one two; do
  aws dynamodb update-table --table-name "$table" --no-deletion-protection-enabled # still there
done
aws dynamodb create-table --table-name three --deletion-protection-enabled --attribute-definitions \\
  AttributeName=a,AttributeType=S AttributeName=b,AttributeType=N --key-schema AttributeName=a,KeyType=HASH
aws dynamodb wait table-exists --table-name three
COUNT=$(aws dynamodb scan --table-name three --select COUNT --limit 5 --query Count --output text) && echo "$COUNT"
"""
    (turns,) = blocks_of(f"```sh\n{block}```\n")

    assert list(commands_of(turns)) == [
        Command("dynamodb", "update_table", {"TableName": "one", "DeletionProtectionEnabled": False}),
        Command("dynamodb", "update_table", {"TableName": "two", "DeletionProtectionEnabled": False}),
        Command(
            "dynamodb",
            "create_table",
            {
                "TableName": "three",
                "DeletionProtectionEnabled": True,
                "AttributeDefinitions": [
                    {"AttributeName": "a", "AttributeType": "S"},
                    {"AttributeName": "b", "AttributeType": "N"},
                ],
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            },
        ),
        Command("dynamodb", "table_exists", {"TableName": "three"}, waits=True),
        Command("dynamodb", "scan", {"TableName": "three", "Select": "COUNT", "Limit": 5}),
    ]

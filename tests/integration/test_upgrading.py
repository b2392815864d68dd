"""docs/upgrading.md: its commands, run as they stand there, over a table of rows that do not say what their key is."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from auth_jwt_cli.migration.findings import RULES
from tests.command_line import environment_of
from tests.doubtful_keys import DOUBTFUL
from tests.factories import HMAC_KEY, public_pem
from tests.moto_server import a_moto_server
from tools.events.stage import REGION, create_tables, template

PAGE = (Path(__file__).parents[2] / "docs" / "upgrading.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BEFORE, DRY, WRITE, AFTER = range(4)


@pytest.fixture(name="address")
def _address() -> Iterator[str]:
    with a_moto_server() as address:
        yield address


@pytest.fixture(name="client")
def _client(address: str) -> Any:
    client = boto3.client(
        "dynamodb", region_name=REGION, endpoint_url=address,
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
    create_tables(client, template())
    for tag, secret in (("alice", HMAC_KEY), ("bob", public_pem("p256"))):
        client.put_item(TableName="jwt_profiles", Item={"tag": {"S": tag}, "sip_username": {"S": tag}})
        put(client, tag, secret)
    return client


def put(client: Any, tag: str, secret: str) -> None:
    bounds = {"start_ts": {"N": "1"}, "end_ts": {"N": "4102444800"}}
    row = {"corresponding_tag": {"S": tag}, "id": {"S": "1"}, "secret": {"S": secret}}
    client.put_item(TableName="jwt_secrets", Item={**row, **bounds})


def algs(client: Any) -> dict[str, str | None]:
    items = client.scan(TableName="jwt_secrets")["Items"]
    return {item["corresponding_tag"]["S"]: item.get("alg", {}).get("S") for item in items}


def run(block: int, address: str, folder: Path, exit_code: int = 0) -> str:
    """Run a block of the page; what it shows."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", BLOCKS[block]],
        cwd=folder,
        env=environment_of(address.removeprefix("http://"), folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == exit_code, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def test_the_page_leads_to_a_table_in_which_every_row_says_what_it_is(
    client: Any, address: str, tmp_path: Path
) -> None:
    run(AFTER, address, tmp_path, exit_code=1)  # too early
    assert "no-alg" in run(BEFORE, address, tmp_path)
    assert "2 would be written" in run(DRY, address, tmp_path)
    assert algs(client) == {"alice": None, "bob": None}
    assert "2 written" in run(WRITE, address, tmp_path)
    assert algs(client) == {"alice": "HS256,HS384,HS512", "bob": "ES256"}
    assert "Found nothing" in run(AFTER, address, tmp_path)


@pytest.mark.whole_only("the test above runs the page's commands, and test_cli_set_alg.py has rows in doubt")
def test_a_row_in_doubt_is_named_at_each_step_until_somebody_says_what_it_is(
    client: Any, address: str, tmp_path: Path
) -> None:
    put(client, "carol", DOUBTFUL)

    assert "in-doubt" in run(BEFORE, address, tmp_path)
    assert "left  carol  1  in_doubt" in run(DRY, address, tmp_path)
    assert "1 left" in run(WRITE, address, tmp_path)
    run(AFTER, address, tmp_path, exit_code=1)
    assert algs(client)["carol"] is None


def test_the_page_has_these_blocks_and_names_rules_that_there_are() -> None:
    assert len(BLOCKS) == 4
    about_rows = PAGE[: PAGE.index("\n## From ")]
    rows = re.findall(r"^\| (`[a-z`, -]+) \|", about_rows, re.MULTILINE)
    named = {rule for row in rows for rule in re.findall(r"`([a-z-]+)`", row)}
    assert {"in-doubt", "degenerate-key", "published-key", "blank-key", "weak-words", "no-alg"} <= named <= set(RULES)

"""docs/command-line.md and docs/live-tables.md: their examples are run, the tables of the first held to the code."""

import contextlib
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import typer.main
from typer.testing import CliRunner

from auth_jwt_cli.main import app
from auth_jwt_cli.output import EXIT_CODES
from tests.command_line import environment_of, sample_tables
from tests.sampling import WHOLE
from tools.events.stage import REGION, environment

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
TEXT = PAGE.read_text("utf-8")
LIVE_TABLES = (PAGE.parent / "live-tables.md").read_text("utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", TEXT + LIVE_TABLES, re.MULTILINE | re.DOTALL)
TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ( \([^)]*\))?|\b(closed )?\d+ \w+ ago|\bclosed now")


def examples(block: str) -> list[tuple[str, str]]:
    """Each command of a block, and what the page shows of its output."""
    return [(command, shown) for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield endpoint


def run(command: str, endpoint: str, folder: Path) -> tuple[int, str, str]:
    """Run a command of the page as a shell does; its exit code, standard output and standard error.

    Without WHOLE, one that needs no shell runs in this process, which takes a tenth of the time.
    """
    variables = environment_of(endpoint, folder)
    if not WHOLE and command.startswith("auth-jwt ") and not set("|<>$&;*`\\") & set(command):
        with environment(variables), contextlib.chdir(folder):
            result = CliRunner().invoke(app, shlex.split(command)[1:], env=variables)
        return result.exit_code, result.stdout, result.stderr
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=variables,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


def begin_earlier(endpoint: str) -> None:
    """Let windows that have just begun have begun a minute ago: nobody types two commands in one second."""
    client = boto3.client(
        "dynamodb", region_name=REGION, endpoint_url=f"http://{endpoint}",
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
    minute_ago = int(time.time()) - 60
    for item in client.scan(TableName="jwt_secrets")["Items"]:
        if "start_ts" in item and float(item["start_ts"]["N"]) > minute_ago:  # a deleted profile has none
            client.put_item(TableName="jwt_secrets", Item={**item, "start_ts": {"N": str(minute_ago)}})


@pytest.mark.parametrize("block", BLOCKS, ids=[examples(block)[0][0] for block in BLOCKS])
def test_the_examples_do_what_the_page_says(block: str, endpoint: str, tmp_path: Path) -> None:
    for command, shown in examples(block):
        begin_earlier(endpoint)
        code, out, err = run(command, endpoint, tmp_path)

        refused = "\ndenied: " in shown
        assert code == (1 if refused else 0), f"{command}\n{err}"
        assert not shown or TIMES.sub("TIME", out) == TIMES.sub("TIME", shown)


def test_there_are_examples() -> None:
    assert sum(len(examples(block)) for block in BLOCKS) >= 15


def test_the_page_lists_every_command() -> None:
    rows = re.findall(r"^\| (`auth-jwt .*?) \|", TEXT, re.MULTILINE)
    named = set()
    for row in rows:
        group = ""
        for words in re.findall(r"`([^`]+)`", row):
            path = words.removeprefix("auth-jwt ").split()
            group = path[0] if words.startswith("auth-jwt ") else group
            named.add(" ".join(path) if words.startswith("auth-jwt ") else f"{group} {words}")

    there = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        there |= {f"{name} {sub}" for sub in command.commands} if hasattr(command, "commands") else {name}

    assert named == there


def test_the_page_lists_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", TEXT, re.MULTILINE)

    assert {int(code): meaning for code, meaning in rows} == dict(EXIT_CODES)

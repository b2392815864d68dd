"""docs/command-line.md and docs/live-tables.md: their examples are run, the tables of the first held to the code."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from auth_jwt_cli.main import app
from auth_jwt_cli.output import EXIT_CODES
from tests.command_line import environment_of, sample_tables

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


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_examples_do_what_the_page_says(block: str, endpoint: str, tmp_path: Path) -> None:
    for command, shown in examples(block):
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, env=environment_of(endpoint, tmp_path),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

        refused = "\nrefused: " in shown
        assert ended.returncode == (1 if refused else 0), f"{command}\n{ended.stderr}"
        assert not shown or TIMES.sub("TIME", ended.stdout) == TIMES.sub("TIME", shown)


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

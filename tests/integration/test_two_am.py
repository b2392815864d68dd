"""The walk *At 2 a.m.* of docs/operations.md is done as it stands: a real stack's logs, tables and audit, in memory."""

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import TAG, CommandLine, a_command_line
from tests.logs_in_moto import give_insights, has_function, has_lines, has_stack
from tools.events.stage import REVOCATIONS, load_handler

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
WALK = PAGE.partition("\n## At 2 a.m.\n")[2].partition("\n## ")[0]
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", WALK, re.DOTALL) for line in block.splitlines() if line.strip()
]
SETTINGS = {"REVOCATIONS_TABLE": REVOCATIONS, "CACHE_TTL_SECONDS": "0"}
GROUP, ADMIN = "/aws/lambda/auth-jwt-authorize", "auth-jwt-ProvisioningLogGroup-1"


@pytest.fixture(name="night")
def _night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """Somebody closed the secret with which Alice's issuer signs, and Alice tries to log in."""
    with a_command_line(tmp_path, CACHE_TTL_SECONDS="0", DYNAMODB_CLIENT="boto3") as command_line:
        give_insights(monkeypatch)
        has_stack(
            {
                "AuthorizeFunctionArn": has_function("auth-jwt-authorize", group=GROUP, **SETTINGS),
                "AdminLogGroupName": ADMIN,
            }
        )
        has_lines(ADMIN, [])
        command_line("profile", "add", TAG, "--username", "alice", "--domain", "example.org", "--generate")
        token = command_line.token()
        (tmp_path / "alice.token").write_text(token)
        command_line("secret", "rotate", TAG, "--generate")
        command_line("secret", "close", TAG, "1")
        capsys.readouterr()
        load_handler()({"jwt_token": token}, None)
        has_lines(GROUP, capsys.readouterr().out.splitlines(), at=time.time() - 1)
        monkeypatch.chdir(tmp_path)
        yield command_line


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--tail" not in command])
def test_each_command_of_the_walk_finds_the_cause(night: CommandLine, command: str) -> None:
    program, *arguments = shlex.split(command)
    refuses = arguments[0] in ("why", "token")

    shown = night(*arguments, exit_code=1 if refuses else 0).stdout

    assert program == "auth-jwt"
    assert ("secret.close" if arguments[0] == "audit" else "bad_signature") in shown


def test_the_walk_has_all_five_commands() -> None:
    assert {" ".join(shlex.split(command)[1:2]) for command in COMMANDS} == {"refusals", "audit", "why", "token"}
    assert sum("--tail" in command for command in COMMANDS) == 1

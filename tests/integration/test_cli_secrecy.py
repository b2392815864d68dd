"""No command shows a secret that is in the tables, or a token that it was given: not on the screen, not in the audit.

Each command of docs/permissions.md runs over the same rows, as text and as JSON.
"""

import base64
import json
import shlex
from collections.abc import Iterator
from typing import Final

import boto3
import pytest

from tests.command_line import TAG, CommandLine, a_command_line
from tests.integration.test_people_permissions import COMMANDS, FUNCTION, INTERRUPTED_AT, has_a_function, has_rows
from tests.logs_in_moto import has_stack
from tools.events.stage import REGION

RUN: Final = [name for name in COMMANDS if name not in INTERRUPTED_AT and name != "token mint"]
"""All but those that somebody has to end, and the one that is there to show a token."""


@pytest.fixture(name="operator", scope="module")
def _operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("secrecy")) as auth_jwt:
        has_a_function()
        has_stack({"AuthorizeFunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:{FUNCTION}"})
        yield auth_jwt


def kept_values() -> set[str]:
    """Every secret in the tables."""
    items = boto3.client("dynamodb", region_name=REGION).scan(TableName="jwt_secrets")["Items"]
    return {item["secret"]["S"] for item in items if "secret" in item}


@pytest.mark.parametrize("name", RUN)
def test_a_command_shows_no_secret_and_no_token(operator: CommandLine, name: str) -> None:
    operator.wipe()
    token = has_rows(operator)
    values = kept_values()
    assert len(values) >= 2
    operator.written.clear()
    words = [*shlex.split(COMMANDS[name].format(folder=operator.folder)), "--function", FUNCTION]
    given = {"bulk enable": "off", "token explain": token, "revoke --token-file": token}.get(name, TAG)

    operator(*words, given=given, exit_code=None)
    operator(*words, "--json", given=given, exit_code=None)

    shown = "".join(operator.written) + json.dumps(operator.audit)
    assert shown
    for value in (*values, token, token.rpartition(".")[2]):
        for form in (value, base64.b64encode(value.encode()).decode()):
            assert form not in shown

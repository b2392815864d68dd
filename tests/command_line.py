"""The command `auth-jwt`: in this process over DynamoDB in memory, or as installed over DynamoDB behind a socket."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from typer.testing import CliRunner, Result

from auth_jwt_cli.main import app
from tests.measured import MEASURED
from tests.moto_server import a_moto_server
from tests.prepared_command import INSTALLED, prepared_command
from tests.sampling import WHOLE
from tools.events.stage import REGION, REVOCATIONS, create_tables, environment, template
from tools.serve.tables import load

TAG = "alice-web"


@dataclass
class CommandLine:
    """Somebody at a shell, without a terminal."""

    folder: Path
    environment: dict[str, str]
    files: Path
    written: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, exit_code: int | None = 0, given: str = "", **variables: str) -> Result:
        """Run a command that is to end with *exit_code*, or with any; *given* is on its standard input."""
        own = {"COLUMNS": None, **self.environment, **variables}  # as wide as it takes, whatever runs the tests
        result = CliRunner().invoke(app, arguments, input=given, env=own)
        self.written += [result.stdout, result.stderr]
        assert exit_code in (None, result.exit_code), result.output
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: str, exit_code: int = 0, given: str = "") -> Any:
        """Return the one document that a command with `--json` writes."""
        return json.loads(self(*arguments, "--json", exit_code=exit_code, given=given).stdout)

    def lines(self, *arguments: str, exit_code: int = 0, given: str = "") -> list[Any]:
        """Return the objects that a list with `--json` writes, one a line."""
        return [
            json.loads(line)
            for line in self(*arguments, "--json", exit_code=exit_code, given=given).stdout.splitlines()
        ]

    def file(self, text: str, name: str = "given") -> str:
        """Write a file and return its path."""
        path = self.files / name
        path.write_bytes(text.encode())
        return str(path)

    @property
    def audit(self) -> list[dict[str, Any]]:
        """What was noted of writes."""
        path = self.folder / "auth-jwt" / "audit.log"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def has_a_user(self, tag: str = TAG) -> str:
        """Add a user with a generated secret; return its value."""
        created = self.json("profile", "add", tag, "--username", "alice", "--generate")
        value: str = created["secret"]["value"]
        return value

    def token(self, tag: str = TAG, *arguments: str) -> str:
        """Mint a token."""
        return self("token", "mint", tag, *arguments).stdout.strip()

    def wipe(self) -> None:
        """Leave the tables empty, and no audit."""
        client = boto3.client("dynamodb", region_name=REGION)
        for table, keys in KEYS.items():
            for item in client.scan(TableName=table)["Items"]:
                client.delete_item(TableName=table, Key={key: item[key] for key in keys})
        (self.folder / "auth-jwt" / "audit.log").unlink(missing_ok=True)
        self.written.clear()


KEYS = {
    "jwt_profiles": ("tag",),
    "jwt_secrets": ("corresponding_tag", "id"),
    REVOCATIONS: ("tag", "jti"),
}


def command() -> Path:
    """Return the command that runs as a process of its own: the installed one in a whole run, else the prepared one."""
    return INSTALLED if WHOLE else prepared_command()


@contextmanager
def sample_tables() -> Iterator[str]:
    """DynamoDB behind a socket, with the sample rows; its host and port."""
    with a_moto_server() as address:
        load(address, template())
        yield address.removeprefix("http://")


def environment_of(endpoint: str, home: Path) -> dict[str, str]:
    """The variables of a shell at the tables behind *endpoint*."""
    return {
        "PATH": f"{command().parent}:{os.environ['PATH']}",
        **MEASURED,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "DB_URL": f"dynamodb+http://{endpoint}/{REGION}",
        "REVOCATIONS_TABLE": REVOCATIONS,
    }


@contextmanager
def a_command_line(folder: Path, **settings: str) -> Iterator[CommandLine]:
    """Tables as the template makes them, and a shell with nothing of this machine's in its environment."""
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "REVOCATIONS_TABLE": REVOCATIONS,
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        **settings,
    }
    with environment(variables), mock_aws(config={"lambda": {"use_docker": False}}):
        create_tables(boto3.client("dynamodb", region_name=REGION), template())
        yield CommandLine(folder, variables, folder)

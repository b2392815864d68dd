"""Where attacks happen: the real handlers and the command line over one account in memory, and all that they write."""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from auth_jwt.aws.client import dynamodb_client
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt_cli.main import app
from tests.factories import StoredRow
from tests.issuers import item_of
from tests.security.attacks import Attack
from tools.events.stage import (
    FALSE_CREDENTIALS,
    REGION,
    Answer,
    Stage,
    create_tables,
    environment,
    lambda_environment,
    load_handler,
    template,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Settings = Mapping[str, str]
Key = tuple[str, tuple[tuple[str, str], ...]]

PATIENT = {"DYNAMODB_CLIENT": "boto3", "STORE_TIMEOUT_MS": "9000"}
"""What is set everywhere: tables in this process answer as fast as the machine has time for them."""

KEYS = {"jwt_profiles": ("tag",), "jwt_secrets": ("corresponding_tag", "id")}


@dataclass
class Place:
    """An account with the template's tables, and everything that decides about tokens by them.

    A handler is loaded once for each of its environments. It forgets what it remembers when other rows are stored, as
    a new process of it would.

    Attributes:
        tables: the account's owner, who stores rows.
        folder: where the command line may write.
        refusals: what nonsense was answered at each entry.
    """

    tables: "DynamoDBClient"
    folder: Path
    refusals: dict[tuple[object, ...], object] = field(default_factory=dict, repr=False)
    _stages: dict[Key, Stage] = field(default_factory=dict, repr=False)
    _provisioning: tuple[Key, Stage] | None = field(default=None, repr=False)
    _awake: set[Key] = field(default_factory=set, repr=False)
    _stored: dict[str, list[StoredRow]] = field(default_factory=lambda: {table: [] for table in KEYS}, repr=False)

    def store(self, attack: Attack) -> None:
        """Have the tables hold the rows of *attack*, and no others."""
        self.store_rows(attack.rows, attack.profiles)

    def store_rows(self, secrets: tuple[StoredRow, ...], profiles: tuple[StoredRow, ...]) -> None:
        """Have the tables hold these rows, and no others."""
        wanted = {"jwt_secrets": list(secrets), "jwt_profiles": list(profiles)}
        if wanted == self._stored:
            return
        for table, rows in wanted.items():
            self._write(table, rows)
        self._stored = wanted
        for stage in self._stages.values():
            stage.handler.__globals__["service"].cache_clear()
        self._awake.clear()

    def _write(self, table: str, rows: list[StoredRow]) -> None:
        def key_of(row: StoredRow) -> tuple[object, ...]:
            return tuple(row[name] for name in KEYS[table])

        gone = {key_of(row): row for row in self._stored[table]}
        for row in rows:
            gone.pop(key_of(row), None)
        keys = [{name: row[name] for name in KEYS[table]} for row in gone.values()]
        requests: list[Any] = [{"DeleteRequest": {"Key": item_of(key)}} for key in keys]
        requests += [{"PutRequest": {"Item": item_of(row)}} for row in rows]
        for at in range(0, len(requests), 25):
            self.tables.batch_write_item(RequestItems={table: requests[at : at + 25]})

    def ask(self, function: str, settings: Settings, event: Any) -> Answer:
        """Give *event* to a function whose environment has these *settings*."""
        key = (function, tuple(sorted(settings.items())))
        if key in self._awake:  # it has read its environment
            return self._stages[key].ask(event)
        with environment(lambda_environment(template(), {**PATIENT, **settings}, function)):
            if function == "provisioning":
                return self._ask_provisioning(key, event)
            if key not in self._stages:
                self._stages[key] = Stage(load_handler(function), self.tables, function)
            self._awake.add(key)
            return self._stages[key].ask(event)

    def _ask_provisioning(self, key: Key, event: Any) -> Answer:
        """Give *event* to the admin API. Its routes are shared by all that is loaded of it, so it is loaded once."""
        if self._provisioning is None:
            self._provisioning = (key, Stage(load_handler("provisioning"), self.tables, "provisioning"))
        of, stage = self._provisioning
        if of != key:
            stage.handler.__globals__["settings"].cache_clear()
            self._provisioning = (key, stage)
        return stage.ask(event)

    def run(self, settings: Settings, *arguments: str, given: str) -> Result:
        """Run `auth-jwt` with *given* on its standard input; an exception is none of its endings."""
        variables = {**FALSE_CREDENTIALS, "XDG_STATE_HOME": str(self.folder), **settings}
        with environment(variables):
            result = CliRunner().invoke(app, arguments, input=given, env={"COLUMNS": None})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    """Make the account. The clients of functions and commands are kept: making one takes longer than the rest."""
    with ExitStack() as stack:
        stack.enter_context(environment(FALSE_CREDENTIALS))
        stack.enter_context(mock_aws())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("auth_jwt.runtime.wiring.dynamodb_client", cache(dynamodb_client))
        patch.setattr("auth_jwt_cli.connection.provisioning_client", _kept(provisioning_client))
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client, template())
        yield Place(client, folder)


def _kept(make_client: Any) -> Any:
    """Keep the client of a command for the next one: each has a session of its own, and all have one account."""
    clients: dict[tuple[object, object], Any] = {}

    def keep(*, region: str | None, endpoint: str | None, session: Any) -> Any:
        if (region, endpoint) not in clients:
            clients[region, endpoint] = make_client(region=region, endpoint=endpoint, session=session)
        return clients[region, endpoint]

    return keep


class Written(logging.Handler):
    """What anything in this process writes but to standard output: records of all loggers, at any level, and stderr."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.stderr = io.StringIO()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record as it would be written."""
        self.records.append(self.format(record))

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([*self.records, self.stderr.getvalue()])


@contextmanager
def watching() -> Iterator[Written]:
    """Note what is written."""
    written, root = Written(), logging.getLogger()
    level = root.level
    root.addHandler(written)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stderr(written.stderr):
            yield written
    finally:
        root.setLevel(level)
        root.removeHandler(written)

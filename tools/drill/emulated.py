"""DynamoDB and S3 of moto, each server a process of its own, with the tables of the template as a stack makes them."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from tools.drill.tables import TableSettings, establish
from tools.events.stage import REVOCATIONS, SAMPLES, create_tables, read_json, template, with_defaults

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 30.0
_TAG: Final = ("stack", "auth-jwt")


@dataclass(frozen=True, slots=True)
class Emulator:
    """A server of moto.

    Attributes:
        process: its process.
        port: of this machine.
        region: that its clients use.
    """

    process: subprocess.Popen[bytes]
    port: int
    region: str

    @property
    def endpoint(self) -> str:
        """The address."""
        return f"http://{HOST}:{self.port}"

    def client(self, service: Any) -> Any:  # noqa: ANN401 - boto3's stubs know services by their literal names
        """Return a client of *service*."""
        import boto3

        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - any will do
        )

    def stop(self) -> None:
        """End it, with all it holds."""
        self.process.kill()
        self.process.wait()


def start(region: str, *, port: int = 0) -> Emulator:
    """Start a server on *port* of this machine, or on a free one; it may not answer yet."""
    port = port or _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Emulator(process, port, region)


def wait_until_ready(emulator: Emulator) -> None:
    """Wait until a server answers.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(URLError, ConnectionError), urlopen(f"{emulator.endpoint}/moto-api/"):  # noqa: S310
            return
        if emulator.process.poll() is not None:
            break
        time.sleep(0.05)
    raise TimeoutError(f"moto did not start on port {emulator.port}")


@contextlib.contextmanager
def running(*regions: str) -> Iterator[list[Emulator]]:
    """Run a server for each region, which know nothing of one another; they have ended when the context has."""
    emulators: list[Emulator] = []
    try:
        emulators += [start(region) for region in regions]
        for emulator in emulators:
            wait_until_ready(emulator)
        yield emulators
    finally:
        for emulator in emulators:
            emulator.stop()


def make_stack(client: "DynamoDBClient", *, rows: bool = True) -> dict[str, str]:
    """Make the tables of the template, with a table of revoked tokens, and return their names by setting.

    They have the settings that the template gives them, and the sample rows, if *rows* are wanted.
    """
    stack = template()
    create_tables(client, stack)
    parameters = {**stack["Parameters"], "RevocationsTable": {"Default": REVOCATIONS}}
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = with_defaults(resource["Properties"], parameters)
            establish(client, properties["TableName"], _settings_in(properties))
    if rows:
        client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
    names = {name: with_defaults({"Ref": name}, parameters) for name in ("ProfilesTable", "SecretsTable")}
    return {**names, "RevocationsTable": REVOCATIONS}


def _settings_in(properties: dict[str, Any]) -> TableSettings:
    ttl = properties.get("TimeToLiveSpecification", {})
    return TableSettings(
        on_demand=properties["BillingMode"] == "PAY_PER_REQUEST",
        read_bound=None,
        deletion_protection=properties["DeletionProtectionEnabled"],
        recovery=properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        expiring=ttl["AttributeName"] if ttl.get("Enabled") is True else None,
        encryption="",
        tags=frozenset({_TAG}),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port

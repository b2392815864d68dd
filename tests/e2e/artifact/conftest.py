"""The built artifacts, the tables they read, and the functions running; figures are told at the end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.e2e.artifact.built import ARCHITECTURES, NATIVE, Artifact
from tests.e2e.artifact.deployed import ACCOUNT, deployed
from tests.e2e.artifact.emulator import LOOPBACK, Emulator, emulated
from tools.events.stage import REGION, SAMPLES, create_tables, environment, read_json, template

Settings = Mapping[str, str]
Start = Callable[[Artifact, str, Settings], AbstractContextManager[Emulator]]
Run = Callable[[str, Settings], AbstractContextManager[Emulator]]
Running = Callable[[str, Settings], Emulator]
Tell = Callable[[str], None]

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(name="artifact", scope="session", params=ARCHITECTURES)
def _artifact(request: pytest.FixtureRequest) -> Artifact:
    """Each artifact that there has to be."""
    return built(request.param)


@pytest.fixture(name="native", scope="session")
def _native() -> Artifact:
    """The artifact that this machine can run."""
    if NATIVE is None:
        pytest.skip("AWS's emulator runs on Linux on x86-64 or arm64, and this machine is neither")
    return built(NATIVE)


def built(architecture: str) -> Artifact:
    """Return what was built for *architecture*."""
    artifact = Artifact(architecture)
    if not artifact.template.exists():
        pytest.fail(f"nothing in {artifact.folder}: `make build` builds it", pytrace=False)
    return artifact


@pytest.fixture(name="db_url", scope="session")
def _db_url() -> Iterator[str]:
    """DynamoDB on loopback, with the template's tables and the sample rows; ends with this process at the latest."""
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        with environment(ACCOUNT):
            client = boto3.client(
                "dynamodb",
                endpoint_url=f"http://{LOOPBACK}:{port}",
                config=Config(proxies={}, connect_timeout=5, read_timeout=10),
            )
            create_tables(client, template())
            client.batch_write_item(RequestItems=read_json(SAMPLES / "rows.json"))
        yield f"dynamodb+http://{LOOPBACK}:{port}/{REGION}"
    finally:
        server.stop()


@pytest.fixture(name="start", scope="session")
def _start(db_url: str, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start a function of an artifact with settings of one's own, as a context that ends it."""
    logs = tmp_path_factory.mktemp("emulators")
    return lambda artifact, function, settings: emulated(
        deployed(artifact, function, {**settings, "DB_URL": db_url}), logs
    )


@pytest.fixture(name="run", scope="session")
def _run(native: Artifact, start: Start) -> Run:
    """Start a function of the artifact that this machine can run."""
    return partial(start, native)


@pytest.fixture(name="running", scope="session")
def _running(run: Run) -> Iterator[Running]:
    """A function with settings, started when it is first wanted and ended after the last test."""
    with ExitStack() as stack:
        started: dict[tuple[str, frozenset[tuple[str, str]]], Emulator] = {}

        def running(function: str, settings: Settings) -> Emulator:
            key = function, frozenset(settings.items())
            if key not in started:
                started[key] = stack.enter_context(run(function, settings))
            return started[key]

        yield running


@pytest.fixture(name="tell")
def _tell(pytestconfig: pytest.Config) -> Tell:
    """Note a line for the end of the run."""
    return pytestconfig.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("the built artifact")
        for line in figures:
            terminalreporter.line(line)

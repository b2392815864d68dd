"""What comes before and after SnapStart's snapshot. How Lambda's runtime calls it is in `tests/e2e/artifact`."""

import random
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from auth_jwt.errors import BadSetting, Fault
from auth_jwt.runtime.snapshot import prepare_for_snapshots
from tests.measured import UNMEASURED

SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
LAYER = Path(__file__).parents[3] / "layers" / "auth_jwt"


@pytest.fixture(name="hooks")
def _hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Callable[[], object]]]:
    """What is registered with Lambda's runtime, whose part in it is to keep lists."""
    hooks: dict[str, list[Callable[[], object]]] = {"before": [], "after": []}
    runtime: Any = ModuleType("snapshot_restore_py")
    runtime.register_before_snapshot = hooks["before"].append
    runtime.register_after_restore = hooks["after"].append
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", runtime)
    return hooks


def run(program: str) -> list[str]:
    """Return the words that *program* prints in a process of its own, with the layer on its path, and not measured."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=LAYER, capture_output=True, text=True, check=False, env=UNMEASURED
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("kind", ["on-demand", "provisioned-concurrency", ""])
def test_where_no_snapshot_is_taken_nothing_is_registered(
    hooks: dict[str, list[Callable[[], object]]], kind: str
) -> None:
    prepare_for_snapshots({"AWS_LAMBDA_INITIALIZATION_TYPE": kind}, pytest.fail)
    prepare_for_snapshots({}, pytest.fail)

    assert hooks == {"before": [], "after": []}


def test_where_no_snapshot_is_taken_nothing_is_loaded() -> None:
    """An ordinary cold start pays for it with one look into the environment."""
    loaded = run(
        "import sys; from auth_jwt.runtime.snapshot import prepare_for_snapshots as p; p({}, 0); print(*sys.modules)"
    )

    assert "auth_jwt.runtime.snapshot" in loaded
    assert not {"snapshot_restore_py", "random", "ssl"} & set(loaded)


def test_preparing_waits_for_the_snapshot(hooks: dict[str, list[Callable[[], object]]]) -> None:
    """Lambda calls it when all of the handler's module is loaded."""
    prepared: list[str] = []
    prepare_for_snapshots(SNAP_START, lambda: prepared.append("once"))
    assert prepared == []

    for hook in hooks["before"]:
        hook()
    assert prepared == ["once"]


@pytest.mark.parametrize("fault", [BadSetting("TAG_CLAIM=''"), Fault("no client")])
def test_a_fault_is_left_to_the_requests(hooks: dict[str, list[Callable[[], object]]], fault: Fault) -> None:
    def prepare() -> None:
        raise fault

    prepare_for_snapshots(SNAP_START, prepare)

    for hook in hooks["before"]:
        hook()


def test_an_error_nobody_foresaw_fails_the_snapshot(hooks: dict[str, list[Callable[[], object]]]) -> None:
    """And the deployment with it, while the version before still answers."""

    def prepare() -> None:
        raise ImportError("of a layer that was built for another machine")

    prepare_for_snapshots(SNAP_START, prepare)

    with pytest.raises(ImportError):
        hooks["before"][0]()


def test_after_a_restore_random_numbers_begin_anew(
    hooks: dict[str, list[Callable[[], object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's and OpenSSL's; in real copies of a process it is seen in `tests/e2e/artifact`."""
    prepare_for_snapshots(SNAP_START, lambda: None)
    seeds: list[bytes] = []
    monkeypatch.setattr(ssl, "RAND_add", lambda seed, _entropy: seeds.append(seed))
    state = random.getstate()
    numbers = []
    for _ in range(2):
        random.setstate(state)
        for hook in hooks["after"]:
            hook()
        numbers.append(random.random())

    assert numbers[0] != numbers[1]
    assert len(set(seeds)) == 2
    assert {len(seed) for seed in seeds} == {48}


PREPARED = """
import os, sys
from auth_jwt.runtime.observability import Journal
from auth_jwt.runtime.wiring import service_of

asked, read = [], []
ASKING = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen"}
sys.addaudithook(lambda event, _: asked.append(event) if event in ASKING else None)


class Watched(dict):
    def __contains__(self, name):
        read.append(name)
        return super().__contains__(name)

    def __getitem__(self, name):
        read.append(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        read.append(name)
        return super().get(name, default)


env = {"AWS_DEFAULT_REGION": "eu-central-1", "HOME": "/nowhere", "DYNAMODB_CLIENT": CLIENT, **CREDENTIALS}
os.environ.clear()
os.environ.update(env)
os.environ = Watched(env)
service_of(env, Journal("test", env)).prepare()
print(*sys.modules, *("asked:" + event for event in asked), *("read:" + name for name in read))
"""

IN_A_CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1"}
IN_THE_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}


@pytest.mark.parametrize("credentials", [IN_A_CONTAINER, IN_THE_ENVIRONMENT], ids=["container", "environment"])
@pytest.mark.parametrize(
    ("client", "loaded", "not_loaded"),
    [("express", "auth_jwt.aws.express", "boto3"), ("boto3", "botocore.retries.standard", "never")],
)
def test_a_prepared_service_has_its_client_and_asked_nobody(
    client: str, loaded: str, not_loaded: str, credentials: dict[str, str]
) -> None:
    """Not even for credentials, which boto3 would fetch as soon as it makes a client, or take from the environment."""
    words = run(PREPARED.replace("CLIENT,", f"{client!r},").replace("CREDENTIALS}", f"{credentials!r}}}"))

    assert {loaded, "jwt.algorithms", "cryptography.hazmat.backends.openssl.backend"} <= set(words)
    assert not_loaded not in words
    assert [word for word in words if word.startswith("asked:")] == []
    assert not {f"read:{name}" for name in credentials} & set(words)
    assert ("read:AWS_DATA_PATH" in words) is (client == "boto3")  # so that reading would be seen

"""Cold, as it ships: the built function under AWS's runtime emulator, from nothing to its first answer.

The obvious implementation runs on the same built layer as `sam build` leaves it; and once more with the byte code
that this project ships, so that the page can say what that alone is worth.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import BOTO3, OBVIOUS, OURS, Comparison, measured
from tests.benchmarks.tables import database
from tests.benchmarks.warm import EVENTS, OBVIOUS_APP, obvious_environment, rest_event
from tests.e2e.artifact.built import NATIVE, Artifact
from tests.e2e.artifact.deployed import Deployed, deployed
from tests.e2e.artifact.emulator import EmulatorError, emulated

COMPILED: Final = "the obvious one, our byte code"
ALGORITHMS: Final = ("HS256", "RS256")


@dataclass(frozen=True, slots=True)
class Subject:
    """A function to be started, one event for it, and where its output goes."""

    function: Deployed
    event: bytes
    logs: Path

    def start(self) -> float:
        """Run it in an emulator of its own, and return the milliseconds of its init and its first answer.

        Raises:
            EmulatorError: it cannot be run, or gives no good answer.
        """
        with emulated(self.function, self.logs) as running:
            answer = running.ask(self.event)
            if answer.status != 200:
                raise EmulatorError(f"no good answer:\n{running.last_words()}")
            return running.init_milliseconds + running.answer_milliseconds[0]


def emulator(address: str, rounds: int, say: Callable[[str], None]) -> dict[str, Comparison]:
    """Measure first answers of what `make build` built; see `tests.benchmarks.warm.warm`."""
    found: dict[str, Comparison] = {}
    if NATIVE is None or not Artifact(NATIVE).template.exists():
        say("the emulator is LEFT OUT: nothing built that this machine can run; `make build` builds it")
        return found
    with tempfile.TemporaryDirectory() as folder:
        functions = _functions(Artifact(NATIVE), address, Path(folder))
        for algorithm in ALGORITHMS:
            event = json.dumps(rest_event(EVENTS[algorithm])).encode()
            subjects = {name: Subject(function, event, Path(folder)) for name, function in functions.items()}
            samples = measured({name: subject.start for name, subject in subjects.items()}, rounds)
            found[algorithm] = Comparison.of(
                f"{algorithm}, built artifact, init and first answer", "milliseconds", OBVIOUS, samples
            )
            ratios = (f"{name} {ratio.median:.2f} x" for name, ratio in found[algorithm].ratios.items())
            say(f"emulator, {algorithm}: {', '.join(ratios)} {OBVIOUS}")
    return found


def _functions(artifact: Artifact, address: str, folder: Path) -> dict[str, Deployed]:
    settings = {"DB_URL": database(address)}
    ours = _as_in_lambda(deployed(artifact, "authorize", settings))
    functions = {OURS: ours}
    if "DYNAMODB_CLIENT" in ours.environment:
        functions[BOTO3] = replace(ours, environment={**ours.environment, "DYNAMODB_CLIENT": "boto3"})
    copy = folder / "obvious"
    copy.mkdir()
    shutil.copy(OBVIOUS_APP, copy)
    plain = artifact.without_byte_code(folder / "without-byte-code")
    functions[OBVIOUS] = _obvious(ours, copy, plain, address)
    functions[COMPILED] = _obvious(ours, copy, artifact, address)
    return functions


def _obvious(ours: Deployed, folder: Path, artifact: Artifact, address: str) -> Deployed:
    path = {"PYTHONPATH": f"{folder}:{artifact.packages}"}
    return replace(ours, folder=folder, environment={**ours.environment, **_own(address), **path})


def _own(address: str) -> Mapping[str, str]:
    """Return what the obvious implementation has in its environment and the service has not, or has otherwise."""
    return {
        name: value
        for name, value in obvious_environment(address).items()
        if name in {"PROFILES_TABLE", "SECRETS_TABLE", "AWS_ENDPOINT_URL_DYNAMODB"} or name.startswith("POWERTOOLS_")
    }


def _as_in_lambda(function: Deployed) -> Deployed:
    """Return *function* without what tests say of the SDK's files; there is no home that could have any."""
    away = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
    kept = {name: value for name, value in function.environment.items() if name not in away}
    return replace(function, environment={**kept, "HOME": "/nonexistent"})

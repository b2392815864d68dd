"""`make sam-local-invoke` and `make sam-local-api`: the built functions in Lambda's own container images.

For people with Docker. DynamoDB is moto in a container beside them, reached through a Docker network of this run; or it
is whatever DB_URL names, as seen from a container.
"""

import argparse
import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tools.events.stage import REGION, RESOURCES, ROOT, SAMPLES, path_of, read_json, template
from tools.serve import tables

SAM: Final = ROOT / ".venv-sam" / "bin" / "sam"
IMAGE: Final = f"motoserver/moto:{version('moto')}"
IMAGE_PORT: Final = 5000
EVENT: Final = "events/authorize/rest-authorized-by-header.json"
PORT: Final = 3000
_START_SECONDS: Final = 60
_QUESTION_SECONDS: Final = 30
_ARCHITECTURES: Final = {"arm64": "arm64", "aarch64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}


class CannotRun(Exception):
    """What is needed is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What runs commands.

    Attributes:
        is_dry: whether it shows them instead.
    """

    is_dry: bool = False

    def docker(self, *words: str) -> str:
        """Run a docker command; return what it printed.

        Raises:
            CannotRun: it fails.
        """
        command = ["docker", *words]
        if self.is_dry:
            print(shlex.join(command))
            return ""
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except subprocess.CalledProcessError as error:
            raise CannotRun(f"`{shlex.join(command)}` failed: {error.stderr.strip()}") from None
        return done.stdout.strip()

    def sam(self, *words: str) -> int:
        """Run a sam command to its end, and return its exit code; Ctrl-C is for it to obey."""
        command = [str(SAM), *words]
        if self.is_dry:
            print(shlex.join(command))
            return 0
        with subprocess.Popen(command, cwd=ROOT) as child:
            signal.signal(signal.SIGINT, lambda *_: None)  # the terminal tells the child, too
            signal.signal(signal.SIGTERM, lambda *_: child.terminate())
            return child.wait()

    def require_engine(self) -> None:
        """Make sure that Docker is there.

        Raises:
            CannotRun: it is not, or its engine does not run.
        """
        if self.is_dry:
            return
        instead = "or use `make serve`, which does without"
        if shutil.which("docker") is None:
            raise CannotRun(
                "Docker is not installed, and here the functions run in containers. Install it"
                f" (https://docs.docker.com/engine/install/), {instead}"
            )
        question = ["docker", "version", "--format", "{{.Server.Version}}"]
        asked = subprocess.run(question, capture_output=True, text=True, check=False, timeout=_QUESTION_SECONDS)
        if asked.returncode != 0:
            said = asked.stderr.strip().splitlines() or ["no reason given"]
            raise CannotRun(
                f"Docker's engine does not answer ({said[-1]}). Start it, by `sudo systemctl start docker` or Docker"
                f" Desktop, {instead}"
            )


def architecture() -> str:
    """Return what Lambda calls this machine.

    Raises:
        CannotRun: it has no name, and no image, for it.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise CannotRun(f"Lambda has no image for {machine}; use `make serve`")
    return _ARCHITECTURES[machine]


def of_its_own(given: argparse.Namespace) -> list[str]:
    """Return SAM's local command and what only that takes.

    Raises:
        CannotRun: there is no such event.
    """
    if given.command == "api":
        return ["start-api", "--host", tables.HOST, "--port", str(given.port)]
    event = Path(given.event)
    if not event.is_file():
        raise CannotRun(f"there is no {event}: EVENT is a file of events/, {EVENT} for one")
    folder = event.resolve().parent.name
    function = path_of(folder if folder in RESOURCES else "authorize")
    return ["invoke", function, "--event", str(event.resolve())]


def sam_words(command: Sequence[str], parameters: Mapping[str, str], network: str | None) -> list[str]:
    """Return the words of a sam command for the artifact of this machine."""
    built = ROOT / "build" / architecture() / "artifact" / "template.yaml"
    overrides = {"Architecture": architecture(), **parameters}
    words = ["local", *command, "--template-file", str(built)]
    words += ["--docker-network", network] if network else []
    return [*words, "--parameter-overrides", *(f"{name}={value}" for name, value in overrides.items())]


def parameter_of(setting: str) -> str:
    """Return the template's parameter for a setting: DB_URL -> DbUrl."""
    return "".join(part.capitalize() for part in setting.split("_"))


@contextlib.contextmanager
def dynamodb(shell: Shell, name: str) -> Iterator[str]:
    """Run DynamoDB with the sample rows in a container, on a network, both of that *name*; yield its DB_URL."""
    shell.docker("network", "create", name)
    try:
        published = f"{tables.HOST}::{IMAGE_PORT}"
        shell.docker("run", "--detach", "--rm", "--name", name, "--network", name, "--publish", published, IMAGE)
        try:
            if not shell.is_dry:
                endpoint = f"http://{shell.docker('port', name, str(IMAGE_PORT)).splitlines()[0]}"
                _wait_for(endpoint)
                tables.load(endpoint, template())
            yield f"dynamodb+http://{name}:{IMAGE_PORT}/{REGION}?insecure=true"
        finally:
            shell.docker("rm", "--force", name)
    finally:
        shell.docker("network", "rm", name)


def _wait_for(endpoint: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()  # noqa: S310 - it begins with http://
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if time.monotonic() > deadline:
                raise CannotRun(f"moto did not start at {endpoint} within {_START_SECONDS} seconds") from None
            time.sleep(0.5)
        else:
            return


def run(given: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Do what the command line says; return the exit code.

    Raises:
        CannotRun: something is missing.
    """
    shell = Shell(is_dry=given.dry_run)
    shell.require_engine()
    if given.command == "check":
        return 0
    command = of_its_own(given)
    if env.get("DB_URL"):
        return shell.sam(*sam_words(command, {"DbUrl": env["DB_URL"]}, env.get("DOCKER_NETWORK") or None))
    samples = {parameter_of(name): value for name, value in read_json(SAMPLES / "outcomes.json")["settings"].items()}
    name = f"auth-jwt-{os.getpid()}"
    with dynamodb(shell, name) as url:
        return shell.sam(*sam_words(command, {"DbUrl": url, **samples}, name))


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the command; returns the exit code, 2 for what cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.serve.sam_local",
        description="Run the built functions in containers. DB_URL names tables of your own, as a container sees them,"
        " and DOCKER_NETWORK the network they are in; without it, moto runs in a container with the sample rows.",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the commands, run none")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="is Docker there?")
    invoke = commands.add_parser("invoke", help="give one event to the function it is for")
    invoke.add_argument("event", nargs="?", default=EVENT, help=f"default: {EVENT}")
    api = commands.add_parser("api", help="serve the API")
    api.add_argument("--port", type=int, default=env.get("PORT") or PORT, help=f"on {tables.HOST}; default: {PORT}")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # containers are removed on the way out
    try:
        return run(given, env)
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""The ways of docs/command-line.md to install the command line for operators, each word for word, from nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tools import environment

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "command-line.md").read_text("utf-8")
BLOCK, SHARE = (
    block.split("```")[0] for block in re.split(r"^## Install$", PAGE, flags=re.MULTILINE)[1].split("```sh\n")[1:3]
)
COMMANDS: Final = [line.partition("#")[0].strip() for line in BLOCK.splitlines()]
WAYS: Final = [command for command in COMMANDS if " install " in command]


@pytest.fixture(name="shell")
def _shell(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a person with an empty home, uv, pipx, and this machine's index of packages."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON", "MAKE"))}
    env |= environment.as_uv_reads(environment.pip_settings(str(Path(sys.base_prefix, "bin", "python3"))), env)
    cache = subprocess.run([environment.UV, "cache", "dir"], check=True, stdout=subprocess.PIPE, text=True).stdout
    env |= {"HOME": str(tmp_path), "UV_CACHE_DIR": cache.strip()}
    path = [str(tmp_path / ".local" / "bin"), str(environment.UV.parent), env["PATH"]]
    return env | {"PATH": os.pathsep.join(path)}


def run(command: str, env: dict[str, str]) -> str:
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, f"{command}\n{ended.stderr}"
    return ended.stdout


def test_the_page_builds_the_wheel_then_names_two_ways() -> None:
    assert COMMANDS[0] == "make wheel"
    assert [way.split()[:2] for way in WAYS] == [["uv", "tool"], ["pipx", "install"]]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.split()[0])
def test_it_installs_a_command_that_runs(way: str, shell: dict[str, str], tmp_path: Path) -> None:
    run("uv tool install --quiet pipx", shell)
    run(COMMANDS[0], shell)
    run(way, shell)

    assert run("command -v auth-jwt", shell).strip() == str(tmp_path / ".local" / "bin" / "auth-jwt")
    assert re.fullmatch(r"auth-jwt \d+\.\d+\.\d+\n", run("auth-jwt --version", shell))
    assert "OpenSIPS" in run("auth-jwt import --help", shell)  # whose drivers the extra brings
    key = "openssl genpkey -algorithm ed25519 | openssl pkey -pubout | "
    assert "Ed25519" in run(f"{key} auth-jwt key fingerprint --secret-file -", shell)
    shown = run(f"{SHARE}\ncomplete -p auth-jwt", shell)
    assert "auth-jwt secret rotate" in " ".join(shown.split())
    assert shown.endswith("complete -o default -F _auth_jwt auth-jwt\n")

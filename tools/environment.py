"""Make an environment of this project: what each holds is a group in pyproject.toml, pinned with hashes in uv.lock.

`environment.py uv` provides uv: this machine's own, or the one that uv.lock pins, installed by pip. The other names
are groups; `environment.py lint` makes `.venv-lint`. `dev` makes `.venv`, with the command `auth-jwt`.

uv.lock names PyPI's files. `uv sync` downloads from there alone, whatever index this machine is told to use. So the
lock is exported and installed by name and hash, from the index that pip is configured to use here.

Needs the standard library only: it runs before anything is installed.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "uv.lock"
UV: Final = ROOT / ".venv-uv" / "bin" / "uv"
OLDEST_UV: Final = (0, 13, 9)
"""As `required-version` in pyproject.toml says; a test compares them."""
WITH_PACKAGE: Final[Mapping[str, tuple[str, ...]]] = {
    "dev": ("--no-default-groups", "--group", "dev", "--extra", "cli"),
    "bench": ("--no-default-groups", "--group", "bench"),
    "fuzz": ("--no-default-groups", "--group", "fuzz", "--extra", "cli"),
}
"""What is exported of the environments that have the dependencies of the package itself, too."""
COMPILED: Final = (
    *("typer", "annotated_doc", "shellingham"),
    *("boto3", "botocore", "s3transfer", "urllib3", "certifi", "dateutil", "six", "jmespath"),
    *("jwt", "cryptography"),
)
"""What `auth-jwt` loads of others' packages: for any command, for those that ask AWS, and for those that judge keys.

They get their byte code here, as pip would make it.
uv leaves that to whoever runs them first. Where PYTHONDONTWRITEBYTECODE is set, that would be every run.
"""
SETTINGS: Final[Mapping[str, str]] = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
"""pip's settings, and what uv calls them."""


def environment_of(group: str) -> Path:
    """Return the folder of the environment that holds *group*."""
    return ROOT / (".venv" if group == "dev" else f".venv-{group}")


def provide_uv() -> None:
    """Put uv at `.venv-uv/bin/uv`: a link to this machine's where it is new enough, or the pinned one.

    Raises:
        subprocess.CalledProcessError: pip could not install it, and has said why.
    """
    shutil.rmtree(ROOT / ".venv-uv", ignore_errors=True)
    own = shutil.which("uv")
    if own is not None and _is_new_enough(own):
        UV.parent.mkdir(parents=True)
        UV.symlink_to(own)
        return
    version, requirement = pinned("uv", LOCK.read_text(encoding="utf-8"))
    print(f"Installing uv {version} into .venv-uv, since this machine has none that will do ...", flush=True)
    _run(sys.executable, "-m", "venv", UV.parents[1])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(requirement)
        requirements.flush()
        pip = (UV.with_name("python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        _run(*pip, "--no-deps", "--require-hashes", "-r", requirements.name)


def pinned(name: str, lock: str) -> tuple[str, str]:
    """Return the version of the package *name* in the text of uv.lock, and a requirement with its hashes for pip."""
    package = next(one for one in tomllib.loads(lock)["package"] if one["name"] == name)
    files = [*package["wheels"], package["sdist"]]
    return package["version"], " ".join([f"{name}=={package['version']}", *(f"--hash={one['hash']}" for one in files)])


def make(group: str) -> None:
    """Make the environment of *group*, or bring it up to date.

    Raises:
        subprocess.CalledProcessError: uv failed, and has said why.
    """
    folder = environment_of(group)
    print(f"Making {folder.name} with Python {sys.version.split()[0]}, as uv.lock says ...", flush=True)
    os.environ.update(as_uv_reads(pip_settings(), os.environ))
    exported = WITH_PACKAGE.get(group, ("--only-group", group))
    export: tuple[str | Path, ...] = (
        UV,
        "export",
        "--quiet",
        "--frozen",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
        *exported,
    )
    requirements = _run(*export, stdout=subprocess.PIPE)
    # Without the configuration in pyproject.toml, whose cool-down is for locking: a mirror may not tell times.
    uv: tuple[str | Path, ...] = (UV, "--no-config")
    _run(*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    _install(*uv, "pip", "sync", "--python", folder, "--require-hashes", "-", requirements=requirements)
    if group == "dev":
        editable = ("--quiet", "--no-deps", "--no-build-isolation", "--editable")
        _run(*uv, "pip", "install", "--python", folder, *editable, ROOT)
        packages = next(folder.glob("lib/python*/site-packages"))
        compiled = [path for name in COMPILED for path in (packages / name, packages / f"{name}.py") if path.exists()]
        _run(folder / "bin" / "python", "-m", "compileall", "-q", "-j", "0", *compiled)
    (folder / ".installed").touch()


def as_uv_reads(settings: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Translate pip's *settings* to uv's variables, leaving alone those that *env* has."""
    told = {SETTINGS[name]: value for name, value in settings.items() if name in SETTINGS}
    if "UV_INDEX" in told:  # as pip does: whichever index has the pinned version. The hashes say that it is the same
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = ",".join(told["UV_FIND_LINKS"].split())
    return {name: value for name, value in told.items() if name not in env}


def pip_settings(python: str = sys.executable) -> dict[str, str]:
    """Return how the pip of *python* is configured, by its files and its variables, which count more."""
    told = _run(python, "-m", "pip", "config", "list", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    lines = [line.partition("=") for line in told.splitlines()]
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        found |= {key.removeprefix(section): value for key, _, value in lines if key.startswith(section)}
    return {name: " ".join(ast.literal_eval(value).split()) for name, value in found.items()}


def _is_new_enough(uv: str) -> bool:
    """Say whether *uv* runs (it may be a shim that fails) and reads our lock."""
    told = _run(uv, "--version", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).split()
    return len(told) > 1 and tuple(int(part) for part in told[1].split(".") if part.isdecimal()) >= OLDEST_UV


def _run(*command: str | Path, check: bool = True, stdout: int | None = None, stderr: int | None = None) -> str:
    done = subprocess.run(command, cwd=ROOT, check=check, text=True, stdout=stdout, stderr=stderr)
    return done.stdout or ""


def _install(*command: str | Path, requirements: str) -> None:
    """Run uv, and show how far it is, without the hundred lines that only name what was installed."""
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        if running.stdin is not None and running.stderr is not None:  # so they are, being pipes
            running.stdin.write(requirements)
            running.stdin.close()
            for line in running.stderr:
                if not line.startswith((" + ", " - ", " ~ ", "Using Python")):
                    print(f"  {line}", end="", flush=True)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)


if __name__ == "__main__":
    try:
        provide_uv() if sys.argv[1] == "uv" else make(sys.argv[1])
    except subprocess.CalledProcessError as problem:
        sys.exit(
            f"{' '.join(map(str, problem.cmd[:4]))} ... failed (exit code {problem.returncode}); its reason is above"
        )

"""The wheel in an empty environment: what is in it, and what `auth-jwt` says without and with what the extra brings."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tools.manual.completions import FILES

ROOT = Path(__file__).parents[2]
VARIABLES = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "100"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as `make wheel` does, elsewhere."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.fixture(name="empty", scope="module")
def _empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that holds the wheel and nothing that it needs."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--isolated", "install", "--no-index", "--no-deps", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=60)
    return folder


def auth_jwt(environment: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(environment / "bin" / "python"), str(environment / "bin" / "auth-jwt"), *arguments]
    return subprocess.run(
        command, env=VARIABLES, cwd=environment, check=False, timeout=60, capture_output=True, text=True
    )


def test_it_holds_the_package_the_command_line_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = HeaderParser().parsestr(
            archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        )

    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"auth_jwt", "auth_jwt_cli", f"auth_jwt_serverless-{PROJECT['version']}.data"}
    assert {"auth_jwt/py.typed", "auth_jwt/authorizer.py", "auth_jwt_cli/__main__.py"} <= set(names)
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"] == "the auth_jwt serverless authors"
    assert "Project-URL" not in metadata


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("--version",), ("lint", "--help"), ("token", "mint", "alice")], ids=" ".join
)
def test_without_what_it_needs_it_says_what_to_install(empty: Path, arguments: tuple[str, ...]) -> None:
    ended = auth_jwt(empty, *arguments)

    assert ended.returncode == 4
    assert ended.stdout == ""
    assert re.fullmatch(
        r"auth-jwt needs \w+, which is not installed here\. "
        rf"Install what the command line needs: {re.escape(str(empty))}/bin/python -m pip install "
        r"'auth-jwt-serverless\[cli\]'\n",
        ended.stderr,
    )


def test_the_advice_fetches_what_the_extra_names_and_never_a_package_of_our_name(empty: Path) -> None:
    """Nobody has to own that name on an index: pip takes what is installed."""
    advice = auth_jwt(empty).stderr.partition("python -m ")[2].replace("'", "").split()
    command = [str(empty / "bin" / "python"), "-m", *advice[:2], "--isolated", "--no-index", *advice[2:]]
    ended = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)

    missing = re.findall(r"No matching distribution found for ([\w-]+)", ended.stderr)
    assert missing
    assert "auth-jwt-serverless" not in missing


def test_without_pip_it_says_how_to_install_the_wheel_again(empty: Path) -> None:
    """The environments that `uv tool install` makes have no pip."""
    program = (
        "import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from auth_jwt_cli.__main__ import main; main()"
    )
    command = [str(empty / "bin" / "python"), "-c", program]
    ended = subprocess.run(command, cwd=empty, check=False, timeout=60, capture_output=True, text=True)

    assert ended.returncode == 4
    assert ended.stderr.endswith("Install the wheel again with its extra: uv tool install --force 'WHEEL[cli]'\n")
    assert "Traceback" not in ended.stderr


@pytest.fixture(name="complete", scope="module")
def _complete(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment like it, which finds here what the extra would bring."""
    folder = tmp_path_factory.mktemp("complete") / "copy"
    shutil.copytree(empty, folder, symlinks=True, ignore=shutil.ignore_patterns("pip", "pip-*"))
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder


def test_with_it_it_tells_its_version(complete: Path) -> None:
    ended = auth_jwt(complete, "--version")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"auth-jwt {PROJECT['version']}\n", "")


def test_its_manual_page_and_completions_are_where_shells_look(complete: Path) -> None:
    for name in ("man/man1/auth-jwt.1", *(name.removeprefix("share/") for name in FILES)):
        assert (complete / "share" / name).is_file()


def test_with_it_the_commands_run_from_the_wheel(complete: Path) -> None:
    shown = auth_jwt(complete, "--help")
    commands = re.findall(r"^  (\w+) {2,}[A-Z]", shown.stdout, re.MULTILINE)

    assert {"profile", "secret", "token", "revoke", "key", "config", "import", "lint"} <= set(commands)
    for command in ("token", "import"):
        ended = auth_jwt(complete, command, "--help")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert f"auth-jwt {command}" in ended.stdout


ON_THE_TABLES = (
    "profile list",
    "profile show alice",
    "profile add alice --username alice",
    "profile set alice --username alice",
    "profile rm alice --yes",
    "secret list alice",
    "secret set-alg --all --dry-run",
    "token mint alice",
    "revoke alice --all --yes",
    "config check",
    "lint",
)


ALL_IN_ONE_PROCESS = """
import json, sys
from typer.testing import CliRunner
from auth_jwt_cli.main import app

results = [CliRunner().invoke(app, command.split() + sys.argv[1:]) for command in json.load(sys.stdin)]
print(json.dumps([(result.exit_code, result.stdout, result.stderr) for result in results]))
"""


def outcomes(environment: Path, *arguments: str) -> dict[str, tuple[int, str, str]]:
    """Return the exit code, standard output and standard error of each command, which run in one process."""
    ended = subprocess.run(
        [str(environment / "bin" / "python"), "-c", ALL_IN_ONE_PROCESS, *arguments],
        input=json.dumps(ON_THE_TABLES), env=VARIABLES, cwd=environment,
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    return {command: tuple(result) for command, result in zip(ON_THE_TABLES, json.loads(ended.stdout), strict=True)}


def test_without_a_region_every_command_says_the_same(complete: Path) -> None:
    said = (
        "Error: no client for dynamodb can be made: the region is missing. "
        "Name it by --region, in a context, or by AWS_DEFAULT_REGION.\n"
    )
    ended = auth_jwt(complete, *ON_THE_TABLES[0].split())

    assert (ended.returncode, ended.stdout, ended.stderr) == (4, "", said)
    assert outcomes(complete) == dict.fromkeys(ON_THE_TABLES, (4, "", said))


def test_without_credentials_every_command_says_what_to_do(complete: Path) -> None:
    for command, (code, *texts) in outcomes(complete, "--region", "eu-central-1").items():
        assert code == 4, command
        assert "NoCredentialsError. AWS credentials are missing: " in " ".join(" ".join(texts).split()), command
        assert "Traceback" not in texts[1], command


def test_a_library_that_only_one_command_needs_is_asked_for_when_that_runs(complete: Path) -> None:
    program = "import sys; sys.modules['boto3'] = None\nfrom auth_jwt_cli.__main__ import main; main()"
    command = [str(complete / "bin" / "python"), "-c", program]
    ended = {
        words: subprocess.run(
            [*command, *words.split()], cwd=complete, check=False, timeout=60, capture_output=True, text=True
        )
        for words in ("--help", "profile list --region eu-central-1")
    }

    assert [(run.returncode, run.stderr.partition(".")[0]) for run in ended.values()] == [
        (0, ""),
        (4, "auth-jwt needs boto3, which is not installed here"),
    ]


def test_a_module_of_ours_that_is_missing_is_no_matter_of_installing(complete: Path) -> None:
    """Advice that cannot help would hide the fault."""
    program = (
        "import sys; sys.modules['auth_jwt_cli.lint_command'] = None\nfrom auth_jwt_cli.__main__ import main; main()"
    )
    command = [str(complete / "bin" / "python"), "-c", program, "lint", "--help"]
    ended = subprocess.run(command, cwd=complete, check=False, timeout=60, capture_output=True, text=True)

    assert ended.returncode == 1
    assert "ModuleNotFoundError: import of auth_jwt_cli.lint_command halted" in ended.stderr

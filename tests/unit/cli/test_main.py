"""The command line as a whole: help everywhere, one way to end, and what it may import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from auth_jwt.errors import BadSetting, Conflict, Fault, Invalid, NotFound, Outdated, Throttled, Unreachable
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt_cli import config_commands, output, profile_commands
from auth_jwt_cli.audit_log import AuditLog
from auth_jwt_cli.main import app
from auth_jwt_cli.output import EXIT_CODES, code_of, render_cell
from auth_jwt_cli.private_files import NewFile

CLI = Path(__file__).parents[3] / "cli" / "auth_jwt_cli"
MODULES = sorted(path for path in CLI.rglob("*.py"))


def commands(group: Any = None, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, with the words that name it."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
WANTED = {
    *(("profile", name) for name in ("add", "show", "list", "set", "disable", "enable", "rename", "rm")),
    *(("secret", name) for name in ("add", "list", "show", "close", "set", "rotate", "rm", "set-alg")),
    *(("token", name) for name in ("mint", "explain")),
    *(("issuer", name) for name in ("add", "show", "list", "set", "refresh", "test", "disable", "enable", "rm")),
    *(("issuer", name) for name in ("block-key", "unblock-key")),
    *(("key", name) for name in ("from-cert", "from-jwk", "mend", "fingerprint")),
    *(("config", "check"), ("revoke",), ("import",), ("lint",)),
}


def test_there_is_a_command_for_everything() -> None:
    assert set(COMMANDS) == WANTED


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_can_write_json(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])

    assert result.exit_code == 0
    assert "Usage: auth-jwt" in result.stdout or "Usage: root" in result.stdout
    assert "--json" in result.stdout


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {("import",), ("lint",)}], ids=" ".join)
def test_every_help_shows_an_example(path: tuple[str, ...]) -> None:
    assert f"auth-jwt {' '.join(path)}" in " ".join((COMMANDS[path].help or "").split())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_option_takes_a_secret_or_a_token_itself(path: tuple[str, ...]) -> None:
    """It would stand in the shell's history and in the list of processes."""
    names = {name for parameter in COMMANDS[path].params for name in parameter.opts}

    assert not names & {"--secret", "--token", "--password", "--key", "--value"}
    for parameter in COMMANDS[path].params:
        assert not {"secret", "token"} & set((parameter.envvar or "").lower().split("_"))


def test_the_help_tells_every_exit_code() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"], env={"COLUMNS": "5000"}).stdout.split())

    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in said


@pytest.mark.parametrize("arguments", [[], ["profile"], ["secret"], ["token"], ["key"], ["config"]])
def test_a_group_alone_shows_its_commands(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "Commands" in result.output
    assert "Error" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("x"), 1),
        (NotFound("x"), 1),
        (Conflict("x"), 3),
        (Outdated("x"), 3),
        (Fault("x"), 4),
        (BadSetting("x"), 4),
        (Unreachable("x"), 4),
        (Throttled("x"), 4),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: Any, code: int) -> None:
    assert code_of(error) == code
    assert code in EXIT_CODES


def test_an_error_nobody_foresaw_is_told_by_its_kind_and_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text could hold anything."""

    def fail(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(config_commands, "_findings", fail)

    result = CliRunner().invoke(app, ["config", "check"])

    assert result.exit_code == 4
    assert result.stderr.startswith("Error: an error in this program: ValueError at test_main.py:")
    assert "a secret" not in result.output


def test_an_interrupted_command_ends_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profile_commands, "profile_json", interrupted)
    monkeypatch.setattr(config_commands, "_findings", interrupted)

    assert CliRunner().invoke(app, ["config", "check"]).exit_code == 130


def test_a_new_file_is_its_owners_and_never_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    NewFile(path).fill("text")

    assert path.read_text("utf-8") == "text"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        NewFile(path)


def test_a_line_that_a_full_disk_refuses_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """The write has happened: somebody has to be told."""
    AuditLog(Path("/dev/full"))(AuditEntry(0, "somebody", "profile.create", "t"))

    said, line = capsys.readouterr().err.splitlines()
    assert "cannot be written (No space left on device)" in said
    assert '"audit": "profile.create"' in line


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (False, "no"), (1, "1"), ("a\x1b[1m", r"a\x1b[1m"), ("a\nb", r"a\nb"), ("é", "é")],
)
def test_what_a_terminal_would_obey_is_made_visible(value: object, text: str) -> None:
    assert render_cell(value) == text


# -- what it may import -----------------------------------------------------------------------------------------------


def imports_of(path: Path, *, at_the_top: bool = False) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found = set()
    for node in tree.body if at_the_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CLI).as_posix())
def test_the_command_line_knows_the_package_and_nothing_else_of_ours(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(path)} & {
        "functions",
        "tools",
        "tests",
        "docs",
        "app",
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CLI).as_posix())
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    readers = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]

    assert not readers or path.name == "connection.py"


def test_help_loads_no_sdk_no_cryptography_and_no_database() -> None:
    """It comes at once."""
    program = "import sys, auth_jwt_cli.main; print(*sys.modules)"
    paths = {"PYTHONPATH": f"{CLI.parent}:{CLI.parents[1]}/layers/auth_jwt"}
    run = subprocess.run([sys.executable, "-c", program], env=paths, capture_output=True, text=True, check=True)

    assert not {"boto3", "botocore", "cryptography", "jwt", "sqlalchemy"} & set(run.stdout.split())
    assert output.__name__ in run.stdout.split()

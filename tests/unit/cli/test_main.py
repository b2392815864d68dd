"""The command line as a whole: help everywhere, one way to end, and what it may import."""

import ast
import re
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
from auth_jwt_cli.commands import ENTRIES, Entry
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
    *(("profile", name) for name in ("add", "show", "list", "set", "disable", "enable", "rename", "rm", "restore")),
    *(("secret", name) for name in ("add", "list", "show", "close", "set", "rotate", "rm", "set-alg")),
    *(("bulk", name) for name in ("disable", "enable", "revoke", "rotate")),
    *(("token", name) for name in ("mint", "explain")),
    *(("issuer", name) for name in ("add", "show", "list", "set", "refresh", "test", "disable", "enable", "rm")),
    *(("issuer", name) for name in ("block-key", "unblock-key")),
    *(("key", name) for name in ("from-cert", "from-jwk", "mend", "fingerprint")),
    *(("context", name) for name in ("list", "add", "use", "rm")),
    *(("config", "check"), ("revoke",), ("import",), ("lint",), ("doctor",), ("find",)),
    *(("target",), ("export",), ("diff",), ("sync",), ("refusals",), ("why",), ("audit",), ("page",)),
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


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_exit_codes_are_a_list_and_no_running_text(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "5000"}).stdout

    assert not re.search(r"Exit codes?:? [0-9]", said)


@pytest.mark.parametrize("arguments", [[], ["profile"], ["secret"], ["token"], ["key"], ["config"]])
def test_a_group_alone_shows_its_commands(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert ("Commands:" if arguments else "Users and their keys:") in result.stderr
    assert result.stdout == ""
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["profle"], "No such command. Did you mean 'profile'? See --help."),
        (["profile", "ad"], "No such command. Did you mean 'add'? See --help."),
        (["secret", "rotat", "x"], "No such command. Did you mean 'rotate'? See --help."),
        (["profile", "show", "--jsn", "x"], "No such option. Did you mean '--json'"),
        (
            ["xyzzy"],
            "No such command; secrets and tokens are read from a prompt, a file or standard input only. See --help.",
        ),
        (["profile", "show", "--xyzzy"], "No such option; secrets and tokens are read from a prompt, a file or"),
        (["profile", "show", "a", "xyzzy"], "Got unexpected extra argument; secrets and tokens are read from a prompt"),
    ],
)
def test_what_is_mistyped_is_answered_by_what_is_like_it_and_never_repeated(arguments: list[str], said: str) -> None:
    """It may be a secret in the wrong place."""
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert f"Error: {said}" in result.stderr
    assert not any(word in result.output for word in ("profle", "jsn", "rotat'", "xyzzy"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["profile", "list", "--limit", "0"], "Invalid value for '--limit': it must be at least 1. See --help."),
        (["profile", "list", "--limit", "1.5"], "Invalid value for '--limit': it must be a whole number. See --help."),
        (["page", "--port", "65536"], "Invalid value for '--port': it must be at most 65535. See --help."),
        (
            ["import", "x", "--from", "y"],
            "Invalid value for '--from': 'y' is not one of 'database', 'dump', 'csv', 'dbtext'. See --help.",
        ),
    ],
)
def test_a_value_out_of_range_is_told_in_plain_words(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert f"Error: {said}" in result.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_value_has_a_name_that_people_read(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(app, [*path, "--help"]).stdout

    assert not re.search(r"<(?:str|int|list|float|int range)\b", text)
    assert not re.search(r"<=x|x<=", text)


def test_an_error_nobody_foresaw_is_told_by_its_kind_and_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text could hold anything."""

    def fail(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(config_commands, "findings_of", fail)

    result = CliRunner().invoke(app, ["config", "check"])

    assert result.exit_code == 4
    assert result.stderr.startswith("Error: an error in this program: ValueError at test_main.py:")
    assert "a secret" not in result.output


def test_an_interrupted_command_ends_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profile_commands, "profile_json", interrupted)
    monkeypatch.setattr(config_commands, "findings_of", interrupted)

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
def test_the_environment_is_read_in_one_place_and_by_what_knows_terminals(path: Path) -> None:
    readers = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]

    assert not readers or path.name in {"connection.py", "terminal.py"}


HEAVY = {"boto3", "botocore", "cryptography", "jwt", "sqlalchemy", "rich", "pydantic", "asyncio"}


def loaded_by(*arguments: str, code: int = 0) -> set[str]:
    """The modules that a process of the command has loaded at its end."""
    program = (
        "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from auth_jwt_cli.main import main; main()"
    )
    paths = {"PYTHONPATH": f"{CLI.parent}:{CLI.parents[1]}/layers/auth_jwt"}
    command = [sys.executable, "-c", program, *arguments]
    run = subprocess.run(command, env=paths, input="", capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == code, run.stderr
    assert output.__name__ in run.stderr.split()
    return set(run.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["-h"], 0), ([], 2), (["--version"], 0), (["unknown"], 2)],
    ids=["help", "h", "alone", "version", "unknown"],
)
def test_what_runs_no_command_loads_no_command(arguments: list[str], code: int) -> None:
    """It comes at once."""
    loaded = loaded_by(*arguments, code=code)

    assert not HEAVY & loaded
    assert not {name for name in loaded if name.endswith(("_command", "_commands"))}
    assert not {"auth_jwt.runtime.settings", "auth_jwt.provisioning", "auth_jwt_cli.connection"} & loaded


@pytest.mark.parametrize(
    ("name", "entry"), [(entry.name, entry) for entry in ENTRIES], ids=[entry.name for entry in ENTRIES]
)
def test_a_commands_help_loads_its_own_module_and_nothing_heavy(name: str, entry: Entry) -> None:
    loaded = loaded_by(name, "--help")

    others = {f"auth_jwt_cli.{other.module}" for other in ENTRIES} - SHARED.get(name, set())
    assert others & loaded == {f"auth_jwt_cli.{entry.module}"}
    assert not HEAVY & loaded


SHARED = {
    "issuer": {"auth_jwt_cli.token_commands"},  # it explains tokens, too
    "revoke": {"auth_jwt_cli.token_commands"},  # it reads a token, as `token explain` does
    "doctor": {"auth_jwt_cli.config_commands"},  # it finds what `config check` finds
}


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_the_table_of_commands_says_what_the_commands_say(entry: Entry) -> None:
    """It is what `auth-jwt --help` shows of a command that it does not import."""
    command = typer.main.get_command(app).commands[entry.name]  # type: ignore[attr-defined]

    assert entry.help == " ".join((command.help or "").split("\n\n")[0].split())

"""What options hold: read without Pydantic, yet as Typer reads them, down to the words of its errors."""

import enum
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.core import TyperCommand
from typer.testing import CliRunner

from auth_jwt_cli.help_pages import HelpedCommand
from auth_jwt_cli.times import parse_duration

CLI = Path(__file__).parents[3] / "cli"


class Kind(enum.StrEnum):
    """Two words."""

    ONE = "one"
    TWO = "two"


def command(
    name: Annotated[str, typer.Argument()],
    others: Annotated[list[str] | None, typer.Option("--other")] = None,
    file: Annotated[Path | None, typer.Option("--file", envvar="A_FILE")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 100,
    lifetime: Annotated[int, typer.Option("--lifetime", parser=parse_duration)] = 300,
    kind: Annotated[Kind, typer.Option("--kind")] = Kind.ONE,
    wanted: Annotated[bool | None, typer.Option("--yes/--no")] = None,
    quiet: Annotated[bool, typer.Option("--quiet")] = False,
) -> None:
    """Show what it was given."""
    typer.echo(repr((name, others, file, limit, lifetime, kind, wanted, quiet)))


def outcome(kind: type[TyperCommand], *arguments: str, **variables: str) -> tuple[int, str, str]:
    app = typer.Typer(rich_markup_mode=None)
    app.command(cls=kind)(command)
    result = CliRunner().invoke(app, arguments, env=variables)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"],
        [""],
        ["é \x1b"],
        [],
        ["x", "--other", "a", "--other", ""],
        ["x", "--file", "a/b"],
        ["x", "--file", ""],
        ["x", "--file", "-"],
        ["x", "--file", "."],
        ["x", "--limit", "7"],
        ["x", "--limit", "0"],
        ["x", "--limit", "many"],
        ["x", "--lifetime", "5m"],
        ["x", "--lifetime", "soon"],
        ["x", "--kind", "two"],
        ["x", "--kind", "three"],
        ["x", "--yes"],
        ["x", "--no", "--quiet"],
        ["x", "y"],
        ["x", "--unknown"],
        ["x", "--file"],
    ],
    ids=" ".join,
)
def test_a_value_is_what_typer_makes_of_it_and_so_is_an_error(arguments: list[str]) -> None:
    assert outcome(HelpedCommand, *arguments) == outcome(TyperCommand, *arguments)


def test_a_variable_is_read_like_an_option() -> None:
    given = outcome(HelpedCommand, "x", A_FILE="there")

    assert given == outcome(TyperCommand, "x", A_FILE="there")
    assert "PosixPath('there')" in given[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused_as_typer_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.touch(mode=0o000)
    given = outcome(HelpedCommand, "x", "--file", str(path))

    assert given == outcome(TyperCommand, "x", "--file", str(path))
    assert "is not readable" in given[2]


def loads_pydantic(*arguments: str, given: str = "") -> Any:
    program = (
        "import atexit, sys; atexit.register(lambda: print('pydantic' in sys.modules, file=sys.stderr))\n"
        "from auth_jwt_cli.main import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], input=given, capture_output=True, text=True, check=True,
        timeout=60, env={"PYTHONPATH": f"{CLI}:{CLI.parent}/layers/auth_jwt"},
    )  # fmt: skip
    return run.stderr.split()[-1] == "True"


def test_a_command_runs_without_pydantic() -> None:
    """It takes longer to load than Typer, which needs it for a number that somebody gives, say."""
    assert not loads_pydantic("key", "fingerprint", "--secret-file", "-", "--alg", "HS256", given="x" * 64)

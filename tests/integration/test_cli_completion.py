"""Tags complete in the shell where the tables answer at once; otherwise nothing is printed, whatever goes wrong."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auth_jwt_cli.main import app
from tests.command_line import CommandLine, a_command_line
from tests.contract.servers import a_server, an_answer, answering
from tools.events.stage import REGION


@pytest.fixture(name="auth_jwt", scope="module")
def _auth_jwt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with a_command_line(tmp_path_factory.mktemp("home")) as shell:
        for tag in ("alice-web", "alice-desk", "bob", "two words", "it's"):
            shell("profile", "add", tag, "--username", "alice")
        yield shell


def completed(shell: CommandLine, line: str, **variables: str) -> list[str]:
    """What a shell is told when somebody presses Tab at the end of a *line*."""
    words = line.split(" ")
    result = CliRunner().invoke(
        app,
        [],
        prog_name="auth-jwt",
        env={
            **shell.environment,
            "_AUTH_JWT_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **variables,
        },
    )
    assert result.stderr == ""
    return result.stdout.split("\n") if result.stdout.strip() else []


@pytest.mark.parametrize(
    ("line", "tags"),
    [
        ("auth-jwt profile show al", ["alice-desk", "alice-web"]),
        ("auth-jwt secret list b", ["bob"]),
        ("auth-jwt secret set-alg b", ["bob"]),
        ("auth-jwt token mint alice-w", ["alice-web"]),
        ("auth-jwt revoke bo", ["bob"]),
        ("auth-jwt profile show zoe", []),
        ("auth-jwt profile show --set PROFILES_TABLE=jwt_profiles al", ["alice-desk", "alice-web"]),
    ],
)
def test_tags_are_completed(auth_jwt: CommandLine, line: str, tags: list[str]) -> None:
    assert [tag for tag in completed(auth_jwt, line) if tag] == tags


def test_the_tags_are_those_of_the_context_that_the_line_names(auth_jwt: CommandLine, tmp_path: Path) -> None:
    folder = str(tmp_path)
    for name, table in (("production", "nosuch"), ("test", "jwt_profiles")):
        auth_jwt("context", "add", name, "--set", f"PROFILES_TABLE={table}", XDG_CONFIG_HOME=folder)
    line = "auth-jwt profile rm --context {} al"

    for name, tags in (("test", ["alice-desk", "alice-web"]), ("production", [])):
        found = completed(auth_jwt, line.format(name), AUTH_JWT_CONTEXT="production", XDG_CONFIG_HOME=folder)
        assert [tag for tag in found if tag] == tags


def test_only_tags_that_are_one_word_in_every_shell_are_offered(auth_jwt: CommandLine) -> None:
    assert [tag for tag in completed(auth_jwt, "auth-jwt profile show ") if tag] == ["alice-desk", "alice-web", "bob"]


@pytest.mark.parametrize(
    "variables",
    [
        {"PROFILES_TABLE": "nosuch"},
        {"CACHE_TTL_SECONDS": "soon"},
        {"DB_URL": "dynamodb+http://127.0.0.1:1/eu-central-1"},
        {"AUTH_JWT_FUNCTION": "nosuch"},
        {"AUTH_JWT_ENV_FILE": "/nonexistent"},
        {"AWS_PROFILE": "nosuch"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_whatever_is_wrong_nothing_is_printed(auth_jwt: CommandLine, variables: dict[str, str]) -> None:
    assert completed(auth_jwt, "auth-jwt profile show al", **variables) == []


def test_an_answer_that_is_none_is_not_shown(auth_jwt: CommandLine) -> None:
    with answering(an_answer(b"<html>", headers="Content-Type: text/html\r\n")) as address:
        url = f"dynamodb+{address}/{REGION}"
        assert completed(auth_jwt, "auth-jwt profile show al", DB_URL=url) == []


def test_nobody_waits_for_tables_that_do_not_answer(auth_jwt: CommandLine) -> None:
    def keep_silent(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        time.sleep(5)

    completed(auth_jwt, "auth-jwt profile show al")  # the SDK is loaded now
    with a_server(keep_silent) as address:
        begun = time.monotonic()
        assert completed(auth_jwt, "auth-jwt profile show al", DB_URL=f"dynamodb+{address}/{REGION}") == []
        assert time.monotonic() - begun < 4


@pytest.mark.parametrize("named_by", ["an option", "a variable", "a context"])
def test_nobody_waits_for_a_function_that_does_not_answer(auth_jwt: CommandLine, tmp_path: Path, named_by: str) -> None:
    """Lambda tells its settings: it is asked within the same time as the tables."""
    is_completed = threading.Event()
    outlasted: list[str] = []

    def keep_silent(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        if not is_completed.wait(5):
            outlasted.append("somebody waited for an answer for five seconds")

    auth_jwt("context", "add", "production", "--function", "f", XDG_CONFIG_HOME=str(tmp_path))
    line = f"auth-jwt profile show {'--function f ' * (named_by == 'an option')}al"
    variables = {
        "an option": {},
        "a variable": {"AUTH_JWT_FUNCTION": "f"},
        "a context": {"AUTH_JWT_CONTEXT": "production"},
    }[named_by]
    with a_server(keep_silent) as address:
        where = {"AWS_ENDPOINT_URL_LAMBDA": address, "XDG_CONFIG_HOME": str(tmp_path), **variables}
        assert completed(auth_jwt, line, **where) == []
        is_completed.set()
    assert outlasted == []


def test_no_secret_is_offered_or_asked_for() -> None:
    """The completion asks the table of profiles alone."""
    source = (Path(__file__).parents[2] / "cli" / "auth_jwt_cli" / "tag_completion.py").read_text("utf-8")

    assert "secrets" not in source

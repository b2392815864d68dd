"""The installed command `auth-jwt`, as a process of its own, over DynamoDB behind a socket."""

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command_line import COMMAND, environment_of, sample_tables
from tests.factories import HMAC_KEY

TAG = "terminal-user"
WAIT_SECONDS = 20


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield endpoint


@pytest.fixture(name="variables")
def _variables(endpoint: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(endpoint, tmp_path)


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="auth_jwt")
def _auth_jwt(variables: dict[str, str]) -> Run:
    def run(*arguments: str, exit_code: int = 0, given: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        ended = subprocess.run(
            [COMMAND, *arguments], input=given, capture_output=True, text=True, env={**variables, **more},
            timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == exit_code, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return run


def test_the_command_is_installed() -> None:
    assert COMMAND.exists(), "make install puts it there"


def test_a_user_is_made_logs_in_and_is_gone(auth_jwt: Run, tmp_path: Path) -> None:
    tag = "walk-through"
    auth_jwt("profile", "add", tag, "--username", "alice", "--generate", "--out", str(tmp_path / "secret"))
    token = auth_jwt("token", "mint", tag).stdout
    assert "accepted, for alice" in auth_jwt("token", "explain", given=token).stdout
    auth_jwt("secret", "rotate", tag, "--generate", "--out", str(tmp_path / "new"))
    auth_jwt("token", "explain", given=token)
    auth_jwt("revoke", tag, "--all", "--yes")
    auth_jwt("token", "explain", given=token, exit_code=1)
    auth_jwt("profile", "rm", tag, "--yes")

    assert "'walk-through'" in auth_jwt("profile", "show", tag, exit_code=1).stderr
    audit = (tmp_path / "auth-jwt" / "audit.log").read_text("utf-8").splitlines()
    assert [json.loads(line)["audit"] for line in audit] == [
        "profile.create", "secret.rotate", "token.revoke_all", "profile.delete",
    ]  # fmt: skip


def test_the_sample_tables_are_in_order_but_for_their_protection(auth_jwt: Run) -> None:
    document = json.loads(auth_jwt("config", "check", "--json").stdout)

    assert {finding["severity"] for finding in document["findings"]} == {"warning"}


def test_tables_that_are_not_there_end_with_four(auth_jwt: Run) -> None:
    said = auth_jwt("profile", "list", exit_code=4, DB_URL="dynamodb+http://127.0.0.1:9/eu-central-1").stderr

    assert "no answer (EndpointConnectionError)" in said


def test_what_is_not_read_to_its_end_is_no_error(auth_jwt: Run, variables: dict[str, str]) -> None:
    """`auth-jwt profile list | head -1`."""
    with subprocess.Popen(
        [COMMAND, "profile", "list", "--all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(timeout=WAIT_SECONDS)

    assert b"Traceback" not in said
    assert b"Error" not in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("auth-jwt ", {"profile", "secret", "token", "revoke", "key", "import", "lint", "config"}),
        ("auth-jwt token ", {"mint", "explain"}),
        ("auth-jwt secret add alice --se", {"--secret-file", "--set"}),
    ],
)
def test_the_shell_completes_commands_and_options(auth_jwt: Run, words: str, expected: set[str]) -> None:
    count = len(words.split(" ")) - 1

    completed = auth_jwt(_AUTH_JWT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count)).stdout

    assert set(completed.split()) >= expected


def test_the_completion_of_a_shell_is_shown(auth_jwt: Run) -> None:
    script = auth_jwt("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout

    assert "complete_bash auth-jwt" in script or "_AUTH_JWT_COMPLETE=complete_bash" in script


def test_colour_is_for_terminals_only(variables: dict[str, str], auth_jwt: Run) -> None:
    arguments = ("token", "explain", "--token-file", "/dev/null")
    piped = auth_jwt(*arguments, exit_code=1)
    plain = Terminal({**variables, "NO_COLOR": "1", "TERM": "xterm"}, *arguments)
    coloured = Terminal({**variables, "TERM": "xterm"}, *arguments)

    assert "\x1b[" not in piped.stdout + piped.stderr
    assert coloured.end() == plain.end() == 1
    assert "\x1b[1;31m" in coloured.shown
    assert "31m" not in plain.shown


# -- at a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """The command at a terminal, with a person who waits for each question."""

    def __init__(self, variables: dict[str, str], *arguments: str) -> None:
        self.shown = ""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=variables, start_new_session=True
        )
        os.close(slave)

    def answer(self, question: str, text: str) -> None:
        """Wait until *question* is shown, and type *text*."""
        begun = time.monotonic()
        seen = len(self.shown)
        while question not in self.shown[seen:]:
            assert time.monotonic() < begun + WAIT_SECONDS, self.shown
            assert self._read(), self.shown
        time.sleep(0.05)  # the question comes before the echo is switched off
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        while self._read():
            pass
        code = self._process.wait(WAIT_SECONDS)
        os.close(self._master)
        return code

    def command_line(self) -> str:
        return Path(f"/proc/{self._process.pid}/cmdline").read_text("utf-8")

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], WAIT_SECONDS)
        assert ready, self.shown
        try:
            octets = os.read(self._master, 4096)
        except OSError:  # the other end is closed
            return False
        self.shown += octets.decode("utf-8", "replace")
        return bool(octets)


@pytest.fixture(name="alice")
def _alice(auth_jwt: Run) -> Iterator[str]:
    auth_jwt("profile", "add", TAG, "--username", "alice")
    yield TAG
    auth_jwt("profile", "rm", TAG, "--yes")


def test_a_secret_is_asked_for_twice_and_never_shown(variables: dict[str, str], auth_jwt: Run, alice: str) -> None:
    terminal = Terminal(variables, "secret", "add", alice)
    terminal.answer("Secret: ", f"{HMAC_KEY}\n")
    assert HMAC_KEY not in terminal.command_line()
    terminal.answer("confirmation: ", f"{HMAC_KEY}\n")

    assert terminal.end() == 0
    assert (
        "HMAC, 64 bytes" in terminal.shown.replace("65 bytes", "64 bytes").replace("66 bytes", "64 bytes") or HMAC_KEY
    )
    assert HMAC_KEY not in terminal.shown
    fingerprint = auth_jwt("key", "fingerprint", "--secret-file", "-", given=HMAC_KEY).stdout.split()[4]
    assert fingerprint in auth_jwt("secret", "list", alice).stdout


def test_a_token_is_asked_for_and_never_shown(variables: dict[str, str], auth_jwt: Run, alice: str) -> None:
    auth_jwt("secret", "add", alice, "--generate")
    token = auth_jwt("token", "mint", alice).stdout.strip()

    terminal = Terminal(variables, "token", "explain")
    terminal.answer("Token: ", f"{token}\n")

    assert terminal.end() == 0
    assert "accepted, for alice" in terminal.shown
    assert token not in terminal.shown


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("y\n", 0), ("\x04", 1)])
def test_what_is_dangerous_is_asked_first(
    variables: dict[str, str], auth_jwt: Run, alice: str, answer: str, code: int
) -> None:
    auth_jwt("secret", "add", alice, "--generate", "--id", "only")

    terminal = Terminal(variables, "secret", "close", alice, "only")
    terminal.answer("Close it? [y/N]: ", answer)

    assert terminal.end() == code
    state = json.loads(auth_jwt("secret", "show", alice, "only", "--json").stdout)["state"]
    assert state == ("closed" if code == 0 else "open")

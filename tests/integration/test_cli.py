"""The installed command `auth-jwt`, as a process of its own, over DynamoDB behind a socket."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from auth_jwt_cli.main import app
from tests.command_line import command, environment_of, sample_tables
from tests.contract.servers import a_server, an_answer, answering, read_question
from tests.factories import HMAC_KEY
from tests.measured import unmeasured
from tests.prepared_command import INSTALLED
from tools.environment import COMPILED
from tools.events.stage import environment

TAG = "terminal-user"
WAIT_SECONDS = 60


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield endpoint


@pytest.fixture(name="variables")
def _variables(endpoint: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(endpoint, tmp_path)


Run = Callable[..., "subprocess.CompletedProcess[str]"]
InProcess = Callable[..., Result]


@pytest.fixture(name="auth_jwt")
def _auth_jwt(variables: dict[str, str]) -> InProcess:
    """The command in this process, for what a test needs before and looks at afterwards."""

    def run(*arguments: str, exit_code: int = 0, given: str = "") -> Result:
        with environment(variables):
            result = CliRunner().invoke(app, arguments, input=given, env=variables)
        assert result.exit_code == exit_code, result.output
        return result

    return run


def running(program: Path, variables: dict[str, str]) -> Run:
    """Return what runs *program* as a process of its own."""

    def run(*arguments: str, exit_code: int = 0, given: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        ended = subprocess.run(
            [program, *arguments], input=given, capture_output=True, text=True, env={**variables, **more},
            timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == exit_code, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended

    return run


@pytest.fixture(name="started")
def _started(variables: dict[str, str]) -> Run:
    """The command as a process of its own."""
    return running(command(), variables)


@pytest.fixture(name="installed")
def _installed(variables: dict[str, str]) -> Run:
    """The command as it is installed, for what an interpreter makes of its environment when it starts."""
    return running(INSTALLED, variables)


def test_the_command_is_installed(installed: Run) -> None:
    assert INSTALLED.exists(), "make install puts it there"
    assert "auth-jwt" in installed("--version").stdout


def test_a_user_is_made_logs_in_and_is_gone(started: Run, tmp_path: Path) -> None:
    tag = "walk-through"
    started("profile", "add", tag, "--username", "alice", "--generate", "--out", str(tmp_path / "secret"))
    token = started("token", "mint", tag).stdout
    assert "accepted, for alice" in started("token", "explain", given=token).stdout
    started("secret", "rotate", tag, "--generate", "--out", str(tmp_path / "new"))
    started("token", "explain", given=token)
    started("revoke", tag, "--all", "--yes")
    started("token", "explain", given=token, exit_code=1)
    started("profile", "rm", tag, "--yes")

    assert "'walk-through'" in started("profile", "show", tag, exit_code=1).stderr
    audit = (tmp_path / "auth-jwt" / "audit.log").read_text("utf-8").splitlines()
    assert [json.loads(line)["audit"] for line in audit] == [
        "profile.create", "token.mint", "secret.rotate", "token.revoke_all", "profile.delete",
    ]  # fmt: skip


def test_the_sample_tables_are_in_order_but_for_their_protection(installed: Run) -> None:
    document = json.loads(installed("config", "check", "--json").stdout)

    assert {finding["severity"] for finding in document["findings"]} == {"warning"}


def test_tables_that_are_not_there_end_with_four(started: Run) -> None:
    said = started("profile", "list", exit_code=4, DB_URL="dynamodb+http://127.0.0.1:9/eu-central-1").stderr

    assert "no answer (EndpointConnectionError)" in said


def test_what_is_not_read_to_its_end_is_no_error(auth_jwt: InProcess, variables: dict[str, str]) -> None:
    """`auth-jwt profile list | head -1`."""
    with subprocess.Popen(
        [INSTALLED, "profile", "list", "--all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, said) == (141, b"")


def test_variables_that_one_may_not_decrypt_are_not_taken_for_none(started: Run, tmp_path: Path) -> None:
    """Or the default tables would be worked on in place of the function's."""
    error = {"ErrorCode": "AccessDeniedException", "Message": "Lambda was unable to decrypt"}
    answer = json.dumps({"FunctionName": "f", "Timeout": 5, "Environment": {"Error": error}}).encode()
    printed = tmp_path / "printed.json"
    printed.write_bytes(answer)

    with answering(an_answer(answer, headers="Content-Type: application/json\r\n")) as endpoint:
        variables = {"AWS_ENDPOINT_URL_LAMBDA": endpoint, "AWS_DEFAULT_REGION": "eu-central-1"}
        asked = started("profile", "list", "--function", "f", exit_code=4, **variables).stderr
    read = started("profile", "list", "--env-file", str(printed), exit_code=4).stderr

    assert asked == read
    assert "does not return the function's variables: AccessDeniedException" in asked


# -- results that nobody gets -----------------------------------------------------------------------------------------


@contextmanager
def nobody() -> Iterator[int]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def a_full_disk() -> Iterator[int]:
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


NOWHERE = pytest.mark.parametrize(
    ("nowhere", "why"), [(nobody, "Broken pipe"), (a_full_disk, "No space left on device")], ids=["nobody", "full disk"]
)


def ended(variables: dict[str, str], stdout: int, *arguments: str) -> tuple[int, str]:
    """Run a command whose standard output is *stdout*; return its exit code and what it said beside that."""
    process = subprocess.run(
        [command(), *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, env=variables, timeout=WAIT_SECONDS,
        check=False,
    )  # fmt: skip
    return process.returncode, process.stderr


@NOWHERE
@pytest.mark.parametrize("json_", [(), ("--json",)], ids=["people", "JSON"])
def test_a_write_whose_result_cannot_be_shown_is_told(
    variables: dict[str, str], auth_jwt: InProcess, alice: str, nowhere: Any, why: str, json_: tuple[str, ...]
) -> None:
    """The old secrets end: somebody has to know that nobody has the new one."""
    with nowhere() as stdout:
        rotated = ended(variables, stdout, "secret", "rotate", alice, "--generate", "--id", "lost", *json_)
        closed = ended(variables, stdout, "secret", "close", alice, "lost", "--yes", *json_)

    told = f"Error: secret.rotate of '{alice}', 'lost', is done, but it could not be shown ({why}); "
    assert rotated[0] == closed[0] == 5
    assert f"{told}the value is lost: rotate again, or close 'lost'\n" in rotated[1]
    assert closed[1].endswith(
        f".\nError: secret.close of '{alice}', 'lost', is done, but it could not be shown ({why})\n"
    )
    assert "Exception ignored" not in rotated[1]
    assert json.loads(auth_jwt("secret", "show", alice, "lost", "--json").stdout)["state"] == "closed"


def test_what_is_read_and_cannot_be_shown_is_told(variables: dict[str, str]) -> None:
    with a_full_disk() as stdout:
        code, said = ended(variables, stdout, "profile", "list")

    assert (code, said) == (5, "Error: the result could not be shown (No space left on device)\n")


def test_standard_output_may_be_closed(variables: dict[str, str], alice: str) -> None:
    shell = f"{INSTALLED} secret rotate {alice} --generate --id lost >&-"
    process = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, env=variables, timeout=WAIT_SECONDS, check=False
    )

    assert process.returncode == 5
    assert "could not be shown (Bad file descriptor); the value is lost" in process.stderr


@NOWHERE
def test_standard_error_that_nobody_reads_changes_nothing(
    variables: dict[str, str], auth_jwt: InProcess, alice: str, nowhere: Any, why: str
) -> None:
    with nowhere() as stderr:
        process = subprocess.run(
            [command(), "secret", "add", alice, "--generate"], stdout=subprocess.PIPE, stderr=stderr, text=True,
            env=variables, timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip

    assert process.returncode == 0, why
    auth_jwt("secret", "add", alice, "--secret-file", "-", given=process.stdout, exit_code=3)


def test_what_the_locale_cannot_write_is_spelt_out(installed: Run, alice: str) -> None:
    shown = installed("profile", "set", alice, "--username", "zoë", PYTHONIOENCODING="ascii").stdout

    assert r"zo\xeb" in shown


# -- an answer that does not come -------------------------------------------------------------------------------------


@contextmanager
def answers_to_writes_held_back(endpoint: str) -> Iterator[tuple[str, threading.Event]]:
    """A way to the tables that keeps back what they answer to a write; its address, and when a write is done."""
    host, _, port = endpoint.partition(":")
    written = threading.Event()

    def talk(connection: socket.socket, _: int) -> None:
        while question := read_question(connection):
            with socket.create_connection((host, int(port))) as tables:
                tables.sendall(question)
                answer = read_question(tables)
            if b"TransactWriteItems" in question:
                written.set()
                connection.recv(1)  # until the command is gone
            connection.sendall(answer)

    with a_server(talk) as address:
        yield address.removeprefix("http://"), written


def told_of(address: str) -> str:
    return f"region eu-central-1, endpoint {address}, tables jwt_profiles, jwt_secrets, jwt_revocations"


@pytest.mark.parametrize("goes_to_a_file", [True, False], ids=["a file", "standard output"])
def test_an_interrupt_while_the_answer_is_out_says_that_the_write_may_have_happened(
    variables: dict[str, str], auth_jwt: InProcess, alice: str, tmp_path: Path, goes_to_a_file: bool
) -> None:
    """The value is in its file before it is in the table, so that no row is without its value."""
    path = tmp_path / "alice.secret"
    out = ("--out", str(path)) if goes_to_a_file else ()

    with (
        answers_to_writes_held_back(variables["DB_URL"].split("/")[2]) as (endpoint, written),
        subprocess.Popen(
            [command(), "secret", "add", alice, "--generate", "--id", "new", *out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=unmeasured({**variables, "DB_URL": f"dynamodb+http://{endpoint}/eu-central-1"}),
        ) as process,
    ):  # fmt: skip
        assert written.wait(WAIT_SECONDS)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, shown) == (130, "")
    assert f"Warning: secret.add of '{alice}', 'new', may have been done, or not: check before you do it again" in said
    place = f"in {path}" if goes_to_a_file else "lost"
    assert f"The value of what was, or may have been, written is {place}.\n" in said
    if goes_to_a_file:  # a second time, it changes nothing
        again = auth_jwt("secret", "add", alice, "--secret-file", str(path), "--id", "new", "--json").stdout
        assert json.loads(again)["state"] == "open"


def test_a_value_that_its_file_does_not_take_is_not_written_to_the_table(
    variables: dict[str, str], auth_jwt: InProcess, alice: str, tmp_path: Path
) -> None:
    path = tmp_path / "alice.secret"
    shell = f"ulimit -f 0; exec {INSTALLED} secret add {alice} --generate --out {path}"  # no file may have a byte
    process = subprocess.run(
        ["sh", "-c", shell], capture_output=True, text=True, env=variables, timeout=WAIT_SECONDS, check=False
    )

    assert process.returncode == 1
    assert "the file of --out cannot be written (File too large); nothing was done" in process.stderr
    assert not path.exists()
    assert auth_jwt("secret", "list", alice, "--json").stdout == ""


def test_an_interrupt_before_the_write_leaves_nothing(variables: dict[str, str], endpoint: str, tmp_path: Path) -> None:
    path = tmp_path / "alice.secret"
    asked = threading.Event()

    def talk(connection: socket.socket, _: int) -> None:
        read_question(connection)
        asked.set()
        connection.recv(1)

    with (
        a_server(talk) as address,
        subprocess.Popen(
            [INSTALLED, "secret", "add", TAG, "--generate", "--out", str(path)], stderr=subprocess.PIPE, text=True,
            env=unmeasured({**variables, "DB_URL": f"dynamodb+{address}/eu-central-1"}),
        ) as process,
    ):  # fmt: skip
        assert asked.wait(WAIT_SECONDS)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_SECONDS)

    assert (process.returncode, said) == (130, f"Target: {told_of(address)}.\n")
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("auth-jwt ", {"profile", "secret", "token", "revoke", "key", "import", "lint", "config"}),
        ("auth-jwt token ", {"mint", "explain"}),
        ("auth-jwt secret add alice --se", {"--secret-file", "--set"}),
    ],
)
def test_the_shell_completes_commands_and_options(started: Run, words: str, expected: set[str]) -> None:
    count = len(words.split(" ")) - 1

    completed = started(_AUTH_JWT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count)).stdout

    assert set(completed.split()) >= expected


def test_the_completion_of_a_shell_is_shown(started: Run) -> None:
    script = started("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout

    assert "complete_bash auth-jwt" in script or "_AUTH_JWT_COMPLETE=complete_bash" in script


def test_colour_is_for_terminals_only(variables: dict[str, str], started: Run) -> None:
    arguments = ("token", "explain", "--token-file", "/dev/null")
    piped = started(*arguments, exit_code=1)
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
            ["setsid", "--ctty", command(), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=unmeasured(variables),
        )  # a session whose terminal this is: or Ctrl-C would go to nobody
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
        waiting = select.poll()  # `select` takes no descriptor beyond 1023
        waiting.register(self._master, select.POLLIN)
        ready = waiting.poll(WAIT_SECONDS * 1000)
        assert ready, self.shown
        try:
            octets = os.read(self._master, 4096)
        except OSError:  # the other end is closed
            return False
        self.shown += octets.decode("utf-8", "replace")
        return bool(octets)


@pytest.fixture(name="alice")
def _alice(auth_jwt: InProcess) -> Iterator[str]:
    auth_jwt("profile", "add", TAG, "--username", "alice")
    yield TAG
    auth_jwt("profile", "rm", TAG, "--yes")


def test_a_secret_is_asked_for_twice_and_never_shown(
    variables: dict[str, str], auth_jwt: InProcess, alice: str
) -> None:
    terminal = Terminal(variables, "secret", "add", alice)
    terminal.answer("Secret: ", f"{HMAC_KEY}\n")
    assert HMAC_KEY not in terminal.command_line()
    terminal.answer("confirmation: ", f"{HMAC_KEY}\n")

    assert terminal.end() == 0
    assert f"HMAC, {len(HMAC_KEY)} bytes" in terminal.shown
    assert HMAC_KEY not in terminal.shown
    fingerprint = auth_jwt("key", "fingerprint", "--secret-file", "-", given=HMAC_KEY).stdout.split()[4]
    assert fingerprint in auth_jwt("secret", "list", alice).stdout


def test_a_token_is_asked_for_and_never_shown(variables: dict[str, str], auth_jwt: InProcess, alice: str) -> None:
    auth_jwt("secret", "add", alice, "--generate")
    token = auth_jwt("token", "mint", alice).stdout.strip()

    terminal = Terminal(variables, "token", "explain")
    terminal.answer("Token: ", f"{token}\n")

    assert terminal.end() == 0
    assert "accepted, for alice" in terminal.shown
    assert token not in terminal.shown


def test_a_line_is_read_to_its_end_however_long(variables: dict[str, str], auth_jwt: InProcess, alice: str) -> None:
    """A terminal that gathers the line itself passes on 4095 bytes of it."""
    auth_jwt("secret", "add", alice, "--generate")
    token = auth_jwt("token", "mint", alice, "--claim", f"long={'x' * 11_000}").stdout.strip()

    terminal = Terminal(variables, "token", "explain")
    terminal.answer("Token: ", f"{token}\n")

    assert terminal.end() == 0
    assert "accepted, for alice" in terminal.shown
    assert token[:100] not in terminal.shown


def test_lines_that_are_pasted_at_once_are_one_answer(
    variables: dict[str, str], auth_jwt: InProcess, alice: str
) -> None:
    """Otherwise the shell would run the rest of a token, or of a private key, as commands."""
    auth_jwt("secret", "add", alice, "--generate")
    token = auth_jwt("token", "mint", alice).stdout.strip()

    terminal = Terminal(variables, "token", "explain")
    terminal.answer("Token: ", f"Bearer {token[:60]}\n  {token[60:]}\n")

    assert terminal.end() == 0
    assert "accepted, for alice" in terminal.shown
    assert token[60:] not in terminal.shown


def test_what_is_typed_can_be_corrected(variables: dict[str, str], auth_jwt: InProcess, alice: str) -> None:
    terminal = Terminal(variables, "secret", "add", alice)
    terminal.answer("Secret: ", f"all wrong\x15{HMAC_KEY}éx\x7f\x7f\n")
    terminal.answer("confirmation: ", "another\n")
    terminal.answer("Secret: ", f"{HMAC_KEY}\n")
    terminal.answer("confirmation: ", f"\x7f{HMAC_KEY}\n")

    assert terminal.end() == 0
    assert "the two are not the same" in terminal.shown
    fingerprint = auth_jwt("key", "fingerprint", "--secret-file", "-", given=HMAC_KEY).stdout.split()[4]
    assert fingerprint in auth_jwt("secret", "list", alice).stdout


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("secret", "add", TAG), "Secret: "),
        (("token", "explain"), "Token: "),
        (("profile", "rm", TAG), "[y/N]: "),
    ],
    ids=["a secret", "a token", "a confirmation"],
)
def test_an_interrupt_at_a_question_is_no_answer(
    variables: dict[str, str], alice: str, command: tuple[str, ...], question: str
) -> None:
    terminal = Terminal(variables, *command)
    terminal.answer(question, "\x03")

    assert alice == TAG
    assert terminal.end() == 130


@pytest.mark.parametrize(
    ("command", "question"), [(("secret", "add", TAG), "Secret: "), (("token", "explain"), "Token: ")]
)
def test_input_that_ends_at_a_question_is_a_mistake(
    variables: dict[str, str], alice: str, command: tuple[str, ...], question: str
) -> None:
    """Of `token explain`, 1 would say that the token is refused."""
    terminal = Terminal(variables, *command)
    terminal.answer(question, "\x04")

    assert alice == TAG
    assert terminal.end() == 2


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\n", 1), ("y\n", 0), ("\x04", 1)])
def test_what_is_dangerous_is_asked_first(
    variables: dict[str, str], auth_jwt: InProcess, alice: str, answer: str, code: int
) -> None:
    auth_jwt("secret", "add", alice, "--generate", "--id", "only")

    terminal = Terminal(variables, "secret", "close", alice, "only")
    terminal.answer(f"Close it, in {variables['DB_URL'].removeprefix('dynamodb+').rpartition('/')[0]}? [y/N]: ", answer)

    assert terminal.end() == code
    state = json.loads(auth_jwt("secret", "show", alice, "only", "--json").stdout)["state"]
    assert state == ("closed" if code == 0 else "open")


# -- what it loads ----------------------------------------------------------------------------------------------------

LOADED = """
import atexit, json, site, sys
from pathlib import Path

told = Path(sys.argv.pop())

def tell():
    folders = [Path(folder) for folder in site.getsitepackages()]
    tops = [module for name, module in sys.modules.items() if "." not in name and getattr(module, "__file__", None)]
    sources = [path for path in (Path(module.__file__) for module in tops) if path.suffix == ".py"]
    of_others = [path.relative_to(folder) for path in sources for folder in folders if path.is_relative_to(folder)]
    told.write_text(json.dumps([path.parts[0].removesuffix(".py") for path in of_others]))

atexit.register(tell)
from auth_jwt_cli.__main__ import main
main()
"""
"""Runs a command, and writes the names of others' packages that it loaded into the file of the last argument."""


def test_what_it_loads_of_others_has_its_byte_code_from_the_installation(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """Where nothing may write byte code, each run would make it anew."""
    told, loaded = tmp_path / "told", set[str]()
    for arguments in (("profile", "list"), ("secret", "list", "carol-desk")):
        subprocess.run([sys.executable, "-c", LOADED, *arguments, told], env=variables, check=True, capture_output=True)
        loaded |= set(json.loads(told.read_text()))

    assert loaded - {"coverage"} == set(COMPILED)

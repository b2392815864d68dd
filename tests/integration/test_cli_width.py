"""What commands show on a terminal of 80 columns: nothing is wider, and no tag, id or fingerprint is cut."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth_jwt_cli.terminal import width_of
from tests.command_line import CommandLine, a_command_line, command, environment_of, sample_tables
from tests.factories import public_pem

COLUMNS = 80
LONG = "branch-office-4711-door-station-in-the-basement-left-of-the-lift-42"  # 66 characters
WIDE = "日本語の利用者"
TAGS = ("alice-web", LONG, WIDE, "control\x1b[31m\u202e")
FINGERPRINT = re.compile(r"\bscrypt:[\w-]{16}(?![\w-])|(?<![\w-])[\w-]{43}(?![\w-])")


@pytest.fixture(name="shell", scope="module")
def _shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    folder = tmp_path_factory.mktemp("home")
    with a_command_line(folder) as shell:
        key = shell.file(public_pem(), "key.pem")
        for tag in TAGS:
            added = ("--username", f"user of {tag}"[:30], "--domain", "registrar.sip.example.com", "--generate")
            shell("profile", "add", tag, *added, "--out", str(folder / f"{TAGS.index(tag)}.secret"))
            shell("secret", "add", tag, "--secret-file", key, "--id", "public-key-2026-11", "--kid", "k" * 43)
            shell("revoke", tag, "--jti", f"{TAGS.index(tag)}f0e8c2a-5d0b-4c53-9a55-0d5a4f3b9c11", "--yes")
        text = " ".join(["Sentences that go on and on, in an attribute."] * 4)
        shell("profile", "add", "a", "--username", "a")
        shell("profile", "set", "alice-web", "--attribute", f"note={text}", "--attribute", f"name={WIDE * 9}")
        yield shell


def commands() -> list[list[str]]:
    each = [["profile", "show"], ["secret", "list"], ["secret", "show"], ["revoke", "--list"]]
    ids = {"secret show": ["public-key-2026-11"]}
    on_tags = [[*words, tag, *ids.get(" ".join(words), [])] for words in each for tag in TAGS]
    endings = ["secret", "list", "--all-tags", "--ending-within", "400d", "--no-successor"]
    found = ["find", "--domain", "registrar.sip.example.com"]
    return [
        *on_tags,
        ["profile", "list"],
        endings,
        found,
        ["target"],
        ["config", "check"],
        ["lint"],
        ["secret", "set-alg", "--all"],
    ]


def too_wide(text: str) -> list[str]:
    """The lines that are wider than the terminal, though a blank is where they could have ended.

    A command is not broken: it is there to be copied.
    """
    wide = [line for line in text.splitlines() if width_of(line) > COLUMNS and " " in line.strip(" -")]
    return [line for line in wide if not line.startswith("  auth-jwt ")]


def told(text: str) -> list[str]:
    """The characters of *text*, wherever its lines end. How long ago something was depends on when one asks."""
    return sorted(re.sub(r"\([^)]*(ago|now)\)|\(in [^)]*\)", "", " ".join(text.split())).replace(" ", ""))


def shown_on_80_columns(shell: CommandLine, words: list[str]) -> str:
    return shell(*words, exit_code=None, COLUMNS=str(COLUMNS)).stdout


@pytest.mark.parametrize("words", commands(), ids=ascii)
def test_nothing_is_wider_than_the_terminal_and_nothing_of_it_is_missing(words: list[str], shell: CommandLine) -> None:
    narrow = shown_on_80_columns(shell, words)
    piped = shell(*words, exit_code=None).stdout

    assert too_wide(narrow) == []
    assert narrow.isprintable() or set(narrow) - set("\n") <= {c for c in narrow if c.isprintable()}
    assert set(FINGERPRINT.findall(narrow)) == set(FINGERPRINT.findall(piped))
    assert told(narrow) == told(piped)


@pytest.mark.parametrize("words", [["profile", "list"], ["secret", "list", LONG]], ids=" ".join)
def test_a_tag_or_id_is_never_broken(words: list[str], shell: CommandLine) -> None:
    shown = shown_on_80_columns(shell, words)

    assert (LONG in shown) is (words != ["secret", "list", LONG])
    assert ("public-key-2026-11" in shown) is (words != ["profile", "list"])


def test_a_list_of_usual_rows_has_one_line_for_each(shell: CommandLine) -> None:
    shown = shell("profile", "list", "--limit", "1", COLUMNS=str(COLUMNS)).stdout

    assert len(shown.splitlines()) == 2


# -- on a terminal ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def a_terminal(columns: int) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of so many *columns*."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def on_a_terminal(words: list[str], variables: dict[str, str], columns: int = COLUMNS) -> str:
    """What a command writes to its terminal."""
    with a_terminal(columns) as (ours, theirs):
        process = subprocess.Popen([command(), *words], stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # Linux's word for the end
            while read := os.read(ours, 65536):
                written += read
        process.wait(timeout=60)
    return written.decode().replace("\r\n", "\n")


@pytest.fixture(name="variables", scope="module")
def _variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sample_tables() as endpoint:
        yield environment_of(endpoint, Path(tmp_path_factory.mktemp("home")))


def test_a_terminal_of_80_columns_gets_lines_of_80_and_styles(variables: dict[str, str]) -> None:
    shown = on_a_terminal(["secret", "list", "bob-mobile"], {**variables, "TERM": "xterm"})
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)

    assert shown != plain
    assert too_wide(plain) == []
    assert len(FINGERPRINT.findall(plain)) == 2


@pytest.mark.parametrize("more", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}], ids=str)
def test_no_style_reaches_a_terminal_that_has_none_or_whose_user_wants_none(
    more: dict[str, str], variables: dict[str, str]
) -> None:
    moving = [] if more.get("TERM") == "xterm" else [["lint"]]  # whose bar is written anew
    for words in (["secret", "list", "bob-mobile"], ["--help"], ["profile", "show", "nobody"], *moving):
        assert "\x1b" not in on_a_terminal(words, {**variables, **more})


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("words", [["--help"], ["profile", "-h"], ["secret", "add", "--help"], ["issuer", "add", "-h"]],
                         ids=" ".join)  # fmt: skip
def test_help_is_wrapped_to_the_terminal(words: list[str], columns: int, variables: dict[str, str]) -> None:
    shown = on_a_terminal(words, {**variables, "TERM": "dumb"}, columns)

    wide = [line for line in shown.splitlines() if width_of(line) > min(columns, 100)]
    assert [line for line in wide if len(line.split()) > 1 and "https://" not in line] == []
    assert shown.startswith("Usage: auth-jwt")

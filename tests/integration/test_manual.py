"""What the wheel has beside the command: its manual page, and completion. Looked at by the programs that read them."""

import contextlib
import hashlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.prepared_command import INSTALLED
from tools.manual.completions import FILES
from tools.manual.page import NAME, manual_page, pages

ROOT = Path(__file__).parents[2]
PAGE = "share/man/man1/auth-jwt.1"
SHELLS = {name.split("/")[1].removesuffix("-completion"): name for name in FILES}


def build(folder: Path) -> Path:
    """Build the wheel as `make wheel` does, elsewhere."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(name="share", scope="module")
def _share(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's data, where an installer would put it."""
    folder = tmp_path_factory.mktemp("environment")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            _, is_data, path = name.partition(".data/data/")
            if is_data:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(archive.read(name))
    return folder


def need(program: str) -> None:
    """Skip a test whose *program* is missing on this machine."""
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")


def ask(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may be missing on this machine: then the test is skipped. `make debian` installs all."""
    need(str(command[0]))
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **variables}
    )


def test_the_wheel_has_a_page_and_a_script_for_each_shell(share: Path) -> None:
    found = {path.relative_to(share).as_posix() for path in share.rglob("*") if path.is_file()}

    assert found == {PAGE, *FILES}


def test_the_same_sources_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, build(tmp_path))]

    assert digests[0] == digests[1]


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["man", "--warnings", "--encoding=utf8", "--local-file"],
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        ["mandoc", "-Tlint", "-Wwarning"],
    ],
    ids=lambda command: command[0],
)
def test_programs_that_read_manual_pages_have_no_complaint(command: list[str], share: Path) -> None:
    read = ask(*command, share / PAGE, MANWIDTH="80", MANPAGER="cat")

    assert (read.returncode, read.stderr) == (0, "")
    assert command[0] == "man" or read.stdout == ""


def test_a_reader_sees_every_command_and_every_option(share: Path) -> None:
    shown = ask("man", "--local-file", share / PAGE, MANWIDTH="120", MANPAGER="cat", MAN_KEEP_FORMATTING="").stdout
    words = set(re.sub(r"\x1b\[[\d;]*m|.\x08", "", shown).replace("‐", "-").split())  # noqa: RUF001 - groff's hyphen

    for name, page in pages().items():
        assert set(name.split()) <= words
        for rows in page.lists.values():
            for option in re.findall(r"(?<![\w-])--?[\w-]+", " ".join(option for option, _ in rows)):
                assert option in {word.rstrip(",") for word in words}, f"{option} of {name}"


def test_no_text_of_the_page_is_taken_for_a_macro() -> None:
    macros = {line.split()[0] for line in manual_page("1.0", "2026-01-01").splitlines() if line.startswith((".", "'"))}

    assert macros == {".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".RS", ".RE", ".BR"}


def test_an_empty_environment_for_builds_needs_typer_and_nothing_else_of_ours() -> None:
    """What pyproject.toml says that a build needs is enough."""
    program = (
        "import sys; sys.path[:0] = ['.', 'layers/auth_jwt', 'cli']; before = set(sys.modules)\n"
        "from tools.manual.page import manual_page; manual_page('1', '')\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", f"import site; site.addsitedir({sysconfig_purelib()!r})\n{program}"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert set(ended.stdout.split()) <= {"tools", "auth_jwt", "auth_jwt_cli", "typer", "annotated_doc", "shellingham"}


def sysconfig_purelib() -> str:
    """The folder of packages of this environment."""
    return next(path for path in sys.path if path.endswith("site-packages"))


# -- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_accepts_its_script(shell: str, share: Path) -> None:
    read = ask(shell, "-n", share / SHELLS[shell])

    assert (read.returncode, read.stdout, read.stderr) == (0, "", "")


def typed(command: list[str], keys: str, until: Callable[[str], bool], variables: Mapping[str, str]) -> str:
    """What a shell on a terminal shows after somebody has typed *keys*, and pressed the key for completion."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True
    )
    os.close(theirs)
    shown = ""
    waiting = select.poll()  # `select` takes no descriptor beyond 1023
    waiting.register(ours, select.POLLIN)
    try:
        os.write(ours, keys.encode())
        end = time.monotonic() + 60
        while not until(shown) and time.monotonic() < end:
            if waiting.poll(1000):
                with contextlib.suppress(OSError):
                    shown += os.read(ours, 65536).decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown


LINES = [
    ("auth-jwt pro", "auth-jwt profile"),
    ("auth-jwt profile ena", "auth-jwt profile enable"),
    ("auth-jwt token explain --from-us", "auth-jwt token explain --from-user"),
]
BEGINNINGS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ". {script}; bind 'set enable-bracketed-paste off'"),
    "zsh": (["zsh", "-f", "-i"], "fpath=({script:h} $fpath); autoload -U compinit; compinit -u -D"),
}


@pytest.mark.parametrize("shell", BEGINNINGS)
@pytest.mark.parametrize(("line", "completed"), LINES)
def test_a_line_that_somebody_types_is_completed(
    shell: str, line: str, completed: str, share: Path, tmp_path: Path
) -> None:
    """At the first key, in a shell that has just begun."""
    need(shell)
    command, begin = BEGINNINGS[shell]
    script = share / SHELLS[shell]
    begin = begin.replace("{script:h}", str(script.parent)).replace("{script}", str(script))
    shown = typed(command, f"{begin}\n{line}\t", lambda text: completed in text, at_a_shell(tmp_path))

    assert completed in shown


@pytest.mark.parametrize(("line", "completed"), LINES)
def test_fish_completes_a_line(line: str, completed: str, share: Path, tmp_path: Path) -> None:
    begin = f"source {share / SHELLS['fish']}"
    shown = ask("fish", "--no-config", "-c", f"{begin}; complete -C '{line}'", **at_a_shell(tmp_path)).stdout

    assert shown.split("\t")[0] == completed.rsplit(maxsplit=1)[-1]


def at_a_shell(home: Path) -> dict[str, str]:
    """The variables of somebody who can call the installed command."""
    return {"PATH": f"{INSTALLED.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "PS1": "$ "}


def test_completion_of_a_command_imports_none() -> None:
    """It comes while somebody waits with a finger on the key."""
    program = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from auth_jwt_cli.main import main; main()"
    )
    asked = {"_AUTH_JWT_COMPLETE": "complete_bash", "COMP_WORDS": "auth-jwt\n", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONPATH": f"{ROOT}/cli:{ROOT}/layers/auth_jwt", **asked},
    )  # fmt: skip

    words = {name.removeprefix(NAME).split()[0] for name in pages() if name != NAME}
    assert set(ended.stdout.split()) == words
    assert not {name for name in ended.stderr.split() if name.endswith(("_command", "_commands"))}

"""Runs the shell commands that a recipe's page shows, in a folder in the place of ``/etc``."""

import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

FRONTENDS = Path(__file__).parents[1] / "frontends"
REAL_PROGRAMS = ("cat", "date", "install", "mkdir", "sed")
SECONDS = 20


def blocks_of(page: Path) -> list[str]:
    """Return the blocks of shell commands of *page*, each without its indent."""
    found = re.findall(r"^( *)```sh\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of commands.

    Attributes:
        etc: the folder that was in the place of ``/etc``.
        called: the stand-ins that ran, each with its arguments.
        stderr: what was said.
    """

    etc: Path
    called: list[str]
    stderr: str


def run(shell: str, commands: str, folder: Path, stand_ins: dict[str, str]) -> Ended:
    """Run *commands* line by line as they would be pasted: a failed one does not end the rest.

    Args:
        shell: ``bash`` or ``sh``.
        commands: what the page shows; ``/etc/`` in it becomes a folder of *folder*.
        folder: empty, or left by an earlier call.
        stand_ins: scripts for programs that are not run here, by name. No other program is found, but `REAL_PROGRAMS`.
    """
    programs, etc, log = (folder / name for name in ("bin", "etc", "called"))
    shutil.rmtree(programs, ignore_errors=True)
    log.unlink(missing_ok=True)
    for made in (programs, *(etc / name for name in ("nginx", "opensips", "kamailio", "systemd/system"))):
        made.mkdir(parents=True, exist_ok=True)
    for name in REAL_PROGRAMS:
        (programs / name).symlink_to(_found(name))
    for name, script in stand_ins.items():
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{script}\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    ended = subprocess.run(
        [_found(shell)],
        input=re.sub(r"(?<![\w.])/etc/", f"{etc}/", commands),
        env={"PATH": str(programs), "ETC": str(etc)},
        cwd=FRONTENDS.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Ended(etc, log.read_text(encoding="utf-8").splitlines() if log.exists() else [], ended.stderr)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"no {program}")
    return path

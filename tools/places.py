"""Run the tests in other places: `python -m tools.places`, or `make places`.

A place is an environment: a time zone, another year, a locale, another Python, another user, a folder with a blank in
its name. Each runs the tests that could notice it. Exit code 0: all places passed; 1: a test failed; 3: none failed,
but not all places could be run, since something is not installed here.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
NOT_WHOLE: Final = 3
_COMMANDS: Final = ("tests/unit/cli", "tests/unit/test_prepared_command.py", "tests/integration/test_cli.py")
_DECIDING: Final = (
    *("tests/unit/memory", "tests/unit/issuers", "tests/unit/provisioning", "tests/unit/runtime", "tests/unit/jose"),
    *("tests/unit/test_authorizer.py", "tests/unit/test_credentials.py", "tests/security/test_decision.py"),
    *("tests/conformance/test_opensips.py", "tests/integration/test_authorize.py"),
)
_IN_PROCESS: Final = (
    *(*_DECIDING, "tests/unit/cli", "tests/integration/test_rotation.py"),
    *("tests/integration/test_ending_secrets.py", "tests/integration/test_gateway_authorizer.py"),
)
"""Tests that start no program, which would keep the clock of this machine."""
_TIMES: Final = (*_IN_PROCESS, "tests/integration/test_cli.py")
_ANOTHER_YEAR: Final = ("-p", "tests.another_year")


@dataclass(frozen=True)
class Place:
    """An environment, and the tests that run in it.

    Attributes:
        what: what is other there, for people.
        tests: folders and files.
        variables: what the environment has; None takes a variable away.
        before: what stands in front of the command.
        needs: programs and locales (`locale:tr_TR.UTF-8`) without which it cannot be run.
        options: further options of pytest.
        umask: the mask of new files.
        python: the Python of an environment of its own, in a copy of the checkout.
        folder: the name of that copy.
        nobody: whether it is run by the user `nobody`, which takes root.
    """

    what: str
    tests: Sequence[str]
    variables: Mapping[str, str | None] = field(default_factory=dict)
    before: Sequence[str] = ()
    needs: Sequence[str] = ()
    options: Sequence[str] = ()
    umask: int | None = None
    python: str | None = None
    folder: str | None = None
    nobody: bool = False


PLACES: Final[Mapping[str, Place]] = {
    "chatham": Place("a zone of 12:45, random order", _TIMES, {"TZ": "Pacific/Chatham"}, options=("-p", "randomly")),
    "kathmandu": Place("a zone of 05:45", _TIMES, {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"}),
    "order": Place("random order", ("tests/unit", "tests/property"), options=("-p", "randomly")),
    "ascii": Place(
        "the locale C without UTF-8", _COMMANDS, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ),
    "turkish": Place(
        "i and I are no pair", (*_COMMANDS, *_DECIDING), {"LC_ALL": "tr_TR.UTF-8"}, needs=("locale:tr_TR.utf8",)
    ),
    "latin": Place(
        "a locale of ISO 8859-1", _COMMANDS, {"LC_ALL": "de_DE", "PYTHONUTF8": "0"}, needs=("locale:de_DE",)
    ),
    "bare": Place(
        "no HOME, no terminal, colours forced, and files that are nobody else's",
        _COMMANDS,
        {"HOME": None, "TERM": None, "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"},
        before=("setsid", "--wait"), needs=("setsid",), umask=0o077,
    ),
    "open": Place("files that are everybody's", _COMMANDS, umask=0o000),
    "2031": Place("when all of five years has ended", _IN_PROCESS, {"YEAR": "2031"}, options=_ANOTHER_YEAR),
    "2039": Place("beyond 31 bits of seconds", _IN_PROCESS, {"YEAR": "2039"}, options=_ANOTHER_YEAR),
    "optimized": Place(
        "python -O, which drops assertions", _DECIDING, {"PYTHONOPTIMIZE": "1"}, options=("-W", "ignore")
    ),
    "blank": Place("a folder with blanks and an umlaut", ("tests/unit", *_COMMANDS), folder="mit Blank und Ümlaut"),
    "3.11": Place("Python 3.11", ("tests/unit", "tests/property"), python="11"),
    "3.12": Place("Python 3.12", ("tests/unit", "tests/property"), python="12"),
    "nobody": Place(
        "another user than root", _COMMANDS, needs=("setpriv", "/usr/bin/python3"), python="/usr/bin/python3",
        before=("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"), nobody=True,
    ),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Go through the places, and return the exit code."""
    chosen = _parser().parse_args(arguments)
    names = chosen.only or list(PLACES)
    if chosen.list:
        for name in names:
            print(f"{name:10} {PLACES[name].what}")
        return 0
    print(f"random order is that of --seed {chosen.seed}", flush=True)
    ends = {name: _run(name, PLACES[name], chosen.seed, chosen.workers) for name in names}
    print()
    for name, end in ends.items():
        print(f"{name:10} {end or 'passed':40} {PLACES[name].what}")
    if any(end == "FAILED" for end in ends.values()):
        return 1
    return NOT_WHOLE if any(ends.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.places", description="Run the tests in other places.")
    parser.add_argument("--only", nargs="+", choices=PLACES, metavar="PLACE", help="these alone: see --list")
    parser.add_argument("--list", action="store_true", help="show the places, and run nothing")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the random order")  # noqa: S311
    parser.add_argument("--workers", default="auto", help="processes that test at the same time (default: %(default)s)")
    return parser


def missing_for(place: Place) -> str:
    """Return what is not here of all that a *place* needs; empty text when it can be run."""
    if place.nobody and os.geteuid() != 0:
        return "root"
    if place.python is not None and not place.python.startswith("/") and _python(place.python) is None:
        return f"Python 3.{place.python}"
    for need in place.needs:
        kind, _, name = need.partition(":")
        if kind == "locale":
            known = subprocess.run(["locale", "-a"], check=False, capture_output=True, text=True).stdout.split()  # noqa: S607
            if name not in known:
                return f"the locale {name}"
        elif shutil.which(need) is None:
            return need
    return ""


def environment_of(place: Place, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the tests have in a *place*, from those that there are."""
    changed = {**env, "AWS_DEFAULT_REGION": "eu-central-1", **place.variables}
    return {name: value for name, value in changed.items() if value is not None}


def _run(name: str, place: Place, seed: int, workers: str) -> str:
    """Run the tests in a *place*; return how it ended, empty text if well."""
    lack = missing_for(place)
    if lack:
        print(f"--- {name}: NOT RUN, no {lack} here", flush=True)
        return f"not run: no {lack} here"
    print(f"--- {name}: {place.what}", flush=True)
    began = time.monotonic()
    order = ("-p", "randomly", f"--randomly-seed={seed}") if "randomly" in place.options else place.options
    pytest = (".venv/bin/python", "-m", "pytest", "-q", "-n", workers, "--timeout", "300", *order, *place.tests)
    with _checkout(place) as folder:
        if folder is None:
            return "FAILED"
        env = environment_of(place, os.environ)
        if place.nobody:
            env |= {"HOME": str(folder.parent), "TMPDIR": str(folder.parent)}
        done = subprocess.run(
            [*place.before, *pytest], cwd=folder, check=False, env=env,
            umask=-1 if place.umask is None else place.umask, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    print(f"--- {name}: exit code {done.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    return "FAILED" if done.returncode else ""


@contextmanager
def _checkout(place: Place) -> Iterator[Path | None]:
    """Give the folder in which a *place* runs: this one, or a copy with an environment; None when that fails."""
    if place.python is None and place.folder is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="places-", ignore_cleanup_errors=True) as parent:
        folder = Path(parent, place.folder or "checkout")
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True  # noqa: S607
        ).stdout  # fmt: skip
        for path in filter(None, os.fsdecode(listed).split("\0")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path, follow_symlinks=False)
        if (ROOT / ".git").is_dir():  # some tests ask git what is there
            shutil.copytree(ROOT / ".git", folder / ".git", symlinks=True)
        given = place.python or ""
        python = given if given.startswith("/") else _python(given)
        made = subprocess.run(["make", "install", *([f"PYTHON={python}"] if python else [])], cwd=folder, check=False)  # noqa: S607
        if made.returncode == 0 and place.nobody:
            subprocess.run(["chown", "-R", "nobody:nogroup", parent], check=True)  # noqa: S607
        yield None if made.returncode else folder


def _python(minor: str) -> str | None:
    """Return a Python 3.*minor* of this machine, if there is one."""
    found = subprocess.run([ROOT / "tools" / "find-python", minor], check=False, capture_output=True, text=True)
    return found.stdout.strip() or None


if __name__ == "__main__":
    sys.exit(main())

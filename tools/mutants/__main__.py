"""Break the program and see whether a test notices: `python -m tools.mutants`, or `make mutants`.

Exit code 0: enough mutants were caught; 1: too few; 2: nothing could be measured: a test fails without a mutant.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from tools.mutants.choosing import changed_lines, concerned_by, files_in, files_named, sample, touched
from tools.mutants.equivalents import LIST, read_equivalents, without_equivalents
from tools.mutants.operators import Mutant, mutants_in
from tools.mutants.report import Result, enough, of_line, report, show

ROOT: Final = Path(__file__).parents[2]
THRESHOLD: Final = 95.0
UNUSABLE: Final = 2
_EVERY_SECONDS: Final = 10


@dataclass(frozen=True)
class Chosen:
    """What is tried.

    Attributes:
        mutants: in the order of files.
        equivalent: how many were left out, since nobody can notice them.
        sources: the text of each file that is mutated.
    """

    mutants: list[Mutant]
    equivalent: int
    sources: dict[str, str]


def main(arguments: list[str] | None = None) -> int:
    """Try mutants, say which survived, and return the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        chosen = choose(asked)
    except (ValueError, subprocess.CalledProcessError) as exc:
        parser.error(str(exc))
    out = sys.stderr if asked.json else sys.stdout
    print(f"{len(chosen.mutants)} mutants, and {chosen.equivalent} that nobody can notice", file=out, flush=True)
    if not chosen.mutants:
        return 0
    try:
        results = list(_try(chosen, asked.jobs, asked.minutes, out))
    except RuntimeError as exc:
        print(f"nothing was measured: {exc}", file=sys.stderr)
        return UNUSABLE
    if asked.json:
        print(json.dumps(report(results, chosen.sources, chosen.equivalent, asked.threshold)))
    else:
        show(results, chosen.sources, asked.threshold)
    return 0 if enough(results, asked.threshold) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make mutants",
        description="Break the package and the functions, one change at a time, and say which change no test noticed.",
        epilog="Exit code 0: enough were caught; 1: too few; 2: nothing could be measured.",
    )
    parser.add_argument(
        "--module",
        action="append",
        metavar="PATH",
        help="only there: jose, memory/rows.py, functions/authorize (repeatable)",
    )
    parser.add_argument("--changed", metavar="REV", help="only lines that changed since this revision left the branch")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many of these, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=1440,
        help="begin no mutant so long after the first; what is left is not counted",
    )
    parser.add_argument(
        "--threshold", type=float, default=THRESHOLD, help="per cent that must be caught (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (default: %(default)s)"
    )
    parser.add_argument("--list", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="write the report as JSON, and progress to stderr")
    return parser


def choose(asked: argparse.Namespace, root: Path = ROOT) -> Chosen:
    """Return the mutants that were *asked* for.

    Raises:
        ValueError: there is no such module.
        CalledProcessError: git knows no such revision.
    """
    files = files_in(root)
    if asked.module:
        files = files_named(asked.module, files)
    lines: dict[str, set[int]] | None = None
    if asked.changed:
        lines = changed_lines(_git("diff", "--unified=0", "--no-ext-diff", "--merge-base", asked.changed, root=root))
        files = [file for file in files if file in lines]
    sources = {file: (root / file).read_text(encoding="utf-8") for file in files}
    mutants = mutants_in(root, files)
    if lines is not None:
        mutants = touched(mutants, lines, sources)
    mutants = sample(mutants, asked.sample, asked.seed)
    mutants, equivalent = without_equivalents(mutants, read_equivalents(root / LIST), sources)
    return Chosen(mutants, len(equivalent), sources)


def _git(*words: str, root: Path) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S607


def _try(chosen: Chosen, jobs: int, minutes: float, out: IO[str]) -> Iterator[Result]:
    """Try the mutants in a copy of the checkout, and tell how it goes.

    Raises:
        RuntimeError: a test fails without a mutant, or the tests cannot be collected.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as parent:
        copy = Path(parent, "checkout")
        _copy_checkout(copy)
        plan = Path(parent, "plan.json")
        tests = concerned_by({mutant.path for mutant in chosen.mutants})
        mutants = [asdict(mutant) for mutant in chosen.mutants]
        plan.write_text(
            json.dumps({"mutants": mutants, "tests": tests, "jobs": jobs, "minutes": minutes}), encoding="utf-8"
        )
        command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "tools.mutants.worker", str(plan)]
        env = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1", "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(command, cwd=copy, env=env, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None  # noqa: S101 - it is a pipe
            try:
                yield from _follow((json.loads(line) for line in worker.stdout), chosen.mutants, out)
            finally:
                worker.terminate()


def _follow(told: Iterator[dict[str, Any]], mutants: Sequence[Mutant], out: IO[str]) -> Iterator[Result]:
    """Read what the worker tells, and pass on how far it is."""
    done, survived, said = 0, 0, time.monotonic()
    for line in told:
        if "stopped" in line:
            raise RuntimeError(line["stopped"])
        if "recorded" in line:
            print(f"{line['recorded']} tests pass without a mutant, in {line['seconds']:.0f} s", file=out, flush=True)
            continue
        result = of_line(line, mutants)
        done, survived = done + 1, survived + (result.end == "survived")
        if time.monotonic() - said > _EVERY_SECONDS:
            said = time.monotonic()
            print(f"{done} of {len(mutants)} mutants, {survived} survived", file=out, flush=True)
        yield result
    if done < len(mutants):
        raise RuntimeError(f"only {done} of {len(mutants)} mutants were tried")


def _copy_checkout(copy: Path) -> None:
    """Copy what git knows or would add: nothing that tests write reaches the checkout, and that may be edited."""
    listed = _git("ls-files", "-coz", "--exclude-standard", root=ROOT)
    there = "\0".join(path for path in listed.split("\0") if path and (ROOT / path).exists())
    copy.mkdir()
    subprocess.run(
        ["xargs", "-0", "cp", "--parents", "-t", str(copy)], cwd=ROOT, check=True, input=there, text=True  # noqa: S607
    )  # fmt: skip
    (copy / ".venv").symlink_to(ROOT / ".venv")
    if (ROOT / ".git").is_dir():  # some tests ask git what is there
        (copy / ".git").symlink_to(ROOT / ".git")


if __name__ == "__main__":
    sys.exit(main())

"""How long the command line takes to start: `python -m tests.benchmarks.starting`. It needs loopback only.

Each line of commands runs in a fresh interpreter, in turns, beside one that does nothing at all (`python -c pass`). The
tables are moto's server on loopback. A figure is the time that the process spends on the processor, since other
programs run on the same machine; beside it is the time that somebody waits. Ratios are to the interpreter in the same
round.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.command_line import environment_of, sample_tables

ROOT: Final = Path(__file__).parents[2]
NOTHING: Final = "python -c pass"
COMMANDS: Final = (
    "--help",
    "--version",
    "profile --help",
    "key fingerprint --secret-file {secret} --alg HS256",
    "profile show alice-web",
    "profile list",
    "secret list alice-web",
)
"""From those that load least to those that ask DynamoDB."""

Times = tuple[float, float]
"""Seconds on the processor, and seconds until the end."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often each command runs (15)")
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout, to run the same commands of")
    parser.add_argument(
        "--no-byte-code", action="store_true", help="compile every module each time, as where nothing may be written"
    )
    options = parser.parse_args()
    folders = {"here": ROOT, **({str(options.beside): options.beside} if options.beside else {})}
    with sample_tables() as endpoint, tempfile.TemporaryDirectory() as home:
        secret = Path(home, "secret")
        secret.write_text("x" * 64, encoding="ascii")
        variables = environment_of(endpoint, Path(home)) | _byte_code(Path(home), wanted=not options.no_byte_code)
        runs = {(NOTHING, ""): ([sys.executable, "-c", "pass"], variables)}
        for command in COMMANDS:
            for name, folder in folders.items():
                arguments = command.format(secret=secret).split()
                paths = {"PYTHONPATH": f"{folder}/cli:{folder}/layers/auth_jwt"}
                runs[command, name] = ([sys.executable, "-m", "auth_jwt_cli", *arguments], variables | paths)
        _show(_measured(runs, options.rounds))


def _byte_code(home: Path, *, wanted: bool) -> dict[str, str]:
    """Return the variables by which Python keeps byte code, in a folder of this run; or finds and keeps none."""
    return {"PYTHONPYCACHEPREFIX": str(home / "byte-code")} | ({} if wanted else {"PYTHONDONTWRITEBYTECODE": "1"})


def _measured(
    runs: Mapping[tuple[str, str], tuple[Sequence[str], Mapping[str, str]]], rounds: int
) -> dict[tuple[str, str], list[Times]]:
    for command, variables in runs.values():  # what is loaded here for the first time is on disk afterwards
        _run(command, variables)
    times: dict[tuple[str, str], list[Times]] = {name: [] for name in runs}
    for number in range(rounds):
        names = list(runs)
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned:
            times[name].append(_run(*runs[name]))
    return times


def _run(command: Sequence[str], variables: Mapping[str, str]) -> Times:
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    waited = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} has failed:\n{said}")
    return used.ru_utime + used.ru_stime, waited


def _show(times: Mapping[tuple[str, str], Sequence[Times]]) -> None:
    nothing = times[NOTHING, ""]
    print("| command | code | processor | waited | x the interpreter |\n| --- | --- | --- | --- | --- |")
    for (command, name), measured in times.items():
        ratios = [one[0] / base[0] for one, base in zip(measured, nothing, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        processor, waited = (statistics.median(column) for column in zip(*measured, strict=True))
        shown = command if command == NOTHING else f"auth-jwt {command.partition(' --secret-file')[0]}"
        print(f"| `{shown}` | {name} | {processor:.3f} s | {waited:.3f} s | {ratio:.1f} ({low:.1f} to {high:.1f}) |")


if __name__ == "__main__":
    main()

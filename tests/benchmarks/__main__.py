"""How fast the service is, beside what one would compare it with: `make bench`.

A complete run writes docs/benchmarks: figures, page and plots. A part alone is only printed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.benchmarks import page, plots
from tests.benchmarks.cold import cold
from tests.benchmarks.emulator import emulator
from tests.benchmarks.figures import COLD, EMULATOR, ISSUERS, WARM, Comparison, judged, report
from tests.benchmarks.issuers import issuers
from tests.benchmarks.tables import tables
from tests.benchmarks.warm import profile, warm
from tools.events.stage import ROOT, Json

PARTS: Final[Mapping[str, Callable[[str, int, Callable[[str], None]], dict[str, Comparison]]]] = {
    WARM: warm,
    COLD: cold,
    EMULATOR: emulator,
    ISSUERS: issuers,
}
ROUNDS: Final = {WARM: 400, COLD: 15, EMULATOR: 9, ISSUERS: 100}
PACKAGES: Final = ("aws-lambda-powertools", "boto3", "cryptography", "joserfc", "pyjwt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and return the exit status: 1 when a goal is missed and that was to be checked."""
    chosen = _parser().parse_args(arguments)
    if chosen.page:
        _write_page()
        return 0
    if chosen.profile:
        with tables() as address:
            print(profile(address))
        return 0
    results = _measured(chosen)
    if chosen.only is None:
        page.save(results)
        _write_page()
    print(json.dumps(results, indent=2) if chosen.json else report(_all_goals(results, chosen.only)))
    return 1 if chosen.check and not all(goal["met"] for goal in results["goals"]) else 0


def _parser() -> argparse.ArgumentParser:
    usual = ", ".join(f"{part} {rounds}" for part, rounds in ROUNDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=_positive, help=f"paired samples in each comparison (default: {usual})")
    parser.add_argument("--only", choices=PARTS, help="measure this part only, and write no page")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for machines")
    parser.add_argument("--check", action="store_true", help="exit with status 1 when a goal is missed")
    parser.add_argument("--profile", action="store_true", help="print where the time of a warm HS256 request goes")
    parser.add_argument("--page", action="store_true", help="write page and plots anew from the figures there are")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("less than one round measures nothing")
    return number


def _measured(chosen: argparse.Namespace) -> Json:
    rounds = {part: chosen.rounds or usual for part, usual in ROUNDS.items() if chosen.only in (part, None)}
    with tables() as address:
        parts = {part: PARTS[part](address, number, _say) for part, number in rounds.items()}
    results: Json = {
        "date": datetime.now(UTC).date().isoformat(),
        "revision": _revision(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "rounds": rounds,
        "goals": [],
        "parts": {
            part: {key: comparison.to_json() for key, comparison in found.items()} for part, found in parts.items()
        },
    }
    results["goals"] = judged(page.comparisons_of(results))  # by the figures as they are kept, which are rounded
    return results


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _write_page() -> None:
    page.write()
    plots.draw(page.comparisons_of(page.results_in()), page.FOLDER)


def _all_goals(results: Json, only: str | None) -> list[Json]:
    """Return the goals of a run; after a complete one with those of scale, as `make bench-scale` last found them."""
    scale = page.scale_in() if only is None else {"goals": []}
    older = [{**goal, "name": f"{goal['name']} (make bench-scale, {scale['date']})"} for goal in scale["goals"]]
    return [*results["goals"], *older]


if __name__ == "__main__":
    sys.exit(main())

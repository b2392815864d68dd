"""Draw the dashboard of the template with simulated hours: `python -m tools.dashboard --help`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from tools.dashboard.body import widgets_of
from tools.dashboard.hour import bad_hour, normal_hour
from tools.dashboard.picture import draw
from tools.dashboard.recorded import record
from tools.dashboard.stack import monitoring
from tools.events.stage import ROOT
from tools.template.stack import PSEUDO_PARAMETERS

HOURS: Final = {"normal": normal_hour, "bad": bad_hour}
PICTURES: Final = ROOT / "docs" / "monitoring"


def main(arguments: list[str] | None = None) -> int:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboard", description=__doc__)
    parser.add_argument("--hour", choices=HOURS, help="only this hour; without it both, into --folder")
    parser.add_argument("--out", type=Path, help="the file for --hour, .png or .svg")
    parser.add_argument("--folder", type=Path, default=PICTURES, help="where both go (default: %(default)s)")
    given = parser.parse_args(arguments)
    if (given.out is None) != (given.hour is None):
        parser.error("--out and --hour belong together: --hour bad --out bad.png")
    if given.out is not None and given.out.suffix not in (".png", ".svg"):
        parser.error(f"--out {given.out}: the file must end in .png or .svg")
    files = {given.hour: given.out} if given.hour else {name: given.folder / f"{name}-hour.png" for name in HOURS}
    os.environ.setdefault("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])  # which SAM's library asks for
    made, recorded = monitoring(), record()
    for name, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        hour = HOURS[name](recorded, made)
        draw(widgets_of(made.dashboard), list(made.alarms.values()), hour, path, marked_by=made.digest)
        print(f"{path}: {path.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write the sample rows, the sample events and what each event must be answered.

``python -m tools.events.generate`` writes rows.json, the files of outcomes and a folder of events per function into
events/, the same bytes every time; ``--check`` writes nothing and names the files that differ. What they hold is made
in samples.py (keys, rows, tokens) and in a module per function.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.events import authorize_events, gateway_authorizer_events, provisioning_events
from tools.events.samples import PROFILES, SECRETS, rows
from tools.events.stage import ROOT, SAMPLES

FOLDERS = ("authorize", "gateway_authorizer", "provisioning")


def files() -> dict[Path, str]:
    """Return what every generated file holds."""
    values: dict[Path, Any] = {
        SAMPLES / "rows.json": rows(),
        **authorize_events.files(),
        **gateway_authorizer_events.files(),
        **provisioning_events.files(),
    }
    return {path: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for path, value in values.items()}


def differing(wanted: Mapping[Path, str]) -> list[Path]:
    """Return the files that are missing, changed, or no longer wanted."""
    present = {path: path.read_bytes() for path in wanted if path.is_file()}
    changed = [path for path, text in wanted.items() if present.get(path) != text.encode()]
    unwanted = {path for folder in FOLDERS for path in (SAMPLES / folder).glob("*.json")} - set(wanted)
    return sorted([*changed, *unwanted])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with ``--check`` name those that differ; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the sample rows and events: always the same bytes.")
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that differ")
    only_check = parser.parse_args(arguments).check
    wanted = files()
    stale = differing(wanted)
    if only_check:
        for path in stale:
            print(f"differs: {path.relative_to(ROOT)}", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(wanted[path].encode())
        else:
            path.unlink()
        print(f"{'wrote' if path in wanted else 'removed'} {path.relative_to(ROOT)}")
    events = sum(path.parent != SAMPLES for path in wanted)
    print(f"{events} events, {len(PROFILES)} profiles, {len(SECRETS)} secrets")
    return 0


if __name__ == "__main__":
    sys.exit(main())

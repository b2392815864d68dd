"""Writes openapi-admin.json: what the admin API says of itself, for who has no running one at hand."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.events.stage import ROOT, load_handler

FILE: Final = ROOT / "openapi-admin.json"


def text() -> str:
    """Return what the file should hold."""
    load_handler("provisioning")
    from admin_api.resolver import AdminResolver

    return json.dumps(AdminResolver().document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or with ``--check`` say whether it differs; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.serve.admin_document",
        description="Write openapi-admin.json from the routes of the admin API.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the file differs")
    parser.add_argument("--file", type=Path, default=FILE, help="another file (default: openapi-admin.json)")
    given = parser.parse_args(arguments)
    wanted, present = text(), given.file.read_text("utf-8") if given.file.exists() else ""
    if wanted == present:
        print(f"{given.file.name} is what the routes say")
        return 0
    if given.check:
        print(
            f"{given.file.name} differs from what the routes say: python -m tools.serve.admin_document", file=sys.stderr
        )
        return 1
    given.file.write_text(wanted, "utf-8")
    print(f"wrote {given.file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

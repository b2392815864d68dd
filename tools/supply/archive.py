"""Put what SAM built into zips that are the same whenever their content is, and write the sums of what is published.

A zip tells of times, of the order in which a disk lists files and of who may read them. These tell none of it: entries
are sorted, bear the oldest date that a zip knows, and are readable by all.
"""

import argparse
import hashlib
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
OURS: Final = "auth-jwt-serverless"
SUMS: Final = "SHA256SUMS"
OLDEST: Final = (1980, 1, 1, 0, 0, 0)
BESIDE: Final = ("LICENSE", "NOTICE")
"""What travels with the code of others and with ours."""
EXIT_CODES: Final = {0: "all is written", 1: "something is not built yet", 2: "the command line is wrong"}


def pack(artifact: Path, archive: Path) -> None:
    """Write the files of *artifact*, and what must travel with them, into *archive*."""
    files = {file.relative_to(artifact).as_posix(): file for file in artifact.rglob("*") if file.is_file()}
    files |= {name: ROOT / name for name in BESIDE}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = (0o100755 if file.stat().st_mode & 0o100 else 0o100644) << 16
            packed.writestr(entry, file.read_bytes())


def sums_of(folder: Path) -> str:
    """Return what `sha256sum --check` reads, of each file in *folder*."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != SUMS)
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack what was built, or write the sums; return the exit code."""
    given = _parser().parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for architecture in given.architecture or ():
        artifact = ROOT / "build" / architecture / "artifact"
        if not artifact.is_dir():
            print(f"Error: {artifact} is not there: make build", file=sys.stderr)
            return 1
        archive = given.folder / f"{OURS}-{version}-{architecture}.zip"
        pack(artifact, archive)
        print(f"{archive}: {archive.stat().st_size:,} bytes")
    if given.sums:
        (given.folder / SUMS).write_text(sums_of(given.folder), encoding="utf-8")
        print((given.folder / SUMS).read_text(encoding="utf-8"), end="")
    return 0


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.supply.archive",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where they go (dist)")
    parser.add_argument(
        "--architecture", action="append", choices=["arm64", "x86_64"], help="pack what was built for it"
    )
    parser.add_argument("--sums", action="store_true", help=f"write {SUMS} of all that lies there")
    return parser


if __name__ == "__main__":
    sys.exit(main())

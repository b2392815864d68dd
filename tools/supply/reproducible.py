"""Build what is published twice, from two clones that have nothing in common but the commit, and compare the bytes.

The clones lie at paths of different length, and their files bear different times. One is made and built with umask
022, the other with 077, in another time zone and locale, and with another seed of Python's hashes. Whoever distrusts a
release does the same with its tag, and compares with the sums of the release: `--sums`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.supply.archive import SUMS

ROOT: Final = Path(__file__).parents[2]
SAME: Final = 0
DIFFERENT: Final = 1
UNBUILT: Final = 3
EXIT_CODES: Final = {
    SAME: "both gave the same bytes, those of --sums where given",
    DIFFERENT: "they differ: each file that does is named",
    2: "the command line is wrong",
    UNBUILT: "a build failed",
}


_BOUNDED: Final = f"timeout {15 * 60}" if shutil.which("timeout") else ""
"""More than the Makefile grants a build, since nobody waits for this one and the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a clone lies, and what differs around its build."""

    folder: str
    umask: int
    changed: int
    """The time that all its files bear."""
    variables: Mapping[str, str]


BOTH: Final = (
    Surroundings("one", 0o022, 1_000_000_000, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
    Surroundings(
        "another/at/a/longer/path", 0o077, 1_700_000_001,
        {"TZ": "Pacific/Chatham", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
    ),
)  # fmt: skip


def build(around: Surroundings, within: Path, commit: str, architectures: str) -> Path:
    """Clone *commit* and build it; return the folder of what would be published.

    Raises:
        subprocess.CalledProcessError: a command failed, and has said why.
    """
    clone = within / around.folder
    for command in (["git", "clone", "--quiet", str(ROOT), str(clone)],
                    ["git", "-C", str(clone), "checkout", "--quiet", "--detach", commit]):  # fmt: skip
        subprocess.run(command, check=True, umask=around.umask)
    for file in (file for file in clone.rglob("*") if ".git" not in file.parts):
        os.utime(file, (around.changed, around.changed), follow_symlinks=False)
    command = ["make", "--no-print-directory", "dist", f"ARCHITECTURES={architectures}", f"BOUNDED={_BOUNDED}"]
    variables = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    subprocess.run(command, cwd=clone, env={**variables, **around.variables}, check=True, umask=around.umask)
    return clone / "dist"


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yield what differs between two folders, and within zips the entries that do."""
    names = {file.name for folder in (one, other) for file in folder.iterdir()} - {SUMS}
    for name in sorted(names):
        files = [folder / name for folder in (one, other)]
        if not all(file.is_file() for file in files):
            yield f"{name}: only one build has it"
        elif files[0].read_bytes() != files[1].read_bytes():
            yield f"{name}: differs"
            if zipfile.is_zipfile(files[0]) and zipfile.is_zipfile(files[1]):
                yield from (f"  {entry}" for entry in _entries_that_differ(*files))


def _entries_that_differ(one: Path, other: Path) -> list[str]:
    told = []
    for file in (one, other):
        with zipfile.ZipFile(file) as archive:
            told.append({(entry.filename, entry.CRC, entry.external_attr) for entry in archive.infolist()})
    return sorted({name for name, _, _ in told[0] ^ told[1]})


def main(arguments: Sequence[str] | None = None) -> int:
    """Build twice and compare; return the exit code."""
    given = _parser().parse_args(arguments)
    head = ["git", "-C", str(ROOT), "rev-parse", f"{given.commit}^{{commit}}"]
    commit = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="reproducible-") as within:
        built = []
        for number, around in enumerate(BOTH, 1):
            print(f"Build {number} of {len(BOTH)}, of {commit[:12]} ...", file=sys.stderr, flush=True)
            try:
                built.append(build(around, Path(within), commit, given.architectures))
            except subprocess.CalledProcessError as error:
                print(f"Error: {' '.join(map(str, error.cmd))} failed; its reason is above", file=sys.stderr)
                return UNBUILT
        found = list(differences(*built))
        sums = (built[0] / SUMS).read_text(encoding="utf-8")
    if given.sums is not None:
        published = set(given.sums.read_text(encoding="utf-8").splitlines())
        found += [f"{line}: not what was published" for line in sums.splitlines() if line not in published]
    print(sums, end="")
    for line in found:
        print(line)
    print("They differ." if found else "Both builds gave the same bytes.")
    return DIFFERENT if found else SAME


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.supply.reproducible",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    parser.add_argument("--commit", default="HEAD", help="what is built; a tag, for one (HEAD)")
    parser.add_argument("--architectures", default="x86_64 arm64", help="for which (x86_64 arm64)")
    parser.add_argument("--sums", type=Path, help=f"the {SUMS} of a release, to compare with")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The page as browsers get it: JsSIP and our modules in one file, made by esbuild.

`python -m frontends.webrtc.bundle` makes it ahead, for whoever has no network later.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tools.events.stage import ROOT
from tools.serve.processes import CannotStart

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE / "page"
LOCK: Final = HERE / "package-lock.json"
BUNDLE: Final = ROOT / "build" / "softphone" / "page.js"
_NPM_SECONDS: Final = 300

Telling = Callable[[str], None]


def page_files(tell: Telling) -> Mapping[str, bytes]:
    """Return the page's files by name, the bundle made anew where its sources are newer.

    Args:
        tell: told what takes time.

    Raises:
        CannotStart: npm is missing, or fails.
    """
    make_bundle(tell)
    files = {name: (PAGE / name).read_bytes() for name in ("index.html", "style.css", "icon.svg")}
    return {**files, "page.js": BUNDLE.read_bytes()}


def make_bundle(tell: Telling) -> None:
    """Make the bundle, unless it is newer than all that it is made of.

    Raises:
        CannotStart: npm is missing, or fails.
    """
    sources = [LOCK, Path(__file__), *PAGE.glob("*.*js")]
    if BUNDLE.exists() and all(source.stat().st_mtime <= BUNDLE.stat().st_mtime for source in sources):
        return
    install_packages(HERE, "JsSIP and esbuild", tell)
    tell("bundling the page with JsSIP ...")
    _run(
        str(HERE / "node_modules" / ".bin" / "esbuild"),
        str(PAGE / "page.js"),
        "--bundle",
        "--format=esm",
        "--target=es2022",
        "--charset=utf8",
        "--legal-comments=inline",
        "--log-level=warning",
        f"--alias:debug={PAGE / 'no-debug.cjs'}",  # JsSIP would write whole messages with it, and tokens are in them
        f"--outfile={BUNDLE}",
    )


def install_packages(folder: Path, what: str, tell: Telling) -> None:
    """Install what a folder's package-lock.json pins, unless it is there.

    Args:
        folder: of the lock.
        what: it is, in words.
        tell: told that it takes time.

    Raises:
        CannotStart: npm is missing, or fails.
    """
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise CannotStart(f"no npm here, which installs {what}: `apt-get install npm` on Debian, or nodejs.org")
    tell(f"installing {what}, by npm ci ...")
    _run(npm, "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts")
    installed.touch()


def _run(*command: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - commands of ours
            command, cwd=HERE, capture_output=True, text=True, check=False, timeout=_NPM_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotStart(f"{Path(command[0]).name} does not run: {error}") from None
    if done.returncode != 0:
        raise CannotStart(f"{Path(command[0]).name} failed:\n{(done.stderr or done.stdout).strip()}")


def main() -> int:
    """Make the bundle; returns the exit code."""
    try:
        make_bundle(lambda text: print(f"softphone: {text}", flush=True))
    except CannotStart as error:
        print(f"softphone: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

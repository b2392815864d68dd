"""Puts Debian 13's Kamailio into a folder: unpacked, not installed, beside the one of this machine.

Its programs stand in the folder's `bin`, and are run by Debian 13's own loader, on its own libraries.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from frontends.kamailio.local import PACKAGES

SUITE: Final = "trixie"
SECONDS: Final = 110
_KEPT: Final = ("./usr/lib", "./usr/sbin")
_PROGRAMS: Final = {"kamailio": ("-L", "kamailio/modules"), "kamcmd": ()}
"""Each with an option that names a place below the libraries."""


class CannotUnpack(Exception):
    """It cannot be had here; the message says why."""


def unpack(folder: Path) -> bool:
    """Unpack it, unless the *folder* has all of it already; say whether that was to be done.

    Raises:
        CannotUnpack: `mmdebstrap` is missing or fails, or Debian cannot be reached.
    """
    folder = folder.resolve()
    made_of = f"{folder}: {SUITE}, {PACKAGES}\n{Path(__file__).read_text('utf-8')}"
    stamp = folder / "made-of"
    if stamp.exists() and stamp.read_text("utf-8") == made_of:
        return False
    if shutil.which("mmdebstrap") is None:
        raise CannotUnpack("mmdebstrap is not installed; on Debian: apt-get install mmdebstrap, or `make debian`")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    _fetch(folder)
    for name, option in _PROGRAMS.items():
        _write_program(folder, name, option)
    told = subprocess.run([folder / "bin" / "kamailio", "-v"], capture_output=True, text=True, timeout=30, check=False)
    if told.returncode != 0:
        raise CannotUnpack(f"what was unpacked does not run:\n{told.stdout}{told.stderr}")
    stamp.write_text(made_of, "utf-8")
    return True


def _fetch(folder: Path) -> None:
    """Have `mmdebstrap` choose and verify the packages, and keep what Kamailio needs of them, as files of ours."""
    makes = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={PACKAGES.replace(' ', ',')}", SUITE, "-"]
    # An archive ends before its last blocks, and mmdebstrap fails when nobody reads those. It then hangs up on its
    # whole process group, which must not be ours.
    keeps = ["tar", "--extract", "--ignore-zeros", "--directory", str(folder), *_KEPT]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(makes, stdout=subprocess.PIPE, stderr=log, start_new_session=True) as making,
        subprocess.Popen(keeps, stdin=making.stdout, stderr=log) as keeping,
    ):
        assert making.stdout is not None
        making.stdout.close()  # ours: so that it notices when the other one ends
        try:
            failed = [making.wait(SECONDS), keeping.wait(SECONDS)] != [0, 0]
        except subprocess.TimeoutExpired:
            making.terminate()
            failed = True
    if failed:
        end = "\n".join((folder / "log").read_text("utf-8", "replace").splitlines()[-8:])
        raise CannotUnpack(f"Debian cannot be reached, or has no such packages; mmdebstrap said:\n{end}")


def _write_program(folder: Path, name: str, option: Sequence[str]) -> None:
    """Write the script that runs a program by the loader beside its libraries."""
    loaders = list(folder.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*"))
    if len(loaders) != 1:
        raise CannotUnpack(f"one loader was expected, and there are {len(loaders)}")
    libraries = loaders[0].parent
    options = [option[0], str(libraries / option[1])] if option else []
    command = [
        *(str(libraries / loaders[0].name), "--library-path", f"{libraries}:{libraries / 'kamailio'}"),
        *(str(folder / "usr" / "sbin" / name), *options),
    ]
    program = folder / "bin" / name
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
    program.chmod(0o755)


def main() -> None:
    """Unpack it into the folder of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.sip.debian13", description=__doc__)
    parser.add_argument("folder", type=Path, help="made anew when the list of packages has changed")
    folder = parser.parse_args().folder
    try:
        if unpack(folder):
            sys.stdout.write(f"Debian 13's Kamailio is unpacked in {folder}.\n")
    except CannotUnpack as error:
        sys.exit(f"No Kamailio of Debian 13: {error}")


if __name__ == "__main__":
    main()

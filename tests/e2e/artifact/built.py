"""What `make build` built, by architecture, and what of it is in the tree that it was built from."""

import platform
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from tools.events.stage import ROOT, path_of

ARCHITECTURES: Final = ("x86_64", "arm64")
"""Those that parameter Architecture of the template allows."""

NATIVE: Final = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine()) if sys.platform == "linux" else None
"""The one of this machine; None where neither can run."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder that `make build` wrote, and `sam deploy` would upload.

    Attributes:
        architecture: what it was built for.
        root: the folder of the artifacts.
    """

    architecture: str
    root: Path = ROOT / "build"

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.root / self.architecture / "artifact"

    def without_byte_code(self, root: Path) -> "Artifact":
        """Return a copy below *root* of what `sam build` alone would have written."""
        copy = Artifact(self.architecture, root)
        shutil.copytree(self.folder, copy.folder, ignore=shutil.ignore_patterns("__pycache__"))
        included = copy.template.read_text(encoding="utf-8").replace("../../../stacks/", f"{ROOT}/stacks/")
        copy.template.write_text(included, encoding="utf-8")
        return copy

    @property
    def template(self) -> Path:
        """The template with the addresses of the built code."""
        return self.folder / "template.yaml"

    @property
    def layer(self) -> Path:
        """What the functions find at /opt."""
        return self.folder / "AuthJwtLayer"

    @property
    def packages(self) -> Path:
        """The folder of the layer that is on Python's path."""
        return self.layer / "python"

    def function(self, name: str) -> Path:
        """Return what a function finds at /var/task."""
        return self.folder / path_of(name)


def files_of(folder: Path) -> dict[str, Path]:
    """Return all files below *folder*, by their path from there; byte code is none."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path for path in found}


def unzipped_bytes(folder: Path) -> int:
    """Return how much Lambda counts of *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def zipped_bytes(folder: Path) -> int:
    """Return how much of *folder* `sam deploy` uploads."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return sink.tell()


def distributions_of(folder: Path) -> Iterator[Path]:
    """Yield the folders that say which distributions are installed in *folder*."""
    yield from sorted(folder.glob("*.dist-info"))

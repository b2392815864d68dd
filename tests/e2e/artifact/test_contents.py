"""What is in the artifacts: what requirements.txt pins and our code, compiled, for the right machine, small enough."""

import csv
import json
import re
import subprocess
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.e2e.artifact import byte_code
from tests.e2e.artifact.built import Artifact, distributions_of, files_of, unzipped_bytes, zipped_bytes
from tests.e2e.artifact.conftest import Tell
from tests.e2e.artifact.emulator import PYTHON
from tools.events.stage import RESOURCES, ROOT

MB = 1_000_000
LAMBDA_LIMIT = 250 * MB
"""Of a function and its layers, unzipped."""
UNZIPPED_LIMIT, ZIPPED_LIMIT = 58 * MB, 31 * MB
"""Of the layer. Measured: 50.4 and 26.6 MB. A new release of boto3 is welcome, another library is not."""
FUNCTION_LIMIT = 100_000
"""Of a function, unzipped: it translates, and what is large is in the layer."""
OWN_LIMITS = {"provisioning": 12 * MB}
"""Of functions that bring packages of their own. Measured: 9.4 MB, Pydantic."""

LAYER_SOURCE = ROOT / "layers" / "auth_jwt"

LAMBDA = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
MACHINES = {"x86_64": 62, "arm64": 183}
"""ELF's numbers for them (e_machine)."""
GLIBC = (2, 34)
"""Of Amazon Linux 2023, on which Lambda runs Python 3.13."""


def pinned(artifact: Artifact, source: Path = LAYER_SOURCE) -> dict[str, str]:
    """The versions that the requirements.txt in *source* wants on Lambda, by name."""
    text = (source / "requirements.txt").read_text("utf-8")
    lines = [line.partition("\\")[0].strip() for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[artifact.architecture]
    wanted = [Requirement(line) for line in lines]
    assert wanted
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in wanted
        if one.marker is None or one.marker.evaluate({**LAMBDA, "platform_machine": machine})
    }


def installed_in(folder: Path) -> dict[str, str]:
    """The versions of what is installed in *folder*, by name."""
    metadata = [HeaderParser().parsestr((one / "METADATA").read_text()) for one in distributions_of(folder)]
    return {canonicalize_name(one["Name"]): one["Version"] for one in metadata}


def declared_in(folder: Path) -> set[str]:
    """The files that the packages installed in *folder* declare."""
    records = [(one / "RECORD").read_text().splitlines() for one in distributions_of(folder)]
    return {row[0] for record in records for row in csv.reader(record)}


def folders_of(artifact: Artifact) -> list[Path]:
    """Every folder that is on the path of some function."""
    return [artifact.packages, *map(artifact.function, RESOURCES)]


def shared_objects(folder: Path) -> dict[str, bytes]:
    """The beginnings of all files with machine code in them, whatever they are called."""
    found = {}
    for name, path in files_of(folder).items():
        with path.open("rb") as file:
            head = file.read(20)
        if head.startswith(b"\x7fELF"):
            found[name] = head
    return found


def test_the_layer_installs_what_is_pinned_and_nothing_else(artifact: Artifact) -> None:
    """Neither a test's package nor another version."""
    assert installed_in(artifact.packages) == pinned(artifact)


def test_the_files_of_the_layer_are_ours_and_those_that_its_packages_declare(artifact: Artifact) -> None:
    """A file that nobody declares came from somewhere else, and none is missing."""
    ours = set(files_of(LAYER_SOURCE))
    there = set(files_of(artifact.layer))

    assert there ^ {f"python/{name}" for name in declared_in(artifact.packages) | ours} == set()


def test_our_code_in_the_artifact_is_that_of_the_tree(artifact: Artifact) -> None:
    """Or something else is tested than what is deployed."""
    sources = {artifact.packages: LAYER_SOURCE, **{artifact.function(f): ROOT / "functions" / f for f in RESOURCES}}
    for there, here in sources.items():
        names = files_of(here)
        assert names
        different = [name for name, path in names.items() if (there / name).read_bytes() != path.read_bytes()]
        assert different == [], f"`make build` has not seen {different} in {here}"


@pytest.mark.parametrize("function", RESOURCES)
def test_a_function_is_its_folder_and_what_that_pins(artifact: Artifact, function: str) -> None:
    """What it needs besides is in the layer."""
    folder, source = artifact.function(function), ROOT / "functions" / function
    has_packages = (source / "requirements.txt").exists()

    assert has_packages is (function in OWN_LIMITS)
    assert installed_in(folder) == (pinned(artifact, source) if has_packages else {})
    assert files_of(folder).keys() ^ (files_of(source).keys() | declared_in(folder)) == set()


@pytest.mark.parametrize("function", OWN_LIMITS)
def test_what_function_and_layer_both_bring_is_the_same(artifact: Artifact, function: str) -> None:
    """The function's comes first on the path, and would be another for the layer's packages, too."""
    own, shared = installed_in(artifact.function(function)), installed_in(artifact.packages)

    assert {name: own[name] for name in own.keys() & shared.keys()} == {
        name: shared[name] for name in own.keys() & shared.keys()
    }


def test_every_source_has_its_byte_code_for_where_it_lies_on_lambda(artifact: Artifact) -> None:
    """Nobody can write there, so what is not compiled here is compiled at every cold start.

    It is loaded without a look at its source (flags 1: by hash, unchecked; PEP 552), so it must not be of another one.
    The place is in it for tracebacks, and saves Python from correcting it at every import.
    """
    for folder, place in {
        artifact.packages: "/opt/python",
        **{artifact.function(name): "/var/task" for name in RESOURCES},
    }.items():
        found = {
            Path(one.pop("source")).relative_to(folder).as_posix(): one
            for one in json.loads(subprocess.check_output([PYTHON, "-I", byte_code.__file__, folder]))
        }
        assert found == {
            name: {"is_of_this_python": True, "flags": 1, "is_of_its_source": True, "filename": f"{place}/{name}"}
            for name in files_of(folder)
            if name.endswith(".py")
        }


def test_there_is_no_byte_code_beyond_that_and_nothing_else_in_its_folders(artifact: Artifact) -> None:
    """One file for each source, so the tests above that pass over these folders miss nothing."""
    files = [path for path in artifact.folder.rglob("*") if path.is_file()]
    aside = [path for path in files if path.suffix == ".pyc" or "__pycache__" in path.parts]
    sources = [path for path in files if path.suffix == ".py"]

    assert sorted(aside) == sorted(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources)


def test_every_shared_object_is_for_the_machine_built_for(artifact: Artifact) -> None:
    """A layer for another machine builds and deploys without a word, and fails at the first request."""
    found = shared_objects(artifact.folder)

    assert all(any(name in path for path in found) for name in ("cryptography", "pydantic_core"))
    machines = {name: int.from_bytes(head[18:20], "little") for name, head in found.items()}
    assert {name: machine for name, machine in machines.items() if machine != MACHINES[artifact.architecture]} == {}


def test_every_package_fits_the_python_and_the_glibc_of_lambda(artifact: Artifact) -> None:
    """Wheels for something newer install on a newer build machine."""
    tags = {
        tag: path.name
        for folder in folders_of(artifact)
        for path in distributions_of(folder)
        for tag in re.findall(r"^Tag: (.*)$", (path / "WHEEL").read_text(), re.MULTILINE)
    }
    for tag, package in tags.items():
        python, _, platform = tag.split("-")
        assert python in {"py2", "py3", "cp313"} or "-abi3-" in tag, f"{package}: {tag}"
        if newest := re.match(r"manylinux_(\d+)_(\d+)_", platform):
            assert (int(newest[1]), int(newest[2])) <= GLIBC, f"{package}: {tag}"
        else:
            assert platform == "any" or platform.startswith("manylinux20"), f"{package}: {tag}"


def test_the_artifact_is_small(artifact: Artifact, tell: Tell) -> None:
    """What is loaded at a start is smaller still, but all of it is stored and fetched."""
    functions = {name: unzipped_bytes(artifact.function(name)) for name in RESOURCES}
    unzipped, zipped = unzipped_bytes(artifact.layer), zipped_bytes(artifact.layer)

    sizes = ", ".join(f"{name} {size / 1000:.1f} kB" for name, size in functions.items())
    tell(f"{artifact.architecture}: layer {unzipped / MB:.1f} MB, zipped {zipped / MB:.1f} MB; {sizes}")
    assert unzipped < UNZIPPED_LIMIT
    assert zipped < ZIPPED_LIMIT
    assert {name for name, size in functions.items() if size >= OWN_LIMITS.get(name, FUNCTION_LIMIT)} == set()
    assert unzipped + max(functions.values()) < LAMBDA_LIMIT


def test_everything_that_the_template_names_is_where_it_says(artifact: Artifact) -> None:
    """Code, nested applications, and what is included: `sam package` uploads each of them."""
    text = artifact.template.read_text("utf-8")
    named = re.findall(r"^ *(?:CodeUri|ContentUri|Location): (.+)$", text, re.MULTILINE)

    assert {"AuthorizeFunction", "Admin/template.yaml"} <= set(named)
    assert sum(name.endswith("refusals.yaml") for name in named) == 2
    assert [name for name in named if not (artifact.folder / name).exists()] == []


def test_the_template_has_nothing_of_yaml_that_cloudformation_does_not_know(artifact: Artifact) -> None:
    """Anchors, aliases and merges are written out."""
    for template in (artifact.template, *artifact.folder.glob("*/template.yaml")):
        tokens = {type(token) for token in yaml.scan(template.read_text("utf-8"))}
        assert tokens.isdisjoint({yaml.AnchorToken, yaml.AliasToken})
        assert "<<:" not in template.read_text("utf-8")

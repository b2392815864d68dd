"""The bills of materials name what lies in the artifact, with licences and with what is compiled into it."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.artifact.built import Artifact
from tools.events.stage import ROOT
from tools.supply.licences import ASKED_FOR, PERMITTED

PYTHON: Final = ROOT / ".venv-supply" / "bin" / "python"
PARTS: Final = ("AuthJwtLayer", "ProvisioningFunction")
FOLDERS: Final = {"AuthJwtLayer": "AuthJwtLayer/python", "ProvisioningFunction": "Admin/ProvisioningFunction"}
Bills = dict[str, dict[str, Any]]


def written(folder: Path, architecture: str) -> Bills:
    command = [str(PYTHON), "-m", "tools.supply.sbom", "--architecture", architecture, "--folder", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, capture_output=True)
    return {file.name.split("-", 4)[-1].split(".")[0]: json.loads(file.read_text("utf-8")) for file in folder.iterdir()}


@pytest.fixture(name="bills", scope="module")
def _bills(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Bills:
    return written(tmp_path_factory.mktemp("bills"), artifact.architecture)


def test_each_part_that_brings_packages_has_its_bill(artifact: Artifact, bills: Bills) -> None:
    assert set(bills) == {"wheel", *(f"{part}-{artifact.architecture}" for part in PARTS)}


@pytest.mark.parametrize("part", PARTS)
def test_a_bill_names_what_lies_there_and_nothing_else(artifact: Artifact, bills: Bills, part: str) -> None:
    there = {
        tuple(file.name.removesuffix(".dist-info").replace("_", "-").rsplit("-", 1))
        for file in (artifact.folder / FOLDERS[part]).glob("*.dist-info")
    }
    told = {(one["name"], one["version"]) for one in bills[f"{part}-{artifact.architecture}"]["components"]}
    swagger = {one for one in told if one[0] == "swagger-ui-dist"}

    assert told - swagger == there
    assert bool(swagger) == (part == "AuthJwtLayer")


def test_a_package_has_its_licence_its_address_and_the_hashes_of_the_lock(bills: Bills) -> None:
    lock = (ROOT / "uv.lock").read_text("utf-8")
    for bill in bills.values():
        for one in bill["components"]:
            (licence,) = one["licenses"]
            assert (
                licence.get("expression", licence.get("license", {}).get("id")) in PERMITTED.keys() | ASKED_FOR.keys()
            )
            assert one["purl"].startswith(("pkg:pypi/", "pkg:npm/swagger-ui-dist@"))
            assert one["hashes"]
            if one["name"] != "swagger-ui-dist":
                assert all(f"sha256:{each['content']}" in lock for each in one["hashes"])


def test_what_is_compiled_into_a_package_is_named(artifact: Artifact, bills: Bills) -> None:
    layer = {one["name"]: one for one in bills[f"AuthJwtLayer-{artifact.architecture}"]["components"]}

    assert "openssl" in {one["name"].lower() for one in layer["cryptography"]["components"]}


def test_a_bill_is_the_same_whenever_it_says_the_same(artifact: Artifact, bills: Bills, tmp_path: Path) -> None:
    again = written(tmp_path, artifact.architecture)

    assert again == bills
    assert all("timestamp" not in bill["metadata"] for bill in again.values())

"""Write what the built layer, functions and wheel consist of, as CycloneDX: one file for each thing that ships.

It reads what was built, not what should have been: the packages that lie in each folder by their metadata, and what is
compiled into them by the bills that they bring themselves (PEP 770). Hashes are those by which uv.lock took them. The
same build gives the same bytes: a bill's number is made of its content, and it bears no time.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from tools.supply.licences import licence_of

ROOT: Final = Path(__file__).parents[2]
OURS: Final = "auth-jwt-serverless"
EXIT_CODES: Final = {
    0: "every bill is written, and is what the schema of CycloneDX 1.6 asks for",
    1: "something is not built yet, or a bill is not valid",
    2: "the command line is wrong",
}
SWAGGER: Final = "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js"
_SWAGGER_VERSION: Final = re.compile(r'PACKAGE_VERSION:"(\d+\.\d+\.\d+)"')


class NotBuilt(Exception):
    """What a bill would be about is not there."""


def hashes_of_the_lock(lock: str) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Return the SHA-256 of each file that *lock*, the text of uv.lock, allows for a package at a version."""
    return {
        (one["name"], one["version"]): tuple(
            sorted(file["hash"].removeprefix("sha256:") for file in [*one.get("wheels", ()), one.get("sdist")] if file)
        )
        for one in tomllib.loads(lock)["package"]
    }


def component_of(distribution: Distribution, hashes: Mapping[tuple[str, str], tuple[str, ...]]) -> Component:
    """Return the component that *distribution* is, with what is compiled into it."""
    name = re.sub(r"[-_.]+", "-", distribution.name).lower()
    licence = licence_of(distribution)
    return Component(
        name=name,
        version=distribution.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", name=name, version=distribution.version),
        bom_ref=f"{name}@{distribution.version}",
        licenses=[LicenseFactory().make_from_string(licence)] if licence else (),
        hashes=[
            HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes.get((name, distribution.version), ())
        ],
        components=list(_compiled_into(distribution, f"{name}@{distribution.version}")),
    )


def _compiled_into(distribution: Distribution, of: str) -> Iterator[Component]:
    """Yield what the bills in *distribution* name: OpenSSL and crates of Rust, for instance."""
    for file in distribution.files or ():
        if file.match("*.dist-info/sboms/*.json"):
            told = json.loads(file.read_text(encoding="utf-8"))
            for one in told.get("components", ()):
                purl = one.get("purl")
                yield Component(
                    name=one["name"],
                    version=one.get("version"),
                    type=ComponentType.LIBRARY,
                    purl=PackageURL.from_string(purl) if purl else None,
                    bom_ref=f"{of}/{file.name}/{one.get('bom-ref') or one['name']}",
                )


def swagger_ui_in(folder: Path) -> Component | None:
    """Return Swagger UI, which Powertools brings as a file of its own and the admin API's page shows."""
    bundle = folder / SWAGGER
    if not bundle.is_file():
        return None
    content = bundle.read_bytes()
    found = _SWAGGER_VERSION.search(content.decode())
    version = found[1] if found else None
    return Component(
        name="swagger-ui-dist",
        version=version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("npm", name="swagger-ui-dist", version=version),
        bom_ref="swagger-ui-dist",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
    )


def bill_of(name: str, version: str, components: Sequence[Component]) -> Bom:
    """Return the bill of what ships as *name*: its number is made of what it holds."""
    bom = Bom(components=components)
    bom.metadata.component = Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=name,
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    bom.register_dependency(bom.metadata.component, list(components))
    return bom


def text_of(bom: Bom) -> str:
    """Return *bom* as JSON that is the same whenever it says the same.

    Raises:
        ValueError: it is not valid.
    """
    bom.serial_number = uuid.UUID(int=0)
    told: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    told["metadata"].pop("timestamp", None)
    content = json.dumps(told, sort_keys=True)
    told["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, content).urn
    text = json.dumps(told, indent=2, sort_keys=True) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"not valid: {error}")
    return text


def bills_of_the_artifact(artifact: Path, version: str) -> Iterator[tuple[str, Bom]]:
    """Yield the bill of each folder of *artifact* that brings packages of others."""
    hashes = hashes_of_the_lock((ROOT / "uv.lock").read_text(encoding="utf-8"))
    if not artifact.is_dir():
        raise NotBuilt(f"{artifact} is not there: make build")
    for folder in sorted([*artifact.glob("*Layer/python"), *artifact.glob("*Function"), *artifact.glob("*/*Function")]):
        found = sorted(distributions(path=[str(folder)]), key=lambda one: one.name.lower())
        if found:
            components = [component_of(one, hashes) for one in found]
            if swagger := swagger_ui_in(folder):
                components.append(swagger)
            part = folder.parent.name if folder.name == "python" else folder.name
            yield part, bill_of(f"{OURS}/{part}", version, components)


def bill_of_the_wheel(version: str) -> Bom:
    """Return the bill of the wheel: it holds our code alone, and pip fetches these, as uv.lock pins them."""
    export = ("--quiet", "--frozen", "--no-emit-project", "--no-header", "--no-annotate", "--no-hashes")
    command = (".venv-uv/bin/uv", "export", *export, "--no-default-groups", "--extra", "cli")
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    hashes = hashes_of_the_lock((ROOT / "uv.lock").read_text(encoding="utf-8"))
    here = {re.sub(r"[-_.]+", "-", one.name).lower(): one for one in _installed()}
    components = []
    for line in told.splitlines():
        name, _, pinned = line.partition(" ;")[0].strip().partition("==")
        if name in here and here[name].version == pinned:  # what only another platform wants is not installed
            components.append(component_of(here[name], hashes))
    return bill_of(f"{OURS}/wheel", version, components)


def _installed() -> list[Distribution]:
    """Return what is in .venv, where the wheel's dependencies are installed."""
    metadata = sorted((ROOT / ".venv").glob("lib/python3*/site-packages/*.dist-info"))
    if not metadata:
        raise NotBuilt(".venv is not there: make install")
    return [PathDistribution(folder) for folder in metadata]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bills; return the exit code."""
    given = _parser().parse_args(arguments)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        bills = [("wheel", bill_of_the_wheel(version))]
        for architecture in given.architecture or ("arm64", "x86_64"):
            artifact = ROOT / "build" / architecture / "artifact"
            bills += [(f"{part}-{architecture}", bom) for part, bom in bills_of_the_artifact(artifact, version)]
        for name, bom in bills:
            file = given.folder / f"{OURS}-{version}-{name}.cdx.json"
            file.write_text(text_of(bom), encoding="utf-8")
            print(f"{file}: {len(bom.components)} components")
    except (NotBuilt, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.supply.sbom",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where the bills go (dist)")
    parser.add_argument(
        "--architecture", action="append", choices=["arm64", "x86_64"], help="of what was built; both unless given"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

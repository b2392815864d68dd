"""What ships has a licence that somebody judged, brings its text, and NOTICE names what asks to be named."""

import re
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from tools.supply.licences import ASKED_FOR, PERMITTED, has_its_text, licence_of

ROOT = Path(__file__).parents[4]
PINNED = ("layers/auth_jwt/requirements.txt", "functions/provisioning/requirements.txt")
SHIPPED = sorted(
    {name for file in PINNED for name in re.findall(r"^([\w-]+)==", (ROOT / file).read_text("utf-8"), re.MULTILINE)}
)


def named_by_the_wheel() -> list[str]:
    """Return the packages that the extra `cli` brings, and what those bring, as uv.lock has it."""
    packages = {one["name"]: one for one in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]}
    found: set[str] = set()
    waiting = [one["name"] for one in packages["auth-jwt-serverless"]["optional-dependencies"]["cli"]]
    waiting += ["psycopg-binary"]  # the extra of psycopg that the extra asks for
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one["name"] for one in packages[name].get("dependencies", ()) if "win32" not in str(one)]
    return sorted(found)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_has_a_permitted_licence_and_brings_its_text(name: str) -> None:
    found = distribution(name)

    assert licence_of(found) in PERMITTED
    assert has_its_text(found)


@pytest.mark.parametrize("name", named_by_the_wheel())
def test_what_the_wheel_names_has_a_permitted_licence(name: str) -> None:
    assert licence_of(distribution(name)) in PERMITTED.keys() | ASKED_FOR.keys()


def test_a_permission_that_nothing_needs_is_taken_out() -> None:
    used = {licence_of(distribution(name)) for name in {*SHIPPED, *named_by_the_wheel()}}

    assert used == PERMITTED.keys() | ASKED_FOR.keys()


class Bare(Distribution):
    """A package that says of itself what it is given."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        pytest.param("License-Expression: MIT\nLicense: other", "MIT", id="in SPDX's words"),
        pytest.param("License: Apache License 2.0", "Apache-2.0", id="in others"),
        pytest.param("Classifier: License :: OSI Approved :: MIT License", "MIT", id="by its class"),
        pytest.param("License: Whatever I say", "", id="in words that nobody judged"),
        pytest.param("Summary: none", "", id="in none"),
    ],
)
def test_a_licence_is_what_the_package_says(metadata: str, licence: str) -> None:
    found = Bare(f"Metadata-Version: 2.4\nName: a\nVersion: 1\n{metadata}\n")

    assert licence_of(found) == licence
    assert not has_its_text(found)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_notice_names_what_ships(name: str) -> None:
    """The licences of Apache, BSD and MIT ask for it, and so does whoever looks."""
    notice = (ROOT / "NOTICE").read_text("utf-8")

    assert re.search(rf"^- {re.escape(name)} \({re.escape(licence_of(distribution(name)))}\)", notice, re.MULTILINE)


def test_the_notice_names_nothing_else() -> None:
    named = re.findall(r"^- ([\w-]+) \(", (ROOT / "NOTICE").read_text("utf-8"), re.MULTILINE)

    assert sorted(named) == sorted([*SHIPPED, "swagger-ui-dist"])

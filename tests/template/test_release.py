"""A release is what is asked from then on: code, layer and settings.

Callers ask the alias `live`, which names a published version; a version keeps what it was published with, and is
published when its logical id is new.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tools.template.stack import (
    NESTED,
    TEMPLATE,
    Deploy,
    Stack,
    forget_translations,
    of_type,
    properties,
    sources,
    stack_of,
)

ROOT = TEMPLATE.parent
TOOLS = ROOT / "tools"
FUNCTIONS = {"AuthorizeFunction", "GatewayAuthorizerFunction"}
LAYER = "layers/auth_jwt"
LAYER_FILE = Path(LAYER, "auth_jwt", "settings.py")


def packaged(checkout: Path) -> dict[str, Any]:
    """Return the template as `sam package` leaves it: every folder of code replaced by the address of its contents."""
    template = sources(checkout / "template.yaml")
    for resource in [one for part in (template, *template[NESTED].values()) for one in part["Resources"].values()]:
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            folder = checkout / resource["Properties"][uri].removeprefix("s3://bucket/")
            digest = hashlib.sha256()
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
            resource["Properties"][uri] = f"s3://bucket/{digest.hexdigest()}"
    return template


def versions(stack: Stack) -> dict[str, str]:
    """Return the version that each function's alias names."""
    aliases = of_type(stack, "AWS::Lambda::Alias").values()
    return {
        alias["Properties"]["FunctionName"][1:-1]: alias["Properties"]["FunctionVersion"].removesuffix(".Version>")[1:]
        for alias in aliases
    }


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] = MappingProxyType({})) -> str:
    """Run *command* with *env* and nothing else of AWS or an outer make; return what it prints."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MAKE", "MFLAGS", "ARGS"))}
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **env}, check=True, timeout=60, text=True, stdout=subprocess.PIPE
    )
    return done.stdout


def marked(checkout: Path, release: str) -> None:
    """Mark the template of *checkout*, as `make deploy` marks the built one."""
    run(TOOLS / "mark", release, checkout / "template.yaml", *(checkout / "stacks").glob("*.yaml"))


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """Return a folder with the template and what it deploys, to change."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in (LAYER, "functions", "stacks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(TEMPLATE, tmp_path)
    return tmp_path


def test_the_same_release_is_the_same_version(checkout: Path) -> None:
    """Or the tests below would find differences that nobody made."""
    first = versions(stack_of(packaged(checkout)))
    forget_translations()

    assert first == versions(stack_of(packaged(checkout)))
    assert first.keys() == FUNCTIONS


def test_a_changed_file_of_the_layer_makes_new_versions_of_all_functions(checkout: Path) -> None:
    """The layer is where nearly all of the code is."""
    before = versions(stack_of(packaged(checkout)))
    with (checkout / LAYER_FILE).open("a") as file:
        file.write("# changed\n")
    after = versions(stack_of(packaged(checkout)))

    assert {function for function in FUNCTIONS if before[function] != after[function]} == FUNCTIONS


@pytest.mark.parametrize("function", ["authorize", "gateway_authorizer"])
def test_a_changed_handler_makes_a_new_version_of_its_function(checkout: Path, function: str) -> None:
    """And leaves the other alone."""
    before = versions(stack_of(packaged(checkout)))
    with (checkout / "functions" / function / "app.py").open("a") as file:
        file.write("# changed\n")
    after = versions(stack_of(packaged(checkout)))

    changed = {name for name in FUNCTIONS if before[name] != after[name]}
    assert [name.lower() for name in changed] == [f"{function.replace('_', '')}function"]


def test_a_changed_setting_makes_new_versions_in_a_release_of_its_own(checkout: Path) -> None:
    """Which `make deploy` makes of every deployment."""
    marked(checkout, "2027-01-01T00:00:00Z")
    before = stack_of(packaged(checkout), CacheTtlSeconds="60")
    shutil.copy(TEMPLATE, checkout)
    shutil.copytree(ROOT / "stacks", checkout / "stacks", dirs_exist_ok=True)
    marked(checkout, "2027-01-01T00:00:01Z")
    after = stack_of(packaged(checkout), CacheTtlSeconds="5")

    assert {name for name in FUNCTIONS if versions(before)[name] != versions(after)[name]} == FUNCTIONS
    assert properties(after, "AuthorizeFunction")["Environment"]["Variables"]["CACHE_TTL_SECONDS"] == "5"


def test_a_changed_setting_alone_makes_no_new_version(deploy: Deploy) -> None:
    """Hence the mark. When SAM comes to see it, this test tells that `tools/mark` is no longer needed."""
    assert versions(deploy(CacheTtlSeconds="5")) == versions(deploy(CacheTtlSeconds="60"))


def test_the_mark_is_in_every_functions_description(checkout: Path) -> None:
    """Where Lambda sees a change, too: it publishes nothing that is the same as before. And people can read it."""
    marked(checkout, "2027-01-01T00:00:00Z")
    stack = stack_of(packaged(checkout))

    for function in FUNCTIONS:
        assert properties(stack, function)["Description"].endswith(" (release 2027-01-01T00:00:00Z)")


def test_what_bears_a_mark_takes_no_other(checkout: Path) -> None:
    """A template that was not built anew would be the old release under a new name."""
    marked(checkout, "2027-01-01T00:00:00Z")

    with pytest.raises(subprocess.CalledProcessError):
        marked(checkout, "2027-01-01T00:00:01Z")


def test_a_version_outlives_its_release_only_where_one_goes_back_to_it(deploy: Deploy) -> None:
    """Those of the two functions that logins ask; `make deploy` deletes what is older. Nobody waits for the others."""
    stack = deploy(AdminApi="true", RotatedTag="alice-web", Issuers="https://login.example.com/*")
    versions = of_type(stack, "AWS::Lambda::Version").values()
    policies = {version["Properties"]["FunctionName"][1:-1]: version["DeletionPolicy"] for version in versions}

    assert policies.keys() - FUNCTIONS == {"ProvisioningFunction", "RotateSecretsFunction", "RefreshKeysFunction"}
    assert set(FUNCTIONS) == {name for name, policy in policies.items() if policy == "Retain"}
    assert set(policies.values()) == {"Retain", "Delete"}


def test_every_alias_is_called_live(deploy: Deploy) -> None:
    """The API and the outputs name it."""
    aliases = of_type(deploy(), "AWS::Lambda::Alias")

    assert aliases.keys() == {f"{function}Aliaslive" for function in FUNCTIONS}
    assert {alias["Properties"]["Name"] for alias in aliases.values()} == {"live"}


RECORDER = """#!/bin/sh
echo "${0##*/} $*, in ${AWS_DEFAULT_REGION:-no region}" >> commands
if [ "${0##*/} $1" = "sam build" ]; then
  mkdir -p .aws-sam/build/AuthJwtLayer/python .aws-sam/build/AuthorizeFunction .aws-sam/build/Admin/ProvisioningFunction
  cp template.yaml .aws-sam/build
  cp stacks/admin.yaml .aws-sam/build/Admin/template.yaml
fi
"""
"""Writes down how it is called. As `sam build`, it leaves the template and folders where SAM does."""


@pytest.fixture(name="recorded")
def _recorded(checkout: Path) -> Path:
    """Return a checkout whose `sam` and whose Python for the built code only write down how they are called."""
    (checkout / "tools").symlink_to(TOOLS)
    for program in (".venv-sam/bin/sam", ".venv-e2e/bin/python", ".venv/bin/python"):
        path = checkout / program
        path.parent.mkdir(parents=True)
        path.write_text(RECORDER, "utf-8")
        path.chmod(0o755)
    return checkout


def deployed(checkout: Path, *arguments: str) -> list[str]:
    """Deploy *checkout*; return the commands that were run."""
    run(TOOLS / "deploy", *arguments, cwd=checkout)
    return (checkout / "commands").read_text("utf-8").splitlines()


def test_a_deployment_builds_then_compiles_then_deploys(recorded: Path) -> None:
    """The byte code is for where the code will lie; `tests/e2e/artifact` looks at what comes of it."""
    built = ".aws-sam/build"
    compiled = "python -m compileall -q --invalidation-mode unchecked-hash -d"

    assert deployed(recorded, "default", "--no-confirm-changeset") == [
        f"sam build --build-dir {built} --config-env default, in no region",
        f"{compiled} /opt/python {built}/AuthJwtLayer/python, in no region",
        f"{compiled} /var/task {built}/AuthorizeFunction {built}/Admin/ProvisioningFunction, in no region",
        "python -m tools.release deploy default --no-confirm-changeset, in no region",
    ]


def test_every_deployment_is_a_release(recorded: Path) -> None:
    deployed(recorded, "default")

    template = (recorded / ".aws-sam" / "build" / "template.yaml").read_text("utf-8")
    assert re.search(r"\(release 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\)", template)
    assert "(unreleased)" not in template
    nested = (recorded / ".aws-sam" / "build" / "Admin" / "template.yaml").read_text("utf-8")
    assert re.findall(r"\((?:release|unreleased).*?\)", nested) == re.findall(r"\(release .*?\)", template)[:1]


@pytest.mark.parametrize("option", [["--execute", "auth-jwt-1"], ["--execute=auth-jwt-1"]])
def test_a_change_set_that_was_shown_before_is_deployed_without_a_build(recorded: Path, option: list[str]) -> None:
    """A new build would be another release than the one that somebody approved."""
    assert deployed(recorded, "default", *option, "--yes") == [
        f"python -m tools.release deploy default {' '.join(option)} --yes, in no region"
    ]


def test_what_was_built_before_is_deployed_as_it_is(recorded: Path) -> None:
    """As a pipeline does it: the build needs no account, so it comes before the login. It is marked all the same."""
    run(TOOLS / "build-release", "test", cwd=recorded)
    commands = recorded / "commands"
    build, *_ = commands.read_text("utf-8").splitlines()
    commands.unlink()

    assert " --config-env test," in build
    template = recorded / ".aws-sam" / "build" / "template.yaml"
    marked_before = template.read_text("utf-8")
    assert "(release 20" in marked_before
    assert deployed(recorded, "test", "--built", "--no-execute") == [
        "python -m tools.release deploy test --built --no-execute, in no region"
    ]
    assert template.read_text("utf-8") == marked_before


def test_a_deployment_builds_and_deploys_by_one_section_of_the_configuration(recorded: Path) -> None:
    """A build for another architecture than the stack's would not start."""
    build, *_, deploy = deployed(recorded, "test")

    assert " --config-env test," in build
    assert " deploy test," in deploy


def test_what_cannot_be_built_is_not_deployed(recorded: Path) -> None:
    (recorded / "template.yaml").unlink()

    with pytest.raises(subprocess.CalledProcessError):
        deployed(recorded, "default")
    assert "tools.release" not in (recorded / "commands").read_text("utf-8")


def make_deploy(*arguments: str, **variables: str) -> list[str]:
    """Return the words of the command that `make deploy` would run."""
    return run("make", "--dry-run", "--silent", "deploy", *arguments, env=variables).splitlines()[-1].split()


def test_make_deploy_takes_the_region_of_the_profile() -> None:
    """Make's own is for tests."""
    given = make_deploy("CONFIG_ENV=test", "ARGS=--no-confirm-changeset")

    assert given == ["env", "-u", "AWS_DEFAULT_REGION", "tools/deploy", "test", "--no-confirm-changeset"]


def test_make_deploy_takes_a_region_that_is_asked_for() -> None:
    """In the environment, as with any tool of AWS's."""
    assert make_deploy(AWS_DEFAULT_REGION="eu-west-3") == ["tools/deploy", "default"]


@pytest.mark.parametrize("command", ["rollback", "prune"])
def test_make_goes_back_and_prunes_in_the_region_of_the_profile(command: str) -> None:
    shown = run("make", "--dry-run", "--silent", command, "CONFIG_ENV=test", "ARGS=--yes").splitlines()[-1].split()

    assert shown[:3] == ["env", "-u", "AWS_DEFAULT_REGION"]
    assert shown[3:] == [".venv/bin/python", "-m", "tools.release", command, "test", "--yes"]

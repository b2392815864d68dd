"""What a newcomer reads first is so: the licence, the changelog, how to contribute, what is pinned."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tools import environment

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK_TEXT = (ROOT / "uv.lock").read_text("utf-8")
LOCK = tomllib.loads(LOCK_TEXT)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of https://www.apache.org/licenses/LICENSE-2.0.txt."""


def yaml_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def section(title: str) -> str:
    return re.split(rf"^## {title}$", CONTRIBUTING, flags=re.MULTILINE)[1].split("\n## ")[0]


def steps(title: str) -> list[str]:
    """The numbered steps of a section, each on one line; and what follows them, if anything."""
    step = re.compile(r"^(\d)\. ((?:.+\n)(?: +.+\n)*)", re.MULTILINE)
    found = [(int(number), " ".join(text.split())) for number, text in step.findall(section(title))]
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    rest = " ".join(step.sub("", section(title)).split())
    return [text for _, text in found] + ([rest] if rest else [])


def test_the_licence_is_apaches_to_the_byte() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert all((ROOT / name).is_file() for name in PROJECT["project"]["license-files"])


def test_the_notice_says_whose_name_opensips_is() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())

    assert "independent implementation" in notice
    assert "OpenSIPS is the name of its owners" in notice


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(
        r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert next(heading for heading in headings if heading != "Unreleased") == PROJECT["project"]["version"]
    assert headings[-1] == "0.1.0"


def test_the_classifiers_name_the_pythons_that_ci_runs() -> None:
    named = {name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", name)}

    assert named == set(
        yaml_of(ROOT / ".github" / "workflows" / "check.yml")["jobs"]["check"]["strategy"]["matrix"]["python"]
    )


IMPORT_ALL = """
import importlib, pkgutil, auth_jwt
for module in pkgutil.walk_packages(auth_jwt.__path__, "auth_jwt."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as missing:
        if missing.name.startswith("auth_jwt"):
            raise
"""


@pytest.mark.parametrize("minor", ["11", "12", "13"])
def test_every_python_of_this_machine_imports_the_package(minor: str) -> None:
    """With the libraries of this environment: what is compiled for another Python cannot be found, and is left out."""
    found = subprocess.run([ROOT / "tools" / "find-python", minor], check=False, capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"no Python 3.{minor} on this machine; GitHub's workflow runs all tests on it")
    path = os.pathsep.join([str(ROOT / "layers" / "auth_jwt"), sysconfig.get_path("purelib")])
    env = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    imported = subprocess.run([found.stdout.strip(), "-c", IMPORT_ALL], env=env, check=False, capture_output=True)

    assert (imported.returncode, imported.stderr) == (0, b"")


@pytest.mark.parametrize("title", ["Add a setting", "Add a reason", "Add a key kind", "Add a frontend"])
def test_every_file_and_name_in_the_five_steps_exists(title: str) -> None:
    """A path is a file or a folder; any other name stands in a file of the same step."""
    for step in steps(title):
        words = re.findall(r"`([^`]+)`", step)
        paths = [word for word in words if "/" in word or "." in word or word == "Makefile"]
        files = [ROOT / path for path in paths if (ROOT / path).is_file()]
        assert all((ROOT / path).exists() for path in paths if path not in ("README.md", "package-lock.json")), step
        for name in set(words) - set(paths):
            if not name.startswith(("make ", "auth-jwt ")):
                assert any(re.search(rf"\b{name}\b", file.read_text("utf-8")) for file in files), (name, step)


def test_every_frontend_is_listed_and_has_a_test() -> None:
    page = (ROOT / "frontends" / "README.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    folders = [path.parent.name for path in (ROOT / "frontends").glob("*/README.md")]

    assert folders
    for folder in folders:
        assert f"]({folder}/README.md)" in page
        assert re.search(rf"frontends[/.\" ]+{folder}\b", tests), folder


class TestWorkflows:
    """What GitHub runs calls make; `test_workflows.py` holds what it may do."""

    def test_check_calls_what_ci_calls(self) -> None:
        steps = yaml_of(ROOT / ".github" / "workflows" / "check.yml")["jobs"]["check"]["steps"]

        assert [step["run"].split()[:2] for step in steps if "run" in step] == [["make", "check"], ["make", "security"]]


def test_the_dependency_bot_waits_a_week_and_knows_every_lock() -> None:
    updates = yaml_of(ROOT / ".github" / "dependabot.yml")["updates"]
    of = {update["package-ecosystem"]: update for update in updates}
    node = {f"/{path.parent.relative_to(ROOT).as_posix()}" for path in packages_of_node()}

    assert all(update["cooldown"]["default-days"] == 7 for update in updates)
    assert PROJECT["tool"]["uv"]["exclude-newer"] == "7 days"
    assert of.keys() == {"uv", "npm", "github-actions"}
    assert set(of["npm"]["directories"]) == node


def packages_of_node() -> list[Path]:
    hidden = {"node_modules", "build", ".git", ".aws-sam"}
    return [path for path in ROOT.glob("[a-z]*/**/package-lock.json") if hidden.isdisjoint(path.parts)]


SECOND_TRY = "--reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks"
A_BAD_DAY_AND_A_FAULT = """
from pathlib import Path

TRIED = Path(__file__).with_suffix(".tried")


def test_a_bad_day():
    if not TRIED.exists():
        TRIED.touch()
        raise RuntimeError("the first try")


def test_a_fault():
    assert False
"""


class TestChecks:
    """What CI must not lose: without each of these, a check still passes that checks less."""

    def test_all_that_it_runs_is_still_run(self) -> None:
        script = (ROOT / ".ci" / "run").read_text("utf-8")
        run = re.findall(r"^(?:make|begin) ([a-z0-9-]+)\b", script, re.MULTILINE)
        awaited = re.findall(r"^await ([a-z0-9-]+)$", script, re.MULTILINE)

        assert re.search("^set -euo pipefail$", script, re.MULTILINE)
        assert set(run) >= {
            *(
                "check",
                "security",
                "leaks",
                "e2e",
                "e2e-admin",
                "e2e-issuers",
                "e2e-migration",
                "e2e-recipes",
                "e2e-sip",
                "demo",
            )
        }
        assert re.search(r'make mutants ARGS="--changed HEAD\^1 .*--threshold \d\d"', script)
        assert sorted(awaited) == sorted(re.findall(r"^begin ([a-z0-9-]+)$", script, re.MULTILINE))

    def test_few_get_a_second_try(self) -> None:
        script = (ROOT / ".ci" / "run").read_text("utf-8")

        options = re.findall(r'^export PYTEST_ADDOPTS="(.*)"$', script, re.MULTILINE)

        assert options == [SECOND_TRY]
        assert re.search("^  PYTEST_ADDOPTS= make mutants ", script, re.MULTILINE)  # which a test kills at its first

    def test_what_fails_twice_fails_and_a_second_try_is_shown(self, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text(A_BAD_DAY_AND_A_FAULT)

        done = make("test", f"ARGS=-n2 {SECOND_TRY} -p no:cacheprovider --rootdir {tmp_path} {tmp_path}")

        assert done.returncode != 0
        assert "1 failed, 1 passed, 2 rerun" in done.stdout
        assert "RuntimeError: the first try" in done.stdout

    def test_what_make_check_runs_is_linted_typed_whole_and_covered(self) -> None:
        run = planned("check")

        assert {"ruff format --check .", "ruff check .", "mypy", "codespell", "tools/check-templates"} <= {
            command for command in KNOWN_CHECKS if re.search(rf"(?:-m |bin/|^){re.escape(command)}", run, re.MULTILINE)
        }
        assert re.search(r" test WHOLE=1 ARGS=\"(?!.*--cov)", run)
        assert re.search(r" test WHOLE= ARGS=\".*--cov .*--cov-fail-under=95", run)
        assert "subprocess" in PROJECT["tool"]["coverage"]["run"]["patch"]

    def test_a_test_that_fails_fails_make(self, tmp_path: Path) -> None:
        """And is not hidden by what runs after it."""
        (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")

        done = make("test", f"ARGS=-n0 -p no:cacheprovider --rootdir {tmp_path} {tmp_path}")

        assert done.returncode != 0
        assert "1 failed" in done.stdout

    def test_nothing_is_installed_without_its_hash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[tuple[str, ...]] = []

        def note(*command: str | Path, **_: object) -> str:
            ran.append(tuple(map(str, command)))
            return ""

        monkeypatch.setattr(environment, "_run", note)
        monkeypatch.setattr(environment, "_install", note)
        monkeypatch.setattr(environment, "pip_settings", dict)
        monkeypatch.setattr(environment, "_is_new_enough", lambda _: False)
        monkeypatch.setattr(environment, "UV", Path("/nowhere/uv"))
        monkeypatch.setattr(environment, "environment_of", lambda group: ROOT / "build" / f".none-{group}")
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with contextlib.suppress(OSError):  # where it would mark as installed what is not there
            environment.make("lint")
        environment.provide_uv()

        from_index = [one for one in ran if ("pip" in one) and ("sync" in one or "install" in one)]
        assert len(from_index) == 2
        assert all("--require-hashes" in one for one in from_index)

    @pytest.mark.parametrize("lacks", [".venv-sam/bin/sam", ".venv-lint/bin/cfn-lint", ".venv-lint/bin/checkov"])
    def test_a_linter_that_is_missing_fails_the_check_of_templates(self, tmp_path: Path, lacks: str) -> None:
        """It is not skipped. Stand-ins that take everything are in place of the others."""
        for name in (".venv-sam/bin/sam", ".venv-lint/bin/cfn-lint", ".venv-lint/bin/checkov", ".venv/bin/python"):
            program = tmp_path / name
            program.parent.mkdir(parents=True, exist_ok=True)
            if name != lacks:
                program.write_text("#!/bin/sh\n")
                program.chmod(0o755)
        (tmp_path / "stacks").mkdir()
        (tmp_path / "stacks" / "one.yaml").touch()
        checked = [ROOT / "tools" / "check-templates"]
        env = {"PATH": os.environ["PATH"], "BOUNDED": ""}

        done = subprocess.run(checked, cwd=tmp_path, env=env, check=False, capture_output=True, text=True)
        (tmp_path / lacks).write_text("#!/bin/sh\n")
        (tmp_path / lacks).chmod(0o755)
        again = subprocess.run(checked, cwd=tmp_path, env=env, check=False, capture_output=True, text=True)

        assert (done.returncode, again.returncode) == (127, 0)
        assert lacks in done.stderr


KNOWN_CHECKS = ("ruff format --check .", "ruff check .", "mypy", "codespell", "tools/check-templates")


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST_"))}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=env, check=False, capture_output=True, text=True)


def planned(target: str) -> str:
    """What make would run for a *target*, the calls of make in it not followed."""
    return make("--dry-run", "MAKE=echo make", target).stdout


def test_the_hooks_before_a_commit_are_targets_of_make() -> None:
    hooks = [hook for repo in yaml_of(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert {hook["entry"].split()[-1] for hook in hooks} <= targets
    assert {hook["language"] for hook in hooks} == {"system"}


def test_every_script_that_make_runs_is_there_and_can_be_run() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    by_name = re.findall(r"^([^:\n]+):.*\n\t@exec tools/\$@", makefile, re.MULTILINE)
    scripts = {*re.findall(r"\btools/([a-z][a-z0-9-]*)(?![a-z0-9./-])", makefile), *" ".join(by_name).split()}

    assert {"deploy", "lock"} <= scripts
    assert {name for name in scripts if not os.access(ROOT / "tools" / name, os.X_OK)} == set()


@pytest.mark.parametrize("folder", ["events", "docs"])
def test_programs_are_in_tools_and_not_beside_the_data(folder: str) -> None:
    assert list((ROOT / folder).rglob("*.py")) == []


OURS = next(package for package in LOCK["package"] if package["source"] == {"editable": "."})


def requirements(locked: list[dict[str, Any]]) -> set[Requirement]:
    """What uv.lock keeps of the requirements that it was made from."""
    return {
        Requirement(
            f"{one['name']}{one.get('extras') or ''}".replace("'", "")
            + one.get("specifier", "")
            + (f"; {one['marker']}" if "marker" in one else "")
        )
        for one in locked
    }


class TestLock:
    """One lock for all environments: PyPI's, whole, and what SAM builds from is a part of it."""

    def test_it_names_pypi_and_no_mirror(self) -> None:
        sources = {json.dumps(package["source"]) for package in LOCK["package"]}
        hosts = set(re.findall(r'url = "(https?://[^/"]+/)', LOCK_TEXT))

        assert sources == {'{"registry": "https://pypi.org/simple"}', '{"editable": "."}'}
        assert hosts == {"https://files.pythonhosted.org/"}

    def test_it_is_of_this_version(self) -> None:
        assert OURS["version"] == PROJECT["project"]["version"]

    def test_it_was_made_from_what_pyproject_names(self) -> None:
        """Otherwise: `make lock UPGRADE=`."""
        named = PROJECT["project"]
        cli = [f"{one}; extra == 'cli'" for one in named["optional-dependencies"]["cli"]]
        groups = PROJECT["dependency-groups"]
        included = {"dev": groups["provisioning"], "fuzz": groups["provisioning"]}

        assert requirements(OURS["metadata"]["requires-dist"]) == {*map(Requirement, [*named["dependencies"], *cli])}
        assert OURS["metadata"]["requires-dev"].keys() == groups.keys()
        for name, group in groups.items():
            wanted = [one for one in group if isinstance(one, str)] + included.get(name, [])
            assert requirements(OURS["metadata"]["requires-dev"][name]) == {*map(Requirement, wanted)}, name

    @pytest.mark.parametrize("folder", ["layers/auth_jwt", "functions/provisioning"])
    def test_what_sam_builds_from_has_its_versions_and_hashes(self, folder: str) -> None:
        exported = (ROOT / folder / "requirements.txt").read_text("utf-8")
        locked = {f"{package['name']}=={package['version']}": package for package in LOCK["package"]}

        blocks = re.findall(r"^([a-z0-9-]+==[^\s;]+)(.*\n(?: .*\n)+)", exported, re.MULTILINE)
        assert blocks
        for pin, block in blocks:
            known = {one["hash"] for one in (*locked[pin]["wheels"], locked[pin].get("sdist", {"hash": ""}))}
            assert set(re.findall(r"--hash=(\S+)", block)) <= known
            assert "--hash=" in block

    def test_what_the_package_needs_is_in_the_layer(self) -> None:
        exported = (ROOT / "layers" / "auth_jwt" / "requirements.txt").read_text("utf-8")
        needed = [re.split(r"[\[><=]", one)[0] for one in PROJECT["project"]["dependencies"]]

        assert all(re.search(rf"^{name}==", exported, re.MULTILINE) for name in needed)


class TestEnvironments:
    """The tool that makes them: which uv, and from where."""

    def test_every_environment_that_make_asks_for_is_a_group(self) -> None:
        makefile = (ROOT / "Makefile").read_text("utf-8")
        asked = set(re.findall(r"\.venv-([a-z0-9]+)/\.installed", makefile))

        assert asked | {"dev", "uv", "provisioning"} == PROJECT["dependency-groups"].keys()
        assert environment.WITH_PACKAGE.keys() <= asked | {"dev"}

    def test_the_oldest_uv_is_the_one_that_the_project_requires(self) -> None:
        required = PROJECT["tool"]["uv"]["required-version"]

        assert required == f">={'.'.join(map(str, environment.OLDEST_UV))}"

    def test_the_pinned_uv_comes_with_its_hashes(self) -> None:
        version, requirement = environment.pinned("uv", LOCK_TEXT)

        assert requirement.startswith(f"uv=={version} --hash=sha256:")
        assert requirement.count("--hash=sha256:") > 10
        assert tuple(map(int, version.split("."))) >= environment.OLDEST_UV

    def test_the_index_of_pip_is_that_of_uv(self) -> None:
        pip = {
            "index-url": "https://mirror.example.com/simple", "extra-index-url": "https://a.example.com https://b.example.com",
            "find-links": "/wheels /more", "trusted-host": "mirror.example.com", "cert": "/ca.pem", "timeout": "5",
        }  # fmt: skip

        assert environment.as_uv_reads(pip, {}) == {
            "UV_DEFAULT_INDEX": "https://mirror.example.com/simple",
            "UV_INDEX": "https://a.example.com https://b.example.com",
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_FIND_LINKS": "/wheels,/more",
            "UV_INSECURE_HOST": "mirror.example.com",
            "SSL_CERT_FILE": "/ca.pem",
        }

    def test_what_uv_is_told_itself_counts_more(self) -> None:
        told = {"UV_DEFAULT_INDEX": "https://other.example.com/simple"}

        assert environment.as_uv_reads({"index-url": "https://mirror.example.com/simple"}, told) == {}

    def test_pip_is_asked_with_its_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The pip of the Python that made this environment, which has none."""
        monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example.com/simple")

        settings = environment.pip_settings(str(Path(sys.base_prefix, "bin", "python3")))

        assert settings["index-url"] == "https://mirror.example.com/simple"

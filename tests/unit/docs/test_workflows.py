"""The workflows trust nobody more than they must: actions by digest, packages by hash, rights by job."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.unit.docs.test_docs import ROOT

FILES: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOADED: Final[dict[str, Any]] = {
    file.stem: yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader) for file in FILES
}
PINNED: Final = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
RIGHTS: Final = {
    ("audit", "audit"): {"contents": "read"},
    ("check", "check"): {"contents": "read"},
    ("deploy", "plan"): {"contents": "read", "id-token": "write"},
    ("deploy", "deploy"): {"contents": "read", "id-token": "write"},
    ("release", "build"): {"contents": "read"},
    ("release", "publish"): {"attestations": "write", "contents": "write", "id-token": "write"},
}
"""What each job may do: one more right is a decision, and a line here."""


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(name, job, told) for name, workflow in LOADED.items() for job, told in workflow["jobs"].items()]


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    return list(LOADED[workflow]["jobs"][job]["steps"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_its_digest_and_says_its_version(file: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in file.read_text("utf-8").splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_one_version_has_one_digest() -> None:
    """An action is the same in all workflows."""
    used = {line for file in FILES for line in re.findall(r"uses: (\S+@\S+ # \S+)", file.read_text("utf-8"))}

    assert len({line.partition("@")[0] for line in used}) == len(used)


@pytest.mark.parametrize("workflow", LOADED)
def test_a_pull_request_of_a_stranger_gets_no_right(workflow: str) -> None:
    """`pull_request_target` and `workflow_run` would run what strangers wrote with the rights of this repository."""
    told = LOADED[workflow]

    assert set(told["on"]) <= {"pull_request", "push", "schedule", "workflow_dispatch"}
    assert told["permissions"] == {}


def test_each_job_has_the_rights_that_it_needs() -> None:
    assert {(workflow, job): told["permissions"] for workflow, job, told in jobs()} == RIGHTS


@pytest.mark.parametrize(("workflow", "job", "told"), jobs(), ids=lambda value: value if isinstance(value, str) else "")
def test_no_script_holds_a_text_of_others_and_no_checkout_keeps_a_token(
    workflow: str, job: str, told: dict[str, Any]
) -> None:
    """An expression within `run` would be code."""
    for step in told["steps"]:
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize(("workflow", "job", "told"), jobs(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_installed_is_held_to_hashes(workflow: str, job: str, told: dict[str, Any]) -> None:
    """No job installs by itself: make does, by uv.lock, and asks for hashes."""
    scripts = " ".join(step.get("run", "") for step in told["steps"])

    assert not re.search(r"\b(pip|uv|npm|npx|curl|wget|apt-get)\b", scripts)


def test_make_asks_for_hashes() -> None:
    asked = (ROOT / "tools" / "environment.py").read_text("utf-8")

    assert asked.count('"--require-hashes"') == 2
    assert "npm ci" in (ROOT / "tools" / "node-packages").read_text("utf-8")


def test_a_release_is_what_two_builds_gave() -> None:
    first, second = LOADED["release"]["jobs"]["build"]["strategy"]["matrix"]["include"]
    scripts = [step.get("run", "") for step in steps("release", "publish")]
    (compared,) = (at for at, script in enumerate(scripts) if "cmp first/SHA256SUMS second/SHA256SUMS" in script)
    attested = [at for at, step in enumerate(steps("release", "publish")) if "actions/attest@" in step.get("uses", "")]
    (drafted,) = (at for at, script in enumerate(scripts) if "gh release create" in script)

    assert first["umask"] != second["umask"]
    assert first["zone"] != second["zone"]
    assert compared < min(attested) <= max(attested) < drafted
    assert "sha256sum --check --strict SHA256SUMS" in scripts[compared]
    assert "--draft" in scripts[drafted]
    assert LOADED["release"]["jobs"]["publish"]["environment"] == "release"


def test_every_file_of_a_release_has_its_provenance_and_every_program_its_bill() -> None:
    attested = [step["with"] for step in steps("release", "publish") if "actions/attest@" in step.get("uses", "")]
    bills = [told["sbom-path"].rpartition("base }}-")[2] for told in attested if "sbom-path" in told]

    assert {"subject-checksums": "first/SHA256SUMS"} in attested
    assert sorted(bills) == sorted(
        [
            "wheel.cdx.json",
            *(
                f"{part}-{on}.cdx.json"
                for part in ("AuthJwtLayer", "ProvisioningFunction")
                for on in ("arm64", "x86_64")
            ),
        ]
    )


@pytest.mark.parametrize(("tag", "code"), [("v0.2.0", 0), ("v0.2", 1), ("v99.0.0", 1)])
def test_a_tag_is_the_version_that_the_change_log_tells_of(tag: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('version = "0.2.0"\n', "utf-8")
    (tmp_path / "CHANGELOG.md").write_text("## [0.2.0] - 2026-01-01\n", "utf-8")

    done = subprocess.run([ROOT / "tools" / "check-tag", tag], cwd=tmp_path, check=False, capture_output=True)

    assert done.returncode == code


@pytest.mark.parametrize("missing", ["pyproject.toml", "CHANGELOG.md"])
def test_a_tag_needs_both(missing: str, tmp_path: Path) -> None:
    for name, text in {"pyproject.toml": 'version = "0.2.0"\n', "CHANGELOG.md": "## [0.2.0]\n"}.items():
        (tmp_path / name).write_text("" if name == missing else text, "utf-8")

    done = subprocess.run(
        [ROOT / "tools" / "check-tag", "v0.2.0"], cwd=tmp_path, check=False, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert missing in done.stderr

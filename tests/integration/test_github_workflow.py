"""The workflow that deploys, as far as it runs without GitHub and AWS: its steps, in the shell that GitHub gives them.

`tools/deploy`, `curl` and `aws` are stood in for; they write down how they are called, each word in brackets.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.load((ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8"), Loader=yaml.BaseLoader)
JOBS = WORKFLOW["jobs"]
ROLE = "arn:aws:iam::123456789012:role/deployer"
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
"""GitHub's documentation of `jobs.<job_id>.steps[*].shell`: without one, a pipe may fail unseen."""


def step(job: str, word: str) -> dict[str, Any]:
    (found,) = (each for each in JOBS[job]["steps"] if word in each.get("run", ""))
    return dict(found)


@pytest.fixture(name="bin_")
def _bin(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/bash\n{{ echo -n {name}; printf " [%s]" "$@"; echo; }} >> "$CALLS"\n{text}\n', "utf-8")
    path.chmod(0o755)


def run(words: list[str], folder: Path, bin_: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "CALLS")}
    for file in files.values():
        Path(file).touch()
    env = {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(folder), "TMPDIR": str(folder), **files, **variables}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def run_step(job: str, word: str, folder: Path, bin_: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    found = step(job, word)
    script = folder / "script.sh"
    script.write_text(found["run"], "utf-8")
    return run([*SHELLS[found.get("shell")], str(script)], folder, bin_, **variables)


ARN = (
    "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/auth-jwt-20261129120000/"
    "0a1b2c3d-0000-4000-8000-00000000000f"
)
SHOWN = f'auth-jwt: 1 added.\nNothing was done. To do just this: make deploy ARGS="--execute {ARN}"'


@pytest.fixture(name="tools")
def _tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("allow", "more"),
    [
        pytest.param("", "", id="nothing may end"),
        pytest.param("Domain/Name", " [--allow] [Domain/Name]", id="a name may end"),
        pytest.param("x; id", " [--allow] [x; id]", id="no text is a command"),
    ],
)
def test_the_plan_shows_the_change_set_and_hands_its_arn_on(
    tmp_path: Path, bin_: Path, tools: Path, allow: str, more: str
) -> None:
    """Its name could be another's by the time somebody approves."""
    program(tools, "deploy", f"cat <<'END'\n{SHOWN}\nEND")

    done = run_step("plan", "--no-execute", tmp_path, bin_, SECTION="test", ALLOW=allow)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "CALLS").read_text("utf-8") == f"deploy [test] [--built] [--no-execute]{more}\n"
    assert (tmp_path / "GITHUB_OUTPUT").read_text("utf-8") == f"change_set={ARN}\n"
    assert SHOWN in (tmp_path / "GITHUB_STEP_SUMMARY").read_text("utf-8")


def test_no_text_of_a_resource_passes_for_the_change_set(tmp_path: Path, bin_: Path, tools: Path) -> None:
    """What the plan shows has names and reasons of others in it."""
    program(tools, "deploy", f"""echo '  + X ARGS="--execute {ARN}x"'; cat <<'END'\n{SHOWN}\nEND""")

    assert run_step("plan", "--no-execute", tmp_path, bin_, SECTION="test", ALLOW="").returncode == 0
    assert (tmp_path / "GITHUB_OUTPUT").read_text("utf-8") == f"change_set={ARN}\n"


def test_a_change_set_that_cannot_be_handed_on_fails_the_job(tmp_path: Path, bin_: Path, tools: Path) -> None:
    """Otherwise it would look as if nothing would change."""
    program(tools, "deploy", f"cat <<'END'\n{SHOWN.replace('changeSet', 'change_set')}\nEND")

    done = run_step("plan", "--no-execute", tmp_path, bin_, SECTION="test", ALLOW="")

    assert done.returncode == 1
    assert "::error::change_set:" in done.stdout


def test_packages_are_built_before_the_login(tmp_path: Path, bin_: Path, tools: Path) -> None:
    """They find no key of AWS's in their environment, and nothing is built where one is."""
    program(tools, "build-release", "")
    words = [each.get("run", "") for each in JOBS["plan"]["steps"]]

    assert run_step("plan", "build-release", tmp_path, bin_, SECTION="test; id").returncode == 0
    assert (tmp_path / "CALLS").read_text("utf-8") == "build-release [test; id]\n"
    order = [next(at for at, text in enumerate(words) if word in text) for word in ("=~", "make", "build-", "login")]
    assert order == sorted(order)
    assert all("--built" in text or "--execute" in text for text in words if "tools/deploy" in text)


def test_a_refused_plan_fails_the_job(tmp_path: Path, bin_: Path, tools: Path) -> None:
    """Though its output goes through a pipe."""
    program(tools, "deploy", "echo refused; exit 1")

    assert run_step("plan", "--no-execute", tmp_path, bin_, SECTION="test", ALLOW="").returncode != 0
    assert (tmp_path / "GITHUB_OUTPUT").read_text("utf-8") == ""


def test_where_nothing_would_change_there_is_nothing_to_approve(tmp_path: Path, bin_: Path, tools: Path) -> None:
    program(tools, "deploy", "echo 'auth-jwt: nothing would change.'")

    assert run_step("plan", "--no-execute", tmp_path, bin_, SECTION="test", ALLOW="").returncode == 0
    assert (tmp_path / "GITHUB_OUTPUT").read_text("utf-8") == ""
    assert JOBS["deploy"]["if"] == "needs.plan.outputs.change_set != ''"


@pytest.mark.parametrize(
    ("allow", "more"), [("", ""), ("ApiKey", " [--allow] [ApiKey]"), ("x; id", " [--allow] [x; id]")]
)
def test_what_was_shown_is_deployed_and_nothing_else(
    tmp_path: Path, bin_: Path, tools: Path, allow: str, more: str
) -> None:
    program(tools, "deploy", "")

    done = run_step("deploy", "--execute", tmp_path, bin_, SECTION="test", ALLOW=allow, CHANGE_SET=ARN)

    assert done.returncode == 0
    assert (tmp_path / "CALLS").read_text("utf-8") == f"deploy [test] [--yes] [--execute] [{ARN}]{more}\n"


@pytest.mark.parametrize(
    "change_set",
    [
        pytest.param("auth-jwt-20261129120000", id="a name"),
        pytest.param(f"{ARN} --root-only", id="more words"),
        pytest.param(f"{ARN}\n", id="a line's end"),
        pytest.param(f"x{ARN}", id="something in front"),
        pytest.param(ARN.rpartition("/")[0], id="no id"),
        pytest.param(ARN.replace("changeSet", "stack"), id="a stack"),
        pytest.param("--help", id="an option"),
        pytest.param("", id="none"),
    ],
)
def test_only_an_arn_is_deployed(tmp_path: Path, bin_: Path, tools: Path, change_set: str) -> None:
    program(tools, "deploy", "")

    done = run_step("deploy", "--execute", tmp_path, bin_, SECTION="test", ALLOW="", CHANGE_SET=change_set)

    assert done.returncode == 1
    assert done.stdout.startswith("::error::change_set:")
    assert (tmp_path / "CALLS").read_text("utf-8") == ""


@pytest.mark.parametrize(
    ("section", "allow", "told"),
    [
        pytest.param("default", "", None, id="usual"),
        pytest.param("my_test-2", "Domain/DomainName", None, id="names"),
        pytest.param("", "", "section", id="no section"),
        pytest.param("--help", "", "section", id="an option for a section"),
        pytest.param("a\nid", "", "section", id="two lines"),
        pytest.param("$(id)", "", "section", id="a command"),
        pytest.param("default", "x; echo INJECTED", "allow", id="a command after a name"),
        pytest.param("default", "A --yes", "allow", id="a name and an option"),
        pytest.param("default", "--yes", "allow", id="an option"),
        pytest.param("default", "A\n", "allow", id="a line's end"),
    ],
)
def test_inputs_are_names_or_the_job_ends(
    tmp_path: Path, bin_: Path, section: str, allow: str, told: str | None
) -> None:
    """Who may start it is not who may deploy, and the approver sees no input."""
    done = run_step("plan", "=~", tmp_path, bin_, SECTION=section, ALLOW=allow)

    assert done.returncode == (0 if told is None else 1), done.stderr
    assert done.stdout.startswith(f"::error::{told}:" if told else "")
    assert "=~" in JOBS["plan"]["steps"][0]["run"]


def test_no_input_goes_through_make() -> None:
    """It puts texts into a shell's script unquoted."""
    for job in JOBS.values():
        for each in job["steps"]:
            assert re.fullmatch(r"make [a-z]+", each["run"]) or "make" not in each["run"] if "run" in each else True


def test_somebody_approves_before_and_the_doctor_looks_after() -> None:
    deploy = JOBS["deploy"]
    words = [each.get("run", "") for each in deploy["steps"]]

    assert deploy["environment"] == "production"
    assert "plan" in deploy["needs"]
    assert "auth-jwt doctor" in words[-1]
    assert "environment" not in JOBS["plan"]


def test_no_job_has_more_than_it_needs_and_no_text_of_others_is_in_a_script() -> None:
    """An input within `run` would be code."""
    assert WORKFLOW["permissions"] == {}
    assert set(WORKFLOW["on"]) == {"workflow_dispatch"}
    for job in JOBS.values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}
        for each in job["steps"]:
            assert "${{" not in each.get("run", "")
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each.get("uses", f"a/b@{'0' * 40}"))


# -- the login --------------------------------------------------------------------------------------------------------

GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example/x?a=b",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
    "GITHUB_RUN_ID": "7",
    "AWS_ROLE_ARN": ROLE,
}


def test_a_job_logs_in_by_the_token_that_github_gives_it(tmp_path: Path, bin_: Path) -> None:
    """Later steps have the credentials, the log masks them, and the token is in no argument and left in no file."""
    program(bin_, "curl", """echo '{"value": "the.oidc.token"}'""")
    program(bin_, "aws", """cp "$(grep -o '/[^ ]*/tmp[^ ]*' <<< "$*")" "$HOME/seen"; echo 'KEY SECRET SESSION'""")

    done = run([str(ROOT / "tools" / "github-login")], tmp_path, bin_, **GITHUB)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "GITHUB_ENV").read_text("utf-8").splitlines() == [
        "AWS_ACCESS_KEY_ID=KEY",
        "AWS_SECRET_ACCESS_KEY=SECRET",
        "AWS_SESSION_TOKEN=SESSION",
    ]
    assert done.stdout.splitlines() == ["::add-mask::KEY", "::add-mask::SECRET", "::add-mask::SESSION"]
    curl, aws = (tmp_path / "CALLS").read_text("utf-8").splitlines()
    assert "https://token.example/x?a=b&audience=sts.amazonaws.com" in curl
    assert f"[--role-arn] [{ROLE}] [--role-session-name] [github-7]" in aws
    assert "the.oidc.token" not in curl + aws
    assert (tmp_path / "seen").read_text("utf-8") == "the.oidc.token"
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.parametrize(
    ("curl", "aws", "told"),
    [
        pytest.param("exit 22", "echo 'KEY SECRET SESSION'", "", id="GitHub gives none"),
        pytest.param("""echo '{"value": "t"}'""", "exit 254", "the role's trust policy", id="AWS"),
    ],
)
def test_without_a_login_the_job_ends(tmp_path: Path, bin_: Path, curl: str, aws: str, told: str) -> None:
    program(bin_, "curl", curl)
    program(bin_, "aws", aws)

    done = run([str(ROOT / "tools" / "github-login")], tmp_path, bin_, **GITHUB)

    assert done.returncode != 0
    assert told in done.stderr
    assert (tmp_path / "GITHUB_ENV").read_text("utf-8") == ""


@pytest.mark.parametrize("missing", ["AWS_ROLE_ARN", "ACTIONS_ID_TOKEN_REQUEST_URL"])
def test_what_the_login_lacks_is_named(tmp_path: Path, bin_: Path, missing: str) -> None:
    given = {name: value for name, value in GITHUB.items() if name != missing}

    done = run([str(ROOT / "tools" / "github-login")], tmp_path, bin_, **given)

    assert done.returncode != 0
    assert missing in done.stderr

"""`auth-jwt audit`: the writes of the command line, the admin API and rotation, in one order of time."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import TAG, CommandLine, a_command_line
from tests.integration.managed_secrets import a_begun_rotation, a_function, a_profile, a_secret, an_account
from tests.logs_in_moto import has_lines, has_stack
from tests.rotations import the_app
from tools.dashboard.recorded import event
from tools.events.stage import Stage, stage

ADMIN, ROTATION = "auth-jwt-ProvisioningLogGroup-1", "auth-jwt-RotateSecretsLogGroup-1"


@pytest.fixture(name="admin_lines", scope="module")
def _admin_lines() -> list[str]:
    """What the real admin API writes: a write with its line of audit, and a request that only reads."""
    with stage({}, "provisioning") as made:
        return [
            line for name in ("create-profile", "list-profiles") for line in made.ask(event("provisioning", name)).lines
        ]


@pytest.fixture(name="rotation_lines", scope="module")
def _rotation_lines() -> list[str]:
    with an_account() as tables:
        made = Stage(the_app().lambda_handler, tables, "rotate_secrets")
        a_profile(tables)
        arn = a_secret()
        version = a_begun_rotation(arn, a_function())
        return list(made.ask({"Step": "createSecret", "SecretId": arn, "ClientRequestToken": version}).lines)


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path) as command_line:
        yield command_line


@pytest.fixture(name="stack")
def _stack(auth_jwt: CommandLine, admin_lines: list[str], rotation_lines: list[str]) -> CommandLine:
    """A stack with the logs of the admin API and of rotation, and a write from here after theirs."""
    has_stack({"AdminLogGroupName": ADMIN, "RotationLogGroupName": ROTATION})
    has_lines(ADMIN, admin_lines, at=time.time() - 60)
    has_lines(ROTATION, rotation_lines, at=time.time() - 30)
    auth_jwt.has_a_user()
    return auth_jwt


def written(auth_jwt: CommandLine, *options: str, exit_code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in auth_jwt("audit", *options, "--json", exit_code=exit_code).stdout.splitlines()]


def older(auth_jwt: CommandLine, name: str, **members: Any) -> Path:
    path = auth_jwt.folder / "auth-jwt" / name
    path.parent.mkdir(exist_ok=True)
    entry = {"audit": "profile.create", "outcome": "done", "actor": "carol@here", "tag": "old", "at": 1, **members}
    text = f"{json.dumps(entry)}\n".encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def test_writes_of_all_who_write_are_in_one_order_of_time(stack: CommandLine) -> None:
    run = stack("audit", "--stack", "auth-jwt", "--json")

    entries = [json.loads(line) for line in run.stdout.splitlines()]
    sources = [entry["source"] for entry in entries]
    assert {ADMIN, ROTATION, str(stack.folder / "auth-jwt" / "audit.log")} == set(sources)
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert {"profile.create", "rotation.create"} <= {entry["audit"] for entry in entries}
    assert {entry["actor"].split(":")[0] for entry in entries} >= {"arn", "secretsmanager"}
    assert f"Read {ADMIN}: 1 of 1 writes." in run.stderr
    assert "The stack has no refresh of issuers' keys, so there is no log of that." in run.stderr


def test_it_reads_well(stack: CommandLine) -> None:
    shown = stack("audit", "--stack", "auth-jwt").stdout

    assert shown.splitlines()[0].split() == ["TIME", "ACTION", "OUTCOME", "TAG", "ID", "ACTOR", "WHERE"]
    assert "profile.create" in shown


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        (("--tag", TAG), {"profile.create"}),
        (("--tag", "nobody"), set()),
        (("--action", "rotation.*"), {"rotation.create"}),
        (("--action", "rotation"), set()),
        (("--actor", "SECRETSMANAGER:"), {"rotation.create"}),
        (("--where", "123456789012", "--tag", TAG, "--actor", "moto"), {"profile.create"}),
        (("--where", "jwt_profiles", "--actor", "moto"), {"profile.create"}),
        (("--where", "another"), set()),
        (("--since", "2020-01-01", "--until", "2020-01-02"), set()),
    ],
)
def test_it_can_be_narrowed(stack: CommandLine, options: tuple[str, ...], actions: set[str]) -> None:
    found = {entry["audit"] for entry in written(stack, "--stack", "auth-jwt", *options)}

    assert found - {"secret.add"} == actions


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ({"context": "prod", "account": "123456789012"}, "prod"),
        ({"account": "123456789012", "region": "eu-central-1", "tables": ["jwt_profiles"]}, "123456789012"),
        ({"endpoint": "http://127.0.0.1:8000", "tables": ["jwt_profiles"]}, "http://127.0.0.1:8000"),
        ({"tables": ["jwt_profiles", "jwt_secrets"]}, "jwt_profiles, jwt_secrets"),
        ({}, "-"),
    ],
)
def test_a_write_says_where_it_went_even_without_an_account(
    auth_jwt: CommandLine, target: dict[str, Any], place: str
) -> None:
    path = older(auth_jwt, "theirs", target=target)

    shown = auth_jwt("audit", "--since", "1970-01-01", "--file", str(path), COLUMNS="200").stdout

    assert shown.splitlines()[1].endswith(f" {place}")


@pytest.mark.parametrize("name", ["audit.log.1", "audit.log.2.gz", "audit.log-20261101.gz"])
def test_files_that_were_rotated_are_read_too(auth_jwt: CommandLine, name: str) -> None:
    path = older(auth_jwt, name)
    auth_jwt.has_a_user()

    assert written(auth_jwt, "--since", "1970-01-01")[0]["source"] == str(path)


def test_a_file_of_another_machine_is_read_instead(auth_jwt: CommandLine) -> None:
    path = older(auth_jwt, "theirs.gz", tag="alice-web")
    auth_jwt.has_a_user()

    (entry,) = written(auth_jwt, "--since", "1970-01-01", "--file", str(path))

    assert (entry["tag"], entry["actor"], entry["details"]) == ("alice-web", "carol@here", {})


@pytest.mark.parametrize("option", ["--actor", "--action", "--where"])
def test_an_empty_text_is_no_filter(auth_jwt: CommandLine, option: str) -> None:
    assert "is empty; without it, all are shown" in auth_jwt("audit", option, "", exit_code=2).stderr


def test_where_the_admin_api_was_not_asked_it_says_so(auth_jwt: CommandLine) -> None:
    said = auth_jwt("audit").stderr

    assert "There is no audit file" in said
    assert "The logs of the admin API, rotation and refresh were not asked: name the stack by --stack" in said


def test_one_source_that_cannot_be_read_keeps_nobody_from_the_others(
    auth_jwt: CommandLine, admin_lines: list[str]
) -> None:
    has_stack({"AdminLogGroupName": ADMIN, "RotationLogGroupName": "gone"})
    has_lines(ADMIN, admin_lines, at=time.time() - 60)

    run = auth_jwt("audit", "--stack", "auth-jwt", "--json", exit_code=4)

    assert json.loads(run.stdout)["source"] == ADMIN
    assert (
        "Warning: gone was not read: logs:FilterLogEvents on 'gone' is refused: ResourceNotFoundException" in run.stderr
    )


def test_a_stack_that_is_not_there_is_told_and_the_file_is_read(auth_jwt: CommandLine) -> None:
    auth_jwt.has_a_user()

    run = auth_jwt("audit", "--stack", "none", exit_code=4)

    assert "profile.create" in run.stdout
    assert "Warning: the stack none was not read: there is no stack 'none' in this account and region" in run.stderr


@pytest.mark.parametrize("octets", [b"torn{\n", b'{"audit": "profile.add"}\n', b'{"audit": 1, "tag": "x", "at": 1}\n'])
def test_a_damaged_line_is_a_gap_that_is_told(auth_jwt: CommandLine, octets: bytes) -> None:
    auth_jwt.has_a_user()
    with (auth_jwt.folder / "auth-jwt" / "audit.log").open("ab") as file:
        file.write(octets)

    run = auth_jwt("audit", exit_code=4)

    assert "1 of its lines are no lines of audit" in run.stderr
    assert "profile.create" in run.stdout


def test_a_damaged_archive_is_told(auth_jwt: CommandLine) -> None:
    path = older(auth_jwt, "audit.log.3.gz")
    path.write_bytes(path.read_bytes()[:20])

    assert "audit.log.3.gz cannot be read" in auth_jwt("audit", exit_code=4).stderr


def test_a_text_that_controls_the_terminal_is_shown_escaped(auth_jwt: CommandLine) -> None:
    older(auth_jwt, "audit.log.1", actor="\x1b[2Jnobody", tag="a\nb")

    shown = auth_jwt("audit", "--since", "1970-01-01").stdout

    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2

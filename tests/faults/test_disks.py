"""A disk that is full: a command says so and exits with an error, and nothing half written passes for whole.

The limit of a file's size stands for the disk: the system then takes a part of what is written, and refuses the rest.
"""

import json
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import environment_of, sample_tables
from tests.factories import a_profile, a_secret
from tests.issuers import item_of, tables_at
from tests.prepared_command import INSTALLED

WAIT_SECONDS = 120


@dataclass
class Machine:
    """A shell on a machine whose disk may be full."""

    variables: dict[str, str]
    home: Path
    tables: Any

    def run(self, *words: str, room: int | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command; *room* is how many bytes any file may have."""

        def limit() -> None:
            if room is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        return subprocess.run(
            [INSTALLED, *words],  # the prepared one would keep the limits of who prepared it
            env=self.variables,
            cwd=self.home,
            input="",
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
            preexec_fn=limit,
        )

    def has_profile(self, tag: str) -> bool:
        return "Item" in self.tables.get_item(TableName="jwt_profiles", Key={"tag": {"S": tag}})

    def secrets(self, tag: str) -> int:
        """How many secrets a tag has."""
        question = {"ExpressionAttributeNames": {"#t": "corresponding_tag"}, "KeyConditionExpression": "#t = :t"}
        values = {":t": {"S": tag}}
        found: int = self.tables.query(TableName="jwt_secrets", **question, ExpressionAttributeValues=values)["Count"]
        return found

    @property
    def audit(self) -> Path:
        return self.home / "auth-jwt" / "audit.log"


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    with sample_tables() as endpoint:
        yield endpoint


@pytest.fixture(name="machine")
def _machine(endpoint: str, tmp_path: Path) -> Machine:
    # Python itself leaves half a file of byte code on a full disk, and cannot read that afterwards.
    return Machine(
        {**environment_of(endpoint, tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        tmp_path,
        tables_at(f"http://{endpoint}"),
    )


def test_an_export_that_finds_no_room_is_no_file(machine: Machine) -> None:
    done = machine.run("export", "--out", "stack.jsonl", room=300)

    assert done.returncode == 1
    assert "the file of --out cannot be written (File too large): it is deleted" in done.stderr
    assert not (machine.home / "stack.jsonl").exists()


def test_a_secret_that_finds_no_room_is_not_written_into_the_tables(machine: Machine) -> None:
    words = ("profile", "add", "no-room", "--username", "nora", "--generate", "--out", "value")

    done = machine.run(*words, room=50)

    assert done.returncode == 1
    assert "cannot be written (File too large); nothing was done" in done.stderr
    assert not (machine.home / "value").exists()
    assert not machine.has_profile("no-room")
    assert machine.run(*words).returncode == 0


def test_a_line_of_audit_that_finds_no_room_is_told_and_spoils_no_other(machine: Machine) -> None:
    """The first write is done, and its line is on standard error; half of it stands in the file, by itself."""
    first = machine.run("profile", "add", "first", "--username", "fay", room=100)
    second = machine.run("profile", "add", "second", "--username", "sue")

    assert (first.returncode, second.returncode) == (5, 0)
    assert "the audit file cannot be written (No space left on device); its line is:" in first.stderr
    assert json.loads(next(line for line in first.stderr.splitlines() if line.startswith("{")))["tag"] == "first"
    half, whole = machine.audit.read_text().splitlines()
    assert len(half) == 100
    assert json.loads(whole)["tag"] == "second"
    shown = machine.run("audit", "--file", str(machine.audit), "--json")
    assert [json.loads(line)["tag"] for line in shown.stdout.splitlines()] == ["second"]
    assert "1 of its lines are no lines of audit" in shown.stderr


def test_bulk_rotation_goes_on_where_the_disk_was_full(machine: Machine) -> None:
    """No secret is opened whose value is not in the file, and when there is room each tag has one that is."""
    tags = [f"many-{number}" for number in range(4)]
    for tag in tags:
        machine.tables.put_item(TableName="jwt_profiles", Item=item_of(a_profile(tag=tag)))
        machine.tables.put_item(TableName="jwt_secrets", Item=item_of(a_secret(corresponding_tag=tag, start_ts=1)))
    (machine.home / "tags").write_text("\n".join(tags) + "\n")
    words = ("bulk", "rotate", "tags", "--yes", "--out", "values.jsonl", "--workers", "1", "--audit-log", "-")

    full = machine.run(*words, room=400)
    opened = [tag for tag in tags if machine.secrets(tag) == 2]
    assert full.returncode != 0
    assert "cannot be written" in full.stdout + full.stderr
    assert len(opened) < len(tags)
    then = machine.run(*words)

    assert then.returncode == 0
    values = lines_of(machine.home / "values.jsonl")
    assert {tag: machine.secrets(tag) for tag in tags} == dict.fromkeys(tags, 2)
    assert {str(line["tag"]) for line in values if line.get("value")} >= set(tags)


def lines_of(file: Path) -> list[dict[str, object]]:
    """The lines of a file, without those that were cut off."""
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found

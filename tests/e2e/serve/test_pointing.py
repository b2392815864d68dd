"""The lines that `make serve` shows for another shell, pasted there; and the writes of many who did so at once."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.serve.serving import ROOT, Serving, environment, serving
from tools.events.stage import SAMPLES, read_json
from tools.serve.__main__ import EXAMPLE

PAGE = ROOT / "docs" / "local.md"
SECTION = "Point the command line at it"
PRODUCTION = {
    "AUTH_JWT_FUNCTION": "production",
    "AUTH_JWT_ENV_FILE": "/nowhere/production.env",
    "AUTH_JWT_CONTEXT": "production",
    "AUTH_JWT_STACK": "production",
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "of-production",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""Of a shell that was pointed elsewhere."""
TAGS = sorted(row["PutRequest"]["Item"]["tag"]["S"] for row in read_json(SAMPLES / "rows.json")["jwt_profiles"])
SECONDS = 180
CALLERS, OF_EACH = 4, 3


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve") / "log", ADMIN="1", REVOCATIONS_TABLE="jwt_revocations") as service:
        yield service


def pasted(service: Serving, folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Paste what the service shows into a shell that was pointed elsewhere, and then run *lines*.

    The shell is in *folder*, where the checkout's commands are found as in the checkout.
    """
    virtual = folder / ".venv"
    if not virtual.exists():
        virtual.symlink_to(Path(sys.prefix))
    shown = service.shell.removesuffix(EXAMPLE)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([shown, *lines])],
        cwd=folder,
        env=environment(**PRODUCTION, HOME=str(folder)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def tags_of(service: Serving, folder: Path) -> list[str]:
    listed = pasted(service, folder, f"{EXAMPLE} --json --all")
    assert listed.returncode == 0, listed.stderr
    return re.findall(r'"tag": ?"([^"]+)"', listed.stdout)


def test_the_lines_point_the_command_line_at_it(service: Serving, tmp_path: Path) -> None:
    """Whatever the shell was pointed at before."""
    assert set(TAGS) <= set(tags_of(service, tmp_path))
    assert service.shell.endswith(f"\n{EXAMPLE}")


def test_the_page_shows_the_lines(service: Serving) -> None:
    """With other ports, and in another home."""
    section = PAGE.read_text("utf-8").partition(f"## {SECTION}\n")[2].partition("\n## ")[0]

    def without_places(text: str) -> str:
        return re.sub(r"127\.0\.0\.1:\d+", "HERE", re.sub(r"=/\S*/build/", "=/build/", text))

    assert without_places(service.shell).replace("export REVOCATIONS_TABLE=jwt_revocations\n", "") in without_places(
        section
    )


def test_the_commands_of_the_page_go_as_they_are_told(service: Serving, tmp_path: Path) -> None:
    """Word for word, in the shell that has the lines; its writes have lines of audit of their own."""
    section = PAGE.read_text("utf-8").partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    (commands,) = re.findall(r"^```sh\n(.+?)^```$", section, re.MULTILINE | re.DOTALL)

    done = pasted(service, tmp_path, commands.replace("http://127.0.0.1:8080", service.url))

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["code"], answer["sip_username"]) == (1, "olivia")


def test_what_many_write_at_once_is_all_there(service: Serving, tmp_path: Path) -> None:
    """Processes of the command line, and callers of the admin API in its workers, each create profiles."""
    before = set(tags_of(service, tmp_path))

    def by_commands(number: int) -> list[str]:
        tags = [f"command-{number}-{turn}" for turn in range(OF_EACH)]
        done = pasted(
            service,
            tmp_path,
            *(f".venv/bin/auth-jwt profile add {tag} --username {tag} --generate --out {tag}.key" for tag in tags),
        )
        assert done.returncode == 0, done.stderr
        return tags

    def by_requests(number: int) -> list[str]:
        tags = [f"request-{number}-{turn}" for turn in range(10 * OF_EACH)]
        connection = HTTPConnection("127.0.0.1", service.port, timeout=60)
        for tag in tags:
            body = json.dumps({"tag": tag, "sip_username": tag, "secret": {}})
            connection.request("POST", "/admin/profiles", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
        connection.close()
        return tags

    with ThreadPoolExecutor(2 * CALLERS) as callers:
        commands = callers.map(by_commands, range(CALLERS))
        requests = callers.map(by_requests, range(CALLERS))
        written = {tag for tags in (*commands, *requests) for tag in tags}

    assert len(written) == CALLERS * 11 * OF_EACH
    assert set(tags_of(service, tmp_path)) == before | written

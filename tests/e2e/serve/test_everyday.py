"""docs/everyday.md is done as it stands, line by line, beside `make serve`."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.command_line import command
from tests.e2e.serve.serving import Serving, environment, serving

PAGE: Final = (Path(__file__).parents[3] / "docs" / "everyday.md").read_text("utf-8")
LINES: Final = [
    line
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
ENDS_WITH: Final = {
    "auth-jwt lint": 1,  # the sample rows have such ones on purpose
    "auth-jwt diff before.jsonl": 3,  # they differ
    "auth-jwt why alice --log-file serve.log": 0,
    "token explain --token-file -": 1,  # it is revoked by then
}
"""How the commands end that do not end with 0, by what their line ends with."""
SECONDS: Final = 60


def tasks() -> dict[str, list[tuple[str, list[str]]]]:
    """Return each task with its commands, and what the page shows of each one's output."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for line in LINES:
        if line.startswith("# "):
            found[line] = []
        elif line.startswith("$ "):
            found[[*found][-1]].append((line[2:], []))
        else:
            found[[*found][-1]][-1][1].append(line)
    return found


@pytest.fixture(name="served", scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    log = tmp_path_factory.mktemp("everyday") / "serve.log"
    with serving(log, REVOCATIONS_TABLE="jwt_revocations") as served:
        yield served


def test_there_are_thirty_tasks() -> None:
    assert [re.match(r"# (\d+)\. .+[.?:]$", task)[1] for task in tasks()] == [str(n + 1) for n in range(30)]  # type: ignore[index]
    assert all(tasks().values())


def test_every_task_is_done_by_its_commands(served: Serving) -> None:
    """In one folder, in the order of the page: a later task stands on the earlier ones."""
    folder = served.log.parent
    pasted = "\n".join(line for line in served.shell.splitlines() if line.startswith(("export ", "unset ")))
    variables = {**environment(HOME=str(folder)), "COLUMNS": "100"}
    variables["PATH"] = f"{command().parent}:{variables['PATH']}"

    for task, commands in tasks().items():
        for line, shown in commands:
            here = line.replace("127.0.0.1:8080", f"127.0.0.1:{served.port}")
            ended = subprocess.run(
                ["bash", "-o", "pipefail", "-c", f"{pasted}\n{here}"],
                cwd=folder,
                env=variables,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            expected = next((code for end, code in ENDS_WITH.items() if line.endswith(end)), 0)
            assert ended.returncode == expected, f"{task}\n$ {line}\n{ended.stdout}{ended.stderr}"
            assert not shown or ended.stdout.splitlines() == shown, f"{task}\n$ {line}"

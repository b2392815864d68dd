"""The prepared command is to whoever starts it what the installed command is."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.factories import HMAC_KEY
from tests.prepared_command import INSTALLED, prepared_command


@pytest.mark.parametrize(
    ("arguments", "given", "exit_code"),
    [
        pytest.param(("key", "fingerprint", "--secret-file", "-"), HMAC_KEY, 0, id="standard input and output"),
        pytest.param(("key", "fingerprint", "--secret-file", "here"), "", 0, id="a file of the folder it is in"),
        pytest.param(("no-such-command",), "", 2, id="standard error"),
    ],
)
def test_it_shows_and_ends_as_the_installed_command_does(
    tmp_path: Path, arguments: tuple[str, ...], given: str, exit_code: int
) -> None:
    (tmp_path / "here").write_text(HMAC_KEY[::-1])
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    prepared, installed = (
        subprocess.run(
            [command, *arguments], input=given, env=variables, cwd=tmp_path,
            capture_output=True, text=True, timeout=60, check=False,
        )
        for command in (prepared_command(), INSTALLED)
    )  # fmt: skip

    assert prepared.returncode == installed.returncode == exit_code
    assert (prepared.stdout, prepared.stderr) == (installed.stdout, installed.stderr)
    assert prepared.stdout + prepared.stderr

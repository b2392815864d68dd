"""The walk through docs/issuers.md, run word for word: as an operator would, in one shell, from empty tables on.

The provider is a real one, and the keys are fetched for real. The first step, `make deploy`, is `make serve` here; the
phone that registers has tests of its own: tests/e2e/sip/test_softphone_provider.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from tests.certificates import Authority
from tests.e2e.issuers.provider import a_provider
from tests.e2e.serve.serving import environment, serving
from tests.moto_server import a_moto_server
from tools.events.stage import REGION, create_tables, template
from tools.provider.process import FOLDER

ROOT: Final = Path(__file__).parents[3]
SECTION: Final = "From an empty stack to a login"
API_KEY: Final = "the key of this walk, and of no other"
SECONDS: Final = 120
_BLOCK = re.compile(r"^```sh\n(.+?)^```$", re.MULTILINE | re.DOTALL)
_ASKED = re.compile(r'^ask \S+ # "code":(-?\d)$', re.MULTILINE)


def script() -> str:
    """All the commands of the section, as they stand there."""
    page = (ROOT / "docs" / "issuers.md").read_text("utf-8")
    section = page.partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    return "".join(_BLOCK.findall(section))


@pytest.mark.skipif(shutil.which("node") is None or not (FOLDER / "node_modules").is_dir(), reason="no oidc-provider")
def test_the_walk_goes_as_it_is_told(tmp_path: Path) -> None:
    authority, log = Authority(tmp_path / "authority"), tmp_path / "service.log"
    keys: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    with (
        a_moto_server() as tables,
        a_provider(authority.identity_file(), authority.certificate, tmp_path / "provider.log") as provider,
    ):
        create_tables(boto3.client("dynamodb", region_name=REGION, endpoint_url=tables, **keys), template())
        settings = {
            "ISSUERS": provider.issuer,
            "KEYS_CA_BUNDLE": str(authority.certificate),
            "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8",
            "DB_URL": f"dynamodb+{tables}/{REGION}",
            "CACHE_TTL_SECONDS": "0",
        }
        tokens = provider.log_in("alice")
        (tmp_path / "alice.token").write_text(tokens.access)
        (tmp_path / "alice.id-token").write_text(tokens.id)
        with serving(log, API_KEY=API_KEY, **settings) as service:
            shell = environment(
                **settings,
                AWS_ACCESS_KEY_ID="testing",
                AWS_SECRET_ACCESS_KEY="testing",
                AWS_REGION=REGION,
                PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                AUTH_JWT_AUDIT_LOG=str(tmp_path / "audit.log"),
                ISSUER=provider.issuer,
                URL=f"{service.url}/authorize",
                KEY=API_KEY,
            )
            walk = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script()],
                cwd=tmp_path,
                env=shell,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )

    assert walk.returncode == 0, f"{walk.stdout}\n{walk.stderr}"
    answers = [json.loads(line)["code"] for line in walk.stdout.splitlines() if line.startswith('{"')]
    assert answers == [int(code) for code in _ASKED.findall(script())]
    assert len(answers) > 3
    audit = [json.loads(line)["audit"] for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert audit == [
        *("issuer.add", "issuer.refresh", "profile.create", "profile.disable", "profile.enable"),
        *("issuer.disable", "issuer.enable"),
    ]
    said = walk.stdout + walk.stderr + log.read_text() + (tmp_path / "audit.log").read_text()
    assert tokens.access not in said

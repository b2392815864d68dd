"""The walk through docs/operations.md, run word for word: as an operator would, in one shell, from top to bottom."""

import json
import logging
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.migration.servers import PASSWORD, Server, mariadb
from tests.e2e.serve.serving import environment, serving
from tests.factories import HMAC_KEY
from tools.events.stage import REGION, REVOCATIONS, create_tables, lambda_environment, template

ROOT: Final = Path(__file__).parents[3]
SECTION: Final = "From the first user to a revoked token"
API_KEY: Final = "the key of this walk, and of no other"
SECONDS: Final = 120
_BLOCK = re.compile(r"^```sh\n(.+?)^```$", re.MULTILINE | re.DOTALL)
_ASKED = re.compile(r'^ask \S+ # "code":(-?\d)$', re.MULTILINE)


def script() -> str:
    """All the commands of the section, as they stand there."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    section = page.partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    return "".join(_BLOCK.findall(section))


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[dict[str, str]]:
    """The variables by which everybody finds AWS, played by moto: the template's tables, and a function's settings."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or it reports each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    forget(endpoint)  # what other tests of this process left
    stack = template()
    settings = lambda_environment(stack, {"REVOCATIONS_TABLE": REVOCATIONS, "CACHE_TTL_SECONDS": "0"})
    aws = {name: value for name, value in settings.items() if name.startswith("AWS_")}
    options: Any = {
        "region_name": REGION,
        "endpoint_url": endpoint,
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    dynamodb = boto3.client("dynamodb", **options)
    create_tables(dynamodb, stack)
    dynamodb.update_time_to_live(
        TableName=REVOCATIONS, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    role = boto3.client("iam", **options).create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")
    boto3.client("lambda", **options).create_function(
        FunctionName="authorize",
        Role=role["Role"]["Arn"],
        Runtime="python3.13",
        Handler="app.lambda_handler",
        Code={"ZipFile": b"not run here"},
        Environment={"Variables": {name: settings[name] for name in settings if not name.startswith("AWS_")}},
    )
    yield {**aws, "AWS_ENDPOINT_URL": endpoint}
    forget(endpoint)
    server.stop()


def forget(endpoint: str) -> None:
    """Have moto forget everything: its memory is the process's, whichever server asks."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()


@pytest.fixture(name="opensips", scope="module")
def _opensips() -> Iterator[Server]:
    """The database of an OpenSIPS, with the module's tables (scripts/mysql/auth_jwt-create.sql) and one user."""
    with mariadb() as server:
        server.execute(
            "CREATE TABLE jwt_profiles (id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,"
            " tag CHAR(128) NOT NULL, sip_username CHAR(128) NOT NULL)",
            "CREATE TABLE jwt_secrets (id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,"
            " corresponding_tag CHAR(128) NOT NULL, secret TEXT NOT NULL, start_ts INT NOT NULL, end_ts INT NOT NULL)",
        )
        server.execute(
            rows={"jwt_profiles": [(1, "bob-desk", "bob")], "jwt_secrets": [(1, "bob-desk", HMAC_KEY, 1, 2**31 - 1)]}
        )
        yield server


def test_the_walk_goes_as_it_is_told(aws: dict[str, str], opensips: Server, tmp_path: Path) -> None:
    address = aws["AWS_ENDPOINT_URL"].removeprefix("http://")
    service = {
        "API_KEY": API_KEY,
        "DB_URL": f"dynamodb+http://{address}/{REGION}",
        "REVOCATIONS_TABLE": REVOCATIONS,
        "CACHE_TTL_SECONDS": "0",
    }
    (tmp_path / "opensips.password").write_bytes(opensips.password_file.read_bytes())
    with serving(tmp_path / "service.log", **service) as api:
        shell = environment(
            **aws,
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            AUTH_JWT_FUNCTION="authorize",
            AUTH_JWT_AUDIT_LOG=str(tmp_path / "audit.log"),
            URL=f"{api.url}/authorize",
            KEY=API_KEY,
            OPENSIPS=opensips.url,
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
    answers = [json.loads(line)["code"] for line in walk.stdout.splitlines() if line.startswith("{")]
    assert answers == [int(code) for code in _ASKED.findall(script())]
    audit = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert [entry["audit"] for entry in audit] == [
        *("profile.create", "token.mint", "secret.rotate", "token.mint", "secret.close"),
        *("token.revoke", "token.lift", "token.revoke_all"),
        *("profile.disable", "profile.enable", "profile.delete"),
        *("profile.import", "secret.import", "import", "token.mint"),
    ]
    values = [(tmp_path / name).read_text().strip() for name in ("alice.secret", "alice.secret.new")]
    values += [(tmp_path / name).read_text().strip() for name in ("alice.token", "alice.token.new", "bob.token")]
    log = (tmp_path / "service.log").read_text() + (tmp_path / "audit.log").read_text() + walk.stdout + walk.stderr
    assert not any(value in log for value in (*values, PASSWORD, HMAC_KEY))

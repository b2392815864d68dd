"""The built function rotates a secret, and the built service takes what the issuer then signs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.core.config import default_user_config

from tests.e2e.artifact.built import Artifact
from tests.e2e.artifact.conftest import Run
from tests.e2e.artifact.deployed import ACCOUNT, deployed
from tests.e2e.artifact.emulator import emulated
from tests.factories import HMAC_KEY, a_token
from tests.integration.managed_secrets import a_begun_rotation, a_function, a_secret, manager, members_of, rows_of
from tests.rotations import STEPS, row_of
from tools.events.stage import environment

TAG = "alice-web"


@pytest.fixture(name="endpoint")
def _endpoint(db_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Secrets Manager, where DynamoDB is; its functions are called by nobody but the test."""
    endpoint = db_url.removeprefix("dynamodb+").rpartition("/")[0]
    monkeypatch.setitem(default_user_config, "lambda", {"use_docker": False})
    with environment({**ACCOUNT, "AWS_ENDPOINT_URL": endpoint}):
        manager.cache_clear()
        yield endpoint
        manager.cache_clear()


def test_the_built_function_rotates_and_the_built_service_takes_the_new_secret(
    native: Artifact, run: Run, endpoint: str, db_url: str, tmp_path: Path
) -> None:
    """What it loads is in the layer; and its first step may be its first answer."""
    arn = a_secret(TAG)
    version = a_begun_rotation(arn, a_function())
    built = deployed(native, "rotate_secrets", {"ROTATED_TAG": TAG, "DB_URL": db_url})
    function = replace(built, environment={**built.environment, "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint})

    with emulated(function, tmp_path) as emulator:
        for step in STEPS:
            event = {"Step": step, "SecretId": arn, "ClientRequestToken": version}
            answer = emulator.ask(json.dumps(event).encode())
            assert (answer.raised, answer.given) == (None, None)
            assert answer.record["step"] == step
        answer = emulator.ask(b'{"Step": "dropSecret"}')
        assert answer.raised is not None
        assert answer.raised.startswith("UnknownEvent: ")

    value = members_of(arn)["secret"]
    assert value != HMAC_KEY
    assert rows_of(boto3.client("dynamodb"), TAG)[row_of(version, arn)][0] == value
    with run("authorize", {}) as service:
        event = {"jwt_token": a_token(key=value, tag=TAG)}
        assert service.ask(json.dumps(event).encode()).member("sip_username") is not None

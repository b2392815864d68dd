"""The port to versions of a secret, over answers of Secrets Manager."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from auth_jwt.errors import Fault
from auth_jwt.provisioning.secrets_manager import SecretsManager, secrets_manager_client
from auth_jwt.provisioning.versions import CURRENT

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CALLS: dict[str, Callable[[SecretsManager], object]] = {
    "DescribeSecret": lambda versions: versions.describe("arn"),
    "GetSecretValue": lambda versions: versions.value_of("arn", "v" * 32),
    "PutSecretValue": lambda versions: versions.put_pending("arn", "v" * 32, "text"),
    "UpdateSecretVersionStage": lambda versions: versions.make_current("arn", "v" * 32, instead_of=None),
}
METHODS = {
    "DescribeSecret": "describe_secret",
    "GetSecretValue": "get_secret_value",
    "PutSecretValue": "put_secret_value",
    "UpdateSecretVersionStage": "update_secret_version_stage",
}


@pytest.fixture(name="client")
def _client() -> "SecretsManagerClient":
    return boto3.client("secretsmanager", "eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture(name="stub")
def _stub(client: "SecretsManagerClient") -> Stubber:
    """What answers that client, instead of a network."""
    return Stubber(client)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_is_refused_is_named_as_policies_name_it(
    call: str, client: "SecretsManagerClient", stub: Stubber
) -> None:
    stub.add_client_error(METHODS[call], "AccessDeniedException", http_status_code=400)

    with stub, pytest.raises(Fault, match=f"secretsmanager:{call} is refused: AccessDeniedException"):
        CALLS[call](SecretsManager(client))


def test_a_secret_of_which_only_the_name_is_told_is_not_rotated_and_has_no_versions(
    client: "SecretsManagerClient", stub: Stubber
) -> None:
    stub.add_response("describe_secret", {"ARN": "arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf"})

    with stub:
        described = SecretsManager(client).describe("a")

    assert (described.is_rotated, described.rotation_days, described.stages) == (False, None, {})


@pytest.mark.parametrize("replaced", ["o" * 32, None])
def test_a_version_becomes_current_in_place_of_another_or_of_none(
    replaced: str | None, client: "SecretsManagerClient", stub: Stubber
) -> None:
    others = {} if replaced is None else {"RemoveFromVersionId": replaced}
    asked = {"SecretId": "arn", "VersionStage": CURRENT, "MoveToVersionId": "v" * 32, **others}
    stub.add_response("update_secret_version_stage", {}, asked)

    with stub:
        SecretsManager(client).make_current("arn", "v" * 32, instead_of=replaced)

    stub.assert_no_pending_responses()


def test_all_attempts_of_a_call_end_while_a_step_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of rotation has a minute; a step makes few calls, and seldom does more than one of them hang."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    config = secrets_manager_client().meta.config
    retries: dict[str, object] = config.retries  # type: ignore[attr-defined]

    assert int(str(retries["total_max_attempts"])) * (config.connect_timeout + config.read_timeout) < 60  # type: ignore[attr-defined]
    assert retries["mode"] == "standard"

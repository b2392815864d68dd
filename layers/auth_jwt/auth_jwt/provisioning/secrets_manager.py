"""The port of `versions` over AWS Secrets Manager, by boto3."""

from typing import TYPE_CHECKING

from auth_jwt.aws.failures import known_outcome, sdk_errors, translated_errors
from auth_jwt.aws.sdk_guard import guard
from auth_jwt.provisioning.versions import CURRENT, PENDING, ManagedSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretsManager:
    """The port `VersionsStore` over AWS Secrets Manager.

    Args:
        client: boto3's client for Secrets Manager.
    """

    def __init__(self, client: "SecretsManagerClient") -> None:
        guard(client)
        self._client = client

    def describe(self, secret_id: str) -> ManagedSecret:
        """Describe a secret; see `VersionsStore`."""
        with translated_errors("secretsmanager:DescribeSecret"), sdk_errors():
            answer = self._client.describe_secret(SecretId=secret_id)
        return ManagedSecret(
            arn=answer["ARN"],
            is_rotated=answer.get("RotationEnabled", False),
            rotation_days=answer.get("RotationRules", {}).get("AutomaticallyAfterDays"),
            stages={version: frozenset(stages) for version, stages in answer.get("VersionIdsToStages", {}).items()},
        )

    def value_of(self, arn: str, version: str) -> str | None:
        """Return the text of a version; see `VersionsStore`."""
        with translated_errors("secretsmanager:GetSecretValue"), sdk_errors():
            try:
                answer = self._client.get_secret_value(SecretId=arn, VersionId=version)
            except self._client.exceptions.ResourceNotFoundException:
                return None
        return answer.get("SecretString")

    def put_pending(self, arn: str, version: str, value: str) -> bool:
        """Give a version its value; see `VersionsStore`."""
        with known_outcome(), translated_errors("secretsmanager:PutSecretValue"), sdk_errors():
            try:
                self._client.put_secret_value(
                    SecretId=arn, ClientRequestToken=version, SecretString=value, VersionStages=[PENDING]
                )
            except self._client.exceptions.ResourceExistsException:
                return False
        return True

    def make_current(self, arn: str, version: str, *, instead_of: str | None) -> None:
        """Make a version the current one; see `VersionsStore`."""
        others = {} if instead_of is None else {"RemoveFromVersionId": instead_of}
        with known_outcome(), translated_errors("secretsmanager:UpdateSecretVersionStage"), sdk_errors():
            self._client.update_secret_version_stage(
                SecretId=arn, VersionStage=CURRENT, MoveToVersionId=version, **others
            )


def secrets_manager_client() -> "SecretsManagerClient":
    """Make boto3's client for Secrets Manager in the function's own region.

    Raises:
        Fault: the SDK's configuration is invalid; the region is missing, for example.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    made: SecretsManagerClient = sdk_client("secretsmanager", config)
    return made

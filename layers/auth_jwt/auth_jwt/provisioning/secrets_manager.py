"""A secret in AWS Secrets Manager: its versions, and the stages that label them.

Exactly one version has the stage `AWSCURRENT`: readers get it. One may have `AWSPENDING`: it is about to become
current. The version that was current before has `AWSPREVIOUS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from auth_jwt.aws.failures import sdk_errors, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
PREVIOUS: Final = "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class ManagedSecret:
    """The description of a secret, without its value.

    Attributes:
        arn: its unique name: it ends in six characters that differ from those of a later secret of the same name.
        is_rotated: whether rotation is switched on.
        rotation_days: days from one rotation to the next; None if a schedule expression sets the times.
        stages: the stages of each version that has any.
    """

    arn: str
    is_rotated: bool
    rotation_days: int | None
    stages: Mapping[str, frozenset[str]]

    def version_at(self, stage: str) -> str | None:
        """Return the version with this *stage*, or None if there is none."""
        return next((version for version, stages in self.stages.items() if stage in stages), None)


class VersionsStore(Protocol):
    """The port to secrets with versions; rotation uses it.

    Every method raises `Unreachable` when there is no answer: a write may then have happened or not. It raises `Fault`
    when a retry cannot help.
    """

    def describe(self, secret_id: str) -> ManagedSecret:
        """Describe a secret; *secret_id* is its name or ARN."""
        ...

    def value_of(self, arn: str, version: str) -> str | None:
        """Return the text of a version; None if it has no text, or none yet."""
        ...

    def put_pending(self, arn: str, version: str, value: str) -> bool:
        """Write the *value* of a version and make it pending; return False if it has another value, which it keeps."""
        ...

    def make_current(self, arn: str, version: str, *, instead_of: str | None) -> None:
        """Make a pending version the current one, in place of the version *instead_of*."""
        ...


class SecretsManager:
    """The port `VersionsStore` over AWS Secrets Manager.

    Args:
        client: boto3's client for Secrets Manager.
    """

    def __init__(self, client: "SecretsManagerClient") -> None:
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
        with translated_errors("secretsmanager:PutSecretValue"), sdk_errors():
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
        with translated_errors("secretsmanager:UpdateSecretVersionStage"), sdk_errors():
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

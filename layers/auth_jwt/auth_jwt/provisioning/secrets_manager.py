"""A secret in AWS Secrets Manager: its versions, and the stages by which others ask for them.

Exactly one version is `AWSCURRENT`, what readers get. One may be `AWSPENDING`, about to become it, and the one that was
current before is `AWSPREVIOUS`.
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
    """What is known of a secret without its value.

    Attributes:
        arn: its name among all secrets, ever: it ends in six characters that a secret of the same name has not.
        is_rotated: whether rotation is switched on.
        rotation_days: days from one rotation to the next; None where a schedule says it otherwise.
        stages: of each version that has any.
    """

    arn: str
    is_rotated: bool
    rotation_days: int | None
    stages: Mapping[str, frozenset[str]]

    def version_at(self, stage: str) -> str | None:
        """Return the version of that *stage*."""
        return next((version for version, stages in self.stages.items() if stage in stages), None)


class VersionsStore(Protocol):
    """Secrets with versions, for whoever rotates them.

    All of it raises `Unreachable` where there is no answer (whether a write happened is then unknown) and `Fault` where
    asking is of no use.
    """

    def describe(self, secret_id: str) -> ManagedSecret:
        """Return what is known of a secret, by its name or ARN."""
        ...

    def value_of(self, arn: str, version: str) -> str | None:
        """Return the text of a version, None if it has none, or none yet."""
        ...

    def put_pending(self, arn: str, version: str, value: str) -> bool:
        """Give a version its *value* and make it pending; False if it has another already, which it keeps."""
        ...

    def make_current(self, arn: str, version: str, *, instead_of: str | None) -> None:
        """Make a version the current one, which is then no longer pending, in place of the one that is."""
        ...


class SecretsManager:
    """The port `VersionsStore` over AWS Secrets Manager.

    Args:
        client: boto3's client for it.
    """

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client

    def describe(self, secret_id: str) -> ManagedSecret:
        """Return what is known of a secret; see `VersionsStore`."""
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
    """Make boto3's client for the function's own region.

    Raises:
        Fault: the SDK refuses its own configuration: no region, say.
    """
    from botocore.config import Config

    from auth_jwt.aws.sdk import sdk_client

    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})
    made: SecretsManagerClient = sdk_client("secretsmanager", config)
    return made

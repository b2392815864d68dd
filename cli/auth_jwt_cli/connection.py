"""What a command works on: settings, a client for the tables, who is at work, and where that is written down.

The environment of the process is read here, and nowhere else.
"""

import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from auth_jwt.errors import Fault
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.audit_log import AuditLog, usual_path
from auth_jwt_cli.output import Misused, Output
from auth_jwt_cli.sources import FunctionConfiguration, from_file, from_function, only_settings, pair_of, region_of
from auth_jwt_cli.times import shown_duration

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

_STS_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which tables, as the command line names them.

    Attributes:
        function: a deployed function whose settings count.
        env_file: a file of settings, likewise.
        given: `NAME=VALUE`, each a setting put over the others.
        region: AWS region.
        profile: of the AWS configuration.
        audit_log: where writes are noted; None is the usual place.
    """

    function: str | None = None
    env_file: Path | None = None
    given: tuple[str, ...] = ()
    region: str | None = None
    profile: str | None = None
    audit_log: Path | None = None

    @property
    def names_source(self) -> bool:
        """Whether settings are asked for elsewhere than in the environment."""
        return self.function is not None or self.env_file is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The options by which another command finds the same tables."""
        named = (
            ("--function", self.function),
            ("--env-file", self.env_file),
            *(("--set", setting) for setting in self.given),
            ("--region", self.region),
            ("--profile", self.profile),
        )
        return tuple(word for option, value in named if value is not None for word in (option, str(value)))


class Connection:
    """Everything that a command needs, made when it is first needed.

    Args:
        where: which tables.
        output: where the command writes.
        environment: of the process.
    """

    def __init__(self, where: Where, output: Output, environment: Mapping[str, str] | None = None) -> None:
        self.where = where
        self.output = output
        self._environment = os.environ if environment is None else environment

    @cached_property
    def source(self) -> FunctionConfiguration:
        """What the source of settings tells.

        Raises:
            Misused: two sources are named, or the file cannot be read.
            Fault: the function cannot be asked.
        """
        where = self.where
        if where.function is not None and where.env_file is not None:
            raise Misused("--function and --env-file name two sources of settings: one is needed")
        if where.function is not None:
            return from_function(where.function, self.aws)
        if where.env_file is not None:
            return from_file(where.env_file)
        return FunctionConfiguration(self._environment)

    @cached_property
    def configuration(self) -> FunctionConfiguration:
        """The variables that the service has, and what else is known of it.

        Raises:
            Misused: as `source`, or there is no such setting.
            Fault: the function cannot be asked.
        """
        given = dict(pair_of(text) for text in self.where.given)
        unknown = sorted(given.keys() - only_settings(given).keys())
        if unknown:
            raise Misused(f"no such setting: {', '.join(unknown)}")
        return replace(self.source, variables={**self.source.variables, **given})

    @cached_property
    def settings(self) -> Settings:
        """The service's settings.

        Raises:
            BadSetting: one cannot be.
        """
        return Settings.from_env(self.configuration.variables)

    @cached_property
    def aws(self) -> "boto3.Session":
        """What all clients are made of."""
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            return boto3.Session(profile_name=self.where.profile, region_name=self.where.region)
        except BotoCoreError as error:
            raise Fault(f"the AWS configuration cannot be used: {error}") from None

    @cached_property
    def client(self) -> "DynamoDBClient":
        """The client for DynamoDB."""
        database = self.settings.database
        return provisioning_client(region=self.region, endpoint=database.endpoint, session=self.aws)

    @property
    def region(self) -> str | None:
        """The region of the tables; None leaves it to the SDK."""
        return self.settings.database.region or self.where.region or region_of(self.where.function)

    @cached_property
    def reading(self) -> Provisioning:
        """Provisioning, for commands that write nothing."""
        return provisioning_of(self.settings, self.client, actor=_user(), audit=_nothing_to_note)

    @cached_property
    def writing(self) -> Provisioning:
        """Provisioning, for commands that write; the audit is open before they do.

        Raises:
            Fault: the audit cannot be written.
        """
        return provisioning_of(self.settings, self.client, actor=self.actor, audit=self.audit)

    @cached_property
    def audit(self) -> AuditLog:
        """Where every write is noted.

        Raises:
            Fault: that cannot be written.
        """
        named = self._environment.get("AUTH_JWT_AUDIT_LOG")
        return AuditLog(self.where.audit_log or (Path(named) if named else usual_path(self._environment)))

    @property
    def last_write(self) -> AuditEntry | None:
        """What was noted of the last write; None where there was none, and surely none."""
        return self.audit.last if "audit" in self.__dict__ else None

    @cached_property
    def actor(self) -> str:
        """Who is at work: the user here, and the IAM principal where AWS says it."""
        arn = self._arn()
        return f"{arn} ({_user()})" if arn else _user()

    def tell_when_it_works(self, *, at_once: str | None = None) -> None:
        """Say from when on a write is seen by the service.

        Args:
            at_once: what of it works at once, if anything does.
        """
        ttl, stale = self.settings.cache_ttl, self.settings.stale_if_error
        later = "at once" if not ttl else f"within {shown_duration(ttl)} (CACHE_TTL_SECONDS)"
        if ttl and stale:
            later += f", up to {shown_duration(stale)} (STALE_IF_ERROR_SECONDS) more while DynamoDB cannot be reached"
        self.output.note(f"{at_once} works at once; what ends, ends {later}." if at_once else f"It works {later}.")

    def _arn(self) -> str | None:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        if self.settings.database.endpoint is not None:
            return None  # a stand-in for DynamoDB has no IAM
        config = Config(connect_timeout=_STS_SECONDS, read_timeout=_STS_SECONDS, retries={"total_max_attempts": 1})
        try:
            return self.aws.client("sts", region_name=self.region, config=config).get_caller_identity()["Arn"]
        except (BotoCoreError, ClientError, ValueError):
            return None


def _user() -> str:
    """Return `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an id without a name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _nothing_to_note(entry: AuditEntry) -> None:
    raise Fault(f"{entry.action} was written by a command that only reads")

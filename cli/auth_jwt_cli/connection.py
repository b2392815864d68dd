"""What a command works on: the settings, a client for the tables, the user, and the audit log.

Only this module reads the environment of the process.
"""

import getpass
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from auth_jwt.aws.failures import Refused, configuration_errors, sdk_errors
from auth_jwt.errors import Fault
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of
from auth_jwt.runtime.settings import REFRESH_DEFAULTS, RefreshSettings, Settings
from auth_jwt_cli.audit_log import AuditLog, usual_path
from auth_jwt_cli.output import Misused, Output
from auth_jwt_cli.sources import FunctionConfiguration, from_file, from_function, only_settings, pair_of, region_of
from auth_jwt_cli.times import format_duration

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

    from auth_jwt.fetching.client import IssuerClient
    from auth_jwt.refreshing.refresher import Refresher

_STS_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The options that select the tables and the audit file.

    Attributes:
        function: a deployed function; its settings are used.
        env_file: a file of settings to use.
        given: settings that override the others, each as `NAME=VALUE`.
        region: AWS region.
        profile: profile of the AWS configuration.
        audit_log: the audit file; None means the default one.
    """

    function: str | None = None
    env_file: Path | None = None
    given: tuple[str, ...] = ()
    region: str | None = None
    profile: str | None = None
    audit_log: Path | None = None

    @property
    def names_source(self) -> bool:
        """Whether the settings come from elsewhere than the environment."""
        return self.function is not None or self.env_file is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The options with which another command finds the same tables."""
        named = (
            ("--function", self.function),
            ("--env-file", self.env_file),
            *(("--set", setting) for setting in self.given),
            ("--region", self.region),
            ("--profile", self.profile),
        )
        return tuple(word for option, value in named if value is not None for word in (option, str(value)))


class Connection:
    """Everything that a command needs; each part is made on first use.

    Args:
        where: the options that select the tables.
        output: where the command writes its results.
        environment: the environment to read; None means that of the process.
    """

    def __init__(self, where: Where, output: Output, environment: Mapping[str, str] | None = None) -> None:
        self.where = where
        self.output = output
        self._environment = os.environ if environment is None else environment

    @cached_property
    def source(self) -> FunctionConfiguration:
        """The configuration from the selected source, without `--set`.

        Raises:
            Misused: two sources are named, or the file cannot be read.
            Fault: Lambda does not return the function's configuration.
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
        """The configuration of the service, with the settings of `--set`.

        Raises:
            Misused: as in `source`, or `--set` names an unknown setting.
            Fault: Lambda does not return the function's configuration.
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
            BadSetting: a setting has an invalid value.
        """
        return Settings.from_env(self.configuration.variables)

    @cached_property
    def aws(self) -> "boto3.Session":
        """The AWS session that makes all clients.

        Raises:
            Fault: the AWS configuration is unusable.
        """
        import boto3

        with configuration_errors("the AWS configuration cannot be used"):
            return boto3.Session(profile_name=self.where.profile, region_name=self.where.region)

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
        return provisioning_of(self.settings, self.client, actor=_user(), audit=_reject_write)

    @cached_property
    def writing(self) -> Provisioning:
        """Provisioning, for commands that write. The audit file is open before the first write.

        Raises:
            Fault: the audit file cannot be written.
        """
        return provisioning_of(self.settings, self.client, actor=self.actor, audit=self.audit)

    @cached_property
    def refresh_settings(self) -> RefreshSettings:
        """The settings by which keys are fetched from here: this environment's, or those of the file of settings.

        Those of a deployed function name files of that function, and networks that it is in.

        Raises:
            BadSetting: a setting has an invalid value.
        """
        told = self._environment if self.where.function is not None else self.source.variables
        named = {**told, **self._environment}
        return RefreshSettings.from_env({name: value for name, value in named.items() if name in REFRESH_DEFAULTS})

    @cached_property
    def fetcher(self) -> "IssuerClient":
        """The client that asks issuers, for commands that write nothing."""
        from auth_jwt.refreshing.wiring import client_of

        return client_of(self.refresh_settings)

    @cached_property
    def refresher(self) -> "Refresher":
        """What fetches the keys of issuers and writes them. The audit file is open before the first write.

        Raises:
            Fault: the audit file cannot be written.
        """
        from auth_jwt.refreshing.wiring import refresher_of

        return refresher_of(self.settings, self.refresh_settings, self.client, actor=self.actor, audit=self.audit)

    @cached_property
    def audit(self) -> AuditLog:
        """The audit file.

        Raises:
            Fault: it cannot be written.
        """
        named = self._environment.get("AUTH_JWT_AUDIT_LOG")
        return AuditLog(self.where.audit_log or (Path(named) if named else usual_path(self._environment)))

    @property
    def last_write(self) -> AuditEntry | None:
        """The audit entry of the last write; None if certainly nothing was written."""
        return self.audit.last if "audit" in self.__dict__ else None

    @cached_property
    def actor(self) -> str:
        """Who runs the command: the local user, and the IAM principal if AWS tells it."""
        arn = self._arn()
        return f"{arn} ({_user()})" if arn else _user()

    def tell_when_it_works(self, *, at_once: str | None = None) -> None:
        """Tell when the write takes effect in the service.

        Args:
            at_once: the part of the write that works at once; None if no part does.
        """
        ttl, stale = self.settings.cache_ttl, self.settings.stale_if_error
        later = "at once" if not ttl else f"within {format_duration(ttl)} (CACHE_TTL_SECONDS)"
        if ttl and stale:
            later += f", up to {format_duration(stale)} (STALE_IF_ERROR_SECONDS) more while DynamoDB cannot be reached"
        self.output.note(f"{at_once} works at once; what ends, ends {later}." if at_once else f"It works {later}.")

    def _arn(self) -> str | None:
        from botocore.config import Config

        from auth_jwt.aws.sdk import sdk_client

        if self.settings.database.endpoint is not None:
            return None  # a stand-in for DynamoDB has no IAM
        config = Config(connect_timeout=_STS_SECONDS, read_timeout=_STS_SECONDS, retries={"total_max_attempts": 1})
        session = self.aws
        try:
            client = sdk_client("sts", config, session=session, region=self.region)
            with sdk_errors():
                arn: str = client.get_caller_identity()["Arn"]
        except (Refused, Fault):  # the audit entry then names the local user only
            return None
        return arn


def _user() -> str:
    """Return `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user id has no name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _reject_write(entry: AuditEntry) -> None:
    raise Fault(f"a command that should only read has written: {entry.action}")

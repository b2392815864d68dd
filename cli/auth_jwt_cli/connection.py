"""What a command works on: the settings, a client for the tables, the user, and the audit log.

Only this module reads the environment of the process. What selects the tables is looked for in this order: an option,
the context, the environment. So an option always counts more than a context, and a context that somebody names more
than a variable that an earlier command left behind.
"""

import getpass
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from auth_jwt.aws.failures import Caller, configuration_errors, remedy_of, sdk_errors, translated_errors
from auth_jwt.errors import AuthJwtError, Fault
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.audit import AuditEntry, AuditTarget
from auth_jwt.provisioning.rehearsal import RehearsedTables
from auth_jwt.provisioning.tables import provisioning_client
from auth_jwt.provisioning.wiring import provisioning_of, tables_of
from auth_jwt.runtime.settings import REFRESH_DEFAULTS, RefreshSettings, Settings
from auth_jwt_cli import contexts
from auth_jwt_cli.audit_log import AuditLog, usual_path
from auth_jwt_cli.contexts import Context, Contexts, nearest
from auth_jwt_cli.output import Misused, Output, Place
from auth_jwt_cli.sources import (
    SETTINGS,
    FunctionConfiguration,
    from_file,
    from_function,
    only_settings,
    pair_of,
    region_of,
)
from auth_jwt_cli.times import format_duration

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient

    from auth_jwt.fetching.client import IssuerClient
    from auth_jwt.refreshing.refresher import Refresher

_STS_SECONDS: Final = 2
_AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_VARIABLES: Final = {
    "function": "AUTH_JWT_FUNCTION",
    "env_file": "AUTH_JWT_ENV_FILE",
    "audit_log": "AUTH_JWT_AUDIT_LOG",
    "stack": "AUTH_JWT_STACK",
    "context": "AUTH_JWT_CONTEXT",
}
_SOURCES: Final = ("AUTH_JWT_FUNCTION", "AUTH_JWT_ENV_FILE", "AUTH_JWT_STACK")
_CHOICES: Final = ("function", "env_file", "region", "profile", "audit_log", "stack")


class Origin(StrEnum):
    """Where something that selects the tables comes from."""

    OPTION = "option"
    CONTEXT = "context"
    ENVIRONMENT = "environment"
    FUNCTION = "function's configuration"
    FILE = "file of settings"
    AWS = "AWS configuration"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The options that select the tables and the audit file.

    Attributes:
        context: the name of a context; None leaves it to the environment and the file, an empty text means none.
        function: a deployed function; its settings are used.
        env_file: a file of settings to use.
        given: settings that override the others, each as `NAME=VALUE`.
        region: AWS region.
        profile: profile of the AWS configuration.
        audit_log: the audit file; None means the default one.
        stack: the deployed stack.
        origins: where each of them comes from, by its name; what is not in it is an option.
        of_context: how many of `given` are the context's; they come first.
    """

    context: str | None = None
    function: str | None = None
    env_file: Path | None = None
    given: tuple[str, ...] = ()
    region: str | None = None
    profile: str | None = None
    audit_log: Path | None = None
    stack: str | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    of_context: int = 0

    @property
    def names_source(self) -> bool:
        """Whether the settings come from elsewhere than the environment."""
        return self.function is not None or self.env_file is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The options with which another command finds the same tables."""
        named = (
            ("context", "--context", self.context or None),
            ("function", "--function", self.function),
            ("env_file", "--env-file", self.env_file),
            *(("", "--set", setting) for setting in self.given[self.of_context :]),
            ("region", "--region", self.region),
            ("profile", "--profile", self.profile),
        )
        return tuple(
            word
            for name, option, value in named
            if value is not None and self.origins.get(name) is not Origin.CONTEXT
            for word in (option, str(value))
        )


class Connection:
    """Everything that a command needs; each part is made on first use.

    Args:
        where: the options that select the tables.
        output: where the command writes its results.
        environment: the environment to read; None means that of the process.
        rehearses: whether the command only rehearses: what it would write is in `rehearsal`, and not in the tables.

    Attributes:
        asked: the options, as they were given.
        output: where the command writes its results.
    """

    def __init__(
        self,
        where: Where,
        output: Output,
        environment: Mapping[str, str] | None = None,
        *,
        rehearses: bool = False,
    ) -> None:
        self.asked = where
        self.output = output
        self.rehearses = rehearses
        self._environment = os.environ if environment is None else environment

    @cached_property
    def contexts(self) -> Contexts:
        """The contexts of this user.

        Raises:
            Misused: their file cannot be used.
        """
        return Contexts(contexts.usual_path(self._environment))

    @cached_property
    def context(self) -> Context | None:
        """The context that counts; None if there is none.

        The file's default counts only where neither an option nor the environment says what to act on.

        Raises:
            Misused: the file of contexts cannot be used, or has none of that name.
        """
        name = self.asked.context
        if name is None:
            name = self._environment.get("AUTH_JWT_CONTEXT")
        if name is None and not self._names_target:
            name = self.contexts.default
        return self.contexts.get(name) if name else None

    @property
    def _names_target(self) -> bool:
        """Whether an option or a variable says what to act on."""
        asked = self.asked
        told = any(self._environment.get(name) for name in (*_SOURCES, *SETTINGS))
        return told or bool(asked.function or asked.env_file or asked.given or asked.stack)

    @cached_property
    def where(self) -> Where:
        """What selects the tables and the audit file: options, and what the context and the environment add to them.

        Raises:
            Misused: the file of contexts cannot be used, or has none of that name.
        """
        asked, context = self.asked, self.context
        found: dict[str, object] = {}
        origins: dict[str, Origin] = {}
        names_source = asked.function is not None or asked.env_file is not None
        for name in _CHOICES:
            is_source = name in ("function", "env_file")
            if getattr(asked, name) is not None:
                found[name], origins[name] = getattr(asked, name), Origin.OPTION
            elif is_source and names_source:
                continue  # an option names the other source
            elif context is not None and getattr(context, name) is not None:
                found[name], origins[name] = getattr(context, name), Origin.CONTEXT
            elif name in _VARIABLES and not (is_source and context is not None):
                told = self._environment.get(_VARIABLES[name])
                if told:
                    found[name] = told if name in ("function", "stack") else Path(told)
                    origins[name] = Origin.ENVIRONMENT
        added = () if context is None else context.given
        if context is not None:
            is_option = asked.context is not None
            is_told = "AUTH_JWT_CONTEXT" in self._environment
            origins["context"] = Origin.OPTION if is_option else Origin.ENVIRONMENT if is_told else Origin.DEFAULT
        name_of_context = None if context is None else context.name
        return replace(
            asked,
            **found,  # type: ignore[arg-type]
            context=name_of_context,
            given=(*added, *asked.given),
            origins=origins,
            of_context=len(added),
        )

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
            return from_function(where.function, self.client_of("lambda", region=region_of(where.function)))
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
            raise Misused(f"no such setting: {', '.join(unknown)}{nearest(unknown[0], SETTINGS)}")
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

    def client_of(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401 - boto3's, of any service
        """Make a client of another *service* of AWS, by the same credentials; None leaves the region to the session.

        Raises:
            Fault: the AWS configuration is unusable.
        """
        from botocore.config import Config

        from auth_jwt.aws.sdk import sdk_client

        config = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
        return sdk_client(service, config, session=self.aws, region=region)

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack; where none is named, there are none.

        Raises:
            NotFound: there is no such stack in this account and region.
            Fault: CloudFormation does not show it.
        """
        from auth_jwt_cli.doctor.deployed import outputs_of

        stack = self.where.stack
        return {} if stack is None else outputs_of(self.client_of("cloudformation"), stack)

    def of_function(self, function: str, given: tuple[str, ...] = ()) -> "Connection":
        """Return the connection to the tables of a *function*, by the same credentials; *given* overrides settings."""
        region, profile = self.where.region, self.where.profile
        where = Where(context="", function=function, given=given, region=region, profile=profile)
        return Connection(where, self.output, self._environment)

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
        if self.rehearses:
            return provisioning_of(self.settings, self.client, actor=_user(), audit=_drop_entry, store=self.rehearsal)
        return provisioning_of(self.settings, self.client, actor=self.actor, audit=self.audit)

    @cached_property
    def rehearsal(self) -> RehearsedTables:
        """The tables of a command that rehearses."""
        return RehearsedTables(tables_of(self.settings, self.client), self.settings.columns)

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

        if self.rehearses:
            return refresher_of(
                self.settings,
                self.refresh_settings,
                self.client,
                actor=_user(),
                audit=_drop_entry,
                store=self.rehearsal,
            )
        return refresher_of(self.settings, self.refresh_settings, self.client, actor=self.actor, audit=self.audit)

    @cached_property
    def audit(self) -> AuditLog:
        """The audit file.

        Raises:
            Fault: it cannot be written.
        """
        return AuditLog(self.audit_path, self.target, makes_folder=self.where.audit_log is None)

    @property
    def audit_path(self) -> Path:
        """The path of the audit file; `-` is standard error."""
        return self.where.audit_log or usual_path(self._environment)

    @property
    def last_write(self) -> AuditEntry | None:
        """The audit entry of the last write; None if certainly nothing was written."""
        return self.audit.last if "audit" in self.__dict__ else None

    @property
    def is_audited(self) -> bool:
        """Whether the audit file has the line of every write."""
        return "audit" not in self.__dict__ or self.audit.is_whole

    @cached_property
    def actor(self) -> str:
        """Who runs the command: the local user, and the IAM principal if AWS tells it."""
        return f"{self.identity[0]} ({_user()})" if self.identity else _user()

    @cached_property
    def identity(self) -> tuple[str, str] | None:
        """The ARN and the account of the caller; None if AWS does not tell within two seconds, or is not asked."""
        answer = self._answer_of_sts
        return None if isinstance(answer, str) else answer

    @property
    def unknown_because(self) -> str | None:
        """Why nobody knows who the caller is; None if `identity` does."""
        answer = self._answer_of_sts
        return answer if isinstance(answer, str) else None

    @cached_property
    def _answer_of_sts(self) -> tuple[str, str] | str:
        """The ARN and the account of the caller, or why they are not known."""
        from botocore.config import Config

        from auth_jwt.aws.sdk import sdk_client

        with suppress(AuthJwtError):  # the settings cannot be read: then nobody knows of a stand-in
            if self.is_local:
                return f"the tables are not at AWS, but at {self.endpoint}"  # a stand-in has no IAM
        config = Config(connect_timeout=_STS_SECONDS, read_timeout=_STS_SECONDS, retries={"total_max_attempts": 1})
        try:
            client = sdk_client("sts", config, session=self.aws, region=self._asked_region)
            with translated_errors("sts:GetCallerIdentity"), sdk_errors():
                answer = client.get_caller_identity()
        except Fault as fault:  # the audit entry then names the local user only
            return str(fault)
        arn, account = answer.get("Arn"), answer.get("Account")
        return (arn, account) if isinstance(arn, str) and isinstance(account, str) else "STS does not tell"

    @property
    def endpoint(self) -> str | None:
        """The address of the tables; None if it is AWS's own.

        Raises:
            Fault: the SDK's configuration is invalid: the region is missing, say.
        """
        url: str = self.client.meta.endpoint_url
        return None if (urlsplit(url).hostname or "").endswith(_AWS_DOMAINS) else url

    @property
    def is_local(self) -> bool:
        """Whether the tables are a stand-in for DynamoDB: there is no account then, and no IAM."""
        return self.endpoint is not None

    @cached_property
    def target(self) -> AuditTarget:
        """What the command acts on.

        Raises:
            Fault: the settings cannot be read, or the SDK's configuration is invalid.
        """
        settings, where = self.settings, self.where
        tables = (settings.profiles_table, settings.secrets_table, settings.revocations_table)
        return AuditTarget(
            tables=tuple(name for name in tables if name is not None),
            region=self.client.meta.region_name,
            account=self.identity[1] if self.identity else None,
            endpoint=self.endpoint,
            function=where.function,
            context=where.context,
            stack=where.stack,
        )

    def announce(self) -> None:
        """Say what the command acts on, before it does, and let every question name it.

        Raises:
            Fault: the settings cannot be read, or the SDK's configuration is invalid.
        """
        target, where = self.target, self.where
        file = None if where.env_file is None else str(where.env_file)
        is_protected = self.context is not None and self.context.protected
        self.output.note(f"Target: {in_words(target, file=file, is_protected=is_protected)}.")
        self.output.place = Place(
            name=in_short(target),
            protected=where.context if is_protected else None,
            is_named=where.origins.get("context") is Origin.OPTION,
        )

    def advise(self, fault: Fault) -> None:
        """Let the message of a *fault* say what to do next, with the names of this connection."""
        if not getattr(fault, "__notes__", ()):
            remedy = remedy_of(fault, self.caller)
            if remedy is not None:
                fault.add_note(remedy + self._hint_at_region(fault))

    def _hint_at_region(self, fault: Fault) -> str:
        """Return what to say of AWS_REGION beside a *fault* about a missing region; other tools of AWS read it."""
        told = self._environment.get("AWS_REGION")
        if told is None or type(fault.__cause__).__name__ != "NoRegionError":
            return ""
        return " AWS_REGION is set, but boto3 does not read it."

    def origin_of(self, name: str, otherwise: Origin) -> str:
        """Return where the option *name* comes from, and by which variable; *otherwise* if nothing says it."""
        origin = self.where.origins.get(name, otherwise)
        return f"{_VARIABLES[name]}, {origin}" if origin is Origin.ENVIRONMENT and name in _VARIABLES else origin

    def variable_of_sdk(self, *names: str) -> str:
        """Return which of these variables, the first that is set, tells the SDK; else its configuration does."""
        told = next((name for name in names if self._environment.get(name)), None)
        return Origin.AWS if told is None else f"{told}, {Origin.ENVIRONMENT}"

    @property
    def sdk_profile(self) -> str | None:
        """The profile that the SDK takes from the environment; None if it names none."""
        return self._environment.get("AWS_PROFILE") or self._environment.get("AWS_DEFAULT_PROFILE") or None

    @property
    def _asked_region(self) -> str | None:
        """The region, even if the settings cannot be read; None leaves it to the SDK."""
        try:
            return self.region
        except AuthJwtError:
            return self.where.region or region_of(self.where.function)

    @property
    def caller(self) -> Caller:
        """Who asks AWS, as far as that is known without a fault."""
        profile, region, endpoint = self.where.profile, self._asked_region, None
        has_keys = profile is None and bool(self._environment.get("AWS_ACCESS_KEY_ID"))
        with suppress(AuthJwtError):  # the fault itself, or another that is in the way
            region = region or self.aws.region_name
            region, endpoint = self.client.meta.region_name, self.endpoint
        return Caller(
            profile=profile or self.sdk_profile,
            has_keys=has_keys,
            region=region,
            endpoint=endpoint,
            identity=lambda: self.identity,
        )

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


def in_words(target: AuditTarget, *, file: str | None = None, is_protected: bool = False) -> str:
    """Return what a command acts on, as a list of names on one line."""
    parts = {
        "context": target.context and f"{target.context}{' (protected)' if is_protected else ''}",
        "function": target.function,
        "settings of": file,
        "account": target.account or (None if target.endpoint else "unknown"),
        "region": target.region,
        "endpoint": target.endpoint,
    }
    told = [f"{name} {value}" for name, value in parts.items() if value is not None]
    return ", ".join([*told, f"tables {', '.join(target.tables)}"])


def in_short(target: AuditTarget) -> str:
    """Return what a question calls the target."""
    place = target.endpoint or f"account {target.account or 'unknown'}, {target.region}"
    return place if target.context is None else f"{target.context} ({place})"


def _user() -> str:
    """Return `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user id has no name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def _drop_entry(entry: AuditEntry) -> None:
    """Take the audit entry of a write that is only rehearsed."""


def _reject_write(entry: AuditEntry) -> None:
    raise Fault(f"a command that should only read has written: {entry.action}")

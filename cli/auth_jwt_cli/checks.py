"""Checks of the service's settings and tables. Each finding names what is wrong and its remedy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auth_jwt.aws.failures import Caller, Refused, remedy_of, sdk_errors, translated_errors
from auth_jwt.aws.reads import row_of
from auth_jwt.aws.sdk_guard import guard
from auth_jwt.errors import BadSetting, Fault, Flaw, Unreachable
from auth_jwt.models import REVOCATION_JTI, REVOCATION_TAG, SECRET_ID, Columns, Row, Secret
from auth_jwt.provisioning.profiles import MAX_PAGE, Profiles, own_columns
from auth_jwt.provisioning.tombstones import is_no_secret
from auth_jwt.runtime.settings import (
    DEFAULTS,
    FRONTEND_DEFAULTS,
    GATEWAY_AUTHORIZER_DEFAULTS,
    LOG_DEFAULTS,
    FrontendSettings,
    GatewayAuthorizerSettings,
    LogSettings,
    Settings,
    near_misses,
)
from auth_jwt_cli.output import pluralize
from auth_jwt_cli.sources import only_settings
from auth_jwt_cli.times import format_duration

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_RFC_7518_BYTES: Final = 32  # the minimum for HS256; HS384 and HS512 need more
_MAX_SKEW_SECONDS: Final = 5
_LONG_MEMORY_SECONDS: Final = 3600
_FIRST_READ_SECONDS: Final = 0.2
"""By measurement a first request takes 40 ms over boto3 after a restored snapshot, 172 ms with a client made anew."""
_MISSING: Final = "ResourceNotFoundException"
_SAMPLED_PAGES: Final = 3
_REVOCATION_END: Final = "expires_at"

_T = TypeVar("_T")


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  # the service fails, or decides otherwise than the operator means
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        severity: how bad it is.
        about: the variable or the table that it is about.
        text: what is wrong.
        remedy: what to do about it.
    """

    severity: Severity
    about: str
    text: str
    remedy: str


def error(about: str, text: str, remedy: str) -> Finding:
    """Make a finding that is an error."""
    return Finding(Severity.ERROR, about, text, remedy)


def warning(about: str, text: str, remedy: str) -> Finding:
    """Make a finding that is a warning."""
    return Finding(Severity.WARNING, about, text, remedy)


def bad_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return every setting with an invalid value, and why. Each is read alone: reading all stops at the first."""
    readers: list[tuple[str, Callable[[Mapping[str, str]], object]]] = [
        *((name, Settings.from_env) for name in DEFAULTS),
        *((name, FrontendSettings.from_env) for name in FRONTEND_DEFAULTS),
        *((name, GatewayAuthorizerSettings.from_env) for name in GATEWAY_AUTHORIZER_DEFAULTS),
        *((name, LogSettings.from_env) for name in LOG_DEFAULTS),
    ]
    found = {}
    for name, read in readers:
        if name in variables:
            try:
                read({name: variables[name]})
            except BadSetting as problem:
                found[name] = str(problem)
    return found


def setting_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Judge each variable on its own: its value and its spelling."""
    for name, problem in bad_settings(variables).items():
        yield error(name, problem, "set it to what is accepted, or remove it for its default")
    for name, meant in near_misses(variables).items():
        yield warning(name, f"is not a setting, but nearly spells {meant}", f"rename it to {meant}, or remove it")


def source_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Judge the variables of the function or the file that the options name."""
    if not only_settings(variables):
        text = "it has none of the service's settings, so the default tables are used"
        yield warning("--function or --env-file", text, "check that it is the one you mean")


def policy_findings(settings: Settings) -> Iterator[Finding]:
    """Judge whether the settings accept weak secrets or old tokens."""
    policy = settings.policy
    if policy.min_hmac_key_bytes is not None and policy.min_hmac_key_bytes < _RFC_7518_BYTES:
        text = f"HMAC secrets of {policy.min_hmac_key_bytes} bytes verify; RFC 7518 requires at least {_RFC_7518_BYTES}"
        yield warning("MIN_HMAC_KEY_BYTES", text, "rotate short secrets (`auth-jwt lint` names them), then remove it")
    if not policy.enforce_time_claims:
        yield warning("ENFORCE_TIME_CLAIMS", "expired tokens are accepted while their secret is open", "set it to true")
    if settings.store_timeout < _FIRST_READ_SECONDS:
        text = (
            f"the tables have {settings.store_timeout * 1000:g} ms to answer; the first read of a process, with a new "
            f"connection, may take {_FIRST_READ_SECONDS * 1000:g} ms, and then nobody can log in"
        )
        yield warning("STORE_TIMEOUT_MS", text, "set it to 200 or more; 1500 is the default")
    if settings.cache_ttl > _LONG_MEMORY_SECONDS:
        text = f"closed, disabled or revoked rows may be accepted for another {format_duration(settings.cache_ttl)}"
        yield warning("CACHE_TTL_SECONDS", text, "set it to the time that you can wait; 60 is the default")


def column_findings(columns: Columns) -> Iterator[Finding]:
    """Judge the names of the columns of secrets: no two settings may name the same column."""
    names = {
        "SECRET_TAG_COLUMN": columns.secret_tag,
        "SECRET_COLUMN": columns.secret,
        "START_TS_COLUMN": columns.start,
        "END_TS_COLUMN": columns.end,
        "ALG_COLUMN": columns.alg,
        "KID_COLUMN": columns.kid,
    }
    for column in dict.fromkeys(names.values()):
        alike = [variable for variable, name in names.items() if name == column]
        if len(alike) > 1 or column == SECRET_ID:
            text = (
                f"{column!r} is the rows' own id" if column == SECRET_ID else f"all of them name the column {column!r}"
            )
            yield error(", ".join(alike), text, "name a different column for each")


def function_findings(settings: Settings, timeout_seconds: float | None) -> Iterator[Finding]:
    """Judge whether the function's timeout is longer than the time that the tables may take."""
    if timeout_seconds is not None and settings.store_timeout >= timeout_seconds:
        yield error(
            "STORE_TIMEOUT_MS",
            f"the tables may take {settings.store_timeout:g} s, but the function ends after {timeout_seconds:g} s",
            "set it to less, or give the function more time, so that it can answer during an outage",
        )


def table_findings(client: "DynamoDBClient", settings: Settings, caller: Caller) -> Iterator[Finding]:
    """Judge the tables that the settings name: keys, protection, backups, TTL, and this machine's clock."""
    guard(client)
    columns = settings.columns
    wanted = [
        ("PROFILES_TABLE", settings.profiles_table, (columns.tag,)),
        ("SECRETS_TABLE", settings.secrets_table, (columns.secret_tag, SECRET_ID)),
    ]
    if settings.revocations_table is not None:
        wanted.append(("REVOCATIONS_TABLE", settings.revocations_table, (REVOCATION_TAG, REVOCATION_JTI)))
    for variable, name, keys in wanted:
        try:
            answer = _call("DescribeTable", name, lambda name=name: client.describe_table(TableName=name))  # type: ignore[misc]
        except _NotPermitted as refused:
            yield refused.finding(name, variable, caller)
            continue
        described = answer["Table"]
        yield from clock_findings(answer)
        yield from _shape_findings(name, described, keys)
        yield from _protection_findings(name, described)
        yield from _backup_findings(client, name, caller)
        yield from _ttl_findings(client, name, variable, settings, caller)


def profile_findings(profiles: Profiles, settings: Settings) -> Iterator[Finding]:
    """Judge some of the *profiles*: do they have the columns that the settings name?"""
    try:
        sample = profiles.page(limit=MAX_PAGE).profiles
    except Unreachable:
        raise
    except Fault as fault:
        yield warning(settings.profiles_table, str(fault), "get the permission, to check this")
        return
    if not sample:
        if settings.issuer_patterns is None:
            yield warning(settings.profiles_table, "has no profile", "add one: `auth-jwt profile add`")
        return
    own = own_columns(settings.columns)
    for credential in settings.policy.credentials:
        column = credential.column
        if column not in own and not any(column in record.attributes for record in sample):
            text = f"none of {len(sample)} profiles looked at has the column {column!r}"
            yield warning("LOAD_CREDENTIALS", text, "correct its name, or fill the column")
    if not any(record.sip_username for record in sample):
        text = f"none of {len(sample)} profiles looked at has a username in {settings.columns.username!r}"
        yield error("USERNAME_COLUMN", text, "name the column that holds it")


def secret_findings(client: "DynamoDBClient", settings: Settings, caller: Caller) -> Iterator[Finding]:
    """Judge some rows of the table of secrets: do the columns that the settings name hold what they should?"""
    try:
        rows = _sample_rows(client, settings)
    except _NotPermitted as refused:
        yield refused.finding(settings.secrets_table, "SECRETS_TABLE", caller)
        return
    if not rows:
        if settings.issuer_patterns is None:
            yield warning(settings.secrets_table, "has no secret", "add one: `auth-jwt secret add`")
        return
    yield from _content_findings(rows, settings.columns)
    yield from _option_findings(rows, settings.columns)
    yield from _alg_findings(rows, settings.columns)


def _sample_rows(client: "DynamoDBClient", settings: Settings) -> list[Row]:
    """Return some secrets of the table, with only those columns that the settings name."""
    columns, name = settings.columns, settings.secrets_table
    own = (columns.secret, columns.start, columns.end, columns.alg, columns.kid)
    wanted = dict.fromkeys((columns.secret_tag, SECRET_ID, *own))
    question: Any = {
        "TableName": name,
        "Limit": MAX_PAGE,
        "ProjectionExpression": ",".join(f"#c{number}" for number in range(len(wanted))),
        "ExpressionAttributeNames": {f"#c{number}": column for number, column in enumerate(wanted)},
    }
    rows: list[Row] = []
    for _ in range(_SAMPLED_PAGES):
        answer: Any = _call("Scan", name, lambda: client.scan(**question))
        if "Items" not in answer:
            raise Fault("the answer is not DynamoDB's: it has no member Items")
        rows += (row for row in map(row_of, answer["Items"]) if not is_no_secret(row, columns))
        if "LastEvaluatedKey" not in answer:
            break
        question["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return rows


def _content_findings(rows: list[Row], columns: Columns) -> Iterator[Finding]:
    """Judge the columns that every row must have."""
    wanted: tuple[tuple[str, str, type, str], ...] = (
        ("SECRET_COLUMN", columns.secret, str, "text"),
        ("START_TS_COLUMN", columns.start, Decimal, "a number"),
        ("END_TS_COLUMN", columns.end, Decimal, "a number"),
    )
    for variable, column, kind, what in wanted:
        if not any(isinstance(row.get(column), kind) for row in rows):
            text = f"none of {pluralize(len(rows), 'secret')} looked at has {what} in {column!r}, so none verifies"
            yield error(variable, text, "name the column that holds it")
    windows = [(row.get(columns.start), row.get(columns.end)) for row in rows]
    numbers = [(start, end) for start, end in windows if isinstance(start, Decimal) and isinstance(end, Decimal)]
    if numbers and all(end <= start for start, end in numbers):
        text = f"each of {pluralize(len(numbers), 'window')} looked at ends before it starts, so none ever opens"
        yield error("START_TS_COLUMN, END_TS_COLUMN", text, "check that each names its own column")


def _option_findings(rows: list[Row], columns: Columns) -> Iterator[Finding]:
    """Judge the optional columns. If a column makes every row that has it unusable, the setting names a wrong one."""
    secrets = [Secret.from_row(row, columns) for row in rows]
    for variable, column, flaw, default in (
        ("ALG_COLUMN", columns.alg, Flaw.MALFORMED_ALG, DEFAULTS["ALG_COLUMN"]),
        ("KID_COLUMN", columns.kid, Flaw.MALFORMED_KID, DEFAULTS["KID_COLUMN"]),
    ):
        having = [secret for row, secret in zip(rows, secrets, strict=True) if column in row]
        if having and all(secret.flaw is not None and secret.flaw.flaw is flaw for secret in having):
            text = (
                f"{pluralize(len(having), 'secret')} of {len(rows)} looked at verify nothing for what {column!r} holds"
            )
            yield error(variable, text, "name the column that is for it, or correct the rows")
        elif not having and column != default:
            text = f"none of {pluralize(len(rows), 'secret')} looked at has the column {column!r}"
            yield warning(variable, text, "correct its name, or leave it to its default")


def _alg_findings(rows: list[Row], columns: Columns) -> Iterator[Finding]:
    """Count the rows whose `alg` does not say what their key is."""
    silent = sum(not isinstance(row.get(columns.alg), str) for row in rows)
    if silent:
        text = f"{silent} of {pluralize(len(rows), 'secret')} looked at do not say in {columns.alg!r} what their key is"
        remedy = "`auth-jwt secret set-alg --all --dry-run` shows what they would say; without --dry-run, it writes it"
        if columns.requires_alg:
            yield error("REQUIRE_ALG_COLUMN", f"{text}, and verify nothing", remedy)
        else:
            yield warning("REQUIRE_ALG_COLUMN", f"{text}: it is guessed", remedy)


class _NotPermitted(Exception):
    """DynamoDB refused a request: the table does not exist, or the permission is missing."""

    def __init__(self, fault: Fault, code: str) -> None:
        super().__init__(code)
        self.fault = fault
        self.code = code

    def finding(self, name: str, variable: str, caller: Caller) -> Finding:
        """Make a finding that says what every command says of this fault."""
        text = f"{self.fault}. {remedy_of(self.fault, caller) or ''}".rstrip(". ")
        if self.code == _MISSING:
            return error(name, text, f"create it, or correct {variable}")
        return warning(name, text, "get the permission, to check this")


def _call(action: str, name: str, call: Callable[[], _T]) -> _T:
    """Return what *call* gets.

    Raises:
        _NotPermitted: the table does not exist, or the permission is missing.
        Unreachable: the table cannot be reached now.
        Fault: the SDK cannot send the request, or DynamoDB refuses it for another reason.
    """
    try:
        with translated_errors(f"dynamodb:{action} on table {name!r}"), sdk_errors():
            return call()
    except Fault as fault:
        refused = fault.__cause__
        if isinstance(refused, Refused) and (refused.code == _MISSING or "Denied" in refused.code):
            raise _NotPermitted(fault, refused.code) from None
        raise


def _shape_findings(name: str, described: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Finding]:
    types = {item["AttributeName"]: item["AttributeType"] for item in described["AttributeDefinitions"]}
    own = [(part["AttributeName"], types[part["AttributeName"]]) for part in described["KeySchema"]]
    if own != [(key, "S") for key in keys]:
        shape = ", ".join(f"{key} ({kind})" for key, kind in own)
        yield error(name, f"its key is {shape}; it must be {', '.join(f'{key} (S)' for key in keys)}", _KEY_REMEDY)
    if described.get("TableStatus") not in ("ACTIVE", "UPDATING"):
        yield error(name, f"it is {described.get('TableStatus')}", "wait until it is ACTIVE")


_KEY_REMEDY: Final = "correct the settings that name its columns, or make a table with that key: keys cannot be changed"


def _protection_findings(name: str, described: Mapping[str, Any]) -> Iterator[Finding]:
    if not described.get("DeletionProtectionEnabled"):
        yield warning(name, "deletion protection is off", "switch it on, as the template does")
    if described.get("SSEDescription", {}).get("Status") not in ("ENABLED", "UPDATING"):
        text = "it is encrypted with a key that DynamoDB owns, and you can neither see nor limit its use"
        yield warning(name, text, "switch KMS encryption on, as the template does")


def _backup_findings(client: "DynamoDBClient", name: str, caller: Caller) -> Iterator[Finding]:
    try:
        answer: Any = _call(
            "DescribeContinuousBackups", name, lambda: client.describe_continuous_backups(TableName=name)
        )
    except _NotPermitted as refused:
        yield refused.finding(name, "", caller)
        return
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield warning(name, "point-in-time recovery is off", "switch it on, as the template does")


def _ttl_findings(
    client: "DynamoDBClient", name: str, variable: str, settings: Settings, caller: Caller
) -> Iterator[Finding]:
    try:
        answer: Any = _call("DescribeTimeToLive", name, lambda: client.describe_time_to_live(TableName=name))
    except _NotPermitted as refused:
        yield refused.finding(name, "", caller)
        return
    ttl = answer["TimeToLiveDescription"]
    attribute = ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
    right = {"SECRETS_TABLE": settings.columns.end, "REVOCATIONS_TABLE": _REVOCATION_END}.get(variable)
    if attribute is not None and attribute != right:
        text = f"DynamoDB deletes its rows by the time in {attribute!r}"
        yield error(name, text, f"switch TTL off, or to {right!r}" if right else "switch TTL off")
    elif variable == "REVOCATIONS_TABLE" and attribute is None:
        yield warning(name, "rows of expired tokens stay for ever", f"switch TTL on, by {right!r}")


def clock_findings(answer: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge the clock of this machine by the date in an *answer* from DynamoDB."""
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    try:
        skew = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return
    if abs(skew) > _MAX_SKEW_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        text = f"the clock of this machine is {format_duration(skew)} {way} DynamoDB's"
        yield warning("clock", text, "correct it: new windows and tokens begin at the time of this machine")

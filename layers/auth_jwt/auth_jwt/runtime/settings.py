"""Every environment variable: its default, its unit and its valid values.

The environment is read once, at start. An invalid value raises `BadSetting`. The message names the variable, the value
and the values that are accepted, so that an operator can act on it without reading this code.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import urlsplit

from auth_jwt.credentials import parse_credentials
from auth_jwt.errors import BadSetting, Invalid
from auth_jwt.jose.tokens import ALGORITHMS, MAX_TAG_CHARACTERS, MAX_TOKEN_BYTES, HeaderRules
from auth_jwt.models import MAX_SECRETS_PER_TAG, Columns, Policy

if TYPE_CHECKING:
    from pathlib import Path

    from auth_jwt.issuers.models import IssuerPatterns

_COLUMNS: Final = Columns()

DEFAULTS: Final[Mapping[str, str]] = {
    "DB_URL": "",
    "PROFILES_TABLE": "jwt_profiles",
    "SECRETS_TABLE": "jwt_secrets",
    "TAG_COLUMN": _COLUMNS.tag,
    "USERNAME_COLUMN": _COLUMNS.username,
    "SECRET_TAG_COLUMN": _COLUMNS.secret_tag,
    "SECRET_COLUMN": _COLUMNS.secret,
    "START_TS_COLUMN": _COLUMNS.start,
    "END_TS_COLUMN": _COLUMNS.end,
    "TAG_CLAIM": "tag",
    "LOAD_CREDENTIALS": "",
    "ALG_COLUMN": _COLUMNS.alg,
    "KID_COLUMN": _COLUMNS.kid,
    "REQUIRE_ALG_COLUMN": "false",
    "ALLOWED_ALGORITHMS": ",".join(ALGORITHMS),
    "ACCEPTED_TYPES": "JWT",
    "ENFORCE_TIME_CLAIMS": "true",
    "LEEWAY_SECONDS": "0",
    "REQUIRED_CLAIMS": "",
    "ISSUER": "",
    "AUDIENCE": "",
    "MAX_TOKEN_AGE_SECONDS": "",
    "MIN_HMAC_KEY_BYTES": "",
    "MAX_SECRETS_PER_TAG": str(MAX_SECRETS_PER_TAG),
    "MAX_TOKEN_BYTES": str(MAX_TOKEN_BYTES),
    "CACHE_TTL_SECONDS": "60",
    "STALE_IF_ERROR_SECONDS": "300",
    "STORE_TIMEOUT_MS": "1500",
    "DYNAMODB_CLIENT": "express",
    "DOMAIN_COLUMN": _COLUMNS.domain,
    "DISABLED_COLUMN": _COLUMNS.disabled,
    "VALID_AFTER_COLUMN": _COLUMNS.valid_after,
    "REVOCATIONS_TABLE": "",
    "ISSUERS": "",
    "KEYS_LIFETIME_SECONDS": "93600",
    "CHALLENGE_REALM": "sip",
    "AUTHZ_SERVER": "",
}
"""Every variable and its default, in the order of the documentation."""

FRONTEND_DEFAULTS: Final[Mapping[str, str]] = {
    "CLIENT_CERTIFICATES": "optional",
}
"""The variables that only the function for SIP frontends reads, in addition to `DEFAULTS`."""

GATEWAY_AUTHORIZER_DEFAULTS: Final[Mapping[str, str]] = {
    "AUTHORIZER_RESPONSE": "simple",
    "AUTHORIZER_REFUSAL": "unauthorized",
    "TOKEN_SOURCES": "header:authorization",
}
"""The variables that only API Gateway's authorizer reads, in addition to `DEFAULTS`."""

LOG_DEFAULTS: Final[Mapping[str, str]] = {
    "AUTHORIZED_LOG": "full",
    "AUTHORIZED_LOG_PERCENT": "100",
}
"""The variables that say what the log holds of plain authorized requests. The functions that authorize read them."""

ROTATION_DEFAULTS: Final[Mapping[str, str]] = {
    "ROTATED_TAG": "",
    "ROTATION_OVERLAP_SECONDS": "86400",
    "SECRET_LIFETIME_SECONDS": "8640000",
}
"""The variables that only the rotation of secrets reads, in addition to `DEFAULTS`. `ROTATED_TAG` must be set."""

REFRESH_DEFAULTS: Final[Mapping[str, str]] = {
    "KEYS_CA_BUNDLE": "",
    "KEYS_ACCEPTED_NETWORKS": "",
}
"""The variables that only the refresh of issuers' keys reads, in addition to `DEFAULTS`."""

RELEASE_CHECK_DEFAULTS: Final[Mapping[str, str]] = {
    "CANARY_TAG": "",
    "AUTHORIZE_VERSION": "",
    "GATEWAY_AUTHORIZER_VERSION": "",
}
"""The variables that only the check of a release reads. `AUTHORIZE_VERSION` must be set; the template does."""

ENDING_DEFAULTS: Final[Mapping[str, str]] = {
    "SECRETS_END_WITHIN_DAYS": "30",
    "ROTATION_DAYS": "",
    "MAX_READ_UNITS": "",
}
"""The variables that only the check for secrets that end reads, in addition to `DEFAULTS`.

It also reads `ROTATED_TAG`, which may be empty here, and `ROTATION_OVERLAP_SECONDS`.
"""

_MAX_NUMBER: Final = 10**9
_MAX_DIGITS: Final = 20
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+")
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:[\w:/.-]{1,1000}")
_VERSION_ARN: Final = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}:[0-9]+")
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of headers and cookies: RFC 9110, RFC 6265
_MAX_COLUMN_BYTES: Final = 255
_DB_URL_FORMS: Final = "`dynamodb://[region]` or `dynamodb+http(s)://host:port[/region]`"
_LIKENESS: Final = 0.8
_SHORTEST_KEYS_LIFETIME: Final = 3600
_LONGEST_KEYS_LIFETIME: Final = 7 * 86400
_LONGEST_NOTICE_DAYS: Final = 3650
_LONGEST_ROTATION_DAYS: Final = 1000  # that Secrets Manager accepts
_ISSUERS_WORDS: Final = (
    "empty, or a comma list of issuers, https URLs as tokens name them in `iss`; one that ends with `*` after"
    " https://host/ stands for all that begin so"
)

_UNSHOWN: Final = "its value has an `@` and may hold a password, so it is not shown"

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Database:
    """Where DynamoDB is; None leaves the choice to the SDK."""

    region: str | None = None
    endpoint: str | None = None


class DynamoDbClient(StrEnum):
    """Which client reads DynamoDB: the express lane wherever it can, or always boto3, which starts more slowly."""

    EXPRESS = "express"
    BOTO3 = "boto3"


class AuthorizedLog(StrEnum):
    """What the line of a plain authorized request holds."""

    FULL = "full"
    LEAN = "lean"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What the log holds of plain authorized requests (docs/decisions/0033).

    Attributes:
        authorized: what their lines hold. A lean line has no metrics: something that reads the log counts it.
        authorized_percent: how many of a hundred such requests get a line. All of them are counted.
    """

    authorized: AuthorizedLog = AuthorizedLog.FULL
    authorized_percent: int = 100

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, LOG_DEFAULTS)
        return cls(
            authorized=read("AUTHORIZED_LOG", *_one_of(AuthorizedLog)),
            authorized_percent=read("AUTHORIZED_LOG_PERCENT", *_number(0, 100)),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the service, read from the environment and checked. Durations are in seconds."""

    database: Database
    profiles_table: str
    secrets_table: str
    revocations_table: str | None
    columns: Columns
    policy: Policy
    cache_ttl: int
    stale_if_error: int
    store_timeout: float
    dynamodb_client: DynamoDbClient
    issuer_patterns: "IssuerPatterns | None"
    keys_lifetime: int
    challenge_realm: str
    authz_server: str | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, DEFAULTS)
        return cls(
            database=read("DB_URL", _parse_database, _DB_URL_FORMS),
            profiles_table=read("PROFILES_TABLE", _parse_table, _TABLE_WORDS),
            secrets_table=read("SECRETS_TABLE", _parse_table, _TABLE_WORDS),
            revocations_table=read("REVOCATIONS_TABLE", _parse_table_or_empty, f"empty, or {_TABLE_WORDS}"),
            columns=_read_columns(read),
            policy=_read_policy(read),
            cache_ttl=read("CACHE_TTL_SECONDS", *_number(0)),
            stale_if_error=read("STALE_IF_ERROR_SECONDS", *_number(0)),
            store_timeout=read("STORE_TIMEOUT_MS", *_number(1)) / 1000,
            dynamodb_client=read("DYNAMODB_CLIENT", *_one_of(DynamoDbClient)),
            issuer_patterns=read("ISSUERS", _parse_issuers, _ISSUERS_WORDS),
            keys_lifetime=read("KEYS_LIFETIME_SECONDS", *_number(_SHORTEST_KEYS_LIFETIME, _LONGEST_KEYS_LIFETIME)),
            challenge_realm=read("CHALLENGE_REALM", _parse_realm, "printable ASCII text, not empty"),
            authz_server=read("AUTHZ_SERVER", _parse_authz_server, "empty, or an absolute https URL"),
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that logins read."""
        both = (self.profiles_table, self.secrets_table)
        return both if self.revocations_table is None else (*both, self.revocations_table)


class ClientCertificates(StrEnum):
    """Whether a request over HTTP must have come by mutual TLS."""

    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendSettings:
    """The settings that only the function for SIP frontends reads.

    Attributes:
        client_certificates: whether a request needs a certificate that API Gateway has verified.
    """

    client_certificates: ClientCertificates

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, FRONTEND_DEFAULTS)
        return cls(client_certificates=read("CLIENT_CERTIFICATES", *_one_of(ClientCertificates)))


class AuthorizerResponse(StrEnum):
    """The form of the answer to HTTP APIs with payload 2.0. All other APIs take IAM policies only."""

    SIMPLE = "simple"
    IAM = "iam"


class AuthorizerRefusal(StrEnum):
    """How an IAM answer refuses: by an exception, or by a policy that denies."""

    UNAUTHORIZED = "unauthorized"
    DENY = "deny"


class SourceKind(StrEnum):
    """The parts of a request that may hold a token."""

    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class TokenSource:
    """A place in a request where a token may be. The name of a header is in lower case."""

    kind: SourceKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAuthorizerSettings:
    """The settings that only API Gateway's authorizer reads.

    Attributes:
        response: the form of the answer to HTTP APIs with payload 2.0.
        refusal: how an IAM answer refuses.
        token_sources: where to look for tokens, in order. They do not apply to TOKEN events, whose token has its own
            field.
    """

    response: AuthorizerResponse
    refusal: AuthorizerRefusal
    token_sources: tuple[TokenSource, ...]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, GATEWAY_AUTHORIZER_DEFAULTS)
        return cls(
            response=read("AUTHORIZER_RESPONSE", *_one_of(AuthorizerResponse)),
            refusal=read("AUTHORIZER_REFUSAL", *_one_of(AuthorizerRefusal)),
            token_sources=read(
                "TOKEN_SOURCES",
                _parse_token_sources,
                "a comma list of header:NAME, query:NAME and cookie:NAME, each once, at least one",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSettings:
    """The settings that only the rotation of secrets reads. Durations are in seconds.

    Attributes:
        tag: the tag whose secret is rotated.
        overlap: how long a replaced secret still verifies tokens.
        lifetime: how long a new secret verifies tokens when no other replaces it; longer than the overlap.
    """

    tag: str
    overlap: int
    lifetime: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default; `ROTATED_TAG` has none and must be set.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, ROTATION_DEFAULTS)
        tag = read("ROTATED_TAG", _parse_tag, _TAG_WORDS)
        overlap = read("ROTATION_OVERLAP_SECONDS", *_number(1))
        lifetime = read("SECRET_LIFETIME_SECONDS", *_number(1))
        if lifetime <= overlap:
            raise BadSetting(
                f"SECRET_LIFETIME_SECONDS={lifetime} is refused: a secret that replaces another outlives the overlap;"
                f" accepted: more than ROTATION_OVERLAP_SECONDS, which is {overlap}"
            )
        return cls(tag=tag, overlap=overlap, lifetime=lifetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSettings:
    """The settings that only the refresh of issuers' keys reads.

    Attributes:
        ca_bundle: a file with the certificates of the authorities to trust; None trusts the system's.
        accepted_networks: networks of the operator's whose addresses need not be public.
    """

    ca_bundle: "Path | None" = None
    accepted_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, REFRESH_DEFAULTS)
        return cls(
            ca_bundle=read("KEYS_CA_BUNDLE", _parse_file, "empty, or the path of a file with certificates in PEM"),
            accepted_networks=read(
                "KEYS_ACCEPTED_NETWORKS", _parse_networks, "empty, or a comma list of networks such as 10.1.0.0/16"
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingSettings:
    """The settings that only the check for secrets that end reads.

    Attributes:
        within_days: how many days before its end a secret is news.
        rotated_tag: the tag whose secret Secrets Manager rotates; None when there is none.
        rotation_days: the days from one rotation to the next; None when no tag is rotated.
        overlap: how many seconds a replaced secret still verifies tokens.
        max_read_units: the bound on the table's read units in a second; None when there is none.
    """

    within_days: int = 30
    rotated_tag: str | None = None
    rotation_days: int | None = None
    overlap: int = 86400
    max_read_units: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, {**ROTATION_DEFAULTS, **ENDING_DEFAULTS})
        tag = read("ROTATED_TAG", lambda text: _parse_tag(text) if text else None, f"empty, or {_TAG_WORDS}")
        days = read("ROTATION_DAYS", *_number_or_empty(1, _LONGEST_ROTATION_DAYS))
        if tag is not None and days is None:
            raise BadSetting(
                "ROTATION_DAYS='' is refused: ROTATED_TAG names a tag; accepted: the days from one rotation to the next"
            )
        return cls(
            within_days=read("SECRETS_END_WITHIN_DAYS", *_number(1, _LONGEST_NOTICE_DAYS)),
            rotated_tag=tag,
            rotation_days=None if tag is None else days,
            overlap=read("ROTATION_OVERLAP_SECONDS", *_number(1)),
            max_read_units=read("MAX_READ_UNITS", *_number_or_empty(1)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCheckSettings:
    """The settings that only the check of a release reads.

    Attributes:
        canary_tag: the tag of the profile that is let in by the new versions; None checks a ping only.
        authorize_version: ARN of the new version of `authorize`.
        gateway_authorizer_version: ARN of the new version of `gateway_authorizer`; None if the stack has none.
    """

    canary_tag: str | None
    authorize_version: str
    gateway_authorizer_version: str | None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read *env*. A variable that is not in it has its default; `AUTHORIZE_VERSION` has none and must be set.

        Raises:
            BadSetting: a value is invalid. The message names the variable, the value and what is accepted.
        """
        read = _EnvironmentReader(env, RELEASE_CHECK_DEFAULTS)
        accepted = "the ARN of a version of a function, with its number at the end"
        gateway_authorizer = read("GATEWAY_AUTHORIZER_VERSION", _or_none(_parse_version), f"empty, or {accepted}")
        tag = read("CANARY_TAG", _or_none(_parse_tag), f"empty, or a tag of at most {MAX_TAG_CHARACTERS} characters")
        return cls(
            canary_tag=tag,
            authorize_version=read("AUTHORIZE_VERSION", _parse_version, accepted),
            gateway_authorizer_version=gateway_authorizer,
        )


def near_misses(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of *env* that nearly spell a setting, each with the setting it nearly spells."""
    of_functions = {**GATEWAY_AUTHORIZER_DEFAULTS, **LOG_DEFAULTS, **ROTATION_DEFAULTS, **REFRESH_DEFAULTS}
    known = {**DEFAULTS, **FRONTEND_DEFAULTS, **of_functions, **ENDING_DEFAULTS, **RELEASE_CHECK_DEFAULTS}
    found = {}
    for name in env:
        if name in known or name.startswith(("AWS_", "POWERTOOLS_")):
            continue
        close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_LIKENESS) or [
            ours for ours in known if "_" in name and ours.startswith(f"{name.upper()}_")
        ]
        if close:
            found[name] = close[0]
    return found


class _EnvironmentReader:
    """Reads variables one by one. A value that its parser does not accept raises `BadSetting`."""

    def __init__(self, env: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._env = env
        self._defaults = defaults

    def __call__(self, variable: str, parse: Callable[[str], _T], accepted: str) -> _T:
        text = self._env.get(variable, self._defaults[variable])
        try:
            return parse(text)
        except _Unshowable as problem:
            raise BadSetting(f"{variable} is refused: {problem}; accepted: {accepted}") from None
        except ValueError as problem:
            if "@" in text:  # perhaps a URL with a password, which the problem may quote, too
                raise BadSetting(f"{variable} is refused: {_UNSHOWN}; accepted: {accepted}") from None
            detail = f" ({problem})" if problem.args else ""
            raise BadSetting(f"{variable}={text!r} is refused{detail}; accepted: {accepted}") from None


class _Unshowable(ValueError):
    """The value is invalid and may hold a password, so the message must not repeat it."""


def _read_columns(read: _EnvironmentReader) -> Columns:
    variables = {
        "tag": "TAG_COLUMN",
        "username": "USERNAME_COLUMN",
        "domain": "DOMAIN_COLUMN",
        "disabled": "DISABLED_COLUMN",
        "valid_after": "VALID_AFTER_COLUMN",
        "secret_tag": "SECRET_TAG_COLUMN",
        "secret": "SECRET_COLUMN",
        "start": "START_TS_COLUMN",
        "end": "END_TS_COLUMN",
        "alg": "ALG_COLUMN",
        "kid": "KID_COLUMN",
    }
    accepted = f"the name of a column, 1 to {_MAX_COLUMN_BYTES} bytes"
    names = {field: read(variable, _parse_column, accepted) for field, variable in variables.items()}
    return Columns(**names, requires_alg=read("REQUIRE_ALG_COLUMN", _parse_boolean, "true or false"))


def _read_policy(read: _EnvironmentReader) -> Policy:
    return Policy(
        max_token_bytes=read("MAX_TOKEN_BYTES", *_number(1)),
        header=HeaderRules(
            algorithms=read("ALLOWED_ALGORITHMS", _parse_algorithms, f"a comma list of {', '.join(ALGORITHMS)}"),
            types=read("ACCEPTED_TYPES", _parse_types, "a comma list of `typ` values, at least one"),
        ),
        tag_claim=read("TAG_CLAIM", _parse_claim, "the name of a claim"),
        enforce_time_claims=read("ENFORCE_TIME_CLAIMS", _parse_boolean, "true or false"),
        leeway_seconds=read("LEEWAY_SECONDS", *_number(0)),
        required_claims=read("REQUIRED_CLAIMS", _parse_list, "empty, or a comma list of claims"),
        issuers=read("ISSUER", _parse_list, "empty, or a comma list of issuers"),
        audiences=read("AUDIENCE", _parse_list, "empty, or a comma list of audiences"),
        max_token_age_seconds=read("MAX_TOKEN_AGE_SECONDS", *_number_or_empty(0)),
        min_hmac_key_bytes=read("MIN_HMAC_KEY_BYTES", *_number_or_empty(1)),
        max_secrets_per_tag=read("MAX_SECRETS_PER_TAG", *_number(1)),
        credentials=read(
            "LOAD_CREDENTIALS",
            parse_credentials,
            "empty, or `$avp(NAME)=column` and `column` joined by semicolons, each name once",
        ),
    )


def _number(least: int, most: int = _MAX_NUMBER) -> tuple[Callable[[str], int], str]:
    def parse(text: str) -> int:
        digits = text.strip()
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > _MAX_DIGITS:
            raise ValueError
        value = int(digits)
        if not least <= value <= most:
            raise ValueError
        return value

    return parse, f"a whole number from {least} to {most}"


def _number_or_empty(least: int, most: int = _MAX_NUMBER) -> tuple[Callable[[str], int | None], str]:
    parse, accepted = _number(least, most)
    return lambda text: parse(text) if text.strip() else None, f"empty, or {accepted}"


def _parse_boolean(text: str) -> bool:
    value = {"true": True, "false": False}.get(text.strip().lower())
    if value is None:
        raise ValueError
    return value


def _one_of(words: type[_E]) -> tuple[Callable[[str], _E], str]:
    def parse(text: str) -> _E:
        word = text.strip().lower()
        if word not in list(words):
            raise ValueError
        return words(word)

    return parse, " or ".join(words)


def _parse_token_sources(text: str) -> tuple[TokenSource, ...]:
    sources = tuple(map(_parse_token_source, _parse_list(text)))
    if not sources:
        raise ValueError("at least one is needed")
    if len(set(sources)) != len(sources):
        raise ValueError("one is given twice")
    return sources


def _parse_token_source(item: str) -> TokenSource:
    word, _, name = (part.strip() for part in item.partition(":"))
    if word not in list(SourceKind) or not name or (word != SourceKind.QUERY and not _FIELD_NAME.fullmatch(name)):
        raise ValueError(f"{item!r} is not one of them")
    return TokenSource(SourceKind(word), name.lower() if word == SourceKind.HEADER else name)


def _parse_list(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    items = tuple(item.strip() for item in text.split(","))
    if not all(items):
        raise ValueError("an item is empty")
    return items


def _parse_algorithms(text: str) -> frozenset[str]:
    names = _parse_list(text)
    for name in names:
        if name not in ALGORITHMS:
            raise ValueError(f"{name!r} is not one of them; names are case-sensitive")
    if not names:
        raise ValueError("at least one is needed")
    return frozenset(names)


def _parse_types(text: str) -> frozenset[str]:
    types = _parse_list(text)
    if not types:
        raise ValueError("at least one is needed")
    return frozenset(item.lower() for item in types)


def _parse_claim(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


_TAG_WORDS: Final = f"the tag whose secret is rotated, 1 to {MAX_TAG_CHARACTERS} characters"


def _parse_tag(text: str) -> str:
    if not 0 < len(text) <= MAX_TAG_CHARACTERS:
        raise ValueError
    return text


def _parse_version(text: str) -> str:
    if not _VERSION_ARN.fullmatch(text):
        raise ValueError
    return text


def _or_none(parse: Callable[[str], _T]) -> Callable[[str], _T | None]:
    return lambda text: parse(text) if text else None


def _parse_column(text: str) -> str:
    if not text.strip() or len(text.encode("utf-8", "surrogatepass")) > _MAX_COLUMN_BYTES:
        raise ValueError
    return text


_TABLE_WORDS: Final = "the name or ARN of a table, 3 to 255 letters, digits, `_`, `-` or `.`"


def _parse_table(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise ValueError
    return text


def _parse_table_or_empty(text: str) -> str | None:
    return _parse_table(text) if text.strip() else None


def _parse_issuers(text: str) -> "IssuerPatterns | None":
    texts = _parse_list(text)
    if not texts:
        return None
    from auth_jwt.issuers.models import IssuerPatterns  # here, so that only users of issuers load it

    try:
        return IssuerPatterns.from_texts(texts)
    except Invalid as problem:
        raise (_Unshowable if "@" in text else ValueError)(str(problem)) from None


def _parse_file(text: str) -> "Path | None":
    if not text.strip():
        return None
    from pathlib import Path  # here, so that no login loads it

    path = Path(text)
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def _parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(item) for item in _parse_list(text))


def _parse_realm(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError
    return text


def _parse_authz_server(text: str) -> str | None:
    if not text:
        return None
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise _Unshowable("a URL that every challenge shows must hold no user or password")
    if parts.scheme != "https" or not parts.hostname or re.search(r'[\s"\\<>]|[^\x21-\x7e]', text):
        raise ValueError
    return text


def _parse_database(text: str) -> Database:
    """Read a `DB_URL`: the OpenSIPS module's `db_url`, for a database that takes no passwords."""
    if not text:
        return Database()
    scheme, separator, rest = text.partition("://")
    if "@" in text or (scheme.lower() == "dynamodb" and ":" in rest):
        raise _Unshowable("DynamoDB takes no user or password; give the function IAM permissions instead")
    scheme = scheme.lower()
    if scheme == "dynamodb" and separator:
        return Database(region=_parse_region(rest))
    transport = {"dynamodb+http": "http", "dynamodb+https": "https"}.get(scheme)
    if transport is None:
        raise ValueError
    insecure = transport == "http" and rest.endswith("?insecure=true")
    address, _, region = rest.removesuffix("?insecure=true" if insecure else "").partition("/")
    host = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", address)
    if host is None or not 0 < int(host[2]) < 65536:
        raise ValueError("host and port are needed")
    if transport == "http" and not insecure and not _is_loopback(host[1].strip("[]")):
        raise ValueError("plain http beyond this machine needs `?insecure=true` at the end")
    return Database(region=_parse_region(region), endpoint=f"{transport}://{address}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower() == "localhost"


def _parse_region(text: str) -> str | None:
    if text and not _REGION.fullmatch(text):
        raise ValueError(f"{text!r} is not a region")
    return text or None

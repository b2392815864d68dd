"""Every variable: its default, what it may be, and what a stranger reads when it is something else."""

from pathlib import Path
from typing import Final

import pytest

from auth_jwt.credentials import Credential
from auth_jwt.errors import BadSetting
from auth_jwt.jose.tokens import ALGORITHMS, HeaderRules
from auth_jwt.models import Columns, Policy
from auth_jwt.runtime.settings import (
    DEFAULTS,
    ENDING_DEFAULTS,
    FRONTEND_DEFAULTS,
    GATEWAY_AUTHORIZER_DEFAULTS,
    LOG_DEFAULTS,
    REFRESH_DEFAULTS,
    RELEASE_CHECK_DEFAULTS,
    ROTATION_DEFAULTS,
    AuthorizedLog,
    AuthorizerRefusal,
    AuthorizerResponse,
    ClientCertificates,
    Database,
    DynamoDbClient,
    EndingSettings,
    FrontendSettings,
    GatewayAuthorizerSettings,
    LogSettings,
    RefreshSettings,
    ReleaseCheckSettings,
    RotationSettings,
    Settings,
    SourceKind,
    TokenSource,
    near_misses,
)


def settings(**env: str) -> Settings:
    return Settings.from_env(env)


def refusal(**env: str) -> str:
    with pytest.raises(BadSetting) as caught:
        settings(**env)
    return str(caught.value)


def test_an_empty_environment_is_all_defaults() -> None:
    assert settings() == Settings(
        database=Database(),
        profiles_table="jwt_profiles",
        secrets_table="jwt_secrets",
        revocations_table=None,
        columns=Columns(),
        policy=Policy(),
        cache_ttl=60,
        stale_if_error=300,
        store_timeout=1.5,
        dynamodb_client=DynamoDbClient.EXPRESS,
        issuer_patterns=None,
        keys_lifetime=93600,
        challenge_realm="sip",
        authz_server=None,
    )


def test_the_documented_defaults_are_the_defaults() -> None:
    """What the documentation lists and what the code assumes cannot drift apart."""
    assert settings(**DEFAULTS) == settings()


def test_every_column_has_its_variable() -> None:
    variables = [name for name in DEFAULTS if name.endswith("_COLUMN") and name != "REQUIRE_ALG_COLUMN"]

    columns = settings(**{name: f"my {name}" for name in variables}).columns

    assert columns == Columns(
        tag="my TAG_COLUMN",
        username="my USERNAME_COLUMN",
        domain="my DOMAIN_COLUMN",
        disabled="my DISABLED_COLUMN",
        valid_after="my VALID_AFTER_COLUMN",
        secret_tag="my SECRET_TAG_COLUMN",
        secret="my SECRET_COLUMN",
        start="my START_TS_COLUMN",
        end="my END_TS_COLUMN",
        alg="my ALG_COLUMN",
        kid="my KID_COLUMN",
    )


def test_every_rule_has_its_variable() -> None:
    policy = settings(
        MAX_TOKEN_BYTES="100",
        ALLOWED_ALGORITHMS="ES256, EdDSA",
        ACCEPTED_TYPES="JWT, at+JWT",
        TAG_CLAIM="https://example.org/tag",
        ENFORCE_TIME_CLAIMS="False",
        LEEWAY_SECONDS="5",
        REQUIRED_CLAIMS="exp, jti",
        ISSUER="https://a.example, https://b.example",
        AUDIENCE="sip",
        MAX_TOKEN_AGE_SECONDS="3600",
        MIN_HMAC_KEY_BYTES="16",
        MAX_SECRETS_PER_TAG="7",
        LOAD_CREDENTIALS="$avp(a)=b; c",
    ).policy

    assert policy == Policy(
        max_token_bytes=100,
        header=HeaderRules(frozenset({"ES256", "EdDSA"}), frozenset({"jwt", "at+jwt"})),
        tag_claim="https://example.org/tag",
        enforce_time_claims=False,
        leeway_seconds=5,
        required_claims=("exp", "jti"),
        issuers=("https://a.example", "https://b.example"),
        audiences=("sip",),
        max_token_age_seconds=3600,
        min_hmac_key_bytes=16,
        max_secrets_per_tag=7,
        credentials=(Credential("a", "b"), Credential("c", "c")),
    )


def test_the_rest_has_its_variables() -> None:
    read = settings(
        PROFILES_TABLE="p.1",
        SECRETS_TABLE="arn:aws:dynamodb:eu-central-1:123456789012:table/secrets",
        CACHE_TTL_SECONDS="0",
        STALE_IF_ERROR_SECONDS="0",
        STORE_TIMEOUT_MS="250",
        DYNAMODB_CLIENT=" Boto3 ",
        CHALLENGE_REALM='say "hi"',
        AUTHZ_SERVER="https://login.example.org/authorize?x=1",
    )

    assert read.profiles_table == "p.1"
    assert read.secrets_table.endswith("table/secrets")
    assert (read.cache_ttl, read.stale_if_error, read.store_timeout) == (0, 0, 0.25)
    assert read.dynamodb_client is DynamoDbClient.BOTO3
    assert read.challenge_realm == 'say "hi"'
    assert read.authz_server == "https://login.example.org/authorize?x=1"


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("dynamodb://", Database()),
        ("dynamodb://eu-west-1", Database(region="eu-west-1")),
        ("dynamodb://us-gov-west-1", Database(region="us-gov-west-1")),
        ("dynamodb+http://localhost:8000", Database(endpoint="http://localhost:8000")),
        ("dynamodb+http://127.0.0.1:8000/eu-west-1", Database("eu-west-1", "http://127.0.0.1:8000")),
        ("dynamodb+http://[::1]:8000", Database(endpoint="http://[::1]:8000")),
        ("dynamodb+https://db.example.org:443/eu-west-1", Database("eu-west-1", "https://db.example.org:443")),
        ("DynamoDB+HTTP://LOCALHOST:8000", Database(endpoint="http://LOCALHOST:8000")),
        ("dynamodb+http://[0:0:0:0:0:0:0:1]:8000", Database(endpoint="http://[0:0:0:0:0:0:0:1]:8000")),
        ("dynamodb+http://db:8000?insecure=true", Database(endpoint="http://db:8000")),
        ("dynamodb+http://db:8000/eu-west-1?insecure=true", Database("eu-west-1", "http://db:8000")),
    ],
)
def test_database_url(url: str, database: Database) -> None:
    assert settings(DB_URL=url).database == database


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/opensips",
        "dynamodb",
        "dynamodb://Frankfurt",
        "dynamodb+http://localhost",
        "dynamodb+http://localhost:0",
        "dynamodb+http://localhost:65536",
        "dynamodb+http://localhost:8000/nowhere",
        "dynamodb+http://db:8000",
        "dynamodb+http://db:8000?insecure=false",
        "dynamodb+http://127.0.0.1.example.org:8000",
        "dynamodb+http://127.0.0.999:8000",
        "dynamodb+https://db:٣",
        "dynamodb+https://db:8000?insecure=true",
        "dynamodb+http://localhost:8000/a/b",
        "dynamodb+ftp://localhost:8000",
    ],
)
def test_a_database_url_that_cannot_be(url: str) -> None:
    message = refusal(DB_URL=url)

    assert message.startswith(f"DB_URL={url!r} is refused")
    assert "dynamodb://[region]" in message


@pytest.mark.parametrize("url", ["dynamodb+https://admin:hunter2@db.example.org:443", "dynamodb://admin:hunter2"])
def test_a_database_url_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    message = refusal(DB_URL=url)

    assert "IAM" in message
    assert "hunter2" not in message
    assert "admin" not in message


def test_an_authorization_server_with_a_password_is_refused_and_not_repeated() -> None:
    assert "hunter2" not in refusal(AUTHZ_SERVER="https://admin:hunter2@login.example.org")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUTHZ_SERVER", "https:/admin:hunter2@login.example.org"),
        ("AUTHZ_SERVER", "https://admin:hunter2@[login.example.org"),
        ("AUTHZ_SERVER", "https://admin:hunter2@login\u2100.example.org"),
        ("PROFILES_TABLE", "mysql://admin:hunter2@db.example.org/opensips"),
        ("LOAD_CREDENTIALS", "mysql://admin:hunter2@db.example.org/opensips;("),
        ("CACHE_TTL_SECONDS", "redis://admin:hunter2@cache"),
    ],
)
def test_a_url_in_a_variable_that_takes_none_such_is_not_repeated(variable: str, value: str) -> None:
    """Whoever moves in may put `db_url`, with its password, anywhere; and the error is in the log."""
    message = refusal(**{variable: value})

    assert message.startswith(f"{variable} is refused")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("PROFILES_TABLE", "", "the name or ARN of a table"),
        ("SECRETS_TABLE", "my table", "the name or ARN of a table"),
        ("SECRETS_TABLE", "ab", "3 to 255"),
        ("TAG_COLUMN", "", "the name of a column"),
        ("SECRET_COLUMN", "x" * 256, "1 to 255 bytes"),
        ("TAG_CLAIM", " ", "the name of a claim"),
        ("LOAD_CREDENTIALS", "$avp(a=b", "`$avp(NAME)=column`"),
        ("LOAD_CREDENTIALS", "a;;b", "joined by semicolons"),
        ("ALLOWED_ALGORITHMS", "HS256,none", "'none' is not one of them"),
        ("ALLOWED_ALGORITHMS", "hs256", "names are case-sensitive"),
        ("ALLOWED_ALGORITHMS", "", "at least one is needed"),
        ("ALLOWED_ALGORITHMS", "HS256,", "an item is empty"),
        ("ACCEPTED_TYPES", "", "at least one"),
        ("ENFORCE_TIME_CLAIMS", "yes", "true or false"),
        ("ENFORCE_TIME_CLAIMS", "", "true or false"),
        ("LEEWAY_SECONDS", "-1", "a whole number from 0"),
        ("LEEWAY_SECONDS", "1.5", "a whole number"),
        ("LEEWAY_SECONDS", "1_0", "a whole number"),
        ("LEEWAY_SECONDS", "٣", "a whole number"),
        ("LEEWAY_SECONDS", "9" * 5000, "a whole number"),
        ("LEEWAY_SECONDS", "1000000001", "to 1000000000"),
        ("REQUIRED_CLAIMS", "exp,,jti", "an item is empty"),
        ("ISSUER", ",", "an item is empty"),
        ("AUDIENCE", "a,", "an item is empty"),
        ("MAX_TOKEN_AGE_SECONDS", "soon", "empty, or a whole number from 0"),
        ("MIN_HMAC_KEY_BYTES", "0", "empty, or a whole number from 1"),
        ("MAX_SECRETS_PER_TAG", "0", "a whole number from 1"),
        ("MAX_SECRETS_PER_TAG", "", "a whole number from 1"),
        ("REVOCATIONS_TABLE", "ab", "empty, or the name or ARN of a table"),
        ("REVOCATIONS_TABLE", "revoked tokens", "empty, or the name or ARN of a table"),
        ("ISSUERS", "http://login.example.com", "an issuer is an https URL"),
        ("ISSUERS", "login.example.com", "https URLs as tokens name them in `iss`"),
        ("ISSUERS", "https://", "with a host"),
        ("ISSUERS", "https://login.example.com/{tenantid}/v2.0", "to fill in"),
        ("ISSUERS", "https://login.example.com?a=b", "no query"),
        ("ISSUERS", f"https://login.example.com/{'x' * 128}", "at most 128 characters"),
        ("ISSUERS", "https://login.example.com,", "an item is empty"),
        ("ISSUERS", "https://login.example.com,https://login.example.com", "one is given twice"),
        ("ISSUERS", "https://login.example.com*", "a `*` follows `https://host/`"),
        ("ISSUERS", "https://a.example/*,https://b.example*", "a `*` follows `https://host/`"),
        ("ISSUERS", "https://*", "an issuer is an https URL with a host"),
        ("ISSUERS", "*", "an issuer is an https URL"),
        ("ISSUERS", "https://login.example.com/*/sip", "at the end only"),
        ("ISSUERS", "https://login.example.com/**", "at the end only"),
        ("KEYS_LIFETIME_SECONDS", "3599", "a whole number from 3600 to 604800"),
        ("KEYS_LIFETIME_SECONDS", "604801", "a whole number from 3600 to 604800"),
        ("KEYS_LIFETIME_SECONDS", "", "a whole number from 3600 to 604800"),
        ("MAX_TOKEN_BYTES", "0", "a whole number from 1"),
        ("CACHE_TTL_SECONDS", "", "a whole number from 0"),
        ("STALE_IF_ERROR_SECONDS", "five", "a whole number from 0"),
        ("STORE_TIMEOUT_MS", "0", "a whole number from 1"),
        ("DYNAMODB_CLIENT", "", "express or boto3"),
        ("DYNAMODB_CLIENT", "botocore", "express or boto3"),
        ("CHALLENGE_REALM", "", "printable ASCII"),
        ("CHALLENGE_REALM", "a\r\nX: y", "printable ASCII"),
        ("CHALLENGE_REALM", "smörgås", "printable ASCII"),
        ("AUTHZ_SERVER", "http://login.example.org", "https"),
        ("AUTHZ_SERVER", "login.example.org", "https"),
        ("AUTHZ_SERVER", "https://", "https"),
        ("AUTHZ_SERVER", 'https://a"b', "https"),
        ("AUTHZ_SERVER", "https://a/ä", "https"),
        ("AUTHZ_SERVER", "https://a/\x7f", "https"),
        ("TAG_COLUMN", " ", "the name of a column"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_is_accepted(variable: str, value: str, accepted: str) -> None:
    message = refusal(**{variable: value})

    assert message.startswith(f"{variable}={value!r} is refused")
    assert accepted in message


@pytest.mark.parametrize(
    ("variable", "least", "most"),
    [
        ("LEEWAY_SECONDS", 0, 10**9),
        ("MAX_TOKEN_AGE_SECONDS", 0, 10**9),
        ("MIN_HMAC_KEY_BYTES", 1, 10**9),
        ("MAX_SECRETS_PER_TAG", 1, 10**9),
        ("MAX_TOKEN_BYTES", 1, 10**9),
        ("CACHE_TTL_SECONDS", 0, 10**9),
        ("STALE_IF_ERROR_SECONDS", 0, 10**9),
        ("STORE_TIMEOUT_MS", 1, 10**9),
        ("KEYS_LIFETIME_SECONDS", 3600, 7 * 86400),
    ],
)
def test_a_number_has_its_bounds(variable: str, least: int, most: int) -> None:
    for number in (least, most):
        assert settings(**{variable: f" {number} "}) is not None
    for number in (least - 1, most + 1):
        assert f"a whole number from {least} to {most}" in refusal(**{variable: str(number)})


@pytest.mark.parametrize("variable", ["MAX_TOKEN_AGE_SECONDS", "MIN_HMAC_KEY_BYTES"])
@pytest.mark.parametrize("text", ["", " "], ids=["empty", "blank"])
def test_a_number_that_may_be_empty_may_be_blank(variable: str, text: str) -> None:
    assert settings(**{variable: text}) == settings()


@pytest.mark.parametrize(("text", "value"), [(" TRUE ", True), ("true", True), ("False", False)])
def test_a_boolean_may_be_in_any_case(text: str, value: bool) -> None:
    assert settings(REQUIRE_ALG_COLUMN=text).columns.requires_alg is value


@pytest.mark.parametrize(
    ("variable", "longest"),
    [
        pytest.param("TAG_COLUMN", "x" * 255, id="a column"),
        pytest.param("TAG_COLUMN", "x" + "ü" * 127, id="a column beyond ASCII"),
        pytest.param("PROFILES_TABLE", "x" * 255, id="a table"),
        pytest.param("PROFILES_TABLE", "arn:" + "x" * 1000, id="a table by its ARN"),
    ],
)
def test_a_name_has_as_many_bytes_as_dynamodb_takes(variable: str, longest: str) -> None:
    assert settings(**{variable: longest}) is not None
    assert variable in refusal(**{variable: f"{longest}x"})


def test_a_table_may_have_a_name_of_three_characters() -> None:
    assert settings(PROFILES_TABLE="a.b").profiles_table == "a.b"


@pytest.mark.parametrize("port", [1, 65535])
def test_a_database_may_have_any_port(port: int) -> None:
    assert settings(DB_URL=f"dynamodb+https://db:{port}").database == Database(endpoint=f"https://db:{port}")


@pytest.mark.parametrize(
    ("text", "issuer", "is_judged"),
    [
        pytest.param("https://a.example/", "https://a.example/", True, id="the issuer itself"),
        pytest.param("https://a.example/", "https://a.example", False, id="a slash less"),
        pytest.param("https://a.example", "https://a.example/", False, id="a slash more"),
        pytest.param("https://a.example", "https://A.example", False, id="another case"),
        pytest.param("https://b.example , https://a.example", "https://a.example", True, id="the second of two"),
        pytest.param("https://a.example/realms/*", "https://a.example/realms/sip", True, id="one that begins so"),
        pytest.param("https://a.example/realms/*", "https://a.example/realms", False, id="one that is shorter"),
        pytest.param("https://a.example/*", "https://a.example.evil.example/", False, id="another host"),
        pytest.param("https://a.example/*", ["https://a.example/"], False, id="no text"),
    ],
)
def test_an_issuer_is_compared_exactly_or_by_its_beginning(text: str, issuer: object, is_judged: bool) -> None:
    patterns = settings(ISSUERS=text).issuer_patterns

    assert patterns is not None
    assert patterns.match(issuer) is is_judged


def test_a_password_in_an_issuer_is_not_repeated() -> None:
    assert "pa55" not in refusal(ISSUERS="https://operator:pa55@login.example.com/")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        pytest.param("", None, id="empty"),
        pytest.param(" ", None, id="blank"),
        pytest.param("jwt_revocations", "jwt_revocations", id="a name"),
        pytest.param("arn:aws:dynamodb:eu-west-1:1:table/r", "arn:aws:dynamodb:eu-west-1:1:table/r", id="an ARN"),
    ],
)
def test_a_table_of_revoked_tokens_is_there_when_it_is_named(text: str, table: str | None) -> None:
    read = settings(REVOCATIONS_TABLE=text)

    assert read.revocations_table == table
    assert read.tables == ("jwt_profiles", "jwt_secrets", *([table] if table else []))


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("TOKEN_SOURCE", "TOKEN_SOURCES"),
        ("TAG_COLUM", "TAG_COLUMN"),
        ("ISSUER_", "ISSUER"),
        ("LEEWAY_SECOND", "LEEWAY_SECONDS"),
        ("Db_Url", "DB_URL"),
        ("CACHE_TTL", "CACHE_TTL_SECONDS"),
        ("MAX_TOKEN_AGE", "MAX_TOKEN_AGE_SECONDS"),
        ("SECRETS_TABLE_NAME", "SECRETS_TABLE"),
    ],
)
def test_a_variable_that_nearly_spells_one_of_ours_is_noticed(misspelt: str, meant: str) -> None:
    assert near_misses({misspelt: "x", "TAG_CLAIM": "tag"}) == {misspelt: meant}


def test_what_lambda_itself_sets_is_not_taken_for_a_misspelling() -> None:
    lambda_variables = """_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV
        AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION
        AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY_ID
        AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR LANG PATH
        LD_LIBRARY_PATH NODE_PATH PYTHONPATH GEM_PATH AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS TZ PWD SHLVL
        POWERTOOLS_SERVICE_NAME POWERTOOLS_METRICS_NAMESPACE POWERTOOLS_LOG_LEVEL HOME USER LOGNAME HOSTNAME"""

    assert near_misses(dict.fromkeys(lambda_variables.split(), "x")) == {}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("AWS_SECRETS_TABLE", id="of AWS"),
        pytest.param("POWERTOOLS_GATEWAY_AUTHORIZER_VERSION", id="of Powertools"),
        pytest.param("CACHE", id="one word with which one of ours begins"),
        pytest.param("TABLES_TO_READ", id="words that are also in ours"),
        pytest.param("USER_TABLE", id="half of one of ours"),
    ],
)
def test_a_variable_of_somebody_elses_is_no_misspelling(name: str) -> None:
    assert near_misses({name: "x"}) == {}


EVERYBODYS = [
    *(*DEFAULTS, *FRONTEND_DEFAULTS, *GATEWAY_AUTHORIZER_DEFAULTS, *LOG_DEFAULTS),
    *(*ROTATION_DEFAULTS, *REFRESH_DEFAULTS, *ENDING_DEFAULTS, *RELEASE_CHECK_DEFAULTS),
]


@pytest.mark.parametrize("variable", EVERYBODYS)
def test_a_setting_of_any_function_is_no_misspelling(variable: str) -> None:
    assert near_misses({variable: "x"}) == {}


class TestFrontends:
    """The variable of the function for SIP frontends."""

    def test_an_empty_environment_is_the_default(self) -> None:
        optional = FrontendSettings(client_certificates=ClientCertificates.OPTIONAL)

        assert FrontendSettings.from_env({}) == FrontendSettings.from_env(FRONTEND_DEFAULTS) == optional

    def test_a_word_may_be_in_any_case(self) -> None:
        read = FrontendSettings.from_env({"CLIENT_CERTIFICATES": " Required"})

        assert read.client_certificates is ClientCertificates.REQUIRED

    @pytest.mark.parametrize("value", ["", "true", "require"])
    def test_no_other_word_is_taken_for_optional(self, value: str) -> None:
        with pytest.raises(BadSetting) as caught:
            FrontendSettings.from_env({"CLIENT_CERTIFICATES": value})

        assert str(caught.value) == f"CLIENT_CERTIFICATES={value!r} is refused; accepted: optional or required"


class TestAuthorizer:
    """The variables of API Gateway's authorizer."""

    def test_an_empty_environment_is_all_defaults(self) -> None:
        assert GatewayAuthorizerSettings.from_env({}) == GatewayAuthorizerSettings(
            response=AuthorizerResponse.SIMPLE,
            refusal=AuthorizerRefusal.UNAUTHORIZED,
            token_sources=(TokenSource(SourceKind.HEADER, "authorization"),),
        )

    def test_the_defaults_are_what_they_are_documented_to_be(self) -> None:
        assert GatewayAuthorizerSettings.from_env(GATEWAY_AUTHORIZER_DEFAULTS) == GatewayAuthorizerSettings.from_env({})

    def test_words_may_be_in_any_case(self) -> None:
        read = GatewayAuthorizerSettings.from_env({"AUTHORIZER_RESPONSE": " IAM", "AUTHORIZER_REFUSAL": "Deny"})

        assert (read.response, read.refusal) == (AuthorizerResponse.IAM, AuthorizerRefusal.DENY)

    def test_sources_keep_their_order_and_only_headers_lose_their_case(self) -> None:
        read = GatewayAuthorizerSettings.from_env(
            {"TOKEN_SOURCES": "cookie:Token, header: X-Token ,query:Access Token"}
        )

        assert read.token_sources == (
            TokenSource(SourceKind.COOKIE, "Token"),
            TokenSource(SourceKind.HEADER, "x-token"),
            TokenSource(SourceKind.QUERY, "Access Token"),
        )

    @pytest.mark.parametrize(
        ("variable", "value", "accepted"),
        [
            ("AUTHORIZER_RESPONSE", "policy", "simple or iam"),
            ("AUTHORIZER_RESPONSE", "", "simple or iam"),
            ("AUTHORIZER_REFUSAL", "401", "unauthorized or deny"),
            ("TOKEN_SOURCES", "", "at least one"),
            ("TOKEN_SOURCES", "header:authorization,", "an item is empty"),
            ("TOKEN_SOURCES", "authorization", "header:NAME"),
            ("TOKEN_SOURCES", "header:", "header:NAME"),
            ("TOKEN_SOURCES", "body:token", "'body:token' is not one of them"),
            ("TOKEN_SOURCES", "header:my token", "'header:my token' is not one of them"),
            ("TOKEN_SOURCES", "cookie:a=b", "'cookie:a=b' is not one of them"),
            ("TOKEN_SOURCES", "header:Authorization,header:authorization", "one is given twice"),
        ],
    )
    def test_a_value_that_cannot_be_is_named_with_what_is_accepted(
        self, variable: str, value: str, accepted: str
    ) -> None:
        with pytest.raises(BadSetting) as caught:
            GatewayAuthorizerSettings.from_env({variable: value})

        assert str(caught.value).startswith(f"{variable}={value!r} is refused")
        assert accepted in str(caught.value)


class TestLog:
    """The variables that say what the log holds of authorized requests."""

    def test_an_empty_environment_writes_every_line_whole(self) -> None:
        assert LogSettings.from_env({}) == LogSettings.from_env(LOG_DEFAULTS) == LogSettings()
        assert LogSettings() == LogSettings(authorized=AuthorizedLog.FULL, authorized_percent=100)

    def test_both_can_be_chosen(self) -> None:
        read = LogSettings.from_env({"AUTHORIZED_LOG": " Lean", "AUTHORIZED_LOG_PERCENT": "0"})

        assert read == LogSettings(authorized=AuthorizedLog.LEAN, authorized_percent=0)

    @pytest.mark.parametrize(
        ("variable", "value", "accepted"),
        [
            ("AUTHORIZED_LOG", "", "full or lean"),
            ("AUTHORIZED_LOG", "none", "full or lean"),
            ("AUTHORIZED_LOG_PERCENT", "", "a whole number from 0 to 100"),
            ("AUTHORIZED_LOG_PERCENT", "101", "a whole number from 0 to 100"),
            ("AUTHORIZED_LOG_PERCENT", "0.5", "a whole number from 0 to 100"),
            ("AUTHORIZED_LOG_PERCENT", "-1", "a whole number from 0 to 100"),
        ],
    )
    def test_a_value_that_cannot_be_is_named_with_what_is_accepted(
        self, variable: str, value: str, accepted: str
    ) -> None:
        with pytest.raises(BadSetting) as caught:
            LogSettings.from_env({variable: value})

        assert str(caught.value) == f"{variable}={value!r} is refused; accepted: {accepted}"


class TestRotation:
    """The variables of the rotation of secrets."""

    TAG: Final = {"ROTATED_TAG": "alice-web"}

    def test_with_a_tag_all_else_has_a_default(self) -> None:
        expected = RotationSettings(tag="alice-web", overlap=86400, lifetime=100 * 86400)

        assert RotationSettings.from_env(self.TAG) == expected

    def test_the_defaults_are_what_they_are_documented_to_be(self) -> None:
        assert RotationSettings.from_env({**ROTATION_DEFAULTS, **self.TAG}) == RotationSettings.from_env(self.TAG)

    @pytest.mark.parametrize("env", [{}, {"ROTATED_TAG": ""}, {"ROTATED_TAG": "t" * 129}])
    def test_whose_secret_it_is_has_to_be_said(self, env: dict[str, str]) -> None:
        """What the secret in Secrets Manager says of it, whoever writes that could say."""
        with pytest.raises(BadSetting, match=r"ROTATED_TAG=.* is refused; accepted: the tag .* 1 to 128 characters"):
            RotationSettings.from_env(env)

    @pytest.mark.parametrize("tag", ["a", "t" * 128, " Alice\t", "ünï"])
    def test_a_tag_is_taken_as_it_stands(self, tag: str) -> None:
        assert RotationSettings.from_env({"ROTATED_TAG": tag}).tag == tag

    @pytest.mark.parametrize("variable", ["ROTATION_OVERLAP_SECONDS", "SECRET_LIFETIME_SECONDS"])
    @pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "a day", "1000000001"])
    def test_a_value_that_cannot_be_is_named_with_what_is_accepted(self, variable: str, value: str) -> None:
        with pytest.raises(BadSetting) as caught:
            RotationSettings.from_env({**self.TAG, variable: value})

        assert str(caught.value).startswith(f"{variable}={value!r} is refused")
        assert "a whole number from 1 to" in str(caught.value)

    def test_a_secret_that_outlives_the_overlap_by_a_second_will_do(self) -> None:
        env = {**self.TAG, "ROTATION_OVERLAP_SECONDS": "100", "SECRET_LIFETIME_SECONDS": "101"}

        assert RotationSettings.from_env(env) == RotationSettings(tag="alice-web", overlap=100, lifetime=101)

    def test_a_secret_that_ends_with_the_overlap_will_not(self) -> None:
        with pytest.raises(BadSetting, match=r"SECRET_LIFETIME_SECONDS=100 is refused: .* more than .* 100"):
            RotationSettings.from_env({**self.TAG, "ROTATION_OVERLAP_SECONDS": "100", "SECRET_LIFETIME_SECONDS": "100"})


class TestEnding:
    """The variables of the check for secrets that end."""

    def test_all_have_defaults(self) -> None:
        expected = EndingSettings(within_days=30, rotated_tag=None, rotation_days=None, overlap=86400)

        assert EndingSettings.from_env({}) == EndingSettings.from_env(ENDING_DEFAULTS) == EndingSettings() == expected

    def test_a_rotated_tag_has_its_days(self) -> None:
        env = {"ROTATED_TAG": "alice-web", "ROTATION_DAYS": "7", "ROTATION_OVERLAP_SECONDS": "60"}

        assert EndingSettings.from_env(env) == EndingSettings(rotated_tag="alice-web", rotation_days=7, overlap=60)

    @pytest.mark.parametrize(
        ("variable", "least", "most"),
        [
            ("SECRETS_END_WITHIN_DAYS", 1, 3650),
            ("ROTATION_DAYS", 1, 1000),
            ("ROTATION_OVERLAP_SECONDS", 1, 10**9),
            ("MAX_READ_UNITS", 1, 10**9),
        ],
    )
    def test_a_number_has_its_bounds(self, variable: str, least: int, most: int) -> None:
        tag = {"ROTATED_TAG": "alice-web", "ROTATION_DAYS": "30"}
        fields = {
            "SECRETS_END_WITHIN_DAYS": "within_days",
            "ROTATION_DAYS": "rotation_days",
            "ROTATION_OVERLAP_SECONDS": "overlap",
            "MAX_READ_UNITS": "max_read_units",
        }
        for number in (least, most):
            read = EndingSettings.from_env({**tag, variable: str(number)})
            assert getattr(read, fields[variable]) == number
        for number in (least - 1, most + 1):
            with pytest.raises(BadSetting, match=f"a whole number from {least} to {most}"):
                EndingSettings.from_env({**tag, variable: str(number)})

    def test_days_without_a_tag_say_nothing(self) -> None:
        assert EndingSettings.from_env({"ROTATION_DAYS": "30"}) == EndingSettings()

    def test_a_tag_without_days_is_named(self) -> None:
        with pytest.raises(BadSetting, match=r"ROTATION_DAYS='' is refused: .*; accepted: the days from one rotation"):
            EndingSettings.from_env({"ROTATED_TAG": "alice-web"})

    @pytest.mark.parametrize(
        ("variable", "value", "accepted"),
        [
            *(("SECRETS_END_WITHIN_DAYS", text, "from 1 to 3650") for text in ("", "0", "3651", "-1", "30d", "1.5")),
            *(("ROTATION_DAYS", text, "empty, or a whole number from 1 to 1000") for text in ("0", "1001", "a month")),
            *(("MAX_READ_UNITS", text, "empty, or a whole number from 1 to") for text in ("0", "all")),
            ("ROTATED_TAG", "t" * 129, "empty, or the tag whose secret is rotated, 1 to 128 characters"),
        ],
    )
    def test_a_value_that_cannot_be_is_named_with_what_is_accepted(
        self, variable: str, value: str, accepted: str
    ) -> None:
        with pytest.raises(BadSetting) as caught:
            EndingSettings.from_env({variable: value})

        assert str(caught.value).startswith(f"{variable}={value!r} is refused")
        assert accepted in str(caught.value)


class TestReleaseCheck:
    """The variables of the check of a release."""

    VERSION: Final = "arn:aws:lambda:eu-central-1:123456789012:function:authorize:7"

    def test_the_version_that_is_checked_has_to_be_said_and_all_else_has_a_default(self) -> None:
        expected = ReleaseCheckSettings(
            canary_tag=None, authorize_version=self.VERSION, gateway_authorizer_version=None
        )

        assert ReleaseCheckSettings.from_env({"AUTHORIZE_VERSION": self.VERSION}) == expected
        assert ReleaseCheckSettings.from_env({**RELEASE_CHECK_DEFAULTS, "AUTHORIZE_VERSION": self.VERSION}) == expected

    def test_a_canary_and_another_function_can_be_named(self) -> None:
        gateway = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:" + "g" * 64 + ":10"

        read = ReleaseCheckSettings.from_env(
            {"AUTHORIZE_VERSION": self.VERSION, "GATEWAY_AUTHORIZER_VERSION": gateway, "CANARY_TAG": "t" * 128}
        )

        assert (read.gateway_authorizer_version, read.canary_tag) == (gateway, "t" * 128)

    @pytest.mark.parametrize(
        ("variable", "value", "accepted"),
        [
            *(
                ("AUTHORIZE_VERSION", value, "accepted: the ARN of a version of a function, with its number at the end")
                for value in ("", "authorize", VERSION.rpartition(":")[0], f"{VERSION}x", VERSION.replace("12:", "1:"))
            ),
            ("GATEWAY_AUTHORIZER_VERSION", "gateway", "accepted: empty, or the ARN of a version of a function"),
            ("CANARY_TAG", "t" * 129, "accepted: empty, or a tag of at most 128 characters"),
        ],
    )
    def test_a_value_that_cannot_be_is_named_with_what_is_accepted(
        self, variable: str, value: str, accepted: str
    ) -> None:
        with pytest.raises(BadSetting) as caught:
            ReleaseCheckSettings.from_env({"AUTHORIZE_VERSION": self.VERSION, variable: value})

        assert str(caught.value).startswith(f"{variable}={value!r} is refused")
        assert accepted in str(caught.value)


def test_every_algorithm_may_be_listed() -> None:
    assert settings(ALLOWED_ALGORITHMS=",".join(ALGORITHMS)).policy.header.algorithms == set(ALGORITHMS)


class TestRefreshing:
    """The variables that only the refresh of issuers' keys reads."""

    def test_none_of_them_trusts_the_systems_authorities_and_public_addresses_alone(self) -> None:
        assert RefreshSettings.from_env({}) == RefreshSettings.from_env(REFRESH_DEFAULTS) == RefreshSettings()

    def test_networks_are_a_comma_list(self) -> None:
        read = RefreshSettings.from_env({"KEYS_ACCEPTED_NETWORKS": "10.1.0.0/16, fd00::/8"})

        assert list(map(str, read.accepted_networks)) == ["10.1.0.0/16", "fd00::/8"]

    @pytest.mark.parametrize("text", ["10.1.0.0/33", "10.0.0.1/8", "private", "10.1.0.0/16,"])
    def test_what_is_no_network_is_named(self, text: str) -> None:
        with pytest.raises(BadSetting, match="a comma list of networks such as") as caught:
            RefreshSettings.from_env({"KEYS_ACCEPTED_NETWORKS": text})

        assert f"KEYS_ACCEPTED_NETWORKS={text!r}" in str(caught.value)

    @pytest.mark.parametrize("text", ["", " "], ids=["empty", "blank"])
    def test_a_bundle_that_is_not_named_is_none(self, text: str) -> None:
        assert RefreshSettings.from_env({"KEYS_CA_BUNDLE": text}).ca_bundle is None

    def test_a_bundle_is_a_file_that_is_there(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.pem"
        file.touch()

        assert RefreshSettings.from_env({"KEYS_CA_BUNDLE": str(file)}).ca_bundle == file
        with pytest.raises(BadSetting, match="there is no such file"):
            RefreshSettings.from_env({"KEYS_CA_BUNDLE": str(tmp_path)})

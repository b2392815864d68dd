"""`config check`: each thing that is wrong with the settings and the tables is named, with its remedy."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient

from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.checks import Severity, bad_settings, clock_findings, function_findings
from tests.command_line import TAG, CommandLine, a_command_line
from tests.contract.servers import a_dynamodb, an_error
from tools.events.stage import REGION, REVOCATIONS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES = ("jwt_profiles", "jwt_secrets", REVOCATIONS)


@pytest.fixture(name="auth_jwt")
def _auth_jwt(tmp_path: Path) -> Iterator[CommandLine]:
    with a_command_line(tmp_path) as command_line:
        yield command_line


@pytest.fixture(name="dynamodb")
def _dynamodb(auth_jwt: CommandLine) -> "DynamoDBClient":
    """The client of an operator who did all that the template does."""
    client = boto3.client("dynamodb", region_name=REGION)
    for table in TABLES:
        described = client.describe_table(TableName=table)["Table"]
        client.delete_table(TableName=table)
        client.create_table(
            TableName=table,
            KeySchema=described["KeySchema"],
            AttributeDefinitions=described["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            SSESpecification={"Enabled": True, "SSEType": "KMS"},
        )
        client.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    expire(client, REVOCATIONS, "expires_at")
    auth_jwt("profile", "add", TAG, "--username", "alice", "--attribute", "tier=gold", "--generate")
    return client


def expire(client: "DynamoDBClient", table: str, attribute: str, *, enabled: bool = True) -> None:
    client.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
    )


def found(auth_jwt: CommandLine, *arguments: str, exit_code: int = 0) -> list[tuple[str, str, str]]:
    """Severity, subject and text of each finding."""
    document = auth_jwt.json("config", "check", *arguments, exit_code=exit_code)
    assert all(finding["remedy"] for finding in document["findings"])
    return [(finding["severity"], finding["about"], finding["text"]) for finding in document["findings"]]


def is_missing(table: str) -> str:
    """What every command says of a table that is not there."""
    return (
        f"dynamodb:DescribeTable on table '{table}' is refused: ResourceNotFoundException. It does not exist in region "
        "eu-central-1 of account 123456789012. Check its name, --region and --profile: `auth-jwt target` shows where "
        "each comes from"
    )


def test_what_is_as_the_template_makes_it_has_no_findings(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    shown = auth_jwt("config", "check", "--strict")

    assert shown.stdout == "0 errors, 0 warnings\n"


def test_every_bad_setting_is_named_and_not_only_the_first(auth_jwt: CommandLine) -> None:
    bad = {"TAG_COLUMN": "", "CACHE_TTL_SECONDS": "x", "STORE_TIMEOUT_MS": "0", "TOKEN_SOURCES": "nowhere"}
    bad["AUTHORIZED_LOG_PERCENT"] = "101"
    assert set(bad_settings(bad)) == set(bad)

    given = [word for name, value in bad.items() for word in ("--set", f"{name}={value}")]

    assert {about for severity, about, _ in found(auth_jwt, *given, exit_code=1) if severity == "error"} == set(bad)


def test_a_misspelt_setting_is_a_warning(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    settings = auth_jwt.file(f"CACHE_TTL_SECOND=5\nREVOCATIONS_TABLE={REVOCATIONS}\n")

    assert found(auth_jwt, "--env-file", settings) == [
        ("warning", "CACHE_TTL_SECOND", "is not a setting, but nearly spells CACHE_TTL_SECONDS")
    ]
    auth_jwt("config", "check", "--env-file", settings, "--strict", exit_code=1)


@pytest.mark.parametrize(
    ("setting", "about"),
    [
        ("MIN_HMAC_KEY_BYTES=31", "MIN_HMAC_KEY_BYTES"),
        ("ENFORCE_TIME_CLAIMS=false", "ENFORCE_TIME_CLAIMS"),
        ("CACHE_TTL_SECONDS=3601", "CACHE_TTL_SECONDS"),
        ("STORE_TIMEOUT_MS=1", "STORE_TIMEOUT_MS"),
        ("STORE_TIMEOUT_MS=199", "STORE_TIMEOUT_MS"),
        ("LOAD_CREDENTIALS=$avp(x)=teir", "LOAD_CREDENTIALS"),
    ],
)
def test_a_setting_that_lets_in_more_than_one_may_mean_is_a_warning(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient", setting: str, about: str
) -> None:
    assert [(severity, subject) for severity, subject, _ in found(auth_jwt, "--set", setting)] == [("warning", about)]


@pytest.mark.parametrize(
    "setting",
    [
        *("MIN_HMAC_KEY_BYTES=32", "CACHE_TTL_SECONDS=3600", "STORE_TIMEOUT_MS=200"),
        "LOAD_CREDENTIALS=tier;$avp(user)=sip_username",
    ],
)
def test_a_setting_within_bounds_is_none(auth_jwt: CommandLine, dynamodb: "DynamoDBClient", setting: str) -> None:
    assert found(auth_jwt, "--set", setting) == []


@pytest.mark.parametrize(
    ("setting", "finding"),
    [
        ("SECRETS_TABLE=none", ("error", "none", is_missing("none"))),
        ("TAG_COLUMN=user", ("error", "jwt_profiles", "its key is tag (S); it must be user (S)")),
        (
            "SECRETS_TABLE=jwt_profiles",
            ("error", "jwt_profiles", "its key is tag (S); it must be corresponding_tag (S), id (S)"),
        ),
        (
            "USERNAME_COLUMN=name",
            ("error", "USERNAME_COLUMN", "none of 1 profiles looked at has a username in 'name'"),
        ),
    ],
)
def test_tables_that_cannot_serve_are_errors(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient", setting: str, finding: tuple[str, str, str]
) -> None:
    assert finding in found(auth_jwt, "--set", setting, exit_code=1)


def test_a_key_that_is_no_text_is_an_error(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    dynamodb.create_table(
        TableName="numbered",
        AttributeDefinitions=[{"AttributeName": "tag", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "tag", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert ("error", "numbered", "its key is tag (N); it must be tag (S)") in found(
        auth_jwt, "--set", "PROFILES_TABLE=numbered", exit_code=1
    )


def test_protection_that_is_off_is_a_warning_for_each_table(auth_jwt: CommandLine) -> None:
    warnings = [(about, text.split()[0]) for severity, about, text in found(auth_jwt) if severity == "warning"]

    for table in TABLES:
        assert {word for about, word in warnings if about == table} >= {"deletion", "it", "point-in-time"}
    assert (REVOCATIONS, "rows") in warnings
    assert ("jwt_profiles", "has") in warnings  # no profile
    assert ("jwt_secrets", "has") in warnings  # no secret


def test_rows_that_delete_themselves_by_the_wrong_column_are_an_error(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient"
) -> None:
    expire(dynamodb, "jwt_secrets", "end_ts")
    assert found(auth_jwt) == []

    expire(dynamodb, "jwt_secrets", "end_ts", enabled=False)
    expire(dynamodb, "jwt_secrets", "start_ts")
    expire(dynamodb, "jwt_profiles", "last_seen")

    assert found(auth_jwt, exit_code=1) == [
        ("error", "jwt_profiles", "DynamoDB deletes its rows by the time in 'last_seen'"),
        ("error", "jwt_secrets", "DynamoDB deletes its rows by the time in 'start_ts'"),
    ]


def test_what_one_may_not_ask_is_a_warning(auth_jwt: CommandLine) -> None:
    with a_dynamodb(an_error(400, "AccessDeniedException")) as address:
        url = f"DB_URL=dynamodb+{address}/{REGION}"
        findings = found(auth_jwt, "--set", url)

    assert [(severity, about) for severity, about, _ in findings] == [
        *(("warning", table) for table in TABLES),
        ("warning", "jwt_profiles"),
        ("warning", "jwt_secrets"),
    ]
    assert findings[0][2].startswith(
        "dynamodb:DescribeTable on table 'jwt_profiles' is refused: AccessDeniedException. The permission is missing: "
        "your AWS identity may not do this at http://127.0.0.1:"
    )
    assert "dynamodb:Scan" in findings[-1][2]


def test_tables_that_do_not_answer_end_with_four(auth_jwt: CommandLine) -> None:
    said = auth_jwt("config", "check", "--set", "DB_URL=dynamodb+http://127.0.0.1:9/eu-central-1", exit_code=4).stderr

    assert "no answer" in said


# -- what the rows of secrets hold ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "about", "said"),
    [
        (["SECRET_COLUMN=key"], "SECRET_COLUMN", "none of 1 secret looked at has text in 'key'"),
        (["START_TS_COLUMN=valid_from"], "START_TS_COLUMN", "has a number in 'valid_from'"),
        (["END_TS_COLUMN=valid_to"], "END_TS_COLUMN", "has a number in 'valid_to'"),
        (["START_TS_COLUMN=secret", "SECRET_COLUMN=start_ts"], "START_TS_COLUMN", "has a number in 'secret'"),
        (
            ["START_TS_COLUMN=end_ts", "END_TS_COLUMN=start_ts"],
            "START_TS_COLUMN, END_TS_COLUMN",
            "each of 1 window looked at ends before it starts",
        ),
        (["SECRET_TAG_COLUMN=tag"], "jwt_secrets", "it must be tag (S), id (S)"),
        (["ALG_COLUMN=start_ts", "START_TS_COLUMN=x"], "ALG_COLUMN", "verify nothing for what 'start_ts' holds"),
        (["ALG_COLUMN=note"], "ALG_COLUMN", "verify nothing for what 'note' holds"),
        (["KID_COLUMN=number"], "KID_COLUMN", "verify nothing for what 'number' holds"),
        (["KID_COLUMN=secret"], "SECRET_COLUMN, KID_COLUMN", "name the column 'secret'"),
        (["KID_COLUMN=id"], "KID_COLUMN", "the rows' own id"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_column_of_secrets_that_is_another_is_an_error(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient", settings: list[str], about: str, said: str
) -> None:
    change_secret(dynamodb, note={"S": "rotated by Bob"}, number={"N": "7"})
    given = [word for setting in settings for word in ("--set", setting)]

    errors = {subject: text for severity, subject, text in found(auth_jwt, *given, exit_code=1) if severity == "error"}

    assert said in errors[about]


@pytest.mark.parametrize("variable", ["ALG_COLUMN", "KID_COLUMN"])
def test_an_optional_column_that_no_row_has_is_a_warning(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient", variable: str
) -> None:
    findings = found(auth_jwt, "--set", f"{variable}=nowhere")

    assert ("warning", variable, "none of 1 secret looked at has the column 'nowhere'") in findings


def test_one_row_that_is_right_is_enough(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    change_secret(dynamodb, secret_id="2", secret={"N": "1"}, start_ts={"S": "x"}, end_ts={"S": "x"}, alg={"N": "1"})
    change_secret(dynamodb, secret_id="3", kid={"S": "k"}, alg={"S": "HS256"})

    assert found(auth_jwt) == [
        (
            "warning",
            "REQUIRE_ALG_COLUMN",
            "1 of 3 secrets looked at do not say in 'alg' what their key is: it is guessed",
        )
    ]


def test_rows_without_alg_are_counted(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    for number in range(2, 5):
        change_secret(dynamodb, secret_id=str(number), secret={"S": "x" * 64})
    text = "3 of 4 secrets looked at do not say in 'alg' what their key is"

    assert found(auth_jwt) == [("warning", "REQUIRE_ALG_COLUMN", f"{text}: it is guessed")]
    assert found(auth_jwt, "--set", "REQUIRE_ALG_COLUMN=true", exit_code=1) == [
        ("error", "REQUIRE_ALG_COLUMN", f"{text}, and verify nothing")
    ]


def test_of_a_long_table_some_pages_are_read_and_of_its_rows_what_is_needed(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {"corresponding_tag": {"S": TAG}, "secret": {"S": "x" * 64}, "note": {"S": "much"}}
    same |= {"start_ts": {"N": "1"}, "end_ts": {"N": "4102444800"}}
    for first in range(2, 427, 25):
        items = [{**same, "id": {"S": str(number)}} for number in range(first, first + 25)]
        dynamodb.batch_write_item(RequestItems={"jwt_secrets": [{"PutRequest": {"Item": item}} for item in items]})
    asked: list[dict[str, Any]] = []
    listen(monkeypatch, "Scan", asked)

    findings = found(auth_jwt)

    (text,) = [text for _, about, text in findings if about == "REQUIRE_ALG_COLUMN"]
    assert " of 300 secrets looked at" in text
    scans = [question for question in asked if question["TableName"] == "jwt_secrets"]
    assert len(scans) == 3
    keys = {"corresponding_tag", "id"}
    assert set(scans[0]["ExpressionAttributeNames"].values()) - keys == {"secret", "start_ts", "end_ts", "alg", "kid"}


def test_no_secret_is_shown(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    change_secret(dynamodb, secret_id="2", secret={"S": "hunter2" * 9}, kid={"N": "1"})

    auth_jwt("config", "check", "--set", "ALG_COLUMN=secret", "--set", "KID_COLUMN=secret", exit_code=1)

    assert not any("hunter2" in text for text in auth_jwt.written)


def change_secret(client: "DynamoDBClient", secret_id: str = "1", **columns: Any) -> None:
    """Put columns into a row of secrets, or make one that is open."""
    values = {f":{name}": value for name, value in columns.items()}
    if secret_id != "1":
        values |= {":start_ts": {"N": "1"}, ":end_ts": {"N": "4102444800"}} | values
    client.update_item(
        TableName="jwt_secrets",
        Key={"corresponding_tag": {"S": TAG}, "id": {"S": secret_id}},
        UpdateExpression="SET " + ", ".join(f"#{name[1:]} = {name}" for name in values),
        ExpressionAttributeNames={f"#{name[1:]}": name[1:] for name in values},
        ExpressionAttributeValues=values,
    )


def listen(monkeypatch: pytest.MonkeyPatch, operation: str, asked: list[dict[str, Any]]) -> None:
    """Note what is asked of AWS by that *operation*."""
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def noting(client: Any, name: str, arguments: dict[str, Any]) -> Any:
        if name == operation:
            asked.append({**arguments})
        return real(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", noting)


# -- a deployed function ----------------------------------------------------------------------------------------------


def deploy(**variables: str) -> str:
    """Deploy a function with these settings; return its ARN."""
    role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "")
    functions: Any = boto3.client("lambda", region_name=REGION)
    arn: str = functions.create_function(
        FunctionName="authorize",
        Runtime="python3.13",
        Role=role,
        Handler="app.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=10,
        Environment={"Variables": variables},
    )["FunctionArn"]
    return arn


def test_the_settings_of_a_deployed_function_count(auth_jwt: CommandLine, dynamodb: "DynamoDBClient") -> None:
    arn = deploy(PROFILES_TABLE="of_the_function", REVOCATIONS_TABLE=REVOCATIONS, STORE_TIMEOUT_MS="10000")

    for name in ("authorize", arn):
        findings = found(auth_jwt, "--function", name, exit_code=1)
        assert ("error", "of_the_function", is_missing("of_the_function")) in findings
        assert "STORE_TIMEOUT_MS" in {about for _, about, _ in findings}
    assert auth_jwt.lines("profile", "list", "--function", arn, "--set", "PROFILES_TABLE=jwt_profiles")
    said = auth_jwt("profile", "list", "--function", "nobody", exit_code=4).stderr
    assert (
        "lambda:GetFunctionConfiguration on function 'nobody' is refused: ResourceNotFoundException. "
        "It does not exist in region eu-central-1 of account 123456789012."
    ) in said


def test_a_function_without_any_of_the_services_settings_is_a_warning(
    auth_jwt: CommandLine, dynamodb: "DynamoDBClient"
) -> None:
    deploy(SOMETHING="else")
    told = (
        "warning",
        "--function or --env-file",
        "it has none of the service's settings, so the default tables are used",
    )

    assert told in found(auth_jwt, "--function", "authorize", "--set", f"REVOCATIONS_TABLE={REVOCATIONS}")
    assert told not in found(auth_jwt, "--env-file", auth_jwt.file(f"REVOCATIONS_TABLE={REVOCATIONS}"))
    assert told not in found(auth_jwt)


@pytest.mark.parametrize(("milliseconds", "count"), [("9999", 0), ("10000", 1)])
def test_the_tables_need_less_time_than_the_function_has(milliseconds: str, count: int) -> None:
    settings = Settings.from_env({"STORE_TIMEOUT_MS": milliseconds})

    assert len(list(function_findings(settings, 10))) == count
    assert list(function_findings(settings, None)) == []


@pytest.mark.parametrize(("seconds", "said"), [(0, None), (3, None), (-3, None), (60, "behind"), (-60, "ahead of")])
def test_a_clock_that_is_wrong_is_a_warning(seconds: int, said: str | None) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    findings = list(clock_findings({"ResponseMetadata": {"HTTPHeaders": {"date": date}}}))

    assert [finding.severity for finding in findings] == [Severity.WARNING] * (said is not None)
    assert all(said in finding.text for finding in findings if said)


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_a_clock_that_is_not_told_is_none(headers: dict[str, str]) -> None:
    assert list(clock_findings({"ResponseMetadata": {"HTTPHeaders": headers}})) == []

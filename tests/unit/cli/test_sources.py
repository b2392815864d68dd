"""Where settings are told: files of either form, arguments, and which of them counts."""

import json
from pathlib import Path

import pytest

from auth_jwt.errors import BadSetting, Fault, Invalid
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt_cli.connection import Connection, Where
from auth_jwt_cli.output import Output
from auth_jwt_cli.sources import from_file, region_of

VARIABLES = {"PROFILES_TABLE": "users", "LOAD_CREDENTIALS": "$avp(a)=b;c"}


def a_file(folder: Path, text: str) -> Path:
    path = folder / "settings"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("PROFILES_TABLE=users\nLOAD_CREDENTIALS=$avp(a)=b;c\n", id="lines"),
        pytest.param("# a comment\n\nexport PROFILES_TABLE='users'\nLOAD_CREDENTIALS=\"$avp(a)=b;c\"", id="as a shell"),
        pytest.param(json.dumps({"Variables": VARIABLES}), id="Environment"),
        pytest.param(json.dumps(VARIABLES), id="a plain object"),
        pytest.param(json.dumps({"Timeout": 10, "Environment": {"Variables": VARIABLES}}), id="a function"),
    ],
)
def test_a_file_of_settings_has_any_usual_form(tmp_path: Path, text: str) -> None:
    read = from_file(a_file(tmp_path, text))

    assert read.variables == VARIABLES
    assert read.timeout_seconds == (10 if "Timeout" in text else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PROFILES_TABLE\n", "line 1 of the file of settings is not NAME=VALUE"),
        ("\n1A=b", "line 2 "),
        ("{", "begins like JSON, but is not JSON"),
        ('{"Variables": {"A": 1}}', "not {"),
        ('{"Environment": []}', "not {"),
    ],
)
def test_a_file_of_another_form_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        from_file(a_file(tmp_path, text))


def connection(where: Where, **environment: str) -> Connection:
    return Connection(where, Output(), environment)


def test_settings_come_from_the_environment_unless_a_file_is_named(tmp_path: Path) -> None:
    file = a_file(tmp_path, "SECRETS_TABLE=of-the-file")

    by_environment = connection(Where(), PROFILES_TABLE="users").settings
    by_file = connection(Where(env_file=file), PROFILES_TABLE="users").settings

    assert (by_environment.profiles_table, by_environment.secrets_table) == ("users", "jwt_secrets")
    assert (by_file.profiles_table, by_file.secrets_table) == ("jwt_profiles", "of-the-file")


def test_a_setting_that_is_given_counts_more() -> None:
    given = Where(given=("PROFILES_TABLE=mine", "LOAD_CREDENTIALS=$avp(a)=b"))

    settings = connection(given, PROFILES_TABLE="users", SECRETS_TABLE="keys").settings

    assert (settings.profiles_table, settings.secrets_table) == ("mine", "keys")
    assert [credential.column for credential in settings.policy.credentials] == ["b"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(given=("PROFILE_TABLE=x",)), "no such setting: PROFILE_TABLE"),
        (Where(given=("PROFILES_TABLE",)), "NAME=VALUE is needed"),
        (Where(function="f", env_file=Path("x")), "two sources of settings"),
        (Where(env_file=Path("/nowhere/at all")), "the file of settings cannot be read"),
    ],
)
def test_settings_that_are_not_told_right_are_refused(where: Where, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        _ = connection(where).settings


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadSetting) as refused:
        _ = connection(Where(given=("DB_URL=dynamodb://me:hunter2@eu-central-1",))).settings

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("where", "region"),
    [
        (Where(), None),
        (Where(region="eu-west-1"), "eu-west-1"),
        (Where(given=("DB_URL=dynamodb://eu-north-1",), region="eu-west-1"), "eu-north-1"),
    ],
)
def test_the_region_is_the_settings_own_or_the_one_named(where: Where, region: str | None) -> None:
    assert connection(where).region == region


@pytest.mark.parametrize(
    ("function", "region"),
    [
        ("authorize", None),
        (None, None),
        ("arn:aws:lambda:eu-central-1:123456789012:function:authorize", "eu-central-1"),
    ],
)
def test_the_arn_of_a_function_names_its_region(function: str | None, region: str | None) -> None:
    assert region_of(function) == region


def test_a_command_that_only_reads_cannot_write(tmp_path: Path) -> None:
    """It has no audit, and a write needs its line."""
    reading = connection(Where(region="eu-west-1", audit_log=tmp_path / "log")).reading

    with pytest.raises(Fault, match="a command that should only read has written"):
        reading.registry.audit(AuditEntry(0, "somebody", "profile.create", "t"))

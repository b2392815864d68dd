"""samconfig.toml is read as `sam deploy` reads it, and an option that would have no effect is an error."""

from pathlib import Path

import pytest

from tools.release.configuration import Configuration, Misconfigured, read_configuration
from tools.template.stack import TEMPLATE

MINIMAL = '[default.global.parameters]\nstack_name = "auth-jwt"\n'


@pytest.fixture(name="samconfig")
def _samconfig(tmp_path: Path) -> Path:
    return tmp_path / "samconfig.toml"


def read(path: Path, text: str) -> Configuration:
    path.write_text(MINIMAL + text, "utf-8")
    return read_configuration(path, "default")


def test_the_file_of_this_checkout_is_understood() -> None:
    """And a person is asked, and all that nested applications need is allowed."""
    configuration = read_configuration(TEMPLATE.parent / "samconfig.toml", "default")

    assert configuration.stack == "auth-jwt"
    assert configuration.confirms
    assert not configuration.fails_if_empty
    assert set(configuration.capabilities) == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
    assert configuration.packaging == ("--resolve-s3",)


def test_a_line_of_deploy_wins_over_one_for_all(samconfig: Path) -> None:
    assert read(samconfig, '[default.deploy.parameters]\nstack-name = "other"\nregion = "eu-west-3"').stack == "other"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('["Gate=iam", "LoadCredentials=$avp(caller_id)=caller_id;rate_plan"]', id="a list"),
        pytest.param('"Gate=iam LoadCredentials=$avp(caller_id)=caller_id;rate_plan"', id="a text"),
        pytest.param(
            '"ParameterKey=Gate,ParameterValue=iam '
            'ParameterKey=LoadCredentials,ParameterValue=$avp(caller_id)=caller_id;rate_plan"',
            id="CloudFormation's own form",
        ),
        pytest.param(
            """["Gate='iam'", 'LoadCredentials="$avp(caller_id)=caller_id;rate_plan"']""", id="quoted, for `sam build`"
        ),
    ],
)
def test_parameters_may_be_written_as_for_sam(samconfig: Path, line: str) -> None:
    configuration = read(samconfig, f"[default.deploy.parameters]\nparameter_overrides = {line}")

    assert configuration.parameters == {"Gate": "iam", "LoadCredentials": "$avp(caller_id)=caller_id;rate_plan"}


def test_everything_that_a_stack_can_have_is_read(samconfig: Path) -> None:
    configuration = read(
        samconfig,
        """
[default.deploy.parameters]
profile = "work"
tags = ["team=sip", "cost=1 2"]
role_arn = "arn:aws:iam::123456789012:role/r"
notification_arns = ["arn:aws:sns:eu-central-1:123456789012:t"]
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
disable_rollback = true
s3_bucket = "bucket"
s3_prefix = "auth"
""",
    )

    assert configuration == Configuration(
        section="default",
        stack="auth-jwt",
        profile="work",
        tags={"team": "sip", "cost": "1 2"},
        role="arn:aws:iam::123456789012:role/r",
        notifications=("arn:aws:sns:eu-central-1:123456789012:t",),
        capabilities=("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        confirms=False,
        keeps_failed=True,
        packaging=("--s3-bucket", "bucket", "--s3-prefix", "auth"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param('on_failure = "DELETE"', "does not know on_failure; it knows capabilities, ", id="unknown"),
        pytest.param('parameter_overrides = ["Gate"]', "'Gate' is not NAME=VALUE", id="no pair"),
        pytest.param("parameter_overrides = 7", "neither a text nor a list of texts", id="no text"),
        pytest.param('confirm_changeset = "yes"', "confirm_changeset is 'yes': true or false is needed", id="no flag"),
        pytest.param('stack_name = ""', "stack_name is missing", id="no name"),
        pytest.param('tags = "team"', "tags: 'team' is not NAME=VALUE", id="no tag"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(samconfig: Path, text: str, told: str) -> None:
    with pytest.raises(Misconfigured, match="section 'default'") as problem:
        read(samconfig, f"[default.deploy.parameters]\n{text}")
    assert told in str(problem.value)


def test_a_section_that_is_missing_is_named_beside_those_that_exist(samconfig: Path) -> None:
    samconfig.write_text("version = 0.1\n" + MINIMAL, "utf-8")

    with pytest.raises(Misconfigured, match="no section 'test'; it has: default"):
        read_configuration(samconfig, "test")


@pytest.mark.parametrize("text", [None, "[", b"\xff"])
def test_a_file_that_cannot_be_read_is_named(samconfig: Path, text: str | bytes | None) -> None:
    if text is not None:
        samconfig.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(Misconfigured, match="cannot be read"):
        read_configuration(samconfig, "default")

"""`python -m tools.release`, over CloudFormation, S3 and Lambda in memory; `sam package` is stood in for.

moto makes no nested change sets and no versions out of a template: the tests beside this one stub those.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.deployment.account import CREDENTIALS
from tools.events.stage import environment
from tools.release import __main__ as release
from tools.release.__main__ import DONE, EXIT_CODES, FAILED, REFUSED, UNTIDY, UNUSABLE, USAGE
from tools.release.stacks import Stacks

REGION = "eu-central-1"
SAMCONFIG = """\
version = 0.1
[default.global.parameters]
stack_name = "auth-jwt"
[default.deploy.parameters]
resolve_s3 = true
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
confirm_changeset = true
fail_on_empty_changeset = false
parameter_overrides = ["Table=one"]
"""
SAM = """\
#!/bin/sh
echo "$*" >> sam-was-asked
[ -e sam-fails ] && exit 1
cd .aws-sam/build && sed 's#functions/authorize#s3://bucket/0123#' template.yaml > packaged.yaml
"""
TEMPLATE = """\
Description: marked (release 2026-11-29T12:00:00Z)
Parameters:
  Table: {Type: String, Default: one}
  Other: {Type: String, Default: usual}
Resources:
  AuthorizeFunction:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: authorize
      Role: arn:aws:iam::123456789012:role/authorize
      Runtime: python3.13
      Handler: app.lambda_handler
      Description: !Sub "${Other}"
      CodeUri: functions/authorize
      Code: {S3Bucket: bucket, S3Key: code}
  JwtProfiles:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref Table
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: tag, AttributeType: S}]
      KeySchema: [{AttributeName: tag, KeyType: HASH}]
"""


def rewrite(checkout: Path, old: str, new: str) -> None:
    """Change the template: moto sees no change in a parameter alone."""
    path = checkout / ".aws-sam" / "build" / "template.yaml"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def client(service: Any) -> Any:
    return boto3.client(service, REGION)


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout that was built, in an account where nothing is but a bucket with code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samconfig.toml").write_text(SAMCONFIG, "utf-8")
    built = tmp_path / ".aws-sam" / "build"
    built.mkdir(parents=True)
    (built / "template.yaml").write_text(TEMPLATE, "utf-8")
    sam = tmp_path / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.write_text(SAM, "utf-8")
    sam.chmod(0o755)
    shell = {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull}
    with environment(shell), mock_aws(config={"lambda": {"use_docker": False}}):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        client("s3").put_object(Bucket="bucket", Key="code", Body=code.getvalue())
        client("iam").create_role(RoleName="authorize", AssumeRolePolicyDocument="{}")
        yield tmp_path


@pytest.fixture(name="deployed")
def _deployed(checkout: Path) -> Path:
    """The same, with a stack whose function has three versions, and an alias for the second."""
    assert release.main(["deploy", "default", "--yes"]) == UNTIDY
    lambdas = client("lambda")
    for number in (1, 2, 3):
        lambdas.update_function_configuration(
            FunctionName="authorize", Description=f"asks (release 2026-11-0{number}T00:00:00Z)"
        )
        lambdas.publish_version(FunctionName="authorize")
    lambdas.create_alias(FunctionName="authorize", Name="live", FunctionVersion="2")
    return checkout


def tables() -> list[str]:
    return list(client("dynamodb").list_tables()["TableNames"])


def change_sets(key: str = "ChangeSetName") -> list[str]:
    """Those that were neither executed nor deleted."""
    found = client("cloudformation").list_change_sets(StackName="auth-jwt")["Summaries"]
    return [told[key] for told in found if told["ExecutionStatus"] == "AVAILABLE"]


def versions() -> list[str]:
    found = client("lambda").list_versions_by_function(FunctionName="authorize")["Versions"]
    return [told["Version"] for told in found]


def live() -> str:
    return str(client("lambda").get_alias(FunctionName="authorize", Name="live")["FunctionVersion"])


def test_a_first_deployment_shows_what_it_adds_and_makes_it(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In moto no alias comes of a template: so the deletion of old versions fails, by an exit code of its own."""
    assert release.main(["deploy", "default", "--yes"]) == UNTIDY

    shown = capsys.readouterr()
    assert (
        "Added (2):\n  + AuthorizeFunction  AWS::Lambda::Function\n  + JwtProfiles  AWS::DynamoDB::Table" in shown.out
    )
    assert "CREATE_COMPLETE              auth-jwt" in shown.out
    assert "the release is deployed, but old versions were not all deleted: lambda:GetAlias" in shown.err
    assert tables() == ["one"]
    asked = (checkout / "sam-was-asked").read_text("utf-8")
    assert asked == (
        "package --config-env default --template-file .aws-sam/build/template.yaml"
        " --output-template-file .aws-sam/build/packaged.yaml --resolve-s3 --no-progressbar\n"
    )


def test_without_an_answer_nothing_happens(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is at a terminal here, and nobody said --yes."""
    assert release.main(["deploy", "default"]) == REFUSED

    assert "Nobody is there to ask: add --yes" in capsys.readouterr().err
    assert tables() == []
    assert change_sets() == []


@pytest.mark.parametrize(("answer", "code"), [("y", UNTIDY), ("Yes ", UNTIDY), ("", REFUSED), ("n", REFUSED)])
def test_a_person_is_asked(checkout: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert release.main(["deploy", "default"]) == code
    assert tables() == (["one"] if code == UNTIDY else [])


def test_a_table_that_would_be_replaced_stops_it_even_with_a_yes(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is replaced, moto does not say, so that is put into its answer."""
    replaces(monkeypatch)
    rewrite(deployed, "!Ref Table", "two")

    assert release.main(["deploy", "default", "--yes"]) == REFUSED

    shown = capsys.readouterr()
    assert "#   replaced: JwtProfiles (one), AWS::DynamoDB::Table" in shown.out
    assert "Not deployed: refused: something that holds data or an address would end" in shown.err
    assert tables() == ["one"]
    assert change_sets() == []


def test_who_agrees_to_the_loss_gets_it(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaces(monkeypatch)
    rewrite(deployed, "!Ref Table", "two")

    assert release.main(["deploy", "default", "--yes", "--allow", "JwtProfiles"]) == DONE
    assert change_sets() == []
    assert "TableName: two" in str(client("cloudformation").get_template(StackName="auth-jwt")["TemplateBody"])


def test_a_permission_for_what_does_not_change_is_a_mistake(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["deploy", "default", "--yes", "--allow", "JwtProfile"]) == REFUSED

    assert "--allow names what does not change: JwtProfile" in capsys.readouterr().err


def replaces(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Stacks._describe

    def described(stacks: Stacks, which: Any) -> Any:
        answer = original(stacks, which)
        for item in answer["Changes"]:
            if item["ResourceChange"]["LogicalResourceId"] == "JwtProfiles":
                item["ResourceChange"] |= {"Replacement": "True", "PhysicalResourceId": "one"}
        return answer

    monkeypatch.setattr(Stacks, "_describe", described)


def test_a_change_set_may_be_shown_now_and_executed_later(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a pipeline does it, with somebody's approval in between: just what was shown, and nothing is packaged anew."""
    capsys.readouterr()
    rewrite(deployed, '!Sub "${Other}"', "new")
    assert release.main(["deploy", "default", "--built", "--no-execute"]) == DONE
    (arn,) = change_sets("ChangeSetId")
    assert f'Nothing was done. To do just this: make deploy ARGS="--execute {arn}"\n' in capsys.readouterr().out
    assert arn.startswith("arn:aws:cloudformation:")
    (deployed / "sam-was-asked").unlink()

    assert release.main(["deploy", "default", "--yes", "--execute", arn]) == DONE

    assert client("lambda").get_function_configuration(FunctionName="authorize")["Description"] == "new"
    assert not (deployed / "sam-was-asked").exists()


def test_a_change_set_that_is_gone_is_no_deployment(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["deploy", "default", "--yes", "--execute", "auth-jwt-1"]) in (REFUSED, UNUSABLE)

    assert "cloudformation:DescribeChangeSet" in capsys.readouterr().err


def release_version(monkeypatch: pytest.MonkeyPatch, number: str, code: int = DONE) -> None:
    """Deploy, and let the alias move as the template of SAM would do it."""

    def executed(*_: object, **__: object) -> bool:
        client("lambda").update_alias(FunctionName="authorize", Name="live", FunctionVersion=number)
        return True

    with monkeypatch.context() as patched:
        patched.setattr(Stacks, "execute", executed)
        overrides = ["--parameter-overrides", "Table=one", f"Other=new{number}"]
        assert release.main(["deploy", "default", "--yes", *overrides]) == code


def publish(number: int) -> None:
    client("lambda").update_function_configuration(
        FunctionName="authorize", Description=f"asks (release 2026-11-0{number}T00:00:00Z)"
    )
    assert client("lambda").publish_version(FunctionName="authorize")["Version"] == str(number)


def test_a_deployment_deletes_the_versions_that_nobody_needs(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live one and what callers got before stay: 2. The third is of a deployment that failed."""
    publish(4)
    release_version(monkeypatch, "4")

    assert versions() == ["$LATEST", "2", "4"]
    assert "authorize: version 3 (release 2026-11-03T00:00:00Z) is deleted" in capsys.readouterr().out


def test_nobody_is_taken_back_to_what_somebody_went_back_from(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 is bad: back to 2. 4 is bad, too: back to 2 again, which therefore stays; and 3 stays as long as it is above.

    moto numbers versions by how many there are, so the last is published first.
    """
    publish(4)
    release_version(monkeypatch, "3")
    assert release.main(["rollback", "default", "--yes"]) == DONE
    assert live() == "2"
    assert release.main(["prune", "default"]) == DONE
    assert versions() == ["$LATEST", "2", "3", "4"]

    release_version(monkeypatch, "4")
    assert versions() == ["$LATEST", "2", "4"]
    assert release.main(["rollback", "default", "--yes"]) == DONE

    assert live() == "2"


def test_where_it_is_not_known_what_callers_got_nothing_is_deleted(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client("lambda").delete_alias(FunctionName="authorize", Name="live")

    def executed(*_: object, **__: object) -> bool:
        client("lambda").create_alias(FunctionName="authorize", Name="live", FunctionVersion="3")
        return True

    monkeypatch.setattr(Stacks, "execute", executed)

    assert release.main(["deploy", "default", "--yes", "--parameter-overrides", "Table=one", "Other=x"]) == UNTIDY
    assert versions() == ["$LATEST", "1", "2", "3"]
    assert "what callers got before it is not known, so none is deleted" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["prune", "rollback"])
@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_while_cloudformation_moves_the_alias_nobody_else_does(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, status: str
) -> None:
    """The version that is being deployed is not live yet, and a rollback would go one too far."""
    monkeypatch.setattr(Stacks, "state_of", lambda *_: {"StackStatus": status})

    assert release.main([command, "default", "--yes"]) == REFUSED
    assert f"'auth-jwt' is {status}: wait until it is complete" in capsys.readouterr().err
    assert (versions(), live()) == (["$LATEST", "1", "2", "3"], "2")


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"])
def test_a_rollback_that_failed_can_go_on(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """It needs versions that the stack names no more. Callers may be taken back meanwhile."""
    monkeypatch.setattr(Stacks, "state_of", lambda *_: {"StackStatus": status})

    assert release.main(["prune", "default", "--keep", "0"]) == REFUSED
    assert f"'auth-jwt' is {status}: CloudFormation may need each version" in capsys.readouterr().err
    assert versions() == ["$LATEST", "1", "2", "3"]
    assert release.main(["rollback", "default", "--yes"]) == DONE


def test_one_may_go_back_while_only_old_resources_are_deleted(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The aliases have moved by then."""
    monkeypatch.setattr(Stacks, "state_of", lambda *_: {"StackStatus": "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"})

    assert release.main(["rollback", "default", "--yes"]) == DONE
    assert release.main(["prune", "default"]) == REFUSED


def test_as_many_versions_are_kept_as_asked_for(deployed: Path) -> None:
    client("lambda").create_alias(
        FunctionName="authorize", Name="before", FunctionVersion="1", Description="before version 2"
    )
    assert release.main(["prune", "default", "--keep", "0"]) == DONE

    assert versions() == ["$LATEST", "2", "3"]


def test_going_back_moves_the_alias(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["rollback", "default", "--yes"]) == DONE

    shown = capsys.readouterr().out
    assert live() == "1"
    assert (
        "authorize: from version 2 (release 2026-11-02T00:00:00Z) back to version 1 (release 2026-11-01T00:00:00Z)"
        in shown
    )
    assert "authorize: nothing says what callers got before 2; 1 is the one below, so look at its release" in shown


def test_going_back_asks(deployed: Path) -> None:
    assert release.main(["rollback", "default"]) == REFUSED

    assert live() == "2"


def test_there_may_be_nothing_to_go_back_to(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client("lambda").update_alias(FunctionName="authorize", Name="live", FunctionVersion="1")

    assert release.main(["rollback", "default", "--yes"]) == REFUSED
    assert "authorize has no version before 1: deploy an older commit" in capsys.readouterr().err


def test_during_a_gradual_deployment_codedeploy_goes_back(deployed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client("lambda").update_alias(
        FunctionName="authorize", Name="live", RoutingConfig={"AdditionalVersionWeights": {"3": 0.1}}
    )

    assert release.main(["rollback", "default", "--yes"]) == REFUSED
    assert "a gradual deployment of authorize is under way" in capsys.readouterr().err
    assert live() == "2"


@pytest.mark.parametrize(
    ("change", "told", "code"),
    [
        pytest.param("unlink", "template.yaml is missing: build first", REFUSED, id="no build"),
        pytest.param("unmarked", "has no mark of a release", REFUSED, id="no mark"),
        pytest.param("nested", "has no mark of a release", REFUSED, id="no mark of a nested template"),
        pytest.param("sam", "`sam package` failed", REFUSED, id="sam"),
        pytest.param("code", "put no code into S3", REFUSED, id="no code"),
        pytest.param("bucket", "s3:PutObject into 'bucket' is refused: NoSuchBucket", UNUSABLE, id="no bucket"),
        pytest.param("section", "no section 'default'; it has: other", USAGE, id="no section"),
    ],
)
def test_what_cannot_be_packaged_is_not_deployed(
    checkout: Path, capsys: pytest.CaptureFixture[str], change: str, told: str, code: int
) -> None:
    built = checkout / ".aws-sam" / "build"
    template = built / "template.yaml"
    if change == "unlink":
        template.unlink()
    if change == "unmarked":
        template.write_text(TEMPLATE.replace("(release 2026-11-29T12:00:00Z)", "(unreleased)"), "utf-8")
    if change == "nested":
        (built / "Admin").mkdir()
        (built / "Admin" / "template.yaml").write_text("Description: nested (unreleased)", "utf-8")
    if change == "sam":
        (checkout / "sam-fails").touch()
    if change == "code":
        template.write_text(TEMPLATE.replace("functions/authorize", "elsewhere"), "utf-8")
    if change == "bucket":
        client("s3").delete_object(Bucket="bucket", Key="code")
        client("s3").delete_bucket(Bucket="bucket")
    if change == "section":
        (checkout / "samconfig.toml").write_text(SAMCONFIG.replace("[default.", "[other."), "utf-8")

    assert release.main(["deploy", "default", "--yes"]) == code
    assert told in capsys.readouterr().err
    assert tables() == []


def test_a_deployment_that_fails_has_an_exit_code_of_its_own(
    deployed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no version is deleted: the ones before may be needed."""
    monkeypatch.setattr(Stacks, "execute", lambda *_, **__: False)

    assert release.main(["deploy", "default", "--yes", "--parameter-overrides", "Table=one", "Other=new"]) == FAILED
    assert versions() == ["$LATEST", "1", "2", "3"]


def test_without_credentials_a_sentence_says_what_to_do(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert release.main(["deploy", "default", "--yes"]) == UNUSABLE
    told = capsys.readouterr().err
    assert "AWS credentials are missing: " in told
    assert "Log in to AWS" in told


@pytest.mark.parametrize(
    ("length", "preference", "is_refused"), [(54, "AllAtOnce", False), (55, "AllAtOnce", True), (55, "None", False)]
)
def test_a_name_that_cloudformation_would_shorten_has_no_gradual_release(
    checkout: Path, capsys: pytest.CaptureFixture[str], length: int, preference: str, is_refused: bool
) -> None:
    """The check could not answer, and CodeDeploy would wait for an hour."""
    (checkout / "samconfig.toml").write_text(SAMCONFIG.replace('"auth-jwt"', f'"{"s" * length}"'), "utf-8")
    (checkout / ".aws-sam" / "build" / "template.yaml").unlink()  # it would go on to the build, and no further

    code = release.main(["deploy", "default", "--parameter-overrides", f"DeploymentPreference={preference}"])

    assert code == (USAGE if is_refused else REFUSED)
    assert (
        "has 55 characters: with DeploymentPreference=AllAtOnce it may have 54" in capsys.readouterr().err
    ) is is_refused


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["prune", "default", "--keep", "-1"], "--keep -1: 0 or more", id="too few"),
        pytest.param(
            ["deploy", "default", "--execute", "x", "--root-only"], "--root-only: a change set", id="too late"
        ),
        pytest.param(
            ["deploy", "default", "--execute", "x", "--built"], "--built: a change set", id="nothing to build"
        ),
        pytest.param(
            ["deploy", "default", "--execute", "arn:aws:x\n"], "--execute 'arn:aws:x\\n': give the ARN", id="two lines"
        ),
        pytest.param(["deploy", "default", "--execute", ""], "--execute '': give the ARN", id="no change set"),
        pytest.param(
            ["deploy", "default", "--parameter-overrides", "Table"], "'Table' is not NAME=VALUE", id="no pair"
        ),
    ],
)
def test_a_wrong_option_is_named(
    checkout: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert release.main(arguments) == USAGE
    assert told in capsys.readouterr().err


def test_help_lists_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        release.main(["--help"])

    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{code} {meaning}" in shown for code, meaning in EXIT_CODES.items())
    assert json.dumps(sorted(EXIT_CODES)) == "[0, 1, 2, 3, 4, 5, 130]"

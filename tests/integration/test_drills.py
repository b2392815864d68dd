"""The drills of recovery: they run by one command, and they notice what is wrong."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tools.drill import __main__ as command
from tools.drill import account, emulated, restore
from tools.drill import tables as drilled_tables
from tools.drill.report import DrillReport, Finding
from tools.drill.restore import SETTINGS, Target
from tools.drill.tables import TableSettings, establish, fill, scan, settings_of
from tools.events.stage import REGION, SAMPLES, environment, lambda_environment, read_json, template

BUCKET = "drilled"


@pytest.fixture(name="stack")
def _stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The tables of a stack in moto, within this process, and what the drill needs to know of them."""
    monkeypatch.setattr(restore, "_SECONDS_BETWEEN_LOOKS", 0.01)
    with environment(lambda_environment(template(), {"DYNAMODB_CLIENT": "boto3"})), mock_aws():
        client, s3 = boto3.client("dynamodb", REGION), boto3.client("s3", REGION)
        names = emulated.make_stack(client)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        settings = {SETTINGS[parameter]: name for parameter, name in names.items()}
        variables = lambda_environment(template(), {"DYNAMODB_CLIENT": "boto3", **settings})
        yield Target(client, s3, BUCKET, variables, "alice-web", emulated=True)


def drilled(target: Target) -> DrillReport:
    report = DrillReport("restore", lambda _: None)
    restore.drill(target, report)
    return report


def failed(report: DrillReport) -> list[str]:
    return [step.what for step in report.steps if step.finding is Finding.FAILED]


def texts_of_rows() -> set[str]:
    """Every secret of the sample rows: none of them may be shown."""
    rows = read_json(SAMPLES / "rows.json")["jwt_secrets"]
    return {row["PutRequest"]["Item"].get("secret", {}).get("S", "") for row in rows} - {""}


# -- as they are called -----------------------------------------------------------------------------------------------


def test_the_restore_drill_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    code = command.main(["restore"])
    shown = capsys.readouterr().out

    assert (code, shown.splitlines()[-1].split(";")[0]) == (0, "good")
    assert "alice-web logs in with the restored tables: authorized" in shown
    assert "a token that was revoked is still revoked: revoked_token" in shown
    assert "moto's restore copies the rows as they are when it is called" in shown
    assert not [text for text in texts_of_rows() if text in shown]


def test_the_failover_drill_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    code = command.main(["failover", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert (code, found["good"]) == (0, True), found
    assert found["figures"].keys() == {
        *("served_after_loss", "refused_until_moved", "loss_until_moved", "revocation_seen", "returned")
    }
    assert [step["what"] for step in found["steps"] if step["what"].startswith("/health sees")]


# -- what they notice -------------------------------------------------------------------------------------------------


def test_a_good_restore_is_good(stack: Target) -> None:
    report = drilled(stack)

    assert (report.is_good, failed(report)) == (True, [])


def test_a_row_that_was_not_restored_is_noticed(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_a_row(client: Any, table: str, wanted: TableSettings) -> None:
        establish(client, table, wanted)
        if table.startswith("jwt_profiles-"):
            client.delete_item(TableName=table, Key={"tag": {"S": "bob-mobile"}})

    monkeypatch.setattr(restore, "establish", lose_a_row)

    (what,) = failed(drilled(stack))

    assert what.endswith("holds the rows of jwt_profiles")


def test_a_revocation_that_was_not_restored_is_noticed(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_revocations(client: Any, table: str, wanted: TableSettings) -> None:
        establish(client, table, wanted)
        if table.startswith("jwt_revocations-"):
            client.delete_item(TableName=table, Key={"tag": {"S": "alice-web"}, "jti": {"S": "drilled"}})

    monkeypatch.setattr(restore, "establish", lose_revocations)

    found = failed(drilled(stack))

    assert "a token that was revoked is still revoked" in found


@pytest.mark.parametrize("lost", ["recovery", "deletion_protection", "tags", "expiring"])
def test_a_setting_that_was_not_made_again_is_noticed(
    stack: Target, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    nothing: dict[str, Any] = {"recovery": False, "deletion_protection": False, "tags": frozenset(), "expiring": None}

    def forget(client: Any, table: str, wanted: TableSettings) -> None:
        establish(client, table, replace(wanted, **{lost: nothing[lost]}))

    monkeypatch.setattr(restore, "establish", forget)

    found = failed(drilled(stack))

    assert [what for what in found if what.endswith("has the settings of jwt_revocations")]


def test_a_table_that_cannot_be_restored_ends_the_drill_before_anything_is_lost(stack: Target) -> None:
    stack.client.update_continuous_backups(
        TableName="jwt_secrets", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )

    report = drilled(stack)

    assert failed(report) == ["jwt_secrets can be restored to a point in time"]
    assert len(list(scan(stack.client, "jwt_secrets"))) == 13


# -- against an account -----------------------------------------------------------------------------------------------


@pytest.fixture(name="deployed")
def _deployed(stack: Target) -> Target:
    """The same as a stack of CloudFormation with a function, and one revoked token."""
    fill(stack.client, "jwt_revocations", [{"tag": {"S": "alice-web"}, "jti": {"S": "stolen"}}])
    iam = boto3.client("iam", REGION)
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    function = boto3.client("lambda", REGION).create_function(
        FunctionName="authorize",
        Runtime="python3.13",
        Role=role,
        Handler="app.lambda_handler",
        Code={"ZipFile": b""},
        Environment={
            "Variables": {name: text for name, text in stack.variables.items() if not name.startswith("AWS_")}
        },
    )["FunctionArn"]
    body = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"AuthorizeFunctionArn": {"Value": function}},
    }
    boto3.client("cloudformation", REGION).create_stack(StackName="auth-jwt", TemplateBody=json.dumps(body))
    return stack


@pytest.mark.parametrize("bucket", [[], ["--bucket", BUCKET]], ids=["no-bucket", "bucket"])
def test_the_tables_of_an_account_are_only_read(
    deployed: Target, capsys: pytest.CaptureFixture[str], bucket: list[str]
) -> None:
    before = {
        name: (list(scan(deployed.client, name)), settings_of(deployed.client, name)) for name in tables(deployed)
    }

    code = command.main(["restore", "--real", "--stack", "auth-jwt", "--tag", "alice-web", "--yes", *bucket])
    shown = capsys.readouterr().out

    after = {name: (list(scan(deployed.client, name)), settings_of(deployed.client, name)) for name in tables(deployed)}
    assert code == 0, shown
    assert after == before
    assert sorted(before) == ["jwt_profiles", "jwt_revocations", "jwt_secrets"]  # and the drill's own are gone
    assert "a token that was revoked is still revoked: revoked_token" in shown


def test_the_restored_tables_stay_where_that_is_wanted(deployed: Target) -> None:
    assert command.main(["restore", "--real", "--stack", "auth-jwt", "--tag", "alice-web", "--yes", "--keep"]) == 0

    assert len(tables(deployed)) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "--real needs --stack and --tag", id="nothing"),
        pytest.param(
            ["--stack", "other", "--tag", "alice-web", "--yes"], "the stack 'other' cannot be drilled", id="no stack"
        ),
    ],
)
def test_a_drill_that_cannot_begin_says_why(
    deployed: Target, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert command.main(["restore", "--real", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["", "no\n", "y\n"])
def test_nothing_is_done_without_a_yes(
    deployed: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    (tmp_path / "answer").write_text(answer, encoding="utf-8")
    with (tmp_path / "answer").open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        assert command.main(["restore", "--real", "--stack", "auth-jwt", "--tag", "alice-web"]) == 2
    assert len(tables(deployed)) == 3


# -- what is left when it stops early ---------------------------------------------------------------------------------

STAMP = "20261129-120000-abcdef"
COPIES = [f"{name}-{STAMP}" for name in ("jwt_profiles", "jwt_secrets", "jwt_revocations")]


def refusal(code: str, action: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "as AWS"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, action)


@dataclass
class SlowDynamoDB:
    """DynamoDB as an account has it: moto's, but a table takes some looks to be made, and is refused meanwhile.

    Attributes:
        client: moto's.
        looks: how many find a copy CREATING.
        before: called before an action, with its name, the table and how often that was asked; it may raise.
    """

    client: Any
    looks: int = 3
    before: Callable[[str, str, int], None] | None = None
    asked: dict[tuple[str, str], int] = field(default_factory=dict)

    def __getattr__(self, action: str) -> Any:
        if action not in ("restore_table_to_point_in_time", "describe_table", "update_table", "delete_table"):
            return getattr(self.client, action)

        def ask(**request: Any) -> Any:
            table = request.get("TargetTableName") or request["TableName"]
            self.asked[action, table] = self.asked.get((action, table), 0) + 1
            if self.before is not None:
                self.before(action, table, self.asked[action, table])
            being_made = table in COPIES and self.asked.get(("describe_table", table), 0) <= self.looks
            if being_made and action in ("update_table", "delete_table"):
                raise refusal("ResourceInUseException", action)
            answer = getattr(self.client, action)(**request)
            if being_made and action == "describe_table":
                answer["Table"]["TableStatus"] = "CREATING"
            return answer

        return ask


def stopped(
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: Callable[[str, str, int], None] | None = None,
) -> tuple[int, str]:
    """Drill as against an account, by the command; its exit code and what it showed."""
    monkeypatch.setattr(drilled_tables, "_SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(
        restore, "_names_of_restored", lambda names: {parameter: f"{name}-{STAMP}" for parameter, name in names.items()}
    )
    slow: Any = SlowDynamoDB(target.client, before=before)
    monkeypatch.setattr(command, "_real_target", lambda _: replace(target, client=slow, bucket=None, emulated=False))
    code = command.main(["restore", "--real"])
    return code, capsys.readouterr().out


def raise_at(action: str, table: str, error: BaseException) -> Callable[[str, str, int], None]:
    def before(this_action: str, this_table: str, asked: int) -> None:
        if (this_action, this_table) == (action, table):
            raise error

    return before


@pytest.mark.parametrize(
    ("before", "said"),
    [
        pytest.param(
            raise_at("restore_table_to_point_in_time", COPIES[1], refusal("LimitExceededException", "restore")),
            "LimitExceededException",
            id="the second restore is refused",
        ),
        pytest.param(
            raise_at("restore_table_to_point_in_time", COPIES[2], KeyboardInterrupt()), "interrupted", id="Ctrl-C"
        ),
    ],
)
def test_copies_that_are_still_being_made_are_deleted_when_they_are(
    stack: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: Callable[[str, str, int], None],
    said: str,
) -> None:
    code, shown = stopped(stack, monkeypatch, capsys, before)

    assert (code, sorted(tables(stack))) == (1, ["jwt_profiles", "jwt_revocations", "jwt_secrets"]), shown
    assert f"deleted {COPIES[0]}" in shown
    assert "still there" not in shown
    assert [line for line in shown.splitlines() if "✗" in line and "came to its end" in line and said in line]


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(("describe_table", TimeoutError("not active after hours")), id="never active"),
        pytest.param(("delete_table", refusal("AccessDeniedException", "DeleteTable")), id="refused"),
    ],
)
def test_a_copy_that_cannot_be_deleted_is_named_and_the_others_are_deleted(
    stack: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problem: tuple[str, Exception],
) -> None:
    code, shown = stopped(stack, monkeypatch, capsys, raise_at(problem[0], COPIES[0], problem[1]))

    assert (code, [name for name in tables(stack) if name in COPIES]) == (1, [COPIES[0]]), shown
    assert re.findall(r"✗.*still there: (\S+): .*" + re.escape(str(problem[1])), shown) == [COPIES[0]]


def test_a_second_interrupt_names_every_copy_and_hides_nothing(
    stack: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def before(action: str, table: str, asked: int) -> None:
        if (action, table) == ("restore_table_to_point_in_time", COPIES[2]):
            raise refusal("LimitExceededException", action)
        if (action, table) == ("describe_table", COPIES[0]):
            raise KeyboardInterrupt

    code, shown = stopped(stack, monkeypatch, capsys, before)

    assert code == 1
    assert re.findall(r"✗.*still there: (\S+):", shown) == COPIES[:2]
    assert "LimitExceededException" in shown


def test_a_table_that_the_drill_did_not_make_stays(
    stack: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.client.create_table(
        TableName=COPIES[1],
        AttributeDefinitions=[{"AttributeName": "tag", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "tag", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )

    code, shown = stopped(stack, monkeypatch, capsys)

    assert (code, [name for name in tables(stack) if name in COPIES]) == (1, [COPIES[1]]), shown
    assert stack.client.describe_table(TableName=COPIES[1])["Table"]["DeletionProtectionEnabled"]
    assert f"✗ {COPIES[1]} is the drill's own" in re.sub(r"✗ +\S+ s +", "✗ ", shown)


def test_a_restore_without_an_answer_is_told(
    stack: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = raise_at("restore_table_to_point_in_time", COPIES[1], ConnectionError("no answer"))

    code, shown = stopped(stack, monkeypatch, capsys, lost)

    assert code == 1
    assert f"{COPIES[1]} is the drill's own: AWS did not say so" in shown


def test_drills_that_begin_together_name_other_tables() -> None:
    named = [restore._names_of_restored({"SecretsTable": "s" * 255})["SecretsTable"] for _ in range(20)]

    assert len(set(named)) == len(named)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name) for name in named)


def test_a_user_who_cannot_sign_fails_the_drill(deployed: Target) -> None:
    assert command.main(["restore", "--real", "--stack", "auth-jwt", "--tag", "nobody", "--yes"]) == 1
    assert len(tables(deployed)) == 3


def test_without_credentials_there_is_no_drill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(account.NotDrilled, match="no AWS credentials"):
        account.target_of("auth-jwt", "alice-web", bucket=None, keep=False)


def tables(target: Target) -> list[str]:
    return list(target.client.list_tables()["TableNames"])

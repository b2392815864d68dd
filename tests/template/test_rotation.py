"""What `RotatedTag` deploys beside the rest: asserted on plain CloudFormation, and that it may do nothing else."""

import re
from typing import Any

import pytest

from auth_jwt.errors import BadSetting
from auth_jwt.runtime.settings import DEFAULTS, ROTATION_DEFAULTS, RotationSettings, Settings, near_misses
from tools.template.stack import KMS_OF_A_WRITER, TEMPLATE, Deploy, Stack, of_type, properties, via

ACCOUNT = "eu-central-1:123456789012"
KEY_ARN = f"arn:aws:kms:{ACCOUNT}:key/0000-1111"
TOPIC_ARN = f"arn:aws:sns:{ACCOUNT}:on-call"
FUNCTION = "RotateSecretsFunction"
ACTIONS_THAT_KNOW_THEIR_KEY = {"GetItem", "ConditionCheckItem", "Query", "PutItem", "UpdateItem", "DeleteItem"}
"""Those of DynamoDB of which the service authorization reference says that `dynamodb:LeadingKeys` bounds them, and that
always have a key: the condition holds where there is none."""
NUMBERS = ("ROTATION_OVERLAP_SECONDS", "SECRET_LIFETIME_SECONDS")
PAGE = (TEMPLATE.parent / "docs" / "rotation.md").read_text(encoding="utf-8")


@pytest.fixture(name="stack")
def _stack(deploy: Deploy) -> Stack:
    return deploy(RotatedTag="alice-web", AlarmTopicArn=TOPIC_ARN, RotationDays="7")


def parameter_of(variable: str) -> str:
    return "".join(part.capitalize() for part in variable.split("_"))


def environment(stack: Stack) -> dict[str, str]:
    variables: dict[str, str] = properties(stack, FUNCTION)["Environment"]["Variables"]
    return variables


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def statements(stack: Stack, policy: str = "RotateTheSecret") -> dict[str, dict[str, Any]]:
    """What a policy of the role allows, by the names of its statements."""
    (found,) = (p for p in properties(stack, "RotateSecretsRole")["Policies"] if p["PolicyName"] == policy)
    return {
        statement.get("Sid", ""): {name: value for name, value in statement.items() if name not in ("Sid", "Effect")}
        for statement in found["PolicyDocument"]["Statement"]
    }


def test_without_a_tag_nothing_of_it_is_made(deploy: Deploy) -> None:
    """The default: no secret, no function, no permission that could write."""
    usual, asked = (deploy(AlarmTopicArn=TOPIC_ARN, RotatedTag=tag) for tag in ("", "alice-web"))

    more = asked["Resources"].keys() - usual["Resources"].keys()
    assert {name for name in more if not name.startswith(f"{FUNCTION}Version")} == {
        FUNCTION,
        f"{FUNCTION}Aliaslive",
        "RotateSecretsRole",
        "RotateSecretsPermission",
        "RotateSecretsLogGroup",
        "RotatedSecret",
        "RotationOfTheSecret",
        "RotationAlarm",
        "RotationFailedAlarm",
        "RotationOverdueAlarm",
        "RotationFailedFilter",
        "RotationFailedRule",
        "RotationEvents",
    }
    assert asked["Outputs"].keys() - usual["Outputs"].keys() == {"RotatedSecretArn", "RotationLogGroupName"}


def test_the_secret_is_rotated_at_once_and_then_every_so_many_days(stack: Stack) -> None:
    """By the function's own ARN, which is what Secrets Manager is documented to take."""
    schedule = stack["Resources"]["RotationOfTheSecret"]

    assert schedule["Properties"] == {
        "SecretId": "<RotatedSecret>",
        "RotationLambdaARN": f"<{FUNCTION}.Arn>",
        "RotateImmediatelyOnUpdate": True,
        "RotationRules": {"AutomaticallyAfterDays": "7"},
    }
    assert stack["Outputs"]["RotatedSecretArn"]["Value"] == "<RotatedSecret>"


def test_only_secrets_manager_and_for_this_account_only_may_call(stack: Stack) -> None:
    assert properties(stack, "RotateSecretsPermission") == {
        "FunctionName": f"<{FUNCTION}.Arn>",
        "Action": "lambda:InvokeFunction",
        "Principal": "secretsmanager.amazonaws.com",
        "SourceAccount": "123456789012",
    }


def test_the_first_value_is_random_and_no_later_deployment_makes_another(template: dict[str, Any]) -> None:
    """Whatever changes here, CloudFormation puts a new value in the place of the issuer's, and no row holds it."""
    made = template["Resources"]["RotatedSecret"]["Properties"]

    assert made["GenerateSecretString"] == {
        "SecretStringTemplate": "{}",
        "GenerateStringKey": "secret",
        "PasswordLength": 86,
        "ExcludePunctuation": True,
    }
    assert "SecretString" not in made


def test_the_secret_outlives_the_stack(stack: Stack) -> None:
    """Its issuer depends on it. It has no name of ours, so that a stack to come is not kept from having its own."""
    secret = stack["Resources"]["RotatedSecret"]

    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert "Name" not in secret["Properties"]


def test_the_function_runs_the_handler_of_its_folder_and_has_time(stack: Stack) -> None:
    """Nobody waits for it. A snapshot of what runs once in weeks would cost more than it saves."""
    made = properties(stack, FUNCTION)

    assert made["Code"]["S3Key"] == "functions/rotate_secrets"
    assert (made["Handler"], made["Runtime"], made["Timeout"]) == ("app.lambda_handler", "python3.13", 60)
    assert made["SnapStart"] == {"ApplyOn": "None"}
    assert made["Role"] == "<RotateSecretsRole.Arn>"
    assert made["Description"].endswith(" (unreleased)")


# --- What it may do ---------------------------------------------------------------------------------------------------


def test_it_may_renew_that_secret_and_write_rows_of_that_tag_and_nothing_else(deploy: Deploy) -> None:
    """`tests/deployment` holds this against the calls it makes."""
    stack = deploy(RotatedTag="alice-web", ProfilesTable="people", SecretsTable="keys", RevocationsTable="gone")
    role = properties(stack, "RotateSecretsRole")
    of_that_tag = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["alice-web"]}}

    assert "ManagedPolicyArns" not in role
    assert [policy["PolicyName"] for policy in role["Policies"]] == ["RotateTheSecret", "WriteTheLog"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert list(statements(stack).values()) == [
        {
            "Action": [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            "Resource": "<RotatedSecret>",
        },
        {
            "Action": ["dynamodb:GetItem", "dynamodb:ConditionCheckItem"],
            "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/people",
            "Condition": of_that_tag,
        },
        {
            "Action": ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
            "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/keys",
            "Condition": of_that_tag,
        },
        {
            "Action": "dynamodb:GetItem",
            "Resource": f"arn:aws:dynamodb:{ACCOUNT}:table/gone",
            "Condition": of_that_tag,
        },
        {"Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"},
    ]
    assert statements(stack, "WriteTheLog") == {
        "": {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "<RotateSecretsLogGroup.Arn>"}
    }


def test_every_action_on_the_tables_is_one_that_the_tag_can_bound(deploy: Deploy) -> None:
    """A Scan has no key: the condition would let it pass."""
    stack = deploy(RotatedTag="alice-web", RevocationsTable="gone")
    actions = [action for one in statements(stack).values() for action in listed(one["Action"])]

    asked = {action.partition(":")[2] for action in actions if action.startswith("dynamodb:")}
    assert asked == ACTIONS_THAT_KNOW_THEIR_KEY


def test_without_revocations_it_has_no_permission_on_their_table(stack: Stack) -> None:
    assert "LookUpOneRevocationOfThatTag" not in statements(stack)


def test_both_writers_of_a_table_under_a_key_of_ones_own_may_do_the_same_with_it(deploy: Deploy) -> None:
    """Through DynamoDB alone."""
    stack = deploy(RotatedTag="alice-web", AdminApi="true", KmsKeyArn=KEY_ARN)
    (admins, _) = properties(stack, "ProvisioningRole")["Policies"]
    (of_admins,) = (one for one in admins["PolicyDocument"]["Statement"] if one.get("Sid") == "UseTheKeyOfTheTables")

    own = statements(stack)["UseTheKeyOfTheTables"]
    assert own == {name: of_admins[name] for name in ("Action", "Resource", "Condition")}
    assert own == {
        "Action": [f"kms:{name}" for name in KMS_OF_A_WRITER],
        "Resource": KEY_ARN,
        "Condition": {"StringEquals": {"kms:ViaService": via("dynamodb")}},
    }


def test_with_a_key_of_ones_own_the_secret_is_under_it_and_the_function_may_use_it_for_that(deploy: Deploy) -> None:
    """Through Secrets Manager, for that secret alone."""
    stack = deploy(RotatedTag="alice-web", KmsKeyArn=KEY_ARN)

    assert properties(stack, "RotatedSecret")["KmsKeyId"] == KEY_ARN
    assert statements(stack)["UseTheKeyOfThatSecret"] == {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": KEY_ARN,
        "Condition": {
            "StringEquals": {
                "kms:ViaService": via("secretsmanager"),
                "kms:EncryptionContext:SecretARN": "<RotatedSecret>",
            }
        },
    }


def test_without_one_the_secret_is_under_the_accounts(stack: Stack) -> None:
    assert "KmsKeyId" not in properties(stack, "RotatedSecret")


# --- Log and alarm ----------------------------------------------------------------------------------------------------


def test_its_log_is_its_own_and_kept_for_as_long_as_asked(deploy: Deploy) -> None:
    stack = deploy(RotatedTag="alice-web", AuditRetentionDays="90", LogKmsKeyArn=KEY_ARN)

    assert properties(stack, "RotateSecretsLogGroup") == {"RetentionInDays": "90", "KmsKeyId": KEY_ARN}
    assert stack["Outputs"]["RotationLogGroupName"]["Value"] == "<RotateSecretsLogGroup>"
    assert properties(stack, FUNCTION)["LoggingConfig"] == {"LogGroup": "<RotateSecretsLogGroup>"}


def test_a_step_that_fails_sounds_the_alarm(stack: Stack) -> None:
    """It raises, so Lambda counts it; and a time-out, too."""
    alarm = properties(stack, "RotationAlarm")

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": f"<{FUNCTION}>"}]
    assert alarm["AlarmActions"] == [TOPIC_ARN]


def test_an_event_of_a_rotation_that_failed_is_kept_and_counts_where_it_names_the_secret(stack: Stack) -> None:
    """EventBridge may write into that log group, and into no other; docs/monitoring.md has the sources."""
    group, rule = properties(stack, "RotationEvents"), properties(stack, "RotationFailedRule")
    counts = properties(stack, "RotationFailedFilter")
    (statement,) = group["ResourcePolicyDocument"]["Statement"]

    arn = f"arn:aws:logs:eu-central-1:123456789012:log-group:{group['LogGroupName']}"
    assert statement["Resource"] == f"{arn}:*"
    assert [target["Arn"] for target in rule["Targets"]] == [arn.replace(group["LogGroupName"], "<RotationEvents>")]
    assert (counts["LogGroupName"], counts["FilterPattern"]) == ("<RotationEvents>", '"<RotatedSecret>"')


def test_there_is_no_alarm_that_nobody_hears(deploy: Deploy) -> None:
    assert of_type(deploy(RotatedTag="alice-web"), "AWS::CloudWatch::Alarm") == {}


# --- Settings and parameters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ROTATION_DEFAULTS)
def test_every_setting_has_a_parameter_with_its_default(template: dict[str, Any], variable: str) -> None:
    assert str(template["Parameters"][parameter_of(variable)]["Default"]) == ROTATION_DEFAULTS[variable]


@pytest.mark.parametrize("variable", [*DEFAULTS, *ROTATION_DEFAULTS])
def test_every_setting_reaches_the_function(deploy: Deploy, variable: str) -> None:
    """Those of the service, too: a secret is judged by them."""
    stack = deploy(**{"RotatedTag": "alice-web", parameter_of(variable): "given"})

    assert environment(stack)[variable] == "given"


def test_the_function_starts_with_the_default_parameters(stack: Stack) -> None:
    given = environment(stack)

    assert Settings.from_env(given) == Settings.from_env({})
    assert RotationSettings.from_env(given) == RotationSettings.from_env({"ROTATED_TAG": "alice-web"})
    assert near_misses(given) == {}
    assert given["POWERTOOLS_SERVICE_NAME"] == "rotate_secrets"


@pytest.mark.parametrize("variable", NUMBERS)
@pytest.mark.parametrize("value", ["1", "007", "0", "", "-1", "1.5", "a day"])
def test_a_parameter_refuses_what_the_function_would(template: dict[str, Any], variable: str, value: str) -> None:
    parameter = template["Parameters"][parameter_of(variable)]
    others = {"ROTATED_TAG": "alice-web", "SECRET_LIFETIME_SECONDS": "1000"}
    others |= {"ROTATION_OVERLAP_SECONDS": "0001"} if "LIFE" in variable else {}
    try:
        RotationSettings.from_env({**others, variable: value})
        is_refused = False
    except BadSetting as refusal:
        is_refused = "more than ROTATION_OVERLAP_SECONDS" not in str(refusal)  # which no pattern can know

    assert (re.fullmatch(parameter["AllowedPattern"], value) is None) is is_refused


@pytest.mark.parametrize(
    ("tag", "is_accepted"),
    [
        pytest.param("", True, id="none, and nothing of it is made"),
        pytest.param("alice-web", True, id="a word"),
        pytest.param("sip:alice@example.org/web=1+2_3.4", True, id="all that is allowed"),
        pytest.param("t" * 128, True, id="a long one"),
        pytest.param("t" * 129, False, id="one that no token may have"),
        pytest.param("${aws:username}", False, id="what IAM would put something else for"),
        pytest.param("a*", False, id="what elsewhere stands for anything"),
        pytest.param("a b", False, id="a blank"),
    ],
)
def test_a_tag_is_what_a_condition_of_iam_takes_as_it_stands(
    template: dict[str, Any], tag: str, is_accepted: bool
) -> None:
    """It bounds what the role may write."""
    assert (re.fullmatch(template["Parameters"]["RotatedTag"]["AllowedPattern"], tag) is not None) is is_accepted


def test_the_page_tells_the_parameters_and_their_defaults(template: dict[str, Any]) -> None:
    _, _, rest = PAGE.partition("| parameter |")
    rows = [line.strip("| ").split(" | ") for line in rest.partition("\n\n")[0].splitlines()[2:]]
    told = {name.strip("`"): "" if default == "empty" else default for name, default, _ in rows}

    assert told == {name: str(template["Parameters"][name]["Default"]) for name in ("RotatedTag", "RotationDays")}


def test_by_default_a_secret_survives_two_rotations_that_fail(template: dict[str, Any]) -> None:
    """As the page says."""
    names = ("RotationDays", "RotationOverlapSeconds", "SecretLifetimeSeconds")
    days, overlap, lifetime = (int(template["Parameters"][name]["Default"]) for name in names)

    assert "survives two rotations that fail" in PAGE
    assert lifetime > 3 * 86400 * days + overlap

"""What docs/operations.md says of the stack is so."""

import json
import re
from typing import Any

from tests.template.stack import TEMPLATE, Deploy, of_type, only

TOPIC = "arn:aws:sns:eu-central-1:123456789012:on-call"
WITH_ALL_THERE_IS = {"AdminApi": "true", "RotatedTag": "alice-web"}
PAGE = (TEMPLATE.parent / "docs" / "operations.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """Return the rows of the table whose first column is so called, without backticks."""
    _, _, rest = PAGE.partition(f"| {title} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_alarm_is_documented_with_its_metric_and_there_is_no_other(deploy: Deploy) -> None:
    alarms = of_type(deploy(AlarmTopicArn=TOPIC, **WITH_ALL_THERE_IS), "AWS::CloudWatch::Alarm")
    told = {name: metric for name, metric, *_ in rows("alarm")}

    assert told.keys() == alarms.keys()
    for name, alarm in alarms.items():
        (dimension,) = alarm["Properties"]["Dimensions"]
        assert told[name].startswith(alarm["Properties"]["MetricName"])
        assert dimension["Value"].strip("<>") in told[name]


def test_every_field_of_the_access_log_is_documented_in_order(deploy: Deploy) -> None:
    setting = only(deploy(AccessLogs="account-role"), "AWS::ApiGateway::Stage")["AccessLogSetting"]

    told = [name for names, *_ in rows("field of a line") for name in names.split(", ")]

    assert told == list(json.loads(setting["Format"]))


def test_every_way_to_log_access_is_documented(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["AccessLogs"]

    assert [name for name, *_ in rows("`AccessLogs`")] == parameter["AllowedValues"]
    assert "the default" in dict(rows("`AccessLogs`"))[parameter["Default"]]


def test_the_parameters_shown_exist_and_have_these_defaults(template: dict[str, Any]) -> None:
    for name, default, _ in rows("parameter"):
        assert str(template["Parameters"][name]["Default"]) == ("" if default == "empty" else default)


def test_the_log_groups_named_are_the_stacks(deploy: Deploy) -> None:
    groups = of_type(deploy(AccessLogs="account-role", **WITH_ALL_THERE_IS), "AWS::Logs::LogGroup").values()
    made = {group["Properties"]["LogGroupName"].replace("auth-jwt", "STACK") for group in groups}

    assert set(re.findall(r"`(/aws/[\w/-]+)`", PAGE)) == made

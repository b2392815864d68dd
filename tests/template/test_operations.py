"""What docs/operations.md says of the stack is so."""

import json
import re
from typing import Any

from tools.dashboard.alarms import Alarm
from tools.template.stack import TEMPLATE, Deploy, of_type, only

TOPIC = "arn:aws:sns:eu-central-1:123456789012:on-call"
WITH_ALL_THERE_IS = {
    "AdminApi": "true",
    "RotatedTag": "alice-web",
    "Issuers": "https://login.example.com/",
    "DeploymentPreference": "AllAtOnce",
}
PAGE = (TEMPLATE.parent / "docs" / "operations.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """Return the rows of the table whose first column is so called, without backticks."""
    _, _, rest = PAGE.partition(f"| {title} |")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_alarm_is_documented_with_its_metric_and_there_is_no_other(deploy: Deploy) -> None:
    """A row names the metric by which it sounds: the one that the alarm watches, or the first of its expression."""
    made = {**deploy(AlarmTopicArn=TOPIC, AccessLogs="account-role", **WITH_ALL_THERE_IS)["Resources"]}
    alarms = {name: made[name] for name in made if made[name]["Type"] == "AWS::CloudWatch::Alarm"}
    told = {name: metric for name, metric, *_ in rows("alarm")}

    assert told.keys() == alarms.keys()
    for name, resource in alarms.items():
        first = Alarm.from_properties(name, resource["Properties"]).queries[0].metric
        assert first.name in re.findall(r"\w+", told[name]), name
        assert all(
            value.strip("<>") in told[name] for key, value in first.dimensions if key not in ("ApiName", "Stage")
        )


def test_every_alarm_has_a_threshold_that_is_explained_and_a_first_thing_to_do() -> None:
    for name, metric, sounds_when, why, first, _ in rows("alarm"):
        assert all(len(cell) > 2 for cell in (metric, sounds_when, why, first)), name


def test_the_urgency_of_an_alarm_is_what_its_description_begins_with(deploy: Deploy) -> None:
    """So that a subscription can be filtered by it, as the page shows."""
    stack = deploy(AlarmTopicArn=TOPIC, AccessLogs="account-role", **WITH_ALL_THERE_IS)
    alarms = {name: alarm["Properties"] for name, alarm in of_type(stack, "AWS::CloudWatch::Alarm").items()}
    prefixes = set(re.findall(r'"prefix": "([^"]+)"', PAGE))

    assert prefixes == {"[page]"}
    for name, *_, urgency in rows("alarm"):
        assert urgency in {"page", "ticket", "none"}
        assert (urgency == "none") is ("AlarmActions" not in alarms[name]), name
        assert urgency == "none" or alarms[name]["AlarmDescription"].startswith(f"[{urgency}] "), name


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
    """By their names, or by the output that tells the one that CloudFormation chooses."""
    stack = deploy(AccessLogs="account-role", **WITH_ALL_THERE_IS)
    groups = of_type(stack, "AWS::Logs::LogGroup")
    named = {one["Properties"].get("LogGroupName", "").replace("auth-jwt", "STACK") for one in groups.values()} - {""}
    outputs = {name for name, output in stack["Outputs"].items() if output["Value"].strip("<>") in groups}

    assert set(re.findall(r"`(/aws/[\w/-]+)`", PAGE)) == named
    assert set(re.findall(r"`(\w+LogGroupName)`", PAGE)) == outputs
    assert len(named | outputs) == len(groups)


def test_a_new_key_is_the_output_that_the_page_names(deploy: Deploy) -> None:
    """And the one that is then left alone: a key that was in use is never the new one."""
    told = rows("`ApiKeys` now")

    assert [now for now, *_ in told] == ["first", "second"]
    for now, meanwhile, output, then in told:
        keys = [set(of_type(deploy(ApiKeys=value), "AWS::ApiGateway::ApiKey")) for value in (now, meanwhile, then)]
        new = deploy(ApiKeys=meanwhile)["Outputs"][output]["Value"].strip("<>")
        assert keys[1] == keys[0] | {new}
        assert keys[2] == {new} != keys[0]


def test_the_throttle_of_the_open_methods_is_told(deploy: Deploy) -> None:
    _, *own = only(deploy(), "AWS::ApiGateway::Stage")["MethodSettings"]

    assert {f"{one['ThrottlingRateLimit']} requests a" for one in own} == {"5 requests a"}
    assert "a throttle of their own, 5 requests a\nsecond" in PAGE
    assert {f"`{one['HttpMethod']} /health`" for one in own} <= set(re.findall(r"`[A-Z]+ /health`", PAGE))


def test_what_keeps_snapshots_in_use_is_told(deploy: Deploy) -> None:
    for name, schedule in of_type(deploy(), "AWS::Scheduler::Schedule").items():
        assert f"`{name}`" in PAGE
        assert f"`{schedule['Properties']['Target']['Input']}`" in PAGE

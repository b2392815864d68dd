"""The records and checks by which a domain moves from one region's stack to another's."""

import re
from typing import Any

import pytest

from tests.template.nested import nested_stack
from tools.template.stack import Deploy, Stack, of_type, only, properties

USUAL = {
    "Stack": "auth-jwt",
    "AlarmTopicArn": "",
    "FailoverRole": "primary",
    "FailoverBy": "operator",
    "FailoverFaults": "10",
    "StandbyRegion": "eu-west-1",
    "DomainName": "login.example.com",
    "HostedZoneId": "Z1",
    "RegionalDomainName": "d-1.execute-api.eu-central-1.amazonaws.com",
    "RegionalHostedZoneId": "Z2",
    "HealthHost": "",
    "StageName": "v1",
}
HOST = "api.execute-api.eu-central-1.amazonaws.com"
CHECK = "AWS::Route53::HealthCheck"
ALARM = "AWS::CloudWatch::Alarm"


def failover(**choice: str) -> Stack:
    """Return the stack; the root gives a host where it is to be asked."""
    host = HOST if choice.get("FailoverBy") == "health" else ""
    return nested_stack("failover", **{**USUAL, "HealthHost": host, **choice})


def config(stack: Stack, check: str) -> dict[str, Any]:
    found: dict[str, Any] = properties(stack, check)["HealthCheckConfig"]
    return found


@pytest.mark.parametrize(
    ("by", "children"),
    [
        pytest.param("operator", ["SwitchCheck"], id="operator"),
        pytest.param("faults", ["SwitchCheck", "FaultsCheck"], id="faults"),
        pytest.param("health", ["SwitchCheck", "FaultsCheck", "EndpointCheck"], id="health"),
    ],
)
def test_the_primary_is_healthy_while_each_of_its_checks_is(by: str, children: list[str]) -> None:
    stack = failover(FailoverBy=by)
    primary = config(stack, "PrimaryCheck")

    assert of_type(stack, CHECK).keys() == {*children, "PrimaryCheck"}
    assert primary["ChildHealthChecks"] == [f"<{child}>" for child in children]
    assert primary["HealthThreshold"] == len(children)
    assert properties(stack, "PrimaryRecord")["HealthCheckId"] == "<PrimaryCheck>"


def test_both_records_are_of_one_name_and_tell_themselves_apart() -> None:
    primary = only(failover(), "AWS::Route53::RecordSet")
    secondary = only(failover(FailoverRole="secondary", Stack="auth-jwt-2"), "AWS::Route53::RecordSet")

    assert (primary["Name"], primary["Type"]) == (secondary["Name"], secondary["Type"]) == ("login.example.com", "A")
    assert (primary["Failover"], secondary["Failover"]) == ("PRIMARY", "SECONDARY")
    assert primary["SetIdentifier"] != secondary["SetIdentifier"]
    assert "HealthCheckId" not in secondary  # there is nobody behind it
    assert primary["AliasTarget"]["EvaluateTargetHealth"] is secondary["AliasTarget"]["EvaluateTargetHealth"] is True


def test_stacks_of_one_name_in_two_regions_have_two_records() -> None:
    """The identifier names the region, too: most people give both stacks the same name."""
    assert properties(failover(), "PrimaryRecord")["SetIdentifier"] == "auth-jwt-eu-central-1"


def test_the_operators_switch_lies_in_the_region_that_is_left() -> None:
    """The primary's check follows an alarm of the secondary, so that no region has to work to be left."""
    alarm = only(failover(FailoverRole="secondary"), ALARM)
    switch = config(failover(), "SwitchCheck")

    assert switch["AlarmIdentifier"] == {"Name": alarm["AlarmName"], "Region": "eu-west-1"}
    assert alarm["TreatMissingData"] == "ignore"
    assert not of_type(failover(FailoverRole="secondary"), CHECK)


@pytest.mark.parametrize("role", ["primary", "secondary"])
def test_route_53_can_read_the_alarms(role: str) -> None:
    """Route 53 takes no M of N, no metric math, no percentiles and no high resolution."""
    for alarm in of_type(failover(FailoverRole=role, FailoverBy="health"), ALARM).values():
        of_alarm = alarm["Properties"]
        assert not {"Metrics", "DatapointsToAlarm", "ExtendedStatistic"} & of_alarm.keys()
        assert of_alarm["Statistic"] in {"Average", "Minimum", "Maximum", "Sum", "SampleCount"}
        assert of_alarm["Period"] >= 60


def test_faults_of_the_service_alone_move_the_domain_and_for_three_minutes() -> None:
    alarm = properties(failover(FailoverBy="faults"), "FailoverFaultsAlarm")

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AuthJwt/auth-jwt", "Fault")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "authorize"}]
    assert (alarm["Threshold"], alarm["Period"] * alarm["EvaluationPeriods"]) == ("10", 180)


def test_health_is_asked_where_anybody_may_ask_it() -> None:
    endpoint = config(failover(FailoverBy="health"), "EndpointCheck")

    assert (endpoint["Type"], endpoint["ResourcePath"]) == ("HTTPS", "/v1/health")
    assert endpoint["FullyQualifiedDomainName"] == HOST
    assert re.fullmatch(r"[\w.-]+", endpoint["FullyQualifiedDomainName"])
    assert (endpoint["RequestInterval"], endpoint["FailureThreshold"]) == (30, 3)


@pytest.mark.parametrize("topic", ["", "arn:aws:sns:eu-central-1:123456789012:on-call"])
@pytest.mark.parametrize("role", ["primary", "secondary"])
def test_who_is_on_call_is_told_that_the_domain_moved_and_that_it_is_back(role: str, topic: str) -> None:
    alarm = only(failover(FailoverRole=role, FailoverBy="faults", AlarmTopicArn=topic), ALARM)

    assert alarm.get("AlarmActions", []) == alarm.get("OKActions", []) == ([topic] if topic else [])


# -- in the root ------------------------------------------------------------------------------------------------------

DOMAIN = {
    "DomainName": "login.example.com",
    "HostedZoneId": "Z1",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/0000-1111",
}
PRIMARY = {**DOMAIN, "FailoverRole": "primary", "ReplicaRegion": "eu-west-1", "CreateTables": "false"}
RECORD = "AWS::Route53::RecordSet"


def test_a_domain_without_a_role_has_a_plain_record(deploy: Deploy) -> None:
    assert of_type(deploy(**DOMAIN), RECORD).keys() == {"DomainRecord"}


@pytest.mark.parametrize(("role", "record"), [("primary", "PrimaryRecord"), ("secondary", "SecondaryRecord")])
def test_a_role_replaces_the_plain_record_by_one_that_fails_over(deploy: Deploy, role: str, record: str) -> None:
    """Route 53 takes no two of one name."""
    stack = deploy(**{**PRIMARY, "FailoverRole": role})

    assert of_type(stack, RECORD).keys() == {record}
    assert properties(stack, record)["AliasTarget"]["DNSName"] == "<Domain.RegionalDomainName>"


def test_the_root_gives_the_failover_its_own_values(deploy: Deploy) -> None:
    stack = deploy(**PRIMARY, FailoverBy="faults", FailoverFaults="7")

    assert properties(stack, "FailoverFaultsAlarm")["Threshold"] == "7"
    assert config(stack, "SwitchCheck")["AlarmIdentifier"]["Region"] == "eu-west-1"


@pytest.mark.parametrize(("by", "hidden"), [("operator", True), ("faults", True), ("health", False)])
def test_the_apis_own_address_is_open_only_where_route_53_asks_it(deploy: Deploy, by: str, hidden: bool) -> None:
    stack = deploy(**PRIMARY, FailoverBy=by)
    body = only(stack, "AWS::ApiGateway::RestApi")["Body"]

    assert ("servers" in body) is hidden
    if not hidden:
        host = config(stack, "EndpointCheck")["FullyQualifiedDomainName"]
        assert host == "<Api>.execute-api.eu-central-1.amazonaws.com"


def test_nobody_asks_the_standbys_own_address_so_it_is_off(deploy: Deploy) -> None:
    stack = deploy(**{**PRIMARY, "FailoverRole": "secondary"}, FailoverBy="health")

    assert "servers" in only(stack, "AWS::ApiGateway::RestApi")["Body"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"HostedZoneId": ""}, "FailoverRole needs DomainName and HostedZoneId", id="no record"),
        pytest.param({"ReplicaRegion": ""}, "FailoverRole=primary needs ReplicaRegion", id="no standby"),
        pytest.param(
            {"FailoverBy": "health", "TruststoreUri": "s3://bucket/trust.pem"}, "FailoverBy=health", id="certificates"
        ),
        pytest.param({"FailoverBy": "health", "Entry": "http", "Gate": "iam"}, "FailoverBy=health", id="HTTP API"),
        pytest.param(
            {"FailoverBy": "health", "Gate": "mtls", "TruststoreUri": "s3://bucket/trust.pem"},
            "FailoverBy=health",
            id="mutual TLS",
        ),
    ],
)
def test_what_cannot_fail_over_is_refused(deploy: Deploy, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        deploy(**{**PRIMARY, **wrong})

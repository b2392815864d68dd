"""What docs/regions.md shows is done by moto as it stands, as far as moto goes, and is true of the code."""

import json
import re

import boto3
import pytest
from moto import mock_aws

from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt.runtime.settings import DEFAULTS
from tests.aws_commands import blocks_of, commands_of, section_of
from tools.drill import emulated
from tools.drill.tables import scan, settings_of
from tools.template.stack import TEMPLATE, sources

PAGE = (TEMPLATE.parent / "docs" / "regions.md").read_text("utf-8")
REGION = "eu-central-1"
HOUR = 3600


@pytest.fixture(name="region", autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_rows_are_got_back_by_the_commands_shown() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", REGION)
        emulated.make_stack(client)
        client_of = {"dynamodb": client}
        for block in blocks_of(section_of(PAGE, "Getting rows back"))[:2]:
            at = re.findall(r"^ *AT=(\S+)$", block, re.MULTILINE)
            for command in commands_of(block.replace("$AT", at[0] if at else "")):
                command.do(client_of.__getitem__)

        for table in ("jwt_profiles", "jwt_secrets"):
            assert list(scan(client, f"{table}-2")) == list(scan(client, table))
            made = settings_of(client, f"{table}-2")
            assert (made.recovery, made.deletion_protection) == (True, True)
        assert settings_of(client, "jwt_secrets-2").expiring == DEFAULTS["END_TS_COLUMN"]


def test_the_numbers_of_the_switch_are_what_its_alarm_reads() -> None:
    commands = [
        command
        for section in ("Leaving a region", "Going back")
        for block in blocks_of(section_of(PAGE, section))
        for command in commands_of(block)
        if command.operation == "put_metric_data"
    ]
    put = [(command.parameters["Namespace"], command.parameters["MetricData"][0]) for command in commands]
    switch = [datum for namespace, datum in put if namespace == "AuthJwt/Failover/login.example.com"]
    faults = [datum for namespace, datum in put if namespace == "AuthJwt/auth-jwt"]
    written = sources(TEMPLATE.parent / "stacks" / "failover.yaml")["Resources"]

    assert [(datum["MetricName"], datum["Value"]) for datum in switch] == [("FailOver", 1), ("FailOver", 0)]
    assert written["SwitchAlarm"]["Properties"]["MetricName"] == "FailOver"
    of_faults = written["FailoverFaultsAlarm"]["Properties"]
    assert faults == [{"MetricName": "Fault", "Value": 0, "Dimensions": of_faults["Dimensions"]}] * 3
    assert len(faults) == of_faults["EvaluationPeriods"]


def test_the_query_of_what_is_to_be_repeated_asks_for_what_an_audit_line_has() -> None:
    (query,) = re.findall(r"```text\n +(.*?)\n +```", section_of(PAGE, "Getting rows back"), re.DOTALL)
    named = set(re.findall(r"\b[a-z]+\b", query)) - {"filter", "ispresent", "and", "sort", "asc", "display", "done"}
    line = AuditEntry(1, "somebody", "secret.close", "alice", "1", WriteOutcome.DONE, {}).as_line()

    assert named == {"audit", "outcome", "at", "actor", "tag", "id"}
    assert named <= json.loads(line).keys()


def test_the_times_that_the_page_names_are_the_defaults() -> None:
    parameters = sources()["Parameters"]
    lifetime, days = parameters["SecretLifetimeSeconds"]["Default"], parameters["RotationDays"]["Default"]

    assert f"lives {int(lifetime) // (24 * HOUR)} days" in PAGE
    assert f"every {days}." in PAGE
    assert f"verify for {int(DEFAULTS['KEYS_LIFETIME_SECONDS']) // HOUR} h" in PAGE

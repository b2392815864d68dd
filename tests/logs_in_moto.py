"""CloudWatch Logs in memory with what moto lacks: the commands of Logs Insights that our queries have.

moto keeps log groups, puts lines into them, and has FilterLogEvents; of Insights it knows `fields`, `sort` and `limit`
alone. So the queries are run by the evaluator that the saved queries are tested with (tests/monitoring/insights.py).
The requests and answers are checked against botocore's description of the API, as all of moto's are.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import moto.logs.models
import pytest

from auth_jwt_cli.logs.lines import read_line
from tests.monitoring.insights import Log
from tools.events.stage import REGION


def give_insights(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let moto run our queries; the list gets each query that is run."""
    asked: list[str] = []

    def execute(log_groups: Sequence[Any], query: str, start_time: int, end_time: int) -> list[dict[str, str]]:
        asked.append(query)
        events = [event for group in log_groups for stream in group.streams.values() for event in stream.events]
        lines = [
            (event.timestamp, event.message)
            for event in events
            if start_time * 1000 <= event.timestamp <= end_time * 1000
        ]
        return [_shown(row) for row in Log(sorted(lines)).run(query)]

    monkeypatch.setattr(moto.logs.models, "execute_query", execute)
    return asked


def _shown(row: Any) -> dict[str, str]:
    """Show a row as Insights does: without what is absent, dates of lines as text, the rest as numbers."""
    shown = {name: value for name, value in row.items() if value is not None}
    if "@timestamp" in shown:
        moment = datetime.fromtimestamp(shown["@timestamp"] / 1000, UTC)
        shown["@timestamp"] = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{shown['@timestamp'] % 1000:03}"
    return {name: str(value) for name, value in shown.items()}


def logs() -> Any:
    return boto3.client("logs", region_name=REGION)


def has_lines(group: str, lines: Sequence[str | dict[str, Any]], *, at: float | None = None) -> None:
    """Put lines into a log group, which is made if it is not there.

    Args:
        group: its name.
        lines: each as text, or as an object.
        at: when they are written, in UNIX seconds; None takes the time that each says of itself.
    """
    client = logs()
    existing = [each["logGroupName"] for each in client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]]
    if group not in existing:
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="stream")
    events: list[dict[str, Any]] = []
    for line in lines:
        text = line if isinstance(line, str) else json.dumps(line)
        own = read_line(text)
        instant = at if at is not None else own.at if own is not None else None
        assert instant is not None, text
        events.append({"timestamp": int(instant * 1000), "message": text})
    if events:
        client.put_log_events(
            logGroupName=group, logStreamName="stream", logEvents=sorted(events, key=lambda event: event["timestamp"])
        )


def has_function(name: str, *, group: str | None = None, **settings: str) -> str:
    """Make a function with *settings*, and with a log group of its own if that is named; its ARN."""
    iam = boto3.client("iam", region_name=REGION)
    if not any(role["RoleName"] == "role" for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    made = boto3.client("lambda", region_name=REGION).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=iam.get_role(RoleName="role")["Role"]["Arn"],
        Handler="app.lambda_handler",
        Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18},
        Environment={"Variables": settings},
        **({"LoggingConfig": {"LogFormat": "JSON", "LogGroup": group}} if group else {}),
    )
    return str(made["FunctionArn"])


def has_stack(outputs: dict[str, str], name: str = "auth-jwt") -> None:
    """Make a stack of nothing but outputs."""
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    boto3.client("cloudformation", region_name=REGION).create_stack(StackName=name, TemplateBody=json.dumps(template))

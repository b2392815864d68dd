"""The nested stack of dashboard and alarms, on paper: stacks/monitoring.yaml, translated and written out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, Final

from tools.dashboard.alarms import Alarm
from tools.dashboard.metrics import MetricFilter
from tools.events.stage import ROOT, STACK
from tools.template.stack import PSEUDO_PARAMETERS, Resolver, made_of, of_type, sources, translated_by_sam

TEMPLATE: Final = ROOT / "stacks" / "monitoring.yaml"
COUNTING: Final = ROOT / "stacks" / "counting.yaml"
ALARM_ARN: Final = f"arn:aws:cloudwatch:{PSEUDO_PARAMETERS['AWS::Region']}:123456789012:alarm:{STACK}-"
ACCESS_LOG: Final = f"/aws/apigateway/{STACK}-access"
ROTATED_SECRET: Final = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:RotatedSecret-a1b2c3-AbCdEf"  # noqa: S105

EVERYTHING: Final[Mapping[str, str]] = {
    "Stack": STACK,
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:on-call",
    "AuthorizeFunctionName": f"{STACK}-authorize",
    "GatewayAuthorizerFunctionName": f"{STACK}-gateway-authorizer",
    "ProvisioningFunctionName": f"{STACK}-provisioning",
    "RefreshKeysFunctionName": f"{STACK}-refresh-keys",
    "RotateSecretsFunctionName": f"{STACK}-rotate-secrets",
    "EndingSecretsFunctionName": f"{STACK}-ending-secrets",
    "RestApiName": STACK,
    "HttpApiId": "",
    "StageName": "v1",
    "ThrottleRate": "100",
    "DailyQuota": "0",
    "AccessLogGroupName": ACCESS_LOG,
    "AuthorizeLogGroupName": f"/aws/lambda/{STACK}-authorize",
    "ProfilesTable": "jwt_profiles",
    "SecretsTable": "jwt_secrets",
    "RevocationsTable": "jwt_revocations",
    "RotatedSecretArn": ROTATED_SECRET,
    "RotationDays": "30",
    "LogRetentionDays": "30",
    "LogKmsKeyArn": "",
}
"""What the root template passes where the stack has all there is, behind a REST API."""


class _Writer(Resolver):
    """Writes the ARN of an alarm as CloudWatch would."""

    def get_att(self, argument: list[str] | str) -> str:
        """Fn::GetAtt."""
        text = super().get_att(argument)
        return f"{ALARM_ARN}{text[1:-5]}" if text.endswith("Alarm.Arn>") else text

    def sub_with(self, argument: Any) -> str:  # noqa: ANN401 - a text, or a text and its variables
        """Fn::Sub, in both forms."""
        if isinstance(argument, str):
            return self.sub(argument)
        text, variables = argument
        for name, value in variables.items():
            text = text.replace(f"${{{name}}}", str(self.resolve(value)))
        return self.sub(text)

    FUNCTIONS: ClassVar = {**Resolver.FUNCTIONS, "Fn::Sub": sub_with, "Fn::GetAtt": get_att}


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What the nested stack has.

    Attributes:
        resources: by logical id, with `Type` and `Properties`.
        outputs: by name.
    """

    resources: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The alarms, by logical id."""
        made = self.of_type("AWS::CloudWatch::Alarm")
        return {name: Alarm.from_properties(name, properties) for name, properties in made.items()}

    @property
    def filters(self) -> Sequence[MetricFilter]:
        """The metric filters."""
        return [MetricFilter.from_properties(each) for each in self.of_type("AWS::Logs::MetricFilter").values()]

    @property
    def dashboard(self) -> dict[str, Any]:
        """The body of the dashboard."""
        (properties,) = self.of_type("AWS::CloudWatch::Dashboard").values()
        body: dict[str, Any] = json.loads(properties["DashboardBody"])
        return body

    @property
    def digest(self) -> str:
        """A text that differs where the dashboard or its alarms do: what a picture is of."""
        shown = json.dumps([self.dashboard, self.of_type("AWS::CloudWatch::Alarm")], sort_keys=True)
        return sha256(shown.encode()).hexdigest()

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of the resources of a type, by logical id."""
        found = of_type({"Resources": dict(self.resources)}, kind)
        return {name: resource["Properties"] for name, resource in found.items()}


def monitoring(**parameters: str) -> Monitoring:
    """Make the nested stack where the stack has everything, but for the *parameters* given here."""
    return _made(tuple(sorted({**EVERYTHING, **parameters}.items())))


@cache
def counting() -> Sequence[MetricFilter]:
    """Return the metric filters that count lean lines, each once: those of two log groups are alike."""
    template = sources(COUNTING)
    values = {
        "Stack": STACK,
        "AuthorizeLogGroupName": EVERYTHING["AuthorizeLogGroupName"],
        "GatewayAuthorizerLogGroupName": f"/aws/lambda/{STACK}-gateway-authorizer",
    }
    translated = translated_by_sam(template, values)
    made = made_of(translated, Resolver(values, translated["Conditions"], translated["Resources"]))
    found: list[MetricFilter] = []
    for resource in of_type(made, "AWS::Logs::MetricFilter").values():
        each = MetricFilter.from_properties(resource["Properties"])
        if each not in found:
            found.append(each)
    return tuple(found)


@cache
def _made(parameters: tuple[tuple[str, str], ...]) -> Monitoring:
    values, template = dict(parameters), sources(TEMPLATE)
    if values.keys() != template["Parameters"].keys():
        raise ValueError(f"parameters differ: {sorted(values.keys() ^ template['Parameters'].keys())}")
    translated = translated_by_sam(template, values)
    made = made_of(translated, _Writer(values, translated["Conditions"], translated["Resources"]))
    return Monitoring(made["Resources"], made["Outputs"])

"""What linters get of template.yaml and its nested applications: `python -m tools.template.translated FOLDER WRITTEN`.

SAM's template hides mistakes from linters, since resources that SAM makes are not in it. One file has the conditions
still open. The others have them decided, each by one combination of parameters: what CloudFormation would make of it.
The second folder gets template.yaml itself, with its aliases and merges written out, as `sam build` does.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tools.template.stack import (
    PSEUDO_PARAMETERS,
    TEMPLATE,
    Decider,
    made_of,
    parts_by_sam,
    sources,
    translated_by_sam,
    values_of,
)

TOPIC: Final = "arn:aws:sns:eu-central-1:123456789012:on-call"
KEY: Final = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"
CERTIFICATE: Final = "arn:aws:acm:eu-central-1:123456789012:certificate/0000-1111"
WEB_ACL: Final = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/mine/0000-1111"
MUTUAL_TLS: Final = {
    "DomainName": "auth.example.com",
    "CertificateArn": CERTIFICATE,
    "TruststoreUri": "s3://trust/frontends.pem",
}
REPLICA_KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/2222-3333"
DOMAIN_OF_BOTH: Final = {
    "DomainName": "login.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/0000-1111",
    "HostedZoneId": "Z0123456789ABC",
}

COMBINATIONS: Final[dict[str, dict[str, str]]] = {
    "defaults": {},
    "iam": {"Gate": "iam"},
    "private": {"Gate": "private", "VpcEndpointId": "vpce-0abc"},
    "domain": {
        "DomainName": "auth.example.com",
        "CertificateArn": CERTIFICATE,
        "HostedZoneId": "Z0123",
        "WebAclArn": WEB_ACL,
    },
    "mutual-tls": {"Gate": "mtls", **MUTUAL_TLS, "TruststoreVersion": "v7"},
    "http": {"Entry": "http", "Gate": "iam", "AccessLogs": "new-role"},
    "http-mutual-tls": {"Entry": "http", "Gate": "mtls", **MUTUAL_TLS},
    "function-url": {"Entry": "url", "Gate": "iam"},
    "both-keys": {"ApiKeys": "both", "DailyQuota": "1000"},
    "second-key": {"ApiKeys": "second"},
    "tables-that-exist": {"CreateTables": "false", "RevocationsTable": "jwt_revocations"},
    "two-regions": {"ReplicaRegion": "eu-west-1"},
    "two-regions-with-keys": {
        "ReplicaRegion": "eu-west-1",
        "RevocationsTable": "jwt_revocations",
        "KmsKeyArn": KEY,
        "ReplicaKmsKeyArn": REPLICA_KEY,
        "UsernameIndex": "true",
        "MaxReadUnits": "500",
        "ExpireSecrets": "true",
    },
    "failover": {
        **DOMAIN_OF_BOTH,
        "FailoverRole": "primary",
        "FailoverBy": "health",
        "ReplicaRegion": "eu-west-1",
        "AlarmTopicArn": TOPIC,
    },
    "failover-by-operator": {**DOMAIN_OF_BOTH, "FailoverRole": "primary", "ReplicaRegion": "eu-west-1"},
    "secondary": {**DOMAIN_OF_BOTH, "FailoverRole": "secondary", "CreateTables": "false", "Writers": "elsewhere"},
    "standby": {"CreateTables": "false", "Writers": "elsewhere", "Issuers": "https://login.example.com/*"},
    "indexed": {"UsernameIndex": "true"},
    "bounded": {"MaxReadUnits": "500", "ReservedConcurrency": "7", "ExpireSecrets": "true"},
    "watched": {"AlarmTopicArn": TOPIC, "AccessLogs": "account-role"},
    "without-authorizer": {"GatewayAuthorizer": "false", "AlarmTopicArn": TOPIC},
    "without-snapshots": {"SnapStart": "None"},
    "verbose": {"AuthorizedLog": "full", "SystemLogLevel": "INFO", "Tracing": "Active"},
    "neither": {"GatewayAuthorizer": "false", "SnapStart": "None"},
    "admin": {"AdminApi": "true"},
    "admin-with-access-logs": {"AdminApi": "true", "AccessLogs": "new-role"},
    "ends-unchecked": {"SecretsEndWithinDays": "0"},
    "rotation": {"RotatedTag": "alice-web"},
    "issuers": {"Issuers": "https://login.example.com/*"},
    "issuers-in-a-small-account": {"Issuers": "https://login.example.com/*", "RefreshKeysConcurrency": ""},
    "checked": {"DeploymentPreference": "AllAtOnce", "SnapStart": "None"},
    "gradual": {"DeploymentPreference": "Canary10Percent5Minutes", "CanaryTag": "canary", "AlarmTopicArn": TOPIC},
    "gradual-http": {
        "Entry": "http",
        "Gate": "iam",
        "DeploymentPreference": "Canary10Percent5Minutes",
        "AlarmTopicArn": TOPIC,
    },
    "gradual-without-authorizer": {
        "DeploymentPreference": "Linear10PercentEvery1Minute",
        "GatewayAuthorizer": "false",
        "CanaryTag": "canary",
        "RevocationsTable": "jwt_revocations",
    },
    "everything": {
        "DeploymentPreference": "Linear10PercentEvery10Minutes",
        "CanaryTag": "canary",
        "ApiKeys": "both",
        "DailyQuota": "1000",
        "AdminApi": "true",
        "RotatedTag": "alice-web",
        "Issuers": "https://login.example.com/*",
        "RevocationsTable": "jwt_revocations",
        "KmsKeyArn": KEY,
        "LogKmsKeyArn": KEY,
        "MaxReadUnits": "500",
        "ReservedConcurrency": "7",
        "ExpireSecrets": "true",
        "AccessLogs": "new-role",
        "AlarmTopicArn": TOPIC,
    },
}
"""Parameters by the name of their file. A test holds that each condition is true in one and false in another."""


def open_conditions(template: dict[str, Any]) -> dict[str, Any]:
    """Return what SAM makes of *template* and of all that is nested in it, parameters and conditions open."""
    return translated_by_sam(template, values_of(template, {}))


def decided(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """Return what SAM makes of *template*, without parameters and conditions: only what *parameters* have made."""
    values = values_of(template, parameters)
    translated = translated_by_sam(template, values)
    decider = Decider(values, translated["Conditions"], translated["Resources"])
    return {"AWSTemplateFormatVersion": "2010-09-09", **made_of(translated, decider)}


def decided_parts(template: dict[str, Any], parameters: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the stack, without a name, and each of its nested applications that *parameters* have made, as deployed.

    What an application gets that only CloudFormation knows stays a parameter of it.
    """
    values = values_of(template, parameters)
    root, nested = parts_by_sam(template, values)
    decider = Decider(values, root["Conditions"], root["Resources"])
    made = made_of(root, decider)
    yield "", {"AWSTemplateFormatVersion": "2010-09-09", **made}
    for name in nested.keys() & made["Resources"].keys():
        inner, given = nested[name], made["Resources"][name]["Properties"].get("Parameters", {})
        known = {key: value for key, value in given.items() if isinstance(value, str)}
        left = {key: parameter for key, parameter in inner.get("Parameters", {}).items() if key not in known}
        inner_decider = Decider(known, inner.get("Conditions", {}), {**inner["Resources"], **left})
        stack = made_of(inner, inner_decider)
        used = {key: one for key, one in left.items() if re.search(rf'"{key}"|\$\{{{key}\}}', json.dumps(stack))}
        yield name, {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": used, **stack}


def files(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each file's name and what it is to hold."""
    root, nested = parts_by_sam(template, values_of(template, {}))
    for name, part in {"": root, **nested}.items():
        yield _file_name("conditions-open", name), part
    # What CodeDeploy needs is made by SAM, which wants to know: only here can a linter see a circle in it.
    gradual, _ = parts_by_sam(template, values_of(template, COMBINATIONS["gradual"]))
    yield _file_name("conditions-open-gradual", ""), gradual
    for name, parameters in COMBINATIONS.items():
        for application, part in decided_parts(template, parameters):
            yield _file_name(name, application), part


def _file_name(combination: str, application: str) -> str:
    return f"{combination}.{application}.json" if application else f"{combination}.json"


def write(folder: Path) -> None:
    """Write the files into *folder*, and leave no older ones there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, translated in files(sources()):
        (folder / name).write_text(json.dumps(translated, indent=1), encoding="utf-8")


def write_out(folder: Path) -> None:
    """Write template.yaml into *folder*, without aliases and merges."""

    class Dumper(yaml.SafeDumper):
        """A safe dumper that writes everything out."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    folder.mkdir(parents=True, exist_ok=True)
    written = yaml.dump(yaml_parse(TEMPLATE.read_text(encoding="utf-8")), Dumper=Dumper, sort_keys=False)
    (folder / TEMPLATE.name).write_text(written, encoding="utf-8")


if __name__ == "__main__":
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of what it has no configuration for
    os.environ.setdefault("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])  # which SAM's library asks for
    write(Path(sys.argv[1]))
    write_out(Path(sys.argv[2]))

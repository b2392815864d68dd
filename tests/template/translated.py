"""What SAM makes of template.yaml, written into files for a linter: `python -m tests.template.translated FOLDER`.

SAM's template hides mistakes from linters, since resources that SAM makes are not in it. One file has the conditions
still open. The others have them decided, each by one combination of parameters: what CloudFormation would make of it.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.template.stack import PSEUDO_PARAMETERS, Decider, made_of, sources, translated_by_sam, values_of

TOPIC: Final = "arn:aws:sns:eu-central-1:123456789012:on-call"
KEY: Final = "arn:aws:kms:eu-central-1:123456789012:key/0000-1111"

COMBINATIONS: Final[dict[str, dict[str, str]]] = {
    "defaults": {},
    "iam": {"Gate": "iam"},
    "private": {"Gate": "private", "VpcEndpointId": "vpce-0abc"},
    "both-keys": {"ApiKeys": "both", "DailyQuota": "1000"},
    "second-key": {"ApiKeys": "second"},
    "tables-that-exist": {"CreateTables": "false", "RevocationsTable": "jwt_revocations"},
    "bounded": {"MaxReadUnits": "500", "ReservedConcurrency": "7", "ExpireSecrets": "true"},
    "watched": {"AlarmTopicArn": TOPIC, "AccessLogs": "account-role"},
    "without-authorizer": {"GatewayAuthorizer": "false", "AlarmTopicArn": TOPIC},
    "without-snapshots": {"SnapStart": "None"},
    "neither": {"GatewayAuthorizer": "false", "SnapStart": "None"},
    "admin": {"AdminApi": "true"},
    "admin-with-access-logs": {"AdminApi": "true", "AccessLogs": "new-role"},
    "rotation": {"RotatedTag": "alice-web"},
    "issuers": {"Issuers": "https://login.example.com/*"},
    "issuers-in-a-small-account": {"Issuers": "https://login.example.com/*", "RefreshKeysConcurrency": ""},
    "everything": {
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
    """Return what SAM makes of *template*, its parameters and conditions open."""
    return translated_by_sam(template, values_of(template, {}))


def decided(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """Return what SAM makes of *template*, without parameters and conditions: only what *parameters* have made."""
    values = values_of(template, parameters)
    translated = translated_by_sam(template, values)
    decider = Decider(values, translated["Conditions"], translated["Resources"])
    return {"AWSTemplateFormatVersion": "2010-09-09", **made_of(translated, decider)}


def files(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each file's name and what it is to hold."""
    yield "conditions-open.json", open_conditions(template)
    for name, parameters in COMBINATIONS.items():
        yield f"{name}.json", decided(template, parameters)


def write(folder: Path) -> None:
    """Write the files into *folder*, and leave no older ones there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, translated in files(sources()):
        (folder / name).write_text(json.dumps(translated, indent=1), encoding="utf-8")


if __name__ == "__main__":
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of what it has no configuration for
    os.environ.setdefault("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])  # which SAM's library asks for
    write(Path(sys.argv[1]))

"""The restore drill: export, restore to a point in time into new tables, wipe, and log in with what was restored.

Against moto, all of it. Against an account, all but the wipe: the tables of the stack are only read.
"""

import gzip
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tools.drill import logins
from tools.drill.report import DrillReport
from tools.drill.tables import (
    Census,
    Counting,
    Item,
    TableSettings,
    establish,
    fill,
    remove,
    scan,
    settings_of,
    wait_until_active,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SETTINGS: Final = {
    "ProfilesTable": "PROFILES_TABLE",
    "SecretsTable": "SECRETS_TABLE",
    "RevocationsTable": "REVOCATIONS_TABLE",
}
"""Parameters of the stack that name tables, and the variables that the function gets of them."""

_EXPORT_SECONDS: Final = 3600
_SECONDS_BETWEEN_LOOKS: Final = 10.0
_MOTO_ONLY: Final = frozenset({"encryption"})
"""What moto's restore loses and cannot be given again. In an account it is chosen by the restore."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is drilled.

    Attributes:
        client: of DynamoDB.
        s3: of S3; None without an export.
        bucket: where exports go.
        variables: the function's environment, with credentials.
        tag: a known user, who has an HMAC secret.
        emulated: whether it is moto: then the tables are wiped.
        keep: whether the restored tables stay.
    """

    client: "DynamoDBClient"
    s3: Any
    bucket: str | None
    variables: Mapping[str, str] = field(repr=False)
    tag: str
    emulated: bool
    keep: bool = False

    @property
    def tables(self) -> dict[str, str]:
        """The tables of the stack, by parameter; without revocations where there are none."""
        named = {parameter: self.variables.get(variable, "") for parameter, variable in SETTINGS.items()}
        return {parameter: name for parameter, name in named.items() if name}


def drill(target: Target, report: DrillReport) -> None:
    """Do it. What fails stands in the *report*."""
    restored = _names_of_restored(target.tables)
    made: list[str] = []
    with report.ending():
        settings = {name: settings_of(target.client, name) for name in target.tables.values()}
        _look_at(target, settings, report)
        revoked = _revoked_token(target, report)
        counting = Counting()
        before = {name: counting.census(scan(target.client, name)) for name in target.tables.values()}
        for name, census in before.items():
            report.done(f"counted {name}", str(census))
        moment = _moment(target)
        exported = _export(target, moment, counting, report) if target.bucket else {}
        try:
            _restore(target, restored, settings, moment, report, made)
            _wipe(target, exported, settings, counting, report)
            wanted = {name: exported[name][0] for name in exported} or before
            _compare(target, restored, wanted, counting, report, exact=bool(exported) or target.emulated)
            _log_in(target, restored, revoked, report)
            _show_parameters(restored, report)
        finally:
            _clear(target, made, report)


def _names_of_restored(tables: Mapping[str, str]) -> dict[str, str]:
    """Return names for the restored tables, by parameter. No two drills agree on one, though they begin together."""
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    return {parameter: f"{name[:230]}-{stamp}" for parameter, name in tables.items()}


def _moment(target: Target) -> datetime | None:
    """Return the instant that all tables can be restored to; None for moto, which knows only its present."""
    if target.emulated:
        return None
    return min(
        target.client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"][
            "PointInTimeRecoveryDescription"
        ]["LatestRestorableDateTime"]
        for name in target.tables.values()
    )


def _look_at(target: Target, settings: Mapping[str, TableSettings], report: DrillReport) -> None:
    for name, found in settings.items():
        report.need(
            f"{name} can be restored to a point in time", found.recovery, "" if found.recovery else "PITR is off"
        )
        report.check(f"{name} is protected from deletion", found.deletion_protection)
    if target.emulated:
        report.not_shown(
            "a point in time that has passed",
            "moto's restore copies the rows as they are when it is called, so this drill restores before it wipes",
        )
    else:
        report.not_shown("a wipe", "the tables of a stack are only read")


def _revoked_token(target: Target, report: DrillReport) -> str | None:
    """Return the id of a token of the known user that is revoked; None when there is none."""
    if "RevocationsTable" not in target.tables:
        report.not_shown("a revoked token", "the stack has no table of revoked tokens")
        return None
    if target.emulated:
        jti = "drilled"
        logins.operator(target.variables, target.client).revocations.revoke(target.tag, jti, exp=int(time.time()) + 600)
        report.done("revoked a token, before all else")
        return jti
    page = logins.operator(target.variables, target.client).revocations.page(target.tag, limit=1)
    if not page.revocations:
        report.not_shown("a revoked token", f"{target.tag} has none; revoke one and drill again")
        return None
    return page.revocations[0].jti


def _export(
    target: Target, moment: datetime | None, counting: Counting, report: DrillReport
) -> dict[str, tuple[Census, Sequence[Item]]]:
    """Export every table to S3, and read the exports; what they hold, by table."""
    found: dict[str, tuple[Census, Sequence[Item]]] = {}
    for name in target.tables.values():
        begun = time.monotonic()
        arn = target.client.describe_table(TableName=name)["Table"]["TableArn"]
        prefix = f"auth-jwt-drill/{name}-{int(time.time())}"
        request: dict[str, Any] = {} if moment is None else {"ExportTime": moment}
        export = target.client.export_table_to_point_in_time(
            TableArn=arn, S3Bucket=str(target.bucket), S3Prefix=prefix, ExportFormat="DYNAMODB_JSON", **request
        )["ExportDescription"]
        while export["ExportStatus"] == "IN_PROGRESS" and time.monotonic() < begun + _EXPORT_SECONDS:
            time.sleep(0.05 if target.emulated else _SECONDS_BETWEEN_LOOKS)
            export = target.client.describe_export(ExportArn=export["ExportArn"])["ExportDescription"]
        report.need(f"exported {name} to S3", export["ExportStatus"] == "COMPLETED", export["ExportStatus"])
        items = list(_exported_items(target, prefix)) if target.emulated else ()
        census = counting.census(items if target.emulated else _exported_items(target, prefix))
        report.done(f"read the export of {name}", str(census))
        found[name] = census, items
    return found


def _exported_items(target: Target, prefix: str) -> Iterator[Item]:
    """Give the rows of an export: lines of JSON in the compressed files of its folder `data`."""
    for page in target.s3.get_paginator("list_objects_v2").paginate(Bucket=target.bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if "/data/" in entry["Key"] and entry["Key"].endswith(".gz"):
                body = target.s3.get_object(Bucket=target.bucket, Key=entry["Key"])["Body"].read()
                for line in gzip.decompress(body).decode("utf-8").splitlines():
                    yield json.loads(line)["Item"]


def _restore(
    target: Target,
    restored: Mapping[str, str],
    settings: Mapping[str, TableSettings],
    moment: datetime | None,
    report: DrillReport,
    made: list[str],
) -> None:
    """Restore every table into a new one, side by side, and give it the settings that no restore brings.

    *made* receives the name of each table as soon as AWS says that it makes it: those are the drill's own.
    """
    begun = time.monotonic()
    for parameter, name in target.tables.items():
        request: dict[str, Any] = {"UseLatestRestorableTime": True} if moment is None else {"RestoreDateTime": moment}
        if settings[name].encryption:
            key = settings[name].encryption
            request["SSESpecificationOverride"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        copy = restored[parameter]
        try:
            target.client.restore_table_to_point_in_time(
                SourceTableName=name, TargetTableName=copy, BillingModeOverride="PAY_PER_REQUEST", **request
            )
            made.append(copy)
        except BaseException as error:
            if not _is_refusal(error):
                report.check(
                    f"{copy} is the drill's own", False, "AWS did not say so: look whether it is there, and whose"
                )
            raise
    for parameter, name in target.tables.items():
        copy = restored[parameter]
        wait_until_active(target.client, copy)
        lost = settings_of(target.client, copy).differences(settings[name])
        report.done(f"restored {name} as {copy}", f"without {', '.join(lost)}" if lost else "with all its settings")
        establish(target.client, copy, settings[name])
        still = settings_of(target.client, copy).differences(settings[name])
        if target.emulated and _MOTO_ONLY & set(still):
            report.not_shown(f"the encryption of {copy}", "moto restores none and cannot change it")
            still = [each for each in still if each not in _MOTO_ONLY]
        report.check(f"{copy} has the settings of {name}", not still, ", ".join(still))
    report.figures["restore"] = time.monotonic() - begun


def _is_refusal(error: BaseException) -> bool:
    """Tell whether AWS made no table, surely. A request without an answer is sent again, and finds what it made."""
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return status < 500 and error.response["Error"]["Code"] != "TableAlreadyExistsException"


def _wipe(
    target: Target,
    exported: Mapping[str, tuple[Census, Sequence[Item]]],
    settings: Mapping[str, TableSettings],
    counting: Counting,
    report: DrillReport,
) -> None:
    """Delete the tables of moto's stack, and make them anew from the export: the second way back."""
    if not target.emulated:
        return
    keys = {name: target.client.describe_table(TableName=name)["Table"] for name in target.tables.values()}
    for name in target.tables.values():
        remove(target.client, name)
    left = set(target.tables.values()) & set(target.client.list_tables()["TableNames"])
    report.need("wiped the tables of the stack", not left, ", ".join(target.tables.values()))
    for name, (census, items) in exported.items():
        target.client.create_table(
            TableName=name,
            AttributeDefinitions=keys[name]["AttributeDefinitions"],
            KeySchema=keys[name]["KeySchema"],
            BillingMode="PAY_PER_REQUEST",
        )
        establish(target.client, name, settings[name])
        fill(target.client, name, items)
        made = counting.census(scan(target.client, name))
        report.check(f"made {name} anew from its export", made == census, str(made))
        remove(target.client, name)  # what is logged in with below is what was restored


def _compare(
    target: Target,
    restored: Mapping[str, str],
    wanted: Mapping[str, Census],
    counting: Counting,
    report: DrillReport,
    *,
    exact: bool,
) -> None:
    for parameter, name in target.tables.items():
        found = counting.census(scan(target.client, restored[parameter]))
        differ = found.difference(wanted[name])
        what = f"{restored[parameter]} holds the rows of {name}"
        if exact or not differ:
            may_be_empty = parameter == "RevocationsTable"
            report.check(what, not differ and (found.count > 0 or may_be_empty), str(found))
        else:
            report.not_shown(
                what, f"{differ} rows differ from the table as it is now: give --bucket to compare exactly"
            )


def _log_in(target: Target, restored: Mapping[str, str], revoked: str | None, report: DrillReport) -> None:
    """Log in through the real handler, whose settings name the restored tables."""
    variables = {**target.variables, **{SETTINGS[parameter]: name for parameter, name in restored.items()}}
    token = logins.minted(variables, target.client, target.tag)
    report.need(f"signed a token of {target.tag} with its restored secret", token is not None)
    with logins.opened(variables, target.client) as door:
        outcome = door.outcome(str(token))
        report.check(f"{target.tag} logs in with the restored tables", outcome == "authorized", outcome)
        if revoked is not None:
            refused = logins.minted(variables, target.client, target.tag, jti=revoked)
            outcome = door.outcome(str(refused))
            report.check("a token that was revoked is still revoked", outcome == "revoked_token", outcome)


def _show_parameters(restored: Mapping[str, str], report: DrillReport) -> None:
    named = " ".join(f"{parameter}={name}" for parameter, name in restored.items())
    report.done("a stack uses these tables when it is deployed with", f"CreateTables=false {named}")
    report.not_shown(
        "what names the old tables elsewhere",
        "alarms and dashboards of the stack follow its parameters; your own, and IAM policies of yours, do not",
    )


def _clear(target: Target, made: Sequence[str], report: DrillReport) -> None:
    """Delete the tables that the drill made, unless they are to stay. Each that is left is a step that failed.

    It raises nothing of AWS's, and no interrupt: what ended the drill before is what is told.
    """
    if target.keep:
        for name in made:
            report.done(f"kept {name}, which is the drill's own")
        return
    left = list(made)
    problem = "not tried"
    try:
        for name in made:
            report.done(f"deletes {name}", "once it can be: a table that is still being made cannot")
            try:
                remove(target.client, name)
            except target.client.exceptions.ResourceNotFoundException:
                report.check(f"{name} is there to delete", False, "AWS does not find it: look again later")
            except (BotoCoreError, ClientError, OSError) as error:
                _note_left(name, str(error), report)
            else:
                report.done(f"deleted {name}, which was the drill's own")
            left.remove(name)
    except KeyboardInterrupt:
        problem = "interrupted"
    finally:
        for name in left:
            _note_left(name, problem, report)


def _note_left(name: str, problem: str, report: DrillReport) -> None:
    report.check(f"still there: {name}", False, f"delete it, since it holds the rows of its source: {problem}")

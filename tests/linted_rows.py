"""Rows held against the rules of `auth-jwt lint`, each by itself."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from auth_jwt.models import Columns, Policy
from auth_jwt.provisioning.changes import Key, Table
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import Finding
from auth_jwt_cli.migration.translation import TargetRow
from tests.factories import NOW


def row_of(columns: dict[str, object]) -> TargetRow:
    """A row, its numbers as DynamoDB's client gives them."""
    natural = {
        name: Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in columns.items()
    }
    if "corresponding_tag" in columns:
        return TargetRow(Key(Table.SECRETS, str(columns["corresponding_tag"]), str(columns.get("id", ""))), natural)
    return TargetRow(Key(Table.PROFILES, str(columns["tag"])), natural)


def findings_of(
    columns: dict[str, object],
    *,
    live: bool = False,
    required: bool = False,
    hmac: bool = False,
    domains: Mapping[str, str] | None = None,
    **policy: object,
) -> list[Finding]:
    examination = Examination(
        Columns(requires_alg=required),
        Policy(**policy),  # type: ignore[arg-type]
        live=live,
        hmac=hmac,
        domains=lambda: domains or {},
        clock=lambda: NOW,
    )
    return examination.of(row_of(columns)).findings


def rules_of(columns: dict[str, object], **settings: Any) -> set[str]:
    return {finding.rule.id for finding in findings_of(columns, **settings)}

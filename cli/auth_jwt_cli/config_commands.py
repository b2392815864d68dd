"""`auth-jwt config`: checks the settings and the tables."""

from collections.abc import Iterator
from typing import Annotated

import typer

from auth_jwt.runtime.settings import Settings
from auth_jwt_cli.checks import (
    Finding,
    Severity,
    bad_settings,
    column_findings,
    function_findings,
    policy_findings,
    profile_findings,
    secret_findings,
    setting_findings,
    source_findings,
    table_findings,
)
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.issuer_checks import issuer_findings
from auth_jwt_cli.options import reads_tables
from auth_jwt_cli.output import REFUSED, marked, pluralize

app = typer.Typer(help="Check the service's settings against its tables.", no_args_is_help=True)

_MARKS = {Severity.ERROR: ("ERROR", "bold red"), Severity.WARNING: ("warning", "yellow")}


@app.callback()
def config() -> None:
    """Check the service's settings against its tables."""


@app.command("check")
@reads_tables
def check(
    connection: Connection,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 for warnings, too.")] = False,
) -> None:
    """List what is wrong with the settings and the tables, each with its remedy. Nothing is written.

    The tables are read with your permissions, so this does not check those of the function.

    Exit code 0: nothing is wrong; 1: something is wrong; 4: the tables cannot be read.

    Example: auth-jwt config check --function auth-jwt-authorize
    """
    findings = list(dict.fromkeys(findings_of(connection)))
    severities = [finding.severity for finding in findings]
    rows = [
        (_MARKS[finding.severity], finding.about, f"{finding.text}. Remedy: {finding.remedy}.") for finding in findings
    ]
    documents = [
        {"severity": finding.severity, "about": finding.about, "text": finding.text, "remedy": finding.remedy}
        for finding in findings
    ]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    summary = f"{pluralize(errors, 'error')}, {pluralize(warnings, 'warning')}"
    connection.output.show({"findings": documents}, marked(rows), summary)
    if Severity.ERROR in severities or (strict and findings):
        raise typer.Exit(REFUSED)


def findings_of(connection: Connection) -> Iterator[Finding]:
    """Give what is wrong with the settings and the tables of a *connection*.

    Raises:
        Unreachable: a table cannot be reached now.
        Fault: the settings or the tables cannot be read.
    """
    variables = connection.configuration.variables
    if connection.where.names_source:
        yield from source_findings(connection.source.variables)
    yield from setting_findings(variables)
    bad = bad_settings(variables)
    settings = Settings.from_env({name: value for name, value in variables.items() if name not in bad})
    yield from policy_findings(settings)
    yield from column_findings(settings.columns)
    yield from function_findings(settings, connection.configuration.timeout_seconds)
    if bad:
        connection.output.note("The tables are not checked: correct the settings first.")
        return
    broken = False
    for finding in table_findings(connection.client, settings, connection.caller):
        broken = broken or finding.severity is Severity.ERROR
        yield finding
    if not broken:
        yield from profile_findings(connection.reading.profiles, settings)
        yield from secret_findings(connection.client, settings, connection.caller)
        yield from issuer_findings(connection.reading.issuers, settings, connection.reading.registry.clock())

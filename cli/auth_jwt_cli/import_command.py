"""`auth-jwt import`: copies the tables of the OpenSIPS module into those of this service."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from auth_jwt.errors import AuthJwtError, Fault
from auth_jwt.provisioning.audit import AuditEntry
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.importing import DEFAULT_WORKERS, Import
from auth_jwt_cli.migration.options import Choice, reads_source
from auth_jwt_cli.migration.progress import PauseTeller, progress_on
from auth_jwt_cli.migration.reports import ImportRecord, ImportSummary, ReportFile
from auth_jwt_cli.migration.sources import SourceError
from auth_jwt_cli.migration.target import Patience, Target, patient_client
from auth_jwt_cli.migration.translation import Translation
from auth_jwt_cli.migration.writing import RowOutcome
from auth_jwt_cli.options import Yes, writes_tables
from auth_jwt_cli.output import CONFLICT, FAULT, REFUSED, USAGE, complain, fail, message_of, prose

_INTERRUPTED: Final = 130
_SUMMARY_ONLY: Final = Path("-")


@writes_tables
@reads_source
def import_rows(
    connection: Connection,
    choice: Choice,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Overwrite rows that differ. Columns that only the table has stay, and nothing opens again that was"
            " closed, disabled or revoked here.",
        ),
    ] = False,
    hmac: Annotated[
        bool,
        typer.Option("--hmac", help="Treat secrets in doubt as HMAC secrets, because you know that they are."),
    ] = False,
    skip_in_doubt: Annotated[
        bool, typer.Option("--skip-in-doubt", help="Leave secrets in doubt out, and import all others.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a line of JSON for every row with a finding."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=32, help="How many batches are written at once.")
    ] = DEFAULT_WORKERS,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    yes: Yes = False,
) -> None:
    """Import the tables of an OpenSIPS auth_jwt: profiles, and their secrets.

    You may run it as often as you like. Existing rows stay as they are, and an interrupted import continues. A row
    that differs from the table's is reported and stays as it is, too, unless --overwrite is given, which asks first.

    Rows that cannot be stored are reported, never dropped silently. So are rows whose secret is empty or NULL:
    OpenSIPS lets anyone in with them, but here they would verify nothing, so they are not imported. Rows that are odd
    in other ways are imported as they are, and reported. `auth-jwt lint` says more.

    Every secret gets an `alg` that says what it is. If its text could be something else than an HMAC secret, the
    import names it and stops before it writes anything, unless --hmac or --skip-in-doubt is given.

    The import reads a source to its end before it writes anything. If rows may be missing in it (a dump without its
    last line, text that is not a statement, a table without a row), the import says so and stops, unless
    --accept-incomplete is given.

    Exit codes: 0 the tables hold every row; 1 some rows were refused, are in doubt, or may be missing; 3 some rows
    differ; 4 the source or the tables cannot be used, or the source may be incomplete; 130 interrupted.
    """
    if not choice.is_made:
        fail("name a SOURCE; `auth-jwt import --help` says what it may be", USAGE)
    if hmac and skip_in_doubt:
        fail("--hmac imports what --skip-in-doubt leaves out: give one of them", USAGE)
    if overwrite and not dry_run:
        connection.output.confirm("Overwrite the rows that differ from SOURCE?", yes=yes)
    began = time.monotonic()
    settings = connection.settings
    try:
        source = choice.source()
        with ReportFile(report) as lines, progress_on(quiet=quiet) as progress:
            pauses = PauseTeller(progress)
            target = Target(
                patient_client(connection.aws, connection.region, settings.database.endpoint, connections=workers),
                settings,
                patience=Patience(),
                tell=pauses,
            )
            audit = None if dry_run or connection.where.audit_log == _SUMMARY_ONLY else connection.audit
            record = ImportRecord(lines, progress, audit=audit, actor=connection.actor, clock=time.time)
            job = Import(
                source=source,
                target=target,
                translation=Translation(choice.layout, settings.columns),
                examination=Examination(
                    settings.columns,
                    settings.policy,
                    live=False,
                    tables=choice.layout.tables,
                    hmac=hmac,
                    domains=connection.reading.issuers.domains,
                    clock=time.time,
                ),
                columns=settings.columns,
                recorder=record,
                overwrite=overwrite,
                dry_run=dry_run,
                workers=workers,
            )
            interrupted, problem = _run(
                connection,
                job,
                record,
                for_doubts=not hmac and not skip_in_doubt,
                accept_incomplete=choice.accept_incomplete,
            )
            summary = ImportSummary(
                record=record,
                source=source.name,
                tables=choice.layout.tables,
                reading=source.reading,
                gaps=source.gaps,
                dry_run=dry_run,
                interrupted=interrupted,
                problem=problem,
                stopped=(record.total(RowOutcome.REFUSED) > 0 or bool(source.gaps)) and not record.has_begun,
                seconds=time.monotonic() - began,
                pauses=pauses.pauses,
            )
            lines.line({"summary": summary.as_json()})
    except SourceError as error:
        fail(str(error), FAULT)
    if not dry_run:
        connection.audit(_entry_of(summary, connection.actor))
    connection.output.show(summary.as_json(), *map(prose, summary.lines()))
    if summary.problem is not None:
        complain(summary.problem)
    raise typer.Exit(_exit_code_of(summary, accept_incomplete=choice.accept_incomplete))


def _run(
    connection: Connection, job: Import, record: ImportRecord, *, for_doubts: bool, accept_incomplete: bool
) -> tuple[bool, str | None]:
    """Run the *job*; return whether somebody interrupted it, and the error that ended it, if any."""
    for_doubts = for_doubts and Table.SECRETS in job.examination.tables
    try:
        if for_doubts or not accept_incomplete:
            for finding in job.look(for_doubts=for_doubts):
                record.refused(finding)
        if not record.total(RowOutcome.REFUSED) and (accept_incomplete or not job.source.gaps):
            job.run()
    except KeyboardInterrupt:
        return True, None
    except AuthJwtError as error:
        if isinstance(error, Fault):
            connection.advise(error)
        return False, message_of(error)
    return False, None


def _entry_of(summary: ImportSummary, actor: str) -> AuditEntry:
    """Return the audit entry for the whole import."""
    told = summary.as_json()
    details = {name: told[name] for name in ("source", "complete", "incomplete", "interrupted", "problem", "tables")}
    return AuditEntry(int(time.time()), actor, "import", "*", outcome=summary.outcome, details=details)


def _exit_code_of(summary: ImportSummary, *, accept_incomplete: bool) -> int:
    if summary.interrupted:
        return _INTERRUPTED
    if summary.problem is not None or (summary.gaps and not accept_incomplete):
        return FAULT
    if summary.record.total(RowOutcome.REFUSED) or summary.gaps:
        return REFUSED
    return 0 if summary.record.is_alike else CONFLICT

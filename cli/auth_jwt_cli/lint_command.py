"""`auth-jwt lint`: finds rows that are dangerous, or behave differently here, in a source or in the live tables."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from auth_jwt.errors import AuthJwtError, Fault
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.migration.examination import Examination
from auth_jwt_cli.migration.findings import RULES, Finding, Severity
from auth_jwt_cli.migration.layout import SourceLayout
from auth_jwt_cli.migration.linting import findings_in, rows_of_source, rows_of_tables
from auth_jwt_cli.migration.options import Choice, reads_source
from auth_jwt_cli.migration.progress import PauseTeller, Progress, progress_on
from auth_jwt_cli.migration.reports import FindingCounts, ReportFile, describe_findings, describe_gaps, describe_reading
from auth_jwt_cli.migration.sources import Gap, Source, SourceError, SourceReading
from auth_jwt_cli.migration.target import Patience, Target, patient_client
from auth_jwt_cli.migration.translation import Translation
from auth_jwt_cli.options import reads_tables
from auth_jwt_cli.output import FAULT, REFUSED, USAGE, fail, message_of, pluralize, prose

_TOLD_EVERY = 100


@reads_tables
@reads_source
def lint(
    connection: Connection,
    choice: Choice,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 for any finding, not for dangers only.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Leave out the findings of this rule.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write each finding as a line of JSON.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """List rows that would let the wrong people in, or that behave differently here, each with its remedy.

    It checks a SOURCE before its import; without a SOURCE, it checks the live tables. Nothing is written. No secret is
    shown, nor anything computed from one.

    Exit codes: 0 nothing is dangerous; 1 something is (with --strict: anything was found); 4 the source or the tables
    cannot be used, or rows of the source may be missing (not with --accept-incomplete).
    """
    ignored = _check_rules(ignore or [])
    try:
        lines = ReportFile(report)
        source = choice.source() if choice.is_made else None
    except SourceError as error:
        fail(str(error), FAULT)
    problem = None
    with lines, progress_on(quiet=quiet) as progress:
        task = _Lint(connection, source, choice.layout, progress)
        show = _JsonDocument(task.name) if connection.output.as_json else None
        counts = FindingCounts()
        try:
            for finding in task.findings():
                if finding.rule.id not in ignored:
                    counts.add(finding)
                    members = finding.as_json(connection.where.options)
                    lines.line(members)
                    if show is not None:
                        show.add(members)
        except (AuthJwtError, KeyboardInterrupt) as error:
            if isinstance(error, Fault):
                connection.advise(error)
            problem = message_of(error) if isinstance(error, AuthJwtError) else "interrupted"
    if show is not None:
        show.end(task, counts, problem)
    elif problem is None or task.rows:
        connection.output.show(None, *map(prose, _report_lines(task, counts)))
    _fail_if_not_all(task, problem, accept_incomplete=choice.accept_incomplete)
    if counts.of(Severity.DANGER) or (strict and counts.counts):
        raise typer.Exit(REFUSED)


def _fail_if_not_all(task: "_Lint", problem: str | None, *, accept_incomplete: bool) -> None:
    """End the command with an error if it did not check all rows, or cannot know whether it did."""
    if problem is not None:
        fail(f"{problem}; the findings above are not all" if task.rows else problem, FAULT)
    if task.gaps and not accept_incomplete:
        fail("rows of the source may be missing; --accept-incomplete accepts the source as it is", FAULT)


def _check_rules(rules: list[str]) -> frozenset[str]:
    """Return *rules* as a set, or end the command if one is unknown."""
    for rule in rules:
        if rule not in RULES:
            fail(f"there is no rule {rule!r}; the rules are {', '.join(RULES)}", USAGE)
    return frozenset(rules)


class _Lint:
    """One run of the checks over a source or the live tables, with its progress."""

    def __init__(self, connection: Connection, source: Source | None, layout: SourceLayout, progress: Progress) -> None:
        self._connection = connection
        self._source = source
        self._layout = layout
        self._progress = progress
        self._expected = 0
        self.rows: Counter[str] = Counter()
        settings = connection.settings
        self.name = source.name if source else f"the tables {settings.profiles_table} and {settings.secrets_table}"

    @property
    def reading(self) -> SourceReading | None:
        """How the source was read; None if there is only one way."""
        return self._source.reading if self._source else None

    @property
    def gaps(self) -> Sequence[Gap]:
        """Why rows of the source may be missing."""
        return self._source.gaps if self._source else ()

    def findings(self) -> Iterator[Finding]:
        """Yield every finding, and count the rows."""
        settings, tables = self._connection.settings, self._layout.tables
        is_live = self._source is None
        examination = Examination(
            settings.columns,
            settings.policy,
            live=is_live,
            tables=tables,
            domains=self._connection.reading.issuers.domains if is_live else dict,
            clock=time.time,
        )
        if self._source is not None:
            rows = rows_of_source(self._source, Translation(self._layout, settings.columns))
        else:
            target = self._target()
            self._expected = sum(map(target.count, tables))
            rows = rows_of_tables(target, tables)
        return findings_in(rows, examination, settings.columns, seen=self._count_row)

    def _target(self) -> Target:
        settings = self._connection.settings
        client = patient_client(
            self._connection.aws, self._connection.region, settings.database.endpoint, connections=1
        )
        return Target(client, settings, patience=Patience(), tell=PauseTeller(self._progress))

    def _count_row(self, table: Table) -> None:
        self.rows[table.value] += 1
        total = self.rows.total()
        if total % _TOLD_EVERY == 1:
            fraction = min(1.0, total / self._expected) if self._expected else None
            self._progress.update(self._source.fraction if self._source else fraction, f"{total} rows")


class _JsonDocument:
    """One JSON document, written finding by finding, because there may be many."""

    def __init__(self, name: str) -> None:
        self._separator = ""
        sys.stdout.write(f'{{"source": {json.dumps(name)}, "findings": [')

    def add(self, finding: Mapping[str, object]) -> None:
        """Write the members of one more finding."""
        sys.stdout.write(f"{self._separator}{json.dumps(finding)}")
        self._separator = ", "

    def end(self, task: _Lint, counts: FindingCounts, problem: str | None) -> None:
        """Write the counts and the end of the document."""
        members = {
            "reading": None if task.reading is None else task.reading.as_json(),
            "incomplete": [gap.as_json() for gap in task.gaps],
            "rows": task.rows,
            "rules": counts.as_json(),
            "severities": {severity.value: counts.of(severity) for severity in Severity},
            "problem": problem,
        }
        sys.stdout.write(f"], {json.dumps(members)[1:]}\n")


def _report_lines(task: _Lint, counts: FindingCounts) -> Iterator[str]:
    looked_at = ", ".join(f"{number} {table}" for table, number in task.rows.items()) or "no rows"
    yield f"Looked at {looked_at} of {task.name}."
    yield from describe_reading(task.reading)
    yield from describe_findings(counts)
    yield ""
    told = ", ".join(
        f"{pluralize(counts.of(severity), severity.value)}" for severity in Severity if counts.of(severity)
    )
    yield f"Found: {told}." if told else "Found nothing."
    yield from describe_gaps(task.gaps)

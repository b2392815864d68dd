"""`auth-jwt secret set-alg`: writes into the `alg` of rows what their keys are, where it is missing."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Final

import typer

from auth_jwt.errors import AuthJwtError
from auth_jwt.models import Row
from auth_jwt.provisioning.changes import Table
from auth_jwt.provisioning.secrets import Stated, StatementOutcome
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.migration.progress import PauseTeller, Progress, progress_on
from auth_jwt_cli.migration.target import Patience, Target, patient_client
from auth_jwt_cli.options import named_algorithms, writes_tables
from auth_jwt_cli.output import REFUSED, Misused, pluralize, render_cell
from auth_jwt_cli.tag_completion import complete_tag
from auth_jwt_cli.throttling import retry_throttled

_TOLD_EVERY: Final = 100
_SHOWN: Final = (StatementOutcome.WRITTEN, StatementOutcome.LEFT, StatementOutcome.GONE)


@writes_tables
def set_alg(
    connection: Connection,
    tag: Annotated[
        str | None,
        typer.Argument(
            metavar="[TAG]", help="The secrets of this tag; without a tag, give --all.", autocompletion=complete_tag
        ),
    ] = None,
    secret_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only the secret with this id.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every row of the table.")] = False,
    algorithms: Annotated[
        str | None,
        typer.Option(
            "--alg",
            metavar="LIST",
            help="The algorithms to write, such as `HS256`; without it, those of the key, if its kind is certain. "
            "With an ID, they replace those that are there.",
        ),
    ] = None,
    hmac: Annotated[
        bool,
        typer.Option("--hmac", help="Treat texts in doubt as HMAC secrets, because you know that they are."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would be written.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Write into the `alg` of secrets what their keys are, so that the service need not guess.

    It shows a line for each row that it writes, and for each row that it leaves because the kind of its key is
    unknown or it holds no usable key. Rows that name their algorithms already stay as they are, and no other column
    changes. Values are not shown. You may stop it and run it again: it continues where it ended.

    Exit codes: 0 all rows say what their key is; 1 some rows were left as they are; 4 the tables cannot be used.

    Example: auth-jwt secret set-alg --all --dry-run
    """
    names = named_algorithms(algorithms)
    if (tag is None) is not all_:
        raise Misused("give a TAG, or --all")
    if names is not None and (all_ or hmac):
        raise Misused("--alg names the algorithms of one tag: it goes neither with --all nor with --hmac")
    secrets = (connection.reading if dry_run else connection.writing).secrets
    report = _Report(connection, dry_run=dry_run)
    problem = None
    with progress_on(quiet=quiet or not all_) as progress:
        pauses = PauseTeller(progress)
        rows = _all_rows(connection, pauses, progress) if tag is None else iter(secrets.rows(tag, secret_id))
        report.begin()
        try:
            for row in rows:
                report.add(
                    retry_throttled(
                        partial(
                            secrets.state_algorithms,
                            row,
                            algorithms=names,
                            hmac=hmac,
                            anew=secret_id is not None,
                            dry_run=dry_run,
                        ),
                        pauses,
                    )
                )
        except (AuthJwtError, KeyboardInterrupt) as error:
            problem = error
    report.end(problem)
    if problem is not None:
        raise problem
    if report.counts[StatementOutcome.LEFT]:
        raise typer.Exit(REFUSED)


def _all_rows(connection: Connection, pauses: PauseTeller, progress: Progress) -> Iterator[Row]:
    """Yield every row of the table of secrets, read page by page in a scan."""
    settings = connection.settings
    client = patient_client(connection.aws, connection.region, settings.database.endpoint, connections=1)
    target = Target(client, settings, patience=Patience(), tell=pauses)
    expected = target.count(Table.SECRETS)
    for number, row in enumerate(target.rows(Table.SECRETS), 1):
        yield row.columns
        if number % _TOLD_EVERY == 0:
            progress.update(min(1.0, number / expected) if expected else None, f"{number} rows")


class _Report:
    """The report about each row, shown row by row, because there may be many."""

    def __init__(self, connection: Connection, *, dry_run: bool) -> None:
        self._output = connection.output
        self._dry_run = dry_run
        self._separator = ""
        self.counts: Counter[StatementOutcome] = Counter()

    def begin(self) -> None:
        """Begin the JSON document, with `--json`."""
        if self._output.as_json:
            self._output.write(f'{{"dry_run": {json.dumps(self._dry_run)}, "rows": [')

    def add(self, stated: Stated) -> None:
        """Count a row, and show it unless it stayed as it was."""
        self.counts[stated.outcome] += 1
        if stated.outcome not in _SHOWN:
            return
        if self._output.as_json:
            self._output.write(f"{self._separator}{json.dumps(_statement_members(stated))}")
            self._separator = ", "
        else:
            self._output.show(None, self._line(stated))

    def end(self, problem: BaseException | None) -> None:
        """Show the counts, and the *problem* that ended the run early, if any."""
        counts = {outcome.value: self.counts[outcome] for outcome in StatementOutcome}
        if self._output.as_json:
            why = None if problem is None else str(problem) or "interrupted"
            self._output.write(f"], {json.dumps({'counts': counts, 'problem': why})[1:]}\n")
            return
        written = "would be written" if self._dry_run else "written"
        told = {
            StatementOutcome.WRITTEN: written,
            StatementOutcome.THERE: "said it already",
            StatementOutcome.LEFT: "left",
            StatementOutcome.GONE: "gone meanwhile",
        }
        parts = [f"{self.counts[outcome]} {word}" for outcome, word in told.items() if self.counts[outcome]]
        summary = f"{pluralize(self.counts.total(), 'row')}" + (f": {', '.join(parts)}" if parts else "")
        self._output.show(None, summary if problem is None else f"{summary}; that is not all")

    def _line(self, stated: Stated) -> str:
        row = f"{render_cell(stated.tag)}  {render_cell(stated.id)}"
        if stated.outcome is StatementOutcome.WRITTEN:
            return f"{'would write' if self._dry_run else 'wrote'}  {row}  {','.join(stated.algorithms)}"
        return f"{stated.outcome.value}  {row}" + ("" if stated.unusable is None else f"  {stated.unusable}")


def _statement_members(stated: Stated) -> dict[str, object]:
    unusable = stated.unusable
    return {
        "tag": stated.tag,
        "id": stated.id,
        "outcome": stated.outcome.value,
        "algorithms": list(stated.algorithms),
        "flaw": None if unusable is None else unusable.flaw.value,
        "unusable_because": None if unusable is None else unusable.because,
    }

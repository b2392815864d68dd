"""`auth-jwt bulk`: one operation for each tag of a file."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from auth_jwt.errors import Conflict, Rejected
from auth_jwt.provisioning import Provisioning
from auth_jwt.provisioning.secrets import OVERLAP_SECONDS, NewSecret
from auth_jwt_cli.bulk.ledgers import LedgerFile
from auth_jwt_cli.bulk.running import DEFAULT_WORKERS, MAX_WORKERS, Run, TagOutcome, TagReport, run_all
from auth_jwt_cli.bulk.tag_files import read_tags
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.migration.progress import PauseTeller, Progress, progress_on
from auth_jwt_cli.options import Command, Overlap, ReplacePublicKey, Yes, named_algorithms, with_options, writes_tables
from auth_jwt_cli.output import (
    CONFLICT,
    INTERRUPTED,
    REFUSED,
    Output,
    complain,
    fail,
    pluralize,
    table,
)
from auth_jwt_cli.throttling import retry_throttled
from auth_jwt_cli.times import format_instant, parse_instant

app = typer.Typer(help="One operation for each tag of a file: disable, enable, rotate, revoke.", no_args_is_help=True)

Tags = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The tags: one a line, or the lines of `profile list --json` or `find --json`; `-` is standard input.",
    ),
]
_OPTIONS: Final[dict[str, tuple[Any, object]]] = {
    "report": (
        Annotated[
            Path | None,
            typer.Option(
                "--report",
                metavar="FILE",
                help="Write a line of JSON for each tag. With the file of an earlier run, write more lines into it.",
            ),
        ],
        None,
    ),
    "workers": (
        Annotated[
            int, typer.Option("--workers", min=1, max=MAX_WORKERS, help="How many tags are worked on at the same time.")
        ],
        DEFAULT_WORKERS,
    ),
    "dry_run": (
        Annotated[bool, typer.Option("--dry-run", help="Write nothing: make all checks, and say what would be done.")],
        False,
    ),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")], False),
    "yes": (Yes, False),
}


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a command goes through its file, by the options that all of them have.

    Attributes:
        report: the file of the report; None writes none.
        workers: how many tags are worked on at the same time.
        dry_run: whether nothing is written.
        quiet: whether no progress is shown.
        yes: whether nobody is asked.
    """

    report: Path | None
    workers: int
    dry_run: bool
    quiet: bool
    yes: bool


def _goes_through_a_file(command: Command) -> Command:
    """Give a *command* the options of all bulk operations; they replace its parameter `manner`."""
    return writes_tables(with_options(command, "manner", _OPTIONS, _Manner))


Operation = Callable[[Provisioning, str], bool]
"""Does something for a tag, and returns whether anything changed."""

_RESUMED_SECONDS: Final = 86400
"""How long after its beginning a rotation goes on without a word. Later somebody rather means another one."""


@app.command("disable")
@_goes_through_a_file
def disable(
    connection: Connection,
    tags: Tags,
    manner: _Manner,
) -> None:
    """Disable the profiles of a file. Those that are disabled stay so.

    You may stop it and run it again.

    Exit codes: 0 all of them are disabled; 1 some cannot be; 3 somebody changed some meanwhile; 4 the tables cannot be
    used; 130 interrupted.

    Example: auth-jwt bulk disable tags.txt --yes
    """
    job = _Job(connection, "disable", manner)
    job.run("Disable {count}?", tags, lambda writing, tag: writing.profiles.switch(tag, disabled=True))


@app.command("enable")
@_goes_through_a_file
def enable(
    connection: Connection,
    tags: Tags,
    manner: _Manner,
) -> None:
    """Enable the profiles of a file. Exit codes and repetition are those of `bulk disable`.

    Example: auth-jwt bulk enable tags.txt --yes
    """
    job = _Job(connection, "enable", manner)
    job.run("Enable {count}?", tags, lambda writing, tag: writing.profiles.switch(tag, disabled=False))


@app.command("revoke")
@_goes_through_a_file
def revoke(
    connection: Connection,
    tags: Tags,
    manner: _Manner,
    before: Annotated[
        int | None,
        typer.Option(
            "--before", parser=parse_instant, metavar="TIME", help="Tokens issued before this; without it, before now."
        ),
    ] = None,
) -> None:
    """Revoke all tokens of the profiles of a file that were issued before now, or before --before.

    All get the same time. A second run means its own: to go on with that of one that ended early, give it the --before
    that the first one names. Exit codes are those of `bulk disable`.

    Example: auth-jwt bulk revoke tags.txt --yes
    """
    job = _Job(connection, "revoke", manner)
    bound = job.began + 1 if before is None else before
    told = format_instant(bound, job.began)
    connection.output.note(f"Tokens issued before {told} are meant; a run that goes on has `--before {bound}`.")

    def do(writing: Provisioning, tag: str) -> bool:
        present = writing.profiles.show(tag).tokens_valid_after
        return writing.revocations.revoke_all(tag, before=bound) != present

    same = ("auth-jwt", "bulk", "revoke", str(tags), "--before", str(bound))
    reporting = () if manner.report is None else ("--report", str(manner.report))
    again = shlex.join([*same, *reporting, *connection.where.options])
    question = f"Revoke all tokens of {{count}} issued before {told}?"
    job.run(question, tags, do, again=f"`{again}`")


@app.command("rotate")
@_goes_through_a_file
def rotate(
    connection: Connection,
    tags: Tags,
    manner: _Manner,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The file for the new secrets (mode 0600): a line of JSON for each. With the file of an earlier run, "
            "go on where that ended.",
        ),
    ],
    overlap: Overlap = OVERLAP_SECONDS,
    end: Annotated[
        int | None,
        typer.Option(
            "--end", parser=parse_instant, metavar="TIME", help="End of the new secrets; without it, in a year."
        ),
    ] = None,
    algorithms: Annotated[
        str | None,
        typer.Option("--alg", "--algorithms", metavar="LIST", help="The algorithms they may verify, such as `HS256`."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the file of --out even if its run began more than a day ago."),
    ] = False,
    replace_public_key: ReplacePublicKey = False,
) -> None:
    """Open a new generated HMAC secret for each tag of a file, and end the open ones after an overlap.

    A tag whose open secret is an issuer's public key fails, unless --replace-public-key is given: its issuer would be
    locked out.

    Each new secret is in the file of --out before it is in the table; a later line with `failed` says that it is in
    none. A run that ended early goes on with the same command: what was rotated stays as it is, and a secret whose row
    was not written is used for it. So a new rotation needs a new file. Exit codes are those of `bulk disable`.

    Example: auth-jwt bulk rotate tags.txt --out secrets.jsonl --overlap 7d --yes
    """
    job = _Job(connection, "rotate", manner)
    names = named_algorithms(algorithms)
    with ExitStack() as files:
        values = _NewSecrets(None)
        if not manner.dry_run:
            ledger = files.enter_context(job.ledger(out))
            job.resume(ledger, even_if_old=resume)
            values = _NewSecrets(ledger)

        def do(writing: Provisioning, tag: str) -> bool:
            secrets = writing.secrets
            held = values.held_for(tag)
            if held is None:
                value = secrets.generate(tag, algorithms=names)
                held = values.hold(tag, f"bulk-{job.began}", value)
            elif any(record.id == held.id for record in secrets.find_by_value(tag, held.value)):
                return False
            secret = NewSecret(value=held.value, id=held.id, end=end, algorithms=names)
            with values.settle(tag, held):
                secrets.rotate(tag, secret, overlap_seconds=overlap, replace_public_key=replace_public_key)
            return True

        try:
            job.run("Rotate the secrets of {count}?", tags, do)
        finally:
            if values.has_any:
                connection.output.note(f"The new secrets are in {out}, which only its owner may read.")


@dataclass(frozen=True, slots=True)
class _Held:
    """A generated secret that is in the ledger."""

    id: str
    value: str = field(repr=False)


class _NewSecrets:
    """The generated secrets of a run, and of earlier ones, by their ledger. The last line about a tag counts.

    Args:
        ledger: the ledger; None for a rehearsal, which writes none.
    """

    def __init__(self, ledger: LedgerFile | None) -> None:
        self._ledger = ledger
        self._held: dict[str, _Held] = {}
        self._failed: set[str] = set()
        self._is_written = False
        for line in () if ledger is None else ledger.earlier():
            if {"tag", "id", "value"} <= line.keys():
                self._held[line["tag"]] = _Held(line["id"], line["value"])
                self._failed.discard(line["tag"])
            elif "failed" in line:
                self._failed.add(line["tag"])

    @property
    def has_any(self) -> bool:
        """Whether the ledger has a secret."""
        return self._ledger is not None and (bool(self._held) or self._is_written)

    def held_for(self, tag: str) -> _Held | None:
        """Return the secret that an earlier run generated for *tag*."""
        return self._held.get(tag)

    def hold(self, tag: str, secret_id: str, value: str) -> _Held:
        """Write a new secret into the ledger.

        Raises:
            Invalid: the file cannot be written.
        """
        held = _Held(secret_id, value)
        self._add({"tag": tag, "id": held.id, "value": held.value})
        return held

    @contextmanager
    def settle(self, tag: str, held: _Held) -> Iterator[None]:
        """Note if the write within fails, so that no row has the secret."""
        try:
            yield
        except Rejected as error:
            self._add({"tag": tag, "id": held.id, "failed": str(error)})
            raise
        if tag in self._failed:
            self._add({"tag": tag, "id": held.id, "value": held.value})

    def _add(self, line: Mapping[str, Any]) -> None:
        if self._ledger is not None:
            self._ledger.add(line)
            self._is_written = True


class _Job:
    """A bulk operation on a connection.

    Attributes:
        began: when it began, in UNIX seconds; when it goes on with an earlier run, when that began.
    """

    def __init__(self, connection: Connection, action: str, manner: _Manner) -> None:
        connection.rehearses = manner.dry_run
        self._connection = connection
        self._action = action
        self._manner = manner
        self.began = connection.reading.registry.now()

    def ledger(self, path: Path) -> LedgerFile:
        """Return the ledger at *path*. Its header names the whole target: two stacks often have the same tables."""
        target = self._connection.target
        header = {
            "action": self._action,
            "account": target.account,
            "region": target.region,
            "endpoint": target.endpoint,
            "tables": list(target.tables),
        }
        is_known = target.account is not None or target.endpoint is not None
        doubt = None if is_known else "AWS does not tell which account this is"
        return LedgerFile(path, header, began=self.began, doubt=doubt)

    def resume(self, ledger: LedgerFile, *, even_if_old: bool) -> None:
        """Go on with the run of a *ledger*, if there was one.

        Raises:
            Conflict: it began more than a day ago, and nobody said that it is meant.
        """
        if not ledger.is_of_earlier_run:
            return
        told = f"began {format_instant(ledger.began, self.began)}"
        if self.began - ledger.began > _RESUMED_SECONDS and not even_if_old:
            raise Conflict(
                f"the run of the file {ledger.path} {told}, and what it has rotated would not be rotated again; nothing"
                " was done: name another file, or go on with that run by --resume"
            )
        self._connection.output.note(
            f"This goes on with a run that {told}: what that has rotated is not rotated again."
        )
        self.began = ledger.began

    def run(self, question: str, path: Path, operation: Operation, *, again: str = "The same command again") -> None:
        """Do the *operation* for each tag of the file at *path*, and end with the exit code for all of them.

        Args:
            question: what is asked before.
            path: the file of tags.
            operation: does it for one tag.
            again: the command that goes on with a run that ended early.

        Raises:
            Misused: the file of tags cannot be read.
            Fault: the tables cannot be used; what was done is reported.
            typer.Exit: some tags failed, or somebody interrupted the run.
        """
        connection, manner = self._connection, self._manner
        tags = read_tags(path)
        count = pluralize(len(tags), "profile")
        if not connection.rehearses:
            connection.output.confirm(question.format(count=count), yes=manner.yes)
        writing = connection.writing  # the audit file is open before the first thread needs it
        with ExitStack() as stack:
            ledger = None
            if manner.report is not None and not connection.rehearses:
                ledger = stack.enter_context(self.ledger(manner.report))
            progress = stack.enter_context(progress_on(quiet=manner.quiet))
            recorder = _Recorder(connection.output, progress, ledger, len(tags))
            pauses = PauseTeller(progress)
            run = run_all(
                tags,
                lambda tag: retry_throttled(partial(operation, writing, tag), pauses),
                workers=manner.workers,
                record=recorder.record,
            )
        self._conclude(run, recorder, len(tags), again)

    def _conclude(self, run: Run, recorder: "_Recorder", total: int, again: str) -> None:
        connection, output = self._connection, self._connection.output
        if recorder.failures and not output.as_json:
            output.show(None, table(("TAG", "FAILED BECAUSE"), recorder.failures))
        if connection.rehearses:
            _show_rehearsed(connection)
        left = total - run.counts.total()
        would = "would be " if connection.rehearses else ""
        parts = [f"{run.counts[TagOutcome.DONE]:,} {would}done", f"{run.counts[TagOutcome.ALREADY]:,} already done"]
        parts += [f"{run.counts[TagOutcome.FAILED]:,} failed"] if run.counts[TagOutcome.FAILED] else []
        parts += [f"{run.counts[TagOutcome.UNKNOWN]:,} unknown"] if run.counts[TagOutcome.UNKNOWN] else []
        parts += [f"{left:,} not looked at"] if left else []
        output.note(f"{self._action}, {pluralize(total, 'tag')}: {', '.join(parts)}.")
        if connection.rehearses:
            output.note("Dry run: nothing was written.")
        elif run.counts[TagOutcome.DONE]:
            connection.tell_when_it_works()
        if left or run.counts[TagOutcome.UNKNOWN]:
            output.note(f"{again} goes on with the rest.")
        if run.is_interrupted:
            fail("interrupted", INTERRUPTED)
        if run.fault is not None:
            raise run.fault
        failed = run.counts[TagOutcome.FAILED]
        if failed:
            complain(f"{pluralize(failed, 'tag')} of {total} failed")
            raise typer.Exit(CONFLICT if run.conflicts == failed else REFUSED)


class _Recorder:
    """Shows the reports about tags, and writes them into the ledger.

    Attributes:
        failures: the tags that failed, each with the reason.
    """

    def __init__(self, output: Output, progress: Progress, ledger: LedgerFile | None, total: int) -> None:
        self._output = output
        self._progress = progress
        self._ledger = ledger
        self._total = total
        self._count = 0
        self.failures: list[tuple[str, str]] = []

    def record(self, report: TagReport) -> None:
        """Take a report.

        Raises:
            NotShown: it cannot be shown.
        """
        self._count += 1
        if self._ledger is not None:
            self._ledger.add(report.as_json())
        if self._output.as_json:
            self._output.show_lines([report.as_json()])
        if report.reason is not None and not self._output.as_json:
            self.failures.append((report.tag, report.reason))
        self._progress.update(self._count / self._total, f"{self._count} of {self._total}")


def _show_rehearsed(connection: Connection) -> None:
    """Show which kinds of changes a rehearsal would have made, and how many of each."""
    counts = Counter((each.kind.value, each.key.table.value, each.columns) for each in connection.rehearsal.changes)
    if not connection.output.as_json and counts:
        rows = [(kind, name, number, ", ".join(columns)) for (kind, name, columns), number in counts.items()]
        connection.output.show(None, table(("WOULD", "IN TABLE", "ROWS", "COLUMNS"), rows))

"""`auth-jwt diff` and `auth-jwt sync`: compare a stack with an export or with another stack, and make it alike."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from auth_jwt.provisioning.audit import AuditEntry, WriteOutcome
from auth_jwt.provisioning.changes import Table
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.listing import Listing
from auth_jwt_cli.options import Yes, reads_tables, writes_tables
from auth_jwt_cli.output import CONFLICT, INTERRUPTED, REFUSED, complain, fail, pluralize, table

if TYPE_CHECKING:
    from auth_jwt_cli.migration.progress import Progress
    from auth_jwt_cli.migration.writing import Taken
    from auth_jwt_cli.transfer.differences import Difference, Differences
    from auth_jwt_cli.transfer.sealing import Opener
    from auth_jwt_cli.transfer.syncing import Synced

_TITLES: Final = ("", "TABLE", "TAG", "ID", "COLUMNS")
_PAGE: Final = 100
_SIGNS: Final = {"add": "+", "change": "~", "remove": "-"}

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="How it should be: the file of an export, context:NAME, function:NAME or env:FILE."
    ),
]
DecryptWith = Annotated[
    Path | None,
    typer.Option(
        "--decrypt-with",
        metavar="FILE",
        help="The private key, in PEM, to which the values in the export are encrypted.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


@reads_tables
def diff(
    connection: Connection,
    source: Source,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="What to compare with it, likewise; without it, the stack of the options."
        ),
    ] = None,
    decrypt_with: DecryptWith = None,
    quiet: Quiet = False,
) -> None:
    """Show how a stack differs from SOURCE: what `sync` would add (+), change (~) or remove (-).

    It names columns, and no values. Of columns, those in brackets are not in SOURCE. Secrets are compared by their
    values if both sides have them, and by their fingerprints otherwise.

    Exit codes: 0 they are alike; 3 they differ; 1 an export is damaged or not whole.

    Example: auth-jwt diff stack.jsonl

    Example: auth-jwt diff context:production context:test
    """
    from auth_jwt_cli.migration.progress import progress_on
    from auth_jwt_cli.transfer.differences import Differences
    from auth_jwt_cli.transfer.sides import StackSide, side_of

    with ExitStack() as stack:
        progress = stack.enter_context(progress_on(quiet=quiet))
        first = side_of(source, connection, progress, _opener(decrypt_with))
        second = StackSide(connection, progress) if other is None else side_of(other, connection, progress, None)
        found = stack.enter_context(Differences(first, second, progress))
        count = _show(connection, found)
        compares_values = found.compares_values
    _tell(connection, count, compares_values=compares_values)
    if count:
        raise typer.Exit(CONFLICT)


@writes_tables
def sync(
    connection: Connection,
    source: Source,
    delete: Annotated[
        bool,
        typer.Option(
            "--delete/--no-delete", help="Whether to delete what SOURCE does not have; profiles can be restored."
        ),
    ] = False,
    decrypt_with: DecryptWith = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would be written.")] = False,
    quiet: Quiet = False,
    yes: Yes = False,
) -> None:
    """Make the target stack match SOURCE: add and change profiles and secrets, and with --delete remove others.

    It shows what it would write, and asks. It never opens again what was closed, disabled or revoked in the stack, and
    leaves columns that only the stack has. It refuses rows that `import` refuses, and deletes only what it has shown.
    New secrets need their values: those of a stack, or of an export with --decrypt-with. Whoever may write to an export
    decides who can log in: keep it where nobody else can. You may stop it and run it again: it writes what is left.

    Exit codes: 0 the stack matches SOURCE, apart from what only the stack has; 1 some rows could not be written; 3
    the stack keeps some columns; 4 the tables cannot be used.

    Example: auth-jwt sync stack.jsonl --decrypt-with backup.pem --dry-run

    Example: auth-jwt sync context:production --context test --delete
    """
    from auth_jwt_cli.migration.examination import Examination
    from auth_jwt_cli.migration.progress import progress_on
    from auth_jwt_cli.transfer.differences import DifferenceKind, Differences
    from auth_jwt_cli.transfer.sides import StackSide, side_of
    from auth_jwt_cli.transfer.syncing import Sync

    with ExitStack() as stack:
        with progress_on(quiet=quiet) as progress:
            first = side_of(source, connection, progress, _opener(decrypt_with))
            second = StackSide(connection, progress)
            found = stack.enter_context(Differences(first, second, progress))
        wanted = set(DifferenceKind) - (set() if delete else {DifferenceKind.REMOVE})
        count = _show(connection, found, wanted)
        _tell(connection, count, compares_values=found.compares_values)
        if not count:
            return
        if not dry_run:
            connection.output.confirm(f"Write {pluralize(count, 'row')}?", yes=yes)
        provisioning = connection.reading if dry_run else connection.writing
        settings = connection.settings
        try:
            with progress_on(quiet=quiet) as progress:
                synced = Sync(
                    source=first,
                    stack=second,
                    differences=found,
                    provisioning=provisioning,
                    examination=Examination(
                        settings.columns,
                        settings.policy,
                        live=False,
                        domains=provisioning.issuers.domains,
                        clock=time.time,
                    ),
                    record=lambda row: connection.audit(_entry_of(row, connection.actor)),
                    proceed=_counter(progress, count),
                    rehearses=dry_run,
                ).run(delete=delete)
        except KeyboardInterrupt:
            fail("interrupted: the same command again goes on with the rest", INTERRUPTED)
    _conclude(connection, synced, rehearses=dry_run)


def _opener(path: Path | None) -> "Opener | None":
    from auth_jwt_cli.inputs import octets_of
    from auth_jwt_cli.transfer.sealing import Opener

    return None if path is None else Opener(octets_of(path, "the key"))


def _show(connection: Connection, found: "Differences", wanted: Any = None) -> int:  # noqa: ANN401 - a set of kinds
    listing, count = Listing(connection.output, _TITLES), 0
    page = []
    for each in found.all():
        if wanted is None or each.kind in wanted:
            page.append((each.as_json(), _cells(each)))
        if len(page) == _PAGE:
            count += listing.show(page)
            page = []
    return count + listing.show(page)


def _cells(each: "Difference") -> tuple[object, ...]:
    named = [*each.columns, *(f"[{name}]" for name in each.only_there)]
    return _SIGNS[each.kind.value], each.key.table.value, each.key.tag, each.key.id, ", ".join(named) or None


def _tell(connection: Connection, count: int, *, compares_values: bool) -> None:
    output = connection.output
    output.note(f"{pluralize(count, 'row')} differ{'s' if count == 1 else ''}." if count else "Both are alike.")
    if not compares_values:
        output.note("Values of secrets were not compared where a side has neither the value nor a fingerprint.")


def _counter(progress: "Progress", total: int) -> Callable[[int], None]:
    return lambda count: progress.update(min(1.0, count / total), f"{count} of {total} rows")


def _entry_of(row: "Taken", actor: str) -> AuditEntry:
    from auth_jwt_cli.migration.writing import RowOutcome

    outcome = WriteOutcome.UNKNOWN if row.outcome is RowOutcome.UNKNOWN else WriteOutcome.DONE
    what = "profile" if row.key.table is Table.PROFILES else "secret"
    written = [name for name in row.columns if name not in row.kept]
    details = {"columns": written} if written else {}
    return AuditEntry(int(time.time()), actor, f"{what}.sync", row.key.tag, row.key.id, outcome, details)


def _conclude(connection: Connection, synced: "Synced", *, rehearses: bool) -> None:
    output, counts = connection.output, synced.counts
    problems = [
        *((key.tag, key.id, why) for key, why in synced.refused),
        *(
            (row.key.tag, row.key.id, f"the stack keeps {', '.join(row.kept)}: it lets fewer tokens through")
            for row in synced.kept
        ),
    ]
    if problems and not output.as_json:
        output.show(None, table(("TAG", "ID", "LEFT BECAUSE"), problems))
    would = "would be " if rehearses else ""
    output.note(
        f"{counts['written']:,} {would}added, {counts['overwritten']:,} {would}changed,"
        f" {counts['deleted']:,} {would}deleted, {len(synced.refused):,} {would}refused."
    )
    if rehearses:
        output.note("Dry run: nothing was written.")
    else:
        connection.tell_when_it_works(at_once="What is new")
    if synced.refused:
        complain(f"{pluralize(len(synced.refused), 'row')} {'cannot' if rehearses else 'could not'} be written")
        raise typer.Exit(REFUSED)
    if synced.kept:
        raise typer.Exit(CONFLICT)

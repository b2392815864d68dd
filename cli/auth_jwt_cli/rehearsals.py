"""What `--dry-run` shows: the rows and the columns that a command would write, and no value."""

from collections.abc import Sequence

from auth_jwt.provisioning.rehearsal import ChangeKind, RehearsedChange
from auth_jwt.provisioning.rendering import Json
from auth_jwt.provisioning.tombstones import is_tombstone
from auth_jwt_cli.output import Output, table

_TITLES = ("WOULD", "IN TABLE", "TAG", "ID", "COLUMNS")


def show_rehearsal(output: Output, changes: Sequence[RehearsedChange]) -> None:
    """Show what a rehearsal would have written.

    Raises:
        NotShown: standard output cannot be written.
    """
    rows = [
        (each.kind.value, each.key.table.value, *_names_of(each), ", ".join(each.columns) or None) for each in changes
    ]
    document = {"dry_run": True, "changes": [rehearsed_json(each) for each in changes]}
    output.show(document, *([table(_TITLES, rows)] if rows else ["Nothing would change."]))
    output.note("Dry run: nothing was written.")


def _names_of(change: RehearsedChange) -> tuple[str, str | None]:
    """Return what a person calls the row: a tombstone has a tag and an id that say nothing."""
    key = change.key
    return ("(what is kept for a restore)", None) if is_tombstone(key.tag) else (key.tag, key.id)


def rehearsed_json(change: RehearsedChange) -> Json:
    """Return the members of a change that would have been made."""
    columns = {} if change.kind is ChangeKind.DELETE else {"columns": list(change.columns)}
    key = change.key
    return {"change": change.kind.value, "table": key.table.value, "tag": key.tag, "id": key.id, **columns}

"""Lists secrets that end and have no successor: the answer of the daily check, from the operator's machine."""

from auth_jwt.provisioning.endings import Ending, find_endings
from auth_jwt.provisioning.rendering import ending_json
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.output import Part, pluralize, table
from auth_jwt_cli.scans import Scanning, naming_the_pace
from auth_jwt_cli.times import format_duration, format_instant


def list_endings(connection: Connection, within: int, read_units: int | None = None) -> None:
    """Show the tags whose secrets end within so many seconds, or ended so lately, while no other is open.

    Every tag that is found is looked up, however long that takes. *read_units* is the pace of the scan, in a second.

    Raises:
        Fault: the tables could not be read to the end.
    """
    registry = connection.reading.registry
    now = registry.clock()
    scanning = Scanning(connection.output, read_units)
    with naming_the_pace():
        found = find_endings(registry.store, registry.columns, now=now, within=within, most=None, proceed=scanning)
    endings = (*found.ended, *found.soon)
    connection.output.show_lines(map(ending_json, endings), *([_as_table(endings, now)] if endings else []))
    looked_at = f"Looked at {pluralize(found.rows, 'row')} of the table {connection.settings.secrets_table}"
    if not endings:
        looked_at += f": no tag loses its last secret within {format_duration(within)}"
    connection.output.note(f"{looked_at}.")


def _as_table(endings: tuple[Ending, ...], now: float) -> Part:
    rows = [
        (
            ending.tag,
            ending.secret_id,
            ending.kind.value,
            format_instant(ending.end, now),
            None if ending.opens_again is None else format_instant(ending.opens_again, now),
            ending.remedy,
        )
        for ending in endings
    ]
    return table(("TAG", "ID", "WHAT", "END", "NEXT OPENS", "COMMAND"), rows)

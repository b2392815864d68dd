"""Lists secrets of all tags by the key that they hold, and keys that several tags share."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from auth_jwt_cli.connection import Connection
from auth_jwt_cli.output import REFUSED
from auth_jwt_cli.times import format_instant

if TYPE_CHECKING:
    from auth_jwt.provisioning.inspection import SecretRecord
    from auth_jwt.provisioning.secret_search import SharedKey
    from auth_jwt_cli.listing import Listed

_NAMED: Final = 3
_HOLDERS: Final = ("TAG", "ID", "STATE", "KIND", "START", "END")
_SHARED: Final = ("FINGERPRINT", "KIND", "TAGS", "SOME OF THEM")


def list_holders(
    connection: Connection,
    fingerprint: str | None,
    file: Path | None,
    tag_prefix: str | None,
    read_units: int | None,
) -> None:
    """Show the secrets that hold one key, as they are found: that with this *fingerprint*, or that in the *file*.

    Raises:
        typer.Exit: no secret holds it.
        Invalid: nothing has such a fingerprint, or the file holds no key.
        Fault: the table could not be read to the end.
    """
    from auth_jwt.provisioning.secret_search import SecretSearch
    from auth_jwt_cli.inputs import secret_text
    from auth_jwt_cli.listing import show_list
    from auth_jwt_cli.scans import Scanning, naming_the_pace

    registry = connection.reading.registry
    scanning = Scanning(connection.output, read_units)
    search = SecretSearch(registry, proceed=scanning)
    if fingerprint is not None:
        found = search.by_fingerprint(fingerprint, tag_prefix=tag_prefix)
    else:
        found = search.by_value(secret_text(file, twice=False), tag_prefix=tag_prefix)
    now = registry.clock()
    with naming_the_pace():
        count = show_list(connection.output, _HOLDERS, ([_listed(record, now)] for record in found))
    scanning.tell_cost()
    if not count:
        connection.output.note("No secret holds this key.")
        raise typer.Exit(REFUSED)


def list_shared_keys(connection: Connection, tag_prefix: str | None, read_units: int | None) -> None:
    """Show the keys that secrets of several tags hold, those of the most tags first.

    Raises:
        Fault: the table could not be read to the end.
    """
    from auth_jwt.provisioning.secret_search import SecretSearch
    from auth_jwt_cli.listing import show_list
    from auth_jwt_cli.scans import Scanning, naming_the_pace

    scanning = Scanning(connection.output, read_units)
    with naming_the_pace():
        shared = SecretSearch(connection.reading.registry, proceed=scanning).shared_keys(tag_prefix=tag_prefix)
    show_list(connection.output, _SHARED, [[_shared(key) for key in shared.keys]])
    scanning.tell_cost()
    if shared.more:
        connection.output.note(f"{shared.more:,} more keys are shared, each by fewer tags.")
    if not shared.keys:
        connection.output.note("No two tags share a key.")


def _listed(record: "SecretRecord", now: float) -> "Listed":
    from auth_jwt.provisioning.rendering import secret_json

    window = (format_instant(record.start, now), format_instant(record.end, now))
    return secret_json(record), (record.tag, record.id, record.state.value, record.kind, *window)


def _shared(key: "SharedKey") -> "Listed":
    from auth_jwt.provisioning.rendering import shared_key_json

    more = key.tags - min(len(key.named), _NAMED)
    some = ", ".join(key.named[:_NAMED]) + (f" and {more:,} more" if more else "")
    return shared_key_json(key), (key.fingerprint, key.kind, key.tags, some)
